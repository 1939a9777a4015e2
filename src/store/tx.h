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
    bool drop; /* delete it instead */
    struct late_row *next;
};

struct tx {
    struct backend *backend;
    struct op *op;
    bool wrote;                     /* something went to the database: a failure must roll back */
    bool wrote_owner, wrote_person; /* never both in one transaction */
    bool broken;           /* a statement failed: the transaction cannot be trusted any more */
    struct late_row *late; /* in key order, each key once */
    bool claims;           /* store_write() ran, so the claim is to be written */
    uint64_t claim_owner, claim_op;
    /* Set by the runner: is this read in the way of the gate? NULL: never. */
    bool (*overdue)(void *context);
    void *overdue_context;
};

/* The routes and the claim of tx->op. With a claim that exists, its record as well. */
KOP_MUST_CHECK enum code tx_resolve(struct tx *tx, struct err *err);

/* What was kept for the end. */
KOP_MUST_CHECK enum code tx_write_late(struct tx *tx, struct err *err);

/* One query that belongs to nobody's operation (meta rows, checks). */
KOP_MUST_CHECK enum code backend_run_one(struct backend *backend, enum table table, enum verb verb,
                                         const struct cell *param, struct arena *arena,
                                         struct query *query, struct err *err);

#endif
