/*
 * batch.c - operations in transactions: many in one, or each alone when one of them fails.
 *
 * Owns:      begin, commit and rollback; the order within an operation: routes, claim, run, late
 *            rows.
 * Must not:  know threads, or choose which operations belong together.
 * Invariant: an operation's code is OK only after the commit that holds it gave OK. A failure that
 *            wrote nothing leaves the batch alone; one that wrote something takes the whole batch
 *            back.
 * Cost:      one commit for all; in the rare failure one for each.
 * Tests:     tests/contract/test_store.c, tests/unit/store/test_batch.c
 */
#include "store/batch.h"

#include <time.h>

uint64_t
steady_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void
op_reset(struct op *op)
{
    arena_rewind(op->arena, op->mark);
    op->arena->failed = false;
    for (uint32_t i = 0; i < op->route_count && i < routes_per_op_max; i++) {
        op->route[i].found = false;
        op->route[i].owner_id = op->route[i].member_id = op->route[i].op_id = 0;
    }
    op->code = OK;
    op->err.code = OK;
    op->err.text[0] = '\0';
    op->repeat = false;
    op->existing_owner = op->existing_op = 0;
    op->existing = (struct text){ NULL, 0 };
}

/*
 * Routes, claim, the use case, and what it left for the end. false: the transaction cannot go on.
 */
static bool
op_run(struct tx *tx)
{
    struct op *op = tx->op;

    enum code rc = tx_resolve(tx, &op->err);
    if (rc == OK && !op->repeat) {
        rc = op->run(tx, op, &op->err);
        if (rc == OK)
            rc = tx_write_late(tx, &op->err);
    }
    op->code = rc;
    return rc == OK ? !tx->broken : !tx->wrote && !tx->broken;
}

static void
op_fail(struct op *op, enum code code, const struct err *err)
{
    op->code = code;
    op->err = *err;
    op->err.code = code;
}

static enum code
timed_commit(struct batch *batch, struct err *err)
{
    uint64_t start = steady_us();
    enum code rc = batch->writer->type->commit(batch->writer, err);
    uint64_t took = steady_us() - start;

    batch->commits++;
    batch->commit_us_sum += took;
    if (took > batch->commit_us_max)
        batch->commit_us_max = took;
    return rc;
}

/* One operation in a transaction of its own. */
static enum code
run_alone(struct batch *batch, struct op *op)
{
    struct backend *writer = batch->writer;
    struct err err = { .code = OK };

    op_reset(op);
    op->batch = 1;
    enum code rc = writer->type->begin(writer, ACCESS_WRITE, &err);
    if (rc) {
        op_fail(op, rc, &err);
        return OK;
    }
    struct tx tx = { .backend = writer, .op = op };
    bool good = op_run(&tx);
    if (!good && op->code == OK)
        op->code = err_set(&op->err, CODE_IO, "a statement failed and was passed over");
    if (!good || op->code != OK) {
        writer->type->rollback(writer);
        return OK;
    }
    rc = timed_commit(batch, &err);
    if (rc)
        op_fail(op, rc, &err);
    return rc == CODE_UNKNOWN ? rc : OK;
}

static enum code
run_each_alone(struct batch *batch, struct err *err)
{
    enum code rc = OK;

    for (struct op *op = batch->ran.first; op != NULL; op = op->next) {
        if (rc == CODE_UNKNOWN) {
            struct err io = { .code = OK };
            (void)err_set(&io, CODE_IO, "the disk failed before");
            op_fail(op, CODE_IO, &io);
            continue;
        }
        batch->alone++;
        rc = run_alone(batch, op);
        if (rc && err != NULL)
            *err = op->err;
    }
    return rc;
}

static void
fail_all(struct batch *batch, enum code code, const struct err *err)
{
    for (struct op *op = batch->ran.first; op != NULL; op = op->next) {
        if (op->code == OK)
            op_fail(op, code, err);
    }
}

/* All that next() still gives. */
static void
take_rest(struct batch *batch)
{
    for (struct op *op; (op = batch->next(batch->context)) != NULL;) {
        op_reset(op);
        op_list_add(&batch->ran, op);
    }
}

enum code
batch_run(struct batch *batch, struct err *err)
{
    struct backend *writer = batch->writer;
    struct err failure = { .code = OK };
    bool good = true;

    enum code rc = writer->type->begin(writer, ACCESS_WRITE, &failure);
    if (rc) {
        take_rest(batch);
        fail_all(batch, rc, &failure);
        return OK;
    }
    for (struct op *op; good && (op = batch->next(batch->context)) != NULL;) {
        struct tx tx = { .backend = writer, .op = op };
        op_reset(op);
        op_list_add(&batch->ran, op);
        good = op_run(&tx);
    }
    if (!good) {
        writer->type->rollback(writer);
        return run_each_alone(batch, err);
    }
    for (struct op *op = batch->ran.first; op != NULL; op = op->next)
        op->batch = batch->ran.count;
    rc = timed_commit(batch, &failure);
    if (rc)
        fail_all(batch, rc, &failure);
    if (rc != CODE_UNKNOWN)
        return OK;
    if (err != NULL)
        *err = failure;
    return rc;
}

void
read_run(struct backend *reader, struct op *op, bool (*overdue)(void *context),
         void *overdue_context)
{
    struct tx tx = {
        .backend = reader,
        .op = op,
        .overdue = overdue,
        .overdue_context = overdue_context,
    };
    struct err err = { .code = OK };

    op_reset(op);
    op->batch = 1;
    enum code rc = reader->type->begin(reader, ACCESS_READ, &err);
    if (rc) {
        op_fail(op, rc, &err);
        return;
    }
    (void)op_run(&tx);
    reader->type->rollback(reader);
}
