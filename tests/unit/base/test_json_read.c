/*
 * test_json_read.c - the pull parser accepts RFC 8259 and nothing else.
 *
 * Owns:      the tests of base/json_read.h; tests of the tree compare with a second parser.
 */
#include "base/json_read.h"

#include "unit.h"

/* All tokens of `input` as one line: {"a":[1 t f n "s"]} and "." at the end, "!" for an error. */
static struct text trace(struct json_reader *reader, struct arena *arena, struct text input)
{
    static const char *const mark[] = { "!", ".", "{", "}", "[", "]", "", "", "", "t", "f", "n" };
    enum json_token token;
    struct buf buf;

    buf_init(&buf, arena, 64);
    json_open(reader, arena, input);
    do {
        token = json_next(reader);
        struct text value = reader->value;
        buf_addf(&buf, "%s", mark[token]);
        if (token == JSON_KEY)
            buf_addf(&buf, "<%.*s>", (int)value.len, value.ptr);
        else if (token == JSON_STRING)
            buf_addf(&buf, "'%.*s'", (int)value.len, value.ptr);
        else if (token == JSON_NUMBER)
            buf_addf(&buf, "#%.*s", (int)value.len, value.ptr);
    } while (token > JSON_END);
    return buf_text(&buf);
}

static void accepted(void **state)
{
    static const struct {
        const char *text, *trace;
    } row[] = {
        { "{}", "{}." },
        { "[]", "[]." },
        { " \t\r\n[ \t\r\n] \t\r\n", "[]." },
        { "null", "n." },
        { "true", "t." },
        { "false", "f." },
        { "\"\"", "''." },
        { "0", "#0." },
        { "-0", "#-0." },
        { "-0.0e-0", "#-0.0e-0." },
        { "1e5", "#1e5." },
        { "1E+05", "#1E+05." },
        { "123456789012345678901234567890.00100", "#123456789012345678901234567890.00100." },
        { " 7 ", "#7." },
        { "[1,2 , 3]", "[#1#2#3]." },
        { "[[],{},[[]]]", "[[]{}[[]]]." },
        { "{\"a\":1,\"b\":[true,null]}", "{<a>#1<b>[tn]}." },
        { "{ \"a\" : { \"\" : \"x\" } , \"a\" : false }", "{<a>{<>'x'}<a>f}." },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "'\"\\/\b\f\n\r\t'." },
        { "\"\\u0041\\u00e9\\u0416\\u20AC\"", "'Aé\u0416€'." },
        { "\"\\ud83c\\udf81\"", "'\xf0\x9f\x8e\x81'." },
        { "\"\\uD800\\uDC00 \\udbff\\udfff\"", "'\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf'." },
        { "\"\xd0\x96 \xe2\x82\xac \xf0\x9f\x8e\x81 \x7f/\"", "'Ж € \xf0\x9f\x8e\x81 \x7f/'." },
        { "\"\xef\xbf\xbe\xef\xbf\xbf\"", "'\xef\xbf\xbe\xef\xbf\xbf'." }, /* noncharacters */
        { "{\"k\\u0065y\":\"v\\\\\"}", "{<key>'v\\'}." },
        { "[\"a\",\"b\\n\",\"c\"]", "['a''b\n''c']." },
    };
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++) {
        assert_text_is(trace(&reader, &arena, text_of(row[i].text)), row[i].trace);
        assert_null(reader.problem);
        assert_int_equal(json_next(&reader), JSON_END); /* again */
        arena_reset(&arena);
    }
    arena_release(&arena);
}

struct refusal {
    const char *text;
    int byte; /* where the problem is */
    const char *pointer, *problem;
};

static const struct refusal refusals[] = {
    { "", 0, "", "unexpected end" },
    { "  ", 2, "", "unexpected end" },
    { "[", 1, "/0", "unexpected end" },
    { "{", 1, "", "unexpected end" },
    { "{\"a\"", 4, "/a", "unexpected end" },
    { "{\"a\":", 5, "/a", "unexpected end" },
    { "{\"a\":1", 6, "/a", "unexpected end" },
    { "{\"a\":1,", 7, "/a", "unexpected end" },
    { "[1", 2, "/0", "unexpected end" },
    { "[1,", 3, "/1", "unexpected end" },
    { "\"abc", 4, "", "unexpected end" },
    { "\"abc\\", 5, "", "unexpected end" },
    { "\"abc\\\"", 6, "", "unexpected end" },
    { "[1,]", 3, "/1", "not a value" },
    { "[,1]", 1, "/0", "not a value" },
    { "[1,,2]", 3, "/1", "not a value" },
    { "[1 2]", 3, "/0", "expected ',' or ']'" },
    { "[1}", 2, "/0", "expected ',' or ']'" },
    { "[1:2]", 2, "/0", "expected ',' or ']'" },
    { "{\"a\":1]", 6, "/a", "expected ',' or '}'" },
    { "{\"a\":1 \"b\":2}", 7, "/a", "expected ',' or '}'" },
    { "{\"a\":1,}", 7, "/a", "expected a key" },
    { "{,}", 1, "", "expected a key" },
    { "{a:1}", 1, "", "expected a key" },
    { "{'a':1}", 1, "", "expected a key" },
    { "{1:1}", 1, "", "expected a key" },
    { "{\"a\" 1}", 5, "/a", "expected ':'" },
    { "{\"a\",1}", 4, "/a", "expected ':'" },
    { "{\"a\":}", 5, "/a", "not a value" },
    { "]", 0, "", "not a value" },
    { "}", 0, "", "not a value" },
    { ",", 0, "", "not a value" },
    { ":", 0, "", "not a value" },
    { "1 2", 2, "", "text after the value" },
    { "{}{}", 2, "", "text after the value" },
    { "[]]", 2, "", "text after the value" },
    { "nullx", 4, "", "text after the value" },
    { "nul", 0, "", "not a value" },
    { "True", 0, "", "not a value" },
    { "NaN", 0, "", "not a value" },
    { "Infinity", 0, "", "not a value" },
    { "-Infinity", 1, "", "a minus" },
    { "undefined", 0, "", "not a value" },
    { "\xef\xbb\xbf{}", 0, "", "not a value" }, /* a byte order mark */
    { "[1]//", 3, "", "text after the value" },
    { "/**/1", 0, "", "not a value" },
    { "\f1", 0, "", "not a value" },
    { "\xc2\xa0" "1", 0, "", "not a value" },
    { "01", 0, "", "leading zero" },
    { "[-01]", 2, "/0", "leading zero" },
    { "00", 0, "", "leading zero" },
    { "+1", 0, "", "not a value" },
    { ".5", 0, "", "not a value" },
    { "-", 1, "", "unexpected end" },
    { "[-]", 2, "/0", "a minus" },
    { "-.5", 1, "", "a minus" },
    { "[1.]", 3, "/0", "a point" },
    { "1.", 2, "", "unexpected end" },
    { "[1.e5]", 3, "/0", "a point" },
    { "[1e]", 3, "/0", "an exponent" },
    { "[1e+]", 4, "/0", "an exponent" },
    { "[1.5E-]", 6, "/0", "an exponent" },
    { "1e5.5", 3, "", "text after the value" },
    { "0x10", 1, "", "text after the value" },
    { "1_000", 1, "", "text after the value" },
    { "\"a\nb\"", 2, "", "control character" },
    { "\"\x1f\"", 1, "", "control character" },
    { "\"12345678\t\"", 9, "", "control character" },
    { "{\"\x01\":1}", 2, "", "control character" },
    { "\"\\a\"", 1, "", "unknown escape" },
    { "\"\\'\"", 1, "", "unknown escape" },
    { "\"\\0\"", 1, "", "unknown escape" },
    { "\"\\U0041\"", 1, "", "unknown escape" },
    { "\"\\\n\"", 1, "", "unknown escape" },
    { "\"\\u\"", 1, "", "four hexadecimal" },
    { "\"\\u12\"", 1, "", "four hexadecimal" },
    { "\"\\u123\"", 1, "", "four hexadecimal" },
    { "\"\\u123g\"", 1, "", "four hexadecimal" },
    { "\"\\u-123\"", 1, "", "four hexadecimal" },
    { "\"\\u 123\"", 1, "", "four hexadecimal" },
    { "[\"\\ud800\"]", 2, "/0", "surrogate" },
    { "\"\\udc00\"", 1, "", "surrogate" },
    { "\"\\udfff\\ud800\"", 1, "", "surrogate" },
    { "\"\\ud800\\ud800\"", 1, "", "surrogate" },
    { "\"\\ud800\\u0041\"", 1, "", "surrogate" },
    { "\"\\ud800\\udbff\"", 1, "", "surrogate" },
    { "\"\\ud800\\ue000\"", 1, "", "surrogate" },
    { "\"\\ud800x\"", 1, "", "surrogate" },
    { "\"\\ud800\\n\"", 1, "", "surrogate" },
    { "\"\\ud800\\udc0\"", 1, "", "surrogate" },
    { "{\"\\ud800\":1}", 2, "", "surrogate" },
    { "\"\x80\"", 1, "", "broken UTF-8" },
    { "\"\xff\"", 1, "", "broken UTF-8" },
    { "\"\xc0\x80\"", 1, "", "broken UTF-8" },
    { "\"\xc1\xbf\"", 1, "", "broken UTF-8" },
    { "\"\xd0\"", 1, "", "broken UTF-8" },
    { "\"\xe0\x80\xaf\"", 1, "", "broken UTF-8" },
    { "\"\xed\xa0\x80\"", 1, "", "broken UTF-8" },
    { "\"\xf0\x80\x80\xaf\"", 1, "", "broken UTF-8" },
    { "\"\xf4\x90\x80\x80\"", 1, "", "broken UTF-8" },
    { "\"\xf5\x80\x80\x80\"", 1, "", "broken UTF-8" },
    { "\"12345678\xe2\x82\"", 9, "", "broken UTF-8" },
    { "\"\xd0\x96\xd0\x96\xd0\"", 5, "", "broken UTF-8" },
    { "{\"\xff\":1}", 2, "", "broken UTF-8" },
    { "{\"a\":{\"b/~\":[0,{\"c\":tru}]}}", 20, "/a/b~1~0/1/c", "not a value" },
};

static void refused(void **state)
{
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(refusals); i++) {
        const struct refusal *row = &refusals[i];
        struct json_reader reader;
        struct buf pointer;
        struct text line = trace(&reader, &arena, text_of(row->text));
        if (line.ptr[line.len - 1] != '!')
            fail_msg("'%s' was accepted", row->text);
        buf_init(&pointer, &arena, 64);
        json_pointer(&reader, &pointer);
        int byte = (int)(reader.at - reader.begin);
        if (byte != row->byte || strstr(reader.problem, row->problem) == NULL ||
            !text_equal(buf_text(&pointer), text_of(row->pointer)))
            fail_msg("'%s': byte %d, pointer '%.*s', %s", row->text, byte, (int)pointer.len,
                     pointer.ptr, reader.problem);
        const char *problem = reader.problem;
        assert_int_equal(json_next(&reader), JSON_ERROR); /* it is sticky */
        assert_false(json_skip(&reader));
        assert_ptr_equal(reader.problem, problem);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

static void zero_bytes(void **state)
{
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    json_open(&reader, &arena, (struct text){ NULL, 0 });
    assert_int_equal(json_next(&reader), JSON_ERROR);
    json_open(&reader, &arena, (struct text){ "\"a\0b\"", 5 });
    assert_int_equal(json_next(&reader), JSON_ERROR);
    json_open(&reader, &arena, (struct text){ "1\0", 2 });
    assert_int_equal(json_next(&reader), JSON_NUMBER);
    assert_int_equal(json_next(&reader), JSON_ERROR);
    json_open(&reader, &arena, TEXT("\"a\\u0000b\""));
    assert_int_equal(json_next(&reader), JSON_STRING);
    assert_int_equal(reader.value.len, 3);
    assert_memory_equal(reader.value.ptr, "a\0b", 3);
    arena_release(&arena);
}

/* No beginning of a document is a document; input ends exactly where the memory does. */
static void beginnings_are_refused(void **state)
{
    static const char document[] =
        "{\"a\\n\\u0416\": [1.5e+10, -0, \"\\ud83c\\udf81 \xd0\x96\xe2\x82\xac\", true, false, "
        "null], \"long enough for a word\" : {\"x\": [[{}]]}}";
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    for (uint32_t len = 0; len <= sizeof document - 1; len++) {
        char *piece = malloc(len + (len == 0)); /* a reader past the end is seen by the sanitizer */
        memcpy(piece, document, len);
        struct text line = trace(&reader, &arena, (struct text){ piece, len });
        assert_int_equal(line.ptr[line.len - 1], len == sizeof document - 1 ? '.' : '!');
        free(piece);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

/* A special byte is seen wherever it stands among words of eight bytes. */
static void special_bytes_at_every_place(void **state)
{
    struct arena arena = unit_arena();
    struct json_reader reader;
    char input[64];

    (void)state;
    for (uint32_t len = 1; len < 40; len++) {
        for (uint32_t place = 0; place < len; place++) {
            for (int c = 0; c < 256; c++) {
                input[0] = '"';
                memset(input + 1, place % 2 ? '!' : '~', len);
                input[1 + place] = (char)c;
                input[1 + len] = '"';
                json_open(&reader, &arena, (struct text){ input, len + 2 });
                bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
                enum json_token token = json_next(&reader);
                if (plain) {
                    assert_int_equal(token, JSON_STRING);
                    assert_int_equal(reader.value.len, len);
                    assert_ptr_equal(reader.value.ptr, input + 1);
                } else if (c == '"') {
                    assert_int_equal(token, JSON_STRING);
                    assert_int_equal(reader.value.len, place);
                    assert_int_equal(json_next(&reader), JSON_ERROR);
                } else {
                    assert_int_equal(token, JSON_ERROR);
                }
            }
        }
    }
    arena_release(&arena);
}

/* Every code point by its escape is the same as by its bytes. */
static void escapes_of_all_code_points(void **state)
{
    struct arena arena = unit_arena();
    struct json_reader reader;
    char input[32];

    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        if (point < 0x10000)
            snprintf(input, sizeof input, point % 2 ? "\"\\u%04x\"" : "\"\\u%04X\"", point);
        else
            snprintf(input, sizeof input, "\"\\u%04x\\u%04x\"", 0xd800 + ((point - 0x10000) >> 10),
                     0xdc00 + ((point - 0x10000) & 0x3ff));
        json_open(&reader, &arena, text_of(input));
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        assert_int_equal(json_next(&reader), surrogate ? JSON_ERROR : JSON_STRING);
        arena_reset(&arena);
        if (surrogate)
            continue;
        const char *at = reader.value.ptr, *end = at + reader.value.len;
        assert_int_equal(text_utf8_step(at, end), reader.value.len);
        uint32_t decoded = (unsigned char)at[0];
        if (reader.value.len > 1)
            decoded &= 0x7fu >> reader.value.len;
        while (++at < end)
            decoded = decoded << 6 | ((unsigned char)*at & 0x3f);
        assert_int_equal(decoded, point);
    }
    arena_release(&arena);
}

static void depth_has_a_limit(void **state)
{
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    for (int depth = json_depth_max - 1; depth <= json_depth_max + 1; depth++) {
        struct buf buf;
        buf_init(&buf, &arena, 0);
        for (int i = 0; i < depth; i++)
            buf_addf(&buf, "%s", i % 2 ? "{\"a\":" : "[");
        buf_addf(&buf, "1");
        for (int i = depth - 1; i >= 0; i--)
            buf_add_char(&buf, i % 2 ? '}' : ']');
        struct text line = trace(&reader, &arena, buf_text(&buf));
        bool fits = depth <= json_depth_max;
        assert_int_equal(line.ptr[line.len - 1], fits ? '.' : '!');
        if (!fits)
            assert_string_equal(reader.problem, "nested too deep");
    }
    arena_release(&arena);
}

static void only_escapes_take_memory(void **state)
{
    _Alignas(16) char memory[64];
    struct arena arena;
    struct json_reader reader;
    enum json_token token;

    (void)state;
    arena_init_fixed(&arena, memory, sizeof memory);
    while (arena_alloc(&arena, 1) != NULL)
        ;
    arena.failed = false;
    json_open(&reader, &arena, TEXT("{\"key\":[\"Ж and a long plain string\",1.5,true]}"));
    do
        token = json_next(&reader);
    while (token > JSON_END);
    assert_int_equal(token, JSON_END);
    assert_false(arena.failed);

    json_open(&reader, &arena, TEXT("[\"\\n\"]"));
    assert_int_equal(json_next(&reader), JSON_ARRAY);
    assert_int_equal(json_next(&reader), JSON_ERROR);
    assert_true(arena.failed);
    assert_non_null(strstr(reader.problem, "no memory"));
}

/* The pointer after every token of one document. */
static void pointers(void **state)
{
    static const struct {
        enum json_token token;
        const char *pointer;
    } step[] = {
        { JSON_OBJECT, "" },        { JSON_KEY, "/a" },         { JSON_ARRAY, "/a" },
        { JSON_NUMBER, "/a/0" },    { JSON_OBJECT, "/a/1" },    { JSON_KEY, "/a/1/~0~1x" },
        { JSON_NULL, "/a/1/~0~1x" }, { JSON_OBJECT_END, "/a/1" }, { JSON_ARRAY, "/a/2" },
        { JSON_ARRAY_END, "/a/2" }, { JSON_ARRAY_END, "/a" },   { JSON_KEY, "/" },
        { JSON_STRING, "/" },       { JSON_KEY, "/c" },         { JSON_OBJECT, "/c" },
        { JSON_OBJECT_END, "/c" },  { JSON_OBJECT_END, "" },    { JSON_END, "" },
    };
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    json_open(&reader, &arena, TEXT("{\"a\":[1,{\"~/x\":null},[]],\"\":\"b\",\"\\u0063\":{}}"));
    for (size_t i = 0; i < KOP_COUNT(step); i++) {
        struct buf buf;
        assert_int_equal(json_next(&reader), step[i].token);
        buf_init(&buf, &arena, 0);
        json_pointer(&reader, &buf);
        assert_text_is(buf_text(&buf), step[i].pointer);
    }
    arena_release(&arena);
}

static void skipping(void **state)
{
    static const char document[] = "{\"a\":[1,[2,{\"x\":3}],4],\"b\":{\"c\":{}},\"d\":5,\"e\":6}";
    struct arena arena = unit_arena();
    struct json_reader reader;

    (void)state;
    json_open(&reader, &arena, text_of(document)); /* the whole */
    assert_true(json_skip(&reader));
    assert_int_equal(json_next(&reader), JSON_END);

    json_open(&reader, &arena, text_of(document));
    assert_int_equal(json_next(&reader), JSON_OBJECT);
    assert_int_equal(json_next(&reader), JSON_KEY);
    assert_true(json_skip(&reader)); /* the value of "a" */
    assert_int_equal(json_next(&reader), JSON_KEY);
    assert_text_is(reader.value, "b");
    assert_int_equal(json_next(&reader), JSON_OBJECT);
    assert_true(json_skip(&reader)); /* out of an object that was entered */
    assert_int_equal(json_next(&reader), JSON_KEY);
    assert_text_is(reader.value, "d");
    assert_true(json_skip(&reader)); /* a scalar behind a key */
    assert_true(json_skip(&reader)); /* nothing more to skip */
    assert_int_equal(json_next(&reader), JSON_KEY);
    assert_text_is(reader.value, "e");
    assert_int_equal(json_next(&reader), JSON_NUMBER);
    assert_true(json_skip(&reader)); /* after a scalar: nothing */
    assert_int_equal(json_next(&reader), JSON_OBJECT_END);
    assert_int_equal(json_next(&reader), JSON_END);

    json_open(&reader, &arena, TEXT("[[1,2],3]"));
    assert_int_equal(json_next(&reader), JSON_ARRAY);
    assert_int_equal(json_next(&reader), JSON_ARRAY);
    assert_int_equal(json_next(&reader), JSON_NUMBER);
    assert_true(json_skip(&reader));
    assert_int_equal(json_next(&reader), JSON_NUMBER);
    assert_text_is(reader.value, "2");

    json_open(&reader, &arena, TEXT("{\"a\":[1,{\"b\":tru}]}"));
    assert_int_equal(json_next(&reader), JSON_OBJECT);
    assert_int_equal(json_next(&reader), JSON_KEY);
    assert_false(json_skip(&reader));
    assert_int_equal(json_next(&reader), JSON_ERROR);
    arena_release(&arena);
}

static void fields(void **state)
{
    static const struct text names[] = { { "id", 2 }, { "sku", 3 }, { "sum", 3 }, { "", 0 } };
    static const struct {
        const char *document;
        int found[6];
    } row[] = {
        { "{\"id\":1,\"sku\":2,\"sum\":3,\"\":4,\"id\":5}", { 0, 1, 2, 3, -2 } },
        { "{\"\":1,\"sum\":2,\"sku\":3,\"id\":4,\"sku\":5}", { 3, 2, 1, 0, -2 } },
        { "{\"sku\":1,\"su\":2,\"summ\":3,\"SKU\":4,\"sk\\u0075\":5}", { 1, -1, -1, -1, -2 } },
        { "{\"sux\":1,\"sum\":2,\"sum\":3,\"\":4,\"\":5}", { -1, 2, -2, 3, -2 } },
    };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++) {
        struct json_reader reader;
        uint64_t seen = 0, expected = 0;
        json_open(&reader, &arena, text_of(row[i].document));
        assert_int_equal(json_next(&reader), JSON_OBJECT);
        for (int k = 0; k < 5; k++) {
            assert_int_equal(json_next(&reader), JSON_KEY);
            assert_int_equal(json_field(&reader, names, 4, &seen), row[i].found[k]);
            if (row[i].found[k] >= 0)
                expected |= (uint64_t)1 << row[i].found[k];
            assert_true(seen == expected);
            assert_true(json_skip(&reader));
        }
    }
    arena_release(&arena);
}

/* All 64 bits of `seen` serve. */
static void sixty_four_fields(void **state)
{
    struct arena arena = unit_arena();
    struct text names[64];
    uint64_t seen = 0;
    struct json_reader reader;
    struct buf buf;

    (void)state;
    buf_init(&buf, &arena, 0);
    buf_add_char(&buf, '{');
    for (unsigned i = 0; i < 64; i++) {
        struct buf name;
        buf_init(&name, &arena, 8);
        buf_addf(&name, "f%u", i);
        names[i] = buf_text(&name);
        buf_addf(&buf, "\"f%u\":0,", 63 - i);
    }
    buf_addf(&buf, "\"f63\":0}");
    json_open(&reader, &arena, buf_text(&buf));
    assert_int_equal(json_next(&reader), JSON_OBJECT);
    for (int i = 63; i >= -1; i--) {
        assert_int_equal(json_next(&reader), JSON_KEY);
        assert_int_equal(json_field(&reader, names, 64, &seen), i >= 0 ? i : json_field_twice);
        assert_true(json_skip(&reader));
    }
    assert_true(seen == UINT64_MAX);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),
        cmocka_unit_test(refused),
        cmocka_unit_test(zero_bytes),
        cmocka_unit_test(beginnings_are_refused),
        cmocka_unit_test(special_bytes_at_every_place),
        cmocka_unit_test(escapes_of_all_code_points),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(only_escapes_take_memory),
        cmocka_unit_test(pointers),
        cmocka_unit_test(skipping),
        cmocka_unit_test(fields),
        cmocka_unit_test(sixty_four_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
