/*
 * move.c - carrying a book from one store to another while the first one goes on working.
 *
 * Owns:      passes, their steps, where a move stands (rows of the target's meta), its last minute.
 * Must not:  change the source, or know what a body means. Of rows it knows keys, an owner's
 *            version, and that the movements of an owner are numbered.
 * Invariant: see below; nothing rests on a snapshot or on the order in which ids were made.
 * Cost:      the first pass reads the source once. A later one reads owners, directory and persons
 *            of both sides, and of owners that changed what changed; claims where their number
 *            differs.
 * Tests:     tests/unit/jobs/test_move.c, tests/stories/migrate
 *
 * How changes are found. Rows of config, persons, members (some are there before an owner is) and
 * the directory: both sides are read in key order and compared. Other rows of owners: each change
 * of them advances the owner's version. The owner's row is read first and written last; so when the
 * versions of both sides are equal, and stay equal, the rows under it are equal too. Journals only
 * grow: what the target has came from the source, so equal counts mean equal rows. Where a journal
 * lies in order of arrival it is read on from an hour before the last pass began; that is a guess,
 * the counts are the proof, and when they differ in the last pass, that pass is made once more from
 * the first row of everything.
 */
#include "jobs/move_inner.h"
#include "service/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    passes_max = 12,
    small_rows = 2000, /* a pass that wrote no more is near enough to the end */
    meta_rows_max = 10000,
};

static unix_ms
now_ms(void)
{
    struct host host = host_system();

    return host.now(host.context);
}

static uint64_t
steady_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- passes ---- */

static void
next_pass(struct mover *mover)
{
    mover->pass++;
    mover->at = 0;
    mover->has_key = false;
    mover->before_ms = mover->began_ms;
    mover->began_ms = now_ms();
    mover->progress = (struct move_progress){ .what = "catch up" };
}

static enum code
total_rows(struct mover *mover, uint64_t *total, struct err *err)
{
    enum code rc = OK;

    *total = 0;
    for (unsigned table = 0; table < table_count && rc == OK; table++) {
        uint64_t count = 0;
        const struct table_facts *facts = &mover->from[table];
        bool is_under = facts->of_owner && table != TABLE_owner && table != TABLE_member;
        if (facts->is_local || (is_under && !facts->only_grows))
            continue;
        rc = move_count(mover, mover->options->from, NULL, (enum table)table, &count, err);
        *total += count;
    }
    return rc;
}

/* Copy, then catch up until little is left. */
static enum code
run_passes(struct mover *mover, struct err *err)
{
    enum code rc = OK;

    mover->progress = (struct move_progress){ .what = mover->pass == 1 ? "copy" : "catch up" };
    if (mover->pass == 1) {
        rc = total_rows(mover, &mover->progress.total, err);
        mover->progress.done = mover->done;
        if (mover->began_ms == 0)
            mover->began_ms = now_ms();
    }
    for (int i = 0; i < passes_max && rc == OK; i++) {
        bool was_copy = mover->pass == 1;
        rc = move_pass(mover, err);
        if (rc == OK)
            next_pass(mover);
        if (rc == OK && !was_copy && mover->wrote <= small_rows)
            break;
    }
    return rc;
}

/* ---- the last minute ---- */

/*
 * Rows of meta that are the book's and not its place's: up to where ids were made, the key's
 * fingerprint, how far persons were swept. Ids of the target begin above those of the source,
 * whatever its clock says.
 */
static bool
goes_along(struct text name)
{
    return text_starts(name, TEXT("node:")) || text_equal(name, TEXT("master_key")) ||
           text_equal(name, TEXT("persons_swept"));
}

static enum code
read_meta(struct mover *mover, struct tx *tx, struct err *err)
{
    struct row *row;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_meta, NULL, meta_rows_max, &mover->meta_arena, &row,
                              &count, err);

    mover->meta = row;
    mover->meta_count = 0;
    for (uint32_t i = 0; rc == OK && i < count; i++)
        if (goes_along(row[i].cell[COL(meta, name)].text))
            row[mover->meta_count++] = row[i];
    return rc;
}

static enum code
finish_run(struct tx *tx, struct op *op, struct err *err)
{
    struct mover *mover = op->context;
    struct text from = text_of(store_identity(mover->options->from)), mark;
    bool found = true;

    enum code rc = meta_put(tx, MOVED_FROM, from, err);
    if (rc == OK)
        rc = meta_get(tx, MOVE_MARK, &mover->arena, &mark, &found, err);
    if (!found) /* done by a run whose answer was lost */
        return rc;
    for (uint32_t i = 0; i < mover->meta_count && rc == OK; i++)
        rc = store_put(tx, TABLE_meta, &mover->meta[i], err);
    if (rc == OK)
        rc = move_still_mine(mover, tx, err);
    if (rc == OK)
        rc = meta_drop(tx, MOVE_BY, err);
    if (rc == OK)
        rc = meta_drop(tx, MOVE_AT, err);
    return rc ? rc : meta_drop(tx, MOVE_MARK, err);
}

static enum code
all_counts_agree(struct mover *mover, const char **differs, struct err *err)
{
    enum code rc = OK;

    *differs = NULL;
    for (unsigned table = 0; table < table_count && rc == OK && *differs == NULL; table++) {
        bool agree = true;
        if (!mover->from[table].is_local)
            rc = move_counts_agree(mover, (enum table)table, &agree, err);
        if (!agree)
            *differs = mover->from[table].name;
    }
    return rc;
}

/* A pass over everything, with the source's writers kept out; once more where a guess was wrong. */
static enum code
last_pass(struct mover *mover, struct err *err)
{
    const char *differs;
    enum code rc = OK;

    for (int deep = 0; deep < 2 && rc == OK; deep++) {
        mover->is_deep = deep;
        mover->at = 0;
        mover->has_key = false;
        rc = move_pass(mover, err);
        if (rc == OK)
            rc = all_counts_agree(mover, &differs, err);
        if (rc == OK && differs == NULL)
            return OK;
    }
    return rc ? rc
              : err_set(err, CODE_CORRUPT,
                        "source and target have not as many rows in '%s' / "
                        "в '%s' у источника и приёмника разное число строк",
                        differs, differs);
}

static enum code
last_run(struct tx *tx, struct op *op, struct err *err)
{
    struct mover *mover = op->context;
    uint64_t count, began = steady_ms();

    enum code rc = store_freeze(tx, err);
    if (rc)
        return rc;
    mover->is_last = true;
    mover->source.tx = mover->source_owner.tx = tx;
    mover->progress = (struct move_progress){ .what = "last pass" };
    rc = last_pass(mover, err);
    if (rc == OK && mover->options->compare != NULL)
        rc = mover->options->compare(mover->options->context, err);
    if (rc == OK) /* the lock has held until here, or this fails */
        rc = store_count(tx, TABLE_tenant, &count, err);
    if (rc == OK)
        rc = read_meta(mover, tx, err);
    mover->source.tx = mover->source_owner.tx = NULL;
    if (rc == OK)
        rc = move_write_target(mover, finish_run, err);
    mover->result->stop_ms = steady_ms() - began;
    mover->result->finished = rc == OK;
    return rc;
}

static enum code
finish(struct mover *mover, struct err *err)
{
    struct arena arena;
    struct op op = { .access = ACCESS_WRITE, .arena = &arena, .run = last_run, .context = mover };

    arena_init(&arena, heap_source(), 64 << 10, 1 << 30);
    enum code rc = run_patiently(mover->options->from, &op, err);
    arena_release(&arena);
    return rc;
}

/* Whoever waited for the source to be free again has had a moment to write it. */
static enum code
look_back(struct mover *mover, struct err *err)
{
    static const struct timespec moment = { 0, 500 * 1000 * 1000 };

    mover->progress = (struct move_progress){ .what = "look back" };
    if (mover->options->progress != NULL)
        mover->options->progress(mover->options->context, &mover->progress);
    nanosleep(&moment, NULL);
    return all_counts_agree(mover, &mover->result->written_after, err);
}

/* ---- beginning, or going on ---- */

static enum code
is_empty(struct mover *mover, struct tx *tx, const char **holds, struct err *err)
{
    struct row *row;
    uint32_t count = 0;
    enum code rc = OK;

    *holds = NULL;
    for (unsigned table = 0; table < table_count && rc == OK && *holds == NULL; table++) {
        if (mover->to[table].is_local)
            continue;
        rc = store_list(tx, (enum table)table, NULL, 1, &mover->arena, &row, &count, err);
        if (rc == OK && count > 0)
            *holds = mover->to[table].name;
    }
    return rc;
}

static enum code
refuse_full(struct mover *mover, struct tx *tx, const char *holds, struct err *err)
{
    struct text from;
    bool moved;

    enum code rc = meta_get(tx, MOVED_FROM, &mover->arena, &from, &moved, err);
    if (rc)
        return rc;
    if (moved)
        return err_set(err, CODE_CONFLICT,
                       "the target is a whole book, moved from %.*s: there is nothing to do / "
                       "приёмник - уже готовая книга, перенесённая из %.*s",
                       (int)from.len, from.ptr, (int)from.len, from.ptr);
    return err_set(
        err, CODE_CONFLICT,
        "the target is not empty (it has rows in '%s'): a book is moved into a new "
        "place only / приёмник не пуст (строки в '%s'): книга переносится только на новое "
        "место",
        holds, holds);
}

/* Take the move on, when it is this one. */
static enum code
begin_run(struct tx *tx, struct op *op, struct err *err)
{
    struct mover *mover = op->context;
    struct text identity = text_of(store_identity(mover->options->from)), mark, at;
    const char *holds;
    bool found, has_position;

    enum code rc = meta_get(tx, MOVE_MARK, &mover->arena, &mark, &found, err);
    if (rc == OK && found && !text_equal(mark, identity))
        rc = err_set(err, CODE_CONFLICT,
                     "the target is half moved from another source, %.*s / "
                     "в приёмнике незаконченный перенос из другого источника, %.*s",
                     (int)mark.len, mark.ptr, (int)mark.len, mark.ptr);
    if (rc == OK && !found) {
        rc = is_empty(mover, tx, &holds, err);
        if (rc == OK && holds != NULL)
            rc = refuse_full(mover, tx, holds, err);
    }
    if (rc == OK)
        rc = meta_put(tx, MOVE_MARK, identity, err);
    if (rc == OK)
        rc = meta_put(tx, MOVE_BY, text_of(mover->run_id), err);
    if (rc == OK)
        rc = meta_get(tx, MOVE_AT, &mover->arena, &at, &has_position, err);
    if (rc == OK)
        rc = move_read_position(mover, has_position ? at : TEXT(POSITION_FIRST), err);
    mover->result->resumed = found;
    return rc;
}

static enum code
source_run(struct tx *tx, struct op *op, struct err *err)
{
    struct mover *mover = op->context;
    struct text mark;
    bool found;

    enum code rc = meta_get(tx, MOVE_MARK, &mover->arena, &mark, &found, err);
    if (rc == OK && found)
        rc = err_set(err, CODE_CONFLICT,
                     "the source is half moved itself / "
                     "источник сам перенесён не до конца");
    return rc;
}

static enum code
begin(struct mover *mover, struct err *err)
{
    struct op look = {
        .access = ACCESS_READ, .arena = &mover->arena, .run = source_run, .context = mover
    };
    struct op op = {
        .access = ACCESS_WRITE,
        .arena = &mover->arena,
        .run = begin_run,
        .context = mover,
        .repeatable = true,
    };

    enum code rc = run_patiently(mover->options->from, &look, err);
    return rc ? rc : run_patiently(mover->options->to, &op, err);
}

static enum code
init(struct mover *mover, const struct move_options *options, struct move_result *result,
     struct err *err)
{
    unsigned char random[run_id_bytes];
    struct host host = host_system();

    *mover = (struct mover){ .options = options, .result = result };
    for (unsigned table = 0; table < table_count; table++) {
        store_table(options->from, (enum table)table, &mover->from[table]);
        store_table(options->to, (enum table)table, &mover->to[table]);
    }
    move_plan_steps(mover);
    host.random(host.context, random, sizeof random);
    hex_encode(random, sizeof random, mover->run_id);
    arena_init(&mover->arena, heap_source(), 64 << 10, 1 << 30);
    arena_init(&mover->meta_arena, heap_source(), 4096, 16 << 20);
    for (int i = 0; i < 2; i++)
        arena_init(&mover->key_arena[i], heap_source(), 4096, 1 << 20);
    scan_init(&mover->source, options->from);
    scan_init(&mover->source_owner, options->from);
    scan_init(&mover->target, options->to);
    scan_init(&mover->target_owner, options->to);
    return outbox_init(&mover->outbox, err);
}

static void
release(struct mover *mover)
{
    scan_release(&mover->source);
    scan_release(&mover->source_owner);
    scan_release(&mover->target);
    scan_release(&mover->target_owner);
    for (int i = 0; i < 2; i++)
        arena_release(&mover->key_arena[i]);
    arena_release(&mover->meta_arena);
    arena_release(&mover->arena);
}

enum code
move_run(const struct move_options *options, struct move_result *result, struct err *err)
{
    struct mover *mover = calloc(1, sizeof *mover);

    *result = (struct move_result){ 0 };
    if (mover == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for a move");
    if (strcmp(store_identity(options->from), store_identity(options->to)) == 0) {
        free(mover);
        return err_set(err, CODE_CONFLICT,
                       "source and target are the same book / "
                       "источник и приёмник - одна и та же книга");
    }
    enum code rc = init(mover, options, result, err);
    if (rc == OK) {
        rc = begin(mover, err);
        if (rc == OK)
            rc = run_passes(mover, err);
        if (rc == OK && options->finish)
            rc = finish(mover, err);
        if (rc == OK && options->finish)
            rc = look_back(mover, err);
        outbox_release(&mover->outbox);
    }
    release(mover);
    free(mover);
    return rc;
}
