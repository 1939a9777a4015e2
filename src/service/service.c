/*
 * service.c - opening the service; tenants, API keys, health and metrics.
 *
 * Owns:      struct service's life, the system's clock and random source.
 * Must not:  hold a use case of members or receipts.
 * Tests:     tests/unit/service/test_tenants.c, tests/stories/
 */
#include "service/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static unix_ms
system_now(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return (unix_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
system_random(void *context, void *bytes, size_t size)
{
    unsigned char *at = bytes;

    (void)context;
    while (size > 0) {
        size_t part = size < 256 ? size : 256;
        ssize_t got = getrandom(at, part, 0);
        if (got <= 0)
            continue; /* interrupted: 256 bytes never fail otherwise */
        at += got;
        size -= (size_t)got;
    }
}

struct host
host_system(void)
{
    return (struct host){ .now = system_now, .random = system_random };
}

enum code
service_open(const struct service_options *options, struct service **service, struct err *err)
{
    struct service *made = calloc(1, sizeof(*made));
    unsigned char key[32];

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the service");
    made->store = options->store;
    made->host = options->host;
    made->zone_dir = options->zone_dir ? options->zone_dir : "/usr/share/zoneinfo";
    ids_init(&made->ids);
    lease_init(&made->lease);
    derive_key(options->master_key, "person", made->person_master);
    derive_key(options->master_key, "directory", key);
    hmac_prepare(&made->directory_key, key, sizeof(key));
    enum code rc = catalogue_reload(made, err);
    if (rc) {
        free(made);
        return rc;
    }
    *service = made;
    return OK;
}

void
service_close(struct service *service)
{
    const struct catalogue *catalogue = atomic_load(&service->catalogue);

    while (catalogue) {
        struct catalogue *gone = (struct catalogue *)(uintptr_t)catalogue;
        catalogue = catalogue->older;
        arena_release(&gone->arena);
        free(gone);
    }
    free(service);
}

enum code
service_beat(struct service *service, struct err *err)
{
    enum code rc = lease_keep(service, id_lease_ms, err);

    return rc ? rc : catalogue_reload(service, err);
}

void
service_driven(struct service *service, bool driven)
{
    atomic_store(&service->lease.driven, driven);
}

void
service_leave(struct service *service)
{
    lease_give_back(service);
}

bool
service_is_ready(struct service *service)
{
    return atomic_load(&service->catalogue) != NULL;
}

/* ---- tenants and keys, for the command line ---- */

struct admin_work {
    struct text code;
    uint32_t tenant;
    bool create, found;
    struct row row;
};

/* The tenant with the wanted code; not found: admin->tenant is the last one's number. */
static enum code
find_tenant(struct tx *tx, struct op *op, struct err *err)
{
    struct admin_work *admin = op->context;
    struct row *rows, after = { 0 };
    uint32_t count;

    admin->found = false;
    admin->tenant = 0;
    do {
        struct arena_mark mark = arena_mark(op->arena);
        enum code rc = store_list(tx, TABLE_tenant, &after, page_rows_max, op->arena, &rows, &count,
                                  err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count && !admin->found; i++) {
            admin->found = text_equal(rows[i].cell[1].text, admin->code);
            admin->tenant = (uint32_t)rows[i].cell[0].number;
        }
        after.cell[0].number = admin->tenant;
        arena_rewind(op->arena, mark);
    } while (!admin->found && count == page_rows_max);
    return OK;
}

static enum code
tenant_run(struct tx *tx, struct op *op, struct err *err)
{
    struct admin_work *admin = op->context;
    enum code rc = find_tenant(tx, op, err);

    if (rc || admin->found || !admin->create)
        return rc;
    admin->tenant++;
    admin->found = true;
    struct row row = {
        .cell = { { .number = admin->tenant }, { .text = admin->code }, { .text = admin->code } }
    };
    return store_put(tx, TABLE_tenant, &row, err);
}

static enum code
key_run(struct tx *tx, struct op *op, struct err *err)
{
    struct admin_work *admin = op->context;

    return store_put(tx, TABLE_api_key, &admin->row, err);
}

static enum code
run_admin(struct service *service, struct admin_work *admin,
          enum code (*run)(struct tx *tx, struct op *op, struct err *err), struct err *err)
{
    struct arena arena;
    struct op op = {
        .access = ACCESS_WRITE, .repeatable = true, .arena = &arena, .run = run, .context = admin
    };

    arena_init(&arena, heap_source(), 1 << 14, 1 << 24);
    enum code rc = store_run(service->store, &op, err);
    arena_release(&arena);
    return rc ? rc : catalogue_reload(service, err);
}

enum code
service_tenant(struct service *service, struct text code, bool create, uint32_t *tenant,
               struct err *err)
{
    struct admin_work admin = { .code = code, .create = create };
    enum code rc = run_admin(service, &admin, tenant_run, err);

    if (rc)
        return rc;
    if (!admin.found)
        return err_set(err, CODE_NOT_FOUND, "no tenant '%.*s'", (int)code.len, code.ptr);
    *tenant = admin.tenant;
    return OK;
}

enum code
service_new_key(struct service *service, uint32_t tenant, const char *scopes, const char *outlet,
                const char *till, char *token, struct err *err)
{
    enum { key_id_bytes = 5 };
    unsigned char id[key_id_bytes], secret[sha256_bytes], hash[sha256_bytes];
    char id_hex[2 * key_id_bytes], secret_hex[2 * sha256_bytes];
    struct admin_work admin = { 0 };
    uint32_t bits;

    if (!scopes_read(text_of(scopes), &bits))
        return err_set(err, CODE_USAGE, "'%s' is no list of till, read, members, admin", scopes);
    service->host.random(service->host.context, id, sizeof(id));
    service->host.random(service->host.context, secret, sizeof(secret));
    sha256(secret, sizeof(secret), hash);
    hex_encode(id, sizeof(id), id_hex);
    hex_encode(secret, sizeof(secret), secret_hex);
    admin.row = (struct row){ .cell = {
                                  { .text = { id_hex, sizeof(id_hex) } },
                                  { .number = tenant },
                                  { .text = { (char *)hash, sizeof(hash) } },
                                  { .text = text_of(scopes) },
                                  { .text = text_of(outlet) },
                                  { .text = text_of(till) },
                                  { .number = service->host.now(service->host.context) },
                                  { .number = 0 },
                              } };
    snprintf(token, key_token_bytes, "kop_%.*s_%.*s", (int)sizeof(id_hex), id_hex,
             (int)sizeof(secret_hex), secret_hex);
    return run_admin(service, &admin, key_run, err);
}

static enum code
revoke_run(struct tx *tx, struct op *op, struct err *err)
{
    enum { of_tenant = 1, state = 7, revoked = 1 };
    struct admin_work *admin = op->context;
    struct row key = { .cell = { { .text = admin->code } } };
    enum code rc = store_get(tx, TABLE_api_key, &key, op->arena, &admin->row, &admin->found, err);

    if (rc)
        return rc;
    admin->found = admin->found && admin->row.cell[of_tenant].number == admin->tenant;
    if (!admin->found || admin->row.cell[state].number == revoked)
        return OK;
    admin->row.cell[state].number = revoked;
    return store_put(tx, TABLE_api_key, &admin->row, err);
}

enum code
service_revoke_key(struct service *service, uint32_t tenant, struct text key_id, struct err *err)
{
    struct admin_work admin = { .code = key_id, .tenant = tenant };
    enum code rc = run_admin(service, &admin, revoke_run, err);

    if (!rc && !admin.found)
        rc = err_set(err, CODE_NOT_FOUND, "no key '%.*s'", (int)key_id.len, key_id.ptr);
    return rc;
}

/* ---- health and metrics ---- */

void
service_metrics(struct service *service, struct buf *out)
{
    struct store_stats stats;

    store_read_stats(service->store, &stats);
    buf_addf(out, "# TYPE kopilka_requests_total counter\n");
    for (int i = 0; i < call_count; i++)
        buf_addf(out, "kopilka_requests_total{route=\"%s\"} %llu\n", route_info(i)->name,
                 (unsigned long long)atomic_load(&service->calls[i]));
    const struct {
        const char *name, *type;
        uint64_t value;
    } figures[] = {
        { "kopilka_refusals_total", "counter", atomic_load(&service->refusals) },
        { "kopilka_failures_total", "counter", atomic_load(&service->failures) },
        { "kopilka_persons_swept_total", "counter", atomic_load(&service->swept) },
        { "kopilka_store_operations_total", "counter", stats.operations },
        { "kopilka_store_batches_total", "counter", stats.batches },
        { "kopilka_store_retries_alone_total", "counter", stats.retries_alone },
        { "kopilka_store_wal_bytes", "gauge", stats.wal_bytes },
        { "kopilka_store_gate_closings_total", "counter", stats.gate_closings },
        { "kopilka_store_queue_length", "gauge", stats.queue_length },
        { "kopilka_store_commit_microseconds_total", "counter", stats.commit_us_sum },
        { "kopilka_store_commit_microseconds_max", "gauge", stats.commit_us_max },
    };
    for (size_t i = 0; i < KOP_COUNT(figures); i++)
        buf_addf(out, "# TYPE %s %s\n%s %llu\n", figures[i].name, figures[i].type, figures[i].name,
                 (unsigned long long)figures[i].value);
}

static enum code
render_plain(struct work *work, struct buf *out, struct err *err)
{
    bool ready = service_is_ready(work->service);

    (void)err;
    work->call->content_type = TEXT("text/plain; charset=utf-8");
    if (work->call->route == CALL_METRICS) {
        work->call->content_type = TEXT("text/plain; version=0.0.4; charset=utf-8");
        service_metrics(work->service, out);
        return OK;
    }
    if (work->call->route == CALL_READYZ && !ready)
        work->call->status = 503;
    buf_add_text(out, ready ? TEXT("ok\n") : TEXT("starting\n"));
    return OK;
}

void
call_plain(struct work *work)
{
    work->render = render_plain;
    work_done(work);
}
