/*
 * evaluation.h - one event while it is being decided. Internal to the engine.
 *
 * Owns:      struct evaluation, and what its phases (discount, redeem, earn) call one another.
 * Must not:  outlive the call of engine_evaluate(); be included outside src/engine.
 * Invariant: decision->line is filled as far as the phases went; while a tree is walked, `price` is
 *            what its current node may take from.
 */
#ifndef KOP_ENGINE_EVALUATION_H
#define KOP_ENGINE_EVALUATION_H

#include "engine/plan.h"

/* What a rule gives to one line. */
struct share {
    uint32_t line;
    amount amount;
};

/*
 * One rule that gives something, or would: its shares are a run of the stack of shares, those of
 * consecutive firings lie one after another.
 */
struct firing {
    int32_t rule;
    uint32_t share, share_count;
    amount base;     /* what the rate was taken of */
    amount wanted;   /* before floors, prices and other rules cut it */
    amount result;   /* the sum of its shares */
    bool matches;    /* its `lines` held for a line at least */
    bool is_inexact; /* `wanted` was rounded */
    bool is_spread;
};

struct firings {
    uint32_t count, cap;
    struct firing *item;
};

struct shares {
    uint32_t count, cap;
    struct share *item;
};

struct evaluation {
    const struct plan *plan;
    const struct event *event;
    const struct member_view *view;
    const struct kind_plan *kind; /* NULL: the programme does not know this kind of event */
    enum evaluate_mode mode;
    enum trace_wish wish;
    struct arena *arena;
    struct decision *decision;
    struct condition_context context;
    amount *price;                /* by line: base of the node that is walked */
    amount *used;                 /* by line: 0 between uses */
    uint32_t *match;              /* lines that a rule matches, ascending, and for them: */
    amount *weight, *room, *part; /* what a spreading needs */
    struct firings firings;
    struct shares shares;
    uint32_t failures; /* FAILED items so far */
    uint8_t currency;  /* earn: of the tree that is walked; else 0 */
    bool no_memory, overflow;
};

/* Lines that take part: a requote keeps lines of which everything came back, with quantity 0. */
static inline bool
line_takes_part(const struct evaluation *e, uint32_t line)
{
    return e->event->line[line].quantity > 0;
}

/* What is still to pay on a line after the discounts so far (and rounding). */
static inline amount
line_net(const struct line_result *line)
{
    return line->gross - line->discount - line->rounding;
}

/* Point the context at a line, for `lines` conditions of the step that is running. */
void evaluation_look_at(struct evaluation *e, uint32_t line);

/* Append an effect; amounts of 0 are left out. Sets no_memory. */
void evaluation_effect(struct evaluation *e, struct effect effect);

/* Room for one more share at the top of the stack; false and no_memory otherwise. */
KOP_MUST_CHECK bool evaluation_push_share(struct evaluation *e, uint32_t line, amount part);

/*
 * Gather in e->match the lines that take part and that `condition` holds for (condition_none: all).
 * `rule` (or rule_none) is told in the trace when there is none. How many.
 */
uint32_t evaluation_match(struct evaluation *e, int32_t rule, int32_t condition);

/* The sum of what is still to pay over all lines. */
amount evaluation_net(const struct evaluation *e);

/* Refuse: the outcome earliest in the list of outcomes stays, and of equal ones the first. */
void evaluation_refuse(struct evaluation *e, enum outcome outcome, amount limit, const char *list,
                       uint32_t index, const char *field);

/*
 * discount.c. What `rule` (scope line or receipt) would take from e->price: pushes its shares and
 * fills `firing`. false: nothing (no line matches, or 0); the trace says why.
 */
KOP_MUST_CHECK bool discount_on_line(struct evaluation *e, int32_t rule, uint32_t line,
                                     struct firing *firing);
KOP_MUST_CHECK bool discount_on_receipt(struct evaluation *e, int32_t rule, struct firing *firing);

/* discount.c: steps 1, 2 and 3. */
void discount_lines(struct evaluation *e);
void discount_receipt(struct evaluation *e);
void discount_round(struct evaluation *e);

/* redeem.c: steps 4 to 7. `kept` (requote) replaces what the event asks for; else NULL. */
void redeem_all(struct evaluation *e);
void redeem_kept(struct evaluation *e, const struct kept_payment *kept);

/* earn.c. What `rule` (scope earn) would give, as above. */
KOP_MUST_CHECK bool earn_by_rule(struct evaluation *e, int32_t rule, struct firing *firing);

/* earn.c: steps 8 and 9. */
void earn_all(struct evaluation *e);
void earn_counters(struct evaluation *e);

#endif
