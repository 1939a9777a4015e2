/*
 * test_err.c - failures' texts are set, wrapped and cut.
 *
 * Owns:      the tests of base/err.h.
 */
#include "base/err.h"

#include "unit.h"

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(code_name(OK), "OK");
    for (int code = OK + 1; code <= CODE_USAGE; code++) {
        assert_memory_equal(code_name((enum code)code), "CODE_", 5);
        for (int other = OK; other < code; other++)
            assert_string_not_equal(code_name((enum code)code), code_name((enum code)other));
    }
    assert_non_null(code_name((enum code)1000));
}

static void set_and_wrap(void **state)
{
    struct err err = { 0 };

    (void)state;
    assert_int_equal(err_set(&err, CODE_IO, "cannot read '%s': %d", "x.db", 5), CODE_IO);
    assert_int_equal(err.code, CODE_IO);
    assert_string_equal(err.text, "cannot read 'x.db': 5");
    assert_int_equal(err_wrap(&err, "purchase '%.*s'", 2, "k17"), CODE_IO);
    assert_string_equal(err.text, "purchase 'k1': cannot read 'x.db': 5");
    assert_int_equal(err_set(&err, CODE_BUSY, "again: %s", err.text), CODE_BUSY);
    assert_string_equal(err.text, "again: purchase 'k1': cannot read 'x.db': 5");
    err.text[0] = '\0';
    assert_int_equal(err_wrap(&err, "alone"), CODE_BUSY);
    assert_string_equal(err.text, "alone");
    assert_int_equal(err_set(NULL, CODE_LIMIT, "x"), CODE_LIMIT);
    assert_int_equal(err_wrap(NULL, "x"), CODE_UNKNOWN);
}

static void long_text_is_cut_between_characters(void **state)
{
    static const char *const tail[] = { "", "a", "ab", "abc" };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(tail); i++) {
        struct err err = { 0 };
        struct buf buf;
        buf_init(&buf, &arena, 2000);
        buf_add_text(&buf, text_of(tail[i]));
        for (int k = 0; k < 400; k++)
            buf_add_text(&buf, text_of(k % 2 ? "ж" : "\xf0\x9f\x8e\x81"));
        const char *text = text_c_string(&arena, buf_text(&buf));
        err_set(&err, CODE_SYNTAX, "%s", text);
        assert_true(strlen(err.text) < err_text_bytes_max);
        size_t whole = strlen(tail[i]); /* characters of 4 and 2 bytes follow in turns */
        for (int k = 0; whole + (k % 2 ? 2 : 4) < err_text_bytes_max; k++)
            whole += k % 2 ? 2 : 4;
        assert_int_equal(strlen(err.text), whole);
        assert_memory_equal(err.text, text, whole);
        err_wrap(&err, "prefix");
        assert_memory_equal(err.text, "prefix: ", 8);
        assert_true(text_is_utf8(text_of(err.text)));
        assert_true(strlen(err.text) < err_text_bytes_max);
        assert_true(strlen(err.text) > err_text_bytes_max - 6);
    }
    arena_release(&arena);
}

/* Exactly what fits is not cut. */
static void text_of_the_greatest_length_fits(void **state)
{
    char text[err_text_bytes_max];
    struct err err = { 0 };

    (void)state;
    memset(text, 'x', sizeof text);
    text[err_text_bytes_max - 1] = '\0';
    memcpy(text + err_text_bytes_max - 3, "ж", 2);
    err_set(&err, CODE_IO, "%s", text);
    assert_string_equal(err.text, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names),
        cmocka_unit_test(set_and_wrap),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(text_of_the_greatest_length_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
