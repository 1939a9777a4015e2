/*
 * move_inner.h - what the files of a move share: where it stands, and what a pass is made of.
 *
 * Owns:      struct mover.
 * Must not:  be included outside src/jobs/move*.c.
 */
#ifndef KOP_JOBS_MOVE_INNER_H
#define KOP_JOBS_MOVE_INNER_H

#include "jobs/move.h"
#include "jobs/move_rows.h"

#include "base/mem.h"

enum { run_id_bytes = 16, position_text_max = 2304 };
#define MOVE_BY        "move_by"    /* meta: the process that is at it */
#define MOVE_AT        "move_at"    /* meta: where it stands */
#define MOVED_FROM     "moved_from" /* meta of a book that was moved here */
#define POSITION_FIRST "1 0 0 0 0 -"

enum step_kind { STEP_MERGE, STEP_OWNERS, STEP_ARRIVALS, STEP_JOURNAL };
struct step {
    enum step_kind kind;
    enum table table;
};

struct mover {
    const struct move_options *options;
    struct move_result *result;
    struct table_facts from[table_count], to[table_count];
    struct step step[table_count];
    uint32_t step_count;
    char run_id[2 * run_id_bytes + 1];
    struct arena arena; /* of one operation */
    struct outbox outbox;
    struct scan source, target, source_owner, target_owner;
    /* Where it stands: */
    uint32_t pass, at;           /* from 1; the step */
    uint64_t done;               /* rows of the source that the first pass has looked at */
    int64_t began_ms, before_ms; /* this pass and the one before it */
    struct row key; /* of the last row of this step that is in the outbox or the target */
    bool has_key;
    struct arena key_arena[2];
    unsigned which;
    bool is_last;   /* source is locked: positions are not kept */
    bool is_deep;   /* from the first row of everything */
    uint64_t wrote; /* by this pass */
    struct arena meta_arena;
    struct row *meta; /* rows that go along, read in the last pass */
    uint32_t meta_count;
    struct move_progress progress;
};

/* ---- move_place.c ---- */

void move_write_position(const struct mover *mover, struct buf *buf);
KOP_MUST_CHECK enum code move_read_position(struct mover *mover, struct text text, struct err *err);
/* Rows of meta. */
KOP_MUST_CHECK enum code meta_get(struct tx *tx, const char *name, struct arena *arena,
                                  struct text *value, bool *found, struct err *err);
KOP_MUST_CHECK enum code meta_put(struct tx *tx, const char *name, struct text value,
                                  struct err *err);
KOP_MUST_CHECK enum code meta_drop(struct tx *tx, const char *name, struct err *err);
/* Everything up to this row of the step has been added. */
KOP_MUST_CHECK enum code move_pass_key(struct mover *mover, const struct row *row, struct err *err);

/* ---- move_pass.c ---- */

/* Which tables in which order, and how. */
void move_plan_steps(struct mover *mover);
/* From where it stands to the end. */
KOP_MUST_CHECK enum code move_pass(struct mover *mover, struct err *err);
/* One transaction of the target; a busy one is waited for. */
KOP_MUST_CHECK enum code
move_write_target(struct mover *mover,
                  enum code (*run)(struct tx *tx, struct op *op, struct err *err), struct err *err);
/* Nobody else has taken the move over since. After a write to meta, which is the lock. */
KOP_MUST_CHECK enum code move_still_mine(struct mover *mover, struct tx *tx, struct err *err);
KOP_MUST_CHECK enum code move_count(struct mover *mover, struct store *store, struct tx *tx,
                                    enum table table, uint64_t *count, struct err *err);
/* Has the target as many rows as the source? */
KOP_MUST_CHECK enum code move_counts_agree(struct mover *mover, enum table table, bool *agree,
                                           struct err *err);

#endif
