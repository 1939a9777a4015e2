/*
 * suite_batch.c - many operations at once: order, failures, priorities, threads.
 *
 * Owns:      batches, the bound of the queue, readers beside the writer, closing.
 */
#include "contract/suite.h"

#include <pthread.h>
#include <semaphore.h>

/* ---- batches ---- */

/* An operation whose done() submits others: those then wait together and are one batch. */
struct crowd {
    struct store *store;
    struct job *first;
    struct job *job[8];
    uint32_t count;
    sem_t held, go;
};

static enum code
hold_body(struct tx *tx, struct job *job, struct err *err)
{
    struct crowd *crowd = (struct crowd *)(void *)(uintptr_t)job->op_id;
    (void)tx;
    (void)err;
    sem_post(&crowd->held);
    sem_wait(&crowd->go);
    return OK;
}

static void
crowd_done(struct op *op)
{
    struct job *job = job_of(op);
    struct crowd *crowd = (struct crowd *)(void *)(uintptr_t)job->op_id;
    for (uint32_t i = 0; i < crowd->count; i++)
        job_submit(crowd->store, crowd->job[i]);
    job_done(op);
}

/* Run the crowd's jobs in one batch, in any kind of store. */
static void
crowd_run(struct crowd *crowd, struct store *store)
{
    crowd->store = store;
    sem_init(&crowd->held, 0, 0);
    sem_init(&crowd->go, 0, 1);
    crowd->first = job_new(ACCESS_WRITE, hold_body);
    crowd->first->op_id = (uint64_t)(uintptr_t)crowd;
    crowd->first->op.done = crowd_done;
    job_submit(store, crowd->first);
    for (uint32_t i = 0; i < crowd->count; i++)
        job_await(crowd->job[i]);
    job_await(crowd->first);
    job_free(crowd->first);
}

static void
crowd_free(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->count; i++)
        job_free(crowd->job[i]);
    sem_destroy(&crowd->held);
    sem_destroy(&crowd->go);
}

static void
test_batch_is_in_order(void **state)
{
    struct crowd crowd = { .count = 8 };
    struct job *log[8] = { NULL };
    uint32_t log_count = 0;
    for (uint32_t i = 0; i < crowd.count; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->log = log;
        crowd.job[i]->log_count = &log_count;
    }
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < crowd.count; i++) {
        assert_ptr_equal(log[i], crowd.job[i]);
        assert_int_equal(crowd.job[i]->op.code, OK);
        assert_int_equal(crowd.job[i]->op.batch, is_concurrent(state) ? 1 : 8);
        assert_int_equal(crowd.job[i]->runs, 1);
        /* each saw what the one before wrote */
        assert_int_equal(crowd.job[i]->view.owner.version, i + 1);
    }
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 8);
}

/* A repeat in the same batch sees the claim, and gets the record. */
static void
test_repeat_in_one_batch(void **state)
{
    struct crowd crowd = { .count = 2 };
    for (uint32_t i = 0; i < 2; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->record = i == 0 ? TEXT("first") : TEXT("second");
        job_claim(crowd.job[i], "receipt");
    }
    crowd_run(&crowd, store_in(state));
    assert_false(crowd.job[0]->op.repeat);
    assert_true(crowd.job[1]->op.repeat);
    assert_int_equal(crowd.job[1]->op.existing_op, 100);
    assert_true(text_equal(crowd.job[1]->op.existing, TEXT("first")));
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 1);
}

static void
test_refusal_leaves_the_batch_alone(void **state)
{
    struct crowd crowd = { .count = 3 };
    struct store_stats stats;
    for (uint32_t i = 0; i < 3; i++)
        crowd.job[i] = earn_new(7, 100 + i, 1);
    crowd.job[1]->refuse = true;
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(crowd.job[i]->op.code, OK);
        assert_int_equal(crowd.job[i]->runs, 1);
    }
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 2);
    store_read_stats(store_in(state), &stats);
    assert_int_equal(stats.retries_alone, 0);
}

/*
 * The second of three fails after it wrote: the others run again, alone, and all three are right.
 */
static void
test_failure_runs_the_batch_alone(void **state)
{
    struct crowd crowd = { .count = 4 };
    struct store_stats stats;
    for (uint32_t i = 0; i < 4; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        job_claim(crowd.job[i], (char[]){ (char)('a' + i), 0 });
    }
    crowd.job[1]->fail_after = CODE_RANGE;
    crowd.job[2]->op_id = 100; /* a receipt that is there already: the database refuses it */
    crowd_run(&crowd, store_in(state));
    /* Lanes may let the other with that number be first. */
    bool in_order = crowd.job[0]->op.code == OK;
    struct job *kept = crowd.job[in_order ? 0 : 2], *refused = crowd.job[in_order ? 2 : 0];
    assert_true(in_order || is_concurrent(state));
    assert_int_equal(kept->op.code, OK);
    assert_true(kept->runs >= (is_concurrent(state) ? 1 : 2));
    assert_int_equal(kept->op.batch, 1);
    assert_int_equal(refused->op.code, CODE_CONFLICT);
    assert_int_equal(crowd.job[1]->op.code, CODE_RANGE);
    assert_int_equal(crowd.job[3]->op.code, OK);
    uint64_t first = kept->view.owner.version, last = crowd.job[3]->view.owner.version;
    assert_int_equal(first + last, 3); /* one after the other */
    assert_true(is_concurrent(state) || first == 1);
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 2);
    store_read_stats(store_in(state), &stats);
    assert_true(stats.retries_alone >= 2);

    struct job *job = look(store_in(state), 7);
    assert_int_equal(job->view.owner.last_movement, 2);
    job_free(job);
}

/* Low operations come after ordinary ones that wait at the same time. */
static void
test_low_priority(void **state)
{
    struct crowd crowd = { .count = 6 };
    struct job *log[6] = { NULL };
    uint32_t log_count = 0;
    if (is_inline(state))
        skip();
    for (uint32_t i = 0; i < crowd.count; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->op.priority = i < 3 ? PRIORITY_LOW : PRIORITY_ORDINARY;
        crowd.job[i]->log = log;
        crowd.job[i]->log_count = &log_count;
    }
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < crowd.count; i++)
        assert_ptr_equal(log[i], crowd.job[(i + 3) % 6]);
    crowd_free(&crowd);
}

static enum code
slow_body(struct tx *tx, struct job *job, struct err *err)
{
    usleep(5000);
    return earn_body(tx, job, err);
}

/* Many low operations are not one long transaction: an ordinary one comes in between. */
static void
test_low_in_slices(void **state)
{
    enum { count = 24 };
    struct store *store = store_in(state);
    struct job *job[count];
    uint32_t left = 0;
    if (is_inline(state))
        skip();
    for (uint32_t i = 0; i < count; i++) {
        job[i] = earn_new(7, 100 + i, 1);
        job[i]->body = slow_body;
        job[i]->op.priority = PRIORITY_LOW;
        job_submit(store, job[i]);
    }
    assert_int_equal(earn(store, 8, 1, 1), OK);
    for (uint32_t i = 0; i < count; i++)
        left += !__atomic_load_n(&job[i]->done, __ATOMIC_ACQUIRE);
    assert_true(left > count / 2);
    for (uint32_t i = 0; i < count; i++) {
        job_await(job[i]);
        assert_int_equal(job[i]->op.code, OK);
        assert_true(job[i]->op.batch <= 6);
        job_free(job[i]);
    }
    assert_int_equal(points_of(store, 7), count);
}

static void
test_full_queue_is_busy(void **state)
{
    struct store *store = store_in(state);
    struct crowd crowd = { .count = 0 };
    struct err err = { .code = OK };
    if (is_inline(state))
        skip();
    struct job **job = calloc(ops_in_flight_max, sizeof(struct job *));
    sem_init(&crowd.held, 0, 0);
    sem_init(&crowd.go, 0, 0);
    job[0] = job_new(ACCESS_WRITE, hold_body);
    job[0]->op_id = (uint64_t)(uintptr_t)&crowd;
    job_submit(store, job[0]);
    sem_wait(&crowd.held);
    for (uint32_t i = 1; i < ops_in_flight_max; i++) {
        job[i] = earn_new(7, i, 1);
        job_submit(store, job[i]);
    }
    struct job *extra = earn_new(7, 9999, 1);
    assert_int_equal(store_submit(store, &extra->op, &err), CODE_BUSY);
    sem_post(&crowd.go);
    for (uint32_t i = 0; i < ops_in_flight_max; i++) {
        job_await(job[i]);
        assert_int_equal(job[i]->op.code, OK);
        job_free(job[i]);
    }
    assert_int_equal(extra->runs, 0);
    assert_int_equal(job_do(store, extra), OK);
    job_free(extra);
    assert_int_equal(points_of(store, 7), ops_in_flight_max);
    free(job);
    crowd_free(&crowd);
}

/* ---- readers and threads ---- */

struct peek {
    struct store *store;
    amount seen;
};

static void *
peek_main(void *context)
{
    struct peek *peek = context;
    peek->seen = points_of(peek->store, 7);
    return NULL;
}

static enum code
slow_write_body(struct tx *tx, struct job *job, struct err *err)
{
    struct crowd *crowd = (struct crowd *)(void *)job->record.ptr;
    struct text record = job->record;
    job->record = TEXT("slow");
    enum code rc = earn_body(tx, job, err);
    job->record = record;
    if (rc)
        return rc;
    if (job->runs == 1)
        sem_post(&crowd->held);
    usleep(100 * 1000); /* the reader has time to look */
    return err_set(err, CODE_RANGE, "and back again");
}

static void
test_reader_sees_committed_only(void **state)
{
    struct store *store = store_in(state);
    struct peek peek = { .store = store };
    struct crowd crowd = { .count = 0 };
    pthread_t thread;
    if (is_inline(state))
        skip();
    sem_init(&crowd.held, 0, 0);
    sem_init(&crowd.go, 0, 0);
    assert_int_equal(earn(store, 7, 1, 10), OK);
    struct job *job = job_new(ACCESS_WRITE, slow_write_body);
    job->owner_id = 7;
    job->op_id = 2;
    job->points = 1000;
    job->record = (struct text){ (const char *)&crowd, sizeof crowd };
    job_submit(store, job);
    sem_wait(&crowd.held);
    pthread_create(&thread, NULL, peek_main, &peek);
    pthread_join(thread, NULL);
    assert_int_equal(peek.seen, 10);
    job_await(job);
    assert_int_equal(job->op.code, CODE_RANGE);
    job_free(job);
    assert_int_equal(points_of(store, 7), 10);
    crowd_free(&crowd);
}

enum { threads = 8, turns = 1000 };

struct worker {
    struct store *store;
    uint64_t first_op;
    uint32_t failed;
};

static void *
increment_main(void *context)
{
    struct worker *worker = context;
    for (uint32_t i = 0; i < turns; i++)
        worker->failed += earn(worker->store, 7, worker->first_op + i, 1) != OK;
    return NULL;
}

static void
test_no_lost_update(void **state)
{
    struct store *store = store_in(state);
    struct worker worker[threads];
    pthread_t thread[threads];
    if (is_inline(state))
        skip();
    for (uint32_t i = 0; i < threads; i++) {
        worker[i] = (struct worker){ .store = store, .first_op = 1 + i * turns };
        assert_int_equal(pthread_create(&thread[i], NULL, increment_main, &worker[i]), 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(worker[i].failed, 0);
    }
    struct job *job = look(store, 7);
    assert_int_equal(*active_of(&job->view.owner), threads * turns);
    assert_int_equal(job->view.owner.version, threads * turns);
    assert_int_equal(job->view.owner.last_movement, threads * turns);
    job_free(job);
}

static void
test_close_drains(void **state)
{
    enum { count = 300 };
    struct fixture *fixture = *state;
    struct job *job[count];
    for (uint32_t i = 0; i < count; i++) {
        job[i] = i % 3 == 0 ? job_new(ACCESS_READ, look_body) : earn_new(7, 1 + i, 1);
        if (i % 3 == 2)
            job[i]->op.priority = PRIORITY_LOW;
        job_submit(fixture->store, job[i]);
    }
    store_close(fixture->store);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(job[i]->done);
        assert_int_equal(job[i]->op.code, OK);
        job_free(job[i]);
    }
    bool lasts = fixture->variant->sqlite || is_concurrent(state);
    open_store(fixture);
    assert_int_equal(points_of(fixture->store, 7), lasts ? 200 : -1);
}

/* ---- memory of an operation ---- */

/* Too little memory is the operation's own failure, and the batch goes on. */
static void
test_small_arena(void **state)
{
    struct crowd crowd = { .count = 3 };
    struct store_stats stats;
    static _Alignas(16) char memory[128];
    assert_int_equal(earn(store_in(state), 7, 1, 5), OK);
    for (uint32_t i = 0; i < 3; i++)
        crowd.job[i] = earn_new(7, 100 + i, 1);
    struct arena small;
    arena_init_fixed(&small, memory, sizeof memory);
    crowd.job[1]->op.arena = &small;
    crowd_run(&crowd, store_in(state));
    assert_int_equal(crowd.job[0]->op.code, OK);
    assert_int_equal(crowd.job[1]->op.code, CODE_NO_MEMORY);
    assert_int_equal(crowd.job[2]->op.code, OK);
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 7);
    store_read_stats(store_in(state), &stats);
    assert_int_equal(stats.retries_alone, 0);
}

const struct contract contracts_of_batches[] = {
    { "test_batch_is_in_order", test_batch_is_in_order },
    { "test_repeat_in_one_batch", test_repeat_in_one_batch },
    { "test_refusal_leaves_the_batch_alone", test_refusal_leaves_the_batch_alone },
    { "test_failure_runs_the_batch_alone", test_failure_runs_the_batch_alone },
    { "test_low_priority", test_low_priority },
    { "test_low_in_slices", test_low_in_slices },
    { "test_full_queue_is_busy", test_full_queue_is_busy },
    { "test_reader_sees_committed_only", test_reader_sees_committed_only },
    { "test_no_lost_update", test_no_lost_update },
    { "test_close_drains", test_close_drains },
    { "test_small_arena", test_small_arena },
    { NULL, NULL },
};
