/*
 * trace.c - appending what was decided, and why, to a decision.
 *
 * Owns:      the growth and the caps of decision.trace, and the shape of each kind of item.
 * Must not:  decide anything: it reads firings and failures and copies figures.
 * Invariant: an item lost to the cap is counted; candidates that did not fire never fill more than
 *            trace_failures_max items, so that what fired is told.
 * Cost:      O(1) an item.
 * Tests:     tests/unit/engine/test_evaluate.c, tests/unit/engine/test_evaluate_random.c
 */
#include "engine/trace.h"

#include "base/mem.h"

enum { other_pending = -2, trace_first_cap = 32 };

static bool
grow(struct evaluation *e)
{
    struct decision *decision = e->decision;
    uint32_t cap = decision->trace_cap == 0 ? trace_first_cap : decision->trace_cap * 2;

    assert(decision->trace_count == decision->trace_cap);
    if (cap > trace_items_max)
        cap = trace_items_max;
    struct trace_item *item = arena_array(e->arena, struct trace_item, cap);
    if (item == NULL) {
        e->no_memory = true;
        return false;
    }
    if (decision->trace_count > 0)
        memcpy(item, decision->trace, decision->trace_count * sizeof(*item));
    decision->trace = item;
    decision->trace_cap = cap;
    return true;
}

struct trace_item *
trace_next(struct evaluation *e, enum trace_kind kind, int32_t rule)
{
    struct decision *decision = e->decision;

    assert(decision->trace_count <= decision->trace_cap);
    assert(rule == rule_none || (uint32_t)rule < e->plan->rule_count);
    if (e->wish == TRACE_NOTHING)
        return NULL;
    if (decision->trace_count == trace_items_max) {
        decision->trace_lost++;
        return NULL;
    }
    if (decision->trace_count == decision->trace_cap && !grow(e))
        return NULL;
    struct trace_item *item = &decision->trace[decision->trace_count++];
    item->kind = kind;
    item->rule = rule;
    item->other = rule_none;
    item->line = -1;
    item->condition = condition_none;
    return item;
}

/* A FAILED item, unless there are too many of them. */
static struct trace_item *
next_failure(struct evaluation *e, int32_t rule)
{
    if (e->wish != TRACE_NOTHING && e->failures >= trace_failures_max) {
        e->decision->trace_lost++;
        return NULL;
    }
    e->failures++;
    return trace_next(e, TRACE_FAILED, rule);
}

void
trace_failed(struct evaluation *e, int32_t rule, int32_t line,
             const struct condition_failure *failure)
{
    struct trace_item *item = next_failure(e, rule);
    if (item == NULL)
        return;
    assert(failure->condition >= 0);
    item->line = line;
    item->condition = failure->condition;
    item->mode = (uint8_t)failure->mode;
    item->actual = failure->actual;
    item->actual_text = failure->actual_text;
}

void
trace_not_valid(struct evaluation *e, int32_t rule)
{
    struct trace_item *item = next_failure(e, rule);
    if (item == NULL)
        return;
    assert(rule != rule_none);
    item->mode = ACTUAL_NUMBER;
    item->actual = e->event->occurred_at;
}

/* The rate and rounding that the rule names. */
static void
fill_terms(const struct evaluation *e, struct trace_item *item, const struct firing *firing)
{
    const struct rule *rule = &e->plan->rule[firing->rule];

    assert(rule->scope < rule_scope_count);
    item->base = firing->base;
    item->currency = e->currency;
    if (rule->scope == SCOPE_EARN) {
        const struct earn_terms *earn = &rule->earn;
        bool is_percent = earn->kind == EARN_PERCENT;
        item->num = is_percent ? earn->rate.num : earn->points;
        item->den = is_percent ? earn->rate.den : earn->kind == EARN_FIXED ? 0 : earn->per_amount;
        item->quantum = is_percent ? earn->quantum : 0;
        item->mode = is_percent ? earn->rounding : (uint8_t)ROUND_DOWN;
        return;
    }
    const struct discount_terms *discount = &rule->discount;
    bool is_percent = discount->kind == DISCOUNT_PERCENT;
    item->num = is_percent ? discount->rate.num : discount->value;
    item->den = is_percent ? discount->rate.den : 0;
    item->quantum = is_percent ? discount->quantum : 0;
    item->mode = discount->rounding;
}

static void
add_rounded(struct evaluation *e, int32_t line, const struct firing *firing)
{
    struct trace_item *item = trace_next(e, TRACE_ROUNDED, firing->rule);
    if (item == NULL)
        return;
    fill_terms(e, item, firing);
    item->line = line;
    item->result = firing->wanted;
}

static void
add_capped(struct evaluation *e, int32_t line, const struct firing *firing)
{
    struct trace_item *item = trace_next(e, TRACE_CAPPED, firing->rule);
    if (item == NULL)
        return;
    assert(firing->wanted >= firing->result);
    item->line = line;
    item->currency = e->currency;
    item->base = firing->wanted;
    item->result = firing->result;
}

static void
add_given(struct evaluation *e, enum trace_kind kind, int32_t line, const struct firing *firing)
{
    struct trace_item *item = trace_next(e, kind, firing->rule);
    if (item == NULL)
        return;
    assert(firing->result > 0);
    fill_terms(e, item, firing);
    item->line = line;
    item->result = firing->result;
    item->count = firing->share_count;
    if (kind == TRACE_DISPLACED)
        item->other = other_pending;
}

void
trace_nothing_left(struct evaluation *e, int32_t line, const struct firing *firing)
{
    assert(firing->result == 0);
    if (firing->wanted > 0)
        add_capped(e, line, firing);
    else
        add_rounded(e, line, firing);
}

void
trace_fired(struct evaluation *e, int32_t line, const struct firing *firing)
{
    assert(firing->rule != rule_none);
    if (firing->is_inexact)
        add_rounded(e, line, firing);
    if (firing->wanted != firing->result)
        add_capped(e, line, firing);
    if (firing->result == 0)
        return;
    if (firing->is_spread && firing->share_count > 1) {
        struct trace_item *item = trace_next(e, TRACE_SPREAD, firing->rule);
        if (item != NULL) {
            bool is_earn = e->plan->rule[firing->rule].scope == SCOPE_EARN;
            item->currency = e->currency;
            item->mode = is_earn ? SPREAD_LARGEST_REMAINDER : (uint8_t)e->plan->spreading;
            item->result = firing->result;
            item->count = firing->share_count;
        }
    }
    add_given(e, TRACE_FIRED, line, firing);
}

void
trace_displaced(struct evaluation *e, int32_t line, const struct firing *firing)
{
    assert(firing->rule != rule_none);
    if (firing->result > 0)
        add_given(e, TRACE_DISPLACED, line, firing);
}

void
trace_name_winner(struct evaluation *e, uint32_t first, int32_t winner)
{
    assert(first <= e->decision->trace_count);
    for (uint32_t i = first; i < e->decision->trace_count; i++) {
        struct trace_item *item = &e->decision->trace[i];
        if (item->kind != TRACE_DISPLACED || item->other != other_pending)
            continue;
        assert(winner != rule_none);
        item->other = winner;
    }
}
