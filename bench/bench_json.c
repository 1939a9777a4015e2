/*
 * bench_json.c - what a purchase costs from the JSON of the till to the JSON of the answer, in
 * process: no store, no hash, no network.
 *
 * Owns:      a member with a balance; the same receipt as bench_engine.c.
 * Must not:  allocate after the first calls: it is counted, and printed.
 *
 * commit: the body is read and checked, the amounts completed, the owner settled, the basket
 *         decided, lots and movements booked, the record encoded, the answer rendered.
 * quote:  the same until booking, with the trace and its sentences in the answer.
 */
#include "awn.h"

#include "flow/flow.h"
#include "service/render.h"

#include <stdio.h>
#include <stdlib.h>

enum { aim_us = 10, member_points = 900000, owner_id = 7 };

struct bench {
    const struct plan *plan;
    struct arena arena;    /* of the request */
    struct text owner_row; /* its body */
    unix_ms now;
    bool is_quote;
    struct purchase_body body;
    struct record *record;
    struct text answer;
};

static void
must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_json: %s\n", what);
    exit(1);
}

static void
read_body(struct bench *bench)
{
    struct refusal refusal;
    struct text programme;
    uint32_t bad_line;

    must(body_programme(awn_body(), &bench->arena, &programme, &refusal), "no programme");
    must(purchase_body_read(awn_body(), bench->plan, &bench->arena, &bench->body, &refusal),
         "the body is refused");
    must(event_normalise(&bench->body.event, plan_terms(bench->plan)->money_scale, &bad_line) ==
             OUTCOME_DONE,
         "the receipt is refused");
}

/* The owner as the store gives it: decoded from its row, for a booking changes it in place. */
static void
load_owner(const struct bench *bench, struct arena *arena, struct view *view)
{
    struct err err;

    *view = (struct view){ .owner_found = true };
    must(owner_decode(bench->owner_row, arena, &view->owner, &err) == OK, "the owner's row");
    view->owner.owner_id = owner_id;
    view->owner.tenant = view->owner.programme = 1;
    view->owner.version = view->owner.last_movement = 1;
}

static void
decide(struct bench *bench)
{
    struct purchase_input input = {
        .mode = PURCHASE_COMMIT,
        .event = bench->body.event,
        .trace = bench->is_quote ? TRACE_DEFAULT : TRACE_NOTHING,
    };
    struct view view;
    struct step step = {
        .plan = bench->plan,
        .arena = &bench->arena,
        .now = bench->now,
        .op_id = 42,
        .owner_id = owner_id,
        .member_id = owner_id,
        .tenant = 1,
        .programme = 1,
        .view = &view,
        .dry = bench->is_quote,
    };
    struct err err;

    load_owner(bench, &bench->arena, &view);
    must(flow_purchase(&step, &input, &err) == OK && step.outcome == OUTCOME_DONE,
         outcome_name(step.outcome));
    bench->record = step.record;
}

static void
render(struct bench *bench)
{
    static const unsigned char hash[32];
    struct buf out;

    buf_init(&out, &bench->arena, 2048);
    render_record(bench->record, bench->plan, bench->is_quote ? hash : NULL, true, &out);
    must(!out.failed, "no memory");
    bench->answer = buf_text(&out);
}

static void
read_only(void *context)
{
    struct bench *bench = context;

    arena_reset(&bench->arena);
    read_body(bench);
}

static void
whole(void *context)
{
    struct bench *bench = context;

    arena_reset(&bench->arena);
    read_body(bench);
    decide(bench);
    render(bench);
}

/* A member who brought points in. */
static void
make_owner(struct bench *bench, struct arena *arena)
{
    enum { year_seconds = 31536000 };
    unix_ms at = bench->now - 1000, until = at + INT64_C(1000) * year_seconds;
    struct changes changes;
    struct ledger ledger;
    struct owner owner;
    struct buf row;
    struct err err;

    owner_init(&owner, owner_id, 1, 1, 0, at);
    ledger_begin(&ledger, plan_terms(bench->plan), arena, &owner, &changes, 41, at);
    ledger_settle(&ledger);
    ledger_earn_life(&ledger, MOVEMENT_OPEN, 1, member_points, at, 1, rule_none, at, until);
    must(ledger_finish(&ledger, &err) == OK, "the member's balance");
    buf_init(&row, arena, 512);
    owner_encode(&owner, &row);
    must(!row.failed, "no memory");
    bench->owner_row = buf_text(&row);
}

static void
measure(struct bench *bench, const struct counted_memory *memory, const char *name)
{
    char line[64];

    for (int i = 0; i < 100; i++)
        whole(bench);
    uint64_t before = memory->blocks;
    double us = awn_measure(whole, bench);
    snprintf(line, sizeof(line), "json.%s.awn8", name);
    awn_print(line, us, "us", us / aim_us);
    snprintf(line, sizeof(line), "json.%s.awn8.allocations", name);
    awn_print(line, (double)(memory->blocks - before), "count", 0);
    snprintf(line, sizeof(line), "json.%s.awn8.answer", name);
    awn_print(line, (double)bench->answer.len, "B", 0);
}

int
main(void)
{
    static struct bench bench;
    struct counted_memory memory = { 0 }, plans_memory = { 0 };
    struct arena plans;

    arena_init(&plans, counted_source(&plans_memory), 1 << 20, 1 << 28);
    arena_init(&bench.arena, counted_source(&memory), 32 << 10, 1 << 24);
    bench.plan = awn_compile(&plans, awn_document(&plans));
    bench.now = awn_event(bench.plan, &plans).occurred_at + 1000;
    make_owner(&bench, &plans);
    awn_print("json.read.awn8", awn_measure(read_only, &bench), "us", 0);
    awn_print("json.read.awn8.body", (double)awn_body().len, "B", 0);
    measure(&bench, &memory, "commit");
    bench.is_quote = true;
    measure(&bench, &memory, "quote");
    arena_release(&bench.arena);
    arena_release(&plans);
    return 0;
}
