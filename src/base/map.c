/*
 * map.c - an open-addressing table from text to uint32.
 *
 * Owns:      probing and growing.
 * Must not:  hold what strangers choose in bulk: the hash has no key, so they could make it slow.
 * Invariant: `cap` is 0 or a power of two; at most 70 % of the slots are used, so a probe ends.
 * Cost:      O(1) on average. A table that has grown leaves its predecessors in the arena.
 * Tests:     tests/unit/base/test_map.c
 */
#include "base/map.h"

enum { map_cap_min = 16 };

void map_init(struct map *map, struct arena *arena)
{
    assert(arena != NULL);
    *map = (struct map){ .arena = arena };
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct map_slot *find(struct map_slot *slots, uint32_t cap, struct text key)
{
    assert(cap > 0);
    assert((cap & (cap - 1)) == 0);

    uint64_t hash = text_hash(key);
    uint32_t at = (uint32_t)(hash ^ (hash >> 32)) & (cap - 1);
    while (slots[at].used && !text_equal(slots[at].key, key))
        at = (at + 1) & (cap - 1);
    return &slots[at];
}

static bool grow(struct map *map)
{
    if (map->cap > UINT32_MAX / 2) {
        map->arena->failed = true;
        return false;
    }
    uint32_t cap = map->cap == 0 ? map_cap_min : map->cap * 2;
    struct map_slot *slots = arena_array(map->arena, struct map_slot, cap);
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < map->cap; i++) {
        if (map->slot[i].used)
            *find(slots, cap, map->slot[i].key) = map->slot[i];
    }
    assert(cap > map->cap);
    map->slot = slots;
    map->cap = cap;
    return true;
}

bool map_put(struct map *map, struct text key, uint32_t value)
{
    uint32_t unused;

    if (map_get(map, key, &unused))
        return false;
    if (((uint64_t)map->count + 1) * 10 > (uint64_t)map->cap * 7 && !grow(map))
        return false;
    struct map_slot *slot = find(map->slot, map->cap, key);
    assert(!slot->used);
    *slot = (struct map_slot){ .key = key, .value = value, .used = true };
    map->count++;
    return true;
}

bool map_get(const struct map *map, struct text key, uint32_t *value)
{
    assert(value != NULL);
    if (map->cap == 0)
        return false;
    const struct map_slot *slot = find(map->slot, map->cap, key);
    if (!slot->used)
        return false;
    *value = slot->value;
    return true;
}
