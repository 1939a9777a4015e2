/*
 * parse.h - a strict, incremental HTTP/1.1 request parser.
 *
 * Owns:      struct http_parser: where in the caller's bytes the parts of one request lie.
 * Must not:  read a socket, allocate, keep a pointer to the caller's bytes between calls.
 * Invariant: the result depends on the bytes alone, never on how they were split over calls.
 *            A request has one meaning or it is refused: whatever two parsers have been seen to
 *            read differently (request smuggling) is an error here, even where RFC 9112 allows it.
 * Cost:      one pass; about a nanosecond a byte of head, memmove for a chunked body.
 * Tests:     tests/tables/http/, tests/unit/http/test_parse.c, tests/fuzz/fuzz_http.c
 */
#ifndef KOP_HTTP_PARSE_H
#define KOP_HTTP_PARSE_H

#include "base/text.h"

enum {
    http_head_bytes_max = 16 * 1024,          /* request line and headers; over it: 431 */
    http_line_bytes_max = 8 * 1024,           /* request line without its CRLF; over it: 414 */
    http_headers_max = 64,                    /* over it: 431 */
    http_body_bytes_max = 1024 * 1024,        /* after decoding; over it: 413 */
    http_chunk_framing_bytes_max = 64 * 1024, /* sizes and CRLFs of a chunked body; over it: 413 */
    http_chunk_digits_max = 8,
    /* No request needs more bytes than this in its buffer. */
    http_request_bytes_max = http_head_bytes_max + http_body_bytes_max +
                             http_chunk_framing_bytes_max,
};

/* Any other method is refused with 501. */
#define HTTP_METHODS(X) X(GET) X(HEAD) X(POST) X(PUT) X(PATCH) X(DELETE) X(OPTIONS)

enum http_method {
#define X(name) HTTP_##name,
    HTTP_METHODS(X)
#undef X
};

enum http_result {
    HTTP_MORE,     /* all bytes are looked at and the request is not complete */
    HTTP_COMPLETE, /* `parser->at` bytes were the request; what follows is the next one */
    HTTP_REFUSED,  /* answer `parser->status`, then close: the rest of the stream has no meaning */
};

/* A part of the head, counted from the first byte of the request. */
struct http_span {
    uint16_t at, len;
};

struct http_header {
    struct http_span name, value; /* the value without white space around it */
};

/* On the caller's side. All fields are read-only for others; those below `result` are internal. */
struct http_parser {
    uint32_t at;             /* bytes looked at; after HTTP_COMPLETE the size of the request */
    uint16_t status;         /* after HTTP_REFUSED: 400 413 414 417 431 501 505, else 0 */
    const char *problem;     /* after HTTP_REFUSED: why, a static sentence part, else NULL */
    enum http_method method; /* valid once head_done */
    bool head_done;          /* the empty line after the headers has been read, nothing was wrong */
    bool expects_continue;   /* the client waits for «100 Continue» before it sends the body */
    bool close;              /* the client asked for «Connection: close» */
    uint32_t body_at, body_len; /* where the (decoded) body lies; complete after HTTP_COMPLETE */
    uint16_t header_count;
    enum http_result result;

    int state;
    uint16_t line_at;        /* first byte of the current line of the head */
    struct http_span target; /* the whole of it, as sent */
    struct http_span path, query, authority, host;
    uint32_t seen; /* one bit for each header that may come only once */
    bool has_length, has_chunks;
    uint64_t length;  /* Content-Length, cut at 10^15 */
    uint32_t left;    /* bytes still to come of the body or of this chunk */
    uint32_t framing; /* bytes of chunk sizes and CRLFs so far */
    uint8_t digits;   /* of the current chunk size */
    struct http_header header[http_headers_max];
};

/* Begin a new request. */
void http_parse_begin(struct http_parser *parser);

/*
 * Go on with `count` bytes, of which the first is the first byte of the request: every call hands
 * in what the earlier ones did plus more behind it; the bytes may have moved to another address.
 * A chunked body is decoded in place, so bytes before `parser->at` may be rewritten.
 * After HTTP_COMPLETE or HTTP_REFUSED every further call returns the same.
 */
KOP_MUST_CHECK enum http_result http_parse(struct http_parser *parser, char *bytes, uint32_t count);

/*
 * Parts of a request whose head is done. They point into `bytes` (the same as handed to
 * http_parse(), or a copy), or are static. Path and query are as sent: not percent-decoded
 * (http/target.h does), the query without its question mark and empty when there is none. The path
 * begins with a slash, and has no dot segments; it is "*" only for OPTIONS.
 */
struct text http_path(const struct http_parser *parser, const char *bytes);
struct text http_query(const struct http_parser *parser, const char *bytes);
struct text http_host(const struct http_parser *parser, const char *bytes);
struct text http_body(const struct http_parser *parser, const char *bytes);

/*
 * The value of the first header called `name` (which is in lower case), any case matching; `*found`
 * (unless NULL) tells an empty value from none. These come once at most, a second one is refused:
 * authorization content-length content-type expect host idempotency-key transfer-encoding.
 */
struct text http_header(const struct http_parser *parser, const char *bytes, struct text name,
                        bool *found);

/* "GET" and so on. */
const char *http_method_name(enum http_method method);

#endif
