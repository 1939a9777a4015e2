/*
 * arena.h - memory by lifetime: one arena per request or job, freed whole.
 *
 * Owns:      struct arena, marks.
 * Must not:  call malloc: blocks come from a source that the host hands in.
 * Invariant: memory is zeroed; never more than `cap` bytes of blocks; after arena_reset() the same
 *            blocks serve again, so a warm arena asks its source for nothing.
 */
#ifndef KOP_BASE_ARENA_H
#define KOP_BASE_ARENA_H

#include "base/check.h"

/* Where blocks come from. `take` returns NULL when there is no more; both may be NULL for an arena
 * over a fixed piece of memory. */
struct arena_source {
    void *(*take)(void *context, size_t size);
    void (*give_back)(void *context, void *block, size_t size);
    void *context;
};

struct arena_block; /* header inside each block */

struct arena {
    struct arena_block *first;   /* chain of blocks, kept across reset */
    struct arena_block *current; /* the one being filled */
    size_t used;                 /* bytes used in `current` after its header */
    size_t total;                /* bytes of all blocks */
    size_t cap;                  /* the most that `total` may become */
    size_t block_size;           /* size of an ordinary block */
    struct arena_source source;
    bool failed; /* an allocation was refused since init or reset */
};

/* An arena that takes blocks of `block_size` from `source`, at most `cap` bytes in all. */
void arena_init(struct arena *arena, struct arena_source source, size_t block_size, size_t cap);

/* An arena over `memory` (aligned to 16, at least 64 bytes), which the caller keeps. */
void arena_init_fixed(struct arena *arena, void *memory, size_t size);

/* Forget all allocations, keep the blocks. Clears `failed`. */
void arena_reset(struct arena *arena);

/* Give every block back. */
void arena_release(struct arena *arena);

/* `size` zeroed bytes aligned to 16, or NULL (and `failed` is set). Size 0 gives a pointer too. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same without the zeros: for bytes that are all written before they are read. */
void *arena_alloc_bytes(struct arena *arena, size_t size);

/* Room for `count` items of `size`, overflow-checked; NULL as above. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_alloc_array((arena), (count), sizeof(type)))

/* A place to come back to: everything allocated after the mark is forgotten by the rewind. */
struct arena_mark {
    struct arena_block *block;
    size_t used;
};
struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

#endif
