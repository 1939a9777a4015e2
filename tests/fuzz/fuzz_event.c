/*
 * fuzz_event.c - bodies of requests, grown from choices: refused exactly, or sound in every part.
 *
 * Owns:      a grammar of purchases that knows what is nearly right, and what must hold after.
 * Must not:  keep anything between two inputs but the compiled programme and its arenas.
 *
 * The first byte chooses: the rest is a body as it stands, for one of the readers; or it is a
 * stream of choices out of which a purchase grows. What is taken is checked part by part, made
 * canonical and read back, decided, and rendered; every answer is read by our own reader again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_tree.h"
#include "service/pan.h"
#include "service/render.h"
#include "unit/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "fuzz_event.c:%d: %s\n", __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const char document[] =
    "{\"format\":1,\"id\":\"fuzz\",\"name\":{\"en\":\"Fuzz\"},"
    "\"money\":{\"code\":\"RUB\",\"scale\":2},"
    "\"currencies\":{\"bonus\":{\"no\":1,\"name\":{\"en\":\"bonus\"},\"scale\":2,\"worth\":\"1\"},"
    "\"mile\":{\"no\":2,\"name\":{\"en\":\"mile\"},\"scale\":0,\"worth\":\"0.05\"}},"
    "\"counters\":{\"turnover\":{\"no\":1,\"of\":\"money\",\"period\":\"ever\"}},"
    "\"ladders\":{\"level\":{\"no\":1,\"counter\":\"turnover\","
    "\"levels\":[{\"code\":\"a\",\"from\":\"0\"},{\"code\":\"b\",\"from\":\"100.00\"}]}},"
    "\"attributes\":{\"line.express\":\"bool\",\"line.note\":\"text\",\"event.steps\":\"number\"},"
    "\"rules\":["
    "{\"code\":\"ten\",\"scope\":\"line\",\"lines\":{\"line.category\":\"A\"},"
    "\"discount\":{\"kind\":\"percent\",\"value\":\"10\"}},"
    "{\"code\":\"fixed\",\"scope\":\"line\",\"lines\":{\"line.express\":true},"
    "\"discount\":{\"kind\":\"fixed-price\",\"value\":\"5\",\"per\":\"piece\"}},"
    "{\"code\":\"all\",\"scope\":\"receipt\",\"when\":{\"receipt.base\":{\"gte\":\"50\"}},"
    "\"discount\":{\"kind\":\"amount\",\"value\":\"7.77\"}},"
    "{\"code\":\"code\",\"scope\":\"receipt\",\"when\":{\"receipt.code\":\"SUMMER\"},"
    "\"discount\":{\"kind\":\"percent\",\"value\":\"33.333333\"}},"
    "{\"code\":\"base\",\"scope\":\"earn\",\"earn\":{\"currency\":\"bonus\",\"percent\":\"3\"}},"
    "{\"code\":\"miles\",\"scope\":\"earn\",\"when\":{\"event.steps\":{\"gt\":\"10\"}},"
    "\"earn\":{\"currency\":\"mile\",\"per_amount\":\"30\",\"points\":\"1\",\"of\":\"net\"}},"
    "{\"code\":\"visit\",\"on\":\"visit\",\"scope\":\"earn\","
    "\"earn\":{\"currency\":\"mile\",\"fixed\":\"5\"}}],"
    "\"combination\":{\"receipt\":{\"op\":\"sum\"}},"
    "\"redemption\":{\"bonus\":{\"max_percent\":\"50\"},\"mile\":{\"step\":\"20\"}},"
    "\"arithmetic\":{\"receipt_quantum\":\"0.10\"}}";

static struct arena plan_arena, arena;
static const struct plan *plan;

static void
start(void)
{
    struct problems problems = { 0 };
    struct plan *compiled = NULL;
    struct err err;

    if (plan != NULL)
        return;
    arena_init(&plan_arena, host_source(), 1 << 20, (size_t)64 << 20);
    arena_init(&arena, host_source(), 1 << 20, (size_t)64 << 20);
    enum code rc = plan_compile(&plan_arena, text_of(document), TEXT(""), 1, &compiled, &problems,
                                &err);
    for (uint32_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%.*s: %.*s\n", (int)problems.item[i].pointer.len,
                problems.item[i].pointer.ptr, (int)problems.item[i].sentence.len,
                problems.item[i].sentence.ptr);
    REQUIRE(rc == OK);
    plan = compiled;
}

/* ---- a body grown from choices ---- */

struct choices {
    const uint8_t *at, *end;
    struct buf *out;
    uint32_t left; /* values that may still be written: an input must not make an endless body */
};

static uint32_t
choose(struct choices *c, uint32_t count)
{
    if (c->at == c->end)
        return 0;
    return *c->at++ % count;
}

static void
put(struct choices *c, const char *text)
{
    buf_add_text(c->out, text_of(text));
}

/* Values of any kind; what is right somewhere is wrong elsewhere. */
static const char *const values[] = {
    "\"1\"", "\"fuzz\"", "\"bonus\"", "\"mile\"", "\"max\"", "\"A\"", "\"SUMMER\"", "\"card\"",
    "\"0.01\"", "\"100.00\"", "\"99999999.99\"", "\"10000000000000\"", "0", "1", "2", "7.5",
    "0.001",
    "1000000000", "9223372036854775807", "-1", "1e5", "\"certificate\"", "\"purse\"", "\"fact\"",
    "\"ordinary\"", "\"2026-11-21T12:00:00Z\"", "\"1970-01-01T00:00:00Z\"", "true", "false", "null",
    "\"\"", "[]", "{}", "\"4000000000000002\"", "\"4607001771562\"", "\"5000000000005\"",
    "\"2200 0000 0000 0004\"", "\"\\u0000\"", "\"\\ud83d\\ude00\"", "\"\xd0\xaf\"", "\"220000\"",
    "\"9223372036854775807\"", "\"18446744073709551616\"", "20261121", "\"00000001\"",
    "\"0000000000000000000000000000000000000000000000000000000000000000\"",
};

static void
put_value(struct choices *c)
{
    uint32_t which = choose(c, KOP_COUNT(values) + 4);

    if (which < KOP_COUNT(values)) {
        put(c, values[which]);
        return;
    }
    /* Raw bytes, up to the end of what they are given. */
    uint32_t size = choose(c, 32);
    if (which & 1)
        buf_add_char(c->out, '"');
    for (; size > 0 && c->at < c->end; size--)
        buf_add_char(c->out, (char)*c->at++);
    if (which & 1)
        buf_add_char(c->out, '"');
}

/* What a field should be, as a letter; see put_field(). */
struct field {
    const char *name;
    char kind;
};

static const struct field line_fields[] = {
    { "article", 't' }, { "quantity", 'n' }, { "price", 'n' }, { "amount", 'n' },
    { "category", 't' }, { "brand", 't' },   { "tags", 'T' },  { "service", 'b' },
    { "discounted", 'b' }, { "minimum_price", 'n' }, { "attributes", 'A' },
};
static const struct field redeem_fields[] = { { "currency", 'c' }, { "amount", 'n' } };
static const struct field payment_fields[] = {
    { "kind", 'k' }, { "amount", 'n' }, { "reference", 't' }
};
static const struct field purchase_fields[] = {
    { "programme", 't' },   { "outlet", 't' },  { "till", 't' },         { "period", 'w' },
    { "number", 't' },      { "occurred_at", 'i' }, { "lines", 'L' },    { "card", 't' },
    { "phone", 't' },       { "member", 't' },  { "mode", 'm' },         { "reserve", 't' },
    { "quote", 't' },       { "channel", 't' }, { "region", 't' },       { "tender", 't' },
    { "bin", 't' },         { "for_business", 'b' }, { "confirmed", 'b' }, { "redeem", 'R' },
    { "payments", 'P' },    { "codes", 'T' },   { "attributes", 'E' },   { "sent_at", 't' },
    { "attempt", 'w' },     { "kind", 't' },    { "no_such", 't' },
    { "4000000000000002", 't' },
};
/* Fields that come first and always, so that most bodies get far. */
enum { purchase_needed = 7, line_needed = 3 };

static void put_object(struct choices *c, const struct field *fields, uint32_t count,
                       uint32_t needed);

static void
put_list(struct choices *c, const struct field *fields, uint32_t count, uint32_t needed)
{
    uint32_t items = choose(c, 8);

    put(c, "[");
    for (uint32_t i = 0; i < items + (needed > 0) && c->left > 0; i++) {
        if (i > 0)
            put(c, ",");
        put_object(c, fields, count, needed);
    }
    put(c, "]");
}

static void
put_texts(struct choices *c)
{
    uint32_t items = choose(c, 5);

    put(c, "[");
    for (uint32_t i = 0; i < items && c->left > 0; i++) {
        if (i > 0)
            put(c, ",");
        put_value(c);
    }
    put(c, "]");
}

/* Mostly what the field is for; sometimes anything. */
static void
put_field(struct choices *c, char kind)
{
    static const char *const texts[] = { "\"1\"", "\"A\"", "\"fuzz\"", "\"4607001771562\"" };
    static const char *const numbers[] = { "1", "\"2.00\"", "100", "\"0.35\"", "12.34", "999.99" };

    c->left--;
    if (choose(c, 8) == 7) {
        put_value(c);
        return;
    }
    switch (kind) {
    case 't': put(c, texts[choose(c, KOP_COUNT(texts))]); return;
    case 'n': put(c, numbers[choose(c, KOP_COUNT(numbers))]); return;
    case 'w': put(c, choose(c, 2) ? "20261121" : "\"7\""); return;
    case 'b': put(c, choose(c, 2) ? "true" : "false"); return;
    case 'i': put(c, "\"2026-11-21T12:00:00+03:00\""); return;
    case 'c': put(c, choose(c, 2) ? "\"mile\"" : "\"bonus\""); return;
    case 'k': put(c, choose(c, 2) ? "\"purse\"" : "\"certificate\""); return;
    case 'm': put(c, choose(c, 2) ? "\"fact\"" : "\"ordinary\""); return;
    case 'A': put(c, choose(c, 2) ? "{\"express\":true}" : "{\"note\":\"x\"}"); return;
    case 'E': put(c, "{\"steps\":12}"); return;
    case 'T': put_texts(c); return;
    case 'L': put_list(c, line_fields, KOP_COUNT(line_fields), line_needed); return;
    case 'R': put_list(c, redeem_fields, KOP_COUNT(redeem_fields), 2); return;
    default: put_list(c, payment_fields, KOP_COUNT(payment_fields), 2); return;
    }
}

static void
put_object(struct choices *c, const struct field *fields, uint32_t count, uint32_t needed)
{
    bool comma = false;
    uint32_t more = choose(c, 8);

    put(c, "{");
    for (uint32_t i = 0; i < needed + more && c->left > 0; i++) {
        if (i < needed && choose(c, 16) == 15)
            continue; /* a needed field is missing */
        const struct field *field = &fields[i < needed ? i : choose(c, count)];
        if (comma)
            put(c, ",");
        comma = true;
        buf_addf(c->out, "\"%s\":", field->name);
        put_field(c, field->kind);
    }
    put(c, choose(c, 64) == 63 ? "" : "}");
}

/* ---- what must hold ---- */

static void
check_text(struct text text, uint32_t bytes_max)
{
    REQUIRE(text.len <= bytes_max);
    REQUIRE(text_is_utf8(text));
    REQUIRE(!pan_is_in(text));
    for (uint32_t i = 0; i < text.len; i++)
        REQUIRE((unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f);
}

static void
check_line(const struct line *line)
{
    REQUIRE(line->quantity > 0 && line->quantity <= QUANTITY_MAX);
    REQUIRE(line->price >= 0 && line->price <= PRICE_MAX);
    REQUIRE(line->gross >= 0 && line->gross <= AMOUNT_MAX);
    REQUIRE(line->floor >= 0 && line->floor <= AMOUNT_MAX);
    if (!pan_is_gtin(line->article))
        check_text(line->article, code_bytes_max);
    check_text(line->category, name_bytes_max);
    check_text(line->brand, name_bytes_max);
    REQUIRE(line->tag_count <= tags_per_line_max);
    for (uint32_t i = 0; i < line->tag_count; i++)
        check_text(line->tag[i], name_bytes_max);
    REQUIRE(line->attribute_count <= attributes_per_thing_max);
}

static void
check_event(const struct event *event)
{
    check_text(event->kind, code_bytes_max);
    check_text(event->outlet, code_bytes_max);
    check_text(event->till, code_bytes_max);
    check_text(event->number, code_bytes_max);
    check_text(event->channel, code_bytes_max);
    check_text(event->region, code_bytes_max);
    check_text(event->tender, code_bytes_max);
    check_text(event->bin, 8);
    REQUIRE(event->period >= 0 && event->period <= 99999999);
    REQUIRE(event->occurred_at >= 0);
    REQUIRE(event->line_count <= lines_per_receipt_max);
    for (uint32_t i = 0; i < event->line_count; i++)
        check_line(&event->line[i]);
    for (uint32_t i = 0; i < event->redeem_count; i++) {
        REQUIRE(terms_currency_by_code(plan_terms(plan), event->redeem[i].currency) != NULL);
        REQUIRE(event->redeem[i].points >= 0 && event->redeem[i].points <= AMOUNT_MAX);
    }
    for (uint32_t i = 0; i < event->payment_count; i++) {
        REQUIRE(event->payment[i].money >= 0 && event->payment[i].money <= AMOUNT_MAX);
        check_text(event->payment[i].reference, code_bytes_max);
    }
    for (uint32_t i = 0; i < event->code_count; i++)
        check_text(event->code[i], code_bytes_max);
}

static void
check_refusal(const struct refusal *refusal, const char *prefix)
{
    REQUIRE(refusal->outcome != OUTCOME_DONE);
    REQUIRE(outcome_http_status(refusal->outcome) / 100 == 4);
    REQUIRE(refusal->pointer.len == 0 || refusal->pointer.ptr[0] == '/');
    REQUIRE(text_starts(refusal->pointer, text_of(prefix)));
    REQUIRE(text_is_utf8(refusal->pointer));
    REQUIRE(text_is_utf8(refusal->detail));
    REQUIRE(!pan_is_in(refusal->pointer));
    REQUIRE(!pan_is_in(refusal->detail));
    struct problem_view problem = {
        .outcome = refusal->outcome,
        .pointer = refusal->pointer,
        .detail = refusal->detail,
    };
    struct json_node *root;
    struct buf out;
    struct err err;
    buf_init(&out, &arena, 256);
    render_problem(&problem, true, &out);
    REQUIRE(json_tree_parse(&arena, buf_text(&out), &root, &err) == OK);
}

static void
check_canonical(const struct event *event)
{
    struct bytes_reader reader;
    struct buf bytes, again;
    struct event back;
    struct err err;

    buf_init(&bytes, &arena, 512);
    buf_init(&again, &arena, 512);
    event_encode(event, &bytes);
    bytes_open(&reader, buf_text(&bytes));
    REQUIRE(event_decode(&reader, &arena, &back, &err) == OK);
    REQUIRE(bytes_done(&reader));
    event_encode(&back, &again);
    REQUIRE(text_equal(buf_text(&bytes), buf_text(&again)));
}

/* Decide it, and tell it as a quote and as a decision. */
static void
check_answer(const struct event *event, bool is_fact)
{
    static const unsigned char hash[32] = { 1 };
    struct record record = { .kind = RECORD_PURCHASE, .version = 1, .is_fact = is_fact };
    struct json_writer writer;
    struct json_node *root;
    struct buf out;
    struct err err;

    record.event = *event;
    record.occurred_at = event->occurred_at;
    record.view.known = true;
    record.view.level[0] = 1;
    record.view.available[0] = 5000;
    record.view.available[1] = 300;
    enum code rc = engine_evaluate(plan, event, &record.view,
                                   is_fact ? EVALUATE_FACT : EVALUATE_ORDINARY, TRACE_DEFAULT,
                                   &arena, &record.decision, &err);
    if (rc == CODE_RANGE)
        return;
    REQUIRE(rc == OK);
    buf_init(&out, &arena, 4096);
    json_write_init(&writer, &out);
    render_decision(&record.decision, event, plan, true, &writer);
    REQUIRE(!out.failed);
    REQUIRE(json_tree_parse(&arena, buf_text(&out), &root, &err) == OK);
    if (record.decision.outcome != OUTCOME_DONE)
        return;
    buf_init(&out, &arena, 4096);
    render_record(&record, plan, hash, false, &out);
    REQUIRE(!out.failed);
    REQUIRE(json_tree_parse(&arena, buf_text(&out), &root, &err) == OK);
}

static void
try_purchase(struct text body)
{
    struct purchase_body out;
    struct refusal refusal;
    uint32_t bad_line = 0;

    if (!purchase_body_read(body, plan, &arena, &out, &refusal)) {
        check_refusal(&refusal, "");
        return;
    }
    REQUIRE(refusal.outcome == OUTCOME_DONE);
    check_text(out.programme, code_bytes_max);
    REQUIRE((out.whom.card.len > 0) + (out.whom.phone.len > 0) + (out.whom.member_id > 0) <= 1);
    check_event(&out.event);
    if (event_normalise(&out.event, plan_terms(plan)->money_scale, &bad_line) != OUTCOME_DONE) {
        REQUIRE(bad_line < out.event.line_count);
        return;
    }
    check_canonical(&out.event);
    if (out.event.line_count > 0)
        check_answer(&out.event, out.is_fact);
}

/* Any body to any reader: taken or refused, never more. */
static void
try_other(uint8_t which, struct text body)
{
    union {
        struct return_body back;
        struct cancel_body cancel;
        struct enrol_body enrol;
        struct find_body find;
        struct card_body card;
        struct opening_body opening;
        struct event_body event;
        struct version_body version;
        struct evaluate_body evaluate;
        struct event bare;
        struct member_view view;
        struct text programme;
    } out;
    struct refusal refusal;
    const char *prefix = "";
    bool good;

    switch (which % 12) {
    case 0: good = return_body_read(body, &arena, &out.back, &refusal); break;
    case 1: good = cancel_body_read(body, &arena, &out.cancel, &refusal); break;
    case 2: good = enrol_body_read(body, &arena, &out.enrol, &refusal); break;
    case 3: good = find_body_read(body, &arena, &out.find, &refusal); break;
    case 4: good = card_body_read(body, &arena, &out.card, &refusal); break;
    case 5: good = opening_body_read(body, &arena, &out.opening, &refusal); break;
    case 6: good = event_body_read(body, plan, &arena, &out.event, &refusal); break;
    case 7: good = version_body_read(body, &arena, &out.version, &refusal); break;
    case 8: good = evaluate_body_read(body, &arena, &out.evaluate, &refusal); break;
    case 9:
        prefix = "/event";
        good = evaluate_event_read(body, plan, &arena, &out.bare, &refusal);
        break;
    case 10:
        prefix = "/member";
        good = evaluate_member_read(body, plan, &arena, &out.view, &refusal);
        break;
    default: good = body_programme(body, &arena, &out.programme, &refusal); break;
    }
    if (!good)
        check_refusal(&refusal, prefix);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf body;

    start();
    arena_reset(&arena);
    if (size == 0)
        return 0;
    if (data[0] < 64) {
        try_other(data[0], (struct text){ (const char *)data + 1, (uint32_t)(size - 1) });
        return 0;
    }
    if (data[0] < 128) {
        try_purchase((struct text){ (const char *)data + 1, (uint32_t)(size - 1) });
        return 0;
    }
    buf_init(&body, &arena, 4096);
    struct choices choices = { data + 1, data + size, &body, 400 };
    put_object(&choices, purchase_fields, KOP_COUNT(purchase_fields), purchase_needed);
    try_purchase(buf_text(&body));
    return 0;
}
