/*
 * key_table.c - millions of keyed hashes in memory, found at once and walked in order.
 *
 * Owns:      the places of items: linear probing that keeps neighbours in order.
 * Tests:     tests/unit/service/test_key_table.c
 */
#include "service/key_table.h"

#include <stdlib.h>
#include <string.h>

enum { cap_first = 1024, tail_places = 1024, fullness_num = 3, fullness_den = 4 };

void
key_table_init(struct key_table *table)
{
    *table = (struct key_table){ 0 };
}

void
key_table_release(struct key_table *table)
{
    free(table->slot);
    *table = (struct key_table){ 0 };
}

/* Where the key belongs: its first 32 bits as a fraction of the table. Rises with the key. */
static uint64_t
place_of(const struct key_table *table, const unsigned char *key)
{
    uint64_t first = (uint64_t)key[0] << 24 | (uint64_t)key[1] << 16 | (uint64_t)key[2] << 8 |
                     key[3];

    assert(table->cap <= UINT64_C(1) << 32);
    return first * table->cap >> 32;
}

/* The first item at or after the key's place that is not before it, or the hole before that. */
static uint64_t
seek(const struct key_table *table, const unsigned char *key)
{
    uint64_t at = place_of(table, key), end = table->cap + tail_places;

    while (at < end && table->slot[at].owner_id &&
           memcmp(table->slot[at].key, key, key_table_key_bytes) < 0)
        at++;
    return at;
}

const struct key_item *
key_table_find(const struct key_table *table, const unsigned char key[key_table_key_bytes])
{
    if (!table->count)
        return NULL;
    uint64_t at = seek(table, key);
    const struct key_item *item = &table->slot[at];
    bool found = at < table->cap + tail_places && item->owner_id &&
                 memcmp(item->key, key, key_table_key_bytes) == 0;
    return found ? item : NULL;
}

/* Room for the item; false: the spare places at the end are used up. */
static bool
insert(struct key_table *table, const struct key_item *item)
{
    uint64_t at = seek(table, item->key), hole = at, end = table->cap + tail_places;

    assert(at == end || memcmp(table->slot[at].key, item->key, key_table_key_bytes) != 0);
    while (hole < end && table->slot[hole].owner_id)
        hole++;
    if (hole == end)
        return false;
    memmove(&table->slot[at + 1], &table->slot[at], (hole - at) * sizeof(*item));
    table->slot[at] = *item;
    table->count++;
    return true;
}

/* The items of `from`, which come in order, each at its place or after the one before. */
static bool
refill(struct key_table *table, const struct key_table *from)
{
    uint64_t walk = 0, free_from = 0, end = table->cap + tail_places;

    for (const struct key_item *item; (item = key_table_next(from, &walk)) != NULL;) {
        uint64_t at = place_of(table, item->key);
        if (at < free_from)
            at = free_from;
        if (at == end)
            return false;
        table->slot[at] = *item;
        free_from = at + 1;
    }
    table->count = from->count;
    return true;
}

static bool
grow(struct key_table *table)
{
    struct key_table larger = { .cap = table->cap ? table->cap * 2 : cap_first };

    larger.slot = calloc(larger.cap + tail_places, sizeof(*larger.slot));
    if (!larger.slot || !refill(&larger, table)) {
        free(larger.slot);
        return false;
    }
    free(table->slot);
    *table = larger;
    return true;
}

bool
key_table_put(struct key_table *table, const struct key_item *item)
{
    assert(item->owner_id != 0);
    if (table->count >= table->cap / fullness_den * fullness_num && !grow(table))
        return false;
    while (!insert(table, item))
        if (!grow(table))
            return false;
    return true;
}

const struct key_item *
key_table_next(const struct key_table *table, uint64_t *at)
{
    uint64_t end = table->cap ? table->cap + tail_places : 0;

    while (*at < end && !table->slot[*at].owner_id)
        (*at)++;
    return *at < end ? &table->slot[(*at)++] : NULL;
}
