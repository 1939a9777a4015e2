/*
 * serve.c - the server: opens the book, listens, stops cleanly on SIGTERM and SIGINT.
 *
 * Owns:      the life of the process; heartbeat and daily run inside it.
 * Invariant: what was acknowledged is in the book; a stop answers what is in flight first.
 * Tests:     tests/stories/
 */
#include "cli/serve.h"

#include "cli/control.h"
#include "jobs/daily.h"
#include "jobs/heartbeat.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { stop_deadline_ms = 10000, cache_mib_default = 64, cache_mib_max = 65536 };

static const struct option options[] = {
    BOOK_OPTIONS,
    { "address", "ADDRESS", "where to listen (default: 127.0.0.1; others need --behind-proxy)" },
    { "port", "N", "port (default: 8080; 0: the kernel chooses)" },
    { "behind-proxy", NULL, "a proxy in front speaks TLS" },
    { "threads", "N", "loop threads (default: 1)" },
    { "cache-mib", "N", "page cache of the book in MiB (default: 64)" },
    { "readers", "N", "reader threads (default: 1)" },
    { "lanes", "N", "connections that write, on PostgreSQL (default: 16)" },
    { "log", "FILE", "structured log, one JSON object a line ('-': standard error)" },
    { "no-daily", NULL, "do not run the daily job in this process" },
    { 0 },
};

static void
stop_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
}

void
serve_block_signals(void)
{
    sigset_t signals;

    stop_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* Make copies when asked to, until SIGTERM or SIGINT comes. */
static void
await_stop(struct book *book, struct control *control)
{
    sigset_t signals;

    stop_signals(&signals);
    int signal = signalfd(-1, &signals, SFD_CLOEXEC);
    struct pollfd wait[] = { { .fd = signal, .events = POLLIN },
                             { .fd = control->listener, .events = POLLIN } };
    if (signal < 0) { /* no descriptor is left: there are no copies then */
        int which;
        sigwait(&signals, &which);
        return;
    }
    for (;;) {
        if (poll(wait, KOP_COUNT(wait), -1) < 0)
            continue; /* interrupted */
        if (wait[0].revents)
            break;
        if (wait[1].revents)
            control_serve(control, book->store);
    }
    close(signal);
}

/* What works beside the requests. */
struct background {
    struct heartbeat *heartbeat;
    struct daily_job *daily;
};

static void
background_stop(struct background *background)
{
    daily_job_stop(background->daily);
    heartbeat_stop(background->heartbeat);
}

static enum code
background_start(struct background *background, struct service *service, bool daily,
                 struct err *err)
{
    enum code rc = heartbeat_start(service, &background->heartbeat, err);

    if (!rc && daily)
        rc = daily_job_start(service, &background->daily, err);
    if (rc)
        background_stop(background);
    return rc;
}

int
serve_until_stopped(struct book *book, const struct serve_wish *wish)
{
    struct api_options api_options = {
        .service = book->service,
        .address = wish->address,
        .port = wish->port,
        .behind_proxy = wish->behind_proxy,
        .threads = wish->threads,
        .log = wish->log,
    };
    struct background background = { 0 };
    struct api *api;
    struct err err;
    struct control control;

    if (background_start(&background, book->service, wish->daily, &err))
        return complain(&err);
    if (api_start(&api_options, &api, &err)) {
        background_stop(&background);
        return complain(&err);
    }
    if (wish->listening)
        wish->listening(wish->context, api_port(api));
    control_open(wish->db, &control);
    await_stop(book, &control);
    control_close(&control);
    fprintf(stderr, "kopilka: stopping\n");
    daily_job_stop(background.daily);
    background.daily = NULL;
    api_stop(api, stop_deadline_ms);
    background_stop(&background);
    book_close(book); /* answers what the store still holds, then closes */
    api_free(api);
    return 0;
}

/*
 * One heap for all threads, which grows by a mebibyte at a time. SQLite allocates its cache page by
 * page on the writer's thread, and a heap of that thread's own grows by one system call for each.
 * Nothing else allocates while the server is warm, so nobody waits for the one heap.
 */
static void
set_up_heap(void)
{
    enum { growth_bytes = 1 << 20 };

    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TOP_PAD, growth_bytes);
}

static void
say_listening(void *context, uint16_t port)
{
    const char *address = context;

    printf("listening on http://%s:%u\n", address, port);
    fflush(stdout);
}

static int
open_log(const char *path, struct err *err)
{
    if (!path)
        return -1;
    if (strcmp(path, "-") == 0)
        return STDERR_FILENO;
    FILE *file = fopen(path, "ae");
    if (!file)
        err_set(err, CODE_IO, "cannot open the log '%s'", path);
    return file ? fileno(file) : -2;
}

static int
run(const struct arguments *arguments)
{
    const char *address = argument(arguments, "address", "127.0.0.1");
    struct book_wish wish = {
        .cache_bytes = argument_number(arguments, "cache-mib", cache_mib_default, cache_mib_max)
                       << 20,
        .readers = (uint32_t)argument_number(arguments, "readers", 1, 64),
        .lanes = (uint32_t)argument_number(arguments, "lanes", 16, 256),
    };
    struct serve_wish serve = {
        .address = address,
        .port = (uint16_t)argument_number(arguments, "port", 8080, 65535),
        .behind_proxy = argument_given(arguments, "behind-proxy"),
        .threads = (uint32_t)argument_number(arguments, "threads", 1, 64),
        .daily = !argument_given(arguments, "no-daily"),
        .db = argument_given(arguments, "store") ? NULL : argument(arguments, "db", "kopilka.db"),
        .listening = say_listening,
        .context = (void *)(uintptr_t)address,
    };
    struct book book;
    struct err err;

    set_up_heap();
    serve_block_signals();
    serve.log = open_log(argument(arguments, "log", NULL), &err);
    if (serve.log == -2)
        return complain(&err);
    if (book_open(arguments, &wish, &book, &err))
        return complain(&err);
    return serve_until_stopped(&book, &serve);
}

const struct command command_serve = {
    .name = "serve",
    .summary = "serve the HTTP API on a book",
    .help = "Stops cleanly on SIGTERM: answers what is in flight, then exits.\n"
            "API keys are made by `kopilka key`; programmes are published by `kopilka programme "
            "publish`.",
    .option = options,
    .run = run,
};
