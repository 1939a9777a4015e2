/*
 * world.c - one owner with a store around it, for tests of the ledger.
 *
 * Owns:      writing what `changes` say into rows, and loading an owner from them, as a store
 *            does.
 * Must not:  use private headers of the ledger.
 *
 * After each operation the owner is loaded again and compared with what the booking left in
 * memory: what a booking forgets to write is seen at once.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "../host.h"
#include "base/mem.h"

static void
die(const char *what)
{
    fprintf(stderr, "world: %s\n", what);
    abort();
}

static void *
must(void *memory)
{
    if (!memory)
        die("no memory");
    return memory;
}

unix_ms
day_of(int year, int month, int day)
{
    return date_to_day((struct date){ year, (int8_t)month, (int8_t)day }) * DAY_MS;
}

uint64_t
random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

uint64_t
random_below(uint64_t *state, uint64_t below)
{
    return (random_next(state) >> 11) % below;
}

static void
fill_terms(struct world *world)
{
    world->currency[0] = (struct currency_terms){
        .no = 1, .code = TEXT("year"), .expiry = EXPIRY_PERIOD, .expiry_period = { .months = 12 }
    };
    world->currency[1] = (struct currency_terms){ .no = 2,
                                                  .code = TEXT("waits"),
                                                  .pending = PENDING_PERIOD,
                                                  .pending_period = { .days = 14 },
                                                  .expiry = EXPIRY_PERIOD,
                                                  .expiry_period = { .days = 30 } };
    world->currency[2] = (struct currency_terms){ .no = 3,
                                                  .code = TEXT("strict"),
                                                  .expiry = EXPIRY_PERIOD,
                                                  .expiry_period = { .days = 20 },
                                                  .debt = DEBT_REFUSE,
                                                  .grace_days = 10 };
    world->counter[0] = (struct counter_terms){ .no = 1, .code = TEXT("ever") };
    world->counter[1] =
        (struct counter_terms){ .no = 2, .code = TEXT("month"), .period = PERIOD_MONTH };
    world->counter[2] = (struct counter_terms){
        .no = 3, .code = TEXT("rolling"), .period = PERIOD_DAY, .rolling_days = 30
    };
    world->counter[3] =
        (struct counter_terms){ .no = 4, .code = TEXT("count"), .source = COUNTER_COUNT };
    world->ladder[0] = (struct ladder_terms){ .no = 1, .counter_no = 1, .level_count = 3 };
    world->ladder[1] = (struct ladder_terms){
        .no = 2, .counter_no = 3, .downgrade = DOWNGRADE_AT_ONCE, .level_count = 2
    };
    for (int i = 0; i < 3; i++)
        world->ladder[0].level[i].from = i * 1000;
    for (int i = 0; i < 2; i++)
        world->ladder[1].level[i].from = 500 + i * 500;
    world->terms = (struct terms){
        .programme = TEXT("test"),
        .version = 7,
        .currency_count = 3,
        .counter_count = 4,
        .ladder_count = 2,
        .currency = world->currency,
        .counter = world->counter,
        .ladder = world->ladder,
    };
}

void
world_init(struct world *world)
{
    *world = (struct world){ 0 };
    fill_terms(world);
    arena_init(&world->lasting, host_source(), 4096, 1 << 20);
    arena_init(&world->arena, host_source(), 1 << 16, 256 << 20);
    world->body = must(malloc(world_body_max));
    world->overflow = must(calloc(world_rows_max, sizeof(*world->overflow)));
    world->rolling = must(calloc(world_rows_max, sizeof(*world->rolling)));

    struct buf buf;
    owner_init(&world->row, 4711, 1, 1, 0, day_of(2025, 1, 1));
    buf_init(&buf, &world->lasting, 256);
    owner_encode(&world->row, &buf);
    memcpy(world->body, buf.ptr, buf.len);
    world->body_size = buf.len;
    world->last_op = 1000;
}

void
world_free(struct world *world)
{
    arena_release(&world->lasting);
    arena_release(&world->arena);
    free(world->body);
    free(world->overflow);
    free(world->rolling);
    free(world->movement);
}

const struct zone *
world_zone(struct world *world, int hours)
{
    /* A block of 32-bit times that says nothing, one of 64-bit times with one type, the rule. */
    unsigned char bytes[128] = "TZif2";
    struct zone *zone = NULL;
    size_t size = 44 + 7;
    uint32_t offset = (uint32_t)(hours * 3600);

    bytes[39] = bytes[43] = 1; /* one type, one byte of names */
    memcpy(bytes + size, bytes, 44);
    size += 44;
    for (int i = 0; i < 4; i++)
        bytes[size + (size_t)i] = (unsigned char)(offset >> (24 - 8 * i));
    size += 7;
    size += (size_t)snprintf((char *)bytes + size, sizeof(bytes) - size, "\n<%+03d>%d\n", hours,
                             -hours);
    struct err err;
    if (zone_parse(&world->lasting, (struct text){ (char *)bytes, (uint32_t)size }, &zone, &err))
        die(err.text);
    return zone;
}

void
world_load(struct world *world, struct arena *arena, struct owner *owner)
{
    struct err err = { 0 };
    char *body = must(arena_alloc(arena, world->body_size));
    struct owner loaded = world->row;

    memcpy(body, world->body, world->body_size);
    if (owner_decode((struct text){ body, (uint32_t)world->body_size }, arena, &loaded, &err))
        die(err.text);
    uint32_t lots = loaded.lot_count + world->overflow_count;
    struct lot *lot = must(arena_array(arena, struct lot, lots + 4));
    memcpy(lot, loaded.lot, loaded.lot_count * sizeof(*lot));
    for (uint32_t i = 0; i < world->overflow_count; i++) { /* in order, behind those of the row */
        uint32_t at = loaded.lot_count + i;
        while (at > 0 && lot_cmp(&lot[at - 1], &world->overflow[i]) > 0) {
            lot[at] = lot[at - 1];
            at--;
        }
        lot[at] = world->overflow[i];
        if (at < loaded.lot_count)
            die("an overflow row belongs before a lot of the owner's row");
    }
    loaded.lot = lot;
    loaded.lot_count = lots;
    loaded.lot_cap = lots + 4;

    uint32_t count = loaded.counter_count;
    struct counter_state *counter = must(
        arena_array(arena, struct counter_state, count + world->rolling_count));
    if (count > 0)
        memcpy(counter, loaded.counter, count * sizeof(*counter));
    for (uint32_t i = 0; i < world->rolling_count; i++, count++) {
        const struct counter_state *row = &world->rolling[i];
        uint32_t at = count;
        while (at > 0 && (counter[at - 1].counter_no > row->counter_no ||
                          (counter[at - 1].counter_no == row->counter_no &&
                           counter[at - 1].bucket > row->bucket))) {
            counter[at] = counter[at - 1];
            at--;
        }
        counter[at] = *row;
    }
    loaded.counter = counter;
    loaded.counter_count = count;
    *owner = loaded;
    world->loads++;
}

struct ledger *
world_open(struct world *world, unix_ms now)
{
    arena_reset(&world->arena);
    world_load(world, &world->arena, &world->owner);
    ledger_begin(&world->ledger, &world->terms, &world->arena, &world->owner, &world->changes,
                 ++world->last_op, now);
    return &world->ledger;
}

struct ledger *
world_begin(struct world *world, unix_ms now)
{
    struct ledger *ledger = world_open(world, now);
    unix_ms due = owner_next_due(&world->owner);
    bool settled = ledger_settle(ledger);

    if (settled != (due <= ledger->now) && !ledger->failed)
        die("settle does not tell whether anything was due");
    return ledger;
}

static void
drop_row(struct world *world, uint32_t lot_no)
{
    for (uint32_t i = 0; i < world->overflow_count; i++)
        if (world->overflow[i].lot_no == lot_no) {
            world->overflow[i] = world->overflow[--world->overflow_count];
            return;
        }
    die("an overflow row is dropped that is not there");
}

static void
put_row(struct world *world, const struct lot *lot)
{
    uint32_t i = 0;

    while (i < world->overflow_count && world->overflow[i].lot_no != lot->lot_no)
        i++;
    if (i < world->overflow_count && lots_equal(&world->overflow[i], lot))
        die("an overflow row is put that has not changed");
    if (i == world_rows_max)
        die("too many rows");
    world->overflow[i] = *lot;
    if (i == world->overflow_count)
        world->overflow_count++;
}

static void
put_counter(struct world *world, const struct counter_state *state)
{
    uint32_t i = 0;

    if (!state->rolling)
        die("a counter's row that is not rolling");
    while (i < world->rolling_count && (world->rolling[i].counter_no != state->counter_no ||
                                        world->rolling[i].bucket != state->bucket))
        i++;
    if (i == world->rolling_count)
        world->rolling_count++;
    world->rolling[i] = *state;
    if (state->value == 0)
        world->rolling[i] = world->rolling[--world->rolling_count];
}

static void
append_movements(struct world *world)
{
    const struct changes *changes = &world->changes;
    uint32_t wanted = world->movement_count + changes->movement_count;

    if (wanted > world->movement_cap) {
        world->movement_cap = 2 * wanted;
        world->movement = must(
            realloc(world->movement, world->movement_cap * sizeof(*world->movement)));
    }
    for (uint32_t i = 0; i < changes->movement_count; i++)
        world->movement[world->movement_count++] = changes->movement[i];
}

enum code
world_commit(struct world *world)
{
    const struct changes *changes = &world->changes;
    struct err err = { 0 };
    uint64_t version = world->row.version;
    enum code rc = ledger_finish(&world->ledger, &err);
    struct buf buf;

    if (rc) {
        if (err.code != rc || err.text[0] == '\0')
            die("a failure without words");
        return rc;
    }
    if (changes->owner->version != version + 1 || changes->op_id != world->last_op)
        die("version or operation");
    buf_init(&buf, &world->arena, 4096);
    owner_encode(changes->owner, &buf);
    if (buf.failed || buf.len > world_body_max)
        die("the body does not fit");
    memcpy(world->body, buf.ptr, buf.len);
    world->body_size = buf.len;
    world->row = *changes->owner;
    for (uint32_t i = 0; i < changes->lot_drop_count; i++)
        drop_row(world, changes->lot_drop[i]);
    for (uint32_t i = 0; i < changes->lot_put_count; i++)
        put_row(world, &changes->lot_put[i]);
    for (uint32_t i = 0; i < changes->counter_put_count; i++)
        put_counter(world, &changes->counter_put[i]);
    world->puts += changes->lot_put_count;
    world->drops += changes->lot_drop_count;
    append_movements(world);

    struct owner loaded;
    world_load(world, &world->arena, &loaded);
    const char *difference = owner_difference(changes->owner, &loaded);
    if (difference)
        die(difference);
    return OK;
}

void
world_end(struct world *world)
{
    if (world_commit(world) != OK)
        die("an operation failed");
}

const char *
world_audit_of(struct world *world, const struct movement *movement, uint32_t count,
               const struct owner *owner, uint32_t *movement_no)
{
    static char text[err_text_bytes_max];
    struct arena arena;
    struct err err = { 0 };
    struct audit *audit;

    (void)world;
    arena_init(&arena, host_source(), 1 << 16, 256 << 20);
    audit = must(audit_begin(&arena, owner->owner_id));
    for (uint32_t i = 0; i < count; i++)
        audit_movement(audit, &movement[i]);
    bool agrees = audit_end(audit, owner, movement_no, &err);
    memcpy(text, err.text, sizeof(text));
    arena_release(&arena);
    if (!agrees && text[0] == '\0')
        die("a fault without words");
    return agrees ? NULL : text;
}

const char *
world_audit(struct world *world, uint32_t *movement_no)
{
    struct arena arena;
    struct owner owner;

    arena_init(&arena, host_source(), 1 << 16, 256 << 20);
    world_load(world, &arena, &owner);
    const char *wrong = world_audit_of(world, world->movement, world->movement_count, &owner,
                                       movement_no);
    arena_release(&arena);
    return wrong;
}

bool
lots_equal(const struct lot *a, const struct lot *b)
{
    return a->lot_no == b->lot_no && a->currency == b->currency && a->pending == b->pending &&
           a->graced == b->graced && a->size == b->size && a->left == b->left &&
           a->held == b->held && a->active_from == b->active_from &&
           a->expires_at == b->expires_at && a->cause == b->cause && a->rule == b->rule &&
           a->version == b->version;
}

static bool
takes_equal(const struct take *a, const struct take *b)
{
    return a->lot_no == b->lot_no && a->currency == b->currency && a->points == b->points &&
           a->size == b->size && a->active_from == b->active_from &&
           a->expires_at == b->expires_at && a->cause == b->cause && a->rule == b->rule &&
           a->version == b->version && a->graced == b->graced;
}

static const char *
lists_difference(const struct owner *a, const struct owner *b)
{
    for (uint32_t i = 0; i < a->level_count; i++)
        if (a->level[i].ladder_no != b->level[i].ladder_no ||
            a->level[i].level != b->level[i].level || a->level[i].since != b->level[i].since)
            return "a level";
    for (uint32_t i = 0; i < a->counter_count; i++)
        if (a->counter[i].counter_no != b->counter[i].counter_no ||
            a->counter[i].rolling != b->counter[i].rolling ||
            a->counter[i].bucket != b->counter[i].bucket ||
            a->counter[i].value != b->counter[i].value)
            return "a counter";
    for (uint32_t i = 0; i < a->hold_count; i++) {
        const struct hold *x = &a->hold[i], *y = &b->hold[i];
        if (x->id != y->id || x->ends_at != y->ends_at || x->take_count != y->take_count)
            return "a hold";
        for (uint32_t k = 0; k < x->take_count; k++)
            if (!takes_equal(&x->take[k], &y->take[k]))
                return "a take of a hold";
    }
    for (uint32_t i = 0; i < a->lot_count; i++)
        if (!lots_equal(&a->lot[i], &b->lot[i]))
            return "a lot";
    return NULL;
}

const char *
owner_difference(const struct owner *a, const struct owner *b)
{
    if (a->owner_id != b->owner_id || a->version != b->version || a->flags != b->flags)
        return "owner, version or flags";
    if (a->last_movement != b->last_movement)
        return "last_movement";
    if (a->next_due != b->next_due)
        return "next_due";
    if (a->settled_to != b->settled_to || a->enrolled_at != b->enrolled_at)
        return "settled_to or enrolled_at";
    if (a->balance_count != b->balance_count || a->level_count != b->level_count ||
        a->counter_count != b->counter_count || a->hold_count != b->hold_count ||
        a->lot_count != b->lot_count)
        return "a count";
    for (uint32_t i = 0; i < a->balance_count; i++) {
        if (a->balance[i].currency != b->balance[i].currency)
            return "a currency";
        for (uint32_t k = 0; k < account_count; k++)
            if (a->balance[i].of[k] != b->balance[i].of[k])
                return account_name(k);
    }
    return lists_difference(a, b);
}

const char *
movement_difference(const struct movement *a, const struct movement *b)
{
    if (a->owner_id != b->owner_id || a->movement_no != b->movement_no)
        return "owner or number";
    if (a->kind != b->kind || a->account != b->account || a->contra != b->contra)
        return "kind or accounts";
    if (a->currency != b->currency || a->amount != b->amount || a->lot_no != b->lot_no)
        return "currency, amount or lot";
    if (a->version != b->version || a->rule != b->rule || a->cost_owner != b->cost_owner ||
        a->ref != b->ref)
        return "cause";
    if (a->at != b->at || a->active_from != b->active_from || a->expires_at != b->expires_at)
        return "an instant";
    return NULL;
}
