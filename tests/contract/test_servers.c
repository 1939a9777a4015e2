/*
 * test_servers.c - what only several connections to one PostgreSQL can break: races, keys that
 * move, connections that are cut, servers and databases that are killed.
 *
 * Owns:      two stores on one database (two servers of ours), the proxy that cuts at COMMIT.
 */
#include "contract/postgres.h"
#include "contract/proxy.h"
#include "contract/suite.h"
#include "store/postgres.h"
#include "store/runner.h"
#include "store/solo.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct server server;
static char conninfo[conninfo_bytes];

static void
empty(void)
{
    assert_true(server_do(&server, "postgres",
                          "SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; "
                          "CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC",
                          NULL));
}

static struct store *
open_at(const char *where, uint32_t reconnect_ms)
{
    struct store_options options = {
        .conninfo = where,
        .create = true,
        .lanes = 8,
        .readers = 2,
        .reconnect_ms = reconnect_ms,
    };
    struct store *store;
    struct err err = { .code = OK };

    if (store_open_postgres(&options, &store, &err) != OK)
        fail_msg("%s", err.text);
    return store;
}

/* Two servers on one database that is empty. */
struct pair {
    struct store *store[2];
};

static struct pair
pair_open(void)
{
    empty();
    struct pair pair = { { open_at(conninfo, 0), open_at(conninfo, 0) } };
    return pair;
}

static void
pair_close(struct pair *pair)
{
    store_close(pair->store[0]);
    store_close(pair->store[1]);
}

/* ---- races ---- */

enum { clients = 64 };

/* Submit to both servers in turn, wait for all. */
static void
run_crowd(struct pair *pair, struct job **job, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        job_submit(pair->store[i % 2], job[i]);
    for (uint32_t i = 0; i < count; i++)
        job_await(job[i]);
}

/* Spend a point while there is one. */
static enum code
spend_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = job->owner_id };
    enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
    job->refuse = rc == OK && *active_of(&job->view.owner) < 1;
    return rc || job->refuse ? rc : kit_write(tx, job, err);
}

static void
test_one_balance(void **state)
{
    enum { rounds = 30, points = 10 };
    struct pair pair = pair_open();
    struct job *job[clients];
    uint64_t op = 1;
    (void)state;

    for (uint32_t round = 1; round <= rounds; round++) {
        uint32_t done = 0;
        assert_int_equal(earn(pair.store[0], round, op++, points), OK);
        for (uint32_t i = 0; i < clients; i++) {
            char claim[32];
            job[i] = earn_new(round, op++, -1);
            job[i]->body = spend_body;
            snprintf(claim, sizeof claim, "%u of %u", i, round);
            job_claim(job[i], claim);
        }
        run_crowd(&pair, job, clients);
        for (uint32_t i = 0; i < clients; i++) {
            assert_int_equal(job[i]->op.code, OK);
            done += !job[i]->refuse;
            job_free(job[i]);
        }
        assert_int_equal(done, points);
        assert_int_equal(points_of(pair.store[1], round), 0);
    }
    pair_close(&pair);
}

/* The same receipt from all sides: one counts, all others get its record. */
static void
test_one_claim(void **state)
{
    enum { rounds = 20 };
    struct pair pair = pair_open();
    struct job *job[clients];
    uint64_t op = 1;
    (void)state;

    for (uint32_t round = 1; round <= rounds; round++) {
        uint64_t winner = 0;
        for (uint32_t i = 0; i < clients; i++) {
            char claim[32];
            snprintf(claim, sizeof claim, "receipt %u", round);
            job[i] = earn_new(round % 2 ? 1 : 100 + i, op++, 1); /* of one owner, of many */
            job_claim(job[i], claim);
        }
        run_crowd(&pair, job, clients);
        for (uint32_t i = 0; i < clients; i++) {
            assert_int_equal(job[i]->op.code, OK);
            if (!job[i]->op.repeat) {
                assert_int_equal(winner, 0);
                winner = job[i]->op_id;
            }
        }
        assert_true(winner > 0);
        for (uint32_t i = 0; i < clients; i++) {
            if (job[i]->op.repeat) {
                assert_int_equal(job[i]->op.existing_op, winner);
                assert_true(text_equal(job[i]->op.existing, TEXT("a record")));
            }
            job_free(job[i]);
        }
    }
    assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM receipt"), rounds);
    assert_int_equal(points_of(pair.store[0], 1), rounds / 2);
    pair_close(&pair);
}

/* A duplicate that finds nothing left to spend must not be refused: its first copy spent it. */
static void
test_duplicate_is_no_refusal(void **state)
{
    enum { rounds = 100 };
    struct pair pair = pair_open();
    struct job *job[2];
    (void)state;

    for (uint32_t round = 1; round <= rounds; round++) {
        assert_int_equal(earn(pair.store[0], round, 2 * round, 1), OK);
        for (uint32_t i = 0; i < 2; i++) {
            char claim[32];
            job[i] = earn_new(round, 1000 + 2 * round + i, -1);
            job[i]->body = spend_body;
            snprintf(claim, sizeof claim, "the last point %u", round);
            job_claim(job[i], claim);
        }
        run_crowd(&pair, job, 2);
        assert_int_equal(job[0]->op.repeat + job[1]->op.repeat, 1);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(job[i]->op.code, OK);
            job_free(job[i]);
        }
    }
    pair_close(&pair);
}

/* ---- bars ---- */

static void
more_member(struct job *job, struct changes *changes)
{
    struct member_row *member = arena_new(job->op.arena, struct member_row);
    *member = (struct member_row){ job->owner_id, job->owner_id, job->owner_id, 0, 9 };
    changes->member_put = member;
    changes->member_put_count = 1;
}

static enum code
bar_unless_named_body(struct tx *tx, struct job *job, struct err *err)
{
    struct member_row *member;
    uint32_t count;
    enum code rc = store_list_members(tx, job->owner_id, job->op.arena, &member, &count, err);
    job->refuse = rc == OK && count > 0;
    return rc || job->refuse ? rc : store_bar_member(tx, job->owner_id, err);
}

/* One server enrols while the other bars: one of them is done, and the other knows. */
static void
test_bar_or_member(void **state)
{
    enum { rounds = 200 };
    struct pair pair = pair_open();
    struct job *job[2];
    uint32_t barred = 0;
    (void)state;

    for (uint32_t round = 1; round <= rounds; round++) {
        uint32_t bar = round % 2;
        job[!bar] = earn_new(round, round, 1);
        job[!bar]->more = more_member;
        job[bar] = job_new(ACCESS_WRITE, bar_unless_named_body);
        job[bar]->owner_id = round;
        run_crowd(&pair, job, 2);
        assert_int_equal(job[bar]->op.code, OK);
        bool enrolled = job[!bar]->op.code == OK;
        if (!enrolled)
            assert_int_equal(job[!bar]->op.code, CODE_CONFLICT);
        assert_int_equal(job[bar]->refuse, enrolled);
        assert_int_equal(points_of(pair.store[0], round), enrolled ? 1 : -1);
        barred += !enrolled;
        job_free(job[0]);
        job_free(job[1]);
    }
    assert_int_equal(server_ask(&server, "postgres",
                                "SELECT count(*) FROM member WHERE person_id = 0"),
                     barred);
    assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM member"), rounds);
    pair_close(&pair);
}

enum { workers = 8, turns = 1000 };

struct worker {
    struct store *store;
    uint32_t number, failed;
};

static void *
increment_main(void *context)
{
    struct worker *worker = context;
    for (uint32_t i = 0; i < turns; i++) {
        char claim[32];
        struct job *job = earn_new(7, 1 + worker->number * turns + i, 1);
        snprintf(claim, sizeof claim, "%u %u", worker->number, i); /* a lane by chance */
        job_claim(job, claim);
        worker->failed += job_do(worker->store, job) != OK;
        job_free(job);
    }
    return NULL;
}

static void
test_no_lost_update(void **state)
{
    struct pair pair = pair_open();
    struct worker worker[workers];
    pthread_t thread[workers];
    (void)state;

    for (uint32_t i = 0; i < workers; i++) {
        worker[i] = (struct worker){ .store = pair.store[i % 2], .number = i };
        assert_int_equal(pthread_create(&thread[i], NULL, increment_main, &worker[i]), 0);
    }
    for (uint32_t i = 0; i < workers; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(worker[i].failed, 0);
    }
    struct job *job = look(pair.store[1], 7);
    assert_int_equal(*active_of(&job->view.owner), workers * turns);
    assert_int_equal(job->view.owner.version, workers * turns);
    assert_int_equal(job->view.owner.last_movement, workers * turns);
    job_free(job);
    pair_close(&pair);
}

/* ---- keys ---- */

static struct text
key_text(const struct directory_row *row)
{
    return (struct text){ (const char *)row->key, directory_key_bytes };
}

/* Enrol under a telephone that must be free. */
static enum code
register_body(struct tx *tx, struct job *job, struct err *err)
{
    struct directory_row row = key_row("telephone", job->owner_id, job->owner_id, KEY_ACTIVE);

    job->refuse = job->op.route[0].found;
    if (job->refuse)
        return OK;
    return store_put_directory(tx, &row, err);
}

static void
test_one_telephone(void **state)
{
    enum { rounds = 20, candidates = 16 };
    struct directory_row row = key_row("telephone", 0, 0, 0);
    struct job *job[candidates];
    (void)state;

    for (uint32_t round = 0; round < rounds; round++) {
        struct pair pair = pair_open();
        uint32_t done = 0;
        uint64_t winner = 0;
        for (uint32_t i = 0; i < candidates; i++) {
            job[i] = job_new(ACCESS_WRITE, register_body);
            job[i]->owner_id = 1 + i;
            route_to(job[i], ROUTE_DIRECTORY, key_text(&row));
        }
        run_crowd(&pair, job, candidates);
        for (uint32_t i = 0; i < candidates; i++) {
            assert_int_equal(job[i]->op.code, OK);
            done += !job[i]->refuse;
            winner = job[i]->refuse ? winner : job[i]->owner_id;
            job_free(job[i]);
        }
        assert_int_equal(done, 1);
        assert_int_equal(server_ask(&server, "postgres", "SELECT owner_id FROM directory"),
                         (long)winner);
        pair_close(&pair);
    }
}

/* Give the card to another owner, whatever it was. */
static enum code
point_body(struct tx *tx, struct job *job, struct err *err)
{
    struct directory_row row = key_row("card", job->owner_id, job->owner_id, KEY_ACTIVE);
    return store_put_directory(tx, &row, err);
}

static void
point_to(struct store *store, uint64_t owner_id)
{
    struct job *job = job_new(ACCESS_WRITE, point_body);
    job->owner_id = owner_id;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
}

static enum code
routed_body(struct tx *tx, struct job *job, struct err *err)
{
    if (!job->op.route[0].found)
        return err_set(err, CODE_NOT_FOUND, "the card leads nowhere");
    job->owner_id = job->op.route[0].owner_id;
    return earn_body(tx, job, err);
}

/* The other server moves the card: what this one remembers of it must not count. */
static void
test_key_that_moves(void **state)
{
    struct pair pair = pair_open();
    struct directory_row row = key_row("card", 0, 0, 0);
    (void)state;

    for (uint64_t round = 1; round <= 6; round++) {
        point_to(pair.store[1], round);
        for (uint32_t i = 0; i < 2; i++) { /* the second time it is remembered */
            struct job *job = earn_new(0, 10 * round + i, 1);
            job->body = routed_body;
            route_to(job, ROUTE_DIRECTORY, key_text(&row));
            assert_int_equal(job_do(pair.store[0], job), OK);
            assert_int_equal(job->owner_id, round);
            assert_int_equal(job->runs, i == 0 && round > 1 ? 2 : 1);
            job_free(job);
        }
        assert_int_equal(points_of(pair.store[0], round), 2);
    }
    pair_close(&pair);
}

/* Enrol a new owner; while it is looking, its other copy is served by the other server. */
static enum code
overtaken_body(struct tx *tx, struct job *job, struct err *err)
{
    struct pair *pair = (struct pair *)(void *)(uintptr_t)job->points;
    struct directory_row row = key_row("telephone", job->owner_id, job->owner_id, KEY_ACTIVE), now;
    struct needs needs = { .owner_id = job->owner_id };

    enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
    if (rc)
        return rc;
    if (pair != NULL) { /* the other copy */
        struct job *copy = job_new(ACCESS_WRITE, overtaken_body);
        copy->owner_id = job->owner_id + 1;
        copy->op_id = job->op_id + 1;
        job_claim(copy, job->claim);
        assert_int_equal(job_do(pair->store[1], copy), OK);
        assert_false(copy->op.repeat);
        job_free(copy);
    }
    rc = store_find(tx, key_text(&row), &now, &job->refuse, err);
    if (rc || job->refuse)
        return rc;
    rc = store_put_directory(tx, &row, err);
    return rc ? rc : kit_write(tx, job, err);
}

/* The telephone is taken, by itself: that is no refusal. */
static void
test_overtaken_by_itself(void **state)
{
    struct pair pair = pair_open();
    struct job *job = job_new(ACCESS_WRITE, overtaken_body);
    (void)state;

    job->owner_id = 20;
    job->op_id = 100;
    job->points = (amount)(uintptr_t)&pair;
    job_claim(job, "the same enrolment");
    assert_int_equal(job_do(pair.store[0], job), OK);
    assert_true(job->op.repeat);
    assert_int_equal(job->op.existing_op, 101);
    job_free(job);
    assert_int_equal(points_of(pair.store[0], 20), -1);
    assert_int_equal(points_of(pair.store[0], 21), 0);
    pair_close(&pair);
}

/* ---- rows of all servers ---- */

static enum code
count_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { .cell = { { .number = 5 } } }, now;
    bool found;

    enum code rc = store_get(tx, TABLE_tenant, &row, job->op.arena, &now, &found, err);
    if (rc)
        return rc;
    uint64_t count = 0;
    if (found && !text_to_u64(now.cell[2].text, &count))
        return err_set(err, CODE_CORRUPT, "no number");
    struct buf buf;
    buf_init(&buf, job->op.arena, 32);
    buf_add_u64(&buf, count + 1);
    row.cell[1].text = TEXT("counter");
    row.cell[2].text = buf_text(&buf);
    return store_put(tx, TABLE_tenant, &row, err);
}

/* Read, add one, write: on a table that everybody may write there is no owner to lock. */
static void
test_config_is_not_lost(void **state)
{
    struct pair pair = pair_open();
    struct job *job[clients];
    (void)state;

    for (uint32_t i = 0; i < clients; i++) {
        char claim[32];
        job[i] = job_new(ACCESS_WRITE, count_body);
        snprintf(claim, sizeof claim, "count %u", i);
        job_claim(job[i], claim);
    }
    run_crowd(&pair, job, clients);
    for (uint32_t i = 0; i < clients; i++) {
        assert_int_equal(job[i]->op.code, OK);
        job_free(job[i]);
    }
    assert_int_equal(server_ask(&server, "postgres", "SELECT name::int FROM tenant"), clients);
    pair_close(&pair);
}

/* ---- rights, round trips, opening ---- */

/* Who a connection is; both the first one and those that it makes. */
static void
expect_role(const char *where, const char *role)
{
    struct store_options options = { .conninfo = where, .create = true };
    struct ground *ground;
    struct backend *backend[2];

    assert_int_equal(ground_new(DIALECT_POSTGRESQL, &ground, NULL), OK);
    assert_int_equal(postgres_open(&options, &ground->schema, &backend[0], NULL), OK);
    assert_int_equal(backend[0]->type->connect(backend[0], ROLE_WRITER, &backend[1], NULL), OK);
    for (size_t i = 2; i-- > 0;) {
        PGresult *result;
        assert_int_equal(postgres_ask(postgres_of(backend[i]), "SELECT current_user", NULL, &result,
                                      NULL),
                         OK);
        assert_string_equal(PQgetvalue(result, 0, 0), role);
        PQclear(result);
        backend[i]->type->close(backend[i]);
    }
    ground_free(ground);
}

static void
test_rights(void **state)
{
    static const char *const refused[] = {
        "SET ROLE kopilka_server; UPDATE movement SET amount = 5",
        "SET ROLE kopilka_server; DELETE FROM movement",
        "SET ROLE kopilka_server; UPDATE receipt SET kind = 5",
        "SET ROLE kopilka_server; DELETE FROM receipt",
        "SET ROLE kopilka_server; DELETE FROM claim",
        "SET ROLE kopilka_server; DELETE FROM owner",
        "SET ROLE kopilka_server; TRUNCATE movement",
        "SET ROLE kopilka_server; DROP TABLE movement",
        "SET ROLE kopilka_server; CREATE TABLE mine (a int)",
    };
    struct pair pair = pair_open();
    char refusal[6];
    (void)state;

    assert_int_equal(earn(pair.store[0], 7, 1, 1), OK);
    for (size_t i = 0; i < KOP_COUNT(refused); i++) {
        assert_false(server_do(&server, "postgres", refused[i], refusal));
        assert_string_equal(refusal, "42501");
    }
    pair_close(&pair);
    expect_role(conninfo, "kopilka_server");

    /* A user who may only serve can: with no right to make anything. */
    assert_true(server_do(&server, "postgres", "CREATE ROLE till LOGIN", NULL));
    assert_true(server_do(&server, "postgres", "GRANT kopilka_server TO till", NULL));
    char as_till[conninfo_bytes + 16];
    snprintf(as_till, sizeof as_till, "%s user=till", conninfo);
    struct store_options options = { .conninfo = as_till, .lanes = 1 };
    struct store *store;
    assert_int_equal(store_open_postgres(&options, &store, NULL), OK);
    assert_int_equal(earn(store, 7, 2, 1), OK);
    assert_int_equal(points_of(store, 7), 2);
    store_close(store);
}

static void
test_two_round_trips(void **state)
{
    struct directory_row row = key_row("card", 0, 0, 0);
    struct store_options options = { .conninfo = conninfo, .create = true };
    struct ground *ground;
    struct backend *backend;
    (void)state;

    empty();
    assert_int_equal(ground_new(DIALECT_POSTGRESQL, &ground, NULL), OK);
    assert_int_equal(postgres_open(&options, &ground->schema, &backend, NULL), OK);
    struct solo solo = { .backend = backend, .cache = route_cache_new(64) };
    struct postgres *postgres = postgres_of(backend);
    static const uint64_t wanted[] = { 2, 3, 2, 2, 1 }; /* point, look up, known, known, repeat */
    for (uint32_t i = 0; i < KOP_COUNT(wanted); i++) {
        struct job *job = earn_new(0, 10 + i, 1);
        job->owner_id = 7;
        job->body = i == 0 ? point_body : routed_body;
        if (i > 0) {
            char claim[] = { (char)('a' + (i < 4 ? i : 3)), 0 };
            route_to(job, ROUTE_DIRECTORY, key_text(&row));
            job_claim(job, claim);
        }
        job->op.mark = arena_mark(&job->arena);
        uint64_t before = postgres->round_trips;
        solo_run(&solo, &job->op);
        assert_int_equal(job->op.code, OK);
        assert_int_equal(job->op.repeat, i == 4);
        if (i == 0)
            assert_true(postgres->round_trips - before <= wanted[i]);
        else if (i == 4) /* lock and load, the record */
            assert_int_equal(postgres->round_trips - before, 2);
        else
            assert_int_equal(postgres->round_trips - before, wanted[i]);
        job_free(job);
    }
    route_cache_free(solo.cache);
    backend->type->close(backend);
    ground_free(ground);
}

static void *
open_main(void *context)
{
    *(struct store **)context = open_at(conninfo, 0);
    return NULL;
}

/* Servers that start at once on an empty database: the schema is made once. */
static void
test_opening_at_once(void **state)
{
    enum { count = 6 };
    struct store *store[count];
    pthread_t thread[count];
    (void)state;

    for (uint32_t round = 0; round < 3; round++) {
        empty();
        for (uint32_t i = 0; i < count; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, open_main, &store[i]), 0);
        for (uint32_t i = 0; i < count; i++)
            pthread_join(thread[i], NULL);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(earn(store[i], 7, 1 + i, 1), OK);
            store_close(store[i]);
        }
        assert_int_equal(server_ask(&server, "postgres", "SELECT version FROM owner"), count);
    }
}

static void
test_what_is_refused(void **state)
{
    struct store_options options = { .conninfo = conninfo };
    struct store *store;
    struct err err;
    unix_ms until;
    (void)state;

    empty();
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_NOT_FOUND);
    store_close(open_at(conninfo, 0));
    assert_true(server_do(&server, "postgres", "ALTER TABLE lot DROP COLUMN body", NULL));
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_CORRUPT);
    assert_non_null(strstr(err.text, "lot"));
    assert_true(server_do(&server, "postgres", "UPDATE meta SET value = '99'", NULL));
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_CONFLICT);
    options.conninfo = "host=/nowhere user=nobody";
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_BUSY);
    options.conninfo = "";
    assert_int_equal(store_open_postgres(&options, &store, &err), CODE_USAGE);

    empty();
    store = open_at(conninfo, 0);
    assert_int_equal(store_backup(store, "/tmp/never", NULL, &until, &err), CODE_USAGE);
    assert_non_null(strstr(err.text, "pg_basebackup"));
    store_close(store);
}

/* ---- connections that are cut ---- */

/* Earn over a proxy that cuts at the COMMIT; a card, a claim and a record, or none of them. */
static void
cut_once(enum proxy_cut cut, bool has_claim, bool is_new, uint32_t runs, bool repeat)
{
    struct proxy proxy;
    char through[conninfo_bytes];

    empty();
    proxy_start(&proxy, server.folder, 5432, 5433);
    server_conninfo(&server, "postgres", 5433, through);
    struct store *store = open_at(through, 5000);
    if (!is_new)
        assert_int_equal(earn(store, 7, 1, 10), OK);
    struct job *job = earn_new(7, 2, 1);
    if (has_claim)
        job_claim(job, "receipt");
    proxy_cut(&proxy, cut);
    assert_int_equal(job_do(store, job), OK);
    assert_int_equal(proxy_cuts(&proxy), 1);
    assert_int_equal(job->runs, runs);
    assert_int_equal(job->op.repeat, repeat);
    job_free(job);
    assert_int_equal(points_of(store, 7), is_new ? 1 : 11);
    assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM movement"),
                     is_new ? 1 : 2);
    assert_int_equal(earn(store, 7, 3, 1), OK);
    store_close(store);
    proxy_stop(&proxy);
}

static void
test_cut_before_commit(void **state)
{
    (void)state;
    cut_once(CUT_BEFORE, false, false, 2, false);
    cut_once(CUT_BEFORE, true, false, 2, false);
    cut_once(CUT_BEFORE, true, true, 2, false);
}

static void
test_cut_after_commit(void **state)
{
    (void)state;
    cut_once(CUT_AFTER, false, false, 1, false);
    cut_once(CUT_AFTER, true, false, 1, false);
    cut_once(CUT_AFTER, false, true, 1, false);
    cut_once(CUT_AFTER, true, true, 1, false);
}

/* Nothing to look it up by: nobody may say whether it was kept, unless twice is once. */
static void
test_cut_without_a_trace(void **state)
{
    struct proxy proxy;
    char through[conninfo_bytes];
    (void)state;

    empty();
    proxy_start(&proxy, server.folder, 5432, 5433);
    server_conninfo(&server, "postgres", 5433, through);
    struct store *store = open_at(through, 5000);
    for (int i = 0; i < 4; i++) {
        struct job *job = job_new(ACCESS_WRITE, point_body);
        job->owner_id = 5;
        job->op.repeatable = i >= 2;
        proxy_cut(&proxy, i % 2 ? CUT_AFTER : CUT_BEFORE);
        assert_int_equal(job_do(store, job), i < 2 ? CODE_UNKNOWN : OK);
        assert_int_equal(proxy_cuts(&proxy), 1);
        assert_int_equal(job->runs, i < 2 ? 1 : 2);
        job_free(job);
    }
    assert_int_equal(server_ask(&server, "postgres", "SELECT owner_id FROM directory"), 5);
    store_close(store);
    proxy_stop(&proxy);
}

/* Every connection gone between two operations, also those of readers: nobody notices. */
static void
test_connections_ended(void **state)
{
    struct pair pair = pair_open();
    (void)state;

    for (uint32_t round = 0; round < 3; round++) {
        assert_int_equal(earn(pair.store[0], 7, 1 + round, 1), OK);
        assert_true(server_do(&server, "postgres",
                              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                              "application_name = 'kopilka'",
                              NULL));
        assert_int_equal(points_of(pair.store[0], 7), 1 + round);
    }
    pair_close(&pair);
}

/* The database is away for longer than anybody waits: a clear answer, and well again afterwards. */
static void
test_database_away(void **state)
{
    (void)state;
    empty();
    struct store *store = open_at(conninfo, 300);
    assert_int_equal(earn(store, 7, 1, 1), OK);
    server_kill(&server);
    assert_int_equal(earn(store, 7, 2, 1), CODE_BUSY);
    server_revive(&server);
    assert_int_equal(earn(store, 7, 3, 1), OK);
    assert_int_equal(points_of(store, 7), 2);
    store_close(store);
}

/* ---- kills ---- */

enum { owners = 16, kill_workers = 4 };

/* What a worker was told; in memory that outlives the process under test. */
struct ledger {
    uint32_t done[kill_workers], unknown[kill_workers], failed[kill_workers];
    bool stop;
};

struct killer_worker {
    struct store *store;
    struct ledger *ledger;
    uint32_t number, first;
};

static uint64_t
op_of(uint32_t worker, uint32_t turn)
{
    return (uint64_t)(worker + 1) * 1000000 + turn;
}

static void *
kill_main(void *context)
{
    struct killer_worker *worker = context;
    struct ledger *ledger = worker->ledger;

    for (uint32_t turn = worker->first; !__atomic_load_n(&ledger->stop, __ATOMIC_ACQUIRE); turn++) {
        char claim[32];
        struct job *job = earn_new(1 + turn % owners, op_of(worker->number, turn), 1);
        snprintf(claim, sizeof claim, "%u/%u", worker->number, turn);
        job_claim(job, claim);
        enum code rc = job_do(worker->store, job);
        job_free(job);
        if (rc == CODE_UNKNOWN)
            ledger->unknown[worker->number]++;
        else if (rc != OK)
            ledger->failed[worker->number]++;
        else
            __atomic_store_n(&ledger->done[worker->number], turn + 1, __ATOMIC_RELEASE);
        if (rc != OK)
            break;
    }
    return NULL;
}

/* Of a worker's turns from `first` on, all that were acknowledged are there, once. */
static void
check_done(const struct ledger *ledger, uint32_t worker, uint32_t first)
{
    char sql[256];

    if (ledger->done[worker] <= first)
        return;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM receipt WHERE op_id >= %llu AND op_id < %llu",
             (unsigned long long)op_of(worker, first),
             (unsigned long long)op_of(worker, ledger->done[worker]));
    assert_int_equal(server_ask(&server, "postgres", sql), ledger->done[worker] - first);
}

/* Nothing is half there. */
static void
check_sums(void)
{
    assert_int_equal(server_ask(&server, "postgres",
                                "SELECT count(*) FROM owner o WHERE last_movement <> (SELECT "
                                "count(*) FROM movement m WHERE m.owner_id = o.owner_id) OR "
                                "version <> (SELECT count(*) FROM receipt r WHERE r.owner_id = "
                                "o.owner_id)"),
                     0);
    assert_int_equal(server_ask(&server, "postgres",
                                "SELECT (SELECT count(*) FROM claim) - (SELECT count(*) FROM "
                                "receipt)"),
                     0);
}

static void
run_workers(struct ledger *ledger, struct store *store, uint32_t first, pthread_t *thread,
            struct killer_worker *worker)
{
    for (uint32_t i = 0; i < kill_workers; i++) {
        worker[i] = (struct killer_worker){ store, ledger, i, first };
        assert_int_equal(pthread_create(&thread[i], NULL, kill_main, &worker[i]), 0);
    }
}

/* The database is killed under load and comes back: every operation ends well. */
static void
test_database_killed(void **state)
{
    enum { cycles = 10 };
    struct ledger ledger = { .stop = false };
    struct killer_worker worker[kill_workers];
    pthread_t thread[kill_workers];
    (void)state;

    empty();
    struct store *store = open_at(conninfo, 20000);
    run_workers(&ledger, store, 0, thread, worker);
    for (uint32_t i = 0; i < cycles; i++) {
        usleep(100 * 1000 + i * 7000);
        server_kill(&server);
        server_revive(&server);
    }
    usleep(100 * 1000);
    __atomic_store_n(&ledger.stop, true, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < kill_workers; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(ledger.failed[i], 0);
        assert_int_equal(ledger.unknown[i], 0);
        assert_true(ledger.done[i] > cycles);
    }
    store_close(store);
    for (uint32_t i = 0; i < kill_workers; i++)
        check_done(&ledger, i, 0);
    check_sums();
}

/* One life of our own server: it works until it is killed. */
static void
live(struct ledger *ledger, uint32_t first)
{
    struct killer_worker worker[kill_workers];
    pthread_t thread[kill_workers];

    run_workers(ledger, open_at(conninfo, 0), first, thread, worker);
    for (uint32_t i = 0; i < kill_workers; i++)
        pthread_join(thread[i], NULL);
    _exit(1);
}

/* Our own server is killed under load, and another one goes on. */
static void
test_process_killed(void **state)
{
    enum { cycles = 10, turns_of_a_life = 50000 };
    struct ledger *ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;

    assert_true(ledger != MAP_FAILED);
    empty();
    store_close(open_at(conninfo, 0));
    for (uint32_t i = 0; i < cycles; i++) {
        uint32_t first = i * turns_of_a_life;
        int status;
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live(ledger, first);
        for (uint32_t k = 0; k < kill_workers; k++) {
            while (__atomic_load_n(&ledger->done[k], __ATOMIC_ACQUIRE) <= first &&
                   waitpid(child, &status, WNOHANG) == 0)
                usleep(1000);
        }
        usleep(50 * 1000 + i * 7000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        for (uint32_t k = 0; k < kill_workers; k++) {
            assert_int_equal(ledger->failed[k] + ledger->unknown[k], 0);
            assert_true(ledger->done[k] > first);
            check_done(ledger, k, first);
        }
    }
    check_sums();
    munmap(ledger, sizeof *ledger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_balance),
        cmocka_unit_test(test_one_claim),
        cmocka_unit_test(test_bar_or_member),
        cmocka_unit_test(test_duplicate_is_no_refusal),
        cmocka_unit_test(test_no_lost_update),
        cmocka_unit_test(test_one_telephone),
        cmocka_unit_test(test_key_that_moves),
        cmocka_unit_test(test_overtaken_by_itself),
        cmocka_unit_test(test_config_is_not_lost),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_two_round_trips),
        cmocka_unit_test(test_opening_at_once),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_cut_before_commit),
        cmocka_unit_test(test_cut_after_commit),
        cmocka_unit_test(test_cut_without_a_trace),
        cmocka_unit_test(test_connections_ended),
        cmocka_unit_test(test_database_away),
        cmocka_unit_test(test_database_killed),
        cmocka_unit_test(test_process_killed),
    };

    server_start(&server);
    server_conninfo(&server, "postgres", 0, conninfo);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
