/*
 * catalogue.c - tenants, programmes, their versions as compiled plans, and API keys, in memory.
 *
 * Owns:      loading them from the store, and looking them up.
 * Invariant: a snapshot is never changed once it can be seen; older ones live until the service
 *            closes.
 * Tests:     tests/unit/service/test_catalogue.c
 */
#include "service/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { catalogue_rows_max = 100000, zone_bytes_max = 64 * 1024, read_tries_max = 100 };

static void *
heap_take(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void
heap_give_back(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

struct arena_source
heap_source(void)
{
    return (struct arena_source){ .take = heap_take, .give_back = heap_give_back };
}

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

/* Every row of a table. */
struct rows {
    struct row *row;
    uint32_t count;
};

/* What the store says, all of one moment. */
struct reading {
    struct arena *arena;
    struct rows tenants, programmes, versions, keys;
};

static enum code
list_all(struct tx *tx, enum table table, struct arena *arena, struct rows *rows, struct err *err)
{
    enum code rc = store_list(tx, table, NULL, catalogue_rows_max, arena, &rows->row, &rows->count,
                              err);

    if (!rc && rows->count == catalogue_rows_max)
        rc = err_set(err, CODE_LIMIT, "the catalogue has too many rows");
    return rc;
}

/* Rows alone: a read that takes long gives way to the log (see store/runner.c). */
static enum code
rows_run(struct tx *tx, struct op *op, struct err *err)
{
    struct reading *reading = op->context;

    arena_reset(reading->arena);
    enum code rc = list_all(tx, TABLE_tenant, reading->arena, &reading->tenants, err);
    if (!rc)
        rc = list_all(tx, TABLE_programme, reading->arena, &reading->programmes, err);
    if (!rc)
        rc = list_all(tx, TABLE_programme_version, reading->arena, &reading->versions, err);
    if (!rc)
        rc = list_all(tx, TABLE_api_key, reading->arena, &reading->keys, err);
    return rc;
}

static enum code
read_rows(struct service *service, struct reading *reading, struct err *err)
{
    enum code rc = OK;

    for (int tried = 0; tried < read_tries_max; tried++) {
        struct op op = { .access = ACCESS_READ, .run = rows_run, .context = reading };
        struct arena arena;
        arena_init(&arena, heap_source(), 1 << 12, 1 << 16);
        op.arena = &arena;
        rc = store_run(service->store, &op, err);
        arena_release(&arena);
        if (rc != CODE_BUSY)
            break;
    }
    return rc;
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
make_programmes(struct catalogue *catalogue, const struct reading *reading, struct err *err)
{
    const struct rows *rows = &reading->programmes;
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
    return make_versions(catalogue, programmes, &reading->versions, err);
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

/* Reads the store and fills `catalogue`, which follows `older`. */
static enum code
load(struct service *service, struct catalogue *catalogue, const struct catalogue *older,
     struct err *err)
{
    struct reading reading = { .arena = &catalogue->arena };
    enum code rc = read_rows(service, &reading, err);

    if (rc)
        return rc;
    map_init(&catalogue->key_by_id, &catalogue->arena);
    catalogue->tenant_count = catalogue->programme_count = catalogue->key_count = 0;
    catalogue->older = older;
    rc = make_tenants(catalogue, &reading.tenants, err);
    if (!rc)
        rc = make_programmes(catalogue, &reading, err);
    if (!rc)
        rc = make_keys(catalogue, &reading.keys, err);
    return rc;
}

/*
 * Whoever replaces a snapshot has read the store after that snapshot was there: of two that reload
 * at once one finds that it was overtaken, and reads again. So no publication is lost.
 */
enum code
catalogue_reload(struct service *service, struct err *err)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
    const struct catalogue *older;
    enum code rc;

    if (!catalogue)
        return err_set(err, CODE_NO_MEMORY, "no memory for the catalogue");
    arena_init(&catalogue->arena, heap_source(), 1 << 16, (size_t)1 << 32);
    do {
        older = atomic_load(&service->catalogue);
        rc = load(service, catalogue, older, err);
    } while (!rc && !atomic_compare_exchange_strong(&service->catalogue, &older, catalogue));
    if (rc) {
        arena_release(&catalogue->arena);
        free(catalogue);
        return err_wrap(err, "cannot load the catalogue");
    }
    return OK;
}
