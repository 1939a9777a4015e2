/*
 * common.h - what every use case begins and ends with.
 *
 * Owns:      opening the owner (settled to now), refusing, and the record's common part.
 * Must not:  know any one use case.
 */
#ifndef KOP_FLOW_COMMON_H
#define KOP_FLOW_COMMON_H

#include "flow/flow.h"

/* Set a refusal; `culprit` is a literal pointer or "". Returns OK: a refusal is an answer. */
enum code step_refuse(struct step *step, enum outcome outcome, struct text culprit);

/*
 * Begin booking on the owner of step->view and settle it to step->now (never earlier than it was
 * settled
 * before). A missing owner is made when `flags` says what it is; else *open is false and the step
 * refuses.
 */
KOP_MUST_CHECK enum code step_begin(struct step *step, const struct terms *terms, bool make,
                                    uint32_t flags, struct ledger *ledger, bool *open,
                                    struct err *err);

/* What is counted is added to buckets that were loaded: ask for the windows of all rolling
 * counters. */
void step_need_rolling(const struct terms *terms, unix_ms now, struct needs *needs);

/* A record of `kind` with its common part filled in. NULL when memory ran out. */
struct record *step_record(struct step *step, enum record_kind kind, uint32_t version,
                           unix_ms occurred_at);

/* Book every earning of step->record's decision: one lot each, earned when it occurred. */
KOP_MUST_CHECK enum code step_earn(struct step *step, struct ledger *ledger, struct err *err);

/* Finish booking: balances after, encoded record, changes. */
KOP_MUST_CHECK enum code step_finish(struct step *step, struct ledger *ledger,
                                     const struct terms *terms, struct err *err);

/* Balances after, into step->record (quotes call it alone). */
KOP_MUST_CHECK enum code step_balances(struct step *step, const struct owner *owner,
                                       struct err *err);

/* May something that happened at `occurred_at` be recorded now? DONE, TOO_LATE or IN_FUTURE. */
enum outcome step_check_time(const struct step *step, const struct terms *terms,
                             unix_ms occurred_at);

enum code step_no_memory(struct err *err);

#endif
