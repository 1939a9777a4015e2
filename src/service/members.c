/*
 * members.c - finding a member, its balance and statement; opening balances and other events.
 *
 * Owns:      what is asked of one member.
 * Must not:  show a balance that was not settled to now; show personal data without being asked
 *            for the member.
 * Tests:     tests/stories/
 */
#include "service/enrol.h"

#include <string.h>

struct member_work {
    struct whom whom;
    struct opening_input opening;
    struct event event;
    struct member_row *members;
    uint32_t member_count;
    struct text person; /* opened JSON; empty: none */
    struct movement *movement;
    uint32_t movement_count;
    uint32_t before, limit; /* of a statement's page */
    bool more;
};

static struct member_work *
member_begin(struct work *work)
{
    struct member_work *member = arena_new(work->call->arena, struct member_work);

    work->input = member;
    if (!member)
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    return member;
}

/* Load the owner, found by its programme, and settle a copy to now; nothing is written. */
static enum code
look_at_owner(struct work *work, struct tx *tx, bool *found, struct err *err)
{
    struct needs needs = { .owner_id = work->step.owner_id };
    struct owner *owner = &work->view.owner;
    struct ledger ledger;

    *found = false;
    enum code rc = store_load(tx, &needs, work->op.arena, &work->view, err);
    if (rc)
        return rc;
    if (!work->view.owner_found || owner->tenant != work->tenant ||
        (owner->flags & owner_flag_anonymous)) {
        work_refuse(work, OUTCOME_NOT_FOUND, TEXT(""));
        return OK;
    }
    work->programme = catalogue_programme_no(work->catalogue, work->tenant, owner->programme);
    work->version = work->programme ? programme_near(work->programme, work->now) : NULL;
    work->missing = !work->version;
    if (!work->version)
        return err_set(err, CODE_CORRUPT, "an owner's programme is not in the catalogue");
    work->step.plan = work->version->plan;
    work->step.changes = (struct changes){ 0 };
    unix_ms now = work->now > owner->settled_to ? work->now : owner->settled_to;
    ledger_begin(&ledger, plan_terms(work->step.plan), work->op.arena, owner, &work->step.changes,
                 1, now);
    ledger_settle(&ledger);
    *found = true;
    return OK;
}

/* ---- member, balance, statement ---- */

static enum code
load_person(struct work *work, struct tx *tx, struct err *err)
{
    struct member_work *member = work->input;
    struct row key = { 0 }, row;
    bool found;

    enum code rc = store_list_members(tx, work->step.owner_id, work->op.arena, &member->members,
                                      &member->member_count, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < member->member_count; i++) {
        if (member->members[i].member_id != work->step.member_id || !member->members[i].person_id)
            continue;
        key.cell[0].number = (int64_t)member->members[i].person_id;
        rc = store_get(tx, TABLE_person, &key, work->op.arena, &row, &found, err);
        if (rc || !found)
            return rc;
        return person_open(work->service, &row, work->op.arena, &member->person, err);
    }
    return OK;
}

static enum code
load_statement(struct work *work, struct tx *tx, struct err *err)
{
    struct member_work *member = work->input;
    uint32_t last = work->view.owner.last_movement;
    uint32_t upto = member->before && member->before <= last ? member->before - 1 : last;
    uint32_t after = upto > member->limit ? upto - member->limit : 0;
    uint32_t wanted = upto - after;

    member->more = after > 0;
    if (wanted == 0)
        return OK;
    return store_list_movements(tx, work->step.owner_id, after, wanted, work->op.arena,
                                &member->movement, &member->movement_count, err);
}

static enum code
member_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct member_work *member = work->input;
    uint32_t last;
    bool found;
    enum code rc;

    if (!work_routed(work, &member->whom, true, 0))
        return OK;
    rc = look_at_owner(work, tx, &found, err);
    if (rc || !found)
        return rc;
    last = work->view.owner.last_movement;
    if (work->call->route == CALL_STATEMENT) {
        /* What settle would add is not written yet: the statement tells what is. */
        work->view.owner.last_movement = last - work->step.changes.movement_count;
        rc = load_statement(work, tx, err);
        work->view.owner.last_movement = last;
        return rc;
    }
    return work->call->route == CALL_BALANCE ? OK : load_person(work, tx, err);
}

static void
write_head(struct work *work, struct json_writer *writer)
{
    json_key(writer, "member");
    json_id(writer, work->step.member_id);
    json_key(writer, "owner");
    json_id(writer, work->step.owner_id);
    json_key(writer, "programme");
    json_text(writer, work->programme->code);
}

static enum code
render_member(struct work *work, struct buf *out, struct err *err)
{
    struct member_work *member = work->input;
    const struct terms *terms = plan_terms(work->step.plan);
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    json_begin_object(&writer);
    write_head(work, &writer);
    if (member->person.len) {
        json_key(&writer, "person");
        json_raw(&writer, member->person);
    }
    json_key(&writer, "enrolled_at");
    struct buf at;
    buf_init(&at, work->call->arena, 32);
    instant_format(&at, work->view.owner.enrolled_at);
    json_text(&writer, buf_text(&at));
    json_key(&writer, "balance");
    render_balance(&work->view.owner, terms, &writer);
    json_end_object(&writer);
    return OK;
}

static enum code
render_statement(struct work *work, struct buf *out, struct err *err)
{
    struct member_work *member = work->input;
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    json_begin_object(&writer);
    write_head(work, &writer);
    json_key(&writer, "movements");
    json_begin_array(&writer);
    for (uint32_t i = member->movement_count; i-- > 0;) {
        const struct movement *movement = &member->movement[i];
        const struct version_entry *version = programme_version(work->programme, movement->version);
        render_movement(movement, version ? version->plan : work->step.plan, work->call->russian,
                        &writer);
    }
    json_end_array(&writer);
    if (member->more) {
        json_key(&writer, "next");
        json_id(&writer, member->movement[0].movement_no);
    }
    json_end_object(&writer);
    return OK;
}

/* ?cursor=N&limit=M; anything else is refused. */
static bool
read_page(struct work *work, struct member_work *member)
{
    struct text query = work->call->query;
    uint64_t value;

    member->limit = page_rows_default;
    while (query.len) {
        uint32_t end = 0;
        while (end < query.len && query.ptr[end] != '&')
            end++;
        struct text item = { query.ptr, end };
        bool is_cursor = text_starts(item, TEXT("cursor="));
        bool is_limit = text_starts(item, TEXT("limit="));
        uint32_t skip = is_cursor ? 7 : 6;
        if (!is_cursor && !is_limit)
            return work_refuse(work, OUTCOME_FIELD_UNKNOWN, TEXT("?"));
        if (!text_to_u64((struct text){ item.ptr + skip, item.len - skip }, &value) || value == 0 ||
            value > UINT32_MAX)
            return work_refuse(work, OUTCOME_FIELD_RANGE,
                               is_cursor ? TEXT("?cursor") : TEXT("?limit"));
        if (is_limit && value > page_rows_max)
            return work_refuse(work, OUTCOME_FIELD_RANGE, TEXT("?limit"));
        if (is_cursor)
            member->before = (uint32_t)value;
        else
            member->limit = (uint32_t)value;
        query.ptr += end < query.len ? end + 1 : end;
        query.len -= end < query.len ? end + 1 : end;
    }
    return true;
}

/* A member's id is the tenant's; the programme is its owner's. */
void
call_member(struct work *work)
{
    struct member_work *member = member_begin(work);

    work->render = work->call->route == CALL_STATEMENT ? render_statement : render_member;
    if (!member || !read_page(work, member) ||
        !text_to_u64(work->call->param[0], &member->whom.member_id) || !member->whom.member_id) {
        work_refuse(work, OUTCOME_NOT_FOUND, TEXT(""));
        work_done(work);
        return;
    }
    if (!work_route(work, &member->whom)) {
        work_done(work);
        return;
    }
    work_submit(work, ACCESS_READ, member_run);
}

/* ---- find ---- */

void
call_find(struct work *work)
{
    struct member_work *member = member_begin(work);
    struct find_body body;

    work->render = render_member;
    if (!member || !find_body_read(work->call->body, work->call->arena, &body, &work->refusal) ||
        !work_programme(work, body.programme) || !work_route(work, &body.whom)) {
        work_done(work);
        return;
    }
    member->whom = body.whom;
    work_submit(work, ACCESS_READ, member_run);
}

/* ---- opening balances and events ---- */

/* What the client's key stands for: every field but sent_at and attempt. */
static void
put_whom(const struct whom *whom, struct buf *bytes)
{
    bytes_put_text(bytes, whom->card);
    bytes_put_text(bytes, whom->phone);
    bytes_put_u64(bytes, whom->member_id);
}

static bool
hash_opening(struct work *work, const struct opening_body *body)
{
    struct buf bytes;

    buf_init(&bytes, work->call->arena, 256);
    bytes_put_u64(&bytes, CALL_OPENING);
    bytes_put_text(&bytes, body->programme);
    put_whom(&body->whom, &bytes);
    bytes_put_text(&bytes, body->currency);
    bytes_put_text(&bytes, body->points);
    bytes_put_u64(&bytes, body->has_at);
    bytes_put_i64(&bytes, body->has_at ? body->at : 0);
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

static bool
hash_event(struct work *work, struct event_body *body)
{
    struct buf bytes;
    uint32_t bad_line;

    /* Sorted attributes: the order of a JSON object's members says nothing. */
    enum outcome outcome = event_normalise(&body->event, plan_terms(work->step.plan)->money_scale,
                                           &bad_line);
    if (outcome != OUTCOME_DONE)
        return work_refuse(work, outcome, TEXT(""));
    buf_init(&bytes, work->call->arena, 256);
    bytes_put_u64(&bytes, CALL_EVENT);
    bytes_put_text(&bytes, body->programme);
    put_whom(&body->whom, &bytes);
    event_encode(&body->event, &bytes);
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

static enum code
opening_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct member_work *member = work->input;

    if (!work_routed(work, &member->whom, true, 0))
        return OK;
    struct needs needs = { .owner_id = work->step.owner_id };
    enum code rc = work_load(work, tx, &needs, err);
    if (rc)
        return rc;
    rc = flow_opening(&work->step, &member->opening, err);
    return rc ? rc : work_write(work, tx, err);
}

static enum code
event_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct member_work *member = work->input;
    struct needs needs;

    if (!work_routed(work, &member->whom, true, 0))
        return OK;
    flow_purchase_needs(work->step.plan, work->step.owner_id, 0, work->now, &needs);
    enum code rc = work_load(work, tx, &needs, err);
    if (rc)
        return rc;
    rc = flow_event(&work->step, &member->event, err);
    return rc ? rc : work_write(work, tx, err);
}

static enum code
render_record_of(struct work *work, struct buf *out, struct err *err)
{
    (void)err;
    render_record(work->step.record, work->step.plan, NULL, work->call->russian, out);
    return OK;
}

bool
opening_prepare(struct work *work, struct whom *whom, struct opening_input *opening)
{
    struct call *call = work->call;
    const struct currency_terms *currency;
    struct opening_body body;

    if (!opening_body_read(call->body, call->arena, &body, &work->refusal) ||
        !work_programme(work, body.programme) || !work_version(work, work->now) ||
        !work_claim_header(work) || !work_route(work, &body.whom) || !hash_opening(work, &body))
        return false;
    *whom = body.whom;
    currency = terms_currency_by_code(plan_terms(work->step.plan), body.currency);
    if (!currency)
        return work_refuse(work, OUTCOME_CURRENCY_UNKNOWN, TEXT("/currency"));
    enum decimal_result result = decimal_parse(body.points, currency->scale, &opening->points);
    opening->currency = currency->no;
    opening->at = body.has_at ? body.at : work->now;
    if (result != DECIMAL_OK)
        return work_refuse(work,
                           result == DECIMAL_FINE    ? OUTCOME_AMOUNT_TOO_FINE
                           : result == DECIMAL_RANGE ? OUTCOME_FIELD_RANGE
                                                     : OUTCOME_FIELD_FORMAT,
                           TEXT("/points"));
    work->step.op_id = work_next_id(work);
    return work->step.op_id != 0;
}

void
call_opening(struct work *work)
{
    struct member_work *member = member_begin(work);

    work->render = render_record_of;
    if (!member || !opening_prepare(work, &member->whom, &member->opening)) {
        work_done(work);
        return;
    }
    work_submit(work, ACCESS_WRITE, opening_run);
}

void
call_event(struct work *work)
{
    struct member_work *member = member_begin(work);
    struct call *call = work->call;
    struct event_body body;
    struct text programme;

    work->render = render_record_of;
    if (!member || !body_programme(call->body, call->arena, &programme, &work->refusal) ||
        !work_programme(work, programme) ||
        !event_body_read(call->body, work_reader(work), call->arena, &body, &work->refusal) ||
        !work_version(work, body.event.occurred_at) ||
        !work_may(work, body.event.outlet, body.event.till) || !work_claim_header(work) ||
        !work_route(work, &body.whom) || !hash_event(work, &body)) {
        work_done(work);
        return;
    }
    member->whom = body.whom;
    member->event = body.event;
    work->step.op_id = work_next_id(work);
    work_submit(work, ACCESS_WRITE, event_run);
}
