/*
 * cards.c - issuing, tying and blocking cards.
 *
 * Owns:      rows of the directory for cards.
 * Must not:  keep a card's number: a keyed hash stands for it.
 * Invariant: a card belongs to one member at most; saying the same again changes nothing. What
 *            befalls a member's card is an operation of the member.
 * Tests:     tests/stories/
 */
#include "service/internal.h"

#include <string.h>

struct card_work {
    struct card_body body;
    struct directory_row row;
    bool has_state;
};

/* The row as it will be; false: refused. */
static bool
card_row(struct work *work, const struct route *known, const struct route *member)
{
    struct card_work *card = work->input;
    struct directory_row *row = &card->row;

    memcpy(row->key, known->key.ptr, directory_key_bytes);
    row->kind = KEY_CARD;
    row->owner_id = known->found ? known->owner_id : 0;
    row->member_id = known->found ? known->member_id : 0;
    row->state = known->found ? known->state : KEY_FREE;
    if (card->body.member_id) {
        if (row->member_id && row->member_id != card->body.member_id)
            return work_refuse(work, OUTCOME_CARD_TAKEN, TEXT("/number"));
        row->member_id = card->body.member_id;
        row->owner_id = member->found ? member->owner_id : card->body.member_id;
        if (row->state == KEY_FREE)
            row->state = KEY_ACTIVE;
    }
    if (card->has_state) {
        bool blocked = text_equal(card->body.state, TEXT("blocked"));
        row->state = blocked ? KEY_BLOCKED : row->member_id ? KEY_ACTIVE : KEY_FREE;
    }
    return true;
}

static enum code
card_run(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;
    struct card_work *card = work->input;
    const struct route *known = &op->route[0];
    struct directory_row *row = &card->row;

    if (!card_row(work, known, &op->route[1]))
        return OK;
    bool same = known->found && known->state == row->state && known->member_id == row->member_id;
    if (!row->member_id)
        return same ? OK : store_put_directory(tx, row, err); /* nobody's: no owner remembers it */
    struct needs needs = { .owner_id = row->owner_id };
    work->step.owner_id = row->owner_id;
    work->step.member_id = row->member_id;
    enum code rc = work_load(work, tx, &needs, err);
    if (rc)
        return rc;
    if (!work->view.owner_found) {
        work_refuse(work, OUTCOME_NOT_FOUND, TEXT("/member"));
        return OK;
    }
    if (same)
        return OK;
    rc = flow_card(&work->step, row, err);
    return rc ? rc : work_write(work, tx, err);
}

static enum code
render_card(struct work *work, struct buf *out, struct err *err)
{
    static const char *const states[] = { "free", "active", "blocked" };
    const struct card_work *card = work->input;
    struct json_writer writer;

    (void)err;
    json_write_init(&writer, out);
    json_begin_object(&writer);
    json_key(&writer, "state");
    json_string(&writer, states[card->row.state]);
    if (card->row.member_id) {
        json_key(&writer, "member");
        json_id(&writer, card->row.member_id);
    }
    json_end_object(&writer);
    return OK;
}

void
call_card(struct work *work)
{
    struct card_work *card = arena_new(work->call->arena, struct card_work);
    struct card_body *body = card ? &card->body : NULL;

    work->input = card;
    work->render = render_card;
    if (!card || !card_body_read(work->call->body, work->call->arena, body, &work->refusal) ||
        !work_programme(work, body->programme)) {
        work_done(work);
        return;
    }
    card->has_state = body->state.len > 0;
    if (card->has_state && !text_equal(body->state, TEXT("active")) &&
        !text_equal(body->state, TEXT("blocked"))) {
        work_refuse(work, OUTCOME_FIELD_RANGE, TEXT("/state"));
        work_done(work);
        return;
    }
    struct whom by_card = { .card = body->number }, by_member = { .member_id = body->member_id };
    work_route(work, &by_card);
    work_route(work, &by_member);
    work->version = programme_near(work->programme, work->now);
    work->step.plan = work->version->plan;
    work->step.op_id = work_next_id(work);
    work->op.repeatable = true;
    work_submit(work, ACCESS_WRITE, card_run);
}
