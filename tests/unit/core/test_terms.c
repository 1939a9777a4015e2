/*
 * test_terms.c - the life of points against tests/tables/terms/life.txt; finding by number, code.
 *
 * Owns:      the tests of core/terms.h.
 */
#include "core/terms.h"

#include "unit/base/unit.h"
#include "zone_file.h"

static const char table[] = "tests/tables/terms/life.txt";

struct reading {
    struct arena *arena;
    char *next; /* the row's rest */
    int number; /* of the row */
    struct terms terms;
    struct currency_terms currency;
};

static const char *word(struct reading *reading)
{
    char *at = reading->next + strspn(reading->next, " ,");
    size_t len = strcspn(at, " ,");

    reading->next = at + len;
    if (*reading->next != '\0')
        *reading->next++ = '\0';
    return at;
}

static _Noreturn void bad_row(const struct reading *reading, const char *what)
{
    fail_msg("%s:%d: %s", table, reading->number, what);
    abort();
}

static struct period period_of(struct reading *reading)
{
    struct period period;

    if (!period_parse(text_of(word(reading)), &period))
        bad_row(reading, "no period");
    return period;
}

static enum period_kind kind_of(struct reading *reading)
{
    static const char *const name[] = { "ever", "day", "week", "month", "quarter", "half-year",
                                        "year" };
    const char *wanted = word(reading);

    for (int i = PERIOD_DAY; i <= PERIOD_YEAR; i++)
        if (strcmp(wanted, name[i]) == 0)
            return (enum period_kind)i;
    bad_row(reading, "no kind of period");
}

static void read_points(struct reading *reading)
{
    struct currency_terms *currency = &reading->currency;
    const char *at;

    *currency = (struct currency_terms){ .no = 1 };
    while (*(at = word(reading)) != '\0') {
        if (strcmp(at, "pending") == 0) {
            currency->pending = PENDING_PERIOD;
            currency->pending_period = period_of(reading);
        } else if (strcmp(at, "live") == 0 && reading->next[0] == 'P') {
            currency->expiry = EXPIRY_PERIOD;
            currency->expiry_period = period_of(reading);
        } else if (strcmp(at, "live") == 0 && strcmp(word(reading), "to-end-of") == 0) {
            currency->expiry = EXPIRY_PERIOD_END;
            currency->expiry_round = kind_of(reading);
            if (strcmp(word(reading), "after") != 0)
                bad_row(reading, "'after' is missing");
            currency->expiry_period = period_of(reading);
        } else if (strcmp(at, "following") == 0) {
            uint64_t count;
            if (!text_to_u64(text_of(word(reading)), &count) || count > 9)
                bad_row(reading, "no count");
            currency->expiry_following = (uint8_t)count;
        } else {
            bad_row(reading, at);
        }
    }
}

static unix_ms time_of(struct reading *reading)
{
    const char *at = word(reading);
    struct date date;
    int hour, minute;

    if (strcmp(at, "never") == 0)
        return TIME_NONE;
    if (!date_parse((struct text){ at, 10 }, &date))
        bad_row(reading, "no date");
    bool is_utc = at[10] == 'T';
    if (sscanf(is_utc ? at + 11 : word(reading), "%2d:%2d", &hour, &minute) != 2)
        bad_row(reading, "no time");
    return zone_instant(is_utc ? NULL : reading->terms.zone, date_to_day(date),
                        (hour * 60 + minute) * 60000);
}

static void expect_word(struct reading *reading, const char *expected)
{
    if (strcmp(word(reading), expected) != 0)
        bad_row(reading, expected);
}

static void check_earned(struct reading *reading)
{
    unix_ms active_from, expires_at;
    unix_ms earned_at = time_of(reading);

    expect_word(reading, "=>");
    expect_word(reading, "active");
    unix_ms active_expected = time_of(reading);
    expect_word(reading, "dies");
    unix_ms expires_expected = time_of(reading);
    terms_lot_life(&reading->terms, &reading->currency, earned_at, &active_from, &expires_at);
    if (active_from != active_expected)
        fail_msg("%s:%d: active %lld minutes later", table, reading->number,
                 (long long)(active_from - active_expected) / 60000);
    if (expires_at != expires_expected)
        fail_msg("%s:%d: dies %lld minutes later", table, reading->number,
                 (long long)(expires_at - expires_expected) / 60000);
}

static void read_zone(struct reading *reading)
{
    struct zone *zone = NULL;
    struct err err;
    const char *name = word(reading);

    if (strcmp(name, "UTC") != 0)
        assert_int_equal(zone_parse(reading->arena, zone_file(reading->arena, name), &zone, &err),
                         OK);
    reading->terms.zone = zone;
}

static void lives(void **state)
{
    struct arena arena = unit_arena();
    struct reading reading = { .arena = &arena };
    FILE *file = fopen(table, "r");
    char row[200];
    int checked = 0;

    (void)state;
    assert_non_null(file);
    while (fgets(row, sizeof row, file) != NULL) {
        reading.number++;
        row[strcspn(row, "\n")] = '\0';
        if (row[0] == '#' || row[0] == '\0')
            continue;
        reading.next = row;
        const char *first = word(&reading);
        if (strcmp(first, "zone") == 0) {
            read_zone(&reading);
        } else if (strcmp(first, "points") == 0) {
            read_points(&reading);
        } else {
            assert_string_equal(first, "earned");
            check_earned(&reading);
            checked++;
        }
    }
    fclose(file);
    assert_true(checked >= 43);
    arena_release(&arena);
}

static void found_by_number_and_code(void **state)
{
    struct currency_terms currency[2] = { { .no = 2, .code = TEXT("points") },
                                          { .no = 5, .code = TEXT("miles") } };
    struct counter_terms counter[1] = { { .no = 64, .code = TEXT("turnover") } };
    struct ladder_terms ladder[1] = { { .no = 8, .code = TEXT("status") } };
    struct terms terms = { .currency = currency, .currency_count = 2, .counter = counter,
                           .counter_count = 1, .ladder = ladder, .ladder_count = 1 };

    (void)state;
    assert_ptr_equal(terms_currency(&terms, 2), &currency[0]);
    assert_ptr_equal(terms_currency(&terms, 5), &currency[1]);
    assert_null(terms_currency(&terms, 1));
    assert_null(terms_currency(&terms, 0));
    assert_ptr_equal(terms_currency_by_code(&terms, TEXT("miles")), &currency[1]);
    assert_null(terms_currency_by_code(&terms, TEXT("mile")));
    assert_ptr_equal(terms_counter(&terms, 64), &counter[0]);
    assert_null(terms_counter(&terms, 63));
    assert_ptr_equal(terms_ladder(&terms, 8), &ladder[0]);
    assert_null(terms_ladder(&terms, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives),
        cmocka_unit_test(found_by_number_and_code),
    };
    return cmocka_run_group_tests_name("core/terms", tests, NULL, NULL);
}
