/*
 * copy.h - what `backup` and `restore` share: the note beside a copy, sentences in two languages.
 *
 * Owns:      the form of FILE.sha256, reading and checking a file piece by piece.
 */
#ifndef KOP_CLI_COPY_H
#define KOP_CLI_COPY_H

#include "cli/cli.h"

#include "service/crypto.h"

enum { path_bytes_max = 4096 };

/*
 * FILE.sha256 beside a copy, as `sha256sum -c` reads it; lines with # say more.
 */
struct copy_note {
    char sha256[2 * sha256_bytes + 1];
    char key[fingerprint_chars + 1]; /* of the master key; empty: not known */
    unix_ms until;                   /* what was answered before is in the copy */
};
/* Never over a file that is there. */
KOP_MUST_CHECK enum code copy_note_write(const char *copy, const struct copy_note *note,
                                         struct err *err);
/* NOT_FOUND: there is none. SYNTAX: it is none. */
KOP_MUST_CHECK enum code copy_note_read(const char *copy, struct copy_note *note, struct err *err);

/*
 * SHA-256 of a file, in hexadecimal digits; on the way its bytes go to the new file `to` (NULL:
 * nowhere), mode 0600, which is on the disk when this comes back.
 */
KOP_MUST_CHECK enum code copy_bytes(const char *from, const char *to, const char *what,
                                    char sha256[2 * sha256_bytes + 1], struct err *err);
/* The folder in which `path` lies, on the disk. */
KOP_MUST_CHECK enum code copy_sync_folder(const char *path, struct err *err);

/* An instant for people, RFC 3339. */
enum { instant_chars_max = 40 };
void copy_instant(unix_ms at, char out[instant_chars_max]);

#define COPY_OPTIONS                                                                               \
    BOOK_OPTIONS,                                                                                  \
    {                                                                                              \
        "russian", NULL, "sentences in Russian (по-русски)"                                        \
    }

#endif
