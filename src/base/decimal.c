/*
 * decimal.c - exact decimals between text and scaled int64.
 *
 * Owns:      the decimal's grammar, and the order of faults: SYNTAX, then FINE, then RANGE.
 * Must not:  know currencies, round, or pass through floating point.
 * Invariant: magnitudes are unsigned, so that the least int64 is read and written like any other.
 * Cost:      linear.
 * Tests:     tests/unit/base/test_decimal.c
 */
#include "base/decimal.h"

#include "base/wide.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a decimal, without sign and point. */
struct digits {
    const char *whole, *fraction;
    uint32_t whole_count, fraction_count;
    bool negative;
};

static uint32_t count_digits(const char *at, const char *end)
{
    uint32_t count = 0;

    assert(at <= end);
    while (at + count < end && is_digit(at[count]))
        count++;
    return count;
}

/* Check the grammar and find the digits. */
static bool split(struct text text, struct digits *out)
{
    *out = (struct digits){ 0 };
    if (text.len == 0)
        return false;

    const char *at = text.ptr;
    const char *end = at + text.len;
    if (*at == '-') {
        out->negative = true;
        at++;
    }
    out->whole = at;
    out->whole_count = count_digits(at, end);
    if (out->whole_count == 0 || (*at == '0' && out->whole_count > 1))
        return false;
    at += out->whole_count;
    if (at == end)
        return true;
    if (*at != '.')
        return false;
    at++;
    out->fraction = at;
    out->fraction_count = count_digits(at, end);
    return out->fraction_count > 0 && at + out->fraction_count == end;
}

/* sum = sum * 10 + digit; false when it would pass `max`. */
static bool push_digit(uint64_t *sum, uint64_t digit, uint64_t max)
{
    assert(digit <= 9);
    if (*sum > (max - digit) / 10)
        return false;
    *sum = *sum * 10 + digit;
    return true;
}

enum decimal_result decimal_parse(struct text text, int scale, int64_t *value)
{
    struct digits digits;
    uint64_t sum = 0;

    assert(scale >= 0);
    assert(scale <= 9);
    if (!split(text, &digits))
        return DECIMAL_SYNTAX;
    for (uint32_t i = (uint32_t)scale; i < digits.fraction_count; i++) {
        if (digits.fraction[i] != '0')
            return DECIMAL_FINE;
    }

    uint64_t max = (uint64_t)INT64_MAX + (digits.negative ? 1 : 0);
    for (uint32_t i = 0; i < digits.whole_count; i++) {
        if (!push_digit(&sum, (uint64_t)(digits.whole[i] - '0'), max))
            return DECIMAL_RANGE;
    }
    for (uint32_t i = 0; i < (uint32_t)scale; i++) {
        char digit = i < digits.fraction_count ? digits.fraction[i] : '0';
        if (!push_digit(&sum, (uint64_t)(digit - '0'), max))
            return DECIMAL_RANGE;
    }
    assert(sum <= max);
    *value = digits.negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return DECIMAL_OK;
}

void decimal_format(struct buf *buf, int64_t value, int scale)
{
    char fraction[9];

    assert(scale >= 0);
    assert(scale <= 9);
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint64_t unit = (uint64_t)i64_pow10(scale);
    uint64_t rest = size % unit;
    if (value < 0)
        buf_add_char(buf, '-');
    buf_add_u64(buf, size / unit);
    if (scale == 0)
        return;
    for (int i = scale - 1; i >= 0; i--) {
        fraction[i] = (char)('0' + rest % 10);
        rest /= 10;
    }
    assert(rest == 0);
    buf_add_char(buf, '.');
    buf_add(buf, fraction, (size_t)scale);
}
