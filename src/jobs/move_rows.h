/*
 * move_rows.h - rows in and rows out for a move: reading a table page by page, writing in slices.
 *
 * Owns:      struct scan, struct outbox.
 * Must not:  decide which rows go where (move.c).
 */
#ifndef KOP_JOBS_MOVE_ROWS_H
#define KOP_JOBS_MOVE_ROWS_H

#include "store/store.h"

/* One table of one store, read in its order. Memory is kept from one table to the next. */
struct scan {
    struct store *store;
    struct tx *tx; /* read in this transaction; NULL: each page is an operation of its own */
    enum table table;
    struct table_facts facts;
    bool is_bounded;    /* ends after the owner: */
    int64_t owner_last; /* the last one that is wanted */
    /* The scan's own. */
    struct arena arena[2]; /* a page, and the one before it: it holds `after` */
    unsigned which;
    struct row *row, after;
    uint32_t count, at;
    bool has_after, ended;
};
void scan_init(struct scan *scan, struct store *store);
void scan_release(struct scan *scan);
/* From the first row, or after a key whose text outlives the scan. */
void scan_begin(struct scan *scan, enum table table, const struct row *after);
/* The rows of the owners `first` to `last`; of the first one those after the number `after_no`. */
void scan_begin_owners(struct scan *scan, enum table table, int64_t first, int64_t last,
                       int64_t after_no);
/* A scan that is over. */
void scan_begin_nothing(struct scan *scan);
/* The row that it stands at, NULL at the end; good until the page after the next one is read. */
KOP_MUST_CHECK enum code scan_peek(struct scan *scan, const struct row **row, struct err *err);
void scan_next(struct scan *scan);

/* Rows that wait to be written, in order. */
enum { outbox_rows_max = 4096, outbox_bytes_max = 4 << 20 };
struct outbox {
    struct arena arena;
    struct row *row; /* outbox_rows_max of each */
    unsigned char *table;
    bool *drop;
    uint32_t count;
    uint64_t bytes;
};
KOP_MUST_CHECK enum code outbox_init(struct outbox *outbox, struct err *err);
void outbox_release(struct outbox *outbox);
bool outbox_is_full(const struct outbox *outbox);
/* A copy of the row, to be put, or dropped; there is room. */
KOP_MUST_CHECK enum code outbox_add(struct outbox *outbox, const struct table_facts *facts,
                                    enum table table, const struct row *row, bool drop,
                                    struct err *err);
/* Write all of it in the transaction. */
KOP_MUST_CHECK enum code outbox_write(const struct outbox *outbox, struct tx *tx, struct err *err);
void outbox_clear(struct outbox *outbox);

/* Submit and wait; a store that is busy is asked again for a while. */
KOP_MUST_CHECK enum code run_patiently(struct store *store, struct op *op, struct err *err);

#endif
