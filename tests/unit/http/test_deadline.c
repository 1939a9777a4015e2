/*
 * test_deadline.c - lists of deadlines against the obvious: look at all of them.
 *
 * Owns:      tests of http/deadline.c.
 */
#include "http/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
test_an_empty_list_waits_for_ever(void **state)
{
    struct deadline_list list;

    (void)state;
    deadline_list_init(&list, 10);
    assert_null(deadline_due(&list, INT64_MAX));
    assert_int_equal(deadline_wait(&list, 0), -1);
}

static void
test_first_in_is_first_due(void **state)
{
    struct deadline_list list;
    struct deadline a = { 0 }, b = { 0 };

    (void)state;
    deadline_list_init(&list, 10);
    deadline_set(&list, &a, 100);
    deadline_set(&list, &b, 103);
    assert_int_equal(deadline_wait(&list, 103), 7);
    assert_null(deadline_due(&list, 109));
    assert_ptr_equal(deadline_due(&list, 110), &a);
    deadline_set(&list, &a, 110); /* moved behind b */
    assert_null(deadline_due(&list, 112));
    assert_ptr_equal(deadline_due(&list, 113), &b);
    deadline_clear(&b);
    deadline_clear(&b);
    assert_null(deadline_due(&list, 119));
    assert_ptr_equal(deadline_due(&list, 500), &a);
    assert_int_equal(deadline_wait(&list, 500), 0);
}

/* A thousand moves between two lists, each compared with a search through all. */
static void
test_against_a_search(void **state)
{
    enum { count = 20 };
    struct deadline_list lists[2];
    struct deadline deadlines[count];
    int in[count];
    uint32_t seed = 1;

    (void)state;
    memset(deadlines, 0, sizeof deadlines);
    for (int i = 0; i < count; i++)
        in[i] = -1;
    deadline_list_init(&lists[0], 7);
    deadline_list_init(&lists[1], 31);
    for (int64_t now = 0; now < 1000; now++) {
        seed = seed * 1664525 + 1013904223;
        int which = (int)(seed >> 8) % count, what = (int)(seed >> 20) % 3;
        if (what == 2)
            deadline_clear(&deadlines[which]);
        else
            deadline_set(&lists[what], &deadlines[which], now);
        in[which] = what == 2 ? -1 : what;
        for (int list = 0; list < 2; list++) {
            int64_t first = -1;
            for (int i = 0; i < count; i++) {
                if (in[i] == list && (first < 0 || deadlines[i].due_ms < first))
                    first = deadlines[i].due_ms;
            }
            struct deadline *due = deadline_due(&lists[list], now);
            assert_int_equal(due != NULL, first >= 0 && first <= now);
            assert_true(!due || due->due_ms == first);
            int64_t wait = first < 0 ? -1 : first > now ? first - now : 0;
            assert_int_equal(deadline_wait(&lists[list], now), wait);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_list_waits_for_ever),
        cmocka_unit_test(test_first_in_is_first_due),
        cmocka_unit_test(test_against_a_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
