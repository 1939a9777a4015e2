/*
 * awn.c - the shipped programme awn and a receipt of eight lines, for what is measured in process.
 *
 * Owns:      see awn.h.
 * Must not:  measure by the average: other work on the machine would be measured with it.
 */
#include "awn.h"

#include "service/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { rounds = 200, calls_per_round = 1000, file_bytes_max = 1 << 20 };

static const char body[] =
    "{\"programme\":\"awn\",\"outlet\":\"7\",\"till\":\"1\",\"period\":20260106,"
    "\"number\":\"100\",\"card\":\"2200001234\",\"occurred_at\":\"2026-01-06T12:13:20Z\","
    "\"confirmed\":true,\"lines\":["
    "{\"article\":\"4600000000040\",\"quantity\":\"1\",\"price\":\"600.13\","
    "\"category\":\"coats\"},"
    "{\"article\":\"4600000000041\",\"quantity\":\"2\",\"price\":\"361.79\","
    "\"category\":\"coats\"},"
    "{\"article\":\"4600000000042\",\"quantity\":\"3\",\"price\":\"282.34\","
    "\"category\":\"boots\"},"
    "{\"article\":\"4600000000043\",\"quantity\":\"1\",\"price\":\"970.48\","
    "\"category\":\"boots\"},"
    "{\"article\":\"4600000000044\",\"quantity\":\"1\",\"price\":\"1093.93\","
    "\"category\":\"bags\"},"
    "{\"article\":\"4600000000045\",\"quantity\":\"2\",\"price\":\"608.69\","
    "\"category\":\"bags\"},"
    "{\"article\":\"4600000000046\",\"quantity\":\"1\",\"price\":\"1340.83\","
    "\"category\":\"belts\",\"discounted\":true},"
    "{\"article\":\"4600000000047\",\"quantity\":\"1\",\"price\":\"1464.28\","
    "\"category\":\"sewing\",\"service\":true}],"
    "\"redeem\":[{\"currency\":\"bonus\",\"amount\":\"2000.00\"}]}";

/* ---- memory ---- */

static void *
take(void *context, size_t size)
{
    struct counted_memory *memory = context;

    memory->blocks++;
    return malloc(size);
}

static void
give_back(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

struct arena_source
counted_source(struct counted_memory *memory)
{
    return (struct arena_source){ .take = take, .give_back = give_back, .context = memory };
}

/* ---- programme and receipt ---- */

static void
give_up(const char *what, struct text more)
{
    fprintf(stderr, "%s: %.*s\n", what, (int)more.len, more.len ? more.ptr : "");
    exit(1);
}

static struct text
read_file(const char *path, struct arena *arena)
{
    FILE *file = fopen(path, "rbe");
    char *bytes = arena_alloc(arena, file_bytes_max);
    size_t size = file && bytes ? fread(bytes, 1, file_bytes_max, file) : 0;

    if (size == 0)
        give_up("cannot read", text_of(path));
    fclose(file);
    return (struct text){ bytes, (uint32_t)size };
}

struct text
awn_document(struct arena *arena)
{
    return read_file("programmes/awn/programme.json", arena);
}

struct plan *
awn_compile(struct arena *arena, struct text document)
{
    struct problems problems = { 0 };
    struct plan *plan;
    struct err err;
    struct text zone = read_file("/usr/share/zoneinfo/Europe/Moscow", arena);

    if (plan_compile(arena, document, zone, 1, &plan, &problems, &err) != OK)
        give_up(err.text, problems.count > 0 ? problems.item[0].sentence : TEXT(""));
    return plan;
}

struct text
awn_body(void)
{
    return (struct text){ body, sizeof(body) - 1 };
}

struct event
awn_event(const struct plan *plan, struct arena *arena)
{
    struct purchase_body purchase;
    struct refusal refusal;
    uint32_t bad_line;

    if (!purchase_body_read(awn_body(), plan, arena, &purchase, &refusal))
        give_up("the receipt is refused", refusal.pointer);
    if (event_normalise(&purchase.event, plan_terms(plan)->money_scale, &bad_line) != OUTCOME_DONE)
        give_up("the receipt is refused", TEXT("lines"));
    return purchase.event;
}

/* ---- measuring ---- */

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double
awn_measure(void (*call)(void *context), void *context)
{
    double best = 1e9;

    for (int round = 0; round < rounds; round++) {
        double begun = seconds();
        for (int i = 0; i < calls_per_round; i++)
            call(context);
        double taken = (seconds() - begun) / calls_per_round * 1e6;
        best = taken < best ? taken : best;
    }
    return best;
}

void
awn_print(const char *name, double value, const char *unit, double ratio)
{
    if (ratio > 0)
        printf("%s %.3f %s %.2f\n", name, value, unit, ratio);
    else
        printf("%s %.3f %s -\n", name, value, unit);
}
