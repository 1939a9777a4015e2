/*
 * wide.h - 128-bit integers, hidden: exact products and quotients of amounts.
 *
 * Owns:      multiplication and division of int64 through 128 bits, checked addition.
 * Must not:  leak __int128 into other headers.
 * Invariant: a result is exact or it is refused.
 */
#ifndef KOP_BASE_WIDE_H
#define KOP_BASE_WIDE_H

#include "base/check.h"

/* How a quotient that is not whole becomes whole. Names as in programme documents. */
enum rounding {
    ROUND_HALF_UP,   /* "half-up": half away from zero (the default) */
    ROUND_HALF_EVEN, /* "half-even" */
    ROUND_HALF_DOWN, /* "half-down": half towards zero */
    ROUND_DOWN,      /* "down": towards zero */
    ROUND_UP,        /* "up": away from zero */
    ROUND_FLOOR,     /* towards minus infinity; not offered in documents */
    ROUND_CEIL,      /* towards plus infinity; not offered in documents */
};

/* false on overflow, and `*result` is untouched. */
KOP_MUST_CHECK bool i64_add(int64_t a, int64_t b, int64_t *result);
KOP_MUST_CHECK bool i64_sub(int64_t a, int64_t b, int64_t *result);
KOP_MUST_CHECK bool i64_mul(int64_t a, int64_t b, int64_t *result);

/* round(a * b / c), c > 0, through 128 bits; false when it does not fit int64. */
KOP_MUST_CHECK bool i64_mul_div(int64_t a, int64_t b, int64_t c, enum rounding mode,
                                int64_t *result);

/* round(a * b / (c * d)), c > 0 and d > 0; false when it does not fit, or c * d does not. */
KOP_MUST_CHECK bool i64_mul_div2(int64_t a, int64_t b, int64_t c, int64_t d, enum rounding mode,
                                 int64_t *result);

/* Compare a * b with c * d exactly: -1, 0, 1. */
int i64_compare_products(int64_t a, int64_t b, int64_t c, int64_t d);

/* a * b mod c for a, b >= 0 and c > 0 (the remainder that largest-remainder spreading needs). */
int64_t i64_mul_mod(int64_t a, int64_t b, int64_t c);

/* 10^n for 0 <= n <= 18. */
int64_t i64_pow10(int n);

#endif
