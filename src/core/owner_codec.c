/*
 * owner_codec.c - canonical bytes of an owner's body.
 *
 * Owns:      the form of the row that every purchase reads and rewrites.
 * Must not:  write lots beyond lots_in_owner_row_max or rolling counters, which are rows of their
 *            own.
 * Invariant: decode(encode(x)) == x and encode(decode(b)) == b. Everything is in its one order, so
 *            a decoder refuses what is out of it.
 * Cost:      under a microsecond for an owner with three lots, both ways.
 * Tests:     tests/unit/core/test_rows.c, tests/fuzz/fuzz_record.c
 *
 * Body: version, flags, enrolled_at, settled_to, last_op, then counted lists of balances (currency,
 * mask of accounts that are not 0, those), levels, counters, holds (id, ends_at, takes) and lots.
 */
#include "core/codec.h"
#include "core/lot_codec.h"
#include "core/rows.h"

enum {
    known_flags = owner_flag_closed | owner_flag_anonymous | owner_flag_pool,
    lot_room = 8, /* that a decoded owner has for new lots */
};

static void put_balances(const struct owner *owner, struct buf *buf)
{
    assert(owner->balance_count <= currencies_per_programme_max);

    bytes_put_u64(buf, owner->balance_count);
    for (uint32_t i = 0; i < owner->balance_count; i++) {
        const struct balance *balance = &owner->balance[i];
        uint32_t mask = 0;

        assert(i == 0 || owner->balance[i - 1].currency < balance->currency);
        for (uint32_t k = 0; k < account_count; k++)
            mask |= balance->of[k] != 0 ? 1u << k : 0u;
        bytes_put_u64(buf, balance->currency);
        bytes_put_u64(buf, mask);
        for (uint32_t k = 0; k < account_count; k++)
            if (mask >> k & 1)
                bytes_put_i64(buf, balance->of[k]);
    }
}

static void get_balances(struct bytes_reader *reader, struct arena *arena, struct owner *owner)
{
    uint32_t last = 0;

    owner->balance = codec_array(reader, arena, struct balance, currencies_per_programme_max, 2,
                                 &owner->balance_count);
    for (uint32_t i = 0; i < owner->balance_count && !reader->failed; i++) {
        struct balance *balance = &owner->balance[i];
        last = codec_get_u32(reader, last + 1, currencies_per_programme_max);
        balance->currency = (uint8_t)last;
        uint32_t mask = codec_get_flags(reader, (1u << account_count) - 1);
        for (uint32_t k = 0; k < account_count; k++)
            if (mask >> k & 1)
                balance->of[k] = codec_get_i64_not_0(reader);
    }
}

static void put_levels(const struct owner *owner, struct buf *buf)
{
    assert(owner->level_count <= ladders_per_programme_max);

    bytes_put_u64(buf, owner->level_count);
    for (uint32_t i = 0; i < owner->level_count; i++) {
        const struct level_state *level = &owner->level[i];
        assert(i == 0 || owner->level[i - 1].ladder_no < level->ladder_no);
        bytes_put_u64(buf, level->ladder_no);
        bytes_put_u64(buf, level->level);
        codec_put_instant(buf, level->since);
    }
}

static void get_levels(struct bytes_reader *reader, struct arena *arena, struct owner *owner)
{
    uint32_t last = 0;

    owner->level = codec_array(reader, arena, struct level_state, ladders_per_programme_max, 3,
                               &owner->level_count);
    for (uint32_t i = 0; i < owner->level_count && !reader->failed; i++) {
        last = codec_get_u32(reader, last + 1, ladders_per_programme_max);
        owner->level[i].ladder_no = (uint8_t)last;
        owner->level[i].level = (uint8_t)codec_get_u32(reader, 0, levels_per_ladder_max);
        owner->level[i].since = codec_get_instant(reader);
    }
}

/* Those that are not rolling. */
static void put_counters(const struct owner *owner, struct buf *buf)
{
    uint32_t count = 0, last = 0;

    for (uint32_t i = 0; i < owner->counter_count; i++)
        count += !owner->counter[i].rolling;
    assert(count <= counters_per_programme_max);
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < owner->counter_count; i++) {
        const struct counter_state *counter = &owner->counter[i];
        if (counter->rolling)
            continue;
        assert(counter->counter_no > last);
        last = counter->counter_no;
        bytes_put_u64(buf, counter->counter_no);
        bytes_put_i64(buf, counter->bucket);
        bytes_put_i64(buf, counter->value);
    }
}

static void get_counters(struct bytes_reader *reader, struct arena *arena, struct owner *owner)
{
    uint32_t last = 0;

    owner->counter = codec_array(reader, arena, struct counter_state, counters_per_programme_max, 3,
                                 &owner->counter_count);
    for (uint32_t i = 0; i < owner->counter_count && !reader->failed; i++) {
        last = codec_get_u32(reader, last + 1, counters_per_programme_max);
        owner->counter[i].counter_no = (uint8_t)last;
        owner->counter[i].bucket = bytes_get_i64(reader);
        owner->counter[i].value = bytes_get_i64(reader);
    }
}

static void put_holds(const struct owner *owner, struct buf *buf)
{
    assert(owner->hold_count <= holds_per_owner_max);

    bytes_put_u64(buf, owner->hold_count);
    for (uint32_t i = 0; i < owner->hold_count; i++) {
        const struct hold *hold = &owner->hold[i];
        assert(i == 0 || owner->hold[i - 1].id < hold->id);
        bytes_put_u64(buf, hold->id);
        codec_put_instant(buf, hold->ends_at);
        takes_put(buf, hold->take, hold->take_count);
    }
}

static void get_holds(struct bytes_reader *reader, struct arena *arena, struct owner *owner)
{
    owner->hold =
        codec_array(reader, arena, struct hold, holds_per_owner_max, 3, &owner->hold_count);
    for (uint32_t i = 0; i < owner->hold_count && !reader->failed; i++) {
        struct hold *hold = &owner->hold[i];
        hold->id = bytes_get_u64(reader);
        hold->ends_at = codec_get_instant(reader);
        hold->take = takes_get(reader, arena, &hold->take_count);
        codec_require(reader, i == 0 || owner->hold[i - 1].id < hold->id);
    }
}

static void put_lots(const struct owner *owner, struct buf *buf)
{
    uint32_t count = owner->lot_count;

    if (count > lots_in_owner_row_max)
        count = lots_in_owner_row_max;
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++) {
        assert(i == 0 || lot_cmp(&owner->lot[i - 1], &owner->lot[i]) < 0);
        lot_put(buf, &owner->lot[i]);
    }
}

static void get_lots(struct bytes_reader *reader, struct arena *arena, struct owner *owner)
{
    uint32_t count = bytes_get_count(reader, lots_in_owner_row_max);

    owner->lot = arena_array(arena, struct lot, count + lot_room);
    if (owner->lot == NULL) {
        reader->failed = true;
        return;
    }
    owner->lot_cap = count + lot_room;
    for (uint32_t i = 0; i < count && !reader->failed; i++) {
        lot_get(reader, &owner->lot[i]);
        codec_require(reader, i == 0 || lot_cmp(&owner->lot[i - 1], &owner->lot[i]) < 0);
        owner->lot_count = i + 1;
    }
}

void owner_encode(const struct owner *owner, struct buf *buf)
{
    assert((owner->flags & ~(uint32_t)known_flags) == 0);

    codec_put_version(buf);
    bytes_put_u64(buf, owner->flags);
    codec_put_instant(buf, owner->enrolled_at);
    codec_put_instant(buf, owner->settled_to);
    bytes_put_u64(buf, owner->last_op);
    put_balances(owner, buf);
    put_levels(owner, buf);
    put_counters(owner, buf);
    put_holds(owner, buf);
    put_lots(owner, buf);
}

enum code owner_decode(struct text body, struct arena *arena, struct owner *owner, struct err *err)
{
    struct bytes_reader reader;

    bytes_open(&reader, body);
    codec_get_version(&reader);
    owner->flags = codec_get_flags(&reader, known_flags);
    owner->enrolled_at = codec_get_instant(&reader);
    owner->settled_to = codec_get_instant(&reader);
    owner->last_op = bytes_get_u64(&reader);
    owner->lot_count = 0;
    owner->lot_cap = 0;
    get_balances(&reader, arena, owner);
    get_levels(&reader, arena, owner);
    get_counters(&reader, arena, owner);
    get_holds(&reader, arena, owner);
    get_lots(&reader, arena, owner);
    return codec_end(&reader, arena, "owner", err);
}
