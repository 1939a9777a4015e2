/*
 * test_explain.c - sentences in English and Russian, and the trace as JSON.
 *
 * Owns:      every kind of trace item in words; conditions in words.
 * Must not:  decide by hand: where it can, it explains what the engine decided.
 */
#include "documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/plan.h"
#include "engine/trace.h"
#include "host.h"

#undef assert

static void begin(struct arena *arena)
{
    arena_init(arena, host_source(), 64 * 1024, 1 << 26);
}

static struct plan *compile(struct arena *arena, struct text document)
{
    unsigned char tzif[256];
    struct text zone = { (char *)tzif, (uint32_t)document_tzif(tzif, sizeof tzif) };
    struct plan *plan = NULL;
    struct problems problems;
    struct err err = { 0 };
    if (plan_compile(arena, document, zone, 1, &plan, &problems, &err) != OK)
        fail_msg("%s: %.*s", err.text, problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    return plan;
}

static struct plan *compile_file(struct arena *arena, const char *path)
{
    size_t size;
    char *text = document_read(path, &size);
    struct plan *plan = compile(arena, (struct text){ text, (uint32_t)size });
    free(text);
    return plan;
}

static void assert_words(struct buf *buf, const char *wanted)
{
    if (!text_equal(buf_text(buf), text_of(wanted)))
        fail_msg("'%.*s'\n    is not '%s'", (int)buf->len, buf->ptr, wanted);
    buf->len = 0;
}

/* --------------------------------------------------------------------------------- conditions */

static void check_condition(const char *condition, bool lines, const char *english,
                            const char *russian)
{
    struct page page = { 0 };
    struct arena arena;
    struct buf buf;

    begin(&arena);
    page_add_json(&page,
                  "{'format':1,'id':'a','name':{'en':'a'},'money':{'code':'RUB','scale':2},"
                  "'currencies':{'c':{'no':1,'scale':0}},"
                  "'counters':{'spent':{'no':1,'of':'gross','period':'ever'}},"
                  "'ladders':{'status':{'no':1,'counter':'spent','levels':["
                  "{'code':'silver','from':1},{'code':'gold','from':2}]}},"
                  "'attributes':{'line.express':'bool','event.steps':'number'},"
                  "'rules':[{'code':'r','scope':'earn','earn':{'currency':'c','fixed':1},");
    page_add_json(&page, lines ? "'lines':" : "'when':");
    page_add_json(&page, condition);
    page_add_json(&page, "}]}");
    struct plan *plan = compile(&arena, (struct text){ page.text, (uint32_t)page.size });
    buf_init(&buf, &arena, 64);
    explain_condition(plan, 0, false, &buf);
    assert_words(&buf, english);
    explain_condition(plan, 0, true, &buf);
    assert_words(&buf, russian);
    explain_condition(plan, condition_none, true, &buf);
    assert_words(&buf, "");
    arena_release(&arena);
    free(page.text);
}

static void conditions_in_words(void **state)
{
    (void)state;
    check_condition("{'receipt.base':{'gte':555}}", false, "receipt.base >= 555.00",
                    "сумма чека без скидок >= 555.00");
    check_condition("{'receipt.has_code':false}", false, "receipt.has_code = false",
                    "есть промокод = нет");
    check_condition("{'member.level.status':{'gt':'silver'}}", false,
                    "member.level.status > silver", "уровень «status» > silver");
    check_condition("{'counter.spent':{'lt':'0.50'}}", false, "counter.spent < 0.50",
                    "счётчик «spent» < 0.50");
    check_condition("{'event.steps':{'lte':'10000.5'}}", false, "event.steps <= 10000.500000",
                    "признак события «steps» <= 10000.500000");
    check_condition("{'line.express':{'ne':true}}", true, "line.express != true",
                    "признак строки «express» != да");
    check_condition("{'receipt.outlet':{'in':['12','7']}}", false, "receipt.outlet in (7, 12)",
                    "торговая точка из (7, 12)");
    check_condition("{'time.hour':{'not_in':[3,1,2]}}", false, "time.hour not in (1, 2, 3)",
                    "час не из (1, 2, 3)");
    check_condition("{'time.occurred':{'from':'2026-01-01T00:00:00+03:00'}}", false,
                    "time.occurred >= 2025-12-31T21:00:00Z",
                    "время покупки >= 2025-12-31T21:00:00Z");
    check_condition("{'time.day':{'in':[1,2,3,4,5,6,7,8,9,10,11,12]}}", false,
                    "time.day in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more)",
                    "число месяца из (1, 2, 3, 4, 5, 6, 7, 8, 9, 10 и ещё 2)");
}

static void groups_in_words(void **state)
{
    (void)state;
    check_condition("{'line.brand':'a','line.service':false}", true,
                    "line.brand = a and line.service = false", "марка = a и услуга = нет");
    check_condition("{'any':[{'line.brand':'a'},{'line.tag':'b'}]}", true,
                    "line.brand = a or line.tag = b", "марка = a или метка = b");
    check_condition("{'line.brand':'a','any':[{'line.tag':'b'},{'line.tag':'c'}]}", true,
                    "line.brand = a and (line.tag = b or line.tag = c)",
                    "марка = a и (метка = b или метка = c)");
    check_condition("{'any':[{'line.brand':'a','line.tag':'b'},{'line.tag':'c'}]}", true,
                    "(line.brand = a and line.tag = b) or line.tag = c",
                    "(марка = a и метка = b) или метка = c");
    check_condition("{'not':{'line.brand':'a'}}", true, "not (line.brand = a)", "не (марка = a)");
    check_condition("{'not':{'any':[{'line.brand':'a'},{'line.tag':'b'}]}}", true,
                    "not (line.brand = a or line.tag = b)", "не (марка = a или метка = b)");
    check_condition("{'line.brand':'a','all':[{'line.tag':'b'},{'line.tag':'c'}]}", true,
                    "line.brand = a and line.tag = b and line.tag = c",
                    "марка = a и метка = b и метка = c");
}

/* -------------------------------------------------------------------------------- what happened */

struct words {
    const char *english, *russian;
};

/* Every item of the trace, in order. */
static void assert_trace(const struct plan *plan, const struct decision *decision,
                         struct arena *arena, const struct words *words, uint32_t count)
{
    struct buf buf;
    buf_init(&buf, arena, 64);
    for (uint32_t i = 0; i < decision->trace_count && i < count; i++) {
        explain_item(plan, &decision->trace[i], false, &buf);
        assert_words(&buf, words[i].english);
        explain_item(plan, &decision->trace[i], true, &buf);
        assert_words(&buf, words[i].russian);
    }
    assert_int_equal(decision->trace_count, count);
}

static void evaluate(const struct plan *plan, const struct event *event,
                     const struct member_view *view, struct arena *arena,
                     struct decision *decision)
{
    struct err err = { 0 };
    memset(decision, 0, sizeof *decision);
    if (engine_evaluate(plan, event, view, EVALUATE_ORDINARY, TRACE_DEFAULT, arena, decision,
                        &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(decision->outcome, OUTCOME_DONE);
}

/* The worked example of AWN: 6 000.00 and 4 000.00, level 1, 2 000 bonuses. */
static void awn_is_told(void **state)
{
    static const struct words words[] = {
        { "points may pay at most 5000.00 (bonus): 50 % of 10000.00 RUB",
          "баллами можно оплатить не больше 5000.00 (бонус): 50 % от 10000.00 RUB" },
        { "paid with points: 2000.00 (bonus) spread over 2 lines (largest-remainder)",
          "оплата баллами: 2000.00 (бонус) распределено по строкам: 2 (largest-remainder)" },
        { "'Level 2: 4 % of the part paid in money' did not apply: needed member.level.level = 2, "
          "found 1",
          "«Уровень 2: 4 % от части, оплаченной деньгами» не применено: требуется "
          "уровень «level» = 2, "
          "на деле 1" },
        { "'Level 3: 5 % of the part paid in money' did not apply: needed member.level.level = 3, "
          "found 1",
          "«Уровень 3: 5 % от части, оплаченной деньгами» не применено: требуется "
          "уровень «level» = 3, "
          "на деле 1" },
        { "'Level 1: 3 % of the part paid in money': 240.00 (bonus) spread over 2 lines "
          "(largest-remainder)",
          "«Уровень 1: 3 % от части, оплаченной деньгами»: 240.00 (бонус) распределено по строкам: "
          "2 (largest-remainder)" },
        { "'Level 1: 3 % of the part paid in money' gives 240.00 (bonus): 3 % of 8000.00 RUB",
          "«Уровень 1: 3 % от части, оплаченной деньгами»: начислено 240.00 (бонус): 3 % от "
          "8000.00 RUB" },
    };
    struct line lines[2] = { { .quantity = 1000, .price = 6000000000, .gross = 600000 },
                             { .quantity = 1000, .price = 4000000000, .gross = 400000 } };
    struct redeem redeem = { TEXT("bonus"), 200000, false };
    struct event event = { .kind = TEXT("purchase"), .line = lines, .line_count = 2,
                           .redeem = &redeem, .redeem_count = 1, .confirmed = true };
    struct member_view view = { .known = true, .level = { 1 }, .available = { 300000 } };
    struct decision decision;
    struct arena arena;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "programmes/awn/programme.json");
    evaluate(plan, &event, &view, &arena, &decision);
    assert_int_equal(decision.line[0].points, 120000);
    assert_int_equal(decision.line[1].points, 80000);
    assert_int_equal(decision.total.money, 800000);
    assert_trace(plan, &decision, &arena, words, sizeof words / sizeof words[0]);
    arena_release(&arena);
}

static void a_promo_code_is_told(void **state)
{
    struct text code = TEXT("SPRING");
    struct line line = { .quantity = 1000, .gross = 100000 };
    struct event event = { .kind = TEXT("purchase"), .line = &line, .line_count = 1, .code = &code,
                           .code_count = 1 };
    struct member_view view = { .known = true, .level = { 3 } };
    struct decision decision;
    struct arena arena;
    struct buf buf;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "programmes/awn/programme.json");
    evaluate(plan, &event, &view, &arena, &decision);
    assert_int_equal(decision.earning_count, 0);
    buf_init(&buf, &arena, 64);
    for (uint32_t i = 0; i < decision.trace_count; i++)
        if (decision.trace[i].rule == plan_rule_by_code(plan, TEXT("level-3")))
            explain_item(plan, &decision.trace[i], true, &buf);
    assert_words(&buf, "«Уровень 3: 5 % от части, оплаченной деньгами» не применено: требуется "
                       "есть промокод = нет, на деле да");
    arena_release(&arena);
}

/* Items made by hand: every kind and mode over base.json. */
struct told {
    struct trace_item item;
    const char *english, *russian;
};

static const struct told told[] = {
    { { .kind = TRACE_FIRED, .rule = 0, .line = 1, .base = 9999, .result = 1000, .num = 1,
        .den = 10, .condition = -1 },
      "line 2: 'milk' takes off 10.00 RUB: 10 % of 99.99 RUB",
      "строка 2: «milk»: скидка 10.00 RUB: 10 % от 99.99 RUB" },
    { { .kind = TRACE_FIRED, .rule = 2, .line = -1, .base = 100000, .result = 10000,
        .num = 10000, .condition = -1 },
      "'big' takes off 100.00 RUB", "«big»: скидка 100.00 RUB" },
    { { .kind = TRACE_FIRED, .rule = 5, .line = -1, .currency = 1, .base = 35000, .result = 3,
        .num = 1, .den = 10000, .condition = -1 },
      "'stars' gives 3 (star): 1 for each 100.00 RUB of 350.00 RUB",
      "«stars»: начислено 3 (star): 1 за каждые 100.00 RUB от 350.00 RUB" },
    { { .kind = TRACE_FIRED, .rule = 6, .line = -1, .currency = 2, .result = 50000,
        .num = 50000, .condition = -1 },
      "'birthday' gives 500.00 (bonus)", "«birthday»: начислено 500.00 (бонус)" },
    { { .kind = TRACE_DISPLACED, .rule = 1, .other = 0, .line = 0, .base = 5000, .result = 500,
        .num = 3000, .condition = -1 },
      "line 1: 'bread' would have taken off 5.00 RUB, but 'milk' was applied instead",
      "строка 1: «bread»: скидка была бы 5.00 RUB, но применено «milk»" },
    { { .kind = TRACE_DISPLACED, .rule = 5, .other = rule_none, .line = -1, .currency = 1,
        .base = 20000, .result = 2, .num = 1, .den = 10000, .condition = -1 },
      "'stars' would have given 2 (star)", "«stars»: было бы начислено 2 (star)" },
    { { .kind = TRACE_FAILED, .rule = 1, .line = -1, .condition = -1,
        .actual = INT64_C(1767214799999) },
      "'bread' did not apply: it is valid from 2025-12-31T21:00:00Z until "
      "2026-12-31T21:00:00Z, and this was 2025-12-31T20:59:59.999Z",
      "«bread» не применено: действует с 2025-12-31T21:00:00Z до 2026-12-31T21:00:00Z, "
      "а это было 2025-12-31T20:59:59.999Z" },
    { { .kind = TRACE_ROUNDED, .rule = 3, .line = -1, .base = 12345, .result = 600,
        .quantum = 100, .num = 1, .den = 20, .mode = ROUND_DOWN, .condition = -1 },
      "'guests': 5 % of 123.45 RUB, rounded to 6.00 RUB (down, 1.00)",
      "«guests»: 5 % от 123.45 RUB, округлено до 6.00 RUB (down, 1.00)" },
    { { .kind = TRACE_ROUNDED, .rule = rule_none, .line = -1, .base = 12345, .result = 12300,
        .quantum = 100, .mode = ROUND_DOWN, .condition = -1 },
      "the receipt's 123.45 RUB, rounded to 123.00 RUB (down, 1.00)",
      "сумма чека 123.45 RUB, округлено до 123.00 RUB (down, 1.00)" },
    { { .kind = TRACE_ROUNDED, .rule = 4, .line = -1, .currency = 2, .base = 12345,
        .result = 370, .quantum = 1, .num = 3, .den = 100, .mode = ROUND_DOWN,
        .condition = -1 },
      "'pay': 3 % of 123.45 RUB, rounded to 3.70 (bonus) (down, 0.01)",
      "«pay»: 3 % от 123.45 RUB, округлено до 3.70 (бонус) (down, 0.01)" },
    { { .kind = TRACE_SPREAD, .rule = 2, .line = -1, .result = 10000, .count = 3,
        .mode = SPREAD_FLOOR_FIRST, .condition = -1 },
      "'big': 100.00 RUB spread over 3 lines (floor-first)",
      "«big»: 100.00 RUB распределено по строкам: 3 (floor-first)" },
    { { .kind = TRACE_CAPPED, .rule = 2, .line = -1, .base = 10000, .result = 7500,
        .condition = -1 },
      "'big' wanted 100.00 RUB and got 75.00 RUB: no more can be taken off",
      "«big»: вместо 100.00 RUB дано 75.00 RUB: больше снять нельзя" },
    { { .kind = TRACE_LIMIT, .rule = rule_none, .line = -1, .currency = 2, .base = 10000,
        .result = 5000, .num = 1, .den = 2, .mode = TRACE_LIMIT_PART, .condition = -1 },
      "points may pay at most 50.00 (bonus): 50 % of 100.00 RUB",
      "баллами можно оплатить не больше 50.00 (бонус): 50 % от 100.00 RUB" },
    { { .kind = TRACE_LIMIT, .rule = rule_none, .line = -1, .currency = 2, .base = 10000,
        .result = 5000, .num = 1, .den = 2, .mode = TRACE_LIMIT_DUE, .condition = -1 },
      "points may pay at most 50.00 (bonus): more is not due",
      "баллами можно оплатить не больше 50.00 (бонус): столько осталось к оплате" },
    { { .kind = TRACE_LIMIT, .rule = rule_none, .line = -1, .currency = 2, .base = 10000,
        .result = 5000, .num = 1, .den = 2, .mode = TRACE_LIMIT_MONEY_MIN, .condition = -1 },
      "points may pay at most 50.00 (bonus): 1.00 RUB must be paid in money",
      "баллами можно оплатить не больше 50.00 (бонус): 1.00 RUB нужно оплатить деньгами" },
    { { .kind = TRACE_LIMIT, .rule = rule_none, .line = -1, .currency = 2, .base = 10000,
        .result = 5000, .num = 1, .den = 2, .mode = TRACE_LIMIT_AVAILABLE, .condition = -1 },
      "points may pay at most 50.00 (bonus): the member has no more",
      "баллами можно оплатить не больше 50.00 (бонус): больше у участника нет" },
};

static void every_kind_in_words(void **state)
{
    struct arena arena;
    struct buf buf;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "tests/tables/programme/base.json");
    buf_init(&buf, &arena, 64);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        explain_item(plan, &told[i].item, false, &buf);
        assert_words(&buf, told[i].english);
        explain_item(plan, &told[i].item, true, &buf);
        assert_words(&buf, told[i].russian);
    }
    arena_release(&arena);
}

/* What was met, in every form. */
static void failures_in_words(void **state)
{
    static const struct {
        const char *rule;
        int32_t offset; /* of the part behind the rule's root */
        bool lines;
        enum actual_mode mode;
        int64_t actual;
        const char *text, *english;
    } rows[] = {
        { "milk", 0, false, ACTUAL_TEXT, 0, "9",
          "'milk' did not apply: needed receipt.outlet in (7, 8), found 9" },
        { "milk", 2, true, ACTUAL_NONE, 0, "",
          "'milk' did not apply: needed line.price >= 50.000000 or line.express = true" },
        { "bread", 0, true, ACTUAL_TEXT, 0, "own",
          "'bread' did not apply: needed not (line.brand = own), found own" },
        { "guests", 1, false, ACTUAL_NUMBER, 0, "",
          "'guests' did not apply: needed member.level.level >= 2, found none" },
        { "guests", 1, false, ACTUAL_MISSING, 0, "",
          "'guests' did not apply: needed member.level.level >= 2, but the value is not known" },
        { "guests", 2, false, ACTUAL_NUMBER, 60000001, "",
          "'guests' did not apply: needed counter.turnover < 500000.00, found 600000.01" },
        { "pay", 1, false, ACTUAL_NUMBER, 55499, "",
          "'pay' did not apply: needed receipt.money >= 555.00, found 554.99" },
    };
    struct arena arena;
    struct buf buf;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "tests/tables/programme/base.json");
    buf_init(&buf, &arena, 64);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t rule = plan_rule_by_code(plan, text_of(rows[i].rule));
        int32_t root = rows[i].lines ? plan->rule[rule].lines : plan->rule[rule].when;
        struct trace_item item = {
            .kind = TRACE_FAILED,
            .rule = rule,
            .line = -1,
            .condition = root + rows[i].offset,
            .mode = (uint8_t)rows[i].mode,
            .actual = rows[i].actual,
            .actual_text = text_of(rows[i].text),
        };
        explain_item(plan, &item, false, &buf);
        assert_words(&buf, rows[i].english);
    }
    arena_release(&arena);
}

/* ----------------------------------------------------------------------------------------- JSON */

static struct text member_of(const struct json_node *object, const char *key)
{
    const struct json_node *node = json_member(object, text_of(key));
    if (node == NULL)
        fail_msg("no '%s'", key);
    return node->value;
}

static void assert_member(const struct json_node *object, const char *key, const char *wanted)
{
    struct text value = member_of(object, key);
    if (!text_equal(value, text_of(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)value.len, value.ptr, wanted);
}

static void the_trace_as_json(void **state)
{
    struct line lines[2] = { { .quantity = 1000, .gross = 60000 },
                             { .quantity = 1000, .gross = 2345, .is_service = true } };
    struct event event = { .kind = TEXT("purchase"), .line = lines, .line_count = 2 };
    struct member_view view = { .known = true, .level = { 2 } };
    struct decision decision;
    struct arena arena;
    struct buf buf;
    struct json_writer writer;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "programmes/awn/programme.json");
    evaluate(plan, &event, &view, &arena, &decision);
    buf_init(&buf, &arena, 64);
    json_write_init(&writer, &buf);
    explain_json(plan, &decision, true, &writer);
    assert_false(buf.failed);
    struct json_node *array;
    struct err err;
    assert_int_equal(json_tree_parse(&arena, buf_text(&buf), &array, &err), OK);
    assert_int_equal(array->count, decision.trace_count);
    int fired = 0, failed = 0;
    for (const struct json_node *item = array->first; item; item = item->next) {
        assert_true(member_of(item, "text").len > 0);
        if (text_equal(member_of(item, "kind"), TEXT("fired"))) {
            fired++;
            assert_member(item, "rule", "level-2");
            assert_member(item, "currency", "bonus");
            assert_member(item, "base", "600.00");
            assert_member(item, "result", "24.00");
            assert_member(item, "percent", "4.000000");
            assert_member(item, "text", "«Уровень 2: 4 % от части, оплаченной деньгами»: "
                                        "начислено 24.00 (бонус): 4 % от 600.00 RUB");
        } else if (text_equal(member_of(item, "kind"), TEXT("failed"))) {
            bool first = text_equal(member_of(item, "rule"), TEXT("level-1"));
            failed++;
            assert_member(item, "needed",
                          first ? "member.level.level <= 1" : "member.level.level = 3");
            assert_member(item, "found", "2");
        }
    }
    assert_int_equal(fired, 1);
    assert_int_equal(failed, 2);
    arena_release(&arena);
}

/* The figures of a failure are English in both languages: programs read them. */
static void json_of_failures(void **state)
{
    static const char *const wanted[] = {
        "{'kind':'failed','rule':'pay','line':1,'needed':'line.discounted = false','found':'true',"
        "'text':'строка 1: «pay» не применено: требуется уже со скидкой = нет, на деле да'}",
        "{'kind':'failed','rule':'pay','line':1,'needed':'line.discounted = false',"
        "'text':'строка 1: «pay» не применено: требуется уже со скидкой = нет, "
        "но значение неизвестно'}",
    };
    struct arena arena;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "tests/tables/programme/base.json");
    int32_t rule = plan_rule_by_code(plan, TEXT("pay"));
    for (int i = 0; i < 2; i++) {
        struct trace_item item = { .kind = TRACE_FAILED, .rule = rule, .line = 0,
                                   .condition = plan->rule[rule].lines, .actual = 1,
                                   .mode = i == 0 ? ACTUAL_NUMBER : ACTUAL_MISSING };
        struct decision decision = { .trace = &item, .trace_count = 1, .trace_cap = 1 };
        struct json_writer writer;
        struct page page = { 0 };
        struct buf buf;
        buf_init(&buf, &arena, 64);
        json_write_init(&writer, &buf);
        explain_json(plan, &decision, true, &writer);
        page_add(&page, "[%s", "");
        page_add_json(&page, wanted[i]);
        page_add_json(&page, "]");
        assert_words(&buf, page.text);
        free(page.text);
    }
    arena_release(&arena);
}

static void json_of_every_kind(void **state)
{
    static struct trace_item items[] = {
        { .kind = TRACE_DISPLACED, .rule = 1, .other = 0, .line = 4, .base = 5000, .result = 500,
          .num = 3000, .quantum = 1, .condition = -1 },
        { .kind = TRACE_ROUNDED, .rule = 3, .line = -1, .base = 12345, .result = 600,
          .quantum = 100, .num = 1, .den = 20, .mode = ROUND_DOWN, .condition = -1 },
        { .kind = TRACE_SPREAD, .rule = 5, .line = -1, .currency = 1, .result = 7, .count = 3,
          .mode = SPREAD_LAST_REST, .condition = -1 },
        { .kind = TRACE_CAPPED, .rule = 2, .line = -1, .base = 10000, .result = 7500,
          .condition = -1 },
        { .kind = TRACE_LIMIT, .rule = rule_none, .line = -1, .currency = 2, .base = 10000,
          .result = 5000, .num = 1, .den = 2, .quantum = 10, .condition = -1 },
        { .kind = TRACE_FAILED, .rule = 1, .line = -1, .condition = -1, .actual = 0 },
        { .kind = TRACE_FIRED, .rule = 5, .line = -1, .currency = 1, .base = 35000, .result = 3,
          .num = 1, .den = 10000, .condition = -1, .count = 1 },
    };
    static const char *const wanted[] = {
        "{'kind':'displaced','rule':'bread','line':5,'base':'50.00','result':'5.00',"
        "'quantum':'0.01','by':'milk',",
        "{'kind':'rounded','rule':'guests','base':'123.45','result':'6.00',"
        "'percent':'5.000000','quantum':'1.00','rounding':'down',",
        "{'kind':'spread','rule':'stars','currency':'star','result':'7','spreading':'last-rest',"
        "'lines':3,",
        "{'kind':'capped','rule':'big','base':'100.00','result':'75.00',",
        "{'kind':'limit','currency':'bonus','base':'100.00','result':'50.00',"
        "'percent':'50.000000','step':'0.10',",
        "{'kind':'failed','rule':'bread','found':'1970-01-01T00:00:00Z',",
        "{'kind':'fired','rule':'stars','currency':'star','base':'350.00','result':'3','lines':1,",
    };
    struct arena arena;
    (void)state;
    begin(&arena);
    struct plan *plan = compile_file(&arena, "tests/tables/programme/base.json");
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct decision decision = { .trace = &items[i], .trace_count = 1, .trace_cap = 1 };
        struct json_writer writer;
        struct page page = { 0 };
        struct buf buf;
        buf_init(&buf, &arena, 64);
        json_write_init(&writer, &buf);
        explain_json(plan, &decision, false, &writer);
        page_add_json(&page, "[");
        page_add_json(&page, wanted[i]);
        page_add_json(&page, "'text':'");
        if (!text_starts(buf_text(&buf), text_of(page.text)))
            fail_msg("%.*s\n    does not begin with %s", (int)buf.len, buf.ptr, page.text);
        free(page.text);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_in_words), cmocka_unit_test(groups_in_words),
        cmocka_unit_test(awn_is_told),         cmocka_unit_test(a_promo_code_is_told),
        cmocka_unit_test(every_kind_in_words), cmocka_unit_test(failures_in_words),
        cmocka_unit_test(the_trace_as_json),   cmocka_unit_test(json_of_failures),
        cmocka_unit_test(json_of_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
