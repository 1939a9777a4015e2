/*
 * lanes.c - the threads of a store on a concurrent database: each with a connection that writes.
 *
 * Owns:      which lane an operation takes, the queue of each lane.
 * Must not:  know what an operation does, or run two of one routing key at once.
 * Invariant: a lane's connection and cache are used by its thread alone. Every operation that was
 *            pushed is answered once.
 * Cost:      a hand-over is one compare-and-swap; a wake-up only when the lane's stack was empty.
 * Tests:     tests/contract/test_postgres.c
 *
 * The lane is chosen by a hash of the first route, else of the claim: tills that hammer at one card
 * wait for each other here, not on row locks, and their routes are in the lane's own cache. What
 * has neither (jobs) takes the first lane. Correctness does not hang on it: other servers have
 * lanes of their own, and row locks hold between them.
 */
#include "store/lanes.h"

#include <pthread.h>
#include <stdlib.h>

enum { cache_slots = 1 << 14 };

struct lane {
    struct lanes *lanes;
    struct solo solo;
    pthread_t thread;
    bool started;
    struct op_stack ordinary, low;
    struct op_list pending, pending_low; /* the thread's own */
    pthread_mutex_t lock;
    pthread_cond_t call;
    bool called, closing;
    atomic_uint_fast64_t commits, runs_again, commit_us_sum, commit_us_max;
};

struct lanes {
    struct lanes_options options;
    uint32_t count; /* of lanes that have been set up */
    struct lane lane[];
};

static void
call_lane(struct lane *lane, bool closing)
{
    pthread_mutex_lock(&lane->lock);
    lane->called = true;
    lane->closing = lane->closing || closing;
    pthread_cond_signal(&lane->call);
    pthread_mutex_unlock(&lane->lock);
}

/* false: nothing more will come. */
static bool
await_call(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    while (!lane->called && !lane->closing)
        pthread_cond_wait(&lane->call, &lane->lock);
    bool more = lane->called;
    lane->called = false;
    pthread_mutex_unlock(&lane->lock);
    return more;
}

static void
take_figures(struct lane *lane)
{
    struct solo *solo = &lane->solo;

    atomic_fetch_add_explicit(&lane->commits, solo->commits, memory_order_relaxed);
    atomic_fetch_add_explicit(&lane->runs_again, solo->runs_again, memory_order_relaxed);
    atomic_fetch_add_explicit(&lane->commit_us_sum, solo->commit_us_sum, memory_order_relaxed);
    if (solo->commit_us_max > atomic_load_explicit(&lane->commit_us_max, memory_order_relaxed))
        atomic_store_explicit(&lane->commit_us_max, solo->commit_us_max, memory_order_relaxed);
    solo->commits = solo->runs_again = solo->commit_us_sum = solo->commit_us_max = 0;
}

/* The next operation: what came last may be an ordinary one, and goes before low ones. */
static struct op *
next_op(struct lane *lane)
{
    op_stack_take(&lane->ordinary, &lane->pending);
    op_stack_take(&lane->low, &lane->pending_low);
    struct op *op = op_list_take(&lane->pending);
    return op != NULL ? op : op_list_take(&lane->pending_low);
}

static void *
lane_main(void *context)
{
    struct lane *lane = context;
    const struct lanes_options *options = &lane->lanes->options;

    do {
        for (struct op *op; (op = next_op(lane)) != NULL;) {
            solo_run(&lane->solo, op);
            take_figures(lane);
            options->answer(options->context, op);
        }
    } while (await_call(lane));
    return NULL;
}

void
lanes_push(struct lanes *lanes, struct op *op)
{
    struct text key = op->route_count > 0 ? op->route[0].key : op->claim;
    struct lane *lane = &lanes->lane[key.len > 0 ? key_hash(key) % lanes->count : 0];
    bool low = op->priority == PRIORITY_LOW;

    if (op_stack_push(low ? &lane->low : &lane->ordinary, op))
        call_lane(lane, false);
}

static enum code
lane_start(struct lanes *lanes, struct lane *lane, struct err *err)
{
    struct backend *writer = lanes->options.writer;

    lane->lanes = lanes;
    lane->solo.reconnect_ms = lanes->options.reconnect_ms;
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->call, NULL);
    lane->solo.cache = route_cache_new(cache_slots);
    if (lane->solo.cache == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for a lane of the store");
    enum code rc = OK;
    if (lane == lanes->lane)
        lane->solo.backend = writer;
    else
        rc = writer->type->connect(writer, ROLE_WRITER, &lane->solo.backend, err);
    if (rc)
        return rc;
    lane->started = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
    return lane->started ? OK : err_set(err, CODE_NO_MEMORY, "cannot start a lane of the store");
}

enum code
lanes_start(const struct lanes_options *options, struct lanes **out, struct err *err)
{
    assert(options->count > 0);
    struct lanes *lanes = calloc(1, sizeof *lanes + options->count * sizeof(struct lane));
    enum code rc = OK;

    if (lanes == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for the lanes of the store");
    lanes->options = *options;
    while (lanes->count < options->count && rc == OK)
        rc = lane_start(lanes, &lanes->lane[lanes->count++], err);
    if (rc) {
        lanes_stop(lanes);
        return rc;
    }
    *out = lanes;
    return OK;
}

/* What another lane's done() handed over when this one had ended. */
static void
refuse_late(struct lane *lane)
{
    const struct lanes_options *options = &lane->lanes->options;

    for (struct op *op; (op = next_op(lane)) != NULL;) {
        op->code = err_set(&op->err, CODE_BUSY, "the store is closing");
        options->answer(options->context, op);
    }
}

void
lanes_stop(struct lanes *lanes)
{
    if (lanes == NULL)
        return;
    for (uint32_t i = 0; i < lanes->count; i++)
        call_lane(&lanes->lane[i], true);
    for (uint32_t i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].started)
            pthread_join(lanes->lane[i].thread, NULL);
    }
    for (uint32_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        refuse_late(lane);
        if (i > 0 && lane->solo.backend != NULL)
            lane->solo.backend->type->close(lane->solo.backend);
        route_cache_free(lane->solo.cache);
        pthread_mutex_destroy(&lane->lock);
        pthread_cond_destroy(&lane->call);
    }
    free(lanes);
}

void
lanes_read_stats(struct lanes *lanes, struct lanes_stats *stats)
{
    *stats = (struct lanes_stats){ 0 };
    for (uint32_t i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        uint64_t most = atomic_load(&lane->commit_us_max);
        stats->commits += atomic_load(&lane->commits);
        stats->runs_again += atomic_load(&lane->runs_again);
        stats->commit_us_sum += atomic_load(&lane->commit_us_sum);
        stats->commit_us_max = most > stats->commit_us_max ? most : stats->commit_us_max;
    }
}
