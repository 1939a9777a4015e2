/*
 * import_row.h - from rows of a table to bodies of requests: members, cards, receipts.
 *
 * Owns:      the columns of each kind of table, how a cell becomes a field, the name of each
 *            operation (its Idempotency-Key), so that the same row is the same operation for ever.
 * Must not:  call anything, or check what the reader of the request checks (service/request.h).
 * Invariant: a column that is not known is a mistake; an empty cell is an absent field; the name of
 *            an operation depends on the row's identity, never on the file or the place in it.
 */
#ifndef KOP_SERVICE_IMPORT_ROW_H
#define KOP_SERVICE_IMPORT_ROW_H

#include "service/csv.h"
#include "service/request.h"

enum import_kind { IMPORT_MEMBERS, IMPORT_CARDS, IMPORT_RECEIPTS };

enum { import_fields_max = 32 };

/* Columns such as "balance.bonus": one for each currency. */
struct import_points {
    struct text currency;
    int column;
};

/* An open table whose columns are understood. Text points into `csv`'s header and the options. */
struct import_table {
    enum import_kind kind;
    const struct csv *csv;
    struct text programme;
    struct text offset; /* "+03:00": for times that bear none; empty: they must */
    unix_ms now;        /* nobody was enrolled later */
    int column[import_fields_max];
    uint32_t points_count;
    struct import_points points[currencies_per_programme_max];
};

/*
 * Find the columns. `ignore`: names with commas between them that mean nothing here. CODE_SYNTAX:
 * an unknown column, or a needed one is missing; the text names it.
 */
KOP_MUST_CHECK enum code import_table_open(struct import_table *table, const struct csv *csv,
                                           struct text ignore, struct err *err);
/* Is it one of the columns that a file of refused rows has beside its own? */
bool import_is_refusal_column(struct text name);

/* Balances that a row of members brings in. */
struct import_balance {
    struct text currency, points;
};

struct import_member {
    struct text body, key;  /* of POST /v1/members */
    struct text identity;   /* what `key` is made of */
    struct text balance_at; /* may be empty */
    unix_ms enrolled_at;    /* when the enrolment counts as made; 0: now */
    unix_ms opened_at;      /* the same of its balances */
    uint32_t balance_count;
    struct import_balance balance[currencies_per_programme_max];
};
/* The current row as an enrolment; all text in the arena. false: refused. */
KOP_MUST_CHECK bool import_member_read(const struct import_table *table, struct arena *arena,
                                       struct import_member *out, struct refusal *refusal);
/* The opening of its balance number `which`, for the member that the enrolment gave. */
void import_balance_body(const struct import_table *table, const struct import_member *member,
                         uint32_t which, struct text member_id, struct arena *arena,
                         struct text *body, struct text *key);

/* The current row as a card. `phone` names its member: then find it first (import_find_body). */
struct import_card {
    struct text number, member, phone, state;
};
void import_card_read(const struct import_table *table, struct arena *arena,
                      struct import_card *out);
struct text import_find_body(const struct import_table *table, struct text phone,
                             struct arena *arena);
struct text import_card_body(const struct import_table *table, const struct import_card *card,
                             struct arena *arena);

/* A receipt: rows one after the other with the same outlet, till, period and number. */
struct import_receipt {
    struct arena *arena;                 /* reset when a receipt begins */
    struct text head[import_fields_max]; /* by field; what the first row says */
    struct text redeem[currencies_per_programme_max];
    struct buf lines; /* JSON of the lines, without the brackets */
    uint32_t line_count;
    struct refusal refusal; /* the first mistake */
};
/* Does the current row belong to the receipt begun? */
bool import_receipt_goes_on(const struct import_table *table, const struct import_receipt *receipt);
void import_receipt_begin(const struct import_table *table, struct import_receipt *receipt,
                          struct arena *arena);
/* Take the current row as its next line; the first mistake stays in receipt->refusal. */
void import_receipt_add(const struct import_table *table, struct import_receipt *receipt);
/* The body of the commit. `*at`: when it happened; 0 when the text is no time. */
struct text import_receipt_body(const struct import_table *table,
                                const struct import_receipt *receipt, struct arena *arena,
                                unix_ms *at);

#endif
