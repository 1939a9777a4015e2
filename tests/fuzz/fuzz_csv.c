/*
 * fuzz_csv.c - no bytes break the reader of tables, and what it reads can be written and read
 * again.
 *
 * Owns:      the comparison: every row that was read, put through csv_put() and read again, gives
 *            the same fields; text is always UTF-8; rows are counted up; the end stays the end.
 * Must not:  keep anything between two inputs but its two file names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/csv.h"
#include "unit/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* A file in memory with these bytes; its name in `path`. */
static int
file_of(const void *bytes, size_t size, char *path, size_t path_size)
{
    int file = memfd_create("table", MFD_CLOEXEC);

    require(file >= 0);
    require(write(file, bytes, size) == (ssize_t)size);
    snprintf(path, path_size, "/proc/self/fd/%d", file);
    return file;
}

/* Read a row as csv_next() does, and check what must always hold. */
static enum csv_result
next(struct csv *csv, uint64_t *row)
{
    enum csv_result result = csv_next(csv);

    if (result == CSV_END)
        return result;
    require(csv_row(csv) > *row || result == CSV_BROKEN);
    *row = csv_row(csv);
    require((result == CSV_BROKEN) == (csv_problem(csv)[0] != '\0'));
    for (uint32_t i = 0; result == CSV_ROW && i < csv_column_count(csv); i++)
        require(text_is_utf8(csv_field(csv, (int)i)));
    return result;
}

static void
put_row(struct csv *csv, bool is_header, struct buf *out)
{
    for (uint32_t i = 0; i < csv_column_count(csv); i++)
        csv_put(out, is_header ? csv_header(csv, i) : csv_field(csv, (int)i), i == 0);
    buf_add_char(out, '\n');
}

/* A table of one column cannot tell an empty row from an empty line, nor a header its delimiter. */
static bool
can_come_back(struct csv *csv)
{
    for (uint32_t i = 0; i < csv_column_count(csv); i++) {
        struct text header = csv_header(csv, i);
        for (uint32_t k = 0; k < header.len; k++)
            if (strchr(";\t\"\r\n\xEF", header.ptr[k]) != NULL)
                return false;
    }
    return csv_column_count(csv) > 1;
}

static void
read_back(struct csv *first, struct arena *arena)
{
    char path[64];
    struct buf out;
    struct csv *second;
    struct err err;
    uint64_t row = 0, again = 0;
    uint32_t rows = 0;
    enum csv_result result;

    buf_init(&out, arena, 4096);
    put_row(first, true, &out);
    while ((result = next(first, &row)) != CSV_END) {
        if (result != CSV_ROW)
            continue;
        put_row(first, false, &out);
        rows++;
    }
    require(csv_next(first) == CSV_END);
    if (out.failed || !can_come_back(first))
        return;
    int file = file_of(out.ptr, out.len, path, sizeof path);
    require(csv_open(path, &second, &err) == OK);
    struct buf check;
    buf_init(&check, arena, out.len + 1);
    put_row(second, true, &check);
    while ((result = next(second, &again)) != CSV_END) {
        require(result == CSV_ROW);
        put_row(second, false, &check);
        rows--;
    }
    require(rows == 0);
    require(check.len == out.len && memcmp(check.ptr, out.ptr, out.len) == 0);
    csv_close(second);
    close(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct arena arena;
    struct csv *csv;
    struct err err;

    int file = file_of(data, size, path, sizeof path);
    if (csv_open(path, &csv, &err) == OK) {
        arena_init(&arena, host_source(), 1 << 14, 1 << 24);
        read_back(csv, &arena);
        arena_release(&arena);
        csv_close(csv);
    }
    close(file);
    return 0;
}
