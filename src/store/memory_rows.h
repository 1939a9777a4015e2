/*
 * memory_rows.h - tables in memory: rows in key order that can be put, dropped and walked.
 *
 * Owns:      struct memory_table, a skip list whose heights come from the keys, so that the same
 *            rows always make the same list.
 * Must not:  know transactions: a row taken out is handed back, and can be put in again.
 */
#ifndef KOP_STORE_MEMORY_ROWS_H
#define KOP_STORE_MEMORY_ROWS_H

#include "store/schema.h"

enum { memory_levels = 20, memory_key_bytes_max = 1024 };

struct memory_row {
    struct text key;           /* canonical bytes, see memory_key() */
    struct cell *cell;         /* one for each column; text in the same block */
    uint32_t level;            /* how many of `next` are in use */
    struct memory_row *next[]; /* `level` of them */
};

struct memory_table {
    struct memory_row *first[memory_levels];
    uint64_t count;
};

struct memory_key {
    char bytes[memory_key_bytes_max];
    uint32_t len;
};

/*
 * Bytes that compare as the columns do: numbers big-endian with the sign flipped, text as it is;
 * text that is not the last column with its zero bytes escaped and an end. false: too long.
 */
bool memory_key(struct memory_key *key, const struct cell *cell, const enum column_type *type,
                uint32_t count);

/* A row in one block, to be freed with free(); NULL when there is no memory. */
struct memory_row *memory_row_new(const struct memory_key *key, const struct cell *cell,
                                  const enum column_type *type, uint32_t count);

/* Where a key is or belongs. Good until the table changes in another way than through it. */
struct memory_place {
    struct memory_row **link[memory_levels]; /* on each level, to the first row >= the key */
    struct memory_row *row;                  /* that has the key; NULL: none has */
};
void memory_find(struct memory_table *table, struct text key, struct memory_place *place);
/* Take place->row, which is not NULL, out of the table. */
void memory_take(struct memory_table *table, struct memory_place *place);
/* Put a row with the place's key in; place->row is NULL, or was taken. */
void memory_insert(struct memory_table *table, struct memory_place *place, struct memory_row *row);

/* The first row whose key is >= `key`; NULL when there is none. */
struct memory_row *memory_seek(const struct memory_table *table, struct text key);
void memory_clear(struct memory_table *table);

#endif
