/*
 * postgres.h - a connection to PostgreSQL, shared by postgres_open.c and postgres_run.c.
 *
 * Owns:      struct postgres.
 * Must not:  be included outside these files and their tests.
 */
#ifndef KOP_STORE_POSTGRES_H
#define KOP_STORE_POSTGRES_H

#include "store/backend.h"

#include <libpq-fe.h>

/* What was sent and whose result has not been read yet. */
enum sent_kind { SENT_CONTROL, SENT_COMMIT, SENT_PREPARE, SENT_QUERY, SENT_SYNC };
struct sent {
    enum sent_kind kind;
    enum table table;
    enum verb verb;
    struct query *query; /* where rows go; NULL: none are wanted */
    bool ignored;        /* nobody cares any more whether it worked */
    bool is_many;        /* copy_rows rows of COPY in one statement */
};
enum { sent_max = 512, state_bytes = 6, role_bytes_max = 160, copy_rows = 32 };

struct postgres {
    struct backend backend; /* first: a struct backend * is one of these */
    PGconn *conn;
    char *conninfo;
    char role[role_bytes_max]; /* in quotes: what serving connections take on; empty: none */
    enum role kind;
    uint32_t answer_ms; /* a connection that says nothing for so long is lost */
    bool patient;       /* no answer comes too late: a whole book is being loaded */
    bool in_transaction;
    bool lost;     /* the connection is of no use any more */
    bool unsynced; /* something was sent that no sync follows yet */
    bool warned;   /* a warning came since the last COMMIT went out */
    bool unsure;   /* an ADVANCE went out whose version was not seen under the lock */
    bool has_lock; /* of the owner's row that was locked or written last: */
    int64_t lock_owner, lock_version;
    bool is_prepared[table_count][verb_count], is_many_prepared[table_count];
    struct sent sent[sent_max];
    uint32_t sent_count;
    uint64_t round_trips;    /* waited for, since it was opened */
    char state[state_bytes]; /* SQLSTATE of the last failure */
};

static inline struct postgres *
postgres_of(struct backend *backend)
{
    return (struct postgres *)backend;
}

/* postgres_open.c: connect, or connect again; BUSY when the database does not answer. */
enum code postgres_connect(struct postgres *postgres, struct err *err);

/* postgres_run.c */
enum code postgres_begin(struct backend *backend, enum access access, struct err *err);
enum code postgres_commit(struct backend *backend, struct err *err);
void postgres_rollback(struct backend *backend);
enum code postgres_run(struct backend *backend, struct query *query, uint32_t count,
                       struct arena *arena, struct err *err);
/*
 * One statement with one text parameter (NULL: none) and rows as text, waited for. The caller
 * clears `*result` (NULL after a failure).
 */
enum code postgres_ask(struct postgres *postgres, const char *sql, const char *param,
                       PGresult **result, struct err *err);
/* The failure that `result` tells as a code; `what` opens the sentence. */
enum code postgres_fail(struct postgres *postgres, const PGresult *result, const char *what,
                        struct err *err);

#endif
