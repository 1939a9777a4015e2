/*
 * oracle.c - a second, slow evaluation of a programme, straight from docs/semantics.md.
 *
 * Owns:      the meaning of the tree, of discounts, payments and earnings, on dense tables.
 * Must not:  call the engine, or share a line with it (slow.c spreads and rounds).
 */
#include "oracle.h"

#include "slow.h"

#include <string.h>

/* What the rules of a subtree give, line by line, and the rules in the order of the tree. */
struct gives {
    amount at[model_rules_max][model_lines_max];
    int order[model_rules_max], count;
};

struct world {
    const struct model *model;
    const struct model_receipt *receipt;
    struct model_answer *answer;
    amount base;  /* of the receipt */
    int currency; /* whose earn tree is walked */
};

static amount
sum_of(const struct gives *gives)
{
    amount sum = 0;
    for (int r = 0; r < model_rules_max; r++)
        for (int i = 0; i < model_lines_max; i++)
            sum += gives->at[r][i];
    return sum;
}

static amount
on_line(const struct gives *gives, int line)
{
    amount sum = 0;
    for (int r = 0; r < model_rules_max; r++)
        sum += gives->at[r][line];
    return sum;
}

static void
append(struct gives *to, const struct gives *from)
{
    for (int k = 0; k < from->count; k++) {
        int r = from->order[k];
        to->order[to->count++] = r;
        memcpy(to->at[r], from->at[r], sizeof(to->at[r]));
    }
}

static amount
room(const struct world *w, const amount *price, int line)
{
    amount left = price[line] - w->receipt->line[line].floor;
    return left > 0 ? left : 0;
}

static amount
least(amount a, amount b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------------------------- rules */

static amount
wanted(const struct model_rule *rule, const struct model_line *line, amount price)
{
    bool whole = line->quantity % 1000 == 0;
    amount pieces = line->quantity / 1000, value = rule->value;

    if (rule->kind == DISCOUNT_PERCENT) {
        if (rule->per == PER_PIECE && whole)
            return pieces * slow_round(slow_round(price, 1, pieces, 1, ROUND_HALF_UP), value,
                                       100000000, rule->quantum, rule->rounding);
        return slow_round(price, value, 100000000, rule->quantum, rule->rounding);
    }
    if (rule->per == PER_PIECE)
        value = slow_round(value, line->quantity, 1000, 1, ROUND_HALF_UP);
    if (rule->kind == DISCOUNT_AMOUNT)
        return value;
    return price > value ? price - value : 0;
}

static void
discount(const struct world *w, int r, const amount *price, int only, struct gives *gives)
{
    const struct model_rule *rule = &w->model->rule[r];
    amount weight[model_lines_max] = { 0 }, cap[model_lines_max] = { 0 };
    amount share[model_lines_max], total = 0;
    int at[model_lines_max], count = 0;

    for (int i = 0; i < w->receipt->line_count; i++) {
        if ((only >= 0 && i != only) ||
            (rule->category >= 0 && rule->category != w->receipt->line[i].category))
            continue;
        if (rule->per != PER_RECEIPT)
            gives->at[r][i] = least(wanted(rule, &w->receipt->line[i], price[i]),
                                    room(w, price, i));
        weight[count] = price[i];
        cap[count] = room(w, price, i);
        total += price[i];
        at[count++] = i;
    }
    if (rule->per != PER_RECEIPT || count == 0)
        return;
    if (rule->kind == DISCOUNT_PERCENT)
        total = slow_round(total, rule->value, 100000000, rule->quantum, rule->rounding);
    else
        total = rule->value;
    slow_spread(w->model->spreading, total, weight, cap, (uint32_t)count, share);
    for (int k = 0; k < count; k++)
        gives->at[r][at[k]] = share[k];
}

static amount
earn_base(const struct world *w, const struct model_rule *rule, int line)
{
    const struct line_result *result = &w->answer->line[line];
    if (rule->of == EARN_OF_GROSS)
        return result->gross;
    if (rule->of == EARN_OF_NET)
        return result->gross - result->discount - result->rounding;
    return result->money;
}

static amount
points_for(const struct model_rule *rule, amount base)
{
    if (rule->earn_kind == EARN_PERCENT) /* the bonus has kopecks, the others are whole */
        return slow_round(base, rule->value, rule->currency == 0 ? 100000000 : 10000000000,
                          rule->quantum, rule->rounding);
    if (rule->earn_kind == EARN_PER_AMOUNT)
        return base / rule->per_amount * rule->points;
    return rule->points;
}

static void
earn(const struct world *w, int r, struct gives *gives)
{
    const struct model_rule *rule = &w->model->rule[r];
    bool alone = rule->per_line && rule->earn_kind != EARN_FIXED;
    amount weight[model_lines_max] = { 0 }, share[model_lines_max], base = 0;
    int at[model_lines_max], count = 0;

    for (int i = 0; i < w->receipt->line_count; i++) {
        if (rule->category >= 0 && rule->category != w->receipt->line[i].category)
            continue;
        if (alone)
            gives->at[r][i] = points_for(rule, earn_base(w, rule, i));
        weight[count] = earn_base(w, rule, i);
        base += weight[count];
        at[count++] = i;
    }
    if (count == 0 || alone)
        return;
    if (base == 0) {
        gives->at[r][at[0]] = points_for(rule, 0);
        return;
    }
    slow_spread(SPREAD_LARGEST_REMAINDER, points_for(rule, base), weight, NULL, (uint32_t)count,
                share);
    for (int k = 0; k < count; k++)
        gives->at[r][at[k]] = share[k];
}

static void
run_rule(const struct world *w, int r, const amount *price, int only, struct gives *gives)
{
    const struct model_rule *rule = &w->model->rule[r];

    gives->order[gives->count++] = r;
    if (w->base < rule->min_base)
        return;
    if (rule->scope == SCOPE_EARN)
        earn(w, r, gives);
    else
        discount(w, r, price, only, gives);
}

/* -------------------------------------------------------------------------------------- tree */

struct child {
    int rule, group; /* one of them -1 */
    int priority;
    const char *code;
};

static int
list_children(const struct world *w, enum rule_scope scope, int group, struct child *child)
{
    int count = 0;
    for (int r = 0; r < w->model->rule_count; r++) {
        const struct model_rule *rule = &w->model->rule[r];
        if (rule->scope == scope && rule->group == group &&
            (scope != SCOPE_EARN || rule->currency == w->currency))
            child[count++] = (struct child){ r, -1, rule->priority, rule->code };
    }
    for (int g = 0; g < w->model->group_count; g++) {
        const struct model_group *inner = &w->model->group[g];
        if (inner->scope == scope && inner->parent == group)
            child[count++] = (struct child){ -1, g, inner->priority, inner->code };
    }
    for (int i = 1; i < count; i++) { /* higher priority first, then code */
        for (int k = i; k > 0; k--) {
            struct child *a = &child[k - 1], *b = &child[k], spare = *a;
            if (a->priority > b->priority ||
                (a->priority == b->priority && strcmp(a->code, b->code) < 0))
                break;
            *a = *b;
            *b = spare;
        }
    }
    return count;
}

static void
run_group(const struct world *w, enum rule_scope scope, int group, const amount *price, int only,
          struct gives *gives)
{
    struct child child[model_rules_max + model_groups_max];
    enum tree_op op = group < 0 ? w->model->root[scope] : w->model->group[group].op;
    int count = list_children(w, scope, group, child);
    amount running[model_lines_max], best = 0;

    memcpy(running, price, sizeof(running));
    for (int c = 0; c < count; c++) {
        struct gives one = { .count = 0 };
        if (child[c].rule >= 0)
            run_rule(w, child[c].rule, running, only, &one);
        else
            run_group(w, scope, child[c].group, running, only, &one);
        amount benefit = sum_of(&one);
        if (op == TREE_SUM || op == TREE_MULTIPLY) {
            append(gives, &one);
            for (int i = 0; i < model_lines_max && op == TREE_MULTIPLY; i++)
                running[i] -= on_line(&one, i);
        } else if (benefit > 0 && (best == 0 || (op == TREE_MAX && benefit > best) ||
                                   (op == TREE_MIN && benefit < best))) {
            *gives = one;
            best = benefit;
        }
    }
    for (int i = 0; i < w->receipt->line_count && op == TREE_SUM && scope != SCOPE_EARN; i++) {
        amount left = room(w, price, i);
        for (int k = 0; k < gives->count; k++) {
            amount *part = &gives->at[gives->order[k]][i];
            *part = least(*part, left);
            left -= *part;
        }
    }
}

/* ---------------------------------------------------------------------------------- the steps */

static amount
net(const struct line_result *line)
{
    return line->gross - line->discount - line->rounding;
}

static amount
due(const struct line_result *line)
{
    return net(line) - line->certificate - line->points - line->purse;
}

static void
give_discounts(const struct world *w, const struct gives *gives)
{
    for (int r = 0; r < model_rules_max; r++) {
        for (int i = 0; i < w->receipt->line_count; i++) {
            w->answer->given[r][i] += gives->at[r][i];
            w->answer->line[i].discount += gives->at[r][i];
        }
    }
}

static void
reduce(const struct world *w)
{
    amount price[model_lines_max] = { 0 }, cap[model_lines_max], share[model_lines_max], sum = 0;
    int count = w->receipt->line_count;
    struct gives gives = { .count = 0 };

    for (int i = 0; i < count; i++) {
        price[i] = w->receipt->line[i].gross;
        struct gives alone = { .count = 0 };
        run_group(w, SCOPE_LINE, -1, price, i, &alone);
        give_discounts(w, &alone);
    }
    for (int i = 0; i < count; i++)
        price[i] = net(&w->answer->line[i]);
    run_group(w, SCOPE_RECEIPT, -1, price, -1, &gives);
    give_discounts(w, &gives);
    for (int i = 0; i < count; i++) {
        price[i] = net(&w->answer->line[i]);
        cap[i] = room(w, price, i);
        sum += price[i];
    }
    if (w->model->receipt_quantum == 0)
        return;
    slow_spread(w->model->spreading, sum % w->model->receipt_quantum, price, cap, (uint32_t)count,
                share);
    for (int i = 0; i < count; i++)
        w->answer->line[i].rounding = share[i];
}

static void
refuse(const struct world *w, enum outcome outcome)
{
    if (w->answer->outcome == OUTCOME_DONE || outcome < w->answer->outcome)
        w->answer->outcome = outcome;
}

/* Spread money over the lines of a category by what is due; which part it is, `which` says. */
static void
pay(const struct world *w, amount total, int category, size_t which)
{
    amount weight[model_lines_max] = { 0 }, share[model_lines_max];
    int at[model_lines_max], count = 0;

    for (int i = 0; i < w->receipt->line_count; i++) {
        if (category >= 0 && w->receipt->line[i].category != category)
            continue;
        weight[count] = due(&w->answer->line[i]);
        at[count++] = i;
    }
    slow_spread(w->model->spreading, total, weight, weight, (uint32_t)count, share);
    for (int k = 0; k < count; k++)
        *(amount *)((char *)&w->answer->line[at[k]] + which) += share[k];
}

static amount
all_due(const struct world *w)
{
    amount sum = 0;
    for (int i = 0; i < w->receipt->line_count; i++)
        sum += due(&w->answer->line[i]);
    return sum;
}

static void
pay_stated(const struct world *w, amount total, size_t which)
{
    if (total > all_due(w))
        refuse(w, OUTCOME_PAYMENT_TOO_LARGE);
    pay(w, least(total, all_due(w)), -1, which);
}

static void
pay_points(const struct world *w, const struct model_wish *wish)
{
    const struct model_redemption *terms = &w->model->redemption[wish->currency];
    amount worth = wish->currency == 0 ? 1 : 10, base = 0, open = 0; /* kopecks for one */

    if (!wish->max && wish->points == 0)
        return;
    if (wish->currency == 2 || !terms->allowed) {
        refuse(w, OUTCOME_REDEEM_NOT_ALLOWED);
        return;
    }
    if (!w->receipt->known) {
        if (!wish->max)
            refuse(w, OUTCOME_MEMBER_NEEDED);
        return;
    }
    for (int i = 0; i < w->receipt->line_count; i++) {
        const struct line_result *line = &w->answer->line[i];
        if (terms->category >= 0 && w->receipt->line[i].category != terms->category)
            continue;
        base += net(line) - line->certificate;
        open += due(line);
    }
    amount part = least(slow_round(base, terms->percent, 100000000, 1, ROUND_DOWN), open) / worth;
    part -= part % terms->step;
    amount stay = all_due(w) - terms->money_min;
    if (terms->money_min > 0 || wish->max)
        stay -= w->receipt->purse;
    stay = stay > 0 ? stay / worth : 0;
    stay -= stay % terms->step;
    amount has = w->receipt->available[wish->currency];
    amount most = least(least(part, stay), has - has % terms->step);
    amount asked = wish->max ? most : wish->points;
    if (asked > part)
        refuse(w, OUTCOME_REDEEM_OVER_LIMIT);
    if (asked % terms->step != 0)
        refuse(w, OUTCOME_REDEEM_STEP);
    if (asked > stay)
        refuse(w, OUTCOME_MONEY_TOO_LITTLE);
    if (asked > has)
        refuse(w, OUTCOME_NOT_ENOUGH);
    asked = least(asked, most);
    asked -= asked % terms->step;
    w->answer->redeemed[wish->currency] = asked;
    pay(w, asked * worth, terms->category, offsetof(struct line_result, points));
}

static void
earn_all(struct world *w)
{
    for (w->currency = 0; w->currency < model_currencies; w->currency++) {
        amount none[model_lines_max] = { 0 };
        struct gives gives = { .count = 0 };
        run_group(w, SCOPE_EARN, -1, none, -1, &gives);
        for (int r = 0; r < model_rules_max; r++)
            for (int i = 0; i < model_lines_max; i++)
                w->answer->earned[r][i] += gives.at[r][i];
    }
}

void
oracle_decide(const struct model *model, const struct model_receipt *receipt,
              struct model_answer *answer)
{
    struct world w = { .model = model, .receipt = receipt, .answer = answer };

    memset(answer, 0, sizeof(*answer));
    for (int i = 0; i < receipt->line_count; i++) {
        answer->line[i].gross = receipt->line[i].gross;
        w.base += receipt->line[i].gross;
    }
    reduce(&w);
    pay_stated(&w, receipt->certificate, offsetof(struct line_result, certificate));
    for (int i = 0; i < receipt->wish_count; i++)
        pay_points(&w, &receipt->wish[i]);
    pay_stated(&w, receipt->purse, offsetof(struct line_result, purse));
    if (answer->outcome != OUTCOME_DONE) {
        memset(answer->redeemed, 0, sizeof(answer->redeemed));
        for (int i = 0; i < receipt->line_count; i++)
            answer->line[i].certificate = answer->line[i].points = answer->line[i].purse = 0;
    }
    for (int i = 0; i < receipt->line_count; i++)
        answer->line[i].money = due(&answer->line[i]);
    if (answer->outcome == OUTCOME_DONE && receipt->known)
        earn_all(&w);
}

/* -------------------------------------------------------------------------------- the document */

static const char *const currency_names[] = { "bonus", "dime", "star" };
static const char *const op_names[] = { "", "max", "min", "first", "sum", "multiply" };
static const char *const rounding_names[] = { "half-up", "half-even", "half-down", "down", "up" };

static void
write_decimal(struct buf *buf, int64_t value, int scale)
{
    buf_add_char(buf, '"');
    decimal_format(buf, value, scale);
    buf_add_char(buf, '"');
}

static void
write_discount(const struct model_rule *rule, struct buf *buf)
{
    static const char *const kinds[] = { "percent", "amount", "fixed-price" };
    static const char *const pers[] = { "piece", "line", "receipt" };
    bool percent = rule->kind == DISCOUNT_PERCENT;

    buf_addf(buf, ",\"discount\":{\"kind\":\"%s\",\"per\":\"%s\",\"value\":", kinds[rule->kind],
             pers[rule->per]);
    write_decimal(buf, rule->value, percent ? 6 : 2);
    if (percent) {
        buf_addf(buf, ",\"rounding\":\"%s\",\"quantum\":", rounding_names[rule->rounding]);
        write_decimal(buf, rule->quantum, 2);
    }
    buf_addf(buf, "}}");
}

static void
write_earn(const struct model_rule *rule, struct buf *buf)
{
    static const char *const ofs[] = { "gross", "net", "money" };
    int scale = rule->currency == 0 ? 2 : 0;

    buf_addf(buf, ",\"earn\":{\"currency\":\"%s\"", currency_names[rule->currency]);
    if (rule->earn_kind != EARN_FIXED)
        buf_addf(buf, ",\"of\":\"%s\",\"per\":\"%s\"", ofs[rule->of],
                 rule->per_line ? "line" : "receipt");
    if (rule->earn_kind == EARN_PERCENT) {
        buf_addf(buf, ",\"percent\":");
        write_decimal(buf, rule->value, 6);
        buf_addf(buf, ",\"rounding\":\"%s\",\"quantum\":", rounding_names[rule->rounding]);
        write_decimal(buf, rule->quantum, scale);
    } else if (rule->earn_kind == EARN_PER_AMOUNT) {
        buf_addf(buf, ",\"per_amount\":");
        write_decimal(buf, rule->per_amount, 2);
        buf_addf(buf, ",\"points\":");
        write_decimal(buf, rule->points, scale);
    } else {
        buf_addf(buf, ",\"fixed\":");
        write_decimal(buf, rule->points, scale);
    }
    buf_addf(buf, "}}");
}

static void
write_rule(const struct model_rule *rule, struct buf *buf)
{
    static const char *const scopes[] = { "line", "receipt", "earn" };

    buf_addf(buf, "{\"code\":\"%s\",\"scope\":\"%s\",\"priority\":%d", rule->code,
             scopes[rule->scope], rule->priority);
    if (rule->min_base > 0) {
        buf_addf(buf, ",\"when\":{\"receipt.base\":{\"gte\":");
        write_decimal(buf, rule->min_base, 2);
        buf_addf(buf, "}}");
    }
    if (rule->category >= 0)
        buf_addf(buf, ",\"lines\":{\"line.category\":\"g%d\"}", rule->category);
    if (rule->scope == SCOPE_EARN)
        write_earn(rule, buf);
    else
        write_discount(rule, buf);
}

/* A document has no empty groups: are there rules in or below this one? */
static bool
has_rules(const struct model *model, int group)
{
    for (int r = 0; r < model->rule_count; r++)
        if (model->rule[r].group == group)
            return true;
    for (int g = 0; g < model->group_count; g++)
        if (model->group[g].parent == group && has_rules(model, g))
            return true;
    return false;
}

/* `,"members":[...]`; the root names its groups only, and nothing if it has none. */
static void
write_members(const struct model *model, enum rule_scope scope, int group, struct buf *buf)
{
    const char *comma = "";
    bool any = group >= 0;

    for (int g = 0; g < model->group_count; g++)
        any |= model->group[g].scope == scope && has_rules(model, g);
    if (!any)
        return;
    buf_addf(buf, ",\"members\":[");
    for (int r = 0; r < model->rule_count; r++) {
        if (model->rule[r].scope != scope || model->rule[r].group != group || group < 0)
            continue;
        buf_addf(buf, "%s\"%s\"", comma, model->rule[r].code);
        comma = ",";
    }
    for (int g = 0; g < model->group_count; g++) {
        const struct model_group *inner = &model->group[g];
        if (inner->scope != scope || inner->parent != group || !has_rules(model, g))
            continue;
        buf_addf(buf, "%s{\"code\":\"%s\",\"op\":\"%s\",\"priority\":%d", comma, inner->code,
                 op_names[inner->op], inner->priority);
        write_members(model, scope, g, buf);
        buf_addf(buf, "}");
        comma = ",";
    }
    buf_addf(buf, "]");
}

static void
write_redemption(const struct model *model, struct buf *buf)
{
    const char *comma = "";

    buf_addf(buf, "\"redemption\":{");
    for (int c = 0; c < 2; c++) {
        const struct model_redemption *terms = &model->redemption[c];
        if (!terms->allowed)
            continue;
        buf_addf(buf, "%s\"%s\":{\"max_percent\":", comma, currency_names[c]);
        write_decimal(buf, terms->percent, 6);
        buf_addf(buf, ",\"money_min\":");
        write_decimal(buf, terms->money_min, 2);
        buf_addf(buf, ",\"step\":");
        write_decimal(buf, terms->step, c == 0 ? 2 : 0);
        if (terms->category >= 0)
            buf_addf(buf, ",\"lines\":{\"line.category\":\"g%d\"}", terms->category);
        buf_addf(buf, "}");
        comma = ",";
    }
    buf_addf(buf, "}");
}

void
model_write(const struct model *model, const int *order, struct buf *buf)
{
    static const char *const spreadings[] = { "largest-remainder", "floor-first", "last-rest" };
    static const char *const scopes[] = { "line", "receipt", "earn" };

    buf_addf(buf, "{\"format\":1,\"id\":\"model\",\"name\":{\"en\":\"m\"},"
                  "\"money\":{\"code\":\"RUB\",\"scale\":2},\"currencies\":{"
                  "\"bonus\":{\"no\":1,\"name\":{\"en\":\"b\"},\"scale\":2,\"worth\":\"1.00\"},"
                  "\"dime\":{\"no\":2,\"name\":{\"en\":\"d\"},\"scale\":0,\"worth\":\"0.10\"},"
                  "\"star\":{\"no\":3,\"name\":{\"en\":\"s\"},\"scale\":0}},\"rules\":[");
    for (int r = 0; r < model->rule_count; r++) {
        buf_addf(buf, "%s", r > 0 ? "," : "");
        write_rule(&model->rule[order[r]], buf);
    }
    buf_addf(buf, "],\"combination\":{");
    for (int s = 0; s < rule_scope_count; s++) {
        buf_addf(buf, "%s\"%s\":{\"op\":\"%s\"", s > 0 ? "," : "", scopes[s],
                 op_names[model->root[s]]);
        write_members(model, (enum rule_scope)s, -1, buf);
        buf_addf(buf, "}");
    }
    buf_addf(buf, "},");
    write_redemption(model, buf);
    buf_addf(buf, ",\"arithmetic\":{\"spreading\":\"%s\",\"receipt_quantum\":",
             spreadings[model->spreading]);
    write_decimal(buf, model->receipt_quantum, 2);
    buf_addf(buf, "}}");
}
