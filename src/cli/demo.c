/*
 * demo.c - a first look: a book, programmes, real receipts, a server, and what to try.
 *
 * Owns:      what a newcomer sees.
 * Invariant: the printed lines work as printed; a second demo goes on with the same book.
 * Tests:     tests/stories/
 */
#include "cli/replay.h"
#include "cli/serve.h"

#include "service/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct option options[] = {
    { "dir", "DIR", "where the demo's book lies (default: build/demo)" },
    { "port", "N", "port on loopback (default: 8080; 0: the kernel chooses)" },
    { "once", NULL, "load and print, but do not serve" },
    { 0 },
};

static const char *const programmes[] = {
    "programmes/x5/programme.json",
    "programmes/awn/programme.json",
    "programmes/uci/programme.json",
};

struct demo {
    struct book book;
    char token[key_token_bytes];
    char member[32];
};

static void
print_what_to_try(void *context, uint16_t port)
{
    const struct demo *demo = context;
    struct host host = host_system();
    unix_ms now = host.now(host.context);
    char at[40] = { 0 };
    struct buf written;

    buf_init_fixed(&written, at, sizeof(at) - 1);
    instant_format(&written, now);
    printf("\nKopilka serves on http://127.0.0.1:%u  (API key: %s)\n\n"
           "Try, in another terminal:\n\n"
           "1. Quote: what would this basket cost, and why?\n"
           "curl -s http://127.0.0.1:%u/v1/receipts/quote -H 'Authorization: Bearer %s' "
           "-H 'Content-Type: application/json' -d "
           "'{\"programme\":\"awn\",\"outlet\":\"1\",\"till\":\"1\","
           "\"period\":1,\"number\":\"1\",\"card\":\"DEMO-1\",\"occurred_at\":\"%s\","
           "\"lines\":[{\"article\":\"coat\",\"quantity\":\"1\",\"price\":\"6000.00\"},"
           "{\"article\":\"boots\",\"quantity\":\"1\",\"price\":\"4000.00\"}]}'\n\n"
           "2. Purchase: the same, booked; say it twice, and it is booked once.\n"
           "curl -s http://127.0.0.1:%u/v1/receipts/commit -H 'Authorization: Bearer %s' "
           "-H 'Content-Type: application/json' -d "
           "'{\"programme\":\"awn\",\"outlet\":\"1\",\"till\":\"1\","
           "\"period\":1,\"number\":\"%lld\",\"card\":\"DEMO-1\",\"occurred_at\":\"%s\","
           "\"lines\":[{\"article\":\"coat\",\"quantity\":\"1\",\"price\":\"6000.00\"},"
           "{\"article\":\"boots\",\"quantity\":\"1\",\"price\":\"4000.00\"}]}'\n\n"
           "3. Statement: every movement, and why.\n"
           "curl -s http://127.0.0.1:%u/v1/members/%s/statement -H 'Authorization: Bearer %s'\n\n"
           "Stop with Ctrl-C.\n",
           port, demo->token, port, demo->token, at, port, demo->token, (long long)(now / 1000), at,
           port, demo->member, demo->token);
    fflush(stdout);
}

/* A member of awn to try things with. */
static int
enrol_somebody(struct demo *demo, struct arena *arena)
{
    struct text body = TEXT(
        "{\"programme\":\"awn\",\"surname\":\"Иванова\",\"name\":\"Анна\","
        "\"birthday\":\"1990-05-17\",\"phone\":\"+79160000001\","
        "\"email\":\"anna@example.org\",\"cards\":[\"DEMO-1\"],\"consent\":true}");
    struct text answer, member;
    int status = book_call(&demo->book, CALL_ENROL, NULL, body, "demo-member", arena, &answer);

    if (status != 200) {
        fprintf(stderr, "kopilka: the demo's member was refused: %.*s\n", (int)answer.len,
                answer.ptr);
        return 1;
    }
    member = answer_field(answer, "member", arena);
    snprintf(demo->member, sizeof(demo->member), "%.*s", (int)member.len, member.ptr);
    return 0;
}

static int
prepare(struct demo *demo, struct arena *arena)
{
    struct replay_options replay = { .data = "data/x5" };
    struct err err;

    for (size_t i = 0; i < KOP_COUNT(programmes); i++) {
        int status = publish_programme(&demo->book, programmes[i], "2010-01-01T00:00:00Z", arena);
        if (status)
            return status;
    }
    if (enrol_somebody(demo, arena))
        return 1;
    int status = replay_x5(&demo->book, &replay);
    if (status)
        return status;
    if (service_new_key(demo->book.service, demo->book.tenant, "till,read,members,admin", "", "",
                        demo->token, &err))
        return complain(&err);
    return 0;
}

static int
run(const struct arguments *arguments)
{
    const char *folder = argument(arguments, "dir", "build/demo");
    struct option book_options[] = { BOOK_OPTIONS, { 0 } };
    struct arguments book_arguments = { .option = book_options };
    struct book_wish wish = { .create = true };
    struct demo *demo = calloc(1, sizeof(*demo));
    struct serve_wish serve = {
        .address = "127.0.0.1",
        .port = (uint16_t)argument_number(arguments, "port", 8080, 65535),
        .daily = true,
        .log = -1,
        .listening = print_what_to_try,
        .context = demo,
    };
    struct arena arena;
    struct err err;
    char path[1024];
    int status;

    if (!demo)
        return 1;
    mkdir(folder, 0700);
    snprintf(path, sizeof(path), "%s/kopilka.db", folder);
    book_arguments.value[0] = path;
    arena_init_heap(&arena);
    serve_block_signals();
    if (book_open(&book_arguments, &wish, &demo->book, &err)) {
        status = complain(&err);
    } else {
        status = prepare(demo, &arena);
        if (status || argument_given(arguments, "once"))
            book_close(&demo->book);
        else
            status = serve_until_stopped(&demo->book, &serve);
    }
    arena_release(&arena);
    free(demo);
    return status;
}

const struct command command_demo = {
    .name = "demo",
    .summary = "a first look: real receipts in a book of its own, a server, and what to try",
    .help = "Run from the project's folder (it reads programmes/ and data/).",
    .option = options,
    .run = run,
};
