/*
 * test_move.c - a book moved between stores in memory and in files, row by row the same.
 *
 * Owns:      what goes wrong on the way: ids older than their receipts, a second mover, a target
 *            that is not what it should be. What PostgreSQL adds is in tests/stories/migrate.
 */
#include "contract/kit.h"
#include "jobs/move.h"

enum { owners = 260, page = 100 }; /* more owners than one group has */

struct world {
    struct place place[3];
    struct store *store[3];
    bool is_file[3];
};

static void
open_end(struct world *world, int which)
{
    struct store_options options = {
        .path = world->place[which].path, .create = true, .inline_runner = true, .moving = true
    };
    struct err err = { .code = OK };
    enum code rc = world->is_file[which] ? store_open_sqlite(&options, &world->store[which], &err)
                                         : store_open_memory(&options, &world->store[which], &err);

    if (rc)
        fail_msg("%s", err.text);
}

static void
world_open(struct world *world, bool first, bool second, bool third)
{
    *world = (struct world){ .is_file = { first, second, third } };
    for (int i = 0; i < 3; i++) {
        struct place place;
        place_make(&place);
        world->place[i] = place;
        open_end(world, i);
    }
}

static void
world_close(struct world *world)
{
    for (int i = 0; i < 3; i++) {
        store_close(world->store[i]);
        place_drop(&world->place[i]);
    }
}

/* ---- a book of everything ---- */

static void
put_more(struct job *job, struct changes *changes)
{
    static struct lot lot = { .lot_no = 3, .currency = 1, .size = 9, .left = 9, .rule = -1 };
    static struct counter_state counter = { 2, true, 5, 5 };
    static struct member_row member;

    member = (struct member_row){ .owner_id = job->owner_id, .member_id = job->owner_id };
    changes->lot_put = &lot;
    changes->lot_put_count = 1;
    changes->counter_put = &counter;
    changes->counter_put_count = 1;
    changes->member_put = &member;
    changes->member_put_count = 1;
    changes->returned_of = job->op_id;
    changes->returned = TEXT("pieces");
}

static void
drop_more(struct job *job, struct changes *changes)
{
    static uint32_t lot = 3;
    static struct counter_state counter = { 2, true, 5, 0 };

    (void)job;
    changes->lot_drop = &lot;
    changes->lot_drop_count = 1;
    changes->counter_put = &counter;
    changes->counter_put_count = 1;
}

static void
sell(struct world *world, uint64_t owner_id, uint64_t op_id,
     void (*more)(struct job *job, struct changes *changes))
{
    struct job *job = earn_new(owner_id, op_id, 1);

    job_claim(job, "");
    snprintf(job->claim, sizeof job->claim, "receipt %llu", (unsigned long long)op_id);
    job->op.claim = text_of(job->claim);
    job->more = more;
    assert_int_equal(job_do(world->store[0], job), OK);
    job_free(job);
}

static enum code
config_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row tenant = { .cell = {
                              { .number = 1 }, { .text = TEXT("a") }, { .text = TEXT("") } } };
    struct row key = {
        .cell = { [0] = { .text = TEXT("key \x01 one") }, [2] = { .text = TEXT("hash\0zero") } }
    };

    struct row lease = { .cell = { { .text = TEXT("node:3") }, { .text = TEXT("1 0 99") } } };
    struct row place = { .cell = { { .text = TEXT("elsewhere") }, { .text = TEXT("1") } } };

    (void)job;
    enum code rc = store_put(tx, TABLE_tenant, &tenant, err);
    if (!rc)
        rc = store_put(tx, TABLE_meta, &lease, err);
    if (!rc)
        rc = store_put(tx, TABLE_meta, &place, err);
    return rc ? rc : store_put(tx, TABLE_api_key, &key, err);
}

/* What belongs to the book goes along, what belongs to its place does not. */
static enum code
meta_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row lease = { .cell[0].text = TEXT("node:3") }, row;
    struct row place = { .cell[0].text = TEXT("elsewhere") };
    bool found;

    enum code rc = store_get(tx, TABLE_meta, &lease, job->op.arena, &row, &found, err);
    if (rc)
        return rc;
    assert_true(found);
    assert_true(text_equal(row.cell[1].text, TEXT("1 0 99")));
    rc = store_get(tx, TABLE_meta, &place, job->op.arena, &row, &found, err);
    assert_false(found);
    return rc;
}

static enum code
person_body(struct tx *tx, struct job *job, struct err *err)
{
    enum code rc = OK;

    for (int64_t i = 1; i <= 5 && rc == OK; i++) {
        struct row person = { .cell = { { .number = i },
                                        { .number = 1 },
                                        { .text = TEXT("key") },
                                        { .text = TEXT("body") } } };
        if (i <= (int64_t)job->op_id)
            rc = store_put(tx, TABLE_person, &person, err);
        else
            rc = store_delete(tx, TABLE_person, &person, err);
    }
    return rc;
}

static void
do_body(struct store *store, enum code (*body)(struct tx *, struct job *, struct err *),
        uint64_t number)
{
    struct job *job = job_new(ACCESS_WRITE, body);

    job->op_id = number;
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
}

static void
fill(struct world *world)
{
    do_body(world->store[0], config_body, 0);
    do_body(world->store[0], person_body, 5);
    for (uint64_t i = 1; i <= owners; i++)
        sell(world, i, 1000 + i, i % 3 == 0 ? put_more : NULL);
}

/* ---- are they the same? ---- */

struct side {
    struct arena arena;
    struct row *row;
    uint32_t count;
};
struct look {
    enum table table;
    struct side *side;
};
static struct look looking;

static enum code
rows_body(struct tx *tx, struct job *job, struct err *err)
{
    (void)job;
    return store_list(tx, looking.table, NULL, 10000, &looking.side->arena, &looking.side->row,
                      &looking.side->count, err);
}

static void
read_side(struct store *store, enum table table, struct side *side)
{
    arena_init(&side->arena, host_source(), 1 << 16, 64 << 20);
    looking = (struct look){ table, side };
    struct job *job = job_new(ACCESS_READ, rows_body);
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
}

/* Stores of one kind, so that they list in one order. */
static void
assert_same(struct store *a, struct store *b)
{
    uint32_t full = 0;

    for (unsigned table = 0; table < table_count; table++) {
        struct table_facts facts;
        struct side side[2];
        store_table(a, (enum table)table, &facts);
        if (facts.is_local)
            continue;
        read_side(a, (enum table)table, &side[0]);
        read_side(b, (enum table)table, &side[1]);
        if (side[0].count != side[1].count)
            fail_msg("%s: %u and %u rows", facts.name, side[0].count, side[1].count);
        for (uint32_t i = 0; i < side[0].count; i++)
            if (!store_is_same(&facts, &side[0].row[i], &side[1].row[i]))
                fail_msg("%s: row %u differs", facts.name, i);
        full += side[0].count > 0;
        arena_release(&side[0].arena);
        arena_release(&side[1].arena);
    }
    assert_true(full >= 10);
}

static enum code
move(struct world *world, int from, int to, bool finish, struct move_result *result,
     struct err *err)
{
    struct move_options options = { .from = world->store[from],
                                    .to = world->store[to],
                                    .finish = finish };

    *err = (struct err){ .code = OK };
    return move_run(&options, result, err);
}

static void
must_move(struct world *world, int from, int to, bool finish, struct move_result *result)
{
    struct err err;

    if (move(world, from, to, finish, result, &err))
        fail_msg("%s", err.text);
}

/* ---- the tests ---- */

static void
test_every_way(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        struct world world;
        struct move_result result;
        world_open(&world, way & 1, way & 2, way & 1);
        fill(&world);
        must_move(&world, 0, 1, true, &result);
        assert_true(result.finished);
        assert_false(result.resumed);
        assert_int_equal(result.last_pass, 0);
        must_move(&world, 1, 2, true, &result);
        assert_same(world.store[0], world.store[2]);
        do_body(world.store[2], meta_body, 0);
        world_close(&world);
    }
}

/* Everything that can change changes between two calls; lots, counters and persons go. */
static void
test_changes_follow(void **state)
{
    (void)state;
    for (int file = 0; file < 2; file++) {
        struct world world;
        struct move_result result;
        world_open(&world, file, file, file);
        fill(&world);
        must_move(&world, 0, 1, false, &result);
        assert_false(result.finished);
        for (uint64_t i = 1; i <= owners; i++)
            if (i % 2 == 0)
                sell(&world, i, 100000 + i, i % 3 == 0 ? drop_more : put_more);
        sell(&world, owners + 1, 200000, put_more);
        do_body(world.store[0], person_body, 2);
        must_move(&world, 0, 1, true, &result);
        assert_true(result.resumed);
        assert_true(result.finished);
        assert_same(world.store[0], world.store[1]);
        world_close(&world);
    }
}

/*
 * Ids of the test are years old, so a file's new records lie before the place where the catching up
 * begins: only the counts tell, and the last pass is made again from the first row.
 */
static void
test_a_wrong_guess_is_found(void **state)
{
    struct world world;
    struct move_result result;

    (void)state;
    world_open(&world, true, false, true);
    fill(&world);
    must_move(&world, 0, 1, false, &result);
    sell(&world, 3, 5, NULL);
    must_move(&world, 0, 1, true, &result);
    assert_true(result.finished);
    assert_true(result.last_pass > owners); /* everything was gone through */
    must_move(&world, 1, 2, true, &result);
    assert_same(world.store[0], world.store[2]);
    world_close(&world);
}

/* ---- a second mover ---- */

struct rival {
    struct world *world;
    uint32_t calls;
    bool done;
};

static void
start_rival(void *context, const struct move_progress *progress)
{
    struct rival *rival = context;
    struct move_result result;

    (void)progress;
    if (rival->done || ++rival->calls < 50)
        return;
    rival->done = true;
    must_move(rival->world, 0, 1, false, &result);
    assert_true(result.resumed);
}

/* A whole move to the second store that `watch` looks at. */
static enum code
move_watched(struct rival *rival,
             void (*watch)(void *context, const struct move_progress *progress),
             struct move_result *result, struct err *err)
{
    struct move_options options = { .from = rival->world->store[0],
                                    .to = rival->world->store[1],
                                    .finish = true,
                                    .progress = watch,
                                    .context = rival };

    *err = (struct err){ .code = OK };
    return move_run(&options, result, err);
}

static void
test_a_second_mover_takes_over(void **state)
{
    struct world world;
    struct rival rival = { .world = &world };
    struct move_result result;
    struct err err = { .code = OK };

    (void)state;
    world_open(&world, true, true, true);
    fill(&world);
    assert_int_equal(move_watched(&rival, start_rival, &result, &err), CODE_CONFLICT);
    assert_non_null(strstr(err.text, "another `kopilka migrate`"));
    assert_non_null(strstr(err.text, "другой"));
    must_move(&world, 0, 1, true, &result);
    assert_same(world.store[0], world.store[1]);
    world_close(&world);
}

/* ---- a server that was forgotten ---- */

static void
sell_afterwards(void *context, const struct move_progress *progress)
{
    struct rival *rival = context;

    if (strcmp(progress->what, "look back") != 0 || rival->done)
        return;
    rival->done = true;
    sell(rival->world, 3, 900000, NULL);
}

static void
test_a_forgotten_server_is_told(void **state)
{
    struct world world;
    struct rival rival = { .world = &world };
    struct move_result result;
    struct err err = { .code = OK };

    (void)state;
    world_open(&world, true, true, true);
    fill(&world);
    assert_int_equal(move_watched(&rival, sell_afterwards, &result, &err), OK);
    assert_true(rival.done);
    assert_true(result.finished);
    assert_non_null(result.written_after);
    must_move(&world, 1, 2, true, &result);
    assert_null(result.written_after);
    world_close(&world);
}

/* ---- cut short in the last minute ---- */

static enum code
say_no(void *context, struct err *err)
{
    return err_set(err, CODE_CORRUPT, "the books differ, says '%s'", (const char *)context);
}

static void
test_books_that_differ_are_not_finished(void **state)
{
    struct world world;
    struct move_result result;
    struct err err = { .code = OK };

    (void)state;
    world_open(&world, true, true, true);
    fill(&world);
    struct move_options options = { .from = world.store[0],
                                    .to = world.store[1],
                                    .finish = true,
                                    .compare = say_no,
                                    .context = "the test" };
    assert_int_equal(move_run(&options, &result, &err), CODE_CORRUPT);
    assert_false(result.finished);
    store_close(world.store[1]);
    struct store_options open = { .path = world.place[1].path, .inline_runner = true };
    assert_int_equal(store_open_sqlite(&open, &world.store[1], &err), CODE_CONFLICT);
    open_end(&world, 1);
    must_move(&world, 0, 1, true, &result);
    store_close(world.store[1]);
    assert_int_equal(store_open_sqlite(&open, &world.store[1], &err), OK);
    world_close(&world);
}

/* ---- refusals ---- */

static enum code
mark_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { .cell = { { .text = TEXT(MOVE_MARK) }, { .text = TEXT("sqlite:/x") } } };

    (void)job;
    return store_put(tx, TABLE_meta, &row, err);
}

static enum code
garbage_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { .cell = { { .text = TEXT("move_at") }, { .text = TEXT("1 0 0 0 0 x9") } } };

    (void)job;
    return store_put(tx, TABLE_meta, &row, err);
}

static void
assert_refused(struct world *world, int from, int to, const char *english, const char *russian)
{
    struct move_result result;
    struct err err;

    assert_int_equal(move(world, from, to, true, &result, &err), CODE_CONFLICT);
    if (strstr(err.text, english) == NULL || strstr(err.text, russian) == NULL)
        fail_msg("%s", err.text);
}

static void
test_refusals(void **state)
{
    struct world world;
    struct move_result result;
    struct err err;

    (void)state;
    world_open(&world, true, true, false);
    fill(&world);
    assert_refused(&world, 0, 0, "the same book", "одна и та же");
    do_body(world.store[1], config_body, 0);
    assert_refused(&world, 0, 1, "not empty (it has rows in 'tenant')", "не пуст");
    do_body(world.store[2], mark_body, 0);
    assert_refused(&world, 0, 2, "from another source, sqlite:/x", "другого источника");
    assert_refused(&world, 2, 0, "half moved itself", "сам перенесён");
    world_close(&world);

    world_open(&world, true, true, false);
    fill(&world);
    must_move(&world, 0, 1, true, &result);
    assert_refused(&world, 0, 1, "nothing to do", "готовая книга");
    assert_int_equal(move(&world, 0, 2, false, &result, &err), OK);
    do_body(world.store[2], garbage_body, 0);
    assert_int_equal(move(&world, 0, 2, true, &result, &err), CODE_CORRUPT);
    world_close(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way),
        cmocka_unit_test(test_changes_follow),
        cmocka_unit_test(test_a_wrong_guess_is_found),
        cmocka_unit_test(test_a_second_mover_takes_over),
        cmocka_unit_test(test_a_forgotten_server_is_told),
        cmocka_unit_test(test_books_that_differ_are_not_finished),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
