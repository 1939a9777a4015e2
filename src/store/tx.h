/*
 * tx.h - the transaction that an operation runs in, as the runner sees it.
 *
 * Owns:      struct tx: which operation, on which connection, and what it has written so far.
 * Must not:  be seen outside src/store.
 * Invariant: rows that more than one owner can touch (directory, claim) wait in the tx until run()
 *            has come back, and are written last, the directory first, each in key order.
 */
#ifndef KOP_STORE_TX_H
#define KOP_STORE_TX_H

#include "store/backend.h"

/* A directory row that waits for the end of its operation. */
struct late_row {
    struct directory_row row;
    bool drop;   /* delete it instead */
    bool is_new; /* nobody had the key when it was looked for: CONFLICT if somebody has now */
    struct late_row *next;
};

/* A directory row as this operation saw it. */
struct seen_row {
    struct route route;
    struct seen_row *next;
};

/* Why an operation on a concurrent database was stopped; it runs again, or is a repeat. */
enum tx_stop {
    TX_GOES_ON,
    TX_REPEAT,   /* the claim is there: `existing` is filled in */
    TX_REROUTED, /* a key leads elsewhere than was thought */
    TX_SHARED,   /* it writes rows that all servers share: their lock must come first */
};

struct tx {
    struct backend *backend;
    struct op *op;
    bool wrote;                     /* something went to the database: a failure must roll back */
    bool wrote_owner, wrote_person; /* never both in one transaction */
    bool wrote_config;     /* tx_write_late() raises config_version */
    bool broken;           /* a statement failed: the transaction cannot be trusted any more */
    struct late_row *late; /* in key order, each key once */
    bool claims;           /* store_write() ran, so the claim is to be written */
    uint64_t claim_owner, claim_op; /* of the first store_write(), also by which to look it up: */
    uint64_t wrote_version;
    unsigned char wrote_head[32];
    bool wrote_record, wrote_claim;
    /* Of a concurrent database, see recheck.c and solo.c: */
    bool check_due;          /* routes and claim are to be looked up with the next queries */
    bool shared_locked;      /* no other server writes config rows */
    enum tx_stop stop;
    enum code failure;       /* of the first statement that failed */
    struct seen_row *seen;   /* what store_find() gave */
    /* Set by the runner: is this read in the way of the gate? NULL: never. */
    bool (*overdue)(void *context);
    void *overdue_context;
};

/* The routes and the claim of tx->op. With a claim that exists, its record as well. */
KOP_MUST_CHECK enum code tx_resolve(struct tx *tx, struct err *err);

/* The queries by which an operation's routes and claim are looked up; how many. */
uint32_t tx_route_queries(const struct op *op, struct query *query, struct cell *key);
/* What such queries found. */
void tx_take_route(struct route *route, const struct query *query);
KOP_MUST_CHECK enum code tx_take_claim(struct tx *tx, const struct query *claim, struct err *err);

/* What was kept for the end. */
KOP_MUST_CHECK enum code tx_write_late(struct tx *tx, struct err *err);

/* One query that belongs to nobody's operation (meta rows, checks). */
KOP_MUST_CHECK enum code backend_run_one(struct backend *backend, enum table table, enum verb verb,
                                         const struct cell *param, struct arena *arena,
                                         struct query *query, struct err *err);

#endif
