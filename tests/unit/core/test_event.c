/*
 * test_event.c - events made regular, and their canonical bytes.
 *
 * Owns:      the tests of core/event.h.
 */
#include "compare.h"
#include "sample.h"

static enum code recode_event(void *context, struct text body, struct arena *arena,
                              struct buf *again)
{
    struct bytes_reader reader;
    struct event event;
    struct err err;

    (void)context;
    bytes_open(&reader, body);
    enum code rc = event_decode(&reader, arena, &event, &err);
    if (rc)
        return rc;
    if (!bytes_done(&reader))
        return CODE_CORRUPT;
    event_encode(&event, again);
    return OK;
}

static void round_trips(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 11 };

    (void)state;
    for (int i = 0; i < 400; i++) {
        struct event event, back;
        struct bytes_reader reader;
        struct err err;
        struct buf buf;

        arena_reset(&arena);
        sample_event(&random, &arena, &event);
        buf_init(&buf, &arena, 0);
        event_encode(&event, &buf);
        assert_false(buf.failed);
        bytes_open(&reader, buf_text(&buf));
        assert_int_equal(event_decode(&reader, &arena, &back, &err), OK);
        assert_true(bytes_done(&reader));
        same_event(&event, &back);
        if (i % 4 == 0)
            try_body(buf_text(&buf), &random, recode_event, NULL);
    }
    arena_release(&arena);
}

/* A purchase of one thing, whose bytes are known for ever. */
static void known_bytes(void **state)
{
    struct arena arena = unit_arena();
    struct line line = { .article = TEXT("a1"), .quantity = 1000, .price = INT64_C(4900000000),
                         .gross = 490000 };
    struct event event = { .kind = TEXT("purchase"), .outlet = TEXT("o"), .till = TEXT("t"),
                           .period = 7, .number = TEXT("42"), .occurred_at = 120000,
                           .line = &line, .line_count = 1 };
    struct buf buf;

    (void)state;
    static const unsigned char expected[] = {
        1, 8, 1, 'o', 1, 't', 14, 2, '4', '2', 8, 1, /* head, one line */
        0, 2, 'a', '1', 0, 0, 0x98, 6, 0x94, 6,      /* 49 and 8 zeros, 49 and 4 zeros */
    };
    buf_init(&buf, &arena, 0);
    event_encode(&event, &buf);
    assert_int_equal(buf.len, sizeof expected);
    assert_memory_equal(buf.ptr, expected, sizeof expected);
    arena_release(&arena);
}

static void gross_is_price_times_quantity(void **state)
{
    static const struct {
        int64_t price, quantity;
        uint8_t scale;
        amount gross;
    } table[] = {
        { 199900000, 1000, 2, 19990 },  { 199900000, 3000, 2, 59970 },
        { 10005000, 1000, 2, 1001 },    /* 10.005: half goes up */
        { 10004999, 1000, 2, 1000 },    { 89990000, 357, 2, 3213 }, /* 32.12643 */
        { 1, 1, 6, 0 },                 { 1, 500, 6, 1 },
        { 1500000, 1000, 0, 2 },        { 0, 5000, 2, 0 },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        struct line line = { .price = table[i].price, .quantity = table[i].quantity };
        struct event event = { .line = &line, .line_count = 1 };
        uint32_t bad = 99;
        assert_int_equal(event_normalise(&event, table[i].scale, &bad), OUTCOME_DONE);
        assert_true(line.gross == table[i].gross);
        assert_int_equal(bad, 99);
    }
}

static void price_is_derived_from_gross(void **state)
{
    struct line line = { .quantity = 3000, .gross = 10000, .has_gross = true };
    struct event event = { .line = &line, .line_count = 1 };
    uint32_t bad;

    (void)state;
    assert_int_equal(event_normalise(&event, 2, &bad), OUTCOME_DONE);
    assert_true(line.price == 33333333);
    assert_true(line.gross == 10000);
    assert_int_equal(event_normalise(&event, 2, &bad), OUTCOME_DONE); /* twice is once */
    assert_true(line.price == 33333333);
    assert_true(line.gross == 10000);
}

static void refuses_numbers_out_of_range(void **state)
{
    static const struct {
        struct line line;
        enum outcome outcome;
    } table[] = {
        { { .quantity = 0, .price = 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = -1, .price = 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = QUANTITY_MAX + 1, .price = 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .price = -1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .price = PRICE_MAX + 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .price = 1, .floor = -1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .price = 1, .floor = AMOUNT_MAX + 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .has_gross = true, .gross = -1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = 1000, .has_gross = true, .gross = AMOUNT_MAX + 1 }, OUTCOME_FIELD_RANGE },
        { { .quantity = QUANTITY_MAX, .price = PRICE_MAX }, OUTCOME_AMOUNT_OVERFLOW },
        { { .quantity = 1, .has_gross = true, .gross = AMOUNT_MAX }, OUTCOME_AMOUNT_OVERFLOW },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        struct line line[2] = { { .quantity = 1000, .price = 1000000 }, table[i].line };
        struct event event = { .line = line, .line_count = 2 };
        uint32_t bad = 99;
        assert_int_equal(event_normalise(&event, 2, &bad), table[i].outcome);
        assert_int_equal(bad, 1);
    }
}

/* A request whose attributes come in another order is the same request. */
static void attributes_have_one_order(void **state)
{
    struct arena arena = unit_arena();
    struct attribute one[3] = {
        { .name = TEXT("b"), .type = ATTRIBUTE_NUMBER, .number = 1 },
        { .name = TEXT("a"), .value = TEXT("x") },
        { .name = TEXT("ab"), .type = ATTRIBUTE_BOOL, .number = 1 },
    };
    struct attribute other[3] = { one[2], one[0], one[1] };
    struct event first = { .attribute = one, .attribute_count = 3 };
    struct event second = { .attribute = other, .attribute_count = 3 };
    struct buf a, b;
    uint32_t bad;

    (void)state;
    assert_int_equal(event_normalise(&first, 2, &bad), OUTCOME_DONE);
    assert_int_equal(event_normalise(&second, 2, &bad), OUTCOME_DONE);
    assert_text_is(one[0].name, "a");
    assert_text_is(one[1].name, "ab");
    assert_text_is(one[2].name, "b");
    buf_init(&a, &arena, 0);
    buf_init(&b, &arena, 0);
    event_encode(&first, &a);
    event_encode(&second, &b);
    same_text(buf_text(&a), buf_text(&b));
    arena_release(&arena);
}

static void memory_that_runs_out_is_told(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 5 };
    struct event event, back;
    struct bytes_reader reader;
    struct buf buf;
    struct err err;
    _Alignas(16) char memory[128];
    struct arena small;

    (void)state;
    do
        sample_event(&random, &arena, &event);
    while (event.line_count < 2);
    buf_init(&buf, &arena, 0);
    event_encode(&event, &buf);
    arena_init_fixed(&small, memory, sizeof memory);
    bytes_open(&reader, buf_text(&buf));
    assert_int_equal(event_decode(&reader, &small, &back, &err), CODE_NO_MEMORY);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(known_bytes),
        cmocka_unit_test(gross_is_price_times_quantity),
        cmocka_unit_test(price_is_derived_from_gross),
        cmocka_unit_test(refuses_numbers_out_of_range),
        cmocka_unit_test(attributes_have_one_order),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests_name("core/event", tests, NULL, NULL);
}
