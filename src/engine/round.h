/*
 * round.h - rounding of an exact product to a multiple of a quantum, inside the engine.
 *
 * Owns:      round_product(); round_quotient() is declared in engine.h.
 * Must not:  round anything twice: a value is exact until the one rounding that a rule names.
 */
#ifndef KOP_ENGINE_ROUND_H
#define KOP_ENGINE_ROUND_H

#include "core/amount.h"

/*
 * round(a * b / c to a multiple of quantum), c > 0, quantum > 0. `*inexact` (may be NULL) tells
 * whether the exact value was no such multiple. false on overflow, and nothing is written then.
 */
KOP_MUST_CHECK bool round_product(int64_t a, int64_t b, int64_t c, amount quantum,
                                  enum rounding mode, amount *result, bool *inexact);

/* a * b / c by the mode, without a quantum; INT64_MAX where it does not fit (a, b >= 0). */
amount round_saturated(int64_t a, int64_t b, int64_t c, enum rounding mode);

#endif
