/*
 * heartbeat.c - the thread that keeps a server in touch with its book.
 *
 * Owns:      when service_beat() is called, and telling the operator when it begins to fail.
 * Invariant: a failure is no end: the next beat tries again, and ids are refused meanwhile once
 *            the lease is over.
 * Tests:     tests/stories/servers
 */
#include "jobs/heartbeat.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { beat_every_s = 1 };

struct heartbeat {
    struct service *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* Wait for the next beat; true when told to stop. */
static bool
wait_for_next(struct heartbeat *heartbeat)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += beat_every_s;
    pthread_mutex_lock(&heartbeat->lock);
    while (!heartbeat->stop && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&heartbeat->wake, &heartbeat->lock, &until);
    bool stop = heartbeat->stop;
    pthread_mutex_unlock(&heartbeat->lock);
    return stop;
}

static void *
heartbeat_thread(void *context)
{
    struct heartbeat *heartbeat = context;
    bool was_good = true;

    while (!wait_for_next(heartbeat)) {
        struct err err;
        bool good = service_beat(heartbeat->service, &err) == OK;
        if (was_good && !good)
            fprintf(stderr, "kopilka: out of touch with the book: %s\n", err.text);
        if (good && !was_good)
            fprintf(stderr, "kopilka: in touch with the book again\n");
        was_good = good;
    }
    return NULL;
}

static void
destroy(struct heartbeat *heartbeat)
{
    service_driven(heartbeat->service, false);
    pthread_cond_destroy(&heartbeat->wake);
    pthread_mutex_destroy(&heartbeat->lock);
    free(heartbeat);
}

enum code
heartbeat_start(struct service *service, struct heartbeat **heartbeat, struct err *err)
{
    struct heartbeat *made = calloc(1, sizeof(*made));
    pthread_condattr_t steady;

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the heartbeat");
    made->service = service;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, &steady);
    pthread_condattr_destroy(&steady);
    enum code rc = service_beat(service, err);
    service_driven(service, true);
    if (!rc && pthread_create(&made->thread, NULL, heartbeat_thread, made) != 0)
        rc = err_set(err, CODE_NO_MEMORY, "cannot start the heartbeat");
    if (rc) {
        destroy(made);
        return rc;
    }
    *heartbeat = made;
    return OK;
}

void
heartbeat_stop(struct heartbeat *heartbeat)
{
    if (!heartbeat)
        return;
    pthread_mutex_lock(&heartbeat->lock);
    heartbeat->stop = true;
    pthread_cond_signal(&heartbeat->wake);
    pthread_mutex_unlock(&heartbeat->lock);
    pthread_join(heartbeat->thread, NULL);
    destroy(heartbeat);
}
