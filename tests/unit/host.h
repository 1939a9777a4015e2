/*
 * host.h - what a test program gives the pure core.
 *
 * Owns:      the arena source of tests; kop_check_failed() is in host.c.
 * Must not:  grow helpers of one folder's tests.
 */
#ifndef KOP_TESTS_UNIT_HOST_H
#define KOP_TESTS_UNIT_HOST_H

#include "base/arena.h"

/* Blocks from malloc(). */
struct arena_source host_source(void);

#endif
