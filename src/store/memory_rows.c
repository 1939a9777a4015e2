/*
 * memory_rows.c - a skip list of rows.
 *
 * Owns:      the links between rows.
 * Must not:  use a random number: a row's height is a hash of its key.
 * Invariant: on every level rows are in key order, each key once; level 0 holds all.
 * Cost:      O(log rows) to find, put and take.
 * Tests:     tests/contract/test_store.c (the memory half)
 */
#include "store/memory_rows.h"

#include <stdlib.h>
#include <string.h>

static bool
key_add(struct memory_key *key, const void *bytes, size_t size)
{
    if (size > memory_key_bytes_max - key->len)
        return false;
    memcpy(key->bytes + key->len, bytes, size);
    key->len += (uint32_t)size;
    return true;
}

static bool
key_add_number(struct memory_key *key, int64_t number)
{
    uint64_t bits = (uint64_t)number ^ UINT64_C(0x8000000000000000);
    unsigned char bytes[8];

    for (int i = 7; i >= 0; i--, bits >>= 8)
        bytes[i] = (unsigned char)bits;
    return key_add(key, bytes, sizeof bytes);
}

static bool
key_add_text(struct memory_key *key, struct text text, bool last)
{
    if (last)
        return text.len == 0 || key_add(key, text.ptr, text.len);
    for (uint32_t i = 0; i < text.len; i++) {
        if (!key_add(key, &text.ptr[i], 1) || (text.ptr[i] == '\0' && !key_add(key, "\xff", 1)))
            return false;
    }
    return key_add(key, "\0\0", 2);
}

bool
memory_key(struct memory_key *key, const struct cell *cell, const enum column_type *type,
           uint32_t count)
{
    bool fits = true;

    key->len = 0;
    for (uint32_t i = 0; i < count && fits; i++) {
        if (type[i] == COLUMN_I64)
            fits = key_add_number(key, cell[i].number);
        else
            fits = key_add_text(key, cell[i].text, i + 1 == count);
    }
    return fits;
}

static uint32_t
level_of(struct text key)
{
    uint64_t hash = text_hash(key);
    uint32_t level = 1;

    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    hash ^= hash >> 32;
    for (; level < memory_levels && (hash & 3) == 0; hash >>= 2)
        level++;
    return level;
}

struct memory_row *
memory_row_new(const struct memory_key *key, const struct cell *cell, const enum column_type *type,
               uint32_t count)
{
    uint32_t level = level_of((struct text){ key->bytes, key->len });
    size_t links = sizeof(struct memory_row) + level * sizeof(struct memory_row *);
    size_t cells = count * sizeof(struct cell), text = key->len;

    for (uint32_t i = 0; i < count; i++)
        text += type[i] == COLUMN_I64 ? 0 : cell[i].text.len;
    struct memory_row *row = malloc(links + cells + text);
    if (row == NULL)
        return NULL;
    row->level = level;
    row->cell = (struct cell *)(void *)((char *)row + links);
    char *at = (char *)row + links + cells;
    memcpy(at, key->bytes, key->len);
    row->key = (struct text){ at, key->len };
    at += key->len;
    for (uint32_t i = 0; i < count; i++) {
        row->cell[i] = (struct cell){ 0 };
        if (type[i] == COLUMN_I64) {
            row->cell[i].number = cell[i].number;
        } else if (cell[i].text.len > 0) {
            memcpy(at, cell[i].text.ptr, cell[i].text.len);
            row->cell[i].text = (struct text){ at, cell[i].text.len };
            at += cell[i].text.len;
        }
    }
    return row;
}

void
memory_find(struct memory_table *table, struct text key, struct memory_place *place)
{
    struct memory_row *before = NULL;

    for (uint32_t level = memory_levels; level-- > 0;) {
        struct memory_row **at = before != NULL ? &before->next[level] : &table->first[level];
        while (*at != NULL && text_compare((*at)->key, key) < 0) {
            before = *at;
            at = &before->next[level];
        }
        place->link[level] = at;
    }
    place->row = *place->link[0];
    if (place->row != NULL && !text_equal(place->row->key, key))
        place->row = NULL;
}

void
memory_take(struct memory_table *table, struct memory_place *place)
{
    assert(place->row != NULL);
    for (uint32_t i = 0; i < place->row->level; i++)
        *place->link[i] = place->row->next[i];
    table->count--;
    place->row = NULL;
}

void
memory_insert(struct memory_table *table, struct memory_place *place, struct memory_row *row)
{
    assert(place->row == NULL);
    for (uint32_t i = 0; i < row->level; i++) {
        row->next[i] = *place->link[i];
        *place->link[i] = row;
    }
    table->count++;
}

struct memory_row *
memory_seek(const struct memory_table *table, struct text key)
{
    const struct memory_row *before = NULL;
    struct memory_row *at = NULL;

    for (uint32_t level = memory_levels; level-- > 0;) {
        at = before != NULL ? before->next[level] : table->first[level];
        while (at != NULL && text_compare(at->key, key) < 0) {
            before = at;
            at = at->next[level];
        }
    }
    return at;
}

void
memory_clear(struct memory_table *table)
{
    struct memory_row *row = table->first[0];
    while (row != NULL) {
        struct memory_row *next = row->next[0];
        free(row);
        row = next;
    }
    *table = (struct memory_table){ 0 };
}
