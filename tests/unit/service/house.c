/*
 * house.c - a service on a book in memory, with a clock and chance of the test's own.
 *
 * Owns:      see house.h.
 */
#include "house.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

/* 2026-01-06T09:00:00Z */
#define BEGINNING INT64_C(1767690000000)

static unix_ms
house_now(void *context)
{
    struct house *house = context;

    return atomic_load(&house->now);
}

static void
house_random(void *context, void *bytes, size_t size)
{
    struct house *house = context;

    for (size_t i = 0; i < size; i++) {
        house->chance = house->chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(house->chance >> 56);
    }
}

static void
open_service(struct house *house)
{
    struct service_options options = {
        .store = house->store,
        .host = { .now = house_now, .random = house_random, .context = house },
        .master_key = { 1, 2, 3 },
    };
    struct err err;

    if (service_open(&options, &house->service, &err) || service_beat(house->service, &err))
        fail_msg("%s", err.text);
}

void
house_open(struct house *house, bool threads)
{
    struct store_options options = { .create = true, .inline_runner = !threads };
    uint32_t tenant;
    struct err err;

    *house = (struct house){ .now = BEGINNING, .chance = 7 };
    arena_init(&house->arena, host_source(), 1 << 16, 64 << 20);
    if (store_open_memory(&options, &house->store, &err))
        fail_msg("%s", err.text);
    open_service(house);
    assert_int_equal(service_tenant(house->service, TEXT("shop"), true, &tenant, &err), OK);
    assert_int_equal(tenant, 1);
}

void
house_restart(struct house *house)
{
    service_close(house->service);
    open_service(house);
}

void
house_close(struct house *house)
{
    store_close(house->store);
    service_close(house->service);
    arena_release(&house->arena);
}

static void
wake(struct call *call)
{
    sem_post(call->context);
}

static struct text
json_of(struct arena *arena, const char *text)
{
    char *copy = text_c_string(arena, text_of(text ? text : ""));

    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return text_of(copy);
}

struct answer
house_ask(struct house *house, const struct question *question, struct arena *arena)
{
    struct arena own;
    sem_t answered;

    sem_init(&answered, 0, 0);
    arena_init(&own, host_source(), 1 << 16, request_arena_bytes_max);
    struct call call = {
        .route = question->route,
        .param = { text_of(question->param[0] ? question->param[0] : ""),
                   text_of(question->param[1] ? question->param[1] : "") },
        .query = text_of(question->query ? question->query : ""),
        .body = json_of(&own, question->body),
        .authorization = text_of(question->authorization ? question->authorization : ""),
        .idempotency_key = text_of(question->key ? question->key : ""),
        .trusted = !question->authorization && !question->without_key,
        .tenant = 1,
        .arena = &own,
        .done = wake,
        .context = &answered,
    };
    service_call(house->service, &call);
    sem_wait(&answered);
    call_finish(&call);
    struct answer answer = {
        .status = call.status,
        .outcome = call.outcome,
        .text = text_copy(arena ? arena : &house->arena, call.answer),
    };
    arena_release(&own);
    sem_destroy(&answered);
    return answer;
}

struct answer
house_say(struct house *house, enum route_name route, const char *body)
{
    return house_ask(house, &(struct question){ .route = route, .body = body }, NULL);
}

void
house_publish(struct house *house, const char *id, const char *document, unix_ms from)
{
    struct buf at, body;

    buf_init(&at, &house->arena, 64);
    instant_format(&at, from);
    buf_init(&body, &house->arena, 4096);
    buf_addf(&body, "{'document':%s,'in_force_from':'%.*s'}%c", document, (int)at.len, at.ptr, 0);
    struct answer answer = house_ask(
        house, &(struct question){ .route = CALL_PUBLISH, .body = body.ptr, .param = { id } },
        NULL);
    if (answer.outcome != OUTCOME_DONE)
        fail_msg("%.*s", (int)answer.text.len, answer.text.ptr);
}

uint64_t
house_enrol(struct house *house, const char *programme, const char *card)
{
    char body[256], key[64];
    uint64_t member = 0;

    snprintf(body, sizeof(body), "{'programme':'%s','cards':['%s'],'consent':true}", programme,
             card);
    snprintf(key, sizeof(key), "enrol-%s", card);
    struct answer answer = house_ask(
        house, &(struct question){ .route = CALL_ENROL, .body = body, .key = key }, NULL);
    if (answer.outcome != OUTCOME_DONE ||
        !text_to_u64(answer_member(answer.text, "member"), &member))
        fail_msg("%.*s", (int)answer.text.len, answer.text.ptr);
    return member;
}

struct text
answer_member(struct text json, const char *name)
{
    char key[64];
    int size = snprintf(key, sizeof(key), "\"%s\":", name);

    for (uint32_t i = 0; i + (uint32_t)size <= json.len; i++) {
        if (memcmp(json.ptr + i, key, (size_t)size) != 0)
            continue;
        uint32_t from = i + (uint32_t)size, to;
        from += json.ptr[from] == '"';
        for (to = from; to < json.len && !strchr("\",}]", json.ptr[to]); to++)
            ;
        return (struct text){ json.ptr + from, to - from };
    }
    return (struct text){ 0 };
}

bool
answer_has(const struct answer *answer, const char *piece)
{
    size_t size = strlen(piece);

    for (uint32_t i = 0; i + size <= answer->text.len; i++)
        if (memcmp(answer->text.ptr + i, piece, size) == 0)
            return true;
    return false;
}
