/*
 * spend.c - planned takes are paid with.
 *
 * Owns:      SPEND movements outside a whole capture.
 * Must not:  choose lots (ledger_plan_take() did), or pay in part.
 * Invariant: what is spent was planned on this very state, or is held by the hold named.
 * Cost:      O(takes x log lots).
 * Tests:     tests/tables/lots/, tests/tables/holds/
 */
#include "ledger/hold.h"

void
ledger_spend(struct ledger *ledger, const struct take *take, uint32_t count, uint64_t ref)
{
    struct owner *owner = ledger->owner;

    assert(owner->settled_to == ledger->now);
    for (uint32_t i = 0; i < count && !ledger->failed; i++) {
        if (ref != 0)
            hold_release_part(ledger, ref, &take[i]);
        struct lot *lot = lots_find_life(owner, take[i].lot_no, take[i].expires_at);
        assert(lot);
        assert(lot->currency == take[i].currency);
        lot_move(ledger, lot, MOVEMENT_SPEND, take[i].points, ref, ledger->now);
    }
    lots_close(owner);
}
