/*
 * compile_terms.c - money, currencies, counters, ladders and the other settings of a programme.
 *
 * Owns:      everything of a document but rules, conditions and the combination tree.
 * Must not:  look at rules.
 * Invariant: arrays in struct terms are in order of `no`, each no and code once.
 * Tests:     tests/unit/engine/test_compile.c, test_plan.c, tests/tables/programme/
 */
#include "engine/compile.h"

enum { money_scale_max = 4, points_scale_max = 6, worth_scale = 6, worth_max = 1000000 };

void
compile_money(struct compiler *compiler)
{
    static const char *const names[] = { "code", "scale" };
    const struct json_node *node = compile_needed(compiler, compiler->root, "money");
    int64_t scale = 0;

    compiler->plan->terms.money_scale = 2;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (!compile_text(compiler, compile_needed(compiler, node, "code"), code_bytes_max,
                      &compiler->plan->money_code))
        compiler->plan->money_code = TEXT("?");
    if (compile_whole(compiler, compile_needed(compiler, node, "scale"),
                      (struct bounds){ 0, money_scale_max }, &scale))
        compiler->plan->terms.money_scale = (uint8_t)scale;
}

/* The `no` of a currency, counter or ladder, which no sibling has. `used` has bit no. */
static bool
compile_no(struct compiler *compiler, const struct json_node *object, int64_t max, uint64_t *used,
           uint8_t *no)
{
    const struct json_node *node = compile_needed(compiler, object, "no");
    int64_t value;

    assert(max <= 64);
    if (!compile_whole(compiler, node, (struct bounds){ 1, max }, &value))
        return false;
    if (*used >> (value - 1) & 1) {
        compile_problem(compiler, node, "%lld is the number of another one", (long long)value);
        return false;
    }
    *used |= UINT64_C(1) << (value - 1);
    *no = (uint8_t)value;
    return true;
}

static void
compile_worth(struct compiler *compiler, const struct json_node *node,
              struct currency_terms *currency)
{
    int64_t worth = 0;
    const int64_t max = worth_max * i64_pow10(worth_scale);

    currency->worth = (struct rate){ 0, 1 };
    if (!compile_decimal(compiler, node, worth_scale, (struct bounds){ 0, max }, &worth))
        return;
    currency->worth = rate_reduced((struct rate){
        .num = worth * i64_pow10(compiler->plan->terms.money_scale),
        .den = i64_pow10(worth_scale) * i64_pow10(currency->scale),
    });
}

static void
compile_pending(struct compiler *compiler, const struct json_node *node,
                struct currency_terms *currency)
{
    static const char *const names[] = { "period" };

    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    if (compile_period(compiler, compile_needed(compiler, node, "period"), false,
                       &currency->pending_period))
        currency->pending = PENDING_PERIOD;
}

static void
compile_expiry(struct compiler *compiler, const struct json_node *node,
               struct currency_terms *currency)
{
    static const char *const names[] = { "kind", "period", "round", "following" };
    static const char *const kinds[] = { "period", "period-end" };
    static const char *const rounds[] = { "month", "quarter", "half-year", "year" };
    static const enum period_kind round_kinds[] = { PERIOD_MONTH, PERIOD_QUARTER, PERIOD_HALF_YEAR,
                                                    PERIOD_YEAR };
    const struct json_node *round, *following, *period;
    int kind, index = 0;
    int64_t number = 0;

    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    period = compile_needed(compiler, node, "period");
    round = compile_member(node, "round");
    following = compile_member(node, "following");
    if (!compile_choice(compiler, compile_needed(compiler, node, "kind"), kinds, 2, &kind))
        return;
    currency->expiry = kind == 0 ? EXPIRY_PERIOD : EXPIRY_PERIOD_END;
    if (kind == 0 && round)
        compile_problem(compiler, round, "belongs to 'period-end' only");
    if (kind == 0 && following)
        compile_problem(compiler, following, "belongs to 'period-end' only");
    if (kind == 1 && !round)
        compile_missing(compiler, node, "round");
    if (kind == 1 && compile_choice(compiler, round, rounds, KOP_COUNT(rounds), &index))
        currency->expiry_round = round_kinds[index];
    if (kind == 1 && compile_whole(compiler, following, (struct bounds){ 0, 4 }, &number))
        currency->expiry_following = (uint8_t)number;
    if (!compile_period(compiler, period, kind == 1, &currency->expiry_period))
        return;
    if (kind == 1 && currency->expiry_period.ms != 0)
        compile_problem(compiler, period, "must count in days and months before a period's end");
}

static void
compile_currency(struct compiler *compiler, const struct json_node *node, uint64_t *used)
{
    static const char *const names[] = { "no",      "name",   "scale", "worth",
                                         "pending", "expiry", "debt",  "grace_days" };
    static const char *const debts[] = { "allow", "refuse" };
    struct terms *terms = &compiler->plan->terms;
    struct currency_terms *currency = &terms->currency[terms->currency_count];
    struct text *en = &compiler->plan->currency_name_en[terms->currency_count];
    struct text *ru = &compiler->plan->currency_name_ru[terms->currency_count];
    int64_t number = 0;
    int index = 0;

    *currency = (struct currency_terms){ .worth = { 0, 1 } };
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    bool good = compile_key_code(compiler, node, &currency->code);
    good &= compile_no(compiler, node, currencies_per_programme_max, used, &currency->no);
    good &= compile_name(compiler, compile_member(node, "name"), currency->code, en, ru);
    if (compile_whole(compiler, compile_needed(compiler, node, "scale"),
                      (struct bounds){ 0, points_scale_max }, &number))
        currency->scale = (uint8_t)number;
    else
        good = false;
    compile_worth(compiler, compile_member(node, "worth"), currency);
    compile_pending(compiler, compile_member(node, "pending"), currency);
    compile_expiry(compiler, compile_member(node, "expiry"), currency);
    if (compile_choice(compiler, compile_member(node, "debt"), debts, 2, &index))
        currency->debt = index == 0 ? DEBT_ALLOW : DEBT_REFUSE;
    number = 0;
    if (compile_whole(compiler, compile_member(node, "grace_days"), (struct bounds){ 0, 3650 },
                      &number))
        currency->grace_days = (uint16_t)number;
    if (good)
        terms->currency_count++;
}

/* Put the currencies (and their names) in order of no; there are at most sixteen. */
static void
sort_currencies(struct plan *plan)
{
    struct currency_terms *item = plan->terms.currency;

    for (int i = 1; i < plan->terms.currency_count; i++) {
        for (int j = i; j > 0 && item[j].no < item[j - 1].no; j--) {
            struct currency_terms currency = item[j];
            struct text en = plan->currency_name_en[j], ru = plan->currency_name_ru[j];
            item[j] = item[j - 1];
            item[j - 1] = currency;
            plan->currency_name_en[j] = plan->currency_name_en[j - 1];
            plan->currency_name_en[j - 1] = en;
            plan->currency_name_ru[j] = plan->currency_name_ru[j - 1];
            plan->currency_name_ru[j - 1] = ru;
        }
    }
}

void
compile_currencies(struct compiler *compiler)
{
    const struct json_node *node = compile_needed(compiler, compiler->root, "currencies");
    struct plan *plan = compiler->plan;
    uint64_t used = 0;

    /* One more than the most: an entry that turns out wrong is overwritten by the next. */
    plan->terms.currency = arena_array(compiler->arena, struct currency_terms,
                                       currencies_per_programme_max + 1);
    plan->currency_name_en = arena_array(compiler->arena, struct text,
                                         currencies_per_programme_max + 1);
    plan->currency_name_ru = arena_array(compiler->arena, struct text,
                                         currencies_per_programme_max + 1);
    if (!node || compile_failed(compiler))
        return;
    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be an object");
        return;
    }
    for (const struct json_node *child = node->first; child; child = child->next)
        compile_currency(compiler, child, &used);
    assert(plan->terms.currency_count <= currencies_per_programme_max);
    sort_currencies(plan);
}

static bool
compile_counter_period(struct compiler *compiler, const struct json_node *node,
                       struct counter_terms *counter)
{
    static const char *const periods[] = { "ever",    "day",       "week", "month",
                                           "quarter", "half-year", "year" };
    static const enum period_kind kinds[] = { PERIOD_EVER,  PERIOD_DAY,     PERIOD_WEEK,
                                              PERIOD_MONTH, PERIOD_QUARTER, PERIOD_HALF_YEAR,
                                              PERIOD_YEAR };
    static const char *const names[] = { "rolling_days" };
    int64_t days;
    int index;

    if (!node)
        return false;
    if (node->type == JSON_STRING) {
        if (!compile_choice(compiler, node, periods, KOP_COUNT(periods), &index))
            return false;
        counter->period = kinds[index];
        return true;
    }
    if (!compile_object(compiler, node, names, 1) ||
        !compile_whole(compiler, compile_needed(compiler, node, "rolling_days"),
                       (struct bounds){ 1, 400 }, &days))
        return false;
    counter->period = PERIOD_DAY;
    counter->rolling_days = (uint16_t)days;
    return true;
}

static void
compile_counter(struct compiler *compiler, const struct json_node *node, uint64_t *used)
{
    static const char *const names[] = { "no", "of", "period" };
    static const char *const sources[] = { "gross", "net", "money", "count" };
    static const enum counter_source source_kinds[] = { COUNTER_GROSS, COUNTER_NET, COUNTER_MONEY,
                                                        COUNTER_COUNT };
    struct terms *terms = &compiler->plan->terms;
    struct counter_terms *counter = &terms->counter[terms->counter_count];
    int index = 0;

    *counter = (struct counter_terms){ 0 };
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    bool good = compile_key_code(compiler, node, &counter->code);
    good &= compile_no(compiler, node, counters_per_programme_max, used, &counter->no);
    good &= compile_choice(compiler, compile_needed(compiler, node, "of"), sources,
                           KOP_COUNT(sources), &index);
    counter->source = source_kinds[index];
    good &= compile_counter_period(compiler, compile_needed(compiler, node, "period"), counter);
    if (good)
        terms->counter_count++;
}

void
compile_counters(struct compiler *compiler)
{
    const struct json_node *node = compile_member(compiler->root, "counters");
    struct terms *terms = &compiler->plan->terms;
    uint64_t used = 0;

    terms->counter = arena_array(compiler->arena, struct counter_terms,
                                 counters_per_programme_max + 1);
    if (!node || !terms->counter)
        return;
    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be an object");
        return;
    }
    for (const struct json_node *child = node->first; child; child = child->next)
        compile_counter(compiler, child, &used);
    assert(terms->counter_count <= counters_per_programme_max);
    for (int i = 1; i < terms->counter_count; i++) {
        for (int j = i; j > 0 && terms->counter[j].no < terms->counter[j - 1].no; j--) {
            struct counter_terms counter = terms->counter[j];
            terms->counter[j] = terms->counter[j - 1];
            terms->counter[j - 1] = counter;
        }
    }
}

/* One level: false when it is wrong. It must lie above `below`, the level before. */
static bool
compile_level(struct compiler *compiler, const struct json_node *node,
              const struct ladder_terms *ladder, int scale, struct level_terms *level)
{
    static const char *const names[] = { "code", "from" };
    const struct json_node *code, *from;

    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return false;
    code = compile_needed(compiler, node, "code");
    from = compile_needed(compiler, node, "from");
    bool good = compile_text(compiler, code, code_bytes_max, &level->code);
    good &= compile_decimal(compiler, from, scale, (struct bounds){ 0, AMOUNT_MAX }, &level->from);
    for (uint32_t i = 0; good && i < ladder->level_count; i++) {
        if (!text_equal(ladder->level[i].code, level->code))
            continue;
        compile_problem(compiler, code, "is the code of an earlier level");
        good = false;
    }
    if (good && ladder->level_count > 0 &&
        level->from <= ladder->level[ladder->level_count - 1].from) {
        compile_problem(compiler, from, "must be above that of the level before");
        good = false;
    }
    return good;
}

static bool
compile_levels(struct compiler *compiler, const struct json_node *node, int scale,
               struct ladder_terms *ladder)
{
    bool good = true;

    if (!node || !compile_array(compiler, node))
        return false;
    if (node->count == 0 || node->count > levels_per_ladder_max) {
        compile_problem(compiler, node, "must have 1 to %d levels", (int)levels_per_ladder_max);
        return false;
    }
    for (const struct json_node *child = node->first; child; child = child->next) {
        struct level_terms level = { 0 };
        if (compile_level(compiler, child, ladder, scale, &level))
            ladder->level[ladder->level_count++] = level;
        else
            good = false;
    }
    assert(ladder->level_count <= levels_per_ladder_max);
    return good;
}

static void
compile_ladder(struct compiler *compiler, const struct json_node *node, uint64_t *used)
{
    static const char *const names[] = { "no", "counter", "downgrade", "levels" };
    static const char *const downgrades[] = { "never", "at-once" };
    struct terms *terms = &compiler->plan->terms;
    struct ladder_terms *ladder = &terms->ladder[terms->ladder_count];
    const struct json_node *counter_node;
    struct text code = { 0 };
    int position = -1, index = 0, scale = terms->money_scale;

    *ladder = (struct ladder_terms){ 0 };
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return;
    bool good = compile_key_code(compiler, node, &ladder->code);
    good &= compile_no(compiler, node, ladders_per_programme_max, used, &ladder->no);
    counter_node = compile_needed(compiler, node, "counter");
    if (compile_string(compiler, counter_node, code_bytes_max, &code)) {
        position = counter_position(terms, code);
        if (position < 0 && !compile_declared(compiler, "counters", code))
            compile_problem(compiler, counter_node, "names no counter of this programme");
    }
    good &= position >= 0;
    if (position >= 0) {
        ladder->counter_no = terms->counter[position].no;
        scale = terms->counter[position].source == COUNTER_COUNT ? 0 : terms->money_scale;
    }
    if (compile_choice(compiler, compile_member(node, "downgrade"), downgrades, 2, &index))
        ladder->downgrade = index == 0 ? DOWNGRADE_NEVER : DOWNGRADE_AT_ONCE;
    good &= compile_levels(compiler, compile_needed(compiler, node, "levels"), scale, ladder);
    if (good)
        terms->ladder_count++;
}

void
compile_ladders(struct compiler *compiler)
{
    const struct json_node *node = compile_member(compiler->root, "ladders");
    struct terms *terms = &compiler->plan->terms;
    uint64_t used = 0;

    terms->ladder = arena_array(compiler->arena, struct ladder_terms,
                                ladders_per_programme_max + 1);
    if (!node || !terms->ladder)
        return;
    if (node->type != JSON_OBJECT) {
        compile_problem(compiler, node, "must be an object");
        return;
    }
    for (const struct json_node *child = node->first; child; child = child->next)
        compile_ladder(compiler, child, &used);
    assert(terms->ladder_count <= ladders_per_programme_max);
    for (int i = 1; i < terms->ladder_count; i++) {
        for (int j = i; j > 0 && terms->ladder[j].no < terms->ladder[j - 1].no; j--) {
            struct ladder_terms ladder = terms->ladder[j];
            terms->ladder[j] = terms->ladder[j - 1];
            terms->ladder[j - 1] = ladder;
        }
    }
}
