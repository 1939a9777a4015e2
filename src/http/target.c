/*
 * target.c - what a path and a query say: segments, parameters, percent-decoding.
 *
 * Owns:      splitting and decoding.
 * Must not:  decode before splitting; touch a connection.
 * Invariant: a decoded piece is well-formed UTF-8 without control characters.
 * Cost:      linear; copies only a piece that holds an escape.
 * Tests:     tests/unit/http/test_parse.c, tests/fuzz/fuzz_http.c
 */
#include "http/target.h"

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool
needs_copy(enum http_piece kind, struct text raw)
{
    for (uint32_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '%' || (raw.ptr[i] == '+' && kind == HTTP_VALUE))
            return true;
    }
    return false;
}

/* Decode into `to`, which has room for raw.len bytes. false: a broken escape. */
static bool
decode_into(enum http_piece kind, struct text raw, char *to, uint32_t *len)
{
    uint32_t size = 0;

    for (uint32_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '+' && kind == HTTP_VALUE) {
            c = ' ';
        } else if (c == '%') {
            if (raw.len - i < 3)
                return false;
            int high = hex_value(raw.ptr[i + 1]), low = hex_value(raw.ptr[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[size++] = c;
    }
    assert(size <= raw.len);
    *len = size;
    return true;
}

bool
http_decode(struct arena *arena, enum http_piece kind, struct text raw, struct text *piece)
{
    struct text decoded = raw;

    if (needs_copy(kind, raw)) {
        char *to = arena_alloc(arena, raw.len);
        if (!to || !decode_into(kind, raw, to, &decoded.len))
            return false;
        decoded.ptr = to;
    }
    for (uint32_t i = 0; i < decoded.len; i++) {
        if (is_control((unsigned char)decoded.ptr[i]))
            return false;
    }
    if (!text_is_utf8(decoded))
        return false;
    *piece = decoded;
    return true;
}

/* Cut `*rest` at the first `border`, which goes; what was before it comes back. */
static struct text
cut(struct text *rest, char border)
{
    uint32_t at = 0;

    while (at < rest->len && rest->ptr[at] != border)
        at++;
    struct text head = { rest->ptr, at };
    uint32_t gone = at < rest->len ? at + 1 : at;
    rest->ptr += gone;
    rest->len -= gone;
    return head;
}

bool
http_path_next(struct text *path, struct text *segment)
{
    if (path->len == 0 || path->ptr[0] != '/')
        return false;
    uint32_t end = 1;
    while (end < path->len && path->ptr[end] != '/')
        end++;
    *segment = (struct text){ path->ptr + 1, end - 1 };
    path->ptr += end;
    path->len -= end;
    return true;
}

bool
http_query_next(struct text *query, struct http_param *param)
{
    while (query->len > 0) {
        struct text pair = cut(query, '&');
        if (pair.len == 0)
            continue;
        param->name = cut(&pair, '=');
        param->value = pair;
        return true;
    }
    return false;
}
