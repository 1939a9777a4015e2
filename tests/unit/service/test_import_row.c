/*
 * test_import_row.c - rows of tables as bodies of requests, and what names their operations.
 *
 * Owns:      the tests of service/import_row.h: a table in, bodies out.
 */
#include "service/import_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/host.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

/* An open table made of `content`, and an arena for its rows. */
struct fixture {
    struct csv *csv;
    struct import_table table;
    struct arena arena;
    char path[1024];
};

static enum code
open_table(struct fixture *fixture, enum import_kind kind, const char *content, const char *ignore,
           struct err *err)
{
    const char *folder = getenv("TMPDIR");

    *fixture = (struct fixture){ .table = { .kind = kind, .programme = TEXT("p"), .now = NOW } };
    snprintf(fixture->path, sizeof fixture->path, "%s/kopilka-rows-%d", folder ? folder : "/tmp",
             (int)getpid());
    FILE *file = fopen(fixture->path, "wb");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(csv_open(fixture->path, &fixture->csv, err), OK);
    arena_init(&fixture->arena, host_source(), 4096, 1 << 20);
    return import_table_open(&fixture->table, fixture->csv, text_of(ignore), err);
}

static void
open_good(struct fixture *fixture, enum import_kind kind, const char *content)
{
    struct err err = { .code = OK };

    if (open_table(fixture, kind, content, NULL, &err))
        fail_msg("%s", err.text);
}

static void
close_table(struct fixture *fixture)
{
    csv_close(fixture->csv);
    arena_release(&fixture->arena);
    unlink(fixture->path);
}

static void
expect_text(struct text got, const char *wanted)
{
    if (!text_equal(got, text_of(wanted)))
        fail_msg("got    %.*s\nwanted %s", (int)got.len, got.len ? got.ptr : "", wanted);
}

/* ---- columns ---- */

static void
test_columns(void **state)
{
    static const struct {
        enum import_kind kind;
        const char *header, *ignore, *wrong;
    } cases[] = {
        { IMPORT_MEMBERS, "surname,name", NULL, NULL },
        { IMPORT_MEMBERS, "surname,nickname", NULL, "'nickname' is no column of members" },
        { IMPORT_MEMBERS, "surname,nickname", "nickname", NULL },
        { IMPORT_MEMBERS, "surname,nickname", "nick,name", "'nickname'" },
        { IMPORT_MEMBERS, "surname,nickname,x", "x,nickname", NULL },
        { IMPORT_MEMBERS, "surname,row,outcome,pointer,sentence", NULL, NULL },
        { IMPORT_MEMBERS, "balance.bonus,balance.express", NULL, NULL },
        { IMPORT_MEMBERS, "balance.", NULL, "'balance.'" },
        { IMPORT_MEMBERS, "redeem.bonus", NULL, "'redeem.bonus'" },
        { IMPORT_CARDS, "number", NULL, NULL },
        { IMPORT_CARDS, "phone,state", NULL, "needs the column 'number'" },
        { IMPORT_CARDS, "number,balance.bonus", NULL, "'balance.bonus'" },
        { IMPORT_RECEIPTS, "outlet,till,period,number,occurred_at", NULL, NULL },
        { IMPORT_RECEIPTS, "outlet,till,period,number", NULL, "'occurred_at'" },
        { IMPORT_RECEIPTS, "outlet,till,period,number,occurred_at,redeem.b", NULL, NULL },
    };
    struct fixture fixture;
    struct err err;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        enum code rc = open_table(&fixture, cases[i].kind, cases[i].header, cases[i].ignore, &err);
        assert_int_equal(rc, cases[i].wrong ? CODE_SYNTAX : OK);
        if (cases[i].wrong && strstr(err.text, cases[i].wrong) == NULL)
            fail_msg("'%s' does not say %s", err.text, cases[i].wrong);
        close_table(&fixture);
    }
}

static void
test_too_many_currencies(void **state)
{
    char header[1024] = "surname";
    struct fixture fixture;
    struct err err;

    (void)state;
    for (int i = 0; i <= currencies_per_programme_max; i++)
        snprintf(header + strlen(header), sizeof header - strlen(header), ",balance.c%d", i);
    assert_int_equal(open_table(&fixture, IMPORT_MEMBERS, header, NULL, &err), CODE_SYNTAX);
    close_table(&fixture);
}

/* ---- members ---- */

/* The one row of a table of members; NULL `wrong`: it must be taken. */
static struct import_member
member_row(struct fixture *fixture, const char *content, const char *wrong)
{
    struct import_member member = { .balance_count = 0 };
    struct refusal refusal = { .outcome = OUTCOME_DONE };

    open_good(fixture, IMPORT_MEMBERS, content);
    fixture->table.offset = TEXT("+03:00");
    assert_int_equal(csv_next(fixture->csv), CSV_ROW);
    bool taken = import_member_read(&fixture->table, &fixture->arena, &member, &refusal);
    assert_int_equal(taken, wrong == NULL);
    if (wrong)
        expect_text(refusal.pointer, wrong);
    return member;
}

static void
expect_member(const char *content, const char *body, const char *key)
{
    struct fixture fixture;
    struct import_member member = member_row(&fixture, content, NULL);

    if (body)
        expect_text(member.body, body);
    if (key)
        expect_text(member.key, key);
    close_table(&fixture);
}

static void
test_member_body(void **state)
{
    (void)state;
    expect_member("external_id,surname,name,patronymic,birthday,sex,town,phone,email,card,consent\n"
                  "7,Иванова,\"Анна \"\"А\"\"\",,17.05.1990,ж,,8 916,a@b,C1|C2,да\n",
                  "{\"programme\":\"p\",\"surname\":\"Иванова\",\"name\":\"Анна \\\"А\\\"\","
                  "\"birthday\":\"1990-05-17\",\"sex\":\"female\",\"phone\":\"8 916\","
                  "\"email\":\"a@b\",\"cards\":[\"C1\",\"C2\"],\"consent\":true}",
                  "import-member/p/x:7");
    expect_member("surname,sex,consent\nA,male,0\n",
                  "{\"programme\":\"p\",\"surname\":\"A\",\"sex\":\"male\",\"consent\":false}",
                  NULL);
    /* What is no date or sex of ours goes on as it is: the reader of the request refuses it. */
    expect_member("birthday,sex,consent\n1.5.1990,x,\n",
                  "{\"programme\":\"p\",\"birthday\":\"1.5.1990\",\"sex\":\"x\"}", NULL);
    expect_member("card\nC1|\n", "{\"programme\":\"p\",\"cards\":[\"C1\",\"\"]}", NULL);
}

/* The name of the operation: by what is known first of id, card, telephone, e-mail, whole row. */
static void
test_member_key(void **state)
{
    char content[512], longest[128] = "";
    struct fixture a, b;

    (void)state;
    expect_member("external_id,card,phone,email\n,C1,2,3\n", NULL, "import-member/p/c:C1");
    expect_member("external_id,card,phone,email\n,,2,3\n", NULL, "import-member/p/p:2");
    expect_member("external_id,card,phone,email\n,,,3\n", NULL, "import-member/p/e:3");
    struct import_member one = member_row(&a, "surname,name\nA,B\n", NULL);
    struct import_member two = member_row(&b, "name;surname;town\nB;A;\n", NULL);
    assert_true(text_equal(one.key, two.key)); /* not the file, but what it says */
    assert_true(text_starts(one.key, TEXT("import-member/p/r:")));
    close_table(&a);
    close_table(&b);
    two = member_row(&b, "surname,name\nA,C\n", NULL);
    close_table(&b);
    memset(longest, '9', sizeof longest - 1);
    snprintf(content, sizeof content, "external_id\n%s\n", longest);
    one = member_row(&a, content, NULL);
    assert_true(one.key.len < 100); /* hashed: a key has a limit */
    close_table(&a);
}

static void
test_balances(void **state)
{
    struct fixture fixture;
    struct text body, key;

    (void)state;
    struct import_member member = member_row(
        &fixture,
        "card,balance.a,balance.b,balance.c,balance_at\nC1,0.00,12.50,-1,2025-02-03 10:00\n", NULL);
    assert_int_equal(member.balance_count, 2); /* nothing of nothing is brought in */
    import_balance_body(&fixture.table, &member, 0, TEXT("77"), &fixture.arena, &body, &key);
    expect_text(body,
                "{\"programme\":\"p\",\"member\":\"77\",\"currency\":\"b\",\"points\":\"12.50\","
                "\"at\":\"2025-02-03T10:00:00+03:00\"}");
    expect_text(key, "import-balance/p/b/c:C1");
    import_balance_body(&fixture.table, &member, 1, TEXT("77"), &fixture.arena, &body, &key);
    expect_text(key, "import-balance/p/c/c:C1");
    assert_int_equal(member.opened_at, INT64_C(1738566000000));
    assert_int_equal(member.enrolled_at, 0);
    close_table(&fixture);
    member = member_row(&fixture, "card,balance.a,enrolled_at\nC1,1,2025-02-03T10:00:30Z\n", NULL);
    assert_int_equal(member.enrolled_at, INT64_C(1738576830000));
    assert_int_equal(member.opened_at, member.enrolled_at);
    close_table(&fixture);
}

static void
test_members_refused(void **state)
{
    static const struct {
        const char *content, *pointer;
    } cases[] = {
        { "consent\nperhaps\n", "/consent" },
        { "consent\n2\n", "/consent" },
        { "card,enrolled_at\nC,2025\n", "/enrolled_at" },
        { "card,enrolled_at\nC,2026-01-01T00:00:00.001Z\n", "/enrolled_at" },
        { "card,balance_at\nC,2025-13-01 10:00\n", "/balance_at" },
    };
    struct fixture fixture;

    (void)state;
    for (size_t i = 0; i < KOP_COUNT(cases); i++) {
        member_row(&fixture, cases[i].content, cases[i].pointer);
        close_table(&fixture);
    }
    member_row(&fixture, "card,enrolled_at\nC,2026-01-01T00:00:00Z\n", NULL); /* this very moment */
    close_table(&fixture);
}

/* ---- cards ---- */

static void
test_cards(void **state)
{
    struct fixture fixture;
    struct import_card card;

    (void)state;
    open_good(&fixture, IMPORT_CARDS, "state,number,phone,member\nblocked,C1,,\n,C2,+7 9,5\n");
    assert_int_equal(csv_next(fixture.csv), CSV_ROW);
    import_card_read(&fixture.table, &fixture.arena, &card);
    expect_text(import_card_body(&fixture.table, &card, &fixture.arena),
                "{\"programme\":\"p\",\"number\":\"C1\",\"state\":\"blocked\"}");
    assert_int_equal(csv_next(fixture.csv), CSV_ROW);
    import_card_read(&fixture.table, &fixture.arena, &card);
    expect_text(import_card_body(&fixture.table, &card, &fixture.arena),
                "{\"programme\":\"p\",\"number\":\"C2\",\"member\":\"5\"}");
    expect_text(import_find_body(&fixture.table, card.phone, &fixture.arena),
                "{\"programme\":\"p\",\"phone\":\"+7 9\"}");
    close_table(&fixture);
}

/* ---- receipts ---- */

/* All receipts of a table: their bodies, or "!pointer", each on a line. */
static void
expect_receipts(const char *content, const char *wanted)
{
    struct import_receipt receipt = { .arena = NULL };
    char got[4096] = "";
    struct fixture fixture;
    struct arena arena;
    enum csv_result result;
    unix_ms at;

    open_good(&fixture, IMPORT_RECEIPTS, content);
    arena_init(&arena, host_source(), 4096, 1 << 20);
    do {
        result = csv_next(fixture.csv);
        bool goes_on = result == CSV_ROW && import_receipt_goes_on(&fixture.table, &receipt);
        if (!goes_on && receipt.arena) {
            bool bad = receipt.refusal.outcome != OUTCOME_DONE;
            struct text told = bad ? receipt.refusal.pointer
                                   : import_receipt_body(&fixture.table, &receipt, &fixture.arena,
                                                         &at);
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s\n", bad ? "!" : "",
                     (int)told.len, told.ptr);
        }
        if (result == CSV_ROW && !goes_on)
            import_receipt_begin(&fixture.table, &receipt, &arena);
        if (result == CSV_ROW)
            import_receipt_add(&fixture.table, &receipt);
    } while (result != CSV_END);
    assert_string_equal(got, wanted);
    arena_release(&arena);
    close_table(&fixture);
}

#define HEAD                                                                                       \
    "outlet,till,period,number,occurred_at,card,article,quantity,price,discounted,tags,redeem.b\n"
#define KEY(number)                                                                                \
    "{\"programme\":\"p\",\"outlet\":\"1\",\"till\":\"2\",\"period\":\"3\",\"number\":\"" number   \
    "\","

static void
test_receipts(void **state)
{
    (void)state;
    expect_receipts(
        HEAD "1,2,3,4,T,C,a,1,10.00,,,\n"
             "1,2,3,4,,,b,0.5,20,yes,x|y,\n"
             "1,2,3,5,T,,c,1,1,no,,\n",
        KEY("4") "\"occurred_at\":\"T\",\"card\":\"C\",\"lines\":["
                 "{\"article\":\"a\",\"quantity\":\"1\",\"price\":\"10.00\"},"
                 "{\"article\":\"b\",\"quantity\":\"0.5\",\"price\":\"20\",\"tags\":[\"x\",\"y\"],"
                 "\"discounted\":true}]}\n" KEY("5") "\"occurred_at\":\"T\",\"lines\":["
                                                     "{\"article\":\"c\",\"quantity\":\"1\","
                                                     "\"price\":\"1\",\"discounted\":false}]}\n");
    /* The same number at another till, and again later, are receipts of their own. */
    expect_receipts(
        HEAD "1,2,3,4,T,,a,1,1,,,\n1,9,3,4,T,,a,1,1,,,\n1,2,3,4,T,,b,1,1,,,\n",
        KEY("4") "\"occurred_at\":\"T\",\"lines\":[{\"article\":\"a\",\"quantity\":\"1\",\"price\":"
                 "\"1\"}]}\n"
                 "{\"programme\":\"p\",\"outlet\":\"1\",\"till\":\"9\",\"period\":\"3\",\"number\":"
                 "\"4\","
                 "\"occurred_at\":\"T\",\"lines\":[{\"article\":\"a\",\"quantity\":\"1\",\"price\":"
                 "\"1\"}]}\n" KEY("4") "\"occurred_at\":\"T\",\"lines\":[{\"article\":\"b\","
                                       "\"quantity\":\"1\",\"price\":\"1\"}]}\n");
    expect_receipts(HEAD "1,2,3,4,T,C,a,1,1,,,\n1,2,3,4,T,C,b,1,1,,,max\n",
                    KEY("4") "\"occurred_at\":\"T\",\"card\":\"C\",\"lines\":["
                             "{\"article\":\"a\",\"quantity\":\"1\",\"price\":\"1\"},"
                             "{\"article\":\"b\",\"quantity\":\"1\",\"price\":\"1\"}],"
                             "\"redeem\":[{\"currency\":\"b\",\"amount\":\"max\"}]}\n");
}

static void
test_receipts_refused(void **state)
{
    (void)state;
    expect_receipts(HEAD "1,2,3,4,T,C,a,1,1,,,\n1,2,3,4,T,D,b,1,1,,,\n", "!/card\n");
    expect_receipts(HEAD "1,2,3,4,T,C,a,1,1,,,5\n1,2,3,4,,,b,1,1,,,6\n", "!/redeem\n");
    expect_receipts(HEAD "1,2,3,4,T,C,a,1,1,,,\n1,2,3,4,,,b,1,1,?,,\n1,2,3,5,T,,c,1,1,,,\n",
                    "!/lines/1/discounted\n" KEY(
                        "5") "\"occurred_at\":\"T\",\"lines\":"
                             "[{\"article\":\"c\",\"quantity\":\"1\",\"price\":\"1\"}]}\n");
    expect_receipts("outlet,till,period,number,occurred_at,confirmed\n1,2,3,4,T,?\n",
                    "!/confirmed\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_too_many_currencies),
        cmocka_unit_test(test_member_body),
        cmocka_unit_test(test_member_key),
        cmocka_unit_test(test_balances),
        cmocka_unit_test(test_members_refused),
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_receipts),
        cmocka_unit_test(test_receipts_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
