/*
 * promises.c - what DESIGN promises about returns, checked as properties of the server's own
 * answers.
 *
 * Owns:      full return restores everything; parts end where the whole ends; nothing is gained.
 * Must not:  trust the model where the server's figures can be compared with each other.
 */
#include "deed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- nothing is gained against the goods kept ---- */

static bool
all_returned(const struct m_receipt *receipt)
{
    for (int i = 0; i < receipt->event.line_count; i++)
        if (receipt->quantity[i] < receipt->event.line[i].quantity)
            return false;
    return true;
}

/* The kept goods decided alone, around the payments that trace left on them. */
static void
decide_kept(const struct m_receipt *receipt, struct m_decision *kept)
{
    struct m_event event = receipt->event;
    struct m_part part[m_lines_max] = { { 0 } };

    for (int i = 0; i < event.line_count; i++) {
        struct m_line *line = &event.line[i];
        const struct m_part *then = &receipt->decision.line[i];
        int64_t back = receipt->quantity[i], whole = line->quantity;
        part[i].points = then->points - m_floor_share(then->points, back, whole);
        part[i].certificate = then->certificate - m_floor_share(then->certificate, back, whole);
        part[i].purse = then->purse - m_floor_share(then->purse, back, whole);
        line->gross -= m_floor_share(line->gross, back, whole);
        line->floor -= m_floor_share(line->floor, back, whole);
        line->quantity -= back;
    }
    m_requote(receipt->programme, &event, &receipt->view, part, kept);
}

/* Everything that came back of it: money, certificates, purse, points at their worth. */
static int64_t
given_back(const struct m_receipt *receipt, const struct sold *sold)
{
    const struct m_programme *programme = receipt->programme;
    int64_t given = sold->refunded + sold->certificate + sold->purse;

    for (int c = 0; c < programme->currency_count; c++) {
        const struct m_currency *currency = &programme->currency[c];
        m_wide num = (m_wide)sold->restored[c] * currency->worth_e6 *
                     m_pow10(programme->money_scale);
        given += m_round(num, (m_wide)m_pow10(6) * m_pow10(currency->scale), 1, M_DOWN);
    }
    return given;
}

/* Of each currency what the goods kept earn now, at most what was earned; less only while owed. */
static void
promise_earned(struct sim *sim, const struct m_receipt *receipt, const struct sold *sold,
               const struct m_decision *kept)
{
    for (int c = 0; c < sim->programme->currency_count; c++) {
        int64_t gave = 0, given, deserved = 0;
        for (int e = 0; e < receipt->decision.earning_count; e++)
            if (receipt->decision.earning[e].currency == c)
                gave += receipt->decision.earning[e].points;
        given = gave - sold->revoked[c];
        for (int e = 0; e < kept->earning_count; e++)
            if (kept->earning[e].currency == c)
                deserved += kept->earning[e].points;
        if (given > deserved)
            trouble(sim, "  kept goods earn %" PRId64 " of currency %d, kept are %" PRId64,
                    deserved, c, given);
        if (sold->shortfall == 0 && given < deserved && given < gave)
            trouble(sim,
                    "  kept goods earn %" PRId64 " of currency %d, and only %" PRId64 " of %" PRId64
                    " were left",
                    deserved, c, given, gave);
    }
}

void
promise_no_gain(struct sim *sim, int number)
{
    const struct m_receipt *receipt = &sim->model.receipt[number];
    const struct sold *sold = &sim->sold[number];
    const struct m_part *all = &receipt->decision.total, *due;
    struct m_decision kept;
    int64_t paid = all->money - sold->refunded, wanted;

    if (all_returned(receipt)) {
        if (paid != 0)
            trouble(sim, "  everything is back, and %" PRId64 " of money is not", paid);
        return;
    }
    if (receipt->programme->trace)
        return;
    decide_kept(receipt, &kept);
    due = &kept.total;
    wanted = due->gross - due->discount - due->rounding;
    paid = all->gross - all->discount - all->rounding - given_back(receipt, sold);
    if (paid + sold->shortfall < wanted)
        trouble(sim,
                "  kept goods cost %" PRId64 ", paid for them %" PRId64 " and %" PRId64 " owed",
                wanted, paid, sold->shortfall);
    promise_earned(sim, receipt, sold, &kept);
}

/* ---- a full return restores ---- */

/* A random part of what is left of a receipt. */
void
return_part(struct sim *sim, int number, struct deed *deed)
{
    const struct m_receipt *receipt = &sim->model.receipt[number];
    bool any = false;

    *deed = (struct deed){ .kind = DEED_RETURN, .receipt = number, .member = receipt->member };
    new_key(sim, &deed->event);
    for (int i = 0; i < receipt->event.line_count; i++) {
        int64_t left = receipt->event.line[i].quantity - receipt->quantity[i];
        deed->quantity[i] = chance_percent(sim, 40) ? 0 : chance(sim, left + 1);
        if (left % 1000 == 0 && chance_percent(sim, 70))
            deed->quantity[i] -= deed->quantity[i] % 1000;
        any = any || deed->quantity[i] > 0;
    }
    deed->whole = !any;
}

static char *
snapshot(struct sim *sim, int member)
{
    char *out, *lots;

    deliver_balance(sim, member);
    lots = strstr(sim->server.answer, "\"lots\":");
    out = strdup(lots != NULL ? lots : "");
    if (out == NULL)
        abort();
    return out;
}

static void
same_balances(struct sim *sim, const struct m_balance *before, int member)
{
    for (int c = 0; c < sim->programme->currency_count; c++) {
        struct m_balance after;
        model_balance(&sim->model, member, c, &after); /* equal to the server's: just compared */
        if (before[c].debt > 0 && before[c].active + before[c].pending - before[c].debt ==
                                      after.active + after.pending - after.debt)
            continue; /* what was owed was repaid and is owed again: taken from other lots */
        if (memcmp(&before[c], &after, sizeof(after)) != 0)
            trouble(sim,
                    "  a full return changed currency %d: active %" PRId64 " -> %" PRId64
                    ", pending %" PRId64 " -> %" PRId64 ", debt %" PRId64 " -> %" PRId64,
                    c, before[c].active, after.active, before[c].pending, after.pending,
                    before[c].debt, after.debt);
    }
}

void
promise_full_return(struct sim *sim)
{
    struct m_balance before[m_currencies_max];
    int64_t counters[m_counters_max] = { 0 };
    int member = some_member(sim), sold = sim->model.receipt_count;
    struct deed deed;
    char *lots, *after;

    if (member < 0)
        return;
    lots = snapshot(sim, member);
    for (int c = 0; c < sim->programme->currency_count; c++)
        model_balance(&sim->model, member, c, &before[c]);
    for (int c = 0; c < sim->programme->counter_count; c++)
        counters[c] = model_counter(&sim->model, member, c, sim->now);
    invent_purchase(sim, DEED_COMMIT, &deed);
    deed.member = member;
    deed.naming = BY_CARD;
    deed.event.occurred_at = sim->now; /* what came late may have died before it came */
    deliver(sim, &deed);
    if (sim->model.receipt_count == sold || sim->failed) { /* refused */
        free(lots);
        return;
    }
    for (int parts = (int)chance(sim, 4); parts > 0 && !sim->failed; parts--) {
        return_part(sim, sold, &deed);
        deliver(sim, &deed);
    }
    return_part(sim, sold, &deed);
    deed.whole = true;
    if (!all_returned(&sim->model.receipt[sold]))
        deliver(sim, &deed);
    after = snapshot(sim, member);
    bool owed = false;
    for (int c = 0; c < sim->programme->currency_count; c++)
        owed = owed || before[c].debt > 0;
    if (!sim->failed && !owed && strcmp(lots, after) != 0)
        trouble(sim, "  a full return left other lots:\n%s\n%s", lots, after);
    same_balances(sim, before, member);
    for (int c = 0; c < sim->programme->counter_count; c++)
        if (model_counter(&sim->model, member, c, sim->now) != counters[c])
            trouble(sim, "  a full return changed counter %d", c);
    if (sim->trouble_len > 0 && sim->failed)
        printf("%s", sim->trouble);
    free(lots);
    free(after);
}

/* ---- parts end where the whole ends ---- */

static void
buy_as_twin(struct sim *sim, const struct deed *basket, int twin)
{
    struct deed deed = *basket;

    deed.member = twin;
    deed.naming = BY_CARD;
    snprintf(deed.event.number, sizeof(deed.event.number), "n%d", sim->serial++);
    deliver(sim, &deed);
}

static void
fill_purse(struct sim *sim, int twin, int64_t points)
{
    for (int c = 0; c < sim->programme->currency_count; c++) {
        struct deed deed = { .kind = DEED_OPENING, .member = twin, .currency = c };
        deed.points = points;
        snprintf(deed.key, sizeof(deed.key), "twin-%d-%d", twin, c);
        deliver(sim, &deed);
    }
}

void
promise_twins(struct sim *sim)
{
    int64_t points = (1 + chance(sim, 2000)) * 50, back[m_lines_max] = { 0 };
    struct deed basket, deed;
    int first, a, b;

    a = enrol(sim, true);
    b = enrol(sim, true);
    fill_purse(sim, a, points);
    fill_purse(sim, b, points);
    invent_purchase(sim, DEED_COMMIT, &basket);
    basket.event.occurred_at = sim->now;
    first = sim->model.receipt_count;
    buy_as_twin(sim, &basket, a);
    buy_as_twin(sim, &basket, b);
    if (sim->model.receipt_count != first + 2 || sim->failed)
        return;
    for (int parts = 1 + (int)chance(sim, 4); parts > 0 && !sim->failed; parts--) {
        return_part(sim, first, &deed);
        if (deed.whole)
            continue;
        deliver(sim, &deed);
    }
    memcpy(back, sim->model.receipt[first].quantity, sizeof(back));
    return_part(sim, first + 1, &deed);
    memcpy(deed.quantity, back, sizeof(back));
    deed.whole = false;
    if (sim->failed || !sim->model.receipt[first].any_return)
        return;
    deliver(sim, &deed);
    if (sim->failed || !sim->model.receipt[first + 1].any_return)
        return;
    const struct sold *parts = &sim->sold[first], *once = &sim->sold[first + 1];
    const struct m_receipt *receipt = &sim->model.receipt[first];
    int64_t by_parts = given_back(receipt, parts) - parts->shortfall;
    int64_t by_once = given_back(receipt, once) - once->shortfall, coarse = 0;
    for (int c = 0; c < sim->programme->currency_count; c++) /* a point waits until it is whole */
        coarse += sim->programme->currency[c].worth_e6 * m_pow10(sim->programme->money_scale) /
                      (m_pow10(6) * m_pow10(sim->programme->currency[c].scale)) +
                  1;
    if (by_parts - by_once > coarse || by_once - by_parts > coarse)
        trouble(sim, "  returned in parts: %" PRId64 ", at once: %" PRId64, by_parts, by_once);
    if (parts->shortfall != 0 || parts->refunded != once->refunded)
        return; /* something was owed on the way: money and points may stand otherwise */
    for (int c = 0; c < sim->programme->currency_count; c++) {
        struct m_balance in_parts, at_once;
        model_balance(&sim->model, a, c, &in_parts);
        model_balance(&sim->model, b, c, &at_once);
        if (in_parts.active + in_parts.pending - in_parts.debt !=
            at_once.active + at_once.pending - at_once.debt)
            trouble(sim, "  returned in parts and at once: currency %d differs", c);
    }
    if (sim->failed)
        printf("%s", sim->trouble);
}
