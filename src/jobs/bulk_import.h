/*
 * bulk_import.h - loading members with two threads: one prepares while the other writes.
 *
 * Owns:      the thread that prepares and the hand-over of batches between the two.
 * Must not:  know what a member is (service/bulk_load.h does).
 */
#ifndef KOP_JOBS_BULK_IMPORT_H
#define KOP_JOBS_BULK_IMPORT_H

#include "service/bulk_load.h"

/* Prepare and write all of it; `progress` is told bytes of the file, on the caller's thread. */
KOP_MUST_CHECK enum code bulk_import_run(struct bulk_load *load, progress_fn progress,
                                         void *context, struct err *err);

#endif
