/*
 * test_text.c - text, buffers, the formatter.
 *
 * Owns:      the tests of base/text.h.
 */
#include "unit.h"

static void texts_compare_bytewise(void **state)
{
    (void)state;
    assert_true(text_equal(TEXT("ab"), text_of("ab")));
    assert_false(text_equal(TEXT("ab"), TEXT("abc")));
    assert_true(text_equal((struct text){ NULL, 0 }, TEXT("")));
    assert_true(text_equal(text_of(NULL), TEXT("")));
    assert_true(text_compare(TEXT("a"), TEXT("b")) < 0);
    assert_true(text_compare(TEXT("b"), TEXT("a")) > 0);
    assert_true(text_compare(TEXT("a"), TEXT("ab")) < 0);
    assert_true(text_compare(TEXT("ab"), TEXT("a")) > 0);
    assert_true(text_compare(TEXT("\x7f"), TEXT("\x80")) < 0);
    assert_int_equal(text_compare(TEXT(""), (struct text){ NULL, 0 }), 0);
    assert_true(text_starts(TEXT("abc"), TEXT("ab")));
    assert_true(text_starts(TEXT("abc"), TEXT("")));
    assert_true(text_starts(TEXT("abc"), TEXT("abc")));
    assert_false(text_starts(TEXT("abc"), TEXT("abcd")));
    assert_false(text_starts(TEXT("abc"), TEXT("b")));
}

/* The published vectors of FNV-1a. */
static void hash_is_fnv1a(void **state)
{
    (void)state;
    assert_true(text_hash(TEXT("")) == 0xcbf29ce484222325u);
    assert_true(text_hash(TEXT("a")) == 0xaf63dc4c8601ec8cu);
    assert_true(text_hash(TEXT("foobar")) == 0x85944171f73967e8u);
}

static void copies_are_own(void **state)
{
    struct arena arena = unit_arena();
    char source[] = "points";
    struct text copy = text_copy(&arena, text_of(source));
    char *c_string = text_c_string(&arena, (struct text){ source, 3 });

    (void)state;
    source[0] = 'X';
    assert_text_is(copy, "points");
    assert_string_equal(c_string, "poi");
    assert_string_equal(text_c_string(&arena, (struct text){ NULL, 0 }), "");
    assert_int_equal(text_copy(&arena, TEXT("")).len, 0);
    arena_release(&arena);

    _Alignas(16) char memory[64];
    arena_init_fixed(&arena, memory, sizeof memory);
    copy = text_copy(&arena, TEXT("sixty-four bytes of memory do not hold this long sentence"));
    assert_null(copy.ptr);
    assert_int_equal(copy.len, 0);
    assert_true(arena.failed);
}

/* The well-formed sequence of a code point, by the definition. */
static int encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    int count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const int lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (int i = count - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[count] | (int)point);
    return count;
}

static void all_code_points_are_utf8(void **state)
{
    char out[4];

    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        int count = encode(point, out);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        assert_int_equal(text_is_utf8((struct text){ out, (uint32_t)count }), !surrogate);
        assert_int_equal(text_utf8_step(out, out + count), surrogate ? 0 : count);
        if (count > 1)
            assert_int_equal(text_utf8_step(out, out + count - 1), 0);
    }
}

/* Is the first sequence of `bytes` a code point's one encoding? Its length, or 0. */
static int reference_step(const unsigned char *bytes, int left)
{
    char again[4];
    int count = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t point = bytes[0] & (count == 1 ? 0x7f : 0xff >> (count + 1));

    if (count > left || (bytes[0] >= 0x80 && bytes[0] < 0xc0) || bytes[0] >= 0xf8)
        return 0;
    for (int i = 1; i < count; i++)
        point = point << 6 | (bytes[i] & 0x3f);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return encode(point, again) == count && memcmp(again, bytes, (size_t)count) == 0 ? count : 0;
}

static void broken_sequences_are_refused(void **state)
{
    static const unsigned char tails[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                           0xbf, 0xc0, 0xc2, 0xe0, 0xf4, 0xff };
    long wrong = 0;

    (void)state;
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            for (size_t i = 0; i < KOP_COUNT(tails) * KOP_COUNT(tails); i++) {
                unsigned char bytes[4] = { (unsigned char)first, (unsigned char)second,
                                           tails[i / KOP_COUNT(tails)],
                                           tails[i % KOP_COUNT(tails)] };
                for (int left = 1; left <= 4; left++) {
                    const char *at = (const char *)bytes;
                    wrong += (int)text_utf8_step(at, at + left) != reference_step(bytes, left);
                }
            }
        }
    }
    assert_int_equal(wrong, 0);
    assert_false(text_is_utf8(TEXT("plain ASCII and then \xff in the middle")));
    assert_false(text_is_utf8(TEXT("12345678\xd0")));
    assert_true(text_is_utf8(TEXT("12345678\xd0\x96")));
    assert_true(text_is_utf8((struct text){ NULL, 0 }));
}

static void digits_are_read(void **state)
{
    static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "9223372036854775808",
                                       "12345678901234567890", "12a", "\xd9\xa1" };
    uint64_t value = 42;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(bad); i++)
        assert_false(text_to_u64(text_of(bad[i]), &value));
    assert_true(value == 42);
    assert_true(text_to_u64(TEXT("0"), &value));
    assert_true(value == 0);
    assert_true(text_to_u64(TEXT("9223372036854775807"), &value));
    assert_true(value == 9223372036854775807u);
    assert_true(text_to_u64(TEXT("007"), &value));
    assert_true(value == 7);
}

static void buf_grows_and_keeps_its_bytes(void **state)
{
    struct arena arena = unit_arena();
    struct buf one, two;

    (void)state;
    buf_init(&one, &arena, 0);
    buf_init(&two, &arena, 10);
    buf_add(&one, NULL, 0);
    assert_int_equal(buf_text(&one).len, 0);
    for (int i = 0; i < 20000; i++) { /* in turns: neither is always the newest */
        buf_add_char(&one, (char)('a' + i % 26));
        if (i % 3 == 0)
            buf_add(&two, "0123456789", 10);
    }
    assert_false(one.failed);
    assert_int_equal(one.len, 20000);
    assert_int_equal(two.len, 66670);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(one.ptr[i], 'a' + i % 26);
    for (size_t i = 0; i < two.len; i++)
        assert_int_equal(two.ptr[i], '0' + i % 10);
    arena_release(&arena);
}

/* The newest buf of an arena doubles where it lies, and what comes after it is not touched. */
static void newest_buf_grows_in_place(void **state)
{
    struct arena arena = unit_arena();
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena, 64);
    char *begin = buf.ptr;
    for (int i = 0; i < 10000; i++)
        buf_add_char(&buf, 'x');
    assert_ptr_equal(buf.ptr, begin);
    unsigned char *next = arena_alloc(&arena, 64);
    memset(next, 0x5a, 64);
    while (buf.ptr == begin)
        buf_add_char(&buf, 'x');
    for (int i = 0; i < 64; i++)
        assert_int_equal(next[i], 0x5a);
    assert_ptr_equal(buf.ptr, next + 64); /* the try to grow in place left no gap */
    arena_release(&arena);
}

static void lost_appends_are_remembered(void **state)
{
    static const char much[500];
    _Alignas(16) char memory[256];
    struct arena arena;
    struct buf buf;

    (void)state;
    arena_init_fixed(&arena, memory, sizeof memory);
    buf_init(&buf, &arena, 16);
    buf_add(&buf, "kept", 4);
    buf_add(&buf, much, sizeof much);
    assert_true(buf.failed);
    assert_true(arena.failed);
    assert_text_is(buf_text(&buf), "kept");
    buf_add_char(&buf, 'x'); /* it would fit, but the text would have a hole */
    buf_add(&buf, "y", 1);
    assert_text_is(buf_text(&buf), "kept");

    arena_reset(&arena);
    buf_init(&buf, &arena, 4000);
    assert_true(buf.failed);
    buf_add_char(&buf, 'x');
    assert_int_equal(buf.len, 0);
}

static void fixed_buf_cuts(void **state)
{
    char memory[8];
    struct buf buf;

    (void)state;
    memory[5] = '!';
    buf_init_fixed(&buf, memory, 5);
    buf_add(&buf, "abc", 3);
    assert_false(buf.failed);
    buf_addf(&buf, "%s", "defgh");
    assert_true(buf.failed);
    buf_add_char(&buf, 'z');
    assert_text_is(buf_text(&buf), "abcde");
    assert_int_equal(memory[5], '!');
}

static void formats_like_printf(void **state)
{
    static const long long number[] = { 0, 1, -1, 9, 10, -10, 123456789, INT32_MAX, INT32_MIN,
                                        INT64_MAX, INT64_MIN };
    struct arena arena = unit_arena();
    char expected[300];
    struct buf buf;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(number); i++) {
        long long n = number[i];
        buf_init(&buf, &arena, 0);
        buf_addf(&buf, "%d%u|%lld %llu%%%c%s.%.*s%s", (int)n, (unsigned)n, n,
                 (unsigned long long)n, 'x', "ключ", 3, "cutting", "");
        snprintf(expected, sizeof expected, "%d%u|%lld %llu%%%c%s.%.*s%s", (int)n, (unsigned)n, n,
                 (unsigned long long)n, 'x', "ключ", 3, "cutting", "");
        assert_text_is(buf_text(&buf), expected);
        buf_init(&buf, &arena, 0);
        buf_add_i64(&buf, n);
        snprintf(expected, sizeof expected, "%lld", n);
        assert_text_is(buf_text(&buf), expected);
    }
    buf_init(&buf, &arena, 0);
    buf_addf(&buf, "%s", "");
    buf_addf(&buf, "plain");
    buf_add_u64(&buf, UINT64_MAX);
    assert_text_is(buf_text(&buf), "plain18446744073709551615");
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_compare_bytewise),
        cmocka_unit_test(hash_is_fnv1a),
        cmocka_unit_test(copies_are_own),
        cmocka_unit_test(all_code_points_are_utf8),
        cmocka_unit_test(broken_sequences_are_refused),
        cmocka_unit_test(digits_are_read),
        cmocka_unit_test(buf_grows_and_keeps_its_bytes),
        cmocka_unit_test(newest_buf_grows_in_place),
        cmocka_unit_test(lost_appends_are_remembered),
        cmocka_unit_test(fixed_buf_cuts),
        cmocka_unit_test(formats_like_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
