/*
 * migrate.h - from no schema to this program's, in numbered steps.
 *
 * Owns:      which steps there are and the rule by which they are taken.
 * Must not:  go back: a book of a newer program is refused.
 */
#ifndef KOP_STORE_MIGRATE_H
#define KOP_STORE_MIGRATE_H

#include "store/backend.h"

/* One step. Both functions may run on a book where the step is half done already, or done. */
struct migration {
    uint32_t number; /* of the schema that it leads to: 1, 2, 3 … */
    const char *title;
    enum code (*apply)(struct backend *writer, struct err *err);
    /* Is the schema what this number says? A failure names the difference. NULL: not checked. */
    enum code (*check)(struct backend *writer, struct err *err);
};

/*
 * Bring the book to the last of `step`, in one transaction: the schema that is there is checked
 * first, each step after it was taken. With `create` false nothing is changed: NOT_FOUND where
 * there is no schema, CONFLICT where it is an older or a newer one.
 */
KOP_MUST_CHECK enum code migrate(struct backend *writer, const struct migration *step,
                                 uint32_t count, bool create, struct err *err);

/* The steps of this program. */
const struct migration *migrations(uint32_t *count);

#endif
