/*
 * move_rows.c - rows in and rows out for a move.
 *
 * Owns:      pages and slices: how many rows at once.
 * Must not:  decide which rows go where (move.c).
 * Invariant: a slice is one transaction of the target, in the order in which its rows were added.
 *            A page is one transaction of the source, so a server there is never kept waiting.
 * Cost:      memory of two pages a scan and of one slice.
 * Tests:     tests/unit/jobs/test_move.c, tests/stories/migrate
 */
#include "jobs/move_rows.h"

#include "base/mem.h"

#include <stdlib.h>
#include <time.h>

enum {
    page_rows = 500,
    arena_block_bytes = 256 << 10,
    arena_bytes_max = 1 << 30,
    busy_tries = 600,
    busy_pause_ns = 20 * 1000 * 1000,
};

enum code
run_patiently(struct store *store, struct op *op, struct err *err)
{
    static const struct timespec pause = { 0, busy_pause_ns };
    enum code rc = store_run(store, op, err);

    for (int i = 0; rc == CODE_BUSY && i < busy_tries; i++) {
        nanosleep(&pause, NULL);
        rc = store_run(store, op, err);
    }
    return rc;
}

/* ---- reading ---- */

void
scan_init(struct scan *scan, struct store *store)
{
    *scan = (struct scan){ .store = store, .ended = true };
    for (int i = 0; i < 2; i++)
        arena_init(&scan->arena[i], heap_source(), arena_block_bytes, arena_bytes_max);
}

void
scan_release(struct scan *scan)
{
    for (int i = 0; i < 2; i++)
        arena_release(&scan->arena[i]);
}

void
scan_begin(struct scan *scan, enum table table, const struct row *after)
{
    scan->table = table;
    store_table(scan->store, table, &scan->facts);
    scan->count = scan->at = 0;
    scan->ended = scan->is_bounded = false;
    scan->has_after = after != NULL;
    if (after != NULL)
        scan->after = *after;
}

void
scan_begin_owners(struct scan *scan, enum table table, int64_t first, int64_t last,
                  int64_t after_no)
{
    struct row after = { .cell = { { .number = first }, { .number = after_no } } };

    for (uint32_t i = 2; i < columns_per_table_max; i++)
        after.cell[i].number = INT64_MIN;
    scan_begin(scan, table, &after);
    scan->is_bounded = true;
    scan->owner_last = last;
}

void
scan_begin_nothing(struct scan *scan)
{
    scan->count = scan->at = 0;
    scan->ended = true;
}

static enum code
page_run(struct tx *tx, struct op *op, struct err *err)
{
    struct scan *scan = op->context;

    return store_list(tx, scan->table, scan->has_after ? &scan->after : NULL, page_rows, op->arena,
                      &scan->row, &scan->count, err);
}

static enum code
read_page(struct scan *scan, struct err *err)
{
    struct arena *arena = &scan->arena[scan->which ^= 1];
    struct op op = { .access = ACCESS_READ, .arena = arena, .run = page_run, .context = scan };
    enum code rc;

    arena_reset(arena);
    scan->at = scan->count = 0;
    if (scan->tx != NULL)
        rc = store_list(scan->tx, scan->table, scan->has_after ? &scan->after : NULL, page_rows,
                        arena, &scan->row, &scan->count, err);
    else
        rc = run_patiently(scan->store, &op, err);
    if (rc)
        return err_wrap(err, "reading '%s'", scan->facts.name);
    scan->ended = scan->count < page_rows;
    if (scan->count > 0) {
        scan->after = scan->row[scan->count - 1];
        scan->has_after = true;
    }
    return OK;
}

enum code
scan_peek(struct scan *scan, const struct row **row, struct err *err)
{
    if (scan->at == scan->count && !scan->ended) {
        enum code rc = read_page(scan, err);
        if (rc)
            return rc;
    }
    *row = scan->at < scan->count ? &scan->row[scan->at] : NULL;
    if (*row != NULL && scan->is_bounded && (*row)->cell[0].number > scan->owner_last) {
        *row = NULL;
        scan_begin_nothing(scan);
    }
    return OK;
}

void
scan_next(struct scan *scan)
{
    assert(scan->at < scan->count);
    scan->at++;
}

/* ---- writing ---- */

enum code
outbox_init(struct outbox *outbox, struct err *err)
{
    *outbox = (struct outbox){ .count = 0 };
    arena_init(&outbox->arena, heap_source(), arena_block_bytes, arena_bytes_max);
    outbox->row = calloc(outbox_rows_max, sizeof *outbox->row);
    outbox->table = calloc(outbox_rows_max, sizeof *outbox->table);
    outbox->drop = calloc(outbox_rows_max, sizeof *outbox->drop);
    if (outbox->row != NULL && outbox->table != NULL && outbox->drop != NULL)
        return OK;
    outbox_release(outbox);
    return err_set(err, CODE_NO_MEMORY, "no memory for the rows of a move");
}

void
outbox_release(struct outbox *outbox)
{
    arena_release(&outbox->arena);
    free(outbox->row);
    free(outbox->table);
    free(outbox->drop);
}

bool
outbox_is_full(const struct outbox *outbox)
{
    return outbox->count == outbox_rows_max || outbox->bytes >= outbox_bytes_max;
}

enum code
outbox_add(struct outbox *outbox, const struct table_facts *facts, enum table table,
           const struct row *row, bool drop, struct err *err)
{
    struct row *mine = &outbox->row[outbox->count];

    assert(outbox->count < outbox_rows_max);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        mine->cell[i] = row->cell[i];
        outbox->bytes += sizeof row->cell[i];
        if (facts->is_number[i] || row->cell[i].text.len == 0)
            continue;
        outbox->bytes += row->cell[i].text.len;
        mine->cell[i].text = text_copy(&outbox->arena, row->cell[i].text);
        if (mine->cell[i].text.ptr == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for the rows of a move");
    }
    outbox->table[outbox->count] = (unsigned char)table;
    outbox->drop[outbox->count++] = drop;
    return OK;
}

enum code
outbox_write(const struct outbox *outbox, struct tx *tx, struct err *err)
{
    enum code rc = OK;

    for (uint32_t at = 0, end; at < outbox->count && rc == OK; at = end) {
        enum table table = (enum table)outbox->table[at];
        end = at + 1;
        if (outbox->drop[at]) {
            rc = store_delete(tx, table, &outbox->row[at], err);
            continue;
        }
        while (end < outbox->count && outbox->table[end] == table && !outbox->drop[end])
            end++;
        rc = store_copy(tx, table, &outbox->row[at], end - at, err);
    }
    return rc;
}

void
outbox_clear(struct outbox *outbox)
{
    arena_reset(&outbox->arena);
    outbox->count = 0;
    outbox->bytes = 0;
}
