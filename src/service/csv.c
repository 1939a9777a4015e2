/*
 * csv.c - reading tables of text: rows, columns by name, from a file that may be gzipped.
 *
 * Owns:      see csv.h. zlib reads plain files as well as gzipped ones.
 * Invariant: one row in memory at a time, at most csv_row_bytes_max.
 * Tests:     tests/unit/service/test_csv.c, tests/fuzz/fuzz_csv.c
 */
#include "service/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { block_bytes = 64 * 1024 };

struct field {
    uint32_t from, len; /* into `cooked` */
};

struct csv {
    gzFile file;
    uint64_t total, row;
    char delimiter;
    char *raw, *cooked, *header;
    char *block; /* what was read of the file and not yet taken */
    uint32_t raw_len, cooked_len, block_at, block_len;
    struct field field[csv_columns_max], column[csv_columns_max];
    uint32_t field_count, column_count;
    const char *problem;
    bool at_end, is_utf8; /* a BOM says that it is UTF-8 */
};

/* CP1251's upper half, 0x80..0xFF, as Unicode (source: the Unicode consortium's mapping table). */
static const uint16_t cp1251[128] = {
    0x402,  0x403,  0x201A, 0x453,  0x201E, 0x2026, 0x2020, 0x2021, 0x20AC, 0x2030, 0x409,  0x2039,
    0x40A,  0x40C,  0x40B,  0x40F,  0x452,  0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0xFFFD, 0x2122, 0x459,  0x203A, 0x45A,  0x45C,  0x45B,  0x45F,  0xA0,   0x40E,  0x45E,  0x408,
    0xA4,   0x490,  0xA6,   0xA7,   0x401,  0xA9,   0x404,  0xAB,   0xAC,   0xAD,   0xAE,   0x407,
    0xB0,   0xB1,   0x406,  0x456,  0x491,  0xB5,   0xB6,   0xB7,   0x451,  0x2116, 0x454,  0xBB,
    0x458,  0x405,  0x455,  0x457,  0x410,  0x411,  0x412,  0x413,  0x414,  0x415,  0x416,  0x417,
    0x418,  0x419,  0x41A,  0x41B,  0x41C,  0x41D,  0x41E,  0x41F,  0x420,  0x421,  0x422,  0x423,
    0x424,  0x425,  0x426,  0x427,  0x428,  0x429,  0x42A,  0x42B,  0x42C,  0x42D,  0x42E,  0x42F,
    0x430,  0x431,  0x432,  0x433,  0x434,  0x435,  0x436,  0x437,  0x438,  0x439,  0x43A,  0x43B,
    0x43C,  0x43D,  0x43E,  0x43F,  0x440,  0x441,  0x442,  0x443,  0x444,  0x445,  0x446,  0x447,
    0x448,  0x449,  0x44A,  0x44B,  0x44C,  0x44D,  0x44E,  0x44F,
};

static bool
is_delimiter(const struct csv *csv, char c)
{
    if (csv->delimiter)
        return c == csv->delimiter;
    return c == ',' || c == ';' || c == '\t'; /* the header: not known yet */
}

/* Bytes to read in `block`; false: the file has ended, or cannot be read on. */
static bool
fill_block(struct csv *csv)
{
    int failure = Z_OK;

    if (csv->block_at < csv->block_len)
        return true;
    int got = gzread(csv->file, csv->block, block_bytes);
    csv->block_at = 0;
    csv->block_len = got > 0 ? (uint32_t)got : 0;
    if (got > 0)
        return true;
    gzerror(csv->file, &failure);
    if (failure != Z_OK) /* then the row at hand is not to be trusted */
        csv->problem = "the file is damaged or cut short here";
    csv->at_end = true;
    return false;
}

/* Where a row stands with its quotes, while it is read. */
struct quoting {
    bool quoted, closed; /* inside a quoted field; just after one */
    bool starts;         /* a field begins here */
};

/*
 * Follow the quotes of a piece without line ends. A quote opens a quoted field only as the field's
 * first character, so that `24" screen` is what it says.
 */
static void
follow_quotes(const struct csv *csv, struct quoting *quoting, const char *piece, size_t size)
{
    if (size > 0 && !quoting->quoted && memchr(piece, '"', size) == NULL) {
        *quoting = (struct quoting){ .starts = is_delimiter(csv, piece[size - 1]) };
        return;
    }
    for (size_t i = 0; i < size; i++) {
        bool turns = piece[i] == '"' && (quoting->quoted || quoting->closed || quoting->starts);
        quoting->closed = turns && quoting->quoted; /* one more right after it: one in the field */
        quoting->quoted ^= turns;
        quoting->starts = !quoting->quoted && is_delimiter(csv, piece[i]);
    }
}

static void
add_raw(struct csv *csv, const char *piece, size_t size)
{
    if (size > csv_row_bytes_max - csv->raw_len) {
        size = csv_row_bytes_max - csv->raw_len;
        csv->problem = "the row is longer than 1 MiB";
    }
    memcpy(csv->raw + csv->raw_len, piece, size);
    csv->raw_len += (uint32_t)size;
}

/* Read one physical row into `raw`; line ends inside quotes belong to it. false at the end. */
static bool
read_raw(struct csv *csv)
{
    struct quoting quoting = { .starts = true };
    bool any = false, ended = false;

    csv->raw_len = 0;
    while (!ended && fill_block(csv)) {
        const char *piece = csv->block + csv->block_at;
        size_t left = csv->block_len - csv->block_at;
        const char *end = memchr(piece, '\n', left);
        size_t size = end ? (size_t)(end - piece) : left;
        any = true;
        follow_quotes(csv, &quoting, piece, size);
        add_raw(csv, piece, size);
        csv->block_at += (uint32_t)(size + (end != NULL));
        ended = end && !quoting.quoted;
        if (end && !ended)
            add_raw(csv, "\n", 1);
    }
    if (quoting.quoted)
        csv->problem = "a quote is not closed";
    if (csv->raw_len && csv->raw[csv->raw_len - 1] == '\r')
        csv->raw_len--;
    return any || csv->problem;
}

/* CP1251 to UTF-8, in place of `raw`; `cooked` is the scratch. At most three bytes for one. */
static void
decode_cp1251(struct csv *csv)
{
    uint32_t out = 0;

    for (uint32_t i = 0; i < csv->raw_len; i++) {
        unsigned char byte = (unsigned char)csv->raw[i];
        uint32_t point = byte < 0x80 ? byte : cp1251[byte - 0x80];
        if (point < 0x80) {
            csv->cooked[out++] = (char)point;
        } else if (point < 0x800) {
            csv->cooked[out++] = (char)(0xC0 | point >> 6);
            csv->cooked[out++] = (char)(0x80 | (point & 63));
        } else {
            csv->cooked[out++] = (char)(0xE0 | point >> 12);
            csv->cooked[out++] = (char)(0x80 | (point >> 6 & 63));
            csv->cooked[out++] = (char)(0x80 | (point & 63));
        }
    }
    if (out > csv_row_bytes_max) {
        csv->problem = "the row is longer than 1 MiB";
        return;
    }
    memcpy(csv->raw, csv->cooked, out);
    csv->raw_len = out;
}

/* Bytes that are no UTF-8 are CP1251, unless the file said otherwise. */
static void
decode_raw(struct csv *csv)
{
    if (text_is_utf8((struct text){ csv->raw, csv->raw_len }))
        return;
    if (csv->is_utf8)
        csv->problem = "the file says that it is UTF-8, and this row is not";
    else
        decode_cp1251(csv);
}

/* A quoted field from the quote at `at`, unquoted to `out`; where it ends. */
static uint32_t
take_quoted(const char *raw, uint32_t len, uint32_t at, char **out)
{
    for (at++; at < len; at++) {
        if (raw[at] == '"') {
            if (at + 1 == len || raw[at + 1] != '"')
                return at + 1;
            at++;
        }
        *(*out)++ = raw[at];
    }
    return at;
}

/* Split `raw` into fields, unquoted into `cooked`. */
static void
split_raw(struct csv *csv)
{
    const char *raw = csv->raw;
    uint32_t at = 0, len = csv->raw_len;
    char *out = csv->cooked;

    csv->field_count = 0;
    do {
        if (csv->field_count == csv_columns_max) {
            csv->problem = "more columns than 64";
            return;
        }
        struct field *field = &csv->field[csv->field_count++];
        field->from = (uint32_t)(out - csv->cooked);
        if (at < len && raw[at] == '"') {
            at = take_quoted(raw, len, at, &out);
            if (at < len && raw[at] != csv->delimiter)
                csv->problem = "text after a closing quote";
        }
        const char *end = at < len ? memchr(raw + at, csv->delimiter, len - at) : NULL;
        uint32_t size = (end ? (uint32_t)(end - raw) : len) - at;
        memcpy(out, raw + at, size);
        out += size;
        at += size;
        field->len = (uint32_t)(out - csv->cooked) - field->from;
    } while (at++ < len);
    csv->cooked_len = (uint32_t)(out - csv->cooked);
}

static char
guess_delimiter(const struct csv *csv)
{
    static const char candidates[] = { ',', ';', '\t' };
    uint32_t best = 0;
    char chosen = ',';

    for (size_t c = 0; c < sizeof(candidates); c++) {
        uint32_t count = 0;
        bool quoted = false;
        for (uint32_t i = 0; i < csv->raw_len; i++) {
            quoted ^= csv->raw[i] == '"';
            count += !quoted && csv->raw[i] == candidates[c];
        }
        if (count > best) {
            best = count;
            chosen = candidates[c];
        }
    }
    return chosen;
}

/* UTF-8's byte order mark, before anything is read. */
static void
skip_mark(struct csv *csv)
{
    csv->is_utf8 = fill_block(csv) && csv->block_len >= 3 &&
                   memcmp(csv->block, "\xEF\xBB\xBF", 3) == 0;
    csv->block_at = csv->is_utf8 ? 3 : 0;
}

static enum code
read_header(struct csv *csv, const char *path, struct err *err)
{
    skip_mark(csv);
    if (!read_raw(csv) || csv->problem)
        return err_set(err, CODE_SYNTAX, "'%s' has no header%s%s", path, csv->problem ? ": " : "",
                       csv_problem(csv));
    if (csv->raw_len >= 2 &&
        (memcmp(csv->raw, "\xFF\xFE", 2) == 0 || memcmp(csv->raw, "\xFE\xFF", 2) == 0))
        return err_set(err, CODE_SYNTAX, "'%s' is UTF-16: save it as UTF-8 or Windows-1251", path);
    decode_raw(csv);
    csv->delimiter = guess_delimiter(csv);
    if (!csv->problem)
        split_raw(csv);
    if (csv->problem)
        return err_set(err, CODE_SYNTAX, "the header of '%s': %s", path, csv->problem);
    csv->header = malloc(csv->cooked_len + 1);
    if (!csv->header)
        return err_set(err, CODE_NO_MEMORY, "no memory to read '%s'", path);
    memcpy(csv->header, csv->cooked, csv->cooked_len);
    memcpy(csv->column, csv->field, sizeof(csv->column));
    csv->column_count = csv->field_count;
    for (uint32_t i = 0; i < csv->column_count; i++) {
        struct text name = csv_header(csv, i);
        if (name.len == 0)
            return err_set(err, CODE_SYNTAX, "column %u of '%s' has no name", i + 1, path);
        for (uint32_t j = 0; j < i; j++)
            if (text_equal(name, csv_header(csv, j)))
                return err_set(err, CODE_SYNTAX, "column '%.*s' of '%s' comes twice", (int)name.len,
                               name.ptr, path);
    }
    return OK;
}

enum code
csv_open(const char *path, struct csv **csv, struct err *err)
{
    struct csv *made = calloc(1, sizeof(*made));
    struct stat stat_buf;

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory to read '%s'", path);
    made->raw = malloc(csv_row_bytes_max + 3);
    made->cooked = malloc(3 * (size_t)csv_row_bytes_max + 3);
    made->file = gzopen(path, "rb");
    made->block = malloc(block_bytes);
    if (!made->raw || !made->cooked || !made->block || !made->file || stat(path, &stat_buf) != 0) {
        enum code rc = err_set(err, CODE_IO, "cannot read '%s': %s", path, strerror(errno));
        csv_close(made);
        return rc;
    }
    gzbuffer(made->file, 1 << 17);
    made->total = (uint64_t)stat_buf.st_size;
    enum code rc = read_header(made, path, err);
    if (rc) {
        csv_close(made);
        return rc;
    }
    *csv = made;
    return OK;
}

void
csv_close(struct csv *csv)
{
    if (!csv)
        return;
    if (csv->file)
        gzclose(csv->file);
    free(csv->raw);
    free(csv->cooked);
    free(csv->block);
    free(csv->header);
    free(csv);
}

uint32_t
csv_column_count(const struct csv *csv)
{
    return csv->column_count;
}

struct text
csv_header(const struct csv *csv, uint32_t column)
{
    return (struct text){ csv->header + csv->column[column].from, csv->column[column].len };
}

int
csv_column(const struct csv *csv, const char *name)
{
    for (uint32_t i = 0; i < csv->column_count; i++)
        if (text_equal(csv_header(csv, i), text_of(name)))
            return (int)i;
    return -1;
}

/* An empty line in a table of several columns is nothing, as at the end of many files. */
static bool
is_blank(const struct csv *csv)
{
    return csv->raw_len == 0 && csv->column_count > 1 && !csv->problem;
}

enum csv_result
csv_next(struct csv *csv)
{
    csv->problem = NULL;
    csv->field_count = 0;
    do {
        if (csv->at_end || !read_raw(csv))
            return CSV_END;
        csv->row++;
    } while (is_blank(csv));
    if (!csv->problem)
        decode_raw(csv);
    if (csv->problem)
        return CSV_BROKEN;
    split_raw(csv);
    if (!csv->problem && csv->field_count != csv->column_count)
        csv->problem = "the number of fields differs from the header's";
    return csv->problem ? CSV_BROKEN : CSV_ROW;
}

struct text
csv_field(const struct csv *csv, int column)
{
    if (column < 0 || (uint32_t)column >= csv->field_count)
        return (struct text){ 0 };
    return (struct text){ csv->cooked + csv->field[column].from, csv->field[column].len };
}

struct text
csv_raw(const struct csv *csv)
{
    return (struct text){ csv->raw, csv->raw_len };
}

const char *
csv_problem(const struct csv *csv)
{
    return csv->problem ? csv->problem : "";
}

uint64_t
csv_row(const struct csv *csv)
{
    return csv->row;
}

uint64_t
csv_bytes_read(const struct csv *csv)
{
    z_off_t at = gzoffset(csv->file);

    return at > 0 ? (uint64_t)at : 0;
}

uint64_t
csv_bytes_total(const struct csv *csv)
{
    return csv->total;
}

void
csv_put(struct buf *out, struct text field, bool first)
{
    bool quote = false;

    for (uint32_t i = 0; i < field.len; i++)
        quote |= field.ptr[i] == ',' || field.ptr[i] == '"' || field.ptr[i] == '\n' ||
                 field.ptr[i] == '\r';
    if (!first)
        buf_add_char(out, ',');
    if (!quote) {
        buf_add_text(out, field);
        return;
    }
    buf_add_char(out, '"');
    for (uint32_t i = 0; i < field.len; i++) {
        if (field.ptr[i] == '"')
            buf_add_char(out, '"');
        buf_add_char(out, field.ptr[i]);
    }
    buf_add_char(out, '"');
}
