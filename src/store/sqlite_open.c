/*
 * sqlite_open.c - opening a SQLite file as a book: connections, pragmas, DDL.
 *
 * Owns:      how the file is made and how each connection is set.
 * Must not:  touch a file that is some other program's database.
 * Invariant: every connection is synchronous=FULL in WAL mode without automatic checkpoints: what
 *            COMMIT acknowledged is on the disk, and only the runner moves the log into the file.
 * Tests:     tests/contract/test_store.c, tests/unit/store/test_migrate.c
 */
#include "store/sqlite.h"

#include "store/migrate.h"
#include "store/tx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    application_id = 0x4b504c4b, /* "KPLK" in the file's header */
    busy_ms = 5000,
    frame_header_bytes = 24,
    reader_cache_bytes = 8 << 20,
    writer_cache_bytes_default = 64 << 20,
};

enum code
sqlite_execute(struct sqlite *sqlite, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : sqlite_fail(sqlite, rc, sql, err);
}

static enum code
execute(struct backend *writer, const char *sql, struct err *err)
{
    return sqlite_execute(sqlite_of(writer), sql, err);
}

/* A number that a pragma tells. */
static enum code
ask(struct sqlite *sqlite, const char *sql, int64_t *value, struct err *err)
{
    sqlite3_stmt *statement = NULL;

    int rc = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return OK;
    }
    enum code code = sqlite_fail(sqlite, sqlite3_extended_errcode(sqlite->db), sql, err);
    sqlite3_finalize(statement);
    return code;
}

static enum code
describe(struct backend *writer, enum table table, struct buf *buf, struct err *err)
{
    static const char sql[] = "SELECT name, type, pk FROM pragma_table_info(?1)";
    struct sqlite *sqlite = sqlite_of(writer);
    char key[keys_per_table_max][64] = { "" };
    sqlite3_stmt *statement = NULL;

    int rc = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(statement, 1, shape_of(table)->name, -1, SQLITE_STATIC);
    bool any = false;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        int pk = sqlite3_column_int(statement, 2);
        buf_addf(buf, "%s %s, ", name, (const char *)sqlite3_column_text(statement, 1));
        if (pk > 0 && pk <= keys_per_table_max)
            snprintf(key[pk - 1], sizeof key[0], " %s", name);
        any = true;
        rc = SQLITE_OK;
    }
    if (rc == SQLITE_DONE && any) {
        buf_addf(buf, "key");
        for (size_t i = 0; i < keys_per_table_max; i++)
            buf_addf(buf, "%s", key[i]);
    }
    enum code code = rc == SQLITE_DONE ? OK : sqlite_fail(sqlite, rc, sql, err);
    sqlite3_finalize(statement);
    return code;
}

/* ---- a connection ---- */

static int
count_log(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite *sqlite = context;
    (void)db;
    (void)name;
    sqlite->log_pages = (uint64_t)pages;
    return SQLITE_OK;
}

static enum code
set_pragmas(struct sqlite *sqlite, struct err *err)
{
    char cache[64];
    uint64_t bytes = sqlite->role == ROLE_WRITER ? sqlite->cache_bytes : reader_cache_bytes;

    if (bytes == 0)
        bytes = writer_cache_bytes_default;
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%llu",
             (unsigned long long)(bytes / 1024 + 1));
    const char *const sql[] = {
        "PRAGMA page_size = 4096", /* before the file has a page */
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA wal_autocheckpoint = 0",
        "PRAGMA secure_delete = OFF", /* personal data are encrypted, their keys are what dies */
        "PRAGMA mmap_size = 0",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA trusted_schema = OFF",
        cache,
        sqlite->role == ROLE_READER ? "PRAGMA query_only = ON" : "PRAGMA query_only = OFF",
    };
    for (size_t i = 0; i < KOP_COUNT(sql); i++) {
        enum code rc = sqlite_execute(sqlite, sql[i], err);
        if (rc)
            return rc;
    }
    return OK;
}

static enum code
refuse_strangers(struct sqlite *sqlite, struct err *err)
{
    int64_t id = 0, tables = 0;

    enum code rc = ask(sqlite, "PRAGMA application_id", &id, err);
    if (rc == OK)
        rc = ask(sqlite, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == OK && tables > 0 && id != application_id)
        rc = err_set(err, CODE_USAGE, "the file is a database of another program");
    return rc;
}

static void
release(struct sqlite *sqlite)
{
    for (size_t i = 0; i < control_count; i++)
        sqlite3_finalize(sqlite->control[i]);
    for (size_t i = 0; i < table_count; i++) {
        for (size_t k = 0; k < verb_count; k++)
            sqlite3_finalize(sqlite->prepared[i][k]);
        sqlite3_finalize(sqlite->many[i]);
    }
    sqlite3_close(sqlite->db);
    free(sqlite->path);
    free(sqlite);
}

void
sqlite_close(struct backend *backend)
{
    release(sqlite_of(backend));
}

static enum code
connect_other(struct backend *writer, enum role role, struct backend **other, struct err *err)
{
    struct sqlite *from = sqlite_of(writer), *sqlite;

    enum code rc = sqlite_connect_as(from->path, role, from->cache_bytes, writer->schema, &sqlite,
                                     err);
    if (rc == OK)
        *other = &sqlite->backend;
    return rc;
}

static enum code
identify(struct backend *writer, struct buf *buf, struct err *err)
{
    char *path = realpath(sqlite_of(writer)->path, NULL);

    if (path == NULL)
        return err_set(err, CODE_IO, "cannot tell where '%s' is: %s", sqlite_of(writer)->path,
                       strerror(errno));
    buf_addf(buf, "sqlite:%s", path);
    free(path);
    return OK;
}

static const struct backend_type sqlite_type = {
    .name = "sqlite",
    .dialect = DIALECT_SQLITE,
    .has_log = true,
    .connect = connect_other,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .run = sqlite_run,
    .log_bytes = sqlite_log_bytes,
    .checkpoint = sqlite_checkpoint,
    .backup_begin = sqlite_backup_begin,
    .backup_step = sqlite_backup_step,
    .backup_end = sqlite_backup_end,
    .backup_keep = sqlite_backup_keep,
    .bulk = sqlite_bulk,
    .insert_many = sqlite_insert_many,
    .identify = identify,
    .execute = execute,
    .describe = describe,
};

static enum code
set_up(struct sqlite *sqlite, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int64_t size = 0;

    int rc = sqlite3_open_v2(sqlite->path, &sqlite->db, flags, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fail(sqlite, rc, "open", err);
    sqlite3_busy_timeout(sqlite->db, busy_ms);
    enum code code = OK;
    if (sqlite->role == ROLE_WRITER)
        code = refuse_strangers(sqlite, err);
    if (code == OK)
        code = set_pragmas(sqlite, err);
    if (code == OK)
        code = ask(sqlite, "PRAGMA page_size", &size, err);
    sqlite->page_bytes = (uint64_t)size + frame_header_bytes;
    if (code == OK && sqlite->role == ROLE_WRITER)
        sqlite3_wal_hook(sqlite->db, count_log, sqlite);
    return code;
}

enum code
sqlite_connect_as(const char *path, enum role role, uint64_t cache_bytes,
                  const struct schema *schema, struct sqlite **out, struct err *err)
{
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);

    if (sqlite != NULL)
        sqlite->path = strdup(path);
    if (sqlite == NULL || sqlite->path == NULL) {
        free(sqlite);
        return err_set(err, CODE_NO_MEMORY, "no memory to open the store '%s'", path);
    }
    sqlite->backend = (struct backend){ .type = &sqlite_type, .schema = schema };
    sqlite->role = role;
    sqlite->cache_bytes = cache_bytes;
    enum code rc = set_up(sqlite, err);
    if (rc) {
        release(sqlite);
        return err_wrap(err, "cannot open store '%s'", path);
    }
    *out = sqlite;
    return OK;
}

/* ---- the file ---- */

/* Make the file, for its owner's eyes only; the log takes its permissions over. */
static enum code
make_file(const char *path, bool create, struct err *err)
{
    if (access(path, F_OK) == 0)
        return OK;
    if (!create)
        return err_set(err, CODE_NOT_FOUND, "there is no store '%s'", path);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return err_set(err, CODE_IO, "cannot make store '%s': %s", path, strerror(errno));
    close(file);
    return OK;
}

/* A bulk load that was cut short leaves this row (sqlite_keep.c), and rows that nobody checked. */
static enum code
refuse_unfinished(struct sqlite *sqlite, struct err *err)
{
    _Alignas(16) char memory[1024];
    struct arena arena;
    struct cell key = { .text = TEXT("bulk_load") };
    struct query query;

    arena_init_fixed(&arena, memory, sizeof memory);
    enum code rc = backend_run_one(&sqlite->backend, TABLE_meta, VERB_GET, &key, &arena, &query,
                                   err);
    if (rc == OK && query.row_count > 0)
        rc = err_set(err, CODE_CORRUPT,
                     "an import into it was cut short: remove the file and import again");
    return rc;
}

/* Mark a new file as ours, bring the schema up, and begin with an empty log. */
static enum code
prepare_book(struct sqlite *sqlite, enum migrate_may may, struct err *err)
{
    char sql[64];
    uint32_t count;
    int64_t tables = 0;

    enum code rc = ask(sqlite, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == OK && tables == 0 && may == MIGRATE_ALL) {
        snprintf(sql, sizeof sql, "PRAGMA application_id = %d", application_id);
        rc = sqlite_execute(sqlite, sql, err);
    }
    if (rc)
        return rc;
    const struct migration *step = migrations(&count);
    rc = migrate(&sqlite->backend, step, count, may, err);
    if (rc == OK)
        rc = refuse_unfinished(sqlite, err);
    if (rc == OK)
        rc = sqlite_checkpoint(&sqlite->backend, CHECKPOINT_SHORT, err);
    /* Somebody else reads the file just now: the log is cut later. */
    return rc == CODE_BUSY ? OK : rc;
}

enum code
sqlite_open(const struct store_options *options, const struct schema *schema,
            struct backend **writer, struct err *err)
{
    struct sqlite *sqlite;

    /* Nobody asks for SQLite's count of memory; without it there is no lock around each malloc. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (options->path == NULL || options->path[0] == '\0')
        return err_set(err, CODE_USAGE, "a store on SQLite needs the path of its file");
    enum code rc = make_file(options->path, options->create, err);
    if (rc)
        return rc;
    rc = sqlite_connect_as(options->path, ROLE_WRITER, options->cache_bytes, schema, &sqlite, err);
    if (rc)
        return rc;
    rc = prepare_book(sqlite, migrate_may(options), err);
    if (rc) {
        release(sqlite);
        return err_wrap(err, "cannot open store '%s'", options->path);
    }
    *writer = &sqlite->backend;
    return OK;
}
