/*
 * person.c - personal data: one sealed body per person, under a key of its own.
 *
 * Owns:      wrapping the person's key, sealing and opening the body.
 * Tests:     tests/unit/service/test_person.c, tests/stories/
 */
#include "service/person.h"

#include <stdlib.h>
#include <string.h>

enum { person_key_bytes = 32, wrapped_key_bytes = person_key_bytes + seal_overhead_bytes };

/* What a person takes of chance: its key, and the nonce of each of the two seals. */
struct chance {
    unsigned char key[person_key_bytes], key_nonce[seal_nonce_bytes], body_nonce[seal_nonce_bytes];
};

static void
fill_row(struct row *row, uint64_t person_id, uint32_t tenant, struct text wrapped,
         struct text body)
{
    *row = (struct row){ 0 };
    row->cell[0].number = (int64_t)person_id;
    row->cell[1].number = tenant;
    row->cell[2].text = wrapped;
    row->cell[3].text = body;
}

enum code
person_seal(struct service *service, uint64_t person_id, uint32_t tenant, struct text plain,
            struct arena *arena, struct row *row, struct err *err)
{
    struct chance chance;
    unsigned char *wrapped = arena_alloc(arena, wrapped_key_bytes);
    unsigned char *body = arena_alloc(arena, (size_t)plain.len + seal_overhead_bytes);

    if (!wrapped || !body)
        return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
    service->host.random(service->host.context, &chance, sizeof(chance));
    enum code rc = seal_bytes(service->person_master, chance.key_nonce, chance.key,
                              person_key_bytes, wrapped, err);
    if (!rc)
        rc = seal_bytes(chance.key, chance.body_nonce, plain.ptr, plain.len, body, err);
    if (!rc)
        fill_row(row, person_id, tenant, (struct text){ (char *)wrapped, wrapped_key_bytes },
                 (struct text){ (char *)body, plain.len + seal_overhead_bytes });
    return rc;
}

/* ---- many persons ---- */

enum { chances_drawn = 512 };

struct person_sealer {
    struct service *service;
    struct sealer *master, *own; /* the master key's context keeps its key */
    bool master_keyed;
    uint32_t left;
    struct chance chance[chances_drawn];
};

enum code
person_sealer_new(struct service *service, struct person_sealer **sealer, struct err *err)
{
    struct person_sealer *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory to seal persons");
    made->service = service;
    enum code rc = sealer_new(&made->master, err);
    if (!rc)
        rc = sealer_new(&made->own, err);
    if (rc) {
        person_sealer_free(made);
        return rc;
    }
    *sealer = made;
    return OK;
}

void
person_sealer_free(struct person_sealer *sealer)
{
    if (!sealer)
        return;
    sealer_free(sealer->master);
    sealer_free(sealer->own);
    explicit_bzero(sealer->chance, sizeof(sealer->chance));
    free(sealer);
}

enum code
person_sealer_seal(struct person_sealer *sealer, uint64_t person_id, uint32_t tenant,
                   struct text plain, struct arena *arena, struct row *row, struct err *err)
{
    struct service *service = sealer->service;
    unsigned char *wrapped = arena_alloc(arena, wrapped_key_bytes);
    unsigned char *body = arena_alloc(arena, (size_t)plain.len + seal_overhead_bytes);

    if (!wrapped || !body)
        return err_set(err, CODE_NO_MEMORY, "no memory to seal a person");
    if (sealer->left == 0) {
        service->host.random(service->host.context, sealer->chance, sizeof(sealer->chance));
        sealer->left = chances_drawn;
    }
    const struct chance *chance = &sealer->chance[--sealer->left];
    enum code rc = sealer_seal(sealer->master, sealer->master_keyed ? NULL : service->person_master,
                               chance->key_nonce, chance->key, person_key_bytes, wrapped, err);
    sealer->master_keyed = true;
    if (!rc)
        rc = sealer_seal(sealer->own, chance->key, chance->body_nonce, plain.ptr, plain.len, body,
                         err);
    if (!rc)
        fill_row(row, person_id, tenant, (struct text){ (char *)wrapped, wrapped_key_bytes },
                 (struct text){ (char *)body, plain.len + seal_overhead_bytes });
    return rc;
}

enum code
person_open(struct service *service, const struct row *row, struct arena *arena, struct text *plain,
            struct err *err)
{
    unsigned char key[person_key_bytes];
    struct text wrapped = row->cell[2].text, body = row->cell[3].text;

    if (wrapped.len != wrapped_key_bytes || body.len < seal_overhead_bytes)
        return err_set(err, CODE_CORRUPT, "a person's row is malformed");
    enum code rc = open_bytes(service->person_master, wrapped.ptr, wrapped.len, key, err);
    if (rc)
        return rc;
    char *out = arena_alloc(arena, body.len);
    if (!out)
        return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
    rc = open_bytes(key, body.ptr, body.len, (unsigned char *)out, err);
    if (rc)
        return rc;
    *plain = (struct text){ out, body.len - seal_overhead_bytes };
    return OK;
}

void
person_json(const struct enrol_body *body, struct text phone, struct buf *out)
{
    const struct {
        const char *name;
        struct text value;
    } fields[] = {
        { "surname", body->surname },
        { "name", body->name },
        { "patronymic", body->patronymic },
        { "birthday", body->birthday },
        { "sex", body->sex },
        { "town", body->town },
        { "phone", phone },
        { "email", body->email },
    };
    struct json_writer writer;

    json_write_init(&writer, out);
    json_begin_object(&writer);
    for (size_t i = 0; i < KOP_COUNT(fields); i++) {
        if (!fields[i].value.len)
            continue;
        json_key(&writer, fields[i].name);
        json_text(&writer, fields[i].value);
    }
    json_key(&writer, "consent");
    json_bool(&writer, body->consent);
    json_end_object(&writer);
}
