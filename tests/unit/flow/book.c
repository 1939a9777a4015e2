/*
 * book.c - one owner in memory, with what a store would keep of it: for tests of the flows.
 *
 * Owns:      writing what `changes` say into rows of bytes, and making views of them, as a store
 *            does.
 * Must not:  use private headers of flow or ledger.
 */
#include "book.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host.h"

enum { owner_number = 4711, first_op = 100000 };

_Noreturn void
book_die(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fprintf(stderr, "book: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    abort();
}

unix_ms
day_of(int year, int month, int day)
{
    return date_to_day((struct date){ year, (int8_t)month, (int8_t)day }) * DAY_MS;
}

/* ---- memory that grows ---- */

static void *
must(void *memory)
{
    if (!memory)
        book_die("no memory");
    return memory;
}

/* Room for `count` items of `size` in `*items`. */
static void
need(void *items, uint32_t *cap, uint32_t count, size_t size)
{
    void **list = items;

    if (count <= *cap)
        return;
    *cap = count * 2;
    *list = must(realloc(*list, *cap * size));
}

static size_t
pile_add(struct pile *pile, struct text bytes)
{
    size_t at = pile->size;

    if (pile->size + bytes.len > pile->cap) {
        pile->cap = (pile->size + bytes.len) * 2 + 64;
        pile->bytes = must(realloc(pile->bytes, pile->cap));
    }
    if (bytes.len > 0)
        memcpy(pile->bytes + at, bytes.ptr, bytes.len);
    pile->size += bytes.len;
    return at;
}

/* ---- programmes ---- */

/* A zone three hours east of UTC, always: TZif with an empty block and a rule. */
static struct text
zone_bytes(struct arena *arena)
{
    unsigned char bytes[128] = "TZif2";
    size_t size = 44 + 7;
    const uint32_t offset = 3 * 3600;

    bytes[39] = bytes[43] = 1; /* one type, one byte of names */
    memcpy(bytes + size, bytes, 44);
    size += 44;
    for (int i = 0; i < 4; i++)
        bytes[size + (size_t)i] = (unsigned char)(offset >> (24 - 8 * i));
    size += 7;
    size += (size_t)snprintf((char *)bytes + size, sizeof(bytes) - size, "\n<+03>-3\n");
    return text_copy(arena, (struct text){ (char *)bytes, (uint32_t)size });
}

const struct plan *
book_compile(struct arena *arena, const char *document, uint32_t version)
{
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct text id, zone;
    struct err err = { 0 };
    char *json = must(text_c_string(arena, text_of(document)));

    for (char *at = json; *at; at++)
        if (*at == '\'')
            *at = '"';
    if (plan_peek(arena, text_of(json), &id, &zone, &err))
        book_die("not JSON: %s\n%s", err.text, json);
    bool is_utc = zone.len == 0 || text_equal(zone, TEXT("UTC"));
    struct text tzif = is_utc ? (struct text){ 0 } : zone_bytes(arena);
    enum code rc = plan_compile(arena, text_of(json), tzif, version, &plan, &problems, &err);
    for (uint32_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%.*s: %.*s\n", (int)problems.item[i].pointer.len,
                problems.item[i].pointer.ptr, (int)problems.item[i].sentence.len,
                problems.item[i].sentence.ptr);
    if (rc)
        book_die("the programme does not compile:\n%s", json);
    return plan;
}

const struct plan *
book_plan(const struct book *book)
{
    return book->plan[book->plan_count - 1];
}

static const struct plan *
plan_of_version(const struct book *book, uint32_t version)
{
    for (uint32_t i = 0; i < book->plan_count; i++)
        if (plan_terms(book->plan[i])->version == version)
            return book->plan[i];
    book_die("no version %u", version);
}

void
book_publish(struct book *book, const struct plan *plan)
{
    if (book->plan_count == book_plans_max)
        book_die("too many versions");
    book->plan[book->plan_count++] = plan;
}

/* ---- life ---- */

void
book_init(struct book *book, const struct plan *plan)
{
    *book = (struct book){ 0 };
    arena_init(&book->arena, host_source(), 1 << 16, 256 << 20);
    book_clear(book, plan);
}

void
book_free(struct book *book)
{
    arena_release(&book->arena);
    free(book->body.bytes);
    free(book->heap.bytes);
    free(book->rows);
    free(book->overflow);
    free(book->rolling);
    free(book->movement);
}

void
book_clear(struct book *book, const struct plan *plan)
{
    book->plan[0] = plan;
    book->plan_count = 1;
    book->owner_id = book->member_id = owner_number;
    book->last_op = first_op;
    book->is_there = false;
    book->body.size = book->heap.size = 0;
    book->row_count = book->overflow_count = book->rolling_count = book->movement_count = 0;
    book->step = (struct step){ 0 };
    arena_reset(&book->arena);
}

static void
copy_list(void *to, uint32_t *cap, const void *from, uint32_t count, size_t size)
{
    void **list = to;

    need(to, cap, count, size);
    if (count > 0)
        memcpy(*list, from, count * size);
}

void
book_copy(struct book *to, const struct book *from)
{
    memcpy(to->plan, from->plan, sizeof(to->plan));
    to->plan_count = from->plan_count;
    to->twice = from->twice;
    to->owner_id = from->owner_id;
    to->member_id = from->member_id;
    to->last_op = from->last_op;
    to->is_there = from->is_there;
    to->row = from->row;
    to->body.size = to->heap.size = 0;
    pile_add(&to->body, (struct text){ from->body.bytes, (uint32_t)from->body.size });
    pile_add(&to->heap, (struct text){ from->heap.bytes, (uint32_t)from->heap.size });
    copy_list(&to->rows, &to->row_cap, from->rows, from->row_count, sizeof(*to->rows));
    copy_list(&to->overflow, &to->overflow_cap, from->overflow, from->overflow_count,
              sizeof(*to->overflow));
    copy_list(&to->rolling, &to->rolling_cap, from->rolling, from->rolling_count,
              sizeof(*to->rolling));
    copy_list(&to->movement, &to->movement_cap, from->movement, from->movement_count,
              sizeof(*to->movement));
    to->row_count = from->row_count;
    to->overflow_count = from->overflow_count;
    to->rolling_count = from->rolling_count;
    to->movement_count = from->movement_count;
}

/* ---- loading ---- */

static const struct book_row *
find_row(const struct book *book, uint64_t op_id, bool is_returned)
{
    for (uint32_t i = book->row_count; i-- > 0;)
        if (book->rows[i].op_id == op_id && book->rows[i].is_returned == is_returned)
            return &book->rows[i];
    return NULL;
}

static struct text
row_text(const struct book *book, const struct book_row *row, struct arena *arena)
{
    return text_copy(arena, (struct text){ book->heap.bytes + row->at, (uint32_t)row->size });
}

/* Overflow lots stand behind those of the row; counters stand in order. */
static void
add_overflow(const struct book *book, struct arena *arena, struct owner *owner)
{
    uint32_t count = owner->lot_count;
    struct lot *lot = must(arena_array(arena, struct lot, count + book->overflow_count + 4));

    if (count > 0)
        memcpy(lot, owner->lot, count * sizeof(*lot));
    for (uint32_t i = 0; i < book->overflow_count; i++) {
        uint32_t at = count++;
        while (at > 0 && lot_cmp(&lot[at - 1], &book->overflow[i]) > 0) {
            lot[at] = lot[at - 1];
            at--;
        }
        lot[at] = book->overflow[i];
        if (at < owner->lot_count)
            book_die("an overflow row belongs before a lot of the owner's row");
    }
    owner->lot = lot;
    owner->lot_count = count;
    owner->lot_cap = count + 4;
}

static void
add_rolling(const struct book *book, const struct needs *needs, struct arena *arena,
            struct owner *owner)
{
    uint32_t count = owner->counter_count;
    struct counter_state *counter = must(
        arena_array(arena, struct counter_state, count + book->rolling_count));

    if (count > 0)
        memcpy(counter, owner->counter, count * sizeof(*counter));
    for (uint32_t i = 0; i < book->rolling_count; i++) {
        const struct counter_state *row = &book->rolling[i];
        if (!(needs->rolling >> (row->counter_no - 1) & 1) || row->bucket < needs->rolling_from)
            continue;
        uint32_t at = count++;
        while (at > 0 && (counter[at - 1].counter_no > row->counter_no ||
                          (counter[at - 1].counter_no == row->counter_no &&
                           counter[at - 1].bucket > row->bucket))) {
            counter[at] = counter[at - 1];
            at--;
        }
        counter[at] = *row;
    }
    owner->counter = counter;
    owner->counter_count = count;
}

static void
load_owner(const struct book *book, const struct needs *needs, struct arena *arena,
           struct owner *owner)
{
    struct err err = { 0 };
    struct text body = text_copy(arena,
                                 (struct text){ book->body.bytes, (uint32_t)book->body.size });

    *owner = book->row;
    if (owner_decode(body, arena, owner, &err))
        book_die("%s", err.text);
    add_overflow(book, arena, owner);
    add_rolling(book, needs, arena, owner);
}

void
book_load(const struct book *book, struct arena *arena, struct owner *owner)
{
    struct needs all = { .rolling = UINT64_MAX, .rolling_from = INT64_MIN };

    if (!book->is_there)
        book_die("there is no owner");
    load_owner(book, &all, arena, owner);
}

static void
load_view(struct book *book, const struct needs *needs)
{
    struct view *view = &book->view;

    *view = (struct view){ 0 };
    if (needs->owner_id != book->owner_id)
        book_die("another owner is asked for");
    view->owner_found = book->is_there;
    if (book->is_there)
        load_owner(book, needs, &book->arena, &view->owner);
    const struct book_row *row = needs->origin ? find_row(book, needs->origin, false) : NULL;
    if (row) {
        view->origin_found = true;
        view->origin = row_text(book, row, &book->arena);
    }
    row = needs->returned ? find_row(book, needs->origin, true) : NULL;
    if (row) {
        view->returned_found = true;
        view->returned = row_text(book, row, &book->arena);
    }
}

/* ---- writing ---- */

static void
drop_lot(struct book *book, uint32_t lot_no)
{
    for (uint32_t i = 0; i < book->overflow_count; i++)
        if (book->overflow[i].lot_no == lot_no) {
            book->overflow[i] = book->overflow[--book->overflow_count];
            return;
        }
    book_die("an overflow row is dropped that is not there");
}

static void
put_lot(struct book *book, const struct lot *lot)
{
    uint32_t i = 0;

    while (i < book->overflow_count && book->overflow[i].lot_no != lot->lot_no)
        i++;
    need(&book->overflow, &book->overflow_cap, i + 1, sizeof(*lot));
    book->overflow[i] = *lot;
    if (i == book->overflow_count)
        book->overflow_count++;
}

static void
put_rolling(struct book *book, const struct counter_state *state)
{
    uint32_t i = 0;

    while (i < book->rolling_count && (book->rolling[i].counter_no != state->counter_no ||
                                       book->rolling[i].bucket != state->bucket))
        i++;
    need(&book->rolling, &book->rolling_cap, i + 1, sizeof(*state));
    if (i == book->rolling_count)
        book->rolling_count++;
    book->rolling[i] = *state;
    if (state->value == 0)
        book->rolling[i] = book->rolling[--book->rolling_count];
}

static void
put_row(struct book *book, uint64_t op_id, enum record_kind kind, bool is_returned,
        struct text body)
{
    need(&book->rows, &book->row_cap, book->row_count + 1, sizeof(*book->rows));
    book->rows[book->row_count++] = (struct book_row){
        .op_id = op_id,
        .kind = kind,
        .is_returned = is_returned,
        .at = pile_add(&book->heap, body),
        .size = body.len,
    };
}

static struct text
body_of(struct book *book, const struct owner *owner)
{
    struct buf buf;

    buf_init(&buf, &book->arena, 1024);
    owner_encode(owner, &buf);
    if (buf.failed)
        book_die("no memory");
    return buf_text(&buf);
}

/* What is stored must be what the flow left in memory. */
static void
compare_stored(struct book *book, const struct owner *left)
{
    struct owner loaded;

    book_load(book, &book->arena, &loaded);
    if (!text_equal(body_of(book, left), body_of(book, &loaded)))
        book_die("the owner's body is stored otherwise than it was left");
    if (loaded.lot_count != left->lot_count)
        book_die("a lot is stored and should not be, or the reverse");
    for (uint32_t i = 0; i < left->lot_count; i++) {
        struct buf a, b;
        buf_init(&a, &book->arena, 64);
        buf_init(&b, &book->arena, 64);
        lot_encode(&left->lot[i], &a);
        lot_encode(&loaded.lot[i], &b);
        if (!text_equal(buf_text(&a), buf_text(&b)))
            book_die("lot %u is stored otherwise than it was left", left->lot[i].lot_no);
    }
}

static void
write_changes(struct book *book)
{
    const struct changes *changes = &book->step.changes;
    uint32_t wanted = book->movement_count + changes->movement_count;

    if (changes->owner->owner_id != book->owner_id)
        book_die("another owner is written");
    if (changes->owner_new == book->is_there)
        book_die("the owner is new, and is not");
    if (changes->owner->version != (book->is_there ? book->row.version : 0) + 1)
        book_die("the owner's version does not count operations");
    struct text body = body_of(book, changes->owner);
    book->body.size = 0;
    pile_add(&book->body, body);
    book->row = *changes->owner;
    book->is_there = true;
    for (uint32_t i = 0; i < changes->lot_drop_count; i++)
        drop_lot(book, changes->lot_drop[i]);
    for (uint32_t i = 0; i < changes->lot_put_count; i++)
        put_lot(book, &changes->lot_put[i]);
    for (uint32_t i = 0; i < changes->counter_put_count; i++)
        put_rolling(book, &changes->counter_put[i]);
    need(&book->movement, &book->movement_cap, wanted, sizeof(*book->movement));
    if (changes->movement_count > 0)
        memcpy(book->movement + book->movement_count, changes->movement,
               changes->movement_count * sizeof(*book->movement));
    book->movement_count = wanted;
    if (changes->record.len > 0)
        put_row(book, changes->op_id, changes->record_kind, false, changes->record);
    if (changes->returned_of)
        put_row(book, changes->returned_of, RECORD_RETURN, true, changes->returned);
    compare_stored(book, changes->owner);
}

/* ---- running ---- */

/* What to run, with its input. */
struct running {
    enum code (*flow)(struct step *step, const struct running *running, struct err *err);
    const void *input;
    const struct terms *life;
    uint64_t reserve;
};

static enum code
run_once(struct book *book, const struct running *running, const struct step *begin,
         const struct needs *needs)
{
    struct err err = { 0 };

    load_view(book, needs);
    book->step = *begin;
    book->step.view = &book->view;
    enum code rc = running->flow(&book->step, running, &err);
    if (rc && (err.code != rc || err.text[0] == '\0'))
        book_die("a failure without words");
    return rc;
}

/* Again from the start: the same outcome, and the same bytes. */
static void
run_again(struct book *book, const struct running *running, const struct step *begin,
          const struct needs *needs, enum code rc)
{
    struct step first = book->step;
    struct text body = { 0 };

    if (first.changes.owner)
        body = body_of(book, first.changes.owner);
    if (run_once(book, running, begin, needs) != rc || book->step.outcome != first.outcome ||
        !text_equal(book->step.culprit, first.culprit) || book->step.limit != first.limit)
        book_die("a second run from the start answers otherwise");
    if (!text_equal(book->step.changes.record, first.changes.record) ||
        !text_equal(book->step.changes.returned, first.changes.returned))
        book_die("a second run from the start records otherwise");
    if (first.changes.owner && !text_equal(body, body_of(book, book->step.changes.owner)))
        book_die("a second run from the start books otherwise");
}

/* OUTCOME_INTERNAL stands for a failure; book_failure() tells which. */
static enum outcome
run(struct book *book, const struct running *running, const struct plan *plan, unix_ms now,
    bool dry, const struct needs *needs)
{
    struct step begin = {
        .plan = plan,
        .arena = &book->arena,
        .now = now,
        .op_id = dry ? 0 : ++book->last_op,
        .owner_id = book->owner_id,
        .member_id = book->member_id,
        .tenant = 1,
        .programme = 1,
        .dry = dry,
    };

    enum code rc = run_once(book, running, &begin, needs);
    if (book->twice)
        run_again(book, running, &begin, needs, rc);
    if (rc) {
        book->step.limit = (amount)rc;
        return OUTCOME_INTERNAL;
    }
    if (book->step.outcome != OUTCOME_DONE &&
        (book->step.changes.owner || book->step.changes.movement_count || book->step.record))
        book_die("a refusal leaves something to write");
    if (dry && book->step.changes.owner)
        book_die("a quote leaves something to write");
    if (book->step.changes.owner)
        write_changes(book);
    return book->step.outcome;
}

enum code
book_failure(const struct book *book)
{
    return (enum code)book->step.limit;
}

/* As the service does: a record is gone on with by the version that made it. */
static const struct plan *
plan_of_record(struct book *book, uint64_t op_id)
{
    struct record record;

    if (!op_id || !find_row(book, op_id, false))
        return book_plan(book);
    book_record(book, op_id, &record);
    return plan_of_version(book, record.version);
}

static enum code
enrol_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_enrol(step, running->input, err);
}

enum outcome
book_enrol(struct book *book, unix_ms now)
{
    struct enrol_input input = { .person_id = 1, .at = now };
    struct running running = { .flow = enrol_flow, .input = &input };
    struct needs needs = { .owner_id = book->owner_id };

    arena_reset(&book->arena);
    return run(book, &running, book_plan(book), now, false, &needs);
}

static enum code
purchase_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_purchase(step, running->input, err);
}

static enum outcome
purchase(struct book *book, const struct purchase_input *input, unix_ms now, bool dry)
{
    struct running running = { .flow = purchase_flow, .input = input };
    struct needs needs;

    arena_reset(&book->arena);
    const struct plan *plan = plan_of_record(book, input->reserve);
    flow_purchase_needs(plan, book->owner_id, input->reserve, now, &needs);
    return run(book, &running, plan, now, dry, &needs);
}

enum outcome
book_quote(struct book *book, const struct purchase_input *input, unix_ms now)
{
    return purchase(book, input, now, true);
}

enum outcome
book_buy(struct book *book, const struct purchase_input *input, unix_ms now)
{
    return purchase(book, input, now, false);
}

static enum code
cancel_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_cancel(step, running->reserve, err);
}

enum outcome
book_cancel(struct book *book, uint64_t reserve, unix_ms now)
{
    struct running running = { .flow = cancel_flow, .reserve = reserve };
    struct needs needs = { .owner_id = book->owner_id, .origin = reserve };

    arena_reset(&book->arena);
    return run(book, &running, plan_of_record(book, reserve), now, false, &needs);
}

static enum code
return_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_return(step, running->input, running->life, err);
}

enum outcome
book_return_at(struct book *book, uint64_t origin, const struct returned_line *line,
               uint32_t line_count, unix_ms occurred_at, unix_ms now)
{
    struct return_input input = {
        .origin = origin,
        .line_count = line_count,
        .line = line,
        .occurred_at = occurred_at,
        .outlet = TEXT("1"),
        .number = TEXT("r"),
    };
    struct running running = { .flow = return_flow, .input = &input };
    struct needs needs;

    arena_reset(&book->arena);
    const struct plan *plan = plan_of_record(book, origin);
    running.life = plan_terms(book_plan(book));
    flow_return_needs(running.life, book->owner_id, origin, now, &needs);
    return run(book, &running, plan, now, false, &needs);
}

enum outcome
book_return(struct book *book, uint64_t origin, const struct returned_line *line,
            uint32_t line_count, unix_ms now)
{
    return book_return_at(book, origin, line, line_count, now, now);
}

static enum code
opening_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_opening(step, running->input, err);
}

enum outcome
book_open_balance(struct book *book, uint8_t currency, amount points, unix_ms at, unix_ms now)
{
    struct opening_input input = { .currency = currency, .points = points, .at = at };
    struct running running = { .flow = opening_flow, .input = &input };
    struct needs needs = { .owner_id = book->owner_id };

    arena_reset(&book->arena);
    return run(book, &running, book_plan(book), now, false, &needs);
}

static enum code
event_flow(struct step *step, const struct running *running, struct err *err)
{
    return flow_event(step, running->input, err);
}

enum outcome
book_event(struct book *book, const struct event *event, unix_ms now)
{
    struct running running = { .flow = event_flow, .input = event };
    struct needs needs;

    arena_reset(&book->arena);
    flow_purchase_needs(book_plan(book), book->owner_id, 0, now, &needs);
    return run(book, &running, book_plan(book), now, false, &needs);
}

static enum code
settle_flow(struct step *step, const struct running *running, struct err *err)
{
    (void)running;
    return flow_settle(step, err);
}

enum outcome
book_settle(struct book *book, unix_ms now)
{
    struct running running = { .flow = settle_flow };
    struct needs needs = { .owner_id = book->owner_id };

    arena_reset(&book->arena);
    return run(book, &running, book_plan(book), now, false, &needs);
}

/* ---- looking ---- */

amount
book_balance(const struct book *book, uint8_t currency, enum account account)
{
    struct arena arena;
    struct owner owner;

    if (!book->is_there)
        return 0;
    arena_init(&arena, host_source(), 1 << 14, 64 << 20);
    book_load(book, &arena, &owner);
    amount balance = owner_balance(&owner, currency, account);
    arena_release(&arena);
    return balance;
}

int64_t
book_counter(struct book *book, uint8_t no, unix_ms now)
{
    const struct terms *terms = plan_terms(book_plan(book));
    struct owner owner;
    uint32_t position = 0;

    book_load(book, &book->arena, &owner);
    while (position < terms->counter_count && terms->counter[position].no != no)
        position++;
    if (position == terms->counter_count)
        book_die("no counter %u", no);
    return ledger_counter(&owner, terms, position, now);
}

void
book_record(struct book *book, uint64_t op_id, struct record *record)
{
    const struct book_row *row = find_row(book, op_id, false);
    struct record_head head;
    struct err err = { 0 };

    if (!row)
        book_die("no record of operation %llu", (unsigned long long)op_id);
    struct text body = row_text(book, row, &book->arena);
    if (record_peek(body, &head, &err) || head.kind != row->kind ||
        record_decode(body, plan_terms(plan_of_version(book, head.version)), &book->arena, record,
                      &err))
        book_die("a record does not decode: %s", err.text);
}

void
book_returned(struct book *book, uint64_t op_id, struct returned_state *state)
{
    const struct book_row *row = find_row(book, op_id, true);
    struct record record;
    struct err err = { 0 };

    *state = (struct returned_state){ 0 };
    if (!row)
        return;
    book_record(book, op_id, &record);
    if (returned_state_decode(row_text(book, row, &book->arena),
                              plan_terms(plan_of_version(book, record.version)), &book->arena,
                              state, &err))
        book_die("a returned state does not decode: %s", err.text);
}

void
book_audit(struct book *book)
{
    struct err err = { 0 };
    uint32_t movement_no = 0;
    struct owner owner;

    if (!book->is_there)
        return;
    struct audit *audit = must(audit_begin(&book->arena, book->owner_id));
    for (uint32_t i = 0; i < book->movement_count; i++)
        audit_movement(audit, &book->movement[i]);
    book_load(book, &book->arena, &owner);
    if (!audit_end(audit, &owner, &movement_no, &err))
        book_die("audit: movement %u: %s", movement_no, err.text);
}
