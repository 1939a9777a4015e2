/*
 * export.c - the book as tables: members, movements, receipts; page by page.
 *
 * Owns:      see export.h.
 * Cost:      one short read transaction a page; a receipt is decoded whole.
 * Tests:     tests/stories/import
 */
#include "service/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_tree.h"
#include "service/csv.h"
#include "service/person.h"

enum {
    owners_per_page = 200,
    movements_per_page = 1000,
    receipts_per_page = 200,
    page_block_bytes = 256 * 1024,
};

/* Where the next page begins: after this owner, or inside it; after this record. */
struct place {
    uint64_t rows;
    uint64_t owner, op;
    uint32_t movement;
};

struct export_table {
    struct service *service;
    uint32_t tenant;
    const struct programme_entry *programme;
    const struct version_entry *newest; /* its currencies are the columns */
    enum export_kind kind;
    struct arena arena; /* of a page */
    unix_ms now;
    struct place at;
    /* The page at work. */
    struct buf *out;
    struct place began;
    size_t out_began;
    bool first_cell, more;
};

/* ---- cells ---- */

static void
put(struct export_table *table, struct text value)
{
    csv_put(table->out, value, table->first_cell);
    table->first_cell = false;
}

static void
end_row(struct export_table *table)
{
    buf_add_char(table->out, '\n');
    table->first_cell = true;
}

static void
put_number(struct export_table *table, uint64_t value)
{
    char digits[24];
    struct buf buf;

    buf_init_fixed(&buf, digits, sizeof(digits));
    buf_add_u64(&buf, value);
    put(table, buf_text(&buf));
}

/* 0: an empty cell. */
static void
put_id(struct export_table *table, uint64_t id)
{
    if (id)
        put_number(table, id);
    else
        put(table, (struct text){ 0 });
}

static void
put_decimal(struct export_table *table, int64_t value, int scale)
{
    char digits[40];
    struct buf buf;

    buf_init_fixed(&buf, digits, sizeof(digits));
    decimal_format(&buf, value, scale);
    put(table, buf_text(&buf));
}

/* Without zeros at the end: "2", "1.5". */
static void
put_short_decimal(struct export_table *table, int64_t value, int scale)
{
    while (scale > 0 && value % 10 == 0) {
        value /= 10;
        scale--;
    }
    put_decimal(table, value, scale);
}

static void
put_instant(struct export_table *table, unix_ms at)
{
    char digits[40];
    struct buf buf;

    buf_init_fixed(&buf, digits, sizeof(digits));
    if (at != 0 && at != TIME_NONE)
        instant_format(&buf, at);
    put(table, buf_text(&buf));
}

static void
put_lower(struct export_table *table, const char *name)
{
    char lower[64];
    uint32_t len = 0;

    for (; name[len] && len < sizeof(lower); len++)
        lower[len] = (char)(name[len] >= 'A' && name[len] <= 'Z' ? name[len] + 32 : name[len]);
    put(table, (struct text){ lower, len });
}

static void
put_flag(struct export_table *table, bool flag)
{
    put(table, flag ? TEXT("yes") : TEXT("no"));
}

static const struct terms *
columns_of(const struct export_table *table)
{
    return plan_terms(table->newest->plan);
}

static bool
is_ours(const struct export_table *table, const struct owner *owner)
{
    return owner->tenant == table->tenant && owner->programme == table->programme->programme;
}

/* ---- headers ---- */

static const char member_header[] = "external_id,owner,enrolled_at,state,surname,name,patronymic,"
                                    "birthday,sex,town,phone,email,consent";
static const char movement_header[] =
    "owner,no,at,kind,account,contra,currency,amount,lot,operation,origin,version,rule,active_from,"
    "expires_at";
static const char receipt_header[] = "outlet,till,period,number,occurred_at,recorded_at,kind,"
                                     "member,owner,operation,origin,line,article,"
                                     "category,brand,tags,quantity,price,amount,discounted,service,"
                                     "discount,points_money,money,refund";

static void
put_columns(const struct export_table *table, const char *prefix, struct buf *out)
{
    const struct terms *terms = columns_of(table);

    for (uint32_t i = 0; i < terms->currency_count; i++) {
        buf_addf(out, ",%s", prefix);
        buf_add_text(out, terms->currency[i].code);
    }
}

void
export_header(const struct export_table *table, struct buf *out)
{
    const struct terms *terms = columns_of(table);

    switch (table->kind) {
    case EXPORT_MEMBERS:
        buf_add_text(out, text_of(member_header));
        put_columns(table, "balance.", out);
        put_columns(table, "pending.", out);
        put_columns(table, "debt.", out);
        for (uint32_t i = 0; i < terms->ladder_count; i++) {
            buf_add_text(out, TEXT(",level."));
            buf_add_text(out, terms->ladder[i].code);
        }
        break;
    case EXPORT_MOVEMENTS:
        buf_add_text(out, text_of(movement_header));
        break;
    case EXPORT_RECEIPTS:
        buf_add_text(out, text_of(receipt_header));
        put_columns(table, "redeem.", out);
        put_columns(table, "earned.", out);
        break;
    }
    buf_add_char(out, '\n');
}

/* ---- members ---- */

static enum code
put_person(struct export_table *table, struct tx *tx, uint64_t person_id, struct err *err)
{
    static const char *const fields[] = { "surname", "name", "patronymic", "birthday",
                                          "sex",     "town", "phone",      "email" };
    struct row key = { 0 }, row;
    struct json_node *root = NULL;
    struct text plain;
    bool found = false;
    enum code rc = OK;

    key.cell[0].number = (int64_t)person_id;
    if (person_id)
        rc = store_get(tx, TABLE_person, &key, &table->arena, &row, &found, err);
    if (!rc && found)
        rc = person_open(table->service, &row, &table->arena, &plain, err);
    if (!rc && found)
        rc = json_tree_parse(&table->arena, plain, &root, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < KOP_COUNT(fields); i++) {
        const struct json_node *node = json_member(root, text_of(fields[i]));
        put(table, node ? node->value : (struct text){ 0 });
    }
    const struct json_node *consent = json_member(root, TEXT("consent"));
    put(table, !consent                     ? (struct text){ 0 }
               : consent->type == JSON_TRUE ? TEXT("yes")
                                            : TEXT("no"));
    return OK;
}

static void
put_balances(struct export_table *table, const struct owner *owner)
{
    static const enum account accounts[] = { ACCOUNT_ACTIVE, ACCOUNT_PENDING, ACCOUNT_DEBT };
    const struct terms *terms = columns_of(table);

    for (size_t k = 0; k < KOP_COUNT(accounts); k++) {
        for (uint32_t i = 0; i < terms->currency_count; i++) {
            amount value = owner_balance(owner, terms->currency[i].no, accounts[k]);
            put_decimal(table, accounts[k] == ACCOUNT_DEBT ? -value : value,
                        terms->currency[i].scale);
        }
    }
    for (uint32_t i = 0; i < terms->ladder_count; i++) {
        const struct ladder_terms *ladder = &terms->ladder[i];
        uint8_t level = ledger_level_of(owner, ladder->no);
        put(table, level > 0 && level <= ladder->level_count ? ladder->level[level - 1].code
                                                             : (struct text){ 0 });
    }
}

/* A copy settled to now, by the version in force: what settling would write is not written. */
static void
settle(struct export_table *table, struct owner *owner)
{
    const struct version_entry *version = programme_in_force(table->programme, table->now);
    struct changes changes = { 0 };
    struct ledger ledger;
    unix_ms now = table->now > owner->settled_to ? table->now : owner->settled_to;

    ledger_begin(&ledger, plan_terms((version ? version : table->newest)->plan), &table->arena,
                 owner, &changes, 1, now);
    ledger_settle(&ledger);
}

static enum code
put_member(struct export_table *table, struct tx *tx, const struct owner *owner,
           const struct member_row *member, struct err *err)
{
    put_id(table, member->member_id);
    put_id(table, owner->owner_id);
    put_instant(table, member->enrolled_at);
    put(table, member->state ? TEXT("closed") : TEXT("active"));
    enum code rc = put_person(table, tx, member->person_id, err);
    if (rc)
        return rc;
    put_balances(table, owner);
    end_row(table);
    table->at.rows++;
    return OK;
}

static enum code
put_members(struct export_table *table, struct tx *tx, struct owner *owner, struct err *err)
{
    struct member_row *member;
    uint32_t count;

    if (owner->flags & owner_flag_anonymous)
        return OK;
    enum code rc = store_list_members(tx, owner->owner_id, &table->arena, &member, &count, err);
    if (!rc)
        settle(table, owner);
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = put_member(table, tx, owner, &member[i], err);
    return rc;
}

static enum code
members_run(struct tx *tx, struct op *op, struct err *err)
{
    struct export_table *table = op->context;
    struct owner *owner;
    uint32_t count;

    enum code rc = store_list_owners(tx, table->at.owner, owners_per_page, &table->arena, &owner,
                                     &count, err);
    for (uint32_t i = 0; !rc && i < count; i++) {
        if (is_ours(table, &owner[i]))
            rc = put_members(table, tx, &owner[i], err);
        table->at.owner = owner[i].owner_id;
    }
    table->more = count == owners_per_page;
    return rc;
}

/* ---- movements ---- */

/* A rule's code, or of a change of level "ladder:level". */
static void
put_cause(struct export_table *table, const struct movement *movement)
{
    const struct version_entry *version = programme_version(table->programme, movement->version);
    const struct plan *plan = (version ? version : table->newest)->plan;
    struct buf cause;

    buf_init(&cause, &table->arena, 64);
    if (movement->kind == MOVEMENT_LEVEL) {
        const struct ladder_terms *ladder = terms_ladder(plan_terms(plan),
                                                         (uint8_t)movement->lot_no);
        if (ladder) {
            buf_add_text(&cause, ladder->code);
            buf_add_char(&cause, ':');
            if (movement->rule > 0 && movement->rule <= ladder->level_count)
                buf_add_text(&cause, ladder->level[movement->rule - 1].code);
        }
    } else if (version && movement->rule >= 0) {
        buf_add_text(&cause, plan_rule_code(plan, movement->rule));
    }
    put(table, buf_text(&cause));
}

static void
put_movement(struct export_table *table, const struct movement *movement)
{
    const struct currency_terms *currency = terms_currency(columns_of(table), movement->currency);
    bool level = movement->kind == MOVEMENT_LEVEL;

    put_id(table, movement->owner_id);
    put_number(table, movement->movement_no);
    put_instant(table, movement->at);
    put_lower(table, movement_kind_name(movement->kind));
    put_lower(table, level ? "" : account_name(movement->account));
    put_lower(table, level ? "" : account_name(movement->contra));
    put(table, currency ? currency->code : (struct text){ 0 });
    if (level)
        put(table, (struct text){ 0 });
    else
        put_decimal(table, movement->amount, currency ? currency->scale : 0);
    put_id(table, level ? 0 : movement->lot_no);
    put_id(table, movement->op_id);
    put_id(table, movement->ref);
    put_id(table, movement->version);
    put_cause(table, movement);
    put_instant(table, movement->active_from);
    put_instant(table, movement->expires_at);
    end_row(table);
    table->at.rows++;
}

/* An owner's movements from where the page before stopped. *whole false: the page is full first. */
static enum code
put_movements(struct export_table *table, struct tx *tx, const struct owner *owner, bool *whole,
              struct err *err)
{
    struct movement *movement;
    uint32_t count;

    enum code rc = store_list_movements(tx, owner->owner_id, table->at.movement, movements_per_page,
                                        &table->arena, &movement, &count, err);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        put_movement(table, &movement[i]);
    *whole = count < movements_per_page;
    table->at.movement = *whole ? 0 : movement[count - 1].movement_no;
    return OK;
}

static enum code
movements_run(struct tx *tx, struct op *op, struct err *err)
{
    struct export_table *table = op->context;
    uint64_t began = table->at.rows;
    struct owner *owner;
    bool whole = true;
    uint32_t count, at = 0;

    enum code rc = store_list_owners(tx, table->at.owner, owners_per_page, &table->arena, &owner,
                                     &count, err);
    while (!rc && at < count && whole && table->at.rows - began < movements_per_page) {
        if (is_ours(table, &owner[at]))
            rc = put_movements(table, tx, &owner[at], &whole, err);
        if (whole)
            table->at.owner = owner[at++].owner_id;
    }
    table->more = !rc && (at < count || count == owners_per_page);
    return rc;
}

/* ---- receipts ---- */

static void
put_tags(struct export_table *table, const struct line *line)
{
    struct buf tags;

    buf_init(&tags, &table->arena, 64);
    for (uint32_t i = 0; i < line->tag_count; i++) {
        if (i > 0)
            buf_add_char(&tags, '|');
        buf_add_text(&tags, line->tag[i]);
    }
    put(table, buf_text(&tags));
}

static void
put_receipt_head(struct export_table *table, const struct record *record)
{
    const struct event *event = &record->event;

    put(table, event->outlet);
    put(table, event->till);
    put_number(table, (uint64_t)event->period);
    put(table, event->number);
    put_instant(table, record->occurred_at);
    put_instant(table, record->recorded_at);
    put_lower(table, record_kind_name(record->kind));
    put_id(table, record->member_id);
    put_id(table, record->owner_id);
    put_id(table, record->op_id);
    put_id(table, record->origin);
}

/* Points asked for stand on the first line, points earned on the line that earned them. */
static void
put_points(struct export_table *table, const struct record *record, uint32_t at)
{
    const struct terms *terms = columns_of(table);
    const struct decision *decision = &record->decision;

    for (uint32_t i = 0; i < terms->currency_count; i++) {
        amount points = 0;
        for (uint32_t k = 0; at == 0 && k < decision->redemption_count; k++)
            if (decision->redemption[k].currency == terms->currency[i].no)
                points += decision->redemption[k].points;
        if (points)
            put_decimal(table, points, terms->currency[i].scale);
        else
            put(table, (struct text){ 0 });
    }
    for (uint32_t i = 0; i < terms->currency_count; i++) {
        amount points = 0;
        for (uint32_t k = 0; k < decision->effect_count; k++) {
            const struct effect *effect = &decision->effect[k];
            if (effect->kind == EFFECT_EARN && effect->line == at &&
                effect->currency == terms->currency[i].no)
                points += effect->points;
        }
        put_decimal(table, points, terms->currency[i].scale);
    }
}

static void
put_purchase(struct export_table *table, const struct record *record, uint8_t money_scale)
{
    for (uint32_t i = 0; i < record->event.line_count; i++) {
        const struct line *line = &record->event.line[i];
        const struct line_result *result = &record->decision.line[i];
        put_receipt_head(table, record);
        put_number(table, i + 1);
        put(table, line->article);
        put(table, line->category);
        put(table, line->brand);
        put_tags(table, line);
        put_short_decimal(table, line->quantity, quantity_scale);
        put_short_decimal(table, line->price, price_scale);
        put_decimal(table, result->gross, money_scale);
        put_flag(table, line->is_discounted);
        put_flag(table, line->is_service);
        put_decimal(table, result->discount, money_scale);
        put_decimal(table, result->points, money_scale);
        put_decimal(table, result->money, money_scale);
        put(table, (struct text){ 0 });
        put_points(table, record, i);
        end_row(table);
        table->at.rows++;
    }
}

static void
put_empty(struct export_table *table, uint32_t count)
{
    while (count-- > 0)
        put(table, (struct text){ 0 });
}

/* What came back: lines of the purchase and their quantities; the money on the first. */
static void
put_return(struct export_table *table, const struct record *record, uint8_t money_scale)
{
    enum { between_line_and_quantity = 4, between_quantity_and_refund = 7 };

    for (uint32_t i = 0; i < record->returned_count; i++) {
        put_receipt_head(table, record);
        put_number(table, record->returned[i].line + 1);
        put_empty(table, between_line_and_quantity);
        put_short_decimal(table, record->returned[i].quantity, quantity_scale);
        put_empty(table, between_quantity_and_refund);
        if (i == 0)
            put_decimal(table, record->result.refund, money_scale);
        else
            put_empty(table, 1);
        put_empty(table, 2u * columns_of(table)->currency_count);
        end_row(table);
        table->at.rows++;
    }
}

static enum code
put_receipt(struct export_table *table, const struct receipt_row *row, struct err *err)
{
    const struct version_entry *version;
    struct record record;
    struct record_head head;

    enum code rc = record_peek(row->body, &head, err);
    if (rc)
        return rc;
    version = programme_version(table->programme, head.version);
    if (!version)
        return err_set(err, CODE_CORRUPT, "a receipt names version %u, which is not there",
                       head.version);
    const struct terms *terms = plan_terms(version->plan);
    rc = record_decode(row->body, terms, &table->arena, &record, err);
    if (rc)
        return rc;
    if (head.kind == RECORD_PURCHASE)
        put_purchase(table, &record, terms->money_scale);
    else
        put_return(table, &record, terms->money_scale);
    return OK;
}

static enum code
receipts_run(struct tx *tx, struct op *op, struct err *err)
{
    struct export_table *table = op->context;
    struct receipt_row *row;
    uint32_t count;

    enum code rc = store_list_receipts(tx, table->at.owner, table->at.op, receipts_per_page,
                                       &table->arena, &row, &count, err);
    for (uint32_t i = 0; !rc && i < count; i++) {
        struct needs needs = { .owner_id = row[i].owner_id };
        struct view view = { 0 };
        table->at.owner = row[i].owner_id;
        table->at.op = row[i].op_id;
        if (row[i].kind != RECORD_PURCHASE && row[i].kind != RECORD_RETURN)
            continue;
        rc = store_load(tx, &needs, &table->arena, &view, err);
        if (!rc && view.owner_found && is_ours(table, &view.owner))
            rc = put_receipt(table, &row[i], err);
    }
    table->more = !rc && count == receipts_per_page;
    return rc;
}

/* ---- pages ---- */

/* A read may be run again from the start: then the page is begun again. */
static enum code
page_run(struct tx *tx, struct op *op, struct err *err)
{
    static enum code (*const runs[])(struct tx *, struct op *, struct err *) = {
        [EXPORT_MEMBERS] = members_run,
        [EXPORT_MOVEMENTS] = movements_run,
        [EXPORT_RECEIPTS] = receipts_run,
    };
    struct export_table *table = op->context;

    table->at = table->began;
    table->out->len = table->out_began;
    table->first_cell = true;
    return runs[table->kind](tx, op, err);
}

enum code
export_page(struct export_table *table, struct buf *out, bool *more, struct err *err)
{
    struct op op = {
        .access = ACCESS_READ,
        .priority = PRIORITY_LOW,
        .arena = &table->arena,
        .run = page_run,
        .context = table,
    };

    arena_reset(&table->arena);
    table->out = out;
    table->out_began = out->len;
    table->began = table->at;
    enum code rc = store_run(table->service->store, &op, err);
    *more = table->more;
    if (!rc && (out->failed || table->arena.failed))
        rc = err_set(err, CODE_NO_MEMORY, "no memory for a page of the export");
    return rc;
}

uint64_t
export_rows(const struct export_table *table)
{
    return table->at.rows;
}

/* The programme of that name, or the tenant's only one. */
static const struct programme_entry *
find_programme(const struct catalogue *catalogue, uint32_t tenant, const char *code)
{
    const struct programme_entry *found = NULL;

    if (code)
        return catalogue_programme(catalogue, tenant, text_of(code));
    for (uint32_t i = 0; i < catalogue->programme_count; i++) {
        if (catalogue->programme[i].tenant != tenant)
            continue;
        if (found)
            return NULL;
        found = &catalogue->programme[i];
    }
    return found;
}

enum code
export_open(struct service *service, uint32_t tenant, const char *programme, enum export_kind kind,
            struct export_table **table, struct err *err)
{
    const struct programme_entry *entry = find_programme(atomic_load(&service->catalogue), tenant,
                                                         programme);
    struct export_table *made;

    if (!entry || !entry->version_count)
        return programme
                   ? err_set(err, CODE_NOT_FOUND, "the book has no programme '%s'", programme)
                   : err_set(err, CODE_NOT_FOUND, "which programme? the book has none, or several");
    made = calloc(1, sizeof(*made));
    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory to export");
    made->service = service;
    made->tenant = tenant;
    made->programme = entry;
    made->newest = programme_newest(entry);
    made->kind = kind;
    made->now = service->host.now(service->host.context);
    arena_init(&made->arena, heap_source(), page_block_bytes, (size_t)1 << 32);
    *table = made;
    return OK;
}

void
export_close(struct export_table *table)
{
    if (!table)
        return;
    arena_release(&table->arena);
    free(table);
}
