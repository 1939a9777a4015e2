/*
 * test_rows.c - canonical bytes of owners, lots, holds and movements.
 *
 * Owns:      the tests of core/rows.h and core/codec.h.
 */
#include "compare.h"
#include "core/codec.h"
#include "sample.h"

static enum code recode_owner(void *context, struct text body, struct arena *arena,
                              struct buf *again)
{
    struct owner owner = { 0 };
    struct err err;

    (void)context;
    enum code rc = owner_decode(body, arena, &owner, &err);
    if (rc == OK)
        owner_encode(&owner, again);
    return rc;
}

static void same_owner(const struct owner *a, const struct owner *b)
{
    assert_int_equal(a->flags, b->flags);
    assert_true(a->enrolled_at == b->enrolled_at);
    assert_true(a->settled_to == b->settled_to);
    same_bytes(a->balance, b->balance, a->balance_count, b->balance_count, sizeof *a->balance);
    same_bytes(a->level, b->level, a->level_count, b->level_count, sizeof *a->level);
    same_bytes(a->counter, b->counter, a->counter_count, b->counter_count, sizeof *a->counter);
    assert_int_equal(a->hold_count, b->hold_count);
    for (uint32_t i = 0; i < a->hold_count; i++) {
        assert_true(a->hold[i].id == b->hold[i].id);
        assert_true(a->hold[i].ends_at == b->hold[i].ends_at);
        same_bytes(a->hold[i].take, b->hold[i].take, a->hold[i].take_count, b->hold[i].take_count,
                   sizeof(struct take));
    }
    same_bytes(a->lot, b->lot, a->lot_count, b->lot_count, sizeof *a->lot);
}

static void owners_round_trip(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 21 };

    (void)state;
    for (int i = 0; i < 400; i++) {
        struct owner owner, back = { .owner_id = 5, .version = 6 };
        struct buf buf;
        struct err err;

        arena_reset(&arena);
        sample_owner(&random, &arena, &owner);
        buf_init(&buf, &arena, 0);
        owner_encode(&owner, &buf);
        assert_false(buf.failed);
        assert_int_equal(owner_decode(buf_text(&buf), &arena, &back, &err), OK);
        same_owner(&owner, &back);
        assert_true(back.lot_cap > back.lot_count); /* room for what is earned next */
        assert_int_equal(back.owner_id, 5);         /* columns are not the body's */
        assert_int_equal(back.version, 6);
        if (i % 4 == 0)
            try_body(buf_text(&buf), &random, recode_owner, NULL);
    }
    arena_release(&arena);
}

static void overflow_and_rolling_days_are_left_out(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 22 };
    struct lot lot[20] = { 0 };
    struct counter_state counter[4] = {
        { .counter_no = 2, .bucket = 5, .value = 50 },
        { .counter_no = 3, .rolling = true, .bucket = 100, .value = 1 },
        { .counter_no = 3, .rolling = true, .bucket = 101, .value = 2 },
        { .counter_no = 4, .bucket = 5, .value = 70 },
    };
    struct owner owner = { .lot = lot, .lot_count = 20, .counter = counter, .counter_count = 4 };
    struct owner back = { 0 };
    struct buf buf;
    struct err err;

    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        sample_lot(&random, &lot[i]);
        lot[i].expires_at = 1000 + i;
    }
    buf_init(&buf, &arena, 0);
    owner_encode(&owner, &buf);
    assert_int_equal(owner_decode(buf_text(&buf), &arena, &back, &err), OK);
    same_bytes(lot, back.lot, lots_in_owner_row_max, back.lot_count, sizeof *lot);
    assert_int_equal(back.counter_count, 2);
    same_bytes(&counter[0], &back.counter[0], 1, 1, sizeof *counter);
    same_bytes(&counter[3], &back.counter[1], 1, 1, sizeof *counter);
    arena_release(&arena);
}

/* What is out of order or twice has another form already. */
static void refuses_disorder(void **state)
{
    static const struct {
        const char *why;
        unsigned char body[24];
        uint32_t len;
        bool good;
    } table[] = {
        { "an owner without anything", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, true },
        { "another version", { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, false },
        { "an unknown flag", { 1, 8, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, false },
        { "two balances", { 1, 0, 0, 0, 0, 2, 1, 0, 2, 0, 0, 0, 0, 0 }, 14, true },
        { "a balance twice", { 1, 0, 0, 0, 0, 2, 1, 0, 1, 0, 0, 0, 0, 0 }, 14, false },
        { "balances out of order", { 1, 0, 0, 0, 0, 2, 2, 0, 1, 0, 0, 0, 0, 0 }, 14, false },
        { "currency 0", { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0 }, 12, false },
        { "currency 17", { 1, 0, 0, 0, 0, 1, 17, 0, 0, 0, 0, 0 }, 12, false },
        { "an account that is 0", { 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0 }, 13, false },
        { "an account with 1", { 1, 0, 0, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0 }, 13, true },
        { "ladder 9", { 1, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 0 }, 13, false },
        { "level 33", { 1, 0, 0, 0, 0, 0, 1, 8, 33, 0, 0, 0, 0 }, 13, false },
        { "level 32", { 1, 0, 0, 0, 0, 0, 1, 8, 32, 0, 0, 0, 0 }, 13, true },
        { "counter 65", { 1, 0, 0, 0, 0, 0, 0, 1, 65, 0, 0, 0, 0 }, 13, false },
        { "counter 64", { 1, 0, 0, 0, 0, 0, 0, 1, 64, 0, 0, 0, 0 }, 13, true },
        { "a hold twice", { 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 0, 0, 7, 0, 0, 0 }, 16, false },
        { "two holds", { 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 0, 0, 8, 0, 0, 0 }, 16, true },
        { "65 holds", { 1, 0, 0, 0, 0, 0, 0, 0, 65 }, 9, false },
        { "17 lots", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 17 }, 10, false },
        { "a lot", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 1, 9, 0, 1, 77 }, 17, true },
        { "lot number 0", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 9, 0, 1, 77 }, 17, false },
        { "a lot of nothing", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 0, 1, 77 }, 17, false },
        { "all spent", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16, 3, 1, 9, 9, 0, 1, 77 }, 18, false },
        { "8 of 9 spent", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16, 3, 1, 9, 8, 0, 1, 77 }, 18, true },
        { "too much held", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 32, 3, 1, 9, 10, 0, 1, 77 }, 18, false },
        { "version 0", { 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 3, 1, 9, 0, 1, 77, 0 }, 18, false },
    };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        struct owner owner = { 0 };
        struct err err;
        struct text body = { (const char *)table[i].body, table[i].len };
        enum code rc = owner_decode(body, &arena, &owner, &err);
        if (rc != (table[i].good ? OK : CODE_CORRUPT))
            fail_msg("%s: %s", table[i].why, code_name(rc));
    }
    arena_release(&arena);
}

static enum code recode_lot(void *context, struct text body, struct arena *arena,
                            struct buf *again)
{
    struct bytes_reader reader;
    struct lot lot;
    struct err err;

    (void)context;
    (void)arena;
    bytes_open(&reader, body);
    enum code rc = lot_decode(&reader, &lot, &err);
    if (rc)
        return rc;
    if (!bytes_done(&reader))
        return CODE_CORRUPT;
    lot_encode(&lot, again);
    return OK;
}

static enum code recode_take(void *context, struct text body, struct arena *arena,
                             struct buf *again)
{
    struct bytes_reader reader;
    struct take take;
    struct err err;

    (void)context;
    (void)arena;
    bytes_open(&reader, body);
    enum code rc = take_decode(&reader, &take, &err);
    if (rc)
        return rc;
    if (!bytes_done(&reader))
        return CODE_CORRUPT;
    take_encode(&take, again);
    return OK;
}

static void lots_and_takes_round_trip(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 23 };

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct lot lot = { 0 }, lot_back;
        struct take take = { 0 }, take_back;
        struct bytes_reader reader;
        struct buf buf;
        struct err err;

        arena_reset(&arena);
        memset(&lot, 0, sizeof lot);
        memset(&take, 0, sizeof take);
        memset(&lot_back, 0, sizeof lot_back);
        memset(&take_back, 0, sizeof take_back);
        sample_lot(&random, &lot);
        sample_take(&random, &take);
        buf_init(&buf, &arena, 0);
        lot_encode(&lot, &buf);
        size_t middle = buf.len;
        take_encode(&take, &buf);
        bytes_open(&reader, buf_text(&buf));
        assert_int_equal(lot_decode(&reader, &lot_back, &err), OK);
        assert_int_equal(take_decode(&reader, &take_back, &err), OK);
        assert_true(bytes_done(&reader));
        same_bytes(&lot, &lot_back, 1, 1, sizeof lot);
        same_bytes(&take, &take_back, 1, 1, sizeof take);
        try_body((struct text){ buf.ptr, (uint32_t)middle }, &random, recode_lot, NULL);
        try_body((struct text){ buf.ptr + middle, (uint32_t)(buf.len - middle) }, &random,
                 recode_take, NULL);
    }
    arena_release(&arena);
}

static enum code recode_movement(void *context, struct text body, struct arena *arena,
                                 struct buf *again)
{
    struct movement movement = { 0 };
    struct err err;

    (void)context;
    (void)arena;
    enum code rc = movement_decode_body(body, &movement, &err);
    if (rc == OK)
        movement_encode_body(&movement, again);
    return rc;
}

static void movements_round_trip(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 24 };

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct movement movement, back;
        struct buf buf, chain, chain_back;
        struct err err;

        arena_reset(&arena);
        sample_movement(&random, &movement);
        buf_init(&buf, &arena, 0);
        movement_encode_body(&movement, &buf);
        /* The rest are columns. */
        back = movement;
        back.version = back.cost_owner = 77;
        back.rule = 77;
        back.ref = 77;
        back.active_from = back.expires_at = 77;
        assert_int_equal(movement_decode_body(buf_text(&buf), &back, &err), OK);
        assert_int_equal(back.version, movement.version);
        assert_int_equal(back.rule, movement.rule);
        assert_int_equal(back.cost_owner, movement.cost_owner);
        assert_true(back.ref == movement.ref);
        assert_true(back.active_from == movement.active_from);
        assert_true(back.expires_at == movement.expires_at);
        buf_init(&chain, &arena, 0);
        buf_init(&chain_back, &arena, 0);
        movement_encode_chain(&movement, &chain);
        movement_encode_chain(&back, &chain_back);
        same_text(buf_text(&chain), buf_text(&chain_back));
        try_body(buf_text(&buf), &random, recode_movement, NULL);
    }
    arena_release(&arena);
}

/* Every field but `link` changes what the chain covers. */
static void chain_covers_every_field(void **state)
{
    struct arena arena = unit_arena();
    const struct movement base = { .owner_id = 1, .movement_no = 2, .op_id = 3, .rule = 4 };
    struct movement changed[17];
    struct buf plain;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(changed); i++)
        changed[i] = base;
    changed[0].owner_id++;
    changed[1].movement_no++;
    changed[2].op_id++;
    changed[3].kind++;
    changed[4].account++;
    changed[5].contra++;
    changed[6].currency++;
    changed[7].amount++;
    changed[8].lot_no++;
    changed[9].version++;
    changed[10].rule++;
    changed[11].cost_owner++;
    changed[12].ref++;
    changed[13].at++;
    changed[14].active_from++;
    changed[15].expires_at++;
    changed[16].link[0]++;
    buf_init(&plain, &arena, 0);
    movement_encode_chain(&base, &plain);
    for (size_t i = 0; i < KOP_COUNT(changed); i++) {
        struct buf buf;
        buf_init(&buf, &arena, 0);
        movement_encode_chain(&changed[i], &buf);
        assert_int_equal(text_equal(buf_text(&buf), buf_text(&plain)), i == 16);
    }
    arena_release(&arena);
}

static void lots_have_one_order(void **state)
{
    const struct lot soon = { .lot_no = 9, .expires_at = 100 };
    const struct lot soon_later = { .lot_no = 10, .expires_at = 100 };
    const struct lot late = { .lot_no = 1, .expires_at = 101 };
    const struct lot never = { .lot_no = 1, .expires_at = TIME_NONE };

    (void)state;
    assert_true(lot_cmp(&soon, &soon_later) < 0);
    assert_true(lot_cmp(&soon_later, &soon) > 0);
    assert_true(lot_cmp(&soon_later, &late) < 0);
    assert_true(lot_cmp(&late, &never) < 0);
    assert_true(lot_cmp(&never, &soon) > 0);
    assert_int_equal(lot_cmp(&soon, &soon), 0);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(account_name(ACCOUNT_PENDING), "PENDING");
    assert_string_equal(account_name(ACCOUNT_MOVED), "MOVED");
    assert_string_equal(movement_kind_name(MOVEMENT_EARN), "EARN");
    assert_string_equal(movement_kind_name(MOVEMENT_LEVEL), "LEVEL");
}

/* Instants and round numbers: known lengths, and one form each. */
static void shared_forms(void **state)
{
    static const struct {
        unix_ms instant;
        size_t bytes;
    } instants[] = {
        { 0, 1 },
        { TIME_NONE, 1 },
        { INT64_C(1782853200000), 4 }, /* 2026-07-01, midnight in Moscow */
        { INT64_C(1782853200001), 7 },
        { -60000, 1 },
        { -1, 1 },
    };
    struct arena arena = unit_arena();
    struct bytes_reader reader;
    struct buf buf;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(instants); i++) {
        buf_init(&buf, &arena, 0);
        codec_put_instant(&buf, instants[i].instant);
        assert_int_equal(buf.len, instants[i].bytes);
        bytes_open(&reader, buf_text(&buf));
        assert_true(codec_get_instant(&reader) == instants[i].instant);
        assert_true(bytes_done(&reader));
    }
    /* 60000 ms written as milliseconds: zigzag 120000, times 2, plus 1. */
    buf_init(&buf, &arena, 0);
    bytes_put_u64(&buf, 240001);
    bytes_open(&reader, buf_text(&buf));
    (void)codec_get_instant(&reader);
    assert_true(reader.failed);
    for (int64_t value = 0, i = 0; i < 31; i++) {
        buf_init(&buf, &arena, 0);
        codec_put_round(&buf, value);
        bytes_open(&reader, buf_text(&buf));
        assert_true(codec_get_round(&reader) == value);
        assert_true(bytes_done(&reader));
        value = i < 15 ? i64_pow10((int)i) : i64_pow10((int)i - 15) * 7;
        if (value > INT64_C(1000000000000000))
            value = 1;
    }
    static const uint64_t refused[] = { 1, 10 << 4, 10 << 4 | 3, 2 << 4 | 15, UINT64_MAX };
    for (size_t i = 0; i < KOP_COUNT(refused); i++) {
        buf_init(&buf, &arena, 0);
        bytes_put_u64(&buf, refused[i]);
        bytes_open(&reader, buf_text(&buf));
        (void)codec_get_round(&reader);
        assert_true(reader.failed);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_round_trip),
        cmocka_unit_test(overflow_and_rolling_days_are_left_out),
        cmocka_unit_test(refuses_disorder),
        cmocka_unit_test(lots_and_takes_round_trip),
        cmocka_unit_test(movements_round_trip),
        cmocka_unit_test(chain_covers_every_field),
        cmocka_unit_test(lots_have_one_order),
        cmocka_unit_test(names),
        cmocka_unit_test(shared_forms),
    };
    return cmocka_run_group_tests_name("core/rows", tests, NULL, NULL);
}
