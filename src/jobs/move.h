/*
 * move.h - carrying a book from one store to another while the first one goes on working.
 *
 * Owns:      struct move_options, struct move_result; what a pass is.
 * Must not:  know which databases these are, or what a row means beyond its key and an owner's
 *            version.
 */
#ifndef KOP_JOBS_MOVE_H
#define KOP_JOBS_MOVE_H

#include "service/service.h"

struct move_progress {
    const char *what;     /* "copy", "catch up", "last pass", "look back": each a bar of its own */
    uint64_t done, total; /* rows looked at; total 0: unknown */
};

struct move_options {
    struct store *from, *to; /* both opened with `moving`; `to` has threads or is inline */
    /*
     * Make the last pass as well, with the source's writers kept out, and mark the target as
     * whole. Otherwise the move stops where only a little is left to do.
     */
    bool finish;
    /* Under the same lock: are the books the same? NULL: rows and counts were compared, no more. */
    enum code (*compare)(void *context, struct err *err);
    void (*progress)(void *context, const struct move_progress *progress);
    void *context;
};

struct move_result {
    bool resumed, finished;
    uint32_t passes;    /* made by this call */
    uint64_t written;   /* rows that went to the target */
    uint64_t last_pass; /* of them, in the last pass: what was still different */
    uint64_t stop_ms;   /* how long the source's writers were kept out */
    /* A journal of the source that grew after the end: a server was forgotten there. NULL: none. */
    const char *written_after;
};

/*
 * Begin a move, or go on with one that was cut short. CODE_CONFLICT with a sentence in both
 * languages: the target is the source, holds something else, or another process is at it.
 */
KOP_MUST_CHECK enum code move_run(const struct move_options *options, struct move_result *result,
                                  struct err *err);

#endif
