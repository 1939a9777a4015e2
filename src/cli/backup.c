/*
 * backup.c - a copy of the book while it serves.
 *
 * Owns:      `kopilka backup`: who makes the copy, its checksum, what is said of the master key.
 * Must not:  copy the master key: a copy of the book without it tells nobody anything of persons.
 * Invariant: a copy with its note FILE.sha256 is whole, and every operation that was answered
 *            before the instant in the note is in it.
 * Tests:     tests/stories/backup
 *
 * PostgreSQL: pg_dump's copy is the book as it was when the dump began, so that hours of purchases
 * may be missing from it; pg_basebackup -X stream takes the log along to the copy's end. It is run
 * here, and what it made is checked by pg_verifybackup.
 */
#include "cli/control.h"
#include "cli/copy.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct option options[] = { COPY_OPTIONS, { 0 } };

/* The key's file, whose name and fingerprint are told; it need not be readable here. */
static void
know_key(const struct arguments *arguments, char path[path_bytes_max], struct copy_note *note)
{
    const char *named = argument(arguments, "key-file", NULL);
    unsigned char key[master_key_bytes];

    snprintf(path, path_bytes_max, "%s%s", named ? named : argument(arguments, "db", "kopilka.db"),
             named ? "" : ".key");
    if (master_key_read(path, false, key, NULL) == OK)
        master_fingerprint(key, note->key);
}

static void
tell(const struct arguments *arguments, const char *copy, const char *key_path,
     const struct copy_note *note)
{
    bool russian = argument_given(arguments, "russian");
    char until[instant_chars_max];

    copy_instant(note->until, until);
    printf(russian ? "копия: %s\nв ней есть всё, на что ответ дан раньше %s\n"
                     "не в ней: главный ключ %s (отпечаток %s). Храните его копию отдельно: без "
                     "него\nтелефоны и карты никого не находят, личные данные не открываются\n"
                   : "copy: %s\nevery operation answered before %s is in it\n"
                     "not in it: the master key %s (fingerprint %s). Keep a copy of it apart: "
                     "without it\ntelephones and cards find nobody, and personal data stay shut\n",
           copy, until, key_path, note->key[0] ? note->key : "-");
}

/* ---- a file ---- */

static bool
show_pages(void *context, uint64_t done, uint64_t total)
{
    struct progress *progress = context;

    progress->total = total;
    progress_step(progress, done);
    return true;
}

/* Nobody serves the book: it is opened here. */
static enum code
copy_alone(const struct arguments *arguments, const char *path, struct progress *progress,
           unix_ms *until, struct err *err)
{
    struct copy_watch watch = { show_pages, progress };
    struct book_wish wish = { 0 };
    struct book book;
    enum code rc = book_open(arguments, &wish, &book, err);

    if (rc)
        return rc;
    rc = store_backup(book.store, path, &watch, until, err);
    book_close(&book);
    return rc;
}

/* The server may live in another folder. */
static enum code
make_absolute(const char *path, char absolute[path_bytes_max], struct err *err)
{
    char here[path_bytes_max] = "";

    if (path[0] != '/' && !getcwd(here, sizeof(here)))
        return err_set(err, CODE_IO, "there is no folder here: %s", strerror(errno));
    if (strlen(here) + strlen(path) + 16 > path_bytes_max)
        return err_set(err, CODE_USAGE, "the name '%s' is too long", path);
    memcpy(absolute, here, strlen(here));
    snprintf(absolute + strlen(here), path_bytes_max - strlen(here), "%s%s", here[0] ? "/" : "",
             path);
    return OK;
}

static enum code
copy_file(const struct arguments *arguments, struct copy_note *note, struct err *err)
{
    const char *db = argument(arguments, "db", "kopilka.db");
    char path[path_bytes_max], beside[path_bytes_max + 8];
    struct progress progress;
    enum code rc = make_absolute(arguments->word[0], path, err);

    if (rc)
        return rc;
    snprintf(beside, sizeof(beside), "%s.sha256", path);
    if (access(path, F_OK) == 0 || access(beside, F_OK) == 0)
        return err_set(err, CODE_CONFLICT, "cannot copy to '%s': it or its .sha256 is there", path);
    progress_begin(&progress, "copy (pages)", 0);
    rc = control_ask_copy(db, path, &progress, &note->until, err);
    if (rc == CODE_NOT_FOUND)
        rc = copy_alone(arguments, path, &progress, &note->until, err);
    if (!rc)
        rc = copy_bytes(path, NULL, "checksum (bytes)", note->sha256, err);
    if (!rc)
        rc = copy_note_write(path, note, err);
    return rc;
}

/* ---- PostgreSQL ---- */

/* Run a program and wait; its output is its own. NOT_FOUND: it is not installed. */
static enum code
run_program(const char *const *word, struct err *err)
{
    int status;
    pid_t child;
    int why = posix_spawnp(&child, word[0], NULL, NULL, (char *const *)(uintptr_t)word, environ);

    if (why)
        return err_set(err, why == ENOENT ? CODE_NOT_FOUND : CODE_IO, "cannot run %s: %s", word[0],
                       strerror(why));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    return err_set(err, CODE_IO, "%s failed", word[0]);
}

static enum code
copy_database(const struct arguments *arguments, struct copy_note *note, struct err *err)
{
    const char *folder = arguments->word[0];
    const char *const copy[] = { "pg_basebackup",
                                 "--pgdata",
                                 folder,
                                 "--dbname",
                                 argument(arguments, "store", NULL),
                                 "--wal-method=stream",
                                 "--checkpoint=fast",
                                 "--manifest-checksums=SHA256",
                                 "--label=kopilka backup",
                                 "--no-password",
                                 "--progress",
                                 NULL };
    const char *const check[] = { "pg_verifybackup", "--quiet", folder, NULL };
    struct host host = host_system();
    struct book_wish wish = { 0 };
    struct book book;
    enum code rc = book_open(arguments, &wish, &book, err); /* is it a book, and is the key its? */

    if (rc)
        return rc;
    book_close(&book);
    note->until = host.now(host.context); /* and more: the copy holds all up to its end */
    rc = run_program(copy, err);
    if (rc == CODE_NOT_FOUND)
        return err_wrap(err, "PostgreSQL is copied by its own pg_basebackup, which is not here "
                             "(Debian: package postgresql-client); run it where it is");
    if (rc)
        return err_wrap(err, "the user needs REPLICATION, and a line 'replication' in pg_hba.conf");
    rc = run_program(check, err);
    if (rc)
        return err_wrap(err, "the copy '%s' was made, but not checked", folder);
    return OK;
}

static int
run(const struct arguments *arguments)
{
    bool is_database = argument_given(arguments, "store");
    struct copy_note note = { 0 };
    char key_path[path_bytes_max];
    struct err err;

    if (is_database && argument_given(arguments, "db")) {
        err_set(&err, CODE_USAGE, "--db and --store name two books");
        return complain(&err);
    }
    know_key(arguments, key_path, &note);
    if (is_database ? copy_database(arguments, &note, &err) : copy_file(arguments, &note, &err))
        return complain(&err);
    tell(arguments, arguments->word[0], key_path, &note);
    return 0;
}

const struct command command_backup = {
    .name = "backup",
    .words = "FILE",
    .words_min = 1,
    .words_max = 1,
    .summary = "a consistent copy of the book, while it serves",
    .help =
        "  kopilka backup /backup/monday.db --db kopilka.db\n"
        "  kopilka backup /backup/monday --store postgres://copier@db1/loyalty\n\n"
        "A file: where a server serves the book, it makes the copy; every operation answered "
        "before the\nprinted instant, the copy's end, is in it. FILE.sha256 beside it has that "
        "instant and the checksum\n(`sha256sum -c FILE.sha256`). PostgreSQL: pg_basebackup with "
        "its log makes the folder FILE, and\npg_verifybackup checks it; the user needs "
        "REPLICATION. Nothing that is there is written over.\n"
        "The master key is NOT in the copy. Keep a copy of the key file in another place: a thief "
        "then needs\nboth, and so do you. Try it: `kopilka restore FILE --db NEW`.",
    .option = options,
    .run = run,
};
