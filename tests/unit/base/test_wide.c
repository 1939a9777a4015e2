/*
 * test_wide.c - exact arithmetic against a second implementation.
 *
 * Owns:      the tests of base/wide.h.
 * Must not:  multiply or divide the way wide.c does: here numbers are strings of decimal digits,
 *            multiplied by hand, divided by repeated subtraction, and rounded by choosing between
 *            the two neighbours.
 */
#include "base/wide.h"

#include "unit.h"

__extension__ typedef __int128 i128;

enum { digits_max = 40 };

/* Decimal digits, least first. */
struct digits {
    unsigned char digit[digits_max];
};

static struct digits digits_of(uint64_t value)
{
    struct digits digits = { { 0 } };

    for (int i = 0; value > 0; i++, value /= 10)
        digits.digit[i] = (unsigned char)(value % 10);
    return digits;
}

static struct digits digits_times(struct digits a, struct digits b)
{
    unsigned sum[2 * digits_max] = { 0 };
    struct digits product;

    for (int i = 0; i < digits_max; i++) {
        for (int k = 0; k < digits_max; k++)
            sum[i + k] += (unsigned)a.digit[i] * b.digit[k];
    }
    for (int i = 0; i < digits_max; i++) {
        product.digit[i] = (unsigned char)(sum[i] % 10);
        sum[i + 1] += sum[i] / 10;
    }
    return product;
}

/* Long division: the quotient, and the remainder in `*rest`. */
static i128 digits_divide(struct digits a, uint64_t by, uint64_t *rest)
{
    i128 left = 0;
    i128 quotient = 0;

    for (int i = digits_max - 1; i >= 0; i--) {
        left = left * 10 + a.digit[i];
        int times = 0;
        while (left >= (i128)by) {
            left -= by;
            times++;
        }
        assert_true(times <= 9);
        quotient = quotient * 10 + times;
    }
    *rest = (uint64_t)left;
    return quotient;
}

static uint64_t size_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* An exact quotient between two whole neighbours (equal when it is whole). */
struct between {
    i128 low, high;
    int nearer; /* -1 low, 0 a tie, 1 high */
};

static struct between reference(int64_t a, int64_t b, int64_t c)
{
    uint64_t rest;
    i128 size = digits_divide(digits_times(digits_of(size_of(a)), digits_of(size_of(b))),
                              (uint64_t)c, &rest);
    int nearer_low = ((i128)rest * 2 < c) - ((i128)rest * 2 > c);

    if (rest == 0)
        return (struct between){ (a < 0) != (b < 0) ? -size : size,
                                 (a < 0) != (b < 0) ? -size : size, 0 };
    if ((a < 0) != (b < 0))
        return (struct between){ -size - 1, -size, nearer_low };
    return (struct between){ size, size + 1, -nearer_low };
}

static i128 choose(struct between q, enum rounding mode)
{
    i128 to_zero = q.low >= 0 ? q.low : q.high;
    i128 from_zero = q.low >= 0 ? q.high : q.low;
    i128 nearest = q.nearer < 0 ? q.low : q.high;

    switch (mode) {
    case ROUND_HALF_UP:   return q.nearer == 0 ? from_zero : nearest;
    case ROUND_HALF_EVEN: return q.nearer == 0 ? (q.low % 2 == 0 ? q.low : q.high) : nearest;
    case ROUND_HALF_DOWN: return q.nearer == 0 ? to_zero : nearest;
    case ROUND_DOWN:      return to_zero;
    case ROUND_UP:        return from_zero;
    case ROUND_FLOOR:     return q.low;
    case ROUND_CEIL:      return q.high;
    }
    fail();
    return 0;
}

/* Counts of what the random cases met, so that a poor generator is noticed. */
struct met {
    long cases, ties, negative, refused, wide;
};

static void check(int64_t a, int64_t b, int64_t c, struct met *met)
{
    struct between q = reference(a, b, c);
    int64_t product;

    met->cases++;
    met->ties += q.low != q.high && q.nearer == 0;
    met->negative += q.low < 0;
    met->wide += __builtin_mul_overflow(a, b, &product);
    for (int mode = ROUND_HALF_UP; mode <= ROUND_CEIL; mode++) {
        i128 expected = choose(q, (enum rounding)mode);
        bool fits = expected >= INT64_MIN && expected <= INT64_MAX;
        int64_t result = 42;
        bool done = i64_mul_div(a, b, c, (enum rounding)mode, &result);
        int64_t wanted = fits ? (int64_t)expected : 42;
        if (done != fits || result != wanted)
            fail_msg("%lld * %lld / %lld, mode %d: %s %lld, expected %s %lld", (long long)a,
                     (long long)b, (long long)c, mode, done ? "got" : "refused",
                     (long long)result, fits ? "" : "a refusal", (long long)wanted);
        met->refused += !done;
    }
}

static int64_t random_amount(struct random64 *random)
{
    static const int64_t edge[] = {
        0, 1, -1, 2, -2, 5, -5, 10, 100, 10000, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN,
        INT64_MAX - 1, INT64_MIN + 1, (int64_t)1 << 62, -((int64_t)1 << 62), 3037000500,
    };
    uint32_t kind = random_below(random, 8);

    if (kind == 0)
        return edge[random_below(random, KOP_COUNT(edge))];
    int64_t value = (int64_t)(random_next(random) >> random_below(random, 64));
    return random_below(random, 2) ? value : (int64_t)(0 - (uint64_t)value);
}

static int64_t random_positive(struct random64 *random)
{
    int64_t value = random_amount(random);

    if (value == 0 || value == INT64_MIN)
        return 1;
    return value < 0 ? -value : value;
}

static void quotients_agree_with_long_division(void **state)
{
    struct random64 random = { 20240101 };
    struct met met = { 0 };

    (void)state;
    for (int i = 0; i < 100000; i++)
        check(random_amount(&random), random_amount(&random), random_positive(&random), &met);
    assert_true(met.cases == 100000);
    assert_true(met.negative > 10000);
    assert_true(met.wide > 10000);
    assert_true(met.refused > 1000);
}

/* a odd, c = 2 * b * k: half of them are exact halves. */
static void halves_agree_with_long_division(void **state)
{
    struct random64 random = { 20240102 };
    struct met met = { 0 };

    (void)state;
    for (int i = 0; i < 40000; i++) {
        int64_t k = (int64_t)(random_next(&random) >> (2 + random_below(&random, 61))) + 1;
        int64_t b = random_below(&random, 2) ? k : -k;
        int64_t c = k * (random_below(&random, 4) ? 2 : 1);
        int64_t a = random_amount(&random) | 1;
        check(a, b, c, &met);
        check(b, a, c, &met);
    }
    assert_true(met.ties > 20000);
    assert_true(met.negative > 10000);
    assert_true(met.wide > 1000);
}

static void known_roundings(void **state)
{
    static const struct {
        int64_t a, c, by_mode[7];
    } row[] = {
        /*          up  even down  toward away floor ceil */
        { 5, 2, { 3, 2, 2, 2, 3, 2, 3 } },
        { 7, 2, { 4, 4, 3, 3, 4, 3, 4 } },
        { -5, 2, { -3, -2, -2, -2, -3, -3, -2 } },
        { -7, 2, { -4, -4, -3, -3, -4, -4, -3 } },
        { 1, 3, { 0, 0, 0, 0, 1, 0, 1 } },
        { 2, 3, { 1, 1, 1, 0, 1, 0, 1 } },
        { -1, 3, { 0, 0, 0, 0, -1, -1, 0 } },
        { 6, 3, { 2, 2, 2, 2, 2, 2, 2 } },
        { 0, 9, { 0, 0, 0, 0, 0, 0, 0 } },
        { INT64_MIN, 1, { INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
                          INT64_MIN } },
        { INT64_MIN, INT64_MAX, { -1, -1, -1, -1, -2, -2, -1 } },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++) {
        for (int mode = 0; mode < 7; mode++) {
            int64_t result = 42;
            assert_true(i64_mul_div(row[i].a, 1, row[i].c, (enum rounding)mode, &result));
            assert_true(result == row[i].by_mode[mode]);
            assert_true(i64_mul_div2(row[i].a, 1, 1, row[i].c, (enum rounding)mode, &result));
            assert_true(result == row[i].by_mode[mode]);
        }
    }
}

static void rounding_can_leave_the_range(void **state)
{
    int64_t result = 42;

    (void)state;
    /* (2^63 - 1) * 3 / 3 fits; (2^64 - 1) / 2 = 2^63 - 0.5 fits only when rounded down. */
    assert_true(i64_mul_div(INT64_MAX, 3, 3, ROUND_UP, &result));
    assert_true(result == INT64_MAX);
    /* 6148914691236517205 * 3 = 2^64 - 1 */
    assert_true(i64_mul_div(6148914691236517205, 3, 2, ROUND_DOWN, &result));
    assert_true(result == INT64_MAX);
    result = 42;
    assert_false(i64_mul_div(6148914691236517205, 3, 2, ROUND_HALF_UP, &result));
    assert_false(i64_mul_div(6148914691236517205, 3, 2, ROUND_CEIL, &result));
    assert_true(result == 42);
    assert_true(i64_mul_div(-6148914691236517205, 3, 2, ROUND_FLOOR, &result));
    assert_true(result == INT64_MIN);
    result = 42;
    assert_false(i64_mul_div(INT64_MIN, -1, 1, ROUND_DOWN, &result));
    assert_false(i64_mul_div(INT64_MIN, INT64_MIN, 1, ROUND_DOWN, &result));
    assert_false(i64_mul_div2(1, 1, (int64_t)1 << 32, (int64_t)1 << 31, ROUND_DOWN, &result));
    assert_true(result == 42);
    assert_true(i64_mul_div2(INT64_MIN, -1, (int64_t)1 << 31, (int64_t)1 << 31, ROUND_DOWN,
                             &result));
    assert_true(result == 2);
}

static void sums_are_exact_or_refused(void **state)
{
    struct random64 random = { 3 };

    (void)state;
    for (int i = 0; i < 100000; i++) {
        int64_t a = random_amount(&random), b = random_amount(&random);
        i128 exact[3] = { (i128)a + b, (i128)a - b, (i128)a * b };
        bool (*function[3])(int64_t, int64_t, int64_t *) = { i64_add, i64_sub, i64_mul };
        for (int k = 0; k < 3; k++) {
            int64_t result = 42;
            bool fits = exact[k] >= INT64_MIN && exact[k] <= INT64_MAX;
            assert_int_equal(function[k](a, b, &result), fits);
            assert_true(result == (fits ? (int64_t)exact[k] : 42));
        }
    }
}

/* The sign of a * b - c * d, from digits. */
static int reference_compare(int64_t a, int64_t b, int64_t c, int64_t d)
{
    struct digits left = digits_times(digits_of(size_of(a)), digits_of(size_of(b)));
    struct digits right = digits_times(digits_of(size_of(c)), digits_of(size_of(d)));
    int left_sign = a == 0 || b == 0 ? 0 : ((a < 0) != (b < 0) ? -1 : 1);
    int right_sign = c == 0 || d == 0 ? 0 : ((c < 0) != (d < 0) ? -1 : 1);

    if (left_sign != right_sign)
        return left_sign < right_sign ? -1 : 1;
    for (int i = digits_max - 1; i >= 0; i--) {
        if (left.digit[i] != right.digit[i])
            return (left.digit[i] < right.digit[i] ? -1 : 1) * left_sign;
    }
    return 0;
}

static void products_compare_and_leave_remainders(void **state)
{
    struct random64 random = { 4 };
    long equal = 0;

    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t a = random_amount(&random), b = random_amount(&random);
        int64_t c = i % 3 ? random_amount(&random) : b, d = i % 3 ? random_amount(&random) : a;
        int order = reference_compare(a, b, c, d);
        equal += order == 0;
        assert_int_equal(i64_compare_products(a, b, c, d), order);

        uint64_t rest;
        int64_t x = random_positive(&random), y = random_positive(&random) - 1;
        int64_t z = random_positive(&random);
        digits_divide(digits_times(digits_of((uint64_t)x), digits_of((uint64_t)y)), (uint64_t)z,
                      &rest);
        assert_true(i64_mul_mod(x, y, z) == (int64_t)rest);
    }
    assert_true(equal > 10000);
}

static void powers_of_ten(void **state)
{
    int64_t power = 1;

    (void)state;
    for (int n = 0; n <= 18; n++) {
        assert_true(i64_pow10(n) == power);
        if (n < 18)
            power *= 10;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotients_agree_with_long_division),
        cmocka_unit_test(halves_agree_with_long_division),
        cmocka_unit_test(known_roundings),
        cmocka_unit_test(rounding_can_leave_the_range),
        cmocka_unit_test(sums_are_exact_or_refused),
        cmocka_unit_test(products_compare_and_leave_remainders),
        cmocka_unit_test(powers_of_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
