/*
 * fuzz_json.c - no bytes break the JSON reader, tree and writer, and they agree.
 *
 * Owns:      the comparison: the reader and the tree accept the same texts, but for duplicate keys,
 *            which only the tree refuses and which are looked for here a second way; skipping
 *            accepts what reading accepts; what the writer makes of a document is read as the same
 *            document; a pointer can be made at every token.
 * Must not:  keep anything between two inputs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json_tree.h"
#include "base/json_write.h"
#include "unit/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The keys of the objects that are open, for a plain search. */
struct keys {
    struct keys *next;
    struct text key;
};

/*
 * Read `input` token by token and write it again into `out`. Is it accepted? `*twice`: a key came
 * twice in one object.
 */
static bool rewrite(struct arena *arena, struct text input, struct buf *out, bool *twice)
{
    struct keys *keys[json_depth_max + 1] = { NULL };
    struct json_reader reader;
    struct json_writer writer;
    enum json_token token;

    *twice = false;
    json_open(&reader, arena, input);
    json_write_init(&writer, out);
    while ((token = json_next(&reader)) > JSON_END) {
        require(reader.depth >= 0);
        require(reader.depth <= json_depth_max);
        switch (token) {
        case JSON_OBJECT:     keys[reader.depth] = NULL; json_begin_object(&writer); break;
        case JSON_OBJECT_END: json_end_object(&writer); break;
        case JSON_ARRAY:      json_begin_array(&writer); break;
        case JSON_ARRAY_END:  json_end_array(&writer); break;
        case JSON_STRING:     json_text(&writer, reader.value); break;
        case JSON_NUMBER:     json_raw(&writer, reader.value); break;
        case JSON_NULL:       json_null(&writer); break;
        case JSON_TRUE:       json_bool(&writer, true); break;
        case JSON_FALSE:      json_bool(&writer, false); break;
        default:
            require(token == JSON_KEY);
            for (struct keys *old = keys[reader.depth]; old != NULL; old = old->next)
                *twice |= text_equal(old->key, reader.value);
            struct keys *key = arena_new(arena, struct keys);
            *key = (struct keys){ keys[reader.depth], reader.value };
            keys[reader.depth] = key;
            json_key_text(&writer, reader.value);
        }
        require(text_is_utf8(reader.value));
        char memory[64];
        struct buf pointer;
        buf_init_fixed(&pointer, memory, sizeof memory);
        json_pointer(&reader, &pointer);
    }
    require((token == JSON_ERROR) == (reader.problem != NULL));
    return token == JSON_END;
}

static bool skip_all(struct arena *arena, struct text input)
{
    struct json_reader reader;

    json_open(&reader, arena, input);
    return json_skip(&reader) && json_next(&reader) == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = { (const char *)data, (uint32_t)size };
    struct json_node *root = NULL;
    struct err err = { 0 };
    struct arena arena;
    struct buf once, again;
    bool twice, twice_again;

    arena_init(&arena, host_source(), 16 * 1024, (size_t)64 * 1024 * 1024);
    buf_init(&once, &arena, size + 1);
    bool accepted = rewrite(&arena, input, &once, &twice);
    require(skip_all(&arena, input) == accepted);
    enum code rc = json_tree_parse(&arena, input, &root, &err);
    require(rc == OK || rc == CODE_SYNTAX);
    require(rc == OK || text_is_utf8(text_of(err.text)) || !accepted);
    if (accepted) {
        require((rc == OK) == !twice);
        buf_init(&again, &arena, once.len);
        require(rewrite(&arena, buf_text(&once), &again, &twice_again));
        require(text_equal(buf_text(&once), buf_text(&again)));
        require(twice == twice_again);
        require((json_tree_parse(&arena, buf_text(&once), &root, NULL) == OK) == !twice);
    } else {
        require(rc == CODE_SYNTAX);
    }
    require(!arena.failed);
    arena_release(&arena);
    return 0;
}
