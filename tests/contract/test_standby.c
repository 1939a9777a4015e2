/*
 * test_standby.c - a COMMIT that is not yet on the synchronous standby is not answered.
 *
 * Owns:      a server that waits for a standby which never comes, until a test lets it go on.
 *
 * Who waits for a standby has committed already, on this server alone. When the wait is cut short
 * (the session is cancelled or ended, the server killed and started again), everybody can see what
 * it wrote; but a failover would take it away. So nobody may say that it was done.
 */
#include "contract/postgres.h"
#include "contract/suite.h"
#include "store/postgres.h"
#include "store/runner.h"

#include <pthread.h>
#include <signal.h>

static struct server server;
static char conninfo[conninfo_bytes];

static void
must(const char *sql)
{
    assert_true(server_do(&server, "postgres", sql, NULL));
}

static void
let_go(void)
{
    must("ALTER SYSTEM RESET synchronous_standby_names");
    must("SELECT pg_reload_conf()");
}

static void
empty(void)
{
    let_go(); /* where the test before has failed */
    must("SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; "
         "CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC");
}

static struct store *
open_there(uint32_t answer_ms)
{
    struct store_options options = {
        .answer_ms = answer_ms,
        .conninfo = conninfo,
        .create = true,
        .lanes = 2,
        .readers = 1,
        .reconnect_ms = 60000,
    };
    struct store *store;
    struct err err = { .code = OK };

    if (store_open_postgres(&options, &store, &err) != OK)
        fail_msg("%s", err.text);
    return store;
}

/* How many sessions wait for the standby; -1: the server does not answer. */
static long
waiting(void)
{
    return server_ask(&server, "postgres",
                      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
}

/* Of them those of connections that have just been made. */
static long
waiting_anew(void)
{
    return server_ask(&server, "postgres",
                      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                      "AND query LIKE '%pg_logical_emit_message%'");
}

static bool
is_done(const struct job *job)
{
    return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

/*
 * Want a standby that is not there, and earn until somebody waits for it: the server takes the
 * setting up in its own time. What waits comes back; `*count` have been earned before it.
 */
static struct job *
wait_for_standby(struct store *store, uint32_t *count)
{
    must("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    must("SELECT pg_reload_conf()");
    for (;;) {
        struct job *job = earn_new(7, 100 + *count, 1);
        char claim[32];
        snprintf(claim, sizeof claim, "receipt %u", *count);
        job_claim(job, claim);
        job_submit(store, job);
        while (waiting() <= 0 && !is_done(job))
            usleep(1000);
        if (!is_done(job))
            return job;
        job_await(job);
        assert_int_equal(job->op.code, OK);
        job_free(job);
        ++*count;
    }
}

enum end { END_CANCELLED, END_TERMINATED, END_KILLED, END_TOO_LATE };

static void
cut_short(enum end end)
{
    if (end == END_TOO_LATE) {
        return; /* the store itself does it */
    } else if (end == END_KILLED) {
        server_kill(&server);
        server_revive(&server);
    } else {
        must(end == END_CANCELLED ? "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                                    "WHERE wait_event = 'SyncRep'"
                                  : "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE wait_event = 'SyncRep'");
    }
}

/* The wait is cut short; then everybody sees the points, and still nobody says so. */
static void
cut_once(enum end end)
{
    uint32_t count = 0;

    empty();
    struct store *store = open_there(end == END_TOO_LATE ? 300 : 0);
    struct job *job = wait_for_standby(store, &count);
    cut_short(end);
    while (waiting_anew() <= 0 && !is_done(job))
        usleep(1000);
    assert_false(is_done(job));
    if (end != END_TOO_LATE)
        assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM movement"),
                         count + 1);
    let_go();
    job_await(job);
    assert_int_equal(job->op.code, OK);
    if (end != END_TOO_LATE) {
        assert_int_equal(job->runs, 1);
        assert_false(job->op.repeat);
    } else if (job->op.repeat) {
        /* A slow machine: too late before the COMMIT as well, so it ran again, and met itself. */
        assert_int_equal(job->op.existing_owner, 7);
        assert_int_equal(job->op.existing_op, job->op_id);
    }
    job_free(job);
    assert_int_equal(points_of(store, 7), count + 1);
    store_close(store);
}

static void
test_cancelled(void **state)
{
    (void)state;
    cut_once(END_CANCELLED);
}

static void
test_terminated(void **state)
{
    (void)state;
    cut_once(END_TERMINATED);
}

static void
test_killed(void **state)
{
    (void)state;
    cut_once(END_KILLED);
}

/* The first session waits on, the store has given it up: its next one waits for the same. */
static void
test_too_late(void **state)
{
    (void)state;
    cut_once(END_TOO_LATE);
}

/*
 * Every process that serves the store stands still, as on a machine that hangs: other connections
 * are made, and nobody has to wait for longer than was asked for.
 */
static void
test_standing_still(void **state)
{
    long pid;
    (void)state;

    empty();
    struct store *store = open_there(500);
    assert_int_equal(earn(store, 7, 1, 1), OK);
    for (uint32_t round = 0; round < 2; round++) {
        long stopped[16];
        uint32_t count = 0;
        while (count < KOP_COUNT(stopped)) {
            char sql[160];
            snprintf(sql, sizeof sql,
                     "SELECT pid FROM pg_stat_activity WHERE application_name = 'kopilka' AND "
                     "state = 'idle' AND pid > %ld ORDER BY pid LIMIT 1",
                     count > 0 ? stopped[count - 1] : 0);
            if ((pid = server_ask(&server, "postgres", sql)) <= 0)
                break;
            assert_int_equal(kill((pid_t)pid, SIGSTOP), 0);
            stopped[count++] = pid;
        }
        enum code earned = earn(store, 7, 2 + round, 1);
        struct job *read = job_new(ACCESS_READ, look_body);
        read->owner_id = 7;
        enum code looked = job_do(store, read);
        for (uint32_t i = 0; i < count; i++)
            kill((pid_t)stopped[i], SIGCONT);
        assert_true(count >= 2);
        assert_int_equal(earned, OK);
        assert_int_equal(looked, OK);
        assert_int_equal(*active_of(&read->view.owner), 2 + round);
        job_free(read);
    }
    store_close(store);
}

/* Another server of ours that starts after the kill is asked for the same receipt: it waits too. */
static void *
open_main(void *context)
{
    *(struct store **)context = open_there(0);
    return NULL;
}

static void
test_asked_elsewhere(void **state)
{
    uint32_t count = 0;
    struct store *other = NULL;
    pthread_t thread;
    (void)state;

    empty();
    struct store *store = open_there(0);
    struct job *job = wait_for_standby(store, &count);
    cut_short(END_KILLED);
    assert_int_equal(pthread_create(&thread, NULL, open_main, &other), 0);
    while (waiting_anew() < 2)
        usleep(1000); /* the lane that was cut off, and the first connection of the other store */
    assert_false(is_done(job));
    let_go();
    job_await(job);
    pthread_join(thread, NULL);
    assert_int_equal(job->op.code, OK);
    struct job *again = earn_new(7, 99, 1);
    job_claim(again, job->claim);
    assert_int_equal(job_do(other, again), OK);
    assert_true(again->op.repeat);
    assert_int_equal(again->op.existing_op, job->op_id);
    job_free(again);
    job_free(job);
    store_close(other);
    store_close(store);
}

/* What a connection asks for, and what it does not let itself be told. */
static void
test_settings(void **state)
{
    static const char *const said[][2] = {
        { "target_session_attrs", "read-write" }, { "keepalives_interval", "3" },
        { "keepalives_count", "3" },              { "connect_timeout", "2" },
    };
    char where[conninfo_bytes + 32];
    struct store_options options = { .conninfo = where, .create = true };
    struct ground *ground;
    struct backend *backend;
    PGresult *result;
    uint32_t found = 0;
    (void)state;

    empty();
    must("ALTER DATABASE postgres SET synchronous_commit = local");
    snprintf(where, sizeof where, "%s connect_timeout=2", conninfo);
    assert_int_equal(ground_new(DIALECT_POSTGRESQL, &ground, NULL), OK);
    assert_int_equal(postgres_open(&options, &ground->schema, &backend, NULL), OK);
    assert_int_equal(postgres_ask(postgres_of(backend), "SHOW synchronous_commit", NULL, &result,
                                  NULL),
                     OK);
    assert_string_equal(PQgetvalue(result, 0, 0), "on");
    PQclear(result);
    PQconninfoOption *option = PQconninfo(postgres_of(backend)->conn);
    for (const PQconninfoOption *at = option; at->keyword != NULL; at++) {
        for (size_t i = 0; i < KOP_COUNT(said); i++) {
            if (strcmp(at->keyword, said[i][0]) == 0 && ++found)
                assert_string_equal(at->val, said[i][1]);
        }
    }
    assert_int_equal(found, KOP_COUNT(said));
    PQconninfoFree(option);
    backend->type->close(backend);
    ground_free(ground);
    must("ALTER DATABASE postgres RESET synchronous_commit");
}

/* A database that may not be written is not the one that is wanted; of several the other is. */
static void
test_read_only_host(void **state)
{
    struct server standby;
    char url[2 * conninfo_bytes];
    struct store_options options = { .conninfo = url, .create = true };
    struct store *store;
    struct err err = { .code = OK };
    (void)state;

    empty();
    server_start(&standby);
    server_conninfo(&standby, "postgres", 0, url);
    assert_true(server_do(&standby, "postgres",
                          "ALTER SYSTEM SET default_transaction_read_only = on", NULL));
    assert_true(server_do(&standby, "postgres", "SELECT pg_reload_conf()", NULL));
    while (server_ask(&standby, "postgres",
                      "SELECT (current_setting('transaction_read_only') = 'on')::int::text") != 1)
        usleep(1000);
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_BUSY);
    snprintf(url, sizeof url, "postgres://kopilka@/postgres?host=%s,%s&port=5432,5432",
             standby.folder, server.folder);
    assert_int_equal(store_open_postgres(&options, &store, &err), OK);
    assert_int_equal(earn(store, 7, 1, 1), OK);
    store_close(store);
    assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM movement"), 1);
    server_stop(&standby);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancelled),       cmocka_unit_test(test_terminated),
        cmocka_unit_test(test_killed),          cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_standing_still),  cmocka_unit_test(test_asked_elsewhere),
        cmocka_unit_test(test_settings),        cmocka_unit_test(test_read_only_host),
    };

    server_start(&server);
    server_conninfo(&server, "postgres", 0, conninfo);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
