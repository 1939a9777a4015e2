/*
 * decision.h - what the engine decided, as data: effects line by line, and the trace.
 *
 * Owns:      struct decision, struct member_view, struct trace_item.
 * Must not:  decide. The engine fills it, the ledger books it, record.h stores it, explain tells.
 * Invariant: for every line: gross = discount + rounding + points + certificate + purse + money.
 *            The parts of each kind over effects equal the line's and the receipt's totals.
 */
#ifndef KOP_CORE_DECISION_H
#define KOP_CORE_DECISION_H

#include "core/event.h"
#include "core/terms.h"

enum { rule_none = -1 };

/* What the engine may know of the member. Indexed by position in struct terms. */
struct member_view {
    bool known;                                       /* a member stands behind this purchase */
    uint8_t level[ladders_per_programme_max];         /* 0: none; else position in it, from 1 */
    int64_t counter[counters_per_programme_max];      /* value now; rolling ones summed */
    amount available[currencies_per_programme_max];   /* active less held */
    unix_ms enrolled_at;
    struct text *segment;
    uint32_t segment_count;
};

enum effect_kind {
    EFFECT_DISCOUNT,    /* line, rule, money */
    EFFECT_ROUNDING,    /* line, money (may be negative) */
    EFFECT_CERTIFICATE, /* line, money */
    EFFECT_POINTS,      /* line, currency, points, money: paid with points */
    EFFECT_PURSE,       /* line, money */
    EFFECT_EARN,        /* line, rule, currency, points: this line's share of the earning */
};

struct effect {
    enum effect_kind kind;
    uint32_t line;
    int32_t rule;     /* index in the plan, or rule_none */
    uint8_t currency; /* no, or 0 */
    amount points;
    amount money;
};

struct line_result {
    amount gross, discount, rounding, points, certificate, purse, money; /* all money */
};

/* One earning: it becomes one lot. */
struct earning {
    int32_t rule;
    uint8_t currency;
    amount points;
};

/* One currency's share in paying. */
struct redemption {
    uint8_t currency;
    amount points;
    amount money;
};

enum trace_kind {
    TRACE_FIRED,     /* rule gave `result` (money or points) on `base` at rate num/den */
    TRACE_DISPLACED, /* rule would have given `result`; `other` is the rule that won */
    TRACE_FAILED,    /* condition `condition` of rule failed: `actual` against `wanted` */
    TRACE_ROUNDED,   /* num/den of `base` was rounded to `result` by `mode`, `quantum` */
    TRACE_SPREAD,    /* `result` of the rule was spread over `count` lines by `mode` */
    TRACE_CAPPED,    /* rule wanted `base`, got `result`: a floor, the price or a limit */
    TRACE_LIMIT,     /* redemption limit: at most `result` of currency, rule of limit `condition` */
};

struct trace_item {
    enum trace_kind kind;
    int32_t rule;       /* or rule_none */
    int32_t other;      /* DISPLACED */
    int32_t line;       /* -1: the whole receipt */
    uint8_t currency;   /* 0: money */
    int32_t condition;  /* index into the plan's conditions; -1: none */
    uint8_t mode;       /* enum rounding / enum spreading */
    amount base, result, quantum;
    int64_t num, den;
    uint32_t count;
    int64_t actual;     /* FAILED: the value met, in the attribute's scale (numbers, booleans) */
    struct text actual_text; /* FAILED: the value met, when it is text */
};

struct decision {
    enum outcome outcome;
    struct text culprit;   /* JSON pointer in the request, when not DONE; may be empty */
    amount limit;          /* REDEEM_OVER_LIMIT, NOT_ENOUGH, MONEY_TOO_LITTLE, PAYMENT_TOO_LARGE,
                            * CODE_NOT_CONFIRMED: what is allowed; REDEEM_STEP: the step */
    uint8_t limit_currency; /* that `limit` counts; 0: money */
    uint32_t line_count;
    struct line_result *line;
    struct line_result total;
    uint32_t effect_count, effect_cap;
    struct effect *effect;
    uint32_t earning_count;
    struct earning *earning;
    uint32_t redemption_count;
    struct redemption *redemption;
    int64_t counter_add[counters_per_programme_max]; /* by position in terms */
    uint32_t trace_count, trace_cap;
    struct trace_item *trace;
    uint32_t trace_lost;   /* items beyond trace_cap */
};

#endif
