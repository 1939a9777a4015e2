/*
 * posix_rule.c - the yearly rule that ends a TZif file.
 *
 * Owns:      its grammar, and when it changes the offset in a given year.
 * Must not:  guess: a summer time without dates is refused, as RFC 8536 demands them.
 * Invariant: all numbers of a parsed rule are within the grammar's bounds.
 * Cost:      six dates a lookup.
 * Tests:     tests/unit/core/test_zone.c
 */
#include "core/posix_rule.h"

enum { seconds_per_day = 86400 };

struct scan {
    const char *at, *end;
    bool failed;
};

static bool next_is(struct scan *scan, char c)
{
    if (scan->failed || scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int number(struct scan *scan, int min, int max)
{
    int value = 0, count = 0;

    while (scan->at < scan->end && is_digit(*scan->at) && count < 4) {
        value = value * 10 + (*scan->at++ - '0');
        count++;
    }
    if (count == 0 || value < min || value > max)
        scan->failed = true;
    return value;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "MSK" or "<+0330>"; three characters at least. */
static void skip_name(struct scan *scan)
{
    bool quoted = next_is(scan, '<');
    int count = 0;

    while (scan->at < scan->end) {
        char c = *scan->at;
        if (!is_letter(c) && !(quoted && (is_digit(c) || c == '+' || c == '-')))
            break;
        scan->at++;
        count++;
    }
    if (count < 3 || (quoted && !next_is(scan, '>')))
        scan->failed = true;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static int32_t time_s(struct scan *scan, int hours_max)
{
    int sign = next_is(scan, '-') ? -1 : 1;

    if (sign > 0)
        (void)next_is(scan, '+');
    int seconds = number(scan, 0, hours_max) * 3600;
    if (next_is(scan, ':')) {
        seconds += number(scan, 0, 59) * 60;
        if (next_is(scan, ':'))
            seconds += number(scan, 0, 59);
    }
    return sign * seconds;
}

static struct posix_change change(struct scan *scan)
{
    struct posix_change read = { .time = 2 * 3600 };

    if (!next_is(scan, ','))
        scan->failed = true;
    if (next_is(scan, 'M')) {
        read.kind = POSIX_DAY_MONTH_WEEK;
        read.month = number(scan, 1, 12);
        scan->failed = !next_is(scan, '.') || scan->failed;
        read.week = number(scan, 1, 5);
        scan->failed = !next_is(scan, '.') || scan->failed;
        read.weekday = number(scan, 0, 6);
    } else if (next_is(scan, 'J')) {
        read.kind = POSIX_DAY_JULIAN;
        read.day = number(scan, 1, 365);
    } else {
        read.kind = POSIX_DAY_OF_YEAR;
        read.day = number(scan, 0, 365);
    }
    if (next_is(scan, '/'))
        read.time = time_s(scan, 167);
    return read;
}

bool posix_rule_parse(struct text text, struct posix_rule *rule)
{
    assert(text.len > 0);

    struct scan scan = { text.ptr, text.ptr + text.len, false };
    struct posix_rule read = { 0 };

    skip_name(&scan);
    read.standard = -time_s(&scan, 24); /* POSIX counts west of Greenwich */
    if (!scan.failed && scan.at < scan.end) {
        read.has_summer = true;
        skip_name(&scan);
        read.summer = read.standard + 3600;
        if (scan.at < scan.end && *scan.at != ',')
            read.summer = -time_s(&scan, 24);
        read.to_summer = change(&scan);
        read.to_standard = change(&scan);
    }
    if (scan.failed || scan.at != scan.end)
        return false;
    *rule = read;
    return true;
}

static int64_t change_day(const struct posix_change *change, int32_t year)
{
    int64_t first = date_to_day((struct date){ year, 1, 1 });

    switch (change->kind) {
    case POSIX_DAY_JULIAN:
        return first + change->day - 1 + (change->day >= 60 && month_days(year, 2) == 29);
    case POSIX_DAY_OF_YEAR:
        return first + change->day;
    case POSIX_DAY_MONTH_WEEK:
        break;
    }

    first = date_to_day((struct date){ year, (int8_t)change->month, 1 });
    int weekday = date_weekday(first) % 7; /* 0 = Sunday */
    int day = (change->weekday - weekday + 7) % 7 + (change->week - 1) * 7;
    while (day >= month_days(year, change->month))
        day -= 7;
    assert(day >= 0);
    return first + day;
}

/* One change of one year: when, and the offset from then on. */
struct moment {
    int64_t second;
    int32_t offset;
};

/* The two changes of `year`, the earlier first. */
static void changes_of(const struct posix_rule *rule, int32_t year, struct moment *moment)
{
    struct moment summer = {
        change_day(&rule->to_summer, year) * seconds_per_day + rule->to_summer.time -
            rule->standard,
        rule->summer,
    };
    struct moment standard = {
        change_day(&rule->to_standard, year) * seconds_per_day + rule->to_standard.time -
            rule->summer,
        rule->standard,
    };
    bool summer_first = summer.second <= standard.second;

    moment[0] = summer_first ? summer : standard;
    moment[1] = summer_first ? standard : summer;
    assert(moment[0].second <= moment[1].second);
}

/*
 * The changes of three years around `second`, in order; of two at one instant the later year's
 * counts, so that summer time all the year round ("XXX3EDT4,0/0,J365/23") has no gaps.
 */
struct posix_span posix_rule_span(const struct posix_rule *rule, int64_t second)
{
    struct moment moment[6];
    struct posix_span span = { rule->standard, INT64_MAX };

    if (!rule->has_summer)
        return span;
    int64_t local = second + rule->standard;
    int32_t year = date_of_day(local / seconds_per_day - (local % seconds_per_day < 0)).year;
    for (int i = 0; i < 3; i++)
        changes_of(rule, year + i - 1, &moment[2 * i]);
    for (int i = 0; i < 6; i++) {
        if (moment[i].second <= second)
            span.offset = moment[i].offset;
        else if (moment[i].second < span.end)
            span.end = moment[i].second;
    }
    assert(span.end > second);
    return span;
}
