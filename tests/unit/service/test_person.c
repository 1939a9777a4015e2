/*
 * test_person.c - personal data open with the person's own key alone, and never without it.
 *
 * Owns:      sealing and opening of rows of table person; what an erased or foreign key does.
 * Must not:  use a store: a row is a value.
 */
#include "service/person.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

enum { key_bytes = 32, wrapped_bytes = key_bytes + seal_overhead_bytes };

static struct arena arena;
static struct service service;
static unsigned char chance;

static void
some_bytes(void *context, void *bytes, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = chance++;
}

static const char json[] = "{\"surname\":\"Петрова\",\"consent\":true}";
static const struct text plain = { json, sizeof(json) - 1 };

static struct row
sealed(uint64_t person_id, struct text body)
{
    struct row row;
    struct err err;

    assert_int_equal(person_seal(&service, person_id, 3, body, &arena, &row, &err), OK);
    return row;
}

/* The row's cell as bytes of our own. */
static unsigned char *
own(struct row *row, int cell)
{
    struct text copy = text_copy(&arena, row->cell[cell].text);

    row->cell[cell].text = copy;
    return (unsigned char *)(uintptr_t)copy.ptr;
}

static void
cannot_open(struct row *row)
{
    struct text opened = { 0 };
    struct err err;

    assert_int_equal(person_open(&service, row, &arena, &opened, &err), CODE_CORRUPT);
    assert_int_equal(opened.len, 0);
}

static void
it_opens(void **state)
{
    struct row row = sealed(99, plain);
    struct text opened;
    struct err err;

    (void)state;
    assert_int_equal(row.cell[0].number, 99);
    assert_int_equal(row.cell[1].number, 3);
    assert_int_equal(row.cell[2].text.len, wrapped_bytes);
    assert_int_equal(row.cell[3].text.len, plain.len + seal_overhead_bytes);
    assert_int_equal(person_open(&service, &row, &arena, &opened, &err), OK);
    assert_true(text_equal(opened, plain));
    row = sealed(100, TEXT(""));
    assert_int_equal(person_open(&service, &row, &arena, &opened, &err), OK);
    assert_int_equal(opened.len, 0);
}

static bool
holds(struct text bytes, struct text piece)
{
    for (uint32_t i = 0; i + piece.len <= bytes.len; i++)
        if (memcmp(bytes.ptr + i, piece.ptr, piece.len) == 0)
            return true;
    return false;
}

static void
nothing_plain_lies_in_the_row(void **state)
{
    struct row row = sealed(99, plain);

    (void)state;
    assert_true(holds(plain, TEXT("surname")));
    for (int cell = 2; cell <= 3; cell++) {
        assert_false(holds(row.cell[cell].text, TEXT("surname")));
        assert_false(holds(row.cell[cell].text, TEXT("Петрова")));
    }
    /* The same person twice: another key, another nonce. */
    struct row again = sealed(99, plain);
    assert_false(text_equal(row.cell[2].text, again.cell[2].text));
    assert_false(text_equal(row.cell[3].text, again.cell[3].text));
}

static void
an_erased_key_erases_the_person(void **state)
{
    struct row row = sealed(99, plain);

    (void)state;
    memset(own(&row, 2), 0, wrapped_bytes);
    cannot_open(&row);
    row = sealed(99, plain);
    row.cell[2].text = (struct text){ 0 };
    cannot_open(&row);
    /* Nor does the master key open the body by itself. */
    unsigned char out[64];
    struct err err;
    row = sealed(99, plain);
    assert_int_equal(open_bytes(service.person_master, row.cell[3].text.ptr, row.cell[3].text.len,
                                out, &err),
                     CODE_CORRUPT);
}

static void
another_persons_key_does_not_do(void **state)
{
    struct row row = sealed(99, plain), other = sealed(100, plain);

    (void)state;
    row.cell[2].text = other.cell[2].text;
    cannot_open(&row);
}

static void
another_master_key_does_not_do(void **state)
{
    struct row row = sealed(99, plain);

    (void)state;
    service.person_master[31] ^= 1;
    cannot_open(&row);
    service.person_master[31] ^= 1;
}

static void
every_byte_counts(void **state)
{
    struct row row = sealed(99, plain);
    struct text opened;
    struct err err;

    (void)state;
    for (int cell = 2; cell <= 3; cell++) {
        unsigned char *bytes = own(&row, cell);
        uint32_t size = row.cell[cell].text.len;
        for (uint32_t i = 0; i < size; i++) {
            bytes[i] ^= 0x10;
            cannot_open(&row);
            bytes[i] ^= 0x10;
        }
        for (uint32_t shorter = 0; shorter < size; shorter++) {
            row.cell[cell].text.len = shorter;
            cannot_open(&row);
        }
        row.cell[cell].text.len = size;
    }
    assert_int_equal(person_open(&service, &row, &arena, &opened, &err), OK);
}

static void
many_at_once_are_the_same(void **state)
{
    struct person_sealer *sealer = NULL;
    struct text opened;
    struct err err;

    (void)state;
    assert_int_equal(person_sealer_new(&service, &sealer, &err), OK);
    struct text last_key = { 0 };
    for (uint64_t id = 1; id <= 1500; id++) { /* more than chances are drawn at once */
        struct row row;
        struct arena_mark mark = arena_mark(&arena);
        assert_int_equal(person_sealer_seal(sealer, id, 4, plain, &arena, &row, &err), OK);
        assert_int_equal(row.cell[0].number, (int64_t)id);
        assert_int_equal(row.cell[1].number, 4);
        assert_false(text_equal(last_key, row.cell[2].text));
        assert_int_equal(person_open(&service, &row, &arena, &opened, &err), OK);
        assert_true(text_equal(opened, plain));
        if (id % 2)
            arena_rewind(&arena, mark);
    }
    person_sealer_free(sealer);
    person_sealer_free(NULL);
}

static void
what_is_sealed(void **state)
{
    struct enrol_body body = {
        .programme = TEXT("club"),
        .surname = TEXT("Петрова"),
        .name = TEXT("Анна \"Аня\""),
        .birthday = TEXT("1990-02-28"),
        .phone = TEXT("8 (912) 345-67-89"),
        .consent = true,
    };
    struct buf out;

    (void)state;
    buf_init(&out, &arena, 64);
    person_json(&body, TEXT("+79123456789"), &out);
    const char *wanted = "{\"surname\":\"Петрова\",\"name\":\"Анна \\\"Аня\\\"\","
                         "\"birthday\":\"1990-02-28\",\"phone\":\"+79123456789\",\"consent\":true}";
    assert_int_equal(out.len, strlen(wanted));
    assert_memory_equal(out.ptr, wanted, out.len);
}

static void
without_memory_it_fails(void **state)
{
    static _Alignas(16) char memory[128];
    struct row row = sealed(99, plain);
    struct text opened;
    struct arena small;
    struct err err;

    (void)state;
    arena_init_fixed(&small, memory, 96);
    assert_int_equal(person_seal(&service, 1, 1, plain, &small, &row, &err), CODE_NO_MEMORY);
    row = sealed(99, plain);
    arena_init_fixed(&small, memory, 64);
    assert_int_equal(person_open(&service, &row, &small, &opened, &err), CODE_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens),
        cmocka_unit_test(nothing_plain_lies_in_the_row),
        cmocka_unit_test(an_erased_key_erases_the_person),
        cmocka_unit_test(another_persons_key_does_not_do),
        cmocka_unit_test(another_master_key_does_not_do),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(many_at_once_are_the_same),
        cmocka_unit_test(what_is_sealed),
        cmocka_unit_test(without_memory_it_fails),
    };

    arena_init(&arena, host_source(), 1 << 14, 16 << 20);
    service.host.random = some_bytes;
    for (int i = 0; i < 32; i++)
        service.person_master[i] = (unsigned char)(200 - i);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
