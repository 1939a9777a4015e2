/*
 * test_condition.c - every attribute with every operator, missing values, first failing parts.
 *
 * Owns:      one sample event of which every attribute is known, and one of which none is.
 * Must not:  test the reports of mistakes (test_compile.c does).
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
#include "host.h"

#undef assert

/* What the sample has: its value, one below (or another), one above; as JSON with ' for ". */
struct attribute_case {
    const char *name;
    enum value_kind kind;
    const char *actual, *below, *above;
};

static const struct attribute_case cases[] = {
    { "member.known", VALUE_BOOL, "true", "false", NULL },
    { "member.level.level", VALUE_LEVEL, "'silver'", "'bronze'", "'gold'" },
    { "member.segment", VALUE_TEXT_SET, "'vip'", "'staff'", NULL },
    { "member.segment", VALUE_TEXT_SET, "'near'", "'far'", NULL },
    { "member.enrolled_days", VALUE_WHOLE, "11", "10", "12" },
    { "counter.turnover", VALUE_COUNTER, "'12345.67'", "'12345.66'", "12345.68" },
    { "counter.visits", VALUE_COUNTER, "5", "4", "6" },
    { "receipt.base", VALUE_MONEY, "150", "149.99", "'150.01'" },
    { "receipt.after_lines", VALUE_MONEY, "140", "139.99", "140.01" },
    { "receipt.net", VALUE_MONEY, "130", "129.99", "130.01" },
    { "receipt.money", VALUE_MONEY, "120", "119.99", "120.01" },
    { "receipt.lines", VALUE_WHOLE, "2", "1", "3" },
    { "receipt.outlet", VALUE_TEXT, "'7'", "'70'", NULL },
    { "receipt.till", VALUE_TEXT, "'t1'", "'t2'", NULL },
    { "receipt.channel", VALUE_TEXT, "'shop'", "'site'", NULL },
    { "receipt.region", VALUE_TEXT, "'Омск'", "'Томск'", NULL },
    { "receipt.tender", VALUE_TEXT, "'card'", "'cash'", NULL },
    { "receipt.bin", VALUE_TEXT, "'220220'", "'220221'", NULL },
    { "receipt.code", VALUE_TEXT_SET, "'SPRING'", "'spring'", NULL },
    { "receipt.has_code", VALUE_BOOL, "true", "false", NULL },
    { "receipt.for_business", VALUE_BOOL, "true", "false", NULL },
    { "receipt.confirmed", VALUE_BOOL, "true", "false", NULL },
    { "receipt.certificate", VALUE_MONEY, "15.5", "15.49", "15.51" },
    { "time.occurred", VALUE_INSTANT, "'2026-06-29T22:30:00Z'", "'2026-06-29T22:29:59.999Z'",
      "'2026-06-30T01:30:00.001+03:00'" },
    { "time.hour", VALUE_WHOLE, "1", "0", "2" },
    { "time.weekday", VALUE_WHOLE, "2", "1", "3" },
    { "time.day", VALUE_WHOLE, "30", "29", "31" },
    { "time.month", VALUE_WHOLE, "6", "5", "7" },
    { "event.city", VALUE_TEXT, "'Omsk'", "'Tomsk'", NULL },
    { "event.steps", VALUE_NUMBER, "-2.5", "-2.500001", "0" },
    { "event.sunny", VALUE_BOOL, "true", "false", NULL },
    { "line.article", VALUE_TEXT, "'4601'", "'4602'", NULL },
    { "line.category", VALUE_TEXT, "'milk'", "'bread'", NULL },
    { "line.brand", VALUE_TEXT, "'own'", "'other'", NULL },
    { "line.tag", VALUE_TEXT_SET, "'new'", "'old'", NULL },
    { "line.service", VALUE_BOOL, "true", "false", NULL },
    { "line.discounted", VALUE_BOOL, "true", "false", NULL },
    { "line.price", VALUE_PRICE, "33.333333", "33.333332", "33.333334" },
    { "line.quantity", VALUE_QUANTITY, "3", "2.999", "3.001" },
    { "line.gross", VALUE_MONEY, "100", "99.99", "100.01" },
    { "line.net", VALUE_MONEY, "90", "89.99", "90.01" },
    { "line.express", VALUE_BOOL, "true", "false", NULL },
    { "line.weight", VALUE_NUMBER, "0.5", "0.499999", "0.500001" },
    { "line.colour", VALUE_TEXT, "'red'", "'green'", NULL },
};

static struct text segments[] = { { "near", 4 }, { "vip", 3 } };
static struct text codes[] = { { "FIRST", 5 }, { "SPRING", 6 } };
static struct text tags[] = { { "bio", 3 }, { "new", 3 } };
static struct attribute line_attributes[] = {
    { { "weight", 6 }, ATTRIBUTE_NUMBER, { NULL, 0 }, 500000 },
    { { "colour", 6 }, ATTRIBUTE_TEXT, { "red", 3 }, 0 },
    { { "express", 7 }, ATTRIBUTE_BOOL, { NULL, 0 }, 1 },
};
static struct attribute event_attributes[] = {
    { { "sunny", 5 }, ATTRIBUTE_BOOL, { NULL, 0 }, 1 },
    { { "steps", 5 }, ATTRIBUTE_NUMBER, { NULL, 0 }, -2500000 },
    { { "city", 4 }, ATTRIBUTE_TEXT, { "Omsk", 4 }, 0 },
};
static struct payment payments[] = {
    { PAYMENT_CERTIFICATE, 1000, { NULL, 0 } },
    { PAYMENT_PURSE, 500, { NULL, 0 } },
    { PAYMENT_CERTIFICATE, 550, { NULL, 0 } },
};

/* The third line came back: it takes no part. */
static void fill_lines(struct line lines[3])
{
    lines[0] = (struct line){
        .article = TEXT("4601"),
        .category = TEXT("milk"),
        .brand = TEXT("own"),
        .tag = tags,
        .tag_count = 2,
        .is_service = true,
        .quantity = 3000,
        .price = 33333333,
        .gross = 10000,
        .attribute = line_attributes,
        .attribute_count = 3,
    };
    lines[1] = (struct line){ .quantity = 1000, .price = 50000000, .gross = 5000 };
    lines[2] = (struct line){ .quantity = 0, .gross = 99900 };
}

static struct event sample_event(struct line *lines)
{
    fill_lines(lines);
    return (struct event){
        .kind = TEXT("purchase"),
        .outlet = TEXT("7"),
        .till = TEXT("t1"),
        .channel = TEXT("shop"),
        .region = TEXT("Омск"),
        .tender = TEXT("card"),
        .bin = TEXT("220220"),
        .occurred_at = INT64_C(1782772200000), /* 2026-06-29T22:30:00Z: there 30 June, 01:30 */
        .for_business = true,
        .confirmed = true,
        .line = lines,
        .line_count = 3,
        .payment = payments,
        .payment_count = 3,
        .code = codes,
        .code_count = 2,
        .attribute = event_attributes,
        .attribute_count = 3,
    };
}

static struct member_view sample_view(void)
{
    return (struct member_view){
        .known = true,
        .level = { 2 },
        .counter = { 1234567, 5 },
        .enrolled_at = INT64_C(1781902799000), /* 2026-06-19T20:59:59Z: there a second before 20 */
        .segment = segments,
        .segment_count = 2,
    };
}

static bool is_line(const char *name)
{
    return strncmp(name, "line.", 5) == 0;
}

/* A plan with one rule whose `when` or `lines` is the condition (with ' for "). */
static struct plan *plan_with(struct arena *arena, const char *condition, bool lines)
{
    unsigned char tzif[256];
    struct text zone = { (char *)tzif, (uint32_t)document_tzif(tzif, sizeof tzif) };
    struct page page = { 0 };
    struct plan *plan = NULL;
    struct problems problems;
    struct err err = { 0 };

    page_add(&page,
             "{'format':1,'id':'a','name':{'en':'a'},'timezone':'Land/Town',"
             "'money':{'code':'X','scale':2},'currencies':{'c':{'no':1,'scale':0}},"
             "'counters':{'turnover':{'no':1,'of':'gross','period':'ever'},"
             "'visits':{'no':2,'of':'count','period':'month'}},"
             "'ladders':{'level':{'no':1,'counter':'visits','levels':[{'code':'bronze','from':1},"
             "{'code':'silver','from':2},{'code':'gold','from':3}]}},"
             "'attributes':{'line.express':'bool','line.weight':'number','line.colour':'text',"
             "'event.city':'text','event.steps':'number','event.sunny':'bool'},");
    page_add(&page, "'rules':[{'code':'r','scope':'earn','earn':{'currency':'c','fixed':1},'%s':",
             lines ? "lines" : "when");
    page_add_json(&page, condition);
    page_add(&page, "}]}");
    enum code rc = plan_compile(arena, (struct text){ page.text, (uint32_t)page.size }, zone, 1,
                                &plan, &problems, &err);
    if (rc != OK)
        fail_msg("%s: %s: %.*s", condition, err.text,
                 problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    free(page.text);
    return plan;
}

static struct condition_context context_of(const struct plan *plan, const struct event *event,
                                           const struct member_view *view)
{
    struct condition_context context;
    condition_context_init(&context, plan, event, view);
    context.after_lines = 14000;
    context.net = 13000;
    context.money = 12000;
    context.line = &event->line[0];
    context.line_net = 9000;
    context.line_discounted = true;
    return context;
}

static int32_t root_of(const struct plan *plan)
{
    return plan->rule[0].when != condition_none ? plan->rule[0].when : plan->rule[0].lines;
}

/* Does the condition hold for the sample? */
static bool holds(const char *condition, bool lines, struct condition_failure *failure)
{
    struct line line[3];
    struct event event = sample_event(line);
    struct member_view view = sample_view();
    struct arena arena;

    arena_init(&arena, host_source(), 16384, 1 << 24);
    struct plan *plan = plan_with(&arena, condition, lines);
    struct condition_context context = context_of(plan, &event, &view);
    bool result = condition_test(&context, root_of(plan), failure);
    arena_release(&arena);
    return result;
}

static void check(const char *condition, bool lines, bool wanted)
{
    struct condition_failure failure = { .condition = -7 };
    if (holds(condition, lines, &failure) != wanted)
        fail_msg("%s %s", condition, wanted ? "must hold" : "must not hold");
    if (wanted)
        assert_int_equal(failure.condition, -7);
    else
        assert_int_equal(failure.condition, 0);
}

static int checked;

/* One test of one attribute, and its opposite through `not`. */
static void check_test(const struct attribute_case *one, const char *test, bool wanted)
{
    char condition[512];
    snprintf(condition, sizeof condition, "{'%s':%s}", one->name, test);
    check(condition, is_line(one->name), wanted);
    snprintf(condition, sizeof condition, "{'not':{'%s':%s}}", one->name, test);
    check(condition, is_line(one->name), !wanted);
    checked++;
}

static void check_with(const struct attribute_case *one, const char *operator, const char *value,
                       bool wanted)
{
    char test[512];
    snprintf(test, sizeof test, "{'%s':%s}", operator, value);
    check_test(one, test, wanted);
}

static void check_list(const struct attribute_case *one, const char *operator, const char *first,
                       const char *second, bool wanted)
{
    char test[512];
    snprintf(test, sizeof test, "{'%s':[%s,%s]}", operator, first, second);
    check_test(one, test, wanted);
}

static void check_texts(const struct attribute_case *one)
{
    check_test(one, one->actual, true);
    check_test(one, one->below, false);
    check_with(one, "eq", one->actual, true);
    check_with(one, "eq", one->below, false);
    check_with(one, "ne", one->below, true);
    check_with(one, "ne", one->actual, false);
    check_list(one, "in", one->below, one->actual, true);
    check_list(one, "in", one->below, "'z'", false);
    check_list(one, "not_in", one->below, "'z'", true);
    check_list(one, "not_in", one->below, one->actual, false);
}

static void check_numbers(const struct attribute_case *one)
{
    check_test(one, one->actual, true);
    check_test(one, one->below, false);
    check_with(one, "eq", one->actual, true);
    check_with(one, "eq", one->above, false);
    check_with(one, "ne", one->below, true);
    check_with(one, "ne", one->actual, false);
    check_list(one, "in", one->above, one->actual, true);
    check_list(one, "in", one->above, one->below, false);
    check_list(one, "not_in", one->above, one->below, true);
    check_list(one, "not_in", one->below, one->actual, false);
    check_with(one, "gt", one->below, true);
    check_with(one, "gt", one->actual, false);
    check_with(one, "gte", one->actual, true);
    check_with(one, "gte", one->above, false);
    check_with(one, "lt", one->above, true);
    check_with(one, "lt", one->actual, false);
    check_with(one, "lte", one->actual, true);
    check_with(one, "lte", one->below, false);
}

static void every_attribute_with_every_operator(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct attribute_case *one = &cases[i];
        switch (one->kind) {
        case VALUE_TEXT:
        case VALUE_TEXT_SET:
            check_texts(one);
            break;
        case VALUE_BOOL:
            check_test(one, one->actual, true);
            check_test(one, one->below, false);
            check_with(one, "eq", one->actual, true);
            check_with(one, "eq", one->below, false);
            check_with(one, "ne", one->below, true);
            check_with(one, "ne", one->actual, false);
            break;
        case VALUE_INSTANT:
            check_with(one, "from", one->actual, true);
            check_with(one, "from", one->below, true);
            check_with(one, "from", one->above, false);
            check_with(one, "until", one->above, true);
            check_with(one, "until", one->actual, false);
            break;
        default:
            check_numbers(one);
            break;
        }
    }
    assert_true(checked > 500);
}

/* The table above names every attribute that there is. */
static void no_attribute_is_left_out(void **state)
{
    static const char *const names[] = {
#define X(id, name, place, kind, phase) name,
        ATTRIBUTES(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t length = strcspn(names[i], "*"), found = 0;
        for (size_t j = 0; j < sizeof cases / sizeof cases[0]; j++)
            found += strncmp(names[i], cases[j].name, length) == 0 &&
                     (names[i][length] == '*' || cases[j].name[length] == '\0');
        if (found == 0)
            fail_msg("%s is not tested", names[i]);
    }
}

/* -------------------------------------------------------------------------------------- missing */

static void a_test_on_a_missing_value_fails(void **state)
{
    static const char *const may_be_missing[] = {
        "{'member.level.level':{'lte':'gold'}}", "{'member.level.level':{'ne':'gold'}}",
        "{'member.segment':'vip'}",              "{'member.segment':{'not_in':['vip']}}",
        "{'member.enrolled_days':{'gte':0}}",    "{'member.enrolled_days':{'lte':100000}}",
        "{'counter.turnover':{'gte':0}}",        "{'counter.turnover':{'lte':0}}",
        "{'counter.visits':{'ne':7}}",           "{'receipt.outlet':{'ne':'7'}}",
        "{'receipt.till':{'not_in':['7','8']}}", "{'receipt.channel':'shop'}",
        "{'receipt.region':{'ne':'a'}}",         "{'receipt.tender':{'ne':'a'}}",
        "{'receipt.bin':{'not_in':['1']}}",      "{'event.city':{'ne':'a'}}",
        "{'event.steps':{'gte':-100}}",          "{'event.sunny':{'ne':true}}",
        "{'event.sunny':false}",                 "{'line.article':{'ne':'a'}}",
        "{'line.category':{'not_in':['a']}}",    "{'line.brand':{'ne':'a'}}",
        "{'line.express':false}",                "{'line.weight':{'lte':100}}",
        "{'line.colour':{'ne':'a'}}",
    };
    struct line line = { .quantity = 1000, .gross = 100 };
    struct event event = { .kind = TEXT("purchase"), .line = &line, .line_count = 1 };
    struct member_view view = { .known = false, .level = { 3 }, .counter = { 5, 5 },
                                .segment = segments, .segment_count = 2 };
    (void)state;
    for (size_t i = 0; i < sizeof may_be_missing / sizeof may_be_missing[0]; i++) {
        bool lines = is_line(may_be_missing[i] + 2);
        for (int negated = 0; negated <= 1; negated++) {
            char condition[256];
            struct condition_failure failure;
            struct arena arena;
            arena_init(&arena, host_source(), 16384, 1 << 24);
            snprintf(condition, sizeof condition, negated ? "{'not':%s}" : "%s", may_be_missing[i]);
            struct plan *plan = plan_with(&arena, condition, lines);
            struct condition_context context = context_of(plan, &event, &view);
            if (condition_test(&context, root_of(plan), &failure) != (negated == 1))
                fail_msg("%s", condition);
            if (!negated)
                assert_int_equal(failure.mode, ACTUAL_MISSING);
            arena_release(&arena);
        }
    }
}

/* A set that is empty is known: nothing is in it. A member without a level is below all. */
static void what_is_empty_is_not_missing(void **state)
{
    static const struct {
        const char *condition;
        bool holds;
    } empty[] = {
        { "{'member.known':true}", true },
        { "{'member.segment':'vip'}", false },
        { "{'member.segment':{'ne':'vip'}}", true },
        { "{'receipt.code':'vip'}", false },
        { "{'receipt.code':{'not_in':['vip','x']}}", true },
        { "{'receipt.has_code':false}", true },
        { "{'line.tag':{'in':['a','b']}}", false },
        { "{'line.tag':{'ne':'a'}}", true },
        { "{'line.service':false}", true },
        { "{'member.level.level':{'lt':'bronze'}}", true },
        { "{'member.level.level':{'gte':'bronze'}}", false },
        { "{'member.level.level':{'not_in':['bronze','gold']}}", true },
        { "{'counter.turnover':0}", true },
        { "{'receipt.certificate':0}", true },
    };
    struct line line = { .quantity = 1000, .gross = 100 };
    struct event event = { .kind = TEXT("purchase"), .line = &line, .line_count = 1 };
    struct member_view view = { .known = true };
    (void)state;
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct arena arena;
        arena_init(&arena, host_source(), 16384, 1 << 24);
        struct plan *plan = plan_with(&arena, empty[i].condition, is_line(empty[i].condition + 2));
        struct condition_context context = context_of(plan, &event, &view);
        if (condition_test(&context, root_of(plan), NULL) != empty[i].holds)
            fail_msg("%s", empty[i].condition);
        arena_release(&arena);
    }
}

static void an_own_attribute_of_another_type_is_missing(void **state)
{
    struct attribute wrong = { TEXT("sunny"), ATTRIBUTE_TEXT, TEXT("yes"), 1 };
    struct event event = { .attribute = &wrong, .attribute_count = 1 };
    struct member_view view = { 0 };
    struct condition_failure failure;
    struct arena arena;
    (void)state;
    arena_init(&arena, host_source(), 16384, 1 << 24);
    struct plan *plan = plan_with(&arena, "{'event.sunny':true}", false);
    struct condition_context context;
    condition_context_init(&context, plan, &event, &view);
    assert_false(condition_test(&context, root_of(plan), &failure));
    assert_int_equal(failure.mode, ACTUAL_MISSING);
    arena_release(&arena);
}

static void the_till_or_a_rule_discounts_a_line(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct line line = { .quantity = 1000, .is_discounted = i & 1 };
        struct event event = { .line = &line, .line_count = 1 };
        struct member_view view = { 0 };
        struct arena arena;
        arena_init(&arena, host_source(), 16384, 1 << 24);
        struct plan *plan = plan_with(&arena, "{'line.discounted':true}", true);
        struct condition_context context = context_of(plan, &event, &view);
        context.line_discounted = i >> 1 & 1;
        assert_int_equal(condition_test(&context, root_of(plan), NULL), i > 0);
        arena_release(&arena);
    }
}

/* --------------------------------------------------------------------------------- combinations */

static void groups_combine(void **state)
{
    /* T and F: one that holds and one that does not. */
    static const struct {
        const char *shape;
        bool holds;
    } shapes[] = {
        { "{T}", true },
        { "{F}", false },
        { "{'all':[{T},{T}]}", true },
        { "{'all':[{T},{F}]}", false },
        { "{'all':[{F},{T}]}", false },
        { "{'any':[{F},{T}]}", true },
        { "{'any':[{T},{F}]}", true },
        { "{'any':[{F},{F}]}", false },
        { "{'any':[{F}]}", false },
        { "{'any':[{T}]}", true },
        { "{'not':{T}}", false },
        { "{'not':{F}}", true },
        { "{'not':{'not':{T}}}", true },
        { "{'not':{'not':{F}}}", false },
        { "{'not':{'all':[{T},{F}]}}", true },
        { "{'not':{'any':[{T},{F}]}}", false },
        { "{'not':{'any':[{F},{F}]}}", true },
        { "{T,'any':[{F},{T}]}", true },
        { "{F,'any':[{F},{T}]}", false },
        { "{T,'any':[{F},{F}]}", false },
        { "{T,'not':{F}}", true },
        { "{T,'not':{T}}", false },
        { "{T,'all':[{T},{'any':[{F},{'not':{F}}]}]}", true },
        { "{T,'all':[{T},{'any':[{F},{'not':{T}}]}]}", false },
        { "{'any':[{'all':[{T},{F}]},{'all':[{T},{T}]}]}", true },
        { "{'any':[{'all':[{T},{F}]},{'all':[{F},{T}]}]}", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char condition[1024];
        size_t size = 0;
        for (const char *at = shapes[i].shape; *at; at++) {
            char same[2] = { *at, '\0' };
            const char *piece = *at == 'T'   ? "'receipt.outlet':'7'"
                                : *at == 'F' ? "'receipt.outlet':'8'"
                                             : same;
            size += (size_t)snprintf(condition + size, sizeof condition - size, "%s", piece);
        }
        if (holds(condition, false, NULL) != shapes[i].holds)
            fail_msg("%s", shapes[i].shape);
    }
}

static void several_tests_of_one_attribute_all_hold(void **state)
{
    (void)state;
    check("{'receipt.base':{'gte':100,'lt':200}}", false, true);
    assert_false(holds("{'receipt.base':{'gte':100,'lt':150}}", false, NULL));
    assert_false(holds("{'receipt.base':{'gte':151,'lt':200}}", false, NULL));
    check("{'receipt.base':{'gte':100,'lt':200,'ne':151,'not_in':[1,2]}}", false, true);
}

static void no_condition_holds(void **state)
{
    struct condition_context context = { 0 };
    (void)state;
    assert_true(condition_test(&context, condition_none, NULL));
}

static void long_lists_are_searched(void **state)
{
    enum { values = 5000 };
    struct page page = { 0 };
    struct arena arena;
    (void)state;
    page_add(&page, "{'line.article':{'in':[");
    for (int i = 0; i < values; i++) /* 7919 is prime: every article once, in no order */
        page_add(&page, "%s'%d'", i ? "," : "", i * 7919 % values * 2);
    page_add(&page, "]}}");
    arena_init(&arena, host_source(), 65536, 1 << 26);
    struct plan *plan = plan_with(&arena, page.text, true);
    struct line line = { .quantity = 1000 };
    struct event event = { .line = &line, .line_count = 1 };
    struct member_view view = { 0 };
    struct condition_context context = context_of(plan, &event, &view);
    for (int i = -1; i < 2 * values + 1; i++) {
        char article[16];
        int length = snprintf(article, sizeof article, "%d", i);
        line.article = (struct text){ article, (uint32_t)length };
        bool wanted = i >= 0 && i < 2 * values && i % 2 == 0;
        assert_int_equal(condition_test(&context, plan->rule[0].lines, NULL), wanted);
    }
    free(page.text);
    arena_release(&arena);
}

/* ---------------------------------------------------------------------------- what failed first */

static void the_first_failing_part_is_told(void **state)
{
    static const struct {
        const char *condition;
        int32_t index; /* of the part, in pre-order */
        enum actual_mode mode;
        int64_t actual;
        const char *text;
    } rows[] = {
        { "{'receipt.base':{'gte':555}}", 0, ACTUAL_NUMBER, 15000, NULL },
        { "{'receipt.base':{'gte':100},'receipt.net':{'gte':555}}", 2, ACTUAL_NUMBER, 13000, NULL },
        { "{'receipt.base':{'gte':100,'lt':120}}", 2, ACTUAL_NUMBER, 15000, NULL },
        { "{'receipt.outlet':'8','receipt.base':1}", 1, ACTUAL_TEXT, 0, "7" },
        { "{'receipt.outlet':{'in':['8','9']}}", 0, ACTUAL_TEXT, 0, "7" },
        { "{'receipt.code':'X'}", 0, ACTUAL_NONE, 0, NULL },
        { "{'receipt.has_code':false}", 0, ACTUAL_NUMBER, 1, NULL },
        { "{'member.level.level':'gold'}", 0, ACTUAL_NUMBER, 2, NULL },
        { "{'not':{'receipt.outlet':'7'}}", 0, ACTUAL_TEXT, 0, "7" },
        { "{'not':{'not':{'receipt.outlet':'8'}}}", 0, ACTUAL_TEXT, 0, "7" },
        { "{'not':{'receipt.outlet':'7','receipt.till':'t1'}}", 0, ACTUAL_NONE, 0, NULL },
        { "{'receipt.till':'t1','any':[{'receipt.outlet':'8'},{'receipt.base':1}]}", 2, ACTUAL_NONE,
          0, NULL },
        { "{'any':[{'receipt.outlet':'8'}]}", 0, ACTUAL_TEXT, 0, "7" },
        { "{'all':[{'any':[{'receipt.outlet':'8'},{'receipt.till':'t1'}]},{'receipt.lines':7}]}", 4,
          ACTUAL_NUMBER, 2, NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct condition_failure failure = { 0 };
        if (holds(rows[i].condition, false, &failure))
            fail_msg("%s holds", rows[i].condition);
        if (failure.condition != rows[i].index)
            fail_msg("%s: part %d", rows[i].condition, (int)failure.condition);
        assert_int_equal(failure.mode, rows[i].mode);
        assert_int_equal(failure.actual, rows[i].actual);
        if (rows[i].text)
            assert_true(text_equal(failure.actual_text, text_of(rows[i].text)));
    }
}

static void context_knows_what_is_stated(void **state)
{
    struct line line[3];
    struct event event = sample_event(line);
    struct member_view view = sample_view();
    struct condition_context context;
    struct arena arena;
    (void)state;
    arena_init(&arena, host_source(), 16384, 1 << 24);
    struct plan *plan = plan_with(&arena, "{'time.hour':1}", false);
    condition_context_init(&context, plan, &event, &view);
    assert_int_equal(context.base, 15000);
    assert_int_equal(context.certificate, 1550);
    assert_int_equal(context.lines, 2);
    assert_int_equal(context.enrolled_days, 11);
    line[0].gross = line[1].gross = INT64_MAX;
    payments[0].money = INT64_MAX;
    condition_context_init(&context, plan, &event, &view);
    assert_int_equal(context.base, INT64_MAX);
    assert_int_equal(context.certificate, INT64_MAX);
    payments[0].money = 1000;
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_attribute_with_every_operator),
        cmocka_unit_test(no_attribute_is_left_out),
        cmocka_unit_test(a_test_on_a_missing_value_fails),
        cmocka_unit_test(what_is_empty_is_not_missing),
        cmocka_unit_test(an_own_attribute_of_another_type_is_missing),
        cmocka_unit_test(the_till_or_a_rule_discounts_a_line),
        cmocka_unit_test(groups_combine),
        cmocka_unit_test(several_tests_of_one_attribute_all_hold),
        cmocka_unit_test(no_condition_holds),
        cmocka_unit_test(long_lists_are_searched),
        cmocka_unit_test(the_first_failing_part_is_told),
        cmocka_unit_test(context_knows_what_is_stated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
