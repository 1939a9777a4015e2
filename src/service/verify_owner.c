/*
 * verify_owner.c - is one owner's book right? All that it must be follows from its records and
 *                  movements.
 *
 * Owns:      walking the records back from the row, replaying them and the movements forward, the
 *            chain over both; its members, its keys, what was returned of its purchases, its
 *            claims.
 * Must not:  use the code that books: what a row must be comes from ledger/audit*.c.
 * Invariant: the first fault is named by owner and, where one shows it, by movement.
 * Cost:      two point reads for each record, and one for each key and claim; 16 bytes of memory
 *            for each operation that the owner ever had.
 * Tests:     tests/unit/service/test_verify.c, tests/stories/tampering, tests/sim/
 */
#include "ledger/audit.h"
#include "ledger/audit_history.h"
#include "service/verify.h"

#include <string.h>

enum { movements_per_page = 1000 };

/* An operation of an owner, by its record. */
struct step_back {
    uint64_t op_id;
    uint32_t last_movement; /* before it */
};

/* One owner on its way through. */
struct walk {
    struct verifying *verifying;
    struct tx *tx;
    const struct owner *owner;
    uint32_t op_count, op_cap;
    struct step_back *op; /* in order */
    struct audit *audit;
    struct history history;
    unsigned char head[sha256_bytes];
    /* Movements read, and not replayed yet. */
    struct movement *movement;
    uint32_t movement_count, movement_at, last_read;
    bool movements_end;
    /* What records say was written beside them. */
    uint32_t key_count, key_cap;
    struct directory_row *key; /* the newest row of each */
    struct map key_by_bytes;
    uint32_t returned_count, returned_cap;
    struct returned_of {
        uint64_t origin;
        struct text body; /* after the newest return of it */
    } *returned;
    struct map returned_by_origin;
    bool at_fault;
};

static void
blame(struct walk *walk, uint32_t movement_no, const char *what)
{
    walk->at_fault = true;
    verify_fault(walk->verifying, walk->owner->owner_id, movement_no, what);
}

static enum code
no_memory(struct err *err)
{
    return err_set(err, CODE_NO_MEMORY, "an owner has more operations than memory allows");
}

/* An array that grows by doubling, in the owner's arena. */
static bool
make_room(struct arena *arena, void **item, uint32_t size, uint32_t count, uint32_t *cap)
{
    if (count < *cap)
        return true;
    uint32_t more = *cap ? 2 * *cap : 16;
    char *made = arena_alloc(arena, (size_t)more * size);
    if (!made)
        return false;
    if (count > 0)
        memcpy(made, *item, (size_t)count * size);
    *item = made;
    *cap = more;
    return true;
}

/* ---- back through the records ---- */

static enum code
read_row(struct walk *walk, uint64_t op_id, struct receipt_row *row, bool *found, struct err *err)
{
    arena_reset(&walk->verifying->page);
    return store_get_receipt(walk->tx, walk->owner->owner_id, op_id, &walk->verifying->page, row,
                             found, err);
}

static void
reverse(struct step_back *op, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        struct step_back swapped = op[i];
        op[i] = op[count - 1 - i];
        op[count - 1 - i] = swapped;
    }
}

static enum code
walk_back(struct walk *walk, struct err *err)
{
    struct arena *arena = &walk->verifying->arena;
    uint64_t op_id = walk->owner->last_op, sequence = walk->owner->version;

    for (; op_id != 0; sequence--) {
        struct receipt_row row;
        struct record_head head;
        bool found;
        enum code rc = read_row(walk, op_id, &row, &found, err);
        if (rc)
            return rc;
        if (!found) {
            blame(walk, 0, "the record of an operation is missing");
            return OK;
        }
        if (record_peek(row.body, &head, NULL) || head.place.sequence != sequence ||
            sequence == 0) {
            blame(walk, 0, "a record is not the one that stood there, or the version is another");
            return OK;
        }
        if (!make_room(arena, (void **)&walk->op, sizeof(*walk->op), walk->op_count,
                       &walk->op_cap))
            return no_memory(err);
        walk->op[walk->op_count++] = (struct step_back){ op_id, head.place.last_movement };
        op_id = head.place.previous;
    }
    if (sequence != 0)
        blame(walk, 0, "records are missing, or the version is another");
    reverse(walk->op, walk->op_count);
    return OK;
}

/* ---- forward through records and movements ---- */

static enum code
read_page(struct walk *walk, uint32_t limit, struct err *err)
{
    struct arena *arena = &walk->verifying->movements;

    arena_reset(arena);
    walk->movement_at = walk->movement_count = 0;
    return store_list_movements(walk->tx, walk->owner->owner_id, walk->last_read, limit, arena,
                                &walk->movement, &walk->movement_count, err);
}

/* The next movement, or NULL at the end (or when one cannot be read: then at fault). */
static enum code
next_movement(struct walk *walk, const struct movement **next, struct err *err)
{
    struct err why;

    *next = NULL;
    if (walk->movement_at == walk->movement_count && !walk->movements_end) {
        enum code rc = read_page(walk, movements_per_page, &why);
        if (rc == CODE_CORRUPT) /* one of the page: which? */
            rc = read_page(walk, 1, &why);
        if (rc == CODE_CORRUPT) {
            walk->movement_count = 0;
            walk->movements_end = true;
            blame(walk, walk->last_read + 1, why.text);
            return OK;
        }
        if (rc)
            return err_set(err, rc, "%s", why.text);
        walk->movements_end = walk->movement_count == 0;
        if (walk->movement_count > 0)
            walk->last_read = walk->movement[walk->movement_count - 1].movement_no;
    }
    if (walk->movement_at < walk->movement_count)
        *next = &walk->movement[walk->movement_at];
    return OK;
}

/* One movement against the chain; false at the first break. */
static bool
chain_step(struct walk *walk, const struct movement *movement)
{
    struct buf bytes;

    arena_reset(&walk->verifying->page);
    buf_init(&bytes, &walk->verifying->page, 256);
    movement_encode_chain(movement, &bytes);
    if (bytes.failed)
        return false;
    sha256_two(walk->head, sizeof(walk->head), bytes.ptr, bytes.len, walk->head);
    return memcmp(movement->link, walk->head, sizeof(movement->link)) == 0;
}

/* The movements up to number `last`: all of operation `op_id`. */
static enum code
replay_movements(struct walk *walk, uint64_t op_id, uint32_t last, struct err *err)
{
    const struct movement *movement;

    for (;;) {
        enum code rc = next_movement(walk, &movement, err);
        if (rc || walk->at_fault || !movement || movement->movement_no > last)
            return rc;
        if (!chain_step(walk, movement))
            blame(walk, movement->movement_no, "the hash chain breaks here");
        else if (movement->op_id != op_id)
            blame(walk, movement->movement_no, "it belongs to another operation");
        audit_movement(walk->audit, movement);
        walk->movement_at++;
        walk->verifying->rows[TABLE_movement]++;
    }
}

/* The balances that the record told its client are those that the movements lead to. */
static bool
balances_agree(const struct record *record, const struct audit *audit)
{
    for (uint32_t i = 0; i < record->after_count; i++) {
        const struct balance_after *told = &record->after[i];
        const amount *of = audit->account[told->currency];
        if (told->active != of[ACCOUNT_ACTIVE] || told->pending != of[ACCOUNT_PENDING] ||
            told->held != of[ACCOUNT_HELD] || told->debt != -of[ACCOUNT_DEBT])
            return false;
    }
    return true;
}

/* Between operations nobody has available points and a debt (docs/semantics.md, "Settle"). */
static bool
owes_beside_points(const struct audit *audit)
{
    for (uint32_t c = 1; c <= currencies_per_programme_max; c++)
        if (audit->account[c][ACCOUNT_DEBT] < 0 &&
            audit->account[c][ACCOUNT_ACTIVE] > audit->account[c][ACCOUNT_HELD])
            return true;
    return false;
}

static enum code
note_keys(struct walk *walk, const struct record *record, struct err *err)
{
    struct arena *arena = &walk->verifying->arena;

    for (uint32_t i = 0; i < record->key_count; i++) {
        struct text bytes = { (const char *)record->key[i].key, directory_key_bytes };
        uint32_t at;
        if (map_get(&walk->key_by_bytes, bytes, &at)) {
            walk->key[at] = record->key[i];
            continue;
        }
        if (!make_room(arena, (void **)&walk->key, sizeof(*walk->key), walk->key_count,
                       &walk->key_cap))
            return no_memory(err);
        walk->key[walk->key_count] = record->key[i];
        bytes = text_copy(arena, bytes);
        if (!bytes.ptr || !map_put(&walk->key_by_bytes, bytes, walk->key_count++))
            return no_memory(err);
    }
    return OK;
}

static enum code
note_returned(struct walk *walk, const struct record *record, struct err *err)
{
    struct arena *arena = &walk->verifying->arena;
    struct text origin = { (const char *)&record->origin, sizeof(record->origin) };
    struct text body;
    uint32_t at;

    if (record->kind != RECORD_RETURN)
        return OK;
    body = text_copy(arena, record->returned_after);
    if (!body.ptr)
        return no_memory(err);
    if (map_get(&walk->returned_by_origin, origin, &at)) {
        walk->returned[at].body = body;
        return OK;
    }
    if (!make_room(arena, (void **)&walk->returned, sizeof(*walk->returned), walk->returned_count,
                   &walk->returned_cap))
        return no_memory(err);
    walk->returned[walk->returned_count] = (struct returned_of){ record->origin, body };
    origin = text_copy(arena, origin);
    if (!origin.ptr || !map_put(&walk->returned_by_origin, origin, walk->returned_count++))
        return no_memory(err);
    return OK;
}

/* The claim of the record's operation leads to it. */
static enum code
check_claim(struct walk *walk, const struct record *record, struct err *err)
{
    struct row key = { .cell = { { .text = record->claim } } }, row;
    bool found;

    if (record->claim.len == 0)
        return OK;
    walk->verifying->rows[TABLE_claim]++;
    enum code rc = store_get(walk->tx, TABLE_claim, &key, &walk->verifying->page, &row, &found,
                             err);
    if (!rc && (!found || (uint64_t)row.cell[1].number != record->owner_id ||
                (uint64_t)row.cell[2].number != record->op_id))
        blame(walk, 0, "a claim is missing, or leads elsewhere");
    return rc;
}

/* The number of the operation's first movement; 0: it has none. */
static enum code
first_movement(struct walk *walk, uint32_t last, uint32_t *first, struct err *err)
{
    const struct movement *movement;
    enum code rc = next_movement(walk, &movement, err);

    *first = !rc && movement && movement->movement_no <= last ? movement->movement_no : 0;
    return rc;
}

/* Decode the record under `row`'s key. CORRUPT: it is not what the key says. */
static enum code
decode(const struct verifying *verifying, const struct owner *owner, const struct receipt_row *row,
       struct arena *arena, struct record *record, struct err *err)
{
    const struct catalogue *catalogue = atomic_load(&verifying->service->catalogue);
    const struct programme_entry *programme =
        catalogue_programme_no(catalogue, owner->tenant, owner->programme);
    const struct version_entry *entry;
    struct record_head head;
    enum code rc = record_peek(row->body, &head, err);

    if (rc)
        return rc;
    if (!programme)
        return err_set(err, CODE_CORRUPT, "its programme is not there");
    entry = programme_version(programme, head.version);
    if (!entry || head.kind != row->kind)
        return err_set(err, CODE_CORRUPT, "a record's version or kind is not what it was");
    rc = record_decode(row->body, plan_terms(entry->plan), arena, record, err);
    if (!rc && (record->owner_id != owner->owner_id || record->op_id != row->op_id))
        rc = err_set(err, CODE_CORRUPT, "a record belongs to another operation");
    return rc;
}

/* Operation `at`; its movements go up to number `last`. */
static enum code
replay_operation(struct walk *walk, uint32_t at, uint32_t last, struct err *err)
{
    uint64_t op_id = walk->op[at].op_id;
    struct receipt_row row;
    struct record record;
    uint32_t first;
    bool found;
    struct err why;
    enum code rc = first_movement(walk, last, &first, err);

    if (!rc)
        rc = read_row(walk, op_id, &row, &found, err);
    if (rc || walk->at_fault)
        return rc;
    sha256_two(walk->head, sizeof(walk->head), row.body.ptr, row.body.len, walk->head);
    rc = decode(walk->verifying, walk->owner, &row, &walk->verifying->page, &record, &why);
    if (!rc)
        rc = history_record(&walk->history, &record, walk->audit->last_no, &why);
    if (!rc)
        rc = note_keys(walk, &record, &why);
    if (!rc)
        rc = note_returned(walk, &record, &why);
    if (rc == CODE_CORRUPT) {
        blame(walk, first, why.text);
        return OK;
    }
    if (rc)
        return err_set(err, rc, "%s", why.text);
    rc = check_claim(walk, &record, err);
    if (rc || walk->at_fault)
        return rc;
    struct balance_after after[currencies_per_programme_max];
    struct record told = { .after_count = record.after_count, .after = after };
    if (record.after_count > 0)
        memcpy(after, record.after, record.after_count * sizeof(*after));
    rc = replay_movements(walk, op_id, last, err); /* the record's memory is another's now */
    if (!rc && !walk->at_fault && walk->audit->fault.code == OK) {
        if (!balances_agree(&told, walk->audit))
            blame(walk, first, "its operation's record tells other balances");
        else if (owes_beside_points(walk->audit))
            blame(walk, walk->audit->last_no, "it leaves a debt beside available points");
    }
    walk->verifying->rows[TABLE_receipt]++;
    return rc;
}

static enum code
replay(struct walk *walk, struct err *err)
{
    const struct movement *left = NULL;
    uint32_t movement_no = 0;
    struct err why;
    enum code rc = OK;

    for (uint32_t i = 0; !rc && !walk->at_fault && i < walk->op_count; i++) {
        bool is_last = i + 1 == walk->op_count;
        rc = replay_operation(walk, i, is_last ? UINT32_MAX : walk->op[i + 1].last_movement, err);
    }
    if (!rc && !walk->at_fault)
        rc = next_movement(walk, &left, err);
    if (rc || walk->at_fault)
        return rc;
    if (left)
        blame(walk, left->movement_no, "it belongs to no operation that has a record");
    else if (!audit_end(walk->audit, walk->owner, &movement_no, &why))
        blame(walk, movement_no, why.text);
    else if (history_end(&walk->history, walk->owner, &why))
        blame(walk, 0, why.text);
    else if (memcmp(walk->head, walk->owner->head, sizeof(walk->head)) != 0)
        blame(walk, walk->owner->last_movement, "the chain's head differs from the row's");
    return OK;
}

/* ---- what lies beside ---- */

/* Its member is the one that was enrolled, the member's person is there, of the same tenant. */
static enum code
check_members(struct walk *walk, struct err *err)
{
    struct verifying *verifying = walk->verifying;
    const struct history *history = &walk->history;
    const struct owner *owner = walk->owner;
    struct member_row *member;
    struct row key = { 0 }, person;
    uint32_t count;
    bool found;
    enum code rc = store_list_members(walk->tx, owner->owner_id, &verifying->arena, &member,
                                      &count, err);

    if (rc)
        return rc;
    verifying->rows[TABLE_member] += count;
    if (owner->flags & owner_flag_pool)
        return OK;
    if (count != history->enrolled) {
        blame(walk, 0, "it has a member that nobody enrolled, or has none");
        return OK;
    }
    if (count == 0)
        return OK;
    if (member->member_id != history->member_id || member->person_id != history->person_id ||
        member->enrolled_at != history->enrolled_at || member->state != 0)
        blame(walk, 0, "its member is not the one that was enrolled");
    if (!history->person_id)
        return OK;
    key.cell[0].number = (int64_t)history->person_id;
    rc = store_get(walk->tx, TABLE_person, &key, &verifying->arena, &person, &found, err);
    if (!rc && (!found || person.cell[1].number != owner->tenant))
        blame(walk, 0, "its member's person is not there");
    return rc;
}

static enum code
check_keys(struct walk *walk, struct err *err)
{
    enum code rc = OK;

    for (uint32_t i = 0; !rc && i < walk->key_count; i++) {
        const struct directory_row *key = &walk->key[i];
        struct directory_row row;
        bool found;
        struct text bytes = { (const char *)key->key, directory_key_bytes };
        rc = store_find(walk->tx, bytes, &row, &found, err);
        if (!rc && (!found || row.owner_id != key->owner_id || row.member_id != key->member_id ||
                    row.kind != key->kind || row.state != key->state))
            blame(walk, 0, "a card, telephone or address of it is missing, or leads elsewhere");
    }
    walk->verifying->rows[TABLE_directory] += walk->key_count;
    return rc;
}

/* Rows of what was returned: those that the records tell, and no others. */
static enum code
check_returned(struct walk *walk, struct err *err)
{
    struct returned_row *row;
    uint32_t count;
    enum code rc = store_list_returned(walk->tx, walk->owner->owner_id, &walk->verifying->arena,
                                       &row, &count, err);

    if (rc)
        return rc;
    walk->verifying->rows[TABLE_returned] += count;
    if (count != walk->returned_count) {
        blame(walk, 0, "what was returned of a purchase is missing, or was never returned");
        return OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct text origin = { (const char *)&row[i].op_id, sizeof(row[i].op_id) };
        uint32_t at;
        if (!map_get(&walk->returned_by_origin, origin, &at) ||
            !text_equal(walk->returned[at].body, row[i].body)) {
            blame(walk, 0, "other goods were returned of a purchase than its returns tell");
            return OK;
        }
    }
    return OK;
}

enum code
verify_owner(struct verifying *verifying, struct tx *tx, const struct owner *owner, struct err *err)
{
    struct walk walk = { .verifying = verifying, .tx = tx, .owner = owner };
    enum code rc;

    verifying->rows[TABLE_lot] +=
        owner->lot_count > lots_in_owner_row_max ? owner->lot_count - lots_in_owner_row_max : 0;
    for (uint32_t i = 0; i < owner->counter_count; i++)
        verifying->rows[TABLE_counter] += owner->counter[i].rolling;
    walk.audit = audit_begin(&verifying->arena, owner->owner_id);
    if (!walk.audit)
        return no_memory(err);
    history_begin(&walk.history, &verifying->arena, owner->owner_id);
    map_init(&walk.key_by_bytes, &verifying->arena);
    map_init(&walk.returned_by_origin, &verifying->arena);
    rc = walk_back(&walk, err);
    if (!rc && !walk.at_fault)
        rc = replay(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_members(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_keys(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_returned(&walk, err);
    return rc;
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
    if (search->op_id || decode(verifying, owner, row, arena, &record, NULL))
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
        arena_reset(&verifying->page);
        rc = store_get_receipt(tx, owner_id, op_id, &verifying->page, &row, &found, err);
        if (rc || !found || record_peek(row.body, &head, NULL))
            break;
        look(search, verifying, &view.owner, &row, &verifying->page, &over);
        op_id = head.place.previous;
    }
    return rc;
}

enum code
verify_has_record(struct verifying *verifying, struct tx *tx, uint64_t owner_id, uint64_t op_id,
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

enum code
verify_has_key(struct verifying *verifying, struct tx *tx, const struct directory_row *key,
               bool *has, struct err *err)
{
    struct search search = { .key = key };

    arena_reset(&verifying->movements);
    enum code rc = search_back(&search, verifying, tx, key->owner_id, err);
    *has = search.has;
    return rc;
}

enum code
verify_has_claim(struct verifying *verifying, struct tx *tx, struct text claim, uint64_t owner_id,
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
        !decode(verifying, &view.owner, &row, &verifying->movements, &record, NULL))
        *has = text_equal(record.claim, claim);
    return rc;
}
