/*
 * refused.c - the file of refused rows.
 *
 * Owns:      its columns and its permissions: it holds personal data.
 * Invariant: put right, the file can be imported as it is: columns that were added are passed
 *            over.
 * Tests:     tests/stories/import
 */
#include "cli/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { told_max = 5, line_block_bytes = 4096 };

enum code
refused_open(struct refused_rows *refused, const char *path, const char *table_path,
             struct err *err)
{
    struct stat table, own;

    *refused = (struct refused_rows){ .path = path };
    if (path && stat(path, &own) == 0 && stat(table_path, &table) == 0 &&
        own.st_dev == table.st_dev && own.st_ino == table.st_ino)
        return err_set(err, CODE_USAGE, "'%s' would be overwritten by its own refused rows", path);
    return OK;
}

struct text
refused_original(const struct csv *csv, bool broken, struct arena *arena)
{
    struct buf out;
    bool first = true;

    buf_init(&out, arena, 256);
    for (uint32_t i = 0; i < csv_column_count(csv); i++) {
        if (import_is_refusal_column(csv_header(csv, i)))
            continue;
        struct text field = csv_field(csv, (int)i);
        if (broken)
            field = first ? csv_raw(csv) : (struct text){ 0 };
        csv_put(&out, field, first);
        first = false;
    }
    return buf_text(&out);
}

static void
begin_file(struct refused_rows *refused, const struct csv *csv, struct buf *out)
{
    bool first = true;
    int file = open(refused->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    refused->file = file >= 0 ? fdopen(file, "w") : NULL;
    if (file >= 0 && !refused->file)
        close(file);
    refused->failed = !refused->file;
    for (uint32_t i = 0; i < csv_column_count(csv); i++) {
        if (import_is_refusal_column(csv_header(csv, i)))
            continue;
        csv_put(out, csv_header(csv, i), first);
        first = false;
    }
    buf_add_text(out, TEXT(",row,outcome,pointer,sentence\n"));
}

static void
tell(const struct refused_rows *refused, uint64_t row, struct text outcome, struct text pointer,
     struct text sentence)
{
    if (refused->path || refused->count > told_max)
        return;
    if (refused->count == told_max) {
        fprintf(stderr, "kopilka: more rows are refused; --refused FILE writes them down\n");
        return;
    }
    fprintf(stderr, "kopilka: row %llu is refused: %.*s %.*s: %.*s\n", (unsigned long long)row,
            (int)outcome.len, outcome.ptr, (int)pointer.len, pointer.len ? pointer.ptr : "",
            (int)sentence.len, sentence.ptr);
}

void
refused_put(struct refused_rows *refused, const struct csv *csv, struct text original, uint64_t row,
            struct text outcome, struct text pointer, struct text sentence)
{
    struct arena arena;
    struct buf out;

    tell(refused, row, outcome, pointer, sentence);
    refused->count++;
    if (!refused->path || refused->failed)
        return;
    arena_init_heap(&arena);
    buf_init(&out, &arena, line_block_bytes);
    if (!refused->file)
        begin_file(refused, csv, &out);
    buf_add_text(&out, original);
    buf_addf(&out, ",%llu", (unsigned long long)row);
    csv_put(&out, outcome, false);
    csv_put(&out, pointer, false);
    csv_put(&out, sentence, false);
    buf_add_char(&out, '\n');
    if (refused->file && (out.failed || fwrite(out.ptr, 1, out.len, refused->file) != out.len))
        refused->failed = true;
    arena_release(&arena);
}

enum code
refused_close(struct refused_rows *refused, struct err *err)
{
    if (refused->file && fclose(refused->file) != 0)
        refused->failed = true;
    refused->file = NULL;
    return refused->failed
               ? err_set(err, CODE_IO, "cannot write the refused rows to '%s'", refused->path)
               : OK;
}

struct text
refused_sentence(struct text title, struct text detail, struct arena *arena)
{
    struct buf out;

    if (!detail.len)
        return title;
    buf_init(&out, arena, title.len + detail.len + 2);
    buf_add_text(&out, title);
    buf_add_text(&out, TEXT(": "));
    buf_add_text(&out, detail);
    return buf_text(&out);
}
