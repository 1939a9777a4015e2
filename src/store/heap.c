/*
 * heap.c - blocks of an arena from malloc(), for all hosted folders: this is the leftmost.
 *
 * Owns:      taking them and giving them back.
 * Must not:  keep anything: who opens an arena releases it.
 * Tests:     every test of a hosted folder
 */
#include "store/store.h"

#include <stdlib.h>

static void *
take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void
give_back(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

struct arena_source
heap_source(void)
{
    return (struct arena_source){ .take = take, .give_back = give_back };
}
