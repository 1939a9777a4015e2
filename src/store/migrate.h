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

/* What may be done to a book that is not yet as this program wants it. */
enum migrate_may {
    MIGRATE_NOTHING, /* it is refused */
    MIGRATE_OLDER,   /* an older one is brought up; where there is none, none is made */
    MIGRATE_ALL,     /* the same, and a new one is made */
};
enum migrate_may migrate_may(const struct store_options *options);

/*
 * Bring the book to the last of `step`, in one transaction: the schema that is there is checked
 * first, each step after it was taken. Of several programs at once one takes the steps, the others
 * wait for it. NOT_FOUND where there is no schema and none may be made, CONFLICT where it is a
 * newer one, or an older one that may not be brought up: nothing was changed then.
 */
KOP_MUST_CHECK enum code migrate(struct backend *writer, const struct migration *step,
                                 uint32_t count, enum migrate_may may, struct err *err);

/* The steps of this program. */
const struct migration *migrations(uint32_t *count);

#endif
