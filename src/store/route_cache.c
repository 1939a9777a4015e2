/*
 * route_cache.c - which owner a directory key led to last time.
 *
 * Owns:      the table: one place for each key, the newer key wins it.
 * Must not:  keep a claim's route (they are long, and rare), or that a key leads nowhere.
 * Cost:      56 bytes a slot; one comparison to find or to keep.
 * Tests:     tests/unit/store/test_route_cache.c
 */
#include "store/route_cache.h"

#include <stdlib.h>
#include <string.h>

enum { place_shift = 16 }; /* of the 48 bits that key_hash() fills */

struct slot {
    unsigned char key[directory_key_bytes];
    uint64_t owner_id, member_id;
    enum key_kind key_kind;
    enum key_state state;
    bool used;
};

struct route_cache {
    uint32_t mask;
    struct slot slot[];
};

uint64_t
key_hash(struct text key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (uint32_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * UINT64_C(1099511628211);
    hash ^= hash >> 32; /* the low bits of FNV-1a know little of the last bytes */
    return hash * UINT64_C(0x9e3779b97f4a7c15) >> 16;
}

struct route_cache *
route_cache_new(uint32_t slots)
{
    assert(slots > 0);
    assert((slots & (slots - 1)) == 0);
    struct route_cache *cache = calloc(1, sizeof *cache + slots * sizeof(struct slot));
    if (cache != NULL)
        cache->mask = slots - 1;
    return cache;
}

void
route_cache_free(struct route_cache *cache)
{
    free(cache);
}

static bool
may_keep(const struct route *route)
{
    return route->kind == ROUTE_DIRECTORY && route->key.len == directory_key_bytes;
}

/*
 * Not of the low bits: by those the lane was chosen, and all keys of one lane would share a part of
 * its places.
 */
static uint32_t
place_of(const struct route_cache *cache, struct text key)
{
    return (uint32_t)(key_hash(key) >> place_shift) & cache->mask;
}

bool
route_cache_get(const struct route_cache *cache, struct route *route)
{
    if (!may_keep(route))
        return false;
    const struct slot *slot = &cache->slot[place_of(cache, route->key)];
    if (!slot->used || memcmp(slot->key, route->key.ptr, sizeof slot->key) != 0)
        return false;
    route->found = true;
    route->owner_id = slot->owner_id;
    route->member_id = slot->member_id;
    route->key_kind = slot->key_kind;
    route->state = slot->state;
    return true;
}

void
route_cache_put(struct route_cache *cache, const struct route *route)
{
    if (!may_keep(route))
        return;
    struct slot *slot = &cache->slot[place_of(cache, route->key)];
    bool same = slot->used && memcmp(slot->key, route->key.ptr, sizeof slot->key) == 0;
    if (!route->found) {
        slot->used = slot->used && !same;
        return;
    }
    memcpy(slot->key, route->key.ptr, sizeof slot->key);
    slot->owner_id = route->owner_id;
    slot->member_id = route->member_id;
    slot->key_kind = route->key_kind;
    slot->state = route->state;
    slot->used = true;
}
