/*
 * sweep.c - persons that nobody names: what an enrolment leaves that breaks off in the middle.
 *
 * Owns:      finding such persons and deleting them. Personal data without a member are kept
 *            without ground.
 * Must not:  delete a person that a member names, or will: an enrolment may still be on its way,
 *            on another server, behind a clock that is wrong. So the sweep does not trust time. A
 *            person has the id of the owner for whom it was written; before it is deleted, that
 *            owner is barred (a member row of nobody's), and an enrolment that comes afterwards
 *            meets the row and is given up as a whole. Either the bar is first or the member.
 * Invariant: bar and deletion are operations of their own (owner and person may lie apart). Between
 *            them nothing is lost: the person is there, unnamed, and the next run finds it again.
 * Cost:      persons are looked at once in their lives, in pages, beside the members of the same
 *            ids; the row `persons_swept` of table meta says how far.
 * Limits:    not found is the person of a server whose clock was more than a day slow. Should a
 *            member of another owner ever name a person (a pool), the member for whom it was
 *            written must go on naming it.
 * Tests:     tests/unit/service/test_sweep.c, tests/stories/orphans, tests/contract/
 */
#include "service/internal.h"

#include <string.h>

enum {
    persons_per_slice = 256,
    slices_per_mark = 2048, /* so that a long first run that is cut does not begin anew */
};

static const struct text mark_name = { "persons_swept", 13 };

/* Persons, by id; which of them a member was found to name. */
struct persons {
    uint32_t count;
    uint64_t id[persons_per_slice];
    bool named[persons_per_slice];
};

struct sweep {
    struct service *service;
    struct arena arena;
    uint64_t upto;            /* persons with this id and above are too young */
    uint64_t mark;            /* as meta has it: those up to here are named */
    uint64_t seen;            /* those up to here were looked at */
    bool more;                /* persons are left */
    struct persons slice;
    uint64_t after_owner, after_member; /* the member read last */
    uint64_t last_owner;      /* members of owners up to this one are read */
    uint64_t person_id;       /* of forget() */
    bool named, gone;
    uint64_t swept;
};

static enum code
run(struct sweep *sweep, enum access access,
    enum code (*step)(struct tx *tx, struct op *op, struct err *err), struct err *err)
{
    struct op op = {
        .access = access,
        .repeatable = true,
        .priority = PRIORITY_LOW,
        .arena = &sweep->arena,
        .run = step,
        .context = sweep,
    };

    arena_reset(&sweep->arena);
    return store_run(sweep->service->store, &op, err);
}

/* ---- how far the sweep is ---- */

static enum code
read_mark(struct tx *tx, struct op *op, uint64_t *mark, struct err *err)
{
    struct row key = { .cell[0].text = mark_name }, row;
    bool found;
    enum code rc = store_get(tx, TABLE_meta, &key, op->arena, &row, &found, err);

    *mark = 0;
    if (!rc && found && !text_to_u64(row.cell[1].text, mark))
        return err_set(err, CODE_CORRUPT, "the sweep's mark is no number");
    return rc;
}

static enum code
begin_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;

    return read_mark(tx, op, &sweep->mark, err);
}

/* Other servers sweep as well: the mark only rises. */
static enum code
mark_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;
    struct row row = { .cell[0].text = mark_name };
    struct buf value;
    uint64_t mark;
    enum code rc = read_mark(tx, op, &mark, err);

    if (rc || mark >= sweep->seen)
        return rc;
    buf_init(&value, op->arena, 24);
    buf_add_u64(&value, sweep->seen);
    if (value.failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for the sweep's mark");
    row.cell[1].text = buf_text(&value);
    return store_put(tx, TABLE_meta, &row, err);
}

/* ---- who is named ---- */

static enum code
persons_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;
    struct persons *slice = &sweep->slice;
    struct row after = { .cell[0].number = (int64_t)sweep->seen }, *rows;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_person, &after, persons_per_slice, op->arena, &rows, &count,
                              err);

    if (rc)
        return rc;
    slice->count = 0;
    for (uint32_t i = 0; i < count && (uint64_t)rows[i].cell[0].number < sweep->upto; i++)
        slice->id[slice->count++] = (uint64_t)rows[i].cell[0].number;
    memset(slice->named, 0, slice->count * sizeof(*slice->named));
    sweep->more = slice->count == persons_per_slice;
    return OK;
}

static void
note_named(struct persons *persons, uint64_t person_id)
{
    uint32_t low = 0, high = persons->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (persons->id[middle] < person_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < persons->count && persons->id[low] == person_id)
        persons->named[low] = true;
}

static enum code
members_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;
    struct row after = { .cell = { { .number = (int64_t)sweep->after_owner },
                                   { .number = (int64_t)sweep->after_member } } };
    struct row *rows;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_member, &after, page_rows_max, op->arena, &rows, &count,
                              err);

    for (uint32_t i = 0; !rc && i < count; i++)
        note_named(&sweep->slice, (uint64_t)rows[i].cell[2].number);
    sweep->more = !rc && count == page_rows_max;
    if (sweep->more) {
        sweep->after_owner = (uint64_t)rows[count - 1].cell[0].number;
        sweep->after_member = (uint64_t)rows[count - 1].cell[1].number;
        sweep->more = sweep->after_owner <= sweep->last_owner;
    }
    return rc;
}

/* Which persons of the slice do members of the owners with these ids name? */
static enum code
look_for_members(struct sweep *sweep, struct err *err)
{
    enum code rc = OK;

    sweep->after_owner = sweep->slice.id[0] - 1;
    sweep->after_member = INT64_MAX;
    sweep->last_owner = sweep->slice.id[sweep->slice.count - 1];
    for (bool more = true; more && !rc; more = sweep->more)
        rc = run(sweep, ACCESS_READ, members_run, err);
    return rc;
}

/* ---- a person that nobody names ---- */

static enum code
bar_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;
    struct member_row *member;
    uint32_t count;
    enum code rc = store_list_members(tx, sweep->person_id, op->arena, &member, &count, err);

    sweep->named = false;
    for (uint32_t i = 0; !rc && i < count; i++)
        sweep->named = sweep->named || member[i].person_id == sweep->person_id;
    if (rc || count > 0) /* enrolled meanwhile, or barred by a run before this one */
        return rc;
    return store_bar_member(tx, sweep->person_id, err);
}

static enum code
delete_run(struct tx *tx, struct op *op, struct err *err)
{
    struct sweep *sweep = op->context;
    struct row key = { .cell[0].number = (int64_t)sweep->person_id }, row;
    enum code rc = store_get(tx, TABLE_person, &key, op->arena, &row, &sweep->gone, err);

    return rc || !sweep->gone ? rc : store_delete(tx, TABLE_person, &key, err);
}

static enum code
forget(struct sweep *sweep, uint64_t person_id, struct err *err)
{
    sweep->person_id = person_id;
    enum code rc = run(sweep, ACCESS_WRITE, bar_run, err);
    if (rc || sweep->named)
        return rc;
    rc = run(sweep, ACCESS_WRITE, delete_run, err);
    if (!rc && sweep->gone) {
        sweep->swept++;
        atomic_fetch_add(&sweep->service->swept, 1);
    }
    return rc;
}

static enum code
sweep_slice(struct sweep *sweep, bool *more, struct err *err)
{
    struct persons *slice = &sweep->slice;
    enum code rc = run(sweep, ACCESS_READ, persons_run, err);

    *more = sweep->more;
    if (rc || slice->count == 0)
        return rc;
    rc = look_for_members(sweep, err);
    for (uint32_t i = 0; !rc && i < slice->count; i++)
        if (!slice->named[i])
            rc = forget(sweep, slice->id[i], err);
    sweep->seen = slice->id[slice->count - 1];
    return rc;
}

/* All persons seen so far are named. */
static enum code
put_mark(struct sweep *sweep, struct err *err)
{
    if (sweep->seen == sweep->mark)
        return OK;
    sweep->mark = sweep->seen;
    return run(sweep, ACCESS_WRITE, mark_run, err);
}

enum code
sweep_persons(struct service *service, unix_ms before, uint64_t *swept, struct err *err)
{
    struct arena memory;
    bool more = true;

    arena_init(&memory, heap_source(), sizeof(struct sweep), 1 << 18);
    struct sweep *sweep = arena_new(&memory, struct sweep);
    if (!sweep)
        return err_set(err, CODE_NO_MEMORY, "no memory to sweep persons");
    sweep->service = service;
    sweep->upto = ids_from(before);
    arena_init(&sweep->arena, heap_source(), 1 << 16, request_arena_bytes_max);
    enum code rc = run(sweep, ACCESS_READ, begin_run, err);
    sweep->seen = sweep->mark;
    for (uint32_t slices = 1; more && !rc; slices++) {
        rc = sweep_slice(sweep, &more, err);
        if (!rc && (!more || slices % slices_per_mark == 0))
            rc = put_mark(sweep, err);
    }
    *swept += sweep->swept;
    arena_release(&sweep->arena);
    arena_release(&memory);
    return rc;
}
