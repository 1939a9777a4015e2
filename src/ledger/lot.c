/*
 * lot.c - the open lots of one owner, and which of them pay for a redemption.
 *
 * Owns:      the order in which lots are kept and spent, and what each kind of movement does to a
 *            lot.
 * Must not:  read a clock, touch a store, or know why points are spent.
 * Invariant: lots stand in the order of lot_cmp(); 0 <= held <= left <= size; what is planned
 *            equals what was asked, or nothing is planned.
 * Cost:      finding by life O(log lots), else O(lots); planning O(lots).
 * Tests:     tests/tables/lots/, tests/unit/ledger/test_lot.c, tests/unit/ledger/test_property.c
 *
 * `size` is what a lot was made with. One path can bring more than that back into it: points of
 * an earning that a return took from other lots are given again to the earning's own lot
 * (semantics, "Returns"), and then its spent part returns as well. Its size grows with it.
 */
#include "ledger/lot.h"

#include "base/mem.h"

enum { first_lots = 8 };

/* What a kind of movement does to a lot's `left` and `held`, and which accounts it joins.
 * Where `either` is set, ACTIVE stands for PENDING as long as the lot is pending. */
struct lot_effect {
    int8_t left, held;
    bool either;
    enum account account, contra;
};

static const struct lot_effect *
effect_of(enum movement_kind kind)
{
    static const struct lot_effect effect[movement_kind_count] = {
        [MOVEMENT_EARN] = { 1, 0, true, ACCOUNT_ACTIVE, ACCOUNT_ISSUED },
        [MOVEMENT_ACTIVATE] = { 0, 0, false, ACCOUNT_ACTIVE, ACCOUNT_PENDING },
        [MOVEMENT_SPEND] = { -1, 0, false, ACCOUNT_REDEEMED, ACCOUNT_ACTIVE },
        [MOVEMENT_RESTORE] = { 1, 0, false, ACCOUNT_ACTIVE, ACCOUNT_REDEEMED },
        [MOVEMENT_EXPIRE] = { -1, 0, true, ACCOUNT_EXPIRED, ACCOUNT_ACTIVE },
        [MOVEMENT_REVOKE] = { -1, 0, true, ACCOUNT_REVOKED, ACCOUNT_ACTIVE },
        [MOVEMENT_REGIVE] = { 1, 0, true, ACCOUNT_ACTIVE, ACCOUNT_REVOKED },
        [MOVEMENT_REPAY] = { -1, 0, false, ACCOUNT_DEBT, ACCOUNT_ACTIVE },
        [MOVEMENT_HOLD] = { 0, 1, false, ACCOUNT_HELD, ACCOUNT_UNHELD },
        [MOVEMENT_RELEASE] = { 0, -1, false, ACCOUNT_UNHELD, ACCOUNT_HELD },
        [MOVEMENT_OPEN] = { 1, 0, true, ACCOUNT_ACTIVE, ACCOUNT_OPENING },
        [MOVEMENT_MOVE_IN] = { 1, 0, true, ACCOUNT_ACTIVE, ACCOUNT_MOVED },
        [MOVEMENT_MOVE_OUT] = { -1, 0, true, ACCOUNT_MOVED, ACCOUNT_ACTIVE },
    };

    assert((unsigned)kind < movement_kind_count);
    assert(kind != MOVEMENT_LEVEL);
    return &effect[kind];
}

amount
lot_free(const struct lot *lot)
{
    assert(lot->held >= 0);
    assert(lot->held <= lot->left);
    return lot->left - lot->held;
}

/* Where a lot with this life and number stands, or would stand. */
static uint32_t
place_of(const struct owner *owner, uint32_t lot_no, unix_ms expires_at)
{
    const struct lot wanted = { .lot_no = lot_no, .expires_at = expires_at };
    uint32_t low = 0, high = owner->lot_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lot_cmp(&owner->lot[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= owner->lot_count);
    return low;
}

struct lot *
lots_find(const struct owner *owner, uint32_t lot_no)
{
    assert(lot_no != 0);
    for (uint32_t i = 0; i < owner->lot_count; i++)
        if (owner->lot[i].lot_no == lot_no)
            return &owner->lot[i];
    return NULL;
}

struct lot *
lots_find_life(const struct owner *owner, uint32_t lot_no, unix_ms expires_at)
{
    uint32_t at = place_of(owner, lot_no, expires_at);

    assert(lot_no != 0);
    if (at < owner->lot_count && owner->lot[at].lot_no == lot_no)
        return &owner->lot[at];
    return lots_find(owner, lot_no);
}

static bool
need_room(struct ledger *ledger)
{
    struct owner *owner = ledger->owner;

    assert(owner->lot_count <= owner->lot_cap);
    if (owner->lot_count == lots_per_owner_max) {
        ledger_fail(ledger, CODE_LIMIT);
        return false;
    }
    if (owner->lot_count < owner->lot_cap)
        return true;

    uint32_t cap = owner->lot_cap < first_lots ? first_lots : 2 * owner->lot_cap;
    struct lot *more = arena_array(ledger->arena, struct lot, cap);
    if (!more) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return false;
    }
    if (owner->lot_count > 0)
        memcpy(more, owner->lot, owner->lot_count * sizeof(*more));
    owner->lot = more;
    owner->lot_cap = cap;
    return true;
}

struct lot *
lots_insert(struct ledger *ledger, const struct lot *lot)
{
    struct owner *owner = ledger->owner;

    assert(lot->lot_no != 0);
    if (ledger->failed || !need_room(ledger))
        return NULL;

    uint32_t at = place_of(owner, lot->lot_no, lot->expires_at);
    assert(at == owner->lot_count || owner->lot[at].lot_no != lot->lot_no);
    memmove(owner->lot + at + 1, owner->lot + at, (owner->lot_count - at) * sizeof(*lot));
    owner->lot[at] = *lot;
    owner->lot_count++;
    return &owner->lot[at];
}

void
lots_close(struct owner *owner)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < owner->lot_count; i++) {
        if (owner->lot[i].left == 0) {
            assert(owner->lot[i].held == 0);
            continue;
        }
        if (kept != i)
            owner->lot[kept] = owner->lot[i];
        kept++;
    }
    assert(kept <= owner->lot_count);
    owner->lot_count = kept;
}

struct lot *
lots_prolong(struct owner *owner, struct lot *lot, unix_ms expires_at)
{
    struct lot longer = *lot;
    uint32_t at = (uint32_t)(lot - owner->lot);

    assert(at < owner->lot_count);
    assert(expires_at > lot->expires_at);
    longer.expires_at = expires_at;
    memmove(owner->lot + at, owner->lot + at + 1, (owner->lot_count - at - 1) * sizeof(*lot));
    owner->lot_count--;
    at = place_of(owner, longer.lot_no, expires_at);
    memmove(owner->lot + at + 1, owner->lot + at, (owner->lot_count - at) * sizeof(*lot));
    owner->lot[at] = longer;
    owner->lot_count++;
    return &owner->lot[at];
}

struct lot
lot_of_take(const struct take *take)
{
    assert(take->lot_no != 0);
    assert(take->size > 0);
    return (struct lot){
        .lot_no = take->lot_no,
        .currency = take->currency,
        .graced = take->graced,
        .size = take->size,
        .active_from = take->active_from,
        .expires_at = take->expires_at,
        .cause = take->cause,
        .rule = take->rule,
        .version = take->version,
    };
}

/* Kinds that tell the life of the lot after them. */
static bool
tells_life(enum movement_kind kind)
{
    return kind == MOVEMENT_EARN || kind == MOVEMENT_OPEN || kind == MOVEMENT_MOVE_IN ||
           kind == MOVEMENT_RESTORE || kind == MOVEMENT_REGIVE;
}

bool
lot_move(struct ledger *ledger, struct lot *lot, enum movement_kind kind, amount part, uint64_t ref,
         unix_ms at)
{
    const struct lot_effect *effect = effect_of(kind);
    bool makes = effect->left > 0 && kind != MOVEMENT_RESTORE && kind != MOVEMENT_REGIVE;
    enum account own = effect->either && lot->pending ? ACCOUNT_PENDING : ACCOUNT_ACTIVE;

    if (ledger->failed)
        return false;
    assert(part > 0);
    assert(effect->either || lot->pending == (kind == MOVEMENT_ACTIVATE));
    assert(effect->left >= 0 || part <= lot_free(lot));
    assert(effect->held <= 0 || part <= lot_free(lot));
    assert(effect->held >= 0 || part <= lot->held);
    assert(kind != MOVEMENT_ACTIVATE || part == lot->left);

    struct movement movement = {
        .kind = kind,
        .account = effect->account == ACCOUNT_ACTIVE ? own : effect->account,
        .contra = effect->contra == ACCOUNT_ACTIVE ? own : effect->contra,
        .currency = lot->currency,
        .amount = part,
        .lot_no = lot->lot_no,
        .version = makes ? lot->version : 0,
        .rule = makes ? lot->rule : rule_none,
        .ref = ref,
        .at = at,
        .active_from = tells_life(kind) ? lot->active_from : 0,
        .expires_at = tells_life(kind) ? lot->expires_at : 0,
    };
    if (!ledger_book(ledger, &movement))
        return false;
    /* Within PENDING + ACTIVE, of which the booking has just seen that it fits. */
    lot->left += effect->left * part;
    lot->held += effect->held * part;
    if (lot->size < lot->left)
        lot->size = lot->left;
    if (kind == MOVEMENT_ACTIVATE)
        lot->pending = false;
    assert(lot->left >= 0);
    assert(lot->held <= lot->left);
    return true;
}

enum outcome
ledger_plan_take(const struct owner *owner, uint8_t currency, amount points, struct arena *arena,
                 struct take **take, uint32_t *count)
{
    amount missing = points, planned = 0;
    uint32_t used = 0, last = 0;

    assert(points > 0);
    *take = NULL;
    *count = 0;
    if (points > ledger_available(owner, currency))
        return OUTCOME_NOT_ENOUGH;
    for (; last < owner->lot_count && missing > 0; last++) {
        const struct lot *lot = &owner->lot[last];
        if (lot->currency != currency || lot->pending || lot_free(lot) == 0)
            continue;
        missing -= lot_free(lot) < missing ? lot_free(lot) : missing;
        used++;
    }
    assert(missing == 0); /* what is available lies in lots */
    *take = arena_array(arena, struct take, used);
    if (!*take)
        return OUTCOME_INTERNAL;
    for (uint32_t i = 0; i < last; i++) {
        const struct lot *lot = &owner->lot[i];
        if (lot->currency != currency || lot->pending || lot_free(lot) == 0)
            continue;
        amount part = lot_free(lot) < points - planned ? lot_free(lot) : points - planned;
        (*take)[(*count)++] = (struct take){
            .lot_no = lot->lot_no,
            .currency = currency,
            .points = part,
            .size = lot->size,
            .active_from = lot->active_from,
            .expires_at = lot->expires_at,
            .cause = lot->cause,
            .rule = lot->rule,
            .version = lot->version,
            .graced = lot->graced,
        };
        planned += part;
    }
    assert(*count == used);
    assert(planned == points); /* counted a second way */
    return OUTCOME_DONE;
}
