/*
 * bench_engine.c - what one decision costs, in process: no store, no JSON, no network.
 *
 * Owns:      the programme and the receipts that are measured; the floor: the same rules written
 *            by hand in C, without plan, trace or proof, which says what could be reached at all.
 * Must not:  print anything but lines of name, value, unit and ratio.
 * Invariant: the engine's answer and the floor's are compared before anything is measured.
 */
#include "awn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { lines = 8, offers = 10000, aim_us = 3 };

/* The programme, and before its rules `count` offers of 50 % for people and goods of their own. */
static struct plan *
compile_with_offers(struct arena *arena, int count)
{
    static const char before[] = "\"rules\": [";
    struct text document = awn_document(arena);
    size_t cap = document.len + 16 + (size_t)count * 256, used;
    char *text = malloc(cap);

    if (!text || !memmem(document.ptr, document.len, before, sizeof(before) - 1))
        exit(1);
    size_t head = (size_t)((const char *)memmem(document.ptr, document.len, before,
                                                sizeof(before) - 1) -
                           document.ptr) +
                  sizeof(before) - 1;
    memcpy(text, document.ptr, head);
    used = head;
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, cap - used,
                                 "{\"code\":\"offer-%d\",\"scope\":\"line\","
                                 "\"when\":{\"member.segment\":\"person-%d\"},"
                                 "\"lines\":{\"line.article\":\"46000000000%02d\"},"
                                 "\"discount\":{\"kind\":\"percent\",\"value\":\"50\"}},",
                                 i, i, i % 100);
    memcpy(text + used, document.ptr + head, document.len - head);
    used += document.len - head;
    struct plan *plan = awn_compile(arena, (struct text){ text, (uint32_t)used });
    free(text);
    return plan;
}

/* ---- the member ---- */

static const struct member_view *
make_view(bool has_offer)
{
    static struct text segment = { "person-42", 9 };
    static struct member_view view;

    view = (struct member_view){ .known = true, .level = { 1 }, .available = { 900000 } };
    view.segment = &segment;
    view.segment_count = has_offer ? 1 : 0;
    return &view;
}

/* ---- the floor */

struct floor_answer {
    amount points[lines], money[lines], earned[lines], total;
};

static void
floor_spread(amount total, const amount *weight, int count, amount *share)
{
    amount sum = 0, left = total, rest[lines];

    for (int i = 0; i < count; i++)
        sum += weight[i];
    for (int i = 0; i < count; i++) {
        __int128 product = (__int128)total * weight[i];
        share[i] = sum > 0 ? (amount)(product / sum) : 0;
        rest[i] = sum > 0 ? (amount)(product % sum) : 0;
        left -= share[i];
    }
    for (; left > 0; left--) {
        int best = 0;
        for (int i = 1; i < count; i++)
            best = rest[i] > rest[best] ? i : best;
        share[best]++;
        rest[best] = -1;
    }
}

/* Level 1: 3 %; up to half of the goods by points. */
__attribute__((noinline)) static bool
floor_decide(const struct event *event, const struct member_view *view, struct floor_answer *answer)
{
    static const int percent[] = { 0, 3, 4, 5 };
    amount goods[lines], base[lines], goods_sum = 0, base_sum = 0;

    for (int i = 0; i < lines; i++) {
        goods[i] = event->line[i].is_service ? 0 : event->line[i].gross;
        goods_sum += goods[i];
    }
    if (event->redeem[0].points > goods_sum / 2 || event->redeem[0].points > view->available[0])
        return false;
    floor_spread(event->redeem[0].points, goods, lines, answer->points);
    for (int i = 0; i < lines; i++) {
        const struct line *at = &event->line[i];
        bool earns = !at->is_service && !at->is_discounted && at->category.len != 17;
        answer->money[i] = at->gross - answer->points[i];
        base[i] = earns ? answer->money[i] : 0;
        base_sum += base[i];
    }
    answer->total = base_sum * percent[view->level[0]] / 100;
    floor_spread(answer->total, base, lines, answer->earned);
    return true;
}

/* ---- measuring */

static void
decide(const struct plan *plan, const struct event *event, const struct member_view *view,
       enum trace_wish wish, struct arena *arena, struct decision *decision)
{
    struct err err;
    if (engine_evaluate(plan, event, view, EVALUATE_ORDINARY, wish, arena, decision, &err) != OK ||
        decision->outcome != OUTCOME_DONE) {
        fprintf(stderr, "the receipt is refused: %s\n", outcome_name(decision->outcome));
        exit(1);
    }
}

struct deciding {
    const struct plan *plan;
    const struct event *event;
    const struct member_view *view;
    enum trace_wish wish;
    struct arena *arena;
};

static void
decide_again(void *context)
{
    const struct deciding *deciding = context;
    struct decision decision;

    arena_reset(deciding->arena);
    decide(deciding->plan, deciding->event, deciding->view, deciding->wish, deciding->arena,
           &decision);
}

static void
floor_again(void *context)
{
    const struct deciding *deciding = context;
    struct floor_answer answer;

    floor_decide(deciding->event, deciding->view, &answer);
    __asm__ volatile("" : : "r"(&answer) : "memory");
}

static void
compare(const struct plan *plan, const struct event *event, const struct member_view *view,
        struct arena *arena)
{
    struct floor_answer answer;
    struct decision decision;

    decide(plan, event, view, TRACE_DEFAULT, arena, &decision);
    if (!floor_decide(event, view, &answer) || decision.earning_count != 1 ||
        decision.earning[0].points != answer.total) {
        fprintf(stderr, "the floor earns something else\n");
        exit(1);
    }
    for (int i = 0; i < lines; i++) {
        if (decision.line[i].points != answer.points[i] ||
            decision.line[i].money != answer.money[i]) {
            fprintf(stderr, "the floor splits line %d otherwise\n", i);
            exit(1);
        }
    }
}

int
main(void)
{
    struct counted_memory memory = { 0 }, plans_memory = { 0 };
    struct arena plans, arena;

    arena_init(&plans, counted_source(&plans_memory), 1 << 20, 1 << 28);
    arena_init(&arena, counted_source(&memory), 1 << 18, 1 << 24);
    struct plan *plan = awn_compile(&plans, awn_document(&plans));
    struct plan *crowded = compile_with_offers(&plans, offers);
    struct event event = awn_event(plan, &plans);
    struct deciding one = { plan, &event, make_view(false), TRACE_DEFAULT, &arena };

    compare(plan, &event, one.view, &arena);
    uint64_t blocks = memory.blocks;
    double floor = awn_measure(floor_again, &one), us = awn_measure(decide_again, &one);
    awn_print("engine.awn8.trace", us, "us", us / aim_us);
    awn_print("engine.awn8.memory", (double)arena.used, "B", 0);
    awn_print("engine.awn8.allocations", (double)(memory.blocks - blocks), "count", 0);
    awn_print("engine.awn8.floor", floor, "us", us / floor);
    one.wish = TRACE_NOTHING;
    awn_print("engine.awn8.no_trace", awn_measure(decide_again, &one), "us", 0);
    one = (struct deciding){ crowded, &event, one.view, TRACE_DEFAULT, &arena };
    double none = awn_measure(decide_again, &one);
    awn_print("engine.offers_10000.none_matches", none, "us", none / us);
    one.view = make_view(true);
    double some = awn_measure(decide_again, &one);
    awn_print("engine.offers_10000.one_matches", some, "us", some / us);
    arena_release(&arena);
    arena_release(&plans);
    return 0;
}
