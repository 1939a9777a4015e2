/*
 * test_route_cache.c - routes are kept, forgotten and pushed out; what may not be kept is not.
 */
#include "contract/kit.h"
#include "store/route_cache.h"

static struct route
route_of(char *key, uint32_t number)
{
    snprintf(key, directory_key_bytes + 1, "key %012u", (unsigned)number);
    return (struct route){
        .kind = ROUTE_DIRECTORY,
        .key = { key, directory_key_bytes },
        .found = true,
        .owner_id = number,
        .member_id = number + 1,
        .key_kind = KEY_PHONE,
        .state = KEY_BLOCKED,
    };
}

static void
test_kept_and_dropped(void **state)
{
    struct route_cache *cache = route_cache_new(16);
    char key[directory_key_bytes + 1];
    struct route route = route_of(key, 7), asked = { .kind = ROUTE_DIRECTORY, .key = route.key };
    (void)state;

    assert_non_null(cache);
    assert_false(route_cache_get(cache, &asked));
    assert_false(asked.found);
    route_cache_put(cache, &route);
    assert_true(route_cache_get(cache, &asked));
    assert_true(asked.found);
    assert_int_equal(asked.owner_id, 7);
    assert_int_equal(asked.member_id, 8);
    assert_int_equal(asked.key_kind, KEY_PHONE);
    assert_int_equal(asked.state, KEY_BLOCKED);
    route.found = false; /* it leads nowhere any more */
    route_cache_put(cache, &route);
    assert_false(route_cache_get(cache, &asked));
    route_cache_free(cache);
}

static void
test_what_is_not_kept(void **state)
{
    struct route_cache *cache = route_cache_new(16);
    char key[directory_key_bytes + 1];
    struct route route = route_of(key, 7);
    (void)state;

    route.kind = ROUTE_CLAIM;
    route_cache_put(cache, &route);
    assert_false(route_cache_get(cache, &route));
    route.kind = ROUTE_DIRECTORY;
    route.key.len--;
    route_cache_put(cache, &route);
    assert_false(route_cache_get(cache, &route));
    route_cache_free(cache);
}

/* Many more keys than places: what is found is right, the newest always, and many of the last. */
static void
test_bounded(void **state)
{
    enum { slots = 64, keys = 1000 };
    struct route_cache *cache = route_cache_new(slots);
    char key[directory_key_bytes + 1];
    uint32_t found = 0;
    (void)state;

    for (uint32_t i = 0; i < keys; i++) {
        struct route route = route_of(key, i);
        route_cache_put(cache, &route);
        assert_true(route_cache_get(cache, &route));
    }
    for (uint32_t i = 0; i < keys; i++) {
        struct route wanted = route_of(key, i), route = { .kind = ROUTE_DIRECTORY,
                                                          .key = wanted.key };
        if (!route_cache_get(cache, &route))
            continue;
        found++;
        assert_int_equal(route.owner_id, i);
    }
    assert_true(found > slots / 2);
    assert_true(found <= slots);
    route_cache_free(cache);
}

/* The keys of one lane are chosen by their hash: they must fill all of its cache none the less. */
static void
test_one_lane_of_many(void **state)
{
    enum { slots = 1024, lanes = 16, kept_wanted = slots / 2 };
    struct route_cache *cache = route_cache_new(slots);
    char key[directory_key_bytes + 1];
    uint32_t kept = 0, put = 0, last = 0;
    (void)state;

    for (; put < slots; last++) {
        struct route route = route_of(key, last);
        if (key_hash(route.key) % lanes != 3)
            continue;
        route_cache_put(cache, &route);
        put++;
    }
    for (uint32_t i = 0; i < last; i++) {
        struct route route = route_of(key, i);
        route.found = false;
        kept += route_cache_get(cache, &route);
    }
    assert_true(kept > kept_wanted); /* 647 by chance, if places are as good as random */
    route_cache_free(cache);
}

/* A stranger's key that falls into the same place does not push out what it cannot drop. */
static void
test_dropping_another(void **state)
{
    struct route_cache *cache = route_cache_new(1);
    char key[directory_key_bytes + 1], other_key[directory_key_bytes + 1];
    struct route route = route_of(key, 1), other = route_of(other_key, 2);
    (void)state;

    route_cache_put(cache, &route);
    other.found = false;
    route_cache_put(cache, &other);
    assert_true(route_cache_get(cache, &route));
    route_cache_free(cache);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_and_dropped),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_one_lane_of_many),
        cmocka_unit_test(test_dropping_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
