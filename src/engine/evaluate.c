/*
 * evaluate.c - one event decided: the steps in their order, and the proof that they add up.
 *
 * Owns:      engine_evaluate(), engine_requote(), engine_earn_again(); struct evaluation's helpers.
 * Must not:  compute a discount, payment or earning itself.
 * Invariant: for every line gross = discount + rounding + points + certificate + purse + money, and
 *            the effects of each kind add up to it; asserted after every decision, counted from the
 *            effects alone.
 * Cost:      the steps', and O(effects) for the proof.
 * Tests:     tests/unit/engine/test_evaluate.c, tests/unit/engine/test_evaluate_random.c
 */
#include "base/mem.h"
#include "engine/combine.h"
#include "engine/trace.h"

void
evaluation_look_at(struct evaluation *e, uint32_t line)
{
    const struct line_result *result = &e->decision->line[line];

    assert(line < e->event->line_count);
    e->context.line = &e->event->line[line];
    e->context.line_net = line_net(result);
    e->context.line_discounted = e->event->line[line].is_discounted || result->discount > 0;
}

void
evaluation_effect(struct evaluation *e, struct effect effect)
{
    struct decision *decision = e->decision;

    assert(effect.line < e->event->line_count);
    if (effect.money == 0 && effect.points == 0)
        return;
    if (decision->effect_count == decision->effect_cap) {
        uint32_t cap = decision->effect_cap == 0 ? 32 : decision->effect_cap * 2;
        struct effect *item = arena_array(e->arena, struct effect, cap);
        if (item == NULL) {
            e->no_memory = true;
            return;
        }
        if (decision->effect_count > 0)
            memcpy(item, decision->effect, decision->effect_count * sizeof(*item));
        decision->effect = item;
        decision->effect_cap = cap;
    }
    struct effect *slot = &decision->effect[decision->effect_count++];
    slot->kind =
        effect.kind; /* field by field: the padding stays 0, so decisions compare as bytes */
    slot->line = effect.line;
    slot->rule = effect.rule;
    slot->currency = effect.currency;
    slot->points = effect.points;
    slot->money = effect.money;
}

bool
evaluation_push_share(struct evaluation *e, uint32_t line, amount part)
{
    struct shares *shares = &e->shares;

    assert(part > 0);
    if (shares->count == shares->cap) {
        uint32_t cap = shares->cap == 0 ? 64 : shares->cap * 2;
        struct share *item = arena_array(e->arena, struct share, cap);
        if (item == NULL) {
            e->no_memory = true;
            return false;
        }
        if (shares->count > 0)
            memcpy(item, shares->item, shares->count * sizeof(*item));
        shares->item = item;
        shares->cap = cap;
    }
    shares->item[shares->count++] = (struct share){ .line = line, .amount = part };
    return true;
}

uint32_t
evaluation_match(struct evaluation *e, int32_t rule, int32_t condition)
{
    struct condition_failure failure = { .condition = condition_none }, first = failure;
    int32_t tested = -1;
    uint32_t count = 0;

    for (uint32_t line = 0; line < e->event->line_count; line++) {
        if (!line_takes_part(e, line))
            continue;
        if (condition != condition_none) {
            evaluation_look_at(e, line);
            if (!condition_test(&e->context, condition, &failure)) {
                if (tested < 0) {
                    tested = (int32_t)line;
                    first = failure;
                }
                continue;
            }
        }
        e->match[count++] = line;
    }
    assert(count <= e->event->line_count);
    if (count == 0 && rule != rule_none && tested >= 0)
        trace_failed(e, rule, tested, &first);
    return count;
}

amount
evaluation_net(const struct evaluation *e)
{
    amount sum = 0;
    for (uint32_t i = 0; i < e->decision->line_count; i++) {
        assert(line_net(&e->decision->line[i]) >= 0);
        sum += line_net(&e->decision->line[i]);
    }
    return sum;
}

void
evaluation_refuse(struct evaluation *e, enum outcome outcome, amount limit, const char *list,
                  uint32_t index, const char *field)
{
    struct decision *decision = e->decision;
    struct buf buf;

    assert(outcome != OUTCOME_DONE);
    if (decision->outcome != OUTCOME_DONE && decision->outcome <= outcome)
        return;
    decision->outcome = outcome;
    decision->limit = limit;
    decision->limit_currency = 0;
    buf_init(&buf, e->arena, 32);
    if (list != NULL)
        buf_addf(&buf, "/%s/%u", list, index);
    buf_addf(&buf, "/%s", field);
    e->no_memory |= buf.failed;
    decision->culprit = buf_text(&buf);
}

/* Room for one event, and what is known from the start. */
static bool
prepare(struct evaluation *e)
{
    uint32_t count = e->event->line_count;

    assert(count <= lines_per_receipt_max);
    e->kind = plan_kind(e->plan, e->event->kind);
    e->price = arena_array(e->arena, amount, count * (size_t)5);
    e->match = arena_array(e->arena, uint32_t, count);
    if (e->price == NULL || e->match == NULL)
        return false;
    e->used = e->price + count;
    e->weight = e->used + count;
    e->room = e->weight + count;
    e->part = e->room + count;
    condition_context_init(&e->context, e->plan, e->event, e->view);
    return true;
}

/* Amounts so large that their sums might not fit are refused before anything is added. */
static bool
has_range(const struct event *event)
{
    bool good = true;

    assert(event->line_count <= lines_per_receipt_max);
    for (uint32_t i = 0; i < event->line_count; i++)
        good &= event->line[i].gross <= AMOUNT_MAX && event->line[i].floor <= AMOUNT_MAX;
    for (uint32_t i = 0; i < event->payment_count; i++)
        good &= event->payment[i].money <= AMOUNT_MAX;
    return good;
}

/* Lines of the decision, with their gross. */
static bool
begin(struct evaluation *e)
{
    struct decision *decision = e->decision;

    *decision = (struct decision){ .outcome = OUTCOME_DONE };
    decision->line_count = e->event->line_count;
    decision->line = arena_array(e->arena, struct line_result, decision->line_count);
    if (decision->line == NULL)
        return false;
    for (uint32_t i = 0; i < decision->line_count; i++) {
        assert(e->event->line[i].gross >= 0);
        assert(e->event->line[i].floor >= 0);
        if (line_takes_part(e, i))
            decision->line[i].gross = e->event->line[i].gross;
    }
    return prepare(e);
}

/* Steps 1 to 3. */
static void
reduce(struct evaluation *e)
{
    if (e->kind != NULL)
        discount_lines(e);
    e->context.after_lines = evaluation_net(e);
    if (e->kind != NULL && !e->no_memory)
        discount_receipt(e);
    if (!e->no_memory)
        discount_round(e);
    e->context.net = evaluation_net(e);
    assert(e->context.net <= e->context.after_lines);
}

static void
add_line(struct line_result *sum, const struct line_result *line)
{
    sum->gross += line->gross;
    sum->discount += line->discount;
    sum->rounding += line->rounding;
    sum->points += line->points;
    sum->certificate += line->certificate;
    sum->purse += line->purse;
    sum->money += line->money;
}

static void
total(struct evaluation *e)
{
    struct decision *decision = e->decision;

    decision->total = (struct line_result){ 0 };
    for (uint32_t i = 0; i < decision->line_count; i++)
        add_line(&decision->total, &decision->line[i]);
    e->context.money = decision->total.money;
    assert(decision->total.money >= 0);
}

/* The line as its effects alone tell it; money is what they leave. */
static void
count_effect(struct line_result *line, const struct effect *effect)
{
    assert(effect->kind == EFFECT_ROUNDING || effect->money >= 0);
    assert(effect->points >= 0);
    switch (effect->kind) {
    case EFFECT_DISCOUNT:
        line->discount += effect->money;
        break;
    case EFFECT_ROUNDING:
        line->rounding += effect->money;
        break;
    case EFFECT_CERTIFICATE:
        line->certificate += effect->money;
        break;
    case EFFECT_POINTS:
        line->points += effect->money;
        break;
    case EFFECT_PURSE:
        line->purse += effect->money;
        break;
    case EFFECT_EARN:
        return;
    }
    line->money -= effect->money;
}

/* Points of all earnings against those of all EARN effects, where there are lines to bear them. */
static void
prove_earnings(const struct evaluation *e)
{
    const struct decision *decision = e->decision;
    uint32_t at = 0;

    while (at < decision->effect_count && decision->effect[at].kind != EFFECT_EARN)
        at++;
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        amount sum = 0;
        bool has_lines = false;
        for (uint32_t k = 0; k < decision->line_count && !has_lines; k++)
            has_lines = line_takes_part(e, k);
        for (;
             at < decision->effect_count && decision->effect[at].rule == decision->earning[i].rule;
             at++)
            sum += decision->effect[at].points;
        assert(sum == decision->earning[i].points || !has_lines);
    }
    assert(at == decision->effect_count);
}

/* Nothing is lost and nothing is made: counted from the effects, line by line. */
static void
prove(struct evaluation *e)
{
    const struct decision *decision = e->decision;
    struct line_result *again = arena_array(e->arena, struct line_result, decision->line_count);

    if (again == NULL) {
        e->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < decision->line_count; i++)
        again[i].gross = again[i].money = decision->line[i].gross;
    for (uint32_t i = 0; i < decision->effect_count; i++)
        count_effect(&again[decision->effect[i].line], &decision->effect[i]);
    for (uint32_t i = 0; i < decision->line_count; i++) {
        assert(memcmp(&again[i], &decision->line[i], sizeof(again[i])) == 0);
        assert(again[i].money >= 0);
        assert(again[i].discount >= 0);
        assert(line_net(&again[i]) >= e->event->line[i].floor || again[i].discount == 0);
    }
    prove_earnings(e);
}

static enum code
finish(struct evaluation *e, struct err *err)
{
    if (e->overflow) {
        e->decision->outcome = OUTCOME_AMOUNT_OVERFLOW;
        return err_set(err, CODE_RANGE, "an amount of the event does not fit");
    }
    if (e->no_memory || e->arena->failed)
        return err_set(err, CODE_NO_MEMORY, "no memory to decide the event");
    prove(e);
    if (e->no_memory)
        return err_set(err, CODE_NO_MEMORY, "no memory to decide the event");
    return OK;
}

enum code
engine_evaluate(const struct plan *plan, const struct event *event, const struct member_view *view,
                enum evaluate_mode mode, enum trace_wish wish, struct arena *arena,
                struct decision *decision, struct err *err)
{
    struct evaluation e = {
        .plan = plan,
        .event = event,
        .view = view,
        .mode = mode,
        .wish = wish,
        .arena = arena,
        .decision = decision,
    };

    assert(view != NULL);
    if (!begin(&e))
        return err_set(err, CODE_NO_MEMORY, "no memory to decide the event");
    e.overflow = !has_range(event);
    if (e.overflow)
        return finish(&e, err);
    reduce(&e);
    if (!e.no_memory)
        redeem_all(&e);
    if (e.no_memory)
        return finish(&e, err);
    total(&e);
    if (decision->outcome == OUTCOME_DONE && e.kind != NULL) {
        earn_all(&e);
        earn_counters(&e);
    }
    return finish(&e, err);
}

enum code
engine_requote(const struct plan *plan, const struct event *event, const struct member_view *view,
               const struct kept_payment *kept, struct arena *arena, struct decision *decision,
               struct err *err)
{
    struct evaluation e = {
        .plan = plan,
        .event = event,
        .view = view,
        .wish = TRACE_NOTHING,
        .arena = arena,
        .decision = decision,
    };

    assert(kept != NULL || event->line_count == 0);
    if (!begin(&e))
        return err_set(err, CODE_NO_MEMORY, "no memory to decide the event");
    e.overflow = !has_range(event);
    if (e.overflow)
        return finish(&e, err);
    e.context.certificate = 0;
    for (uint32_t i = 0; i < event->line_count; i++)
        e.context.certificate += kept[i].certificate;
    reduce(&e);
    if (e.no_memory)
        return finish(&e, err);
    redeem_kept(&e, kept);
    total(&e);
    if (e.kind != NULL) {
        earn_all(&e);
        earn_counters(&e);
    }
    assert(decision->outcome == OUTCOME_DONE);
    return finish(&e, err);
}

/* The decision's effects and trace without what step 8 wrote, in arrays that may grow. */
static bool
forget_earnings(struct evaluation *e)
{
    struct decision *decision = e->decision;
    struct decision old = *decision;

    decision->effect_count = decision->effect_cap = 0;
    decision->effect = NULL;
    for (uint32_t i = 0; i < old.effect_count; i++) {
        if (old.effect[i].kind != EFFECT_EARN)
            evaluation_effect(e, old.effect[i]);
    }
    decision->earning_count = 0;
    decision->earning = NULL;
    memset(decision->counter_add, 0, sizeof(decision->counter_add));
    decision->trace_count = decision->trace_cap = 0;
    decision->trace = NULL;
    e->wish = TRACE_DEFAULT;
    for (uint32_t i = 0; i < old.trace_count; i++) {
        int32_t rule = old.trace[i].rule;
        if (rule != rule_none && e->plan->rule[rule].scope == SCOPE_EARN)
            continue;
        struct trace_item *item = trace_next(e, old.trace[i].kind, rule);
        if (item != NULL)
            *item = old.trace[i];
    }
    assert(decision->effect_count <= old.effect_count);
    return !e->no_memory;
}

enum code
engine_earn_again(const struct plan *plan, const struct event *event,
                  const struct member_view *view, struct arena *arena, struct decision *decision,
                  struct err *err)
{
    struct evaluation e = {
        .plan = plan,
        .event = event,
        .view = view,
        .arena = arena,
        .decision = decision,
    };
    amount after_lines = 0;

    assert(decision->outcome == OUTCOME_DONE);
    assert(decision->line_count == event->line_count);
    if (!prepare(&e) || !forget_earnings(&e))
        return err_set(err, CODE_NO_MEMORY, "no memory to decide the event");
    total(&e);
    e.context.net = evaluation_net(&e);
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        if (effect->kind == EFFECT_DISCOUNT && plan->rule[effect->rule].scope == SCOPE_LINE)
            after_lines += effect->money;
    }
    e.context.after_lines = decision->total.gross - after_lines;
    if (e.kind != NULL) {
        earn_all(&e);
        earn_counters(&e);
    }
    return finish(&e, err);
}
