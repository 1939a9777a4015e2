/*
 * proxy.h - stands between a store and its PostgreSQL, and cuts the connection at a COMMIT.
 *
 * Owns:      struct proxy: a socket beside the server's, threads that pass bytes on.
 */
#ifndef KOP_TESTS_CONTRACT_PROXY_H
#define KOP_TESTS_CONTRACT_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum proxy_cut {
    CUT_NOTHING,
    CUT_BEFORE, /* the server never hears of the COMMIT */
    CUT_AFTER,  /* the server has committed, and its answer is swallowed */
};

enum { links_max = 64 };
struct proxy {
    char server_path[108];
    int listener;
    pthread_t thread, link[links_max];
    atomic_int cut, cuts, links;
    atomic_bool stop;
};

/* Listen on `port` in the server's folder, pass everything on to `server_port` there. */
void proxy_start(struct proxy *proxy, const char *folder, int server_port, int port);
void proxy_stop(struct proxy *proxy);
/* Cut the next connection on which a COMMIT comes by. */
void proxy_cut(struct proxy *proxy, enum proxy_cut cut);
/* How many were cut since then. */
int proxy_cuts(struct proxy *proxy);

#endif
