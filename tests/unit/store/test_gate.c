/*
 * test_gate.c - the log stays short, whoever reads for however long.
 *
 * Owns:      writers and long readers at once on a small cap; the size of the log's file, watched.
 */
#include "contract/kit.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

enum {
    cap_bytes = 512 << 10,
    batch_bytes = 512 << 10, /* more than one batch of these operations writes */
    writers = 4,
    readers = 2,
    writes_each = 300,
    record_bytes = 2000,
};

struct scene {
    struct store *store;
    bool over;
    uint32_t reads, busy, failed;
    uint64_t first_op;
};

static bool
is_over(const struct scene *scene)
{
    return __atomic_load_n(&scene->over, __ATOMIC_RELAXED);
}

static void *
write_main(void *context)
{
    static char record[record_bytes];
    struct scene *scene = context;
    uint64_t first = __atomic_fetch_add(&scene->first_op, writes_each, __ATOMIC_RELAXED);

    for (uint32_t i = 0; i < writes_each; i++) {
        struct job *job = earn_new(1 + i % 50, 1 + first + i, 1);
        job->record = (struct text){ record, sizeof record };
        if (job_do(scene->store, job) != OK)
            __atomic_fetch_add(&scene->failed, 1, __ATOMIC_RELAXED);
        job_free(job);
    }
    return NULL;
}

static uint64_t
milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A reader that stays in one transaction for 300 ms, unless it is asked to leave. */
static enum code
linger_body(struct tx *tx, struct job *job, struct err *err)
{
    uint64_t start = milliseconds();
    amount points = -1;
    do {
        struct needs needs = { .owner_id = 1 };
        enum code rc = store_load(tx, &needs, job->op.arena, &job->view, err);
        if (rc == CODE_BUSY && milliseconds() - start < 50)
            return CODE_CORRUPT; /* too early to be sent away */
        if (rc)
            return rc;
        amount now = job->view.owner_found ? *active_of(&job->view.owner) : 0;
        if (points >= 0 && now != points)
            return err_set(err, CODE_CORRUPT, "the snapshot moved");
        points = now;
        usleep(5000);
    } while (milliseconds() - start < 300);
    return OK;
}

static void *
read_main(void *context)
{
    struct scene *scene = context;
    while (!is_over(scene)) {
        struct job *job = job_new(ACCESS_READ, linger_body);
        enum code rc = job_do(scene->store, job);
        __atomic_fetch_add(rc == OK          ? &scene->reads
                           : rc == CODE_BUSY ? &scene->busy
                                             : &scene->failed,
                           1, __ATOMIC_RELAXED);
        job_free(job);
    }
    return NULL;
}

struct watch {
    struct scene *scene;
    char path[128];
    uint64_t most;
};

static void *
watch_main(void *context)
{
    struct watch *watch = context;
    while (!is_over(watch->scene)) {
        struct stat file;
        if (stat(watch->path, &file) == 0 && (uint64_t)file.st_size > watch->most)
            watch->most = (uint64_t)file.st_size;
        usleep(500);
    }
    return NULL;
}

static void
test_log_stays_short(void **state)
{
    struct place place;
    struct scene scene = { .over = false };
    struct watch watch = { .scene = &scene };
    struct store_stats stats;
    pthread_t writer[writers], reader[readers], watcher;
    (void)state;

    place_make(&place);
    snprintf(watch.path, sizeof watch.path, "%s-wal", place.path);
    struct store_options options = {
        .path = place.path, .create = true, .readers = readers, .wal_cap_bytes = cap_bytes
    };
    assert_int_equal(store_open_sqlite(&options, &scene.store, NULL), OK);
    pthread_create(&watcher, NULL, watch_main, &watch);
    for (uint32_t i = 0; i < readers; i++)
        pthread_create(&reader[i], NULL, read_main, &scene);
    for (uint32_t i = 0; i < writers; i++)
        pthread_create(&writer[i], NULL, write_main, &scene);
    for (uint32_t i = 0; i < writers; i++)
        pthread_join(writer[i], NULL);
    __atomic_store_n(&scene.over, true, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < readers; i++)
        pthread_join(reader[i], NULL);
    pthread_join(watcher, NULL);
    store_read_stats(scene.store, &stats);
    assert_int_equal(scene.failed, 0);
    assert_true(stats.gate_closings >= 3);
    assert_true(scene.busy > 0); /* those that overstayed were sent away */
    if (watch.most > cap_bytes + batch_bytes)
        fail_msg("the log grew to %llu bytes", (unsigned long long)watch.most);
    assert_true(watch.most > cap_bytes / 2);
    amount points = 0;
    for (uint64_t owner = 1; owner <= 50; owner++)
        points += points_of(scene.store, owner);
    assert_int_equal(points, writers * writes_each);
    store_close(scene.store);
    place_drop(&place);
}

/* Without threads the log is kept short as well. */
static void
test_inline_log(void **state)
{
    static char record[record_bytes];
    struct place place;
    struct store *store;
    struct store_stats stats;
    (void)state;

    place_make(&place);
    struct store_options options = {
        .path = place.path, .create = true, .inline_runner = true, .wal_cap_bytes = 64 << 10
    };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    for (uint64_t i = 1; i <= 100; i++) {
        struct job *job = earn_new(i, i, 1);
        job->record = (struct text){ record, sizeof record };
        assert_int_equal(job_do(store, job), OK);
        job_free(job);
        store_read_stats(store, &stats);
        assert_true(stats.wal_bytes < 128 << 10);
    }
    assert_true(stats.gate_closings > 2);
    store_close(store);
    place_drop(&place);
}

/* A log that lies idle is moved into the file without being asked. */
static void
test_idle_log(void **state)
{
    struct place place;
    struct store *store;
    struct stat before, after;
    (void)state;

    place_make(&place);
    struct store_options options = { .path = place.path, .create = true };
    assert_int_equal(store_open_sqlite(&options, &store, NULL), OK);
    stat(place.path, &before);
    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(earn(store, i, i, 1), OK);
    for (uint32_t i = 0; i < 100; i++) {
        usleep(50 * 1000);
        stat(place.path, &after);
        if (after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
            after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
            break;
    }
    assert_true(after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
                after.st_mtim.tv_nsec != before.st_mtim.tv_nsec);
    store_close(store);
    place_drop(&place);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_stays_short),
        cmocka_unit_test(test_inline_log),
        cmocka_unit_test(test_idle_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
