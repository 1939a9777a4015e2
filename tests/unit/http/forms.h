/*
 * forms.h - reads the tables of HTTP requests in tests/tables/http/.
 *
 * Owns:      the tables' notation: forms, escapes, repetitions.
 * Must not:  know what a request means.
 * Invariant: a line that it does not understand ends the program with its number.
 */
#ifndef KOP_TESTS_UNIT_HTTP_FORMS_H
#define KOP_TESTS_UNIT_HTTP_FORMS_H

#include <stdbool.h>
#include <stddef.h>

enum { forms_bytes_max = 4 * 1024 * 1024 };

/* One row: the words before the last string, and the request that the last string makes. */
struct form_row {
    int line;            /* in the file */
    const char *word[8]; /* unquoted words as written, strings unescaped and NUL-terminated */
    size_t word_size[8]; /* a string may hold NULs */
    int word_count;
    const char *request;
    size_t request_size;
    int hole; /* where \? stands in the request, or -1 */
};

struct forms; /* an open table */

struct forms *forms_open(const char *path);
/* The next row; everything in it lives until the next call. false at the end. */
bool forms_next(struct forms *forms, struct form_row *row);
void forms_close(struct forms *forms);

/* The bytes of a class named in `each CLASS`; how many. */
int forms_class(const char *name, unsigned char bytes[256]);

#endif
