/*
 * audit_row.c - compares what a replay has found with the stored row.
 *
 * Owns:      audit_compare_row(): balances, lots, holds, levels, the last number, what is due next.
 * Must not:  call anything of the files that book; change the row.
 * Invariant: the row is named by number 0; a movement is named only when the row shows which one is
 *            missing or too much.
 * Cost:      O(lots log lots + takes of holds x parts held).
 * Tests:     tests/unit/ledger/test_audit.c, tests/unit/ledger/test_property.c
 */
#include "ledger/audit.h"

/* The row is at fault: `what`, of the thing with number `no`. */
static bool
blame_row(struct audit *audit, const char *what, uint64_t no)
{
    assert(audit->fault.code == OK);
    audit->fault_no = 0;
    err_set(&audit->fault, CODE_CORRUPT, "row of owner '%llu': %s '%llu'",
            (unsigned long long)audit->owner_id, what, (unsigned long long)no);
    return false;
}

static bool
same_numbers(struct audit *audit, const struct owner *stored)
{
    if (stored->owner_id != audit->owner_id)
        return blame_row(audit, "it belongs to owner", stored->owner_id);
    if (stored->last_movement == audit->last_no)
        return true;
    blame_row(audit, "its last movement is", stored->last_movement);
    audit->fault_no = 1 + (stored->last_movement > audit->last_no ? audit->last_no
                                                                  : stored->last_movement);
    assert(audit->fault_no > 0);
    return false;
}

static bool
same_balances(struct audit *audit, const struct owner *stored)
{
    uint32_t last = 0, touched = 0;

    for (uint32_t i = 0; i < stored->balance_count; i++) {
        const struct balance *balance = &stored->balance[i];
        if (balance->currency <= last || balance->currency > currencies_per_programme_max)
            return blame_row(audit, "balances are out of order at currency", balance->currency);
        last = balance->currency;
        if (!audit->touched[last])
            return blame_row(audit, "a balance without movements, currency", last);
        for (uint32_t k = 0; k < account_count; k++)
            if (balance->of[k] != audit->account[last][k])
                return blame_row(audit, account_name(k), last);
    }
    for (uint32_t c = 1; c <= currencies_per_programme_max; c++)
        touched += audit->touched[c];
    assert(touched >= stored->balance_count);
    return touched == stored->balance_count ||
           blame_row(audit, "balances are missing; there are", stored->balance_count);
}

static bool
same_lot(struct audit *audit, const struct lot *lot)
{
    struct audit_lot *found = audit_find_lot(audit, lot->lot_no);

    if (!found || found->seen || found->left == 0)
        return blame_row(audit, "no movement leaves open lot", lot->lot_no);
    found->seen = true;
    assert(found->left > 0);
    if (lot->currency != found->currency)
        return blame_row(audit, "another currency in lot", lot->lot_no);
    if (lot->left != found->left)
        return blame_row(audit, "another amount left in lot", lot->lot_no);
    if (lot->held != found->held)
        return blame_row(audit, "another amount held in lot", lot->lot_no);
    if (lot->pending != found->pending)
        return blame_row(audit, "pending, or not, against its movements: lot", lot->lot_no);
    if (lot->active_from != found->active_from || lot->expires_at != found->expires_at)
        return blame_row(audit, "another life of lot", lot->lot_no);
    if (lot->graced != (found->expires_at > found->first_end))
        return blame_row(audit, "grace, or none, against its movements: lot", lot->lot_no);
    if (lot->cause != found->cause || lot->rule != found->rule || lot->version != found->version)
        return blame_row(audit, "another cause of lot", lot->lot_no);
    /* More than it was made with can come back into a lot (lot.c); its size follows. */
    amount most = found->peak > found->made ? found->peak : found->made;
    if (lot->size < found->made || lot->size > most || lot->left > lot->size)
        return blame_row(audit, "another size of lot", lot->lot_no);
    return true;
}

static bool
same_lots(struct audit *audit, const struct owner *stored)
{
    uint32_t open = 0;

    for (uint32_t i = 0; i < stored->lot_count; i++) {
        const struct lot *lot = &stored->lot[i];
        bool sorted = i == 0 || lot[-1].expires_at < lot->expires_at ||
                      (lot[-1].expires_at == lot->expires_at && lot[-1].lot_no < lot->lot_no);
        if (!sorted)
            return blame_row(audit, "lots are out of order at lot", lot->lot_no);
        if (!same_lot(audit, lot))
            return false;
    }
    for (uint32_t i = 0; i < audit->lot_count; i++) {
        open += audit->lot[i].left > 0;
        if (audit->lot[i].left > 0 && !audit->lot[i].seen)
            return blame_row(audit, "it has not lot", audit->lot[i].lot_no);
    }
    assert(open == stored->lot_count);
    return true;
}

static bool
same_part(struct audit *audit, uint64_t hold, const struct take *take)
{
    for (uint32_t i = 0; i < audit->part_count; i++) {
        struct audit_part *part = &audit->part[i];
        if (part->hold != hold || part->lot_no != take->lot_no)
            continue;
        const struct audit_lot *lot = audit_find_lot(audit, take->lot_no);
        assert(lot); /* the movement that held it was checked */
        if (take->currency != lot->currency || take->points <= 0 || take->points > part->points)
            break;
        part->points -= take->points;
        return true;
    }
    return blame_row(audit, "a part that no movement holds, in hold", hold);
}

static bool
same_holds(struct audit *audit, const struct owner *stored)
{
    for (uint32_t i = 0; i < stored->hold_count; i++) {
        const struct hold *hold = &stored->hold[i];
        if (i > 0 && stored->hold[i - 1].id >= hold->id)
            return blame_row(audit, "holds are out of order at hold", hold->id);
        for (uint32_t k = 0; k < hold->take_count; k++)
            if (!same_part(audit, hold->id, &hold->take[k]))
                return false;
    }
    for (uint32_t i = 0; i < audit->part_count; i++)
        if (audit->part[i].points != 0)
            return blame_row(audit, "a part is missing in hold", audit->part[i].hold);
    assert(stored->hold_count <= holds_per_owner_max);
    return true;
}

static bool
same_levels(struct audit *audit, const struct owner *stored)
{
    uint32_t known = 0;

    for (uint32_t i = 0; i < stored->level_count; i++) {
        const struct level_state *state = &stored->level[i];
        if (state->ladder_no < 1 || state->ladder_no > ladders_per_programme_max ||
            (i > 0 && stored->level[i - 1].ladder_no >= state->ladder_no))
            return blame_row(audit, "levels are out of order at ladder", state->ladder_no);
        const struct audit_ladder *ladder = &audit->ladder[state->ladder_no];
        if (!ladder->known || ladder->level != state->level || ladder->since != state->since)
            return blame_row(audit, "another level on ladder", state->ladder_no);
    }
    for (uint32_t i = 1; i <= ladders_per_programme_max; i++)
        known += audit->ladder[i].known;
    assert(known >= stored->level_count);
    return known == stored->level_count ||
           blame_row(audit, "levels are missing; there are", stored->level_count);
}

/* When settle is needed next, by the row's own lots and holds, and that it was not due before. */
static bool
same_due(struct audit *audit, const struct owner *stored)
{
    unix_ms next = TIME_NONE;

    assert(audit->fault.code == OK);
    for (uint32_t i = 0; i < stored->hold_count; i++)
        next = stored->hold[i].ends_at < next ? stored->hold[i].ends_at : next;
    for (uint32_t i = 0; i < audit->lot_count; i++) {
        const struct audit_lot *lot = &audit->lot[i];
        if (lot->pending && lot->left > 0 && lot->active_from < next)
            next = lot->active_from;
        if (lot->left > lot->held && lot->expires_at < next)
            next = lot->expires_at;
    }
    if (stored->next_due != next)
        return blame_row(audit, "something else is due next than at", (uint64_t)stored->next_due);
    if (next <= stored->settled_to)
        return blame_row(audit, "not all is settled that was due at", (uint64_t)next);
    return true;
}

void
audit_compare_row(struct audit *audit, const struct owner *stored)
{
    bool same = same_numbers(audit, stored) && same_balances(audit, stored) &&
                same_lots(audit, stored) && same_holds(audit, stored) &&
                same_levels(audit, stored) && same_due(audit, stored);

    assert(same == (audit->fault.code == OK));
}
