/*
 * test_lease.c - numbers for ids over every store: many who take one at once get different ones.
 *
 * Owns:      services that begin at the same moment, a book that is opened again by a clock that
 *            was put back.
 * Must not:  read a real clock.
 */
#include "contract/kit.h"
#include "contract/postgres.h"
#include "service/internal.h"

#include <pthread.h>

#define BEGINNING INT64_C(1767690000000)
#define DAY_MS INT64_C(86400000)

enum { fellows = 12, rounds = 5, ids_each = 50 };

struct fellow {
    struct service *service;
    unix_ms now;
    pthread_t thread;
    enum code code;
    struct err err;
    uint64_t id[ids_each];
};

static struct server server;
static char conninfo[conninfo_bytes];
static char folder[] = "/tmp/kop-lease-XXXXXX";
static char path[64];

static unix_ms
fellow_now(void *context)
{
    return ((struct fellow *)context)->now;
}

static void
no_chance(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 7, size);
}

static void
begin(struct fellow *fellow, struct store *store, unix_ms now)
{
    struct service_options options = {
        .store = store,
        .host = { .now = fellow_now, .random = no_chance, .context = fellow },
    };

    *fellow = (struct fellow){ .now = now };
    if (service_open(&options, &fellow->service, &fellow->err))
        fail_msg("%s", fellow->err.text);
}

static void *
take(void *context)
{
    struct fellow *fellow = context;

    fellow->code = service_beat(fellow->service, &fellow->err);
    for (int i = 0; i < ids_each && fellow->code == OK; i++)
        fellow->id[i] = ids_next(&fellow->service->ids, fellow->now);
    return NULL;
}

static uint32_t
node_of(uint64_t id)
{
    return id >> id_sequence_bits & (id_nodes - 1);
}

/* All at once, on the stores in turn; then all end, and the next round finds the same numbers. */
static void
all_at_once(struct store *const store[2])
{
    struct fellow fellow[fellows];
    uint64_t last = 0;

    for (int round = 0; round < rounds; round++) {
        bool taken[fellows] = { false };
        uint64_t newest = last;
        for (int i = 0; i < fellows; i++)
            begin(&fellow[i], store[i % 2], BEGINNING - round * DAY_MS); /* a worse clock yet */
        for (int i = 0; i < fellows; i++)
            assert_int_equal(pthread_create(&fellow[i].thread, NULL, take, &fellow[i]), 0);
        for (int i = 0; i < fellows; i++)
            assert_int_equal(pthread_join(fellow[i].thread, NULL), 0);
        for (int i = 0; i < fellows; i++) {
            if (fellow[i].code)
                fail_msg("%s", fellow[i].err.text);
            uint32_t node = node_of(fellow[i].id[0]);
            assert_true(node < fellows);
            assert_false(taken[node]);
            taken[node] = true;
            assert_true(fellow[i].id[0] >> (id_node_bits + id_sequence_bits) >
                        last >> (id_node_bits + id_sequence_bits));
            if (fellow[i].id[ids_each - 1] > newest)
                newest = fellow[i].id[ids_each - 1];
            service_leave(fellow[i].service);
            service_close(fellow[i].service);
        }
        last = newest;
    }
}

static void
in_memory(void **state)
{
    struct store_options options = { .create = true };
    struct store *store;
    struct err err;

    (void)state;
    assert_int_equal(store_open_memory(&options, &store, &err), OK);
    all_at_once((struct store *[]){ store, store });
    store_close(store);
}

static struct store *
open_file(void)
{
    struct store_options options = { .path = path, .create = true };
    struct store *store;
    struct err err;

    if (store_open_sqlite(&options, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

static void
in_a_file(void **state)
{
    struct store *store = open_file();

    (void)state;
    all_at_once((struct store *[]){ store, store });
    store_close(store);
}

/* Killed, opened again, and the clock a day behind each time: nothing comes again. */
static void
in_a_file_opened_again(void **state)
{
    uint64_t last[rounds + 1] = { 0 };

    (void)state;
    for (int round = 0; round < 2 * rounds; round++) {
        struct fellow fellow;
        struct store *store = open_file();
        begin(&fellow, store, BEGINNING + 30 * DAY_MS - round * DAY_MS);
        take(&fellow);
        assert_int_equal(fellow.code, OK);
        uint32_t node = node_of(fellow.id[0]);
        assert_int_equal(node, round / 2); /* each is given back once, and then killed */
        assert_true(fellow.id[0] > last[node]);
        last[node] = fellow.id[ids_each - 1];
        if (round % 2 == 0)
            service_leave(fellow.service);
        service_close(fellow.service);
        store_close(store);
    }
}

static void
in_postgresql(void **state)
{
    struct store_options options = { .conninfo = conninfo, .create = true, .lanes = 4 };
    struct store *store[2];
    struct err err;

    (void)state;
    for (int i = 0; i < 2; i++)
        if (store_open_postgres(&options, &store[i], &err))
            fail_msg("%s", err.text);
    all_at_once(store);
    store_close(store[0]);
    store_close(store[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(in_a_file),
        cmocka_unit_test(in_a_file_opened_again),
        cmocka_unit_test(in_postgresql),
    };

    server_start(&server);
    server_conninfo(&server, "postgres", 0, conninfo);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/book", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < KOP_COUNT(ends); i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
    (void)rmdir(folder);
    server_stop(&server);
    return failed;
}
