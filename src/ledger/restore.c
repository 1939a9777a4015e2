/*
 * restore.c - spent points go back to the lot that paid.
 *
 * Owns:      grace for a lot that has expired meanwhile, and lots made again from a take.
 * Must not:  decide how much goes back (flow does, from the purchase's record).
 * Invariant: a lot has grace once; without it what comes back to a lot that is too old dies at
 *            once, and repays no debt; what lives repays debt first.
 * Cost:      O(log lots), and moving those behind a lot that is made again.
 * Tests:     tests/tables/expiry/, tests/tables/revoke/, tests/unit/ledger/test_property.c
 */
#include "ledger/settle.h"

/* When a lot that had expired dies now; its own end when it has no grace. */
static unix_ms
end_with_grace(const struct ledger *ledger, const struct lot *lot)
{
    const struct currency_terms *terms = terms_currency(ledger->terms, lot->currency);
    const struct zone *zone = ledger->terms->zone;

    assert(lot->expires_at <= ledger->now);
    if (!terms || terms->grace_days == 0 || lot->graced)
        return lot->expires_at;
    return zone_midnight(zone, zone_day(zone, ledger->now) + terms->grace_days + 1);
}

void
ledger_restore(struct ledger *ledger, const struct take *take, amount points, uint64_t ref)
{
    struct owner *owner = ledger->owner;

    assert(points > 0);
    assert(points <= take->points);
    assert(owner->settled_to == ledger->now);
    if (ledger->failed)
        return;
    struct lot *lot = lots_find_life(owner, take->lot_no, take->expires_at);
    if (!lot) {
        struct lot again = lot_of_take(take);
        lot = lots_insert(ledger, &again);
        if (!lot)
            return;
    }
    assert(lot->currency == take->currency);
    assert(!lot->pending); /* a part of it was spent */
    if (lot->expires_at <= ledger->now) {
        unix_ms end = end_with_grace(ledger, lot);
        if (end > lot->expires_at) {
            lot = lots_prolong(owner, lot, end);
            lot->graced = true;
        }
    }
    bool dies = lot->expires_at <= ledger->now;
    if (!lot_move(ledger, lot, MOVEMENT_RESTORE, points, ref, ledger->now))
        return;
    if (dies)
        lots_expire(ledger, ledger->now);
    else
        lot_repay(ledger, lot, ledger->now);
    if (lot->left == 0)
        lots_close(owner);
}
