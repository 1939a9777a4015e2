/*
 * test_batch.c - what becomes of operations when the database below fails.
 *
 * Owns:      every statement of a batch failed in turn, commits and begins that fail.
 */
#include "contract/kit.h"
#include "wrap.h"

enum { crowd_max = 3 };

/* Three earnings in one batch: submitted by the done() of an operation before them. */
struct crowd {
    struct store *store;
    struct job *first;
    struct job *job[crowd_max];
};

static enum code
nothing_body(struct tx *tx, struct job *job, struct err *err)
{
    (void)tx;
    (void)job;
    (void)err;
    return OK;
}

static void
crowd_done(struct op *op)
{
    struct crowd *crowd = (struct crowd *)(void *)(uintptr_t)job_of(op)->op_id;
    for (uint32_t i = 0; i < crowd_max; i++)
        job_submit(crowd->store, crowd->job[i]);
    job_done(op);
}

static void
crowd_make(struct crowd *crowd, struct store *store)
{
    static const char *const claims[] = { "a", "b", "c" };
    crowd->store = store;
    crowd->first = job_new(ACCESS_WRITE, nothing_body);
    crowd->first->op_id = (uint64_t)(uintptr_t)crowd;
    crowd->first->op.done = crowd_done;
    for (uint32_t i = 0; i < crowd_max; i++) {
        crowd->job[i] = earn_new(7, 100 + i, 1);
        job_claim(crowd->job[i], claims[i]);
    }
}

static void
crowd_run(struct crowd *crowd)
{
    job_submit(crowd->store, crowd->first);
    for (uint32_t i = 0; i < crowd_max; i++)
        assert_true(crowd->job[i]->done);
}

static void
crowd_free(struct crowd *crowd)
{
    job_free(crowd->first);
    for (uint32_t i = 0; i < crowd_max; i++)
        job_free(crowd->job[i]);
}

/* Points, version, movements and claims tell the same story. */
static void
expect_book(struct store *store, const struct crowd *crowd)
{
    static const char *const claims[] = { "a", "b", "c" };
    amount points = 0;

    struct job *job = job_new(ACCESS_READ, look_body);
    job->owner_id = 7;
    for (uint32_t i = 0; i < crowd_max; i++)
        job->op.route[i] = (struct route){ .kind = ROUTE_CLAIM, .key = text_of(claims[i]) };
    job->op.route_count = crowd_max;
    assert_int_equal(job_do(store, job), OK);
    for (uint32_t i = 0; i < crowd_max; i++) {
        bool good = crowd->job[i]->op.code == OK;
        points += good;
        assert_int_equal(job->op.route[i].found, good);
    }
    assert_int_equal(job->view.owner_found, points > 0);
    if (points > 0) {
        assert_int_equal(*active_of(&job->view.owner), points);
        assert_int_equal(job->view.owner.version, points);
        assert_int_equal(job->view.owner.last_movement, points);
    }
    job_free(job);
}

/* One statement of a batch fails, once: the batch runs again alone and nothing is lost. */
static void
test_each_statement_fails_once(void **state)
{
    uint32_t statements = 1;
    (void)state;
    for (uint32_t fail = 1; fail <= statements; fail++) {
        struct wrap wrap;
        struct store *store = wrap_open(&wrap, NULL);
        struct crowd crowd;
        crowd_make(&crowd, store);
        wrap.fail_from = fail;
        wrap.fail_count = 1;
        crowd_run(&crowd);
        if (fail == 1)
            statements = wrap.statements; /* as many as a batch has, and some */
        for (uint32_t i = 0; i < crowd_max; i++)
            assert_int_equal(crowd.job[i]->op.code, OK);
        if (fail <= 18)
            assert_true(wrap.rollbacks > 0);
        wrap.fail_from = 0;
        expect_book(store, &crowd);
        crowd_free(&crowd);
        store_close(store);
    }
    assert_true(statements > 15);
}

/* From one statement on all fail: what was answered OK is there, the rest left nothing. */
static void
test_each_statement_fails_for_ever(void **state)
{
    uint32_t failures = 0;
    (void)state;
    for (uint32_t fail = 1; fail <= 60; fail++) {
        struct wrap wrap;
        struct store *store = wrap_open(&wrap, NULL);
        struct crowd crowd;
        crowd_make(&crowd, store);
        wrap.fail_from = fail;
        wrap.fail_count = UINT32_MAX - fail;
        crowd_run(&crowd);
        wrap.fail_from = 0;
        for (uint32_t i = 0; i < crowd_max; i++)
            failures += crowd.job[i]->op.code == CODE_IO;
        expect_book(store, &crowd);
        crowd_free(&crowd);
        store_close(store);
    }
    assert_true(failures > 20);
}

static void
test_commit_fails(void **state)
{
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    struct crowd crowd;
    (void)state;

    crowd_make(&crowd, store);
    job_do(store, crowd.job[0]); /* (something is there already) */
    assert_int_equal(crowd.job[0]->op.code, OK);
    job_free(crowd.job[0]);
    crowd.job[0] = earn_new(7, 99, 1);
    wrap.commits = 0;
    wrap.commit_code = CODE_IO;
    wrap.commit_fails = 2; /* the one that does nothing, and the batch's */
    crowd_run(&crowd);
    assert_int_equal(wrap.commits, 2);
    for (uint32_t i = 0; i < crowd_max; i++) {
        assert_int_equal(crowd.job[i]->op.code, CODE_IO);
        assert_int_equal(crowd.job[i]->runs, 1);
        assert_non_null(strstr(crowd.job[i]->op.err.text, "wants it to fail"));
    }
    assert_int_equal(points_of(store, 7), 1);
    assert_int_equal(earn(store, 7, 200, 5), OK); /* and life goes on */
    assert_int_equal(points_of(store, 7), 6);
    crowd_free(&crowd);
    store_close(store);
}

static void
note_death(void *context, const struct err *err)
{
    uint32_t *deaths = context;
    assert_int_equal(err->code, CODE_UNKNOWN);
    ++*deaths;
}

static void
die_in(bool with_threads)
{
    uint32_t deaths = 0;
    struct store_options options = { .inline_runner = !with_threads,
                                     .fatal = note_death,
                                     .fatal_context = &deaths };
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, &options);

    assert_int_equal(earn(store, 7, 1, 5), OK);
    wrap.commit_code = CODE_UNKNOWN;
    wrap.commit_fails = 1;
    assert_int_equal(earn(store, 7, 2, 5), CODE_UNKNOWN);
    assert_int_equal(deaths, 1);
    uint32_t begins = wrap.begins;
    assert_int_equal(earn(store, 7, 3, 5), CODE_IO);
    struct job *job = job_new(ACCESS_READ, look_body);
    job->owner_id = 7;
    assert_int_equal(job_do(store, job), CODE_IO);
    job_free(job);
    assert_int_equal(wrap.begins, begins); /* the disk is not touched any more */
    assert_int_equal(deaths, 1);
    store_close(store);
}

static void
test_disk_fails_under_commit(void **state)
{
    (void)state;
    die_in(false);
    die_in(true);
}

static void
test_begin_fails(void **state)
{
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    (void)state;

    wrap.begin_code = CODE_BUSY;
    struct job *job = earn_new(7, 1, 1);
    assert_int_equal(job_do(store, job), CODE_BUSY);
    assert_int_equal(job->runs, 0);
    job_free(job);
    assert_int_equal(wrap.commits, 0);
    wrap.begin_code = OK;
    assert_int_equal(earn(store, 7, 1, 1), OK);
    store_close(store);
}

/* An operation that hides the failure of its statement is not believed. */
static enum code
deaf_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = job->owner_id };
    enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
    (void)rc;
    return OK;
}

static void
test_hidden_failure(void **state)
{
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    (void)state;

    struct job *job = job_new(ACCESS_WRITE, deaf_body);
    job->owner_id = 7;
    wrap.fail_from = 1;
    wrap.fail_count = 2;
    assert_int_equal(job_do(store, job), CODE_IO);
    assert_int_equal(job->runs, 2);
    job_free(job);
    store_close(store);
}

/* The arena stands where it stood when the operation was handed over, each time it runs. */
static enum code
greedy_body(struct tx *tx, struct job *job, struct err *err)
{
    void *piece = arena_alloc(job->op.arena, 4096);
    assert_non_null(piece);
    if (job->runs == 1)
        job->record = (struct text){ piece, 1 };
    else
        assert_ptr_equal(piece, job->record.ptr);
    struct needs needs = { .owner_id = job->owner_id };
    return store_load(tx, &needs, job->op.arena, &job->view, err);
}

static void
test_arena_is_rewound(void **state)
{
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    (void)state;

    struct job *job = job_new(ACCESS_WRITE, greedy_body);
    job->owner_id = 7;
    const char *before = text_copy(&job->arena, TEXT("the request")).ptr;
    wrap.fail_from = 1;
    wrap.fail_count = 1;
    assert_int_equal(job_do(store, job), OK);
    assert_int_equal(job->runs, 2);
    assert_memory_equal(before, "the request", 11);
    job_free(job);
    store_close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_statement_fails_once),
        cmocka_unit_test(test_each_statement_fails_for_ever),
        cmocka_unit_test(test_commit_fails),
        cmocka_unit_test(test_disk_fails_under_commit),
        cmocka_unit_test(test_begin_fails),
        cmocka_unit_test(test_hidden_failure),
        cmocka_unit_test(test_arena_is_rewound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
