/*
 * catalogue.c - tenants, programmes, their versions as compiled plans, and API keys, in memory.
 *
 * Owns:      loading them from the store, looking them up, noticing what other servers wrote.
 * Invariant: a snapshot is never changed once it can be seen; older ones live until the service
 *            closes.
 * Tests:     tests/unit/service/test_catalogue.c
 */
#include "service/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { catalogue_rows_max = 100000, zone_bytes_max = 64 * 1024, read_tries_max = 100 };

const struct programme_entry *
catalogue_programme(const struct catalogue *catalogue, uint32_t tenant, struct text code)
{
    for (uint32_t i = 0; i < catalogue->programme_count; i++)
        if (catalogue->programme[i].tenant == tenant &&
            text_equal(catalogue->programme[i].code, code))
            return &catalogue->programme[i];
    return NULL;
}

/* Programmes stand in the order of their tenants and numbers, as their rows do. */
const struct programme_entry *
catalogue_programme_no(const struct catalogue *catalogue, uint32_t tenant, uint32_t programme)
{
    uint32_t low = 0, high = catalogue->programme_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct programme_entry *found = &catalogue->programme[middle];
        bool is_before = found->tenant != tenant ? found->tenant < tenant
                                                 : found->programme < programme;
        if (found->tenant == tenant && found->programme == programme)
            return found;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return NULL;
}

const struct version_entry *
programme_in_force(const struct programme_entry *programme, unix_ms at)
{
    for (uint32_t i = programme->version_count; i-- > 0;)
        if (programme->version[i].in_force_from <= at)
            return &programme->version[i];
    return NULL;
}

const struct version_entry *
programme_version(const struct programme_entry *programme, uint32_t version)
{
    uint32_t low = 0, high = programme->version_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct version_entry *found = &programme->version[middle];
        if (found->version == version)
            return found;
        low = found->version < version ? middle + 1 : low;
        high = found->version < version ? high : middle;
    }
    return NULL;
}

const struct version_entry *
programme_newest(const struct programme_entry *programme)
{
    return programme->version_count ? &programme->version[programme->version_count - 1] : NULL;
}

const struct version_entry *
programme_near(const struct programme_entry *programme, unix_ms at)
{
    const struct version_entry *version = programme_in_force(programme, at);

    return version ? version : programme_newest(programme);
}

const struct key_entry *
catalogue_key(const struct catalogue *catalogue, struct text key_id)
{
    uint32_t i;

    return map_get(&catalogue->key_by_id, key_id, &i) ? &catalogue->key[i] : NULL;
}

enum code
zone_read(struct service *service, struct text name, struct arena *arena, struct text *tzif,
          struct err *err)
{
    char path[512];
    FILE *file;

    *tzif = (struct text){ 0 };
    if (name.len == 0 || text_equal(name, TEXT("UTC")))
        return OK;
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '/' || c == '_' || c == '-' || c == '+';
        if (!good || (c == '/' && i == 0))
            return err_set(err, CODE_NOT_FOUND, "no time zone '%.*s'", (int)name.len, name.ptr);
    }
    snprintf(path, sizeof(path), "%s/%.*s", service->zone_dir, (int)name.len, name.ptr);
    file = fopen(path, "rb");
    char *bytes = arena_array(arena, char, zone_bytes_max);
    size_t size = file && bytes ? fread(bytes, 1, zone_bytes_max, file) : 0;
    if (file)
        fclose(file);
    if (size == 0 || size == zone_bytes_max)
        return err_set(err, CODE_NOT_FOUND, "no time zone '%.*s'", (int)name.len, name.ptr);
    *tzif = (struct text){ bytes, (uint32_t)size };
    return OK;
}

/* ---- loading ---- */

struct loading {
    struct service *service;
    struct catalogue *catalogue;
};

bool
scopes_read(struct text written, uint32_t *scopes)
{
    static const struct {
        const char *name;
        uint32_t scope;
    } names[] = {
        { "till", SCOPE_TILL },
        { "read", SCOPE_READ },
        { "members", SCOPE_MEMBERS },
        { "admin", SCOPE_ADMIN },
    };
    uint32_t from = 0;
    bool all_known = true;

    *scopes = 0;
    for (uint32_t i = 0; i <= written.len; i++) {
        if (i < written.len && written.ptr[i] != ',')
            continue;
        struct text word = { written.ptr + from, i - from };
        uint32_t scope = 0;
        for (size_t n = 0; n < KOP_COUNT(names); n++)
            if (text_equal(word, text_of(names[n].name)))
                scope = names[n].scope;
        all_known = all_known && scope;
        *scopes |= scope;
        from = i + 1;
    }
    return all_known;
}

static enum code
list_all(struct tx *tx, enum table table, struct arena *arena, struct rows *rows, struct err *err)
{
    enum code rc = store_list(tx, table, NULL, catalogue_rows_max, arena, &rows->row, &rows->count,
                              err);

    if (!rc && rows->count == catalogue_rows_max)
        rc = err_set(err, CODE_LIMIT, "the catalogue has too many rows");
    return rc;
}

/* The number that every write of a config table raises (store/tx.c). */
static enum code
read_config_version(struct tx *tx, struct arena *arena, uint64_t *version, struct err *err)
{
    struct row key = { .cell = { { .text = TEXT("config_version") } } }, row;
    bool found;
    enum code rc = store_get(tx, TABLE_meta, &key, arena, &row, &found, err);

    *version = 0;
    if (!rc && found && !text_to_u64(row.cell[1].text, version))
        rc = err_set(err, CODE_CORRUPT, "the number of the configuration is '%.*s'",
                     (int)row.cell[1].text.len, row.cell[1].text.ptr);
    return rc;
}

static enum code
list_rows(struct draft *draft, struct tx *tx, struct err *err)
{
    struct arena *arena = &draft->catalogue->arena;

    arena_reset(arena);
    enum code rc = list_all(tx, TABLE_tenant, arena, &draft->tenants, err);
    if (!rc)
        rc = list_all(tx, TABLE_programme, arena, &draft->programmes, err);
    if (!rc)
        rc = list_all(tx, TABLE_programme_version, arena, &draft->versions, err);
    if (!rc)
        rc = list_all(tx, TABLE_api_key, arena, &draft->keys, err);
    return rc;
}

void
draft_release(struct draft *draft)
{
    if (draft->catalogue) {
        arena_release(&draft->catalogue->arena);
        free(draft->catalogue);
    }
    draft->catalogue = NULL;
}

/*
 * Rows alone: a read that takes long gives way to the log (see store/runner.c). The number first:
 * the rows are of its moment, or newer.
 */
enum code
draft_read(struct draft *draft, struct tx *tx, struct op *op, struct err *err)
{
    const struct catalogue *in_force = atomic_load(&draft->service->catalogue);
    uint64_t version;
    enum code rc = read_config_version(tx, op->arena, &version, err);

    draft_release(draft); /* of a run before this one */
    if (rc || (in_force && in_force->config_version >= version))
        return rc;
    draft->catalogue = calloc(1, sizeof(*draft->catalogue));
    if (!draft->catalogue)
        return err_set(err, CODE_NO_MEMORY, "no memory for the catalogue");
    arena_init(&draft->catalogue->arena, heap_source(), 1 << 16, (size_t)1 << 32);
    draft->catalogue->config_version = version;
    return list_rows(draft, tx, err);
}

/* ---- a snapshot is made of them ---- */

static enum code
make_keys(struct catalogue *catalogue, const struct rows *rows, struct err *err)
{
    struct key_entry *keys = arena_array(&catalogue->arena, struct key_entry, rows->count);

    if (!keys)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct cell *cell = rows->row[i].cell;
        struct key_entry *key = &keys[catalogue->key_count];
        if (cell[7].number != 0 || cell[2].text.len != sha256_bytes)
            continue; /* revoked */
        key->key_id = cell[0].text;
        key->tenant = (uint32_t)cell[1].number;
        memcpy(key->hash, cell[2].text.ptr, sha256_bytes);
        (void)scopes_read(cell[3].text, &key->scopes); /* an unknown word allows nothing */
        key->outlet = cell[4].text;
        key->till = cell[5].text;
        (void)map_put(&catalogue->key_by_id, key->key_id, catalogue->key_count++);
    }
    catalogue->key = keys;
    if (catalogue->arena.failed)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    return OK;
}

/* The plan that the snapshot before this one made of the same document, or NULL. */
static const struct plan *
plan_of_older(const struct catalogue *older, const struct programme_entry *programme,
              const struct version_entry *version)
{
    const struct programme_entry *same =
        older ? catalogue_programme_no(older, programme->tenant, programme->programme) : NULL;
    const struct version_entry *found = same ? programme_version(same, version->version) : NULL;
    bool is_same = found && text_equal(found->document, version->document) &&
                   text_equal(found->zone, version->zone);

    return is_same ? found->plan : NULL;
}

static enum code
make_version(const struct row *row, struct catalogue *catalogue,
             const struct programme_entry *programme, struct version_entry *version,
             struct err *err)
{
    const struct cell *cell = row->cell;
    struct problems problems = { 0 };
    struct plan *plan = NULL;

    version->version = (uint32_t)cell[2].number;
    version->in_force_from = cell[3].number;
    if (cell[5].text.len == sha256_bytes)
        memcpy(version->hash, cell[5].text.ptr, sha256_bytes);
    version->document = cell[6].text;
    version->zone = cell[7].text;
    version->plan = plan_of_older(catalogue->older, programme, version);
    if (version->plan)
        return OK;
    enum code rc = plan_compile(&catalogue->arena, version->document, version->zone,
                                version->version, &plan, &problems, err);
    version->plan = plan;
    return rc ? err_wrap(err, "version %u of a published programme", version->version) : OK;
}

/* Does the version's row stand before the programme's, with it (0), or after? */
static int
compare_programmes(const struct row *version, const struct programme_entry *programme)
{
    int64_t tenant = version->cell[0].number, number = version->cell[1].number;

    if (tenant != programme->tenant)
        return tenant < programme->tenant ? -1 : 1;
    return number < programme->programme ? -1 : number > programme->programme;
}

/* Rows of all versions stand in the order of the programmes: each is looked at once. */
static enum code
make_versions(struct catalogue *catalogue, struct programme_entry *programmes,
              const struct rows *rows, struct err *err)
{
    struct version_entry *versions = arena_array(&catalogue->arena, struct version_entry,
                                                 rows->count);
    uint32_t at = 0;

    if (!versions)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < catalogue->programme_count; i++) {
        struct programme_entry *programme = &programmes[i];
        while (at < rows->count && compare_programmes(&rows->row[at], programme) < 0)
            at++;
        programme->version = &versions[at];
        for (; at < rows->count && compare_programmes(&rows->row[at], programme) == 0; at++) {
            enum code rc = make_version(&rows->row[at], catalogue, programme, &versions[at], err);
            if (rc)
                return rc;
            programme->version_count++;
        }
    }
    return OK;
}

static enum code
make_programmes(struct catalogue *catalogue, const struct draft *draft, struct err *err)
{
    const struct rows *rows = &draft->programmes;
    struct programme_entry *programmes = arena_array(&catalogue->arena, struct programme_entry,
                                                     rows->count);

    if (!programmes)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < rows->count; i++) {
        programmes[i].tenant = (uint32_t)rows->row[i].cell[0].number;
        programmes[i].programme = (uint32_t)rows->row[i].cell[1].number;
        programmes[i].code = rows->row[i].cell[2].text;
    }
    catalogue->programme = programmes;
    catalogue->programme_count = rows->count;
    return make_versions(catalogue, programmes, &draft->versions, err);
}

static enum code
make_tenants(struct catalogue *catalogue, const struct rows *rows, struct err *err)
{
    struct tenant_entry *tenants = arena_array(&catalogue->arena, struct tenant_entry,
                                               rows->count);

    if (!tenants)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < rows->count; i++)
        tenants[i] = (struct tenant_entry){ (uint32_t)rows->row[i].cell[0].number,
                                            rows->row[i].cell[1].text };
    catalogue->tenant = tenants;
    catalogue->tenant_count = rows->count;
    return OK;
}

/* Fills draft->catalogue, which follows `older`. */
static enum code
make(struct draft *draft, const struct catalogue *older, struct err *err)
{
    struct catalogue *catalogue = draft->catalogue;

    map_init(&catalogue->key_by_id, &catalogue->arena);
    catalogue->older = older;
    enum code rc = make_tenants(catalogue, &draft->tenants, err);
    if (!rc)
        rc = make_programmes(catalogue, draft, err);
    if (!rc)
        rc = make_keys(catalogue, &draft->keys, err);
    return rc;
}

/* Of two that read at once the one that read more stays, whoever comes last: nothing is lost. */
enum code
draft_adopt(struct draft *draft, struct err *err)
{
    struct catalogue *made = draft->catalogue;
    const struct catalogue *older = atomic_load(&draft->service->catalogue);

    if (!made)
        return OK;
    enum code rc = make(draft, older, err);
    while (!rc && !(older && older->config_version >= made->config_version)) {
        made->older = older; /* plans of one that is older yet are there as long */
        if (atomic_compare_exchange_weak(&draft->service->catalogue, &older, made)) {
            draft->catalogue = NULL;
            return OK;
        }
    }
    draft_release(draft);
    return rc ? err_wrap(err, "cannot load the catalogue") : OK;
}

static enum code
draft_run(struct tx *tx, struct op *op, struct err *err)
{
    return draft_read(op->context, tx, op, err);
}

enum code
catalogue_reload(struct service *service, struct err *err)
{
    struct draft draft = { .service = service };
    enum code rc = CODE_BUSY;

    for (int tried = 0; rc == CODE_BUSY && tried < read_tries_max; tried++) {
        struct op op = { .access = ACCESS_READ, .run = draft_run, .context = &draft };
        struct arena arena;
        arena_init(&arena, heap_source(), 1 << 12, 1 << 16);
        op.arena = &arena;
        rc = store_run(service->store, &op, err);
        arena_release(&arena);
    }
    if (!rc)
        return draft_adopt(&draft, err);
    draft_release(&draft);
    return err_wrap(err, "cannot load the catalogue");
}

/* ---- something that another server wrote ---- */

struct look {
    struct op op;
    struct draft draft;
    struct work *work;
};

/* A few in each second, so that wrong names and keys cost the store little. */
static bool
look_is_allowed(struct service *service)
{
    enum { count_bits = 8 };
    uint64_t second = (uint64_t)(service->host.now(service->host.context) / 1000);
    uint64_t before = atomic_load(&service->looks), count;

    do {
        count = before >> count_bits == second ? before & ((1u << count_bits) - 1) : 0;
        if (count >= catalogue_looks_per_second_max)
            return false;
    } while (!atomic_compare_exchange_weak(&service->looks, &before,
                                           second << count_bits | (count + 1)));
    return true;
}

static enum code
look_run(struct tx *tx, struct op *op, struct err *err)
{
    struct look *look = op->context;

    return draft_read(&look->draft, tx, op, err);
}

static void
look_done(struct op *op)
{
    struct look *look = op->context;
    struct work *work = look->work;
    struct err err;

    if (op->code || draft_adopt(&look->draft, &err))
        draft_release(&look->draft);
    if (op->code == OK && atomic_load(&work->service->catalogue) != work->catalogue)
        work_begin(work);
    else
        work_done(work);
}

bool
work_look(struct work *work)
{
    struct look *look = NULL;
    struct err err;

    if (!work->looked && look_is_allowed(work->service))
        look = arena_new(work->call->arena, struct look);
    work->looked = true;
    if (!look)
        return false;
    look->work = work;
    look->draft.service = work->service;
    look->op = (struct op){
        .access = ACCESS_READ,
        .priority = work->call->priority,
        .arena = work->call->arena,
        .run = look_run,
        .done = look_done,
        .context = look,
    };
    return store_submit(work->service->store, &look->op, &err) == OK;
}
