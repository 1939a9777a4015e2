/*
 * audit_history.h - what an owner's operations, one by one, must have left in its row.
 *
 * Owns:      struct history: the parts of the row that records tell and movements do not.
 * Must not:  be included by the files that book; nothing of theirs is used here.
 * Meaning:   each operation of an owner has a record, and each record says which came before it. So
 *            the row's version, time, flags and counters can be made again from the records alone.
 */
#ifndef KOP_LEDGER_AUDIT_HISTORY_H
#define KOP_LEDGER_AUDIT_HISTORY_H

#include "core/record.h"

/* A counter as the records make it; of a rolling one, one day. */
struct history_counter {
    uint8_t no;
    bool rolling;
    int64_t bucket, value;
};

struct history {
    struct arena *arena;
    uint64_t owner_id;
    uint64_t sequence, last_op;
    unix_ms recorded_at;
    bool anonymous;
    bool enrolled; /* by a record; else its first operation made it */
    uint64_t member_id, person_id;
    unix_ms enrolled_at;
    uint32_t counter_count, counter_cap;
    struct history_counter *counter;
};

void history_begin(struct history *history, struct arena *arena, uint64_t owner_id);

/* The next record in order; `last_movement` is the owner's before its operation. CORRUPT: it does
 * not follow those before it. NO_MEMORY. */
KOP_MUST_CHECK enum code history_record(struct history *history, const struct record *record,
                                        uint32_t last_movement, struct err *err);

/* Is the stored row (rolling counters included) what the records left? CORRUPT says what is not. */
KOP_MUST_CHECK enum code history_end(const struct history *history, const struct owner *stored,
                                     struct err *err);

#endif
