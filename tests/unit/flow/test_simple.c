/*
 * test_simple.c - enrolment, opening balances, other events, the daily touch.
 *
 * Owns:      what flow/simple.c and flow/common.c add to the engine and the ledger.
 * Must not:  test lives of lots or levels by themselves (ledger).
 */
#include "book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "../host.h"

static const char document[] =
    "{'format':1,'id':'walks','name':{'en':'x'},'timezone':'Europe/Moscow',"
    "'money':{'code':'RUB','scale':2},'currencies':{"
    "'step':{'no':1,'name':{'en':'s'},'scale':0,"
    "'pending':{'period':'P14D'},'expiry':{'kind':'period','period':'P30D'}},"
    "'bonus':{'no':2,'name':{'en':'b'},'scale':2,'worth':'1.00',"
    "'expiry':{'kind':'period','period':'P1Y'}}},"
    "'counters':{'turnover':{'no':1,'of':'money','period':'ever'}},"
    "'ladders':{'level':{'no':1,'counter':'turnover','levels':["
    "{'code':'new','from':'0'},{'code':'old','from':'1000.00'}]},"
    "'club':{'no':2,'counter':'turnover','levels':[{'code':'in','from':'10.00'}]}},"
    "'attributes':{'event.steps':'number'},"
    "'rules':["
    "{'code':'walk','on':'walk','scope':'earn','name':{'en':'x'},"
    "'when':{'event.steps':{'gte':'1000'}},'earn':{'currency':'step','fixed':'5'}},"
    "{'code':'also','on':'walk','scope':'earn','name':{'en':'x'},"
    "'earn':{'currency':'bonus','fixed':'1.50'}}],"
    "'limits':{'late_days':30}}";

enum { minute = 60000 };

static struct {
    struct arena arena;
    const struct plan *plan;
    struct book book;
    unix_ms now;
    struct attribute steps;
} t;

static void
nobody(void)
{
    book_clear(&t.book, t.plan);
    t.book.twice = true;
    t.now = day_of(2026, 1, 6) + 9 * HOUR_MS;
}

static void
member(void)
{
    nobody();
    assert_int_equal(book_enrol(&t.book, t.now), OUTCOME_DONE);
}

static struct event
walk(int64_t steps, unix_ms at)
{
    t.steps = (struct attribute){
        .name = TEXT("steps"), .type = ATTRIBUTE_NUMBER, .number = steps * 1000000
    };
    return (struct event){
        .kind = TEXT("walk"),
        .occurred_at = at,
        .attribute = &t.steps,
        .attribute_count = 1,
    };
}

/* ---- enrolment ---- */

static void
a_member_begins(void **state)
{
    struct owner owner;
    struct record record;

    (void)state;
    member();
    book_load(&t.book, &t.arena, &owner);
    assert_int_equal(owner.enrolled_at, t.now);
    assert_int_equal(owner.version, 1);
    assert_int_equal(owner.flags, 0);
    assert_int_equal(owner.tenant, 1);
    assert_int_equal(ledger_level_of(&owner, 1), 1); /* a ladder that begins at 0 */
    assert_int_equal(ledger_level_of(&owner, 2), 0);
    assert_int_equal(owner.next_due, TIME_NONE);
    book_record(&t.book, t.book.last_op, &record);
    assert_int_equal(record.kind, RECORD_ENROL);
    assert_int_equal(record.member_id, t.book.member_id);
    book_audit(&t.book);
    assert_int_equal(book_enrol(&t.book, t.now), OUTCOME_CONFLICT);
}

static enum code
enrol_with(struct step *step, const struct directory_row *keys, uint32_t count)
{
    static struct view view;
    struct enrol_input input = { .person_id = 77, .at = t.now, .key = keys, .key_count = count };
    struct err err;

    *step = (struct step){
        .plan = t.plan,
        .arena = &t.arena,
        .now = t.now,
        .op_id = 5,
        .owner_id = 4711,
        .member_id = 4711,
        .tenant = 3,
        .programme = 2,
        .view = &view,
    };
    return flow_enrol(step, &input, &err);
}

static void
a_member_has_keys_and_a_person(void **state)
{
    const struct directory_row keys[] = {
        { .key = "0123456789abcde", .kind = KEY_CARD, .state = KEY_ACTIVE },
        { .key = "fedcba987654321", .kind = KEY_PHONE, .state = KEY_ACTIVE, .owner_id = 9 },
    };
    struct step step;

    (void)state;
    nobody();
    assert_int_equal(enrol_with(&step, keys, 2), OK);
    const struct changes *changes = &step.changes;
    assert_true(changes->owner_new);
    assert_int_equal(changes->owner->tenant, 3);
    assert_int_equal(changes->owner->programme, 2);
    assert_int_equal(changes->member_put_count, 1);
    assert_int_equal(changes->member_put->person_id, 77);
    assert_int_equal(changes->member_put->member_id, 4711);
    assert_int_equal(changes->directory_put_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_memory_equal(changes->directory_put[i].key, keys[i].key, directory_key_bytes);
        assert_int_equal(changes->directory_put[i].kind, keys[i].kind);
        assert_int_equal(changes->directory_put[i].owner_id, 4711);
        assert_int_equal(changes->directory_put[i].member_id, 4711);
    }
    assert_int_equal(keys[1].owner_id, 9); /* the caller's stay as they were */
}

/* ---- opening balances ---- */

static void
a_balance_is_brought_in_with_its_age(void **state)
{
    struct owner owner;

    (void)state;
    member();
    assert_int_equal(book_open_balance(&t.book, 2, 15000, t.now - 100 * DAY_MS, t.now),
                     OUTCOME_DONE);
    assert_int_equal(t.book.step.record->opening_points, 15000);
    assert_int_equal(book_balance(&t.book, 2, ACCOUNT_OPENING), -15000);
    assert_int_equal(book_balance(&t.book, 2, ACCOUNT_ISSUED), 0);
    book_load(&t.book, &t.arena, &owner);
    /* Moscow's midnight that ends 28 September 2026: a year after 28 September 2025 */
    assert_int_equal(owner.lot[0].expires_at, day_of(2026, 9, 28) + 21 * HOUR_MS);
    assert_int_equal(book_open_balance(&t.book, 1, 7, t.now, t.now), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_PENDING), 7);
    assert_int_equal(book_counter(&t.book, 1, t.now), 0);
    book_audit(&t.book);
}

static void
a_balance_that_is_too_old_dies_at_once(void **state)
{
    (void)state;
    member();
    assert_int_equal(book_open_balance(&t.book, 2, 15000, t.now - 400 * DAY_MS, t.now),
                     OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 2, ACCOUNT_ACTIVE), 0);
    assert_int_equal(book_balance(&t.book, 2, ACCOUNT_EXPIRED), 15000);
    book_audit(&t.book);
}

static void
balances_that_are_none(void **state)
{
    (void)state;
    member();
    assert_int_equal(book_open_balance(&t.book, 3, 1, t.now, t.now), OUTCOME_CURRENCY_UNKNOWN);
    assert_int_equal(book_open_balance(&t.book, 2, 0, t.now, t.now), OUTCOME_FIELD_RANGE);
    assert_int_equal(book_open_balance(&t.book, 2, -1, t.now, t.now), OUTCOME_FIELD_RANGE);
    assert_int_equal(book_open_balance(&t.book, 2, AMOUNT_MAX + 1, t.now, t.now),
                     OUTCOME_FIELD_RANGE);
    assert_int_equal(book_open_balance(&t.book, 2, AMOUNT_MAX, t.now, t.now), OUTCOME_DONE);
    nobody();
    assert_int_equal(book_open_balance(&t.book, 2, 1, t.now, t.now), OUTCOME_NOT_FOUND);
}

static void
a_sum_that_does_not_fit_fails(void **state)
{
    const struct opening_input input = { .currency = 2, .points = 6, .at = t.now };
    struct lot lot = {
        .lot_no = 1, .currency = 2, .size = INT64_MAX - 5, .left = INT64_MAX - 5, .cause = 1
    };
    struct balance balance = { .currency = 2 };
    struct view view = { .owner_found = true };
    struct err err;

    (void)state;
    member();
    book_load(&t.book, &t.arena, &view.owner);
    lot.expires_at = TIME_NONE;
    balance.of[ACCOUNT_ACTIVE] = lot.left;
    balance.of[ACCOUNT_OPENING] = -lot.left;
    view.owner.lot = &lot;
    view.owner.lot_count = view.owner.lot_cap = 1;
    view.owner.balance = &balance;
    view.owner.balance_count = 1;
    struct step step = {
        .plan = t.plan,
        .arena = &t.arena,
        .now = t.now,
        .op_id = 5,
        .owner_id = t.book.owner_id,
        .member_id = t.book.member_id,
        .view = &view,
    };
    assert_int_equal(flow_opening(&step, &input, &err), CODE_RANGE);
    assert_string_equal(err.text, "a sum of owner '4711' does not fit");
}

/* ---- events ---- */

static void
an_event_earns_by_rules_of_its_kind(void **state)
{
    struct record record;

    (void)state;
    member();
    struct event event = walk(1000, t.now - DAY_MS);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_PENDING), 5);
    assert_int_equal(book_balance(&t.book, 2, ACCOUNT_ACTIVE), 150);
    book_record(&t.book, t.book.last_op, &record);
    assert_int_equal(record.kind, RECORD_EVENT);
    assert_int_equal(record.earned_count, 2);
    assert_int_equal(record.earned[1].active_from, t.now - DAY_MS);
    assert_int_equal(book_counter(&t.book, 1, t.now), 0);
    event = walk(999, t.now);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->earned_count, 1);
    event.kind = TEXT("sleep");
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->earned_count, 0);
    book_audit(&t.book);
}

static void
events_out_of_time(void **state)
{
    (void)state;
    member();
    struct event event = walk(1000, t.now + 5 * minute + 1);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_IN_FUTURE);
    event = walk(1000, t.now - 30 * DAY_MS - 1);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_TOO_LATE);
    nobody();
    event = walk(1000, t.now);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_NOT_FOUND);
}

static void
an_event_is_no_receipt(void **state)
{
    (void)state;
    member();
    struct event event = walk(1000, t.now);
    assert_int_equal(book_event(&t.book, &event, t.now), OUTCOME_DONE);
    assert_int_equal(book_return(&t.book, t.book.last_op, NULL, 0, t.now),
                     OUTCOME_RECEIPT_UNKNOWN);
}

/* ---- the daily touch ---- */

static void
nothing_due_writes_nothing(void **state)
{
    (void)state;
    member();
    assert_int_equal(book_open_balance(&t.book, 1, 7, t.now, t.now), OUTCOME_DONE);
    uint64_t version = t.book.row.version;
    assert_int_equal(book_settle(&t.book, t.now + 13 * DAY_MS), OUTCOME_DONE);
    assert_int_equal(t.book.row.version, version);
    assert_null(t.book.step.changes.owner);
    nobody();
    assert_int_equal(book_settle(&t.book, t.now), OUTCOME_NOT_FOUND);
}

static void
what_is_due_is_settled_in_order(void **state)
{
    (void)state;
    member();
    assert_int_equal(book_open_balance(&t.book, 1, 7, t.now, t.now), OUTCOME_DONE);
    /* Active on 20 January at Moscow's midnight, for thirty days. */
    unix_ms active = day_of(2026, 1, 19) + 21 * HOUR_MS;
    unix_ms dead = day_of(2026, 2, 19) + 21 * HOUR_MS;
    assert_int_equal(t.book.row.next_due, active);
    assert_int_equal(book_settle(&t.book, active - 1), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_PENDING), 7);
    assert_int_equal(book_settle(&t.book, active), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_ACTIVE), 7);
    assert_int_equal(t.book.row.next_due, dead);
    assert_int_equal(book_settle(&t.book, dead + DAY_MS), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_EXPIRED), 7);
    const struct movement *last = &t.book.movement[t.book.movement_count - 1];
    assert_int_equal(last->kind, MOVEMENT_EXPIRE);
    assert_int_equal(last->at, dead); /* when it was due, not when the run came */
    book_audit(&t.book);
}

/* Whether the daily run came or not, any deed finds the same. */
static void
the_run_changes_no_decision(void **state)
{
    struct book other;
    struct owner a, b;

    (void)state;
    member();
    book_open_balance(&t.book, 1, 7, t.now, t.now);
    book_open_balance(&t.book, 2, 900, t.now - 350 * DAY_MS, t.now);
    book_init(&other, t.plan);
    book_copy(&other, &t.book);
    for (int day = 1; day < 60; day++)
        assert_int_equal(book_settle(&t.book, t.now + day * DAY_MS), OUTCOME_DONE);
    struct event event = walk(2000, t.now + 60 * DAY_MS);
    assert_int_equal(book_event(&t.book, &event, event.occurred_at), OUTCOME_DONE);
    assert_int_equal(book_event(&other, &event, event.occurred_at), OUTCOME_DONE);
    book_load(&t.book, &t.arena, &a);
    book_load(&other, &t.arena, &b);
    assert_int_equal(a.lot_count, b.lot_count);
    assert_int_equal(a.last_movement, b.last_movement);
    for (uint32_t i = 0; i < a.last_movement; i++) {
        assert_int_equal(t.book.movement[i].at, other.movement[i].at);
        assert_int_equal(t.book.movement[i].amount, other.movement[i].amount);
        assert_int_equal(t.book.movement[i].kind, other.movement[i].kind);
    }
    book_audit(&other);
    book_free(&other);
}

static int
begin_all(void **state)
{
    (void)state;
    arena_init(&t.arena, host_source(), 1 << 16, 256 << 20);
    t.plan = book_compile(&t.arena, document, 1);
    book_init(&t.book, t.plan);
    return 0;
}

static int
end_all(void **state)
{
    (void)state;
    book_free(&t.book);
    arena_release(&t.arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_begins),
        cmocka_unit_test(a_member_has_keys_and_a_person),
        cmocka_unit_test(a_balance_is_brought_in_with_its_age),
        cmocka_unit_test(a_balance_that_is_too_old_dies_at_once),
        cmocka_unit_test(balances_that_are_none),
        cmocka_unit_test(a_sum_that_does_not_fit_fails),
        cmocka_unit_test(an_event_earns_by_rules_of_its_kind),
        cmocka_unit_test(events_out_of_time),
        cmocka_unit_test(an_event_is_no_receipt),
        cmocka_unit_test(nothing_due_writes_nothing),
        cmocka_unit_test(what_is_due_is_settled_in_order),
        cmocka_unit_test(the_run_changes_no_decision),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
