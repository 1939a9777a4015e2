/*
 * backend.h - what a database has to be able to do, and no more: one connection as a table of
 * functions.
 *
 * Owns:      struct backend_type, implemented by sqlite*.c, postgres*.c and memory*.c.
 * Must not:  know operations, routes or the meaning of a row: it runs the statements of struct
 *            schema.
 * Invariant: a connection is used by one thread at a time. What a rolled back transaction wrote is
 *            gone; after commit() gives OK it outlives the machine.
 */
#ifndef KOP_STORE_BACKEND_H
#define KOP_STORE_BACKEND_H

#include "store/schema.h"

enum role {
    ROLE_WRITER, /* the only one that writes */
    ROLE_READER,
    ROLE_CHECKPOINTER, /* moves the log into the file */
};

/* How much of the log goes into the file. */
enum checkpoint {
    CHECKPOINT_SOME,  /* what nobody reads any more; anybody may go on meanwhile */
    CHECKPOINT_ALL,   /* everything, and the log begins anew; nobody else may read (the writer's) */
    CHECKPOINT_SHORT, /* the same, and its file is cut */
};

/* One statement to run: where, what, with which parameters; and what came back. */
struct query {
    enum table table;
    enum verb verb;
    const struct cell *param; /* as many as the statement has */
    /* Filled in by run(): rows one after the other, statement.column_count cells each. */
    uint32_t row_count;
    struct cell *cell;
};

struct backup; /* a copy in progress */
struct copied {
    uint64_t done, total; /* pages; the book may grow meanwhile */
    bool is_whole;
};

enum { bulk_rows = 16 };

struct backend {
    const struct backend_type *type;
    const struct schema *schema;
};

struct backend_type {
    const char *name;
    enum dialect dialect;
    bool exclusive; /* readers must be kept out while the writer has a transaction */
    bool has_log;   /* log_bytes, checkpoint and the backups are there */
    /*
     * Several connections may write at once, also from other programs: each operation is a
     * transaction of its own (solo.c). begin() makes a lost connection again, BUSY when it cannot.
     * run() may keep writes back until rows are wanted or commit(); without begin() it is a
     * transaction by itself. AGAIN: nothing was kept, the whole operation may run again.
     */
    bool concurrent;

    /* Another connection to the same book. */
    enum code (*connect)(struct backend *writer, enum role role, struct backend **other,
                         struct err *err);
    /* The writer is closed last. */
    void (*close)(struct backend *backend);

    enum code (*begin)(struct backend *backend, enum access access, struct err *err);
    /*
     * CODE_IO: nothing was kept, and the transaction is over. CODE_UNKNOWN: the disk failed under
     * the commit; nobody can say what it holds, so the process must end and recover. Of a
     * concurrent one: the connection was lost under it; what it holds is to be looked up.
     */
    enum code (*commit)(struct backend *backend, struct err *err);
    void (*rollback)(struct backend *backend);

    /*
     * Run queries in their order, as one round trip where that matters. Rows and their text are
     * copied to the arena (NULL when none of the statements gives rows). CONFLICT: INSERT found its
     * key, ADVANCE another version. After a failure the transaction can only be rolled back.
     */
    enum code (*run)(struct backend *backend, struct query *query, uint32_t count,
                     struct arena *arena, struct err *err);

    /* Bytes of the log that is not yet in the file. Writer only. */
    uint64_t (*log_bytes)(struct backend *backend);
    /* CODE_BUSY: somebody reads what should go. CODE_UNKNOWN as in commit(). */
    enum code (*checkpoint)(struct backend *backend, enum checkpoint mode, struct err *err);

    enum code (*backup_begin)(struct backend *writer, const char *path, struct backup **backup,
                              struct err *err);
    /* Copy some pages; `*copied` tells how far it is. */
    enum code (*backup_step)(struct backup *backup, struct copied *copied, struct err *err);
    /* No more pages. The writer's thread, like the two above. */
    enum code (*backup_end)(struct backup *backup, struct err *err);
    /* Put the finished copy on the disk and name it (`keep`), or throw it away: any thread. */
    enum code (*backup_keep)(struct backup *backup, bool keep, struct err *err);

    /*
     * No log and no syncs until the end, for an empty book: a crash leaves a book that is refused.
     */
    enum code (*bulk)(struct backend *writer, bool begin, struct err *err);
    /* bulk_rows new rows of one table at once; NULL: one INSERT after the other does as well. */
    enum code (*insert_many)(struct backend *writer, enum table table, const struct row *row,
                             struct err *err);

    /* Which book it is, as text. */
    enum code (*identify)(struct backend *writer, struct buf *buf, struct err *err);
    /* NULL: a transaction that writes keeps other writers out anyway. Else see store_freeze(). */
    enum code (*freeze)(struct backend *writer, struct err *err);

    /* For migrations: one DDL statement; a table as schema_describe() writes it (empty: none). */
    enum code (*execute)(struct backend *writer, const char *sql, struct err *err);
    enum code (*describe)(struct backend *writer, enum table table, struct buf *buf,
                          struct err *err);
};

/* The first connection to a SQLite file: opened or made, its schema checked or made. */
KOP_MUST_CHECK enum code sqlite_open(const struct store_options *options,
                                     const struct schema *schema, struct backend **writer,
                                     struct err *err);
/* The first connection to a PostgreSQL database: its schema checked or made, and the role. */
KOP_MUST_CHECK enum code postgres_open(const struct store_options *options,
                                       const struct schema *schema, struct backend **writer,
                                       struct err *err);
/* An empty book in memory. */
KOP_MUST_CHECK enum code memory_open(const struct schema *schema, struct backend **writer,
                                     struct err *err);

#endif
