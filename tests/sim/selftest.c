/*
 * selftest.c - the model alone against cases computed by hand.
 *
 * Owns:      the worked example of the AWN programme, a life of miles, days of zones, spreading,
 *            returns.
 * Must not:  start a server.
 */
#include "selftest.h"

#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct tally {
    int passed, failed;
};

static void
is(struct tally *tally, const char *what, int64_t got, int64_t wanted)
{
    if (got == wanted) {
        tally->passed++;
        return;
    }
    tally->failed++;
    printf("%s: %" PRId64 ", wanted %" PRId64 "\n", what, got, wanted);
}

/* ---- the worked example ---- */

static struct m_event
awn_basket(int64_t bonuses)
{
    struct m_event event = {
        .kind = "purchase",
        .outlet = "",
        .till = "",
        .channel = "",
        .region = "",
        .tender = "",
        .bin = "",
        .code = "",
        .confirmed = true,
        .steps = -1,
        .line_count = 2,
    };

    for (int i = 0; i < 2; i++)
        event.line[i] = (struct m_line){
            .article = "", .category = "", .brand = "", .tag = "", .quantity = 1000
        };
    event.line[0].price = INT64_C(6000000000);
    event.line[1].price = INT64_C(4000000000);
    if (bonuses > 0) {
        event.redeem_count = 1;
        event.redeem[0].points = bonuses;
    }
    m_normalise(m_programme_awn(), &event);
    return event;
}

static void
test_awn(struct tally *tally)
{
    static const int64_t earned[] = { 24000, 24000, 32000, 40000 };
    const struct m_programme *awn = m_programme_awn();
    struct m_view view = { .known = true, .available = { 1000000 } };
    struct m_event event = awn_basket(200000);
    struct m_decision decision;

    for (int level = 0; level < 4; level++) {
        view.level[0] = level;
        m_decide(awn, &event, &view, M_ORDINARY, &decision);
        is(tally, "awn: outcome", decision.outcome, OUTCOME_DONE);
        is(tally, "awn: points of line 1", decision.line[0].points, 120000);
        is(tally, "awn: points of line 2", decision.line[1].points, 80000);
        is(tally, "awn: money", decision.total.money, 800000);
        is(tally, "awn: earned", decision.earning[0].points, earned[level]);
    }
    view.level[0] = 1;
    event = awn_basket(500001);
    m_decide(awn, &event, &view, M_ORDINARY, &decision);
    is(tally, "awn: a kopeck over half", decision.outcome, OUTCOME_REDEEM_OVER_LIMIT);
    is(tally, "awn: limit", decision.limit, 500000);
    event = awn_basket(0);
    event.payment_count = 1;
    event.payment[0].money = 300000;
    m_decide(awn, &event, &view, M_ORDINARY, &decision);
    is(tally, "awn: with a certificate", decision.earning[0].points, 21000);
    event = awn_basket(0);
    event.code = "SPRING";
    m_decide(awn, &event, &view, M_ORDINARY, &decision);
    is(tally, "awn: with a promo code", decision.earning_count, 0);
    event = awn_basket(100);
    event.confirmed = false;
    m_decide(awn, &event, &view, M_ORDINARY, &decision);
    is(tally, "awn: without the code", decision.outcome, OUTCOME_CODE_NOT_CONFIRMED);
}

/* Bought, half of it returned, the rest returned; bonuses spent on it. */
static void
test_awn_return(struct tally *tally)
{
    int64_t first[m_lines_max] = { 1000 }, now = INT64_C(1767592800000);
    struct m_event event = awn_basket(200000);
    struct m_decision decision;
    struct m_returned back;
    struct m_balance balance;
    struct model model;
    int member, receipt = -1;

    model_init(&model, m_programme_awn());
    member = model_enrol(&model, now);
    model_opening(&model, member, 0, 250000, now - 20 * M_DAY, now);
    event.occurred_at = now;
    is(tally, "commit", model_commit(&model, member, &event, M_ORDINARY, now, &decision, &receipt),
       OUTCOME_DONE);
    model_balance(&model, member, 0, &balance);
    is(tally, "active after paying", balance.active, 50000);
    is(tally, "pending after paying", balance.pending, 24000);
    is(tally, "return", model_return(&model, receipt, first, now, now, &back), OUTCOME_DONE);
    /* 4 000.00 less 800.00 of bonuses stay: 3 200.00 of money, earning 96.00. */
    is(tally, "refund", back.refund, 480000);
    is(tally, "given back", back.restored[0], 120000);
    is(tally, "taken back", back.revoked[0], 24000 - 9600);
    is(tally, "turnover", model_counter(&model, member, 0, now), 320000);
    is(tally, "the same again", model_return(&model, receipt, first, now, now, &back),
       OUTCOME_RETURN_TOO_MUCH);
    is(tally, "the rest", model_return(&model, receipt, NULL, now, now, &back), OUTCOME_DONE);
    is(tally, "refund of the rest", back.refund, 320000);
    model_balance(&model, member, 0, &balance);
    is(tally, "active at last", balance.active, 250000);
    is(tally, "pending at last", balance.pending, 0);
    is(tally, "debt at last", balance.debt, 0);
    is(tally, "turnover at last", model_counter(&model, member, 0, now), 0);
    model_release(&model);
}

/* ---- numbers ---- */

static void
test_rounding(struct tally *tally)
{
    static const int64_t wanted[5][5] = {
        { 1, 2, 3, 2, 3 }, /* half up: 0.5 1.5 2.5 2.4 2.6 */
        { 0, 2, 2, 2, 3 }, /* half even */
        { 0, 1, 2, 2, 3 }, /* half down */
        { 0, 1, 2, 2, 2 }, /* down */
        { 1, 2, 3, 3, 3 }, /* up */
    };
    static const int64_t tenths[] = { 5, 15, 25, 24, 26 };

    for (int mode = 0; mode < 5; mode++)
        for (int i = 0; i < 5; i++)
            is(tally, "rounding", m_round(tenths[i], 10, 1, (enum m_rounding)mode),
               wanted[mode][i]);
    is(tally, "to a quantum", m_round(1249, 100, 5, M_HALF_UP), 10);
    is(tally, "to a quantum", m_round(1250, 100, 5, M_HALF_UP), 15);
}

static void
spread_is(struct tally *tally, enum m_spreading how, int64_t total, const int64_t *weight,
          const int64_t *capacity, const int64_t *wanted, int64_t rest)
{
    int64_t result[3];

    is(tally, "rest of spreading", m_spread(how, total, weight, capacity, 3, result), rest);
    for (int i = 0; i < 3; i++)
        is(tally, "spreading", result[i], wanted[i]);
}

static void
test_spreading(struct tally *tally)
{
    const int64_t equal[] = { 1, 1, 1 }, odd[] = { 1, 0, 5 }, none[] = { 0, 0, 0 };
    const int64_t cap[] = { 2, 100, 100 }, small[] = { 1, 2, 3 };

    spread_is(tally, M_LARGEST_REMAINDER, 100, equal, NULL, (int64_t[]){ 34, 33, 33 }, 0);
    spread_is(tally, M_LARGEST_REMAINDER, 10, odd, NULL, (int64_t[]){ 2, 0, 8 }, 0);
    spread_is(tally, M_FLOOR_FIRST, 11, odd, NULL, (int64_t[]){ 2, 0, 9 }, 0);
    spread_is(tally, M_LAST_REST, 11, equal, NULL, (int64_t[]){ 4, 4, 3 }, 0);
    /* 0.5 each rounds up to 1 and 1; the last would get -1, which the one before gives back. */
    spread_is(tally, M_LAST_REST, 1, (int64_t[]){ 5, 5, 0 }, NULL, (int64_t[]){ 1, 0, 0 }, 0);
    spread_is(tally, M_LARGEST_REMAINDER, 4, none, NULL, (int64_t[]){ 2, 1, 1 }, 0);
    spread_is(tally, M_LARGEST_REMAINDER, 100, equal, cap, (int64_t[]){ 2, 49, 49 }, 0);
    spread_is(tally, M_LARGEST_REMAINDER, 10, equal, small, (int64_t[]){ 1, 2, 3 }, 4);
}

/* ---- days ---- */

static void
test_days(struct tally *tally)
{
    /* Cairo, as its zone table says: no midnight on 24 April 2026. */
    is(tally, "Cairo before", m_offset(M_CAIRO, INT64_C(1776981599000)), 2 * M_HOUR);
    is(tally, "Cairo after", m_offset(M_CAIRO, INT64_C(1776981600000)), 3 * M_HOUR);
    is(tally, "no midnight", m_midnight(M_CAIRO, m_date(2026, 4, 24)), INT64_C(1776981600000));
    is(tally, "Cairo's autumn", m_offset(M_CAIRO, INT64_C(1793307600000)), 2 * M_HOUR);
    is(tally, "after it", m_midnight(M_CAIRO, m_date(2026, 10, 30)), INT64_C(1793311200000));
    is(tally, "London", m_offset(M_LONDON, m_date(2026, 3, 29) * M_DAY + M_HOUR), M_HOUR);
    is(tally, "London before", m_offset(M_LONDON, m_date(2026, 3, 29) * M_DAY + M_HOUR - 1), 0);
    is(tally, "New York", m_offset(M_NEW_YORK, m_date(2026, 3, 8) * M_DAY + 7 * M_HOUR),
       -4 * M_HOUR);
    is(tally, "New York in November",
       m_offset(M_NEW_YORK, m_date(2026, 11, 1) * M_DAY + 6 * M_HOUR), -5 * M_HOUR);
    is(tally, "31 January + 1 month",
       m_add_date(m_date(2026, 1, 31), (struct m_period){ .months = 1 }), m_date(2026, 2, 28));
    is(tally, "a Monday's week",
       m_period_number(M_WEEK, m_date(2026, 1, 5)) - m_period_number(M_WEEK, m_date(2026, 1, 4)),
       1);
    is(tally, "a quarter",
       m_period_first_day(M_QUARTER, m_period_number(M_QUARTER, m_date(2026, 5, 17))),
       m_date(2026, 4, 1));
}

/* Flown on 15 February 2023, 36 months, then the end of the following quarter: 30 June 2026. */
static void
test_miles(struct tally *tally)
{
    struct m_programme miles = *m_programme_awn();
    struct m_currency *mile = &miles.currency[0];
    int64_t flown = m_date(2023, 2, 15) * M_DAY + 12 * M_HOUR;
    struct model model;

    mile->has_pending = false;
    mile->expiry = M_EXPIRY_PERIOD_END;
    mile->expiry_period = (struct m_period){ .months = 36 };
    mile->expiry_round = M_QUARTER;
    mile->expiry_following = 1;
    model_init(&model, &miles);
    model_enrol(&model, flown);
    model_opening(&model, 0, 0, 1000, flown, flown);
    is(tally, "miles die", model.member[0].lot[0].expires_at,
       m_date(2026, 7, 1) * M_DAY - 3 * M_HOUR);
    model_release(&model);
}

/* Holds keep points from dying; debt is repaid by what comes next. */
static void
test_life(struct tally *tally)
{
    struct m_programme plain = *m_programme_awn();
    struct m_event event = awn_basket(1000);
    struct m_decision decision;
    struct m_balance balance;
    struct model model;
    int64_t now = INT64_C(1767592800000);
    int reserve = -1;

    plain.currency[0].has_pending = false;
    plain.currency[0].expiry_period = (struct m_period){ .ms = M_HOUR };
    plain.hold_ms = 2 * M_HOUR;
    model_init(&model, &plain);
    model_enrol(&model, now);
    model.member[0].debt[0] = 300;
    model_opening(&model, 0, 0, 1500, now, now);
    model_balance(&model, 0, 0, &balance);
    is(tally, "debt repaid", balance.debt, 0);
    is(tally, "what is left", balance.active, 1200);
    event.occurred_at = now;
    is(tally, "reserve", model_reserve(&model, 0, &event, now, &decision, &reserve), OUTCOME_DONE);
    model_settle(&model, 0, now + M_HOUR);
    model_balance(&model, 0, 0, &balance);
    is(tally, "held points live", balance.active, 1000);
    model_settle(&model, 0, now + 2 * M_HOUR);
    model_balance(&model, 0, 0, &balance);
    is(tally, "until the hold ends", balance.active + balance.held, 0);
    is(tally, "and no longer", model_cancel(&model, reserve, now + 2 * M_HOUR),
       OUTCOME_RESERVE_ENDED);
    model_release(&model);
}

/* ---- returns: another rule stands in, debts are repaid ---- */

static bool
from_9000(const struct m_look *look)
{
    return look->base >= 900000;
}

/* The rate of 3 %, or from 9 000.00 on 4 % and 2 % instead; and 1 % beside either. */
static void
test_stand_in(struct tally *tally)
{
    static const struct m_node rule[] = {
        { .rule = 0 }, { .rule = 1 }, { .rule = 2 }, { .rule = 3 }
    };
    static const struct m_node both = {
        .rule = -1, .code = "both", .operator= M_SUM, .count = 2, .child = { &rule[1], &rule[2] }
    };
    static const struct m_node best = {
        .rule = -1, .code = "best", .operator= M_MAX, .count = 2, .child = { &both, &rule[3] }
    };
    static const struct m_node all = {
        .rule = -1, .code = "", .operator= M_SUM, .count = 2, .child = { &rule[0], &best }
    };
    struct m_programme rates = *m_programme_awn();
    int64_t first[m_lines_max] = { 1000 }, now = INT64_C(1767592800000);
    struct m_event event = awn_basket(0);
    struct m_decision decision;
    struct m_returned back;
    struct model model;
    int receipt = -1;

    rates.rule_count = 4;
    for (int r = 0; r < 4; r++) {
        rates.rule[r] = (struct m_rule){
            .code = (const char *const[]){ "one", "four", "two", "three" }[r],
            .scope = M_EARN,
            .kind = M_PERCENT,
            .value = (const int64_t[]){ 1, 4, 2, 3 }[r] * 1000000,
            .when = r == 1 || r == 2 ? from_9000 : NULL,
        };
    }
    rates.earn_tree = &all;
    model_init(&model, &rates);
    model_enrol(&model, now);
    event.occurred_at = now;
    is(tally, "stand-in: bought",
       model_commit(&model, 0, &event, M_ORDINARY, now, &decision, &receipt), OUTCOME_DONE);
    is(tally, "stand-in: earnings", decision.earning_count, 3);
    is(tally, "stand-in: returned", model_return(&model, receipt, first, now, now, &back),
       OUTCOME_DONE);
    /* Of 700.00 stay 40.00 and, instead of the rest, 120.00: 540.00 are taken. */
    is(tally, "stand-in: 1 % of less", back.revoked[0], 6000);
    is(tally, "stand-in: all of the 4 %", back.revoked[1], 40000);
    is(tally, "stand-in: the rest of the 2 %", back.revoked[2], 8000);
    is(tally, "stand-in: the rest", model_return(&model, receipt, NULL, now, now, &back),
       OUTCOME_DONE);
    is(tally, "stand-in: 1 % of nothing", back.revoked[0], 4000);
    is(tally, "stand-in: nothing of the 4 %", back.revoked[1], 0);
    is(tally, "stand-in: what the 2 % had left", back.revoked[2], 12000);
    model_release(&model);
}

static void
has(struct tally *tally, const struct model *model, const char *what, int64_t active, int64_t debt)
{
    struct m_balance balance;

    model_balance(model, 0, 0, &balance);
    is(tally, what, balance.active, active);
    is(tally, what, balance.debt, debt);
}

/* All is held while goods come back; what was paid for others, and the hold, repay the debt. */
static void
test_repaid(struct tally *tally, bool given_up)
{
    struct m_programme plain = *m_programme_awn();
    int64_t second[m_lines_max] = { 0, 1000 }, now = INT64_C(1767592800000);
    struct m_event event = awn_basket(0);
    struct m_decision decision;
    struct m_returned back;
    struct model model;
    int a = -1, b = -1, reserve = -1;

    plain.currency[0].has_pending = false;
    model_init(&model, &plain);
    model_enrol(&model, now);
    model_opening(&model, 0, 0, 50000, now, now);
    event.occurred_at = now;
    model_commit(&model, 0, &event, M_ORDINARY, now, &decision, &a);
    event = awn_basket(50000);
    event.occurred_at = now;
    model_commit(&model, 0, &event, M_ORDINARY, now, &decision, &b);
    has(tally, &model, "repaid: 3 % of 10 000.00 and of 9 500.00", 30000 + 28500, 0);
    event.redeem[0].points = 58500;
    is(tally, "repaid: all held", model_reserve(&model, 0, &event, now, &decision, &reserve),
       OUTCOME_DONE);
    model_return(&model, a, NULL, now, now, &back);
    has(tally, &model, "repaid: a debt, for all is held", 58500, 30000);
    is(tally, "repaid: part of the second", model_return(&model, b, second, now, now, &back),
       OUTCOME_DONE);
    /* 200.00 come back and repay; then 114.00 are taken back from nothing. */
    is(tally, "repaid: given back", back.restored[0], 20000);
    is(tally, "repaid: taken back", back.revoked[0], 11400);
    is(tally, "repaid: as debt", back.debt[0], 11400);
    has(tally, &model, "repaid: by what was given back", 58500, 30000 - 20000 + 11400);
    if (given_up)
        is(tally, "repaid: given up", model_cancel(&model, reserve, now), OUTCOME_DONE);
    else
        model_settle(&model, 0, now + plain.hold_ms);
    has(tally, &model, "repaid: by what was held", 58500 - 21400, 0);
    is(tally, "repaid: from the lot held first", model.member[0].lot[1].left, 30000 - 21400);
    model_release(&model);
}

long
selftest(long *passed)
{
    struct tally tally = { 0 };

    test_awn(&tally);
    test_awn_return(&tally);
    test_rounding(&tally);
    test_spreading(&tally);
    test_days(&tally);
    test_miles(&tally);
    test_life(&tally);
    test_stand_in(&tally);
    test_repaid(&tally, true);
    test_repaid(&tally, false);
    *passed = tally.passed;
    return tally.failed;
}
