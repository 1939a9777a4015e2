/*
 * sort.c - a stable merge sort.
 *
 * Owns:      short runs by insertion, then merges from one array into the other and back.
 * Must not:  recurse or allocate.
 * Invariant: an item moves before another only if it is less, never when they are equal.
 * Cost:      O(n log n) comparisons, also in the worst case.
 * Tests:     tests/unit/base/test_sort.c
 */
#include "base/sort.h"

#include "base/mem.h"

enum { sort_run = 8 };

struct sort_order {
    size_t size;
    int (*compare)(const void *a, const void *b, void *context);
    void *context;
};

/* Sort a short run in place; `spare` has room for one item. */
static void insert_run(const struct sort_order *order, char *items, size_t count, char *spare)
{
    size_t size = order->size;

    assert(count <= sort_run);
    for (size_t i = 1; i < count; i++) {
        char *item = items + i * size;
        size_t to = i;
        while (to > 0 && order->compare(items + (to - 1) * size, item, order->context) > 0)
            to--;
        if (to == i)
            continue;
        memcpy(spare, item, size);
        memmove(items + (to + 1) * size, items + to * size, (i - to) * size);
        memcpy(items + to * size, spare, size);
    }
}

/* Merge left[0..left_count) and the right_count items that follow it into `out`. */
static void merge(const struct sort_order *order, const char *left, size_t left_count,
                  size_t right_count, char *out)
{
    size_t size = order->size;
    const char *middle = left + left_count * size;
    const char *right = middle;
    const char *end = middle + right_count * size;

    while (left < middle && right < end) {
        const char **from = order->compare(left, right, order->context) <= 0 ? &left : &right;
        memcpy(out, *from, size);
        *from += size;
        out += size;
    }
    assert(left == middle || right == end);
    memcpy(out, left, (size_t)(middle - left));
    memcpy(out + (middle - left), right, (size_t)(end - right));
}

void sort_stable(void *items, size_t count, size_t size, void *scratch,
                 int (*compare)(const void *a, const void *b, void *context), void *context)
{
    struct sort_order order = { .size = size, .compare = compare, .context = context };
    char *from = items;
    char *to = scratch;

    assert(size > 0);
    assert(count <= SIZE_MAX / 2 / size);
    if (count < 2)
        return;
    for (size_t at = 0; at < count; at += sort_run) {
        size_t run = count - at < sort_run ? count - at : sort_run;
        insert_run(&order, from + at * size, run, to);
    }
    for (size_t width = sort_run; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at < width ? count - at : width;
            size_t right = count - at - left < width ? count - at - left : width;
            merge(&order, from + at * size, left, right, to + at * size);
        }
        char *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * size);
}
