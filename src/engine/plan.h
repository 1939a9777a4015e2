/*
 * plan.h - the compiled form of a programme: what evaluation walks. Internal to the engine.
 *
 * Owns:      struct plan and its parts. compile*.c fill it; everything else reads it.
 * Must not:  be included outside src/engine (and its tests).
 * Invariant: immutable after plan_compile(). Values are exact integers at the scales named here;
 *            every index is in range; every rate has den > 0 and is reduced.
 */
#ifndef KOP_ENGINE_PLAN_H
#define KOP_ENGINE_PLAN_H

#include "base/map.h"
#include "engine/condition.h"
#include "engine/engine.h"

enum rule_scope { SCOPE_LINE, SCOPE_RECEIPT, SCOPE_EARN, rule_scope_count };

enum discount_kind { DISCOUNT_PERCENT, DISCOUNT_AMOUNT, DISCOUNT_FIXED_PRICE };
enum discount_per { PER_PIECE, PER_LINE, PER_RECEIPT };

struct discount_terms {
    uint8_t kind;      /* enum discount_kind */
    uint8_t per;       /* per line: not RECEIPT; percent of a receipt: RECEIPT */
    uint8_t rounding;  /* enum rounding: the rule's or the programme's */
    struct rate rate;  /* PERCENT: part of the base, 0 < rate <= 1 */
    amount value;      /* AMOUNT, FIXED_PRICE: money for one piece, line or receipt */
    amount quantum;    /* money, > 0 */
};

enum earn_kind { EARN_PERCENT, EARN_PER_AMOUNT, EARN_FIXED };
enum earn_of { EARN_OF_GROSS, EARN_OF_NET, EARN_OF_MONEY };

struct earn_terms {
    uint8_t kind;            /* enum earn_kind */
    uint8_t of;              /* enum earn_of */
    bool per_line;           /* each line rounded alone */
    uint8_t rounding;        /* enum rounding */
    uint8_t currency;        /* no */
    uint8_t currency_index;  /* position in terms */
    struct rate rate;        /* PERCENT: smallest points for one smallest step of money */
    amount per_amount;       /* PER_AMOUNT: money, > 0 */
    amount points;           /* PER_AMOUNT: points for each; FIXED: points; > 0 */
    amount quantum;          /* points, > 0 */
};

struct rule {
    struct text code, name_en, name_ru; /* a name that is missing is the other, or the code */
    uint8_t scope;           /* enum rule_scope */
    uint8_t kind;            /* index into plan->kind */
    int32_t priority;
    unix_ms valid_from;      /* INT64_MIN: always */
    unix_ms valid_until;     /* exclusive; TIME_NONE: for ever */
    int32_t when;            /* condition index or condition_none */
    int32_t lines;           /* likewise; none: every line (earn fixed: the receipt) */
    struct discount_terms discount; /* scopes LINE, RECEIPT */
    struct earn_terms earn;         /* scope EARN */
};

enum tree_op { TREE_RULE, TREE_MAX, TREE_MIN, TREE_FIRST, TREE_SUM, TREE_MULTIPLY };

/*
 * One node, flat and in pre-order: the subtree of node[i] is node[i .. next), its first child is
 * i + 1, and the next sibling of a child c is c.next. Children stand in their settled order (higher
 * priority first, then code bytewise). Groups without rules are left out; the root always stands.
 */
struct tree_node {
    uint8_t op;       /* enum tree_op */
    int32_t rule;     /* TREE_RULE: index into plan->rule; else rule_none */
    uint32_t next;    /* index into the same tree */
    uint32_t children;
    uint32_t rules;   /* rules in the subtree */
};

struct tree_index;

/* The tree of one event kind and scope (earn: and currency). count 0: no such rules. */
struct tree {
    uint32_t count;
    struct tree_node *node;
    uint8_t currency_index; /* earn: position in terms; else 0 */
    uint32_t depth;         /* most nodes from the root to a leaf, 0 if empty */
    const struct tree_index *index; /* tree_index.h; NULL: the tree is small and walked whole */
};

/* What one kind of event evaluates. */
struct kind_plan {
    struct text name;       /* "purchase", ... */
    struct tree line, receipt;
    uint32_t earn_count;    /* trees, one a currency that has rules, in order of currency_index */
    struct tree *earn;
    uint32_t rule_count;    /* of this kind, all scopes */
    struct engine_needs needs;
};

/* How one currency pays. */
struct redemption_terms {
    bool allowed;        /* false: the currency may not pay, and nothing else means anything */
    bool confirm;
    struct rate max;     /* part of the allowed lines' net less certificates, 0 < max <= 1 */
    int32_t lines;       /* condition index or condition_none */
    amount money_min;    /* money */
    amount step;         /* points > 0; step * worth is whole money, always */
};

/* An operator's own attribute. */
struct own_attribute {
    struct text full;    /* "line.express" */
    struct text name;    /* "express": as struct attribute names it */
    uint8_t place;       /* enum attribute_place */
    enum attribute_type type;
};

struct plan {
    struct terms terms;
    struct text name_en, name_ru;
    struct text money_code;
    struct text timezone;                 /* "" for UTC */
    struct enrolment enrolment;
    struct text *currency_name_en, *currency_name_ru; /* by position in terms */
    uint32_t rule_count;
    struct rule *rule;                    /* in the document's order */
    struct map *rule_by_code;
    uint32_t condition_count;
    struct condition *condition;          /* all of the programme's */
    uint32_t own_count;
    struct own_attribute *own;
    uint32_t kind_count;
    struct kind_plan *kind;               /* kind[0] is "purchase", always */
    /* By position in terms. */
    struct redemption_terms redemption[currencies_per_programme_max];
    enum rounding rounding;               /* arithmetic */
    amount quantum;                       /* money, > 0 */
    enum spreading spreading;
    amount receipt_quantum;               /* money; 0: the receipt is not rounded */
    bool uses_local_time;                 /* some condition tests time.* or member.enrolled_days */
};

/* The kind's plan, or NULL when the programme does not know it. */
const struct kind_plan *plan_kind(const struct plan *plan, struct text kind);

#endif
