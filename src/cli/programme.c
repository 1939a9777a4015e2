/*
 * programme.c - check, publish and list programmes; evaluate an event without a book.
 *
 * Owns:      reading the files and printing what the service answers.
 * Tests:     tests/stories/
 */
#include "cli/replay.h"

#include "base/json_write.h"
#include "engine/engine.h"
#include "service/render.h"

#include <string.h>

static const struct option options[] = {
    BOOK_OPTIONS,
    { "from", "TIME", "publish: in force from (RFC 3339; default: now)" },
    { 0 },
};

/* {"document": …, "in_force_from": …} */
static struct text
version_body(struct arena *arena, struct text document, const char *from)
{
    struct json_writer writer;
    struct buf body;

    buf_init(&body, arena, (size_t)document.len + 128);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "document");
    json_raw(&writer, document);
    if (from) {
        json_key(&writer, "in_force_from");
        json_string(&writer, from);
    }
    json_end_object(&writer);
    return buf_text(&body);
}

int
publish_programme(struct book *book, const char *path, const char *from, struct arena *arena)
{
    struct text document, id, zone, answer;
    struct err err;

    if (file_read(path, arena, &document, &err) || plan_peek(arena, document, &id, &zone, &err))
        return complain(&err);
    char *name = text_c_string(arena, id);
    int status = book_call(book, CALL_PUBLISH, name, version_body(arena, document, from), NULL,
                           arena, &answer);
    printf("%s: %.*s\n", path, (int)answer.len, answer.ptr);
    return status == 200 ? 0 : 1;
}

/* The zone's bytes; empty when there is no such zone, which the compiler tells with the rest. */
static struct text
zone_bytes(struct text name, struct arena *arena)
{
    struct text tzif = { 0 };
    struct err err;
    char path[256];

    if (name.len == 0 || text_equal(name, TEXT("UTC")))
        return tzif;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%.*s", (int)name.len, name.ptr);
    if (file_read(path, arena, &tzif, &err))
        tzif = (struct text){ 0 };
    return tzif;
}

static int
check_programme(const char *path, struct arena *arena)
{
    struct text document, id, zone_name;
    struct problems problems = { 0 };
    struct plan *plan;
    struct err err;

    if (file_read(path, arena, &document, &err) ||
        plan_peek(arena, document, &id, &zone_name, &err))
        return complain(&err);
    enum code rc = plan_compile(arena, document, zone_bytes(zone_name, arena), 1, &plan, &problems,
                                &err);
    for (uint32_t i = 0; i < problems.count; i++)
        printf("%s%.*s: %.*s\n", path, (int)problems.item[i].pointer.len,
               problems.item[i].pointer.ptr, (int)problems.item[i].sentence.len,
               problems.item[i].sentence.ptr);
    if (rc == CODE_SYNTAX && problems.count)
        return 1;
    if (rc)
        return complain(&err);
    printf("%s: good, %u rules\n", path, plan_rule_count(plan));
    return 0;
}

static int
run_programme(const struct arguments *arguments)
{
    const char *verb = arguments->word[0], *path = arguments->word[1];
    struct book_wish wish = { .create = true };
    struct arena arena;
    struct text answer;
    struct book book;
    struct err err;
    int status;

    arena_init_heap(&arena);
    if (strcmp(verb, "check") == 0 && path)
        return check_programme(path, &arena);
    bool is_list = strcmp(verb, "list") == 0;
    if (!is_list && !(strcmp(verb, "publish") == 0 && path)) {
        fprintf(stderr, "kopilka: usage: kopilka programme check|publish FILE, or list\n");
        return 2;
    }
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    if (is_list) {
        status = book_call(&book, CALL_PROGRAMMES, NULL, (struct text){ 0 }, NULL, &arena, &answer);
        printf("%.*s\n", (int)answer.len, answer.ptr);
        status = status == 200 ? 0 : 1;
    } else {
        status = publish_programme(&book, path, argument(arguments, "from", NULL), &arena);
    }
    book_close(&book);
    arena_release(&arena);
    return status;
}

const struct command command_programme = {
    .name = "programme",
    .words = "check|publish FILE | list",
    .words_min = 1,
    .words_max = 2,
    .summary = "check or publish a programme document",
    .help = "check reports every mistake with its JSON pointer and needs no book. A published "
            "version never changes.",
    .option = options,
    .run = run_programme,
};

/* ---- evaluate ---- */

static const struct option evaluate_options[] = {
    { "programme", "FILE", "the programme's document" },
    { "event", "FILE", "body of POST /v1/evaluate less the programme: event, member, mode" },
    { "full", NULL, "tell of every rule, not only of those that the event can reach" },
    { "russian", NULL, "sentences in Russian" },
    { 0 },
};

static int
evaluate(struct arena *arena, struct text document, struct text body, enum trace_wish trace,
         bool russian)
{
    struct evaluate_body parts = { 0 };
    struct refusal refusal = { 0 };
    struct text id, zone_name, sentence;
    struct problems problems = { 0 };
    struct member_view view = { 0 };
    struct decision decision = { 0 };
    struct event event = { 0 };
    struct json_writer writer;
    struct plan *plan;
    struct buf out;
    struct err err;
    uint32_t bad_line = 0;

    if (plan_peek(arena, document, &id, &zone_name, &err))
        return complain(&err);
    if (plan_compile(arena, document, zone_bytes(zone_name, arena), 1, &plan, &problems, &err)) {
        fprintf(stderr,
                "kopilka: the programme has %u mistakes; `kopilka programme check` names them\n",
                problems.count);
        return 1;
    }
    bool read = evaluate_body_read(body, arena, &parts, &refusal) &&
                evaluate_event_read(parts.event, plan, arena, &event, &refusal) &&
                evaluate_member_read(parts.member, plan, arena, &view, &refusal);
    if (read)
        refusal.outcome = event_normalise(&event, plan_terms(plan)->money_scale, &bad_line);
    if (refusal.outcome == OUTCOME_DONE) {
        enum code rc = engine_evaluate(plan, &event, &view,
                                       parts.is_fact ? EVALUATE_FACT : EVALUATE_QUOTE,
                                       trace, arena, &decision, &err);
        if (rc && rc != CODE_RANGE)
            return complain(&err);
        refusal.outcome = rc ? OUTCOME_AMOUNT_OVERFLOW : decision.outcome;
        refusal.pointer = decision.culprit;
    }
    if (refusal.outcome != OUTCOME_DONE) {
        sentence = text_of(outcome_sentence(refusal.outcome, russian));
        fprintf(stderr, "kopilka: %s at '%.*s': %.*s\n", outcome_name(refusal.outcome),
                (int)refusal.pointer.len, refusal.pointer.ptr, (int)sentence.len, sentence.ptr);
        return 1;
    }
    buf_init(&out, arena, 4096);
    json_write_init(&writer, &out);
    render_decision(&decision, &event, plan, russian, &writer);
    printf("%.*s\n", (int)out.len, out.ptr);
    return 0;
}

static int
run_evaluate(const struct arguments *arguments)
{
    const char *programme = argument(arguments, "programme", NULL);
    const char *event = argument(arguments, "event", NULL);
    struct text document, body;
    struct arena arena;
    struct err err;

    if (!programme || !event) {
        fprintf(stderr, "kopilka: evaluate needs --programme FILE and --event FILE\n");
        return 2;
    }
    arena_init_heap(&arena);
    if (file_read(programme, &arena, &document, &err) || file_read(event, &arena, &body, &err))
        return complain(&err);
    int status = evaluate(&arena, document, body,
                          argument_given(arguments, "full") ? TRACE_FULL : TRACE_DEFAULT,
                          argument_given(arguments, "russian"));
    arena_release(&arena);
    return status;
}

const struct command command_evaluate = {
    .name = "evaluate",
    .summary = "decide one event by one programme, without a book",
    .help = "Prints the decision as JSON, with its derivation.",
    .option = evaluate_options,
    .run = run_evaluate,
};
