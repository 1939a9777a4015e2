/*
 * test_property.c - 100 000 random operations: invariants, storing and loading, and the audit
 * agree.
 *
 * Owns:      the workload, seeded; a failure prints the seed, and the seed is the repro.
 *
 * Each operation loads the owner from what was stored, settles, does one to three things and is
 * stored again; ledger_finish() asserts the invariants, the world compares the loaded owner with
 * the booked one, and the audit replays all movements every so often and at the end of each
 * owner's life. Debt is followed movement by movement: whatever became available has repaid it in
 * the very next one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "world.h"

enum { owners = 100, operations_each = 1000, audit_every = 250, remembered = 24 };

/* A redemption or an earning that a return may name. */
struct paid {
    struct take take;
    amount restored;
};
struct earned {
    struct take lot;
    amount revoked;
};

struct play {
    struct world world;
    uint64_t seed, random;
    unix_ms now;
    uint32_t paid_count, earned_count;
    struct paid paid[remembered];
    struct earned earned[remembered];
    uint32_t did[16]; /* how often each thing was done */
    uint32_t debt_seen;                       /* movements whose debt was followed */
    amount free[4], debt[4];                  /* by currency, counted from movements */
    uint32_t repaid_by[movement_kind_count];  /* debt repaid by what each kind set free */
    uint32_t dead;                            /* given back in debt, and dead at once */
};

enum doing {
    DO_EARN,
    DO_SPEND,
    DO_HOLD,
    DO_CAPTURE,
    DO_CAPTURE_PART,
    DO_VOID,
    DO_RESTORE,
    DO_REVOKE,
    DO_REGIVE,
    DO_COUNT,
    DO_OPEN,
    DO_REFUSED,
    doing_count
};

static uint64_t
below(struct play *play, uint64_t n)
{
    return random_below(&play->random, n);
}

static void
remember_paid(struct play *play, const struct take *take)
{
    uint32_t at = play->paid_count < remembered ? play->paid_count++
                                                : (uint32_t)below(play, remembered);

    play->paid[at] = (struct paid){ .take = *take };
}

static void
earn(struct play *play, struct ledger *ledger)
{
    uint8_t currency = (uint8_t)(1 + below(play, 3));
    amount points = 1 + (amount)below(play, below(play, 4) ? 200 : 1000000);
    unix_ms late = below(play, 8) ? 0 : (unix_ms)below(play, 400) * DAY_MS;
    struct earned earned = { .lot = { .currency = currency,
                                      .points = points,
                                      .size = points,
                                      .cause = ledger->op_id,
                                      .rule = 3,
                                      .version = 7 } };

    if (below(play, 5) == 0) { /* dates of its own, some of them strange */
        unix_ms from = play->now + (unix_ms)below(play, 40) * DAY_MS - 20 * DAY_MS;
        unix_ms end = below(play, 6) ? from + (unix_ms)below(play, 40) * DAY_MS : TIME_NONE;
        uint32_t lot_no = ledger_earn_life(ledger,
                                           below(play, 2) ? MOVEMENT_OPEN : MOVEMENT_MOVE_IN,
                                           currency, points, play->now, 0, rule_none, from, end);
        assert_int_not_equal(lot_no, 0);
        play->did[DO_OPEN]++;
        return;
    }
    earned.lot.lot_no = ledger_earn(ledger, MOVEMENT_EARN, currency, points, play->now - late, 7, 3,
                                    &earned.lot.active_from, &earned.lot.expires_at);
    assert_int_not_equal(earned.lot.lot_no, 0);
    uint32_t at = play->earned_count < remembered ? play->earned_count++
                                                  : (uint32_t)below(play, remembered);
    play->earned[at] = earned;
    play->did[DO_EARN]++;
}

/* Points that can be taken, or a little more. */
static amount
some_points(struct play *play, const struct owner *owner, uint8_t currency)
{
    amount available = ledger_available(owner, currency);

    if (below(play, 10) == 0)
        return available + 1 + (amount)below(play, 3);
    if (below(play, 8) == 0 && available > 0)
        return available;
    return available > 0 ? 1 + (amount)below(play, (uint64_t)available) : 1;
}

static void
take_points(struct play *play, struct ledger *ledger, bool hold)
{
    uint8_t currency = (uint8_t)(1 + below(play, 3));
    amount available = ledger_available(ledger->owner, currency);
    amount points = some_points(play, ledger->owner, currency), sum = 0;
    struct take *take;
    uint32_t count;
    enum outcome outcome = ledger_plan_take(ledger->owner, currency, points, ledger->arena, &take,
                                            &count);

    assert_int_equal(outcome, points > available ? OUTCOME_NOT_ENOUGH : OUTCOME_DONE);
    assert_int_equal(count > 0, outcome == OUTCOME_DONE);
    for (uint32_t i = 0; i < count; i++)
        sum += take[i].points;
    assert_true(sum == (outcome == OUTCOME_DONE ? points : 0));
    if (outcome != OUTCOME_DONE)
        return;
    if (hold) {
        unix_ms ends = play->now + 1 + (unix_ms)below(play, (uint64_t)(20 * DAY_MS));
        uint32_t before = ledger->owner->hold_count;
        if (ledger_find_hold(ledger->owner, ledger->op_id))
            return;
        outcome = ledger_hold(ledger, ledger->op_id, ends, take, below(play, 12) ? count : 0);
        assert_int_equal(outcome,
                         before < holds_per_owner_max ? OUTCOME_DONE : OUTCOME_TOO_MANY_HOLDS);
        play->did[DO_HOLD]++;
        return;
    }
    ledger_spend(ledger, take, count, 0);
    assert_true(ledger_available(ledger->owner, currency) == available - points);
    for (uint32_t i = 0; i < count; i++)
        remember_paid(play, &take[i]);
    play->did[DO_SPEND]++;
}

static void
resolve_hold(struct play *play, struct ledger *ledger)
{
    if (ledger->owner->hold_count == 0)
        return;
    const struct hold *hold = &ledger->owner->hold[below(play, ledger->owner->hold_count)];
    uint64_t id = hold->id;

    switch (below(play, 3)) {
    case 0:
        ledger_void(ledger, id);
        play->did[DO_VOID]++;
        break;
    case 1:
        for (uint32_t i = 0; i < hold->take_count; i++)
            remember_paid(play, &hold->take[i]);
        ledger_capture(ledger, id);
        play->did[DO_CAPTURE]++;
        break;
    default: {
        if (hold->take_count == 0)
            return;
        struct take part = hold->take[below(play, hold->take_count)];
        bool whole = hold->take_count == 1 && below(play, 2);
        if (!whole)
            part.points = 1 + (amount)below(play, (uint64_t)part.points);
        whole = hold->take_count == 1 && part.points == hold->take[0].points;
        ledger_spend(ledger, &part, 1, id);
        assert_true((ledger_find_hold(ledger->owner, id) == NULL) == whole);
        remember_paid(play, &part);
        play->did[DO_CAPTURE_PART]++;
        return;
    }
    }
    assert_null(ledger_find_hold(ledger->owner, id));
}

static void
restore(struct play *play, struct ledger *ledger)
{
    if (play->paid_count == 0)
        return;
    struct paid *paid = &play->paid[below(play, play->paid_count)];
    amount left = paid->take.points - paid->restored;
    if (left == 0)
        return;
    amount points = below(play, 2) ? left : 1 + (amount)below(play, (uint64_t)left);
    amount before = owner_balance(ledger->owner, paid->take.currency, ACCOUNT_REDEEMED);
    ledger_restore(ledger, &paid->take, points, 99);
    assert_true(owner_balance(ledger->owner, paid->take.currency, ACCOUNT_REDEEMED) ==
                before - points);
    paid->restored += points;
    play->did[DO_RESTORE]++;
}

static void
revoke(struct play *play, struct ledger *ledger)
{
    if (play->earned_count == 0)
        return;
    struct earned *earned = &play->earned[below(play, play->earned_count)];
    uint8_t currency = earned->lot.currency;
    amount left = earned->lot.points - earned->revoked;

    if (below(play, 3) == 0 && earned->revoked > 0) {
        amount points = 1 + (amount)below(play, (uint64_t)earned->revoked);
        ledger_regive(ledger, &earned->lot, points, 98);
        earned->revoked -= points;
        play->did[DO_REGIVE]++;
        return;
    }
    if (left == 0)
        return;
    amount points = below(play, 2) ? left : 1 + (amount)below(play, (uint64_t)left), debt = -1;
    amount owed = owner_balance(ledger->owner, currency, ACCOUNT_DEBT);
    uint32_t movements = ledger->changes->movement_count;
    enum outcome outcome = ledger_revoke(ledger, earned->lot.lot_no, currency, points, 98, &debt);
    if (outcome != OUTCOME_DONE) {
        assert_int_equal(outcome, OUTCOME_RETURN_POINTS_SPENT);
        assert_int_equal(currency, 3);
        assert_int_equal(ledger->changes->movement_count, movements);
        play->did[DO_REFUSED]++;
        return;
    }
    assert_true(debt >= 0 && debt <= points);
    assert_true(owner_balance(ledger->owner, currency, ACCOUNT_DEBT) == owed - debt);
    earned->revoked += points;
    play->did[DO_REVOKE]++;
}

static void
count(struct play *play, struct ledger *ledger)
{
    int64_t add[counters_per_programme_max] = { 0 };
    unix_ms at = play->now - (unix_ms)below(play, 3) * 20 * DAY_MS;

    for (int i = 0; i < 4; i++)
        add[i] = (int64_t)below(play, 300) - 100;
    ledger_count(ledger, at, add);
    ledger_level(ledger, play->now);
    play->did[DO_COUNT]++;
}

static void
do_something(struct play *play, struct ledger *ledger)
{
    switch (below(play, 14)) {
    case 0:
    case 1:
    case 2:
    case 3:
        earn(play, ledger);
        break;
    case 4:
    case 5:
        take_points(play, ledger, false);
        break;
    case 6:
    case 7:
        take_points(play, ledger, true);
        break;
    case 8:
        resolve_hold(play, ledger);
        break;
    case 9:
        restore(play, ledger);
        break;
    case 10:
    case 11:
        revoke(play, ledger);
        break;
    case 12:
        count(play, ledger);
        break;
    default:
        break; /* settle alone */
    }
}

/* What a movement makes available. `next`: the one after it in the operation, or NULL. */
static amount
set_free(const struct movement *movement, const struct movement *next)
{
    switch (movement->kind) {
    case MOVEMENT_RELEASE: /* unless the hold is used, and it is spent */
        return next && next->kind == MOVEMENT_SPEND && next->ref == movement->ref &&
                       next->lot_no == movement->lot_no
                   ? 0
                   : movement->amount;
    case MOVEMENT_RESTORE:
        return movement->expires_at > movement->at ? movement->amount : 0;
    case MOVEMENT_REPAY:
        return 0;
    default:
        return movement->account == ACCOUNT_ACTIVE ? movement->amount : 0;
    }
}

/* The accounts that decide what is available and what is owed, counted again. */
static void
follow_accounts(struct play *play, const struct movement *movement)
{
    amount *free = &play->free[movement->currency], *debt = &play->debt[movement->currency];

    *free += movement->account == ACCOUNT_ACTIVE ? movement->amount : 0;
    *free -= movement->contra == ACCOUNT_ACTIVE ? movement->amount : 0;
    *free += movement->account == ACCOUNT_UNHELD ? movement->amount : 0;
    *free -= movement->contra == ACCOUNT_UNHELD ? movement->amount : 0;
    *debt -= movement->account == ACCOUNT_DEBT ? movement->amount : 0;
    *debt += movement->contra == ACCOUNT_DEBT ? movement->amount : 0;
}

/* Whatever an operation made available has repaid debt at once; it leaves nobody with both. */
static void
follow_debt(struct play *play)
{
    const struct world *world = &play->world;
    amount owed = 0; /* what the movement before had to repay */

    for (; play->debt_seen < world->movement_count; play->debt_seen++) {
        const struct movement *movement = &world->movement[play->debt_seen];
        const struct movement *next = play->debt_seen + 1 < world->movement_count ? movement + 1
                                                                                  : NULL;
        if ((movement->kind == MOVEMENT_REPAY ? movement->amount : 0) != owed ||
            (owed > 0 && movement->lot_no != movement[-1].lot_no))
            fail_msg("seed %llu: movement %u: another debt is repaid than must be",
                     (unsigned long long)play->seed, movement->movement_no);
        if (movement->kind == MOVEMENT_LEVEL)
            continue;
        follow_accounts(play, movement);
        amount freed = set_free(movement, next), debt = play->debt[movement->currency];
        owed = freed < debt ? freed : debt;
        play->repaid_by[movement->kind] += owed > 0;
        play->dead += movement->kind == MOVEMENT_RESTORE && freed == 0 && debt > 0;
    }
    assert_true(owed == 0);
    for (uint8_t currency = 1; currency <= 3; currency++) {
        amount available = ledger_available(&world->owner, currency);
        amount debt = -owner_balance(&world->owner, currency, ACCOUNT_DEBT);
        assert_true(available == play->free[currency]);
        assert_true(debt == play->debt[currency]);
        if (available > 0 && debt > 0)
            fail_msg("seed %llu: available points and a debt", (unsigned long long)play->seed);
    }
}

/* Time passes: seconds, hours, days, now and then weeks; at times not at all, or the clock
 * runs back. */
static void
pass_time(struct play *play)
{
    switch (below(play, 8)) {
    case 0:
        break;
    case 1:
        play->now -= (unix_ms)below(play, 1000);
        break;
    case 2:
        play->now += (unix_ms)below(play, (uint64_t)(20 * DAY_MS));
        break;
    case 3: /* to an exact midnight: where everything falls due at once */
        play->now = (play->now / DAY_MS + 1) * DAY_MS;
        break;
    default:
        play->now += (unix_ms)below(play, (uint64_t)(8 * HOUR_MS));
    }
}

/* Settling in steps is settling once: state and movements, but for the operation that touched. */
static void
settle_in_steps(struct play *play)
{
    struct world *world = &play->world;
    struct arena arena;
    struct owner once, steps;
    struct changes one = { 0 }, step = { 0 };
    struct ledger ledger;
    unix_ms end = world->row.settled_to + (unix_ms)below(play, (uint64_t)(60 * DAY_MS));
    unix_ms at = world->row.settled_to;
    uint32_t seen = 0;

    arena_init(&arena, world->arena.source, 1 << 16, 64 << 20);
    world_load(world, &arena, &once);
    world_load(world, &arena, &steps);
    ledger_begin(&ledger, &world->terms, &arena, &once, &one, 1, end);
    bool due = ledger_settle(&ledger);
    assert_int_equal(due, one.movement_count > 0 || once.hold_count < world->row.hold_count);
    while (at < end) {
        at += 1 + (unix_ms)below(play, (uint64_t)(9 * DAY_MS));
        if (below(play, 2) && owner_next_due(&steps) < end)
            at = owner_next_due(&steps); /* exactly when something is due */
        if (at > end)
            at = end;
        ledger_begin(&ledger, &world->terms, &arena, &steps, &step, 1, at);
        ledger_settle(&ledger);
        assert_true(owner_next_due(&steps) > at);
        assert_true(seen + step.movement_count <= one.movement_count);
        for (uint32_t i = 0; i < step.movement_count; i++) {
            const char *difference = movement_difference(&step.movement[i], &one.movement[seen++]);
            if (difference)
                fail_msg("seed %llu: settle in steps differs in %s", (unsigned long long)play->seed,
                         difference);
        }
    }
    assert_int_equal(seen, one.movement_count);
    if (owner_difference(&once, &steps))
        fail_msg("seed %llu: settle in steps leaves another %s", (unsigned long long)play->seed,
                 owner_difference(&once, &steps));
    for (uint32_t i = 1; i < one.movement_count; i++)
        assert_true(one.movement[i - 1].at <= one.movement[i].at);
    arena_release(&arena);
}

static void
play_owner(struct play *play, uint64_t seed)
{
    uint32_t wrong_no;

    play->seed = seed;
    play->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    play->paid_count = play->earned_count = play->debt_seen = 0;
    memset(play->free, 0, sizeof(play->free));
    memset(play->debt, 0, sizeof(play->debt));
    world_init(&play->world);
    if (seed % 3 == 1)
        play->world.terms.zone = world_zone(&play->world, 3);
    play->now = day_of(2025, 1, 1);
    for (int i = 0; i < operations_each; i++) {
        pass_time(play);
        struct ledger *ledger = world_begin(&play->world, play->now);
        if (play->now < ledger->now)
            play->now = ledger->now;
        for (uint64_t things = 1 + below(play, 3); things > 0; things--)
            do_something(play, ledger);
        world_end(&play->world);
        follow_debt(play);
        if (i % 20 == 0)
            settle_in_steps(play);
        if (i % audit_every == audit_every - 1) {
            const char *wrong = world_audit(&play->world, &wrong_no);
            if (wrong)
                fail_msg("seed %llu: %s", (unsigned long long)seed, wrong);
        }
    }
    world_free(&play->world);
}

static void
test_random_operations(void **state)
{
    struct play *play = calloc(1, sizeof(*play));
    uint32_t puts = 0, drops = 0;

    (void)state;
    assert_non_null(play);
    for (uint64_t seed = 1; seed <= owners; seed++) {
        play_owner(play, seed);
        puts += play->world.puts;
        drops += play->world.drops;
    }
    for (int i = 0; i < doing_count; i++)
        if (play->did[i] < 100)
            fail_msg("the workload did thing %d only %u times", i, play->did[i]);
    printf("debt repaid by earning %u, activation %u, points given back %u (dead %u), release %u\n",
           play->repaid_by[MOVEMENT_EARN], play->repaid_by[MOVEMENT_ACTIVATE],
           play->repaid_by[MOVEMENT_RESTORE], play->dead, play->repaid_by[MOVEMENT_RELEASE]);
    assert_true(play->repaid_by[MOVEMENT_EARN] > 100 && play->repaid_by[MOVEMENT_ACTIVATE] > 100);
    assert_true(play->repaid_by[MOVEMENT_RESTORE] > 100 && play->dead > 0);
    assert_true(play->repaid_by[MOVEMENT_RELEASE] > 100);
    if (puts < 1000 || drops < 1000)
        fail_msg("overflow rows: put %u, dropped %u", puts, drops);
    free(play);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_operations) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
