/*
 * test_map.c - what was put is found, whatever the order.
 *
 * Owns:      the tests of base/map.h.
 */
#include "base/map.h"

#include "unit.h"

static struct text name(struct arena *arena, const char *prefix, uint32_t number)
{
    struct buf buf;

    buf_init(&buf, arena, 16);
    buf_addf(&buf, "%s%u", prefix, number);
    return buf_text(&buf);
}

static void puts_and_gets(void **state)
{
    enum { count = 20000 };
    struct arena arena = unit_arena();
    struct map map;
    uint32_t value = 42;

    (void)state;
    map_init(&map, &arena);
    assert_false(map_get(&map, TEXT("none"), &value));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (i * 7919u) % count; /* each once, out of order */
        assert_true(map_put(&map, name(&arena, "sku-", number), number));
        assert_true((uint64_t)map.count * 10 <= (uint64_t)map.cap * 7);
    }
    assert_int_equal(map.count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(map_get(&map, name(&arena, "sku-", i), &value));
        assert_int_equal(value, i);
        assert_false(map_put(&map, name(&arena, "sku-", i), i + 1));
        assert_true(map_get(&map, name(&arena, "sku-", i), &value));
        assert_int_equal(value, i);
        value = 42;
        assert_false(map_get(&map, name(&arena, "sk-", i), &value));
        assert_int_equal(value, 42);
    }
    assert_int_equal(map.count, count);
    assert_false(arena.failed);
    arena_release(&arena);
}

static void empty_key_is_a_key(void **state)
{
    struct arena arena = unit_arena();
    struct map map;
    uint32_t value;

    (void)state;
    map_init(&map, &arena);
    assert_true(map_put(&map, TEXT("x"), 1));
    assert_false(map_get(&map, TEXT(""), &value));
    assert_true(map_put(&map, (struct text){ NULL, 0 }, 9));
    assert_false(map_put(&map, TEXT(""), 10));
    assert_true(map_get(&map, TEXT(""), &value));
    assert_int_equal(value, 9);
    arena_release(&arena);
}

static void memory_runs_out(void **state)
{
    _Alignas(16) static char memory[2048];
    struct arena arena, names = unit_arena();
    struct map map;
    uint32_t put = 0, value;

    (void)state;
    arena_init_fixed(&arena, memory, sizeof memory);
    map_init(&map, &arena);
    while (map_put(&map, name(&names, "k", put), put))
        put++;
    assert_true(arena.failed);
    assert_true(put > 5);
    for (uint32_t i = 0; i < put; i++) {
        assert_true(map_get(&map, name(&names, "k", i), &value));
        assert_int_equal(value, i);
    }
    assert_false(map_get(&map, name(&names, "k", put), &value));
    arena_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_and_gets),
        cmocka_unit_test(empty_key_is_a_key),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
