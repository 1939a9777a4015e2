/*
 * bytes.c - varints and length-prefixed text, written and read back.
 *
 * Owns:      the encoding that bytes.h describes.
 * Must not:  accept two forms of one value.
 * Invariant: after the first fault a reader stands still and gives zeros.
 * Cost:      linear; text is not copied.
 * Tests:     tests/unit/base/test_bytes.c
 */
#include "base/bytes.h"

enum { varint_bytes_max = 10 };

void bytes_put_long(struct buf *buf, uint64_t value)
{
    unsigned char bytes[varint_bytes_max];
    bool fits = buf->cap - buf->len >= varint_bytes_max;
    unsigned char *to = fits ? (unsigned char *)buf->ptr + buf->len : bytes;
    size_t count = 0;

    while (value >= 0x80) {
        to[count++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    to[count++] = (unsigned char)value;
    assert(count <= varint_bytes_max);
    if (fits)
        buf->len += count;
    else
        buf_add(buf, bytes, count);
}

void bytes_put_i64(struct buf *buf, int64_t value)
{
    uint64_t shifted = (uint64_t)value << 1;
    bytes_put_u64(buf, value < 0 ? ~shifted : shifted);
}

void bytes_put_text(struct buf *buf, struct text text)
{
    assert(text.ptr != NULL || text.len == 0);
    bytes_put_u64(buf, text.len);
    buf_add_text(buf, text);
}

void bytes_open(struct bytes_reader *reader, struct text input)
{
    assert(input.ptr != NULL || input.len == 0);

    const unsigned char *at = (const unsigned char *)input.ptr;
    *reader = (struct bytes_reader){ .at = at, .end = input.len == 0 ? at : at + input.len };
}

static uint64_t fail(struct bytes_reader *reader)
{
    reader->failed = true;
    return 0;
}

uint64_t bytes_get_u64(struct bytes_reader *reader)
{
    const unsigned char *at = reader->at;
    uint64_t value = 0;

    assert(at <= reader->end);
    if (reader->failed)
        return 0;
    for (int shift = 0; shift < 7 * varint_bytes_max; shift += 7) {
        if (at == reader->end)
            return fail(reader);
        unsigned char byte = *at++;
        if (shift == 63 && byte > 1)
            return fail(reader); /* past 64 bits */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0)
                return fail(reader); /* a shorter form exists */
            reader->at = at;
            return value;
        }
    }
    return fail(reader);
}

int64_t bytes_get_i64(struct bytes_reader *reader)
{
    uint64_t value = bytes_get_u64(reader);
    uint64_t half = value >> 1;

    return (int64_t)(value & 1 ? ~half : half);
}

struct text bytes_get_text(struct bytes_reader *reader)
{
    uint64_t len = bytes_get_u64(reader);

    if (reader->failed)
        return (struct text){ NULL, 0 };
    if (len > (uint64_t)(reader->end - reader->at)) {
        fail(reader);
        return (struct text){ NULL, 0 };
    }
    struct text text = { (const char *)reader->at, (uint32_t)len };
    reader->at += len;
    assert(reader->at <= reader->end);
    return text;
}

uint32_t bytes_get_count(struct bytes_reader *reader, uint32_t max)
{
    uint64_t count = bytes_get_u64(reader);

    if (count > max)
        return (uint32_t)fail(reader);
    return (uint32_t)count;
}

bool bytes_done(const struct bytes_reader *reader)
{
    assert(reader->at <= reader->end);
    return !reader->failed && reader->at == reader->end;
}
