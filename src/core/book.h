/*
 * book.h - what a use case asks of the book, what it is given, and what it wants written.
 *
 * Owns:      struct needs, struct view, struct changes: plain data between flow and store.
 * Must not:  know SQL or transactions.
 * Invariant: a flow touches nothing but these; changes hold everything that one operation writes,
 *            all of one owner (and directory rows and claims, which the store writes last).
 */
#ifndef KOP_CORE_BOOK_H
#define KOP_CORE_BOOK_H

#include "core/record.h"

/* What to load, all of one owner. */
struct needs {
    uint64_t owner_id;
    uint64_t origin;         /* op_id of a record of this owner to load; 0: none */
    bool returned;           /* also the returned state of `origin` */
    uint64_t rolling;        /* bit (counter_no - 1): rolling counters whose days are wanted */
    int64_t rolling_from;    /* first local day wanted */
};

/* What was found. Text points into the operation's arena. */
struct view {
    bool owner_found;
    struct owner owner;      /* lots overflow and rolling buckets included */
    bool origin_found;
    struct text origin;      /* body of the record */
    bool returned_found;
    struct text returned;    /* body of the returned state */
};

enum { claim_key_bytes_max = 256 };

struct changes {
    struct owner *owner;       /* after; never NULL when anything of the owner is written */
    bool owner_new;
    uint32_t movement_count, movement_cap;
    struct movement *movement; /* new ones, numbered; `link` and owner->head by seal */
    uint32_t lot_put_count, lot_drop_count;
    struct lot *lot_put;       /* overflow rows to write */
    uint32_t *lot_drop;        /* overflow rows to delete, by lot_no */
    uint32_t counter_put_count;
    struct counter_state *counter_put; /* rolling buckets; value 0 deletes */
    uint32_t counted_count, counted_cap;
    struct counted *counted;   /* what was added to counters, step by step; for the record */
    uint64_t op_id;
    enum record_kind record_kind;
    struct text record;        /* body of the receipt row: whatever writes an owner has one */
    uint64_t returned_of;      /* op_id whose returned state is written; 0: none */
    struct text returned;
    uint32_t member_put_count;
    struct member_row *member_put;
    uint32_t directory_put_count;
    struct directory_row *directory_put; /* insert or replace; the flow looked them up before */
};

#endif
