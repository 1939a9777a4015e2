/*
 * render.c - the answer to an operation, from its record; a decision alone.
 *
 * Owns:      which members each kind of answer has, and their order.
 * Must not:  look at anything but the record and its plan.
 * Invariant: renderer version 1. Bytes that were once answered are answered for ever: a change here
 *            needs a new version beside this one, chosen by the record.
 * Cost:      one pass over the record.
 * Tests:     tests/unit/service/test_render.c, tests/tables/render/
 */
#include "service/render_parts.h"

/* ---- members that most answers have ---- */

/* {"receipt":"1","kind":"purchase": the first member names the thing. */
static void
begin(struct rendering *r, const char *thing, uint64_t id, const char *kind)
{
    PUT(r, "{\"");
    buf_add_text(r->buf, text_of(thing));
    PUT(r, "\":");
    put_id(r, id);
    PUT(r, ",\"kind\":\"");
    buf_add_text(r->buf, text_of(kind));
    PUT(r, "\"");
}

static void
put_common_members(struct rendering *r, const struct record *record)
{
    if (record->owner_id != 0) {
        PUT(r, ",\"owner\":");
        put_id(r, record->owner_id);
    }
    if (record->member_id != 0) {
        PUT(r, ",\"member\":");
        put_id(r, record->member_id);
    }
    PUT(r, ",\"programme\":");
    put_text(r, r->terms->programme);
    PUT(r, ",\"version\":");
    put_whole(r, record->version);
    PUT(r, ",\"occurred_at\":");
    put_instant(r, record->occurred_at);
    PUT(r, ",\"recorded_at\":");
    put_instant(r, record->recorded_at);
}

static void
put_receipt_key_members(struct rendering *r, const struct event *event)
{
    PUT(r, ",\"outlet\":");
    put_text(r, event->outlet);
    PUT(r, ",\"till\":");
    put_text(r, event->till);
    PUT(r, ",\"period\":");
    put_whole(r, event->period);
    PUT(r, ",\"number\":");
    put_text(r, event->number);
}

static void
put_origin_member(struct rendering *r, struct text key, uint64_t origin)
{
    if (origin == 0)
        return;
    buf_add_text(r->buf, key);
    put_id(r, origin);
}

/* ---- purchases ---- */

static void
put_hash_member(struct rendering *r, const unsigned char *hash)
{
    static const char hex[] = "0123456789abcdef";

    PUT(r, ",\"decision\":\"");
    for (int i = 0; i < 32; i++) {
        buf_add_char(r->buf, hex[hash[i] >> 4]);
        buf_add_char(r->buf, hex[hash[i] & 15]);
    }
    PUT(r, "\"");
}

/* Everything that was decided, of a quote, a reserve and a receipt alike. */
static void
put_purchase_members(struct rendering *r, const struct record *record)
{
    put_common_members(r, record);
    put_receipt_key_members(r, &record->event);
    if (record->is_fact)
        PUT(r, ",\"mode\":\"fact\"");
    if (record->kind == RECORD_PURCHASE)
        put_origin_member(r, TEXT(",\"reserve\":"), record->origin);
}

static void
put_result_members(struct rendering *r, const struct record *record)
{
    put_decided_members(r, &record->decision, &record->event);
    put_earned_member(r, &record->decision, record->earned, record->earned_count);
    put_redeemed_member(r, &record->decision);
    if (record->is_fact) {
        PUT(r, ",\"uncovered\":");
        put_money(r, record->uncovered);
    }
    put_levels_member(r, &record->view);
    put_balances_member(r, record->after, record->after_count);
}

static void
put_quote(struct rendering *r, const struct record *record, const unsigned char *hash)
{
    struct record nameless = *record; /* a quote has no operation, and so no owner to look it up */

    nameless.owner_id = 0;
    PUT(r, "{\"kind\":\"quote\"");
    put_hash_member(r, hash);
    PUT(r, ",\"valid_until\":");
    put_instant(r, record->valid_until);
    put_purchase_members(r, &nameless);
    put_result_members(r, record);
    put_trace_member(r, &record->decision);
    PUT(r, "}");
}

static void
put_purchase(struct rendering *r, const struct record *record)
{
    if (record->kind == RECORD_RESERVE) {
        begin(r, "reserve", record->op_id, "reserve");
        PUT(r, ",\"valid_until\":");
        put_instant(r, record->valid_until);
    } else {
        begin(r, "receipt", record->op_id, "purchase");
    }
    put_purchase_members(r, record);
    put_result_members(r, record);
    PUT(r, "}");
}

/* ---- returns ---- */

static void
put_returned_lines_member(struct rendering *r, const struct record *record)
{
    PUT(r, ",\"lines\":[");
    for (uint32_t i = 0; i < record->returned_count; i++) {
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{\"line\":");
        put_whole(r, (int64_t)record->returned[i].line + 1);
        PUT(r, ",\"quantity\":");
        put_quantity(r, record->returned[i].quantity);
        PUT(r, "}");
    }
    PUT(r, "]");
}

static void
put_return(struct rendering *r, const struct record *record)
{
    const struct return_result *result = &record->result;

    begin(r, "receipt", record->op_id, "return");
    put_origin_member(r, TEXT(",\"origin\":"), record->origin);
    put_common_members(r, record);
    put_receipt_key_members(r, &record->event);
    put_returned_lines_member(r, record);
    PUT(r, ",\"refund\":{\"money\":");
    put_money(r, result->refund);
    PUT(r, ",\"certificate\":");
    put_money(r, result->certificate);
    PUT(r, ",\"purse\":");
    put_money(r, result->purse);
    PUT(r, "},\"shortfall\":");
    put_money(r, result->shortfall);
    PUT(r, ",\"restored\":[");
    for (uint32_t i = 0; i < result->restored_count; i++) {
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{");
        put_points_member(r, result->restored[i].currency, TEXT(",\"points\":"),
                          result->restored[i].points);
        PUT(r, "}");
    }
    PUT(r, "],\"revoked\":[");
    for (uint32_t i = 0; i < result->revoked_count; i++) {
        uint8_t no = result->revoked[i].currency;
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{");
        put_points_member(r, no, TEXT(",\"points\":"), result->revoked[i].points);
        PUT(r, ",\"debt\":");
        put_amount(r, result->debt[i], terms_currency(r->terms, no)->scale);
        PUT(r, "}");
    }
    PUT(r, "]");
    put_balances_member(r, record->after, record->after_count);
    PUT(r, "}");
}

/* ---- the other kinds ---- */

static void
put_cancel(struct rendering *r, const struct record *record)
{
    begin(r, "operation", record->op_id, "cancel");
    put_origin_member(r, TEXT(",\"reserve\":"), record->origin);
    put_common_members(r, record);
    put_balances_member(r, record->after, record->after_count);
    PUT(r, "}");
}

static void
put_opening(struct rendering *r, const struct record *record)
{
    begin(r, "operation", record->op_id, "opening");
    put_common_members(r, record);
    PUT(r, ",");
    put_points_member(r, record->opening_currency, TEXT(",\"points\":"), record->opening_points);
    put_balances_member(r, record->after, record->after_count);
    PUT(r, "}");
}

/* An operation that its kind, its time and the balances after it say all of. */
static void
put_plain(struct rendering *r, const struct record *record, const char *kind)
{
    begin(r, "operation", record->op_id, kind);
    put_common_members(r, record);
    put_balances_member(r, record->after, record->after_count);
    PUT(r, "}");
}

static void
put_event(struct rendering *r, const struct record *record)
{
    begin(r, "operation", record->op_id, "event");
    put_common_members(r, record);
    PUT(r, ",\"event\":");
    put_text(r, record->event.kind);
    put_earned_member(r, &record->decision, record->earned, record->earned_count);
    put_levels_member(r, &record->view);
    put_balances_member(r, record->after, record->after_count);
    PUT(r, "}");
}

void
render_record(const struct record *record, const struct plan *plan,
              const unsigned char *quote_hash, bool russian, struct buf *out)
{
    struct rendering r = {
        .buf = out,
        .plan = plan,
        .terms = plan_terms(plan),
        .names = quote_hash != NULL,
        .russian = russian,
    };

    assert(out->arena != NULL);
    assert(record->version == r.terms->version);
    if (quote_hash != NULL) {
        put_quote(&r, record, quote_hash);
        return;
    }
    switch (record->kind) {
    case RECORD_PURCHASE:
    case RECORD_RESERVE:
        put_purchase(&r, record);
        return;
    case RECORD_CANCEL:
        put_cancel(&r, record);
        return;
    case RECORD_RETURN:
        put_return(&r, record);
        return;
    case RECORD_OPENING:
        put_opening(&r, record);
        return;
    case RECORD_ENROL:
        put_plain(&r, record, "enrol");
        return;
    case RECORD_SETTLE:
        put_plain(&r, record, "settle");
        return;
    case RECORD_CARD:
        put_plain(&r, record, "card");
        return;
    case RECORD_EVENT:
        put_event(&r, record);
        return;
    case record_kind_count:
        break;
    }
    kop_check_failed(__FILE__, __LINE__, "a kind of record");
}

/* ---- a decision alone ---- */

static void
put_counters_member(struct rendering *r, const struct decision *decision)
{
    PUT(r, ",\"counters\":{");
    for (uint32_t i = 0; i < r->terms->counter_count; i++) {
        const struct counter_terms *counter = &r->terms->counter[i];
        if (i > 0)
            PUT(r, ",");
        put_text(r, counter->code);
        PUT(r, ":");
        put_amount(r, decision->counter_add[i],
                   counter->source == COUNTER_COUNT ? 0 : r->terms->money_scale);
    }
    PUT(r, "}");
}

void
render_decision(const struct decision *decision, const struct event *event,
                const struct plan *plan, bool russian, struct json_writer *writer)
{
    struct rendering r = {
        .buf = writer->buf,
        .plan = plan,
        .terms = plan_terms(plan),
        .names = true,
        .russian = russian,
    };

    json_begin_object(writer);
    json_key(writer, "outcome");
    json_string(writer, outcome_name(decision->outcome));
    if (decision->outcome == OUTCOME_DONE) {
        put_decided_members(&r, decision, event);
        put_earned_member(&r, decision, NULL, 0);
        put_redeemed_member(&r, decision);
        put_counters_member(&r, decision);
    } else {
        const struct currency_terms *of = terms_currency(r.terms, decision->limit_currency);
        json_key(writer, "title");
        json_string(writer, outcome_sentence(decision->outcome, russian));
        json_key(writer, "pointer");
        json_text(writer, decision->culprit);
        json_key(writer, "limit");
        json_decimal(writer, decision->limit, of == NULL ? r.terms->money_scale : of->scale);
    }
    put_trace_member(&r, decision);
    json_end_object(writer);
}
