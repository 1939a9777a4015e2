/*
 * movement.h - one movement booked: its number and both of its accounts.
 *
 * Owns:      ledger_book(), the only place where a balance changes or a movement is numbered.
 * Must not:  be used by flow: the verbs of ledger.h are.
 * Invariant: a movement that cannot be booked changes nothing and fails the booking as a whole.
 */
#ifndef KOP_LEDGER_MOVEMENT_H
#define KOP_LEDGER_MOVEMENT_H

#include "ledger/ledger.h"

/*
 * Book `movement`: owner, number and operation are filled in here, everything else is the caller's.
 * Returns its number; 0 when the booking has failed (now or before), and then nothing was changed.
 */
uint32_t ledger_book(struct ledger *ledger, const struct movement *movement);

/* The number that the next movement will have; 0 when the booking has failed. */
uint32_t ledger_next_no(struct ledger *ledger);

/* Remember the first failure; every later step does nothing, and ledger_finish() reports it. */
void ledger_fail(struct ledger *ledger, enum code code);

#endif
