/*
 * bulk_load.c - a table of members into an empty book that nobody else uses (import --offline).
 *
 * Owns:      see bulk_load.h.
 * Must not:  decide: enrol.c checks, flow/ books, exactly as for a single call.
 * Cost:      one pass; nothing is sorted: ids rise, and the keys' table is in order by itself.
 * Tests:     tests/stories/import (the same book as by calls), bench/bench_import.c
 */
#include "service/bulk_load.h"

#include <stdlib.h>
#include <string.h>

#include "service/enrol.h"
#include "service/key_table.h"

enum {
    batch_members = 256,
    batch_block_bytes = 512 * 1024,
    keys_per_write = 64,
    claim_mark_bytes = 1, /* the 'i' before the hash in an Idempotency-Key's claim */
};

/* Rows of one table, ready, in the order of their keys. */
struct bulk_rows {
    uint32_t count, cap;
    struct row *row;
};

struct bulk_batch {
    struct arena arena; /* bytes of the rows */
    uint32_t members;
    struct bulk_rows rows[table_count];
    uint64_t bytes_read;
};

struct bulk_load {
    struct bulk_load_options options;
    const struct catalogue *catalogue;
    struct bulk *bulk;
    struct person_sealer *sealer;
    struct arena scratch; /* of one member */
    struct key_table directory, claims;
    struct bulk_result result;
};

/* ---- opening and closing ---- */

enum code
bulk_load_open(const struct bulk_load_options *options, struct bulk_load **load, struct err *err)
{
    struct bulk_load *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory to load members");
    made->options = *options;
    made->catalogue = atomic_load(&options->service->catalogue);
    key_table_init(&made->directory);
    key_table_init(&made->claims);
    arena_init(&made->scratch, heap_source(), 64 * 1024, request_arena_bytes_max);
    enum code rc = person_sealer_new(options->service, &made->sealer, err);
    if (!rc) /* inside the one transaction nothing can be renewed */
        rc = lease_keep(options->service, id_lease_of_bulk_ms, err);
    if (!rc)
        rc = store_bulk_begin(options->store, &made->bulk, err);
    if (rc) {
        bulk_load_close(made);
        return rc;
    }
    *load = made;
    return OK;
}

void
bulk_load_close(struct bulk_load *load)
{
    if (!load)
        return;
    if (load->bulk)
        store_bulk_abort(load->bulk);
    person_sealer_free(load->sealer);
    key_table_release(&load->directory);
    key_table_release(&load->claims);
    arena_release(&load->scratch);
    free(load);
}

enum code
bulk_batch_new(struct bulk_batch **batch, struct err *err)
{
    struct bulk_batch *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory to load members");
    arena_init(&made->arena, heap_source(), batch_block_bytes, (size_t)1 << 30);
    *batch = made;
    return OK;
}

void
bulk_batch_free(struct bulk_batch *batch)
{
    if (!batch)
        return;
    arena_release(&batch->arena);
    for (size_t i = 0; i < table_count; i++)
        free(batch->rows[i].row);
    free(batch);
}

uint64_t
bulk_batch_bytes(const struct bulk_batch *batch)
{
    return batch->bytes_read;
}

/* ---- rows: cells stand in the order of store/schema.def ---- */

static struct row *
add_row(struct bulk_batch *batch, enum table table)
{
    struct bulk_rows *rows = &batch->rows[table];

    if (rows->count == rows->cap) {
        uint32_t cap = rows->cap ? 2 * rows->cap : batch_members;
        struct row *more = realloc(rows->row, cap * sizeof(*more));
        if (!more)
            return NULL;
        rows->row = more;
        rows->cap = cap;
    }
    return &rows->row[rows->count++];
}

static struct cell
number(uint64_t value)
{
    return (struct cell){ .number = (int64_t)value };
}

static struct cell
piece(struct bulk_batch *batch, const void *bytes, size_t size)
{
    return (
        struct cell){ .text = text_copy(&batch->arena, (struct text){ bytes, (uint32_t)size }) };
}

static bool
add_owner(struct bulk_batch *batch, const struct owner *owner)
{
    struct row *row = add_row(batch, TABLE_owner);
    struct buf body;

    assert(owner->lot_count <= lots_in_owner_row_max);
    if (!row)
        return false;
    buf_init(&body, &batch->arena, 96);
    owner_encode(owner, &body);
    row->cell[0] = number(owner->owner_id);
    row->cell[1] = number(owner->tenant);
    row->cell[2] = number(owner->programme);
    row->cell[3] = number(owner->version);
    row->cell[4] = number(owner->last_movement);
    row->cell[5].number = owner->next_due;
    row->cell[6] = piece(batch, owner->head, sizeof(owner->head));
    row->cell[7].text = buf_text(&body);
    return !body.failed;
}

static bool
add_movement(struct bulk_batch *batch, const struct movement *movement)
{
    struct row *row = add_row(batch, TABLE_movement);
    struct buf body;

    if (!row)
        return false;
    buf_init(&body, &batch->arena, 48);
    movement_encode_body(movement, &body);
    row->cell[0] = number(movement->owner_id);
    row->cell[1] = number(movement->movement_no);
    row->cell[2] = number(movement->op_id);
    row->cell[3] = number(movement->kind);
    row->cell[4] = number(movement->account);
    row->cell[5] = number(movement->contra);
    row->cell[6] = number(movement->currency);
    row->cell[7].number = movement->amount;
    row->cell[8] = number(movement->lot_no);
    row->cell[9].number = movement->at;
    row->cell[10].text = buf_text(&body);
    row->cell[11] = piece(batch, movement->link, sizeof(movement->link));
    return !body.failed;
}

static bool
add_member(struct bulk_batch *batch, const struct member_row *member)
{
    struct row *row = add_row(batch, TABLE_member);

    if (!row)
        return false;
    row->cell[0] = number(member->owner_id);
    row->cell[1] = number(member->member_id);
    row->cell[2] = number(member->person_id);
    row->cell[3] = number(member->state);
    row->cell[4].number = member->enrolled_at;
    return true;
}

/* What one operation changes, but for the owner's row, which is written once after all of them. */
static bool
add_changes(struct bulk_batch *batch, const struct changes *changes)
{
    struct row *row = add_row(batch, TABLE_receipt);

    assert(changes->lot_put_count == 0);
    assert(changes->lot_drop_count == 0);
    assert(changes->counter_put_count == 0);
    assert(changes->returned_of == 0);
    assert(changes->record.len > 0);
    if (!row)
        return false;
    row->cell[0] = number(changes->owner->owner_id);
    row->cell[1] = number(changes->op_id);
    row->cell[2] = number(changes->record_kind);
    row->cell[3] = piece(batch, changes->record.ptr, changes->record.len);
    for (uint32_t i = 0; i < changes->movement_count; i++)
        if (!add_movement(batch, &changes->movement[i]))
            return false;
    for (uint32_t i = 0; i < changes->member_put_count; i++)
        if (!add_member(batch, &changes->member_put[i]))
            return false;
    return !batch->arena.failed;
}

/* ---- one member ---- */

/* A row on its way: the request that it is, and what a call of it would have. */
struct bulk_row {
    struct bulk_load *load;
    struct bulk_batch *batch;
    struct import_member member;
    struct call call;
    struct work work;
    struct enrol_work enrol;
    struct owner *owner; /* as booked so far */
};

static enum code
no_memory(struct err *err)
{
    return err_set(err, CODE_NO_MEMORY, "no memory to load members");
}

static void
refuse_row(struct bulk_load *load, enum outcome outcome, struct text pointer, struct text detail)
{
    load->result.refused++;
    load->options.refused(load->options.context, outcome, pointer, detail);
}

static void
begin_work(struct bulk_row *row, enum route_name route, struct text body, struct text key,
           unix_ms at)
{
    struct bulk_load *load = row->load;
    struct service *service = load->options.service;

    row->call = (struct call){
        .route = route,
        .trusted = true,
        .tenant = load->options.tenant,
        .body = body,
        .idempotency_key = key,
        .arena = &load->scratch,
    };
    row->work = (struct work){
        .service = service,
        .call = &row->call,
        .catalogue = load->catalogue,
        .tenant = load->options.tenant,
        .now = at ? at : service->host.now(service->host.context),
        .op.arena = &load->scratch,
    };
}

static void
item_of_claim(const struct work *work, struct key_item *item)
{
    struct text claim = work->op.claim;

    assert(claim.len == claim_mark_bytes + key_table_key_bytes);
    *item = (struct key_item){ .owner_id = work->step.owner_id, .value = work->step.op_id };
    memcpy(item->key, claim.ptr + claim_mark_bytes, key_table_key_bytes);
    memcpy(&item->check, work->request_hash, sizeof(item->check));
}

/* Was this operation done by an earlier row? Another request under its name is refused. */
static const struct key_item *
find_repeat(struct bulk_row *row)
{
    const struct key_item *done;
    struct key_item item;

    item_of_claim(&row->work, &item);
    done = key_table_find(&row->load->claims, item.key);
    if (done && done->check != item.check)
        work_refuse(&row->work, OUTCOME_KEY_REUSED, TEXT(""));
    return done;
}

static bool
keys_are_free(struct bulk_row *row)
{
    const struct enrol_work *enrol = &row->enrol;

    for (uint32_t i = 0; i < enrol->input.key_count; i++)
        if (key_table_find(&row->load->directory, enrol->key[i].key))
            return work_refuse(&row->work, OUTCOME_CARD_TAKEN, enrol_pointer(enrol->key[i].kind));
    return true;
}

static bool
take_claim(struct bulk_row *row)
{
    struct key_item item;

    item_of_claim(&row->work, &item);
    return key_table_put(&row->load->claims, &item);
}

static bool
take_keys(struct bulk_row *row)
{
    const struct changes *changes = &row->work.step.changes;

    for (uint32_t i = 0; i < changes->directory_put_count; i++) {
        const struct directory_row *key = &changes->directory_put[i];
        struct key_item item = { .owner_id = key->owner_id,
                                 .value = key->kind,
                                 .check = key->state };
        assert(key->member_id == key->owner_id);
        memcpy(item.key, key->key, directory_key_bytes);
        if (!key_table_put(&row->load->directory, &item))
            return false;
    }
    return take_claim(row);
}

static enum code
add_person(struct bulk_row *row, struct err *err)
{
    struct bulk_load *load = row->load;
    struct row *person;
    struct buf plain;

    buf_init(&plain, &load->scratch, 256);
    person_json(&row->enrol.body, row->enrol.phone, &plain);
    person = add_row(row->batch, TABLE_person);
    if (plain.failed || !person)
        return no_memory(err);
    return person_sealer_seal(load->sealer, row->enrol.input.person_id, load->options.tenant,
                              buf_text(&plain), &row->batch->arena, person, err);
}

/* Enrol: as enrol.c does with a store. A refusal stands in row->work. */
static enum code
enrol_row(struct bulk_row *row, struct err *err)
{
    struct work *work = &row->work;

    work_begin_step(work);
    work->step.owner_id = work->step.member_id = row->enrol.id;
    enum code rc = flow_enrol(&work->step, &row->enrol.input, err);
    if (rc)
        return rc;
    if (work->step.outcome != OUTCOME_DONE) {
        work_refuse(work, work->step.outcome, work->step.culprit);
        return OK;
    }
    rc = seal(&work->step.changes, &row->load->scratch, err);
    if (!rc)
        rc = add_person(row, err);
    if (rc)
        return rc;
    if (!take_keys(row) || !add_changes(row->batch, &work->step.changes))
        return no_memory(err);
    row->owner = work->step.changes.owner;
    row->load->result.members++;
    row->batch->members++;
    return OK;
}

/* A balance, on the owner that has just been made. */
static enum code
book_balance(struct bulk_row *row, const struct opening_input *opening, struct err *err)
{
    struct work *work = &row->work;

    work->view = (struct view){ .owner_found = true, .owner = *row->owner };
    work_begin_step(work);
    work->step.owner_id = work->step.member_id = row->owner->owner_id;
    enum code rc = flow_opening(&work->step, opening, err);
    if (rc)
        return rc;
    if (work->step.outcome != OUTCOME_DONE) {
        work_refuse(work, work->step.outcome, work->step.culprit);
        return OK;
    }
    rc = seal(&work->step.changes, &row->load->scratch, err);
    if (rc)
        return rc;
    if (!take_claim(row) || !add_changes(row->batch, &work->step.changes))
        return no_memory(err);
    row->owner = work->step.changes.owner;
    return OK;
}

/* The pointer of a refused balance is its column. */
static struct text
balance_pointer(struct bulk_row *row, uint32_t which)
{
    struct buf out;

    buf_init(&out, &row->load->scratch, 64);
    buf_add_text(&out, TEXT("/balance."));
    buf_add_text(&out, row->member.balance[which].currency);
    return buf_text(&out);
}

/* The balances of a row, each an operation of its own; `member_id` was enrolled before. */
static enum code
add_balances(struct bulk_row *row, uint64_t member_id, struct err *err)
{
    struct bulk_load *load = row->load;
    struct opening_input opening;
    struct text body, key;
    struct whom whom;
    struct buf id;

    buf_init(&id, &load->scratch, 24);
    buf_add_u64(&id, member_id);
    for (uint32_t i = 0; i < row->member.balance_count; i++) {
        import_balance_body(load->options.table, &row->member, i, buf_text(&id), &load->scratch,
                            &body, &key);
        begin_work(row, CALL_OPENING, body, key, row->member.opened_at);
        enum code rc = OK;
        if (opening_prepare(&row->work, &whom, &opening) && !find_repeat(row)) {
            if (row->owner)
                rc = book_balance(row, &opening, err);
            else /* its owner is written already: the table says two things of one member */
                work_refuse(&row->work, OUTCOME_KEY_REUSED, TEXT(""));
        }
        if (rc)
            return rc;
        if (row->work.refusal.outcome != OUTCOME_DONE) {
            refuse_row(load, row->work.refusal.outcome, balance_pointer(row, i),
                       row->work.refusal.detail);
            return OK;
        }
    }
    return OK;
}

static enum code
prepare_row(struct bulk_load *load, struct bulk_batch *batch, struct err *err)
{
    struct bulk_row *row = arena_new(&load->scratch, struct bulk_row);
    const struct key_item *done;
    struct refusal refusal;

    if (!row)
        return no_memory(err);
    row->load = load;
    row->batch = batch;
    if (!import_member_read(load->options.table, &load->scratch, &row->member, &refusal)) {
        refuse_row(load, refusal.outcome, refusal.pointer, refusal.detail);
        return OK;
    }
    begin_work(row, CALL_ENROL, row->member.body, row->member.key, row->member.enrolled_at);
    enum code rc = OK;
    done = enrol_prepare(&row->work, &row->enrol) ? find_repeat(row) : NULL;
    uint64_t id = done ? done->owner_id : row->enrol.id;
    if (done)
        load->result.repeated += row->work.refusal.outcome == OUTCOME_DONE;
    else if (row->work.refusal.outcome == OUTCOME_DONE && keys_are_free(row))
        rc = enrol_row(row, err);
    if (rc)
        return rc;
    if (row->work.refusal.outcome != OUTCOME_DONE) {
        refuse_row(load, row->work.refusal.outcome, row->work.refusal.pointer,
                   row->work.refusal.detail);
        return OK;
    }
    rc = add_balances(row, id, err);
    if (!rc && row->owner && !add_owner(batch, row->owner))
        rc = no_memory(err);
    return rc;
}

/* ---- the stages ---- */

enum code
bulk_load_prepare(struct bulk_load *load, struct bulk_batch *batch, bool *more, struct err *err)
{
    struct csv *csv = load->options.csv;
    enum csv_result result = CSV_END;
    enum code rc = OK;

    arena_reset(&batch->arena);
    batch->members = 0;
    for (size_t i = 0; i < table_count; i++)
        batch->rows[i].count = 0;
    while (!rc && batch->members < batch_members && (result = csv_next(csv)) != CSV_END) {
        load->result.rows++;
        arena_reset(&load->scratch);
        if (result == CSV_BROKEN)
            refuse_row(load, OUTCOME_FIELD_FORMAT, TEXT(""), text_of(csv_problem(csv)));
        else
            rc = prepare_row(load, batch, err);
        if (!rc && batch->arena.failed)
            rc = no_memory(err);
    }
    *more = result != CSV_END;
    batch->bytes_read = csv_bytes_read(csv);
    return rc;
}

enum code
bulk_load_write(struct bulk_load *load, const struct bulk_batch *batch, struct err *err)
{
    enum code rc = OK;

    for (int i = 0; i < table_count && !rc; i++)
        rc = store_bulk_put_many(load->bulk, (enum table)i, batch->rows[i].row,
                                 batch->rows[i].count, err);
    return rc;
}

/* Rows made of the items of a key table. */
struct key_rows {
    enum table table;
    void (*make)(struct key_rows *rows, const struct key_item *item, struct row *row);
    uint32_t count;
    struct row row[keys_per_write];
    char claim[keys_per_write][claim_mark_bytes + key_table_key_bytes];
};

static void
make_directory_row(struct key_rows *rows, const struct key_item *item, struct row *row)
{
    (void)rows;
    row->cell[0].text = (struct text){ (const char *)item->key, directory_key_bytes };
    row->cell[1] = row->cell[2] = number(item->owner_id);
    row->cell[3] = number(item->value);
    row->cell[4] = number(item->check);
}

static void
make_claim_row(struct key_rows *rows, const struct key_item *item, struct row *row)
{
    char *key = rows->claim[rows->count];

    key[0] = 'i';
    memcpy(key + claim_mark_bytes, item->key, key_table_key_bytes);
    row->cell[0].text = (struct text){ key, sizeof(rows->claim[0]) };
    row->cell[1] = number(item->owner_id);
    row->cell[2] = number(item->value);
}

static enum code
write_keys(struct bulk_load *load, const struct key_table *keys, struct key_rows *rows,
           struct err *err)
{
    const struct key_item *item;
    uint64_t at = 0;
    enum code rc = OK;

    rows->count = 0;
    while (!rc && (item = key_table_next(keys, &at)) != NULL) {
        rows->make(rows, item, &rows->row[rows->count]);
        if (++rows->count < keys_per_write)
            continue;
        rc = store_bulk_put_many(load->bulk, rows->table, rows->row, rows->count, err);
        rows->count = 0;
    }
    return rc ? rc : store_bulk_put_many(load->bulk, rows->table, rows->row, rows->count, err);
}

enum code
bulk_load_finish(struct bulk_load *load, struct bulk_result *result, struct err *err)
{
    struct bulk *bulk = load->bulk;
    struct key_rows *rows = malloc(sizeof(*rows));

    if (!rows)
        return no_memory(err);
    rows->table = TABLE_directory;
    rows->make = make_directory_row;
    enum code rc = write_keys(load, &load->directory, rows, err);
    rows->table = TABLE_claim;
    rows->make = make_claim_row;
    if (!rc)
        rc = write_keys(load, &load->claims, rows, err);
    free(rows);
    if (rc == CODE_CONFLICT) /* cards without members were there before */
        return err_wrap(err, "a card, telephone or e-mail of the table is in the book already");
    if (rc)
        return rc;
    load->bulk = NULL;
    *result = load->result;
    return store_bulk_end(bulk, err);
}
