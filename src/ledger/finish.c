/*
 * finish.c - a booking's end: next_due, overflow rows, and the invariants.
 *
 * Owns:      which lots are rows of their own now and were not, or no longer; ledger_check().
 * Must not:  move points.
 * Invariant: (asserted here, each counted another way than the booking counts)
 *            lots stand strictly in order, each with 0 <= held <= left <= size and left > 0;
 *            by currency: sum of left of pending lots = PENDING, of active ones = ACTIVE;
 *            sum of held of lots = HELD = sum of what holds took, and no take of a hold is empty;
 *            all accounts add up to 0, HELD and UNHELD too, DEBT <= 0;
 *            where there is debt, nothing is available: all that is active is held;
 *            new movements are numbered densely up to last_movement; nothing is due any more.
 * Cost:      O(lots + takes of holds + new movements).
 * Tests:     tests/unit/ledger/test_finish.c, tests/unit/ledger/test_property.c
 */
#include "ledger/movement.h"

#include "base/sort.h"

/* What lots and holds say, by currency. */
struct sums {
    amount pending, active, held, in_holds;
};

static void
check_lots(const struct owner *owner, struct sums *sums)
{
    assert(owner->lot_count <= owner->lot_cap);
    for (uint32_t i = 0; i < owner->lot_count; i++) {
        const struct lot *lot = &owner->lot[i];
        assert(lot->currency >= 1);
        assert(lot->currency <= currencies_per_programme_max);
        assert(lot->left > 0);
        assert(lot->left <= lot->size);
        assert(lot->held >= 0);
        assert(lot->held <= lot->left);
        assert(lot->held == 0 || !lot->pending);
        assert(lot->lot_no >= 1);
        assert(lot->lot_no <= owner->last_movement);
        assert(i == 0 || lot_cmp(lot - 1, lot) < 0);
        bool fits = i64_add(sums[lot->currency].pending, lot->pending ? lot->left : 0,
                            &sums[lot->currency].pending) &&
                    i64_add(sums[lot->currency].active, lot->pending ? 0 : lot->left,
                            &sums[lot->currency].active);
        assert(fits);
        sums[lot->currency].held += lot->held;
    }
}

static void
check_holds(const struct owner *owner, struct sums *sums)
{
    assert(owner->hold_count <= holds_per_owner_max);
    for (uint32_t i = 0; i < owner->hold_count; i++) {
        const struct hold *hold = &owner->hold[i];
        assert(i == 0 || owner->hold[i - 1].id < hold->id);
        for (uint32_t k = 0; k < hold->take_count; k++) {
            assert(hold->take[k].points > 0);
            assert(hold->take[k].currency <= currencies_per_programme_max);
            bool fits = i64_add(sums[hold->take[k].currency].in_holds, hold->take[k].points,
                                &sums[hold->take[k].currency].in_holds);
            assert(fits);
        }
    }
}

static void
check_balance(const struct balance *balance, const struct sums *sums)
{
    uint64_t total = 0;

    for (uint32_t k = 0; k < account_count; k++)
        total += (uint64_t)balance->of[k]; /* modulo 2^64: a sum in between may not fit */
    assert(total == 0);
    assert(balance->of[ACCOUNT_PENDING] == sums->pending);
    assert(balance->of[ACCOUNT_ACTIVE] == sums->active);
    assert(balance->of[ACCOUNT_HELD] == sums->held);
    assert(balance->of[ACCOUNT_HELD] == sums->in_holds);
    assert(balance->of[ACCOUNT_HELD] == -balance->of[ACCOUNT_UNHELD]);
    assert(balance->of[ACCOUNT_DEBT] <= 0);
    assert(balance->of[ACCOUNT_DEBT] == 0 || sums->active == sums->held);
}

void
ledger_check(const struct owner *owner)
{
    struct sums sums[currencies_per_programme_max + 1] = { { 0 } };
    uint32_t seen = 0;

    check_lots(owner, sums);
    check_holds(owner, sums);
    assert(owner->balance_count <= currencies_per_programme_max);
    for (uint32_t i = 0; i < owner->balance_count; i++) {
        const struct balance *balance = &owner->balance[i];
        assert(i == 0 || owner->balance[i - 1].currency < balance->currency);
        check_balance(balance, &sums[balance->currency]);
        seen |= 1u << balance->currency;
    }
    for (uint32_t c = 0; c <= currencies_per_programme_max; c++)
        if (!(seen >> c & 1)) {
            assert(sums[c].pending == 0);
            assert(sums[c].active == 0);
            assert(sums[c].in_holds == 0);
        }
}

static void
check_numbers(const struct ledger *ledger)
{
    const struct changes *changes = ledger->changes;
    uint32_t before = ledger->owner->last_movement - changes->movement_count;

    assert(changes->movement_count <= ledger->owner->last_movement);
    for (uint32_t i = 0; i < changes->movement_count; i++) {
        assert(changes->movement[i].movement_no == before + i + 1);
        assert(changes->movement[i].owner_id == ledger->owner->owner_id);
        assert(changes->movement[i].op_id == ledger->op_id);
    }
}

static bool
same_lot(const struct lot *a, const struct lot *b)
{
    return a->lot_no == b->lot_no && a->currency == b->currency && a->pending == b->pending &&
           a->graced == b->graced && a->size == b->size && a->left == b->left &&
           a->held == b->held && a->active_from == b->active_from &&
           a->expires_at == b->expires_at && a->cause == b->cause && a->rule == b->rule &&
           a->version == b->version;
}

static int
compare_numbers(const void *a, const void *b, void *context)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    (void)context;
    return (x > y) - (x < y);
}

/*
 * A lot whose end was moved stands elsewhere in the order, so it looks gone at its old place and
 * new at another: its row is put, not dropped. `scratch` has room for puts and drops.
 */
static void
keep_moved(struct changes *changes, uint32_t *scratch)
{
    uint32_t *put = scratch, *spare = scratch + changes->lot_put_count;
    uint32_t graced = 0, kept = 0, at = 0;

    for (uint32_t i = 0; i < changes->lot_put_count; i++)
        if (changes->lot_put[i].graced)
            put[graced++] = changes->lot_put[i].lot_no;
    if (graced == 0 || changes->lot_drop_count == 0)
        return;
    sort_stable(put, graced, sizeof(*put), spare, compare_numbers, NULL);
    sort_stable(changes->lot_drop, changes->lot_drop_count, sizeof(*put), spare, compare_numbers,
                NULL);
    for (uint32_t i = 0; i < changes->lot_drop_count; i++) {
        while (at < graced && put[at] < changes->lot_drop[i])
            at++;
        if (at == graced || put[at] != changes->lot_drop[i])
            changes->lot_drop[kept++] = changes->lot_drop[i];
    }
    assert(kept <= changes->lot_drop_count);
    changes->lot_drop_count = kept;
}

/* The difference of the overflow as loaded and as it is: both stand in the order of lot_cmp(). */
static void
put_overflow(struct ledger *ledger)
{
    const struct owner *owner = ledger->owner;
    struct changes *changes = ledger->changes;
    uint32_t old_count = ledger->overflow_count, old_at = 0, new_at = lots_in_owner_row_max;
    uint32_t new_count = owner->lot_count > lots_in_owner_row_max
                             ? owner->lot_count - lots_in_owner_row_max
                             : 0;

    if (old_count + new_count == 0)
        return;
    changes->lot_put = arena_array(ledger->arena, struct lot, new_count);
    changes->lot_drop = arena_array(ledger->arena, uint32_t, old_count);
    uint32_t *scratch = arena_array(ledger->arena, uint32_t, 2 * (new_count + old_count));
    if (!changes->lot_put || !changes->lot_drop || !scratch) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return;
    }
    while (old_at < old_count || new_at < owner->lot_count) {
        const struct lot *old = old_at < old_count ? &ledger->overflow[old_at] : NULL;
        const struct lot *new = new_at < owner->lot_count ? &owner->lot[new_at] : NULL;
        int order = !old ? 1 : !new ? -1 : lot_cmp(old, new);
        if (order < 0)
            changes->lot_drop[changes->lot_drop_count++] = old->lot_no;
        else if (order > 0 || !same_lot(old, new))
            changes->lot_put[changes->lot_put_count++] = *new;
        old_at += order <= 0;
        new_at += order >= 0;
    }
    keep_moved(changes, scratch);
    assert(changes->lot_put_count <= new_count);
    assert(changes->lot_drop_count <= old_count);
}

static enum code
report(const struct ledger *ledger, struct err *err)
{
    unsigned long long id = ledger->owner->owner_id;

    assert(ledger->failed);
    switch (ledger->failure) {
    case CODE_RANGE:
        return err_set(err, CODE_RANGE, "a sum of owner '%llu' does not fit", id);
    case CODE_LIMIT:
        return err_set(err, CODE_LIMIT, "owner '%llu' has too many lots or movements", id);
    default:
        return err_set(err, ledger->failure, "no memory left to book on owner '%llu'", id);
    }
}

enum code
ledger_finish(struct ledger *ledger, struct err *err)
{
    struct owner *owner = ledger->owner;

    assert(ledger->changes->owner == owner);
    if (!ledger->failed)
        put_overflow(ledger);
    if (ledger->arena->failed)
        ledger_fail(ledger, CODE_NO_MEMORY);
    if (ledger->failed)
        return report(ledger, err);
    owner->version++;
    owner->next_due = owner_next_due(owner);
    assert(owner->next_due > ledger->now);
    owner->settled_to = ledger->now;
    ledger_check(owner);
    check_numbers(ledger);
    return OK;
}
