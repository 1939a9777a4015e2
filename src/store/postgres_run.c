/*
 * postgres_run.c - transactions and statements on a PostgreSQL connection, in pipelines.
 *
 * Owns:      what was sent and not read yet, what SQLSTATE means to us, binary parameters and rows.
 * Must not:  spell SQL of rows: schema.c does. Look at names of constraints or texts of errors.
 * Invariant: results are read in the order in which their statements went out. A commit is OK only
 *            when the server said COMMIT, and no warning with it; when the connection went away
 *            under it, or did not answer in time, it is UNKNOWN.
 * Cost:      a round trip for each run() that wants rows, and one for the commit, which takes all
 *            writes along. Each statement is prepared once per connection, on its first way out.
 * Tests:     tests/contract/test_postgres.c
 *
 * Writes wait in libpq's buffer: nothing comes back of them but failures, and those come with the
 * next rows or with the commit. There is one exception. ADVANCE writes nothing when the version has
 * moved on, and that is no failure to the server: so unless this transaction has locked the row and
 * seen its version, the result is waited for before COMMIT goes out.
 */
#include "store/postgres.h"

#include "store/batch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { oid_int8 = 20, oid_text = 25, oid_bytea = 17, name_bytes_small = 24 };

/* ---- what failures mean ---- */

static bool
state_is(const char *state, const char *prefix)
{
    return strncmp(state, prefix, strlen(prefix)) == 0;
}

/* The session is over, or of no use: another one must be made. */
static bool
is_loss(const char *state)
{
    static const char *const states[] = {
        "08",    "57P", "25P03", "53300", /* connection, shut down, idle too long, too many */
        "25006", "26",  "0A000",          /* a standby now; statements unknown; other columns */
    };
    for (size_t i = 0; i < KOP_COUNT(states); i++) {
        if (state_is(state, states[i]))
            return true;
    }
    return false;
}

static enum code
code_of(const char *state)
{
    static const struct {
        const char *state;
        enum code code;
    } codes[] = {
        { "40", CODE_AGAIN },      { "25P02", CODE_AGAIN },     { "55P03", CODE_AGAIN },
        { "23505", CODE_CONFLICT }, { "57014", CODE_BUSY },     { "22021", CODE_SYNTAX },
        { "22P05", CODE_SYNTAX },  { "XX001", CODE_CORRUPT },   { "XX002", CODE_CORRUPT },
        { "54", CODE_LIMIT },
    };
    for (size_t i = 0; i < KOP_COUNT(codes); i++) {
        if (state_is(state, codes[i].state))
            return codes[i].code;
    }
    return CODE_IO;
}

/* One line, at most. */
static int
first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

enum code
postgres_fail(struct postgres *postgres, const PGresult *result, const char *what, struct err *err)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *severity = result != NULL
                               ? PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED)
                               : NULL;

    if (text == NULL)
        text = postgres->conn != NULL ? PQerrorMessage(postgres->conn) : "no connection";
    snprintf(postgres->state, sizeof postgres->state, "%s", state != NULL ? state : "08006");
    bool ended = severity != NULL && (strcmp(severity, "FATAL") == 0 ||
                                      strcmp(severity, "PANIC") == 0);
    if (state == NULL || ended || is_loss(state) || PQstatus(postgres->conn) != CONNECTION_OK)
        postgres->lost = true;
    enum code code = postgres->lost ? CODE_AGAIN : code_of(postgres->state);
    return err_set(err, code, "%s: %.*s (%s)", what, first_line(text), text, postgres->state);
}

static enum code
lost(struct postgres *postgres, struct err *err)
{
    postgres->lost = true;
    return postgres_fail(postgres, NULL, "the connection to the database", err);
}

/* ---- sending ---- */

static void
note_sent(struct postgres *postgres, enum sent_kind kind)
{
    assert(postgres->sent_count < sent_max);
    postgres->sent[postgres->sent_count++] = (struct sent){ .kind = kind };
    postgres->unsynced = kind != SENT_SYNC;
}

static enum code
send_control(struct postgres *postgres, enum sent_kind kind, const char *sql, struct err *err)
{
    if (postgres->lost || !PQsendQueryParams(postgres->conn, sql, 0, NULL, NULL, NULL, NULL, 0))
        return lost(postgres, err);
    note_sent(postgres, kind);
    return OK;
}

static enum code
send_sync(struct postgres *postgres, struct err *err)
{
    if (postgres->lost || !PQpipelineSync(postgres->conn))
        return lost(postgres, err);
    note_sent(postgres, SENT_SYNC);
    return OK;
}

static void
statement_name(enum table table, enum verb verb, char name[name_bytes_small])
{
    snprintf(name, name_bytes_small, "k%u_%u", (unsigned)table, (unsigned)verb);
}

static enum code
send_prepare(struct postgres *postgres, enum table table, enum verb verb, struct err *err)
{
    static const Oid oids[] = { oid_int8, oid_text, oid_bytea };
    const struct statement *shape = &postgres->backend.schema->statement[table][verb];
    char name[name_bytes_small];
    Oid types[params_per_statement_max];

    assert(shape->sql != NULL);
    for (uint32_t i = 0; i < shape->param_count; i++)
        types[i] = oids[shape->param[i]];
    statement_name(table, verb, name);
    if (!PQsendPrepare(postgres->conn, name, shape->sql, (int)shape->param_count, types))
        return lost(postgres, err);
    note_sent(postgres, SENT_PREPARE);
    postgres->sent[postgres->sent_count - 1].table = table;
    postgres->sent[postgres->sent_count - 1].verb = verb;
    postgres->is_prepared[table][verb] = true;
    return OK;
}

static void
put_big_endian(int64_t number, char bytes[8])
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)number >> (56 - 8 * i));
}

/* Does this ADVANCE follow what was seen under the lock? Then it cannot miss its row. */
static void
note_version(struct postgres *postgres, const struct query *query)
{
    if (query->table != TABLE_owner || (query->verb != VERB_ADVANCE && query->verb != VERB_INSERT))
        return;
    int64_t owner = query->param[COL(owner, owner_id)].number;
    int64_t version = query->param[COL(owner, version)].number;
    bool sure = query->verb == VERB_INSERT ||
                (postgres->has_lock && postgres->lock_owner == owner &&
                 postgres->lock_version == version - 1);
    postgres->unsure = postgres->unsure || !sure;
    postgres->has_lock = sure;
    postgres->lock_owner = owner;
    postgres->lock_version = version;
}

static enum code
send_query(struct postgres *postgres, struct query *query, struct err *err)
{
    const struct statement *shape =
        &postgres->backend.schema->statement[query->table][query->verb];
    char number[params_per_statement_max][8], name[name_bytes_small];
    const char *value[params_per_statement_max];
    int length[params_per_statement_max], format[params_per_statement_max];
    enum code rc = postgres->lost ? lost(postgres, err) : OK;

    if (rc == OK && !postgres->is_prepared[query->table][query->verb])
        rc = send_prepare(postgres, query->table, query->verb, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < shape->param_count; i++) {
        struct text text = query->param[i].text;
        bool is_number = shape->param[i] == COLUMN_I64;
        if (is_number)
            put_big_endian(query->param[i].number, number[i]);
        value[i] = is_number ? number[i] : text.ptr != NULL ? text.ptr : "";
        length[i] = is_number ? 8 : (int)text.len;
        format[i] = 1;
    }
    statement_name(query->table, query->verb, name);
    if (!PQsendQueryPrepared(postgres->conn, name, (int)shape->param_count, value, length, format,
                             1))
        return lost(postgres, err);
    note_sent(postgres, SENT_QUERY);
    struct sent *sent = &postgres->sent[postgres->sent_count - 1];
    sent->table = query->table;
    sent->verb = query->verb;
    sent->query = shape->column_count > 0 ? query : NULL;
    query->row_count = 0;
    query->cell = NULL;
    note_version(postgres, query);
    return OK;
}

/* ---- many rows in one statement ---- */

enum { copy_params = copy_rows * columns_per_table_max, copy_sql_bytes = 8192 };

static enum code
send_prepare_many(struct postgres *postgres, enum table table, struct err *err)
{
    static const Oid oids[] = { oid_int8, oid_text, oid_bytea };
    const struct shape *shape = shape_of(table);
    uint32_t count = copy_rows * shape->column_count;
    char name[name_bytes_small], sql[copy_sql_bytes];
    Oid types[copy_params];
    struct buf buf;

    buf_init_fixed(&buf, sql, sizeof sql);
    schema_copy(DIALECT_POSTGRESQL, table, copy_rows, &buf);
    buf_add_char(&buf, '\0');
    assert(!buf.failed);
    for (uint32_t i = 0; i < count; i++)
        types[i] = oids[shape->column[i % shape->column_count].type];
    snprintf(name, sizeof name, "m%u", (unsigned)table);
    if (!PQsendPrepare(postgres->conn, name, sql, (int)count, types))
        return lost(postgres, err);
    note_sent(postgres, SENT_PREPARE);
    postgres->sent[postgres->sent_count - 1].table = table;
    postgres->sent[postgres->sent_count - 1].is_many = true;
    postgres->is_many_prepared[table] = true;
    return OK;
}

/* copy_rows queries of COPY, of one table. */
static enum code
send_many(struct postgres *postgres, const struct query *query, struct err *err)
{
    enum table table = query->table;
    const struct shape *shape = shape_of(table);
    char number[copy_params][8], name[name_bytes_small];
    const char *value[copy_params];
    int length[copy_params], format[copy_params];
    uint32_t count = copy_rows * shape->column_count;
    enum code rc = postgres->lost ? lost(postgres, err) : OK;

    if (rc == OK && !postgres->is_many_prepared[table])
        rc = send_prepare_many(postgres, table, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = &query[i / shape->column_count].param[i % shape->column_count];
        bool is_number = shape->column[i % shape->column_count].type == COLUMN_I64;
        if (is_number)
            put_big_endian(cell->number, number[i]);
        value[i] = is_number ? number[i] : cell->text.ptr != NULL ? cell->text.ptr : "";
        length[i] = is_number ? 8 : (int)cell->text.len;
        format[i] = 1;
    }
    snprintf(name, sizeof name, "m%u", (unsigned)table);
    if (!PQsendQueryPrepared(postgres->conn, name, (int)count, value, length, format, 1))
        return lost(postgres, err);
    note_sent(postgres, SENT_QUERY);
    struct sent *sent = &postgres->sent[postgres->sent_count - 1];
    sent->table = table;
    sent->verb = VERB_COPY;
    sent->is_many = true;
    return OK;
}

/* Do the next queries go out as one? */
static bool
is_many(const struct query *query, uint32_t count)
{
    if (count < copy_rows || query->verb != VERB_COPY)
        return false;
    for (uint32_t i = 1; i < copy_rows; i++) {
        if (query[i].verb != VERB_COPY || query[i].table != query->table)
            return false;
    }
    return true;
}

/* ---- reading ---- */

static enum code
take_cell(const PGresult *result, int row, int column, enum column_type type, struct arena *arena,
          struct cell *cell, struct err *err)
{
    const char *bytes = PQgetvalue(result, row, column);
    int size = PQgetlength(result, row, column);

    if (PQgetisnull(result, row, column) || (type == COLUMN_I64 && size != 8))
        return err_set(err, CODE_CORRUPT, "the column '%s' holds a value of another type",
                       PQfname(result, column));
    if (type == COLUMN_I64) {
        uint64_t number = 0;
        for (int i = 0; i < 8; i++)
            number = number << 8 | (unsigned char)bytes[i];
        cell->number = (int64_t)number;
        return OK;
    }
    if (size > 0)
        cell->text = text_copy(arena, (struct text){ bytes, (uint32_t)size });
    bool good = size == 0 || cell->text.ptr != NULL;
    return good ? OK : err_set(err, CODE_NO_MEMORY, "no memory for a row");
}

static enum code
take_rows(struct postgres *postgres, const PGresult *result, struct query *query,
          struct arena *arena, struct err *err)
{
    const struct statement *shape =
        &postgres->backend.schema->statement[query->table][query->verb];
    int rows = PQntuples(result), columns = PQnfields(result);
    enum code rc = OK;

    if (columns != (int)shape->column_count)
        return err_set(err, CODE_CORRUPT, "%s gives %d columns", shape->sql, columns);
    if (rows > 0)
        query->cell = arena_array(arena, struct cell, (size_t)rows * (size_t)columns);
    if (rows > 0 && query->cell == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for rows");
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i < columns && rc == OK; i++)
            rc = take_cell(result, row, i, shape->column[i], arena,
                           &query->cell[row * columns + i], err);
    }
    if (rc)
        return rc;
    query->row_count = (uint32_t)rows;
    if (query->table == TABLE_owner && query->verb == VERB_LOCK) {
        postgres->has_lock = rows > 0;
        if (rows > 0) {
            postgres->lock_owner = query->cell[COL(owner, owner_id)].number;
            postgres->lock_version = query->cell[COL(owner, version)].number;
        }
    }
    return OK;
}

/* The statement worked: what did it bring? */
static enum code
take_good(struct postgres *postgres, const struct sent *sent, PGresult *result,
          struct arena *arena, struct err *err)
{
    if (sent->kind == SENT_COMMIT && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        return err_set(err, CODE_AGAIN, "the database rolled back instead of committing");
    if (sent->kind == SENT_COMMIT && postgres->warned) {
        postgres->lost = true; /* the next connection waits for what this one did not */
        return err_set(err, CODE_AGAIN, "the commit is not on the standby yet");
    }
    if (sent->kind != SENT_QUERY || sent->ignored)
        return OK;
    if (sent->verb == VERB_ADVANCE && strcmp(PQcmdTuples(result), "1") != 0)
        return err_set(err, CODE_CONFLICT, "the version of the row moved on");
    if (sent->query == NULL)
        return OK;
    assert(arena != NULL);
    return take_rows(postgres, result, sent->query, arena, err);
}

/*
 * Wait for a result; false: it takes too long. A machine that stands still with its connections
 * open is not told from a busy one by anything else, and another one may serve already.
 */
static bool
await_result(const struct postgres *postgres)
{
    struct pollfd socket = { .fd = PQsocket(postgres->conn), .events = POLLIN };
    uint64_t until = 0;

    while (!postgres->patient && PQisBusy(postgres->conn)) {
        uint64_t now = steady_us();
        if (until == 0)
            until = now + (uint64_t)postgres->answer_ms * 1000;
        if (now >= until)
            return false;
        int ready = poll(&socket, 1, (int)((until - now) / 1000 + 1));
        if ((ready < 0 && errno != EINTR) || (ready > 0 && !PQconsumeInput(postgres->conn)))
            return true; /* PQgetResult() tells what happened */
    }
    return true;
}

static enum code
too_late(struct postgres *postgres, struct err *err)
{
    postgres->lost = true;
    snprintf(postgres->state, sizeof postgres->state, "08006");
    return err_set(err, CODE_AGAIN, "the database said nothing for %u ms", postgres->answer_ms);
}

/* The result of one thing that was sent. */
static enum code
take_result(struct postgres *postgres, const struct sent *sent, struct arena *arena,
            struct err *err)
{
    if (!await_result(postgres))
        return too_late(postgres, err);
    PGresult *result = PQgetResult(postgres->conn);
    enum code rc;

    switch (result != NULL ? PQresultStatus(result) : PGRES_FATAL_ERROR) {
    case PGRES_PIPELINE_SYNC:
        assert(sent->kind == SENT_SYNC);
        PQclear(result);
        return OK;
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        rc = take_good(postgres, sent, result, arena, err);
        break;
    case PGRES_PIPELINE_ABORTED: /* what failed came before it */
        rc = err_set(err, CODE_AGAIN, "a statement before it failed");
        break;
    default:
        rc = postgres_fail(postgres, result,
                           sent->kind == SENT_QUERY ? shape_of(sent->table)->name : "control", err);
        break;
    }
    if (sent->kind == SENT_PREPARE && rc != OK && sent->is_many)
        postgres->is_many_prepared[sent->table] = false;
    else if (sent->kind == SENT_PREPARE && rc != OK)
        postgres->is_prepared[sent->table][sent->verb] = false;
    PQclear(result);
    while (!postgres->lost && (result = PQgetResult(postgres->conn)) != NULL)
        PQclear(result);
    return rc;
}

/* Read everything that was sent; the first failure that anybody cares for. */
static enum code
drain(struct postgres *postgres, struct arena *arena, struct err *err)
{
    enum code code = OK;

    for (uint32_t i = 0; i < postgres->sent_count && !postgres->lost; i++) {
        const struct sent *sent = &postgres->sent[i];
        struct err failure = { .code = OK };
        enum code rc = take_result(postgres, sent, arena, &failure);
        if (rc == OK || code != OK || (sent->ignored && !postgres->lost))
            continue;
        code = rc;
        if (err != NULL)
            *err = failure;
    }
    postgres->sent_count = 0;
    return code;
}

static enum code
flush(struct postgres *postgres, struct arena *arena, struct err *err)
{
    enum code rc = postgres->unsynced ? send_sync(postgres, err) : OK;

    postgres->round_trips += postgres->sent_count > 0;
    if (rc == OK)
        rc = drain(postgres, arena, err);
    if (rc == OK)
        postgres->unsure = false;
    return rc;
}

/* ---- transactions ---- */

/* A connection that can be used; one that went away takes its transaction with it. */
static enum code
ensure(struct postgres *postgres, struct err *err)
{
    if (postgres->conn != NULL && !postgres->lost)
        return OK;
    if (postgres->in_transaction)
        return err_set(err, CODE_AGAIN, "the connection to the database was lost");
    return postgres_connect(postgres, err);
}

enum code
postgres_begin(struct backend *backend, enum access access, struct err *err)
{
    static const char *const sql[] = { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                                       "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE" };
    struct postgres *postgres = postgres_of(backend);

    assert(!postgres->in_transaction);
    enum code rc = ensure(postgres, err);
    if (rc == OK)
        rc = send_control(postgres, SENT_CONTROL, sql[access], err);
    postgres->in_transaction = rc == OK;
    postgres->has_lock = false;
    postgres->unsure = false;
    return rc;
}

enum code
postgres_commit(struct backend *backend, struct err *err)
{
    struct postgres *postgres = postgres_of(backend);

    assert(postgres->in_transaction);
    enum code rc = ensure(postgres, err);
    if (rc == OK && postgres->unsure)
        rc = flush(postgres, NULL, err);
    bool sent = false;
    if (rc == OK) {
        sent = true;
        postgres->warned = false;
        rc = send_control(postgres, SENT_COMMIT, "COMMIT", err);
    }
    if (rc == OK)
        rc = flush(postgres, NULL, err);
    if (rc != OK && sent && postgres->lost) {
        rc = CODE_UNKNOWN;
        if (err != NULL)
            err->code = rc;
    }
    if (rc != OK)
        postgres_rollback(backend);
    postgres->in_transaction = false;
    return rc;
}

/*
 * Not waited for: the next one who reads finds its result in front. What was sent and may fail is
 * closed off first, for a failure takes everything with it up to the next sync.
 */
void
postgres_rollback(struct backend *backend)
{
    struct postgres *postgres = postgres_of(backend);
    enum code rc = OK;

    if (!postgres->in_transaction)
        return;
    postgres->in_transaction = false;
    if (postgres->sent_count + 4 > sent_max)
        rc = flush(postgres, NULL, NULL);
    if (!postgres->lost && postgres->unsynced)
        rc = send_sync(postgres, NULL);
    if (!postgres->lost)
        rc = send_control(postgres, SENT_CONTROL, "ROLLBACK", NULL);
    if (!postgres->lost)
        rc = send_sync(postgres, NULL);
    (void)rc; /* a lost connection rolls back by itself */
    for (uint32_t i = 0; i < postgres->sent_count; i++) {
        postgres->sent[i].ignored = true;
        postgres->sent[i].query = NULL;
    }
}

enum code
postgres_run(struct backend *backend, struct query *query, uint32_t count, struct arena *arena,
             struct err *err)
{
    struct postgres *postgres = postgres_of(backend);
    bool rows = false;
    enum code rc = ensure(postgres, err);

    for (uint32_t i = 0, step; i < count && rc == OK; i += step) {
        step = is_many(&query[i], count - i) ? copy_rows : 1;
        if (postgres->sent_count + 4 > sent_max)
            rc = flush(postgres, arena, err);
        if (rc == OK)
            rc = step > 1 ? send_many(postgres, &query[i], err)
                          : send_query(postgres, &query[i], err);
        rows = rows || postgres->backend.schema->statement[query[i].table][query[i].verb]
                               .column_count > 0;
    }
    if (rc == OK && (rows || !postgres->in_transaction))
        rc = flush(postgres, arena, err);
    if (rc != OK) /* what is still under way must not be written into memory that is gone */
        for (uint32_t i = 0; i < postgres->sent_count; i++)
            postgres->sent[i].query = NULL;
    return rc;
}

enum code
postgres_ask(struct postgres *postgres, const char *sql, const char *param, PGresult **result,
             struct err *err)
{
    *result = NULL;
    enum code rc = ensure(postgres, err);
    if (rc == OK)
        rc = flush(postgres, NULL, err);
    if (rc)
        return rc;
    if (!PQsendQueryParams(postgres->conn, sql, param != NULL ? 1 : 0, NULL, &param, NULL, NULL,
                           0) ||
        !PQpipelineSync(postgres->conn))
        return lost(postgres, err);
    PGresult *first = PQgetResult(postgres->conn), *next;
    ExecStatusType status = first != NULL ? PQresultStatus(first) : PGRES_FATAL_ERROR;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        *result = first;
    else
        rc = postgres_fail(postgres, first, sql, err);
    if (rc)
        PQclear(first);
    /* The end of the statement, the sync. */
    for (int i = 0; i < 2 && !postgres->lost; i++) {
        next = PQgetResult(postgres->conn);
        PQclear(next);
    }
    return rc;
}
