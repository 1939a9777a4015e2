/*
 * zone.c - local time of one place, from TZif bytes.
 *
 * Owns:      struct zone: a table of transitions, and the rule for what lies after the last one.
 * Must not:  read files, know names of zones, count leap seconds (files that do are refused).
 * Invariant: transitions rise; every offset lies between -25 h and +26 h, the bounds of RFC 8536.
 * Cost:      one binary search, or six dates computed where the rule holds. No allocation.
 * Tests:     tests/unit/core/test_zone.c, tests/tables/zone/
 *
 * Local time as a function of the instant is a line of slope 1 with jumps. zone_instant() looks for
 * the first instant whose local time is at least the one wanted. Where the wanted time exists that
 * is its first occurrence; where a jump leaps over it that is the instant of the jump: both rules
 * of the header are one search.
 */
#include "core/zone.h"

#include "base/mem.h"
#include "core/posix_rule.h"

enum {
    tzif_header_bytes = 44,
    transitions_max = 20000,
    types_max = 256,
    seconds_per_day = 86400,
    ms_per_second = 1000,
    ms_per_day = 86400000,
};

struct zone {
    uint32_t count;
    int64_t *at;         /* seconds; offset[i + 1] holds from at[i] on */
    int32_t *offset;     /* count + 1 of them; offset[0] holds before at[0] */
    bool has_rule;       /* from the last transition on */
    struct posix_rule rule;
};

/* ----------------------------------------------------------------------------------- parsing */

struct tzif_counts {
    uint32_t isut, isstd, leap, time, type, abbreviation;
};

struct cursor {
    const unsigned char *at, *end;
};

static uint32_t be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t be64(const unsigned char *at)
{
    return (int64_t)((uint64_t)be32(at) << 32 | be32(at + 4));
}

/* `size` bytes, or NULL when there are not so many. */
static const unsigned char *take(struct cursor *cursor, uint64_t size)
{
    const unsigned char *at = cursor->at;

    assert(cursor->at <= cursor->end);
    if (size > (uint64_t)(cursor->end - at))
        return NULL;
    cursor->at += size;
    return at;
}

static bool take_header(struct cursor *cursor, struct tzif_counts *counts)
{
    const unsigned char *at = take(cursor, tzif_header_bytes);

    if (at == NULL || memcmp(at, "TZif", 4) != 0 || at[4] < '2')
        return false;
    *counts = (struct tzif_counts){ be32(at + 20), be32(at + 24), be32(at + 28),
                                    be32(at + 32), be32(at + 36), be32(at + 40) };
    return true;
}

/* The bytes of one data block; `time_size` is 4 in the first block and 8 in the second. */
static uint64_t block_bytes(const struct tzif_counts *counts, uint32_t time_size)
{
    return (uint64_t)counts->time * time_size + counts->time + (uint64_t)counts->type * 6 +
           counts->abbreviation + (uint64_t)counts->leap * (time_size + 4) + counts->isstd +
           counts->isut;
}

static bool offset_is_sane(int64_t offset)
{
    return offset > -25 * 3600 && offset < 26 * 3600;
}

/* Fill the table from `block`, which has all its bytes. */
static bool read_table(struct zone *zone, const struct tzif_counts *counts,
                       const unsigned char *block)
{
    const unsigned char *index = block + (size_t)counts->time * 8;
    const unsigned char *type = index + counts->time;

    assert(counts->type > 0);
    for (uint32_t i = 0; i < counts->type; i++)
        if (!offset_is_sane((int32_t)be32(type + (size_t)i * 6)))
            return false;
    zone->offset[0] = (int32_t)be32(type);
    for (uint32_t i = 0; i < counts->time; i++) {
        if (index[i] >= counts->type)
            return false;
        zone->at[i] = be64(block + (size_t)i * 8);
        zone->offset[i + 1] = (int32_t)be32(type + (size_t)index[i] * 6);
        if (i > 0 && zone->at[i] <= zone->at[i - 1])
            return false;
    }
    zone->count = counts->time;
    return true;
}

/* "\n<rule>\n", the rule perhaps empty. */
static bool read_footer(struct zone *zone, struct cursor *cursor)
{
    size_t size = (size_t)(cursor->end - cursor->at);

    if (size < 2 || cursor->at[0] != '\n' || cursor->end[-1] != '\n')
        return false;
    struct text rule = { (const char *)cursor->at + 1, (uint32_t)(size - 2) };
    if (rule.len == 0)
        return true;
    zone->has_rule = true;
    return posix_rule_parse(rule, &zone->rule);
}

enum code zone_parse(struct arena *arena, struct text tzif, struct zone **zone, struct err *err)
{
    assert(tzif.ptr != NULL || tzif.len == 0);

    const unsigned char *begin = (const unsigned char *)tzif.ptr;
    struct cursor cursor = { begin, tzif.len == 0 ? begin : begin + tzif.len };
    struct tzif_counts counts;

    if (!take_header(&cursor, &counts) || take(&cursor, block_bytes(&counts, 4)) == NULL ||
        !take_header(&cursor, &counts))
        return err_set(err, CODE_CORRUPT, "zone data is not TZif of version 2 or later");
    if (counts.leap > 0)
        return err_set(err, CODE_CORRUPT, "zone data count leap seconds");
    if (counts.type == 0 || counts.type > types_max || counts.time > transitions_max)
        return err_set(err, CODE_CORRUPT, "zone data have %u types and %u transitions",
                       counts.type, counts.time);
    const unsigned char *block = take(&cursor, block_bytes(&counts, 8));
    if (block == NULL)
        return err_set(err, CODE_CORRUPT, "zone data are cut off");

    struct zone *made = arena_new(arena, struct zone);
    if (made != NULL) {
        made->at = arena_array(arena, int64_t, counts.time);
        made->offset = arena_array(arena, int32_t, (size_t)counts.time + 1);
    }
    if (made == NULL || made->at == NULL || made->offset == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for zone data");
    if (!read_table(made, &counts, block))
        return err_set(err, CODE_CORRUPT, "zone data hold a wrong transition");
    if (!read_footer(made, &cursor))
        return err_set(err, CODE_CORRUPT, "zone data end with a wrong rule");
    *zone = made;
    return OK;
}

/* -------------------------------------------------------------------------------- looking up */

static int64_t floor_div(int64_t a, int64_t b)
{
    assert(b > 0);
    return a / b - (a % b < 0);
}

/* How many transitions are at or before `second`. */
static uint32_t passed(const struct zone *zone, int64_t second)
{
    uint32_t low = 0, high = zone->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->at[middle] <= second)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= zone->count);
    return low;
}

/* The offset at `second` and the first later second at which it may change (INT64_MAX: never). */
static struct posix_span span_at(const struct zone *zone, int64_t second)
{
    uint32_t index = passed(zone, second);

    if (index == zone->count && zone->has_rule)
        return posix_rule_span(&zone->rule, second);
    return (struct posix_span){ zone->offset[index],
                                index < zone->count ? zone->at[index] : INT64_MAX };
}

int32_t zone_offset_s(const struct zone *zone, unix_ms instant)
{
    assert(instant != TIME_NONE);
    if (zone == NULL)
        return 0;
    return span_at(zone, floor_div(instant, ms_per_second)).offset;
}

int64_t zone_day(const struct zone *zone, unix_ms instant)
{
    return floor_div(instant + (int64_t)zone_offset_s(zone, instant) * ms_per_second, ms_per_day);
}

int32_t zone_ms_of_day(const struct zone *zone, unix_ms instant)
{
    int64_t local = instant + (int64_t)zone_offset_s(zone, instant) * ms_per_second;
    int64_t ms = local - floor_div(local, ms_per_day) * ms_per_day;

    assert(ms >= 0 && ms < ms_per_day);
    return (int32_t)ms;
}

unix_ms zone_instant(const struct zone *zone, int64_t day, int32_t ms_of_day)
{
    assert(day > -INT64_C(1000000000) && day < INT64_C(1000000000));
    assert(ms_of_day >= 0 && ms_of_day < ms_per_day);

    int64_t local = day * seconds_per_day + ms_of_day / ms_per_second;
    int64_t part = ms_of_day % ms_per_second;
    if (zone == NULL)
        return local * ms_per_second + part;

    /* No local time before `second` can have reached `local`: no offset is larger. */
    int64_t second = local - 26 * 3600;
    for (;;) {
        struct posix_span span = span_at(zone, second);
        int64_t wanted = local - span.offset;
        if (wanted < second)
            return second * ms_per_second; /* the jump at `second` went over it */
        if (wanted < span.end)
            return wanted * ms_per_second + part;
        assert(span.end > second);
        second = span.end;
    }
}

unix_ms zone_midnight(const struct zone *zone, int64_t day)
{
    return zone_instant(zone, day, 0);
}

/* ----------------------------------------------------------------------------------- periods */

unix_ms zone_add_period(const struct zone *zone, unix_ms from, struct period period)
{
    assert(from != TIME_NONE);
    if (period.months == 0 && period.days == 0) {
        int64_t sum;
        bool fits = i64_add(from, period.ms, &sum);
        assert(fits);
        return sum;
    }

    struct date date = date_add_months(date_of_day(zone_day(zone, from)), period.months);
    return zone_midnight(zone, date_to_day(date) + period.days);
}

/* Months since January 1970 of the month that holds `day`. */
static int64_t month_number(int64_t day)
{
    struct date date = date_of_day(day);
    return ((int64_t)date.year - 1970) * 12 + date.month - 1;
}

/* How many months a period has; 0 for those that are not made of months. */
static int months_of(enum period_kind kind)
{
    switch (kind) {
    case PERIOD_MONTH:
        return 1;
    case PERIOD_QUARTER:
        return 3;
    case PERIOD_HALF_YEAR:
        return 6;
    case PERIOD_YEAR:
        return 12;
    case PERIOD_EVER:
    case PERIOD_DAY:
    case PERIOD_WEEK:
        break;
    }
    return 0;
}

int64_t period_number(enum period_kind kind, int64_t day)
{
    int months = months_of(kind);

    if (months > 0)
        return floor_div(month_number(day), months);
    if (kind == PERIOD_WEEK)
        return floor_div(day + 3, 7); /* week 0 begins on Monday, 1969-12-29 */
    assert(kind == PERIOD_DAY || kind == PERIOD_EVER);
    return kind == PERIOD_DAY ? day : 0;
}

int64_t period_first_day(enum period_kind kind, int64_t number)
{
    int months = months_of(kind);

    if (months > 0) {
        int64_t month = number * months;
        int64_t year = floor_div(month, 12);
        int8_t first = (int8_t)(month - year * 12 + 1);
        return date_to_day((struct date){ (int32_t)(1970 + year), first, 1 });
    }
    assert(kind == PERIOD_DAY || kind == PERIOD_WEEK);
    return kind == PERIOD_WEEK ? number * 7 - 3 : number;
}
