/*
 * sqlite.h - a connection to a SQLite file, shared by sqlite_open.c, sqlite_run.c and
 * sqlite_keep.c.
 *
 * Owns:      struct sqlite.
 * Must not:  be included outside these files.
 */
#ifndef KOP_STORE_SQLITE_H
#define KOP_STORE_SQLITE_H

#include "store/backend.h"

#include <sqlite3.h>

enum control { CONTROL_READ, CONTROL_WRITE, CONTROL_COMMIT, CONTROL_ROLLBACK, control_count };

struct sqlite {
    struct backend backend; /* first: a struct backend * is one of these */
    sqlite3 *db;
    enum role role;
    char *path;
    uint64_t cache_bytes;
    uint64_t log_pages;  /* as of the last commit of this connection */
    uint64_t page_bytes; /* of the log: a page and its frame's header */
    sqlite3_stmt *control[control_count];
    sqlite3_stmt *prepared[table_count][verb_count];
    sqlite3_stmt *many[table_count]; /* bulk_rows rows in one INSERT */
};

static inline struct sqlite *
sqlite_of(struct backend *backend)
{
    return (struct sqlite *)backend;
}

/* What the database says, as a code: `what` opens the sentence. */
enum code sqlite_fail(struct sqlite *sqlite, int rc, const char *what, struct err *err);
/* The same of a commit or checkpoint: a failing disk gives CODE_UNKNOWN. */
enum code sqlite_fail_hard(struct sqlite *sqlite, int rc, const char *what, struct err *err);

/* Run SQL that gives no rows of interest. */
enum code sqlite_execute(struct sqlite *sqlite, const char *sql, struct err *err);

/* A connection as the role wants it. Used by connect() and for the first one. */
enum code sqlite_connect_as(const char *path, enum role role, uint64_t cache_bytes,
                            const struct schema *schema, struct sqlite **sqlite, struct err *err);
void sqlite_close(struct backend *backend);

/* sqlite_run.c */
enum code sqlite_begin(struct backend *backend, enum access access, struct err *err);
enum code sqlite_commit(struct backend *backend, struct err *err);
void sqlite_rollback(struct backend *backend);
enum code sqlite_run(struct backend *backend, struct query *query, uint32_t count,
                     struct arena *arena, struct err *err);

enum code sqlite_insert_many(struct backend *backend, enum table table, const struct row *row,
                             struct err *err);

/* sqlite_keep.c */
uint64_t sqlite_log_bytes(struct backend *backend);
enum code sqlite_checkpoint(struct backend *backend, enum checkpoint mode, struct err *err);
enum code sqlite_backup_begin(struct backend *writer, const char *path, struct backup **backup,
                              struct err *err);
enum code sqlite_backup_step(struct backup *backup, struct copied *copied, struct err *err);
enum code sqlite_backup_end(struct backup *backup, struct err *err);
enum code sqlite_backup_keep(struct backup *backup, bool keep, struct err *err);
enum code sqlite_bulk(struct backend *writer, bool begin, struct err *err);

#endif
