/*
 * person.c - personal data: one sealed body per person, under a key of its own.
 *
 * Owns:      wrapping the person's key, sealing and opening the body.
 * Tests:     tests/unit/service/test_person.c, tests/stories/
 */
#include "service/person.h"

enum { person_key_bytes = 32, wrapped_key_bytes = person_key_bytes + seal_overhead_bytes };

enum code
person_seal(struct service *service, uint64_t person_id, uint32_t tenant, struct text plain,
            struct arena *arena, struct row *row, struct err *err)
{
    unsigned char random[person_key_bytes + 2 * seal_nonce_bytes];
    unsigned char *wrapped = arena_alloc(arena, wrapped_key_bytes);
    unsigned char *body = arena_alloc(arena, (size_t)plain.len + seal_overhead_bytes);

    if (!wrapped || !body)
        return err_set(err, CODE_NO_MEMORY, "the operation's memory is used up");
    service->host.random(service->host.context, random, sizeof(random));
    enum code rc = seal_bytes(service->person_master, random + person_key_bytes, random,
                              person_key_bytes, wrapped, err);
    if (!rc)
        rc = seal_bytes(random, random + person_key_bytes + seal_nonce_bytes, plain.ptr, plain.len,
                        body, err);
    if (rc)
        return rc;
    *row = (struct row){0};
    row->cell[0].number = (int64_t)person_id;
    row->cell[1].number = tenant;
    row->cell[2].text = (struct text){(char *)wrapped, wrapped_key_bytes};
    row->cell[3].text = (struct text){(char *)body, plain.len + seal_overhead_bytes};
    return OK;
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
    *plain = (struct text){out, body.len - seal_overhead_bytes};
    return OK;
}

void
person_json(const struct enrol_body *body, struct text phone, struct buf *out)
{
    const struct { const char *name; struct text value; } fields[] = {
        {"surname", body->surname}, {"name", body->name}, {"patronymic", body->patronymic},
        {"birthday", body->birthday}, {"sex", body->sex}, {"town", body->town},
        {"phone", phone}, {"email", body->email},
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
