/*
 * listen.h - listening sockets: which address may be opened, and opening it.
 *
 * Owns:      reading an address, the rule that plain HTTP stays on this machine, the sockets.
 * Must not:  accept.
 * Invariant: without `behind_proxy` nothing but a loopback address is ever bound. A port that any
 *            other process listens on is refused, although our own sockets share theirs.
 * Tests:     tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_LISTEN_H
#define KOP_HTTP_LISTEN_H

#include "base/err.h"

struct listen_place {
    const char *address; /* "127.0.0.1", "::1": a literal, never a name */
    uint16_t port;       /* 0: the kernel chooses */
    bool behind_proxy;   /* a proxy on another machine ends TLS: any address may be bound */
};

/*
 * Open `count` non-blocking sockets that share one port (SO_REUSEPORT: the kernel spreads new
 * connections over them). The port comes back in `*port`.
 *
 * CODE_USAGE:    not an address, or not loopback and not behind_proxy.
 * CODE_CONFLICT: somebody listens there already.
 * CODE_IO:       the system refused. On any failure no socket stays open.
 */
KOP_MUST_CHECK enum code listen_open(const struct listen_place *place, int *fds, uint32_t count,
                                     uint16_t *port, struct err *err);

#endif
