/*
 * test_ticker.c - a thread that does one thing again and again.
 *
 * Owns:      that it does, that stopping waits for what it does, that a long wait ends at once.
 */
#include "contract/kit.h"
#include "jobs/ticker.h"

#include <semaphore.h>
#include <stdatomic.h>

struct ticks {
    sem_t begun, go_on;
    atomic_int done;
};

static void
tick(void *context)
{
    struct ticks *ticks = context;

    sem_post(&ticks->begun);
    sem_wait(&ticks->go_on);
    atomic_fetch_add(&ticks->done, 1);
}

static void
test_again_and_again(void **state)
{
    struct ticks ticks = { .done = 0 };
    struct ticker *ticker;

    (void)state;
    sem_init(&ticks.begun, 0, 0);
    sem_init(&ticks.go_on, 0, 0);
    assert_int_equal(ticker_start(1, tick, &ticks, &ticker, NULL), OK);
    sem_wait(&ticks.begun);
    sem_post(&ticks.go_on);
    sem_wait(&ticks.begun); /* the second is at work: stopping waits for it */
    assert_int_equal(atomic_load(&ticks.done), 1);
    sem_post(&ticks.go_on);
    ticker_stop(ticker);
    assert_int_equal(atomic_load(&ticks.done), 2);
    sem_destroy(&ticks.begun);
    sem_destroy(&ticks.go_on);
}

static void
test_a_long_wait_ends_at_once(void **state)
{
    struct ticks ticks = { .done = 0 };
    struct ticker *ticker;

    (void)state;
    assert_int_equal(ticker_start(1000000, tick, &ticks, &ticker, NULL), OK);
    ticker_stop(ticker); /* else this never ends */
    ticker_stop(NULL);
    assert_int_equal(atomic_load(&ticks.done), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again_and_again),
        cmocka_unit_test(test_a_long_wait_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
