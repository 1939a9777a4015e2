/*
 * response.c - the bytes of an answer: status line, headers, body.
 *
 * Owns:      rendering, reason phrases, the refusals of the server itself.
 * Must not:  touch a socket or allocate.
 * Invariant: what is written never passes http_render_bound(); a field that could break out of its
 *            line makes the whole rendering fail, and nothing of it is sent.
 * Cost:      one pass over the fields, one copy of the body.
 * Tests:     tests/unit/http/test_response.c
 */
#include "http/response.h"

#include "base/mem.h"
#include "core/outcome.h"

/* Status line, Content-Type's name, Content-Length, Connection, the empty line: less than this. */
enum { fixed_bytes_max = 192 };

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 206, "Partial Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 402, "Payment Required" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 406, "Not Acceptable" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 411, "Length Required" },
    { 412, "Precondition Failed" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 422, "Unprocessable Content" },
    { 423, "Locked" },
    { 425, "Too Early" },
    { 428, "Precondition Required" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
};

const char *
http_reason(int status)
{
    for (size_t i = 0; i < KOP_COUNT(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

static char *
put(char *to, struct text text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    return to + text.len;
}

static char *
put_number(char *to, uint32_t number)
{
    char digits[10];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

static bool
is_value(struct text value)
{
    for (uint32_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

static bool
is_name(struct text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return false;
    }
    return name.len > 0;
}

static bool
has_body(int status)
{
    return status != 204 && status != 304;
}

size_t
http_render_bound(const struct http_answer *answer)
{
    size_t bound = fixed_bytes_max + answer->content_type.len + answer->body.len;

    assert(answer->field_count <= http_fields_max);
    for (uint32_t i = 0; i < answer->field_count; i++)
        bound += (size_t)answer->fields[i].name.len + answer->fields[i].value.len + 4;
    return bound;
}

size_t
http_render(const struct http_answer *answer, bool head_only, char *out)
{
    char *to = out;

    assert(answer->status >= 200);
    assert(answer->status <= 599);
    if (!is_value(answer->content_type))
        return 0;
    to = put(to, TEXT("HTTP/1.1 "));
    to = put_number(to, (uint32_t)answer->status);
    *to++ = ' ';
    to = put(to, text_of(http_reason(answer->status)));
    if (answer->content_type.len > 0) {
        to = put(to, TEXT("\r\nContent-Type: "));
        to = put(to, answer->content_type);
    }
    if (has_body(answer->status)) {
        to = put(to, TEXT("\r\nContent-Length: "));
        to = put_number(to, answer->body.len);
    }
    if (answer->close)
        to = put(to, TEXT("\r\nConnection: close"));
    for (uint32_t i = 0; i < answer->field_count; i++) {
        const struct http_field *field = &answer->fields[i];
        if (!is_name(field->name) || !is_value(field->value))
            return 0;
        to = put(to, TEXT("\r\n"));
        to = put(to, field->name);
        to = put(to, TEXT(": "));
        to = put(to, field->value);
    }
    to = put(to, TEXT("\r\n\r\n"));
    if (has_body(answer->status) && !head_only)
        to = put(to, answer->body);
    assert((size_t)(to - out) <= http_render_bound(answer));
    return (size_t)(to - out);
}

/* What the server itself refuses, by status; the words are the list's. */
static enum outcome
refusal_outcome(int status)
{
    static const enum outcome refusals[] = {
        OUTCOME_REQUEST_MALFORMED,   OUTCOME_REQUEST_SLOW,   OUTCOME_BODY_TOO_LARGE,
        OUTCOME_TARGET_LONG,         OUTCOME_HEAD_TOO_LARGE, OUTCOME_METHOD_UNKNOWN,
        OUTCOME_EXPECTATION_UNKNOWN, OUTCOME_BUSY,           OUTCOME_VERSION_UNKNOWN,
        OUTCOME_INTERNAL,
    };

    for (size_t i = 0; i < KOP_COUNT(refusals); i++)
        if (outcome_http_status(refusals[i]) == status)
            return refusals[i];
    assert(!"a refusal without an outcome");
    return OUTCOME_INTERNAL;
}

/* Are the letters of `text` those of `lower`, whatever their case? `lower` holds no capitals. */
static bool
begins_folded(struct text text, struct text lower)
{
    if (text.len < lower.len)
        return false;
    for (uint32_t i = 0; i < lower.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + ('a' - 'A'));
        if (c != lower.ptr[i])
            return false;
    }
    return true;
}

bool
http_is_russian(struct text languages)
{
    if (!begins_folded(languages, TEXT("ru")))
        return false;
    char next = languages.len > 2 ? languages.ptr[2] : ',';
    return next == '-' || next == ',' || next == ';' || next == ' ' || next == '\r';
}

bool
http_head_is_russian(struct text head)
{
    const struct text wanted = TEXT("\naccept-language:"), end = TEXT("\n\r\n");

    for (uint32_t i = 0; i < head.len; i++) {
        struct text rest = { head.ptr + i, head.len - i };
        if (head.ptr[i] != '\n')
            continue;
        if (begins_folded(rest, end))
            return false;
        if (!begins_folded(rest, wanted))
            continue;
        rest = (struct text){ rest.ptr + wanted.len, rest.len - wanted.len };
        while (rest.len > 0 && (*rest.ptr == ' ' || *rest.ptr == '\t'))
            rest = (struct text){ rest.ptr + 1, rest.len - 1 };
        return http_is_russian(rest);
    }
    return false;
}

size_t
http_render_refusal(int status, const char *detail, bool russian, char *out)
{
    enum outcome outcome = refusal_outcome(status);
    struct text name = text_of(outcome_name(outcome)), problem = text_of(detail);
    char body[512], *to = body;

    assert(problem.len <= 96);
    to = put(to, TEXT("{\"type\":\"https://kopilka.dev/problems/"));
    to = put(to, name);
    to = put(to, TEXT("\",\"outcome\":\""));
    to = put(to, name);
    to = put(to, TEXT("\",\"title\":\""));
    to = put(to, text_of(outcome_sentence(outcome, russian)));
    to = put(to, TEXT("\",\"status\":"));
    to = put_number(to, (uint32_t)status);
    to = put(to, TEXT(",\"detail\":\""));
    to = put(to, problem);
    to = put(to, TEXT("\"}"));
    assert((size_t)(to - body) <= sizeof body);

    const struct http_field retry = { TEXT("Retry-After"), TEXT("1") };
    const struct http_answer answer = {
        .status = status,
        .content_type = TEXT("application/problem+json"),
        .fields = &retry,
        .field_count = status == 503 ? 1 : 0,
        .body = { body, (uint32_t)(to - body) },
        .close = true,
    };
    assert(http_render_bound(&answer) <= http_refusal_bytes_max);
    return http_render(&answer, false, out);
}
