/*
 * replay_uci.c - one year of a UK online shop: purchases, points, levels, and cancellations as
 * returns.
 *
 * Owns:      grouping lines into invoices, matching a cancelled line to an earlier invoice.
 * Why:       cancellations do not name what they cancel. A line is matched whole to one earlier
 *            invoice of the
 *            same customer and article: at the same price if there is one, the latest first, else
 * at any price.
 *            It is returned at the purchase's price; what finds no purchase is refused and listed.
 * Check:     sold + accepted returns + refused lines = the net of all lines of the file.
 * Tests:     tests/stories/
 */
#include "cli/replay.h"

#include "base/decimal.h"
#include "base/json_tree.h"
#include "base/json_write.h"
#include "base/map.h"
#include "base/sort.h"
#include "service/csv.h"

#include <stdlib.h>
#include <string.h>

enum {
    lines_max = 600000,
    invoices_max = 60000,
    customers_max = 10000,
    price_digits = 3,
    window = 128
};

struct uci_line {
    uint32_t invoice;
    uint32_t number; /* in the file's own counting */
    struct text article, price_text;
    int64_t quantity, price; /* whole pieces; thousandths of a pound */
    int64_t left;            /* of a sold line: not yet returned */
    uint32_t place;          /* of a sold line: its number on our receipt, from 1 */
};

struct uci_invoice {
    struct text number, customer, at;
    unix_ms now;
    char kind;
    uint32_t first, count; /* lines in file order; all of one invoice are gathered */
    uint32_t customer_index;
    bool sold; /* sent as a purchase */
};

struct uci {
    struct book *book;
    struct arena arena;
    struct pump *pump;
    struct progress progress;
    struct map invoices, customers;
    struct uci_line *line;
    struct uci_invoice *invoice;
    struct text *customer;
    uint32_t line_count, invoice_count, customer_count;
    FILE *refused;
    int64_t net, sold, returned, refused_sum; /* thousandths; signs as in the file */
    uint64_t purchases_known, points, answered, failed;
    uint64_t cancelled, matched, matched_same_price, returns_done, returns_refused;
    uint64_t level[8];
};

/* ---- reading ---- */

static bool
read_time(struct text written, struct arena *arena, struct text *at, unix_ms *now)
{
    struct buf out;

    if (written.len < 16)
        return false;
    buf_init(&out, arena, 32);
    buf_add(&out, written.ptr, 10);
    buf_add_char(&out, 'T');
    buf_add(&out, written.ptr + 11, written.len - 11);
    buf_add_text(&out, TEXT("Z")); /* the shop's own clock: only order matters */
    *at = buf_text(&out);
    return instant_parse(*at, now);
}

static bool
find_invoice(struct uci *uci, const struct csv *csv, const int *column, uint32_t *index)
{
    struct text number = csv_field(csv, column[0]);
    struct uci_invoice *invoice;

    if (map_get(&uci->invoices, number, index))
        return true;
    if (uci->invoice_count == invoices_max)
        return false;
    *index = uci->invoice_count++;
    invoice = &uci->invoice[*index];
    invoice->number = text_copy(&uci->arena, number);
    invoice->customer = text_copy(&uci->arena, csv_field(csv, column[4]));
    invoice->kind = csv_field(csv, column[2]).ptr[0];
    map_put(&uci->invoices, invoice->number, *index);
    invoice->customer_index = UINT32_MAX;
    if (invoice->customer.len &&
        !map_get(&uci->customers, invoice->customer, &invoice->customer_index)) {
        if (uci->customer_count == customers_max)
            return false;
        invoice->customer_index = uci->customer_count++;
        uci->customer[invoice->customer_index] = invoice->customer;
        map_put(&uci->customers, invoice->customer, invoice->customer_index);
    }
    return read_time(csv_field(csv, column[3]), &uci->arena, &invoice->at, &invoice->now);
}

static bool
read_line(struct uci *uci, const struct csv *csv, const int *column)
{
    struct uci_line *line = &uci->line[uci->line_count];
    uint64_t number;

    if (uci->line_count == lines_max || !find_invoice(uci, csv, column, &line->invoice))
        return false;
    line->article = text_copy(&uci->arena, csv_field(csv, column[5]));
    line->price_text = text_copy(&uci->arena, csv_field(csv, column[7]));
    if (!text_to_u64(csv_field(csv, column[1]), &number) ||
        decimal_parse(csv_field(csv, column[6]), 0, &line->quantity) != DECIMAL_OK ||
        decimal_parse(line->price_text, price_digits, &line->price) != DECIMAL_OK)
        return false;
    line->number = (uint32_t)number;
    uci->net += line->quantity * line->price;
    uci->line_count++;
    return true;
}

static int
by_invoice(const void *a, const void *b, void *context)
{
    uint32_t x = ((const struct uci_line *)a)->invoice, y = ((const struct uci_line *)b)->invoice;

    (void)context;
    return x < y ? -1 : x > y;
}

static enum code
gather(struct uci *uci, struct err *err)
{
    struct uci_line *scratch = malloc(sizeof(*scratch) * (uci->line_count + 1));

    if (!scratch)
        return err_set(err, CODE_NO_MEMORY, "no memory to sort the lines");
    sort_stable(uci->line, uci->line_count, sizeof(*uci->line), scratch, by_invoice, NULL);
    free(scratch);
    for (uint32_t i = 0; i < uci->line_count; i++) {
        struct uci_invoice *invoice = &uci->invoice[uci->line[i].invoice];
        if (invoice->count++ == 0)
            invoice->first = i;
    }
    return OK;
}

static enum code
read_lines(struct uci *uci, const char *folder, struct err *err)
{
    static const char *const names[] = { "invoice",  "line",       "kind",     "ts",
                                         "customer", "stock_code", "quantity", "unit_price_gbp" };
    int column[KOP_COUNT(names)];
    enum csv_result result;
    struct csv *csv;
    char path[1024];

    snprintf(path, sizeof(path), "%s/lines.csv.gz", folder);
    enum code rc = csv_open(path, &csv, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < KOP_COUNT(names); i++) {
        column[i] = csv_column(csv, names[i]);
        if (column[i] < 0)
            rc = err_set(err, CODE_SYNTAX, "'%s' has no column '%s'", path, names[i]);
    }
    while (!rc && (result = csv_next(csv)) != CSV_END)
        if (result == CSV_BROKEN || !read_line(uci, csv, column))
            rc = err_set(err, CODE_SYNTAX, "'%s', row %llu is no line", path,
                         (unsigned long long)csv_row(csv));
    csv_close(csv);
    return rc ? rc : gather(uci, err);
}

static void
refuse(struct uci *uci, const struct uci_line *line, const char *why)
{
    const struct uci_invoice *invoice = &uci->invoice[line->invoice];
    int64_t sum = line->quantity * line->price;

    uci->refused_sum += sum;
    if (uci->refused)
        fprintf(uci->refused, "%.*s,%u,%.*s,%.*s,%lld,%.*s,%s\n", (int)invoice->number.len,
                invoice->number.ptr, line->number, (int)invoice->customer.len,
                invoice->customer.ptr, (int)line->article.len, line->article.ptr,
                (long long)line->quantity, (int)line->price_text.len, line->price_text.ptr, why);
}

/* ---- purchases ---- */

static void
write_key(struct json_writer *writer, struct text number, struct text suffix)
{
    json_key(writer, "outlet");
    json_string(writer, "uk");
    json_key(writer, "till");
    json_string(writer, "web");
    json_key(writer, "period");
    json_i64(writer, 0);
    json_key(writer, "number");
    struct buf joined;
    buf_init(&joined, writer->buf->arena, 32);
    buf_add_text(&joined, number);
    buf_add_text(&joined, suffix);
    json_text(writer, buf_text(&joined));
}

static bool
is_saleable(struct uci *uci, struct uci_line *line)
{
    if (line->quantity <= 0) {
        refuse(uci, line, "a stock correction");
        return false;
    }
    if (line->price < 0) {
        refuse(uci, line, "a negative price");
        return false;
    }
    return true;
}

static void
send_purchase(struct uci *uci, uint32_t index)
{
    struct uci_invoice *invoice = &uci->invoice[index];
    struct pump_call *slot = pump_slot(uci->pump);
    struct json_writer writer;
    struct buf body;
    uint32_t place = 0;

    buf_init(&body, &slot->arena, 256 + (size_t)invoice->count * 96);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_string(&writer, "uci");
    write_key(&writer, invoice->number, (struct text){ 0 });
    json_key(&writer, "occurred_at");
    json_text(&writer, invoice->at);
    if (invoice->customer.len) {
        json_key(&writer, "card");
        json_text(&writer, invoice->customer);
    }
    json_key(&writer, "lines");
    json_begin_array(&writer);
    for (uint32_t i = invoice->first; i < invoice->first + invoice->count; i++) {
        struct uci_line *line = &uci->line[i];
        if (!is_saleable(uci, line))
            continue;
        line->place = ++place;
        line->left = line->quantity;
        uci->sold += line->quantity * line->price;
        json_begin_object(&writer);
        json_key(&writer, "article");
        json_text(&writer, line->article);
        json_key(&writer, "quantity");
        json_i64(&writer, line->quantity);
        json_key(&writer, "price");
        json_text(&writer, line->price_text);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    slot->tag = index;
    slot->call.route = CALL_COMMIT;
    slot->call.now = invoice->now;
    slot->call.body = buf_text(&body);
    invoice->sold = place > 0;
    if (place > 0)
        pump_send(uci->pump, slot);
    else
        pump_release(uci->pump, slot);
}

/* Points among "earned" of an answer. */
static int64_t
points_earned(struct text answer, struct arena *arena)
{
    struct json_node *root, *earned, *item;
    int64_t sum = 0, points;
    struct err err;

    if (json_tree_parse(arena, answer, &root, &err))
        return 0;
    earned = json_member(root, TEXT("earned"));
    for (item = earned ? earned->first : NULL; item; item = item->next) {
        const struct json_node *value = json_member(item, TEXT("points"));
        if (value && decimal_parse(value->value, 0, &points) == DECIMAL_OK)
            sum += points;
    }
    return sum;
}

static void
count_level(struct uci *uci, struct text answer, struct arena *arena)
{
    static const char *const levels[] = { "bronze", "silver", "gold" };
    struct text level = answer_field(answer, "balance/levels/tier/level", arena);

    for (size_t i = 0; i < KOP_COUNT(levels); i++)
        if (text_equal(level, text_of(levels[i])))
            for (size_t below = 0; below <= i; below++)
                uci->level[below]++;
}

static void
answered(void *context, struct pump_call *slot)
{
    struct uci *uci = context;
    const struct call *call = &slot->call;

    if (call->status != 200) {
        if (call->route == CALL_RETURN)
            uci->returns_refused++;
        else
            uci->failed++;
        if (uci->failed + uci->returns_refused == 1)
            fprintf(stderr, "kopilka: refused: %.*s\n", (int)call->answer.len, call->answer.ptr);
        return;
    }
    if (call->route == CALL_FIND)
        count_level(uci, call->answer, &slot->arena);
    if (call->route == CALL_RETURN)
        uci->returns_done++;
    if (call->route != CALL_COMMIT)
        return;
    if (uci->invoice[slot->tag].customer.len) {
        uci->purchases_known++;
        uci->points += (uint64_t)points_earned(call->answer, &slot->arena);
    }
    progress_step(&uci->progress, ++uci->answered);
}

static void
book_purchases(struct uci *uci)
{
    struct enrolling enrolling = { .programme = "uci", .at = uci->invoice[0].now - 1000 };

    for (uint32_t i = 0; i < uci->customer_count; i++)
        enrol_card(uci->pump, &enrolling, uci->customer[i]);
    pump_drain(uci->pump);
    progress_begin(&uci->progress, "uci purchases", uci->invoice_count);
    for (uint32_t i = 0; i < uci->invoice_count; i++)
        if (uci->invoice[i].kind == 'S')
            send_purchase(uci, i);
    pump_drain(uci->pump);
    progress_end(&uci->progress, uci->answered);
}

static void
look_at_levels(struct uci *uci)
{
    for (uint32_t i = 0; i < uci->customer_count; i++) {
        struct pump_call *slot = pump_slot(uci->pump);
        struct buf body;
        buf_init(&body, &slot->arena, 64);
        buf_addf(&body, "{\"programme\":\"uci\",\"card\":\"%.*s\"}", (int)uci->customer[i].len,
                 uci->customer[i].ptr);
        slot->call.route = CALL_FIND;
        slot->call.now = uci->invoice[uci->invoice_count - 1].now;
        slot->call.body = buf_text(&body);
        pump_send(uci->pump, slot);
    }
    pump_drain(uci->pump);
}

/* ---- cancellations ---- */

/* Could `quantity` of the article come back to this invoice, at this price (or any, if `price` <
 * 0)? */
static bool
invoice_takes(const struct uci *uci, const struct uci_invoice *invoice,
              const struct uci_line *cancelled, bool same_price)
{
    int64_t left = 0;

    for (uint32_t i = invoice->first; i < invoice->first + invoice->count; i++) {
        const struct uci_line *line = &uci->line[i];
        if (line->place && text_equal(line->article, cancelled->article) &&
            (!same_price || line->price == cancelled->price))
            left += line->left;
    }
    return left >= -cancelled->quantity;
}

/* The latest earlier invoice of the customer that takes the line whole; UINT32_MAX: none. */
static uint32_t
match(const struct uci *uci, const uint32_t *of_customer, uint32_t count,
      const struct uci_line *cancelled, bool same_price)
{
    unix_ms at = uci->invoice[cancelled->invoice].now;

    for (uint32_t i = count; i-- > 0;) {
        const struct uci_invoice *invoice = &uci->invoice[of_customer[i]];
        if (invoice->now <= at && invoice_takes(uci, invoice, cancelled, same_price))
            return of_customer[i];
    }
    return UINT32_MAX;
}

static void
send_return(struct uci *uci, uint32_t to, const struct uci_line *cancelled, bool same_price,
            unix_ms now)
{
    const struct uci_invoice *purchase = &uci->invoice[to],
                             *invoice = &uci->invoice[cancelled->invoice];
    struct pump_call *slot = pump_slot(uci->pump);
    struct json_writer writer;
    struct buf body, suffix;
    int64_t wanted = -cancelled->quantity;

    buf_init(&suffix, &slot->arena, 16);
    buf_addf(&suffix, "-%u", cancelled->number);
    buf_init(&body, &slot->arena, 512);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_string(&writer, "uci");
    write_key(&writer, invoice->number, buf_text(&suffix));
    json_key(&writer, "occurred_at");
    json_text(&writer, invoice->at);
    json_key(&writer, "receipt");
    json_begin_object(&writer);
    write_key(&writer, purchase->number, (struct text){ 0 });
    json_end_object(&writer);
    json_key(&writer, "lines");
    json_begin_array(&writer);
    for (uint32_t i = purchase->first; i < purchase->first + purchase->count && wanted > 0; i++) {
        struct uci_line *line = &uci->line[i];
        int64_t part = line->left < wanted ? line->left : wanted;
        if (!line->place || part == 0 || !text_equal(line->article, cancelled->article) ||
            (same_price && line->price != cancelled->price))
            continue;
        line->left -= part;
        wanted -= part;
        json_begin_object(&writer);
        json_key(&writer, "line");
        json_i64(&writer, line->place);
        json_key(&writer, "quantity");
        json_i64(&writer, part);
        json_end_object(&writer);
    }
    json_end_array(&writer);
    json_end_object(&writer);
    slot->call.route = CALL_RETURN;
    slot->call.now = now;
    slot->call.body = buf_text(&body);
    pump_send(uci->pump, slot);
}

static void
cancel_line(struct uci *uci, const uint32_t *of_customer, uint32_t count,
            const struct uci_line *line, unix_ms now)
{
    uint32_t to = match(uci, of_customer, count, line, true);
    bool same_price = to != UINT32_MAX;

    if (!same_price)
        to = match(uci, of_customer, count, line, false);
    if (to == UINT32_MAX) {
        refuse(uci, line,
               count ? "no earlier invoice holds so much of it" : "the buyer is not known");
        return;
    }
    uci->matched++;
    uci->matched_same_price += same_price;
    uci->returned += line->quantity * line->price;
    send_return(uci, to, line, same_price, now);
}

/* Sold invoices of one customer, in time order, into `list`. */
static uint32_t
invoices_of(const struct uci *uci, const uint32_t *next, const uint32_t *first, uint32_t customer,
            uint32_t *list)
{
    uint32_t count = 0;

    if (customer == UINT32_MAX)
        return 0;
    for (uint32_t i = first[customer]; i != UINT32_MAX; i = next[i])
        if (uci->invoice[i].sold)
            list[count++] = i;
    return count;
}

static enum code
book_returns(struct uci *uci, struct err *err)
{
    uint32_t *next = malloc(sizeof(*next) * invoices_max),
             *list = malloc(sizeof(*list) * invoices_max);
    uint32_t *first = malloc(sizeof(*first) * customers_max);
    unix_ms now = uci->invoice[uci->invoice_count - 1].now + 1000;

    if (!next || !list || !first) {
        free(next);
        free(list);
        free(first);
        return err_set(err, CODE_NO_MEMORY, "no memory to match cancellations");
    }
    memset(first, 0xff, sizeof(*first) * customers_max);
    for (uint32_t i = uci->invoice_count; i-- > 0;) { /* lists of each customer, earliest first */
        uint32_t customer = uci->invoice[i].customer_index;
        next[i] = customer == UINT32_MAX ? UINT32_MAX : first[customer];
        if (customer != UINT32_MAX)
            first[customer] = i;
    }
    for (uint32_t i = 0; i < uci->invoice_count; i++) {
        const struct uci_invoice *invoice = &uci->invoice[i];
        if (invoice->kind == 'S')
            continue;
        uint32_t count = invoices_of(uci, next, first, invoice->customer_index, list);
        for (uint32_t l = invoice->first; l < invoice->first + invoice->count; l++) {
            const struct uci_line *line = &uci->line[l];
            if (invoice->kind != 'C' || line->quantity >= 0) {
                refuse(uci, line,
                       invoice->kind == 'C' ? "a cancellation that adds" : "an adjustment");
                continue;
            }
            uci->cancelled++;
            cancel_line(uci, list, count, line, now);
        }
    }
    pump_drain(uci->pump);
    free(next);
    free(list);
    free(first);
    return OK;
}

/* ---- the whole ---- */

static void
print_money(const char *what, int64_t thousandths)
{
    char sign = thousandths < 0 ? '-' : ' ';
    long long plain = llabs(thousandths);

    printf("  %-34s %c%lld.%03lld\n", what, sign, plain / 1000, plain % 1000);
}

static void
print_result(const struct uci *uci)
{
    printf("  purchases of known customers        %llu, points %llu\n",
           (unsigned long long)uci->purchases_known, (unsigned long long)uci->points);
    printf("  levels before returns               bronze and above %llu, silver and above %llu, "
           "gold %llu\n",
           (unsigned long long)uci->level[0], (unsigned long long)uci->level[1],
           (unsigned long long)uci->level[2]);
    printf("  cancelled lines %llu: matched %llu (at the same price %llu), returned %llu, refused "
           "by the "
           "server %llu\n",
           (unsigned long long)uci->cancelled, (unsigned long long)uci->matched,
           (unsigned long long)uci->matched_same_price, (unsigned long long)uci->returns_done,
           (unsigned long long)uci->returns_refused);
    print_money("sold", uci->sold);
    print_money("returned", uci->returned);
    print_money("refused lines", uci->refused_sum);
    print_money("together", uci->sold + uci->returned + uci->refused_sum);
    print_money("net of the file", uci->net);
    printf("uci: %llu purchases, %llu points, %llu returns\n",
           (unsigned long long)uci->purchases_known, (unsigned long long)uci->points,
           (unsigned long long)uci->returns_done);
}

static int
replay(struct uci *uci, const struct replay_options *options)
{
    struct err err;

    uci->refused = options->differences ? fopen(options->differences, "we") : NULL;
    if (uci->refused)
        fputs("invoice,line,customer,article,quantity,price,reason\n", uci->refused);
    if (read_lines(uci, options->data, &err) ||
        pump_open(uci->book->service, uci->book->tenant, window, answered, uci, &uci->pump, &err))
        return complain(&err);
    book_purchases(uci);
    look_at_levels(uci);
    if (book_returns(uci, &err))
        return complain(&err);
    pump_close(uci->pump);
    if (uci->refused)
        fclose(uci->refused);
    print_result(uci);
    bool whole = uci->sold + uci->returned + uci->refused_sum == uci->net;
    return uci->failed || uci->returns_refused || !whole ? 1 : 0;
}

int
replay_uci(struct book *book, const struct replay_options *options)
{
    struct uci *uci = calloc(1, sizeof(*uci));
    int status = 1;

    if (!uci)
        return 1;
    uci->book = book;
    uci->line = calloc(lines_max, sizeof(*uci->line));
    uci->invoice = calloc(invoices_max, sizeof(*uci->invoice));
    uci->customer = calloc(customers_max, sizeof(*uci->customer));
    arena_init_heap(&uci->arena);
    map_init(&uci->invoices, &uci->arena);
    map_init(&uci->customers, &uci->arena);
    if (uci->line && uci->invoice && uci->customer)
        status = replay(uci, options);
    arena_release(&uci->arena);
    free(uci->line);
    free(uci->invoice);
    free(uci->customer);
    free(uci);
    return status;
}
