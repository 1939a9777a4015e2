/*
 * open.c - opening a store: statements, the first connection, the runner.
 *
 * Owns:      struct ground; which backend belongs to which store_open_*(); that a book which is
 *            half moved here is opened by nobody but a move.
 * Must not:  run operations.
 * Tests:     tests/contract/test_store.c
 */
#include "store/runner.h"
#include "store/tx.h"

#include <stdlib.h>

enum { ground_block_bytes = 64 << 10, ground_bytes_max = 1 << 20 };

enum code
ground_new(enum dialect dialect, struct ground **out, struct err *err)
{
    struct ground *ground = calloc(1, sizeof *ground);

    if (ground == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory to open a store");
    arena_init(&ground->arena, heap_source(), ground_block_bytes, ground_bytes_max);
    enum code rc = schema_build(&ground->schema, dialect, &ground->arena, err);
    if (rc) {
        ground_free(ground);
        return rc;
    }
    *out = ground;
    return OK;
}

void
ground_free(struct ground *ground)
{
    if (ground == NULL)
        return;
    arena_release(&ground->arena);
    free(ground);
}

/* Whole, or opened by the move that makes it so? */
static enum code
refuse_half_moved(struct backend *writer, const struct store_options *options, struct err *err)
{
    _Alignas(16) char memory[4096];
    struct arena arena;
    struct cell key = { .text = TEXT(MOVE_MARK) };
    struct query query;

    if (options->moving)
        return OK;
    arena_init_fixed(&arena, memory, sizeof memory);
    enum code rc = backend_run_one(writer, TABLE_meta, VERB_GET, &key, &arena, &query, err);
    if (rc == OK && query.row_count > 0)
        rc = err_set(err, CODE_CONFLICT,
                     "the book is half moved: `kopilka migrate` has not finished it / "
                     "книга перенесена не до конца: завершите `kopilka migrate`");
    return rc;
}

/* The store over an open book; both are closed when it cannot be had. */
static enum code
start(const struct store_options *options, struct ground *ground, struct backend *writer,
      struct store **store, struct err *err)
{
    enum code rc = refuse_half_moved(writer, options, err);

    if (rc == OK)
        return store_start(options, ground, writer, store, err);
    writer->type->close(writer);
    ground_free(ground);
    return rc;
}

enum code
store_open_sqlite(const struct store_options *options, struct store **store, struct err *err)
{
    struct ground *ground;
    struct backend *writer;

    enum code rc = ground_new(DIALECT_SQLITE, &ground, err);
    if (rc)
        return rc;
    rc = sqlite_open(options, &ground->schema, &writer, err);
    if (rc) {
        ground_free(ground);
        return rc;
    }
    return start(options, ground, writer, store, err);
}

enum code
store_open_postgres(const struct store_options *options, struct store **store, struct err *err)
{
    struct ground *ground;
    struct backend *writer;

    enum code rc = ground_new(DIALECT_POSTGRESQL, &ground, err);
    if (rc)
        return rc;
    rc = postgres_open(options, &ground->schema, &writer, err);
    if (rc) {
        ground_free(ground);
        return rc;
    }
    return start(options, ground, writer, store, err);
}

enum code
store_open_memory(const struct store_options *options, struct store **store, struct err *err)
{
    struct ground *ground;
    struct backend *writer;

    enum code rc = ground_new(DIALECT_POSTGRESQL, &ground, err);
    if (rc)
        return rc;
    rc = memory_open(&ground->schema, &writer, err);
    if (rc) {
        ground_free(ground);
        return rc;
    }
    return start(options, ground, writer, store, err);
}
