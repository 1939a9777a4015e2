/*
 * test_tree_index.c - large programmes decide as if every rule were looked at.
 *
 * Owns:      programmes with an index, and comparing with an evaluation that does not use it.
 */
#include "engine/evaluation.h"
#include "engine/tree_index.h"
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { document_cap = 1 << 22, lines = 6 };

static uint64_t seed = 4242;

static uint64_t
next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static char *document;
static size_t used;

static void
add(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    used += (size_t)vsnprintf(document + used, document_cap - used, format, args);
    va_end(args);
    assert_true(used < document_cap);
}

static void
add_when(void)
{
    unsigned n = (unsigned)(next() % 20);
    switch (next() % 9) {
    case 0:
        add("\"member.segment\":\"s%u\"", n);
        break;
    case 1:
        add("\"member.segment\":{\"in\":[\"s%u\",\"s%u\"]}", n, n + 1);
        break;
    case 2:
        add("\"receipt.outlet\":{\"in\":[\"o%u\",\"o%u\"]}", n % 5, n % 5 + 1);
        break;
    case 3:
        add("\"receipt.outlet\":{\"ne\":\"o%u\"}", n % 5);
        break;
    case 4:
        add("\"receipt.code\":\"c%u\"", n % 4);
        break;
    case 5:
        add("\"any\":[{\"receipt.outlet\":\"o1\"},{\"receipt.code\":\"c1\"}]");
        break;
    case 6:
        add("\"not\":{\"member.segment\":\"s%u\"}", n);
        break;
    case 7:
        add("\"all\":[{\"receipt.outlet\":\"o%u\"},{\"receipt.base\":{\"gte\":\"%u\"}}]", n % 5,
            n * 10);
        break;
    default:
        add("\"receipt.tender\":\"cash\",\"receipt.base\":{\"gte\":\"1\"}");
        break;
    }
}

static void
add_lines(void)
{
    unsigned n = (unsigned)(next() % 12);
    switch (next() % 6) {
    case 0:
        add("\"line.article\":\"a%u\"", n);
        break;
    case 1:
        add("\"line.category\":{\"in\":[\"g%u\",\"g%u\"]}", n % 4, n % 4 + 1);
        break;
    case 2:
        add("\"line.brand\":\"b%u\",\"line.category\":\"g%u\"", n % 3, n % 4);
        break;
    case 3:
        add("\"line.tag\":\"t%u\"", n % 6);
        break;
    case 4:
        add("\"line.tag\":{\"not_in\":[\"t%u\"]}", n % 6);
        break;
    default:
        add("\"not\":{\"line.article\":\"a%u\"}", n);
        break;
    }
}

static void
add_rule(int i)
{
    static const char *const scopes[] = { "line", "receipt", "earn" };
    const char *scope = scopes[next() % 3];

    add("%s{\"code\":\"r%d\",\"scope\":\"%s\",\"priority\":%u", i ? "," : "", i, scope,
        (unsigned)(next() % 3));
    if (next() % 3 > 0) {
        add(",\"when\":{");
        add_when();
        add("}");
    }
    if (next() % 3 > 0) {
        add(",\"lines\":{");
        add_lines();
        add("}");
    }
    if (strcmp(scope, "earn") == 0)
        add(",\"earn\":{\"currency\":\"bonus\",\"percent\":\"%u\"}}", 1 + (unsigned)(next() % 20));
    else
        add(",\"discount\":{\"kind\":\"percent\",\"value\":\"%u\"}}", 1 + (unsigned)(next() % 60));
}

static struct plan *
make_plan(struct arena *arena, int rules)
{
    static const char *const ops[] = { "max", "min", "sum", "first", "multiply" };
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct err err;

    used = 0;
    add("{\"format\":1,\"id\":\"x\",\"name\":{\"en\":\"x\"},\"money\":{\"code\":\"RUB\",\"scale\":"
        "2},"
        "\"currencies\":{\"bonus\":{\"no\":1,\"name\":{\"en\":\"b\"},\"scale\":2}},\"rules\":[");
    for (int i = 0; i < rules; i++)
        add_rule(i);
    add("],\"combination\":{\"line\":{\"op\":\"%s\"},\"receipt\":{\"op\":\"%s\"},\"earn\":{\"op\":"
        "\"%s\"}}}",
        ops[next() % 5], ops[next() % 5], ops[next() % 4]);
    if (plan_compile(arena, (struct text){ document, (uint32_t)used }, (struct text){ 0 }, 1, &plan,
                     &problems, &err) != OK)
        fail_msg("%s: %.*s", err.text, problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    return plan;
}

static struct text
name(struct arena *arena, char letter, unsigned n)
{
    struct buf buf;
    buf_init(&buf, arena, 8);
    buf_addf(&buf, "%c%u", letter, n);
    return buf_text(&buf);
}

static void
make_event(struct arena *arena, struct event *event, struct member_view *view)
{
    *event = (struct event){ .kind = TEXT("purchase"), .line_count = lines };
    event->line = arena_array(arena, struct line, lines);
    event->code = arena_array(arena, struct text, 2);
    event->code_count = (uint32_t)(next() % 3);
    for (uint32_t i = 0; i < event->code_count; i++)
        event->code[i] = name(arena, 'c', (unsigned)(next() % 4));
    if (next() % 3 > 0)
        event->outlet = name(arena, 'o', (unsigned)(next() % 6));
    if (next() % 2)
        event->tender = TEXT("cash");
    for (int i = 0; i < lines; i++) {
        struct line *line = &event->line[i];
        *line = (struct line){ .quantity = 1000, .gross = 1 + (amount)(next() % 20000) };
        if (next() % 4)
            line->article = name(arena, 'a', (unsigned)(next() % 14));
        if (next() % 4)
            line->category = name(arena, 'g', (unsigned)(next() % 5));
        line->brand = name(arena, 'b', (unsigned)(next() % 4));
        line->tag = arena_array(arena, struct text, 2);
        line->tag_count = (uint32_t)(next() % 3);
        for (uint32_t k = 0; k < line->tag_count; k++)
            line->tag[k] = name(arena, 't', (unsigned)(next() % 7));
    }
    *view = (struct member_view){ .known = next() % 4 > 0,
                                  .segment_count = (uint32_t)(next() % 3) };
    view->segment = arena_array(arena, struct text, 3);
    for (uint32_t i = 0; i < view->segment_count; i++)
        view->segment[i] = name(arena, 's', (unsigned)(next() % 22));
}

static void
decide(const struct plan *plan, const struct event *event, const struct member_view *view,
       enum trace_wish wish, struct arena *arena, struct decision *decision)
{
    struct err err;
    assert_int_equal(
        engine_evaluate(plan, event, view, EVALUATE_ORDINARY, wish, arena, decision, &err), OK);
}

static void
compare(const struct decision *a, const struct decision *b)
{
    assert_int_equal(a->effect_count, b->effect_count);
    for (uint32_t i = 0; i < a->effect_count; i++) {
        assert_int_equal(a->effect[i].kind, b->effect[i].kind);
        assert_int_equal(a->effect[i].rule, b->effect[i].rule);
        assert_int_equal(a->effect[i].line, b->effect[i].line);
        assert_int_equal(a->effect[i].money, b->effect[i].money);
        assert_int_equal(a->effect[i].points, b->effect[i].points);
    }
    assert_memory_equal(&a->total, &b->total, sizeof(a->total));
}

/* With and without the index: the same effects, and no rule that fired was left out. */
static void
test_random(void **state)
{
    struct arena plans, arena;
    unsigned fired = 0;

    (void)state;
    document = malloc(document_cap);
    arena_init(&plans, host_source(), 1 << 20, 1 << 26);
    arena_init(&arena, host_source(), 1 << 18, 1 << 24);
    for (int p = 0; p < 60; p++) {
        arena_reset(&plans);
        struct plan *plan = make_plan(&plans, 120 + (int)(next() % 200));
        assert_non_null(plan->kind[0].line.index);
        for (int i = 0; i < 50; i++) {
            struct event event;
            struct member_view view;
            struct decision quick, full;
            arena_reset(&arena);
            make_event(&arena, &event, &view);
            decide(plan, &event, &view, TRACE_DEFAULT, &arena, &quick);
            decide(plan, &event, &view, TRACE_FULL, &arena, &full);
            compare(&quick, &full);
            assert_true(quick.trace_count <= full.trace_count);
            fired += quick.effect_count;
        }
    }
    assert_true(fired > 10000);
    arena_release(&arena);
    arena_release(&plans);
    free(document);
}

/* What is left in: the rules of the right person and those without a key. */
static void
test_leaves(void **state)
{
    struct arena plans, arena;
    struct problems problems;
    struct plan *plan;
    struct err err;
    const uint32_t *leaf;
    uint32_t count;

    (void)state;
    document = malloc(document_cap);
    arena_init(&plans, host_source(), 1 << 20, 1 << 26);
    arena_init(&arena, host_source(), 1 << 18, 1 << 24);
    used = 0;
    add("{\"format\":1,\"id\":\"x\",\"name\":{\"en\":\"x\"},\"money\":{\"code\":\"RUB\",\"scale\":"
        "2},"
        "\"currencies\":{\"bonus\":{\"no\":1,\"name\":{\"en\":\"b\"},\"scale\":2}},\"rules\":[");
    for (int i = 0; i < 5000; i++) /* all of one category: told apart by the segment */
        add("{\"code\":\"r%d\",\"scope\":\"line\",\"when\":{\"member.segment\":\"p%d\"},"
            "\"lines\":{\"line.category\":\"g\"},\"discount\":{\"kind\":\"percent\",\"value\":"
            "\"5\"}},",
            i, i);
    add("{\"code\":\"all\",\"scope\":\"line\",\"discount\":{\"kind\":\"percent\",\"value\":\"1\"}}]"
        "}");
    assert_int_equal(plan_compile(&plans, (struct text){ document, (uint32_t)used },
                                  (struct text){ 0 }, 1, &plan, &problems, &err),
                     OK);
    struct line line = { .category = TEXT("g"), .quantity = 1000, .gross = 10000 };
    struct event event = { .kind = TEXT("purchase"), .line = &line, .line_count = 1 };
    struct text segments[] = { TEXT("p77"), TEXT("nobody"), TEXT("p4000") };
    struct member_view view = { .known = true, .segment = segments, .segment_count = 3 };
    struct evaluation e = { .plan = plan, .event = &event, .view = &view, .arena = &arena };

    assert_true(tree_index_leaves(&e, &plan->kind[0].line, &leaf, &count));
    assert_int_equal(count, 3); /* two persons' and the one for all */
    view.known = false;
    assert_true(tree_index_leaves(&e, &plan->kind[0].line, &leaf, &count));
    assert_int_equal(count, 1);
    arena_release(&arena);
    arena_release(&plans);
    free(document);
}

/* No memory while building: compiling says so, whatever the place. */
static void
test_no_memory(void **state)
{
    struct arena plans;
    int failed = 0;

    (void)state;
    document = malloc(document_cap);
    seed = 99;
    arena_init(&plans, host_source(), 1 << 16, 1 << 26);
    make_plan(&plans, 200);
    size_t need = plans.total;
    arena_release(&plans);
    for (size_t cap = 1 << 17; cap < need; cap += 4096) {
        struct problems problems;
        struct plan *plan;
        struct err err;
        arena_init(&plans, host_source(), 4096, cap);
        enum code rc = plan_compile(&plans, (struct text){ document, (uint32_t)used },
                                    (struct text){ 0 }, 1, &plan, &problems, &err);
        assert_true(rc == CODE_NO_MEMORY || rc == OK);
        failed += rc == CODE_NO_MEMORY;
        arena_release(&plans);
    }
    assert_true(failed > 0);
    free(document);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
