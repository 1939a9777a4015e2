/*
 * audit.h - what a replay of an owner's movements has found, for audit.c and audit_row.c.
 *
 * Owns:      struct audit.
 * Must not:  be included by the files that book; nothing of theirs is used here.
 */
#ifndef KOP_LEDGER_AUDIT_H
#define KOP_LEDGER_AUDIT_H

#include "ledger/ledger.h"

/* A lot that some movement made, open or not. */
struct audit_lot {
    uint32_t lot_no;
    uint8_t currency;
    bool pending, seen;
    amount made; /* what it was made with */
    amount peak; /* the most that was ever in it */
    amount left, held;
    amount spent; /* and not restored */
    unix_ms active_from, expires_at;
    unix_ms first_end, last_end; /* the first and the latest expires_at that it ever had */
    unix_ms freed_at;            /* when a part was last given back or released */
    uint64_t cause;
    int32_t rule;
    uint32_t version;
};

/* What one hold holds of one lot. */
struct audit_part {
    uint64_t hold;
    uint32_t lot_no;
    amount points;
};

struct audit_ladder {
    bool known;
    uint8_t level;
    unix_ms since;
};

struct audit {
    struct arena *arena;
    uint64_t owner_id;
    uint32_t last_no;
    uint32_t lot_count, lot_cap;
    struct audit_lot *lot; /* by number: they are made in that order */
    uint32_t part_count, part_cap;
    struct audit_part *part;
    bool touched[currencies_per_programme_max + 1];
    amount account[currencies_per_programme_max + 1][account_count];
    struct audit_ladder ladder[ladders_per_programme_max + 1];
    uint32_t fault_no; /* movement at fault; 0: the row */
    struct err fault;  /* code OK: none yet */
};

/* The lot that movement `lot_no` made, or NULL. */
struct audit_lot *audit_find_lot(const struct audit *audit, uint32_t lot_no);

/* The first difference between the replay and the stored row, into `audit->fault`. */
void audit_compare_row(struct audit *audit, const struct owner *stored);

#endif
