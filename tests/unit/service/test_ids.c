/*
 * test_ids.c - ids rise, whatever the clock does, from any number of threads.
 *
 * Owns:      the clock that stands, goes back, or is before the epoch; four threads at once.
 * Must not:  read a real clock.
 */
#include "service/ids.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { threads = 4, each = 100000 };

/* 2024-01-01T00:00:00Z */
#define EPOCH INT64_C(1704067200000)

static uint64_t
node_of(uint64_t id)
{
    return id >> id_sequence_bits & ((1u << id_node_bits) - 1);
}

static uint64_t
time_of(uint64_t id)
{
    return id >> (id_node_bits + id_sequence_bits);
}

/* A lease of all time. */
static void
begin(struct ids *ids, uint32_t node)
{
    ids_init(ids);
    ids_lease(ids, node, EPOCH, EPOCH + INT64_C(69) * 366 * 86400000);
}

static void
they_tell_time_and_node(void **state)
{
    struct ids ids;

    (void)state;
    begin(&ids, 777);
    uint64_t a = ids_next(&ids, EPOCH + 1000);
    uint64_t b = ids_next(&ids, EPOCH + 1007);
    assert_int_equal(node_of(a), 777);
    assert_int_equal(time_of(b) - time_of(a), 7);
    assert_int_equal(a & ((1u << id_sequence_bits) - 1), 0);
}

static void
a_clock_that_stands(void **state)
{
    struct ids ids;
    uint64_t last = 0;

    (void)state;
    begin(&ids, 1);
    for (int i = 0; i < 10000; i++) { /* more than a millisecond has room for */
        uint64_t id = ids_next(&ids, EPOCH + 5);
        assert_true(id > last);
        assert_int_equal(node_of(id), 1);
        last = id;
    }
    assert_true(ids_next(&ids, EPOCH + 6) > last); /* the time was used up in advance */
}

static void
a_clock_that_goes_back(void **state)
{
    struct ids ids;
    uint64_t last = 0;

    (void)state;
    begin(&ids, 1023);
    for (int i = 0; i < 10000; i++) {
        uint64_t id = ids_next(&ids, EPOCH + 1000000 - i * 97);
        assert_true(id > last);
        last = id;
    }
    uint64_t later = ids_next(&ids, EPOCH + 2000000);
    assert_true(later > last);
    assert_int_equal(time_of(later) - time_of(last), 1000000 - 2); /* two used up by the rest */
}

static void
positive_and_above_the_reserved(void **state)
{
    static const unix_ms times[] = { INT64_MIN, -1, 0, EPOCH - 1, EPOCH, EPOCH + 1 };
    struct ids ids;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(times); i++) {
        begin(&ids, 0);
        assert_true(ids_next(&ids, times[i]) >= ID_RESERVED);
    }
    begin(&ids, 1023);
    unix_ms last_of_2092 = EPOCH + INT64_C(69) * 365 * 86400000;
    assert_true((int64_t)ids_next(&ids, last_of_2092) > 0);
}

/* What divides the ids of before from those of now and later. */
static void
the_least_of_a_moment(void **state)
{
    struct ids before, at;

    (void)state;
    begin(&before, 1023);
    begin(&at, 0);
    for (unix_ms now = EPOCH + 5; now < EPOCH + 5000000; now += 999) {
        assert_true(ids_next(&before, now - 1) < ids_from(now));
        assert_true(ids_next(&at, now) >= ids_from(now));
    }
    assert_true(ids_from(EPOCH) >= ID_RESERVED);
    assert_true(ids_from(INT64_MIN) >= ID_RESERVED);
}

static void
within_a_lease_alone(void **state)
{
    struct ids ids;

    (void)state;
    ids_init(&ids);
    assert_int_equal(ids_next(&ids, EPOCH + 1000), 0);
    assert_true(ids_leased_upto(&ids) == INT64_MIN);
    ids_lease(&ids, 7, EPOCH + 5000, EPOCH + 6000);
    assert_true(ids_leased_upto(&ids) == EPOCH + 6000);
    assert_true(ids_made_upto(&ids) == EPOCH + 5000);
    assert_int_equal(ids_next(&ids, EPOCH + 6000), 0); /* it slept */
    uint64_t first = ids_next(&ids, EPOCH + 1000);     /* the clock is behind */
    assert_true(first == (ids_from(EPOCH + 5000) | 7u << id_sequence_bits));
    assert_true(ids_made_upto(&ids) == EPOCH + 5001);
    uint64_t last = ids_next(&ids, EPOCH + 5999);
    for (uint64_t id; (id = ids_next(&ids, EPOCH + 5999)) != 0; last = id)
        assert_true(id > last);
    assert_true(last < ids_from(EPOCH + 6000));
    assert_true(ids_made_upto(&ids) == EPOCH + 6000);
    ids_lease(&ids, 8, EPOCH + 2000, EPOCH + 7000); /* another node: still never backwards */
    assert_true(ids_next(&ids, EPOCH + 1000) > last);
    ids_end_lease(&ids);
    assert_int_equal(ids_next(&ids, EPOCH + 6500), 0);
}

static struct ids shared;

static void *
take_many(void *context)
{
    uint64_t *out = context;

    for (int i = 0; i < each; i++)
        out[i] = ids_next(&shared, EPOCH + 1000 + (i % 3 == 0 ? -500 : i / 50));
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
four_threads_at_once(void **state)
{
    uint64_t *ids = calloc(threads * each, sizeof(*ids));
    pthread_t thread[threads];

    (void)state;
    assert_non_null(ids);
    begin(&shared, 3);
    for (int t = 0; t < threads; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, take_many, ids + t * each), 0);
    for (int t = 0; t < threads; t++)
        assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (int t = 0; t < threads; t++)
        for (int i = 1; i < each; i++)
            assert_true(ids[t * each + i] > ids[t * each + i - 1]);
    qsort(ids, threads * each, sizeof(*ids), compare);
    for (int i = 1; i < threads * each; i++)
        assert_true(ids[i] != ids[i - 1]);
    free(ids);
}

static void
owners_without_a_card(void **state)
{
    uint64_t lowest = UINT64_MAX, highest = 0;

    (void)state;
    for (uint64_t hash = 0; hash < 5000; hash++) {
        uint64_t id = anonymous_owner(2, 3, hash);
        assert_true(id > 0 && id < ID_RESERVED);
        assert_int_equal(id, anonymous_owner(2, 3, hash));
        lowest = id < lowest ? id : lowest;
        highest = id > highest ? id : highest;
    }
    assert_int_equal(highest - lowest, 1023);
    /* Programmes and tenants have their own. */
    assert_true(anonymous_owner(2, 4, 0) > highest);
    assert_true(anonymous_owner(2, 2, 1023) < lowest);
    assert_true(anonymous_owner(3, 0, 0) > anonymous_owner(2, 1023, 1023));
    assert_true(anonymous_owner(0, 1, 0) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_tell_time_and_node),
        cmocka_unit_test(a_clock_that_stands),
        cmocka_unit_test(a_clock_that_goes_back),
        cmocka_unit_test(positive_and_above_the_reserved),
        cmocka_unit_test(the_least_of_a_moment),
        cmocka_unit_test(within_a_lease_alone),
        cmocka_unit_test(four_threads_at_once),
        cmocka_unit_test(owners_without_a_card),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
