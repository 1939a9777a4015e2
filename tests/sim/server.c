/*
 * server.c - the server core in this process.
 *
 * Owns:      opening and calling it: store with the inline runner, injected clock and chance.
 * Must not:  retry or mend: what it answers is what is compared.
 */
#include "server.h"

#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die(const char *what, const struct err *err)
{
    fprintf(stderr, "sim: %s: %s\n", what, err->text);
    exit(2);
}

static unix_ms host_now(void *context)
{
    return ((const struct server *)context)->now;
}

/* splitmix64: the same seed, the same bytes. */
static void host_random(void *context, void *bytes, size_t size)
{
    struct server *server = context;
    unsigned char *at = bytes;

    while (size > 0) {
        uint64_t z = server->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        z ^= z >> 31;
        size_t part = size < 8 ? size : 8;
        memcpy(at, &z, part);
        at += part;
        size -= part;
    }
}

static void open_service(struct server *server)
{
    struct store_options store = {
        .path = server->path[0] ? server->path : NULL,
        .create = true,
        .inline_runner = true,
    };
    struct service_options service = {
        .host = { .now = host_now, .random = host_random, .context = server },
        .master_key = "a key that the simulation keeps.",
    };
    struct err err = { 0 };

    if (server->path[0] ? store_open_sqlite(&store, &server->store, &err)
                        : store_open_memory(&store, &server->store, &err))
        die("opening the store", &err);
    service.store = server->store;
    if (service_open(&service, &server->service, &err))
        die("opening the service", &err);
    if (service_tenant(server->service, TEXT("sim"), true, &server->tenant, &err))
        die("making the tenant", &err);
}

void server_open(struct server *server, const char *path, uint64_t seed, int64_t now)
{
    *server = (struct server){ .now = now, .random = seed };
    if (path != NULL)
        snprintf(server->path, sizeof(server->path), "%s", path);
    arena_init(&server->arena, host_source(), 64 << 10, request_arena_bytes_max);
    open_service(server);
}

static void close_service(struct server *server)
{
    service_close(server->service);
    store_close(server->store);
}

void server_close(struct server *server)
{
    close_service(server);
    arena_release(&server->arena);
    free(server->answer);
    server->answer = NULL;
}

void server_restart(struct server *server)
{
    close_service(server);
    open_service(server);
}

static void answered(struct call *call)
{
    *(bool *)call->context = true;
}

static void keep_answer(struct server *server, const struct call *call)
{
    size_t len = call->answer.len;

    if (len + 1 > server->answer_cap) {
        server->answer_cap = 2 * len + 4096;
        server->answer = realloc(server->answer, server->answer_cap);
        if (server->answer == NULL)
            abort();
    }
    if (len > 0)
        memcpy(server->answer, call->answer.ptr, len);
    server->answer[len] = 0;
    server->answer_len = len;
}

void server_call(struct server *server, enum route_name route, const char *param,
                 const char *body, size_t body_len, const char *key)
{
    bool done = false;

    arena_reset(&server->arena);
    struct call call = {
        .route = route,
        .param = { text_of(param) },
        .body = { body, (uint32_t)body_len },
        .idempotency_key = text_of(key),
        .trusted = true,
        .tenant = server->tenant,
        .now = server->now,
        .arena = &server->arena,
        .done = answered,
        .context = &done,
    };
    service_call(server->service, &call);
    if (!done) {
        fprintf(stderr, "sim: no answer came from the inline runner\n");
        exit(2);
    }
    call_finish(&call);
    server->status = call.status;
    server->outcome = call.outcome;
    keep_answer(server, &call);
}

void server_daily(struct server *server)
{
    struct daily_result result;
    struct err err = { 0 };

    if (service_daily(server->service, server->now, &result, &err))
        die("the daily run", &err);
}

bool server_verify(struct server *server)
{
    struct verify_result result;
    struct err err = { 0 };

    if (service_verify(server->service, NULL, NULL, &result, &err))
        die("verify", &err);
    if (result.faults == 0)
        return true;
    printf("verify: %llu faults, first at owner %llu, movement %u: %s\n",
           (unsigned long long)result.faults, (unsigned long long)result.owner_id,
           result.movement_no, result.what);
    return false;
}
