/*
 * test_decimal.c - decimals between text and int64.
 *
 * Owns:      the tests of base/decimal.h.
 */
#include "base/decimal.h"

#include "unit.h"

struct row {
    const char *text;
    int scale;
    enum decimal_result result;
    int64_t value;
};

static const struct row rows[] = {
    { "0", 0, DECIMAL_OK, 0 },
    { "0", 9, DECIMAL_OK, 0 },
    { "-0", 2, DECIMAL_OK, 0 },
    { "-0.00", 2, DECIMAL_OK, 0 },
    { "-0.0000000000000000000000", 2, DECIMAL_OK, 0 },
    { "12.34", 2, DECIMAL_OK, 1234 },
    { "12.3", 2, DECIMAL_OK, 1230 },
    { "12", 2, DECIMAL_OK, 1200 },
    { "-12.34", 2, DECIMAL_OK, -1234 },
    { "-0.01", 2, DECIMAL_OK, -1 },
    { "0.001", 3, DECIMAL_OK, 1 },
    { "12.340", 2, DECIMAL_OK, 1234 },
    { "12.34000000000000000000000000000000", 2, DECIMAL_OK, 1234 },
    { "12.345", 2, DECIMAL_FINE, 0 },
    { "12.0000000001", 9, DECIMAL_FINE, 0 },
    { "1.5", 0, DECIMAL_FINE, 0 },
    { "1.0", 0, DECIMAL_OK, 1 },
    { "9223372036854775807", 0, DECIMAL_OK, INT64_MAX },
    { "-9223372036854775808", 0, DECIMAL_OK, INT64_MIN },
    { "9223372036854775808", 0, DECIMAL_RANGE, 0 },
    { "-9223372036854775809", 0, DECIMAL_RANGE, 0 },
    { "92233720368547758.07", 2, DECIMAL_OK, INT64_MAX },
    { "-92233720368547758.08", 2, DECIMAL_OK, INT64_MIN },
    { "92233720368547758.08", 2, DECIMAL_RANGE, 0 },
    { "92233720368547759", 2, DECIMAL_RANGE, 0 },
    { "9223372036.854775807", 9, DECIMAL_OK, INT64_MAX },
    { "-9223372036.854775808", 9, DECIMAL_OK, INT64_MIN },
    { "9223372036.854775808", 9, DECIMAL_RANGE, 0 },
    { "18446744073709551616", 0, DECIMAL_RANGE, 0 },
    { "99999999999999999999999999999999999999", 0, DECIMAL_RANGE, 0 },
    { "99999999999999999999999999999999999999.999", 2, DECIMAL_FINE, 0 },
    { "", 2, DECIMAL_SYNTAX, 0 },
    { "-", 2, DECIMAL_SYNTAX, 0 },
    { ".", 2, DECIMAL_SYNTAX, 0 },
    { "1.", 2, DECIMAL_SYNTAX, 0 },
    { ".5", 2, DECIMAL_SYNTAX, 0 },
    { "-.5", 2, DECIMAL_SYNTAX, 0 },
    { "+1", 2, DECIMAL_SYNTAX, 0 },
    { "--1", 2, DECIMAL_SYNTAX, 0 },
    { "01", 2, DECIMAL_SYNTAX, 0 },
    { "-01", 2, DECIMAL_SYNTAX, 0 },
    { "00", 2, DECIMAL_SYNTAX, 0 },
    { "1,5", 2, DECIMAL_SYNTAX, 0 },
    { "1.2.3", 2, DECIMAL_SYNTAX, 0 },
    { "1e2", 2, DECIMAL_SYNTAX, 0 },
    { "1.5e0", 2, DECIMAL_SYNTAX, 0 },
    { " 1", 2, DECIMAL_SYNTAX, 0 },
    { "1 ", 2, DECIMAL_SYNTAX, 0 },
    { "1-", 2, DECIMAL_SYNTAX, 0 },
    { "1.999x", 2, DECIMAL_SYNTAX, 0 },
    { "99999999999999999999x", 0, DECIMAL_SYNTAX, 0 },
    { "NaN", 2, DECIMAL_SYNTAX, 0 },
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < KOP_COUNT(rows); i++) {
        int64_t value = 42;
        enum decimal_result result = decimal_parse(text_of(rows[i].text), rows[i].scale, &value);
        int64_t expected = rows[i].result == DECIMAL_OK ? rows[i].value : 42;
        if (result != rows[i].result || value != expected)
            fail_msg("'%s' at scale %d: result %d, value %lld", rows[i].text, rows[i].scale,
                     (int)result, (long long)value);
    }
}

static void formats(void **state)
{
    static const struct {
        int64_t value;
        int scale;
        const char *text;
    } row[] = {
        { 0, 0, "0" }, { 0, 2, "0.00" }, { 5, 2, "0.05" }, { -5, 2, "-0.05" },
        { -100, 2, "-1.00" }, { 1234, 0, "1234" }, { 1, 9, "0.000000001" },
        { INT64_MAX, 9, "9223372036.854775807" }, { INT64_MIN, 9, "-9223372036.854775808" },
        { INT64_MIN, 0, "-9223372036854775808" }, { 120, 1, "12.0" },
    };
    struct arena arena = unit_arena();

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(row); i++) {
        struct buf buf;
        buf_init(&buf, &arena, 0);
        decimal_format(&buf, row[i].value, row[i].scale);
        assert_text_is(buf_text(&buf), row[i].text);
    }
    arena_release(&arena);
}

static void what_is_written_is_read(void **state)
{
    static const int64_t edge[] = { 0, 1, -1, INT64_MAX, INT64_MIN, INT64_MIN + 1, INT64_MAX - 1 };
    struct arena arena = unit_arena();
    struct random64 random = { 11 };

    (void)state;
    for (int i = 0; i < 50000; i++) {
        int64_t value = (int64_t)(random_next(&random) >> random_below(&random, 64));
        struct buf buf;
        if (i < (int)KOP_COUNT(edge))
            value = edge[i];
        else if (i % 2)
            value = (int64_t)(0 - (uint64_t)value);
        for (int scale = 0; scale <= 9; scale++) {
            int64_t again = 42;
            arena_reset(&arena);
            buf_init(&buf, &arena, 32);
            decimal_format(&buf, value, scale);
            assert_int_equal(decimal_parse(buf_text(&buf), scale, &again), DECIMAL_OK);
            assert_true(again == value);
            if (scale < 9 && value <= INT64_MAX / 10 && value >= INT64_MIN / 10) {
                assert_int_equal(decimal_parse(buf_text(&buf), scale + 1, &again), DECIMAL_OK);
                assert_true(again == value * 10);
            }
        }
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(formats),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
