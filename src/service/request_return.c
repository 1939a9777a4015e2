/*
 * request_return.c - goods that come back, and a reserve that is given up.
 *
 * Owns:      the receipt's key as a group of fields, the lines of a return.
 * Must not:  know what was sold.
 * Invariant: a line of the receipt is named once at most.
 * Tests:     tests/unit/service/test_request.c
 */
#include "service/request_read.h"

/* ---- the key of a receipt ---- */

struct key {
    struct text outlet, till, number;
    int64_t period;
};

static const struct text key_fields[] = {
    { "outlet", 6 },
    { "till", 4 },
    { "period", 6 },
    { "number", 6 },
};
enum { KEY_OUTLET, KEY_TILL, KEY_PERIOD, KEY_NUMBER, key_field_count };

static bool
read_key_field(struct reading *r, int field, struct key *key)
{
    switch (field) {
    case KEY_OUTLET:
        return read_text(r, &text_code, &key->outlet);
    case KEY_TILL:
        return read_text(r, &text_code, &key->till);
    case KEY_PERIOD:
        return read_whole(r, true, 0, receipt_period_max, &key->period);
    default:
        assert(field == KEY_NUMBER);
        return read_text(r, &text_code, &key->number);
    }
}

/* {"outlet", "till", "period", "number"}, all needed. */
static bool
read_key(struct reading *r, struct key *key)
{
    uint64_t seen = 0;
    int field;

    if (!read_object(r))
        return false;
    while ((field = reading_field(r, key_fields, key_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_key_field(r, field, key))
            return false;
    return field == field_end &&
           reading_required(r, key_fields, seen, FIELD_BIT(key_field_count) - 1);
}

/* ---- return ---- */

static const struct text return_fields[] = {
    { "programme", 9 },   { "outlet", 6 },  { "till", 4 },  { "period", 6 },  { "number", 6 },
    { "occurred_at", 11 }, { "receipt", 7 }, { "lines", 5 }, { "sent_at", 7 }, { "attempt", 7 },
};
enum {
    RETURN_PROGRAMME,
    RETURN_KEY, /* the four in the order of key_fields */
    RETURN_OCCURRED_AT = RETURN_KEY + key_field_count,
    RETURN_RECEIPT,
    RETURN_LINES,
    RETURN_SENT_AT,
    RETURN_ATTEMPT,
    return_field_count
};
_Static_assert(KOP_COUNT(return_fields) == return_field_count, "a name for each field");

struct line_set {
    uint64_t bit[lines_per_receipt_max / 64 + 1];
};

static bool
read_returned_line(struct reading *r, struct line_set *named, struct returned_line *line)
{
    static const struct text names[] = { { "line", 4 }, { "quantity", 8 } };
    enum { LINE, QUANTITY };
    int64_t number = 0;
    uint64_t seen = 0;
    int field;

    while ((field = reading_field(r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0) {
        if (field == LINE) {
            if (!read_whole(r, false, 1, lines_per_receipt_max, &number))
                return false;
        } else if (!read_amount(r, quantity_scale, QUANTITY_MAX, &line->quantity)) {
            return false;
        } else if (line->quantity == 0) {
            return refuse(r, OUTCOME_FIELD_RANGE, "more than 0 is wanted");
        }
    }
    if (field == field_refused ||
        !reading_required(r, names, seen, FIELD_BIT(LINE) | FIELD_BIT(QUANTITY)))
        return false;
    line->line = (uint32_t)(number - 1);
    uint64_t *word = &named->bit[line->line / 64];
    uint64_t bit = UINT64_C(1) << line->line % 64;
    if (*word & bit)
        return refuse_at(r, OUTCOME_FIELD_TWICE, "/line", "one entry a line of the receipt");
    *word |= bit;
    return true;
}

static bool
read_returned_lines(struct reading *r, struct return_body *out)
{
    struct things things = {
        .max = lines_per_receipt_max,
        .size = sizeof(struct returned_line),
        .what = "lines",
    };
    struct line_set named = { { 0 } };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_OBJECT)
            return refuse(r, OUTCOME_FIELD_TYPE, "an object is wanted");
        if (!read_returned_line(r, &named, (struct returned_line *)things.item + things.count - 1))
            return false;
    }
    out->line = things.item;
    out->line_count = things.count;
    return true;
}

static bool
read_return_field(struct reading *r, int field, struct return_body *out, struct key *own,
                  struct key *of)
{
    if (field >= RETURN_KEY && field < RETURN_KEY + key_field_count)
        return read_key_field(r, field - RETURN_KEY, own);
    switch (field) {
    case RETURN_PROGRAMME:
        return read_text(r, &text_code, &out->programme);
    case RETURN_OCCURRED_AT:
        return read_instant(r, &out->occurred_at);
    case RETURN_RECEIPT:
        return read_key(r, of);
    case RETURN_LINES:
        return read_returned_lines(r, out);
    case RETURN_SENT_AT:
        return read_sent_at(r);
    default:
        assert(field == RETURN_ATTEMPT);
        return read_attempt(r);
    }
}

bool
return_body_read(struct text body, struct arena *arena, struct return_body *out,
                 struct refusal *refusal)
{
    const uint64_t required = FIELD_BIT(RETURN_RECEIPT + 1) - 1;
    struct key own = { .period = 0 }, of = { .period = 0 };
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct return_body){ .line_count = 0 };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, return_fields, return_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_return_field(&r, field, out, &own, &of))
            return false;
    if (field == field_refused || !reading_required(&r, return_fields, seen, required) ||
        !reading_end(&r))
        return false;
    out->outlet = own.outlet;
    out->till = own.till;
    out->period = own.period;
    out->number = own.number;
    out->of_outlet = of.outlet;
    out->of_till = of.till;
    out->of_period = of.period;
    out->of_number = of.number;
    return true;
}

/* ---- cancel ---- */

static const struct text cancel_fields[] = {
    { "programme", 9 }, { "outlet", 6 },  { "till", 4 },    { "period", 6 },
    { "number", 6 },    { "reserve", 7 }, { "sent_at", 7 }, { "attempt", 7 },
};
enum {
    CANCEL_PROGRAMME,
    CANCEL_KEY, /* the four in the order of key_fields */
    CANCEL_RESERVE = CANCEL_KEY + key_field_count,
    CANCEL_SENT_AT,
    CANCEL_ATTEMPT,
    cancel_field_count
};
_Static_assert(KOP_COUNT(cancel_fields) == cancel_field_count, "a name for each field");

static bool
read_cancel_field(struct reading *r, int field, struct cancel_body *out, struct key *key)
{
    if (field >= CANCEL_KEY && field < CANCEL_KEY + key_field_count)
        return read_key_field(r, field - CANCEL_KEY, key);
    switch (field) {
    case CANCEL_PROGRAMME:
        return read_text(r, &text_code, &out->programme);
    case CANCEL_RESERVE:
        return read_id(r, &out->reserve);
    case CANCEL_SENT_AT:
        return read_sent_at(r);
    default:
        assert(field == CANCEL_ATTEMPT);
        return read_attempt(r);
    }
}

bool
cancel_body_read(struct text body, struct arena *arena, struct cancel_body *out,
                 struct refusal *refusal)
{
    const uint64_t required = FIELD_BIT(CANCEL_RESERVE) - 1;
    struct key key = { .period = 0 };
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct cancel_body){ .reserve = 0 };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, cancel_fields, cancel_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_cancel_field(&r, field, out, &key))
            return false;
    if (field == field_refused || !reading_required(&r, cancel_fields, seen, required) ||
        !reading_end(&r))
        return false;
    out->outlet = key.outlet;
    out->till = key.till;
    out->period = key.period;
    out->number = key.number;
    return true;
}
