/*
 * control.c - a server copies its book when a command asks it to.
 *
 * Owns:      the socket, its permissions, the lines: "copy PATH" is answered by any number of
 *            "at DONE TOTAL" (pages), then "done UNTIL" or "failed TEXT".
 * Must not:  do anything else on anybody's word. It is no second API.
 * Invariant: the socket belongs to the server's user, mode 0600, and the peer is that user or root:
 *            who may ask could read the book anyway.
 * Tests:     tests/stories/backup
 *
 * Why the server makes the copy: it alone knows what it writes while the copy is made, so that the
 * copy is the book at its end. Another process sees only that the file has changed, and has to
 * begin anew each time: under load it would never end.
 */
#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { line_bytes_max = 8192, say_every_ms = 100, ask_timeout_seconds = 2 };

/*
 * A socket's address has little room: the folder is opened, and named by its descriptor, which the
 * caller closes after bind() or connect(). -1: there is no such folder, or the name is too long.
 */
static int
address_of(const char *path, struct sockaddr_un *address)
{
    char folder[1024];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int size = slash ? (int)(slash - path) : 1;

    snprintf(folder, sizeof(folder), "%.*s%s", size, slash ? path : ".", slash == path ? "/" : "");
    int descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int length = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s",
                          descriptor, name);
    if (length > 0 && (size_t)length < sizeof(address->sun_path))
        return descriptor;
    close(descriptor);
    errno = ENAMETOOLONG;
    return -1;
}

/* ---- the server's side ---- */

static bool
listen_at(struct control *control)
{
    struct sockaddr_un address;
    int folder = address_of(control->path, &address);

    if (folder < 0)
        return false;
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(control->path); /* of a server that was killed */
    bool good = control->listener >= 0 && fchmod(control->listener, 0600) == 0 &&
                bind(control->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                listen(control->listener, 4) == 0;
    int why = errno;
    close(folder);
    errno = why;
    return good;
}

void
control_open(const char *db, struct control *control)
{
    *control = (struct control){ .listener = -1 };
    if (!db)
        return;
    snprintf(control->path, sizeof(control->path), "%s.control", db);
    if (listen_at(control))
        return;
    fprintf(stderr, "kopilka: no '%s' (%s): `kopilka backup` works only while no server runs\n",
            control->path, strerror(errno));
    if (control->listener >= 0)
        close(control->listener);
    control->listener = -1;
}

void
control_close(struct control *control)
{
    if (control->listener < 0)
        return;
    unlink(control->path);
    close(control->listener);
    control->listener = -1;
}

static int64_t
milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct asker {
    int socket;
    int64_t said_ms;
    bool stops; /* the server is to stop */
};

/* Told on the writer's thread, so nothing here may wait. */
static bool
tell_progress(void *context, uint64_t done, uint64_t total)
{
    struct asker *asker = context;
    int64_t now = milliseconds();
    char line[64];
    sigset_t pending;

    if (now - asker->said_ms < say_every_ms)
        return true;
    asker->said_ms = now;
    sigpending(&pending);
    asker->stops = sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
    if (asker->stops)
        return false;
    int size = snprintf(line, sizeof(line), "at %" PRIu64 " %" PRIu64 "\n", done, total);
    ssize_t sent = send(asker->socket, line, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == size || (sent < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool
may_ask(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* One line, without its end. false: none came in time, or too long a one. */
static bool
read_line(int socket, char *line, size_t cap)
{
    size_t size = 0;

    while (size < cap && read(socket, line + size, 1) == 1) {
        if (line[size] == '\n') {
            line[size] = '\0';
            return true;
        }
        size++;
    }
    return false;
}

static void
copy_for(struct asker *asker, const char *path, struct store *store)
{
    struct copy_watch watch = { tell_progress, asker };
    char line[line_bytes_max];
    struct err err;
    unix_ms until = 0;

    enum code rc = store_backup(store, path, &watch, &until, &err);
    if (rc && asker->stops)
        snprintf(line, sizeof(line), "failed the server stops, the copy was given up\n");
    else if (rc)
        snprintf(line, sizeof(line), "failed %s\n", err.text);
    else
        snprintf(line, sizeof(line), "done %" PRId64 "\n", (int64_t)until);
    (void)!send(asker->socket, line, strlen(line), MSG_NOSIGNAL);
}

void
control_serve(struct control *control, struct store *store)
{
    struct timeval patience = { .tv_sec = ask_timeout_seconds };
    struct asker asker = { .socket = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC) };
    char line[line_bytes_max];

    if (asker.socket < 0)
        return;
    setsockopt(asker.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(asker.socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (may_ask(asker.socket) && read_line(asker.socket, line, sizeof(line)) &&
        strncmp(line, "copy /", 6) == 0)
        copy_for(&asker, line + 5, store);
    close(asker.socket);
}

/* ---- the command's side ---- */

static enum code
hear(FILE *server, struct progress *progress, unix_ms *until, struct err *err)
{
    char line[line_bytes_max];
    uint64_t done, total;
    int64_t at;

    while (fgets(line, sizeof(line), server)) {
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "at %" SCNu64 " %" SCNu64, &done, &total) == 2) {
            progress->total = total;
            progress_step(progress, done);
        } else if (sscanf(line, "done %" SCNd64, &at) == 1) {
            *until = at;
            return OK;
        } else if (strncmp(line, "failed ", 7) == 0) {
            return err_set(err, CODE_IO, "the server of the book: %s", line + 7);
        }
    }
    return err_set(err, CODE_IO, "the server of the book went away before the copy was whole");
}

enum code
control_ask_copy(const char *db, const char *path, struct progress *progress, unix_ms *until,
                 struct err *err)
{
    struct sockaddr_un address;
    char beside[1024], line[line_bytes_max];

    if (strchr(path, '\n') || strlen(path) + 8 > sizeof(line))
        return err_set(err, CODE_USAGE, "no name for a copy: it is too long, or has a line end");
    snprintf(beside, sizeof(beside), "%s.control", db);
    int folder = address_of(beside, &address);
    if (folder < 0)
        return err_set(err, CODE_NOT_FOUND, "no folder of '%s'", db);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool there = server >= 0 &&
                 connect(server, (struct sockaddr *)&address, sizeof(address)) == 0;
    int why = errno;
    close(folder);
    FILE *stream = there ? fdopen(server, "r") : NULL;
    if (!stream) {
        if (server >= 0)
            close(server);
        if (why == ENOENT || why == ECONNREFUSED)
            return err_set(err, CODE_NOT_FOUND, "no server serves '%s'", db);
        return err_set(err, CODE_IO, "cannot ask the server at '%s': %s", beside, strerror(why));
    }
    snprintf(line, sizeof(line), "copy %s\n", path);
    (void)!send(server, line, strlen(line), MSG_NOSIGNAL); /* its failure is heard below */
    enum code rc = hear(stream, progress, until, err);
    fclose(stream);
    return rc;
}
