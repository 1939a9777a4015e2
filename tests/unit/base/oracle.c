/*
 * oracle.c - jansson behind oracle.h.
 *
 * Owns:      the flags that make it as strict as ours.
 * Must not:  judge: the test compares.
 */
#include "oracle.h"

#include <jansson.h>
#include <stdio.h>

/* A struct oracle is a json_t under another name. */
static json_t *value_of(const struct oracle *value)
{
    return (json_t *)value;
}

struct oracle *oracle_parse(const char *text, size_t len, bool *cannot, char problem[200])
{
    json_error_t error = { 0 };
    json_t *root = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                              &error);

    *cannot = root == NULL && (json_error_code(&error) == json_error_numeric_overflow ||
                               json_error_code(&error) == json_error_null_byte_in_key);
    snprintf(problem, 200, "%s", root == NULL ? error.text : "");
    return (struct oracle *)root;
}

void oracle_free(struct oracle *root)
{
    json_decref(value_of(root));
}

enum oracle_kind oracle_kind(const struct oracle *value)
{
    switch (json_typeof(value_of(value))) {
    case JSON_OBJECT:  return ORACLE_OBJECT;
    case JSON_ARRAY:   return ORACLE_ARRAY;
    case JSON_STRING:  return ORACLE_STRING;
    case JSON_INTEGER: return ORACLE_INTEGER;
    case JSON_REAL:    return ORACLE_REAL;
    case JSON_TRUE:    return ORACLE_TRUE;
    case JSON_FALSE:   return ORACLE_FALSE;
    default:           return ORACLE_NULL;
    }
}

size_t oracle_count(const struct oracle *value)
{
    return json_is_object(value_of(value)) ? json_object_size(value_of(value))
                                           : json_array_size(value_of(value));
}

struct oracle *oracle_member(const struct oracle *value, const char *key, size_t len)
{
    return (struct oracle *)json_object_getn(value_of(value), key, len);
}

struct oracle *oracle_element(const struct oracle *value, size_t index)
{
    return (struct oracle *)json_array_get(value_of(value), index);
}

const char *oracle_string(const struct oracle *value, size_t *len)
{
    *len = json_string_length(value_of(value));
    return json_string_value(value_of(value));
}

long long oracle_integer(const struct oracle *value)
{
    return json_integer_value(value_of(value));
}

double oracle_real(const struct oracle *value)
{
    return json_real_value(value_of(value));
}
