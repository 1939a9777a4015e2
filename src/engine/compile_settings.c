/*
 * compile_settings.c - enrolment, own attributes, arithmetic, redemption, returns and limits.
 *
 * Owns:      the sections of a document that stand beside currencies and rules.
 * Must not:  look at rules.
 * Invariant: a redemption's step is whole money; quanta are positive.
 * Tests:     tests/unit/engine/test_compile.c, test_plan.c, tests/tables/programme/
 */
#include "engine/compile.h"

enum { day_ms = 86400000, hold_days_max = 366, age_max = 150, return_days_max = 36500 };

void
compile_enrolment(struct compiler *compiler)
{
    static const char *const names[] = { "age_min", "required" };
    static const char *const fields[] = { "surname", "name", "birthday", "phone",
                                          "email",   "sex",  "town" };
    const struct json_node *node = compile_member(compiler->root, "enrolment");
    const struct json_node *required;
    struct enrolment *enrolment = &compiler->plan->enrolment;
    int64_t age = 0;
    int index;

    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (compile_whole(compiler, compile_member(node, "age_min"), (struct bounds){ 0, age_max },
                      &age))
        enrolment->age_min = (uint8_t)age;
    /* The age cannot be told without the birthday. */
    if (age > 0)
        enrolment->required |= enrol_birthday;
    required = compile_member(node, "required");
    if (!compile_array(compiler, required))
        return;
    uint32_t seen = 0;
    for (const struct json_node *child = required->first; child; child = child->next) {
        if (!compile_choice(compiler, child, fields, KOP_COUNT(fields), &index))
            continue;
        if (seen >> index & 1)
            compile_problem(compiler, child, "occurs twice");
        seen |= 1u << index;
    }
    enrolment->required |= seen; /* the enum's bits are in the order of `fields` */
}

static bool
is_builtin_attribute(struct text name)
{
    static const char *const builtin[] = {
#define X(id, name, place, kind, phase) name,
        ATTRIBUTES(X)
#undef X
    };
    for (uint32_t i = 0; i < KOP_COUNT(builtin); i++)
        if (text_equal(name, text_of(builtin[i])))
            return true;
    return false;
}

/* "line.x" or "event.x" with a code behind the point. */
static bool
split_own_name(struct text full, enum attribute_place *place, struct text *name)
{
    uint32_t skip;

    if (text_starts(full, TEXT("line.")))
        skip = 5;
    else if (text_starts(full, TEXT("event.")))
        skip = 6;
    else
        return false;
    *place = skip == 5 ? PLACE_LINE : PLACE_EVENT;
    *name = (struct text){ full.ptr + skip, full.len - skip };
    if (name->len < 1 || name->len > code_bytes_max)
        return false;
    for (uint32_t i = 0; i < name->len; i++) {
        char c = name->ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static void
compile_attribute(struct compiler *compiler, const struct json_node *node, uint32_t *of_place)
{
    static const char *const types[] = { "text", "number", "bool" };
    static const enum attribute_type type_values[] = { ATTRIBUTE_TEXT, ATTRIBUTE_NUMBER,
                                                       ATTRIBUTE_BOOL };
    struct own_attribute own = { 0 };
    enum attribute_place place;
    struct text name;
    int index;

    if (!split_own_name(node->key, &place, &name)) {
        compile_problem(compiler, node, "must be named 'line.' or 'event.' and a code");
        return;
    }
    if (is_builtin_attribute(node->key)) {
        compile_problem(compiler, node, "is an attribute that every programme has");
        return;
    }
    if (!compile_choice(compiler, node, types, KOP_COUNT(types), &index))
        return;
    if (of_place[place] >= attributes_per_thing_max) {
        compile_problem(compiler, node, "is one too many: at most %d of a kind",
                        (int)attributes_per_thing_max);
        return;
    }
    of_place[place]++;
    own.full = text_copy(compiler->arena, node->key);
    if (own.full.len == 0)
        return;
    own.name = (struct text){ own.full.ptr + (name.ptr - node->key.ptr), name.len };
    own.place = (uint8_t)place;
    own.type = type_values[index];
    compiler->plan->own[compiler->plan->own_count++] = own;
}

void
compile_attributes(struct compiler *compiler)
{
    const struct json_node *node = compile_member(compiler->root, "attributes");
    uint32_t of_place[2] = { 0, 0 };

    if (!node)
        return;
    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be an object");
        return;
    }
    compiler->plan->own = arena_array(compiler->arena, struct own_attribute,
                                      2 * attributes_per_thing_max);
    if (!compiler->plan->own)
        return;
    for (const struct json_node *child = node->first; child; child = child->next)
        compile_attribute(compiler, child, of_place);
    assert(compiler->plan->own_count <= 2 * attributes_per_thing_max);
}

void
compile_arithmetic(struct compiler *compiler)
{
    static const char *const names[] = { "rounding", "quantum", "spreading", "receipt_quantum" };
    static const char *const spreadings[] = { "largest-remainder", "floor-first", "last-rest" };
    static const enum spreading spreading_values[] = { SPREAD_LARGEST_REMAINDER, SPREAD_FLOOR_FIRST,
                                                       SPREAD_LAST_REST };
    const struct json_node *node = compile_member(compiler->root, "arithmetic");
    struct plan *plan = compiler->plan;
    int scale = plan->terms.money_scale;
    int index;

    plan->rounding = ROUND_HALF_UP;
    plan->quantum = 1;
    plan->spreading = SPREAD_LARGEST_REMAINDER;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    compile_rounding(compiler, compile_member(node, "rounding"), &plan->rounding);
    compile_decimal(compiler, compile_member(node, "quantum"), scale,
                    (struct bounds){ 1, AMOUNT_MAX }, &plan->quantum);
    if (compile_choice(compiler, compile_member(node, "spreading"), spreadings,
                       KOP_COUNT(spreadings), &index))
        plan->spreading = spreading_values[index];
    compile_decimal(compiler, compile_member(node, "receipt_quantum"), scale,
                    (struct bounds){ 0, AMOUNT_MAX }, &plan->receipt_quantum);
}

void
compile_returns(struct compiler *compiler)
{
    static const char *const names[] = { "policy", "days" };
    static const char *const policies[] = { "trace", "requote" };
    const struct json_node *node = compile_member(compiler->root, "returns");
    struct terms *terms = &compiler->plan->terms;
    int index;

    terms->returns = RETURN_REQUOTE;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (compile_choice(compiler, compile_member(node, "policy"), policies, 2, &index))
        terms->returns = index == 0 ? RETURN_TRACE : RETURN_REQUOTE;
    compile_whole(compiler, compile_member(node, "days"), (struct bounds){ 0, return_days_max },
                  &terms->return_days);
}

/* A time to live: a period of days or hours, no months. */
static void
compile_span(struct compiler *compiler, const struct json_node *node, int64_t *ms)
{
    struct period period;
    int64_t span;

    if (!compile_period(compiler, node, false, &period))
        return;
    span = period.days * (int64_t)day_ms + period.ms;
    if (period.months != 0 || span > (int64_t)hold_days_max * day_ms) {
        compile_problem(compiler, node, "must be at most %d days, without months",
                        (int)hold_days_max);
        return;
    }
    *ms = span;
}

void
compile_limits(struct compiler *compiler)
{
    static const char *const names[] = { "hold", "quote", "late_days" };
    const struct json_node *node = compile_member(compiler->root, "limits");
    struct terms *terms = &compiler->plan->terms;

    terms->hold_ms = hold_default_ms;
    terms->quote_ms = quote_valid_ms;
    terms->late_days = late_receipt_days_max;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    compile_span(compiler, compile_member(node, "hold"), &terms->hold_ms);
    compile_span(compiler, compile_member(node, "quote"), &terms->quote_ms);
    compile_whole(compiler, compile_member(node, "late_days"),
                  (struct bounds){ 0, late_receipt_days_max }, &terms->late_days);
}

static void
compile_step(struct compiler *compiler, const struct json_node *node,
             const struct currency_terms *currency, struct redemption_terms *redemption)
{
    int64_t step;

    /* The least number of points that is whole money: the rate is reduced. */
    redemption->step = currency->worth.den;
    if (!compile_decimal(compiler, node, currency->scale, (struct bounds){ 1, AMOUNT_MAX }, &step))
        return;
    if (step % currency->worth.den != 0)
        compile_problem(compiler, node, "times the worth of a point must be whole money");
    else
        redemption->step = step;
}

static void
compile_redemption_of(struct compiler *compiler, const struct json_node *node)
{
    static const char *const names[] = { "max_percent", "lines", "money_min", "step", "confirm" };
    const struct terms *terms = &compiler->plan->terms;
    const int64_t hundred = 100 * i64_pow10(rate_scale);
    struct redemption_terms redemption = { .max = { 1, 1 }, .lines = condition_none, .step = 1 };
    int64_t percent = 0;
    int position = currency_position(terms, node->key);

    if (position < 0 && !compile_declared(compiler, "currencies", node->key))
        compile_problem(compiler, node, "names no currency of this programme");
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (compile_decimal(compiler, compile_member(node, "max_percent"), rate_scale,
                        (struct bounds){ 1, hundred }, &percent))
        redemption.max = rate_reduced((struct rate){ percent, hundred });
    redemption.lines = compile_condition(compiler, compile_member(node, "lines"), PLACE_LINE,
                                         PHASE_NET);
    compile_decimal(compiler, compile_member(node, "money_min"), terms->money_scale,
                    (struct bounds){ 0, AMOUNT_MAX }, &redemption.money_min);
    compile_bool(compiler, compile_member(node, "confirm"), &redemption.confirm);
    if (position < 0)
        return;
    assert(position < currencies_per_programme_max);
    if (terms->currency[position].worth.num == 0)
        compile_problem(compiler, node, "cannot pay: its points are worth no money");
    else
        compile_step(compiler, compile_member(node, "step"), &terms->currency[position],
                     &redemption);
    redemption.allowed = true;
    compiler->plan->redemption[position] = redemption;
}

void
compile_redemption(struct compiler *compiler)
{
    const struct json_node *node = compile_member(compiler->root, "redemption");

    for (int i = 0; i < currencies_per_programme_max; i++)
        compiler->plan->redemption[i] =
            (struct redemption_terms){ .max = { 1, 1 }, .lines = condition_none, .step = 1 };
    if (!node)
        return;
    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be an object");
        return;
    }
    for (const struct json_node *child = node->first; child; child = child->next)
        compile_redemption_of(compiler, child);
}
