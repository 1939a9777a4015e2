/*
 * export.c - members, movements and receipts into a table: the command `export`.
 *
 * Owns:      the file: for its owner's eyes, and under its name only when it is whole.
 * Must not:  know columns (service/export.h does).
 * Tests:     tests/stories/import
 */
#include "cli/cli.h"

#include "service/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { page_block_bytes = 1 << 20 };

static const char *const kinds[] = { "members", "movements", "receipts" };

/* Append a page's text to the file. */
static enum code
write_out(int file, const char *path, const struct buf *out, struct err *err)
{
    size_t done = 0;

    while (done < out->len) {
        ssize_t wrote = write(file, out->ptr + done, out->len - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return err_set(err, CODE_IO, "cannot write '%s': %s", path, strerror(errno));
        done += (size_t)wrote;
    }
    return OK;
}

static enum code
export_all(struct export_table *table, int file, const char *path, struct progress *progress,
           struct err *err)
{
    struct arena arena;
    struct buf out;
    bool more = true;

    arena_init_heap(&arena);
    buf_init(&out, &arena, page_block_bytes);
    export_header(table, &out);
    enum code rc = write_out(file, path, &out, err);
    while (!rc && more) {
        out.len = 0;
        rc = export_page(table, &out, &more, err);
        if (!rc)
            rc = write_out(file, path, &out, err);
        progress_step(progress, export_rows(table));
    }
    arena_release(&arena);
    return rc;
}

/* Into `path`.part first. */
static enum code
export_file(struct export_table *table, const char *path, struct progress *progress,
            struct err *err)
{
    char part[1024];

    if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
        return err_set(err, CODE_USAGE, "the name '%s' is too long", path);
    int file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return err_set(err, CODE_IO, "cannot make '%s': %s", part, strerror(errno));
    enum code rc = export_all(table, file, part, progress, err);
    if (!rc && fsync(file) != 0)
        rc = err_set(err, CODE_IO, "cannot write '%s': %s", part, strerror(errno));
    close(file);
    if (!rc && rename(part, path) != 0)
        rc = err_set(err, CODE_IO, "cannot name '%s': %s", path, strerror(errno));
    if (rc)
        unlink(part);
    return rc;
}

static int
run(const struct arguments *arguments)
{
    const char *path = argument(arguments, "out", NULL);
    struct book_wish wish = { 0 };
    struct export_table *table;
    struct progress progress;
    struct book book;
    struct err err;
    int kind = 0;

    while (kind < (int)KOP_COUNT(kinds) && strcmp(arguments->word[0], kinds[kind]) != 0)
        kind++;
    if (kind == (int)KOP_COUNT(kinds) || !path) {
        fprintf(stderr, "kopilka: %s\n",
                path ? "export knows members, movements and receipts" : "export needs --out FILE");
        return 2;
    }
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    enum code rc = export_open(book.service, book.tenant, argument(arguments, "programme", NULL),
                               (enum export_kind)kind, &table, &err);
    if (!rc) {
        progress_begin(&progress, kinds[kind], 0);
        rc = export_file(table, path, &progress, &err);
        if (!rc) {
            progress_end(&progress, export_rows(table));
            printf("%s: %llu rows in %s\n", kinds[kind], (unsigned long long)export_rows(table),
                   path);
        }
        export_close(table);
    }
    book_close(&book);
    return rc ? complain(&err) : 0;
}

static const struct option options[] = {
    BOOK_OPTIONS,
    { "out", "FILE", "the file to write (readable by its owner alone: it holds personal data)" },
    { "programme", "CODE", "the programme (default: the only one)" },
    { 0 },
};

static const char help[] =
    "CSV with commas, UTF-8, a header. A server may run meanwhile: the book is read page by page.\n"
    "\n"
    "members    one row a member: personal data, balances settled to now, levels. Numbers of "
    "cards\n"
    "           are not in the book (only their keyed hashes are), so they cannot be exported.\n"
    "movements  one row a movement: account, contra account, amount, lot, operation, rule.\n"
    "receipts   one row a line of a purchase, with its discount, the money worth of points that\n"
    "           paid for it, and what it earned; redeem.CURRENCY stands on the first line. A "
    "return\n"
    "           has one row for each line that came back; `origin` is the purchase's `operation`.\n"
    "\n"
    "Members can be imported elsewhere as they are, but for the columns that tell and do not ask:\n"
    "  kopilka export members --out members.csv\n"
    "  kopilka import members members.csv --programme awn --db other.db \\\n"
    "      --ignore owner,state,pending.bonus,debt.bonus,level.level";

const struct command command_export = {
    .name = "export",
    .words = "members|movements|receipts --out FILE",
    .words_min = 1,
    .words_max = 1,
    .summary = "write members, movements or receipts into a table (CSV)",
    .help = help,
    .option = options,
    .run = run,
};
