/*
 * model_return.c - the naive model takes goods back: docs/semantics.md, "Returns", in its order.
 *
 * Owns:      what is due, what a return gives and in which kind, shortfall, points given back and
 *            taken back, counters; by trace and by requote.
 * Must not:  change anything before it knows that the return is allowed.
 * Invariant: what is due and taken back is a total over all returns so far, a function of the
 *            quantities alone; a return books the difference to what was booked before.
 */
#include "model_book.h"

#include <stdlib.h>
#include <string.h>

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
net(const struct m_part *part)
{
    return part->gross - part->discount - part->rounding;
}

/* ---- quantities ---- */

/* What a return is about: Q, and R with the goods that it brings. */
struct goods {
    int count;
    int64_t sold[m_lines_max], back[m_lines_max];
    bool all;
};

/* Of a part of a line: how much of it is back. */
static int64_t
back_of(const struct goods *goods, int line, int64_t part)
{
    return m_floor_share(part, goods->back[line], goods->sold[line]);
}

static enum outcome
bring(const struct m_receipt *receipt, const int64_t *quantity, struct goods *goods)
{
    bool any = false;

    *goods = (struct goods){ .count = receipt->event.line_count, .all = true };
    for (int i = 0; i < goods->count; i++) {
        int64_t left = receipt->event.line[i].quantity - receipt->quantity[i];
        int64_t brought = quantity == NULL ? left : quantity[i];
        if (brought > left)
            return OUTCOME_RETURN_TOO_MUCH;
        any = any || brought > 0;
        goods->sold[i] = receipt->event.line[i].quantity;
        goods->back[i] = receipt->quantity[i] + brought;
        goods->all = goods->all && goods->back[i] == goods->sold[i];
    }
    return any ? OUTCOME_DONE : OUTCOME_RETURN_TOO_MUCH;
}

static enum outcome
in_time(const struct m_receipt *receipt, int64_t occurred_at, int64_t now)
{
    int days = receipt->programme->return_days;

    if (now - occurred_at > receipt->programme->late_days * M_DAY)
        return OUTCOME_TOO_LATE;
    if (days > 0 && occurred_at > receipt->event.occurred_at + days * M_DAY)
        return OUTCOME_TOO_LATE;
    return occurred_at > now + m_skew_ms ? OUTCOME_IN_FUTURE : OUTCOME_DONE;
}

/* ---- points and what they are worth ---- */

/* Points that are not whole money stand for the step that they are a part of. */
static int64_t
money_of(const struct m_programme *programme, int currency, int64_t points)
{
    const struct m_currency *of = &programme->currency[currency];
    m_wide num = (m_wide)points * of->worth_e6 * m_pow10(programme->money_scale);

    return m_round(num, (m_wide)m_pow10(6) * m_pow10(of->scale), 1, M_UP);
}

static int64_t
points_of(const struct m_programme *programme, int currency, int64_t money)
{
    const struct m_currency *of = &programme->currency[currency];
    m_wide num = (m_wide)money * m_pow10(6) * m_pow10(of->scale);

    return m_round(num, (m_wide)of->worth_e6 * m_pow10(programme->money_scale), 1, M_DOWN);
}

/* What lots paid of a redemption, and what they have back of it. */
struct paid {
    int64_t points, restored;
};

static struct paid
paid_by_lots(const struct model *model, const struct m_receipt *receipt, int currency)
{
    struct paid paid = { 0 };

    for (int t = 0; t < receipt->take_count; t++) {
        const struct m_take *take = &receipt->take[t];
        if (model->member[receipt->member].lot[take->lot].currency != currency)
            continue;
        paid.points += take->points;
        paid.restored += receipt->restored[t];
    }
    return paid;
}

/* ---- what is due and taken back so far ---- */

struct so_far {
    int64_t due; /* money, certificates, purse, and points at what they paid */
    int64_t certificate, purse, points[m_currencies_max]; /* back by trace: as money */
    int64_t revoked[m_rules_max];
    int64_t counter_sub[m_counters_max];
};

/*
 * The parts that are back by trace. What no balance covered (of a fact) is undone first: it is
 * taken off the points' part. Returns how much of that part it was, for it is not due either.
 */
static int64_t
back_by_trace(const struct model *model, const struct m_receipt *receipt, const struct goods *goods,
              struct so_far *out)
{
    const struct m_decision *decision = &receipt->decision;
    int64_t undone = 0;

    for (int i = 0; i < goods->count; i++) {
        out->certificate += back_of(goods, i, decision->line[i].certificate);
        out->purse += back_of(goods, i, decision->line[i].purse);
    }
    for (int r = 0; r < decision->redemption_count; r++) {
        const struct m_redemption *redemption = &decision->redemption[r];
        int currency = redemption->currency;
        int64_t points = 0, uncovered;
        for (int i = 0; i < goods->count; i++)
            points += back_of(goods, i, redemption->line_money[i]);
        uncovered = redemption->points - paid_by_lots(model, receipt, currency).points;
        uncovered = smaller(points, money_of(receipt->programme, currency, uncovered));
        out->points[currency] = points - uncovered;
        undone += uncovered;
    }
    return undone;
}

static int64_t
counted(const struct m_part *line, enum m_source source)
{
    switch (source) {
    case M_SUM_GROSS:
        return line->gross;
    case M_SUM_NET:
        return net(line);
    case M_SUM_MONEY:
        return line->money;
    case M_COUNT: /* taken off when everything is back */
        break;
    }
    return 0;
}

static void
by_trace(const struct m_receipt *receipt, const struct goods *goods, struct so_far *out)
{
    const struct m_programme *programme = receipt->programme;
    const struct m_decision *decision = &receipt->decision;

    out->due = out->certificate + out->purse;
    for (int c = 0; c < programme->currency_count; c++)
        out->due += out->points[c];
    for (int i = 0; i < goods->count; i++) {
        const struct m_part *line = &decision->line[i];
        out->due += back_of(goods, i, line->money);
        for (int e = 0; e < decision->earning_count; e++)
            out->revoked[e] += m_ceil_share(decision->earning[e].share[i], goods->back[i],
                                            goods->sold[i]);
        for (int c = 0; c < programme->counter_count; c++)
            out->counter_sub[c] += back_of(goods, i, counted(line, programme->counter[c].source));
    }
}

/* The goods kept, decided again around what trace left of certificates, points and purse. */
static void
decide_kept(const struct m_receipt *receipt, const struct goods *goods, struct m_decision *now)
{
    struct m_event event = receipt->event;
    struct m_part kept[m_lines_max] = { { 0 } };

    for (int i = 0; i < goods->count; i++) {
        const struct m_part *then = &receipt->decision.line[i];
        struct m_line *line = &event.line[i];
        line->gross -= back_of(goods, i, line->gross);
        line->floor -= back_of(goods, i, line->floor);
        line->quantity -= goods->back[i];
        kept[i].certificate = then->certificate - back_of(goods, i, then->certificate);
        kept[i].points = then->points - back_of(goods, i, then->points);
        kept[i].purse = then->purse - back_of(goods, i, then->purse);
    }
    m_requote(receipt->programme, &event, &receipt->view, kept, now);
}

/* What a rule gave in a decision; rule -1: what all rules gave in a currency. */
static int64_t
earned(const struct m_decision *decision, int rule, int currency)
{
    int64_t points = 0;

    for (int e = 0; e < decision->earning_count; e++)
        if (rule >= 0 ? decision->earning[e].rule == rule
                      : decision->earning[e].currency == currency)
            points += decision->earning[e].points;
    return points;
}

/* Of each currency: what the goods kept earn less, taken from the earnings in their order. */
static void
earned_less(struct m_receipt *receipt, const struct m_decision *now, struct m_tally *tally,
            int64_t *revoked)
{
    const struct m_decision *then = &receipt->decision;

    for (int c = 0; c < receipt->programme->currency_count; c++) {
        int64_t gave = earned(then, -1, c), lost = 0;
        int64_t total = gave - smaller(gave, earned(now, -1, c)), left = total;
        for (int e = 0; e < then->earning_count; e++) {
            const struct m_earning *earning = &then->earning[e];
            int64_t less = larger(0, earning->points - earned(now, earning->rule, c));
            if (earning->currency != c)
                continue;
            lost += less;
            revoked[e] = smaller(less, left);
            left -= revoked[e];
        }
        if (left > 0)
            abort(); /* the currency cannot lose more than its rules lose */
        tally->stood_in += lost > total;
        tally->stood_in_full += lost > 0 && total == 0;
    }
}

static void
by_requote(struct m_receipt *receipt, const struct goods *goods, int64_t undone,
           struct m_tally *tally, struct so_far *out)
{
    const struct m_decision *then = &receipt->decision;
    struct m_decision now;

    decide_kept(receipt, goods, &now);
    out->due = net(&then->total) - net(&now.total) - undone;
    earned_less(receipt, &now, tally, out->revoked);
    for (int c = 0; c < receipt->programme->counter_count; c++)
        out->counter_sub[c] = then->counter_add[c] -
                              smaller(then->counter_add[c], now.counter_add[c]);
}

/* All earnings and all counters; what else is given then is said in give_all. */
static void
by_all(const struct m_receipt *receipt, struct so_far *out)
{
    for (int e = 0; e < receipt->decision.earning_count; e++)
        out->revoked[e] = receipt->decision.earning[e].points;
    for (int c = 0; c < receipt->programme->counter_count; c++)
        out->counter_sub[c] = receipt->decision.counter_add[c];
}

/* ---- what this return gives ---- */

static void
give_all(const struct model *model, const struct m_receipt *receipt, struct m_returned *out)
{
    const struct m_decision *decision = &receipt->decision;

    out->refund = decision->total.money - receipt->refunded;
    out->certificate = decision->total.certificate - receipt->certificate;
    out->purse = decision->total.purse - receipt->purse;
    for (int r = 0; r < decision->redemption_count; r++) {
        int currency = decision->redemption[r].currency;
        struct paid paid = paid_by_lots(model, receipt, currency);
        out->restored[currency] = paid.points - paid.restored;
    }
}

/* Of what is left to give: up to `most` in all, `given` of it before. */
static int64_t
part_of(int64_t *left, int64_t most, int64_t given)
{
    int64_t part = larger(0, smaller(most - given, *left));

    *left -= part;
    return part;
}

static void
give_due(const struct model *model, const struct m_receipt *receipt, const struct so_far *so_far,
         struct m_returned *out)
{
    const struct m_programme *programme = receipt->programme;
    const struct m_decision *decision = &receipt->decision;
    int64_t left = so_far->due - receipt->certificate - receipt->purse - receipt->refunded;
    int64_t given[m_redeems_max];

    for (int r = 0; r < decision->redemption_count; r++) {
        int currency = decision->redemption[r].currency;
        given[r] = money_of(programme, currency, paid_by_lots(model, receipt, currency).restored);
        left -= given[r];
    }
    out->shortfall = larger(0, -left);
    out->certificate = part_of(&left, so_far->certificate, receipt->certificate);
    out->purse = part_of(&left, so_far->purse, receipt->purse);
    for (int r = 0; r < decision->redemption_count; r++) {
        int currency = decision->redemption[r].currency;
        int64_t part = part_of(&left, so_far->points[currency], given[r]);
        if (part > 0)
            out->restored[currency] = points_of(programme, currency, given[r] + part) -
                                      paid_by_lots(model, receipt, currency).restored;
    }
    out->refund = part_of(&left, decision->total.money, receipt->refunded);
}

/* ---- points given back ---- */

static void
restore_to_lot(const struct model *model, struct m_member *member, const struct m_take *take,
               int64_t points, int64_t now)
{
    struct m_lot *lot = &member->lot[take->lot];
    int grace = model->programme->currency[lot->currency].grace_days;

    if (lot->left == 0) { /* made again: as it was when it paid */
        lot->expires_at = take->expires_at;
        lot->graced = take->graced;
    }
    if (lot->expires_at <= now && (grace == 0 || lot->graced)) {
        member->tally.back_dead += member->debt[lot->currency] > 0;
        return; /* restored, and expired at once: it repays nothing */
    }
    if (lot->expires_at <= now) {
        int64_t last = m_local_day(model->programme->zone, now) + grace;
        lot->graced = true;
        lot->expires_at = m_midnight(model->programme->zone, last + 1);
    }
    lot->left += points;
    repay(member, lot, points, M_GIVEN_BACK);
}

/* To the lots that paid, in the reverse order of taking. */
static void
restore(const struct model *model, struct m_receipt *receipt, int currency, int64_t points,
        int64_t now)
{
    struct m_member *member = &model->member[receipt->member];

    for (int t = receipt->take_count; t-- > 0;) {
        const struct m_take *take = &receipt->take[t];
        int64_t part = smaller(points, take->points - receipt->restored[t]);
        if (part == 0 || member->lot[take->lot].currency != currency)
            continue;
        receipt->restored[t] += part;
        points -= part;
        restore_to_lot(model, member, take, part, now);
    }
}

/* ---- points taken back ---- */

/* From one lot, what is not held. */
static int64_t
take_from(struct m_lot *lot, int64_t wanted)
{
    int64_t part = smaller(wanted, lot->left - lot->held);

    lot->left -= part;
    return part;
}

/* Returns what became debt. */
static int64_t
revoke(struct m_member *member, struct m_lot *own, int64_t points)
{
    points -= take_from(own, points);
    for (int i = next_lot(member, own->currency, -1); i >= 0 && points > 0;
         i = next_lot(member, own->currency, i))
        points -= take_from(&member->lot[i], points);
    member->debt[own->currency] += points;
    return points;
}

/* To debt first, then to the earning's lot. */
static void
give_again(struct m_member *member, struct m_lot *own, int64_t points, int64_t now)
{
    int64_t part = smaller(points, member->debt[own->currency]);

    member->debt[own->currency] -= part;
    points -= part;
    if (own->left == 0) { /* made again */
        own->expires_at = own->made_expires_at;
        own->graced = false;
    }
    own->left += points;
    own->regiven = own->regiven || points > 0;
    if (own->expires_at <= now) /* what is given to a lot that has died dies at once */
        own->left = own->held;
}

/* ---- the whole ---- */

/* The owner's points: first given back, then taken back. */
static enum outcome
move_points(const struct model *model, struct m_receipt *receipt, const struct so_far *so_far,
            int64_t now, struct m_returned *out)
{
    struct m_member *member = &model->member[receipt->member];

    for (int c = 0; c < model->programme->currency_count; c++)
        restore(model, receipt, c, out->restored[c], now);
    for (int e = 0; e < receipt->decision.earning_count; e++) {
        struct m_lot *own = &member->lot[receipt->lot[e]];
        int64_t points = so_far->revoked[e] - receipt->revoked[e];
        if (points < 0 && out->shortfall > 0)
            points = 0; /* nothing is given again while something is owed */
        if (points > 0)
            out->debt[e] = revoke(member, own, points);
        else if (points < 0)
            give_again(member, own, -points, now);
        if (out->debt[e] > 0 && model->programme->currency[own->currency].debt_refused)
            return OUTCOME_RETURN_POINTS_SPENT;
        out->revoked[e] = points;
        receipt->revoked[e] += points;
    }
    return OUTCOME_DONE;
}

static void *
copy(const void *bytes, size_t size)
{
    void *out = malloc(size + 1);

    if (out == NULL)
        abort();
    if (size > 0)
        memcpy(out, bytes, size);
    return out;
}

static void
put_back(void *to, void *kept, size_t size)
{
    if (size > 0)
        memcpy(to, kept, size);
}

/* A refused return leaves everything as it was. */
static enum outcome
move_points_or_nothing(const struct model *model, struct m_receipt *receipt,
                       const struct so_far *so_far, int64_t now, struct m_returned *out)
{
    struct m_member *member = &model->member[receipt->member], member_then = *member;
    struct m_receipt receipt_then = *receipt;
    size_t lots = (size_t)member->lot_count * sizeof(*member->lot);
    size_t takes = (size_t)receipt->take_count * sizeof(*receipt->restored);
    void *lot = copy(member->lot, lots), *restored = copy(receipt->restored, takes);
    enum outcome outcome = move_points(model, receipt, so_far, now, out);

    if (outcome != OUTCOME_DONE) {
        put_back(member->lot, lot, lots);
        put_back(receipt->restored, restored, takes);
        *member = member_then;
        *receipt = receipt_then;
    }
    free(lot);
    free(restored);
    return outcome;
}

static void
book_return(struct model *model, struct m_receipt *receipt, const struct goods *goods,
            const struct so_far *so_far, int64_t now, const struct m_returned *given)
{
    receipt->refunded += given->refund;
    receipt->certificate += given->certificate;
    receipt->purse += given->purse;
    receipt->shortfall = given->shortfall;
    receipt->any_return = true;
    memcpy(receipt->quantity, goods->back, sizeof(receipt->quantity));
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

enum outcome
model_return(struct model *model, int number, const int64_t *quantity, int64_t occurred_at,
             int64_t now, struct m_returned *out)
{
    struct m_receipt *receipt = &model->receipt[number];
    struct so_far so_far = { 0 };
    struct m_tally tally = { 0 };
    struct goods goods;
    enum outcome outcome = in_time(receipt, occurred_at, now);
    int64_t undone;

    *out = (struct m_returned){ 0 };
    model->programme = model_in_force(model, now); /* lots and levels live by it */
    if (outcome == OUTCOME_DONE)
        outcome = bring(receipt, quantity, &goods);
    if (outcome != OUTCOME_DONE)
        return outcome;
    model_settle(model, receipt->member, now);
    undone = back_by_trace(model, receipt, &goods, &so_far);
    if (goods.all)
        by_all(receipt, &so_far);
    else if (receipt->programme->trace)
        by_trace(receipt, &goods, &so_far);
    else
        by_requote(receipt, &goods, undone, &tally, &so_far);
    if (goods.all)
        give_all(model, receipt, out);
    else
        give_due(model, receipt, &so_far, out);
    if (receipt->member >= 0)
        outcome = move_points_or_nothing(model, receipt, &so_far, now, out);
    if (outcome != OUTCOME_DONE)
        return outcome;
    book_return(model, receipt, &goods, &so_far, now, out);
    if (receipt->member >= 0) {
        model->member[receipt->member].tally.stood_in += tally.stood_in;
        model->member[receipt->member].tally.stood_in_full += tally.stood_in_full;
    }
    return outcome;
}
