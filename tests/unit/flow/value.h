/*
 * value.h - what a purchase has cost so far, and what the goods kept are worth at their price.
 *
 * Owns:      the two sides of "nothing is gained by buying and returning", counted from records
 *            and quantities alone.
 * Must not:  use anything of flow/return.c but what it stored.
 * Units:     thousandths of the smallest step of money, so that a part of a step counts.
 */
#ifndef KOP_TESTS_UNIT_FLOW_VALUE_H
#define KOP_TESTS_UNIT_FLOW_VALUE_H

#include "book.h"

enum { value_lines_max = 16 };
typedef int64_t value;

/* What `points` are worth. */
value value_of_points(const struct terms *terms, uint8_t currency, amount points);

/* Money, certificates, purse and points paid, less what came back of them; less points earned and
 * not taken back. What a fact left uncovered counts as paid: the outlet did. */
value value_paid(const struct plan *plan, const struct record *purchase,
                 const struct returned_state *state);

/* What was given back so far, without points taken back. */
value value_given_back(const struct plan *plan, const struct record *purchase,
                       const struct returned_state *state);

/*
 * The price of the goods kept when `back` of each line is back, less what they earn: under requote
 * decided alone with the view of then, under trace their share of what was decided for all.
 */
value value_of_kept(const struct plan *plan, const struct record *purchase, const int64_t *back,
                    struct arena *arena);

/* Points of a currency that stay under requote: as many as all rules give for the goods kept, at
 * most as many as the purchase gave. `*same_rules`: what of them the rules give that gave then. */
amount value_points_of_kept(const struct plan *plan, const struct record *purchase,
                            const int64_t *back, uint8_t currency, struct arena *arena,
                            amount *same_rules);

#endif
