/*
 * explain.h - what the two halves of explaining share. Internal to the engine.
 *
 * Owns:      writing amounts, percentages and names for people.
 * Must not:  be included outside src/engine.
 */
#ifndef KOP_ENGINE_EXPLAIN_H
#define KOP_ENGINE_EXPLAIN_H

#include "engine/plan.h"

/* A value that a leaf of conditions was compared with, or met: in the form of its kind. */
void explain_number(const struct plan *plan, const struct condition *leaf, int64_t number,
                    bool russian, struct buf *buf);

#endif
