/*
 * arena.c - memory by lifetime: pieces cut from a chain of blocks.
 *
 * Owns:      the chain: blocks before `current` are full, blocks after it are free.
 * Must not:  call malloc, or give a block back before it must.
 * Invariant: every block's room is a multiple of 16: a size that fits also fits when rounded up.
 *            The same allocations after a reset find the same blocks.
 * Cost:      an allocation is one comparison and, but for bytes, a memset; a new block walks the
 *            free ones.
 * Tests:     tests/unit/base/test_arena.c
 */
#include "base/arena.h"

#include "base/mem.h"

struct arena_block {
    struct arena_block *next;
    size_t room; /* bytes after the header */
};

enum {
    arena_align = 16,
    arena_header = (sizeof(struct arena_block) + arena_align - 1) / arena_align * arena_align,
    arena_block_min = 64,
};

static size_t round_up(size_t size)
{
    return (size + (arena_align - 1)) & ~(size_t)(arena_align - 1);
}

static size_t round_down(size_t size)
{
    return size & ~(size_t)(arena_align - 1);
}

void arena_init(struct arena *arena, struct arena_source source, size_t block_size, size_t cap)
{
    assert(source.take != NULL);
    assert(source.give_back != NULL);

    *arena = (struct arena){
        .cap = cap,
        .block_size = round_up(block_size < arena_block_min ? arena_block_min : block_size),
        .source = source,
    };
}

void arena_init_fixed(struct arena *arena, void *memory, size_t size)
{
    assert(memory != NULL);
    assert((uintptr_t)memory % arena_align == 0);
    assert(size >= arena_block_min);

    struct arena_block *block = memory;
    block->next = NULL;
    block->room = round_down(size) - arena_header;
    *arena = (struct arena){ .first = block, .current = block, .total = size, .cap = size };
}

void arena_reset(struct arena *arena)
{
    assert(arena->total <= arena->cap);

    arena->current = arena->first;
    arena->used = 0;
    arena->failed = false;
}

static void drop(struct arena *arena, struct arena_block *block)
{
    size_t size = block->room + arena_header;

    assert(arena->total >= size);
    arena->total -= size;
    arena->source.give_back(arena->source.context, block, size);
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->first;
    while (block != NULL && arena->source.give_back != NULL) {
        struct arena_block *next = block->next;
        drop(arena, block);
        block = next;
    }
    assert(arena->total == 0 || arena->source.give_back == NULL);
    arena->first = NULL;
    arena->current = NULL;
    arena->used = 0;
    arena->total = 0;
}

/* Where the chain of free blocks hangs. */
static struct arena_block **free_blocks(struct arena *arena)
{
    return arena->current != NULL ? &arena->current->next : &arena->first;
}

/* Take a free block with room for `size` out of the chain, or NULL. */
static struct arena_block *find_free(struct arena *arena, size_t size)
{
    assert(size % arena_align == 0);

    for (struct arena_block **at = free_blocks(arena); *at != NULL; at = &(*at)->next) {
        struct arena_block *block = *at;
        if (block->room < size)
            continue;
        *at = block->next;
        return block;
    }
    return NULL;
}

/* Free blocks that are all too small stand in the way of one that is not: give them back. */
static void drop_free(struct arena *arena)
{
    struct arena_block **at = free_blocks(arena);
    while (*at != NULL) {
        struct arena_block *block = *at;
        *at = block->next;
        drop(arena, block);
    }
    assert(*at == NULL);
}

/* A block from the source with room for `size`, or NULL when the cap or the source forbids. */
static struct arena_block *take_block(struct arena *arena, size_t size)
{
    if (arena->source.take == NULL || size > arena->cap || arena->cap - size < arena_header)
        return NULL;
    size_t need = size + arena_header;
    if (need > arena->cap - arena->total)
        drop_free(arena);
    size_t left = round_down(arena->cap - arena->total);
    if (need > left)
        return NULL;
    size_t take = need < arena->block_size ? arena->block_size : need;
    if (take > left)
        take = left;

    struct arena_block *block = arena->source.take(arena->source.context, take);
    if (block == NULL)
        return NULL;
    assert((uintptr_t)block % arena_align == 0);
    block->room = take - arena_header;
    arena->total += take;
    return block;
}

/* Make a block with room for `size` the current one. */
static bool step(struct arena *arena, size_t size)
{
    struct arena_block *block = find_free(arena, size);
    if (block == NULL)
        block = take_block(arena, size);
    if (block == NULL)
        return false;
    assert(block->room >= size);

    struct arena_block **at = free_blocks(arena);
    block->next = *at;
    *at = block;
    arena->current = block;
    arena->used = 0;
    return true;
}

static void *refuse(struct arena *arena)
{
    arena->failed = true;
    return NULL;
}

/* `size` is rounded up. */
static void *cut(struct arena *arena, size_t size)
{
    unsigned char *piece = (unsigned char *)arena->current + arena_header + arena->used;

    arena->used += size;
    assert(arena->used <= arena->current->room);
    return piece;
}

/* Is there room for `size` bytes in the current block, or in another that becomes it? */
static bool has_room(struct arena *arena, size_t size)
{
    if (arena->current != NULL && size <= arena->current->room - arena->used)
        return true;
    return size <= SIZE_MAX / 2 && step(arena, round_up(size));
}

void *arena_alloc_bytes(struct arena *arena, size_t size)
{
    if (size == 0)
        size = 1;
    return has_room(arena, size) ? cut(arena, round_up(size)) : refuse(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size == 0)
        size = 1;
    if (!has_room(arena, size))
        return refuse(arena);
    size = round_up(size);
    return memset(cut(arena, size), 0, size);
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;

    assert(size > 0);
    if (__builtin_mul_overflow(count, size, &bytes))
        return refuse(arena);
    return arena_alloc(arena, bytes);
}

struct arena_mark arena_mark(const struct arena *arena)
{
    return (struct arena_mark){ .block = arena->current, .used = arena->used };
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
    assert(mark.block != arena->current || mark.used <= arena->used);

    arena->current = mark.block != NULL ? mark.block : arena->first;
    arena->used = mark.used;
}
