/*
 * fuzz_record.c - no bytes break the decoders of stored bodies, and each value has one form.
 *
 * Owns:      the comparison: what a decoder accepts, its encoder writes back byte for byte. The
 *            first byte of an input chooses the decoder, the second the size of the terms.
 * Must not:  keep anything between two inputs.
 */
#include <stdlib.h>
#include <string.h>

#include "core/record.h"
#include "unit/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Decode `body` as a `kind`, encode it into `again`. */
static enum code recode(uint8_t kind, struct text body, const struct terms *terms,
                        struct arena *arena, struct buf *again)
{
    struct bytes_reader reader;
    struct owner owner = { 0 };
    struct movement movement = { 0 };
    struct returned_state returned;
    struct record *record;
    struct event event;
    struct lot lot;
    struct err err;
    enum code rc;

    bytes_open(&reader, body);
    switch (kind) {
    case 0:
        rc = owner_decode(body, arena, &owner, &err);
        if (rc == OK)
            owner_encode(&owner, again);
        return rc;
    case 1:
        rc = movement_decode_body(body, &movement, &err);
        if (rc == OK)
            movement_encode_body(&movement, again);
        return rc;
    case 2:
        rc = returned_state_decode(body, terms, arena, &returned, &err);
        if (rc == OK)
            returned_state_encode(&returned, terms, again);
        return rc;
    case 3:
        rc = event_decode(&reader, arena, &event, &err);
        if (rc == OK)
            event_encode(&event, again);
        return rc != OK || bytes_done(&reader) ? rc : CODE_CORRUPT;
    case 4:
        rc = lot_decode(&reader, &lot, &err);
        if (rc == OK)
            lot_encode(&lot, again);
        return rc != OK || bytes_done(&reader) ? rc : CODE_CORRUPT;
    default:
        record = arena_new(arena, struct record);
        rc = record ? record_decode(body, terms, arena, record, &err) : CODE_NO_MEMORY;
        if (rc == OK)
            record_encode(record, terms, again);
        return rc;
    }
}

/* A record names its version; the terms are those of it, as a caller would fetch them. */
static struct terms terms_for(struct text body, uint8_t sizes)
{
    struct terms terms = { .currency_count = sizes & 3, .counter_count = sizes >> 2 & 3,
                           .ladder_count = sizes >> 4 & 3 };
    struct record_head head;

    if (record_peek(body, &head, NULL) == OK) {
        struct text hash = head.request_hash;
        require(head.kind < record_kind_count);
        require(hash.len == 32);
        require(hash.ptr > body.ptr && hash.ptr + hash.len <= body.ptr + body.len);
        terms.version = head.version;
    }
    return terms;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buf again;

    if (size < 2)
        return 0;
    arena_init(&arena, host_source(), 1 << 16, 64 << 20);
    struct text body = { (const char *)data + 2, (uint32_t)(size - 2) };
    struct terms terms = terms_for(body, data[1]);
    buf_init(&again, &arena, size);
    enum code rc = recode(data[0] % 8, body, &terms, &arena, &again);
    require(rc == OK || rc == CODE_CORRUPT || rc == CODE_NO_MEMORY);
    require(rc != CODE_NO_MEMORY || arena.failed);
    if (rc == OK && !arena.failed)
        require(text_equal(buf_text(&again), body));
    arena_release(&arena);
    return 0;
}
