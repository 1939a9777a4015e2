/*
 * replay_x5.c - 1 760 receipts of a Russian loyalty card, compared with the points that were given.
 *
 * Owns:      the order: members, least opening balances, receipts as facts.
 * Why:       the opening balance of a client is unknown: a first pass of quotes finds the least
 *            that its
 *            spending needs, which is brought in as a migration movement.
 * Tests:     tests/stories/
 */
#include "cli/replay.h"

#include "base/decimal.h"
#include "base/json_tree.h"
#include "base/json_write.h"
#include "base/map.h"
#include "service/csv.h"

#include <stdlib.h>
#include <string.h>

enum { receipts_max = 10000, clients_max = 1000, points_scale = 1, window = 256, currencies = 2 };

static const char *const currency_codes[currencies] = { "regular", "express" };

struct x5_receipt {
    struct text number, client, at, store, sum;
    struct text given; /* regular points the shop gave */
    uint32_t client_index;
    int64_t spent[currencies]; /* tenths, positive */
    int64_t earned;            /* by the programme, regular tenths */
    unix_ms now;
};

struct x5_client {
    struct text card;
    int64_t running[currencies], lowest[currencies];
};

struct x5 {
    struct book *book;
    struct arena arena;
    struct map clients;
    struct x5_client client[clients_max];
    struct x5_receipt receipt[receipts_max];
    uint32_t client_count, receipt_count;
    struct pump *pump;
    struct progress progress;
    uint64_t answered, failed, exact;
};

/* ---- reading ---- */

static bool
read_points(struct text written, int64_t *points)
{
    if (decimal_parse(written, points_scale, points) != DECIMAL_OK)
        return false;
    if (*points < 0)
        *points = -*points;
    return true;
}

static bool
read_receipt(struct x5 *x5, const struct csv *csv, const int *column)
{
    struct x5_receipt *receipt = &x5->receipt[x5->receipt_count];
    struct buf at;

    receipt->number = text_copy(&x5->arena, csv_field(csv, column[0]));
    receipt->client = text_copy(&x5->arena, csv_field(csv, column[1]));
    receipt->store = text_copy(&x5->arena, csv_field(csv, column[3]));
    receipt->given = text_copy(&x5->arena, csv_field(csv, column[4]));
    receipt->sum = text_copy(&x5->arena, csv_field(csv, column[7]));
    buf_init(&at, &x5->arena, 32);
    buf_add_text(&at, csv_field(csv, column[2]));
    buf_add_text(&at, TEXT("+03:00")); /* the tills' clock */
    receipt->at = buf_text(&at);
    if (!instant_parse(receipt->at, &receipt->now) ||
        !read_points(csv_field(csv, column[5]), &receipt->spent[0]) ||
        !read_points(csv_field(csv, column[6]), &receipt->spent[1]))
        return false;
    if (!map_get(&x5->clients, receipt->client, &receipt->client_index)) {
        if (x5->client_count == clients_max)
            return false;
        receipt->client_index = x5->client_count++;
        x5->client[receipt->client_index].card = receipt->client;
        map_put(&x5->clients, receipt->client, receipt->client_index);
    }
    x5->receipt_count++;
    return true;
}

static enum code
read_receipts(struct x5 *x5, const char *folder, struct err *err)
{
    static const char *const names[] = { "receipt",
                                         "client_id",
                                         "ts",
                                         "store_id",
                                         "regular_points_received",
                                         "regular_points_spent",
                                         "express_points_spent",
                                         "purchase_sum_rub" };
    int column[KOP_COUNT(names)];
    enum csv_result result;
    struct csv *csv;
    char path[1024];

    snprintf(path, sizeof(path), "%s/receipts.csv", folder);
    enum code rc = csv_open(path, &csv, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < KOP_COUNT(names); i++) {
        column[i] = csv_column(csv, names[i]);
        if (column[i] < 0)
            rc = err_set(err, CODE_SYNTAX, "'%s' has no column '%s'", path, names[i]);
    }
    while (!rc && (result = csv_next(csv)) != CSV_END)
        if (result == CSV_BROKEN || x5->receipt_count == receipts_max ||
            !read_receipt(x5, csv, column))
            rc = err_set(err, CODE_SYNTAX, "'%s', row %llu is no receipt", path,
                         (unsigned long long)csv_row(csv));
    csv_close(csv);
    return rc;
}

/* ---- calls ---- */

static void
write_redeem(struct json_writer *writer, const struct x5_receipt *receipt)
{
    if (!receipt->spent[0] && !receipt->spent[1])
        return;
    json_key(writer, "redeem");
    json_begin_array(writer);
    for (int c = 0; c < currencies; c++) {
        if (!receipt->spent[c])
            continue;
        json_begin_object(writer);
        json_key(writer, "currency");
        json_string(writer, currency_codes[c]);
        json_key(writer, "amount");
        json_decimal(writer, receipt->spent[c], points_scale);
        json_end_object(writer);
    }
    json_end_array(writer);
}

/* The receipt as a fact: one line, for the lines of the data carry no price. */
static void
send_receipt(struct x5 *x5, uint32_t index, enum route_name route)
{
    const struct x5_receipt *receipt = &x5->receipt[index];
    struct pump_call *slot = pump_slot(x5->pump);
    const struct {
        const char *name;
        struct text value;
    } fields[] = {
        { "outlet", receipt->store },  { "till", TEXT("1") },          { "period", TEXT("0") },
        { "number", receipt->number }, { "occurred_at", receipt->at }, { "card", receipt->client },
        { "mode", TEXT("fact") },
    };
    struct json_writer writer;
    struct buf body;

    buf_init(&body, &slot->arena, 512);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_string(&writer, "x5");
    for (size_t i = 0; i < KOP_COUNT(fields); i++) {
        json_key(&writer, fields[i].name);
        json_text(&writer, fields[i].value);
    }
    json_key(&writer, "lines");
    json_begin_array(&writer);
    json_begin_object(&writer);
    json_key(&writer, "article");
    json_string(&writer, "goods");
    json_key(&writer, "quantity");
    json_string(&writer, "1");
    json_key(&writer, "price");
    json_text(&writer, receipt->sum);
    json_end_object(&writer);
    json_end_array(&writer);
    write_redeem(&writer, receipt);
    json_end_object(&writer);
    slot->tag = index;
    slot->call.route = route;
    slot->call.now = receipt->now;
    slot->call.body = buf_text(&body);
    pump_send(x5->pump, slot);
}

static void
send_opening(struct x5 *x5, uint32_t client, int currency)
{
    struct pump_call *slot = pump_slot(x5->pump);
    struct json_writer writer;
    struct buf body, key;

    buf_init(&body, &slot->arena, 256);
    json_write_init(&writer, &body);
    json_begin_object(&writer);
    json_key(&writer, "programme");
    json_string(&writer, "x5");
    json_key(&writer, "card");
    json_text(&writer, x5->client[client].card);
    json_key(&writer, "currency");
    json_string(&writer, currency_codes[currency]);
    json_key(&writer, "points");
    json_decimal(&writer, -x5->client[client].lowest[currency], points_scale);
    json_end_object(&writer);
    buf_init(&key, &slot->arena, 64);
    buf_addf(&key, "opening-%s-", currency_codes[currency]);
    buf_add_text(&key, x5->client[client].card);
    slot->tag = UINT64_MAX;
    slot->call.route = CALL_OPENING;
    slot->call.now = x5->receipt[0].now - 1000;
    slot->call.body = buf_text(&body);
    slot->call.idempotency_key = buf_text(&key);
    pump_send(x5->pump, slot);
}

/* Regular points among "earned" of an answer, in tenths. */
static int64_t
regular_earned(struct text answer, struct arena *arena)
{
    struct json_node *root, *earned, *item;
    int64_t sum = 0, points;
    struct err err;

    if (json_tree_parse(arena, answer, &root, &err))
        return -1;
    earned = json_member(root, TEXT("earned"));
    for (item = earned ? earned->first : NULL; item; item = item->next) {
        const struct json_node *currency = json_member(item, TEXT("currency"));
        const struct json_node *value = json_member(item, TEXT("points"));
        if (currency && value && text_equal(currency->value, TEXT("regular")) &&
            decimal_parse(value->value, points_scale, &points) == DECIMAL_OK)
            sum += points;
    }
    return sum;
}

static void
answered(void *context, struct pump_call *slot)
{
    struct x5 *x5 = context;
    const struct call *call = &slot->call;

    if (call->status != 200) {
        if (x5->failed++ == 0)
            fprintf(stderr, "kopilka: refused: %.*s\n", (int)call->answer.len, call->answer.ptr);
        return;
    }
    if (call->route != CALL_QUOTE && call->route != CALL_COMMIT)
        return;
    x5->receipt[slot->tag].earned = regular_earned(call->answer, &slot->arena);
    if (call->route == CALL_COMMIT)
        progress_step(&x5->progress, ++x5->answered);
}

/* ---- the passes ---- */

static void
enrol_clients(struct x5 *x5)
{
    struct enrolling enrolling = { .programme = "x5", .at = x5->receipt[0].now - 2000 };

    for (uint32_t i = 0; i < x5->client_count; i++)
        enrol_card(x5->pump, &enrolling, x5->client[i].card);
    pump_drain(x5->pump);
}

/* Quote everything, and see how far each balance would fall below nothing. */
static void
find_openings(struct x5 *x5)
{
    for (uint32_t i = 0; i < x5->receipt_count; i++)
        send_receipt(x5, i, CALL_QUOTE);
    pump_drain(x5->pump);
    for (uint32_t i = 0; i < x5->receipt_count; i++) {
        const struct x5_receipt *receipt = &x5->receipt[i];
        struct x5_client *client = &x5->client[receipt->client_index];
        for (int c = 0; c < currencies; c++) {
            client->running[c] -= receipt->spent[c];
            if (client->running[c] < client->lowest[c])
                client->lowest[c] = client->running[c];
        }
        client->running[0] += receipt->earned;
    }
    for (uint32_t i = 0; i < x5->client_count; i++)
        for (int c = 0; c < currencies; c++)
            if (x5->client[i].lowest[c] < 0)
                send_opening(x5, i, c);
    pump_drain(x5->pump);
}

static void
compare(struct x5 *x5, const char *path)
{
    FILE *file = path ? fopen(path, "we") : NULL;

    if (file)
        fputs("receipt,client,sum,regular_spent,express_spent,given,programme,difference\n", file);
    for (uint32_t i = 0; i < x5->receipt_count; i++) {
        const struct x5_receipt *r = &x5->receipt[i];
        int64_t given = 0;
        if (decimal_parse(r->given, points_scale, &given) == DECIMAL_OK && given == r->earned) {
            x5->exact++;
            continue;
        }
        int64_t off = r->earned - given;
        if (file)
            fprintf(file, "%.*s,%.*s,%.*s,%lld.%lld,%lld.%lld,%.*s,%lld.%lld,%s%lld.%lld\n",
                    (int)r->number.len, r->number.ptr, (int)r->client.len, r->client.ptr,
                    (int)r->sum.len, r->sum.ptr, (long long)r->spent[0] / 10,
                    (long long)r->spent[0] % 10, (long long)r->spent[1] / 10,
                    (long long)r->spent[1] % 10, (int)r->given.len, r->given.ptr,
                    (long long)r->earned / 10, (long long)r->earned % 10, off < 0 ? "-" : "",
                    (long long)llabs(off) / 10, (long long)llabs(off) % 10);
    }
    if (file)
        fclose(file);
}

static int
replay(struct x5 *x5, const struct replay_options *options)
{
    struct err err;

    if (read_receipts(x5, options->data, &err) ||
        pump_open(x5->book->service, x5->book->tenant, window, answered, x5, &x5->pump, &err))
        return complain(&err);
    enrol_clients(x5);
    find_openings(x5);
    progress_begin(&x5->progress, "x5", x5->receipt_count);
    for (uint32_t i = 0; i < x5->receipt_count; i++)
        send_receipt(x5, i, CALL_COMMIT);
    pump_close(x5->pump);
    progress_end(&x5->progress, x5->answered);
    compare(x5, options->differences);
    if (x5->failed)
        fprintf(stderr, "kopilka: %llu requests were refused\n", (unsigned long long)x5->failed);
    printf("x5: %llu of %u receipts exact\n", (unsigned long long)x5->exact, x5->receipt_count);
    return x5->failed ? 1 : 0;
}

int
replay_x5(struct book *book, const struct replay_options *options)
{
    struct x5 *x5 = calloc(1, sizeof(*x5));
    int status = 1;

    if (x5) {
        x5->book = book;
        arena_init_heap(&x5->arena);
        map_init(&x5->clients, &x5->arena);
        status = replay(x5, options);
        arena_release(&x5->arena);
    }
    free(x5);
    return status;
}
