/*
 * purchase.c - a purchase: quote, reserve, commit, and a receipt that is a fact already.
 *
 * Owns:      the order: settle, decide, plan which lots pay, book, record.
 * Must not:  compute discounts or points (engine), move points by itself (ledger).
 * Invariant: a quote runs the same code as a commit and stops before the first movement of its
 *            own; a live
 *            reserve is never refused by a rule; the record alone is enough for a return.
 * Tests:     tests/unit/flow/test_purchase.c, tests/sim/
 */
#include "flow/common.h"

#include "base/mem.h"

void
flow_purchase_needs(const struct plan *plan, uint64_t owner_id, uint64_t reserve, unix_ms now,
                    struct needs *needs)
{
    *needs = (struct needs){.owner_id = owner_id, .origin = reserve};
    step_need_rolling(plan_terms(plan), now, needs);
}

void
flow_decision_bytes(const struct decision *decision, struct buf *buf)
{
    bytes_put_u64(buf, decision->effect_count);
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        bytes_put_u64(buf, effect->kind);
        bytes_put_u64(buf, effect->line);
        bytes_put_i64(buf, effect->rule);
        bytes_put_u64(buf, effect->currency);
        bytes_put_i64(buf, effect->points);
        bytes_put_i64(buf, effect->money);
    }
    bytes_put_u64(buf, decision->earning_count);
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        bytes_put_i64(buf, decision->earning[i].rule);
        bytes_put_u64(buf, decision->earning[i].currency);
        bytes_put_i64(buf, decision->earning[i].points);
    }
    bytes_put_u64(buf, decision->line_count);
    for (uint32_t i = 0; i < decision->line_count; i++) {
        bytes_put_i64(buf, decision->line[i].gross);
        bytes_put_i64(buf, decision->line[i].money);
    }
}

/* Which lots pay. In mode fact what no lot covers is `uncovered`; otherwise the engine has
 * looked already. */
static enum code
plan_payment(struct step *step, const struct owner *owner, bool is_fact, struct err *err)
{
    struct record *record = step->record;
    const struct decision *decision = &record->decision;
    struct take *all = arena_array(step->arena, struct take, owner->lot_count + 1);

    if (!all)
        return step_no_memory(err);
    record->take = all;
    for (uint32_t i = 0; i < decision->redemption_count; i++) {
        const struct redemption *redemption = &decision->redemption[i];
        struct take *take = NULL;
        uint32_t count = 0;
        amount available = ledger_available(owner, redemption->currency);
        amount points = redemption->points;
        if (points > available) {
            step->limit = available;
            step->limit_scale = terms_currency(plan_terms(step->plan), redemption->currency)->scale;
            if (!is_fact)
                return step_refuse(step, OUTCOME_NOT_ENOUGH, TEXT("/redeem"));
            points = available;
        }
        if (points == 0)
            continue;
        enum outcome outcome = ledger_plan_take(owner, redemption->currency, points, step->arena,
                                                &take, &count);
        if (outcome == OUTCOME_INTERNAL)
            return step_no_memory(err);
        if (outcome != OUTCOME_DONE)
            return step_refuse(step, outcome, TEXT("/redeem"));
        assert(record->take_count + count <= owner->lot_count);
        memcpy(all + record->take_count, take, count * sizeof(*take));
        record->take_count += count;
    }
    return OK;
}

/* Money worth of points that a fact spends and no balance covers. */
static bool
count_uncovered(struct record *record, const struct terms *terms)
{
    record->uncovered = 0;
    for (uint32_t i = 0; i < record->decision.redemption_count; i++) {
        const struct redemption *redemption = &record->decision.redemption[i];
        const struct currency_terms *currency = terms_currency(terms, redemption->currency);
        amount missing = redemption->points;
        amount money = 0;
        assert(currency);
        for (uint32_t t = 0; t < record->take_count; t++)
            if (record->take[t].currency == redemption->currency)
                missing -= record->take[t].points;
        assert(missing >= 0);
        if (missing == 0)
            continue;
        if (!i64_mul_div(missing, currency->worth.num, currency->worth.den, ROUND_HALF_UP,
                         &money) ||
            !i64_add(record->uncovered, money, &record->uncovered))
            return false;
    }
    return true;
}

static enum code
book_purchase(struct step *step, const struct purchase_input *input, struct ledger *ledger,
              const struct terms *terms, struct err *err)
{
    struct record *record = step->record;
    enum code rc;

    if (input->mode == PURCHASE_RESERVE) {
        record->valid_until = step->now + terms->hold_ms;
        /* Also without points: that the hold stands tells that the reserve was not used yet. */
        enum outcome outcome = ledger_hold(ledger, step->op_id, record->valid_until, record->take,
                                           record->take_count);
        if (outcome != OUTCOME_DONE)
            return step_refuse(step, outcome, TEXT(""));
        return step_finish(step, ledger, terms, err);
    }
    if (input->reserve)
        ledger_capture(ledger, input->reserve);
    else if (record->take_count > 0)
        ledger_spend(ledger, record->take, record->take_count, 0);
    rc = step_earn(step, ledger, err);
    if (rc)
        return rc;
    if (record->view.known) {
        ledger_count(ledger, record->occurred_at, record->decision.counter_add);
        ledger_level(ledger, step->now);
    }
    return step_finish(step, ledger, terms, err);
}

/* Is the receipt that commits a reserve the one that was reserved? A commit without lines is. */
static bool
same_goods(const struct event *now, const struct event *reserved, struct arena *arena)
{
    struct event a = *now, b = *reserved;
    struct buf x, y;

    if (now->line_count == 0 && now->redeem_count == 0)
        return true;
    a.number = b.number;
    a.period = b.period;
    a.till = b.till;
    a.outlet = b.outlet;
    a.occurred_at = b.occurred_at;
    a.confirmed = b.confirmed;
    buf_init(&x, arena, 512);
    buf_init(&y, arena, 512);
    event_encode(&a, &x);
    event_encode(&b, &y);
    return !x.failed && !y.failed && text_equal(buf_text(&x), buf_text(&y));
}

/* Decide around a reserve: discounts and redemption as reserved, earnings with the level of now. */
static enum code
decide_reserved(struct step *step, const struct purchase_input *input, const struct owner *owner,
                struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct record *record = step->record;
    struct record reserved;
    const struct hold *hold = ledger_find_hold(owner, input->reserve);
    enum code rc;

    if (!step->view->origin_found)
        return step_refuse(step, OUTCOME_RESERVE_UNKNOWN, TEXT("/reserve"));
    rc = record_decode(step->view->origin, terms, step->arena, &reserved, err);
    if (rc)
        return rc;
    if (reserved.kind != RECORD_RESERVE)
        return step_refuse(step, OUTCOME_RESERVE_UNKNOWN, TEXT("/reserve"));
    if (!hold)
        return step_refuse(step, OUTCOME_RESERVE_ENDED, TEXT("/reserve"));
    if (!same_goods(&input->event, &reserved.event, step->arena))
        return step_refuse(step, OUTCOME_DECISION_CHANGED, TEXT("/lines"));
    record->event.line = reserved.event.line;
    record->event.line_count = reserved.event.line_count;
    record->event.redeem = reserved.event.redeem;
    record->event.redeem_count = reserved.event.redeem_count;
    record->event.payment = reserved.event.payment;
    record->event.payment_count = reserved.event.payment_count;
    record->event.code = reserved.event.code;
    record->event.code_count = reserved.event.code_count;
    record->event.attribute = reserved.event.attribute;
    record->event.attribute_count = reserved.event.attribute_count;
    record->event.channel = reserved.event.channel;
    record->event.region = reserved.event.region;
    record->event.tender = reserved.event.tender;
    record->event.bin = reserved.event.bin;
    record->event.for_business = reserved.event.for_business;
    record->origin = input->reserve;
    record->decision = reserved.decision;
    record->take = reserved.take;
    record->take_count = reserved.take_count;
    return engine_earn_again(step->plan, &record->event, &record->view, step->arena,
                             &record->decision, err);
}

static enum code
decide_now(struct step *step, const struct purchase_input *input, const struct owner *owner,
           struct err *err)
{
    struct record *record = step->record;
    bool is_fact = input->mode == PURCHASE_FACT;
    enum code rc = engine_evaluate(step->plan, &record->event, &record->view,
                                   is_fact     ? EVALUATE_FACT
                                   : step->dry ? EVALUATE_QUOTE
                                               : EVALUATE_ORDINARY, input->trace,
                                   step->arena, &record->decision, err);
    if (rc == CODE_RANGE)
        return step_refuse(step, OUTCOME_AMOUNT_OVERFLOW, TEXT("/lines"));
    if (rc)
        return rc;
    if (record->decision.outcome != OUTCOME_DONE) {
        const struct currency_terms *of = terms_currency(plan_terms(step->plan),
                                                         record->decision.limit_currency);
        step->limit = record->decision.limit;
        step->limit_scale = of ? of->scale : plan_terms(step->plan)->money_scale;
        return step_refuse(step, record->decision.outcome, record->decision.culprit);
    }
    rc = plan_payment(step, owner, is_fact, err);
    if (rc || step->outcome != OUTCOME_DONE)
        return rc;
    record->is_fact = is_fact;
    if (!count_uncovered(record, plan_terms(step->plan)))
        return step_refuse(step, OUTCOME_AMOUNT_OVERFLOW, TEXT("/redeem"));
    return OK;
}

enum code
flow_purchase(struct step *step, const struct purchase_input *input, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    bool has_member = step->member_id != 0;
    struct ledger ledger;
    struct record *record;
    bool open;
    enum code rc;

    rc = step_begin(step, terms, !has_member, owner_flag_anonymous, &ledger, &open, err);
    if (rc || !open)
        return rc;
    enum outcome in_time = step_check_time(step, terms, input->event.occurred_at);
    if (in_time != OUTCOME_DONE)
        return step_refuse(step, in_time, TEXT("/occurred_at"));
    record = step_record(step, input->mode == PURCHASE_RESERVE ? RECORD_RESERVE : RECORD_PURCHASE,
                         terms->version, input->event.occurred_at);
    if (!record)
        return step_no_memory(err);
    record->event = input->event;
    ledger_member_view(ledger.owner, terms, step->now, &record->view);
    record->view.known = has_member;
    if (input->reserve)
        rc = decide_reserved(step, input, ledger.owner, err);
    else
        rc = decide_now(step, input, ledger.owner, err);
    if (rc || step->outcome != OUTCOME_DONE)
        return rc;
    assert(step->record == record);
    if (!step->dry)
        return book_purchase(step, input, &ledger, terms, err);
    record->valid_until = step->now + terms->quote_ms;
    step->changes = (struct changes){ 0 };
    return step_balances(step, ledger.owner, err);
}
