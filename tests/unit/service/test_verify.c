/*
 * test_verify.c - a right book verifies, and one changed past the program does not.
 *
 * Owns:      owners' rows changed by operations of the test's own; what verify says of each.
 * Must not:  change a row by SQL (tests/stories/tampering does).
 */
#include "house.h"
#include "service/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

#define DAY_MS INT64_C(86400000)

static const char shop[] =
    "{'format':1,'id':'club','name':{'en':'x'},'money':{'code':'RUB','scale':2},"
    "'currencies':{'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00',"
    "'expiry':{'kind':'period','period':'P1Y'}}},"
    "'counters':{'turnover':{'no':1,'of':'money','period':'ever'}},"
    "'ladders':{'level':{'no':1,'counter':'turnover','levels':["
    "{'code':'1','from':'0'},{'code':'2','from':'150.00'}]}},"
    "'redemption':{'bonus':{}},'rules':[{'code':'base','scope':'earn','name':{'en':'x'},"
    "'earn':{'currency':'bonus','percent':'5'}}]}";

static struct house house;
static uint64_t members[3];

static void
sell(const char *card, int number, const char *more)
{
    char body[512];

    snprintf(body, sizeof(body),
             "{'programme':'club','outlet':'7','till':'2','period':1,'number':'%d',"
             "'occurred_at':'2026-01-06T09:00:00Z','card':'%s',"
             "'lines':[{'quantity':'2','price':'100.00'}]%s}",
             number, card, more);
    assert_int_equal(house_say(&house, CALL_COMMIT, body).outcome, OUTCOME_DONE);
}

/* Three members; the second has more lots than its row holds, and a hold. */
static void
open_book(void)
{
    int number = 0;

    house_open(&house, false);
    house_publish(&house, "club", shop, house.now - DAY_MS);
    for (int i = 0; i < 3; i++) {
        char card[16];
        snprintf(card, sizeof(card), "k%d", i);
        members[i] = house_enrol(&house, "club", card);
        for (int n = i == 1 ? 20 : 2; n > 0; n--)
            sell(card, ++number, "");
        sell(card, ++number, ",'redeem':[{'currency':'bonus','amount':'5.00'}]");
    }
    assert_int_equal(
        house_say(&house, CALL_RETURN,
                  "{'programme':'club','outlet':'7','till':'2','period':1,'number':'r1',"
                  "'occurred_at':'2026-01-06T09:00:00Z','receipt':{'outlet':'7','till':'2',"
                  "'period':1,'number':'3'},'lines':[{'line':1,'quantity':'1'}]}")
            .outcome,
        OUTCOME_DONE);
    assert_int_equal(
        house_say(&house, CALL_RESERVE,
                  "{'programme':'club','outlet':'7','till':'2','period':1,'number':'h1',"
                  "'occurred_at':'2026-01-06T09:00:00Z','card':'k1',"
                  "'lines':[{'quantity':'2','price':'100.00'}],"
                  "'redeem':[{'currency':'bonus','amount':'7.00'}]}")
            .outcome,
        OUTCOME_DONE);
}

static struct verify_result
verify(void)
{
    struct verify_result result;
    struct err err;

    if (service_verify(house.service, NULL, NULL, &result, &err))
        fail_msg("%s", err.text);
    return result;
}

/* ---- a right book ---- */

static void
a_right_book(void **state)
{
    (void)state;
    open_book();
    struct verify_result first = verify();
    if (first.faults)
        fail_msg("%s", first.what);
    assert_int_equal(first.owners, 3);
    assert_true(first.movements > 30);
    house_restart(&house);
    struct verify_result second = verify();
    assert_int_equal(second.faults, 0);
    assert_memory_equal(first.state_hash, second.state_hash, sizeof(first.state_hash));
    sell("k2", 999, "");
    second = verify();
    assert_int_equal(second.faults, 0);
    assert_memory_not_equal(first.state_hash, second.state_hash, sizeof(first.state_hash));
    house_close(&house);
}

static void
an_empty_book(void **state)
{
    (void)state;
    house_open(&house, false);
    struct verify_result result = verify();
    assert_int_equal(result.faults, 0);
    assert_int_equal(result.owners, 0);
    house_close(&house);
}

static void
count_progress(void *context, uint64_t done)
{
    uint64_t *last = context;

    assert_true(done >= *last);
    *last = done;
}

static void
progress_is_told(void **state)
{
    struct verify_result result;
    uint64_t last = 0;
    struct err err;

    (void)state;
    open_book();
    assert_int_equal(service_verify(house.service, count_progress, &last, &result, &err), OK);
    assert_int_equal(last, 3);
    house_close(&house);
}

/* ---- a wrong one ---- */

struct tampering {
    void (*change)(struct owner *owner, struct changes *changes);
};

/* The record of an operation in which nothing happened. */
static struct text
make_record(struct owner *owner, uint64_t op_id, struct arena *arena)
{
    const struct catalogue *catalogue = atomic_load(&house.service->catalogue);
    const struct terms *terms = plan_terms(catalogue->programme[0].version[0].plan);
    struct record record = {
        .kind = RECORD_SETTLE,
        .op_id = op_id,
        .owner_id = owner->owner_id,
        .place = { owner->version, owner->last_op, owner->last_movement },
        .version = terms->version,
        .occurred_at = house.now,
        .recorded_at = house.now,
    };
    struct buf body;

    buf_init(&body, arena, 256);
    record_encode(&record, terms, &body);
    assert_false(body.failed);
    owner->last_op = op_id;
    owner->settled_to = house.now;
    return buf_text(&body);
}

/* An operation that is right in all but what is changed after it was sealed. */
static enum code
tamper_run(struct tx *tx, struct op *op, struct err *err)
{
    const struct tampering *tampering = op->context;
    struct needs needs = { .owner_id = members[1] };
    struct changes changes = { .op_id = 76, .record_kind = RECORD_SETTLE };
    struct view view;
    enum code rc = store_load(tx, &needs, op->arena, &view, err);

    if (rc)
        return rc;
    view.owner.version++;
    changes.owner = &view.owner;
    changes.record = make_record(&view.owner, changes.op_id, op->arena);
    rc = seal(&changes, op->arena, err);
    if (rc)
        return rc;
    tampering->change(&view.owner, &changes);
    return store_write(tx, op, &changes, err);
}

static void
nothing(struct owner *owner, struct changes *changes)
{
    (void)owner;
    (void)changes;
}

static void
no_record(struct owner *owner, struct changes *changes)
{
    (void)owner;
    changes->record.len = 0;
}

static void
another_newest_operation(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->last_op++;
}

static void
settled_later(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->settled_to++;
}

static void
began_earlier(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->enrolled_at--;
}

static void
turned_more_over(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->counter[0].value += 100;
}

static void
a_card_of_its_own(struct owner *owner, struct changes *changes)
{
    static struct directory_row row = { .key = { 1, 2, 3 }, .kind = KEY_CARD, .state = KEY_ACTIVE };

    row.owner_id = row.member_id = owner->owner_id;
    changes->directory_put = &row;
    changes->directory_put_count = 1;
}

static void
another_person(struct owner *owner, struct changes *changes)
{
    static struct member_row row;

    row = (struct member_row){ .owner_id = owner->owner_id,
                               .member_id = owner->owner_id,
                               .person_id = 1,
                               .enrolled_at = owner->enrolled_at };
    changes->member_put = &row;
    changes->member_put_count = 1;
}

static void
more_came_back(struct owner *owner, struct changes *changes)
{
    changes->returned_of = owner->lot[0].cause;
    changes->returned = TEXT("\1");
}

static void
more_points(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->balance[0].of[ACCOUNT_ACTIVE] += 100;
    owner->balance[0].of[ACCOUNT_ISSUED] -= 100;
}

static void
a_larger_lot(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->lot[0].left++;
    owner->lot[0].size++;
}

static void
a_lot_that_lives_longer(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->lot[owner->lot_count - 1].expires_at += DAY_MS;
    changes->lot_put = &owner->lot[owner->lot_count - 1];
    changes->lot_put_count = 1;
}

static void
nothing_held(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->hold_count = 0;
}

static void
a_higher_level(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->level[0].level = 1;
}

static void
nothing_due(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->next_due = TIME_NONE;
}

static void
another_head(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->head[31] ^= 1;
}

static void
one_movement_more_by_the_row(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->last_movement++;
}

static void
closed(struct owner *owner, struct changes *changes)
{
    (void)changes;
    owner->flags |= owner_flag_anonymous;
}

/* A movement that balances, with a link that the chain does not have. */
static void
an_earning_past_the_chain(struct owner *owner, struct changes *changes)
{
    static struct movement movement;

    movement = (struct movement){
        .owner_id = owner->owner_id,
        .movement_no = owner->last_movement + 1,
        .op_id = 76,
        .kind = MOVEMENT_EARN,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_ISSUED,
        .currency = 1,
        .amount = 100,
        .lot_no = owner->last_movement + 1,
        .rule = -1,
        .at = house.now,
        .active_from = house.now,
        .expires_at = TIME_NONE,
    };
    owner->last_movement++;
    changes->movement = &movement;
    changes->movement_count = 1;
    more_points(owner, changes);
}

struct fault {
    void (*change)(struct owner *owner, struct changes *changes);
    const char *what;
    bool is_movement; /* the last of the owner's */
};

/* `later`: what was made just now is looked at otherwise than what is old. */
static void
one_change_is_found(const struct fault *fault, unix_ms later)
{
    struct tampering tampering = { fault->change };
    struct op op = { .access = ACCESS_WRITE, .run = tamper_run, .context = &tampering };
    struct arena arena;
    struct err err;

    open_book();
    arena_init(&arena, host_source(), 1 << 16, 16 << 20);
    op.arena = &arena;
    if (store_run(house.store, &op, &err))
        fail_msg("'%s': %s", fault->what, err.text);
    house.now += later;
    struct verify_result result = verify();
    bool found = result.faults > 0 && result.owner_id == members[1] &&
                 strstr(result.what, fault->what) && (result.movement_no > 0) == fault->is_movement;
    if (fault->change == nothing ? result.faults > 0 : !found)
        fail_msg("'%s': %llu faults, owner %llu, movement %u: %s", fault->what,
                 (unsigned long long)result.faults, (unsigned long long)result.owner_id,
                 result.movement_no, result.what);
    assert_int_equal(result.owners, 3); /* the others are gone through all the same */
    arena_release(&arena);
    house_close(&house);
}

static void
what_was_changed_is_found(void **state)
{
    static const struct fault faults[] = {
        { nothing, "", false },
        { more_points, "ACTIVE", false },
        { a_larger_lot, "left in lot", false },
        { a_lot_that_lives_longer, "life of lot", false },
        { nothing_held, "missing in hold", false },
        { a_higher_level, "level on ladder", false },
        { nothing_due, "due next", false },
        { another_head, "head differs", true },
        { one_movement_more_by_the_row, "last movement", true },
        { closed, "flags", false },
        { no_record, "record of an operation is missing", false },
        { another_newest_operation, "record of an operation is missing", false },
        { settled_later, "not settled to", false },
        { began_earlier, "began at another time", false },
        { turned_more_over, "value of counter", false },
        { a_card_of_its_own, "its history does not tell", false },
        { another_person, "member is not the one", false },
        { more_came_back, "never returned", false },
        { an_earning_past_the_chain, "chain breaks", true },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(faults); i++) {
        one_change_is_found(&faults[i], 0);
        one_change_is_found(&faults[i], DAY_MS);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_book),
        cmocka_unit_test(an_empty_book),
        cmocka_unit_test(progress_is_told),
        cmocka_unit_test(what_was_changed_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
