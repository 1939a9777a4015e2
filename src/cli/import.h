/*
 * import.h - what the two ways of importing share: the file of refused rows.
 *
 * Owns:      struct refused_rows.
 * Must not:  be included outside cli/import*.c and cli/refused.c.
 */
#ifndef KOP_CLI_IMPORT_H
#define KOP_CLI_IMPORT_H

#include "cli/cli.h"
#include "service/import_row.h"

/* Rows that were refused, as CSV: their own columns, then row, outcome, pointer, sentence. */
struct refused_rows {
    const char *path; /* NULL: only the first ones are told, on stderr */
    FILE *file;       /* made at the first refusal */
    uint64_t count;   /* of rows */
    bool failed;      /* the file could not be written */
};

/* CODE_USAGE: it would overwrite the table itself. */
KOP_MUST_CHECK enum code refused_open(struct refused_rows *refused, const char *path,
                                      const char *table_path, struct err *err);
/* The current row's own columns, to be kept until it is known whether it is refused. */
struct text refused_original(const struct csv *csv, bool broken, struct arena *arena);
void refused_put(struct refused_rows *refused, const struct csv *csv, struct text original,
                 uint64_t row, struct text outcome, struct text pointer, struct text sentence);
/* CODE_IO when it could not be written whole. */
KOP_MUST_CHECK enum code refused_close(struct refused_rows *refused, struct err *err);
/* "the value is malformed: no date like 1990-12-31", in the arena. */
struct text refused_sentence(struct text title, struct text detail, struct arena *arena);

struct import_options {
    struct import_table table; /* kind, programme, offset; the rest is filled in on opening */
    struct text ignore;
    const char *path, *what;
    bool history, russian;
};

/* CODE_NOT_FOUND: the book has no such programme. */
KOP_MUST_CHECK enum code import_check_programme(const struct book *book,
                                                const struct import_options *options,
                                                struct err *err);

/* Members into an empty book without a server (cli/import_offline.c). */
int import_offline(const struct arguments *arguments, struct import_options *options,
                   struct refused_rows *refused);

#endif
