/*
 * test_response.c - the bytes of answers.
 *
 * Owns:      tests of http/response.c.
 */
#include "http/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Render into memory of exactly the bound, so that a sanitizer sees a byte too many. */
static void
check(const struct http_answer *answer, bool head_only, const char *expected)
{
    char *out = malloc(http_render_bound(answer));
    size_t size = http_render(answer, head_only, out);

    assert_int_equal(size, strlen(expected));
    assert_memory_equal(out, expected, size);
    free(out);
}

static void
test_an_answer(void **state)
{
    const struct http_field fields[] = { { TEXT("ETag"), TEXT("\"1\"") },
                                         { TEXT("X-Empty"), TEXT("") } };
    struct http_answer answer = {
        .status = 201,
        .content_type = TEXT("application/json"),
        .fields = fields,
        .field_count = 2,
        .body = TEXT("{}"),
    };

    (void)state;
    check(&answer, false,
          "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
          "ETag: \"1\"\r\nX-Empty: \r\n\r\n{}");
    check(&answer, true,
          "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
          "ETag: \"1\"\r\nX-Empty: \r\n\r\n");
    answer.field_count = 0;
    answer.close = true;
    check(&answer, false,
          "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
          "Connection: close\r\n\r\n{}");
}

static void
test_statuses_without_a_body(void **state)
{
    struct http_answer answer = { .status = 204, .body = TEXT("never sent") };

    (void)state;
    check(&answer, false, "HTTP/1.1 204 No Content\r\n\r\n");
    answer.status = 304;
    check(&answer, false, "HTTP/1.1 304 Not Modified\r\n\r\n");
    answer.status = 200;
    answer.body = (struct text){ NULL, 0 };
    check(&answer, false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    answer.status = 299;
    check(&answer, false, "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\n\r\n");
}

static void
test_fields_that_would_break_out(void **state)
{
    static const struct http_field broken[] = {
        { TEXT(""), TEXT("x") },     { TEXT("A B"), TEXT("x") },
        { TEXT("A:"), TEXT("x") },   { TEXT("A\r\nB"), TEXT("x") },
        { TEXT("A_B"), TEXT("x") },  { TEXT("A"), TEXT("x\r\nB: y") },
        { TEXT("A"), TEXT("x\ny") }, { TEXT("A"), TEXT("x\ry") },
        { TEXT("A"), TEXT("\0") },   { TEXT("A"), TEXT("x\x7f") },
        { TEXT("A"), TEXT("x\ty") }, { TEXT("\xd0\x90"), TEXT("x") },
    };
    char out[1024];

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(broken); i++) {
        const struct http_answer answer = { .status = 200, .fields = &broken[i], .field_count = 1 };
        assert_int_equal(http_render(&answer, false, out), 0);
    }
    const struct http_answer answer = { .status = 200, .content_type = TEXT("a/b\r\nX: y") };
    assert_int_equal(http_render(&answer, false, out), 0);
}

static void
test_every_status_has_its_own_reason(void **state)
{
    (void)state;
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_reason(999), "Unknown");
    for (int a = 200; a < 600; a++) {
        for (int b = a + 1; b < 600; b++) {
            if (strcmp(http_reason(a), "Unknown") != 0)
                assert_string_not_equal(http_reason(a), http_reason(b));
        }
    }
}

static void
test_refusals(void **state)
{
    char out[http_refusal_bytes_max + 1];
    size_t size = http_render_refusal(503, "too many connections", false, out);

    (void)state;
    out[size] = '\0';
    assert_string_equal(out, "HTTP/1.1 503 Service Unavailable\r\n"
                             "Content-Type: application/problem+json\r\nContent-Length: 146\r\n"
                             "Connection: close\r\nRetry-After: 1\r\n\r\n"
                             "{\"type\":\"https://kopilka.dev/problems/BUSY\","
                             "\"outcome\":\"BUSY\",\"title\":\"the server is busy, try again\","
                             "\"status\":503,\"detail\":\"too many connections\"}");
    size = http_render_refusal(400, "why", true, out);
    out[size] = '\0';
    assert_null(strstr(out, "Retry-After"));
    assert_non_null(strstr(out, "\"outcome\":\"REQUEST_MALFORMED\""));
    assert_non_null(strstr(out, "\"title\":\"запрос не является корректным HTTP\""));
}

/* Every status that the server itself refuses with has an outcome, and fits in both languages. */
static void
test_every_refusal_has_an_outcome(void **state)
{
    static const int statuses[] = { 400, 408, 413, 414, 417, 431, 500, 501, 503, 505 };
    char out[http_refusal_bytes_max + 1], longest[97];

    (void)state;
    memset(longest, 'x', 96);
    longest[96] = '\0';
    for (size_t i = 0; i < KOP_COUNT(statuses); i++) {
        for (int russian = 0; russian < 2; russian++) {
            size_t size = http_render_refusal(statuses[i], longest, russian, out);
            assert_in_range(size, 1, http_refusal_bytes_max);
            out[size] = '\0';
            assert_non_null(strstr(out, "\"outcome\":\""));
            assert_int_equal(strstr(out, "/INTERNAL\"") != NULL, statuses[i] == 500);
        }
    }
}

static void
test_the_language_of_a_broken_head(void **state)
{
    static const struct {
        const char *head;
        bool russian;
    } cases[] = {
        { "", false },
        { "GET / HTTP/9\r\nAccept-Language: ru-RU,ru;q=0.9\r\n\r\n", true },
        { "GET / HTTP/9\r\nHost: x\r\naccept-LANGUAGE:\tRU\r\n", true },
        { "GET / HTTP/9\r\nAccept-Language: en, ru\r\n\r\n", false },
        { "GET / HTTP/9\r\nAccept-Language: run\r\n\r\n", false },
        { "GET / HTTP/9\r\nAccept-Language:", false },
        { "GET / HTTP/9\r\nAccept-Languag", false },
        { "GET / HTTP/9\r\nX-Accept-Language: ru\r\n\r\n", false },
        { "POST / HTTP/1.1\r\nHost: x\r\n\r\n\r\nAccept-Language: ru\r\n", false },
    };

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(cases); i++)
        assert_int_equal(http_head_is_russian(text_of(cases[i].head)), cases[i].russian);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_statuses_without_a_body),
        cmocka_unit_test(test_fields_that_would_break_out),
        cmocka_unit_test(test_every_status_has_its_own_reason),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_every_refusal_has_an_outcome),
        cmocka_unit_test(test_the_language_of_a_broken_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
