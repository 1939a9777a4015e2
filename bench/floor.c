/*
 * floor.c - the least that one durable purchase costs: a bare single-threaded SQLite program.
 *
 * Owns:      writing, byte for byte, the rows of one real purchase of the book for random
 *            members, and reading
 *            what a purchase must read, `batch` purchases a commit, with the server's pragmas and
 * cache.
 * Must not:  decide, parse, hash or answer anything.
 * Use:       floor --db FILE --batch N --seconds N [--cache-mib N] [--only-bodies]
 * Output:    name value unit, a line each. The file is written to: give it a copy.
 * Why:       purchases over HTTP are quoted as a ratio to this, at the same mean batch.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { keys_most = 2000000, movements_most = 8, blob_most = 4096 };

struct blob {
    int size;
    char bytes[blob_most];
};

struct movement {
    int64_t kind, account, contra, currency, amount;
    struct blob body, link;
};

struct floor {
    sqlite3 *db;
    const char *path;
    int batch, seconds, cache_mib, movement_count;
    bool only_bodies;
    uint64_t random, next_op;
    struct blob owner_body, receipt_body, claim_key, head;
    struct movement movement[movements_most];
    char (*key)[16];
    uint32_t key_count;
    sqlite3_stmt *get_claim, *get_directory, *get_owner, *put_owner, *add_movement, *add_receipt, *add_claim;
};

static void
fail(struct floor *f, const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, sqlite3_errmsg(f->db));
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

    if (sqlite3_prepare_v3(f->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        fail(f, sql);
    return statement;
}

static void
read_blob(struct blob *blob, sqlite3_stmt *statement, int column)
{
    blob->size = sqlite3_column_bytes(statement, column);
    if (blob->size > blob_most)
        blob->size = blob_most;
    memcpy(blob->bytes, sqlite3_column_blob(statement, column), (size_t)blob->size);
}

/* The newest purchase of the book: its rows are the ones written. */
static void
read_template(struct floor *f)
{
    sqlite3_stmt *s = prepare(f, "SELECT r.owner_id, r.op_id, r.body, o.body, o.head FROM receipt r JOIN owner o "
                                 "ON o.owner_id = r.owner_id WHERE r.kind = 0 AND o.last_movement <= 4 "
                                 "ORDER BY r.op_id DESC LIMIT 1");
    int64_t owner, op;

    if (sqlite3_step(s) != SQLITE_ROW)
        fail(f, "the book has no purchase");
    owner = sqlite3_column_int64(s, 0);
    op = sqlite3_column_int64(s, 1);
    read_blob(&f->receipt_body, s, 2);
    read_blob(&f->owner_body, s, 3);
    read_blob(&f->head, s, 4);
    sqlite3_finalize(s);
    s = prepare(f, "SELECT kind, account, contra, currency, amount, body, link FROM movement WHERE owner_id = ?1 "
                   "AND op_id = ?2 AND kind <> 13");
    sqlite3_bind_int64(s, 1, owner);
    sqlite3_bind_int64(s, 2, op);
    while (sqlite3_step(s) == SQLITE_ROW && f->movement_count < movements_most) {
        struct movement *m = &f->movement[f->movement_count++];
        m->kind = sqlite3_column_int64(s, 0);
        m->account = sqlite3_column_int64(s, 1);
        m->contra = sqlite3_column_int64(s, 2);
        m->currency = sqlite3_column_int64(s, 3);
        m->amount = sqlite3_column_int64(s, 4);
        read_blob(&m->body, s, 5);
        read_blob(&m->link, s, 6);
    }
    sqlite3_finalize(s);
    s = prepare(f, "SELECT key FROM claim WHERE op_id = ?1");
    sqlite3_bind_int64(s, 1, op);
    if (sqlite3_step(s) == SQLITE_ROW)
        read_blob(&f->claim_key, s, 0);
    sqlite3_finalize(s);
    s = prepare(f, "SELECT max(op_id) FROM receipt");
    sqlite3_step(s);
    f->next_op = (uint64_t)sqlite3_column_int64(s, 0) + 1;
    sqlite3_finalize(s);
}

/* Cards of the directory, to choose from at random. */
static void
read_keys(struct floor *f)
{
    sqlite3_stmt *s = prepare(f, "SELECT key FROM directory WHERE kind = 1 LIMIT 2000000");

    f->key = malloc(sizeof(*f->key) * keys_most);
    while (f->key && sqlite3_step(s) == SQLITE_ROW && f->key_count < keys_most)
        memcpy(f->key[f->key_count++], sqlite3_column_blob(s, 0), 16);
    sqlite3_finalize(s);
    if (f->key_count == 0)
        fail(f, "the book has no cards");
}

static void
open_book(struct floor *f)
{
    char cache[64];

    if (sqlite3_open_v2(f->path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        fail(f, f->path);
    snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", f->cache_mib * 1024);
    execute(f, "PRAGMA journal_mode = WAL");
    execute(f, "PRAGMA synchronous = FULL");
    execute(f, "PRAGMA wal_autocheckpoint = 0");
    execute(f, "PRAGMA secure_delete = OFF");
    execute(f, "PRAGMA mmap_size = 0");
    execute(f, cache);
    read_template(f);
    read_keys(f);
    f->get_claim = prepare(f, "SELECT key, owner_id, op_id FROM claim WHERE key = ?1");
    f->get_directory = prepare(f, "SELECT key, owner_id, member_id, kind, state FROM directory WHERE key = ?1");
    f->get_owner = prepare(f, "SELECT owner_id, tenant, programme, version, last_movement, next_due, head, body "
                              "FROM owner WHERE owner_id = ?1");
    f->put_owner = prepare(f, "UPDATE owner SET version = ?2, last_movement = ?3, next_due = ?4, head = ?5, "
                              "body = ?6 WHERE owner_id = ?1");
    f->add_movement = prepare(f, "INSERT INTO movement VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
    f->add_receipt = prepare(f, "INSERT INTO receipt VALUES (?1, ?2, ?3, ?4)");
    f->add_claim = prepare(f, "INSERT INTO claim VALUES (?1, ?2, ?3)");
}

static void
done(struct floor *f, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    if (rc != SQLITE_DONE)
        fail(f, "a write");
    sqlite3_reset(statement);
}

/* A claim key that is new: outlet and till at random as tills are, a number that rises. */
static void
make_claim(struct floor *f, char *key)
{
    memcpy(key, f->claim_key.bytes, (size_t)f->claim_key.size);
    key[9] = (char)('0' + f->next_op % 50 / 10);  /* the outlet's first letter */
    key[10] = (char)('0' + f->next_op % 10);
    memcpy(key + f->claim_key.size - 9, &f->next_op, 8);
}

static void
add_receipt(struct floor *f, int64_t owner, int64_t op)
{
    sqlite3_bind_int64(f->add_receipt, 1, owner);
    sqlite3_bind_int64(f->add_receipt, 2, op);
    sqlite3_bind_int64(f->add_receipt, 3, 0);
    sqlite3_bind_blob(f->add_receipt, 4, f->receipt_body.bytes, f->receipt_body.size, SQLITE_STATIC);
    done(f, f->add_receipt);
}

/* Read what a purchase must read; the owner, its version and last movement come back. */
static int64_t
read_all(struct floor *f, const char *claim, int64_t *version, int64_t *last)
{
    const char *key = f->key[next_random(f) % f->key_count];
    int64_t owner = 0;

    sqlite3_bind_blob(f->get_claim, 1, claim, f->claim_key.size, SQLITE_STATIC);
    sqlite3_step(f->get_claim);
    sqlite3_reset(f->get_claim);
    sqlite3_bind_blob(f->get_directory, 1, key, 16, SQLITE_STATIC);
    if (sqlite3_step(f->get_directory) == SQLITE_ROW)
        owner = sqlite3_column_int64(f->get_directory, 1);
    sqlite3_reset(f->get_directory);
    sqlite3_bind_int64(f->get_owner, 1, owner);
    if (sqlite3_step(f->get_owner) == SQLITE_ROW) {
        *version = sqlite3_column_int64(f->get_owner, 3);
        *last = sqlite3_column_int64(f->get_owner, 4);
    }
    sqlite3_reset(f->get_owner);
    return owner;
}

static void
one_purchase(struct floor *f)
{
    char claim[blob_most];
    int64_t version = 0, last = 0, op = (int64_t)f->next_op++;

    if (f->only_bodies) {
        add_receipt(f, 1, op);
        return;
    }
    make_claim(f, claim);
    int64_t owner = read_all(f, claim, &version, &last);
    sqlite3_bind_int64(f->put_owner, 1, owner);
    sqlite3_bind_int64(f->put_owner, 2, version + 1);
    sqlite3_bind_int64(f->put_owner, 3, last + f->movement_count);
    sqlite3_bind_int64(f->put_owner, 4, op);
    sqlite3_bind_blob(f->put_owner, 5, f->head.bytes, f->head.size, SQLITE_STATIC);
    sqlite3_bind_blob(f->put_owner, 6, f->owner_body.bytes, f->owner_body.size, SQLITE_STATIC);
    done(f, f->put_owner);
    for (int i = 0; i < f->movement_count; i++) {
        const struct movement *m = &f->movement[i];
        const int64_t columns[] = {owner, last + 1 + i, op, m->kind, m->account, m->contra, m->currency,
                                   m->amount, last + 1 + i, op};
        for (int c = 0; c < 10; c++)
            sqlite3_bind_int64(f->add_movement, c + 1, columns[c]);
        sqlite3_bind_blob(f->add_movement, 11, m->body.bytes, m->body.size, SQLITE_STATIC);
        sqlite3_bind_blob(f->add_movement, 12, m->link.bytes, m->link.size, SQLITE_STATIC);
        done(f, f->add_movement);
    }
    add_receipt(f, owner, op);
    sqlite3_bind_blob(f->add_claim, 1, claim, f->claim_key.size, SQLITE_STATIC);
    sqlite3_bind_int64(f->add_claim, 2, owner);
    sqlite3_bind_int64(f->add_claim, 3, op);
    done(f, f->add_claim);
}

static void
run(struct floor *f)
{
    double began = seconds_now(), in_commit = 0;
    uint64_t purchases = 0, commits = 0;

    while (seconds_now() - began < f->seconds) {
        execute(f, "BEGIN IMMEDIATE");
        for (int i = 0; i < f->batch; i++)
            one_purchase(f);
        double before = seconds_now();
        execute(f, "COMMIT");
        in_commit += seconds_now() - before;
        purchases += (uint64_t)f->batch;
        if (++commits % 64 == 0) /* as the server's checkpointer does, but in the same thread */
            sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    double seconds = seconds_now() - began;
    printf("floor_rate %.0f per_second\nfloor_commit %.3f ms\nfloor_batch %d count\n", (double)purchases / seconds,
           in_commit * 1000 / (double)commits, f->batch);
    printf("floor_rows %d+%d+%d bytes_owner_receipt_claim\n", f->owner_body.size, f->receipt_body.size,
           f->claim_key.size);
}

int
main(int argc, char **argv)
{
    static struct floor f = {.batch = 128, .seconds = 5, .cache_mib = 64, .random = 88172645463325252u};

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--only-bodies") == 0)
            f.only_bodies = true;
        else if (strcmp(argv[i], "--db") == 0)
            f.path = value, i++;
        else if (strcmp(argv[i], "--batch") == 0)
            f.batch = atoi(value), i++;
        else if (strcmp(argv[i], "--seconds") == 0)
            f.seconds = atoi(value), i++;
        else if (strcmp(argv[i], "--cache-mib") == 0)
            f.cache_mib = atoi(value), i++;
    }
    if (!f.path || f.batch < 1 || f.seconds < 1) {
        fprintf(stderr, "floor: needs --db FILE; --batch N --seconds N --cache-mib N --only-bodies\n");
        return 2;
    }
    open_book(&f);
    run(&f);
    return 0;
}
