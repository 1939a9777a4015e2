/*
 * test_parse.c - the HTTP parser against its tables, and the pieces of targets.
 *
 * Owns:      tests of http/parse.c and http/target.c.
 * Invariant: every form is fed whole, byte by byte and split in two, and means the same each time.
 *            The bytes lie in memory of exactly their size: a sanitizer sees a step too far.
 */
#include "http/forms.h"
#include "http/parse.h"
#include "http/target.h"

#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char refused_table[] = "tests/tables/http/smuggling.txt";
static const char accepted_table[] = "tests/tables/http/accepted.txt";

/* Feed [0, split) and then everything; `step` > 0: in steps of that many bytes instead. */
static enum http_result
feed(struct http_parser *parser, const char *request, size_t size, size_t split, size_t step,
     char **bytes)
{
    enum http_result result = HTTP_MORE;
    char *memory = malloc(size + 1), *shrunk;

    http_parse_begin(parser);
    memcpy(memory, request, size);
    if (step > 0) {
        for (size_t count = 0; count <= size && result == HTTP_MORE; count += step)
            result = http_parse(parser, memory, (uint32_t)count);
    } else if (split < size) {
        char *part = malloc(split > 0 ? split : 1);
        memcpy(part, request, split);
        result = http_parse(parser, part, (uint32_t)split);
        memcpy(memory, part, split); /* the bytes move, as a growing buffer does */
        free(part);
    }
    shrunk = realloc(memory, size > 0 ? size : 1);
    assert_non_null(shrunk);
    if (result == HTTP_MORE)
        result = http_parse(parser, shrunk, (uint32_t)size);
    assert_int_equal(http_parse(parser, shrunk, (uint32_t)size), result);
    *bytes = shrunk;
    return result;
}

static bool
same_text(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool
same_meaning(const struct http_parser *a, const char *a_bytes, const struct http_parser *b,
             const char *b_bytes)
{
    if (a->result != b->result || a->status != b->status || a->problem != b->problem ||
        a->head_done != b->head_done || a->at != b->at || a->header_count != b->header_count)
        return false;
    if (memcmp(a->header, b->header, a->header_count * sizeof a->header[0]) != 0)
        return false;
    if (!a->head_done)
        return true;
    return a->method == b->method && a->close == b->close && a->body_len == b->body_len &&
           a->expects_continue == b->expects_continue &&
           same_text(http_path(a, a_bytes), http_path(b, b_bytes)) &&
           same_text(http_query(a, a_bytes), http_query(b, b_bytes)) &&
           same_text(http_host(a, a_bytes), http_host(b, b_bytes)) &&
           same_text(http_body(a, a_bytes), http_body(b, b_bytes));
}

/* Whole, byte by byte, in steps, and split in two at many places: one meaning. */
static void
parse_every_way(const struct form_row *row, struct http_parser *whole, char **whole_bytes)
{
    size_t size = row->request_size, stride = size < 600 ? 1 : size / 37;

    feed(whole, row->request, size, size, 0, whole_bytes);
    for (size_t way = 0; way < 3 + size; way += way < 3 ? 1 : stride) {
        struct http_parser other;
        char *bytes;
        size_t step = way == 0 ? 1 : way == 1 ? 3 : way == 2 ? 4096 : 0;
        feed(&other, row->request, size, way < 3 ? size : way - 3, step, &bytes);
        if (!same_meaning(whole, *whole_bytes, &other, bytes)) {
            fprintf(stderr, "line %d: fed in way %zu it gives %d %d '%s', whole %d %d '%s'\n",
                    row->line, way, other.result, other.status, other.problem, whole->result,
                    whole->status, whole->problem);
            fail();
        }
        free(bytes);
    }
}

static void
check_refused(const struct form_row *row, int status)
{
    struct http_parser parser;
    char *bytes;

    parse_every_way(row, &parser, &bytes);
    if (parser.result != HTTP_REFUSED || parser.status != status) {
        fprintf(stderr, "%s:%d: expected %d, got %d %d '%s'\n", refused_table, row->line, status,
                parser.result, parser.status, parser.problem ? parser.problem : "");
        fail();
    }
    assert_non_null(parser.problem);
    free(bytes);
}

static void
test_every_refused_form(void **state)
{
    struct forms *forms = forms_open(refused_table);
    struct form_row row;
    int rows = 0, expanded = 0;

    (void)state;
    while (forms_next(forms, &row)) {
        int status = (int)strtol(row.word[0], NULL, 10);
        rows++;
        if (row.word_count == 1) {
            check_refused(&row, status);
            continue;
        }
        unsigned char class[256];
        int count = forms_class(row.word[2], class);
        assert_string_equal(row.word[1], "each");
        assert_true(row.hole >= 0);
        for (int i = 0; i < count; i++, expanded++) {
            ((char *)row.request)[row.hole] = (char)class[i];
            check_refused(&row, status);
        }
    }
    forms_close(forms);
    print_message("%d refused forms, %d more from classes of bytes\n", rows, expanded);
    assert_true(rows >= 600);
    assert_true(expanded >= 500);
}

/* What follows a refused request is never taken for a request of its own. */
static void
test_a_refusal_is_final(void **state)
{
    struct http_parser parser;
    char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    http_parse_begin(&parser);
    assert_int_equal(http_parse(&parser, bytes, 34), HTTP_REFUSED);
    assert_int_equal(http_parse(&parser, bytes, sizeof bytes - 1), HTTP_REFUSED);
    assert_int_equal(parser.status, 400);
    assert_false(parser.head_done);
}

static void
assert_word(const struct form_row *row, int word, struct text got)
{
    if (row->word_size[word] == got.len &&
        (got.len == 0 || memcmp(row->word[word], got.ptr, got.len) == 0))
        return;
    fprintf(stderr, "%s:%d: got '%.*s'\n", accepted_table, row->line, (int)got.len, got.ptr);
    fail();
}

static void
check_accepted(const struct form_row *row)
{
    struct http_parser parser;
    char *bytes;
    bool close = false, expects = false;

    parse_every_way(row, &parser, &bytes);
    if (strcmp(row->word[0], "more") == 0) {
        assert_int_equal(parser.result, HTTP_MORE);
        free(bytes);
        return;
    }
    if (parser.result != HTTP_COMPLETE) {
        fprintf(stderr, "%s:%d: got %d '%s'\n", accepted_table, row->line, parser.status,
                parser.problem ? parser.problem : "incomplete");
        fail();
    }
    for (int i = 5; i < row->word_count; i++) {
        close = close || strcmp(row->word[i], "close") == 0;
        expects = expects || strcmp(row->word[i], "continue") == 0;
    }
    assert_string_equal(row->word[row->word_count - 1], ":");
    assert_string_equal(http_method_name(parser.method), row->word[0]);
    assert_word(row, 1, http_path(&parser, bytes));
    assert_word(row, 2, http_query(&parser, bytes));
    assert_word(row, 3, http_body(&parser, bytes));
    assert_int_equal(row->request_size - parser.at, strtol(row->word[4], NULL, 10));
    assert_int_equal(parser.close, close);
    assert_int_equal(parser.expects_continue, expects);
    free(bytes);
}

static void
test_every_accepted_form(void **state)
{
    struct forms *forms = forms_open(accepted_table);
    struct form_row row;
    int rows = 0;

    (void)state;
    for (; forms_next(forms, &row); rows++)
        check_accepted(&row);
    forms_close(forms);
    assert_true(rows >= 80);
}

static void
test_headers_are_found(void **state)
{
    struct http_parser parser;
    char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Language:  ru, en \r\nX:\r\nX: y\r\n\r\n";
    bool found = false;

    (void)state;
    http_parse_begin(&parser);
    assert_int_equal(http_parse(&parser, bytes, sizeof bytes - 1), HTTP_COMPLETE);
    assert_int_equal(parser.header_count, 4);
    struct text value = http_header(&parser, bytes, TEXT("accept-language"), &found);
    assert_true(found);
    assert_true(text_equal(value, TEXT("ru, en")));
    value = http_header(&parser, bytes, TEXT("x"), &found);
    assert_true(found);
    assert_int_equal(value.len, 0);
    value = http_header(&parser, bytes, TEXT("authorization"), &found);
    assert_false(found);
    assert_int_equal(value.len, 0);
    value = http_header(&parser, bytes, TEXT("authorization"), NULL);
    assert_int_equal(value.len, 0);
    value = http_header(&parser, bytes, TEXT("host"), NULL);
    assert_true(text_equal(value, TEXT("a")));
}

static void
test_pipelined_requests_follow_each_other(void **state)
{
    char bytes[] = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                   "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1\r\nc\r\n1\r\nd\r\n0\r\n\r\n"
                   "GET /3?x HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char *const path[] = { "/1", "/2", "/3" }, *const body[] = { "ab", "cd", "" };
    uint32_t size = sizeof bytes - 1, from = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct http_parser parser;
        http_parse_begin(&parser);
        assert_int_equal(http_parse(&parser, bytes + from, size - from), HTTP_COMPLETE);
        assert_true(text_equal(http_path(&parser, bytes + from), text_of(path[i])));
        assert_true(text_equal(http_body(&parser, bytes + from), text_of(body[i])));
        from += parser.at;
    }
    assert_int_equal(from, size);
}

static void
test_paths_split_into_segments(void **state)
{
    struct text path = TEXT("/v1/a%2Fb//c/"), segment;
    static const char *const expected[] = { "v1", "a%2Fb", "", "c", "" };
    size_t count = 0;

    (void)state;
    for (; http_path_next(&path, &segment); count++) {
        assert_true(count < KOP_COUNT(expected));
        assert_true(text_equal(segment, text_of(expected[count])));
    }
    assert_int_equal(count, KOP_COUNT(expected));
    path = TEXT("*");
    assert_false(http_path_next(&path, &segment));
}

static void
test_queries_split_into_parameters(void **state)
{
    struct text query = TEXT("a=1&&b=x=y&c&=d&e=");
    static const char *const name[] = { "a", "b", "c", "", "e" };
    static const char *const value[] = { "1", "x=y", "", "d", "" };
    struct http_param param;
    size_t count = 0;

    (void)state;
    for (; http_query_next(&query, &param); count++) {
        assert_true(count < KOP_COUNT(name));
        assert_true(text_equal(param.name, text_of(name[count])));
        assert_true(text_equal(param.value, text_of(value[count])));
    }
    assert_int_equal(count, KOP_COUNT(name));
}

static void
test_pieces_are_decoded(void **state)
{
    static const struct {
        enum http_piece kind;
        const char *raw, *decoded; /* NULL: refused */
    } cases[] = {
        { HTTP_SEGMENT, "", "" },
        { HTTP_SEGMENT, "abc", "abc" },
        { HTTP_SEGMENT, "a+b", "a+b" },
        { HTTP_VALUE, "a+b", "a b" },
        { HTTP_VALUE, "%2B7%20916", "+7 916" },
        { HTTP_SEGMENT, "a%2Fb", "a/b" },
        { HTTP_SEGMENT, "%D0%9A%d0%be%d0%bf", "Коп" },
        { HTTP_SEGMENT, "%25%34%31", "%41" },
        { HTTP_SEGMENT, "%", NULL },
        { HTTP_SEGMENT, "%4", NULL },
        { HTTP_SEGMENT, "%4g", NULL },
        { HTTP_SEGMENT, "%g4", NULL },
        { HTTP_SEGMENT, "%00", NULL },
        { HTTP_VALUE, "a%0Ab", NULL },
        { HTTP_VALUE, "%7f", NULL },
        { HTTP_SEGMENT, "a\nb", NULL },
        { HTTP_SEGMENT, "%D0", NULL },
        { HTTP_SEGMENT, "%C0%AF", NULL },
        { HTTP_SEGMENT, "%ED%A0%80", NULL },
        { HTTP_SEGMENT, "%F4%90%80%80", NULL },
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, host_source(), 4096, 65536);
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        struct text piece = TEXT("untouched");
        bool done = http_decode(&arena, cases[i].kind, text_of(cases[i].raw), &piece);
        assert_int_equal(done, cases[i].decoded != NULL);
        assert_true(text_equal(piece, text_of(done ? cases[i].decoded : "untouched")));
    }
    arena_release(&arena);
}

static void
test_decoding_without_memory_is_refused(void **state)
{
    static char memory[64] __attribute__((aligned(16)));
    char raw[200];
    struct arena arena;
    struct text piece;

    (void)state;
    memset(raw, '+', sizeof raw);
    arena_init_fixed(&arena, memory, sizeof memory);
    assert_false(http_decode(&arena, HTTP_VALUE, (struct text){ raw, sizeof raw }, &piece));
    assert_true(arena.failed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_refused_form),
        cmocka_unit_test(test_a_refusal_is_final),
        cmocka_unit_test(test_every_accepted_form),
        cmocka_unit_test(test_headers_are_found),
        cmocka_unit_test(test_pipelined_requests_follow_each_other),
        cmocka_unit_test(test_paths_split_into_segments),
        cmocka_unit_test(test_queries_split_into_parameters),
        cmocka_unit_test(test_pieces_are_decoded),
        cmocka_unit_test(test_decoding_without_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
