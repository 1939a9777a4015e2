/*
 * request_read.h - what the readers of request bodies share: typed values, refused with a pointer.
 *
 * Owns:      struct reading, and one function for each type of value that a body may hold.
 * Must not:  know any one body; be included outside service/request*.c.
 * Invariant: a function that returns false has filled the refusal. A refusal's detail is made of
 *            our own words and limits, never of the value that was met; a pointer holds no name
 *            that looks like a bank card's number, and none longer than a name may be.
 */
#ifndef KOP_SERVICE_REQUEST_READ_H
#define KOP_SERVICE_REQUEST_READ_H

#include "base/json_read.h"
#include "service/request.h"

struct reading {
    struct json_reader json;
    struct arena *arena;
    struct refusal *refusal;
    struct text prefix;        /* of every pointer: where the text that is read stood */
    const struct plan *plan;   /* NULL: the body needs none */
    const struct terms *terms; /* of the plan */
};

/* Begin to read `body`; it must be an object, whose first field comes next. */
KOP_MUST_CHECK bool reading_begin(struct reading *r, struct text body, const struct plan *plan,
                                  struct arena *arena, struct refusal *refusal);
/* The same for a part of a body, which stood at `prefix` (a literal) in it. */
KOP_MUST_CHECK bool reading_begin_part(struct reading *r, struct text part, struct text prefix,
                                       const struct plan *plan, struct arena *arena,
                                       struct refusal *refusal);
/* After the object's end: nothing but white space may follow. */
KOP_MUST_CHECK bool reading_end(struct reading *r);

/* ---- refusing: always false. `detail` is a literal, or NULL. ---- */

/* The value that the reader stands at. */
bool refuse(struct reading *r, enum outcome outcome, const char *detail);
/* Below it: `field` is a literal, "/currency". */
bool refuse_at(struct reading *r, enum outcome outcome, const char *field, const char *detail);
/* What holds the value that the reader stands at: an element's array, a field's object. */
bool refuse_parent(struct reading *r, enum outcome outcome, const char *detail);
/* The detail is "at most <limit> <what>". */
bool refuse_over(struct reading *r, enum outcome outcome, int64_t limit, const char *what);
/* The body is no JSON after all, or memory ran out: what json_next() stumbled over. */
bool refuse_json(struct reading *r);
/* A name that is not known here; without repeating one that must not be repeated. */
bool refuse_name(struct reading *r, struct text name);
bool refuse_memory(struct reading *r);
/* TOO_MANY, pointing at what holds the things, `depth` levels deep. */
bool refuse_too_many(struct reading *r, int depth, uint32_t limit, const char *what);

/* Receipts' periods: a shift, a business day or a fiscal drive's short number. */
enum { receipt_period_max = 99999999 };

/* ---- objects and arrays ---- */

enum { field_end = -1, field_refused = -2 };

/* The next field: its index in `names`, or field_end after the last, or field_refused. `allowed`:
 * bit i for names[i]; the others are not known in this object. */
int reading_field(struct reading *r, const struct text *names, int count, uint64_t allowed,
                  uint64_t *seen);
/* After field_end: are all fields of `required` seen? */
KOP_MUST_CHECK bool reading_required(struct reading *r, const struct text *names, uint64_t seen,
                                     uint64_t required);

/* The next name of an object with free names, each told to refuse_name() if it is not known.
 * 1: there is one, 0: the object's end, -1: refused. */
int reading_name(struct reading *r, struct text *name);

KOP_MUST_CHECK bool read_object(struct reading *r);
KOP_MUST_CHECK bool read_array(struct reading *r);

/* What an array of things grows into. */
struct things {
    void *item;
    uint32_t count, cap;
    uint32_t max;
    uint32_t size;    /* of one */
    const char *what; /* "lines" */
};
/* After read_array(): the next element's token, with room for it in `things`; the token is
 * JSON_ARRAY_END after the last, and JSON_ERROR when refused. `things->count` is counted up. */
enum json_token reading_element(struct reading *r, struct things *things);

/* ---- values ---- */

/* What a text may be. `bytes_min` 0: an empty text is the same as none. */
struct text_rule {
    uint16_t bytes_min, bytes_max;
    bool typed; /* a card of the programme's own, a telephone: no bank card is looked for */
};
extern const struct text_rule text_code;     /* 1 to code_bytes_max */
extern const struct text_rule text_code_or_empty;
extern const struct text_rule text_name;     /* 1 to name_bytes_max */
extern const struct text_rule text_name_or_empty;
extern const struct text_rule text_own_card; /* typed */
extern const struct text_rule text_phone;    /* typed */

KOP_MUST_CHECK bool read_text(struct reading *r, const struct text_rule *rule, struct text *out);
/* The two halves of it: the string lies in reader->value in between. */
KOP_MUST_CHECK bool read_string(struct reading *r);
KOP_MUST_CHECK bool check_text(struct reading *r, const struct text_rule *rule);
KOP_MUST_CHECK bool read_bool(struct reading *r, bool *out);
/* An amount: decimal string or number, without an exponent, exact at `scale`, between 0 and max. */
KOP_MUST_CHECK bool read_amount(struct reading *r, int scale, int64_t max, int64_t *out);
/* The text of one, to be read later by parse_amount() when its scale is known. */
KOP_MUST_CHECK bool read_decimal(struct reading *r, struct text *out);
/* `field`: where it stood below what the reader stands at now, or "" for the value itself. */
KOP_MUST_CHECK bool parse_amount(struct reading *r, struct text text, const char *field, int scale,
                                 int64_t max, int64_t *out);
/* A whole number from `min` to `max`; as digits in a string too when `or_text`. */
KOP_MUST_CHECK bool read_whole(struct reading *r, bool or_text, int64_t min, int64_t max,
                               int64_t *out);
KOP_MUST_CHECK bool read_instant(struct reading *r, unix_ms *out);
/* An id: a string of digits. */
KOP_MUST_CHECK bool read_id(struct reading *r, uint64_t *out);
/* Skips an object and gives its bytes. */
KOP_MUST_CHECK bool read_raw_object(struct reading *r, struct text *out);
/* "sent_at" and "attempt". */
KOP_MUST_CHECK bool read_sent_at(struct reading *r);
KOP_MUST_CHECK bool read_attempt(struct reading *r);
/* One of `names`; its index. */
KOP_MUST_CHECK bool read_choice(struct reading *r, const struct text *names, int count, int *out);

#define FIELD_BIT(field) (UINT64_C(1) << (field))

#endif
