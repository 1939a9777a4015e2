/*
 * lease.c - the node that this process makes ids with, leased in the book.
 *
 * Owns:      see lease.h.
 * Must not:  write on the way of a request of a server: its heartbeat renews far ahead.
 * Invariant: an attempt that was not confirmed changes nothing here. Had it reached the book, a
 *            node stays taken until its lease ends, and nothing else happens.
 * Cost:      a renewal every half lease: two statements.
 * Tests:     tests/unit/service/test_lease.c, tests/contract/test_lease.c, tests/stories/servers
 */
#include "service/internal.h"

#include <string.h>

/* A row of the table meta. */
struct lease_row {
    uint64_t term;
    unix_ms until, ids_upto;
};

/* An attempt; whoever is at it alone has it. */
struct attempt {
    const struct lease *before;
    int64_t length;
    unix_ms now, made_upto, leased_upto;
    /* What came of it: */
    uint32_t node;
    uint64_t term;
    unix_ms from, upto;
    bool is_found;
};

void
lease_init(struct lease *lease)
{
    *lease = (struct lease){ .busy = ATOMIC_FLAG_INIT };
}

static struct text
node_name(struct arena *arena, uint32_t node)
{
    struct buf name;

    buf_init(&name, arena, 16);
    buf_addf(&name, "node:%u", (unsigned)node);
    return buf_text(&name);
}

/* The next number of `text`, which a space or the end follows. */
static bool
take_number(struct text *text, uint64_t *number)
{
    uint32_t size = 0;

    while (size < text->len && text->ptr[size] != ' ')
        size++;
    if (!text_to_u64((struct text){ text->ptr, size }, number) || *number > INT64_MAX)
        return false;
    uint32_t used = size < text->len ? size + 1 : size;
    *text = (struct text){ text->ptr + used, text->len - used };
    return true;
}

/* Never leased: all zero. */
static enum code
read_lease(struct tx *tx, uint32_t node, struct arena *arena, struct lease_row *lease,
           struct err *err)
{
    struct row key = { .cell = { { .text = node_name(arena, node) } } }, row;
    uint64_t term, until, ids_upto;
    bool found;
    enum code rc = store_get(tx, TABLE_meta, &key, arena, &row, &found, err);

    *lease = (struct lease_row){ 0 };
    if (rc || !found)
        return rc;
    struct text value = row.cell[1].text;
    if (!take_number(&value, &term) || !take_number(&value, &until) ||
        !take_number(&value, &ids_upto) || value.len > 0)
        return err_set(err, CODE_CORRUPT, "the lease of node %u is '%.*s'", (unsigned)node,
                       (int)row.cell[1].text.len, row.cell[1].text.ptr);
    *lease = (struct lease_row){ term, (unix_ms)until, (unix_ms)ids_upto };
    return OK;
}

static enum code
write_lease(struct tx *tx, uint32_t node, struct arena *arena, const struct lease_row *lease,
            struct err *err)
{
    struct buf value;

    buf_init(&value, arena, 64);
    buf_addf(&value, "%llu %lld %lld", (unsigned long long)lease->term, (long long)lease->until,
             (long long)lease->ids_upto);
    struct row row = {
        .cell = { { .text = node_name(arena, node) }, { .text = buf_text(&value) } }
    };
    if (arena->failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for a lease");
    return store_put(tx, TABLE_meta, &row, err);
}

/* Write what `attempt` found: its node from now on, above all ids that are there. */
static enum code
write_found(struct attempt *attempt, struct tx *tx, struct arena *arena, struct err *err)
{
    unix_ms begin = attempt->from > attempt->now ? attempt->from : attempt->now;

    attempt->upto = begin + attempt->length;
    if (attempt->before->held && attempt->term == attempt->before->term &&
        attempt->node == attempt->before->node && attempt->upto < attempt->leased_upto)
        attempt->upto = attempt->leased_upto; /* the clock went back just now */
    struct lease_row row = { attempt->term, attempt->now + attempt->length, attempt->upto };
    return write_lease(tx, attempt->node, arena, &row, err);
}

static enum code
attempt_run(struct tx *tx, struct op *op, struct err *err)
{
    struct attempt *attempt = op->context;
    const struct lease *before = attempt->before;
    struct lease_row row = { 0 };
    enum code rc = OK;

    attempt->is_found = false;
    attempt->from = attempt->made_upto;
    if (before->held) {
        rc = read_lease(tx, before->node, op->arena, &row, err);
        attempt->is_found = !rc && row.term == before->term;
        attempt->node = before->node;
        attempt->term = before->term;
    }
    for (uint32_t node = 0; !rc && !attempt->is_found && node < id_nodes; node++) {
        rc = read_lease(tx, node, op->arena, &row, err);
        attempt->is_found = !rc && row.until <= attempt->now;
        attempt->node = node;
        attempt->term = row.term + 1;
        if (attempt->is_found && row.ids_upto > attempt->from)
            attempt->from = row.ids_upto;
    }
    if (rc)
        return rc;
    if (!attempt->is_found)
        return err_set(err, CODE_BUSY, "all %d numbers for servers' ids are taken", id_nodes);
    return write_found(attempt, tx, op->arena, err);
}

static enum code
run_lease(struct service *service, void *context,
          enum code (*run)(struct tx *tx, struct op *op, struct err *err), struct err *err)
{
    struct arena arena;
    struct op op = {
        .access = ACCESS_WRITE, .repeatable = true, .arena = &arena, .run = run, .context = context
    };

    arena_init(&arena, heap_source(), 1 << 12, 1 << 20);
    enum code rc = store_run(service->store, &op, err);
    arena_release(&arena);
    return rc;
}

/* Where the next id would be by this clock. */
static unix_ms
next_time(struct service *service)
{
    unix_ms now = service->host.now(service->host.context);
    unix_ms made = ids_made_upto(&service->ids);

    return now > made ? now : made;
}

enum code
lease_keep(struct service *service, int64_t length, struct err *err)
{
    struct lease *lease = &service->lease;
    unix_ms upto = ids_leased_upto(&service->ids);

    if (upto != INT64_MIN && upto - next_time(service) >= length / 2)
        return OK;
    if (atomic_flag_test_and_set(&lease->busy))
        return OK;
    struct attempt attempt = {
        .before = lease,
        .length = length,
        .now = service->host.now(service->host.context),
        .made_upto = ids_made_upto(&service->ids),
        .leased_upto = upto,
    };
    enum code rc = run_lease(service, &attempt, attempt_run, err);
    if (!rc) {
        lease->held = true;
        lease->node = attempt.node;
        lease->term = attempt.term;
        ids_lease(&service->ids, attempt.node, attempt.from, attempt.upto);
    }
    atomic_flag_clear(&lease->busy);
    return rc ? err_wrap(err, "cannot lease a number for ids") : OK;
}

void
lease_keep_by_hand(struct service *service)
{
    struct err err;

    if (!atomic_load_explicit(&service->lease.driven, memory_order_relaxed))
        (void)!lease_keep(service, id_lease_ms, &err);
}

static enum code
give_back_run(struct tx *tx, struct op *op, struct err *err)
{
    const struct attempt *attempt = op->context;
    struct lease_row row;
    enum code rc = read_lease(tx, attempt->before->node, op->arena, &row, err);

    if (rc || row.term != attempt->before->term)
        return rc; /* another's meanwhile */
    row = (struct lease_row){ row.term, 0, attempt->made_upto };
    return write_lease(tx, attempt->before->node, op->arena, &row, err);
}

void
lease_give_back(struct service *service)
{
    struct lease *lease = &service->lease;
    struct err err;

    if (!lease->held || atomic_flag_test_and_set(&lease->busy))
        return;
    ids_end_lease(&service->ids);
    struct attempt attempt = { .before = lease, .made_upto = ids_made_upto(&service->ids) };
    (void)!run_lease(service, &attempt, give_back_run, &err); /* else it ends by itself */
    lease->held = false;
    atomic_flag_clear(&lease->busy);
}
