/*
 * loop.h - the HTTP server: loop threads, connections, requests and answers.
 *
 * Owns:      struct http_server, struct http_request, the threads that serve connections.
 * Must not:  know routes, JSON, or who may do what: it hands requests to one handler.
 * Invariant: a connection has at most one request at work, so answers keep the order of requests.
 *            Every request handed out is answered exactly once with http_respond(); until then it
 *            and its bytes stay valid, also when the client, or the server, has gone.
 * Cost:      one recv and one send a request, shared epoll_wait and wake-ups; no allocation once
 *            warm; an idle connection holds no buffer.
 * Tests:     tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_LOOP_H
#define KOP_HTTP_LOOP_H

#include "base/err.h"
#include "http/parse.h"
#include "http/response.h"

struct http_server;

/* A complete request. Read-only, but for `user`. Its texts are as parse.h says. */
struct http_request {
    enum http_method method;
    struct text path, query, host, body;
    unsigned char peer[16]; /* address of the other end, IPv4 as ::ffff:a.b.c.d */
    void *user;             /* the handler's own (its arena, its operation); NULL at first */
};

enum {
    http_threads_max = 64,
    http_idle_ms = 60 * 1000, /* keep-alive without a request: closed */
    http_slow_ms = 10 * 1000, /* for a whole head, then for a whole body: 408;
                                        without taking a byte of the answer: closed */
    http_linger_ms = 1000,    /* for a refused client to read why */
    http_connections_max = 16 * 1024,
};

struct http_options {
    const char *address; /* see struct listen_place */
    uint16_t port;       /* 0: the kernel chooses, see http_server_port() */
    bool behind_proxy;
    uint32_t threads; /* 1 to http_threads_max; 0: 1 */

    /* Over these a client is answered 503 with Retry-After at once. 0: the default. */
    uint32_t connections_max; /* http_connections_max */
    size_t buffer_bytes_max;  /* of all requests and answers together; 256 MiB */

    /* 0: the constants above. Shorter ones serve tests. */
    uint32_t idle_ms, slow_ms, linger_ms;

    /*
     * Called on a loop thread with a complete request. Must not block. It calls http_respond()
     * before it returns, or hands the request to another thread that calls it later.
     */
    void (*handler)(void *context, struct http_request *request);
    /* Called on the request's loop thread after http_resume(); NULL when that is never called. */
    void (*resume)(void *context, struct http_request *request);
    void *context;
};

/*
 * Listen and serve. On success `*server` is the caller's, to be ended by http_server_stop() and
 * http_server_close(). Raises the process's soft limit of open files when connections_max needs it.
 *
 * CODE_USAGE, CODE_CONFLICT, CODE_IO: as listen_open(). CODE_LIMIT: too many connections for the
 * limit of open files. CODE_NO_MEMORY.
 */
KOP_MUST_CHECK enum code http_server_open(const struct http_options *options,
                                          struct http_server **server, struct err *err);

/* The port that is listened on. */
uint16_t http_server_port(const struct http_server *server);

/*
 * Listen no more, answer what is in flight with «Connection: close», drop idle connections, and
 * return when all is done or after `deadline_ms`. How many requests were cut off unanswered comes
 * back; their handlers still call http_respond(), which then only frees them.
 */
uint32_t http_server_stop(struct http_server *server, uint32_t deadline_ms);

/* Stop at once if still running, and free. Requests that handlers hold stay valid as above. */
void http_server_close(struct http_server *server);

/*
 * Answer `request` and give it up: from any thread, once. Everything in `answer` is copied before
 * it returns, so the caller frees its arena afterwards. Never blocks on the client. An answer with
 * a broken header, or too big for buffer_bytes_max, becomes a 500 or a 503.
 */
void http_respond(struct http_request *request, const struct http_answer *answer);

/*
 * From any thread: have options.resume called with `request` on its own loop thread, so that
 * rendering happens there. When the server stopped without waiting for it, resume is called on this
 * thread instead. Not to be mixed up: after http_resume() only resume() calls http_respond().
 */
void http_resume(struct http_request *request);

/* The value of a header of `request`, as http_header(). */
struct text http_request_header(const struct http_request *request, struct text name, bool *found);

/* Sums over all loop threads since the start; `open` ones are of now. */
struct http_counters {
    uint64_t connections, connections_refused, connections_open;
    uint64_t requests, requests_open; /* handed to the handler */
    uint64_t refused;                 /* answered by the server itself: 4xx, 5xx of the parser */
    uint64_t timed_out;               /* slow senders and readers; not idle ones */
    uint64_t vanished;                /* the client had gone when its answer came */
    uint64_t responses[6];            /* by first digit; 0 and 1 unused */
    uint64_t bytes_in, bytes_out;
    uint64_t wake_ups; /* how often a loop was woken by another thread */
};

void http_server_counters(const struct http_server *server, struct http_counters *counters);

#endif
