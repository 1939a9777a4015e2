/*
 * runner.c - the threads of a store: one that writes (or lanes), some that read, one that moves the
 * log.
 *
 * Owns:      the queue and its bound, the gate, who runs on which connection. All locks of the
 *            store.
 * Must not:  know what an operation does, or a database beyond struct backend_type.
 * Invariant: the writer's connection is used by the writer alone. An operation is answered once,
 *            after its transaction. While the gate is closed no reader has a transaction and no
 *            checkpoint runs.
 * Cost:      a hand-over is one compare-and-swap; a wake-up only when the stack was empty.
 * Tests:     tests/contract/test_store.c, tests/unit/store/test_gate.c, test_batch.c
 *
 * Batches form by themselves: while one is being committed the next gathers. Nobody sleeps to make
 * one larger. The log is moved into the file in the background each time it has grown by a quarter
 * of its cap; at the cap the writer closes the gate, moves the rest itself, begins the log anew and
 * opens again.
 *
 * A concurrent database (PostgreSQL) has no writer thread, no gate and no log of ours: lanes.c has
 * the threads that write, and each operation is a transaction of its own, also one that reads.
 */
#include "store/runner.h"

#include "store/batch.h"
#include "store/copy_job.h"
#include "store/lanes.h"
#include "store/rows.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    batch_max_default = 512,
    readers_default = 1,
    readers_max = 64,
    wal_cap_bytes_default = 256 << 20,
    lanes_default = 16,
    lanes_max = 256,
    low_slice_us = 20 * 1000, /* a transaction takes no more of the low ones after that */
    read_us_max = 50 * 1000,  /* a read that is older gives way to the gate */
    checkpoint_idle_ms = 1000,
    log_parts = 4, /* of its cap: after each the log is moved in the background */
};

struct reader {
    struct store *store;
    struct backend *backend;
    struct solo solo; /* of a concurrent database */
    pthread_t thread;
    bool started;
    uint64_t since; /* when its transaction began */
};

/* Who waits in store_run(). */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
};

enum { identity_bytes_max = 1100 };

struct store {
    struct store_options options;
    char identity[identity_bytes_max]; /* of the book; for moves only */
    struct ground *ground;
    struct backend *writer, *checkpointer;
    uint32_t batch_max, reader_count;
    uint64_t wal_cap;
    struct reader *reader;
    struct lanes *lanes; /* instead of the writer's thread; NULL: that is there */
    struct solo inline_solo;

    /* Hand-over to the writer. */
    struct op_stack ordinary, low;
    atomic_uint in_flight;
    atomic_bool closing, dead;
    pthread_mutex_t call_lock;
    pthread_cond_t call;   /* the writer is wanted */
    pthread_cond_t copied; /* a copy is done */
    bool called;
    struct copy_job *job;

    /* Hand-over to the readers. */
    pthread_mutex_t read_lock;
    pthread_cond_t read_call;
    struct op_list reads;

    /* The gate. */
    pthread_mutex_t gate_lock;
    pthread_cond_t gate_moved; /* it opened, or somebody left while it was closed */
    pthread_cond_t log_call;   /* the checkpointer is wanted */
    bool gate_closed, checkpointing, checkpoint_wanted, gate_stop;
    uint32_t inside;    /* readers with a transaction */
    uint32_t outside;   /* readers that wait */
    uint32_t admitted;  /* of them, those that go in before it closes again */
    uint64_t log_moved; /* bytes of the log when the last checkpoint began */
    atomic_bool gate_wanted;
    atomic_uint_fast64_t log_bytes;

    /* The writer's own. */
    pthread_t writer_thread, checkpoint_thread;
    bool writer_started, checkpoint_started, draining;
    struct op_list pending, pending_low, inline_queue;
    uint64_t slice_end, gate_retry;
    uint32_t taken;

    /* Figures. */
    atomic_uint_fast64_t operations, batches, alone, gate_closings, commit_us_sum, commit_us_max;
};

static void
add(atomic_uint_fast64_t *figure, uint64_t more)
{
    atomic_fetch_add_explicit(figure, more, memory_order_relaxed);
}

/* ---- the end of an operation ---- */

static void
answer(struct store *store, struct op *op)
{
    struct waiter *waiter = op->waiter;

    add(&store->operations, 1);
    atomic_fetch_sub_explicit(&store->in_flight, 1, memory_order_relaxed);
    if (waiter == NULL) {
        op->done(op);
        return;
    }
    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&waiter->lock);
}

static void
answer_for_lane(void *context, struct op *op)
{
    answer(context, op);
}

static void
answer_all(struct store *store, struct op_list *list)
{
    for (struct op *op; (op = op_list_take(list)) != NULL;)
        answer(store, op);
}

static void
die(struct store *store, const struct err *err)
{
    atomic_store(&store->dead, true);
    if (store->options.fatal != NULL) {
        store->options.fatal(store->options.fatal_context, err);
        return;
    }
    fprintf(stderr, "kopilka: the disk failed, stopping: %s\n", err->text);
    abort();
}

static void
refuse_dead(struct op *op)
{
    op->code = err_set(&op->err, CODE_IO, "the disk failed before; start the program again");
}

/* ---- the gate ---- */

static void
gate_enter(struct store *store)
{
    pthread_mutex_lock(&store->gate_lock);
    if (store->gate_closed) {
        store->outside++;
        while (store->gate_closed)
            pthread_cond_wait(&store->gate_moved, &store->gate_lock);
        store->outside--;
        if (store->admitted > 0 && --store->admitted == 0)
            pthread_cond_broadcast(&store->gate_moved);
    }
    store->inside++;
    pthread_mutex_unlock(&store->gate_lock);
}

static void
gate_leave(struct store *store)
{
    pthread_mutex_lock(&store->gate_lock);
    if (--store->inside == 0 && store->gate_closed)
        pthread_cond_broadcast(&store->gate_moved);
    pthread_mutex_unlock(&store->gate_lock);
}

/* Let nobody in, and wait until nobody is inside. Who was kept out before goes first. */
static void
gate_close(struct store *store)
{
    pthread_mutex_lock(&store->gate_lock);
    while (store->admitted > 0)
        pthread_cond_wait(&store->gate_moved, &store->gate_lock);
    store->gate_closed = true;
    atomic_store_explicit(&store->gate_wanted, true, memory_order_relaxed);
    while (store->inside > 0 || store->checkpointing)
        pthread_cond_wait(&store->gate_moved, &store->gate_lock);
    atomic_store_explicit(&store->gate_wanted, false, memory_order_relaxed);
    pthread_mutex_unlock(&store->gate_lock);
}

static void
gate_open(struct store *store, bool log_cut)
{
    pthread_mutex_lock(&store->gate_lock);
    store->gate_closed = false;
    store->admitted = store->outside;
    if (log_cut)
        store->log_moved = 0;
    pthread_cond_broadcast(&store->gate_moved);
    pthread_mutex_unlock(&store->gate_lock);
}

static bool
is_overdue(void *context)
{
    struct reader *reader = context;
    return atomic_load_explicit(&reader->store->gate_wanted, memory_order_relaxed) &&
           steady_us() - reader->since > read_us_max;
}

/* ---- the log ---- */

/* After a commit: wake the checkpointer when it has something to do. */
static void
note_log(struct store *store)
{
    if (!store->writer->type->has_log)
        return;
    uint64_t bytes = store->writer->type->log_bytes(store->writer);
    atomic_store_explicit(&store->log_bytes, bytes, memory_order_relaxed);
    if (!store->checkpoint_started)
        return;
    pthread_mutex_lock(&store->gate_lock);
    if (bytes < store->log_moved)
        store->log_moved = 0; /* SQLite began the log anew */
    if (bytes - store->log_moved >= store->wal_cap / log_parts && !store->checkpoint_wanted) {
        store->checkpoint_wanted = true;
        pthread_cond_signal(&store->log_call);
    }
    pthread_mutex_unlock(&store->gate_lock);
}

/* At the cap: everybody out, begin the log anew, open again. */
static void
keep_log_short(struct store *store)
{
    struct err err = { .code = OK };
    uint64_t bytes = atomic_load_explicit(&store->log_bytes, memory_order_relaxed);

    if (!store->writer->type->has_log || bytes < store->wal_cap || bytes < store->gate_retry)
        return;
    if (!store->options.inline_runner)
        gate_close(store);
    /* The file is kept: writing over it is cheaper than making it grow. */
    enum checkpoint mode = bytes < 2 * store->wal_cap ? CHECKPOINT_ALL : CHECKPOINT_SHORT;
    enum code rc = store->writer->type->checkpoint(store->writer, mode, &err);
    if (!store->options.inline_runner)
        gate_open(store, rc == OK);
    add(&store->gate_closings, 1);
    if (rc == CODE_UNKNOWN)
        die(store, &err);
    /* Another program reads the file, or the disk is full: not again before the log has grown. */
    store->gate_retry = rc == OK ? 0 : bytes + store->wal_cap / log_parts;
    note_log(store);
}

/* Wait until the log has grown enough, or has lain for a second; false: the store closes. */
static bool
await_log(struct store *store, uint64_t *bytes)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += checkpoint_idle_ms / 1000;
    int rc = 0;
    while (!store->gate_stop && !store->checkpoint_wanted && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&store->log_call, &store->gate_lock, &until);
    while (!store->gate_stop && store->gate_closed)
        pthread_cond_wait(&store->gate_moved, &store->gate_lock);
    store->checkpoint_wanted = false;
    *bytes = atomic_load_explicit(&store->log_bytes, memory_order_relaxed);
    return !store->gate_stop;
}

static void *
checkpoint_main(void *context)
{
    struct store *store = context;
    uint64_t bytes;

    pthread_mutex_lock(&store->gate_lock);
    while (await_log(store, &bytes)) {
        if (bytes == store->log_moved)
            continue;
        store->checkpointing = true;
        pthread_mutex_unlock(&store->gate_lock);
        struct err err = { .code = OK };
        enum code rc = store->checkpointer->type->checkpoint(store->checkpointer, CHECKPOINT_SOME,
                                                             &err);
        if (rc == CODE_UNKNOWN)
            die(store, &err);
        pthread_mutex_lock(&store->gate_lock);
        store->checkpointing = false;
        store->log_moved = bytes;
        pthread_cond_broadcast(&store->gate_moved);
    }
    pthread_mutex_unlock(&store->gate_lock);
    return NULL;
}

/* ---- the writer ---- */

static void
call_writer(struct store *store)
{
    pthread_mutex_lock(&store->call_lock);
    store->called = true;
    pthread_cond_signal(&store->call);
    pthread_mutex_unlock(&store->call_lock);
}

static void
await_call(struct store *store)
{
    pthread_mutex_lock(&store->call_lock);
    while (!store->called)
        pthread_cond_wait(&store->call, &store->call_lock);
    store->called = false;
    pthread_mutex_unlock(&store->call_lock);
}

/* The batch's next operation: ordinary ones first, of the low ones what time leaves. */
static struct op *
next_op(void *context)
{
    struct store *store = context;

    if (store->taken == store->batch_max)
        return NULL;
    struct op *op = op_list_take(&store->pending);
    if (op == NULL && store->pending_low.count > 0 && steady_us() < store->slice_end)
        op = op_list_take(&store->pending_low);
    if (op != NULL)
        store->taken++;
    return op;
}

/* One batch of what is pending. */
static void
run_batch(struct store *store)
{
    struct batch batch = { .writer = store->writer, .next = next_op, .context = store };
    struct err err = { .code = OK };
    bool exclusive = store->writer->type->exclusive && !store->options.inline_runner;

    store->taken = 0;
    store->slice_end = steady_us() + low_slice_us;
    if (exclusive)
        gate_close(store);
    enum code rc = batch_run(&batch, &err);
    if (exclusive)
        gate_open(store, false);
    if (rc == CODE_UNKNOWN)
        die(store, &err);
    add(&store->batches, 1);
    add(&store->alone, batch.alone);
    add(&store->commit_us_sum, batch.commit_us_sum);
    if (batch.commit_us_max > atomic_load_explicit(&store->commit_us_max, memory_order_relaxed))
        atomic_store_explicit(&store->commit_us_max, batch.commit_us_max, memory_order_relaxed);
    answer_all(store, &batch.ran);
    note_log(store);
}

static bool
copy_slice(struct store *store)
{
    pthread_mutex_lock(&store->call_lock);
    struct copy_job *job = store->job;
    pthread_mutex_unlock(&store->call_lock);
    if (job == NULL)
        return false;
    if (copy_job_slice(job, store->writer))
        return true;
    pthread_mutex_lock(&store->call_lock);
    job->done = true;
    store->job = NULL;
    pthread_cond_broadcast(&store->copied);
    pthread_mutex_unlock(&store->call_lock);
    return false;
}

static bool
collect(struct store *store)
{
    op_stack_take(&store->ordinary, &store->pending);
    op_stack_take(&store->low, &store->pending_low);
    return store->pending.count + store->pending_low.count > 0;
}

static void
refuse_pending(struct store *store)
{
    for (struct op *op = store->pending.first; op != NULL; op = op->next)
        refuse_dead(op);
    for (struct op *op = store->pending_low.first; op != NULL; op = op->next)
        refuse_dead(op);
    answer_all(store, &store->pending);
    answer_all(store, &store->pending_low);
}

static void *
writer_main(void *context)
{
    struct store *store = context;

    for (;;) {
        bool more = collect(store);
        if (more && atomic_load(&store->dead)) {
            refuse_pending(store);
        } else if (more) {
            run_batch(store);
            keep_log_short(store);
        }
        if (copy_slice(store) || more)
            continue;
        if (atomic_load(&store->closing))
            return NULL;
        await_call(store);
    }
}

/* ---- the readers ---- */

/* The next operation to read, or NULL: the store closes. */
static struct op *
await_read(struct store *store)
{
    pthread_mutex_lock(&store->read_lock);
    while (store->reads.count == 0 && !atomic_load(&store->closing))
        pthread_cond_wait(&store->read_call, &store->read_lock);
    struct op *op = op_list_take(&store->reads);
    pthread_mutex_unlock(&store->read_lock);
    return op;
}

static void *
reader_main(void *context)
{
    struct reader *reader = context;
    struct store *store = reader->store;

    for (struct op *op; (op = await_read(store)) != NULL;) {
        if (atomic_load(&store->dead)) {
            refuse_dead(op);
        } else if (store->writer->type->concurrent) {
            solo_run(&reader->solo, op);
        } else {
            gate_enter(store);
            reader->since = steady_us();
            read_run(reader->backend, op, is_overdue, reader);
            gate_leave(store);
        }
        answer(store, op);
    }
    return NULL;
}

/* ---- without threads ---- */

/* The next operation that writes, up to the next one that reads. */
static struct op *
next_inline(void *context)
{
    struct store *store = context;
    const struct op *first = store->inline_queue.first;

    if (store->taken == store->batch_max || first == NULL || first->access == ACCESS_READ)
        return NULL;
    store->taken++;
    return op_list_take(&store->inline_queue);
}

/* Everything that waits, in order; what done() submits meanwhile as well. */
static void
drain_inline(struct store *store)
{
    store->draining = true;
    for (const struct op *first; (first = store->inline_queue.first) != NULL;) {
        if (atomic_load(&store->dead)) {
            struct op *op = op_list_take(&store->inline_queue);
            refuse_dead(op);
            answer(store, op);
        } else if (store->writer->type->concurrent) {
            struct op *op = op_list_take(&store->inline_queue);
            solo_run(&store->inline_solo, op);
            answer(store, op);
        } else if (first->access == ACCESS_READ) {
            struct op *op = op_list_take(&store->inline_queue);
            read_run(store->writer, op, NULL, NULL);
            answer(store, op);
        } else {
            struct batch batch = { .writer = store->writer, .next = next_inline, .context = store };
            struct err err = { .code = OK };
            store->taken = 0;
            if (batch_run(&batch, &err) == CODE_UNKNOWN)
                die(store, &err);
            add(&store->batches, 1);
            add(&store->alone, batch.alone);
            add(&store->commit_us_sum, batch.commit_us_sum);
            answer_all(store, &batch.ran);
            note_log(store);
            keep_log_short(store);
        }
    }
    store->draining = false;
}

/* ---- submitting ---- */

static enum code
submit(struct store *store, struct op *op, struct waiter *waiter, struct err *err)
{
    assert(op->run != NULL);
    assert(op->done != NULL || waiter != NULL);
    assert(op->arena != NULL);
    if (atomic_load_explicit(&store->closing, memory_order_relaxed))
        return err_set(err, CODE_BUSY, "the store is closing");
    if (atomic_fetch_add_explicit(&store->in_flight, 1, memory_order_relaxed) >=
        ops_in_flight_max) {
        atomic_fetch_sub_explicit(&store->in_flight, 1, memory_order_relaxed);
        return err_set(err, CODE_BUSY, "%u operations are waiting already",
                       (unsigned)ops_in_flight_max);
    }
    op->mark = arena_mark(op->arena);
    op->waiter = waiter;
    if (store->options.inline_runner) {
        op_list_add(&store->inline_queue, op);
        if (!store->draining)
            drain_inline(store);
    } else if (op->access == ACCESS_READ) {
        pthread_mutex_lock(&store->read_lock);
        op_list_add(&store->reads, op);
        pthread_cond_signal(&store->read_call);
        pthread_mutex_unlock(&store->read_lock);
    } else if (store->lanes != NULL) {
        lanes_push(store->lanes, op);
    } else {
        bool low = op->priority == PRIORITY_LOW;
        if (op_stack_push(low ? &store->low : &store->ordinary, op))
            call_writer(store);
    }
    return OK;
}

enum code
store_submit(struct store *store, struct op *op, struct err *err)
{
    return submit(store, op, NULL, err);
}

enum code
store_run(struct store *store, struct op *op, struct err *err)
{
    struct waiter waiter = { .done = false };

    assert(!store->draining);
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.answered, NULL);
    enum code rc = submit(store, op, &waiter, err);
    if (rc == OK) {
        pthread_mutex_lock(&waiter.lock);
        while (!waiter.done)
            pthread_cond_wait(&waiter.answered, &waiter.lock);
        pthread_mutex_unlock(&waiter.lock);
        rc = op->code;
        if (rc && err != NULL)
            *err = op->err;
    }
    pthread_cond_destroy(&waiter.answered);
    pthread_mutex_destroy(&waiter.lock);
    return rc;
}

enum code
store_backup(struct store *store, const char *path, const struct copy_watch *watch,
             unix_ms *until, struct err *err)
{
    struct copy_job job = { .path = path, .watch = watch, .err = err };

    if (store->writer->type->concurrent)
        return err_set(err, CODE_USAGE, "PostgreSQL has copies of its own: use pg_basebackup or "
                                        "pg_dump");
    if (!store->writer->type->has_log)
        return err_set(err, CODE_USAGE, "a store in memory has no file to copy");
    if (store->options.inline_runner) {
        while (copy_job_slice(&job, store->writer))
            continue;
        return copy_job_keep(&job, store->writer, until);
    }
    pthread_mutex_lock(&store->call_lock);
    if (store->job != NULL) {
        pthread_mutex_unlock(&store->call_lock);
        return err_set(err, CODE_BUSY, "another copy is being made");
    }
    store->job = &job;
    store->called = true;
    pthread_cond_signal(&store->call);
    while (!job.done)
        pthread_cond_wait(&store->copied, &store->call_lock);
    pthread_mutex_unlock(&store->call_lock);
    return copy_job_keep(&job, store->writer, until);
}

struct backend *
store_inline_writer(struct store *store)
{
    return store->options.inline_runner && !store->draining ? store->writer : NULL;
}

const char *
store_identity(const struct store *store)
{
    return store->identity;
}

void
store_table(const struct store *store, enum table table, struct table_facts *facts)
{
    table_facts(store->writer, table, facts);
}

void
store_read_stats(struct store *store, struct store_stats *stats)
{
    const struct solo *solo = &store->inline_solo; /* all zero where it is not used */
    struct lanes_stats lanes = { solo->commits, solo->runs_again, solo->commit_us_sum,
                                 solo->commit_us_max };

    if (store->lanes != NULL)
        lanes_read_stats(store->lanes, &lanes);
    *stats = (struct store_stats){
        .operations = atomic_load(&store->operations),
        .batches = atomic_load(&store->batches) + lanes.commits,
        .retries_alone = atomic_load(&store->alone) + lanes.runs_again,
        .wal_bytes = atomic_load(&store->log_bytes),
        .gate_closings = atomic_load(&store->gate_closings),
        .queue_length = atomic_load(&store->in_flight),
        .commit_us_sum = atomic_load(&store->commit_us_sum) + lanes.commit_us_sum,
        .commit_us_max = atomic_load(&store->commit_us_max),
    };
    if (lanes.commit_us_max > stats->commit_us_max)
        stats->commit_us_max = lanes.commit_us_max;
}

/* ---- start and end ---- */

static void
stop_threads(struct store *store)
{
    atomic_store(&store->closing, true);
    pthread_mutex_lock(&store->read_lock);
    pthread_cond_broadcast(&store->read_call);
    pthread_mutex_unlock(&store->read_lock);
    for (uint32_t i = 0; i < store->reader_count; i++) {
        if (store->reader[i].started)
            pthread_join(store->reader[i].thread, NULL);
    }
    if (store->writer_started) {
        call_writer(store);
        pthread_join(store->writer_thread, NULL);
    }
    lanes_stop(store->lanes);
    store->lanes = NULL;
    if (store->checkpoint_started) {
        pthread_mutex_lock(&store->gate_lock);
        store->gate_stop = true;
        pthread_cond_broadcast(&store->log_call);
        pthread_cond_broadcast(&store->gate_moved);
        pthread_mutex_unlock(&store->gate_lock);
        pthread_join(store->checkpoint_thread, NULL);
    }
}

static void
free_store(struct store *store)
{
    for (uint32_t i = 0; i < store->reader_count; i++) {
        if (store->reader[i].backend != NULL)
            store->reader[i].backend->type->close(store->reader[i].backend);
    }
    if (store->checkpointer != NULL)
        store->checkpointer->type->close(store->checkpointer);
    store->writer->type->close(store->writer);
    ground_free(store->ground);
    pthread_cond_destroy(&store->call);
    pthread_cond_destroy(&store->copied);
    pthread_cond_destroy(&store->read_call);
    pthread_cond_destroy(&store->gate_moved);
    pthread_cond_destroy(&store->log_call);
    pthread_mutex_destroy(&store->call_lock);
    pthread_mutex_destroy(&store->read_lock);
    pthread_mutex_destroy(&store->gate_lock);
    free(store->reader);
    free(store);
}

void
store_close(struct store *store)
{
    if (store == NULL)
        return;
    assert(!store->draining);
    stop_threads(store);
    free_store(store);
}

static void
init_locks(struct store *store)
{
    pthread_condattr_t steady;

    pthread_mutex_init(&store->call_lock, NULL);
    pthread_mutex_init(&store->read_lock, NULL);
    pthread_mutex_init(&store->gate_lock, NULL);
    pthread_cond_init(&store->call, NULL);
    pthread_cond_init(&store->copied, NULL);
    pthread_cond_init(&store->read_call, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&store->gate_moved, NULL);
    pthread_cond_init(&store->log_call, &steady);
    pthread_condattr_destroy(&steady);
}

static enum code
connect_all(struct store *store, struct err *err)
{
    struct backend *writer = store->writer;
    enum code rc = OK;

    for (uint32_t i = 0; i < store->reader_count && rc == OK; i++) {
        struct reader *reader = &store->reader[i];
        reader->store = store;
        rc = writer->type->connect(writer, ROLE_READER, &reader->backend, err);
        reader->solo = (struct solo){ .backend = reader->backend,
                                      .reconnect_ms = store->options.reconnect_ms };
    }
    if (rc == OK && writer->type->has_log)
        rc = writer->type->connect(writer, ROLE_CHECKPOINTER, &store->checkpointer, err);
    return rc;
}

static bool
start_threads(struct store *store)
{
    if (store->checkpointer != NULL) {
        store->checkpoint_started = pthread_create(&store->checkpoint_thread, NULL, checkpoint_main,
                                                   store) == 0;
        if (!store->checkpoint_started)
            return false;
    }
    for (uint32_t i = 0; i < store->reader_count; i++) {
        struct reader *reader = &store->reader[i];
        reader->started = pthread_create(&reader->thread, NULL, reader_main, reader) == 0;
        if (!reader->started)
            return false;
    }
    if (store->writer->type->concurrent)
        return true;
    store->writer_started = pthread_create(&store->writer_thread, NULL, writer_main, store) == 0;
    return store->writer_started;
}

static enum code
start_lanes(struct store *store, struct err *err)
{
    uint32_t count = store->options.lanes > 0 ? store->options.lanes : lanes_default;
    struct lanes_options options = {
        .writer = store->writer,
        .count = count < lanes_max ? count : lanes_max,
        .reconnect_ms = store->options.reconnect_ms,
        .answer = answer_for_lane,
        .context = store,
    };

    return store->writer->type->concurrent ? lanes_start(&options, &store->lanes, err) : OK;
}

/* Threads of the store take no signals: those are for the one who opened it. */
static enum code
start_all(struct store *store, struct err *err)
{
    sigset_t all, before;

    enum code rc = connect_all(store, err);
    if (rc)
        return rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = start_lanes(store, err);
    bool started = rc == OK && start_threads(store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == OK && !started)
        rc = err_set(err, CODE_NO_MEMORY, "cannot start the threads of the store");
    return rc;
}

static enum code
identify(struct store *store, struct err *err)
{
    struct buf buf;

    buf_init_fixed(&buf, store->identity, sizeof store->identity);
    enum code rc = store->writer->type->identify(store->writer, &buf, err);
    buf_add_char(&buf, '\0');
    if (rc == OK && buf.failed)
        rc = err_set(err, CODE_LIMIT, "the name of the book is too long");
    return rc;
}

enum code
store_start(const struct store_options *options, struct ground *ground, struct backend *writer,
            struct store **out, struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    uint32_t readers = options->readers > 0 ? options->readers : readers_default;

    if (readers > readers_max)
        readers = readers_max;
    if (store != NULL)
        store->reader = calloc(readers, sizeof *store->reader);
    if (store == NULL || store->reader == NULL) {
        free(store);
        writer->type->close(writer);
        ground_free(ground);
        return err_set(err, CODE_NO_MEMORY, "no memory to open a store");
    }
    store->options = *options;
    store->ground = ground;
    store->writer = writer;
    store->batch_max = options->batch_max > 0 ? options->batch_max : batch_max_default;
    store->wal_cap = options->wal_cap_bytes > 0 ? options->wal_cap_bytes : wal_cap_bytes_default;
    store->reader_count = options->inline_runner ? 0 : readers;
    store->inline_solo = (struct solo){ .backend = writer, .reconnect_ms = options->reconnect_ms };
    init_locks(store);
    note_log(store);
    enum code rc = options->moving ? identify(store, err) : OK;
    if (rc == OK && !options->inline_runner)
        rc = start_all(store, err);
    if (rc) {
        stop_threads(store);
        free_store(store);
        return rc;
    }
    *out = store;
    return OK;
}
