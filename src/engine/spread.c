/*
 * spread.c - an amount over lines: by weights, within capacities, to the last smallest step.
 *
 * Owns:      spread_amount() and its three ways.
 * Must not:  know rules, lines or money.
 * Invariant: the results add up to the total less `rest`; none exceeds its capacity; `rest` is more
 *            than 0 only when every line that has a weight is full. Without capacities, equal lines
 *            differ by at most one step, the earlier having more (last-rest: but for the last).
 * Cost:      O(lines) a round, O(lines log lines) for the remainders; every round but the last
 *            fills a line, and in practice there is one.
 * Tests:     tests/unit/engine/test_spread.c
 *
 * A round gives each line that is not full its share of what is left. A share is cut to the line's
 * room; what was cut is the next round's total. The parts that a round hands out are computed
 * without looking at capacities, as docs/semantics.md says, and cut afterwards.
 */
#include "base/mem.h"
#include "base/sort.h"
#include "engine/engine.h"

enum { spread_on_stack_max = 64 };

/* A line that takes part in a round. */
struct part {
    int64_t weight;
    int64_t remainder; /* of total * weight / sum of weights */
    amount share;      /* this round's, before it is cut */
    uint32_t index;    /* into the caller's arrays */
};

struct round {
    struct part *part, *scratch; /* `scratch`: as many again */
    uint32_t count;
    int64_t weights; /* their sum */
};

/* Larger remainder first; the sort is stable, so the earlier line wins a tie. */
static int
compare_remainders(const void *a, const void *b, void *context)
{
    const struct part *left = a;
    const struct part *right = b;

    (void)context;
    return (left->remainder < right->remainder) - (left->remainder > right->remainder);
}

/* Floors of all shares and their remainders; what they leave over. */
static amount
give_floors(struct round *round, amount total)
{
    amount left = total;
    int64_t product;
    bool narrow = !__builtin_mul_overflow(total, round->weights, &product);

    assert(round->weights > 0);
    for (uint32_t i = 0; i < round->count; i++) {
        struct part *part = &round->part[i];
        if (narrow) { /* total * weight fits as well */
            product = total * part->weight;
            part->share = product / round->weights;
            part->remainder = product % round->weights;
        } else {
            if (!i64_mul_div(total, part->weight, round->weights, ROUND_DOWN, &part->share))
                assert(!"a share of a total fits where the total does");
            part->remainder = i64_mul_mod(total, part->weight, round->weights);
        }
        left -= part->share;
    }
    assert(left >= 0);
    assert(left < (amount)round->count || (left == 0 && round->count == 0));
    return left;
}

static void
give_by_remainder(struct round *round, amount total)
{
    amount left = give_floors(round, total);
    if (left == 0)
        return;
    if (round->count <= 16) { /* picking beats sorting while there are few lines */
        for (; left > 0; left--) {
            uint32_t best = 0;
            for (uint32_t i = 1; i < round->count; i++) {
                if (round->part[i].remainder > round->part[best].remainder)
                    best = i;
            }
            round->part[best].share++;
            round->part[best].remainder = -1;
        }
        return;
    }
    sort_stable(round->part, round->count, sizeof(struct part), round->scratch, compare_remainders,
                NULL);
    for (uint32_t i = 0; i < (uint32_t)left; i++)
        round->part[i].share++;
}

static void
give_from_the_first(struct round *round, amount total)
{
    amount left = give_floors(round, total);
    for (uint32_t i = 0; i < (uint32_t)left; i++)
        round->part[i].share++;
}

/* Shares rounded half-up, the last takes what remains; what is too much goes off the end. */
static void
give_rest_to_last(struct round *round, amount total)
{
    amount left = total;

    assert(round->count > 0);
    for (uint32_t i = 0; i + 1 < round->count; i++) {
        struct part *part = &round->part[i];
        if (!i64_mul_div(total, part->weight, round->weights, ROUND_HALF_UP, &part->share))
            assert(!"a share of a total fits where the total does");
        left -= part->share;
    }
    for (uint32_t i = round->count - 1; left < 0; i--) {
        struct part *part = &round->part[i];
        amount back = part->share < -left ? part->share : -left;
        if (i + 1 == round->count)
            back = 0;
        part->share -= back;
        left += back;
        assert(i > 0 || left == 0);
    }
    round->part[round->count - 1].share = left > 0 ? left : 0;
}

/* Who takes part in the first round: every line that has a weight, or all if none has. */
static void
gather(struct round *round, const amount *weight, uint32_t count)
{
    round->count = 0;
    round->weights = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert(weight[i] >= 0);
        if (weight[i] > 0)
            round->part[round->count++] = (struct part){ .weight = weight[i], .index = i };
        round->weights += weight[i];
    }
    for (uint32_t i = 0; i < count && round->weights == 0; i++)
        round->part[i] = (struct part){ .weight = 1, .index = i };
    if (round->weights == 0)
        round->weights = round->count = count;
}

/* Cut the shares to the lines' room and drop the lines that are full. What was given in all. */
static amount
settle(struct round *round, const amount *capacity, amount *result)
{
    amount given = 0;
    uint32_t kept = 0;

    round->weights = 0;
    for (uint32_t i = 0; i < round->count; i++) {
        struct part part = round->part[i];
        amount room = capacity != NULL ? capacity[part.index] - result[part.index] : INT64_MAX;
        amount take = part.share < room ? part.share : room;
        assert(take >= 0);
        result[part.index] += take;
        given += take;
        if (take == room)
            continue;
        round->part[kept++] = part;
        round->weights += part.weight;
    }
    assert(kept <= round->count);
    round->count = kept;
    return given;
}

/* The sort by remainders changed the order; rounds go by lines. */
static int
compare_lines(const void *a, const void *b, void *context)
{
    const struct part *left = a;
    const struct part *right = b;

    (void)context;
    return (left->index > right->index) - (left->index < right->index);
}

static void
give(struct round *round, enum spreading how, amount total)
{
    switch (how) {
    case SPREAD_LARGEST_REMAINDER:
        give_by_remainder(round, total);
        return;
    case SPREAD_FLOOR_FIRST:
        give_from_the_first(round, total);
        return;
    case SPREAD_LAST_REST:
        give_rest_to_last(round, total);
        return;
    }
    assert(!"a known way of spreading");
}

void
spread_amount(enum spreading how, amount total, const amount *weight, const amount *capacity,
              uint32_t count, amount *result, amount *rest, struct arena *scratch)
{
    struct part on_stack[2 * spread_on_stack_max];
    struct arena_mark mark = arena_mark(scratch);
    struct round round = { .part = on_stack };

    assert(total >= 0);
    assert(rest != NULL);
    if (count > spread_on_stack_max)
        round.part = arena_array(scratch, struct part, (size_t)count * 2);
    memset(result, 0, count * sizeof(*result));
    *rest = total;
    if (round.part == NULL)
        return; /* scratch->failed tells */
    round.scratch = round.part + count;

    gather(&round, weight, count);
    while (*rest > 0 && round.count > 0) {
        give(&round, how, *rest);
        *rest -= settle(&round, capacity, result);
        if (*rest > 0 && how == SPREAD_LARGEST_REMAINDER)
            sort_stable(round.part, round.count, sizeof(struct part), round.scratch, compare_lines,
                        NULL);
    }
    arena_rewind(scratch, mark);

    amount given = *rest; /* counted a second way */
    for (uint32_t i = 0; i < count; i++) {
        given += result[i];
        assert(capacity == NULL || result[i] <= capacity[i]);
    }
    assert(given == total);
}
