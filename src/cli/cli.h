/*
 * cli.h - the command line: commands, options, an open book.
 *
 * Owns:      how arguments are read, how failures are printed, opening store and service for a
 *            command.
 * Must not:  do what the service can do; cli alone chooses which store.
 */
#ifndef KOP_CLI_CLI_H
#define KOP_CLI_CLI_H

#include "service/service.h"

#include <stdio.h>

/* An option of a command: "--name VALUE", or "--name" when `value` is NULL in the table's
 * meaning. */
struct option {
    const char *name;     /* without the dashes */
    const char *argument; /* what help calls its value; NULL: a flag */
    const char *help;
};
enum { options_per_command_max = 16, words_per_command_max = 8 };

struct arguments {
    const struct option *option;                /* the table given */
    const char *value[options_per_command_max]; /* NULL: absent; "" for a flag that is there */
    const char *word[words_per_command_max];    /* what is no option */
    int word_count;
};

struct command {
    const char *name;
    const char *words; /* for help: "check FILE" */
    const char *summary;
    const char *help;            /* more lines; may be NULL */
    const struct option *option; /* ends with a NULL name */
    int words_min, words_max;
    int (*run)(const struct arguments *arguments);
};

/* 0, or 2 with a message: unknown option, missing value, too many words. `--help` prints and
 * gives -1. */
int arguments_read(const struct command *command, int argc, char **argv, struct arguments *out);
/* The value of option `name`, or `otherwise`. */
const char *argument(const struct arguments *arguments, const char *name, const char *otherwise);
bool argument_given(const struct arguments *arguments, const char *name);
/* A whole number from 0 to `most`; exits with 2 and a sentence when it is none. */
uint64_t argument_number(const struct arguments *arguments, const char *name, uint64_t otherwise,
                         uint64_t most);

/* "kopilka: <text>" on stderr; returns 1 (2 for CODE_USAGE), so that a command ends with `return
 * complain(&err)`. */
int complain(const struct err *err);

/* ---- an open book ---- */

#define BOOK_OPTIONS                                                                               \
    { "db", "FILE", "the book (default: kopilka.db)" },                                            \
        { "key-file", "FILE", "the master key (default: the book's name and .key)" },              \
        { "tenant", "CODE", "the company (default: demo)" },                                       \
    {                                                                                              \
        "store", "URL", "postgres://USER@HOST/DATABASE instead of --db (key: kopilka.db.key)"      \
    }

struct book {
    struct store *store;
    struct service *service;
    uint32_t tenant;
};

struct book_wish {
    bool create; /* make file, key and tenant if they are missing */
    bool upgrade; /* a book of an older program is brought up */
    bool alone;  /* a store without threads, as loading a whole book wants it */
    uint64_t cache_bytes;
    uint32_t readers;
    uint32_t lanes; /* connections to PostgreSQL that write (0: a few, as a command wants) */
};
/* Opens the book that `arguments` name; the key file is made with mode 0600 when `create`. */
KOP_MUST_CHECK enum code book_open(const struct arguments *arguments, const struct book_wish *wish,
                                   struct book *book, struct err *err);
void book_close(struct book *book);

/* The master key in a file; made, mode 0600, when `create` and it is not there. */
KOP_MUST_CHECK enum code master_key_read(const char *path, bool create,
                                         unsigned char key[master_key_bytes], struct err *err);

/* One call as the operator, waited for. The answer lies in `arena`. Returns the HTTP status. */
int book_call(const struct book *book, enum route_name route, const char *param, struct text body,
              const char *idempotency_key, struct arena *arena, struct text *answer);

/* A whole file in the arena. */
KOP_MUST_CHECK enum code file_read(const char *path, struct arena *arena, struct text *content,
                                   struct err *err);
void arena_init_heap(struct arena *arena);

/* ---- progress: a bar on a terminal, plain lines elsewhere ---- */
struct progress {
    const char *what;
    uint64_t total, shown;
    int64_t began_ms, last_ms;
    bool is_terminal;
};
void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_step(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress, uint64_t done);

/* ---- commands, one file each ---- */
extern const struct command command_serve, command_demo, command_import, command_export,
    command_programme, command_evaluate, command_replay, command_verify, command_key, command_daily,
    command_backup, command_restore, command_migrate, command_upgrade;

#endif
