/*
 * movement.c - one movement booked: its number and both of its accounts.
 *
 * Owns:      balances, and the list of new movements.
 * Must not:  know why points move, or touch lots (lot.c does both together).
 * Invariant: what one account gains its contra loses, so all accounts of a currency add up to 0;
 *            PENDING + ACTIVE fits int64; nothing wraps: what does not fit fails the booking.
 * Cost:      a few additions; the list grows by doubling in the arena.
 * Tests:     tests/unit/ledger/test_finish.c, tests/unit/ledger/test_property.c
 */
#include "ledger/movement.h"

#include "base/mem.h"

enum { first_movements = 8 };

void
ledger_fail(struct ledger *ledger, enum code code)
{
    assert(code != OK);
    if (ledger->failed)
        return;
    ledger->failed = true;
    ledger->failure = code;
}

uint32_t
ledger_next_no(struct ledger *ledger)
{
    assert(ledger->owner == ledger->changes->owner);
    if (ledger->owner->last_movement == UINT32_MAX)
        ledger_fail(ledger, CODE_LIMIT);
    return ledger->failed ? 0 : ledger->owner->last_movement + 1;
}

static const struct balance *
find_balance(const struct owner *owner, uint8_t currency)
{
    assert(owner->balance_count <= currencies_per_programme_max);
    for (uint32_t i = 0; i < owner->balance_count; i++)
        if (owner->balance[i].currency == currency)
            return &owner->balance[i];
    return NULL;
}

amount
owner_balance(const struct owner *owner, uint8_t currency, enum account account)
{
    const struct balance *balance = find_balance(owner, currency);

    assert((unsigned)account < account_count);
    return balance ? balance->of[account] : 0;
}

amount
ledger_available(const struct owner *owner, uint8_t currency)
{
    const struct balance *balance = find_balance(owner, currency);

    if (!balance)
        return 0;
    assert(balance->of[ACCOUNT_HELD] >= 0);
    assert(balance->of[ACCOUNT_ACTIVE] >= balance->of[ACCOUNT_HELD]);
    return balance->of[ACCOUNT_ACTIVE] - balance->of[ACCOUNT_HELD];
}

/* The balance of `currency`, made at its place when this is its first movement; NULL: no memory. */
static struct balance *
need_balance(struct ledger *ledger, uint8_t currency)
{
    struct owner *owner = ledger->owner;
    uint32_t at = 0;

    assert(currency >= 1);
    assert(currency <= currencies_per_programme_max);
    while (at < owner->balance_count && owner->balance[at].currency < currency)
        at++;
    if (at < owner->balance_count && owner->balance[at].currency == currency)
        return &owner->balance[at];

    struct balance *more = arena_array(ledger->arena, struct balance, owner->balance_count + 1);
    if (!more)
        return NULL;
    if (owner->balance_count > 0) {
        memcpy(more, owner->balance, at * sizeof(*more));
        memcpy(more + at + 1, owner->balance + at, (owner->balance_count - at) * sizeof(*more));
    }
    more[at].currency = currency;
    owner->balance = more;
    owner->balance_count++;
    return &more[at];
}

static bool
need_room(struct ledger *ledger)
{
    struct changes *changes = ledger->changes;

    assert(changes->movement_count <= changes->movement_cap);
    if (changes->movement_count < changes->movement_cap)
        return true;

    uint32_t cap = changes->movement_cap ? 2 * changes->movement_cap : first_movements;
    struct movement *more = arena_array(ledger->arena, struct movement, cap);
    if (!more)
        return false;
    if (changes->movement_count > 0)
        memcpy(more, changes->movement, changes->movement_count * sizeof(*more));
    changes->movement = more;
    changes->movement_cap = cap;
    return true;
}

/* Move `points` between two accounts of a currency; false: they would not fit, nothing was
 * changed. */
static bool
move_points(struct balance *balance, enum account account, enum account contra, amount points)
{
    amount gained, lost, open;
    amount pending = balance->of[ACCOUNT_PENDING], active = balance->of[ACCOUNT_ACTIVE];

    assert(account != contra);
    assert(points > 0);
    if (!i64_add(balance->of[account], points, &gained))
        return false;
    if (!i64_sub(balance->of[contra], points, &lost))
        return false;
    balance->of[account] = gained;
    balance->of[contra] = lost;
    if (i64_add(balance->of[ACCOUNT_PENDING], balance->of[ACCOUNT_ACTIVE], &open))
        return true;
    balance->of[account] = gained - points;
    balance->of[contra] = lost + points;
    assert(balance->of[ACCOUNT_PENDING] == pending);
    assert(balance->of[ACCOUNT_ACTIVE] == active);
    return false;
}

uint32_t
ledger_book(struct ledger *ledger, const struct movement *movement)
{
    struct owner *owner = ledger->owner;
    struct changes *changes = ledger->changes;

    assert((movement->amount > 0) == (movement->kind != MOVEMENT_LEVEL));
    if (ledger_next_no(ledger) == 0)
        return 0;
    if (!need_room(ledger)) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return 0;
    }
    if (movement->kind != MOVEMENT_LEVEL) {
        struct balance *balance = need_balance(ledger, movement->currency);
        if (!balance) {
            ledger_fail(ledger, CODE_NO_MEMORY);
            return 0;
        }
        if (!move_points(balance, movement->account, movement->contra, movement->amount)) {
            ledger_fail(ledger, CODE_RANGE);
            return 0;
        }
    }
    struct movement *booked = &changes->movement[changes->movement_count++];
    *booked = *movement;
    booked->owner_id = owner->owner_id;
    booked->movement_no = ++owner->last_movement;
    booked->op_id = ledger->op_id;
    return booked->movement_no;
}
