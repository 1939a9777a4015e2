/*
 * deed.c - deeds become requests.
 *
 * Owns:      the JSON bodies, and the keys that name operations.
 * Must not:  send a field that says nothing.
 */
#include "deed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- chance ---- */

uint64_t chance_next(struct sim *sim)
{
    uint64_t z = sim->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t chance(struct sim *sim, int64_t below)
{
    return below <= 1 ? 0 : (int64_t)(chance_next(sim) % (uint64_t)below);
}

bool chance_percent(struct sim *sim, int percent)
{
    return chance(sim, 100) < percent;
}

/* ---- text ---- */

void print_amount(char *out, size_t size, int64_t value, int scale)
{
    int64_t one = m_pow10(scale);
    const char *sign = value < 0 ? "-" : "";

    if (value < 0)
        value = -value;
    if (scale == 0)
        snprintf(out, size, "%s%" PRId64, sign, value);
    else
        snprintf(out, size, "%s%" PRId64 ".%0*" PRId64, sign, value / one, scale, value % one);
}

void print_instant(char *out, size_t size, int64_t at)
{
    int64_t day = at / M_DAY, ms = at % M_DAY;
    int year, month, of_month;

    m_civil(day, &year, &month, &of_month);
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, of_month,
             (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
             (int)(ms % 1000));
}

static void put(struct sim *sim, const char *format, ...)
{
    va_list args;

    if (sim->body_cap - sim->body_len < 512) {
        sim->body_cap = 2 * sim->body_cap + 4096;
        sim->body = realloc(sim->body, sim->body_cap);
        if (sim->body == NULL)
            abort();
    }
    va_start(args, format);
    int len = vsnprintf(sim->body + sim->body_len, 512, format, args);
    va_end(args);
    if (len < 0 || len >= 512)
        abort();
    sim->body_len += (size_t)len;
}

static void put_text(struct sim *sim, const char *name, const char *value)
{
    if (value != NULL && value[0] != 0)
        put(sim, ",\"%s\":\"%s\"", name, value);
}

static void put_true(struct sim *sim, const char *name, bool value)
{
    if (value)
        put(sim, ",\"%s\":true", name);
}

static void put_amount(struct sim *sim, const char *name, int64_t value, int scale)
{
    char text[64];

    print_amount(text, sizeof(text), value, scale);
    put(sim, "\"%s\":\"%s\"", name, text);
}

static void put_instant(struct sim *sim, const char *name, int64_t at)
{
    char text[64];

    print_instant(text, sizeof(text), at);
    put(sim, ",\"%s\":\"%s\"", name, text);
}

/* ---- parts of bodies ---- */

static void put_whom(struct sim *sim, const struct deed *deed)
{
    if (deed->naming == BY_UNKNOWN_CARD) {
        put_text(sim, "card", "U999");
        return;
    }
    if (deed->member < 0)
        return;
    const struct person *person = &sim->person[deed->member];
    switch (deed->naming) {
    case BY_CARD:
        put_text(sim, "card", person->card);
        return;
    case BY_PHONE:
        put_text(sim, "phone", person->phone);
        return;
    case BY_MEMBER:
        put_text(sim, "member", person->id);
        return;
    case BY_UNKNOWN_CARD:
    case naming_count:
        break;
    }
    abort();
}

static void put_key(struct sim *sim, const char *outlet, const char *till, int64_t period,
                    const char *number)
{
    put(sim, "\"outlet\":\"%s\",\"till\":\"%s\",\"period\":%" PRId64 ",\"number\":\"%s\"", outlet,
        till, period, number);
}

static void put_line(struct sim *sim, const struct m_line *line)
{
    put(sim, "{");
    put_amount(sim, "quantity", line->quantity, 3);
    put_text(sim, "article", line->article);
    put(sim, ",");
    put_amount(sim, "price", line->price, 6);
    if (line->has_gross) {
        put(sim, ",");
        put_amount(sim, "amount", line->gross, sim->programme->money_scale);
    }
    put_text(sim, "category", line->category);
    put_text(sim, "brand", line->brand);
    if (line->tag[0] != 0)
        put(sim, ",\"tags\":[\"%s\"]", line->tag);
    put_true(sim, "service", line->service);
    put_true(sim, "discounted", line->discounted);
    if (line->minimum_price > 0) {
        put(sim, ",");
        put_amount(sim, "minimum_price", line->minimum_price, 6);
    }
    if (line->express)
        put(sim, ",\"attributes\":{\"express\":true}");
    put(sim, "}");
}

static void put_redeems(struct sim *sim, const struct m_event *event)
{
    if (event->redeem_count == 0)
        return;
    put(sim, ",\"redeem\":[");
    for (int i = 0; i < event->redeem_count; i++) {
        const struct m_redeem *redeem = &event->redeem[i];
        const struct m_currency *currency = &sim->programme->currency[redeem->currency];
        put(sim, "%s{\"currency\":\"%s\",", i > 0 ? "," : "", currency->code);
        if (redeem->max)
            put(sim, "\"amount\":\"max\"}");
        else {
            put_amount(sim, "amount", redeem->points, currency->scale);
            put(sim, "}");
        }
    }
    put(sim, "]");
}

static void put_payments(struct sim *sim, const struct m_event *event)
{
    if (event->payment_count == 0)
        return;
    put(sim, ",\"payments\":[");
    for (int i = 0; i < event->payment_count; i++) {
        put(sim, "%s{\"kind\":\"%s\",", i > 0 ? "," : "",
            event->payment[i].purse ? "purse" : "certificate");
        put_amount(sim, "amount", event->payment[i].money, sim->programme->money_scale);
        put(sim, "}");
    }
    put(sim, "]");
}

static void put_circumstances(struct sim *sim, const struct m_event *event)
{
    put_text(sim, "channel", event->channel);
    put_text(sim, "region", event->region);
    put_text(sim, "tender", event->tender);
    put_text(sim, "bin", event->bin);
    if (event->code[0] != 0)
        put(sim, ",\"codes\":[\"%s\"]", event->code);
    if (event->steps >= 0) {
        put(sim, ",\"attributes\":{");
        put_amount(sim, "steps", event->steps, 6);
        put(sim, "}");
    }
}

/* ---- whole bodies ---- */

static void put_purchase(struct sim *sim, const struct deed *deed)
{
    const struct m_event *event = &deed->event;

    put_key(sim, event->outlet, event->till, event->period, event->number);
    put_instant(sim, "occurred_at", event->occurred_at);
    put_whom(sim, deed);
    if (deed->kind == DEED_COMMIT_RESERVE) {
        put_text(sim, "reserve", sim->reserved[deed->reserve].id);
        return;
    }
    if (deed->kind == DEED_FACT)
        put_text(sim, "mode", "fact");
    if (deed->has_quote)
        put_text(sim, "quote", deed->quote);
    put_circumstances(sim, event);
    put_true(sim, "for_business", event->for_business);
    put_true(sim, "confirmed", event->confirmed);
    put(sim, ",\"lines\":[");
    for (int i = 0; i < event->line_count; i++) {
        if (i > 0)
            put(sim, ",");
        put_line(sim, &event->line[i]);
    }
    put(sim, "]");
    put_redeems(sim, event);
    put_payments(sim, event);
}

static void put_return(struct sim *sim, const struct deed *deed)
{
    const struct sold *sold = &sim->sold[deed->receipt];
    const char *comma = "";

    put_key(sim, deed->event.outlet, deed->event.till, deed->event.period, deed->event.number);
    put_instant(sim, "occurred_at", deed->event.occurred_at);
    put(sim, ",\"receipt\":{");
    put_key(sim, sold->outlet, sold->till, sold->period, sold->number);
    put(sim, "}");
    if (deed->whole)
        return;
    put(sim, ",\"lines\":[");
    for (int i = 0; i < m_lines_max; i++) {
        if (deed->quantity[i] == 0)
            continue;
        put(sim, "%s{\"line\":%d,", comma, i + 1);
        put_amount(sim, "quantity", deed->quantity[i], 3);
        put(sim, "}");
        comma = ",";
    }
    put(sim, "]");
}

static void put_cancel(struct sim *sim, const struct deed *deed)
{
    const struct reserved *reserved = &sim->reserved[deed->reserve];

    put_key(sim, reserved->outlet, reserved->till, reserved->period, reserved->number);
    put_text(sim, "reserve", reserved->id);
}

static void put_event(struct sim *sim, const struct deed *deed)
{
    put(sim, "\"kind\":\"%s\"", deed->event.kind);
    put_instant(sim, "occurred_at", deed->event.occurred_at);
    put_whom(sim, deed);
    if (deed->event.steps >= 0) {
        put(sim, ",\"attributes\":{");
        put_amount(sim, "steps", deed->event.steps, 6);
        put(sim, "}");
    }
}

static void put_opening(struct sim *sim, const struct deed *deed)
{
    const struct m_currency *currency = &sim->programme->currency[deed->currency];

    put(sim, "\"currency\":\"%s\",", currency->code);
    put_amount(sim, "points", deed->points, currency->scale);
    put_whom(sim, deed);
    if (deed->at != 0)
        put_instant(sim, "at", deed->at);
}

static void put_enrol(struct sim *sim, const struct deed *deed)
{
    const struct person *person = &sim->person[deed->member];

    put(sim, "\"surname\":\"Simova\",\"name\":\"Anna\",\"phone\":\"%s\",\"cards\":[\"%s\"]",
        person->phone, person->card);
    put_true(sim, "consent", true);
}

void deed_body(struct sim *sim, const struct deed *deed, bool canonical)
{
    sim->body_len = 0;
    put(sim, "{\"programme\":\"%s\",", sim->programme->id);
    switch (deed->kind) {
    case DEED_QUOTE:
    case DEED_RESERVE:
    case DEED_COMMIT:
    case DEED_FACT:
    case DEED_COMMIT_RESERVE:
        put_purchase(sim, deed);
        break;
    case DEED_RETURN:
        put_return(sim, deed);
        break;
    case DEED_CANCEL:
        put_cancel(sim, deed);
        break;
    case DEED_EVENT:
        put_event(sim, deed);
        break;
    case DEED_OPENING:
        put_opening(sim, deed);
        break;
    case DEED_ENROL:
        put_enrol(sim, deed);
        break;
    case DEED_BALANCE:
    case deed_kind_count:
        sim->body_len = 0;
        return;
    }
    if (!canonical && deed->attempt > 0)
        put(sim, ",\"attempt\":%d", deed->attempt);
    put(sim, "}");
}

bool deed_change(struct deed *deed)
{
    switch (deed->kind) {
    case DEED_RESERVE:
    case DEED_COMMIT:
    case DEED_FACT:
        deed->event.for_business = !deed->event.for_business;
        return true;
    case DEED_COMMIT_RESERVE:
    case DEED_RETURN:
    case DEED_EVENT:
        deed->event.occurred_at--;
        return true;
    case DEED_OPENING:
        deed->points++;
        return true;
    case DEED_QUOTE:
    case DEED_CANCEL:
    case DEED_ENROL:
    case DEED_BALANCE:
    case deed_kind_count:
        break;
    }
    return false;
}

enum route_name deed_route(const struct deed *deed)
{
    static const enum route_name routes[deed_kind_count] = {
        CALL_QUOTE,  CALL_RESERVE, CALL_COMMIT,  CALL_COMMIT, CALL_COMMIT, CALL_CANCEL,
        CALL_RETURN, CALL_EVENT,   CALL_OPENING, CALL_ENROL,  CALL_BALANCE,
    };

    return routes[deed->kind];
}

void deed_claim_key(const struct sim *sim, const struct deed *deed, char *out, size_t size)
{
    const struct m_event *event = &deed->event;
    const char *kind = "purchase";

    out[0] = 0;
    switch (deed->kind) {
    case DEED_QUOTE:
    case DEED_BALANCE:
    case deed_kind_count:
        return;
    case DEED_EVENT:
    case DEED_OPENING:
    case DEED_ENROL:
        snprintf(out, size, "key %s", deed->key);
        return;
    case DEED_CANCEL:
        snprintf(out, size, "cancel %s", sim->reserved[deed->reserve].number);
        return;
    case DEED_RESERVE:
        kind = "reserve";
        break;
    case DEED_RETURN:
        kind = "return";
        break;
    case DEED_COMMIT:
    case DEED_FACT:
    case DEED_COMMIT_RESERVE:
        break;
    }
    snprintf(out, size, "%s %s %s %" PRId64 " %s", kind, event->outlet, event->till, event->period,
             event->number);
}
