/*
 * json_write.c - compact JSON into a buf.
 *
 * Owns:      commas and escapes.
 * Must not:  write floating point, or bytes that are not UTF-8: each becomes U+FFFD.
 * Invariant: what it wrote, json_read.h reads.
 * Cost:      linear; text without escapes is copied in runs.
 * Tests:     tests/unit/base/test_json_write.c, tests/fuzz/fuzz_json.c
 */
#include "base/json_write.h"

void json_write_init(struct json_writer *writer, struct buf *buf)
{
    assert(buf != NULL);
    *writer = (struct json_writer){ .buf = buf };
}

/* Before a value or a key: the comma that is due. */
static void comma(struct json_writer *writer)
{
    assert(writer->buf != NULL);
    if (writer->comma)
        buf_add_char(writer->buf, ',');
    writer->comma = true;
}

void json_begin_object(struct json_writer *writer)
{
    comma(writer);
    buf_add_char(writer->buf, '{');
    writer->comma = false;
}

void json_end_object(struct json_writer *writer)
{
    buf_add_char(writer->buf, '}');
    writer->comma = true;
}

void json_begin_array(struct json_writer *writer)
{
    comma(writer);
    buf_add_char(writer->buf, '[');
    writer->comma = false;
}

void json_end_array(struct json_writer *writer)
{
    buf_add_char(writer->buf, ']');
    writer->comma = true;
}

static void add_escape(struct buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char letter = 0;

    assert(c < 0x20 || c == '"' || c == '\\');
    switch (c) {
    case '"':  letter = '"'; break;
    case '\\': letter = '\\'; break;
    case '\b': letter = 'b'; break;
    case '\f': letter = 'f'; break;
    case '\n': letter = 'n'; break;
    case '\r': letter = 'r'; break;
    case '\t': letter = 't'; break;
    default:   break;
    }
    buf_add_char(buf, '\\');
    if (letter != 0) {
        buf_add_char(buf, letter);
        return;
    }
    buf_add(buf, "u00", 3);
    buf_add_char(buf, hex[c >> 4]);
    buf_add_char(buf, hex[c & 15]);
}

/*
 * Bytes of the character at `at` that go as they are; 0: it needs a closer look. Latin and Cyrillic
 * are decided here, for answers are made of them.
 */
static inline uint32_t plain_step(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;

    if (c >= 0x20 && c < 0x80)
        return c != '"' && c != '\\';
    if (c >= 0xc2 && c < 0xe0)
        return end - at > 1 && ((unsigned char)at[1] & 0xc0) == 0x80 ? 2 : 0;
    return c < 0xe0 ? 0 : text_utf8_step(at, end);
}

static void add_string(struct buf *buf, struct text text)
{
    assert(text.ptr != NULL || text.len == 0);

    const char *at = text.ptr;
    const char *run = at;
    const char *end = text.len == 0 ? at : at + text.len;
    buf_add_char(buf, '"');
    while (at < end) {
        uint32_t step = plain_step(at, end);
        if (step > 0) {
            at += step;
            continue;
        }
        buf_add(buf, run, (size_t)(at - run));
        if ((unsigned char)*at < 0x80)
            add_escape(buf, (unsigned char)*at);
        else
            buf_add(buf, "\xef\xbf\xbd", 3);
        run = ++at;
    }
    buf_add(buf, run, (size_t)(at - run));
    buf_add_char(buf, '"');
}

/* Is one of eight bytes a control character, a quote or a backslash? */
static inline bool has_escape(uint64_t word)
{
    const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

    return (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
            ((backslash - ones) & ~backslash)) &
           high;
}

/* Bytes from `at` on that go as they are, for a text that is known to be UTF-8. */
static size_t plain_run(const char *at, const char *end)
{
    const char *from = at;
    uint64_t word;

    for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
        memcpy(&word, at, sizeof(word));
        if (has_escape(word))
            break;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - from);
}

void json_words(struct json_writer *writer, struct text value)
{
    const char *at = value.ptr, *end = value.len == 0 ? at : at + value.len;

    comma(writer);
    buf_add_char(writer->buf, '"');
    while (at < end) {
        size_t run = plain_run(at, end);
        buf_add(writer->buf, at, run);
        at += run;
        if (at < end)
            add_escape(writer->buf, (unsigned char)*at++);
    }
    buf_add_char(writer->buf, '"');
}

void json_key_text(struct json_writer *writer, struct text key)
{
    comma(writer);
    add_string(writer->buf, key);
    buf_add_char(writer->buf, ':');
    writer->comma = false;
}

void json_key_plain(struct json_writer *writer, struct text key)
{
    comma(writer);
    buf_add_char(writer->buf, '"');
    buf_add_text(writer->buf, key);
    buf_add(writer->buf, "\":", 2);
    writer->comma = false;
}

void json_text(struct json_writer *writer, struct text value)
{
    comma(writer);
    add_string(writer->buf, value);
}

void json_string(struct json_writer *writer, const char *value)
{
    assert(value != NULL);
    json_text(writer, text_of(value));
}

void json_i64(struct json_writer *writer, int64_t value)
{
    comma(writer);
    buf_add_i64(writer->buf, value);
}

void json_id(struct json_writer *writer, uint64_t id)
{
    comma(writer);
    buf_add_char(writer->buf, '"');
    buf_add_u64(writer->buf, id);
    buf_add_char(writer->buf, '"');
}

void json_decimal(struct json_writer *writer, int64_t value, int scale)
{
    comma(writer);
    buf_add_char(writer->buf, '"');
    decimal_format(writer->buf, value, scale);
    buf_add_char(writer->buf, '"');
}

void json_bool(struct json_writer *writer, bool value)
{
    comma(writer);
    buf_add_text(writer->buf, value ? TEXT("true") : TEXT("false"));
}

void json_null(struct json_writer *writer)
{
    comma(writer);
    buf_add_text(writer->buf, TEXT("null"));
}

void json_raw(struct json_writer *writer, struct text json)
{
    assert(json.len > 0);
    comma(writer);
    buf_add_text(writer->buf, json);
}
