/*
 * daily.c - runs the daily work while a server serves.
 *
 * Owns:      when it runs: every few minutes, so that each programme's midnight is met soon.
 * Invariant: stopping waits for the slice at work; nothing depends on a run having happened.
 * Tests:     tests/stories/
 */
#include "jobs/daily.h"

#include "jobs/ticker.h"

#include <stdio.h>
#include <stdlib.h>

enum { daily_every_s = 300 };

struct daily_job {
    struct service *service;
    struct ticker *ticker;
};

static void
run(void *context)
{
    struct daily_job *job = context;
    struct host host = host_system();
    struct daily_result result;
    struct err err;

    if (service_daily(job->service, host.now(host.context), &result, &err))
        fprintf(stderr, "kopilka: the daily run stopped: %s\n", err.text);
    if (result.swept > 0)
        fprintf(stderr, "kopilka: the daily run deleted %llu persons that no member named\n",
                (unsigned long long)result.swept);
}

enum code
daily_job_start(struct service *service, struct daily_job **job, struct err *err)
{
    struct daily_job *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the daily job");
    made->service = service;
    enum code rc = ticker_start(daily_every_s, run, made, &made->ticker, err);
    if (rc) {
        free(made);
        return rc;
    }
    *job = made;
    return OK;
}

void
daily_job_stop(struct daily_job *job)
{
    if (!job)
        return;
    ticker_stop(job->ticker);
    free(job);
}
