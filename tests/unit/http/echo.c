/*
 * echo.c - a server for tests: it answers what it was sent, from other threads.
 *
 * Owns:      the worker threads, the paths of echo.h.
 * Must not:  answer a request twice, or forget one.
 * Invariant: request->user links the queue while a request waits in it.
 */
#include "http/echo.h"

#include "http/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { workers_max = 4 };

struct queue {
    struct http_request *first, *last;
};

struct echo {
    struct http_server *server;
    pthread_t worker[workers_max];
    int workers;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct queue waiting, held;
    int held_count;
    bool ending;
};

static void
put(struct queue *queue, struct http_request *request)
{
    request->user = NULL;
    if (queue->last)
        queue->last->user = request;
    else
        queue->first = request;
    queue->last = request;
}

static struct http_request *
take(struct queue *queue)
{
    struct http_request *request = queue->first;

    if (request) {
        queue->first = request->user;
        if (!queue->first)
            queue->last = NULL;
        request->user = NULL;
    }
    return request;
}

static bool
is_path(const struct http_request *request, const char *path)
{
    return text_equal(request->path, text_of(path));
}

static void
respond(struct http_request *request, int status, struct text body)
{
    char *copy = malloc(body.len + 1); /* freed at once: http_respond() keeps nothing */
    const struct http_field field = { TEXT("X-Method"),
                                      text_of(http_method_name(request->method)) };
    struct http_answer answer = { .status = status,
                                  .content_type = TEXT("text/plain"),
                                  .fields = &field,
                                  .field_count = 1,
                                  .body = { copy, body.len } };

    if (body.len > 0)
        memcpy(copy, body.ptr, body.len);
    http_respond(request, &answer);
    memset(copy, '#', body.len + 1);
    free(copy);
}

static void
respond_big(struct http_request *request)
{
    char digits[16] = "";
    memcpy(digits, request->query.ptr, request->query.len);
    uint32_t size = (uint32_t)strtoul(digits, NULL, 10);
    char *body = malloc(size + 1);
    struct http_answer answer = { .status = 200, .body = { body, size } };

    memset(body, 'b', size);
    http_respond(request, &answer);
    free(body);
}

static void
respond_broken(struct http_request *request)
{
    const struct http_field field = { TEXT("X-Split"), TEXT("a\r\nSet-Cookie: b") };
    struct http_answer answer = {
        .status = 200, .fields = &field, .field_count = 1, .body = TEXT("never sent")
    };

    http_respond(request, &answer);
}

static void
respond_peer(struct http_request *request)
{
    char hex[33];

    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", request->peer[i]);
    respond(request, 200, text_of(hex));
}

static void
work(struct http_request *request)
{
    if (is_path(request, "/echo"))
        respond(request, 200, request->body);
    else if (is_path(request, "/resume"))
        http_resume(request);
    else if (is_path(request, "/big"))
        respond_big(request);
    else if (is_path(request, "/broken"))
        respond_broken(request);
    else if (is_path(request, "/empty"))
        respond(request, 204, TEXT(""));
    else if (is_path(request, "/peer"))
        respond_peer(request);
    else
        respond(request, 404, request->path);
}

static void *
worker_run(void *argument)
{
    struct echo *echo = argument;

    pthread_mutex_lock(&echo->lock);
    for (;;) {
        struct http_request *request = take(&echo->waiting);
        if (request) {
            pthread_mutex_unlock(&echo->lock);
            work(request);
            pthread_mutex_lock(&echo->lock);
        } else if (echo->ending) {
            break;
        } else {
            pthread_cond_wait(&echo->more, &echo->lock);
        }
    }
    pthread_mutex_unlock(&echo->lock);
    return NULL;
}

static void
handle(void *context, struct http_request *request)
{
    struct echo *echo = context;

    if (is_path(request, "/inline")) {
        respond(request, 200, request->body);
        return;
    }
    pthread_mutex_lock(&echo->lock);
    if (is_path(request, "/hold")) {
        put(&echo->held, request);
        echo->held_count++;
    } else {
        put(&echo->waiting, request);
        pthread_cond_signal(&echo->more);
    }
    pthread_mutex_unlock(&echo->lock);
}

static void
resume(void *context, struct http_request *request)
{
    (void)context;
    respond(request, 200, request->body);
}

struct echo *
echo_open(struct http_options options, int workers)
{
    struct echo *echo = calloc(1, sizeof *echo);
    struct err err = { 0 };

    assert_true(workers <= workers_max);
    options.address = options.address ? options.address : "127.0.0.1";
    options.handler = handle;
    options.resume = resume;
    options.context = echo;
    pthread_mutex_init(&echo->lock, NULL);
    pthread_cond_init(&echo->more, NULL);
    if (http_server_open(&options, &echo->server, &err) != OK)
        fail_msg("%s", err.text);
    for (; echo->workers < workers; echo->workers++)
        pthread_create(&echo->worker[echo->workers], NULL, worker_run, echo);
    return echo;
}

struct http_server *
echo_server(struct echo *echo)
{
    return echo->server;
}

uint16_t
echo_port(struct echo *echo)
{
    return http_server_port(echo->server);
}

struct http_counters
echo_counters(struct echo *echo)
{
    struct http_counters counters;

    http_server_counters(echo->server, &counters);
    return counters;
}

void
echo_await_held(struct echo *echo, int count)
{
    for (int64_t end = clock_ms() + 10000; clock_ms() < end; sleep_ms(1)) {
        pthread_mutex_lock(&echo->lock);
        int held = echo->held_count;
        pthread_mutex_unlock(&echo->lock);
        if (held == count)
            return;
    }
    fail_msg("no %d requests came", count);
}

void
echo_release(struct echo *echo, bool by_resume)
{
    struct http_request *request;

    pthread_mutex_lock(&echo->lock);
    struct queue held = echo->held; /* what comes during the release is held on */
    echo->held = (struct queue){ 0 };
    echo->held_count = 0;
    pthread_mutex_unlock(&echo->lock);
    while ((request = take(&held))) {
        if (by_resume)
            http_resume(request);
        else
            respond(request, 200, request->body);
    }
}

void
echo_close_server(struct echo *echo)
{
    http_server_close(echo->server);
    echo->server = NULL;
}

void
echo_close(struct echo *echo)
{
    if (echo->server)
        http_server_stop(echo->server, 10000);
    pthread_mutex_lock(&echo->lock);
    echo->ending = true;
    pthread_cond_broadcast(&echo->more);
    pthread_mutex_unlock(&echo->lock);
    for (int i = 0; i < echo->workers; i++)
        pthread_join(echo->worker[i], NULL);
    if (echo->server)
        http_server_close(echo->server);
    pthread_mutex_destroy(&echo->lock);
    pthread_cond_destroy(&echo->more);
    free(echo);
}
