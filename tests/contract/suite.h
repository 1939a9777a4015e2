/*
 * suite.h - what the parts of the contract suite share: the store under test, and rows to write.
 *
 * Owns:      struct fixture, the lists of tests.
 */
#ifndef KOP_TESTS_CONTRACT_SUITE_H
#define KOP_TESTS_CONTRACT_SUITE_H

#include "contract/kit.h"

struct variant {
    const char *name;
    bool sqlite, is_inline;
    const char *conninfo; /* of an empty PostgreSQL database; NULL: another store */
    void (*empty)(void);  /* makes that database empty again */
};

struct fixture {
    const struct variant *variant;
    struct place place;
    struct store *store;
};

/* A store of the fixture's variant; on SQLite with what the file holds. */
void open_store(struct fixture *fixture);

static inline struct store *
store_in(void **state)
{
    return ((struct fixture *)*state)->store;
}

static inline bool
is_inline(void **state)
{
    return ((struct fixture *)*state)->variant->is_inline;
}

struct contract {
    const char *name;
    CMUnitTestFunction function;
};

/* Is every operation a transaction of its own there? */
static inline bool
is_concurrent(void **state)
{
    return ((struct fixture *)*state)->variant->conninfo != NULL;
}

/* A program of the whole suite over some variants, and more tests. */
enum { tests_max = 512 };
struct program {
    struct CMUnitTest test[tests_max];
    char name[tests_max][96];
    size_t count;
};
void program_add(struct program *program, const struct variant *variant);
int program_run(const struct program *program);

/* Each ends with a NULL. */
extern const struct contract contracts_of_book[], contracts_of_batches[], contracts_of_lists[],
    contracts_of_rows[];

/* Rows for job->more: lots that overflow the owner's row; calendar and rolling counters. */
enum { many_lots = lots_in_owner_row_max + 5 };
void more_lots(struct job *job, struct changes *changes);
void more_counters(struct job *job, struct changes *changes);

struct directory_row key_row(const char *name, uint64_t owner_id, uint64_t member_id,
                             enum key_state state);
void route_to(struct job *job, enum route_kind kind, struct text key);

#endif
