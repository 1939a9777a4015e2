/*
 * forms.c - reads the tables of HTTP requests in tests/tables/http/.
 *
 * Owns:      the notation, described at the head of smuggling.txt.
 * Must not:  know what a request means.
 * Invariant: a line that it does not understand ends the program with its number.
 */
#include "http/forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
    char *bytes;
    size_t size;
    int hole;
};

struct forms {
    FILE *file;
    const char *path;
    int line;
    char text[16 * 1024];
    struct piece form, string[8], request;
    int strings;
};

static void
fail(const struct forms *forms, const char *why)
{
    fprintf(stderr, "%s:%d: %s\n", forms->path, forms->line, why);
    exit(1);
}

struct forms *
forms_open(const char *path)
{
    struct forms *forms = calloc(1, sizeof *forms);

    forms->path = path;
    forms->file = fopen(path, "r");
    if (!forms->file)
        fail(forms, "cannot open");
    return forms;
}

void
forms_close(struct forms *forms)
{
    fclose(forms->file);
    free(forms->form.bytes);
    free(forms->request.bytes);
    for (int i = 0; i < 8; i++)
        free(forms->string[i].bytes);
    free(forms);
}

static void
add(struct forms *forms, struct piece *piece, const char *bytes, size_t size)
{
    if (!piece->bytes)
        piece->bytes = malloc(forms_bytes_max + 1);
    if (piece->size + size > forms_bytes_max)
        fail(forms, "too long");
    memcpy(piece->bytes + piece->size, bytes, size);
    piece->size += size;
    piece->bytes[piece->size] = '\0';
}

static int
hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Unescape from `at` to the closing `end`; returns what is behind it. */
static const char *
unescape(struct forms *forms, const char *at, char end, struct piece *piece)
{
    while (*at != end) {
        if (*at == '\0')
            fail(forms, "a string without an end");
        if (*at != '\\') {
            add(forms, piece, at++, 1);
            continue;
        }
        at++;
        char c = *at++;
        if (c == 'r' || c == 'n' || c == 't' || c == '\\' || c == '"') {
            add(forms, piece, c == 'r' ? "\r" : c == 'n' ? "\n" : c == 't' ? "\t" : &at[-1], 1);
        } else if (c == 'x' && hex(at[0]) >= 0 && hex(at[1]) >= 0) {
            char byte = (char)(hex(at[0]) * 16 + hex(at[1]));
            add(forms, piece, &byte, 1);
            at += 2;
        } else if (c == '?') {
            piece->hole = (int)piece->size;
            add(forms, piece, "?", 1);
        } else if (c == '*') {
            long times = strtol(at, (char **)&at, 10);
            size_t from = piece->size;
            if (*at++ != '(' || times < 1)
                fail(forms, "a repetition is \\*N(text)");
            at = unescape(forms, at, ')', piece);
            size_t size = piece->size - from;
            char *once = malloc(size);
            memcpy(once, piece->bytes + from, size);
            while (--times > 0)
                add(forms, piece, once, size);
            free(once);
        } else {
            fail(forms, "an unknown escape");
        }
    }
    return at + 1;
}

static void
split(struct forms *forms, struct form_row *row)
{
    const char *at = forms->text;

    forms->strings = 0;
    row->word_count = 0;
    while (*at != '\0' && *at != '\n') {
        if (*at == ' ') {
            at++;
            continue;
        }
        if (row->word_count == 8)
            fail(forms, "too many words");
        struct piece *piece = &forms->string[row->word_count];
        piece->size = 0;
        piece->hole = -1;
        add(forms, piece, "", 0);
        if (*at == '"') {
            at = unescape(forms, at + 1, '"', piece);
        } else {
            size_t size = strcspn(at, " \n");
            add(forms, piece, at, size);
            at += size;
        }
        row->word[row->word_count] = piece->bytes;
        row->word_size[row->word_count++] = piece->size;
    }
}

/* Put the last string where the form has {}. */
static void
build_request(struct forms *forms, struct form_row *row)
{
    struct piece *last = &forms->string[--row->word_count], *request = &forms->request;
    char *hole = forms->form.bytes ? strstr(forms->form.bytes, "{}") : NULL;

    if (!hole)
        fail(forms, "no form with {} before this row");
    size_t before = (size_t)(hole - forms->form.bytes);
    request->size = 0;
    add(forms, request, forms->form.bytes, before);
    row->hole = last->hole < 0 ? -1 : (int)before + last->hole;
    add(forms, request, last->bytes, last->size);
    add(forms, request, hole + 2, forms->form.size - before - 2);
    row->request = request->bytes;
    row->request_size = request->size;
    row->line = forms->line;
}

bool
forms_next(struct forms *forms, struct form_row *row)
{
    while (fgets(forms->text, sizeof forms->text, forms->file)) {
        forms->line++;
        if (forms->text[0] == '#' || forms->text[0] == '\n')
            continue;
        split(forms, row);
        if (row->word_count < 2)
            fail(forms, "not a row");
        if (strcmp(row->word[0], "form") == 0) {
            forms->form.size = 0;
            add(forms, &forms->form, row->word[1], row->word_size[1]);
            continue;
        }
        build_request(forms, row);
        return true;
    }
    return false;
}

static bool
is_in_class(const char *name, int byte)
{
    bool control = (byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n') || byte == 0x7f;

    if (strcmp(name, "control") == 0)
        return control;
    if (strcmp(name, "high") == 0)
        return byte >= 0x80;
    if (strcmp(name, "name") == 0)
        return strchr("!\"#$%&'()*+,./;<=>?@[\\]^`{|}~ \t", byte) && byte != '\0';
    if (strcmp(name, "target") == 0)
        return strchr("\"#<>[\\]^`{|}\t", byte) && byte != '\0';
    fprintf(stderr, "unknown class '%s'\n", name);
    exit(1);
}

int
forms_class(const char *name, unsigned char bytes[256])
{
    int count = 0;

    for (int byte = 0; byte < 256; byte++) {
        if (is_in_class(name, byte))
            bytes[count++] = (unsigned char)byte;
    }
    return count;
}
