/*
 * condition.h - compiled conditions, and testing one against an event or a line.
 *
 * Owns:      struct condition (flat, pre-order), struct condition_context, the first failing leaf.
 * Must not:  allocate, hash, or resolve names: compile_condition.c did.
 * Invariant: a test on a missing value fails, and `not` of it holds.
 * Cost:      one step a leaf; `in` of many values is a binary search.
 * Tests:     tests/unit/engine/test_condition.c
 */
#ifndef KOP_ENGINE_CONDITION_H
#define KOP_ENGINE_CONDITION_H

#include "core/decision.h"
#include "engine/attribute.h"

struct plan;

enum { condition_none = -1 };

enum condition_op {
    CONDITION_ALL, /* the subtrees up to `next` all hold (none: true) */
    CONDITION_ANY, /* one of them holds (none: false) */
    CONDITION_NOT, /* its one subtree does not hold */
    CONDITION_EQ,  /* from here on leaves */
    CONDITION_NE,
    CONDITION_IN,
    CONDITION_NOT_IN,
    CONDITION_GT,
    CONDITION_GTE,
    CONDITION_LT,
    CONDITION_LTE,
};

/* One node. The subtree of condition[i] is condition[i .. next), its first child is i + 1. */
struct condition {
    uint8_t op;        /* enum condition_op */
    uint8_t attribute; /* enum attribute_id; leaves only */
    uint8_t kind;      /* enum value_kind; leaves only */
    uint8_t scale;     /* of `number` and of what it is compared with */
    uint16_t index;    /* of the ladder, counter or own attribute */
    uint32_t next;
    uint32_t count;    /* of `numbers` or `texts` for IN and NOT_IN */
    union {
        int64_t number;           /* EQ .. LTE of every kind that is a number */
        struct text text;         /* EQ, NE of texts */
        const int64_t *numbers;   /* IN, NOT_IN: sorted, unique */
        const struct text *texts; /* likewise, in the order of condition_text_compare() */
    } value;
};

/* By length, then bytes: the cheapest total order for a search. */
int condition_text_compare(struct text a, struct text b);

/*
 * What a test may look at. condition_context_init() fills what is known from the start; evaluation
 * sets after_lines, net and money after steps 1, 3 and 7, and the line before it tests `lines`.
 */
struct condition_context {
    const struct plan *plan;
    const struct event *event;
    const struct member_view *view;
    amount base, after_lines, net, money; /* of the receipt */
    amount certificate;                   /* stated by the till */
    int64_t lines;                        /* with a quantity */
    int64_t enrolled_days;                /* local days since; only if plan->uses_local_time */
    int32_t hour, weekday, day, month;    /* local; only if plan->uses_local_time */
    const struct line *line;              /* the one that `lines` is tested on */
    amount line_net;                      /* net of that line after the steps before this one */
    bool line_discounted;                 /* the till says so, or a discount was given here */
};

/* Sums base over lines with quantity > 0; certificate from the event's payments. */
void condition_context_init(struct condition_context *context, const struct plan *plan,
                            const struct event *event, const struct member_view *view);

/* `mode` of a TRACE_FAILED item: what of `actual`, `actual_text` means something. */
enum actual_mode { ACTUAL_NUMBER, ACTUAL_TEXT, ACTUAL_MISSING, ACTUAL_NONE };

/*
 * Why a condition failed: its first failing part. That is a leaf; or a NOT whose subtree held
 * (actual: of its leaf, if it has one alone); or an ANY of which nothing held (ACTUAL_NONE).
 */
struct condition_failure {
    int32_t condition; /* index into plan->condition */
    enum actual_mode mode;
    int64_t actual;          /* at condition.scale */
    struct text actual_text; /* borrowed from event, view or terms */
};

/* Does the condition at `root` hold (condition_none: true)? `failure` may be NULL. */
bool condition_test(const struct condition_context *context, int32_t root,
                    struct condition_failure *failure);

#endif
