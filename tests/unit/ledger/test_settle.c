/*
 * test_settle.c - settling on every possible day, and very much of it at once.
 *
 * Owns:      all ways to settle a small owner in steps; an owner with as many lots as there may
 *            be.
 *
 * test_property.c settles random owners in random steps; here every subset of the instants is
 * tried.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "../host.h"
#include "world.h"

static const unix_ms begin = INT64_C(1740787200000); /* 2025-03-01 */

enum { steps = 9 }; /* instants begin + 1 .. begin + steps, a millisecond each */

/* Lots and holds whose days meet in many ways; and a debt. */
static void
make_small(struct world *world)
{
    static const struct {
        amount points;
        int active, expires;
    } lot[] = { { 10, 0, 2 }, { 20, 2, 4 }, { 30, 4, 4 }, { 40, 0, 4 },
                { 50, 5, 3 }, { 60, 6, 8 }, { 70, 0, 8 }, { 80, 8, 9 } };
    struct ledger *ledger = world_begin(world, begin);
    struct take *take;
    uint32_t count;
    amount debt;

    for (size_t i = 0; i < KOP_COUNT(lot); i++)
        ledger_earn_life(ledger, MOVEMENT_OPEN, 1, lot[i].points, begin, 0, rule_none,
                         begin + lot[i].active, begin + lot[i].expires);
    /* 120 are active: 115 are held by three, 5 and more are taken back, so there is debt. */
    static const int hold[][2] = { { 45, 3 }, { 40, 6 }, { 30, 9 } };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            ledger_plan_take(ledger->owner, 1, hold[i][0], ledger->arena, &take, &count), 0);
        assert_int_equal(ledger_hold(ledger, (uint64_t)(10 - i), begin + hold[i][1], take, count),
                         OUTCOME_DONE);
    }
    assert_int_equal(ledger_revoke(ledger, 999, 1, 75, 1, &debt), OUTCOME_DONE);
    assert_true(debt == 70);
    world_end(world);
}

static void
test_every_way(void **state)
{
    struct world world;
    struct arena arena, other;
    struct owner once, owner;
    struct changes all, step;
    struct ledger ledger;

    (void)state;
    world_init(&world);
    make_small(&world);
    arena_init(&arena, host_source(), 1 << 16, 1 << 22);
    arena_init(&other, host_source(), 1 << 16, 1 << 22);
    world_load(&world, &arena, &once);
    ledger_begin(&ledger, &world.terms, &arena, &once, &all, 1, begin + steps);
    assert_true(ledger_settle(&ledger));
    assert_true(all.movement_count > 12);
    assert_true(owner_balance(&once, 1, ACCOUNT_DEBT) == 0);
    assert_int_equal(once.lot_count, 0);
    for (uint32_t ways = 0; ways < 1u << (steps - 1); ways++) {
        uint32_t seen = 0;
        arena_reset(&other);
        world_load(&world, &other, &owner);
        for (int at = 1; at <= steps; at++) {
            if (at < steps && !(ways >> (at - 1) & 1))
                continue;
            ledger_begin(&ledger, &world.terms, &other, &owner, &step, 1, begin + at);
            unix_ms due = owner_next_due(&owner);
            assert_int_equal(ledger_settle(&ledger), due <= begin + at);
            assert_false(ledger_settle(&ledger)); /* settling twice is settling once */
            ledger_check(&owner);
            for (uint32_t i = 0; i < step.movement_count; i++, seen++)
                if (movement_difference(&step.movement[i], &all.movement[seen]))
                    fail_msg("way %u, movement %u differs", ways, seen);
        }
        assert_int_equal(seen, all.movement_count);
        assert_null(owner_difference(&once, &owner));
    }
    arena_release(&arena);
    arena_release(&other);
    world_free(&world);
}

/* As many lots as there may be, each with instants of its own: sorted and merged, not searched
 * for. */
static void
test_very_many(void **state)
{
    struct world world;
    clock_t started;

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, begin);
    for (unix_ms i = 0; i < lots_per_owner_max; i++)
        ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 1 + i % 7, begin, 0, rule_none,
                         begin + 1 + i * 7919 % 100003, begin + 200000 + i);
    assert_false(ledger->failed);
    started = clock();
    ledger->now = begin + 500000; /* the same booking goes on, as a test may */
    assert_true(ledger_settle(ledger));
    clock_t took = clock() - started;
    assert_int_equal(ledger->changes->movement_count, 3 * lots_per_owner_max);
    assert_int_equal(ledger->owner->lot_count, 0);
    ledger_check(ledger->owner);
    /* A search for each instant would take minutes. */
    assert_true(took < 5 * CLOCKS_PER_SEC);
    world_free(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way),
        cmocka_unit_test(test_very_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
