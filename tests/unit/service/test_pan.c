/*
 * test_pan.c - what looks like a bank card's number, in every dress, and what does not.
 *
 * Owns:      the tests of service/pan.h; tests/tables/cards/ has the numbers.
 */
#include "programme.h"
#include "service/pan.h"

static bool
luhn_holds(const char *digits)
{
    size_t count = strlen(digits);
    int sum = 0;

    for (size_t i = 0; i < count; i++) {
        int digit = digits[count - 1 - i] - '0';
        sum += i % 2 ? (digit * 2) / 10 + (digit * 2) % 10 : digit;
    }
    return sum % 10 == 0;
}

/* Put the last digit right. */
static void
make_luhn(char *digits)
{
    char *last = digits + strlen(digits) - 1;

    for (*last = '0'; !luhn_holds(digits); (*last)++)
        ;
}

/* One row of bin_ranges.csv. */
struct range {
    char from[8], to[8], lengths[64];
};

static size_t
read_ranges(struct range *range, size_t max)
{
    char *text = read_file("tests/tables/cards/bin_ranges.csv");
    size_t count = 0;
    char *rest = strchr(text, '\n') + 1;

    while (*rest != '\0') {
        assert_true(count < max);
        assert_int_equal(sscanf(rest, "%*[^,],%*[^,],%7[^,],%7[^,],%63[^,]", range[count].from,
                                range[count].to, range[count].lengths),
                         3);
        count++;
        rest = strchr(rest, '\n') + 1;
    }
    free(text);
    return count;
}

/* By the table: is the number of `digits` inside a range and length? The slow and obvious way. */
static bool
table_holds(const struct range *range, size_t count, const char *digits)
{
    char length[8];

    snprintf(length, sizeof(length), "%zu", strlen(digits));
    if (strlen(digits) < 13)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t prefix = strlen(range[i].from);
        if (strncmp(digits, range[i].from, prefix) >= 0 &&
            strncmp(digits, range[i].to, prefix) <= 0 && strstr(range[i].lengths, length) != NULL)
            return true;
    }
    return false;
}

/* Every prefix of four digits and of the six-digit borders, at every length. */
static void
ranges_are_those_of_the_table(void **state)
{
    static struct range range[64];
    size_t count = read_ranges(range, KOP_COUNT(range));
    uint32_t cards = 0, others = 0;

    (void)state;
    assert_int_equal(count, 22);
    for (uint32_t prefix = 0; prefix < 1000000; prefix++) {
        if (prefix % 100 != 0 && prefix % 100 != 99 && prefix / 100 != 5041 && prefix / 100 != 6220)
            continue;
        for (int length = 11; length <= 21; length++) {
            char digits[32];
            snprintf(digits, sizeof(digits), "%06u%0*d", prefix, length - 6, 0);
            make_luhn(digits);
            bool expected = length <= 19 && table_holds(range, count, digits);
            if (pan_is_in(text_of(digits)) != expected)
                fail_msg("%s is %sa card's number", digits, expected ? "" : "not ");
            cards += expected;
            others += !expected;
        }
    }
    assert_true(cards > 10000);
    assert_true(others > 10000);
}

static void
luhn_is_needed(void **state)
{
    char *text = read_file("tests/tables/cards/generated_pans.csv");
    char pan[32], scheme[32], good[8];
    int rows = 0;

    (void)state;
    for (char *line = strchr(text, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_int_equal(sscanf(line, "%31[^,],%*d,%31[^,],%7[a-z]", pan, scheme, good), 3);
        bool expected = strcmp(good, "yes") == 0 && strcmp(scheme, "none") != 0;
        assert_int_equal(luhn_holds(pan), strcmp(good, "yes") == 0);
        if (pan_is_in(text_of(pan)) != expected)
            fail_msg("%s", pan);
        rows++;
    }
    assert_int_equal(rows, 32);
    free(text);
}

static void
found_in_any_dress(void **state)
{
    static const char *const dressed[] = {
        "4000000000000002",
        "4000 0000 0000 0002",
        "4000-0000-0000-0002",
        "4000 - 0000 - 0000 - 0002",
        "4 0 0 0 0 0 0 0 0 0 0 0 0 0 0 2",
        "4000\xc2\xa0" "0000\xc2\xa0" "0000\xc2\xa0" "0002",                 /* no-break space */
        "4000\xe2\x80\x93" "0000\xe2\x80\x93" "0000\xe2\x80\x93" "0002",     /* en dash */
        "4000\xe2\x80\x8b" "000000000002",                                   /* no width */
        "4000\xc2\xad" "000000000002",                                       /* soft hyphen */
        "card 4000000000000002",
        "card4000000000000002",
        "4000000000000002 12/28 999",
        "paid 2 4000000000000002",
        "2 4000000000000002 3",
        "4000000000000002x",
        "no 1234567890123456 but 4000000000000002",
        "\xd9\xa4\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0"
        "\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa0\xd9\xa2", /* Arabic-Indic */
        "\xef\xbc\x94" "00000000000000\xef\xbc\x92",                         /* full width */
        "\xf0\x9d\x9f\x92" "000000000000002",                               /* mathematical */
        "\xe2\x81\xb4" "000000000000002",                                   /* superscript */
        "\xff\xfe" "4000000000000002",                                       /* no UTF-8 at all */
        "340000000000009",
        "2200000000000000004",
        "6200000000000005",
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(dressed); i++)
        if (!pan_is_in(text_of(dressed[i])))
            fail_msg("not found: %s", dressed[i]);
}

static void
other_numbers_are_left_alone(void **state)
{
    static const char *const other[] = {
        "",
        "4000000000000003",
        "40000000000000020",         /* one digit more */
        "14000000000000002",
        "9284000000000000002440",    /* inside a longer number */
        "400000000000000",
        "4000,0000,0000,0002",       /* no separators of one number */
        "4000a000000000002",
        "2199000000000007",
        "7789000000123457",
        "9643000000000012",
        "9282440300829880",
        "2000000000015",
        "+7 912 345-67-89, 8 800 100-12-34",
        "2026-11-21T12:00:00.000+03:00",
        "7707083893",
        "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd0\xbc\xd0\xb8\xd1\x80",
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(other); i++)
        if (pan_is_in(text_of(other[i])))
            fail_msg("found: %s", other[i]);
}

static void
bar_codes_are_known(void **state)
{
    char *text = read_file("tests/tables/cards/gtin.csv"), *rest = text;
    int rows = 0, alike = 0;

    (void)state;
    for (char *line = strsep(&rest, "\n"); rest != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '#')
            continue;
        if (!pan_is_gtin(text_of(line)))
            fail_msg("no bar code: %s", line);
        alike += pan_is_in(text_of(line));
        char *last = line + strlen(line) - 1;
        *last = *last == '9' ? '0' : (char)(*last + 1);
        assert_false(pan_is_gtin(text_of(line)));
        rows++;
    }
    free(text);
    assert_int_equal(rows, 300);
    assert_true(alike >= 150);
    assert_true(pan_is_gtin(TEXT("96385074")));
    assert_true(pan_is_gtin(TEXT("036000291452")));
    assert_true(pan_is_gtin(TEXT("10614141000415")));
    assert_false(pan_is_gtin(TEXT("")));
    assert_false(pan_is_gtin(TEXT("9638507")));
    assert_false(pan_is_gtin(TEXT("9638507a")));
    assert_false(pan_is_gtin(TEXT("4000000000000002")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_those_of_the_table),
        cmocka_unit_test(luhn_is_needed),
        cmocka_unit_test(found_in_any_dress),
        cmocka_unit_test(other_numbers_are_left_alone),
        cmocka_unit_test(bar_codes_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
