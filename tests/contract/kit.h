/*
 * kit.h - operations on a store, as short as tests want them.
 *
 * Owns:      struct job: an operation with its arena, what it shall do and what it found.
 * Must not:  know which store it runs on.
 */
#ifndef KOP_TESTS_CONTRACT_KIT_H
#define KOP_TESTS_CONTRACT_KIT_H

#include "host.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct job {
    struct op op;
    struct arena arena;
    uint64_t owner_id, op_id;
    uint32_t tenant, programme;
    amount points;
    bool refuse;          /* come back OK before the first write */
    enum code fail_after; /* come back with that code after writing */
    struct text record;
    /* More to write than an earning; may be NULL. */
    void (*more)(struct job *job, struct changes *changes);
    enum code (*body)(struct tx *tx, struct job *job, struct err *err);
    /* What it found. */
    struct view view;
    uint32_t runs;
    bool done;
    char claim[32];
    struct job **log; /* where done() notes its order; may be NULL */
    uint32_t *log_count;
};

static inline struct job *
job_of(struct op *op)
{
    return op->context;
}

static inline enum code
job_run(struct tx *tx, struct op *op, struct err *err)
{
    struct job *job = job_of(op);
    job->runs++;
    return job->body(tx, job, err);
}

static inline void
job_done(struct op *op)
{
    struct job *job = job_of(op);
    if (job->log != NULL)
        job->log[(*job->log_count)++] = job;
    __atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
}

static inline struct job *
job_new(enum access access, enum code (*body)(struct tx *, struct job *, struct err *))
{
    struct job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    arena_init(&job->arena, host_source(), 16 << 10, 64 << 20);
    job->op.access = access;
    job->op.arena = &job->arena;
    job->op.run = job_run;
    job->op.done = job_done;
    job->op.context = job;
    job->body = body;
    job->tenant = 1;
    job->programme = 1;
    return job;
}

static inline void
job_free(struct job *job)
{
    arena_release(&job->arena);
    free(job);
}

/* Submit a job and wait; 0 is OK. */
static inline enum code
job_do(struct store *store, struct job *job)
{
    struct err err = { .code = OK };
    return store_run(store, &job->op, &err);
}

static inline void
job_submit(struct store *store, struct job *job)
{
    struct err err = { .code = OK };
    assert_int_equal(store_submit(store, &job->op, &err), OK);
}

static inline void
job_await(struct job *job)
{
    while (!__atomic_load_n(&job->done, __ATOMIC_ACQUIRE))
        usleep(100);
}

/* Claim "text". */
static inline void
job_claim(struct job *job, const char *text)
{
    snprintf(job->claim, sizeof job->claim, "%s", text);
    job->op.claim = text_of(job->claim);
}

/* ---- an earning: the smallest change of an owner that is one ---- */

static inline amount *
active_of(struct owner *owner)
{
    return &owner->balance[0].of[ACCOUNT_ACTIVE];
}

/* What the view holds, made ready for a change. */
static inline struct owner *
kit_owner(struct job *job, bool *is_new)
{
    struct owner *owner = &job->view.owner;
    *is_new = !job->view.owner_found;
    if (*is_new) {
        owner->owner_id = job->owner_id;
        owner->tenant = job->tenant;
        owner->programme = job->programme;
        owner->next_due = TIME_NONE;
        owner->balance = arena_new(job->op.arena, struct balance);
        owner->balance_count = 1;
        owner->balance[0].currency = 1;
    }
    owner->version++;
    return owner;
}

static inline enum code
kit_write(struct tx *tx, struct job *job, struct err *err)
{
    bool is_new;
    struct owner *owner = kit_owner(job, &is_new);
    struct movement movement = {
        .owner_id = job->owner_id,
        .movement_no = owner->last_movement + 1,
        .op_id = job->op_id,
        .kind = MOVEMENT_EARN,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_ISSUED,
        .currency = 1,
        .amount = job->points,
        .rule = -1,
        .at = 1000 + (unix_ms)job->op_id,
    };
    struct changes changes = {
        .owner = owner,
        .owner_new = is_new,
        .op_id = job->op_id,
        .record_kind = RECORD_PURCHASE,
        .record = job->record.len > 0 ? job->record : TEXT("a record"),
    };
    if (job->points != 0) {
        owner->balance[0].of[ACCOUNT_ACTIVE] += job->points;
        owner->balance[0].of[ACCOUNT_ISSUED] -= job->points;
        owner->last_movement++;
        changes.movement = &movement;
        changes.movement_count = 1;
    }
    if (job->more != NULL)
        job->more(job, &changes);
    enum code rc = store_write(tx, &job->op, &changes, err);
    if (rc == OK && job->fail_after != OK)
        rc = err_set(err, job->fail_after, "the test wants it to fail");
    return rc;
}

static inline enum code
earn_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = job->owner_id };
    enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
    if (rc || job->refuse)
        return rc;
    return kit_write(tx, job, err);
}

static inline struct job *
earn_new(uint64_t owner_id, uint64_t op_id, amount points)
{
    struct job *job = job_new(ACCESS_WRITE, earn_body);
    job->owner_id = owner_id;
    job->op_id = op_id;
    job->points = points;
    return job;
}

/* Earn and be done with it. */
static inline enum code
earn(struct store *store, uint64_t owner_id, uint64_t op_id, amount points)
{
    struct job *job = earn_new(owner_id, op_id, points);
    enum code rc = job_do(store, job);
    job_free(job);
    return rc;
}

/* ---- looking ---- */

static inline enum code
look_body(struct tx *tx, struct job *job, struct err *err)
{
    struct needs needs = { .owner_id = job->owner_id };
    return store_load(tx, &needs, job->op.arena, &job->view, err);
}

/* The owner as a reader sees it; free the job afterwards. */
static inline struct job *
look(struct store *store, uint64_t owner_id)
{
    struct job *job = job_new(ACCESS_READ, look_body);
    job->owner_id = owner_id;
    assert_int_equal(job_do(store, job), OK);
    return job;
}

/* Active points; -1: there is no such owner. */
static inline amount
points_of(struct store *store, uint64_t owner_id)
{
    struct job *job = look(store, owner_id);
    amount points = job->view.owner_found ? *active_of(&job->view.owner) : -1;
    job_free(job);
    return points;
}

/* ---- files ---- */

struct place {
    char folder[64];
    char path[96];
};

static inline void
place_make(struct place *place)
{
    snprintf(place->folder, sizeof place->folder, "/tmp/kopilka-test-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof place->path, "%s/book.db", place->folder);
}

static inline void
place_drop(struct place *place)
{
    static const char *const ends[] = { "", "-wal", "-shm", "-journal", ".copy", ".copy.part" };
    char path[128];
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", place->path, ends[i]);
        unlink(path);
    }
    rmdir(place->folder);
}

#endif
