/*
 * test_audit.c - tampered movements and rows are found, each at its place.
 *
 * Owns:      two streams of movements that contain every kind that a booking can make, and
 *            everything that is done to them: a movement taken away, doubled, swapped, or changed
 *            in one field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../host.h"
#include "world.h"

/* A life with every kind of movement. */
static void
live(struct world *world)
{
    unix_ms day = day_of(2025, 3, 1), from, end;
    struct take *take, own = { .currency = 1, .rule = 3, .version = 7 };
    uint32_t count, lot_no;
    amount debt;
    struct ledger *ledger = world_begin(world, day);
    int64_t add[counters_per_programme_max] = { 1500, 20, 700, 1 };

    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 500, day, 7, 2, day, day + 90 * DAY_MS);
    ledger_earn_life(ledger, MOVEMENT_MOVE_IN, 3, 70, day, 0, rule_none, day, day + 5 * DAY_MS);
    ledger_earn(ledger, MOVEMENT_EARN, 2, 300, day, 7, 3, &from, &end);
    world_end(world);

    ledger = world_begin(world, day + DAY_MS);
    own.lot_no = lot_no = ledger_earn(ledger, MOVEMENT_EARN, 1, 200, day + DAY_MS, 7, 3,
                                      &own.active_from, &own.expires_at);
    own.size = own.points = 200;
    own.cause = ledger->op_id;
    ledger_count(ledger, day + DAY_MS, add);
    ledger_level(ledger, day + DAY_MS);
    assert_int_equal(ledger_plan_take(ledger->owner, 1, 600, ledger->arena, &take, &count), 0);
    struct take paid[2] = { take[0], take[1] };
    ledger_spend(ledger, take, count, 0);
    world_end(world);

    ledger = world_begin(world, day + 2 * DAY_MS);
    struct take other = own;
    other.lot_no = ledger_earn(ledger, MOVEMENT_EARN, 1, 60, day + 2 * DAY_MS, 7, 3,
                               &other.active_from, &other.expires_at);
    other.size = other.points = 60;
    other.cause = ledger->op_id;
    assert_int_equal(ledger_revoke(ledger, other.lot_no, 1, 60, 55, &debt), OUTCOME_DONE);
    ledger_regive(ledger, &other, 60, 55); /* into the lot, made again */
    assert_int_equal(ledger_revoke(ledger, other.lot_no, 1, 60, 55, &debt), OUTCOME_DONE);
    assert_int_equal(ledger_revoke(ledger, lot_no, 1, 200, 55, &debt), OUTCOME_DONE);
    assert_true(debt == 100);
    ledger_regive(ledger, &own, 30, 55);
    assert_int_equal(ledger_plan_take(ledger->owner, 3, 40, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 77, day + 8 * DAY_MS, take, count), OUTCOME_DONE);
    world_end(world);

    ledger = world_begin(world, day + 3 * DAY_MS);
    ledger_restore(ledger, &paid[1], 50, 54); /* repays */
    ledger_earn(ledger, MOVEMENT_EARN, 1, 90, day + 3 * DAY_MS, 7, 3, &from, &end); /* repays */
    take[0] = (struct take){ 0 };
    assert_int_equal(ledger_plan_take(ledger->owner, 3, 20, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 78, day + 40 * DAY_MS, take, count), OUTCOME_DONE);
    world_end(world);

    ledger = world_begin(world, day + 100 * DAY_MS); /* activation, ends of holds, deaths */
    ledger_restore(ledger, &paid[0], 10, 54);        /* dead: it dies at once */
    ledger_earn(ledger, MOVEMENT_EARN, 3, 400, day + 100 * DAY_MS, 7, 4, &from, &end);
    ledger_earn(ledger, MOVEMENT_EARN, 2, 40, day + 100 * DAY_MS, 7, 4, &from, &end);
    assert_int_equal(ledger_plan_take(ledger->owner, 3, 100, ledger->arena, &take, &count), 0);
    assert_int_equal(ledger_hold(ledger, 79, day + 140 * DAY_MS, take, count), OUTCOME_DONE);
    world_end(world);
}

/* What the tests work on: an honest stream and row, and a copy to spoil. */
struct stream {
    struct world world;
    struct arena arena;
    struct owner owner;
    uint32_t count;
    struct movement *movement; /* room for one more */
    uint32_t tries, exact;
};

static void
stream_init(struct stream *stream)
{
    world_init(&stream->world);
    live(&stream->world);
    arena_init(&stream->arena, host_source(), 1 << 16, 1 << 24);
    stream->movement = calloc(stream->world.movement_count + 1, sizeof(*stream->movement));
    assert_non_null(stream->movement);
    stream->tries = stream->exact = 0;
}

static void
stream_free(struct stream *stream)
{
    world_free(&stream->world);
    arena_release(&stream->arena);
    free(stream->movement);
}

static void
stream_reset(struct stream *stream)
{
    arena_reset(&stream->arena);
    world_load(&stream->world, &stream->arena, &stream->owner);
    stream->count = stream->world.movement_count;
    memcpy(stream->movement, stream->world.movement, stream->count * sizeof(*stream->movement));
}

static const char *
audit(struct stream *stream, uint32_t *no)
{
    return world_audit_of(&stream->world, stream->movement, stream->count, &stream->owner, no);
}

/* It must be found; at movement `no`, if that is not 0. */
static void
expect_fault(struct stream *stream, uint32_t no, const char *what, uint32_t place)
{
    uint32_t found = UINT32_MAX;
    const char *wrong = audit(stream, &found);

    if (!wrong)
        fail_msg("%s of movement %u was not found", what, place);
    if (no != 0 && found != no)
        fail_msg("%s of movement %u was found at %u: %s", what, place, found, wrong);
    if (no == 0 && found != 0 && found < place)
        fail_msg("%s of movement %u was found before it, at %u: %s", what, place, found, wrong);
    stream->tries++;
    stream->exact += no != 0;
}

static void
test_every_kind_is_there(void **state)
{
    struct stream stream;
    uint32_t seen = 0, no = 99;

    (void)state;
    stream_init(&stream);
    stream_reset(&stream);
    for (uint32_t i = 0; i < stream.count; i++)
        seen |= 1u << stream.movement[i].kind;
    seen |= 1u << MOVEMENT_MOVE_OUT; /* no verb makes it yet */
    assert_int_equal(seen, (1u << movement_kind_count) - 1);
    assert_null(audit(&stream, &no));
    assert_int_equal(no, 0);
    stream_free(&stream);
}

static void
test_missing_doubled_swapped(void **state)
{
    struct stream stream;

    (void)state;
    stream_init(&stream);
    for (uint32_t i = 0; i < stream.world.movement_count; i++) {
        stream_reset(&stream);
        memmove(&stream.movement[i], &stream.movement[i + 1],
                (--stream.count - i) * sizeof(struct movement));
        expect_fault(&stream, i + 1, "absence", i + 1);

        stream_reset(&stream);
        memmove(&stream.movement[i + 1], &stream.movement[i],
                (stream.count++ - i) * sizeof(struct movement));
        expect_fault(&stream, i + 1, "doubling", i + 1);

        if (i + 1 == stream.world.movement_count)
            continue;
        stream_reset(&stream);
        struct movement first = stream.movement[i];
        stream.movement[i] = stream.movement[i + 1];
        stream.movement[i + 1] = first;
        expect_fault(&stream, i + 1, "swap", i + 1);
    }
    assert_true(stream.exact == stream.tries);
    assert_true(stream.tries > 70);
    stream_free(&stream);
}

/* Spoil one field of a movement; returns where it must be found: its number, 0 for "at or
 * after", or UINT32_MAX when this spoils nothing. */
static uint32_t
spoil_amount(struct movement *movement, int how)
{
    uint32_t no = movement->movement_no;
    bool level = movement->kind == MOVEMENT_LEVEL;
    bool makes = movement->lot_no == no && !level;

    switch (how) {
    case 0:
        movement->owner_id++;
        return no;
    case 1:
        movement->kind = movement_kind_count;
        return no;
    case 2: /* the reverse: everything is given that was taken */
        if (level)
            return UINT32_MAX;
        enum account account = movement->account;
        movement->account = movement->contra;
        movement->contra = account;
        return no;
    case 3:
        movement->contra = ACCOUNT_MOVED;
        return level || movement->kind == MOVEMENT_MOVE_IN ? UINT32_MAX : no;
    case 4:
        movement->account = (enum account)account_count;
        return level ? UINT32_MAX : no;
    case 5:
        movement->amount = level ? 1 : -movement->amount;
        return no;
    case 6:
        movement->amount = level ? -1 : 0;
        return no;
    case 7:
        movement->amount++;
        return movement->kind == MOVEMENT_ACTIVATE || movement->kind == MOVEMENT_EXPIRE ||
                       movement->kind == MOVEMENT_RELEASE || level
                   ? no
                   : 0;
    case 8:
        if (movement->amount == 1 || level)
            return UINT32_MAX;
        movement->amount--;
        return movement->kind == MOVEMENT_ACTIVATE || movement->kind == MOVEMENT_EXPIRE ? no : 0;
    case 9:
        movement->amount = INT64_MAX;
        return movement->kind == MOVEMENT_EARN || movement->kind == MOVEMENT_OPEN ||
                       movement->kind == MOVEMENT_MOVE_IN
                   ? 0
                   : no;
    case 10: /* a lot that was never made, a ladder that cannot be */
        movement->lot_no = 1000000;
        return no;
    case 11:
        movement->lot_no = movement->lot_no ? 0 : 1;
        return no;
    case 12:
        movement->currency = (uint8_t)(movement->currency % 3 + 1);
        return makes || movement->lot_no == 0 ? 0 : no;
    default:
        return UINT32_MAX;
    }
}

/* The same with its cause, times and the lot's life. */
static uint32_t
spoil_life(struct movement *movement, int how, const struct owner *owner)
{
    uint32_t no = movement->movement_no;
    bool level = movement->kind == MOVEMENT_LEVEL;
    bool makes = movement->lot_no == no && !level;
    bool tells = movement->expires_at != 0;
    bool open = false; /* of a closed lot less can be told */

    for (uint32_t i = 0; i < owner->lot_count; i++)
        open |= owner->lot[i].lot_no == movement->lot_no;
    switch (how) {
    case 13:
        movement->currency = level ? 1 : 0;
        return no;
    case 14:
        movement->currency = 17;
        return no;
    case 15:
        movement->op_id = 0;
        return no;
    case 16: /* the life of the lot */
        movement->expires_at = tells ? movement->expires_at - 1 : DAY_MS;
        return level ? UINT32_MAX : makes ? 0 : no;
    case 17:
        movement->active_from = tells ? movement->active_from + 1 : DAY_MS;
        if (makes && !open && movement->expires_at < day_of(2025, 6, 1))
            return UINT32_MAX; /* the lot was active at once, and is closed */
        return level ? UINT32_MAX : makes ? 0 : no;
    case 18:
        movement->at--;
        return movement->kind == MOVEMENT_ACTIVATE ? no : level ? 0 : UINT32_MAX;
    case 19:
        if (movement->kind != MOVEMENT_HOLD && movement->kind != MOVEMENT_RELEASE)
            return UINT32_MAX;
        movement->ref = 0;
        return no;
    case 20:
        if (movement->kind != MOVEMENT_HOLD && movement->kind != MOVEMENT_RELEASE)
            return UINT32_MAX;
        movement->ref++;
        return movement->kind == MOVEMENT_RELEASE ? no : 0;
    case 21:
        movement->rule = level ? levels_per_ladder_max + 1 : movement->rule + 1;
        return level ? no : makes && open ? 0 : UINT32_MAX;
    case 22: /* pending where it is active, or the reverse */
        if (movement->account == ACCOUNT_ACTIVE || movement->account == ACCOUNT_PENDING)
            movement->account ^= ACCOUNT_ACTIVE ^ ACCOUNT_PENDING;
        else if (movement->contra == ACCOUNT_ACTIVE || movement->contra == ACCOUNT_PENDING)
            movement->contra ^= ACCOUNT_ACTIVE ^ ACCOUNT_PENDING;
        else
            return UINT32_MAX;
        return makes ? 0 : no;
    case 23: /* a lot is prolonged that lives, or not to this day */
        if (movement->kind != MOVEMENT_RESTORE &&
            (movement->kind != MOVEMENT_REGIVE || movement->lot_no == 0))
            return UINT32_MAX;
        movement->expires_at++;
        return no;
    default:
        movement->rule = -2;
        return level ? no : UINT32_MAX;
    }
}

static uint32_t
spoil(struct movement *movement, int how, const struct owner *owner)
{
    return how < 13 ? spoil_amount(movement, how) : spoil_life(movement, how, owner);
}

static void
test_spoilt_fields(void **state)
{
    struct stream stream;

    (void)state;
    stream_init(&stream);
    for (uint32_t i = 0; i < stream.world.movement_count; i++)
        for (int how = 0; how < 25; how++) {
            char what[16] = { 'w', 'a', 'y', ' ', (char)('0' + how / 10), (char)('0' + how % 10) };
            stream_reset(&stream);
            uint32_t no = spoil(&stream.movement[i], how, &stream.owner);
            if (no != UINT32_MAX)
                expect_fault(&stream, no, what, i + 1);
        }
    if (stream.tries < 500 || stream.exact < 350)
        fail_msg("only %u tries, %u exact", stream.tries, stream.exact);
    print_message("%u spoilt movements found, %u of them at their number\n", stream.tries,
                  stream.exact);
    stream_free(&stream);
}

/* Change one thing of the row; false: there is no such thing. */
static bool
spoil_lot_of_row(struct owner *owner, int how)
{
    struct lot *lot = owner->lot_count > 0 ? &owner->lot[owner->lot_count - 1] : NULL;

    assert_non_null(lot);
    switch (how) {
    case 0:
        owner->owner_id++;
        return true;
    case 1:
        owner->last_movement++;
        return true;
    case 2:
        owner->last_movement--;
        return true;
    case 3:
        owner->balance_count--;
        return true;
    case 4:
        owner->balance[0].currency = 9;
        return true;
    case 5:
        owner->lot_count--;
        return true;
    case 6:
        lot->left--;
        return true;
    case 7:
        lot->left++;
        lot->size++;
        return true;
    case 8:
        lot->size++;
        return true;
    case 9:
        lot->size--;
        return true;
    case 10:
        lot->expires_at++;
        return true;
    case 11:
        lot->active_from--;
        return true;
    case 12:
        lot->pending = !lot->pending;
        return true;
    case 13:
        lot->graced = true;
        return true;
    case 14:
        lot->cause++;
        return true;
    case 15:
        lot->rule++;
        return true;
    case 16:
        lot->version++;
        return true;
    case 17:
        lot->currency = (uint8_t)(lot->currency % 3 + 1);
        return true;
    case 18:
        lot->lot_no = 1;
        return true;
    default:
        return false;
    }
}

/* The same with its holds, levels and the order of its lots. */
static bool
spoil_rest_of_row(struct owner *owner, int how)
{
    struct lot *lot = owner->lot_count > 0 ? &owner->lot[owner->lot_count - 1] : NULL;

    assert_non_null(lot);
    switch (how) {
    case 19:
        lot->held++;
        return true;
    case 20:
        owner->hold_count--;
        return true;
    case 21:
        owner->hold[0].id++;
        return true;
    case 22:
        owner->hold[0].take[0].points++;
        return true;
    case 23:
        owner->hold[0].take[0].points--;
        return true;
    case 24:
        owner->hold[0].take[0].lot_no = 1;
        return true;
    case 25:
        owner->hold[0].take[0].currency = 1;
        return true;
    case 26:
        owner->level_count--;
        return true;
    case 27:
        owner->level[0].level++;
        return true;
    case 28:
        owner->level[0].since++;
        return true;
    case 29:
        owner->level[0].ladder_no = 3;
        return true;
    case 30:
        owner->next_due++;
        return true;
    case 31:
        owner->settled_to = owner->next_due;
        return true;
    case 32: { /* two lots in the wrong order */
        struct lot first = lot[-1];
        lot[-1] = lot[0];
        lot[0] = first;
        return true;
    }
    case 33:
        lot[-1] = lot[0];
        return true;
    default:
        return false;
    }
}

static bool
spoil_row(struct owner *owner, int how)
{
    return how < 19 ? spoil_lot_of_row(owner, how) : spoil_rest_of_row(owner, how);
}

static void
test_spoilt_row(void **state)
{
    struct stream stream;
    int how = 0;

    (void)state;
    stream_init(&stream);
    for (;; how++) {
        uint32_t found = 99;
        stream_reset(&stream);
        if (!spoil_row(&stream.owner, how))
            break;
        /* Numbers 0 to 2 change what the movements are compared with: those name a movement. */
        const char *wrong = audit(&stream, &found);
        if (!wrong)
            fail_msg("change %d of the row was not found", how);
        if (how > 2 && found != 0)
            fail_msg("change %d of the row was found at movement %u: %s", how, found, wrong);
    }
    assert_int_equal(how, 34);
    for (uint8_t c = 0; c < 3; c++)
        for (int k = 0; k < account_count; k++) {
            uint32_t found = 99;
            stream_reset(&stream);
            stream.owner.balance[c].of[k]++;
            assert_non_null(audit(&stream, &found));
            assert_int_equal(found, 0);
        }
    stream_free(&stream);
}

/* Lists of the row in another order, and parts that are nothing. */
static void
test_order_in_row(void **state)
{
    struct world world;
    struct owner owner;
    struct take *take;
    uint32_t count, no;
    unix_ms day = day_of(2025, 3, 1);
    int64_t add[counters_per_programme_max] = { 100, 0, 600, 0 };

    (void)state;
    world_init(&world);
    struct ledger *ledger = world_begin(&world, day);
    ledger_earn_life(ledger, MOVEMENT_OPEN, 1, 100, day, 0, rule_none, day, TIME_NONE);
    for (uint64_t id = 5; id < 8; id++) {
        assert_int_equal(ledger_plan_take(ledger->owner, 1, 9, ledger->arena, &take, &count), 0);
        assert_int_equal(ledger_hold(ledger, id, day + DAY_MS, take, count), OUTCOME_DONE);
    }
    ledger_count(ledger, day, add);
    ledger_level(ledger, day);
    world_end(&world);
    assert_null(world_audit(&world, &no));
    for (int how = 0; how < 6; how++) {
        world_load(&world, &world.arena, &owner);
        struct hold first = owner.hold[0];
        struct level_state level = owner.level[0];
        switch (how) {
        case 0:
            owner.hold[0] = owner.hold[1];
            owner.hold[1] = first;
            break;
        case 1: /* one hold as two of one number */
            first.take_count = 0;
            owner.hold[1] = owner.hold[0];
            owner.hold[0] = first;
            break;
        case 2:
            owner.level[0] = owner.level[1];
            owner.level[1] = level;
            break;
        case 3:
            owner.level[1] = level;
            break;
        case 4:
            owner.level[0].ladder_no = 0;
            break;
        default: /* a part of nothing beside the true one */
            take = arena_array(&world.arena, struct take, 2);
            take[0] = take[1] = first.take[0];
            take[0].points = 0;
            owner.hold[0].take = take;
            owner.hold[0].take_count = 2;
        }
        const char *wrong = world_audit_of(&world, world.movement, world.movement_count, &owner,
                                           &no);
        if (!wrong)
            fail_msg("way %d was not found", how);
        assert_int_equal(no, 0);
    }
    world_free(&world);
}

/* The row says how many movements there must be. */
static void
test_cut_and_longer(void **state)
{
    struct stream stream;
    uint32_t found;

    (void)state;
    stream_init(&stream);
    stream_reset(&stream);
    for (uint32_t kept = 0; kept < stream.world.movement_count; kept++) {
        stream.count = kept;
        assert_non_null(audit(&stream, &found));
        assert_int_equal(found, kept + 1);
    }
    stream_reset(&stream);
    stream.movement[stream.count] = (struct movement){ .owner_id = stream.owner.owner_id,
                                                       .movement_no = stream.count + 1,
                                                       .op_id = 5,
                                                       .kind = MOVEMENT_EARN,
                                                       .account = ACCOUNT_ACTIVE,
                                                       .contra = ACCOUNT_ISSUED,
                                                       .currency = 1,
                                                       .amount = 1,
                                                       .lot_no = stream.count + 1,
                                                       .expires_at = TIME_NONE };
    stream.count++;
    assert_non_null(audit(&stream, &found));
    assert_int_equal(found, stream.count);
    stream_free(&stream);
}

/* The same thing twice, under a number of its own: what cannot be true a second time. */
static void
test_twice(void **state)
{
    static const struct {
        enum movement_kind kind;
        int passed_over; /* of this kind, before the one that comes twice */
        const char *sentence;
    } table[] = {
        { MOVEMENT_LEVEL, 0, "the level was the same before" },
        { MOVEMENT_RELEASE, 0, "held" },
        { MOVEMENT_ACTIVATE, 0, "more is taken than there is" },
        { MOVEMENT_REPAY, 0, "more is taken than there is" }, /* all that was given back */
        { MOVEMENT_REPAY, 1, "more debt is repaid than there was" },
    };
    struct stream stream;

    (void)state;
    stream_init(&stream);
    for (size_t i = 0; i < KOP_COUNT(table); i++) {
        uint32_t at = 0, no;
        stream_reset(&stream);
        for (int left = table[i].passed_over; stream.movement[at].kind != table[i].kind || left > 0;
             at++)
            left -= stream.movement[at].kind == table[i].kind;
        memmove(&stream.movement[at + 1], &stream.movement[at],
                (stream.count - at) * sizeof(struct movement));
        stream.movement[at + 1].movement_no++;
        stream.count++;
        const char *wrong = audit(&stream, &no);
        assert_non_null(wrong);
        if (no != at + 2 || !strstr(wrong, table[i].sentence))
            fail_msg("case %zu: %s", i, wrong);
    }
    stream_free(&stream);
}

/* Too little memory is told as that, and never as agreement. */
static void
test_no_memory(void **state)
{
    struct stream stream;
    struct err err = { 0 };
    uint32_t found, refused = 0;

    (void)state;
    stream_init(&stream);
    stream_reset(&stream);
    for (size_t size = 64; size < 20000; size += 64) {
        void *memory = aligned_alloc(16, size);
        struct arena arena;
        arena_init_fixed(&arena, memory, size);
        struct audit *small = audit_begin(&arena, stream.owner.owner_id);
        if (small) {
            for (uint32_t i = 0; i < stream.count; i++)
                audit_movement(small, &stream.movement[i]);
            bool agrees = audit_end(small, &stream.owner, &found, &err);
            assert_true(agrees != arena.failed);
            if (!agrees) {
                assert_int_equal(err.code, CODE_NO_MEMORY);
                refused++;
            }
        }
        free(memory);
    }
    assert_true(refused > 10);
    stream_free(&stream);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_there),
        cmocka_unit_test(test_missing_doubled_swapped),
        cmocka_unit_test(test_spoilt_fields),
        cmocka_unit_test(test_spoilt_row),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_order_in_row),
        cmocka_unit_test(test_cut_and_longer),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
