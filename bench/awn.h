/*
 * awn.h - the shipped programme awn and a receipt of eight lines, for what is measured in process.
 *
 * Owns:      reading and compiling programmes/awn, the receipt, a clock, the best of many rounds.
 * Must not:  make anything up that the shipped programme does not say.
 * Use:       run from the project's folder.
 */
#ifndef KOP_BENCH_AWN_H
#define KOP_BENCH_AWN_H

#include "engine/engine.h"

/* Memory for the measured: counts how often it was asked for a block. */
struct counted_memory {
    uint64_t blocks;
};
struct arena_source counted_source(struct counted_memory *memory);

/* The shipped document, and a plan of it or of a variant. Ends the program when they are wrong. */
struct text awn_document(struct arena *arena);
struct plan *awn_compile(struct arena *arena, struct text document);

/*
 * Eight lines, one of them discounted and one a service, and 2 000 points to pay with: the body of
 * a commit, and the same as the engine wants it.
 */
struct text awn_body(void);
struct event awn_event(const struct plan *plan, struct arena *arena);

/*
 * Microseconds of one call: the best of many short rounds, which is its cost when nobody else runs.
 */
double awn_measure(void (*call)(void *context), void *context);

/* `name value unit ratio`: a ratio to what was aimed at, or to a floor; 0: none. */
void awn_print(const char *name, double value, const char *unit, double ratio);

#endif
