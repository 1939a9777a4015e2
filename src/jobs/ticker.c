/*
 * ticker.c - a thread that does one thing again and again.
 *
 * Owns:      the thread, the waiting between two times, the stop.
 * Invariant: waiting goes by the steady clock: a clock that is put back or ahead changes nothing.
 * Tests:     tests/unit/jobs/test_ticker.c, tests/stories/ (stopping, servers)
 */
#include "jobs/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct ticker {
    uint32_t seconds;
    void (*tick)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* Wait for the next time; true when told to stop. */
static bool
wait_for_next(struct ticker *ticker)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ticker->seconds;
    pthread_mutex_lock(&ticker->lock);
    while (!ticker->stop && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&ticker->wake, &ticker->lock, &until);
    bool stop = ticker->stop;
    pthread_mutex_unlock(&ticker->lock);
    return stop;
}

static void *
ticker_thread(void *context)
{
    struct ticker *ticker = context;

    while (!wait_for_next(ticker))
        ticker->tick(ticker->context);
    return NULL;
}

static void
destroy(struct ticker *ticker)
{
    pthread_cond_destroy(&ticker->wake);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}

enum code
ticker_start(uint32_t seconds, void (*tick)(void *context), void *context, struct ticker **ticker,
             struct err *err)
{
    struct ticker *made = calloc(1, sizeof(*made));
    pthread_condattr_t steady;

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for a thread");
    made->seconds = seconds;
    made->tick = tick;
    made->context = context;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&made->thread, NULL, ticker_thread, made) != 0) {
        destroy(made);
        return err_set(err, CODE_NO_MEMORY, "cannot start a thread");
    }
    *ticker = made;
    return OK;
}

void
ticker_stop(struct ticker *ticker)
{
    if (!ticker)
        return;
    pthread_mutex_lock(&ticker->lock);
    ticker->stop = true;
    pthread_cond_signal(&ticker->wake);
    pthread_mutex_unlock(&ticker->lock);
    pthread_join(ticker->thread, NULL);
    destroy(ticker);
}
