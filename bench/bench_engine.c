/*
 * bench_engine.c - what one decision costs, in process: no store, no JSON, no network.
 *
 * Owns:      the programme and the receipts that are measured; the floor: the same rules written
 *            by hand in C, without plan, trace or proof, which says what could be reached at all.
 * Must not:  print anything but lines of name, value and unit.
 * Invariant: the engine's answer and the floor's are compared before anything is measured.
 */
#include "engine/engine.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { lines = 8, rounds = 200, batch = 1000, offers = 10000 };

static const char document[] =
    "{\"format\":1,\"id\":\"bench\",\"name\":{\"en\":\"b\"},"
    "\"money\":{\"code\":\"RUB\",\"scale\":2},\"currencies\":{\"bonus\":{\"no\":1,"
    "\"name\":{\"en\":\"b\"},\"scale\":2,\"worth\":\"1.00\"}},"
    "\"counters\":{\"turnover\":{\"no\":1,\"of\":\"money\",\"period\":\"ever\"}},"
    "\"ladders\":{\"level\":{\"no\":1,\"counter\":\"turnover\",\"levels\":["
    "{\"code\":\"1\",\"from\":\"0\"},{\"code\":\"2\",\"from\":\"30000.00\"},"
    "{\"code\":\"3\",\"from\":\"60000.00\"}]}},"
    "\"rules\":["
#define LEVEL(n, percent)                                                                          \
    "{\"code\":\"l" n "\",\"scope\":\"earn\",\"when\":{\"member.level.level\":\"" n "\","          \
    "\"receipt.has_code\":false,\"receipt.for_business\":false},"                                  \
    "\"lines\":{\"line.discounted\":false,\"line.service\":false,"                                 \
    "\"line.category\":{\"not_in\":[\"gift-certificates\",\"excluded\"]}},"                        \
    "\"earn\":{\"currency\":\"bonus\",\"percent\":\"" percent "\"}}"
    LEVEL("1", "3") "," LEVEL("2", "4") "," LEVEL("3", "5");

static const char redemption[] =
    "\"redemption\":{\"bonus\":{\"max_percent\":\"50\",\"lines\":{\"line.service\":false},"
    "\"confirm\":true}}}";

static struct plan *
compile(struct arena *arena, const char *text)
{
    struct problems problems = { 0 };
    struct plan *plan;
    struct err err;

    if (plan_compile(arena, text_of(text), (struct text){ 0 }, 1, &plan, &problems, &err) == OK)
        return plan;
    fprintf(stderr, "%s: %.*s\n", err.text,
            problems.count > 0 ? (int)problems.item[0].sentence.len : 0,
            problems.count > 0 ? problems.item[0].sentence.ptr : "");
    exit(1);
}

/* The programme, and `count` offers of 50 % each for people and goods of its own. */
static struct plan *
compile_with_offers(struct arena *arena, int count)
{
    size_t cap = sizeof(document) + sizeof(redemption) + 16 + (size_t)count * 256;
    char *text = malloc(cap);
    size_t used = (size_t)snprintf(text, cap, "%s", document);

    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, cap - used,
                                 ",{\"code\":\"offer-%d\",\"scope\":\"line\","
                                 "\"when\":{\"member.segment\":\"person-%d\"},"
                                 "\"lines\":{\"line.article\":\"a%d\"},"
                                 "\"discount\":{\"kind\":\"percent\",\"value\":\"50\"}}",
                                 i, i, i % 100);
    snprintf(text + used, cap - used, "],%s", redemption);
    struct plan *plan = compile(arena, text);
    free(text);
    return plan;
}

/* ------------------------------------------------------------------------------ the receipts */

static struct line line[lines];
static struct redeem redeem = { .currency = { "bonus", 5 }, .points = 200000 };
static struct text segment = { "person-42", 9 };

static struct event
make_event(void)
{
    static char article[lines][8];
    struct event event = {
        .kind = TEXT("purchase"),
        .outlet = TEXT("7"),
        .till = TEXT("1"),
        .number = TEXT("100"),
        .occurred_at = INT64_C(1767700000000),
        .confirmed = true,
        .line = line,
        .line_count = lines,
        .redeem = &redeem,
        .redeem_count = 1,
    };
    for (int i = 0; i < lines; i++) {
        snprintf(article[i], sizeof(article[i]), "a%d", i + 40);
        line[i] = (struct line){
            .article = text_of(article[i]),
            .category = TEXT("clothes"),
            .quantity = 1000 + i * 1000,
            .gross = 60013 + i * 12345,
            .is_service = i == 7,
            .is_discounted = i == 6,
        };
    }
    return event;
}

static const struct member_view *
make_view(bool has_offer)
{
    static struct member_view view;

    view = (struct member_view){ .known = true, .level = { 1 }, .available = { 900000 } };
    view.segment = &segment;
    view.segment_count = has_offer ? 1 : 0;
    return &view;
}

/* ---------------------------------------------------------------------------------- the floor */

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

/* --------------------------------------------------------------------------------- measuring */

static double
seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

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

/* The best of many short rounds, in microseconds a decision: its cost when nobody else runs. */
static double
measure(const struct plan *plan, const struct event *event, const struct member_view *view,
        enum trace_wish wish, struct arena *arena)
{
    struct decision decision;
    double best = 1e9;

    for (int round = 0; round < rounds; round++) {
        double begun = seconds();
        for (int i = 0; i < batch; i++) {
            arena_reset(arena);
            decide(plan, event, view, wish, arena, &decision);
        }
        double taken = (seconds() - begun) / batch * 1e6;
        best = taken < best ? taken : best;
    }
    return best;
}

static double
measure_floor(const struct event *event, const struct member_view *view)
{
    struct floor_answer answer;
    double best = 1e9;

    for (int round = 0; round < rounds; round++) {
        double begun = seconds();
        for (int i = 0; i < batch; i++) {
            floor_decide(event, view, &answer);
            __asm__ volatile("" : : "r"(&answer) : "memory");
        }
        double taken = (seconds() - begun) / batch * 1e6;
        best = taken < best ? taken : best;
    }
    return best;
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
    struct arena plans, arena;

    arena_init(&plans, host_source(), 1 << 20, 1 << 28);
    arena_init(&arena, host_source(), 1 << 18, 1 << 24);
    struct plan *plan = compile_with_offers(&plans, 0);
    struct plan *crowded = compile_with_offers(&plans, offers);
    struct event event = make_event();
    const struct member_view *view = make_view(false);

    compare(plan, &event, view, &arena);
    size_t held = arena.total;
    printf("engine.evaluate.awn8.trace %.3f us\n",
           measure(plan, &event, view, TRACE_DEFAULT, &arena));
    printf("engine.evaluate.awn8.no-trace %.3f us\n",
           measure(plan, &event, view, TRACE_NOTHING, &arena));
    printf("engine.evaluate.awn8.floor %.3f us\n", measure_floor(&event, view));
    printf("engine.evaluate.awn8.memory %zu B\n", arena.current == NULL ? 0 : arena.used);
    printf("engine.evaluate.offers10000.none-matches %.3f us\n",
           measure(crowded, &event, view, TRACE_DEFAULT, &arena));
    printf("engine.evaluate.offers10000.one-matches %.3f us\n",
           measure(crowded, &event, make_view(true), TRACE_DEFAULT, &arena));
    if (arena.total != held && arena.total > ((size_t)1 << 22)) {
        fprintf(stderr, "the arena grew to %zu bytes\n", arena.total);
        return 1;
    }
    arena_release(&arena);
    arena_release(&plans);
    return 0;
}
