/*
 * answer.c - looking things up in a JSON answer.
 *
 * Owns:      a strict little parser: no escapes are decoded, the simulation sends none.
 * Must not:  accept what is not JSON.
 */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    struct answers *tree;
    const char *at, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && strchr(" \t\r\n", *c->at) != NULL)
        c->at++;
}

static bool expect(struct cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static int new_node(struct cursor *c, enum answer_kind kind)
{
    struct answers *tree = c->tree;

    if (tree->count == tree->cap) {
        tree->cap = tree->cap == 0 ? 256 : 2 * tree->cap;
        tree->item = realloc(tree->item, (size_t)tree->cap * sizeof(*tree->item));
        if (tree->item == NULL)
            abort();
    }
    tree->item[tree->count] = (struct answer){ .kind = kind, .first = -1, .next = -1 };
    return tree->count++;
}

static bool read_string(struct cursor *c, const char **text, size_t *len)
{
    if (!expect(c, '"'))
        return false;
    *text = c->at;
    while (c->at < c->end && *c->at != '"') {
        if ((unsigned char)*c->at < ' ')
            return false;
        c->at += *c->at == '\\' ? 2 : 1;
    }
    if (c->at >= c->end)
        return false;
    *len = (size_t)(c->at++ - *text);
    return true;
}

static int read_value(struct cursor *c);

static int read_children(struct cursor *c, enum answer_kind kind, char close)
{
    int node = new_node(c, kind), last = -1;

    c->at++;
    if (expect(c, close))
        return node;
    do {
        const char *key = NULL;
        size_t key_len = 0;
        int child;
        if (kind == ANSWER_OBJECT && (!read_string(c, &key, &key_len) || !expect(c, ':')))
            return -1;
        child = read_value(c);
        if (child < 0)
            return -1;
        c->tree->item[child].key = key;
        c->tree->item[child].key_len = key_len;
        *(last < 0 ? &c->tree->item[node].first : &c->tree->item[last].next) = child;
        c->tree->item[node].count++;
        last = child;
    } while (expect(c, ','));
    return expect(c, close) ? node : -1;
}

static int read_value(struct cursor *c)
{
    int node;

    skip_space(c);
    if (c->at == c->end)
        return -1;
    if (*c->at == '{')
        return read_children(c, ANSWER_OBJECT, '}');
    if (*c->at == '[')
        return read_children(c, ANSWER_ARRAY, ']');
    if (*c->at == '"') {
        const char *text;
        size_t len;
        if (!read_string(c, &text, &len))
            return -1;
        node = new_node(c, ANSWER_STRING);
        c->tree->item[node].text = text;
        c->tree->item[node].text_len = len;
        return node;
    }
    node = new_node(c, strchr("-0123456789", *c->at) != NULL ? ANSWER_NUMBER : ANSWER_WORD);
    c->tree->item[node].text = c->at;
    while (c->at < c->end && strchr(",]} \t\r\n", *c->at) == NULL)
        c->at++;
    c->tree->item[node].text_len = (size_t)(c->at - c->tree->item[node].text);
    return node;
}

const struct answer *answer_parse(struct answers *tree, const char *text, size_t len)
{
    struct cursor cursor = { .tree = tree, .at = text, .end = text + len };
    int root;

    tree->count = 0;
    root = read_value(&cursor);
    skip_space(&cursor);
    return root == 0 && cursor.at == cursor.end ? &tree->item[0] : NULL;
}

void answer_release(struct answers *tree)
{
    free(tree->item);
    *tree = (struct answers){ 0 };
}

const struct answer *answer_get(const struct answers *tree, const struct answer *value,
                                const char *key)
{
    size_t len = strlen(key);

    if (value == NULL || value->kind != ANSWER_OBJECT)
        return NULL;
    for (int i = value->first; i >= 0; i = tree->item[i].next)
        if (tree->item[i].key_len == len && memcmp(tree->item[i].key, key, len) == 0)
            return &tree->item[i];
    return NULL;
}

const struct answer *answer_at(const struct answers *tree, const struct answer *value, int index)
{
    int i = value == NULL ? -1 : value->first;

    while (i >= 0 && index-- > 0)
        i = tree->item[i].next;
    return i < 0 ? NULL : &tree->item[i];
}

int answer_count(const struct answer *value)
{
    return value == NULL ? 0 : value->count;
}

bool answer_is(const struct answer *value, const char *text)
{
    size_t len = strlen(text);

    return value != NULL && value->text_len == len && memcmp(value->text, text, len) == 0;
}

void answer_copy(const struct answer *value, char *out, size_t size)
{
    size_t len = value == NULL || value->text == NULL ? 0 : value->text_len;

    if (len >= size)
        len = size - 1;
    if (len > 0)
        memcpy(out, value->text, len);
    out[len] = 0;
}

bool answer_amount(const struct answer *value, int scale, int64_t *out)
{
    const char *at, *end;
    int after = -1;
    bool minus;

    if (value == NULL || (value->kind != ANSWER_STRING && value->kind != ANSWER_NUMBER) ||
        value->text_len == 0)
        return false;
    at = value->text;
    end = at + value->text_len;
    minus = *at == '-';
    *out = 0;
    for (at += minus; at < end; at++) {
        if (*at == '.' && after < 0) {
            after = 0;
            continue;
        }
        if (*at < '0' || *at > '9')
            return false;
        *out = *out * 10 + (*at - '0');
        if (after >= 0)
            after++;
    }
    if ((after < 0 ? 0 : after) != scale)
        return false;
    if (minus)
        *out = -*out;
    return true;
}

bool answer_instant(const struct answer *value, int64_t *out)
{
    int year, month, day, hour, minute, second, ms = 0, used = 0;
    char text[40];
    int64_t days = 0;
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

    if (answer_is(value, "null")) {
        *out = INT64_MAX;
        return true;
    }
    answer_copy(value, text, sizeof(text));
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
               &used) != 6)
        return false;
    if (text[used] == '.') {
        int digits = 0;
        if (sscanf(text + used, ".%3d%n", &ms, &digits) != 1 || digits != 4)
            return false;
        used += digits;
    }
    if (strcmp(text + used, "Z") != 0)
        return false;
    for (int y = 1970; y < year; y++)
        days += y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365;
    days += before[month - 1] + day - 1;
    if (month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        days++;
    *out = ((days * 24 + hour) * 60 + minute) * 60000 + second * INT64_C(1000) + ms;
    return true;
}
