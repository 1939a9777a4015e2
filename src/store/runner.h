/*
 * runner.h - the runner over any backend.
 *
 * Owns:      store_start(), which store_open_*() end in; tests hand in a backend of their own.
 * Must not:  be seen outside src/store and its tests.
 */
#ifndef KOP_STORE_RUNNER_H
#define KOP_STORE_RUNNER_H

#include "store/backend.h"

/* What a store and its backend share and the store frees: the statements. */
struct ground {
    struct schema schema;
    struct arena arena;
};
/* The statements for a dialect, in memory of their own. */
KOP_MUST_CHECK enum code ground_new(enum dialect dialect, struct ground **ground, struct err *err);
void ground_free(struct ground *ground);

/*
 * Start a runner over a book. The store takes `writer` and `ground` over, and frees them even when
 * it cannot start.
 */
KOP_MUST_CHECK enum code store_start(const struct store_options *options, struct ground *ground,
                                     struct backend *writer, struct store **store, struct err *err);

/* The writer's connection of a store without threads; NULL where a thread has it. */
struct backend *store_inline_writer(struct store *store);

#endif
