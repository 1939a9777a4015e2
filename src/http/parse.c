/*
 * parse.c - a strict, incremental HTTP/1.1 request parser.
 *
 * Owns:      the reading of request line, headers and both body framings, and every refusal.
 * Must not:  read a socket, allocate, keep a pointer to the caller's bytes between calls.
 * Invariant: a refusal is decided by the first byte that makes it certain, or by the end of the
 *            line that holds it, never by how many bytes a call brought. That is why a line is
 *            scanned byte by byte for its end, its limit and for control characters, and is read
 *            as a whole only once its CRLF is there.
 * Cost:      one pass over the head, one table look-up a byte.
 * Tests:     tests/tables/http/, tests/unit/http/test_parse.c, tests/fuzz/fuzz_http.c
 *
 * Stricter than RFC 9112 on purpose; each of these has been read in two ways by two servers:
 *   - lines end with CRLF alone; no empty line before the request; single spaces in its first line;
 *   - header names are letters, digits, hyphen and underscore; a framing header must not be written
 *     with an underscore; around the value of Content-Length, Transfer-Encoding and Host there may
 *     be spaces before it and nothing else;
 *   - Content-Length has no sign, list, or leading zero; Transfer-Encoding is `chunked` letter for
 *     letter; chunks have no extension, no white space, at most 8 digits, and no trailer follows;
 *   - a target holds what RFC 3986 lets stand unescaped, no escaped control character, and no dot
 *     segment; in absolute form it names the Host header's value.
 */
#include "http/parse.h"

#include "base/mem.h"

enum state {
    STATE_REQUEST_LINE,
    STATE_HEADER_LINE,
    STATE_BODY,
    STATE_CHUNK_SIZE,
    STATE_CHUNK_SIZE_LF,
    STATE_CHUNK_DATA,
    STATE_CHUNK_CR,
    STATE_CHUNK_LF,
    STATE_LAST_CR,
    STATE_LAST_LF,
    STATE_END,
};

/* What a byte may be part of. */
enum { CLASS_LINE = 1, CLASS_NAME = 2, CLASS_TARGET = 4, CLASS_METHOD = 8, CLASS_HOST = 16 };

#define LINE       CLASS_LINE
#define MARK       (CLASS_LINE | CLASS_TARGET)
#define TOKEN      (CLASS_LINE | CLASS_METHOD)
#define BOTH       (CLASS_LINE | CLASS_METHOD | CLASS_TARGET)
#define ALNUM      (CLASS_LINE | CLASS_NAME | CLASS_TARGET | CLASS_METHOD | CLASS_HOST)
#define HYPHEN     ALNUM
#define DOT        (BOTH | CLASS_HOST)
#define UNDERSCORE ALNUM

/* clang-format off */
static const unsigned char byte_class[256] = {
    ['\t'] = LINE,       [' '] = LINE,        ['!'] = BOTH,        ['"'] = LINE,
    ['#'] = TOKEN,       ['$'] = BOTH,        ['%'] = BOTH,        ['&'] = BOTH,
    ['\''] = BOTH,       ['('] = MARK,        [')'] = MARK,        ['*'] = BOTH,
    ['+'] = BOTH,        [','] = MARK,        ['-'] = HYPHEN,      ['.'] = DOT,
    ['/'] = MARK,        ['0' ... '9'] = ALNUM, [':'] = MARK,      [';'] = MARK,
    ['<'] = LINE,        ['='] = MARK,        ['>'] = LINE,        ['?'] = MARK,
    ['@'] = MARK,        ['A' ... 'Z'] = ALNUM, ['['] = LINE,      ['\\'] = LINE,
    [']'] = LINE,        ['^'] = TOKEN,       ['_'] = UNDERSCORE,  ['`'] = TOKEN,
    ['a' ... 'z'] = ALNUM, ['{'] = LINE,      ['|'] = TOKEN,       ['}'] = LINE,
    ['~'] = BOTH,        [128 ... 255] = LINE,
};
/* clang-format on */

/* Headers that may come once, and that two names must not be able to mean. */
enum known {
    KNOWN_HOST,
    KNOWN_LENGTH,
    KNOWN_CODING,
    KNOWN_EXPECT,
    KNOWN_AUTHORIZATION,
    KNOWN_TYPE,
    KNOWN_KEY,
    KNOWN_CONNECTION, /* may be repeated */
    KNOWN_NONE,
};

static const struct text known_name[KNOWN_NONE] = {
    [KNOWN_HOST] = { "host", 4 },
    [KNOWN_LENGTH] = { "content-length", 14 },
    [KNOWN_CODING] = { "transfer-encoding", 17 },
    [KNOWN_EXPECT] = { "expect", 6 },
    [KNOWN_AUTHORIZATION] = { "authorization", 13 },
    [KNOWN_TYPE] = { "content-type", 12 },
    [KNOWN_KEY] = { "idempotency-key", 15 },
    [KNOWN_CONNECTION] = { "connection", 10 },
};

static const struct text method_name[] = {
#define X(name) { #name, sizeof(#name) - 1 },
    HTTP_METHODS(X)
#undef X
};

static bool
is_class(char c, int wanted)
{
    return (byte_class[(unsigned char)c] & wanted) != 0;
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is `text` the same as `name`, which is in lower case, but for the case of letters? */
static bool
equals_lower(struct text text, struct text name)
{
    if (text.len != name.len)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        if (lower(text.ptr[i]) != name.ptr[i])
            return false;
    }
    return true;
}

static struct text
span_text(struct http_span span, const char *bytes)
{
    return (struct text){ bytes + span.at, span.len };
}

static struct http_span
span_of(uint32_t at, uint32_t end)
{
    assert(at <= end);
    assert(end <= UINT16_MAX);
    return (struct http_span){ (uint16_t)at, (uint16_t)(end - at) };
}

static bool
refuse(struct http_parser *parser, uint16_t status, const char *problem)
{
    parser->status = status;
    parser->problem = problem;
    parser->result = HTTP_REFUSED;
    parser->state = STATE_END;
    return false;
}

static void
complete(struct http_parser *parser)
{
    parser->result = HTTP_COMPLETE;
    parser->state = STATE_END;
}

void
http_parse_begin(struct http_parser *parser)
{
    /* The header table is not cleared: header_count says how much of it means anything. */
    memset(parser, 0, offsetof(struct http_parser, header));
    parser->state = STATE_REQUEST_LINE;
    parser->result = HTTP_MORE;
}

/*
 * Look for the end of the current line. true: bytes[line_at, *end) is the line and `at` is behind
 * its CRLF. false: refused, or more bytes are needed.
 */
static bool
scan_line(struct http_parser *parser, const char *bytes, uint32_t count, uint32_t *end)
{
    bool first = parser->state == STATE_REQUEST_LINE;
    uint32_t limit = first ? http_line_bytes_max : http_head_bytes_max - 2;
    uint32_t stop = count < limit ? count : limit;
    uint32_t at = parser->at;

    while (at < stop && is_class(bytes[at], CLASS_LINE))
        at++;
    parser->at = at;
    if (at >= count)
        return false;
    if (at > limit || (at == limit && bytes[at] != '\r')) {
        if (first)
            return refuse(parser, 414, "the request line is too long");
        return refuse(parser, 431, "the headers are too long");
    }
    if (bytes[at] == '\n')
        return refuse(parser, 400, "a line feed without a carriage return");
    if (bytes[at] != '\r')
        return refuse(parser, 400, "a control character in the head");
    if (at + 1 >= count)
        return false;
    if (bytes[at + 1] != '\n')
        return refuse(parser, 400, "a carriage return without a line feed");
    *end = at;
    parser->at = at + 2;
    return true;
}

/* A host name, IPv4 address or bracketed IPv6 address, with a port or without. */
static bool
is_host(struct text host)
{
    uint32_t at = 0;

    if (host.len > 0 && host.ptr[0] == '[') {
        at = 1;
        while (at < host.len &&
               (hex_digit(host.ptr[at]) >= 0 || host.ptr[at] == ':' || host.ptr[at] == '.'))
            at++;
        if (at < 3 || at == host.len || host.ptr[at] != ']')
            return false;
        at++;
    } else {
        while (at < host.len && is_class(host.ptr[at], CLASS_HOST))
            at++;
        if (at == 0)
            return false;
    }
    if (at == host.len)
        return true;
    if (host.ptr[at] != ':' || host.len - at < 2 || host.len - at > 6)
        return false;
    uint32_t port = 0;
    for (at++; at < host.len; at++) {
        if (host.ptr[at] < '0' || host.ptr[at] > '9')
            return false;
        port = port * 10 + (uint32_t)(host.ptr[at] - '0');
    }
    return port <= 65535;
}

/* Does the path have a segment `.` or `..`, escaped or not? */
static bool
has_dot_segment(struct text path)
{
    uint32_t at = 0;

    while (at < path.len) {
        assert(path.ptr[at] == '/');
        uint32_t dots = 0;
        for (at++; at < path.len; dots++) {
            if (path.ptr[at] == '.')
                at++;
            else if (path.ptr[at] == '%' && path.ptr[at + 1] == '2' &&
                     lower(path.ptr[at + 2]) == 'e')
                at += 3;
            else
                break;
        }
        bool ends = at == path.len || path.ptr[at] == '/';
        if (ends && (dots == 1 || dots == 2))
            return true;
        while (at < path.len && path.ptr[at] != '/')
            at++;
    }
    return false;
}

/* Every character allowed, every escape whole and no control character in disguise. */
static bool
is_clean_target(struct text target)
{
    for (uint32_t i = 0; i < target.len; i++) {
        if (!is_class(target.ptr[i], CLASS_TARGET))
            return false;
        if (target.ptr[i] != '%')
            continue;
        if (target.len - i < 3)
            return false;
        int high = hex_digit(target.ptr[i + 1]), low = hex_digit(target.ptr[i + 2]);
        if (high < 0 || low < 0)
            return false;
        int byte = high * 16 + low;
        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    return true;
}

static bool
read_target(struct http_parser *parser, const char *bytes)
{
    struct text target = span_text(parser->target, bytes);
    uint32_t at = parser->target.at, end = at + parser->target.len;

    if (target.len == 1 && target.ptr[0] == '*') {
        if (parser->method != HTTP_OPTIONS)
            return refuse(parser, 400, "an asterisk is a target for OPTIONS only");
        parser->path = parser->target;
        return true;
    }
    if (target.ptr[0] != '/') {
        struct text scheme = { target.ptr, 7 };
        if (target.len < 8 || !equals_lower(scheme, TEXT("http://")))
            return refuse(parser, 400, "the target is neither a path nor an http address");
        at += 7;
        uint32_t from = at;
        while (at < end && bytes[at] != '/' && bytes[at] != '?')
            at++;
        parser->authority = span_of(from, at);
        /* Brackets stand nowhere else in a target, so they are looked at here. */
        if (!is_host(span_text(parser->authority, bytes)))
            return refuse(parser, 400, "the target names no host");
        if (at < end && bytes[at] == '?')
            return refuse(parser, 400, "the target has a query and no path");
    }
    if (!is_clean_target((struct text){ bytes + at, end - at }))
        return refuse(parser, 400, "a character in the target that must be escaped");
    uint32_t mark = at;
    while (mark < end && bytes[mark] != '?')
        mark++;
    parser->path = span_of(at, mark);
    if (mark < end)
        parser->query = span_of(mark + 1, end);
    if (has_dot_segment(span_text(parser->path, bytes)))
        return refuse(parser, 400, "a dot segment in the target");
    return true;
}

static bool
read_method(struct http_parser *parser, struct text method)
{
    for (uint32_t i = 0; i < KOP_COUNT(method_name); i++) {
        if (text_equal(method, method_name[i])) {
            parser->method = (enum http_method)i;
            return true;
        }
    }
    return refuse(parser, 501, "an unknown method");
}

static bool
read_request_line(struct http_parser *parser, const char *bytes, uint32_t end)
{
    uint32_t at = 0, method_end;

    while (at < end && is_class(bytes[at], CLASS_METHOD))
        at++;
    if (at == 0 || at == end || bytes[at] != ' ')
        return refuse(parser, 400, "the request line does not begin with a method and a space");
    method_end = at++;
    uint32_t target_at = at;
    while (at < end && bytes[at] != ' ')
        at++;
    if (at == target_at || at == end)
        return refuse(parser, 400, "the request line has no target or no version");
    parser->target = span_of(target_at, at);
    struct text version = { bytes + at + 1, end - at - 1 };
    bool formed = version.len == 8 && text_starts(version, TEXT("HTTP/")) &&
                  version.ptr[5] >= '0' && version.ptr[5] <= '9' && version.ptr[6] == '.' &&
                  version.ptr[7] >= '0' && version.ptr[7] <= '9';
    if (!formed)
        return refuse(parser, 400, "the request line does not end with a version");
    if (!text_equal(version, TEXT("HTTP/1.1")))
        return refuse(parser, 505, "the version is not HTTP/1.1");
    if (!read_method(parser, (struct text){ bytes, method_end }))
        return false;
    return read_target(parser, bytes);
}

static bool
read_length(struct http_parser *parser, struct text value)
{
    if (value.len == 0 || (value.len > 1 && value.ptr[0] == '0'))
        return refuse(parser, 400, "Content-Length is not a plain number");
    for (uint32_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return refuse(parser, 400, "Content-Length is not a plain number");
        if (i < 15) /* what is longer is too much anyway */
            parser->length = parser->length * 10 + (uint64_t)(value.ptr[i] - '0');
    }
    parser->has_length = true;
    return true;
}

/* Is `close` among the comma-separated words of `value`? */
static bool
says_close(struct text value)
{
    uint32_t at = 0;

    while (at < value.len) {
        uint32_t from = at;
        while (at < value.len && value.ptr[at] != ',' && value.ptr[at] != ' ' &&
               value.ptr[at] != '\t')
            at++;
        if (equals_lower((struct text){ value.ptr + from, at - from }, TEXT("close")))
            return true;
        at++;
    }
    return false;
}

/* Which known header is `name`? An underscore counts as a hyphen, and is told in `*twisted`. */
static enum known
known_header(struct text name, bool *twisted)
{
    *twisted = false;
    for (int known = 0; known < KNOWN_NONE; known++) {
        if (name.len != known_name[known].len)
            continue;
        uint32_t i = 0;
        bool underscore = false;
        for (; i < name.len; i++) {
            char c = name.ptr[i] == '_' ? '-' : lower(name.ptr[i]);
            if (c != known_name[known].ptr[i])
                break;
            underscore = underscore || name.ptr[i] == '_';
        }
        if (i == name.len) {
            *twisted = underscore;
            return (enum known)known;
        }
    }
    return KNOWN_NONE;
}

/* `tight`: there are only spaces before the value, and nothing after it. */
static bool
read_known(struct http_parser *parser, enum known known, struct text value, struct http_span span,
           bool tight)
{
    if (known == KNOWN_CONNECTION) {
        parser->close = parser->close || says_close(value);
        return true;
    }
    if (parser->seen & (1u << known))
        return refuse(parser, 400, "a header that may come only once came twice");
    parser->seen |= 1u << known;
    if (known <= KNOWN_CODING && !tight)
        return refuse(parser, 400, "white space around the value of a framing header");
    switch (known) {
    case KNOWN_HOST:
        if (!is_host(value))
            return refuse(parser, 400, "Host is not a host");
        parser->host = span;
        return true;
    case KNOWN_LENGTH:
        return read_length(parser, value);
    case KNOWN_CODING:
        if (!text_equal(value, TEXT("chunked")))
            return refuse(parser, 501, "Transfer-Encoding is not 'chunked'");
        parser->has_chunks = true;
        return true;
    case KNOWN_EXPECT:
        if (!equals_lower(value, TEXT("100-continue")))
            return refuse(parser, 417, "Expect is not '100-continue'");
        parser->expects_continue = true;
        return true;
    default:
        return true;
    }
}

static bool
read_header_line(struct http_parser *parser, const char *bytes, uint32_t end)
{
    uint32_t at = parser->line_at;

    if (parser->header_count == http_headers_max)
        return refuse(parser, 431, "too many headers");
    if (bytes[at] == ' ' || bytes[at] == '\t')
        return refuse(parser, 400, "a header folded over two lines");
    while (at < end && is_class(bytes[at], CLASS_NAME))
        at++;
    if (at == parser->line_at || at == end || bytes[at] != ':')
        return refuse(parser, 400, "a header is not a name, a colon and a value");
    struct http_header *header = &parser->header[parser->header_count++];
    header->name = span_of(parser->line_at, at);

    bool tight = true;
    for (at++; at < end && (bytes[at] == ' ' || bytes[at] == '\t'); at++)
        tight = tight && bytes[at] == ' ';
    uint32_t value_end = end;
    while (value_end > at && (bytes[value_end - 1] == ' ' || bytes[value_end - 1] == '\t'))
        value_end--;
    header->value = span_of(at, value_end);
    tight = tight && value_end == end;

    bool twisted;
    enum known known = known_header(span_text(header->name, bytes), &twisted);
    if (known == KNOWN_NONE)
        return true;
    if (twisted)
        return refuse(parser, 400, "a header's name is written with an underscore");
    return read_known(parser, known, span_text(header->value, bytes), header->value, tight);
}

static bool
same_host(struct text a, struct text b)
{
    if (a.len != b.len)
        return false;
    for (uint32_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

static bool
finish_head(struct http_parser *parser, const char *bytes)
{
    if (!(parser->seen & (1u << KNOWN_HOST)))
        return refuse(parser, 400, "there is no Host header");
    if (parser->authority.len > 0 &&
        !same_host(span_text(parser->authority, bytes), span_text(parser->host, bytes)))
        return refuse(parser, 400, "the target names another host than Host");
    if (parser->has_length && parser->has_chunks)
        return refuse(parser, 400, "both Content-Length and Transfer-Encoding");
    if (parser->length > http_body_bytes_max)
        return refuse(parser, 413, "the body is too long");
    parser->head_done = true;
    parser->body_at = parser->at;
    parser->left = (uint32_t)parser->length;
    if (parser->has_chunks) {
        parser->state = STATE_CHUNK_SIZE;
        return true;
    }
    parser->state = STATE_BODY;
    if (parser->left == 0) {
        parser->expects_continue = false;
        complete(parser);
    }
    return true;
}

/* One line of the head. false: refused, or more bytes are needed. */
static bool
step_head(struct http_parser *parser, const char *bytes, uint32_t count)
{
    uint32_t end = 0;

    if (!scan_line(parser, bytes, count, &end))
        return false;
    if (parser->state == STATE_REQUEST_LINE) {
        if (!read_request_line(parser, bytes, end))
            return false;
        parser->state = STATE_HEADER_LINE;
    } else if (end == parser->line_at) {
        return finish_head(parser, bytes);
    } else if (!read_header_line(parser, bytes, end)) {
        return false;
    }
    parser->line_at = (uint16_t)parser->at;
    return true;
}

/* Body bytes of known number: keep them, or move them down to the end of the body so far. */
static void
step_data(struct http_parser *parser, char *bytes, uint32_t count)
{
    uint32_t size = count - parser->at;
    uint32_t to = parser->body_at + parser->body_len;

    if (size > parser->left)
        size = parser->left;
    if (to != parser->at)
        memmove(bytes + to, bytes + parser->at, size);
    parser->at += size;
    parser->body_len += size;
    parser->left -= size;
    assert(parser->body_len <= http_body_bytes_max);
    if (parser->left > 0)
        return;
    if (parser->state == STATE_BODY)
        complete(parser);
    else
        parser->state = STATE_CHUNK_CR;
}

static bool
step_chunk_size(struct http_parser *parser, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (parser->digits == http_chunk_digits_max)
            return refuse(parser, 400, "a chunk size has too many digits");
        parser->digits++;
        parser->left = parser->left * 16 + (uint32_t)digit;
        return true;
    }
    if (c != '\r' || parser->digits == 0)
        return refuse(parser, 400, "a chunk size is not a plain hexadecimal number");
    parser->state = STATE_CHUNK_SIZE_LF;
    return true;
}

/* One byte of what frames the chunks. */
static bool
step_chunk_frame(struct http_parser *parser, char c)
{
    if (parser->framing++ == http_chunk_framing_bytes_max)
        return refuse(parser, 413, "the body comes in too many chunks");
    switch (parser->state) {
    case STATE_CHUNK_SIZE:
        return step_chunk_size(parser, c);
    case STATE_CHUNK_SIZE_LF:
        if (c != '\n')
            return refuse(parser, 400, "a chunk size does not end with CRLF");
        if (parser->left > http_body_bytes_max - parser->body_len)
            return refuse(parser, 413, "the body is too long");
        parser->state = parser->left > 0 ? STATE_CHUNK_DATA : STATE_LAST_CR;
        return true;
    case STATE_CHUNK_CR:
        parser->state = STATE_CHUNK_LF;
        return c == '\r' || refuse(parser, 400, "a chunk does not end with CRLF");
    case STATE_CHUNK_LF:
        parser->state = STATE_CHUNK_SIZE;
        parser->digits = 0;
        return c == '\n' || refuse(parser, 400, "a chunk does not end with CRLF");
    case STATE_LAST_CR:
        parser->state = STATE_LAST_LF;
        return c == '\r' || refuse(parser, 400, "something follows the last chunk");
    default:
        assert(parser->state == STATE_LAST_LF);
        if (c != '\n')
            return refuse(parser, 400, "something follows the last chunk");
        complete(parser);
        return true;
    }
}

enum http_result
http_parse(struct http_parser *parser, char *bytes, uint32_t count)
{
    assert(parser->state == STATE_END || count >= parser->at);

    while (parser->state <= STATE_HEADER_LINE) {
        if (!step_head(parser, bytes, count))
            return parser->result;
    }
    while (parser->state != STATE_END && parser->at < count) {
        if (parser->state == STATE_BODY || parser->state == STATE_CHUNK_DATA)
            step_data(parser, bytes, count);
        else if (step_chunk_frame(parser, bytes[parser->at]))
            parser->at++;
    }
    assert(parser->at <= http_request_bytes_max);
    return parser->result;
}

struct text
http_path(const struct http_parser *parser, const char *bytes)
{
    assert(parser->head_done);
    /* «http://host» without a path asks for the root. */
    return parser->path.len > 0 ? span_text(parser->path, bytes) : TEXT("/");
}

struct text
http_query(const struct http_parser *parser, const char *bytes)
{
    assert(parser->head_done);
    return span_text(parser->query, bytes);
}

struct text
http_host(const struct http_parser *parser, const char *bytes)
{
    assert(parser->head_done);
    return span_text(parser->host, bytes);
}

struct text
http_body(const struct http_parser *parser, const char *bytes)
{
    assert(parser->head_done);
    return (struct text){ bytes + parser->body_at, parser->body_len };
}

struct text
http_header(const struct http_parser *parser, const char *bytes, struct text name, bool *found)
{
    for (uint32_t i = 0; i < parser->header_count; i++) {
        const struct http_header *header = &parser->header[i];
        if (!equals_lower(span_text(header->name, bytes), name))
            continue;
        if (found)
            *found = true;
        return span_text(header->value, bytes);
    }
    if (found)
        *found = false;
    return (struct text){ NULL, 0 };
}

const char *
http_method_name(enum http_method method)
{
    assert((size_t)method < KOP_COUNT(method_name));
    return method_name[method].ptr;
}
