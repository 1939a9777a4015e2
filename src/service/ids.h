/*
 * ids.h - ids: 42 bits of milliseconds since 2024-01-01, 10 bits of node, 12 bits of sequence.
 *
 * Owns:      making them, never backwards, from any thread.
 * Invariant: strictly rising within a node, whatever the clock does; positive as int64 until 2093.
 */
#ifndef KOP_SERVICE_IDS_H
#define KOP_SERVICE_IDS_H

#include "core/amount.h"

#include <stdatomic.h>

enum { id_node_bits = 10, id_sequence_bits = 12 };
enum { programmes_per_tenant_max = 1023 }; /* numbers 1..1023, see anonymous_owner() */
/* Ids below this are not made by the clock: anonymous owners live there. */
#define ID_RESERVED (UINT64_C(1) << 40)

struct ids {
    _Atomic uint64_t last; /* time and sequence, without the node */
    uint64_t node;
};

void ids_init(struct ids *ids, uint32_t node);
uint64_t ids_next(struct ids *ids, unix_ms now);

/* The least id that the clock can make at `at` or later. */
uint64_t ids_from(unix_ms at);

/* One of the 1 024 owners of receipts without a card: chosen by the hash of the receipt's key. */
uint64_t anonymous_owner(uint32_t tenant, uint32_t programme, uint64_t hash);

#endif
