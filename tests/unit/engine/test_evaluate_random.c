/*
 * test_evaluate_random.c - random programmes on random receipts, against the oracle.
 *
 * Owns:      the generators, and the properties that hold whatever the programme: identity of every
 *            line, nothing negative, no dependence on the order of the document, a trace that tells
 *            the effects, requote and earn-again of the same goods give the same.
 * Must not:  depend on anything but its seed: a failure prints programme, receipt and both numbers.
 */
#include "host.h"
#include "oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { programmes = 1000, receipts = 100 };

static uint64_t seed = 20260106;

static uint64_t
next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t
below(int64_t bound)
{
    return (int64_t)(next() % (uint64_t)bound);
}

static bool
one_in(int n)
{
    return below(n) == 0;
}

/* ------------------------------------------------------------------------------- generators */

static amount
some_money(void)
{
    static const amount sizes[] = { 10, 1000, 100000, 10000000 };
    return 1 + below(sizes[below(4)]);
}

static void
make_discount(struct model_rule *rule)
{
    static const amount quanta[] = { 1, 1, 1, 10, 50, 100 };

    rule->kind = (enum discount_kind)below(rule->scope == SCOPE_LINE ? 3 : 2);
    rule->per = rule->scope == SCOPE_LINE                     ? (enum discount_per)below(2)
                : rule->kind == DISCOUNT_PERCENT || one_in(2) ? PER_RECEIPT
                                                              : (enum discount_per)below(2);
    rule->rounding = (enum rounding)below(5);
    rule->quantum = quanta[below(6)];
    if (rule->kind == DISCOUNT_PERCENT)
        rule->value = one_in(4) ? 1 + below(100000000) : (1 + below(20)) * 5000000;
    else
        rule->value = some_money();
}

static void
make_earn(struct model_rule *rule)
{
    rule->currency = (int)below(model_currencies);
    rule->earn_kind = (enum earn_kind)below(3);
    rule->of = rule->earn_kind == EARN_FIXED ? EARN_OF_MONEY : (enum earn_of)below(3);
    rule->per_line = one_in(3);
    rule->rounding = (enum rounding)below(5);
    rule->quantum = one_in(3) ? 5 : 1;
    rule->value = one_in(3) ? 1 + below(300000000) : (1 + below(20)) * 1000000;
    rule->per_amount = some_money();
    rule->points = 1 + below(300);
}

static void
make_model(struct model *model)
{
    static const enum tree_op ops[] = { TREE_MAX, TREE_MIN, TREE_FIRST, TREE_SUM, TREE_MULTIPLY };
    static const amount receipt_quanta[] = { 0, 0, 10, 100, 1000 };

    memset(model, 0, sizeof(*model));
    model->rule_count = 1 + (int)below(model_rules_max);
    model->group_count = (int)below(model_groups_max + 1);
    model->spreading = (enum spreading)below(3);
    model->receipt_quantum = receipt_quanta[below(5)];
    for (int s = 0; s < rule_scope_count; s++)
        model->root[s] = ops[below(s == SCOPE_EARN ? 4 : 5)];
    for (int g = 0; g < model->group_count; g++) {
        struct model_group *group = &model->group[g];
        snprintf(group->code, sizeof(group->code), "g%d", (int)below(1000) * 10 + g);
        group->scope = (enum rule_scope)below(3);
        group->op = ops[below(group->scope == SCOPE_EARN ? 4 : 5)];
        group->priority = (int)below(5) - 2;
        group->parent = -1;
        for (int p = 0; p < g; p++)
            if (model->group[p].scope == group->scope && one_in(2))
                group->parent = p;
    }
    for (int r = 0; r < model->rule_count; r++) {
        struct model_rule *rule = &model->rule[r];
        snprintf(rule->code, sizeof(rule->code), "r%d", (int)below(1000) * 10 + r);
        rule->scope = (enum rule_scope)below(3);
        rule->priority = (int)below(5) - 2;
        rule->group = -1;
        rule->category = one_in(2) ? (int)below(3) : -1;
        rule->min_base = one_in(3) ? some_money() : 0;
        for (int g = 0; g < model->group_count; g++)
            if (model->group[g].scope == rule->scope && one_in(2))
                rule->group = g;
        if (rule->scope == SCOPE_EARN)
            make_earn(rule);
        else
            make_discount(rule);
    }
    for (int c = 0; c < 2; c++)
        model->redemption[c] = (struct model_redemption){
            .allowed = !one_in(8),
            .percent = one_in(2) ? 100000000 : 1 + below(100000000),
            .money_min = one_in(3) ? some_money() : 0,
            .step = one_in(3) ? 1 + below(200) : 1,
            .category = one_in(3) ? (int)below(3) : -1,
        };
}

static void
make_receipt(struct model_receipt *receipt)
{
    memset(receipt, 0, sizeof(*receipt));
    receipt->line_count = 1 + (int)below(model_lines_max);
    receipt->known = !one_in(5);
    amount sum = 0;
    for (int i = 0; i < receipt->line_count; i++) {
        struct model_line *line = &receipt->line[i];
        line->gross = one_in(12) ? 0 : some_money();
        if (i > 0 && one_in(4))
            line->gross = receipt->line[i - 1].gross;
        line->quantity = one_in(3) ? 1 + below(20000) : 1000 * (1 + below(12));
        line->category = (int)below(4);
        line->floor = one_in(4) ? below(line->gross + line->gross / 10 + 1) : 0;
        sum += line->gross;
    }
    if (one_in(4))
        receipt->certificate = below(sum + 2);
    if (one_in(4))
        receipt->purse = below(sum / 2 + 2);
    for (int c = 0; c < model_currencies; c++)
        receipt->available[c] = one_in(4) ? 0 : below(sum + 10);
    int first = one_in(12) ? 2 : (int)below(2);
    receipt->wish_count = first == 2 ? 1 : (int)below(3 - first);
    for (int i = 0; i < receipt->wish_count; i++)
        receipt->wish[i] = (struct model_wish){
            .currency = first + i,
            .max = one_in(2),
            .points = below(sum / (first + i == 1 ? 40 : 4) + 2),
        };
}

/* ----------------------------------------------------------------------- through the engine */

struct event_data {
    struct event event;
    struct line line[model_lines_max];
    struct redeem redeem[2];
    struct payment payment[2];
    struct member_view view;
};

static void
make_event(const struct model_receipt *receipt, struct event_data *data)
{
    static const struct text codes[] = { { "bonus", 5 }, { "dime", 4 }, { "star", 4 } };
    static const struct text categories[] = { { "g0", 2 }, { "g1", 2 }, { "g2", 2 }, { "g3", 2 } };

    memset(data, 0, sizeof(*data));
    data->event = (struct event){
        .kind = TEXT("purchase"),
        .line = data->line,
        .redeem = data->redeem,
        .payment = data->payment,
        .line_count = (uint32_t)receipt->line_count,
        .redeem_count = (uint32_t)receipt->wish_count,
    };
    for (int i = 0; i < receipt->line_count; i++)
        data->line[i] = (struct line){
            .category = categories[receipt->line[i].category],
            .gross = receipt->line[i].gross,
            .quantity = receipt->line[i].quantity,
            .floor = receipt->line[i].floor,
        };
    for (int i = 0; i < receipt->wish_count; i++)
        data->redeem[i] = (struct redeem){ .currency = codes[receipt->wish[i].currency],
                                           .max = receipt->wish[i].max,
                                           .points = receipt->wish[i].points };
    if (receipt->certificate > 0)
        data->payment[data->event.payment_count++] =
            (struct payment){ .kind = PAYMENT_CERTIFICATE, .money = receipt->certificate };
    if (receipt->purse > 0)
        data->payment[data->event.payment_count++] = (struct payment){ .kind = PAYMENT_PURSE,
                                                                       .money = receipt->purse };
    data->view.known = receipt->known;
    for (int c = 0; c < model_currencies; c++)
        data->view.available[c] = receipt->available[c];
}

static struct text document;

static void
check(bool good, const struct model_receipt *receipt, const char *what, int64_t is, int64_t wanted)
{
    if (good)
        return;
    printf("%.*s\n", (int)document.len, document.ptr);
    for (int i = 0; i < receipt->line_count; i++)
        printf("line %lld x %lld floor %lld category g%d\n", (long long)receipt->line[i].gross,
               (long long)receipt->line[i].quantity, (long long)receipt->line[i].floor,
               receipt->line[i].category);
    for (int i = 0; i < receipt->wish_count; i++)
        printf("redeem %d max %d points %lld of %lld\n", receipt->wish[i].currency,
               receipt->wish[i].max, (long long)receipt->wish[i].points,
               (long long)receipt->available[receipt->wish[i].currency]);
    printf("certificate %lld purse %lld\n", (long long)receipt->certificate,
           (long long)receipt->purse);
    fail_msg("%s: %lld, not %lld", what, (long long)is, (long long)wanted);
}

#define CHECK(is, wanted) check((is) == (wanted), receipt, #is, (int64_t)(is), (int64_t)(wanted))
#define HOLDS(condition)  check(condition, receipt, #condition, 0, 1)

static struct plan *
compile(const struct model *model, bool shuffled, struct arena *arena)
{
    int order[model_rules_max];
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct buf buf;
    struct err err;

    for (int i = 0; i < model->rule_count; i++)
        order[i] = i;
    for (int i = model->rule_count - 1; i > 0 && shuffled; i--) {
        int other = (int)below(i + 1), spare = order[i];
        order[i] = order[other];
        order[other] = spare;
    }
    buf_init(&buf, arena, 1 << 14);
    model_write(model, order, &buf);
    document = buf_text(&buf);
    if (plan_compile(arena, document, (struct text){ 0 }, 1, &plan, &problems, &err) != OK)
        fail_msg("%s: %.*s: %.*s", err.text, problems.count ? (int)problems.item[0].pointer.len : 0,
                 problems.count ? problems.item[0].pointer.ptr : "",
                 problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    return plan;
}

static void
decide(const struct plan *plan, const struct event_data *data, enum evaluate_mode mode,
       enum trace_wish wish, struct arena *arena, struct decision *decision)
{
    struct err err;
    assert_int_equal(
        engine_evaluate(plan, &data->event, &data->view, mode, wish, arena, decision, &err), OK);
}

/* --------------------------------------------------------------------------------- properties */

static void
check_lines(const struct model_receipt *receipt, const struct decision *decision)
{
    struct line_result sum = { 0 };

    for (uint32_t i = 0; i < decision->line_count; i++) {
        const struct line_result *line = &decision->line[i];
        CHECK(line->gross, line->discount + line->rounding + line->points + line->certificate +
                               line->purse + line->money);
        HOLDS(line->discount >= 0 && line->rounding >= 0 && line->points >= 0);
        HOLDS(line->certificate >= 0 && line->purse >= 0 && line->money >= 0);
        HOLDS(line->discount + line->rounding == 0 ||
              line->gross - line->discount - line->rounding >= receipt->line[i].floor);
        sum.gross += line->gross;
        sum.discount += line->discount;
        sum.rounding += line->rounding;
        sum.points += line->points;
        sum.certificate += line->certificate;
        sum.purse += line->purse;
        sum.money += line->money;
    }
    HOLDS(memcmp(&sum, &decision->total, sizeof(sum)) == 0);
}

static amount
effects_of(const struct decision *decision, enum effect_kind kind, int32_t rule, int line)
{
    amount sum = 0;
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        if (effect->kind == kind && effect->rule == rule &&
            (line < 0 || effect->line == (uint32_t)line))
            sum += kind == EFFECT_EARN ? effect->points : effect->money;
    }
    return sum;
}

/* What fired adds up to the effects; what was displaced gave nothing where it was displaced. */
static void
check_trace(const struct plan *plan, const struct model_receipt *receipt,
            const struct decision *decision)
{
    CHECK(decision->trace_lost, 0u);
    for (int32_t rule = 0; rule < (int32_t)plan->rule_count; rule++) {
        enum effect_kind kind = plan->rule[rule].scope == SCOPE_EARN ? EFFECT_EARN
                                                                     : EFFECT_DISCOUNT;
        amount fired = 0;
        for (uint32_t i = 0; i < decision->trace_count; i++) {
            const struct trace_item *item = &decision->trace[i];
            if (item->rule != rule)
                continue;
            if (item->kind == TRACE_FIRED)
                fired += item->result;
            if (item->kind == TRACE_DISPLACED) {
                CHECK(effects_of(decision, kind, rule, item->line), 0);
                HOLDS(item->other >= 0 && item->other != rule && item->result > 0);
            }
            if (item->kind == TRACE_CAPPED)
                HOLDS(item->base > item->result && item->result >= 0);
            if (item->kind == TRACE_FAILED)
                HOLDS(item->condition >= 0 && (uint32_t)item->condition < plan->condition_count);
        }
        CHECK(fired, effects_of(decision, kind, rule, -1));
    }
}

static int32_t
rule_of(const struct plan *plan, const struct model *model, int r)
{
    int32_t rule = plan_rule_by_code(plan, text_of(model->rule[r].code));
    assert_true(rule != rule_none);
    return rule;
}

static void
check_answer(const struct plan *plan, const struct model *model,
             const struct model_receipt *receipt, const struct decision *decision,
             const struct model_answer *answer)
{
    amount points[model_currencies] = { 0 };

    CHECK(decision->outcome, answer->outcome);
    for (int i = 0; i < receipt->line_count; i++) {
        CHECK(decision->line[i].discount, answer->line[i].discount);
        CHECK(decision->line[i].rounding, answer->line[i].rounding);
        CHECK(decision->line[i].certificate, answer->line[i].certificate);
        CHECK(decision->line[i].points, answer->line[i].points);
        CHECK(decision->line[i].purse, answer->line[i].purse);
        CHECK(decision->line[i].money, answer->line[i].money);
    }
    for (int r = 0; r < model->rule_count; r++) {
        int32_t rule = rule_of(plan, model, r);
        for (int i = 0; i < receipt->line_count; i++) {
            CHECK(effects_of(decision, EFFECT_DISCOUNT, rule, i), answer->given[r][i]);
            CHECK(effects_of(decision, EFFECT_EARN, rule, i), answer->earned[r][i]);
        }
    }
    for (uint32_t i = 0; i < decision->redemption_count; i++)
        points[decision->redemption[i].currency - 1] += decision->redemption[i].points;
    for (int c = 0; c < model_currencies; c++)
        CHECK(points[c], answer->redeemed[c]);
}

/* Byte for byte, as the engine promises. */
static bool
same_effects(const struct decision *a, const struct decision *b)
{
    return a->effect_count == b->effect_count &&
           (a->effect_count == 0 ||
            memcmp(a->effect, b->effect, a->effect_count * sizeof(struct effect)) == 0);
}

/* All goods kept, with the payments that they bore: nothing changes. Nothing kept: nothing left. */
static void
check_requote(const struct plan *plan, const struct model_receipt *receipt,
              const struct event_data *data, const struct decision *decision, struct arena *arena)
{
    struct kept_payment kept[model_lines_max];
    struct event_data none = *data;
    struct decision again;
    struct err err;

    if (decision->outcome != OUTCOME_DONE)
        return;
    for (int i = 0; i < receipt->line_count; i++)
        kept[i] = (struct kept_payment){ .points = decision->line[i].points,
                                         .certificate = decision->line[i].certificate,
                                         .purse = decision->line[i].purse };
    assert_int_equal(engine_requote(plan, &data->event, &data->view, kept, arena, &again, &err),
                     OK);
    HOLDS(memcmp(again.line, decision->line, sizeof(*again.line) * again.line_count) == 0);
    CHECK(again.earning_count, decision->earning_count);
    for (uint32_t i = 0; i < again.earning_count; i++)
        CHECK(again.earning[i].points, decision->earning[i].points);
    HOLDS(memcmp(again.counter_add, decision->counter_add, sizeof(again.counter_add)) == 0);

    none.event.line = none.line;
    for (int i = 0; i < receipt->line_count; i++)
        none.line[i].quantity = none.line[i].gross = 0;
    memset(kept, 0, sizeof(kept));
    assert_int_equal(engine_requote(plan, &none.event, &data->view, kept, arena, &again, &err), OK);
    CHECK(again.total.gross, 0);
    CHECK(again.effect_count, 0u);
}

static void
check_earn_again(const struct plan *plan, const struct model_receipt *receipt,
                 const struct event_data *data, const struct decision *decision,
                 struct arena *arena)
{
    struct decision again = *decision;
    struct err err;

    if (decision->outcome != OUTCOME_DONE)
        return;
    assert_int_equal(engine_earn_again(plan, &data->event, &data->view, arena, &again, &err), OK);
    HOLDS(same_effects(&again, decision));
    CHECK(again.earning_count, decision->earning_count);
    HOLDS(again.earning_count == 0 || memcmp(again.earning, decision->earning,
                                             again.earning_count * sizeof(struct earning)) == 0);
    CHECK(again.trace_count, decision->trace_count);
    HOLDS(again.trace_count == 0 ||
          memcmp(again.trace, decision->trace, again.trace_count * sizeof(struct trace_item)) == 0);
    HOLDS(memcmp(&again.total, &decision->total, sizeof(again.total)) == 0);
    HOLDS(memcmp(again.counter_add, decision->counter_add, sizeof(again.counter_add)) == 0);
}

static void
check_quiet(const struct plan *plan, const struct model_receipt *receipt,
            const struct event_data *data, const struct decision *decision, struct arena *arena)
{
    struct decision quiet, fact;

    decide(plan, data, EVALUATE_ORDINARY, TRACE_NOTHING, arena, &quiet);
    CHECK(quiet.trace_count, 0u);
    HOLDS(same_effects(&quiet, decision));
    decide(plan, data, EVALUATE_FACT, TRACE_DEFAULT, arena, &fact);
    check_lines(receipt, &fact);
    HOLDS(fact.outcome == OUTCOME_DONE || fact.outcome == OUTCOME_REDEEM_NOT_ALLOWED ||
          fact.outcome == OUTCOME_MEMBER_NEEDED || fact.outcome == OUTCOME_CODE_NOT_CONFIRMED);
    CHECK(fact.total.discount, decision->total.discount);
}

static void
test_random(void **state)
{
    struct arena plans, arena;
    struct model model;
    struct model_receipt value, *receipt = &value;
    uint64_t discounts = 0, earnings = 0, refusals = 0, displaced = 0;

    (void)state;
    arena_init(&plans, host_source(), 1 << 18, 1 << 24);
    arena_init(&arena, host_source(), 1 << 18, 1 << 24);
    for (int p = 0; p < programmes; p++) {
        arena_reset(&plans);
        make_model(&model);
        struct plan *shuffled = compile(&model, true, &plans);
        struct plan *plan = compile(&model, false, &plans);
        for (int i = 0; i < receipts; i++) {
            struct event_data data;
            struct decision decision, other;
            struct model_answer answer;
            arena_reset(&arena);
            make_receipt(receipt);
            make_event(receipt, &data);
            oracle_decide(&model, receipt, &answer);
            decide(plan, &data, EVALUATE_ORDINARY, TRACE_DEFAULT, &arena, &decision);
            check_lines(receipt, &decision);
            check_answer(plan, &model, receipt, &decision, &answer);
            check_trace(plan, receipt, &decision);
            decide(shuffled, &data, EVALUATE_ORDINARY, TRACE_DEFAULT, &arena, &other);
            check_answer(shuffled, &model, receipt, &other, &answer);
            CHECK(decision.trace_count, other.trace_count);
            check_quiet(plan, receipt, &data, &decision, &arena);
            check_requote(plan, receipt, &data, &decision, &arena);
            check_earn_again(plan, receipt, &data, &decision, &arena);
            discounts += decision.total.discount > 0;
            earnings += decision.earning_count;
            refusals += decision.outcome != OUTCOME_DONE;
            for (uint32_t k = 0; k < decision.trace_count; k++)
                displaced += decision.trace[k].kind == TRACE_DISPLACED;
        }
    }
    printf("%llu with discounts, %llu earnings, %llu refused, %llu displaced\n",
           (unsigned long long)discounts, (unsigned long long)earnings,
           (unsigned long long)refusals, (unsigned long long)displaced);
    /* The generators reach what they are meant to reach. */
    assert_true(discounts > 30000);
    assert_true(earnings > 30000);
    assert_true(refusals > 10000);
    assert_true(refusals < 60000);
    assert_true(displaced > 30000);
    arena_release(&arena);
    arena_release(&plans);
}

/* Memory that ends at any place: the answer is CODE_NO_MEMORY, never a wrong decision. */
static void
test_no_memory(void **state)
{
    static _Alignas(16) unsigned char memory[1 << 15];
    struct arena plans;
    struct model model;
    struct model_receipt value, *receipt = &value;
    unsigned refused = 0, decided = 0;

    (void)state;
    arena_init(&plans, host_source(), 1 << 18, 1 << 24);
    for (int p = 0; p < 60; p++) {
        struct event_data data;
        arena_reset(&plans);
        make_model(&model);
        make_receipt(receipt);
        make_event(receipt, &data);
        struct plan *plan = compile(&model, false, &plans);
        for (size_t size = 64; size <= sizeof(memory); size += 112) {
            struct arena arena;
            struct decision decision;
            struct err err;
            arena_init_fixed(&arena, memory, size);
            enum code rc = engine_evaluate(plan, &data.event, &data.view, EVALUATE_ORDINARY,
                                           TRACE_DEFAULT, &arena, &decision, &err);
            HOLDS(rc == OK || rc == CODE_NO_MEMORY);
            refused += rc == CODE_NO_MEMORY;
            decided += rc == OK;
            if (rc == OK)
                check_lines(receipt, &decision);
        }
    }
    assert_true(refused > 500);
    assert_true(decided > 500);
    arena_release(&plans);
}

/* The longest receipt, with every line discounted, within the memory of one request. */
static void
test_longest(void **state)
{
    static struct line line[lines_per_receipt_max];
    static const char text[] =
        "{\"format\":1,\"id\":\"x\",\"name\":{\"en\":\"x\"},\"money\":{\"code\":\"RUB\",\"scale\":"
        "2},"
        "\"currencies\":{\"bonus\":{\"no\":1,\"name\":{\"en\":\"b\"},\"scale\":2,\"worth\":\"1\"}},"
        "\"rules\":[{\"code\":\"a\",\"scope\":\"line\",\"discount\":{\"kind\":\"percent\","
        "\"value\":\"7\"}},"
        "{\"code\":\"b\",\"scope\":\"line\",\"discount\":{\"kind\":\"percent\",\"value\":\"9\"}},"
        "{\"code\":\"c\",\"scope\":\"receipt\",\"discount\":{\"kind\":\"amount\",\"value\":\"99."
        "99\"}},"
        "{\"code\":\"d\",\"scope\":\"earn\",\"earn\":{\"currency\":\"bonus\",\"percent\":\"3\"}}],"
        "\"redemption\":{\"bonus\":{\"max_percent\":\"50\"}}}";
    struct redeem redeem = { .currency = TEXT("bonus"), .max = true };
    struct event event = { .kind = TEXT("purchase"),
                           .line = line,
                           .redeem = &redeem,
                           .line_count = lines_per_receipt_max,
                           .redeem_count = 1 };
    struct member_view view = { .known = true, .available = { AMOUNT_MAX } };
    struct problems problems;
    struct decision decision;
    struct arena arena;
    struct plan *plan;
    struct err err;

    (void)state;
    arena_init(&arena, host_source(), 1 << 18, request_arena_bytes_max);
    for (int i = 0; i < lines_per_receipt_max; i++)
        line[i] = (struct line){ .quantity = 1000, .gross = 10000 + below(100000) };
    assert_int_equal(
        plan_compile(&arena, TEXT(text), (struct text){ 0 }, 1, &plan, &problems, &err), OK);
    assert_int_equal(engine_evaluate(plan, &event, &view, EVALUATE_ORDINARY, TRACE_DEFAULT, &arena,
                                     &decision, &err),
                     OK);
    assert_int_equal(decision.outcome, OUTCOME_DONE);
    assert_int_equal(decision.trace_lost, 0);
    assert_int_equal(decision.total.money,
                     decision.total.gross - decision.total.discount - decision.total.points);
    assert_int_equal(decision.earning[0].points, decision.total.money * 3 / 100);
    arena_release(&arena);
}

/* More than 64 bits hold: refused, not wrapped. */
static void
test_overflow(void **state)
{
    static struct line line[3];
    struct event event = { .kind = TEXT("purchase"), .line = line, .line_count = 3 };
    struct member_view view = { .known = true };
    struct decision decision;
    struct arena arena;
    struct model model = { .rule_count = 0 };
    struct err err;

    (void)state;
    arena_init(&arena, host_source(), 1 << 18, 1 << 24);
    for (int s = 0; s < rule_scope_count; s++)
        model.root[s] = TREE_MAX;
    struct plan *plan = compile(&model, false, &arena);
    for (int i = 0; i < 3; i++)
        line[i] = (struct line){ .quantity = 1000, .gross = AMOUNT_MAX + (i == 2) };
    assert_int_equal(engine_evaluate(plan, &event, &view, EVALUATE_ORDINARY, TRACE_DEFAULT, &arena,
                                     &decision, &err),
                     CODE_RANGE);
    assert_int_equal(decision.outcome, OUTCOME_AMOUNT_OVERFLOW);
    line[2].gross = AMOUNT_MAX;
    assert_int_equal(engine_evaluate(plan, &event, &view, EVALUATE_ORDINARY, TRACE_DEFAULT, &arena,
                                     &decision, &err),
                     OK);
    assert_int_equal(decision.total.money, 3 * AMOUNT_MAX);
    arena_release(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
