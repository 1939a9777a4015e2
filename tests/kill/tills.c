/*
 * tills.c - scripted tills: many keep-alive connections, each with its own list of requests.
 *
 * Owns:      sending a script's requests and a log of the answers that came.
 * Use:       tills PORT[,PORT...] KEY SCRIPT LOG
 *            Connections take the ports by turns: several servers of one book.
 *            A line of SCRIPT: connection method path idempotency-key body ("-": none; the body is
 *            the rest of the line). In a body $R stands for the reserve's id in the connection's
 *            latest answer that had one; a request whose $R is unknown is not sent.
 * Output:    LOG: "line status body" for each complete answer, "line 0 -" for one that was not
 *            sent. On standard output how many answers came and how many connections broke.
 * Invariant: an answer is in the log before its connection sends anything more and before it is
 *            counted. A connection has one request under way at most. All connections are open
 *            before the first request goes out, so that their first requests go at once.
 * Cost:      one thread, epoll; the script lies in memory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { connections_most = 1024, ports_most = 16, id_digits_most = 24, silence_ms = 20000 };

/* One line of the script; texts point into the file's bytes and end with 0. */
struct request {
    char *method, *path, *key, *body;
    uint32_t next; /* of the same connection; 0: none */
};

struct connection {
    int fd;
    uint32_t at;           /* the request under way; 0: none */
    uint32_t first, last;  /* of its list */
    char reserve[id_digits_most];
    char *in;
    size_t in_cap, in_count, in_wanted, head;
    int status;
};

struct tills {
    uint16_t port[ports_most];
    uint32_t port_count;
    const char *key;
    struct request *request; /* by line of the script, from 1 */
    uint32_t request_count;
    struct connection connection[connections_most];
    uint32_t connection_count;
    int epoll, log;
    uint32_t open, answered, broken, skipped;
};

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "tills: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *
must(void *memory)
{
    if (memory == NULL)
        die("memory");
    return memory;
}

/* ---- the script ---- */

static char *
read_file(const char *path)
{
    struct stat stat;
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 || fstat(file, &stat) != 0)
        die(path);
    char *bytes = must(malloc((size_t)stat.st_size + 1));
    if (read(file, bytes, (size_t)stat.st_size) != stat.st_size)
        die(path);
    bytes[stat.st_size] = 0;
    close(file);
    return bytes;
}

/* The next word of a line, ended by a space. */
static char *
word(char **at)
{
    char *begin = *at, *space = strchr(begin, ' ');

    if (space == NULL) {
        errno = EINVAL;
        die(begin);
    }
    *space = 0;
    *at = space + 1;
    return begin;
}

static void
read_script(struct tills *tills, const char *path)
{
    char *bytes = read_file(path), *end;
    uint32_t lines = 1;

    for (char *at = bytes; *at; at++)
        lines += *at == '\n';
    tills->request = must(calloc((size_t)lines + 1, sizeof(*tills->request)));
    for (char *at = bytes; *at; at = end + 1) {
        end = strchr(at, '\n');
        if (end == NULL)
            break;
        *end = 0;
        uint32_t number = ++tills->request_count;
        struct request *request = &tills->request[number];
        unsigned long which = strtoul(word(&at), NULL, 10);
        if (which >= connections_most) {
            errno = ERANGE;
            die("a connection's number");
        }
        struct connection *c = &tills->connection[which];
        request->method = word(&at);
        request->path = word(&at);
        request->key = word(&at);
        request->body = at;
        if (c->last)
            tills->request[c->last].next = number;
        else
            c->first = number;
        c->last = number;
        if (which >= tills->connection_count)
            tills->connection_count = (uint32_t)which + 1;
    }
}

/* ---- the log ---- */

static void
log_answer(struct tills *tills, const struct connection *c, int status, const char *body,
           size_t size)
{
    char head[48];
    int used = snprintf(head, sizeof(head), "%u %d ", c->at, status);
    char *line = must(malloc((size_t)used + size + 1));

    memcpy(line, head, (size_t)used);
    memcpy(line + used, body, size);
    line[(size_t)used + size] = '\n';
    size_t whole = (size_t)used + size + 1;
    if (write(tills->log, line, whole) != (ssize_t)whole)
        die("the log");
    free(line);
}

/* ---- sending ---- */

static void
hang_up(struct tills *tills, struct connection *c, bool broken)
{
    close(c->fd);
    c->fd = -1;
    tills->open--;
    tills->broken += broken;
}

/* The body with $R replaced; NULL when it is not known. */
static char *
fill_in(const struct connection *c, const char *body)
{
    const char *hole = strstr(body, "$R");
    char *out;

    if (hole == NULL)
        return must(strdup(body));
    if (c->reserve[0] == 0)
        return NULL;
    size_t before = (size_t)(hole - body);
    out = must(malloc(strlen(body) + id_digits_most + 1));
    memcpy(out, body, before);
    snprintf(out + before, strlen(hole) + id_digits_most + 1, "%s%s", c->reserve, hole + 2);
    return out;
}

static bool
send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            usleep(200);
            continue;
        }
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool
send_request(struct tills *tills, struct connection *c, const char *body)
{
    const struct request *request = &tills->request[c->at];
    bool has_body = strcmp(request->method, "GET") != 0;
    bool has_key = strcmp(request->key, "-") != 0;
    size_t size = has_body ? strlen(body) : 0, room = size + 1024;
    char *bytes = must(malloc(room));
    int used = snprintf(bytes, room,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n",
                        request->method, request->path, tills->key);

    if (has_key)
        used += snprintf(bytes + used, room - (size_t)used, "Idempotency-Key: %s\r\n",
                         request->key);
    if (has_body)
        used += snprintf(bytes + used, room - (size_t)used,
                         "Content-Type: application/json\r\nContent-Length: %zu\r\n", size);
    used += snprintf(bytes + used, room - (size_t)used, "\r\n");
    if (has_body)
        memcpy(bytes + used, body, size);
    bool good = send_all(c->fd, bytes, (size_t)used + size);
    free(bytes);
    return good;
}

/* Send the next request of the connection's list; hangs up at its end. */
static void
send_next(struct tills *tills, struct connection *c)
{
    for (;;) {
        c->at = c->at ? tills->request[c->at].next : c->first;
        if (c->at == 0) {
            hang_up(tills, c, false);
            return;
        }
        char *body = fill_in(c, tills->request[c->at].body);
        if (body == NULL) {
            tills->skipped++;
            log_answer(tills, c, 0, "-", 1);
            continue;
        }
        c->in_count = c->in_wanted = 0;
        if (!send_request(tills, c, body))
            hang_up(tills, c, true);
        free(body);
        return;
    }
}

/* ---- answers ---- */

static void
note_reserve(struct connection *c)
{
    static const char name[] = "\"reserve\":\"";
    const char *at = c->status == 200 ? strstr(c->in + c->head, name) : NULL;
    size_t size;

    c->reserve[0] = 0;
    if (at == NULL)
        return;
    at += sizeof(name) - 1;
    size = strspn(at, "0123456789");
    if (size == 0 || size >= id_digits_most)
        return;
    memcpy(c->reserve, at, size);
    c->reserve[size] = 0;
}

/* 1: an answer is complete; 0: not yet; -1: the connection broke. */
static int
receive(struct connection *c)
{
    for (;;) {
        if (c->in_cap - c->in_count < 4096) {
            c->in_cap = c->in_cap ? c->in_cap * 2 : 16384;
            c->in = must(realloc(c->in, c->in_cap));
        }
        ssize_t got = recv(c->fd, c->in + c->in_count, c->in_cap - c->in_count - 1, 0);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return -1;
        c->in_count += (size_t)got;
        c->in[c->in_count] = 0;
        if (c->in_wanted == 0) {
            char *end = strstr(c->in, "\r\n\r\n"), *length = strcasestr(c->in, "content-length:");
            if (end == NULL)
                continue;
            if (length == NULL || length > end)
                return -1;
            c->status = (int)strtol(c->in + 9, NULL, 10);
            c->head = (size_t)(end + 4 - c->in);
            c->in_wanted = c->head + strtoul(length + 15, NULL, 10);
        }
        if (c->in_count >= c->in_wanted)
            return 1;
    }
}

static void
take_answer(struct tills *tills, struct connection *c)
{
    int state = receive(c);

    if (state == 0)
        return;
    if (state < 0) {
        hang_up(tills, c, true);
        return;
    }
    log_answer(tills, c, c->status, c->in + c->head, c->in_wanted - c->head);
    tills->answered++;
    note_reserve(c);
    send_next(tills, c);
}

static void
connect_one(struct tills *tills, struct connection *c)
{
    uint32_t number = (uint32_t)(c - tills->connection);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(tills->port[number % tills->port_count])};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || epoll_ctl(tills->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("socket");
    tills->open++;
    if (connect(c->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        hang_up(tills, c, true);
        return;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void
read_ports(struct tills *tills, const char *text)
{
    char *end;

    for (const char *at = text;; at = end + 1) {
        unsigned long port = strtoul(at, &end, 10);
        if (port == 0 || port > UINT16_MAX || tills->port_count == ports_most) {
            errno = EINVAL;
            die(text);
        }
        tills->port[tills->port_count++] = (uint16_t)port;
        if (*end != ',')
            return;
    }
}

int
main(int argc, char **argv)
{
    static struct tills tills;
    struct epoll_event events[256];

    if (argc != 5) {
        fprintf(stderr, "usage: tills PORT[,PORT...] KEY SCRIPT LOG\n");
        return 2;
    }
    read_ports(&tills, argv[1]);
    tills.key = argv[2];
    read_script(&tills, argv[3]);
    tills.log = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    tills.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (tills.log < 0 || tills.epoll < 0)
        die(argv[4]);
    for (uint32_t i = 0; i < tills.connection_count; i++)
        connect_one(&tills, &tills.connection[i]);
    for (uint32_t i = 0; i < tills.connection_count; i++)
        if (tills.connection[i].fd >= 0)
            send_next(&tills, &tills.connection[i]);
    while (tills.open > 0) {
        int count = epoll_wait(tills.epoll, events, 256, silence_ms);
        if (count == 0) {
            errno = ETIMEDOUT;
            die("no answer");
        }
        for (int i = 0; i < count; i++)
            take_answer(&tills, events[i].data.ptr);
    }
    printf("answered %u, broken %u, skipped %u\n", tills.answered, tills.broken, tills.skipped);
    return 0;
}
