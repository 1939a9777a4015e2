/*
 * bench_http.c - what a small POST costs the server, in processor time, without any work in it.
 *
 * Owns:      a client in a process of its own, so that its time is not counted.
 * Must not:  be compared with figures taken on another machine.
 * Cost:      a few seconds.
 *
 * A receipt of 1.6 KB comes in, 800 bytes go out, answered at once (inline) or by another thread
 * that takes all that waits, as the store's group commit does (batched).
 */
#include "http/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { in_bytes = 1600, out_bytes = 800, run_ms = 1000, clients_max = 512 };

struct batch {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct http_request *waiting;
    bool inline_answers, ending;
};

static void
answer(struct http_request *request)
{
    static const char body[out_bytes];
    const struct http_answer answer = {
        .status = 200,
        .content_type = TEXT("application/json"),
        .body = { body, out_bytes },
    };

    http_respond(request, &answer);
}

static void
handle(void *context, struct http_request *request)
{
    struct batch *batch = context;

    if (batch->inline_answers) {
        answer(request);
        return;
    }
    pthread_mutex_lock(&batch->lock);
    bool first = !batch->waiting;
    request->user = batch->waiting;
    batch->waiting = request;
    if (first)
        pthread_cond_signal(&batch->more);
    pthread_mutex_unlock(&batch->lock);
}

static void *
answer_batches(void *context)
{
    struct batch *batch = context;

    pthread_mutex_lock(&batch->lock);
    while (batch->waiting || !batch->ending) {
        struct http_request *request = batch->waiting;
        if (!request) {
            pthread_cond_wait(&batch->more, &batch->lock);
            continue;
        }
        batch->waiting = NULL;
        pthread_mutex_unlock(&batch->lock);
        while (request) {
            struct http_request *next = request->user;
            answer(request);
            request = next;
        }
        pthread_mutex_lock(&batch->lock);
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}

/* Ask and ask again on `count` connections until killed. */
static void
client(uint16_t port, int count)
{
    static char request[4096], answer_bytes[4096];
    static size_t left[clients_max];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd[clients_max], epoll = epoll_create1(0);
    size_t answer_size = 0;

    int head = snprintf(request, sizeof request,
                        "POST /v1/receipts HTTP/1.1\r\nHost: till.example\r\n"
                        "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
                        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                        in_bytes);
    size_t size = (size_t)head + in_bytes;
    memset(request + head, 'x', in_bytes);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd[i], (struct sockaddr *)&address, sizeof address) != 0)
            _exit(1);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd[i], &event);
    }
    for (int i = 0; i < count; i++)
        send(fd[i], request, size, MSG_NOSIGNAL);
    for (;;) {
        struct epoll_event events[256];
        int happened = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < happened; i++) {
            uint32_t which = events[i].data.u32;
            ssize_t got = recv(fd[which], answer_bytes, sizeof answer_bytes, 0);
            if (got <= 0)
                _exit(0);
            if (answer_size == 0) /* they are all of one size, and small enough to come whole */
                answer_size = (size_t)got;
            left[which] += (size_t)got;
            if (left[which] >= answer_size) {
                left[which] = 0;
                send(fd[which], request, size, MSG_NOSIGNAL);
            }
        }
    }
}

static double
microseconds(struct timeval time)
{
    return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* A line of the table. */
static void
print(const char *what, bool inline_answers, int clients, double value, const char *unit)
{
    printf("http.%s.%d.%s %.*f %s -\n", inline_answers ? "inline" : "batched", clients, what,
           value < 100 ? 3 : 0, value, unit);
}

static void
measure(bool inline_answers, int clients)
{
    struct batch batch = { .inline_answers = inline_answers };
    const struct http_options options = {
        .address = "127.0.0.1", .threads = 1, .handler = handle, .context = &batch
    };
    const struct timespec time = { .tv_sec = run_ms / 1000, .tv_nsec = run_ms % 1000 * 1000000 };
    struct http_counters before, after;
    struct rusage used, use;
    struct http_server *server;
    pthread_t thread;
    struct err err;

    pthread_mutex_init(&batch.lock, NULL);
    pthread_cond_init(&batch.more, NULL);
    if (http_server_open(&options, &server, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    pthread_create(&thread, NULL, answer_batches, &batch);
    pid_t child = fork();
    if (child == 0)
        client(http_server_port(server), clients);
    usleep(200 * 1000); /* warm */
    http_server_counters(server, &before);
    getrusage(RUSAGE_SELF, &used);
    nanosleep(&time, NULL);
    http_server_counters(server, &after);
    getrusage(RUSAGE_SELF, &use);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    double requests = (double)(after.requests - before.requests);
    double own = (microseconds(use.ru_utime) - microseconds(used.ru_utime)) / requests;
    double kernel = (microseconds(use.ru_stime) - microseconds(used.ru_stime)) / requests;
    print("rate", inline_answers, clients, requests * 1000 / run_ms, "1/s");
    print("cpu", inline_answers, clients, own + kernel, "us");
    print("cpu_own", inline_answers, clients, own, "us");
    print("wake_ups", inline_answers, clients,
          (double)(after.wake_ups - before.wake_ups) / requests, "per_request");
    http_server_stop(server, 5000);
    pthread_mutex_lock(&batch.lock);
    batch.ending = true;
    pthread_cond_signal(&batch.more);
    pthread_mutex_unlock(&batch.lock);
    pthread_join(thread, NULL);
    http_server_close(server);
}

int
main(void)
{
    static const int clients[] = { 1, 64, 256, 512 };

    for (size_t i = 0; i < KOP_COUNT(clients); i++)
        measure(true, clients[i]);
    for (size_t i = 0; i < KOP_COUNT(clients); i++)
        measure(false, clients[i]);
    return 0;
}
