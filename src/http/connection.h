/*
 * connection.h - one connection: its socket, its state, and the reading and sending of bytes.
 *
 * Owns:      struct connection, the system calls on its socket.
 * Must not:  know epoll, threads, timers' lists, or what is done with a request.
 * Invariant: never blocks, never raises SIGPIPE. A socket is read only in RECEIVING, so that a
 *            client cannot make the server hold more than one request of it at work.
 * Tests:     tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_CONNECTION_H
#define KOP_HTTP_CONNECTION_H

#include "http/deadline.h"
#include "http/exchange.h"

/*
 *   IDLE -> RECEIVING -> WORKING -> SENDING -> IDLE | RECEIVING | LINGERING
 *   anything -> LINGERING (after a refusal) -> CLOSED;  anything -> CLOSED
 */
enum connection_state {
    CONNECTION_IDLE,      /* between requests; no exchange */
    CONNECTION_RECEIVING, /* a request is coming in */
    CONNECTION_WORKING,   /* the handler has the exchange */
    CONNECTION_SENDING,   /* the answer did not fit into the socket's buffer */
    CONNECTION_LINGERING, /* we have said all; the client may still read it */
    CONNECTION_CLOSED,    /* waits to be freed at the end of the loop's round */
};

struct connection {
    struct deadline deadline;           /* first */
    struct connection *next, *previous; /* all of the loop */
    struct exchange *exchange;          /* from RECEIVING to SENDING */
    int fd;
    enum connection_state state;
    bool readable;      /* the socket may hold bytes that were not read yet */
    bool half_closed;   /* the client sends no more, and may still read */
    bool wants_writing; /* EPOLLOUT is asked for */
    unsigned char peer[16];
};

enum connection_result {
    CONNECTION_WAIT,    /* nothing more can be done now */
    CONNECTION_READY,   /* receive: a request is complete. send: all is sent */
    CONNECTION_REFUSED, /* receive: exchange->parser.status says why */
    CONNECTION_FULL,    /* receive: no memory, or over the budget */
    CONNECTION_GONE,    /* the other end has gone, or half a request will never be whole */
};

/* Parse what is there, read more, and so on; counts what came in `*bytes`. */
KOP_MUST_CHECK enum connection_result connection_receive(struct connection *connection,
                                                         uint64_t *bytes);

/* Send what is left of the answer; counts it in `*bytes`. */
KOP_MUST_CHECK enum connection_result connection_send(struct connection *connection,
                                                      uint64_t *bytes);

/* Try once to send a refusal with Connection: close. How many bytes went out. */
size_t connection_refuse(struct connection *connection, int status, const char *detail);

/* Say that nothing follows. Then read and forget; GONE when the client has closed too. */
void connection_shut(struct connection *connection);
KOP_MUST_CHECK enum connection_result connection_drain(struct connection *connection);

#endif
