/*
 * test_openapi.c - docs/openapi.yaml and the program know the same routes and the same fields.
 *
 * Owns:      the comparison with service/routes.def and tests/tables/requests/fields.txt.
 * Must not:  read YAML in general: the document's indents are fixed, and this test keeps them so.
 */
#include "programme.h"

struct document {
    char *text;
    char *line[4096];
    size_t count;
};

static void
open_document(struct document *document)
{
    char *rest;

    document->count = 0;
    document->text = rest = read_file("docs/openapi.yaml");
    while (rest != NULL && *rest != '\0') {
        assert_true(document->count < KOP_COUNT(document->line));
        document->line[document->count++] = strsep(&rest, "\n");
    }
}

/* Is this line the key `name` at this indent? */
static bool
is_key(const char *line, size_t indent, const char *name)
{
    size_t size = strlen(name);

    if (strspn(line, " ") != indent)
        return false;
    line += indent;
    return strncmp(line, name, size) == 0 && line[size] == ':';
}

/* The line of key `name` at `indent` after line `from`, before anything stands further left. */
static size_t
find_key(const struct document *document, size_t from, size_t indent, const char *name)
{
    for (size_t i = from + 1; i < document->count; i++) {
        size_t here = strspn(document->line[i], " ");
        if (document->line[i][here] == '\0')
            continue;
        if (here < indent)
            break;
        if (is_key(document->line[i], indent, name))
            return i;
    }
    return 0;
}

static size_t
find_section(const struct document *document, const char *name)
{
    for (size_t i = 0; i < document->count; i++)
        if (is_key(document->line[i], 0, name))
            return i;
    fail_msg("no section '%s'", name);
    return 0;
}

static const struct {
    const char *method, *path;
} routes[] = {
#define ROUTE(name, method, path, scope, key) { method, path },
#include "service/routes.def"
#undef ROUTE
};

static void
routes_are_the_same(void **state)
{
    struct document document;
    size_t described = 0;

    (void)state;
    open_document(&document);
    size_t paths = find_section(&document, "paths");
    for (size_t i = 0; i < KOP_COUNT(routes); i++) {
        char method[8];
        snprintf(method, sizeof(method), "%s", routes[i].method);
        for (char *c = method; *c != '\0'; c++)
            *c = (char)(*c | 0x20);
        size_t path = find_key(&document, paths, 2, routes[i].path);
        if (path == 0 || find_key(&document, path, 4, method) == 0)
            fail_msg("docs/openapi.yaml lacks %s %s", routes[i].method, routes[i].path);
    }
    size_t end = find_section(&document, "components");
    for (size_t i = paths; i < end; i++)
        described += is_key(document.line[i], 4, "get") || is_key(document.line[i], 4, "post") ||
                     is_key(document.line[i], 4, "put") || is_key(document.line[i], 4, "patch") ||
                     is_key(document.line[i], 4, "delete");
    assert_int_equal(described, KOP_COUNT(routes));
    free(document.text);
}

static const struct {
    const char *body, *schema;
} schemas[] = {
    { "purchase", "Purchase" },
    { "return", "Return" },
    { "cancel", "Cancel" },
    { "enrol", "Enrol" },
    { "find", "Find" },
    { "card", "Card" },
    { "opening", "Opening" },
    { "event", "Event" },
    { "version", "Version" },
    { "evaluate", "Evaluate" },
    { "evaluate_event", "EvaluateEvent" },
    { "evaluate_member", "EvaluateMember" },
};

static const char *
schema_of(const char *body)
{
    for (size_t i = 0; i < KOP_COUNT(schemas); i++)
        if (strcmp(schemas[i].body, body) == 0)
            return schemas[i].schema;
    fail_msg("no schema for '%s'", body);
    return NULL;
}

/* Every field that a body has, its schema has; and it is required in both or in neither. */
static void
fields_are_the_same(void **state)
{
    struct document document;
    char *text = read_file("tests/tables/requests/fields.txt"), *rest = text, *line;
    int fields = 0;

    (void)state;
    open_document(&document);
    size_t all = find_key(&document, find_section(&document, "components"), 2, "schemas");
    assert_true(all > 0);
    while ((line = strsep(&rest, "\n")) != NULL) {
        char body[32], pointer[64], needed[16];
        if (sscanf(line, "%31s %63s %*s %15s", body, pointer, needed) != 3 || body[0] == '#' ||
            strchr(pointer + 1, '/') != NULL)
            continue;
        const char *schema = schema_of(body);
        size_t at = find_key(&document, all, 4, schema);
        size_t properties = at ? find_key(&document, at, 6, "properties") : 0;
        if (properties == 0 || find_key(&document, properties, 8, pointer + 1) == 0)
            fail_msg("schema %s lacks %s", schema, pointer);
        size_t required = find_key(&document, at, 6, "required");
        const char *list = required != 0 && required < properties ? document.line[required] : "";
        bool is_required = false;
        for (const char *c = list; !is_required && (c = strstr(c, pointer + 1)) != NULL; c++)
            is_required = strchr("[ ", c[-1]) != NULL && strchr(",]", c[strlen(pointer + 1)]);
        /* lines may stay away when a reserve is committed, or the event is no purchase; a
         * programme's document is given apart on the command line */
        bool sometimes = strcmp(pointer, "/lines") == 0 || strcmp(body, "evaluate") == 0;
        if (!sometimes && is_required != (strcmp(needed, "needed") == 0))
            fail_msg("is %s of schema %s required? the reader disagrees", pointer, schema);
        fields++;
    }
    assert_true(fields > 100);
    free(text);
    free(document.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_the_same),
        cmocka_unit_test(fields_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
