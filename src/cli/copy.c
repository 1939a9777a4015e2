/*
 * copy.c - what `backup` and `restore` share: the note beside a copy, bytes and their checksum.
 *
 * Owns:      the form of FILE.sha256, reading and checking a file piece by piece.
 * Must not:  know what is in a book.
 * Invariant: nothing that is there is ever written over.
 * Tests:     tests/stories/backup
 */
#include "cli/copy.h"

#include "core/civil.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { piece_bytes = 1 << 20, note_bytes_max = 16384 };

void
copy_instant(unix_ms at, char out[instant_chars_max])
{
    struct buf buf;

    buf_init_fixed(&buf, out, instant_chars_max - 1);
    instant_format(&buf, at);
    buf_add_char(&buf, '\0');
}

static enum code
fail(struct err *err, const char *what, const char *path)
{
    return err_set(err, errno == EEXIST ? CODE_CONFLICT : CODE_IO, "cannot %s '%s': %s", what, path,
                   strerror(errno));
}

enum code
copy_sync_folder(const char *path, struct err *err)
{
    char folder[path_bytes_max];

    snprintf(folder, sizeof(folder), "%s", path);
    int file = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = file >= 0 && fsync(file) == 0;
    enum code rc = good ? OK : fail(err, "write the folder of", path);
    if (file >= 0)
        close(file);
    return rc;
}

static bool
write_all(int file, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t put = write(file, bytes, size);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
        }
    }
    return true;
}

/* ---- the note ---- */

enum code
copy_note_write(const char *copy, const struct copy_note *note, struct err *err)
{
    char path[path_bytes_max], text[note_bytes_max], until[instant_chars_max];
    const char *slash = strrchr(copy, '/');

    copy_instant(note->until, until);
    snprintf(path, sizeof(path), "%s.sha256", copy);
    int size = snprintf(text, sizeof(text),
                        "# kopilka backup: every operation answered before %s is in it\n"
                        "# master key: %s (not in the copy; keep it apart)\n"
                        "%s  %s\n",
                        until, note->key[0] ? note->key : "-", note->sha256,
                        slash ? slash + 1 : copy);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return fail(err, "make", path);
    bool good = write_all(file, text, (size_t)size) && fsync(file) == 0;
    enum code rc = good ? OK : fail(err, "write", path);
    close(file);
    return rc ? rc : copy_sync_folder(path, err);
}

static bool
is_hex(const char *digits, size_t size)
{
    return strspn(digits, "0123456789abcdef") >= size;
}

enum code
copy_note_read(const char *copy, struct copy_note *note, struct err *err)
{
    static const char key_line[] = "# master key: ";
    char path[path_bytes_max], line[path_bytes_max];

    *note = (struct copy_note){ 0 };
    snprintf(path, sizeof(path), "%s.sha256", copy);
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, errno == ENOENT ? CODE_NOT_FOUND : CODE_IO, "cannot read '%s': %s",
                       path, strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        const char *key = line + sizeof(key_line) - 1;
        if (strncmp(line, key_line, sizeof(key_line) - 1) == 0 && is_hex(key, fingerprint_chars))
            memcpy(note->key, key, fingerprint_chars);
        else if (line[0] != '#' && is_hex(line, sizeof(note->sha256) - 1))
            memcpy(note->sha256, line, sizeof(note->sha256) - 1);
    }
    fclose(file);
    if (note->sha256[0])
        return OK;
    return err_set(err, CODE_SYNTAX, "'%s' holds no checksum", path);
}

/* ---- bytes ---- */

static enum code
pour(int from, int to, const char *path, struct progress *progress, struct sha256_state *hash,
     struct err *err)
{
    char *piece = malloc(piece_bytes);
    enum code rc = piece ? OK : err_set(err, CODE_NO_MEMORY, "no memory to read '%s'", path);
    uint64_t done = 0;

    while (!rc) {
        ssize_t got = read(from, piece, piece_bytes);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (to >= 0 && !write_all(to, piece, (size_t)got))) {
            rc = fail(err, got < 0 ? "read" : "copy", path);
            break;
        }
        sha256_add(hash, piece, (size_t)got);
        done += (uint64_t)got;
        progress_step(progress, done);
    }
    if (!rc && to >= 0 && fsync(to) != 0)
        rc = fail(err, "write the copy of", path);
    free(piece);
    return rc;
}

enum code
copy_bytes(const char *from, const char *to, const char *what, char sha256[2 * sha256_bytes + 1],
           struct err *err)
{
    unsigned char hash[sha256_bytes];
    struct sha256_state state;
    struct progress progress;
    struct stat stat;
    int target = -1;

    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0 || fstat(source, &stat) < 0 || !S_ISREG(stat.st_mode)) {
        if (source >= 0)
            close(source);
        return source < 0 ? fail(err, "read", from)
                          : err_set(err, CODE_USAGE, "'%s' is no file", from);
    }
    if (to)
        target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum code rc = to && target < 0 ? fail(err, "make", to) : OK;
    if (!rc) {
        progress_begin(&progress, what, (uint64_t)stat.st_size);
        sha256_begin(&state);
        rc = pour(source, target, from, &progress, &state, err);
        sha256_end(&state, hash);
        hex_encode(hash, sizeof(hash), sha256);
        sha256[2 * sha256_bytes] = '\0';
    }
    if (target >= 0)
        close(target);
    close(source);
    return rc;
}
