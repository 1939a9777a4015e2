/*
 * model_number.c - rounding, spreading, calendars and zones of the naive model.
 *
 * Owns:      arithmetic as docs/semantics.md words it, with __int128 and loops.
 * Must not:  use anything of src/base or src/core.
 * Source:    zones by their published rules since 2023, written out by hand: Moscow has no summer
 *            time; London from the last Sunday of March to that of October, 01:00 UTC; Cairo from
 * the
 *            last Friday of April 00:00 to the last Thursday of October 24:00; New York from the
 * second
 *            Sunday of March to the first of November, 02:00 local.
 */
#include "model.h"

#include <stdlib.h>

int64_t m_pow10(int digits)
{
    int64_t power = 1;

    while (digits-- > 0)
        power *= 10;
    return power;
}

int64_t m_round(m_wide num, m_wide den, int64_t quantum, enum m_rounding mode)
{
    m_wide unit = den * quantum;
    m_wide whole = num / unit;
    m_wide twice = (num % unit) * 2;
    bool up = false;

    switch (mode) {
    case M_HALF_UP:
        up = twice >= unit;
        break;
    case M_HALF_EVEN:
        up = twice > unit || (twice == unit && whole % 2 == 1);
        break;
    case M_HALF_DOWN:
        up = twice > unit;
        break;
    case M_DOWN:
        break;
    case M_UP:
        up = twice > 0;
        break;
    }
    return (int64_t)((whole + up) * quantum);
}

int64_t m_floor_share(int64_t amount, int64_t part, int64_t whole)
{
    return (int64_t)((m_wide)amount * part / whole);
}

int64_t m_ceil_share(int64_t amount, int64_t part, int64_t whole)
{
    return (int64_t)(((m_wide)amount * part + whole - 1) / whole);
}

/* ---- spreading ---- */

/* One step each for what is left over, to the largest remainders or from the first on. */
static void give_steps(bool largest, int64_t over, m_wide *remainder, const int64_t *weight,
                       int count, int64_t *share)
{
    while (over > 0) {
        int best = -1;
        for (int i = 0; i < count; i++) {
            if (weight[i] <= 0 || remainder[i] < 0)
                continue;
            if (best < 0 || (largest && remainder[i] > remainder[best]))
                best = i;
        }
        if (best < 0)
            abort();
        share[best]++;
        remainder[best] = -1;
        over--;
    }
}

static void last_takes_rest(int64_t total, const int64_t *weight, m_wide sum, int count,
                            int64_t *share)
{
    int64_t given = 0;
    int last = -1;

    for (int i = 0; i < count; i++)
        if (weight[i] > 0)
            last = i;
    for (int i = 0; i < last; i++) {
        share[i] = weight[i] > 0 ? m_round((m_wide)total * weight[i], sum, 1, M_HALF_UP) : 0;
        given += share[i];
    }
    share[last] = total - given;
    for (int i = last; i > 0 && share[i] < 0; i--) {
        share[i - 1] += share[i];
        share[i] = 0;
    }
}

/* Shares by the weights alone. Weights of lines that take part are > 0. */
static void shares(enum m_spreading how, int64_t total, const int64_t *weight, int count,
                   int64_t *share)
{
    m_wide remainder[m_lines_max], sum = 0;
    int64_t given = 0;

    for (int i = 0; i < count; i++)
        sum += weight[i];
    if (how == M_LAST_REST) {
        last_takes_rest(total, weight, sum, count, share);
        return;
    }
    for (int i = 0; i < count; i++) {
        m_wide exact = (m_wide)total * weight[i];
        share[i] = (int64_t)(exact / sum);
        remainder[i] = exact % sum;
        given += share[i];
    }
    give_steps(how == M_LARGEST_REMAINDER, total - given, remainder, weight, count, share);
}

int64_t m_spread(enum m_spreading how, int64_t total, const int64_t *weight,
                 const int64_t *capacity, int count, int64_t *result)
{
    bool all_zero = true;

    for (int i = 0; i < count; i++) {
        result[i] = 0;
        if (weight[i] > 0)
            all_zero = false;
    }
    for (bool first = true; total > 0; first = false) {
        int64_t now[m_lines_max] = { 0 }, share[m_lines_max] = { 0 };
        bool any = false;
        for (int i = 0; i < count; i++) {
            bool full = !first && capacity != NULL && result[i] >= capacity[i];
            now[i] = full ? 0 : all_zero ? 1 : weight[i];
            any = any || now[i] > 0;
        }
        if (!any)
            break;
        shares(how, total, now, count, share);
        for (int i = 0; i < count; i++) {
            if (capacity != NULL && share[i] > capacity[i] - result[i])
                share[i] = capacity[i] - result[i];
            if (share[i] < 0)
                share[i] = 0;
            result[i] += share[i];
            total -= share[i];
        }
    }
    return total;
}

/* ---- days ---- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

int64_t m_date(int year, int month, int day)
{
    int64_t days = 0;

    for (int y = 1970; y < year; y++)
        days += is_leap(y) ? 366 : 365;
    for (int m = 1; m < month; m++)
        days += days_in_month(year, m);
    return days + day - 1;
}

void m_civil(int64_t day, int *year, int *month, int *day_of_month)
{
    *year = 1970;
    *month = 1;
    while (day >= (is_leap(*year) ? 366 : 365))
        day -= is_leap((*year)++) ? 366 : 365;
    while (day >= days_in_month(*year, *month))
        day -= days_in_month(*year, (*month)++);
    *day_of_month = (int)day + 1;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* 0 = Monday. */
static int weekday(int64_t day)
{
    return (int)(((day + 3) % 7 + 7) % 7);
}

/* The n-th (from 1) `wanted` weekday of the month; n = 0: the last. */
static int64_t weekday_of_month(int year, int month, int wanted, int n)
{
    int64_t day;

    if (n == 0) {
        day = m_date(year, month, days_in_month(year, month));
        while (weekday(day) != wanted)
            day--;
        return day;
    }
    day = m_date(year, month, 1);
    while (weekday(day) != wanted)
        day++;
    return day + 7 * (n - 1);
}

static void summer(enum m_zone zone, int year, int64_t *from, int64_t *until)
{
    enum { MONDAY, THURSDAY = 3, FRIDAY, SUNDAY = 6 };

    switch (zone) {
    case M_LONDON:
        *from = weekday_of_month(year, 3, SUNDAY, 0) * M_DAY + M_HOUR;
        *until = weekday_of_month(year, 10, SUNDAY, 0) * M_DAY + M_HOUR;
        return;
    case M_CAIRO:
        *from = weekday_of_month(year, 4, FRIDAY, 0) * M_DAY - 2 * M_HOUR;
        *until = (weekday_of_month(year, 10, THURSDAY, 0) + 1) * M_DAY - 3 * M_HOUR;
        return;
    case M_NEW_YORK:
        *from = weekday_of_month(year, 3, SUNDAY, 2) * M_DAY + 7 * M_HOUR;
        *until = weekday_of_month(year, 11, SUNDAY, 1) * M_DAY + 6 * M_HOUR;
        return;
    case M_UTC:
    case M_MOSCOW:
        break;
    }
    *from = *until = 0;
}

int64_t m_offset(enum m_zone zone, int64_t at)
{
    static const int hours[] = { 0, 3, 0, 2, -5 };
    int64_t from, until;
    int year, month, day;

    m_civil(floor_div(at, M_DAY), &year, &month, &day);
    summer(zone, year, &from, &until);
    return (hours[zone] + (at >= from && at < until)) * M_HOUR;
}

int64_t m_local_day(enum m_zone zone, int64_t at)
{
    return floor_div(at + m_offset(zone, at), M_DAY);
}

int64_t m_local_ms(enum m_zone zone, int64_t at)
{
    int64_t local = at + m_offset(zone, at);

    return local - floor_div(local, M_DAY) * M_DAY;
}

int64_t m_midnight(enum m_zone zone, int64_t day)
{
    int64_t wanted = day * M_DAY;
    int64_t a = m_offset(zone, wanted - M_DAY), b = m_offset(zone, wanted + M_DAY);
    int64_t early = wanted - (a > b ? a : b), late = wanted - (a > b ? b : a);

    if (early + m_offset(zone, early) == wanted)
        return early;
    if (late + m_offset(zone, late) == wanted)
        return late;
    /* In a gap: the first instant whose local time is not before it. */
    while (early < late) {
        int64_t middle = early + (late - early) / 2;
        if (middle + m_offset(zone, middle) >= wanted)
            late = middle;
        else
            early = middle + 1;
    }
    return late;
}

int64_t m_add_date(int64_t day, struct m_period period)
{
    int year, month, of_month, last;

    m_civil(day, &year, &month, &of_month);
    month += period.months;
    while (month > 12) {
        month -= 12;
        year++;
    }
    last = days_in_month(year, month);
    return m_date(year, month, of_month < last ? of_month : last) + period.days;
}

int64_t m_add_period(enum m_zone zone, int64_t at, struct m_period period)
{
    if (period.months == 0 && period.days == 0)
        return at + period.ms;
    return m_midnight(zone, m_add_date(m_local_day(zone, at), period));
}

static int months_of(enum m_calendar kind)
{
    return kind == M_MONTH ? 1 : kind == M_QUARTER ? 3 : kind == M_HALF_YEAR ? 6 : 12;
}

int64_t m_period_number(enum m_calendar kind, int64_t day)
{
    int year, month, of_month;

    if (kind == M_EVER)
        return 0;
    if (kind == M_PER_DAY)
        return day;
    if (kind == M_WEEK)
        return floor_div(day + 3, 7);
    m_civil(day, &year, &month, &of_month);
    return (year * 12 + month - 1) / months_of(kind);
}

int64_t m_period_first_day(enum m_calendar kind, int64_t number)
{
    int64_t month;

    if (kind == M_PER_DAY)
        return number;
    if (kind == M_WEEK)
        return number * 7 - 3;
    month = number * months_of(kind);
    return m_date((int)(month / 12), (int)(month % 12) + 1, 1);
}
