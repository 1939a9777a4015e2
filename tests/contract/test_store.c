/*
 * test_store.c - what every store promises, run over memory and SQLite, with threads and without.
 *
 * Owns:      one suite; a test that needs one kind of store says so.
 */
#include "contract/kit.h"

#include <pthread.h>
#include <semaphore.h>

#include "core/book.h"

struct variant {
    const char *name;
    bool sqlite, is_inline;
};

static const struct variant variants[] = {
    { "memory inline", false, true },
    { "memory threads", false, false },
    { "sqlite inline", true, true },
    { "sqlite threads", true, false },
};

struct fixture {
    const struct variant *variant;
    struct place place;
    struct store *store;
};

static void
open_store(struct fixture *fixture)
{
    struct store_options options = {
        .path = fixture->place.path,
        .create = true,
        .readers = 2,
        .inline_runner = fixture->variant->is_inline,
    };
    struct err err = { .code = OK };
    enum code rc = fixture->variant->sqlite ? store_open_sqlite(&options, &fixture->store, &err)
                                            : store_open_memory(&options, &fixture->store, &err);
    if (rc)
        fail_msg("%s", err.text);
}

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->variant = *state;
    place_make(&fixture->place);
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    place_drop(&fixture->place);
    free(fixture);
    return 0;
}

static struct store *
store_in(void **state)
{
    return ((struct fixture *)*state)->store;
}

static bool
is_inline(void **state)
{
    return ((struct fixture *)*state)->variant->is_inline;
}

static struct directory_row
key_row(const char *name, uint64_t owner_id, uint64_t member_id, enum key_state state)
{
    struct directory_row row = {
        .owner_id = owner_id, .member_id = member_id, .kind = KEY_CARD, .state = state
    };
    snprintf((char *)row.key, sizeof row.key, "%s", name);
    return row;
}

static void
route_to(struct job *job, enum route_kind kind, struct text key)
{
    job->op.route[job->op.route_count++] = (struct route){ .kind = kind, .key = key };
}

/* ---- loading and writing ---- */

static void
test_nothing_there(void **state)
{
    assert_int_equal(points_of(store_in(state), 42), -1);
}

static void
test_what_was_written_is_read(void **state)
{
    struct store *store = store_in(state);
    assert_int_equal(earn(store, 7, 100, 50), OK);
    assert_int_equal(earn(store, 7, 101, 5), OK);

    struct job *job = look(store, 7);
    struct owner *owner = &job->view.owner;
    assert_true(job->view.owner_found);
    assert_int_equal(*active_of(owner), 55);
    assert_int_equal(owner->balance[0].of[ACCOUNT_ISSUED], -55);
    assert_int_equal(owner->version, 2);
    assert_int_equal(owner->last_movement, 2);
    assert_true(owner->next_due == TIME_NONE);
    job_free(job);
}

/* One company, two programmes: the same person is two owners that know nothing of each other. */
static void
test_two_programmes(void **state)
{
    struct store *store = store_in(state);
    for (uint32_t programme = 1; programme <= 2; programme++) {
        struct job *job = earn_new(1000 + programme, programme, programme * 10);
        job->tenant = 3;
        job->programme = programme;
        assert_int_equal(job_do(store, job), OK);
        job_free(job);
    }
    for (uint32_t programme = 1; programme <= 2; programme++) {
        struct job *job = look(store, 1000 + programme);
        assert_int_equal(job->view.owner.tenant, 3);
        assert_int_equal(job->view.owner.programme, programme);
        assert_int_equal(*active_of(&job->view.owner), programme * 10);
        job_free(job);
    }
}

static void
more_head(struct job *job, struct changes *changes)
{
    (void)job;
    changes->owner->next_due = 123456789;
    memset(changes->owner->head, 0xab, sizeof changes->owner->head);
    memset(changes->movement->link, 0xcd, sizeof changes->movement->link);
    changes->movement->version = 4;
    changes->movement->rule = 9;
    changes->movement->cost_owner = 2;
    changes->movement->ref = 77;
    changes->movement->expires_at = TIME_NONE;
}

static enum code
movements_body(struct tx *tx, struct job *job, struct err *err)
{
    struct movement *movement;
    uint32_t count;

    enum code rc = store_list_movements(tx, job->owner_id, 0, 10, job->op.arena, &movement, &count,
                                        err);
    if (rc)
        return rc;
    assert_int_equal(count, 1);
    assert_int_equal(movement->owner_id, 5);
    assert_int_equal(movement->movement_no, 1);
    assert_int_equal(movement->op_id, 55);
    assert_int_equal(movement->kind, MOVEMENT_EARN);
    assert_int_equal(movement->account, ACCOUNT_ACTIVE);
    assert_int_equal(movement->contra, ACCOUNT_ISSUED);
    assert_int_equal(movement->currency, 1);
    assert_int_equal(movement->amount, 12);
    assert_int_equal(movement->at, 1055);
    assert_int_equal(movement->version, 4);
    assert_int_equal(movement->rule, 9);
    assert_int_equal(movement->cost_owner, 2);
    assert_int_equal(movement->ref, 77);
    assert_true(movement->expires_at == TIME_NONE);
    assert_int_equal(movement->link[0], 0xcd);
    assert_int_equal(movement->link[7], 0xcd);
    return OK;
}

static void
test_every_column(void **state)
{
    struct job *job = earn_new(5, 55, 12);
    job->more = more_head;
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);

    job = look(store_in(state), 5);
    assert_int_equal(job->view.owner.next_due, 123456789);
    assert_int_equal(job->view.owner.head[0], 0xab);
    assert_int_equal(job->view.owner.head[31], 0xab);
    job_free(job);

    job = job_new(ACCESS_READ, movements_body);
    job->owner_id = 5;
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* A stale copy of an owner cannot be written over a newer one. */
static enum code
stale_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = job->owner_id };
    enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
    if (rc)
        return rc;
    job->view.owner.version += 3;
    return kit_write(tx, job, err);
}

static void
test_stale_version(void **state)
{
    struct store *store = store_in(state);
    assert_int_equal(earn(store, 7, 100, 50), OK);
    struct job *job = job_new(ACCESS_WRITE, stale_body);
    job->owner_id = 7;
    job->op_id = 101;
    job->points = 1;
    assert_int_equal(job_do(store, job), CODE_CONFLICT);
    job_free(job);
    assert_int_equal(points_of(store, 7), 50);
}

/* ---- lots, counters, records ---- */

enum { many_lots = lots_in_owner_row_max + 5 };

static void
more_lots(struct job *job, struct changes *changes)
{
    struct owner *owner = changes->owner;
    owner->lot = arena_array(job->op.arena, struct lot, many_lots);
    owner->lot_count = owner->lot_cap = many_lots;
    for (uint32_t i = 0; i < many_lots; i++)
        owner->lot[i] = (struct lot){ .lot_no = i + 1,
                                      .currency = 1,
                                      .size = 10,
                                      .left = 10,
                                      .expires_at = 5000 + i,
                                      .cause = 9,
                                      .rule = -1 };
    changes->lot_put = owner->lot + lots_in_owner_row_max;
    changes->lot_put_count = many_lots - lots_in_owner_row_max;
}

/* The first three are spent: three of the overflow move into the row. */
static void
more_fewer_lots(struct job *job, struct changes *changes)
{
    struct owner *owner = changes->owner;
    uint32_t *drop = arena_array(job->op.arena, uint32_t, 3);
    for (uint32_t i = 0; i < 3; i++)
        drop[i] = owner->lot[lots_in_owner_row_max + i].lot_no;
    owner->lot += 3;
    owner->lot_count -= 3;
    changes->lot_drop = drop;
    changes->lot_drop_count = 3;
}

static void
expect_lots(struct store *store, uint32_t first, uint32_t count)
{
    struct job *job = look(store, 8);
    assert_int_equal(job->view.owner.lot_count, count);
    assert_true(job->view.owner.lot_cap >= count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(job->view.owner.lot[i].lot_no, first + i);
    job_free(job);
}

static void
test_lots_overflow(void **state)
{
    struct store *store = store_in(state);
    struct job *job = earn_new(8, 9, 210);
    job->more = more_lots;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    expect_lots(store, 1, many_lots);

    job = earn_new(8, 10, 0);
    job->more = more_fewer_lots;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    expect_lots(store, 4, many_lots - 3);
}

static void
more_counters(struct job *job, struct changes *changes)
{
    static struct counter_state puts[] = {
        { .counter_no = 2, .rolling = true, .bucket = 100, .value = 5 },
        { .counter_no = 2, .rolling = true, .bucket = 101, .value = 6 },
        { .counter_no = 2, .rolling = true, .bucket = 102, .value = 7 },
        { .counter_no = 4, .rolling = true, .bucket = -3, .value = 8 },
    };
    struct counter_state *calendar = arena_array(job->op.arena, struct counter_state, 2);
    calendar[0] = (struct counter_state){ .counter_no = 1, .bucket = 24311, .value = 11 };
    calendar[1] = (struct counter_state){ .counter_no = 3, .bucket = 24311, .value = 33 };
    changes->owner->counter = calendar;
    changes->owner->counter_count = 2;
    changes->counter_put = puts;
    changes->counter_put_count = 4;
}

static void
more_drop_counter(struct job *job, struct changes *changes)
{
    static struct counter_state drop = { .counter_no = 2, .rolling = true, .bucket = 101 };
    (void)job;
    changes->counter_put = &drop;
    changes->counter_put_count = 1;
}

static enum code
rolling_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = 8, .rolling = 1 << 1 | 1 << 3, .rolling_from = 101 };
    if (job->points != 0)
        needs.rolling_from = -10;
    return store_load(tx, &needs, job->op.arena, &job->view, err);
}

static void
expect_counters(struct store *store, bool from_start, const int64_t (*wanted)[3], uint32_t count)
{
    struct job *job = job_new(ACCESS_READ, rolling_body);
    job->points = from_start;
    assert_int_equal(job_do(store, job), OK);
    assert_int_equal(job->view.owner.counter_count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct counter_state *counter = &job->view.owner.counter[i];
        assert_int_equal(counter->counter_no, wanted[i][0]);
        assert_int_equal(counter->bucket, wanted[i][1]);
        assert_int_equal(counter->value, wanted[i][2]);
        assert_int_equal(counter->rolling, counter->counter_no % 2 == 0);
    }
    job_free(job);
}

static void
test_rolling_counters(void **state)
{
    static const int64_t late[][3] = {
        { 1, 24311, 11 }, { 2, 101, 6 }, { 2, 102, 7 }, { 3, 24311, 33 }
    };
    static const int64_t all[][3] = {
        { 1, 24311, 11 }, { 2, 100, 5 }, { 2, 102, 7 }, { 3, 24311, 33 }, { 4, -3, 8 }
    };
    struct store *store = store_in(state);
    struct job *job = earn_new(8, 9, 1);
    job->more = more_counters;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    expect_counters(store, false, late, 4);

    job = earn_new(8, 10, 0);
    job->more = more_drop_counter;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    expect_counters(store, true, all, 5);

    job = look(store, 8); /* who does not ask gets the calendar's only */
    assert_int_equal(job->view.owner.counter_count, 2);
    job_free(job);
}

static void
more_returned(struct job *job, struct changes *changes)
{
    changes->returned_of = 9;
    changes->returned = job->op_id == 10 ? TEXT("one piece") : TEXT("two pieces");
}

static enum code
origin_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = 8, .origin = job->op_id, .returned = true };
    return store_load(tx, &needs, job->op.arena, &job->view, err);
}

static void
test_origin_and_returned(void **state)
{
    struct store *store = store_in(state);
    struct job *job = earn_new(8, 9, 1);
    job->record = TEXT("the purchase");
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    for (uint64_t op = 10; op <= 11; op++) {
        job = earn_new(8, op, 0);
        job->more = more_returned;
        assert_int_equal(job_do(store, job), OK);
        job_free(job);
    }
    job = job_new(ACCESS_READ, origin_body);
    job->op_id = 9;
    assert_int_equal(job_do(store, job), OK);
    assert_true(job->view.origin_found);
    assert_true(text_equal(job->view.origin, TEXT("the purchase")));
    assert_true(job->view.returned_found);
    assert_true(text_equal(job->view.returned, TEXT("two pieces")));
    job_free(job);

    job = job_new(ACCESS_READ, origin_body);
    job->op_id = 12;
    assert_int_equal(job_do(store, job), OK);
    assert_false(job->view.origin_found);
    assert_false(job->view.returned_found);
    job_free(job);
}

/* A receipt belongs to one owner: another owner does not find it under its number. */
static enum code
receipt_body(struct tx *tx, struct job *job, struct err *err)
{
    struct receipt_row row;
    bool found;
    enum code rc = store_get_receipt(tx, job->owner_id, 9, job->op.arena, &row, &found, err);
    if (rc == OK && found != (job->owner_id == 8))
        return err_set(err, CODE_CORRUPT, "found %d", found);
    if (rc == OK && found && row.kind != RECORD_PURCHASE)
        return err_set(err, CODE_CORRUPT, "kind %d", row.kind);
    return rc;
}

static void
test_receipt_of_one_owner(void **state)
{
    assert_int_equal(earn(store_in(state), 8, 9, 1), OK);
    for (uint64_t owner = 7; owner <= 8; owner++) {
        struct job *job = job_new(ACCESS_READ, receipt_body);
        job->owner_id = owner;
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
}

/* ---- pools, routes, claims ---- */

static void
more_family(struct job *job, struct changes *changes)
{
    struct member_row *member = arena_array(job->op.arena, struct member_row, 2);
    struct directory_row *key = arena_array(job->op.arena, struct directory_row, 3);
    for (uint64_t i = 0; i < 2; i++)
        member[i] = (struct member_row){
            .owner_id = 20, .member_id = 201 + i, .person_id = 301 + i, .enrolled_at = 1234
        };
    member[1].state = 1;
    changes->owner->flags = owner_flag_pool;
    changes->member_put = member;
    changes->member_put_count = 2;
    key[0] = key_row("card-b", 20, 202, KEY_BLOCKED);
    key[1] = key_row("card-a", 20, 201, KEY_ACTIVE);
    key[2] = key_row("spare", 20, 0, KEY_FREE);
    changes->directory_put = key;
    changes->directory_put_count = 3;
}

static enum code
members_body(struct tx *tx, struct job *job, struct err *err)
{
    struct member_row *member;
    uint32_t count;
    enum code rc = store_list_members(tx, 20, job->op.arena, &member, &count, err);
    if (rc)
        return rc;
    assert_int_equal(count, 2);
    assert_int_equal(member[0].member_id, 201);
    assert_int_equal(member[1].member_id, 202);
    assert_int_equal(member[1].person_id, 302);
    assert_int_equal(member[1].state, 1);
    assert_int_equal(member[1].enrolled_at, 1234);
    return look_body(tx, job, err);
}

static void
test_pool_with_cards(void **state)
{
    struct store *store = store_in(state);
    struct directory_row a = key_row("card-a", 0, 0, 0), b = key_row("card-b", 0, 0, 0);
    struct directory_row nobody = key_row("nobody", 0, 0, 0);
    struct job *job = earn_new(20, 9, 1);
    job->more = more_family;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);

    job = job_new(ACCESS_READ, members_body);
    job->owner_id = 20;
    route_to(job, ROUTE_DIRECTORY, (struct text){ (char *)a.key, directory_key_bytes });
    route_to(job, ROUTE_DIRECTORY, (struct text){ (char *)b.key, directory_key_bytes });
    route_to(job, ROUTE_DIRECTORY, (struct text){ (char *)nobody.key, directory_key_bytes });
    assert_int_equal(job_do(store, job), OK);
    const struct route *route = job->op.route;
    assert_true(route[0].found);
    assert_int_equal(route[0].owner_id, 20);
    assert_int_equal(route[0].member_id, 201);
    assert_int_equal(route[0].state, KEY_ACTIVE);
    assert_int_equal(route[0].key_kind, KEY_CARD);
    assert_true(route[1].found);
    assert_int_equal(route[1].member_id, 202);
    assert_int_equal(route[1].state, KEY_BLOCKED);
    assert_false(route[2].found);
    assert_int_equal(job->view.owner.flags, owner_flag_pool);
    job_free(job);
}

static enum code
find_body(struct tx *tx, struct job *job, struct err *err)
{
    struct directory_row row = key_row("card", 5, 6, KEY_ACTIVE), found_row;
    struct text key = { (char *)row.key, directory_key_bytes };
    bool found = true;

    (void)job;
    enum code rc = store_find(tx, key, &found_row, &found, err);
    if (rc)
        return rc;
    assert_false(found);
    rc = store_put_directory(tx, &row, err);
    if (rc)
        return rc;
    row.member_id = 7; /* the later one counts */
    rc = store_put_directory(tx, &row, err);
    if (rc)
        return rc;
    rc = store_find(tx, key, &found_row, &found, err);
    if (rc)
        return rc;
    assert_true(found);
    assert_int_equal(found_row.member_id, 7);
    return OK;
}

static void
test_directory(void **state)
{
    struct store *store = store_in(state);
    struct directory_row row = key_row("card", 0, 0, 0);
    struct job *job = job_new(ACCESS_WRITE, find_body);
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    job = job_new(ACCESS_READ, look_body);
    route_to(job, ROUTE_DIRECTORY, (struct text){ (char *)row.key, directory_key_bytes });
    assert_int_equal(job_do(store, job), OK);
    assert_true(job->op.route[0].found);
    assert_int_equal(job->op.route[0].member_id, 7);
    job_free(job);
}

static void
test_claim_once(void **state)
{
    struct store *store = store_in(state);
    struct job *job = earn_new(7, 100, 50);
    job_claim(job, "receipt 1");
    job->record = TEXT("what was decided");
    assert_int_equal(job_do(store, job), OK);
    assert_false(job->op.repeat);
    job_free(job);

    job = earn_new(7, 101, 50);
    job_claim(job, "receipt 1");
    assert_int_equal(job_do(store, job), OK);
    assert_true(job->op.repeat);
    assert_int_equal(job->runs, 0);
    assert_int_equal(job->op.existing_owner, 7);
    assert_int_equal(job->op.existing_op, 100);
    assert_true(text_equal(job->op.existing, TEXT("what was decided")));
    job_free(job);
    assert_int_equal(points_of(store, 7), 50);

    job = job_new(ACCESS_READ, look_body); /* a return finds its owner by the receipt */
    route_to(job, ROUTE_CLAIM, TEXT("receipt 1"));
    route_to(job, ROUTE_CLAIM, TEXT("receipt 2"));
    assert_int_equal(job_do(store, job), OK);
    assert_true(job->op.route[0].found);
    assert_int_equal(job->op.route[0].owner_id, 7);
    assert_int_equal(job->op.route[0].op_id, 100);
    assert_false(job->op.route[1].found);
    job_free(job);
}

static void
test_refusal_writes_nothing(void **state)
{
    struct store *store = store_in(state);
    struct job *job = earn_new(7, 100, 50);
    job->refuse = true;
    job_claim(job, "receipt 1");
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    assert_int_equal(points_of(store, 7), -1);

    job = earn_new(7, 101, 50); /* the same receipt may be sent again */
    job_claim(job, "receipt 1");
    assert_int_equal(job_do(store, job), OK);
    assert_false(job->op.repeat);
    job_free(job);
    assert_int_equal(points_of(store, 7), 50);
}

static void
test_failure_writes_nothing(void **state)
{
    struct store *store = store_in(state);
    struct job *job = earn_new(7, 100, 50);
    job->fail_after = CODE_RANGE;
    job_claim(job, "receipt 1");
    assert_int_equal(job_do(store, job), CODE_RANGE);
    assert_string_not_equal(job->op.err.text, "");
    job_free(job);
    assert_int_equal(points_of(store, 7), -1);
}

static enum code
disobedient_body(struct tx *tx, struct job *job, struct err *err)
{
    job->view.owner_found = false;
    return kit_write(tx, job, err);
}

static void
test_reads_cannot_write(void **state)
{
    struct store *store = store_in(state);
    struct job *job = job_new(ACCESS_READ, disobedient_body);
    job->owner_id = 7;
    job->points = 1;
    assert_int_equal(job_do(store, job), CODE_USAGE);
    job_free(job);
    assert_int_equal(points_of(store, 7), -1);
}

/* ---- batches ---- */

/* An operation whose done() submits others: those then wait together and are one batch. */
struct crowd {
    struct store *store;
    struct job *first;
    struct job *job[8];
    uint32_t count;
    sem_t held, go;
};

static enum code
hold_body(struct tx *tx, struct job *job, struct err *err)
{
    struct crowd *crowd = (struct crowd *)(void *)(uintptr_t)job->op_id;
    (void)tx;
    (void)err;
    sem_post(&crowd->held);
    sem_wait(&crowd->go);
    return OK;
}

static void
crowd_done(struct op *op)
{
    struct job *job = job_of(op);
    struct crowd *crowd = (struct crowd *)(void *)(uintptr_t)job->op_id;
    for (uint32_t i = 0; i < crowd->count; i++)
        job_submit(crowd->store, crowd->job[i]);
    job_done(op);
}

/* Run the crowd's jobs in one batch, in any kind of store. */
static void
crowd_run(struct crowd *crowd, struct store *store)
{
    crowd->store = store;
    sem_init(&crowd->held, 0, 0);
    sem_init(&crowd->go, 0, 1);
    crowd->first = job_new(ACCESS_WRITE, hold_body);
    crowd->first->op_id = (uint64_t)(uintptr_t)crowd;
    crowd->first->op.done = crowd_done;
    job_submit(store, crowd->first);
    for (uint32_t i = 0; i < crowd->count; i++)
        job_await(crowd->job[i]);
    job_await(crowd->first);
    job_free(crowd->first);
}

static void
crowd_free(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->count; i++)
        job_free(crowd->job[i]);
    sem_destroy(&crowd->held);
    sem_destroy(&crowd->go);
}

static void
test_batch_is_in_order(void **state)
{
    struct crowd crowd = { .count = 8 };
    struct job *log[8] = { NULL };
    uint32_t log_count = 0;
    for (uint32_t i = 0; i < crowd.count; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->log = log;
        crowd.job[i]->log_count = &log_count;
    }
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < crowd.count; i++) {
        assert_ptr_equal(log[i], crowd.job[i]);
        assert_int_equal(crowd.job[i]->op.code, OK);
        assert_int_equal(crowd.job[i]->op.batch, 8);
        assert_int_equal(crowd.job[i]->runs, 1);
        /* each saw what the one before wrote */
        assert_int_equal(crowd.job[i]->view.owner.version, i + 1);
    }
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 8);
}

/* A repeat in the same batch sees the claim, and gets the record. */
static void
test_repeat_in_one_batch(void **state)
{
    struct crowd crowd = { .count = 2 };
    for (uint32_t i = 0; i < 2; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->record = i == 0 ? TEXT("first") : TEXT("second");
        job_claim(crowd.job[i], "receipt");
    }
    crowd_run(&crowd, store_in(state));
    assert_false(crowd.job[0]->op.repeat);
    assert_true(crowd.job[1]->op.repeat);
    assert_int_equal(crowd.job[1]->op.existing_op, 100);
    assert_true(text_equal(crowd.job[1]->op.existing, TEXT("first")));
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 1);
}

static void
test_refusal_leaves_the_batch_alone(void **state)
{
    struct crowd crowd = { .count = 3 };
    struct store_stats stats;
    for (uint32_t i = 0; i < 3; i++)
        crowd.job[i] = earn_new(7, 100 + i, 1);
    crowd.job[1]->refuse = true;
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(crowd.job[i]->op.code, OK);
        assert_int_equal(crowd.job[i]->runs, 1);
    }
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 2);
    store_read_stats(store_in(state), &stats);
    assert_int_equal(stats.retries_alone, 0);
}

/*
 * The second of three fails after it wrote: the others run again, alone, and all three are right.
 */
static void
test_failure_runs_the_batch_alone(void **state)
{
    struct crowd crowd = { .count = 4 };
    struct store_stats stats;
    for (uint32_t i = 0; i < 4; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        job_claim(crowd.job[i], (char[]){ (char)('a' + i), 0 });
    }
    crowd.job[1]->fail_after = CODE_RANGE;
    crowd.job[2]->op_id = 100; /* a receipt that is there already: the database refuses it */
    crowd_run(&crowd, store_in(state));
    assert_int_equal(crowd.job[0]->op.code, OK);
    assert_int_equal(crowd.job[0]->runs, 2);
    assert_int_equal(crowd.job[0]->op.batch, 1);
    assert_int_equal(crowd.job[0]->view.owner.version, 1);
    assert_int_equal(crowd.job[1]->op.code, CODE_RANGE);
    assert_int_equal(crowd.job[2]->op.code, CODE_CONFLICT);
    assert_int_equal(crowd.job[3]->op.code, OK);
    assert_int_equal(crowd.job[3]->view.owner.version, 2);
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 2);
    store_read_stats(store_in(state), &stats);
    assert_true(stats.retries_alone >= 2);

    struct job *job = look(store_in(state), 7);
    assert_int_equal(job->view.owner.last_movement, 2);
    job_free(job);
}

/* Low operations come after ordinary ones that wait at the same time. */
static void
test_low_priority(void **state)
{
    struct crowd crowd = { .count = 6 };
    struct job *log[6] = { NULL };
    uint32_t log_count = 0;
    if (is_inline(state))
        skip();
    for (uint32_t i = 0; i < crowd.count; i++) {
        crowd.job[i] = earn_new(7, 100 + i, 1);
        crowd.job[i]->op.priority = i < 3 ? PRIORITY_LOW : PRIORITY_ORDINARY;
        crowd.job[i]->log = log;
        crowd.job[i]->log_count = &log_count;
    }
    crowd_run(&crowd, store_in(state));
    for (uint32_t i = 0; i < crowd.count; i++)
        assert_ptr_equal(log[i], crowd.job[(i + 3) % 6]);
    crowd_free(&crowd);
}

static void
test_full_queue_is_busy(void **state)
{
    struct store *store = store_in(state);
    struct crowd crowd = { .count = 0 };
    struct err err = { .code = OK };
    if (is_inline(state))
        skip();
    struct job **job = calloc(ops_in_flight_max, sizeof(struct job *));
    sem_init(&crowd.held, 0, 0);
    sem_init(&crowd.go, 0, 0);
    job[0] = job_new(ACCESS_WRITE, hold_body);
    job[0]->op_id = (uint64_t)(uintptr_t)&crowd;
    job_submit(store, job[0]);
    sem_wait(&crowd.held);
    for (uint32_t i = 1; i < ops_in_flight_max; i++) {
        job[i] = earn_new(7, i, 1);
        job_submit(store, job[i]);
    }
    struct job *extra = earn_new(7, 9999, 1);
    assert_int_equal(store_submit(store, &extra->op, &err), CODE_BUSY);
    sem_post(&crowd.go);
    for (uint32_t i = 0; i < ops_in_flight_max; i++) {
        job_await(job[i]);
        assert_int_equal(job[i]->op.code, OK);
        job_free(job[i]);
    }
    assert_int_equal(extra->runs, 0);
    assert_int_equal(job_do(store, extra), OK);
    job_free(extra);
    assert_int_equal(points_of(store, 7), ops_in_flight_max);
    free(job);
    crowd_free(&crowd);
}

/* ---- readers and threads ---- */

struct peek {
    struct store *store;
    amount seen;
};

static void *
peek_main(void *context)
{
    struct peek *peek = context;
    peek->seen = points_of(peek->store, 7);
    return NULL;
}

static enum code
slow_write_body(struct tx *tx, struct job *job, struct err *err)
{
    struct crowd *crowd = (struct crowd *)(void *)job->record.ptr;
    struct text record = job->record;
    job->record = TEXT("slow");
    enum code rc = earn_body(tx, job, err);
    job->record = record;
    if (rc)
        return rc;
    if (job->runs == 1)
        sem_post(&crowd->held);
    usleep(100 * 1000); /* the reader has time to look */
    return err_set(err, CODE_RANGE, "and back again");
}

static void
test_reader_sees_committed_only(void **state)
{
    struct store *store = store_in(state);
    struct peek peek = { .store = store };
    struct crowd crowd = { .count = 0 };
    pthread_t thread;
    if (is_inline(state))
        skip();
    sem_init(&crowd.held, 0, 0);
    sem_init(&crowd.go, 0, 0);
    assert_int_equal(earn(store, 7, 1, 10), OK);
    struct job *job = job_new(ACCESS_WRITE, slow_write_body);
    job->owner_id = 7;
    job->op_id = 2;
    job->points = 1000;
    job->record = (struct text){ (const char *)&crowd, sizeof crowd };
    job_submit(store, job);
    sem_wait(&crowd.held);
    pthread_create(&thread, NULL, peek_main, &peek);
    pthread_join(thread, NULL);
    assert_int_equal(peek.seen, 10);
    job_await(job);
    assert_int_equal(job->op.code, CODE_RANGE);
    job_free(job);
    assert_int_equal(points_of(store, 7), 10);
    crowd_free(&crowd);
}

enum { threads = 8, turns = 1000 };

struct worker {
    struct store *store;
    uint64_t first_op;
    uint32_t failed;
};

static void *
increment_main(void *context)
{
    struct worker *worker = context;
    for (uint32_t i = 0; i < turns; i++)
        worker->failed += earn(worker->store, 7, worker->first_op + i, 1) != OK;
    return NULL;
}

static void
test_no_lost_update(void **state)
{
    struct store *store = store_in(state);
    struct worker worker[threads];
    pthread_t thread[threads];
    if (is_inline(state))
        skip();
    for (uint32_t i = 0; i < threads; i++) {
        worker[i] = (struct worker){ .store = store, .first_op = 1 + i * turns };
        assert_int_equal(pthread_create(&thread[i], NULL, increment_main, &worker[i]), 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(worker[i].failed, 0);
    }
    struct job *job = look(store, 7);
    assert_int_equal(*active_of(&job->view.owner), threads * turns);
    assert_int_equal(job->view.owner.version, threads * turns);
    assert_int_equal(job->view.owner.last_movement, threads * turns);
    job_free(job);
}

static void
test_close_drains(void **state)
{
    enum { count = 300 };
    struct fixture *fixture = *state;
    struct job *job[count];
    for (uint32_t i = 0; i < count; i++) {
        job[i] = i % 3 == 0 ? job_new(ACCESS_READ, look_body) : earn_new(7, 1 + i, 1);
        if (i % 3 == 2)
            job[i]->op.priority = PRIORITY_LOW;
        job_submit(fixture->store, job[i]);
    }
    store_close(fixture->store);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(job[i]->done);
        assert_int_equal(job[i]->op.code, OK);
        job_free(job[i]);
    }
    open_store(fixture);
    assert_int_equal(points_of(fixture->store, 7), fixture->variant->sqlite ? 200 : -1);
}

/* ---- lists ---- */

static enum code
owners_body(struct tx *tx, struct job *job, struct err *err)
{
    struct owner *owner;
    uint32_t count, seen = 0;
    uint64_t after = 0;
    do {
        enum code rc = store_list_owners(tx, after, 3, job->op.arena, &owner, &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(owner[i].owner_id > after);
            after = owner[i].owner_id;
            assert_int_equal(after, 10 * ++seen);
            if (after == 50)
                assert_int_equal(owner[i].lot_count, many_lots);
            if (after == 60)
                assert_int_equal(owner[i].counter_count, 6);
        }
    } while (count == 3);
    assert_int_equal(seen, 8);
    return OK;
}

static void
test_list_owners(void **state)
{
    for (uint64_t i = 8; i > 0; i--) {
        struct job *job = earn_new(10 * i, 100 + i, 1);
        job->more = i == 5 ? more_lots : i == 6 ? more_counters : NULL;
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
    struct job *job = job_new(ACCESS_READ, owners_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

static void
more_due(struct job *job, struct changes *changes)
{
    changes->owner->next_due = job->op_id % 2 == 0 ? 500 : 5000;
}

static enum code
due_body(struct tx *tx, struct job *job, struct err *err)
{
    uint64_t ids[2], after = 0, wanted = 2;
    uint32_t count;
    (void)job;
    do {
        enum code rc = store_list_due(tx, after, 500, 3, ids, 2, &count, &after, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++, wanted += 2)
            assert_int_equal(ids[i], wanted);
    } while (after != 0);
    assert_int_equal(wanted, 12);
    return OK;
}

static void
test_list_due(void **state)
{
    for (uint64_t i = 1; i <= 11; i++) {
        struct job *job = earn_new(i, i, 1);
        job->more = more_due;
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
    struct job *job = job_new(ACCESS_READ, due_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

static enum code
history_body(struct tx *tx, struct job *job, struct err *err)
{
    struct movement *movement;
    uint32_t count, after = 0;
    do {
        enum code rc = store_list_movements(tx, 7, after, 4, job->op.arena, &movement, &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(movement[i].movement_no, ++after);
            assert_int_equal(movement[i].owner_id, 7);
        }
    } while (count == 4);
    assert_int_equal(after, 10);
    return OK;
}

static void
test_list_movements(void **state)
{
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(earn(store_in(state), 7, 2 * i, 1), OK);
        assert_int_equal(earn(store_in(state), 8, 2 * i + 1, 1), OK);
    }
    struct job *job = job_new(ACCESS_READ, history_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* ---- plain rows ---- */

static struct row
version_row(int64_t tenant, int64_t programme, int64_t version)
{
    return (struct row){ .cell = { { .number = tenant },
                                   { .number = programme },
                                   { .number = version },
                                   { .number = 77 },
                                   { .number = 88 },
                                   { .text = TEXT("hash\0with zero") },
                                   { .text = TEXT("{\"rules\": []}") },
                                   { .text = { NULL, 0 } } } };
}

static enum code
put_rows_body(struct tx *tx, struct job *job, struct err *err)
{
    (void)job;
    for (int64_t programme = 2; programme > 0; programme--)
        for (int64_t version = 5; version > 0; version--) {
            struct row row = version_row(1, programme, version);
            enum code rc = store_put(tx, TABLE_programme_version, &row, err);
            if (rc)
                return rc;
        }
    struct row key = version_row(1, 2, 3);
    return store_delete(tx, TABLE_programme_version, &key, err);
}

static enum code
list_rows_body(struct tx *tx, struct job *job, struct err *err)
{
    static const int64_t wanted[][2] = { { 1, 1 }, { 1, 2 }, { 1, 3 }, { 1, 4 }, { 1, 5 },
                                         { 2, 1 }, { 2, 2 }, { 2, 4 }, { 2, 5 } };
    struct row *rows, *after = NULL;
    uint32_t count, seen = 0;
    do {
        enum code rc = store_list(tx, TABLE_programme_version, after, 2, job->op.arena, &rows,
                                  &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++, seen++) {
            assert_int_equal(rows[i].cell[1].number, wanted[seen][0]);
            assert_int_equal(rows[i].cell[2].number, wanted[seen][1]);
        }
        after = rows + count - 1;
    } while (count == 2);
    assert_int_equal(seen, 9);
    return OK;
}

static enum code
get_row_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row key = version_row(1, 2, 4), row;
    bool found;
    enum code rc = store_get(tx, TABLE_programme_version, &key, job->op.arena, &row, &found, err);
    if (rc)
        return rc;
    assert_true(found);
    assert_int_equal(row.cell[3].number, 77);
    assert_true(text_equal(row.cell[5].text, TEXT("hash\0with zero")));
    assert_true(text_equal(row.cell[6].text, TEXT("{\"rules\": []}")));
    assert_int_equal(row.cell[7].text.len, 0);
    key = version_row(1, 2, 3);
    rc = store_get(tx, TABLE_programme_version, &key, job->op.arena, &row, &found, err);
    if (rc == OK)
        assert_false(found);
    return rc;
}

static void
test_config_rows(void **state)
{
    static enum code (*const bodies[])(
        struct tx *, struct job *, struct err *) = { put_rows_body, list_rows_body, get_row_body };
    for (size_t i = 0; i < KOP_COUNT(bodies); i++) {
        struct job *job = job_new(i == 0 ? ACCESS_WRITE : ACCESS_READ, bodies[i]);
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
}

static enum code
text_keys_body(struct tx *tx, struct job *job, struct err *err)
{
    static const char *const names[] = { "b", "a", "aa", "", "a\xd0\xb1" };
    static const char *const sorted[] = { "", "a", "aa", "a\xd0\xb1", "b", "schema_version" };
    struct row row = { 0 }, *rows;
    uint32_t count;
    for (size_t i = 0; i < KOP_COUNT(names); i++) {
        row.cell[0].text = text_of(names[i]);
        row.cell[1].text = TEXT("value");
        enum code rc = store_put(tx, TABLE_meta, &row, err);
        if (rc)
            return rc;
    }
    row.cell[1].text = TEXT("another"); /* replaces */
    enum code rc = store_put(tx, TABLE_meta, &row, err);
    if (rc == OK)
        rc = store_list(tx, TABLE_meta, NULL, 100, job->op.arena, &rows, &count, err);
    if (rc)
        return rc;
    assert_true(count >= 5);
    for (uint32_t i = 0; i < count; i++)
        assert_true(text_equal(rows[i].cell[0].text, text_of(sorted[i])));
    assert_true(text_equal(rows[3].cell[1].text, TEXT("another")));
    return OK;
}

static void
test_text_keys(void **state)
{
    struct job *job = job_new(ACCESS_WRITE, text_keys_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* Journals cannot be changed through the plain rows. */
static enum code
forbidden_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { 0 }, *rows;
    uint32_t count;
    assert_int_equal(store_put(tx, TABLE_movement, &row, err), CODE_USAGE);
    assert_int_equal(store_delete(tx, TABLE_receipt, &row, err), CODE_USAGE);
    assert_int_equal(store_put(tx, TABLE_claim, &row, err), CODE_USAGE);
    assert_int_equal(store_delete(tx, TABLE_claim, &row, err), CODE_USAGE);
    assert_int_equal(store_list(tx, TABLE_owner, NULL, 1, job->op.arena, &rows, &count, err),
                     CODE_USAGE);
    return OK;
}

static void
test_journals_only_grow(void **state)
{
    struct job *job = job_new(ACCESS_WRITE, forbidden_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* ---- memory of an operation ---- */

/* Too little memory is the operation's own failure, and the batch goes on. */
static void
test_small_arena(void **state)
{
    struct crowd crowd = { .count = 3 };
    struct store_stats stats;
    static _Alignas(16) char memory[128];
    assert_int_equal(earn(store_in(state), 7, 1, 5), OK);
    for (uint32_t i = 0; i < 3; i++)
        crowd.job[i] = earn_new(7, 100 + i, 1);
    struct arena small;
    arena_init_fixed(&small, memory, sizeof memory);
    crowd.job[1]->op.arena = &small;
    crowd_run(&crowd, store_in(state));
    assert_int_equal(crowd.job[0]->op.code, OK);
    assert_int_equal(crowd.job[1]->op.code, CODE_NO_MEMORY);
    assert_int_equal(crowd.job[2]->op.code, OK);
    crowd_free(&crowd);
    assert_int_equal(points_of(store_in(state), 7), 7);
    store_read_stats(store_in(state), &stats);
    assert_int_equal(stats.retries_alone, 0);
}

#define TEST(function)                                                                             \
    {                                                                                              \
#function, function                                                                        \
    }
static const struct {
    const char *name;
    CMUnitTestFunction function;
} suite[] = {
    TEST(test_nothing_there),
    TEST(test_what_was_written_is_read),
    TEST(test_two_programmes),
    TEST(test_every_column),
    TEST(test_stale_version),
    TEST(test_lots_overflow),
    TEST(test_rolling_counters),
    TEST(test_origin_and_returned),
    TEST(test_receipt_of_one_owner),
    TEST(test_pool_with_cards),
    TEST(test_directory),
    TEST(test_claim_once),
    TEST(test_refusal_writes_nothing),
    TEST(test_failure_writes_nothing),
    TEST(test_reads_cannot_write),
    TEST(test_batch_is_in_order),
    TEST(test_repeat_in_one_batch),
    TEST(test_refusal_leaves_the_batch_alone),
    TEST(test_failure_runs_the_batch_alone),
    TEST(test_low_priority),
    TEST(test_full_queue_is_busy),
    TEST(test_reader_sees_committed_only),
    TEST(test_no_lost_update),
    TEST(test_close_drains),
    TEST(test_list_owners),
    TEST(test_list_due),
    TEST(test_list_movements),
    TEST(test_config_rows),
    TEST(test_text_keys),
    TEST(test_journals_only_grow),
    TEST(test_small_arena),
};

int
main(void)
{
    enum { count = KOP_COUNT(variants) * KOP_COUNT(suite) };
    static struct CMUnitTest tests[count];
    static char names[count][96];

    for (size_t i = 0; i < count; i++) {
        size_t variant = i / KOP_COUNT(suite), test = i % KOP_COUNT(suite);
        snprintf(names[i], sizeof names[i], "%s: %s", variants[variant].name, suite[test].name);
        tests[i] = (struct CMUnitTest){ .name = names[i],
                                        .test_func = suite[test].function,
                                        .setup_func = set_up,
                                        .teardown_func = tear_down,
                                        .initial_state = (void *)(uintptr_t)&variants[variant] };
    }
    return _cmocka_run_group_tests("store", tests, count, NULL, NULL);
}
