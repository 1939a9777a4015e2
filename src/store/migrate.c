/*
 * migrate.c - from no schema to this program's, in numbered steps.
 *
 * Owns:      the row schema_version of the table meta; the steps.
 * Must not:  know a database: DDL comes from schema.c, the backend executes it.
 * Invariant: a step that fails leaves the book as it was: all steps are one transaction.
 * Tests:     tests/unit/store/test_migrate.c
 */
#include "store/migrate.h"

#include "store/tx.h"

enum { ddl_bytes_max = 4096 };

/* ---- step 1: the tables of schema.def ---- */

static enum code
make_tables(struct backend *writer, struct err *err)
{
    enum code rc = OK;

    for (unsigned table = 0; table < table_count && rc == OK; table++) {
        char memory[ddl_bytes_max];
        struct buf buf;
        buf_init_fixed(&buf, memory, sizeof memory);
        schema_ddl(writer->type->dialect, (enum table)table, &buf);
        buf_add_char(&buf, '\0');
        assert(!buf.failed);
        rc = writer->type->execute(writer, memory, err);
    }
    return rc;
}

static enum code
check_tables(struct backend *writer, struct err *err)
{
    for (unsigned table = 0; table < table_count; table++) {
        char wanted_bytes[ddl_bytes_max], found_bytes[ddl_bytes_max];
        struct buf wanted, found;
        buf_init_fixed(&wanted, wanted_bytes, sizeof wanted_bytes);
        buf_init_fixed(&found, found_bytes, sizeof found_bytes);
        schema_describe(writer->type->dialect, (enum table)table, &wanted);
        enum code rc = writer->type->describe(writer, (enum table)table, &found, err);
        if (rc)
            return rc;
        assert(!wanted.failed);
        if (found.failed || !text_equal(buf_text(&wanted), buf_text(&found)))
            return err_set(err, CODE_CORRUPT, "the table '%s' is (%.*s) and should be (%.*s)",
                           shape_of((enum table)table)->name,
                           (int)(found.len < 200 ? found.len : 200), found.ptr, (int)wanted.len,
                           wanted.ptr);
    }
    return OK;
}

static const struct migration steps[] = {
    { 1, "the tables of schema.def", make_tables, check_tables },
};

const struct migration *
migrations(uint32_t *count)
{
    *count = KOP_COUNT(steps);
    return steps;
}

/* ---- the rule ---- */

enum migrate_may
migrate_may(const struct store_options *options)
{
    return options->create ? MIGRATE_ALL : options->upgrade ? MIGRATE_OLDER : MIGRATE_NOTHING;
}

static enum code
read_version(struct backend *writer, enum verb verb, uint64_t *version, struct err *err)
{
    char found_bytes[ddl_bytes_max];
    _Alignas(16) char memory[4096];
    struct arena arena;
    struct buf found;
    struct cell key = { .text = TEXT("schema_version") };
    struct query query;

    *version = 0;
    buf_init_fixed(&found, found_bytes, sizeof found_bytes);
    enum code rc = writer->type->describe(writer, TABLE_meta, &found, err);
    if (rc || found.len == 0)
        return rc;
    arena_init_fixed(&arena, memory, sizeof memory);
    rc = backend_run_one(writer, TABLE_meta, verb, &key, &arena, &query, err);
    if (rc || query.row_count == 0)
        return rc;
    struct text value = query.cell[COL(meta, value)].text;
    if (!text_to_u64(value, version) || *version == 0)
        return err_set(err, CODE_CORRUPT, "the schema's number is '%.*s'", (int)value.len,
                       value.ptr);
    return OK;
}

static enum code
write_version(struct backend *writer, uint32_t version, struct err *err)
{
    char memory[32];
    struct buf buf;
    struct query query;

    buf_init_fixed(&buf, memory, sizeof memory);
    buf_add_u64(&buf, version);
    struct cell row[] = { { .text = TEXT("schema_version") }, { .text = buf_text(&buf) } };
    return backend_run_one(writer, TABLE_meta, VERB_PUT, row, NULL, &query, err);
}

static enum code
compare(uint64_t version, uint32_t newest, enum migrate_may may, struct err *err)
{
    if (version > newest)
        return err_set(err, CODE_CONFLICT,
                       "the book has schema %llu, this program knows schemas up to %u: it was "
                       "written by a newer version, use that one / "
                       "книга записана более новой версией (схема %llu), откройте её той версией",
                       (unsigned long long)version, (unsigned)newest, (unsigned long long)version);
    if (version == 0 && may != MIGRATE_ALL)
        return err_set(err, CODE_NOT_FOUND, "there is no book in it");
    if (version < newest && may == MIGRATE_NOTHING)
        return err_set(err, CODE_CONFLICT,
                       "the book has schema %llu, this program needs %u: back it up, then run "
                       "`kopilka upgrade` / "
                       "книга записана прежней версией: сделайте копию и выполните "
                       "`kopilka upgrade`",
                       (unsigned long long)version, (unsigned)newest);
    return OK;
}

/* Compare what is there with what is wanted; `*at` is the number of steps that are done. */
static enum code
look(struct backend *writer, const struct migration *step, uint32_t count, enum migrate_may may,
     uint32_t *at, struct err *err)
{
    uint64_t version;
    uint32_t newest = step[count - 1].number;

    enum code rc = read_version(writer, VERB_GET, &version, err);
    if (rc == OK)
        rc = compare(version, newest, may, err);
    if (rc == OK && version > 0 && version < newest) {
        rc = read_version(writer, VERB_LOCK, &version, err); /* another program may be at it */
        assert(rc != OK || version > 0);
        if (rc == OK)
            rc = compare(version, newest, may, err);
    }
    if (rc)
        return rc;
    *at = 0;
    while (*at < count && step[*at].number <= version)
        ++*at;
    if (*at > 0 && step[*at - 1].check != NULL)
        rc = step[*at - 1].check(writer, err);
    return rc;
}

static enum code
take_steps(struct backend *writer, const struct migration *step, uint32_t count, uint32_t at,
           struct err *err)
{
    for (; at < count; at++) {
        assert(at == 0 || step[at].number == step[at - 1].number + 1);
        enum code rc = step[at].apply(writer, err);
        if (rc == OK && step[at].check != NULL)
            rc = step[at].check(writer, err);
        if (rc == OK)
            rc = write_version(writer, step[at].number, err);
        if (rc)
            return err_wrap(err, "migration %u (%s)", (unsigned)step[at].number, step[at].title);
    }
    return OK;
}

enum code
migrate(struct backend *writer, const struct migration *step, uint32_t count,
        enum migrate_may may, struct err *err)
{
    uint32_t at = 0;

    assert(count > 0);
    enum access access = may == MIGRATE_NOTHING ? ACCESS_READ : ACCESS_WRITE;
    enum code rc = writer->type->begin(writer, access, err);
    if (rc)
        return rc;
    rc = look(writer, step, count, may, &at, err);
    if (rc == OK && at < count)
        rc = take_steps(writer, step, count, at, err);
    if (rc) {
        writer->type->rollback(writer);
        return rc;
    }
    return writer->type->commit(writer, err);
}
