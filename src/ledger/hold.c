/*
 * hold.c - points set aside for a reserve, until it is captured, voided or ends.
 *
 * Owns:      the owner's holds.
 * Must not:  spend (spend.c does), or extend a hold.
 * Invariant: what a lot has held is the sum of what holds took of it; a hold is resolved once. A
 *            hold of no points may stand as well: it lives and ends like the others and moves
 *            nothing. What a hold sets free repays debt; what it captures does not.
 * Cost:      O(holds), and finding each lot by its life.
 * Tests:     tests/tables/holds/, tests/unit/ledger/test_property.c
 */
#include "ledger/hold.h"

#include "base/mem.h"
#include "ledger/settle.h"

const struct hold *
ledger_find_hold(const struct owner *owner, uint64_t id)
{
    assert(owner->hold_count <= holds_per_owner_max);
    for (uint32_t i = 0; i < owner->hold_count; i++)
        if (owner->hold[i].id == id)
            return &owner->hold[i];
    return NULL;
}

static void
drop_hold(struct owner *owner, uint64_t id)
{
    const struct hold *hold = ledger_find_hold(owner, id);

    assert(hold);
    uint32_t at = (uint32_t)(hold - owner->hold);
    uint32_t after = owner->hold_count - at - 1;
    memmove(owner->hold + at, owner->hold + at + 1, after * sizeof(*hold));
    owner->hold_count--;
}

void
holds_drop_ended(struct owner *owner, unix_ms now)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < owner->hold_count; i++)
        if (owner->hold[i].ends_at > now)
            owner->hold[kept++] = owner->hold[i];
    assert(kept <= owner->hold_count);
    owner->hold_count = kept;
}

/* Room for one more hold at position `at`; NULL: the booking has failed. */
static struct hold *
insert_hold(struct ledger *ledger, uint32_t at)
{
    struct owner *owner = ledger->owner;
    struct hold *more = arena_array(ledger->arena, struct hold, owner->hold_count + 1);

    assert(at <= owner->hold_count);
    if (!more) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return NULL;
    }
    if (owner->hold_count > 0) {
        memcpy(more, owner->hold, at * sizeof(*more));
        memcpy(more + at + 1, owner->hold + at, (owner->hold_count - at) * sizeof(*more));
    }
    owner->hold = more;
    owner->hold_count++;
    return &more[at];
}

enum outcome
ledger_hold(struct ledger *ledger, uint64_t id, unix_ms ends_at, const struct take *take,
            uint32_t count)
{
    struct owner *owner = ledger->owner;
    uint32_t at = 0;

    assert(id != 0);
    assert(ends_at > ledger->now);
    assert(owner->settled_to == ledger->now);
    assert(!ledger_find_hold(owner, id));
    if (owner->hold_count >= holds_per_owner_max)
        return OUTCOME_TOO_MANY_HOLDS;
    if (ledger->failed)
        return OUTCOME_DONE; /* ledger_finish() tells */
    while (at < owner->hold_count && owner->hold[at].id < id)
        at++;
    struct take *own = arena_array(ledger->arena, struct take, count);
    if (!own) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return OUTCOME_DONE;
    }
    struct hold *hold = insert_hold(ledger, at);
    if (!hold)
        return OUTCOME_DONE;
    if (count > 0)
        memcpy(own, take, count * sizeof(*own));
    *hold = (struct hold){ .id = id, .ends_at = ends_at, .take_count = count, .take = own };
    for (uint32_t i = 0; i < count; i++) {
        struct lot *lot = lots_find_life(owner, take[i].lot_no, take[i].expires_at);
        assert(lot);
        assert(lot->currency == take[i].currency);
        lot_move(ledger, lot, MOVEMENT_HOLD, take[i].points, id, ledger->now);
    }
    return OUTCOME_DONE;
}

void
hold_release(struct ledger *ledger, const struct hold *hold, unix_ms at)
{
    assert(hold->id != 0);
    for (uint32_t i = 0; i < hold->take_count; i++) {
        const struct take *take = &hold->take[i];
        struct lot *lot = lots_find_life(ledger->owner, take->lot_no, take->expires_at);
        assert(lot); /* a lot is not closed while a part of it is held */
        if (lot_move(ledger, lot, MOVEMENT_RELEASE, take->points, hold->id, at))
            lot_repay(ledger, lot, at);
    }
}

void
hold_release_part(struct ledger *ledger, uint64_t id, const struct take *part)
{
    struct owner *owner = ledger->owner;
    const struct hold *found = ledger_find_hold(owner, id);

    assert(found);
    struct hold *hold = &owner->hold[found - owner->hold];
    struct lot *lot = lots_find_life(owner, part->lot_no, part->expires_at);
    /* A new list: the caller may hold the old one, and its record must keep what was held. */
    struct take *rest = arena_array(ledger->arena, struct take, hold->take_count);
    amount wanted = part->points;
    uint32_t kept = 0;

    assert(lot);
    if (!rest) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < hold->take_count; i++) {
        rest[kept] = hold->take[i];
        if (hold->take[i].lot_no == part->lot_no) {
            amount out = wanted < rest[kept].points ? wanted : rest[kept].points;
            rest[kept].points -= out;
            wanted -= out;
        }
        kept += rest[kept].points > 0;
    }
    assert(wanted == 0); /* the hold holds what is taken from it */
    lot_move(ledger, lot, MOVEMENT_RELEASE, part->points, id, ledger->now);
    hold->take = rest;
    hold->take_count = kept;
    if (kept == 0)
        drop_hold(owner, id);
}

void
ledger_void(struct ledger *ledger, uint64_t id)
{
    const struct hold *hold = ledger_find_hold(ledger->owner, id);

    assert(hold);
    assert(ledger->owner->settled_to == ledger->now);
    if (ledger->failed)
        return;
    hold_release(ledger, hold, ledger->now);
    drop_hold(ledger->owner, id);
    lots_expire(ledger, ledger->now);
    lots_close(ledger->owner);
}

void
ledger_capture(struct ledger *ledger, uint64_t id)
{
    struct owner *owner = ledger->owner;
    const struct hold *hold = ledger_find_hold(owner, id);

    assert(hold);
    assert(owner->settled_to == ledger->now);
    if (ledger->failed)
        return;
    for (uint32_t i = 0; i < hold->take_count; i++) {
        const struct take *take = &hold->take[i];
        struct lot *lot = lots_find_life(owner, take->lot_no, take->expires_at);
        assert(lot);
        if (lot_move(ledger, lot, MOVEMENT_RELEASE, take->points, id, ledger->now))
            lot_move(ledger, lot, MOVEMENT_SPEND, take->points, id, ledger->now);
    }
    drop_hold(owner, id);
    lots_close(owner);
}
