/*
 * test_store.c - what every store promises, run over memory and SQLite, with threads and without.
 *
 * Owns:      the variants; the suite's parts are beside it. A test that needs threads says so.
 */
#include "contract/suite.h"

static const struct variant variants[] = {
    { "memory inline", false, true, NULL, NULL },
    { "memory threads", false, false, NULL, NULL },
    { "sqlite inline", true, true, NULL, NULL },
    { "sqlite threads", true, false, NULL, NULL },
};

int
main(void)
{
    static struct program program;

    for (size_t i = 0; i < KOP_COUNT(variants); i++)
        program_add(&program, &variants[i]);
    return program_run(&program);
}
