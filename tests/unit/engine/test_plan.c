/*
 * test_plan.c - what a good document becomes: exact values, trees, needs, versions.
 *
 * Owns:      compiled values, defaults, order; tests/tables/programme/versions.txt; our programmes.
 * Must not:  evaluate (test_evaluate.c does).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "documents.h"
#include "host.h"
#include "plans.h"

#undef assert

/* --------------------------------------------------------------------------- what was compiled */

static void currencies_stand_in_order_of_no(void **state)
{
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    const struct currency_terms *star = &plan->terms.currency[0], *bonus = &plan->terms.currency[1];
    assert_int_equal(plan->terms.currency_count, 2);
    assert_text(star->code, "star");
    assert_int_equal(star->no, 1);
    assert_int_equal(star->worth.num, 0);
    assert_int_equal(star->expiry, EXPIRY_NONE);
    assert_text(plan->currency_name_ru[0], "star");
    assert_text(plan->currency_name_ru[1], "бонус");
    assert_int_equal(bonus->no, 2);
    assert_int_equal(bonus->worth.num, 1);
    assert_int_equal(bonus->worth.den, 1);
    assert_int_equal(bonus->pending, PENDING_PERIOD);
    assert_int_equal(bonus->pending_period.days, 14);
    assert_int_equal(bonus->expiry, EXPIRY_PERIOD);
    assert_int_equal(bonus->expiry_period.months, 12);
    assert_int_equal(bonus->grace_days, 3);
    assert_int_equal(plan->terms.version, 7);
    assert_int_equal(plan->terms.hold_ms, 15 * 60 * 1000);
    assert_int_equal(plan->terms.quote_ms, 20 * 60 * 1000);
    assert_int_equal(plan->terms.late_days, 365);
    assert_int_equal(plan->terms.return_days, 30);
    arena_release(&arena);
}

static void ladders_and_counters_are_what_was_written(void **state)
{
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    const struct ladder_terms *level = &plan->terms.ladder[0], *habit = &plan->terms.ladder[1];
    assert_int_equal(plan->terms.ladder_count, 2);
    assert_int_equal(level->level_count, 3);
    assert_int_equal(level->level[1].from, 3000000);
    assert_int_equal(level->downgrade, DOWNGRADE_NEVER);
    assert_int_equal(habit->level[0].from, 10);
    assert_int_equal(habit->counter_no, 2);
    assert_int_equal(habit->downgrade, DOWNGRADE_AT_ONCE);
    assert_int_equal(plan->terms.counter[0].period, PERIOD_EVER);
    assert_int_equal(plan->terms.counter[1].rolling_days, 30);
    assert_int_equal(plan->terms.counter[1].period, PERIOD_DAY);
    assert_int_equal(plan_enrolment(plan).required, enrol_surname | enrol_phone);
    arena_release(&arena);
}

static void an_age_asks_for_the_birthday(void **state)
{
    struct page page = { 0 };
    struct arena arena;
    (void)state;
    begin(&arena);
    page_add(&page, SMALL "'enrolment':{'age_min':18},'currencies':{},'rules':[]}");
    const struct plan *plan = compile_good(&arena, page.text);
    assert_int_equal(plan_enrolment(plan).age_min, 18);
    assert_int_equal(plan_enrolment(plan).required, enrol_birthday);
    arena_release(&arena);
    free(page.text);
}

static void rules_have_exact_values(void **state)
{
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    const struct rule *rule = plan->rule;
    assert_int_equal(plan_rule_count(plan), 7);
    assert_int_equal(rule[0].discount.rate.num, 1);
    assert_int_equal(rule[0].discount.rate.den, 10);
    assert_int_equal(rule[0].discount.per, PER_LINE);
    assert_int_equal(rule[0].discount.rounding, ROUND_HALF_UP);
    assert_int_equal(rule[0].priority, 2);
    assert_int_equal(rule[0].valid_from, INT64_MIN);
    assert_int_equal(rule[0].valid_until, TIME_NONE);
    assert_int_equal(rule[1].discount.kind, DISCOUNT_FIXED_PRICE);
    assert_int_equal(rule[1].discount.per, PER_PIECE);
    assert_int_equal(rule[1].discount.value, 3000);
    assert_int_equal(rule[1].valid_from, INT64_C(1767214800000));
    assert_int_equal(rule[2].discount.per, PER_RECEIPT);
    assert_int_equal(rule[2].discount.value, 10000);
    assert_int_equal(rule[3].discount.rounding, ROUND_DOWN);
    assert_int_equal(rule[3].discount.quantum, 100);
    assert_int_equal(rule[4].earn.rate.num, 3);
    assert_int_equal(rule[4].earn.rate.den, 100);
    assert_int_equal(rule[4].earn.currency, 2);
    assert_int_equal(rule[4].earn.currency_index, 1);
    assert_int_equal(rule[4].earn.of, EARN_OF_MONEY);
    assert_int_equal(rule[5].earn.kind, EARN_PER_AMOUNT);
    assert_int_equal(rule[5].earn.per_amount, 10000);
    assert_int_equal(rule[5].earn.points, 1);
    assert_int_equal(rule[5].earn.of, EARN_OF_GROSS);
    assert_int_equal(rule[6].earn.kind, EARN_FIXED);
    assert_int_equal(rule[6].earn.points, 50000);
    assert_int_equal(plan_rule_by_code(plan, TEXT("stars")), 5);
    assert_int_equal(plan_rule_by_code(plan, TEXT("moons")), rule_none);
    assert_text(plan_rule_code(plan, 5), "stars");
    assert_text(plan_rule_name(plan, 5, true), "stars");
    assert_text(plan_rule_code(plan, rule_none), "");
    assert_text(plan_rule_name(plan, 7, false), "");
    arena_release(&arena);
}

/* 1 % of 1.00 with money of two digits is 0.01 of a currency's unit, whatever its scale. */
static void rates_bridge_scales(void **state)
{
    static const struct {
        int money, currency;
        const char *percent, *worth;
        int64_t num, den, worth_num, worth_den;
    } cases[] = {
        { 2, 2, "1", "1", 1, 100, 1, 1 },       { 2, 0, "100", "1.00", 1, 100, 100, 1 },
        { 0, 2, "1", "1", 1, 1, 1, 100 },       { 2, 1, "0.5", "1", 1, 2000, 10, 1 },
        { 3, 0, "100", "0.5", 1, 1000, 500, 1 }, { 2, 6, "0.000001", "0.01", 1, 10000, 1, 1000000 },
        { 4, 0, "0.000001", "1000000", 1, INT64_C(1000000000000), INT64_C(10000000000), 1 },
        { 0, 6, "100000", "0.000001", INT64_C(1000000000), 1, 1, INT64_C(1000000000000) },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page page = { 0 };
        struct arena arena;
        begin(&arena);
        page_add(&page, "{'format':1,'id':'a','name':{'en':'a'},'money':{'code':'X','scale':%d},",
                 cases[i].money);
        page_add(&page, "'currencies':{'c':{'no':1,'scale':%d,'worth':'%s'}},"
                        "'redemption':{'c':{}},",
                 cases[i].currency, cases[i].worth);
        page_add(&page, "'rules':[{'code':'r','scope':'earn','earn':"
                        "{'currency':'c','percent':'%s'}}]}", cases[i].percent);
        const struct plan *plan = compile_good(&arena, page.text);
        assert_int_equal(plan->rule[0].earn.rate.num, cases[i].num);
        assert_int_equal(plan->rule[0].earn.rate.den, cases[i].den);
        assert_int_equal(plan->terms.currency[0].worth.num, cases[i].worth_num);
        assert_int_equal(plan->terms.currency[0].worth.den, cases[i].worth_den);
        /* The least step is whole money. */
        assert_int_equal(plan->redemption[0].step, cases[i].worth_den);
        arena_release(&arena);
        free(page.text);
    }
}

static void redemption_is_what_was_written(void **state)
{
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    assert_false(plan->redemption[0].allowed);
    assert_true(plan->redemption[1].allowed);
    assert_true(plan->redemption[1].confirm);
    assert_int_equal(plan->redemption[1].max.num, 1);
    assert_int_equal(plan->redemption[1].max.den, 2);
    assert_int_equal(plan->redemption[1].money_min, 100);
    assert_int_equal(plan->redemption[1].step, 10);
    assert_true(plan->redemption[1].lines >= 0);
    assert_int_equal(plan->receipt_quantum, 100);
    arena_release(&arena);
}

/* ---------------------------------------------------------------------------------------- trees */

static const char *const op_names[] = { "", "max", "min", "first", "sum", "multiply" };

static uint32_t print_node(const struct plan *plan, const struct tree *tree, uint32_t at,
                           struct page *page)
{
    const struct tree_node *node = &tree->node[at];
    uint32_t children = 0, rules = 0;
    assert_true(node->next > at);
    assert_true(node->next <= tree->count);
    if (node->op == TREE_RULE) {
        struct text code = plan_rule_code(plan, node->rule);
        page_add(page, "%.*s", (int)code.len, code.ptr);
        assert_int_equal(node->next, at + 1);
        assert_int_equal(node->rules, 1);
        return 1;
    }
    page_add(page, "%s(", op_names[node->op]);
    for (uint32_t i = at + 1; i < node->next; i = tree->node[i].next) {
        page_add(page, "%s", children++ > 0 ? " " : "");
        rules += print_node(plan, tree, i, page);
    }
    page_add(page, ")");
    assert_int_equal(children, node->children);
    assert_int_equal(rules, node->rules);
    return rules;
}

static void assert_tree(const struct plan *plan, const struct tree *tree, const char *wanted)
{
    struct page page = { 0 };
    page_add(&page, "%s", "");
    if (tree->count > 0)
        print_node(plan, tree, 0, &page);
    assert_string_equal(page.text, wanted);
    free(page.text);
}

static void trees_are_settled(void **state)
{
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    const struct kind_plan *purchase = plan_kind(plan, TEXT("purchase"));
    const struct kind_plan *birthday = plan_kind(plan, TEXT("birthday"));
    assert_non_null(purchase);
    assert_ptr_equal(purchase, &plan->kind[0]);
    assert_null(plan_kind(plan, TEXT("flight")));
    assert_tree(plan, &purchase->line, "max(first(milk bread))");
    assert_int_equal(purchase->line.depth, 3);
    assert_tree(plan, &purchase->receipt, "sum(big guests)");
    assert_int_equal(purchase->earn_count, 2);
    assert_tree(plan, &purchase->earn[0], "sum(stars)");
    assert_int_equal(purchase->earn[0].currency_index, 0);
    assert_tree(plan, &purchase->earn[1], "sum(pay)");
    assert_int_equal(purchase->earn[1].currency_index, 1);
    assert_int_equal(purchase->rule_count, 6);
    assert_tree(plan, &birthday->line, "");
    assert_tree(plan, &birthday->receipt, "");
    assert_int_equal(birthday->earn_count, 1);
    assert_tree(plan, &birthday->earn[0], "sum(birthday)");
    arena_release(&arena);
}

/* Priority first, then code, bytewise; a group counts 0 unless it says so; what is empty goes. */
static void order_is_by_priority_and_code(void **state)
{
    struct page page = { 0 };
    struct arena arena;
    static const struct {
        const char *code, *on;
        int priority;
    } rules[] = { { "b", "purchase", 0 }, { "B", "purchase", 0 }, { "a10", "purchase", 0 },
                  { "a9", "purchase", 0 }, { "z", "purchase", 7 }, { "low", "purchase", -3 },
                  { "я", "purchase", 0 },  { "x", "visit", 0 },    { "y", "visit", 9 } };
    (void)state;
    page_add(&page, SMALL "'currencies':{},'combination':{'line':{'op':'multiply','members':["
                          "{'code':'c','op':'min','priority':1,'members':['b',"
                          "{'code':'d','op':'sum','members':['x']},"
                          "{'code':'ab','op':'first','members':['B','low']},'a9']}]}},'rules':[");
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        page_add(&page, "%s{'code':'%s','on':'%s','scope':'line','priority':%d,"
                        "'discount':{'kind':'percent','value':1}}",
                 i ? "," : "", rules[i].code, rules[i].on, rules[i].priority);
    page_add(&page, "]}");
    begin(&arena);
    const struct plan *plan = compile_good(&arena, page.text);
    assert_tree(plan, &plan_kind(plan, TEXT("purchase"))->line,
                "multiply(z min(a9 first(B low) b) a10 я)");
    assert_tree(plan, &plan_kind(plan, TEXT("visit"))->line, "multiply(y min(sum(x)))");
    assert_int_equal(plan_kind(plan, TEXT("visit"))->line.depth, 4);
    arena_release(&arena);
    free(page.text);
}

/* ---------------------------------------------------------------------------------------- needs */

static void needs_are_those_of_the_kind(void **state)
{
    enum attribute_type type;
    struct arena arena;
    (void)state;
    begin(&arena);
    const struct plan *plan = compile_file(&arena, BASE);
    struct engine_needs purchase = plan_needs(plan, TEXT("purchase"));
    struct engine_needs birthday = plan_needs(plan, TEXT("birthday"));
    struct engine_needs flight = plan_needs(plan, TEXT("flight"));
    assert_int_equal(purchase.counters, 1);
    assert_int_equal(purchase.ladders, 1);
    assert_int_equal(purchase.currencies, 2);
    assert_false(purchase.segments);
    assert_int_equal(birthday.counters, 0);
    assert_true(birthday.segments);
    assert_int_equal(flight.currencies, 0);
    assert_true(plan->uses_local_time);
    assert_true(plan_attribute(plan, TEXT("line.weight"), &type));
    assert_int_equal(type, ATTRIBUTE_NUMBER);
    assert_false(plan_attribute(plan, TEXT("weight"), &type));
    assert_false(plan_attribute(plan, TEXT("line.brand"), &type));
    arena_release(&arena);
}

/* Whatever the operator, and in groups too. */
static void every_test_is_a_need(void **state)
{
    static const struct {
        const char *when;
        uint64_t counters, ladders;
        bool segments;
    } cases[] = {
        { "{'member.known':true}", 0, 0, false },
        { "{'counter.b':5}", 2, 0, false },
        { "{'member.level.l':'x'}", 0, 1, false },
        { "{'member.segment':'x'}", 0, 0, true },
        { "{'any':[{'not':{'counter.a':{'in':[1,2]}}},{'counter.b':{'lt':1}}]}", 3, 0, false },
        { "{'member.known':true,'all':[{'member.known':true},{'member.segment':{'ne':'x'}}]}", 0, 0,
          true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page page = { 0 };
        struct arena arena;
        begin(&arena);
        page_add(&page, SMALL "'currencies':{'c':{'no':1,'scale':0,'worth':1}},"
                              "'counters':{'b':{'no':9,'of':'net','period':'day'},"
                              "'a':{'no':3,'of':'count','period':'ever'}},"
                              "'ladders':{'l':{'no':1,'counter':'a','levels':[{'code':'x',"
                              "'from':0}]}},'rules':[{'code':'r','scope':'earn','earn':"
                              "{'currency':'c','fixed':1},'when':");
        page_add_json(&page, cases[i].when);
        page_add_json(&page, "}]}");
        struct plan *plan = compile_good(&arena, page.text);
        struct engine_needs needs = plan_needs(plan, TEXT("purchase"));
        assert_int_equal(needs.counters, cases[i].counters);
        assert_int_equal(needs.ladders, cases[i].ladders);
        assert_int_equal(needs.segments, cases[i].segments);
        assert_int_equal(needs.currencies, 0);
        assert_int_equal(plan->redemption[0].lines, condition_none);
        assert_int_equal(plan->redemption[0].max.den, 1);
        arena_release(&arena);
        free(page.text);
    }
}

/* The document's order does not matter: arrays are in order of no. */
static void everything_stands_in_order_of_no(void **state)
{
    struct page page = { 0 };
    struct arena arena;
    (void)state;
    begin(&arena);
    page_add(&page, SMALL "'rules':[],'currencies':{");
    for (int no = 16; no >= 1; no--)
        page_add(&page, "%s'c%d':{'no':%d,'scale':0,'name':{'ru':'%d'}}", no < 16 ? "," : "", no,
                 no, no);
    page_add(&page, "},'counters':{");
    for (int no = 64; no >= 1; no--)
        page_add(&page, "%s'c%d':{'no':%d,'of':'net','period':'year'}", no < 64 ? "," : "", no, no);
    page_add(&page, "},'ladders':{");
    for (int no = 8; no >= 1; no--)
        page_add(&page, "%s'l%d':{'no':%d,'counter':'c%d','levels':[{'code':'a','from':'%d.50'}]}",
                 no < 8 ? "," : "", no, no, no * 8, no);
    page_add(&page, "}}");
    const struct plan *plan = compile_good(&arena, page.text);
    assert_int_equal(plan->terms.currency_count, 16);
    assert_int_equal(plan->terms.counter_count, 64);
    assert_int_equal(plan->terms.ladder_count, 8);
    for (int no = 1; no <= 16; no++) {
        char name[16];
        snprintf(name, sizeof name, "%d", no);
        assert_int_equal(plan->terms.currency[no - 1].no, no);
        assert_text(plan->currency_name_en[no - 1], name);
        assert_text(plan->currency_name_ru[no - 1], name);
    }
    for (int no = 1; no <= 64; no++)
        assert_int_equal(plan->terms.counter[no - 1].no, no);
    for (int no = 1; no <= 8; no++) {
        assert_int_equal(plan->terms.ladder[no - 1].no, no);
        assert_int_equal(plan->terms.ladder[no - 1].counter_no, no * 8);
        assert_int_equal(plan->terms.ladder[no - 1].level[0].from, no * 100 + 50);
    }
    arena_release(&arena);
    free(page.text);
}

/* A small document with a currency c, a counter k and a discount; one word of it is `word`. */
static const struct plan *plan_with(struct arena *arena, const char *where, const char *word)
{
    static const char *const places[] = { "debt", "returns", "spreading", "rounding", "of",
                                          "period", "round", "downgrade", "op", "earn" };
    static const char *const usual[] = { "allow", "trace", "last-rest", "up", "net",
                                         "day", "year", "never", "max", "gross" };
    const char *say[10];
    struct page page = { 0 };
    for (int i = 0; i < 10; i++)
        say[i] = strcmp(where, places[i]) == 0 ? word : usual[i];
    page_add(&page, SMALL "'currencies':{'c':{'no':1,'scale':0,'worth':1,'debt':'%s','expiry':"
                          "{'kind':'period-end','period':'P1Y','round':'%s'}}},'redemption':"
                          "{'c':{}},'returns':{'policy':'%s'},",
             say[0], say[6], say[1]);
    page_add(&page, "'arithmetic':{'spreading':'%s','rounding':'%s'},'counters':{'k':{'no':1,"
                    "'of':'%s','period':'%s'}},'ladders':{'l':{'no':1,'counter':'k','downgrade':"
                    "'%s','levels':[{'code':'a','from':1}]}},'combination':{'line':{'op':'%s'}},",
             say[2], say[3], say[4], say[5], say[7], say[8]);
    page_add(&page, "'rules':[{'code':'r','scope':'line','discount':{'kind':'percent','value':1}},"
                    "{'code':'e','scope':'earn','earn':{'currency':'c','percent':1,'of':'%s'}}]}",
             say[9]);
    const struct plan *plan = compile_good(arena, page.text);
    free(page.text);
    return plan;
}

/* Every word of a choice, and what it becomes. */
static const struct {
    const char *where, *word;
    int value;
} choices[] = {
    { "debt", "allow", DEBT_ALLOW },
    { "debt", "refuse", DEBT_REFUSE },
    { "returns", "trace", RETURN_TRACE },
    { "returns", "requote", RETURN_REQUOTE },
    { "spreading", "largest-remainder", SPREAD_LARGEST_REMAINDER },
    { "spreading", "floor-first", SPREAD_FLOOR_FIRST },
    { "spreading", "last-rest", SPREAD_LAST_REST },
    { "rounding", "half-up", ROUND_HALF_UP },
    { "rounding", "half-even", ROUND_HALF_EVEN },
    { "rounding", "half-down", ROUND_HALF_DOWN },
    { "rounding", "down", ROUND_DOWN },
    { "rounding", "up", ROUND_UP },
    { "of", "gross", COUNTER_GROSS },
    { "of", "net", COUNTER_NET },
    { "of", "money", COUNTER_MONEY },
    { "of", "count", COUNTER_COUNT },
    { "period", "ever", PERIOD_EVER },
    { "period", "day", PERIOD_DAY },
    { "period", "week", PERIOD_WEEK },
    { "period", "month", PERIOD_MONTH },
    { "period", "quarter", PERIOD_QUARTER },
    { "period", "half-year", PERIOD_HALF_YEAR },
    { "period", "year", PERIOD_YEAR },
    { "round", "month", PERIOD_MONTH },
    { "round", "quarter", PERIOD_QUARTER },
    { "round", "half-year", PERIOD_HALF_YEAR },
    { "round", "year", PERIOD_YEAR },
    { "downgrade", "never", DOWNGRADE_NEVER },
    { "downgrade", "at-once", DOWNGRADE_AT_ONCE },
    { "op", "max", TREE_MAX },
    { "op", "min", TREE_MIN },
    { "op", "first", TREE_FIRST },
    { "op", "sum", TREE_SUM },
    { "op", "multiply", TREE_MULTIPLY },
    { "earn", "gross", EARN_OF_GROSS },
    { "earn", "net", EARN_OF_NET },
    { "earn", "money", EARN_OF_MONEY },
};

static void choices_mean_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        struct arena arena;
        begin(&arena);
        const struct plan *plan = plan_with(&arena, choices[i].where, choices[i].word);
        const struct terms *terms = &plan->terms;
        const struct {
            const char *where;
            int value;
        } found[] = {
            { "debt", (int)terms->currency[0].debt },
            { "returns", (int)terms->returns },
            { "spreading", (int)plan->spreading },
            { "rounding", (int)plan->rounding },
            { "of", (int)terms->counter[0].source },
            { "period", (int)terms->counter[0].period },
            { "round", (int)terms->currency[0].expiry_round },
            { "downgrade", (int)terms->ladder[0].downgrade },
            { "op", plan->kind[0].line.node[0].op },
            { "earn", plan->rule[1].earn.of },
        };
        for (int j = 0; j < 10; j++)
            if (strcmp(found[j].where, choices[i].where) == 0 && found[j].value != choices[i].value)
                fail_msg("%s %s is %d", choices[i].where, choices[i].word, found[j].value);
        assert_int_equal(plan->rule[0].discount.rounding, plan->rounding);
        assert_int_equal(plan_needs(plan, TEXT("purchase")).currencies, 1);
        arena_release(&arena);
    }
}

/* What a document does not say. */
static void defaults_are_the_documented_ones(void **state)
{
    struct page page = { 0 };
    struct arena arena;
    (void)state;
    begin(&arena);
    page_add(&page, SMALL "'currencies':{'c':{'no':1,'scale':2,'worth':1}},'redemption':{'c':{}},"
                          "'counters':{'k':{'no':1,'of':'net','period':'ever'}},'ladders':{'l':"
                          "{'no':1,'counter':'k','levels':[{'code':'a','from':5}]}},'rules':["
                          "{'code':'a','scope':'line','discount':{'kind':'amount','value':1}},"
                          "{'code':'b','scope':'receipt','discount':{'kind':'amount','value':1}},"
                          "{'code':'c','scope':'earn','earn':{'currency':'c','percent':1}}]}");
    const struct plan *plan = compile_good(&arena, page.text);
    assert_int_equal(plan->rounding, ROUND_HALF_UP);
    assert_int_equal(plan->quantum, 1);
    assert_int_equal(plan->spreading, SPREAD_LARGEST_REMAINDER);
    assert_int_equal(plan->receipt_quantum, 0);
    assert_int_equal(plan->terms.returns, RETURN_REQUOTE);
    assert_int_equal(plan->terms.return_days, 0);
    assert_int_equal(plan->terms.hold_ms, 900000);
    assert_int_equal(plan->terms.quote_ms, 900000);
    assert_int_equal(plan->terms.late_days, 3650);
    assert_null(plan->terms.zone);
    assert_int_equal(plan->terms.currency[0].pending, PENDING_NONE);
    assert_int_equal(plan->terms.currency[0].debt, DEBT_ALLOW);
    assert_int_equal(plan->terms.currency[0].grace_days, 0);
    assert_int_equal(plan->terms.ladder[0].downgrade, DOWNGRADE_NEVER);
    assert_int_equal(plan->redemption[0].max.num, 1);
    assert_int_equal(plan->redemption[0].max.den, 1);
    assert_int_equal(plan->redemption[0].money_min, 0);
    assert_int_equal(plan->redemption[0].step, 1);
    assert_false(plan->redemption[0].confirm);
    assert_int_equal(plan->rule[0].discount.per, PER_LINE);
    assert_int_equal(plan->rule[1].discount.per, PER_RECEIPT);
    assert_int_equal(plan->rule[2].earn.of, EARN_OF_MONEY);
    assert_false(plan->rule[2].earn.per_line);
    assert_int_equal(plan->rule[2].earn.rounding, ROUND_DOWN);
    assert_int_equal(plan->rule[2].earn.quantum, 1);
    assert_int_equal(plan->rule[2].priority, 0);
    assert_text(plan->kind[plan->rule[2].kind].name, "purchase");
    assert_tree(plan, &plan->kind[0].line, "max(a)");
    assert_tree(plan, &plan->kind[0].receipt, "max(b)");
    assert_tree(plan, &plan->kind[0].earn[0], "sum(c)");
    assert_int_equal(plan->enrolment.required, 0);
    assert_false(plan->uses_local_time);
    arena_release(&arena);
    free(page.text);
}

/* ------------------------------------------------------------------------------------- versions */

/* `mistakes` has room for what speaks against the change. */
static void check_follow(const struct document_case *one, void *context)
{
    struct arena arena;
    struct problems problems = { 0 };
    int *bad = context;
    begin(&arena);
    struct plan *previous = compile_file(&arena, BASE);
    struct plan *next = compile_good(&arena, one->document);
    bool may = plan_may_follow(next, previous, &arena, &problems);
    bool good = may == (one->expected_count == 0) && (int)problems.count == one->expected_count;
    for (int i = 0; good && i < one->expected_count; i++)
        good = same_problem(&problems.item[i], one->pointer[i], one->piece[i]);
    if (!good) {
        (*bad)++;
        print_error("line %d, %s:\n", one->line, one->name);
        for (uint32_t i = 0; i < problems.count; i++)
            print_error("    %.*s | %.*s\n", (int)problems.item[i].pointer.len,
                        problems.item[i].pointer.ptr, (int)problems.item[i].sentence.len,
                        problems.item[i].sentence.ptr);
    }
    arena_release(&arena);
}

static void numbers_keep_their_meaning(void **state)
{
    int bad = 0;
    (void)state;
    int cases = documents_each("tests/tables/programme/versions.txt", BASE, check_follow, &bad);
    assert_true(cases >= 15);
    assert_int_equal(bad, 0);
}

/* -------------------------------------------------------------------------- our own programmes */

static void shipped_programmes_compile(void **state)
{
    static const struct {
        const char *path, *zone;
        uint32_t rules;
    } cases[] = { { "programmes/awn/programme.json", "Europe/Moscow", 3 },
                  { "programmes/x5/programme.json", "Europe/Moscow", 2 },
                  { "programmes/uci/programme.json", "Europe/London", 1 } };
    unsigned char tzif[256];
    struct text zone_bytes = { (char *)tzif, (uint32_t)document_tzif(tzif, sizeof tzif) };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *document = document_read(cases[i].path, NULL);
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        struct err err = { 0 };
        struct text id, zone;
        begin(&arena);
        assert_int_equal(plan_peek(&arena, text_from(document), &id, &zone, &err), OK);
        assert_text(zone, cases[i].zone);
        enum code rc = plan_compile(&arena, text_from(document), zone_bytes, 1, &plan, &problems,
                                    &err);
        if (rc != OK)
            fail_msg("%s: %s", cases[i].path, err.text);
        assert_int_equal(plan->rule_count, cases[i].rules);
        arena_release(&arena);
        free(document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_stand_in_order_of_no),
        cmocka_unit_test(ladders_and_counters_are_what_was_written),
        cmocka_unit_test(an_age_asks_for_the_birthday),
        cmocka_unit_test(rules_have_exact_values),
        cmocka_unit_test(rates_bridge_scales),
        cmocka_unit_test(redemption_is_what_was_written),
        cmocka_unit_test(trees_are_settled),
        cmocka_unit_test(order_is_by_priority_and_code),
        cmocka_unit_test(needs_are_those_of_the_kind),
        cmocka_unit_test(every_test_is_a_need),
        cmocka_unit_test(everything_stands_in_order_of_no),
        cmocka_unit_test(choices_mean_what_they_say),
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(numbers_keep_their_meaning),
        cmocka_unit_test(shipped_programmes_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
