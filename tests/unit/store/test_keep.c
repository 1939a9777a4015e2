/*
 * test_keep.c - copies while the store serves, and bulk loading.
 *
 * Owns:      sqlite_keep.c's copies, bulk.c.
 */
#include "contract/kit.h"

#include "core/rows.h"

#include <pthread.h>
#include <sqlite3.h>

struct scene {
    struct store *store;
    bool over;
    uint64_t written;
};

static void *
write_main(void *context)
{
    static char record[16000]; /* so that the copy takes several slices */
    struct scene *scene = context;
    for (uint64_t i = 1; !__atomic_load_n(&scene->over, __ATOMIC_RELAXED); i++) {
        struct job *job = earn_new(1 + i % 7, i, 1);
        job->record = (struct text){ record, sizeof record };
        enum code rc = job_do(scene->store, job);
        job_free(job);
        if (rc)
            break;
        __atomic_store_n(&scene->written, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Every owner's points, version and movements agree; their sum. */
static enum code
audit_body(struct tx *tx, struct job *job, struct err *err)
{
    struct owner *owner;
    uint32_t count;
    enum code rc = store_list_owners(tx, 0, 1000, job->op.arena, &owner, &count, err);
    for (uint32_t i = 0; i < count && rc == OK; i++) {
        struct movement *movement;
        uint32_t movements;
        rc = store_list_movements(tx, owner[i].owner_id, 0, 1000000, job->op.arena, &movement,
                                  &movements, err);
        if (rc)
            return rc;
        assert_int_equal(movements, owner[i].last_movement);
        assert_int_equal(owner[i].version, movements);
        assert_int_equal(*active_of(&owner[i]), movements);
        job->points += movements;
    }
    return rc;
}

static amount
audit(const char *path)
{
    struct store_options options = { .path = path, .inline_runner = true };
    struct store *store;
    struct err err = { .code = OK };

    if (store_open_sqlite(&options, &store, &err) != OK)
        fail_msg("%s", err.text);
    struct job *job = job_new(ACCESS_READ, audit_body);
    assert_int_equal(job_do(store, job), OK);
    amount points = job->points;
    job_free(job);
    store_close(store);
    return points;
}

static bool
is_sound(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    bool sound = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) ==
                     SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return sound;
}

static void
test_copy_while_serving(void **state)
{
    struct place place;
    struct scene scene = { .over = false };
    char copy[128];
    pthread_t thread;
    struct err err = { .code = OK };
    unix_ms until;
    (void)state;

    place_make(&place);
    snprintf(copy, sizeof copy, "%s.copy", place.path);
    /* A small cap, so that the log begins anew while the copy is being made. */
    struct store_options options = { .path = place.path, .create = true, .wal_cap_bytes = 1 << 20 };
    assert_int_equal(store_open_sqlite(&options, &scene.store, NULL), OK);
    pthread_create(&thread, NULL, write_main, &scene);
    while (__atomic_load_n(&scene.written, __ATOMIC_ACQUIRE) < 600)
        usleep(1000);
    uint64_t before = __atomic_load_n(&scene.written, __ATOMIC_ACQUIRE);
    if (store_backup(scene.store, copy, NULL, &until, &err) != OK)
        fail_msg("%s", err.text);
    /* Never over a file. */
    assert_int_equal(store_backup(scene.store, copy, NULL, &until, &err), CODE_CONFLICT);
    __atomic_store_n(&scene.over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    uint64_t after = scene.written;
    store_close(scene.store);
    assert_true(is_sound(copy));
    amount points = audit(copy);
    assert_true(points >= (amount)before);
    assert_true(points <= (amount)after);
    assert_int_equal(audit(place.path), after);
    place_drop(&place);
}

static void
test_copy_that_cannot_be(void **state)
{
    struct place place;
    struct store *store;
    struct err err = { .code = OK };
    unix_ms until;
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true, .inline_runner = true };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    assert_int_equal(store_backup(store, "/nowhere/at/all", NULL, &until, &err), CODE_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    store_close(store);
    assert_int_equal(store_open_memory(&options, &store, NULL), OK);
    assert_int_equal(store_backup(store, "/tmp/x", NULL, &until, &err), CODE_USAGE);
    store_close(store);
    place_drop(&place);
}

static bool
not_on(void *context, uint64_t done, uint64_t total)
{
    uint64_t *calls = context;

    assert_true(done < total);
    ++*calls;
    return false;
}

static void
test_copy_given_up(void **state)
{
    struct place place;
    struct scene scene = { .over = false };
    char copy[128], part[160];
    pthread_t thread;
    uint64_t calls = 0;
    struct copy_watch watch = { not_on, &calls };
    struct err err = { .code = OK };
    unix_ms until;
    (void)state;

    place_make(&place);
    snprintf(copy, sizeof copy, "%s.copy", place.path);
    snprintf(part, sizeof part, "%s.part", copy);
    struct store_options options = { .path = place.path, .create = true };
    assert_int_equal(store_open_sqlite(&options, &scene.store, NULL), OK);
    pthread_create(&thread, NULL, write_main, &scene);
    while (calls == 0) { /* until the book is more than one slice */
        enum code rc = store_backup(scene.store, copy, &watch, &until, &err);
        assert_true(rc == OK || rc == CODE_BUSY);
        assert_int_equal(rc == CODE_BUSY, calls == 1);
        assert_int_equal(access(copy, F_OK) == 0, rc == OK);
        assert_int_not_equal(access(part, F_OK), 0);
        unlink(copy);
    }
    __atomic_store_n(&scene.over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    store_close(scene.store);
    place_drop(&place);
}

/* ---- bulk loading ---- */

/* Rows of owners `from` and after it; memory must last until they are put. */
struct owner_rows {
    _Alignas(16) char memory[64 * 1024];
    struct row row[100];
};

static void
make_owners(struct owner_rows *rows, uint64_t from, uint32_t count)
{
    static const char head[32];
    struct arena arena;

    arena_init_fixed(&arena, rows->memory, sizeof rows->memory);
    for (uint32_t i = 0; i < count; i++) {
        struct owner owner = { .owner_id = from + i };
        struct buf buf;
        buf_init(&buf, &arena, 64);
        owner_encode(&owner, &buf);
        rows->row[i] = (struct row){ .cell = { { .number = (int64_t)owner.owner_id },
                                               { .number = 1 },
                                               { .number = 1 },
                                               { .number = 0 },
                                               { .number = 0 },
                                               { .number = TIME_NONE },
                                               { .text = { head, sizeof head } },
                                               { .text = buf_text(&buf) } } };
    }
    assert_false(arena.failed);
}

static enum code
put_owner(struct bulk *bulk, uint64_t owner_id, struct err *err)
{
    struct owner_rows rows;

    make_owners(&rows, owner_id, 1);
    return store_bulk_put(bulk, TABLE_owner, rows.row, err);
}

static enum code
put_owners(struct bulk *bulk, uint64_t from, uint32_t count, struct err *err)
{
    struct owner_rows rows;

    make_owners(&rows, from, count);
    return store_bulk_put_many(bulk, TABLE_owner, rows.row, count, err);
}

static enum code
count_body(struct tx *tx, struct job *job, struct err *err)
{
    struct owner *owner;
    uint32_t count;
    enum code rc = store_list_owners(tx, 0, 100000, job->op.arena, &owner, &count, err);
    job->points = count;
    return rc;
}

static void
expect_owners(struct store *store, amount count)
{
    struct job *job = job_new(ACCESS_READ, count_body);
    assert_int_equal(job_do(store, job), OK);
    assert_int_equal(job->points, count);
    job_free(job);
}

static void
test_bulk(void **state)
{
    struct place place;
    struct store *store;
    struct bulk *bulk;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true, .inline_runner = true };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(i == 0 ? store_open_sqlite(&options, &store, NULL)
                                : store_open_memory(&options, &store, NULL),
                         OK);
        assert_int_equal(store_bulk_begin(store, &bulk, &err), OK);
        for (uint64_t owner = 1; owner <= 1000; owner++)
            assert_int_equal(put_owner(bulk, owner, &err), OK);
        for (uint64_t owner = 1001; owner <= 3000; owner += 40) { /* no multiple of sixteen */
            assert_int_equal(put_owners(bulk, owner, 40, &err), OK);
            assert_int_equal(put_owners(bulk, owner, 0, &err), OK);
        }
        assert_int_equal(store_bulk_end(bulk, &err), OK);
        expect_owners(store, 3000);
        assert_int_equal(earn(store, 9999, 1, 1), OK); /* it is an ordinary store again */
        store_close(store);
    }
    assert_true(is_sound(place.path));
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    expect_owners(store, 3001);
    assert_int_equal(store_bulk_begin(store, &bulk, &err), CODE_CONFLICT); /* not empty any more */
    store_close(store);
    options.inline_runner = false;
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    assert_int_equal(store_bulk_begin(store, &bulk, &err), CODE_USAGE); /* others may be at work */
    store_close(store);
    place_drop(&place);
}

static void
test_bulk_cut_short(void **state)
{
    struct place place;
    struct store *store;
    struct bulk *bulk;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true, .inline_runner = true };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    assert_int_equal(store_bulk_begin(store, &bulk, &err), OK);
    assert_int_equal(put_owner(bulk, 1, &err), OK);
    assert_int_equal(put_owner(bulk, 1, &err), CODE_CONFLICT); /* the same key twice */
    assert_int_equal(put_owner(bulk, 2, &err), CODE_CONFLICT); /* nothing goes after a failure */
    assert_int_equal(store_bulk_end(bulk, &err), CODE_CONFLICT);
    store_close(store);
    assert_int_equal(store_open_sqlite(&options, &store, &err), CODE_CORRUPT);
    assert_non_null(strstr(err.text, "import again"));
    place_drop(&place);
}

/* A key that was there is found among sixteen rows as well, and giving up leaves the mark. */
static void
test_bulk_given_up(void **state)
{
    struct place place;
    struct store *store;
    struct bulk *bulk;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true, .inline_runner = true };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    assert_int_equal(store_bulk_begin(store, &bulk, &err), OK);
    assert_int_equal(put_owners(bulk, 1, 50, &err), OK);
    assert_int_equal(put_owners(bulk, 50, 40, &err), CODE_CONFLICT);
    assert_int_equal(put_owners(bulk, 100, 40, &err), CODE_CONFLICT); /* nothing goes after it */
    store_bulk_abort(bulk);
    store_close(store);
    assert_int_equal(store_open_sqlite(&options, &store, &err), CODE_CORRUPT);
    assert_non_null(strstr(err.text, "cut short"));
    place_drop(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_while_serving),
        cmocka_unit_test(test_copy_that_cannot_be),
        cmocka_unit_test(test_copy_given_up),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_bulk_cut_short),
        cmocka_unit_test(test_bulk_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
