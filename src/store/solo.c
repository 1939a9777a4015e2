/*
 * solo.c - one operation in a transaction of its own, on a database where others write as well.
 *
 * Owns:      the order within an operation, when it runs again, what an unknown commit became.
 * Must not:  know threads or SQL.
 * Invariant: an operation's code is OK only when its commit was confirmed, or its claim or record
 *            was found afterwards. After a commit whose answer was lost it never runs again unless
 *            it is certain that nothing was kept, that its claim would refuse a second time, or
 *            that a second time does no harm (op->repeatable).
 * Cost:      with known routes two round trips: lock and load (routes and claim with them), write
 *            and commit. Unknown routes cost one before; a refusal has no more.
 * Tests:     tests/contract/test_postgres.c
 *
 * Certain means: who locks the owner's row has waited for the lost transaction, which held it. A
 * new owner has no row to lock: then the claim keeps a second run from counting twice.
 */
#include "store/solo.h"

#include "store/recheck.h"

#include <string.h>
#include <time.h>

enum {
    runs_max = 64,     /* of one operation that meets others again and again */
    lost_max = 8,      /* connections that break as soon as they are made */
    conflicts_max = 6, /* a key that is there each time is no coincidence */
    reconnect_ms_default = 10 * 1000,
    pause_us_first = 200,
    pause_us_max = 100 * 1000,
};

static void
nap(uint64_t us)
{
    struct timespec time = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };

    nanosleep(&time, NULL);
}

/* The database did not answer. Is there time to try again? Waits a little if so. */
static bool
wait_for_it(struct solo *solo)
{
    uint32_t most = solo->reconnect_ms > 0 ? solo->reconnect_ms : reconnect_ms_default;
    uint64_t now = steady_us();

    if (solo->down_since == 0)
        solo->down_since = now;
    if (now - solo->down_since >= (uint64_t)most * 1000)
        return false;
    nap(pause_us_max);
    return true;
}

static enum code
begin(struct solo *solo, enum access access, struct err *err)
{
    uint32_t lost = 0;
    enum code rc;

    do
        rc = solo->backend->type->begin(solo->backend, access, err);
    while ((rc == CODE_BUSY && wait_for_it(solo)) || (rc == CODE_AGAIN && ++lost < lost_max));
    if (rc == OK)
        solo->down_since = 0;
    return rc;
}

/* ---- one run ---- */

static bool
routes_are_known(const struct solo *solo, struct op *op)
{
    bool known = true;

    for (uint32_t i = 0; i < op->route_count && known; i++)
        known = solo->cache != NULL && route_cache_get(solo->cache, &op->route[i]);
    return known;
}

static void
keep_routes(struct solo *solo, const struct op *op)
{
    for (uint32_t i = 0; i < op->route_count && solo->cache != NULL; i++)
        route_cache_put(solo->cache, &op->route[i]);
}

/* One config row is what servers lock that write rows of all of them. */
static enum code
lock_shared(struct tx *tx, struct err *err)
{
    struct cell key = { .text = TEXT("schema_version") };
    struct query query;

    return tx_run_one(tx, TABLE_meta, VERB_LOCK, &key, tx->op->arena, &query, err);
}

static enum code
commit(struct solo *solo, struct tx *tx, struct err *err)
{
    uint64_t start = steady_us();
    enum code rc = solo->backend->type->commit(solo->backend, err);
    uint64_t took = steady_us() - start;

    solo->commits++;
    solo->commit_us_sum += took;
    if (took > solo->commit_us_max)
        solo->commit_us_max = took;
    if (rc != OK && tx->failure == OK)
        tx->failure = rc;
    return rc;
}

/* Routes, claim and the use case, up to where something is to be written. */
static enum code
decide(struct solo *solo, struct tx *tx, struct err *err)
{
    struct op *op = tx->op;
    bool known = op->route_count <= routes_per_op_max && op->claim.len <= claim_key_bytes_max &&
                 routes_are_known(solo, op);
    enum code rc = tx->shared_locked ? lock_shared(tx, err) : OK;

    if (rc == OK && !known)
        rc = tx_resolve(tx, err);
    if (rc || op->repeat)
        return rc;
    tx->check_due = op->route_count > 0 || op->claim.len > 0;
    rc = op->run(tx, op, err);
    if (rc == OK && (tx->stop != TX_GOES_ON || tx->broken))
        rc = err_set(err, CODE_IO, "a statement failed and was passed over");
    return rc;
}

/* From begin to commit. UNKNOWN only from the commit. */
static enum code
write_once(struct solo *solo, struct tx *tx, struct err *err)
{
    enum code rc = begin(solo, ACCESS_WRITE, err);
    if (rc)
        return rc;
    rc = decide(solo, tx, err);
    if (rc == OK && (tx->wrote || tx->late != NULL)) {
        rc = tx_write_late(tx, err);
        if (rc == OK)
            return commit(solo, tx, err);
    } else if (rc == OK && !tx->op->repeat) {
        rc = recheck_refusal(tx, err);
    }
    solo->backend->type->rollback(solo->backend);
    return rc;
}

static enum code
read_once(struct solo *solo, struct tx *tx, struct err *err)
{
    struct op *op = tx->op;

    enum code rc = begin(solo, ACCESS_READ, err);
    if (rc)
        return rc;
    rc = tx_resolve(tx, err);
    if (rc == OK && !op->repeat)
        rc = op->run(tx, op, err);
    solo->backend->type->rollback(solo->backend);
    return rc;
}

/* ---- what became of an unknown commit ---- */

enum fate { FATE_DONE, FATE_NOTHING, FATE_UNKNOWN };

static struct cell
number(uint64_t value)
{
    return (struct cell){ .number = (int64_t)value };
}

/* Neither claim nor record is there. Had there been one to be? Then nothing was kept. */
static enum fate
fate_without_trace(const struct tx *tx, const struct query *owner)
{
    if (owner == NULL || owner->row_count == 0)
        return tx->wrote_claim ? FATE_NOTHING : FATE_UNKNOWN;
    if (tx->wrote_claim || tx->wrote_record)
        return FATE_NOTHING;
    struct text head = owner->cell[COL(owner, head)].text;
    uint64_t version = (uint64_t)owner->cell[COL(owner, version)].number;
    if (version < tx->wrote_version)
        return FATE_NOTHING;
    bool same = version == tx->wrote_version && head.len == sizeof tx->wrote_head &&
                memcmp(head.ptr, tx->wrote_head, sizeof tx->wrote_head) == 0;
    return same ? FATE_DONE : FATE_UNKNOWN;
}

static enum code
look_up(struct solo *solo, struct tx *tx, enum fate *fate, struct err *err)
{
    struct op *op = tx->op;
    struct tx look = { .backend = solo->backend, .op = op };
    struct cell owner_key = number(tx->claim_owner), claim_key = { .text = op->claim };
    struct cell receipt_key[] = { number(tx->claim_owner), number(tx->claim_op) };
    struct query query[3] = { 0 }, *owner = NULL, *receipt = NULL, *claim = NULL;
    uint32_t count = 0;

    if (tx->claim_owner != 0) { /* the lock first: it waits for the lost transaction's end */
        owner = &query[count++];
        *owner = (struct query){ .table = TABLE_owner, .verb = VERB_LOCK, .param = &owner_key };
        receipt = &query[count++];
        *receipt = (struct query){ .table = TABLE_receipt, .verb = VERB_GET, .param = receipt_key };
    }
    if (tx->wrote_claim) {
        claim = &query[count++];
        *claim = (struct query){ .table = TABLE_claim, .verb = VERB_GET, .param = &claim_key };
    }
    *fate = FATE_UNKNOWN;
    if (count == 0)
        return OK;
    enum code rc = begin(solo, ACCESS_WRITE, err);
    if (rc)
        return rc;
    rc = tx_run(&look, query, count, op->arena, err);
    solo->backend->type->rollback(solo->backend);
    if (rc)
        return rc;
    bool ours = (receipt != NULL && receipt->row_count > 0) ||
                (claim != NULL && claim->row_count > 0 &&
                 (uint64_t)claim->cell[COL(claim, op_id)].number == tx->claim_op);
    *fate = ours ? FATE_DONE : fate_without_trace(tx, owner);
    return OK;
}

static enum fate
find_fate(struct solo *solo, struct tx *tx)
{
    enum fate fate = FATE_UNKNOWN;
    struct err err = { .code = OK };
    enum code rc = CODE_AGAIN;

    for (uint32_t i = 0; i < runs_max && rc == CODE_AGAIN; i++)
        rc = look_up(solo, tx, &fate, &err);
    return rc == OK ? fate : FATE_UNKNOWN;
}

/* ---- again and again ---- */

/* Does it run again? `pause` grows, so that two who meet do not meet again. */
static bool
again(struct solo *solo, const struct tx *tx, enum code rc, uint32_t *conflicts, uint64_t *pause)
{
    if (tx->stop == TX_REPEAT)
        return false;
    if (tx->stop != TX_GOES_ON)
        return true; /* it is known why, and the next run knows better */
    bool conflict = tx->failure == CODE_CONFLICT && ++*conflicts < conflicts_max;
    if (rc == OK || (tx->failure != CODE_AGAIN && !conflict))
        return false;
    nap(*pause + steady_us() % (*pause + 1));
    *pause = *pause * 2 < pause_us_max ? *pause * 2 : pause_us_max;
    solo->runs_again++;
    return true;
}

void
solo_run(struct solo *solo, struct op *op)
{
    uint64_t pause = pause_us_first;
    uint32_t conflicts = 0;
    bool shared = false, more = true;
    enum code rc = OK;

    for (uint32_t i = 0; i < runs_max && more; i++) {
        struct tx tx = { .backend = solo->backend, .op = op, .shared_locked = shared };
        op_reset(op);
        op->batch = 1;
        rc = op->access == ACCESS_READ ? read_once(solo, &tx, &op->err)
                                       : write_once(solo, &tx, &op->err);
        keep_routes(solo, op);
        shared = shared || tx.stop == TX_SHARED;
        if (tx.stop == TX_REPEAT)
            rc = OK;
        if (rc == CODE_UNKNOWN) {
            enum fate fate = find_fate(solo, &tx);
            if (fate == FATE_UNKNOWN && op->repeatable)
                fate = FATE_NOTHING;
            rc = fate == FATE_DONE ? OK : fate == FATE_NOTHING ? CODE_AGAIN : CODE_UNKNOWN;
            tx.failure = rc;
        }
        more = again(solo, &tx, rc, &conflicts, &pause);
    }
    if (rc == CODE_AGAIN)
        rc = CODE_BUSY;
    op->code = rc;
    if (rc == OK)
        op->err = (struct err){ .code = OK };
    else
        op->err.code = rc;
}
