/*
 * earn.c - points are given: a lot is made.
 *
 * Owns:      new lots, from earnings, balances brought in and moves from another owner.
 * Must not:  decide how many points, or compute a lot's life (core/terms.c).
 * Invariant: a lot's number is that of the movement that made it; a lot whose day has come is
 *            active at once and repays debt first; one whose last day has passed already dies at
 *            once.
 * Cost:      O(log lots) and moving those behind.
 * Tests:     tests/tables/lots/, tests/tables/expiry/, tests/unit/ledger/test_property.c
 */
#include "ledger/settle.h"

static enum account
giver_of(enum movement_kind kind)
{
    assert(kind == MOVEMENT_EARN || kind == MOVEMENT_OPEN || kind == MOVEMENT_MOVE_IN);
    return kind == MOVEMENT_EARN   ? ACCOUNT_ISSUED
           : kind == MOVEMENT_OPEN ? ACCOUNT_OPENING
                                   : ACCOUNT_MOVED;
}

uint32_t
ledger_earn_life(struct ledger *ledger, enum movement_kind kind, uint8_t currency, amount points,
                 unix_ms earned_at, uint32_t version, int32_t rule, unix_ms active_from,
                 unix_ms expires_at)
{
    struct owner *owner = ledger->owner;
    amount before = owner_balance(owner, currency, giver_of(kind));
    uint32_t lot_no = ledger_next_no(ledger);

    assert(points > 0);
    assert(owner->settled_to == ledger->now);
    if (lot_no == 0)
        return 0;
    struct lot *lot = lots_insert(ledger, &(struct lot){
                                              .lot_no = lot_no,
                                              .currency = currency,
                                              .pending = active_from > ledger->now,
                                              .size = points,
                                              .active_from = active_from,
                                              .expires_at = expires_at,
                                              .cause = ledger->op_id,
                                              .rule = rule,
                                              .version = version,
                                          });
    if (!lot || !lot_move(ledger, lot, kind, points, 0, earned_at))
        return 0;
    if (!lot->pending)
        lot_repay(ledger, lot, ledger->now);
    if (expires_at <= ledger->now)
        lots_expire(ledger, ledger->now);
    if (lot->left == 0)
        lots_close(owner);
    assert(ledger->failed || owner_balance(owner, currency, giver_of(kind)) == before - points);
    return ledger->failed ? 0 : lot_no;
}

uint32_t
ledger_earn(struct ledger *ledger, enum movement_kind kind, uint8_t currency, amount points,
            unix_ms earned_at, uint32_t version, int32_t rule, unix_ms *active_from,
            unix_ms *expires_at)
{
    const struct currency_terms *terms = terms_currency(ledger->terms, currency);

    assert(terms);
    terms_lot_life(ledger->terms, terms, earned_at, active_from, expires_at);
    return ledger_earn_life(ledger, kind, currency, points, earned_at, version, rule, *active_from,
                            *expires_at);
}
