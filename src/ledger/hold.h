/*
 * hold.h - holds of one owner, for the other verbs of the ledger.
 *
 * Owns:      releasing parts of holds, and forgetting holds.
 * Must not:  be used by flow: the verbs of ledger.h are.
 */
#ifndef KOP_LEDGER_HOLD_H
#define KOP_LEDGER_HOLD_H

#include "ledger/lot.h"

/* Release all that `hold` holds, at the instant `at`, and repay debt from it. The hold itself
 * stays in the owner's list; the caller closes lots afterwards. */
void hold_release(struct ledger *ledger, const struct hold *hold, unix_ms at);

/* Release `points` of one lot from the hold `id`, which forgets them; and the hold, when it is
 * empty. The caller spends them at once: debt is not repaid from them. */
void hold_release_part(struct ledger *ledger, uint64_t id, const struct take *part);

/* Forget the holds that have ended by `now`; what they held is released before. */
void holds_drop_ended(struct owner *owner, unix_ms now);

#endif
