/*
 * json_help.h - random JSON documents, and trees written back.
 *
 * Owns:      the generator that the oracle and round-trip tests share.
 * Must not:  use the writer to make documents: it would hide the writer's faults.
 */
#ifndef KOP_TESTS_UNIT_BASE_JSON_HELP_H
#define KOP_TESTS_UNIT_BASE_JSON_HELP_H

#include "base/json_tree.h"
#include "base/json_write.h"
#include "unit.h"

/* A random valid document with white space, escapes and other alphabets; keys may repeat. */
struct text random_document(struct random64 *random, struct arena *arena);

/* `document` with a few bytes changed, taken out or put in. */
struct text random_damage(struct random64 *random, struct arena *arena, struct text document);

/* The tree as compact JSON, through json_write.h. */
struct text tree_text(const struct json_node *node, struct arena *arena);

#endif
