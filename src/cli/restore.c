/*
 * restore.c - a book out of a copy, checked before it gets its name.
 *
 * Owns:      `kopilka restore`.
 * Must not:  write over anything, or make a master key.
 * Invariant: the book NEW is there only when its bytes are those of the copy, its schema is known,
 *            the key file is its own, and verify found nothing.
 * Tests:     tests/stories/backup
 */
#include "cli/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct option options[] = {
    COPY_OPTIONS,
    { "no-checksum", NULL, "the copy has no .sha256: let verify alone decide" },
    { 0 },
};
enum { db_option = 0, key_option = 1 }; /* where BOOK_OPTIONS has them */

struct restoring {
    const struct arguments *arguments;
    const char *copy, *db, *key;
    char part[path_bytes_max], key_path[path_bytes_max];
    struct verify_result found;
};

static const char postgres_steps[] =
    "a copy of PostgreSQL becomes a database by PostgreSQL's own means:\n"
    "  pg_verifybackup COPY\n"
    "  cp -a COPY NEW-DATA-DIRECTORY; chown -R postgres NEW-DATA-DIRECTORY; chmod 700 "
    "NEW-DATA-DIRECTORY\n"
    "  pg_ctl start -D NEW-DATA-DIRECTORY\n"
    "  kopilka verify --store postgres://USER@HOST/DATABASE --key-file KEY";

static bool
is_there(const char *path, const char *end)
{
    char whole[path_bytes_max + 16];

    snprintf(whole, sizeof(whole), "%s%s", path, end);
    return access(whole, F_OK) == 0;
}

/* What can be said before a byte is copied. */
static enum code
look_first(struct restoring *it, struct copy_note *note, struct err *err)
{
    unsigned char key[master_key_bytes];
    char fingerprint[fingerprint_chars + 1];
    struct stat stat_of;

    if (argument_given(it->arguments, "store") ||
        (stat(it->copy, &stat_of) == 0 && S_ISDIR(stat_of.st_mode)))
        return err_set(err, CODE_USAGE, "%s", postgres_steps);
    if (!it->db)
        return err_set(err, CODE_USAGE, "--db names the new book");
    if (is_there(it->db, "") || is_there(it->db, "-wal"))
        return err_set(err, CODE_CONFLICT, "'%s' is there already: a book is never written over",
                       it->db);
    if (is_there(it->copy, "-wal"))
        return err_set(err, CODE_USAGE, "'%s' has a log beside it: it is a book in use and no copy",
                       it->copy);
    enum code rc = copy_note_read(it->copy, note, err);
    if (rc == CODE_NOT_FOUND && argument_given(it->arguments, "no-checksum"))
        rc = OK;
    else if (rc == CODE_NOT_FOUND)
        err_wrap(err, "without its checksum a copy may be damaged unseen (--no-checksum: go on)");
    if (!rc)
        rc = master_key_read(it->key, false, key, err);
    if (rc)
        return rc;
    master_fingerprint(key, fingerprint);
    if (note->key[0] && strcmp(note->key, fingerprint) != 0)
        return err_set(err, CODE_CORRUPT, "the copy needs the master key %s, and '%s' is %s",
                       note->key, it->key, fingerprint);
    return OK;
}

static void
show_verify(void *context, uint64_t done)
{
    progress_step(context, done);
}

/* Open the part as a book, which looks at its schema and at the key; then verify. */
static enum code
check_part(struct restoring *it, struct err *err)
{
    struct arguments as_part = *it->arguments;
    struct book_wish wish = { 0 };
    struct progress progress;
    struct book book;

    as_part.value[db_option] = it->part;
    as_part.value[key_option] = it->key;
    enum code rc = book_open(&as_part, &wish, &book, err);
    if (rc)
        return rc;
    progress_begin(&progress, "verify (owners)", 0);
    rc = service_verify(book.service, show_verify, &progress, &it->found, err);
    book_close(&book);
    if (!rc && it->found.faults > 0)
        rc = err_set(err, CODE_CORRUPT, "%llu faults, the first: owner %llu, movement %u: %s",
                     (unsigned long long)it->found.faults, (unsigned long long)it->found.owner_id,
                     it->found.movement_no, it->found.what);
    return rc;
}

/* link() refuses a name that is taken, rename() would not. */
static enum code
give_name(const struct restoring *it, struct err *err)
{
    if (is_there(it->part, "-wal"))
        return err_set(err, CODE_IO, "'%s' did not close", it->part);
    if (link(it->part, it->db) != 0)
        return err_set(err, errno == EEXIST ? CODE_CONFLICT : CODE_IO, "cannot name '%s': %s",
                       it->db, strerror(errno));
    return copy_sync_folder(it->db, err);
}

static void
remove_part(const struct restoring *it)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char whole[path_bytes_max + 16];

    for (size_t i = 0; i < KOP_COUNT(ends); i++) {
        snprintf(whole, sizeof(whole), "%s%s", it->part, ends[i]);
        unlink(whole);
    }
}

static enum code
restore(struct restoring *it, struct err *err)
{
    char sha256[2 * sha256_bytes + 1];
    struct copy_note note;
    enum code rc = look_first(it, &note, err);

    if (rc)
        return rc;
    if (is_there(it->part, ""))
        return err_set(err, CODE_CONFLICT, "'%s' is there: a restore that was killed left it; "
                       "remove it", it->part);
    rc = copy_bytes(it->copy, it->part, "copy (bytes)", sha256, err);
    if (!rc && note.sha256[0] && strcmp(note.sha256, sha256) != 0)
        rc = err_set(err, CODE_CORRUPT, "the copy is damaged: its SHA-256 is %s, not %s", sha256,
                     note.sha256);
    if (!rc)
        rc = check_part(it, err);
    if (!rc)
        rc = give_name(it, err);
    remove_part(it);
    return rc;
}

static int
run(const struct arguments *arguments)
{
    struct restoring it = {
        .arguments = arguments,
        .copy = arguments->word[0],
        .db = argument(arguments, "db", NULL),
        .key = argument(arguments, "key-file", NULL),
    };
    struct err err;

    if (it.db && strlen(it.db) + 16 > path_bytes_max) {
        err_set(&err, CODE_USAGE, "the name '%s' is too long", it.db);
        return complain(&err);
    }
    snprintf(it.part, sizeof(it.part), "%s.part", it.db ? it.db : "");
    snprintf(it.key_path, sizeof(it.key_path), "%s.key", it.db ? it.db : "");
    if (!it.key)
        it.key = it.key_path;
    enum code rc = restore(&it, &err);
    if (rc) {
        if (rc != CODE_USAGE)
            err_wrap(&err, argument_given(arguments, "russian") ? "копия '%s' не восстановлена"
                                                                : "'%s' is not restored",
                     it.copy);
        return complain(&err);
    }
    printf(argument_given(arguments, "russian")
               ? "книга %s: владельцев %llu, движений %llu, ошибок нет\nдальше: kopilka serve "
                 "--db %s --key-file %s\n"
               : "book %s: owners %llu, movements %llu, no faults\nnext: kopilka serve --db %s "
                 "--key-file %s\n",
           it.db, (unsigned long long)it.found.owners, (unsigned long long)it.found.movements,
           it.db, it.key);
    return 0;
}

const struct command command_restore = {
    .name = "restore",
    .words = "FILE",
    .words_min = 1,
    .words_max = 1,
    .summary = "a new book out of a copy, checked from end to end",
    .help =
        "  kopilka restore /backup/monday.db --db /new/kopilka.db --key-file "
        "/safe/kopilka.db.key\n\n"
        "Copies FILE, compares its checksum with FILE.sha256, opens it (schema, master key), "
        "verifies every\nowner, and only then gives it the name NEW of --db. Nothing is written "
        "over, no key is made.\nTo put a book back: stop the server, move the old book with its "
        "-wal and -shm away, restore, start.\nWhat was booked after the copy is not in it: tills "
        "that send such receipts again book them again.\nTry a restore from time to time: a copy "
        "that nobody has restored is a hope.",
    .option = options,
    .run = run,
};
