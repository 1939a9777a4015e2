/*
 * master.c - does this master key belong to this book?
 *
 * Owns:      the key's fingerprint, and the row of meta that remembers it.
 * Must not:  write anything from which the key can be guessed: a fingerprint is 8 bytes of a keyed
 *            hash under a key of 256 random bits.
 * Invariant: a book is never used with two keys: under the second one telephones and cards find
 *            nobody, and a person enrolled again is a second member.
 * Tests:     tests/stories/backup
 */
#include "service/person.h"

static const char meta_name[] = "master_key";

void
master_fingerprint(const unsigned char master_key[master_key_bytes],
                   char out[fingerprint_chars + 1])
{
    unsigned char derived[32];

    derive_key(master_key, "fingerprint", derived);
    hex_encode(derived, fingerprint_chars / 2, out);
    out[fingerprint_chars] = '\0';
}

struct master_work {
    struct service *service;
    struct row row; /* of meta: its name, this key's fingerprint */
    bool known, fits;
};

/* A book made before fingerprints were kept: the first person there is opens, or does not. */
static enum code
try_first_person(struct tx *tx, struct op *op, struct err *err)
{
    struct master_work *work = op->context;
    struct text plain;
    struct row *rows;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_person, NULL, 1, op->arena, &rows, &count, err);

    if (rc || count == 0)
        return rc;
    work->fits = person_open(work->service, &rows[0], op->arena, &plain, NULL) == OK;
    return OK;
}

static enum code
look(struct tx *tx, struct op *op, struct err *err)
{
    struct master_work *work = op->context;
    struct row row;
    enum code rc =
        store_get(tx, TABLE_meta, &work->row, op->arena, &row, &work->known, err);

    work->fits = true;
    if (rc)
        return rc;
    if (!work->known)
        return try_first_person(tx, op, err);
    work->fits = text_equal(row.cell[1].text, work->row.cell[1].text);
    return OK;
}

static enum code
note(struct tx *tx, struct op *op, struct err *err)
{
    struct master_work *work = op->context;

    return store_put(tx, TABLE_meta, &work->row, err);
}

enum code
service_check_master(struct service *service, const unsigned char master_key[master_key_bytes],
                     struct err *err)
{
    char fingerprint[fingerprint_chars + 1];
    struct arena arena;
    struct master_work work = { .service = service };
    struct op op = { .access = ACCESS_READ,
                     .repeatable = true,
                     .arena = &arena,
                     .run = look,
                     .context = &work };

    master_fingerprint(master_key, fingerprint);
    work.row = (struct row){ .cell = { { .text = text_of(meta_name) },
                                       { .text = text_of(fingerprint) } } };
    arena_init(&arena, heap_source(), 1 << 12, 1 << 24);
    enum code rc = store_run(service->store, &op, err);
    if (!rc && !work.fits) {
        rc = err_set(err, CODE_CORRUPT, "the master key %s is not the key of this book",
                     fingerprint);
    } else if (!rc && !work.known) {
        op = (struct op){ .access = ACCESS_WRITE,
                          .repeatable = true,
                          .arena = &arena,
                          .run = note,
                          .context = &work };
        rc = store_run(service->store, &op, err);
    }
    arena_release(&arena);
    return rc;
}
