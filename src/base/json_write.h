/*
 * json_write.h - writes compact JSON into a buf; commas and escapes are its business.
 *
 * Owns:      struct json_writer.
 * Must not:  write floating point.
 * Invariant: what it wrote, json_read.h reads; no insignificant white space.
 */
#ifndef KOP_BASE_JSON_WRITE_H
#define KOP_BASE_JSON_WRITE_H

#include "base/decimal.h"

struct json_writer {
    struct buf *buf;
    bool comma; /* a comma is due before the next value or key */
};

void json_write_init(struct json_writer *writer, struct buf *buf);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
/* Any key; and one of our own, with nothing in it that has to be escaped. */
void json_key_text(struct json_writer *writer, struct text key);
void json_key_plain(struct json_writer *writer, struct text key);
static inline void json_key(struct json_writer *writer, const char *key)
{
    assert(key != NULL);
    json_key_plain(writer, text_of(key));
}
void json_text(struct json_writer *writer, struct text value);
/* The same of what is known to be UTF-8: our own sentences, names that json_read.h has read. */
void json_words(struct json_writer *writer, struct text value);
void json_string(struct json_writer *writer, const char *value);
void json_i64(struct json_writer *writer, int64_t value);          /* a JSON number */
void json_id(struct json_writer *writer, uint64_t id);             /* a string of digits */
void json_decimal(struct json_writer *writer, int64_t value, int scale); /* a decimal string */
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* Bytes that are JSON already. */
void json_raw(struct json_writer *writer, struct text json);

#endif
