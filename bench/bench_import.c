/*
 * bench_import.c - `import members --offline` beside a bare loader of the same rows.
 *
 * Owns:      the two measurements: the program, from a CSV file to a book that is on the disk; and
 *            plain INSERTs of the very bytes of that book's rows, sorted by key, from memory into a
 *            file with the same tables and pragmas, to the disk as well.
 * Prints:    name value unit ratio; the ratio is that to the bare loader.
 *
 * usage: build/bench/bench_import [MEMBERS]     ($KOPILKA: the program; default build/kopilka)
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { members_default = 200000, columns_max = 16, path_max = 512 };

static const char *const tables[] = { "owner",  "movement",  "receipt", "member",
                                      "person", "directory", "claim" };
enum { table_count = sizeof tables / sizeof tables[0] };

/* A cell as SQLite has it: a number, or `size` bytes of text or a blob. */
struct cell {
    int type;
    int size;
    union {
        int64_t number;
        char *bytes;
    } of;
};

struct rows {
    int columns;
    size_t count, cap;
    struct cell *cell;
    char *ddl;
};

static void
require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_import: %s\n", what);
    exit(1);
}

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Run a program without its output; how long it took. */
static double
run(const char *const *words)
{
    double began = seconds();
    int status = 1;

    pid_t child = fork();
    require(child >= 0, "cannot fork");
    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        execv(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    require(waitpid(child, &status, 0) == child && status == 0, words[0]);
    return seconds() - began;
}

/* ---- the bare loader ---- */

static void
read_table(sqlite3 *db, const char *table, struct rows *rows)
{
    char sql[256];
    sqlite3_stmt *statement;

    snprintf(sql, sizeof sql, "SELECT sql FROM sqlite_schema WHERE name = '%s'", table);
    require(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    require(sqlite3_step(statement) == SQLITE_ROW, table);
    rows->ddl = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    snprintf(sql, sizeof sql, "SELECT * FROM %s", table); /* rows lie in the order of their key */
    require(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    rows->columns = sqlite3_column_count(statement);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        if (rows->count == rows->cap) {
            rows->cap = rows->cap ? 2 * rows->cap : 4096;
            rows->cell = realloc(rows->cell,
                                 rows->cap * (size_t)rows->columns * sizeof *rows->cell);
            require(rows->cell, "no memory");
        }
        struct cell *cell = rows->cell + rows->count++ * (size_t)rows->columns;
        for (int i = 0; i < rows->columns; i++) {
            cell[i].type = sqlite3_column_type(statement, i);
            cell[i].size = sqlite3_column_bytes(statement, i);
            if (cell[i].type == SQLITE_INTEGER) {
                cell[i].of.number = sqlite3_column_int64(statement, i);
            } else {
                cell[i].of.bytes = malloc((size_t)cell[i].size + 1);
                require(cell[i].of.bytes, "no memory");
                memcpy(cell[i].of.bytes, sqlite3_column_blob(statement, i), (size_t)cell[i].size);
            }
        }
    }
    sqlite3_finalize(statement);
}

static void
load_table(sqlite3 *db, const char *table, const struct rows *rows)
{
    char sql[256] = "";
    sqlite3_stmt *statement;

    size_t size = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?", table);
    for (int i = 1; i < rows->columns; i++)
        size += (size_t)snprintf(sql + size, sizeof sql - size, ",?");
    snprintf(sql + size, sizeof sql - size, ")");
    require(sqlite3_exec(db, rows->ddl, NULL, NULL, NULL) == SQLITE_OK, rows->ddl);
    require(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    for (size_t r = 0; r < rows->count; r++) {
        const struct cell *cell = rows->cell + r * (size_t)rows->columns;
        for (int i = 0; i < rows->columns; i++) {
            if (cell[i].type == SQLITE_INTEGER)
                sqlite3_bind_int64(statement, i + 1, cell[i].of.number);
            else if (cell[i].type == SQLITE_TEXT)
                sqlite3_bind_text(statement, i + 1, cell[i].of.bytes, cell[i].size, SQLITE_STATIC);
            else
                sqlite3_bind_blob(statement, i + 1, cell[i].of.bytes, cell[i].size, SQLITE_STATIC);
        }
        require(sqlite3_step(statement) == SQLITE_DONE, sqlite3_errmsg(db));
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
}

static double
load_bare(const char *path, const struct rows *rows)
{
    sqlite3 *db;

    unlink(path);
    double began = seconds();
    require(sqlite3_open(path, &db) == SQLITE_OK, path);
    require(sqlite3_exec(db,
                         "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF;"
                         "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; BEGIN",
                         NULL, NULL, NULL) == SQLITE_OK,
            "pragmas");
    for (size_t i = 0; i < table_count; i++)
        load_table(db, tables[i], &rows[i]);
    require(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "commit");
    require(sqlite3_close(db) == SQLITE_OK, "close");
    int file = open(path, O_RDWR);
    require(file >= 0 && fsync(file) == 0, "fsync");
    close(file);
    return seconds() - began;
}

/* ---- both ---- */

struct place {
    char folder[path_max], csv[path_max + 16], book[path_max + 16], bare[path_max + 16];
};

static void
make_place(struct place *place)
{
    const char *top = getenv("TMPDIR");

    snprintf(place->folder, sizeof place->folder, "%s/bench-import-XXXXXX", top ? top : "/tmp");
    require(mkdtemp(place->folder) != NULL, "cannot make a folder");
    snprintf(place->csv, sizeof place->csv, "%s/members.csv", place->folder);
    snprintf(place->book, sizeof place->book, "%s/book.db", place->folder);
    snprintf(place->bare, sizeof place->bare, "%s/bare.db", place->folder);
}

static double
load_book(const struct place *place, const char *members)
{
    const char *kopilka = getenv("KOPILKA") ? getenv("KOPILKA") : "build/kopilka";

    run((const char *const[]){ "tools/make-members", members, place->csv, NULL });
    run((const char *const[]){ kopilka, "programme", "publish", "programmes/awn/programme.json",
                               "--from", "2020-01-01T00:00:00Z", "--db", place->book, NULL });
    return run((const char *const[]){ kopilka, "import", "members", place->csv, "--programme",
                                      "awn", "--offline", "--db", place->book, NULL });
}

int
main(int argc, char **argv)
{
    struct rows rows[table_count] = { { 0 } };
    struct place place;
    char members[32];
    sqlite3 *db;

    long count = argc > 1 ? strtol(argv[1], NULL, 10) : members_default;
    require(count > 0, "how many members?");
    snprintf(members, sizeof members, "%ld", count);
    make_place(&place);
    double whole = load_book(&place, members);
    require(sqlite3_open_v2(place.book, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, place.book);
    size_t total = 0;
    for (size_t i = 0; i < table_count; i++) {
        read_table(db, tables[i], &rows[i]);
        total += rows[i].count;
    }
    sqlite3_close(db);
    require(rows[0].count == (size_t)count, "not every member was enrolled");
    double bare = load_bare(place.bare, rows);
    printf("import_offline_members %.0f per_second %.2f\n", (double)count / whole, bare / whole);
    printf("import_bare_loader %.0f per_second 1.00\n", (double)count / bare);
    printf("import_rows_per_member %.1f rows 1.00\n", (double)total / (double)count);
    run((const char *const[]){ "/bin/rm", "-rf", place.folder, NULL });
    return 0;
}
