/*
 * test_schema_lint.c - schema.def keeps the rules that make the book distributable.
 *
 * Owns:      rules 1-7 and 17 of the rules of distribution, over the tables and over both DDLs;
 *            each rule is tried on a table that breaks it as well.
 */
#include "contract/kit.h"
#include "store/schema.h"

#include <ctype.h>
#include <sqlite3.h>

/* NULL, or what is wrong with the table. */
static const char *
lint_shape(const struct shape *shape)
{
    uint32_t key[keys_per_table_max], key_count = shape_key(shape, key);
    const struct column *first = &shape->column[0];

    if (key_count == 0)
        return "has no key, or one that names no column";
    if (shape->class < CLASS_OWNER || shape->class > CLASS_LOCAL)
        return "has no class";
    if (shape->column_count > columns_per_table_max)
        return "has too many columns";
    for (uint32_t i = 0; i < shape->column_count; i++) {
        if (shape->column[i].privacy < PRIVACY_NONE || shape->column[i].privacy > PRIVACY_SECRET)
            return "has a column without a privacy class";
        if (shape->column[i].privacy == PRIVACY_PERSONAL && shape->class != CLASS_PERSON)
            return "keeps personal data outside the person's row";
    }
    if (shape->layout == LAYOUT_APPENDED && shape->class != CLASS_OWNER)
        return "is appended without an owner";
    if (shape->layout == LAYOUT_APPENDED &&
        (key_count != 2 || shape->column[key[1]].type != COLUMN_I64))
        return "is appended without an operation as its second key";
    switch (shape->class) {
    case CLASS_OWNER:
        if (strcmp(first->name, "owner_id") != 0 || first->type != COLUMN_I64)
            return "does not begin with owner_id";
        return key[0] == 0 ? NULL : "does not have owner_id first in its key";
    case CLASS_PERSON:
        if (strcmp(first->name, "person_id") != 0 || first->type != COLUMN_I64)
            return "does not begin with person_id";
        return key[0] == 0 ? NULL : "does not have person_id first in its key";
    case CLASS_DIRECTORY:
        return key_count == 1 && shape->column[key[0]].type == COLUMN_BLOB
                   ? NULL
                   : "is a directory whose key is not one piece of bytes";
    default:
        return NULL;
    }
}

/* NULL, or the word of the DDL that is forbidden. */
static const char *
lint_ddl(const char *ddl)
{
    static const char *const words[] = {
        "autoincrement", "serial",     "sequence",     "generated", "identity", "default",
        "unique",        "references", "foreign",      "trigger",   "rule ",    "defer",
        "exclude",       "now(",       "current_time", "check",     "inherits", "random",
    };
    char lower[4096];
    size_t i = 0;

    for (; ddl[i] != '\0' && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)ddl[i]);
    lower[i] = '\0';
    for (i = 0; i < KOP_COUNT(words); i++) {
        if (strstr(lower, words[i]) != NULL)
            return words[i];
    }
    return NULL;
}

static const char *
ddl_of(enum dialect dialect, enum table table, char *memory, size_t size)
{
    struct buf buf;
    buf_init_fixed(&buf, memory, size);
    schema_ddl(dialect, table, &buf);
    buf_add_char(&buf, '\0');
    assert_false(buf.failed);
    return memory;
}

static void
test_every_table(void **state)
{
    (void)state;
    assert_true(table_count > 10);
    for (unsigned table = 0; table < table_count; table++) {
        const struct shape *shape = shape_of((enum table)table);
        const char *wrong = lint_shape(shape);
        if (wrong != NULL)
            fail_msg("the table '%s' %s", shape->name, wrong);
        for (unsigned other = 0; other < table; other++)
            assert_string_not_equal(shape->name, shape_of((enum table)other)->name);
    }
}

static void
test_every_ddl(void **state)
{
    char memory[4096];
    (void)state;
    for (unsigned i = 0; i < 2 * table_count; i++) {
        const char *ddl = ddl_of((enum dialect)(i % 2), (enum table)(i / 2), memory, sizeof memory);
        const char *word = lint_ddl(ddl);
        if (word != NULL)
            fail_msg("'%s' says '%s'", ddl, word);
        assert_non_null(strstr(ddl, "PRIMARY KEY"));
    }
}

/* An owner's rows lie together: no rowid but where one number is the key, or rows are appended. */
static void
test_layout(void **state)
{
    char memory[4096];
    (void)state;
    for (unsigned table = 0; table < table_count; table++) {
        const struct shape *shape = shape_of((enum table)table);
        uint32_t key[keys_per_table_max], count = shape_key(shape, key);
        bool number = count == 1 && shape->column[key[0]].type == COLUMN_I64;
        const char *ddl = ddl_of(DIALECT_SQLITE, (enum table)table, memory, sizeof memory);
        bool rowid = strstr(ddl, "WITHOUT ROWID") == NULL;
        assert_int_equal(rowid, number || shape->layout == LAYOUT_APPENDED);
        assert_non_null(strstr(ddl, "STRICT"));
    }
    ddl_of(DIALECT_SQLITE, TABLE_receipt, memory, sizeof memory);
    assert_non_null(strstr(memory, "op_id INTEGER PRIMARY KEY"));
    ddl_of(DIALECT_POSTGRESQL, TABLE_receipt, memory, sizeof memory);
    assert_non_null(strstr(memory, "PRIMARY KEY (owner_id, op_id)"));
    ddl_of(DIALECT_POSTGRESQL, TABLE_movement, memory, sizeof memory);
    assert_non_null(strstr(memory, "owner_id BIGINT NOT NULL"));
}

/* The server may only add to journals. */
static void
test_grants(void **state)
{
    (void)state;
    for (unsigned table = 0; table < table_count; table++) {
        char memory[256];
        struct buf buf;
        buf_init_fixed(&buf, memory, sizeof memory);
        schema_grant((enum table)table, TEXT("kopilka"), &buf);
        buf_add_char(&buf, '\0');
        assert_false(buf.failed);
        assert_non_null(strstr(memory, " TO kopilka"));
        bool journal = table == TABLE_movement || table == TABLE_receipt || table == TABLE_claim;
        bool changes = strstr(memory, "UPDATE") != NULL || strstr(memory, "DELETE") != NULL;
        if (journal && changes)
            fail_msg("%s", memory);
        if (table == TABLE_owner)
            assert_null(strstr(memory, "DELETE"));
    }
}

/* What SQLite made of it: tables and nothing else. */
static void
test_sqlite_has_tables_only(void **state)
{
    struct place place;
    struct store *store;
    sqlite3 *db;
    sqlite3_stmt *statement;
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true, .inline_runner = true };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    store_close(store);
    assert_int_equal(sqlite3_open(place.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT sum(type = 'table'), sum(type <> 'table') "
                                        "FROM sqlite_schema WHERE name NOT LIKE 'sqlite_auto%'",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), table_count);
    assert_int_equal(sqlite3_column_int(statement, 1), 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    place_drop(&place);
}

/* ---- the lint itself finds what it is for ---- */

#define COLUMNS(...)                                                                               \
    (const struct column[]){ __VA_ARGS__ }, KOP_COUNT(((const struct column[]){ __VA_ARGS__ }))
#define ID(name)                                                                                   \
    {                                                                                              \
        name, COLUMN_I64, PRIVACY_NONE                                                             \
    }
#define BYTES(name)                                                                                \
    {                                                                                              \
        name, COLUMN_BLOB, PRIVACY_NONE                                                            \
    }

static void
test_lint_finds(void **state)
{
    const struct {
        struct shape shape;
        const char *wrong;
    } bad[] = {
        { { "a", CLASS_OWNER, LAYOUT_CLUSTERED, COLUMNS(ID("owner_id")), "" }, "no key" },
        { { "a", CLASS_OWNER, LAYOUT_CLUSTERED, COLUMNS(ID("owner_id")), "owner" }, "no key" },
        { { "a", CLASS_OWNER, LAYOUT_CLUSTERED, COLUMNS(ID("no"), ID("owner_id")), "owner_id" },
          "begin with owner_id" },
        { { "a", CLASS_OWNER, LAYOUT_CLUSTERED, COLUMNS(BYTES("owner_id")), "owner_id" },
          "begin with owner_id" },
        { { "a", CLASS_OWNER, LAYOUT_CLUSTERED, COLUMNS(ID("owner_id"), ID("no")), "no, owner_id" },
          "first in its key" },
        { { "a", CLASS_PERSON, LAYOUT_CLUSTERED, COLUMNS(ID("person_id"), ID("no")), "no" },
          "person_id first" },
        { { "a", CLASS_DIRECTORY, LAYOUT_CLUSTERED, COLUMNS(ID("key")), "key" }, "directory" },
        { { "a", CLASS_CONFIG, LAYOUT_APPENDED, COLUMNS(ID("a"), ID("b")), "a, b" }, "an owner" },
        { { "a", CLASS_OWNER, LAYOUT_APPENDED, COLUMNS(ID("owner_id"), BYTES("op")),
            "owner_id, op" },
          "an operation" },
        { { "a", (enum table_class)9, LAYOUT_CLUSTERED, COLUMNS(ID("a")), "a" }, "no class" },
        { { "a", CLASS_CONFIG, LAYOUT_CLUSTERED,
            COLUMNS(ID("a"), { "name", COLUMN_TEXT, PRIVACY_PERSONAL }), "a" },
          "personal data" },
        { { "a", CLASS_CONFIG, LAYOUT_CLUSTERED, COLUMNS({ "a", COLUMN_I64, (enum privacy)7 }),
            "a" },
          "privacy class" },
    };
    (void)state;
    for (size_t i = 0; i < KOP_COUNT(bad); i++) {
        const char *wrong = lint_shape(&bad[i].shape);
        assert_non_null(wrong);
        if (strstr(wrong, bad[i].wrong) == NULL)
            fail_msg("%zu: '%s' instead of '%s'", i, wrong, bad[i].wrong);
    }
    assert_non_null(lint_ddl("CREATE TABLE a (id BIGSERIAL)"));
    assert_non_null(lint_ddl("CREATE TABLE a (id INTEGER PRIMARY KEY AutoIncrement)"));
    assert_non_null(lint_ddl("CREATE TABLE a (b TEXT UNIQUE)"));
    assert_non_null(lint_ddl("CREATE TABLE a (at TIMESTAMPTZ DEFAULT now())"));
    assert_null(lint_ddl("CREATE TABLE a (at BIGINT NOT NULL)"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table),
        cmocka_unit_test(test_every_ddl),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_grants),
        cmocka_unit_test(test_sqlite_has_tables_only),
        cmocka_unit_test(test_lint_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
