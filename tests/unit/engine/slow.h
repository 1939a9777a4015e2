/*
 * slow.h - second implementations that are slow and plain, to compare the engine with.
 *
 * Owns:      spreading and rounding written another way than src/engine writes them.
 * Must not:  call the engine.
 */
#ifndef KOP_TESTS_UNIT_ENGINE_SLOW_H
#define KOP_TESTS_UNIT_ENGINE_SLOW_H

#include "engine/engine.h"

enum { slow_lines_max = 2000 };

/* As spread_amount(); returns the rest. */
amount slow_spread(enum spreading how, amount total, const amount *given_weight,
                   const amount *capacity, uint32_t count, amount *result);

/* round(a * b / c to a multiple of quantum); a, b, c >= 0. */
amount slow_round(amount a, amount b, amount c, amount quantum, enum rounding mode);

#endif
