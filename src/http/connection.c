/*
 * connection.c - one connection: its socket, its state, and the reading and sending of bytes.
 *
 * Owns:      recv, send and shutdown.
 * Must not:  know epoll, threads, timers' lists, or what is done with a request.
 * Invariant: `readable` is cleared only by what proves the socket empty: EAGAIN, the end of the
 *            stream, or a read that brought less than there was room for. The epoll edge that comes
 *            with the next byte sets it again, so no byte waits unseen.
 * Tests:     tests/unit/http/test_loop.c
 */
#include "http/connection.h"

#include <errno.h>
#include <sys/socket.h>

enum { drain_rounds_max = 64, drain_bytes = 4096 };

static bool
is_temporary(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* Tell a client that waits for it to send the body. */
static bool
send_continue(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t sent;

    do {
        sent = send(connection->fd, line, sizeof line - 1, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    /* Nothing else is under way on this socket: a line that does not fit means a dead client. */
    return sent == sizeof line - 1;
}

/* One read. false: the connection is broken. */
static bool
read_some(struct connection *connection, uint64_t *bytes)
{
    struct exchange *exchange = connection->exchange;
    size_t room = exchange->in_cap - exchange->in_count;
    ssize_t size;

    assert(room > 0);
    do {
        size = recv(connection->fd, exchange->in + exchange->in_count, room, 0);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        connection->readable = false;
        return is_temporary(errno);
    }
    if (size == 0)
        connection->half_closed = true;
    if ((size_t)size < room)
        connection->readable = false;
    exchange->in_count += (uint32_t)size;
    *bytes += (uint64_t)size;
    return true;
}

enum connection_result
connection_receive(struct connection *connection, uint64_t *bytes)
{
    struct exchange *exchange = connection->exchange;

    assert(connection->state == CONNECTION_RECEIVING);
    for (;;) {
        struct http_parser *parser = &exchange->parser;
        enum http_result result = http_parse(parser, exchange->in + exchange->in_from,
                                             exchange->in_count - exchange->in_from);
        if (result == HTTP_COMPLETE)
            return CONNECTION_READY;
        if (result == HTTP_REFUSED)
            return CONNECTION_REFUSED;
        if (!connection->readable)
            break;
        if (!exchange_make_room(exchange))
            return CONNECTION_FULL;
        if (!read_some(connection, bytes))
            return CONNECTION_GONE;
    }
    if (connection->half_closed)
        return CONNECTION_GONE;
    if (exchange->parser.expects_continue && exchange->parser.head_done && !exchange->continued) {
        exchange->continued = true;
        if (!send_continue(connection))
            return CONNECTION_GONE;
    }
    return CONNECTION_WAIT;
}

enum connection_result
connection_send(struct connection *connection, uint64_t *bytes)
{
    struct exchange *exchange = connection->exchange;

    assert(connection->state == CONNECTION_SENDING);
    while (exchange->out_sent < exchange->out_count) {
        ssize_t size = send(connection->fd, exchange->out + exchange->out_sent,
                            exchange->out_count - exchange->out_sent, MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return is_temporary(errno) ? CONNECTION_WAIT : CONNECTION_GONE;
        exchange->out_sent += (size_t)size;
        *bytes += (uint64_t)size;
    }
    return CONNECTION_READY;
}

size_t
connection_refuse(struct connection *connection, int status, const char *detail)
{
    bool russian = connection->exchange && exchange_is_russian(connection->exchange);
    char out[http_refusal_bytes_max];
    size_t size = http_render_refusal(status, detail, russian, out);
    ssize_t sent;

    do {
        sent = send(connection->fd, out, size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent > 0 ? (size_t)sent : 0;
}

void
connection_shut(struct connection *connection)
{
    /* A failure means that the client has gone, which the next read tells as well. */
    (void)shutdown(connection->fd, SHUT_WR);
}

enum connection_result
connection_drain(struct connection *connection)
{
    char forgotten[drain_bytes];

    for (int round = 0; round < drain_rounds_max; round++) {
        ssize_t size = recv(connection->fd, forgotten, sizeof forgotten, 0);
        if (size == 0)
            return CONNECTION_GONE;
        if (size < 0 && errno != EINTR)
            return is_temporary(errno) ? CONNECTION_WAIT : CONNECTION_GONE;
    }
    return CONNECTION_GONE; /* it sends faster than it will ever be heard */
}
