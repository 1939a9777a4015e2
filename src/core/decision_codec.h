/*
 * decision_codec.h - a decision as a part of a record.
 *
 * Owns:      its form: effects, earnings, redemptions, counters; lines and totals are derived.
 * Must not:  be used outside src/core.
 */
#ifndef KOP_CORE_DECISION_CODEC_H
#define KOP_CORE_DECISION_CODEC_H

#include "core/decision.h"

/* `event` is the one decided on: where lines have its gross, it is not written again. The decision
 * is DONE and keeps its invariant (asserted). The trace is not written. */
void decision_put(struct buf *buf, const struct decision *decision, const struct event *event,
                  const struct terms *terms);
/* Fails on lines or totals that overflow, and on what decision_put() would not have written. */
void decision_get(struct bytes_reader *reader, struct arena *arena, const struct event *event,
                  const struct terms *terms, struct decision *decision);

/* Counted lists of (currency, points, money). */
void redemptions_put(struct buf *buf, const struct redemption *redemption, uint32_t count);
struct redemption *redemptions_get(struct bytes_reader *reader, struct arena *arena,
                                   uint32_t *count);

#endif
