/*
 * documents.c - reads tables of programme documents and changes a base document by them.
 *
 * Owns:      the notation: "= name", "set POINTER JSON", "del POINTER", "! POINTER | piece".
 * Must not:  know the compiler.
 */
#include "documents.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>
#include <jansson.h>

char *document_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open '%s'", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    char *bytes = malloc((size_t)length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    bytes[length] = '\0';
    if (size != NULL)
        *size = (size_t)length;
    return bytes;
}

static void make_room(struct page *page, size_t size)
{
    if (page->size + size <= page->cap)
        return;
    page->cap = page->cap * 2 + size + 65536;
    page->text = realloc(page->text, page->cap);
    assert_non_null(page->text);
}

void page_add_json(struct page *page, const char *json)
{
    size_t length = strlen(json);
    make_room(page, length + 1);
    for (size_t i = 0; i <= length; i++)
        page->text[page->size + i] = json[i] == '\'' ? '"' : json[i];
    page->size += length;
}

void page_add(struct page *page, const char *format, ...)
{
    char quoted[1024];
    va_list args;
    size_t length = strlen(format);

    assert_true(length < sizeof quoted);
    for (size_t i = 0; i <= length; i++)
        quoted[i] = format[i] == '\'' ? '"' : format[i];
    make_room(page, 4096);
    va_start(args, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int written = vsnprintf(page->text + page->size, page->cap - page->size, quoted, args);
#pragma GCC diagnostic pop
    va_end(args);
    assert_true(written >= 0 && (size_t)written < page->cap - page->size);
    page->size += (size_t)written;
}

/* The next part of a pointer, unescaped; false at its end. */
static int next_part(const char **at, char *part, size_t cap)
{
    size_t length = 0;
    if (**at != '/')
        return 0;
    (*at)++;
    while (**at != '/' && **at != '\0') {
        char c = *(*at)++;
        if (c == '~')
            c = *(*at)++ == '1' ? '/' : '~';
        assert_true(length + 1 < cap);
        part[length++] = c;
    }
    part[length] = '\0';
    return 1;
}

static json_t *child_of(json_t *node, const char *part)
{
    return json_is_array(node) ? json_array_get(node, strtoul(part, NULL, 10))
                               : json_object_get(node, part);
}

/* Set (value) or delete (NULL) what `pointer` names. */
static void change(json_t *root, const char *pointer, json_t *value)
{
    char part[256], next[256];
    json_t *node = root;
    const char *at = pointer;

    if (!next_part(&at, part, sizeof part))
        fail_msg("not a pointer: '%s'", pointer);
    while (next_part(&at, next, sizeof next)) {
        node = child_of(node, part);
        if (node == NULL)
            fail_msg("nothing at '%s' before '%s'", pointer, next);
        memcpy(part, next, sizeof part);
    }
    int failed;
    if (value == NULL)
        failed = json_is_array(node) ? json_array_remove(node, strtoul(part, NULL, 10))
                                     : json_object_del(node, part);
    else if (json_is_array(node))
        failed = strcmp(part, "-") == 0 ? json_array_append(node, value)
                                        : json_array_set(node, strtoul(part, NULL, 10), value);
    else
        failed = json_object_set(node, part, value);
    if (failed)
        fail_msg("cannot change '%s'", pointer);
}

static void read_change(json_t *root, const char *text, int is_set, int line)
{
    char pointer[512];
    size_t length = strcspn(text, " ");
    assert_true(length < sizeof pointer);
    memcpy(pointer, text, length);
    pointer[length] = '\0';
    if (!is_set) {
        change(root, pointer, NULL);
        return;
    }
    json_error_t error;
    json_t *value = json_loads(text + length, JSON_DECODE_ANY, &error);
    if (value == NULL)
        fail_msg("line %d: %s", line, error.text);
    change(root, pointer, value);
    json_decref(value);
}

static void read_expected(struct document_case *one, const char *text)
{
    const char *bar = strstr(text, " | ");
    assert_true(one->expected_count < expected_max);
    if (bar == NULL)
        fail_msg("no ' | ' in '%s'", text);
    int n = one->expected_count++;
    snprintf(one->pointer[n], sizeof one->pointer[n], "%.*s", (int)(bar - text), text);
    snprintf(one->piece[n], sizeof one->piece[n], "%s", bar + 3);
}

static void finish(struct document_case *one, json_t *root,
                   void (*visit)(const struct document_case *, void *), void *context)
{
    one->document = json_dumps(root, JSON_COMPACT);
    assert_non_null(one->document);
    visit(one, context);
    free(one->document);
    json_decref(root);
}

int documents_each(const char *table, const char *base,
                   void (*visit)(const struct document_case *, void *), void *context)
{
    char *base_text = document_read(base, NULL), *text = document_read(table, NULL);
    struct document_case one;
    json_t *root = NULL;
    int cases = 0, number = 0;
    char *rest = text, *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        number++;
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (strncmp(line, "= ", 2) == 0) {
            if (root != NULL)
                finish(&one, root, visit, context);
            memset(&one, 0, sizeof one);
            snprintf(one.name, sizeof one.name, "%s", line + 2);
            one.line = number;
            root = json_loads(base_text, 0, NULL);
            assert_non_null(root);
            cases++;
        } else if (strncmp(line, "set ", 4) == 0) {
            read_change(root, line + 4, 1, number);
        } else if (strncmp(line, "del ", 4) == 0) {
            read_change(root, line + 4, 0, number);
        } else if (strncmp(line, "! ", 2) == 0) {
            read_expected(&one, line + 2);
        } else {
            fail_msg("%s:%d: '%s' is no line of a table", table, number, line);
        }
    }
    if (root != NULL)
        finish(&one, root, visit, context);
    free(text);
    free(base_text);
    return cases;
}

/* A header with one type and no transitions, and the version-2 block with its footer. */
size_t document_tzif(unsigned char *bytes, size_t cap)
{
    static const char footer[] = "\n<+03>-3\n";
    static const unsigned char type[] = { 0, 0, 0x2a, 0x30, 0, 0, '+', '0', '3', 0 };
    size_t size = 0;

    assert_true(cap >= 2 * (44 + sizeof type) + sizeof footer);
    for (int block = 0; block < 2; block++) {
        unsigned char header[44] = { 'T', 'Z', 'i', 'f', '2' };
        header[39] = 1; /* types */
        header[43] = 4; /* bytes of abbreviations */
        memcpy(bytes + size, header, sizeof header);
        size += sizeof header;
        memcpy(bytes + size, type, sizeof type);
        size += sizeof type;
    }
    memcpy(bytes + size, footer, sizeof footer - 1);
    return size + sizeof footer - 1;
}
