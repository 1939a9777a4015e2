/*
 * loop.c - the HTTP server: loop threads, connections, requests and answers.
 *
 * Owns:      the threads, epoll, the states of connections, who frees what at the end.
 * Must not:  know routes or JSON; read or write a socket itself (http/connection.h does).
 * Invariant: a connection, its deadlines and the pool are touched by their loop's thread alone.
 *            An exchange that a handler holds is freed by nobody but http_respond()'s way back: a
 *            connection that ends meanwhile only lets go of it.
 * Cost:      one epoll_wait for many events; one eventfd write for many answers, and none while
 *            the loop is awake.
 * Tests:     tests/unit/http/test_loop.c
 *
 * The end. A loop that leaves shuts its inbox; an exchange that comes later is freed by the thread
 * that brings it. Such threads touch nothing of the loop but the inbox, which `refs` keeps alive:
 * it counts one for each exchange that a handler holds.
 *
 * Edges. A connection is registered once, edge-triggered, for reading. What an edge told is kept in
 * connection->readable until the socket has been read empty, which happens only when a request may
 * come. EPOLLOUT is asked for only while an answer does not fit into the socket.
 */
#include "http/loop.h"

#include "http/connection.h"
#include "http/counters.h"
#include "http/inbox.h"
#include "http/listen.h"

#include <errno.h>
#include <pthread.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    events_max = 256,
    accepts_max = 64,        /* in one round, so that old connections are served too */
    accept_pause_ms = 100,   /* after the system had no descriptor or memory for us */
    wait_max_ms = 60 * 1000, /* a longer sleep is cut into pieces */
    files_spare = 256,       /* descriptors left to the rest of the process */
    buffer_mib_default = 256,
};

struct loop {
    struct http_server *server;
    pthread_t thread;
    int epoll, listener;
    bool accept_paused;
    int64_t accept_again_ms;
    int64_t now_ms; /* of this round */
    struct deadline_list idle, slow, linger;
    struct connection *connections, *closed, *spare;
    struct exchange_pool pool;
    struct counters counters;
    uint32_t cut_off; /* requests unanswered at the end */
    bool draining;    /* it has seen that the server stops */

    /* Shared with the threads that answer. */
    _Alignas(64) struct inbox inbox;
    _Atomic uint64_t refs; /* the server's one, and one for each exchange that a handler holds */
};

struct http_server {
    struct http_options options;
    uint16_t port;
    uint32_t started; /* threads */
    bool stopped;
    _Atomic bool stopping;
    _Atomic int64_t stop_by_ms;
    _Atomic uint32_t open_connections;
    _Atomic uint32_t loops_alive; /* with refs; the last frees the server */
    struct exchange_budget budget;
    struct loop loop[];
};

static int64_t
monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Let go of one reference; the last of the last loop frees the server. */
static void
loop_release(struct loop *loop)
{
    struct http_server *server = loop->server;

    if (atomic_fetch_sub_explicit(&loop->refs, 1, memory_order_acq_rel) > 1)
        return;
    inbox_close(&loop->inbox);
    if (atomic_fetch_sub_explicit(&server->loops_alive, 1, memory_order_acq_rel) == 1)
        free(server);
}

/* ------------------------------------------------------------------- connections: begin and end */

static void
address_of(const struct sockaddr_storage *from, unsigned char peer[16])
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (from->ss_family == AF_INET6) {
        memcpy(peer, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
        return;
    }
    memcpy(peer, mapped, sizeof mapped);
    memcpy(peer + sizeof mapped, &((const struct sockaddr_in *)from)->sin_addr, 4);
}

static struct connection *
connection_new(struct loop *loop, int fd)
{
    struct connection *connection = loop->spare;

    if (connection)
        loop->spare = connection->next;
    else
        connection = malloc(sizeof *connection);
    if (!connection)
        return NULL;
    *connection = (struct connection){ .fd = fd, .state = CONNECTION_IDLE };
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection };
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        connection->next = loop->spare;
        loop->spare = connection;
        return NULL;
    }
    connection->next = loop->connections;
    if (loop->connections)
        loop->connections->previous = connection;
    loop->connections = connection;
    return connection;
}

/* Give up the exchange. One that a handler holds only loses its connection. */
static void
drop_exchange(struct loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (!exchange)
        return;
    connection->exchange = NULL;
    exchange->connection = NULL;
    if (connection->state != CONNECTION_WORKING)
        exchange_give_back(&loop->pool, exchange);
}

/* Close now; free at the end of the round, for events of this round may still name it. */
static void
close_connection(struct loop *loop, struct connection *connection)
{
    assert(connection->state != CONNECTION_CLOSED);
    drop_exchange(loop, connection);
    deadline_clear(&connection->deadline);
    close(connection->fd);
    connection->state = CONNECTION_CLOSED;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        loop->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    connection->next = loop->closed;
    loop->closed = connection;
    atomic_fetch_sub_explicit(&loop->server->open_connections, 1, memory_order_relaxed);
    count(&loop->counters.connections_open, (uint64_t)-1);
}

static void
reuse_closed(struct loop *loop)
{
    while (loop->closed) {
        struct connection *connection = loop->closed;
        loop->closed = connection->next;
        connection->next = loop->spare;
        loop->spare = connection;
    }
}

/* Ask to be told when the socket takes bytes again, or no more. */
static bool
set_wants_writing(struct loop *loop, struct connection *connection, bool wants)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection };

    if (connection->wants_writing == wants)
        return true;
    if (wants)
        event.events |= EPOLLOUT;
    connection->wants_writing = wants;
    return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0;
}

/* All is said. Wait a little for the client to read it: closing with unread input would reset the
 * connection and may take the answer with it. */
static void
linger(struct loop *loop, struct connection *connection)
{
    drop_exchange(loop, connection);
    connection->state = CONNECTION_LINGERING;
    if (!connection->half_closed) {
        connection_shut(connection);
        deadline_set(&loop->linger, &connection->deadline, loop->now_ms);
    }
    /* A client that has sent all may have left more than was read: that is there already. */
    bool more = connection_drain(connection) == CONNECTION_WAIT;
    if (more && !connection->half_closed)
        return;
    close_connection(loop, connection);
}

static void
refuse(struct loop *loop, struct connection *connection, int status, const char *detail)
{
    assert(connection->state != CONNECTION_WORKING);
    count(&loop->counters.refused, 1);
    count(&loop->counters.responses[status / 100], 1);
    count(&loop->counters.bytes_out, connection_refuse(connection, status, detail));
    linger(loop, connection);
}

/* ------------------------------------------------------------------------- requests and answers */

static void
hand_over(struct loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    exchange_fill_request(exchange, connection->peer);
    deadline_clear(&connection->deadline);
    connection->state = CONNECTION_WORKING;
    count(&loop->counters.requests, 1);
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    loop->server->options.handler(loop->server->options.context, &exchange->request);
}

/* Read and parse as far as it goes. */
static void
receive(struct loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    uint64_t bytes = 0;
    enum connection_result result = connection_receive(connection, &bytes);

    count(&loop->counters.bytes_in, bytes);
    switch (result) {
    case CONNECTION_READY:
        hand_over(loop, connection);
        return;
    case CONNECTION_REFUSED:
        refuse(loop, connection, exchange->parser.status, exchange->parser.problem);
        return;
    case CONNECTION_FULL:
        refuse(loop, connection, 503, "too much is under way");
        return;
    case CONNECTION_GONE:
        close_connection(loop, connection);
        return;
    case CONNECTION_WAIT:
        break;
    }
    if (exchange->in_count == exchange->in_from) {
        /* A false alarm: nothing of a request is there. */
        drop_exchange(loop, connection);
        connection->state = CONNECTION_IDLE;
        deadline_set(&loop->idle, &connection->deadline, loop->now_ms);
    } else if (!exchange->head_timed && exchange->parser.head_done) {
        exchange->head_timed = true;
        deadline_set(&loop->slow, &connection->deadline, loop->now_ms);
    }
}

/* Bytes may have come on an idle connection. */
static void
begin_receiving(struct loop *loop, struct connection *connection)
{
    assert(connection->state == CONNECTION_IDLE);
    struct exchange *exchange = exchange_take(&loop->pool);
    if (!exchange) {
        refuse(loop, connection, 503, "too much is under way");
        return;
    }
    exchange->loop = loop;
    exchange->connection = connection;
    connection->exchange = exchange;
    connection->state = CONNECTION_RECEIVING;
    deadline_set(&loop->slow, &connection->deadline, loop->now_ms);
    receive(loop, connection);
}

/* The answer has gone out whole. */
static void
after_answer(struct loop *loop, struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (!set_wants_writing(loop, connection, false)) {
        close_connection(loop, connection);
        return;
    }
    bool ended_by_client = exchange->parser.close;
    bool closes = exchange->close, more = exchange_begin_next(exchange);
    if (closes && ended_by_client && !more && !connection->readable) {
        close_connection(loop, connection); /* it has sent all and knows that this is the end */
        return;
    }
    if (closes) {
        linger(loop, connection);
        return;
    }
    if (more) {
        connection->state = CONNECTION_RECEIVING;
        deadline_set(&loop->slow, &connection->deadline, loop->now_ms);
        receive(loop, connection);
        return;
    }
    drop_exchange(loop, connection);
    connection->state = CONNECTION_IDLE;
    deadline_set(&loop->idle, &connection->deadline, loop->now_ms);
    if (connection->readable)
        begin_receiving(loop, connection);
    else if (connection->half_closed || loop->draining)
        close_connection(loop, connection);
}

static void
send_answer(struct loop *loop, struct connection *connection)
{
    uint64_t bytes = 0;
    enum connection_result result = connection_send(connection, &bytes);

    count(&loop->counters.bytes_out, bytes);
    if (result == CONNECTION_READY) {
        after_answer(loop, connection);
        return;
    }
    bool waits = result == CONNECTION_WAIT && set_wants_writing(loop, connection, true);
    if (!waits)
        close_connection(loop, connection);
    else if (bytes > 0 || !connection->deadline.next)
        deadline_set(&loop->slow, &connection->deadline, loop->now_ms);
}

/* An exchange has come back from its handler. */
static void
take_back(struct loop *loop, struct exchange *exchange)
{
    struct connection *connection = exchange->connection;

    if (exchange->errand == ERRAND_RESUME) {
        exchange->errand = ERRAND_NONE;
        loop->server->options.resume(loop->server->options.context, &exchange->request);
        return;
    }
    assert(exchange->errand == ERRAND_ANSWER);
    count(&loop->counters.answered, 1);
    count(&loop->counters.responses[exchange->status / 100], 1);
    if (!connection) {
        count(&loop->counters.vanished, 1);
        exchange_give_back(&loop->pool, exchange);
        return;
    }
    assert(connection->state == CONNECTION_WORKING);
    connection->state = CONNECTION_SENDING;
    send_answer(loop, connection);
}

static void
take_back_all(struct loop *loop, struct exchange *first)
{
    while (first) {
        struct exchange *exchange = first;
        first = exchange->next;
        take_back(loop, exchange);
    }
}

/* The loop has left before the exchange came back. */
static void
take_back_alone(struct exchange *exchange)
{
    const struct http_options *options = &exchange->loop->server->options;

    if (exchange->errand == ERRAND_RESUME) {
        exchange->errand = ERRAND_NONE;
        options->resume(options->context, &exchange->request);
    } else {
        exchange_free(exchange);
    }
}

/* From any thread that holds a reference on the loop: the exchange goes back to it. */
static void
give_back(struct exchange *exchange, enum exchange_errand errand)
{
    assert(exchange->errand == ERRAND_NONE); /* answered once, not twice */
    exchange->errand = errand;
    if (!inbox_put(&exchange->loop->inbox, exchange))
        take_back_alone(exchange);
}

void
http_respond(struct http_request *request, const struct http_answer *answer)
{
    struct exchange *exchange = (struct exchange *)request;
    struct loop *loop = exchange->loop;
    bool stopping = atomic_load_explicit(&loop->server->stopping, memory_order_relaxed);

    exchange_render(exchange, answer, stopping);
    give_back(exchange, ERRAND_ANSWER);
    loop_release(loop); /* taken by hand_over() */
}

void
http_resume(struct http_request *request)
{
    struct exchange *exchange = (struct exchange *)request;

    struct loop *loop = exchange->loop;

    assert(loop->server->options.resume != NULL);
    /* The answer may let go of the loop before this thread is done with it. */
    atomic_fetch_add_explicit(&loop->refs, 1, memory_order_relaxed);
    give_back(exchange, ERRAND_RESUME);
    loop_release(loop);
}

/* ------------------------------------------------------------------------------------ accepting */

static void
pause_accepting(struct loop *loop, bool pause)
{
    struct epoll_event event = { .events = pause ? 0 : EPOLLIN, .data.ptr = &loop->listener };

    if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, loop->listener, &event) == 0)
        loop->accept_paused = pause;
    loop->accept_again_ms = loop->now_ms + accept_pause_ms;
}

static void
add_connection(struct loop *loop, int fd, const struct sockaddr_storage *from)
{
    struct http_server *server = loop->server;
    uint32_t most = server->options.connections_max;
    uint32_t open = atomic_fetch_add_explicit(&server->open_connections, 1, memory_order_relaxed);
    /* Some more are let in, only to be told that there are too many. */
    struct connection *connection = open < most + most / 8 + 64 ? connection_new(loop, fd) : NULL;

    if (!connection) {
        atomic_fetch_sub_explicit(&server->open_connections, 1, memory_order_relaxed);
        count(&loop->counters.connections_refused, 1);
        close(fd);
        return;
    }
    address_of(from, connection->peer);
    count(&loop->counters.connections_open, 1);
    if (open >= most) {
        count(&loop->counters.connections_refused, 1);
        refuse(loop, connection, 503, "too many connections");
        return;
    }
    count(&loop->counters.connections, 1);
    deadline_set(&loop->idle, &connection->deadline, loop->now_ms);
}

/* Accept up to `most` connections. false: none is left to accept. */
static bool
accept_some(struct loop *loop, int most)
{
    for (int i = 0; i < most; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(loop->listener, (struct sockaddr *)&from, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(loop, fd, &from);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return false;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(loop, true);
            return false;
        }
        /* Anything else is the trouble of that one connection. */
    }
    return true;
}

/* ------------------------------------------------------------------------------------- the loop */

static void
on_event(struct loop *loop, struct connection *connection, uint32_t events)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        close_connection(loop, connection);
        return;
    }
    if (events & EPOLLRDHUP)
        connection->half_closed = true;
    if (events & (EPOLLIN | EPOLLRDHUP))
        connection->readable = true;
    switch (connection->state) {
    case CONNECTION_IDLE:
        if (connection->readable)
            begin_receiving(loop, connection);
        return;
    case CONNECTION_RECEIVING:
        if (connection->readable)
            receive(loop, connection);
        return;
    case CONNECTION_SENDING:
        if (events & EPOLLOUT)
            send_answer(loop, connection);
        return;
    case CONNECTION_LINGERING:
        if (connection_drain(connection) == CONNECTION_GONE)
            close_connection(loop, connection);
        return;
    default:
        return; /* WORKING: the answer comes first */
    }
}

static void
expire(struct loop *loop)
{
    struct deadline *due;

    while ((due = deadline_due(&loop->idle, loop->now_ms)))
        close_connection(loop, (struct connection *)due);
    while ((due = deadline_due(&loop->linger, loop->now_ms)))
        close_connection(loop, (struct connection *)due);
    while ((due = deadline_due(&loop->slow, loop->now_ms))) {
        struct connection *connection = (struct connection *)due;
        count(&loop->counters.timed_out, 1);
        if (connection->state == CONNECTION_RECEIVING)
            refuse(loop, connection, 408, "the request came too slowly");
        else
            close_connection(loop, connection);
    }
    if (loop->accept_paused && loop->now_ms >= loop->accept_again_ms && !loop->draining)
        pause_accepting(loop, false);
}

/* The earlier of two waits, where -1 is for ever. */
static int64_t
earlier(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int
next_wait(const struct loop *loop)
{
    int64_t wait = deadline_wait(&loop->idle, loop->now_ms);

    wait = earlier(wait, deadline_wait(&loop->slow, loop->now_ms));
    wait = earlier(wait, deadline_wait(&loop->linger, loop->now_ms));
    if (loop->accept_paused && !loop->draining)
        wait = earlier(wait, accept_pause_ms);
    if (loop->draining) {
        int64_t left = atomic_load(&loop->server->stop_by_ms) - loop->now_ms;
        wait = earlier(wait, left > 0 ? left : 0);
    }
    return wait > wait_max_ms ? wait_max_ms : (int)wait;
}

/* The server stops: take in who waits at the door, close it, and let the idle ones go. */
static void
begin_draining(struct loop *loop)
{
    struct connection *next;

    while (accept_some(loop, accepts_max))
        continue;
    loop->draining = true;
    close(loop->listener);
    loop->listener = -1;
    for (struct connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        if (connection->state != CONNECTION_IDLE)
            continue;
        /* A request may have come a moment ago: it is still served. */
        connection->readable = true;
        begin_receiving(loop, connection);
        if (connection->state == CONNECTION_IDLE)
            close_connection(loop, connection);
    }
}

static bool
has_ended(struct loop *loop)
{
    if (!loop->draining && atomic_load(&loop->server->stopping))
        begin_draining(loop);
    if (!loop->draining)
        return false;
    return !loop->connections || loop->now_ms >= atomic_load(&loop->server->stop_by_ms);
}

/* One round: sleep until something happens, then do all of it. */
static void
loop_round(struct loop *loop)
{
    struct epoll_event events[events_max];
    int wait = next_wait(loop);

    if (!inbox_sleep(&loop->inbox))
        wait = 0;
    int happened = epoll_wait(loop->epoll, events, events_max, wait);
    inbox_rise(&loop->inbox);
    loop->now_ms = monotonic_ms();
    for (int i = 0; i < happened; i++) {
        if (events[i].data.ptr == &loop->listener)
            (void)accept_some(loop, accepts_max);
        else if (events[i].data.ptr)
            on_event(loop, events[i].data.ptr, events[i].events);
    }
    take_back_all(loop, inbox_take(&loop->inbox));
    expire(loop);
    reuse_closed(loop);
}

static void
free_connections(struct loop *loop)
{
    while (loop->connections) {
        if (loop->connections->state == CONNECTION_WORKING)
            loop->cut_off++;
        close_connection(loop, loop->connections);
    }
    reuse_closed(loop);
    while (loop->spare) {
        struct connection *connection = loop->spare;
        loop->spare = connection->next;
        free(connection);
    }
}

static void *
loop_run(void *argument)
{
    struct loop *loop = argument;

    loop->now_ms = monotonic_ms();
    while (!has_ended(loop))
        loop_round(loop);
    free_connections(loop);
    take_back_all(loop, inbox_shut(&loop->inbox));
    exchange_pool_release(&loop->pool);
    close(loop->epoll);
    return NULL;
}

/* ----------------------------------------------------------------------------------- the server */

static void
set_defaults(struct http_options *options)
{
    if (options->threads == 0)
        options->threads = 1;
    if (options->connections_max == 0)
        options->connections_max = http_connections_max;
    if (options->buffer_bytes_max == 0)
        options->buffer_bytes_max = (size_t)buffer_mib_default * 1024 * 1024;
    if (options->idle_ms == 0)
        options->idle_ms = http_idle_ms;
    if (options->slow_ms == 0)
        options->slow_ms = http_slow_ms;
    if (options->linger_ms == 0)
        options->linger_ms = http_linger_ms;
}

/* See that so many connections can have a descriptor each. */
static enum code
reserve_files(const struct http_options *options, struct err *err)
{
    struct rlimit limit;
    rlim_t needed = options->connections_max;

    needed += needed / 8 + (rlim_t)options->threads * 3 + files_spare;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, CODE_IO, "cannot read the limit of open files");
    if (limit.rlim_cur >= needed)
        return OK;
    if (limit.rlim_max < needed)
        return err_set(err, CODE_LIMIT,
                       "%u connections need %llu open files and the system allows %llu",
                       (unsigned)options->connections_max, (unsigned long long)needed,
                       (unsigned long long)limit.rlim_max);
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, CODE_IO, "cannot raise the limit of open files to %llu",
                       (unsigned long long)needed);
    return OK;
}

/* On failure what was opened stays for loop_close(). */
static enum code
loop_open(struct loop *loop, struct http_server *server, int listener, struct err *err)
{
    struct epoll_event of_listener = { .events = EPOLLIN, .data.ptr = &loop->listener };
    struct epoll_event of_wake = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

    loop->server = server;
    loop->listener = listener;
    loop->pool.budget = &server->budget;
    atomic_init(&loop->refs, 1);
    deadline_list_init(&loop->idle, server->options.idle_ms);
    deadline_list_init(&loop->slow, server->options.slow_ms);
    deadline_list_init(&loop->linger, server->options.linger_ms);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    bool has_inbox = inbox_open(&loop->inbox);
    if (loop->epoll < 0 || !has_inbox ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &of_listener) != 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->inbox.wake, &of_wake) != 0)
        return err_set(err, CODE_IO, "cannot open an event loop: %s", strerrordesc_np(errno));
    return OK;
}

/* Of a loop whose thread never ran. */
static void
loop_close(struct loop *loop)
{
    close(loop->listener);
    if (loop->epoll >= 0)
        close(loop->epoll);
    inbox_close(&loop->inbox);
}

/* Threads that take no signals: those are for the program's main thread. */
static enum code
start_threads(struct http_server *server, struct err *err)
{
    sigset_t all, before;
    int failure = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (uint32_t i = 0; i < server->options.threads && failure == 0; i++) {
        char name[16];
        failure = pthread_create(&server->loop[i].thread, NULL, loop_run, &server->loop[i]);
        if (failure != 0)
            break;
        server->started++;
        snprintf(name, sizeof name, "http-%u", (unsigned)i);
        pthread_setname_np(server->loop[i].thread, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return err_set(err, CODE_IO, "cannot start a thread: %s", strerrordesc_np(failure));
    return OK;
}

enum code
http_server_open(const struct http_options *options, struct http_server **opened, struct err *err)
{
    struct http_options wanted = *options;
    struct http_server *server;
    int listeners[http_threads_max];
    uint32_t loops = 0;
    enum code rc;

    assert(options->handler != NULL);
    set_defaults(&wanted);
    if (wanted.threads > http_threads_max)
        return err_set(err, CODE_USAGE, "%u threads are more than %d", (unsigned)wanted.threads,
                       (int)http_threads_max);
    rc = reserve_files(&wanted, err);
    if (rc)
        return rc;
    size_t size = sizeof *server + wanted.threads * sizeof server->loop[0];
    server = aligned_alloc(_Alignof(struct http_server), size);
    if (!server)
        return err_set(err, CODE_NO_MEMORY, "no memory for the server");
    memset(server, 0, size);
    server->options = wanted;
    server->budget.max = wanted.buffer_bytes_max;
    const struct listen_place place = { wanted.address, wanted.port, wanted.behind_proxy };
    rc = listen_open(&place, listeners, wanted.threads, &server->port, err);
    if (rc)
        goto failed;
    for (; loops < wanted.threads; loops++) {
        enum code one = loop_open(&server->loop[loops], server, listeners[loops], err);
        rc = rc ? rc : one; /* open them all, so that all are closed in one way */
    }
    if (rc)
        goto failed;
    atomic_store(&server->loops_alive, wanted.threads);
    rc = start_threads(server, err);
    if (rc)
        goto failed;
    server->options.address = NULL; /* the caller's */
    *opened = server;
    return OK;
failed:
    if (server->started > 0)
        http_server_stop(server, 0);
    for (uint32_t i = server->started; i < loops; i++)
        loop_close(&server->loop[i]);
    for (uint32_t i = 0; i < server->started; i++)
        inbox_close(&server->loop[i].inbox);
    free(server);
    return rc;
}

uint16_t
http_server_port(const struct http_server *server)
{
    return server->port;
}

uint32_t
http_server_stop(struct http_server *server, uint32_t deadline_ms)
{
    uint32_t cut_off = 0;

    if (server->stopped)
        return 0;
    server->stopped = true;
    atomic_store(&server->stop_by_ms, monotonic_ms() + deadline_ms);
    atomic_store(&server->stopping, true);
    for (uint32_t i = 0; i < server->started; i++)
        inbox_wake(&server->loop[i].inbox);
    for (uint32_t i = 0; i < server->started; i++) {
        pthread_join(server->loop[i].thread, NULL);
        cut_off += server->loop[i].cut_off;
    }
    return cut_off;
}

void
http_server_close(struct http_server *server)
{
    uint32_t loops = server->options.threads;

    http_server_stop(server, 0);
    /* The last of these may free the server, but not before its own turn. */
    for (uint32_t i = 0; i < loops; i++)
        loop_release(&server->loop[i]);
}

void
http_server_counters(const struct http_server *server, struct http_counters *counters)
{
    *counters = (struct http_counters){ 0 };
    for (uint32_t i = 0; i < server->options.threads; i++) {
        counters_add(&server->loop[i].counters, counters);
        counters->wake_ups += counted(&server->loop[i].inbox.wake_ups);
    }
}
