/*
 * json_read.h - a strict one-pass JSON pull parser (RFC 8259).
 *
 * Owns:      tokens, the JSON pointer of the place it stands at, known-field tables.
 * Must not:  build a tree (json_tree.h does), convert numbers to floating point.
 * Invariant: refuses what RFC 8259 refuses: broken UTF-8, lone surrogates, control characters,
 *            leading zeros, trailing commas, text after the value; depth over json_depth_max.
 *            An error is sticky: every later call returns JSON_ERROR.
 * Cost:      linear; allocates only for strings that contain an escape.
 */
#ifndef KOP_BASE_JSON_READ_H
#define KOP_BASE_JSON_READ_H

#include "base/text.h"

enum { json_depth_max = 40 }; /* the deepest programme document: groups or conditions of 16 */

enum json_token {
    JSON_ERROR,
    JSON_END, /* the one value is complete and only white space follows */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,    /* value: the key, unescaped */
    JSON_STRING, /* value: the string, unescaped */
    JSON_NUMBER, /* value: the number's text as written */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_level {
    bool is_object;
    uint32_t index;  /* of the current element of an array; UINT32_MAX before the first */
    struct text key; /* of the current member of an object; ptr NULL before the first */
};

struct json_reader {
    const char *at, *end, *begin;
    struct arena *arena;
    struct text value;      /* of the current token */
    const char *problem;    /* why JSON_ERROR, a static sentence part, else NULL; `at` is where */
    int depth;
    int state;              /* internal */
    struct json_level level[json_depth_max];
};

/* `arena` holds unescaped strings; other values point into `input`, which must outlive them. */
void json_open(struct json_reader *reader, struct arena *arena, struct text input);

/* Step to the next token. */
enum json_token json_next(struct json_reader *reader);

/* After a JSON_OBJECT / JSON_ARRAY token: skip to its end. After a JSON_KEY: skip its value.
 * After a scalar: nothing. false on a syntax error. */
KOP_MUST_CHECK bool json_skip(struct json_reader *reader);

/* Append the JSON pointer (RFC 6901) of the value the reader stands at. */
void json_pointer(const struct json_reader *reader, struct buf *buf);

/*
 * Which of `names` is the current key? Its index, and marks bit `index` in `*seen`.
 * json_field_unknown when it is none of them, json_field_twice when its bit was set already.
 * `count` is at most 64.
 */
enum { json_field_unknown = -1, json_field_twice = -2 };
int json_field(const struct json_reader *reader, const struct text *names, int count,
               uint64_t *seen);

#endif
