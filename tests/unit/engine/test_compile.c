/*
 * test_compile.c - programme documents: every mistake is found and named.
 *
 * Owns:      the tables of documents in tests/tables/programme/, limits, little memory.
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

/* ---------------------------------------------------------------------------------- the tables */

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
        cmocka_unit_test(groups_nest_so_deep),
        cmocka_unit_test(conditions_nest_so_deep),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(the_most_rules_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
