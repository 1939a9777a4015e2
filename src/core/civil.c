/*
 * civil.c - dates of the proleptic Gregorian calendar, without zones.
 *
 * Owns:      days from dates and back, RFC 3339 and ISO 8601 text.
 * Must not:  know zones; accept two spellings of what cannot be told apart later.
 * Invariant: date_of_day(date_to_day(d)) == d; instant_parse(instant_format(t)) == t, 1970 to 9999.
 * Cost:      constant.
 * Tests:     tests/unit/core/test_civil.c
 *
 * Days are counted in eras of 400 years (146097 days) that begin on 1 March, so that the day of a
 * leap year is the last one of its year; both directions are then plain arithmetic.
 */
#include "core/civil.h"

enum {
    days_per_era = 146097,
    days_to_1970 = 719468, /* from 0000-03-01 */
    ms_per_second = 1000,
    seconds_per_day = 86400,
    period_months_max = 12 * 1000,
    period_days_max = 366 * 1000,
};

static const int64_t ms_per_day = INT64_C(86400000);

static int64_t floor_div(int64_t a, int64_t b)
{
    assert(b > 0);
    return a / b - (a % b < 0);
}

int64_t date_to_day(struct date date)
{
    assert(date.month >= 1 && date.month <= 12);
    assert(date.day >= 1 && date.day <= 31);

    int64_t year = (int64_t)date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t month = date.month > 2 ? date.month - 3 : date.month + 9; /* from March */
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * days_per_era + day_of_era - days_to_1970;
}

struct date date_of_day(int64_t day)
{
    assert(day > -INT64_C(700000000000) && day < INT64_C(700000000000)); /* the year fits */

    int64_t shifted = day + days_to_1970;
    int64_t era = floor_div(shifted, days_per_era);
    int64_t day_of_era = shifted - era * days_per_era;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    struct date date;

    date.day = (int8_t)(day_of_year - (153 * month + 2) / 5 + 1);
    date.month = (int8_t)(month < 10 ? month + 3 : month - 9);
    date.year = (int32_t)(year_of_era + era * 400 + (date.month <= 2));
    return date;
}

int date_weekday(int64_t day)
{
    /* 1970-01-01 was a Thursday. */
    int64_t from_monday = (day % 7 + 7 + 3) % 7;

    assert(from_monday >= 0 && from_monday < 7);
    return (int)from_monday + 1;
}

int month_days(int32_t year, int month)
{
    static const int8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    assert(month >= 1 && month <= 12);
    return days[month - 1] + (month == 2 && is_leap);
}

struct date date_add_months(struct date date, int32_t months)
{
    assert(date.month >= 1 && date.month <= 12);

    int64_t month = (int64_t)date.year * 12 + date.month - 1 + months;
    int64_t year = floor_div(month, 12);
    assert(year >= INT32_MIN && year <= INT32_MAX);

    struct date sum = { (int32_t)year, (int8_t)(month - year * 12 + 1), date.day };
    int last = month_days(sum.year, sum.month);
    if (sum.day > last)
        sum.day = (int8_t)last;
    return sum;
}

/* ----------------------------------------------------------------------------------- reading */

struct scan {
    const char *at, *end;
    bool failed;
};

static struct scan scan_of(struct text text)
{
    assert(text.ptr != NULL || text.len == 0);
    return (struct scan){ text.ptr, text.len == 0 ? text.ptr : text.ptr + text.len, false };
}

static bool next_is(struct scan *scan, char c)
{
    if (scan->failed || scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static void expect(struct scan *scan, char c)
{
    if (!next_is(scan, c))
        scan->failed = true;
}

/* Exactly `count` digits between `min` and `max`. */
static int digits(struct scan *scan, int count, int min, int max)
{
    int value = 0;

    assert(count <= 4);
    for (int i = 0; i < count; i++) {
        if (scan->failed || scan->at == scan->end || *scan->at < '0' || *scan->at > '9') {
            scan->failed = true;
            return 0;
        }
        value = value * 10 + (*scan->at++ - '0');
    }
    if (value < min || value > max)
        scan->failed = true;
    return value;
}

static bool scan_done(const struct scan *scan)
{
    return !scan->failed && scan->at == scan->end;
}

static struct date scan_date(struct scan *scan, int year_min)
{
    int year = digits(scan, 4, year_min, 9999);
    expect(scan, '-');
    int month = digits(scan, 2, 1, 12);
    expect(scan, '-');
    int day = digits(scan, 2, 1, 31);

    if (!scan->failed && day > month_days(year, month))
        scan->failed = true;
    return (struct date){ year, (int8_t)month, (int8_t)day };
}

bool date_parse(struct text text, struct date *date)
{
    struct scan scan = scan_of(text);
    struct date read = scan_date(&scan, 1);

    if (!scan_done(&scan))
        return false;
    *date = read;
    return true;
}

/* ".1", ".12" or ".123" as milliseconds; nothing is 0. */
static int scan_fraction(struct scan *scan)
{
    static const int scale[4] = { 0, 100, 10, 1 };
    int count = 0, value = 0;

    if (!next_is(scan, '.'))
        return 0;
    while (count < 3 && scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        value = value * 10 + (*scan->at++ - '0');
        count++;
    }
    if (count == 0)
        scan->failed = true;
    return value * scale[count];
}

static int scan_offset_s(struct scan *scan)
{
    if (next_is(scan, 'Z') || next_is(scan, 'z'))
        return 0;

    int sign = next_is(scan, '-') ? -1 : 1;
    if (sign > 0)
        expect(scan, '+');
    int hour = digits(scan, 2, 0, 23);
    expect(scan, ':');
    int minute = digits(scan, 2, 0, 59);
    return sign * (hour * 3600 + minute * 60);
}

bool instant_parse(struct text text, unix_ms *instant)
{
    struct scan scan = scan_of(text);
    struct date date = scan_date(&scan, 1970);

    if (!next_is(&scan, 't'))
        expect(&scan, 'T');
    int hour = digits(&scan, 2, 0, 23);
    expect(&scan, ':');
    int minute = digits(&scan, 2, 0, 59);
    expect(&scan, ':');
    int second = digits(&scan, 2, 0, 59);
    int ms = scan_fraction(&scan);
    int offset = scan_offset_s(&scan);
    if (!scan_done(&scan))
        return false;

    int64_t day = date_to_day(date);
    int64_t read = (day * seconds_per_day + hour * 3600 + minute * 60 + second - offset) *
                       ms_per_second + ms;
    int64_t end = (date_to_day((struct date){ 9999, 12, 31 }) + 1) * ms_per_day;
    if (read < 0 || read >= end)
        return false;
    *instant = read;
    return true;
}

/* A number of one to seven digits. */
static int64_t scan_number(struct scan *scan)
{
    int64_t value = 0;
    int count = 0;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && count < 8) {
        value = value * 10 + (*scan->at++ - '0');
        count++;
    }
    if (count == 0 || count == 8)
        scan->failed = true;
    return value;
}

/*
 * One after another: <number><letter>, letters in the order of `letters`, each once at most. Adds
 * number * unit to `*sum[i]` of its letter. false when there was none, or the order is wrong.
 */
static bool scan_parts(struct scan *scan, const char *letters, int count, const int64_t *unit,
                       int64_t *const *sum)
{
    int next = 0;
    const char *begin = scan->at;

    while (!scan->failed && scan->at < scan->end && *scan->at != 'T') {
        int64_t number = scan_number(scan);
        if (scan->failed || scan->at == scan->end)
            return false;
        char letter = *scan->at++;
        while (next < count && letters[next] != letter)
            next++;
        if (next == count)
            return false;
        *sum[next] += number * unit[next];
        next++;
    }
    return !scan->failed && scan->at > begin;
}

bool period_parse(struct text text, struct period *period)
{
    struct scan scan = scan_of(text);
    int64_t months = 0, days = 0, ms = 0;
    static const int64_t date_unit[4] = { 12, 1, 7, 1 };
    static const int64_t time_unit[3] = { 3600000, 60000, 1000 };
    int64_t *const date_sum[4] = { &months, &months, &days, &days };
    int64_t *const time_sum[3] = { &ms, &ms, &ms };

    expect(&scan, 'P');
    if (next_is(&scan, 'T')) {
        if (!scan_parts(&scan, "HMS", 3, time_unit, time_sum))
            return false;
    } else if (!scan_parts(&scan, "YMWD", 4, date_unit, date_sum)) {
        return false;
    }
    if (!scan_done(&scan))
        return false;
    if (months > period_months_max || days > period_days_max || ms > period_days_max * ms_per_day)
        return false;
    *period = (struct period){ (int32_t)months, (int32_t)days, ms };
    return true;
}

/* ----------------------------------------------------------------------------------- writing */

static void add_padded(struct buf *buf, int64_t value, int width)
{
    char digit[20];
    int count = 0;

    assert(value >= 0);
    do {
        digit[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count < width)
        digit[count++] = '0';
    while (count > 0)
        buf_add_char(buf, digit[--count]);
}

void date_format(struct buf *buf, struct date date)
{
    assert(date.year >= 0);
    add_padded(buf, date.year, 4);
    buf_add_char(buf, '-');
    add_padded(buf, date.month, 2);
    buf_add_char(buf, '-');
    add_padded(buf, date.day, 2);
}

void instant_format(struct buf *buf, unix_ms instant)
{
    assert(instant != TIME_NONE);

    int64_t day = floor_div(instant, ms_per_day);
    int64_t ms = instant - day * ms_per_day;
    date_format(buf, date_of_day(day));
    buf_add_char(buf, 'T');
    add_padded(buf, ms / 3600000, 2);
    buf_add_char(buf, ':');
    add_padded(buf, ms / 60000 % 60, 2);
    buf_add_char(buf, ':');
    add_padded(buf, ms / ms_per_second % 60, 2);
    if (ms % ms_per_second != 0) {
        buf_add_char(buf, '.');
        add_padded(buf, ms % ms_per_second, 3);
    }
    buf_add_char(buf, 'Z');
}
