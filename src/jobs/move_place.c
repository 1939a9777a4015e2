/*
 * move_place.c - where a move stands: a line of text in the target's meta.
 *
 * Owns:      that text: pass, step, rows, when the passes began, the key after which to go on.
 * Must not:  move anything.
 * Invariant: what is read back is what was written; a text that is not is CODE_CORRUPT.
 * Tests:     tests/unit/jobs/test_move.c
 */
#include "jobs/move_inner.h"
#include "service/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { key_text_max = 1024 };

/* ---- where it stands, as text ---- */

static void
write_key(const struct table_facts *facts, const struct row *row, struct buf *buf)
{
    char hex[2 * key_text_max + 1];

    for (uint32_t i = 0; i < facts->key_count; i++) {
        struct text text = row->cell[facts->key[i]].text;
        buf_addf(buf, "%s", i > 0 ? "," : "");
        if (facts->is_number[facts->key[i]]) {
            buf_addf(buf, "%lld", (long long)row->cell[facts->key[i]].number);
            continue;
        }
        assert(text.len <= key_text_max);
        hex_encode((const unsigned char *)text.ptr, text.len, hex);
        buf_add_char(buf, 'x');
        buf_add_text(buf, (struct text){ hex, 2 * text.len });
    }
}

static bool
read_key(const struct table_facts *facts, const char *at, struct arena *arena, struct row *row)
{
    bool good = true;

    *row = (struct row){ 0 };
    for (uint32_t i = 0; i < facts->key_count && good; i++) {
        size_t size = strcspn(at, ",");
        if (facts->is_number[facts->key[i]]) {
            char *end;
            row->cell[facts->key[i]].number = strtoll(at, &end, 10);
            good = end == at + size && size > 0;
        } else {
            uint32_t bytes = (uint32_t)(size / 2);
            unsigned char *out = arena_alloc(arena, bytes + 1);
            good = at[0] == 'x' && size % 2 == 1 && out != NULL &&
                   hex_decode((struct text){ at + 1, 2 * bytes }, out, bytes);
            row->cell[facts->key[i]].text = (struct text){ (char *)out, bytes };
        }
        at += size;
        bool last = i + 1 == facts->key_count;
        good = good && *at == (last ? '\0' : ',');
        at += !last;
    }
    return good;
}

void
move_write_position(const struct mover *mover, struct buf *buf)
{
    buf_addf(buf, "%u %u %llu %lld %lld ", mover->pass, mover->at, (unsigned long long)mover->done,
             (long long)mover->began_ms, (long long)mover->before_ms);
    if (mover->has_key)
        write_key(&mover->from[mover->step[mover->at].table], &mover->key, buf);
    else
        buf_add_char(buf, '-');
}

enum code
move_read_position(struct mover *mover, struct text text, struct err *err)
{
    char written[position_text_max * 2], key[position_text_max * 2] = "";
    unsigned long long done = 0;
    long long began = 0, before = 0;
    bool good = text.len < sizeof written;

    if (good) {
        memcpy(written, text.ptr, text.len);
        written[text.len] = '\0';
        good = sscanf(written, "%u %u %llu %lld %lld %s", &mover->pass, &mover->at, &done, &began,
                      &before, key) == 6 &&
               mover->pass >= 1 && mover->at <= mover->step_count;
    }
    mover->done = done;
    mover->began_ms = began;
    mover->before_ms = before;
    mover->has_key = good && strcmp(key, "-") != 0 && mover->at < mover->step_count;
    if (mover->has_key)
        good = read_key(&mover->from[mover->step[mover->at].table], key,
                        &mover->key_arena[mover->which], &mover->key);
    return good ? OK
                : err_set(err, CODE_CORRUPT, "the target's row '" MOVE_AT "' is '%.*s'",
                          (int)text.len, text.ptr);
}

/* ---- the target's meta ---- */

enum code
meta_get(struct tx *tx, const char *name, struct arena *arena, struct text *value, bool *found,
         struct err *err)
{
    struct row key = { .cell = { { .text = text_of(name) } } }, row;

    enum code rc = store_get(tx, TABLE_meta, &key, arena, &row, found, err);
    *value = rc == OK && *found ? row.cell[COL(meta, value)].text : (struct text){ NULL, 0 };
    return rc;
}

enum code
meta_put(struct tx *tx, const char *name, struct text value, struct err *err)
{
    struct row row = { .cell = { { .text = text_of(name) }, { .text = value } } };

    return store_put(tx, TABLE_meta, &row, err);
}

enum code
meta_drop(struct tx *tx, const char *name, struct err *err)
{
    struct row key = { .cell = { { .text = text_of(name) } } };

    return store_delete(tx, TABLE_meta, &key, err);
}

/* Everything up to this row of the step has been added. */
enum code
move_pass_key(struct mover *mover, const struct row *row, struct err *err)
{
    const struct table_facts *facts = &mover->from[mover->step[mover->at].table];
    struct arena *arena = &mover->key_arena[mover->which ^= 1];

    arena_reset(arena);
    mover->key = (struct row){ 0 };
    for (uint32_t i = 0; i < facts->key_count; i++) {
        uint32_t column = facts->key[i];
        mover->key.cell[column] = row->cell[column];
        if (facts->is_number[column] || row->cell[column].text.len == 0)
            continue;
        mover->key.cell[column].text = text_copy(arena, row->cell[column].text);
        if (mover->key.cell[column].text.ptr == NULL)
            return err_set(err, CODE_NO_MEMORY, "no memory for a key");
    }
    mover->has_key = true;
    return OK;
}
