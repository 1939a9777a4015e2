/*
 * suite_book.c - what is written of an owner is read again, found and claimed once.
 *
 * Owns:      loading and writing, lots, counters, records, pools, routes, claims, bars.
 */
#include "contract/suite.h"

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

static enum code
one_movement_body(struct tx *tx, struct job *job, struct err *err)
{
    struct movement *movement;
    uint32_t count;

    enum code rc = store_list_movements(tx, 7, 0, 10, job->op.arena, &movement, &count, err);
    if (rc == OK)
        assert_int_equal(count, 1);
    return rc;
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
    job = job_new(ACCESS_READ, one_movement_body); /* nor is anything else of it there */
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
}

/* ---- lots, counters, records ---- */

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

static struct row
plain_key(const struct directory_row *row)
{
    return (struct row){ .cell = { { .text = { (const char *)row->key, directory_key_bytes } },
                                   { .number = (int64_t)row->owner_id },
                                   { .number = (int64_t)row->member_id },
                                   { .number = row->kind },
                                   { .number = row->state } } };
}

/* Keys can be put and dropped as plain rows; what waits for the end is seen at once. */
static enum code
drop_key_body(struct tx *tx, struct job *job, struct err *err)
{
    struct directory_row row = key_row("card", 5, 6, KEY_ACTIVE), found_row;
    struct row plain = plain_key(&row);
    bool found = true;

    enum code rc = job->points == 0 ? store_put(tx, TABLE_directory, &plain, err)
                                    : store_delete(tx, TABLE_directory, &plain, err);
    if (rc == OK)
        rc = store_find(tx, plain.cell[0].text, &found_row, &found, err);
    if (rc == OK)
        assert_int_equal(found, job->points == 0);
    return rc;
}

static void
test_keys_as_plain_rows(void **state)
{
    struct store *store = store_in(state);
    struct directory_row row = key_row("card", 0, 0, 0);
    for (int drop = 0; drop < 2; drop++) {
        struct job *job = job_new(ACCESS_WRITE, drop_key_body);
        job->points = drop;
        assert_int_equal(job_do(store, job), OK);
        job_free(job);
        job = job_new(ACCESS_READ, look_body);
        route_to(job, ROUTE_DIRECTORY, (struct text){ (char *)row.key, directory_key_bytes });
        assert_int_equal(job_do(store, job), OK);
        assert_int_equal(job->op.route[0].found, drop == 0);
        assert_int_equal(job->op.route[0].owner_id, drop == 0 ? 5 : 0);
        job_free(job);
    }
}

/* A person and an owner lie in different places: no transaction may need both. */
static enum code
person_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { .cell = { { .number = 5 } } };
    enum code rc = store_put(tx, TABLE_person, &row, err);
    return rc || job->points == 0 ? rc : earn_body(tx, job, err);
}

static void
test_person_apart_from_owner(void **state)
{
    struct store *store = store_in(state);
    for (amount points = 0; points < 2; points++) {
        struct job *job = job_new(ACCESS_WRITE, person_body);
        job->owner_id = 7;
        job->op_id = 9;
        job->points = points;
        assert_int_equal(job_do(store, job), points == 0 ? OK : CODE_USAGE);
        job_free(job);
    }
    assert_int_equal(points_of(store, 7), -1);
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
    /* on a concurrent database it may have come up to its first load */
    assert_true(job->runs <= (is_concurrent(state) ? 1 : 0));
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

/* ---- bars ---- */

static enum code
bar_body(struct tx *tx, struct job *job, struct err *err)
{
    return store_bar_member(tx, job->owner_id, err);
}

static enum code
bar(struct store *store, uint64_t owner_id)
{
    struct job *job = job_new(ACCESS_WRITE, bar_body);
    job->owner_id = owner_id;
    enum code rc = job_do(store, job);
    job_free(job);
    return rc;
}

static void
more_member(struct job *job, struct changes *changes)
{
    struct member_row *member = arena_new(job->op.arena, struct member_row);
    *member = (struct member_row){ .owner_id = job->owner_id,
                                   .member_id = job->owner_id,
                                   .person_id = job->owner_id,
                                   .enrolled_at = 9 };
    changes->member_put = member;
    changes->member_put_count = 1;
}

static enum code
enrol(struct store *store, uint64_t owner_id, uint64_t op_id)
{
    struct job *job = earn_new(owner_id, op_id, 5);
    job->more = more_member;
    enum code rc = job_do(store, job);
    job_free(job);
    return rc;
}

/* The only member of each owner: a bar or not. */
static enum code
bars_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row after = { 0 }, *rows;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_member, &after, 10, job->op.arena, &rows, &count, err);
    if (rc)
        return rc;
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].cell[0].number, 7);
    assert_true(row_is_bar(&rows[0]));
    assert_int_equal(rows[1].cell[0].number, 8);
    assert_int_equal(rows[1].cell[2].number, 8);
    assert_false(row_is_bar(&rows[1]));
    return OK;
}

/* Bar or member, whichever is first; either stays. */
static void
test_bar_or_member(void **state)
{
    struct store *store = store_in(state);
    assert_int_equal(bar(store, 7), OK);
    assert_int_equal(enrol(store, 7, 100), CODE_CONFLICT);
    assert_int_equal(points_of(store, 7), -1);
    assert_int_equal(bar(store, 7), CODE_CONFLICT);
    assert_int_equal(enrol(store, 8, 101), OK);
    assert_int_equal(bar(store, 8), CODE_CONFLICT);
    assert_int_equal(enrol(store, 8, 102), OK); /* an owner that is there may write its member */
    assert_int_equal(points_of(store, 8), 10);
    struct job *job = job_new(ACCESS_READ, bars_body);
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
}

const struct contract contracts_of_book[] = {
    { "test_nothing_there", test_nothing_there },
    { "test_what_was_written_is_read", test_what_was_written_is_read },
    { "test_two_programmes", test_two_programmes },
    { "test_every_column", test_every_column },
    { "test_stale_version", test_stale_version },
    { "test_lots_overflow", test_lots_overflow },
    { "test_rolling_counters", test_rolling_counters },
    { "test_origin_and_returned", test_origin_and_returned },
    { "test_receipt_of_one_owner", test_receipt_of_one_owner },
    { "test_pool_with_cards", test_pool_with_cards },
    { "test_directory", test_directory },
    { "test_keys_as_plain_rows", test_keys_as_plain_rows },
    { "test_person_apart_from_owner", test_person_apart_from_owner },
    { "test_claim_once", test_claim_once },
    { "test_refusal_writes_nothing", test_refusal_writes_nothing },
    { "test_failure_writes_nothing", test_failure_writes_nothing },
    { "test_reads_cannot_write", test_reads_cannot_write },
    { "test_bar_or_member", test_bar_or_member },
    { NULL, NULL },
};
