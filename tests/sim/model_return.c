/*
 * model_return.c - the naive model takes goods back: docs/semantics.md, "Returns".
 *
 * Owns:      refund, shortfall, points given back and taken back, counters, by trace and by
 *            requote.
 * Must not:  change anything before it knows that the return is allowed.
 * Invariant: all figures are totals over the returns so far; a return books the difference.
 */
#include "model_book.h"

#include <stdlib.h>
#include <string.h>

/* Totals so far, as functions of the returned quantities alone. */
struct so_far {
    bool all;
    int64_t due; /* money, certificates, purse and points at what they paid */
    int64_t certificate, purse, paid[m_currencies_max]; /* of it at most; paid: by points of lots */
    int64_t revoked[m_rules_max];
    int64_t counter_sub[m_counters_max];
};

static bool all_back(const struct m_receipt *receipt, const int64_t *back)
{
    for (int i = 0; i < receipt->event.line_count; i++)
        if (back[i] < receipt->event.line[i].quantity)
            return false;
    return true;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Money for points, rounded up to what they cannot be less than; points for money, down. */
static int64_t money_for(const struct m_programme *programme, int currency, int64_t points)
{
    const struct m_currency *of = &programme->currency[currency];
    m_wide num = (m_wide)points * of->worth_e6 * m_pow10(programme->money_scale);

    return m_round(num, (m_wide)m_pow10(6) * m_pow10(of->scale), 1, M_UP);
}

static int64_t points_for(const struct m_programme *programme, int currency, int64_t money)
{
    const struct m_currency *of = &programme->currency[currency];
    m_wide num = (m_wide)money * m_pow10(6) * m_pow10(of->scale);

    return m_round(num, (m_wide)of->worth_e6 * m_pow10(programme->money_scale), 1, M_DOWN);
}

/* Points of a currency that lots paid, and how many of them they have back. */
static int64_t taken(const struct model *model, const struct m_receipt *receipt, int currency,
                     int64_t *restored)
{
    int64_t points = 0;

    *restored = 0;
    if (receipt->member < 0)
        return 0;
    for (int t = 0; t < receipt->take_count; t++) {
        if (model->member[receipt->member].lot[receipt->take[t].lot].currency != currency)
            continue;
        points += receipt->take[t].points;
        *restored += receipt->restored[t];
    }
    return points;
}

static void back_by_trace(const struct model *model, const struct m_receipt *receipt,
                          const int64_t *back, struct so_far *out)
{
    const struct m_decision *decision = &receipt->decision;
    int64_t restored;

    for (int i = 0; i < decision->line_count; i++) {
        int64_t whole = receipt->event.line[i].quantity;
        out->certificate += m_floor_share(decision->line[i].certificate, back[i], whole);
        out->purse += m_floor_share(decision->line[i].purse, back[i], whole);
        for (int r = 0; r < decision->redemption_count; r++)
            out->paid[decision->redemption[r].currency] +=
                m_floor_share(decision->redemption[r].line_money[i], back[i], whole);
    }
    /* What no lot covered (of a fact) is undone first, and given to nobody. */
    for (int r = 0; r < decision->redemption_count; r++) {
        const struct m_redemption *paid = &decision->redemption[r];
        int64_t missing = paid->points - taken(model, receipt, paid->currency, &restored);
        out->paid[paid->currency] = larger(
            0, out->paid[paid->currency] - money_for(receipt->programme, paid->currency, missing));
    }
}

static int64_t counter_part(const struct m_part *line, enum m_source source)
{
    switch (source) {
    case M_SUM_GROSS:
        return line->gross;
    case M_SUM_NET:
        return line->gross - line->discount - line->rounding;
    case M_SUM_MONEY:
        return line->money;
    case M_COUNT:
        break;
    }
    return 0;
}

/* The rest of a return by trace. */
static void trace(const struct m_programme *programme, const struct m_receipt *receipt,
                  const int64_t *back, struct so_far *out)
{
    const struct m_decision *decision = &receipt->decision;

    out->due = out->certificate + out->purse;
    for (int c = 0; c < programme->currency_count; c++)
        out->due += out->paid[c];
    for (int i = 0; i < decision->line_count; i++) {
        int64_t whole = receipt->event.line[i].quantity;
        out->due += m_floor_share(decision->line[i].money, back[i], whole);
        for (int e = 0; e < decision->earning_count; e++)
            out->revoked[e] += m_ceil_share(decision->earning[e].share[i], back[i], whole);
        for (int c = 0; c < programme->counter_count; c++)
            out->counter_sub[c] += m_floor_share(
                counter_part(&decision->line[i], programme->counter[c].source), back[i], whole);
    }
}

/* The goods that stay, and what trace left of their payments. */
static void keep(const struct m_receipt *receipt, const int64_t *back, struct m_event *event,
                 struct m_part *kept)
{
    *event = receipt->event;
    for (int i = 0; i < event->line_count; i++) {
        struct m_line *line = &event->line[i];
        const struct m_part *part = &receipt->decision.line[i];
        int64_t whole = line->quantity;
        line->gross -= m_floor_share(line->gross, back[i], whole);
        line->floor -= m_floor_share(line->floor, back[i], whole);
        line->quantity -= back[i];
        kept[i].points = part->points - m_floor_share(part->points, back[i], whole);
        kept[i].certificate = part->certificate - m_floor_share(part->certificate, back[i], whole);
        kept[i].purse = part->purse - m_floor_share(part->purse, back[i], whole);
    }
}

static int64_t net(const struct m_part *part)
{
    return part->gross - part->discount - part->rounding;
}

static void requote(const struct m_programme *programme, const struct m_receipt *receipt,
                    const int64_t *back, struct so_far *out)
{
    const struct m_decision *then = &receipt->decision;
    struct m_part kept[m_lines_max] = { { 0 } };
    struct m_decision now;
    struct m_event event;

    keep(receipt, back, &event, kept);
    m_requote(programme, &event, &receipt->view, kept, &now);
    /* Below 0 when the goods kept cost more, alone, than was paid for all. */
    out->due = net(&then->total) - net(&now.total);
    for (int r = 0; r < then->redemption_count; r++) /* what no lot covered is given to nobody */
        for (int i = 0; i < event.line_count; i++)
            out->due -= m_floor_share(then->redemption[r].line_money[i], back[i],
                                      receipt->event.line[i].quantity);
    for (int c = 0; c < programme->currency_count; c++)
        out->due += out->paid[c];
    for (int e = 0; e < then->earning_count; e++) {
        int64_t gives = 0;
        for (int n = 0; n < now.earning_count; n++)
            if (now.earning[n].rule == then->earning[e].rule)
                gives = now.earning[n].points;
        out->revoked[e] = then->earning[e].points - smaller(then->earning[e].points, gives);
    }
    for (int c = 0; c < programme->counter_count; c++)
        out->counter_sub[c] =
            then->counter_add[c] - smaller(then->counter_add[c], now.counter_add[c]);
}

/* When everything is back, everything is back. */
static void everything(const struct m_programme *programme, const struct m_receipt *receipt,
                       struct so_far *out)
{
    out->all = true;
    for (int e = 0; e < receipt->decision.earning_count; e++)
        out->revoked[e] = receipt->decision.earning[e].points;
    for (int c = 0; c < programme->counter_count; c++)
        out->counter_sub[c] = receipt->decision.counter_add[c];
}

/* ---- what this return gives ---- */

static int64_t part_of(int64_t *left, int64_t given, int64_t most)
{
    int64_t part = larger(0, smaller(most - given, *left));

    *left -= part;
    return part;
}

/* Due so far less given so far: certificates, purse, points by trace, then money. */
static void share_out(const struct model *model, const struct m_receipt *receipt,
                      const struct so_far *so_far, struct m_returned *out)
{
    const struct m_decision *decision = &receipt->decision;
    int64_t left = so_far->due - receipt->refunded - receipt->certificate - receipt->purse;
    int64_t restored, covered;

    if (so_far->all) {
        out->refund = decision->total.money - receipt->refunded;
        out->certificate = decision->total.certificate - receipt->certificate;
        out->purse = decision->total.purse - receipt->purse;
    }
    for (int r = 0; r < decision->redemption_count; r++) {
        int currency = decision->redemption[r].currency;
        covered = taken(model, receipt, currency, &restored);
        left -= money_for(receipt->programme, currency, restored);
        out->restored[currency] = so_far->all ? covered - restored : 0;
    }
    if (so_far->all)
        return;
    out->shortfall = larger(0, -left);
    out->certificate = part_of(&left, receipt->certificate, so_far->certificate);
    out->purse = part_of(&left, receipt->purse, so_far->purse);
    for (int r = 0; r < decision->redemption_count; r++) {
        int currency = decision->redemption[r].currency;
        taken(model, receipt, currency, &restored);
        int64_t given = money_for(receipt->programme, currency, restored);
        int64_t part = part_of(&left, given, so_far->paid[currency]);
        if (part > 0)
            out->restored[currency] = points_for(receipt->programme, currency, given + part) -
                                      restored;
    }
    out->refund = part_of(&left, receipt->refunded, decision->total.money);
}

/* ---- points given back ---- */

static void restore_to_lot(const struct model *model, struct m_lot *lot,
                           const struct m_take *take, int64_t points, int64_t now)
{
    int grace = model->programme->currency[lot->currency].grace_days;

    if (lot->left == 0) { /* made again as it was when it paid */
        lot->expires_at = take->expires_at;
        lot->graced = take->graced;
    }
    lot->left += points;
    if (lot->expires_at > now)
        return;
    if (grace > 0 && !lot->graced) {
        lot->graced = true;
        lot->expires_at = m_midnight(model->programme->zone,
                                     m_local_day(model->programme->zone, now) + grace + 1);
    } else {
        lot->left -= points; /* it expires at once */
    }
}

static void restore(const struct model *model, struct m_receipt *receipt, int currency,
                    int64_t points, int64_t now)
{
    struct m_member *member = &model->member[receipt->member];

    for (int t = receipt->take_count; t-- > 0;) {
        struct m_lot *lot = &member->lot[receipt->take[t].lot];
        int64_t part = smaller(points, receipt->take[t].points - receipt->restored[t]);
        if (lot->currency != currency || part <= 0)
            continue;
        receipt->restored[t] += part;
        points -= part;
        restore_to_lot(model, lot, &receipt->take[t], part, now);
    }
}

/* ---- points taken back ---- */

/* From one lot, what is not held. */
static int64_t take_from(struct m_lot *lot, int64_t wanted)
{
    int64_t part = smaller(wanted, lot->left - lot->held);

    lot->left -= part;
    return part;
}

static void revoke(struct m_member *member, struct m_lot *own, int64_t points, int64_t *debt)
{
    int currency = own->currency;

    points -= take_from(own, points);
    for (int i = next_lot(member, currency, -1); i >= 0 && points > 0;
         i = next_lot(member, currency, i))
        points -= take_from(&member->lot[i], points);
    member->debt[currency] += points;
    *debt += points;
}

/* A later return takes less back than an earlier one: give again. */
static void give_again(struct m_member *member, struct m_lot *own, int64_t points, int64_t now)
{
    int64_t part = smaller(points, member->debt[own->currency]);

    member->debt[own->currency] -= part;
    if (own->left == 0) { /* made again */
        own->expires_at = own->made_expires_at;
        own->graced = false;
    }
    own->left += points - part;
    own->regiven = own->regiven || points > part;
    if (own->expires_at <= now) /* what is given to a lot that has died dies at once */
        own->left = own->held;
}

/* ---- the whole ---- */

static enum outcome may_return(const struct m_receipt *receipt, const int64_t *quantity,
                               int64_t occurred_at, int64_t now, int64_t *back)
{
    int days = receipt->programme->return_days;
    bool any = false;

    if (occurred_at > now + m_skew_ms)
        return OUTCOME_IN_FUTURE;
    if (now - occurred_at > receipt->programme->late_days * M_DAY)
        return OUTCOME_TOO_LATE;
    if (days > 0 && occurred_at > receipt->event.occurred_at + days * M_DAY)
        return OUTCOME_TOO_LATE;
    for (int i = 0; i < receipt->event.line_count; i++) {
        int64_t left = receipt->event.line[i].quantity - receipt->quantity[i];
        int64_t wanted = quantity == NULL ? left : quantity[i];
        if (wanted > left)
            return OUTCOME_RETURN_TOO_MUCH;
        any = any || wanted > 0;
        back[i] = receipt->quantity[i] + wanted;
    }
    return any ? OUTCOME_DONE : OUTCOME_RETURN_TOO_MUCH;
}

/* Points of the owner: first given back, then taken back. */
static enum outcome move_points(const struct model *model, struct m_receipt *receipt,
                                const struct so_far *so_far, int64_t now, struct m_returned *out)
{
    struct m_member *member = &model->member[receipt->member];

    for (int c = 0; c < model->programme->currency_count; c++)
        restore(model, receipt, c, out->restored[c], now);
    for (int e = 0; e < receipt->decision.earning_count; e++) {
        struct m_lot *own = &member->lot[receipt->lot[e]];
        out->revoked[e] = so_far->revoked[e] - receipt->revoked[e];
        if (out->revoked[e] < 0 && out->shortfall > 0)
            out->revoked[e] = 0; /* nothing is given again while something is owed */
        if (out->revoked[e] > 0)
            revoke(member, own, out->revoked[e], &out->debt[e]);
        else if (out->revoked[e] < 0)
            give_again(member, own, -out->revoked[e], now);
        receipt->revoked[e] += out->revoked[e];
        if (out->debt[e] > 0 && model->programme->currency[own->currency].debt_refused)
            return OUTCOME_RETURN_POINTS_SPENT;
    }
    return OUTCOME_DONE;
}

static void book_return(struct model *model, struct m_receipt *receipt, const int64_t *back,
                        const struct so_far *so_far, int64_t now, struct m_returned *out)
{
    receipt->refunded += out->refund;
    receipt->shortfall = out->shortfall;
    receipt->certificate += out->certificate;
    receipt->purse += out->purse;
    receipt->any_return = true;
    memcpy(receipt->quantity, back, sizeof(receipt->quantity));
    if (receipt->member < 0)
        return;
    for (int c = 0; c < model->programme->counter_count; c++) {
        int64_t off = so_far->counter_sub[c] - receipt->counter_sub[c];
        if (off != 0)
            add_count(model, &model->member[receipt->member], c, receipt->event.occurred_at, -off);
        receipt->counter_sub[c] = so_far->counter_sub[c];
    }
    update_levels(model, receipt->member, now);
}

/* Everything that a refused return must leave as it was. */
struct before {
    struct m_lot *lot;
    int64_t debt[m_currencies_max];
    int64_t *restored;
    int64_t revoked[m_rules_max];
};

static void *copy(const void *bytes, size_t size)
{
    void *out = malloc(size + 1);

    if (out == NULL)
        abort();
    if (size > 0)
        memcpy(out, bytes, size);
    return out;
}

static enum outcome move_points_or_nothing(const struct model *model, struct m_receipt *receipt,
                                           const struct so_far *so_far, int64_t now,
                                           struct m_returned *out)
{
    struct m_member *member = &model->member[receipt->member];
    size_t lots = (size_t)member->lot_count * sizeof(*member->lot);
    size_t takes = (size_t)receipt->take_count * sizeof(int64_t);
    struct before before = {
        .lot = copy(member->lot, lots),
        .restored = copy(receipt->restored, takes),
    };
    memcpy(before.debt, member->debt, sizeof(before.debt));
    memcpy(before.revoked, receipt->revoked, sizeof(before.revoked));
    enum outcome outcome = move_points(model, receipt, so_far, now, out);
    if (outcome != OUTCOME_DONE) {
        if (lots > 0)
            memcpy(member->lot, before.lot, lots);
        if (takes > 0)
            memcpy(receipt->restored, before.restored, takes);
        memcpy(member->debt, before.debt, sizeof(before.debt));
        memcpy(receipt->revoked, before.revoked, sizeof(before.revoked));
    }
    free(before.lot);
    free(before.restored);
    return outcome;
}

enum outcome model_return(struct model *model, int number, const int64_t *quantity,
                          int64_t occurred_at, int64_t now, struct m_returned *out)
{
    struct m_receipt *receipt = &model->receipt[number];
    struct so_far so_far = { 0 };
    int64_t back[m_lines_max] = { 0 };

    *out = (struct m_returned){ 0 };
    model->programme = model_in_force(model, now); /* lots and levels live by it */
    enum outcome outcome = may_return(receipt, quantity, occurred_at, now, back);
    if (outcome != OUTCOME_DONE)
        return outcome;
    model_settle(model, receipt->member, now);
    back_by_trace(model, receipt, back, &so_far);
    if (all_back(receipt, back))
        everything(receipt->programme, receipt, &so_far);
    else if (receipt->programme->trace)
        trace(receipt->programme, receipt, back, &so_far);
    else
        requote(receipt->programme, receipt, back, &so_far);
    share_out(model, receipt, &so_far, out);
    if (receipt->member >= 0)
        outcome = move_points_or_nothing(model, receipt, &so_far, now, out);
    if (outcome == OUTCOME_DONE)
        book_return(model, receipt, back, &so_far, now, out);
    return outcome;
}
