/*
 * schema.h - the tables of schema.def as data, and the text of every statement on them.
 *
 * Owns:      struct shape (a table), struct statement, the DDL of SQLite and PostgreSQL.
 * Must not:  run anything.
 * Invariant: both databases get the same statements, but for the mark of a parameter (?1, $1).
 */
#ifndef KOP_STORE_SCHEMA_H
#define KOP_STORE_SCHEMA_H

#include "store/store.h"

enum column_type { COLUMN_I64, COLUMN_TEXT, COLUMN_BLOB };
enum privacy { PRIVACY_NONE, PRIVACY_PERSONAL, PRIVACY_SECRET };
enum table_class {
    CLASS_OWNER,
    CLASS_PERSON,
    CLASS_DIRECTORY,
    CLASS_CONFIG,
    CLASS_COUNTER,
    CLASS_LOCAL,
};
enum table_layout { LAYOUT_CLUSTERED, LAYOUT_APPENDED };

struct column {
    const char *name;
    enum column_type type;
    enum privacy privacy;
};

/* A table of schema.def. */
struct shape {
    const char *name;
    enum table_class class;
    enum table_layout layout;
    const struct column *column;
    uint32_t column_count;
    const char *key_text; /* "owner_id, movement_no" */
};

/* The shape of a table; never NULL. */
const struct shape *shape_of(enum table table);
/* Positions of the key's columns; 0 when the key names no column of the table (the lint looks). */
uint32_t shape_key(const struct shape *shape, uint32_t key[keys_per_table_max]);

#define VERBS(X)                                                                                   \
    X(GET) X(LOCK) X(INSERT) X(PUT) X(ADVANCE) X(DELETE) X(OWNED) X(RANGE) X(DUE) X(FIRST) X(LIST) \
    X(COPY) X(COUNT)
enum verb {
#define X(name) VERB_##name,
    VERBS(X)
#undef X
        verb_count
};
const char *verb_name(enum verb verb);

enum { params_per_statement_max = columns_per_table_max + 1 };

struct statement {
    const char *sql; /* NULL: statements.def does not allow it */
    uint32_t param_count;
    enum column_type param[params_per_statement_max];
    uint32_t column_count; /* of the rows that come back; 0: none do */
    enum column_type column[columns_per_table_max];
};

/* What is built once per open store, in its arena. */
struct schema {
    uint32_t key_count[table_count];
    uint32_t key[table_count][keys_per_table_max];
    struct statement statement[table_count][verb_count];
};

enum dialect { DIALECT_SQLITE, DIALECT_POSTGRESQL };

KOP_MUST_CHECK enum code schema_build(struct schema *schema, enum dialect dialect,
                                      struct arena *arena, struct err *err);

/* Is it a journal: rows are added, and no statement but COPY and INSERT writes them? */
bool schema_only_grows(enum table table);

/* The text of COPY for `rows` rows in one statement; buf->failed when memory ran out. */
void schema_copy(enum dialect dialect, enum table table, uint32_t rows, struct buf *buf);

/* CREATE TABLE IF NOT EXISTS … of one table; buf->failed when memory ran out. */
void schema_ddl(enum dialect dialect, enum table table, struct buf *buf);
/* A table in one line as a database should describe it: "owner_id INTEGER, …, key owner_id". */
void schema_describe(enum dialect dialect, enum table table, struct buf *buf);
/* What the server's role may do with the table: "GRANT SELECT, INSERT ON movement TO kopilka". */
void schema_grant(enum table table, struct text role, struct buf *buf);

/* The order of a key's column: numbers by value, text and bytes like memcmp, shorter first. */
int cell_compare(const struct cell *a, const struct cell *b, enum column_type type);

#endif
