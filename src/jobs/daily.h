/*
 * daily.h - the thread that runs the daily work while a server serves.
 *
 * Owns:      when it runs: every few minutes, so that each programme's midnight is met soon.
 * Must not:  decide what is due.
 */
#ifndef KOP_JOBS_DAILY_H
#define KOP_JOBS_DAILY_H

#include "service/service.h"

struct daily_job;

KOP_MUST_CHECK enum code daily_job_start(struct service *service, struct daily_job **job,
                                         struct err *err);
/* Waits for the slice at work. NULL is allowed. */
void daily_job_stop(struct daily_job *job);

#endif
