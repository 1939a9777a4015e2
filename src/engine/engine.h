/*
 * engine.h - programme documents become plans; a plan decides events. Pure.
 *
 * Owns:      the engine's whole interface: compile, evaluate, explain.
 * Must not:  book, know owners or stores, read a clock. It allocates from the given arena only.
 * Invariant: the same plan, event and view give the same decision, byte for byte.
 * Meaning:   docs/semantics.md; documents: docs/programme.md.
 */
#ifndef KOP_ENGINE_ENGINE_H
#define KOP_ENGINE_ENGINE_H

#include "base/json_tree.h"
#include "base/json_write.h"
#include "core/decision.h"

struct plan; /* immutable after plan_compile(); lives in the arena it was compiled in */

/* One mistake of a document. */
struct problem {
    struct text pointer;  /* JSON pointer */
    struct text sentence; /* English, lower case, subject in quotes, no full stop */
};
struct problems {
    uint32_t count, cap;
    struct problem *item;
    uint32_t lost; /* beyond problems_per_document_max */
};

/*
 * Compile a document. `tzif` are the bytes of the zone it names (empty for UTC); `zone_name_wanted`
 * of plan_peek() tells which. Every mistake is reported, not the first alone.
 * OK: `*plan` is set and `problems->count` is 0. CODE_SYNTAX: mistakes are in `problems`.
 * CODE_NO_MEMORY otherwise.
 */
KOP_MUST_CHECK enum code plan_compile(struct arena *arena, struct text document, struct text tzif,
                                      uint32_t version, struct plan **plan,
                                      struct problems *problems, struct err *err);

/* The `id` and `timezone` of a document, without checking the rest; empty texts where absent. */
KOP_MUST_CHECK enum code plan_peek(struct arena *arena, struct text document, struct text *id,
                                   struct text *timezone, struct err *err);

/* May `next` follow `previous` as a version? Numbers must keep their meaning (currency, counter and
 * ladder codes, scales). Adds to `problems` what speaks against it; false then. */
KOP_MUST_CHECK bool plan_may_follow(const struct plan *next, const struct plan *previous,
                                    struct arena *arena, struct problems *problems);

const struct terms *plan_terms(const struct plan *plan);
uint32_t plan_rule_count(const struct plan *plan);
struct text plan_rule_code(const struct plan *plan, int32_t rule); /* "" for rule_none */
struct text plan_rule_name(const struct plan *plan, int32_t rule, bool russian);
int32_t plan_rule_by_code(const struct plan *plan, struct text code); /* rule_none if absent */

/* What enrolment asks for. */
enum {
    enrol_surname = 1,
    enrol_name = 2,
    enrol_birthday = 4,
    enrol_phone = 8,
    enrol_email = 16,
    enrol_sex = 32,
    enrol_town = 64,
};
struct enrolment {
    uint32_t required; /* bits; the birthday's always where there is an age_min */
    uint8_t age_min;
};
struct enrolment plan_enrolment(const struct plan *plan);

/* What the engine wants to know for an event of this kind: bit (position in terms) sets. */
struct engine_needs {
    uint64_t counters, currencies, ladders;
    bool segments;
};
struct engine_needs plan_needs(const struct plan *plan, struct text event_kind);

/* Own attributes that the programme declares ("line.express"); used when JSON is read. In an event
 * an attribute's name is the part behind the point. false: not declared. */
bool plan_attribute(const struct plan *plan, struct text scope_and_name, enum attribute_type *type);

enum evaluate_mode {
    EVALUATE_ORDINARY, /* limits refuse */
    EVALUATE_QUOTE,    /* limits refuse; a code need not have confirmed spending yet */
    EVALUATE_FACT,     /* redemption as stated; limits do not refuse */
};

/* How much of the trace is wanted. */
enum trace_wish {
    TRACE_NOTHING,
    TRACE_DEFAULT, /* of large programmes, only rules that what the event names can reach */
    TRACE_FULL,    /* every rule of the event's kind: evaluates without the index */
};

/*
 * Decide a purchase or another event. `event` is normalised. Writes `decision` (arrays in the
 * arena). The outcome inside is DONE or a refusal; `code` is CODE_NO_MEMORY or CODE_RANGE
 * (overflow; outcome AMOUNT_OVERFLOW is then set as well).
 */
KOP_MUST_CHECK enum code engine_evaluate(const struct plan *plan, const struct event *event,
                                         const struct member_view *view, enum evaluate_mode mode,
                                         enum trace_wish wish, struct arena *arena,
                                         struct decision *decision, struct err *err);

/*
 * What trace left on the kept lines of a purchase (by line): requote and late earnings decide
 * around these instead of computing certificates, points and purse. See semantics, "Returns".
 */
struct kept_payment {
    amount points; /* money worth, all currencies */
    amount certificate;
    amount purse;
};

/*
 * Decide steps 1-3 and 8-9 anew for `event` (kept goods; lines may have quantity 0 and then take no
 * part), with payments fixed by line. Same errors. Never refuses for payments: money of a line is
 * max(0, net - payments).
 */
KOP_MUST_CHECK enum code engine_requote(const struct plan *plan, const struct event *event,
                                        const struct member_view *view,
                                        const struct kept_payment *kept, struct arena *arena,
                                        struct decision *decision, struct err *err);

/*
 * Earnings and counters alone (steps 8-9), with steps 1-7 fixed as they stand in `decision` (a
 * commit of a reserve: discounts and redemption stay, the level is the one of `view`). Replaces
 * EARN effects, earnings and counter_add.
 */
KOP_MUST_CHECK enum code engine_earn_again(const struct plan *plan, const struct event *event,
                                           const struct member_view *view, struct arena *arena,
                                           struct decision *decision, struct err *err);

/* Spread `total` by `weight` within `capacity` (NULL: unlimited); see semantics, "Spreading".
 * `result` has room for `count`. What could not be given is returned in `*rest`. */
enum spreading { SPREAD_LARGEST_REMAINDER, SPREAD_FLOOR_FIRST, SPREAD_LAST_REST };
void spread_amount(enum spreading how, amount total, const amount *weight, const amount *capacity,
                   uint32_t count, amount *result, amount *rest, struct arena *scratch);

/* round(value to a multiple of quantum): the exact value is num / den, den > 0, quantum > 0.
 * false on overflow. */
KOP_MUST_CHECK bool round_quotient(int64_t num, int64_t den, amount quantum, enum rounding mode,
                                   amount *result);

/* The trace and effects as sentences (engine/explain.c): one line of English or Russian an item. */
void explain_item(const struct plan *plan, const struct trace_item *item, bool russian,
                  struct buf *buf);
/* The trace as JSON: an array of objects with rule code, kind, figures as decimals, and "text". */
void explain_json(const struct plan *plan, const struct decision *decision, bool russian,
                  struct json_writer *writer);
/* Condition `index` of the plan in words: "receipt.base >= 555.00". */
void explain_condition(const struct plan *plan, int32_t index, bool russian, struct buf *buf);

#endif
