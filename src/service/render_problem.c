/*
 * render_problem.c - refusals as problem+json (RFC 9457).
 *
 * Owns:      the form of a problem.
 * Must not:  map an outcome to words or a status: core/outcome.h does.
 * Invariant: `type` ends with the outcome's name.
 * Tests:     tests/unit/service/test_render.c
 */
#include "service/render_parts.h"

static void
put_mistakes(struct json_writer *writer, const struct problems *mistakes)
{
    json_key(writer, "mistakes");
    json_begin_array(writer);
    for (uint32_t i = 0; i < mistakes->count; i++) {
        json_begin_object(writer);
        json_key(writer, "pointer");
        json_text(writer, mistakes->item[i].pointer);
        json_key(writer, "detail");
        json_text(writer, mistakes->item[i].sentence);
        json_end_object(writer);
    }
    json_end_array(writer);
    if (mistakes->lost > 0) {
        json_key(writer, "mistakes_lost");
        json_i64(writer, mistakes->lost);
    }
}

void
render_problem(const struct problem_view *problem, bool russian, struct buf *out)
{
    const char *name = outcome_name(problem->outcome);
    struct json_writer writer;

    assert(problem->outcome != OUTCOME_DONE);
    json_write_init(&writer, out);
    buf_add_text(out, TEXT("{\"type\":\"https://kopilka.dev/problems/"));
    buf_add_text(out, text_of(name));
    buf_add_text(out, TEXT("\",\"outcome\":\""));
    buf_add_text(out, text_of(name));
    buf_add_text(out, TEXT("\""));
    writer.comma = true;
    json_key(&writer, "title");
    json_string(&writer, outcome_sentence(problem->outcome, russian));
    json_key(&writer, "status");
    json_i64(&writer, outcome_http_status(problem->outcome));
    if (problem->detail.len > 0) {
        json_key(&writer, "detail");
        json_text(&writer, problem->detail);
    }
    if (problem->pointer.len > 0) {
        json_key(&writer, "pointer");
        json_text(&writer, problem->pointer);
    }
    if (problem->has_limit) {
        json_key(&writer, "limit");
        json_decimal(&writer, problem->limit, problem->limit_scale);
    }
    if (problem->mistakes != NULL)
        put_mistakes(&writer, problem->mistakes);
    if (problem->quote != NULL) {
        assert(problem->plan != NULL);
        assert(problem->quote_hash != NULL);
        json_key(&writer, "quote");
        render_record(problem->quote, problem->plan, problem->quote_hash, russian, out);
        writer.comma = true;
    }
    json_end_object(&writer);
}
