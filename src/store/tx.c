/*
 * tx.c - rows of back-office tables, the directory, routes and the claim inside a transaction.
 *
 * Owns:      every statement of an operation goes through tx_run(); what waits for the end.
 * Must not:  begin, commit or roll back; know how a row of the book is encoded (book.c).
 * Invariant: tx->wrote is set before the first statement that writes, so that the runner knows
 *            whether a failure needs a rollback. An operation of ACCESS_READ never writes.
 * Cost:      an operation of a member: one point read for each route, one for the claim.
 * Tests:     tests/contract/test_store.c, tests/unit/store/test_statement_lint.c
 */
#include "store/recheck.h"
#include "store/tx_run.h"

#include "base/mem.h"

static struct cell
number(uint64_t value)
{
    return (struct cell){ .number = (int64_t)value };
}

static struct cell
piece(struct text text)
{
    return (struct cell){ .text = text };
}

enum code
backend_run_one(struct backend *backend, enum table table, enum verb verb, const struct cell *param,
                struct arena *arena, struct query *query, struct err *err)
{
    *query = (struct query){ .table = table, .verb = verb, .param = param };
    return backend->type->run(backend, query, 1, arena, err);
}

static bool
verb_writes(enum verb verb)
{
    return verb == VERB_INSERT || verb == VERB_PUT || verb == VERB_ADVANCE ||
           verb == VERB_DELETE || verb == VERB_COPY;
}

/* Something is about to be written: may it? */
static enum code
note_write(struct tx *tx, enum table table, struct err *err)
{
    enum table_class class = shape_of(table)->class;

    if (tx->op->access != ACCESS_WRITE)
        return err_set(err, CODE_USAGE, "an operation that reads tried to write");
    if (tx->backend->type->concurrent && !tx->shared_locked &&
        (class == CLASS_CONFIG || class == CLASS_LOCAL)) {
        tx->stop = TX_SHARED;
        return err_set(err, CODE_AGAIN, "rows of all servers are written under a lock");
    }
    tx->wrote_config = tx->wrote_config || class == CLASS_CONFIG;
    tx->wrote_owner = tx->wrote_owner || class == CLASS_OWNER;
    tx->wrote_person = tx->wrote_person || class == CLASS_PERSON;
    if (tx->wrote_owner && tx->wrote_person)
        return err_set(err, CODE_USAGE, "an operation wrote both an owner and a person");
    tx->wrote = true;
    return OK;
}

enum code
tx_run(struct tx *tx, struct query *query, uint32_t count, struct arena *arena, struct err *err)
{
    if (tx->overdue != NULL && tx->overdue(tx->overdue_context))
        return err_set(err, CODE_BUSY, "the read took longer than it may, try again");
    for (uint32_t i = 0; i < count; i++) {
        enum code may = verb_writes(query[i].verb) ? note_write(tx, query[i].table, err) : OK;
        if (may)
            return may;
    }
    if (tx->check_due)
        return recheck_with(tx, query, count, arena, err);
    enum code rc = tx->backend->type->run(tx->backend, query, count, arena, err);
    if (rc != OK && tx->failure == OK)
        tx->failure = rc;
    /*
     * Rows that do not fit into the operation's arena are its own trouble, not the transaction's.
     */
    bool too_big = rc == CODE_NO_MEMORY && arena != NULL && arena->failed;
    if (rc != OK && (!too_big || tx->wrote))
        tx->broken = true;
    return rc;
}

enum code
tx_run_one(struct tx *tx, enum table table, enum verb verb, const struct cell *param,
           struct arena *arena, struct query *query, struct err *err)
{
    *query = (struct query){ .table = table, .verb = verb, .param = param };
    return tx_run(tx, query, 1, arena, err);
}

/* ---- routes and the claim ---- */

void
tx_take_route(struct route *route, const struct query *query)
{
    const struct cell *cell = query->cell;

    route->found = query->row_count > 0;
    if (!route->found)
        return;
    if (route->kind == ROUTE_CLAIM) {
        route->owner_id = (uint64_t)cell[COL(claim, owner_id)].number;
        route->op_id = (uint64_t)cell[COL(claim, op_id)].number;
        return;
    }
    route->owner_id = (uint64_t)cell[COL(directory, owner_id)].number;
    route->member_id = (uint64_t)cell[COL(directory, member_id)].number;
    route->key_kind = (enum key_kind)cell[COL(directory, kind)].number;
    route->state = (enum key_state)cell[COL(directory, state)].number;
}

/* With a claim that exists: the record that it names. */
enum code
tx_take_claim(struct tx *tx, const struct query *claim, struct err *err)
{
    struct op *op = tx->op;
    struct query receipt;

    if (claim->row_count == 0)
        return OK;
    op->repeat = true;
    op->existing_owner = (uint64_t)claim->cell[COL(claim, owner_id)].number;
    op->existing_op = (uint64_t)claim->cell[COL(claim, op_id)].number;
    struct cell key[] = { number(op->existing_owner), number(op->existing_op) };
    enum code rc = tx_run_one(tx, TABLE_receipt, VERB_GET, key, op->arena, &receipt, err);
    if (rc)
        return rc;
    if (receipt.row_count > 0)
        op->existing = receipt.cell[COL(receipt, body)].text;
    return OK;
}

uint32_t
tx_route_queries(const struct op *op, struct query *query, struct cell *key)
{
    uint32_t count = 0;

    for (; count < op->route_count; count++) {
        const struct route *route = &op->route[count];
        query[count].table = route->kind == ROUTE_CLAIM ? TABLE_claim : TABLE_directory;
        key[count] = piece(route->key);
    }
    if (op->claim.len > 0) {
        query[count].table = TABLE_claim;
        key[count++] = piece(op->claim);
    }
    for (uint32_t i = 0; i < count; i++) {
        query[i].verb = VERB_GET;
        query[i].param = &key[i];
    }
    return count;
}

enum code
tx_resolve(struct tx *tx, struct err *err)
{
    struct op *op = tx->op;
    struct query query[routes_per_op_max + 1] = { 0 };
    struct cell key[routes_per_op_max + 1];

    if (op->route_count > routes_per_op_max)
        return err_set(err, CODE_LIMIT, "an operation has %u routes", (unsigned)op->route_count);
    if (op->claim.len > claim_key_bytes_max)
        return err_set(err, CODE_LIMIT, "a claim has %u bytes", (unsigned)op->claim.len);
    uint32_t count = tx_route_queries(op, query, key);
    if (count == 0)
        return OK;
    enum code rc = tx_run(tx, query, count, op->arena, err);
    if (rc)
        return err_wrap(err, "routes of an operation");
    for (uint32_t i = 0; i < op->route_count; i++)
        tx_take_route(&op->route[i], &query[i]);
    return op->claim.len > 0 ? tx_take_claim(tx, &query[count - 1], err) : OK;
}

/* ---- directory ---- */

/* Where the row of `key` is or belongs in the list. */
static struct late_row **
late_place(struct tx *tx, const unsigned char *key, int *order)
{
    struct late_row **at = &tx->late;

    *order = -1;
    for (; *at != NULL; at = &(*at)->next) {
        *order = memcmp(key, (*at)->row.key, directory_key_bytes);
        if (*order <= 0)
            return at;
    }
    *order = -1;
    return at;
}

static enum code
keep_for_the_end(struct tx *tx, const struct directory_row *row, bool drop, struct err *err)
{
    int order;

    if (tx->op->access != ACCESS_WRITE)
        return err_set(err, CODE_USAGE, "an operation that reads tried to write");
    struct late_row **at = late_place(tx, row->key, &order);
    if (order != 0) {
        struct late_row *late = arena_new(tx->op->arena, struct late_row);
        if (late == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for a directory row");
        late->next = *at;
        *at = late;
    }
    (*at)->row = *row;
    (*at)->drop = drop;
    return OK;
}

enum code
store_put_directory(struct tx *tx, const struct directory_row *row, struct err *err)
{
    return keep_for_the_end(tx, row, false, err);
}

/* A row of the directory that came as a plain row. */
static enum code
keep_plain(struct tx *tx, const struct row *row, bool drop, struct err *err)
{
    struct directory_row directory = {
        .owner_id = (uint64_t)row->cell[COL(directory, owner_id)].number,
        .member_id = (uint64_t)row->cell[COL(directory, member_id)].number,
        .kind = (enum key_kind)row->cell[COL(directory, kind)].number,
        .state = (enum key_state)row->cell[COL(directory, state)].number,
    };
    struct text key = row->cell[COL(directory, key)].text;

    if (key.len != directory_key_bytes)
        return err_set(err, CODE_USAGE, "a directory key has %u bytes", (unsigned)key.len);
    memcpy(directory.key, key.ptr, directory_key_bytes);
    return keep_for_the_end(tx, &directory, drop, err);
}

enum code
store_find(struct tx *tx, struct text key, struct directory_row *row, bool *found, struct err *err)
{
    struct query query;

    if (key.len != directory_key_bytes)
        return err_set(err, CODE_USAGE, "a directory key has %u bytes", (unsigned)key.len);
    *row = (struct directory_row){ 0 };
    int order;
    struct late_row **at = late_place(tx, (const unsigned char *)key.ptr, &order);
    if (order == 0) {
        *row = (*at)->row;
        *found = !(*at)->drop;
        return OK;
    }
    struct cell param = piece(key);
    enum code rc = tx_run_one(tx, TABLE_directory, VERB_GET, &param, tx->op->arena, &query, err);
    if (rc)
        return err_wrap(err, "directory");
    struct route route = { .kind = ROUTE_DIRECTORY, .key = key };
    tx_take_route(&route, &query);
    if (tx->backend->type->concurrent) {
        rc = recheck_note(tx, &route, err);
        if (rc)
            return rc;
    }
    *found = route.found;
    if (!route.found)
        return OK;
    memcpy(row->key, key.ptr, directory_key_bytes);
    row->owner_id = route.owner_id;
    row->member_id = route.member_id;
    row->kind = route.key_kind;
    row->state = route.state;
    return OK;
}

/* In the transaction that wrote config rows, so that whoever sees the number sees them as well. */
static enum code
raise_config_version(struct tx *tx, struct err *err)
{
    struct cell row[] = { { .text = TEXT("config_version") }, { .number = 0 } };
    struct query query;
    struct buf next;
    uint64_t version = 0;

    enum code rc = tx_run_one(tx, TABLE_meta, VERB_GET, row, tx->op->arena, &query, err);
    if (rc)
        return rc;
    if (query.row_count > 0 && !text_to_u64(query.cell[COL(meta, value)].text, &version))
        return err_set(err, CODE_CORRUPT, "the row config_version of meta is no number");
    buf_init(&next, tx->op->arena, 24);
    buf_add_u64(&next, version + 1);
    row[COL(meta, value)].text = buf_text(&next);
    if (next.failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for the configuration's number");
    tx->wrote_config = false;
    return tx_run_one(tx, TABLE_meta, VERB_PUT, row, NULL, &query, err);
}

enum code
tx_write_late(struct tx *tx, struct err *err)
{
    bool concurrent = tx->backend->type->concurrent;
    struct query query;
    enum code rc = concurrent && tx->late != NULL ? recheck_late(tx, err) : OK;

    for (struct late_row *late = tx->late; late != NULL && rc == OK; late = late->next) {
        const struct directory_row *row = &late->row;
        struct cell param[] = {
            [COL(directory, key)] = piece(
                (struct text){ (const char *)row->key, directory_key_bytes }),
            [COL(directory, owner_id)] = number(row->owner_id),
            [COL(directory, member_id)] = number(row->member_id),
            [COL(directory, kind)] = number(row->kind),
            [COL(directory, state)] = number(row->state),
        };
        enum verb verb = late->drop    ? VERB_DELETE /* the key is the first column */
                         : late->is_new ? VERB_INSERT
                                        : VERB_PUT;
        rc = tx_run_one(tx, TABLE_directory, verb, param, NULL, &query, err);
    }
    if (rc == OK && tx->claims && tx->op->claim.len > 0) {
        struct cell param[] = {
            [COL(claim, key)] = piece(tx->op->claim),
            [COL(claim, owner_id)] = number(tx->claim_owner),
            [COL(claim, op_id)] = number(tx->claim_op),
        };
        tx->wrote_claim = true;
        rc = tx_run_one(tx, TABLE_claim, VERB_INSERT, param, NULL, &query, err);
    }
    if (rc == OK && tx->wrote_config)
        rc = raise_config_version(tx, err);
    tx->late = NULL;
    tx->claims = false;
    return rc ? err_wrap(err, "directory and claim") : OK;
}

/* ---- plain rows ---- */

static const struct statement *
statement_of(struct tx *tx, enum table table, enum verb verb)
{
    const struct statement *statement = &tx->backend->schema->statement[table][verb];
    return statement->sql != NULL ? statement : NULL;
}

static enum code
not_allowed(enum table table, enum verb verb, struct err *err)
{
    return err_set(err, CODE_USAGE, "the table '%s' knows no %s", shape_of(table)->name,
                   verb_name(verb));
}

/* The key's cells, in the key's order. */
static void
take_key(struct tx *tx, enum table table, const struct row *row, struct cell *key)
{
    const struct schema *schema = tx->backend->schema;
    for (uint32_t i = 0; i < schema->key_count[table]; i++)
        key[i] = row->cell[schema->key[table][i]];
}

enum code
store_get(struct tx *tx, enum table table, const struct row *key, struct arena *arena,
          struct row *row, bool *found, struct err *err)
{
    struct cell param[keys_per_table_max];
    struct query query;

    if (statement_of(tx, table, VERB_GET) == NULL)
        return not_allowed(table, VERB_GET, err);
    take_key(tx, table, key, param);
    enum code rc = tx_run_one(tx, table, VERB_GET, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "%s", shape_of(table)->name);
    *found = query.row_count > 0;
    *row = (struct row){ 0 };
    if (*found)
        memcpy(row->cell, query.cell, shape_of(table)->column_count * sizeof *query.cell);
    return OK;
}

enum code
store_get_many(struct tx *tx, enum table table, const struct row *key, uint32_t count,
               struct arena *arena, struct row *row, bool *found, struct err *err)
{
    struct cell param[gets_per_run][keys_per_table_max];
    struct query query[gets_per_run];

    if (statement_of(tx, table, VERB_GET) == NULL)
        return not_allowed(table, VERB_GET, err);
    for (uint32_t from = 0; from < count; from += gets_per_run) {
        uint32_t part = count - from < gets_per_run ? count - from : gets_per_run;
        for (uint32_t i = 0; i < part; i++) {
            take_key(tx, table, &key[from + i], param[i]);
            query[i] = (struct query){ .table = table, .verb = VERB_GET, .param = param[i] };
        }
        enum code rc = tx_run(tx, query, part, arena, err);
        if (rc)
            return err_wrap(err, "%s", shape_of(table)->name);
        for (uint32_t i = 0; i < part; i++) {
            found[from + i] = query[i].row_count > 0;
            row[from + i] = (struct row){ 0 };
            if (query[i].row_count > 0)
                memcpy(row[from + i].cell, query[i].cell,
                       shape_of(table)->column_count * sizeof *query[i].cell);
        }
    }
    return OK;
}

enum code
store_put(struct tx *tx, enum table table, const struct row *row, struct err *err)
{
    struct query query;

    if (statement_of(tx, table, VERB_PUT) == NULL)
        return not_allowed(table, VERB_PUT, err);
    if (table == TABLE_directory)
        return keep_plain(tx, row, false, err);
    enum code rc = tx_run_one(tx, table, VERB_PUT, row->cell, NULL, &query, err);
    return rc ? err_wrap(err, "%s", shape_of(table)->name) : OK;
}

enum code
store_delete(struct tx *tx, enum table table, const struct row *key, struct err *err)
{
    struct cell param[keys_per_table_max];
    struct query query;

    if (statement_of(tx, table, VERB_DELETE) == NULL)
        return not_allowed(table, VERB_DELETE, err);
    if (table == TABLE_directory)
        return keep_plain(tx, key, true, err);
    take_key(tx, table, key, param);
    enum code rc = tx_run_one(tx, table, VERB_DELETE, param, NULL, &query, err);
    return rc ? err_wrap(err, "%s", shape_of(table)->name) : OK;
}

enum code
store_count(struct tx *tx, enum table table, uint64_t *count, struct err *err)
{
    struct arena *arena = tx->op->arena;
    struct arena_mark mark = arena_mark(arena);
    struct query query;

    *count = 0;
    if (statement_of(tx, table, VERB_COUNT) == NULL)
        return not_allowed(table, VERB_COUNT, err);
    enum code rc = tx_run_one(tx, table, VERB_COUNT, NULL, arena, &query, err);
    if (rc)
        return err_wrap(err, "%s", shape_of(table)->name);
    assert(query.row_count == 1);
    *count = (uint64_t)query.cell->number;
    arena_rewind(arena, mark);
    return OK;
}

enum code
store_list(struct tx *tx, enum table table, const struct row *after, uint32_t limit,
           struct arena *arena, struct row **rows, uint32_t *count, struct err *err)
{
    struct cell param[keys_per_table_max + 1] = { 0 };
    bool first = after == NULL && statement_of(tx, table, VERB_FIRST) != NULL;
    enum verb verb = first ? VERB_FIRST : VERB_LIST;
    uint32_t keys = first ? 0 : tx->backend->schema->key_count[table];
    uint32_t columns = shape_of(table)->column_count;
    struct query query;

    if (statement_of(tx, table, verb) == NULL)
        return not_allowed(table, verb, err);
    if (after != NULL)
        take_key(tx, table, after, param);
    else /* after the least key, which nobody has: an empty text, the least number */
        for (uint32_t i = 0; i < keys; i++)
            param[i].number = INT64_MIN;
    param[keys] = number(limit);
    enum code rc = tx_run_one(tx, table, verb, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "%s", shape_of(table)->name);
    *count = query.row_count;
    *rows = arena_array(arena, struct row, query.row_count);
    if (*rows == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for rows of '%s'", shape_of(table)->name);
    for (uint32_t i = 0; i < query.row_count; i++)
        memcpy((*rows)[i].cell, query.cell + (size_t)i * columns, columns * sizeof *query.cell);
    return OK;
}
