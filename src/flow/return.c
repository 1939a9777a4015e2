/*
 * return.c - goods come back: what is refunded, given back and taken back.
 *
 * Owns:      the totals that belong to a state of "so much of each line is back", and this step's
 *            difference.
 * Must not:  depend on the order of earlier returns: every total is a function of the quantities
 *            back so far.
 * Invariant: all back = everything back exactly; never more back than was sold; under requote
 *            refunds less
 *            shortfall are the same on every path.
 * Meaning:   docs/semantics.md, "Returns".
 * Tests:     tests/unit/flow/test_return.c, tests/sim/
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
    amount refund, certificate, purse;
    amount *restored; /* by take */
    amount *revoked;  /* by earning */
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

/* Points of `currency` back so far, by trace. */
static amount
points_back(const struct returning *r, uint8_t currency)
{
    const struct decision *decision = &r->purchase.decision;
    amount back = 0;

    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        if (effect->kind == EFFECT_POINTS && effect->currency == currency)
            back += share_floor(effect->points, back_of(r, effect->line), sold_of(r, effect->line));
    }
    return back;
}

/* Restored so far, lot by lot: the last taken is the first given back. What no lot paid (a fact's
 * uncovered part) is undone before. */
static void
target_restored(struct returning *r)
{
    const struct record *purchase = &r->purchase;

    for (uint32_t c = 0; c < purchase->decision.redemption_count; c++) {
        const struct redemption *redemption = &purchase->decision.redemption[c];
        amount paid = 0, left;
        for (uint32_t t = 0; t < purchase->take_count; t++)
            if (purchase->take[t].currency == redemption->currency)
                paid += purchase->take[t].points;
        assert(paid <= redemption->points);
        left = points_back(r, redemption->currency) - (redemption->points - paid);
        for (uint32_t t = purchase->take_count; t-- > 0 && left > 0;) {
            if (purchase->take[t].currency != redemption->currency)
                continue;
            amount part = purchase->take[t].points < left ? purchase->take[t].points : left;
            r->target.restored[t] = part;
            left -= part;
        }
    }
}

static void
target_by_trace(struct returning *r)
{
    const struct decision *decision = &r->purchase.decision;

    for (uint32_t i = 0; i < decision->line_count; i++) {
        const struct line_result *line = &decision->line[i];
        r->target.certificate += share_floor(line->certificate, back_of(r, i), sold_of(r, i));
        r->target.purse += share_floor(line->purse, back_of(r, i), sold_of(r, i));
        r->target.refund += share_floor(line->money, back_of(r, i), sold_of(r, i));
    }
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
            amount net = line->gross - line->discount - line->rounding;
            amount of = source == COUNTER_GROSS ? line->gross
                        : source == COUNTER_NET ? net
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

/* Decide the kept goods again, and replace refund, revoked and counters by what follows from it. */
static enum code
target_by_requote(struct returning *r, struct err *err)
{
    const struct record *purchase = &r->purchase;
    struct kept_payment *payment;
    struct decision again;
    struct event kept;
    amount kept_money = 0;
    enum code rc = kept_goods(r, &kept, &payment, err);

    if (rc)
        return rc;
    rc = engine_requote(r->step->plan, &kept, &purchase->view, payment, r->step->arena, &again,
                        err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < again.line_count; i++) {
        const struct line_result *line = &again.line[i];
        kept_money += line->gross - line->discount - line->rounding - payment[i].points -
                      payment[i].certificate - payment[i].purse;
    }
    if (kept_money < 0)
        kept_money = 0;
    /* Below 0 when the goods kept cost more, alone, than was paid for all: that is shortfall. */
    r->target.refund = purchase->decision.total.money - kept_money;
    for (uint32_t e = 0; e < purchase->decision.earning_count; e++) {
        const struct earning *was = &purchase->decision.earning[e];
        amount now = 0;
        for (uint32_t i = 0; i < again.earning_count; i++)
            if (again.earning[i].rule == was->rule && again.earning[i].currency == was->currency)
                now += again.earning[i].points;
        r->target.revoked[e] = was->points > now ? was->points - now : 0;
    }
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

    r->target.refund = decision->total.money;
    r->target.certificate = decision->total.certificate;
    r->target.purse = decision->total.purse;
    for (uint32_t e = 0; e < decision->earning_count; e++)
        r->target.revoked[e] = decision->earning[e].points;
    for (uint32_t c = 0; c < r->terms->counter_count; c++)
        r->target.counter_sub[c] = decision->counter_add[c];
    for (uint32_t t = 0; t < r->purchase.take_count; t++)
        r->target.restored[t] = r->purchase.take[t].points;
}

static enum code
compute_target(struct returning *r, struct err *err)
{
    struct arena *arena = r->step->arena;

    r->target.restored = arena_array(arena, amount, r->state.take_count);
    r->target.revoked = arena_array(arena, amount, r->state.earning_count);
    if (!r->target.restored || !r->target.revoked)
        return step_no_memory(err);
    r->target.all_back = is_all_back(r);
    if (r->target.all_back) {
        target_whole(r);
        return OK;
    }
    target_restored(r);
    target_by_trace(r);
    if (r->terms->returns == RETURN_REQUOTE)
        return target_by_requote(r, err);
    revoked_by_trace(r);
    counters_by_trace(r);
    return OK;
}

/* This step's money: what is due by now less what was paid, never below nothing. */
static void
settle_money(struct returning *r)
{
    struct returned_state *state = &r->state;
    struct return_result *result = &r->record->result;
    amount due = r->target.refund - state->refunded;

    result->refund = due > 0 ? due : 0;
    result->shortfall = due < 0 ? -due : 0;
    result->certificate = r->target.certificate - state->certificate;
    result->purse = r->target.purse - state->purse;
    assert(result->certificate >= 0);
    assert(result->purse >= 0);
    state->refunded += result->refund;
    state->shortfall = result->shortfall;
    state->certificate = r->target.certificate;
    state->purse = r->target.purse;
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
        if (step == 0)
            continue;
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

    settle_money(r);
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
    rc = step_finish(step, ledger, r->terms, err);
    if (rc)
        return rc;
    return write_state(r, err);
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
