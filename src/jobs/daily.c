/*
 * daily.c - the thread that runs the daily work while a server serves.
 *
 * Owns:      when it runs: every few minutes, so that each programme's midnight is met soon.
 * Invariant: stopping waits for the slice at work; nothing depends on a run having happened.
 * Tests:     tests/stories/
 */
#include "jobs/daily.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { daily_every_s = 300 };

struct daily_job {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* Wait for the next run; true when told to stop. */
static bool
wait_for_next(struct daily_job *job)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += daily_every_s;
    pthread_mutex_lock(&job->lock);
    while (!job->stop && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&job->wake, &job->lock, &until);
    bool stop = job->stop;
    pthread_mutex_unlock(&job->lock);
    return stop;
}

static void *
daily_thread(void *context)
{
    struct daily_job *job = context;
    struct host host = host_system();

    while (!wait_for_next(job)) {
        struct daily_result result;
        struct err err;
        if (service_daily(job->service, host.now(host.context), &result, &err))
            fprintf(stderr, "kopilka: the daily run stopped: %s\n", err.text);
        if (result.swept > 0)
            fprintf(stderr, "kopilka: the daily run deleted %llu persons that no member named\n",
                    (unsigned long long)result.swept);
    }
    return NULL;
}

enum code
daily_job_start(struct service *service, struct daily_job **job, struct err *err)
{
    struct daily_job *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the daily job");
    made->service = service;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    if (pthread_create(&made->thread, NULL, daily_thread, made) != 0) {
        free(made);
        return err_set(err, CODE_NO_MEMORY, "cannot start the daily job");
    }
    *job = made;
    return OK;
}

void
daily_job_stop(struct daily_job *job)
{
    if (!job)
        return;
    pthread_mutex_lock(&job->lock);
    job->stop = true;
    pthread_cond_signal(&job->wake);
    pthread_mutex_unlock(&job->lock);
    pthread_join(job->thread, NULL);
    pthread_cond_destroy(&job->wake);
    pthread_mutex_destroy(&job->lock);
    free(job);
}
