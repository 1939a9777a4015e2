/*
 * copy_job.h - a copy of the book that store_backup() waits for.
 *
 * Owns:      struct copy_job.
 * Must not:  be included by anything but runner.c and copy_job.c.
 */
#ifndef KOP_STORE_COPY_JOB_H
#define KOP_STORE_COPY_JOB_H

#include "store/backend.h"
#include "store/store.h"

struct copy_job {
    const char *path;
    const struct copy_watch *watch; /* may be NULL */
    struct err *err;
    struct backup *backup;
    unix_ms until; /* what was answered before is in the copy */
    enum code code;
    bool done; /* nothing is left for the writer's thread to do */
};

/* Copy some pages, on the writer's thread. true: there is more to copy. */
bool copy_job_slice(struct copy_job *job, struct backend *writer);
/* After the last slice, on any thread: the copy on the disk and its name, or why there is none. */
KOP_MUST_CHECK enum code copy_job_keep(struct copy_job *job, struct backend *writer,
                                       unix_ms *until);

#endif
