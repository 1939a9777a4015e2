/*
 * sort.h - a stable sort of small arrays by a total order.
 *
 * Owns:      merge sort with scratch from the caller.
 * Invariant: equal items keep their order, so a result never depends on the algorithm.
 */
#ifndef KOP_BASE_SORT_H
#define KOP_BASE_SORT_H

#include "base/check.h"

/* Sort `count` items of `size` bytes; `scratch` has room for as many. compare() < 0, 0, > 0. */
void sort_stable(void *items, size_t count, size_t size, void *scratch,
                 int (*compare)(const void *a, const void *b, void *context), void *context);

#endif
