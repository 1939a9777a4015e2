/*
 * sqlite_keep.c - looking after a SQLite file: checkpoints, copies, bulk loading.
 *
 * Owns:      the size of the log, the copy in progress.
 * Must not:  choose when: the runner does.
 * Invariant: a copy has its final name only when it is whole and on the disk.
 * Tests:     tests/unit/store/test_gate.c, tests/unit/store/test_keep.c
 */
#include "store/sqlite.h"

#include "store/tx.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { backup_pages_per_step = 512 };

uint64_t
sqlite_log_bytes(struct backend *backend)
{
    struct sqlite *sqlite = sqlite_of(backend);
    return sqlite->log_pages * sqlite->page_bytes;
}

enum code
sqlite_checkpoint(struct backend *backend, enum checkpoint mode, struct err *err)
{
    static const int modes[] = { SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART,
                                 SQLITE_CHECKPOINT_TRUNCATE };
    struct sqlite *sqlite = sqlite_of(backend);

    int rc = sqlite3_wal_checkpoint_v2(sqlite->db, NULL, modes[mode], NULL, NULL);
    if (rc != SQLITE_OK)
        return sqlite_fail_hard(sqlite, rc, "checkpoint", err);
    if (mode != CHECKPOINT_SOME)
        sqlite->log_pages = 0;
    return OK;
}

/* ---- copies ---- */

struct backup {
    struct sqlite *from;
    sqlite3 *to;
    sqlite3_backup *copy;
    char *path, *part; /* the final name, and the name until it is whole */
};

static void
free_backup(struct backup *backup)
{
    if (backup->copy != NULL)
        sqlite3_backup_finish(backup->copy);
    sqlite3_close(backup->to);
    free(backup->path);
    free(backup->part);
    free(backup);
}

static enum code
start_copy(struct backup *backup, struct err *err)
{
    if (access(backup->path, F_OK) == 0)
        return err_set(err, CODE_CONFLICT, "the file is there already");
    int file = open(backup->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return err_set(err, CODE_IO, "%s", strerror(errno));
    close(file);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(backup->part, &backup->to, flags, NULL);
    if (rc != SQLITE_OK)
        return err_set(err, CODE_IO, "%s", sqlite3_errstr(rc));
    /* One sync at the end is enough: until then the copy does not count. */
    (void)sqlite3_exec(backup->to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL,
                       NULL, NULL);
    backup->copy = sqlite3_backup_init(backup->to, "main", backup->from->db, "main");
    if (backup->copy == NULL)
        return err_set(err, CODE_IO, "%s", sqlite3_errmsg(backup->to));
    return OK;
}

enum code
sqlite_backup_begin(struct backend *writer, const char *path, struct backup **out, struct err *err)
{
    struct backup *backup = calloc(1, sizeof *backup);

    if (backup != NULL) {
        size_t size = strlen(path) + sizeof ".part";
        backup->from = sqlite_of(writer);
        backup->path = strdup(path);
        backup->part = malloc(size);
        if (backup->part != NULL)
            snprintf(backup->part, size, "%s.part", path);
    }
    if (backup == NULL || backup->path == NULL || backup->part == NULL) {
        if (backup != NULL)
            free_backup(backup);
        return err_set(err, CODE_NO_MEMORY, "no memory to copy to '%s'", path);
    }
    enum code rc = start_copy(backup, err);
    if (rc) {
        free_backup(backup);
        return err_wrap(err, "cannot copy to '%s'", path);
    }
    *out = backup;
    return OK;
}

enum code
sqlite_backup_step(struct backup *backup, struct copied *copied, struct err *err)
{
    int rc = sqlite3_backup_step(backup->copy, backup_pages_per_step);
    uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup->copy);

    *copied = (struct copied){
        .done = total - (uint64_t)sqlite3_backup_remaining(backup->copy),
        .total = total,
        .is_whole = rc == SQLITE_DONE,
    };
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
        return OK;
    return err_set(err, CODE_IO, "cannot copy to '%s': %s", backup->path, sqlite3_errstr(rc));
}

/* The file, and then its name, on the disk. */
static enum code
sync_path(const char *path, int flags, struct err *err)
{
    int file = open(path, flags | O_CLOEXEC);
    enum code rc = OK;

    if (file < 0 || fsync(file) != 0)
        rc = err_set(err, CODE_IO, "cannot write '%s' to the disk: %s", path, strerror(errno));
    if (file >= 0)
        close(file);
    return rc;
}

static enum code
keep_copy(struct backup *backup, struct err *err)
{
    enum code rc = sync_path(backup->part, O_RDWR, err);
    if (rc)
        return rc;
    if (rename(backup->part, backup->path) != 0)
        return err_set(err, CODE_IO, "cannot name '%s': %s", backup->path, strerror(errno));
    return sync_path(dirname(backup->part), O_RDONLY | O_DIRECTORY, err);
}

enum code
sqlite_backup_end(struct backup *backup, struct err *err)
{
    int rc = sqlite3_backup_finish(backup->copy);

    backup->copy = NULL;
    if (rc == SQLITE_OK) {
        rc = sqlite3_close(backup->to);
        backup->to = NULL;
    }
    if (rc == SQLITE_OK)
        return OK;
    return err_set(err, CODE_IO, "cannot copy to '%s': %s", backup->path, sqlite3_errstr(rc));
}

enum code
sqlite_backup_keep(struct backup *backup, bool keep, struct err *err)
{
    enum code rc = keep ? keep_copy(backup, err) : OK;

    if (!keep || rc)
        unlink(backup->part);
    free_backup(backup);
    return rc;
}

/* ---- bulk loading ---- */

/* Is there no key yet? Cards may be there before any member is. */
static enum code
has_no_key(struct sqlite *sqlite, bool *empty, struct err *err)
{
    static const char sql[] = "SELECT 1 FROM directory LIMIT 1";
    sqlite3_stmt *statement = NULL;

    int rc = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    *empty = rc == SQLITE_DONE;
    sqlite3_finalize(statement);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? OK : sqlite_fail(sqlite, rc, sql, err);
}

/* Is there no owner yet, and no key? */
static enum code
is_empty(struct sqlite *sqlite, bool *empty, struct err *err)
{
    _Alignas(16) char memory[4096];
    struct arena arena;
    struct cell param[] = { { .number = 0 }, { .number = 1 } };
    struct query query;

    arena_init_fixed(&arena, memory, sizeof memory);
    enum code rc = backend_run_one(&sqlite->backend, TABLE_owner, VERB_DUE, param, &arena, &query,
                                   err);
    *empty = rc == OK && query.row_count == 0;
    return *empty ? has_no_key(sqlite, empty, err) : rc;
}

/* The row of meta that tells the next one to open the file that the load was cut short. */
static enum code
mark_bulk(struct sqlite *sqlite, bool begun, struct err *err)
{
    struct cell row[] = { { .text = TEXT("bulk_load") }, { .text = TEXT("unfinished") } };
    struct query query;

    return backend_run_one(&sqlite->backend, TABLE_meta, begun ? VERB_PUT : VERB_DELETE, row, NULL,
                           &query, err);
}

enum code
sqlite_bulk(struct backend *writer, bool begin, struct err *err)
{
    struct sqlite *sqlite = sqlite_of(writer);
    bool empty;

    if (!begin) {
        enum code rc = sync_path(sqlite->path, O_RDWR, err);
        if (rc == OK)
            rc = sqlite_execute(sqlite, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                                err);
        if (rc == OK)
            rc = mark_bulk(sqlite, false, err);
        return rc;
    }
    enum code rc = is_empty(sqlite, &empty, err);
    if (rc)
        return rc;
    if (!empty)
        return err_set(err, CODE_CONFLICT, "bulk loading is for an empty book");
    rc = mark_bulk(sqlite, true, err);
    if (rc == OK)
        rc = sqlite_checkpoint(writer, CHECKPOINT_SHORT, err);
    if (rc == OK)
        rc = sqlite_execute(sqlite, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
    return rc;
}
