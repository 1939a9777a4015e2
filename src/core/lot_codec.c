/*
 * lot_codec.c - canonical bytes of lots, takes and holds, and the order of lots.
 *
 * Owns:      their forms, inside an owner's body, a record, or a row of their own.
 * Must not:  know balances: whether sums agree is the ledger's.
 * Invariant: decode(encode(x)) == x, encode(decode(b)) == b.
 * Cost:      a lot of today takes about 28 bytes.
 * Tests:     tests/unit/core/test_rows.c, tests/fuzz/fuzz_record.c
 *
 * Lot:  flags, lot_no, currency, size, [size - left], [held], life.
 * Take: flags, lot_no, currency, points, [size - points], life.
 * Life: active_from, expires_at, cause, [rule], [version].
 * A part in [] is there when its flag is set, and then it is not 0 (rule: not -1).
 */
#include "core/lot_codec.h"

#include "core/codec.h"

enum {
    flag_pending = 1,
    flag_graced = 2,
    flag_rule = 4,
    flag_version = 8,
    flag_part = 16, /* lot: something is spent; take: not all of the lot was taken */
    flag_held = 32,
    flags_of_lot = 63,
    flags_of_take = flag_graced | flag_rule | flag_version | flag_part,
};

int lot_cmp(const struct lot *a, const struct lot *b)
{
    if (a->expires_at != b->expires_at)
        return a->expires_at < b->expires_at ? -1 : 1;
    return (a->lot_no > b->lot_no) - (a->lot_no < b->lot_no);
}

/* When a lot lives and why it was made. */
struct life {
    unix_ms active_from, expires_at;
    uint64_t cause;
    int32_t rule;
    uint32_t version;
};

static uint32_t life_flags(int32_t rule, uint32_t version)
{
    return (rule != -1 ? flag_rule : 0u) | (version != 0 ? flag_version : 0u);
}

static void put_life(struct buf *buf, const struct life *life)
{
    codec_put_instant(buf, life->active_from);
    codec_put_instant(buf, life->expires_at);
    bytes_put_u64(buf, life->cause);
    if (life->rule != -1) {
        assert(life->rule >= 0);
        bytes_put_u64(buf, (uint64_t)life->rule);
    }
    if (life->version != 0)
        bytes_put_u64(buf, life->version);
}

static struct life get_life(struct bytes_reader *reader, uint32_t flags)
{
    struct life life = { .rule = -1 };

    life.active_from = codec_get_instant(reader);
    life.expires_at = codec_get_instant(reader);
    life.cause = bytes_get_u64(reader);
    if (flags & flag_rule)
        life.rule = (int32_t)codec_get_u32(reader, 0, INT32_MAX);
    if (flags & flag_version)
        life.version = codec_get_u32(reader, 1, UINT32_MAX);
    return life;
}

void lot_put(struct buf *buf, const struct lot *lot)
{
    assert(lot->lot_no > 0);
    assert(lot->left > 0);
    assert(lot->left <= lot->size);
    assert(lot->held >= 0);
    assert(lot->held <= lot->left);

    uint32_t flags = life_flags(lot->rule, lot->version) | (lot->pending ? flag_pending : 0u) |
                     (lot->graced ? flag_graced : 0u) | (lot->left < lot->size ? flag_part : 0u) |
                     (lot->held > 0 ? flag_held : 0u);
    bytes_put_u64(buf, flags);
    bytes_put_u64(buf, lot->lot_no);
    bytes_put_u64(buf, lot->currency);
    codec_put_amount(buf, lot->size);
    if (flags & flag_part)
        codec_put_amount(buf, lot->size - lot->left);
    if (flags & flag_held)
        codec_put_amount(buf, lot->held);
    put_life(buf, &(struct life){ lot->active_from, lot->expires_at, lot->cause, lot->rule,
                                  lot->version });
}

void lot_get(struct bytes_reader *reader, struct lot *lot)
{
    uint32_t flags = codec_get_flags(reader, flags_of_lot);

    lot->pending = (flags & flag_pending) != 0;
    lot->graced = (flags & flag_graced) != 0;
    lot->lot_no = codec_get_u32(reader, 1, UINT32_MAX);
    lot->currency = (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
    lot->size = codec_get_amount_not_0(reader);
    lot->left = lot->size;
    if (flags & flag_part)
        lot->left -= codec_get_amount_not_0(reader);
    lot->held = flags & flag_held ? codec_get_amount_not_0(reader) : 0;
    codec_require(reader, lot->left > 0 && lot->held <= lot->left);

    struct life life = get_life(reader, flags);
    lot->active_from = life.active_from;
    lot->expires_at = life.expires_at;
    lot->cause = life.cause;
    lot->rule = life.rule;
    lot->version = life.version;
}

void lot_encode(const struct lot *lot, struct buf *buf)
{
    codec_put_version(buf);
    lot_put(buf, lot);
}

enum code lot_decode(struct bytes_reader *reader, struct lot *lot, struct err *err)
{
    *lot = (struct lot){ 0 };
    codec_get_version(reader);
    lot_get(reader, lot);
    return codec_part(reader, NULL, "lot", err);
}

void take_encode(const struct take *take, struct buf *buf)
{
    assert(take->lot_no > 0);
    assert(take->points > 0);
    assert(take->points <= take->size);

    uint32_t flags = life_flags(take->rule, take->version) | (take->graced ? flag_graced : 0u) |
                     (take->points < take->size ? flag_part : 0u);
    bytes_put_u64(buf, flags);
    bytes_put_u64(buf, take->lot_no);
    bytes_put_u64(buf, take->currency);
    codec_put_amount(buf, take->points);
    if (flags & flag_part)
        codec_put_amount(buf, take->size - take->points);
    put_life(buf, &(struct life){ take->active_from, take->expires_at, take->cause, take->rule,
                                  take->version });
}

void take_get(struct bytes_reader *reader, struct take *take)
{
    uint32_t flags = codec_get_flags(reader, flags_of_take);

    take->graced = (flags & flag_graced) != 0;
    take->lot_no = codec_get_u32(reader, 1, UINT32_MAX);
    take->currency = (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
    take->points = codec_get_amount_not_0(reader);
    take->size = take->points;
    if (flags & flag_part) {
        amount rest = codec_get_amount_not_0(reader);
        if (!i64_add(take->points, rest, &take->size))
            reader->failed = true;
    }

    struct life life = get_life(reader, flags);
    take->active_from = life.active_from;
    take->expires_at = life.expires_at;
    take->cause = life.cause;
    take->rule = life.rule;
    take->version = life.version;
}

enum code take_decode(struct bytes_reader *reader, struct take *take, struct err *err)
{
    *take = (struct take){ 0 };
    take_get(reader, take);
    return codec_part(reader, NULL, "take", err);
}

void takes_put(struct buf *buf, const struct take *take, uint32_t count)
{
    assert(count <= lots_per_owner_max);
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++)
        take_encode(&take[i], buf);
}

struct take *takes_get(struct bytes_reader *reader, struct arena *arena, uint32_t *count)
{
    struct take *take = codec_array(reader, arena, struct take, lots_per_owner_max, 7, count);

    for (uint32_t i = 0; i < *count && !reader->failed; i++)
        take_get(reader, &take[i]);
    return take;
}
