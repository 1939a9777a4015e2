/*
 * book.c - opening the book that a command works on.
 *
 * Owns:      the choice of the store, the master key's file, waiting for one call.
 * Invariant: a key file is made once, mode 0600, and never overwritten: without it personal data
 *            are lost.
 * Tests:     tests/stories/
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { file_bytes_max = 256 << 20 };

int
complain(const struct err *err)
{
    fprintf(stderr, "kopilka: %s\n", err->text);
    return err->code == CODE_USAGE ? 2 : 1;
}

void
arena_init_heap(struct arena *arena)
{

    arena_init(arena, heap_source(), 64 * 1024, (size_t)1 << 32);
}

enum code
file_read(const char *path, struct arena *arena, struct text *content, struct err *err)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &stat) < 0) {
        enum code rc = err_set(err, CODE_IO, "cannot read '%s': %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return rc;
    }
    if (!S_ISREG(stat.st_mode) || stat.st_size > file_bytes_max) {
        close(file);
        return err_set(err, CODE_LIMIT, "'%s' is no file, or larger than 256 MiB", path);
    }
    char *bytes = arena_alloc(arena, (size_t)stat.st_size + 1);
    size_t size = 0;
    ssize_t got = 1;
    while (bytes && size < (size_t)stat.st_size && got > 0) {
        got = read(file, bytes + size, (size_t)stat.st_size - size);
        if (got > 0)
            size += (size_t)got;
    }
    close(file);
    if (!bytes || size != (size_t)stat.st_size)
        return err_set(err, CODE_IO, "cannot read '%s' whole", path);
    *content = (struct text){ bytes, (uint32_t)size };
    return OK;
}

enum code
master_key_read(const char *path, bool create, unsigned char key[master_key_bytes],
                struct err *err)
{
    struct host host = host_system();
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 && errno == ENOENT && create) {
        host.random(host.context, key, master_key_bytes);
        file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        bool good = file >= 0 && write(file, key, master_key_bytes) == master_key_bytes &&
                    fsync(file) == 0;
        if (file >= 0)
            close(file);
        return good ? OK : err_set(err, CODE_IO, "cannot make the key file '%s'", path);
    }
    if (file < 0)
        return err_set(err, CODE_IO, "cannot read the key file '%s': %s", path, strerror(errno));
    ssize_t got = read(file, key, master_key_bytes);
    close(file);
    if (got != master_key_bytes)
        return err_set(err, CODE_CORRUPT, "the key file '%s' is not 32 bytes", path);
    return OK;
}

/* The store at `url`, or the file that the options name. */
static enum code
open_store(const char *url, struct store_options *options, struct store **store, struct err *err)
{
    enum { lanes_of_a_command = 4 };

    if (!url)
        return store_open_sqlite(options, store, err);
    if (strncmp(url, "postgres://", 11) != 0 && strncmp(url, "postgresql://", 13) != 0)
        return err_set(err, CODE_USAGE, "--store takes postgres://USER@HOST/DATABASE");
    options->conninfo = url;
    if (options->lanes == 0)
        options->lanes = lanes_of_a_command;
    return store_open_postgres(options, store, err);
}

enum code
book_open(const struct arguments *arguments, const struct book_wish *wish, struct book *book,
          struct err *err)
{
    const char *db = argument(arguments, "db", "kopilka.db");
    const char *url = argument(arguments, "store", NULL);
    const char *key_file = argument(arguments, "key-file", NULL);
    char beside[1024];
    struct service_options service = { .host = host_system() };
    struct store_options store = {
        .path = db,
        .cache_bytes = wish->cache_bytes,
        .readers = wish->readers,
        .lanes = wish->lanes,
        .create = wish->create,
        .upgrade = wish->upgrade,
        .inline_runner = wish->alone,
    };

    *book = (struct book){ 0 };
    if (url && argument_given(arguments, "db"))
        return err_set(err, CODE_USAGE, "--db and --store name two books");
    snprintf(beside, sizeof(beside), "%s.key", db);
    if (!key_file)
        key_file = beside;
    bool made = wish->create && access(key_file, F_OK) != 0;
    enum code rc = master_key_read(key_file, wish->create, service.master_key, err);
    if (rc)
        return rc;
    rc = open_store(url, &store, &book->store, err);
    if (rc)
        return rc;
    service.store = book->store;
    rc = service_open(&service, &book->service, err);
    if (!rc)
        rc = service_check_master(book->service, service.master_key, err);
    if (rc == CODE_CORRUPT && made)
        unlink(key_file); /* nothing was sealed by it: the book has another key, which is missing */
    if (!rc)
        rc = service_tenant(book->service, text_of(argument(arguments, "tenant", "demo")),
                            wish->create, &book->tenant, err);
    if (rc)
        book_close(book);
    return rc;
}

void
book_close(struct book *book)
{
    if (book->service)
        service_leave(book->service);
    if (book->store)
        store_close(book->store);
    if (book->service)
        service_close(book->service);
    *book = (struct book){ 0 };
}

/* A call that is waited for by polling a pipe: done() may come on the store's thread. */
struct waiting {
    int pipe[2];
};

static void
wake(struct call *call)
{
    struct waiting *waiting = call->context;

    if (write(waiting->pipe[1], "", 1) != 1)
        abort(); /* a pipe with room cannot refuse a byte */
}

int
book_call(const struct book *book, enum route_name route, const char *param, struct text body,
          const char *idempotency_key, struct arena *arena, struct text *answer)
{
    struct waiting waiting;
    struct call call = {
        .route = route,
        .param = { text_of(param) },
        .body = body,
        .idempotency_key = text_of(idempotency_key),
        .trusted = true,
        .tenant = book->tenant,
        .arena = arena,
        .done = wake,
        .context = &waiting,
    };
    char byte;

    if (pipe2(waiting.pipe, O_CLOEXEC) != 0)
        abort();
    service_call(book->service, &call);
    while (read(waiting.pipe[0], &byte, 1) != 1)
        ;
    close(waiting.pipe[0]);
    close(waiting.pipe[1]);
    call_finish(&call);
    *answer = call.answer;
    return call.status;
}

/* ---- progress ---- */

static int64_t
milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    *progress = (struct progress){ .what = what, .total = total, .began_ms = milliseconds() };
    progress->is_terminal = isatty(STDERR_FILENO) == 1;
}

static void
progress_show(struct progress *progress, uint64_t done, bool last)
{
    enum { bar_width = 30 };
    char bar[bar_width + 1];
    uint64_t of = progress->total ? progress->total : done ? done : 1;
    int full = (int)(done * bar_width / of);
    double seconds = (double)(milliseconds() - progress->began_ms) / 1000.0;

    if (full > bar_width)
        full = bar_width;
    memset(bar, '.', bar_width);
    memset(bar, '#', (size_t)full);
    bar[bar_width] = 0;
    if (progress->is_terminal)
        fprintf(stderr, "\r%s [%s] %llu of %llu, %.1f s%s", progress->what, bar,
                (unsigned long long)done, (unsigned long long)of, seconds, last ? "\n" : "");
    else
        fprintf(stderr, "%s: %llu of %llu, %.1f s\n", progress->what, (unsigned long long)done,
                (unsigned long long)of, seconds);
}

void
progress_step(struct progress *progress, uint64_t done)
{
    int64_t now = milliseconds();
    int64_t every = progress->is_terminal ? 100 : 5000;

    if (now - progress->last_ms < every && now - progress->began_ms >= 0 && progress->last_ms)
        return;
    if (!progress->is_terminal && now - progress->began_ms < every)
        return;
    progress->last_ms = now;
    progress_show(progress, done, false);
}

void
progress_end(struct progress *progress, uint64_t done)
{
    progress_show(progress, done, true);
}
