/*
 * verify_rows.c - rows of the book that no owner has.
 *
 * Owns:      counting each table, and finding what is too much in it.
 * Must not:  look for what is missing: each owner's own pass does.
 * Invariant: every row that an owner has was counted when the owner was replayed. So equal numbers
 *            prove that there is no other, and only a difference is searched for. A book that is
 *            being written differs in what is new: new rows are looked at one by one, old ones
 *            (whose number was made before the verification began) are counted once more, and only
 *            if those differ as well is each of them looked at.
 * Cost:      a count of each table, a scan of the directory and of the members (some of their rows
 *            are nobody's), a scan of what is being written. Where old rows differ, a walk through
 *            an owner's records for each row.
 * Tests:     tests/unit/service/test_verify.c, tests/stories/tampering
 */
#include "service/verify.h"

#include <string.h>

enum { rows_per_slice = 500 };

/* One pass over a table. */
struct pass {
    struct verifying *verifying;
    enum table table;
    bool is_search;     /* look at each row; else at new ones */
    bool is_begun;
    struct row last;    /* that was looked at */
    uint32_t count;     /* of the slice */
    uint64_t rows, old; /* that are somebody's */
};

static enum code
count_run(struct tx *tx, struct op *op, struct err *err)
{
    struct pass *pass = op->context;

    return store_count(tx, pass->table, &pass->rows, err);
}

/* A number in the row that was made when the row was, or before; 0: it has none. */
static uint64_t
age_of(enum table table, const struct row *row)
{
    switch (table) {
    case TABLE_movement:
    case TABLE_claim:
        return (uint64_t)row->cell[2].number; /* op_id */
    case TABLE_receipt:
    case TABLE_directory: /* owner_id: keys of new members are new */
        return (uint64_t)row->cell[1].number;
    case TABLE_member:
        return (uint64_t)row->cell[0].number;
    default:
        return 0;
    }
}

static uint64_t
owner_of(enum table table, const struct row *row)
{
    return (uint64_t)row->cell[table == TABLE_directory || table == TABLE_claim ? 1 : 0].number;
}

/* ---- one row, of an owner by its number ---- */

/* What is looked for on the way back through an owner's records. */
struct search {
    uint64_t op_id;                  /* wanted; 0: the newest record with `key` */
    const struct directory_row *key;
    bool has;
};

static void
look(struct search *search, const struct verifying *verifying, const struct owner *owner,
     const struct receipt_row *row, struct arena *arena, bool *over)
{
    struct record record;

    *over = search->has = search->op_id != 0 && row->op_id == search->op_id;
    if (search->op_id || verify_decode(verifying, owner, row, arena, &record, NULL))
        return;
    for (uint32_t i = 0; i < record.key_count; i++) {
        const struct directory_row *key = &record.key[i];
        if (memcmp(key->key, search->key->key, sizeof(key->key)) != 0)
            continue;
        *over = true;
        search->has = key->member_id == search->key->member_id &&
                      key->kind == search->key->kind && key->state == search->key->state;
    }
}

static enum code
search_back(struct search *search, struct verifying *verifying, struct tx *tx, uint64_t owner_id,
            struct err *err)
{
    struct needs needs = { .owner_id = owner_id };
    struct view view = { 0 };
    bool over = false;
    enum code rc = store_load(tx, &needs, &verifying->movements, &view, err);

    if (rc || !view.owner_found)
        return rc;
    uint64_t op_id = view.owner.last_op;
    for (uint64_t left = view.owner.version; !rc && !over && op_id && left > 0; left--) {
        struct receipt_row row;
        struct record_head head;
        bool found;
        arena_reset(&verifying->record);
        rc = store_get_receipt(tx, owner_id, op_id, &verifying->record, &row, &found, err);
        if (rc || !found || record_peek(row.body, &head, NULL))
            break;
        look(search, verifying, &view.owner, &row, &verifying->record, &over);
        op_id = head.place.previous;
    }
    return rc;
}

static enum code
has_record(struct verifying *verifying, struct tx *tx, uint64_t owner_id, uint64_t op_id,
                  bool *has, struct err *err)
{
    struct search search = { .op_id = op_id };
    enum code rc = OK;

    arena_reset(&verifying->movements);
    if (op_id)
        rc = search_back(&search, verifying, tx, owner_id, err);
    *has = search.has;
    return rc;
}

static enum code
has_key(struct verifying *verifying, struct tx *tx, const struct directory_row *key,
               bool *has, struct err *err)
{
    struct search search = { .key = key };

    arena_reset(&verifying->movements);
    enum code rc = search_back(&search, verifying, tx, key->owner_id, err);
    *has = search.has;
    return rc;
}

static enum code
has_claim(struct verifying *verifying, struct tx *tx, struct text claim, uint64_t owner_id,
                 uint64_t op_id, bool *has, struct err *err)
{
    struct needs needs = { .owner_id = owner_id };
    struct receipt_row row;
    struct record record;
    struct view view = { 0 };
    bool found = false;

    *has = false;
    arena_reset(&verifying->movements);
    enum code rc = store_load(tx, &needs, &verifying->movements, &view, err);
    if (!rc && view.owner_found)
        rc = store_get_receipt(tx, owner_id, op_id, &verifying->movements, &row, &found, err);
    if (!rc && found &&
        !verify_decode(verifying, &view.owner, &row, &verifying->movements, &record, NULL))
        *has = text_equal(record.claim, claim);
    return rc;
}

/* Lots are rows of their own only where the owner's row is full. */
static enum code
has_lot(struct verifying *verifying, struct tx *tx, uint64_t owner_id, int64_t lot_no, bool *has,
        struct err *err)
{
    struct needs needs = { .owner_id = owner_id };
    struct view view = { 0 };
    enum code rc = store_load(tx, &needs, &verifying->record, &view, err);

    *has = false;
    for (uint32_t i = lots_in_owner_row_max; !rc && i < view.owner.lot_count; i++)
        *has = *has || view.owner.lot[i].lot_no == lot_no;
    return rc;
}

/* Does an owner have this row? */
static enum code
is_owned(struct pass *pass, struct tx *tx, const struct row *row, bool *owned, struct err *err)
{
    struct verifying *verifying = pass->verifying;
    const struct cell *cell = row->cell;
    uint64_t owner_id = owner_of(pass->table, row);
    struct directory_row key = { .owner_id = owner_id };
    struct row owner_key = { .cell = { { .number = (int64_t)owner_id } } }, owner;

    switch (pass->table) {
    case TABLE_receipt:
        return has_record(verifying, tx, owner_id, (uint64_t)cell[1].number, owned, err);
    case TABLE_claim:
        return has_claim(verifying, tx, cell[0].text, owner_id, (uint64_t)cell[2].number,
                                owned, err);
    case TABLE_directory:
        *owned = cell[0].text.len == directory_key_bytes;
        if (!*owned)
            return OK;
        memcpy(key.key, cell[0].text.ptr, directory_key_bytes);
        key.member_id = (uint64_t)cell[2].number;
        key.kind = (enum key_kind)cell[3].number;
        key.state = (enum key_state)cell[4].number;
        return has_key(verifying, tx, &key, owned, err);
    case TABLE_lot:
        return has_lot(verifying, tx, owner_id, cell[1].number, owned, err);
    default: /* what an owner has of these was held against its history: the owner is missing */
        return store_get(tx, TABLE_owner, &owner_key, &verifying->record, &owner, owned, err);
    }
}

/* A card that is nobody's yet, or the bar of an enrolment that was given up: in no history. */
static bool
is_nobodys(const struct pass *pass, const struct row *row)
{
    if (pass->table == TABLE_member)
        return row_is_bar(row);
    return pass->table == TABLE_directory && row->cell[1].number == 0 && row->cell[2].number == 0;
}

/* Where the next slice begins. A key is as long as it is: who tampers keeps to no limit. */
static enum code
remember(struct pass *pass, const struct row *row, struct err *err)
{
    struct text *key = &pass->last.cell[0].text;
    struct arena *arena = &pass->verifying->claims; /* nobody else's by now */

    arena_reset(arena);
    pass->last = *row;
    pass->is_begun = true;
    *key = text_copy(arena, row->cell[0].text);
    return arena->failed ? err_set(err, CODE_NO_MEMORY, "a row's key is too long") : OK;
}

static enum code
slice_run(struct tx *tx, struct op *op, struct err *err)
{
    struct pass *pass = op->context;
    struct verifying *verifying = pass->verifying;
    struct row *row;
    enum code rc = store_list(tx, pass->table, pass->is_begun ? &pass->last : &(struct row){ 0 },
                              rows_per_slice, op->arena, &row, &pass->count, err);

    for (uint32_t i = 0; !rc && i < pass->count; i++) {
        bool is_old = age_of(pass->table, &row[i]) < verifying->began, owned = true;
        arena_reset(&verifying->record);
        if (!is_nobodys(pass, &row[i])) {
            pass->old += is_old;
            if (!is_old || pass->is_search)
                rc = is_owned(pass, tx, &row[i], &owned, err);
        }
        if (!rc && !owned)
            verify_fault(verifying, owner_of(pass->table, &row[i]), 0,
                         "there is a row of it that its history does not tell");
    }
    return rc || pass->count == 0 ? rc : remember(pass, &row[pass->count - 1], err);
}

static enum code
go_through(struct pass *pass, enum code (*run)(struct tx *tx, struct op *op, struct err *err),
           struct err *err)
{
    struct arena *arena = &pass->verifying->arena;
    enum code rc;

    do {
        struct op op = { .access = ACCESS_READ, .arena = arena, .run = run, .context = pass };
        arena_reset(arena);
        rc = store_run(pass->verifying->service->store, &op, err);
    } while (!rc && pass->count == rows_per_slice);
    return rc;
}

enum code
verify_rows(struct verifying *verifying, struct err *err)
{
    static const enum table tables[] = { TABLE_movement, TABLE_receipt,  TABLE_lot,
                                         TABLE_counter,  TABLE_returned, TABLE_member,
                                         TABLE_claim,    TABLE_directory };
    enum code rc = OK;

    for (size_t i = 0; !rc && i < KOP_COUNT(tables); i++) {
        struct pass counting = { .verifying = verifying, .table = tables[i] };
        struct pass look = counting, search = counting;
        bool has_nobodys = tables[i] == TABLE_directory || tables[i] == TABLE_member;
        search.is_search = true;
        if (!has_nobodys)
            rc = go_through(&counting, count_run, err);
        if (rc || (!has_nobodys && counting.rows == verifying->rows[tables[i]]))
            continue;
        rc = go_through(&look, slice_run, err);
        if (!rc && look.old != verifying->old[tables[i]])
            rc = go_through(&search, slice_run, err);
    }
    return rc;
}
