/*
 * settle.c - what is due by now: holds end, lots activate, lots expire.
 *
 * Owns:      the order of due instants, and next_due.
 * Must not:  depend on when it is called: settle(t1) then settle(t2) is settle(t2), movement by
 *            movement.
 * Invariant: afterwards nothing is due: no hold has ended, no lot waits for a day that has come,
 *            and of a lot that is too old only what is held is left.
 * Cost:      O(lots) when nothing is due; O(lots x holds that end + n log n for n lots that
 *            activate) else.
 * Tests:     tests/tables/expiry/, tests/tables/holds/, tests/unit/ledger/test_settle.c
 *
 * Instants are taken in order by merging three sorted lists: holds by their end, pending lots by
 * their day, and all lots by their expiry, which is the order they are kept in. While settle
 * runs, closed lots stay in their places with nothing left, so that positions in the lists stay
 * good. Expiry needs no list: a place in the lots moves on with time, and goes back to the first
 * lot only when a hold has ended, which may free a part that is older than the place.
 */
#include "ledger/settle.h"

#include "base/sort.h"
#include "ledger/hold.h"

/* What is due, in order. */
struct due {
    uint32_t hold_count, lot_count; /* of the lists */
    uint32_t *hold, *lot;           /* positions in the owner's arrays */
    uint32_t next_hold, next_lot;   /* of the lists */
    uint32_t next_expiry;           /* position in the owner's lots */
};

unix_ms
owner_next_due(const struct owner *owner)
{
    unix_ms next = TIME_NONE;

    for (uint32_t i = 0; i < owner->hold_count; i++)
        if (owner->hold[i].ends_at < next)
            next = owner->hold[i].ends_at;
    for (uint32_t i = 0; i < owner->lot_count; i++) {
        const struct lot *lot = &owner->lot[i];
        assert(lot->left > 0);
        if (lot->pending && lot->active_from < next)
            next = lot->active_from;
        if (lot_free(lot) > 0 && lot->expires_at < next)
            next = lot->expires_at;
    }
    return next;
}

void
lot_repay(struct ledger *ledger, struct lot *lot, unix_ms at)
{
    amount debt = -owner_balance(ledger->owner, lot->currency, ACCOUNT_DEBT);

    assert(debt >= 0);
    assert(!lot->pending);
    amount part = lot_free(lot) < debt ? lot_free(lot) : debt;
    if (part > 0)
        lot_move(ledger, lot, MOVEMENT_REPAY, part, 0, at);
}

/* Expire what is due at `at`, from position `from` on; returns where it stopped. */
static uint32_t
expire_from(struct ledger *ledger, uint32_t from, unix_ms at)
{
    struct owner *owner = ledger->owner;
    uint32_t i = from;

    assert(from <= owner->lot_count);
    for (; i < owner->lot_count && owner->lot[i].expires_at <= at; i++)
        if (lot_free(&owner->lot[i]) > 0)
            lot_move(ledger, &owner->lot[i], MOVEMENT_EXPIRE, lot_free(&owner->lot[i]), 0, at);
    return i;
}

void
lots_expire(struct ledger *ledger, unix_ms at)
{
    assert(at != TIME_NONE);
    expire_from(ledger, 0, at);
}

static int
compare_holds(const void *a, const void *b, void *context)
{
    const struct owner *owner = context;
    unix_ms x = owner->hold[*(const uint32_t *)a].ends_at;
    unix_ms y = owner->hold[*(const uint32_t *)b].ends_at;

    return (x > y) - (x < y);
}

static int
compare_activation(const void *a, const void *b, void *context)
{
    const struct owner *owner = context;
    unix_ms x = owner->lot[*(const uint32_t *)a].active_from;
    unix_ms y = owner->lot[*(const uint32_t *)b].active_from;

    return (x > y) - (x < y);
}

/* List what is due by now. The sort is stable: at one instant lots and holds keep their own
 * order. */
static bool
list_due(struct ledger *ledger, struct due *due)
{
    struct owner *owner = ledger->owner;
    uint32_t holds = 0, lots = 0;

    for (uint32_t i = 0; i < owner->hold_count; i++)
        holds += owner->hold[i].ends_at <= ledger->now;
    for (uint32_t i = 0; i < owner->lot_count; i++)
        lots += owner->lot[i].pending && owner->lot[i].active_from <= ledger->now;
    uint32_t most = holds > lots ? holds : lots;
    *due = (struct due){
        .hold = arena_array(ledger->arena, uint32_t, holds),
        .lot = arena_array(ledger->arena, uint32_t, lots),
    };
    uint32_t *scratch = arena_array(ledger->arena, uint32_t, most);
    if (!due->hold || !due->lot || !scratch) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return false;
    }
    for (uint32_t i = 0; i < owner->hold_count; i++)
        if (owner->hold[i].ends_at <= ledger->now)
            due->hold[due->hold_count++] = i;
    for (uint32_t i = 0; i < owner->lot_count; i++)
        if (owner->lot[i].pending && owner->lot[i].active_from <= ledger->now)
            due->lot[due->lot_count++] = i;
    assert(due->hold_count == holds);
    assert(due->lot_count == lots);
    sort_stable(due->hold, holds, sizeof(*due->hold), scratch, compare_holds, owner);
    sort_stable(due->lot, lots, sizeof(*due->lot), scratch, compare_activation, owner);
    return true;
}

/* The earliest instant that is not done yet; TIME_NONE: none by now. */
static unix_ms
next_instant(const struct ledger *ledger, const struct due *due)
{
    const struct owner *owner = ledger->owner;
    unix_ms next = TIME_NONE;

    if (due->next_hold < due->hold_count)
        next = owner->hold[due->hold[due->next_hold]].ends_at;
    if (due->next_lot < due->lot_count) {
        const struct lot *lot = &owner->lot[due->lot[due->next_lot]];
        next = lot->active_from < next ? lot->active_from : next;
    }
    if (due->next_expiry < owner->lot_count) {
        const struct lot *lot = &owner->lot[due->next_expiry];
        next = lot->expires_at < next ? lot->expires_at : next;
    }
    return next <= ledger->now ? next : TIME_NONE;
}

static void
settle_instant(struct ledger *ledger, struct due *due, unix_ms at)
{
    struct owner *owner = ledger->owner;
    bool freed = false;

    assert(at <= ledger->now);
    for (; due->next_hold < due->hold_count; due->next_hold++) {
        struct hold *hold = &owner->hold[due->hold[due->next_hold]];
        if (hold->ends_at != at)
            break;
        hold_release(ledger, hold, at);
        freed = true;
    }
    for (; due->next_lot < due->lot_count; due->next_lot++) {
        struct lot *lot = &owner->lot[due->lot[due->next_lot]];
        if (lot->active_from != at)
            break;
        if (lot->left == 0)
            continue; /* died before its day */
        if (lot_move(ledger, lot, MOVEMENT_ACTIVATE, lot->left, 0, at))
            lot_repay(ledger, lot, at);
    }
    due->next_expiry = expire_from(ledger, freed ? 0 : due->next_expiry, at);
}

bool
ledger_settle(struct ledger *ledger)
{
    struct owner *owner = ledger->owner;
    struct due due;

    assert(ledger->now >= owner->settled_to);
    owner->settled_to = ledger->now;
    if (ledger->failed || owner_next_due(owner) > ledger->now || !list_due(ledger, &due))
        return false;
    for (;;) {
        unix_ms at = next_instant(ledger, &due);
        if (at == TIME_NONE || ledger->failed)
            break;
        settle_instant(ledger, &due, at);
    }
    if (ledger->failed)
        return true;
    holds_drop_ended(owner, ledger->now);
    lots_close(owner);
    assert(owner_next_due(owner) > ledger->now);
    return true;
}
