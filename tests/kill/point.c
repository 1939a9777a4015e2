/*
 * point.c - kills the program at a named point, from outside of its code (LD_PRELOAD).
 *
 * Owns:      counting the calls that have a name, and the SIGKILL at one of them.
 * Use:       KOP_KILL=NAME:N  before the N-th call of NAME the process ends as by kill -9:
 *              write    a write to the book or its log (pwrite64)
 *              half     the same, but the first half of that write is done
 *              sync     before a sync (fdatasync): the batch is written, not durable
 *              synced   after a sync: the batch is durable, nobody has been answered
 *              commit   before a database on a local socket hears COMMIT
 *              ask      before a database on a local socket hears anything
 *              asked    after it was sent something, before it is listened to
 *              answer   before an answer is sent (send, not to a local socket)
 *            KOP_STOP=1: it is not killed but stopped (SIGSTOP), and goes on with SIGCONT.
 *            KOP_KILL_AFTER=FILE: nothing is counted before FILE exists.
 * Must not:  change what a call does otherwise.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long seen;
static atomic_bool armed;

/* Is this call the one? */
static bool
due(const char *name)
{
    const char *wish = getenv("KOP_KILL"), *after = getenv("KOP_KILL_AFTER");
    size_t size = strlen(name);

    if (wish == NULL || strncmp(wish, name, size) != 0 || wish[size] != ':')
        return false;
    if (!atomic_load(&armed)) {
        if (after != NULL && access(after, F_OK) != 0)
            return false;
        atomic_store(&armed, true);
    }
    return atomic_fetch_add(&seen, 1) + 1 == strtol(wish + size + 1, NULL, 10);
}

static void
end(void)
{
    kill(getpid(), getenv("KOP_STOP") != NULL ? SIGSTOP : SIGKILL);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

    if (due("write"))
        end();
    if (due("half")) {
        (void)!real(fd, bytes, size / 2, at);
        end();
    }
    return real(fd, bytes, size, at);
}

int
fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

    if (due("sync"))
        end();
    int rc = real(fd);
    if (due("synced"))
        end();
    return rc;
}

/* A local socket leads to the database; a client comes over the network. */
static bool
is_local(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.ss_family == AF_UNIX;
}

ssize_t
send(int fd, const void *bytes, size_t size, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    bool local = is_local(fd);
    if (local ? memmem(bytes, size, "COMMIT", 6) != NULL && due("commit") : due("answer"))
        end();
    if (local && due("ask"))
        end();
    ssize_t rc = real(fd, bytes, size, flags);
    if (local && due("asked"))
        end();
    return rc;
}
