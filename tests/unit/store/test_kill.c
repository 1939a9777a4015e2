/*
 * test_kill.c - kill -9 while operations are being acknowledged: each of them is found again,
 * whole.
 *
 * Owns:      ten lives of one book, and files killed while they are made.
 */
#include "contract/kit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { cycles = 10, writers = 8, owners = 5, ack_bytes = 8, acks_max = 200000 };

struct life {
    struct store *store;
    uint64_t cycle, number;
    int acks; /* a pipe: what was acknowledged */
};

static void *
write_main(void *context)
{
    struct life *life = context;
    for (uint64_t i = 0;; i++) {
        uint64_t op_id = life->cycle << 32 | life->number << 24 | (i + 1);
        struct job *job = earn_new(1 + op_id % owners, op_id, 1);
        snprintf(job->claim, sizeof job->claim, "%016llx", (unsigned long long)op_id);
        job->op.claim = text_of(job->claim);
        enum code rc = job_do(life->store, job);
        job_free(job);
        if (rc != OK || write(life->acks, &op_id, sizeof op_id) != sizeof op_id)
            return NULL;
    }
}

/* The child: writes until it is killed. */
static _Noreturn void
live(const char *path, uint64_t cycle, int acks)
{
    struct store_options options = { .path = path, .create = true, .wal_cap_bytes = 1 << 20 };
    struct store *store;
    struct life life[writers];
    pthread_t thread[writers];

    if (store_open_sqlite(&options, &store, NULL) != OK)
        _exit(3);
    uint64_t born = 0;
    if (write(acks, &born, sizeof born) != sizeof born)
        _exit(6);
    for (uint64_t i = 0; i < writers; i++) {
        life[i] = (struct life){ store, cycle, i, acks };
        if (pthread_create(&thread[i], NULL, write_main, &life[i]) != 0)
            _exit(4);
    }
    for (uint64_t i = 0; i < writers; i++)
        pthread_join(thread[i], NULL);
    _exit(5);
}

/* Every movement's operation has its record and its claim, and the owner's row agrees. */
static enum code
audit_body(struct tx *tx, struct job *job, struct err *err)
{
    for (uint64_t owner_id = 1; owner_id <= owners; owner_id++) {
        struct needs needs = { .owner_id = owner_id };
        struct movement *movement;
        uint32_t count;
        enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
        if (rc == OK)
            rc = store_list_movements(tx, owner_id, 0, acks_max, job->op.arena, &movement, &count,
                                      err);
        if (rc)
            return rc;
        if (!job->view.owner_found)
            continue;
        assert_int_equal(job->view.owner.last_movement, count);
        assert_int_equal(job->view.owner.version, count);
        assert_int_equal(*active_of(&job->view.owner), count);
        job->points += count;
        for (uint32_t i = 0; i < count && rc == OK; i++) {
            struct arena_mark mark = arena_mark(job->op.arena);
            struct receipt_row row;
            bool found = false;
            rc = store_get_receipt(tx, owner_id, movement[i].op_id, job->op.arena, &row, &found,
                                   err);
            assert_int_equal(movement[i].movement_no, i + 1);
            assert_true(found);
            arena_rewind(job->op.arena, mark);
        }
        if (rc)
            return rc;
    }
    return OK;
}

static enum code
no_body(struct tx *tx, struct job *job, struct err *err)
{
    (void)tx;
    (void)job;
    (void)err;
    return OK;
}

/* An acknowledged operation is claimed, so that its repeat gets the record. */
static void
expect_claimed(struct store *store, uint64_t op_id)
{
    struct job *job = job_new(ACCESS_WRITE, no_body);
    snprintf(job->claim, sizeof job->claim, "%016llx", (unsigned long long)op_id);
    job->op.claim = text_of(job->claim);
    assert_int_equal(job_do(store, job), OK);
    assert_true(job->op.repeat);
    assert_int_equal(job->op.existing_op, op_id);
    assert_true(text_equal(job->op.existing, TEXT("a record")));
    job_free(job);
}

static amount
check(const char *path, int acks, uint64_t *acknowledged)
{
    struct store_options options = { .path = path, .inline_runner = true };
    struct store *store;
    struct err err = { .code = OK };
    uint64_t op_id;

    if (store_open_sqlite(&options, &store, &err) != OK)
        fail_msg("%s", err.text);
    while (read(acks, &op_id, sizeof op_id) == sizeof op_id) {
        expect_claimed(store, op_id);
        ++*acknowledged;
    }
    struct job *job = job_new(ACCESS_READ, audit_body);
    assert_int_equal(job_do(store, job), OK);
    amount points = job->points;
    job_free(job);
    store_close(store);
    return points;
}

static void
test_ten_lives(void **state)
{
    struct place place;
    uint64_t acknowledged = 0;
    amount points = 0;
    (void)state;

    place_make(&place);
    for (uint64_t cycle = 1; cycle <= cycles; cycle++) {
        int acks[2], status;
        uint64_t before = acknowledged;
        assert_int_equal(pipe(acks), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            live(place.path, cycle, acks[1]);
        close(acks[1]);
        uint64_t born;
        assert_int_equal(read(acks[0], &born, sizeof born), sizeof born);
        usleep((useconds_t)(40000 + cycle * 7919 % 60000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        amount now = check(place.path, acks[0], &acknowledged);
        close(acks[0]);
        /* nothing that was acknowledged is missing; what was under way may be there or not */
        assert_true(now >= points + (amount)(acknowledged - before));
        assert_true(now <= points + (amount)(acknowledged - before) + writers);
        points = now;
    }
    assert_true(acknowledged > cycles);
    place_drop(&place);
}

/* Killed while the file is being made: the next one to open it makes it whole. */
static void
test_killed_at_birth(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        struct store_options options = { .create = true, .inline_runner = true };
        struct place place;
        struct store *store;
        struct err err = { .code = OK };

        place_make(&place);
        options.path = place.path;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (store_open_sqlite(&options, &store, NULL) == OK)
                pause();
            _exit(3);
        }
        usleep(i * 1500);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (store_open_sqlite(&options, &store, &err) != OK)
            fail_msg("%u: %s", i, err.text);
        assert_int_equal(earn(store, 1, 1, 1), OK);
        store_close(store);
        place_drop(&place);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_lives),
        cmocka_unit_test(test_killed_at_birth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
