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

enum { catalogue_rows_max = 100000, zone_bytes_max = 64 * 1024 };

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

const struct programme_entry *
catalogue_programme_no(const struct catalogue *catalogue, uint32_t tenant, uint32_t programme)
{
    for (uint32_t i = 0; i < catalogue->programme_count; i++)
        if (catalogue->programme[i].tenant == tenant &&
            catalogue->programme[i].programme == programme)
            return &catalogue->programme[i];
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
    for (uint32_t i = 0; i < programme->version_count; i++)
        if (programme->version[i].version == version)
            return &programme->version[i];
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
static enum code
list_all(struct tx *tx, enum table table, struct catalogue *catalogue, struct row **rows,
         uint32_t *count, struct err *err)
{
    enum code rc = store_list(tx, table, NULL, catalogue_rows_max, &catalogue->arena, rows, count,
                              err);

    if (!rc && *count == catalogue_rows_max)
        rc = err_set(err, CODE_LIMIT, "the catalogue has too many rows");
    return rc;
}

static enum code
load_keys(struct tx *tx, struct catalogue *catalogue, struct err *err)
{
    struct row *rows;
    struct key_entry *keys;
    uint32_t count;
    enum code rc = list_all(tx, TABLE_api_key, catalogue, &rows, &count, err);
    if (rc)
        return rc;
    keys = arena_array(&catalogue->arena, struct key_entry, count);
    if (!keys)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *cell = rows[i].cell;
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

static enum code
load_version(const struct row *row, struct catalogue *catalogue, struct version_entry *version,
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
    enum code rc = plan_compile(&catalogue->arena, cell[6].text, cell[7].text, version->version,
                                &plan, &problems, err);
    if (rc)
        return err_wrap(err, "version %u of a published programme", version->version);
    version->plan = plan;
    return OK;
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

/* Rows of all versions stand in the order of the programmes: each is read once. */
static enum code
load_versions(struct tx *tx, struct catalogue *catalogue, struct programme_entry *programmes,
              uint32_t programme_count, struct err *err)
{
    struct version_entry *versions;
    struct row *rows;
    uint32_t count, at = 0;
    enum code rc = list_all(tx, TABLE_programme_version, catalogue, &rows, &count, err);

    if (rc)
        return rc;
    versions = arena_array(&catalogue->arena, struct version_entry, count);
    if (!versions)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < programme_count; i++) {
        while (at < count && compare_programmes(&rows[at], &programmes[i]) < 0)
            at++;
        programmes[i].version = &versions[at];
        for (; at < count && compare_programmes(&rows[at], &programmes[i]) == 0; at++) {
            rc = load_version(&rows[at], catalogue, &versions[at], err);
            if (rc)
                return rc;
            programmes[i].version_count++;
        }
    }
    return OK;
}

static enum code
load_programmes(struct tx *tx, struct catalogue *catalogue, struct err *err)
{
    struct row *rows;
    struct programme_entry *programmes;
    uint32_t count;
    enum code rc = list_all(tx, TABLE_programme, catalogue, &rows, &count, err);
    if (rc)
        return rc;
    programmes = arena_array(&catalogue->arena, struct programme_entry, count);
    if (!programmes)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < count; i++) {
        programmes[i].tenant = (uint32_t)rows[i].cell[0].number;
        programmes[i].programme = (uint32_t)rows[i].cell[1].number;
        programmes[i].code = rows[i].cell[2].text;
    }
    catalogue->programme = programmes;
    catalogue->programme_count = count;
    return load_versions(tx, catalogue, programmes, count, err);
}

static enum code
load_tenants(struct tx *tx, struct catalogue *catalogue, struct err *err)
{
    struct row *rows;
    struct tenant_entry *tenants;
    uint32_t count;
    enum code rc = list_all(tx, TABLE_tenant, catalogue, &rows, &count, err);
    if (rc)
        return rc;
    tenants = arena_array(&catalogue->arena, struct tenant_entry, count);
    if (!tenants)
        return err_set(err, CODE_NO_MEMORY, "the catalogue is too large");
    for (uint32_t i = 0; i < count; i++)
        tenants[i] = (struct tenant_entry){ (uint32_t)rows[i].cell[0].number,
                                            rows[i].cell[1].text };
    catalogue->tenant = tenants;
    catalogue->tenant_count = count;
    return OK;
}

static enum code
load_run(struct tx *tx, struct op *op, struct err *err)
{
    struct catalogue *catalogue = op->context;

    arena_reset(&catalogue->arena);
    map_init(&catalogue->key_by_id, &catalogue->arena);
    catalogue->tenant_count = catalogue->programme_count = catalogue->key_count = 0;
    enum code rc = load_tenants(tx, catalogue, err);
    if (!rc)
        rc = load_programmes(tx, catalogue, err);
    if (!rc)
        rc = load_keys(tx, catalogue, err);
    return rc;
}

static enum code
load(struct service *service, struct catalogue *catalogue, struct err *err)
{
    struct op op = { .access = ACCESS_READ, .run = load_run, .context = catalogue };
    struct arena arena;

    arena_init(&arena, heap_source(), 1 << 12, 1 << 16);
    op.arena = &arena;
    enum code rc = store_run(service->store, &op, err);
    arena_release(&arena);
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
        rc = load(service, catalogue, err);
        catalogue->older = older;
    } while (!rc && !atomic_compare_exchange_strong(&service->catalogue, &older, catalogue));
    if (rc) {
        arena_release(&catalogue->arena);
        free(catalogue);
        return err_wrap(err, "cannot load the catalogue");
    }
    return OK;
}
