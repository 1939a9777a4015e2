/*
 * lot.h - the open lots of one owner, and what happens to one of them.
 *
 * Owns:      finding, making and closing lots in their order; lot_move().
 * Must not:  be used by flow: the verbs of ledger.h are.
 * Invariant: a lot changes only together with its movement.
 */
#ifndef KOP_LEDGER_LOT_H
#define KOP_LEDGER_LOT_H

#include "ledger/movement.h"

/*
 * The open lot of this number, or NULL. A take or lot finds it faster than the number alone, by
 * the life it had; where that was prolonged since, all lots are looked through. Pointers are good
 * until the next lots_insert() or lots_close().
 */
struct lot *lots_find(const struct owner *owner, uint32_t lot_no);
struct lot *lots_find_life(const struct owner *owner, uint32_t lot_no, unix_ms expires_at);

/* Put `lot` at its place. NULL: the booking has failed. */
struct lot *lots_insert(struct ledger *ledger, const struct lot *lot);

/* Forget the lots of which nothing is left. Callers do it once, after all that they change. */
void lots_close(struct owner *owner);

/* Give an open lot another end, at its new place. */
struct lot *lots_prolong(struct owner *owner, struct lot *lot, unix_ms expires_at);

/* The part that is not held. */
amount lot_free(const struct lot *lot);

/* The lot that `take` came from, as it was made, with nothing in it. */
struct lot lot_of_take(const struct take *take);

/*
 * Move `part` > 0 of `lot` as `kind` says, and book it, at the instant `at`. `ref`: see struct
 * movement. false: the booking has failed, the lot is as it was.
 */
bool lot_move(struct ledger *ledger, struct lot *lot, enum movement_kind kind, amount part,
              uint64_t ref, unix_ms at);

#endif
