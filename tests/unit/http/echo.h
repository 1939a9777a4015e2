/*
 * echo.h - a server for tests: it answers what it was sent, from other threads.
 *
 * Owns:      the worker threads, the paths below.
 * Must not:  answer a request twice, or forget one.
 *
 *   /echo     the body, from a worker thread         /inline   the body, on the loop thread
 *   /resume   a worker hands back; answered on the loop thread
 *   /big?N    N bytes of 'b'                         /hold     kept until echo_release()
 *   /broken   a header that must not be sent         /empty    204
 *   /peer     the client's address in hexadecimal    anything else: 404
 */
#ifndef KOP_TESTS_UNIT_HTTP_ECHO_H
#define KOP_TESTS_UNIT_HTTP_ECHO_H

#include "http/loop.h"

struct echo; /* a running server with its workers */

/* `options` may set anything but the handler; address NULL is 127.0.0.1. */
struct echo *echo_open(struct http_options options, int workers);

struct http_server *echo_server(struct echo *echo);
uint16_t echo_port(struct echo *echo);
struct http_counters echo_counters(struct echo *echo);

/* How many requests are held; wait until it is `count`. */
void echo_await_held(struct echo *echo, int count);

/* Answer all held requests: by http_resume() if `resume`, else by http_respond(). */
void echo_release(struct echo *echo, bool resume);

/* Close the server now, whatever is held; requests held are answered into the void later. */
void echo_close_server(struct echo *echo);

/* Stop the server if the test has not, end the workers, free all. */
void echo_close(struct echo *echo);

#endif
