/*
 * move_pass.c - a pass of a move: everything that differs between source and target is written.
 *
 * Owns:      how each kind of table is gone through.
 * Must not:  know when passes are made (move.c).
 * Invariant: an owner's row is read before what lies under it and written after it. Rows of persons
 *            and of owners never share a transaction: each step ends with one.
 * Cost:      see move.c.
 * Tests:     tests/unit/jobs/test_move.c, tests/stories/migrate
 */
#include "jobs/move_inner.h"

#include <stdlib.h>

enum {
    owners_per_group = 200, /* new owners whose rows are read together */
    id_time_shift = 22,     /* ids: milliseconds above node and sequence */
};
#define ID_EPOCH_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */
#define LATE_MS_MAX INT64_C(3600000)

static void
tell(struct mover *mover, uint64_t more)
{
    mover->done += more;
    mover->progress.done += more;
    if (mover->options->progress != NULL)
        mover->options->progress(mover->options->context, &mover->progress);
}

/* ---- writing ---- */

/* Nobody else has taken the move over since. After a write to meta, which is the lock. */
enum code
move_still_mine(struct mover *mover, struct tx *tx, struct err *err)
{
    struct text by;
    bool found;

    enum code rc = meta_get(tx, MOVE_BY, &mover->arena, &by, &found, err);
    if (rc == OK && !text_equal(by, text_of(mover->run_id)))
        rc = err_set(err, CODE_CONFLICT,
                     "another `kopilka migrate` has gone on with this move / "
                     "перенос продолжил другой `kopilka migrate`");
    return rc;
}

static enum code
flush_run(struct tx *tx, struct op *op, struct err *err)
{
    struct mover *mover = op->context;
    char position[position_text_max * 2];
    struct buf buf;
    enum code rc;

    buf_init_fixed(&buf, position, sizeof position);
    move_write_position(mover, &buf);
    assert(!buf.failed);
    struct text source = text_of(store_identity(mover->options->from));
    rc = mover->is_last ? meta_put(tx, MOVE_MARK, source, err)
                        : meta_put(tx, MOVE_AT, buf_text(&buf), err);
    if (rc == OK)
        rc = move_still_mine(mover, tx, err);
    return rc ? rc : outbox_write(&mover->outbox, tx, err);
}

enum code
move_write_target(struct mover *mover,
                  enum code (*run)(struct tx *tx, struct op *op, struct err *err), struct err *err)
{
    struct op op = {
        .access = ACCESS_WRITE,
        .arena = &mover->arena,
        .run = run,
        .context = mover,
        .repeatable = true,
    };

    arena_reset(&mover->arena);
    enum code rc = run_patiently(mover->options->to, &op, err);
    return rc ? err_wrap(err, "writing the target") : OK;
}

static enum code
flush(struct mover *mover, struct err *err)
{
    enum code rc = move_write_target(mover, flush_run, err);

    mover->wrote += mover->outbox.count;
    outbox_clear(&mover->outbox);
    return rc;
}

static enum code
add(struct mover *mover, enum table table, const struct row *row, bool drop, struct err *err)
{
    enum code rc = outbox_is_full(&mover->outbox) ? flush(mover, err) : OK;

    return rc ? rc : outbox_add(&mover->outbox, &mover->from[table], table, row, drop, err);
}

/* ---- both sides in key order ---- */

static enum code
not_a_copy(const struct table_facts *facts, struct err *err)
{
    return err_set(err, CODE_CONFLICT,
                   "'%s' of the target has a row that the source has not, or has changed: it is no "
                   "copy of this source / в приёмнике есть строка '%s', которой нет в источнике",
                   facts->name, facts->name);
}

/* What one place in the order of both sides asks for. */
static enum code
merge_one(struct mover *mover, enum table table, const struct row *source, const struct row *target,
          int order, struct err *err)
{
    const struct table_facts *facts = &mover->from[table];

    if (order < 0)
        return add(mover, table, source, false, err);
    if (order > 0)
        return facts->can_shrink ? add(mover, table, target, true, err) : not_a_copy(facts, err);
    if (store_is_same(facts, source, target))
        return OK;
    return facts->only_grows ? not_a_copy(facts, err) : add(mover, table, source, false, err);
}

/* The next rows of two sorted scans, both NULL at the end; *order < 0: `a` comes first. */
static enum code
peek_both(struct scan *source, struct scan *target, const struct row **a, const struct row **b,
          int *order, struct err *err)
{
    enum code rc = scan_peek(source, a, err);

    *b = NULL;
    if (rc == OK)
        rc = scan_peek(target, b, err);
    if (rc == OK && (*a != NULL || *b != NULL))
        *order = *a == NULL ? 1 : *b == NULL ? -1 : store_compare(&source->facts, *a, *b);
    return rc;
}

/* Make the target's rows of mover->target what those of mover->source are. */
static enum code
merge(struct mover *mover, enum table table, bool is_step, struct err *err)
{
    struct scan *source = &mover->source, *target = &mover->target;
    const struct row *a, *b;
    enum code rc;
    int order = 0;

    for (;;) {
        rc = peek_both(source, target, &a, &b, &order, err);
        if (rc || (a == NULL && b == NULL))
            return rc;
        rc = merge_one(mover, table, a, b, order, err);
        if (rc == OK && is_step)
            rc = move_pass_key(mover, order <= 0 ? a : b, err);
        if (rc)
            return rc;
        tell(mover, is_step && order <= 0);
        if (order <= 0)
            scan_next(source);
        if (order >= 0)
            scan_next(target);
    }
}

static enum code
merge_table(struct mover *mover, enum table table, const struct row *after, struct err *err)
{
    scan_begin(&mover->source, table, after);
    scan_begin(&mover->target, table, after);
    return merge(mover, table, true, err);
}

/* ---- counts ---- */

struct counting {
    enum table table;
    uint64_t count;
};

static enum code
count_run(struct tx *tx, struct op *op, struct err *err)
{
    struct counting *counting = op->context;

    return store_count(tx, counting->table, &counting->count, err);
}

enum code
move_count(struct mover *mover, struct store *store, struct tx *tx, enum table table,
           uint64_t *count, struct err *err)
{
    struct counting counting = { .table = table };
    struct op op = {
        .access = ACCESS_READ, .arena = &mover->arena, .run = count_run, .context = &counting
    };

    if (tx != NULL)
        return store_count(tx, table, count, err);
    arena_reset(&mover->arena);
    enum code rc = run_patiently(store, &op, err);
    *count = counting.count;
    return rc;
}

/* Has the target as many rows as the source? */
enum code
move_counts_agree(struct mover *mover, enum table table, bool *agree, struct err *err)
{
    uint64_t source, target;

    enum code rc = move_count(mover, mover->options->from, mover->source.tx, table, &source, err);
    if (rc == OK)
        rc = move_count(mover, mover->options->to, NULL, table, &target, err);
    *agree = rc == OK && source == target;
    return rc;
}

/* ---- journals ---- */

/* All rows of mover->source; what is there already stays as it is. */
static enum code
pour(struct mover *mover, enum table table, bool is_step, struct err *err)
{
    const struct row *row;
    enum code rc;

    while ((rc = scan_peek(&mover->source, &row, err)) == OK && row != NULL) {
        rc = add(mover, table, row, false, err);
        if (rc == OK && is_step)
            rc = move_pass_key(mover, row, err);
        if (rc)
            return rc;
        tell(mover, 1);
        scan_next(&mover->source);
    }
    return rc;
}

/* The least id that can have been made an hour before the pass before this one began. */
static int64_t
since(const struct mover *mover)
{
    int64_t ms = mover->before_ms - ID_EPOCH_MS - LATE_MS_MAX;

    return mover->pass == 1 || mover->is_deep || ms <= 0 ? INT64_MIN : ms << id_time_shift;
}

static enum code
step_arrivals(struct mover *mover, enum table table, const struct row *after, struct err *err)
{
    struct row from = { .cell = { { 0 } } };
    bool agree = false;
    enum code rc = OK;

    if (mover->pass > 1 && !mover->is_deep)
        rc = move_counts_agree(mover, table, &agree, err);
    if (rc || agree)
        return rc;
    from.cell[mover->from[table].key[0]].number = since(mover);
    scan_begin(&mover->source, table, after != NULL ? after : &from);
    return pour(mover, table, true, err);
}

static enum code
step_journal(struct mover *mover, enum table table, const struct row *after, struct err *err)
{
    bool agree = false;
    enum code rc = OK;

    if (mover->pass == 1 && !mover->is_last) {
        scan_begin(&mover->source, table, after);
        return pour(mover, table, true, err);
    }
    if (!mover->is_deep)
        rc = move_counts_agree(mover, table, &agree, err);
    if (rc || agree)
        return rc;
    return merge_table(mover, table, after, err);
}

/* ---- owners ---- */

/* The rows under owners `first` to `last`. `target`: the row of a single owner that is there. */
static enum code
under_owners(struct mover *mover, int64_t first, int64_t last, const struct row *target,
             struct err *err)
{
    enum code rc = OK;

    for (unsigned i = 0; i < table_count && rc == OK; i++) {
        enum table table = (enum table)i;
        const struct table_facts *facts = &mover->from[i];
        int64_t after = INT64_MIN;
        if (!facts->of_owner || facts->by_arrival || table == TABLE_owner || table == TABLE_member)
            continue;
        if (target != NULL && table == TABLE_movement && !mover->is_deep)
            after = target->cell[COL(owner, last_movement)].number;
        if (target != NULL && table == TABLE_receipt)
            after = since(mover);
        scan_begin_owners(&mover->source, table, first, last, after);
        if (facts->only_grows) {
            rc = pour(mover, table, false, err);
            continue;
        }
        scan_begin_owners(&mover->target, table, first, last, after);
        rc = merge(mover, table, false, err);
    }
    return rc;
}

/* New owners: first what lies under them, then they. */
struct group {
    struct row owner[owners_per_group];
    struct arena arena;
    uint32_t count;
};

static enum code
write_group(struct mover *mover, struct group *group, struct err *err)
{
    if (group->count == 0)
        return OK;
    const struct row *last = &group->owner[group->count - 1];
    enum code rc = under_owners(mover, group->owner[0].cell[0].number, last->cell[0].number, NULL,
                                err);
    for (uint32_t i = 0; i < group->count && rc == OK; i++)
        rc = add(mover, TABLE_owner, &group->owner[i], false, err);
    if (rc == OK)
        rc = move_pass_key(mover, last, err);
    group->count = 0;
    arena_reset(&group->arena);
    return rc;
}

static enum code
add_to_group(struct mover *mover, struct group *group, const struct row *owner, struct err *err)
{
    const struct table_facts *facts = &mover->from[TABLE_owner];
    struct row *mine = &group->owner[group->count++];

    *mine = *owner;
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (facts->is_number[i] || owner->cell[i].text.len == 0)
            continue;
        mine->cell[i].text = text_copy(&group->arena, owner->cell[i].text);
        if (mine->cell[i].text.ptr == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for owners");
    }
    return group->count == owners_per_group ? write_group(mover, group, err) : OK;
}

/* An owner that is on both sides. */
static enum code
same_owner(struct mover *mover, const struct row *source, const struct row *target, struct err *err)
{
    int64_t owner_id = source->cell[COL(owner, owner_id)].number;

    if (!mover->is_deep && store_is_same(&mover->from[TABLE_owner], source, target))
        return OK;
    enum code rc = under_owners(mover, owner_id, owner_id, target, err);
    return rc ? rc : add(mover, TABLE_owner, source, false, err);
}

static enum code
go_through_owners(struct mover *mover, struct group *group, struct err *err)
{
    struct scan *source = &mover->source_owner, *target = &mover->target_owner;
    const struct row *a, *b;
    enum code rc;
    int order = 0;

    for (;;) {
        rc = peek_both(source, target, &a, &b, &order, err);
        if (rc || (a == NULL && b == NULL))
            return rc ? rc : write_group(mover, group, err);
        if (order > 0)
            return not_a_copy(&source->facts, err);
        if (order < 0) {
            rc = add_to_group(mover, group, a, err);
        } else {
            rc = write_group(mover, group, err);
            if (rc == OK)
                rc = same_owner(mover, a, b, err);
            if (rc == OK)
                rc = move_pass_key(mover, a, err);
            scan_next(target);
        }
        if (rc)
            return rc;
        tell(mover, 1);
        scan_next(source);
    }
}

static enum code
step_owners(struct mover *mover, const struct row *after, struct err *err)
{
    struct group *group = calloc(1, sizeof *group);

    if (group == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for owners");
    arena_init(&group->arena, heap_source(), 64 << 10, 1 << 30);
    scan_begin(&mover->source_owner, TABLE_owner, after);
    scan_begin(&mover->target_owner, TABLE_owner, after);
    enum code rc = go_through_owners(mover, group, err);
    arena_release(&group->arena);
    free(group);
    return rc;
}

/* ---- a pass ---- */

void
move_plan_steps(struct mover *mover)
{
    static const enum step_kind order[] = { STEP_MERGE, STEP_OWNERS, STEP_ARRIVALS, STEP_JOURNAL };

    for (size_t kind = 0; kind < KOP_COUNT(order); kind++) {
        for (unsigned table = 0; table < table_count; table++) {
            const struct table_facts *facts = &mover->from[table];
            bool wanted;
            if (order[kind] == STEP_OWNERS)
                wanted = table == TABLE_owner;
            else if (order[kind] == STEP_ARRIVALS)
                wanted = facts->of_owner && facts->by_arrival;
            else
                wanted = (!facts->of_owner || table == TABLE_member) &&
                         facts->only_grows == (order[kind] == STEP_JOURNAL);
            if (wanted && !facts->is_local)
                mover->step[mover->step_count++] = (struct step){ order[kind], (enum table)table };
        }
    }
}

static enum code
run_step(struct mover *mover, struct err *err)
{
    const struct step *step = &mover->step[mover->at];
    struct row after = mover->key; /* its text lies in key_arena until it is passed twice */
    const struct row *from = mover->has_key ? &after : NULL;
    enum code rc = OK;

    switch (step->kind) {
    case STEP_MERGE:
        rc = merge_table(mover, step->table, from, err);
        break;
    case STEP_OWNERS:
        rc = step_owners(mover, from, err);
        break;
    case STEP_ARRIVALS:
        rc = step_arrivals(mover, step->table, from, err);
        break;
    case STEP_JOURNAL:
        rc = step_journal(mover, step->table, from, err);
        break;
    }
    return rc;
}

/* From where it stands to the end. Rows of persons and of owners never share a transaction. */
enum code
move_pass(struct mover *mover, struct err *err)
{
    enum code rc = OK;

    mover->wrote = 0;
    while (mover->at < mover->step_count && rc == OK) {
        rc = run_step(mover, err);
        if (rc == OK && (mover->outbox.count > 0 || !mover->is_last))
            rc = flush(mover, err);
        mover->at++;
        mover->has_key = false;
    }
    outbox_clear(&mover->outbox);
    mover->result->passes++;
    mover->result->written += mover->wrote;
    mover->result->last_pass = mover->wrote;
    return rc;
}
