/*
 * stage.c - two servers of ours on one PostgreSQL, and a hand that lets each take a step at a time.
 *
 * Owns:      see stage.h.
 * Invariant: after a step both sessions stand still: at a gate, at the end, or waiting for a lock
 *            that the other one holds, as PostgreSQL itself says (pg_blocking_pids). Nothing
 *            hangs on time: who is slow is waited for.
 */
#include "contract/stage.h"

#include "contract/kit.h"
#include "store/postgres.h"
#include "store/runner.h"

#include <time.h>

enum { play_ms_max = 60 * 1000, look_us = 500 };

static struct session *
session_of(struct backend *backend)
{
    return (struct session *)(void *)backend;
}

/* ---- the gate ---- */

/* End the connection's process at the database, and wait until it is gone. */
static void
cut_off(struct session *session)
{
    char sql[96];

    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 60000)",
             PQbackendPID(postgres_of(session->real)->conn));
    assert_true(server_do(session->server, "postgres", sql, NULL));
    session->cuts++;
}

static bool
is_cut(const struct session *session, enum session_cut cut)
{
    return session->cut == cut && session->steps == session->cut_at && session->cuts == 0;
}

static void
gate(struct session *session)
{
    if (!session->gated)
        return;
    pthread_mutex_lock(&session->lock);
    session->steps++;
    session->state = SESSION_AT_GATE;
    pthread_cond_broadcast(&session->moved);
    while (!session->permit)
        pthread_cond_wait(&session->moved, &session->lock);
    session->permit = false;
    session->state = SESSION_RUNS;
    pthread_mutex_unlock(&session->lock);
    if (is_cut(session, SESSION_CUT_BEFORE))
        cut_off(session);
}

static enum code
gated_begin(struct backend *backend, enum access access, struct err *err)
{
    struct session *session = session_of(backend);

    session->transactions++;
    enum code rc = session->real->type->begin(session->real, access, err);
    pthread_mutex_lock(&session->lock); /* the connection may be a new one */
    session->backend_pid = PQbackendPID(postgres_of(session->real)->conn);
    pthread_mutex_unlock(&session->lock);
    return rc;
}

static enum code
gated_run(struct backend *backend, struct query *query, uint32_t count, struct arena *arena,
          struct err *err)
{
    struct session *session = session_of(backend);
    bool rows = false;

    for (uint32_t i = 0; i < count; i++)
        rows = rows ||
               backend->schema->statement[query[i].table][query[i].verb].column_count > 0;
    if (rows)
        gate(session);
    return session->real->type->run(session->real, query, count, arena, err);
}

static enum code
gated_commit(struct backend *backend, struct err *err)
{
    struct session *session = session_of(backend);

    gate(session);
    enum code rc = session->real->type->commit(session->real, err);
    if (rc != OK || !is_cut(session, SESSION_CUT_AFTER))
        return rc;
    cut_off(session);
    postgres_of(session->real)->lost = true;
    return err_set(err, CODE_UNKNOWN, "the test has swallowed the answer to COMMIT");
}

static void
gated_rollback(struct backend *backend)
{
    struct session *session = session_of(backend);

    session->real->type->rollback(session->real);
}

static void
gated_close(struct backend *backend)
{
    struct session *session = session_of(backend);

    session->real->type->close(session->real);
}

/* ---- a session ---- */

static void *
session_main(void *context)
{
    struct session *session = context;

    pthread_mutex_lock(&session->lock);
    while (!session->leave) {
        if (session->state == SESSION_RUNS) {
            pthread_mutex_unlock(&session->lock);
            session->deed(session);
            pthread_mutex_lock(&session->lock);
            session->state = SESSION_DONE;
            pthread_cond_broadcast(&session->moved);
        } else {
            pthread_cond_wait(&session->moved, &session->lock);
        }
    }
    pthread_mutex_unlock(&session->lock);
    return NULL;
}

static unix_ms
session_now(void *context)
{
    return ((struct session *)context)->now;
}

static void
session_random(void *context, void *bytes, size_t size)
{
    struct session *session = context;

    for (size_t i = 0; i < size; i++) {
        session->chance = session->chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(session->chance >> 56);
    }
}

static void
session_open(struct session *session, const struct server *server, uint32_t number,
             const char *conninfo)
{
    struct store_options options = {
        .conninfo = conninfo, .create = true, .inline_runner = true
    };
    struct service_options service = {
        .host = { .now = session_now, .random = session_random, .context = session },
        .master_key = "the key of both servers' books.",
    };
    struct ground *ground;
    struct err err = { .code = OK };

    session->number = number;
    session->server = server;
    session->chance = number + 1;
    if (ground_new(DIALECT_POSTGRESQL, &ground, &err) ||
        postgres_open(&options, &ground->schema, &session->real, &err))
        fail_msg("%s", err.text);
    session->type = *session->real->type;
    session->type.begin = gated_begin;
    session->type.run = gated_run;
    session->type.commit = gated_commit;
    session->type.rollback = gated_rollback;
    session->type.close = gated_close;
    session->backend = (struct backend){ &session->type, session->real->schema };
    if (store_start(&options, ground, &session->backend, &session->store, &err))
        fail_msg("%s", err.text);
    service.store = session->store;
    if (service_open(&service, &session->service, &err) ||
        service_tenant(session->service, TEXT("shop"), true, &session->tenant, &err))
        fail_msg("%s", err.text);
    pthread_mutex_init(&session->lock, NULL);
    pthread_cond_init(&session->moved, NULL);
    assert_int_equal(pthread_create(&session->thread, NULL, session_main, session), 0);
}

static void
session_close(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    session->leave = true;
    pthread_cond_broadcast(&session->moved);
    pthread_mutex_unlock(&session->lock);
    pthread_join(session->thread, NULL);
    pthread_cond_destroy(&session->moved);
    pthread_mutex_destroy(&session->lock);
    service_close(session->service);
    store_close(session->store);
}

static void
answered(struct call *call)
{
    *(bool *)call->context = true;
}

int
session_ask(struct session *session, enum route_name route, const char *param, const char *key,
            unix_ms at, const char *body)
{
    struct arena arena;
    bool done = false;

    arena_init(&arena, host_source(), 64 << 10, request_arena_bytes_max);
    char *json = text_c_string(&arena, text_of(body));
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    struct call call = {
        .route = route,
        .param = { text_of(param) },
        .query = TEXT(""),
        .body = text_of(json),
        .authorization = TEXT(""),
        .idempotency_key = text_of(key),
        .trusted = true,
        .tenant = session->tenant,
        .now = at,
        .arena = &arena,
        .done = answered,
        .context = &done,
    };
    service_call(session->service, &call);
    assert_true(done);
    call_finish(&call);
    session->status = call.status;
    snprintf(session->answer, sizeof session->answer, "%.*s", (int)call.answer.len,
             call.answer.ptr);
    arena_release(&arena);
    return session->status;
}

/* ---- the stage ---- */

void
stage_open(struct stage *stage, struct server *server, const char *conninfo)
{
    *stage = (struct stage){ .server = server };
    for (uint32_t i = 0; i < sessions; i++)
        session_open(&stage->session[i], server, i, conninfo);
    stage->control = PQconnectdb(conninfo);
    assert_int_equal(PQstatus(stage->control), CONNECTION_OK);
}

void
stage_close(struct stage *stage)
{
    for (uint32_t i = 0; i < sessions; i++)
        session_close(&stage->session[i]);
    PQfinish(stage->control);
}

static uint64_t
now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static int
pid_of(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    int pid = session->backend_pid;
    pthread_mutex_unlock(&session->lock);
    return pid;
}

/* Does its connection wait for a lock that the other one holds? */
static bool
is_blocked(struct stage *stage, struct session *session)
{
    struct session *other = &stage->session[1 - session->number];
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT %d = ANY (pg_blocking_pids(%d))", pid_of(other),
             pid_of(session));
    PGresult *result = PQexec(stage->control, sql);
    bool blocked = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return blocked;
}

/* Wait until it stands still; how it stands. RUNS: it waits for the other's lock. */
static enum session_state
settled(struct stage *stage, struct session *session)
{
    uint64_t start = now_ms();

    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += look_us * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&session->lock);
        /* A permit that was given and not seen yet is a step still to come. */
        if (session->state == SESSION_RUNS || session->permit)
            pthread_cond_timedwait(&session->moved, &session->lock, &until);
        enum session_state state = session->permit ? SESSION_RUNS : session->state;
        bool standing = state != SESSION_RUNS;
        pthread_mutex_unlock(&session->lock);
        if (standing || is_blocked(stage, session))
            return state;
        if (now_ms() - start > play_ms_max)
            fail_msg("session %u neither goes on nor waits", (unsigned)session->number);
    }
}

/* false: it cannot just now. */
static bool
step(struct stage *stage, uint32_t number)
{
    struct session *session = &stage->session[number];
    bool can = settled(stage, session) == SESSION_AT_GATE;

    if (!can)
        return false;
    pthread_mutex_lock(&session->lock);
    session->permit = true;
    pthread_cond_broadcast(&session->moved);
    pthread_mutex_unlock(&session->lock);
    for (uint32_t i = 0; i < sessions; i++)
        (void)settled(stage, &stage->session[i]);
    return true;
}

static void
start(struct session *session, void (*deed)(struct session *))
{
    pthread_mutex_lock(&session->lock);
    session->deed = deed;
    session->steps = session->transactions = session->cuts = 0;
    session->gated = true;
    session->state = SESSION_RUNS;
    pthread_cond_broadcast(&session->moved);
    pthread_mutex_unlock(&session->lock);
}

static void
finish(struct session *session)
{
    pthread_mutex_lock(&session->lock);
    assert_int_equal(session->state, SESSION_DONE);
    session->state = SESSION_IDLE;
    session->gated = false;
    pthread_mutex_unlock(&session->lock);
}

static bool
is_done(struct stage *stage, uint32_t number)
{
    return settled(stage, &stage->session[number]) == SESSION_DONE;
}

void
stage_play(struct stage *stage, void (*const deed[sessions])(struct session *), uint64_t picks,
           uint32_t count)
{
    uint64_t begun = now_ms();

    for (uint32_t i = 0; i < sessions; i++) {
        start(&stage->session[i], deed[i]);
        (void)settled(stage, &stage->session[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        (void)step(stage, (uint32_t)(picks >> i) & 1);
    while (!is_done(stage, 0) || !is_done(stage, 1)) {
        for (uint32_t i = 0; i < sessions; i++)
            (void)step(stage, i);
        if (now_ms() - begun > play_ms_max)
            fail_msg("the two do not come to an end");
    }
    for (uint32_t i = 0; i < sessions; i++)
        finish(&stage->session[i]);
}

void
stage_play_alone(struct stage *stage, void (*deed)(struct session *), enum session_cut cut,
                 uint32_t cut_at)
{
    struct session *session = &stage->session[0];

    for (uint32_t i = 1; i < sessions; i++) { /* they have no part in it */
        pthread_mutex_lock(&stage->session[i].lock);
        stage->session[i].steps = stage->session[i].transactions = stage->session[i].cuts = 0;
        pthread_mutex_unlock(&stage->session[i].lock);
    }
    session->cut = cut;
    session->cut_at = cut_at;
    start(session, deed);
    while (!is_done(stage, 0))
        (void)step(stage, 0);
    finish(session);
    session->cut = SESSION_WHOLE;
}

void
stage_play_serial(struct stage *stage, void (*const deed[sessions])(struct session *),
                  uint32_t first)
{
    for (uint32_t i = 0; i < sessions; i++) {
        uint32_t number = i == 0 ? first : 1 - first;
        start(&stage->session[number], deed[number]);
        while (!is_done(stage, number))
            (void)step(stage, number);
        finish(&stage->session[number]);
    }
}
