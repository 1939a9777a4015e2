/*
 * load.c - tills under load: many keep-alive connections, each sending its next request when
 * answered.
 *
 * Owns:      the load of benchmarks and of the tests that kill the server; a log of
 *            acknowledgements.
 * Use:       load --port N --key TOKEN [--connections N] [--seconds N | --requests N] [--what
 *            commit|quote|mix]
 *            [--members N] [--seed N] [--log FILE] [--card-prefix TEXT] [--redeem POINTS]
 * [--same-card] [--start N]
 * Output:    name value unit, a line each. The log has a line for each answer: number status.
 * Invariant: a receipt's number is used for one request only; requests of a run are made from its
 *            seed.
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
#include <time.h>
#include <unistd.h>

enum { connections_most = 4096, request_bytes = 4096, answer_bytes = 65536, latency_slots = 200000 };

struct connection {
    int fd;
    uint64_t number;
    int64_t sent_ns;
    uint32_t got, wanted; /* bytes of the answer; wanted 0: head not complete */
    int status;
    bool is_quote;
    char answer[answer_bytes];
};

struct load {
    int port, connections, seconds, redeem;
    uint64_t requests, members, seed, start, next, done, good, refused, broken;
    const char *key, *what, *log_path, *prefix;
    bool same_card;
    FILE *log;
    int epoll;
    struct connection *connection;
    uint32_t *latency_us[2]; /* commit, quote */
    uint32_t latency_count[2];
    int64_t began_ns, until_ns;
};

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t
next_random(struct load *load)
{
    uint64_t x = load->seed;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return load->seed = x;
}

static int
connect_one(struct load *load)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)load->port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* An eight-line basket of one of the members. */
static int
make_body(struct load *load, struct connection *c, char *body, size_t size)
{
    static const char *const prices[] = {"59.90", "129.00", "349.50", "89.99", "15.00", "1290.00", "499.00", "74.30"};
    struct timespec wall;
    struct tm tm;
    char at[32];
    uint64_t card = load->same_card ? 1 : next_random(load) % load->members + 1;
    int used;

    clock_gettime(CLOCK_REALTIME, &wall);
    gmtime_r(&wall.tv_sec, &tm);
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", &tm);
    used = snprintf(body, size,
                    "{\"programme\":\"awn\",\"outlet\":\"%llu\",\"till\":\"%llu\",\"period\":1,\"number\":\"%llu\","
                    "\"occurred_at\":\"%s\",\"card\":\"%s%llu\",\"confirmed\":true,\"lines\":[",
                    (unsigned long long)(c->number % 50), (unsigned long long)(c->number % 4),
                    (unsigned long long)c->number, at, load->prefix, (unsigned long long)card);
    for (int i = 0; i < 8; i++)
        used += snprintf(body + used, size - (size_t)used,
                         "%s{\"article\":\"46%011llu\",\"quantity\":\"%d\",\"price\":\"%s\",\"category\":\"c%d\"}",
                         i ? "," : "", (unsigned long long)(next_random(load) % 100000), 1 + i % 3,
                         prices[(c->number + (uint64_t)i) % 8], i % 5);
    used += snprintf(body + used, size - (size_t)used, "]");
    if (load->redeem)
        used += snprintf(body + used, size - (size_t)used,
                         ",\"redeem\":[{\"currency\":\"bonus\",\"amount\":\"%d.00\"}]", load->redeem);
    used += snprintf(body + used, size - (size_t)used, "}");
    return used;
}

/* Send the connection's next request; false when the load is over or the server has gone. */
static bool
send_next(struct load *load, struct connection *c)
{
    char body[request_bytes], request[request_bytes + 512];

    if ((load->requests && load->next - load->start >= load->requests) ||
        (load->until_ns && now_ns() >= load->until_ns))
        return false;
    c->number = load->next++;
    c->is_quote = strcmp(load->what, "quote") == 0 || (strcmp(load->what, "mix") == 0 && c->number % 2);
    c->got = c->wanted = 0;
    int size = make_body(load, c, body, sizeof(body));
    int head = snprintf(request, sizeof(request),
                        "POST /v1/receipts/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                        c->is_quote ? "quote" : "commit", load->key, size);
    memcpy(request + head, body, (size_t)size);
    c->sent_ns = now_ns();
    return send(c->fd, request, (size_t)(head + size), MSG_NOSIGNAL) == head + size;
}

static void
note_answer(struct load *load, struct connection *c)
{
    int kind = c->is_quote;
    int64_t us = (now_ns() - c->sent_ns) / 1000;

    load->done++;
    if (c->status == 200)
        load->good++;
    else
        load->refused++;
    if (load->latency_count[kind] < latency_slots)
        load->latency_us[kind][load->latency_count[kind]++] = (uint32_t)us;
    else
        load->latency_us[kind][next_random(load) % latency_slots] = (uint32_t)us;
    if (load->log)
        fprintf(load->log, "%llu %d\n", (unsigned long long)c->number, c->status);
}

/* More bytes of an answer. 1: complete; 0: not yet; -1: the connection broke. */
static int
receive(struct connection *c)
{
    for (;;) {
        ssize_t got = recv(c->fd, c->answer + c->got, sizeof(c->answer) - c->got - 1, 0);
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return -1;
        c->got += (uint32_t)got;
        c->answer[c->got] = 0;
        if (!c->wanted) {
            char *end = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "content-length:");
            if (!end || !length)
                continue;
            c->status = atoi(c->answer + 9);
            c->wanted = (uint32_t)(end + 4 - c->answer) + (uint32_t)atoi(length + 15);
        }
        if (c->got >= c->wanted)
            return 1;
    }
}

static void
finish(struct load *load, struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    load->connections--;
}

static void
serve_events(struct load *load)
{
    struct epoll_event events[256];

    while (load->connections > 0) {
        int count = epoll_wait(load->epoll, events, 256, 1000);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            int state = receive(c);
            if (state == 0)
                continue;
            if (state < 0) {
                load->broken++;
                finish(load, c);
                continue;
            }
            note_answer(load, c);
            if (!send_next(load, c))
                finish(load, c);
        }
        if (count == 0 && load->until_ns && now_ns() > load->until_ns + 5000000000LL)
            break;
    }
}

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
print_latency(struct load *load, int kind, const char *name)
{
    uint32_t count = load->latency_count[kind];

    if (!count)
        return;
    qsort(load->latency_us[kind], count, sizeof(uint32_t), by_size);
    printf("%s_p50 %.2f ms\n%s_p99 %.2f ms\n", name, load->latency_us[kind][count / 2] / 1000.0, name,
           load->latency_us[kind][(uint64_t)count * 99 / 100] / 1000.0);
}

static void
read_options(struct load *load, int argc, char **argv)
{
    *load = (struct load){.connections = 64, .members = 1, .seed = 1, .what = "commit", .prefix = "", .start = 1};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "0";
        if (strcmp(name, "--same-card") == 0) {
            load->same_card = true;
            continue;
        }
        i++;
        if (strcmp(name, "--port") == 0) load->port = atoi(value);
        else if (strcmp(name, "--key") == 0) load->key = value;
        else if (strcmp(name, "--connections") == 0) load->connections = atoi(value);
        else if (strcmp(name, "--seconds") == 0) load->seconds = atoi(value);
        else if (strcmp(name, "--requests") == 0) load->requests = strtoull(value, NULL, 10);
        else if (strcmp(name, "--members") == 0) load->members = strtoull(value, NULL, 10);
        else if (strcmp(name, "--seed") == 0) load->seed = strtoull(value, NULL, 10) * 2654435761u + 1;
        else if (strcmp(name, "--start") == 0) load->start = strtoull(value, NULL, 10);
        else if (strcmp(name, "--what") == 0) load->what = value;
        else if (strcmp(name, "--log") == 0) load->log_path = value;
        else if (strcmp(name, "--card-prefix") == 0) load->prefix = value;
        else if (strcmp(name, "--redeem") == 0) load->redeem = atoi(value);
        else {
            fprintf(stderr, "load: no option '%s'\n", name);
            exit(2);
        }
    }
    if (!load->port || !load->key || load->connections < 1 || load->connections > connections_most ||
        (!load->seconds && !load->requests)) {
        fprintf(stderr, "load: needs --port, --key, and --seconds or --requests\n");
        exit(2);
    }
}

int
main(int argc, char **argv)
{
    static struct load load;
    int opened;

    read_options(&load, argc, argv);
    load.next = load.start;
    load.log = load.log_path ? fopen(load.log_path, "ae") : NULL;
    if (load.log)
        setvbuf(load.log, NULL, _IOLBF, 0);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.connection = calloc((size_t)load.connections, sizeof(*load.connection));
    for (int k = 0; k < 2; k++)
        load.latency_us[k] = calloc(latency_slots, sizeof(uint32_t));
    load.began_ns = now_ns();
    load.until_ns = load.seconds ? load.began_ns + load.seconds * 1000000000LL : 0;
    opened = load.connections;
    for (int i = 0; i < opened; i++) {
        struct connection *c = &load.connection[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        c->fd = connect_one(&load);
        if (c->fd < 0 || epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0 || !send_next(&load, c))
            finish(&load, c);
    }
    serve_events(&load);
    double seconds = (double)(now_ns() - load.began_ns) / 1e9;
    printf("requests %llu count\nrate %.0f per_second\ngood %llu count\nrefused %llu count\nbroken %llu count\n",
           (unsigned long long)load.done, (double)load.done / seconds, (unsigned long long)load.good,
           (unsigned long long)load.refused, (unsigned long long)load.broken);
    print_latency(&load, 0, "commit");
    print_latency(&load, 1, "quote");
    if (load.log)
        fclose(load.log);
    return 0;
}
