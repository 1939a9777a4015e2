/*
 * test_arena.c - zeroed, aligned, capped, and warm arenas ask for nothing.
 *
 * Owns:      the tests of base/arena.h.
 * Must not:  know how blocks are laid out.
 */
#include "unit.h"

/* A source that counts, and can be told to refuse. */
struct counter {
    size_t taken, given, bytes, most;
    size_t refuse_from; /* the n-th take and later ones are refused; 0: never */
};

static void *counted_take(void *context, size_t size)
{
    struct counter *counter = context;

    if (counter->refuse_from != 0 && counter->taken + 1 >= counter->refuse_from)
        return NULL;
    counter->taken++;
    counter->bytes += size;
    if (counter->bytes > counter->most)
        counter->most = counter->bytes;
    void *block = malloc(size);
    memset(block, 0xa5, size); /* never zero by luck */
    return block;
}

static void counted_give_back(void *context, void *block, size_t size)
{
    struct counter *counter = context;

    counter->given++;
    counter->bytes -= size;
    free(block);
}

static struct arena counted(struct counter *counter, size_t block_size, size_t cap)
{
    struct arena arena;
    struct arena_source source = { counted_take, counted_give_back, counter };

    *counter = (struct counter){ 0 };
    arena_init(&arena, source, block_size, cap);
    return arena;
}

static void assert_zeroed(const void *piece, size_t size)
{
    const unsigned char *bytes = piece;

    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
}

static void pieces_are_zeroed_and_aligned(void **state)
{
    struct counter counter;
    struct arena arena = counted(&counter, 1024, 1 << 20);

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 3000; size += 7) {
            unsigned char *piece = arena_alloc(&arena, size);
            assert_non_null(piece);
            assert_int_equal((uintptr_t)piece % 16, 0);
            assert_zeroed(piece, size);
            memset(piece, 0xff, size);
            if (arena.total > 500000)
                break;
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
    assert_int_equal(counter.taken, counter.given);
    assert_int_equal(counter.bytes, 0);
}

static void pieces_never_overlap(void **state)
{
    enum { count = 4000 };
    static unsigned char *piece[count];
    static size_t size[count];
    struct counter counter;
    struct arena arena = counted(&counter, 2048, 64 << 20);
    struct random64 random = { 1 };

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < count; i++) {
            size[i] = random_below(&random, i % 50 == 0 ? 9000 : 200);
            piece[i] = arena_alloc(&arena, size[i]);
            assert_non_null(piece[i]);
            memset(piece[i], i & 0xff, size[i]);
        }
        for (int i = 0; i < count; i++) {
            for (size_t k = 0; k < size[i]; k++)
                assert_int_equal(piece[i][k], i & 0xff);
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
    assert_int_equal(counter.bytes, 0);
}

static void warm_arena_asks_for_nothing(void **state)
{
    struct counter counter;
    struct arena arena = counted(&counter, 1024, 1 << 20);
    size_t cold = 0;

    (void)state;
    for (int round = 0; round < 5; round++) {
        struct random64 random = { 7 };
        for (int i = 0; i < 200; i++)
            assert_non_null(arena_alloc(&arena, random_below(&random, 1500)));
        if (round == 0)
            cold = counter.taken;
        assert_int_equal(counter.taken, cold);
        assert_int_equal(counter.given, 0);
        arena_reset(&arena);
    }
    arena_release(&arena);
    assert_int_equal(counter.given, cold);
}

static void cap_is_never_passed(void **state)
{
    (void)state;
    for (size_t cap = 64; cap < 6000; cap += 333) {
        struct counter counter;
        struct arena arena = counted(&counter, 512, cap);
        struct random64 random = { cap };
        for (int i = 0; i < 300; i++) {
            void *piece = arena_alloc(&arena, random_below(&random, 900));
            assert_int_equal(piece == NULL ? 1 : 0, arena.failed ? 1 : 0);
            assert_true(counter.bytes <= cap);
            assert_int_equal(counter.bytes, arena.total);
            if (piece == NULL)
                arena_reset(&arena);
            assert_false(arena.failed);
        }
        assert_true(counter.most <= cap);
        arena_release(&arena);
        assert_int_equal(counter.bytes, 0);
    }
}

static void small_free_blocks_make_way(void **state)
{
    struct counter counter;
    struct arena arena = counted(&counter, 128, 1024);

    (void)state;
    while (arena_alloc(&arena, 80) != NULL)
        ;
    assert_true(arena.failed);
    assert_true(counter.taken > 5);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 800)); /* a cold arena could as well */
    assert_true(counter.bytes <= 1024);
    arena_release(&arena);
    assert_int_equal(counter.bytes, 0);
}

static void refusals_are_remembered_until_reset(void **state)
{
    struct counter counter;
    struct arena arena = counted(&counter, 256, 1 << 20);

    (void)state;
    counter.refuse_from = 2;
    assert_non_null(arena_alloc(&arena, 100));
    assert_null(arena_alloc(&arena, 300));
    assert_true(arena.failed);
    assert_non_null(arena_alloc(&arena, 32)); /* what is there still serves */
    assert_true(arena.failed);
    arena_reset(&arena);
    assert_false(arena.failed);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 4));
    assert_null(arena_array(&arena, uint64_t, SIZE_MAX / 4));
    assert_null(arena_array(&arena, uint64_t, SIZE_MAX / 8 + 2)); /* 8 bytes, were it to wrap */
    assert_true(arena.failed);
    arena_reset(&arena);
    assert_non_null(arena_alloc_array(&arena, 0, 8));
    assert_false(arena.failed);
    assert_non_null(arena_alloc_bytes(&arena, 0));
    assert_null(arena_alloc_bytes(&arena, SIZE_MAX));
    assert_true(arena.failed);
    arena_release(&arena);
}

static void rewind_forgets_what_came_later(void **state)
{
    struct counter counter;
    struct arena arena = counted(&counter, 512, 1 << 20);

    (void)state;
    struct arena_mark start = arena_mark(&arena); /* before the first block */
    unsigned char *kept = arena_alloc(&arena, 100);
    memset(kept, 0x11, 100);
    struct arena_mark mark = arena_mark(&arena);
    unsigned char *first = arena_alloc(&arena, 50);
    memset(first, 0x22, 50);
    for (int i = 0; i < 20; i++)
        memset(arena_alloc(&arena, 400), 0x33, 400);
    size_t taken = counter.taken;
    arena_rewind(&arena, mark);
    unsigned char *again = arena_alloc(&arena, 50);
    assert_ptr_equal(again, first);
    assert_zeroed(again, 50);
    for (int i = 0; i < 20; i++)
        assert_zeroed(arena_alloc(&arena, 400), 400);
    assert_int_equal(counter.taken, taken);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kept[i], 0x11);
    arena_rewind(&arena, start);
    assert_ptr_equal(arena_alloc(&arena, 100), kept);
    arena_release(&arena);
    assert_int_equal(counter.bytes, 0);
    arena_release(&arena); /* harmless */
}

static void fixed_arena_stays_inside(void **state)
{
    _Alignas(16) static unsigned char memory[272];
    struct arena arena;
    size_t count = 0;

    (void)state;
    memset(memory, 0xee, sizeof memory);
    arena_init_fixed(&arena, memory, 256 + 5); /* an odd size is cut */
    for (;;) {
        unsigned char *piece = arena_alloc(&arena, 16);
        if (piece == NULL)
            break;
        assert_true(piece >= memory);
        assert_true(piece + 16 <= memory + 261);
        assert_zeroed(piece, 16);
        count++;
    }
    assert_true(count >= 14);
    assert_true(arena.failed);
    for (size_t i = 256; i < sizeof memory; i++)
        assert_int_equal(memory[i], 0xee);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, count * 16));
    assert_null(arena_alloc(&arena, 1));
    arena_release(&arena);
    assert_null(arena_alloc(&arena, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_and_aligned),
        cmocka_unit_test(pieces_never_overlap),
        cmocka_unit_test(warm_arena_asks_for_nothing),
        cmocka_unit_test(cap_is_never_passed),
        cmocka_unit_test(small_free_blocks_make_way),
        cmocka_unit_test(refusals_are_remembered_until_reset),
        cmocka_unit_test(rewind_forgets_what_came_later),
        cmocka_unit_test(fixed_arena_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
