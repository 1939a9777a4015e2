/*
 * lanes.h - the threads of a store on a concurrent database: each with a connection that writes.
 *
 * Owns:      struct lanes.
 * Must not:  be seen outside the runner.
 */
#ifndef KOP_STORE_LANES_H
#define KOP_STORE_LANES_H

#include "store/solo.h"

struct lanes;

struct lanes_options {
    struct backend *writer; /* the first lane's connection; makes the others; not closed here */
    uint32_t count;
    uint32_t reconnect_ms;
    void (*answer)(void *context, struct op *op); /* called on the lane's thread */
    void *context;
};

KOP_MUST_CHECK enum code lanes_start(const struct lanes_options *options, struct lanes **lanes,
                                     struct err *err);
/* Any thread. Operations of one routing key run in the order in which they come. */
void lanes_push(struct lanes *lanes, struct op *op);
/* Runs what waits, ends the threads, closes connections. NULL is allowed. */
void lanes_stop(struct lanes *lanes);

struct lanes_stats {
    uint64_t commits, runs_again, commit_us_sum, commit_us_max;
};
void lanes_read_stats(struct lanes *lanes, struct lanes_stats *stats);

#endif
