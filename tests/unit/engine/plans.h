/*
 * plans.h - compiling documents in tests.
 *
 * Owns:      what test_compile.c and test_plan.c share.
 */
#ifndef KOP_TESTS_UNIT_ENGINE_PLANS_H
#define KOP_TESTS_UNIT_ENGINE_PLANS_H

#include "engine/compile.h"

/* The beginning of a small document, for page_add(). */
#define SMALL "{'format':1,'id':'a','name':{'en':'a'},'money':{'code':'X','scale':2},"
#define BASE "tests/tables/programme/base.json"

struct text text_from(const char *c_string);

/* An arena with room for the largest document. */
void begin(struct arena *arena);

/* Version 7 of a document without a zone; `*plan` is NULL unless OK. */
enum code compile(struct arena *arena, const char *document, struct plan **plan,
                  struct problems *problems);

/* A document that must be right; the test fails with its first mistake otherwise. */
struct plan *compile_good(struct arena *arena, const char *document);
struct plan *compile_file(struct arena *arena, const char *path);

void assert_text(struct text text, const char *wanted);

/* Does the sentence hold the piece (and is the pointer that one)? */
bool says(const struct problem *problem, const char *piece);
bool same_problem(const struct problem *problem, const char *pointer, const char *piece);

#endif
