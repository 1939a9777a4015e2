/*
 * server.h - the server core in this process: a store, a service, a clock and chance of our own.
 *
 * Owns:      one service on one store; the bytes of its last answer.
 * Must not:  know the model or the workload.
 */
#ifndef KOP_TESTS_SIM_SERVER_H
#define KOP_TESTS_SIM_SERVER_H

#include "service/service.h"

struct server {
    struct store *store;
    struct service *service;
    struct arena arena;
    uint32_t tenant;
    int64_t now;
    uint64_t random;
    char path[64]; /* of the SQLite file; empty: memory */
    /* The last answer. */
    int status;
    enum outcome outcome;
    char *answer;
    size_t answer_len, answer_cap;
};

/* `path` NULL: in memory. Prints and exits when it cannot. */
void server_open(struct server *server, const char *path, uint64_t seed, int64_t now);
/* Closes the service; the SQLite file stays. */
void server_close(struct server *server);
/* Close and open again on the same file: nothing that was answered may be lost. */
void server_restart(struct server *server);

/* One request at server->now; the answer is copied. `param` and `key` may be NULL. */
void server_call(struct server *server, enum route_name route, const char *param,
                 const char *body, size_t body_len, const char *key);
void server_daily(struct server *server);
/* false: prints the first fault. */
bool server_verify(struct server *server);

#endif
