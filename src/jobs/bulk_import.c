/*
 * bulk_import.c - loading members with two threads: one prepares while the other writes.
 *
 * Owns:      a ring of batches. The caller's thread writes, the other one prepares.
 * Invariant: batches are written in the order in which they were prepared; after a failure of
 *            either side both stop, and the first failure is told.
 * Tests:     tests/stories/import
 */
#include "jobs/bulk_import.h"

#include <pthread.h>

enum { batches_in_flight = 4 };

struct pipe {
    struct bulk_load *load;
    struct bulk_batch *batch[batches_in_flight];
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint64_t prepared, written; /* batches, since the beginning */
    bool ended;                 /* no batch will follow */
    bool stop;                  /* the writer gave up */
    enum code failure;
    struct err err;
};

/* A batch to fill; NULL: stop. */
static struct bulk_batch *
await_room(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    while (!pipe->stop && pipe->prepared - pipe->written == batches_in_flight)
        pthread_cond_wait(&pipe->moved, &pipe->lock);
    struct bulk_batch *batch = pipe->stop ? NULL : pipe->batch[pipe->prepared % batches_in_flight];
    pthread_mutex_unlock(&pipe->lock);
    return batch;
}

static void *
prepare_all(void *context)
{
    struct pipe *pipe = context;
    struct bulk_batch *batch;
    bool more = true;

    while (more && (batch = await_room(pipe)) != NULL) {
        struct err err;
        enum code rc = bulk_load_prepare(pipe->load, batch, &more, &err);
        pthread_mutex_lock(&pipe->lock);
        if (rc) {
            pipe->failure = rc;
            pipe->err = err;
            more = false;
        } else {
            pipe->prepared++;
        }
        pipe->ended = !more;
        pthread_cond_signal(&pipe->moved);
        pthread_mutex_unlock(&pipe->lock);
    }
    return NULL;
}

/* The next batch to write; NULL: there are no more. */
static struct bulk_batch *
await_batch(struct pipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    while (!pipe->ended && pipe->prepared == pipe->written)
        pthread_cond_wait(&pipe->moved, &pipe->lock);
    struct bulk_batch *batch = pipe->failure == OK && pipe->prepared > pipe->written
                                   ? pipe->batch[pipe->written % batches_in_flight]
                                   : NULL;
    pthread_mutex_unlock(&pipe->lock);
    return batch;
}

static void
tell(struct pipe *pipe, bool wrote)
{
    pthread_mutex_lock(&pipe->lock);
    if (wrote)
        pipe->written++;
    else
        pipe->stop = true;
    pthread_cond_signal(&pipe->moved);
    pthread_mutex_unlock(&pipe->lock);
}

static enum code
write_all(struct pipe *pipe, progress_fn progress, void *context, struct err *err)
{
    struct bulk_batch *batch;

    while ((batch = await_batch(pipe)) != NULL) {
        enum code rc = bulk_load_write(pipe->load, batch, err);
        tell(pipe, rc == OK);
        if (rc)
            return rc;
        progress(context, bulk_batch_bytes(batch));
    }
    return OK;
}

static enum code
run(struct pipe *pipe, progress_fn progress, void *context, struct err *err)
{
    pthread_t preparing;

    if (pthread_create(&preparing, NULL, prepare_all, pipe) != 0)
        return err_set(err, CODE_NO_MEMORY, "cannot start a thread to prepare members");
    enum code rc = write_all(pipe, progress, context, err);
    pthread_join(preparing, NULL);
    if (!rc && pipe->failure) {
        rc = pipe->failure;
        *err = pipe->err;
    }
    return rc;
}

enum code
bulk_import_run(struct bulk_load *load, progress_fn progress, void *context, struct err *err)
{
    struct pipe pipe = { .load = load };
    enum code rc = OK;

    pthread_mutex_init(&pipe.lock, NULL);
    pthread_cond_init(&pipe.moved, NULL);
    for (int i = 0; i < batches_in_flight && !rc; i++)
        rc = bulk_batch_new(&pipe.batch[i], err);
    if (!rc)
        rc = run(&pipe, progress, context, err);
    for (int i = 0; i < batches_in_flight; i++)
        bulk_batch_free(pipe.batch[i]);
    pthread_cond_destroy(&pipe.moved);
    pthread_mutex_destroy(&pipe.lock);
    return rc;
}
