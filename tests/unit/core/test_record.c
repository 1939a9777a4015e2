/*
 * test_record.c - the canonical record of an operation, and what was returned of a purchase.
 *
 * Owns:      the tests of core/record.h and core/decision_codec.h.
 */
#include "compare.h"
#include "sample.h"

static enum code recode_record(void *context, struct text body, struct arena *arena,
                               struct buf *again)
{
    struct record *record = arena_new(arena, struct record);
    struct err err;

    enum code rc = record_decode(body, context, arena, record, &err);
    if (rc == OK)
        record_encode(record, context, again);
    return rc;
}

static void same_decision(const struct decision *a, const struct decision *b)
{
    assert_int_equal(a->outcome, b->outcome);
    same_bytes(a->line, b->line, a->line_count, b->line_count, sizeof *a->line);
    same_bytes(&a->total, &b->total, 1, 1, sizeof a->total);
    same_bytes(a->effect, b->effect, a->effect_count, b->effect_count, sizeof *a->effect);
    assert_int_equal(a->effect_cap, b->effect_cap);
    same_bytes(a->earning, b->earning, a->earning_count, b->earning_count, sizeof *a->earning);
    same_bytes(a->redemption, b->redemption, a->redemption_count, b->redemption_count,
               sizeof *a->redemption);
    same_bytes(a->counter_add, b->counter_add, 1, 1, sizeof a->counter_add);
    assert_int_equal(b->trace_count, 0);
}

static void same_view(const struct member_view *a, const struct member_view *b)
{
    assert_int_equal(a->known, b->known);
    same_bytes(a->level, b->level, 1, 1, sizeof a->level);
    same_bytes(a->counter, b->counter, 1, 1, sizeof a->counter);
    same_bytes(a->available, b->available, 1, 1, sizeof a->available);
    assert_true(a->enrolled_at == b->enrolled_at);
    assert_int_equal(a->segment_count, b->segment_count);
    for (uint32_t i = 0; i < a->segment_count; i++)
        same_text(a->segment[i], b->segment[i]);
}

static void same_result(const struct return_result *a, const struct return_result *b)
{
    assert_true(a->refund == b->refund);
    assert_true(a->certificate == b->certificate);
    assert_true(a->purse == b->purse);
    assert_true(a->shortfall == b->shortfall);
    same_bytes(a->restored, b->restored, a->restored_count, b->restored_count,
               sizeof *a->restored);
    same_bytes(a->revoked, b->revoked, a->revoked_count, b->revoked_count, sizeof *a->revoked);
    same_bytes(a->debt, b->debt, a->revoked_count, b->revoked_count, sizeof *a->debt);
}

static void same_record(const struct record *a, const struct record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->op_id == b->op_id);
    assert_true(a->owner_id == b->owner_id);
    assert_true(a->member_id == b->member_id);
    assert_true(a->origin == b->origin);
    assert_memory_equal(a->request_hash, b->request_hash, sizeof a->request_hash);
    assert_int_equal(a->version, b->version);
    assert_true(a->occurred_at == b->occurred_at);
    assert_true(a->recorded_at == b->recorded_at);
    assert_int_equal(a->is_fact, b->is_fact);
    assert_true(a->uncovered == b->uncovered);
    same_event(&a->event, &b->event);
    same_view(&a->view, &b->view);
    same_decision(&a->decision, &b->decision);
    same_bytes(a->take, b->take, a->take_count, b->take_count, sizeof *a->take);
    same_bytes(a->earned, b->earned, a->earned_count, b->earned_count, sizeof *a->earned);
    same_bytes(a->after, b->after, a->after_count, b->after_count, sizeof *a->after);
    assert_true(a->valid_until == b->valid_until);
    same_bytes(a->returned, b->returned, a->returned_count, b->returned_count,
               sizeof *a->returned);
    same_result(&a->result, &b->result);
    assert_int_equal(a->opening_currency, b->opening_currency);
    assert_true(a->opening_points == b->opening_points);
    assert_true(a->person_id == b->person_id);
    assert_true(a->place.sequence == b->place.sequence);
    assert_true(a->place.previous == b->place.previous);
    assert_int_equal(a->place.last_movement, b->place.last_movement);
    assert_int_equal(a->counted_count, b->counted_count);
    for (uint32_t i = 0; i < a->counted_count; i++) {
        assert_int_equal(a->counted[i].counter_no, b->counted[i].counter_no);
        assert_int_equal(a->counted[i].rolling, b->counted[i].rolling);
        assert_true(a->counted[i].bucket == b->counted[i].bucket);
        assert_true(a->counted[i].add == b->counted[i].add);
    }
    same_bytes(a->key, b->key, a->key_count, b->key_count, sizeof *a->key);
    assert_true(text_equal(a->claim, b->claim));
    assert_true(text_equal(a->returned_after, b->returned_after));
}

static void records_round_trip(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 31 };
    uint32_t seen[record_kind_count] = { 0 };

    (void)state;
    for (int i = 0; i < 600; i++) {
        struct record record, back;
        struct terms terms;
        struct err err;
        struct buf buf;
        struct record_head head;

        arena_reset(&arena);
        sample_terms(&random, &terms);
        sample_record(&random, &arena, &terms, &record);
        buf_init(&buf, &arena, 0);
        record_encode(&record, &terms, &buf);
        assert_false(buf.failed);
        assert_int_equal(record_decode(buf_text(&buf), &terms, &arena, &back, &err), OK);
        same_record(&record, &back);
        assert_int_equal(record_peek(buf_text(&buf), &head, &err), OK);
        assert_int_equal(head.kind, record.kind);
        assert_int_equal(head.version, record.version);
        assert_int_equal(head.request_hash.len, sizeof record.request_hash);
        assert_memory_equal(head.request_hash.ptr, record.request_hash, head.request_hash.len);
        assert_int_equal(head.place.sequence, record.place.sequence);
        assert_int_equal(head.place.previous, record.place.previous);
        assert_int_equal(head.place.last_movement, record.place.last_movement);
        seen[record.kind]++;
        if (i % 4 == 0)
            try_body(buf_text(&buf), &random, recode_record, &terms);
    }
    for (int kind = 0; kind < record_kind_count; kind++)
        assert_true(seen[kind] > 0);
    arena_release(&arena);
}

/* 6 000.00 + 4 000.00, paid with 2 000 points: 1 200.00 / 800.00, money 8 000.00, earns 240.00. */
static void make_purchase(struct record *record, struct line line[2], struct line_result result[2],
                          struct effect effect[4], struct redemption *redemption)
{
    static const amount gross[2] = { 600000, 400000 }, points[2] = { 120000, 80000 };

    for (uint32_t i = 0; i < 2; i++) {
        line[i] = (struct line){ .article = TEXT("4601234567890"), .category = TEXT("clothes"),
                                 .brand = TEXT("own"), .quantity = 1000,
                                 .price = gross[i] * 10000, .gross = gross[i] };
        result[i] = (struct line_result){ .gross = gross[i], .points = points[i],
                                          .money = gross[i] - points[i] };
        effect[i] = (struct effect){ .kind = EFFECT_POINTS, .line = i, .rule = rule_none,
                                     .currency = 1, .points = points[i], .money = points[i] };
        effect[2 + i] = (struct effect){ .kind = EFFECT_EARN, .line = i, .rule = 3, .currency = 1,
                                         .points = i == 0 ? 14400 : 9600 };
    }
    *redemption = (struct redemption){ .currency = 1, .points = 200000, .money = 200000 };
    *record = (struct record){
        .kind = RECORD_PURCHASE, .op_id = UINT64_C(330000000000001234),
        .owner_id = UINT64_C(250000000000004321), .member_id = UINT64_C(250000000000004322),
        .version = 12, .occurred_at = INT64_C(1780000000000), .recorded_at = INT64_C(1780000000321),
        .event = { .kind = TEXT("purchase"), .outlet = TEXT("msk-017"), .till = TEXT("2"),
                   .period = 1234, .number = TEXT("00057"), .occurred_at = INT64_C(1780000000000),
                   .confirmed = true, .tender = TEXT("card"), .line = line, .line_count = 2 },
        .view = { .known = true, .level = { 1 }, .counter = { 1500000 }, .available = { 250000 },
                  .enrolled_at = INT64_C(1700000000123) },
        .decision = { .line_count = 2, .line = result, .effect = effect, .effect_count = 4,
                      .effect_cap = 4, .redemption_count = 1, .redemption = redemption,
                      .total = { .gross = 1000000, .points = 200000, .money = 800000 },
                      .counter_add = { 800000 } },
    };
    memset(record->request_hash, 0x5a, sizeof record->request_hash);
}

static const struct terms small_terms = {
    .version = 12, .money_scale = 2, .currency_count = 1, .counter_count = 1, .ladder_count = 1,
};

/* What a day of receipts costs on disk: a purchase of two lines that pays from two lots. */
static void purchase_is_small(void **state)
{
    struct arena arena = unit_arena();
    struct line line[2];
    struct line_result result[2];
    struct effect effect[4];
    struct redemption redemption;
    struct record record, back;
    struct take take[2] = { 0 };
    struct earning earning = { .rule = 3, .currency = 1, .points = 24000 };
    struct earned_lot earned = { .lot_no = 40, .active_from = INT64_C(1781211600000),
                                 .expires_at = INT64_C(1812747600000) };
    struct balance_after after = { .currency = 1, .active = 50000, .pending = 24000 };
    struct buf buf;
    struct err err;

    (void)state;
    make_purchase(&record, line, result, effect, &redemption);
    for (uint32_t i = 0; i < 2; i++)
        take[i] = (struct take){ .lot_no = 30 + i, .currency = 1, .points = 100000, .size = 150000,
                                 .active_from = INT64_C(1770000000000) + i,
                                 .expires_at = INT64_C(1801515600000),
                                 .cause = UINT64_C(320000000000001234), .rule = 3, .version = 11 };
    record.decision.earning = &earning;
    record.decision.earning_count = 1;
    record.take = take;
    record.take_count = 2;
    record.earned = &earned;
    record.earned_count = 1;
    record.after = &after;
    record.after_count = 1;
    buf_init(&buf, &arena, 0);
    record_encode(&record, &small_terms, &buf);
    assert_in_range(buf.len, 250, 350);
    assert_int_equal(record_decode(buf_text(&buf), &small_terms, &arena, &back, &err), OK);
    assert_true(back.decision.line[0].money == 480000);
    assert_true(back.decision.line[1].money == 320000);
    assert_true(back.decision.total.money == 800000);
    arena_release(&arena);
}

/* The decoder derives what the decision's invariant says; it accepts nothing that breaks it. */
static void sums_that_overflow_are_refused(void **state)
{
    struct arena arena = unit_arena();
    struct line line[2];
    struct line_result result[2];
    struct effect effect[4];
    struct redemption redemption;
    struct record record, back;
    struct buf buf;
    struct err err;

    (void)state;
    make_purchase(&record, line, result, effect, &redemption);
    record.decision.effect_count = 1;
    effect[0] = (struct effect){ .kind = EFFECT_ROUNDING, .line = 0, .rule = rule_none,
                                 .money = INT64_MIN / 2 };
    result[0].points = result[1].points = 0;
    result[0].rounding = INT64_MIN / 2;
    result[0].money = result[0].gross - INT64_MIN / 2;
    result[1].money = result[1].gross;
    record.decision.total = (struct line_result){
        .gross = 1000000, .rounding = INT64_MIN / 2, .money = 1000000 - INT64_MIN / 2,
    };
    buf_init(&buf, &arena, 0);
    record_encode(&record, &small_terms, &buf);
    assert_int_equal(record_decode(buf_text(&buf), &small_terms, &arena, &back, &err), OK);

    /* The same with the effect's money doubled: zigzag of -2^62 is 2^63 - 1, of -2^63 2^64 - 1. */
    static const unsigned char half[9] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
    static const unsigned char whole[10] = { 0xff, 0xff, 0xff, 0xff, 0xff,
                                             0xff, 0xff, 0xff, 0xff, 0x01 };
    size_t at = 0;
    while (at + sizeof half <= buf.len && memcmp(buf.ptr + at, half, sizeof half) != 0)
        at++;
    assert_true(at + sizeof half <= buf.len);
    struct buf bad;
    buf_init(&bad, &arena, 0);
    buf_add(&bad, buf.ptr, at);
    buf_add(&bad, whole, sizeof whole);
    buf_add(&bad, buf.ptr + at + sizeof half, buf.len - at - sizeof half);
    assert_int_equal(record_decode(buf_text(&bad), &small_terms, &arena, &back, &err),
                     CODE_CORRUPT);
    arena_release(&arena);
}

static void another_version_is_refused(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 33 };
    struct record record, back;
    struct terms terms = { .version = 7 };
    struct buf buf;
    struct err err;

    (void)state;
    sample_record(&random, &arena, &terms, &record);
    buf_init(&buf, &arena, 0);
    record_encode(&record, &terms, &buf);
    terms.version = 8;
    assert_int_equal(record_decode(buf_text(&buf), &terms, &arena, &back, &err), CODE_CORRUPT);
    assert_string_equal(err.text, "the stored record is of version 7, not 8");
    terms.version = 7;
    buf.ptr[0] = 2;
    assert_int_equal(record_decode(buf_text(&buf), &terms, &arena, &back, &err), CODE_CORRUPT);
    arena_release(&arena);
}

static void peek_refuses_what_is_no_record(void **state)
{
    static const char bytes[64] = { 1, RECORD_RETURN, 5 };
    struct record_head head = { .kind = RECORD_ENROL, .version = 99 };
    struct err err;

    (void)state;
    for (uint32_t len = 0; len < 38; len++)
        assert_int_equal(record_peek((struct text){ bytes, len }, &head, &err), CODE_CORRUPT);
    assert_int_equal(head.kind, RECORD_ENROL);
    assert_int_equal(head.version, 99);
    assert_int_equal(record_peek((struct text){ bytes, 38 }, &head, &err), OK);
    assert_int_equal(head.kind, RECORD_RETURN);
    assert_int_equal(head.version, 5);
    assert_int_equal(head.request_hash.len, 32);
}

static enum code recode_returned(void *context, struct text body, struct arena *arena,
                                 struct buf *again)
{
    struct returned_state state;
    struct err err;

    enum code rc = returned_state_decode(body, context, arena, &state, &err);
    if (rc == OK)
        returned_state_encode(&state, context, again);
    return rc;
}

static void returned_states_round_trip(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 34 };

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct returned_state a, b;
        struct terms terms;
        struct err err;
        struct buf buf;

        arena_reset(&arena);
        sample_terms(&random, &terms);
        sample_returned(&random, &arena, &terms, &a);
        buf_init(&buf, &arena, 0);
        returned_state_encode(&a, &terms, &buf);
        assert_int_equal(returned_state_decode(buf_text(&buf), &terms, &arena, &b, &err), OK);
        same_bytes(a.quantity, b.quantity, a.line_count, b.line_count, sizeof *a.quantity);
        same_bytes(a.restored, b.restored, a.take_count, b.take_count, sizeof *a.restored);
        same_bytes(a.revoked, b.revoked, a.earning_count, b.earning_count, sizeof *a.revoked);
        same_bytes(a.counter_sub, b.counter_sub, 1, 1, sizeof a.counter_sub);
        assert_true(a.refunded == b.refunded);
        assert_true(a.certificate == b.certificate);
        assert_true(a.purse == b.purse);
        assert_true(a.shortfall == b.shortfall);
        try_body(buf_text(&buf), &random, recode_returned, &terms);
    }
    arena_release(&arena);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(record_kind_name(RECORD_PURCHASE), "PURCHASE");
    assert_string_equal(record_kind_name(RECORD_EVENT), "EVENT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_round_trip),
        cmocka_unit_test(purchase_is_small),
        cmocka_unit_test(sums_that_overflow_are_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(peek_refuses_what_is_no_record),
        cmocka_unit_test(returned_states_round_trip),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("core/record", tests, NULL, NULL);
}
