/*
 * flow.h - the use cases, pure: needs, decide, book.
 *
 * Owns:      the order of steps of each use case, one file each (purchase.c, return.c, …).
 * Must not:  load, write, hash, read a clock; know HTTP or SQL.
 * Invariant: a quote is the same function as a commit and stops before booking; every refusal
 *            comes before
 *            the first change; running it again from the start gives the same.
 * Shape:     flow_X_needs -> (store loads) -> flow_X (settles, decides, books into changes) ->
 *            (seal,
 *            store writes). `step->record` is the answer as data.
 */
#ifndef KOP_FLOW_FLOW_H
#define KOP_FLOW_FLOW_H

#include "core/book.h"
#include "engine/engine.h"
#include "ledger/ledger.h"

/* What every use case is given beside its own input. */
struct step {
    const struct plan *plan; /* of the version in force at occurred_at */
    struct arena *arena;
    unix_ms now; /* recorded_at */
    uint64_t op_id;
    uint64_t owner_id, member_id; /* as routed; member 0: none */
    uint32_t tenant, programme;
    unsigned char request_hash[32];
    struct text claim;       /* that the operation claims; empty: none */
    const struct view *view; /* what the store found */
    bool dry;                /* a quote: decide, book nothing */
    /* Results. */
    enum outcome outcome;
    struct text culprit; /* JSON pointer, when refused */
    amount limit;        /* figure that belongs to the refusal, in `limit_scale` */
    uint8_t limit_scale;
    struct record *record;  /* the answer as data, when DONE */
    struct changes changes; /* when DONE and not dry */
};

enum purchase_mode { PURCHASE_COMMIT, PURCHASE_FACT, PURCHASE_RESERVE };

struct purchase_input {
    enum purchase_mode mode; /* a quote is COMMIT (or FACT) with step->dry */
    struct event event;      /* normalised */
    uint64_t reserve;        /* COMMIT of a reserve: its op_id; 0: none */
    enum trace_wish trace;
};

/* What a purchase wants loaded: the owner, the reserve that it commits, rolling counters of its
 * rules. */
void flow_purchase_needs(const struct plan *plan, uint64_t owner_id, uint64_t reserve, unix_ms now,
                         struct needs *needs);
/* A purchase: quote (dry), reserve, commit, fact. */
KOP_MUST_CHECK enum code flow_purchase(struct step *step, const struct purchase_input *input,
                                       struct err *err);

/* Canonical bytes of what a decision promises (effects, earnings, redemptions): a quote's hash
 * is over them. */
void flow_decision_bytes(const struct decision *decision, struct buf *buf);

/* Give a reserve up. view->origin is the reserve's record. */
KOP_MUST_CHECK enum code flow_cancel(struct step *step, uint64_t reserve, struct err *err);

struct return_input {
    uint64_t origin;     /* op_id of the purchase */
    uint32_t line_count; /* 0: everything that is left */
    const struct returned_line *line;
    unix_ms occurred_at;
    struct text outlet, till, number; /* of the return's own receipt key */
    int64_t period;
};

/* What a return wants loaded: the owner, the purchase and what came back of it, rolling counters
 * that are
 * taken off. `life` as below. */
void flow_return_needs(const struct terms *life, uint64_t owner_id, uint64_t origin, unix_ms now,
                       struct needs *needs);
/* Goods come back. step->plan is the plan of the PURCHASE's version (requote needs it). `life`
 * are the terms
 * of the version in force now (lots and ladders live by them). */
KOP_MUST_CHECK enum code flow_return(struct step *step, const struct return_input *input,
                                     const struct terms *life, struct err *err);

struct opening_input {
    uint8_t currency;
    amount points;
    unix_ms at; /* since when it counts as earned: its life follows the terms */
};
/* Bring a balance in from another system. */
KOP_MUST_CHECK enum code flow_opening(struct step *step, const struct opening_input *input,
                                      struct err *err);

struct enrol_input {
    uint64_t person_id;
    unix_ms at;
    uint32_t key_count;
    const struct directory_row
        *key; /* cards, phone, e-mail; owner and member are filled in by the flow */
};
/* A new member with an owner of its own. view->owner_found must be false (else CONFLICT). */
KOP_MUST_CHECK enum code flow_enrol(struct step *step, const struct enrol_input *input,
                                    struct err *err);

/* Any other event (visit, review, …): earns by rules `on` its kind. */
KOP_MUST_CHECK enum code flow_event(struct step *step, const struct event *event, struct err *err);

/* A card of step->member_id is tied, blocked or freed: `key` is its row of the directory from now
 * on. */
KOP_MUST_CHECK enum code flow_card(struct step *step, const struct directory_row *key,
                                   struct err *err);

/* The daily run's touch: settle what is due by step->now. DONE with no changes when nothing is. */
KOP_MUST_CHECK enum code flow_settle(struct step *step, struct err *err);

#endif
