/*
 * export.h - the book as tables: members, movements, receipts; page by page.
 *
 * Owns:      the columns of each table and what stands in them.
 * Must not:  hold a read transaction longer than a page; write files.
 * Invariant: pages go by key, so that what is written meanwhile neither comes twice nor hides what
 *            was there; balances are settled to now. Cards cannot be told: only their hashes are
 *            kept.
 */
#ifndef KOP_SERVICE_EXPORT_H
#define KOP_SERVICE_EXPORT_H

#include "service/service.h"

enum export_kind { EXPORT_MEMBERS, EXPORT_MOVEMENTS, EXPORT_RECEIPTS };

struct export_table;

/* `programme` NULL: the tenant's only one. CODE_NOT_FOUND: none, or several. */
KOP_MUST_CHECK enum code export_open(struct service *service, uint32_t tenant,
                                     const char *programme, enum export_kind kind,
                                     struct export_table **table, struct err *err);
void export_close(struct export_table *table);

/* Append the header, a line of CSV. */
void export_header(const struct export_table *table, struct buf *out);
/* Append the next page's rows; `*more` false after the last. */
KOP_MUST_CHECK enum code export_page(struct export_table *table, struct buf *out, bool *more,
                                     struct err *err);
uint64_t export_rows(const struct export_table *table); /* so far */

#endif
