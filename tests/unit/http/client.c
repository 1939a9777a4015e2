/*
 * client.c - a plain blocking HTTP client for the tests of the server.
 *
 * Owns:      connecting to loopback, sending bytes as they are, reading one answer.
 * Must not:  use the server's parser.
 * Invariant: anything unexpected fails the test that runs.
 */
#include "http/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

int
client_connect(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    const struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void
client_send(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        size -= (size_t)sent;
    }
}

void
client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

bool
answer_has(const struct answer *answer, const char *header_line)
{
    char line[256];

    snprintf(line, sizeof line, "\r\n%s\r\n", header_line);
    return strstr(answer->head, line) != NULL;
}

bool
client_read(int fd, struct answer *answer, bool headless)
{
    size_t size = 0;

    memset(answer, 0, sizeof *answer);
    while (!strstr(answer->head, "\r\n\r\n")) {
        assert_true(size < sizeof answer->head - 1);
        ssize_t got = recv(fd, answer->head + size, 1, 0);
        if (got == 0 && size == 0)
            return false;
        if (got != 1)
            fail_msg("the answer broke off after '%s': %s", answer->head, strerror(errno));
        size++;
    }
    assert_int_equal(strncmp(answer->head, "HTTP/1.1 ", 9), 0);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    const char *length = strstr(answer->head, "\r\nContent-Length: ");
    if (!length || headless)
        return true;
    answer->size = strtoul(length + 18, NULL, 10);
    answer->body = calloc(1, answer->size + 1);
    for (size = 0; size < answer->size;) {
        ssize_t got = recv(fd, answer->body + size, answer->size - size, 0);
        if (got <= 0)
            fail_msg("the body broke off after %zu of %zu bytes", size, answer->size);
        size += (size_t)got;
    }
    return true;
}

void
client_expect(int fd, int status, const char *body)
{
    struct answer answer;

    assert_true(client_read(fd, &answer, false));
    if (answer.status != status)
        fail_msg("expected %d, got '%s'", status, answer.head);
    if (body)
        assert_string_equal(answer.body, body);
    free(answer.body);
}

void
client_expect_end(int fd)
{
    char byte;

    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

void
client_reset(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

void
sleep_ms(int ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        continue;
}

int64_t
clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
