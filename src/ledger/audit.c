/*
 * audit.c - replays an owner's movements and says which one cannot be true.
 *
 * Owns:      audit_begin(), audit_movement(), audit_end().
 * Must not:  call anything of the files that book: a mistake of theirs must not hide here as
 *            well.
 * Invariant: the first fault stays; a movement after it is not looked at.
 * Cost:      O(log lots) a movement, O(parts held) for one of a hold; 120 bytes for each lot ever
 *            made.
 * Tests:     tests/unit/ledger/test_audit.c, tests/unit/ledger/test_property.c
 *
 * Each kind may join certain accounts only. After each movement every account has its sign, the
 * lot has what it gave, and a hold has what it releases. What a single movement does not betray
 * (an earning written higher than it was) shows in a later movement of the same lot, or in the
 * row at the end.
 */
#include "ledger/audit.h"

#include "base/mem.h"

enum lot_use {
    LOT_NONE,        /* names no lot */
    LOT_MAKES,       /* its number is the movement's own */
    LOT_NEEDS,       /* made before */
    LOT_UNLESS_DEBT, /* as NEEDS; NONE when one side is DEBT */
};

#define BIT(name) (1u << ACCOUNT_##name)

/* What a movement of each kind may look like. */
static const struct form {
    uint32_t account, contra; /* bits of the accounts allowed */
    enum lot_use lot;
    int left, held, spent; /* what it does to the lot, times the amount */
} forms[movement_kind_count] = {
    [MOVEMENT_EARN] = { BIT(PENDING) | BIT(ACTIVE), BIT(ISSUED), LOT_MAKES, 1, 0, 0 },
    [MOVEMENT_ACTIVATE] = { BIT(ACTIVE), BIT(PENDING), LOT_NEEDS, 0, 0, 0 },
    [MOVEMENT_SPEND] = { BIT(REDEEMED), BIT(ACTIVE), LOT_NEEDS, -1, 0, 1 },
    [MOVEMENT_RESTORE] = { BIT(ACTIVE), BIT(REDEEMED), LOT_NEEDS, 1, 0, -1 },
    [MOVEMENT_EXPIRE] = { BIT(EXPIRED), BIT(PENDING) | BIT(ACTIVE), LOT_NEEDS, -1, 0, 0 },
    [MOVEMENT_REVOKE] = { BIT(REVOKED), BIT(PENDING) | BIT(ACTIVE) | BIT(DEBT), LOT_UNLESS_DEBT, -1,
                          0, 0 },
    [MOVEMENT_REGIVE] = { BIT(PENDING) | BIT(ACTIVE) | BIT(DEBT), BIT(REVOKED), LOT_UNLESS_DEBT, 1,
                          0, 0 },
    [MOVEMENT_REPAY] = { BIT(DEBT), BIT(ACTIVE), LOT_NEEDS, -1, 0, 0 },
    [MOVEMENT_HOLD] = { BIT(HELD), BIT(UNHELD), LOT_NEEDS, 0, 1, 0 },
    [MOVEMENT_RELEASE] = { BIT(UNHELD), BIT(HELD), LOT_NEEDS, 0, -1, 0 },
    [MOVEMENT_OPEN] = { BIT(PENDING) | BIT(ACTIVE), BIT(OPENING), LOT_MAKES, 1, 0, 0 },
    [MOVEMENT_MOVE_IN] = { BIT(PENDING) | BIT(ACTIVE), BIT(MOVED), LOT_MAKES, 1, 0, 0 },
    [MOVEMENT_MOVE_OUT] = { BIT(MOVED), BIT(PENDING) | BIT(ACTIVE), LOT_NEEDS, -1, 0, 0 },
    [MOVEMENT_LEVEL] = { 0, 0, LOT_NONE, 0, 0, 0 },
};

struct audit *
audit_begin(struct arena *arena, uint64_t owner_id)
{
    struct audit *audit = arena_new(arena, struct audit);

    if (audit) {
        assert(audit->last_no == 0);
        audit->arena = arena;
        audit->owner_id = owner_id;
    }
    return audit;
}

/* Remember the first fault. */
static void
blame(struct audit *audit, uint32_t movement_no, const char *what)
{
    if (audit->fault.code != OK)
        return;
    audit->fault_no = movement_no;
    err_set(&audit->fault, CODE_CORRUPT, "movement '%u' of owner '%llu': %s", movement_no,
            (unsigned long long)audit->owner_id, what);
    assert(audit->fault.code == CODE_CORRUPT);
}

static void
blame_memory(struct audit *audit)
{
    assert(audit->fault.code == OK);
    err_set(&audit->fault, CODE_NO_MEMORY, "no memory left to audit owner '%llu'",
            (unsigned long long)audit->owner_id);
}

struct audit_lot *
audit_find_lot(const struct audit *audit, uint32_t lot_no)
{
    uint32_t low = 0, high = audit->lot_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (audit->lot[middle].lot_no < lot_no)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low <= audit->lot_count);
    return low < audit->lot_count && audit->lot[low].lot_no == lot_no ? &audit->lot[low] : NULL;
}

/* Twice the room, at least 16 items; NULL: no memory. */
static void *
grow(struct audit *audit, const void *items, uint32_t count, uint32_t *cap, size_t size)
{
    uint32_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *more = arena_alloc_array(audit->arena, wanted, size);

    assert(count <= wanted);
    if (!more) {
        blame_memory(audit);
        return NULL;
    }
    if (count > 0)
        memcpy(more, items, count * size);
    *cap = wanted;
    return more;
}

static struct audit_lot *
make_lot(struct audit *audit, const struct movement *movement)
{
    if (audit->lot_count == audit->lot_cap) {
        void *more = grow(audit, audit->lot, audit->lot_count, &audit->lot_cap,
                          sizeof(*audit->lot));
        if (!more)
            return NULL;
        audit->lot = more;
    }
    struct audit_lot *lot = &audit->lot[audit->lot_count++];
    *lot = (struct audit_lot){
        .lot_no = movement->movement_no,
        .currency = movement->currency,
        .pending = movement->account == ACCOUNT_PENDING,
        .made = movement->amount,
        .active_from = movement->active_from,
        .expires_at = movement->expires_at,
        .first_end = movement->expires_at,
        .last_end = movement->expires_at,
        .cause = movement->op_id,
        .rule = movement->rule,
        .version = movement->version,
    };
    assert(audit->lot_count == 1 || lot[-1].lot_no < lot->lot_no);
    return lot;
}

/* What is wrong with the form of a movement, whatever came before it; NULL: nothing. */
static const char *
wrong_form(const struct movement *movement)
{
    const struct form *form = &forms[movement->kind];
    bool gives = movement->kind == MOVEMENT_RESTORE || movement->kind == MOVEMENT_REGIVE;
    bool has_life = form->lot == LOT_MAKES || (gives && movement->lot_no != 0);
    bool debt = movement->account == ACCOUNT_DEBT || movement->contra == ACCOUNT_DEBT;
    bool wants_lot = form->lot == LOT_MAKES || form->lot == LOT_NEEDS ||
                     (form->lot == LOT_UNLESS_DEBT && !debt);

    assert(movement->kind != MOVEMENT_LEVEL);
    if (movement->amount <= 0)
        return "its amount is not above 0";
    if (movement->currency < 1 || movement->currency > currencies_per_programme_max)
        return "its currency has no such number";
    if ((unsigned)movement->account >= account_count ||
        (unsigned)movement->contra >= account_count || !(form->account >> movement->account & 1) ||
        !(form->contra >> movement->contra & 1))
        return "its accounts are not those of its kind";
    if (wants_lot != (movement->lot_no != 0))
        return "it names a lot where its kind has none, or none where it has one";
    if (form->lot == LOT_MAKES && movement->lot_no != movement->movement_no)
        return "the lot it makes has another number";
    if (!has_life && (movement->active_from != 0 || movement->expires_at != 0))
        return "it tells the life of a lot, which its kind does not";
    if (form->held != 0 && movement->ref == 0)
        return "it names no hold";
    return NULL;
}

/* Move the amount; what is wrong with the accounts afterwards. */
static const char *
replay_accounts(struct audit *audit, const struct movement *movement)
{
    amount *of = audit->account[movement->currency];

    assert(movement->currency <= currencies_per_programme_max);
    audit->touched[movement->currency] = true;
    if (!i64_add(of[movement->account], movement->amount, &of[movement->account]) ||
        !i64_sub(of[movement->contra], movement->amount, &of[movement->contra]))
        return "an account leaves the range of amounts";
    if (of[ACCOUNT_PENDING] < 0 || of[ACCOUNT_ACTIVE] < 0)
        return "more is taken than there is";
    if (of[ACCOUNT_HELD] < 0 || of[ACCOUNT_HELD] > of[ACCOUNT_ACTIVE])
        return "what is held is below 0 or above what is active";
    if (of[ACCOUNT_DEBT] > 0)
        return "more debt is repaid than there was";
    if (of[ACCOUNT_REDEEMED] < 0)
        return "more is restored than was spent";
    if (of[ACCOUNT_REVOKED] < 0)
        return "more is given again than was revoked";
    return NULL;
}

/* What a hold holds of a lot, one more or one less. */
static const char *
replay_hold(struct audit *audit, const struct movement *movement)
{
    uint32_t i = 0;

    while (i < audit->part_count &&
           (audit->part[i].hold != movement->ref || audit->part[i].lot_no != movement->lot_no))
        i++;
    assert(i <= audit->part_count);
    if (movement->kind == MOVEMENT_RELEASE) {
        if (i == audit->part_count || audit->part[i].points < movement->amount)
            return "it releases what the hold does not hold";
        audit->part[i].points -= movement->amount;
        if (audit->part[i].points == 0)
            audit->part[i] = audit->part[--audit->part_count];
        return NULL;
    }
    if (i == audit->part_cap) {
        void *more = grow(audit, audit->part, audit->part_count, &audit->part_cap,
                          sizeof(*audit->part));
        if (!more)
            return NULL; /* blamed */
        audit->part = more;
    }
    if (i == audit->part_count)
        audit->part[audit->part_count++] = (struct audit_part){ movement->ref, movement->lot_no,
                                                                0 };
    audit->part[i].points += movement->amount; /* not above ACTIVE, which fits */
    return NULL;
}

/*
 * A movement that gives back tells the lot's life. An open lot keeps its own; a closed one is made
 * again as it was at some time before: with its first end, or a later one that it was given. A
 * restored lot whose end has passed may be given another, beyond this day.
 */
static const char *
wrong_life(const struct audit_lot *lot, const struct movement *movement)
{
    unix_ms first = lot->left > 0 ? lot->expires_at : lot->first_end;
    unix_ms last = lot->left > 0 ? lot->expires_at : lot->last_end;

    assert(lot->first_end <= lot->last_end);
    if (movement->active_from != lot->active_from || movement->expires_at < first)
        return "it changes the life of the lot";
    if (movement->expires_at <= last)
        return NULL;
    if (movement->kind != MOVEMENT_RESTORE || first > movement->at)
        return "it prolongs a lot that lives";
    return movement->expires_at > movement->at ? NULL : "it prolongs a lot, but not to this day";
}

/* Does the state of the lot allow this kind, at this time? */
static const char *
wrong_time(const struct audit_lot *lot, const struct movement *movement)
{
    amount free = lot->left - lot->held;

    assert(free >= 0);
    switch (movement->kind) {
    case MOVEMENT_ACTIVATE:
        if (!lot->pending || movement->amount != lot->left)
            return "it does not activate all of a pending lot";
        return movement->at == lot->active_from ? NULL : "it activates a lot on another day";
    case MOVEMENT_EXPIRE:
        if (movement->at < lot->expires_at)
            return "the lot expires before its time";
        if (movement->at > lot->expires_at && movement->at != lot->freed_at &&
            movement->op_id != lot->cause)
            return "the lot expires after its time";
        return movement->amount == free ? NULL : "it does not expire all that is free";
    case MOVEMENT_SPEND:
        return movement->ref != 0 || movement->at < lot->expires_at ? NULL : "it spends a dead lot";
    case MOVEMENT_HOLD:
        return movement->at < lot->expires_at ? NULL : "it holds a dead lot";
    case MOVEMENT_RESTORE:
    case MOVEMENT_REGIVE:
        return wrong_life(lot, movement);
    default:
        return NULL;
    }
}

static const char *
replay_lot(struct audit *audit, const struct movement *movement)
{
    const struct form *form = &forms[movement->kind];
    struct audit_lot *lot = form->lot == LOT_MAKES ? make_lot(audit, movement)
                                                   : audit_find_lot(audit, movement->lot_no);

    if (!lot)
        return form->lot == LOT_MAKES ? NULL /* no memory, blamed */ : "there is no such lot";
    bool own_is_pending = movement->account == ACCOUNT_PENDING ||
                          (movement->contra == ACCOUNT_PENDING &&
                           movement->kind != MOVEMENT_ACTIVATE);
    amount free = lot->left - lot->held;
    if (movement->kind == MOVEMENT_REGIVE && lot->left == 0)
        lot->pending = movement->at < lot->active_from; /* made again */
    if (lot->currency != movement->currency)
        return "the lot has another currency";
    if (form->left != 0 && own_is_pending != lot->pending)
        return "the lot is pending where the account is not, or the reverse";
    if (form->held != 0 && lot->pending)
        return "it holds a pending lot";
    if ((form->left < 0 || form->held > 0) && movement->amount > free)
        return "it takes more than is free in the lot";
    if (form->held < 0 && movement->amount > lot->held)
        return "it releases more than is held of the lot";
    if (form->spent < 0 && movement->amount > lot->spent)
        return "it restores more than was spent of the lot";
    const char *wrong = wrong_time(lot, movement);
    if (wrong)
        return wrong;

    assert(form->left <= 0 || lot->left <= INT64_MAX - movement->amount); /* accounts did fit */
    lot->left += form->left * movement->amount;
    lot->held += form->held * movement->amount;
    lot->spent += form->spent * movement->amount;
    if (lot->left > lot->peak)
        lot->peak = lot->left;
    if (form->left > 0 || form->held < 0)
        lot->freed_at = movement->at;
    if (movement->kind == MOVEMENT_ACTIVATE)
        lot->pending = false;
    if (movement->kind == MOVEMENT_RESTORE || movement->kind == MOVEMENT_REGIVE) {
        lot->expires_at = movement->expires_at;
        if (lot->expires_at > lot->last_end)
            lot->last_end = lot->expires_at;
    }
    return form->held != 0 ? replay_hold(audit, movement) : NULL;
}

static const char *
replay_level(struct audit *audit, const struct movement *movement)
{
    assert(movement->kind == MOVEMENT_LEVEL);
    if (movement->amount != 0 || movement->currency != 0)
        return "a change of level moves points";
    if (movement->lot_no < 1 || movement->lot_no > ladders_per_programme_max)
        return "there is no such ladder";
    if (movement->rule < 0 || movement->rule > levels_per_ladder_max)
        return "there is no such level";
    struct audit_ladder *ladder = &audit->ladder[movement->lot_no];
    if (ladder->level == movement->rule)
        return "the level was the same before";
    *ladder = (struct audit_ladder){ true, (uint8_t)movement->rule, movement->at };
    return NULL;
}

static const char *
replay(struct audit *audit, const struct movement *movement)
{
    if (movement->op_id == 0)
        return "no operation caused it";
    if (movement->kind == MOVEMENT_LEVEL)
        return replay_level(audit, movement);

    const char *wrong = wrong_form(movement);
    if (!wrong)
        wrong = replay_accounts(audit, movement);
    if (!wrong && movement->lot_no != 0)
        wrong = replay_lot(audit, movement);
    assert(wrong || movement->amount > 0);
    return wrong;
}

void
audit_movement(struct audit *audit, const struct movement *movement)
{
    uint32_t next = audit->last_no + 1;

    if (audit->fault.code != OK)
        return;
    if (movement->owner_id != audit->owner_id) {
        blame(audit, next, "it belongs to another owner");
        return;
    }
    if (movement->movement_no > next) {
        blame(audit, next, "it is missing");
        return;
    }
    if (movement->movement_no < next) {
        blame(audit, movement->movement_no, "its number comes twice, or too late");
        return;
    }
    if ((unsigned)movement->kind >= movement_kind_count) {
        blame(audit, next, "its kind is unknown");
        return;
    }
    const char *wrong = replay(audit, movement);
    if (wrong)
        blame(audit, next, wrong);
    audit->last_no = next;
    assert(audit->last_no == movement->movement_no);
}

bool
audit_end(struct audit *audit, const struct owner *stored, uint32_t *movement_no, struct err *err)
{
    assert(movement_no);
    *movement_no = 0;
    if (audit->fault.code == OK)
        audit_compare_row(audit, stored);
    if (audit->fault.code == OK)
        return true;
    *movement_no = audit->fault_no;
    err_set(err, audit->fault.code, "%s", audit->fault.text);
    return false;
}
