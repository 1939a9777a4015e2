/*
 * test_key_table.c - keyed hashes in memory: found, never twice, walked in order.
 *
 * Owns:      the tests of service/key_table.h, against a plain sorted array.
 */
#include "service/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct key_item
item_of(uint64_t n)
{
    struct key_item item = { .owner_id = n + 1, .value = n * 3, .check = ~n };
    uint64_t words[2] = { mix(n + 7), mix(n + 1000003) };

    memcpy(item.key, words, sizeof words);
    return item;
}

static int
by_key(const void *a, const void *b)
{
    return memcmp(((const struct key_item *)a)->key, ((const struct key_item *)b)->key, 16);
}

static void
expect_same(const struct key_table *table, struct key_item *wanted, size_t count)
{
    const struct key_item *item;
    uint64_t at = 0;

    qsort(wanted, count, sizeof *wanted, by_key);
    for (size_t i = 0; i < count; i++) {
        item = key_table_next(table, &at);
        assert_non_null(item);
        assert_memory_equal(item, &wanted[i], sizeof *item);
    }
    assert_null(key_table_next(table, &at));
    assert_null(key_table_next(table, &at));
}

static void
test_many(void **state)
{
    enum { many = 200000 };
    struct key_item *wanted = calloc(many, sizeof *wanted);
    struct key_table table;

    (void)state;
    key_table_init(&table);
    assert_null(key_table_find(&table, item_of(0).key));
    for (uint64_t i = 0; i < many; i++) {
        wanted[i] = item_of(i);
        assert_null(key_table_find(&table, wanted[i].key));
        assert_true(key_table_put(&table, &wanted[i]));
        assert_int_equal(key_table_find(&table, wanted[i].key)->value, i * 3);
    }
    for (uint64_t i = 0; i < many; i++)
        assert_int_equal(key_table_find(&table, wanted[i].key)->owner_id, i + 1);
    for (uint64_t i = many; i < many + 1000; i++)
        assert_null(key_table_find(&table, item_of(i).key));
    expect_same(&table, wanted, many);
    free(wanted);
    key_table_release(&table);
}

/* Keys that all belong to the same places, at both ends of the table. */
static void
test_crowds(void **state)
{
    enum { crowd = 1500 };
    struct key_item wanted[crowd];
    struct key_table table;

    (void)state;
    for (int end = 0; end < 2; end++) {
        key_table_init(&table);
        for (uint32_t i = 0; i < crowd; i++) {
            struct key_item item = item_of((uint64_t)i * 7919 % crowd);
            item.key[0] = end ? 0xFF : 0;
            item.key[1] = end ? 0xFF : 0;
            wanted[i] = item;
            assert_true(key_table_put(&table, &item));
        }
        for (uint32_t i = 0; i < crowd; i++)
            assert_int_equal(key_table_find(&table, wanted[i].key)->owner_id, wanted[i].owner_id);
        expect_same(&table, wanted, crowd);
        key_table_release(&table);
    }
}

static void
test_empty(void **state)
{
    struct key_table table;
    uint64_t at = 0;

    (void)state;
    key_table_init(&table);
    assert_null(key_table_next(&table, &at));
    key_table_release(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_crowds),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
