/*
 * decimal.h - exact decimals between text and scaled int64.
 *
 * Owns:      reading "12.34" at a given scale, and writing it back.
 * Must not:  know currencies, or pass through floating point.
 * Invariant: decimal_parse(decimal_format(v, s), s) == v for every v and 0 <= s <= 9.
 */
#ifndef KOP_BASE_DECIMAL_H
#define KOP_BASE_DECIMAL_H

#include "base/text.h"

enum decimal_result {
    DECIMAL_OK,
    DECIMAL_SYNTAX, /* not -?(0|[1-9][0-9]*)(\.[0-9]+)?  (no exponent, no plus, no spaces) */
    DECIMAL_FINE,   /* more digits after the point than `scale` allows, and they are not zeros */
    DECIMAL_RANGE,  /* does not fit int64 */
};

/* Read `text` as a count of 10^-scale, 0 <= scale <= 9. `*value` is untouched unless DECIMAL_OK. */
KOP_MUST_CHECK enum decimal_result decimal_parse(struct text text, int scale, int64_t *value);

/* Append `value` * 10^-scale with exactly `scale` digits after the point. */
void decimal_format(struct buf *buf, int64_t value, int scale);

#endif
