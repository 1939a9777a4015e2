/*
 * revoke.c - an earning is taken back, or given again.
 *
 * Owns:      the order in which points are taken back: the earning's lot, other active lots, debt.
 * Must not:  decide how much (flow does), or touch what is held.
 * Invariant: taken from lots + debt = what was asked; a refusal has changed nothing.
 * Cost:      O(lots).
 * Tests:     tests/tables/revoke/, tests/unit/ledger/test_property.c
 */
#include "ledger/settle.h"

/* What lots can give: the earning's own in any state, others only when active. */
static amount
free_in_lots(const struct owner *owner, uint32_t lot_no, uint8_t currency)
{
    amount free = 0;

    for (uint32_t i = 0; i < owner->lot_count; i++) {
        const struct lot *lot = &owner->lot[i];
        assert(lot->lot_no != lot_no || lot->currency == currency);
        if (lot->currency == currency && (!lot->pending || lot->lot_no == lot_no))
            free += lot_free(lot); /* part of PENDING + ACTIVE, which fits */
    }
    return free;
}

/* Take up to `wanted` from one lot; returns what was taken. */
static amount
take_from(struct ledger *ledger, struct lot *lot, amount wanted, uint64_t ref)
{
    amount part = lot_free(lot) < wanted ? lot_free(lot) : wanted;

    assert(wanted >= 0);
    if (part > 0)
        lot_move(ledger, lot, MOVEMENT_REVOKE, part, ref, ledger->now);
    return part;
}

enum outcome
ledger_revoke(struct ledger *ledger, uint32_t lot_no, uint8_t currency, amount points, uint64_t ref,
              amount *debt)
{
    struct owner *owner = ledger->owner;
    const struct currency_terms *terms = terms_currency(ledger->terms, currency);
    amount free = free_in_lots(owner, lot_no, currency);
    amount missing = points;

    assert(points > 0);
    assert(lot_no != 0);
    assert(owner->settled_to == ledger->now);
    *debt = 0;
    if (free < points && terms && terms->debt == DEBT_REFUSE)
        return OUTCOME_RETURN_POINTS_SPENT;
    if (ledger->failed)
        return OUTCOME_DONE; /* ledger_finish() tells */
    struct lot *own = lots_find(owner, lot_no);
    if (own)
        missing -= take_from(ledger, own, missing, ref);
    for (uint32_t i = 0; i < owner->lot_count && missing > 0; i++)
        if (owner->lot[i].currency == currency && !owner->lot[i].pending)
            missing -= take_from(ledger, &owner->lot[i], missing, ref);
    lots_close(owner);
    assert(missing == (free < points ? points - free : 0)); /* counted a second way */
    if (missing > 0)
        ledger_book(ledger, &(struct movement){
                                .kind = MOVEMENT_REVOKE,
                                .account = ACCOUNT_REVOKED,
                                .contra = ACCOUNT_DEBT,
                                .currency = currency,
                                .amount = missing,
                                .rule = rule_none,
                                .ref = ref,
                                .at = ledger->now,
                            });
    *debt = missing;
    return OUTCOME_DONE;
}

/* Give again what debt takes; returns the rest. */
static amount
regive_debt(struct ledger *ledger, uint8_t currency, amount points, uint64_t ref)
{
    amount debt = -owner_balance(ledger->owner, currency, ACCOUNT_DEBT);
    amount part = debt < points ? debt : points;

    assert(debt >= 0);
    if (part > 0)
        ledger_book(ledger, &(struct movement){
                                .kind = MOVEMENT_REGIVE,
                                .account = ACCOUNT_DEBT,
                                .contra = ACCOUNT_REVOKED,
                                .currency = currency,
                                .amount = part,
                                .rule = rule_none,
                                .ref = ref,
                                .at = ledger->now,
                            });
    return points - part;
}

void
ledger_regive(struct ledger *ledger, const struct take *lot, amount points, uint64_t ref)
{
    struct owner *owner = ledger->owner;

    assert(points > 0);
    assert(owner->settled_to == ledger->now);
    if (ledger->failed)
        return;
    amount rest = regive_debt(ledger, lot->currency, points, ref);
    if (rest == 0 || ledger->failed)
        return;
    struct lot *own = lots_find_life(owner, lot->lot_no, lot->expires_at);
    if (!own) {
        struct lot again = lot_of_take(lot);
        again.pending = again.active_from > ledger->now;
        own = lots_insert(ledger, &again);
        if (!own)
            return;
    }
    assert(own->currency == lot->currency);
    bool dies = own->expires_at <= ledger->now;
    lot_move(ledger, own, MOVEMENT_REGIVE, rest, ref, ledger->now);
    if (dies) {
        lots_expire(ledger, ledger->now);
        lots_close(owner);
    }
}
