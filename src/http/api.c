/*
 * api.c - the HTTP edge of the service: routes, headers in, answers out.
 *
 * Owns:      matching a request to a route, the arenas of requests, problem+json of what matches
 *            nothing.
 * Must not:  know a use case, or block.
 * Invariant: every request handed in by the loop is answered once; an arena serves one request at
 *            a time.
 * Cost:      a warm request allocates nothing: arenas are kept by a lock-free stack.
 * Tests:     tests/stories/
 */
#include "http/api.h"

#include "base/json_write.h"
#include "core/limits.h"
#include "http/target.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    path_segments_max = 8,
    arena_block_bytes = 32 * 1024,
    api_idle_arenas_max = 4096,
    api_busy_bytes = 256, /* the refusal of a request for which there is no memory */
};

/* One request at work. */
struct exchange_call {
    struct call call;
    struct arena arena;
    struct api *api;
    struct http_request *request;
    struct exchange_call *next_idle;
    unix_ms began;
    enum outcome early; /* refused before a route was found; DONE: not */
    const char *allow;  /* 405: methods */
};

struct api {
    struct http_server *server;
    struct service *service;
    struct host clock;
    int log;
    _Atomic(struct exchange_call *) idle; /* pushed by anybody, taken whole: no ABA */
    _Atomic uint32_t idle_count;
};

/* ---- arenas ---- */

static void
push_idle(struct api *api, struct exchange_call *first, struct exchange_call *last)
{
    struct exchange_call *head = atomic_load(&api->idle);

    do {
        last->next_idle = head;
    } while (!atomic_compare_exchange_weak(&api->idle, &head, first));
}

static struct exchange_call *
exchange_take(struct api *api)
{
    /* Take the whole stack and put the rest back: popping one item would suffer from ABA. */
    struct exchange_call *one = atomic_exchange(&api->idle, NULL);

    if (one) {
        struct exchange_call *rest = one->next_idle, *last = rest;
        atomic_fetch_sub(&api->idle_count, 1);
        if (rest) {
            struct exchange_call *expected = NULL;
            if (!atomic_compare_exchange_strong(&api->idle, &expected, rest)) {
                while (last->next_idle)
                    last = last->next_idle;
                push_idle(api, rest, last);
            }
        }
        return one;
    }
    one = calloc(1, sizeof(*one));
    if (!one)
        return NULL;
    arena_init(&one->arena, heap_source(), arena_block_bytes, request_arena_bytes_max);
    one->api = api;
    return one;
}

static void
exchange_give(struct exchange_call *one)
{
    struct api *api = one->api;

    if (one->arena.total > 8 * arena_block_bytes ||
        atomic_load(&api->idle_count) > api_idle_arenas_max) {
        arena_release(&one->arena);
        free(one);
        return;
    }
    arena_reset(&one->arena);
    atomic_fetch_add(&api->idle_count, 1);
    push_idle(api, one, one);
}

/* ---- routes ---- */

static uint32_t
split_path(struct text path, struct text *segments)
{
    uint32_t count = 0;

    while (count < path_segments_max && http_path_next(&path, &segments[count]))
        count++;
    return count;
}

/* Does `path` fit the template? Raw parameters come back in order. */
static bool
path_fits(const char *template, const struct text *segments, uint32_t count, struct text *params)
{
    struct text wanted = text_of(template), segment;
    uint32_t i = 0, found = 0;

    for (; http_path_next(&wanted, &segment); i++) {
        if (i >= count)
            return false;
        if (segment.len && segment.ptr[0] == '{')
            params[found++] = segments[i];
        else if (!text_equal(segment, segments[i]))
            return false;
    }
    return i == count;
}

static void
find_route(struct exchange_call *one)
{
    struct text segments[path_segments_max], params[2];
    uint32_t count = split_path(one->request->path, segments);
    struct text method = text_of(http_method_name(one->request->method));

    one->early = OUTCOME_NOT_FOUND;
    one->allow = NULL;
    for (int i = 0; i < call_count; i++) {
        const struct route_info *info = route_info((enum route_name)i);
        params[0] = params[1] = (struct text){ 0 };
        if (!path_fits(info->path, segments, count, params))
            continue;
        if (!text_equal(text_of(info->method), method)) {
            one->early = OUTCOME_METHOD_NOT_ALLOWED;
            one->allow = info->method;
            continue;
        }
        one->early = OUTCOME_DONE;
        one->call.route = (enum route_name)i;
        for (int p = 0; p < 2; p++)
            if (params[p].ptr &&
                !http_decode(&one->arena, HTTP_SEGMENT, params[p], &one->call.param[p]))
                one->early = OUTCOME_NOT_FOUND;
        return;
    }
}

/* ---- in and out ---- */

/* A failure of the world is said once, with its text: in the log, or where there is none on stderr.
 */
static void
log_failure(struct exchange_call *one, const char *route)
{
    int log = one->api->log >= 0 ? one->api->log : STDERR_FILENO;
    struct json_writer writer;
    struct buf line;

    buf_init(&line, &one->arena, 256);
    json_write_init(&writer, &line);
    json_begin_object(&writer);
    json_key(&writer, "at");
    json_i64(&writer, one->api->clock.now(one->api->clock.context));
    json_key(&writer, "route");
    json_string(&writer, route);
    json_key(&writer, "failure");
    json_text(&writer, one->call.failure);
    json_end_object(&writer);
    buf_add_text(&line, TEXT("\n"));
    struct text text = buf_text(&line);
    if (text.len && write(log, text.ptr, text.len) < 0)
        one->api->log = -1;
}

static void
log_request(struct exchange_call *one)
{
    const struct call *call = &one->call;
    char line[256];

    if (call->failure.len)
        log_failure(one, route_info(call->route)->name);
    if (one->api->log < 0)
        return;
    const char *route = one->early == OUTCOME_DONE ? route_info(call->route)->name : "NONE";
    unix_ms now = one->api->clock.now(one->api->clock.context);
    int size = snprintf(
        line, sizeof(line),
        "{\"at\":%lld,\"route\":\"%s\",\"status\":%d,\"outcome\":\"%s\",\"ms\":%lld}\n",
        (long long)now, route, call->status, outcome_name(call->outcome),
        (long long)(now - one->began));
    if (size > 0 && write(one->api->log, line, (size_t)size) < 0)
        one->api->log = -1; /* a log that cannot be written must not stop the tills */
}

/* What the service does not see: connections, and requests that reached no route. */
static void
add_http_metrics(struct exchange_call *one)
{
    struct call *call = &one->call;
    struct http_counters http;
    struct buf out;

    http_server_counters(one->api->server, &http);
    const struct {
        const char *name, *type;
        uint64_t value;
    } rows[] = {
        { "connections_total", "counter", http.connections },
        { "connections_refused_total", "counter", http.connections_refused },
        { "connections_open", "gauge", http.connections_open },
        { "requests_total", "counter", http.requests },
        { "requests_open", "gauge", http.requests_open },
        { "malformed_total", "counter", http.refused },
        { "timed_out_total", "counter", http.timed_out },
        { "received_bytes_total", "counter", http.bytes_in },
        { "sent_bytes_total", "counter", http.bytes_out },
    };
    buf_init(&out, &one->arena, call->answer.len + 2048);
    buf_add_text(&out, call->answer);
    for (size_t i = 0; i < KOP_COUNT(rows); i++)
        buf_addf(&out, "# TYPE kopilka_http_%s %s\nkopilka_http_%s %llu\n", rows[i].name,
                 rows[i].type, rows[i].name, (unsigned long long)rows[i].value);
    buf_addf(&out, "# TYPE kopilka_http_responses_total counter\n");
    for (int i = 2; i < 6; i++)
        buf_addf(&out, "kopilka_http_responses_total{class=\"%dxx\"} %llu\n", i,
                 (unsigned long long)http.responses[i]);
    if (!out.failed)
        call->answer = buf_text(&out);
}

static void
answer(struct exchange_call *one)
{
    struct call *call = &one->call;
    struct http_field fields[2];
    struct http_answer answer = {
        .status = call->status,
        .content_type = call->content_type,
        .body = call->answer,
        .fields = fields,
    };

    if (call->status == 503)
        fields[answer.field_count++] = (struct http_field){ TEXT("Retry-After"), TEXT("1") };
    if (call->status == 401)
        fields[answer.field_count++] = (struct http_field){ TEXT("WWW-Authenticate"),
                                                            TEXT("Bearer") };
    if (one->allow)
        fields[answer.field_count++] = (struct http_field){ TEXT("Allow"), text_of(one->allow) };
    log_request(one);
    http_respond(one->request, &answer);
    exchange_give(one);
}

static void
answer_early(struct exchange_call *one)
{
    struct call *call = &one->call;
    struct buf out;

    buf_init(&out, &one->arena, 256);
    service_render_refusal(one->early, call->russian, &out);
    call->status = outcome_http_status(one->early);
    call->outcome = one->early;
    call->content_type = TEXT("application/problem+json");
    call->answer = buf_text(&out);
    answer(one);
}

/* On the loop's thread again: render and send. */
static void
resumed(void *context, struct http_request *request)
{
    struct exchange_call *one = request->user;

    (void)context;
    call_finish(&one->call);
    if (one->call.route == CALL_METRICS)
        add_http_metrics(one);
    answer(one);
}

/* On whichever thread finished the call. */
static void
call_done(struct call *call)
{
    struct exchange_call *one = call->context;

    http_resume(one->request);
}

static struct text
header_of(struct http_request *request, struct text name)
{
    bool found;
    struct text value = http_request_header(request, name, &found);

    return found ? value : (struct text){ 0 };
}

static bool
is_json(struct text type)
{
    struct text json = TEXT("application/json");

    return text_starts(type, json) &&
           (type.len == json.len || type.ptr[json.len] == ';' || type.ptr[json.len] == ' ');
}

/* There is no memory to serve it with. */
static void
refuse_busy(struct http_request *request)
{
    const struct http_field retry = { TEXT("Retry-After"), TEXT("1") };
    char bytes[api_busy_bytes];
    struct buf body;

    buf_init_fixed(&body, bytes, sizeof(bytes));
    service_render_refusal(OUTCOME_BUSY, false, &body);
    struct http_answer busy = {
        .status = 503,
        .content_type = TEXT("application/problem+json"),
        .fields = &retry,
        .field_count = 1,
        .body = buf_text(&body),
    };
    http_respond(request, &busy);
}

static void
handle(void *context, struct http_request *request)
{
    struct api *api = context;
    struct exchange_call *one = exchange_take(api);

    if (!one) {
        refuse_busy(request);
        return;
    }
    request->user = one;
    one->request = request;
    one->began = api->clock.now(api->clock.context);
    one->call = (struct call){
        .query = request->query,
        .body = request->body,
        .authorization = header_of(request, TEXT("authorization")),
        .idempotency_key = header_of(request, TEXT("idempotency-key")),
        .russian = http_is_russian(header_of(request, TEXT("accept-language"))),
        .arena = &one->arena,
        .done = call_done,
        .context = one,
    };
    find_route(one);
    if (one->early == OUTCOME_DONE && request->method == HTTP_POST &&
        !is_json(header_of(request, TEXT("content-type"))))
        one->early = OUTCOME_MEDIA_TYPE;
    if (one->early != OUTCOME_DONE) {
        answer_early(one);
        return;
    }
    service_call(api->service, &one->call);
}

/* ---- life ---- */

enum code
api_start(const struct api_options *options, struct api **api, struct err *err)
{
    struct api *made = calloc(1, sizeof(*made));
    struct http_options http = {
        .address = options->address,
        .port = options->port,
        .behind_proxy = options->behind_proxy,
        .threads = options->threads,
        .handler = handle,
        .resume = resumed,
        .context = made,
    };

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the server");
    made->service = options->service;
    made->clock = host_system();
    made->log = options->log;
    enum code rc = http_server_open(&http, &made->server, err);
    if (rc) {
        free(made);
        return rc;
    }
    *api = made;
    return OK;
}

uint16_t
api_port(const struct api *api)
{
    return http_server_port(api->server);
}

void
api_stop(struct api *api, uint32_t deadline_ms)
{
    http_server_stop(api->server, deadline_ms);
}

void
api_free(struct api *api)
{
    struct exchange_call *one;

    http_server_close(api->server);
    one = atomic_exchange(&api->idle, NULL);
    while (one) {
        struct exchange_call *next = one->next_idle;
        arena_release(&one->arena);
        free(one);
        one = next;
    }
    free(api);
}
