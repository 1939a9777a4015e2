/*
 * test_request.c - every field of every body, well and badly filled, each with its exact refusal.
 *
 * Owns:      running tests/tables/requests/: fields.txt x bad.txt, and the good bodies; that no
 *            bank card's number gets in; that memory may run out anywhere.
 * Must not:  know what a field is for: the tables do.
 */
#include "bodies.h"
#include "good.h"

#define TABLES "tests/tables/requests"

/* ---- text that is put together ---- */

struct string {
    char *ptr;
    size_t len, cap;
};

static void
add(struct string *string, const char *bytes, size_t size)
{
    if (string->len + size + 1 > string->cap) {
        string->cap = (string->len + size + 1) * 2;
        string->ptr = realloc(string->ptr, string->cap);
        assert_non_null(string->ptr);
    }
    memcpy(string->ptr + string->len, bytes, size);
    string->len += size;
    string->ptr[string->len] = '\0';
}

static void
add_string(struct string *string, const char *more)
{
    add(string, more, strlen(more));
}

/* A value of the tables: <<n:text>> is text n times, \xHH a byte. */
static struct string
expand(const char *at)
{
    struct string out = { 0 };
    unsigned byte;

    add(&out, "", 0);
    while (*at != '\0') {
        char *colon;
        if (strncmp(at, "<<", 2) == 0) {
            unsigned long count = strtoul(at + 2, &colon, 10);
            const char *end = strstr(colon, ">>");
            assert_int_equal(*colon, ':');
            assert_non_null(end);
            for (unsigned long i = 0; i < count; i++)
                add(&out, colon + 1, (size_t)(end - colon - 1));
            at = end + 2;
        } else if (at[0] == '\\' && at[1] == 'x' && sscanf(at + 2, "%2x", &byte) == 1) {
            char c = (char)byte;
            add(&out, &c, 1);
            at += 4;
        } else {
            add(&out, at++, 1);
        }
    }
    return out;
}

/* ---- one body against what is expected of it ---- */

static int bodies_tried;

static void
expect(struct fixture *fixture, const struct body_kind *kind, const char *body, size_t size,
       const char *outcome, const char *pointer)
{
    struct refusal refusal;
    struct text text = { body, (uint32_t)size };

    arena_reset(&fixture->request);
    bool good = kind->read(text, fixture, &refusal);
    bodies_tried++;
    int shown = size > 600 ? 600 : (int)size;
    if (strcmp(outcome_name(refusal.outcome), outcome) != 0)
        fail_msg("%s %.*s\nis %s at '%.*s' (%.*s), not %s", kind->name, shown, body,
                 outcome_name(refusal.outcome), (int)refusal.pointer.len, refusal.pointer.ptr,
                 (int)refusal.detail.len, refusal.detail.ptr, outcome);
    assert_int_equal(good, refusal.outcome == OUTCOME_DONE);
    if (good) {
        assert_int_equal(refusal.pointer.len, 0);
        return;
    }
    if (!text_equal(refusal.pointer, text_of(pointer)))
        fail_msg("%s %.*s\npoints at '%.*s', not '%s'", kind->name, shown, body,
                 (int)refusal.pointer.len, refusal.pointer.ptr, pointer);
    assert_true(text_is_utf8(refusal.detail));
}

/* ---- the tables ---- */

struct field {
    char body[24], pointer[64], type[24];
    bool is_needed;
};

struct bad {
    char type[24];
    char *value, *outcome, *pointer; /* pointer: what is added, or "." */
};

static struct field fields[256];
static size_t field_count;
static struct bad bads[640];
static size_t bad_count;
static char *fields_text, *bad_text;

/* The next line that says something, without blanks at its ends; NULL after the last. */
static char *
next_row(char **rest)
{
    char *line;

    while ((line = strsep(rest, "\n")) != NULL) {
        while (*line == ' ')
            line++;
        size_t size = strlen(line);
        while (size > 0 && line[size - 1] == ' ')
            line[--size] = '\0';
        if (size > 0 && *line != '#')
            return line;
    }
    return NULL;
}

static int
read_tables(void **state)
{
    char *rest, *line;

    (void)state;
    rest = fields_text = read_file(TABLES "/fields.txt");
    while ((line = next_row(&rest)) != NULL) {
        struct field *field = &fields[field_count++];
        char needed[16];
        assert_true(field_count <= KOP_COUNT(fields));
        assert_int_equal(sscanf(line, "%23s %63s %23s %15s", field->body, field->pointer,
                                field->type, needed),
                         4);
        field->is_needed = strcmp(needed, "needed") == 0;
        assert_true(field->is_needed || strcmp(needed, "optional") == 0);
    }
    rest = bad_text = read_file(TABLES "/bad.txt");
    while ((line = next_row(&rest)) != NULL) {
        struct bad *bad = &bads[bad_count++];
        char *arrow = strstr(line, "=> ");
        int size = 0;
        assert_true(bad_count <= KOP_COUNT(bads));
        if (arrow == NULL || sscanf(line, "%23s %n", bad->type, &size) != 1)
            fail_msg("no row: %s", line);
        bad->value = line + size;
        bad->outcome = arrow + 3;
        for (*arrow-- = '\0'; arrow >= bad->value && *arrow == ' '; arrow--)
            *arrow = '\0';
        bad->pointer = strchr(bad->outcome, ' ');
        if (bad->pointer != NULL)
            *bad->pointer++ = '\0';
        else
            bad->pointer = "";
    }
    return 0;
}

static int
free_tables(void **state)
{
    (void)state;
    free(fields_text);
    free(bad_text);
    return 0;
}

static void
each_value_of_each_type(void **state)
{
    struct fixture fixture;
    int before = bodies_tried;

    (void)state;
    fixture_open(&fixture);
    for (size_t f = 0; f < field_count; f++) {
        const struct field *field = &fields[f];
        const struct body_kind *kind = find_body(field->body);
        int found = 0;
        for (size_t b = 0; b < bad_count; b++) {
            if (strcmp(bads[b].type, field->type) != 0)
                continue;
            struct string value = expand(bads[b].value);
            size_t size;
            char *body = good_with(field->body, field->pointer, value.ptr, value.len, &size);
            struct string added = expand(bads[b].pointer);
            struct string pointer = { 0 };
            add_string(&pointer, kind->prefix);
            if (strcmp(added.ptr, ".") != 0) {
                add_string(&pointer, field->pointer);
                add_string(&pointer, added.ptr);
            }
            expect(&fixture, kind, body, size, bads[b].outcome, pointer.ptr);
            free(value.ptr);
            free(body);
            free(added.ptr);
            free(pointer.ptr);
            found++;
        }
        if (found == 0)
            fail_msg("bad.txt has no values of the type '%s'", field->type);
    }
    fixture_close(&fixture);
    print_message("%d bodies\n", bodies_tried - before);
    assert_true(bodies_tried - before > 1000);
}

static void
whole_bodies(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    for (size_t b = 0; b < bad_count; b++) {
        char name[24];
        int size = 0;
        if (strcmp(bads[b].type, "body") != 0)
            continue;
        assert_int_equal(sscanf(bads[b].value, "%23s %n", name, &size), 1);
        struct string body = expand(bads[b].value + size);
        const char *pointer = strcmp(bads[b].pointer, ".") == 0 ? "" : bads[b].pointer;
        expect(&fixture, find_body(name), body.ptr, body.len, bads[b].outcome, pointer);
        free(body.ptr);
    }
    fixture_close(&fixture);
}

/* Left out, said twice, and with a stranger beside it. */
static void
missing_twice_and_unknown(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    for (size_t f = 0; f < field_count; f++) {
        const struct field *field = &fields[f];
        const struct body_kind *kind = find_body(field->body);
        const char *last = good_last(field->pointer);
        char pointer[160], unknown[160];
        struct string more = { 0 };
        size_t size;

        char *without = good_without(field->body, field->pointer);
        if (without == NULL)
            continue;
        snprintf(pointer, sizeof(pointer), "%s%s", kind->prefix, field->pointer);
        expect(&fixture, kind, without, strlen(without),
               field->is_needed ? "FIELD_MISSING" : "DONE", pointer);

        char *value = good_value(field->body, field->pointer);
        add_string(&more, value);
        add_string(&more, ",\"");
        add_string(&more, last);
        add_string(&more, "\":");
        add_string(&more, value);
        char *twice = good_with(field->body, field->pointer, more.ptr, more.len, &size);
        expect(&fixture, kind, twice, size, "FIELD_TWICE", pointer);

        more.len = 0;
        add_string(&more, value);
        add_string(&more, ",\"no_such_field\":{\"a\":[1]}");
        char *strange = good_with(field->body, field->pointer, more.ptr, more.len, &size);
        snprintf(unknown, sizeof(unknown), "%.*sno_such_field",
                 (int)(strlen(pointer) - strlen(last)), pointer);
        expect(&fixture, kind, strange, size, "FIELD_UNKNOWN", unknown);
        free(without);
        free(value);
        free(twice);
        free(strange);
        free(more.ptr);
    }
    fixture_close(&fixture);
}

/* Every good body, cut at every byte, is refused; whole, it is taken, also with its fields in
 * another order and with white space. */
static void
good_bodies(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    for (size_t i = 0; i < body_kind_count; i++) {
        const struct body_kind *kind = &body_kinds[i];
        char *compact = good_compact(kind->name), *sorted = good_sorted(kind->name);
        expect(&fixture, kind, compact, strlen(compact), "DONE", "");
        expect(&fixture, kind, sorted, strlen(sorted), "DONE", "");
        for (size_t size = 1; size < strlen(compact); size++)
            expect(&fixture, kind, compact, size, "BODY_NOT_JSON", kind->prefix);
        free(compact);
        free(sorted);
    }
    fixture_close(&fixture);
}

/* ---- what is read ---- */

static void
assert_text(struct text text, const char *expected)
{
    if (!text_equal(text, text_of(expected)))
        fail_msg("'%.*s' is not '%s'", (int)text.len, text.ptr, expected);
}

static void
a_purchase_is_read(void **state)
{
    struct fixture fixture;
    struct purchase_body body;
    struct refusal refusal;
    struct text programme;
    char *text = read_file(TABLES "/good/purchase.json");

    (void)state;
    fixture_open(&fixture);
    assert_true(body_programme(text_of(text), &fixture.request, &programme, &refusal));
    assert_text(programme, "shop");
    assert_true(purchase_body_read(text_of(text), fixture.plan, &fixture.request, &body, &refusal));
    const struct event *event = &body.event;
    assert_text(body.programme, "shop");
    assert_text(body.whom.card, "2000000000015");
    assert_true(body.is_fact);
    assert_int_equal(body.reserve, 0);
    assert_false(body.has_quote);
    assert_text(event->kind, "purchase");
    assert_text(event->outlet, "1");
    assert_text(event->till, "2");
    assert_int_equal(event->period, 20261121);
    assert_text(event->number, "17");
    assert_int_equal(event->occurred_at, INT64_C(1795251600000));
    assert_text(event->channel, "shop");
    assert_text(event->region, "77");
    assert_text(event->tender, "card");
    assert_text(event->bin, "220000");
    assert_false(event->for_business);
    assert_true(event->confirmed);
    assert_int_equal(event->line_count, 1);
    const struct line *line = event->line;
    assert_text(line->article, "4607001771562");
    assert_text(line->category, "A");
    assert_text(line->brand, "Заря");
    assert_int_equal(line->tag_count, 2);
    assert_text(line->tag[1], "own");
    assert_false(line->is_service);
    assert_false(line->is_discounted);
    assert_int_equal(line->quantity, 2000);
    assert_int_equal(line->price, 60250000);
    assert_true(line->has_gross);
    assert_int_equal(line->gross, 12050);
    assert_int_equal(line->floor, 9100);
    assert_int_equal(line->attribute_count, 3);
    assert_text(line->attribute[0].name, "express");
    assert_int_equal(line->attribute[0].type, ATTRIBUTE_BOOL);
    assert_int_equal(line->attribute[0].number, 1);
    assert_text(line->attribute[1].value, "no sugar");
    assert_int_equal(line->attribute[2].type, ATTRIBUTE_NUMBER);
    assert_int_equal(line->attribute[2].number, 250000);
    assert_int_equal(event->redeem_count, 1);
    assert_text(event->redeem[0].currency, "bonus");
    assert_int_equal(event->redeem[0].points, 2000);
    assert_false(event->redeem[0].max);
    assert_int_equal(event->payment_count, 1);
    assert_int_equal(event->payment[0].kind, PAYMENT_CERTIFICATE);
    assert_int_equal(event->payment[0].money, 1000);
    assert_text(event->payment[0].reference, "C-1");
    assert_int_equal(event->code_count, 1);
    assert_text(event->code[0], "SUMMER");
    assert_int_equal(event->attribute_count, 3);
    assert_int_equal(event->attribute[2].number, INT64_C(12000000000));
    free(text);
    fixture_close(&fixture);
}

/* The forms that the good bodies do not have. */
static void
other_forms_are_read(void **state)
{
    struct fixture fixture;
    struct purchase_body body;
    struct refusal refusal;

    (void)state;
    fixture_open(&fixture);
    assert_true(purchase_body_read(
        TEXT("{\"lines\":[{\"price\":0.1,\"quantity\":0.25},{\"amount\":1e0,\"quantity\":1}]}"),
        fixture.plan, &fixture.request, &body, &refusal) == false);
    assert_int_equal(refusal.outcome, OUTCOME_FIELD_FORMAT);
    assert_true(purchase_body_read(
        TEXT("{\"number\":\"\\u042f\\\"\",\"till\":\"2\",\"outlet\":\"1\",\"period\":\"00000007\","
             "\"member\":\"9223372036854775807\",\"programme\":\"shop\",\"mode\":\"ordinary\","
             "\"quote\":\"00ff102030405060708090a0b0c0d0e0f0000000000000000000000000000001\","
             "\"redeem\":[{\"amount\":\"max\",\"currency\":\"bonus\"},"
             "{\"amount\":7,\"currency\":\"stamp\"}],"
             "\"lines\":[{\"price\":0.1,\"quantity\":0.25,\"minimum_price\":0.1},"
             "{\"amount\":3,\"quantity\":\"1\",\"attributes\":{\"weight\":-0.000001}}],"
             "\"occurred_at\":\"2026-11-21T12:00:00Z\"}"),
        fixture.plan, &fixture.request, &body, &refusal));
    assert_text(body.event.number, "Я\"");
    assert_int_equal(body.event.period, 7);
    assert_true(body.whom.member_id == INT64_MAX);
    assert_false(body.is_fact);
    assert_true(body.has_quote);
    assert_int_equal(body.quote[1], 0xff);
    assert_int_equal(body.quote[31], 1);
    assert_int_equal(body.event.redeem_count, 2);
    assert_true(body.event.redeem[0].max);
    assert_int_equal(body.event.redeem[1].points, 7);
    assert_int_equal(body.event.line_count, 2);
    assert_int_equal(body.event.line[0].price, 100000);
    assert_int_equal(body.event.line[0].quantity, 250);
    assert_int_equal(body.event.line[0].floor, 3); /* 0.025, rounded like a gross */
    assert_false(body.event.line[0].has_gross);
    assert_int_equal(body.event.line[1].gross, 300);
    assert_int_equal(body.event.line[1].attribute[0].number, -1);
    fixture_close(&fixture);
}

static void
the_others_are_read(void **state)
{
    struct fixture fixture;
    struct refusal refusal;
    struct return_body back;
    struct enrol_body enrol;
    struct opening_body opening;
    struct version_body version;
    char *text;

    (void)state;
    fixture_open(&fixture);
    struct arena *arena = &fixture.request;
    text = read_file(TABLES "/good/return.json");
    assert_true(return_body_read(text_of(text), arena, &back, &refusal));
    assert_text(back.number, "3");
    assert_int_equal(back.period, 20261122);
    assert_text(back.of_number, "17");
    assert_text(back.of_outlet, "1");
    assert_int_equal(back.of_period, 20261121);
    assert_int_equal(back.line_count, 1);
    assert_int_equal(back.line[0].line, 0);
    assert_int_equal(back.line[0].quantity, 1000);
    free(text);

    text = read_file(TABLES "/good/enrol.json");
    assert_true(enrol_body_read(text_of(text), arena, &enrol, &refusal));
    assert_text(enrol.surname, "Петрова");
    assert_text(enrol.birthday, "1990-02-28");
    assert_text(enrol.phone, "8 (912) 345-67-89");
    assert_int_equal(enrol.card_count, 2);
    assert_text(enrol.card[1], "C-2");
    assert_true(enrol.consent);
    free(text);

    text = read_file(TABLES "/good/opening.json");
    assert_true(opening_body_read(text_of(text), arena, &opening, &refusal));
    assert_text(opening.points, "120.50");
    assert_true(opening.has_at);
    free(text);
    text = read_file(TABLES "/good/version.json");
    assert_true(version_body_read(text_of(text), arena, &version, &refusal));
    assert_text(version.document, "{\"format\": 1, \"id\": \"shop\"}");
    assert_true(version.has_in_force_from);
    free(text);
    fixture_close(&fixture);
}

static void
an_evaluation_is_read(void **state)
{
    struct fixture fixture;
    struct refusal refusal;
    struct evaluate_body evaluate;
    struct member_view view;
    char *text;

    (void)state;
    fixture_open(&fixture);
    struct arena *arena = &fixture.request;
    text = read_file(TABLES "/good/evaluate.json");
    assert_true(evaluate_body_read(text_of(text), arena, &evaluate, &refusal));
    assert_text(evaluate.document, "{\"format\": 1}");
    assert_text(evaluate.event, "{\"lines\": []}");
    assert_text(evaluate.member, "{\"known\": true}");
    free(text);

    text = read_file(TABLES "/good/evaluate_member.json");
    assert_true(evaluate_member_read(text_of(text), fixture.plan, arena, &view, &refusal));
    assert_true(view.known);
    assert_int_equal(view.level[0], 2);
    assert_int_equal(view.counter[0], 3100050);
    assert_int_equal(view.counter[1], 4);
    assert_int_equal(view.available[0], 50000);
    assert_int_equal(view.available[1], 3);
    assert_int_equal(view.segment_count, 1);
    assert_text(view.segment[0], "vip");
    free(text);
    assert_true(evaluate_member_read(TEXT(""), fixture.plan, arena, &view, &refusal));
    assert_false(view.known);
    assert_true(evaluate_member_read(TEXT("{\"known\":false}"), fixture.plan, arena, &view,
                                     &refusal));
    assert_false(view.known);
    fixture_close(&fixture);
}

/* body_programme() looks at any body, past anything. */
static void
the_programme_is_found(void **state)
{
    static const struct {
        const char *body, *outcome, *pointer;
    } rows[] = {
        { "{\"programme\":\"shop\"", "DONE", "" }, /* the rest is the next reader's */
        { "{\"lines\":[{\"a\":[1,2,{}]}],\"programme\":\"shop\"}", "DONE", "" },
        { "{}", "FIELD_MISSING", "/programme" },
        { "{\"lines\":{\"programme\":\"shop\"}}", "FIELD_MISSING", "/programme" },
        { "{\"programme\":7}", "FIELD_TYPE", "/programme" },
        { "{\"programme\":\"\"}", "FIELD_FORMAT", "/programme" },
        { "{\"programme\":\"4000 0000 0000 0002\"}", "CARD_NUMBER_FORBIDDEN", "/programme" },
        { "{\"lines\":[1,}", "BODY_NOT_JSON", "" },
        { "{} x", "BODY_NOT_JSON", "" },
        { "[]", "FIELD_TYPE", "" },
        { "", "BODY_NOT_JSON", "" },
    };
    struct fixture fixture;
    struct refusal refusal;
    struct text programme;

    (void)state;
    fixture_open(&fixture);
    for (size_t i = 0; i < KOP_COUNT(rows); i++) {
        bool good =
            body_programme(text_of(rows[i].body), &fixture.request, &programme, &refusal);
        assert_int_equal(good, strcmp(rows[i].outcome, "DONE") == 0);
        assert_string_equal(outcome_name(refusal.outcome), rows[i].outcome);
        assert_text(refusal.pointer, rows[i].pointer);
        if (good)
            assert_text(programme, "shop");
    }
    fixture_close(&fixture);
}

/* ---- bank cards ---- */

static uint64_t
random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void
make_pan(uint64_t *seed, char digits[32])
{
    static const struct {
        const char *prefix;
        int length;
    } schemes[] = {
        { "4", 16 },      { "4", 18 },      { "4", 19 },    { "51", 16 },   { "55", 16 },
        { "2221", 16 },   { "2720", 16 },   { "2200", 16 }, { "2204", 19 }, { "2202", 17 },
        { "620", 15 },    { "622126", 16 }, { "625", 19 },  { "810", 16 },  { "500000", 16 },
        { "5018", 15 },   { "56", 17 },     { "63", 16 },   { "67", 19 },   { "3528", 16 },
        { "3589", 19 },   { "34", 15 },     { "37", 15 },   { "300", 16 },  { "36", 19 },
        { "6011", 16 },
    };
    size_t scheme = random_next(seed) % KOP_COUNT(schemes);
    int length = schemes[scheme].length, sum = 0;

    snprintf(digits, 32, "%s", schemes[scheme].prefix);
    for (int i = (int)strlen(digits); i < length; i++)
        digits[i] = (char)('0' + random_next(seed) % 10);
    digits[length] = '\0';
    if (strncmp(digits, "50", 2) == 0)
        memcpy(digits, "500123", 6);
    digits[length - 1] = '0';
    for (int i = 0; i < length; i++) {
        int digit = digits[length - 1 - i] - '0';
        sum += i % 2 ? digit * 2 / 10 + digit * 2 % 10 : digit;
    }
    digits[length - 1] = (char)('0' + (10 - sum % 10) % 10);
}

/* The number in one of many dresses, as the inside of a JSON string. */
static void
dress(uint64_t *seed, const char *digits, struct string *out)
{
    static const char *const separators[] = { "", " ", "-", "\xc2\xa0", "\xe2\x80\x93", "\\u2009",
                                              " - ", "\xe2\x80\x8b" };
    const char *separator = separators[random_next(seed) % KOP_COUNT(separators)];
    uint64_t script = random_next(seed) % 5;
    bool around = random_next(seed) % 4 == 0;

    out->len = 0;
    add_string(out, around ? "no " : "");
    for (size_t i = 0; digits[i] != '\0'; i++) {
        char piece[16];
        if (i > 0 && i % 4 == 0)
            add_string(out, separator);
        if (script == 1)
            snprintf(piece, sizeof(piece), "\xef\xbc%c", 0x90 + digits[i] - '0'); /* full width */
        else if (script == 2)
            snprintf(piece, sizeof(piece), "\xd9%c", 0xa0 + digits[i] - '0'); /* Arabic-Indic */
        else if (script == 3)
            snprintf(piece, sizeof(piece), "\\u%04x", (unsigned)digits[i]);
        else
            snprintf(piece, sizeof(piece), "%c", digits[i]);
        add_string(out, piece);
    }
    add_string(out, around ? " till 12/28" : "");
}

static bool
is_untyped(const struct field *field)
{
    static const char *const types[] = { "code", "code0", "name", "name0", "email", "article",
                                         "currency", "kind", "bin", "sex", "state", "mode",
                                         "payment_kind", "level" };

    for (size_t i = 0; i < KOP_COUNT(types); i++)
        if (strcmp(field->type, types[i]) == 0)
            return true;
    return false;
}

/* 10 000 of them over all fields that hold text: refused there, and nothing of them is repeated. */
static void
no_card_number_gets_in(void **state)
{
    struct fixture fixture;
    struct string dressed = { 0 }, value = { 0 };
    uint64_t seed = 20261121;
    int tried = 0;

    (void)state;
    fixture_open(&fixture);
    while (tried < 10000) {
        for (size_t f = 0; f < field_count; f++) {
            const struct body_kind *kind = find_body(fields[f].body);
            char digits[32], pointer[160];
            struct refusal refusal;
            if (!is_untyped(&fields[f]))
                continue;
            make_pan(&seed, digits);
            dress(&seed, digits, &dressed);
            value.len = 0;
            add_string(&value, "\"");
            add_string(&value, dressed.ptr);
            add_string(&value, "\"");
            size_t size;
            char *body =
                good_with(fields[f].body, fields[f].pointer, value.ptr, value.len, &size);
            snprintf(pointer, sizeof(pointer), "%s%s", kind->prefix, fields[f].pointer);
            expect(&fixture, kind, body, size, "CARD_NUMBER_FORBIDDEN", pointer);
            arena_reset(&fixture.request);
            assert_false(
                kind->read((struct text){ body, (uint32_t)size }, &fixture, &refusal));
            assert_true(refusal.detail.len == 0 ||
                        memmem(refusal.detail.ptr, refusal.detail.len, digits + 8, 4) == NULL);
            free(body);
            tried++;
        }
    }
    free(dressed.ptr);
    free(value.ptr);
    fixture_close(&fixture);
}

/* Typed fields take what they are for. */
static void
expect_taken(struct fixture *fixture, const char *body_name, const char *pointer, const char *text)
{
    struct string value = { 0 };

    add_string(&value, "\"");
    add_string(&value, text);
    add_string(&value, "\"");
    size_t size;
    char *body = good_with(body_name, pointer, value.ptr, value.len, &size);
    expect(fixture, find_body(body_name), body, size, "DONE", "");
    free(body);
    free(value.ptr);
}

static void
loyalty_cards_and_bar_codes_get_in(void **state)
{
    struct fixture fixture;
    char *text, *rest, *line;
    int cards = 0, codes = 0;

    (void)state;
    fixture_open(&fixture);
    rest = text = read_file("tests/tables/cards/generated_loyalty_numbers.csv");
    next_row(&rest); /* the names of the columns */
    while ((line = next_row(&rest)) != NULL) {
        char number[32];
        assert_int_equal(sscanf(line, "%*[^,],%31[0-9]", number), 1);
        expect_taken(&fixture, "purchase", "/card", number);
        expect_taken(&fixture, "card", "/number", number);
        expect_taken(&fixture, "enrol", "/cards/0", number);
        expect_taken(&fixture, "opening", "/card", number);
        cards++;
    }
    free(text);
    rest = text = read_file("tests/tables/cards/gtin.csv");
    while ((line = next_row(&rest)) != NULL) {
        expect_taken(&fixture, "purchase", "/lines/0/article", line);
        codes++;
    }
    free(text);
    assert_int_equal(cards, 18);
    assert_int_equal(codes, 300);
    fixture_close(&fixture);
}

/* ---- memory ---- */

/* Whatever the memory's end, the answer is DONE or BUSY, never another and never a crash. */
static void
memory_may_run_out(void **state)
{
    struct fixture fixture;
    struct arena whole;

    (void)state;
    fixture_open(&fixture);
    whole = fixture.request;
    for (size_t i = 0; i < body_kind_count; i++) {
        char path[128];
        snprintf(path, sizeof(path), TABLES "/good/%s.json", body_kinds[i].name);
        char *text = read_file(path);
        bool done = false;
        for (size_t size = 64; !done; size += 16) {
            void *memory = aligned_alloc(16, size);
            struct refusal refusal;
            assert_non_null(memory);
            arena_init_fixed(&fixture.request, memory, size);
            done = body_kinds[i].read(text_of(text), &fixture, &refusal);
            assert_int_equal(refusal.outcome, done ? OUTCOME_DONE : OUTCOME_BUSY);
            free(memory);
            assert_true(size < 64 * 1024);
        }
        free(text);
    }
    fixture.request = whole;
    fixture_close(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_bodies),
        cmocka_unit_test(a_purchase_is_read),
        cmocka_unit_test(other_forms_are_read),
        cmocka_unit_test(the_others_are_read),
        cmocka_unit_test(an_evaluation_is_read),
        cmocka_unit_test(the_programme_is_found),
        cmocka_unit_test(each_value_of_each_type),
        cmocka_unit_test(whole_bodies),
        cmocka_unit_test(missing_twice_and_unknown),
        cmocka_unit_test(no_card_number_gets_in),
        cmocka_unit_test(loyalty_cards_and_bar_codes_get_in),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, read_tables, free_tables);
}
