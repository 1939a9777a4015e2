/*
 * test_lot.c - which lots pay, compared with a plain second way of finding them.
 *
 * Owns:      plans over random lots: order, parts, what a take remembers; nothing is changed by
 *            planning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "world.h"

static const unix_ms begin = INT64_C(1740787200000); /* 2025-03-01 */

/* Random lots of two currencies, some pending, some held in part. */
static void
fill(struct world *world, uint64_t *random, int lots)
{
    struct ledger *ledger = world_begin(world, begin);
    struct take *take;
    uint32_t count;

    for (int i = 0; i < lots; i++) {
        unix_ms end = random_below(random, 5)
                          ? begin + (1 + (unix_ms)random_below(random, 9)) * DAY_MS
                          : TIME_NONE;
        ledger_earn_life(ledger, MOVEMENT_OPEN, (uint8_t)(1 + random_below(random, 2)),
                         1 + (amount)random_below(random, 100), begin, 7, 3,
                         begin + (random_below(random, 5) == 0), end);
    }
    amount available = ledger_available(ledger->owner, 1);
    if (available > 3) {
        assert_int_equal(
            ledger_plan_take(ledger->owner, 1, available / 3, ledger->arena, &take, &count), 0);
        assert_int_equal(ledger_hold(ledger, 5, begin + DAY_MS, take, count), OUTCOME_DONE);
    }
    world_end(world);
}

/* The lot that pays next, the slow way: the least end, then the least number, of those not used. */
static const struct lot *
next_payer(const struct owner *owner, const bool *used)
{
    const struct lot *best = NULL;

    for (uint32_t i = 0; i < owner->lot_count; i++) {
        const struct lot *lot = &owner->lot[i];
        if (used[i] || lot->currency != 1 || lot->pending || lot->left == lot->held)
            continue;
        if (!best || lot->expires_at < best->expires_at ||
            (lot->expires_at == best->expires_at && lot->lot_no < best->lot_no))
            best = lot;
    }
    return best;
}

static void
check_plan(const struct owner *owner, amount points, struct arena *arena)
{
    bool used[256] = { false };
    struct take *take;
    uint32_t count;
    amount missing = points;

    assert_int_equal(ledger_plan_take(owner, 1, points, arena, &take, &count), OUTCOME_DONE);
    for (uint32_t i = 0; i < count; i++) {
        const struct lot *lot = next_payer(owner, used);
        assert_non_null(lot);
        used[lot - owner->lot] = true;
        amount free = lot->left - lot->held;
        assert_int_equal(take[i].lot_no, lot->lot_no);
        assert_int_equal(take[i].currency, 1);
        assert_true(take[i].points == (free < missing ? free : missing));
        assert_true(take[i].size == lot->size);
        assert_true(take[i].active_from == lot->active_from);
        assert_true(take[i].expires_at == lot->expires_at);
        assert_true(take[i].cause == lot->cause);
        assert_int_equal(take[i].rule, lot->rule);
        assert_int_equal(take[i].version, lot->version);
        missing -= take[i].points;
    }
    assert_true(missing == 0);
}

static void
test_plans(void **state)
{
    uint64_t random = 20250301;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct world world;
        struct owner before;
        struct take *take;
        uint32_t count;

        world_init(&world);
        fill(&world, &random, 1 + round);
        world_load(&world, &world.arena, &before);
        amount available = ledger_available(&world.owner, 1);
        for (amount points = 1; points <= available; points += 1 + available / 50)
            check_plan(&world.owner, points, &world.arena);
        if (available > 0)
            check_plan(&world.owner, available, &world.arena);
        assert_int_equal(
            ledger_plan_take(&world.owner, 1, available + 1, &world.arena, &take, &count),
            OUTCOME_NOT_ENOUGH);
        assert_int_equal(count, 0);
        assert_null(owner_difference(&before, &world.owner));
        world_free(&world);
    }
}

/* Of an owner that never had the currency, and of one that owes. */
static void
test_available(void **state)
{
    struct world world;
    amount debt;

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, begin);
    assert_true(ledger_available(ledger->owner, 9) == 0);
    assert_true(owner_balance(ledger->owner, 9, ACCOUNT_ACTIVE) == 0);
    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 100, begin, 7, 3, begin, TIME_NONE);
    assert_int_equal(ledger_revoke(ledger, 999, 1, 130, 4, &debt), OUTCOME_DONE);
    assert_true(debt == 30);
    assert_true(ledger_available(ledger->owner, 1) == 0);
    assert_true(owner_balance(ledger->owner, 1, ACCOUNT_DEBT) == -30);
    world_end(&world);
    world_free(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
