/*
 * oracle.h - a programme and a receipt as plain data, and what must come of them.
 *
 * Owns:      struct model (from which a document is written) and a second, slow evaluation of it.
 * Must not:  call the engine, read its plan, or share a line with it.
 */
#ifndef KOP_TESTS_UNIT_ENGINE_ORACLE_H
#define KOP_TESTS_UNIT_ENGINE_ORACLE_H

#include "engine/plan.h"

enum { model_rules_max = 10, model_groups_max = 4, model_lines_max = 8, model_currencies = 3 };

struct model_rule {
    char code[8];
    enum rule_scope scope;
    int priority, group; /* group -1: the root */
    amount min_base;     /* receipt.base at least; 0: no condition */
    int category;        /* of its lines; -1: all */
    /* Scopes line and receipt: */
    enum discount_kind kind;
    enum discount_per per;
    int64_t value; /* percent at scale 6, or money */
    enum rounding rounding;
    amount quantum;
    /* Scope earn (value, rounding, quantum as well): */
    int currency;
    enum earn_kind earn_kind;
    enum earn_of of;
    bool per_line;
    amount per_amount, points;
};

struct model_group {
    char code[8];
    enum rule_scope scope;
    enum tree_op op;
    int priority, parent; /* parent -1: the root */
};

/* Currencies: 0 bonus (scale 2, worth 1.00), 1 dime (scale 0, worth 0.10), 2 star (no money). */
struct model_redemption {
    bool allowed;
    int64_t percent; /* scale 6 */
    amount money_min, step;
    int category; /* -1: all */
};

struct model {
    int rule_count, group_count;
    struct model_rule rule[model_rules_max];
    struct model_group group[model_groups_max];
    enum tree_op root[rule_scope_count];
    struct model_redemption redemption[2];
    enum spreading spreading;
    amount receipt_quantum;
};

struct model_line {
    amount gross, floor;
    int64_t quantity;
    int category; /* 0.. */
};

struct model_wish {
    int currency;
    bool max;
    amount points;
};

struct model_receipt {
    int line_count, wish_count;
    struct model_line line[model_lines_max];
    struct model_wish wish[2]; /* of different currencies */
    amount certificate, purse;
    bool known;
    amount available[model_currencies];
};

struct model_answer {
    enum outcome outcome;
    struct line_result line[model_lines_max];
    amount given[model_rules_max][model_lines_max]; /* discounts */
    amount earned[model_rules_max][model_lines_max];
    amount redeemed[model_currencies];
};

/* The document, with the rules in the order that `order` gives. */
void model_write(const struct model *model, const int *order, struct buf *buf);

void oracle_decide(const struct model *model, const struct model_receipt *receipt,
                   struct model_answer *answer);

#endif
