/*
 * amount.h - the integers that stand for money, points, quantities, prices and time.
 *
 * Owns:      their meaning and scales.
 * Must not:  be mixed: each name says what one unit of it is.
 */
#ifndef KOP_CORE_AMOUNT_H
#define KOP_CORE_AMOUNT_H

#include "base/wide.h"

typedef int64_t amount;  /* money or points, in the smallest unit of its currency */
typedef int64_t unix_ms; /* an instant: milliseconds since 1970-01-01 UTC; ends are exclusive */

enum {
    quantity_scale = 3, /* a quantity counts thousandths of a piece, kilogram or litre */
    price_scale = 6,    /* a unit price counts millionths of the money's main unit */
    rate_scale = 6,     /* "3" per cent is {3000000, 100 * 10^6} */
};

#define TIME_NONE INT64_MAX /* an instant that never comes */

/* A ratio, den > 0. */
struct rate {
    int64_t num, den;
};

#endif
