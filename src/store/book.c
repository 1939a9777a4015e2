/*
 * book.c - loading and writing one owner's book inside a transaction.
 *
 * Owns:      which rows a struct needs asks for, how a struct view is put together from rows, and
 *            which rows a struct changes becomes.
 * Must not:  know a database: it makes queries, the backend runs them.
 * Invariant: everything is encoded before the first statement runs, so that running out of memory
 *            writes nothing. Rows of one operation are all of one owner; the directory and the
 *            claim come later.
 * Cost:      loading an ordinary owner is one point read. Overflow lots are read only when the row
 *            holds as many lots as it can, rolling counters only when they are asked for.
 * Tests:     tests/contract/test_store.c
 */
#include "store/tx_run.h"

#include "base/mem.h"
#include "core/rows.h"

static struct cell
number(uint64_t value)
{
    return (struct cell){ .number = (int64_t)value };
}

static struct cell
piece(const void *bytes, size_t size)
{
    return (struct cell){ .text = { bytes, (uint32_t)size } };
}

/* ---- loading ---- */

/* The columns and the body of an owner's row. */
static enum code
take_owner(const struct cell *cell, struct arena *arena, struct owner *owner, struct err *err)
{
    struct text head = cell[COL(owner, head)].text;

    *owner = (struct owner){ 0 };
    enum code rc = owner_decode(cell[COL(owner, body)].text, arena, owner, err);
    owner->owner_id = (uint64_t)cell[COL(owner, owner_id)].number;
    owner->tenant = (uint32_t)cell[COL(owner, tenant)].number;
    owner->programme = (uint32_t)cell[COL(owner, programme)].number;
    owner->version = (uint64_t)cell[COL(owner, version)].number;
    owner->last_movement = (uint32_t)cell[COL(owner, last_movement)].number;
    owner->next_due = cell[COL(owner, next_due)].number;
    if (rc == OK && head.len != sizeof owner->head)
        rc = err_set(err, CODE_CORRUPT, "the chain head has %u bytes", (unsigned)head.len);
    if (rc)
        return err_wrap(err, "owner '%llu'", (unsigned long long)owner->owner_id);
    memcpy(owner->head, head.ptr, sizeof owner->head);
    return OK;
}

/* Lots that did not fit into the row, after those that did. */
static enum code
add_overflow(struct owner *owner, const struct query *query, struct arena *arena, struct err *err)
{
    enum { room = 8 };
    uint32_t count = owner->lot_count + query->row_count;
    struct lot *lot = arena_array(arena, struct lot, count + room);

    if (lot == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for %u lots", (unsigned)count);
    memcpy(lot, owner->lot, owner->lot_count * sizeof *lot);
    for (uint32_t i = 0; i < query->row_count; i++) {
        const struct cell *cell = query->cell + (size_t)i * query_columns(query);
        struct bytes_reader reader;
        bytes_open(&reader, cell[COL(lot, body)].text);
        struct lot one = { 0 };
        enum code rc = lot_decode(&reader, &one, err);
        if (!rc && (uint64_t)cell[COL(lot, lot_no)].number != one.lot_no)
            rc = err_set(err, CODE_CORRUPT, "lot '%u' lies under another number", one.lot_no);
        if (rc)
            return err_wrap(err, "lot of owner '%llu'", (unsigned long long)owner->owner_id);
        uint32_t at = owner->lot_count + i;
        for (; at > 0 && lot_cmp(&one, &lot[at - 1]) < 0; at--)
            lot[at] = lot[at - 1];
        lot[at] = one;
    }
    owner->lot = lot;
    owner->lot_count = count;
    owner->lot_cap = count + room;
    return OK;
}

static struct counter_state
take_counter(const struct cell *cell)
{
    return (struct counter_state){
        .counter_no = (uint8_t)cell[COL(counter, counter_no)].number,
        .rolling = true,
        .bucket = cell[COL(counter, bucket)].number,
        .value = cell[COL(counter, value)].number,
    };
}

/* Day buckets of rolling counters, merged in by number; each query's rows are in order already. */
static enum code
add_rolling(struct owner *owner, const struct query *query, uint32_t query_count,
            struct arena *arena, struct err *err)
{
    uint32_t count = owner->counter_count, at = 0, old = 0;

    for (uint32_t i = 0; i < query_count; i++)
        count += query[i].row_count;
    if (count == owner->counter_count)
        return OK;
    struct counter_state *counter = arena_array(arena, struct counter_state, count);
    if (counter == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for %u counters", (unsigned)count);
    for (uint32_t i = 0; i < query_count; i++) {
        for (uint32_t k = 0; k < query[i].row_count; k++) {
            const struct cell *cell = query[i].cell + (size_t)k * query_columns(&query[i]);
            struct counter_state one = take_counter(cell);
            while (old < owner->counter_count && owner->counter[old].counter_no < one.counter_no)
                counter[at++] = owner->counter[old++];
            counter[at++] = one;
        }
    }
    while (old < owner->counter_count)
        counter[at++] = owner->counter[old++];
    assert(at == count);
    owner->counter = counter;
    owner->counter_count = count;
    return OK;
}

static enum code
load_overflow(struct tx *tx, struct owner *owner, struct arena *arena, struct err *err)
{
    struct cell key = number(owner->owner_id);
    struct query query;

    if (owner->lot_count < lots_in_owner_row_max)
        return OK;
    enum code rc = tx_run_one(tx, TABLE_lot, VERB_OWNED, &key, arena, &query, err);
    if (rc == OK && query.row_count > 0)
        rc = add_overflow(owner, &query, arena, err);
    return rc;
}

/* The queries of one load. */
struct load {
    struct query query[3 + counters_per_programme_max];
    struct cell param[3 + counters_per_programme_max][4];
    uint32_t count;
};

static struct query *
load_add(struct load *load, enum table table, enum verb verb)
{
    struct query *query = &load->query[load->count];
    *query = (struct query){ .table = table, .verb = verb, .param = load->param[load->count] };
    load->count++;
    return query;
}

static void
load_add_rolling(struct load *load, const struct needs *needs)
{
    for (uint32_t i = 0; i < counters_per_programme_max; i++) {
        if ((needs->rolling >> i & 1) == 0)
            continue;
        struct cell *param = load->param[load->count];
        param[0] = number(needs->owner_id);
        param[1] = number(i + 1);
        param[2].number = needs->rolling_from - 1;
        param[3].number = INT32_MAX;
        load_add(load, TABLE_counter, VERB_RANGE);
    }
}

enum code
store_load(struct tx *tx, const struct needs *needs, struct arena *arena, struct view *view,
           struct err *err)
{
    struct load load;
    struct query *origin = NULL, *returned = NULL;
    bool locks = tx->op->access == ACCESS_WRITE;

    *view = (struct view){ 0 };
    load.count = 0;
    load.param[0][0] = number(needs->owner_id);
    struct query *owner = load_add(&load, TABLE_owner, locks ? VERB_LOCK : VERB_GET);
    if (needs->origin != 0) {
        load.param[1][0] = load.param[2][0] = number(needs->owner_id);
        load.param[1][1] = load.param[2][1] = number(needs->origin);
        origin = load_add(&load, TABLE_receipt, VERB_GET);
        if (needs->returned)
            returned = load_add(&load, TABLE_returned, VERB_GET);
    }
    uint32_t first_rolling = load.count;
    load_add_rolling(&load, needs);
    enum code rc = tx_run(tx, load.query, load.count, arena, err);
    if (rc)
        return err_wrap(err, "load");
    if (origin != NULL && origin->row_count > 0) {
        view->origin_found = true;
        view->origin = origin->cell[COL(receipt, body)].text;
    }
    if (returned != NULL && returned->row_count > 0) {
        view->returned_found = true;
        view->returned = returned->cell[COL(returned, body)].text;
    }
    if (owner->row_count == 0)
        return OK;
    view->owner_found = true;
    rc = take_owner(owner->cell, arena, &view->owner, err);
    if (rc == OK)
        rc = load_overflow(tx, &view->owner, arena, err);
    if (rc == OK)
        rc = add_rolling(&view->owner, load.query + first_rolling, load.count - first_rolling,
                         arena, err);
    return rc;
}

/* ---- writing ---- */

/* Queries of one write, and the cells that they bind. */
struct write {
    const struct schema *schema;
    struct query *query;
    uint32_t count, cap;
    struct cell *cell;
    size_t cell_count, cell_cap;
    struct arena *arena;
    bool failed;
};

/* The cells of one more query. */
static struct cell *
write_add(struct write *write, enum table table, enum verb verb)
{
    uint32_t params = write->schema->statement[table][verb].param_count;
    struct cell *cell = write->cell + write->cell_count;

    assert(params > 0);
    assert(write->count < write->cap);
    assert(write->cell_count + params <= write->cell_cap);
    write->query[write->count++] = (struct query){ .table = table, .verb = verb, .param = cell };
    write->cell_count += params;
    return cell;
}

static struct cell
take_buf(struct write *write, const struct buf *buf)
{
    write->failed = write->failed || buf->failed;
    return (struct cell){ .text = buf_text(buf) };
}

static void
write_owner(struct write *write, const struct changes *changes)
{
    const struct owner *owner = changes->owner;
    struct cell *cell = write_add(write, TABLE_owner,
                                  changes->owner_new ? VERB_INSERT : VERB_ADVANCE);
    struct buf buf;

    buf_init(&buf, write->arena, 512);
    owner_encode(owner, &buf);
    cell[COL(owner, owner_id)] = number(owner->owner_id);
    cell[COL(owner, tenant)] = number(owner->tenant);
    cell[COL(owner, programme)] = number(owner->programme);
    cell[COL(owner, version)] = number(owner->version);
    cell[COL(owner, last_movement)] = number(owner->last_movement);
    cell[COL(owner, next_due)].number = owner->next_due;
    cell[COL(owner, head)] = piece(owner->head, sizeof owner->head);
    cell[COL(owner, body)] = take_buf(write, &buf);
}

static void
write_movement(struct write *write, const struct movement *movement)
{
    struct cell *cell = write_add(write, TABLE_movement, VERB_INSERT);
    struct buf buf;

    buf_init(&buf, write->arena, 64);
    movement_encode_body(movement, &buf);
    cell[COL(movement, owner_id)] = number(movement->owner_id);
    cell[COL(movement, movement_no)] = number(movement->movement_no);
    cell[COL(movement, op_id)] = number(movement->op_id);
    cell[COL(movement, kind)] = number(movement->kind);
    cell[COL(movement, account)] = number(movement->account);
    cell[COL(movement, contra)] = number(movement->contra);
    cell[COL(movement, currency)] = number(movement->currency);
    cell[COL(movement, amount)].number = movement->amount;
    cell[COL(movement, lot_no)] = number(movement->lot_no);
    cell[COL(movement, at)].number = movement->at;
    cell[COL(movement, body)] = take_buf(write, &buf);
    cell[COL(movement, link)] = piece(movement->link, sizeof movement->link);
}

static void
write_lots(struct write *write, const struct changes *changes)
{
    uint64_t owner_id = changes->owner->owner_id;

    for (uint32_t i = 0; i < changes->lot_drop_count; i++) {
        struct cell *cell = write_add(write, TABLE_lot, VERB_DELETE);
        cell[0] = number(owner_id);
        cell[1] = number(changes->lot_drop[i]);
    }
    for (uint32_t i = 0; i < changes->lot_put_count; i++) {
        struct cell *cell = write_add(write, TABLE_lot, VERB_PUT);
        struct buf buf;
        buf_init(&buf, write->arena, 64);
        lot_encode(&changes->lot_put[i], &buf);
        cell[COL(lot, owner_id)] = number(owner_id);
        cell[COL(lot, lot_no)] = number(changes->lot_put[i].lot_no);
        cell[COL(lot, body)] = take_buf(write, &buf);
    }
}

static void
write_counters(struct write *write, const struct changes *changes)
{
    uint64_t owner_id = changes->owner->owner_id;

    for (uint32_t i = 0; i < changes->counter_put_count; i++) {
        const struct counter_state *counter = &changes->counter_put[i];
        bool drop = counter->value == 0;
        struct cell *cell = write_add(write, TABLE_counter, drop ? VERB_DELETE : VERB_PUT);
        cell[0] = number(owner_id);
        cell[1] = number(counter->counter_no);
        cell[2].number = counter->bucket;
        if (!drop)
            cell[COL(counter, value)].number = counter->value;
    }
}

static void
write_records(struct write *write, const struct changes *changes)
{
    uint64_t owner_id = changes->owner->owner_id;

    if (changes->record.len > 0) {
        struct cell *cell = write_add(write, TABLE_receipt, VERB_INSERT);
        cell[COL(receipt, owner_id)] = number(owner_id);
        cell[COL(receipt, op_id)] = number(changes->op_id);
        cell[COL(receipt, kind)] = number(changes->record_kind);
        cell[COL(receipt, body)].text = changes->record;
    }
    if (changes->returned_of != 0) {
        struct cell *cell = write_add(write, TABLE_returned, VERB_PUT);
        cell[COL(returned, owner_id)] = number(owner_id);
        cell[COL(returned, op_id)] = number(changes->returned_of);
        cell[COL(returned, body)].text = changes->returned;
    }
    /* A new owner has no members, or is barred: then this is a CONFLICT. */
    enum verb member_verb = changes->owner_new ? VERB_INSERT : VERB_PUT;
    for (uint32_t i = 0; i < changes->member_put_count; i++) {
        const struct member_row *member = &changes->member_put[i];
        struct cell *cell = write_add(write, TABLE_member, member_verb);
        assert(member->owner_id == owner_id);
        cell[COL(member, owner_id)] = number(member->owner_id);
        cell[COL(member, member_id)] = number(member->member_id);
        cell[COL(member, person_id)] = number(member->person_id);
        cell[COL(member, state)] = number(member->state);
        cell[COL(member, enrolled_at)].number = member->enrolled_at;
    }
}

static bool
write_init(struct write *write, const struct schema *schema, const struct changes *changes,
           struct arena *arena)
{
    uint64_t count = (uint64_t)changes->movement_count + changes->lot_put_count +
                     changes->lot_drop_count + changes->counter_put_count +
                     changes->member_put_count + 3;

    if (count > UINT32_MAX / params_per_statement_max)
        return false;
    *write = (struct write){ .schema = schema, .arena = arena, .cap = (uint32_t)count };
    write->cell_cap = count * 12; /* no table of the book has more columns */
    write->query = arena_array(arena, struct query, write->cap);
    write->cell = arena_array(arena, struct cell, write->cell_cap);
    return write->query != NULL && write->cell != NULL;
}

static enum code
write_book(struct tx *tx, const struct op *op, const struct changes *changes, struct err *err)
{
    struct write write;

    if (!write_init(&write, tx->backend->schema, changes, op->arena))
        return err_set(err, CODE_NO_MEMORY, "no memory for the rows to write");
    write_owner(&write, changes);
    for (uint32_t i = 0; i < changes->movement_count; i++) {
        assert(changes->movement[i].owner_id == changes->owner->owner_id);
        write_movement(&write, &changes->movement[i]);
    }
    write_lots(&write, changes);
    write_counters(&write, changes);
    write_records(&write, changes);
    if (write.failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for the rows to write");
    return tx_run(tx, write.query, write.count, NULL, err);
}

enum code
store_write(struct tx *tx, const struct op *op, const struct changes *changes, struct err *err)
{
    enum code rc = OK;

    assert(tx->op == op);
    if (op->access != ACCESS_WRITE)
        return err_set(err, CODE_USAGE, "an operation that reads tried to write");
    if (op->repeat)
        return err_set(err, CODE_CONFLICT, "the operation was done already");
    for (uint32_t i = 0; i < changes->directory_put_count && rc == OK; i++)
        rc = store_put_directory(tx, &changes->directory_put[i], err);
    if (rc == OK && changes->owner != NULL)
        rc = write_book(tx, op, changes, err);
    if (rc)
        return err_wrap(err, "write");
    if (!tx->claims) {
        tx->claims = true;
        tx->claim_owner = changes->owner != NULL ? changes->owner->owner_id : 0;
        tx->claim_op = changes->op_id;
        if (changes->owner != NULL) {
            tx->wrote_record = changes->record.len > 0;
            tx->wrote_version = changes->owner->version;
            memcpy(tx->wrote_head, changes->owner->head, sizeof tx->wrote_head);
        }
    }
    return OK;
}

/* ---- bars ---- */

enum { closed = 1 }; /* as struct member_row has it */

enum code
store_bar_member(struct tx *tx, uint64_t owner_id, struct err *err)
{
    struct row row = { 0 };
    struct query query;

    row.cell[COL(member, owner_id)] = number(owner_id);
    row.cell[COL(member, member_id)] = number(owner_id);
    row.cell[COL(member, state)] = number(closed);
    assert(row_is_bar(&row));
    enum code rc = tx_run_one(tx, TABLE_member, VERB_INSERT, row.cell, NULL, &query, err);
    return rc ? err_wrap(err, "bar of '%llu'", (unsigned long long)owner_id) : OK;
}

bool
row_is_bar(const struct row *member)
{
    const struct cell *cell = member->cell;

    return cell[COL(member, member_id)].number == cell[COL(member, owner_id)].number &&
           cell[COL(member, person_id)].number == 0 &&
           cell[COL(member, state)].number == closed &&
           cell[COL(member, enrolled_at)].number == 0;
}

/* ---- lists ---- */

/* An owner as the verifier wants it: with all that lies outside its row. */
static enum code
complete_owner(struct tx *tx, struct owner *owner, struct arena *arena, struct err *err)
{
    struct cell key = number(owner->owner_id);
    struct query query;

    enum code rc = load_overflow(tx, owner, arena, err);
    if (rc)
        return rc;
    rc = tx_run_one(tx, TABLE_counter, VERB_OWNED, &key, arena, &query, err);
    if (rc)
        return rc;
    return add_rolling(owner, &query, 1, arena, err);
}

enum code
store_list_owners(struct tx *tx, uint64_t after, uint32_t limit, struct arena *arena,
                  struct owner **owner, uint32_t *count, struct err *err)
{
    struct cell param[] = { number(after), number(limit) };
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_owner, VERB_RANGE, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "owners");
    *owner = arena_array(arena, struct owner, query.row_count);
    if (*owner == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for %u owners", (unsigned)query.row_count);
    *count = query.row_count;
    for (uint32_t i = 0; i < query.row_count && rc == OK; i++) {
        rc = take_owner(query.cell + (size_t)i * query_columns(&query), arena, &(*owner)[i], err);
        if (rc == OK)
            rc = complete_owner(tx, &(*owner)[i], arena, err);
    }
    return rc;
}

enum code
store_list_due(struct tx *tx, uint64_t after, unix_ms due, uint32_t scan, uint64_t *ids,
               uint32_t cap, uint32_t *count, uint64_t *last, struct err *err)
{
    struct cell param[] = { number(after), number(scan) };
    struct arena *arena = tx->op->arena;
    struct arena_mark mark = arena_mark(arena);
    struct query query;

    *count = 0;
    *last = 0;
    enum code rc = tx_run_one(tx, TABLE_owner, VERB_DUE, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "owners that are due");
    uint32_t i = 0;
    for (; i < query.row_count; i++) {
        const struct cell *cell = query.cell + (size_t)i * 2;
        if (cell[1].number > due)
            continue;
        if (*count == cap)
            break;
        ids[(*count)++] = (uint64_t)cell[0].number;
    }
    /* Rows were left, by `scan` or by `cap`: the next call goes on after the last one seen. */
    if (i > 0 && (i < query.row_count || query.row_count == scan))
        *last = (uint64_t)query.cell[(size_t)(i - 1) * 2].number;
    arena_rewind(arena, mark);
    return OK;
}

static enum code
take_movement(const struct cell *cell, struct movement *movement, struct err *err)
{
    struct text link = cell[COL(movement, link)].text;

    *movement = (struct movement){ 0 };
    enum code rc = movement_decode_body(cell[COL(movement, body)].text, movement, err);
    movement->owner_id = (uint64_t)cell[COL(movement, owner_id)].number;
    movement->movement_no = (uint32_t)cell[COL(movement, movement_no)].number;
    movement->op_id = (uint64_t)cell[COL(movement, op_id)].number;
    movement->kind = (enum movement_kind)cell[COL(movement, kind)].number;
    movement->account = (enum account)cell[COL(movement, account)].number;
    movement->contra = (enum account)cell[COL(movement, contra)].number;
    movement->currency = (uint8_t)cell[COL(movement, currency)].number;
    movement->amount = cell[COL(movement, amount)].number;
    movement->lot_no = (uint32_t)cell[COL(movement, lot_no)].number;
    movement->at = cell[COL(movement, at)].number;
    if (rc == OK && link.len != sizeof movement->link)
        rc = err_set(err, CODE_CORRUPT, "the link has %u bytes", (unsigned)link.len);
    if (rc == OK && (movement->kind >= movement_kind_count || movement->account >= account_count ||
                     movement->contra >= account_count))
        rc = err_set(err, CODE_CORRUPT, "a kind or an account does not exist");
    if (rc)
        return err_wrap(err, "movement '%u' of owner '%llu'", (unsigned)movement->movement_no,
                        (unsigned long long)movement->owner_id);
    memcpy(movement->link, link.ptr, sizeof movement->link);
    return OK;
}

enum code
store_list_movements(struct tx *tx, uint64_t owner_id, uint32_t after, uint32_t limit,
                     struct arena *arena, struct movement **movement, uint32_t *count,
                     struct err *err)
{
    struct cell param[] = { number(owner_id), number(after), number(limit) };
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_movement, VERB_RANGE, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "movements");
    *movement = arena_array(arena, struct movement, query.row_count);
    if (*movement == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for movements");
    *count = query.row_count;
    for (uint32_t i = 0; i < query.row_count && rc == OK; i++)
        rc = take_movement(query.cell + (size_t)i * query_columns(&query), &(*movement)[i], err);
    return rc;
}

enum code
store_get_receipt(struct tx *tx, uint64_t owner_id, uint64_t op_id, struct arena *arena,
                  struct receipt_row *row, bool *found, struct err *err)
{
    struct cell param[] = { number(owner_id), number(op_id) };
    struct query query;

    *row = (struct receipt_row){ .owner_id = owner_id, .op_id = op_id };
    enum code rc = tx_run_one(tx, TABLE_receipt, VERB_GET, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "receipt");
    *found = query.row_count > 0;
    if (*found) {
        row->kind = (enum record_kind)query.cell[COL(receipt, kind)].number;
        row->body = query.cell[COL(receipt, body)].text;
    }
    return OK;
}

enum code
store_list_receipts(struct tx *tx, uint64_t after_owner, uint64_t after_op, uint32_t limit,
                    struct arena *arena, struct receipt_row **row, uint32_t *count,
                    struct err *err)
{
    struct cell param[] = { number(after_owner), number(after_op), number(limit) };
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_receipt, VERB_LIST, param, arena, &query, err);
    if (rc)
        return err_wrap(err, "receipts");
    *row = arena_array(arena, struct receipt_row, query.row_count);
    if (*row == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for receipts");
    *count = query.row_count;
    for (uint32_t i = 0; i < query.row_count; i++) {
        const struct cell *cell = query.cell + (size_t)i * query_columns(&query);
        (*row)[i] = (struct receipt_row){
            .owner_id = (uint64_t)cell[COL(receipt, owner_id)].number,
            .op_id = (uint64_t)cell[COL(receipt, op_id)].number,
            .kind = (enum record_kind)cell[COL(receipt, kind)].number,
            .body = cell[COL(receipt, body)].text,
        };
    }
    return OK;
}

enum code
store_list_members(struct tx *tx, uint64_t owner_id, struct arena *arena,
                   struct member_row **member, uint32_t *count, struct err *err)
{
    struct cell key = number(owner_id);
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_member, VERB_OWNED, &key, arena, &query, err);
    if (rc)
        return err_wrap(err, "members");
    *member = arena_array(arena, struct member_row, query.row_count);
    if (*member == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for members");
    *count = query.row_count;
    for (uint32_t i = 0; i < query.row_count; i++) {
        const struct cell *cell = query.cell + (size_t)i * query_columns(&query);
        (*member)[i] = (struct member_row){
            .owner_id = (uint64_t)cell[COL(member, owner_id)].number,
            .member_id = (uint64_t)cell[COL(member, member_id)].number,
            .person_id = (uint64_t)cell[COL(member, person_id)].number,
            .state = (uint8_t)cell[COL(member, state)].number,
            .enrolled_at = cell[COL(member, enrolled_at)].number,
        };
    }
    return OK;
}

enum code
store_list_returned(struct tx *tx, uint64_t owner_id, struct arena *arena,
                    struct returned_row **row, uint32_t *count, struct err *err)
{
    struct cell key = number(owner_id);
    struct query query;

    enum code rc = tx_run_one(tx, TABLE_returned, VERB_OWNED, &key, arena, &query, err);
    if (rc)
        return err_wrap(err, "returned");
    *row = arena_array(arena, struct returned_row, query.row_count);
    if (*row == NULL)
        return err_set(err, CODE_NO_MEMORY, "no memory for what was returned");
    *count = query.row_count;
    for (uint32_t i = 0; i < query.row_count; i++) {
        const struct cell *cell = query.cell + (size_t)i * query_columns(&query);
        (*row)[i] = (struct returned_row){
            .owner_id = (uint64_t)cell[COL(returned, owner_id)].number,
            .op_id = (uint64_t)cell[COL(returned, op_id)].number,
            .body = cell[COL(returned, body)].text,
        };
    }
    return OK;
}
