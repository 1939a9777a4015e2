/*
 * verify.c - are the books right? Every owner: movements from both sides, chain, lots, row.
 *
 * Owns:      going through all owners, recomputing the chains, the state hash.
 * Must not:  use the code that books: what an owner must be comes from ledger/audit.c.
 * Invariant: the first fault is named by owner and movement.
 * Tests:     tests/stories/ (tampering), tests/sim/
 */
#define OPENSSL_API_COMPAT 0x10101000L
#define OPENSSL_SUPPRESS_DEPRECATED
#include "service/internal.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { owners_per_slice = 200, movements_per_page = 2000 };

struct verifying {
    struct verify_result *result;
    struct arena arena; /* of one owner */
    SHA256_CTX state;
    uint64_t after;
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

static enum code
verify_owner(struct verifying *verifying, struct tx *tx, const struct owner *owner, struct err *err)
{
    struct audit *audit = audit_begin(&verifying->arena, owner->owner_id);
    unsigned char head[32] = { 0 };
    uint32_t after = 0, count, broken = 0, movement_no = 0;
    struct movement *movement;
    struct err why;

    if (!audit)
        return err_set(err, CODE_NO_MEMORY, "an owner has more movements than memory allows");
    do {
        struct arena_mark mark = arena_mark(&verifying->arena);
        enum code rc = store_list_movements(tx, owner->owner_id, after, movements_per_page,
                                            &verifying->arena, &movement, &count, err);
        if (rc == CODE_CORRUPT) {
            fault(verifying, owner->owner_id, after + 1, err->text);
            return OK;
        }
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            audit_movement(audit, &movement[i]);
            if (!broken && !chain_step(verifying, &movement[i], head))
                broken = movement[i].movement_no;
        }
        after += count;
        verifying->result->movements += count;
        (void)mark; /* the audit keeps what it needs in the same arena */
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
    return OK;
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

enum code
service_verify(struct service *service, progress_fn progress, void *context,
               struct verify_result *result, struct err *err)
{
    struct verifying verifying = { .result = result };
    struct arena arena;
    enum code rc;

    *result = (struct verify_result){ 0 };
    SHA256_Init(&verifying.state);
    arena_init(&verifying.arena, heap_source(), 1 << 20, (size_t)1 << 32);
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
    SHA256_Final(result->state_hash, &verifying.state);
    arena_release(&arena);
    arena_release(&verifying.arena);
    return rc;
}
