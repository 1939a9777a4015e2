/*
 * test_return.c - runs tests/tables/returns/: what happens to one member, and what comes of it.
 *
 * Owns:      the tables' language (tests/tables/returns/README.md tells it) and nothing else.
 * Must not:  compute: everything expected is written in the tables.
 * Invariant: an amount that a line about a return does not name must be 0; a word that the
 *            language lacks fails the test.
 */
#include "book.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../host.h"

enum { words_max = 48, lines_max = 16, names_max = 32, text_max = 8192, line_max = 1024 };

#define TABLES "tests/tables/returns"

struct name {
    char text[32];
    uint64_t op;
};

/* The deed that waits for its `=>`. */
struct deed {
    char kind[16]; /* "": none */
    char name[32];
    struct purchase_input input;
    struct line line[lines_max];
    struct redeem redeem[4];
    struct payment payment[4];
    struct returned_line returned[lines_max];
    uint32_t returned_count;
};

static struct {
    const char *file;
    int number; /* of the line */
    char name[line_max];
    char rules[text_max], bonus[text_max], dime[text_max], combine[text_max], redemption[text_max],
        arithmetic[text_max], returns[128];
    bool began; /* the member is there */
    struct book book;
    struct arena arena;
    unix_ms now;
    struct name names[names_max];
    uint32_t name_count;
    struct deed deed;
    char *word[words_max];
    uint32_t words;
} c;

static int cases_run;

static _Noreturn void
bad(const char *what, const char *detail)
{
    fail_msg("%s:%d: %s: %s '%s'", c.file, c.number, c.name, what, detail);
    abort();
}

static void
same(const char *what, int64_t is, int64_t wanted)
{
    if (is != wanted)
        fail_msg("%s:%d: %s: %s is %lld, not %lld", c.file, c.number, c.name, what, (long long)is,
                 (long long)wanted);
}

/* ---- words ---- */

static const char *
word(uint32_t at)
{
    if (at >= c.words)
        bad("a word is missing after", c.words ? c.word[c.words - 1] : "");
    return c.word[at];
}

static bool
is(uint32_t at, const char *wanted)
{
    return at < c.words && strcmp(c.word[at], wanted) == 0;
}

static int64_t
number(const char *text, int scale)
{
    int64_t value = 0;
    bool minus = text[0] == '-';

    if (decimal_parse(text_of(text + minus), scale, &value) != DECIMAL_OK)
        bad("not a decimal of that scale", text);
    return minus ? -value : value;
}

static uint8_t
currency_of(const char *code)
{
    if (strcmp(code, "bonus") == 0)
        return 1;
    if (strcmp(code, "star") == 0)
        return 2;
    if (strcmp(code, "dime") != 0)
        bad("no such currency", code);
    return 3;
}

static amount
points(const char *currency, const char *text)
{
    return number(text, currency_of(currency) == 1 ? 2 : 0);
}

static unix_ms
instant(const char *text)
{
    int year, month, day, hour = 12, minute = 0;

    if (sscanf(text, "%d-%d-%dT%d:%d", &year, &month, &day, &hour, &minute) < 3)
        bad("not an instant", text);
    return day_of(year, month, day) + hour * HOUR_MS + minute * 60000;
}

static uint64_t
op_of(const char *name)
{
    for (uint32_t i = c.name_count; i-- > 0;)
        if (strcmp(c.names[i].text, name) == 0)
            return c.names[i].op;
    bad("nothing has the name", name);
}

static void
remember(const char *name)
{
    if (c.name_count == names_max)
        bad("too many names", name);
    struct name *made = &c.names[c.name_count++];
    snprintf(made->text, sizeof(made->text), "%s", name);
    made->op = c.book.last_op;
}

static void
append(char *list, const char *format, ...)
{
    size_t size = strlen(list);
    va_list arguments;

    va_start(arguments, format);
    int added = vsnprintf(list + size, text_max - size, format, arguments);
    va_end(arguments);
    if (added < 0 || size + (size_t)added >= text_max)
        bad("too long", list);
}

/* ---- the programme and the member ---- */

static void
begin(void)
{
    char document[8 * text_max];

    if (c.began)
        return;
    c.began = true;
    snprintf(document, sizeof(document),
             "{'format':1,'id':'table','name':{'en':'t'},'timezone':'UTC',"
             "'money':{'code':'RUB','scale':2},'currencies':{"
             "'bonus':{'no':1,'name':{'en':'b'},'scale':2,'worth':'1.00'%s%s},"
             "'star':{'no':2,'name':{'en':'s'},'scale':0,'worth':'0'},"
             "'dime':{'no':3,'name':{'en':'d'},'scale':0,'worth':'0.10'%s%s}},"
             "'counters':{'turnover':{'no':1,'of':'money','period':'ever'},"
             "'visits':{'no':2,'of':'count','period':'month'}},"
             "'ladders':{'level':{'no':1,'counter':'turnover','downgrade':'at-once','levels':["
             "{'code':'1','from':'0'},{'code':'2','from':'1000.00'}]}},"
             "'rules':[%s],'combination':{%s},'redemption':{%s},'arithmetic':{%s},"
             "'returns':{%s}}",
             c.bonus[0] ? "," : "", c.bonus, c.dime[0] ? "," : "", c.dime, c.rules, c.combine,
             c.redemption[0] ? c.redemption : "'bonus':{},'dime':{}", c.arithmetic,
             c.returns[0] ? c.returns : "'policy':'requote'");
    book_clear(&c.book, book_compile(&c.arena, document, 1));
    c.book.twice = true;
    if (book_enrol(&c.book, c.now - DAY_MS) != OUTCOME_DONE)
        bad("the member cannot be enrolled", "");
}

static void
end_case(void)
{
    if (c.deed.kind[0])
        bad("nothing is said of the deed", c.deed.kind);
    if (c.name[0])
        cases_run++;
    arena_reset(&c.arena);
    c.rules[0] = c.bonus[0] = c.dime[0] = c.combine[0] = c.redemption[0] = 0;
    c.arithmetic[0] = c.returns[0] = 0;
    c.began = false;
    c.now = instant("2026-01-06");
    c.name_count = 0;
}

static bool
read_programme(const char *rest)
{
    static const struct {
        const char *name;
        char *list;
    } lists[] = { { "bonus", c.bonus },
                  { "dime", c.dime },
                  { "combine", c.combine },
                  { "redemption", c.redemption },
                  { "arithmetic", c.arithmetic } };

    if (is(0, "rule")) {
        const char *members = strstr(rest, c.word[2]) + strlen(c.word[2]);
        append(c.rules, "%s{\"code\":\"%s\",\"scope\":\"%s\",\"name\":{\"en\":\"x\"},%s}",
               c.rules[0] ? "," : "", word(1), word(2), members);
        return true;
    }
    if (is(0, "returns")) {
        snprintf(c.returns, sizeof(c.returns), "\"policy\":\"%s\",\"days\":%s", word(1),
                 is(2, "days") ? word(3) : "0");
        return true;
    }
    for (size_t i = 0; i < KOP_COUNT(lists); i++)
        if (is(0, lists[i].name)) {
            append(lists[i].list, "%s%s", lists[i].list[0] ? "," : "", rest);
            return true;
        }
    return false;
}

/* ---- deeds ---- */

static void
start(const char *kind, const char *name)
{
    begin();
    if (c.deed.kind[0])
        bad("nothing is said of the deed", c.deed.kind);
    c.deed = (struct deed){ 0 };
    snprintf(c.deed.kind, sizeof(c.deed.kind), "%s", kind);
    snprintf(c.deed.name, sizeof(c.deed.name), "%s", name);
    c.deed.input.event = (struct event){
        .kind = TEXT("purchase"),
        .outlet = TEXT("1"),
        .till = TEXT("1"),
        .number = TEXT("1"),
        .occurred_at = c.now,
        .line = c.deed.line,
        .redeem = c.deed.redeem,
        .payment = c.deed.payment,
    };
}

static struct text
lasting(const char *text)
{
    return text_copy(&c.arena, text_of(text));
}

static void
read_line(void)
{
    struct line *line = &c.deed.line[c.deed.input.event.line_count++];

    line->price = number(word(1), 6);
    line->quantity = 1000;
    for (uint32_t i = 2; i < c.words; i += 2) {
        if (is(i, "x"))
            line->quantity = number(word(i + 1), 3);
        else if (is(i, "category"))
            line->category = lasting(word(i + 1));
        else if (is(i, "floor"))
            line->floor = number(word(i + 1), 2);
        else
            bad("a line has no", c.word[i]);
    }
}

static bool
read_receipt(void)
{
    struct event *event = &c.deed.input.event;

    if (is(0, "line")) {
        read_line();
    } else if (is(0, "redeem")) {
        struct redeem *redeem = &c.deed.redeem[event->redeem_count++];
        redeem->currency = lasting(word(1));
        redeem->max = is(2, "max");
        if (!redeem->max)
            redeem->points = points(word(1), word(2));
    } else if (is(0, "pay")) {
        struct payment *payment = &c.deed.payment[event->payment_count++];
        payment->kind = is(1, "purse") ? PAYMENT_PURSE : PAYMENT_CERTIFICATE;
        payment->money = number(word(2), 2);
    } else if (is(0, "fact")) {
        c.deed.input.mode = PURCHASE_FACT;
    } else {
        return false;
    }
    return true;
}

static void
read_returned(void)
{
    for (uint32_t i = 2; i < c.words && !is(i, "all"); i++) {
        char *colon = strchr(c.word[i], ':');
        if (!colon)
            bad("not LINE:QUANTITY", c.word[i]);
        *colon = 0;
        c.deed.returned[c.deed.returned_count++] = (struct returned_line){
            (uint32_t)number(c.word[i], 0) - 1, number(colon + 1, 3)
        };
    }
}

static bool
read_deed(void)
{
    if (is(0, "buy") || is(0, "reserve")) {
        start(word(0), word(1));
        if (is(0, "reserve"))
            c.deed.input.mode = PURCHASE_RESERVE;
    } else if (is(0, "commit")) {
        start("buy", word(3));
        c.deed.input.reserve = op_of(word(1));
    } else if (is(0, "cancel") || is(0, "return")) {
        start(word(0), word(1));
        read_returned();
    } else if (is(0, "settle")) {
        start("settle", "");
    } else if (is(0, "opening")) {
        start("opening", "");
        unix_ms since = is(3, "since") ? instant(word(4)) : c.now;
        if (book_open_balance(&c.book, currency_of(word(1)), points(word(1), word(2)), since,
                              c.now) != OUTCOME_DONE)
            bad("a balance cannot be opened", word(2));
        c.deed.kind[0] = 0;
    } else {
        return false;
    }
    return true;
}

static enum outcome
run_deed(void)
{
    struct deed *deed = &c.deed;
    uint32_t bad_line = 0;

    if (strcmp(deed->kind, "cancel") == 0)
        return book_cancel(&c.book, op_of(deed->name), c.now);
    if (strcmp(deed->kind, "settle") == 0)
        return book_settle(&c.book, c.now);
    if (strcmp(deed->kind, "return") == 0)
        return book_return(&c.book, op_of(deed->name), deed->returned, deed->returned_count, c.now);
    if (event_normalise(&deed->input.event, 2, &bad_line) != OUTCOME_DONE)
        bad("a line is not regular", deed->name);
    enum outcome outcome = book_buy(&c.book, &deed->input, c.now);
    if (outcome == OUTCOME_DONE)
        remember(deed->name);
    return outcome;
}

/* ---- figures ---- */

static amount
sum_of(const struct redemption *list, uint32_t count, uint8_t currency)
{
    amount sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += list[i].currency == currency ? list[i].points : 0;
    return sum;
}

/* What is said of a return: by kind of figure and currency. */
struct told {
    amount refund, certificate, purse, shortfall;
    amount restored[4], revoked[4], debt[4];
};

static void
read_told(struct told *told)
{
    for (uint32_t i = 2; i < c.words;) {
        amount *plain = is(i, "refund")        ? &told->refund
                        : is(i, "certificate") ? &told->certificate
                        : is(i, "purse")       ? &told->purse
                        : is(i, "shortfall")   ? &told->shortfall
                                               : NULL;
        amount *by_currency = is(i, "restored")  ? told->restored
                              : is(i, "revoked") ? told->revoked
                              : is(i, "debt")    ? told->debt
                                                 : NULL;
        if (plain) {
            *plain = number(word(i + 1), 2);
            i += 2;
        } else if (by_currency) {
            by_currency[currency_of(word(i + 1))] = points(word(i + 1), word(i + 2));
            i += 3;
        } else {
            bad("a return has no", c.word[i]);
        }
    }
}

static void
check_return(void)
{
    const struct return_result *result = &c.book.step.record->result;
    struct told told = { 0 };

    read_told(&told);
    same("refund", result->refund, told.refund);
    same("certificate", result->certificate, told.certificate);
    same("purse", result->purse, told.purse);
    same("shortfall", result->shortfall, told.shortfall);
    for (uint8_t currency = 1; currency <= 3; currency++) {
        amount debt = 0;
        for (uint32_t i = 0; i < result->revoked_count; i++)
            debt += result->revoked[i].currency == currency ? result->debt[i] : 0;
        same("restored", sum_of(result->restored, result->restored_count, currency),
             told.restored[currency]);
        same("revoked", sum_of(result->revoked, result->revoked_count, currency),
             told.revoked[currency]);
        same("debt", debt, told.debt[currency]);
    }
}

static void
check_purchase(void)
{
    const struct record *record = c.book.step.record;

    for (uint32_t i = 2; i < c.words; i += 2) {
        if (is(i, "money")) {
            same("money", record->decision.total.money, number(word(i + 1), 2));
        } else if (is(i, "points")) {
            same("points", record->decision.total.points, number(word(i + 1), 2));
        } else if (is(i, "uncovered")) {
            same("uncovered", record->uncovered, number(word(i + 1), 2));
        } else if (is(i, "earned")) {
            amount sum = 0;
            for (uint32_t e = 0; e < record->decision.earning_count; e++)
                if (record->decision.earning[e].currency == currency_of(word(i + 1)))
                    sum += record->decision.earning[e].points;
            same("earned", sum, points(word(i + 1), word(i + 2)));
            i++;
        } else {
            bad("a purchase has no", c.word[i]);
        }
    }
}

static void
check_deed(void)
{
    if (!c.deed.kind[0])
        bad("no deed before", "=>");
    enum outcome outcome = run_deed();
    if (strcmp(outcome_name(outcome), word(1)) != 0)
        bad("the outcome is", outcome_name(outcome));
    if (outcome == OUTCOME_DONE && strcmp(c.deed.kind, "return") == 0)
        check_return();
    else if (outcome == OUTCOME_DONE && strcmp(c.deed.kind, "buy") == 0)
        check_purchase();
    book_audit(&c.book);
    c.deed.kind[0] = 0;
}

static void
check_balance(void)
{
    static const struct {
        const char *name;
        enum account account;
    } accounts[] = { { "active", ACCOUNT_ACTIVE },
                     { "pending", ACCOUNT_PENDING },
                     { "held", ACCOUNT_HELD },
                     { "debt", ACCOUNT_DEBT } };
    uint32_t found = 0;

    for (size_t a = 0; a < KOP_COUNT(accounts); a++) {
        amount wanted = 0;
        for (uint32_t i = 2; i < c.words; i += 2)
            if (is(i, accounts[a].name)) {
                wanted = points(word(1), word(i + 1));
                found += 2;
            }
        amount balance = book_balance(&c.book, currency_of(word(1)), accounts[a].account);
        same(accounts[a].name, accounts[a].account == ACCOUNT_DEBT ? -balance : balance, wanted);
    }
    if (found + 2 != c.words)
        bad("a balance has no", c.word[c.words - 1]);
}

static void
check_lots(void)
{
    char wanted[text_max] = "", found[text_max] = "";
    uint8_t currency = currency_of(word(1));
    struct owner owner;

    book_load(&c.book, &c.book.arena, &owner);
    for (uint32_t i = 2; i < c.words; i++)
        append(wanted, " %s", c.word[i]);
    for (uint32_t i = 0; i < owner.lot_count; i++) {
        const struct lot *lot = &owner.lot[i];
        struct date last = date_of_day(zone_day(NULL, lot->expires_at - 1));
        if (lot->currency != currency)
            continue;
        append(found, currency == 1 ? " %lld.%02lld@" : " %lld@",
               (long long)(currency == 1 ? lot->left / 100 : lot->left),
               (long long)(lot->left % 100));
        if (lot->expires_at == TIME_NONE)
            append(found, "never");
        else
            append(found, "%04d-%02d-%02d", (int)last.year, last.month, last.day);
        append(found, "%s%s", lot->graced ? "!" : "", lot->pending ? "?" : "");
    }
    if (strcmp(wanted, found) != 0)
        fail_msg("%s:%d: %s: the lots are%s, not%s", c.file, c.number, c.name, found, wanted);
}

static bool
check(void)
{
    struct owner owner;

    if (is(0, "=>")) {
        check_deed();
    } else if (is(0, "balance")) {
        check_balance();
    } else if (is(0, "lots")) {
        check_lots();
    } else if (is(0, "counter")) {
        bool is_turnover = is(1, "turnover");
        same(word(1), book_counter(&c.book, is_turnover ? 1 : 2, c.now),
             number(word(2), is_turnover ? 2 : 0));
    } else if (is(0, "level")) {
        book_load(&c.book, &c.book.arena, &owner);
        same("level", ledger_level_of(&owner, 1), number(word(1), 0));
    } else {
        return false;
    }
    return true;
}

/* ---- files ---- */

static void
read_row(char *row)
{
    char split[line_max];

    row[strcspn(row, "\r\n")] = 0;
    if (row[0] == 0 || row[0] == '#')
        return;
    snprintf(split, sizeof(split), "%s", row);
    c.words = 0;
    for (char *at = split + strspn(split, " "); *at; at += strspn(at, " ")) {
        if (c.words == words_max)
            bad("too many words", row);
        c.word[c.words++] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = 0;
    }
    if (c.words == 0)
        return;
    if (is(0, "case")) {
        end_case();
        snprintf(c.name, sizeof(c.name), "%s", row + 5);
        return;
    }
    if (is(0, "on")) {
        c.now = instant(word(1));
        return;
    }
    const char *rest = strchr(row, ' ') ? strchr(row, ' ') + 1 : "";
    if (!c.began && read_programme(rest))
        return;
    if (!(c.deed.kind[0] && read_receipt()) && !check() && !read_deed())
        bad("the language has no", c.word[0]);
}

static void
run_file(const char *path)
{
    char row[line_max];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    c.file = path;
    c.number = 0;
    c.name[0] = 0;
    end_case();
    while (fgets(row, sizeof(row), file)) {
        c.number++;
        read_row(row);
    }
    end_case();
    fclose(file);
}

static void
tables(void **state)
{
    struct dirent **entries;
    int count = scandir(TABLES, &entries, NULL, alphasort);

    (void)state;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char path[512];
        size_t size = strlen(entries[i]->d_name);
        if (size > 4 && strcmp(entries[i]->d_name + size - 4, ".txt") == 0) {
            snprintf(path, sizeof(path), "%s/%s", TABLES, entries[i]->d_name);
            run_file(path);
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(cases_run > 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
    };

    arena_init(&c.arena, host_source(), 1 << 16, 64 << 20);
    book_init(&c.book, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    book_free(&c.book);
    arena_release(&c.arena);
    return failed;
}
