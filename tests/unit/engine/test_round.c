/*
 * test_round.c - rounding to a quantum, against a second exact implementation.
 *
 * Owns:      the second implementation: it looks for the two multiples around the exact value and
 *            compares distances, in 128 bits, without dividing and correcting.
 * Must not:  call round_quotient() to find what it should give.
 */
#include "engine/round.h"
#include "engine/engine.h"
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef __int128 wide;

static uint64_t seed = 7;

static uint64_t
next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* The greatest multiple of `step` that is not above `value`, found by bisection on the multiple. */
static wide
multiple_below(wide value, wide step)
{
    wide low = -1, high = 1; /* low * step <= value < high * step */
    while (low * step > value)
        low *= 2;
    while (high * step <= value)
        high *= 2;
    while (high - low > 1) {
        wide middle = low + (high - low) / 2;
        if (middle * step <= value)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* In units of 1 / den: the exact value is num, a step is den * quantum. */
static wide
second(wide num, wide den, wide quantum, enum rounding mode)
{
    wide step = den * quantum;
    wide low = multiple_below(num, step);
    wide below = num - low * step, above = (low + 1) * step - num;
    bool negative = num < 0;

    if (below == 0)
        return low * quantum;
    wide towards_zero = negative ? low + 1 : low;
    wide away = negative ? low : low + 1;
    wide nearer = below < above ? low : low + 1;
    switch (mode) {
    case ROUND_HALF_UP:
        return (below == above ? away : nearer) * quantum;
    case ROUND_HALF_DOWN:
        return (below == above ? towards_zero : nearer) * quantum;
    case ROUND_HALF_EVEN:
        return (below == above ? (low % 2 == 0 ? low : low + 1) : nearer) * quantum;
    case ROUND_DOWN:
        return towards_zero * quantum;
    case ROUND_UP:
        return away * quantum;
    case ROUND_FLOOR:
        return low * quantum;
    case ROUND_CEIL:
        return (low + 1) * quantum;
    }
    fail_msg("a mode that is not known");
    return 0;
}

struct row {
    int64_t num, den;
    amount quantum;
    enum rounding mode;
    amount result;
};

static const struct row rows[] = {
    { 5, 2, 1, ROUND_HALF_UP, 3 },
    { -5, 2, 1, ROUND_HALF_UP, -3 },
    { 5, 2, 1, ROUND_HALF_EVEN, 2 },
    { 7, 2, 1, ROUND_HALF_EVEN, 4 },
    { 5, 2, 1, ROUND_HALF_DOWN, 2 },
    { -5, 2, 1, ROUND_HALF_DOWN, -2 },
    { 26, 10, 1, ROUND_HALF_DOWN, 3 },
    { 29, 10, 1, ROUND_DOWN, 2 },
    { -29, 10, 1, ROUND_DOWN, -2 },
    { 21, 10, 1, ROUND_UP, 3 },
    { -21, 10, 1, ROUND_UP, -3 },
    { 20, 10, 1, ROUND_UP, 2 },
    { 249, 1, 100, ROUND_HALF_UP, 200 },
    { 250, 1, 100, ROUND_HALF_UP, 300 },
    { 250, 1, 100, ROUND_HALF_EVEN, 200 },
    { 350, 1, 100, ROUND_HALF_EVEN, 400 },
    /* 249.5 is nearer to 200: rounding it to 250 first would give 300 */
    { 499, 2, 100, ROUND_HALF_UP, 200 },
    { 0, 7, 10, ROUND_UP, 0 },
    { INT64_MAX, 1, 1, ROUND_HALF_UP, INT64_MAX },
    { INT64_MIN, 1, 1, ROUND_HALF_UP, INT64_MIN },
    { -1, 3, 1, ROUND_FLOOR, -1 },
    { 1, 3, 1, ROUND_CEIL, 1 },
};

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < KOP_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        amount result;
        assert_true(round_quotient(row->num, row->den, row->quantum, row->mode, &result));
        if (result != row->result)
            fail_msg("row %zu: %lld", i, (long long)result);
        assert_true(second(row->num, row->den, row->quantum, row->mode) == row->result);
    }
}

/* Many sizes, and values that lie at and beside a half. */
static void
test_random(void **state)
{
    static const amount quanta[] = { 1, 1, 2, 5, 10, 50, 100, 1000, 7, 100000 };

    (void)state;
    for (int i = 0; i < 70000; i++) {
        enum rounding mode = (enum rounding)(i % 7);
        amount quantum = quanta[next() % KOP_COUNT(quanta)];
        int64_t den = 1 + (int64_t)(next() >> (24 + next() % 39)) % 1000000000;
        int64_t num = (int64_t)next() >> (next() % 60);
        if (next() % 2 == 0) { /* k steps and a half, and one to either side */
            den = 1 + den % 1000000;
            num = (int64_t)(next() % 10000) * den * quantum + den * quantum / 2 +
                  (int64_t)(next() % 3) - 1;
        }
        if (next() % 4 == 0)
            num = num == INT64_MIN ? 0 : -num;
        wide expected = second(num, den, quantum, mode);
        amount result = 12345;
        bool fits = expected >= INT64_MIN && expected <= INT64_MAX;
        assert_int_equal(round_quotient(num, den, quantum, mode, &result), fits);
        assert_true(result == (fits ? (amount)expected : 12345));
    }
}

/* Products that need 128 bits. */
static void
test_product(void **state)
{
    (void)state;
    for (int i = 0; i < 30000; i++) {
        enum rounding mode = (enum rounding)(i % 7);
        int64_t a = (int64_t)(next() % 1000000000000000), b = (int64_t)(next() % 100000000);
        int64_t c = 1 + (int64_t)(next() % 100000000);
        amount quantum = 1 + (amount)(next() % 100), result;
        bool inexact = false;
        wide expected = second((wide)a * b, c, quantum, mode);
        bool fits = expected <= INT64_MAX;
        assert_int_equal(round_product(a, b, c, quantum, mode, &result, &inexact), fits);
        if (!fits)
            continue;
        assert_true(result == (amount)expected);
        assert_int_equal(inexact, (wide)a * b != expected * c);
    }
    assert_int_equal(round_saturated(INT64_MAX, 2, 1, ROUND_DOWN), INT64_MAX);
    assert_int_equal(round_saturated(7, 3, 2, ROUND_DOWN), 10);
}

static void
test_overflow(void **state)
{
    amount result = 5;

    (void)state;
    assert_false(round_quotient(INT64_MAX, 1, 1000, ROUND_UP, &result));
    assert_int_equal(result, 5);
    assert_true(round_quotient(INT64_MAX, 1, 1000, ROUND_DOWN, &result));
    assert_int_equal(result, INT64_MAX / 1000 * 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
