/*
 * counters.h - what one loop has counted, and the sum over loops.
 *
 * Owns:      struct counters, count().
 * Must not:  be written by any thread but the loop's own.
 * Invariant: a reader sees each counter whole, though not all of one instant.
 * Cost:      an addition; no locked instruction, because there is one writer.
 * Tests:     tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_COUNTERS_H
#define KOP_HTTP_COUNTERS_H

#include "http/loop.h"

#include <stdatomic.h>

struct counters {
    _Atomic uint64_t connections, connections_refused, connections_open;
    _Atomic uint64_t requests, answered, refused, timed_out, vanished;
    _Atomic uint64_t responses[6];
    _Atomic uint64_t bytes_in, bytes_out;
};

static inline uint64_t
counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void
count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, counted(counter) + by, memory_order_relaxed);
}

/* Add what one loop has counted to `sum`. */
void counters_add(const struct counters *counters, struct http_counters *sum);

#endif
