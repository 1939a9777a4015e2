/*
 * world.h - one owner with a store around it, for tests of the ledger.
 *
 * Owns:      struct world: what a store would keep (row, overflow rows, rolling rows, movements).
 * Must not:  keep anything of a booking but what its `changes` say.
 */
#ifndef KOP_TESTS_UNIT_LEDGER_WORLD_H
#define KOP_TESTS_UNIT_LEDGER_WORLD_H

#include "ledger/ledger.h"

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

enum { world_body_max = 1 << 20, world_rows_max = 4096 };

struct world {
    struct terms terms;
    struct currency_terms currency[3];
    struct counter_terms counter[4];
    struct ladder_terms ladder[2];
    struct arena lasting; /* zone and the like */
    /* What the store keeps: */
    struct owner row; /* columns only */
    char *body;
    size_t body_size;
    struct lot *overflow; /* by number, as rows lie */
    uint32_t overflow_count;
    struct counter_state *rolling;
    uint32_t rolling_count;
    struct movement *movement;
    uint32_t movement_count, movement_cap;
    uint32_t loads, puts, drops; /* figures for tests of overflow */
    /* The booking in progress: */
    struct arena arena;
    struct owner owner;
    struct changes changes;
    struct ledger ledger;
    uint64_t last_op;
};

/* Three currencies (1: a year of life; 2: two weeks pending, then a month; 3: refuses debt,
 * ten days of grace), counters (1 for ever, 2 by month, 3 the last 30 days, 4 counts
 * purchases), two ladders. */
void world_init(struct world *world);
void world_free(struct world *world);

/* The zone that lies `hours` east of UTC, always. */
const struct zone *world_zone(struct world *world, int hours);

/* Load the owner as stored into `arena`. */
void world_load(struct world *world, struct arena *arena, struct owner *owner);

/* Begin an operation at `now` and settle. */
struct ledger *world_begin(struct world *world, unix_ms now);
/* Begin without settling. */
struct ledger *world_open(struct world *world, unix_ms now);
/* Finish and store. The failure, if it fails; then nothing is stored. */
enum code world_commit(struct world *world);
/* The same, where failure is a failure of the test. */
void world_end(struct world *world);

/* Audit all movements against the row. NULL, or what is wrong. `*movement_no` as audit_end(). */
const char *world_audit(struct world *world, uint32_t *movement_no);
/* The same for a stream and a row of the caller's. */
const char *world_audit_of(struct world *world, const struct movement *movement, uint32_t count,
                           const struct owner *owner, uint32_t *movement_no);

/* 2025-01-31 at the first millisecond, in UTC. */
unix_ms day_of(int year, int month, int day);

/* A seeded generator (xorshift64*), and a number below `below`. */
uint64_t random_next(uint64_t *state);
uint64_t random_below(uint64_t *state, uint64_t below);

/* Are both the same, field by field, columns and lists? Says where not. */
const char *owner_difference(const struct owner *a, const struct owner *b);
const char *movement_difference(const struct movement *a, const struct movement *b);
bool lots_equal(const struct lot *a, const struct lot *b);

#endif
