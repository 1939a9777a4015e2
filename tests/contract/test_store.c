/*
 * test_store.c - what every store promises, run over memory and SQLite, with threads and without.
 *
 * Owns:      the variants; the suite's parts are beside it. A test that needs threads says so.
 */
#include "contract/suite.h"

static const struct variant variants[] = {
    { "memory inline", false, true },
    { "memory threads", false, false },
    { "sqlite inline", true, true },
    { "sqlite threads", true, false },
};

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->variant = *state;
    place_make(&fixture->place);
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    place_drop(&fixture->place);
    free(fixture);
    return 0;
}

enum { parts = 3, tests_max = 512 };

struct program {
    struct CMUnitTest test[tests_max];
    char name[tests_max][96];
    size_t count;
};

static void
add(struct program *program, const struct variant *variant, const struct contract *contract)
{
    char *name = program->name[program->count];

    assert_true(program->count < tests_max);
    snprintf(name, sizeof program->name[0], "%s: %s", variant->name, contract->name);
    program->test[program->count++] =
        (struct CMUnitTest){ .name = name,
                             .test_func = contract->function,
                             .setup_func = set_up,
                             .teardown_func = tear_down,
                             .initial_state = (void *)(uintptr_t)variant };
}

int
main(void)
{
    static const struct contract *const part[parts] = { contracts_of_book, contracts_of_batches,
                                                        contracts_of_lists };
    static struct program program;

    for (size_t i = 0; i < KOP_COUNT(variants); i++)
        for (size_t k = 0; k < parts; k++)
            for (const struct contract *contract = part[k]; contract->name != NULL; contract++)
                add(&program, &variants[i], contract);
    return _cmocka_run_group_tests("store", program.test, program.count, NULL, NULL);
}
