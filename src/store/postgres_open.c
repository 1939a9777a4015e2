/*
 * postgres_open.c - opening a PostgreSQL database as a book: connections, the schema, the role.
 *
 * Owns:      how a connection is made and set, DDL, the grants of the serving role.
 * Must not:  keep a password or a conninfo in a text for people.
 * Invariant: a serving connection never runs with synchronous_commit off or local. Where the role
 *            is there, it has it on: journals then cannot be changed even by mistake. What a
 *            writing connection sees when it begins is where a commit must be to be answered.
 * Cost:      a connection: four round trips, once.
 * Tests:     tests/contract/test_servers.c, tests/ha/
 *
 * Why a writing connection begins with a commit that changes nothing: where the database has a
 * synchronous standby, a COMMIT is answered when the standby has it. But a COMMIT whose answer
 * never came (the database was killed, or somebody ended the session that waited) can be seen in
 * the database before the standby has it: and a later loss of the primary would take it away.
 * Whoever looks up what became of it, or is asked for the same receipt again, must not answer from
 * that.
 * A commit of one's own waits for everything before it: when it is answered, all that this
 * connection will find is on the standby too.
 */
#include "store/postgres.h"

#include "store/migrate.h"
#include "store/tx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char role_default[] = "kopilka_server";

enum {
    migrate_tries_max = 8,
    server_version_min = 150000,
    answer_ms_default = 20 * 1000, /* longer than any lock is waited for, see settings */
};

static const struct backend_type postgres_type;

/* ---- a connection ---- */

/*
 * Said before the conninfo, which may say otherwise; and after it, so that it may not. Of several
 * hosts the one that may be written is wanted; one that went away without a word is missed after
 * 10 + 3 * 3 seconds at most.
 */
static PGconn *
dial(const char *conninfo)
{
    static const char *const name[] = {
        "connect_timeout",      "tcp_user_timeout", "keepalives_idle",
        "keepalives_interval",  "keepalives_count", "fallback_application_name",
        "target_session_attrs", "dbname",           "client_encoding",
        NULL,
    };
    const char *const value[] = { "3", "10000", "10", "3", "3", "kopilka", "read-write", conninfo,
                                  "UTF8", NULL };
    return PQconnectdbParams(name, value, 1);
}

/* A warning is remembered: one that comes with a COMMIT says that it is not where it should be. */
static void
take_notice(void *context, const PGresult *result)
{
    struct postgres *postgres = context;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    postgres->warned = postgres->warned || severity == NULL || strcmp(severity, "WARNING") == 0;
}

/*
 * A transaction whose client hangs must not hold an owner for ever, and who waits for it must not
 * look like a database that hangs. Who turned synchronous_commit off, or to local, for the whole
 * database did not mean money.
 */
static const char settings[] =
    "SELECT set_config('idle_in_transaction_session_timeout', '15s', false), "
    "set_config('lock_timeout', '10s', false), "
    "set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN "
    "('off', 'local') THEN 'on' ELSE current_setting('synchronous_commit') END, false), "
    "set_config('default_transaction_isolation', 'read committed', false)";

/* Leaves nothing but a record in the log of the database, so that its commit is waited for. */
static const char empty_commit[] = "SELECT pg_logical_emit_message(true, 'kopilka', '')";

/* One statement before the pipeline begins. */
static enum code
plain(struct postgres *postgres, const char *sql, struct err *err)
{
    PGresult *result = PQexec(postgres->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    enum code rc = OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        rc = postgres_fail(postgres, result, "setting up a connection", err);
    PQclear(result);
    return rc;
}

static enum code
take_role(struct postgres *postgres, struct err *err)
{
    char sql[role_bytes_max + 16];

    if (postgres->role[0] == '\0')
        return OK;
    snprintf(sql, sizeof sql, "SET ROLE %s", postgres->role);
    return plain(postgres, sql, err);
}

/* See the prologue. A warning says that the wait was cut short. */
static enum code
await_standby(struct postgres *postgres, struct err *err)
{
    postgres->warned = false;
    enum code rc = plain(postgres, empty_commit, err);
    if (rc == OK && postgres->warned)
        rc = err_set(err, CODE_AGAIN, "the wait for the standby was cut short");
    return rc;
}

enum code
postgres_connect(struct postgres *postgres, struct err *err)
{
    if (postgres->conn != NULL)
        PQfinish(postgres->conn);
    memset(postgres->is_prepared, 0, sizeof postgres->is_prepared);
    memset(postgres->is_many_prepared, 0, sizeof postgres->is_many_prepared);
    postgres->sent_count = 0;
    postgres->lost = postgres->unsynced = postgres->unsure = postgres->has_lock = false;
    postgres->warned = false;
    postgres->conn = dial(postgres->conninfo);
    if (postgres->conn == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for a connection");
    PQsetNoticeReceiver(postgres->conn, take_notice, postgres);
    enum code rc = OK;
    if (PQstatus(postgres->conn) != CONNECTION_OK) {
        const char *text = PQerrorMessage(postgres->conn);
        rc = err_set(err, CODE_BUSY, "the database does not answer: %.*s",
                     (int)strcspn(text, "\n"), text);
    } else if (PQserverVersion(postgres->conn) < server_version_min) {
        rc = err_set(err, CODE_USAGE, "the database is PostgreSQL %d, 15 is the least",
                     PQserverVersion(postgres->conn) / 10000);
    }
    if (rc == OK)
        rc = plain(postgres, settings, err);
    if (rc == OK && postgres->kind == ROLE_WRITER)
        rc = await_standby(postgres, err);
    if (rc == OK)
        rc = take_role(postgres, err);
    if (rc == OK && !PQenterPipelineMode(postgres->conn))
        rc = err_set(err, CODE_IO, "the connection knows no pipelines");
    if (rc != OK) {
        PQfinish(postgres->conn);
        postgres->conn = NULL;
    }
    if (rc == CODE_AGAIN) { /* it went away while it was being set up */
        rc = CODE_BUSY;
        if (err != NULL)
            err->code = rc;
    }
    return rc;
}

static void
close_postgres(struct backend *backend)
{
    struct postgres *postgres = postgres_of(backend);

    if (postgres->conn != NULL)
        PQfinish(postgres->conn);
    free(postgres->conninfo);
    free(postgres);
}

static enum code
new_postgres(const char *conninfo, enum role kind, const struct schema *schema,
             struct postgres **out, struct err *err)
{
    struct postgres *postgres = calloc(1, sizeof *postgres);

    if (postgres != NULL)
        postgres->conninfo = strdup(conninfo);
    if (postgres == NULL || postgres->conninfo == NULL) {
        free(postgres);
        return err_set(err, CODE_NO_MEMORY, "no memory for a connection");
    }
    postgres->backend = (struct backend){ .type = &postgres_type, .schema = schema };
    postgres->kind = kind;
    postgres->answer_ms = answer_ms_default;
    *out = postgres;
    return OK;
}

static enum code
name_role(struct postgres *postgres, const char *role, struct err *err)
{
    char *quoted = PQescapeIdentifier(postgres->conn, role, strlen(role));
    size_t size = quoted != NULL ? strlen(quoted) : 0;

    if (size > 0 && size < sizeof postgres->role)
        memcpy(postgres->role, quoted, size + 1);
    PQfreemem(quoted);
    return postgres->role[0] != '\0' ? OK : err_set(err, CODE_USAGE, "'%s' is no role", role);
}

static enum code
connect_other(struct backend *writer, enum role kind, struct backend **other, struct err *err)
{
    struct postgres *from = postgres_of(writer), *postgres;

    enum code rc = new_postgres(from->conninfo, kind, writer->schema, &postgres, err);
    if (rc)
        return rc;
    memcpy(postgres->role, from->role, sizeof postgres->role);
    postgres->answer_ms = from->answer_ms;
    rc = postgres_connect(postgres, err);
    if (rc) {
        close_postgres(&postgres->backend);
        return rc;
    }
    *other = &postgres->backend;
    return OK;
}

/* ---- the schema ---- */

static enum code
execute(struct backend *writer, const char *sql, struct err *err)
{
    PGresult *result;
    enum code rc = postgres_ask(postgres_of(writer), sql, NULL, &result, err);

    PQclear(result);
    return rc;
}

/* Columns in order, each with its place in the key (NULL: none) and whether its order is bytes'. */
static const char columns_sql[] =
    "SELECT a.attname, upper(format_type(a.atttypid, a.atttypmod)), "
    "array_position(i.indkey::int2[], a.attnum), "
    "a.attnotnull AND (a.attcollation = 0 OR c.collname = 'C') "
    "FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary "
    "LEFT JOIN pg_collation c ON c.oid = a.attcollation "
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped "
    "ORDER BY a.attnum";

static enum code
describe(struct backend *writer, enum table table, struct buf *buf, struct err *err)
{
    const char *key[keys_per_table_max] = { NULL };
    PGresult *result;

    enum code rc = postgres_ask(postgres_of(writer), columns_sql, shape_of(table)->name, &result,
                                err);
    if (rc)
        return rc;
    for (int i = 0; i < PQntuples(result); i++) {
        const char *place = PQgetvalue(result, i, 2);
        bool good = PQgetvalue(result, i, 3)[0] == 't';
        buf_addf(buf, "%s %s%s, ", PQgetvalue(result, i, 0), PQgetvalue(result, i, 1),
                 good ? "" : " (may be null, or is not in the order of its bytes)");
        if (place[0] >= '0' && place[0] < '0' + keys_per_table_max && place[1] == '\0')
            key[place[0] - '0'] = PQgetvalue(result, i, 0);
    }
    if (PQntuples(result) > 0) {
        buf_addf(buf, "key");
        for (size_t i = 0; i < keys_per_table_max && key[i] != NULL; i++)
            buf_addf(buf, " %s", key[i]);
    }
    PQclear(result);
    return OK;
}

/* ---- the role ---- */

/* One word of an answer is 't'. */
static enum code
is_so(struct postgres *postgres, const char *sql, const char *param, bool *so, struct err *err)
{
    PGresult *result;
    enum code rc = postgres_ask(postgres, sql, param, &result, err);

    *so = rc == OK && PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return rc;
}

/* Another server may be doing the same just now: the row of meta is the lock between them. */
static enum code
grant_all(struct postgres *postgres, struct err *err)
{
    _Alignas(16) char memory[1024];
    struct arena arena;
    struct cell key = { .text = TEXT("schema_version") };
    struct query query;

    arena_init_fixed(&arena, memory, sizeof memory);
    enum code rc = postgres_begin(&postgres->backend, ACCESS_WRITE, err);
    if (rc)
        return rc;
    rc = backend_run_one(&postgres->backend, TABLE_meta, VERB_LOCK, &key, &arena, &query, err);
    for (unsigned table = 0; table < table_count && rc == OK; table++) {
        char sql[256];
        struct buf buf;
        buf_init_fixed(&buf, sql, sizeof sql);
        schema_grant((enum table)table, text_of(postgres->role), &buf);
        buf_add_char(&buf, '\0');
        assert(!buf.failed);
        rc = execute(&postgres->backend, sql, err);
    }
    if (rc == OK)
        return postgres_commit(&postgres->backend, err);
    postgres_rollback(&postgres->backend);
    return rc;
}

/* Is this user in the role? No where there is no such role. */
static enum code
is_member_of(struct postgres *postgres, const char *role, bool *member, struct err *err)
{
    return is_so(postgres,
                 "SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = $1",
                 role, member, err);
}

/* Make the role where it is missing and this user may; `*there` tells whether it is, afterwards. */
static enum code
make_role(struct postgres *postgres, const char *role, bool *there, struct err *err)
{
    static const char exists[] = "SELECT count(*) = 1 FROM pg_roles WHERE rolname = $1";
    static const char may[] = "SELECT rolsuper OR rolcreaterole FROM pg_roles "
                              "WHERE rolname = current_user";
    char sql[2 * role_bytes_max];
    bool may_make = false, is_member = false;

    enum code rc = is_so(postgres, exists, role, there, err);
    if (rc == OK && !*there)
        rc = is_so(postgres, may, NULL, &may_make, err);
    if (rc || !may_make)
        return rc;
    struct err failure = { .code = OK };
    snprintf(sql, sizeof sql, "CREATE ROLE %s NOLOGIN", postgres->role);
    rc = execute(&postgres->backend, sql, &failure);
    bool raced = rc != OK && (strcmp(postgres->state, "42710") == 0 || /* another server made it */
                              strcmp(postgres->state, "23505") == 0);
    if (rc != OK && !raced) {
        if (err != NULL)
            *err = failure;
        return rc;
    }
    *there = true;
    rc = is_member_of(postgres, role, &is_member, err);
    if (rc || is_member)
        return rc;
    snprintf(sql, sizeof sql, "GRANT %s TO CURRENT_USER", postgres->role);
    return execute(&postgres->backend, sql, err);
}

/* May the role look into every table? It was given all its rights at once, or none. */
static enum code
role_can(struct postgres *postgres, const char *role, bool *can, struct err *err)
{
    enum code rc = OK;

    *can = true;
    for (unsigned table = 0; table < table_count && rc == OK && *can; table++) {
        char sql[256];
        snprintf(sql, sizeof sql,
                 "SELECT has_table_privilege(rolname, '%s', 'SELECT') FROM pg_roles "
                 "WHERE rolname = $1",
                 shape_of((enum table)table)->name);
        rc = is_so(postgres, sql, role, can, err);
    }
    return rc;
}

/*
 * Where the role is there (or can be made) and this user is in it, every connection takes it on.
 * Who may not make roles serves as he is: PostgreSQL's own rights hold then.
 */
static enum code
set_up_role(struct postgres *postgres, const struct store_options *options, struct err *err)
{
    const char *role = options->role != NULL ? options->role : role_default;
    bool there = false, can = false, is_member = false;

    enum code rc = name_role(postgres, role, err);
    if (rc == OK && (options->create || options->upgrade))
        rc = make_role(postgres, role, &there, err);
    if (rc == OK)
        rc = is_member_of(postgres, role, &is_member, err);
    if (rc == OK && is_member)
        rc = role_can(postgres, role, &can, err);
    if (rc == OK && there && is_member && !can) {
        rc = grant_all(postgres, err);
        can = rc == OK;
    }
    if (rc != OK)
        return err_wrap(err, "the role '%s'", role);
    if (is_member && can) {
        char sql[role_bytes_max + 16];
        snprintf(sql, sizeof sql, "SET ROLE %s", postgres->role);
        return execute(&postgres->backend, sql, err);
    }
    if (options->role != NULL)
        return err_set(err, CODE_USAGE, "the role '%s' is not there, or not for this user", role);
    postgres->role[0] = '\0';
    return OK;
}

/* ---- loading a whole book ---- */

/* One transaction as any other: what is cut short is not there. */
static enum code
bulk(struct backend *writer, bool begin, struct err *err)
{
    _Alignas(16) char memory[4096];
    struct arena arena;
    struct cell param[] = { { .number = 0 }, { .number = 1 } };
    struct query query;

    postgres_of(writer)->patient = begin;
    if (!begin)
        return OK;
    arena_init_fixed(&arena, memory, sizeof memory);
    enum code rc = backend_run_one(writer, TABLE_owner, VERB_DUE, param, &arena, &query, err);
    if (rc == OK && query.row_count > 0)
        rc = err_set(err, CODE_CONFLICT, "bulk loading is for an empty book");
    return rc;
}

/* ---- moving a book ---- */

/* The cluster, the database and the schema: however many names its host has. */
static enum code
identify(struct backend *writer, struct buf *buf, struct err *err)
{
    static const char sql[] =
        "SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = "
        "current_database()), current_schema() FROM pg_control_system()";
    PGresult *result;

    enum code rc = postgres_ask(postgres_of(writer), sql, NULL, &result, err);
    if (rc == OK)
        buf_addf(buf, "postgresql:%s/%s/%s", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                 PQgetvalue(result, 0, 2));
    PQclear(result);
    return rc;
}

/*
 * The one place that locks tables: a move's last minute, asked for by an operator. Whatever writes
 * a journal writes one of the others with it, and may not lock a journal itself (rule 17).
 */
static enum code
freeze(struct backend *writer, struct err *err)
{
    char sql[64 + table_count * 32];
    const char *comma = "";
    struct buf buf;

    buf_init_fixed(&buf, sql, sizeof sql);
    buf_addf(&buf, "LOCK TABLE ");
    for (unsigned table = 0; table < table_count; table++) {
        if (schema_only_grows((enum table)table))
            continue;
        buf_addf(&buf, "%s%s", comma, shape_of((enum table)table)->name);
        comma = ", ";
    }
    buf_addf(&buf, " IN SHARE MODE");
    buf_add_char(&buf, '\0');
    assert(!buf.failed);
    enum code rc = execute(writer, "SET LOCAL idle_in_transaction_session_timeout = 0", err);
    return rc ? rc : execute(writer, sql, err);
}

static const struct backend_type postgres_type = {
    .name = "postgresql",
    .dialect = DIALECT_POSTGRESQL,
    .concurrent = true,
    .connect = connect_other,
    .close = close_postgres,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .run = postgres_run,
    .bulk = bulk,
    .identify = identify,
    .freeze = freeze,
    .execute = execute,
    .describe = describe,
};

/* Of servers that start at once on an empty database one makes the tables; others look again. */
static enum code
bring_up(struct postgres *postgres, enum migrate_may may, struct err *err)
{
    uint32_t count;
    const struct migration *step = migrations(&count);
    enum code rc = OK;

    for (uint32_t i = 0; i < migrate_tries_max; i++) {
        struct err failure = { .code = OK };
        rc = migrate(&postgres->backend, step, count, may, &failure);
        if (rc != OK && err != NULL)
            *err = failure;
        bool raced = rc == CODE_AGAIN || rc == CODE_UNKNOWN ||
                     strcmp(postgres->state, "23505") == 0 ||
                     strcmp(postgres->state, "42P07") == 0 || strcmp(postgres->state, "XX000") == 0;
        if (rc == OK || !raced)
            break;
    }
    return rc;
}

enum code
postgres_open(const struct store_options *options, const struct schema *schema,
              struct backend **writer, struct err *err)
{
    struct postgres *postgres;

    if (options->conninfo == NULL || options->conninfo[0] == '\0')
        return err_set(err, CODE_USAGE, "a store on PostgreSQL needs a connection's URL");
    enum code rc = new_postgres(options->conninfo, ROLE_WRITER, schema, &postgres, err);
    if (rc)
        return rc;
    if (options->answer_ms > 0)
        postgres->answer_ms = options->answer_ms;
    rc = postgres_connect(postgres, err);
    if (rc == OK)
        rc = bring_up(postgres, migrate_may(options), err);
    if (rc == OK)
        rc = set_up_role(postgres, options, err);
    if (rc) {
        close_postgres(&postgres->backend);
        return err_wrap(err, "cannot open the store on PostgreSQL");
    }
    *writer = &postgres->backend;
    return OK;
}
