/*
 * good.h - the good bodies of tests/tables/requests/good/, whole or with one value changed.
 *
 * Owns:      changing JSON by pointer. jansson stays behind it: its names clash with ours.
 * Must not:  know what a body is for.
 */
#ifndef KOP_TESTS_UNIT_SERVICE_GOOD_H
#define KOP_TESTS_UNIT_SERVICE_GOOD_H

#include <stdbool.h>
#include <stddef.h>

/* All results are the caller's to free. A failure (no such file or pointer) ends the program. */

char *good_compact(const char *body);
char *good_sorted(const char *body); /* keys in alphabetic order, indented */
/* The value that `pointer` names. */
char *good_value(const char *body, const char *pointer);
/* The body with the bytes of `value` (any) in its place. */
char *good_with(const char *body, const char *pointer, const char *value, size_t size,
                size_t *result_size);
/* The body without it; NULL when it is an element of an array. */
char *good_without(const char *body, const char *pointer);
/* The last step of the pointer. */
const char *good_last(const char *pointer);

/* Does a second parser read it? Its sorted form, or NULL. */
char *second_parse(const char *text, size_t size);

#endif
