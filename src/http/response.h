/*
 * response.h - the bytes of an answer: status line, headers, body.
 *
 * Owns:      the form of what goes out, reason phrases, the bodies of the server's own refusals.
 * Must not:  touch a socket, allocate, or let a header's value break out of its line.
 * Invariant: one Content-Length that equals the body; no body where HTTP forbids one.
 * Cost:      one pass over the fields; the body is copied once.
 * Tests:     tests/unit/http/test_response.c, tests/unit/http/test_loop.c
 */
#ifndef KOP_HTTP_RESPONSE_H
#define KOP_HTTP_RESPONSE_H

#include "base/text.h"

enum { http_fields_max = 16 }; /* extra headers of one answer */

struct http_field {
    struct text name, value;
};

/* What a handler answers. Everything is borrowed until http_respond() returns. */
struct http_answer {
    int status;                      /* 200 to 599 */
    struct text content_type;        /* empty: no Content-Type header */
    const struct http_field *fields; /* extra headers, may be NULL when field_count is 0 */
    uint32_t field_count;            /* at most http_fields_max */
    struct text body;                /* ignored for 204 and 304 */
    bool close;                      /* end the connection after this answer */
};

/* "OK", "Not Found" ...; "Unknown" for a status without a name here. */
const char *http_reason(int status);

/* How many bytes http_render() may need at most. */
size_t http_render_bound(const struct http_answer *answer);

/*
 * Write the answer to `out`, which has room for http_render_bound() bytes; its size comes back.
 * `head_only`: the request was a HEAD, so the body is announced and left out.
 * 0: a field's name is no token or a value holds a control character (a bug of the handler's).
 */
KOP_MUST_CHECK size_t http_render(const struct http_answer *answer, bool head_only, char *out);

/*
 * The server's own refusal of a request that reaches no handler: an application/problem+json body
 * like the service's (type, outcome, title, status) with `detail` (a static English text without
 * quotes), closing the connection, with Retry-After for 503. `status` is one of 400 408 413 414 417
 * 431 500 501 503 505. Its size; `out` has room for http_refusal_bytes_max.
 */
enum { http_refusal_bytes_max = 768 };
KOP_MUST_CHECK size_t http_render_refusal(int status, const char *detail, bool russian, char *out);

/* The value of Accept-Language: is its first language Russian, in any case of letters? */
bool http_is_russian(struct text languages);

/*
 * Does what has come of a head ask for Russian (a line "Accept-Language: ru...")? For requests
 * whose head is not understood, so it looks at bytes alone, up to the empty line.
 */
bool http_head_is_russian(struct text head);

#endif
