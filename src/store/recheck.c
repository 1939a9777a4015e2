/*
 * recheck.c - on a concurrent database: what an operation took for granted is looked up again
 * before it counts.
 *
 * Owns:      the comparison of routes and claim with what they are under the owner's lock, and of
 *            directory rows with what they are when they are written.
 * Must not:  run an operation again: it stops it, solo.c does the rest.
 * Invariant: routes and the claim are looked up after the owner was locked, in the same round trip.
 *            Before that a duplicate that came a moment earlier could still be under way; after it,
 *            its claim is there. A directory row is written only as the operation saw it.
 * Cost:      none of its own in an ordinary purchase; a round trip to change a key that exists.
 * Tests:     tests/contract/test_postgres.c
 */
#include "store/recheck.h"

#include "base/mem.h"

enum { together_max = 96 }; /* the longest load has 3 + counters_per_programme_max queries */

static enum code
rerouted(struct tx *tx, struct err *err)
{
    tx->stop = TX_REROUTED;
    return err_set(err, CODE_AGAIN, "a key leads elsewhere now");
}

static bool
same_route(const struct route *a, const struct route *b)
{
    if (a->found != b->found)
        return false;
    return !a->found || (a->owner_id == b->owner_id && a->member_id == b->member_id &&
                         a->op_id == b->op_id && a->key_kind == b->key_kind &&
                         a->state == b->state);
}

/* What the queries of tx_route_queries() found, against what was thought. */
static enum code
compare(struct tx *tx, const struct query *query, struct err *err)
{
    struct op *op = tx->op;
    bool same = true;

    if (op->claim.len > 0) {
        enum code rc = tx_take_claim(tx, &query[op->route_count], err);
        if (rc)
            return rc;
        if (op->repeat) {
            tx->stop = TX_REPEAT;
            return err_set(err, CODE_AGAIN, "the operation was done already");
        }
    }
    for (uint32_t i = 0; i < op->route_count; i++) {
        struct route now = { .kind = op->route[i].kind, .key = op->route[i].key };
        tx_take_route(&now, &query[i]);
        same = same && same_route(&now, &op->route[i]);
        op->route[i] = now; /* solo.c keeps it for the next run */
    }
    return same ? OK : rerouted(tx, err);
}

static enum code
recheck_now(struct tx *tx, struct err *err)
{
    struct query query[routes_per_op_max + 1] = { 0 };
    struct cell key[routes_per_op_max + 1];
    uint32_t count = tx_route_queries(tx->op, query, key);

    tx->check_due = false;
    enum code rc = tx_run(tx, query, count, tx->op->arena, err);
    return rc ? rc : compare(tx, query, err);
}

enum code
recheck_with(struct tx *tx, struct query *query, uint32_t count, struct arena *arena,
             struct err *err)
{
    struct query all[together_max];
    struct cell key[routes_per_op_max + 1];
    uint32_t room = routes_per_op_max + 1;
    bool rows = true;

    for (uint32_t i = 0; i < count; i++)
        rows = rows &&
               tx->backend->schema->statement[query[i].table][query[i].verb].column_count > 0;
    if (!rows || count + room > together_max) {
        enum code rc = recheck_now(tx, err);
        return rc ? rc : tx_run(tx, query, count, arena, err);
    }
    tx->check_due = false;
    memcpy(all, query, count * sizeof *query);
    memset(all + count, 0, room * sizeof *query);
    uint32_t more = tx_route_queries(tx->op, all + count, key);
    enum code rc = tx_run(tx, all, count + more, arena, err);
    memcpy(query, all, count * sizeof *query);
    return rc ? rc : compare(tx, all + count, err);
}

enum code
recheck_refusal(struct tx *tx, struct err *err)
{
    struct cell key = { .text = tx->op->claim };
    struct query claim;

    if (tx->check_due)
        return recheck_now(tx, err);
    if (tx->op->claim.len == 0)
        return OK;
    enum code rc = tx_run_one(tx, TABLE_claim, VERB_GET, &key, tx->op->arena, &claim, err);
    if (rc == OK)
        rc = tx_take_claim(tx, &claim, err);
    if (rc == OK && tx->op->repeat) {
        tx->stop = TX_REPEAT;
        rc = err_set(err, CODE_AGAIN, "the operation was done already");
    }
    return rc;
}

/* ---- directory rows ---- */

enum code
recheck_note(struct tx *tx, const struct route *route, struct err *err)
{
    struct seen_row *seen = arena_new(tx->op->arena, struct seen_row);

    if (seen == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for a directory row");
    *seen = (struct seen_row){ *route, tx->seen };
    seen->route.key = text_copy(tx->op->arena, route->key);
    if (seen->route.key.len != route->key.len)
        return err_set(err, CODE_NO_MEMORY, "no memory for a directory row");
    tx->seen = seen;
    return OK;
}

/* What the operation knows of a key, or NULL: it never asked. */
static const struct route *
what_was_seen(const struct tx *tx, struct text key)
{
    for (const struct seen_row *seen = tx->seen; seen != NULL; seen = seen->next) {
        if (text_equal(seen->route.key, key))
            return &seen->route;
    }
    for (uint32_t i = 0; i < tx->op->route_count; i++) {
        const struct route *route = &tx->op->route[i];
        if (route->kind == ROUTE_DIRECTORY && text_equal(route->key, key))
            return route;
    }
    return NULL;
}

/* The row as it is now, locked. */
static enum code
lock_one(struct tx *tx, const struct route *seen, struct err *err)
{
    struct cell key = { .text = seen->key };
    struct route now = { .kind = ROUTE_DIRECTORY, .key = seen->key };
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_directory, VERB_LOCK, &key, tx->op->arena, &query, err);
    if (rc)
        return rc;
    tx_take_route(&now, &query);
    return same_route(&now, seen) ? OK : rerouted(tx, err);
}

enum code
recheck_late(struct tx *tx, struct err *err)
{
    enum code rc = OK;

    for (struct late_row *late = tx->late; late != NULL && rc == OK; late = late->next) {
        struct text key = { (const char *)late->row.key, directory_key_bytes };
        const struct route *seen = what_was_seen(tx, key);
        if (seen == NULL)
            continue;
        if (seen->found)
            rc = lock_one(tx, seen, err);
        else
            late->is_new = !late->drop;
    }
    return rc;
}
