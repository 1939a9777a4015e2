/*
 * test_purchase.c - quotes, reserves, commits, facts and cancellations of one member.
 *
 * Owns:      what flow/purchase.c and flow/cancel.c add to the engine and the ledger: the order of
 *            steps, what is refused when, what the record holds.
 * Must not:  test discounts or points (engine), lots or holds by themselves (ledger).
 */
#include "book.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "../host.h"

static const char document[] =
    "{'format':1,'id':'shop','name':{'en':'x'},'timezone':'Europe/Moscow',"
    "'money':{'code':'RUB','scale':2},'currencies':{"
    "'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00',"
    "'expiry':{'kind':'period','period':'P1Y'}},"
    "'dime':{'no':2,'name':{'en':'d'},'scale':0,'worth':'0.10'}},"
    "'counters':{'turnover':{'no':1,'of':'money','period':'ever'},"
    "'lately':{'no':2,'of':'count','period':{'rolling_days':7}}},"
    "'ladders':{'level':{'no':1,'counter':'turnover','levels':["
    "{'code':'1','from':'0'},{'code':'2','from':'1000.00'}]}},"
    "'rules':["
    "{'code':'off','scope':'receipt','name':{'en':'x'},'when':{'receipt.base':{'gte':'500.00'}},"
    "'discount':{'kind':'percent','value':'10'}},"
    "{'code':'base','scope':'earn','name':{'en':'x'},'earn':{'currency':'bonus','percent':'5'}},"
    "{'code':'more','scope':'earn','name':{'en':'x'},'when':{'member.level.level':{'gte':'2'}},"
    "'earn':{'currency':'bonus','percent':'2'}}],"
    "'redemption':{'bonus':{'max_percent':'50'},'dime':{}},"
    "'limits':{'hold':'PT15M','quote':'PT5M','late_days':30}}";

/* The same shop later: another discount, one more currency and counter. */
static const char later_document[] =
    "{'format':1,'id':'shop','name':{'en':'x'},'timezone':'Europe/Moscow',"
    "'money':{'code':'RUB','scale':2},'currencies':{"
    "'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00',"
    "'expiry':{'kind':'period','period':'P1Y'},'grace_days':5},"
    "'dime':{'no':2,'name':{'en':'d'},'scale':0,'worth':'0.10'},"
    "'mile':{'no':3,'name':{'en':'m'},'scale':0}},"
    "'counters':{'first':{'no':3,'of':'gross','period':'ever'},"
    "'turnover':{'no':1,'of':'money','period':'ever'},"
    "'lately':{'no':2,'of':'count','period':{'rolling_days':7}}},"
    "'ladders':{'level':{'no':1,'counter':'turnover','levels':["
    "{'code':'1','from':'0'},{'code':'2','from':'1000.00'}]}},"
    "'rules':["
    "{'code':'off','scope':'receipt','name':{'en':'x'},'discount':{'kind':'percent','value':'50'}},"
    "{'code':'miles','scope':'earn','name':{'en':'x'},"
    "'earn':{'currency':'mile','per_amount':'10.00','points':'1'}}],"
    "'redemption':{'bonus':{'max_percent':'50'}},"
    "'limits':{'hold':'PT15M','quote':'PT5M','late_days':30}}";

enum { lines_max = 4, minute = 60000 };

static struct {
    struct arena arena;
    const struct plan *plan, *later;
    struct book book;
    unix_ms now;
    struct purchase_input input;
    struct line line[lines_max];
    struct redeem redeem;
} t;

/* A receipt of whole roubles; then a member who has `bonus` points. */
static struct purchase_input *
receipt(int roubles, int redeem)
{
    uint32_t bad;

    t.line[0] = (struct line){ .price = (int64_t)roubles * 1000000, .quantity = 1000 };
    t.redeem = (struct redeem){ .currency = TEXT("bonus"), .points = (amount)redeem * 100 };
    t.input = (struct purchase_input){
        .event = {
            .kind = TEXT("purchase"),
            .outlet = TEXT("1"),
            .till = TEXT("2"),
            .number = TEXT("3"),
            .occurred_at = t.now,
            .line = t.line,
            .line_count = 1,
            .redeem = &t.redeem,
            .redeem_count = redeem != 0,
        },
    };
    assert_int_equal(event_normalise(&t.input.event, 2, &bad), OUTCOME_DONE);
    return &t.input;
}

static void
member_with(int bonus)
{
    book_clear(&t.book, t.plan);
    t.book.twice = true;
    t.now = day_of(2026, 1, 6) + 9 * HOUR_MS;
    assert_int_equal(book_enrol(&t.book, t.now - DAY_MS), OUTCOME_DONE);
    if (bonus)
        assert_int_equal(book_open_balance(&t.book, 1, (amount)bonus * 100, t.now, t.now),
                         OUTCOME_DONE);
}

static amount
active(void)
{
    return book_balance(&t.book, 1, ACCOUNT_ACTIVE);
}

static amount
held(void)
{
    return book_balance(&t.book, 1, ACCOUNT_HELD);
}

/* ---- quotes and commits ---- */

static struct text
promise(void)
{
    struct buf buf;

    buf_init(&buf, &t.arena, 256);
    flow_decision_bytes(&t.book.step.record->decision, &buf);
    assert_false(buf.failed);
    return buf_text(&buf);
}

static void
a_quote_is_the_commit_that_stops(void **state)
{
    (void)state;
    member_with(300);
    uint32_t before = t.book.movement_count;
    assert_int_equal(book_quote(&t.book, receipt(600, 200), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->valid_until, t.now + 5 * minute);
    assert_int_equal(t.book.step.record->after_count, 1);
    assert_int_equal(t.book.step.record->after[0].active, 30000);
    assert_int_equal(t.book.movement_count, before);
    struct text quoted = promise();
    assert_int_equal(book_buy(&t.book, receipt(600, 200), t.now), OUTCOME_DONE);
    assert_true(text_equal(quoted, promise()));
    const struct record *record = t.book.step.record;
    assert_int_equal(record->decision.total.discount, 6000);
    assert_int_equal(record->decision.total.points, 20000);
    assert_int_equal(record->decision.total.money, 34000);
    assert_int_equal(record->valid_until, 0);
    assert_int_equal(active(), 10000 + 1700);
    book_audit(&t.book);
}

static void
what_a_promise_covers(void **state)
{
    (void)state;
    member_with(300);
    book_quote(&t.book, receipt(600, 200), t.now);
    struct text quoted = promise();
    book_quote(&t.book, receipt(600, 199), t.now);
    assert_false(text_equal(quoted, promise()));
    book_quote(&t.book, receipt(601, 200), t.now);
    assert_false(text_equal(quoted, promise()));
    book_quote(&t.book, receipt(600, 200), t.now + minute);
    assert_true(text_equal(quoted, promise())); /* not the time by itself */
}

static void
settling_comes_first(void **state)
{
    (void)state;
    member_with(300);
    t.now += 366 * DAY_MS; /* the balance has died meanwhile */
    assert_int_equal(book_quote(&t.book, receipt(600, 1), t.now), OUTCOME_NOT_ENOUGH);
    assert_int_equal(t.book.step.limit, 0);
    assert_int_equal(active(), 30000); /* and a refusal does not even write that */
    assert_int_equal(book_buy(&t.book, receipt(600, 0), t.now), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_EXPIRED), 30000);
    book_audit(&t.book);
}

static void
limits_are_told(void **state)
{
    (void)state;
    member_with(100);
    assert_int_equal(book_buy(&t.book, receipt(200, 101), t.now), OUTCOME_REDEEM_OVER_LIMIT);
    assert_int_equal(t.book.step.limit, 10000);
    assert_int_equal(t.book.step.limit_scale, 2);
    assert_true(text_equal(t.book.step.culprit, TEXT("/redeem/0/amount")));
    assert_int_equal(book_buy(&t.book, receipt(400, 101), t.now), OUTCOME_NOT_ENOUGH);
    assert_int_equal(t.book.step.limit, 10000);
    assert_null(t.book.step.record);
}

static void
times_that_are_taken(void **state)
{
    static const struct {
        int64_t late;
        enum outcome outcome;
    } cases[] = {
        { 0, OUTCOME_DONE },
        { -5 * minute, OUTCOME_DONE },
        { -5 * minute - 1, OUTCOME_IN_FUTURE },
        { 30 * DAY_MS, OUTCOME_DONE },
        { 30 * DAY_MS + 1, OUTCOME_TOO_LATE },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        member_with(0);
        struct purchase_input *input = receipt(100, 0);
        input->event.occurred_at = t.now - cases[i].late;
        assert_int_equal(book_buy(&t.book, input, t.now), cases[i].outcome);
    }
}

static void
a_late_receipt_lives_from_when_it_happened(void **state)
{
    struct record record;

    (void)state;
    member_with(0);
    struct purchase_input *input = receipt(100, 0);
    input->event.occurred_at = t.now - 20 * DAY_MS;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    book_record(&t.book, t.book.last_op, &record);
    assert_int_equal(record.occurred_at, t.now - 20 * DAY_MS);
    assert_int_equal(record.recorded_at, t.now);
    /* Moscow's midnight that ends 17 December 2026 */
    assert_int_equal(record.earned[0].expires_at, day_of(2026, 12, 17) + 21 * HOUR_MS);
    assert_int_equal(book_counter(&t.book, 1, t.now), 10000);
    assert_int_equal(book_counter(&t.book, 2, t.now), 0); /* before the last seven days */
    book_audit(&t.book);
}

static void
a_clock_ahead_earns_from_now(void **state)
{
    (void)state;
    member_with(0);
    struct purchase_input *input = receipt(100, 0);
    input->event.occurred_at = t.now + 4 * minute;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->earned[0].active_from, t.now);
    assert_int_equal(active(), 500);
}

static void
an_owners_time_never_runs_back(void **state)
{
    (void)state;
    member_with(0);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now + DAY_MS), OUTCOME_DONE);
    struct purchase_input *input = receipt(100, 0);
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->recorded_at, t.now + DAY_MS);
    book_audit(&t.book);
}

static void
the_level_before_decides(void **state)
{
    (void)state;
    member_with(0);
    assert_int_equal(book_buy(&t.book, receipt(2000, 0), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->decision.earning_count, 1);
    assert_int_equal(t.book.step.record->view.level[0], 1);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->decision.earning_count, 2);
    assert_int_equal(t.book.step.record->view.level[0], 2);
    assert_int_equal(t.book.step.record->view.counter[0], 180000);
    assert_int_equal(t.book.step.record->earned_count, 2);
    assert_true(t.book.step.record->earned[0].lot_no < t.book.step.record->earned[1].lot_no);
    book_audit(&t.book);
}

static void
points_buy_with_the_soonest_to_die(void **state)
{
    (void)state;
    member_with(100);
    assert_int_equal(book_open_balance(&t.book, 1, 5000, t.now - 100 * DAY_MS, t.now),
                     OUTCOME_DONE);
    assert_int_equal(book_buy(&t.book, receipt(300, 70), t.now), OUTCOME_DONE);
    const struct record *record = t.book.step.record;
    assert_int_equal(record->take_count, 2);
    assert_int_equal(record->take[0].points, 5000);
    assert_int_equal(record->take[1].points, 2000);
    assert_true(record->take[0].expires_at < record->take[1].expires_at);
    assert_true(record->take[0].lot_no > record->take[1].lot_no);
}

/* ---- who buys ---- */

static void
a_stranger_earns_nothing(void **state)
{
    (void)state;
    member_with(0);
    book_clear(&t.book, t.plan);
    t.book.member_id = 0;
    assert_int_equal(book_buy(&t.book, receipt(2000, 0), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.row.flags, owner_flag_anonymous);
    assert_int_equal(t.book.step.record->decision.earning_count, 0);
    assert_int_equal(t.book.movement_count, 0);
    assert_int_equal(t.book.step.record->after_count, 0);
    uint64_t op = t.book.last_op;
    assert_int_equal(book_buy(&t.book, receipt(2000, 1), t.now), OUTCOME_MEMBER_NEEDED);
    assert_int_equal(book_return(&t.book, op, NULL, 0, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->result.refund, 180000);
    assert_int_equal(book_counter(&t.book, 1, t.now), 0);
}

static void
a_member_must_be_there(void **state)
{
    (void)state;
    member_with(0);
    book_clear(&t.book, t.plan);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_NOT_FOUND);
    assert_false(t.book.is_there);
}

static void
a_closed_member_buys_nothing(void **state)
{
    struct owner owner;
    struct buf buf;

    (void)state;
    member_with(0);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_DONE);
    uint64_t op = t.book.last_op;
    book_load(&t.book, &t.arena, &owner);
    owner.flags |= owner_flag_closed;
    t.book.row.flags |= owner_flag_closed;
    buf_init(&buf, &t.arena, 256);
    owner_encode(&owner, &buf);
    t.book.body.size = 0;
    assert_true(buf.len <= t.book.body.cap);
    for (size_t i = 0; i < buf.len; i++)
        t.book.body.bytes[t.book.body.size++] = buf.ptr[i];
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_MEMBER_CLOSED);
    assert_int_equal(book_return(&t.book, op, NULL, 0, t.now), OUTCOME_MEMBER_CLOSED);
    assert_int_equal(book_open_balance(&t.book, 1, 100, t.now, t.now), OUTCOME_MEMBER_CLOSED);
}

/* ---- reserves ---- */

static uint64_t
reserve(int roubles, int redeem)
{
    struct purchase_input *input = receipt(roubles, redeem);

    input->mode = PURCHASE_RESERVE;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    return t.book.last_op;
}

static struct purchase_input *
commit_of(uint64_t op)
{
    t.input = (struct purchase_input){
        .event = { .kind = TEXT("purchase"), .outlet = TEXT("1"), .occurred_at = t.now },
        .reserve = op,
    };
    return &t.input;
}

static void
a_reserve_holds_and_a_commit_pays(void **state)
{
    struct record record;

    (void)state;
    member_with(300);
    uint64_t op = reserve(600, 200);
    assert_int_equal(t.book.step.record->valid_until, t.now + 15 * minute);
    assert_int_equal(held(), 20000);
    assert_int_equal(active(), 30000);
    assert_int_equal(book_counter(&t.book, 1, t.now), 0);
    assert_int_equal(book_buy(&t.book, receipt(600, 101), t.now), OUTCOME_NOT_ENOUGH);
    assert_int_equal(t.book.step.limit, 10000);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    assert_int_equal(held(), 0);
    assert_int_equal(active(), 10000 + 1700);
    book_record(&t.book, t.book.last_op, &record);
    assert_int_equal(record.kind, RECORD_PURCHASE);
    assert_int_equal(record.origin, op);
    assert_int_equal(record.event.line_count, 1);
    assert_int_equal(record.decision.total.money, 34000);
    assert_int_equal(book_counter(&t.book, 1, t.now), 34000);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_RESERVE_ENDED);
    assert_int_equal(book_cancel(&t.book, op, t.now), OUTCOME_RESERVE_ENDED);
    book_audit(&t.book);
}

static void
a_reserve_without_points_is_used_once(void **state)
{
    (void)state;
    member_with(0);
    uint64_t op = reserve(600, 0);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_RESERVE_ENDED);
    op = reserve(600, 0);
    assert_int_equal(book_cancel(&t.book, op, t.now), OUTCOME_DONE);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_RESERVE_ENDED);
    book_audit(&t.book);
}

static void
a_reserve_ends(void **state)
{
    (void)state;
    member_with(300);
    uint64_t op = reserve(600, 200);
    t.now += 15 * minute - 1;
    assert_int_equal(book_quote(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    t.now += 1;
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_RESERVE_ENDED);
    assert_int_equal(book_cancel(&t.book, op, t.now), OUTCOME_RESERVE_ENDED);
    assert_int_equal(held(), 20000); /* nothing was written; the next booking frees it */
    assert_int_equal(book_buy(&t.book, receipt(600, 250), t.now), OUTCOME_DONE);
    assert_int_equal(held(), 0);
    book_audit(&t.book);
}

static void
what_is_held_outlives_its_day(void **state)
{
    (void)state;
    member_with(300);
    t.now = day_of(2027, 1, 6) + 21 * HOUR_MS - 5 * minute; /* five minutes before it dies */
    uint64_t op = reserve(600, 200);
    t.now += 10 * minute;
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_REDEEMED), 20000);
    assert_int_equal(book_balance(&t.book, 1, ACCOUNT_EXPIRED), 10000);
    book_audit(&t.book);
}

static void
a_commit_with_other_goods_is_told(void **state)
{
    (void)state;
    member_with(300);
    uint64_t op = reserve(600, 200);
    struct purchase_input *input = receipt(600, 200);
    input->reserve = op;
    input->event.number = TEXT("another");
    input->event.till = TEXT("9");
    assert_int_equal(book_quote(&t.book, input, t.now), OUTCOME_DONE);
    input = receipt(601, 200);
    input->reserve = op;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DECISION_CHANGED);
    input = receipt(600, 199);
    input->reserve = op;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DECISION_CHANGED);
    assert_int_equal(held(), 20000);
}

static void
a_commit_earns_by_the_level_of_now(void **state)
{
    (void)state;
    member_with(0);
    uint64_t op = reserve(600, 0);
    assert_int_equal(t.book.step.record->decision.earning_count, 1);
    assert_int_equal(book_buy(&t.book, receipt(2000, 0), t.now), OUTCOME_DONE);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->decision.earning_count, 2);
    assert_int_equal(t.book.step.record->decision.total.discount, 6000);
}

static void
unknown_reserves(void **state)
{
    (void)state;
    member_with(0);
    assert_int_equal(book_buy(&t.book, commit_of(7), t.now), OUTCOME_RESERVE_UNKNOWN);
    assert_int_equal(book_cancel(&t.book, 7, t.now), OUTCOME_RESERVE_UNKNOWN);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_DONE);
    uint64_t op = t.book.last_op;
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_RESERVE_UNKNOWN);
    assert_int_equal(book_cancel(&t.book, op, t.now), OUTCOME_RESERVE_UNKNOWN);
}

static void
so_many_holds_and_no_more(void **state)
{
    uint64_t last = 0;

    (void)state;
    member_with(300);
    t.book.twice = false;
    for (int i = 0; i < holds_per_owner_max; i++)
        last = reserve(100, 1);
    struct purchase_input *input = receipt(100, 1);
    input->mode = PURCHASE_RESERVE;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_TOO_MANY_HOLDS);
    assert_int_equal(book_cancel(&t.book, last, t.now), OUTCOME_DONE);
    reserve(100, 1);
    assert_int_equal(held(), holds_per_owner_max * 100);
    book_audit(&t.book);
}

static void
a_reserve_outlives_its_version(void **state)
{
    struct record record;

    (void)state;
    member_with(300);
    uint64_t op = reserve(600, 200), other = reserve(600, 0);
    book_publish(&t.book, t.later);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    uint64_t bought = t.book.last_op;
    book_record(&t.book, bought, &record);
    assert_int_equal(record.version, 1);
    assert_int_equal(record.decision.total.money, 34000); /* as reserved, not half the price */
    assert_int_equal(book_cancel(&t.book, other, t.now), OUTCOME_DONE);
    book_audit(&t.book);
}

static void
a_return_lives_by_the_version_in_force(void **state)
{
    struct owner owner;

    (void)state;
    member_with(300);
    assert_int_equal(book_buy(&t.book, receipt(600, 200), t.now), OUTCOME_DONE);
    uint64_t op = t.book.last_op;
    book_publish(&t.book, t.later);
    assert_int_equal(book_buy(&t.book, receipt(100, 0), t.now), OUTCOME_DONE);
    assert_int_equal(book_balance(&t.book, 3, ACCOUNT_ACTIVE), 5);
    t.now += 366 * DAY_MS;
    assert_int_equal(book_return(&t.book, op, NULL, 0, t.now), OUTCOME_DONE);
    const struct record *record = t.book.step.record;
    assert_int_equal(record->version, 1); /* read by the version that it was bought by */
    assert_int_equal(record->result.refund, 34000);
    assert_int_equal(record->after_count, 2); /* bonus, and the mile that came later */
    book_load(&t.book, &t.arena, &owner);
    assert_int_equal(owner.lot_count, 2);
    assert_true(owner.lot[0].graced); /* of the version now: the first knew no grace */
    assert_int_equal(book_counter(&t.book, 1, t.now), 5000);
    assert_int_equal(book_counter(&t.book, 3, t.now), 10000);
    book_audit(&t.book);
}

/* ---- facts ---- */

static void
a_fact_is_booked_as_it_is(void **state)
{
    struct record record;

    (void)state;
    member_with(100);
    struct purchase_input *input = receipt(400, 350); /* half is the limit, and 100 is there */
    input->mode = PURCHASE_FACT;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    book_record(&t.book, t.book.last_op, &record);
    assert_true(record.is_fact);
    assert_int_equal(record.decision.total.points, 35000);
    assert_int_equal(record.decision.total.money, 5000);
    assert_int_equal(record.uncovered, 25000);
    assert_int_equal(record.take_count, 1);
    assert_int_equal(record.take[0].points, 10000);
    assert_int_equal(active(), 250); /* five per cent of what was paid in money */
    book_audit(&t.book);
}

static void
a_fact_takes_nothing_that_is_held(void **state)
{
    (void)state;
    member_with(100);
    uint64_t op = reserve(200, 80);
    struct purchase_input *input = receipt(200, 100);
    input->mode = PURCHASE_FACT;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->uncovered, 8000);
    assert_int_equal(book_buy(&t.book, commit_of(op), t.now), OUTCOME_DONE);
    book_audit(&t.book);
}

/* ---- bounds ---- */

static void
amounts_that_do_not_fit(void **state)
{
    (void)state;
    member_with(0);
    struct purchase_input *input = receipt(1, 0);
    for (uint32_t i = 0; i < lines_max; i++)
        t.line[i] = (struct line){ .quantity = 1000, .gross = AMOUNT_MAX, .has_gross = true };
    input->event.line_count = lines_max;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_DONE);
    uint64_t op = t.book.last_op;
    assert_int_equal(book_return(&t.book, op, &(struct returned_line){ 1, 333 }, 1, t.now),
                     OUTCOME_DONE);
    assert_int_equal(book_return(&t.book, op, NULL, 0, t.now), OUTCOME_DONE);
    t.line[0].gross = AMOUNT_MAX + 1;
    assert_int_equal(book_buy(&t.book, input, t.now), OUTCOME_AMOUNT_OVERFLOW);
    assert_int_equal(book_counter(&t.book, 1, t.now), 0);
    book_audit(&t.book);
}

static void
more_lots_than_the_row_holds(void **state)
{
    (void)state;
    member_with(0);
    t.book.twice = false;
    for (int i = 0; i < 40; i++) {
        t.now += DAY_MS;
        assert_int_equal(book_buy(&t.book, receipt(20, 0), t.now), OUTCOME_DONE);
    }
    assert_int_equal(t.book.overflow_count, 40 - lots_in_owner_row_max);
    assert_int_equal(book_buy(&t.book, receipt(60, 26), t.now), OUTCOME_DONE);
    assert_int_equal(t.book.step.record->take_count, 26);
    uint64_t op = t.book.last_op;
    assert_int_equal(book_return(&t.book, op, NULL, 0, t.now), OUTCOME_DONE);
    assert_int_equal(active(), 40 * 100);
    book_audit(&t.book);
}

/* What a store would give: the owner anew, for a flow changes it in place, and the receipt. */
static struct view
view_of(uint64_t op)
{
    struct view view = { .owner_found = true, .origin_found = true };
    struct record record;
    struct buf body;

    arena_reset(&t.book.arena);
    book_load(&t.book, &t.book.arena, &view.owner);
    book_record(&t.book, op, &record);
    buf_init(&body, &t.book.arena, 512);
    record_encode(&record, plan_terms(t.plan), &body);
    view.origin = buf_text(&body);
    return view;
}

/* A purchase, or the return of receipt `op`, with so much memory. */
static enum code
run_within(size_t room, uint64_t op, bool is_return)
{
    static char memory[1 << 16];
    struct return_input back = {
        .origin = op, .occurred_at = t.now, .outlet = TEXT("1"), .number = TEXT("r")
    };
    struct view view = view_of(op);
    struct arena arena;
    struct err err;
    struct step step = {
        .plan = t.plan,
        .arena = &arena,
        .now = t.now,
        .op_id = op + 1,
        .owner_id = t.book.owner_id,
        .member_id = t.book.member_id,
        .view = &view,
    };

    assert_true(room <= sizeof(memory));
    arena_init_fixed(&arena, memory, room);
    enum code rc = is_return ? flow_return(&step, &back, plan_terms(t.plan), &err)
                             : flow_purchase(&step, receipt(600, 50), &err);
    if (rc == OK)
        assert_int_equal(step.outcome, OUTCOME_DONE); /* not a refusal instead */
    return rc;
}

static void
memory_may_end_anywhere(void **state)
{
    int failures = 0;

    (void)state;
    member_with(300);
    assert_int_equal(book_buy(&t.book, receipt(600, 200), t.now), OUTCOME_DONE);
    uint64_t op = t.book.last_op;
    for (int is_return = 0; is_return < 2; is_return++) {
        enum code rc = CODE_NO_MEMORY;
        for (size_t room = 512; rc != OK; room += 64) {
            rc = run_within(room, op, is_return);
            assert_true(rc == OK || rc == CODE_NO_MEMORY);
            failures += rc != OK;
        }
    }
    assert_true(failures > 100);
}

static int
begin_all(void **state)
{
    (void)state;
    arena_init(&t.arena, host_source(), 1 << 16, 64 << 20);
    t.plan = book_compile(&t.arena, document, 1);
    t.later = book_compile(&t.arena, later_document, 2);
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
        cmocka_unit_test(a_quote_is_the_commit_that_stops),
        cmocka_unit_test(what_a_promise_covers),
        cmocka_unit_test(settling_comes_first),
        cmocka_unit_test(limits_are_told),
        cmocka_unit_test(times_that_are_taken),
        cmocka_unit_test(a_late_receipt_lives_from_when_it_happened),
        cmocka_unit_test(a_clock_ahead_earns_from_now),
        cmocka_unit_test(an_owners_time_never_runs_back),
        cmocka_unit_test(the_level_before_decides),
        cmocka_unit_test(points_buy_with_the_soonest_to_die),
        cmocka_unit_test(a_stranger_earns_nothing),
        cmocka_unit_test(a_member_must_be_there),
        cmocka_unit_test(a_closed_member_buys_nothing),
        cmocka_unit_test(a_reserve_holds_and_a_commit_pays),
        cmocka_unit_test(a_reserve_without_points_is_used_once),
        cmocka_unit_test(a_reserve_ends),
        cmocka_unit_test(what_is_held_outlives_its_day),
        cmocka_unit_test(a_commit_with_other_goods_is_told),
        cmocka_unit_test(a_commit_earns_by_the_level_of_now),
        cmocka_unit_test(unknown_reserves),
        cmocka_unit_test(so_many_holds_and_no_more),
        cmocka_unit_test(a_reserve_outlives_its_version),
        cmocka_unit_test(a_return_lives_by_the_version_in_force),
        cmocka_unit_test(a_fact_is_booked_as_it_is),
        cmocka_unit_test(a_fact_takes_nothing_that_is_held),
        cmocka_unit_test(amounts_that_do_not_fit),
        cmocka_unit_test(more_lots_than_the_row_holds),
        cmocka_unit_test(memory_may_end_anywhere),
    };

    return cmocka_run_group_tests(tests, begin_all, end_all);
}
