/*
 * terms.c - finding a currency, counter or ladder; when a lot lives.
 *
 * Owns:      the dates of a lot's life.
 * Must not:  know lots: it is given an instant and gives two.
 * Invariant: active_from >= earned_at, save with a pending of no length; expires_at > active_from.
 * Cost:      linear in a handful; three dates for a life.
 * Tests:     tests/tables/terms/, tests/unit/core/test_terms.c
 */
#include "core/terms.h"

const struct currency_terms *terms_currency(const struct terms *terms, uint8_t no)
{
    assert(terms->currency_count <= currencies_per_programme_max);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        if (terms->currency[i].no == no)
            return &terms->currency[i];
    return NULL;
}

const struct currency_terms *terms_currency_by_code(const struct terms *terms, struct text code)
{
    assert(terms->currency_count <= currencies_per_programme_max);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        if (text_equal(terms->currency[i].code, code))
            return &terms->currency[i];
    return NULL;
}

const struct counter_terms *terms_counter(const struct terms *terms, uint8_t no)
{
    assert(terms->counter_count <= counters_per_programme_max);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        if (terms->counter[i].no == no)
            return &terms->counter[i];
    return NULL;
}

const struct ladder_terms *terms_ladder(const struct terms *terms, uint8_t no)
{
    assert(terms->ladder_count <= ladders_per_programme_max);
    for (uint32_t i = 0; i < terms->ladder_count; i++)
        if (terms->ladder[i].no == no)
            return &terms->ladder[i];
    return NULL;
}

static bool only_hours(struct period period)
{
    return period.months == 0 && period.days == 0;
}

/* The local date of `from` + `period`. */
static int64_t last_day(const struct zone *zone, unix_ms from, struct period period)
{
    if (only_hours(period))
        return zone_day(zone, zone_add_period(zone, from, period));

    struct date date = date_add_months(date_of_day(zone_day(zone, from)), period.months);
    return date_to_day(date) + period.days;
}

static unix_ms expiry(const struct zone *zone, const struct currency_terms *currency, unix_ms from)
{
    switch (currency->expiry) {
    case EXPIRY_NONE:
        break;
    case EXPIRY_PERIOD:
        if (only_hours(currency->expiry_period))
            return zone_add_period(zone, from, currency->expiry_period);
        return zone_midnight(zone, last_day(zone, from, currency->expiry_period) + 1);
    case EXPIRY_PERIOD_END: {
        assert(currency->expiry_round != PERIOD_EVER);
        int64_t day = last_day(zone, from, currency->expiry_period);
        int64_t next = period_number(currency->expiry_round, day) + currency->expiry_following + 1;
        return zone_midnight(zone, period_first_day(currency->expiry_round, next));
    }
    }
    return TIME_NONE;
}

void terms_lot_life(const struct terms *terms, const struct currency_terms *currency,
                    unix_ms earned_at, unix_ms *active_from, unix_ms *expires_at)
{
    assert(earned_at != TIME_NONE);

    *active_from = earned_at;
    if (currency->pending == PENDING_PERIOD)
        *active_from = zone_add_period(terms->zone, earned_at, currency->pending_period);
    *expires_at = expiry(terms->zone, currency, *active_from);
    assert(*active_from >= earned_at);
}
