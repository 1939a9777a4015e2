/*
 * ledger.h - the book of one owner: earning, spending, holding, dying, taking back. Pure.
 *
 * Owns:      every change of an owner's lots, balances, holds and levels, each as a movement.
 * Must not:  know rules, receipts' lines, stores, hashes or a clock.
 * Invariant: (checked by ledger_check after every booking) balances equal both sides of the
 *            movements; sum of lot.left by currency = PENDING + ACTIVE; sum of lot.held = HELD =
 *            sum over holds; 0 <= held <= active; movement_no dense; no lot below zero or above
 *            its size; DEBT <= 0; never available points and a debt of one currency.
 * Meaning:   docs/semantics.md, from "Life of a lot" on.
 */
#ifndef KOP_LEDGER_LEDGER_H
#define KOP_LEDGER_LEDGER_H

#include "core/book.h"

/* A booking in progress on one owner: created by ledger_begin(), everything lands in `changes`. */
struct ledger {
    const struct terms *terms;
    struct arena *arena;
    struct owner *owner; /* changed in place */
    struct changes *changes;
    uint64_t op_id;
    unix_ms now;             /* recorded_at */
    uint32_t overflow_count; /* overflow lots as loaded */
    struct lot *overflow;
    bool failed; /* out of memory or a limit; see ledger_finish() */
    enum code failure;
};

/* An owner without movements. */
void owner_init(struct owner *owner, uint64_t owner_id, uint32_t tenant, uint32_t programme,
                uint32_t flags, unix_ms enrolled_at);

/*
 * Start booking operation `op_id` on `owner` (as loaded, changed in place); clears `changes`.
 * ledger_settle() comes next, before anything else. An owner's time never runs back: where `now`
 * is before what the owner is settled to, the booking counts as made then.
 */
void ledger_begin(struct ledger *ledger, const struct terms *terms, struct arena *arena,
                  struct owner *owner, struct changes *changes, uint64_t op_id, unix_ms now);

/* Apply what is due by `now`. Returns whether anything was. */
bool ledger_settle(struct ledger *ledger);

/* Active less held. Where there is any, there is no debt. */
amount ledger_available(const struct owner *owner, uint8_t currency);
amount owner_balance(const struct owner *owner, uint8_t currency, enum account account);

/* Earn `points` > 0 at `earned_at` into a new lot; repays debt from it at once when it is active.
 * Returns the lot's number, and its life. `kind` is MOVEMENT_EARN, OPEN or MOVE_IN. */
uint32_t ledger_earn(struct ledger *ledger, enum movement_kind kind, uint8_t currency,
                     amount points, unix_ms earned_at, uint32_t version, int32_t rule,
                     unix_ms *active_from, unix_ms *expires_at);
/* The same into a lot whose life is known already (a balance brought in with its dates). */
uint32_t ledger_earn_life(struct ledger *ledger, enum movement_kind kind, uint8_t currency,
                          amount points, unix_ms earned_at, uint32_t version, int32_t rule,
                          unix_ms active_from, unix_ms expires_at);

/* Which lots would pay `points`: soonest expiry first. NOT_ENOUGH leaves `count` 0. Changes
 * nothing. INTERNAL: no memory (the arena remembers it). */
enum outcome ledger_plan_take(const struct owner *owner, uint8_t currency, amount points,
                              struct arena *arena, struct take **take, uint32_t *count);
/* Spend planned takes. `ref`: 0 or the hold they come from (then held parts pay, RELEASE then
 * SPEND; what it holds beside them stays held). */
void ledger_spend(struct ledger *ledger, const struct take *take, uint32_t count, uint64_t ref);

/* Hold planned takes (none is allowed too) under `id` until `ends_at`. TOO_MANY_HOLDS changes
 * nothing. */
enum outcome ledger_hold(struct ledger *ledger, uint64_t id, unix_ms ends_at,
                         const struct take *take, uint32_t count);
/* NULL when there is no such live hold. */
const struct hold *ledger_find_hold(const struct owner *owner, uint64_t id);
/* Release the whole hold: it repays debt, and what is due of its lots expires at once. */
void ledger_void(struct ledger *ledger, uint64_t id);
/* Turn the whole hold into spending (RELEASE, then SPEND, lot by lot). */
void ledger_capture(struct ledger *ledger, uint64_t id);

/* Give `points` of `take` back to its lot; expiry and grace as semantics says. What lives repays
 * debt. `ref`: the purchase. */
void ledger_restore(struct ledger *ledger, const struct take *take, amount points, uint64_t ref);

/*
 * Take `points` of an earning back: its lot, other lots, debt. `*debt` is the part that became
 * debt. RETURN_POINTS_SPENT (debt refused by terms): nothing was changed.
 */
enum outcome ledger_revoke(struct ledger *ledger, uint32_t lot_no, uint8_t currency, amount points,
                           uint64_t ref, amount *debt);
/* Give a revoked part again: to debt first, then to `lot` (as it was made: `take.size` etc.). */
void ledger_regive(struct ledger *ledger, const struct take *lot, amount points, uint64_t ref);

/* Counters of the purchase's time `at`: add (or take off) by position in terms. Needs the
 * window's buckets of rolling counters to be loaded. */
void ledger_count(struct ledger *ledger, unix_ms at, const int64_t *add);
int64_t ledger_counter(const struct owner *owner, const struct terms *terms, uint32_t position,
                       unix_ms now);

/* Look at the ladders again; LEVEL movements for what changed. `at`: since when. */
void ledger_level(struct ledger *ledger, unix_ms at);
uint8_t ledger_level_of(const struct owner *owner, uint8_t ladder_no);

/* What the engine may know of this owner, after settle. Segments are none: they are the
 * caller's. */
void ledger_member_view(const struct owner *owner, const struct terms *terms, unix_ms now,
                        struct member_view *view);

/* Finish: version, next_due, overflow rows; checks the invariants it can see (assert). */
KOP_MUST_CHECK enum code ledger_finish(struct ledger *ledger, struct err *err);

/* Assert every invariant that the row alone shows; ledger_finish() does it. */
void ledger_check(const struct owner *owner);

/* The first instant when settle has something to do; TIME_NONE: never. */
unix_ms owner_next_due(const struct owner *owner);

/*
 * Verification (kopilka verify): replay an owner's movements, by code that shares nothing with
 * the booking above, and compare with the stored row.
 */
struct audit; /* opaque; one owner at a time */
struct audit *audit_begin(struct arena *arena, uint64_t owner_id);
/* Next movement in order. What is wrong is remembered (the first fault). The chain is the
 * caller's: it hashes movement_encode_chain() and compares link and head. */
void audit_movement(struct audit *audit, const struct movement *movement);
/* Compare with the stored owner (overflow lots included). true: everything agrees. Otherwise
 * `*movement_no` is the movement at fault (0: the row itself) and `err` says what. */
KOP_MUST_CHECK bool audit_end(struct audit *audit, const struct owner *stored,
                              uint32_t *movement_no, struct err *err);

#endif
