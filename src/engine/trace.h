/*
 * trace.h - appending what was decided, and why, to a decision.
 *
 * Owns:      the growth and the caps of decision.trace, and the shape of each kind of item.
 * Must not:  decide: an evaluation without a trace gives the same effects.
 * Invariant: for every rule, the results of its FIRED items add up to its effects (or earning).
 *
 * Figures of the items, beyond what core/decision.h says:
 *   FIRED, DISPLACED  base, num/den: what the rate was taken of, and the rate (den 0: no rate, an
 *                     amount or a fixed number in num); mode, quantum: its rounding. line -1:
 *                     result is the sum over `count` lines.
 *   ROUNDED           rule_none: the receipt's rounding (step 3), base the sum of nets, result what
 *                     is left. result 0 of a rule: it came to nothing.
 *   FAILED            condition condition_none: occurred_at (`actual`) is outside the rule's dates.
 *                     mode: enum actual_mode of engine/condition.h. line: the first tested.
 *   LIMIT             mode: enum trace_limit; base: what the limit is a part of, num/den the part.
 */
#ifndef KOP_ENGINE_TRACE_H
#define KOP_ENGINE_TRACE_H

#include "engine/evaluation.h"

/* Which limit of a redemption was the narrowest. */
enum trace_limit {
    TRACE_LIMIT_PART,      /* max_percent of the allowed lines */
    TRACE_LIMIT_DUE,       /* what is still to pay on the allowed lines */
    TRACE_LIMIT_MONEY_MIN, /* what must stay to be paid in money */
    TRACE_LIMIT_AVAILABLE, /* what the member has */
};

/* A zeroed item with rule, line -1, other rule_none and condition_none; NULL when no trace is
 * wanted, the cap is reached (trace_lost counts) or memory ran out (no_memory). */
struct trace_item *trace_next(struct evaluation *e, enum trace_kind kind, int32_t rule);

/* A rule whose condition did not hold. `line` -1: its `when`. */
void trace_failed(struct evaluation *e, int32_t rule, int32_t line,
                  const struct condition_failure *failure);

/* A rule whose dates do not hold occurred_at. */
void trace_not_valid(struct evaluation *e, int32_t rule);

/* A rule that was computed and came to nothing. */
void trace_nothing_left(struct evaluation *e, int32_t line, const struct firing *firing);

/* A firing that stands: ROUNDED, CAPPED and SPREAD where they apply, then FIRED. */
void trace_fired(struct evaluation *e, int32_t line, const struct firing *firing);

/* A firing that another displaced; `other` may be patched later by trace_name_winner(). */
void trace_displaced(struct evaluation *e, int32_t line, const struct firing *firing);

/* Items from `first` on that were displaced and do not know by whom learn it. */
void trace_name_winner(struct evaluation *e, uint32_t first, int32_t winner);

#endif
