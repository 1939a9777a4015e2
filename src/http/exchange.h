/*
 * exchange.h - one request and its answer: the memory that both lie in.
 *
 * Owns:      struct exchange, its two buffers, the pool that keeps warm ones, the budget of bytes.
 * Must not:  touch a socket, or free what a handler still holds.
 * Invariant: an exchange belongs to one thread at a time: its loop's, or the handler's between the
 *            call of the handler and http_respond(). Its output has room for a refusal always.
 *            The budget is exact: what is taken from it is given back.
 * Cost:      no allocation while the pool is warm and buffers suffice.
 * Tests:     tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_EXCHANGE_H
#define KOP_HTTP_EXCHANGE_H

#include "http/loop.h"

#include <stdatomic.h>

enum {
    exchange_in_bytes = 8 * 1024,    /* at first; doubled up to http_request_bytes_max */
    exchange_out_bytes = 4 * 1024,   /* at first; as big as the answer then */
    exchange_keep_bytes = 32 * 1024, /* a bigger buffer is not kept in the pool */
    exchange_pool_max = 256,
};

struct connection;
struct loop;

/* Bytes of buffers that all loops together may hold. */
struct exchange_budget {
    _Atomic size_t used;
    size_t max;
};

/* Why a handler gives an exchange back to the loop. */
enum exchange_errand {
    ERRAND_NONE, /* the handler has it */
    ERRAND_ANSWER,
    ERRAND_RESUME,
};

struct exchange {
    struct http_request request; /* first: the handler's view of it */
    struct loop *loop;
    struct connection *connection; /* NULL once it has gone; the loop thread's alone */
    struct exchange *next;         /* in the pool, or in the queue back to the loop */
    struct exchange_budget *budget;
    enum exchange_errand errand;

    char *in;
    uint32_t in_cap, in_from,
        in_count; /* the request begins at in_from; in_count bytes are there */

    char *out;
    size_t out_cap, out_count, out_sent;
    int status; /* of the answer */
    bool close; /* the answer said «Connection: close» */

    bool continued;  /* «100 Continue» was sent */
    bool head_timed; /* the time for the body runs */
    struct http_parser parser;
};

struct exchange_pool {
    struct exchange *first;
    uint32_t count;
    struct exchange_budget *budget;
};

/* A clean exchange, or NULL: no memory or over the budget. */
struct exchange *exchange_take(struct exchange_pool *pool);

/* Back to the pool, or freed when it is full. */
void exchange_give_back(struct exchange_pool *pool, struct exchange *exchange);

/* Free it, from any thread that owns it. */
void exchange_free(struct exchange *exchange);

void exchange_pool_release(struct exchange_pool *pool);

/* Make room behind the bytes that are there. false: no memory, or over the budget. */
KOP_MUST_CHECK bool exchange_make_room(struct exchange *exchange);

/* After COMPLETE: fill in `request`. */
void exchange_fill_request(struct exchange *exchange, const unsigned char peer[16]);

/* After an answer was sent: begin with what follows the request. Is there anything? */
bool exchange_begin_next(struct exchange *exchange);

/*
 * Render the answer into `out`, and set `status` and `close`. `stopping`: close whatever the answer
 * says. Without room it becomes a 503, with a broken header a 500.
 */
void exchange_render(struct exchange *exchange, const struct http_answer *answer, bool stopping);

/* Does what has come of the request ask for Russian? For refusals of the server's own. */
bool exchange_is_russian(const struct exchange *exchange);

#endif
