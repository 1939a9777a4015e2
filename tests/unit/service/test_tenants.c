/*
 * test_tenants.c - a tenant's number is found by its code, however many tenants there are.
 *
 * Owns:      service_tenant() on a book with more tenants than a page.
 */
#include "house.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "host.h"

enum { many = 2 * page_rows_max + 7, gone = 1500 };

static struct house house;

static enum code
fill_run(struct tx *tx, struct op *op, struct err *err)
{
    struct row row = { 0 };
    enum code rc = OK;

    for (int i = 2; i <= many && !rc; i++) { /* 1 is the house's own */
        char code[16];
        snprintf(code, sizeof(code), "t%d", i);
        row.cell[0].number = i;
        row.cell[1].text = row.cell[2].text = text_copy(op->arena, text_of(code));
        rc = store_put(tx, TABLE_tenant, &row, err);
    }
    row.cell[0].number = gone;
    return rc ? rc : store_delete(tx, TABLE_tenant, &row, err);
}

static uint32_t
tenant(const char *code, bool create)
{
    uint32_t number;
    struct err err;
    enum code rc = service_tenant(house.service, text_of(code), create, &number, &err);

    if (rc && rc != CODE_NOT_FOUND)
        fail_msg("%s", err.text);
    return rc ? 0 : number;
}

static void
more_than_a_page(void **state)
{
    struct arena arena;
    struct op op = { .access = ACCESS_WRITE, .arena = &arena, .run = fill_run };
    struct err err;

    (void)state;
    arena_init(&arena, host_source(), 1 << 16, 1 << 24);
    house_open(&house, false);
    assert_int_equal(store_run(house.store, &op, &err), OK);
    assert_int_equal(tenant("shop", true), 1);
    assert_int_equal(tenant("t1000", false), 1000);
    assert_int_equal(tenant("t1001", true), 1001);
    assert_int_equal(tenant("t2000", false), 2000);
    assert_int_equal(tenant("t2007", false), many);
    assert_int_equal(tenant("t1500", false), 0); /* gone */
    assert_int_equal(tenant("t", false), 0);
    /* A new one takes no number that another has or had before the last. */
    assert_int_equal(tenant("new", true), many + 1);
    assert_int_equal(tenant("new", true), many + 1);
    assert_int_equal(tenant("newer", true), many + 2);
    assert_int_equal(tenant("t2007", false), many);
    house_close(&house);
    arena_release(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(more_than_a_page) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
