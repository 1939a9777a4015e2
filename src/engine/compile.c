/*
 * compile.c - a programme document becomes a plan.
 *
 * Owns:      the order of compiling, the top level of a document, what a kind of event needs.
 * Must not:  stop at the first mistake: all are reported together.
 * Invariant: a plan comes back only when there is no mistake at all.
 * Cost:      linear in the document, but for sorting. The document's tree lives in an arena of its
 *            own over the same source, and is gone afterwards.
 * Tests:     tests/unit/engine/test_compile.c, tests/tables/programme/, tests/fuzz/fuzz_programme.c
 */
#include "engine/compile.h"

#include "engine/tree_index.h"

enum { scratch_block_bytes = 64 * 1024, timezone_bytes_max = 64, programme_id_bytes_max = 64 };

static const char *const top_fields[] = {
    "format",     "id",         "name",    "timezone",   "money", "currencies",
    "enrolment",  "counters",   "ladders", "attributes", "rules", "combination",
    "redemption", "arithmetic", "returns", "limits",
};

/* ------------------------------------------------------------------------------------ identity */

static bool
is_id(struct text id)
{
    bool good = id.len >= 1 && id.len <= programme_id_bytes_max;

    for (uint32_t i = 0; good && i < id.len; i++) {
        char c = id.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return good;
}

/* The host looks the name up as a path among its zone files: nothing may lead out of there. */
static bool
is_timezone(struct text name)
{
    bool good = name.len >= 1 && name.len <= timezone_bytes_max && name.ptr[0] != '/' &&
                name.ptr[name.len - 1] != '/';

    for (uint32_t i = 0; good && i < name.len; i++) {
        char c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '+' || (c == '/' && name.ptr[i + 1] != '/');
    }
    return good;
}

static void
compile_identity(struct compiler *compiler)
{
    const struct json_node *format = compile_needed(compiler, compiler->root, "format");
    const struct json_node *id = compile_needed(compiler, compiler->root, "id");
    const struct json_node *name = compile_needed(compiler, compiler->root, "name");
    struct plan *plan = compiler->plan;
    int64_t number;

    compile_whole(compiler, format, (struct bounds){ 1, 1 }, &number);
    if (id && (id->type != JSON_STRING || !is_id(id->value)))
        compile_problem(compiler, id, "must be 1 to %d letters a-z, digits and '-'",
                        (int)programme_id_bytes_max);
    else if (id)
        plan->terms.programme = text_copy(compiler->arena, id->value);
    if (name)
        compile_name(compiler, name, plan->terms.programme, &plan->name_en, &plan->name_ru);
}

static void
compile_timezone(struct compiler *compiler, struct text tzif)
{
    const struct json_node *node = compile_member(compiler->root, "timezone");
    struct plan *plan = compiler->plan;
    struct zone *zone = NULL;
    struct err err;

    if (!node || (node->type == JSON_STRING && text_equal(node->value, TEXT("UTC"))))
        return;
    if (node->type != JSON_STRING || !is_timezone(node->value)) {
        compile_problem(compiler, node, "must be the name of a time zone like 'Europe/Moscow'");
        return;
    }
    plan->timezone = text_copy(compiler->arena, node->value);
    if (tzif.len == 0) {
        compile_problem(compiler, node, "names a time zone that is not known here");
        return;
    }
    if (zone_parse(compiler->arena, tzif, &zone, &err) == OK)
        plan->terms.zone = zone;
    else if (!compiler->arena->failed)
        compile_problem(compiler, node, "has unreadable data: %s", err.text);
}

/* --------------------------------------------------------------------------------------- needs */

static void
add_condition_needs(const struct plan *plan, int32_t root, struct engine_needs *needs)
{
    if (root == condition_none)
        return;
    for (uint32_t i = (uint32_t)root; i < plan->condition[root].next; i++) {
        const struct condition *condition = &plan->condition[i];
        if (condition->op < CONDITION_EQ)
            continue;
        if (condition->attribute == ATTRIBUTE_COUNTER)
            needs->counters |= UINT64_C(1) << condition->index;
        else if (condition->attribute == ATTRIBUTE_MEMBER_LEVEL)
            needs->ladders |= UINT64_C(1) << condition->index;
        else if (condition->attribute == ATTRIBUTE_MEMBER_SEGMENT)
            needs->segments = true;
    }
}

static void
compile_needs(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->rule_count; i++) {
        const struct rule *rule = &plan->rule[i];
        add_condition_needs(plan, rule->when, &plan->kind[rule->kind].needs);
        add_condition_needs(plan, rule->lines, &plan->kind[rule->kind].needs);
    }
    for (uint32_t i = 0; i < plan->kind_count; i++)
        for (int j = 0; j < plan->terms.currency_count; j++)
            if (plan->redemption[j].allowed)
                plan->kind[i].needs.currencies |= UINT64_C(1) << j;
}

/* ---------------------------------------------------------------------------------- the whole */

static void
compile_all(struct compiler *compiler, struct text tzif)
{
    if (!compile_object(compiler, compiler->root, top_fields, KOP_COUNT(top_fields)))
        return;
    compile_identity(compiler);
    compile_timezone(compiler, tzif);
    compile_money(compiler);
    compile_currencies(compiler);
    if (compile_failed(compiler))
        return;
    compile_counters(compiler);
    compile_ladders(compiler);
    if (compile_failed(compiler))
        return;
    compile_enrolment(compiler);
    compile_attributes(compiler);
    compile_arithmetic(compiler);
    compile_returns(compiler);
    compile_limits(compiler);
    compile_redemption(compiler);
    compile_rules(compiler);
    if (compile_failed(compiler))
        return;
    compile_combination(compiler);
    if (compile_failed(compiler) || compiler->problems->count > 0)
        return;
    compile_needs(compiler->plan);
    if (!tree_index_build(compiler->plan, compiler->arena))
        assert(compile_failed(compiler));
}

/* The tree's arena: a new one over the same source, or the plan's own where that has no source. */
static struct arena *
scratch_begin(struct arena *arena, struct arena *own)
{
    if (!arena->source.take)
        return arena;
    arena_init(own, arena->source, scratch_block_bytes, arena->cap);
    return own;
}

static void
scratch_end(struct arena *scratch, struct arena *own)
{
    if (scratch == own)
        arena_release(own);
}

/* A document that is no JSON has one mistake, at its root. */
static enum code
report_syntax(struct arena *arena, struct problems *problems, struct err *err)
{
    struct text sentence = text_copy(arena, text_of(err->text));

    problem_add(problems, arena, TEXT(""), sentence);
    return err->code;
}

static enum code
compile_tree_of(struct compiler *compiler, struct text document, struct text tzif, struct err *err)
{
    struct json_node *root = NULL;
    struct err local;
    enum code rc;

    if (document.len > programme_bytes_max) {
        problem_add(compiler->problems, compiler->arena, TEXT(""),
                    TEXT("the document is longer than 64 MiB"));
        return err_set(err, CODE_SYNTAX, "the programme is longer than 64 MiB");
    }
    rc = json_tree_parse(compiler->scratch, document, &root, &local);
    if (rc == CODE_SYNTAX)
        (void)report_syntax(compiler->arena, compiler->problems, &local);
    if (rc)
        return err_set(err, rc, "%s", local.text);
    compiler->root = root;
    compile_all(compiler, tzif);
    if (compile_failed(compiler))
        return err_set(err, CODE_NO_MEMORY, "no memory to compile a programme");
    if (compiler->problems->count > 0)
        return err_set(err, CODE_SYNTAX, "the programme has %u mistakes",
                       compiler->problems->count + compiler->problems->lost);
    return OK;
}

enum code
plan_compile(struct arena *arena, struct text document, struct text tzif, uint32_t version,
             struct plan **plan, struct problems *problems, struct err *err)
{
    struct arena own;
    struct compiler compiler = { .arena = arena, .problems = problems };
    enum code rc;

    *problems = (struct problems){ 0 };
    compiler.plan = arena_new(arena, struct plan);
    if (!compiler.plan)
        return err_set(err, CODE_NO_MEMORY, "no memory to compile a programme");
    compiler.plan->terms.version = version;
    compiler.scratch = scratch_begin(arena, &own);
    rc = compile_tree_of(&compiler, document, tzif, err);
    scratch_end(compiler.scratch, &own);
    if (rc)
        return rc;
    assert(problems->count == 0);
    *plan = compiler.plan;
    return OK;
}

enum code
plan_peek(struct arena *arena, struct text document, struct text *id, struct text *timezone,
          struct err *err)
{
    struct arena own;
    struct arena *scratch = scratch_begin(arena, &own);
    struct json_node *root = NULL;
    const struct json_node *node;
    enum code rc = json_tree_parse(scratch, document, &root, err);

    *id = *timezone = (struct text){ 0 };
    if (rc == OK) {
        node = compile_member(root, "id");
        if (node && node->type == JSON_STRING && is_id(node->value))
            *id = text_copy(arena, node->value);
        node = compile_member(root, "timezone");
        if (node && node->type == JSON_STRING && is_timezone(node->value))
            *timezone = text_copy(arena, node->value);
        if (arena->failed)
            rc = err_set(err, CODE_NO_MEMORY, "no memory to read a programme");
    }
    scratch_end(scratch, &own);
    return rc;
}
