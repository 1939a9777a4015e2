/*
 * test_history.c - the replay of an owner's records: what follows, what does not, what it leaves.
 *
 * Owns:      histories made by hand, and each way in which one record or the row can be wrong.
 * Must not:  use the code of a booking.
 */
#include "ledger/audit_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

enum { own = 7, member = 70 };

static struct arena arena;

/* The n-th record of a history: enrolment, then three purchases that count. */
static struct counted added[4][2] = {
    { { 0 } },
    { { 1, false, 2026, 100 }, { 2, true, 500, 1 } },
    { { 1, false, 2026, 50 }, { 2, true, 501, 1 } },
    { { 1, false, 2027, 30 }, { 2, true, 500, -1 } },
};

static struct record
make(uint32_t n)
{
    struct record record = {
        .kind = n == 0 ? RECORD_ENROL : RECORD_PURCHASE,
        .op_id = 100 + n,
        .owner_id = own,
        .member_id = member,
        .person_id = n == 0 ? 9 : 0,
        .place = { n + 1, n == 0 ? 0 : 99 + n, 2 * n },
        .occurred_at = 1000 + n,
        .recorded_at = 2000 + n,
        .counted = added[n],
        .counted_count = n == 0 ? 0 : 2,
    };
    return record;
}

static struct counter_state counters[] = {
    { .counter_no = 1, .bucket = 2027, .value = 30 },
    { .counter_no = 2, .rolling = true, .bucket = 501, .value = 1 },
};

static struct owner
row_after_all(void)
{
    return (struct owner){
        .owner_id = own,
        .version = 4,
        .last_op = 103,
        .enrolled_at = 1000,
        .settled_to = 2003,
        .counter = counters,
        .counter_count = 2,
    };
}

static void
replay(struct history *history, uint32_t count)
{
    struct err err;

    arena_reset(&arena);
    history_begin(history, &arena, own);
    for (uint32_t n = 0; n < count; n++) {
        struct record record = make(n);
        if (history_record(history, &record, 2 * n, &err))
            fail_msg("record %u: %s", n, err.text);
    }
}

static void
a_right_history(void **state)
{
    struct owner row = row_after_all();
    struct history history;
    struct err err;

    (void)state;
    replay(&history, 4);
    if (history_end(&history, &row, &err))
        fail_msg("%s", err.text);
    assert_int_equal(history.member_id, member);
    assert_int_equal(history.person_id, 9);
}

#define WRONG_RECORD(change)                                                                       \
    do {                                                                                           \
        struct history history;                                                                    \
        struct record record = make(2);                                                            \
        struct err err;                                                                            \
        replay(&history, 2);                                                                       \
        record.change;                                                                             \
        assert_int_equal(history_record(&history, &record, 4, &err), CODE_CORRUPT);                \
    } while (0)

static void
a_record_that_does_not_follow(void **state)
{
    static struct counted over[] = { { 1, false, 2025, 5 } };
    static struct counted much[] = { { 1, false, 2026, INT64_MAX } };

    (void)state;
    WRONG_RECORD(owner_id = 8);
    WRONG_RECORD(place.sequence = 2);
    WRONG_RECORD(place.sequence = 4);
    WRONG_RECORD(place.previous = 100);
    WRONG_RECORD(place.last_movement = 3);
    WRONG_RECORD(recorded_at = 2000);
    WRONG_RECORD(kind = RECORD_ENROL);
    WRONG_RECORD(counted = over);
    WRONG_RECORD(counted = much);
}

#define WRONG_ROW(change)                                                                          \
    do {                                                                                           \
        struct owner row = row_after_all();                                                        \
        struct history history;                                                                    \
        struct err err;                                                                            \
        replay(&history, 4);                                                                       \
        row.change;                                                                                \
        assert_int_equal(history_end(&history, &row, &err), CODE_CORRUPT);                         \
    } while (0)

static void
a_row_that_is_not_what_was_left(void **state)
{
    struct counter_state other[] = { { .counter_no = 1, .bucket = 2027, .value = 31 },
                                     { .counter_no = 2, .rolling = true, .bucket = 501,
                                       .value = 1 } };
    struct counter_state more[] = { counters[0], counters[1],
                                    { .counter_no = 3, .bucket = 1, .value = 0 } };

    (void)state;
    WRONG_ROW(version = 3);
    WRONG_ROW(version = 5);
    WRONG_ROW(last_op = 102);
    WRONG_ROW(settled_to = 2004);
    WRONG_ROW(enrolled_at = 1001);
    WRONG_ROW(flags = owner_flag_anonymous);
    WRONG_ROW(flags = owner_flag_closed);
    WRONG_ROW(counter = other);
    WRONG_ROW(counter_count = 1);
    {
        struct owner row = row_after_all();
        struct history history;
        struct err err;
        replay(&history, 4);
        row.counter = more;
        row.counter_count = 3;
        assert_int_equal(history_end(&history, &row, &err), CODE_CORRUPT);
    }
}

static void
nobody_in_particular(void **state)
{
    struct record record = make(1);
    struct history history;
    struct err err;

    (void)state;
    arena_reset(&arena);
    history_begin(&history, &arena, own);
    record.member_id = 0;
    record.place = (struct record_place){ .sequence = 1 };
    assert_int_equal(history_record(&history, &record, 0, &err), OK);
    assert_true(history.anonymous);
    assert_false(history.enrolled);
    assert_int_equal(history.enrolled_at, record.recorded_at);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_history),
        cmocka_unit_test(a_record_that_does_not_follow),
        cmocka_unit_test(a_row_that_is_not_what_was_left),
        cmocka_unit_test(nobody_in_particular),
    };

    arena_init(&arena, host_source(), 1 << 14, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
