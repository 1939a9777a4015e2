/*
 * map.h - text to uint32, in an arena, built once and read often.
 *
 * Owns:      an open-addressing table. Keys are borrowed: they must outlive the map.
 * Invariant: at most 70 % full; insertion order does not change what is found.
 */
#ifndef KOP_BASE_MAP_H
#define KOP_BASE_MAP_H

#include "base/text.h"

struct map_slot {
    struct text key;
    uint32_t value;
    bool used;
};

struct map {
    struct map_slot *slot;
    uint32_t cap, count;
    struct arena *arena;
};

void map_init(struct map *map, struct arena *arena);
/* true when new; false when the key was there (its value stays) or no memory (arena->failed). */
bool map_put(struct map *map, struct text key, uint32_t value);
/* false and `*value` untouched when absent. */
bool map_get(const struct map *map, struct text key, uint32_t *value);

#endif
