/*
 * codec.h - what the encodings of rows, events and records share, beyond base/bytes.h.
 *
 * Owns:      forms of instants, flags, bounded numbers, prices; how a decoder ends.
 * Must not:  be changed: stored bodies depend on it. Must not be used outside src/core.
 * Invariant: one value has one form; a form that its writer would not have chosen makes the reader
 *            fail. What a reader allocates is bounded by a multiple of the bytes it was given.
 */
#ifndef KOP_CORE_CODEC_H
#define KOP_CORE_CODEC_H

#include "base/bytes.h"
#include "base/err.h"
#include "core/amount.h"

enum { codec_version = 1 }; /* first byte of every body of its own */

/* Make the reader fail when `condition` does not hold. Later reads give zeros. */
static inline void codec_require(struct bytes_reader *reader, bool condition)
{
    if (!condition)
        reader->failed = true;
}

/* The version byte; another one makes the reader fail. */
void codec_put_version(struct buf *buf);
void codec_get_version(struct bytes_reader *reader);

/* Whole minutes take 4 bytes, TIME_NONE 1. */
void codec_put_instant(struct buf *buf, unix_ms instant);
unix_ms codec_get_instant(struct bytes_reader *reader);

/* A number >= 0 with its trailing decimal zeros counted: 4900.00 takes 2 bytes. Up to 10^15. */
void codec_put_round(struct buf *buf, int64_t value);
int64_t codec_get_round(struct bytes_reader *reader);

/* An amount >= 0. */
void codec_put_amount(struct buf *buf, amount value);
amount codec_get_amount(struct bytes_reader *reader);

/* The same, for values that a flag says are there: 0 is refused. */
amount codec_get_amount_not_0(struct bytes_reader *reader);
int64_t codec_get_i64_not_0(struct bytes_reader *reader);
uint64_t codec_get_u64_not_0(struct bytes_reader *reader);
struct text codec_get_text_not_empty(struct bytes_reader *reader);

/* A number from min to max, both at most UINT32_MAX. */
uint32_t codec_get_u32(struct bytes_reader *reader, uint32_t min, uint32_t max);

/* A set of flags, none but those of `known`. */
uint32_t codec_get_flags(struct bytes_reader *reader, uint32_t known);

/* Index of a rule, or -1. */
void codec_put_rule(struct buf *buf, int32_t rule);
int32_t codec_get_rule(struct bytes_reader *reader);

/*
 * A count of things that take at least `bytes_each` bytes, then room for them: `*count` and the
 * array (NULL when 0). Fails above `max`, beyond the input, and without memory (arena->failed).
 */
void *codec_get_array(struct bytes_reader *reader, struct arena *arena, uint32_t max,
                      uint32_t bytes_each, size_t size, uint32_t *count);
#define codec_array(reader, arena, type, max, bytes_each, count)                                   \
    ((type *)codec_get_array((reader), (arena), (max), (bytes_each), sizeof(type), (count)))

/* How a decoder ends: OK when everything was read, else CODE_NO_MEMORY or CODE_CORRUPT. `arena` may
 * be NULL. codec_part() for a part of a body: what follows it is not its business. */
KOP_MUST_CHECK enum code codec_end(const struct bytes_reader *reader, const struct arena *arena,
                                   const char *what, struct err *err);
KOP_MUST_CHECK enum code codec_part(const struct bytes_reader *reader, const struct arena *arena,
                                    const char *what, struct err *err);

#endif
