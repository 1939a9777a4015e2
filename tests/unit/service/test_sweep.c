/*
 * test_sweep.c - persons that nobody names are deleted a day later; no other ever is.
 *
 * Owns:      what broken enrolments leave, put there by operations of the test's own.
 * Must not:  wait: the clock is the test's.
 */
#include "house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"
#include "service/person.h"

#define DAY_MS INT64_C(86400000)

static const char shop[] =
    "{'format':1,'id':'club','name':{'en':'x'},'money':{'code':'RUB','scale':2},"
    "'currencies':{'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00',"
    "'expiry':{'kind':'period','period':'P1Y'}}},"
    "'redemption':{'bonus':{}},'rules':[{'code':'base','scope':'earn','name':{'en':'x'},"
    "'earn':{'currency':'bonus','percent':'5'}}]}";

static struct house house;

static int
open_house(void **state)
{
    (void)state;
    house_open(&house, false);
    house_publish(&house, "club", shop, house.now - DAY_MS);
    return 0;
}

static int
close_house(void **state)
{
    (void)state;
    house_close(&house);
    return 0;
}

/* ---- rows of the test's own ---- */

struct deed {
    uint64_t id;
    struct row row;
    uint32_t count;
    uint64_t last;
};

static void
act(struct deed *deed, enum access access,
    enum code (*run)(struct tx *tx, struct op *op, struct err *err))
{
    struct arena arena;
    struct op op = { .access = access, .arena = &arena, .run = run, .context = deed };
    struct err err;

    arena_init(&arena, host_source(), 1 << 16, 64 << 20);
    if (store_run(house.store, &op, &err))
        fail_msg("%s", err.text);
    arena_release(&arena);
}

static enum code
put_person_run(struct tx *tx, struct op *op, struct err *err)
{
    return store_put(tx, TABLE_person, &((struct deed *)op->context)->row, err);
}

static enum code
count_run(struct tx *tx, struct op *op, struct err *err)
{
    struct deed *deed = op->context;
    struct row *rows;
    enum code rc = store_list(tx, TABLE_person, NULL, 100000, op->arena, &rows, &deed->count, err);

    if (!rc && deed->count > 0)
        deed->last = (uint64_t)rows[deed->count - 1].cell[0].number;
    return rc;
}

static enum code
bar_run(struct tx *tx, struct op *op, struct err *err)
{
    return store_bar_member(tx, ((struct deed *)op->context)->id, err);
}

static uint64_t
next_id(void)
{
    uint64_t id;

    lease_keep_by_hand(house.service);
    id = ids_next(&house.service->ids, house.now);
    assert_int_not_equal(id, 0);
    return id;
}

/* What an enrolment leaves that is killed after its first half: the person's id. */
static uint64_t
orphan(void)
{
    struct deed deed = { .id = next_id() };
    struct err err;

    assert_int_equal(person_seal(house.service, deed.id, 1, TEXT("{\"surname\":\"x\"}"),
                                 &house.arena, &deed.row, &err),
                     OK);
    act(&deed, ACCESS_WRITE, put_person_run);
    return deed.id;
}

static uint32_t
persons(void)
{
    struct deed deed = { 0 };

    act(&deed, ACCESS_READ, count_run);
    return deed.count;
}

/* The daily run `later` from now: how many persons it deleted. */
static uint64_t
daily(unix_ms later)
{
    struct daily_result result;
    struct err err;

    if (service_daily(house.service, house.now + later, &result, &err))
        fail_msg("%s", err.text);
    return result.swept;
}

static struct answer
enrol(const char *card)
{
    char body[128];

    snprintf(body, sizeof(body),
             "{'programme':'club','surname':'Moreau','cards':['%s'],'consent':true}", card);
    return house_ask(&house,
                     &(struct question){ .route = CALL_ENROL, .body = body, .key = card }, NULL);
}

/* The book is right, and the member with this card is there with its person. */
static void
is_whole(const char *card)
{
    struct verify_result result;
    struct err err;
    char body[128];

    if (service_verify(house.service, NULL, NULL, &result, &err))
        fail_msg("%s", err.text);
    if (result.faults)
        fail_msg("%s", result.what);
    snprintf(body, sizeof(body), "{'programme':'club','card':'%s'}", card);
    struct answer answer = house_say(&house, CALL_FIND, body);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer_has(&answer, "Moreau"));
}

/* ---- the sweep ---- */

static void
an_orphan_lives_a_day(void **state)
{
    (void)state;
    assert_int_equal(enrol("before").outcome, OUTCOME_DONE);
    orphan();
    assert_int_equal(enrol("after").outcome, OUTCOME_DONE);
    assert_int_equal(daily(0), 0);
    assert_int_equal(daily(DAY_MS - 1), 0);
    assert_int_equal(persons(), 3);
    assert_int_equal(daily(DAY_MS + 1), 1);
    assert_int_equal(persons(), 2);
    assert_int_equal(daily(DAY_MS + 1), 0);
    assert_int_equal(daily(900 * DAY_MS), 0);
    assert_int_equal(persons(), 2);
    is_whole("before");
    is_whole("after");

    struct buf metrics;
    buf_init(&metrics, &house.arena, 1024);
    service_metrics(house.service, &metrics);
    struct answer told = { .text = buf_text(&metrics) };
    assert_true(answer_has(&told, "kopilka_persons_swept_total 1\n"));
}

/* Orphans at both ends and of the same moment; those of later days are found later. */
static void
orphans_everywhere(void **state)
{
    (void)state;
    orphan();
    orphan();
    assert_int_equal(enrol("one").outcome, OUTCOME_DONE);
    orphan();
    house.now += DAY_MS;
    orphan();
    assert_int_equal(enrol("two").outcome, OUTCOME_DONE);
    assert_int_equal(daily(1), 3);
    house.now += DAY_MS;
    orphan();
    assert_int_equal(daily(1), 1);
    assert_int_equal(daily(DAY_MS), 0);
    assert_int_equal(daily(DAY_MS + 1), 1);
    assert_int_equal(persons(), 2);
    is_whole("one");
    is_whole("two");
}

static uint64_t
operations(void)
{
    struct store_stats stats;

    store_read_stats(house.store, &stats);
    return stats.operations;
}

/* Many pages; afterwards only what is new is looked at. */
static void
many(void **state)
{
    enum { members = 2500, orphans = 25 };
    char card[16];

    (void)state;
    for (int i = 0; i < members; i++) {
        snprintf(card, sizeof(card), "k%d", i);
        assert_int_equal(enrol(card).outcome, OUTCOME_DONE);
        if (i % (members / orphans) == 0)
            orphan();
    }
    assert_int_equal(daily(DAY_MS + 1000), orphans);
    assert_int_equal(persons(), members);
    is_whole("k0");
    is_whole(card);
    uint64_t before = operations();
    assert_int_equal(daily(DAY_MS + 1000), 0);
    assert_in_range(operations() - before, 1, 6);
    house_restart(&house);
    before = operations();
    assert_int_equal(daily(2 * DAY_MS), 0);
    assert_in_range(operations() - before, 1, 6);
    assert_int_equal(persons(), members);
}

/* More persons without a member of their own number than are held at once. */
static void
more_orphans_than_are_held(void **state)
{
    enum { orphans = 5000 };

    (void)state;
    assert_int_equal(enrol("one").outcome, OUTCOME_DONE);
    for (int i = 0; i < orphans; i++)
        orphan();
    assert_int_equal(daily(DAY_MS + 1000), orphans);
    assert_int_equal(persons(), 1);
    is_whole("one");
}

/* ---- enrolments that come late ---- */

/* Killed between bar and deletion: the next run goes on. */
static void
barred_but_there(void **state)
{
    (void)state;
    assert_int_equal(enrol("one").outcome, OUTCOME_DONE);
    struct deed deed = { .id = orphan() };
    act(&deed, ACCESS_WRITE, bar_run);
    assert_int_equal(daily(DAY_MS + 1), 1);
    assert_int_equal(persons(), 1);
    is_whole("one");
}

/* The second half of an enrolment that comes after its person was swept is given up as a whole. */
static void
a_late_second_half(void **state)
{
    (void)state;
    assert_int_equal(enrol("one").outcome, OUTCOME_DONE);
    uint64_t last = atomic_load(&house.service->ids.last);
    orphan();
    assert_int_equal(daily(DAY_MS + 1), 1);
    atomic_store(&house.service->ids.last, last); /* the enrolment whose person that was */
    struct answer answer = enrol("late");
    assert_int_equal(answer.outcome, OUTCOME_BUSY);
    assert_int_equal(answer.status, 503);
    assert_int_equal(persons(), 1);
    is_whole("one");
    answer = enrol("late"); /* the till repeats it */
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(persons(), 2);
    assert_int_equal(daily(3 * DAY_MS), 0);
    is_whole("late");
}

/* A clock that was put back makes an id again: its person stays its member's. */
static void
an_id_that_is_anothers(void **state)
{
    (void)state;
    uint64_t last = atomic_load(&house.service->ids.last);
    assert_int_equal(enrol("one").outcome, OUTCOME_DONE);
    uint64_t after = atomic_load(&house.service->ids.last);
    atomic_store(&house.service->ids.last, last);
    struct answer answer = house_ask(
        &house,
        &(struct question){ .route = CALL_ENROL,
                            .body = "{'programme':'club','surname':'Other','cards':['two']}",
                            .key = "two" },
        NULL);
    assert_int_equal(answer.outcome, OUTCOME_BUSY);
    assert_int_equal(persons(), 1);
    is_whole("one");
    atomic_store(&house.service->ids.last, after);
    assert_int_equal(enrol("two").outcome, OUTCOME_DONE);
    assert_int_equal(persons(), 2);
    assert_int_equal(daily(3 * DAY_MS), 0);
    is_whole("one");
    is_whole("two");
}

/* A repeat a day later: of what was done, of what was swept. */
static void
repeats(void **state)
{
    (void)state;
    struct answer first = enrol("done");
    assert_int_equal(first.outcome, OUTCOME_DONE);
    orphan(); /* of the first try of "cut" */
    house.now += 2 * DAY_MS;
    assert_int_equal(daily(0), 1);
    struct answer again = enrol("done");
    assert_int_equal(again.outcome, OUTCOME_DONE);
    assert_true(text_equal(first.text, again.text));
    assert_int_equal(persons(), 1);
    assert_int_equal(enrol("cut").outcome, OUTCOME_DONE);
    assert_int_equal(persons(), 2);
    assert_int_equal(daily(3 * DAY_MS), 0);
    is_whole("done");
    is_whole("cut");
}

int
main(void)
{
#define IN_A_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)
    const struct CMUnitTest tests[] = {
        IN_A_HOUSE(an_orphan_lives_a_day),
        IN_A_HOUSE(orphans_everywhere),
        IN_A_HOUSE(many),
        IN_A_HOUSE(more_orphans_than_are_held),
        IN_A_HOUSE(barred_but_there),
        IN_A_HOUSE(a_late_second_half),
        IN_A_HOUSE(an_id_that_is_anothers),
        IN_A_HOUSE(repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
