/*
 * unit.h - what the tests of base share: cmocka, an arena, seeded random numbers.
 *
 * Owns:      struct random64.
 * Must not:  be random in truth: a failure must come again.
 */
#ifndef KOP_TESTS_UNIT_BASE_UNIT_H
#define KOP_TESTS_UNIT_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "host.h"

/* An arena over malloc() with room for any test. */
static inline struct arena unit_arena(void)
{
    struct arena arena;

    arena_init(&arena, host_source(), 64 * 1024, (size_t)256 * 1024 * 1024);
    return arena;
}

static inline void assert_text_is(struct text text, const char *expected)
{
    if (!text_equal(text, text_of(expected)))
        fail_msg("'%.*s' is not '%s'", (int)text.len, text.ptr, expected);
}

/* splitmix64. */
struct random64 {
    uint64_t state;
};

static inline uint64_t random_next(struct random64 *random)
{
    uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 to below - 1. */
static inline uint32_t random_below(struct random64 *random, uint32_t below)
{
    return (uint32_t)(random_next(random) % below);
}

#endif
