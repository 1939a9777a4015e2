/*
 * oracle.h - a second JSON parser (jansson) under names that do not clash with ours.
 *
 * Owns:      the view of a document that the comparison needs.
 * Must not:  include a header of base: both sides name JSON_OBJECT and json_string().
 */
#ifndef KOP_TESTS_UNIT_BASE_ORACLE_H
#define KOP_TESTS_UNIT_BASE_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

struct oracle; /* a value of the other parser */

enum oracle_kind {
    ORACLE_OBJECT,
    ORACLE_ARRAY,
    ORACLE_STRING,
    ORACLE_INTEGER,
    ORACLE_REAL,
    ORACLE_TRUE,
    ORACLE_FALSE,
    ORACLE_NULL,
};

/*
 * The document, or NULL with a reason in `problem`. `*cannot`: it is refused only because that
 * parser holds numbers in 64 bits, and no zero bytes in keys. Duplicate keys are refused.
 */
struct oracle *oracle_parse(const char *text, size_t len, bool *cannot, char problem[200]);
void oracle_free(struct oracle *root);

enum oracle_kind oracle_kind(const struct oracle *value);
size_t oracle_count(const struct oracle *value); /* of members or elements */
struct oracle *oracle_member(const struct oracle *value, const char *key, size_t len);
struct oracle *oracle_element(const struct oracle *value, size_t index);
const char *oracle_string(const struct oracle *value, size_t *len);
long long oracle_integer(const struct oracle *value);
double oracle_real(const struct oracle *value);

#endif
