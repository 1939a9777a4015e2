/*
 * wrap.c - a book in memory that notes every statement and fails when it is told to.
 *
 * Owns:      struct backend_type of the wrapper; readers get the inner book's connections.
 */
#include "wrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wrap *
wrap_of(struct backend *backend)
{
    return (struct wrap *)backend;
}

static enum code
fail(enum code code, struct err *err)
{
    return err_set(err, code, "the test wants it to fail");
}

static enum code
begin(struct backend *backend, enum access access, struct err *err)
{
    struct wrap *wrap = wrap_of(backend);
    wrap->begins++;
    if (wrap->begin_code != OK)
        return fail(wrap->begin_code, err);
    return wrap->inner->type->begin(wrap->inner, access, err);
}

static enum code
commit(struct backend *backend, struct err *err)
{
    struct wrap *wrap = wrap_of(backend);
    wrap->commits++;
    if (wrap->commit_fails == 0)
        return wrap->inner->type->commit(wrap->inner, err);
    wrap->commit_fails--;
    wrap->inner->type->rollback(wrap->inner);
    return fail(wrap->commit_code, err);
}

static void
rollback(struct backend *backend)
{
    struct wrap *wrap = wrap_of(backend);
    wrap->rollbacks++;
    wrap->inner->type->rollback(wrap->inner);
}

static void
take_note(struct wrap *wrap, const struct query *query)
{
    const struct statement *statement = &wrap->backend.schema->statement[query->table][query->verb];
    if (wrap->note_count == notes_max)
        return;
    struct note *note = &wrap->note[wrap->note_count++];
    *note = (struct note){ .table = query->table, .verb = query->verb };
    if (statement->param[0] != COLUMN_I64)
        snprintf(note->key, sizeof note->key, "%.*s", (int)query->param[0].text.len,
                 query->param[0].text.ptr);
}

static enum code
run(struct backend *backend, struct query *query, uint32_t count, struct arena *arena,
    struct err *err)
{
    struct wrap *wrap = wrap_of(backend);
    for (uint32_t i = 0; i < count; i++) {
        wrap->statements++;
        take_note(wrap, &query[i]);
        if (wrap->fail_from != 0 && wrap->statements >= wrap->fail_from &&
            wrap->statements < wrap->fail_from + wrap->fail_count)
            return fail(CODE_IO, err);
        enum code rc = wrap->inner->type->run(wrap->inner, &query[i], 1, arena, err);
        if (rc)
            return rc;
    }
    return OK;
}

static enum code
connect_other(struct backend *writer, enum role role, struct backend **other, struct err *err)
{
    struct wrap *wrap = wrap_of(writer);
    return wrap->inner->type->connect(wrap->inner, role, other, err);
}

static void
close_wrap(struct backend *backend)
{
    struct wrap *wrap = wrap_of(backend);
    wrap->inner->type->close(wrap->inner);
}

static const struct backend_type wrap_type = {
    .name = "wrap",
    .dialect = DIALECT_POSTGRESQL,
    .exclusive = true,
    .connect = connect_other,
    .close = close_wrap,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = run,
};

struct store *
wrap_open(struct wrap *wrap, const struct store_options *options)
{
    struct store_options alone = { .inline_runner = true };
    struct ground *ground;
    struct store *store;

    *wrap = (struct wrap){ 0 };
    if (ground_new(DIALECT_POSTGRESQL, &ground, NULL) != OK)
        abort();
    if (memory_open(&ground->schema, &wrap->inner, NULL) != OK)
        abort();
    wrap->backend = (struct backend){ .type = &wrap_type, .schema = &ground->schema };
    if (store_start(options != NULL ? options : &alone, ground, &wrap->backend, &store, NULL) != OK)
        abort();
    return store;
}
