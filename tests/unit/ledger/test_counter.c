/*
 * test_counter.c - counters by period and over the last days, ladders, and what the engine sees.
 *
 * Owns:      the borders of periods and windows, and levels that rise, stay and fall.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

/* Count `value` on counter `position` for a purchase at `at`, recorded at `now`. */
static void
count(struct world *world, uint32_t position, unix_ms at, unix_ms now, int64_t value)
{
    int64_t add[counters_per_programme_max] = { 0 };
    struct ledger *ledger = world_begin(world, now);

    add[position] = value;
    ledger_count(ledger, at, add);
    world_end(world);
}

static int64_t
value_at(struct world *world, uint32_t position, unix_ms now)
{
    struct owner owner;

    world_load(world, &world->arena, &owner);
    return ledger_counter(&owner, &world->terms, position, now);
}

static void
test_for_ever(void **state)
{
    struct world world;

    (void)state;
    world_init(&world);
    assert_true(value_at(&world, 0, day_of(2025, 2, 1)) == 0);
    count(&world, 0, day_of(2025, 2, 1), day_of(2025, 2, 1), 100);
    count(&world, 0, day_of(2025, 1, 20), day_of(2025, 7, 1), 11);
    assert_true(value_at(&world, 0, day_of(2031, 2, 1)) == 111);
    count(&world, 0, day_of(2025, 2, 1), day_of(2025, 8, 1), -100);
    assert_true(value_at(&world, 0, day_of(2025, 8, 1)) == 11);
    world_free(&world);
}

static void
test_month(void **state)
{
    struct world world;
    unix_ms last = day_of(2025, 3, 1) - 1, first = day_of(2025, 3, 1);

    (void)state;
    world_init(&world);
    count(&world, 1, last, last, 70);
    assert_true(value_at(&world, 1, last) == 70);
    assert_true(value_at(&world, 1, first) == 0); /* another period */
    count(&world, 1, first, first, 5);            /* a newer bucket replaces */
    assert_true(value_at(&world, 1, first) == 5);
    count(&world, 1, last, first, 1000); /* its period is over */
    assert_true(value_at(&world, 1, first) == 5);
    assert_true(value_at(&world, 1, last) == 0);
    assert_int_equal(world.changes.owner->counter_count, 1);
    count(&world, 1, first, day_of(2025, 3, 9), -5);
    assert_true(value_at(&world, 1, day_of(2025, 3, 31)) == 0);
    world_free(&world);
}

/* A purchase late in the evening counts in the month of the programme's zone. */
static void
test_month_of_zone(void **state)
{
    struct world world;
    unix_ms evening = day_of(2025, 3, 1) - 2 * HOUR_MS;

    (void)state;
    world_init(&world);
    world.terms.zone = world_zone(&world, 3);
    count(&world, 1, evening, evening, 70);
    assert_true(value_at(&world, 1, evening) == 70);
    assert_true(value_at(&world, 1, day_of(2025, 3, 20)) == 70);
    assert_true(value_at(&world, 1, day_of(2025, 3, 1) - 4 * HOUR_MS) == 0);
    world_free(&world);
}

static void
test_rolling(void **state)
{
    struct world world;
    unix_ms day = day_of(2025, 3, 1);

    (void)state;
    world_init(&world);
    count(&world, 2, day, day, 10);
    count(&world, 2, day + 5 * HOUR_MS, day + 5 * HOUR_MS, 1);
    assert_int_equal(world.rolling_count, 1); /* one row a day */
    count(&world, 2, day + 10 * DAY_MS, day + 10 * DAY_MS, 100);
    assert_int_equal(world.rolling_count, 2);
    assert_true(value_at(&world, 2, day + 10 * DAY_MS) == 111);
    assert_true(value_at(&world, 2, day + 9 * DAY_MS) == 11);       /* not what is to come */
    assert_true(value_at(&world, 2, day + 30 * DAY_MS - 1) == 111); /* the thirtieth day */
    assert_true(value_at(&world, 2, day + 30 * DAY_MS) == 100);     /* the window has moved on */
    assert_true(value_at(&world, 2, day + 40 * DAY_MS) == 0);

    count(&world, 2, day + DAY_MS, day + 30 * DAY_MS, 3); /* the window's first day counts */
    assert_true(value_at(&world, 2, day + 30 * DAY_MS) == 103);
    count(&world, 2, day, day + 35 * DAY_MS, 1000); /* before the window: not counted */
    assert_true(value_at(&world, 2, day + 35 * DAY_MS) == 100);
    assert_int_equal(world.rolling_count, 1); /* and the old day's row is deleted */

    count(&world, 2, day + 10 * DAY_MS, day + 36 * DAY_MS, -100); /* a return: nothing is left */
    assert_int_equal(world.rolling_count, 0);
    assert_true(value_at(&world, 2, day + 36 * DAY_MS) == 0);
    world_free(&world);
}

/* Two counts of one booking write one row of each day. */
static void
test_rolling_twice(void **state)
{
    struct world world;
    int64_t add[counters_per_programme_max] = { 0, 0, 40, 0 };
    unix_ms day = day_of(2025, 3, 1);

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, day);
    ledger_count(ledger, day, add);
    add[2] = -40;
    ledger_count(ledger, day, add);
    add[2] = 7;
    ledger_count(ledger, day, add);
    ledger_count(ledger, day - DAY_MS, add);
    assert_int_equal(ledger->changes->counter_put_count, 2);
    world_end(&world);
    assert_int_equal(world.rolling_count, 2);
    assert_true(value_at(&world, 2, day) == 14);
    world_free(&world);
}

static void
test_range(void **state)
{
    struct world world;
    int64_t add[counters_per_programme_max] = { INT64_MAX - 1, 0, INT64_MAX, 0 };
    unix_ms day = day_of(2025, 3, 1);

    (void)state;
    world_init(&world);
    ledger_count(world_begin(&world, day), day, add);
    world_end(&world);
    count(&world, 0, day, day, 1);
    assert_true(value_at(&world, 0, day) == INT64_MAX);
    add[0] = 1;
    add[2] = 0;
    ledger_count(world_begin(&world, day), day, add);
    assert_int_equal(world_commit(&world), CODE_RANGE);
    assert_true(value_at(&world, 0, day) == INT64_MAX);
    /* A sum over days that does not fit stays at the border. */
    count(&world, 2, day + DAY_MS, day + DAY_MS, 5);
    assert_true(value_at(&world, 2, day + DAY_MS) == INT64_MAX);
    world_free(&world);
}

/* Ladder 1 never falls; ladder 2 falls at once. */
static void
test_levels(void **state)
{
    struct world world;
    unix_ms day = day_of(2025, 3, 1);
    struct member_view view;
    int64_t add[counters_per_programme_max] = { 2500, 0, 600, 1 };

    (void)state;
    world_init(&world);
    ledger_member_view(&world.row, &world.terms, day, &view);
    assert_int_equal(view.level[0], 0);

    struct ledger *ledger = world_begin(&world, day);
    ledger_level(ledger, day); /* the first level is from 0 */
    world_end(&world);
    assert_int_equal(ledger_level_of(&world.owner, 1), 1);
    assert_int_equal(ledger_level_of(&world.owner, 2), 0);
    assert_int_equal(world.movement_count, 1);

    ledger = world_begin(&world, day + 1);
    ledger_count(ledger, day + 1, add);
    ledger_level(ledger, day + 1);
    world_end(&world);
    assert_int_equal(ledger_level_of(&world.owner, 1), 3); /* over the second */
    assert_int_equal(ledger_level_of(&world.owner, 2), 1);
    assert_int_equal(world.movement_count, 3);
    const struct movement *movement = &world.movement[1];
    assert_int_equal(movement->kind, MOVEMENT_LEVEL);
    assert_int_equal(movement->lot_no, 1);
    assert_int_equal(movement->rule, 3);
    assert_int_equal(movement->version, 7);
    assert_true(movement->amount == 0 && movement->at == day + 1);

    ledger = world_begin(&world, day + 2);
    ledger_level(ledger, day + 2); /* nothing has changed */
    world_end(&world);
    assert_int_equal(world.movement_count, 3);

    ledger = world_begin(&world, day + 40 * DAY_MS); /* the window has moved on */
    add[0] = -2500;
    add[2] = 0;
    add[3] = 0;
    ledger_count(ledger, day, add);
    ledger_level(ledger, day + 40 * DAY_MS);
    world_end(&world);
    assert_int_equal(ledger_level_of(&world.owner, 1), 3); /* never falls */
    assert_int_equal(ledger_level_of(&world.owner, 2), 0);
    assert_int_equal(world.movement_count, 4);
    assert_true(world.owner.level[1].since == day + 40 * DAY_MS);
    assert_true(world.owner.level[0].since == day + 1);

    ledger_member_view(&world.owner, &world.terms, day + 40 * DAY_MS, &view);
    assert_int_equal(view.level[0], 3);
    assert_int_equal(view.level[1], 0);
    world.ladder[0].level_count = 2; /* a later version has fewer */
    ledger_member_view(&world.owner, &world.terms, day + 40 * DAY_MS, &view);
    assert_int_equal(view.level[0], 2);
    world_free(&world);
}

static void
test_met_at_equality(void **state)
{
    struct world world;
    unix_ms day = day_of(2025, 3, 1);
    const int64_t value[] = { 999, 1, 999, 1 };
    const uint8_t level[] = { 1, 2, 2, 3 };

    (void)state;
    world_init(&world);
    for (int i = 0; i < 4; i++) {
        int64_t add[counters_per_programme_max] = { value[i] };
        struct ledger *ledger = world_begin(&world, day + i);
        ledger_count(ledger, day, add);
        ledger_level(ledger, day + i);
        world_end(&world);
        assert_int_equal(ledger_level_of(&world.owner, 1), level[i]);
    }
    world_free(&world);
}

/* Levels stand in the order of ladders, whichever was reached first. */
static void
test_order_of_ladders(void **state)
{
    struct world world;
    unix_ms day = day_of(2025, 3, 1);
    int64_t add[counters_per_programme_max] = { 0, 0, 600, 0 };

    (void)state;
    world_init(&world);
    world.ladder[0].level[0].from = 100;
    struct ledger *ledger = world_begin(&world, day);
    ledger_count(ledger, day, add);
    ledger_level(ledger, day);
    world_end(&world);
    assert_int_equal(world.owner.level_count, 1);
    assert_int_equal(world.owner.level[0].ladder_no, 2);
    add[0] = 100;
    ledger = world_begin(&world, day + 1);
    ledger_count(ledger, day + 1, add);
    ledger_level(ledger, day + 1);
    world_end(&world);
    assert_int_equal(world.owner.level_count, 2);
    assert_int_equal(world.owner.level[0].ladder_no, 1);
    assert_true(world.owner.level[0].since == day + 1);
    assert_int_equal(world.owner.level[1].ladder_no, 2);
    assert_int_equal(world.owner.level[1].level, 2);
    world_free(&world);
}

static void
test_view(void **state)
{
    struct world world;
    unix_ms day = day_of(2025, 3, 1), from, end;
    struct member_view view;
    struct take *take;
    uint32_t taken;
    int64_t add[counters_per_programme_max] = { 10, 20, 30, 1 };

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, day);
    ledger_earn(ledger, MOVEMENT_EARN, 1, 100, day, 7, 1, &from, &end);
    ledger_earn(ledger, MOVEMENT_EARN, 2, 200, day, 7, 1, &from, &end); /* waits */
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 30, ledger->arena, &take, &taken), 0);
    assert_int_equal(ledger_hold(ledger, 9, day + DAY_MS, take, taken), OUTCOME_DONE);
    ledger_count(ledger, day, add);
    world_end(&world);

    view.segment_count = 77;
    ledger_member_view(&world.owner, &world.terms, day, &view);
    assert_true(view.known);
    assert_int_equal(view.segment_count, 0);
    assert_true(view.enrolled_at == day_of(2025, 1, 1));
    assert_true(view.available[0] == 70);
    assert_true(view.available[1] == 0);
    assert_true(view.available[2] == 0);
    assert_true(view.counter[0] == 10 && view.counter[1] == 20);
    assert_true(view.counter[2] == 30 && view.counter[3] == 1);
    world.owner.flags = owner_flag_anonymous;
    ledger_member_view(&world.owner, &world.terms, day, &view);
    assert_false(view.known);
    world_free(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_for_ever),         cmocka_unit_test(test_month),
        cmocka_unit_test(test_month_of_zone),    cmocka_unit_test(test_rolling),
        cmocka_unit_test(test_rolling_twice),    cmocka_unit_test(test_range),
        cmocka_unit_test(test_levels),           cmocka_unit_test(test_met_at_equality),
        cmocka_unit_test(test_order_of_ladders), cmocka_unit_test(test_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
