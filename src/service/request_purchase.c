/*
 * request_purchase.c - a purchase, another event, and the event of an evaluation.
 *
 * Owns:      the fields of what happened, its lines, redemptions, payments and own attributes.
 * Must not:  compute more than a floor out of a minimum price; decide.
 * Invariant: three bodies share one table of fields and differ in which of them they know and need.
 *            An own attribute is declared by the programme, with that type.
 * Cost:      one pass; lines grow by doubling.
 * Tests:     tests/unit/service/test_request.c, tests/tables/requests/, tests/fuzz/fuzz_event.c
 */
#include "service/request_read.h"

#include "base/mem.h"
#include "service/pan.h"

/* In the order in which tills send them: json_field() looks first after the latest one. */
#define EVENT_FIELDS(X)                                                                            \
    X(PROGRAMME, "programme")                                                                      \
    X(KIND, "kind")                                                                                \
    X(OUTLET, "outlet")                                                                            \
    X(TILL, "till")                                                                                \
    X(PERIOD, "period")                                                                            \
    X(NUMBER, "number")                                                                            \
    X(OCCURRED_AT, "occurred_at")                                                                  \
    X(CARD, "card")                                                                                \
    X(PHONE, "phone")                                                                              \
    X(MEMBER, "member")                                                                            \
    X(MODE, "mode")                                                                                \
    X(RESERVE, "reserve")                                                                          \
    X(QUOTE, "quote")                                                                              \
    X(CHANNEL, "channel")                                                                          \
    X(REGION, "region")                                                                            \
    X(TENDER, "tender")                                                                            \
    X(BIN, "bin")                                                                                  \
    X(FOR_BUSINESS, "for_business")                                                                \
    X(CONFIRMED, "confirmed")                                                                      \
    X(LINES, "lines")                                                                              \
    X(REDEEM, "redeem")                                                                            \
    X(PAYMENTS, "payments")                                                                        \
    X(CODES, "codes")                                                                              \
    X(ATTRIBUTES, "attributes")                                                                    \
    X(SENT_AT, "sent_at")                                                                          \
    X(ATTEMPT, "attempt")

enum event_field {
#define X(id, name) EVENT_##id,
    EVENT_FIELDS(X)
#undef X
        event_field_count
};

static const struct text event_fields[] = {
#define X(id, name) { name, sizeof(name) - 1 },
    EVENT_FIELDS(X)
#undef X
};

#define LINE_FIELDS(X)                                                                             \
    X(ARTICLE, "article")                                                                          \
    X(QUANTITY, "quantity")                                                                        \
    X(PRICE, "price")                                                                              \
    X(AMOUNT, "amount")                                                                            \
    X(CATEGORY, "category")                                                                        \
    X(BRAND, "brand")                                                                              \
    X(TAGS, "tags")                                                                                \
    X(SERVICE, "service")                                                                          \
    X(DISCOUNTED, "discounted")                                                                    \
    X(MINIMUM_PRICE, "minimum_price")                                                              \
    X(ATTRIBUTES, "attributes")

enum line_field {
#define X(id, name) LINE_##id,
    LINE_FIELDS(X)
#undef X
        line_field_count
};

static const struct text line_fields[] = {
#define X(id, name) { name, sizeof(name) - 1 },
    LINE_FIELDS(X)
#undef X
};

/* ---- own attributes ---- */

/* The declared type of attribute `name` of `scope`, "line." or "event.". */
static bool
find_attribute(const struct reading *r, struct text scope, struct text name,
               enum attribute_type *type)
{
    char full[sizeof("event.") + code_bytes_max];

    assert(scope.len < sizeof("event."));
    if (name.len == 0 || name.len > code_bytes_max)
        return false;
    memcpy(full, scope.ptr, scope.len);
    memcpy(full + scope.len, name.ptr, name.len);
    return plan_attribute(r->plan, (struct text){ full, scope.len + name.len }, type);
}

/* A number at scale 6; one that looks like a card's number is not taken as a number either. */
static bool
read_own_number(struct reading *r, int64_t *out)
{
    struct text text;

    if (!read_decimal(r, &text))
        return false;
    if (pan_is_in(text))
        return refuse(r, OUTCOME_CARD_NUMBER_FORBIDDEN, NULL);
    int64_t sign = 1;
    if (text.len > 1 && *text.ptr == '-' && text.ptr[1] != '-') {
        sign = -1;
        text.ptr++;
        text.len--;
    }
    if (!parse_amount(r, text, "", rate_scale, INT64_MAX, out))
        return false;
    *out *= sign;
    return true;
}

static bool
read_attribute(struct reading *r, struct attribute *attribute)
{
    bool holds = false;

    switch (attribute->type) {
    case ATTRIBUTE_TEXT:
        return read_text(r, &text_name_or_empty, &attribute->value);
    case ATTRIBUTE_NUMBER:
        return read_own_number(r, &attribute->number);
    case ATTRIBUTE_BOOL:
        break;
    }
    if (!read_bool(r, &holds))
        return false;
    attribute->number = holds;
    return true;
}

/* {"name": value}, each declared and once. */
static bool
read_attributes(struct reading *r, struct text scope, struct attribute **out, uint32_t *count)
{
    struct attribute list[attributes_per_thing_max];
    uint32_t found = 0;
    struct text name;
    int more;

    if (!read_object(r))
        return false;
    while ((more = reading_name(r, &name)) == 1) {
        struct attribute attribute = { .name = name };
        if (!find_attribute(r, scope, name, &attribute.type))
            return refuse_name(r, name);
        for (uint32_t i = 0; i < found; i++)
            if (text_equal(list[i].name, name))
                return refuse(r, OUTCOME_FIELD_TWICE, NULL);
        if (found == attributes_per_thing_max)
            return refuse_too_many(r, r->json.depth, found, "attributes");
        if (!read_attribute(r, &attribute))
            return false;
        list[found++] = attribute;
    }
    if (more < 0)
        return false;
    *out = arena_array(r->arena, struct attribute, found);
    if (*out == NULL)
        return refuse_memory(r);
    memcpy(*out, list, found * sizeof(list[0]));
    *count = found;
    return true;
}

/* ---- lists of texts ---- */

static bool
read_texts(struct reading *r, uint32_t max, const char *what, const struct text_rule *rule,
           struct text **out, uint32_t *count)
{
    struct things things = { .max = max, .size = sizeof(struct text), .what = what };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_STRING)
            return refuse(r, OUTCOME_FIELD_TYPE, "a string is wanted");
        if (!check_text(r, rule))
            return false;
        ((struct text *)things.item)[things.count - 1] = r->json.value;
    }
    *out = things.item;
    *count = things.count;
    return true;
}

/* ---- lines ---- */

/* A bar code of GS1 is an article, whatever card's number it looks like. */
static bool
read_article(struct reading *r, struct text *out)
{
    static const struct text_rule bar_code = { 0, code_bytes_max, true };

    if (!read_string(r))
        return false;
    *out = r->json.value;
    return check_text(r, pan_is_gtin(*out) ? &bar_code : &text_code_or_empty);
}

static bool
read_line_field(struct reading *r, int field, struct line *line, int64_t *minimum_price)
{
    switch ((enum line_field)field) {
    case LINE_ARTICLE:
        return read_article(r, &line->article);
    case LINE_QUANTITY:
        if (!read_amount(r, quantity_scale, QUANTITY_MAX, &line->quantity))
            return false;
        return line->quantity > 0 || refuse(r, OUTCOME_FIELD_RANGE, "more than 0 is wanted");
    case LINE_PRICE:
        return read_amount(r, price_scale, PRICE_MAX, &line->price);
    case LINE_AMOUNT:
        line->has_gross = true;
        return read_amount(r, r->terms->money_scale, AMOUNT_MAX, &line->gross);
    case LINE_CATEGORY:
        return read_text(r, &text_name_or_empty, &line->category);
    case LINE_BRAND:
        return read_text(r, &text_name_or_empty, &line->brand);
    case LINE_TAGS:
        return read_texts(r, tags_per_line_max, "tags", &text_name, &line->tag, &line->tag_count);
    case LINE_SERVICE:
        return read_bool(r, &line->is_service);
    case LINE_DISCOUNTED:
        return read_bool(r, &line->is_discounted);
    case LINE_MINIMUM_PRICE:
        return read_amount(r, price_scale, PRICE_MAX, minimum_price);
    case LINE_ATTRIBUTES:
        return read_attributes(r, TEXT("line."), &line->attribute, &line->attribute_count);
    case line_field_count:
        break;
    }
    kop_check_failed(__FILE__, __LINE__, "a field of the table");
}

/* floor = minimum price * quantity, rounded like a gross. */
static bool
set_floor(struct reading *r, struct line *line, int64_t minimum_price)
{
    int64_t per_step = i64_pow10(price_scale + quantity_scale - r->terms->money_scale);

    if (i64_mul_div(minimum_price, line->quantity, per_step, ROUND_HALF_UP, &line->floor) &&
        line->floor <= AMOUNT_MAX)
        return true;
    return refuse_at(r, OUTCOME_AMOUNT_OVERFLOW, "/minimum_price", NULL);
}

static bool
read_line(struct reading *r, struct line *line)
{
    int64_t minimum_price = 0;
    uint64_t seen = 0;
    int field;

    while ((field = reading_field(r, line_fields, line_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_line_field(r, field, line, &minimum_price))
            return false;
    if (field == field_refused)
        return false;
    if (!(seen & (FIELD_BIT(LINE_PRICE) | FIELD_BIT(LINE_AMOUNT))))
        return refuse_at(r, OUTCOME_FIELD_MISSING, "/price", "'price' or 'amount' is needed");
    if (!reading_required(r, line_fields, seen, FIELD_BIT(LINE_QUANTITY)))
        return false;
    return minimum_price == 0 || set_floor(r, line, minimum_price);
}

static bool
read_lines(struct reading *r, struct event *event)
{
    struct things things = {
        .max = lines_per_receipt_max,
        .size = sizeof(struct line),
        .what = "lines",
    };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_OBJECT)
            return refuse(r, OUTCOME_FIELD_TYPE, "an object is wanted");
        if (!read_line(r, (struct line *)things.item + things.count - 1))
            return false;
    }
    event->line = things.item;
    event->line_count = things.count;
    return true;
}

/* ---- how it is paid ---- */

/* {"currency", "amount": decimal or "max"}: the amount is read once the currency is known. */
static bool
read_redeem(struct reading *r, struct redeem *list, uint32_t index)
{
    static const struct text names[] = { { "currency", 8 }, { "amount", 6 } };
    enum { CURRENCY, AMOUNT };
    struct redeem *redeem = &list[index];
    const struct currency_terms *currency;
    struct text text = { NULL, 0 };
    uint64_t seen = 0;
    int field;

    while ((field = reading_field(r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0)
        if (field == CURRENCY ? !read_text(r, &text_code, &redeem->currency)
                              : !read_decimal(r, &text))
            return false;
    if (field == field_refused ||
        !reading_required(r, names, seen, FIELD_BIT(CURRENCY) | FIELD_BIT(AMOUNT)))
        return false;
    currency = terms_currency_by_code(r->terms, redeem->currency);
    if (currency == NULL)
        return refuse_at(r, OUTCOME_CURRENCY_UNKNOWN, "/currency", NULL);
    for (uint32_t i = 0; i < index; i++)
        if (text_equal(list[i].currency, redeem->currency))
            return refuse_at(r, OUTCOME_FIELD_TWICE, "/currency", "one entry a currency");
    redeem->max = text_equal(text, TEXT("max"));
    return redeem->max ||
           parse_amount(r, text, "/amount", currency->scale, AMOUNT_MAX, &redeem->points);
}

static bool
read_redeems(struct reading *r, struct event *event)
{
    struct things things = {
        .max = redeems_per_receipt_max,
        .size = sizeof(struct redeem),
        .what = "redemptions",
    };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_OBJECT)
            return refuse(r, OUTCOME_FIELD_TYPE, "an object is wanted");
        if (!read_redeem(r, things.item, things.count - 1))
            return false;
    }
    event->redeem = things.item;
    event->redeem_count = things.count;
    return true;
}

static bool
read_payment(struct reading *r, struct payment *payment)
{
    static const struct text names[] = { { "kind", 4 }, { "amount", 6 }, { "reference", 9 } };
    static const struct text kinds[] = { { "certificate", 11 }, { "purse", 5 } };
    enum { KIND, AMOUNT, REFERENCE };
    uint64_t seen = 0;
    int field, kind;

    while ((field = reading_field(r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0) {
        if (field == KIND) {
            if (!read_choice(r, kinds, KOP_COUNT(kinds), &kind))
                return false;
            payment->kind = kind == 0 ? PAYMENT_CERTIFICATE : PAYMENT_PURSE;
        } else if (field == AMOUNT) {
            if (!read_amount(r, r->terms->money_scale, AMOUNT_MAX, &payment->money))
                return false;
        } else if (!read_text(r, &text_code_or_empty, &payment->reference)) {
            return false;
        }
    }
    return field == field_end &&
           reading_required(r, names, seen, FIELD_BIT(KIND) | FIELD_BIT(AMOUNT));
}

static bool
read_payments(struct reading *r, struct event *event)
{
    struct things things = {
        .max = payments_per_receipt_max,
        .size = sizeof(struct payment),
        .what = "payments",
    };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_OBJECT)
            return refuse(r, OUTCOME_FIELD_TYPE, "an object is wanted");
        if (!read_payment(r, (struct payment *)things.item + things.count - 1))
            return false;
    }
    event->payment = things.item;
    event->payment_count = things.count;
    return true;
}

/* The first digits of a bank card: six to eight. */
static bool
read_bin(struct reading *r, struct text *out)
{
    if (!read_text(r, &text_code_or_empty, out))
        return false;
    for (uint32_t i = 0; i < out->len; i++)
        if (out->ptr[i] < '0' || out->ptr[i] > '9')
            return refuse(r, OUTCOME_FIELD_FORMAT, "six to eight digits are wanted");
    if (out->len != 0 && (out->len < 6 || out->len > 8))
        return refuse(r, OUTCOME_FIELD_FORMAT, "six to eight digits are wanted");
    return true;
}

/* ---- the whole ---- */

static bool
read_mode(struct reading *r, bool *is_fact)
{
    static const struct text modes[] = { { "ordinary", 8 }, { "fact", 4 } };
    int mode;

    if (!read_choice(r, modes, KOP_COUNT(modes), &mode))
        return false;
    *is_fact = mode == 1;
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool
read_quote(struct reading *r, struct purchase_body *out)
{
    static const struct text_rule rule = { 64, 64, true };
    struct text text;

    if (!read_text(r, &rule, &text))
        return false;
    for (uint32_t i = 0; i < sizeof(out->quote); i++) {
        int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return refuse(r, OUTCOME_FIELD_FORMAT, "64 digits 0-9 a-f are wanted");
        out->quote[i] = (unsigned char)(high * 16 + low);
    }
    out->has_quote = true;
    return true;
}

/* Who: fields that exclude one another. */
static bool
read_whom(struct reading *r, int field, uint64_t seen, struct whom *whom)
{
    const uint64_t all = FIELD_BIT(EVENT_CARD) | FIELD_BIT(EVENT_PHONE) | FIELD_BIT(EVENT_MEMBER);

    seen &= all;
    if (seen & (seen - 1))
        return refuse(r, OUTCOME_FIELD_TWICE, "one of 'card', 'phone', 'member' alone");
    if (field == EVENT_CARD)
        return read_text(r, &text_own_card, &whom->card);
    if (field == EVENT_PHONE)
        return read_text(r, &text_phone, &whom->phone);
    return read_id(r, &whom->member_id);
}

static bool
read_event_field(struct reading *r, int field, uint64_t seen, struct purchase_body *out)
{
    struct event *event = &out->event;

    switch ((enum event_field)field) {
    case EVENT_PROGRAMME:
        return read_text(r, &text_code, &out->programme);
    case EVENT_KIND:
        return read_text(r, &text_code, &event->kind);
    case EVENT_OUTLET:
        return read_text(r, &text_code, &event->outlet);
    case EVENT_TILL:
        return read_text(r, &text_code, &event->till);
    case EVENT_PERIOD:
        return read_whole(r, true, 0, receipt_period_max, &event->period);
    case EVENT_NUMBER:
        return read_text(r, &text_code, &event->number);
    case EVENT_OCCURRED_AT:
        return read_instant(r, &event->occurred_at);
    case EVENT_CARD:
    case EVENT_PHONE:
    case EVENT_MEMBER:
        return read_whom(r, field, seen, &out->whom);
    case EVENT_MODE:
        return read_mode(r, &out->is_fact);
    case EVENT_RESERVE:
        return read_id(r, &out->reserve);
    case EVENT_QUOTE:
        return read_quote(r, out);
    case EVENT_CHANNEL:
        return read_text(r, &text_code_or_empty, &event->channel);
    case EVENT_REGION:
        return read_text(r, &text_code_or_empty, &event->region);
    case EVENT_TENDER:
        return read_text(r, &text_code_or_empty, &event->tender);
    case EVENT_BIN:
        return read_bin(r, &event->bin);
    case EVENT_FOR_BUSINESS:
        return read_bool(r, &event->for_business);
    case EVENT_CONFIRMED:
        return read_bool(r, &event->confirmed);
    case EVENT_LINES:
        return read_lines(r, event);
    case EVENT_REDEEM:
        return read_redeems(r, event);
    case EVENT_PAYMENTS:
        return read_payments(r, event);
    case EVENT_CODES:
        return read_texts(r, codes_per_receipt_max, "codes", &text_code, &event->code,
                          &event->code_count);
    case EVENT_ATTRIBUTES:
        return read_attributes(r, TEXT("event."), &event->attribute, &event->attribute_count);
    case EVENT_SENT_AT:
        return read_sent_at(r);
    case EVENT_ATTEMPT:
        return read_attempt(r);
    case event_field_count:
        break;
    }
    kop_check_failed(__FILE__, __LINE__, "a field of the table");
}

static bool
read_event(struct reading *r, uint64_t allowed, uint64_t required, struct purchase_body *out,
           uint64_t *seen)
{
    int field;

    *seen = 0;
    *out = (struct purchase_body){ .event.kind = TEXT("purchase") };
    while ((field = reading_field(r, event_fields, event_field_count, allowed, seen)) >= 0)
        if (!read_event_field(r, field, *seen, out))
            return false;
    if (field == field_refused || !reading_required(r, event_fields, *seen, required))
        return false;
    return reading_end(r);
}

#define BIT(name) FIELD_BIT(EVENT_##name)
#define RECEIPT_KEY (BIT(OUTLET) | BIT(TILL) | BIT(PERIOD) | BIT(NUMBER))
#define ANYBODY (BIT(CARD) | BIT(PHONE) | BIT(MEMBER))
#define PLACE (BIT(OUTLET) | BIT(TILL) | BIT(CHANNEL) | BIT(REGION))
#define EVERY_FIELD (FIELD_BIT(event_field_count) - 1)

static bool
lines_are_there(struct reading *r, const struct event *event)
{
    if (event->line_count > 0)
        return true;
    return refuse_at(r, OUTCOME_FIELD_MISSING, "/lines", "at least one line is needed");
}

bool
purchase_body_read(struct text body, const struct plan *plan, struct arena *arena,
                   struct purchase_body *out, struct refusal *refusal)
{
    const uint64_t required = BIT(PROGRAMME) | RECEIPT_KEY | BIT(OCCURRED_AT);
    struct reading r;
    uint64_t seen;

    assert(plan != NULL);
    if (!reading_begin(&r, body, plan, arena, refusal) ||
        !read_event(&r, EVERY_FIELD & ~BIT(KIND), required, out, &seen))
        return false;
    if ((seen & BIT(RESERVE)) && (seen & BIT(QUOTE)))
        return refuse_at(&r, OUTCOME_FIELD_TWICE, "/quote", "a reserve or a quote, not both");
    return (seen & BIT(RESERVE)) != 0 || lines_are_there(&r, &out->event);
}

bool
event_body_read(struct text body, const struct plan *plan, struct arena *arena,
                struct event_body *out, struct refusal *refusal)
{
    const uint64_t required = BIT(PROGRAMME) | BIT(KIND) | BIT(OCCURRED_AT);
    const uint64_t allowed =
        required | PLACE | ANYBODY | BIT(ATTRIBUTES) | BIT(SENT_AT) | BIT(ATTEMPT);
    struct purchase_body parts;
    struct reading r;
    uint64_t seen;

    assert(plan != NULL);
    if (!reading_begin(&r, body, plan, arena, refusal) ||
        !read_event(&r, allowed, required, &parts, &seen))
        return false;
    if (text_equal(parts.event.kind, TEXT("purchase")))
        return refuse_at(&r, OUTCOME_FIELD_RANGE, "/kind", "a purchase is sent as a receipt");
    *out = (struct event_body){
        .programme = parts.programme,
        .whom = parts.whom,
        .event = parts.event,
    };
    return true;
}

bool
evaluate_event_read(struct text json, const struct plan *plan, struct arena *arena,
                    struct event *event, struct refusal *refusal)
{
    const uint64_t required = BIT(OCCURRED_AT);
    const uint64_t allowed = EVERY_FIELD & ~(BIT(PROGRAMME) | ANYBODY | BIT(MODE) | BIT(RESERVE) |
                                             BIT(QUOTE) | BIT(SENT_AT) | BIT(ATTEMPT));
    struct purchase_body parts;
    struct reading r;
    uint64_t seen;

    assert(plan != NULL);
    if (!reading_begin_part(&r, json, TEXT("/event"), plan, arena, refusal) ||
        !read_event(&r, allowed, required, &parts, &seen))
        return false;
    *event = parts.event;
    return !text_equal(event->kind, TEXT("purchase")) || lines_are_there(&r, event);
}
