/*
 * import_offline.c - members into an empty book that no server uses: `import members --offline`.
 *
 * Owns:      opening the book alone, telling how far it is and how fast it went.
 * Invariant: a load that was cut short leaves a book that says so when it is opened.
 * Tests:     tests/stories/import
 */
#include "cli/import.h"

#include "jobs/bulk_import.h"

#include <time.h>

enum { offline_cache_bytes = 64 << 20 };

/* What a refused row is told with: the table stands at it. */
struct offline {
    const struct import_options *options;
    struct refused_rows *refused;
    struct csv *csv;
    struct arena arena;
    struct progress progress;
};

static void
refuse(void *context, enum outcome outcome, struct text pointer, struct text detail)
{
    struct offline *offline = context;
    bool broken = csv_problem(offline->csv)[0] != '\0';
    struct text title = text_of(outcome_sentence(outcome, offline->options->russian));

    arena_reset(&offline->arena);
    struct text original = refused_original(offline->csv, broken, &offline->arena);
    refused_put(offline->refused, offline->csv, original, csv_row(offline->csv),
                text_of(outcome_name(outcome)), pointer,
                refused_sentence(title, detail, &offline->arena));
}

static void
show_progress(void *context, uint64_t bytes)
{
    struct offline *offline = context;

    progress_step(&offline->progress, bytes);
}

static double
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum code
load_all(struct offline *offline, const struct book *book, struct bulk_result *result,
         struct err *err)
{
    struct bulk_load_options options = {
        .service = book->service,
        .store = book->store,
        .tenant = book->tenant,
        .csv = offline->csv,
        .table = &offline->options->table,
        .refused = refuse,
        .context = offline,
    };
    struct bulk_load *load;

    enum code rc = bulk_load_open(&options, &load, err);
    if (rc)
        return rc == CODE_BUSY ? err_wrap(err, "another program has the book open")
               : rc == CODE_CONFLICT
                   ? err_set(err, CODE_CONFLICT,
                             "the book has members or cards already: leave --offline out")
                   : rc;
    rc = bulk_import_run(load, show_progress, offline, err);
    if (!rc)
        rc = bulk_load_finish(load, result, err);
    bulk_load_close(load);
    return rc;
}

/* With the book open and the table's columns understood. */
static int
run(struct offline *offline, const struct book *book)
{
    struct bulk_result result;
    double began = seconds_now();
    struct err err;

    progress_begin(&offline->progress, "members (bytes)", csv_bytes_total(offline->csv));
    enum code rc = load_all(offline, book, &result, &err);
    if (rc)
        return complain(&err);
    progress_end(&offline->progress, csv_bytes_total(offline->csv));
    double took = seconds_now() - began;
    if (refused_close(offline->refused, &err))
        return complain(&err);
    printf(
        "members: %llu rows, %llu enrolled, %llu repeated, %llu refused; %.1f s, %.0f a second\n",
        (unsigned long long)result.rows, (unsigned long long)result.members,
        (unsigned long long)result.repeated, (unsigned long long)result.refused, took,
        (double)result.members / took);
    return result.refused ? 1 : 0;
}

int
import_offline(const struct arguments *arguments, struct import_options *options,
               struct refused_rows *refused)
{
    struct book_wish wish = { .alone = true, .cache_bytes = offline_cache_bytes };
    struct offline offline = { .options = options, .refused = refused };
    struct book book;
    struct err err;
    int status;

    if (csv_open(options->path, &offline.csv, &err))
        return complain(&err);
    if (import_table_open(&options->table, offline.csv, options->ignore, &err) ||
        book_open(arguments, &wish, &book, &err)) {
        csv_close(offline.csv);
        return complain(&err);
    }
    arena_init_heap(&offline.arena);
    status = import_check_programme(&book, options, &err) ? complain(&err) : run(&offline, &book);
    arena_release(&offline.arena);
    book_close(&book);
    csv_close(offline.csv);
    return status;
}
