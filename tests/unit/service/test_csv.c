/*
 * test_csv.c - tables of text: quotes, delimiters, encodings, broken rows, packed files.
 *
 * Owns:      the tests of service/csv.h. Each case is a file and what is read out of it.
 */
#include "service/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "unit/host.h"

/* A file with these bytes in the test's own folder. */
static const char *
file_of(const void *bytes, size_t size, bool packed)
{
    static char path[1024];
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/kopilka-csv-%d", folder ? folder : "/tmp", (int)getpid());
    gzFile file = gzopen(path, packed ? "wb" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static void
add_field(char *out, size_t size, struct text field, const char *end)
{
    size_t used = strlen(out);

    snprintf(out + used, size - used, "%.*s%s", (int)field.len, field.len ? field.ptr : "", end);
}

/* All of a table as "field|field" lines; a broken row is "!what is wrong". */
static void
read_all(struct csv *csv, char *out, size_t size)
{
    enum csv_result result;

    out[0] = '\0';
    for (uint32_t i = 0; i < csv_column_count(csv); i++)
        add_field(out, size, csv_header(csv, i), i + 1 < csv_column_count(csv) ? "|" : "\n");
    while ((result = csv_next(csv)) != CSV_END) {
        if (result == CSV_BROKEN) {
            add_field(out, size, TEXT("!"), csv_problem(csv));
            add_field(out, size, TEXT(""), "\n");
            continue;
        }
        for (uint32_t i = 0; i < csv_column_count(csv); i++)
            add_field(out, size, csv_field(csv, (int)i),
                      i + 1 < csv_column_count(csv) ? "|" : "\n");
    }
    assert_int_equal(csv_next(csv), CSV_END);
}

static void
expect_bytes(const void *bytes, size_t size, bool packed, const char *wanted)
{
    char got[8192];
    struct csv *csv;
    struct err err = { 0 };

    if (csv_open(file_of(bytes, size, packed), &csv, &err))
        fail_msg("cannot open: %s", err.text);
    read_all(csv, got, sizeof got);
    assert_string_equal(got, wanted);
    assert_true(csv_bytes_read(csv) <= csv_bytes_total(csv));
    csv_close(csv);
}

static void
expect(const char *content, const char *wanted)
{
    expect_bytes(content, strlen(content), false, wanted);
    expect_bytes(content, strlen(content), true, wanted); /* gzipped it reads the same */
}

static void
expect_refused(const void *bytes, size_t size, const char *part)
{
    struct csv *csv = NULL;
    struct err err = { 0 };

    assert_int_equal(csv_open(file_of(bytes, size, false), &csv, &err), CODE_SYNTAX);
    if (strstr(err.text, part) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, part);
}

/* ---- what a field is ---- */

static void
test_plain(void **state)
{
    (void)state;
    expect("a,b\n1,2\n3,4\n", "a|b\n1|2\n3|4\n");
    expect("a,b\n1,2\n3,4", "a|b\n1|2\n3|4\n"); /* no end of the last line */
    expect("a,b\r\n1,2\r\n", "a|b\n1|2\n");
    expect("a,b\n,\n", "a|b\n|\n");
    expect("a,b\n", "a|b\n");
    expect("a,b", "a|b\n");
    expect("a\n1\n\n2\n", "a\n1\n\n2\n"); /* one column: an empty line is an empty field */
    expect("a,b\n1,2\n\n\r\n3,4\n\n", "a|b\n1|2\n3|4\n");
    expect("a,b\n 1 , 2 \n", "a|b\n 1 | 2 \n"); /* spaces belong to the field */
}

static void
test_quotes(void **state)
{
    (void)state;
    expect("a,b\n\"1,5\",\"2\"\n", "a|b\n1,5|2\n");
    expect("a,b\n\"he said \"\"no\"\"\",2\n", "a|b\nhe said \"no\"|2\n");
    expect("a,b\n\"\",\"\"\n", "a|b\n|\n");
    expect("a,b\n\"\"\"\",\"\"\"\"\"\"\n", "a|b\n\"|\"\"\n");
    expect("a,b\n\"two\nlines\",x\n1,2\n", "a|b\ntwo\nlines|x\n1|2\n");
    expect("a,b\n\"two\r\nlines\",\"x\"\r\n", "a|b\ntwo\r\nlines|x\n");
    expect("\"a\",\"b,c\"\n1,2\n", "a|b,c\n1|2\n");
    expect("a,\"b\nc\"\n1,2\n", "a|b\nc\n1|2\n");
    /* A quote that does not open its field is a character like any other. */
    expect("a,b\nscreen 24\",2\n3,4\n", "a|b\nscreen 24\"|2\n3|4\n");
    expect("a,b\nthe \"Daisy\" shop,2\n", "a|b\nthe \"Daisy\" shop|2\n");
}

static void
test_delimiters(void **state)
{
    (void)state;
    expect("a;b\n1;2,5\n", "a|b\n1|2,5\n");
    expect("a\tb\n1;2\t3,4\n", "a|b\n1;2|3,4\n");
    expect("a,b;c;d\n1;2;3\n", "a,b|c|d\n1|2|3\n"); /* the header has most of ';' */
    expect("\"a,b,c\";d\n1;2\n", "a,b,c|d\n1|2\n"); /* not counted inside quotes */
    expect("\"a;b;c\",d\n1,2\n", "a;b;c|d\n1|2\n");
    expect("a;b\n\"x\";\"y;z\"\n", "a|b\nx|y;z\n");
}

/* ---- encodings ---- */

static void
test_encodings(void **state)
{
    static const char name_1251[] =
        "\xD4\xE0\xEC\xE8\xEB\xE8\xFF;\xB9\n\xC8\xE2\xE0\xED\xEE\xE2;1\n";
    static const char quotes_1251[] = "a;b\n\xAB\xCC\xEE\xF0\xE5\xBB \x97 \x88;\xA8\n";
    static const char marked_broken[] = "\xEF\xBB\xBF"
                                        "a,b\n\xC8\xE2,1\nx,2\n";

    (void)state;
    expect("имя,b\nАнна,ё\n", "имя|b\nАнна|ё\n");
    expect("\xEF\xBB\xBF"
           "a,b\n1,2\n",
           "a|b\n1|2\n");
    expect("\xEF\xBB\xBF\"a,c\",b\n1,2\n", "a,c|b\n1|2\n");
    expect("\xEF\xBB\xBF\"a\nc\",b\n1,2\n", "a\nc|b\n1|2\n");
    expect(name_1251, "Фамилия|№\nИванов|1\n");
    expect(quotes_1251, "a|b\n«Море» — €|Ё\n");
    /* Some rows are plain, some UTF-8, some CP1251: each is read as what it is. */
    expect("a,b\nПётр,1\n\xC8\xE2\xE0\xED,2\nIvan,3\n", "a|b\nПётр|1\nИван|2\nIvan|3\n");
    expect(marked_broken, "a|b\n!the file says that it is UTF-8, and this row is not\nx|2\n");
    expect_refused("\xFF\xFE"
                   "a\0,\0b\0\n\0",
                   10, "UTF-16");
    expect_refused("\xFE\xFF"
                   "\0a\0,\0b\0\n",
                   10, "UTF-16");
}

/* Every byte of the upper half against iconv's table of the code page. */
static void
test_whole_code_page(void **state)
{
    static const char upper[] =
        "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\xEF\xBF\xBD™љ›њќћџ\xC2\xA0ЎўЈ¤Ґ¦§Ё©Є«¬\xC2\xAD®Ї°±Ііґµ¶·ё№є»јЅѕї"
        "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя";
    char content[256] = "a,b\n", wanted[1024];
    size_t size = strlen(content);

    (void)state;
    for (int byte = 0x80; byte <= 0xFF; byte++)
        content[size++] = (char)byte;
    memcpy(content + size, ",1\n", 3);
    snprintf(wanted, sizeof wanted, "a|b\n%s|1\n", upper);
    expect_bytes(content, size + 3, false, wanted);
}

/* ---- what is broken ---- */

static void
test_broken_rows(void **state)
{
    (void)state;
    expect("a,b\n1\n2,3\n", "a|b\n!the number of fields differs from the header's\n2|3\n");
    expect("a,b\n1,2,3\n2,3\n", "a|b\n!the number of fields differs from the header's\n2|3\n");
    expect("a,b\n\"1\"x,2\n2,3\n", "a|b\n!text after a closing quote\n2|3\n");
    expect("a,b\n\"1\" ,2\n2,3\n", "a|b\n!text after a closing quote\n2|3\n");
    expect("a,b\n\"1,2\n2,3\n", "a|b\n!a quote is not closed\n");
}

static void
test_broken_headers(void **state)
{
    char wide[1024];
    size_t size = 0;

    (void)state;
    expect_refused("", 0, "has no header");
    expect_refused("a,,c\n", 5, "column 2");
    expect_refused("a,b,a\n", 6, "'a'");
    expect_refused("\"a,b\n", 5, "a quote is not closed");
    for (int i = 0; i <= csv_columns_max; i++)
        size += (size_t)snprintf(wide + size, sizeof wide - size, "%sc%d", i ? "," : "", i);
    expect_refused(wide, size, "more columns than 64");
}

static void
test_no_file(void **state)
{
    struct csv *csv;
    struct err err;

    (void)state;
    assert_int_equal(csv_open("/nonexistent/file.csv", &csv, &err), CODE_IO);
}

/* A row of exactly the limit is read; one byte more is refused, and reading goes on. */
static void
test_limits(void **state)
{
    size_t size = csv_row_bytes_max + 64;
    char *content = malloc(size);
    struct csv *csv;
    struct err err;

    (void)state;
    for (int over = 0; over <= 1; over++) {
        size_t at = (size_t)snprintf(content, size, "a,b\n1,");
        size_t more = csv_row_bytes_max - 2 + (size_t)over;
        memset(content + at, 'x', more);
        at += more;
        at += (size_t)snprintf(content + at, size - at, "\n3,4\n");
        assert_int_equal(csv_open(file_of(content, at, false), &csv, &err), OK);
        assert_int_equal(csv_next(csv), over ? CSV_BROKEN : CSV_ROW);
        if (over)
            assert_string_equal(csv_problem(csv), "the row is longer than 1 MiB");
        else
            assert_int_equal(csv_field(csv, 1).len, more);
        assert_int_equal(csv_next(csv), CSV_ROW);
        assert_true(text_equal(csv_field(csv, 1), TEXT("4")));
        csv_close(csv);
    }
    /* Two bytes for each of CP1251: over the limit once it is UTF-8. */
    size_t at = (size_t)snprintf(content, size, "a,b\n1,");
    memset(content + at, 0xC0, csv_row_bytes_max - 2);
    at += csv_row_bytes_max - 2;
    at += (size_t)snprintf(content + at, size - at, "\n3,4\n");
    assert_int_equal(csv_open(file_of(content, at, false), &csv, &err), OK);
    assert_int_equal(csv_next(csv), CSV_BROKEN);
    assert_int_equal(csv_next(csv), CSV_ROW);
    csv_close(csv);
    free(content);
}

/* A packed file that was cut short or damaged is not a shorter table. */
static void
test_damaged_packing(void **state)
{
    char content[4096], packed[8192];
    size_t size = 0;
    struct csv *csv;
    struct err err;

    (void)state;
    size += (size_t)snprintf(content, sizeof content, "a,b\n");
    for (unsigned i = 0; size + 16 < sizeof content; i++)
        size += (size_t)snprintf(content + size, sizeof content - size, "%u,x\n", i * 2654435761u);
    const char *path = file_of(content, size, true);
    FILE *file = fopen(path, "rb");
    size_t packed_size = fread(packed, 1, sizeof packed, file);
    fclose(file);
    for (int damage = 0; damage < 2; damage++) {
        size_t left = damage ? packed_size : packed_size / 2;
        if (damage)
            packed[packed_size / 2] ^= 0x55;
        file = fopen(path, "wb");
        fwrite(packed, 1, left, file);
        fclose(file);
        enum code rc = csv_open(path, &csv, &err);
        if (rc == CODE_SYNTAX) { /* zlib would not give even the header */
            assert_non_null(strstr(err.text, "damaged"));
            continue;
        }
        assert_int_equal(rc, OK);
        enum csv_result result, last = CSV_END;
        while ((result = csv_next(csv)) != CSV_END)
            last = result;
        assert_int_equal(last, CSV_BROKEN);
        csv_close(csv);
    }
}

/* ---- looking things up ---- */

static void
test_columns_and_rows(void **state)
{
    static const char content[] = "a;b\n\n1;\"2\"\nx\n3;4\n";
    struct csv *csv;
    struct err err;

    (void)state;
    assert_int_equal(csv_open(file_of(content, strlen(content), false), &csv, &err), OK);
    assert_int_equal(csv_column(csv, "b"), 1);
    assert_int_equal(csv_column(csv, "B"), -1);
    assert_int_equal(csv_column_count(csv), 2);
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_int_equal(csv_row(csv), 2); /* lines count, empty ones too: people look for them */
    assert_true(text_equal(csv_raw(csv), TEXT("1;\"2\"")));
    assert_int_equal(csv_field(csv, -1).len, 0);
    assert_int_equal(csv_field(csv, 2).len, 0);
    assert_int_equal(csv_next(csv), CSV_BROKEN);
    assert_true(text_equal(csv_raw(csv), TEXT("x")));
    assert_int_equal(csv_next(csv), CSV_ROW);
    assert_int_equal(csv_row(csv), 4);
    assert_int_equal(csv_bytes_total(csv), strlen(content));
    assert_int_equal(csv_next(csv), CSV_END);
    assert_int_equal(csv_bytes_read(csv), strlen(content));
    csv_close(csv);
}

/* ---- writing ---- */

static void
test_put(void **state)
{
    static const struct text fields[] = {
        { "plain", 5 },      { "", 0 },    { "a,b", 3 }, { "say \"no\"", 8 },
        { "two\nlines", 9 }, { " x ", 3 }, { "\r", 1 },
    };
    struct arena arena;
    struct buf out;
    struct csv *csv;
    struct err err;

    (void)state;
    arena_init(&arena, host_source(), 4096, 1 << 20);
    buf_init(&out, &arena, 256);
    buf_add_text(&out, TEXT("a,b,c,d,e,f,g\n"));
    for (size_t i = 0; i < KOP_COUNT(fields); i++)
        csv_put(&out, fields[i], i == 0);
    buf_add_char(&out, '\n');
    assert_int_equal(csv_open(file_of(out.ptr, out.len, false), &csv, &err), OK);
    assert_int_equal(csv_next(csv), CSV_ROW);
    for (size_t i = 0; i < KOP_COUNT(fields); i++)
        assert_true(text_equal(csv_field(csv, (int)i), fields[i]));
    csv_close(csv);
    arena_release(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_whole_code_page),
        cmocka_unit_test(test_broken_rows),
        cmocka_unit_test(test_broken_headers),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_damaged_packing),
        cmocka_unit_test(test_columns_and_rows),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
