/*
 * tx_run.h - running statements inside a transaction, for tx.c and book.c.
 *
 * Owns:      the one way of an operation to its connection.
 * Must not:  be included by the runner, which has tx.h.
 */
#ifndef KOP_STORE_TX_RUN_H
#define KOP_STORE_TX_RUN_H

#include "store/tx.h"

/*
 * Run queries; remembers that something was written, refuses to write in an operation that reads.
 */
KOP_MUST_CHECK enum code tx_run(struct tx *tx, struct query *query, uint32_t count,
                                struct arena *arena, struct err *err);
KOP_MUST_CHECK enum code tx_run_one(struct tx *tx, enum table table, enum verb verb,
                                    const struct cell *param, struct arena *arena,
                                    struct query *query, struct err *err);

/* Cells in each row that came back (not of DUE, which has two, or COUNT, which has one). */
static inline uint32_t
query_columns(const struct query *query)
{
    return shape_of(query->table)->column_count;
}

#endif
