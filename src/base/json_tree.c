/*
 * json_tree.c - a JSON document as a tree in an arena.
 *
 * Owns:      building the tree over json_read.h, and refusing duplicate keys.
 * Must not:  recurse, or be slow on an object of many keys: those are sorted, not compared pairwise
 *            and not hashed (strangers choose them).
 * Invariant: parents count their children; children know their parent and position.
 * Cost:      O(n log n) in the members of one object, else linear. json_member() is linear.
 * Tests:     tests/unit/base/test_json_tree.c, tests/fuzz/fuzz_json.c
 */
#include "base/json_tree.h"

#include "base/sort.h"

/* An object of so many members or fewer is checked pairwise. */
enum { pairwise_max = 12 };

/* What is being built: open nodes from the root down, each with its newest child. */
struct builder {
    struct json_reader reader;
    struct arena *arena;
    struct json_node *root;
    struct json_node *open;                     /* innermost open object or array, or NULL */
    struct json_node *last[json_depth_max + 1]; /* newest child at each depth */
    struct text key;                            /* of the member whose value comes next */
};

static void add_pointer_part(struct buf *buf, const struct json_node *node)
{
    assert(node->parent != NULL);

    buf_add_char(buf, '/');
    if (node->parent->type == JSON_ARRAY) {
        buf_add_u64(buf, node->index);
        return;
    }
    for (uint32_t i = 0; i < node->key.len; i++) {
        if (node->key.ptr[i] == '~')
            buf_add(buf, "~0", 2);
        else if (node->key.ptr[i] == '/')
            buf_add(buf, "~1", 2);
        else
            buf_add_char(buf, node->key.ptr[i]);
    }
}

void json_node_pointer(const struct json_node *node, struct buf *buf)
{
    const struct json_node *way[json_depth_max + 1];
    int count = 0;

    for (; node->parent != NULL; node = node->parent) {
        assert(count <= json_depth_max);
        way[count++] = node;
    }
    while (count > 0)
        add_pointer_part(buf, way[--count]);
}

struct json_node *json_member(const struct json_node *node, struct text key)
{
    if (node == NULL || node->type != JSON_OBJECT)
        return NULL;
    assert(node->first != NULL || node->count == 0);
    for (struct json_node *child = node->first; child != NULL; child = child->next) {
        if (text_equal(child->key, key))
            return child;
    }
    return NULL;
}

static int compare_keys(const void *a, const void *b, void *context)
{
    const struct json_node *const *left = a;
    const struct json_node *const *right = b;

    (void)context;
    return text_compare((*left)->key, (*right)->key);
}

/* The first member whose key came before, found by sorting; NULL when none, or no memory. */
static const struct json_node *find_twice_sorted(struct arena *arena,
                                                 const struct json_node *object)
{
    const struct json_node **member = arena_array(arena, const struct json_node *, object->count);
    const struct json_node **scratch = arena_array(arena, const struct json_node *, object->count);
    const struct json_node *twice = NULL;
    uint32_t count = 0;

    if (member == NULL || scratch == NULL)
        return NULL;
    for (const struct json_node *child = object->first; child != NULL; child = child->next)
        member[count++] = child;
    assert(count == object->count);
    sort_stable(member, count, sizeof *member, scratch, compare_keys, NULL);
    for (uint32_t i = 1; i < count; i++) {
        if (!text_equal(member[i - 1]->key, member[i]->key))
            continue;
        if (twice == NULL || member[i]->index < twice->index)
            twice = member[i];
    }
    return twice;
}

/* The first member whose key came before, or NULL. */
static const struct json_node *find_twice(struct arena *arena, const struct json_node *object)
{
    assert(object->type == JSON_OBJECT);

    if (object->count > pairwise_max) {
        struct arena_mark mark = arena_mark(arena);
        const struct json_node *twice = find_twice_sorted(arena, object);
        arena_rewind(arena, mark);
        return twice;
    }
    for (const struct json_node *node = object->first; node != NULL; node = node->next) {
        for (const struct json_node *old = object->first; old != node; old = old->next) {
            if (text_equal(old->key, node->key))
                return node;
        }
    }
    return NULL;
}

/* A node of the reader's current value, hung where it belongs. */
static struct json_node *add_node(struct builder *builder, enum json_token type)
{
    struct json_node *node = arena_new(builder->arena, struct json_node);
    struct json_node *parent = builder->open;

    if (node == NULL)
        return NULL;
    node->type = type;
    node->parent = parent;
    if (type == JSON_STRING || type == JSON_NUMBER)
        node->value = builder->reader.value;
    if (parent == NULL) {
        assert(builder->root == NULL);
        builder->root = node;
        return node;
    }
    if (parent->type == JSON_OBJECT)
        node->key = builder->key;
    int depth = builder->reader.depth - (type == JSON_OBJECT || type == JSON_ARRAY);
    struct json_node **last = &builder->last[depth];
    if (parent->count == 0)
        parent->first = node;
    else
        (*last)->next = node;
    *last = node;
    node->index = parent->count++;
    return node;
}

static enum code syntax_error(const struct builder *builder, struct err *err)
{
    const struct json_reader *reader = &builder->reader;
    char memory[err_text_bytes_max / 2];
    struct buf pointer;

    assert(reader->problem != NULL);
    if (builder->arena->failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for a JSON document");
    buf_init_fixed(&pointer, memory, sizeof memory);
    json_pointer(reader, &pointer);
    return err_set(err, CODE_SYNTAX, "'%.*s', byte %lld: %s", (int)pointer.len, pointer.ptr,
                   (long long)(reader->at - reader->begin), reader->problem);
}

/* An object is complete: no key twice. */
static enum code check_keys(const struct builder *builder, const struct json_node *object,
                            struct err *err)
{
    const struct json_node *twice = find_twice(builder->arena, object);
    char memory[err_text_bytes_max / 2];
    struct buf pointer;

    assert(object->type == JSON_OBJECT);
    if (builder->arena->failed)
        return err_set(err, CODE_NO_MEMORY, "no memory for a JSON document");
    if (twice == NULL)
        return OK;
    buf_init_fixed(&pointer, memory, sizeof memory);
    json_node_pointer(twice, &pointer);
    return err_set(err, CODE_SYNTAX, "'%.*s': the key comes twice", (int)pointer.len, pointer.ptr);
}

/* Take one token into the tree. */
static enum code take(struct builder *builder, enum json_token token, struct err *err)
{
    struct json_node *node;
    enum code rc;

    switch (token) {
    case JSON_ERROR:
        return syntax_error(builder, err);
    case JSON_END:
        return OK;
    case JSON_KEY:
        builder->key = builder->reader.value;
        return OK;
    case JSON_OBJECT_END:
        rc = check_keys(builder, builder->open, err);
        builder->open = builder->open->parent;
        return rc;
    case JSON_ARRAY_END:
        builder->open = builder->open->parent;
        return OK;
    default:
        node = add_node(builder, token);
        if (node == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for a JSON document");
        if (token == JSON_OBJECT || token == JSON_ARRAY)
            builder->open = node;
        return OK;
    }
}

enum code json_tree_parse(struct arena *arena, struct text input, struct json_node **root,
                          struct err *err)
{
    struct builder builder;
    enum json_token token;
    enum code rc;

    assert(root != NULL);
    builder.arena = arena;
    builder.root = NULL;
    builder.open = NULL;
    builder.key = (struct text){ NULL, 0 };
    json_open(&builder.reader, arena, input);
    do {
        token = json_next(&builder.reader);
        rc = take(&builder, token, err);
        if (rc)
            return rc;
    } while (token != JSON_END);
    assert(builder.open == NULL);
    *root = builder.root;
    return OK;
}
