/*
 * test_compile.c - programme documents: every mistake is named, every plan is what was meant.
 *
 * Owns:      the tables in tests/tables/programme/, compiled values, trees, needs, versions.
 * Must not:  evaluate (test_evaluate.c does).
 */
#include "documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/compile.h"
#include "host.h"

#undef assert
#define BASE "tests/tables/programme/base.json"
/* The beginning of a small document, for page_add(). */
#define SMALL "{'format':1,'id':'a','name':{'en':'a'},'money':{'code':'X','scale':2},"

static struct text text_from(const char *c_string)
{
    return (struct text){ c_string, (uint32_t)strlen(c_string) };
}

static void begin(struct arena *arena)
{
    arena_init(arena, host_source(), 64 * 1024, 512 << 20);
}

static enum code compile(struct arena *arena, const char *document, struct plan **plan,
                         struct problems *problems)
{
    struct err err = { 0 };
    *plan = NULL;
    return plan_compile(arena, text_from(document), (struct text){ 0 }, 7, plan, problems, &err);
}

/* A document that must be right. */
static struct plan *compile_good(struct arena *arena, const char *document)
{
    struct plan *plan;
    struct problems problems;
    enum code rc = compile(arena, document, &plan, &problems);
    if (rc != OK)
        fail_msg("%u mistakes, the first at '%.*s': %.*s", problems.count,
                 problems.count ? (int)problems.item[0].pointer.len : 0,
                 problems.count ? problems.item[0].pointer.ptr : "",
                 problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    assert_int_equal(problems.count, 0);
    return plan;
}

static struct plan *compile_file(struct arena *arena, const char *path)
{
    char *document = document_read(path, NULL);
    struct plan *plan = compile_good(arena, document);
    memset(document, 'x', strlen(document)); /* the plan owns its texts */
    free(document);
    return plan;
}

static void assert_text(struct text text, const char *wanted)
{
    if (!text_equal(text, text_from(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)text.len, text.ptr ? text.ptr : "", wanted);
}

/* ---------------------------------------------------------------------------------- the tables */

static bool says(const struct problem *problem, const char *piece)
{
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "%.*s", (int)problem->sentence.len, problem->sentence.ptr);
    return strstr(sentence, piece) != NULL;
}

static bool same_problem(const struct problem *problem, const char *pointer, const char *piece)
{
    return text_equal(problem->pointer, text_from(pointer)) && says(problem, piece);
}

static void check_mistakes(const struct document_case *one, void *context)
{
    struct arena arena;
    struct plan *plan;
    struct problems problems;
    int *bad = context;
    bool good = true;

    begin(&arena);
    enum code rc = compile(&arena, one->document, &plan, &problems);
    good = rc == (one->expected_count > 0 ? CODE_SYNTAX : OK) &&
           (int)problems.count == one->expected_count && (plan == NULL) == (rc != OK);
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

static void every_mistake_is_named(void **state)
{
    int bad = 0;
    (void)state;
    int cases = documents_each("tests/tables/programme/mistakes.txt", BASE, check_mistakes, &bad);
    assert_true(cases >= 120);
    assert_int_equal(bad, 0);
}

static void good_documents_compile(void **state)
{
    int bad = 0;
    (void)state;
    int cases = documents_each("tests/tables/programme/accepted.txt", BASE, check_mistakes, &bad);
    assert_true(cases >= 20);
    assert_int_equal(bad, 0);
}

/* ------------------------------------------------------------------------- documents as a whole */

static void what_is_no_json_has_one_mistake(void **state)
{
    static const char *const documents[] = {
        "", "{", "[1,]", "{\"id\":1,\"id\":2}", "nul", "{} {}", "{\"a\":01}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        begin(&arena);
        assert_int_equal(compile(&arena, documents[i], &plan, &problems), CODE_SYNTAX);
        assert_int_equal(problems.count, 1);
        assert_text(problems.item[0].pointer, "");
        assert_true(problems.item[0].sentence.len > 0);
        assert_null(plan);
        arena_release(&arena);
    }
}

static void what_is_no_object_has_one_mistake(void **state)
{
    struct arena arena;
    struct plan *plan;
    struct problems problems;
    (void)state;
    begin(&arena);
    assert_int_equal(compile(&arena, "[]", &plan, &problems), CODE_SYNTAX);
    assert_int_equal(problems.count, 1);
    assert_true(same_problem(&problems.item[0], "", "the document must be an object, not a list"));
    arena_release(&arena);
}

static void an_empty_object_lacks_everything(void **state)
{
    static const char *const wanted[] = { "/format", "/id", "/name", "/money", "/currencies",
                                          "/rules" };
    struct arena arena;
    struct plan *plan;
    struct problems problems;
    (void)state;
    begin(&arena);
    assert_int_equal(compile(&arena, "{}", &plan, &problems), CODE_SYNTAX);
    assert_int_equal(problems.count, 6);
    for (int i = 0; i < 6; i++)
        assert_text(problems.item[i].pointer, wanted[i]);
    arena_release(&arena);
}

static void mistakes_beyond_the_most_are_counted(void **state)
{
    struct arena arena;
    struct plan *plan;
    struct problems problems;
    struct page page = { 0 };
    (void)state;
    page_add(&page, SMALL "'currencies':{},'rules':[]");
    for (int i = 0; i < problems_per_document_max + 5; i++)
        page_add(&page, ",'z%d':1", i);
    page_add(&page, "}");
    begin(&arena);
    assert_int_equal(compile(&arena, page.text, &plan, &problems), CODE_SYNTAX);
    assert_int_equal(problems.count, problems_per_document_max);
    assert_int_equal(problems.lost, 5);
    arena_release(&arena);
    free(page.text);
}

/* Refuse memory from the n-th allocation on: no crash, no plan, CODE_NO_MEMORY. */
static void little_memory_is_a_failure(void **state)
{
    char *document = document_read(BASE, NULL);
    enum code rc = CODE_NO_MEMORY;
    int refused = 0;
    (void)state;
    for (size_t cap = 1024; cap < (2 << 20) && rc != OK; cap += 1536) {
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        arena_init(&arena, host_source(), 512, cap);
        rc = compile(&arena, document, &plan, &problems);
        assert_true(rc == OK || rc == CODE_NO_MEMORY);
        refused += rc == CODE_NO_MEMORY;
        assert_true((plan != NULL) == (rc == OK));
        arena_release(&arena);
    }
    assert_int_equal(rc, OK);
    assert_true(refused > 5);
    free(document);
}

static void a_fixed_piece_of_memory_will_do(void **state)
{
    static _Alignas(16) unsigned char memory[1 << 20];
    char *document = document_read(BASE, NULL);
    struct arena arena;
    (void)state;
    arena_init_fixed(&arena, memory, sizeof memory);
    struct plan *plan = compile_good(&arena, document);
    assert_int_equal(plan->rule_count, 7);
    free(document);
}

static void a_zone_is_read(void **state)
{
    unsigned char tzif[256];
    struct text zone = { (char *)tzif, (uint32_t)document_tzif(tzif, sizeof tzif) };
    struct page page = { 0 };
    struct arena arena;
    struct plan *plan = NULL;
    struct problems problems;
    struct err err;
    (void)state;
    page_add(&page, SMALL "'timezone':'Land/Town','currencies':{},'rules':[]}");
    struct text document = text_from(page.text);
    begin(&arena);
    assert_int_equal(plan_compile(&arena, document, zone, 1, &plan, &problems, &err), OK);
    assert_int_equal(zone_offset_s(plan->terms.zone, 0), 3 * 3600);
    zone.len -= 12;
    assert_int_equal(plan_compile(&arena, document, zone, 1, &plan, &problems, &err), CODE_SYNTAX);
    assert_true(same_problem(&problems.item[0], "/timezone", "has unreadable data"));
    arena_release(&arena);
    free(page.text);
}

static void peeking_reads_id_and_zone(void **state)
{
    static const struct {
        const char *document, *id, *zone;
    } cases[] = {
        { "{\"id\":\"awn\",\"timezone\":\"Europe/Moscow\",\"rules\":5}", "awn", "Europe/Moscow" },
        { "{\"id\":\"awn\"}", "awn", "" },
        { "{\"id\":5,\"timezone\":{}}", "", "" },
        { "{\"id\":\"A B\",\"timezone\":\"../../etc/passwd\"}", "", "" },
        { "{\"timezone\":\"/etc/passwd\"}", "", "" },
        { "[]", "", "" },
    };
    struct arena arena;
    struct err err;
    struct text id, zone;
    (void)state;
    begin(&arena);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(plan_peek(&arena, text_from(cases[i].document), &id, &zone, &err), OK);
        assert_text(id, cases[i].id);
        assert_text(zone, cases[i].zone);
    }
    assert_int_equal(plan_peek(&arena, TEXT("{"), &id, &zone, &err), CODE_SYNTAX);
    arena_release(&arena);
}

/* ---------------------------------------------------------------------------- what was compiled */

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

static void groups_nest_so_deep(void **state)
{
    (void)state;
    for (int depth = groups_depth_max - 2; depth <= groups_depth_max; depth++) {
        struct page page = { 0 };
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        page_add(&page, SMALL "'currencies':{},'rules':[{'code':'r','scope':'line',"
                              "'discount':{'kind':'percent','value':1}}],"
                              "'combination':{'line':{'members':[");
        for (int i = 0; i < depth; i++)
            page_add(&page, "{'code':'g%d','op':'max','members':[", i);
        page_add(&page, "'r'");
        for (int i = 0; i < depth; i++)
            page_add(&page, "]}");
        page_add(&page, "]}}}");
        begin(&arena);
        /* The root is one of them. */
        bool fits = depth + 1 <= groups_depth_max;
        assert_int_equal(compile(&arena, page.text, &plan, &problems), fits ? OK : CODE_SYNTAX);
        if (fits)
            assert_int_equal(plan->kind[0].line.depth, depth + 2);
        else
            assert_true(says(&problems.item[0], "deeper than 16 groups"));
        arena_release(&arena);
        free(page.text);
    }
}

/* `any` in `any` in ...: as deep as conditions go. */
static void conditions_nest_so_deep(void **state)
{
    (void)state;
    for (int depth = condition_depth_max - 2; depth <= condition_depth_max; depth++) {
        struct page page = { 0 };
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        page_add(&page, SMALL "'currencies':{},'rules':[{'code':'r','scope':'line',"
                              "'discount':{'kind':'percent','value':1},'when':{");
        for (int i = 0; i < depth; i++)
            page_add(&page, "'any':[{");
        page_add(&page, "'receipt.base':1");
        for (int i = 0; i < depth; i++)
            page_add(&page, "}]");
        page_add(&page, "}}]}");
        begin(&arena);
        bool fits = depth + 1 <= condition_depth_max;
        assert_int_equal(compile(&arena, page.text, &plan, &problems), fits ? OK : CODE_SYNTAX);
        if (!fits)
            assert_true(says(&problems.item[0], "deeper than 16 conditions"));
        arena_release(&arena);
        free(page.text);
    }
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

/* --------------------------------------------------------------------------- our own programmes */

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

/* `count` items made by `add` between `head` and `tail`: the last allowed and the first refused. */
static void check_limit(int limit, const char *head, void (*add)(struct page *, int),
                        const char *tail, const char *piece)
{
    for (int extra = 0; extra <= 1; extra++) {
        struct page page = { 0 };
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        page_add(&page, SMALL);
        page_add_json(&page, head);
        for (int i = 0; i < limit + extra; i++) {
            page_add(&page, "%s", i ? "," : "");
            add(&page, i);
        }
        page_add_json(&page, tail);
        begin(&arena);
        assert_int_equal(compile(&arena, page.text, &plan, &problems), extra ? CODE_SYNTAX : OK);
        if (extra) {
            assert_int_equal(problems.count, 1);
            if (!says(&problems.item[0], piece))
                fail_msg("%.*s", (int)problems.item[0].sentence.len, problems.item[0].sentence.ptr);
        }
        arena_release(&arena);
        free(page.text);
    }
}

static void add_level(struct page *page, int i)
{
    page_add(page, "{'code':'%d','from':%d}", i, i);
}

static void add_own(struct page *page, int i)
{
    page_add(page, "'line.a%d':'bool'", i);
}

static void add_kind(struct page *page, int i)
{
    page_add(page,
             "{'code':'r%d','on':'k%d','scope':'line','discount':{'kind':'percent','value':1}}", i,
             i);
}

static void add_group(struct page *page, int i)
{
    page_add(page, "{'code':'g%d','op':'max','members':['r%d']}", i, i);
}

static void add_any(struct page *page, int i)
{
    (void)i;
    page_add(page, "{'receipt.lines':1}");
}

static void limits_are_kept(void **state)
{
    struct page rules = { 0 };
    (void)state;
    check_limit(levels_per_ladder_max,
                "'currencies':{},'rules':[],'counters':{'c':{'no':1,'of':'net','period':'ever'}},"
                "'ladders':{'l':{'no':1,'counter':'c','levels':[",
                add_level, "]}}}", "must have 1 to 32 levels");
    check_limit(attributes_per_thing_max, "'currencies':{},'rules':[],'attributes':{", add_own,
                "}}", "is one too many: at most 32");
    check_limit(kinds_per_programme_max - 1, "'currencies':{},'rules':[", add_kind, "]}",
                "is one kind of event too many: at most 64");
    /* `any` itself is one of them. */
    check_limit(conditions_per_programme_max - 1,
                "'currencies':{},'rules':[{'code':'r','scope':'line','discount':{'kind':'percent',"
                "'value':1},'when':{'any':[",
                add_any, "]}}]}", "is one condition too many: at most 400000");
    page_add_json(&rules, "]}},'currencies':{},'rules':[");
    for (int i = 0; i <= groups_per_programme_max; i++)
        page_add(&rules,
                 "%s{'code':'r%d','scope':'line','discount':{'kind':'percent','value':1}}",
                 i ? "," : "", i);
    page_add_json(&rules, "]}");
    check_limit(groups_per_programme_max - rule_scope_count, "'combination':{'line':{'members':[",
                add_group, rules.text, "is one group too many: at most 10000");
    free(rules.text);
}

/* A hundred thousand rules are compiled in reasonable time, the next one is refused. */
static void the_most_rules_compile(void **state)
{
    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        struct page page = { 0 };
        struct arena arena;
        struct plan *plan;
        struct problems problems;
        page_add(&page, SMALL "'currencies':{},'rules':[");
        for (int i = 0; i < rules_per_programme_max + extra; i++)
            page_add(&page, "%s{'code':'r%d','scope':'line','lines':{'line.article':'%d'},"
                            "'discount':{'kind':'percent','value':1}}",
                     i ? "," : "", i, i);
        page_add(&page, "]}");
        begin(&arena);
        assert_int_equal(compile(&arena, page.text, &plan, &problems), extra ? CODE_SYNTAX : OK);
        if (extra) {
            assert_int_equal(problems.count, 1);
            assert_true(same_problem(&problems.item[0], "/rules", "at most 100000 rules"));
        } else {
            assert_int_equal(plan->kind[0].line.count, rules_per_programme_max + 1);
        }
        arena_release(&arena);
        free(page.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_named),
        cmocka_unit_test(good_documents_compile),
        cmocka_unit_test(what_is_no_json_has_one_mistake),
        cmocka_unit_test(what_is_no_object_has_one_mistake),
        cmocka_unit_test(an_empty_object_lacks_everything),
        cmocka_unit_test(mistakes_beyond_the_most_are_counted),
        cmocka_unit_test(little_memory_is_a_failure),
        cmocka_unit_test(a_fixed_piece_of_memory_will_do),
        cmocka_unit_test(a_zone_is_read),
        cmocka_unit_test(peeking_reads_id_and_zone),
        cmocka_unit_test(currencies_stand_in_order_of_no),
        cmocka_unit_test(ladders_and_counters_are_what_was_written),
        cmocka_unit_test(an_age_asks_for_the_birthday),
        cmocka_unit_test(rules_have_exact_values),
        cmocka_unit_test(rates_bridge_scales),
        cmocka_unit_test(redemption_is_what_was_written),
        cmocka_unit_test(trees_are_settled),
        cmocka_unit_test(order_is_by_priority_and_code),
        cmocka_unit_test(groups_nest_so_deep),
        cmocka_unit_test(conditions_nest_so_deep),
        cmocka_unit_test(needs_are_those_of_the_kind),
        cmocka_unit_test(numbers_keep_their_meaning),
        cmocka_unit_test(shipped_programmes_compile),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(the_most_rules_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
