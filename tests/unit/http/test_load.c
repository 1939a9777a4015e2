/*
 * test_load.c - the HTTP server under many clients at once.
 *
 * Owns:      tests of busy and idle crowds, of stopping under load, of answers after the end.
 * Invariant: every answer is checked to be the answer to that client's own request.
 */
#include "http/client.h"
#include "http/echo.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct http_options plain = { .threads = 2 };

/* One of many clients, driven by one thread. */
struct busy {
    int fd;
    int done; /* requests answered */
    char expected[96];
    size_t got;
    char bytes[512];
    bool ended; /* the server closed the connection */
};

static const char *const busy_paths[] = { "/echo", "/inline", "/resume" };

static void
busy_ask(struct busy *busy, int index)
{
    char request[256], pad[64] = "";

    memset(pad, 'p', (size_t)(busy->done % 50));
    snprintf(busy->expected, sizeof busy->expected, "client %d request %d %s", index, busy->done,
             pad);
    snprintf(request, sizeof request,
             "POST %s HTTP/1.1\r\nHost: till.example\r\nContent-Length: %zu\r\n\r\n%s",
             busy_paths[busy->done % 3], strlen(busy->expected), busy->expected);
    busy->got = 0;
    /* While the server stops this may fail; the end of the connection is then read instead. */
    ssize_t sent = send(busy->fd, request, strlen(request), MSG_NOSIGNAL);
    assert_true(sent == (ssize_t)strlen(request) || (sent < 0 && errno != EAGAIN));
}

/* Is the whole answer there? Then check it. */
static bool
busy_is_answered(struct busy *busy)
{
    busy->bytes[busy->got] = '\0';
    char *body = strstr(busy->bytes, "\r\n\r\n"), length[64];

    if (!body || strlen(body + 4) < strlen(busy->expected))
        return false;
    assert_int_equal(strncmp(busy->bytes, "HTTP/1.1 200 OK\r\n", 17), 0);
    snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(busy->expected));
    assert_non_null(strstr(busy->bytes, length));
    assert_string_equal(body + 4, busy->expected);
    busy->done++;
    return true;
}

/* Read what came. true: an answer is complete. */
static bool
busy_read(struct busy *busy)
{
    ssize_t size = recv(busy->fd, busy->bytes + busy->got, sizeof busy->bytes - 1 - busy->got,
                        MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN)
        return false;
    if (size <= 0) {
        busy->ended = true;
        assert_int_equal(busy->got, 0); /* never in the middle of an answer */
        return false;
    }
    busy->got += (size_t)size;
    return busy_is_answered(busy);
}

struct crowd {
    struct busy *busy;
    int count, epoll;
    uint16_t port;
    int64_t until_ms; /* when every client has its answers, or ended, at the latest */
};

static void
crowd_open(struct crowd *crowd, uint16_t port, int count)
{
    *crowd = (struct crowd){ calloc((size_t)count, sizeof *crowd->busy), count, epoll_create1(0),
                             port, clock_ms() + 60000 };
    for (int i = 0; i < count; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
        crowd->busy[i].fd = client_connect(port);
        epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, crowd->busy[i].fd, &event);
    }
}

static void
crowd_close(struct crowd *crowd)
{
    for (int i = 0; i < crowd->count; i++)
        close(crowd->busy[i].fd);
    close(crowd->epoll);
    free(crowd->busy);
}

/* Each client asks `each` times, one request after the other. How many connections ended. */
static int
crowd_run(struct crowd *crowd, int each)
{
    int left = crowd->count, ended = 0;

    for (int i = 0; i < crowd->count; i++)
        busy_ask(&crowd->busy[i], i);
    while (left > 0) {
        struct epoll_event events[128];
        int happened = epoll_wait(crowd->epoll, events, 128, 1000);
        if (clock_ms() > crowd->until_ms)
            fail_msg("%d clients still wait for an answer", left);
        for (int i = 0; i < happened; i++) {
            int index = (int)events[i].data.u32;
            struct busy *busy = &crowd->busy[index];
            bool answered = busy_read(busy);
            if (answered && busy->done < each && !strstr(busy->bytes, "Connection: close")) {
                busy_ask(busy, index);
            } else if (answered || busy->ended) {
                left--;
                ended += busy->done < each;
                epoll_ctl(crowd->epoll, EPOLL_CTL_DEL, busy->fd, NULL);
            }
        }
    }
    return ended;
}

static void
check_busy(struct http_options options, int clients, int each)
{
    struct echo *echo = echo_open(options, 3);
    struct crowd crowd;

    crowd_open(&crowd, echo_port(echo), clients);
    int64_t begun = clock_ms();
    assert_int_equal(crowd_run(&crowd, each), 0);
    int64_t took = clock_ms() - begun;
    struct http_counters counters = echo_counters(echo);
    assert_int_equal(counters.requests, clients * each);
    assert_int_equal(counters.responses[2], clients * each);
    assert_int_equal(counters.connections, clients);
    assert_int_equal(counters.refused + counters.vanished + counters.timed_out, 0);
    print_message("%d clients, %d requests: %d ms, %d wake-ups\n", clients, clients * each,
                  (int)took, (int)counters.wake_ups);
    crowd_close(&crowd);
    echo_close(echo);
}

static void
test_busy_connections(void **state)
{
    struct http_options one = plain;

    (void)state;
    one.threads = 1;
    check_busy(one, 1, 500);
    check_busy(one, 64, 100);
    check_busy(plain, 64, 100);
    check_busy(plain, 128, 50);
    check_busy(plain, 256, 30);
    check_busy(one, 512, 20);
    check_busy(plain, 512, 20);
}

static int64_t
resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* In a process of its own, for descriptors: connect `count` times, say so, wait to be ended. */
static pid_t
idle_crowd(uint16_t port, int count, int said)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child > 0)
        return child;
    const struct rlimit files = { (rlim_t)count + 64, (rlim_t)count + 64 };
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool done = setrlimit(RLIMIT_NOFILE, &files) == 0;
    for (int i = 0; i < count && done; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        done = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    }
    if (write(said, &done, 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void
test_ten_thousand_idle_connections_are_cheap(void **state)
{
    struct rlimit files;
    int count = 10000, pipes[2];
    bool done = false;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < 12000) {
        count = (int)files.rlim_max / 2;
        print_message("the limit of open files lets only %d connections be tried\n", count);
    }
    struct http_options options = plain;
    options.connections_max = (uint32_t)count + 200;
    struct echo *echo = echo_open(options, 2);
    assert_int_equal(pipe(pipes), 0);
    int64_t before = resident_kib();
    pid_t child = idle_crowd(echo_port(echo), count, pipes[1]);
    assert_int_equal(read(pipes[0], &done, 1), 1);
    assert_true(done);
    for (int64_t end = clock_ms() + 30000; clock_ms() < end; sleep_ms(5)) {
        if (echo_counters(echo).connections_open == (uint64_t)count)
            break;
    }
    assert_int_equal(echo_counters(echo).connections_open, count);
    int64_t each = (resident_kib() - before) * 1024 / count;
    print_message("%d idle connections, %d bytes each\n", count, (int)each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(each < 512);
#endif
    struct crowd crowd;
    crowd_open(&crowd, echo_port(echo), 64);
    assert_int_equal(crowd_run(&crowd, 50), 0);
    crowd_close(&crowd);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (int64_t end = clock_ms() + 30000; clock_ms() < end; sleep_ms(5)) {
        if (echo_counters(echo).connections_open == 0)
            break;
    }
    assert_int_equal(echo_counters(echo).connections_open, 0);
    close(pipes[0]);
    close(pipes[1]);
    echo_close(echo);
}

struct stopper {
    struct echo *echo;
    int after_ms;
    uint32_t deadline_ms, cut_off;
};

static void *
stop_run(void *argument)
{
    struct stopper *stopper = argument;

    sleep_ms(stopper->after_ms);
    stopper->cut_off = http_server_stop(echo_server(stopper->echo), stopper->deadline_ms);
    return NULL;
}

static void
test_a_stop_answers_what_is_in_flight(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    struct stopper stopper = { echo, 0, 10000, 99 };
    int idle = client_connect(echo_port(echo)), busy = client_connect(echo_port(echo)),
        half = client_connect(echo_port(echo));
    struct answer answer;
    pthread_t thread;

    (void)state;
    client_say(idle, "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    client_expect(idle, 200, "");
    client_say(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    client_say(half, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh");
    echo_await_held(echo, 1);
    pthread_create(&thread, NULL, stop_run, &stopper);
    client_expect_end(idle);
    client_say(half, "i"); /* what had begun is still taken */
    assert_true(client_read(half, &answer, false));
    assert_string_equal(answer.body, "hi");
    assert_true(answer_has(&answer, "Connection: close"));
    free(answer.body);
    client_expect_end(half);
    echo_release(echo, true);
    assert_true(client_read(busy, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(answer_has(&answer, "Connection: close"));
    free(answer.body);
    client_expect_end(busy);
    close(idle);
    close(busy);
    close(half);
    pthread_join(thread, NULL);
    assert_int_equal(stopper.cut_off, 0);
    echo_close(echo);
}

/* What a handler still holds after the end is answered into the void, and freed. */
static void
check_answers_after_the_end(bool resume, bool vanished)
{
    struct echo *echo = echo_open(plain, 1);
    int fd[8];

    for (int i = 0; i < 8; i++) {
        fd[i] = client_connect(echo_port(echo));
        client_say(fd[i], "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    }
    echo_await_held(echo, 8);
    if (vanished) {
        for (int i = 0; i < 8; i++)
            client_reset(fd[i]);
        while (echo_counters(echo).connections_open > 0)
            sleep_ms(1);
    }
    int64_t begun = clock_ms();
    assert_int_equal(http_server_stop(echo_server(echo), 100), vanished ? 0 : 8);
    assert_true(clock_ms() - begun < 5000);
    assert_true(vanished || clock_ms() - begun >= 90);
    for (int i = 0; i < 8 && !vanished; i++) {
        client_expect_end(fd[i]);
        close(fd[i]);
    }
    echo_close_server(echo);
    echo_release(echo, resume);
    echo_close(echo);
}

static void
test_answers_after_the_end(void **state)
{
    (void)state;
    check_answers_after_the_end(false, false);
    check_answers_after_the_end(true, false);
    check_answers_after_the_end(false, true);
    check_answers_after_the_end(true, true);
}

/* No answer is torn and none is lost: a client has its whole answer, or the end of the connection
 * instead of the next one. */
static void
test_a_stop_under_load_tears_nothing(void **state)
{
    uint64_t all = 0;

    (void)state;
    for (int round = 0; round < 5; round++) {
        struct echo *echo = echo_open(plain, 2);
        struct stopper stopper = { echo, 5 + 11 * round, 10000, 99 };
        struct crowd crowd;
        pthread_t thread;
        crowd_open(&crowd, echo_port(echo), 64);
        pthread_create(&thread, NULL, stop_run, &stopper);
        int ended = crowd_run(&crowd, 1000000);
        pthread_join(thread, NULL);
        assert_int_equal(ended, 64);
        assert_int_equal(stopper.cut_off, 0);
        struct http_counters counters = echo_counters(echo);
        uint64_t answered = 0;
        for (int i = 0; i < 64; i++)
            answered += (uint64_t)crowd.busy[i].done;
        assert_int_equal(counters.requests, answered);
        assert_int_equal(counters.requests_open, 0);
        assert_int_equal(counters.connections_open, 0);
        all += answered;
        crowd_close(&crowd);
        echo_close(echo);
    }
    assert_true(all > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_thousand_idle_connections_are_cheap),
        cmocka_unit_test(test_busy_connections),
        cmocka_unit_test(test_a_stop_answers_what_is_in_flight),
        cmocka_unit_test(test_answers_after_the_end),
        cmocka_unit_test(test_a_stop_under_load_tears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
