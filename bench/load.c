/*
 * load.c - tills under load: many keep-alive connections, each sending its next request when
 * answered.
 *
 * Owns:      the load of benchmarks: eight-line baskets of members chosen at random.
 * Must not:  cost much: it shares the machine with the server that it measures.
 * Invariant: a receipt's number is used for one request only; the requests of a run are made from
 *            its seed.
 * Use:       load --port N --key TOKEN [--connections N] [--seconds N | --requests N]
 *                 [--what commit|quote|mix] [--members N] [--first N] [--card-prefix TEXT]
 *                 [--card-digits N] [--redeem POINTS] [--seed N] [--start N] [--log FILE]
 *            Cards are TEXT and a number of N digits, from --first on. --start: the first receipt.
 * Output:    name value unit, a line each. The log has a line for each answer: number status.
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

enum {
    connections_most = 4096,
    head_bytes = 512,
    body_bytes = 2048,
    answer_bytes = 16384,
    latencies_most = 4000000,
    lines = 8,
    outlets = 50, /* as bench/floor.c has them */
    tills = 4,
    grace_seconds = 5, /* for the last answers */
};

struct connection {
    int fd;
    uint64_t number;
    int64_t sent_ns;
    uint32_t got, wanted; /* bytes of the answer; wanted 0: its head is not complete */
    int status;
    bool is_quote;
    char answer[answer_bytes];
};

enum { COMMIT, QUOTE, kinds };

struct load {
    long port, connections, seconds, redeem, card_digits;
    uint64_t requests, members, first, seed, start, next, good, refused, broken;
    const char *key, *what, *log_path, *prefix;
    FILE *log;
    int epoll;
    struct connection *connection;
    uint32_t *latency_us[kinds], latency_count[kinds];
    int64_t began_ns, until_ns, second; /* second: what `at` tells */
    char at[32];
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

/* ---- requests ---- */

/* The time of day, written once a second. */
static const char *
time_now(struct load *load)
{
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != load->second) {
        load->second = now.tv_sec;
        gmtime_r(&now.tv_sec, &tm);
        strftime(load->at, sizeof(load->at), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    return load->at;
}

static size_t
add(char *to, const char *text)
{
    size_t size = strlen(text);

    memcpy(to, text, size);
    return size;
}

/* A line of the basket without printf: this is done eight times a request. */
static size_t
add_line(struct load *load, const struct connection *c, int i, char *to)
{
    static const char *const prices[] = { "59.90", "129.00",  "349.50", "89.99",
                                          "15.00", "1290.00", "499.00", "74.30" };
    uint64_t article = next_random(load) % 100000;
    size_t used = add(to, i ? ",{\"article\":\"46000000" : "{\"article\":\"46000000");

    for (uint64_t unit = 10000; unit > 0; unit /= 10)
        to[used++] = (char)('0' + article / unit % 10);
    used += add(to + used, "\",\"quantity\":\"");
    to[used++] = (char)('1' + i % 3);
    used += add(to + used, "\",\"price\":\"");
    used += add(to + used, prices[(c->number + (uint64_t)i) % lines]);
    used += add(to + used, "\",\"category\":\"c");
    to[used++] = (char)('0' + i % 5);
    used += add(to + used, "\"}");
    return used;
}

/* An eight-line basket of one of the members. */
static size_t
make_body(struct load *load, const struct connection *c, char *body)
{
    uint64_t card = load->first + next_random(load) % load->members;
    size_t used = (size_t)snprintf(
        body, head_bytes,
        "{\"programme\":\"awn\",\"outlet\":\"%u\",\"till\":\"%u\",\"period\":1,"
        "\"number\":\"%llu\",\"occurred_at\":\"%s\",\"card\":\"%.32s%0*llu\","
        "\"confirmed\":true,\"lines\":[",
        (unsigned)(c->number % outlets), (unsigned)(c->number % tills),
        (unsigned long long)c->number, time_now(load), load->prefix, (int)load->card_digits,
        (unsigned long long)card);

    for (int i = 0; i < lines; i++)
        used += add_line(load, c, i, body + used);
    if (load->redeem)
        used += (size_t)snprintf(body + used, head_bytes,
                                 "],\"redeem\":[{\"currency\":\"bonus\",\"amount\":\"%ld.00\"}]}",
                                 load->redeem);
    else
        used += add(body + used, "]}");
    return used;
}

/* Send the connection's next request; false when the load is over or the server has gone. */
static bool
send_next(struct load *load, struct connection *c)
{
    char body[body_bytes], request[head_bytes + body_bytes];

    c->sent_ns = now_ns();
    if ((load->requests && load->next - load->start >= load->requests) ||
        (load->until_ns && c->sent_ns >= load->until_ns))
        return false;
    c->number = load->next++;
    c->is_quote = load->what[0] == 'q' || (load->what[0] == 'm' && c->number % 2);
    c->got = c->wanted = 0;
    size_t size = make_body(load, c, body);
    size_t head = (size_t)snprintf(request, head_bytes,
                                   "POST /v1/receipts/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                   "Authorization: Bearer %.200s\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Content-Length: %zu\r\n\r\n",
                                   c->is_quote ? "quote" : "commit", load->key, size);
    memcpy(request + head, body, size);
    return send(c->fd, request, head + size, MSG_NOSIGNAL) == (ssize_t)(head + size);
}

/* ---- answers ---- */

static void
note_answer(struct load *load, const struct connection *c)
{
    int kind = c->is_quote ? QUOTE : COMMIT;
    uint32_t us = (uint32_t)((now_ns() - c->sent_ns) / 1000);

    if (c->status == 200)
        load->good++;
    else
        load->refused++;
    if (load->latency_count[kind] < latencies_most)
        load->latency_us[kind][load->latency_count[kind]++] = us;
    if (load->log)
        fprintf(load->log, "%llu %d\n", (unsigned long long)c->number, c->status);
}

/* The status and the length of an answer whose head has come. */
static void
read_head(struct connection *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n");
    const char *length = strcasestr(c->answer, "content-length:");

    if (!end || !length)
        return;
    c->status = (int)strtol(c->answer + 9, NULL, 10);
    c->wanted = (uint32_t)(end + 4 - c->answer) + (uint32_t)strtoul(length + 15, NULL, 10);
}

/* More bytes of an answer. 1: complete; 0: not yet; -1: the connection broke. */
static int
receive(struct connection *c)
{
    ssize_t got = recv(c->fd, c->answer + c->got, sizeof(c->answer) - c->got - 1, 0);

    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        return -1;
    c->got += (uint32_t)got;
    c->answer[c->got] = 0;
    if (!c->wanted)
        read_head(c);
    return c->wanted && c->got >= c->wanted;
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
            if (state < 0)
                load->broken++;
            else
                note_answer(load, c);
            if (state < 0 || !send_next(load, c))
                finish(load, c);
        }
        if (count == 0 && load->until_ns &&
            now_ns() > load->until_ns + grace_seconds * INT64_C(1000000000))
            break;
    }
}

/* ---- what came of it ---- */

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
print_latency(struct load *load, int kind, const char *name)
{
    uint32_t count = load->latency_count[kind], *us = load->latency_us[kind];

    if (!count)
        return;
    qsort(us, count, sizeof(us[0]), by_size);
    printf("%s_p50 %.2f ms\n%s_p99 %.2f ms\n", name, us[count / 2] / 1000.0, name,
           us[(uint64_t)count * 99 / 100] / 1000.0);
}

static void
print_results(struct load *load)
{
    double seconds = (double)(now_ns() - load->began_ns) / 1e9;
    uint64_t done = load->good + load->refused;

    printf("requests %llu count\nrate %.0f per_second\ngood %llu count\n", (unsigned long long)done,
           (double)done / seconds, (unsigned long long)load->good);
    printf("refused %llu count\nbroken %llu count\n", (unsigned long long)load->refused,
           (unsigned long long)load->broken);
    print_latency(load, COMMIT, "commit");
    print_latency(load, QUOTE, "quote");
}

/* ---- start ---- */

static uint64_t
number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static bool
read_option(struct load *load, const char *name, const char *value)
{
    static const char *const longs[] = { "--port", "--connections", "--seconds", "--redeem",
                                         "--card-digits" };
    long *const into[] = { &load->port, &load->connections, &load->seconds, &load->redeem,
                           &load->card_digits };
    static const char *const texts[] = { "--key", "--what", "--log", "--card-prefix" };
    const char **const text_into[] = { &load->key, &load->what, &load->log_path, &load->prefix };
    static const char *const counts[] = { "--requests", "--members", "--first", "--start" };
    uint64_t *const count_into[] = { &load->requests, &load->members, &load->first, &load->start };

    for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++) {
        if (strcmp(name, longs[i]) == 0)
            return *into[i] = strtol(value, NULL, 10), true;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i]) == 0)
            return *text_into[i] = value, true;
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (strcmp(name, counts[i]) == 0)
            return *count_into[i] = number(value), true;
    }
    if (strcmp(name, "--seed") != 0)
        return false;
    load->seed = number(value) * UINT64_C(2654435761) + 1;
    return true;
}

static void
read_options(struct load *load, int argc, char **argv)
{
    *load = (struct load){ .connections = 64,
                           .members = 1,
                           .first = 1,
                           .seed = 1,
                           .what = "commit",
                           .prefix = "",
                           .start = 1 };
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !read_option(load, argv[i], argv[i + 1])) {
            fprintf(stderr, "load: no option '%s', or it has no value\n", argv[i]);
            exit(2);
        }
    }
    if (!load->port || !load->key || !load->members || load->connections < 1 ||
        load->connections > connections_most || (!load->seconds && !load->requests)) {
        fprintf(stderr, "load: needs --port, --key, and --seconds or --requests\n");
        exit(2);
    }
}

static int
connect_one(const struct load *load)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)load->port) };
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

static void
begin(struct load *load)
{
    long opened = load->connections;

    load->next = load->start;
    load->log = load->log_path ? fopen(load->log_path, "ae") : NULL;
    if (load->log)
        setvbuf(load->log, NULL, _IOLBF, 0);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connection = calloc((size_t)opened, sizeof(*load->connection));
    for (int k = 0; k < kinds; k++)
        load->latency_us[k] = malloc(latencies_most * sizeof(uint32_t));
    if (!load->connection || !load->latency_us[COMMIT] || !load->latency_us[QUOTE])
        exit(1);
    for (long i = 0; i < opened; i++)
        load->connection[i].fd = connect_one(load);
    load->began_ns = now_ns();
    load->until_ns = load->seconds ? load->began_ns + load->seconds * INT64_C(1000000000) : 0;
    for (long i = 0; i < opened; i++) {
        struct connection *c = &load->connection[i];
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        if (c->fd < 0 || epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0 ||
            !send_next(load, c))
            finish(load, c);
    }
}

int
main(int argc, char **argv)
{
    static struct load load;

    read_options(&load, argc, argv);
    begin(&load);
    serve_events(&load);
    print_results(&load);
    if (load.log)
        fclose(load.log);
    return load.good > 0 ? 0 : 1;
}
