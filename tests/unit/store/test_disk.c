/*
 * test_disk.c - a disk that fails under SQLite: full, or unable to sync.
 *
 * Owns:      a file system under SQLite that fails when it is told to, and what the store makes of
 *            it.
 */
#include "contract/kit.h"
#include "store/runner.h"

#include <sqlite3.h>

/* The ordinary file system, and faults of the log's file. */
static struct faults {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods;
    bool sync_fails, write_full;
    uint32_t syncs;
} faults;

struct file {
    sqlite3_file base;
    bool is_log;
    sqlite3_file *real; /* in the same memory, after this */
};

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

static int
file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int
file_read(sqlite3_file *file, void *to, int size, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), to, size, at);
}

static int
file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
    if (((struct file *)file)->is_log && faults.write_full)
        return SQLITE_FULL;
    return real_of(file)->pMethods->xWrite(real_of(file), from, size, at);
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int
file_sync(sqlite3_file *file, int flags)
{
    if (((struct file *)file)->is_log) {
        faults.syncs++;
        if (faults.sync_fails)
            return SQLITE_IOERR_FSYNC;
    }
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int
file_lock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int
file_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int
file_check(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int
file_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int
file_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
file_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int
file_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}

static int
file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void
file_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int
file_unmap(sqlite3_file *file, int drop)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), drop);
}

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags, int *out_flags)
{
    struct file *file = (struct file *)out;
    (void)vfs;
    file->real = (sqlite3_file *)(file + 1);
    file->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    int rc = faults.real->xOpen(faults.real, name, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods != NULL ? &faults.methods : NULL;
    return rc;
}

static int
set_up(void **state)
{
    (void)state;
    faults.real = sqlite3_vfs_find(NULL);
    faults.vfs = *faults.real;
    faults.vfs.pNext = NULL;
    faults.vfs.zName = "faults";
    faults.vfs.szOsFile = (int)sizeof(struct file) + faults.real->szOsFile;
    faults.vfs.xOpen = vfs_open;
    faults.methods = (sqlite3_io_methods){ .iVersion = 2,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_check,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = file_map,
                                           .xShmLock = file_shm_lock,
                                           .xShmBarrier = file_barrier,
                                           .xShmUnmap = file_unmap };
    return sqlite3_vfs_register(&faults.vfs, 1);
}

static void
count_death(void *context, const struct err *err)
{
    assert_int_equal(err->code, CODE_UNKNOWN);
    ++*(uint32_t *)context;
}

static struct store *
open_at(const char *path, bool with_threads, uint32_t *deaths)
{
    struct store_options options = { .path = path,
                                     .create = true,
                                     .inline_runner = !with_threads,
                                     .fatal = count_death,
                                     .fatal_context = deaths };
    struct store *store;
    struct err err = { .code = OK };
    if (store_open_sqlite(&options, &store, &err) != OK)
        fail_msg("%s", err.text);
    return store;
}

/* OK is said after a sync of the log, never before. */
static void
test_each_commit_syncs(void **state)
{
    struct place place;
    uint32_t deaths = 0;
    (void)state;

    place_make(&place);
    struct store *store = open_at(place.path, false, &deaths);
    for (uint64_t i = 1; i <= 5; i++) {
        uint32_t before = faults.syncs;
        assert_int_equal(earn(store, 7, i, 1), OK);
        assert_true(faults.syncs > before);
    }
    store_close(store);
    place_drop(&place);
}

static void
test_full_disk(void **state)
{
    (void)state;
    for (int with_threads = 0; with_threads < 2; with_threads++) {
        struct place place;
        uint32_t deaths = 0;
        place_make(&place);
        struct store *store = open_at(place.path, with_threads != 0, &deaths);
        assert_int_equal(earn(store, 7, 1, 1), OK);
        faults.write_full = true;
        struct job *job = earn_new(7, 2, 1);
        assert_int_equal(job_do(store, job), CODE_IO);
        assert_non_null(strstr(job->op.err.text, "full"));
        job_free(job);
        assert_int_equal(points_of(store, 7), 1); /* reading goes on */
        faults.write_full = false;
        assert_int_equal(earn(store, 7, 2, 1), OK); /* and writing, when there is room again */
        assert_int_equal(points_of(store, 7), 2);
        assert_int_equal(deaths, 0);
        store_close(store);
        store = open_at(place.path, false, &deaths);
        assert_int_equal(points_of(store, 7), 2);
        store_close(store);
        place_drop(&place);
    }
}

static void
test_failing_sync_is_fatal(void **state)
{
    (void)state;
    for (int with_threads = 0; with_threads < 2; with_threads++) {
        struct place place;
        uint32_t deaths = 0;
        place_make(&place);
        struct store *store = open_at(place.path, with_threads != 0, &deaths);
        assert_int_equal(earn(store, 7, 1, 1), OK);
        faults.sync_fails = true;
        assert_int_equal(earn(store, 7, 2, 1), CODE_UNKNOWN);
        assert_int_equal(deaths, 1);
        faults.sync_fails = false;
        assert_int_equal(earn(store, 7, 3, 1), CODE_IO); /* never retried on what may be lost */
        store_close(store);
        store = open_at(place.path, false, &deaths);
        amount points = points_of(store, 7);
        assert_true(points == 1 || points == 2); /* unknown means this */
        store_close(store);
        place_drop(&place);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_commit_syncs),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failing_sync_is_fatal),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
