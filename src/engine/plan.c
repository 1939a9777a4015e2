/*
 * plan.c - reading a compiled plan: accessors, and whether one version may follow another.
 *
 * Owns:      plan_*() of engine.h but for compiling.
 * Must not:  change a plan.
 * Invariant: what keeps its number keeps its meaning from version to version.
 * Tests:     tests/unit/engine/test_plan.c
 */
#include "engine/compile.h"

const struct terms *
plan_terms(const struct plan *plan)
{
    return &plan->terms;
}

uint32_t
plan_rule_count(const struct plan *plan)
{
    return plan->rule_count;
}

struct text
plan_rule_code(const struct plan *plan, int32_t rule)
{
    if (rule < 0 || (uint32_t)rule >= plan->rule_count)
        return (struct text){ 0 };
    return plan->rule[rule].code;
}

struct text
plan_rule_name(const struct plan *plan, int32_t rule, bool russian)
{
    if (rule < 0 || (uint32_t)rule >= plan->rule_count)
        return (struct text){ 0 };
    return russian ? plan->rule[rule].name_ru : plan->rule[rule].name_en;
}

int32_t
plan_rule_by_code(const struct plan *plan, struct text code)
{
    uint32_t index;

    if (!map_get(plan->rule_by_code, code, &index))
        return rule_none;
    assert(index < plan->rule_count);
    return (int32_t)index;
}

struct enrolment
plan_enrolment(const struct plan *plan)
{
    return plan->enrolment;
}

const struct kind_plan *
plan_kind(const struct plan *plan, struct text kind)
{
    assert(plan->kind_count > 0);
    for (uint32_t i = 0; i < plan->kind_count; i++)
        if (text_equal(plan->kind[i].name, kind))
            return &plan->kind[i];
    return NULL;
}

struct engine_needs
plan_needs(const struct plan *plan, struct text event_kind)
{
    const struct kind_plan *kind = plan_kind(plan, event_kind);
    return kind ? kind->needs : (struct engine_needs){ 0 };
}

bool
plan_attribute(const struct plan *plan, struct text scope_and_name, enum attribute_type *type)
{
    for (uint32_t i = 0; i < plan->own_count; i++) {
        if (!text_equal(plan->own[i].full, scope_and_name))
            continue;
        *type = plan->own[i].type;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------------- versions */

struct check {
    struct arena *arena;
    struct problems *problems;
    uint32_t before;
};

static void
problem_at(struct check *check, const char *section, struct text code, const char *field,
           const char *sentence)
{
    struct buf pointer, words;
    struct text label = field ? text_of(field) : code;

    buf_init(&pointer, check->arena, 64);
    if (section)
        buf_addf(&pointer, "/%s", section);
    if (code.len > 0)
        buf_addf(&pointer, "/%.*s", (int)code.len, code.ptr);
    if (field)
        buf_addf(&pointer, "/%s", field);
    buf_init(&words, check->arena, 96);
    buf_addf(&words, "'%.*s' %s", (int)label.len, label.ptr, sentence);
    problem_add(check->problems, check->arena, buf_text(&pointer), buf_text(&words));
}

static void
check_currencies(struct check *check, const struct terms *next, const struct terms *previous)
{
    for (int i = 0; i < next->currency_count; i++) {
        const struct currency_terms *now = &next->currency[i];
        const struct currency_terms *was = terms_currency(previous, now->no);
        const struct currency_terms *same = terms_currency_by_code(previous, now->code);
        if (was && !text_equal(was->code, now->code))
            problem_at(check, "currencies", now->code, "no",
                       "is the number of another currency in the version in force");
        if (same && same->no != now->no)
            problem_at(check, "currencies", now->code, "no",
                       "differs from that of the version in force");
        if (was && text_equal(was->code, now->code) && was->scale != now->scale)
            problem_at(check, "currencies", now->code, "scale",
                       "differs from that of the version in force");
    }
    for (int i = 0; i < previous->currency_count; i++)
        if (!terms_currency(next, previous->currency[i].no))
            problem_at(check, "currencies", previous->currency[i].code, NULL,
                       "is in the version in force: members may have such points");
}

static void
check_counters(struct check *check, const struct terms *next, const struct terms *previous)
{
    for (int i = 0; i < next->counter_count; i++) {
        const struct counter_terms *now = &next->counter[i];
        const struct counter_terms *was = terms_counter(previous, now->no);
        int other = -1;
        for (int j = 0; j < previous->counter_count; j++)
            if (text_equal(previous->counter[j].code, now->code))
                other = j;
        if (was && !text_equal(was->code, now->code))
            problem_at(check, "counters", now->code, "no",
                       "is the number of another counter in the version in force");
        if (other >= 0 && previous->counter[other].no != now->no)
            problem_at(check, "counters", now->code, "no",
                       "differs from that of the version in force");
        if (!was || !text_equal(was->code, now->code))
            continue;
        if (was->source != now->source)
            problem_at(check, "counters", now->code, "of",
                       "differs from that of the version in force");
        if (was->period != now->period || was->rolling_days != now->rolling_days)
            problem_at(check, "counters", now->code, "period",
                       "differs from that of the version in force");
    }
}

static void
check_ladders(struct check *check, const struct terms *next, const struct terms *previous)
{
    for (int i = 0; i < next->ladder_count; i++) {
        const struct ladder_terms *now = &next->ladder[i];
        const struct ladder_terms *was = terms_ladder(previous, now->no);
        int other = -1;
        for (int j = 0; j < previous->ladder_count; j++)
            if (text_equal(previous->ladder[j].code, now->code))
                other = j;
        if (was && !text_equal(was->code, now->code))
            problem_at(check, "ladders", now->code, "no",
                       "is the number of another ladder in the version in force");
        if (other >= 0 && previous->ladder[other].no != now->no)
            problem_at(check, "ladders", now->code, "no",
                       "differs from that of the version in force");
        /* Members' rows hold the place of a level: a code keeps its place. */
        for (uint8_t j = 0; was && j < was->level_count; j++) {
            if (j < now->level_count && text_equal(was->level[j].code, now->level[j].code))
                continue;
            problem_at(check, "ladders", now->code, "levels",
                       "must keep the places of the levels of the version in force");
            break;
        }
    }
}

bool
plan_may_follow(const struct plan *next, const struct plan *previous, struct arena *arena,
                struct problems *problems)
{
    struct check check = { arena, problems, problems->count + problems->lost };

    if (!text_equal(next->terms.programme, previous->terms.programme))
        problem_at(&check, NULL, (struct text){ 0 }, "id",
                   "differs from that of the version in force");
    if (next->terms.money_scale != previous->terms.money_scale)
        problem_at(&check, "money", (struct text){ 0 }, "scale",
                   "differs from that of the version in force");
    if (!text_equal(next->money_code, previous->money_code))
        problem_at(&check, "money", (struct text){ 0 }, "code",
                   "differs from that of the version in force");
    check_currencies(&check, &next->terms, &previous->terms);
    check_counters(&check, &next->terms, &previous->terms);
    check_ladders(&check, &next->terms, &previous->terms);
    return problems->count + problems->lost == check.before;
}
