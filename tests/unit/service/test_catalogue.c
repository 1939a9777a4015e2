/*
 * test_catalogue.c - programmes, versions and keys in memory: many of them, and published by many
 *                    at once.
 *
 * Owns:      what is in the catalogue after publishing; its size.
 * Must not:  test what a programme means.
 */
#include "house.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "host.h"

#define DAY_MS INT64_C(86400000)

enum { threads = 12, each = 6, long_name = 200, document_max = 16384 };

/* Reached from threads as well. */
static struct house house;
static atomic_int lost;

/* A programme of `rules` rules, which make its document long. */
static void
write_document(char *out, const char *id, int rules)
{
    int size = snprintf(out, document_max,
                        "{'format':1,'id':'%s','name':{'en':'x'},'money':{'code':'RUB','scale':2},"
                        "'currencies':{'bonus':{'no':1,'name':{'en':'b'},'scale':2}},'rules':[",
                        id);

    for (int i = 0; i < rules; i++)
        size += snprintf(out + size, (size_t)(document_max - size),
                         "%s{'code':'r%d','scope':'earn','name':{'en':'%0*d'},"
                         "'earn':{'currency':'bonus','percent':'5'}}",
                         i ? "," : "", i, long_name, i);
    snprintf(out + size, (size_t)(document_max - size), "]}");
}

/* ---- at once ---- */

static void *
publish_some(void *context)
{
    const int *thread = context;
    struct arena arena;

    arena_init(&arena, host_source(), 1 << 16, 16 << 20);
    for (int i = 0; i < each; i++) {
        char document[document_max], body[document_max + 64], id[32];
        snprintf(id, sizeof(id), "p%d-%d", *thread, i);
        write_document(document, id, 2);
        snprintf(body, sizeof(body), "{'document':%s}", document);
        struct question question = { .route = CALL_PUBLISH, .body = body, .param = { id } };
        struct answer answer = house_ask(&house, &question, &arena);
        if (answer.outcome != OUTCOME_DONE) {
            fprintf(stderr, "publishing '%s': %.*s\n", id, (int)answer.text.len, answer.text.ptr);
            abort();
        }
        for (int seen = 0; seen <= i; seen++) { /* what was told once is true from then on */
            snprintf(id, sizeof(id), "p%d-%d", *thread, seen);
            question = (struct question){ .route = CALL_PROGRAMME, .param = { id } };
            if (house_ask(&house, &question, &arena).outcome != OUTCOME_DONE)
                atomic_fetch_add(&lost, 1);
        }
    }
    arena_release(&arena);
    return NULL;
}

static void
published_at_once_all_are_there(void **state)
{
    pthread_t thread[threads];
    int number[threads];

    (void)state;
    for (int round = 0; round < 5; round++) {
        house_open(&house, true);
        for (int t = 0; t < threads; t++) {
            number[t] = t;
            assert_int_equal(pthread_create(&thread[t], NULL, publish_some, &number[t]), 0);
        }
        for (int t = 0; t < threads; t++)
            assert_int_equal(pthread_join(thread[t], NULL), 0);
        assert_int_equal(atomic_load(&lost), 0);
        for (int t = 0; t < threads; t++)
            for (int i = 0; i < each; i++) {
                char id[32];
                snprintf(id, sizeof(id), "p%d-%d", t, i);
                struct question question = { .route = CALL_PROGRAMME, .param = { id } };
                if (house_ask(&house, &question, NULL).outcome != OUTCOME_DONE)
                    fail_msg("round %d: programme '%s' was published and is not there", round, id);
            }
        house_close(&house);
    }
}

/* ---- many ---- */

/* Rows as they would be after long use. */
struct filling {
    uint32_t programmes, versions;
    const char *document; /* of versions; of programme 1 */
};

static enum code
fill_run(struct tx *tx, struct op *op, struct err *err)
{
    struct filling *filling = op->context;
    enum code rc = OK;

    for (uint32_t i = 1; !rc && i <= filling->programmes; i++) {
        char code[32];
        snprintf(code, sizeof(code), i == 1 ? "club" : "p%u", i);
        struct row row = { .cell = { { .number = 1 },
                                     { .number = i },
                                     { .text = text_of(code) } } };
        rc = store_put(tx, TABLE_programme, &row, err);
    }
    for (uint32_t i = 1; !rc && i <= filling->versions; i++) {
        struct row row = { .cell = { { .number = 1 },
                                     { .number = 1 },
                                     { .number = i },
                                     { .number = (int64_t)i },
                                     { .number = (int64_t)i },
                                     { .text = TEXT("") },
                                     { .text = text_of(filling->document) },
                                     { .text = TEXT("") } } };
        rc = store_put(tx, TABLE_programme_version, &row, err);
    }
    return rc;
}

static void
fill(uint32_t programmes, uint32_t versions, const char *document)
{
    struct filling filling = { programmes, versions, document };
    struct arena arena;
    struct err err;

    arena_init(&arena, host_source(), 1 << 16, 64 << 20);
    struct op op = {
        .access = ACCESS_WRITE, .arena = &arena, .run = fill_run, .context = &filling
    };
    if (store_run(house.store, &op, &err))
        fail_msg("%s", err.text);
    arena_release(&arena);
    house_restart(&house);
}

static char *
in_json(char *text)
{
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    return text;
}

static struct answer
publish(const char *id, int rules)
{
    char document[document_max], body[document_max + 64];

    write_document(document, id, rules);
    snprintf(body, sizeof(body), "{'document':%s}", document);
    return house_ask(&house,
                     &(struct question){ .route = CALL_PUBLISH, .body = body, .param = { id } },
                     NULL);
}

static void
a_version_after_very_many(void **state)
{
    char document[document_max];

    (void)state;
    house_open(&house, false);
    write_document(document, "club", 40); /* together more than a request may hold */
    fill(1, page_rows_max + 500, in_json(document));
    struct answer answer = publish("club", 3);
    if (answer.outcome != OUTCOME_DONE)
        fail_msg("%.*s", (int)answer.text.len, answer.text.ptr);
    assert_true(text_equal(answer_member(answer.text, "version"), TEXT("1501")));
    answer = publish("club", 3);
    assert_true(text_equal(answer_member(answer.text, "version"), TEXT("1501")));
    assert_true(answer_has(&answer, "\"published\":false"));
    house_close(&house);
}

static void
as_many_programmes_as_there_is_room_for(void **state)
{
    (void)state;
    house_open(&house, false);
    fill(1022, 0, "");
    struct answer answer = publish("last", 1);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    answer = publish("too-many", 1);
    assert_int_equal(answer.outcome, OUTCOME_TOO_MANY);
    answer = publish("last", 2);
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(text_equal(answer_member(answer.text, "version"), TEXT("2")));
    answer = house_say(&house, CALL_COMMIT,
                       "{'programme':'last','outlet':'7','till':'2','period':1,'number':'1',"
                       "'occurred_at':'2026-01-06T09:00:00Z','lines':[{'quantity':'1',"
                       "'price':'1.00'}]}");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    house_close(&house);
}

/* The catalogue holds each document once. */
static void
its_size_is_that_of_its_documents(void **state)
{
    (void)state;
    house_open(&house, false);
    for (int i = 0; i < 60; i++) {
        char id[32];
        snprintf(id, sizeof(id), "p%d", i);
        assert_int_equal(publish(id, 40).outcome, OUTCOME_DONE);
    }
    const struct catalogue *catalogue = atomic_load(&house.service->catalogue);
    assert_int_equal(catalogue->programme_count, 60);
    assert_true(catalogue->arena.total < (size_t)60 * 200 * 1024);
    house_close(&house);
}

static void
versions_are_found_by_time(void **state)
{
    struct version_entry version[3] = {
        { .version = 1, .in_force_from = 100 },
        { .version = 2, .in_force_from = 200 },
        { .version = 3, .in_force_from = 200 },
    };
    struct programme_entry programme = { .version_count = 3, .version = version };

    (void)state;
    assert_null(programme_in_force(&programme, 99));
    assert_int_equal(programme_in_force(&programme, 100)->version, 1);
    assert_int_equal(programme_in_force(&programme, 199)->version, 1);
    assert_int_equal(programme_in_force(&programme, 200)->version, 3); /* the later published */
    assert_int_equal(programme_near(&programme, 99)->version, 3);
    assert_int_equal(programme_near(&programme, 100)->version, 1);
    assert_int_equal(programme_newest(&programme)->version, 3);
    assert_int_equal(programme_version(&programme, 2)->version, 2);
    assert_null(programme_version(&programme, 4));
    programme.version_count = 0;
    assert_null(programme_newest(&programme));
    assert_null(programme_near(&programme, 100));
}

/* ---- two services on one book ---- */

static struct answer
see(struct house *seer, const char *id)
{
    struct question question = { .route = CALL_PROGRAMME, .param = { id } };

    return house_ask(seer, &question, NULL);
}

static void
what_another_wrote(bool with_threads)
{
    char document[document_max], token[key_token_bytes], header[key_token_bytes + 8], id[32];
    struct question listing = { .route = CALL_PROGRAMMES, .authorization = header };
    struct err err;

    house_open(&house, with_threads);
    struct house other = house; /* its clock too */
    arena_init(&other.arena, host_source(), 1 << 16, 64 << 20);
    house_restart(&other);      /* closes the service of both: */
    house.service = NULL;
    struct service *second = other.service;
    struct service_options options = {
        .store = house.store, .host = host_system(), .master_key = { 1, 2, 3 }
    };
    if (service_open(&options, &house.service, &err) || service_beat(house.service, &err))
        fail_msg("%s", err.text);

    write_document(document, "fresh", 2);
    house_publish(&house, "fresh", document, DAY_MS);
    assert_int_equal(see(&other, "fresh").outcome, OUTCOME_DONE); /* at once */
    assert_int_equal(see(&other, "stale").outcome, OUTCOME_PROGRAMME_UNKNOWN);
    assert_int_equal(service_new_key(house.service, 1, "read", "", "", token, &err), OK);
    snprintf(header, sizeof(header), "Bearer %s", token);
    assert_int_equal(house_ask(&other, &listing, NULL).outcome, OUTCOME_DONE);

    /* A revoked key: known until the next beat. */
    struct text key_id = { token + 4, 10 };
    assert_int_equal(service_revoke_key(house.service, 2, key_id, &err), CODE_NOT_FOUND);
    assert_int_equal(service_revoke_key(house.service, 1, key_id, &err), OK);
    assert_int_equal(house_ask(&house, &listing, NULL).outcome, OUTCOME_UNAUTHENTICATED);
    assert_int_equal(service_beat(second, &err), OK);
    assert_int_equal(house_ask(&other, &listing, NULL).outcome, OUTCOME_UNAUTHENTICATED);

    /* Names that nobody has use up the looks of a second; the heartbeat still brings the news. */
    for (int i = 0; i < 2 * catalogue_looks_per_second_max; i++) {
        snprintf(id, sizeof(id), "none%d", i);
        assert_int_equal(see(&other, id).outcome, OUTCOME_PROGRAMME_UNKNOWN);
    }
    write_document(document, "later", 2);
    house_publish(&house, "later", document, DAY_MS);
    assert_int_equal(see(&other, "later").outcome, OUTCOME_PROGRAMME_UNKNOWN);
    assert_int_equal(service_beat(second, &err), OK);
    assert_int_equal(see(&other, "later").outcome, OUTCOME_DONE);

    service_close(house.service);
    house.service = second;
    house_close(&house);
    arena_release(&other.arena);
}

static void
another_wrote_inline(void **state)
{
    (void)state;
    what_another_wrote(false);
}

static void
another_wrote_with_threads(void **state)
{
    (void)state;
    what_another_wrote(true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_at_once_all_are_there),
        cmocka_unit_test(a_version_after_very_many),
        cmocka_unit_test(as_many_programmes_as_there_is_room_for),
        cmocka_unit_test(its_size_is_that_of_its_documents),
        cmocka_unit_test(versions_are_found_by_time),
        cmocka_unit_test(another_wrote_inline),
        cmocka_unit_test(another_wrote_with_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
