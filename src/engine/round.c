/*
 * round.c - rounding of an exact quotient to a multiple of a quantum.
 *
 * Owns:      round_quotient(), round_product(), round_saturated().
 * Must not:  round a rounded value: the quantum is part of the one division.
 * Invariant: the result is a multiple of the quantum and differs from the exact value by less than
 *            one quantum (by at most half of one under the half modes).
 * Cost:      one division, of 64 bits when the product fits.
 * Tests:     tests/unit/engine/test_round.c
 */
#include "engine/round.h"

#include "engine/engine.h"

bool
round_product(int64_t a, int64_t b, int64_t c, amount quantum, enum rounding mode, amount *result,
              bool *inexact)
{
    int64_t steps, rounded;

    assert(c > 0);
    assert(quantum > 0);
    assert(result != NULL);
    if (!i64_mul_div2(a, b, c, quantum, mode, &steps))
        return false;
    if (!i64_mul(steps, quantum, &rounded))
        return false;
    if (inexact != NULL)
        *inexact = i64_compare_products(a, b, rounded, c) != 0;
    *result = rounded;
    return true;
}

bool
round_quotient(int64_t num, int64_t den, amount quantum, enum rounding mode, amount *result)
{
    assert(den > 0);
    return round_product(num, 1, den, quantum, mode, result, NULL);
}

amount
round_saturated(int64_t a, int64_t b, int64_t c, enum rounding mode)
{
    int64_t result;

    assert(a >= 0);
    assert(b >= 0);
    return i64_mul_div(a, b, c, mode, &result) ? result : INT64_MAX;
}
