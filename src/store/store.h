/*
 * store.h - where the book lies: one interface in domain words over SQLite, PostgreSQL and memory.
 *
 * Owns:      transactions (its runner begins, commits and rolls back), routing, claims, the queue.
 * Must not:  decide anything; let a caller see SQL.
 * Invariant: op->done(op) comes exactly once, after durability or with the failure. Operations run
 *            in order of arrival (on PostgreSQL: those of one routing key); what one wrote, the
 *            next sees. A refusal comes before the first write.
 * Threads:   store_submit() may be called from any thread; run() and done() are called on the
 *            store's.
 */
#ifndef KOP_STORE_STORE_H
#define KOP_STORE_STORE_H

#include "core/book.h"

/* Memory from malloc() for arenas outside the pure core. */
struct arena_source heap_source(void);

struct store; /* an open book */
struct tx;    /* the transaction that an operation runs in; the runner's, not the caller's */

enum { routes_per_op_max = 10 };

/* How an operation finds its owner. The runner looks each route up before run(). */
enum route_kind {
    ROUTE_DIRECTORY, /* key of directory_key_bytes */
    ROUTE_CLAIM,     /* a claim's key, e.g. the receipt that a return names: gives owner and op */
};
struct route {
    enum route_kind kind;
    struct text key;
    /* Filled in by the runner: */
    bool found;
    uint64_t owner_id, member_id; /* member: DIRECTORY only */
    uint64_t op_id;               /* CLAIM only */
    enum key_kind key_kind;
    enum key_state state;
};

enum access { ACCESS_READ, ACCESS_WRITE };
enum priority { PRIORITY_ORDINARY, PRIORITY_LOW };

/* One operation. The submitter owns it and keeps it alive until done(). */
struct op {
    enum access access;
    enum priority priority;
    uint32_t route_count;
    struct route route[routes_per_op_max];
    struct text claim;   /* key that this operation claims; empty: none */
    /*
     * Done twice is done once, whatever came between. An operation without claim and record, whose
     * commit's answer was lost, then runs again instead of ending in CODE_UNKNOWN.
     */
    bool repeatable;
    struct arena *arena; /* of the operation; the runner hands it on */
    /*
     * The use case: store_load, flow, store_write. May be called again from the start (the arena is
     * rewound to where it stood at store_submit). A refusal is OK with nothing written. When the
     * claim exists, `existing` holds the record, and run() was not called, or was stopped at its
     * first load: on PostgreSQL claim, routes and load are one round trip. It hands on what a store
     * function gives back and keeps nothing of a run that was stopped.
     */
    enum code (*run)(struct tx *tx, struct op *op, struct err *err);
    void (*done)(struct op *op);
    void *context; /* the submitter's */
    /* Results, valid in done(). */
    enum code code;
    struct err err;
    bool repeat; /* the claim existed */
    uint64_t existing_owner, existing_op;
    struct text existing; /* the record's body */
    uint32_t batch;       /* how many operations shared the transaction */
    /* The runner's own. */
    struct op *next;
    struct arena_mark mark;
    struct waiter *waiter;
};

struct store_options {
    const char *path;       /* SQLite: the file */
    const char *conninfo;   /* PostgreSQL: postgres://… or "host=… dbname=…", as libpq reads it */
    const char *role;       /* PostgreSQL: what connections become (NULL: see below) */
    uint32_t lanes;         /* PostgreSQL: connections that write (0: 16) */
    uint32_t reconnect_ms;  /* PostgreSQL: how long operations wait for a lost database (0: 10 s) */
    uint32_t answer_ms;     /* PostgreSQL: longer than that no answer is waited for (0: 20 s) */
    uint64_t cache_bytes;   /* SQLite page cache of the writer (0: 64 MiB) */
    uint32_t readers;       /* reader threads (0: 1) */
    uint32_t batch_max;     /* operations in one commit (0: 512) */
    uint64_t wal_cap_bytes; /* the gate's cap (0: 256 MiB) */
    bool create;            /* make the file and the schema if they are missing; upgrade */
    bool upgrade;           /* a book of an older program is brought up; else it is refused */
    bool inline_runner;     /* no threads: store_submit() runs and answers before it returns */
    bool moving;            /* one end of a move: a book that is half moved is opened as well */
    /*
     * The disk failed under a commit: what it holds is unknown, and only a new start can tell.
     * NULL: the text goes to stderr and the process aborts. If it returns, operations in doubt are
     * answered CODE_UNKNOWN, all later ones CODE_IO.
     */
    void (*fatal)(void *context, const struct err *err);
    void *fatal_context;
};

KOP_MUST_CHECK enum code store_open_sqlite(const struct store_options *options,
                                           struct store **store, struct err *err);
/*
 * PostgreSQL 15 or later. With `create` the schema is made and the role `kopilka_server` with it,
 * where the user may make roles; every connection that serves then takes that role on. A user
 * without rights on tables is enough to serve a book that exists: GRANT kopilka_server TO it. An
 * operation whose COMMIT was cut is looked up by its claim or record before it is answered, or runs
 * again where that is harmless; CODE_UNKNOWN only where neither is possible. Lost connections are
 * made again.
 */
KOP_MUST_CHECK enum code store_open_postgres(const struct store_options *options,
                                             struct store **store, struct err *err);
KOP_MUST_CHECK enum code store_open_memory(const struct store_options *options,
                                           struct store **store, struct err *err);
/* Answers what was submitted, then closes. */
void store_close(struct store *store);

/*
 * Hand an operation over. CODE_BUSY when the queue is full (ops_in_flight_max): done() is not
 * called then.
 */
KOP_MUST_CHECK enum code store_submit(struct store *store, struct op *op, struct err *err);

/*
 * Submit and wait (op->done is not called); not from the store's own threads. Returns op->code. For
 * jobs, the command line, tests.
 */
KOP_MUST_CHECK enum code store_run(struct store *store, struct op *op, struct err *err);

/* ---- inside run() ---- */

/* Load what `needs` names into `view`, in the operation's arena. */
KOP_MUST_CHECK enum code store_load(struct tx *tx, const struct needs *needs, struct arena *arena,
                                    struct view *view, struct err *err);
/* Write everything of `changes` and the operation's claim. */
KOP_MUST_CHECK enum code store_write(struct tx *tx, const struct op *op,
                                     const struct changes *changes, struct err *err);
/*
 * Nobody will be enrolled at this owner: writes the member row that an enrolment would insert, of a
 * closed member without a person, called a bar. CONFLICT when a row is there. For an owner_id that
 * an enrolment took and did not come to use; see service/sweep.c.
 */
KOP_MUST_CHECK enum code store_bar_member(struct tx *tx, uint64_t owner_id, struct err *err);

/* A point read of the directory beyond the routes. */
KOP_MUST_CHECK enum code store_find(struct tx *tx, struct text key, struct directory_row *row,
                                    bool *found, struct err *err);
KOP_MUST_CHECK enum code store_put_directory(struct tx *tx, const struct directory_row *row,
                                             struct err *err);

/* Lists, paged by key: rows after the given key, at most `limit`; `*count` fewer means the end. */
KOP_MUST_CHECK enum code store_list_owners(struct tx *tx, uint64_t after, uint32_t limit,
                                           struct arena *arena, struct owner **owner,
                                           uint32_t *count, struct err *err);
/*
 * Owners whose next_due <= due, by id, looking at no more than `scan` rows; `*last` is where it
 * stopped, 0 at the end.
 */
KOP_MUST_CHECK enum code store_list_due(struct tx *tx, uint64_t after, unix_ms due, uint32_t scan,
                                        uint64_t *ids, uint32_t cap, uint32_t *count,
                                        uint64_t *last, struct err *err);
KOP_MUST_CHECK enum code store_list_movements(struct tx *tx, uint64_t owner_id, uint32_t after,
                                              uint32_t limit, struct arena *arena,
                                              struct movement **movement, uint32_t *count,
                                              struct err *err);
struct receipt_row {
    uint64_t owner_id, op_id;
    enum record_kind kind;
    struct text body;
};
/* A record by its operation. An owner's history is its movements: each names its operation. */
KOP_MUST_CHECK enum code store_get_receipt(struct tx *tx, uint64_t owner_id, uint64_t op_id,
                                           struct arena *arena, struct receipt_row *row,
                                           bool *found, struct err *err);
/*
 * Records of all owners after the one with these ids (0, 0: from the first), in the order in which
 * they lie: SQLite's is that of operations, others' that of owners. For exports.
 */
KOP_MUST_CHECK enum code store_list_receipts(struct tx *tx, uint64_t after_owner, uint64_t after_op,
                                             uint32_t limit, struct arena *arena,
                                             struct receipt_row **row, uint32_t *count,
                                             struct err *err);
KOP_MUST_CHECK enum code store_list_members(struct tx *tx, uint64_t owner_id, struct arena *arena,
                                            struct member_row **member, uint32_t *count,
                                            struct err *err);

/* What has been returned of an owner's purchases: the body of each. */
struct returned_row {
    uint64_t owner_id, op_id; /* of the purchase */
    struct text body;
};
KOP_MUST_CHECK enum code store_list_returned(struct tx *tx, uint64_t owner_id, struct arena *arena,
                                             struct returned_row **row, uint32_t *count,
                                             struct err *err);

/* ---- plain rows of back-office tables (config, person, local), generated from schema.def ---- */

enum table {
#define TABLE(name, class, layout) TABLE_##name,
#define COLUMN(name, type, privacy)
#define KEY(columns)
#define END(name)
#include "store/schema.def"
#undef TABLE
#undef COLUMN
#undef KEY
#undef END
    table_count
};
enum { columns_per_table_max = 16, keys_per_table_max = 4 };

/* The position of a column: COL(owner, body). */
#define TABLE(name, class, layout)  struct columns_of_##name {
#define COLUMN(name, type, privacy) char name;
#define KEY(columns)
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#include "store/schema.def"
#undef TABLE
#undef COLUMN
#undef KEY
#undef END
#define COL(table, column) (offsetof(struct columns_of_##table, column))

struct cell {
    int64_t number;   /* I64 columns */
    struct text text; /* TEXT and BLOB columns */
};
struct row {
    struct cell cell[columns_per_table_max]; /* in the order of schema.def */
};
/* Is this row of the table member a bar (store_bar_member())? A bar has no owner. */
bool row_is_bar(const struct row *member);
KOP_MUST_CHECK enum code store_get(struct tx *tx, enum table table, const struct row *key,
                                   struct arena *arena, struct row *row, bool *found,
                                   struct err *err);
/* The same of many keys at once: on PostgreSQL one round trip for each gets_per_run of them. */
enum { gets_per_run = 64 };
KOP_MUST_CHECK enum code store_get_many(struct tx *tx, enum table table, const struct row *key,
                                        uint32_t count, struct arena *arena, struct row *row,
                                        bool *found, struct err *err);
KOP_MUST_CHECK enum code store_put(struct tx *tx, enum table table, const struct row *row,
                                   struct err *err);
KOP_MUST_CHECK enum code store_delete(struct tx *tx, enum table table, const struct row *key,
                                      struct err *err);
/*
 * Rows of any table in the order in which they lie, after `after` (NULL: from the first), at most
 * `limit`. That is the key's order, but for tables that store_table() calls by_arrival.
 */
KOP_MUST_CHECK enum code store_list(struct tx *tx, enum table table, const struct row *after,
                                    uint32_t limit, struct arena *arena, struct row **rows,
                                    uint32_t *count, struct err *err);

/* How many rows a table of the book has. */
KOP_MUST_CHECK enum code store_count(struct tx *tx, enum table table, uint64_t *count,
                                     struct err *err);

/* ---- rows as rows, of every table: for jobs that carry a book to another store ---- */

struct table_facts {
    const char *name;
    bool is_local;   /* about this store itself: not to be carried */
    bool of_person;  /* never written together with rows of owners */
    bool of_owner;   /* its first column is owner_id */
    bool only_grows; /* a journal: no row changes or goes */
    bool can_shrink; /* rows may go */
    bool by_arrival; /* this store lists it by op_id alone; others by owner */
    uint32_t column_count;
    bool is_number[columns_per_table_max];
    uint32_t key_count; /* of the order in which this store lists it */
    uint32_t key[keys_per_table_max];
};
void store_table(const struct store *store, enum table table, struct table_facts *facts);
/* By the order of `facts`: less than 0, 0, more. Reads the key's cells only. */
int store_compare(const struct table_facts *facts, const struct row *a, const struct row *b);
/* Are all columns the same? */
bool store_is_same(const struct table_facts *facts, const struct row *a, const struct row *b);

/*
 * Write rows of one table as they are, a key at most once: into a journal what is not there yet,
 * elsewhere as store_put() does. No claim, no version is looked at: the caller is a move.
 */
KOP_MUST_CHECK enum code store_copy(struct tx *tx, enum table table, const struct row *row,
                                    uint32_t count, struct err *err);
/* Until this transaction (of ACCESS_WRITE) ends nobody else writes the book; all may read. */
KOP_MUST_CHECK enum code store_freeze(struct tx *tx, struct err *err);
/* Which book it is, however its place was spelled; lives as long as the store. `moving` only. */
const char *store_identity(const struct store *store);
/* While a move into the book is not finished, meta has this row, and only `moving` opens it. */
#define MOVE_MARK "move"

/* Figures for /metrics. */
struct store_stats {
    uint64_t operations, batches, retries_alone, wal_bytes, gate_closings, queue_length;
    uint64_t commit_us_sum, commit_us_max;
};
void store_read_stats(struct store *store, struct store_stats *stats);

/*
 * A consistent copy into `path`, which is not there yet, while it serves: slices on the writer's
 * connection. SQLite only. Whatever else is written by this store goes into the copy too, so that
 * it is the book at the copy's end: every operation that was answered before `*until` is in it.
 * `watch` may be NULL. What
 * another process writes meanwhile makes the copy begin anew: of a book that is served, the server
 * makes it.
 */
struct copy_watch {
    /* After each slice, on the writer's thread: pages. false: give up (CODE_BUSY). */
    bool (*go_on)(void *context, uint64_t done, uint64_t total);
    void *context;
};
KOP_MUST_CHECK enum code store_backup(struct store *store, const char *path,
                                      const struct copy_watch *watch, unix_ms *until,
                                      struct err *err);

/*
 * Bulk loading with no other user (import --offline): rows in key order, one transaction in all, no
 * claims.
 */
struct bulk;
KOP_MUST_CHECK enum code store_bulk_begin(struct store *store, struct bulk **bulk, struct err *err);
KOP_MUST_CHECK enum code store_bulk_put(struct bulk *bulk, enum table table, const struct row *row,
                                        struct err *err);
/* The same of `count` rows of one table, in key order: half the price of one at a time. */
KOP_MUST_CHECK enum code store_bulk_put_many(struct bulk *bulk, enum table table,
                                             const struct row *row, uint32_t count,
                                             struct err *err);
/* Give up: the book stays marked as unfinished, and is refused when it is opened next. */
void store_bulk_abort(struct bulk *bulk);
KOP_MUST_CHECK enum code store_bulk_end(struct bulk *bulk, struct err *err);

#endif
