/*
 * test_sort.c - sorted, stable, for every length and several sizes.
 *
 * Owns:      the tests of base/sort.h.
 */
#include "base/sort.h"

#include "unit.h"

struct item {
    uint32_t key, place;
    char filling[4];
};

struct calls {
    long count;
};

static int by_key(const void *a, const void *b, void *context)
{
    const struct item *left = a, *right = b;

    ((struct calls *)context)->count++;
    return (left->key > right->key) - (left->key < right->key);
}

static void check_sorted(struct item *item, uint32_t count, uint32_t keys)
{
    static struct item scratch[5000];
    struct calls calls = { 0 };
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        item[i].place = i;
        sum += item[i].key;
    }
    sort_stable(item, count, sizeof *item, scratch, by_key, &calls);
    for (uint32_t i = 0; i < count; i++) {
        sum -= item[i].key;
        if (i == 0)
            continue;
        assert_true(item[i - 1].key <= item[i].key);
        if (item[i - 1].key == item[i].key)
            assert_true(item[i - 1].place < item[i].place);
    }
    assert_true(sum == 0);
    assert_true(keys > 0);
    assert_true(calls.count <= (long)count * 20);
}

static void random_items_sort(void **state)
{
    static struct item item[5000];
    static const uint32_t keys[] = { 1, 2, 5, 100, 1u << 30 };
    struct random64 random = { 8 };

    (void)state;
    for (uint32_t count = 0; count <= 5000; count += count < 70 ? 1 : 617) {
        for (size_t k = 0; k < KOP_COUNT(keys); k++) {
            for (uint32_t i = 0; i < count; i++)
                item[i].key = random_below(&random, keys[k]);
            check_sorted(item, count, keys[k]);
            check_sorted(item, count, keys[k]); /* sorted already */
            for (uint32_t i = 0; i < count; i++)
                item[i].key = count - i;
            check_sorted(item, count, keys[k]);
        }
    }
}

static int by_byte(const void *a, const void *b, void *context)
{
    (void)context;
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static void single_bytes_sort(void **state)
{
    unsigned char text[] = "the quick brown fox jumps over the lazy dog", scratch[sizeof text];

    (void)state;
    sort_stable(text, sizeof text - 1, 1, scratch, by_byte, NULL);
    assert_string_equal((char *)text, "        abcdeeefghhijklmnoooopqrrsttuuvwxyz");
    sort_stable(text, 0, 1, scratch, by_byte, NULL);
    sort_stable(text, 1, 1, scratch, by_byte, NULL);
    assert_int_equal(text[0], ' ');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_items_sort),
        cmocka_unit_test(single_bytes_sort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
