/*
 * batch.h - operations in transactions: many in one, or each alone when one of them fails.
 *
 * Owns:      what happens between begin and commit. No threads here.
 * Must not:  answer: the runner calls done() after the batch has come back.
 */
#ifndef KOP_STORE_BATCH_H
#define KOP_STORE_BATCH_H

#include "store/queue.h"
#include "store/tx.h"

/* Where a batch gets its operations, and what it counts. */
struct batch {
    struct backend *writer;
    struct op *(*next)(void *context); /* NULL: that was the last one of this transaction */
    void *context;
    /* Filled in by batch_run(): */
    struct op_list ran; /* each with its code; to be answered */
    uint64_t alone;     /* how many ran again alone */
    uint64_t commits, commit_us_sum, commit_us_max;
};

/*
 * One transaction over everything that next() gives. If a write fails, it is rolled back and each
 * operation runs again alone. CODE_UNKNOWN: the disk failed under a commit; operations whose fate
 * nobody knows have that code, and those that had not run yet have CODE_IO.
 */
KOP_MUST_CHECK enum code batch_run(struct batch *batch, struct err *err);

/* One operation that reads, in a transaction of its own. */
void read_run(struct backend *reader, struct op *op, bool (*overdue)(void *context),
              void *overdue_context);

/* Make an operation what it was when it was submitted. */
void op_reset(struct op *op);

/* Microseconds of a clock that never goes back. */
uint64_t steady_us(void);

#endif
