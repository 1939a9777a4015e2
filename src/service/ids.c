/*
 * ids.c - ids: 42 bits of milliseconds since 2024-01-01, 10 bits of node, 12 bits of sequence.
 *
 * Owns:      making them, never backwards, from any thread, within what a lease allows.
 * Tests:     tests/unit/service/test_ids.c
 */
#include "service/ids.h"

#define ID_EPOCH_MS INT64_C(1704067200000) /* 2024-01-01T00:00:00Z */

enum { anonymous_owners = 1024, programme_slots = programmes_per_tenant_max + 1 };

void
ids_init(struct ids *ids)
{
    atomic_init(&ids->last, 0);
    atomic_init(&ids->lease, 0);
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

/* id_time() back. */
static unix_ms
time_of(uint64_t time)
{
    return (unix_ms)(time - (ID_RESERVED >> (id_node_bits + id_sequence_bits))) + ID_EPOCH_MS;
}

void
ids_lease(struct ids *ids, uint32_t node, unix_ms from, unix_ms upto)
{
    uint64_t before = (id_time(from) << id_sequence_bits) - 1; /* the last id of the time before */
    uint64_t last = atomic_load(&ids->last);

    assert(node < id_nodes);
    assert(from < upto);
    while (last < before && !atomic_compare_exchange_weak(&ids->last, &last, before))
        ;
    atomic_store(&ids->lease, id_time(upto) << id_node_bits | node);
}

void
ids_end_lease(struct ids *ids)
{
    atomic_store(&ids->lease, 0);
}

unix_ms
ids_leased_upto(const struct ids *ids)
{
    uint64_t lease = atomic_load(&ids->lease);

    return lease ? time_of(lease >> id_node_bits) : INT64_MIN;
}

unix_ms
ids_made_upto(const struct ids *ids)
{
    uint64_t last = atomic_load(&ids->last);

    return last ? time_of((last >> id_sequence_bits) + 1) : ID_EPOCH_MS;
}

/*
 * The lease is read before `last`: if it changes meanwhile, an id of the old one is still within
 * what was allowed to that, and `last` is shared by all leases that this process ever had.
 */
uint64_t
ids_next(struct ids *ids, unix_ms now)
{
    uint64_t lease = atomic_load_explicit(&ids->lease, memory_order_acquire);
    uint64_t wanted = id_time(now) << id_sequence_bits;
    uint64_t last = atomic_load_explicit(&ids->last, memory_order_relaxed);
    uint64_t next;

    do {
        next = wanted > last ? wanted : last + 1; /* a clock that stands or goes back: count on */
        if (next >> id_sequence_bits >= lease >> id_node_bits)
            return 0;
    } while (!atomic_compare_exchange_weak(&ids->last, &last, next));
    uint64_t sequence = next & ((1u << id_sequence_bits) - 1);
    uint64_t time = next >> id_sequence_bits;
    uint64_t node = lease & (id_nodes - 1);
    return time << (id_node_bits + id_sequence_bits) | node << id_sequence_bits | sequence;
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
