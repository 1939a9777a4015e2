/*
 * earn.c - what a purchase or another event earns, and what it adds to counters.
 *
 * Owns:      steps 8 and 9: each kind of earning, spreading it over lines, counters.
 * Must not:  know lots, pending or expiry; choose between rules (combine.c does).
 * Invariant: the EARN effects of a rule add up to its earning; an event without lines earns without
 *            effects. Earnings stand in order of rule index.
 * Cost:      O(matching lines) a rule.
 * Tests:     tests/tables/evaluate/earn*.txt, tests/unit/engine/test_evaluate_random.c
 */
#include "base/mem.h"
#include "base/sort.h"
#include "engine/combine.h"
#include "engine/round.h"
#include "engine/trace.h"

/* An amount of the line that an earning is taken of. */
static amount
base_of(const struct evaluation *e, const struct earn_terms *earn, uint32_t line)
{
    const struct line_result *result = &e->decision->line[line];

    switch (earn->of) {
    case EARN_OF_GROSS:
        return result->gross;
    case EARN_OF_NET:
        return line_net(result);
    case EARN_OF_MONEY:
        return result->money;
    default:
        kop_check_failed(__FILE__, __LINE__, "a known base");
    }
}

/* Points for one base. Sets overflow. */
static amount
points_for(struct evaluation *e, const struct earn_terms *earn, amount base, bool *is_inexact)
{
    amount points = 0;

    assert(base >= 0);
    if (earn->kind == EARN_PERCENT) {
        bool inexact = false;
        if (!round_product(base, earn->rate.num, earn->rate.den, earn->quantum,
                           (enum rounding)earn->rounding, &points, &inexact))
            e->overflow = true;
        *is_inexact |= inexact;
        return points;
    }
    if (earn->kind == EARN_PER_AMOUNT) {
        assert(earn->per_amount > 0);
        if (!i64_mul(base / earn->per_amount, earn->points, &points))
            e->overflow = true;
        return points;
    }
    assert(earn->kind == EARN_FIXED);
    return earn->points;
}

static amount
add(struct evaluation *e, amount a, amount b)
{
    amount sum = a;
    if (!i64_add(a, b, &sum))
        e->overflow = true;
    return sum;
}

/* One number for all matching lines, spread by their bases (e->weight). */
static void
earn_and_spread(struct evaluation *e, const struct earn_terms *earn, uint32_t count,
                struct firing *firing)
{
    amount rest;

    firing->result = points_for(e, earn, firing->base, &firing->is_inexact);
    firing->is_spread = true;
    if (count == 0 || e->overflow)
        return;
    if (firing->base == 0) { /* all bases are 0: the first line has it */
        memset(e->part, 0, count * sizeof(*e->part));
        e->part[0] = firing->result;
        return;
    }
    spread_amount(SPREAD_LARGEST_REMAINDER, firing->result, e->weight, NULL, count, e->part, &rest,
                  e->arena);
    assert(rest == 0 || e->arena->failed);
}

bool
earn_by_rule(struct evaluation *e, int32_t rule, struct firing *firing)
{
    const struct rule *terms = &e->plan->rule[rule];
    const struct earn_terms *earn = &terms->earn;
    bool without_lines = earn->kind == EARN_FIXED && terms->lines == condition_none;
    uint32_t count = evaluation_match(e, without_lines ? rule_none : rule, terms->lines);

    assert(earn->currency == e->currency);
    firing->matches = count > 0 || without_lines;
    if (!firing->matches)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        e->weight[i] = base_of(e, earn, e->match[i]);
        firing->base = add(e, firing->base, e->weight[i]);
    }
    if (earn->per_line && earn->kind != EARN_FIXED) {
        for (uint32_t i = 0; i < count; i++) {
            e->part[i] = points_for(e, earn, e->weight[i], &firing->is_inexact);
            firing->result = add(e, firing->result, e->part[i]);
        }
    } else {
        earn_and_spread(e, earn, count, firing);
    }
    firing->wanted = firing->result;
    if (e->overflow)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (e->part[i] == 0)
            continue;
        if (!evaluation_push_share(e, e->match[i], e->part[i]))
            return false;
        firing->share_count++;
    }
    if (firing->result == 0)
        trace_nothing_left(e, -1, firing);
    return firing->result > 0;
}

/* Earnings of all currencies while they are found, with their shares. */
struct found {
    uint32_t count, cap, share_count, share_cap;
    struct firing *item;
    struct share *share;
};

static bool
reserve(struct evaluation *e, struct found *found)
{
    uint32_t items = found->count + e->firings.count;
    uint32_t shares = found->share_count + e->shares.count;

    if (items > found->cap || found->cap == 0) {
        struct firing *item = arena_array(e->arena, struct firing, items * (size_t)2);
        if (item != NULL && found->count > 0)
            memcpy(item, found->item, found->count * sizeof(*item));
        found->item = item;
        found->cap = items * 2;
    }
    if (shares > found->share_cap || found->share_cap == 0) {
        struct share *share = arena_array(e->arena, struct share, shares * (size_t)2);
        if (share != NULL && found->share_count > 0)
            memcpy(share, found->share, found->share_count * sizeof(*share));
        found->share = share;
        found->share_cap = shares * 2;
    }
    e->no_memory |= found->item == NULL || found->share == NULL;
    assert(e->no_memory || items <= found->cap);
    return !e->no_memory;
}

/* What the tree of one currency left standing. */
static void
collect(struct evaluation *e, struct found *found)
{
    uint32_t base = found->share_count;

    if (e->firings.count == 0 || !reserve(e, found))
        return;
    if (e->shares.count > 0) /* an event without lines has none */
        memcpy(found->share + base, e->shares.item, e->shares.count * sizeof(struct share));
    found->share_count += e->shares.count;
    for (uint32_t i = 0; i < e->firings.count; i++) {
        struct firing *firing = &found->item[found->count++];
        *firing = e->firings.item[i];
        trace_fired(e, -1, firing);
        firing->share += base;
    }
    assert(found->count <= found->cap);
}

static int
compare_rules(const void *a, const void *b, void *context)
{
    const struct firing *left = a;
    const struct firing *right = b;

    (void)context;
    return (left->rule > right->rule) - (left->rule < right->rule);
}

/* Earnings and their effects, in order of rule index. */
static void
book(struct evaluation *e, struct found *found)
{
    struct decision *decision = e->decision;
    struct firing *scratch = arena_array(e->arena, struct firing, found->count);

    decision->earning = arena_array(e->arena, struct earning, found->count);
    if (decision->earning == NULL || scratch == NULL) {
        e->no_memory = true;
        return;
    }
    sort_stable(found->item, found->count, sizeof(struct firing), scratch, compare_rules, NULL);
    for (uint32_t f = 0; f < found->count; f++) {
        const struct firing *firing = &found->item[f];
        uint8_t currency = e->plan->rule[firing->rule].earn.currency;
        struct earning *earning = &decision->earning[decision->earning_count++];
        earning->rule = firing->rule;
        earning->currency = currency;
        earning->points = firing->result;
        for (uint32_t i = firing->share; i < firing->share + firing->share_count; i++)
            evaluation_effect(e, (struct effect){ .kind = EFFECT_EARN,
                                                  .line = found->share[i].line,
                                                  .rule = firing->rule,
                                                  .currency = currency,
                                                  .points = found->share[i].amount });
        assert(firing->result > 0);
    }
}

void
earn_all(struct evaluation *e)
{
    struct found found = { 0 };

    assert(e->decision->earning_count == 0);
    if (!e->view->known)
        return;
    for (uint32_t i = 0; i < e->kind->earn_count && !e->no_memory && !e->overflow; i++) {
        const struct tree *tree = &e->kind->earn[i];
        struct candidates candidates;
        e->currency = e->plan->terms.currency[tree->currency_index].no;
        if (!combine_candidates(e, tree, &candidates))
            break;
        combine_run(e, tree, &candidates, -1);
        collect(e, &found);
    }
    e->currency = 0;
    if (found.count > 0 && !e->no_memory && !e->overflow)
        book(e, &found);
}

void
earn_counters(struct evaluation *e)
{
    const struct terms *terms = &e->plan->terms;
    const struct line_result *total = &e->decision->total;
    bool takes_part = e->event->line_count == 0;

    if (!e->view->known || e->kind != &e->plan->kind[0])
        return;
    for (uint32_t i = 0; i < e->event->line_count && !takes_part; i++)
        takes_part = line_takes_part(e, i);
    assert(terms->counter_count <= counters_per_programme_max);
    for (uint32_t i = 0; i < terms->counter_count; i++) {
        int64_t *add_to = &e->decision->counter_add[i];
        switch (terms->counter[i].source) {
        case COUNTER_GROSS:
            *add_to = total->gross;
            break;
        case COUNTER_NET:
            *add_to = line_net(total);
            break;
        case COUNTER_MONEY:
            *add_to = total->money;
            break;
        case COUNTER_COUNT:
            *add_to = takes_part ? 1 : 0;
            break;
        }
    }
}
