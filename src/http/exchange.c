/*
 * exchange.c - one request and its answer: the memory that both lie in.
 *
 * Owns:      buffers, the pool, the budget.
 * Must not:  touch a socket.
 * Invariant: in_from <= in_count <= in_cap; out_sent <= out_count <= out_cap; the budget holds
 *            in_cap + out_cap for each living exchange.
 * Cost:      no allocation while the pool is warm and buffers suffice.
 * Tests:     tests/unit/http/test_loop.c
 */
#include "http/exchange.h"

#include <stdlib.h>
#include <string.h>

static bool
budget_take(struct exchange_budget *budget, size_t size)
{
    size_t used = atomic_fetch_add_explicit(&budget->used, size, memory_order_relaxed);

    if (used + size <= budget->max)
        return true;
    atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);
    return false;
}

static void
budget_give_back(struct exchange_budget *budget, size_t size)
{
    size_t used = atomic_fetch_sub_explicit(&budget->used, size, memory_order_relaxed);

    assert(used >= size);
}

static struct exchange *
exchange_new(struct exchange_budget *budget)
{
    if (!budget_take(budget, exchange_in_bytes + exchange_out_bytes))
        return NULL;
    struct exchange *exchange = malloc(sizeof *exchange);
    char *in = malloc(exchange_in_bytes), *out = malloc(exchange_out_bytes);
    if (!exchange || !in || !out) {
        budget_give_back(budget, exchange_in_bytes + exchange_out_bytes);
        free(exchange);
        free(in);
        free(out);
        return NULL;
    }
    /* The parser is not cleared here: http_parse_begin() does what it needs. */
    memset(exchange, 0, offsetof(struct exchange, parser));
    exchange->budget = budget;
    exchange->in = in;
    exchange->in_cap = exchange_in_bytes;
    exchange->out = out;
    exchange->out_cap = exchange_out_bytes;
    return exchange;
}

void
exchange_free(struct exchange *exchange)
{
    budget_give_back(exchange->budget, exchange->in_cap + exchange->out_cap);
    free(exchange->in);
    free(exchange->out);
    free(exchange);
}

/* Ready for a request whose bytes begin at in_from. */
static void
begin(struct exchange *exchange)
{
    exchange->errand = ERRAND_NONE;
    exchange->request.user = NULL;
    exchange->out_count = 0;
    exchange->out_sent = 0;
    exchange->close = false;
    exchange->continued = false;
    exchange->head_timed = false;
    http_parse_begin(&exchange->parser);
}

struct exchange *
exchange_take(struct exchange_pool *pool)
{
    struct exchange *exchange = pool->first;

    if (exchange) {
        pool->first = exchange->next;
        pool->count--;
    } else {
        exchange = exchange_new(pool->budget);
        if (!exchange)
            return NULL;
    }
    exchange->next = NULL;
    exchange->in_from = 0;
    exchange->in_count = 0;
    begin(exchange);
    return exchange;
}

void
exchange_give_back(struct exchange_pool *pool, struct exchange *exchange)
{
    bool big = exchange->in_cap > exchange_keep_bytes || exchange->out_cap > exchange_keep_bytes;

    assert(!exchange->connection);
    if (big || pool->count == exchange_pool_max) {
        exchange_free(exchange);
        return;
    }
    exchange->next = pool->first;
    pool->first = exchange;
    pool->count++;
}

void
exchange_pool_release(struct exchange_pool *pool)
{
    while (pool->first) {
        struct exchange *exchange = pool->first;
        pool->first = exchange->next;
        exchange_free(exchange);
    }
    pool->count = 0;
}

bool
exchange_make_room(struct exchange *exchange)
{
    if (exchange->in_count < exchange->in_cap)
        return true;
    if (exchange->in_from > 0) {
        exchange->in_count -= exchange->in_from;
        memmove(exchange->in, exchange->in + exchange->in_from, exchange->in_count);
        exchange->in_from = 0;
        return true;
    }
    /* The parser refuses what is longer, so it is never asked to grow beyond. */
    assert(exchange->in_cap < http_request_bytes_max);
    uint32_t cap = exchange->in_cap * 2;
    if (cap > http_request_bytes_max)
        cap = http_request_bytes_max;
    if (!budget_take(exchange->budget, cap - exchange->in_cap))
        return false;
    char *in = realloc(exchange->in, cap);
    if (!in) {
        budget_give_back(exchange->budget, cap - exchange->in_cap);
        return false;
    }
    exchange->in = in;
    exchange->in_cap = cap;
    return true;
}

void
exchange_fill_request(struct exchange *exchange, const unsigned char peer[16])
{
    const struct http_parser *parser = &exchange->parser;
    const char *bytes = exchange->in + exchange->in_from;
    struct http_request *request = &exchange->request;

    assert(parser->result == HTTP_COMPLETE);
    request->method = parser->method;
    request->path = http_path(parser, bytes);
    request->query = http_query(parser, bytes);
    request->host = http_host(parser, bytes);
    request->body = http_body(parser, bytes);
    memcpy(request->peer, peer, sizeof request->peer);
}

bool
exchange_begin_next(struct exchange *exchange)
{
    assert(exchange->parser.result == HTTP_COMPLETE);
    exchange->in_from += exchange->parser.at;
    assert(exchange->in_from <= exchange->in_count);
    if (exchange->in_from == exchange->in_count) {
        exchange->in_from = 0;
        exchange->in_count = 0;
    }
    begin(exchange);
    return exchange->in_count > 0;
}

/* Room for `size` bytes in `out`, whose old bytes do not matter. */
static bool
reserve_out(struct exchange *exchange, size_t size)
{
    if (size <= exchange->out_cap)
        return true;
    if (!budget_take(exchange->budget, size))
        return false;
    char *out = malloc(size);
    if (!out) {
        budget_give_back(exchange->budget, size);
        return false;
    }
    free(exchange->out);
    budget_give_back(exchange->budget, exchange->out_cap);
    exchange->out = out;
    exchange->out_cap = size;
    return true;
}

void
exchange_render(struct exchange *exchange, const struct http_answer *answer, bool stopping)
{
    struct http_answer final = *answer;
    int failure = 503;
    size_t size = 0;

    final.close = answer->close || exchange->parser.close || stopping;
    if (reserve_out(exchange, http_render_bound(&final))) {
        failure = 500;
        size = http_render(&final, exchange->request.method == HTTP_HEAD, exchange->out);
    }
    exchange->status = size > 0 ? final.status : failure;
    exchange->close = size > 0 ? final.close : true;
    if (size == 0)
        size = http_render_refusal(failure, "the answer could not be sent",
                                   exchange_is_russian(exchange), exchange->out);
    assert(size <= exchange->out_cap);
    exchange->out_count = size;
    exchange->out_sent = 0;
}

bool
exchange_is_russian(const struct exchange *exchange)
{
    return exchange->in &&
           http_head_is_russian((struct text){ exchange->in + exchange->in_from,
                                               exchange->in_count - exchange->in_from });
}

struct text
http_request_header(const struct http_request *request, struct text name, bool *found)
{
    const struct exchange *exchange = (const struct exchange *)request;

    return http_header(&exchange->parser, exchange->in + exchange->in_from, name, found);
}
