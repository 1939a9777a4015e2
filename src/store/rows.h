/*
 * rows.h - what a job may know of a table, for the runner that tells it.
 *
 * Owns:      table_facts().
 * Must not:  be seen outside src/store.
 */
#ifndef KOP_STORE_ROWS_H
#define KOP_STORE_ROWS_H

#include "store/backend.h"

/* What store_table() says of a table in this backend's book. */
void table_facts(const struct backend *backend, enum table table, struct table_facts *facts);

#endif
