/*
 * bench_store.c - purchases a second through the store's runner on SQLite, many waiting at once.
 *
 * Owns:      a synthetic purchase: a card's route, a claim, the owner, two movements, a record.
 * Must not:  decide anything: this is the price of the book alone, with a sync for every commit.
 *
 * usage: bench_store [members] [seconds] [waiting] [log cap in MiB]
 */
#include "host.h"
#include "store/queue.h"

#include "core/rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { record_bytes = 400, tills = 200, waiting_max = 2048 };

struct client; /* whoever sends purchases */

struct purchase {
    struct op op;
    struct arena arena;
    struct client *client;
    uint64_t member, op_id;
    unsigned char card[directory_key_bytes];
    char claim[64];
    double sent;
};

struct client {
    struct store *store;
    struct op_stack answered;
    pthread_mutex_t lock;
    pthread_cond_t call;
    bool called;
    uint64_t members, next_op, done, failed;
    uint64_t random;
    uint64_t till_number[tills];
    double latency_sum, *latency;
    uint64_t latency_cap;
};

static double
seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
must(enum code rc, const struct err *err)
{
    if (rc == OK)
        return;
    fprintf(stderr, "%s: %s\n", code_name(rc), err->text);
    exit(1);
}

static uint64_t
next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Looks like a keyed hash: members are scattered over the directory. */
static void
card_of(uint64_t member, unsigned char card[directory_key_bytes])
{
    uint64_t state = member, a = next_random(&state), b = next_random(&state);
    memcpy(card, &a, 8);
    memcpy(card + 8, &b, 8);
}

/* Ids are times: consecutive members enrolled at different hours. */
static uint64_t
owner_of(uint64_t member)
{
    return (member + 1) << 22;
}

static void
fill_owner(struct owner *owner, uint64_t member, struct arena *arena)
{
    *owner = (struct owner){ .owner_id = owner_of(member), .tenant = 1, .programme = 1 };
    owner->next_due = 1800000000000;
    owner->enrolled_at = owner->settled_to = 1700000000000;
    owner->balance = arena_new(arena, struct balance);
    owner->balance_count = 1;
    owner->balance[0].currency = 1;
    owner->balance[0].of[ACCOUNT_ACTIVE] = 60000;
    owner->balance[0].of[ACCOUNT_ISSUED] = -60000;
    owner->level = arena_new(arena, struct level_state);
    owner->level_count = 1;
    owner->level[0] = (struct level_state){ 1, 2, 1700000000000 };
    owner->counter = arena_array(arena, struct counter_state, 3);
    owner->counter_count = 3;
    for (uint8_t i = 0; i < 3; i++)
        owner->counter[i] =
            (struct counter_state){ .counter_no = i + 1, .bucket = 24311, .value = 1234567 };
    owner->lot = arena_array(arena, struct lot, 8);
    owner->lot_count = 6;
    owner->lot_cap = 8;
    for (uint32_t i = 0; i < owner->lot_count; i++)
        owner->lot[i] = (struct lot){ .lot_no = i + 1,
                                      .currency = 1,
                                      .size = 10000,
                                      .left = 10000,
                                      .active_from = 1700000000000,
                                      .expires_at = 1800000000000 + i,
                                      .cause = (member << 22) + i,
                                      .rule = 3,
                                      .version = 1 };
}

static void
load_members(const char *path, uint64_t members)
{
    struct store_options options = { .path = path, .create = true, .inline_runner = true };
    struct store *store;
    struct bulk *bulk;
    struct arena arena;
    struct err err;

    arena_init(&arena, host_source(), 64 << 10, 1 << 20);
    must(store_open_sqlite(&options, &store, &err), &err);
    must(store_bulk_begin(store, &bulk, &err), &err);
    for (uint64_t i = 0; i < members; i++) {
        static const char head[32];
        struct owner owner;
        struct buf buf;
        arena_reset(&arena);
        fill_owner(&owner, i, &arena);
        buf_init(&buf, &arena, 512);
        owner_encode(&owner, &buf);
        struct row row = { .cell = { { .number = (int64_t)owner.owner_id },
                                     { .number = 1 },
                                     { .number = 1 },
                                     { .number = 0 },
                                     { .number = 0 },
                                     { .number = owner.next_due },
                                     { .text = { head, sizeof head } },
                                     { .text = buf_text(&buf) } } };
        must(store_bulk_put(bulk, TABLE_owner, &row, &err), &err);
    }
    for (uint64_t i = 0; i < members; i++) {
        unsigned char card[directory_key_bytes];
        card_of(i, card);
        struct row row = { .cell = { { .text = { (char *)card, sizeof card } },
                                     { .number = (int64_t)owner_of(i) },
                                     { .number = (int64_t)i },
                                     { .number = KEY_CARD },
                                     { .number = KEY_ACTIVE } } };
        must(store_bulk_put(bulk, TABLE_directory, &row, &err), &err);
    }
    must(store_bulk_end(bulk, &err), &err);
    store_close(store);
    arena_release(&arena);
}

static enum code
run(struct tx *tx, struct op *op, struct err *err)
{
    static const char record[record_bytes] = "synthetic";
    struct purchase *purchase = op->context;
    struct needs needs = { .owner_id = op->route[0].owner_id };
    struct view view;

    if (!op->route[0].found)
        return err_set(err, CODE_NOT_FOUND, "no such card");
    enum code rc = store_load(tx, &needs, op->arena, &view, err);
    if (rc)
        return rc;
    struct owner *owner = &view.owner;
    struct movement movement[2];
    for (uint32_t i = 0; i < 2; i++)
        movement[i] = (struct movement){ .owner_id = owner->owner_id,
                                         .movement_no = ++owner->last_movement,
                                         .op_id = purchase->op_id,
                                         .kind = i == 0 ? MOVEMENT_SPEND : MOVEMENT_EARN,
                                         .account = i == 0 ? ACCOUNT_REDEEMED : ACCOUNT_ACTIVE,
                                         .contra = i == 0 ? ACCOUNT_ACTIVE : ACCOUNT_ISSUED,
                                         .currency = 1,
                                         .amount = 500,
                                         .lot_no = 1,
                                         .version = 1,
                                         .rule = 3,
                                         .at = 1750000000000 };
    owner->version++;
    struct changes changes = { .owner = owner,
                               .movement = movement,
                               .movement_count = 2,
                               .op_id = purchase->op_id,
                               .record_kind = RECORD_PURCHASE,
                               .record = { record, sizeof record } };
    return store_write(tx, op, &changes, err);
}

static void
done(struct op *op)
{
    struct client *client = ((struct purchase *)op->context)->client;
    if (!op_stack_push(&client->answered, op))
        return;
    pthread_mutex_lock(&client->lock);
    client->called = true;
    pthread_cond_signal(&client->call);
    pthread_mutex_unlock(&client->lock);
}

static void
send_purchase(struct client *client, struct purchase *purchase)
{
    uint32_t till = (uint32_t)(next_random(&client->random) % tills);
    struct err err;

    arena_reset(&purchase->arena);
    purchase->member = next_random(&client->random) % client->members;
    purchase->op_id = ++client->next_op << 12;
    card_of(purchase->member, purchase->card);
    int len = snprintf(purchase->claim, sizeof purchase->claim, "1/1/outlet-%03u/till/20260/%08llu",
                       till, (unsigned long long)++client->till_number[till]);
    purchase->op = (struct op){ .access = ACCESS_WRITE,
                                .route_count = 1,
                                .claim = { purchase->claim, (uint32_t)len },
                                .arena = &purchase->arena,
                                .run = run,
                                .done = done,
                                .context = purchase };
    purchase->op.route[0] = (struct route){
        .kind = ROUTE_DIRECTORY, .key = { (char *)purchase->card, sizeof purchase->card }
    };
    purchase->sent = seconds_now();
    must(store_submit(client->store, &purchase->op, &err), &err);
}

/* Answer what has come back with a new purchase, until `until`; then only take back. */
static void
serve(struct client *client, double until, uint32_t waiting)
{
    while (waiting > 0) {
        struct op_list list = { NULL, NULL, 0 };
        op_stack_take(&client->answered, &list);
        if (list.count == 0) {
            pthread_mutex_lock(&client->lock);
            while (!client->called)
                pthread_cond_wait(&client->call, &client->lock);
            client->called = false;
            pthread_mutex_unlock(&client->lock);
            continue;
        }
        double now = seconds_now();
        for (struct op *op; (op = op_list_take(&list)) != NULL;) {
            struct purchase *purchase = op->context;
            must(op->code, &op->err);
            if (client->done < client->latency_cap)
                client->latency[client->done] = now - purchase->sent;
            client->done++;
            if (now < until)
                send_purchase(client, purchase);
            else
                waiting--;
        }
    }
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
print_results(struct client *client, double took, double cpu, const char *path)
{
    struct store_stats stats;
    struct stat file;
    uint64_t count = client->done < client->latency_cap ? client->done : client->latency_cap;

    store_read_stats(client->store, &stats);
    qsort(client->latency, count, sizeof *client->latency, compare);
    printf("store.purchases %.0f 1/s -\n", (double)client->done / took);
    printf("store.batch_mean %.1f operations -\n",
           (double)stats.operations / (double)stats.batches);
    printf("store.latency_p50 %.2f ms -\n", client->latency[count / 2] * 1e3);
    printf("store.latency_p99 %.2f ms -\n", client->latency[count * 99 / 100] * 1e3);
    printf("store.latency_max %.2f ms -\n", client->latency[count - 1] * 1e3);
    printf("store.commit_mean %.2f ms -\n",
           (double)stats.commit_us_sum / (double)stats.batches / 1e3);
    printf("store.commit_max %.2f ms -\n", (double)stats.commit_us_max / 1e3);
    printf("store.cpu_per_purchase %.1f us -\n", cpu / (double)client->done * 1e6);
    printf("store.gate_closings %llu times -\n", (unsigned long long)stats.gate_closings);
    char wal[600];
    snprintf(wal, sizeof wal, "%s-wal", path);
    if (stat(wal, &file) == 0)
        printf("store.log_file %.0f MiB -\n", (double)file.st_size / (1 << 20));
    if (stat(path, &file) == 0)
        printf("store.file %.0f MiB -\n", (double)file.st_size / (1 << 20));
}

static double
cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
    char folder[512], path[sizeof folder + 16]; /* beside the program: on a disk, not in memory */
    struct client client = { .members = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000,
                             .random = 42,
                             .latency_cap = 4000000 };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5;
    uint32_t waiting = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 256;
    struct store_options options = { .path = path, .cache_bytes = (uint64_t)1 << 30 };
    if (argc > 4)
        options.wal_cap_bytes = strtoull(argv[4], NULL, 10) << 20;
    struct err err;

    snprintf(folder, sizeof folder, "%s-XXXXXX", argv[0]);
    if (waiting > waiting_max || mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/book.db", folder);
    load_members(path, client.members);
    must(store_open_sqlite(&options, &client.store, &err), &err);
    pthread_mutex_init(&client.lock, NULL);
    pthread_cond_init(&client.call, NULL);
    client.latency = calloc(client.latency_cap, sizeof *client.latency);
    struct purchase *purchase = calloc(waiting, sizeof *purchase);
    double start = seconds_now(), cpu = cpu_seconds();
    for (uint32_t i = 0; i < waiting; i++) {
        purchase[i].client = &client;
        arena_init(&purchase[i].arena, host_source(), 16 << 10, 1 << 20);
        send_purchase(&client, &purchase[i]);
    }
    serve(&client, start + seconds, waiting);
    print_results(&client, seconds_now() - start, cpu_seconds() - cpu, path);
    store_close(client.store);
    for (uint32_t i = 0; i < waiting; i++)
        arena_release(&purchase[i].arena);
    free(purchase);
    free(client.latency);
    char end[3][sizeof path + 8];
    snprintf(end[0], sizeof end[0], "%s", path);
    snprintf(end[1], sizeof end[1], "%s-wal", path);
    snprintf(end[2], sizeof end[2], "%s-shm", path);
    for (size_t i = 0; i < 3; i++)
        unlink(end[i]);
    rmdir(folder);
    return 0;
}
