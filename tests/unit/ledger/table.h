/*
 * table.h - runs table tests of the ledger: files that read like the domain.
 *
 * Owns:      the words of such files; tests/tables/lots/README says them.
 */
#ifndef KOP_TESTS_UNIT_LEDGER_TABLE_H
#define KOP_TESTS_UNIT_LEDGER_TABLE_H

#include <stdint.h>

struct table_result {
    uint32_t cases;     /* operations run */
    uint32_t rows;      /* expectations checked */
    char failure[1024]; /* "FILE:LINE: what"; empty: all as written */
};

/* Run one file. Never returns half a result: the first difference ends it. */
struct table_result table_run(const char *path);

#endif
