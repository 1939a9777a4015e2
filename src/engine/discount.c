/*
 * discount.c - what discounts take off: line by line, off the receipt, and the receipt's rounding.
 *
 * Owns:      steps 1 to 3 of a purchase, and what each kind of discount computes.
 * Must not:  choose between rules (combine.c does).
 * Invariant: no line goes below its floor, nor below 0; 100 % off leaves exactly the floor.
 * Cost:      O(matching lines) a rule.
 * Tests:     tests/tables/evaluate/, tests/unit/engine/test_evaluate_random.c
 */
#include "engine/combine.h"
#include "engine/round.h"
#include "engine/trace.h"

/* What a line can still give: its price in the node that is walked, less its floor. */
static amount
room_of(const struct evaluation *e, uint32_t line)
{
    amount room = e->price[line] - e->event->line[line].floor;

    assert(e->price[line] >= 0);
    return room > 0 ? room : 0;
}

/* A part of `base`, rounded as the discount says. */
static amount
part_of(const struct discount_terms *discount, amount base, bool *is_inexact)
{
    amount part;

    assert(base >= 0);
    if (round_product(base, discount->rate.num, discount->rate.den, discount->quantum,
                      (enum rounding)discount->rounding, &part, is_inexact))
        return part;
    return INT64_MAX; /* a quantum near the end of the range: the price cuts it */
}

/* What the discount wants of one line, before floors. */
static amount
wanted_of_line(const struct evaluation *e, const struct discount_terms *discount, uint32_t line,
               bool *is_inexact)
{
    amount price = e->price[line];
    int64_t quantity = e->event->line[line].quantity;
    bool by_piece = discount->per == PER_PIECE;
    amount value = discount->value;

    assert(quantity > 0);
    *is_inexact = false;
    if (discount->kind == DISCOUNT_PERCENT) {
        int64_t pieces = quantity / 1000, piece;
        if (!by_piece || quantity % 1000 != 0)
            return part_of(discount, price, is_inexact);
        if (!round_quotient(price, pieces, 1, ROUND_HALF_UP, &piece))
            assert(!"a piece costs no more than the line");
        return round_saturated(part_of(discount, piece, is_inexact), pieces, 1, ROUND_DOWN);
    }
    if (by_piece)
        value = round_saturated(value, quantity, 1000, ROUND_HALF_UP);
    if (discount->kind == DISCOUNT_AMOUNT)
        return value;
    assert(discount->kind == DISCOUNT_FIXED_PRICE);
    return price > value ? price - value : 0;
}

bool
discount_on_line(struct evaluation *e, int32_t rule, uint32_t line, struct firing *firing)
{
    const struct rule *terms = &e->plan->rule[rule];

    assert(e->context.line == &e->event->line[line]);
    firing->matches = condition_test(&e->context, terms->lines, NULL);
    if (!firing->matches)
        return false;
    firing->base = e->price[line];
    firing->wanted = wanted_of_line(e, &terms->discount, line, &firing->is_inexact);
    amount room = room_of(e, line);
    firing->result = firing->wanted < room ? firing->wanted : room;
    if (firing->result == 0) {
        trace_nothing_left(e, (int32_t)line, firing);
        return false;
    }
    firing->share_count = 1;
    return evaluation_push_share(e, line, firing->result);
}

/* Each matching line alone. */
static void
take_by_line(struct evaluation *e, const struct discount_terms *discount, uint32_t count,
             struct firing *firing)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t line = e->match[i];
        bool is_inexact;
        amount wanted = wanted_of_line(e, discount, line, &is_inexact);
        amount room = room_of(e, line);
        firing->is_inexact |= is_inexact;
        if (wanted > INT64_MAX - firing->wanted)
            wanted = INT64_MAX - firing->wanted;
        firing->wanted += wanted;
        e->part[i] = wanted < room ? wanted : room;
        firing->base += e->price[line];
    }
    assert(firing->wanted >= 0);
}

/* One amount for all matching lines, spread by their prices. */
static void
take_and_spread(struct evaluation *e, const struct discount_terms *discount, uint32_t count,
                struct firing *firing)
{
    amount rest;

    for (uint32_t i = 0; i < count; i++) {
        e->weight[i] = e->price[e->match[i]];
        e->room[i] = room_of(e, e->match[i]);
        firing->base += e->weight[i];
    }
    assert(discount->kind != DISCOUNT_FIXED_PRICE);
    firing->wanted = discount->kind == DISCOUNT_PERCENT
                         ? part_of(discount, firing->base, &firing->is_inexact)
                         : discount->value;
    firing->is_spread = true;
    amount total = firing->wanted < firing->base ? firing->wanted : firing->base;
    spread_amount(e->plan->spreading, total, e->weight, e->room, count, e->part, &rest, e->arena);
    assert(rest >= 0);
}

bool
discount_on_receipt(struct evaluation *e, int32_t rule, struct firing *firing)
{
    const struct rule *terms = &e->plan->rule[rule];
    uint32_t count = evaluation_match(e, rule, terms->lines);

    assert(firing->result == 0);
    firing->matches = count > 0;
    if (count == 0)
        return false;
    if (terms->discount.per == PER_RECEIPT)
        take_and_spread(e, &terms->discount, count, firing);
    else
        take_by_line(e, &terms->discount, count, firing);
    for (uint32_t i = 0; i < count; i++) {
        if (e->part[i] == 0)
            continue;
        if (!evaluation_push_share(e, e->match[i], e->part[i]))
            return false;
        firing->result += e->part[i];
        firing->share_count++;
    }
    if (firing->result == 0)
        trace_nothing_left(e, -1, firing);
    return firing->result > 0;
}

/* What the tree left standing becomes effects. */
static void
accept(struct evaluation *e, int32_t line)
{
    for (uint32_t f = 0; f < e->firings.count; f++) {
        const struct firing *firing = &e->firings.item[f];
        trace_fired(e, line, firing);
        for (uint32_t i = firing->share; i < firing->share + firing->share_count; i++) {
            const struct share *share = &e->shares.item[i];
            e->decision->line[share->line].discount += share->amount;
            evaluation_effect(e, (struct effect){ .kind = EFFECT_DISCOUNT,
                                                  .line = share->line,
                                                  .rule = firing->rule,
                                                  .money = share->amount });
            assert(line_net(&e->decision->line[share->line]) >= 0);
        }
    }
}

/* Candidates of which no line was found: why the first line did not do. */
static void
tell_unmatched(struct evaluation *e, const struct tree *tree, const struct candidates *candidates)
{
    struct condition_failure failure;

    for (uint32_t i = 0; i < candidates->count && e->wish != TRACE_NOTHING; i++) {
        int32_t rule = tree->node[candidates->node[i]].rule;
        if (candidates->met[i])
            continue;
        for (uint32_t line = 0; line < e->event->line_count; line++) {
            if (!line_takes_part(e, line))
                continue;
            evaluation_look_at(e, line);
            if (!condition_test(&e->context, e->plan->rule[rule].lines, &failure))
                trace_failed(e, rule, (int32_t)line, &failure);
            break;
        }
    }
}

void
discount_lines(struct evaluation *e)
{
    const struct tree *tree = &e->kind->line;
    struct candidates candidates;

    if (tree->count == 0 || !combine_candidates(e, tree, &candidates))
        return;
    for (uint32_t line = 0; line < e->event->line_count && candidates.count > 0; line++) {
        if (!line_takes_part(e, line))
            continue;
        e->price[line] = e->decision->line[line].gross;
        evaluation_look_at(e, line);
        combine_run(e, tree, &candidates, (int32_t)line);
        accept(e, (int32_t)line);
    }
    tell_unmatched(e, tree, &candidates);
}

void
discount_receipt(struct evaluation *e)
{
    const struct tree *tree = &e->kind->receipt;
    struct candidates candidates;

    if (tree->count == 0 || !combine_candidates(e, tree, &candidates))
        return;
    for (uint32_t line = 0; line < e->event->line_count; line++)
        e->price[line] = line_net(&e->decision->line[line]);
    combine_run(e, tree, &candidates, -1);
    accept(e, -1);
}

void
discount_round(struct evaluation *e)
{
    amount quantum = e->plan->receipt_quantum;
    amount net = evaluation_net(e);
    amount rest;

    assert(net >= 0);
    if (quantum == 0 || net % quantum == 0)
        return;
    uint32_t count = evaluation_match(e, rule_none, condition_none);
    for (uint32_t i = 0; i < count; i++) {
        e->price[e->match[i]] = line_net(&e->decision->line[e->match[i]]);
        e->weight[i] = e->price[e->match[i]];
        e->room[i] = room_of(e, e->match[i]);
    }
    spread_amount(e->plan->spreading, net % quantum, e->weight, e->room, count, e->part, &rest,
                  e->arena);
    for (uint32_t i = 0; i < count; i++) {
        e->decision->line[e->match[i]].rounding += e->part[i];
        evaluation_effect(e, (struct effect){ .kind = EFFECT_ROUNDING,
                                              .line = e->match[i],
                                              .rule = rule_none,
                                              .money = e->part[i] });
    }
    struct trace_item *item = trace_next(e, TRACE_ROUNDED, rule_none);
    if (item != NULL) {
        item->base = net;
        item->result = net - net % quantum + rest;
        item->quantum = quantum;
        item->mode = ROUND_DOWN;
        item->num = 1;
        item->den = 1;
    }
    assert(evaluation_net(e) == net - net % quantum + rest);
}
