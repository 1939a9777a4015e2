/*
 * copy_job.c - a copy of the book, slice by slice between the writer's batches.
 *
 * Owns:      the steps of a copy, and until when the book is in it.
 * Must not:  know threads: the runner calls.
 * Invariant: no commit comes between the look at the clock and the slice after it; so what was
 *            answered before the last look is in the copy.
 * Tests:     tests/unit/store/test_keep.c, tests/stories/backup
 */
#include "store/copy_job.h"

#include <time.h>

bool
copy_job_slice(struct copy_job *job, struct backend *writer)
{
    const struct backend_type *type = writer->type;
    const struct copy_watch *watch = job->watch;
    struct copied copied = { 0 };
    struct timespec now;

    if (job->backup == NULL)
        job->code = type->backup_begin(writer, job->path, &job->backup, job->err);
    if (job->backup == NULL)
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    job->until = (unix_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    job->code = type->backup_step(job->backup, &copied, job->err);
    if (job->code == OK && watch != NULL && !copied.is_whole &&
        !watch->go_on(watch->context, copied.done, copied.total))
        job->code = err_set(job->err, CODE_BUSY, "the copy to '%s' was given up", job->path);
    if (job->code == OK && !copied.is_whole)
        return true;
    struct err *err = job->code == OK ? job->err : NULL; /* the first failure is told */
    enum code rc = type->backup_end(job->backup, err);
    if (job->code == OK)
        job->code = rc;
    return false;
}

enum code
copy_job_keep(struct copy_job *job, struct backend *writer, unix_ms *until)
{
    if (job->backup == NULL)
        return job->code;
    struct err *err = job->code == OK ? job->err : NULL;
    enum code rc = writer->type->backup_keep(job->backup, job->code == OK, err);
    *until = job->until;
    return job->code != OK ? job->code : rc;
}
