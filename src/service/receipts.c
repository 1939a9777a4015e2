/*
 * receipts.c - quote, reserve, commit, cancel, return, and looking at a receipt.
 *
 * Owns:      how a till's request becomes an operation: body, programme version, claim, route,
 *            flow.
 * Must not:  decide or book (flow does), render by hand (render.c does).
 * Invariant: one receipt key, one effect; the same key and body give the same bytes.
 * Tests:     tests/stories/, tests/sim/
 */
#include "service/internal.h"

#include <string.h>

struct purchase_work {
    struct purchase_body body;
    struct purchase_input input;
    uint64_t anonymous;
    enum trace_wish trace; /* of a quote */
};

/* ---- purchase ---- */

/* What the client's key stands for: the canonical request without sent_at and attempt. */
static bool
hash_purchase(struct work *work, const struct purchase_body *body)
{
    struct buf bytes;

    buf_init(&bytes, work->call->arena, 512);
    bytes_put_u64(&bytes, work->call->route);
    event_encode(&body->event, &bytes);
    bytes_put_text(&bytes, body->whom.card);
    bytes_put_text(&bytes, body->whom.phone);
    bytes_put_u64(&bytes, body->whom.member_id);
    bytes_put_u64(&bytes, body->is_fact);
    bytes_put_u64(&bytes, body->reserve);
    bytes_put_u64(&bytes, body->has_quote);
    bytes_put_text(&bytes, (struct text){ (const char *)body->quote, body->has_quote ? 32u : 0u });
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

/* The record that is answered must be the one that was quoted. */
static bool
as_quoted(struct work *work, const struct purchase_body *body, struct err *err, enum code *rc)
{
    struct step *step = &work->step;
    struct buf bytes;

    *rc = OK;
    if (step->outcome != OUTCOME_DONE || !(body->has_quote || step->dry))
        return true;
    buf_init(&bytes, work->op.arena, 512);
    flow_decision_bytes(&step->record->decision, &bytes);
    if (bytes.failed) {
        *rc = err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
        return false;
    }
    sha256(bytes.ptr, bytes.len, work->quote_hash);
    if (!body->has_quote || memcmp(work->quote_hash, body->quote, sha256_bytes) == 0)
        return true;
    step->outcome = OUTCOME_DECISION_CHANGED;
    step->culprit = TEXT("/quote");
    return false;
}

/* A record is read, and gone on with, by the version that made it. */
static enum code
plan_of_origin(struct work *work, struct err *err)
{
    const struct version_entry *entry;
    struct record_head head;

    enum code rc = record_peek(work->view.origin, &head, err);
    if (rc)
        return rc;
    entry = programme_version(work->programme, head.version);
    work->missing = !entry;
    if (!entry)
        return err_set(err, CODE_CORRUPT, "a record names version %u, which is not there",
                       head.version);
    work->step.plan = entry->plan;
    return OK;
}

static enum code
purchase_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct purchase_work *purchase = work->input;
    struct needs needs;
    enum code rc;

    if (!work_routed(work, &purchase->body.whom, false, purchase->anonymous))
        return OK;
    flow_purchase_needs(work->step.plan, work->step.owner_id, purchase->body.reserve, work->now,
                        &needs);
    rc = work_load(work, tx, &needs, err);
    if (!rc && purchase->body.reserve && work->view.origin_found)
        rc = plan_of_origin(work, err);
    if (rc)
        return rc;
    rc = flow_purchase(&work->step, &purchase->input, err);
    if (rc || !as_quoted(work, &purchase->body, err, &rc))
        return rc;
    return work_write(work, tx, err);
}

static enum code
render_step(struct work *work, struct buf *out, struct err *err)
{
    (void)err;
    if (!work->step.record) {
        work_refuse(work, OUTCOME_NOT_FOUND, TEXT(""));
        return OK;
    }
    render_record(work->step.record, work->step.plan, work->step.dry ? work->quote_hash : NULL,
                  work->call->russian, out);
    return OK;
}

/* Read the body by the version in force when it happened. */
static bool
read_purchase(struct work *work, struct purchase_work *purchase)
{
    struct call *call = work->call;
    struct purchase_body *body = &purchase->body;
    struct text code;
    uint32_t bad_line = 0;

    if (!body_programme(call->body, call->arena, &code, &work->refusal) ||
        !work_programme(work, code))
        return false;
    if (!purchase_body_read(call->body, work_reader(work), call->arena, body, &work->refusal) ||
        !work_version(work, body->event.occurred_at))
        return false;
    enum outcome outcome = event_normalise(&body->event, plan_terms(work->step.plan)->money_scale,
                                           &bad_line);
    if (outcome != OUTCOME_DONE) {
        struct buf pointer;
        buf_init(&pointer, call->arena, 32);
        buf_addf(&pointer, "/lines/%u", bad_line);
        return work_refuse(work, outcome, buf_text(&pointer));
    }
    return true;
}

void
call_purchase(struct work *work)
{
    struct call *call = work->call;
    struct purchase_work *purchase = arena_new(call->arena, struct purchase_work);
    struct purchase_body *body;
    bool is_quote = call->route == CALL_QUOTE;

    if (!purchase) {
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
        work_done(work);
        return;
    }
    body = &purchase->body;
    work->input = purchase;
    work->render = render_step;
    if ((is_quote && !work_trace_wish(work, &purchase->trace)) || !read_purchase(work, purchase) ||
        !work_may(work, body->event.outlet, body->event.till) ||
        !hash_purchase(work, body) || !work_route(work, &body->whom)) {
        work_done(work);
        return;
    }
    struct receipt_key key = {
        .outlet = body->event.outlet,
        .till = body->event.till,
        .number = body->event.number,
        .period = body->event.period,
        .kind = call->route == CALL_RESERVE ? RECORD_RESERVE : RECORD_PURCHASE,
    };
    struct text claim = receipt_claim(work, &key);
    key.kind = RECORD_PURCHASE; /* a reserve and its commit have one owner */
    purchase->anonymous = anonymous_owner(work->tenant, work->programme->programme,
                                          text_hash(receipt_claim(work, &key)));
    if (!is_quote) {
        work->op.claim = claim;
        work->step.op_id = work_next_id(work);
    }
    work->step.dry = is_quote;
    purchase->input = (struct purchase_input){
        .mode = body->is_fact                 ? PURCHASE_FACT
                : call->route == CALL_RESERVE ? PURCHASE_RESERVE
                                              : PURCHASE_COMMIT,
        .event = body->event,
        .reserve = body->reserve,
        .trace = is_quote ? purchase->trace : TRACE_NOTHING,
    };
    work_submit(work, is_quote ? ACCESS_READ : ACCESS_WRITE, purchase_run);
}

/* ---- cancel ---- */

static enum code
cancel_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    const struct cancel_body *body = work->input;
    const struct route *route = &op->route[0];
    struct needs needs = { .owner_id = route->owner_id, .origin = route->op_id };
    enum code rc;

    if (!route->found || (body->reserve && body->reserve != route->op_id)) {
        work_refuse(work, OUTCOME_RESERVE_UNKNOWN, TEXT("/number"));
        return OK;
    }
    work->step.owner_id = route->owner_id;
    rc = work_load(work, tx, &needs, err);
    if (!rc && work->view.origin_found)
        rc = plan_of_origin(work, err);
    if (rc)
        return rc;
    rc = flow_cancel(&work->step, route->op_id, err);
    if (rc)
        return rc;
    return work_write(work, tx, err);
}

/* The key is in the claim; beside it a cancel names at most its reserve. */
static bool
hash_cancel(struct work *work, const struct cancel_body *body)
{
    struct buf bytes;

    buf_init(&bytes, work->call->arena, 128);
    bytes_put_text(&bytes, work->op.claim);
    bytes_put_u64(&bytes, body->reserve);
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

void
call_cancel(struct work *work)
{
    struct call *call = work->call;
    struct cancel_body *body = arena_new(call->arena, struct cancel_body);

    work->render = render_step;
    work->input = body;
    if (!body || !cancel_body_read(call->body, call->arena, body, &work->refusal) ||
        !work_programme(work, body->programme) || !work_version(work, work->now) ||
        !work_may(work, body->outlet, body->till)) {
        work_done(work);
        return;
    }
    struct receipt_key key = { body->outlet, body->till, body->number, body->period,
                               RECORD_RESERVE };
    work->op.route[work->op.route_count++] = (struct route){ .kind = ROUTE_CLAIM,
                                                             .key = receipt_claim(work, &key) };
    key.kind = RECORD_CANCEL;
    work->op.claim = receipt_claim(work, &key);
    if (!hash_cancel(work, body)) {
        work_done(work);
        return;
    }
    work->step.op_id = work_next_id(work);
    work_submit(work, ACCESS_WRITE, cancel_run);
}

/* ---- return ---- */

static enum code
return_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    const struct return_body *body = work->input;
    const struct route *route = &op->route[0];
    struct needs needs = { .owner_id = route->owner_id, .origin = route->op_id, .returned = true };
    const struct version_entry *life = programme_near(work->programme, work->now);
    enum code rc;

    if (!route->found) {
        work_refuse(work, OUTCOME_RECEIPT_UNKNOWN, TEXT("/receipt"));
        return OK;
    }
    work->step.owner_id = route->owner_id;
    flow_return_needs(plan_terms(life->plan), route->owner_id, route->op_id, work->now, &needs);
    rc = work_load(work, tx, &needs, err);
    if (rc)
        return rc;
    if (!work->view.origin_found)
        return err_set(err, CODE_CORRUPT, "a claim names a receipt that is not there");
    rc = plan_of_origin(work, err);
    if (rc)
        return rc;
    struct return_input input = {
        .origin = route->op_id,
        .line_count = body->line_count,
        .line = body->line,
        .occurred_at = body->occurred_at,
        .outlet = body->outlet,
        .till = body->till,
        .number = body->number,
        .period = body->period,
    };
    rc = flow_return(&work->step, &input, plan_terms(life->plan), err);
    if (rc)
        return rc;
    return work_write(work, tx, err);
}

static bool
hash_return(struct work *work, const struct return_body *body)
{
    struct buf bytes;

    buf_init(&bytes, work->call->arena, 256);
    bytes_put_u64(&bytes, work->call->route);
    bytes_put_i64(&bytes, body->occurred_at);
    bytes_put_text(&bytes, body->of_outlet);
    bytes_put_text(&bytes, body->of_till);
    bytes_put_text(&bytes, body->of_number);
    bytes_put_i64(&bytes, body->of_period);
    for (uint32_t i = 0; i < body->line_count; i++) {
        bytes_put_u64(&bytes, body->line[i].line);
        bytes_put_i64(&bytes, body->line[i].quantity);
    }
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

void
call_return(struct work *work)
{
    struct call *call = work->call;
    struct return_body *body = arena_new(call->arena, struct return_body);

    work->render = render_step;
    work->input = body;
    if (!body || !return_body_read(call->body, call->arena, body, &work->refusal) ||
        !work_programme(work, body->programme) || !work_may(work, body->outlet, body->till) ||
        !hash_return(work, body)) {
        work_done(work);
        return;
    }
    struct receipt_key of = { body->of_outlet, body->of_till, body->of_number, body->of_period,
                              RECORD_PURCHASE };
    struct receipt_key own = { body->outlet, body->till, body->number, body->period,
                               RECORD_RETURN };
    work->op.route[work->op.route_count++] = (struct route){ .kind = ROUTE_CLAIM,
                                                             .key = receipt_claim(work, &of) };
    work->op.claim = receipt_claim(work, &own);
    work->step.op_id = work_next_id(work);
    work_submit(work, ACCESS_WRITE, return_run);
}

/* ---- looking ---- */

static bool
read_ids(struct work *work, uint64_t *owner, uint64_t *receipt)
{
    if (!text_to_u64(work->call->param[0], owner) || !text_to_u64(work->call->param[1], receipt))
        return work_refuse(work, OUTCOME_NOT_FOUND, TEXT(""));
    return true;
}

static enum code
receipt_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct receipt_row *row = work->input;
    struct needs needs = { .owner_id = row->owner_id };
    struct record_head head;
    bool found = false;

    enum code rc = store_load(tx, &needs, op->arena, &work->view, err);
    if (rc)
        return rc;
    if (work->view.owner_found && work->view.owner.tenant == work->tenant)
        rc = store_get_receipt(tx, row->owner_id, row->op_id, op->arena, row, &found, err);
    if (rc)
        return rc;
    if (!found) {
        work_refuse(work, OUTCOME_RECEIPT_UNKNOWN, TEXT(""));
        return OK;
    }
    work->programme = catalogue_programme_no(work->catalogue, work->tenant,
                                             work->view.owner.programme);
    rc = record_peek(row->body, &head, err);
    if (rc)
        return rc;
    work->version = work->programme ? programme_version(work->programme, head.version) : NULL;
    work->missing = !work->version;
    if (!work->version)
        return err_set(err, CODE_CORRUPT, "a receipt names version %u, which is not there",
                       head.version);
    work->step.plan = work->version->plan;
    work->step.record = arena_new(op->arena, struct record);
    if (!work->step.record)
        return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
    return record_decode(row->body, plan_terms(work->step.plan), op->arena, work->step.record, err);
}

/* Why: the stored event decided again by its own version, under the view that was read then. */
static enum code
render_explanation(struct work *work, struct buf *out, struct err *err)
{
    const struct record *record = work->step.record;
    struct decision again;
    struct json_writer writer;
    enum trace_wish wish;

    if (!work_trace_wish(work, &wish))
        return OK;
    enum code rc = engine_evaluate(work->step.plan, &record->event, &record->view, EVALUATE_FACT,
                                   wish, work->call->arena, &again, err);
    if (rc)
        return rc;
    json_write_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "receipt");
    json_id(&writer, record->op_id);
    json_key(&writer, "version");
    json_i64(&writer, record->version);
    json_key(&writer, "trace");
    explain_json(work->step.plan, &again, work->call->russian, &writer);
    json_end_object(&writer);
    return OK;
}

void
call_receipt(struct work *work)
{
    struct receipt_row *row = arena_new(work->call->arena, struct receipt_row);

    work->input = row;
    work->render = work->call->route == CALL_EXPLANATION ? render_explanation : render_step;
    if (!row || !read_ids(work, &row->owner_id, &row->op_id)) {
        work_done(work);
        return;
    }
    work_submit(work, ACCESS_READ, receipt_run);
}
