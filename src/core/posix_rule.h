/*
 * posix_rule.h - the yearly rule that ends a TZif file: "CET-1CEST,M3.5.0,M10.5.0/3".
 *
 * Owns:      struct posix_rule: parsing it, and the offset it gives.
 * Must not:  be used outside zone.c.
 * Source:    RFC 8536, 3.3; POSIX.1, "TZ"; hours from -167 to 167 as version 3 allows.
 */
#ifndef KOP_CORE_POSIX_RULE_H
#define KOP_CORE_POSIX_RULE_H

#include "core/civil.h"

enum posix_day { POSIX_DAY_MONTH_WEEK, POSIX_DAY_JULIAN, POSIX_DAY_OF_YEAR };

struct posix_change {
    enum posix_day kind;
    int month, week, weekday; /* MONTH_WEEK: week 5 is the last; weekday 0 is Sunday */
    int day;                  /* JULIAN: 1..365, never 29 February; OF_YEAR: 0..365 */
    int32_t time;             /* local seconds after midnight, may be negative */
};

struct posix_rule {
    int32_t standard, summer; /* offsets east of Greenwich, seconds */
    bool has_summer;
    struct posix_change to_summer, to_standard;
};

/* An offset and the first later second at which it may change (INT64_MAX: never). */
struct posix_span {
    int32_t offset;
    int64_t end;
};

KOP_MUST_CHECK bool posix_rule_parse(struct text text, struct posix_rule *rule);
struct posix_span posix_rule_span(const struct posix_rule *rule, int64_t second);

#endif
