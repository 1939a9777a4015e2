/*
 * workload.c - what the actors think of: baskets, payments, returns, openings, events.
 *
 * Owns:      the shape of the load: mostly sensible, sometimes too much, too late or twice.
 * Must not:  look at answers.
 */
#include "deed.h"

#include <inttypes.h>
#include <string.h>

static const char *const outlets[] = { "o1", "o2", "o3" };
static const char *const tills[] = { "t1", "t2" };

void new_key(struct sim *sim, struct m_event *event)
{
    event->outlet = outlets[chance(sim, 3)];
    event->till = tills[chance(sim, 2)];
    event->period = sim->now / M_DAY;
    event->occurred_at = sim->now;
    snprintf(event->number, sizeof(event->number), "n%d", sim->serial++);
}

int some_member(struct sim *sim)
{
    int tries = 20;

    while (tries-- > 0) {
        int member = (int)chance(sim, sim->model.member_count);
        if (!sim->person[member].twin)
            return member;
    }
    return 0;
}

/* ---- baskets ---- */

struct article {
    const char *article, *category, *brand;
    bool service;
};
static const struct article articles[] = {
    { "tea", "food", "", false },       { "bread", "food", "y", false },
    { "cup", "dishes", "x", false },    { "bear", "toys", "x", false },
    { "ball", "toys", "y", false },     { "petrol", "fuel", "", false },
    { "smokes", "tobacco", "z", false }, { "pen", "", "x", false },
    { "delivery", "", "", true },
};
enum { article_count = sizeof(articles) / sizeof(articles[0]) };

static int64_t some_price(struct sim *sim)
{
    int64_t fine = m_pow10(6 - sim->programme->money_scale);
    int64_t price = sim->programme->price_unit * INT64_C(10000) * (1 + chance(sim, 300));

    if (chance_percent(sim, 3))
        return 0;
    if (chance_percent(sim, 88)) {
        price -= price % fine;
        if (chance_percent(sim, 50))
            price += chance(sim, 100) * fine;
        return price;
    }
    return price + chance(sim, 1000000);
}

static void invent_line(struct sim *sim, struct m_line *line)
{
    static const char *const tags[] = { "", "", "sale", "hot", "last" };
    const struct article *article = &articles[chance(sim, article_count)];
    int64_t unit = m_pow10(9 - sim->programme->money_scale);

    *line = (struct m_line){
        .article = article->article,
        .category = article->category,
        .brand = article->brand,
        .tag = tags[chance(sim, 5)],
        .service = article->service,
        .discounted = chance_percent(sim, 10),
        .express = sim->programme->has_express && chance_percent(sim, 30),
        .quantity = 1000 * (1 + chance(sim, chance_percent(sim, 60) ? 2 : 6)),
        .price = some_price(sim),
    };
    if (chance_percent(sim, 15))
        line->quantity = 1 + chance(sim, 4000);
    if (chance_percent(sim, 10)) {
        line->has_gross = true;
        line->gross = (int64_t)((m_wide)line->price * line->quantity / unit);
        line->gross += chance_percent(sim, 50) ? chance(sim, 3) : 0;
    }
    if (chance_percent(sim, 15)) {
        line->minimum_price = chance(sim, line->price + line->price / 10 + 1);
        line->minimum_price -= line->minimum_price % 1000;
    }
}

/* ---- paying ---- */

static int64_t gross_of(const struct m_event *event)
{
    int64_t sum = 0;

    for (int i = 0; i < event->line_count; i++)
        sum += event->line[i].gross;
    return sum;
}

static void invent_payment(struct sim *sim, struct m_event *event, bool purse)
{
    int64_t most = gross_of(event) * 2 / 5 + 1;

    if (chance_percent(sim, 4))
        most *= 4;
    event->payment[event->payment_count++] =
        (struct m_payment){ .purse = purse, .money = 1 + chance(sim, most) };
}

/* A wish: a part of what there is or of what the receipt is worth; mostly in whole steps. */
static void invent_redeem(struct sim *sim, const struct deed *deed, struct m_event *event,
                          int currency)
{
    const struct m_currency *terms = &sim->programme->currency[currency];
    struct m_redeem *redeem = &event->redeem[event->redeem_count++];
    int64_t worth = terms->worth_e6 != 0 ? terms->worth_e6 : 1000000;
    int64_t most = (int64_t)((m_wide)gross_of(event) * m_pow10(terms->scale) * 1000000 / worth /
                             m_pow10(sim->programme->money_scale));
    struct m_balance balance = { 0 };

    *redeem = (struct m_redeem){ .currency = currency, .max = chance_percent(sim, 35) };
    if (deed->member >= 0)
        model_balance(&sim->model, deed->member, currency, &balance);
    if (most > balance.active && chance_percent(sim, 70))
        most = balance.active;
    redeem->points = chance(sim, most / (chance_percent(sim, 60) ? 3 : 1) + 2);
    if (terms->may_pay && chance_percent(sim, 92)) {
        redeem->points -= redeem->points % terms->step;
        while (redeem->points > 0 && m_worth(sim->programme, currency, redeem->points) < 0)
            redeem->points -= terms->step;
    }
    if (redeem->max)
        redeem->points = 0;
}

static void invent_payments(struct sim *sim, struct deed *deed)
{
    struct m_event *event = &deed->event;
    int count = sim->programme->currency_count;

    if (chance_percent(sim, 12))
        invent_payment(sim, event, false);
    if (chance_percent(sim, 2))
        invent_payment(sim, event, false);
    if (chance_percent(sim, deed->member >= 0 ? 40 : 3)) {
        int first = (int)chance(sim, count);
        invent_redeem(sim, deed, event, first);
        if (count > 1 && chance_percent(sim, 25))
            invent_redeem(sim, deed, event, 1 - first);
    }
    if (chance_percent(sim, 8))
        invent_payment(sim, event, true);
}

/* A printed receipt cannot have paid with more points than there was to pay. */
static void make_possible(struct sim *sim, struct deed *deed)
{
    struct m_event *event = &deed->event;
    struct m_view view = { .known = deed->member >= 0 };
    struct m_decision decision;
    struct m_event plain = *event;

    if (deed->member < 0 || event->redeem_count > 1)
        event->redeem_count = event->redeem_count > 0 && deed->member >= 0 ? 1 : 0;
    event->payment_count = 0;
    plain.redeem_count = plain.payment_count = 0;
    if (event->redeem_count == 0)
        return;
    struct m_redeem *redeem = &event->redeem[0];
    const struct m_currency *terms = &sim->programme->currency[redeem->currency];
    redeem->max = false;
    event->confirmed = true;
    if (deed->member >= 0)
        model_view(&sim->model, deed->member, sim->now, &view);
    m_decide(model_in_force(&sim->model, plain.occurred_at), &plain, &view, M_ORDINARY, &decision);
    int64_t due = 0;
    for (int i = 0; i < decision.line_count; i++) {
        struct m_look look = { .programme = sim->programme, .event = event, .view = &view };
        if (terms->pays_for == NULL || terms->pays_for(&look, i))
            due += decision.line[i].money;
    }
    due = chance(sim, due * 3 / 4 + 1);
    redeem->points = terms->worth_e6 == 0 ? 0
                                          : (int64_t)((m_wide)due * m_pow10(terms->scale) *
                                                      1000000 / terms->worth_e6 /
                                                      m_pow10(sim->programme->money_scale));
    redeem->points -= terms->may_pay ? redeem->points % terms->step : 0;
    while (redeem->points > 0 && m_worth(sim->programme, redeem->currency, redeem->points) < 0)
        redeem->points -= terms->step;
    if (!terms->may_pay)
        event->redeem_count = 0;
}

/* ---- whole deeds ---- */

static void invent_circumstances(struct sim *sim, struct m_event *event)
{
    static const char *const bins[] = { "", "400000", "510000", "220000" };

    event->channel = chance_percent(sim, 40) ? "web" : "";
    event->region = "";
    event->tender = chance_percent(sim, 50) ? "card" : "cash";
    event->bin = bins[chance(sim, 4)];
    event->code = chance_percent(sim, 15) ? "MAY" : "";
    event->for_business = chance_percent(sim, 5);
    event->confirmed = chance_percent(sim, 88);
    event->steps = -1;
}

void invent_purchase(struct sim *sim, enum deed_kind kind, struct deed *deed)
{
    struct m_event *event = &deed->event;

    *deed = (struct deed){ .kind = kind, .member = -1 };
    if (!chance_percent(sim, 10))
        deed->member = some_member(sim);
    deed->naming = chance_percent(sim, 1) ? BY_UNKNOWN_CARD : (enum naming)chance(sim, 3);
    event->kind = "purchase";
    new_key(sim, event);
    invent_circumstances(sim, event);
    if (chance_percent(sim, 4))
        event->occurred_at -= chance(sim, (sim->programme->late_days + 3) * M_DAY);
    else if (chance_percent(sim, 20))
        event->occurred_at -= chance(sim, 600000);
    else if (chance_percent(sim, 1))
        event->occurred_at += M_DAY + chance(sim, M_DAY);
    event->line_count = 1 + (int)chance(sim, chance_percent(sim, 70) ? 3 : m_lines_max);
    for (int i = 0; i < event->line_count; i++)
        invent_line(sim, &event->line[i]);
    m_normalise(sim->programme, event);
    invent_payments(sim, deed);
    if (kind == DEED_FACT)
        make_possible(sim, deed);
}

bool invent_return(struct sim *sim, struct deed *deed)
{
    int count = sim->model.receipt_count, back = count < 40 ? count : 40;
    struct m_receipt *receipt;

    if (count == 0)
        return false;
    *deed = (struct deed){ .kind = DEED_RETURN };
    deed->receipt = (int)(chance_percent(sim, 80) ? count - 1 - chance(sim, back)
                                                  : chance(sim, count));
    receipt = &sim->model.receipt[deed->receipt];
    deed->member = receipt->member;
    new_key(sim, &deed->event);
    deed->whole = chance_percent(sim, 20);
    bool any = false;
    for (int i = 0; i < receipt->event.line_count; i++) {
        int64_t left = receipt->event.line[i].quantity - receipt->quantity[i];
        if (chance_percent(sim, 45))
            continue;
        deed->quantity[i] = chance(sim, left + 1);
        if (left % 1000 == 0 && chance_percent(sim, 80))
            deed->quantity[i] = (deed->quantity[i] + 999) / 1000 * 1000;
        if (chance_percent(sim, 2))
            deed->quantity[i] = left + 1 + chance(sim, 1000);
        any = any || deed->quantity[i] > 0;
    }
    deed->whole = deed->whole || !any;
    return true;
}

void invent_opening(struct sim *sim, struct deed *deed)
{
    *deed = (struct deed){ .kind = DEED_OPENING, .member = some_member(sim) };
    deed->naming = (enum naming)chance(sim, 3);
    deed->currency = (int)chance(sim, sim->programme->currency_count);
    deed->points = 1 + chance(sim, sim->programme->price_unit *
                                       m_pow10(sim->programme->currency[deed->currency].scale));
    if (chance_percent(sim, 40))
        deed->at = sim->now - chance(sim, 40 * M_DAY);
    snprintf(deed->key, sizeof(deed->key), "open-%d", sim->serial++);
}

bool invent_event(struct sim *sim, struct deed *deed)
{
    if (sim->programme->event_kind == NULL)
        return false;
    *deed = (struct deed){ .kind = DEED_EVENT, .member = some_member(sim) };
    deed->naming = (enum naming)chance(sim, 3);
    invent_circumstances(sim, &deed->event);
    deed->event.kind = sim->programme->event_kind;
    deed->event.code = deed->event.channel = "";
    deed->event.occurred_at = sim->now - chance(sim, 100000);
    if (sim->programme->has_steps && chance_percent(sim, 80))
        deed->event.steps = chance(sim, 10000) * 1000000;
    snprintf(deed->key, sizeof(deed->key), "event-%d", sim->serial++);
    return true;
}
