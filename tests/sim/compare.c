/*
 * compare.c - the server's answers against the model, figure by figure.
 *
 * Owns:      what is compared, and the words for what differs.
 * Must not:  compute: every figure here is the model's or the server's.
 */
#include "deed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void
trouble(struct sim *sim, const char *format, ...)
{
    size_t room = sizeof(sim->trouble) - sim->trouble_len;
    va_list args;

    sim->failed = true;
    if (room < 200)
        return;
    va_start(args, format);
    int len = vsnprintf(sim->trouble + sim->trouble_len, room - 2, format, args);
    va_end(args);
    sim->trouble_len += (size_t)len < room - 2 ? (size_t)len : room - 3;
    sim->trouble[sim->trouble_len++] = '\n';
    sim->trouble[sim->trouble_len] = 0;
}

const struct answer *
answer_root(struct sim *sim)
{
    const struct answer *root = answer_parse(&sim->tree, sim->server.answer,
                                             sim->server.answer_len);

    if (root == NULL)
        trouble(sim, "the answer is not JSON");
    return root;
}

/* One amount of `object`. */
static void
same(struct sim *sim, const char *where, const struct answer *object, const char *name, int scale,
     int64_t wanted)
{
    const struct answer *value = answer_get(&sim->tree, object, name);
    char told[64], ours[64];
    int64_t got;

    if (answer_amount(value, scale, &got) && got == wanted)
        return;
    answer_copy(value, told, sizeof(told));
    print_amount(ours, sizeof(ours), wanted, scale);
    trouble(sim, "  %s %s: server %s, model %s", where, name, told[0] ? told : "(none)", ours);
}

static void
same_instant(struct sim *sim, const char *where, const struct answer *object, const char *name,
             int64_t wanted)
{
    const struct answer *value = answer_get(&sim->tree, object, name);
    char told[64], ours[64] = "never";
    int64_t at;

    if (answer_instant(value, &at) && at == wanted)
        return;
    answer_copy(value, told, sizeof(told));
    if (wanted != M_NEVER)
        print_instant(ours, sizeof(ours), wanted);
    trouble(sim, "  %s %s: server %s, model %s", where, name, told, ours);
}

static void
same_count(struct sim *sim, const char *what, const struct answer *list, int wanted)
{
    if (list == NULL || answer_count(list) != wanted)
        trouble(sim, "  number of %s: server %d, model %d", what, answer_count(list), wanted);
}

/* ---- what was decided ---- */

static void
same_parts(struct sim *sim, const char *where, const struct answer *line, const struct m_part *part)
{
    int scale = sim->programme->money_scale;

    same(sim, where, line, "gross", scale, part->gross);
    same(sim, where, line, "discount", scale, part->discount);
    same(sim, where, line, "rounding", scale, part->rounding);
    same(sim, where, line, "points", scale, part->points);
    same(sim, where, line, "certificate", scale, part->certificate);
    same(sim, where, line, "purse", scale, part->purse);
    same(sim, where, line, "money", scale, part->money);
}

/* The entry of `list` that names `rule`, or NULL. */
static const struct answer *
of_rule(struct sim *sim, const struct answer *list, const char *rule)
{
    for (int i = 0; i < answer_count(list); i++) {
        const struct answer *item = answer_at(&sim->tree, list, i);
        if (answer_is(answer_get(&sim->tree, item, "rule"), rule))
            return item;
    }
    return NULL;
}

static void
same_line(struct sim *sim, const struct answer *line, const struct m_decision *decision, int i)
{
    const struct answer *discounts = answer_get(&sim->tree, line, "discounts");
    const struct answer *earned = answer_get(&sim->tree, line, "earned");
    int discount_count = 0, earned_count = 0;
    char where[80];

    snprintf(where, sizeof(where), "line %d", i + 1);
    same_parts(sim, where, line, &decision->line[i]);
    for (int r = 0; r < sim->programme->rule_count; r++) {
        const char *code = sim->programme->rule[r].code;
        if (decision->given[r][i] == 0)
            continue;
        discount_count++;
        snprintf(where, sizeof(where), "line %d discount %s", i + 1, code);
        same(sim, where, of_rule(sim, discounts, code), "amount", sim->programme->money_scale,
             decision->given[r][i]);
    }
    for (int e = 0; e < decision->earning_count; e++) {
        const struct m_earning *earning = &decision->earning[e];
        const char *code = sim->programme->rule[earning->rule].code;
        if (earning->share[i] == 0)
            continue;
        earned_count++;
        snprintf(where, sizeof(where), "line %d earned %s", i + 1, code);
        same(sim, where, of_rule(sim, earned, code), "points",
             sim->programme->currency[earning->currency].scale, earning->share[i]);
    }
    same_count(sim, "discounts of a line", discounts, discount_count);
    same_count(sim, "earnings of a line", earned, earned_count);
}

static void
same_discounts(struct sim *sim, const struct answer *list, const struct m_decision *decision)
{
    int count = 0;

    for (int r = 0; r < sim->programme->rule_count; r++) {
        int64_t sum = 0;
        char where[80];
        for (int i = 0; i < decision->line_count; i++)
            sum += decision->given[r][i];
        if (sum == 0)
            continue;
        count++;
        snprintf(where, sizeof(where), "discount %s", sim->programme->rule[r].code);
        same(sim, where, of_rule(sim, list, sim->programme->rule[r].code), "amount",
             sim->programme->money_scale, sum);
    }
    same_count(sim, "discounts", list, count);
}

/* lots: the member's, by the receipt's earnings; NULL: nothing was booked. */
static void
same_earned(struct sim *sim, const struct answer *list, const struct m_decision *decision,
            const struct m_lot *const *lots)
{
    same_count(sim, "earnings", list, decision->earning_count);
    for (int e = 0; e < decision->earning_count; e++) {
        const struct m_earning *earning = &decision->earning[e];
        const struct m_currency *currency = &sim->programme->currency[earning->currency];
        const struct answer *item = answer_at(&sim->tree, list, e);
        const char *code = sim->programme->rule[earning->rule].code;
        char where[80];
        snprintf(where, sizeof(where), "earning %d %s", e, code);
        if (!answer_is(answer_get(&sim->tree, item, "rule"), code) ||
            !answer_is(answer_get(&sim->tree, item, "currency"), currency->code))
            trouble(sim, "  %s: another rule or currency", where);
        same(sim, where, item, "points", currency->scale, earning->points);
        if (lots == NULL)
            continue;
        same_instant(sim, where, item, "active_from", lots[e]->active_from);
        same_instant(sim, where, item, "expires_at", lots[e]->expires_at);
    }
}

static void
same_redeemed(struct sim *sim, const struct answer *list, const struct m_decision *decision)
{
    same_count(sim, "redemptions", list, decision->redemption_count);
    for (int r = 0; r < decision->redemption_count; r++) {
        const struct m_redemption *paid = &decision->redemption[r];
        const struct m_currency *currency = &sim->programme->currency[paid->currency];
        const struct answer *item = answer_at(&sim->tree, list, r);
        if (!answer_is(answer_get(&sim->tree, item, "currency"), currency->code))
            trouble(sim, "  redemption %d: another currency", r);
        same(sim, "redeemed", item, "points", currency->scale, paid->points);
        same(sim, "redeemed", item, "money", sim->programme->money_scale, paid->money);
    }
}

static void
same_levels(struct sim *sim, const struct answer *levels, const int *level)
{
    for (int l = 0; l < sim->programme->ladder_count; l++) {
        const struct m_ladder *ladder = &sim->programme->ladder[l];
        const struct answer *value = answer_get(&sim->tree, levels, ladder->code);
        const char *wanted = level[l] > 0 ? ladder->level[level[l] - 1] : "null";
        if (value != NULL && value->kind == ANSWER_OBJECT)
            value = answer_get(&sim->tree, value, "level");
        /* A ladder that nothing ever moved may be left out of a balance. */
        if (!answer_is(value, wanted) && !(value == NULL && level[l] == 0)) {
            char told[40];
            answer_copy(value, told, sizeof(told));
            trouble(sim, "  level %s: server %s, model %s", ladder->code, told, wanted);
        }
    }
}

/* ---- balances ---- */

/* Nobody has available points and a debt: whatever makes points available repays it. */
static void
owes_nothing_it_has(struct sim *sim, const struct answer *balance, int scale)
{
    int64_t active = 0, held = 0, debt = 0;

    if (!answer_amount(answer_get(&sim->tree, balance, "active"), scale, &active) ||
        !answer_amount(answer_get(&sim->tree, balance, "held"), scale, &held) ||
        !answer_amount(answer_get(&sim->tree, balance, "debt"), scale, &debt))
        return;
    if (active - held > 0 && debt > 0)
        trouble(sim, "  available %" PRId64 " and a debt of %" PRId64 " steps", active - held,
                debt);
}

void
compare_balances(struct sim *sim, const struct answer *balances, int member)
{
    if (member < 0)
        return;
    for (int c = 0; c < sim->programme->currency_count; c++) {
        const struct m_currency *currency = &sim->programme->currency[c];
        const struct answer *found = NULL;
        struct m_balance balance;
        for (int i = 0; i < answer_count(balances); i++) {
            const struct answer *item = answer_at(&sim->tree, balances, i);
            if (answer_is(answer_get(&sim->tree, item, "currency"), currency->code))
                found = item;
        }
        model_balance(&sim->model, member, c, &balance);
        if (found == NULL && balance.active == 0 && balance.pending == 0 && balance.debt == 0)
            continue;
        same(sim, currency->code, found, "active", currency->scale, balance.active);
        same(sim, currency->code, found, "pending", currency->scale, balance.pending);
        same(sim, currency->code, found, "held", currency->scale, balance.held);
        same(sim, currency->code, found, "debt", currency->scale, balance.debt);
        owes_nothing_it_has(sim, found, currency->scale);
    }
}

/* The size that a lot was made with; nothing but points given again may add to it. */
static void
same_size(struct sim *sim, const char *where, const struct answer *item, const struct m_lot *lot,
          int scale)
{
    int64_t size = 0;

    if (!lot->regiven)
        same(sim, where, item, "size", scale, lot->size);
    else if (!answer_amount(answer_get(&sim->tree, item, "size"), scale, &size) ||
             size < lot->size || size < lot->left)
        trouble(sim, "  %s: a size of %" PRId64 " with %" PRId64 " left", where, size, lot->left);
}

static void
same_lot(struct sim *sim, const struct answer *item, const struct m_lot *lot, int number)
{
    const struct m_currency *currency = &sim->programme->currency[lot->currency];
    char where[60];

    snprintf(where, sizeof(where), "lot %d", number);
    if (!answer_is(answer_get(&sim->tree, item, "currency"), currency->code) ||
        !answer_is(answer_get(&sim->tree, item, "state"), lot->pending ? "pending" : "active"))
        trouble(sim, "  %s: another currency or state", where);
    same(sim, where, item, "left", currency->scale, lot->left);
    same(sim, where, item, "held", currency->scale, lot->held);
    same_size(sim, where, item, lot, currency->scale);
    same_instant(sim, where, item, "active_from", lot->active_from);
    same_instant(sim, where, item, "expires_at", lot->expires_at);
}

void
compare_balance(struct sim *sim, int member)
{
    const struct m_member *who = &sim->model.member[member];
    const struct answer *root = answer_root(sim), *balance, *lots;
    static int open[100000];
    int count;

    balance = answer_get(&sim->tree, root, "balance");
    compare_balances(sim, answer_get(&sim->tree, balance, "balances"), member);
    same_levels(sim, answer_get(&sim->tree, balance, "levels"), who->level);
    lots = answer_get(&sim->tree, balance, "lots");
    count = model_open_lots(&sim->model, member, open, 100000);
    same_count(sim, "open lots", lots, count);
    for (int i = 0; i < count && i < answer_count(lots); i++)
        same_lot(sim, answer_at(&sim->tree, lots, i), &who->lot[open[i]], i);
}

/* ---- whole answers ---- */

void
compare_purchase(struct sim *sim, const struct deed *deed, const struct m_decision *decision,
                 const struct m_view *view, int receipt)
{
    const struct answer *root = answer_root(sim), *lines;
    const struct m_lot *lots[m_rules_max];

    lines = answer_get(&sim->tree, root, "lines");
    same_count(sim, "lines", lines, decision->line_count);
    for (int i = 0; i < decision->line_count; i++)
        same_line(sim, answer_at(&sim->tree, lines, i), decision, i);
    same_parts(sim, "totals", answer_get(&sim->tree, root, "totals"), &decision->total);
    same_discounts(sim, answer_get(&sim->tree, root, "discounts"), decision);
    for (int e = 0; receipt >= 0 && e < decision->earning_count; e++)
        lots[e] = &sim->model.member[deed->member].lot[sim->model.receipt[receipt].lot[e]];
    same_earned(sim, answer_get(&sim->tree, root, "earned"), decision, receipt >= 0 ? lots : NULL);
    same_redeemed(sim, answer_get(&sim->tree, root, "redeemed"), decision);
    if (deed->kind == DEED_FACT)
        same(sim, "fact", root, "uncovered", sim->programme->money_scale,
             sim->model.receipt[receipt].uncovered);
    if (deed->kind == DEED_RESERVE)
        same_instant(sim, "reserve", root, "valid_until", sim->now + sim->programme->hold_ms);
    if (deed->kind == DEED_QUOTE)
        same_instant(sim, "quote", root, "valid_until", sim->now + sim->programme->quote_ms);
    if (deed->member < 0)
        return;
    same_levels(sim, answer_get(&sim->tree, root, "levels"), view->level);
    compare_balances(sim, answer_get(&sim->tree, root, "balances"), deed->member);
}

/* Sum of `name` over the entries of `list` for one currency. */
static void
same_sum(struct sim *sim, const char *what, const struct answer *list, int c, const char *name,
         int64_t wanted)
{
    const struct m_currency *currency = &sim->programme->currency[c];
    int64_t sum = 0, part;

    for (int i = 0; i < answer_count(list); i++) {
        const struct answer *item = answer_at(&sim->tree, list, i);
        if (!answer_is(answer_get(&sim->tree, item, "currency"), currency->code))
            continue;
        if (!answer_amount(answer_get(&sim->tree, item, name), currency->scale, &part))
            trouble(sim, "  %s %s: not an amount of %s", what, name, currency->code);
        else
            sum += part;
    }
    if (sum != wanted)
        trouble(sim, "  %s %s of %s: server %" PRId64 ", model %" PRId64 " steps", what, name,
                currency->code, sum, wanted);
}

void
compare_return(struct sim *sim, const struct deed *deed, const struct m_returned *returned)
{
    const struct m_receipt *receipt = &sim->model.receipt[deed->receipt];
    const struct answer *root = answer_root(sim), *refund;
    int scale = sim->programme->money_scale;

    refund = answer_get(&sim->tree, root, "refund");
    same(sim, "refund", refund, "money", scale, returned->refund);
    same(sim, "refund", refund, "certificate", scale, returned->certificate);
    same(sim, "refund", refund, "purse", scale, returned->purse);
    same(sim, "return", root, "shortfall", scale, returned->shortfall);
    for (int c = 0; c < sim->programme->currency_count; c++) {
        int64_t revoked = 0, debt = 0;
        for (int e = 0; e < receipt->decision.earning_count; e++)
            if (receipt->decision.earning[e].currency == c) {
                revoked += returned->revoked[e];
                debt += returned->debt[e];
            }
        same_sum(sim, "restored", answer_get(&sim->tree, root, "restored"), c, "points",
                 returned->restored[c]);
        same_sum(sim, "revoked", answer_get(&sim->tree, root, "revoked"), c, "points", revoked);
        same_sum(sim, "revoked", answer_get(&sim->tree, root, "revoked"), c, "debt", debt);
    }
    compare_balances(sim, answer_get(&sim->tree, root, "balances"), receipt->member);
}

void
compare_event(struct sim *sim, const struct deed *deed, const struct m_decision *decision)
{
    const struct answer *root = answer_root(sim);

    same_earned(sim, answer_get(&sim->tree, root, "earned"), decision, NULL);
    compare_balances(sim, answer_get(&sim->tree, root, "balances"), deed->member);
}
