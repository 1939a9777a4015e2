/*
 * test_zone.c - zones against tests/tables/zone/expect.txt, damaged zone data, calendar periods.
 *
 * Owns:      the tests of core/zone.h and core/posix_rule.h.
 */
#include "core/zone.h"

#include "core/posix_rule.h"
#include "unit/base/unit.h"
#include "zone_file.h"

static const char table[] = "tests/tables/zone/expect.txt";

/* TZif of version 3 without transitions, whose one type is UTC, and with this footer. */
static struct text tzif_of_rule(struct arena *arena, const char *rule)
{
    static const unsigned char header[44] = { 'T', 'Z', 'i', 'f', '3', [39] = 1, [43] = 4 };
    static const unsigned char block[10] = { 0, 0, 0, 0, 0, 0, 'U', 'T', 'C', 0 };
    struct buf buf;

    buf_init(&buf, arena, 0);
    for (int i = 0; i < 2; i++) {
        buf_add(&buf, header, sizeof header);
        buf_add(&buf, block, sizeof block);
    }
    buf_add_char(&buf, '\n');
    buf_add_text(&buf, text_of(rule));
    buf_add_char(&buf, '\n');
    assert_false(buf.failed);
    return buf_text(&buf);
}

static struct zone *parse(struct arena *arena, struct text tzif)
{
    struct zone *zone = NULL;
    struct err err;

    if (zone_parse(arena, tzif, &zone, &err) != OK)
        fail_msg("%s", err.text);
    return zone;
}

/* "2026-03-29 02:30:00" */
static void read_wall(const char *text, int64_t *day, int32_t *ms)
{
    struct date date;
    int hour, minute, second;

    assert_true(date_parse((struct text){ text, 10 }, &date));
    assert_int_equal(sscanf(text + 10, " %2d:%2d:%2d", &hour, &minute, &second), 3);
    *day = date_to_day(date);
    *ms = ((hour * 60 + minute) * 60 + second) * 1000;
}

/* Like instant_parse(), but also before 1970. */
static unix_ms read_utc(const char *text)
{
    char wall[20];
    int64_t day;
    int32_t ms;

    memcpy(wall, text, 19);
    wall[10] = ' ';
    wall[19] = '\0';
    read_wall(wall, &day, &ms);
    return day * 86400000 + ms;
}

static void check_at(const struct zone *zone, const char *row, int number)
{
    const char *local = strstr(row, " local ");
    int64_t day;
    int32_t ms;

    assert_non_null(local);
    unix_ms instant = read_utc(row + 3);
    read_wall(local + 7, &day, &ms);
    for (int extra = 0; extra < 1000; extra += 999) /* milliseconds pass through */
        if (zone_day(zone, instant + extra) != day ||
            zone_ms_of_day(zone, instant + extra) != ms + extra)
            fail_msg("%s:%d: %s: day %lld ms %d", table, number, row,
                     (long long)zone_day(zone, instant), zone_ms_of_day(zone, instant));
    assert_true(zone_offset_s(zone, instant) == (day * 86400000 + ms - instant) / 1000);
}

static void check_wall(const struct zone *zone, const char *row, int number)
{
    const char *utc = strstr(row, " utc ");
    int64_t day;
    int32_t ms;

    assert_non_null(utc);
    read_wall(row + 5, &day, &ms);
    unix_ms instant = zone_instant(zone, day, ms);
    if (instant != read_utc(utc + 5))
        fail_msg("%s:%d: %s: %lld ms off", table, number, row,
                 (long long)(instant - read_utc(utc + 5)));
    if (ms == 0)
        assert_true(zone_midnight(zone, day) == instant);
}

static void expectations(void **state)
{
    struct arena arena = unit_arena();
    FILE *file = fopen(table, "r");
    struct zone *zone = NULL;
    char row[200];
    int number = 0, zones = 0, checked = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(row, sizeof row, file) != NULL) {
        number++;
        row[strcspn(row, "\n")] = '\0';
        if (row[0] == '#')
            continue;
        if (strncmp(row, "zone ", 5) == 0 || strncmp(row, "rule ", 5) == 0) {
            zone = parse(&arena, row[0] == 'z' ? zone_file(&arena, row + 5)
                                               : tzif_of_rule(&arena, row + 5));
            zones++;
        } else if (strncmp(row, "at ", 3) == 0) {
            check_at(zone, row, number);
            checked++;
        } else {
            assert_int_equal(strncmp(row, "wall ", 5), 0);
            check_wall(zone, row, number);
            checked++;
        }
    }
    fclose(file);
    assert_int_equal(zones, 14);
    assert_true(checked > 500);
    arena_release(&arena);
}

/* "59" is the sixtieth day of any year: 1 March, in a leap year 29 February. */
static void days_counted_from_0(void **state)
{
    static const struct {
        const char *utc, *local;
    } rows[] = {
        { "2027-03-01T04:30:14", "2027-03-01 01:30:14" },
        { "2027-03-01T04:30:15", "2027-03-01 02:30:15" },
        { "2028-02-29T04:30:14", "2028-02-29 01:30:14" },
        { "2028-02-29T04:30:15", "2028-02-29 02:30:15" },
        { "2028-12-31T02:59:59", "2028-12-31 00:59:59" },
        { "2028-12-31T03:00:00", "2028-12-31 00:00:00" },
    };
    struct arena arena = unit_arena();
    const struct zone *zone = parse(&arena, tzif_of_rule(&arena, "AAA3BBB,59/1:30:15,365/1"));

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(rows); i++) {
        int64_t day;
        int32_t ms;
        read_wall(rows[i].local, &day, &ms);
        assert_true(zone_day(zone, read_utc(rows[i].utc)) == day);
        assert_int_equal(zone_ms_of_day(zone, read_utc(rows[i].utc)), ms);
    }
    arena_release(&arena);
}

/* The first instant of a local time is not after any other, and has that local time. */
static void instants_are_the_first(void **state)
{
    static const char *const names[] = { "Europe/Moscow", "Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu" };
    struct arena arena = unit_arena();
    struct random64 random = { 9 };

    (void)state;
    for (size_t n = 0; n < KOP_COUNT(names); n++) {
        const struct zone *zone = parse(&arena, zone_file(&arena, names[n]));
        for (int i = 0; i < 3000; i++) {
            unix_ms t = (int64_t)(random_next(&random) % UINT64_C(7500000000000)) - 2500000000000;
            int64_t day = zone_day(zone, t);
            int32_t ms = zone_ms_of_day(zone, t);
            unix_ms first = zone_instant(zone, day, ms);
            assert_true(first <= t);
            assert_true(t - first <= 2 * 3600 * 1000);
            assert_true(zone_day(zone, first) == day);
            assert_true(zone_ms_of_day(zone, first) == ms);
            unix_ms midnight = zone_midnight(zone, day);
            assert_true(midnight <= t);
            assert_true(zone_day(zone, midnight) == day);
            assert_true(zone_day(zone, midnight - 1) < day);
        }
    }
    arena_release(&arena);
}

static void no_zone_is_utc(void **state)
{
    (void)state;
    assert_int_equal(zone_offset_s(NULL, 12345), 0);
    assert_true(zone_day(NULL, -1) == -1);
    assert_int_equal(zone_ms_of_day(NULL, -1), 86399999);
    assert_true(zone_instant(NULL, 2, 5) == 172800005);
    assert_true(zone_midnight(NULL, -3) == -259200000);
}

static void damaged_data_are_refused(void **state)
{
    struct arena arena = unit_arena();
    struct text good = zone_file(&arena, "Europe/Berlin");
    struct random64 random = { 77 };
    struct zone *zone = NULL;
    struct err err;

    (void)state;
    for (uint32_t len = 0; len < good.len; len++) {
        struct arena_mark mark = arena_mark(&arena);
        struct text cut = { good.ptr, len };
        assert_int_equal(zone_parse(&arena, cut, &zone, &err), CODE_CORRUPT);
        arena_rewind(&arena, mark);
    }
    char *copy = arena_alloc(&arena, good.len);
    int accepted = 0;
    for (int i = 0; i < 3000; i++) {
        struct arena_mark mark = arena_mark(&arena);
        memcpy(copy, good.ptr, good.len);
        /* Half of them hit the head or the tail, where counts and the rule are. */
        uint32_t at = random_below(&random, good.len);
        if (i % 4 == 0)
            at = random_below(&random, 44);
        if (i % 4 == 1)
            at = good.len - 1 - random_below(&random, 30);
        copy[at] = (char)random_next(&random);
        enum code rc = zone_parse(&arena, (struct text){ copy, good.len }, &zone, &err);
        assert_true(rc == OK || rc == CODE_CORRUPT);
        for (int year = 1900; rc == OK && year < 2100; year += 9) {
            unix_ms t = (year - 1970) * INT64_C(31556952000);
            unix_ms back = zone_instant(zone, zone_day(zone, t), zone_ms_of_day(zone, t));
            assert_true(back <= t);
            accepted++;
        }
        arena_rewind(&arena, mark);
    }
    assert_true(accepted > 0);
    arena_release(&arena);
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const refused[] = {
        "AB3", "MSK", "MSK-25", "MSK-3:60", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.1.0,J3",
        "CET-1CEST,M3.6.0,J3", "CET-1CEST,M3.0.0,J3", "CET-1CEST,M3.5.7,J3", "CET-1CEST,J0,J3",
        "CET-1CEST,J366,J3", "CET-1CEST,366,J3", "CET-1CEST,J1,J3,", "CET-1CEST,J1/168,J3",
        "<+3>-3>", "<+03-3", "CET-1CEST,M3.5,J3", "CET-1CEST,M3.5.0;M10.5.0", "CET-1 CEST,J1,J3",
        "CET-1:CEST,J1,J3", "CET-1CEST,J1,J", "MSK-00003",
    };
    struct arena arena = unit_arena();
    struct posix_rule rule;
    struct zone *zone;
    struct err err;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(refused); i++) {
        if (posix_rule_parse(text_of(refused[i]), &rule))
            fail_msg("'%s' was read", refused[i]);
        assert_int_equal(zone_parse(&arena, tzif_of_rule(&arena, refused[i]), &zone, &err),
                         CODE_CORRUPT);
    }
    assert_true(posix_rule_parse(TEXT("<+0330>-3:30"), &rule));
    assert_int_equal(rule.standard, 12600);
    arena_release(&arena);
}

static void periods_are_added(void **state)
{
    struct arena arena = unit_arena();
    const struct zone *moscow = parse(&arena, zone_file(&arena, "Europe/Moscow"));
    const struct zone *berlin = parse(&arena, zone_file(&arena, "Europe/Berlin"));
    unix_ms noon = read_utc("2026-01-31T09:00:00");

    (void)state;
    assert_true(zone_add_period(moscow, noon, (struct period){ 0, 0, 86400000 }) ==
                noon + 86400000);
    assert_true(zone_add_period(moscow, noon, (struct period){ 1, 0, 0 }) ==
                read_utc("2026-02-27T21:00:00"));
    assert_true(zone_add_period(moscow, noon, (struct period){ 1, 1, 0 }) ==
                read_utc("2026-02-28T21:00:00"));
    /* Across the clock's change the day is local: 24 hours are not a day. */
    unix_ms before = read_utc("2026-03-28T11:00:00");
    assert_true(zone_add_period(berlin, before, (struct period){ 0, 2, 0 }) ==
                read_utc("2026-03-29T22:00:00"));
    assert_true(zone_add_period(berlin, before, (struct period){ 0, 1, 0 }) ==
                read_utc("2026-03-28T23:00:00"));
    arena_release(&arena);
}

/* Each day lies in its period, and numbers step by one where a period begins. */
static void calendar_periods(void **state)
{
    static const struct {
        enum period_kind kind;
        int length_min, length_max;
    } kinds[] = {
        { PERIOD_DAY, 1, 1 },        { PERIOD_WEEK, 7, 7 },           { PERIOD_MONTH, 28, 31 },
        { PERIOD_QUARTER, 90, 92 },  { PERIOD_HALF_YEAR, 181, 184 }, { PERIOD_YEAR, 365, 366 },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(kinds); i++) {
        int64_t last = period_number(kinds[i].kind, -30001);
        for (int64_t day = -30000; day < 60000; day++) {
            int64_t number = period_number(kinds[i].kind, day);
            int64_t first = period_first_day(kinds[i].kind, number);
            assert_true(first <= day);
            assert_true(number == last + (first == day));
            int64_t length = period_first_day(kinds[i].kind, number + 1) - first;
            assert_true(length >= kinds[i].length_min);
            assert_true(length <= kinds[i].length_max);
            if (first == day && kinds[i].kind == PERIOD_WEEK)
                assert_int_equal(date_weekday(day), 1);
            if (first == day && i >= 2)
                assert_int_equal(date_of_day(day).day, 1);
            if (first == day && kinds[i].kind == PERIOD_YEAR)
                assert_int_equal(date_of_day(day).month, 1);
            if (first == day && kinds[i].kind == PERIOD_HALF_YEAR)
                assert_int_equal(date_of_day(day).month % 6, 1);
            last = number;
        }
    }
    assert_true(period_number(PERIOD_EVER, 20000) == 0);
    assert_true(period_number(PERIOD_EVER, -5) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expectations),
        cmocka_unit_test(days_counted_from_0),
        cmocka_unit_test(instants_are_the_first),
        cmocka_unit_test(no_zone_is_utc),
        cmocka_unit_test(damaged_data_are_refused),
        cmocka_unit_test(wrong_rules_are_refused),
        cmocka_unit_test(periods_are_added),
        cmocka_unit_test(calendar_periods),
    };
    return cmocka_run_group_tests_name("core/zone", tests, NULL, NULL);
}
