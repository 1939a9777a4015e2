/*
 * verify.c - are the books right? Every owner: movements from both sides, chain, lots, row.
 *
 * Owns:      going through all owners, recomputing the chains, the state hash; what records,
 *            members and persons must be beside the movements.
 * Must not:  use the code that books: what an owner must be comes from ledger/audit.c.
 * Invariant: the first fault is named by owner and movement.
 * Limits:    directory and claims are not gone through: no statement lists them. Of a record that
 *            moved nothing only owner, operation and kind are looked at.
 * Tests:     tests/unit/service/test_verify.c, tests/stories/ (tampering), tests/sim/
 */
#define OPENSSL_API_COMPAT 0x10101000L
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ledger/audit.h"
#include "service/internal.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { owners_per_slice = 200, movements_per_page = 2000, records_per_slice = 200 };

struct verifying {
    struct service *service;
    struct verify_result *result;
    struct arena arena;  /* of one owner */
    struct arena record; /* of one operation's record */
    SHA256_CTX state;
    uint64_t after, after_record; /* owner; owner and operation of a record */
    uint32_t count;
};

static void
fault(struct verifying *verifying, uint64_t owner_id, uint32_t movement_no, const char *what)
{
    struct verify_result *result = verifying->result;

    if (result->faults++ > 0)
        return;
    result->owner_id = owner_id;
    result->movement_no = movement_no;
    snprintf(result->what, sizeof(result->what), "%s", what);
}

/* One movement against the chain; false at the first break. */
static bool
chain_step(struct verifying *verifying, const struct movement *movement, unsigned char head[32])
{
    struct buf bytes;

    buf_init(&bytes, &verifying->arena, 256);
    movement_encode_chain(movement, &bytes);
    sha256_two(head, 32, bytes.ptr, bytes.len, head);
    return memcmp(movement->link, head, sizeof(movement->link)) == 0;
}

/* ---- the record of an operation ---- */

/* The movements of one operation: they lie together. */
struct operation {
    uint64_t op_id;
    uint32_t last_no; /* of its movements */
    bool is_booked;   /* more than what settles by itself: it has a record */
};

static bool
settles_by_itself(enum movement_kind kind)
{
    return kind == MOVEMENT_ACTIVATE || kind == MOVEMENT_EXPIRE || kind == MOVEMENT_REPAY ||
           kind == MOVEMENT_RELEASE || kind == MOVEMENT_LEVEL;
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

/* Decode a record that lies under `row`'s key; CODE_CORRUPT when it is not what the key says. */
static enum code
read_record(struct verifying *verifying, const struct owner *owner, const struct receipt_row *row,
            struct record *record, struct err *err)
{
    const struct catalogue *catalogue = atomic_load(&verifying->service->catalogue);
    const struct programme_entry *programme =
        catalogue_programme_no(catalogue, owner->tenant, owner->programme);
    const struct version_entry *entry;
    enum record_kind kind;
    struct text hash;
    uint32_t version;
    enum code rc = record_peek(row->body, &kind, &version, &hash, err);

    if (rc)
        return rc;
    entry = programme ? programme_version(programme, version) : NULL;
    if (!entry || kind != row->kind)
        return err_set(err, CODE_CORRUPT, "a record's version or kind is not what it was");
    rc = record_decode(row->body, plan_terms(entry->plan), &verifying->record, record, err);
    if (!rc && (record->owner_id != owner->owner_id || record->op_id != row->op_id))
        rc = err_set(err, CODE_CORRUPT, "a record belongs to another operation");
    return rc;
}

/* All movements of the operation have been replayed, and no other yet. */
static enum code
verify_operation(struct verifying *verifying, struct tx *tx, const struct owner *owner,
                 const struct audit *audit, const struct operation *operation, struct err *err)
{
    struct receipt_row row;
    struct record record;
    bool found = false;
    struct err why;

    if (audit->fault.code != OK)
        return OK;
    arena_reset(&verifying->record);
    enum code rc = store_get_receipt(tx, owner->owner_id, operation->op_id, &verifying->record,
                                     &row, &found, &why);
    if (!rc && found)
        rc = read_record(verifying, owner, &row, &record, &why);
    if (rc && rc != CODE_CORRUPT)
        return err_set(err, rc, "%s", why.text);
    if (rc)
        fault(verifying, owner->owner_id, operation->last_no, why.text);
    else if (!found && operation->is_booked)
        fault(verifying, owner->owner_id, operation->last_no, "its operation has no record");
    else if (found && !balances_agree(&record, audit))
        fault(verifying, owner->owner_id, operation->last_no,
              "its operation's record tells other balances");
    return OK;
}

/* ---- who the owner is ---- */

/* Its programme is there; it has its member, the member its person, of the same tenant. */
static enum code
verify_member(struct verifying *verifying, struct tx *tx, const struct owner *owner,
              struct err *err)
{
    const struct catalogue *catalogue = atomic_load(&verifying->service->catalogue);
    bool anonymous = owner->flags & owner_flag_anonymous, found = true;
    struct member_row *member;
    struct row key = { 0 }, person;
    uint32_t count;

    if (!catalogue_programme_no(catalogue, owner->tenant, owner->programme))
        fault(verifying, owner->owner_id, 0, "its programme is not there");
    enum code rc = store_list_members(tx, owner->owner_id, &verifying->arena, &member, &count, err);
    if (rc)
        return rc;
    if (anonymous != (count == 0))
        fault(verifying, owner->owner_id, 0, "it has no member, or an anonymous one has");
    for (uint32_t i = 0; i < count; i++) {
        if (!(owner->flags & owner_flag_pool) && (member[i].member_id != owner->owner_id ||
                                                  member[i].enrolled_at != owner->enrolled_at))
            fault(verifying, owner->owner_id, 0, "its member is not the one that was enrolled");
        if (!member[i].person_id)
            continue;
        key.cell[0].number = (int64_t)member[i].person_id;
        rc = store_get(tx, TABLE_person, &key, &verifying->arena, &person, &found, err);
        if (rc)
            return rc;
        if (!found || person.cell[1].number != owner->tenant)
            fault(verifying, owner->owner_id, 0, "its member's person is not there");
    }
    return OK;
}

/* ---- an owner ---- */

/* One of the movements after `after` cannot be read: which? */
static enum code
find_unreadable(struct verifying *verifying, struct tx *tx, const struct owner *owner,
                uint32_t after)
{
    struct movement *movement;
    uint32_t count;
    struct err why;

    while (store_list_movements(tx, owner->owner_id, after, 1, &verifying->arena, &movement, &count,
                                &why) == OK &&
           count == 1)
        after = movement->movement_no;
    fault(verifying, owner->owner_id, after + 1, why.text);
    return OK;
}

static enum code
verify_movement(struct verifying *verifying, struct tx *tx, const struct owner *owner,
                struct audit *audit, struct operation *operation, const struct movement *movement,
                struct err *err)
{
    enum code rc = OK;

    if (operation->op_id != 0 && operation->op_id != movement->op_id) {
        rc = verify_operation(verifying, tx, owner, audit, operation, err);
        *operation = (struct operation){ 0 };
    }
    audit_movement(audit, movement);
    operation->op_id = movement->op_id;
    operation->last_no = movement->movement_no;
    operation->is_booked = operation->is_booked || !settles_by_itself(movement->kind);
    return rc;
}

static enum code
verify_owner(struct verifying *verifying, struct tx *tx, const struct owner *owner, struct err *err)
{
    struct operation operation = { 0 };
    struct audit *audit = audit_begin(&verifying->arena, owner->owner_id);
    unsigned char head[32] = { 0 };
    uint32_t after = 0, count, broken = 0, movement_no = 0;
    struct movement *movement;
    struct err why;
    enum code rc;

    if (!audit)
        return err_set(err, CODE_NO_MEMORY, "an owner has more movements than memory allows");
    do {
        rc = store_list_movements(tx, owner->owner_id, after, movements_per_page,
                                  &verifying->arena, &movement, &count, err);
        if (rc == CODE_CORRUPT)
            return find_unreadable(verifying, tx, owner, after);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            if (!broken && !chain_step(verifying, &movement[i], head))
                broken = movement[i].movement_no;
            if (broken)
                continue;
            rc = verify_movement(verifying, tx, owner, audit, &operation, &movement[i], err);
            if (rc)
                return rc;
        }
        after += count;
        verifying->result->movements += count;
    } while (count == movements_per_page);
    if (broken) {
        fault(verifying, owner->owner_id, broken, "the hash chain breaks here");
        return OK;
    }
    if (!audit_end(audit, owner, &movement_no, &why))
        fault(verifying, owner->owner_id, movement_no, why.text);
    else if (memcmp(head, owner->head, sizeof(head)) != 0)
        fault(verifying, owner->owner_id, owner->last_movement,
              "the chain's head differs from the row's");
    else if (operation.op_id)
        rc = verify_operation(verifying, tx, owner, audit, &operation, err);
    return rc ? rc : verify_member(verifying, tx, owner, err);
}

static void
hash_owner(struct verifying *verifying, const struct owner *owner)
{
    struct buf bytes;

    buf_init(&bytes, &verifying->arena, 512);
    bytes_put_u64(&bytes, owner->owner_id);
    bytes_put_u64(&bytes, owner->tenant);
    bytes_put_u64(&bytes, owner->programme);
    bytes_put_u64(&bytes, owner->version);
    bytes_put_u64(&bytes, owner->last_movement);
    bytes_put_i64(&bytes, owner->next_due);
    buf_add(&bytes, owner->head, sizeof(owner->head));
    owner_encode(owner, &bytes);
    for (uint32_t i = lots_in_owner_row_max; i < owner->lot_count; i++)
        lot_encode(&owner->lot[i], &bytes);
    SHA256_Update(&verifying->state, bytes.ptr, bytes.len);
}

static enum code
verify_run(struct tx *tx, struct op *op, struct err *err)
{
    struct verifying *verifying = op->context;
    struct owner *owners;
    enum code rc = store_list_owners(tx, verifying->after, owners_per_slice, op->arena, &owners,
                                     &verifying->count, err);

    for (uint32_t i = 0; !rc && i < verifying->count; i++) {
        arena_reset(&verifying->arena);
        rc = verify_owner(verifying, tx, &owners[i], err);
        hash_owner(verifying, &owners[i]);
        verifying->after = owners[i].owner_id;
        verifying->result->owners++;
    }
    return rc;
}

/* Every record has its owner: one that was taken away leaves its records. */
static enum code
verify_records_run(struct tx *tx, struct op *op, struct err *err)
{
    struct verifying *verifying = op->context;
    struct receipt_row *row;
    enum code rc = store_list_receipts(tx, verifying->after, verifying->after_record,
                                       records_per_slice, op->arena, &row, &verifying->count, err);

    for (uint32_t i = 0; !rc && i < verifying->count; i++) {
        struct needs needs = { .owner_id = row[i].owner_id };
        struct record record;
        struct view view = { 0 };
        struct err why;
        arena_reset(&verifying->arena);
        arena_reset(&verifying->record);
        verifying->after = row[i].owner_id;
        verifying->after_record = row[i].op_id;
        rc = store_load(tx, &needs, &verifying->arena, &view, err);
        if (rc)
            break;
        if (!view.owner_found)
            fault(verifying, row[i].owner_id, 0, "it has records, but is not there");
        else if (read_record(verifying, &view.owner, &row[i], &record, &why))
            fault(verifying, row[i].owner_id, 0, why.text);
    }
    return rc;
}

enum code
service_verify(struct service *service, progress_fn progress, void *context,
               struct verify_result *result, struct err *err)
{
    struct verifying verifying = { .service = service, .result = result };
    struct arena arena;
    enum code rc;

    *result = (struct verify_result){ 0 };
    SHA256_Init(&verifying.state);
    arena_init(&verifying.arena, heap_source(), 1 << 20, (size_t)1 << 32);
    arena_init(&verifying.record, heap_source(), 1 << 16, (size_t)1 << 28);
    arena_init(&arena, heap_source(), 1 << 18, (size_t)1 << 30);
    do {
        struct op op = {
            .access = ACCESS_READ, .arena = &arena, .run = verify_run, .context = &verifying
        };
        arena_reset(&arena);
        rc = store_run(service->store, &op, err);
        if (progress)
            progress(context, result->owners);
    } while (!rc && verifying.count == owners_per_slice);
    verifying.after = 0;
    while (!rc) {
        struct op op = { .access = ACCESS_READ,
                         .arena = &arena,
                         .run = verify_records_run,
                         .context = &verifying };
        arena_reset(&arena);
        rc = store_run(service->store, &op, err);
        if (verifying.count < records_per_slice)
            break;
    }
    SHA256_Final(result->state_hash, &verifying.state);
    arena_release(&arena);
    arena_release(&verifying.arena);
    arena_release(&verifying.record);
    return rc;
}
