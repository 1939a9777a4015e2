/*
 * sqlite_run.c - transactions and statements on a SQLite connection.
 *
 * Owns:      binding parameters, taking rows out, what SQLite's codes mean to us.
 * Must not:  spell SQL of rows: schema.c does.
 * Invariant: a statement is reset before its cells' memory can go away. A value of another type
 *            than schema.def says is corruption, not zero.
 * Cost:      each statement is prepared once per connection, when it is first used.
 * Tests:     tests/contract/test_store.c, tests/unit/store/test_disk.c
 */
#include "store/sqlite.h"

#include <string.h>

static enum code
code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return CODE_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return CODE_BUSY;
    case SQLITE_NOMEM:
        return CODE_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return CODE_CORRUPT;
    case SQLITE_TOOBIG:
        return CODE_LIMIT;
    default:
        return CODE_IO;
    }
}

enum code
sqlite_fail(struct sqlite *sqlite, int rc, const char *what, struct err *err)
{
    enum code code = rc == SQLITE_IOERR_NOMEM ? CODE_NO_MEMORY : code_of(rc);
    return err_set(err, code, "%s: %s", what,
                   sqlite->db != NULL ? sqlite3_errmsg(sqlite->db) : sqlite3_errstr(rc));
}

enum code
sqlite_fail_hard(struct sqlite *sqlite, int rc, const char *what, struct err *err)
{
    bool hard = (rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM;
    enum code code = sqlite_fail(sqlite, rc, what, err);

    if (!hard)
        return code;
    if (err != NULL)
        err->code = CODE_UNKNOWN;
    return CODE_UNKNOWN;
}

static enum code
control(struct sqlite *sqlite, enum control which, struct err *err)
{
    static const char *const sql[] = { "BEGIN DEFERRED", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK" };
    sqlite3_stmt **statement = &sqlite->control[which];
    int rc = SQLITE_OK;

    if (*statement == NULL)
        rc = sqlite3_prepare_v3(sqlite->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                                NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*statement);
        if (rc == SQLITE_DONE)
            rc = SQLITE_OK;
        else
            rc = sqlite3_extended_errcode(sqlite->db);
    }
    enum code code = OK;
    if (rc != SQLITE_OK)
        code = which == CONTROL_COMMIT ? sqlite_fail_hard(sqlite, rc, sql[which], err)
                                       : sqlite_fail(sqlite, rc, sql[which], err);
    if (*statement != NULL)
        sqlite3_reset(*statement);
    return code;
}

enum code
sqlite_begin(struct backend *backend, enum access access, struct err *err)
{
    return control(sqlite_of(backend), access == ACCESS_READ ? CONTROL_READ : CONTROL_WRITE, err);
}

enum code
sqlite_commit(struct backend *backend, struct err *err)
{
    enum code code = control(sqlite_of(backend), CONTROL_COMMIT, err);
    if (code != OK)
        sqlite_rollback(backend);
    return code;
}

void
sqlite_rollback(struct backend *backend)
{
    struct sqlite *sqlite = sqlite_of(backend);

    /* SQLite has rolled back by itself after some failures. A rollback that fails leaves the
     * transaction to the next one, whose BEGIN is then refused. */
    if (sqlite3_get_autocommit(sqlite->db) == 0)
        (void)control(sqlite, CONTROL_ROLLBACK, NULL);
}

static sqlite3_stmt *
prepare(struct sqlite *sqlite, const struct query *query, struct err *err)
{
    sqlite3_stmt **statement = &sqlite->prepared[query->table][query->verb];
    const char *sql = sqlite->backend.schema->statement[query->table][query->verb].sql;

    if (*statement != NULL)
        return *statement;
    assert(sql != NULL);
    int rc = sqlite3_prepare_v3(sqlite->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (rc != SQLITE_OK)
        (void)sqlite_fail(sqlite, rc, sql, err);
    return *statement;
}

/* Bind a statement's parameters, the first of them at `first`. */
static int
bind(sqlite3_stmt *statement, int first, const struct statement *shape, const struct cell *param)
{
    int rc = SQLITE_OK;

    for (uint32_t i = 0; i < shape->param_count && rc == SQLITE_OK; i++) {
        struct text text = param[i].text;
        const char *ptr = text.ptr != NULL ? text.ptr : "";
        if (shape->param[i] == COLUMN_I64)
            rc = sqlite3_bind_int64(statement, first + (int)i, param[i].number);
        else if (shape->param[i] == COLUMN_TEXT)
            rc = sqlite3_bind_text(statement, first + (int)i, ptr, (int)text.len, SQLITE_STATIC);
        else
            rc = sqlite3_bind_blob(statement, first + (int)i, ptr, (int)text.len, SQLITE_STATIC);
    }
    return rc;
}

static enum code
take_cell(sqlite3_stmt *statement, int column, enum column_type type, struct arena *arena,
          struct cell *cell, struct err *err)
{
    static const int types[] = { SQLITE_INTEGER, SQLITE_TEXT, SQLITE_BLOB };

    if (sqlite3_column_type(statement, column) != types[type])
        return err_set(err, CODE_CORRUPT, "the column '%s' holds a value of another type",
                       sqlite3_column_name(statement, column));
    if (type == COLUMN_I64) {
        cell->number = sqlite3_column_int64(statement, column);
        return OK;
    }
    const void *bytes = type == COLUMN_TEXT ? (const void *)sqlite3_column_text(statement, column)
                                            : sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    if (size == 0)
        return OK;
    if (bytes != NULL)
        cell->text = text_copy(arena, (struct text){ bytes, (uint32_t)size });
    return cell->text.ptr != NULL ? OK : err_set(err, CODE_NO_MEMORY, "no memory for a row");
}

/* Room for one more row of `columns` cells. */
static struct cell *
add_row(struct query *query, uint32_t columns, uint32_t *cap, struct arena *arena)
{
    if (query->row_count == *cap) {
        bool single = query->verb == VERB_GET || query->verb == VERB_LOCK;
        uint32_t more = *cap > 0 ? *cap * 2 : single ? 1 : 8;
        struct cell *cell = arena_array(arena, struct cell, (size_t)more * columns);
        if (cell == NULL)
            return NULL;
        if (query->row_count > 0)
            memcpy(cell, query->cell, (size_t)query->row_count * columns * sizeof *cell);
        query->cell = cell;
        *cap = more;
    }
    return query->cell + (size_t)query->row_count++ * columns;
}

static enum code
take_rows(struct sqlite *sqlite, sqlite3_stmt *statement, const struct statement *shape,
          struct query *query, struct arena *arena, struct err *err)
{
    uint32_t cap = 0;
    int rc;

    query->row_count = 0;
    query->cell = NULL;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct cell *cell = add_row(query, shape->column_count, &cap, arena);
        if (cell == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for rows");
        for (uint32_t i = 0; i < shape->column_count; i++) {
            enum code code = take_cell(statement, (int)i, shape->column[i], arena, &cell[i], err);
            if (code)
                return code;
        }
    }
    if (rc != SQLITE_DONE)
        return sqlite_fail(sqlite, sqlite3_extended_errcode(sqlite->db), sqlite3_sql(statement),
                           err);
    if (query->verb == VERB_ADVANCE && sqlite3_changes(sqlite->db) != 1)
        return err_set(err, CODE_CONFLICT, "the version of the row moved on");
    return OK;
}

static enum code
run_one(struct sqlite *sqlite, struct query *query, struct arena *arena, struct err *err)
{
    const struct statement *shape = &sqlite->backend.schema->statement[query->table][query->verb];
    sqlite3_stmt *statement = prepare(sqlite, query, err);

    if (statement == NULL)
        return err != NULL ? err->code : CODE_IO;
    enum code code = OK;
    int rc = bind(statement, 1, shape, query->param);
    if (rc != SQLITE_OK)
        code = sqlite_fail(sqlite, rc, shape->sql, err);
    else
        code = take_rows(sqlite, statement, shape, query, arena, err);
    sqlite3_reset(statement);
    return code;
}

enum code
sqlite_run(struct backend *backend, struct query *query, uint32_t count, struct arena *arena,
           struct err *err)
{
    enum code code = OK;

    for (uint32_t i = 0; i < count && code == OK; i++) {
        code = run_one(sqlite_of(backend), &query[i], arena, err);
        if (code)
            return err_wrap(err, "%s of '%s'", verb_name(query[i].verb),
                            shape_of(query[i].table)->name);
    }
    return code;
}

/* The text of INSERT, said for one row, goes on with more rows of as many parameters. */
static enum code
prepare_many(struct sqlite *sqlite, enum table table, struct err *err)
{
    const struct statement *shape = &sqlite->backend.schema->statement[table][VERB_INSERT];
    char sql[4096];
    struct buf buf;

    assert(shape->sql != NULL);
    buf_init_fixed(&buf, sql, sizeof sql);
    buf_add_text(&buf, text_of(shape->sql));
    for (uint32_t row = 1; row < bulk_rows; row++) {
        buf_add_text(&buf, TEXT(", ("));
        for (uint32_t i = 0; i < shape->param_count; i++)
            buf_add_text(&buf, i > 0 ? TEXT(", ?") : TEXT("?"));
        buf_add_text(&buf, TEXT(")"));
    }
    assert(!buf.failed);
    int rc = sqlite3_prepare_v3(sqlite->db, sql, (int)buf.len, SQLITE_PREPARE_PERSISTENT,
                                &sqlite->many[table], NULL);
    return rc == SQLITE_OK ? OK : sqlite_fail(sqlite, rc, "insert many", err);
}

enum code
sqlite_insert_many(struct backend *backend, enum table table, const struct row *row,
                   struct err *err)
{
    struct sqlite *sqlite = sqlite_of(backend);
    const struct statement *shape = &backend->schema->statement[table][VERB_INSERT];
    int rc = SQLITE_OK;

    if (sqlite->many[table] == NULL) {
        enum code code = prepare_many(sqlite, table, err);
        if (code)
            return code;
    }
    sqlite3_stmt *statement = sqlite->many[table];
    for (uint32_t i = 0; i < bulk_rows && rc == SQLITE_OK; i++)
        rc = bind(statement, 1 + (int)(i * shape->param_count), shape, row[i].cell);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        rc = rc == SQLITE_DONE ? SQLITE_OK : sqlite3_extended_errcode(sqlite->db);
    }
    enum code code = OK;
    if (rc != SQLITE_OK)
        code = sqlite_fail(sqlite, rc, shape_of(table)->name, err);
    sqlite3_reset(statement);
    return code;
}
