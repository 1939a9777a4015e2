/*
 * compile.h - what the parts of the compiler share: mistakes, and reading values from the tree.
 *
 * Owns:      struct compiler, the reading helpers, the order of the parts.
 * Must not:  be included outside compile*.c and plan.c.
 * Invariant: a helper that returns false has reported a mistake, or was given NULL (a member that
 *            is not there), or memory ran out (compile_failed()); its output is untouched then.
 */
#ifndef KOP_ENGINE_COMPILE_H
#define KOP_ENGINE_COMPILE_H

#include "engine/plan.h"

struct compiler {
    struct arena *arena;   /* the plan's, and of the mistakes */
    struct arena *scratch; /* of the document's tree and whatever compiling alone needs */
    struct plan *plan;
    struct problems *problems;
    const struct json_node *root;
    uint32_t condition_cap;
    bool conditions_full;               /* the limit was reported */
    const struct json_node **rule_node; /* by rule index, for pointers */
    int32_t *rule_currency;             /* earn rules: position in terms; -1: none or a mistake */
};

/* Has memory run out? */
static inline bool
compile_failed(const struct compiler *compiler)
{
    return compiler->arena->failed || compiler->scratch->failed;
}

enum {
    kinds_per_programme_max = 64,
    groups_per_programme_max = 10000,
    points_scale_any =
        6, /* the scale of a currency that is not known; no value is refused for it */
};

/* A mistake at `node`: the sentence begins with its name in quotes. */
void compile_problem(struct compiler *compiler, const struct json_node *node, const char *format,
                     ...) KOP_FORMAT(3, 4);
/* A member that `object` ought to have is not there. */
void compile_missing(struct compiler *compiler, const struct json_node *object, const char *member);
/* A mistake without a node. */
void problem_add(struct problems *problems, struct arena *arena, struct text pointer,
                 struct text sentence);

/* Is it an object, with no members but these? Reports each that is not; false when it is no object
 * (NULL: false without a report). */
bool compile_object(struct compiler *compiler, const struct json_node *node,
                    const char *const *names, uint32_t count);
bool compile_array(struct compiler *compiler, const struct json_node *node);
/* The member, or NULL after reporting that it is missing. */
const struct json_node *compile_needed(struct compiler *compiler, const struct json_node *object,
                                       const char *member);
const struct json_node *compile_member(const struct json_node *object, const char *member);

struct bounds {
    int64_t min, max;
};
/* A JSON number without a fraction. */
bool compile_whole(struct compiler *compiler, const struct json_node *node, struct bounds bounds,
                   int64_t *value);
/* A decimal string or a JSON number, at `scale`; bounds at that scale. */
bool compile_decimal(struct compiler *compiler, const struct json_node *node, int scale,
                     struct bounds bounds, int64_t *value);
bool compile_bool(struct compiler *compiler, const struct json_node *node, bool *value);
/* One of `names`; its index. */
bool compile_choice(struct compiler *compiler, const struct json_node *node,
                    const char *const *names, uint32_t count, int *index);
/* A text of 1 to `bytes_max` bytes without control characters, borrowed from the tree. */
bool compile_string(struct compiler *compiler, const struct json_node *node, uint32_t bytes_max,
                    struct text *text);
/* The same, copied into the plan's arena. */
bool compile_text(struct compiler *compiler, const struct json_node *node, uint32_t bytes_max,
                  struct text *text);
/* The key of `node` is a code of letters, digits, '-' and '_'; copied. */
bool compile_key_code(struct compiler *compiler, const struct json_node *node, struct text *code);
/* {"en", "ru"}, one of them at least; `fallback` stands for both when `node` is NULL. */
bool compile_name(struct compiler *compiler, const struct json_node *node, struct text fallback,
                  struct text *en, struct text *ru);
/* ISO 8601; days and hours do not mix; a hundred years at most. */
bool compile_period(struct compiler *compiler, const struct json_node *node, bool zero_allowed,
                    struct period *period);
bool compile_instant(struct compiler *compiler, const struct json_node *node, unix_ms *instant);
bool compile_rounding(struct compiler *compiler, const struct json_node *node,
                      enum rounding *rounding);

/* Divide both by their greatest common divisor. */
struct rate rate_reduced(struct rate rate);

/* The parts, in the order in which plan_compile() calls them. */
void compile_money(struct compiler *compiler);
void compile_currencies(struct compiler *compiler);
void compile_counters(struct compiler *compiler);
void compile_ladders(struct compiler *compiler);
void compile_enrolment(struct compiler *compiler);
void compile_attributes(struct compiler *compiler);
void compile_arithmetic(struct compiler *compiler);
void compile_returns(struct compiler *compiler);
void compile_limits(struct compiler *compiler);
void compile_redemption(struct compiler *compiler);
void compile_rules(struct compiler *compiler);
void compile_combination(struct compiler *compiler);

/*
 * A condition object becomes nodes at the end of plan->condition; its root's index, or
 * condition_none when `node` is NULL, empty or wrong. `known` is the last phase that is over.
 */
int32_t compile_condition(struct compiler *compiler, const struct json_node *node,
                          enum attribute_place place, enum phase known);

/* Position in terms, or -1: not there. */
int currency_position(const struct terms *terms, struct text code);
int counter_position(const struct terms *terms, struct text code);
int ladder_position(const struct terms *terms, struct text code);
/* Is `code` a member of the document's object `section`? It may be there and wrong. */
bool compile_declared(const struct compiler *compiler, const char *section, struct text code);

#endif
