/*
 * test_migrate.c - making and opening a book's schema.
 *
 * Owns:      migrate.c with steps of its own, and the files that store_open_sqlite() must refuse.
 */
#include "contract/kit.h"
#include "store/migrate.h"
#include "store/runner.h"

#include <sqlite3.h>
#include <sys/stat.h>

static void
run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

static enum code
open_at(const char *path, bool create, struct err *err)
{
    struct store_options options = { .path = path, .create = create, .inline_runner = true };
    struct store *store;
    enum code rc = store_open_sqlite(&options, &store, err);
    if (rc == OK)
        store_close(store);
    return rc;
}

static void
test_create_and_open(void **state)
{
    struct place place;
    struct err err = { .code = OK };
    struct stat file;
    (void)state;

    place_make(&place);
    assert_int_equal(open_at(place.path, false, &err), CODE_NOT_FOUND);
    assert_int_not_equal(access(place.path, F_OK), 0); /* it was not made in passing */
    assert_int_equal(open_at(place.path, true, &err), OK);
    assert_int_equal(open_at(place.path, false, &err), OK);
    assert_int_equal(open_at(place.path, true, &err), OK);
    assert_int_equal(stat(place.path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600); /* for its owner's eyes only */
    place_drop(&place);
}

/* A creation that was cut short leaves an empty file. */
static void
test_empty_file(void **state)
{
    struct place place;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    FILE *file = fopen(place.path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(open_at(place.path, false, &err), CODE_NOT_FOUND);
    assert_int_equal(open_at(place.path, true, &err), OK);
    place_drop(&place);
}

static void
test_newer_is_refused(void **state)
{
    struct place place;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    assert_int_equal(open_at(place.path, true, &err), OK);
    run_sql(place.path, "UPDATE meta SET value = '9' WHERE name = 'schema_version'");
    for (int create = 0; create < 2; create++) {
        assert_int_equal(open_at(place.path, create != 0, &err), CODE_CONFLICT);
        assert_non_null(strstr(err.text, "schema 9"));
        assert_non_null(strstr(err.text, "newer version"));
        assert_non_null(strstr(err.text, "более новой версией"));
    }
    run_sql(place.path, "UPDATE meta SET value = 'nine' WHERE name = 'schema_version'");
    assert_int_equal(open_at(place.path, true, &err), CODE_CORRUPT);
    place_drop(&place);
}

static void
test_other_tables_are_refused(void **state)
{
    struct place place;
    struct err err = { .code = OK };
    (void)state;

    place_make(&place);
    assert_int_equal(open_at(place.path, true, &err), OK);
    run_sql(place.path, "ALTER TABLE owner ADD COLUMN extra TEXT");
    assert_int_equal(open_at(place.path, true, &err), CODE_CORRUPT);
    assert_non_null(strstr(err.text, "'owner'"));
    place_drop(&place);

    place_make(&place);
    assert_int_equal(open_at(place.path, true, &err), OK);
    run_sql(place.path, "DROP TABLE lot");
    assert_int_equal(open_at(place.path, true, &err), CODE_CORRUPT);
    place_drop(&place);
}

static void
test_strangers_are_left_alone(void **state)
{
    struct place place;
    struct err err = { .code = OK };
    char journal[128];
    (void)state;

    place_make(&place);
    run_sql(place.path, "CREATE TABLE bookmarks (id INTEGER)");
    assert_int_equal(open_at(place.path, true, &err), CODE_USAGE);
    assert_non_null(strstr(err.text, "another program"));
    run_sql(place.path, "DROP TABLE bookmarks"); /* nothing of ours was added */
    snprintf(journal, sizeof journal, "%s-wal", place.path);
    assert_int_not_equal(access(journal, F_OK), 0);
    place_drop(&place);

    place_make(&place);
    FILE *file = fopen(place.path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("not a database at all\n", file);
    fclose(file);
    assert_int_equal(open_at(place.path, true, &err), CODE_CORRUPT);
    place_drop(&place);
}

/* ---- steps of a later program ---- */

static enum code
add_column(struct backend *writer, struct err *err)
{
    return writer->type->execute(writer, "CREATE TABLE IF NOT EXISTS extra (a INTEGER) STRICT",
                                 err);
}

static enum code
break_off(struct backend *writer, struct err *err)
{
    enum code rc = add_column(writer, err);
    return rc ? rc : err_set(err, CODE_IO, "the power went");
}

static enum code
fill(struct backend *writer, struct err *err)
{
    return writer->type->execute(writer, "INSERT INTO extra VALUES (1)", err);
}

static enum code
refuse(struct backend *writer, struct err *err)
{
    (void)writer;
    return err_set(err, CODE_CORRUPT, "the check says no");
}

static enum code
migrate_at(const char *path, const struct migration *step, uint32_t count, enum migrate_may may,
           struct err *err)
{
    struct store_options options = { .path = path, .create = true };
    struct ground *ground;
    struct backend *writer;

    assert_int_equal(ground_new(DIALECT_SQLITE, &ground, NULL), OK);
    enum code rc = sqlite_open(&options, &ground->schema, &writer, err);
    assert_int_equal(rc, OK);
    rc = migrate(writer, step, count, may, err);
    writer->type->close(writer);
    ground_free(ground);
    return rc;
}

static int
count_at(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int count = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

static void
test_steps(void **state)
{
    static const char version[] = "SELECT value FROM meta WHERE name = 'schema_version'";
    static const char extra[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'";
    struct place place;
    struct err err = { .code = OK };
    uint32_t known;
    struct migration first = migrations(&known)[0];
    const struct migration bad[] = { first, { 2, "an extra table", break_off, NULL } };
    const struct migration unchecked[] = { first, { 2, "an extra table", add_column, refuse } };
    const struct migration good[] = { first,
                                      { 2, "an extra table", add_column, NULL },
                                      { 3, "a row in it", fill, NULL } };
    (void)state;

    assert_int_equal(known, 1);
    place_make(&place);
    /* an older book is not touched without being asked */
    assert_int_equal(migrate_at(place.path, good, 3, MIGRATE_NOTHING, &err), CODE_CONFLICT);
    assert_non_null(strstr(err.text, "kopilka upgrade"));
    /* a step that fails, and one whose check fails, leave it as it was */
    assert_int_equal(migrate_at(place.path, bad, 2, MIGRATE_OLDER, &err), CODE_IO);
    assert_non_null(strstr(err.text, "migration 2 (an extra table)"));
    assert_int_equal(migrate_at(place.path, unchecked, 2, MIGRATE_OLDER, &err), CODE_CORRUPT);
    assert_int_equal(count_at(place.path, extra), 0);
    assert_int_equal(count_at(place.path, version), 1);
    /* all steps, and each once */
    assert_int_equal(migrate_at(place.path, good, 3, MIGRATE_OLDER, &err), OK);
    assert_int_equal(count_at(place.path, extra), 1);
    assert_int_equal(count_at(place.path, version), 3);
    assert_int_equal(count_at(place.path, "SELECT count(*) FROM extra"), 1);
    /* and there is no way back */
    assert_int_equal(open_at(place.path, true, &err), CODE_CONFLICT);
    place_drop(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_open),
        cmocka_unit_test(test_empty_file),
        cmocka_unit_test(test_newer_is_refused),
        cmocka_unit_test(test_other_tables_are_refused),
        cmocka_unit_test(test_strangers_are_left_alone),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
