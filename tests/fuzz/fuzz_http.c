/*
 * fuzz_http.c - the HTTP parser on bytes from anywhere: whole and split feeding agree.
 *
 * Owns:      the input's form: two bytes choose how it is split, the rest is the stream.
 * Must not:  accept less than the server does: it goes through a stream of pipelined requests.
 * Invariant: the result does not depend on the splits; every part of a request lies within its
 *            bytes; a request that is accepted has one Host, one framing and no bare CR or LF in
 *            its head; decoded pieces are clean UTF-8.
 */
#include "http/parse.h"
#include "http/target.h"

#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

static bool
lies_within(struct text part, const char *bytes, uint32_t size)
{
    if (part.len == 0 || text_equal(part, TEXT("/")))
        return true;
    return part.ptr >= bytes && part.ptr + part.len <= bytes + size;
}

static void
check_head(const struct http_parser *parser, const char *bytes)
{
    uint32_t hosts = 0, lengths = 0, codings = 0;
    bool found;

    for (uint32_t i = 0; i < parser->header_count; i++) {
        struct http_span name = parser->header[i].name;
        hosts += name.len == 4 && strncasecmp(bytes + name.at, "host", 4) == 0;
    }
    CHECK(hosts == 1);
    for (uint32_t i = 0; i < parser->body_at; i++) {
        CHECK(bytes[i] != '\0');
        CHECK(bytes[i] != '\n' || (i > 0 && bytes[i - 1] == '\r'));
        CHECK(bytes[i] != '\r' || bytes[i + 1] == '\n');
    }
    (void)http_header(parser, bytes, TEXT("host"), &found);
    CHECK(found);
    (void)http_header(parser, bytes, TEXT("content-length"), &found);
    lengths = found;
    (void)http_header(parser, bytes, TEXT("transfer-encoding"), &found);
    codings = found;
    CHECK(lengths + codings <= 1);
    CHECK(http_path(parser, bytes).len > 0);
}

static void
check_target(const struct http_parser *parser, const char *bytes)
{
    struct text path = http_path(parser, bytes), query = http_query(parser, bytes), piece;
    struct arena arena;
    struct http_param param;

    arena_init(&arena, host_source(), 4096, 256 * 1024);
    while (http_path_next(&path, &piece)) {
        CHECK(!text_equal(piece, TEXT("..")));
        if (!http_decode(&arena, HTTP_SEGMENT, piece, &piece))
            continue;
        CHECK(text_is_utf8(piece));
        CHECK(!text_equal(piece, TEXT("..")));
        for (uint32_t i = 0; i < piece.len; i++)
            CHECK((unsigned char)piece.ptr[i] >= 0x20);
    }
    while (http_query_next(&query, &param)) {
        if (http_decode(&arena, HTTP_VALUE, param.value, &piece))
            CHECK(text_is_utf8(piece));
    }
    arena_release(&arena);
}

/* The same bytes in pieces of pseudo-random size, each call on memory of just what it may see. */
static void
check_split(const struct http_parser *whole, const char *whole_bytes, const char *stream,
            uint32_t size, uint32_t seed)
{
    static struct http_parser parser;
    char *bytes = malloc(1);
    uint32_t count = 0;
    enum http_result result = HTTP_MORE;

    http_parse_begin(&parser);
    while (result == HTTP_MORE && count < size) {
        seed = seed * 1664525 + 1013904223;
        uint32_t step = 1 + (seed >> 16) % (1 + (seed >> 8) % 64);
        if (step > size - count)
            step = size - count;
        char *more = malloc(count + step);
        memcpy(more, bytes, count);
        memcpy(more + count, stream + count, step);
        free(bytes);
        bytes = more;
        count += step;
        result = http_parse(&parser, bytes, count);
    }
    CHECK(result == whole->result);
    CHECK(parser.status == whole->status);
    CHECK(parser.problem == whole->problem);
    CHECK(parser.at == whole->at);
    CHECK(parser.head_done == whole->head_done);
    CHECK(parser.header_count == whole->header_count);
    CHECK(memcmp(parser.header, whole->header, parser.header_count * sizeof parser.header[0]) == 0);
    if (parser.head_done) {
        CHECK(parser.close == whole->close);
        CHECK(text_equal(http_path(&parser, bytes), http_path(whole, whole_bytes)));
        CHECK(text_equal(http_query(&parser, bytes), http_query(whole, whole_bytes)));
        CHECK(text_equal(http_body(&parser, bytes), http_body(whole, whole_bytes)));
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_parser parser;

    if (size < 2 || size > 64 * 1024)
        return 0;
    uint32_t seed = (uint32_t)data[0] << 8 | data[1], left = (uint32_t)size - 2;
    const char *stream = (const char *)data + 2;
    while (left > 0) {
        char *bytes = malloc(left);
        memcpy(bytes, stream, left);
        http_parse_begin(&parser);
        enum http_result result = http_parse(&parser, bytes, left);
        CHECK(parser.at <= left);
        CHECK((result == HTTP_REFUSED) == (parser.status != 0));
        if (parser.head_done) {
            CHECK(lies_within(http_path(&parser, bytes), bytes, left));
            CHECK(lies_within(http_query(&parser, bytes), bytes, left));
            CHECK(lies_within(http_body(&parser, bytes), bytes, left));
            check_head(&parser, bytes);
            check_target(&parser, bytes);
        }
        check_split(&parser, bytes, stream, left, seed);
        free(bytes);
        if (result != HTTP_COMPLETE)
            break;
        stream += parser.at;
        left -= parser.at;
    }
    return 0;
}
