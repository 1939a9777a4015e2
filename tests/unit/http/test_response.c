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
    size_t size = http_render_refusal(503, "too many connections", out);

    (void)state;
    out[size] = '\0';
    assert_string_equal(out, "HTTP/1.1 503 Service Unavailable\r\n"
                             "Content-Type: application/problem+json\r\nContent-Length: 76\r\n"
                             "Connection: close\r\nRetry-After: 1\r\n\r\n"
                             "{\"status\":503,\"title\":\"Service Unavailable\","
                             "\"detail\":\"too many connections\"}");
    size = http_render_refusal(400, "why", out);
    out[size] = '\0';
    assert_null(strstr(out, "Retry-After"));
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
