/*
 * test_render.c - answers byte by byte, against golden files and a second parser.
 *
 * Owns:      tests/tables/render/: one golden answer a file. A change of one needs a reason that
 *            outweighs every stored answer. KOP_GOLDEN=write writes them anew.
 * Must not:  hold a trace's sentences: explain has tests of its own.
 */
#include "good.h"
#include "programme.h"

#include "ledger/ledger.h"
#include "service/render_parts.h"

#define TABLES "tests/tables/render"

static const unix_ms noon = INT64_C(1795251600000); /* 2026-11-21T09:00:00Z */

/* ---- golden files ---- */

static void
expect_golden(const char *name, const char *text, size_t size)
{
    char path[128];

    char *sorted = second_parse(text, size);
    if (sorted == NULL)
        fail_msg("%s: a second parser does not read %.*s", name, (int)size, text);
    free(sorted);
    snprintf(path, sizeof(path), TABLES "/%s.json", name);
    if (getenv("KOP_GOLDEN") != NULL && strcmp(getenv("KOP_GOLDEN"), "write") == 0) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fwrite(text, 1, size, file);
        fputc('\n', file);
        fclose(file);
    }
    char *golden = read_file(path);
    size_t expected = strlen(golden) - 1; /* the file ends with a line feed */
    if (expected != size || memcmp(golden, text, size) != 0)
        fail_msg("%s is\n%.*s\nnot\n%s", name, (int)size, text, golden);
    free(golden);
}

static struct buf
new_buf(struct fixture *fixture)
{
    struct buf out;

    buf_init(&out, &fixture->request, 64); /* small, so that it grows in the middle of things */
    return out;
}

/* An answer as it is given, and again from its stored bytes. */
static void
expect_answer(struct fixture *fixture, const char *name, const struct record *record)
{
    const struct terms *terms = plan_terms(fixture->plan);
    struct buf english = new_buf(fixture), russian = new_buf(fixture), body = new_buf(fixture);
    struct buf again = new_buf(fixture);
    struct record stored;
    struct err err;

    render_record(record, fixture->plan, NULL, false, &english);
    assert_false(english.failed);
    expect_golden(name, english.ptr, english.len);
    render_record(record, fixture->plan, NULL, true, &russian);
    assert_true(text_equal(buf_text(&english), buf_text(&russian)));

    record_encode(record, terms, &body);
    assert_false(body.failed);
    enum code rc = record_decode(buf_text(&body), terms, &fixture->request, &stored, &err);
    if (rc != OK)
        fail_msg("%s: %s", name, err.text);
    render_record(&stored, fixture->plan, NULL, false, &again);
    if (!text_equal(buf_text(&english), buf_text(&again)))
        fail_msg("%s is otherwise when stored: %.*s", name, (int)again.len, again.ptr);
}

/* ---- records ---- */

/* The purchase of the tables, decided for somebody who has points. */
static struct record
make_purchase(struct fixture *fixture, const char *body_text, bool known)
{
    struct text copy = text_copy(&fixture->request, text_of(body_text));
    struct record record = { .kind = RECORD_PURCHASE };
    struct purchase_body body;
    struct refusal refusal;
    uint32_t bad_line;
    struct err err;

    if (!purchase_body_read(copy, fixture->plan, &fixture->request, &body, &refusal))
        fail_msg("%s at %.*s", outcome_name(refusal.outcome), (int)refusal.pointer.len,
                 refusal.pointer.ptr);
    assert_int_equal(event_normalise(&body.event, 2, &bad_line), OUTCOME_DONE);
    record.op_id = UINT64_C(312345678901234567);
    record.owner_id = UINT64_C(300000000000000001);
    record.member_id = known ? UINT64_C(300000000000000002) : 0;
    record.version = 3;
    record.occurred_at = body.event.occurred_at;
    record.recorded_at = noon + 1250;
    record.is_fact = body.is_fact;
    record.event = body.event;
    record.view.known = known;
    record.view.level[0] = known ? 2 : 0;
    record.view.available[0] = known ? 100000 : 0;
    assert_int_equal(engine_evaluate(fixture->plan, &record.event, &record.view,
                                     body.is_fact ? EVALUATE_FACT : EVALUATE_ORDINARY,
                                     TRACE_DEFAULT, &fixture->request, &record.decision, &err),
                     OK);
    assert_int_equal(record.decision.outcome, OUTCOME_DONE);
    return record;
}

/* As if it were booked: a lot, the balances after. */
static void
book(struct fixture *fixture, struct record *record)
{
    record->earned = arena_array(&fixture->request, struct earned_lot, 1);
    record->earned[0] = (struct earned_lot){
        .earning = 0,
        .lot_no = 7,
        .active_from = noon + INT64_C(14) * 86400000,
        .expires_at = TIME_NONE,
    };
    record->earned_count = record->decision.earning_count > 0;
    record->after = arena_array(&fixture->request, struct balance_after, 2);
    record->after[0] = (struct balance_after){ 1, 98000, 302, 500, 0 };
    record->after[1] = (struct balance_after){ 2, 4, 0, 0, 3 };
    record->after_count = 2;
}

static char *
two_lines(void)
{
    return strdup("{\"programme\":\"shop\",\"outlet\":\"1\",\"till\":\"2\",\"period\":20261121,"
                  "\"number\":\"17\",\"occurred_at\":\"2026-11-21T12:00:00+03:00\",\"lines\":["
                  "{\"article\":\"4607001771562\",\"quantity\":\"2\",\"price\":\"60.25\","
                  "\"category\":\"A\"},"
                  "{\"article\":\"\\\"Тёплый\\\" хлеб \\\\\",\"quantity\":\"0.35\","
                  "\"price\":\"100\"}],"
                  "\"redeem\":[{\"currency\":\"bonus\",\"amount\":\"20.00\"}]}");
}

static void
purchases(void **state)
{
    struct fixture fixture;
    char *body = two_lines();

    (void)state;
    fixture_open(&fixture);
    struct record record = make_purchase(&fixture, body, true);
    book(&fixture, &record);
    expect_answer(&fixture, "purchase", &record);

    record.origin = UINT64_C(312345678901234000);
    expect_answer(&fixture, "purchase_of_reserve", &record);

    record.kind = RECORD_RESERVE;
    record.origin = 0;
    record.earned_count = 0;
    record.valid_until = noon + 900000;
    expect_answer(&fixture, "reserve", &record);
    free(body);

    char *fact = read_file("tests/tables/requests/good/purchase.json");
    record = make_purchase(&fixture, fact, true);
    record.uncovered = 150;
    book(&fixture, &record);
    expect_answer(&fixture, "purchase_fact", &record);
    free(fact);

    record = make_purchase(&fixture,
                           "{\"programme\":\"shop\",\"outlet\":\"1\",\"till\":\"2\",\"period\":1,"
                           "\"number\":\"18\",\"occurred_at\":\"2026-11-21T12:00:00Z\","
                           "\"lines\":[{\"quantity\":1,\"price\":0}]}",
                           false);
    expect_answer(&fixture, "purchase_anonymous", &record);
    fixture_close(&fixture);
}

/* Its words are in one language or the other; the rest is the same. */
static void
quotes(void **state)
{
    static const char *const names[] = { "quote_en", "quote_ru" };
    struct fixture fixture;
    unsigned char hash[32];
    char *body = two_lines();

    (void)state;
    fixture_open(&fixture);
    for (size_t i = 0; i < sizeof(hash); i++)
        hash[i] = (unsigned char)(i * 8);
    struct record record = make_purchase(&fixture, body, true);
    book(&fixture, &record);
    record.earned_count = 0;
    record.valid_until = noon + 900000;
    for (int russian = 0; russian < 2; russian++) {
        struct buf out = new_buf(&fixture);
        render_record(&record, fixture.plan, hash, russian, &out);
        assert_false(out.failed);
        char *sorted = second_parse(out.ptr, out.len);
        assert_non_null(sorted);
        free(sorted);
        char *trace = memmem(out.ptr, out.len, ",\"trace\":[{", 11);
        assert_non_null(trace);
        struct buf head = new_buf(&fixture);
        buf_add(&head, out.ptr, (size_t)(trace - out.ptr));
        buf_add_char(&head, '}');
        expect_golden(names[russian], head.ptr, head.len);
    }
    free(body);
    fixture_close(&fixture);
}

static struct record
make_plain(enum record_kind kind)
{
    static struct balance_after after[] = { { 1, 98000, 0, 0, 0 }, { 9, 1, 2, 3, 4 } };

    return (struct record){
        .kind = kind,
        .op_id = UINT64_C(312345678901234568),
        .owner_id = UINT64_C(300000000000000001),
        .member_id = UINT64_C(300000000000000002),
        .version = 3,
        .occurred_at = noon + 1,
        .recorded_at = noon + 60000,
        .after = after,
        .after_count = 1,
    };
}

static void
other_operations(void **state)
{
    struct fixture fixture;
    struct record record;

    (void)state;
    fixture_open(&fixture);
    record = make_plain(RECORD_CANCEL);
    record.origin = 5;
    expect_answer(&fixture, "cancel", &record);

    record = make_plain(RECORD_OPENING);
    record.opening_currency = 1;
    record.opening_points = 12050;
    expect_answer(&fixture, "opening", &record);

    record = make_plain(RECORD_ENROL);
    record.after_count = 0;
    expect_answer(&fixture, "enrol", &record);

    struct earning earning = { .rule = 2, .currency = 2, .points = 1 };
    struct earned_lot lot = { 0, 12, noon, noon + 1000 };
    record = make_plain(RECORD_EVENT);
    record.event.kind = TEXT("visit");
    record.event.occurred_at = record.occurred_at;
    record.view.known = true;
    record.decision.earning = &earning;
    record.decision.earning_count = 1;
    record.earned = &lot;
    record.earned_count = 1;
    expect_answer(&fixture, "event", &record);
    fixture_close(&fixture);
}

static void
returns(void **state)
{
    struct fixture fixture;
    struct returned_line lines[] = { { 0, 1000 }, { 3, 250 } };
    struct redemption restored[] = { { .currency = 1, .points = 1000 } };
    struct redemption revoked[] = { { .currency = 1, .points = 302 },
                                    { .currency = 2, .points = -1 } };
    amount debt[] = { 2, 0 };

    (void)state;
    fixture_open(&fixture);
    struct record record = make_plain(RECORD_RETURN);
    record.origin = UINT64_C(312345678901234567);
    record.event = (struct event){
        .kind = TEXT("return"),
        .outlet = TEXT("1"),
        .till = TEXT("2"),
        .number = TEXT("3"),
        .period = 20261122,
        .occurred_at = record.occurred_at,
    };
    record.returned = lines;
    record.returned_count = 2;
    record.result = (struct return_result){
        .refund = 4050,
        .certificate = 500,
        .purse = 0,
        .shortfall = 125,
        .restored_count = 1,
        .restored = restored,
        .revoked_count = 2,
        .revoked = revoked,
        .debt = debt,
    };
    expect_answer(&fixture, "return", &record);

    /* A balance of a currency that this version does not know yet is left out. */
    record.after_count = 2;
    struct buf out = new_buf(&fixture);
    render_record(&record, fixture.plan, NULL, false, &out);
    expect_golden("return", out.ptr, out.len);
    fixture_close(&fixture);
}

/* ---- decisions alone ---- */

static void
decisions(void **state)
{
    struct fixture fixture;
    char *body = two_lines();
    struct json_writer writer;

    (void)state;
    fixture_open(&fixture);
    struct record record = make_purchase(&fixture, body, true);
    record.decision.trace_count = 0; /* its sentences are not ours */
    struct buf out = new_buf(&fixture);
    json_write_init(&writer, &out);
    json_begin_array(&writer);
    render_decision(&record.decision, &record.event, fixture.plan, false, &writer);
    render_decision(&record.decision, &record.event, fixture.plan, true, &writer);
    json_end_array(&writer);
    expect_golden("decision", out.ptr, out.len);

    struct decision refused = {
        .outcome = OUTCOME_NOT_ENOUGH,
        .culprit = TEXT("/redeem/0/amount"),
        .limit = 1050,
        .limit_currency = 1,
        .trace_lost = 3,
    };
    out = new_buf(&fixture);
    json_write_init(&writer, &out);
    json_begin_array(&writer);
    render_decision(&refused, &record.event, fixture.plan, true, &writer);
    refused.limit_currency = 2; /* stamps are whole */
    render_decision(&refused, &record.event, fixture.plan, false, &writer);
    refused.limit_currency = 0;
    render_decision(&refused, &record.event, fixture.plan, false, &writer);
    json_end_array(&writer);
    expect_golden("decision_refused", out.ptr, out.len);
    free(body);
    fixture_close(&fixture);
}

/* ---- lines with their effects, against a slow and obvious writer ---- */

static void
naive_effects(struct fixture *fixture, struct buf *out, const struct decision *decision,
              uint32_t line, enum effect_kind kind)
{
    bool comma = false;

    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        if (effect->line != line || effect->kind != kind)
            continue;
        struct text rule = plan_rule_code(fixture->plan, effect->rule);
        if (comma)
            buf_add_char(out, ',');
        comma = true;
        buf_addf(out, "{\"rule\":\"%.*s\",", (int)rule.len, rule.ptr);
        if (kind == EFFECT_EARN)
            buf_addf(out, "\"currency\":\"bonus\",\"points\":\"");
        else
            buf_addf(out, "\"amount\":\"");
        decimal_format(out, kind == EFFECT_EARN ? effect->points : effect->money, 2);
        buf_addf(out, "\"}");
    }
}

static void
effects_find_their_lines(void **state)
{
    enum { lines = 40, effects = 300 };
    static struct line line[lines];
    static struct line_result result[lines];
    static struct effect effect[effects];
    struct event event = { .line = line, .line_count = lines };
    struct decision decision = {
        .line_count = lines,
        .line = result,
        .effect_count = effects,
        .effect = effect,
    };
    struct fixture fixture;
    uint64_t seed = 7;

    (void)state;
    fixture_open(&fixture);
    for (uint32_t i = 0; i < effects; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        effect[i] = (struct effect){
            .kind = (enum effect_kind)(seed >> 60) % 6,
            .line = (uint32_t)(seed >> 40) % lines,
            .rule = (int32_t)((seed >> 30) % 2),
            .currency = 1,
            .money = (amount)i + 1,
            .points = (amount)i + 1000,
        };
    }
    struct buf out = new_buf(&fixture), expected = new_buf(&fixture);
    struct rendering r = {
        .buf = &out,
        .plan = fixture.plan,
        .terms = plan_terms(fixture.plan),
    };
    put_decided_members(&r, &decision, &event);
    for (uint32_t i = 0; i < lines; i++) {
        expected.len = 0;
        buf_addf(&expected, "{\"line\":%u,\"article\":\"\",\"quantity\":\"0\"", i + 1);
        assert_non_null(memmem(out.ptr, out.len, expected.ptr, expected.len));
        expected.len = 0;
        buf_addf(&expected, ",\"discounts\":[");
        naive_effects(&fixture, &expected, &decision, i, EFFECT_DISCOUNT);
        buf_addf(&expected, "],\"earned\":[");
        naive_effects(&fixture, &expected, &decision, i, EFFECT_EARN);
        buf_addf(&expected, "]}%s", i + 1 < lines ? ",{\"line\":" : "],\"totals\"");
        if (i + 1 < lines)
            buf_addf(&expected, "%u,", i + 2);
        if (memmem(out.ptr, out.len, expected.ptr, expected.len) == NULL)
            fail_msg("line %u lacks %.*s", i + 1, (int)expected.len, expected.ptr);
    }
    fixture_close(&fixture);
}

/* ---- amounts ---- */

static void
amounts_are_decimals(void **state)
{
    static const int64_t edges[] = { 0, 1, 9, 10, 99, 100, 12345, INT64_MAX, INT64_MIN, -1, -100,
                                     999999999, 1000000000, INT64_MAX / 10 };
    struct fixture fixture;
    uint64_t seed = 1;

    (void)state;
    fixture_open(&fixture);
    for (int round = 0; round < 20000; round++) {
        char memory[64], wanted_memory[64];
        struct buf out, wanted;
        int64_t value;
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        value = round < (int)KOP_COUNT(edges) * 10 ? edges[round / 10]
                                                   : (int64_t)(seed >> (seed % 61));
        int scale = round % 10;
        buf_init_fixed(&out, memory, round % 3 == 0 ? sizeof(memory) : 23); /* also without room */
        buf_init_fixed(&wanted, wanted_memory, sizeof(wanted_memory));
        struct rendering r = { .buf = &out };
        put_amount(&r, value, scale);
        buf_add_char(&wanted, '"');
        decimal_format(&wanted, value, scale);
        buf_add_char(&wanted, '"');
        if (!text_equal(buf_text(&out), buf_text(&wanted)))
            fail_msg("%.*s is not %.*s", (int)out.len, out.ptr, (int)wanted.len, wanted.ptr);
    }
    fixture_close(&fixture);
}

static void
quantities_are_short(void **state)
{
    static const struct {
        int64_t thousandths;
        const char *text;
    } rows[] = {
        { 1000, "\"1\"" },   { 500, "\"0.5\"" },     { 1, "\"0.001\"" },  { 1250, "\"1.25\"" },
        { 10000, "\"10\"" }, { 1000001, "\"1000.001\"" }, { 0, "\"0\"" },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(rows); i++) {
        char memory[64];
        struct buf out;
        buf_init_fixed(&out, memory, sizeof(memory));
        struct rendering r = { .buf = &out };
        put_quantity(&r, rows[i].thousandths);
        assert_true(text_equal(buf_text(&out), text_of(rows[i].text)));
    }
}

/* ---- problems ---- */

static void
problems(void **state)
{
    struct fixture fixture;
    struct buf all;

    (void)state;
    fixture_open(&fixture);
    all = new_buf(&fixture);
    buf_add_char(&all, '[');
    for (int outcome = OUTCOME_DONE + 1; outcome < outcome_count; outcome++) {
        struct problem_view problem = { .outcome = (enum outcome)outcome };
        render_problem(&problem, outcome % 2, &all);
        buf_add_char(&all, outcome + 1 < outcome_count ? ',' : ']');
    }
    char *sorted = second_parse(all.ptr, all.len);
    assert_non_null(sorted);
    free(sorted);

    struct problem mistake[] = {
        { TEXT("/rules/0/code"), TEXT("'code' is missing") },
        { TEXT(""), TEXT("line\nfeed \"quoted\"") },
    };
    struct problems mistakes = { .count = 2, .item = mistake, .lost = 5 };
    struct problem_view invalid = {
        .outcome = OUTCOME_PROGRAMME_INVALID,
        .mistakes = &mistakes,
    };
    struct buf out = new_buf(&fixture);
    render_problem(&invalid, false, &out);
    expect_golden("problem_mistakes", out.ptr, out.len);

    struct problem_view limit = {
        .outcome = OUTCOME_REDEEM_OVER_LIMIT,
        .pointer = TEXT("/redeem/0/amount"),
        .detail = TEXT("at most \"half\""),
        .has_limit = true,
        .limit = 12345,
        .limit_scale = 2,
    };
    out = new_buf(&fixture);
    render_problem(&limit, true, &out);
    expect_golden("problem_limit", out.ptr, out.len);
    fixture_close(&fixture);
}

/* DECISION_CHANGED brings the quote as it is now. */
static void
a_changed_decision_brings_the_new_one(void **state)
{
    static const unsigned char hash[32] = { 1, 2, 3 };
    struct fixture fixture;
    char *body = two_lines();

    (void)state;
    fixture_open(&fixture);
    struct record record = make_purchase(&fixture, body, true);
    struct problem_view problem = {
        .outcome = OUTCOME_DECISION_CHANGED,
        .pointer = TEXT("/quote"),
        .quote = &record,
        .plan = fixture.plan,
        .quote_hash = hash,
    };
    struct buf out = new_buf(&fixture), quote = new_buf(&fixture), expected = new_buf(&fixture);
    render_problem(&problem, false, &out);
    render_record(&record, fixture.plan, hash, false, &quote);
    buf_addf(&expected, ",\"pointer\":\"/quote\",\"quote\":%.*s}", (int)quote.len, quote.ptr);
    assert_true(out.len > expected.len);
    assert_memory_equal(out.ptr + out.len - expected.len, expected.ptr, expected.len);
    char *sorted = second_parse(out.ptr, out.len);
    assert_non_null(sorted);
    free(sorted);
    free(body);
    fixture_close(&fixture);
}

/* ---- the book ---- */

static void
movements(void **state)
{
    static const char *const names[] = { "movements_en", "movements_ru" };
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    for (int russian = 0; russian < 2; russian++) {
        struct buf out = new_buf(&fixture);
        struct json_writer writer;
        json_write_init(&writer, &out);
        json_begin_array(&writer);
        for (int kind = 0; kind < movement_kind_count; kind++) {
            struct movement movement = {
                .movement_no = (uint32_t)kind + 1,
                .op_id = UINT64_C(312345678901234567),
                .kind = (enum movement_kind)kind,
                .account = kind % 2 ? ACCOUNT_ACTIVE : ACCOUNT_PENDING,
                .contra = ACCOUNT_ISSUED,
                .currency = 1,
                .amount = 302,
                .lot_no = kind == MOVEMENT_LEVEL ? 1 : (uint32_t)kind,
                .version = kind % 3 ? 3 : 0,
                .rule = kind == MOVEMENT_LEVEL ? 2 : kind == MOVEMENT_EARN ? 1 : rule_none,
                .ref = kind % 4 ? 0 : 99,
                .at = noon + kind,
                .active_from = noon,
                .expires_at = TIME_NONE,
            };
            if (kind == MOVEMENT_EARN)
                movement.version = 3;
            render_movement(&movement, fixture.plan, russian, &writer);
        }
        /* A rule of another version is not named, and a fallen level is none. */
        struct movement other = {
            .movement_no = 90,
            .op_id = 1,
            .kind = MOVEMENT_EARN,
            .currency = 2,
            .amount = 1,
            .lot_no = 90,
            .version = 2,
            .rule = 1,
            .at = noon,
            .active_from = noon,
            .expires_at = noon + 1,
        };
        render_movement(&other, fixture.plan, russian, &writer);
        struct movement fallen = {
            .movement_no = 91,
            .op_id = 1,
            .kind = MOVEMENT_LEVEL,
            .lot_no = 1,
            .at = noon,
        };
        render_movement(&fallen, fixture.plan, russian, &writer);
        json_end_array(&writer);
        assert_false(out.failed);
        expect_golden(names[russian], out.ptr, out.len);
    }
    fixture_close(&fixture);
}

static void
balances(void **state)
{
    struct lot lots[] = {
        { .lot_no = 7, .currency = 1, .size = 302, .left = 302, .held = 100, .active_from = noon,
          .expires_at = noon + 1000, .cause = 5 },
        { .lot_no = 9, .currency = 1, .pending = true, .size = 1000, .left = 1000,
          .active_from = noon + 1000, .expires_at = TIME_NONE, .cause = 6 },
        { .lot_no = 10, .currency = 2, .size = 4, .left = 3, .held = 3,
          .active_from = noon, .expires_at = TIME_NONE, .cause = 7 },
    };
    struct balance balance[2] = { { .currency = 1 }, { .currency = 2 } };
    struct level_state level = { .ladder_no = 1, .level = 2, .since = noon };
    struct owner owner = {
        .owner_id = 77,
        .settled_to = noon,
        .balance = balance,
        .balance_count = 2,
        .level = &level,
        .level_count = 1,
        .lot = lots,
        .lot_count = 3,
        .lot_cap = 3,
    };
    struct json_writer writer;
    struct fixture fixture;

    (void)state;
    balance[0].of[ACCOUNT_ACTIVE] = 302;
    balance[0].of[ACCOUNT_PENDING] = 1000;
    balance[0].of[ACCOUNT_HELD] = 100;
    balance[1].of[ACCOUNT_ACTIVE] = balance[1].of[ACCOUNT_HELD] = 3; /* all of it: it is in debt */
    balance[1].of[ACCOUNT_DEBT] = -1;
    fixture_open(&fixture);
    struct buf out = new_buf(&fixture);
    json_write_init(&writer, &out);
    json_begin_array(&writer);
    render_balance(&owner, plan_terms(fixture.plan), &writer);
    owner.balance_count = owner.level_count = owner.lot_count = 0;
    render_balance(&owner, plan_terms(fixture.plan), &writer);
    json_end_array(&writer);
    expect_golden("balance", out.ptr, out.len);
    fixture_close(&fixture);
}

/* ---- memory ---- */

static void
memory_may_run_out(void **state)
{
    struct fixture fixture;
    char *body = two_lines();
    bool done = false;

    (void)state;
    fixture_open(&fixture);
    struct record record = make_purchase(&fixture, body, true);
    book(&fixture, &record);
    for (size_t size = 64; !done; size += 16) {
        void *memory = aligned_alloc(16, size);
        struct arena arena;
        struct buf out;
        assert_non_null(memory);
        arena_init_fixed(&arena, memory, size);
        buf_init(&out, &arena, 0);
        render_record(&record, fixture.plan, NULL, false, &out);
        done = !out.failed;
        if (done)
            expect_golden("purchase", out.ptr, out.len);
        free(memory);
        assert_true(size < 64 * 1024);
    }
    free(body);
    fixture_close(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purchases),
        cmocka_unit_test(quotes),
        cmocka_unit_test(other_operations),
        cmocka_unit_test(returns),
        cmocka_unit_test(decisions),
        cmocka_unit_test(effects_find_their_lines),
        cmocka_unit_test(amounts_are_decimals),
        cmocka_unit_test(quantities_are_short),
        cmocka_unit_test(problems),
        cmocka_unit_test(a_changed_decision_brings_the_new_one),
        cmocka_unit_test(movements),
        cmocka_unit_test(balances),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
