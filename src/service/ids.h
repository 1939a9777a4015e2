/*
 * ids.h - ids: 42 bits of milliseconds since 2024-01-01, 10 bits of node, 12 bits of sequence.
 *
 * Owns:      making them, never backwards, from any thread, within what a lease allows.
 * Must not:  know where leases come from (service/lease.h).
 * Invariant: strictly rising within a node, whatever the clock does; positive as int64 until 2093.
 *            None has a time before the lease's beginning or at its end or later, so that whoever
 *            has the node next, and begins at that end, makes none of them again.
 */
#ifndef KOP_SERVICE_IDS_H
#define KOP_SERVICE_IDS_H

#include "core/amount.h"

#include <stdatomic.h>

enum { id_node_bits = 10, id_sequence_bits = 12, id_nodes = 1 << id_node_bits };
enum { programmes_per_tenant_max = 1023 }; /* numbers 1..1023, see anonymous_owner() */
/* Ids below this are not made by the clock: anonymous owners live there. */
#define ID_RESERVED (UINT64_C(1) << 40)

struct ids {
    _Atomic uint64_t last;  /* time and sequence, without the node */
    _Atomic uint64_t lease; /* the time that no id may have any more, and the node; 0: no lease */
};

/* Without a lease: none can be made. */
void ids_init(struct ids *ids);
/*
 * From now on ids are made with `node` and times from `from` up to `upto`, its end. The same node
 * again: a lease that was made longer. One thread at a time.
 */
void ids_lease(struct ids *ids, uint32_t node, unix_ms from, unix_ms upto);
/* No lease any more. The caller sees to it that nobody is making an id just now. */
void ids_end_lease(struct ids *ids);

/* The next id; 0 when the lease does not reach so far. */
uint64_t ids_next(struct ids *ids, unix_ms now);

/* The end of the lease; INT64_MIN when there is none. */
unix_ms ids_leased_upto(const struct ids *ids);
/* The first time of which no id was made: what is ahead of the clock when that went back. */
unix_ms ids_made_upto(const struct ids *ids);

/* The least id that the clock can make at `at` or later. */
uint64_t ids_from(unix_ms at);

/* One of the 1 024 owners of receipts without a card: chosen by the hash of the receipt's key. */
uint64_t anonymous_owner(uint32_t tenant, uint32_t programme, uint64_t hash);

#endif
