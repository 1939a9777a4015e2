/*
 * seal.c - the hash chain of an owner.
 *
 * Owns:      head' = SHA-256(head | record), then SHA-256(head' | canonical movement), movement by
 *            movement; link = its first bytes.
 * Invariant: each operation of an owner has its record, which stands before its movements. So one
 *            that was altered shows at the first movement after it, or at the head.
 * Must not:  change anything else.
 * Tests:     tests/unit/service/test_seal.c, kopilka verify
 */
#include "service/internal.h"

#include <string.h>

enum code
seal(struct changes *changes, struct arena *arena, struct err *err)
{
    struct owner *owner = changes->owner;
    struct buf bytes;

    if (!owner)
        return OK;
    assert(changes->record.len > 0);
    sha256_two(owner->head, sizeof(owner->head), changes->record.ptr, changes->record.len,
               owner->head);
    buf_init(&bytes, arena, 256);
    for (uint32_t i = 0; i < changes->movement_count; i++) {
        struct movement *movement = &changes->movement[i];
        bytes.len = 0;
        movement_encode_chain(movement, &bytes);
        if (bytes.failed)
            return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
        sha256_two(owner->head, sizeof(owner->head), bytes.ptr, bytes.len, owner->head);
        memcpy(movement->link, owner->head, sizeof(movement->link));
    }
    return OK;
}
