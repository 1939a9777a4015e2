/*
 * cancel.c - a reserve is given up.
 *
 * Owns:      voiding the hold of a reserve.
 * Must not:  know what was reserved.
 * Tests:     tests/unit/flow/test_purchase.c
 */
#include "flow/common.h"

enum code
flow_cancel(struct step *step, uint64_t reserve, struct err *err)
{
    const struct terms *terms = plan_terms(step->plan);
    struct ledger ledger;
    struct record *record, reserved;
    bool open;
    enum code rc;

    if (!step->view->origin_found)
        return step_refuse(step, OUTCOME_RESERVE_UNKNOWN, TEXT("/reserve"));
    rc = step_begin(step, terms, false, 0, &ledger, &open, err);
    if (rc || !open)
        return rc;
    rc = record_decode(step->view->origin, terms, step->arena, &reserved, err);
    if (rc)
        return rc;
    if (reserved.kind != RECORD_RESERVE)
        return step_refuse(step, OUTCOME_RESERVE_UNKNOWN, TEXT("/reserve"));
    if (!ledger_find_hold(ledger.owner, reserve))
        return step_refuse(step, OUTCOME_RESERVE_ENDED, TEXT("/reserve"));
    record = step_record(step, RECORD_CANCEL, terms->version, step->now);
    if (!record)
        return step_no_memory(err);
    record->origin = reserve;
    ledger_void(&ledger, reserve);
    return step_finish(step, &ledger, terms, err);
}
