/*
 * test_evaluate.c - runs tests/tables/evaluate/: a programme, a receipt, what comes out.
 *
 * Owns:      the tables' language (tests/tables/evaluate/README.md tells it) and nothing else.
 * Must not:  compute: everything expected is written in the tables.
 * Invariant: an amount that a table does not name must be 0, an earning that it does not name must
 *            not be there; a word that the tables' language lacks fails the test.
 */
#include "engine/plan.h"
#include "engine/trace.h"
#include "documents.h"
#include "host.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { words_max = 64, rules_max = 64, expects_max = 64, lines_max = 64, word_cap = 4096 };

#define TABLES "tests/tables/evaluate"

/* One case, as read. */
struct test_case {
    const char *file;
    int number; /* of its first line in the file */
    char name[200], programme[200];
    char rules[16384], combination[1024], redemption[1024], arithmetic[512];
    struct event event;
    struct line line[lines_max];
    struct attribute attribute[lines_max], event_attribute[8];
    struct text tag[lines_max][4];
    struct redeem redeem[8];
    struct payment payment[16];
    struct text code[4], segment[4];
    struct member_view view;
    bool fact, ran;
    uint32_t expect_count;
    char expect[expects_max][400];
    struct arena *arena;
};

static int cases_run;

static _Noreturn void
bad(const struct test_case *c, const char *what, const char *detail)
{
    fail_msg("%s:%d: %s: %s '%s'", c->file, c->number, c->name, what, detail);
    abort();
}

static struct text
keep(struct test_case *c, const char *word)
{
    return text_copy(c->arena, text_of(word));
}

static int64_t
number(const struct test_case *c, const char *word, int scale)
{
    int64_t value = 0;
    if (decimal_parse(text_of(word), scale, &value) != DECIMAL_OK)
        bad(c, "not a decimal of that scale", word);
    return value;
}

static amount
money(const struct test_case *c, const char *word)
{
    return number(c, word, 2);
}

/* ----------------------------------------------------------------------------- the programme */

static const char head[] =
    "{\"format\":1,\"id\":\"table\",\"name\":{\"en\":\"t\"},\"timezone\":\"UTC\","
    "\"money\":{\"code\":\"RUB\",\"scale\":2},"
    "\"currencies\":{"
    "\"bonus\":{\"no\":1,\"name\":{\"en\":\"bonus\"},\"scale\":2,\"worth\":\"1.00\"},"
    "\"star\":{\"no\":2,\"name\":{\"en\":\"star\"},\"scale\":0,\"worth\":\"0\"},"
    "\"dime\":{\"no\":3,\"name\":{\"en\":\"dime\"},\"scale\":0,\"worth\":\"0.10\"}},"
    "\"counters\":{\"turnover\":{\"no\":1,\"of\":\"money\",\"period\":\"ever\"},"
    "\"visits\":{\"no\":2,\"of\":\"count\",\"period\":\"month\"}},"
    "\"ladders\":{\"level\":{\"no\":1,\"counter\":\"turnover\",\"levels\":["
    "{\"code\":\"1\",\"from\":\"0\"},{\"code\":\"2\",\"from\":\"30000.00\"},"
    "{\"code\":\"3\",\"from\":\"60000.00\"}]}},"
    "\"attributes\":{\"line.express\":\"bool\",\"line.weight\":\"number\","
    "\"line.colour\":\"text\",\"event.steps\":\"number\"},";

static int
scale_of(const struct test_case *c, const char *currency)
{
    if (strcmp(currency, "bonus") == 0)
        return 2;
    if (strcmp(currency, "star") != 0 && strcmp(currency, "dime") != 0)
        bad(c, "the tables know no currency", currency);
    return 0;
}

static struct plan *
compile(struct test_case *c)
{
    static char document[32768];
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct err err;

    unsigned char tzif[256];
    struct text zone = { (const char *)tzif, (uint32_t)document_tzif(tzif, sizeof(tzif)) };

    if (c->programme[0] != '\0') { /* a whole document: nothing is added */
        size_t size;
        char *text = document_read(c->programme, &size);
        if (plan_compile(c->arena, (struct text){ text, (uint32_t)size }, zone, 1, &plan, &problems,
                         &err) != OK)
            bad(c, "the programme does not compile", c->programme);
        free(text);
        return plan;
    }
    snprintf(
        document, sizeof(document), "%s\"rules\":[%s]%s%s%s%s%s%s%s%s%s}", head, c->rules,
        c->combination[0] ? ",\"combination\":{" : "", c->combination, c->combination[0] ? "}" : "",
        c->redemption[0] ? ",\"redemption\":{" : "", c->redemption, c->redemption[0] ? "}" : "",
        c->arithmetic[0] ? ",\"arithmetic\":{" : "", c->arithmetic, c->arithmetic[0] ? "}" : "");
    enum code code = plan_compile(c->arena, text_of(document), (struct text){ 0 }, 1, &plan,
                                  &problems, &err);
    if (code == CODE_SYNTAX && problems.count > 0)
        fprintf(stderr, "%.*s: %.*s\n", (int)problems.item[0].pointer.len,
                problems.item[0].pointer.ptr, (int)problems.item[0].sentence.len,
                problems.item[0].sentence.ptr);
    if (code != OK)
        bad(c, "the programme does not compile", document);
    return plan;
}

static void
append(struct test_case *c, char *list, size_t cap, const char *format, ...)
{
    size_t used = strlen(list);
    va_list args;

    va_start(args, format);
    if (used > 0)
        list[used++] = ',';
    if (vsnprintf(list + used, cap - used, format, args) >= (int)(cap - used))
        bad(c, "the case is too long", list);
    va_end(args);
}

/* ---------------------------------------------------------------------------- reading a case */

/* `rest` split at spaces; the words point into a copy in the arena. */
static int
split(struct test_case *c, const char *rest, char **word)
{
    char *copy = text_c_string(c->arena, text_of(rest)), *save;
    int count = 0;

    for (char *at = strtok_r(copy, " \t", &save); at; at = strtok_r(NULL, " \t", &save)) {
        if (count == words_max)
            bad(c, "too many words", rest);
        word[count++] = at;
    }
    return count;
}

static const char *
want(const struct test_case *c, char **word, int count, int at)
{
    if (at >= count)
        bad(c, "a value is missing after", word[at - 1]);
    return word[at];
}

static void
add_own(struct test_case *c, struct line *line, const char *word)
{
    uint32_t index = (uint32_t)(line - c->line);
    struct attribute *own = &c->attribute[index];
    const char *equals = strchr(word, '=');

    own->name = text_copy(c->arena, (struct text){ word, (uint32_t)(equals - word) });
    if (strncmp(word, "express", 7) == 0) {
        own->type = ATTRIBUTE_BOOL;
        own->number = strcmp(equals + 1, "true") == 0;
    } else if (strncmp(word, "weight", 6) == 0) {
        own->type = ATTRIBUTE_NUMBER;
        own->number = number(c, equals + 1, 6);
    } else {
        own->value = keep(c, equals + 1);
    }
    line->attribute = own;
    line->attribute_count = 1;
}

/* line PRICE [x QUANTITY] [gross G] [floor F] [article|category|brand|tag WORD] ... */
static void
read_line(struct test_case *c, const char *rest)
{
    char *word[words_max];
    int count = split(c, rest, word);
    uint32_t index = c->event.line_count++;
    struct line *line = &c->line[index];

    if (index >= lines_max)
        bad(c, "too many lines", rest);
    line->price = number(c, want(c, word, count, 0), price_scale);
    line->quantity = 1000;
    line->tag = c->tag[index];
    for (int i = 1; i < count; i++) {
        if (strcmp(word[i], "x") == 0)
            line->quantity = number(c, want(c, word, count, ++i), quantity_scale);
        else if (strcmp(word[i], "floor") == 0)
            line->floor = money(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "article") == 0)
            line->article = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "category") == 0)
            line->category = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "brand") == 0)
            line->brand = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "tag") == 0)
            line->tag[line->tag_count++] = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "service") == 0)
            line->is_service = true;
        else if (strcmp(word[i], "discounted") == 0)
            line->is_discounted = true;
        else if (strchr(word[i], '='))
            add_own(c, line, word[i]);
        else
            bad(c, "a line has no such word", word[i]);
    }
}

/* member [level L] [bonus|star|dime AVAILABLE] [turnover M] [visits N] [segment S] ... */
static void
read_member(struct test_case *c, const char *rest)
{
    char *word[words_max];
    int count = split(c, rest, word);

    c->view.known = true;
    c->view.segment = c->segment;
    for (int i = 0; i < count; i++) {
        const char *value = want(c, word, count, i + 1);
        if (strcmp(word[i], "level") == 0)
            c->view.level[0] = (uint8_t)number(c, value, 0);
        else if (strcmp(word[i], "bonus") == 0)
            c->view.available[0] = money(c, value);
        else if (strcmp(word[i], "star") == 0)
            c->view.available[1] = number(c, value, 0);
        else if (strcmp(word[i], "dime") == 0)
            c->view.available[2] = number(c, value, 0);
        else if (strcmp(word[i], "turnover") == 0)
            c->view.counter[0] = money(c, value);
        else if (strcmp(word[i], "visits") == 0)
            c->view.counter[1] = number(c, value, 0);
        else if (strcmp(word[i], "segment") == 0)
            c->segment[c->view.segment_count++] = keep(c, value);
        else
            bad(c, "a member has no such word", word[i]);
        i++;
    }
}

/* receipt [kind K] [outlet O] [code C] [tender T] [bin B] [channel C] [at INSTANT] ... */
static void
read_receipt(struct test_case *c, const char *rest)
{
    char *word[words_max];
    int count = split(c, rest, word);
    struct event *event = &c->event;

    for (int i = 0; i < count; i++) {
        if (strcmp(word[i], "confirmed") == 0)
            event->confirmed = true;
        else if (strcmp(word[i], "business") == 0)
            event->for_business = true;
        else if (strcmp(word[i], "fact") == 0)
            c->fact = true;
        else if (strcmp(word[i], "kind") == 0)
            event->kind = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "outlet") == 0)
            event->outlet = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "tender") == 0)
            event->tender = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "bin") == 0)
            event->bin = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "channel") == 0)
            event->channel = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "code") == 0)
            c->code[event->code_count++] = keep(c, want(c, word, count, ++i));
        else if (strcmp(word[i], "at") != 0 ||
                 !instant_parse(text_of(want(c, word, count, ++i)), &event->occurred_at))
            bad(c, "a receipt has no such word", word[i]);
    }
}

static void
read_redeem(struct test_case *c, const char *rest)
{
    char *word[words_max];
    int count = split(c, rest, word);
    struct redeem *redeem = &c->redeem[c->event.redeem_count++];
    const char *points = want(c, word, count, 1);

    redeem->currency = keep(c, word[0]);
    redeem->max = strcmp(points, "max") == 0;
    if (!redeem->max)
        redeem->points = number(c, points, strcmp(word[0], "bonus") == 0 ? 2 : 0);
}

static void
read_pay(struct test_case *c, const char *rest)
{
    char *word[words_max];
    int count = split(c, rest, word);
    struct payment *payment = &c->payment[c->event.payment_count++];

    payment->kind = strcmp(word[0], "purse") == 0 ? PAYMENT_PURSE : PAYMENT_CERTIFICATE;
    if (payment->kind == PAYMENT_CERTIFICATE && strcmp(word[0], "certificate") != 0)
        bad(c, "no such payment", word[0]);
    payment->money = money(c, want(c, word, count, 1));
}

/* rule CODE SCOPE <members of the rule as JSON> */
static void
read_rule(struct test_case *c, const char *rest)
{
    char code[100], scope[20];
    int used = 0;

    if (sscanf(rest, "%99s %19s %n", code, scope, &used) < 2 || used == 0)
        bad(c, "a rule is CODE SCOPE and JSON", rest);
    append(c, c->rules, sizeof(c->rules), "{\"code\":\"%s\",\"scope\":\"%s\",%s}", code, scope,
           rest + used);
}

static void
read_own_event(struct test_case *c, const char *rest)
{
    struct attribute *own = &c->event_attribute[c->event.attribute_count++];

    own->name = TEXT("steps");
    own->type = ATTRIBUTE_NUMBER;
    own->number = number(c, rest, 6);
}

static void
begin(struct test_case *c, const char *name)
{
    struct arena *arena = c->arena;
    const char *file = c->file;
    int at = c->number;

    arena_reset(arena);
    *c = (struct test_case){ .file = file, .number = at, .arena = arena };
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->event = (struct event){
        .kind = TEXT("purchase"),
        .line = c->line,
        .redeem = c->redeem,
        .payment = c->payment,
        .code = c->code,
        .attribute = c->event_attribute,
        .occurred_at = INT64_C(1767700000000), /* 2026-01-06T11:46:40Z, a Tuesday */
    };
}

static void
read_row(struct test_case *c, char *row)
{
    static const struct {
        const char *word;
        void (*read)(struct test_case *c, const char *rest);
    } readers[] = {
        { "rule ", read_rule },       { "line ", read_line },     { "member", read_member },
        { "receipt ", read_receipt }, { "redeem ", read_redeem }, { "pay ", read_pay },
        { "steps ", read_own_event },
    };
    for (size_t i = 0; i < KOP_COUNT(readers); i++) {
        size_t length = strlen(readers[i].word);
        if (strncmp(row, readers[i].word, length) == 0) {
            readers[i].read(c, row + length);
            return;
        }
    }
    if (strncmp(row, "programme ", 10) == 0)
        snprintf(c->programme, sizeof(c->programme), "%s", row + 10);
    else if (strncmp(row, "combine ", 8) == 0)
        append(c, c->combination, sizeof(c->combination), "%s", row + 8);
    else if (strncmp(row, "redemption ", 11) == 0)
        append(c, c->redemption, sizeof(c->redemption), "%s", row + 11);
    else if (strncmp(row, "arithmetic ", 11) == 0)
        append(c, c->arithmetic, sizeof(c->arithmetic), "%s", row + 11);
    else
        bad(c, "no such row", row);
}

/* ------------------------------------------------------------------------- what is expected */

static void
check_amount(const struct test_case *c, const char *what, amount is, amount wanted)
{
    char text[200];

    if (is == wanted)
        return;
    snprintf(text, sizeof(text), "%lld instead of %lld", (long long)is, (long long)wanted);
    bad(c, what, text);
}

/* [discount D] [rounding R] [certificate C] [points P] [purse U] [money M]; what is absent is 0. */
static void
check_parts(const struct test_case *c, char **word, int count, int from,
            const struct line_result *is)
{
    struct line_result wanted = { 0 };

    for (int i = from; i < count; i += 2) {
        amount value = money(c, want(c, word, count, i + 1));
        if (strcmp(word[i], "gross") == 0)
            continue;
        if (strcmp(word[i], "discount") == 0)
            wanted.discount = value;
        else if (strcmp(word[i], "rounding") == 0)
            wanted.rounding = value;
        else if (strcmp(word[i], "certificate") == 0)
            wanted.certificate = value;
        else if (strcmp(word[i], "points") == 0)
            wanted.points = value;
        else if (strcmp(word[i], "purse") == 0)
            wanted.purse = value;
        else if (strcmp(word[i], "money") == 0)
            wanted.money = value;
        else
            bad(c, "no such part", word[i]);
    }
    check_amount(c, "discount", is->discount, wanted.discount);
    check_amount(c, "rounding", is->rounding, wanted.rounding);
    check_amount(c, "certificate", is->certificate, wanted.certificate);
    check_amount(c, "points", is->points, wanted.points);
    check_amount(c, "purse", is->purse, wanted.purse);
    check_amount(c, "money", is->money, wanted.money);
}

static int32_t
rule_of(const struct test_case *c, const struct plan *plan, const char *code)
{
    int32_t rule = plan_rule_by_code(plan, text_of(code));
    if (rule == rule_none && strcmp(code, "receipt") != 0)
        bad(c, "no such rule", code);
    return rule;
}

static bool
currency_is(const struct test_case *c, const struct plan *plan, uint8_t no, const char *word)
{
    const struct currency_terms *currency = terms_currency_by_code(&plan->terms, text_of(word));
    if (currency == NULL)
        bad(c, "no such currency", word);
    return currency->no == no;
}

/*
 * trace fired RULE AMOUNT [line N] | displaced RULE AMOUNT by RULE | capped RULE FROM to AMOUNT |
 *       rounded RULE AMOUNT | spread RULE AMOUNT over N | failed RULE [line N] |
 *       limit CURRENCY AMOUNT
 */
static bool
trace_matches(struct test_case *c, const struct plan *plan, char **word, int count,
              const struct trace_item *item)
{
    static const char *const names[] = { "fired",  "displaced", "failed", "rounded",
                                         "spread", "capped",    "limit" };
    const char *kind = want(c, word, count, 1), *who = want(c, word, count, 2);

    if (strcmp(names[item->kind], kind) != 0)
        return false;
    if (item->kind == TRACE_LIMIT)
        return currency_is(c, plan, item->currency, who) &&
               item->result == number(c, want(c, word, count, 3), scale_of(c, who));
    if (item->rule != rule_of(c, plan, who))
        return false;
    if (item->kind == TRACE_FAILED)
        return count < 5 || item->line == number(c, word[4], 0);
    int scale = 2;
    if (item->currency != 0)
        scale = plan->terms.currency[item->currency - 1].scale;
    if (item->kind == TRACE_CAPPED)
        return item->base == number(c, want(c, word, count, 3), scale) &&
               item->result == number(c, want(c, word, count, 5), scale);
    if (item->result != number(c, want(c, word, count, 3), scale))
        return false;
    if (item->kind == TRACE_DISPLACED)
        return item->other == rule_of(c, plan, want(c, word, count, 5));
    if (item->kind == TRACE_SPREAD)
        return item->count == number(c, want(c, word, count, 5), 0);
    return count < 6 || item->line == number(c, word[5], 0);
}

static void
check_trace(struct test_case *c, const struct plan *plan, char **word, int count,
            const struct decision *decision, const char *row)
{
    bool is_absent = strcmp(word[0], "no-trace") == 0, found = false;

    for (uint32_t i = 0; i < decision->trace_count && !found; i++)
        found = trace_matches(c, plan, word, count, &decision->trace[i]);
    if (found == is_absent)
        bad(c, is_absent ? "the trace has" : "the trace lacks", row);
}

/* OUTCOME [limit SMALLEST-STEPS] [in CURRENCY] [at POINTER] */
static void
check_outcome(const struct test_case *c, const struct plan *plan, char **word, int count,
              const struct decision *decision)
{
    if (strcmp(outcome_name(decision->outcome), word[0]) != 0)
        bad(c, "the outcome is", outcome_name(decision->outcome));
    for (int i = 1; i < count; i += 2) {
        if (strcmp(word[i], "limit") == 0) {
            check_amount(c, "limit", decision->limit, number(c, want(c, word, count, i + 1), 0));
        } else if (strcmp(word[i], "in") == 0) {
            if (!currency_is(c, plan, decision->limit_currency, want(c, word, count, i + 1)))
                bad(c, "the limit does not count", word[i + 1]);
        } else if (strcmp(word[i], "at") != 0) {
            bad(c, "an outcome has no such word", word[i]);
        } else if (!text_equal(decision->culprit, text_of(want(c, word, count, i + 1)))) {
            bad(c, "the culprit is", text_c_string(c->arena, decision->culprit));
        }
    }
}

static void
check_row(struct test_case *c, const struct plan *plan, const char *row,
          const struct decision *decision, uint32_t *earnings)
{
    char *word[words_max];
    int count = split(c, row, word);

    if (strcmp(word[0], "line") == 0) {
        int64_t line = number(c, want(c, word, count, 1), 0);
        if (line >= decision->line_count)
            bad(c, "no such line", word[1]);
        check_parts(c, word, count, 2, &decision->line[line]);
    } else if (strcmp(word[0], "total") == 0) {
        check_parts(c, word, count, 1, &decision->total);
    } else if (strcmp(word[0], "earn") == 0) {
        const char *code = want(c, word, count, 1);
        if (*earnings >= decision->earning_count)
            bad(c, "there is no such earning", row);
        const struct earning *earning = &decision->earning[(*earnings)++];
        if (earning->rule != rule_of(c, plan, code))
            bad(c, "another rule earned first than", code);
        int scale = plan->terms.currency[earning->currency - 1].scale;
        check_amount(c, "earned", earning->points, number(c, want(c, word, count, 2), scale));
    } else if (strcmp(word[0], "share") == 0) { /* share RULE LINE POINTS */
        amount sum = 0;
        int scale = 0;
        for (uint32_t i = 0; i < decision->effect_count; i++) {
            const struct effect *effect = &decision->effect[i];
            if (effect->kind != EFFECT_EARN || effect->line != number(c, word[2], 0) ||
                effect->rule != rule_of(c, plan, word[1]))
                continue;
            sum += effect->points;
            scale = plan->terms.currency[effect->currency - 1].scale;
        }
        check_amount(c, row, sum, number(c, want(c, word, count, 3), scale));
    } else if (strcmp(word[0], "redeemed") == 0) {
        const struct redemption *paid = &decision->redemption[0];
        if (decision->redemption_count != 1 || !currency_is(c, plan, paid->currency, word[1]))
            bad(c, "not what was redeemed", row);
        check_amount(c, row, paid->points, number(c, word[2], scale_of(c, word[1])));
    } else if (strcmp(word[0], "counter") == 0) {
        int index = strcmp(word[1], "visits") == 0;
        check_amount(c, row, decision->counter_add[index], number(c, word[2], index ? 0 : 2));
    } else if (strcmp(word[0], "trace") == 0 || strcmp(word[0], "no-trace") == 0) {
        check_trace(c, plan, word, count, decision, row);
    } else {
        bad(c, "nothing of the kind can be expected", row);
    }
}

static void
run(struct test_case *c)
{
    struct decision decision;
    struct err err;
    char *word[words_max];
    uint32_t bad_line, earnings = 0;
    struct plan *plan = compile(c);

    if (event_normalise(&c->event, 2, &bad_line) != OUTCOME_DONE)
        bad(c, "the receipt is wrong", "");
    enum code code = engine_evaluate(plan, &c->event, &c->view,
                                     c->fact ? EVALUATE_FACT : EVALUATE_ORDINARY, TRACE_DEFAULT,
                                     c->arena, &decision, &err);
    if (code != OK && code != CODE_RANGE)
        bad(c, "evaluation fails", err.text);
    int count = split(c, c->expect[0], word);
    check_outcome(c, plan, word, count, &decision);
    for (uint32_t i = 1; i < c->expect_count; i++)
        check_row(c, plan, c->expect[i], &decision, &earnings);
    if (earnings < decision.earning_count && code == OK)
        bad(c, "an earning that is not expected, of",
            text_c_string(c->arena, plan_rule_code(plan, decision.earning[earnings].rule)));
    cases_run++;
}

static void
finish(struct test_case *c)
{
    if (c->name[0] == '\0')
        return;
    if (c->expect_count == 0)
        bad(c, "nothing is expected of", c->name);
    run(c);
}

/* A case begins with "case", its rows follow, "=> OUTCOME" and below it what is expected. */
static void
run_file(const char *path, struct test_case *c)
{
    char row[word_cap];
    int at = 0, started = cases_run;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    c->file = path;
    c->name[0] = '\0';
    while (fgets(row, sizeof(row), file)) {
        row[strcspn(row, "\n")] = '\0';
        at++;
        char *text = row + strspn(row, " ");
        if (*text == '\0' || *text == '#')
            continue;
        if (strncmp(text, "case ", 5) == 0) {
            finish(c);
            c->number = at;
            begin(c, text + 5);
        } else if (strncmp(text, "=> ", 3) == 0 || c->expect_count > 0) {
            if (c->expect_count == expects_max)
                bad(c, "too much is expected", text);
            snprintf(c->expect[c->expect_count++], sizeof(c->expect[0]), "%s",
                     strncmp(text, "=> ", 3) == 0 ? text + 3 : text);
        } else {
            read_row(c, text);
        }
    }
    finish(c);
    fclose(file);
    printf("%s: %d cases\n", path, cases_run - started);
    assert_true(cases_run > started);
}

static void
run_table(void **state)
{
    static struct test_case c;
    static char path[256];
    struct arena arena;

    arena_init(&arena, host_source(), 1 << 20, 1 << 26);
    c.arena = &arena;
    snprintf(path, sizeof(path), "%s/%s.txt", TABLES, (const char *)*state);
    run_file(path, &c);
    arena_release(&arena);
}

#define TABLE(name)                                                                                \
    {                                                                                              \
        name, run_table, NULL, NULL, (void *)(uintptr_t)(name)                                     \
    }

static const struct CMUnitTest tables[] = {
    TABLE("discount"), TABLE("tree"), TABLE("threshold"),
    TABLE("redeem"),   TABLE("earn"), TABLE("awn"),
};

/* Every file of the folder is run. */
static void
test_all_are_listed(void **state)
{
    struct dirent **entry;
    int files = 0;
    int count = scandir(TABLES, &entry, NULL, alphasort);

    (void)state;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entry[i]->d_name, '.');
        files += dot && strcmp(dot, ".txt") == 0;
        free(entry[i]);
    }
    free(entry);
    assert_int_equal(files, (int)KOP_COUNT(tables));
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_are_listed) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + cmocka_run_group_tests(tables, NULL, NULL);
}
