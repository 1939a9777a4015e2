/*
 * test_civil.c - dates against a calendar that is walked day by day; text of dates and periods.
 *
 * Owns:      the tests of core/civil.h.
 */
#include "core/civil.h"

#include "unit/base/unit.h"

/* From 0001-01-01 (a Monday) to 2800-12-31, by the calendar's own definition. */
static void every_day_of_28_centuries(void **state)
{
    static const int length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t day = -719162;
    int weekday = 1;

    (void)state;
    for (int year = 1; year <= 2800; year++) {
        bool is_leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        for (int month = 1; month <= 12; month++) {
            int last = length[month - 1] + (month == 2 && is_leap ? 1 : 0);
            assert_int_equal(month_days(year, month), last);
            for (int d = 1; d <= last; d++) {
                struct date date = date_of_day(day);
                if (date.year != year || date.month != month || date.day != d)
                    fail_msg("day %lld is not %d-%d-%d", (long long)day, year, month, d);
                if (date_to_day(date) != day || date_weekday(day) != weekday)
                    fail_msg("%d-%d-%d is not day %lld", year, month, d, (long long)day);
                day++;
                weekday = weekday % 7 + 1;
            }
        }
    }
    assert_true(date_to_day((struct date){ 1970, 1, 1 }) == 0);
    assert_true(date_to_day((struct date){ -4, 2, 29 }) + 1 ==
                date_to_day((struct date){ -4, 3, 1 }));
}

static void months_are_added_and_cut(void **state)
{
    static const struct {
        struct date from;
        int32_t months;
        struct date to;
    } table[] = {
        { { 2023, 2, 15 }, 36, { 2026, 2, 15 } }, { { 2024, 1, 31 }, 1, { 2024, 2, 29 } },
        { { 2023, 1, 31 }, 1, { 2023, 2, 28 } },  { { 2024, 2, 29 }, 12, { 2025, 2, 28 } },
        { { 2024, 2, 29 }, 48, { 2028, 2, 29 } }, { { 2023, 12, 31 }, 2, { 2024, 2, 29 } },
        { { 2024, 3, 31 }, -1, { 2024, 2, 29 } }, { { 2024, 1, 15 }, -1, { 2023, 12, 15 } },
        { { 2024, 1, 15 }, -25, { 2021, 12, 15 } }, { { 2024, 5, 31 }, 0, { 2024, 5, 31 } },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        struct date sum = date_add_months(table[i].from, table[i].months);
        assert_int_equal(sum.year, table[i].to.year);
        assert_int_equal(sum.month, table[i].to.month);
        assert_int_equal(sum.day, table[i].to.day);
    }
}

static void dates_are_read_strictly(void **state)
{
    static const char *const refused[] = {
        "", "2026", "2026-2-28", "2026-02-29", "2026-02-30", "2026-13-01", "2026-00-10",
        "2026-01-00", "2026-01-32", "2026-04-31", "0000-01-01", "2026-02-28 ", " 2026-02-28",
        "2026/02/28", "20260228", "+2026-02-28", "2026-02-28T", "2O26-02-28", "12026-02-28",
    };
    struct arena arena = unit_arena();
    struct date date = { 1, 1, 1 };
    struct buf buf;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(refused); i++)
        if (date_parse(text_of(refused[i]), &date))
            fail_msg("'%s' was read", refused[i]);
    assert_int_equal(date.year, 1);
    assert_true(date_parse(TEXT("2024-02-29"), &date));
    assert_int_equal(date_to_day(date), 19782);
    assert_true(date_parse(TEXT("0001-01-01"), &date));
    buf_init(&buf, &arena, 0);
    date_format(&buf, date);
    assert_text_is(buf_text(&buf), "0001-01-01");
    arena_release(&arena);
}

static void instants_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } table[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T03:00:00+03:00", 0 },
        { "2026-02-28T12:00:00+03:00", INT64_C(1772269200000) },
        { "2026-02-28T09:00:00Z", INT64_C(1772269200000) },
        { "2026-02-28t09:00:00z", INT64_C(1772269200000) },
        { "2026-02-28T09:00:00-00:00", INT64_C(1772269200000) },
        { "2026-02-28T09:00:00.5Z", INT64_C(1772269200500) },
        { "2026-02-28T09:00:00.05Z", INT64_C(1772269200050) },
        { "2026-02-28T09:00:00.123Z", INT64_C(1772269200123) },
        { "2026-02-27T23:30:00-09:30", INT64_C(1772269200000) },
        { "9999-12-31T23:59:59.999Z", INT64_C(253402300799999) },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        unix_ms instant = -1;
        assert_true(instant_parse(text_of(table[i].text), &instant));
        if (instant != table[i].ms)
            fail_msg("'%s' is %lld", table[i].text, (long long)instant);
    }
}

static void instants_are_read_strictly(void **state)
{
    static const char *const refused[] = {
        "", "2026-02-28", "2026-02-28T09:00:00", "2026-02-28 09:00:00Z", "2026-02-28T09:00Z",
        "2026-02-28T24:00:00Z", "2026-02-28T09:60:00Z", "2026-02-28T09:00:60Z",
        "2026-02-30T09:00:00Z", "2026-02-28T09:00:00.Z", "2026-02-28T09:00:00.1234Z",
        "2026-02-28T09:00:00,5Z", "2026-02-28T09:00:00+3", "2026-02-28T09:00:00+0300",
        "2026-02-28T09:00:00+24:00", "2026-02-28T09:00:00+03:60", "2026-02-28T09:00:00ZZ",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "2026-02-28T09:00:00 03:00", "-026-02-28T09:00:00Z", "2026-02-28T9:00:00Z",
    };
    unix_ms instant = 7;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(refused); i++)
        if (instant_parse(text_of(refused[i]), &instant))
            fail_msg("'%s' was read", refused[i]);
    assert_true(instant == 7);
}

static void instants_come_back(void **state)
{
    struct arena arena = unit_arena();
    struct random64 random = { 3 };

    (void)state;
    for (int i = 0; i < 5000; i++) {
        int64_t instant = (int64_t)(random_next(&random) % UINT64_C(253402300800000));
        unix_ms back = -1;
        struct buf buf;

        if (i % 2)
            instant -= instant % 1000;
        buf_init(&buf, &arena, 0);
        instant_format(&buf, instant);
        assert_int_equal(buf.len, i % 2 || instant % 1000 == 0 ? 20 : 24);
        assert_true(instant_parse(buf_text(&buf), &back));
        assert_true(back == instant);
        arena_reset(&arena);
    }
    arena_release(&arena);
}

static void periods_are_read(void **state)
{
    static const struct {
        const char *text;
        struct period period;
    } table[] = {
        { "P36M", { 36, 0, 0 } },       { "P1Y6M", { 18, 0, 0 } },   { "P14D", { 0, 14, 0 } },
        { "P1Y2M3W4D", { 14, 25, 0 } }, { "P2W", { 0, 14, 0 } },
        { "PT24H", { 0, 0, 86400000 } },
        { "PT30M", { 0, 0, 1800000 } }, { "PT1H1M1S", { 0, 0, 3661000 } }, { "P0D", { 0, 0, 0 } },
        { "P1000Y", { 12000, 0, 0 } },
    };
    static const char *const refused[] = {
        "", "P", "PT", "P1", "1D", "P1H", "PT1D", "P1D1M", "P1M1Y", "P1D1D", "P-1D", "P1.5D",
        "P1DT", "P1DT2H", "p1d", "P1D ", "P1001Y", "P366001D", "P99999999D", "PT99999999H", "P D",
        "PT1S1M",
    };
    struct period period;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        if (!period_parse(text_of(table[i].text), &period))
            fail_msg("'%s' was refused", table[i].text);
        assert_int_equal(period.months, table[i].period.months);
        assert_int_equal(period.days, table[i].period.days);
        assert_true(period.ms == table[i].period.ms);
    }
    for (size_t i = 0; i < KOP_COUNT(refused); i++)
        if (period_parse(text_of(refused[i]), &period))
            fail_msg("'%s' was read", refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_28_centuries),
        cmocka_unit_test(months_are_added_and_cut),
        cmocka_unit_test(dates_are_read_strictly),
        cmocka_unit_test(instants_are_read),
        cmocka_unit_test(instants_are_read_strictly),
        cmocka_unit_test(instants_come_back),
        cmocka_unit_test(periods_are_read),
    };
    return cmocka_run_group_tests_name("core/civil", tests, NULL, NULL);
}
