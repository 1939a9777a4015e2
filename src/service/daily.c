/*
 * daily.c - the daily run: what is due is settled, owner by owner, in slices at low priority.
 *
 * Owns:      going through the owners. What is due, and what follows, is the ledger's; persons that
 *            nobody names are sweep.c's.
 * Invariant: no decision depends on whether this ran: every touch settles by itself.
 * Tests:     tests/stories/, tests/sim/
 */
#include "service/internal.h"

enum { slice_owners_scanned = 20000, slice_owners_settled = 64 };

struct daily {
    struct service *service;
    const struct catalogue *catalogue;
    unix_ms now;
    uint64_t after, last;
    uint64_t ids[slice_owners_settled];
    uint32_t count;
    uint64_t settled;
};

static enum code
due_run(struct tx *tx, struct op *op, struct err *err)
{
    struct daily *daily = op->context;

    return store_list_due(tx, daily->after, daily->now, slice_owners_scanned, daily->ids,
                          slice_owners_settled, &daily->count, &daily->last, err);
}

static enum code
settle_one(struct daily *daily, struct tx *tx, struct op *op, uint64_t owner_id, struct err *err)
{
    struct needs needs = { .owner_id = owner_id };
    const struct programme_entry *programme;
    const struct version_entry *version;
    struct view view = { 0 };

    enum code rc = store_load(tx, &needs, op->arena, &view, err);
    if (rc || !view.owner_found)
        return rc;
    programme = catalogue_programme_no(daily->catalogue, view.owner.tenant, view.owner.programme);
    version = programme ? programme_in_force(programme, daily->now) : NULL;
    if (!version)
        return OK;
    uint64_t id = ids_next(&daily->service->ids,
                           daily->service->host.now(daily->service->host.context));
    if (!id)
        return err_set(err, CODE_BUSY, "this server has no number for ids just now");
    struct step step = {
        .plan = version->plan,
        .arena = op->arena,
        .now = daily->now,
        .op_id = id,
        .owner_id = owner_id,
        .view = &view,
    };
    rc = flow_settle(&step, err);
    if (rc || !step.changes.owner)
        return rc;
    daily->settled++;
    rc = seal(&step.changes, op->arena, err);
    return rc ? rc : store_write(tx, op, &step.changes, err);
}

static enum code
settle_run(struct tx *tx, struct op *op, struct err *err)
{
    struct daily *daily = op->context;
    uint64_t before = daily->settled;
    enum code rc = OK;

    for (uint32_t i = 0; !rc && i < daily->count; i++)
        rc = settle_one(daily, tx, op, daily->ids[i], err);
    if (rc)
        daily->settled = before;
    return rc;
}

enum code
service_daily(struct service *service, unix_ms now, struct daily_result *result, struct err *err)
{
    struct daily daily = { .service = service,
                           .now = now,
                           .catalogue = atomic_load(&service->catalogue) };
    struct arena arena;
    enum code rc;

    arena_init(&arena, heap_source(), 1 << 16, request_arena_bytes_max);
    *result = (struct daily_result){ 0 };
    do {
        struct op look = {
            .access = ACCESS_READ, .arena = &arena, .run = due_run, .context = &daily
        };
        struct op settle = {
            .access = ACCESS_WRITE,
            .repeatable = true,
            .priority = PRIORITY_LOW,
            .arena = &arena,
            .run = settle_run,
            .context = &daily,
        };
        arena_reset(&arena);
        lease_keep_by_hand(service);
        rc = store_run(service->store, &look, err);
        if (!rc && daily.count > 0)
            rc = store_run(service->store, &settle, err);
        daily.after = daily.last;
        result->looked_at += daily.count;
    } while (!rc && daily.last != 0);
    result->settled = daily.settled;
    arena_release(&arena);
    return rc ? rc : sweep_persons(service, now - person_unnamed_ms_max, &result->swept, err);
}
