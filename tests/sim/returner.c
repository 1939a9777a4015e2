/*
 * returner.c - members who bring goods back when they have spent what these earned.
 *
 * Owns:      sprees (spend, then bring back bit by bit) and tangles (a debt, while reserves hold
 *            points and receipts that points paid can come back).
 * Must not:  look at answers; be likely: other members live sensibly.
 */
#include "deed.h"

#include <string.h>

/* A basket of several lines, one of them cheap, that may just meet a threshold. */
static void
buy_for_return(struct sim *sim, int member)
{
    struct deed deed;

    do
        invent_purchase(sim, DEED_COMMIT, &deed);
    while (deed.event.line_count < 3);
    deed.member = member;
    deed.naming = BY_MEMBER;
    deed.event.occurred_at = sim->now;
    deed.event.redeem_count = deed.event.payment_count = 0;
    if (chance_percent(sim, 60))
        deed.event.code = "MAY";
    for (int i = 1; i < deed.event.line_count; i++)
        deed.event.line[i].service = false;
    deed.event.line[0].price /= 20;
    deed.event.line[0].has_gross = false;
    deed.event.line[0].minimum_price = 0;
    m_normalise(sim->programme, &deed.event);
    tell(sim, &deed);
}

/* A whole line of a receipt that is not back yet, or any part. */
static void
return_line(struct sim *sim, int number, struct deed *deed)
{
    const struct m_receipt *receipt = &sim->model.receipt[number];
    int line = (int)chance(sim, receipt->event.line_count);

    return_part(sim, number, deed);
    if (chance_percent(sim, 30) || receipt->quantity[line] == receipt->event.line[line].quantity)
        return;
    memset(deed->quantity, 0, sizeof(deed->quantity));
    deed->quantity[line] = receipt->event.line[line].quantity - receipt->quantity[line];
    deed->whole = false;
}

/* The returner: buys, spends what was earned at once, then brings the goods back bit by bit. */
void
act_spree(struct sim *sim)
{
    int member = some_member(sim), first = sim->model.receipt_count;
    struct deed deed;

    buy_for_return(sim, member);
    if (sim->model.receipt_count == first)
        return;
    if (chance_percent(sim, 50))
        sim->now += chance(sim, 3 * M_DAY); /* until what is pending may have become active */
    invent_purchase(sim, DEED_COMMIT, &deed);
    deed.member = member;
    deed.naming = BY_MEMBER;
    deed.event.occurred_at = sim->now;
    deed.event.confirmed = true;
    deed.event.redeem_count = 1;
    deed.event.redeem[0] = (struct m_redeem){
        .currency = (int)chance(sim, sim->programme->currency_count),
        .max = true,
    };
    tell(sim, &deed);
    for (int parts = 1 + (int)chance(sim, 5); parts > 0 && !sim->failed; parts--) {
        return_line(sim, first, &deed);
        tell(sim, &deed);
    }
}

/* ---- tangles ---- */

/* A basket so large that all points of a currency may pay for it. */
static void
pay_with_all(struct sim *sim, enum deed_kind kind, int member, int currency)
{
    struct deed deed;

    invent_purchase(sim, kind, &deed);
    deed.member = member;
    deed.naming = BY_MEMBER;
    deed.event.occurred_at = sim->now;
    deed.event.confirmed = true;
    deed.event.payment_count = 0;
    deed.event.redeem_count = 1;
    deed.event.redeem[0] = (struct m_redeem){ .currency = currency, .max = true };
    for (int i = 0; i < deed.event.line_count; i++) {
        deed.event.line[i].quantity *= 1 + chance(sim, 8);
        deed.event.line[i].has_gross = false;
        deed.event.line[i].service = false;
    }
    m_normalise(sim->programme, &deed.event);
    tell(sim, &deed);
}

static void
return_some(struct sim *sim, int from, int until)
{
    struct deed deed;

    return_line(sim, from + (int)chance(sim, until - from), &deed);
    deed.whole = deed.whole || chance_percent(sim, 60);
    tell(sim, &deed);
}

/* Until just before a member's points die, so that a reserve outlives them. */
static void
wait_for_brink(struct sim *sim, int member, int currency)
{
    const struct m_member *who = &sim->model.member[member];
    int64_t end = sim->now + 60 * M_DAY;

    for (int i = 0; i < who->lot_count; i++)
        if (who->lot[i].currency == currency && who->lot[i].left > who->lot[i].held &&
            who->lot[i].expires_at > sim->now && who->lot[i].expires_at < end)
            end = who->lot[i].expires_at;
    end -= 1 + chance(sim, sim->programme->hold_ms / 2);
    if (end > sim->now)
        sim->now = end;
}

/* A reserve ends of itself, or nearly; or what was spent would have died long ago. */
static void
wait_for_end(struct sim *sim)
{
    sim->now += sim->programme->hold_ms - (chance_percent(sim, 25) ? 1 : 0);
    if (chance_percent(sim, 10))
        sim->now += chance(sim, 200 * M_DAY);
}

/* Buys, spends and reserves all, brings the first goods back: a debt; then unties it somehow. */
void
act_tangle(struct sim *sim)
{
    int member = some_member(sim), first = sim->model.receipt_count;
    int currency = (int)chance(sim, sim->programme->currency_count);

    buy_for_return(sim, member);
    if (sim->model.receipt_count == first)
        return;
    if (chance_percent(sim, 60))
        sim->now += chance(sim, 20 * M_DAY); /* until what is pending may have become active */
    for (int n = (int)chance(sim, 3); n > 0 && !sim->failed; n--)
        pay_with_all(sim, DEED_COMMIT, member, currency);
    if (chance_percent(sim, 30))
        wait_for_brink(sim, member, currency);
    for (int n = (int)chance(sim, 3); n > 0 && !sim->failed; n--)
        pay_with_all(sim, DEED_RESERVE, member, currency);
    return_some(sim, first, first + 1);
    for (int n = 2 + (int)chance(sim, 4); n > 0 && !sim->failed; n--) {
        switch (chance(sim, 5)) {
        case 0:
            wait_for_end(sim);
            break;
        case 1:
            act_capture(sim);
            break;
        case 2:
            act_cancel(sim);
            break;
        default:
            return_some(sim, first, sim->model.receipt_count);
            break;
        }
        deliver_balance(sim, member);
    }
}
