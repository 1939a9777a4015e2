/*
 * slow.c - second implementations that are slow and plain, to compare the engine with.
 *
 * Owns:      a spreading that hands out one smallest step at a time and compares exact fractions,
 *            a rounding that compares the distances to the two multiples around the exact value.
 * Must not:  call the engine, or share a line with it.
 */
#include "slow.h"

#include <stdlib.h>

__extension__ typedef __int128 wide;

amount
slow_round(amount a, amount b, amount c, amount quantum, enum rounding mode)
{
    wide exact = (wide)a * b, step = (wide)c * quantum; /* in units of 1 / c */
    wide low = exact / step * step, high = low + step;
    bool low_is_even = (exact / step) % 2 == 0;
    wide chosen = exact - low < high - exact ? low : high;

    if (exact == low)
        chosen = low;
    else if (mode == ROUND_DOWN)
        chosen = low;
    else if (mode == ROUND_UP)
        chosen = high;
    else if (exact - low == high - exact)
        chosen = mode == ROUND_HALF_UP ? high : mode == ROUND_HALF_DOWN || low_is_even ? low : high;
    return (amount)(chosen / c);
}

/* Largest remainder: step by step to who is furthest below its exact share of this round. */
static void
slow_remainders(amount total, const amount *weight, const bool *in, uint32_t count, amount *share)
{
    wide weights = 0;
    for (uint32_t i = 0; i < count; i++)
        weights += in[i] ? weight[i] : 0;
    amount left = total;
    for (uint32_t i = 0; i < count; i++) {
        share[i] = in[i] ? (amount)((wide)total * weight[i] / weights) : 0;
        left -= share[i];
    }
    while (left-- > 0) {
        uint32_t best = count;
        for (uint32_t i = 0; i < count; i++) {
            if (!in[i])
                continue;
            wide missing = (wide)total * weight[i] - (wide)share[i] * weights;
            if (best == count || missing > (wide)total * weight[best] - (wide)share[best] * weights)
                best = i;
        }
        share[best]++;
    }
}

static void
slow_first(amount total, const amount *weight, const bool *in, uint32_t count, amount *share)
{
    wide weights = 0;
    amount given = 0;
    for (uint32_t i = 0; i < count; i++)
        weights += in[i] ? weight[i] : 0;
    for (uint32_t i = 0; i < count; i++) {
        share[i] = in[i] ? (amount)((wide)total * weight[i] / weights) : 0;
        given += share[i];
    }
    for (uint32_t i = 0; given < total; i++) {
        share[i] += in[i];
        given += in[i];
    }
}

static void
slow_last(amount total, const amount *weight, const bool *in, uint32_t count, amount *share)
{
    wide weights = 0;
    uint32_t last = 0;
    amount given = 0;
    for (uint32_t i = 0; i < count; i++) {
        weights += in[i] ? weight[i] : 0;
        last = in[i] ? i : last;
        share[i] = 0;
    }
    for (uint32_t i = 0; i < last; i++) {
        if (in[i])
            share[i] = (amount)(((wide)total * weight[i] * 2 + weights) / (weights * 2));
        given += share[i];
    }
    for (uint32_t i = last; given > total;) { /* too much: one step back at a time, from the end */
        if (share[i] > 0) {
            share[i]--;
            given--;
        } else {
            i--;
        }
    }
    if (given < total)
        share[last] = total - given;
}

amount
slow_spread(enum spreading how, amount total, const amount *given_weight, const amount *capacity,
            uint32_t count, amount *result)
{
    static amount weight[slow_lines_max], share[slow_lines_max];
    static bool in[slow_lines_max];
    bool any = false;

    for (uint32_t i = 0; i < count; i++)
        any |= given_weight[i] > 0;
    for (uint32_t i = 0; i < count; i++) {
        weight[i] = any ? given_weight[i] : 1;
        in[i] = weight[i] > 0;
        result[i] = 0;
    }
    for (;;) {
        uint32_t ins = 0;
        for (uint32_t i = 0; i < count; i++)
            ins += in[i];
        if (total == 0 || ins == 0)
            return total;
        if (how == SPREAD_LARGEST_REMAINDER)
            slow_remainders(total, weight, in, count, share);
        else if (how == SPREAD_FLOOR_FIRST)
            slow_first(total, weight, in, count, share);
        else
            slow_last(total, weight, in, count, share);
        for (uint32_t i = 0; i < count; i++) {
            if (!in[i])
                continue;
            amount wish = result[i] + share[i];
            if (capacity != NULL && wish > capacity[i])
                wish = capacity[i];
            total -= wish - result[i];
            result[i] = wish;
            if (capacity != NULL && result[i] == capacity[i])
                in[i] = false;
        }
    }
}
