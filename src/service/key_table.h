/*
 * key_table.h - millions of keyed hashes in memory, found at once and walked in order.
 *
 * Owns:      struct key_table.
 * Must not:  know what the keys stand for, or be given keys that are not evenly spread.
 * Invariant: items stand in the order of their keys; no key twice.
 * Cost:      40 bytes an item, at most 2.7 times that for room; put and find look at a few
 *            neighbours.
 *
 * A key is a hash, so its first bits say where in the table it belongs: an item stands at its
 * place or
 * just after it, behind those with smaller keys. So the table needs no sorting when it is walked.
 */
#ifndef KOP_SERVICE_KEY_TABLE_H
#define KOP_SERVICE_KEY_TABLE_H

#include "base/check.h"

enum { key_table_key_bytes = 16 };

struct key_item {
    unsigned char key[key_table_key_bytes];
    uint64_t owner_id;     /* never 0 */
    uint64_t value, check; /* the caller's */
};

struct key_table {
    struct key_item *slot;
    uint64_t cap, count; /* places that keys belong to; a tail of spare ones follows */
};

void key_table_init(struct key_table *table);
void key_table_release(struct key_table *table);
/* NULL: it is not there. Valid until the next put. */
const struct key_item *key_table_find(const struct key_table *table,
                                      const unsigned char key[key_table_key_bytes]);
/* Its key must not be there. false: no memory, and nothing changed. */
KOP_MUST_CHECK bool key_table_put(struct key_table *table, const struct key_item *item);
/* The items in order: `*at` 0 at first; NULL after the last. */
const struct key_item *key_table_next(const struct key_table *table, uint64_t *at);

#endif
