/*
 * request_member.c - enrolment, search, cards and opening balances.
 *
 * Owns:      the fields of who somebody is.
 * Must not:  normalise a telephone, look a card up, or know what a programme asks for.
 * Invariant: names, towns and e-mails are untyped: none holds a bank card's number.
 * Tests:     tests/unit/service/test_request.c
 */
#include "service/request_read.h"

#include "base/decimal.h"
#include "core/civil.h"

/* ---- who ---- */

/* Exactly what a search is for: one @ with something on both sides, no space. */
static bool
read_email(struct reading *r, struct text *out)
{
    uint32_t at = 0, count = 0;

    if (!read_text(r, &text_name, out))
        return false;
    for (uint32_t i = 0; i < out->len; i++) {
        if (out->ptr[i] == ' ')
            return refuse(r, OUTCOME_FIELD_FORMAT, "no e-mail address");
        if (out->ptr[i] == '@') {
            at = i;
            count++;
        }
    }
    if (count != 1 || at == 0 || at + 1 == out->len)
        return refuse(r, OUTCOME_FIELD_FORMAT, "no e-mail address");
    return true;
}

static const struct text whom_fields[] = {
    { "programme", 9 }, { "card", 4 },    { "phone", 5 },    { "email", 5 },  { "member", 6 },
    { "sent_at", 7 },   { "attempt", 7 }, { "currency", 8 }, { "points", 6 }, { "at", 2 },
};
enum {
    WHOM_PROGRAMME,
    WHOM_CARD,
    WHOM_PHONE,
    WHOM_EMAIL,
    WHOM_MEMBER,
    WHOM_SENT_AT,
    WHOM_ATTEMPT,
    WHOM_CURRENCY, /* from here on of an opening */
    WHOM_POINTS,
    WHOM_AT,
    whom_field_count
};
_Static_assert(KOP_COUNT(whom_fields) == whom_field_count, "a name for each field");

enum { any_whom = 1 << WHOM_CARD | 1 << WHOM_PHONE | 1 << WHOM_EMAIL | 1 << WHOM_MEMBER };

/* A field that all bodies about somebody have. */
static bool
read_whom_field(struct reading *r, int field, uint64_t seen, struct text *programme,
                struct whom *whom)
{
    uint64_t named = seen & any_whom;

    if ((FIELD_BIT(field) & any_whom) && (named & (named - 1)))
        return refuse(r, OUTCOME_FIELD_TWICE, "one of 'card', 'phone', 'email', 'member' alone");
    switch (field) {
    case WHOM_PROGRAMME:
        return read_text(r, &text_code, programme);
    case WHOM_CARD:
        return read_text(r, &text_own_card, &whom->card);
    case WHOM_PHONE:
        return read_text(r, &text_phone, &whom->phone);
    case WHOM_EMAIL:
        return read_email(r, &whom->email);
    case WHOM_MEMBER:
        return read_id(r, &whom->member_id);
    case WHOM_SENT_AT:
        return read_sent_at(r);
    default:
        assert(field == WHOM_ATTEMPT);
        return read_attempt(r);
    }
}

bool
find_body_read(struct text body, struct arena *arena, struct find_body *out,
               struct refusal *refusal)
{
    const uint64_t allowed = FIELD_BIT(WHOM_CURRENCY) - 1;
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct find_body){ .whom.member_id = 0 };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, whom_fields, whom_field_count, allowed, &seen)) >= 0)
        if (!read_whom_field(&r, field, seen, &out->programme, &out->whom))
            return false;
    if (field == field_refused ||
        !reading_required(&r, whom_fields, seen, FIELD_BIT(WHOM_PROGRAMME)) || !reading_end(&r))
        return false;
    return (seen & any_whom) != 0 ||
           refuse_at(&r, OUTCOME_FIELD_MISSING, "/card",
                     "one of 'card', 'phone', 'email', 'member' is needed");
}

/* ---- opening balance ---- */

/* Decimal text that is not negative; its scale is looked at when the currency is known. */
static bool
read_points(struct reading *r, struct text *out)
{
    int64_t whole;

    if (!read_decimal(r, out))
        return false;
    switch (decimal_parse(*out, 0, &whole)) {
    case DECIMAL_SYNTAX:
        return refuse(r, OUTCOME_FIELD_FORMAT, "no decimal number (digits and a point)");
    case DECIMAL_RANGE:
        return refuse(r, OUTCOME_FIELD_RANGE, NULL);
    case DECIMAL_OK:
    case DECIMAL_FINE:
        break;
    }
    return *out->ptr != '-' || refuse(r, OUTCOME_FIELD_RANGE, "less than nothing");
}

static bool
read_opening_field(struct reading *r, int field, uint64_t seen, struct opening_body *out)
{
    switch (field) {
    case WHOM_CURRENCY:
        return read_text(r, &text_code, &out->currency);
    case WHOM_POINTS:
        return read_points(r, &out->points);
    case WHOM_AT:
        out->has_at = true;
        return read_instant(r, &out->at);
    default:
        return read_whom_field(r, field, seen, &out->programme, &out->whom);
    }
}

bool
opening_body_read(struct text body, struct arena *arena, struct opening_body *out,
                  struct refusal *refusal)
{
    const uint64_t allowed = (FIELD_BIT(whom_field_count) - 1) & ~FIELD_BIT(WHOM_EMAIL);
    const uint64_t required =
        FIELD_BIT(WHOM_PROGRAMME) | FIELD_BIT(WHOM_CURRENCY) | FIELD_BIT(WHOM_POINTS);
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct opening_body){ .has_at = false };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, whom_fields, whom_field_count, allowed, &seen)) >= 0)
        if (!read_opening_field(&r, field, seen, out))
            return false;
    return field == field_end && reading_required(&r, whom_fields, seen, required) &&
           reading_end(&r);
}

/* ---- enrolment ---- */

static const struct text enrol_fields[] = {
    { "programme", 9 }, { "surname", 7 }, { "name", 4 },  { "patronymic", 10 }, { "birthday", 8 },
    { "sex", 3 },       { "town", 4 },    { "phone", 5 }, { "email", 5 },       { "cards", 5 },
    { "consent", 7 },   { "sent_at", 7 }, { "attempt", 7 },
};
enum {
    ENROL_PROGRAMME,
    ENROL_SURNAME,
    ENROL_NAME,
    ENROL_PATRONYMIC,
    ENROL_BIRTHDAY,
    ENROL_SEX,
    ENROL_TOWN,
    ENROL_PHONE,
    ENROL_EMAIL,
    ENROL_CARDS,
    ENROL_CONSENT,
    ENROL_SENT_AT,
    ENROL_ATTEMPT,
    enrol_field_count
};
_Static_assert(KOP_COUNT(enrol_fields) == enrol_field_count, "a name for each field");

static bool
read_birthday(struct reading *r, struct text *out)
{
    struct date date;

    if (!read_text(r, &text_code, out))
        return false;
    return date_parse(*out, &date) || refuse(r, OUTCOME_FIELD_FORMAT, "no date like 1990-12-31");
}

static bool
read_sex(struct reading *r, struct text *out)
{
    static const struct text sexes[] = { { "female", 6 }, { "male", 4 } };
    int index;

    if (!read_choice(r, sexes, KOP_COUNT(sexes), &index))
        return false;
    *out = sexes[index];
    return true;
}

static bool
read_cards(struct reading *r, struct enrol_body *out)
{
    struct things things = {
        .max = cards_per_member_max,
        .size = sizeof(struct text),
        .what = "cards",
    };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        struct text *card = things.item;
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_STRING)
            return refuse(r, OUTCOME_FIELD_TYPE, "a string is wanted");
        if (!check_text(r, &text_own_card))
            return false;
        card[things.count - 1] = r->json.value;
        for (uint32_t i = 0; i + 1 < things.count; i++)
            if (text_equal(card[i], r->json.value))
                return refuse(r, OUTCOME_FIELD_TWICE, "the same card again");
    }
    out->card = things.item;
    out->card_count = things.count;
    return true;
}

static bool
read_enrol_field(struct reading *r, int field, struct enrol_body *out)
{
    switch (field) {
    case ENROL_PROGRAMME:
        return read_text(r, &text_code, &out->programme);
    case ENROL_SURNAME:
        return read_text(r, &text_name, &out->surname);
    case ENROL_NAME:
        return read_text(r, &text_name, &out->name);
    case ENROL_PATRONYMIC:
        return read_text(r, &text_name_or_empty, &out->patronymic);
    case ENROL_BIRTHDAY:
        return read_birthday(r, &out->birthday);
    case ENROL_SEX:
        return read_sex(r, &out->sex);
    case ENROL_TOWN:
        return read_text(r, &text_name_or_empty, &out->town);
    case ENROL_PHONE:
        return read_text(r, &text_phone, &out->phone);
    case ENROL_EMAIL:
        return read_email(r, &out->email);
    case ENROL_CARDS:
        return read_cards(r, out);
    case ENROL_CONSENT:
        return read_bool(r, &out->consent);
    case ENROL_SENT_AT:
        return read_sent_at(r);
    default:
        assert(field == ENROL_ATTEMPT);
        return read_attempt(r);
    }
}

bool
enrol_body_read(struct text body, struct arena *arena, struct enrol_body *out,
                struct refusal *refusal)
{
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct enrol_body){ .consent = false };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, enrol_fields, enrol_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_enrol_field(&r, field, out))
            return false;
    return field == field_end &&
           reading_required(&r, enrol_fields, seen, FIELD_BIT(ENROL_PROGRAMME)) && reading_end(&r);
}

/* ---- cards ---- */

static const struct text card_fields[] = {
    { "programme", 9 }, { "number", 6 },  { "member", 6 },
    { "state", 5 },     { "sent_at", 7 }, { "attempt", 7 },
};
enum {
    CARD_PROGRAMME,
    CARD_NUMBER,
    CARD_MEMBER,
    CARD_STATE,
    CARD_SENT_AT,
    CARD_ATTEMPT,
    card_field_count
};
_Static_assert(KOP_COUNT(card_fields) == card_field_count, "a name for each field");

static bool
read_card_field(struct reading *r, int field, struct card_body *out)
{
    static const struct text states[] = { { "active", 6 }, { "blocked", 7 } };
    int state;

    switch (field) {
    case CARD_PROGRAMME:
        return read_text(r, &text_code, &out->programme);
    case CARD_NUMBER:
        return read_text(r, &text_own_card, &out->number);
    case CARD_MEMBER:
        return read_id(r, &out->member_id);
    case CARD_STATE:
        if (!read_choice(r, states, KOP_COUNT(states), &state))
            return false;
        out->state = states[state];
        return true;
    case CARD_SENT_AT:
        return read_sent_at(r);
    default:
        assert(field == CARD_ATTEMPT);
        return read_attempt(r);
    }
}

bool
card_body_read(struct text body, struct arena *arena, struct card_body *out,
               struct refusal *refusal)
{
    const uint64_t required = FIELD_BIT(CARD_PROGRAMME) | FIELD_BIT(CARD_NUMBER);
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct card_body){ .member_id = 0 };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, card_fields, card_field_count, ~UINT64_C(0), &seen)) >= 0)
        if (!read_card_field(&r, field, out))
            return false;
    return field == field_end && reading_required(&r, card_fields, seen, required) &&
           reading_end(&r);
}
