/*
 * good.c - the good bodies of tests/tables/requests/good/, whole or with one value changed.
 *
 * Owns:      changing JSON by pointer, by jansson.
 * Must not:  call json_string() or json_null(): the linker would take ours.
 */
#include "good.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
must(void *pointer, const char *what)
{
    if (pointer == NULL) {
        fprintf(stderr, "no %s\n", what);
        abort();
    }
    return pointer;
}

static json_t *
load(const char *body)
{
    char path[128];

    snprintf(path, sizeof(path), "tests/tables/requests/good/%s.json", body);
    return must(json_load_file(path, 0, NULL), path);
}

const char *
good_last(const char *pointer)
{
    return strrchr(pointer, '/') + 1;
}

static json_t *
child(json_t *parent, const char *name)
{
    return json_is_array(parent) ? json_array_get(parent, strtoul(name, NULL, 10))
                                 : json_object_get(parent, name);
}

/* What holds the value that `pointer` names; the value must be there. */
static json_t *
find_parent(json_t *root, const char *pointer)
{
    json_t *at = root;

    for (const char *end; (end = strchr(pointer + 1, '/')) != NULL; pointer = end) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)(end - pointer - 1), pointer + 1);
        at = must(child(at, name), name);
    }
    must(child(at, pointer + 1), pointer);
    return at;
}

char *
good_compact(const char *body)
{
    json_t *root = load(body);
    char *text = must(json_dumps(root, JSON_COMPACT), "memory");

    json_decref(root);
    return text;
}

char *
good_sorted(const char *body)
{
    json_t *root = load(body);
    char *text = must(json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(3)), "memory");

    json_decref(root);
    return text;
}

char *
good_value(const char *body, const char *pointer)
{
    json_t *root = load(body);
    json_t *value = child(find_parent(root, pointer), good_last(pointer));
    char *text = must(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), "memory");

    json_decref(root);
    return text;
}

char *
good_with(const char *body, const char *pointer, const char *value, size_t size,
          size_t *result_size)
{
    static const char mark[] = "\"@@\"";
    json_t *root = load(body);
    json_t *parent = find_parent(root, pointer);
    json_t *place = must(json_pack("s", "@@"), "memory");

    if (json_is_array(parent))
        json_array_set_new(parent, strtoul(good_last(pointer), NULL, 10), place);
    else
        json_object_set_new(parent, good_last(pointer), place);
    char *text = must(json_dumps(root, JSON_COMPACT), "memory");
    char *at = must(strstr(text, mark), "mark");
    size_t before = (size_t)(at - text), after = strlen(at) - strlen(mark);
    char *result = must(malloc(before + size + after + 1), "memory");
    memcpy(result, text, before);
    memcpy(result + before, value, size);
    memcpy(result + before + size, at + strlen(mark), after + 1);
    *result_size = before + size + after;
    free(text);
    json_decref(root);
    return result;
}

char *
good_without(const char *body, const char *pointer)
{
    json_t *root = load(body);
    json_t *parent = find_parent(root, pointer);
    char *text = NULL;

    if (json_object_del(parent, good_last(pointer)) == 0)
        text = must(json_dumps(root, JSON_COMPACT), "memory");
    json_decref(root);
    return text;
}

char *
second_parse(const char *text, size_t size)
{
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    char *sorted = NULL;

    if (root != NULL)
        sorted = must(json_dumps(root, JSON_SORT_KEYS | JSON_COMPACT), "memory");
    json_decref(root);
    return sorted;
}
