/*
 * common.c - what every use case begins and ends with.
 *
 * Owns:      opening the owner (settled to now), refusing, and the record's common part.
 * Must not:  know any one use case.
 * Invariant: a refusal leaves step->changes without an owner, so that nothing can be written.
 * Tests:     tests/unit/flow/, tests/sim/
 */
#include "flow/common.h"

#include "base/mem.h"

/* A till's clock may run ahead by so much. */
enum { clock_skew_ms_max = 5 * 60 * 1000 };

enum code
step_refuse(struct step *step, enum outcome outcome, struct text culprit)
{
    assert(outcome != OUTCOME_DONE);
    step->outcome = outcome;
    step->culprit = culprit;
    step->record = NULL;
    step->changes = (struct changes){ 0 };
    return OK;
}

enum code
step_no_memory(struct err *err)
{
    return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
}

enum outcome
step_check_time(const struct step *step, const struct terms *terms, unix_ms occurred_at)
{
    if (occurred_at > step->now + clock_skew_ms_max)
        return OUTCOME_IN_FUTURE;
    int64_t late_ms = terms->late_days * INT64_C(86400000);
    if (step->now - occurred_at > late_ms)
        return OUTCOME_TOO_LATE;
    return OUTCOME_DONE;
}

enum code
step_begin(struct step *step, const struct terms *terms, bool make, uint32_t flags,
           struct ledger *ledger, bool *open, struct err *err)
{
    const struct view *view = step->view;
    struct owner *owner = arena_new(step->arena, struct owner);

    *open = false;
    if (!owner)
        return step_no_memory(err);
    if (!view->owner_found && !make)
        return step_refuse(step, OUTCOME_NOT_FOUND, TEXT(""));
    step->changes = (struct changes){ 0 };
    if (view->owner_found)
        *owner = view->owner;
    else
        owner_init(owner, step->owner_id, step->tenant, step->programme, flags, step->now);
    assert(owner->owner_id == step->owner_id);
    if (owner->flags & owner_flag_closed)
        return step_refuse(step, OUTCOME_MEMBER_CLOSED, TEXT(""));
    if (step->now < owner->settled_to)
        step->now = owner->settled_to; /* an owner's time never runs backwards */
    ledger_begin(ledger, terms, step->arena, owner, &step->changes, step->op_id, step->now);
    step->changes.owner_new = !view->owner_found;
    ledger_settle(ledger);
    step->outcome = OUTCOME_DONE;
    *open = true;
    return OK;
}

void
step_need_rolling(const struct terms *terms, unix_ms now, struct needs *needs)
{
    int64_t today = zone_day(terms->zone, now);

    assert(needs->rolling == 0);
    for (uint32_t i = 0; i < terms->counter_count; i++) {
        const struct counter_terms *counter = &terms->counter[i];
        if (counter->rolling_days == 0)
            continue;
        int64_t from = today - counter->rolling_days;
        if (needs->rolling == 0 || from < needs->rolling_from)
            needs->rolling_from = from;
        needs->rolling |= UINT64_C(1) << (counter->no - 1);
    }
}

struct record *
step_record(struct step *step, enum record_kind kind, uint32_t version, unix_ms occurred_at)
{
    struct record *record = arena_new(step->arena, struct record);

    if (!record)
        return NULL;
    record->kind = kind;
    record->op_id = step->op_id;
    record->owner_id = step->owner_id;
    record->member_id = step->member_id;
    memcpy(record->request_hash, step->request_hash, sizeof(record->request_hash));
    record->version = version;
    record->occurred_at = occurred_at;
    record->recorded_at = step->now;
    step->record = record;
    return record;
}

enum code
step_balances(struct step *step, const struct owner *owner, struct err *err)
{
    struct record *record = step->record;

    record->after = arena_array(step->arena, struct balance_after, owner->balance_count);
    if (!record->after)
        return step_no_memory(err);
    record->after_count = owner->balance_count;
    for (uint32_t i = 0; i < owner->balance_count; i++) {
        const struct balance *balance = &owner->balance[i];
        record->after[i] = (struct balance_after){
            .currency = balance->currency,
            .active = balance->of[ACCOUNT_ACTIVE],
            .pending = balance->of[ACCOUNT_PENDING],
            .held = balance->of[ACCOUNT_HELD],
            .debt = -balance->of[ACCOUNT_DEBT],
        };
    }
    return OK;
}

enum code
step_earn(struct step *step, struct ledger *ledger, struct err *err)
{
    struct record *record = step->record;
    const struct decision *decision = &record->decision;
    /* A point lives from when it was earned, not from when a late receipt was heard of. */
    unix_ms earned_at = record->occurred_at < step->now ? record->occurred_at : step->now;

    record->earned = arena_array(step->arena, struct earned_lot, decision->earning_count);
    if (!record->earned)
        return step_no_memory(err);
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        const struct earning *earning = &decision->earning[i];
        struct earned_lot *lot = &record->earned[record->earned_count++];
        assert(earning->points > 0);
        lot->earning = i;
        lot->lot_no = ledger_earn(ledger, MOVEMENT_EARN, earning->currency, earning->points,
                                  earned_at, record->version, earning->rule, &lot->active_from,
                                  &lot->expires_at);
    }
    return OK;
}

/* Where the record stands, and what else is written with it. */
static void
place_record(struct step *step, struct owner *owner)
{
    const struct changes *changes = &step->changes;
    struct record *record = step->record;

    assert(owner->version > 0); /* finished */
    record->place = (struct record_place){
        .sequence = owner->version,
        .previous = owner->last_op,
        .last_movement = owner->last_movement - changes->movement_count,
    };
    record->counted_count = changes->counted_count;
    record->counted = changes->counted;
    record->key_count = changes->directory_put_count;
    record->key = changes->directory_put;
    record->claim = step->claim;
    record->returned_after = changes->returned;
    owner->last_op = record->op_id;
}

enum code
step_finish(struct step *step, struct ledger *ledger, const struct terms *terms, struct err *err)
{
    struct buf body;
    enum code rc = ledger_finish(ledger, err);

    if (rc)
        return rc;
    rc = step_balances(step, ledger->owner, err);
    if (rc)
        return rc;
    place_record(step, ledger->owner);
    buf_init(&body, step->arena, 768);
    record_encode(step->record, terms, &body);
    if (body.failed)
        return step_no_memory(err);
    step->changes.owner = ledger->owner;
    step->changes.op_id = step->op_id;
    step->changes.record_kind = step->record->kind;
    step->changes.record = buf_text(&body);
    return OK;
}
