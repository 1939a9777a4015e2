/*
 * verify.h - what the passes of a verification share.
 *
 * Owns:      struct verifying, and where a fault is noted.
 * Must not:  be included by anything but verify*.c.
 */
#ifndef KOP_SERVICE_VERIFY_H
#define KOP_SERVICE_VERIFY_H

#include "service/internal.h"

struct verifying {
    struct service *service;
    struct verify_result *result;
    struct arena arena;         /* of one owner, or of one slice of a table */
    struct arena record;        /* of one record, or of one row */
    struct arena page;          /* of records read at once */
    struct arena movements;     /* of one page of them */
    struct arena claims;        /* that wait to be looked up */
    uint64_t began;             /* ids made before it are less */
    uint64_t rows[table_count]; /* that owners have, as their records and movements tell */
    uint64_t old[table_count];  /* of these, whose age (verify_rows.c) is less than `began` */
};

/* An owner has such rows, of this age. */
static inline void
verify_has(struct verifying *verifying, enum table table, uint64_t count, uint64_t age)
{
    verifying->rows[table] += count;
    verifying->old[table] += age < verifying->began ? count : 0;
}

/* Note a fault; the first stays. `movement_no` 0: the owner's row, or what belongs to it. */
void verify_fault(struct verifying *verifying, uint64_t owner_id, uint32_t movement_no,
                  const char *what);

/*
 * Replay one owner's records and movements, and hold all that belongs to it against them. Faults
 * are noted; a code other than OK: the store cannot be read, or memory is short.
 */
KOP_MUST_CHECK enum code verify_owner(struct verifying *verifying, struct tx *tx,
                                      const struct owner *owner, struct err *err);

/* Decode the record under `row`'s key. CORRUPT: it is not what the key says. */
KOP_MUST_CHECK enum code verify_decode(const struct verifying *verifying,
                                       const struct owner *owner, const struct receipt_row *row,
                                       struct arena *arena, struct record *record,
                                       struct err *err);

/* After all owners: are there rows that no owner has? Their owners are at fault. */
KOP_MUST_CHECK enum code verify_rows(struct verifying *verifying, struct err *err);

#endif
