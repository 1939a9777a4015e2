/*
 * programmes_second.c - each simulated programme a version later.
 *
 * Owns:      what a second version changes, in the struct and, apart, in the document.
 * Must not:  change a number, a scale or a code: publishing refuses that.
 */
#include "model.h"

#define PERCENT(whole, millionths) ((whole) * INT64_C(1000000) + (millionths))

static void second_market(struct m_programme *p)
{
    p->currency[0].pending.days = 7;
    p->currency[0].expiry_period.months = 3;
    p->currency[0].max_percent = PERCENT(40, 0);
    p->ladder[0].from[1] = 2000000;
    p->rule[0].value = PERCENT(12, 0);
    p->rule[6].value = PERCENT(4, 0);
}

static const struct m_edit market_edits[] = {
    { "P14D", "P7D" },
    { "P6M", "P3M" },
    { "\"max_percent\": \"50\"", "\"max_percent\": \"40\"" },
    { "30000.00", "20000.00" },
    { "\"value\": \"10\"", "\"value\": \"12\"" },
    { "\"percent\": \"3\"", "\"percent\": \"4\"" },
    { 0 },
};

static void second_chain(struct m_programme *p)
{
    p->currency[0].grace_days = 10;
    p->currency[0].money_min = 300;
    p->currency[1].expiry_period.days = 30;
    p->ladder[0].from[0] = 150000;
    p->rule[6].value = PERCENT(9, 0);
    p->receipt_quantum = 10;
}

static const struct m_edit chain_edits[] = {
    { "\"grace_days\": 7", "\"grace_days\": 10" },
    { "\"money_min\": \"5.00\"", "\"money_min\": \"3.00\"" },
    { "P45D", "P30D" },
    { "\"2000.00\"", "\"1500.00\"" },
    { "\"percent\": \"10\", \"of\"", "\"percent\": \"9\", \"of\"" },
    { "\"receipt_quantum\": \"0.05\"", "\"receipt_quantum\": \"0.10\"" },
    { 0 },
};

static void second_air(struct m_programme *p)
{
    p->currency[0].pending.months = 2;
    p->currency[1].max_percent = PERCENT(70, 0);
    p->currency[1].grace_days = 0;
    p->currency[1].debt_refused = false;
    p->ladder[0].from[1] = 10;
    p->rule[9].value = PERCENT(4, 500000);
    p->trace = true;
}

static const struct m_edit air_edits[] = {
    { "\"pending\": {\"period\": \"P1M\"}", "\"pending\": {\"period\": \"P2M\"}" },
    { "\"max_percent\": \"80\"", "\"max_percent\": \"70\"" },
    { "\"debt\": \"refuse\", \"grace_days\": 3", "\"debt\": \"allow\"" },
    { "\"from\": \"12\"", "\"from\": \"10\"" },
    { "\"percent\": \"5\"", "\"percent\": \"4.5\"" },
    { "\"policy\": \"requote\"", "\"policy\": \"trace\"" },
    { 0 },
};

static void second_club(struct m_programme *p)
{
    p->currency[0].expiry_period.ms = 900 * M_HOUR;
    p->currency[0].grace_days = 20;
    p->currency[1].debt_refused = false;
    p->ladder[0].from[1] = 800000;
    p->rule[6].value = PERCENT(55, 0);
    p->rounding = M_HALF_UP;
}

static const struct m_edit club_edits[] = {
    { "PT700H", "PT900H" },
    { "\"grace_days\": 30", "\"grace_days\": 20" },
    { "\"debt\": \"refuse\"", "\"debt\": \"allow\"" },
    { "\"1000.000\"", "\"800.000\"" },
    { "\"percent\": \"60\"", "\"percent\": \"55\"" },
    { "\"rounding\": \"half-down\"", "\"rounding\": \"half-up\"" },
    { 0 },
};

static void second_short(struct m_programme *p)
{
    p->currency[0].expiry_period.days = 12;
    p->currency[1].grace_days = 4;
    p->rule[5].value = PERCENT(25, 0);
    p->spreading = M_FLOOR_FIRST;
    p->trace = false;
}

static const struct m_edit short_edits[] = {
    { "P10D", "P12D" },
    { "\"grace_days\": 2", "\"grace_days\": 4" },
    { "\"percent\": \"30\"", "\"percent\": \"25\"" },
    { "largest-remainder", "floor-first" },
    { "\"policy\": \"trace\"", "\"policy\": \"requote\"" },
    { 0 },
};

void m_second_edition(int number, struct m_programme *out, const struct m_edit **edits)
{
    static void (*const change[m_programme_count])(struct m_programme *) = {
        second_market, second_chain, second_air, second_club, second_short,
    };
    static const struct m_edit *const documents[m_programme_count] = {
        market_edits, chain_edits, air_edits, club_edits, short_edits,
    };

    *out = *m_programme(number);
    change[number](out);
    *edits = documents[number];
}
