/*
 * ids.c - ids: 42 bits of milliseconds since 2024-01-01, 10 bits of node, 12 bits of sequence.
 *
 * Owns:      making them, never backwards, from any thread.
 * Tests:     tests/unit/service/test_ids.c
 */
#include "service/ids.h"

#define ID_EPOCH_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */

enum { anonymous_owners = 1024, programme_slots = programmes_per_tenant_max + 1 };

void
ids_init(struct ids *ids, uint32_t node)
{
    assert(node < 1u << id_node_bits);
    atomic_init(&ids->last, 0);
    ids->node = node;
}

/* The time in an id: milliseconds since the epoch, above what is reserved. */
static uint64_t
id_time(unix_ms at)
{
    uint64_t since = at > ID_EPOCH_MS ? (uint64_t)(at - ID_EPOCH_MS) : 0;

    return since + (ID_RESERVED >> (id_node_bits + id_sequence_bits));
}

uint64_t
ids_from(unix_ms at)
{
    return id_time(at) << (id_node_bits + id_sequence_bits);
}

uint64_t
ids_next(struct ids *ids, unix_ms now)
{
    uint64_t wanted = id_time(now) << id_sequence_bits;
    uint64_t last = atomic_load_explicit(&ids->last, memory_order_relaxed);
    uint64_t next;

    do {
        next = wanted > last ? wanted : last + 1; /* a clock that stands or goes back: count on */
    } while (!atomic_compare_exchange_weak(&ids->last, &last, next));
    uint64_t sequence = next & ((1u << id_sequence_bits) - 1);
    uint64_t time = next >> id_sequence_bits;
    return time << (id_node_bits + id_sequence_bits) | ids->node << id_sequence_bits | sequence;
}

uint64_t
anonymous_owner(uint32_t tenant, uint32_t programme, uint64_t hash)
{
    assert(programme <= programmes_per_tenant_max);
    uint64_t slot = (uint64_t)tenant * programme_slots + programme;
    uint64_t id = slot * anonymous_owners + hash % anonymous_owners;
    assert(id > 0 && id < ID_RESERVED);
    return id;
}
