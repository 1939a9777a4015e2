/*
 * plans.c - compiling documents in tests.
 *
 * Owns:      what test_compile.c and test_plan.c share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "documents.h"
#include "host.h"
#include "plans.h"

#undef assert

struct text text_from(const char *c_string)
{
    return (struct text){ c_string, (uint32_t)strlen(c_string) };
}

void begin(struct arena *arena)
{
    arena_init(arena, host_source(), 64 * 1024, 512 << 20);
}

enum code compile(struct arena *arena, const char *document, struct plan **plan,
                         struct problems *problems)
{
    struct err err = { 0 };
    *plan = NULL;
    return plan_compile(arena, text_from(document), (struct text){ 0 }, 7, plan, problems, &err);
}

/* A document that must be right. */
struct plan *compile_good(struct arena *arena, const char *document)
{
    struct plan *plan;
    struct problems problems;
    enum code rc = compile(arena, document, &plan, &problems);
    if (rc != OK)
        fail_msg("%u mistakes, the first at '%.*s': %.*s", problems.count,
                 problems.count ? (int)problems.item[0].pointer.len : 0,
                 problems.count ? problems.item[0].pointer.ptr : "",
                 problems.count ? (int)problems.item[0].sentence.len : 0,
                 problems.count ? problems.item[0].sentence.ptr : "");
    assert_int_equal(problems.count, 0);
    return plan;
}

struct plan *compile_file(struct arena *arena, const char *path)
{
    char *document = document_read(path, NULL);
    struct plan *plan = compile_good(arena, document);
    memset(document, 'x', strlen(document)); /* the plan owns its texts */
    free(document);
    return plan;
}

void assert_text(struct text text, const char *wanted)
{
    if (!text_equal(text, text_from(wanted)))
        fail_msg("'%.*s' is not '%s'", (int)text.len, text.ptr ? text.ptr : "", wanted);
}

bool says(const struct problem *problem, const char *piece)
{
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "%.*s", (int)problem->sentence.len, problem->sentence.ptr);
    return strstr(sentence, piece) != NULL;
}

bool same_problem(const struct problem *problem, const char *pointer, const char *piece)
{
    return text_equal(problem->pointer, text_from(pointer)) && says(problem, piece);
}
