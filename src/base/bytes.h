/*
 * bytes.h - canonical bytes: varints and length-prefixed text, written and read back.
 *
 * Owns:      the one binary form of stored bodies and of what hashes cover.
 * Must not:  be changed: stored bodies and chains depend on it. A new form gets a new version byte.
 * Invariant: one value has one form (no overlong varints: reading one is an error); a reader past
 *            its end or fed with garbage sets `failed` and gives zeros, so callers check once.
 * Format:    u64 = LEB128, 7 bits a byte, least first. i64 = zigzag of it. text = length, bytes.
 */
#ifndef KOP_BASE_BYTES_H
#define KOP_BASE_BYTES_H

#include "base/text.h"

/* Of two bytes and more. */
void bytes_put_long(struct buf *buf, uint64_t value);
/* Most values are small. */
static inline void bytes_put_u64(struct buf *buf, uint64_t value)
{
    if (value < 0x80)
        buf_add_char(buf, (char)value);
    else
        bytes_put_long(buf, value);
}
void bytes_put_i64(struct buf *buf, int64_t value);
void bytes_put_text(struct buf *buf, struct text text);

struct bytes_reader {
    const unsigned char *at, *end;
    bool failed;
};

void bytes_open(struct bytes_reader *reader, struct text input);
uint64_t bytes_get_u64(struct bytes_reader *reader);
int64_t bytes_get_i64(struct bytes_reader *reader);
struct text bytes_get_text(struct bytes_reader *reader); /* points into the input */
/* A count of things to come: at most `max`, else failed and 0. */
uint32_t bytes_get_count(struct bytes_reader *reader, uint32_t max);
/* Is everything consumed and nothing failed? */
bool bytes_done(const struct bytes_reader *reader);

#endif
