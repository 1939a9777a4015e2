/*
 * programme.c - what the tests of request and render share.
 *
 * Owns:      reading tests/tables/, compiling the test's programme.
 */
#include "programme.h"

char *
read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text;
    long size;

    if (file == NULL)
        fail_msg("cannot open '%s'", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    rewind(file);
    text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    text[size] = '\0';
    fclose(file);
    return text;
}

void
fixture_open(struct fixture *fixture)
{
    char *text = read_file("tests/tables/requests/programme.json");
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct err err;

    arena_init(&fixture->arena, host_source(), 256 * 1024, (size_t)64 << 20);
    arena_init(&fixture->request, host_source(), 64 * 1024, request_arena_bytes_max);
    struct text document = text_copy(&fixture->arena, text_of(text));
    free(text);
    enum code rc = plan_compile(&fixture->arena, document, TEXT(""), 3, &plan, &problems, &err);
    for (uint32_t i = 0; i < problems.count; i++)
        print_error("%.*s: %.*s\n", (int)problems.item[i].pointer.len, problems.item[i].pointer.ptr,
                    (int)problems.item[i].sentence.len, problems.item[i].sentence.ptr);
    assert_int_equal(rc, OK);
    fixture->plan = plan;
}

void
fixture_close(struct fixture *fixture)
{
    arena_release(&fixture->request);
    arena_release(&fixture->arena);
}
