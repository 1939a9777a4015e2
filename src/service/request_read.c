/*
 * request_read.c - what the readers of request bodies share: typed values, refused with a pointer.
 *
 * Owns:      the meaning of each type of value, and how a refusal is told.
 * Must not:  know any one body.
 * Invariant: a refusal repeats no value.
 * Cost:      one look at each byte of a text beyond the JSON reader's own.
 * Tests:     tests/unit/service/test_request.c, tests/fuzz/fuzz_event.c
 */
#include "service/request_read.h"

#include "base/decimal.h"
#include "base/mem.h"
#include "core/civil.h"
#include "service/pan.h"

const struct text_rule text_code = { 1, code_bytes_max, false };
const struct text_rule text_code_or_empty = { 0, code_bytes_max, false };
const struct text_rule text_name = { 1, name_bytes_max, false };
const struct text_rule text_name_or_empty = { 0, name_bytes_max, false };
const struct text_rule text_own_card = { 1, code_bytes_max, true };
const struct text_rule text_phone = { 1, code_bytes_max, true };

/* ---- refusing ---- */

static struct text
pointer_of(struct reading *r, const char *field)
{
    struct buf buf;

    buf_init(&buf, r->arena, 64);
    buf_add_text(&buf, r->prefix);
    json_pointer(&r->json, &buf);
    buf_add_text(&buf, text_of(field));
    return buf_text(&buf);
}

bool
refuse_at(struct reading *r, enum outcome outcome, const char *field, const char *detail)
{
    assert(outcome != OUTCOME_DONE);
    r->refusal->outcome = outcome;
    r->refusal->pointer = pointer_of(r, field);
    r->refusal->detail = text_of(detail);
    return false;
}

bool
refuse(struct reading *r, enum outcome outcome, const char *detail)
{
    return refuse_at(r, outcome, "", detail);
}

/* Point at what is `depth` levels deep: a level that has read nothing yet ends the pointer. */
static void
point_at_depth(struct reading *r, int depth)
{
    struct json_level *level;

    assert(depth > 0);
    assert(depth <= r->json.depth);
    level = &r->json.level[depth - 1];
    level->index = UINT32_MAX;
    level->key = (struct text){ NULL, 0 };
}

bool
refuse_parent(struct reading *r, enum outcome outcome, const char *detail)
{
    point_at_depth(r, r->json.depth);
    return refuse(r, outcome, detail);
}

bool
refuse_over(struct reading *r, enum outcome outcome, int64_t limit, const char *what)
{
    struct buf buf;

    buf_init(&buf, r->arena, 32);
    buf_addf(&buf, "at most %lld %s", (long long)limit, what);
    refuse(r, outcome, NULL);
    r->refusal->detail = buf_text(&buf);
    return false;
}

bool
refuse_too_many(struct reading *r, int depth, uint32_t limit, const char *what)
{
    point_at_depth(r, depth);
    return refuse_over(r, OUTCOME_TOO_MANY, limit, what);
}

bool
refuse_memory(struct reading *r)
{
    r->refusal->outcome = OUTCOME_BUSY;
    r->refusal->pointer = TEXT("");
    r->refusal->detail = TEXT("the request's memory is used up");
    return false;
}

bool
refuse_json(struct reading *r)
{
    struct buf buf;

    if (r->arena->failed)
        return refuse_memory(r);
    assert(r->json.problem != NULL);
    buf_init(&buf, r->arena, 80);
    buf_addf(&buf, "%s, at byte %llu", r->json.problem,
             (unsigned long long)(r->json.at - r->json.begin));
    r->refusal->outcome = OUTCOME_BODY_NOT_JSON;
    r->refusal->pointer = r->prefix;
    r->refusal->detail = buf_text(&buf);
    return false;
}

bool
refuse_name(struct reading *r, struct text name)
{
    if (pan_is_in(name))
        return refuse_parent(r, OUTCOME_CARD_NUMBER_FORBIDDEN, "in the name of a field");
    if (name.len > name_bytes_max)
        return refuse_parent(r, OUTCOME_FIELD_UNKNOWN, "a field with a very long name");
    return refuse(r, OUTCOME_FIELD_UNKNOWN, NULL);
}

/* ---- beginning and ending ---- */

bool
reading_begin_part(struct reading *r, struct text part, struct text prefix,
                   const struct plan *plan, struct arena *arena, struct refusal *refusal)
{
    json_open(&r->json, arena, part);
    r->arena = arena;
    r->refusal = refusal;
    r->prefix = prefix;
    r->plan = plan;
    r->terms = plan == NULL ? NULL : plan_terms(plan);
    *refusal = (struct refusal){ .outcome = OUTCOME_DONE };
    if (part.len > request_body_bytes_max)
        return refuse_over(r, OUTCOME_BODY_TOO_LARGE, request_body_bytes_max, "bytes");
    return read_object(r);
}

bool
reading_begin(struct reading *r, struct text body, const struct plan *plan, struct arena *arena,
              struct refusal *refusal)
{
    return reading_begin_part(r, body, TEXT(""), plan, arena, refusal);
}

bool
reading_end(struct reading *r)
{
    return json_next(&r->json) == JSON_END || refuse_json(r);
}

bool
body_programme(struct text body, struct arena *arena, struct text *programme,
               struct refusal *refusal)
{
    struct reading r;
    struct text name;
    int more;

    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((more = reading_name(&r, &name)) == 1) {
        if (text_equal(name, TEXT("programme")))
            return read_text(&r, &text_code, programme);
        if (!json_skip(&r.json))
            return refuse_json(&r);
    }
    if (more < 0 || !reading_end(&r))
        return false;
    return refuse_at(&r, OUTCOME_FIELD_MISSING, "/programme", NULL);
}

bool
body_occurred_at(struct text body, struct arena *arena, unix_ms *at)
{
    struct refusal refusal;
    struct reading r;
    struct text name;

    if (!reading_begin(&r, body, NULL, arena, &refusal))
        return false;
    while (reading_name(&r, &name) == 1) {
        if (text_equal(name, TEXT("occurred_at")))
            return read_instant(&r, at);
        if (!json_skip(&r.json))
            return false;
    }
    return false;
}

/* ---- objects and arrays ---- */

int
reading_field(struct reading *r, const struct text *names, int count, uint64_t allowed,
              uint64_t *seen)
{
    enum json_token token = json_next(&r->json);

    if (token != JSON_KEY) {
        if (token == JSON_OBJECT_END)
            return field_end;
        assert(token == JSON_ERROR);
        refuse_json(r);
        return field_refused;
    }
    int field = json_field(&r->json, names, count, seen);
    if (field >= 0 && (allowed & FIELD_BIT(field)))
        return field;
    if (field == json_field_twice)
        refuse(r, OUTCOME_FIELD_TWICE, NULL);
    else
        refuse_name(r, r->json.value);
    return field_refused;
}

bool
reading_required(struct reading *r, const struct text *names, uint64_t seen, uint64_t required)
{
    uint64_t missing = required & ~seen;
    struct buf field;

    if (missing == 0)
        return true;
    buf_init(&field, r->arena, 32);
    buf_add_char(&field, '/');
    buf_add_text(&field, names[__builtin_ctzll(missing)]);
    buf_add_char(&field, '\0');
    if (field.failed)
        return refuse_memory(r);
    return refuse_at(r, OUTCOME_FIELD_MISSING, field.ptr, NULL);
}

int
reading_name(struct reading *r, struct text *name)
{
    enum json_token token = json_next(&r->json);

    if (token == JSON_KEY) {
        *name = r->json.value;
        return 1;
    }
    if (token == JSON_OBJECT_END)
        return 0;
    assert(token == JSON_ERROR);
    refuse_json(r);
    return -1;
}

bool
read_object(struct reading *r)
{
    enum json_token token = json_next(&r->json);

    if (token == JSON_OBJECT)
        return true;
    return token == JSON_ERROR ? refuse_json(r)
                               : refuse(r, OUTCOME_FIELD_TYPE, "an object is wanted");
}

bool
read_array(struct reading *r)
{
    enum json_token token = json_next(&r->json);

    if (token == JSON_ARRAY)
        return true;
    return token == JSON_ERROR ? refuse_json(r)
                               : refuse(r, OUTCOME_FIELD_TYPE, "an array is wanted");
}

/* Room for one more. */
static bool
grow(struct reading *r, struct things *things)
{
    uint32_t cap = things->cap == 0 ? 8 : things->cap * 2;
    void *item;

    if (cap > things->max)
        cap = things->max;
    assert(cap > things->count);
    item = arena_alloc_array(r->arena, cap, things->size);
    if (item == NULL)
        return refuse_memory(r);
    if (things->count > 0)
        memcpy(item, things->item, (size_t)things->count * things->size);
    things->item = item;
    things->cap = cap;
    return true;
}

enum json_token
reading_element(struct reading *r, struct things *things)
{
    int depth = r->json.depth;
    enum json_token token = json_next(&r->json);

    if (token == JSON_ARRAY_END)
        return token;
    if (token == JSON_ERROR) {
        refuse_json(r);
        return JSON_ERROR;
    }
    if (things->count == things->max) {
        refuse_too_many(r, depth, things->max, things->what);
        return JSON_ERROR;
    }
    if (things->count == things->cap && !grow(r, things))
        return JSON_ERROR;
    things->count++;
    return token;
}

/* ---- values ---- */

/* No control characters (C0, DEL, C1): a text may be logged, printed, sent to a terminal. */
static bool
is_printable(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
    bool control = false;

    for (; at < end; at++) {
        control |= *at < 0x20 || *at == 0x7f;
        if (*at == 0xc2 && at + 1 < end && at[1] < 0xa0)
            control = true;
    }
    return !control;
}

bool
check_text(struct reading *r, const struct text_rule *rule)
{
    struct text text = r->json.value;

    if (text.len > rule->bytes_max) {
        if (!rule->typed && pan_is_in(text))
            return refuse(r, OUTCOME_CARD_NUMBER_FORBIDDEN, NULL);
        return refuse_over(r, OUTCOME_FIELD_LONG, rule->bytes_max, "bytes of UTF-8");
    }
    if (text.len < rule->bytes_min)
        return refuse(r, OUTCOME_FIELD_FORMAT, "an empty text");
    if (!is_printable(text))
        return refuse(r, OUTCOME_FIELD_FORMAT, "a control character in the text");
    if (!rule->typed && pan_is_in(text))
        return refuse(r, OUTCOME_CARD_NUMBER_FORBIDDEN, NULL);
    return true;
}

bool
read_string(struct reading *r)
{
    enum json_token token = json_next(&r->json);

    if (token == JSON_STRING)
        return true;
    return token == JSON_ERROR ? refuse_json(r)
                               : refuse(r, OUTCOME_FIELD_TYPE, "a string is wanted");
}

bool
read_text(struct reading *r, const struct text_rule *rule, struct text *out)
{
    if (!read_string(r))
        return false;
    *out = r->json.value;
    return check_text(r, rule);
}

bool
read_bool(struct reading *r, bool *out)
{
    enum json_token token = json_next(&r->json);

    if (token != JSON_TRUE && token != JSON_FALSE)
        return token == JSON_ERROR ? refuse_json(r)
                                   : refuse(r, OUTCOME_FIELD_TYPE, "true or false is wanted");
    *out = token == JSON_TRUE;
    return true;
}

bool
read_decimal(struct reading *r, struct text *out)
{
    enum json_token token = json_next(&r->json);

    if (token != JSON_STRING && token != JSON_NUMBER)
        return token == JSON_ERROR
                   ? refuse_json(r)
                   : refuse(r, OUTCOME_FIELD_TYPE, "a decimal string or a number is wanted");
    *out = r->json.value;
    return true;
}

bool
parse_amount(struct reading *r, struct text text, const char *field, int scale, int64_t max,
             int64_t *out)
{
    int64_t value = 0;

    switch (decimal_parse(text, scale, &value)) {
    case DECIMAL_OK:
        break;
    case DECIMAL_SYNTAX:
        return refuse_at(r, OUTCOME_FIELD_FORMAT, field, "no decimal number (digits and a point)");
    case DECIMAL_FINE:
        return refuse_at(r, OUTCOME_AMOUNT_TOO_FINE, field, NULL);
    case DECIMAL_RANGE:
        return refuse_at(r, OUTCOME_FIELD_RANGE, field, NULL);
    }
    if (value < 0)
        return refuse_at(r, OUTCOME_FIELD_RANGE, field, "less than nothing");
    if (value > max)
        return refuse_at(r, OUTCOME_FIELD_RANGE, field, NULL);
    *out = value;
    return true;
}

bool
read_amount(struct reading *r, int scale, int64_t max, int64_t *out)
{
    struct text text;

    return read_decimal(r, &text) && parse_amount(r, text, "", scale, max, out);
}

bool
read_whole(struct reading *r, bool or_text, int64_t min, int64_t max, int64_t *out)
{
    enum json_token token = json_next(&r->json);
    struct text text = r->json.value;
    int64_t value = 0;

    if (token != JSON_NUMBER && !(or_text && token == JSON_STRING))
        return token == JSON_ERROR ? refuse_json(r)
                                   : refuse(r, OUTCOME_FIELD_TYPE, "a whole number is wanted");
    bool negative = text.len > 0 && *text.ptr == '-';
    for (uint32_t i = negative; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < '0' || c > '9')
            return refuse(r, OUTCOME_FIELD_FORMAT, "a whole number is digits alone");
        value = value > max ? value : value * 10 + (c - '0'); /* over `max` it stays there */
    }
    if (text.len == (uint32_t)negative)
        return refuse(r, OUTCOME_FIELD_FORMAT, "a whole number is digits alone");
    if (negative || value < min || value > max)
        return refuse(r, OUTCOME_FIELD_RANGE, NULL);
    *out = value;
    return true;
}

bool
read_instant(struct reading *r, unix_ms *out)
{
    if (!read_string(r))
        return false;
    return instant_parse(r->json.value, out) ||
           refuse(r, OUTCOME_FIELD_FORMAT, "no RFC 3339 time like 2026-02-28T12:00:00+03:00");
}

bool
read_id(struct reading *r, uint64_t *out)
{
    uint64_t value = 0;

    if (!read_string(r))
        return false;
    struct text text = r->json.value;
    if (text.len == 0 || *text.ptr == '0')
        return refuse(r, OUTCOME_FIELD_FORMAT, "an id is a string of digits");
    for (uint32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c < '0' || c > '9')
            return refuse(r, OUTCOME_FIELD_FORMAT, "an id is a string of digits");
        if (value > ((uint64_t)INT64_MAX - (uint64_t)(c - '0')) / 10)
            return refuse(r, OUTCOME_FIELD_RANGE, NULL);
        value = value * 10 + (uint64_t)(c - '0');
    }
    assert(value > 0);
    *out = value;
    return true;
}

bool
read_raw_object(struct reading *r, struct text *out)
{
    if (!read_object(r))
        return false;
    const char *begin = r->json.at - 1; /* the brace */
    if (!json_skip(&r->json))
        return refuse_json(r);
    *out = (struct text){ begin, (uint32_t)(r->json.at - begin) };
    assert(out->len >= 2);
    return true;
}

bool
read_sent_at(struct reading *r)
{
    struct text text;

    return read_text(r, &text_code_or_empty, &text);
}

bool
read_attempt(struct reading *r)
{
    int64_t attempt;

    return read_whole(r, true, 0, INT32_MAX, &attempt);
}

bool
read_choice(struct reading *r, const struct text *names, int count, int *out)
{
    if (!read_string(r))
        return false;
    for (int i = 0; i < count; i++) {
        if (!text_equal(r->json.value, names[i]))
            continue;
        *out = i;
        return true;
    }
    if (pan_is_in(r->json.value))
        return refuse(r, OUTCOME_CARD_NUMBER_FORBIDDEN, NULL);
    return refuse(r, OUTCOME_FIELD_FORMAT, "not one of the values that are known here");
}
