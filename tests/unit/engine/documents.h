/*
 * documents.h - the tables of programme documents in tests/tables/programme/.
 *
 * Owns:      reading a table; a base document changed by JSON pointers.
 * Must not:  know the compiler.
 */
#ifndef KOP_TESTS_UNIT_ENGINE_DOCUMENTS_H
#define KOP_TESTS_UNIT_ENGINE_DOCUMENTS_H

#include <stddef.h>

enum { expected_max = 32 };

/* A case: its document, and what it says about the mistakes. */
struct document_case {
    char name[128];
    int line;                      /* of the table, for messages */
    char *document;                /* JSON */
    int expected_count;
    char pointer[expected_max][256];
    char piece[expected_max][256]; /* of the sentence */
};

/* Call `visit` for every case of the table; returns how many there were. Stops the test on a table
 * that cannot be read. */
int documents_each(const char *table, const char *base,
                   void (*visit)(const struct document_case *, void *), void *context);

/* A whole file, to be freed; stops the test when it cannot be read. */
char *document_read(const char *path, size_t *size);

/* A document that a test writes piece by piece. */
struct page {
    char *text; /* to be freed */
    size_t size, cap;
};
/* Like printf(), but a ' of the format becomes a ". */
void page_add(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A piece of JSON of any length, with ' for ". */
void page_add_json(struct page *page, const char *json);

/* Minimal TZif bytes of a place that is always three hours before UTC. */
size_t document_tzif(unsigned char *bytes, size_t cap);

#endif
