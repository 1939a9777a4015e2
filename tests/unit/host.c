/*
 * host.c - what a test program gives the pure core: memory, and an end for failed assertions.
 *
 * Owns:      kop_check_failed() of the unit tests.
 * Must not:  let a failed assertion pass: it prints and aborts.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void kop_check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

static void *take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void give_back(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

struct arena_source host_source(void)
{
    return (struct arena_source){ .take = take, .give_back = give_back, .context = NULL };
}
