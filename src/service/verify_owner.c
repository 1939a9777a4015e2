/*
 * verify_owner.c - is one owner's book right? All that it must be follows from its records and
 *                  movements.
 *
 * Owns:      replaying its records and movements in order, the chain over both; its members, its
 *            keys, what was returned of its purchases, its claims.
 * Must not:  use the code that books: what a row must be comes from ledger/audit*.c.
 * Invariant: the first fault is named by owner and, where one shows it, by movement.
 * Order:     movements stand in the order of their operations, and tell which record comes next. An
 *            operation without movements is met on the way back from the next that has some, or
 *            from the row: each record names the one before it.
 * Cost:      one point read for each record, key and claim, many of them at once. Memory for the
 *            longest row of operations without movements: 8 bytes each.
 * Tests:     tests/unit/service/test_verify.c, tests/stories/tampering, tests/sim/
 */
#include "ledger/audit.h"
#include "ledger/audit_history.h"
#include "service/verify.h"

#include <string.h>

enum { movements_per_page = 1000, records_per_page = gets_per_run };

/* A claim that a record tells of, to be looked up with others. */
struct claimed {
    struct text key;
    uint64_t op_id;
};

/* One owner on its way through. */
struct walk {
    struct verifying *verifying;
    struct tx *tx;
    const struct owner *owner;
    uint32_t op_count, op_cap;
    uint64_t *op; /* operations on the way back to the one replayed last */
    uint32_t doubt; /* movement of an operation that ended in another way than its record tells */
    const char *why_doubt;
    struct audit *audit;
    struct history history;
    unsigned char head[sha256_bytes];
    /* Movements read, and not replayed yet. */
    struct movement *movement;
    uint32_t movement_count, movement_at, last_read;
    bool movements_end;
    /* Records read at once. */
    uint32_t record_count;
    struct row record[records_per_page];
    bool is_there[records_per_page];
    uint64_t record_op[records_per_page];
    /* What records say was written beside them. */
    uint32_t claim_count;
    struct claimed claim[gets_per_run];
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

/* ---- movements ---- */

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

    arena_reset(&walk->verifying->record);
    buf_init(&bytes, &walk->verifying->record, 256);
    movement_encode_chain(movement, &bytes);
    if (bytes.failed)
        return false;
    sha256_two(walk->head, sizeof(walk->head), bytes.ptr, bytes.len, walk->head);
    return memcmp(movement->link, walk->head, sizeof(movement->link)) == 0;
}

/* The movements of operation `op_id`: the next ones. */
static enum code
replay_movements(struct walk *walk, uint64_t op_id, struct err *err)
{
    const struct movement *movement;

    for (;;) {
        enum code rc = next_movement(walk, &movement, err);
        if (rc || walk->at_fault || !movement || movement->op_id != op_id)
            return rc;
        if (!chain_step(walk, movement))
            blame(walk, movement->movement_no, "the hash chain breaks here");
        audit_movement(walk->audit, movement);
        walk->movement_at++;
        verify_has(walk->verifying, TABLE_movement, 1, movement->op_id);
    }
}

/* ---- records ---- */

/* Read the record of `op_id`, and those of the movements that come next. */
static enum code
read_records(struct walk *walk, uint64_t op_id, struct err *err)
{
    struct row key[records_per_page];
    uint32_t count = 0;

    walk->record_op[count++] = op_id;
    for (uint32_t i = walk->movement_at; i < walk->movement_count && count < records_per_page; i++)
        if (walk->movement[i].op_id != walk->record_op[count - 1])
            walk->record_op[count++] = walk->movement[i].op_id;
    for (uint32_t i = 0; i < count; i++)
        key[i] = (struct row){ .cell = { { .number = (int64_t)walk->owner->owner_id },
                                         { .number = (int64_t)walk->record_op[i] } } };
    arena_reset(&walk->verifying->page);
    walk->record_count = 0;
    enum code rc = store_get_many(walk->tx, TABLE_receipt, key, count, &walk->verifying->page,
                                  walk->record, walk->is_there, err);
    walk->record_count = rc ? 0 : count;
    return rc;
}

static enum code
get_record(struct walk *walk, uint64_t op_id, struct receipt_row *row, bool *found,
           struct err *err)
{
    uint32_t i = 0;
    enum code rc = OK;

    while (i < walk->record_count && walk->record_op[i] != op_id)
        i++;
    if (i == walk->record_count) {
        rc = read_records(walk, op_id, err);
        i = 0;
    }
    *found = !rc && walk->is_there[i];
    if (*found)
        *row = (struct receipt_row){ .owner_id = (uint64_t)walk->record[i].cell[0].number,
                                     .op_id = (uint64_t)walk->record[i].cell[1].number,
                                     .kind = (enum record_kind)walk->record[i].cell[2].number,
                                     .body = walk->record[i].cell[3].text };
    return rc;
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

/* The claims noted so far lead to their operations. */
static enum code
check_claims(struct walk *walk, struct err *err)
{
    struct row key[gets_per_run], row[gets_per_run];
    bool found[gets_per_run];

    for (uint32_t i = 0; i < walk->claim_count; i++)
        key[i] = (struct row){ .cell[0].text = walk->claim[i].key };
    arena_reset(&walk->verifying->record);
    enum code rc = store_get_many(walk->tx, TABLE_claim, key, walk->claim_count,
                                  &walk->verifying->record, row, found, err);
    for (uint32_t i = 0; !rc && i < walk->claim_count; i++)
        if (!found[i] || (uint64_t)row[i].cell[1].number != walk->owner->owner_id ||
            (uint64_t)row[i].cell[2].number != walk->claim[i].op_id)
            blame(walk, 0, "a claim is missing, or leads elsewhere");
    walk->claim_count = 0;
    return rc;
}

static enum code
note_claim(struct walk *walk, const struct record *record, struct err *err)
{
    struct claimed *claim = &walk->claim[walk->claim_count];

    if (record->claim.len == 0)
        return OK;
    *claim = (struct claimed){ text_copy(&walk->verifying->claims, record->claim),
                               record->op_id };
    if (!claim->key.ptr)
        return no_memory(err);
    verify_has(walk->verifying, TABLE_claim, 1, record->op_id);
    if (++walk->claim_count < gets_per_run)
        return OK;
    enum code rc = check_claims(walk, err);
    arena_reset(&walk->verifying->claims);
    return rc;
}

enum code
verify_decode(const struct verifying *verifying, const struct owner *owner,
              const struct receipt_row *row, struct arena *arena, struct record *record,
              struct err *err)
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

/* The next movement that stands before number `last` + 1; 0: none. */
static uint32_t
movement_up_to(const struct walk *walk, uint32_t last)
{
    bool is_there = walk->movement_at < walk->movement_count &&
                    walk->movement[walk->movement_at].movement_no <= last;

    return is_there ? walk->movement[walk->movement_at].movement_no : 0;
}

/* The record of operation `op_id`, which comes next; `first` is its first movement, 0: none. */
static enum code
replay_record(struct walk *walk, uint64_t op_id, uint32_t first, struct record *record,
              struct err *err)
{
    struct receipt_row row;
    bool found;
    struct err why;
    enum code rc = get_record(walk, op_id, &row, &found, err);

    if (rc)
        return rc;
    assert(found); /* it was there on the way back */
    arena_reset(&walk->verifying->record);
    sha256_two(walk->head, sizeof(walk->head), row.body.ptr, row.body.len, walk->head);
    rc = verify_decode(walk->verifying, walk->owner, &row, &walk->verifying->record, record, &why);
    if (!rc && movement_up_to(walk, record->place.last_movement))
        first = movement_up_to(walk, record->place.last_movement);
    if (!rc)
        rc = history_record(&walk->history, record, walk->audit->last_no, &why);
    if (!rc)
        rc = note_keys(walk, record, &why);
    if (!rc)
        rc = note_returned(walk, record, &why);
    verify_has(walk->verifying, TABLE_receipt, 1, op_id);
    if (rc == CODE_CORRUPT) {
        blame(walk, first, why.text);
        return OK;
    }
    return rc ? err_set(err, rc, "%s", why.text) : OK;
}

static void
doubt(struct walk *walk, uint32_t movement_no, const char *why)
{
    if (walk->why_doubt)
        return;
    walk->doubt = movement_no;
    walk->why_doubt = why;
}

static enum code
replay_operation(struct walk *walk, uint64_t op_id, uint32_t first, struct err *err)
{
    struct balance_after after[currencies_per_programme_max];
    struct record record;
    enum code rc = replay_record(walk, op_id, first, &record, err);

    if (rc || walk->at_fault)
        return rc;
    struct record told = { .after_count = record.after_count, .after = after };
    if (record.after_count > 0)
        memcpy(after, record.after, record.after_count * sizeof(*after));
    rc = note_claim(walk, &record, err);
    if (!rc)
        rc = replay_movements(walk, op_id, err); /* the record's memory is another's now */
    if (rc || walk->at_fault || walk->audit->fault.code != OK)
        return rc;
    if (!balances_agree(&told, walk->audit))
        doubt(walk, first, "its operation's record tells other balances");
    else if (owes_beside_points(walk->audit))
        doubt(walk, walk->audit->last_no, "it leaves a debt beside available points");
    return OK;
}

/* Back from operation `op_id` to the one that was replayed last: what is there goes to walk->op. */
static enum code
walk_back(struct walk *walk, uint64_t op_id, uint32_t movement_no, struct err *err)
{
    uint64_t sequence = UINT64_MAX;

    walk->op_count = 0;
    while (op_id != walk->history.last_op) {
        struct record_head head = { 0 };
        struct receipt_row row;
        bool found;
        enum code rc = op_id ? get_record(walk, op_id, &row, &found, err) : OK;
        if (rc)
            return rc;
        if (op_id == 0 || !found) {
            blame(walk, movement_no, "the record of an operation is missing");
            return OK;
        }
        if (record_peek(row.body, &head, NULL) || head.place.sequence >= sequence ||
            head.place.sequence <= walk->history.sequence) {
            blame(walk, movement_no, "a record is not the one that stood there");
            return OK;
        }
        if (!make_room(&walk->verifying->arena, (void **)&walk->op, sizeof(*walk->op),
                       walk->op_count, &walk->op_cap))
            return no_memory(err);
        walk->op[walk->op_count++] = op_id;
        sequence = head.place.sequence;
        op_id = head.place.previous;
    }
    return OK;
}

/* All operations up to that of the next movement, or to the newest; `*more`: there was one. */
static enum code
replay_some(struct walk *walk, bool *more, struct err *err)
{
    const struct movement *movement;
    enum code rc = next_movement(walk, &movement, err);

    *more = false;
    if (rc || walk->at_fault)
        return rc;
    uint64_t upto = movement ? movement->op_id : walk->owner->last_op;
    uint32_t first = movement ? movement->movement_no : 0;
    if (movement && upto == walk->history.last_op) {
        blame(walk, first, "it belongs to no operation that has a record");
        return OK;
    }
    rc = walk_back(walk, upto, first, err);
    *more = walk->op_count > 0;
    while (!rc && !walk->at_fault && walk->op_count > 0) {
        uint64_t op_id = walk->op[--walk->op_count];
        rc = replay_operation(walk, op_id, op_id == upto ? first : 0, err);
    }
    return rc;
}

static enum code
replay(struct walk *walk, struct err *err)
{
    uint32_t movement_no = 0;
    bool more = true;
    struct err why;
    enum code rc = OK;

    while (!rc && !walk->at_fault && more)
        rc = replay_some(walk, &more, err);
    if (!rc && !walk->at_fault)
        rc = check_claims(walk, err);
    if (rc || walk->at_fault)
        return rc;
    if (!audit_end(walk->audit, walk->owner, &movement_no, &why))
        blame(walk, movement_no, why.text);
    else if (walk->why_doubt)
        blame(walk, walk->doubt, walk->why_doubt);
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
    verify_has(verifying, TABLE_member, count, owner->owner_id);
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
    struct row key[gets_per_run], row[gets_per_run];
    bool found[gets_per_run];
    enum code rc = OK;

    for (uint32_t from = 0; !rc && from < walk->key_count; from += gets_per_run) {
        uint32_t left = walk->key_count - from, count = left < gets_per_run ? left : gets_per_run;
        for (uint32_t i = 0; i < count; i++)
            key[i] = (struct row){ .cell[0].text = { (const char *)walk->key[from + i].key,
                                                     directory_key_bytes } };
        arena_reset(&walk->verifying->record);
        rc = store_get_many(walk->tx, TABLE_directory, key, count, &walk->verifying->record, row,
                            found, err);
        for (uint32_t i = 0; !rc && i < count; i++) {
            const struct directory_row *wanted = &walk->key[from + i];
            const struct cell *cell = row[i].cell;
            if (!found[i] || (uint64_t)cell[1].number != wanted->owner_id ||
                (uint64_t)cell[2].number != wanted->member_id ||
                cell[3].number != (int64_t)wanted->kind || cell[4].number != (int64_t)wanted->state)
                blame(walk, 0, "a card, telephone or address of it is missing, or leads elsewhere");
        }
    }
    verify_has(walk->verifying, TABLE_directory, walk->key_count, walk->owner->owner_id);
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
    verify_has(walk->verifying, TABLE_returned, count, 0);
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

    if (owner->lot_count > lots_in_owner_row_max)
        verify_has(verifying, TABLE_lot, owner->lot_count - lots_in_owner_row_max, 0);
    for (uint32_t i = 0; i < owner->counter_count; i++)
        verify_has(verifying, TABLE_counter, owner->counter[i].rolling, 0);
    walk.audit = audit_begin(&verifying->arena, owner->owner_id);
    if (!walk.audit)
        return no_memory(err);
    history_begin(&walk.history, &verifying->arena, owner->owner_id);
    map_init(&walk.key_by_bytes, &verifying->arena);
    map_init(&walk.returned_by_origin, &verifying->arena);
    arena_reset(&verifying->claims);
    rc = replay(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_members(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_keys(&walk, err);
    if (!rc && !walk.at_fault)
        rc = check_returned(&walk, err);
    return rc;
}
