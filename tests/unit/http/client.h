/*
 * client.h - a plain blocking HTTP client for the tests of the server.
 *
 * Owns:      connecting to loopback, sending bytes as they are, reading one answer.
 * Must not:  use the server's parser: a mistake there must not hide itself.
 */
#ifndef KOP_TESTS_UNIT_HTTP_CLIENT_H
#define KOP_TESTS_UNIT_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer {
    int status;
    char head[2048]; /* as it came, NUL-terminated */
    char *body;      /* the caller frees it */
    size_t size;
};

/* A connected socket whose reads and writes fail after ten seconds. */
int client_connect(uint16_t port);

void client_send(int fd, const void *bytes, size_t size);
void client_say(int fd, const char *text);

/* Read one answer, of which `headless` tells that it has no body although it announces one. false:
 * the connection ended before it, cleanly. */
bool client_read(int fd, struct answer *answer, bool headless);

/* Read one answer and check its status and (unless NULL) its body. */
void client_expect(int fd, int status, const char *body);

/* The connection ends now, with nothing before its end. */
void client_expect_end(int fd);

bool answer_has(const struct answer *answer, const char *header_line);

/* Close by a reset instead of an orderly end. */
void client_reset(int fd);

void sleep_ms(int ms);
int64_t clock_ms(void);

#endif
