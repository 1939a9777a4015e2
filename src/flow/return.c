/*
 * return.c - goods come back: what is refunded, given back and taken back.
 *
 * Owns:      the totals that belong to a state of "so much of each line is back", and this step's
 *            difference.
 * Must not:  depend on the order of earlier returns beyond what they have paid: what is due by now
 *            is a function of the quantities back so far.
 * Invariant: all back = everything back exactly; never more back than was sold; what was given in
 *            all, less shortfall, is the same on every path; the goods kept have cost no less than
 *            their price alone, or than the price at some step before.
 * Meaning:   docs/semantics.md, "Returns".
 * Tests:     tests/tables/returns/, tests/unit/flow/test_return_property.c, tests/sim/
 */
#include "flow/common.h"

#include "base/mem.h"

void
flow_return_needs(const struct terms *life, uint64_t owner_id, uint64_t origin, unix_ms now,
                  struct needs *needs)
{
    *needs = (struct needs){.owner_id = owner_id, .origin = origin, .returned = true};
    step_need_rolling(life, now, needs);
}

/* Totals that belong to the quantities back so far. */
struct target {
    bool all_back;
    amount due;                /* in all: money, certificates, purse, points at what they paid */
    amount certificate, purse; /* of it at most, by trace */
    amount *paid;              /* by redemption: money that lots paid; at most, by trace */
    amount undone;             /* money that points paid and no lot covered (a fact) */
    amount *restored;          /* by take */
    amount *revoked;           /* by earning */
    int64_t counter_sub[counters_per_programme_max];
};

struct returning {
    struct step *step;
    const struct terms *terms; /* of the purchase's version */
    struct record purchase;
    struct returned_state state; /* before, then after */
    struct target target;
    struct record *record; /* of this return */
};

/* floor(a * back / sold) for a >= 0. */
static amount
share_floor(amount a, int64_t back, int64_t sold)
{
    amount result = 0;
    assert(a >= 0);
    assert(back >= 0 && back <= sold && sold > 0);
    bool fits = i64_mul_div(a, back, sold, ROUND_FLOOR, &result);
    assert(fits); /* not above a */
    return result;
}

static amount
share_ceil(amount a, int64_t back, int64_t sold)
{
    return a - share_floor(a, sold - back, sold);
}

static enum code
returning_load(struct returning *r, struct err *err)
{
    struct step *step = r->step;
    enum code rc = record_decode(step->view->origin, r->terms, step->arena, &r->purchase, err);

    if (rc)
        return rc;
    if (step->view->returned_found)
        return returned_state_decode(step->view->returned, r->terms, step->arena, &r->state, err);
    r->state = (struct returned_state){
        .line_count = r->purchase.event.line_count,
        .take_count = r->purchase.take_count,
        .earning_count = r->purchase.decision.earning_count,
    };
    r->state.quantity = arena_array(step->arena, int64_t, r->state.line_count);
    r->state.restored = arena_array(step->arena, amount, r->state.take_count);
    r->state.revoked = arena_array(step->arena, amount, r->state.earning_count);
    if (!r->state.quantity || !r->state.restored || !r->state.revoked)
        return step_no_memory(err);
    return OK;
}

/* Add what comes back now; the refusal, if any, is set on the step. */
static enum code
add_quantities(struct returning *r, const struct return_input *input, struct err *err)
{
    struct step *step = r->step;
    const struct event *event = &r->purchase.event;
    uint32_t count = input->line_count ? input->line_count : event->line_count;
    struct returned_line *lines = arena_array(step->arena, struct returned_line, count);
    uint32_t used = 0;

    if (!lines)
        return step_no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        struct returned_line line = { .line = i };
        if (input->line_count)
            line = input->line[i];
        if (line.line >= event->line_count)
            return step_refuse(step, OUTCOME_RETURN_TOO_MUCH, TEXT("/lines"));
        int64_t left = event->line[line.line].quantity - r->state.quantity[line.line];
        if (!input->line_count)
            line.quantity = left;
        if (line.quantity < 0 || line.quantity > left || (input->line_count && line.quantity == 0))
            return step_refuse(step, OUTCOME_RETURN_TOO_MUCH, TEXT("/lines"));
        if (line.quantity == 0)
            continue;
        r->state.quantity[line.line] += line.quantity;
        lines[used++] = line;
    }
    if (used == 0)
        return step_refuse(step, OUTCOME_RETURN_TOO_MUCH, TEXT("/lines"));
    r->record->returned = lines;
    r->record->returned_count = used;
    return OK;
}

static int64_t
back_of(const struct returning *r, uint32_t line)
{
    return r->state.quantity[line];
}

static int64_t
sold_of(const struct returning *r, uint32_t line)
{
    return r->purchase.event.line[line].quantity;
}

static bool
is_all_back(const struct returning *r)
{
    for (uint32_t i = 0; i < r->state.line_count; i++)
        if (back_of(r, i) != sold_of(r, i))
            return false;
    return true;
}

/* How the points of one redemption stand. */
struct redeemed {
    const struct currency_terms *currency;
    amount covered, back; /* points: what lots paid, and have back so far */
    amount uncovered;     /* points that no lot paid */
};

static struct redeemed
redeemed_of(const struct returning *r, uint32_t redemption)
{
    const struct redemption *of = &r->purchase.decision.redemption[redemption];
    struct redeemed result = { .currency = terms_currency(r->terms, of->currency) };

    assert(result.currency);
    for (uint32_t t = 0; t < r->purchase.take_count; t++)
        if (r->purchase.take[t].currency == of->currency) {
            result.covered += r->purchase.take[t].points;
            result.back += r->state.restored[t];
        }
    result.uncovered = of->points - result.covered;
    assert(result.uncovered >= 0);
    return result;
}

/* Money that points are worth, rounded up; points that money is worth, rounded down. */
static amount
money_worth(const struct currency_terms *currency, amount points)
{
    amount money = 0;
    bool fits = i64_mul_div(points, currency->worth.num, currency->worth.den, ROUND_CEIL, &money);
    assert(fits); /* about what they paid */
    return money;
}

static amount
points_worth(const struct currency_terms *currency, amount money)
{
    amount points = 0;
    bool fits = i64_mul_div(money, currency->worth.den, currency->worth.num, ROUND_FLOOR, &points);
    assert(fits); /* not above the points that paid it */
    return points;
}

/* Of the money that points paid and that is back: what no lot covered is undone first. */
static void
undo_uncovered(struct returning *r)
{
    for (uint32_t c = 0; c < r->purchase.decision.redemption_count; c++) {
        struct redeemed of = redeemed_of(r, c);
        amount uncovered = money_worth(of.currency, of.uncovered);
        amount undone = uncovered < r->target.paid[c] ? uncovered : r->target.paid[c];
        r->target.undone += undone;
        r->target.paid[c] -= undone;
    }
    assert(r->target.undone >= 0);
}

/* What the lines' parts make back so far, each piece what it bore. */
static void
target_by_trace(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;

    for (uint32_t i = 0; i < decision->line_count; i++) {
        const struct line_result *line = &decision->line[i];
        r->target.certificate += share_floor(line->certificate, back_of(r, i), sold_of(r, i));
        r->target.purse += share_floor(line->purse, back_of(r, i), sold_of(r, i));
        r->target.due += share_floor(line->money, back_of(r, i), sold_of(r, i));
    }
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        uint32_t c = 0;
        if (effect->kind != EFFECT_POINTS)
            continue;
        while (decision->redemption[c].currency != effect->currency)
            c++;
        assert(c < decision->redemption_count);
        r->target.paid[c] += share_floor(effect->money, back_of(r, effect->line),
                                         sold_of(r, effect->line));
    }
    undo_uncovered(r);
    r->target.due += r->target.certificate + r->target.purse;
    for (uint32_t c = 0; c < decision->redemption_count; c++)
        r->target.due += r->target.paid[c];
}

static void
revoked_by_trace(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;

    for (uint32_t e = 0; e < decision->earning_count; e++)
        for (uint32_t i = 0; i < decision->effect_count; i++) {
            const struct effect *effect = &decision->effect[i];
            if (effect->kind == EFFECT_EARN && effect->rule == decision->earning[e].rule &&
                effect->currency == decision->earning[e].currency)
                r->target.revoked[e] += share_ceil(effect->points, back_of(r, effect->line),
                                                   sold_of(r, effect->line));
        }
}

static amount
net_of(const struct line_result *line)
{
    return line->gross - line->discount - line->rounding;
}

static void
counters_by_trace(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;

    for (uint32_t c = 0; c < r->terms->counter_count; c++) {
        enum counter_source source = r->terms->counter[c].source;
        if (source == COUNTER_COUNT)
            continue; /* until everything is back */
        for (uint32_t i = 0; i < decision->line_count; i++) {
            const struct line_result *line = &decision->line[i];
            amount of = source == COUNTER_GROSS ? line->gross
                        : source == COUNTER_NET ? net_of(line)
                                                : line->money;
            r->target.counter_sub[c] += share_floor(of, back_of(r, i), sold_of(r, i));
        }
    }
}

/* The goods that are kept, and what they paid otherwise than in money. */
static enum code
kept_goods(struct returning *r, struct event *kept, struct kept_payment **payment, struct err *err)
{
    const struct record *purchase = &r->purchase;
    uint32_t count = purchase->event.line_count;
    struct arena *arena = r->step->arena;

    *kept = purchase->event;
    kept->line = arena_array(arena, struct line, count);
    *payment = arena_array(arena, struct kept_payment, count);
    if (!kept->line || !*payment)
        return step_no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        const struct line_result *paid = &purchase->decision.line[i];
        struct line *line = &kept->line[i];
        *line = purchase->event.line[i];
        line->gross -= share_floor(line->gross, back_of(r, i), sold_of(r, i));
        line->floor -= share_floor(line->floor, back_of(r, i), sold_of(r, i));
        line->quantity -= back_of(r, i);
        (*payment)[i].certificate = paid->certificate -
                                    share_floor(paid->certificate, back_of(r, i), sold_of(r, i));
        (*payment)[i].purse = paid->purse - share_floor(paid->purse, back_of(r, i), sold_of(r, i));
        (*payment)[i].points = paid->points -
                               share_floor(paid->points, back_of(r, i), sold_of(r, i));
    }
    return OK;
}

/* By how much the rule of an earning gives less for the kept goods than it gave. */
static amount
lost_of(const struct earning *was, const struct decision *again)
{
    amount now = 0;

    for (uint32_t i = 0; i < again->earning_count; i++)
        if (again->earning[i].rule == was->rule && again->earning[i].currency == was->currency)
            now += again->earning[i].points;
    return was->points > now ? was->points - now : 0;
}

/* What all rules give in a currency; of more than an amount can be, as much as it can be. */
static amount
earned_in(const struct decision *decision, uint8_t currency)
{
    amount sum = 0;

    for (uint32_t i = 0; i < decision->earning_count; i++)
        if (decision->earning[i].currency == currency &&
            !i64_add(sum, decision->earning[i].points, &sum))
            return INT64_MAX;
    assert(sum >= 0);
    return sum;
}

/*
 * A currency is compared as a whole, so that a rule that stands in for another, whose threshold is
 * lost, counts for the member. What is missing is taken from the earnings that have become less,
 * in their order.
 */
static void
revoked_by_requote(struct returning *r, const struct decision *again, uint8_t currency)
{
    const struct decision *decision = &r->purchase.decision;
    amount missing = earned_in(decision, currency) - earned_in(again, currency);

    for (uint32_t e = 0; e < decision->earning_count; e++) {
        const struct earning *was = &decision->earning[e];
        if (was->currency != currency)
            continue;
        amount lost = lost_of(was, again);
        r->target.revoked[e] = missing <= 0 ? 0 : lost < missing ? lost : missing;
        missing -= r->target.revoked[e];
    }
    assert(missing <= 0); /* all that is missing, some rule gives less */
}

/* Decide the kept goods again, and replace what is due, revoked and counters by what follows. */
static enum code
target_by_requote(struct returning *r, struct err *err)
{
    const struct record *purchase = &r->purchase;
    struct kept_payment *payment;
    struct decision again;
    struct event kept;
    enum code rc = kept_goods(r, &kept, &payment, err);

    if (rc)
        return rc;
    rc = engine_requote(r->step->plan, &kept, &purchase->view, payment, r->step->arena, &again,
                        err);
    if (rc)
        return rc;
    /* Below 0 when the goods kept cost more, alone, than all did together. */
    r->target.due = net_of(&purchase->decision.total) - net_of(&again.total) - r->target.undone;
    for (uint32_t c = 0; c < r->terms->currency_count; c++)
        revoked_by_requote(r, &again, r->terms->currency[c].no);
    for (uint32_t c = 0; c < r->terms->counter_count; c++) {
        int64_t was = purchase->decision.counter_add[c], now = again.counter_add[c];
        r->target.counter_sub[c] = was > now ? was - now : 0;
    }
    return OK;
}

/* Everything is back: everything is back exactly. */
static void
target_whole(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;

    r->target.certificate = decision->total.certificate;
    r->target.purse = decision->total.purse;
    for (uint32_t e = 0; e < decision->earning_count; e++)
        r->target.revoked[e] = decision->earning[e].points;
    for (uint32_t c = 0; c < r->terms->counter_count; c++)
        r->target.counter_sub[c] = decision->counter_add[c];
}

static enum code
compute_target(struct returning *r, struct err *err)
{
    struct arena *arena = r->step->arena;

    r->target.paid = arena_array(arena, amount, r->purchase.decision.redemption_count);
    r->target.restored = arena_array(arena, amount, r->state.take_count);
    r->target.revoked = arena_array(arena, amount, r->state.earning_count);
    if (!r->target.paid || !r->target.restored || !r->target.revoked)
        return step_no_memory(err);
    r->target.all_back = is_all_back(r);
    if (r->target.all_back) {
        target_whole(r);
        return OK;
    }
    target_by_trace(r);
    if (r->terms->returns == RETURN_REQUOTE)
        return target_by_requote(r, err);
    revoked_by_trace(r);
    counters_by_trace(r);
    return OK;
}

/* Restored so far, lot by lot: the last taken is the first given back. */
static void
spread_restored(struct returning *r, uint8_t currency, amount left)
{
    const struct record *purchase = &r->purchase;

    for (uint32_t t = purchase->take_count; t-- > 0;) {
        if (purchase->take[t].currency != currency)
            continue;
        amount part = purchase->take[t].points < left ? purchase->take[t].points : left;
        r->target.restored[t] = part > 0 ? part : 0;
        left -= r->target.restored[t];
    }
    assert(left <= 0);
}

/* As much of `left` as brings what was given to `most`; takes it off `left`. */
static amount
part_of_left(amount *left, amount given, amount most)
{
    amount part = most - given < *left ? most - given : *left;

    if (part <= 0)
        return 0;
    *left -= part;
    return part;
}

/* Points that are back by now, out of what is left to give. */
static void
settle_points(struct returning *r, uint32_t redemption, amount *left)
{
    struct redeemed of = redeemed_of(r, redemption);
    amount given = money_worth(of.currency, of.back), back = of.back;

    if (r->target.all_back) {
        back = of.covered;
    } else {
        amount part = part_of_left(left, given, r->target.paid[redemption]);
        if (part > 0)
            back = points_worth(of.currency, given + part);
    }
    assert(back >= of.back);
    assert(back <= of.covered);
    spread_restored(r, of.currency->no, back);
}

/* What is due by now less what was given before. */
static amount
left_to_give(const struct returning *r)
{
    const struct returned_state *state = &r->state;
    amount left = r->target.due - state->refunded - state->certificate - state->purse;

    if (r->target.all_back)
        return INT64_MAX; /* whatever it is */
    for (uint32_t c = 0; c < r->purchase.decision.redemption_count; c++) {
        struct redeemed of = redeemed_of(r, c);
        left -= money_worth(of.currency, of.back);
    }
    return left;
}

/*
 * This step gives what is left: certificates, purse and points as far as they are back by trace,
 * the rest in money. What was given too much is shortfall.
 */
static void
settle_value(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;
    struct returned_state *state = &r->state;
    struct return_result *result = &r->record->result;
    amount left = left_to_give(r);

    result->shortfall = state->shortfall = left < 0 ? -left : 0;
    result->certificate = part_of_left(&left, state->certificate, r->target.certificate);
    result->purse = part_of_left(&left, state->purse, r->target.purse);
    for (uint32_t c = 0; c < decision->redemption_count; c++)
        settle_points(r, c, &left);
    result->refund = part_of_left(&left, state->refunded, decision->total.money);
    state->refunded += result->refund;
    state->certificate += result->certificate;
    state->purse += result->purse;
    assert(!r->target.all_back || state->refunded == decision->total.money);
    assert(!r->target.all_back || state->certificate == decision->total.certificate);
    assert(!r->target.all_back || state->purse == decision->total.purse);
}

/* Spent points go back to the lots that paid, the last taken first. */
static enum code
give_back(struct returning *r, struct ledger *ledger, struct err *err)
{
    const struct record *purchase = &r->purchase;
    struct return_result *result = &r->record->result;

    result->restored = arena_array(r->step->arena, struct redemption, purchase->take_count);
    if (!result->restored)
        return step_no_memory(err);
    for (uint32_t t = purchase->take_count; t-- > 0;) {
        const struct take *take = &purchase->take[t];
        amount step = r->target.restored[t] - r->state.restored[t];
        uint32_t i = 0;
        assert(step >= 0);
        if (step == 0)
            continue;
        ledger_restore(ledger, take, step, purchase->op_id);
        r->state.restored[t] = r->target.restored[t];
        while (i < result->restored_count && result->restored[i].currency != take->currency)
            i++;
        if (i == result->restored_count)
            result->restored[result->restored_count++].currency = take->currency;
        result->restored[i].points += step;
    }
    return OK;
}

/* The earned lot as it was made, so that it can be made again. */
static struct take
earned_take(const struct record *purchase, uint32_t earning)
{
    const struct earning *made = &purchase->decision.earning[earning];
    struct take take = {
        .currency = made->currency,
        .points = made->points,
        .size = made->points,
        .cause = purchase->op_id,
        .rule = made->rule,
        .version = purchase->version,
    };

    for (uint32_t i = 0; i < purchase->earned_count; i++)
        if (purchase->earned[i].earning == earning) {
            take.lot_no = purchase->earned[i].lot_no;
            take.active_from = purchase->earned[i].active_from;
            take.expires_at = purchase->earned[i].expires_at;
        }
    assert(take.lot_no != 0);
    return take;
}

/* Earned points are taken back; a refusal (debt refused by the terms) is set on the step. */
static enum code
take_back(struct returning *r, struct ledger *ledger, struct err *err)
{
    struct return_result *result = &r->record->result;
    uint32_t count = r->state.earning_count;

    result->revoked = arena_array(r->step->arena, struct redemption, count);
    result->debt = arena_array(r->step->arena, amount, count);
    if (!result->revoked || !result->debt)
        return step_no_memory(err);
    for (uint32_t e = 0; e < count; e++) {
        struct take lot = earned_take(&r->purchase, e);
        amount step = r->target.revoked[e] - r->state.revoked[e];
        amount debt = 0;
        if (step == 0 || (step < 0 && result->shortfall > 0))
            continue; /* nothing is given again while something is owed */
        if (step > 0) {
            enum outcome outcome = ledger_revoke(ledger, lot.lot_no, lot.currency, step,
                                                 r->purchase.op_id, &debt);
            if (outcome != OUTCOME_DONE)
                return step_refuse(r->step, outcome, TEXT("/lines"));
        } else {
            ledger_regive(ledger, &lot, -step, r->purchase.op_id);
        }
        r->state.revoked[e] = r->target.revoked[e];
        result->revoked[result->revoked_count] = (struct redemption){ .currency = lot.currency,
                                                                      .points = step };
        result->debt[result->revoked_count++] = debt;
    }
    return OK;
}

/* Counters are told apart by their number: their places may differ between versions. */
static void
take_off_counters(struct returning *r, struct ledger *ledger)
{
    const struct terms *life = ledger->terms;
    int64_t add[counters_per_programme_max] = { 0 };

    for (uint32_t c = 0; c < r->terms->counter_count; c++) {
        int64_t step = r->target.counter_sub[c] - r->state.counter_sub[c];
        r->state.counter_sub[c] = r->target.counter_sub[c];
        for (uint32_t l = 0; l < life->counter_count; l++)
            if (life->counter[l].no == r->terms->counter[c].no)
                add[l] = -step;
    }
    ledger_count(ledger, r->purchase.occurred_at, add);
}

static enum code
write_state(struct returning *r, struct err *err)
{
    struct buf body;

    buf_init(&body, r->step->arena, 256);
    returned_state_encode(&r->state, r->terms, &body);
    if (body.failed)
        return step_no_memory(err);
    r->step->changes.returned_of = r->purchase.op_id;
    r->step->changes.returned = buf_text(&body);
    return OK;
}

/* Book everything that follows from the target. */
static enum code
book_return(struct returning *r, struct ledger *ledger, struct err *err)
{
    struct step *step = r->step;
    enum code rc;

    settle_value(r);
    rc = give_back(r, ledger, err);
    if (rc)
        return rc;
    rc = take_back(r, ledger, err);
    if (rc || step->outcome != OUTCOME_DONE)
        return rc;
    if (r->purchase.view.known) {
        take_off_counters(r, ledger);
        ledger_level(ledger, step->now);
    }
    rc = write_state(r, err);
    return rc ? rc : step_finish(step, ledger, r->terms, err);
}

enum code
flow_return(struct step *step, const struct return_input *input, const struct terms *life,
            struct err *err)
{
    struct returning r = { .step = step, .terms = plan_terms(step->plan) };
    struct ledger ledger;
    bool open;
    enum code rc;

    if (!step->view->origin_found)
        return step_refuse(step, OUTCOME_RECEIPT_UNKNOWN, TEXT("/receipt"));
    rc = step_begin(step, life, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    rc = returning_load(&r, err);
    if (rc)
        return rc;
    if (r.purchase.kind != RECORD_PURCHASE)
        return step_refuse(step, OUTCOME_RECEIPT_UNKNOWN, TEXT("/receipt"));
    assert(r.purchase.version == r.terms->version);
    enum outcome in_time = step_check_time(step, r.terms, input->occurred_at);
    if (in_time != OUTCOME_DONE)
        return step_refuse(step, in_time, TEXT("/occurred_at"));
    if (r.terms->return_days > 0 &&
        input->occurred_at > r.purchase.occurred_at + r.terms->return_days * INT64_C(86400000))
        return step_refuse(step, OUTCOME_TOO_LATE, TEXT("/occurred_at"));
    step->member_id = r.purchase.member_id;
    r.record = step_record(step, RECORD_RETURN, r.purchase.version, input->occurred_at);
    if (!r.record)
        return step_no_memory(err);
    r.record->origin = r.purchase.op_id;
    r.record->event = (struct event){
        .kind = TEXT("return"),
        .outlet = input->outlet,
        .till = input->till,
        .number = input->number,
        .period = input->period,
        .occurred_at = input->occurred_at,
    };
    rc = add_quantities(&r, input, err);
    if (rc || step->outcome != OUTCOME_DONE)
        return rc;
    rc = compute_target(&r, err);
    if (rc)
        return rc;
    return book_return(&r, &ledger, err);
}
