/*
 * model_decide.c - the naive model decides a purchase: steps 1 to 9 of docs/semantics.md.
 *
 * Owns:      discounts through the combination tree, rounding, payments, earnings, counters.
 * Must not:  know lots, holds or receipts.
 * Invariant: for each line gross = discount + rounding + points + certificate + purse + money.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* What one node of a tree gave, in the order in which its rules were applied. */
struct gift {
    int64_t benefit; /* 0: did not fire */
    int count;
    struct {
        int rule, line;
        int64_t money;
    } item[m_rules_max * m_lines_max];
};

static void give(struct gift *gift, int rule, int line, int64_t money)
{
    if (money == 0)
        return;
    gift->item[gift->count].rule = rule;
    gift->item[gift->count].line = line;
    gift->item[gift->count++].money = money;
    gift->benefit += money;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void m_normalise(const struct m_programme *programme, struct m_event *event)
{
    int64_t unit = m_pow10(6 + 3 - programme->money_scale);

    for (int i = 0; i < event->line_count; i++) {
        struct m_line *line = &event->line[i];
        if (!line->has_gross)
            line->gross = m_round((m_wide)line->price * line->quantity, unit, 1, M_HALF_UP);
        line->floor = m_round((m_wide)line->minimum_price * line->quantity, unit, 1, M_HALF_UP);
    }
}

int64_t m_worth(const struct m_programme *programme, int currency, int64_t points)
{
    const struct m_currency *terms = &programme->currency[currency];
    m_wide num = (m_wide)points * terms->worth_e6 * m_pow10(programme->money_scale);
    m_wide den = (m_wide)m_pow10(terms->scale) * 1000000;

    return num % den == 0 ? (int64_t)(num / den) : -1;
}

/* Does the rule stand for this event and moment? */
static bool rule_holds(const struct m_look *look, const struct m_rule *rule)
{
    const char *on = rule->on != NULL ? rule->on : "purchase";
    int64_t at = look->event->occurred_at;

    if (strcmp(on, look->event->kind) != 0)
        return false;
    if (rule->valid_until != 0 && (at < rule->valid_from || at >= rule->valid_until))
        return false;
    return rule->when == NULL || rule->when(look);
}

static bool line_matches(const struct m_look *look, const struct m_rule *rule, int line)
{
    if (look->event->line[line].quantity == 0)
        return false; /* kept goods of a return: nothing of this line was kept */
    return rule->lines == NULL || rule->lines(look, line);
}

/* ---- one discount rule ---- */

/* v * q, q in thousandths. */
static int64_t times_quantity(int64_t value, int64_t quantity)
{
    return m_round((m_wide)value * quantity, 1000, 1, M_HALF_UP);
}

static int64_t percent_of(const struct m_programme *programme, const struct m_rule *rule,
                          int64_t base, int64_t quantity)
{
    enum m_rounding rounding = rule->has_rounding ? rule->rounding : programme->rounding;
    int64_t quantum = rule->quantum != 0 ? rule->quantum : programme->quantum;
    const m_wide hundred = 100 * 1000000;

    if (rule->per == M_PER_PIECE && quantity % 1000 == 0) {
        int64_t pieces = quantity / 1000;
        int64_t piece = m_round(base, pieces, 1, M_HALF_UP);
        return m_round((m_wide)piece * rule->value, hundred, quantum, rounding) * pieces;
    }
    return m_round((m_wide)base * rule->value, hundred, quantum, rounding);
}

/* The discount that a rule wants on one line whose current price is `price`. */
static int64_t line_discount(const struct m_look *look, const struct m_rule *rule, int i,
                             int64_t price)
{
    int64_t quantity = look->event->line[i].quantity;

    switch (rule->kind) {
    case M_PERCENT:
        return percent_of(look->programme, rule, price, quantity);
    case M_AMOUNT:
        return rule->per == M_PER_PIECE ? times_quantity(rule->value, quantity) : rule->value;
    case M_FIXED_PRICE:
        return larger(0, price - (rule->per == M_PER_PIECE ? times_quantity(rule->value, quantity)
                                                           : rule->value));
    case M_PER_AMOUNT:
    case M_FIXED:
        break;
    }
    abort();
}

/* A rule of the receipt: one amount, spread over its lines. */
static void receipt_discount(const struct m_look *look, const struct m_rule *rule,
                             const int64_t *weight, const int64_t *capacity, int64_t *part)
{
    int count = look->event->line_count;
    int64_t wanted = rule->value, sum = 0, room = 0;

    for (int i = 0; i < count; i++) {
        sum += weight[i];
        room += capacity[i];
    }
    if (rule->kind == M_PERCENT)
        wanted = percent_of(look->programme, rule, sum, 1);
    m_spread(look->programme->spreading, smaller(wanted, room), weight, capacity, count, part);
}

/* price: what each line costs before this rule; only >= 0: that line alone (scope line). */
static void discount_of(const struct m_look *look, int number, const int64_t *price, int only,
                        struct gift *gift)
{
    const struct m_rule *rule = &look->programme->rule[number];
    int64_t weight[m_lines_max] = { 0 }, capacity[m_lines_max] = { 0 }, part[m_lines_max] = { 0 };
    bool any = false;

    gift->benefit = gift->count = 0;
    if (!rule_holds(look, rule))
        return;
    for (int i = 0; i < look->event->line_count; i++) {
        if ((only >= 0 && i != only) || !line_matches(look, rule, i))
            continue;
        any = true;
        weight[i] = price[i];
        capacity[i] = larger(0, price[i] - look->event->line[i].floor);
        if (rule->per != M_PER_RECEIPT)
            part[i] = smaller(capacity[i], line_discount(look, rule, i, price[i]));
    }
    if (any && rule->per == M_PER_RECEIPT)
        receipt_discount(look, rule, weight, capacity, part);
    for (int i = 0; i < look->event->line_count; i++)
        give(gift, number, i, part[i]);
}

/* ---- the tree of discounts ---- */

static int node_priority(const struct m_look *look, const struct m_node *node)
{
    return node->rule >= 0 ? look->programme->rule[node->rule].priority : node->priority;
}

static const char *node_code(const struct m_look *look, const struct m_node *node)
{
    return node->rule >= 0 ? look->programme->rule[node->rule].code : node->code;
}

/* Children by priority, then code. */
static void in_order(const struct m_look *look, const struct m_node *node,
                     const struct m_node **child)
{
    for (int i = 0; i < node->count; i++) {
        int at = i;
        for (; at > 0; at--) {
            int a = node_priority(look, child[at - 1]), b = node_priority(look, node->child[i]);
            if (a > b || (a == b && strcmp(node_code(look, child[at - 1]),
                                           node_code(look, node->child[i])) < 0))
                break;
            child[at] = child[at - 1];
        }
        child[at] = node->child[i];
    }
}

/* Add `from` to `to` within what `left` of each line can still take: later items lose first. */
static void add_gift(const struct m_look *look, const struct gift *from, int64_t *left,
                     struct gift *to)
{
    for (int n = 0; n < from->count; n++) {
        int i = from->item[n].line;
        int64_t room = larger(0, left[i] - look->event->line[i].floor);
        int64_t part = smaller(from->item[n].money, room);
        give(to, from->item[n].rule, i, part);
        left[i] -= part;
    }
}

static void discount_node(const struct m_look *look, const struct m_node *node,
                          const int64_t *price, int only, struct gift *best)
{
    const struct m_node *child[m_children_max];
    int64_t left[m_lines_max];
    struct gift gift;

    best->benefit = best->count = 0;
    if (node->rule >= 0) {
        discount_of(look, node->rule, price, only, best);
        return;
    }
    memcpy(left, price, sizeof(left));
    in_order(look, node, child);
    for (int c = 0; c < node->count; c++) {
        discount_node(look, child[c], node->operator == M_MULTIPLY ? left : price, only, &gift);
        if (gift.benefit == 0)
            continue;
        switch (node->operator) {
        case M_MAX:
            if (gift.benefit > best->benefit)
                *best = gift;
            break;
        case M_MIN:
            if (best->benefit == 0 || gift.benefit < best->benefit)
                *best = gift;
            break;
        case M_FIRST:
            *best = gift;
            return;
        case M_SUM:
        case M_MULTIPLY:
            add_gift(look, &gift, left, best);
            break;
        }
    }
}

/* ---- steps 1 to 3 ---- */

static void take_off(struct m_look *look, const struct gift *gift, struct m_decision *out)
{
    for (int n = 0; n < gift->count; n++) {
        int i = gift->item[n].line;
        out->line[i].discount += gift->item[n].money;
        out->given[gift->item[n].rule][i] += gift->item[n].money;
        look->line_net[i] -= gift->item[n].money;
        look->discounted[i] = true;
    }
}

static int64_t sum_of(const int64_t *value, int count)
{
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += value[i];
    return sum;
}

static void round_receipt(struct m_look *look, struct m_decision *out)
{
    int64_t quantum = look->programme->receipt_quantum, part[m_lines_max], room[m_lines_max];

    if (quantum == 0)
        return;
    for (int i = 0; i < out->line_count; i++)
        room[i] = larger(0, look->line_net[i] - look->event->line[i].floor);
    m_spread(look->programme->spreading, sum_of(look->line_net, out->line_count) % quantum,
             look->line_net, room, out->line_count, part);
    for (int i = 0; i < out->line_count; i++) {
        out->line[i].rounding = part[i];
        look->line_net[i] -= part[i];
    }
}

static void price_it(struct m_look *look, struct m_decision *out)
{
    const struct m_programme *programme = look->programme;
    int64_t price[m_lines_max];
    struct gift gift;

    out->line_count = look->event->line_count;
    for (int i = 0; i < out->line_count; i++) {
        price[i] = look->line_net[i] = out->line[i].gross = look->event->line[i].gross;
        look->discounted[i] = look->event->line[i].discounted;
        look->base += price[i];
    }
    for (int i = 0; i < out->line_count && programme->line_tree != NULL; i++) {
        discount_node(look, programme->line_tree, price, i, &gift);
        take_off(look, &gift, out);
    }
    look->after_lines = sum_of(look->line_net, out->line_count);
    if (programme->receipt_tree != NULL) {
        discount_node(look, programme->receipt_tree, look->line_net, -1, &gift);
        take_off(look, &gift, out);
    }
    round_receipt(look, out);
    look->net = sum_of(look->line_net, out->line_count);
}

/* ---- steps 4 to 7 ---- */

static int64_t paid_by(const struct m_event *event, bool purse)
{
    int64_t sum = 0;

    for (int i = 0; i < event->payment_count; i++)
        if (event->payment[i].purse == purse)
            sum += event->payment[i].money;
    return sum;
}

/* Of several refusals the one that stands first in the list of outcomes is told. */
static void refuse(struct m_decision *out, enum outcome outcome, int64_t limit)
{
    if (out->outcome != OUTCOME_DONE && out->outcome <= outcome)
        return;
    out->outcome = outcome;
    out->limit = limit;
}

/* Spread a stated payment by what is still to pay. */
static void pay_stated(struct m_look *look, bool purse, enum m_mode mode, int64_t *due,
                       int64_t *part, struct m_decision *out)
{
    int64_t money = paid_by(look->event, purse), most = sum_of(due, out->line_count);

    if (money > most && mode == M_ORDINARY)
        refuse(out, OUTCOME_PAYMENT_TOO_LARGE, most);
    m_spread(look->programme->spreading, smaller(money, most), due, due, out->line_count, part);
    for (int i = 0; i < out->line_count; i++)
        due[i] -= part[i];
}

/* Points go in multiples of the step that are whole money: the least of them. */
static int64_t whole_step(const struct m_look *look, int currency)
{
    int64_t step = look->programme->currency[currency].step, points = step;

    while (m_worth(look->programme, currency, points) < 0)
        points += step;
    return points;
}

/* The most points that so much money pays for, in whole steps. */
static int64_t points_for(const struct m_look *look, int currency, int64_t money, int64_t step)
{
    const struct m_currency *terms = &look->programme->currency[currency];
    m_wide one = (m_wide)m_pow10(terms->scale) * 1000000; /* of money, in points */
    m_wide worth = (m_wide)terms->worth_e6 * m_pow10(look->programme->money_scale);
    int64_t points;

    if (money <= 0)
        return 0;
    points = (int64_t)((m_wide)money * one / worth);
    return points - points % step;
}

/* What bounds a wish: by the part of the receipt, and by the money that must stay. */
struct bounds {
    int64_t part, stay, available;
};

static struct bounds bounds_of(const struct m_look *look, const struct m_redeem *redeem,
                               const int64_t *due, const struct m_decision *out)
{
    const struct m_currency *terms = &look->programme->currency[redeem->currency];
    int64_t base = 0, to_pay = 0, stay = sum_of(due, out->line_count) - terms->money_min;

    for (int i = 0; i < out->line_count; i++) {
        if (terms->pays_for != NULL && !terms->pays_for(look, i))
            continue;
        base += look->line_net[i] - out->line[i].certificate;
        to_pay += due[i];
    }
    base = smaller(to_pay, (int64_t)((m_wide)base * terms->max_percent / 100000000));
    if (terms->money_min > 0 || redeem->max)
        stay -= paid_by(look->event, true);
    return (struct bounds){
        .part = points_for(look, redeem->currency, base, whole_step(look, redeem->currency)),
        .stay = points_for(look, redeem->currency, stay, whole_step(look, redeem->currency)),
        .available = larger(0, look->view->available[redeem->currency]),
    };
}

/* The points that a wish takes; what is refused is checked further as far as it is allowed. */
static int64_t redeem_points(const struct m_look *look, const struct m_redeem *redeem,
                             const int64_t *due, struct m_decision *out)
{
    const struct m_currency *terms = &look->programme->currency[redeem->currency];
    struct bounds bounds = bounds_of(look, redeem, due, out);
    int64_t limit = smaller(bounds.part, bounds.stay);
    int64_t step = whole_step(look, redeem->currency);
    int64_t most = smaller(limit, bounds.available - bounds.available % step);
    int64_t asked = redeem->max ? most : redeem->points;

    if (asked > 0 && terms->confirm && !look->event->confirmed)
        refuse(out, OUTCOME_CODE_NOT_CONFIRMED, 0);
    if (asked > bounds.part)
        refuse(out, OUTCOME_REDEEM_OVER_LIMIT, limit);
    if (asked % step != 0)
        refuse(out, OUTCOME_REDEEM_STEP, 0);
    if (asked > bounds.stay)
        refuse(out, OUTCOME_MONEY_TOO_LITTLE, limit);
    if (asked > bounds.available)
        refuse(out, OUTCOME_NOT_ENOUGH, bounds.available);
    asked = smaller(asked, most);
    return asked - asked % step;
}

/* Spread one redemption over the lines that it may pay. */
static void pay_points(const struct m_look *look, int currency, int64_t points, int64_t *room,
                       int64_t *due, struct m_decision *out)
{
    const struct m_currency *terms = &look->programme->currency[currency];
    struct m_redemption *paid = &out->redemption[out->redemption_count++];
    int count = out->line_count;

    *paid = (struct m_redemption){ .currency = currency, .points = points };
    paid->money = (int64_t)((m_wide)points * terms->worth_e6 *
                            m_pow10(look->programme->money_scale) /
                            ((m_wide)m_pow10(terms->scale) * 1000000));
    m_spread(look->programme->spreading, paid->money, room, room, count, paid->line_money);
    m_spread(M_LARGEST_REMAINDER, points, paid->line_money, NULL, count, paid->line_points);
    for (int i = 0; i < count; i++) {
        out->line[i].points += paid->line_money[i];
        due[i] -= paid->line_money[i];
    }
}

static void redeem(const struct m_look *look, const struct m_redeem *wish, enum m_mode mode,
                   int64_t *due, struct m_decision *out)
{
    const struct m_currency *terms = &look->programme->currency[wish->currency];
    int64_t room[m_lines_max] = { 0 }, points;

    if (!wish->max && wish->points == 0)
        return;
    if (!terms->may_pay) {
        refuse(out, OUTCOME_REDEEM_NOT_ALLOWED, 0);
        return;
    }
    if (!look->view->known) {
        if (!wish->max)
            refuse(out, OUTCOME_MEMBER_NEEDED, 0);
        return;
    }
    for (int i = 0; i < out->line_count; i++)
        if (terms->pays_for == NULL || terms->pays_for(look, i))
            room[i] = due[i];
    if (mode == M_FACT) {
        /* As stated, as far as there is something to pay; on all lines if need be. */
        if (wish->points > points_for(look, wish->currency, sum_of(room, out->line_count), 1))
            memcpy(room, due, sizeof(room));
        points = smaller(wish->points,
                         points_for(look, wish->currency, sum_of(room, out->line_count), 1));
    } else {
        points = redeem_points(look, wish, due, out);
    }
    if (points > 0)
        pay_points(look, wish->currency, points, room, due, out);
}

static void pay_it(struct m_look *look, enum m_mode mode, struct m_decision *out)
{
    int64_t due[m_lines_max] = { 0 }, part[m_lines_max];

    memcpy(due, look->line_net, sizeof(due));
    look->certificate = paid_by(look->event, false);
    pay_stated(look, false, mode, due, part, out);
    for (int i = 0; i < out->line_count; i++)
        out->line[i].certificate = part[i];
    for (int r = 0; r < look->event->redeem_count; r++)
        redeem(look, &look->event->redeem[r], mode, due, out);
    pay_stated(look, true, mode, due, part, out);
    for (int i = 0; i < out->line_count; i++) {
        out->line[i].purse = part[i];
        out->line[i].money = due[i];
    }
    look->money = sum_of(due, out->line_count);
}

/* ---- step 8 ---- */

static int64_t earn_base(const struct m_rule *rule, const struct m_part *line)
{
    switch (rule->of) {
    case M_OF_GROSS:
        return line->gross;
    case M_OF_NET:
        return line->gross - line->discount - line->rounding;
    case M_OF_MONEY:
        break;
    }
    return line->money;
}

/* Per cent of money in steps of the currency. */
static int64_t percent_points(const struct m_programme *programme, const struct m_rule *rule,
                              int64_t base)
{
    int scale = programme->currency[rule->currency].scale;
    m_wide num = (m_wide)base * rule->value * m_pow10(scale);
    m_wide den = (m_wide)100 * 1000000 * m_pow10(programme->money_scale);

    return m_round(num, den, rule->quantum != 0 ? rule->quantum : 1,
                   rule->has_rounding ? rule->rounding : M_DOWN);
}

static void fixed_points(const struct m_rule *rule, const int64_t *base, const bool *match,
                         int count, struct m_earning *earning)
{
    earning->points = rule->value;
    if (sum_of(base, count) > 0) {
        m_spread(M_LARGEST_REMAINDER, rule->value, base, NULL, count, earning->share);
        return;
    }
    for (int i = 0; i < count; i++)
        if (match[i]) {
            earning->share[i] = rule->value;
            return;
        }
}

/* What a rule earns; points 0: it did not fire. */
static void earn_rule(const struct m_look *look, int number, const struct m_decision *decision,
                      struct m_earning *earning)
{
    const struct m_rule *rule = &look->programme->rule[number];
    int64_t base[m_lines_max] = { 0 };
    bool match[m_lines_max] = { false }, any = rule->lines == NULL;
    int count = decision->line_count;

    *earning = (struct m_earning){ .rule = number, .currency = rule->currency };
    if (!rule_holds(look, rule))
        return;
    for (int i = 0; i < count; i++) {
        match[i] = line_matches(look, rule, i);
        if (match[i])
            base[i] = earn_base(rule, &decision->line[i]);
        any = any || match[i];
    }
    if (!any)
        return;
    if (rule->kind == M_FIXED) {
        fixed_points(rule, base, match, count, earning);
    } else if (rule->kind == M_PERCENT && rule->per == M_PER_LINE) {
        for (int i = 0; i < count; i++) {
            earning->share[i] = percent_points(look->programme, rule, base[i]);
            earning->points += earning->share[i];
        }
    } else {
        int64_t sum = sum_of(base, count);
        earning->points = rule->kind == M_PERCENT ? percent_points(look->programme, rule, sum)
                                                  : sum / rule->value * rule->points;
        m_spread(M_LARGEST_REMAINDER, earning->points, base, NULL, count, earning->share);
    }
}

/* Which rules of a currency earn: their points go into `got`, by rule. Returns the benefit. */
static int64_t earn_node(const struct m_look *look, const struct m_node *node, int currency,
                         const struct m_earning *would, bool *got)
{
    const struct m_node *child[m_children_max];
    int64_t benefit = 0;

    memset(got, 0, m_rules_max * sizeof(*got));
    if (node->rule >= 0) {
        if (look->programme->rule[node->rule].currency != currency)
            return 0;
        got[node->rule] = would[node->rule].points > 0;
        return would[node->rule].points;
    }
    in_order(look, node, child);
    for (int c = 0; c < node->count; c++) {
        bool mine[m_rules_max];
        int64_t gain = earn_node(look, child[c], currency, would, mine);
        bool adds = node->operator == M_SUM || node->operator == M_MULTIPLY;
        if (gain == 0)
            continue;
        if (adds) {
            for (int r = 0; r < m_rules_max; r++)
                got[r] = got[r] || mine[r];
            benefit += gain;
        } else if (benefit == 0 || (node->operator == M_MAX && gain > benefit) ||
                   (node->operator == M_MIN && gain < benefit)) {
            memcpy(got, mine, sizeof(mine));
            benefit = gain;
        }
    }
    return benefit;
}

/* ---- steps 8 and 9 ---- */

static void earn_it(const struct m_look *look, struct m_decision *out)
{
    const struct m_programme *programme = look->programme;
    struct m_earning would[m_rules_max] = { { 0 } };
    bool got[m_rules_max], all[m_rules_max] = { false };

    out->earning_count = 0;
    if (!look->view->known || programme->earn_tree == NULL)
        return;
    for (int r = 0; r < programme->rule_count; r++)
        if (programme->rule[r].scope == M_EARN)
            earn_rule(look, r, out, &would[r]);
    for (int c = 0; c < programme->currency_count; c++) {
        earn_node(look, programme->earn_tree, c, would, got);
        for (int r = 0; r < programme->rule_count; r++)
            all[r] = all[r] || got[r];
    }
    for (int r = 0; r < programme->rule_count; r++)
        if (all[r])
            out->earning[out->earning_count++] = would[r];
}

static void count_it(const struct m_look *look, struct m_decision *out)
{
    bool purchase = strcmp(look->event->kind, "purchase") == 0;

    for (int c = 0; c < look->programme->counter_count; c++) {
        int64_t sum = 0;
        for (int i = 0; i < out->line_count; i++)
            switch (look->programme->counter[c].source) {
            case M_SUM_GROSS:
                sum += out->line[i].gross;
                break;
            case M_SUM_NET:
                sum += out->line[i].gross - out->line[i].discount - out->line[i].rounding;
                break;
            case M_SUM_MONEY:
                sum += out->line[i].money;
                break;
            case M_COUNT:
                sum = purchase;
                break;
            }
        out->counter_add[c] = sum;
    }
}

static void add_totals(struct m_decision *out)
{
    out->total = (struct m_part){ 0 };
    for (int i = 0; i < out->line_count; i++) {
        out->total.gross += out->line[i].gross;
        out->total.discount += out->line[i].discount;
        out->total.rounding += out->line[i].rounding;
        out->total.points += out->line[i].points;
        out->total.certificate += out->line[i].certificate;
        out->total.purse += out->line[i].purse;
        out->total.money += out->line[i].money;
    }
}

static struct m_look look_at(const struct m_programme *programme, const struct m_event *event,
                             const struct m_view *view)
{
    return (struct m_look){ .programme = programme, .event = event, .view = view };
}

void m_decide(const struct m_programme *programme, const struct m_event *event,
              const struct m_view *view, enum m_mode mode, struct m_decision *out)
{
    struct m_look look = look_at(programme, event, view);

    *out = (struct m_decision){ .outcome = OUTCOME_DONE };
    price_it(&look, out);
    pay_it(&look, mode, out);
    if (out->outcome != OUTCOME_DONE)
        return;
    add_totals(out);
    earn_it(&look, out);
    count_it(&look, out);
}

void m_requote(const struct m_programme *programme, const struct m_event *event,
               const struct m_view *view, const struct m_part *kept, struct m_decision *out)
{
    struct m_look look = look_at(programme, event, view);

    *out = (struct m_decision){ .outcome = OUTCOME_DONE };
    price_it(&look, out);
    for (int i = 0; i < out->line_count; i++) {
        struct m_part *line = &out->line[i];
        line->points = kept[i].points;
        line->certificate = kept[i].certificate;
        line->purse = kept[i].purse;
        line->money = larger(0, look.line_net[i] - line->points - line->certificate - line->purse);
        look.certificate += line->certificate;
        look.money += line->money;
    }
    add_totals(out);
    earn_it(&look, out);
    count_it(&look, out);
}

void m_earn_again(const struct m_programme *programme, const struct m_event *event,
                  const struct m_view *view, struct m_decision *decision)
{
    struct m_look look = look_at(programme, event, view);

    for (int i = 0; i < decision->line_count; i++) {
        const struct m_part *line = &decision->line[i];
        look.line_net[i] = line->gross - line->discount - line->rounding;
        look.discounted[i] = event->line[i].discounted || line->discount > 0;
        look.base += line->gross;
        look.net += look.line_net[i];
        look.money += line->money;
        look.certificate += line->certificate;
    }
    /* After the line rules: what the receipt rules took is added again. */
    look.after_lines = look.net + decision->total.rounding;
    for (int r = 0; r < programme->rule_count; r++)
        if (programme->rule[r].scope == M_RECEIPT)
            look.after_lines += sum_of(decision->given[r], decision->line_count);
    earn_it(&look, decision);
    count_it(&look, decision);
}
