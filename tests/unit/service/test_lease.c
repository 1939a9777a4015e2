/*
 * test_lease.c - the numbers that ids are made with are leased: taken, lost, given back, renewed.
 *
 * Owns:      two services on one book, each with a clock of its own; that no id comes twice.
 * Must not:  read a real clock.
 */
#include "house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host.h"

#define BEGINNING INT64_C(1767690000000)
#define DAY_MS INT64_C(86400000)

enum { lives_max = 2000, ids_max = 100000 };

struct fellow {
    unix_ms now;
    struct service *service;
};

static struct store *store;
static struct fellow one, two;
static uint64_t made[ids_max];
static uint32_t made_count;

static unix_ms
fellow_now(void *context)
{
    return ((struct fellow *)context)->now;
}

static void
fellow_random(void *context, void *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)i;
}

static void
start(struct fellow *fellow, unix_ms now)
{
    struct service_options options = {
        .store = store,
        .host = { .now = fellow_now, .random = fellow_random, .context = fellow },
    };
    struct err err;

    fellow->now = now;
    if (service_open(&options, &fellow->service, &err))
        fail_msg("%s", err.text);
}

static void
kill_it(struct fellow *fellow)
{
    service_close(fellow->service);
    fellow->service = NULL;
}

static void
end(struct fellow *fellow)
{
    service_leave(fellow->service);
    kill_it(fellow);
}

static void
beat(struct fellow *fellow)
{
    struct err err;

    if (service_beat(fellow->service, &err))
        fail_msg("%s", err.text);
}

/* The next id, or 0. Remembered. */
static uint64_t
next(struct fellow *fellow)
{
    uint64_t id = ids_next(&fellow->service->ids, fellow->now);

    if (id && made_count < ids_max)
        made[made_count++] = id;
    return id;
}

static uint32_t
node_of(uint64_t id)
{
    return id >> id_sequence_bits & (id_nodes - 1);
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void
each_id_once(void)
{
    assert_true(made_count < ids_max);
    qsort(made, made_count, sizeof(*made), compare);
    for (uint32_t i = 1; i < made_count; i++)
        assert_true(made[i] != made[i - 1]);
}

static int
open_book(void **state)
{
    struct store_options options = { .create = true, .inline_runner = true };
    struct err err;

    (void)state;
    made_count = 0;
    one = two = (struct fellow){ 0 };
    return store_open_memory(&options, &store, &err) ? -1 : 0;
}

static int
close_book(void **state)
{
    (void)state;
    if (one.service)
        kill_it(&one);
    if (two.service)
        kill_it(&two);
    store_close(store);
    return 0;
}

/* ---- */

static void
two_have_two(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    start(&two, BEGINNING);
    assert_int_equal(next(&one), 0); /* nothing is leased yet */
    beat(&one);
    beat(&two);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(node_of(next(&one)), 0);
        assert_int_equal(node_of(next(&two)), 1);
    }
    each_id_once();
}

static void
given_back(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    beat(&one);
    for (int i = 0; i < 5000; i++) /* more than a millisecond has room for */
        next(&one);
    end(&one);
    start(&one, BEGINNING); /* within the same millisecond */
    beat(&one);
    uint64_t id = next(&one);
    assert_int_equal(node_of(id), 0);
    assert_true(id >= ids_from(BEGINNING + 2) && id < ids_from(BEGINNING + 3));
    each_id_once();
}

static void
killed(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    beat(&one);
    next(&one);
    kill_it(&one);
    start(&one, BEGINNING + id_lease_ms - 1); /* nobody else may have it yet */
    beat(&one);
    assert_int_equal(node_of(next(&one)), 1);
    kill_it(&one);
    start(&one, BEGINNING + id_lease_ms);
    beat(&one);
    uint64_t id = next(&one);
    assert_int_equal(node_of(id), 0);
    assert_true(id >= ids_from(BEGINNING + id_lease_ms)); /* above all that it was allowed */
    each_id_once();
}

static void
a_clock_a_day_back(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    beat(&one);
    for (int i = 0; i < 1000; i++)
        next(&one);
    end(&one);
    start(&one, BEGINNING - DAY_MS);
    beat(&one);
    for (int i = 0; i < 20000; i++)
        assert_true(next(&one) > ids_from(BEGINNING));
    kill_it(&one);
    start(&one, BEGINNING - 2 * DAY_MS);
    beat(&one);
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(next(&one), 0);
    each_id_once();
}

static void
who_slept_makes_none(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    beat(&one);
    uint64_t first = next(&one);
    one.now += id_lease_ms; /* a machine that was halted */
    assert_int_equal(next(&one), 0);
    start(&two, one.now);
    beat(&two);
    uint64_t taken = next(&two);
    assert_int_equal(node_of(taken), node_of(first));
    one.now = BEGINNING + 5; /* even if its clock had stood */
    assert_true(next(&one) < taken);
    one.now = two.now;
    assert_int_equal(next(&one), 0);
    beat(&one); /* notices, and takes another */
    assert_int_equal(node_of(next(&one)), 1);
    assert_int_equal(node_of(next(&two)), 0);
    end(&one); /* gives back its own alone */
    beat(&two);
    assert_int_equal(node_of(next(&two)), 0);
    each_id_once();
}

static void
renewed_ahead(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    start(&two, BEGINNING);
    for (int second = 0; second < 600; second++) {
        one.now += 1000;
        beat(&one);
        assert_true(ids_leased_upto(&one.service->ids) - one.now >= id_lease_ms / 2);
        two.now = one.now;
        beat(&two);
        assert_int_equal(node_of(next(&one)), 0);
        assert_int_equal(node_of(next(&two)), 1);
    }
    each_id_once();
}

/* A book that cannot be written for a while: ids last for the lease and no longer. */
static void
without_a_heartbeat(void **state)
{
    (void)state;
    start(&one, BEGINNING);
    beat(&one);
    service_driven(one.service, true);
    one.now += id_lease_ms - 1;
    lease_keep_by_hand(one.service); /* leaves it to the thread */
    assert_int_not_equal(next(&one), 0);
    while (next(&one)) /* also one who makes many in a short time */
        ;
    one.now++;
    assert_int_equal(next(&one), 0);
    beat(&one);
    assert_int_not_equal(next(&one), 0);
    service_driven(one.service, false);
    one.now += 10 * id_lease_ms;
    lease_keep_by_hand(one.service);
    assert_int_not_equal(next(&one), 0);
    each_id_once();
}

/* Starts, kills, clean ends, two clocks that jump about: what is made twice would be found. */
static void
many_lives(void **state)
{
    uint64_t chance = 11;

    (void)state;
    start(&one, BEGINNING);
    start(&two, BEGINNING);
    for (int life = 0; life < lives_max; life++) {
        chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct fellow *fellow = chance >> 63 ? &one : &two;
        unix_ms jump = (unix_ms)(chance >> 40 & 0xffff) - 0x8000;
        switch (chance >> 60 & 7) {
        case 0:
            kill_it(fellow);
            start(fellow, fellow->now + jump * 100);
            break;
        case 1:
            end(fellow);
            start(fellow, fellow->now + jump);
            break;
        case 2:
            fellow->now += jump * 100;
            break;
        default:
            beat(fellow);
        }
        for (int i = 0; i < 20; i++)
            next(fellow);
    }
    assert_true(made_count > lives_max);
    each_id_once();
}

static void
all_are_taken(void **state)
{
    struct err err;

    (void)state;
    for (uint32_t i = 0; i < id_nodes; i++) {
        start(&one, BEGINNING);
        beat(&one);
        assert_int_equal(node_of(next(&one)), i);
        kill_it(&one);
    }
    start(&one, BEGINNING);
    assert_int_equal(service_beat(one.service, &err), CODE_BUSY);
    assert_int_equal(next(&one), 0);
    one.now += id_lease_ms;
    beat(&one);
    assert_int_equal(node_of(next(&one)), 0);
    each_id_once();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_book, close_book)
    const struct CMUnitTest tests[] = {
        TEST(two_have_two),         TEST(given_back),    TEST(killed),
        TEST(a_clock_a_day_back),   TEST(who_slept_makes_none), TEST(renewed_ahead),
        TEST(without_a_heartbeat),  TEST(many_lives),    TEST(all_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
