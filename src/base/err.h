/*
 * err.h - failures of the world and of input: a code plus text, wrapped on the way up.
 *
 * Owns:      enum code, struct err.
 * Must not:  carry refusals by the rules (core/outcome.h) or bugs (assert).
 * Invariant: an err is untouched on success; text is lower case, subject in quotes, no full stop.
 */
#ifndef KOP_BASE_ERR_H
#define KOP_BASE_ERR_H

#include "base/check.h"

enum code {
    OK = 0,
    CODE_NO_MEMORY, /* an arena's cap or the system's memory is exhausted */
    CODE_SYNTAX,    /* text that is not what it claims to be (JSON, decimal, date, CSV) */
    CODE_LIMIT,     /* a named limit of core/limits.h is exceeded */
    CODE_RANGE,     /* arithmetic left the range of its type */
    CODE_NOT_FOUND, /* the thing named does not exist */
    CODE_CONFLICT,  /* a key exists already, or a version moved on */
    CODE_BUSY,      /* try again later (queue full, lock) */
    CODE_IO,        /* a file, socket or database failed */
    CODE_CORRUPT,   /* stored bytes are not what was written */
    CODE_UNKNOWN,   /* the outcome is unknown (failure at or after COMMIT) */
    CODE_AGAIN,     /* run the operation again from the start (re-routed, serialisation) */
    CODE_PLAN,      /* a plan that is not in memory is needed first */
    CODE_USAGE,     /* a command line or setting is wrong */
};

enum { err_text_bytes_max = 512 };

struct err {
    enum code code;
    char text[err_text_bytes_max]; /* NUL-terminated, cut at the limit */
};

/* The code's name, e.g. "CODE_SYNTAX". Never NULL. */
const char *code_name(enum code code);

/*
 * Set `err` (which may be NULL) and return `code`, so that a caller writes `return err_set(...)`.
 * The format knows %s %.*s %d %u %lld %llu %c %% and nothing else.
 */
enum code err_set(struct err *err, enum code code, const char *format, ...) KOP_FORMAT(3, 4);

/* Put "<prefix>: " before the text of `err`, return its code; CODE_UNKNOWN when `err` is NULL. */
enum code err_wrap(struct err *err, const char *format, ...) KOP_FORMAT(2, 3);

#endif
