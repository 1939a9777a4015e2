/*
 * json_tree.h - a JSON document as a tree in an arena, for documents that are checked as a whole.
 *
 * Owns:      struct json_node and access by name.
 * Must not:  be used on a hot path (events use json_read.h).
 * Invariant: members keep the order of the text; duplicate keys are a syntax error.
 */
#ifndef KOP_BASE_JSON_TREE_H
#define KOP_BASE_JSON_TREE_H

#include "base/err.h"
#include "base/json_read.h"

struct json_node {
    enum json_token type; /* OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE or NULL, all JSON_ */
    struct text key;      /* of a member of an object, else empty */
    uint32_t index;       /* position among its siblings */
    struct text value;    /* of a string or a number */
    struct json_node *parent, *first, *next;
    uint32_t count; /* of children */
};

/* CODE_SYNTAX with pointer and reason in `err`, CODE_NO_MEMORY. */
KOP_MUST_CHECK enum code json_tree_parse(struct arena *arena, struct text input,
                                         struct json_node **root, struct err *err);

/* The member named `key`, or NULL (also when `node` is NULL or no object). */
struct json_node *json_member(const struct json_node *node, struct text key);

/* Append the JSON pointer of `node`. */
void json_node_pointer(const struct json_node *node, struct buf *buf);

#endif
