/*
 * terms.h - the compiled life of currencies, counters, ladders and returns of one version.
 *
 * Owns:      struct terms. The engine's compiler fills it, the ledger and flows read it.
 * Must not:  hold rules, or anything of one owner.
 * Invariant: immutable once the plan is compiled. Arrays are in order of `no`; numbers are the
 *            document's own ("no") and never change their meaning between versions.
 */
#ifndef KOP_CORE_TERMS_H
#define KOP_CORE_TERMS_H

#include "core/limits.h"
#include "core/zone.h"

enum pending_kind { PENDING_NONE, PENDING_PERIOD };
enum expiry_kind { EXPIRY_NONE, EXPIRY_PERIOD, EXPIRY_PERIOD_END };
enum debt_policy { DEBT_ALLOW, DEBT_REFUSE };
enum return_policy { RETURN_TRACE, RETURN_REQUOTE };

struct currency_terms {
    uint8_t no;
    struct text code;
    uint8_t scale;             /* digits after the point, 0..6 */
    struct rate worth;         /* smallest units of money for one of points; num 0: not money */
    enum pending_kind pending;
    struct period pending_period;
    enum expiry_kind expiry;
    struct period expiry_period;     /* counted from the day it becomes active */
    enum period_kind expiry_round;   /* PERIOD_END: to the end of the period with the last day */
    uint8_t expiry_following;        /* and of so many following periods */
    enum debt_policy debt;
    uint16_t grace_days;       /* of a lot restored after it expired; 0: it expires at once */
};

/* What a purchase adds to a counter. All amounts in money; COUNT counts purchases. */
enum counter_source { COUNTER_GROSS, COUNTER_NET, COUNTER_MONEY, COUNTER_COUNT };

struct counter_terms {
    uint8_t no;
    struct text code;
    enum counter_source source;
    enum period_kind period;   /* calendar period; PERIOD_EVER: for life */
    uint16_t rolling_days;     /* > 0: the last so many days, in day buckets; period: PERIOD_DAY */
};

enum downgrade { DOWNGRADE_NEVER, DOWNGRADE_AT_ONCE };

struct level_terms {
    struct text code;
    int64_t from; /* met at equality */
};

struct ladder_terms {
    uint8_t no;
    struct text code;
    uint8_t counter_no;
    enum downgrade downgrade;
    uint8_t level_count; /* rising by `from`; level 0 is "none yet" if the first from > 0 */
    struct level_terms level[levels_per_ladder_max];
};

struct terms {
    struct text programme;      /* its id */
    uint32_t version;
    const struct zone *zone;    /* NULL: UTC */
    uint8_t money_scale;
    uint8_t currency_count, counter_count, ladder_count;
    struct currency_terms *currency;
    struct counter_terms *counter;
    struct ladder_terms *ladder;
    enum return_policy returns;
    int64_t return_days;        /* how long after the purchase; 0: no limit */
    int64_t hold_ms;
    int64_t quote_ms;
    int64_t late_days;          /* how much later than occurred_at a receipt may be recorded */
};

/* NULL when there is none. */
const struct currency_terms *terms_currency(const struct terms *terms, uint8_t no);
const struct currency_terms *terms_currency_by_code(const struct terms *terms, struct text code);
const struct counter_terms *terms_counter(const struct terms *terms, uint8_t no);
const struct ladder_terms *terms_ladder(const struct terms *terms, uint8_t no);

/* When points earned at `earned_at` become active and when they die (TIME_NONE: never).
 * Source: docs/semantics.md, "Life of a lot". */
void terms_lot_life(const struct terms *terms, const struct currency_terms *currency,
                    unix_ms earned_at, unix_ms *active_from, unix_ms *expires_at);

#endif
