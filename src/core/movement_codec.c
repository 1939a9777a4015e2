/*
 * movement_codec.c - canonical bytes of movements, and the names of accounts and movements.
 *
 * Owns:      the body of a movement's row, and what the owner's chain covers.
 * Must not:  hash; write `link`, which is made from these bytes.
 * Invariant: the body holds the fields that have no column; the chain covers all but `link`.
 * Cost:      a body takes 2 to 25 bytes.
 * Tests:     tests/unit/core/test_rows.c
 *
 * Accounts and kinds are written as numbers: the lists of rows.h only grow at their ends.
 */
#include "core/codec.h"
#include "core/rows.h"

enum {
    has_version = 1,
    has_rule = 2,
    has_cost_owner = 4,
    has_ref = 8,
    has_active_from = 16,
    has_expires_at = 32,
    has_all = 63,
};

const char *account_name(enum account account)
{
    static const char *const name[] = {
#define X(name) #name,
        ACCOUNTS(X)
#undef X
    };

    _Static_assert(KOP_COUNT(name) == account_count, "a name for each account");
    assert((unsigned)account < account_count);
    return name[account];
}

const char *movement_kind_name(enum movement_kind kind)
{
    static const char *const name[] = {
#define X(name) #name,
        MOVEMENTS(X)
#undef X
    };

    _Static_assert(KOP_COUNT(name) == movement_kind_count, "a name for each kind");
    assert((unsigned)kind < movement_kind_count);
    return name[kind];
}

void movement_encode_body(const struct movement *movement, struct buf *buf)
{
    uint32_t flags = (movement->version != 0 ? has_version : 0u) |
                     (movement->rule != -1 ? has_rule : 0u) |
                     (movement->cost_owner != 0 ? has_cost_owner : 0u) |
                     (movement->ref != 0 ? has_ref : 0u) |
                     (movement->active_from != 0 ? has_active_from : 0u) |
                     (movement->expires_at != 0 ? has_expires_at : 0u);

    codec_put_version(buf);
    bytes_put_u64(buf, flags);
    if (flags & has_version)
        bytes_put_u64(buf, movement->version);
    if (flags & has_rule) {
        assert(movement->rule >= 0);
        bytes_put_u64(buf, (uint64_t)movement->rule);
    }
    if (flags & has_cost_owner)
        bytes_put_u64(buf, movement->cost_owner);
    if (flags & has_ref)
        bytes_put_u64(buf, movement->ref);
    if (flags & has_active_from)
        codec_put_instant(buf, movement->active_from);
    if (flags & has_expires_at)
        codec_put_instant(buf, movement->expires_at);
}

static unix_ms get_instant_not_0(struct bytes_reader *reader)
{
    unix_ms instant = codec_get_instant(reader);

    codec_require(reader, instant != 0);
    return instant;
}

enum code movement_decode_body(struct text body, struct movement *movement, struct err *err)
{
    struct bytes_reader reader;

    bytes_open(&reader, body);
    codec_get_version(&reader);
    uint32_t flags = codec_get_flags(&reader, has_all);
    movement->version = flags & has_version ? codec_get_u32(&reader, 1, UINT32_MAX) : 0;
    movement->rule = flags & has_rule ? (int32_t)codec_get_u32(&reader, 0, INT32_MAX) : -1;
    movement->cost_owner = flags & has_cost_owner ? codec_get_u32(&reader, 1, UINT32_MAX) : 0;
    movement->ref = flags & has_ref ? codec_get_u64_not_0(&reader) : 0;
    movement->active_from = flags & has_active_from ? get_instant_not_0(&reader) : 0;
    movement->expires_at = flags & has_expires_at ? get_instant_not_0(&reader) : 0;
    return codec_end(&reader, NULL, "movement", err);
}

void movement_encode_chain(const struct movement *movement, struct buf *buf)
{
    assert(movement->amount >= 0);
    assert(movement->movement_no > 0);

    codec_put_version(buf);
    bytes_put_u64(buf, movement->owner_id);
    bytes_put_u64(buf, movement->movement_no);
    bytes_put_u64(buf, movement->op_id);
    bytes_put_u64(buf, movement->kind);
    bytes_put_u64(buf, movement->account);
    bytes_put_u64(buf, movement->contra);
    bytes_put_u64(buf, movement->currency);
    codec_put_amount(buf, movement->amount);
    bytes_put_u64(buf, movement->lot_no);
    bytes_put_u64(buf, movement->version);
    codec_put_rule(buf, movement->rule);
    bytes_put_u64(buf, movement->cost_owner);
    bytes_put_u64(buf, movement->ref);
    codec_put_instant(buf, movement->at);
    codec_put_instant(buf, movement->active_from);
    codec_put_instant(buf, movement->expires_at);
}
