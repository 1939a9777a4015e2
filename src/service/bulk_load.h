/*
 * bulk_load.h - a table of members into an empty book that nobody else uses (import --offline).
 *
 * Owns:      the two stages of loading: prepare (read, check, book, seal) and write; the keys that
 *            are taken already.
 * Must not:  start threads: who calls may run the two stages on two (jobs/bulk_import.h).
 * Invariant: the book is then as if each row had been enrolled by a call of its own: the same
 *            owner, member, person, record, claim and keys; the same rows are refused with the
 *            same outcomes. Rows of each table are written in the order of its key.
 * Cost:      about 160 bytes of memory a member for the keys that are taken.
 */
#ifndef KOP_SERVICE_BULK_LOAD_H
#define KOP_SERVICE_BULK_LOAD_H

#include "service/import_row.h"
#include "service/service.h"

struct bulk_load;
struct bulk_batch; /* members that are prepared and not yet written */

/* Called by bulk_load_prepare(), on its thread, for the row that the table stands at. */
typedef void (*bulk_refused)(void *context, enum outcome outcome, struct text pointer,
                             struct text detail);

struct bulk_load_options {
    struct service *service;
    struct store *store; /* without threads of its own (inline_runner) */
    uint32_t tenant;
    struct csv *csv;
    const struct import_table *table; /* of members, over `csv` */
    bulk_refused refused;
    void *context;
};

/* CODE_CONFLICT: the book has owners already. CODE_BUSY: somebody else has it open. */
KOP_MUST_CHECK enum code bulk_load_open(const struct bulk_load_options *options,
                                        struct bulk_load **load, struct err *err);
/* After a failure, or bulk_load_finish(). */
void bulk_load_close(struct bulk_load *load);

KOP_MUST_CHECK enum code bulk_batch_new(struct bulk_batch **batch, struct err *err);
void bulk_batch_free(struct bulk_batch *batch);
/* How many bytes of the file had been read when the batch was full. */
uint64_t bulk_batch_bytes(const struct bulk_batch *batch);

/* Fill `batch` with the next members. `*more` false: the table ended, the batch may be empty. */
KOP_MUST_CHECK enum code bulk_load_prepare(struct bulk_load *load, struct bulk_batch *batch,
                                           bool *more, struct err *err);
/* Write a batch, in the order of preparing. May run beside the preparing of another. */
KOP_MUST_CHECK enum code bulk_load_write(struct bulk_load *load, const struct bulk_batch *batch,
                                         struct err *err);

struct bulk_result {
    uint64_t rows, members, refused, repeated; /* repeated: the same row again */
};
/* Keys and claims in their order, and everything onto the disk. */
KOP_MUST_CHECK enum code bulk_load_finish(struct bulk_load *load, struct bulk_result *result,
                                          struct err *err);

#endif
