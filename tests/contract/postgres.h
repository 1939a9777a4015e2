/*
 * postgres.h - a PostgreSQL server of a test's own.
 *
 * Owns:      struct server: its folder, its process, how it is killed and started again.
 * Must not:  touch a server that it did not start.
 */
#ifndef KOP_TESTS_CONTRACT_POSTGRES_H
#define KOP_TESTS_CONTRACT_POSTGRES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct server {
    char folder[64]; /* data, log and socket; nobody else's */
    pid_t pid;       /* of the postmaster, which leads a process group; 0: it does not run */
};

/*
 * Make a folder and a server in it, wait until it answers. It ends with the test, whatever happens
 * to the test. Ends the program with a sentence where there is no PostgreSQL.
 */
void server_start(struct server *server);
/* Every process of it gone at once, as after a power cut; then up again. */
void server_kill(struct server *server);
void server_revive(struct server *server);
/* Stopped and its folder removed. */
void server_stop(struct server *server);

enum { conninfo_bytes = 192 };
/* How to connect to database `name` over a socket in the server's folder; port 0: the server's. */
void server_conninfo(const struct server *server, const char *name, int port,
                     char conninfo[conninfo_bytes]);
/* The same as a URL. */
void server_url(const struct server *server, const char *name, char conninfo[conninfo_bytes]);
/* Run SQL as the server's first user; false: it was refused, `state` (of 6 bytes, or NULL) says. */
bool server_do(const struct server *server, const char *name, const char *sql, char *state);
/* A number that SQL gives; -1: none. */
long server_ask(const struct server *server, const char *name, const char *sql);

#endif
