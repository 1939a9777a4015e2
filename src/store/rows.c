/*
 * rows.c - rows as rows: copying a book needs no more of a table than its shape.
 *
 * Owns:      store_copy() and its like; the facts of a table.
 * Must not:  know what a row means.
 * Invariant: what an operation of ACCESS_READ calls here writes nothing (tx_run() refuses).
 * Cost:      a statement for each row, or for many where the backend puts them together.
 * Tests:     tests/contract/suite_rows.c
 */
#include "store/rows.h"

#include "store/tx_run.h"

#include "base/mem.h"

void
table_facts(const struct backend *backend, enum table table, struct table_facts *facts)
{
    const struct shape *shape = shape_of(table);
    const struct schema *schema = backend->schema;

    *facts = (struct table_facts){
        .name = shape->name,
        .is_local = shape->class == CLASS_LOCAL,
        .of_person = shape->class == CLASS_PERSON,
        .of_owner = shape->class == CLASS_OWNER,
        .only_grows = schema_only_grows(table),
        .can_shrink = schema->statement[table][VERB_DELETE].sql != NULL,
        .by_arrival = shape->layout == LAYOUT_APPENDED && backend->type->dialect == DIALECT_SQLITE,
        .column_count = shape->column_count,
        .key_count = schema->key_count[table],
    };
    for (uint32_t i = 0; i < shape->column_count; i++)
        facts->is_number[i] = shape->column[i].type == COLUMN_I64;
    memcpy(facts->key, schema->key[table], sizeof facts->key);
    if (facts->by_arrival) {
        facts->key[0] = facts->key[facts->key_count - 1];
        facts->key_count = 1;
    }
}

static int
compare_cells(const struct table_facts *facts, uint32_t column, const struct row *a,
              const struct row *b)
{
    return cell_compare(&a->cell[column], &b->cell[column],
                        facts->is_number[column] ? COLUMN_I64 : COLUMN_BLOB);
}

int
store_compare(const struct table_facts *facts, const struct row *a, const struct row *b)
{
    int order = 0;

    for (uint32_t i = 0; i < facts->key_count && order == 0; i++)
        order = compare_cells(facts, facts->key[i], a, b);
    return order;
}

bool
store_is_same(const struct table_facts *facts, const struct row *a, const struct row *b)
{
    bool same = true;

    for (uint32_t i = 0; i < facts->column_count && same; i++)
        same = compare_cells(facts, i, a, b) == 0;
    return same;
}

enum code
store_copy(struct tx *tx, enum table table, const struct row *row, uint32_t count, struct err *err)
{
    struct arena *arena = tx->op->arena;
    struct arena_mark mark = arena_mark(arena);
    struct query *query = arena_array(arena, struct query, count);

    if (tx->backend->schema->statement[table][VERB_COPY].sql == NULL)
        return err_set(err, CODE_USAGE, "the table '%s' knows no COPY", shape_of(table)->name);
    if (query == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for rows");
    for (uint32_t i = 0; i < count; i++)
        query[i] = (struct query){ .table = table, .verb = VERB_COPY, .param = row[i].cell };
    enum code rc = tx_run(tx, query, count, NULL, err);
    arena_rewind(arena, mark); /* rows were sent or written: nobody looks at the queries again */
    return rc ? err_wrap(err, "%s", shape_of(table)->name) : OK;
}

enum code
store_freeze(struct tx *tx, struct err *err)
{
    if (tx->op->access != ACCESS_WRITE)
        return err_set(err, CODE_USAGE, "an operation that reads cannot keep writers out");
    if (tx->backend->type->freeze == NULL)
        return OK;
    enum code rc = tx->backend->type->freeze(tx->backend, err);
    if (rc != OK && tx->failure == OK)
        tx->failure = rc;
    return rc;
}
