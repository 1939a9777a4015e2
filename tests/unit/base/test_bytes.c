/*
 * test_bytes.c - canonical bytes: one value, one form.
 *
 * Owns:      the tests of base/bytes.h; the forms here are stored for ever.
 */
#include "base/bytes.h"

#include "unit.h"

static const uint64_t edges[] = {
    0, 1, 127, 128, 129, 255, 16383, 16384, 2097151, 2097152, UINT32_MAX,
    (uint64_t)UINT32_MAX + 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX,
};

static void known_forms(void **state)
{
    struct arena arena = unit_arena();
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena, 0);
    bytes_put_u64(&buf, 0);
    bytes_put_u64(&buf, 127);
    bytes_put_u64(&buf, 128);
    bytes_put_u64(&buf, 300);
    bytes_put_u64(&buf, UINT64_MAX);
    bytes_put_i64(&buf, 0);
    bytes_put_i64(&buf, -1);
    bytes_put_i64(&buf, 1);
    bytes_put_i64(&buf, -64);
    bytes_put_i64(&buf, 64);
    bytes_put_i64(&buf, INT64_MIN);
    bytes_put_text(&buf, TEXT("ok"));
    bytes_put_text(&buf, (struct text){ NULL, 0 });
    static const unsigned char expected[] = {
        0x00, 0x7f, 0x80, 0x01, 0xac, 0x02,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        0x00, 0x01, 0x02, 0x7f, 0x80, 0x01,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        0x02, 'o', 'k', 0x00,
    };
    assert_int_equal(buf.len, sizeof expected);
    assert_memory_equal(buf.ptr, expected, sizeof expected);
    arena_release(&arena);
}

static void round_trips(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 5 };

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t value = random_next(&random) >> random_below(&random, 64);
        if (i < (int)KOP_COUNT(edges))
            value = edges[i];
        struct buf buf;
        struct bytes_reader reader;
        char word[40];
        uint32_t len = random_below(&random, sizeof word);
        memset(word, i & 0xff, sizeof word);

        arena_reset(&arena);
        buf_init(&buf, &arena, 0);
        bytes_put_u64(&buf, value);
        bytes_put_i64(&buf, (int64_t)value);
        bytes_put_text(&buf, (struct text){ word, len });
        bytes_put_u64(&buf, value & 0xffff);
        bytes_open(&reader, buf_text(&buf));
        assert_true(bytes_get_u64(&reader) == value);
        assert_true(bytes_get_i64(&reader) == (int64_t)value);
        struct text text = bytes_get_text(&reader);
        assert_int_equal(text.len, len);
        assert_memory_equal(text.ptr, word, len);
        assert_false(bytes_done(&reader));
        assert_int_equal(bytes_get_count(&reader, 0xffff), value & 0xffff);
        assert_true(bytes_done(&reader));
    }
    arena_release(&arena);
}

/* Every proper beginning of a form fails, at once and for ever. */
static void truncated_forms_fail(void **state)
{
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(edges); i++) {
        struct buf buf;
        struct bytes_reader reader;
        buf_init(&buf, &arena, 0);
        bytes_put_u64(&buf, edges[i]);
        for (uint32_t len = 0; len < buf.len; len++) {
            bytes_open(&reader, (struct text){ buf.ptr, len });
            assert_true(bytes_get_u64(&reader) == 0);
            assert_true(reader.failed);
            assert_true(bytes_get_u64(&reader) == 0);
            assert_true(bytes_get_i64(&reader) == 0);
            assert_int_equal(bytes_get_text(&reader).len, 0);
            assert_int_equal(bytes_get_count(&reader, 9), 0);
            assert_false(bytes_done(&reader));
        }
    }
    struct bytes_reader reader;
    bytes_open(&reader, TEXT("\x03" "ab"));
    assert_null(bytes_get_text(&reader).ptr);
    assert_true(reader.failed);
    bytes_open(&reader, TEXT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" "ab"));
    assert_null(bytes_get_text(&reader).ptr);
    assert_true(reader.failed);
    bytes_open(&reader, (struct text){ NULL, 0 });
    assert_true(bytes_done(&reader));
    assert_true(bytes_get_u64(&reader) == 0);
    assert_true(reader.failed);
    arena_release(&arena);
}

static void overlong_forms_fail(void **state)
{
    static const struct text bad[] = {
        { "\x80\x00", 2 },
        { "\xff\x00", 2 },
        { "\x80\x80\x00", 3 },
        { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10 },
        { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10 },             /* past 64 bits */
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10 },
        { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11 },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12 },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(bad); i++) {
        struct bytes_reader reader;
        bytes_open(&reader, bad[i]);
        assert_true(bytes_get_u64(&reader) == 0);
        assert_true(reader.failed);
        assert_false(bytes_done(&reader));
    }
}

/* Any bytes that a reader takes as numbers are the bytes that the writer makes of them. */
static void one_value_one_form(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 6 };
    long accepted = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char bytes[12];
        uint32_t len = 1 + random_below(&random, 11);
        for (uint32_t k = 0; k < len; k++) {
            static const unsigned char likely[] = { 0, 1, 0x7f, 0x80, 0xff };
            bytes[k] = (char)(random_below(&random, 2) ? likely[random_below(&random, 5)]
                                                       : random_next(&random));
        }
        struct bytes_reader reader;
        bytes_open(&reader, (struct text){ bytes, len });
        uint64_t value = bytes_get_u64(&reader);
        if (!bytes_done(&reader))
            continue;
        struct buf buf;
        accepted++;
        arena_reset(&arena);
        buf_init(&buf, &arena, 16);
        bytes_put_u64(&buf, value);
        assert_int_equal(buf.len, len);
        assert_memory_equal(buf.ptr, bytes, len);
    }
    assert_true(accepted > 1000);
    arena_release(&arena);
}

static void counts_have_a_limit(void **state)
{
    struct bytes_reader reader;

    (void)state;
    bytes_open(&reader, TEXT("\x05\x06"));
    assert_int_equal(bytes_get_count(&reader, 5), 5);
    assert_int_equal(bytes_get_count(&reader, 5), 0);
    assert_true(reader.failed);
    bytes_open(&reader, TEXT("\x06\x05\x01x"));
    assert_int_equal(bytes_get_count(&reader, 5), 0);
    assert_int_equal(bytes_get_count(&reader, 5), 0); /* zeros for ever, though a 5 comes */
    assert_int_equal(bytes_get_text(&reader).len, 0);
    assert_false(bytes_done(&reader));
    bytes_open(&reader, TEXT("\x80\x80\x80\x80\x10")); /* 2^32 */
    assert_int_equal(bytes_get_count(&reader, UINT32_MAX), 0);
    assert_true(reader.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_forms),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(truncated_forms_fail),
        cmocka_unit_test(overlong_forms_fail),
        cmocka_unit_test(one_value_one_form),
        cmocka_unit_test(counts_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
