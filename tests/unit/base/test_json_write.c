/*
 * test_json_write.c - commas, escapes, and what is written is read.
 *
 * Owns:      the tests of base/json_write.h.
 */
#include "base/json_write.h"

#include "json_help.h"

static void writes_compactly(void **state)
{
    struct arena arena = unit_arena();
    struct json_writer writer;
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena, 0);
    json_write_init(&writer, &buf);
    json_begin_object(&writer);
    json_key(&writer, "empty");
    json_begin_array(&writer);
    json_end_array(&writer);
    json_key_text(&writer, TEXT("list"));
    json_begin_array(&writer);
    json_i64(&writer, INT64_MIN);
    json_i64(&writer, INT64_MAX);
    json_id(&writer, UINT64_MAX);
    json_decimal(&writer, -5, 2);
    json_begin_object(&writer);
    json_end_object(&writer);
    json_bool(&writer, true);
    json_bool(&writer, false);
    json_null(&writer);
    json_end_array(&writer);
    json_key(&writer, "raw");
    json_raw(&writer, TEXT("[1, 2]"));
    json_key_text(&writer, TEXT("a\"b"));
    json_string(&writer, "");
    json_key(&writer, "none");
    json_text(&writer, (struct text){ NULL, 0 });
    json_end_object(&writer);
    assert_text_is(buf_text(&buf),
                   "{\"empty\":[],\"list\":[-9223372036854775808,9223372036854775807,"
                   "\"18446744073709551615\",\"-0.05\",{},true,false,null],\"raw\":[1, 2],"
                   "\"a\\\"b\":\"\",\"none\":\"\"}");
    arena_release(&arena);
}

static struct text written(struct arena *arena, struct text value)
{
    struct json_writer writer;
    struct buf buf;

    buf_init(&buf, arena, 0);
    json_write_init(&writer, &buf);
    json_text(&writer, value);
    return buf_text(&buf);
}

/* The same by the way for what is known to be UTF-8. */
static struct text words_written(struct arena *arena, struct text value)
{
    struct json_writer writer;
    struct buf buf;

    buf_init(&buf, arena, 0);
    json_write_init(&writer, &buf);
    json_words(&writer, value);
    return buf_text(&buf);
}

static void escapes(void **state)
{
    static const struct {
        const char *value, *json;
    } row[] = {
        { "plain", "\"plain\"" },
        { "\"\\/", "\"\\\"\\\\/\"" },
        { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
        { "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" },
        { "балл €\xf0\x9f\x8e\x81", "\"балл €\xf0\x9f\x8e\x81\"" },
        { "a\nb\"c", "\"a\\nb\\\"c\"" },
        { "\xff", "\"\xef\xbf\xbd\"" },
        { "a\xd0z\xe2\x82", "\"a\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++)
        assert_text_is(written(&arena, text_of(row[i].value)), row[i].json);
    for (size_t i = 0; i < KOP_COUNT(row) && text_is_utf8(text_of(row[i].value)); i++)
        assert_text_is(words_written(&arena, text_of(row[i].value)), row[i].json);
    for (int c = 1; c < 0x80; c++) { /* each character in each of eight places */
        for (size_t at = 0; at < 8; at++) {
            char eight[9] = "eightbyt";
            eight[at] = (char)c;
            assert_text_is(words_written(&arena, text_of(eight)),
                           text_c_string(&arena, written(&arena, text_of(eight))));
        }
    }
    assert_text_is(written(&arena, (struct text){ "a\0b", 3 }), "\"a\\u0000b\"");
    arena_release(&arena);
}

/* Any bytes at all become a string that the reader takes; well-formed ones come back unchanged. */
static void what_is_written_is_read(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 12 };
    long whole = 0, broken = 0;

    (void)state;
    for (int i = 0; i < 60000; i++) {
        static const char *const piece[] = { "a", "\"", "\\", "\n", "ж", "€", "\xf0\x9f\x8e\x81",
                                             "eight by", "\x1f", "\xd0", "\x80", "\xff" };
        struct json_reader reader;
        struct buf value;
        arena_reset(&arena);
        buf_init(&value, &arena, 64);
        uint32_t kinds = random_below(&random, 2) ? KOP_COUNT(piece) : KOP_COUNT(piece) - 3;
        while (random_below(&random, 8) != 0)
            buf_addf(&value, "%s", piece[random_below(&random, kinds)]);
        json_open(&reader, &arena, written(&arena, buf_text(&value)));
        assert_int_equal(json_next(&reader), JSON_STRING);
        assert_true(text_is_utf8(reader.value));
        if (text_is_utf8(buf_text(&value))) {
            whole++;
            assert_text_is(words_written(&arena, buf_text(&value)),
                           text_c_string(&arena, written(&arena, buf_text(&value))));
            assert_true(text_equal(reader.value, buf_text(&value)));
        } else {
            broken++;
            assert_false(text_equal(reader.value, buf_text(&value)));
        }
        assert_int_equal(json_next(&reader), JSON_END);
    }
    assert_true(whole > 10000);
    assert_true(broken > 10000);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_compactly),
        cmocka_unit_test(escapes),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
