/*
 * random.c - random programmes, receipts and returns for the properties of returns.
 *
 * Owns:      the generators.
 * Must not:  depend on anything but the seed.
 */
#include "random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t
random_next(struct random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * UINT64_C(2685821657736338717);
}

int64_t
random_below(struct random *random, int64_t below)
{
    return (int64_t)((random_next(random) >> 11) % (uint64_t)below);
}

bool
random_one_in(struct random *random, int n)
{
    return random_below(random, n) == 0;
}

#define ONE_OF(random, list) (list)[random_below((random), (int64_t)KOP_COUNT(list))]

/* ---- programmes ---- */

struct writing {
    struct random *random;
    char *at;
    size_t room;
};

static void add(struct writing *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct writing *w, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    int size = vsnprintf(w->at, w->room, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= w->room)
        book_die("the document is too long");
    w->at += size;
    w->room -= (size_t)size;
}

static void
add_currency(struct writing *w, const char *code, int no)
{
    /* A point worth a step of money, many steps, or a part of one. */
    static const char *const units[] = {
        "'scale':2,'worth':'1.00'", "'scale':2,'worth':'1.00'", "'scale':0,'worth':'1.00'",
        "'scale':0,'worth':'0.10'", "'scale':2,'worth':'0.10'", "'scale':1,'worth':'0.30'",
    };
    static const char *const expiries[] = {
        "", "", ",'expiry':{'kind':'period','period':'P30D'}",
        ",'expiry':{'kind':'period-end','period':'P1M','round':'quarter'}",
    };
    static const char *const pendings[] = { "", "", ",'pending':{'period':'P14D'}" };
    static const char *const graces[] = { "", ",'grace_days':10" };

    add(w, "'%s':{'no':%d,'name':{'en':'x'},%s%s%s%s%s}", code, no, ONE_OF(w->random, units),
        ONE_OF(w->random, expiries), ONE_OF(w->random, pendings), ONE_OF(w->random, graces),
        random_one_in(w->random, 8) ? ",'debt':'refuse'" : "");
}

/* Thresholds that receipts of random_receipt() meet or miss. */
static void
add_when(struct writing *w, const char *const *amounts, size_t count)
{
    struct random *random = w->random;

    if (random_one_in(random, 3))
        return;
    if (random_one_in(random, 4)) {
        add(w, ",'when':{'receipt.lines':{'gte':%d}}", (int)random_below(random, 4) + 1);
        return;
    }
    if (random_one_in(random, 6)) {
        add(w, ",'when':{'member.level.level':{'gte':'2'}}");
        return;
    }
    const char *name = amounts[random_below(random, (int64_t)count)];
    add(w, ",'when':{'%s':{'gte':'%d.%02d'}}", name, (int)random_below(random, 400),
        (int)random_below(random, 100));
}

static void
add_lines(struct writing *w)
{
    if (random_one_in(w->random, 2))
        add(w, ",'lines':{'line.category':'%c'}", (int)('a' + random_below(w->random, 3)));
}

static void
add_head(struct writing *w, const char *code, const char *scope)
{
    add(w, "%s{'code':'%s','scope':'%s','priority':%d,'name':{'en':'x'}",
        w->at[-1] == '[' ? "" : ",", code, scope, (int)random_below(w->random, 3));
}

static void
add_percent(struct writing *w)
{
    static const char *const values[] = { "5", "10", "40", "33.333333", "100", "7.5" };

    add(w, "'value':'%s'", ONE_OF(w->random, values));
}

static void
add_discount(struct writing *w, const char *code, bool by_line)
{
    static const char *const amounts[] = { "receipt.base" };
    static const char *const later[] = { "receipt.base", "receipt.after_lines" };
    struct random *random = w->random;
    int kind = (int)random_below(random, by_line ? 3 : 2);

    add_head(w, code, by_line ? "line" : "receipt");
    if (by_line)
        add_when(w, amounts, KOP_COUNT(amounts));
    else
        add_when(w, later, KOP_COUNT(later));
    add_lines(w);
    add(w, ",'discount':{'kind':'%s',", kind == 0   ? "percent"
                                        : kind == 1 ? "amount"
                                                    : "fixed-price");
    if (kind == 0)
        add_percent(w);
    else
        add(w, "'value':'%d.%02d'", (int)random_below(random, 30), (int)random_below(random, 100));
    if (by_line && random_one_in(random, 2))
        add(w, ",'per':'piece'");
    add(w, "}}");
}

static void
add_earning(struct writing *w, const char *code, const char *currency)
{
    static const char *const amounts[] = { "receipt.base", "receipt.net", "receipt.money" };
    static const char *const bases[] = { "money", "money", "net", "gross" };
    static const char *const roundings[] = { "down", "half-up", "up" };
    struct random *random = w->random;
    int kind = (int)random_below(random, 4);

    add_head(w, code, "earn");
    add_when(w, amounts, KOP_COUNT(amounts));
    add_lines(w);
    add(w, ",'earn':{'currency':'%s',", currency);
    if (kind == 0)
        add(w, "'fixed':'%d'", (int)random_below(random, 20) + 1);
    else if (kind == 1)
        add(w, "'per_amount':'%d.00','points':'%d','of':'%s'", (int)random_below(random, 50) + 1,
            (int)random_below(random, 5) + 1, ONE_OF(random, bases));
    else
        add(w, "'percent':'%d','of':'%s','per':'%s','rounding':'%s'",
            (int)random_below(random, 20) + 1, ONE_OF(random, bases),
            random_one_in(random, 3) ? "line" : "receipt", ONE_OF(random, roundings));
    add(w, "}}");
}

static void
add_rules(struct writing *w)
{
    static const char *const codes[] = { "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8" };
    int at = 0;

    add(w, "'rules':[");
    for (int64_t n = random_below(w->random, 3); n > 0; n--)
        add_discount(w, codes[at++], true);
    for (int64_t n = random_below(w->random, 4); n > 0; n--)
        add_discount(w, codes[at++], false);
    for (int64_t n = 1 + random_below(w->random, 3); n > 0; n--)
        add_earning(w, codes[at++], random_one_in(w->random, 3) ? "beta" : "alpha");
    add(w, "],");
}

static void
add_rest(struct writing *w, enum return_policy policy)
{
    static const char *const ops[] = { "max", "sum", "multiply", "first", "min" };
    static const char *const earn_ops[] = { "sum", "sum", "max", "first" };
    static const char *const parts[] = { "100", "100", "50", "30" };
    static const char *const spreadings[] = { "largest-remainder", "largest-remainder",
                                              "floor-first", "last-rest" };
    static const char *const quanta[] = { "0.00", "0.00", "0.00", "0.10", "1.00" };
    static const char *const roundings[] = { "half-up", "half-up", "half-even", "down", "up" };
    struct random *random = w->random;

    add(w, "'combination':{'line':{'op':'%s'},'receipt':{'op':'%s'},'earn':{'op':'%s'}},",
        ONE_OF(random, ops), ONE_OF(random, ops), ONE_OF(random, earn_ops));
    add(w, "'redemption':{'alpha':{'max_percent':'%s'},'beta':{'max_percent':'%s'%s}},",
        ONE_OF(random, parts), ONE_OF(random, parts),
        random_one_in(random, 3) ? ",'lines':{'line.category':'a'}" : "");
    add(w, "'arithmetic':{'rounding':'%s','spreading':'%s','receipt_quantum':'%s'},",
        ONE_OF(random, roundings), ONE_OF(random, spreadings), ONE_OF(random, quanta));
    add(w, "'returns':{'policy':'%s'}}", policy == RETURN_TRACE ? "trace" : "requote");
}

void
random_document(struct random *random, enum return_policy policy, char *document)
{
    struct writing w = { random, document, random_document_max };

    add(&w, "{'format':1,'id':'random','name':{'en':'x'},'timezone':'%s',"
            "'money':{'code':'RUB','scale':2},'currencies':{",
        random_one_in(random, 2) ? "UTC" : "Europe/Moscow");
    add_currency(&w, "alpha", 1);
    add(&w, ",");
    add_currency(&w, "beta", 2);
    add(&w, "},'counters':{'spent':{'no':1,'of':'money','period':'ever'},"
            "'monthly':{'no':2,'of':'gross','period':'month'},"
            "'visits':{'no':3,'of':'count','period':'year'},"
            "'lately':{'no':4,'of':'net','period':{'rolling_days':30}}},"
            "'ladders':{'level':{'no':1,'counter':'spent','downgrade':'%s','levels':["
            "{'code':'1','from':'0'},{'code':'2','from':'300.00'}]}},",
        random_one_in(random, 2) ? "never" : "at-once");
    add_rules(&w);
    add_rest(&w, policy);
}

/* ---- receipts ---- */

static amount
some_money(struct random *random)
{
    static const amount sizes[] = { 100, 1000, 10000, 30000 };

    return 1 + random_below(random, ONE_OF(random, sizes));
}

static int64_t
some_quantity(struct random *random)
{
    if (random_one_in(random, 4))
        return 1 + random_below(random, 4000); /* by weight */
    return 1000 * (1 + random_below(random, 5));
}

void
random_receipt(struct random *random, unix_ms at, struct random_receipt *receipt)
{
    static const struct text categories[] = { TEXT("a"), TEXT("b"), TEXT("c") };
    struct event *event = &receipt->input.event;
    uint32_t bad;

    *receipt = (struct random_receipt){ 0 };
    *event = (struct event){
        .kind = TEXT("purchase"),
        .outlet = TEXT("1"),
        .till = TEXT("1"),
        .number = TEXT("n"),
        .occurred_at = at,
        .line = receipt->line,
        .line_count = 1 + (uint32_t)random_below(random, random_lines_max),
        .redeem = receipt->redeem,
        .payment = receipt->payment,
    };
    for (uint32_t i = 0; i < event->line_count; i++) {
        struct line *line = &receipt->line[i];
        line->category = ONE_OF(random, categories);
        line->article = TEXT("x");
        line->quantity = some_quantity(random);
        line->price = some_money(random) * 10000;
        line->floor = random_one_in(random, 5) ? random_below(random, 500) : 0;
    }
    if (random_one_in(random, 4))
        receipt->payment[event->payment_count++] = (struct payment){
            .kind = PAYMENT_CERTIFICATE, .money = some_money(random)
        };
    if (random_one_in(random, 6))
        receipt->payment[event->payment_count++] = (struct payment){
            .kind = PAYMENT_PURSE, .money = some_money(random)
        };
    bool first = random_one_in(random, 2);
    if (random_below(random, 3) > 0)
        receipt->redeem[event->redeem_count++] = (struct redeem){
            .currency = first ? TEXT("alpha") : TEXT("beta"), .max = true
        };
    if (random_one_in(random, 4))
        receipt->redeem[event->redeem_count++] = (struct redeem){
            .currency = first ? TEXT("beta") : TEXT("alpha"), .max = true
        };
    if (event_normalise(event, 2, &bad) != OUTCOME_DONE)
        book_die("a random receipt is not regular");
}

void
random_member(struct random *random, struct book *book, unix_ms now)
{
    if (book_enrol(book, now - 100 * DAY_MS) != OUTCOME_DONE)
        book_die("a random member cannot be enrolled");
    for (uint8_t currency = 1; currency <= 2; currency++)
        for (int64_t lots = random_below(random, 3); lots > 0; lots--)
            if (book_open_balance(book, currency, 1 + random_below(random, 20000),
                                  now - random_below(random, 29) * DAY_MS, now) != OUTCOME_DONE)
                book_die("a random balance cannot be opened");
    if (random_one_in(random, 3)) {
        struct random_receipt receipt;
        random_receipt(random, now, &receipt);
        receipt.input.event.redeem_count = receipt.input.event.payment_count = 0;
        if (book_buy(book, &receipt.input, now) != OUTCOME_DONE)
            book_die("a plain receipt is refused");
    }
}

/* ---- returns ---- */

static int64_t
some_of(struct random *random, int64_t left)
{
    if (left == 0 || random_one_in(random, 3))
        return 0;
    if (random_one_in(random, 3))
        return left;
    if (left % 1000 == 0 && !random_one_in(random, 5))
        return 1000 * (1 + random_below(random, left / 1000));
    return 1 + random_below(random, left);
}

bool
random_part(struct random *random, const struct event *event, const int64_t *back, int64_t *part)
{
    uint32_t pick = event->line_count;
    bool any = false;

    for (uint32_t i = 0; i < event->line_count; i++) {
        int64_t left = event->line[i].quantity - back[i];
        part[i] = some_of(random, left);
        any |= part[i] > 0;
        if (left > 0)
            pick = i;
    }
    if (!any && pick < event->line_count) {
        part[pick] = 1 + random_below(random, event->line[pick].quantity - back[pick]);
        any = true;
    }
    return any;
}
