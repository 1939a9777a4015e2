/*
 * simple.c - use cases of one booking: opening balance, enrolment, cards, other events, the daily
 *            touch.
 *
 * Owns:      these five, each a function of its own.
 * Must not:  grow conditions: what needs a decision of its own gets a file of its own.
 * Tests:     tests/unit/flow/test_simple.c, tests/sim/
 */
#include "flow/common.h"

enum code
flow_opening(struct step *step, const struct opening_input *input, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    unix_ms active_from, expires_at;
    struct ledger ledger;
    struct record *record;
    bool open;
    enum code rc;

    if (!terms_currency(terms, input->currency))
        return step_refuse(step, OUTCOME_CURRENCY_UNKNOWN, TEXT("/currency"));
    if (input->points <= 0 || input->points > AMOUNT_MAX)
        return step_refuse(step, OUTCOME_FIELD_RANGE, TEXT("/points"));
    rc = step_begin(step, terms, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    record = step_record(step, RECORD_OPENING, terms->version, input->at);
    if (!record)
        return step_no_memory(err);
    record->opening_currency = input->currency;
    record->opening_points = input->points;
    ledger_earn(&ledger, MOVEMENT_OPEN, input->currency, input->points, input->at, terms->version,
                rule_none, &active_from, &expires_at);
    return step_finish(step, &ledger, terms, err);
}

enum code
flow_enrol(struct step *step, const struct enrol_input *input, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct directory_row *key = arena_array(step->arena, struct directory_row, input->key_count);
    struct member_row *member = arena_new(step->arena, struct member_row);
    struct record *record;
    struct ledger ledger;
    bool open;
    enum code rc;

    assert(step->member_id != 0);
    if (!key || !member)
        return step_no_memory(err);
    if (step->view->owner_found)
        return step_refuse(step, OUTCOME_CONFLICT, TEXT(""));
    rc = step_begin(step, terms, true, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    record = step_record(step, RECORD_ENROL, terms->version, input->at);
    if (!record)
        return step_no_memory(err);
    record->person_id = input->person_id;
    ledger.owner->enrolled_at = input->at;
    ledger_level(&ledger, step->now); /* ladders that begin at 0 */
    *member = (struct member_row){
        .owner_id = step->owner_id,
        .member_id = step->member_id,
        .person_id = input->person_id,
        .enrolled_at = input->at,
    };
    for (uint32_t i = 0; i < input->key_count; i++) {
        key[i] = input->key[i];
        key[i].owner_id = step->owner_id;
        key[i].member_id = step->member_id;
    }
    step->changes.member_put = member;
    step->changes.member_put_count = 1;
    step->changes.directory_put = key;
    step->changes.directory_put_count = input->key_count;
    return step_finish(step, &ledger, terms, err);
}

enum code
flow_card(struct step *step, const struct directory_row *key, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct directory_row *put = arena_new(step->arena, struct directory_row);
    struct ledger ledger;
    bool open;
    enum code rc;

    assert(step->member_id != 0);
    if (!put)
        return step_no_memory(err);
    rc = step_begin(step, terms, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    if (!step_record(step, RECORD_CARD, terms->version, step->now))
        return step_no_memory(err);
    *put = *key;
    put->owner_id = step->owner_id;
    put->member_id = step->member_id;
    step->changes.directory_put = put;
    step->changes.directory_put_count = 1;
    return step_finish(step, &ledger, terms, err);
}

enum code
flow_event(struct step *step, const struct event *event, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct ledger ledger;
    struct record *record;
    bool open;
    enum code rc;

    rc = step_begin(step, terms, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    enum outcome in_time = step_check_time(step, terms, event->occurred_at);
    if (in_time != OUTCOME_DONE)
        return step_refuse(step, in_time, TEXT("/occurred_at"));
    record = step_record(step, RECORD_EVENT, terms->version, event->occurred_at);
    if (!record)
        return step_no_memory(err);
    record->event = *event;
    ledger_member_view(ledger.owner, terms, step->now, &record->view);
    record->view.known = true;
    rc = engine_evaluate(step->plan, event, &record->view, EVALUATE_ORDINARY, TRACE_NOTHING,
                         step->arena, &record->decision, err);
    if (rc == CODE_RANGE)
        return step_refuse(step, OUTCOME_AMOUNT_OVERFLOW, TEXT(""));
    if (rc)
        return rc;
    if (record->decision.outcome != OUTCOME_DONE)
        return step_refuse(step, record->decision.outcome, record->decision.culprit);
    rc = step_earn(step, &ledger, err);
    if (rc)
        return rc;
    return step_finish(step, &ledger, terms, err);
}

enum code
flow_settle(struct step *step, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct ledger ledger;
    bool open;
    enum code rc;

    rc = step_begin(step, terms, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    if (step->changes.movement_count == 0) {
        step->changes = (struct changes){ 0 };
        return OK; /* nothing was due */
    }
    if (!step_record(step, RECORD_SETTLE, terms->version, step->now))
        return step_no_memory(err);
    return step_finish(step, &ledger, terms, err);
}
