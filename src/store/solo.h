/*
 * solo.h - one operation in a transaction of its own, on a database where others write as well.
 *
 * Owns:      struct solo: a connection with what belongs to it. No threads here.
 * Must not:  answer: the runner calls done() after solo_run() has come back.
 */
#ifndef KOP_STORE_SOLO_H
#define KOP_STORE_SOLO_H

#include "store/batch.h"
#include "store/route_cache.h"

struct solo {
    struct backend *backend;
    struct route_cache *cache; /* NULL: every route is looked up */
    uint32_t reconnect_ms;     /* how long a lost database is waited for */
    uint64_t down_since;       /* steady microseconds; 0: it answers */
    /* Figures since the last look: */
    uint64_t commits, runs_again, commit_us_sum, commit_us_max;
};

/* Run an operation to its end; its code tells how it went. */
void solo_run(struct solo *solo, struct op *op);

#endif
