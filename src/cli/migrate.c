/*
 * migrate.c - a book from a file to PostgreSQL, or back: the command `migrate`.
 *
 * Owns:      the two ends and how they are named; what is told; comparing both books at the end.
 * Must not:  copy rows (jobs/move.h does).
 * Invariant: without --finish the target stays marked as half moved, and no server starts on it.
 * Tests:     tests/stories/migrate
 */
#include "cli/cli.h"

#include "jobs/move.h"
#include "service/crypto.h"

#include <string.h>
#include <unistd.h>

enum { path_bytes_max = 1024 };

struct ends {
    struct store *from, *to;
    const char *from_name, *to_name, *key_file;
    struct progress progress;
    uint64_t done;
    const char *what;
    unsigned char state_hash[32];
};

/* ---- opening ---- */

/* "sqlite:FILE" or a URL of PostgreSQL, as options of a store. */
static enum code
read_name(const char *name, struct store_options *options, struct err *err)
{
    enum { answer_ms = 10 * 60 * 1000 }; /* counting the rows of a table takes its time */

    *options =
        (struct store_options){ .moving = true, .readers = 2, .lanes = 1, .answer_ms = answer_ms };
    if (strncmp(name, "sqlite:", 7) == 0 && name[7] != '\0')
        options->path = name + 7;
    else if (strncmp(name, "postgres://", 11) == 0 || strncmp(name, "postgresql://", 13) == 0)
        options->conninfo = name;
    else
        return err_set(err, CODE_USAGE,
                       "'%s' is neither sqlite:FILE nor postgres://USER@HOST/DATABASE", name);
    return OK;
}

static enum code
open_one(const struct store_options *options, struct store **store, struct err *err)
{
    return options->path != NULL ? store_open_sqlite(options, store, err)
                                 : store_open_postgres(options, store, err);
}

static enum code
open_ends(struct ends *ends, struct err *err)
{
    struct store_options from, to;

    enum code rc = read_name(ends->from_name, &from, err);
    if (rc == OK)
        rc = read_name(ends->to_name, &to, err);
    if (rc)
        return rc;
    rc = open_one(&from, &ends->from, err);
    if (rc)
        return err_wrap(err, "source (источник)");
    rc = open_one(&to, &ends->to, err); /* a book of another schema is not brought up on the way */
    if (rc == CODE_NOT_FOUND) {
        to.create = true;
        rc = open_one(&to, &ends->to, err);
    }
    return rc ? err_wrap(err, "target (приёмник)") : OK;
}

/* Where the master key lies: beside the file that is one of the ends. */
static const char *
key_path(const struct arguments *arguments, const char *from, const char *to, char *room)
{
    const char *given = argument(arguments, "key-file", NULL);
    const char *ends[] = { from, to };

    for (int i = 0; i < 2 && given == NULL; i++) {
        if (strncmp(ends[i], "sqlite:", 7) != 0)
            continue;
        snprintf(room, path_bytes_max, "%s.key", ends[i] + 7);
        if (access(room, F_OK) == 0)
            given = room;
    }
    return given != NULL ? given : "kopilka.db.key";
}

/* ---- progress ---- */

static void
show(void *context, const struct move_progress *progress)
{
    struct ends *ends = context;

    if (ends->what != progress->what) {
        if (ends->what != NULL)
            progress_end(&ends->progress, ends->done);
        progress_begin(&ends->progress, progress->what, progress->total);
        ends->what = progress->what;
    }
    ends->done = progress->done;
    progress_step(&ends->progress, progress->done);
}

static void
show_verify(void *context, uint64_t done)
{
    struct ends *ends = context;
    struct move_progress progress = { .what = ends->what, .done = done };

    show(ends, &progress);
}

static void
end_bar(struct ends *ends)
{
    if (ends->what != NULL)
        progress_end(&ends->progress, ends->done);
    ends->what = NULL;
}

/* ---- are the books the same? ---- */

static enum code
verify_one(struct ends *ends, struct store *store, const char *what, unsigned char hash[32],
           struct err *err)
{
    struct service_options options = { .store = store, .host = host_system() };
    struct move_progress progress = { .what = what };
    struct verify_result result;
    struct service *service;

    enum code rc = master_key_read(ends->key_file, false, options.master_key, err);
    if (rc == OK)
        rc = service_open(&options, &service, err);
    if (rc)
        return rc;
    show(ends, &progress);
    rc = service_verify(service, show_verify, ends, &result, err);
    service_close(service);
    memcpy(hash, result.state_hash, sizeof result.state_hash);
    if (rc == OK && result.faults > 0)
        rc = err_set(err, CODE_CORRUPT, "%s: owner %llu, movement %u: %s", what,
                     (unsigned long long)result.owner_id, (unsigned)result.movement_no,
                     result.what);
    return rc;
}

static enum code
compare_books(void *context, struct err *err)
{
    struct ends *ends = context;
    unsigned char source[32];

    enum code rc = verify_one(ends, ends->from, "verify source", source, err);
    if (rc == OK)
        rc = verify_one(ends, ends->to, "verify target", ends->state_hash, err);
    if (rc == OK && memcmp(source, ends->state_hash, sizeof source) != 0)
        rc = err_set(err, CODE_CORRUPT,
                     "source and target have different state hashes / "
                     "у источника и приёмника разные хэши состояния");
    return rc;
}

/* ---- the command ---- */

static void
tell_finished(const struct ends *ends, const struct move_result *result, bool compared)
{
    printf("moved: %llu rows written, %llu of them in the last pass; writers were kept out for "
           "%llu ms\n",
           (unsigned long long)result->written, (unsigned long long)result->last_pass,
           (unsigned long long)result->stop_ms);
    if (compared) {
        char hash[2 * 32 + 1] = "";
        hex_encode(ends->state_hash, sizeof ends->state_hash, hash);
        printf("both books are right, state %s\n", hash);
    }
    printf("start the servers on the target with the same key file; do not start one on the source "
           "again\n");
}

static int
complain_late(const char *table)
{
    fprintf(stderr,
            "kopilka: the source was written after the move ended ('%s'): a server still runs on "
            "it; stop it, what it sold since is not in the target\n"
            "kopilka: в источник писали после переноса ('%s'): на нём ещё работает сервер; "
            "остановите его, проданного с тех пор в приёмнике нет\n",
            table, table);
    return 1;
}

static int
run(const struct arguments *arguments)
{
    char room[path_bytes_max];
    struct ends ends = {
        .from_name = argument(arguments, "from", NULL),
        .to_name = argument(arguments, "to", NULL),
    };
    bool compares = argument_given(arguments, "finish") && !argument_given(arguments, "quick");
    struct move_result result;
    unsigned char key[master_key_bytes];
    struct err err;

    if (ends.from_name == NULL || ends.to_name == NULL) {
        fprintf(stderr, "kopilka: migrate needs --from and --to; see `kopilka migrate --help`\n");
        return 2;
    }
    ends.key_file = key_path(arguments, ends.from_name, ends.to_name, room);
    enum code rc = compares ? master_key_read(ends.key_file, false, key, &err) : OK;
    memset(key, 0, sizeof key);
    if (rc == OK)
        rc = open_ends(&ends, &err);
    if (rc == OK) {
        struct move_options options = {
            .from = ends.from,
            .to = ends.to,
            .finish = argument_given(arguments, "finish"),
            .compare = compares ? compare_books : NULL,
            .progress = show,
            .context = &ends,
        };
        rc = move_run(&options, &result, &err);
        end_bar(&ends);
    }
    store_close(ends.from);
    store_close(ends.to);
    if (rc)
        return complain(&err);
    if (result.finished) {
        tell_finished(&ends, &result, compares);
        if (result.written_after != NULL)
            return complain_late(result.written_after);
    } else
        printf("copied: %llu rows written%s, %llu of them in the last pass; stop the source's "
               "servers and say it again with --finish\n",
               (unsigned long long)result.written, result.resumed ? " since it was cut short" : "",
               (unsigned long long)result.last_pass);
    return 0;
}

static const struct option options[] = {
    { "from", "BOOK", "sqlite:FILE or postgres://USER@HOST/DATABASE; it is not changed" },
    { "to", "BOOK", "the same; new, or half moved from this source" },
    { "finish", NULL, "the source's servers have been stopped: end the move" },
    { "quick", NULL, "with --finish: count rows, but do not verify both books meanwhile" },
    { "key-file", "FILE", "the master key (default: the file's name and .key)" },
    { 0 },
};

static const char help[] =
    "Without --finish the source's servers go on serving: the book is copied, then what changed\n"
    "meanwhile, until little is left. Then stop them and say the same with --finish: it copies\n"
    "the rest while nobody can write the source, compares both books (rows, state hashes), and\n"
    "only then can a server start on the target. Cut short at any point, say the same again: it\n"
    "goes on where it stood. The key file is not copied: servers on the target need the same one.\n"
    "\n"
    "  kopilka migrate --from sqlite:kopilka.db --to postgres://kopilka@db/kopilka\n"
    "  kopilka migrate --from sqlite:kopilka.db --to postgres://kopilka@db/kopilka --finish";

const struct command command_migrate = {
    .name = "migrate",
    .summary = "move a book from a file to PostgreSQL, or back, while it serves",
    .help = help,
    .option = options,
    .run = run,
};
