/*
 * programmes.c - the simulated programmes as C, written by hand beside the documents in
 *                tests/sim/programmes/.
 *
 * Owns:      five programmes that between them use every setting, and the worked example of
 *            SYSTEMS.
 * Must not:  read the JSON: that the two say the same is what the simulation finds out.
 */
#include "model.h"

#include <string.h>

#define LOOK const struct m_look *look
#define AT const struct m_look *look, int line

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static const struct m_line *the(const struct m_look *look, int line)
{
    return &look->event->line[line];
}

static bool is_goods(AT)
{
    return !the(look, line)->service;
}

static bool is_full_price(AT)
{
    return !look->discounted[line];
}

static bool is_full_price_goods(AT)
{
    return is_full_price(look, line) && is_goods(look, line);
}

static bool is_brand_x(AT)
{
    return is(the(look, line)->brand, "x");
}

/* Lines of which something is kept. */
static int line_count(LOOK)
{
    int count = 0;

    for (int i = 0; i < look->event->line_count; i++)
        count += look->event->line[i].quantity > 0;
    return count;
}

static bool odd_lines(LOOK)
{
    return line_count(look) % 2 == 1;
}

static int local(const struct m_look *look, char what)
{
    int64_t at = look->event->occurred_at, day;
    int year, month, of_month;

    day = m_local_day(look->programme->zone, at);
    m_civil(day, &year, &month, &of_month);
    switch (what) {
    case 'h':
        return (int)(m_local_ms(look->programme->zone, at) / M_HOUR);
    case 'w':
        return (int)((day + 3) % 7) + 1;
    case 'd':
        return of_month;
    default:
        return month;
    }
}

#define RULE(number) { .rule = (number) }
#define GROUP(name, op, prio, ...)                                                                 \
    { .rule = -1, .code = (name), .priority = (prio), .operator = (op),                            \
      .count = sizeof((const struct m_node *[]){ __VA_ARGS__ }) / sizeof(void *),                  \
      .child = { __VA_ARGS__ } }

static const struct m_node rule_node[m_rules_max] = {
    RULE(0), RULE(1), RULE(2),  RULE(3),  RULE(4),  RULE(5),
    RULE(6), RULE(7), RULE(8),  RULE(9),  RULE(10), RULE(11),
    RULE(12),
};
#define R(number) &rule_node[number]
#define PERCENT(whole, millionths) ((whole) * INT64_C(1000000) + (millionths))

/* ---- market ---- */

static bool market_toys(AT)
{
    return is(the(look, line)->category, "toys");
}
static bool market_three(AT)
{
    return the(look, line)->quantity >= 3000;
}
static bool is_tea(AT)
{
    return is(the(look, line)->article, "tea");
}
static bool market_vip(LOOK)
{
    return look->view->known && look->view->level[0] >= 2;
}
static bool market_over_1000(LOOK)
{
    return look->after_lines >= 100000;
}
static bool market_code(LOOK)
{
    return is(look->event->code, "MAY") && look->base >= 50000;
}
static bool market_base_1(LOOK)
{
    return look->view->known && look->view->level[0] <= 1 && !look->event->for_business;
}
static bool market_base_2(LOOK)
{
    return market_vip(look) && !look->event->for_business;
}
static bool market_first(LOOK)
{
    return look->view->known && look->view->counter[0] == 0 && look->base >= 30000;
}
static bool market_200(LOOK)
{
    return look->money >= 20000;
}
static bool market_net_1500(LOOK)
{
    return look->view->known && look->net >= 150000;
}
static bool is_express(AT)
{
    return the(look, line)->express;
}

static const struct m_node market_pile = GROUP("pile", M_MULTIPLY, 0, R(1), R(3));
static const struct m_node market_line = GROUP("", M_MAX, 0, R(0), R(2), &market_pile);
static const struct m_node market_receipt = GROUP("", M_SUM, 0, R(4), R(5));
static const struct m_node market_rate = GROUP("rate", M_MAX, 0, R(6), R(7), R(11));
static const struct m_node market_earn =
    GROUP("", M_SUM, 0, &market_rate, R(8), R(9), R(10));

/* 2026-02-01 and 2026-09-01, Moscow's midnights. */
#define FEBRUARY INT64_C(1769893200000)
#define SEPTEMBER INT64_C(1788210000000)

static const struct m_programme market = {
    .id = "market",
    .file = "market.json",
    .zone = M_MOSCOW,
    .money_scale = 2,
    .currency_count = 1,
    .currency = { {
        .code = "bonus", .scale = 2, .worth_e6 = 1000000,
        .has_pending = true, .pending = { .days = 14 },
        .expiry = M_EXPIRY_PERIOD, .expiry_period = { .months = 6 },
        .may_pay = true, .max_percent = PERCENT(50, 0), .pays_for = is_goods, .money_min = 100,
        .step = 1, .confirm = true,
    } },
    .counter_count = 1,
    .counter = { { .code = "turnover", .source = M_SUM_MONEY, .period = M_EVER } },
    .ladder_count = 1,
    .ladder = { { .code = "level", .counter = 0, .level_count = 3, .level = { "1", "2", "3" },
                  .from = { 0, 3000000, 9000000 } } },
    .rule_count = 12,
    .rule = {
        { .code = "autumn", .scope = M_LINE, .priority = 5, .valid_from = FEBRUARY,
          .valid_until = SEPTEMBER, .lines = market_toys, .kind = M_PERCENT,
          .value = PERCENT(10, 0) },
        { .code = "bulk", .scope = M_LINE, .priority = 2, .lines = market_three, .kind = M_AMOUNT,
          .value = 1500, .per = M_PER_PIECE },
        { .code = "fixed-tea", .scope = M_LINE, .lines = is_tea, .kind = M_FIXED_PRICE,
          .value = 9990, .per = M_PER_PIECE },
        { .code = "vip-five", .scope = M_LINE, .when = market_vip, .lines = is_goods,
          .kind = M_PERCENT, .value = PERCENT(5, 500000) },
        { .code = "over-1000", .scope = M_RECEIPT, .when = market_over_1000, .lines = is_goods,
          .kind = M_PERCENT, .value = PERCENT(3, 0), .per = M_PER_RECEIPT },
        { .code = "code-200", .scope = M_RECEIPT, .when = market_code, .kind = M_AMOUNT,
          .value = 20000, .per = M_PER_RECEIPT },
        { .code = "base-1", .scope = M_EARN, .when = market_base_1, .lines = is_full_price_goods,
          .kind = M_PERCENT, .value = PERCENT(3, 0) },
        { .code = "base-2", .scope = M_EARN, .when = market_base_2, .lines = is_full_price_goods,
          .kind = M_PERCENT, .value = PERCENT(5, 0) },
        { .code = "fixed-first", .scope = M_EARN, .when = market_first, .kind = M_FIXED,
          .value = 5000 },
        { .code = "express", .scope = M_EARN, .when = market_200, .lines = is_express,
          .kind = M_PER_AMOUNT, .value = 5000, .points = 150, .of = M_OF_NET },
        { .code = "odd", .scope = M_EARN, .when = odd_lines, .kind = M_FIXED, .value = 2500 },
        { .code = "large", .scope = M_EARN, .when = market_net_1500, .lines = is_goods,
          .kind = M_PERCENT, .value = PERCENT(6, 0) },
    },
    .line_tree = &market_line,
    .receipt_tree = &market_receipt,
    .earn_tree = &market_earn,
    .rounding = M_HALF_UP,
    .quantum = 1,
    .spreading = M_LARGEST_REMAINDER,
    .hold_ms = 15 * 60000,
    .quote_ms = 15 * 60000,
    .late_days = 60,
    .has_express = true,
    .price_unit = 300,
};

/* ---- chain ---- */

static bool chain_sale(AT)
{
    return is(the(look, line)->tag, "sale") || is(the(look, line)->tag, "last");
}
static bool chain_silver(LOOK)
{
    return look->view->known && look->view->level[0] >= 1;
}
static bool chain_over_4(AT)
{
    return the(look, line)->gross > 400;
}
static bool chain_gold(LOOK)
{
    return look->view->known && look->view->level[0] == 2;
}
static bool chain_big(LOOK)
{
    return look->base > 12000;
}
static bool chain_roll(LOOK)
{
    return look->view->known && look->view->counter[1] >= 30000;
}
static bool chain_weekend(LOOK)
{
    return local(look, 'w') >= 6;
}
static bool chain_club(LOOK)
{
    return look->view->known && look->view->level[1] >= 1;
}
static bool chain_no_tobacco(AT)
{
    return !is(the(look, line)->category, "tobacco");
}
static bool chain_morning(LOOK)
{
    return look->view->known && local(look, 'h') < 9;
}

static const struct m_node chain_line = GROUP("", M_SUM, 0, R(0), R(1), R(2));
static const struct m_node chain_receipt = GROUP("", M_FIRST, 0, R(3), R(4), R(5));
static const struct m_node chain_best = GROUP("best", M_MAX, 0, R(6), R(7));
static const struct m_node chain_earn = GROUP("", M_SUM, 0, &chain_best, R(8), R(9), R(10));

static const struct m_programme chain = {
    .id = "chain",
    .file = "chain.json",
    .zone = M_LONDON,
    .money_scale = 2,
    .currency_count = 2,
    .currency = {
        { .code = "point", .scale = 0, .worth_e6 = 50000, .expiry = M_EXPIRY_PERIOD_END,
          .expiry_period = { .months = 2 }, .expiry_round = M_QUARTER, .expiry_following = 1,
          .debt_refused = true, .grace_days = 7, .may_pay = true, .max_percent = PERCENT(30, 0),
          .money_min = 500, .step = 10 },
        { .code = "coin", .scale = 1, .worth_e6 = 1000000, .has_pending = true,
          .pending = { .ms = 36 * M_HOUR }, .expiry = M_EXPIRY_PERIOD,
          .expiry_period = { .days = 45 }, .may_pay = true, .max_percent = PERCENT(100, 0),
          .step = 5 },
    },
    .counter_count = 3,
    .counter = {
        { .code = "year-gross", .source = M_SUM_GROSS, .period = M_YEAR },
        { .code = "roll", .source = M_SUM_NET, .rolling_days = 30 },
        { .code = "visits", .source = M_COUNT, .period = M_MONTH },
    },
    .ladder_count = 2,
    .ladder = {
        { .code = "tier", .counter = 0, .downgrade = true, .level_count = 2,
          .level = { "silver", "gold" }, .from = { 200000, 800000 } },
        { .code = "club", .counter = 2, .downgrade = true, .level_count = 2,
          .level = { "a", "b" }, .from = { 3, 8 } },
    },
    .rule_count = 11,
    .rule = {
        { .code = "brand-x", .scope = M_LINE, .lines = is_brand_x, .kind = M_PERCENT,
          .value = PERCENT(7, 0), .per = M_PER_PIECE, .has_rounding = true, .rounding = M_UP },
        { .code = "tag-sale", .scope = M_LINE, .lines = chain_sale, .kind = M_PERCENT,
          .value = PERCENT(12, 500000), .has_rounding = true, .rounding = M_DOWN, .quantum = 10 },
        { .code = "silver-one", .scope = M_LINE, .priority = 10, .when = chain_silver,
          .lines = chain_over_4, .kind = M_AMOUNT, .value = 100 },
        { .code = "gold-10", .scope = M_RECEIPT, .priority = 3, .when = chain_gold,
          .kind = M_PERCENT, .value = PERCENT(10, 0), .per = M_PER_RECEIPT },
        { .code = "big", .scope = M_RECEIPT, .priority = 2, .when = chain_big, .kind = M_AMOUNT,
          .value = 1234, .per = M_PER_RECEIPT },
        { .code = "roll", .scope = M_RECEIPT, .when = chain_roll, .kind = M_PERCENT,
          .value = PERCENT(2, 0), .per = M_PER_RECEIPT },
        { .code = "one", .scope = M_EARN, .kind = M_PERCENT, .value = PERCENT(10, 0),
          .of = M_OF_NET },
        { .code = "two", .scope = M_EARN, .when = chain_weekend, .kind = M_PER_AMOUNT,
          .value = 2000, .points = 3, .of = M_OF_GROSS },
        { .code = "coins", .scope = M_EARN, .when = chain_club, .lines = chain_no_tobacco,
          .kind = M_PERCENT, .value = PERCENT(1, 750000), .per = M_PER_LINE,
          .has_rounding = true, .rounding = M_HALF_UP, .quantum = 1, .currency = 1 },
        { .code = "morning", .scope = M_EARN, .when = chain_morning, .kind = M_FIXED, .value = 5,
          .currency = 1 },
        { .code = "visit", .on = "visit", .scope = M_EARN, .kind = M_FIXED, .value = 2 },
    },
    .line_tree = &chain_line,
    .receipt_tree = &chain_receipt,
    .earn_tree = &chain_earn,
    .rounding = M_HALF_EVEN,
    .quantum = 1,
    .spreading = M_FLOOR_FIRST,
    .receipt_quantum = 5,
    .trace = true,
    .return_days = 45,
    .hold_ms = M_HOUR,
    .quote_ms = 15 * 60000,
    .late_days = 20,
    .event_kind = "visit",
    .price_unit = 12,
};

/* ---- air ---- */

static bool air_toys_food(AT)
{
    return market_toys(look, line) || is(the(look, line)->category, "food");
}
static bool is_web(LOOK)
{
    return is(look->event->channel, "web");
}
static bool air_dear(AT)
{
    return the(look, line)->price >= INT64_C(5000) * 1000000;
}
static bool air_elite(LOOK)
{
    return look->view->known && look->view->level[0] == 2;
}
static bool air_three_lines(LOOK)
{
    return line_count(look) >= 3;
}
static bool air_over_100(AT)
{
    return look->line_net[line] > 100;
}
static bool air_bank(LOOK)
{
    return is(look->event->tender, "card") &&
           (is(look->event->bin, "400000") || is(look->event->bin, "510000"));
}
static bool air_start(LOOK)
{
    enum m_zone zone = look->programme->zone;

    return look->view->known && m_local_day(zone, look->event->occurred_at) -
                                        m_local_day(zone, look->view->enrolled_at) <= 3;
}
static bool air_voucher_web(LOOK)
{
    return is_web(look) && look->view->known && look->view->counter[1] < 90000;
}
static bool air_big(LOOK)
{
    return look->net >= 9000;
}
static bool air_walk(LOOK)
{
    return look->event->steps >= INT64_C(5000) * 1000000;
}
static bool air_not_fuel(AT)
{
    return !is(the(look, line)->category, "fuel") && !is(the(look, line)->category, "");
}

static const struct m_node air_line = GROUP("", M_MIN, 0, R(0), R(1), R(2));
static const struct m_node air_both = GROUP("both", M_SUM, 4, R(3), R(4));
static const struct m_node air_receipt = GROUP("", M_MAX, 0, R(5), &air_both);
static const struct m_node air_vouchers = GROUP("v", M_FIRST, 0, R(9), R(10), R(12));
static const struct m_node air_earn =
    GROUP("", M_SUM, 0, R(6), R(7), R(8), R(11), &air_vouchers);

static const struct m_programme air = {
    .id = "air",
    .file = "air.json",
    .zone = M_CAIRO,
    .money_scale = 0,
    .currency_count = 2,
    .currency = {
        { .code = "mile", .scale = 0, .has_pending = true, .pending = { .months = 1 } },
        { .code = "voucher", .scale = 2, .worth_e6 = 1000000, .expiry = M_EXPIRY_PERIOD_END,
          .expiry_period = { .months = 1 }, .expiry_round = M_MONTH, .debt_refused = true,
          .grace_days = 3, .may_pay = true, .max_percent = PERCENT(80, 0),
          .pays_for = air_not_fuel, .step = 1 },
    },
    .counter_count = 2,
    .counter = {
        { .code = "flights", .source = M_COUNT, .period = M_QUARTER },
        { .code = "spend", .source = M_SUM_MONEY, .period = M_WEEK },
    },
    .ladder_count = 1,
    .ladder = { { .code = "status", .counter = 0, .level_count = 2,
                  .level = { "basic", "elite" }, .from = { 0, 12 } } },
    .rule_count = 13,
    .rule = {
        { .code = "a4", .scope = M_LINE, .lines = air_toys_food, .kind = M_PERCENT,
          .value = PERCENT(4, 0) },
        { .code = "b9", .scope = M_LINE, .when = is_web, .kind = M_PERCENT,
          .value = PERCENT(9, 0) },
        { .code = "c300", .scope = M_LINE, .lines = air_dear, .kind = M_AMOUNT, .value = 300 },
        { .code = "r1", .scope = M_RECEIPT, .when = air_elite, .kind = M_PERCENT,
          .value = PERCENT(2, 250000), .per = M_PER_RECEIPT },
        { .code = "r2", .scope = M_RECEIPT, .when = air_three_lines, .lines = air_over_100,
          .kind = M_AMOUNT, .value = 500, .per = M_PER_RECEIPT },
        { .code = "r3", .scope = M_RECEIPT, .when = air_bank, .kind = M_PERCENT,
          .value = PERCENT(6, 0), .per = M_PER_RECEIPT },
        { .code = "dist", .scope = M_EARN, .kind = M_PER_AMOUNT, .value = 100, .points = 3,
          .of = M_OF_GROSS },
        { .code = "elite-bonus", .scope = M_EARN, .when = air_elite, .kind = M_PERCENT,
          .value = PERCENT(25, 0), .per = M_PER_LINE, .has_rounding = true, .rounding = M_UP,
          .of = M_OF_NET },
        { .code = "start", .scope = M_EARN, .when = air_start, .kind = M_FIXED, .value = 500 },
        { .code = "v-web", .scope = M_EARN, .priority = 1, .when = air_voucher_web,
          .kind = M_PERCENT, .value = PERCENT(5, 0), .has_rounding = true,
          .rounding = M_HALF_EVEN, .quantum = 25, .currency = 1, .of = M_OF_NET },
        { .code = "v-all", .scope = M_EARN, .kind = M_PERCENT, .value = PERCENT(2, 500000),
          .has_rounding = true, .rounding = M_HALF_DOWN, .quantum = 50, .currency = 1 },
        { .code = "walk", .on = "walk", .scope = M_EARN, .when = air_walk, .kind = M_FIXED,
          .value = 10 },
        { .code = "v-big", .scope = M_EARN, .priority = 2, .when = air_big, .kind = M_PERCENT,
          .value = PERCENT(8, 0), .currency = 1 },
    },
    .line_tree = &air_line,
    .receipt_tree = &air_receipt,
    .earn_tree = &air_earn,
    .rounding = M_DOWN,
    .quantum = 1,
    .spreading = M_LAST_REST,
    .hold_ms = 30 * 60000,
    .quote_ms = 15 * 60000,
    .late_days = 40,
    .event_kind = "walk",
    .has_steps = true,
    .price_unit = 2500,
};

/* ---- club ---- */

static bool is_hot(AT)
{
    return is(the(look, line)->tag, "hot");
}
static bool is_not_hot(AT)
{
    return !is(the(look, line)->tag, "hot");
}
static bool club_third(AT)
{
    return the(look, line)->express &&
           (is_brand_x(look, line) || !is(the(look, line)->category, "food"));
}
static bool club_place(LOOK)
{
    return is(look->event->outlet, "o2") || (!is(look->event->till, "t1") && !look->view->known);
}
static bool club_tea_cup(AT)
{
    return is_tea(look, line) || is(the(look, line)->article, "cup");
}
static bool club_five(LOOK)
{
    return look->view->known && look->view->level[0] >= 2 && look->view->counter[1] < 50000;
}
static bool club_money_off(LOOK)
{
    return look->after_lines >= 40000 && look->event->code[0] != 0;
}
static bool club_half(LOOK)
{
    return look->view->known && look->view->counter[0] > 500000;
}
static bool club_net_25(LOOK)
{
    return look->net >= 25000;
}
static bool club_rank(LOOK)
{
    return look->view->known && (look->view->level[0] == 1 || look->view->level[0] == 3);
}
static bool club_certificate(LOOK)
{
    return look->certificate > 0;
}

static const struct m_node club_line = GROUP("", M_MULTIPLY, 0, R(0), R(1), R(2));
static const struct m_node club_receipt = GROUP("", M_MULTIPLY, 0, R(3), R(4), R(5));
static const struct m_node club_other = GROUP("other", M_SUM, 0, R(7), R(8));
static const struct m_node club_stars = GROUP("stars", M_MAX, 0, R(6), &club_other);
static const struct m_node club_earn =
    GROUP("", M_SUM, 0, &club_stars, R(9), R(10), R(11));

static const struct m_programme club = {
    .id = "club",
    .file = "club.json",
    .zone = M_NEW_YORK,
    .money_scale = 3,
    .currency_count = 2,
    .currency = {
        { .code = "star", .scale = 2, .worth_e6 = 50000, .expiry = M_EXPIRY_PERIOD,
          .expiry_period = { .ms = 700 * M_HOUR }, .grace_days = 30, .may_pay = true,
          .max_percent = PERCENT(25, 0), .step = 10 },
        { .code = "gem", .scale = 6, .worth_e6 = 12500000, .has_pending = true,
          .pending = { .days = 3 }, .expiry = M_EXPIRY_PERIOD, .expiry_period = { .months = 12 },
          .debt_refused = true, .may_pay = true, .max_percent = PERCENT(90, 0),
          .pays_for = is_not_hot, .money_min = 500, .step = 1, .confirm = true },
    },
    .counter_count = 3,
    .counter = {
        { .code = "half", .source = M_SUM_GROSS, .period = M_HALF_YEAR },
        { .code = "today", .source = M_SUM_NET, .period = M_PER_DAY },
        { .code = "life", .source = M_SUM_MONEY, .period = M_EVER },
    },
    .ladder_count = 1,
    .ladder = { { .code = "rank", .counter = 2, .downgrade = true, .level_count = 3,
                  .level = { "r1", "r2", "r3" }, .from = { 100000, 1000000, 6000000 } } },
    .rule_count = 12,
    .rule = {
        { .code = "hot", .scope = M_LINE, .priority = 9, .lines = is_hot, .kind = M_PERCENT,
          .value = PERCENT(10, 0), .per = M_PER_PIECE },
        { .code = "third", .scope = M_LINE, .lines = club_third, .kind = M_PERCENT,
          .value = PERCENT(33, 333333) },
        { .code = "line-5", .scope = M_LINE, .when = club_place, .lines = club_tea_cup,
          .kind = M_FIXED_PRICE, .value = 5000 },
        { .code = "five", .scope = M_RECEIPT, .priority = 2, .when = club_five,
          .kind = M_PERCENT, .value = PERCENT(5, 0), .per = M_PER_RECEIPT },
        { .code = "money-off", .scope = M_RECEIPT, .when = club_money_off,
          .lines = is_full_price, .kind = M_AMOUNT, .value = 2505, .per = M_PER_RECEIPT },
        { .code = "one-off", .scope = M_RECEIPT, .priority = -1, .when = club_half,
          .kind = M_PERCENT, .value = PERCENT(1, 0), .per = M_PER_RECEIPT,
          .has_rounding = true, .rounding = M_HALF_EVEN, .quantum = 10 },
        { .code = "star-2", .scope = M_EARN, .lines = is_goods, .kind = M_PERCENT,
          .value = PERCENT(60, 0) },
        { .code = "star-net", .scope = M_EARN, .when = club_net_25, .lines = is_brand_x,
          .kind = M_PER_AMOUNT, .value = 2500, .points = 475, .of = M_OF_NET },
        { .code = "star-rank", .scope = M_EARN, .priority = 1, .when = club_rank,
          .kind = M_PERCENT, .value = PERCENT(7, 500000), .has_rounding = true,
          .rounding = M_UP, .quantum = 5, .of = M_OF_GROSS },
        { .code = "gems", .scope = M_EARN, .kind = M_PERCENT, .value = PERCENT(0, 123456),
          .currency = 1, .of = M_OF_GROSS },
        { .code = "certificate", .scope = M_EARN, .when = club_certificate, .kind = M_FIXED,
          .value = 500, .currency = 1 },
        { .code = "odd", .scope = M_EARN, .when = odd_lines, .kind = M_FIXED, .value = 1500 },
    },
    .line_tree = &club_line,
    .receipt_tree = &club_receipt,
    .earn_tree = &club_earn,
    .rounding = M_HALF_DOWN,
    .quantum = 1,
    .spreading = M_LARGEST_REMAINDER,
    .hold_ms = 2 * M_HOUR,
    .quote_ms = 15 * 60000,
    .late_days = 30,
    .has_express = true,
    .price_unit = 7,
};

/* ---- short ---- */

static bool short_full_price(AT)
{
    const char *category = the(look, line)->category;

    /* Of a line without a category no test holds. */
    return is_full_price(look, line) && !is(category, "") && !is(category, "food") &&
           !is(category, "fuel");
}
static bool short_cup(AT)
{
    return is(the(look, line)->article, "cup");
}
static bool short_food(AT)
{
    return is(the(look, line)->category, "food");
}
static bool short_g2(LOOK)
{
    return look->view->known && look->view->level[0] >= 3;
}
static bool short_month(LOOK)
{
    return look->view->known && look->view->counter[2] >= 300000 && look->base >= 10000 &&
           look->base < 90000;
}
static bool short_y_toys(AT)
{
    return is(the(look, line)->brand, "y") || market_toys(look, line);
}
static bool short_tenth(LOOK)
{
    return look->view->known && look->view->counter[0] >= 10 && local(look, 'd') <= 15;
}
static bool short_not_march(LOOK)
{
    return local(look, 'm') != 3;
}
static bool short_base_120(LOOK)
{
    return look->base >= 12000;
}
static bool short_g1(LOOK)
{
    return look->view->known && look->view->level[0] >= 2;
}

static const struct m_node short_line = GROUP("", M_FIRST, 0, R(0), R(1), R(2));
static const struct m_node short_receipt = GROUP("", M_SUM, 0, R(3), R(4));
static const struct m_node short_least = GROUP("least", M_MIN, 0, R(6), R(7));
static const struct m_node short_drops = GROUP("rain", M_FIRST, 0, R(5), R(9));
static const struct m_node short_earn = GROUP("", M_SUM, 0, &short_drops, R(8), &short_least);

static const struct m_programme short_lived = {
    .id = "short",
    .file = "short.json",
    .zone = M_UTC,
    .money_scale = 2,
    .currency_count = 2,
    .currency = {
        { .code = "drop", .scale = 1, .worth_e6 = 100000, .expiry = M_EXPIRY_PERIOD,
          .expiry_period = { .days = 10 }, .grace_days = 5, .may_pay = true,
          .max_percent = PERCENT(60, 0), .pays_for = is_goods, .step = 1 },
        { .code = "leaf", .scale = 2, .worth_e6 = 2000000, .has_pending = true,
          .pending = { .days = 1 }, .expiry = M_EXPIRY_PERIOD_END, .expiry_round = M_HALF_YEAR,
          .grace_days = 2, .may_pay = true, .max_percent = PERCENT(100, 0), .money_min = 300,
          .step = 5 },
    },
    .counter_count = 3,
    .counter = {
        { .code = "count", .source = M_COUNT, .period = M_EVER },
        { .code = "roll-7", .source = M_SUM_MONEY, .rolling_days = 7 },
        { .code = "net-month", .source = M_SUM_NET, .period = M_MONTH },
    },
    .ladder_count = 1,
    .ladder = { { .code = "grade", .counter = 1, .downgrade = true, .level_count = 3,
                  .level = { "g0", "g1", "g2" }, .from = { 0, 80000, 400000 } } },
    .rule_count = 10,
    .rule = {
        { .code = "dis", .scope = M_LINE, .lines = short_full_price, .kind = M_PERCENT,
          .value = PERCENT(6, 500000), .has_rounding = true, .rounding = M_UP },
        { .code = "cup", .scope = M_LINE, .priority = 1, .lines = short_cup,
          .kind = M_FIXED_PRICE, .value = 2000, .per = M_PER_PIECE },
        { .code = "kilo", .scope = M_LINE, .lines = short_food, .kind = M_AMOUNT, .value = 333,
          .per = M_PER_PIECE },
        { .code = "g2", .scope = M_RECEIPT, .when = short_g2, .kind = M_PERCENT,
          .value = PERCENT(4, 321000), .per = M_PER_RECEIPT },
        { .code = "month", .scope = M_RECEIPT, .when = short_month, .lines = short_y_toys,
          .kind = M_AMOUNT, .value = 2500, .per = M_PER_RECEIPT },
        { .code = "drops", .scope = M_EARN, .kind = M_PERCENT, .value = PERCENT(30, 0),
          .has_rounding = true, .rounding = M_HALF_DOWN },
        { .code = "tenth", .scope = M_EARN, .when = short_tenth, .lines = is_full_price,
          .kind = M_FIXED, .value = 101, .currency = 1 },
        { .code = "leaves", .scope = M_EARN, .when = short_not_march, .kind = M_PERCENT,
          .value = PERCENT(1, 500000), .has_rounding = true, .rounding = M_HALF_EVEN,
          .quantum = 3, .currency = 1, .of = M_OF_NET },
        { .code = "check-in", .on = "visit", .scope = M_EARN, .when = short_g1, .kind = M_FIXED,
          .value = 75 },
        { .code = "shower", .scope = M_EARN, .priority = 1, .when = short_base_120,
          .kind = M_PERCENT, .value = PERCENT(45, 0) },
    },
    .line_tree = &short_line,
    .receipt_tree = &short_receipt,
    .earn_tree = &short_earn,
    .rounding = M_UP,
    .quantum = 1,
    .spreading = M_LARGEST_REMAINDER,
    .trace = true,
    .hold_ms = 5 * 60000,
    .quote_ms = 15 * 60000,
    .late_days = 25,
    .event_kind = "visit",
    .price_unit = 40,
};

const struct m_programme *m_programme(int number)
{
    static const struct m_programme *const all[m_programme_count] = {
        &market, &chain, &air, &club, &short_lived,
    };

    return all[number];
}

/* ---- the worked example ---- */

static bool awn_plain(LOOK)
{
    return look->view->known && look->event->code[0] == 0 && !look->event->for_business;
}
static bool awn_1(LOOK)
{
    return awn_plain(look) && look->view->level[0] <= 1;
}
static bool awn_2(LOOK)
{
    return awn_plain(look) && look->view->level[0] == 2;
}
static bool awn_3(LOOK)
{
    return awn_plain(look) && look->view->level[0] == 3;
}

static const struct m_node awn_earn = GROUP("", M_MAX, 0, R(0), R(1), R(2));

const struct m_programme *m_programme_awn(void)
{
    static const struct m_programme awn = {
        .id = "awn",
        .zone = M_MOSCOW,
        .money_scale = 2,
        .currency_count = 1,
        .currency = { { .code = "bonus", .scale = 2, .worth_e6 = 1000000, .has_pending = true,
                        .pending = { .days = 14 }, .expiry = M_EXPIRY_PERIOD,
                        .expiry_period = { .months = 12 }, .may_pay = true,
                        .max_percent = PERCENT(50, 0), .pays_for = is_goods, .step = 1,
                        .confirm = true } },
        .counter_count = 1,
        .counter = { { .code = "turnover", .source = M_SUM_MONEY, .period = M_EVER } },
        .ladder_count = 1,
        .ladder = { { .code = "level", .level_count = 3, .level = { "1", "2", "3" },
                      .from = { 0, 3000000, 10000000 } } },
        .rule_count = 3,
        .rule = {
            { .code = "level-1", .scope = M_EARN, .when = awn_1, .lines = is_full_price_goods,
              .kind = M_PERCENT, .value = PERCENT(3, 0) },
            { .code = "level-2", .scope = M_EARN, .when = awn_2, .lines = is_full_price_goods,
              .kind = M_PERCENT, .value = PERCENT(4, 0) },
            { .code = "level-3", .scope = M_EARN, .when = awn_3, .lines = is_full_price_goods,
              .kind = M_PERCENT, .value = PERCENT(5, 0) },
        },
        .earn_tree = &awn_earn,
        .rounding = M_HALF_UP,
        .quantum = 1,
        .spreading = M_LARGEST_REMAINDER,
        .hold_ms = 15 * 60000,
        .quote_ms = 15 * 60000,
        .late_days = 3650,
    };

    return &awn;
}
