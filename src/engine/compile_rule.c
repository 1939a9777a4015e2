/*
 * compile_rule.c - the rules of a document: when they hold and what they give.
 *
 * Owns:      struct rule, discount_terms and earn_terms; the kinds of event that a plan knows.
 * Must not:  arrange rules (compile_tree.c does).
 * Invariant: a rule has exactly one effect, that of its scope, with values in range.
 * Tests:     tests/unit/engine/test_compile.c, test_plan.c, tests/tables/programme/
 */
#include "engine/compile.h"

enum { priority_max = 1000000, earn_percent_max = 100000 };

static const char *const rule_fields[] = { "code",  "on",   "scope", "name",     "priority",
                                           "valid", "when", "lines", "discount", "earn" };

/* ---------------------------------------------------------------------------------- discounts */

static void
compile_discount_value(struct compiler *compiler, const struct json_node *node,
                       struct discount_terms *discount)
{
    const int64_t hundred = 100 * i64_pow10(rate_scale);
    int scale = compiler->plan->terms.money_scale;
    int64_t percent;

    discount->rate = (struct rate){ 0, 1 };
    if (discount->kind == DISCOUNT_PERCENT) {
        if (compile_decimal(compiler, node, rate_scale, (struct bounds){ 1, hundred }, &percent))
            discount->rate = rate_reduced((struct rate){ percent, hundred });
        return;
    }
    /* A fixed price may be 0: the goods are free. */
    compile_decimal(compiler, node, scale,
                    (struct bounds){ discount->kind == DISCOUNT_AMOUNT, AMOUNT_MAX },
                    &discount->value);
}

static void
compile_discount_per(struct compiler *compiler, const struct json_node *node, uint8_t scope,
                     struct discount_terms *discount)
{
    static const char *const pers[] = { "piece", "line", "receipt" };
    int per = 0;

    discount->per = scope == SCOPE_LINE ? PER_LINE : PER_RECEIPT;
    if (!compile_choice(compiler, node, pers, KOP_COUNT(pers), &per))
        return;
    if (scope == SCOPE_LINE && per == PER_RECEIPT)
        compile_problem(compiler, node, "'receipt' belongs to scope 'receipt'");
    else if (scope == SCOPE_RECEIPT && discount->kind == DISCOUNT_PERCENT && per != PER_RECEIPT)
        compile_problem(compiler, node, "of a percentage in scope 'receipt' can be 'receipt' only");
    else
        discount->per = (uint8_t)per;
}

static void
compile_discount(struct compiler *compiler, const struct json_node *node, struct rule *rule)
{
    static const char *const names[] = { "kind", "value", "per", "rounding", "quantum" };
    static const char *const kinds[] = { "percent", "amount", "fixed-price" };
    struct discount_terms *discount = &rule->discount;
    const struct json_node *kind_node, *value_node;
    enum rounding rounding = compiler->plan->rounding;
    int kind = 0;

    *discount = (struct discount_terms){ .rate = { 0, 1 }, .quantum = compiler->plan->quantum };
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    kind_node = compile_needed(compiler, node, "kind");
    value_node = compile_needed(compiler, node, "value");
    compile_rounding(compiler, compile_member(node, "rounding"), &rounding);
    discount->rounding = (uint8_t)rounding;
    compile_decimal(compiler, compile_member(node, "quantum"), compiler->plan->terms.money_scale,
                    (struct bounds){ 1, AMOUNT_MAX }, &discount->quantum);
    if (!compile_choice(compiler, kind_node, kinds, KOP_COUNT(kinds), &kind))
        return;
    discount->kind = (uint8_t)kind;
    if (kind == DISCOUNT_FIXED_PRICE && rule->scope == SCOPE_RECEIPT)
        compile_problem(compiler, kind_node, "'fixed-price' belongs to scope 'line'");
    compile_discount_value(compiler, value_node, discount);
    compile_discount_per(compiler, compile_member(node, "per"), rule->scope, discount);
}

/* ----------------------------------------------------------------------------------- earnings */

/* v % of one unit of money is v / 100 units of the currency: the smallest steps of both differ. */
static struct rate
earn_rate(int64_t percent, int money_scale, int currency_scale)
{
    struct rate rate = { percent, 100 * i64_pow10(rate_scale) };

    assert(percent > 0);
    if (currency_scale >= money_scale)
        rate.num *= i64_pow10(currency_scale - money_scale);
    else
        rate.den *= i64_pow10(money_scale - currency_scale);
    return rate_reduced(rate);
}

/* Fields that mean something to percentages alone. */
static void
refuse_rounding(struct compiler *compiler, const struct json_node *node, bool fixed)
{
    static const char *const fields[] = { "rounding", "quantum" };

    for (uint32_t i = 0; i < KOP_COUNT(fields); i++)
        if (compile_member(node, fields[i]))
            compile_problem(compiler, compile_member(node, fields[i]), "belongs to 'percent' only");
    if (fixed && compile_member(node, "per"))
        compile_problem(compiler, compile_member(node, "per"), "does not belong to 'fixed'");
    if (fixed && compile_member(node, "of"))
        compile_problem(compiler, compile_member(node, "of"), "does not belong to 'fixed'");
}

static void
compile_earn_value(struct compiler *compiler, const struct json_node *node, int currency_scale,
                   struct earn_terms *earn)
{
    const struct json_node *percent = compile_member(node, "percent");
    const struct json_node *per_amount = compile_member(node, "per_amount");
    const struct json_node *fixed = compile_member(node, "fixed");
    const struct json_node *points = compile_member(node, "points");
    const struct bounds positive = { 1, AMOUNT_MAX };
    const struct bounds percents = { 1, earn_percent_max * i64_pow10(rate_scale) };
    int money_scale = compiler->plan->terms.money_scale;
    int64_t value;

    if ((percent != NULL) + (per_amount != NULL) + (fixed != NULL) != 1) {
        compile_problem(compiler, node, "needs exactly one of 'percent', 'per_amount' and 'fixed'");
        return;
    }
    if (points && !per_amount)
        compile_problem(compiler, points, "belongs to 'per_amount' only");
    if (percent) {
        earn->kind = EARN_PERCENT;
        if (compile_decimal(compiler, percent, rate_scale, percents, &value))
            earn->rate = earn_rate(value, money_scale, currency_scale);
    } else if (per_amount) {
        earn->kind = EARN_PER_AMOUNT;
        refuse_rounding(compiler, node, false);
        compile_decimal(compiler, per_amount, money_scale, positive, &earn->per_amount);
        compile_decimal(compiler, compile_needed(compiler, node, "points"), currency_scale,
                        positive, &earn->points);
    } else {
        earn->kind = EARN_FIXED;
        refuse_rounding(compiler, node, true);
        compile_decimal(compiler, fixed, currency_scale, positive, &earn->points);
    }
}

/* The position of the currency that `node` names, or -1 after a report. */
static int
compile_earn_currency(struct compiler *compiler, const struct json_node *node)
{
    struct text code;
    int position;

    if (!compile_string(compiler, node, code_bytes_max, &code))
        return -1;
    position = currency_position(&compiler->plan->terms, code);
    if (position < 0 && !compile_declared(compiler, "currencies", code))
        compile_problem(compiler, node, "names no currency of this programme");
    return position;
}

static void
compile_earn(struct compiler *compiler, const struct json_node *node, uint32_t index)
{
    static const char *const names[] = { "currency", "percent", "per_amount", "points", "fixed",
                                         "of",       "per",     "rounding",   "quantum" };
    static const char *const ofs[] = { "gross", "net", "money" };
    static const char *const pers[] = { "receipt", "line" };
    struct earn_terms *earn = &compiler->plan->rule[index].earn;
    enum rounding rounding = ROUND_DOWN;
    int of = EARN_OF_MONEY, per = 0, scale = points_scale_any;
    int position;

    *earn = (struct earn_terms){ .rate = { 0, 1 }, .quantum = 1 };
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    position = compile_earn_currency(compiler, compile_needed(compiler, node, "currency"));
    compiler->rule_currency[index] = position;
    if (position >= 0) {
        earn->currency = compiler->plan->terms.currency[position].no;
        earn->currency_index = (uint8_t)position;
        scale = compiler->plan->terms.currency[position].scale;
    }
    compile_earn_value(compiler, node, scale, earn);
    compile_choice(compiler, compile_member(node, "of"), ofs, KOP_COUNT(ofs), &of);
    earn->of = (uint8_t)of;
    compile_choice(compiler, compile_member(node, "per"), pers, KOP_COUNT(pers), &per);
    earn->per_line = per == 1;
    compile_rounding(compiler, compile_member(node, "rounding"), &rounding);
    earn->rounding = (uint8_t)rounding;
    compile_decimal(compiler, compile_member(node, "quantum"), scale,
                    (struct bounds){ 1, AMOUNT_MAX }, &earn->quantum);
}

/* -------------------------------------------------------------------------------------- rules */

static void
compile_valid(struct compiler *compiler, const struct json_node *node, struct rule *rule)
{
    static const char *const names[] = { "from", "until" };

    rule->valid_from = INT64_MIN;
    rule->valid_until = TIME_NONE;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (node->count == 0)
        compile_problem(compiler, node, "needs 'from' or 'until'");
    compile_instant(compiler, compile_member(node, "from"), &rule->valid_from);
    compile_instant(compiler, compile_member(node, "until"), &rule->valid_until);
    if (rule->valid_from >= rule->valid_until)
        compile_problem(compiler, node, "ends before it begins");
}

/* Is it a code of an event's kind: lower-case letters, digits, '-' and '_'? */
static bool
is_kind_code(struct text code)
{
    for (uint32_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return code.len > 0;
}

/* The index of the rule's kind of event; a new one is added. */
static uint8_t
compile_kind(struct compiler *compiler, const struct json_node *node)
{
    struct plan *plan = compiler->plan;
    struct text name;

    if (!compile_string(compiler, node, code_bytes_max, &name))
        return 0;
    if (!is_kind_code(name)) {
        compile_problem(compiler, node, "must be letters a-z, digits, '-' and '_'");
        return 0;
    }
    for (uint32_t i = 0; i < plan->kind_count; i++)
        if (text_equal(plan->kind[i].name, name))
            return (uint8_t)i;
    if (plan->kind_count >= kinds_per_programme_max) {
        compile_problem(compiler, node, "is one kind of event too many: at most %d",
                        (int)kinds_per_programme_max);
        return 0;
    }
    plan->kind[plan->kind_count].name = text_copy(compiler->arena, name);
    return (uint8_t)plan->kind_count++;
}

static void
compile_rule_code(struct compiler *compiler, const struct json_node *node, struct rule *rule,
                  uint32_t index)
{
    uint32_t other;

    if (!compile_text(compiler, node, code_bytes_max, &rule->code))
        return;
    if (map_get(compiler->plan->rule_by_code, rule->code, &other))
        compile_problem(compiler, node, "is the code of rule %u as well", other + 1);
    else
        (void)map_put(compiler->plan->rule_by_code, rule->code, index);
}

/* The one effect of the rule's scope; the other's is a mistake. */
static void
compile_effect(struct compiler *compiler, const struct json_node *node, uint32_t index)
{
    struct rule *rule = &compiler->plan->rule[index];
    bool earns = rule->scope == SCOPE_EARN;
    const struct json_node *other = compile_member(node, earns ? "discount" : "earn");

    if (other)
        compile_problem(compiler, other,
                        earns ? "does not belong to scope 'earn'" : "belongs to scope 'earn' only");
    if (earns)
        compile_earn(compiler, compile_needed(compiler, node, "earn"), index);
    else
        compile_discount(compiler, compile_needed(compiler, node, "discount"), rule);
}

static void
compile_rule(struct compiler *compiler, const struct json_node *node, uint32_t index)
{
    static const char *const scopes[] = { "line", "receipt", "earn" };
    static const enum phase phases[] = {
        [SCOPE_LINE] = PHASE_START, [SCOPE_RECEIPT] = PHASE_AFTER_LINES, [SCOPE_EARN] = PHASE_PAID
    };
    struct rule *rule = &compiler->plan->rule[index];
    int64_t priority = 0;
    int scope = SCOPE_EARN;
    bool scoped;

    *rule = (struct rule){ .scope = SCOPE_EARN, .when = condition_none, .lines = condition_none };
    compiler->rule_currency[index] = -1;
    compiler->rule_node[index] = node;
    if (!compile_object(compiler, node, rule_fields, KOP_COUNT(rule_fields)))
        return;
    compile_rule_code(compiler, compile_needed(compiler, node, "code"), rule, index);
    compile_name(compiler, compile_member(node, "name"), rule->code, &rule->name_en,
                 &rule->name_ru);
    rule->kind = compile_kind(compiler, compile_member(node, "on"));
    scoped = compile_choice(compiler, compile_needed(compiler, node, "scope"), scopes,
                            KOP_COUNT(scopes), &scope);
    rule->scope = (uint8_t)scope;
    compile_whole(compiler, compile_member(node, "priority"),
                  (struct bounds){ -priority_max, priority_max }, &priority);
    rule->priority = (int32_t)priority;
    compile_valid(compiler, compile_member(node, "valid"), rule);
    rule->when = compile_condition(compiler, compile_member(node, "when"), PLACE_EVENT,
                                   phases[scope]);
    rule->lines = compile_condition(compiler, compile_member(node, "lines"), PLACE_LINE,
                                    phases[scope]);
    if (scoped)
        compile_effect(compiler, node, index);
}

/* Room for `count` rules; false when memory ran out. */
static bool
make_room(struct compiler *compiler, uint32_t count)
{
    struct plan *plan = compiler->plan;

    plan->kind = arena_array(compiler->arena, struct kind_plan, kinds_per_programme_max);
    plan->rule_by_code = arena_new(compiler->arena, struct map);
    plan->rule = arena_array(compiler->arena, struct rule, count);
    compiler->rule_node = arena_array(compiler->scratch, const struct json_node *, count);
    compiler->rule_currency = arena_array(compiler->scratch, int32_t, count);
    if (compile_failed(compiler))
        return false;
    map_init(plan->rule_by_code, compiler->arena);
    plan->kind[0].name = TEXT("purchase");
    plan->kind_count = 1;
    return true;
}

void
compile_rules(struct compiler *compiler)
{
    const struct json_node *node = compile_needed(compiler, compiler->root, "rules");
    bool is_list = node && compile_array(compiler, node);
    uint32_t count = is_list ? node->count : 0;

    if (count > rules_per_programme_max) {
        compile_problem(compiler, node, "must have at most %d rules", (int)rules_per_programme_max);
        count = 0;
    }
    if (!make_room(compiler, count) || count == 0)
        return;
    for (const struct json_node *child = node->first; child; child = child->next) {
        if (compile_failed(compiler))
            return;
        compile_rule(compiler, child, compiler->plan->rule_count++);
    }
    assert(compiler->plan->rule_count == count);
}
