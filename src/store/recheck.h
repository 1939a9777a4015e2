/*
 * recheck.h - on a concurrent database: what an operation took for granted is looked up again
 * before it counts.
 *
 * Owns:      see recheck.c.
 * Must not:  be used where one connection writes: there nothing can change meanwhile.
 */
#ifndef KOP_STORE_RECHECK_H
#define KOP_STORE_RECHECK_H

#include "store/tx_run.h"

/*
 * Run queries, and with them look routes and claim up again. AGAIN with tx->stop when they moved.
 */
KOP_MUST_CHECK enum code recheck_with(struct tx *tx, struct query *query, uint32_t count,
                                      struct arena *arena, struct err *err);
/* The operation wrote nothing: may it be refused, or has its claim come meanwhile? As above. */
KOP_MUST_CHECK enum code recheck_refusal(struct tx *tx, struct err *err);
/* Remember what store_find() gave. */
KOP_MUST_CHECK enum code recheck_note(struct tx *tx, const struct route *route, struct err *err);
/*
 * Lock directory rows that are about to be written and compare them with what the operation saw;
 * marks those that are new.
 */
KOP_MUST_CHECK enum code recheck_late(struct tx *tx, struct err *err);

#endif
