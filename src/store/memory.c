/*
 * memory.c - a book in memory: the same statements, run on sorted rows.
 *
 * Owns:      struct memory_book, the list of what a transaction did.
 * Must not:  lock: the runner keeps readers out while the writer has a transaction (`exclusive`).
 * Invariant: a rollback puts every row back that was there; nothing outlives the process.
 * Cost:      O(log rows) each statement.
 * Tests:     tests/contract/test_store.c
 */
#include "store/backend.h"

#include "store/memory_rows.h"

#include <stdlib.h>
#include <string.h>

/* What one statement did: `before` went out, `after` came in. */
struct undo {
    enum table table;
    struct memory_row *before, *after;
};

struct memory_book {
    struct memory_table table[table_count];
    struct undo *undo;
    size_t undo_count, undo_cap;
    uint32_t connections;
};

struct memory {
    struct backend backend; /* first: a struct backend * is one of these */
    struct memory_book *book;
};

static struct memory *
memory_of(struct backend *backend)
{
    return (struct memory *)backend;
}

/* ---- changing rows ---- */

static bool
undo_reserve(struct memory_book *book)
{
    if (book->undo_count < book->undo_cap)
        return true;
    size_t cap = book->undo_cap > 0 ? book->undo_cap * 2 : 256;
    struct undo *undo = realloc(book->undo, cap * sizeof *undo);
    if (undo == NULL)
        return false;
    book->undo = undo;
    book->undo_cap = cap;
    return true;
}

/* At `place` put `after` in (NULL: nothing) for what is there. */
static void
change(struct memory_book *book, enum table table, struct memory_place *place,
       struct memory_row *after)
{
    struct memory_row *before = place->row;

    assert(book->undo_count < book->undo_cap);
    if (before != NULL)
        memory_take(&book->table[table], place);
    if (after != NULL)
        memory_insert(&book->table[table], place, after);
    book->undo[book->undo_count++] = (struct undo){ table, before, after };
}

/* The key's cells and types out of a whole row. */
static bool
key_of_row(const struct schema *schema, enum table table, const struct cell *row,
           struct memory_key *key)
{
    struct cell cell[keys_per_table_max];
    enum column_type type[keys_per_table_max];
    uint32_t count = schema->key_count[table];

    for (uint32_t i = 0; i < count; i++) {
        uint32_t column = schema->key[table][i];
        cell[i] = row[column];
        type[i] = shape_of(table)->column[column].type;
    }
    return memory_key(key, cell, type, count);
}

static enum code
put(struct memory *memory, const struct query *query, struct err *err)
{
    const struct schema *schema = memory->backend.schema;
    const struct statement *statement = &schema->statement[query->table][query->verb];
    struct memory_table *table = &memory->book->table[query->table];
    struct memory_place place;
    struct memory_key key;

    if (!key_of_row(schema, query->table, query->param, &key))
        return err_set(err, CODE_LIMIT, "a key is too long");
    memory_find(table, (struct text){ key.bytes, key.len }, &place);
    const struct memory_row *old = place.row;
    if (query->verb == VERB_INSERT && old != NULL)
        return err_set(err, CODE_CONFLICT, "the key is there already");
    if (query->verb == VERB_COPY && old != NULL && schema_only_grows(query->table))
        return OK;
    if (query->verb == VERB_ADVANCE) {
        size_t version = COL(owner, version);
        if (old == NULL || old->cell[version].number != query->param[version].number - 1)
            return err_set(err, CODE_CONFLICT, "the version of the row moved on");
    }
    struct memory_row *row = memory_row_new(&key, query->param, statement->param,
                                            statement->param_count);
    if (row == NULL || !undo_reserve(memory->book)) {
        free(row);
        return err_set(err, CODE_NO_MEMORY, "no memory for a row");
    }
    change(memory->book, query->table, &place, row);
    return OK;
}

static enum code
drop(struct memory *memory, const struct query *query, struct text key, struct err *err)
{
    struct memory_place place;

    memory_find(&memory->book->table[query->table], key, &place);
    if (place.row == NULL)
        return OK;
    if (!undo_reserve(memory->book))
        return err_set(err, CODE_NO_MEMORY, "no memory to drop a row");
    change(memory->book, query->table, &place, NULL);
    return OK;
}

/* ---- reading rows ---- */

/* The columns that the verb gives: all, but for DUE. */
static uint32_t
source_column(const struct query *query, uint32_t column)
{
    static const size_t due[] = { COL(owner, owner_id), COL(owner, next_due) };
    return query->verb == VERB_DUE ? (uint32_t)due[column] : column;
}

static bool
copy_row(const struct memory_row *row, const struct statement *statement, const struct query *query,
         struct arena *arena, struct cell *cell)
{
    for (uint32_t i = 0; i < statement->column_count; i++) {
        const struct cell *from = &row->cell[source_column(query, i)];
        if (statement->column[i] == COLUMN_I64) {
            cell[i].number = from->number;
            continue;
        }
        cell[i].text = text_copy(arena, from->text);
        if (from->text.len > 0 && cell[i].text.ptr == NULL)
            return false;
    }
    return true;
}

/* Rows from `row` on whose keys open with `prefix`, at most `limit`. */
static enum code
copy_rows(const struct memory_row *row, struct text prefix, uint64_t limit,
          const struct statement *statement, struct query *query, struct arena *arena,
          struct err *err)
{
    uint32_t columns = statement->column_count, count = 0;

    for (const struct memory_row *at = row;
         at != NULL && count < limit && text_starts(at->key, prefix); at = at->next[0])
        count++;
    query->cell = arena_array(arena, struct cell, (size_t)count * columns);
    bool copied = query->cell != NULL;
    for (uint32_t i = 0; i < count && copied; i++, row = row->next[0])
        copied = copy_row(row, statement, query, arena, query->cell + (size_t)i * columns);
    if (!copied)
        return err_set(err, CODE_NO_MEMORY, "no memory for rows");
    query->row_count = count;
    return OK;
}

/* The first row after a key. */
static const struct memory_row *
row_after(const struct memory_table *table, struct text key)
{
    const struct memory_row *row = memory_seek(table, key);
    return row != NULL && text_equal(row->key, key) ? row->next[0] : row;
}

static enum code
count_rows(const struct memory_table *table, struct query *query, struct arena *arena,
           struct err *err)
{
    query->cell = arena_new(arena, struct cell);
    if (!query->cell)
        return err_set(err, CODE_NO_MEMORY, "no memory for a count");
    for (const struct memory_row *row = table->first[0]; row; row = row->next[0])
        query->cell->number++;
    query->row_count = 1;
    return OK;
}

static enum code
run_one(struct memory *memory, struct query *query, struct arena *arena, struct err *err)
{
    const struct schema *schema = memory->backend.schema;
    const struct statement *statement = &schema->statement[query->table][query->verb];
    struct memory_table *table = &memory->book->table[query->table];
    uint32_t keys = schema->key_count[query->table];
    uint64_t limit = UINT64_MAX;
    struct memory_key key, prefix = { .len = 0 };

    assert(statement->sql != NULL);
    query->row_count = 0;
    query->cell = NULL;
    switch (query->verb) {
    case VERB_INSERT:
    case VERB_PUT:
    case VERB_ADVANCE:
    case VERB_COPY:
        return put(memory, query, err);
    case VERB_COUNT:
        return count_rows(table, query, arena, err);
    case VERB_OWNED:
        keys = 1;
        break;
    case VERB_FIRST:
        keys = 0;
        break;
    default:
        break;
    }
    if (!memory_key(&key, query->param, statement->param, keys))
        return err_set(err, CODE_LIMIT, "a key is too long");
    struct text bytes = { key.bytes, key.len };
    if (query->verb == VERB_DELETE)
        return drop(memory, query, bytes, err);
    const struct memory_row *row;
    if (query->verb == VERB_GET || query->verb == VERB_LOCK) {
        row = memory_seek(table, bytes);
        if (row != NULL && !text_equal(row->key, bytes))
            row = NULL;
        return copy_rows(row, bytes, 1, statement, query, arena, err);
    }
    if (query->verb == VERB_OWNED)
        return copy_rows(memory_seek(table, bytes), bytes, limit, statement, query, arena, err);
    limit = (uint64_t)query->param[keys].number;
    if (query->verb == VERB_RANGE && !memory_key(&prefix, query->param, statement->param, keys - 1))
        return err_set(err, CODE_LIMIT, "a key is too long");
    row = query->verb == VERB_FIRST ? table->first[0] : row_after(table, bytes);
    return copy_rows(row, (struct text){ prefix.bytes, prefix.len }, limit, statement, query, arena,
                     err);
}

static enum code
run(struct backend *backend, struct query *query, uint32_t count, struct arena *arena,
    struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        enum code rc = run_one(memory_of(backend), &query[i], arena, err);
        if (rc)
            return err_wrap(err, "%s of '%s'", verb_name(query[i].verb),
                            shape_of(query[i].table)->name);
    }
    return OK;
}

/* ---- transactions and connections ---- */

static enum code
begin(struct backend *backend, enum access access, struct err *err)
{
    (void)err;
    assert(access == ACCESS_READ || memory_of(backend)->book->undo_count == 0);
    return OK;
}

static enum code
commit(struct backend *backend, struct err *err)
{
    struct memory_book *book = memory_of(backend)->book;

    (void)err;
    for (size_t i = 0; i < book->undo_count; i++)
        free(book->undo[i].before);
    book->undo_count = 0;
    return OK;
}

static void
rollback(struct backend *backend)
{
    struct memory_book *book = memory_of(backend)->book;

    while (book->undo_count > 0) {
        struct undo *undo = &book->undo[--book->undo_count];
        struct memory_table *table = &book->table[undo->table];
        struct memory_place place;

        memory_find(table, undo->after != NULL ? undo->after->key : undo->before->key, &place);
        assert(place.row == undo->after);
        if (place.row != NULL)
            memory_take(table, &place);
        if (undo->before != NULL)
            memory_insert(table, &place, undo->before);
        free(undo->after);
    }
}

/* A reader ends with a rollback, and must not undo what a writer does. */
static void
rollback_reader(struct backend *backend)
{
    (void)backend;
}

static void
close_memory(struct backend *backend)
{
    struct memory *memory = memory_of(backend);
    struct memory_book *book = memory->book;

    if (--book->connections == 0) {
        for (size_t i = 0; i < table_count; i++)
            memory_clear(&book->table[i]);
        free(book->undo);
        free(book);
    }
    free(memory);
}

static enum code
identify(struct backend *writer, struct buf *buf, struct err *err)
{
    (void)err;
    buf_addf(buf, "memory:%llu", (unsigned long long)(uintptr_t)memory_of(writer)->book);
    return OK;
}

static enum code connect_other(struct backend *writer, enum role role, struct backend **other,
                               struct err *err);

static const struct backend_type writer_type = {
    .name = "memory",
    .dialect = DIALECT_POSTGRESQL,
    .exclusive = true,
    .connect = connect_other,
    .close = close_memory,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .run = run,
    .identify = identify,
};

static const struct backend_type reader_type = {
    .name = "memory",
    .dialect = DIALECT_POSTGRESQL,
    .exclusive = true,
    .close = close_memory,
    .begin = begin,
    .rollback = rollback_reader,
    .run = run,
};

static enum code
connect_other(struct backend *writer, enum role role, struct backend **other, struct err *err)
{
    struct memory *memory = calloc(1, sizeof *memory);

    assert(role == ROLE_READER);
    if (memory == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for a connection");
    memory->backend = (struct backend){ .type = &reader_type, .schema = writer->schema };
    memory->book = memory_of(writer)->book;
    memory->book->connections++;
    *other = &memory->backend;
    return OK;
}

enum code
memory_open(const struct schema *schema, struct backend **writer, struct err *err)
{
    struct memory *memory = calloc(1, sizeof *memory);
    struct memory_book *book = calloc(1, sizeof *book);

    if (memory == NULL || book == NULL) {
        free(memory);
        free(book);
        return err_set(err, CODE_NO_MEMORY, "no memory for a book");
    }
    memory->backend = (struct backend){ .type = &writer_type, .schema = schema };
    memory->book = book;
    book->connections = 1;
    *writer = &memory->backend;
    return OK;
}
