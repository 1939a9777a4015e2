/*
 * json_help.c - random JSON documents, and trees written back.
 *
 * Owns:      the shape of random documents.
 * Must not:  make numbers that a parser with doubles or 64-bit integers cannot hold.
 */
#include "json_help.h"

static void add_space(struct random64 *random, struct buf *buf)
{
    while (random_below(random, 6) == 0)
        buf_add_char(buf, " \t\r\n"[random_below(random, 4)]);
}

static void add_number(struct random64 *random, struct buf *buf)
{
    if (random_below(random, 3) == 0)
        buf_add_char(buf, '-');
    if (random_below(random, 5) == 0)
        buf_add_char(buf, '0');
    else
        buf_add_u64(buf, 1 + (random_next(random) >> (4 + random_below(random, 59))) % 1000000000);
    if (random_below(random, 3) == 0)
        buf_addf(buf, ".%u", random_below(random, 100000));
    if (random_below(random, 5) == 0)
        buf_addf(buf, "%c%s%u", random_below(random, 2) ? 'e' : 'E',
                 random_below(random, 3) == 0 ? "+" : random_below(random, 2) ? "-" : "",
                 random_below(random, 30));
}

static void add_string(struct random64 *random, struct buf *buf)
{
    static const char *const piece[] = {
        "points", "балл", "€", "\xf0\x9f\x8e\x81", " ", "\\n", "\\\"", "\\\\", "\\/", "\\t",
        "\\u0416", "\\ud83c\\udf81", "\\u001f", "\x7f", "~", "/", "0", "a", "b", "{", "]", ",",
    };

    buf_add_char(buf, '"');
    while (random_below(random, 4) != 0)
        buf_addf(buf, "%s", piece[random_below(random, KOP_COUNT(piece))]);
    buf_add_char(buf, '"');
}

static void add_value(struct random64 *random, struct buf *buf, int depth)
{
    static const char *const word[] = { "true", "false", "null" };
    uint32_t kind = random_below(random, depth < 8 ? 10 : 5);

    add_space(random, buf);
    if (kind < 2) {
        add_number(random, buf);
    } else if (kind < 4) {
        add_string(random, buf);
    } else if (kind == 4) {
        buf_addf(buf, "%s", word[random_below(random, 3)]);
    } else {
        bool object = kind < 8;
        uint32_t count = random_below(random, random_below(random, 12) == 0 ? 24 : 5);
        buf_add_char(buf, object ? '{' : '[');
        add_space(random, buf);
        for (uint32_t i = 0; i < count; i++) {
            if (i > 0)
                buf_add_char(buf, ',');
            add_space(random, buf);
            if (object) {
                if (random_below(random, 3) == 0)
                    add_string(random, buf);
                else
                    buf_addf(buf, "\"k%u\"", i); /* mostly different */
                add_space(random, buf);
                buf_add_char(buf, ':');
            }
            add_value(random, buf, depth + 1);
        }
        buf_add_char(buf, object ? '}' : ']');
    }
    add_space(random, buf);
}

struct text random_document(struct random64 *random, struct arena *arena)
{
    struct buf buf;

    buf_init(&buf, arena, 256);
    add_value(random, &buf, 0);
    assert_false(buf.failed);
    return buf_text(&buf);
}

struct text random_damage(struct random64 *random, struct arena *arena, struct text document)
{
    static const char likely[] = "{}[]\",:\\u0123456789eE+-. \n\x01\x80\xd0\xff";
    uint32_t changes = 1 + random_below(random, 3);

    for (uint32_t i = 0; i < changes && document.len > 0; i++) {
        uint32_t at = random_below(random, document.len);
        uint32_t kind = random_below(random, 3); /* replace, take out, put in */
        struct buf buf;
        buf_init(&buf, arena, document.len + 1);
        buf_add(&buf, document.ptr, at);
        if (kind != 1)
            buf_add_char(&buf, likely[random_below(random, sizeof likely - 1)]);
        uint32_t from = kind == 2 ? at : at + 1;
        buf_add(&buf, document.ptr + from, document.len - from);
        document = buf_text(&buf);
    }
    return document;
}

static void write_node(const struct json_node *node, struct json_writer *writer)
{
    if (node->parent != NULL && node->parent->type == JSON_OBJECT)
        json_key_text(writer, node->key);
    if (node->type == JSON_OBJECT)
        json_begin_object(writer);
    else if (node->type == JSON_ARRAY)
        json_begin_array(writer);
    else if (node->type == JSON_STRING)
        json_text(writer, node->value);
    else if (node->type == JSON_NUMBER)
        json_raw(writer, node->value);
    else if (node->type == JSON_NULL)
        json_null(writer);
    else
        json_bool(writer, node->type == JSON_TRUE);
    for (const struct json_node *child = node->first; child != NULL; child = child->next)
        write_node(child, writer);
    if (node->type == JSON_OBJECT)
        json_end_object(writer);
    else if (node->type == JSON_ARRAY)
        json_end_array(writer);
}

struct text tree_text(const struct json_node *node, struct arena *arena)
{
    struct json_writer writer;
    struct buf buf;

    buf_init(&buf, arena, 256);
    json_write_init(&writer, &buf);
    write_node(node, &writer);
    assert_false(buf.failed);
    return buf_text(&buf);
}
