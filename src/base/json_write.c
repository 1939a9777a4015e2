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

static void add_string(struct buf *buf, struct text text)
{
    assert(text.ptr != NULL || text.len == 0);

    const char *at = text.ptr;
    const char *run = at;
    const char *end = text.len == 0 ? at : at + text.len;
    buf_add_char(buf, '"');
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        uint32_t step = c < 0x80 ? 1 : text_utf8_step(at, end);
        if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
            at += step;
            continue;
        }
        buf_add(buf, run, (size_t)(at - run));
        if (step == 0)
            buf_add(buf, "\xef\xbf\xbd", 3);
        else
            add_escape(buf, c);
        run = ++at;
    }
    buf_add(buf, run, (size_t)(at - run));
    buf_add_char(buf, '"');
}

void json_key_text(struct json_writer *writer, struct text key)
{
    comma(writer);
    add_string(writer->buf, key);
    buf_add_char(writer->buf, ':');
    writer->comma = false;
}

void json_key(struct json_writer *writer, const char *key)
{
    assert(key != NULL);
    json_key_text(writer, text_of(key));
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
