/*
 * test_isolation.c - every interleaving of two operations that touch the same things ends as one
 * of the two serial orders.
 *
 * Owns:      the operations, the pairs of them, what is compared.
 *
 * Two servers of ours on one PostgreSQL each do one operation of the API, whole, from the request's
 * bytes to the answer's. All orders of the steps of both (see stage.h) are played, each on a book
 * made anew; who waits for a lock is passed over until it can go on. What the two were answered,
 * and what the book tells afterwards (members by every card and telephone, balances, statements,
 * how many rows there are), must be what one of the two serial orders gives, ids aside; nobody may
 * be answered a failure, or need more than a few tries; `verify` must find nothing. Of a pair
 * that has more than 70 orders (enrolments, the daily run) that many are played, evenly spread; a
 * build for a sanitizer plays ten of each; ISOLATION=all plays all, by night.
 *
 * Then each operation alone loses its connection before each of its steps, and each answer to a
 * COMMIT: it is answered as ever, and the book is as ever. Deadlocks and serialisation failures are
 * forced on purpose: nobody sees them, and where there is no end of them the client is told to come
 * again after a bounded number of tries.
 *
 * Not covered: three at once; routes that a server remembers from earlier (the inline runner
 * remembers none: test_servers.c has those); a connection lost while two meet (tests/kill has that
 * under load); isolation within one message, which is PostgreSQL's own.
 */
#include "contract/kit.h"
#include "contract/stage.h"

static struct server server;
static char conninfo[conninfo_bytes];
static struct stage stage;

/* 2026-03-01T09:00:00Z, and twenty days later: points of purchases have become active by then. */
#define BEGINNING INT64_C(1772355600000)
#define LATER     (BEGINNING + INT64_C(20) * 24 * 3600 * 1000)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { plays_max_of_a_pair = 10 };
#else
enum { plays_max_of_a_pair = 70 };
#endif
enum { transactions_max = 10, text_bytes = 1 << 17, runs_max_of_an_operation = 64 };

/* What the operations find: made anew for each play. */
static struct scene {
    unix_ms at; /* of the operations */
    const char *at_text;
    char member[2][24], reserve[24];
} scene;

/* ---- what is said ---- */

/* The value of "name":"..." in an answer. */
static void
take_field(const char *answer, const char *name, char out[24])
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = strstr(answer, wanted);
    if (at == NULL)
        fail_msg("no %s in %s", name, answer);
    at += strlen(wanted);
    snprintf(out, 24, "%.*s", (int)strcspn(at, "\""), at);
}

static int
ask(struct session *session, enum route_name route, const char *param, const char *key,
    const char *format, ...)
{
    char body[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(body, sizeof body, format, arguments);
    va_end(arguments);
    return session_ask(session, route, param, key, scene.at, body);
}

static void
must(struct session *session, int status)
{
    if (status != 200)
        fail_msg("%d: %s", status, session->answer);
}

static int
buy(struct session *session, enum route_name route, uint32_t number, const char *card,
    const char *price, const char *redeem, const char *reserve)
{
    char points[96] = "", of[64] = "";

    if (redeem != NULL)
        snprintf(points, sizeof points, ",'redeem':[{'currency':'bonus','amount':'%s'}]", redeem);
    if (reserve != NULL)
        snprintf(of, sizeof of, ",'reserve':'%s'", reserve);
    return ask(session, route, NULL, NULL,
               "{'programme':'awn','outlet':'1','till':'1','period':1,'number':'%u',"
               "'occurred_at':'%s','card':'%s','confirmed':true,"
               "'lines':[{'article':'a','quantity':'1','price':'%s'}]%s%s}",
               (unsigned)number, scene.at_text, card, price, points, of);
}

static int
enrol(struct session *session, const char *key, const char *phone, const char *card)
{
    return ask(session, CALL_ENROL, NULL, key,
               "{'programme':'awn','surname':'Орлова','name':'Вера','birthday':'1991-03-04',"
               "'phone':'%s','email':'%s@example.org','cards':['%s'],'consent':true}",
               phone, key, card);
}

static int
open_balance(struct session *session, const char *key, const char *points)
{
    return ask(session, CALL_OPENING, NULL, key,
               "{'programme':'awn','card':'C0','currency':'bonus','points':'%s',"
               "'at':'2026-01-15T00:00:00Z'}",
               points);
}

/* ---- the operations; sides differ where two clients would ---- */

enum { sold = 900, held = 800 };

static void
do_purchase(struct session *session)
{
    buy(session, CALL_COMMIT, 10 + session->number, "C0", "1000.00", "80.00", NULL);
}

static void
do_same_purchase(struct session *session)
{
    buy(session, CALL_COMMIT, 12, "C0", "1000.00", "80.00", NULL);
}

static void
do_reserve(struct session *session)
{
    buy(session, CALL_RESERVE, 20 + session->number, "C0", "1000.00", "80.00", NULL);
}

static void
do_commit(struct session *session)
{
    buy(session, CALL_COMMIT, held, "C0", "500.00", "10.00", scene.reserve);
}

static void
do_cancel(struct session *session)
{
    ask(session, CALL_CANCEL, NULL, NULL,
        "{'programme':'awn','outlet':'1','till':'1','period':1,'number':'%u'}", held);
}

static void
do_return(struct session *session)
{
    ask(session, CALL_RETURN, NULL, NULL,
        "{'programme':'awn','outlet':'1','till':'1','period':1,'number':'%u','occurred_at':'%s',"
        "'receipt':{'outlet':'1','till':'1','period':1,'number':'%u'},"
        "'lines':[{'line':1,'quantity':'1'}]}",
        30 + (unsigned)session->number, scene.at_text, sold);
}

static void
do_opening(struct session *session)
{
    open_balance(session, session->number == 0 ? "opening-0" : "opening-1", "15.00");
}

static void
do_block(struct session *session)
{
    ask(session, CALL_CARD, NULL, NULL, "{'programme':'awn','number':'C0','state':'blocked'}");
}

static void
do_daily(struct session *session)
{
    struct daily_result result;
    struct err err = { .code = OK };

    enum code rc = service_daily(session->service, scene.at, &result, &err);
    session->status = rc == OK ? 200 : 500;
    snprintf(session->answer, sizeof session->answer, "%s", err.text);
}

/* Each to a member of its own: the card T goes to one of them. */
static void
do_tie(struct session *session)
{
    ask(session, CALL_CARD, NULL, NULL, "{'programme':'awn','number':'T','member':'%s'}",
        scene.member[session->number]);
}

static void
do_enrol_card(struct session *session)
{
    static const char *const phone[] = { "+79161111110", "+79161111111" };

    enrol(session, session->number == 0 ? "card-0" : "card-1", phone[session->number], "T");
}

static void
do_enrol_phone(struct session *session)
{
    static const char *const card[] = { "N0", "N1" };

    enrol(session, session->number == 0 ? "phone-0" : "phone-1", "+79162222222",
          card[session->number]);
}

static void
do_buy_on_tied(struct session *session)
{
    buy(session, CALL_COMMIT, 40 + session->number, "T", "100.00", NULL, NULL);
}

struct operation {
    const char *name;
    void (*act)(struct session *session);
};
static const struct operation
    purchase = { "purchase", do_purchase },
    same_purchase = { "the same purchase", do_same_purchase },
    reserve = { "reserve", do_reserve },
    commit = { "commit", do_commit },
    cancel = { "cancel", do_cancel },
    give_back = { "return", do_return },
    opening = { "opening", do_opening },
    block = { "block", do_block },
    daily = { "daily", do_daily },
    tie = { "tie", do_tie },
    enrol_card = { "enrol with the card", do_enrol_card },
    enrol_phone = { "enrol with the telephone", do_enrol_phone },
    buy_on_tied = { "purchase on the card", do_buy_on_tied };

/* ---- a play ---- */

static void
run_sql(const char *sql)
{
    PGresult *result = PQexec(stage.control, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(stage.control));
    PQclear(result);
}

static void
set_clocks(unix_ms now)
{
    struct err err;

    for (uint32_t i = 0; i < sessions; i++) {
        stage.session[i].now = now;
        if (service_beat(stage.session[i].service, &err)) /* here, and not between the steps */
            fail_msg("%s", err.text);
    }
    scene.at = now;
}

/*
 * Two members. The first has 100 points of which 10 are held by a reserve, and a receipt of which
 * anything may be given back; of a `late` scene all that is long ago.
 */
static void
set_scene(bool late)
{
    struct session *session = &stage.session[0];

    run_sql("DELETE FROM owner; DELETE FROM movement; DELETE FROM lot; DELETE FROM counter;"
            "DELETE FROM receipt; DELETE FROM returned; DELETE FROM member; DELETE FROM person;"
            "DELETE FROM directory; DELETE FROM claim");
    set_clocks(BEGINNING);
    scene.at_text = "2026-03-01T09:00:00Z";
    for (uint32_t i = 0; i < 2; i++) {
        must(session, enrol(session, i == 0 ? "enrol-0" : "enrol-1",
                            i == 0 ? "+79160000000" : "+79160000001", i == 0 ? "C0" : "C1"));
        take_field(session->answer, "member", scene.member[i]);
    }
    must(session, open_balance(session, "opening", "100.00"));
    must(session, buy(session, CALL_COMMIT, sold, "C0", "100.00", NULL, NULL));
    must(session, buy(session, CALL_RESERVE, held, "C0", "500.00", "10.00", NULL));
    take_field(session->answer, "reserve", scene.reserve);
    if (late) {
        set_clocks(LATER);
        scene.at_text = "2026-03-21T09:00:00Z";
    }
}

/* Ids and hashes of them differ from play to play; nothing else may. */
static void
add_plain(char *text, const char *answer)
{
    size_t end = strlen(text);

    while (*answer != '\0' && end + 2 < text_bytes) {
        size_t digits = strspn(answer, "0123456789"), hex = strspn(answer, "0123456789abcdef");
        size_t skip = hex >= 64 ? hex : digits >= 12 ? digits : 0;
        text[end++] = skip > 0 ? '#' : *answer;
        answer += skip > 0 ? skip : 1;
    }
    text[end++] = '\n';
    text[end] = '\0';
}

static void
add_state(char *text)
{
    static const char *const who[] = { "'card':'C0'", "'card':'C1'", "'card':'T'", "'card':'N0'",
                                       "'card':'N1'", "'phone':'+79162222222'" };
    struct session *session = &stage.session[0];
    struct verify_result result;
    struct err err = { .code = OK };

    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        ask(session, CALL_FIND, NULL, NULL, "{'programme':'awn',%s}", who[i]);
        add_plain(text, session->answer);
    }
    for (uint32_t i = 0; i < 2; i++) {
        must(session, ask(session, CALL_STATEMENT, scene.member[i], NULL, ""));
        add_plain(text, session->answer);
    }
    PGresult *rows = PQexec(stage.control,
                            "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM member), "
                            "(SELECT count(*) FROM directory), (SELECT count(*) FROM claim), "
                            "(SELECT count(*) FROM receipt), (SELECT count(*) FROM lot), "
                            "(SELECT count(*) FROM returned)");
    for (int i = 0; i < PQnfields(rows); i++)
        add_plain(text, PQgetvalue(rows, 0, i));
    PQclear(rows);
    if (service_verify(session->service, NULL, NULL, &result, &err))
        fail_msg("%s", err.text);
    if (result.faults != 0)
        fail_msg("verify: %s", result.what);
}

/* Answers and state of a play; nobody was failed, nobody ran for long. */
static void
tell(char *text, const char *what)
{
    text[0] = '\0';
    for (uint32_t i = 0; i < sessions; i++) {
        const struct session *session = &stage.session[i];
        if (session->status >= 500 || session->transactions > transactions_max)
            fail_msg("%s: session %u: %d after %u transactions: %s", what, (unsigned)i,
                     session->status, (unsigned)session->transactions, session->answer);
        add_plain(text, session->answer);
    }
    add_state(text);
}

struct totals {
    uint32_t pairs, plays, again;
};

/* The first line in which two differ. */
static void
show_difference(const char *name, const char *a, const char *b)
{
    while (*a != '\0' && strcspn(a, "\n") == strcspn(b, "\n") &&
           memcmp(a, b, strcspn(a, "\n")) == 0) {
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
    }
    print_error("against %s:\n  %.*s\n  %.*s\n", name, (int)strcspn(a, "\n"), a,
                (int)strcspn(b, "\n"), b);
}

/* Every how manyth of the orders of so many steps is played? */
static uint32_t
stride_of(const uint32_t steps[sessions])
{
    uint64_t orders = 1; /* (a + b)! / a! / b! */
    const char *wish = getenv("ISOLATION");

    for (uint32_t i = 1; i <= steps[1]; i++)
        orders = orders * (steps[0] + i) / i;
    if (wish != NULL && strcmp(wish, "all") == 0)
        return 1;
    return (uint32_t)((orders + plays_max_of_a_pair - 1) / plays_max_of_a_pair);
}

static void
play_pair(const struct operation *a, const struct operation *b, struct totals *totals)
{
    static char serial[2][text_bytes], got[text_bytes];
    void (*const deed[sessions])(struct session *) = { a->act, b->act };
    bool late = a == &daily || b == &daily;
    uint32_t steps[sessions] = { 0 }, least[sessions] = { 0 };
    char what[256];

    for (uint32_t first = 0; first < 2; first++) {
        set_scene(late);
        stage_play_serial(&stage, deed, first);
        snprintf(what, sizeof what, "%s, %s, serial", a->name, b->name);
        for (uint32_t i = 0; i < sessions; i++) {
            const struct session *session = &stage.session[i];
            steps[i] = session->steps > steps[i] ? session->steps : steps[i];
            least[i] += session->transactions;
        }
        tell(serial[first], what);
    }
    uint32_t count = steps[0] + steps[1], stride = stride_of(steps), number = 0;
    for (uint64_t picks = 0; picks < UINT64_C(1) << count; picks++) {
        if ((uint32_t)__builtin_popcountll(picks) != steps[1] || number++ % stride != 0)
            continue;
        snprintf(what, sizeof what, "%s, %s, picks %llx of %u", a->name, b->name,
                 (unsigned long long)picks, (unsigned)count);
        set_scene(late);
        stage_play(&stage, deed, picks, count);
        totals->plays++;
        for (uint32_t i = 0; i < sessions; i++)
            totals->again += 2 * stage.session[i].transactions > least[i];
        tell(got, what);
        if (strcmp(got, serial[0]) != 0 && strcmp(got, serial[1]) != 0) {
            show_difference("the first and then the second", serial[0], got);
            show_difference("the second and then the first", serial[1], got);
            fail_msg("%s: no serial order gives this", what);
        }
    }
    totals->pairs++;
}

/* ---- the tests ---- */

static void
test_one_balance(void **state)
{
    static const struct operation *const all[] = { &purchase, &reserve, &commit,  &cancel,
                                                   &give_back, &opening, &block,  &daily };
    struct totals totals = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (size_t k = i; k < sizeof all / sizeof all[0]; k++)
            play_pair(all[i], all[k], &totals);
    }
    play_pair(&same_purchase, &same_purchase, &totals);
    print_message("%u pairs, %u interleavings, run again %u times\n", (unsigned)totals.pairs,
                  (unsigned)totals.plays, (unsigned)totals.again);
    assert_true(totals.again > 0);
}

static void
test_one_key(void **state)
{
    static const struct operation *const pair[][2] = {
        { &tie, &tie },           { &tie, &enrol_card },          { &enrol_card, &enrol_card },
        { &tie, &buy_on_tied },   { &enrol_card, &buy_on_tied },  { &enrol_phone, &enrol_phone },
    };
    struct totals totals = { 0 };
    (void)state;

    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++)
        play_pair(pair[i][0], pair[i][1], &totals);
    print_message("%u pairs, %u interleavings, run again %u times\n", (unsigned)totals.pairs,
                  (unsigned)totals.plays, (unsigned)totals.again);
    assert_true(totals.again > 0);
}

/* ---- connections that are lost ---- */

/* Cut at every step, until a play has fewer; how often that was. */
static uint32_t
cut_everywhere(const struct operation *operation, enum session_cut cut, const char *whole)
{
    static char got[text_bytes];
    char what[128];
    uint32_t cuts = 0;

    for (uint32_t at = 1; at == 1 || stage.session[0].steps >= at - 1; at++) {
        set_scene(operation == &daily);
        stage_play_alone(&stage, operation->act, cut, at);
        cuts += stage.session[0].cuts;
        snprintf(what, sizeof what, "%s, cut %s step %u", operation->name,
                 cut == SESSION_CUT_BEFORE ? "before" : "after", (unsigned)at);
        tell(got, what);
        if (strcmp(got, whole) != 0) {
            show_difference("what it gives undisturbed", whole, got);
            fail_msg("%s: it shows", what);
        }
    }
    return cuts;
}

static void
test_lost_connections(void **state)
{
    static const struct operation *const all[] = { &purchase, &reserve, &commit,  &cancel,
                                                   &give_back, &opening, &block,  &daily,
                                                   &tie, &enrol_card };
    static char whole[text_bytes];
    (void)state;

    stage.session[1].status = 200;
    stage.session[1].answer[0] = '\0';
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        set_scene(all[i] == &daily);
        stage_play_alone(&stage, all[i]->act, SESSION_WHOLE, 0);
        tell(whole, all[i]->name);
        assert_true(cut_everywhere(all[i], SESSION_CUT_BEFORE, whole) >= 3);
        assert_true(cut_everywhere(all[i], SESSION_CUT_AFTER, whole) >= 1);
    }
}

/* ---- failures on purpose ---- */

/* Lock both members, each side in an order of its own. */
static enum code
cross_run(struct tx *tx, struct op *op, struct err *err)
{
    const struct session *session = op->context;
    enum code rc = OK;

    for (uint32_t i = 0; i < 2 && rc == OK; i++) {
        struct needs needs = { .owner_id = 0 };
        struct view view;
        uint64_t id;
        assert_true(text_to_u64(text_of(scene.member[session->number ^ i]), &id));
        needs.owner_id = id;
        rc = store_load(tx, &needs, op->arena, &view, err);
        assert_true(rc != OK || view.owner_found);
    }
    return rc;
}

static void
do_cross(struct session *session)
{
    struct arena arena;
    struct op op = {
        .access = ACCESS_WRITE, .arena = &arena, .run = cross_run, .context = session
    };
    struct err err = { .code = OK };

    arena_init(&arena, host_source(), 64 << 10, request_arena_bytes_max);
    session->status = store_run(session->store, &op, &err) == OK ? 200 : 500;
    snprintf(session->answer, sizeof session->answer, "%s", err.text);
    arena_release(&arena);
}

/* How often the database's log tells of one. */
static uint32_t
deadlocks_logged(void)
{
    char path[96], line[1024];
    uint32_t count = 0;

    snprintf(path, sizeof path, "%s/log", server.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, "deadlock detected") != NULL;
    fclose(file);
    return count;
}

/* First one lock each, then each wants the other's. */
static void
test_deadlock(void **state)
{
    enum { one_lock_each = 2 }; /* side 0 takes the first step, side 1 the second */
    void (*const deed[sessions])(struct session *) = { do_cross, do_cross };
    (void)state;

    set_scene(false);
    uint32_t before = deadlocks_logged();
    stage_play(&stage, deed, one_lock_each, 2);
    for (uint32_t i = 0; i < sessions; i++)
        must(&stage.session[i], stage.session[i].status);
    uint32_t deadlocks = deadlocks_logged() - before;
    assert_true(deadlocks >= 1); /* the next try may overtake who waits, and meet it anew */
    assert_int_equal(stage.session[0].transactions + stage.session[1].transactions, 2 + deadlocks);
}

/* The first `count` claims fail with `state`, as they are written or at their COMMIT. */
static void
fail_claims(const char *state, uint32_t count, bool at_commit)
{
    char sql[1024];

    snprintf(sql, sizeof sql,
             "DROP SEQUENCE IF EXISTS refused CASCADE; CREATE SEQUENCE refused;"
             "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
             "SECURITY DEFINER AS $$ BEGIN IF nextval('public.refused') <= %u THEN "
             "RAISE EXCEPTION 'on purpose' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$;"
             "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON claim DEFERRABLE %s "
             "FOR EACH ROW EXECUTE FUNCTION refuse()",
             (unsigned)count, state, at_commit ? "INITIALLY DEFERRED" : "INITIALLY IMMEDIATE");
    run_sql("SET client_min_messages = error");
    run_sql(sql);
}

static void
test_failures_are_retried(void **state)
{
    static const char *const states[] = { "40001", "40P01", "55P03" };
    struct session *session = &stage.session[0];
    (void)state;

    for (uint32_t i = 0; i < 2 * sizeof states / sizeof states[0]; i++) {
        set_scene(false);
        fail_claims(states[i / 2], 3, i % 2 == 1);
        session->transactions = 0;
        do_purchase(session);
        run_sql("DROP TRIGGER refuse ON claim");
        must(session, session->status);
        assert_int_equal(session->transactions, 4);
        assert_int_equal(server_ask(&server, "postgres", "SELECT last_value FROM refused"), 4);
        assert_int_equal(server_ask(&server, "postgres", "SELECT count(*) FROM receipt"), 6);
    }
}

static void
test_failures_without_end(void **state)
{
    struct session *session = &stage.session[0];
    (void)state;

    set_scene(false);
    fail_claims("40001", 1000000, false);
    session->transactions = 0;
    do_purchase(session);
    run_sql("DROP TRIGGER refuse ON claim");
    assert_int_equal(session->status, 503);
    assert_int_equal(session->transactions, runs_max_of_an_operation);
    do_purchase(session);
    must(session, session->status);
}

/* ---- setting up ---- */

static void
publish(struct session *session, const char *path)
{
    static char document[1 << 16], body[(1 << 16) + 128];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    size_t size = fread(document, 1, sizeof document - 1, file);
    fclose(file);
    document[size] = '\0';
    snprintf(body, sizeof body, "{\"document\":%s,\"in_force_from\":\"2026-01-01T00:00:00Z\"}",
             document);
    must(session, session_ask(session, CALL_PUBLISH, "awn", NULL, BEGINNING, body));
}

static int
open_all(void **state)
{
    (void)state;
    assert_true(server_do(&server, "postgres", "ALTER ROLE kopilka SET deadlock_timeout = '20ms'",
                          NULL));
    stage_open(&stage, &server, conninfo);
    /* Both know it: each has a catalogue of its own, and the second is said again. */
    for (uint32_t i = 0; i < sessions; i++)
        publish(&stage.session[i], "programmes/awn/programme.json");
    return 0;
}

static int
close_all(void **state)
{
    (void)state;
    stage_close(&stage);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key),
        cmocka_unit_test(test_one_balance),
        cmocka_unit_test(test_lost_connections),
        cmocka_unit_test(test_deadlock),
        cmocka_unit_test(test_failures_are_retried),
        cmocka_unit_test(test_failures_without_end),
    };

    server_start(&server);
    server_conninfo(&server, "postgres", 0, conninfo);
    return cmocka_run_group_tests(tests, open_all, close_all);
}
