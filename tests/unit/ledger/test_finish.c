/*
 * test_finish.c - overflow rows, next_due, and bookings that fail.
 *
 * Owns:      what is written of many lots; sums that do not fit; every allocation refused in
 *            turn.
 *
 * The world (world.c) does most of the checking: it refuses a row that is put unchanged or
 * dropped twice, and loads and compares after each operation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "../host.h"
#include "world.h"

static const unix_ms begin = INT64_C(1740787200000); /* 2025-03-01 */

/* A lot of `points` that dies `days` later. */
static void
add_lot(struct world *world, amount points, int days)
{
    struct ledger *ledger = world_begin(world, begin);

    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, points, begin, 0, rule_none, begin,
                     begin + days * DAY_MS);
    world_end(world);
}

static void
test_row_holds_sixteen(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    for (int i = 0; i < lots_in_owner_row_max; i++)
        add_lot(&world, 10, 100 + i);
    assert_int_equal(world.overflow_count, 0);
    add_lot(&world, 10, 200); /* the last in order goes to a row of its own */
    assert_int_equal(world.overflow_count, 1);
    assert_int_equal(world.overflow[0].lot_no, 17);
    assert_int_equal(world.changes.lot_put_count, 1);
    add_lot(&world, 10, 50); /* a sooner one pushes one out: only that is put */
    assert_int_equal(world.overflow_count, 2);
    assert_int_equal(world.changes.lot_put_count, 1);
    assert_int_equal(world.changes.lot_drop_count, 0);
    assert_int_equal(world.changes.lot_put[0].lot_no, 16);
    world_free(&world);
}

static void
test_changed_overflow_is_put(void **state)
{
    struct world world;
    struct take *take;
    uint32_t count;
    amount debt;

    (void)state;
    world_init(&world);
    for (int i = 0; i < 20; i++)
        add_lot(&world, 10, 100 + i);
    assert_int_equal(world.overflow_count, 4);

    struct ledger *ledger = world_begin(&world,
                                        begin); /* nothing of them changes: nothing is put */
    world_end(&world);
    assert_int_equal(world.changes.lot_put_count + world.changes.lot_drop_count, 0);

    ledger = world_begin(&world, begin); /* spending the first lets one move into the row */
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 15, ledger->arena, &take, &count), 0);
    ledger_spend(ledger, take, count, 0);
    world_end(&world);
    assert_int_equal(world.changes.lot_drop_count, 1);
    assert_int_equal(world.changes.lot_drop[0], 17);
    assert_int_equal(world.changes.lot_put_count, 0);

    ledger = world_begin(&world, begin); /* a lot of the overflow loses a part, then all */
    assert_int_equal(ledger_revoke(ledger, 20, 1, 4, 1, &debt), OUTCOME_DONE);
    world_end(&world);
    assert_int_equal(world.changes.lot_put_count, 1);
    assert_int_equal(world.changes.lot_put[0].lot_no, 20);
    assert_true(world.changes.lot_put[0].left == 6);
    ledger = world_begin(&world, begin);
    assert_int_equal(ledger_revoke(ledger, 20, 1, 6, 1, &debt), OUTCOME_DONE);
    world_end(&world);
    assert_int_equal(world.changes.lot_put_count, 0);
    assert_int_equal(world.changes.lot_drop_count, 1);
    assert_int_equal(world.changes.lot_drop[0], 20);

    world_begin(&world, begin + 1000 * DAY_MS); /* all die: every row goes */
    world_end(&world);
    assert_int_equal(world.overflow_count, 0);
    assert_int_equal(world.owner.lot_count, 0);
    assert_true(world.owner.next_due == TIME_NONE);
    world_free(&world);
}

/* A lot that has grace moves in the order: its row is put, and not dropped as well. */
static void
test_grace_in_overflow(void **state)
{
    struct world world;
    struct take *take, paid[20];
    uint32_t count;

    (void)state;
    world_init(&world);
    world.currency[0].grace_days = 500;
    for (int i = 0; i < 20; i++)
        add_lot(&world, 10, 10);
    struct ledger *ledger = world_begin(&world, begin);
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 195, ledger->arena, &take, &count), 0);
    memcpy(paid, take, count * sizeof(*take));
    ledger_spend(ledger, take, count, 0);
    assert_int_equal(count, 20);
    world_end(&world);
    for (int i = 0; i < 20; i++)
        add_lot(&world, 10, 300);
    assert_int_equal(world.overflow_count, 5);

    ledger = world_begin(&world, begin + 20 * DAY_MS);
    for (int i = 0; i < 20; i++) /* behind those of 300 days */
        ledger_restore(ledger, &paid[i], 3, 1);
    world_end(&world);
    assert_int_equal(world.owner.lot_count, 40);
    assert_int_equal(world.overflow_count, 24);

    /* Held past its end in the overflow, then prolonged: old place and new are both there. */
    world_free(&world);
    world_init(&world);
    world.currency[0].grace_days = 3;
    for (int i = 0; i < 18; i++)
        add_lot(&world, 10, 10);
    ledger = world_begin(&world, begin);
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 180, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 5, begin + 40 * DAY_MS, take, count), OUTCOME_DONE);
    struct take part = take[17];
    part.points = 4;
    ledger_spend(ledger, &part, 1, 5);
    world_end(&world);
    assert_int_equal(world.overflow_count, 2);
    ledger = world_begin(&world, begin + 20 * DAY_MS);
    ledger_restore(ledger, &part, 1, 1);
    world_end(&world);
    assert_int_equal(world.changes.lot_drop_count, 0);
    assert_int_equal(world.changes.lot_put_count, 1);
    assert_int_equal(world.changes.lot_put[0].lot_no, part.lot_no);
    assert_true(world.changes.lot_put[0].graced);
    world_free(&world);
}

/* Many at once, in no order of number; of the others some are closed and do go. */
static void
test_much_grace_in_overflow(void **state)
{
    struct world world;
    struct ledger *ledger;
    struct take *take;
    uint32_t count;

    (void)state;
    world_init(&world);
    world.currency[0].grace_days = 30;
    for (int i = 0; i < 40; i++)
        add_lot(&world, 10, 10 + i * 7 % 40);
    ledger = world_begin(&world, begin);
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 400, ledger->arena, &take, &count), 0);
    assert_int_equal(count, 40);
    assert_int_equal(ledger_hold(ledger, 5, begin + 90 * DAY_MS, take, count), OUTCOME_DONE);
    for (int i = 0; i < 40; i++) {
        take[i].points = 4;
        ledger_spend(ledger, &take[i], 1, 5);
    }
    world_end(&world);
    assert_int_equal(world.overflow_count, 24);
    struct take old[40];
    for (int i = 0; i < 40; i++) {
        old[i] = world.owner.hold[0].take[i];
        old[i].points = 4;
    }
    ledger = world_begin(&world, begin + 60 * DAY_MS);
    for (int i = 0; i < 40; i++)
        if (i % 3 == 0) { /* prolonged, behind all others */
            ledger_restore(ledger, &old[i], 2, 1);
        } else if (i % 3 == 1) { /* closed */
            old[i].points = 6;
            ledger_spend(ledger, &old[i], 1, 5);
        }
    world_end(&world);
    assert_int_equal(world.owner.lot_count, 27);
    assert_int_equal(world.overflow_count, 11);
    world_free(&world);
}

static void
test_sums_that_do_not_fit(void **state)
{
    struct world world;
    uint32_t no = 9;

    (void)state;
    world_init(&world);
    add_lot(&world, INT64_MAX - 5, 10);
    struct ledger *ledger = world_begin(&world, begin);
    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 6, begin, 0, rule_none, begin, begin + DAY_MS);
    assert_int_equal(world_commit(&world), CODE_RANGE);

    /* The sum of two accounts, each of which fits. */
    ledger = world_begin(&world, begin);
    ledger_earn_life(ledger, MOVEMENT_EARN, 1, 6, begin, 0, rule_none, begin + 1, begin + DAY_MS);
    assert_true(ledger->failed);
    uint32_t movements = ledger->changes->movement_count;
    /* After a failure everything is idle, and nothing asserts. */
    struct take take = {
        .lot_no = 1, .currency = 1, .points = 5, .size = 5, .expires_at = begin + 10 * DAY_MS
    };
    amount debt;
    ledger_spend(ledger, &take, 1, 0);
    ledger_restore(ledger, &take, 5, 1);
    ledger_regive(ledger, &take, 5, 1);
    assert_int_equal(ledger_revoke(ledger, 1, 1, 5, 1, &debt), OUTCOME_DONE);
    assert_int_equal(ledger_hold(ledger, 3, begin + 1, &take, 1), OUTCOME_DONE);
    ledger_level(ledger, begin);
    assert_int_equal(ledger->changes->movement_count, movements);
    assert_int_equal(world_commit(&world), CODE_RANGE);

    assert_null(world_audit(&world, &no)); /* nothing was stored */
    assert_int_equal(world.movement_count, 1);
    add_lot(&world, 5, 10); /* exactly full */
    assert_null(world_audit(&world, &no));
    world_free(&world);
}

/* Debt has a border too. */
static void
test_debt_that_does_not_fit(void **state)
{
    struct world world;
    amount debt;

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, begin);
    assert_int_equal(ledger_revoke(ledger, 1, 1, INT64_MAX, 1, &debt), OUTCOME_DONE);
    assert_true(debt == INT64_MAX);
    world_end(&world);
    ledger = world_begin(&world, begin);
    assert_int_equal(ledger_revoke(ledger, 1, 1, 5, 1, &debt), OUTCOME_DONE);
    assert_int_equal(world_commit(&world), CODE_RANGE);
    world_free(&world);
}

static void
test_last_movement(void **state)
{
    struct world world;
    unix_ms from, end;

    (void)state;
    world_init(&world);
    world.row.last_movement = UINT32_MAX - 1;
    struct ledger *ledger = world_begin(&world, begin);
    assert_int_equal(ledger_earn(ledger, MOVEMENT_EARN, 1, 5, begin, 7, 1, &from, &end),
                     UINT32_MAX);
    assert_int_equal(ledger_earn(ledger, MOVEMENT_EARN, 1, 5, begin, 7, 1, &from, &end), 0);
    assert_int_equal(world_commit(&world), CODE_LIMIT);
    world_free(&world);
}

static void
test_lots_per_owner(void **state)
{
    struct world world;
    unix_ms from, end;

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, begin);
    for (int i = 0; i < lots_per_owner_max; i++)
        assert_int_not_equal(ledger_earn(ledger, MOVEMENT_EARN, 1, 5, begin, 7, 1, &from, &end), 0);
    assert_int_equal(ledger_earn(ledger, MOVEMENT_EARN, 1, 5, begin, 7, 1, &from, &end), 0);
    assert_int_equal(world_commit(&world), CODE_LIMIT);
    world_free(&world);
}

static void
test_holds_per_owner(void **state)
{
    struct world world;
    struct take *take;
    uint32_t count;

    (void)state;
    world_init(&world);
    add_lot(&world, 1000, 10);
    struct ledger *ledger = world_begin(&world, begin);
    for (uint64_t id = 1; id <= holds_per_owner_max; id++) { /* ids in no order */
        assert_int_equal(ledger_plan_take(ledger->owner, 1, 2, ledger->arena, &take, &count), 0);
        assert_int_equal(ledger_hold(ledger, id * 37 % 101, begin + 9, take, count), OUTCOME_DONE);
    }
    uint32_t movements = ledger->changes->movement_count;
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 2, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 200, begin + 9, take, count), OUTCOME_TOO_MANY_HOLDS);
    assert_int_equal(ledger->changes->movement_count, movements);
    assert_null(ledger_find_hold(ledger->owner, 200));
    world_end(&world);
    world_begin(&world, begin + 9);
    assert_int_equal(world.changes.movement_count, holds_per_owner_max);
    world_end(&world);
    world_free(&world);
}

/* A booking that touches everything, in so much memory. */
static enum code
busy_booking(struct world *world, char *memory, size_t size)
{
    struct arena lasting, arena;
    struct owner owner;
    struct changes changes = { 0 };
    struct ledger ledger;
    struct err err = { 0 };
    struct take *take = NULL;
    uint32_t count = 0;
    unix_ms from, end, now = begin + 20 * DAY_MS;
    int64_t add[counters_per_programme_max] = { 5000, 1, 900, 1 };
    amount debt;
    struct take old = {
        .lot_no = 1, .currency = 1, .points = 9, .size = 10, .cause = 1, .expires_at = now + DAY_MS
    };

    arena_init(&lasting, host_source(), 1 << 14, 1 << 22);
    world_load(world, &lasting, &owner);
    owner.lot_cap = owner.lot_count; /* no room for another */
    arena_init_fixed(&arena, memory, size);
    ledger_begin(&ledger, &world->terms, &arena, &owner, &changes, 99, now);
    ledger_settle(&ledger);
    if (!ledger.failed && ledger_plan_take(&owner, 1, 7, &arena, &take, &count) == OUTCOME_DONE)
        ledger_spend(&ledger, take, count, 0);
    ledger_restore(&ledger, &old, 1, 5);
    old.lot_no = 2;
    ledger_regive(&ledger, &old, 1, 5);
    ledger_earn(&ledger, MOVEMENT_EARN, 2, 5, now, 7, 1, &from, &end);
    ledger_earn(&ledger, MOVEMENT_EARN, 3, 5, now, 7, 1, &from, &end);
    assert_int_equal(ledger_revoke(&ledger, 5, 1, 50, 5, &debt), OUTCOME_DONE);
    if (!ledger.failed && ledger_plan_take(&owner, 1, 9, &arena, &take, &count) == OUTCOME_DONE) {
        assert_int_equal(ledger_hold(&ledger, 4, now + 1, take, count), OUTCOME_DONE);
        assert_int_equal(ledger_hold(&ledger, 2, now + 1, NULL, 0), OUTCOME_DONE);
        take[0].points = 1;
        if (ledger_find_hold(&owner, 4))
            ledger_spend(&ledger, take, 1, 4);
        if (ledger_find_hold(&owner, 4))
            ledger_capture(&ledger, 4);
        if (ledger_find_hold(&owner, 2))
            ledger_void(&ledger, 2);
    }
    ledger_count(&ledger, now, add);
    ledger_level(&ledger, now);
    enum code rc = ledger_finish(&ledger, &err);
    assert_int_equal(rc, err.code);
    assert_true((rc == OK) == !arena.failed);
    if (rc == OK)
        assert_true(owner.version == world->row.version + 1);
    arena_release(&lasting);
    return rc;
}

static void
test_every_amount_of_memory(void **state)
{
    static _Alignas(16) char memory[1 << 17];
    struct world world;
    struct take *take;
    uint32_t count, refused = 0;
    amount debt;
    size_t size = 64;

    (void)state;
    world_init(&world);
    for (int i = 0; i < 28; i++)
        add_lot(&world, 10, 15 + i % 10);
    struct ledger *ledger = world_begin(&world, begin);
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 30, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 3, begin + 17 * DAY_MS, take, count), OUTCOME_DONE);
    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 9, begin, 0, rule_none, begin + DAY_MS, TIME_NONE);
    assert_int_equal(ledger_revoke(ledger, 2, 1, 10, 5, &debt), OUTCOME_DONE);
    world_end(&world);
    while (size < sizeof(memory) && busy_booking(&world, memory, size) != OK) {
        refused++;
        size += 32;
    }
    assert_true(size < sizeof(memory));
    assert_true(refused > 100);
    print_message("%u amounts of memory that are too little, each told\n", refused);
    world_free(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_holds_sixteen),    cmocka_unit_test(test_changed_overflow_is_put),
        cmocka_unit_test(test_grace_in_overflow),    cmocka_unit_test(test_much_grace_in_overflow),
        cmocka_unit_test(test_sums_that_do_not_fit), cmocka_unit_test(test_debt_that_does_not_fit),
        cmocka_unit_test(test_last_movement),        cmocka_unit_test(test_lots_per_owner),
        cmocka_unit_test(test_holds_per_owner),      cmocka_unit_test(test_every_amount_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
