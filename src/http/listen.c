/*
 * listen.c - listening sockets: which address may be opened, and opening it.
 *
 * Owns:      reading an address, the loopback rule, socket options.
 * Must not:  accept.
 * Invariant: without `behind_proxy` nothing but a loopback address is ever bound. Before our own
 *            sockets, which share the port, one that does not share it proves the port free.
 * Tests:     tests/unit/http/test_loop.c
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { listen_backlog = 4096 };

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size;
    bool is_loopback;
};

static bool
read_place(const struct listen_place *from, struct place *place)
{
    memset(place, 0, sizeof *place);
    if (inet_pton(AF_INET, from->address, &place->address.v4.sin_addr) == 1) {
        place->address.v4.sin_family = AF_INET;
        place->address.v4.sin_port = htons(from->port);
        place->size = sizeof place->address.v4;
        place->is_loopback = ntohl(place->address.v4.sin_addr.s_addr) >> 24 == 127;
        return true;
    }
    if (inet_pton(AF_INET6, from->address, &place->address.v6.sin6_addr) == 1) {
        place->address.v6.sin6_family = AF_INET6;
        place->address.v6.sin6_port = htons(from->port);
        place->size = sizeof place->address.v6;
        place->is_loopback = IN6_IS_ADDR_LOOPBACK(&place->address.v6.sin6_addr);
        return true;
    }
    return false;
}

static void
set_port(struct place *place, uint16_t port)
{
    if (place->address.any.sa_family == AF_INET)
        place->address.v4.sin_port = htons(port);
    else
        place->address.v6.sin6_port = htons(port);
}

static uint16_t
bound_port(int fd)
{
    struct place place;
    socklen_t size = sizeof place.address;

    if (getsockname(fd, &place.address.any, &size) != 0)
        return 0;
    return ntohs(place.address.any.sa_family == AF_INET ? place.address.v4.sin_port
                                                        : place.address.v6.sin6_port);
}

/* A bound socket, or -1 with errno. */
static int
bind_socket(const struct place *place, bool shares_port)
{
    const int on = 1;
    int family = place->address.any.sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    /* Accepted sockets inherit TCP_NODELAY: an answer is one send, nothing is gained by waiting. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!shares_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        (family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        bind(fd, &place->address.any, place->size) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static enum code
fail(const struct listen_place *place, struct err *err)
{
    if (errno == EADDRINUSE)
        return err_set(err, CODE_CONFLICT, "cannot listen on '%s' port %u: it is in use",
                       place->address, (unsigned)place->port);
    return err_set(err, CODE_IO, "cannot listen on '%s' port %u: %s", place->address,
                   (unsigned)place->port, strerrordesc_np(errno));
}

enum code
listen_open(const struct listen_place *where, int *fds, uint32_t count, uint16_t *port,
            struct err *err)
{
    struct place place;
    uint32_t opened = 0;

    assert(count > 0);
    if (!read_place(where, &place))
        return err_set(err, CODE_USAGE, "'%s' is not an IP address", where->address);
    if (!place.is_loopback && !where->behind_proxy)
        return err_set(err, CODE_USAGE,
                       "'%s' is not a loopback address: plain HTTP leaves this machine only behind "
                       "a proxy that ends TLS",
                       where->address);
    int probe = bind_socket(&place, false);
    if (probe < 0)
        return fail(where, err);
    uint16_t bound = bound_port(probe);
    close(probe);
    set_port(&place, bound);
    for (; opened < count; opened++) {
        int fd = bind_socket(&place, true);
        if (fd < 0)
            goto failed;
        fds[opened] = fd;
        if (listen(fd, listen_backlog) != 0) {
            opened++;
            goto failed;
        }
    }
    *port = bound;
    return OK;
failed:;
    enum code code = fail(where, err);
    while (opened > 0)
        close(fds[--opened]);
    return code;
}
