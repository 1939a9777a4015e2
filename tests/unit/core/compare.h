/*
 * compare.h - field by field equality, and the trials that every encoding must pass.
 *
 * Owns:      what "the same" means for events and lists.
 * Must not:  compare through the encodings under test.
 */
#ifndef KOP_TESTS_UNIT_CORE_COMPARE_H
#define KOP_TESTS_UNIT_CORE_COMPARE_H

#include "core/event.h"
#include "unit/base/unit.h"

void same_text(struct text a, struct text b);
/* Lists of structs without pointers, whose padding is zero. */
void same_bytes(const void *a, const void *b, uint32_t count_a, uint32_t count_b, size_t size);
void same_event(const struct event *a, const struct event *b);

/*
 * Decode `body`, and encode what came out into `again`. `context` is the test's own. The code of
 * the decoder.
 */
typedef enum code (*recode_function)(void *context, struct text body, struct arena *arena,
                                     struct buf *again);

/*
 * What holds of every encoding: `body` is accepted and comes back; proper beginnings of it, and
 * `body` with a byte more, are CODE_CORRUPT; with random bits changed it is CODE_CORRUPT, or it is
 * the one form of another value.
 */
void try_body(struct text body, struct random64 *random, recode_function recode, void *context);

#endif
