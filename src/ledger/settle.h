/*
 * settle.h - what of a lot falls due, for the other verbs of the ledger.
 *
 * Owns:      expiry of what is free, repayment of debt.
 * Must not:  be used by flow: ledger_settle() is.
 */
#ifndef KOP_LEDGER_SETTLE_H
#define KOP_LEDGER_SETTLE_H

#include "ledger/lot.h"

/* Expire, at the instant `at`, all that is due by then and not held. The caller closes lots
 * afterwards. */
void lots_expire(struct ledger *ledger, unix_ms at);

/*
 * What has just become available in an active lot repays debt of its currency, as far as it goes.
 * Whoever makes points available calls it at once, lot by lot (semantics, "Settle"): then nobody
 * has available points and a debt, which ledger_check() asserts. The caller closes lots
 * afterwards.
 */
void lot_repay(struct ledger *ledger, struct lot *lot, unix_ms at);

#endif
