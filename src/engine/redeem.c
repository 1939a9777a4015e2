/*
 * redeem.c - who pays besides money: certificates, points, the purse.
 *
 * Owns:      steps 4 to 7 of a purchase, the limits of redemption and their refusals.
 * Must not:  know lots or holds: what is available is in the view.
 * Invariant: payments of a line never exceed its net; a refused request leaves no payment behind.
 * Cost:      O(lines) a payment.
 * Tests:     tests/tables/evaluate/redeem*.txt, tests/unit/engine/test_evaluate_random.c
 *
 * Every check of every payment is made, and evaluation_refuse() keeps the refusal that stands first
 * in the list of outcomes; so the answer does not depend on the order of the checks below. After a
 * refusal the rest is checked with what would have been allowed.
 */
#include "engine/round.h"
#include "engine/trace.h"

/* What is still to pay on a line. */
static amount
due_of(const struct line_result *line)
{
    return line_net(line) - line->certificate - line->points - line->purse;
}

static amount
due_in_all(const struct evaluation *e)
{
    amount sum = 0;
    for (uint32_t i = 0; i < e->decision->line_count; i++) {
        assert(due_of(&e->decision->line[i]) >= 0);
        sum += due_of(&e->decision->line[i]);
    }
    return sum;
}

/* Spread a payment over the matched lines by what is still to pay, into e->part. */
static void
spread_payment(struct evaluation *e, amount total, uint32_t count)
{
    amount rest;

    for (uint32_t i = 0; i < count; i++)
        e->weight[i] = due_of(&e->decision->line[e->match[i]]);
    spread_amount(e->plan->spreading, total, e->weight, e->weight, count, e->part, &rest, e->arena);
    assert(rest == 0 || e->arena->failed);
}

static amount
stated(const struct event *event, enum payment_kind kind)
{
    amount sum = 0;
    for (uint32_t i = 0; i < event->payment_count; i++) {
        assert(event->payment[i].money >= 0);
        if (event->payment[i].kind == kind)
            sum += event->payment[i].money;
    }
    return sum;
}

/* The payments of a kind, refused where they exceed what is due. What is taken. */
static amount
check_stated(struct evaluation *e, enum payment_kind kind, amount due)
{
    amount sum = 0;
    for (uint32_t i = 0; i < e->event->payment_count; i++) {
        if (e->event->payment[i].kind != kind)
            continue;
        amount before = sum;
        sum += e->event->payment[i].money;
        if (sum > due && before <= due && e->mode != EVALUATE_FACT)
            evaluation_refuse(e, OUTCOME_PAYMENT_TOO_LARGE, due, "payments", i, "amount");
    }
    assert(due >= 0);
    return sum < due ? sum : due;
}

/* Steps 4 and 6. */
static void
pay_stated(struct evaluation *e, enum payment_kind kind)
{
    enum effect_kind effect = kind == PAYMENT_CERTIFICATE ? EFFECT_CERTIFICATE : EFFECT_PURSE;
    amount total = check_stated(e, kind, due_in_all(e));

    if (total == 0)
        return;
    uint32_t count = evaluation_match(e, rule_none, condition_none);
    assert(count > 0);
    spread_payment(e, total, count);
    for (uint32_t i = 0; i < count; i++) {
        struct line_result *line = &e->decision->line[e->match[i]];
        if (kind == PAYMENT_CERTIFICATE)
            line->certificate += e->part[i];
        else
            line->purse += e->part[i];
        evaluation_effect(
            e, (struct effect){
                   .kind = effect, .line = e->match[i], .rule = rule_none, .money = e->part[i] });
    }
}

/* One wish to pay with points, and what bounds it. */
struct wish {
    uint32_t index; /* in the request */
    uint32_t count; /* of the allowed lines, in e->match */
    const struct redeem *redeem;
    const struct currency_terms *currency;
    const struct redemption_terms *terms;
    amount step;             /* points */
    amount base;             /* money: net less certificates of the allowed lines */
    amount part;             /* points: the most by max_percent and by what is due on the lines */
    amount stay;             /* points: the most that leaves money_min */
    amount available;        /* points */
    enum trace_limit narrow; /* which of part's two */
};

/* The greatest whole number of steps that money pays for. */
static amount
points_of(const struct wish *wish, amount money)
{
    amount points;

    assert(wish->currency->worth.num > 0);
    if (money <= 0)
        return 0;
    points = round_saturated(money, wish->currency->worth.den, wish->currency->worth.num,
                             ROUND_DOWN);
    return points - points % wish->step;
}

/* What the same request took of this currency before. */
static struct redemption
taken_before(const struct evaluation *e, uint8_t currency)
{
    struct redemption sum = { .currency = currency };
    for (uint32_t i = 0; i < e->decision->redemption_count; i++) {
        if (e->decision->redemption[i].currency != currency)
            continue;
        sum.points += e->decision->redemption[i].points;
        sum.money += e->decision->redemption[i].money;
    }
    assert(sum.points >= 0);
    return sum;
}

/* Fill the bounds of a wish whose currency is known and may pay. */
static void
measure(struct evaluation *e, struct wish *wish)
{
    struct redemption before = taken_before(e, wish->currency->no);
    ptrdiff_t position = wish->currency - e->plan->terms.currency;
    amount due = 0, part;

    assert(position >= 0 && position < e->plan->terms.currency_count);
    wish->count = evaluation_match(e, rule_none,
                                   wish->terms->allowed ? wish->terms->lines : condition_none);
    wish->step = wish->terms->allowed ? wish->terms->step : 1;
    wish->base = 0;
    for (uint32_t i = 0; i < wish->count; i++) {
        const struct line_result *line = &e->decision->line[e->match[i]];
        wish->base += line_net(line) - line->certificate;
        due += due_of(line);
    }
    part = wish->base;
    if (wish->terms->allowed)
        part = round_saturated(wish->base, wish->terms->max.num, wish->terms->max.den, ROUND_DOWN);
    part -= before.money;
    wish->narrow = part <= due ? TRACE_LIMIT_PART : TRACE_LIMIT_DUE;
    wish->part = points_of(wish, part <= due ? part : due);

    /* A purse that is too large is its own culprit, unless the points are ours to choose. */
    amount stay = due_in_all(e) - wish->terms->money_min;
    if (wish->terms->money_min > 0 || wish->redeem->max)
        stay -= stated(e->event, PAYMENT_PURSE);
    wish->stay = points_of(wish, stay);
    wish->available = e->view->available[position] - before.points;
    if (wish->available < 0)
        wish->available = 0;
}

static amount
smaller(amount a, amount b)
{
    return a < b ? a : b;
}

static void
tell_limit(struct evaluation *e, const struct wish *wish)
{
    struct trace_item *item = trace_next(e, TRACE_LIMIT, rule_none);
    if (item == NULL)
        return;
    assert(wish->terms->allowed);
    item->currency = wish->currency->no;
    item->condition = wish->terms->lines;
    item->base = wish->base;
    item->num = wish->terms->max.num;
    item->den = wish->terms->max.den;
    item->quantum = wish->step;
    item->result = smaller(wish->part, wish->stay);
    item->mode = (uint8_t)(wish->stay < wish->part ? TRACE_LIMIT_MONEY_MIN : wish->narrow);
    if (wish->redeem->max && wish->available < item->result) {
        item->result = wish->available - wish->available % wish->step;
        item->mode = TRACE_LIMIT_AVAILABLE;
    }
}

/* A refusal whose limit counts points of the wish's currency. */
static void
refuse_points(struct evaluation *e, enum outcome outcome, amount limit, const struct wish *wish,
              const char *field)
{
    bool of_request = outcome == OUTCOME_CODE_NOT_CONFIRMED;
    enum outcome before = e->decision->outcome;

    assert(limit >= 0);
    evaluation_refuse(e, outcome, limit, of_request ? NULL : "redeem", wish->index, field);
    if (e->decision->outcome != before) /* else an earlier refusal stands, with its own limit */
        e->decision->limit_currency = wish->currency->no;
}

/* How many points are taken of an ordinary wish; refuses what is not allowed. */
static amount
allow(struct evaluation *e, const struct wish *wish)
{
    amount limit = smaller(wish->part, wish->stay);
    amount most = smaller(limit, wish->available - wish->available % wish->step);
    amount asked = wish->redeem->max ? most : wish->redeem->points;

    assert(most >= 0);
    assert(asked >= 0);
    if (asked > 0 && wish->terms->confirm && !e->event->confirmed && e->mode != EVALUATE_QUOTE)
        refuse_points(e, OUTCOME_CODE_NOT_CONFIRMED, smaller(asked, most), wish, "confirmed");
    if (asked > wish->part)
        refuse_points(e, OUTCOME_REDEEM_OVER_LIMIT, limit, wish, "amount");
    if (asked % wish->step != 0)
        refuse_points(e, OUTCOME_REDEEM_STEP, wish->step, wish, "amount");
    if (asked > wish->stay)
        refuse_points(e, OUTCOME_MONEY_TOO_LITTLE, limit, wish, "amount");
    if (asked > wish->available)
        refuse_points(e, OUTCOME_NOT_ENOUGH, wish->available, wish, "amount");
    asked = smaller(asked, most);
    return asked - asked % wish->step;
}

/* A fact: as stated, as far as there is something to pay; on all lines if the allowed do not do. */
static amount
allow_fact(struct evaluation *e, struct wish *wish)
{
    amount asked = wish->redeem->points, most = 0;

    wish->step = 1;
    for (uint32_t i = 0; i < wish->count; i++)
        most += due_of(&e->decision->line[e->match[i]]);
    if (asked > points_of(wish, most)) {
        wish->count = evaluation_match(e, rule_none, condition_none);
        most = due_in_all(e);
    }
    assert(asked >= 0);
    return smaller(asked, points_of(wish, most));
}

/* Take so many points, worth money, from the matched lines. */
static void
take_points(struct evaluation *e, const struct wish *wish, amount points)
{
    const struct rate *worth = &wish->currency->worth;
    amount money = round_saturated(points, worth->num, worth->den, ROUND_DOWN);
    const amount *line_points = e->part; /* one point for one step of money: the same shares */
    amount rest;

    assert(e->mode == EVALUATE_FACT ||
           i64_compare_products(points, worth->num, money, worth->den) == 0);
    spread_payment(e, money, wish->count);
    if (points != money) {
        spread_amount(SPREAD_LARGEST_REMAINDER, points, e->part, NULL, wish->count, e->room, &rest,
                      e->arena);
        line_points = e->room;
    }
    for (uint32_t i = 0; i < wish->count; i++) {
        e->decision->line[e->match[i]].points += e->part[i];
        evaluation_effect(e, (struct effect){ .kind = EFFECT_POINTS,
                                              .line = e->match[i],
                                              .rule = rule_none,
                                              .currency = wish->currency->no,
                                              .points = line_points[i],
                                              .money = e->part[i] });
    }
    struct redemption *paid = &e->decision->redemption[e->decision->redemption_count++];
    paid->currency = wish->currency->no;
    paid->points = points;
    paid->money = money;
    struct trace_item *item = trace_next(e, TRACE_SPREAD, rule_none);
    if (item != NULL) {
        item->currency = wish->currency->no;
        item->mode = (uint8_t)e->plan->spreading;
        item->result = points;
        item->count = wish->count;
    }
}

/* Step 5, one wish. */
static void
pay_points(struct evaluation *e, uint32_t index)
{
    const struct redeem *redeem = &e->event->redeem[index];
    struct wish wish = { .index = index, .redeem = redeem };
    bool is_fact = e->mode == EVALUATE_FACT;

    wish.currency = terms_currency_by_code(&e->plan->terms, redeem->currency);
    if (wish.currency == NULL) {
        evaluation_refuse(e, OUTCOME_CURRENCY_UNKNOWN, 0, "redeem", index, "currency");
        return;
    }
    if (!redeem->max && redeem->points <= 0) {
        if (redeem->points < 0)
            evaluation_refuse(e, OUTCOME_FIELD_RANGE, 0, "redeem", index, "amount");
        return;
    }
    wish.terms = &e->plan->redemption[wish.currency - e->plan->terms.currency];
    if ((!wish.terms->allowed && !is_fact) || wish.currency->worth.num == 0) {
        evaluation_refuse(e, OUTCOME_REDEEM_NOT_ALLOWED, 0, "redeem", index, "currency");
        return;
    }
    if (!e->view->known) {
        if (!redeem->max) /* as many as allowed, of a stranger, is none */
            evaluation_refuse(e, OUTCOME_MEMBER_NEEDED, 0, "redeem", index, "amount");
        return;
    }
    measure(e, &wish);
    if (wish.terms->allowed)
        tell_limit(e, &wish);
    amount points = is_fact && !redeem->max ? allow_fact(e, &wish) : allow(e, &wish);
    assert(points >= 0);
    if (points > 0)
        take_points(e, &wish, points);
}

/* Step 7. */
static void
rest_is_money(struct evaluation *e)
{
    for (uint32_t i = 0; i < e->decision->line_count; i++) {
        struct line_result *line = &e->decision->line[i];
        line->money = due_of(line);
        assert(line->money >= 0);
    }
}

void
redeem_all(struct evaluation *e)
{
    struct decision *decision = e->decision;
    uint32_t effects = decision->effect_count;

    assert(decision->redemption_count == 0);
    decision->redemption = arena_array(e->arena, struct redemption, e->event->redeem_count);
    if (decision->redemption == NULL) {
        e->no_memory = true;
        return;
    }
    pay_stated(e, PAYMENT_CERTIFICATE);
    for (uint32_t i = 0; i < e->event->redeem_count && !e->no_memory; i++)
        pay_points(e, i);
    pay_stated(e, PAYMENT_PURSE);
    if (decision->outcome != OUTCOME_DONE) {
        decision->effect_count = effects;
        decision->redemption_count = 0;
        for (uint32_t i = 0; i < decision->line_count; i++) {
            struct line_result *line = &decision->line[i];
            line->certificate = 0;
            line->points = 0;
            line->purse = 0;
        }
    }
    rest_is_money(e);
}

/* Take at most what is still due of what trace left on the line. */
static amount
keep(struct evaluation *e, enum effect_kind kind, uint32_t line, amount kept)
{
    amount part = smaller(kept, due_of(&e->decision->line[line]));

    assert(kept >= 0);
    evaluation_effect(
        e, (struct effect){ .kind = kind, .line = line, .rule = rule_none, .money = part });
    return part;
}

void
redeem_kept(struct evaluation *e, const struct kept_payment *kept)
{
    for (uint32_t i = 0; i < e->decision->line_count; i++) {
        struct line_result *line = &e->decision->line[i];
        if (!line_takes_part(e, i))
            continue;
        line->certificate = keep(e, EFFECT_CERTIFICATE, i, kept[i].certificate);
        line->points = keep(e, EFFECT_POINTS, i, kept[i].points);
        line->purse = keep(e, EFFECT_PURSE, i, kept[i].purse);
    }
    rest_is_money(e);
    assert(e->decision->redemption_count == 0);
}
