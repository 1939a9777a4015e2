/*
 * model.c - the naive model keeps books: lots, holds, debt, counters, levels, receipts.
 *
 * Owns:      what happens to a member: settle, quote, reserve, commit, cancel, openings, events.
 *            Returns are in model_return.c.
 * Must not:  decide prices (model_decide.c); forget a lot: they stay for ever, empty or not.
 * Cost:      linear in everything.
 */
#include "model_book.h"

#include <stdlib.h>
#include <string.h>

static void *
grow(void *items, int count, int *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap == 0 ? 16 : 2 * *cap;
    items = realloc(items, (size_t)*cap * size);
    if (items == NULL)
        abort();
    return items;
}

void
model_init(struct model *model, const struct m_programme *programme)
{
    *model = (struct model){ .edition = { programme }, .programme = programme };
}

void
model_publish(struct model *model, const struct m_programme *second, int64_t from)
{
    model->edition[1] = second;
    model->second_from = from;
}

const struct m_programme *
model_in_force(const struct model *model, int64_t at)
{
    return model->edition[model->edition[1] != NULL && at >= model->second_from];
}

void
model_release(struct model *model)
{
    for (int m = 0; m < model->member_count; m++) {
        for (int h = 0; h < model->member[m].hold_count; h++)
            free(model->member[m].hold[h].take);
        free(model->member[m].lot);
        free(model->member[m].count);
    }
    for (int r = 0; r < model->receipt_count; r++) {
        free(model->receipt[r].take);
        free(model->receipt[r].restored);
    }
    free(model->member);
    free(model->receipt);
    free(model->reserve);
    *model = (struct model){ 0 };
}

/* ---- lots ---- */

/* Is `a` spent before `b`? Both are places in the member's list. */
static bool
spent_before(const struct m_member *member, int a, int b)
{
    if (member->lot[a].expires_at != member->lot[b].expires_at)
        return member->lot[a].expires_at < member->lot[b].expires_at;
    return a < b;
}

int
next_lot(const struct m_member *member, int currency, int after)
{
    int best = -1;

    for (int i = 0; i < member->lot_count; i++) {
        const struct m_lot *lot = &member->lot[i];
        if (lot->pending || lot->currency != currency || lot->left == 0)
            continue;
        if (after >= 0 && !spent_before(member, after, i))
            continue;
        if (best < 0 || spent_before(member, i, best))
            best = i;
    }
    return best;
}

void
repay(struct m_member *member, struct m_lot *lot, int64_t points, enum m_repaid why)
{
    int64_t *debt = &member->debt[lot->currency];
    int64_t part = points < *debt ? points : *debt;

    lot->left -= part;
    *debt -= part;
    member->tally.repaid[why] += part > 0;
}

static int
make_lot(const struct model *model, struct m_member *member, int currency, int64_t points,
         int64_t earned_at, int64_t now)
{
    const struct m_currency *terms = &model->programme->currency[currency];
    enum m_zone zone = model->programme->zone;
    struct m_lot lot = {
        .currency = currency,
        .size = points,
        .left = points,
        .active_from = earned_at,
    };

    if (earned_at > now) /* a till's clock ran ahead */
        lot.active_from = earned_at = now;
    if (terms->has_pending)
        lot.active_from = m_add_period(zone, earned_at, terms->pending);
    lot.pending = lot.active_from > now;
    lot.expires_at = M_NEVER;
    if (terms->expiry != M_EXPIRY_NONE && terms->expiry_period.months == 0 &&
        terms->expiry_period.days == 0 && terms->expiry == M_EXPIRY_PERIOD) {
        lot.expires_at = lot.active_from + terms->expiry_period.ms;
    } else if (terms->expiry != M_EXPIRY_NONE) {
        int64_t last = m_add_date(m_local_day(zone, lot.active_from), terms->expiry_period);
        if (terms->expiry == M_EXPIRY_PERIOD_END) {
            int64_t number = m_period_number(terms->expiry_round, last) + terms->expiry_following;
            last = m_period_first_day(terms->expiry_round, number + 1) - 1;
        }
        lot.expires_at = m_midnight(zone, last + 1);
    }
    member->lot = grow(member->lot, member->lot_count, &member->lot_cap, sizeof(lot));
    lot.made_expires_at = lot.expires_at;
    member->lot[member->lot_count] = lot;
    if (!lot.pending)
        repay(member, &member->lot[member->lot_count], points, M_MADE_ACTIVE);
    return member->lot_count++;
}

void
model_balance(const struct model *model, int number, int currency, struct m_balance *out)
{
    const struct m_member *member = &model->member[number];

    *out = (struct m_balance){ .debt = member->debt[currency] };
    for (int i = 0; i < member->lot_count; i++) {
        const struct m_lot *lot = &member->lot[i];
        if (lot->currency != currency)
            continue;
        *(lot->pending ? &out->pending : &out->active) += lot->left;
        out->held += lot->held;
    }
}

int
model_open_lots(const struct model *model, int number, int *lots, int cap)
{
    const struct m_member *member = &model->member[number];
    int count = 0;

    for (int i = 0; i < member->lot_count; i++) {
        int at = count;
        if (member->lot[i].left == 0)
            continue;
        if (count == cap)
            abort();
        for (; at > 0 && spent_before(member, i, lots[at - 1]); at--)
            lots[at] = lots[at - 1];
        lots[at] = i;
        count++;
    }
    return count;
}

/* ---- settle ---- */

static void
forget_hold(struct m_member *member, int number)
{
    free(member->hold[number].take);
    member->hold_count--;
    for (int h = number; h < member->hold_count; h++)
        member->hold[h] = member->hold[h + 1];
}

/* What it held is available again, lot by lot in the order of holding. */
static void
let_go(struct m_member *member, int number, int64_t now, enum m_repaid why)
{
    const struct m_hold *hold = &member->hold[number];

    for (int t = 0; t < hold->take_count; t++) {
        struct m_lot *lot = &member->lot[hold->take[t].lot];
        lot->held -= hold->take[t].points;
        member->tally.let_go_dead += lot->expires_at <= now && member->debt[lot->currency] > 0;
        repay(member, lot, hold->take[t].points, why);
    }
    forget_hold(member, number);
}

enum { DUE_HOLD, DUE_ACTIVE, DUE_EXPIRY };

/* The first thing due by `now`; false: nothing. */
static bool
first_due(const struct m_member *member, int64_t now, int *kind, int *which)
{
    int64_t best = M_NEVER;

    for (int h = 0; h < member->hold_count; h++)
        if (member->hold[h].ends_at <= now && member->hold[h].ends_at < best) {
            best = member->hold[h].ends_at;
            *kind = DUE_HOLD;
            *which = h;
        }
    for (int i = 0; i < member->lot_count; i++)
        if (member->lot[i].pending && member->lot[i].active_from <= now &&
            (member->lot[i].active_from < best ||
             (member->lot[i].active_from == best && *kind == DUE_ACTIVE &&
              spent_before(member, i, *which)))) {
            best = member->lot[i].active_from;
            *kind = DUE_ACTIVE;
            *which = i;
        }
    for (int i = 0; i < member->lot_count; i++) {
        const struct m_lot *lot = &member->lot[i];
        if (lot->left > lot->held && lot->expires_at <= now && lot->expires_at < best) {
            best = lot->expires_at;
            *kind = DUE_EXPIRY;
            *which = i;
        }
    }
    return best != M_NEVER;
}

void
settle(struct m_member *member, int64_t now)
{
    int kind = DUE_HOLD, which = 0;

    while (first_due(member, now, &kind, &which)) {
        struct m_lot *lot = &member->lot[which];
        if (kind == DUE_HOLD) {
            let_go(member, which, member->hold[which].ends_at, M_HOLD_ENDED);
        } else if (kind == DUE_ACTIVE) {
            lot->pending = false;
            repay(member, lot, lot->left, M_ACTIVATED);
        } else {
            lot->left = lot->held;
        }
    }
}

void
model_settle(struct model *model, int member, int64_t now)
{
    if (member >= 0)
        settle(&model->member[member], now);
}

/* ---- counters and levels ---- */

static int64_t
bucket_of(const struct model *model, int counter, int64_t at)
{
    const struct m_counter *terms = &model->programme->counter[counter];
    int64_t day = m_local_day(model->programme->zone, at);

    return terms->rolling_days > 0 ? day : m_period_number(terms->period, day);
}

void
add_count(const struct model *model, struct m_member *member, int counter, int64_t at,
          int64_t value)
{
    int64_t bucket = bucket_of(model, counter, at);

    for (int i = 0; i < member->count_count; i++)
        if (member->count[i].counter == counter && member->count[i].bucket == bucket) {
            member->count[i].value += value;
            return;
        }
    member->count = grow(member->count, member->count_count, &member->count_cap,
                         sizeof(*member->count));
    member->count[member->count_count++] =
        (struct m_count){ .counter = counter, .bucket = bucket, .value = value };
}

int64_t
model_counter(const struct model *model, int number, int counter, int64_t now)
{
    const struct m_member *member = &model->member[number];
    int days = model->programme->counter[counter].rolling_days;
    int64_t bucket = bucket_of(model, counter, now), sum = 0;

    for (int i = 0; i < member->count_count; i++) {
        const struct m_count *count = &member->count[i];
        if (count->counter == counter && count->bucket <= bucket &&
            count->bucket > bucket - (days > 0 ? days : 1))
            sum += count->value;
    }
    return sum;
}

void
update_levels(struct model *model, int number, int64_t now)
{
    struct m_member *member = &model->member[number];

    for (int l = 0; l < model->programme->ladder_count; l++) {
        const struct m_ladder *ladder = &model->programme->ladder[l];
        int64_t value = model_counter(model, number, ladder->counter, now);
        int level = 0;
        for (int i = 0; i < ladder->level_count; i++)
            if (ladder->from[i] <= value)
                level = i + 1;
        if (level > member->level[l] || ladder->downgrade)
            member->level[l] = level;
    }
}

/* ---- members ---- */

int
model_enrol(struct model *model, int64_t now)
{
    model->programme = model_in_force(model, now);
    model->member = grow(model->member, model->member_count, &model->member_cap,
                         sizeof(*model->member));
    model->member[model->member_count++] = (struct m_member){ .enrolled_at = now };
    update_levels(model, model->member_count - 1, now);
    return model->member_count - 1;
}

int64_t
available(const struct model *model, int number, int currency)
{
    struct m_balance balance;

    model_balance(model, number, currency, &balance);
    return balance.active - balance.held;
}

void
model_view(const struct model *model, int number, int64_t now, struct m_view *view)
{
    *view = (struct m_view){ .known = number >= 0 };
    if (number < 0)
        return;
    view->enrolled_at = model->member[number].enrolled_at;
    for (int l = 0; l < model->programme->ladder_count; l++)
        view->level[l] = model->member[number].level[l];
    for (int c = 0; c < model->programme->counter_count; c++)
        view->counter[c] = model_counter(model, number, c, now);
    for (int c = 0; c < model->programme->currency_count; c++)
        view->available[c] = available(model, number, c);
}

/* ---- purchases ---- */

static enum outcome
in_time(const struct model *model, const struct m_event *event, int64_t now)
{
    if (now - event->occurred_at > model->programme->late_days * M_DAY)
        return OUTCOME_TOO_LATE;
    return event->occurred_at > now + m_skew_ms ? OUTCOME_IN_FUTURE : OUTCOME_DONE;
}

/* Settle, look, decide. */
static enum outcome
decide(struct model *model, int member, const struct m_event *event, enum m_mode mode, int64_t now,
       struct m_view *view, struct m_decision *out)
{
    model->programme = model_in_force(model, event->occurred_at);
    *out = (struct m_decision){ .outcome = in_time(model, event, now) };
    if (out->outcome != OUTCOME_DONE)
        return out->outcome;
    model_settle(model, member, now);
    model_view(model, member, now, view);
    m_decide(model->programme, event, view, mode, out);
    return out->outcome;
}

/* Choose lots that pay `points`; fewer when there are fewer. What was chosen is added to `take`. */
static int64_t
choose_lots(const struct m_member *member, int currency, int64_t points, struct m_take **take,
            int *count)
{
    int64_t found = 0;

    for (int i = next_lot(member, currency, -1); i >= 0 && found < points;
         i = next_lot(member, currency, i)) {
        int64_t part = member->lot[i].left - member->lot[i].held;
        if (part > points - found)
            part = points - found;
        if (part == 0)
            continue;
        *take = realloc(*take, (size_t)(*count + 1) * sizeof(**take));
        if (*take == NULL)
            abort();
        (*take)[(*count)++] = (struct m_take){
            .lot = i,
            .points = part,
            .graced = member->lot[i].graced,
            .expires_at = member->lot[i].expires_at,
        };
        found += part;
    }
    return found;
}

static struct m_receipt *
new_receipt(struct model *model, int member, const struct m_event *event, const struct m_view *view,
            const struct m_decision *decision)
{
    model->receipt = grow(model->receipt, model->receipt_count, &model->receipt_cap,
                          sizeof(*model->receipt));
    struct m_receipt *receipt = &model->receipt[model->receipt_count++];
    *receipt = (struct m_receipt){
        .member = member,
        .programme = model->programme,
        .event = *event,
        .view = *view,
        .decision = *decision,
    };
    return receipt;
}

/* Earnings, counters, levels: what a booked purchase leaves behind. */
static void
book_gains(struct model *model, struct m_receipt *receipt, int64_t now)
{
    const struct m_decision *decision = &receipt->decision;
    struct m_member *member = &model->member[receipt->member];

    for (int e = 0; e < decision->earning_count; e++)
        receipt->lot[e] = make_lot(model, member, decision->earning[e].currency,
                                   decision->earning[e].points, receipt->event.occurred_at, now);
    for (int c = 0; c < model->programme->counter_count; c++)
        if (decision->counter_add[c] != 0)
            add_count(model, member, c, receipt->event.occurred_at, decision->counter_add[c]);
    update_levels(model, receipt->member, now);
    settle(member, now); /* what came so late that it has died already */
}

void
model_would(struct model *model, int member, const struct m_event *event, enum m_mode mode,
            int64_t now, struct m_decision *out)
{
    struct m_view view;

    decide(model, member, event, mode, now, &view, out);
}

void
model_quote(struct model *model, int member, const struct m_event *event, enum m_mode mode,
            int64_t now, struct m_decision *out)
{
    struct m_event asked = *event;
    struct m_view view;

    asked.confirmed = true; /* a quote comes before the code */
    decide(model, member, &asked, mode, now, &view, out);
}

/* Money worth of points that no balance covered, rounded to the nearest step. */
static int64_t
worth_of(const struct model *model, int currency, int64_t points)
{
    const struct m_currency *terms = &model->programme->currency[currency];

    return m_round((m_wide)points * terms->worth_e6 * m_pow10(model->programme->money_scale),
                   (m_wide)m_pow10(terms->scale) * 1000000, 1, M_HALF_UP);
}

enum outcome
model_commit(struct model *model, int member, const struct m_event *event, enum m_mode mode,
             int64_t now, struct m_decision *out, int *number)
{
    struct m_view view;
    struct m_receipt *receipt;

    if (decide(model, member, event, mode, now, &view, out) != OUTCOME_DONE)
        return out->outcome;
    receipt = new_receipt(model, member, event, &view, out);
    *number = model->receipt_count - 1;
    if (member < 0)
        return OUTCOME_DONE;
    for (int r = 0; r < out->redemption_count; r++) {
        const struct m_redemption *paid = &out->redemption[r];
        int64_t wanted = paid->points, most = view.available[paid->currency];
        if (mode == M_FACT && wanted > most)
            wanted = most;
        int64_t found = choose_lots(&model->member[member], paid->currency, wanted, &receipt->take,
                                    &receipt->take_count);
        if (found < wanted)
            abort(); /* what is available lies in lots */
        receipt->uncovered += worth_of(model, paid->currency, paid->points - found);
    }
    for (int t = 0; t < receipt->take_count; t++)
        model->member[member].lot[receipt->take[t].lot].left -= receipt->take[t].points;
    receipt->restored = calloc((size_t)receipt->take_count + 1, sizeof(int64_t));
    if (receipt->restored == NULL)
        abort();
    book_gains(model, receipt, now);
    return OUTCOME_DONE;
}

/* ---- reserves ---- */

enum outcome
model_reserve(struct model *model, int number, const struct m_event *event, int64_t now,
              struct m_decision *out, int *reserve)
{
    struct m_view view;
    struct m_hold hold = { .take_count = 0 };

    if (decide(model, number, event, M_ORDINARY, now, &view, out) != OUTCOME_DONE)
        return out->outcome;
    hold.ends_at = now + model->programme->hold_ms;
    if (number >= 0 && model->member[number].hold_count == m_holds_max)
        return out->outcome = OUTCOME_TOO_MANY_HOLDS;
    model->reserve = grow(model->reserve, model->reserve_count, &model->reserve_cap,
                          sizeof(*model->reserve));
    *reserve = hold.reserve = model->reserve_count++;
    model->reserve[*reserve] = (struct m_reserve){
        .member = number,
        .programme = model->programme,
        .event = *event,
        .view = view,
        .decision = *out,
        .valid_until = hold.ends_at,
    };
    if (number < 0)
        return OUTCOME_DONE;
    struct m_member *member = &model->member[number];
    for (int r = 0; r < out->redemption_count; r++)
        choose_lots(member, out->redemption[r].currency, out->redemption[r].points, &hold.take,
                    &hold.take_count);
    for (int t = 0; t < hold.take_count; t++)
        member->lot[hold.take[t].lot].held += hold.take[t].points;
    member->hold[member->hold_count++] = hold;
    return OUTCOME_DONE;
}

/* The hold of a reserve that is still live; -1: none. */
static int
live_hold(const struct model *model, int reserve)
{
    int member = model->reserve[reserve].member;

    for (int h = 0; member >= 0 && h < model->member[member].hold_count; h++)
        if (model->member[member].hold[h].reserve == reserve)
            return h;
    return -1;
}

/* Live: not used, not cancelled, not over. */
static bool
is_live(const struct model *model, int reserve, int64_t now)
{
    return model->reserve[reserve].state == M_LIVE && now < model->reserve[reserve].valid_until;
}

enum outcome
model_commit_reserve(struct model *model, int member, int number, const struct m_event *key,
                     int64_t now, struct m_decision *out, int *receipt_number)
{
    struct m_reserve *reserve = &model->reserve[number];
    struct m_event event = reserve->event;
    struct m_receipt *receipt;
    struct m_view view;

    model->programme = reserve->programme; /* it goes on by the version that made it */
    *out = (struct m_decision){ .outcome = in_time(model, key, now) };
    if (out->outcome != OUTCOME_DONE)
        return out->outcome;
    model_settle(model, member, now);
    if (reserve->member != member)
        return out->outcome = OUTCOME_RESERVE_UNKNOWN;
    if (!is_live(model, number, now))
        return out->outcome = OUTCOME_RESERVE_ENDED;
    event.occurred_at = key->occurred_at; /* the purchase is where and when it is committed */
    event.outlet = key->outlet;
    event.till = key->till;
    model_view(model, member, now, &view);
    *out = reserve->decision;
    m_earn_again(model->programme, &event, &view, out);
    reserve->state = M_USED;
    receipt = new_receipt(model, member, &event, &view, out);
    *receipt_number = model->receipt_count - 1;
    if (member < 0)
        return OUTCOME_DONE;
    int h = live_hold(model, number);
    struct m_member *holder = &model->member[member];
    receipt->take_count = holder->hold[h].take_count;
    receipt->take = malloc(((size_t)receipt->take_count + 1) * sizeof(struct m_take));
    receipt->restored = calloc((size_t)receipt->take_count + 1, sizeof(int64_t));
    if (receipt->take == NULL || receipt->restored == NULL)
        abort();
    for (int t = 0; t < receipt->take_count; t++) {
        receipt->take[t] = holder->hold[h].take[t];
        holder->lot[receipt->take[t].lot].left -= receipt->take[t].points;
        holder->lot[receipt->take[t].lot].held -= receipt->take[t].points;
    }
    forget_hold(holder, h); /* it held what was reserved, and all of that was spent */
    book_gains(model, receipt, now);
    return OUTCOME_DONE;
}

enum outcome
model_cancel(struct model *model, int number, int64_t now)
{
    struct m_reserve *reserve = &model->reserve[number];

    model_settle(model, reserve->member, now);
    if (!is_live(model, number, now))
        return OUTCOME_RESERVE_ENDED;
    reserve->state = M_CANCELLED;
    if (reserve->member >= 0) {
        let_go(&model->member[reserve->member], live_hold(model, number), now, M_HOLD_GIVEN_UP);
        model_settle(model, reserve->member, now); /* what its hold kept alive */
    }
    return OUTCOME_DONE;
}

/* ---- openings and other events ---- */

enum outcome
model_opening(struct model *model, int member, int currency, int64_t points, int64_t at,
              int64_t now)
{
    model->programme = model_in_force(model, now);
    model_settle(model, member, now);
    make_lot(model, &model->member[member], currency, points, at, now);
    model_settle(model, member, now);
    return OUTCOME_DONE;
}

enum outcome
model_event(struct model *model, int member, const struct m_event *event, int64_t now,
            struct m_decision *out)
{
    struct m_view view;

    if (decide(model, member, event, M_ORDINARY, now, &view, out) != OUTCOME_DONE)
        return out->outcome;
    for (int e = 0; e < out->earning_count; e++)
        make_lot(model, &model->member[member], out->earning[e].currency, out->earning[e].points,
                 event->occurred_at, now);
    model_settle(model, member, now);
    return OUTCOME_DONE;
}
