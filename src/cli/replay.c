/*
 * replay.c - what all replays share, and the command `replay`.
 *
 * Owns:      enrolling members by card, reading fields of an answer.
 * Must not:  know one data set (replay_x5.c, replay_uci.c do).
 * Tests:     tests/stories/
 */
#include "cli/replay.h"

#include "base/json_tree.h"
#include "base/json_write.h"

#include <string.h>

void
enrol_card(struct pump *pump, const struct enrolling *enrolling, struct text card)
{
    struct pump_call *slot = pump_slot(pump);
    struct json_writer writer;
    struct buf body, key;

    buf_init(&body, &slot->arena, 128);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_string(&writer, enrolling->programme);
    json_key(&writer, "cards");
    json_begin_array(&writer);
    json_text(&writer, card);
    json_end_array(&writer);
    json_end_object(&writer);
    buf_init(&key, &slot->arena, 64);
    buf_addf(&key, "replay-%s-", enrolling->programme);
    buf_add_text(&key, card);
    slot->call.route = CALL_ENROL;
    slot->call.now = enrolling->at;
    slot->call.body = buf_text(&body);
    slot->call.idempotency_key = buf_text(&key);
    pump_send(pump, slot);
}

struct text
answer_field(struct text json, const char *name, struct arena *arena)
{
    struct json_node *node;
    struct err err;

    if (json_tree_parse(arena, json, &node, &err))
        return (struct text){ 0 };
    while (node && *name) {
        size_t size = strcspn(name, "/");
        node = json_member(node, (struct text){ name, (uint32_t)size });
        name += size + (name[size] == '/');
    }
    return node ? node->value : (struct text){ 0 };
}

static const struct option options[] = {
    BOOK_OPTIONS,
    { "data", "DIR", "folder of the data (default: data/x5 or data/uci)" },
    { "programme", "FILE", "the programme (default: programmes/x5/programme.json …)" },
    { "differences", "FILE", "write what differs or was refused, as CSV" },
    { 0 },
};

static int
run(const struct arguments *arguments)
{
    bool is_uci = strcmp(arguments->word[0], "uci") == 0;
    struct replay_options replay = {
        .data = argument(arguments, "data", is_uci ? "data/uci" : "data/x5"),
        .differences = argument(arguments, "differences", NULL),
    };
    struct book_wish wish = { .create = true };
    struct arena arena;
    struct book book;
    struct err err;

    if (!is_uci && strcmp(arguments->word[0], "x5") != 0) {
        fprintf(stderr, "kopilka: replay knows the data sets x5 and uci\n");
        return 2;
    }
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    arena_init_heap(&arena);
    int status = publish_programme(
        &book,
        argument(arguments, "programme",
                 is_uci ? "programmes/uci/programme.json" : "programmes/x5/programme.json"),
        is_uci ? "2010-01-01T00:00:00Z" : "2018-01-01T00:00:00+03:00", &arena);
    arena_release(&arena);
    if (!status)
        status = is_uci ? replay_uci(&book, &replay) : replay_x5(&book, &replay);
    book_close(&book);
    return status;
}

const struct command command_replay = {
    .name = "replay",
    .words = "x5|uci",
    .words_min = 1,
    .words_max = 1,
    .summary = "run real receipts through the whole path and compare with what is known of them",
    .help = "Saying it twice books nothing twice: each receipt has its key.",
    .option = options,
    .run = run,
};
