/*
 * test_call.c - one request from its key to its answer: who may ask, whose telephone, what a
 *               repeat gets, what a second run forgets.
 *
 * Owns:      call.c and the catalogue that it reads, on a book in memory.
 * Must not:  test use cases that have tests of their own (tests/stories/, tests/sim/).
 */
#include "house.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "host.h"
#include "programme.h"

enum { minute = 60000 };
#define DAY_MS INT64_C(86400000)

#define SHOP(id, extra)                                                                            \
    "{'format':1,'id':'" id "','name':{'en':'x'},'money':{'code':'RUB','scale':2},"                \
    "'currencies':{'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00'}},"                  \
    "'redemption':{'bonus':{}},'rules':[{'code':'base','scope':'earn','name':{'en':'x'},"          \
    "'earn':{'currency':'bonus','percent':'5'}}]" extra "}"

static const char shop[] = SHOP("club", "");

/* One for all tests: some reach it from threads of their own. */
static struct house house;

static void
open_shop(bool threads)
{
    house_open(&house, threads);
    house_publish(&house, "club", shop, house.now - 100 * DAY_MS);
}

/* A receipt of the test's own till. */
static const char *
receipt(const char *number, const char *more)
{
    static char body[1024];

    snprintf(body, sizeof(body),
             "{'programme':'club','outlet':'7','till':'2','period':1,'number':'%s',"
             "'occurred_at':'2026-01-06T09:00:00Z',"
             "'lines':[{'article':'a','quantity':'1','price':'100.00'}]%s}",
             number, more);
    return body;
}

/* ---- who may ask ---- */

static char till_key[key_token_bytes], read_key[key_token_bytes], foreign_key[key_token_bytes];

static void
make_keys(void)
{
    uint32_t other;
    struct err err;

    assert_int_equal(service_new_key(house.service, 1, "till", "7", "2", till_key, &err), OK);
    assert_int_equal(service_new_key(house.service, 1, "read", "", "", read_key, &err), OK);
    assert_int_equal(service_tenant(house.service, TEXT("other"), true, &other, &err), OK);
    assert_int_equal(service_new_key(house.service, other, "till", "", "", foreign_key, &err), OK);
}

/* A token with one thing changed. */
static const char *
spoilt(const char *token, const char *how)
{
    static char header[256];
    char *secret;

    snprintf(header, sizeof(header), "Bearer %s", token);
    secret = strrchr(header, '_') + 1;
    if (strcmp(how, "last digit") == 0)
        secret[63] = secret[63] == '0' ? '1' : '0';
    else if (strcmp(how, "first digit") == 0)
        secret[0] = secret[0] == 'a' ? 'b' : 'a';
    else if (strcmp(how, "shorter") == 0)
        secret[63] = 0;
    else if (strcmp(how, "longer") == 0)
        snprintf(header, sizeof(header), "Bearer %s0", token);
    else if (strcmp(how, "space behind") == 0)
        snprintf(header, sizeof(header), "Bearer %s ", token);
    else if (strcmp(how, "no secret") == 0)
        secret[0] = 0;
    else if (strcmp(how, "no bar") == 0)
        secret[-1] = 0;
    else if (strcmp(how, "capitals") == 0)
        for (char *at = secret; *at; at++)
            *at = (char)(*at >= 'a' && *at <= 'f' ? *at - 'a' + 'A' : *at);
    else if (strcmp(how, "unknown id") == 0)
        header[strlen("Bearer kop_")] ^= 1;
    else if (strcmp(how, "another's secret") == 0)
        memcpy(secret, strrchr(foreign_key, '_') + 1, 64);
    else if (strcmp(how, "small letters") == 0)
        header[0] = 'b';
    else if (strcmp(how, "no scheme") == 0)
        memmove(header, header + 7, strlen(header) - 6);
    else if (strcmp(how, "another scheme") == 0)
        memcpy(header, "Digest", 6);
    else if (strcmp(how, "two spaces") == 0)
        snprintf(header, sizeof(header), "Bearer  %s", token);
    else
        assert_string_equal(how, "right");
    return header;
}

static void
keys_open_what_they_are_for(void **state)
{
    static const struct {
        const char *token, *how;
        enum route_name route;
        const char *outlet, *till;
        enum outcome outcome;
        const char *pointer;
    } cases[] = {
        { till_key, "right", CALL_QUOTE, "7", "2", OUTCOME_DONE, NULL },
        { till_key, "last digit", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "first digit", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "shorter", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "longer", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "space behind", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "no secret", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "no bar", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "capitals", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "unknown id", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "another's secret", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "small letters", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "no scheme", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "another scheme", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "two spaces", CALL_QUOTE, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { till_key, "right", CALL_QUOTE, "8", "2", OUTCOME_FORBIDDEN, "\"/outlet\"" },
        { till_key, "right", CALL_QUOTE, "7", "3", OUTCOME_FORBIDDEN, "\"/till\"" },
        { till_key, "right", CALL_QUOTE, "77", "2", OUTCOME_FORBIDDEN, "\"/outlet\"" },
        { till_key, "right", CALL_PROGRAMMES, "7", "2", OUTCOME_FORBIDDEN, NULL },
        { till_key, "right", CALL_ENROL, "7", "2", OUTCOME_FORBIDDEN, NULL },
        { till_key, "right", CALL_PUBLISH, "7", "2", OUTCOME_FORBIDDEN, NULL },
        { till_key, "last digit", CALL_PUBLISH, "7", "2", OUTCOME_UNAUTHENTICATED, NULL },
        { read_key, "right", CALL_QUOTE, "7", "2", OUTCOME_FORBIDDEN, NULL },
        { read_key, "right", CALL_PROGRAMMES, "7", "2", OUTCOME_DONE, NULL },
        { foreign_key, "right", CALL_QUOTE, "7", "2", OUTCOME_PROGRAMME_UNKNOWN, "\"/programme\"" },
        { till_key, "last digit", CALL_HEALTHZ, "7", "2", OUTCOME_DONE, NULL },
    };

    (void)state;
    open_shop(false);
    make_keys();
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        char body[512];
        snprintf(body, sizeof(body),
                 "{'programme':'club','outlet':'%s','till':'%s','period':1,'number':'n',"
                 "'occurred_at':'2026-01-06T09:00:00Z',"
                 "'lines':[{'quantity':'1','price':'1.00'}]}",
                 cases[i].outlet, cases[i].till);
        struct answer answer = house_ask(
            &house,
            &(struct question){ .route = cases[i].route,
                                .body = body,
                                .authorization = spoilt(cases[i].token, cases[i].how) },
            NULL);
        if (answer.outcome != cases[i].outcome ||
            (cases[i].pointer && !answer_has(&answer, cases[i].pointer)))
            fail_msg("case %zu (%s): %.*s", i, cases[i].how, (int)answer.text.len,
                     answer.text.ptr);
        assert_int_equal(answer.status, outcome_http_status(cases[i].outcome));
    }
    house_close(&house);
}

static void
without_a_key(void **state)
{
    struct question question = { .route = CALL_QUOTE, .without_key = true };

    (void)state;
    open_shop(false);
    question.body = receipt("1", "");
    assert_int_equal(house_ask(&house, &question, NULL).outcome, OUTCOME_UNAUTHENTICATED);
    question.authorization = "Bearer kop_";
    assert_int_equal(house_ask(&house, &question, NULL).outcome, OUTCOME_UNAUTHENTICATED);
    question = (struct question){ .route = CALL_READYZ, .without_key = true };
    assert_int_equal(house_ask(&house, &question, NULL).status, 200);
    house_close(&house);
}

static enum code
revoke_run(struct tx *tx, struct op *op, struct err *err)
{
    struct row *rows;
    uint32_t count;
    enum code rc = store_list(tx, TABLE_api_key, NULL, 100, op->arena, &rows, &count, err);

    for (uint32_t i = 0; !rc && i < count; i++) {
        rows[i].cell[7].number = 1;
        rc = store_put(tx, TABLE_api_key, &rows[i], err);
    }
    return rc;
}

static void
run_in_store(enum code (*run)(struct tx *, struct op *, struct err *), void *context)
{
    struct op op = {
        .access = ACCESS_WRITE, .arena = &house.arena, .run = run, .context = context
    };
    struct err err;

    if (store_run(house.store, &op, &err))
        fail_msg("%s", err.text);
}

static void
a_revoked_key_opens_nothing(void **state)
{
    (void)state;
    open_shop(false);
    make_keys();
    run_in_store(revoke_run, NULL);
    house_restart(&house);
    struct question question = {
        .route = CALL_QUOTE, .body = receipt("1", ""), .authorization = spoilt(till_key, "right")
    };
    assert_int_equal(house_ask(&house, &question, NULL).outcome, OUTCOME_UNAUTHENTICATED);
    house_close(&house);
}

/* ---- telephones ---- */

/* One field of a row, quotes taken off; moves on to the next. */
static struct text
field(char **at)
{
    bool quoted = **at == '"';
    char *from = *at + quoted, *to = from;

    while (*to && *to != (quoted ? '"' : ','))
        to++;
    *at = to + quoted + (to[quoted ? 1 : 0] == ',');
    return (struct text){ from, (uint32_t)(to - from) };
}

static void
telephones_as_people_write_them(void **state)
{
    char *table = read_file("tests/tables/phones/normalisation.csv"), *row = table;
    struct arena arena;
    int rows = 0;

    (void)state;
    arena_init(&arena, host_source(), 1 << 12, 1 << 20);
    row += strcspn(row, "\n") + 1;
    while (*row) {
        char *next = row + strcspn(row, "\n");
        *next = 0;
        struct text written = field(&row), e164 = field(&row), validity = field(&row);
        struct text wanted = field(&row);
        struct text normal = telephone_normal(written, &arena);
        if (!text_equal(normal, wanted))
            fail_msg("'%.*s' is taken for '%.*s'", (int)written.len, written.ptr, (int)normal.len,
                     normal.ptr);
        /* What is known as invalid is never taken, and nothing is taken for another number. */
        assert_false(text_equal(validity, TEXT("invalid")) && wanted.len > 0);
        if (text_equal(validity, TEXT("valid")) && wanted.len > 0)
            assert_true(text_equal(wanted, e164));
        row = next + 1;
        rows++;
    }
    assert_true(rows > 40);
    arena_release(&arena);
    free(table);
}

static void
one_telephone_one_member(void **state)
{
    (void)state;
    open_shop(false);
    struct question enrol = {
        .route = CALL_ENROL,
        .body = "{'programme':'club','phone':'8 (912) 345-67-89','consent':true}",
        .key = "a",
    };
    assert_int_equal(house_ask(&house, &enrol, NULL).outcome, OUTCOME_DONE);
    enrol.body = "{'programme':'club','phone':'+7 912 345 67 89','consent':true}";
    enrol.key = "b";
    struct answer answer = house_ask(&house, &enrol, NULL);
    assert_int_equal(answer.outcome, OUTCOME_CARD_TAKEN);
    assert_true(answer_has(&answer, "\"/phone\""));
    answer = house_say(&house, CALL_FIND, "{'programme':'club','phone':'9123456789'}");
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer_has(&answer, "+79123456789"));
    house_close(&house);
}

/* The address stays as it was written, and is known in any case of its letters. */
static void
an_address_in_any_case(void **state)
{
    static const char *const known[] = { "anna.П@Example.ORG", "Anna.П@example.org",
                                         "ANNA.П@EXAMPLE.ORG" };
    static const char *const unknown[] = { "anna.п@example.org", "anna.П@example.or" };
    char body[128];

    (void)state;
    open_shop(false);
    struct question enrol = { .route = CALL_ENROL, .body = body, .key = "a" };
    snprintf(body, sizeof(body), "{'programme':'club','email':'%s','consent':true}", known[0]);
    assert_int_equal(house_ask(&house, &enrol, NULL).outcome, OUTCOME_DONE);
    for (size_t i = 0; i < KOP_COUNT(known); i++) {
        snprintf(body, sizeof(body), "{'programme':'club','email':'%s'}", known[i]);
        struct answer answer = house_say(&house, CALL_FIND, body);
        assert_int_equal(answer.outcome, OUTCOME_DONE);
        assert_true(answer_has(&answer, known[0]));
        enrol.key = known[i];
        answer = house_ask(&house, &enrol, NULL);
        assert_int_equal(answer.outcome, OUTCOME_CARD_TAKEN);
        assert_true(answer_has(&answer, "\"/email\""));
    }
    for (size_t i = 0; i < KOP_COUNT(unknown); i++) {
        snprintf(body, sizeof(body), "{'programme':'club','email':'%s'}", unknown[i]);
        assert_int_equal(house_say(&house, CALL_FIND, body).outcome, OUTCOME_CARD_UNKNOWN);
    }
    house_close(&house);
}

/* ---- repeats ---- */

static void
a_repeat_gets_the_same_bytes(void **state)
{
    (void)state;
    open_shop(false);
    house_enrol(&house, "club", "k1");
    struct answer first = house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1'"));
    assert_int_equal(first.outcome, OUTCOME_DONE);
    house_say(&house, CALL_COMMIT, receipt("2", ",'card':'k1'")); /* the balance moved on */
    house.now += 100 * DAY_MS;
    house_publish(&house, "club", SHOP("club", ",'returns':{'policy':'trace'}"), house.now);
    house_restart(&house);
    struct answer second = house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1'"));
    assert_int_equal(second.status, first.status);
    assert_true(text_equal(first.text, second.text));
    second = house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1','attempt':2"));
    assert_true(text_equal(first.text, second.text));
    house_close(&house);
}

static void
another_request_under_the_same_key(void **state)
{
    (void)state;
    open_shop(false);
    house_enrol(&house, "club", "k1");
    house_enrol(&house, "club", "k2");
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1'")).outcome,
                     OUTCOME_DONE);
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k2'")).outcome,
                     OUTCOME_KEY_REUSED);
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("1", "")).outcome,
                     OUTCOME_KEY_REUSED);
    /* A reserve under the same number is another operation. */
    assert_int_equal(house_say(&house, CALL_RESERVE, receipt("1", ",'card':'k1'")).outcome,
                     OUTCOME_DONE);
    house_close(&house);
}

static void
a_refusal_claims_nothing(void **state)
{
    const char *paid = ",'card':'k1','redeem':[{'currency':'bonus','amount':'50.00'}]";

    (void)state;
    open_shop(false);
    house_enrol(&house, "club", "k1");
    struct answer answer = house_say(&house, CALL_COMMIT, receipt("1", paid));
    assert_int_equal(answer.outcome, OUTCOME_NOT_ENOUGH);
    struct question opening = {
        .route = CALL_OPENING,
        .body = "{'programme':'club','card':'k1','currency':'bonus','points':'50.00'}",
        .key = "o",
    };
    assert_int_equal(house_ask(&house, &opening, NULL).outcome, OUTCOME_DONE);
    answer = house_say(&house, CALL_COMMIT, receipt("1", paid));
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    house_close(&house);
}

static void
keys_in_the_header(void **state)
{
    struct question enrol = {
        .route = CALL_ENROL,
        .body = "{'programme':'club','cards':['k1'],'consent':true}",
        .key = "a",
    };

    (void)state;
    open_shop(false);
    struct answer first = house_ask(&house, &enrol, NULL);
    assert_int_equal(first.outcome, OUTCOME_DONE);
    house_restart(&house);
    house.now++; /* ids of one moment are made by one service */
    struct answer second = house_ask(&house, &enrol, NULL);
    assert_true(text_equal(first.text, second.text));
    enrol.key = "";
    assert_int_equal(house_ask(&house, &enrol, NULL).outcome, OUTCOME_FIELD_MISSING);
    enrol.key = "b";
    assert_int_equal(house_ask(&house, &enrol, NULL).outcome, OUTCOME_CARD_TAKEN);
    enrol.body = "{'programme':'club','cards':['k2'],'consent':true}";
    enrol.key = "a";
    assert_int_equal(house_ask(&house, &enrol, NULL).outcome, OUTCOME_KEY_REUSED);
    /* The same key for another kind of operation is another request, and the key is taken. */
    struct question opening = {
        .route = CALL_OPENING,
        .body = "{'programme':'club','card':'k1','currency':'bonus','points':'50.00'}",
        .key = "a",
    };
    assert_int_equal(house_ask(&house, &opening, NULL).outcome, OUTCOME_KEY_REUSED);
    house_close(&house);
}

/* ---- run again ---- */

static int runs;

static enum code
refuse_once(struct tx *tx, struct op *op, struct err *err)
{
    struct work *work = op->context;

    (void)tx;
    (void)err;
    if (runs++ == 0)
        work_refuse(work, OUTCOME_CARD_BLOCKED, TEXT("/card"));
    return OK;
}

static void
a_second_run_forgets_the_first(void **state)
{
    struct work work = { .run = refuse_once };
    struct op op = { .context = &work };
    struct err err;

    (void)state;
    runs = 0;
    assert_int_equal(work_run(NULL, &op, &err), OK);
    assert_int_equal(work.refusal.outcome, OUTCOME_CARD_BLOCKED);
    assert_int_equal(work_run(NULL, &op, &err), OK);
    assert_int_equal(work.refusal.outcome, OUTCOME_DONE);
    assert_int_equal(work.refusal.pointer.len, 0);
}

/* An operation of a test that blocks a card only while others fail beside it. */
struct meddling {
    struct directory_row row;
    struct text key;
    int blocked, tries;
    bool fails;
    atomic_bool began;
    pthread_mutex_t *gate;
};

static enum code
hold_the_writer(struct tx *tx, struct op *op, struct err *err)
{
    struct meddling *meddling = op->context;

    (void)tx;
    (void)err;
    atomic_store(&meddling->began, true);
    pthread_mutex_lock(meddling->gate); /* until everything else waits behind */
    pthread_mutex_unlock(meddling->gate);
    return OK;
}

static enum code
block_the_first_time(struct tx *tx, struct op *op, struct err *err)
{
    struct meddling *meddling = op->context;
    struct directory_row row;
    bool found;

    if (meddling->tries++ > 0)
        return OK;
    enum code rc = store_find(tx, meddling->key, &row, &found, err);
    if (rc || !found)
        return rc ? rc : err_set(err, CODE_NOT_FOUND, "no card");
    row.state = KEY_BLOCKED;
    meddling->blocked++;
    return store_put_directory(tx, &row, err);
}

static enum code
fail_after_writing(struct tx *tx, struct op *op, struct err *err)
{
    struct meddling *meddling = op->context;
    struct row row = { .cell = { { .number = 77 }, { .text = TEXT("x") }, { .text = TEXT("x") } } };

    meddling->tries++;
    enum code rc = store_put(tx, TABLE_tenant, &row, err);
    return rc ? rc : err_set(err, CODE_IO, "a write failed");
}

static void
nothing(struct op *op)
{
    struct meddling *meddling = op->context;

    meddling->fails = op->code != OK;
}

struct asking {
    struct answer answer;
};

static void *
ask_in_between(void *context)
{
    struct asking *asking = context;

    asking->answer = house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1'"));
    return NULL;
}

/* Blocked in a batch that is rolled back, then alone: the refusal belongs to no past. */
static void
a_refusal_in_a_batch_that_failed_is_forgotten(void **state)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct meddling holding = { .gate = &gate }, blocking = { 0 }, failing = { 0 };
    struct asking asking;
    struct arena arena[3];
    struct op op[3];
    pthread_t thread;
    struct err err;

    (void)state;
    open_shop(true);
    house_enrol(&house, "club", "k1");
    struct programme_entry entry = { .programme = 1 };
    struct call call = { .arena = &house.arena };
    struct work work = {
        .service = house.service, .call = &call, .tenant = 1, .programme = &entry
    };
    blocking.key = directory_key_of(&work, KEY_CARD, TEXT("k1"));
    struct meddling *context[3] = { &holding, &blocking, &failing };
    enum code (*run[3])(struct tx *, struct op *, struct err *) = {
        hold_the_writer, block_the_first_time, fail_after_writing
    };
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++) {
        arena_init(&arena[i], host_source(), 1 << 14, 1 << 20);
        op[i] = (struct op){ .access = ACCESS_WRITE,
                             .arena = &arena[i],
                             .run = run[i],
                             .done = nothing,
                             .context = context[i] };
        if (i == 2) { /* the till's commit stands between the two */
            assert_int_equal(pthread_create(&thread, NULL, ask_in_between, &asking), 0);
            struct store_stats stats;
            do
                store_read_stats(house.store, &stats);
            while (stats.queue_length < 3);
            nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL); /* counted, then queued */
        }
        assert_int_equal(store_submit(house.store, &op[i], &err), OK);
        while (i == 0 && !atomic_load(&holding.began))
            ;
    }
    pthread_mutex_unlock(&gate);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(blocking.blocked, 1);
    assert_int_equal(asking.answer.outcome, OUTCOME_DONE);
    store_close(house.store);
    assert_true(failing.fails && !blocking.fails);
    assert_int_equal(blocking.tries, 2); /* so it was one batch, and each ran again */
    service_close(house.service);
    arena_release(&house.arena);
    for (int i = 0; i < 3; i++)
        arena_release(&arena[i]);
}

/* ---- whose owner ---- */

static void
an_owner_of_strangers_is_no_member(void **state)
{
    char body[512];

    (void)state;
    open_shop(false);
    struct answer answer = house_say(&house, CALL_COMMIT, receipt("1", ""));
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    struct text owner = answer_member(answer.text, "owner");
    assert_true(owner.len > 0 && owner.len < 13); /* below the ids that a clock makes */
    snprintf(body, sizeof(body), ",'member':'%.*s'", (int)owner.len, owner.ptr);
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("2", body)).outcome,
                     OUTCOME_NOT_FOUND);
    assert_int_equal(house_say(&house, CALL_QUOTE, receipt("2", body)).outcome, OUTCOME_NOT_FOUND);
    snprintf(body, sizeof(body),
             "{'programme':'club','member':'%.*s','currency':'bonus','points':'50.00'}",
             (int)owner.len, owner.ptr);
    struct question opening = { .route = CALL_OPENING, .body = body, .key = "o" };
    assert_int_equal(house_ask(&house, &opening, NULL).outcome, OUTCOME_NOT_FOUND);
    snprintf(body, sizeof(body), "{'programme':'club','number':'k9','member':'%.*s'}",
             (int)owner.len, owner.ptr);
    assert_int_equal(house_say(&house, CALL_CARD, body).outcome, OUTCOME_NOT_FOUND);
    house_close(&house);
}

static void
programmes_and_tenants_keep_their_members(void **state)
{
    char body[128];

    (void)state;
    open_shop(false);
    house_publish(&house, "other", SHOP("other", ""), house.now);
    uint64_t member = house_enrol(&house, "other", "k1");
    snprintf(body, sizeof(body), ",'member':'%llu'", (unsigned long long)member);
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("1", body)).outcome,
                     OUTCOME_NOT_FOUND);
    assert_int_equal(house_say(&house, CALL_COMMIT, receipt("1", ",'card':'k1'")).outcome,
                     OUTCOME_CARD_UNKNOWN);
    house_close(&house);
}

/* ---- versions ---- */

static void
a_version_that_is_to_come_changes_nothing_yet(void **state)
{
    static const char before[] = SHOP("club",
                                      ",'attributes':{'event.steps':'number','line.note':'text'}");
    struct question event = {
        .route = CALL_EVENT,
        .body = "{'programme':'club','kind':'walk','card':'k1',"
                "'occurred_at':'2026-01-06T09:00:00Z','attributes':{'steps':'2000'}}",
        .key = "e",
    };

    (void)state;
    house_open(&house, false);
    house_publish(&house, "club", before, house.now - DAY_MS);
    house_enrol(&house, "club", "k1");
    house_publish(&house, "club", shop, house.now + DAY_MS); /* without these attributes */
    struct answer answer = house_ask(&house, &event, NULL);
    if (answer.outcome != OUTCOME_DONE)
        fail_msg("%.*s", (int)answer.text.len, answer.text.ptr);
    answer = house_say(&house, CALL_COMMIT,
                       "{'programme':'club','outlet':'7','till':'2','period':1,'number':'1',"
                       "'occurred_at':'2026-01-06T09:00:00Z','lines':[{'quantity':'1',"
                       "'price':'1.00','attributes':{'note':'gift'}}]}");
    if (answer.outcome != OUTCOME_DONE)
        fail_msg("%.*s", (int)answer.text.len, answer.text.ptr);
    /* When it has come, they are unknown; but not in what happened before and comes late. */
    house.now += 2 * DAY_MS;
    event.key = "late";
    assert_int_equal(house_ask(&house, &event, NULL).outcome, OUTCOME_DONE);
    event.body = "{'programme':'club','kind':'walk','card':'k1',"
                 "'occurred_at':'2026-01-08T08:59:00Z','attributes':{'steps':'2000'}}";
    event.key = "f";
    assert_int_equal(house_ask(&house, &event, NULL).outcome, OUTCOME_FIELD_UNKNOWN);
    house_close(&house);
}

/* ---- memory ---- */

/* A source whose block number `fails_at` is refused, once. */
struct failing_source {
    int taken, fails_at;
};

static void *
take_or_fail(void *context, size_t size)
{
    struct failing_source *source = context;

    return ++source->taken == source->fails_at ? NULL : malloc(size);
}

static void
give_back(void *context, void *block, size_t size)
{
    (void)context;
    (void)size;
    free(block);
}

static void
answered(struct call *call)
{
    (void)call;
}

/* A call with small blocks of which one fails; its outcome. */
static enum outcome
ask_with_failure(enum route_name route, const char *quoted, const char *key, int fails_at,
                 bool *failed)
{
    char *body = text_c_string(&house.arena, text_of(quoted));
    struct failing_source source = { .fails_at = fails_at };
    struct arena arena;

    arena_init(&arena,
               (struct arena_source){
                   .take = take_or_fail, .give_back = give_back, .context = &source },
               64, 1 << 20);
    struct call call = {
        .route = route,
        .body = text_of(body),
        .idempotency_key = text_of(key),
        .trusted = true,
        .tenant = 1,
        .arena = &arena,
        .done = answered,
    };
    for (char *at = body; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    service_call(house.service, &call);
    call_finish(&call);
    *failed = source.taken >= fails_at;
    arena_release(&arena);
    return call.outcome;
}

/* Whatever allocation fails: a receipt is booked under its key, or not at all. */
static void
memory_may_end_anywhere(void **state)
{
    bool failed = true;
    int booked = 0, refused = 0;

    (void)state;
    open_shop(false);
    for (int at = 2; failed; at++) { /* the first holds the call itself */
        char path[24], card[24], number[24], more[64];
        snprintf(card, sizeof(card), "k%d", at);
        snprintf(number, sizeof(number), "n%d", at);
        snprintf(more, sizeof(more), ",'card':'%s'", card);
        snprintf(path, sizeof(path), "%llu",
                 (unsigned long long)house_enrol(&house, "club", card));
        struct question look = { .route = CALL_STATEMENT, .param = { path } };
        struct answer before = house_ask(&house, &look, NULL);
        enum outcome outcome = ask_with_failure(CALL_COMMIT, receipt(number, more), "", at,
                                                &failed);
        struct answer after = house_ask(&house, &look, NULL);
        bool is_booked = !text_equal(before.text, after.text);
        booked += is_booked;
        refused += outcome != OUTCOME_DONE;
        if (outcome == OUTCOME_DONE)
            assert_true(is_booked);
        /* A till that was refused sends again: booked once in all. */
        assert_int_equal(house_say(&house, CALL_COMMIT, receipt(number, more)).outcome,
                         OUTCOME_DONE);
        struct answer again = house_ask(&house, &look, NULL);
        if (is_booked != text_equal(after.text, again.text))
            fail_msg("block %d: booked %d, outcome %s", at, is_booked, outcome_name(outcome));
    }
    assert_true(refused > 10);
    assert_true(booked > 0);
    house_close(&house);
}

static void
memory_may_end_in_an_enrolment(void **state)
{
    bool failed = true;
    int refused = 0;

    (void)state;
    open_shop(false);
    for (int at = 2; failed; at++) {
        char body[256], find[128], key[24];
        snprintf(key, sizeof(key), "e%d", at);
        snprintf(body, sizeof(body),
                 "{'programme':'club','surname':'x','phone':'9120000%03d','cards':['c%d','d%d'],"
                 "'email':'%d@example.org','consent':true}",
                 at, at, at, at);
        snprintf(find, sizeof(find), "{'programme':'club','card':'d%d'}", at);
        enum outcome outcome = ask_with_failure(CALL_ENROL, body, key, at, &failed);
        refused += outcome != OUTCOME_DONE;
        struct answer found = house_say(&house, CALL_FIND, find);
        if (outcome == OUTCOME_DONE)
            assert_int_equal(found.outcome, OUTCOME_DONE);
        struct answer again = house_ask(
            &house, &(struct question){ .route = CALL_ENROL, .body = body, .key = key }, NULL);
        if (again.outcome != OUTCOME_DONE)
            fail_msg("block %d, %s: %.*s", at, outcome_name(outcome), (int)again.text.len,
                     again.text.ptr);
        if (found.outcome == OUTCOME_DONE) /* the same member as was made then */
            assert_true(text_equal(answer_member(found.text, "member"),
                                   answer_member(again.text, "member")));
        found = house_say(&house, CALL_FIND, find);
        assert_true(answer_has(&found, "\"surname\":\"x\""));
    }
    assert_true(refused > 10);
    house_close(&house);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_open_what_they_are_for),
        cmocka_unit_test(without_a_key),
        cmocka_unit_test(a_revoked_key_opens_nothing),
        cmocka_unit_test(telephones_as_people_write_them),
        cmocka_unit_test(one_telephone_one_member),
        cmocka_unit_test(an_address_in_any_case),
        cmocka_unit_test(a_repeat_gets_the_same_bytes),
        cmocka_unit_test(another_request_under_the_same_key),
        cmocka_unit_test(a_refusal_claims_nothing),
        cmocka_unit_test(keys_in_the_header),
        cmocka_unit_test(a_second_run_forgets_the_first),
        cmocka_unit_test(a_refusal_in_a_batch_that_failed_is_forgotten),
        cmocka_unit_test(an_owner_of_strangers_is_no_member),
        cmocka_unit_test(programmes_and_tenants_keep_their_members),
        cmocka_unit_test(a_version_that_is_to_come_changes_nothing_yet),
        cmocka_unit_test(memory_may_end_anywhere),
        cmocka_unit_test(memory_may_end_in_an_enrolment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
