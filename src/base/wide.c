/*
 * wide.c - exact products and quotients of int64 through 128 bits.
 *
 * Owns:      the only use of __int128, and the only rounding of a quotient.
 * Must not:  use floating point.
 * Invariant: |a * b| <= 2^126, so a product of two int64 never overflows 128 bits.
 * Cost:      one 64-bit division when the product fits 64 bits, else one of 128 bits.
 * Tests:     tests/unit/base/test_wide.c
 */
#include "base/wide.h"

__extension__ typedef __int128 i128;
__extension__ typedef unsigned __int128 u128;

bool i64_add(int64_t a, int64_t b, int64_t *result)
{
    int64_t sum;

    assert(result != NULL);
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *result = sum;
    return true;
}

bool i64_sub(int64_t a, int64_t b, int64_t *result)
{
    int64_t difference;

    assert(result != NULL);
    if (__builtin_sub_overflow(a, b, &difference))
        return false;
    *result = difference;
    return true;
}

bool i64_mul(int64_t a, int64_t b, int64_t *result)
{
    int64_t product;

    assert(result != NULL);
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *result = product;
    return true;
}

/*
 * Does a quotient cut towards zero move one away from zero? `rest` is its remainder's size
 * (0 < rest < c), `odd` its last bit, `negative` the exact quotient's sign.
 */
static bool rounds_away(uint64_t rest, uint64_t c, bool odd, bool negative, enum rounding mode)
{
    assert(rest > 0);
    assert(rest < c);

    uint64_t other = c - rest; /* rest against half of c, without doubling */
    switch (mode) {
    case ROUND_HALF_UP:   return rest >= other;
    case ROUND_HALF_EVEN: return rest > other || (rest == other && odd);
    case ROUND_HALF_DOWN: return rest > other;
    case ROUND_DOWN:      return false;
    case ROUND_UP:        return true;
    case ROUND_FLOOR:     return negative;
    case ROUND_CEIL:      return !negative;
    }
    kop_check_failed(__FILE__, __LINE__, "a known rounding mode");
}

bool i64_mul_div(int64_t a, int64_t b, int64_t c, enum rounding mode, int64_t *result)
{
    int64_t product, narrow;

    assert(c > 0);
    assert(result != NULL);
    if (!__builtin_mul_overflow(a, b, &product)) {
        int64_t quotient = product / c;
        int64_t rest = product % c;
        if (rest != 0) {
            bool negative = rest < 0;
            uint64_t size = negative ? 0 - (uint64_t)rest : (uint64_t)rest;
            if (rounds_away(size, (uint64_t)c, quotient % 2 != 0, negative, mode))
                quotient += negative ? -1 : 1; /* c >= 2 here, so this cannot overflow */
        }
        *result = quotient;
        return true;
    }

    i128 wide = (i128)a * b;
    i128 quotient = wide / c;
    int64_t rest = (int64_t)(wide - quotient * c);
    if (rest != 0) {
        bool negative = rest < 0;
        uint64_t size = negative ? 0 - (uint64_t)rest : (uint64_t)rest;
        if (rounds_away(size, (uint64_t)c, quotient % 2 != 0, negative, mode))
            quotient += negative ? -1 : 1;
    }
    narrow = (int64_t)quotient;
    if (narrow != quotient)
        return false;
    *result = narrow;
    return true;
}

bool i64_mul_div2(int64_t a, int64_t b, int64_t c, int64_t d, enum rounding mode, int64_t *result)
{
    int64_t divisor;

    assert(c > 0);
    assert(d > 0);
    if (__builtin_mul_overflow(c, d, &divisor))
        return false;
    return i64_mul_div(a, b, divisor, mode, result);
}

int i64_compare_products(int64_t a, int64_t b, int64_t c, int64_t d)
{
    i128 left = (i128)a * b;
    i128 right = (i128)c * d;

    return (left > right) - (left < right);
}

int64_t i64_mul_mod(int64_t a, int64_t b, int64_t c)
{
    assert(a >= 0);
    assert(b >= 0);
    assert(c > 0);
    return (int64_t)((u128)a * (u128)b % (u128)c);
}

int64_t i64_pow10(int n)
{
    static const int64_t power[] = {
        1,
        10,
        100,
        1000,
        10000,
        100000,
        1000000,
        10000000,
        100000000,
        1000000000,
        10000000000,
        100000000000,
        1000000000000,
        10000000000000,
        100000000000000,
        1000000000000000,
        10000000000000000,
        100000000000000000,
        1000000000000000000,
    };

    assert(n >= 0);
    assert(n < (int)KOP_COUNT(power));
    return power[n];
}
