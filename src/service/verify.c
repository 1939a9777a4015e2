/*
 * verify.c - are the books right? Every owner, and every row that is no owner's.
 *
 * Owns:      going through all owners; the state hash.
 * Must not:  use the code that books: what an owner must be comes from ledger/audit*.c.
 * Invariant: the first fault is named by owner and, where one shows it, by movement.
 * Limits:    a card that is nobody's yet is in no history; of persons only that they are there.
 * Tests:     tests/unit/service/test_verify.c, tests/stories/tampering, tests/sim/
 */
#define OPENSSL_API_COMPAT 0x10101000L
#define OPENSSL_SUPPRESS_DEPRECATED
#include "service/verify.h"

#include <openssl/sha.h>
#include <stdio.h>

enum {
    owners_per_slice = 200,
    clock_differs_ms_max = 60 * 1000, /* between servers; if it is more, a search is longer */
};

/* The pass over owners. */
struct pass {
    struct verifying *verifying;
    SHA256_CTX state;
    uint64_t after; /* owner */
    uint32_t count; /* of the slice */
};

void
verify_fault(struct verifying *verifying, uint64_t owner_id, uint32_t movement_no, const char *what)
{
    struct verify_result *result = verifying->result;

    if (result->faults++ > 0)
        return;
    result->owner_id = owner_id;
    result->movement_no = movement_no;
    snprintf(result->what, sizeof(result->what), "%s", what);
}

/* The row and its overflow. */
static enum code
hash_owner(struct pass *pass, const struct owner *owner, struct err *err)
{
    struct buf bytes;

    buf_init(&bytes, &pass->verifying->arena, 512);
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
    for (uint32_t i = 0; i < owner->counter_count; i++) {
        const struct counter_state *counter = &owner->counter[i];
        if (!counter->rolling)
            continue;
        bytes_put_u64(&bytes, counter->counter_no);
        bytes_put_i64(&bytes, counter->bucket);
        bytes_put_i64(&bytes, counter->value);
    }
    if (bytes.failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for the bytes of an owner");
    SHA256_Update(&pass->state, bytes.ptr, bytes.len);
    return OK;
}

static enum code
owners_run(struct tx *tx, struct op *op, struct err *err)
{
    struct pass *pass = op->context;
    struct verifying *verifying = pass->verifying;
    struct owner *owners;
    enum code rc = store_list_owners(tx, pass->after, owners_per_slice, op->arena, &owners,
                                     &pass->count, err);

    for (uint32_t i = 0; !rc && i < pass->count; i++) {
        arena_reset(&verifying->arena);
        rc = verify_owner(verifying, tx, &owners[i], err);
        if (!rc)
            rc = hash_owner(pass, &owners[i], err);
        pass->after = owners[i].owner_id;
        verifying->result->owners++;
    }
    return rc;
}

static enum code
verify_owners(struct pass *pass, struct arena *arena, progress_fn progress, void *context,
              struct err *err)
{
    enum code rc;

    do {
        struct op op = { .access = ACCESS_READ, .arena = arena, .run = owners_run,
                         .context = pass };
        arena_reset(arena);
        rc = store_run(pass->verifying->service->store, &op, err);
        if (progress)
            progress(context, pass->verifying->result->owners);
    } while (!rc && pass->count == owners_per_slice);
    return rc;
}

enum code
service_verify(struct service *service, progress_fn progress, void *context,
               struct verify_result *result, struct err *err)
{
    struct verifying verifying = {
        .service = service,
        .result = result,
        .began = ids_from(service->host.now(service->host.context) - clock_differs_ms_max),
    };
    struct pass pass = { .verifying = &verifying };
    struct arena arena;

    *result = (struct verify_result){ 0 };
    SHA256_Init(&pass.state);
    arena_init(&verifying.arena, heap_source(), 1 << 20, (size_t)1 << 32);
    arena_init(&verifying.record, heap_source(), 1 << 16, (size_t)1 << 28);
    arena_init(&verifying.page, heap_source(), 1 << 18, (size_t)1 << 30);
    arena_init(&verifying.claims, heap_source(), 1 << 14, (size_t)1 << 24);
    arena_init(&verifying.movements, heap_source(), 1 << 18, (size_t)1 << 30);
    arena_init(&arena, heap_source(), 1 << 18, (size_t)1 << 30);
    enum code rc = verify_owners(&pass, &arena, progress, context, err);
    if (!rc)
        rc = verify_rows(&verifying, err);
    result->movements = verifying.rows[TABLE_movement];
    SHA256_Final(result->state_hash, &pass.state);
    arena_release(&arena);
    arena_release(&verifying.arena);
    arena_release(&verifying.record);
    arena_release(&verifying.page);
    arena_release(&verifying.movements);
    arena_release(&verifying.claims);
    return rc;
}
