/*
 * bulk.c - loading many rows with no other user: one transaction, no claims, no log.
 *
 * Owns:      struct bulk.
 * Must not:  decode rows: the caller brings them as the tables hold them.
 * Invariant: a load that did not end leaves a book that is refused when it is opened.
 * Cost:      an insertion per row; cheapest when rows come in key order.
 * Tests:     tests/unit/store/test_keep.c
 */
#include "store/runner.h"
#include "store/tx.h"

#include <stdlib.h>

struct bulk {
    struct backend *writer;
    struct err failure; /* the first one; nothing is kept after it */
};

enum code
store_bulk_begin(struct store *store, struct bulk **out, struct err *err)
{
    struct backend *writer = store_inline_writer(store);

    if (writer == NULL)
        return err_set(err, CODE_USAGE, "bulk loading needs a store without threads");
    struct bulk *bulk = calloc(1, sizeof *bulk);
    if (bulk == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for bulk loading");
    bulk->writer = writer;
    enum code rc = OK;
    if (writer->type->bulk != NULL)
        rc = writer->type->bulk(writer, true, err);
    if (rc == OK)
        rc = writer->type->begin(writer, ACCESS_WRITE, err);
    if (rc) {
        free(bulk);
        return err_wrap(err, "bulk loading");
    }
    *out = bulk;
    return OK;
}

enum code
store_bulk_put(struct bulk *bulk, enum table table, const struct row *row, struct err *err)
{
    const struct statement *insert = &bulk->writer->schema->statement[table][VERB_INSERT];
    enum verb verb = insert->sql != NULL ? VERB_INSERT : VERB_PUT;
    struct query query;

    if (bulk->failure.code != OK) {
        if (err != NULL)
            *err = bulk->failure;
        return bulk->failure.code;
    }
    enum code rc = backend_run_one(bulk->writer, table, verb, row->cell, NULL, &query,
                                   &bulk->failure);
    if (rc && err != NULL)
        *err = bulk->failure;
    return rc;
}

enum code
store_bulk_put_many(struct bulk *bulk, enum table table, const struct row *row, uint32_t count,
                    struct err *err)
{
    struct backend *writer = bulk->writer;
    uint32_t at = 0;

    while (writer->type->insert_many != NULL && bulk->failure.code == OK &&
           count - at >= bulk_rows) {
        enum code rc = writer->type->insert_many(writer, table, row + at, &bulk->failure);
        if (rc && err != NULL)
            *err = bulk->failure;
        if (rc)
            return rc;
        at += bulk_rows;
    }
    for (; at < count; at++) {
        enum code rc = store_bulk_put(bulk, table, &row[at], err);
        if (rc)
            return rc;
    }
    return OK;
}

void
store_bulk_abort(struct bulk *bulk)
{
    bulk->writer->type->rollback(bulk->writer);
    free(bulk);
}

enum code
store_bulk_end(struct bulk *bulk, struct err *err)
{
    struct backend *writer = bulk->writer;
    enum code rc = bulk->failure.code;

    if (rc != OK) {
        writer->type->rollback(writer);
        if (err != NULL)
            *err = bulk->failure;
    } else {
        rc = writer->type->commit(writer, err);
        if (rc == OK && writer->type->bulk != NULL)
            rc = writer->type->bulk(writer, false, err);
    }
    free(bulk);
    return rc ? err_wrap(err, "bulk loading") : OK;
}
