/*
 * test_loop.c - the HTTP server over real sockets: one client at a time, and what goes wrong.
 *
 * Owns:      tests of http/loop.c, connection.c, exchange.c, inbox.c, listen.c by their effects.
 * Invariant: no test waits for luck: times are short where the server must act on them and long
 *            where the machine may be slow.
 */
#include "http/client.h"
#include "http/echo.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define POST_ECHO(length)                                                                          \
    "POST /echo HTTP/1.1\r\nHost: till.example\r\nContent-Length: " length "\r\n\r\n"
#define GET_(path) "GET " path " HTTP/1.1\r\nHost: till.example\r\n\r\n"

static const struct http_options plain = { .threads = 1 };

static enum code
try_open(const char *address, bool behind_proxy, uint16_t port, struct http_server **server,
         struct err *err)
{
    const struct http_options options = {
        .address = address,
        .port = port,
        .behind_proxy = behind_proxy,
        .handler = (void (*)(void *, struct http_request *))abort,
    };
    return http_server_open(&options, server, err);
}

static void
test_only_loopback_without_a_proxy(void **state)
{
    static const char *const refused[] = {
        "0.0.0.0", "192.0.2.1", "10.0.0.1", "128.0.0.1",    "::",    "2001:db8::1",
        "fe80::1", "localhost", "",         "127.0.0.1:80", "127.1", "::ffff:10.0.0.1"
    };
    static const char *const taken[] = { "127.0.0.1", "127.0.0.2" };
    struct http_server *server = NULL;
    struct err err = { 0 };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(refused); i++) {
        assert_int_equal(try_open(refused[i], false, 0, &server, &err), CODE_USAGE);
        assert_null(server);
    }
    for (size_t i = 0; i < KOP_COUNT(taken); i++) {
        assert_int_equal(try_open(taken[i], false, 0, &server, &err), OK);
        http_server_close(server);
    }
    /* A machine may have no IPv6; the address is a loopback one all the same. */
    enum code rc = try_open("::1", false, 0, &server, &err);
    assert_true(rc == OK || rc == CODE_IO);
    if (rc == OK)
        http_server_close(server);
    assert_int_equal(try_open("0.0.0.0", true, 0, &server, &err), OK);
    http_server_close(server);
}

static void
test_a_port_is_served_by_one_server(void **state)
{
    struct http_server *first = NULL, *second = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(try_open("127.0.0.1", false, 0, &first, &err), OK);
    uint16_t port = http_server_port(first);
    assert_true(port > 0);
    assert_int_equal(try_open("127.0.0.1", false, port, &second, &err), CODE_CONFLICT);
    assert_null(second);
    assert_non_null(strstr(err.text, "in use"));
    http_server_close(first);
    assert_int_equal(try_open("127.0.0.1", false, port, &second, &err), OK);
    assert_int_equal(http_server_port(second), port);
    http_server_close(second);
}

static void
test_more_connections_than_files_are_refused(void **state)
{
    const struct http_options options = {
        .address = "127.0.0.1",
        .connections_max = 2000000000,
        .handler = (void (*)(void *, struct http_request *))abort,
    };
    struct http_server *server = NULL;
    struct err err = { 0 };

    (void)state;
    assert_int_equal(http_server_open(&options, &server, &err), CODE_LIMIT);
    assert_null(server);
}

static void
test_an_answer_from_another_thread(void **state)
{
    struct echo *echo = echo_open(plain, 2);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, POST_ECHO("5") "hello");
    assert_true(client_read(fd, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "hello");
    assert_true(answer_has(&answer, "Content-Type: text/plain"));
    assert_true(answer_has(&answer, "Content-Length: 5"));
    assert_true(answer_has(&answer, "X-Method: POST"));
    assert_false(answer_has(&answer, "Connection: close"));
    free(answer.body);
    client_say(fd, GET_("/nowhere"));
    client_expect(fd, 404, "/nowhere");
    client_say(fd, "POST /inline HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    client_expect(fd, 200, "hi");
    client_say(fd, "POST /resume HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nho");
    client_expect(fd, 200, "ho");
    client_say(fd, GET_("/peer"));
    client_expect(fd, 200, "00000000000000000000ffff7f000001");
    close(fd);
    echo_close(echo);
}

static void
test_methods_and_statuses_without_a_body(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, "HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(client_read(fd, &answer, true));
    assert_int_equal(answer.status, 404);
    assert_true(answer_has(&answer, "Content-Length: 8"));
    client_say(fd, GET_("/empty"));
    assert_true(client_read(fd, &answer, false));
    assert_int_equal(answer.status, 204);
    assert_null(strstr(answer.head, "Content-Length"));
    client_say(fd, GET_("/echo"));
    client_expect(fd, 200, "");
    close(fd);
    echo_close(echo);
}

static void
test_a_header_that_would_split_the_answer(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, GET_("/broken"));
    assert_true(client_read(fd, &answer, false));
    assert_int_equal(answer.status, 500);
    assert_null(strstr(answer.head, "Set-Cookie"));
    free(answer.body);
    client_expect_end(fd);
    close(fd);
    echo_close(echo);
}

static void
test_pipelined_requests_are_answered_in_order(void **state)
{
    enum { requests = 200 };
    static char all[requests * 128];
    struct echo *echo = echo_open(plain, 4);
    int fd = client_connect(echo_port(echo)), size = 0;

    (void)state;
    for (int i = 0; i < requests; i++)
        size += snprintf(all + size, sizeof all - (size_t)size, POST_ECHO("5") "%05d", i);
    client_send(fd, all, (size_t)size);
    for (int i = 0; i < requests; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%05d", i);
        client_expect(fd, 200, expected);
    }
    struct http_counters counters = echo_counters(echo);
    assert_int_equal(counters.requests, requests);
    assert_int_equal(counters.responses[2], requests);
    close(fd);
    echo_close(echo);
}

static void
test_a_connection_has_one_request_at_work(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));

    (void)state;
    client_say(fd, GET_("/hold") GET_("/hold") GET_("/hold"));
    for (int i = 0; i < 3; i++) {
        echo_await_held(echo, 1);
        sleep_ms(20);
        assert_int_equal(echo_counters(echo).requests, i + 1);
        assert_int_equal(echo_counters(echo).requests_open, 1);
        echo_release(echo, i == 1);
        client_expect(fd, 200, "");
    }
    close(fd);
    echo_close(echo);
}

static void
test_a_request_may_come_in_single_bytes(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                                  "\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));

    (void)state;
    for (size_t i = 0; i < sizeof request - 1; i++) {
        client_send(fd, request + i, 1);
        sleep_ms(1);
    }
    client_expect(fd, 200, "abcde");
    close(fd);
    echo_close(echo);
}

static void
test_slow_senders_are_told_and_dropped(void **state)
{
    static const char *const begins[] = { "G", "GET /echo HTTP/1.1\r\nHost: a\r\nX: ",
                                          POST_ECHO("5") "hell",
                                          "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n5\r\nhel" };
    struct http_options options = plain;
    options.slow_ms = 200;
    struct echo *echo = echo_open(options, 1);

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(begins); i++) {
        int fd = client_connect(echo_port(echo));
        int64_t begun = clock_ms();
        client_say(fd, begins[i]);
        client_expect(fd, 408, NULL);
        client_expect_end(fd);
        assert_true(clock_ms() - begun >= 190);
        close(fd);
    }
    /* A byte now and then does not prolong the time of a head. */
    int fd = client_connect(echo_port(echo));
    int64_t begun = clock_ms();
    client_say(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nX: ");
    while (clock_ms() - begun < 150) {
        client_say(fd, "x");
        sleep_ms(10);
    }
    client_expect(fd, 408, NULL);
    close(fd);
    assert_int_equal(echo_counters(echo).timed_out, KOP_COUNT(begins) + 1);
    assert_int_equal(echo_counters(echo).requests, 0);
    echo_close(echo);
}

static void
test_idle_connections_end(void **state)
{
    struct http_options options = plain;
    options.idle_ms = 150;
    struct echo *echo = echo_open(options, 1);
    int fresh = client_connect(echo_port(echo)), used = client_connect(echo_port(echo));
    int64_t begun = clock_ms();

    (void)state;
    client_say(used, POST_ECHO("2") "hi");
    client_expect(used, 200, "hi");
    client_expect_end(fresh);
    client_expect_end(used);
    assert_true(clock_ms() - begun >= 140);
    assert_int_equal(echo_counters(echo).timed_out, 0);
    close(fresh);
    close(used);
    echo_close(echo);
}

static void
test_half_closed_clients_get_their_answers(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));

    (void)state;
    client_say(fd, POST_ECHO("1") "a" POST_ECHO("1") "b");
    shutdown(fd, SHUT_WR);
    client_expect(fd, 200, "a");
    client_expect(fd, 200, "b");
    client_expect_end(fd);
    close(fd);

    fd = client_connect(echo_port(echo)); /* the end comes while the handler works */
    client_say(fd, GET_("/hold"));
    echo_await_held(echo, 1);
    shutdown(fd, SHUT_WR);
    sleep_ms(20);
    echo_release(echo, false);
    client_expect(fd, 200, "");
    client_expect_end(fd);
    close(fd);

    fd = client_connect(echo_port(echo)); /* half a request will never be whole */
    client_say(fd, POST_ECHO("5") "hell");
    shutdown(fd, SHUT_WR);
    client_expect_end(fd);
    close(fd);

    fd = client_connect(echo_port(echo)); /* nothing at all */
    shutdown(fd, SHUT_WR);
    client_expect_end(fd);
    close(fd);
    echo_close(echo);
}

static void
await_open(struct echo *echo, uint64_t count)
{
    for (int64_t end = clock_ms() + 10000; clock_ms() < end; sleep_ms(1)) {
        if (echo_counters(echo).connections_open == count)
            return;
    }
    fail_msg("never %d connections", (int)count);
}

static void
test_clients_that_vanish_while_the_handler_works(void **state)
{
    enum { clients = 20 };
    struct echo *echo = echo_open(plain, 1);
    int fd[clients];

    (void)state;
    for (int i = 0; i < clients; i++) {
        fd[i] = client_connect(echo_port(echo));
        client_say(fd[i], "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nkept");
    }
    echo_await_held(echo, clients);
    for (int i = 0; i < clients; i++)
        client_reset(fd[i]);
    await_open(echo, 0);
    echo_release(echo, false);
    for (int64_t end = clock_ms() + 10000; clock_ms() < end; sleep_ms(1)) {
        if (echo_counters(echo).vanished == clients)
            break;
    }
    assert_int_equal(echo_counters(echo).vanished, clients);
    assert_int_equal(echo_counters(echo).requests_open, 0);
    int again = client_connect(echo_port(echo));
    client_say(again, POST_ECHO("2") "hi");
    client_expect(again, 200, "hi");
    close(again);
    echo_close(echo);
}

static void
test_a_refusal_ends_the_connection(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd,
               POST_ECHO("2") "hi"
                              "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n" GET_(
                                  "/echo"));
    client_expect(fd, 200, "hi");
    assert_true(client_read(fd, &answer, false));
    assert_int_equal(answer.status, 400);
    assert_true(answer_has(&answer, "Connection: close"));
    assert_true(answer_has(&answer, "Content-Type: application/problem+json"));
    assert_non_null(strstr(answer.body, "\"status\":400"));
    free(answer.body);
    client_expect_end(fd);
    close(fd);
    struct http_counters counters = echo_counters(echo);
    assert_int_equal(counters.requests, 1);
    assert_int_equal(counters.refused, 1);
    assert_int_equal(counters.responses[4], 1);
    echo_close(echo);
}

/* The client sends on, and reads the refusal all the same. */
static void
test_a_refusal_reaches_a_client_that_still_sends(void **state)
{
    static char body[1024 * 1024];
    struct echo *echo = echo_open(plain, 1);

    (void)state;
    for (int i = 0; i < 5; i++) {
        int fd = client_connect(echo_port(echo));
        client_say(fd, POST_ECHO("8388608"));
        ssize_t sent = send(fd, body, sizeof body / 8, MSG_NOSIGNAL);
        assert_true(sent > 0);
        client_expect(fd, 413, NULL);
        close(fd);
    }
    echo_close(echo);
}

static void
test_a_client_that_waits_for_continue(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 5\r\n\r\n");
    assert_true(client_read(fd, &answer, true));
    assert_int_equal(answer.status, 100);
    client_say(fd, "he");
    sleep_ms(20);
    client_say(fd, "llo");
    client_expect(fd, 200, "hello");
    /* It did not wait: no interim answer. */
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 5\r\n\r\nhello");
    client_expect(fd, 200, "hello");
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 1048577\r\n\r\n");
    client_expect(fd, 413, NULL);
    client_expect_end(fd);
    close(fd);
    echo_close(echo);
}

static void
test_the_greatest_body_passes(void **state)
{
    char *body = malloc(http_body_bytes_max + 1);
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));

    (void)state;
    for (int i = 0; i < http_body_bytes_max; i++)
        body[i] = (char)('a' + i % 26);
    body[http_body_bytes_max] = '\0';
    for (int i = 0; i < 3; i++) {
        client_say(fd, POST_ECHO("1048576"));
        client_send(fd, body, http_body_bytes_max);
        client_expect(fd, 200, body);
    }
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 256; i++) {
        client_say(fd, "1000\r\n");
        client_send(fd, body + i * 4096, 4096);
        client_say(fd, "\r\n");
    }
    client_say(fd, "0\r\n\r\n");
    client_expect(fd, 200, body);
    close(fd);
    echo_close(echo);
    free(body);
}

static void
test_a_big_answer_waits_for_a_slow_reader(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, GET_("/big?20000000") POST_ECHO("2") "hi");
    sleep_ms(100);
    assert_true(client_read(fd, &answer, false));
    assert_int_equal(answer.size, 20000000);
    for (size_t i = 0; i < answer.size; i++)
        assert_true(answer.body[i] == 'b');
    free(answer.body);
    client_expect(fd, 200, "hi");
    close(fd);
    echo_close(echo);
}

static void
test_a_client_that_never_reads_is_dropped(void **state)
{
    struct http_options options = plain;
    options.slow_ms = 200;
    struct echo *echo = echo_open(options, 1);
    int fd = client_connect(echo_port(echo));

    (void)state;
    client_say(fd, GET_("/big?20000000"));
    await_open(echo, 1);
    await_open(echo, 0);
    assert_int_equal(echo_counters(echo).timed_out, 1);
    close(fd);
    echo_close(echo);
}

static void
test_too_many_connections_are_told_so(void **state)
{
    struct http_options options = plain;
    options.connections_max = 4;
    struct echo *echo = echo_open(options, 1);
    int fd[4];
    struct answer answer;

    (void)state;
    for (int i = 0; i < 4; i++) {
        fd[i] = client_connect(echo_port(echo));
        client_say(fd[i], POST_ECHO("2") "hi");
        client_expect(fd[i], 200, "hi");
    }
    int64_t begun = clock_ms();
    int more = client_connect(echo_port(echo));
    client_say(more, GET_("/echo"));
    assert_true(client_read(more, &answer, false));
    assert_int_equal(answer.status, 503);
    assert_true(answer_has(&answer, "Retry-After: 1"));
    assert_true(clock_ms() - begun < 1000);
    free(answer.body);
    close(more);
    client_say(fd[0], POST_ECHO("2") "ho");
    client_expect(fd[0], 200, "ho");
    close(fd[0]);
    await_open(echo, 3);
    fd[0] = client_connect(echo_port(echo));
    client_say(fd[0], POST_ECHO("2") "hi");
    client_expect(fd[0], 200, "hi");
    assert_int_equal(echo_counters(echo).connections_refused, 1);
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    echo_close(echo);
}

static void
test_bodies_beyond_the_budget_are_told_so(void **state)
{
    struct http_options options = plain;
    options.buffer_bytes_max = 64 * 1024;
    struct echo *echo = echo_open(options, 1);
    char *body = calloc(1, 200000);
    struct answer answer;

    (void)state;
    for (int i = 0; i < 20; i++) { /* nothing of the budget is lost on the way */
        int fd = client_connect(echo_port(echo));
        client_say(fd, POST_ECHO("200000"));
        client_send(fd, body, 60000);
        assert_true(client_read(fd, &answer, false));
        assert_int_equal(answer.status, 503);
        assert_true(answer_has(&answer, "Retry-After: 1"));
        free(answer.body);
        close(fd);
    }
    int fd = client_connect(echo_port(echo));
    client_say(fd, GET_("/big?100000"));
    client_expect(fd, 503, NULL);
    close(fd);
    fd = client_connect(echo_port(echo));
    client_say(fd, POST_ECHO("2") "hi");
    client_expect(fd, 200, "hi");
    close(fd);
    free(body);
    echo_close(echo);
}

static void
test_connection_close_is_kept_to(void **state)
{
    struct echo *echo = echo_open(plain, 1);
    int fd = client_connect(echo_port(echo));
    struct answer answer;

    (void)state;
    client_say(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET_("/echo"));
    assert_true(client_read(fd, &answer, false));
    assert_true(answer_has(&answer, "Connection: close"));
    free(answer.body);
    client_expect_end(fd);
    assert_int_equal(echo_counters(echo).requests, 1);
    close(fd);
    echo_close(echo);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_loopback_without_a_proxy),
        cmocka_unit_test(test_a_port_is_served_by_one_server),
        cmocka_unit_test(test_more_connections_than_files_are_refused),
        cmocka_unit_test(test_an_answer_from_another_thread),
        cmocka_unit_test(test_methods_and_statuses_without_a_body),
        cmocka_unit_test(test_a_header_that_would_split_the_answer),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_a_connection_has_one_request_at_work),
        cmocka_unit_test(test_a_request_may_come_in_single_bytes),
        cmocka_unit_test(test_slow_senders_are_told_and_dropped),
        cmocka_unit_test(test_idle_connections_end),
        cmocka_unit_test(test_half_closed_clients_get_their_answers),
        cmocka_unit_test(test_clients_that_vanish_while_the_handler_works),
        cmocka_unit_test(test_a_refusal_ends_the_connection),
        cmocka_unit_test(test_a_refusal_reaches_a_client_that_still_sends),
        cmocka_unit_test(test_a_client_that_waits_for_continue),
        cmocka_unit_test(test_the_greatest_body_passes),
        cmocka_unit_test(test_a_big_answer_waits_for_a_slow_reader),
        cmocka_unit_test(test_a_client_that_never_reads_is_dropped),
        cmocka_unit_test(test_too_many_connections_are_told_so),
        cmocka_unit_test(test_bodies_beyond_the_budget_are_told_so),
        cmocka_unit_test(test_connection_close_is_kept_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
