/*
 * floor.c - the least that one durable purchase costs: a bare single-threaded SQLite program.
 *
 * Owns:      writing, byte for byte, the rows of one real purchase of the book for random members,
 *            and reading what a purchase must read, some number of purchases a commit.
 * Must not:  decide, parse, hash or answer anything; share code with src/.
 * Invariant: statements, pragmas, cache and the life of the log are the server's. Claims are made
 *            as the load's tills make them. The connection that looks for members is another one,
 *            so that what is measured begins as cold as a server.
 * Use:       floor --db FILE [--cache-mib N] [--seed N], and orders on standard input, a line each:
 *              purchases BATCH SECONDS    the rows of purchases, BATCH of them a commit
 *              bodies BATCH SECONDS       the body of the record alone
 *              sync COUNT BYTES           append and sync, without SQLite
 *            For each come lines of name, value and unit, and an empty line. The file is written
 *            to: give it a copy.
 * Why:       purchases over HTTP are quoted as a ratio to this, at the same mean batch.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    key_bytes = 16,
    movements_most = 8,
    blob_most = 4096,
    outlets = 50, /* as bench/load.c has them */
    tills = 4,
    syncs_most = 10000,
    frame_bytes = 4096 + 24,   /* of the log: a page and its header */
    log_part_bytes = 64 << 20, /* the server moves its log into the file at each quarter */
    wal_cap_bytes = 256 << 20,
};

struct blob {
    int size;
    char bytes[blob_most];
};

struct movement {
    int64_t column[10]; /* owner_id .. at */
    struct blob body, link;
};

/* The statements of one purchase, as src/store makes them of schema.def. */
#define STATEMENTS(X)                                                                              \
    X(get_claim, "SELECT key, owner_id, op_id FROM claim WHERE key = ?1")                          \
    X(get_directory, "SELECT key, owner_id, member_id, kind, state FROM directory WHERE key = ?1") \
    X(get_owner, "SELECT owner_id, tenant, programme, version, last_movement, next_due, head, "    \
                 "body FROM owner WHERE owner_id = ?1")                                            \
    X(advance_owner, "UPDATE owner SET tenant = ?2, programme = ?3, version = ?4, "                \
                     "last_movement = ?5, next_due = ?6, head = ?7, body = ?8 "                    \
                     "WHERE owner_id = ?1 AND version = ?4 - 1")                                   \
    X(add_movement, "INSERT INTO movement (owner_id, movement_no, op_id, kind, account, contra, "  \
                    "currency, amount, lot_no, at, body, link) VALUES (?1, ?2, ?3, ?4, ?5, ?6, "   \
                    "?7, ?8, ?9, ?10, ?11, ?12)")                                                  \
    X(add_receipt, "INSERT INTO receipt (owner_id, op_id, kind, body) VALUES (?1, ?2, ?3, ?4)")    \
    X(add_claim, "INSERT INTO claim (key, owner_id, op_id) VALUES (?1, ?2, ?3)")

struct floor {
    sqlite3 *db;
    const char *path;
    long cache_mib;
    uint64_t random, next_op, next_number;
    int log_pages;
    struct blob owner_body, receipt_body, claim_key, head;
    int64_t next_due;
    struct movement movement[movements_most];
    int movement_count;
    char (*key)[key_bytes]; /* of cards in the directory */
    uint32_t key_count;
#define X(name, sql) sqlite3_stmt *name;
    STATEMENTS(X)
#undef X
};

static void
fail(struct floor *f, const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, f->db ? sqlite3_errmsg(f->db) : "");
    exit(1);
}

static double
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t
next_random(struct floor *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

static void
execute(struct floor *f, const char *sql)
{
    if (sqlite3_exec(f->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(f, sql);
}

static sqlite3_stmt *
prepare(struct floor *f, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        fail(f, sql);
    return statement;
}

static void
read_blob(struct floor *f, struct blob *blob, sqlite3_stmt *statement, int column)
{
    blob->size = sqlite3_column_bytes(statement, column);
    if (blob->size > blob_most)
        fail(f, "a row of the purchase is longer than is foreseen");
    memcpy(blob->bytes, sqlite3_column_blob(statement, column), (size_t)blob->size);
}

/* ---- the book: one purchase of it, and whose purchases can be written ---- */

static void
open_book(struct floor *f)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    char cache[64];

    if (sqlite3_open_v2(f->path, &f->db, flags, NULL) != SQLITE_OK)
        fail(f, f->path);
    snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%ld", f->cache_mib * 1024 + 1);
    execute(f, "PRAGMA journal_mode = WAL");
    execute(f, "PRAGMA synchronous = FULL");
    execute(f, "PRAGMA wal_autocheckpoint = 0");
    execute(f, "PRAGMA secure_delete = OFF");
    execute(f, "PRAGMA mmap_size = 0");
    execute(f, "PRAGMA temp_store = MEMORY");
    execute(f, cache);
}

static void
read_movements(struct floor *f, int64_t op)
{
    sqlite3_stmt *s = prepare(f, "SELECT owner_id, movement_no, op_id, kind, account, contra, "
                                 "currency, amount, lot_no, at, body, link FROM movement "
                                 "WHERE owner_id = (SELECT owner_id FROM receipt WHERE op_id = ?1) "
                                 "AND op_id = ?1 ORDER BY movement_no");

    sqlite3_bind_int64(s, 1, op);
    while (sqlite3_step(s) == SQLITE_ROW && f->movement_count < movements_most) {
        struct movement *m = &f->movement[f->movement_count++];
        for (int i = 0; i < 10; i++)
            m->column[i] = sqlite3_column_int64(s, i);
        read_blob(f, &m->body, s, 10);
        read_blob(f, &m->link, s, 11);
    }
    sqlite3_finalize(s);
}

static void
read_claim(struct floor *f, int64_t op)
{
    sqlite3_stmt *s = prepare(f, "SELECT key FROM claim WHERE op_id = ?1");

    sqlite3_bind_int64(s, 1, op);
    if (sqlite3_step(s) != SQLITE_ROW)
        fail(f, "a purchase without a claim");
    read_blob(f, &f->claim_key, s, 0);
    sqlite3_finalize(s);
}

/*
 * Of the newest purchases that changed no level, the one whose owner's row is of middling size: its
 * rows are the ones written.
 */
static void
read_template(struct floor *f)
{
    sqlite3_stmt *s = prepare(
        f, "SELECT r.op_id, r.body, o.body, o.head, o.next_due FROM "
           "(SELECT * FROM receipt WHERE kind = 0 ORDER BY op_id DESC LIMIT 500) r "
           "CROSS JOIN owner o WHERE o.owner_id = r.owner_id AND NOT EXISTS (SELECT 1 FROM "
           "movement m WHERE m.owner_id = r.owner_id AND m.op_id = r.op_id AND m.amount = 0) "
           "ORDER BY length(o.body), r.op_id LIMIT 1 OFFSET 200");

    if (sqlite3_step(s) != SQLITE_ROW)
        fail(f, "the book has too few purchases");
    int64_t op = sqlite3_column_int64(s, 0);
    read_blob(f, &f->receipt_body, s, 1);
    read_blob(f, &f->owner_body, s, 2);
    read_blob(f, &f->head, s, 3);
    f->next_due = sqlite3_column_int64(s, 4);
    sqlite3_finalize(s);
    read_claim(f, op);
    read_movements(f, op);
    s = prepare(f, "SELECT max(op_id) FROM receipt");
    sqlite3_step(s);
    f->next_op = (uint64_t)sqlite3_column_int64(s, 0) + 1;
    sqlite3_finalize(s);
}

/* Cards of the directory, to choose from at random. */
static void
read_keys(struct floor *f)
{
    sqlite3_stmt *s = prepare(f, "SELECT count(*) FROM directory");

    sqlite3_step(s);
    uint64_t most = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    f->key = malloc(sizeof(*f->key) * (most + 1));
    s = prepare(f, "SELECT key FROM directory WHERE kind = 1");
    while (f->key && f->key_count < most && sqlite3_step(s) == SQLITE_ROW)
        memcpy(f->key[f->key_count++], sqlite3_column_blob(s, 0), key_bytes);
    sqlite3_finalize(s);
    if (f->key_count == 0)
        fail(f, "the book has no cards");
}

static int
count_log(void *context, sqlite3 *db, const char *name, int pages)
{
    struct floor *f = context;

    (void)db;
    (void)name;
    f->log_pages = pages;
    return SQLITE_OK;
}

static void
begin(struct floor *f)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    open_book(f);
    read_template(f);
    read_keys(f);
    sqlite3_close(f->db);
    open_book(f);
    sqlite3_wal_hook(f->db, count_log, f);
#define X(name, sql) f->name = prepare(f, sql);
    STATEMENTS(X)
#undef X
}

/* ---- one purchase ---- */

static void
done(struct floor *f, sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        fail(f, "a write");
    sqlite3_reset(statement);
}

static void
bind(sqlite3_stmt *statement, int number, const struct blob *blob)
{
    sqlite3_bind_blob(statement, number, blob->bytes, blob->size, SQLITE_STATIC);
}

/* 'r', tenant, programme, outlet, till, period, number, kind: the load's next receipt. */
static void
make_claim(struct floor *f, struct blob *key)
{
    enum { fixed = 9, period = 8 };
    const char *old = f->claim_key.bytes + fixed;
    uint64_t number = f->next_number++;

    old += strlen(old) + 1; /* its outlet */
    old += strlen(old) + 1; /* its till */
    memcpy(key->bytes, f->claim_key.bytes, fixed);
    key->size = fixed;
    key->size += snprintf(key->bytes + key->size, 8, "%u", (unsigned)(number % outlets)) + 1;
    key->size += snprintf(key->bytes + key->size, 8, "%u", (unsigned)(number % tills)) + 1;
    memcpy(key->bytes + key->size, old, period);
    key->size += period;
    key->size += snprintf(key->bytes + key->size, 24, "%llu", (unsigned long long)number) + 1;
    key->bytes[key->size++] = 0;
}

struct found {
    int64_t number[6]; /* owner_id .. next_due */
    struct blob head, body;
};

/* Read what a purchase must read. */
static void
read_all(struct floor *f, const struct blob *claim, struct found *found)
{
    const char *key = f->key[next_random(f) % f->key_count];

    bind(f->get_claim, 1, claim);
    if (sqlite3_step(f->get_claim) != SQLITE_DONE)
        fail(f, "a claim that is there already");
    sqlite3_reset(f->get_claim);
    sqlite3_bind_blob(f->get_directory, 1, key, key_bytes, SQLITE_STATIC);
    if (sqlite3_step(f->get_directory) != SQLITE_ROW)
        fail(f, "a card that is not there");
    for (int i = 1; i < 5; i++)
        found->number[i - 1] = sqlite3_column_int64(f->get_directory, i);
    sqlite3_reset(f->get_directory);
    sqlite3_bind_int64(f->get_owner, 1, found->number[0]);
    if (sqlite3_step(f->get_owner) != SQLITE_ROW)
        fail(f, "an owner that is not there");
    for (int i = 0; i < 6; i++)
        found->number[i] = sqlite3_column_int64(f->get_owner, i);
    read_blob(f, &found->head, f->get_owner, 6);
    read_blob(f, &found->body, f->get_owner, 7);
    sqlite3_reset(f->get_owner);
}

static void
write_owner(struct floor *f, const struct found *found, int64_t last)
{
    for (int i = 0; i < 3; i++)
        sqlite3_bind_int64(f->advance_owner, i + 1, found->number[i]);
    sqlite3_bind_int64(f->advance_owner, 4, found->number[3] + 1);
    sqlite3_bind_int64(f->advance_owner, 5, last);
    sqlite3_bind_int64(f->advance_owner, 6, f->next_due);
    bind(f->advance_owner, 7, &f->head);
    bind(f->advance_owner, 8, &f->owner_body);
    done(f, f->advance_owner);
    if (sqlite3_changes(f->db) != 1)
        fail(f, "an owner whose version moved");
}

static void
write_movement(struct floor *f, const struct movement *m, int64_t owner, int64_t number, int64_t op)
{
    enum { lot_no = 8 };

    for (int i = 0; i < 10; i++)
        sqlite3_bind_int64(f->add_movement, i + 1, m->column[i]);
    sqlite3_bind_int64(f->add_movement, 1, owner);
    sqlite3_bind_int64(f->add_movement, 2, number);
    sqlite3_bind_int64(f->add_movement, 3, op);
    sqlite3_bind_int64(f->add_movement, lot_no + 1, number);
    bind(f->add_movement, 11, &m->body);
    bind(f->add_movement, 12, &m->link);
    done(f, f->add_movement);
}

static void
write_receipt(struct floor *f, int64_t owner, int64_t op)
{
    sqlite3_bind_int64(f->add_receipt, 1, owner);
    sqlite3_bind_int64(f->add_receipt, 2, op);
    sqlite3_bind_int64(f->add_receipt, 3, 0);
    bind(f->add_receipt, 4, &f->receipt_body);
    done(f, f->add_receipt);
}

static void
one_purchase(struct floor *f)
{
    int64_t op = (int64_t)f->next_op++;
    struct found found;
    struct blob claim;

    make_claim(f, &claim);
    read_all(f, &claim, &found);
    int64_t owner = found.number[0], last = found.number[4];
    write_owner(f, &found, last + f->movement_count);
    for (int i = 0; i < f->movement_count; i++)
        write_movement(f, &f->movement[i], owner, last + 1 + i, op);
    write_receipt(f, owner, op);
    bind(f->add_claim, 1, &claim);
    sqlite3_bind_int64(f->add_claim, 2, owner);
    sqlite3_bind_int64(f->add_claim, 3, op);
    done(f, f->add_claim);
}

/* ---- orders ---- */

/* What the server's checkpointer does, at the same lengths of the log. */
static void
keep_log_short(struct floor *f, int64_t *moved)
{
    int64_t bytes = (int64_t)f->log_pages * frame_bytes;
    bool at_cap = bytes >= wal_cap_bytes;

    if (bytes < *moved)
        *moved = 0; /* SQLite began the log anew */
    if (bytes - *moved < log_part_bytes && !at_cap)
        return;
    int mode = at_cap ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    if (sqlite3_wal_checkpoint_v2(f->db, NULL, mode, NULL, NULL) != SQLITE_OK)
        fail(f, "a checkpoint");
    *moved = at_cap ? 0 : bytes;
}

static void
run(struct floor *f, bool only_bodies, long batch, long seconds)
{
    double began = seconds_now(), in_commit = 0;
    uint64_t purchases = 0, commits = 0;
    int64_t moved = 0;

    while (seconds_now() - began < (double)seconds) {
        execute(f, "BEGIN IMMEDIATE");
        for (long i = 0; i < batch; i++) {
            if (only_bodies)
                write_receipt(f, f->movement[0].column[0], (int64_t)f->next_op++);
            else
                one_purchase(f);
        }
        double before = seconds_now();
        execute(f, "COMMIT");
        in_commit += seconds_now() - before;
        purchases += (uint64_t)batch;
        commits++;
        keep_log_short(f, &moved);
    }
    double took = seconds_now() - began;
    (void)sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    printf("rate %.0f per_second\nbatch %ld count\n", (double)purchases / took, batch);
    printf("commit %.3f ms\n", in_commit * 1000 / (double)commits);
    printf("owner_body %d B\nreceipt_body %d B\nclaim_key %d B\nmovements %d count\n",
           f->owner_body.size, f->receipt_body.size, f->claim_key.size, f->movement_count);
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Append `bytes` and sync, beside the book: what the disk asks for durability. */
static void
measure_sync(struct floor *f, long count, long bytes)
{
    static double took[syncs_most];
    char path[4096], *block = calloc(1, (size_t)bytes);

    snprintf(path, sizeof(path), "%s.sync", f->path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || !block)
        fail(f, path);
    for (long i = 0; i < count; i++) {
        double before = seconds_now();
        if (write(file, block, (size_t)bytes) != bytes || fdatasync(file) != 0)
            fail(f, path);
        took[i] = seconds_now() - before;
    }
    close(file);
    unlink(path);
    free(block);
    qsort(took, (size_t)count, sizeof(took[0]), by_size);
    printf("sync_p50 %.3f ms\nsync_p99 %.3f ms\n", took[count / 2] * 1000,
           took[count * 99 / 100] * 1000);
}

static void
obey(struct floor *f)
{
    char line[128], what[32];
    long first, second;

    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "%31s %ld %ld", what, &first, &second) != 3 || first < 1 || second < 1)
            fail(f, line);
        if (strcmp(what, "purchases") == 0)
            run(f, false, first, second);
        else if (strcmp(what, "bodies") == 0)
            run(f, true, first, second);
        else if (strcmp(what, "sync") == 0 && first <= syncs_most)
            measure_sync(f, first, second);
        else
            fail(f, line);
        printf("\n");
        fflush(stdout);
    }
}

int
main(int argc, char **argv)
{
    static struct floor f = { .cache_mib = 64, .next_number = 3000000000 };
    uint64_t seed = 1;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--db") == 0)
            f.path = argv[i + 1];
        else if (strcmp(argv[i], "--cache-mib") == 0)
            f.cache_mib = strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    if (!f.path) {
        fprintf(stderr, "floor: needs --db FILE [--cache-mib N] [--seed N]\n");
        return 2;
    }
    f.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252u;
    begin(&f);
    obey(&f);
    sqlite3_close(f.db);
    free(f.key);
    return 0;
}
