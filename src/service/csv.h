/*
 * csv.h - reading tables of text: rows, columns by name, from a file that may be gzipped.
 *
 * Owns:      delimiters (comma, semicolon, tab: what the header has most of), quotes (RFC 4180),
 *            BOM,
 *            CRLF, encoding (UTF-8, or CP1251 where the bytes are no UTF-8), numbers of row and
 * line.
 * Must not:  know what the columns mean.
 * Invariant: a row has as many fields as the header, or is reported as broken; nothing is guessed.
 */
#ifndef KOP_SERVICE_CSV_H
#define KOP_SERVICE_CSV_H

#include "base/err.h"
#include "base/text.h"

enum { csv_columns_max = 64, csv_row_bytes_max = 1 << 20 };

struct csv; /* an open table */

/* Opens `path` and reads the header. CODE_IO, CODE_SYNTAX (no header, a repeated or empty
 * column). */
KOP_MUST_CHECK enum code csv_open(const char *path, struct csv **csv, struct err *err);
void csv_close(struct csv *csv);

/* The place of a column by its header (exact), or -1. */
int csv_column(const struct csv *csv, const char *name);
uint32_t csv_column_count(const struct csv *csv);
struct text csv_header(const struct csv *csv, uint32_t column);

enum csv_result {
    CSV_ROW, /* a row stands ready */
    CSV_END,
    CSV_BROKEN, /* this row is malformed: csv_problem() says why; reading may go on */
};
enum csv_result csv_next(struct csv *csv);
/* Of the current row; valid until csv_next(). Column -1 gives the empty text. */
struct text csv_field(const struct csv *csv, int column);
struct text csv_raw(const struct csv *csv); /* the row as it was written, without its end */
const char *csv_problem(const struct csv *csv);
uint64_t csv_row(const struct csv *csv); /* 1 = first after the header */
/* How far reading has come, of how many bytes of the file as stored: for progress. */
uint64_t csv_bytes_read(const struct csv *csv);
uint64_t csv_bytes_total(const struct csv *csv);

/* Append one field, quoted where needed. */
void csv_put(struct buf *out, struct text field, bool first);

#endif
