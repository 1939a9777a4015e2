/*
 * codec.c - what the encodings of rows, events and records share.
 *
 * Owns:      the forms that codec.h names.
 * Must not:  read past a failure: a failed reader gives zeros.
 * Cost:      a few instructions a value.
 * Tests:     tests/unit/core/test_rows.c (shared_forms), tests/fuzz/fuzz_record.c
 *
 * Instant: whole minutes m as zigzag(m) * 2, other milliseconds t as zigzag(t) * 2 + 1. The code 1
 * would be t = 0, which is a whole minute, so it stands for TIME_NONE.
 * Round number: digits * 16 + zeros, the digits without trailing zeros; 0 is 0.
 */
#include "core/codec.h"

enum { minute_ms = 60000, zeros_max = 15, code_of_none = 1 };

static const int64_t round_max = INT64_C(1000000000000000);
static const int64_t instant_max = INT64_C(1) << 60;

void codec_put_version(struct buf *buf)
{
    bytes_put_u64(buf, codec_version);
}

void codec_get_version(struct bytes_reader *reader)
{
    codec_require(reader, bytes_get_u64(reader) == codec_version);
}

static uint64_t zigzag(int64_t value)
{
    uint64_t shifted = (uint64_t)value << 1;
    return value < 0 ? ~shifted : shifted;
}

static int64_t unzigzag(uint64_t code)
{
    uint64_t half = code >> 1;
    return (int64_t)(code & 1 ? ~half : half);
}

void codec_put_instant(struct buf *buf, unix_ms instant)
{
    if (instant == TIME_NONE) {
        bytes_put_u64(buf, code_of_none);
        return;
    }
    assert(instant <= instant_max);
    assert(instant >= -instant_max);
    if (instant % minute_ms == 0)
        bytes_put_u64(buf, zigzag(instant / minute_ms) << 1);
    else
        bytes_put_u64(buf, zigzag(instant) << 1 | 1);
}

unix_ms codec_get_instant(struct bytes_reader *reader)
{
    uint64_t code = bytes_get_u64(reader);
    int64_t value = unzigzag(code >> 1);

    if (code == code_of_none)
        return TIME_NONE;
    if ((code & 1) == 0) {
        int64_t most = instant_max / minute_ms;
        codec_require(reader, value <= most && value >= -most);
        return reader->failed ? 0 : value * minute_ms;
    }
    codec_require(reader, value <= instant_max && value >= -instant_max && value % minute_ms != 0);
    return reader->failed ? 0 : value;
}

void codec_put_round(struct buf *buf, int64_t value)
{
    uint64_t digits = (uint64_t)value, zeros = 0;

    assert(value >= 0);
    assert(value <= round_max);
    while (digits != 0 && digits % 10 == 0) {
        digits /= 10;
        zeros++;
    }
    assert(zeros <= zeros_max);
    bytes_put_u64(buf, digits << 4 | zeros);
}

int64_t codec_get_round(struct bytes_reader *reader)
{
    uint64_t code = bytes_get_u64(reader);
    uint64_t digits = code >> 4;
    int zeros = (int)(code & 15);
    int64_t value;

    codec_require(reader, digits % 10 != 0 || code == 0);
    codec_require(reader, digits <= (uint64_t)round_max);
    if (reader->failed || !i64_mul((int64_t)digits, i64_pow10(zeros), &value) ||
        value > round_max) {
        reader->failed = true;
        return 0;
    }
    return value;
}

void codec_put_amount(struct buf *buf, amount value)
{
    assert(value >= 0);
    bytes_put_u64(buf, (uint64_t)value);
}

amount codec_get_amount(struct bytes_reader *reader)
{
    uint64_t value = bytes_get_u64(reader);

    codec_require(reader, value <= INT64_MAX);
    return reader->failed ? 0 : (amount)value;
}

amount codec_get_amount_not_0(struct bytes_reader *reader)
{
    amount value = codec_get_amount(reader);

    codec_require(reader, value != 0);
    return value;
}

int64_t codec_get_i64_not_0(struct bytes_reader *reader)
{
    int64_t value = bytes_get_i64(reader);

    codec_require(reader, value != 0);
    return value;
}

uint64_t codec_get_u64_not_0(struct bytes_reader *reader)
{
    uint64_t value = bytes_get_u64(reader);

    codec_require(reader, value != 0);
    return value;
}

struct text codec_get_text_not_empty(struct bytes_reader *reader)
{
    struct text text = bytes_get_text(reader);

    codec_require(reader, text.len != 0);
    return text;
}

uint32_t codec_get_u32(struct bytes_reader *reader, uint32_t min, uint32_t max)
{
    uint64_t value = bytes_get_u64(reader);

    codec_require(reader, value >= min && value <= max);
    return reader->failed ? 0 : (uint32_t)value;
}

uint32_t codec_get_flags(struct bytes_reader *reader, uint32_t known)
{
    uint64_t value = bytes_get_u64(reader);

    codec_require(reader, (value & ~(uint64_t)known) == 0);
    return reader->failed ? 0 : (uint32_t)value;
}

void codec_put_rule(struct buf *buf, int32_t rule)
{
    assert(rule >= -1);
    bytes_put_u64(buf, (uint64_t)((int64_t)rule + 1));
}

int32_t codec_get_rule(struct bytes_reader *reader)
{
    return (int32_t)((int64_t)codec_get_u32(reader, 0, (uint32_t)INT32_MAX + 1) - 1);
}

void *codec_get_array(struct bytes_reader *reader, struct arena *arena, uint32_t max,
                      uint32_t bytes_each, size_t size, uint32_t *count)
{
    assert(bytes_each > 0);

    *count = bytes_get_count(reader, max);
    if (*count > (size_t)(reader->end - reader->at) / bytes_each)
        reader->failed = true;
    if (reader->failed)
        *count = 0;
    if (*count == 0)
        return NULL;
    void *array = arena_alloc_array(arena, *count, size);
    if (array == NULL) {
        reader->failed = true;
        *count = 0;
    }
    return array;
}

enum code codec_part(const struct bytes_reader *reader, const struct arena *arena,
                     const char *what, struct err *err)
{
    if (!reader->failed)
        return OK;
    if (arena != NULL && arena->failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for the stored %s", what);
    return err_set(err, CODE_CORRUPT, "the stored %s is wrong %u bytes before its end", what,
                   (unsigned)(reader->end - reader->at));
}

enum code codec_end(const struct bytes_reader *reader, const struct arena *arena, const char *what,
                    struct err *err)
{
    if (!reader->failed && !bytes_done(reader))
        return err_set(err, CODE_CORRUPT, "the stored %s goes on %u bytes after its end", what,
                       (unsigned)(reader->end - reader->at));
    return codec_part(reader, arena, what, err);
}
