/*
 * sample.h - random events, owners and records that keep the invariants of their headers.
 *
 * Owns:      what tests of the encodings are fed.
 * Must not:  encode: whether a value survives is the test's to say.
 */
#ifndef KOP_TESTS_UNIT_CORE_SAMPLE_H
#define KOP_TESTS_UNIT_CORE_SAMPLE_H

#include "core/record.h"
#include "unit/base/unit.h"

/* Up to 20 bytes, often none. */
struct text sample_text(struct random64 *random, struct arena *arena);
/* Small and large ones, 0 included; never below 0. */
amount sample_amount(struct random64 *random);
/* Midnights, odd milliseconds, before 1970, and TIME_NONE. */
unix_ms sample_instant(struct random64 *random);

void sample_event(struct random64 *random, struct arena *arena, struct event *event);
void sample_lot(struct random64 *random, struct lot *lot);
void sample_take(struct random64 *random, struct take *take);
void sample_movement(struct random64 *random, struct movement *movement);
/* All that the body holds; no overflow lots, no rolling counters. */
void sample_owner(struct random64 *random, struct arena *arena, struct owner *owner);

/* Terms with some numbers of currencies, counters and ladders; the rest is empty. */
void sample_terms(struct random64 *random, struct terms *terms);
void sample_record(struct random64 *random, struct arena *arena, const struct terms *terms,
                   struct record *record);
void sample_returned(struct random64 *random, struct arena *arena, const struct terms *terms,
                     struct returned_state *state);

#endif
