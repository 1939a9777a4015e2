/*
 * zone.h - time zones from TZif bytes (RFC 8536) that the edge hands in.
 *
 * Owns:      local date and time of an instant, and the instant of a local midnight.
 * Must not:  read files, know names of zones, allocate after zone_parse().
 * Invariant: a local time in a gap is the first instant after it; in an overlap, the first of both.
 */
#ifndef KOP_CORE_ZONE_H
#define KOP_CORE_ZONE_H

#include "base/err.h"
#include "core/civil.h"

struct zone; /* immutable after parsing */

/* Parse version 2+ TZif bytes (64-bit block and footer). CODE_CORRUPT, CODE_NO_MEMORY. */
KOP_MUST_CHECK enum code zone_parse(struct arena *arena, struct text tzif, struct zone **zone,
                                    struct err *err);

/* Zone NULL is UTC in all of these. */
int32_t zone_offset_s(const struct zone *zone, unix_ms instant);
int64_t zone_day(const struct zone *zone, unix_ms instant);          /* local day number */
int32_t zone_ms_of_day(const struct zone *zone, unix_ms instant);    /* local time of day */
unix_ms zone_instant(const struct zone *zone, int64_t day, int32_t ms_of_day);
unix_ms zone_midnight(const struct zone *zone, int64_t day);         /* the day's first instant */

/* `from` plus `period`. With only hours (months and days 0): exactly from + ms. Otherwise the local
 * midnight that begins the day (local date of `from` + months, then + days); ms is ignored then. */
unix_ms zone_add_period(const struct zone *zone, unix_ms from, struct period period);

enum period_kind {
    PERIOD_EVER,
    PERIOD_DAY,
    PERIOD_WEEK, /* from Monday */
    PERIOD_MONTH,
    PERIOD_QUARTER,
    PERIOD_HALF_YEAR,
    PERIOD_YEAR,
};

/* The number of the calendar period that holds local `day`: 0 for EVER, else dense and rising. */
int64_t period_number(enum period_kind kind, int64_t day);
/* First local day of period `number`; not for EVER. */
int64_t period_first_day(enum period_kind kind, int64_t number);

#endif
