/*
 * civil.h - dates of the proleptic Gregorian calendar, without zones.
 *
 * Owns:      day numbers, dates, weekdays, RFC 3339 text.
 * Must not:  know zones (zone.h) or holidays (calendar.h).
 * Source:    days_from_civil / civil_from_days as published by H. Hinnant, "chrono-Compatible
 *            Low-Level Date Algorithms".
 */
#ifndef KOP_CORE_CIVIL_H
#define KOP_CORE_CIVIL_H

#include "base/text.h"
#include "core/amount.h"

struct date {
    int32_t year;
    int8_t month, day; /* from 1 */
};

int64_t date_to_day(struct date date); /* days since 1970-01-01 */
struct date date_of_day(int64_t day);
int date_weekday(int64_t day); /* 1 = Monday .. 7 = Sunday */
int month_days(int32_t year, int month);
/* The same day `months` later (or earlier), the last of the month where there is no such day. */
struct date date_add_months(struct date date, int32_t months);

/* "2026-02-28". */
KOP_MUST_CHECK bool date_parse(struct text text, struct date *date);
/* RFC 3339 with an offset or Z, up to milliseconds, years 1970..9999 (of the text and in UTC):
 * "2026-02-28T12:00:00+03:00". */
KOP_MUST_CHECK bool instant_parse(struct text text, unix_ms *instant);
/* "2026-02-28T09:00:00Z", with ".123" where milliseconds are not 0. */
void instant_format(struct buf *buf, unix_ms instant);
void date_format(struct buf *buf, struct date date);

/* A length of calendar time: months, then days, then milliseconds. ISO 8601: P1Y6M, P14D, PT24H. */
struct period {
    int32_t months, days;
    int64_t ms;
};
/* Either calendar parts (Y M W D) or hours, minutes and seconds; a mixture is refused, for nothing
 * could honour both. At most 1000 years, 366000 days. */
KOP_MUST_CHECK bool period_parse(struct text text, struct period *period);

#endif
