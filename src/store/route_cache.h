/*
 * route_cache.h - which owner a directory key led to last time.
 *
 * Owns:      struct route_cache: a bounded table, one thread's.
 * Must not:  be believed: what comes from it is looked up again under the owner's lock.
 */
#ifndef KOP_STORE_ROUTE_CACHE_H
#define KOP_STORE_ROUTE_CACHE_H

#include "store/store.h"

struct route_cache;

/* Room for `slots` keys (a power of two); NULL: no memory. */
struct route_cache *route_cache_new(uint32_t slots);
void route_cache_free(struct route_cache *cache);

/* Fill the route in as it was when it was kept; false: it is not known. */
bool route_cache_get(const struct route_cache *cache, struct route *route);
/* Keep a route that was found, drop one that was not. A new key may push another one out. */
void route_cache_put(struct route_cache *cache, const struct route *route);

/* Spreads any key over 48 bits; by the lowest of them a lane is chosen. */
uint64_t key_hash(struct text key);

#endif
