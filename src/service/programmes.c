/*
 * programmes.c - checking, publishing and listing programmes; evaluating without a database.
 *
 * Owns:      a version's way from a document to the catalogue.
 * Invariant: a published version never changes; publishing the same document again publishes
 *            nothing.
 * Tests:     tests/unit/service/test_catalogue.c, tests/stories/
 */
#include "service/internal.h"

#include <string.h>

struct publish_work {
    struct version_body body;
    struct plan *plan;
    struct problems problems;
    struct text id, zone_name, tzif;
    unsigned char hash[sha256_bytes];
    uint32_t version;
    bool is_new;
};

/* Compile the document of the body, its field `field`; mistakes become PROGRAMME_INVALID. */
static bool
compile_document(struct work *work, struct publish_work *publish, struct text document,
                 struct text field)
{
    struct arena *arena = work->call->arena;
    struct err err;

    if (plan_peek(arena, document, &publish->id, &publish->zone_name, &err)) {
        work_refuse(work, OUTCOME_BODY_NOT_JSON, field);
        work->refusal.detail = text_copy(arena, text_of(err.text));
        return false;
    }
    if (zone_read(work->service, publish->zone_name, arena, &publish->tzif, &err))
        publish->tzif = (struct text){ 0 }; /* one mistake among the others: the compiler tells */
    enum code rc = plan_compile(arena, document, publish->tzif, 1, &publish->plan,
                                &publish->problems, &err);
    if (rc == OK)
        return true;
    if (rc == CODE_SYNTAX) {
        work->mistakes = &publish->problems;
        return work_refuse(work, OUTCOME_PROGRAMME_INVALID, field);
    }
    work_fail(work, &err);
    return false;
}

static enum code
render_checked(struct work *work, struct buf *out, struct err *err)
{
    const struct publish_work *publish = work->input;
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_text(&writer, publish->id);
    json_key(&writer, "rules");
    json_i64(&writer, plan_rule_count(publish->plan));
    if (work->call->route == CALL_PUBLISH) {
        json_key(&writer, "version");
        json_i64(&writer, publish->version);
        json_key(&writer, "published");
        json_bool(&writer, publish->is_new);
    }
    json_end_object(&writer);
    return OK;
}

void
call_check(struct work *work)
{
    struct publish_work *publish = arena_new(work->call->arena, struct publish_work);

    work->input = publish;
    work->render = render_checked;
    if (publish &&
        version_body_read(work->call->body, work->call->arena, &publish->body, &work->refusal))
        compile_document(work, publish, publish->body.document, TEXT("/document"));
    work_done(work);
}

/* ---- publishing ---- */

static enum code
find_programme(struct work *work, struct tx *tx, uint32_t *programme, bool *found, struct err *err)
{
    struct row *rows, after = { .cell = { { .number = work->tenant }, { .number = 0 } } };
    uint32_t count;

    *programme = 1;
    *found = false;
    enum code rc = store_list(tx, TABLE_programme, &after, programmes_per_tenant_max,
                              work->op.arena, &rows, &count, err);
    for (uint32_t i = 0; !rc && i < count && rows[i].cell[0].number == work->tenant; i++) {
        *programme = (uint32_t)rows[i].cell[1].number;
        *found = text_equal(rows[i].cell[2].text, work->call->param[0]);
        if (*found)
            return OK;
        (*programme)++;
    }
    return rc;
}

/* The newest version's row of the programme, if any: from the one that is known here on, for their
 * documents are long. */
static enum code
find_newest(struct work *work, struct tx *tx, uint32_t programme, struct row *newest, bool *found,
            struct err *err)
{
    const struct programme_entry *entry = catalogue_programme_no(work->catalogue, work->tenant,
                                                                 programme);
    const struct version_entry *known = entry ? programme_newest(entry) : NULL;
    struct row after = { .cell = { { .number = work->tenant },
                                   { .number = programme },
                                   { .number = known ? known->version - 1 : 0 } } };
    struct row *row;
    uint32_t count;

    *found = false;
    for (;;) {
        enum code rc = store_list(tx, TABLE_programme_version, &after, 1, work->op.arena, &row,
                                  &count, err);
        if (rc)
            return rc;
        if (count == 0 || row->cell[0].number != work->tenant || row->cell[1].number != programme)
            return OK;
        *newest = *row;
        *found = true;
        after.cell[2].number = row->cell[2].number;
    }
}

/* The new version against the one before: numbers keep their meaning. */
static bool
may_follow(struct work *work, struct publish_work *publish, const struct row *newest)
{
    struct arena *arena = work->op.arena;
    struct problems none = { 0 };
    struct plan *previous;
    struct err err;

    if (plan_compile(arena, newest->cell[6].text, newest->cell[7].text, publish->version - 1,
                     &previous, &none, &err)) {
        work_fail(work, &err);
        return false;
    }
    if (plan_may_follow(publish->plan, previous, arena, &publish->problems))
        return true;
    work->mistakes = &publish->problems;
    return work_refuse(work, OUTCOME_PROGRAMME_INVALID, TEXT("/document"));
}

static enum code
write_version(struct work *work, struct tx *tx, uint32_t programme, bool programme_found,
              struct err *err)
{
    struct publish_work *publish = work->input;
    struct row entry = { .cell = { { .number = work->tenant },
                                   { .number = programme },
                                   { .text = work->call->param[0] } } };
    struct row row = { .cell = {
                           { .number = work->tenant },
                           { .number = programme },
                           { .number = publish->version },
                           { .number = publish->body.in_force_from },
                           { .number = work->now },
                           { .text = { (char *)publish->hash, sha256_bytes } },
                           { .text = publish->body.document },
                           { .text = publish->tzif },
                       } };
    enum code rc = programme_found ? OK : store_put(tx, TABLE_programme, &entry, err);

    return rc ? rc : store_put(tx, TABLE_programme_version, &row, err);
}

static enum code
publish_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct publish_work *publish = work->input;
    struct row newest = { 0 };
    bool programme_found, version_found;
    uint32_t programme;

    enum code rc = find_programme(work, tx, &programme, &programme_found, err);
    if (!rc)
        rc = find_newest(work, tx, programme, &newest, &version_found, err);
    if (rc)
        return rc;
    if (!programme_found && programme > programmes_per_tenant_max) {
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
        return OK;
    }
    publish->problems = (struct problems){ 0 }; /* a run before this one may have found some */
    publish->is_new = true;
    publish->version = 1;
    if (programme_found && version_found) {
        publish->version = (uint32_t)newest.cell[2].number;
        if (newest.cell[5].text.len == sha256_bytes &&
            memcmp(newest.cell[5].text.ptr, publish->hash, sha256_bytes) == 0) {
            publish->is_new = false; /* the same document: nothing new to publish */
            return OK;
        }
        publish->version++;
        if (!may_follow(work, publish, &newest))
            return OK;
        if (publish->body.in_force_from < newest.cell[3].number) {
            work_refuse(work, OUTCOME_CONFLICT, TEXT("/in_force_from"));
            return OK;
        }
    }
    return write_version(work, tx, programme, programme_found, err);
}

/* The catalogue is read anew by whoever renders: off the writer. Also for a document that was
 * published before, if that could not be read then. */
static enum code
render_published(struct work *work, struct buf *out, struct err *err)
{
    const struct publish_work *publish = work->input;
    const struct programme_entry *programme =
        catalogue_programme(work->catalogue, work->tenant, work->call->param[0]);
    bool is_there = programme && programme_version(programme, publish->version);
    enum code rc = is_there ? OK : catalogue_reload(work->service, err);

    return rc ? rc : render_checked(work, out, err);
}

void
call_publish(struct work *work)
{
    struct publish_work *publish = arena_new(work->call->arena, struct publish_work);
    struct call *call = work->call;

    work->input = publish;
    work->render = render_published;
    if (!publish || !version_body_read(call->body, call->arena, &publish->body, &work->refusal) ||
        !compile_document(work, publish, publish->body.document, TEXT("/document"))) {
        work_done(work);
        return;
    }
    if (!text_equal(publish->id, call->param[0])) {
        work_refuse(work, OUTCOME_FIELD_RANGE, TEXT("/document/id"));
        work_done(work);
        return;
    }
    if (!publish->body.has_in_force_from)
        publish->body.in_force_from = work->now;
    sha256(publish->body.document.ptr, publish->body.document.len, publish->hash);
    work->op.repeatable = true;
    work_submit(work, ACCESS_WRITE, publish_run);
}

/* ---- listing ---- */

static void
write_programme(const struct programme_entry *programme, struct arena *arena,
                struct json_writer *writer)
{
    json_begin_object(writer);
    json_key(writer, "programme");
    json_text(writer, programme->code);
    json_key(writer, "versions");
    json_begin_array(writer);
    for (uint32_t i = 0; i < programme->version_count; i++) {
        struct buf at;
        buf_init(&at, arena, 32);
        instant_format(&at, programme->version[i].in_force_from);
        json_begin_object(writer);
        json_key(writer, "version");
        json_i64(writer, programme->version[i].version);
        json_key(writer, "in_force_from");
        json_text(writer, buf_text(&at));
        json_end_object(writer);
    }
    json_end_array(writer);
}

static enum code
render_programmes(struct work *work, struct buf *out, struct err *err)
{
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    if (work->programme) {
        write_programme(work->programme, work->call->arena, &writer);
        json_key(&writer, "document");
        json_raw(&writer, programme_newest(work->programme)->document);
        json_end_object(&writer);
        return OK;
    }
    json_begin_object(&writer);
    json_key(&writer, "programmes");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < work->catalogue->programme_count; i++) {
        if (work->catalogue->programme[i].tenant != work->tenant)
            continue;
        write_programme(&work->catalogue->programme[i], work->call->arena, &writer);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    return OK;
}

void
call_programmes(struct work *work)
{
    work->render = render_programmes;
    if (work->call->route == CALL_PROGRAMME && !work_programme(work, work->call->param[0]))
        work->refusal.pointer = TEXT("");
    work_done(work);
}

/* ---- evaluating ---- */

struct evaluate_work {
    struct publish_work publish;
    struct evaluate_body body;
    struct event event;
    struct member_view view;
    struct decision decision;
    enum trace_wish trace;
};

static enum code
render_evaluated(struct work *work, struct buf *out, struct err *err)
{
    struct evaluate_work *evaluate = work->input;
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    render_decision(&evaluate->decision, &evaluate->event, evaluate->publish.plan,
                    work->call->russian, &writer);
    return OK;
}

static void
evaluate_now(struct work *work, struct evaluate_work *evaluate)
{
    const struct plan *plan = evaluate->publish.plan;
    struct arena *arena = work->call->arena;
    uint32_t bad_line;
    struct err err;

    if (!evaluate_event_read(evaluate->body.event, plan, arena, &evaluate->event, &work->refusal) ||
        !evaluate_member_read(evaluate->body.member, plan, arena, &evaluate->view, &work->refusal))
        return;
    enum outcome outcome = event_normalise(&evaluate->event, plan_terms(plan)->money_scale,
                                           &bad_line);
    if (outcome != OUTCOME_DONE) {
        work_refuse(work, outcome, TEXT("/event/lines"));
        return;
    }
    enum code rc = engine_evaluate(plan, &evaluate->event, &evaluate->view,
                                   evaluate->body.is_fact ? EVALUATE_FACT : EVALUATE_QUOTE,
                                   evaluate->trace, arena, &evaluate->decision, &err);
    if (rc == CODE_RANGE) {
        work_refuse(work, OUTCOME_AMOUNT_OVERFLOW, TEXT("/event"));
    } else if (rc) {
        work_fail(work, &err);
    } else if (evaluate->decision.outcome != OUTCOME_DONE) {
        const struct currency_terms *of = terms_currency(plan_terms(plan),
                                                         evaluate->decision.limit_currency);
        work_limit(work, evaluate->decision.outcome, evaluate->decision.limit,
                   of ? of->scale : plan_terms(plan)->money_scale);
        work_refuse(work, evaluate->decision.outcome, evaluate->decision.culprit);
    }
}

void
call_evaluate(struct work *work)
{
    struct evaluate_work *evaluate = arena_new(work->call->arena, struct evaluate_work);
    struct call *call = work->call;

    work->input = evaluate;
    work->render = render_evaluated;
    if (evaluate && work_trace_wish(work, &evaluate->trace) &&
        evaluate_body_read(call->body, call->arena, &evaluate->body, &work->refusal)) {
        if (!evaluate->body.document.len)
            work_refuse(work, OUTCOME_FIELD_MISSING, TEXT("/programme"));
        else if (compile_document(work, &evaluate->publish, evaluate->body.document,
                                  TEXT("/programme")))
            evaluate_now(work, evaluate);
    }
    work_done(work);
}
