/*
 * enrol.c - a new member: what the programme asks for, age, identifiers that must be free.
 *
 * Owns:      the two operations of an enrolment: the person's row, then owner, member and
 *            directory.
 * Must not:  write the person in the transaction that writes the owner (they may lie apart).
 * Invariant: a refused enrolment leaves no person behind; a repeat answers with the same member.
 *            One that breaks off between its two operations leaves a person that nobody names, for
 *            sweep.c to find: owner, member and person have one id. Each try has ids of its own: a
 *            repeat never counts on the person of the try before.
 * Tests:     tests/stories/
 */
#include "service/enrol.h"

#include <string.h>

/* What the client's key stands for: every field but sent_at and attempt. */
static bool
hash_enrolment(struct work *work, const struct enrol_body *body)
{
    const struct text fields[] = {
        body->programme, body->surname, body->name,  body->patronymic, body->birthday,
        body->sex,       body->town,    body->phone, body->email,
    };
    struct buf bytes;

    buf_init(&bytes, work->call->arena, 512);
    bytes_put_u64(&bytes, CALL_ENROL);
    for (size_t i = 0; i < KOP_COUNT(fields); i++)
        bytes_put_text(&bytes, fields[i]);
    bytes_put_u64(&bytes, body->consent);
    for (uint32_t i = 0; i < body->card_count; i++)
        bytes_put_text(&bytes, body->card[i]);
    if (bytes.failed)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    sha256(bytes.ptr, bytes.len, work->request_hash);
    return true;
}

static bool
check_data(struct work *work, const struct enrol_body *body)
{
    struct enrolment wanted = plan_enrolment(work->step.plan);
    const struct {
        uint32_t bit;
        struct text value, pointer;
    } data[] = {
        { enrol_surname, body->surname, TEXT("/surname") },
        { enrol_name, body->name, TEXT("/name") },
        { enrol_birthday, body->birthday, TEXT("/birthday") },
        { enrol_phone, body->phone, TEXT("/phone") },
        { enrol_email, body->email, TEXT("/email") },
        { enrol_sex, body->sex, TEXT("/sex") },
        { enrol_town, body->town, TEXT("/town") },
    };
    struct date birthday;

    for (size_t i = 0; i < KOP_COUNT(data); i++)
        if ((wanted.required & data[i].bit) && !data[i].value.len)
            return work_refuse(work, OUTCOME_DATA_NEEDED, data[i].pointer);
    if (!wanted.age_min)
        return true;
    if (!body->birthday.len)
        return work_refuse(work, OUTCOME_DATA_NEEDED, TEXT("/birthday"));
    if (!date_parse(body->birthday, &birthday))
        return work_refuse(work, OUTCOME_FIELD_FORMAT, TEXT("/birthday"));
    birthday.year += wanted.age_min;
    int64_t of_age = date_to_day(date_add_months(birthday, 0));
    if (zone_day(plan_terms(work->step.plan)->zone, work->now) < of_age)
        return work_refuse(work, OUTCOME_TOO_YOUNG, TEXT("/birthday"));
    return true;
}

static void
add_key(struct work *work, struct enrol_work *enrol, enum key_kind kind, struct text value)
{
    struct text key = directory_key_of(work, kind, value);
    struct directory_row *row = &enrol->key[enrol->input.key_count++];

    if (key.len != directory_key_bytes)
        return; /* no memory: enrol_prepare() asks the arena */
    memcpy(row->key, key.ptr, directory_key_bytes);
    row->kind = kind;
    row->state = KEY_ACTIVE;
    work->op.route[work->op.route_count++] = (struct route){ .kind = ROUTE_DIRECTORY, .key = key };
}

static bool
collect_keys(struct work *work, struct enrol_work *enrol)
{
    const struct enrol_body *body = &enrol->body;

    enrol->input.key = enrol->key;
    if (body->card_count + 2 > routes_per_op_max)
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT("/cards"));
    if (body->phone.len) {
        enrol->phone = telephone_normal(body->phone, work->call->arena);
        if (!enrol->phone.len)
            return work_refuse(work, OUTCOME_FIELD_FORMAT, TEXT("/phone"));
        add_key(work, enrol, KEY_PHONE, enrol->phone);
    }
    if (body->email.len)
        add_key(work, enrol, KEY_EMAIL, body->email);
    for (uint32_t i = 0; i < body->card_count; i++)
        add_key(work, enrol, KEY_CARD, body->card[i]);
    return true;
}

struct text
enrol_pointer(enum key_kind kind)
{
    static const char *const pointers[] = { "", "/cards", "/phone", "/email" };

    assert(kind < KOP_COUNT(pointers));
    return text_of(pointers[kind]);
}

bool
enrol_prepare(struct work *work, struct enrol_work *enrol)
{
    struct call *call = work->call;

    if (!enrol_body_read(call->body, call->arena, &enrol->body, &work->refusal) ||
        !work_programme(work, enrol->body.programme) || !work_version(work, work->now) ||
        !work_claim_header(work) || !check_data(work, &enrol->body) || !collect_keys(work, enrol) ||
        !hash_enrolment(work, &enrol->body))
        return false;
    if (call->arena->failed) /* a key or claim may be cut short */
        return work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
    enrol->id = work_next_id(work);
    work->step.op_id = work_next_id(work);
    enrol->input.person_id = enrol->id;
    enrol->input.at = work->now;
    return enrol->id && work->step.op_id;
}

static enum code
enrol_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct enrol_work *enrol = work->input;
    struct needs needs = { .owner_id = enrol->id };
    enum code rc;

    for (uint32_t i = 0; i < op->route_count; i++) {
        const struct route *route = &op->route[i];
        bool is_free_card = enrol->key[i].kind == KEY_CARD && route->state == KEY_FREE;
        if (route->found && !is_free_card) {
            work_refuse(work, OUTCOME_CARD_TAKEN, enrol_pointer(enrol->key[i].kind));
            return OK;
        }
    }
    work->step.owner_id = work->step.member_id = enrol->id;
    rc = work_load(work, tx, &needs, err);
    if (rc)
        return rc;
    rc = flow_enrol(&work->step, &enrol->input, err);
    if (rc)
        return rc;
    return work_write(work, tx, err);
}

static void
enrol_done(struct op *op)
{
    work_done(op->context);
}

/* A refused enrolment must not leave the person behind. */
static enum code
forget_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct enrol_work *enrol = work->input;

    return store_delete(tx, TABLE_person, &enrol->person, err);
}

static void
member_done(struct op *op)
{
    struct work *work = op->context;
    struct enrol_work *enrol = work->input;
    struct err err;
    bool is_kept = op->code == CODE_UNKNOWN ||
                   (op->repeat && op->existing_op == work->step.op_id); /* by a lost commit */

    if (op->code || op->repeat) /* what a run that was stopped thought does not count */
        work->refusal = (struct refusal){ 0 };
    if (op->code == CODE_CONFLICT) /* barred: it took more than a day; the repeat has other ids */
        err_set(&op->err, CODE_BUSY, "the enrolment was given up meanwhile, try again");
    if (op->code)
        work_fail(work, &op->err);
    else if (op->repeat)
        work_take_repeat(work);
    else if (work->step.outcome != OUTCOME_DONE)
        work_refuse(work, work->step.outcome, work->step.culprit);
    else if (work->refusal.outcome == OUTCOME_DONE) {
        is_kept = true;
    }
    if (is_kept) {
        work_done(work);
        return;
    }
    enrol->person_op = (struct op){
        .access = ACCESS_WRITE,
        .repeatable = true,
        .priority = work->call->priority,
        .arena = work->call->arena,
        .run = forget_run,
        .done = enrol_done,
        .context = work,
    };
    if (store_submit(work->service->store, &enrol->person_op, &err))
        work_done(work); /* an orphan row, sealed and named by nobody: sweep.c finds it */
}

/*
 * A clock that was put back before a restart makes ids again that it made before: what is there
 * under ours is another's, and is neither replaced nor, when we are refused, deleted.
 */
static enum code
person_run(struct tx *tx, struct op *op, struct err *err)
{
    enum { wrapped_key = 2 }; /* drawn anew for each try: nobody else's is the same */
    struct work *work = op->context;
    struct enrol_work *enrol = work->input;
    struct row there;
    bool found;
    enum code rc = store_get(tx, TABLE_person, &enrol->person, op->arena, &there, &found, err);

    if (rc)
        return rc;
    if (!found)
        return store_put(tx, TABLE_person, &enrol->person, err);
    if (!text_equal(there.cell[wrapped_key].text, enrol->person.cell[wrapped_key].text))
        return err_set(err, CODE_BUSY, "the id of the enrolment is another's, try again");
    return OK; /* run again after a lost commit */
}

static void
person_done(struct op *op)
{
    struct work *work = op->context;
    struct err err;

    if (op->code) {
        work_fail(work, &op->err);
        work_done(work);
        return;
    }
    work->op.access = ACCESS_WRITE;
    work->op.priority = work->call->priority;
    work->op.arena = work->call->arena;
    work->run = enrol_run;
    work->op.run = work_run;
    work->op.done = member_done;
    work->op.context = work;
    if (store_submit(work->service->store, &work->op, &err)) {
        work_fail(work, &err);
        work_done(work);
    }
}

static enum code
render_enrolled(struct work *work, struct buf *out, struct err *err)
{
    (void)err;
    render_record(work->step.record, work->step.plan, NULL, work->call->russian, out);
    return OK;
}

void
call_enrol(struct work *work)
{
    struct call *call = work->call;
    struct enrol_work *enrol = arena_new(call->arena, struct enrol_work);
    struct buf plain;
    struct err err;

    work->input = enrol;
    work->render = render_enrolled;
    if (!enrol) {
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
        work_done(work);
        return;
    }
    if (!enrol_prepare(work, enrol)) {
        work_done(work);
        return;
    }
    buf_init(&plain, call->arena, 256);
    person_json(&enrol->body, enrol->phone, &plain);
    if (plain.failed || person_seal(work->service, enrol->input.person_id, work->tenant,
                                    buf_text(&plain), call->arena, &enrol->person, &err)) {
        work_refuse(work, OUTCOME_TOO_MANY, TEXT(""));
        work_done(work);
        return;
    }
    enrol->person_op = (struct op){
        .access = ACCESS_WRITE,
        .repeatable = true,
        .priority = call->priority,
        .arena = call->arena,
        .run = person_run,
        .done = person_done,
        .context = work,
    };
    if (store_submit(work->service->store, &enrol->person_op, &err)) {
        work_fail(work, &err);
        work_done(work);
    }
}
