/*
 * test_spread.c - spreading an amount, against a table and against a slow second implementation.
 *
 * Owns:      the table, and random receipts; the second implementation is slow.c.
 * Must not:  use spread_amount() to compute what spread_amount() should give.
 */
#include "engine/engine.h"
#include "host.h"
#include "slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { lines_max = slow_lines_max, random_receipts = 100000 };

/* ------------------------------------------------------------------------------- the table */

struct row {
    const char *what;
    enum spreading how;
    amount total;
    uint32_t count;
    amount weight[6], capacity[6], result[6]; /* capacity[0] -1: none */
    amount rest;
};

#define LR   SPREAD_LARGEST_REMAINDER
#define FF   SPREAD_FLOOR_FIRST
#define LAST SPREAD_LAST_REST
#define FREE                                                                                       \
    {                                                                                              \
        -1                                                                                         \
    }

static const struct row rows[] = {
    { "nothing", LR, 0, 3, { 1, 1, 1 }, FREE, { 0, 0, 0 }, 0 },
    { "one line takes all", LR, 777, 1, { 5 }, FREE, { 777 }, 0 },
    { "thirds of 1 000.00",
      LR,
      100000,
      3,
      { 1000000, 1000000, 1000000 },
      FREE,
      { 33334, 33333, 33333 },
      0 },
    { "thirds, floor and from the first",
      FF,
      100000,
      3,
      { 1, 1, 1 },
      FREE,
      { 33334, 33333, 33333 },
      0 },
    { "thirds, the last takes the rest",
      LAST,
      100000,
      3,
      { 1, 1, 1 },
      FREE,
      { 33333, 33333, 33334 },
      0 },
    { "the largest remainder is not the first", LR, 10, 3, { 13, 44, 43 }, FREE, { 1, 5, 4 }, 0 },
    { "from the first, whatever the remainders", FF, 10, 3, { 13, 44, 43 }, FREE, { 2, 4, 4 }, 0 },
    { "a tie goes to the earlier line", LR, 1, 4, { 2, 2, 2, 2 }, FREE, { 1, 0, 0, 0 }, 0 },
    { "half up overshoots: the end gives back",
      LAST,
      2,
      4,
      { 1, 1, 1, 1 },
      FREE,
      { 1, 1, 0, 0 },
      0 },
    { "the last may get nothing", LAST, 3, 3, { 3, 3, 1 }, FREE, { 1, 1, 1 }, 0 },
    { "weight 0 takes nothing", LR, 10, 3, { 0, 1, 1 }, FREE, { 0, 5, 5 }, 0 },
    { "the last that has a weight takes the rest", LAST, 10, 3, { 1, 2, 0 }, FREE, { 3, 7, 0 }, 0 },
    { "all weights 0 count as 1", LR, 10, 3, { 0, 0, 0 }, FREE, { 4, 3, 3 }, 0 },
    { "a full line passes on to the others",
      LR,
      90,
      3,
      { 1, 1, 1 },
      { 10, 100, 100 },
      { 10, 40, 40 },
      0 },
    { "filling in three rounds",
      LR,
      100,
      4,
      { 1, 1, 1, 1 },
      { 10, 30, 35, 100 },
      { 10, 30, 30, 30 },
      0 },
    { "a line without room", LR, 10, 2, { 1, 1 }, { 0, 100 }, { 0, 10 }, 0 },
    { "all full: the rest is not given",
      LR,
      100,
      3,
      { 1, 2, 3 },
      { 10, 20, 30 },
      { 10, 20, 30 },
      40 },
    { "weight 0 does not help out", LR, 100, 2, { 1, 0 }, { 10, 500 }, { 10, 0 }, 90 },
    { "exactly full", LR, 60, 3, { 1, 2, 3 }, { 10, 20, 30 }, { 10, 20, 30 }, 0 },
    { "2 000 over 6 000 and 4 000",
      LR,
      200000,
      2,
      { 600000, 400000 },
      { 600000, 400000 },
      { 120000, 80000 },
      0 },
    { "0.01 over many", LR, 1, 6, { 100, 200, 300, 300, 200, 100 }, FREE, { 0, 0, 1, 0, 0, 0 }, 0 },
    { "beyond 64 bits",
      LR,
      1000000000000000,
      2,
      { 900000000000000000, 100000000000000000 },
      FREE,
      { 900000000000000, 100000000000000 },
      0 },
};

static void
run_row(const struct row *row, struct arena *arena)
{
    const amount *capacity = row->capacity[0] < 0 ? NULL : row->capacity;
    amount result[6], again[6], rest;

    spread_amount(row->how, row->total, row->weight, capacity, row->count, result, &rest, arena);
    for (uint32_t i = 0; i < row->count; i++) {
        if (result[i] != row->result[i])
            fail_msg("%s: line %u gets %lld", row->what, i, (long long)result[i]);
    }
    assert_int_equal(rest, row->rest);
    assert_int_equal(slow_spread(row->how, row->total, row->weight, capacity, row->count, again),
                     rest);
    assert_memory_equal(result, again, row->count * sizeof(amount));
}

static void
test_table(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, host_source(), 1 << 16, 1 << 20);
    for (size_t i = 0; i < KOP_COUNT(rows); i++)
        run_row(&rows[i], &arena);
    arena_release(&arena);
}

/* -------------------------------------------------------------------------- random receipts */

static uint64_t seed = 20260118;

static uint64_t
next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static amount
below(amount bound)
{
    return (amount)(next() % (uint64_t)bound);
}

struct receipt {
    uint32_t count;
    amount total;
    bool bounded;
    amount weight[lines_max], capacity[lines_max];
};

static void
make_receipt(struct receipt *receipt)
{
    static const amount sizes[] = { 2, 10, 1000, 1000000, 1000000000000000 };
    amount size = sizes[next() % KOP_COUNT(sizes)];
    amount sum = 0;

    receipt->count = 1 + (uint32_t)(next() % (next() % 20 == 0 ? 120 : 12));
    receipt->bounded = next() % 3 != 0;
    for (uint32_t i = 0; i < receipt->count; i++) {
        receipt->weight[i] = i > 0 && next() % 3 == 0 ? receipt->weight[i - 1] : below(size);
        receipt->capacity[i] = receipt->weight[i];
        if (next() % 4 == 0) /* a floor */
            receipt->capacity[i] = below(receipt->weight[i] + 1);
        if (next() % 40 == 0)
            receipt->capacity[i] = below(size);
        sum += receipt->weight[i];
    }
    receipt->total = next() % 8 == 0 ? below(50) : below(sum + sum / 10 + 2);
}

static void
check_receipt(const struct receipt *receipt, enum spreading how, struct arena *arena)
{
    static amount result[lines_max], again[lines_max];
    const amount *capacity = receipt->bounded ? receipt->capacity : NULL;
    amount rest, sum;

    spread_amount(how, receipt->total, receipt->weight, capacity, receipt->count, result, &rest,
                  arena);
    assert_int_equal(
        slow_spread(how, receipt->total, receipt->weight, capacity, receipt->count, again), rest);
    sum = rest;
    for (uint32_t i = 0; i < receipt->count; i++) {
        assert_int_equal(result[i], again[i]);
        assert_true(result[i] >= 0);
        assert_true(capacity == NULL || result[i] <= capacity[i]);
        sum += result[i];
    }
    assert_int_equal(sum, receipt->total);
    assert_true(rest == 0 || capacity != NULL);
    if (how == SPREAD_LAST_REST)
        return;
    /* Ties are monotone: of equal lines the earlier has no less, and at most a step more. */
    for (uint32_t i = 1; i < receipt->count; i++) {
        if (receipt->weight[i] == receipt->weight[i - 1] &&
            (capacity == NULL || capacity[i] == capacity[i - 1]))
            assert_true(result[i - 1] >= result[i]);
        if (receipt->weight[i] == receipt->weight[i - 1] && capacity == NULL)
            assert_true(result[i - 1] - result[i] <= 1);
    }
}

static void
test_random(void **state)
{
    static struct receipt receipt;
    struct arena arena;

    (void)state;
    arena_init(&arena, host_source(), 1 << 16, 1 << 20);
    for (int i = 0; i < random_receipts; i++) {
        make_receipt(&receipt);
        check_receipt(&receipt, (enum spreading)(i % 3), &arena);
    }
    arena_release(&arena);
}

/* The longest receipt, in every way; the scratch is given back. */
static void
test_longest(void **state)
{
    static struct receipt receipt;
    struct arena arena;

    (void)state;
    arena_init(&arena, host_source(), 1 << 18, 1 << 20);
    for (int way = 0; way < 3; way++) {
        receipt = (struct receipt){ .count = lines_max, .total = 1234567, .bounded = true };
        for (uint32_t i = 0; i < lines_max; i++) {
            receipt.weight[i] = below(100000);
            receipt.capacity[i] = receipt.weight[i] / (1 + below(3));
        }
        struct arena_mark before = arena_mark(&arena);
        check_receipt(&receipt, (enum spreading)way, &arena);
        assert_true(way == 0 || before.used == arena_mark(&arena).used);
    }
    arena_release(&arena);
}

/* Without memory nothing is given, and the arena says so. */
static void
test_no_memory(void **state)
{
    static amount weight[200], result[200];
    static _Alignas(16) unsigned char memory[128];
    struct arena arena;
    amount rest;

    (void)state;
    arena_init_fixed(&arena, memory, sizeof(memory));
    for (int i = 0; i < 200; i++)
        weight[i] = result[i] = 1;
    spread_amount(SPREAD_LARGEST_REMAINDER, 50, weight, NULL, 200, result, &rest, &arena);
    assert_true(arena.failed);
    assert_int_equal(rest, 50);
    assert_int_equal(result[0], 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
