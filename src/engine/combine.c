/*
 * combine.c - the combination tree: which of the rules that could fire do, and how much each gives.
 *
 * Owns:      the meaning of max, min, first, sum and multiply, and how deep they nest.
 * Must not:  know what a discount or an earning is: the rules' own functions push their shares.
 * Invariant: after a node, e->price is what it was before it; what the node gives is the top of the
 *            two stacks, and no line gives more than price - floor (earnings take nothing).
 * Cost:      O(candidates * lines), and O(candidates * depth) for finding them in the tree; nothing
 *            depends on the document's order.
 * Tests:     tests/tables/evaluate/, tests/unit/engine/test_evaluate_random.c
 *
 * Each child is computed on top of the stacks. A group that chooses keeps the best child so far at
 * its own bottom and drops the loser after telling the trace what it would have given, so memory
 * follows what stands, not what was tried.
 */
#include "engine/combine.h"

#include "base/mem.h"
#include "engine/trace.h"
#include "engine/tree_index.h"

struct walk {
    struct evaluation *e;
    const struct tree *tree;
    const uint32_t *candidate;
    bool *met;
    int32_t line;
    bool takes; /* shares are money off the price (not earnings) */
};

/* Tops of the stacks. */
struct mark {
    uint32_t firing, share;
};

static struct mark
mark(const struct walk *walk)
{
    return (struct mark){ walk->e->firings.count, walk->e->shares.count };
}

static void
drop(struct walk *walk, struct mark to)
{
    assert(to.firing <= walk->e->firings.count);
    assert(to.share <= walk->e->shares.count);
    walk->e->firings.count = to.firing;
    walk->e->shares.count = to.share;
}

static bool
push_firing(struct evaluation *e, const struct firing *firing)
{
    struct firings *firings = &e->firings;

    assert(firings->count <= firings->cap);
    if (firings->count == firings->cap) {
        uint32_t cap = firings->cap == 0 ? 16 : firings->cap * 2;
        struct firing *item = arena_array(e->arena, struct firing, cap);
        if (item == NULL) {
            e->no_memory = true;
            return false;
        }
        if (firings->count > 0)
            memcpy(item, firings->item, firings->count * sizeof(*item));
        firings->item = item;
        firings->cap = cap;
    }
    firings->item[firings->count++] = *firing;
    return true;
}

/* One rule, a candidate. Its benefit; 0: it did not fire. */
static amount
run_rule(struct walk *walk, int32_t rule, uint32_t candidate)
{
    struct evaluation *e = walk->e;
    struct firing firing = { .rule = rule, .share = e->shares.count };
    bool fired = false;

    switch (e->plan->rule[rule].scope) {
    case SCOPE_LINE:
        fired = discount_on_line(e, rule, (uint32_t)walk->line, &firing);
        break;
    case SCOPE_RECEIPT:
        fired = discount_on_receipt(e, rule, &firing);
        break;
    case SCOPE_EARN:
        fired = earn_by_rule(e, rule, &firing);
        break;
    default:
        assert(!"a known scope");
    }
    if (firing.matches)
        walk->met[candidate] = true;
    if (fired && !e->no_memory && push_firing(e, &firing)) {
        assert(firing.result > 0);
        return firing.result;
    }
    e->shares.count = firing.share;
    return 0;
}

/* Add with the flag of the evaluation; a sum that does not fit stays as it is. */
static amount
add(struct evaluation *e, amount a, amount b)
{
    amount sum = a;
    if (!i64_add(a, b, &sum))
        e->overflow = true;
    return sum;
}

static void
displace(struct walk *walk, uint32_t from, uint32_t to)
{
    assert(from <= to);
    for (uint32_t i = from; i < to; i++)
        trace_displaced(walk->e, walk->line, &walk->e->firings.item[i]);
}

/* Put what stands on top of `from` at `to` instead. */
static void
move_down(struct walk *walk, struct mark to, struct mark from)
{
    struct firings *firings = &walk->e->firings;
    struct shares *shares = &walk->e->shares;
    uint32_t firing_count = firings->count - from.firing;
    uint32_t share_count = shares->count - from.share;

    assert(to.firing <= from.firing);
    assert(to.share <= from.share);
    if (to.firing == from.firing)
        return; /* it stands there already */
    memmove(firings->item + to.firing, firings->item + from.firing,
            firing_count * sizeof(struct firing));
    if (share_count > 0) /* an event without lines has none */
        memmove(shares->item + to.share, shares->item + from.share,
                share_count * sizeof(struct share));
    for (uint32_t i = 0; i < firing_count; i++)
        firings->item[to.firing + i].share -= from.share - to.share;
    drop(walk, (struct mark){ to.firing + firing_count, to.share + share_count });
}

static amount run_node(struct walk *walk, uint32_t node, uint32_t first, uint32_t end);

/* The child of `node` that holds candidate `*at`; `*at` goes on to the first that it does not. */
static uint32_t
next_child(const struct walk *walk, uint32_t node, uint32_t *at, uint32_t end)
{
    const struct tree *tree = walk->tree;
    uint32_t leaf = walk->candidate[*at];
    uint32_t child = node + 1;

    assert(*at < end);
    if (tree->index != NULL) {
        child = tree_index_child(tree, node, leaf);
    } else {
        while (tree->node[child].next <= leaf)
            child = tree->node[child].next;
    }
    while (*at < end && walk->candidate[*at] < tree->node[child].next)
        ++*at;
    return child;
}

/* max, min, first: one child stands. */
static amount
run_choice(struct walk *walk, uint32_t node, uint32_t first, uint32_t end)
{
    struct evaluation *e = walk->e;
    uint8_t op = walk->tree->node[node].op;
    struct mark bottom = mark(walk);
    uint32_t trace = e->decision->trace_count;
    amount best = 0;

    for (uint32_t at = first; at < end;) {
        uint32_t from = at;
        struct mark top = mark(walk);
        uint32_t child = next_child(walk, node, &at, end);
        amount benefit = run_node(walk, child, from, at);
        bool wins = best == 0 || (op == TREE_MAX && benefit > best) ||
                    (op == TREE_MIN && benefit < best);
        if (benefit == 0) {
            drop(walk, top);
        } else if (wins) {
            displace(walk, bottom.firing, top.firing);
            move_down(walk, bottom, top);
            best = benefit;
        } else {
            displace(walk, top.firing, e->firings.count);
            drop(walk, top);
        }
    }
    int32_t winner = rule_none;
    for (uint32_t i = bottom.firing; i < e->firings.count && winner == rule_none; i++) {
        if (e->firings.item[i].result > 0)
            winner = e->firings.item[i].rule;
    }
    trace_name_winner(e, trace, winner);
    return best;
}

/* Take the shares from `from` on off the prices (sign -1), or put them back (sign 1). */
static void
move_prices(struct walk *walk, uint32_t from, int sign)
{
    struct evaluation *e = walk->e;

    assert(sign == 1 || sign == -1);
    for (uint32_t i = from; i < e->shares.count && walk->takes; i++) {
        const struct share *share = &e->shares.item[i];
        e->price[share->line] += sign * share->amount;
        assert(e->price[share->line] >= 0);
    }
}

/* multiply: every child stands, each computed from what those before it left. */
static amount
run_multiply(struct walk *walk, uint32_t node, uint32_t first, uint32_t end)
{
    struct mark bottom = mark(walk);
    amount total = 0;

    for (uint32_t at = first; at < end;) {
        uint32_t from = at;
        struct mark top = mark(walk);
        uint32_t child = next_child(walk, node, &at, end);
        total = add(walk->e, total, run_node(walk, child, from, at));
        move_prices(walk, top.share, -1);
    }
    move_prices(walk, bottom.share, 1);
    return total;
}

/* Cut what the firings from `bottom` on give to what the lines can take; later ones lose first. */
static amount
cut_to_room(struct walk *walk, struct mark bottom)
{
    struct evaluation *e = walk->e;
    amount total = 0;

    for (uint32_t f = bottom.firing; f < e->firings.count; f++) {
        struct firing *firing = &e->firings.item[f];
        firing->result = 0;
        for (uint32_t i = firing->share; i < firing->share + firing->share_count; i++) {
            struct share *share = &e->shares.item[i];
            amount room = e->price[share->line] - e->event->line[share->line].floor -
                          e->used[share->line];
            assert(room >= 0);
            if (share->amount > room)
                share->amount = room;
            e->used[share->line] += share->amount;
            firing->result += share->amount;
        }
        total += firing->result;
    }
    for (uint32_t i = bottom.share; i < e->shares.count; i++)
        e->used[e->shares.item[i].line] = 0;
    return total;
}

/* sum: every child stands, each computed from the same base. */
static amount
run_sum(struct walk *walk, uint32_t node, uint32_t first, uint32_t end)
{
    struct mark bottom = mark(walk);
    amount total = 0;

    for (uint32_t at = first; at < end;) {
        uint32_t from = at;
        uint32_t child = next_child(walk, node, &at, end);
        total = add(walk->e, total, run_node(walk, child, from, at));
    }
    return walk->takes ? cut_to_room(walk, bottom) : total;
}

static amount
run_node(struct walk *walk, uint32_t node, uint32_t first, uint32_t end)
{
    assert(node < walk->tree->count);
    assert(first < end);
    switch (walk->tree->node[node].op) {
    case TREE_RULE:
        return run_rule(walk, walk->tree->node[node].rule, first);
    case TREE_MAX:
    case TREE_MIN:
    case TREE_FIRST:
        return run_choice(walk, node, first, end);
    case TREE_SUM:
        return run_sum(walk, node, first, end);
    case TREE_MULTIPLY:
        return run_multiply(walk, node, first, end);
    default:
        kop_check_failed(__FILE__, __LINE__, "a known operator");
    }
}

/* Every leaf of a tree. */
static bool
all_leaves(struct evaluation *e, const struct tree *tree, const uint32_t **leaf, uint32_t *count)
{
    uint32_t *all = arena_array(e->arena, uint32_t, tree->count);

    *count = 0;
    for (uint32_t i = 0; i < tree->count && all != NULL; i++) {
        if (tree->node[i].op == TREE_RULE)
            all[(*count)++] = i;
    }
    *leaf = all;
    assert(all == NULL || *count == tree->node[0].rules);
    return all != NULL;
}

bool
combine_candidates(struct evaluation *e, const struct tree *tree, struct candidates *out)
{
    struct condition_failure failure;
    bool whole = tree->index == NULL || e->wish == TRACE_FULL;
    const uint32_t *leaf;
    uint32_t count;

    *out = (struct candidates){ 0 };
    e->no_memory |= whole ? !all_leaves(e, tree, &leaf, &count)
                          : !tree_index_leaves(e, tree, &leaf, &count);
    if (e->no_memory)
        return false;
    out->node = arena_array(e->arena, uint32_t, count);
    out->met = arena_array(e->arena, bool, count);
    if (out->node == NULL || out->met == NULL) {
        e->no_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        int32_t number = tree->node[leaf[i]].rule;
        assert((uint32_t)number < e->plan->rule_count);
        const struct rule *rule = &e->plan->rule[number];
        if (e->event->occurred_at < rule->valid_from || e->event->occurred_at >= rule->valid_until)
            trace_not_valid(e, number);
        else if (!condition_test(&e->context, rule->when, &failure))
            trace_failed(e, number, -1, &failure);
        else
            out->node[out->count++] = leaf[i];
    }
    return !e->no_memory;
}

void
combine_run(struct evaluation *e, const struct tree *tree, const struct candidates *candidates,
            int32_t line)
{
    struct walk walk = {
        .e = e,
        .tree = tree,
        .candidate = candidates->node,
        .met = candidates->met,
        .line = line,
    };

    e->firings.count = 0;
    e->shares.count = 0;
    if (candidates->count == 0)
        return;
    walk.takes = e->plan->rule[tree->node[candidates->node[0]].rule].scope != SCOPE_EARN;
    amount benefit = run_node(&walk, 0, 0, candidates->count);
    if (e->no_memory || e->overflow) {
        e->firings.count = 0;
        e->shares.count = 0;
        return;
    }
    for (uint32_t i = 0; i < e->firings.count; i++)
        benefit -= e->firings.item[i].result;
    assert(benefit == 0); /* counted a second way */
}
