/*
 * import_row.c - from rows of a table to bodies of requests: members, cards, receipts.
 *
 * Owns:      see import_row.h.
 * Cost:      a look at each column of a row; columns are found once.
 * Tests:     tests/unit/service/test_import_row.c, tests/stories/import
 */
#include "service/import_row.h"

#include "base/json_write.h"
#include "core/civil.h"
#include "service/crypto.h"

#include <string.h>

/* ---- columns ---- */

#define MEMBER_COLUMNS(X)                                                                          \
    X(EXTERNAL_ID, "external_id")                                                                  \
    X(SURNAME, "surname")                                                                          \
    X(NAME, "name")                                                                                \
    X(PATRONYMIC, "patronymic")                                                                    \
    X(BIRTHDAY, "birthday")                                                                        \
    X(SEX, "sex")                                                                                  \
    X(TOWN, "town")                                                                                \
    X(PHONE, "phone")                                                                              \
    X(EMAIL, "email")                                                                              \
    X(CARD, "card")                                                                                \
    X(CONSENT, "consent")                                                                          \
    X(ENROLLED_AT, "enrolled_at")                                                                  \
    X(BALANCE_AT, "balance_at")

#define CARD_COLUMNS(X) X(NUMBER, "number") X(MEMBER, "member") X(PHONE, "phone") X(STATE, "state")

/* Those of the receipt first, then those of a line. */
#define RECEIPT_COLUMNS(X)                                                                         \
    X(OUTLET, "outlet")                                                                            \
    X(TILL, "till")                                                                                \
    X(PERIOD, "period")                                                                            \
    X(NUMBER, "number")                                                                            \
    X(OCCURRED_AT, "occurred_at")                                                                  \
    X(CARD, "card")                                                                                \
    X(PHONE, "phone")                                                                              \
    X(MEMBER, "member")                                                                            \
    X(MODE, "mode")                                                                                \
    X(CHANNEL, "channel")                                                                          \
    X(REGION, "region")                                                                            \
    X(TENDER, "tender")                                                                            \
    X(FOR_BUSINESS, "for_business")                                                                \
    X(CONFIRMED, "confirmed")                                                                      \
    X(CODES, "codes")                                                                              \
    X(ARTICLE, "article")                                                                          \
    X(QUANTITY, "quantity")                                                                        \
    X(PRICE, "price")                                                                              \
    X(AMOUNT, "amount")                                                                            \
    X(CATEGORY, "category")                                                                        \
    X(BRAND, "brand")                                                                              \
    X(TAGS, "tags")                                                                                \
    X(DISCOUNTED, "discounted")                                                                    \
    X(SERVICE, "service")

#define NAME_OF(id, name)      name,
#define MEMBER_ENUM(id, name)  MEMBER_##id,
#define CARD_ENUM(id, name)    CARD_##id,
#define RECEIPT_ENUM(id, name) RECEIPT_##id,
static const char *const member_columns[] = { MEMBER_COLUMNS(NAME_OF) };
static const char *const card_columns[] = { CARD_COLUMNS(NAME_OF) };
static const char *const receipt_columns[] = { RECEIPT_COLUMNS(NAME_OF) };
enum member_column { MEMBER_COLUMNS(MEMBER_ENUM) member_column_count };
enum card_column { CARD_COLUMNS(CARD_ENUM) card_column_count };
enum receipt_column { RECEIPT_COLUMNS(RECEIPT_ENUM) receipt_column_count };
enum { receipt_head_count = RECEIPT_ARTICLE, receipt_key_count = RECEIPT_OCCURRED_AT };
_Static_assert((int)receipt_column_count <= (int)import_fields_max, "room for each column");

struct layout {
    const char *what;
    const char *const *column;
    uint32_t count;
    uint32_t needed;    /* bits */
    const char *points; /* what columns of points begin with */
};
static const struct layout layouts[] = {
    [IMPORT_MEMBERS] = { "members", member_columns, member_column_count, 0, "balance." },
    [IMPORT_CARDS] = { "cards", card_columns, card_column_count, 1u << CARD_NUMBER, NULL },
    [IMPORT_RECEIPTS] = { "receipts", receipt_columns, receipt_column_count,
                          1u << RECEIPT_OUTLET | 1u << RECEIPT_TILL | 1u << RECEIPT_PERIOD |
                              1u << RECEIPT_NUMBER | 1u << RECEIPT_OCCURRED_AT,
                          "redeem." },
};

static const char *const refusal_columns[] = { "row", "outcome", "pointer", "sentence" };

bool
import_is_refusal_column(struct text name)
{
    for (size_t i = 0; i < KOP_COUNT(refusal_columns); i++)
        if (text_equal(name, text_of(refusal_columns[i])))
            return true;
    return false;
}

/* Is `name` in a list with commas? */
static bool
is_listed(struct text list, struct text name)
{
    while (list.len > 0) {
        uint32_t end = 0;
        while (end < list.len && list.ptr[end] != ',')
            end++;
        if (text_equal((struct text){ list.ptr, end }, name))
            return true;
        list.ptr += end < list.len ? end + 1 : end;
        list.len -= end < list.len ? end + 1 : end;
    }
    return false;
}

/* Understand column `at`; false: nobody knows it. */
static bool
take_column(struct import_table *table, const struct layout *layout, int at, struct text name)
{
    struct text prefix = text_of(layout->points);

    for (uint32_t i = 0; i < layout->count; i++) {
        if (text_equal(name, text_of(layout->column[i]))) {
            table->column[i] = at;
            return true;
        }
    }
    if (!prefix.len || !text_starts(name, prefix) || name.len == prefix.len ||
        table->points_count == currencies_per_programme_max)
        return false;
    table->points[table->points_count++] = (struct import_points){
        .currency = { name.ptr + prefix.len, name.len - prefix.len },
        .column = at,
    };
    return true;
}

static enum code
refuse_column(const struct layout *layout, struct text name, struct err *err)
{
    char all[400];
    struct buf buf;

    buf_init_fixed(&buf, all, sizeof(all) - 1);
    for (uint32_t i = 0; i < layout->count; i++)
        buf_addf(&buf, "%s%s", i ? ", " : "", layout->column[i]);
    if (layout->points)
        buf_addf(&buf, ", %sCURRENCY", layout->points);
    all[buf.len] = 0;
    return err_set(err, CODE_SYNTAX, "'%.*s' is no column of %s; known are: %s", (int)name.len,
                   name.ptr, layout->what, all);
}

enum code
import_table_open(struct import_table *table, const struct csv *csv, struct text ignore,
                  struct err *err)
{
    const struct layout *layout = &layouts[table->kind];

    table->csv = csv;
    table->points_count = 0;
    for (int i = 0; i < import_fields_max; i++)
        table->column[i] = -1;
    for (uint32_t i = 0; i < csv_column_count(csv); i++) {
        struct text name = csv_header(csv, i);
        if (is_listed(ignore, name) || import_is_refusal_column(name))
            continue;
        if (!take_column(table, layout, (int)i, name))
            return refuse_column(layout, name, err);
    }
    for (uint32_t i = 0; i < layout->count; i++)
        if ((layout->needed >> i & 1) && table->column[i] < 0)
            return err_set(err, CODE_SYNTAX, "a table of %s needs the column '%s'", layout->what,
                           layout->column[i]);
    return OK;
}

static struct text
cell(const struct import_table *table, int field)
{
    return csv_field(table->csv, table->column[field]);
}

/* ---- cells ---- */

static bool
one_of(struct text value, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_equal(value, text_of(words[i])))
            return true;
    return false;
}

static bool
read_flag(struct text value, bool *out)
{
    static const char *const yes[] = { "1", "true", "yes", "да", "TRUE", "Да", "ИСТИНА" };
    static const char *const no[] = { "0", "false", "no", "нет", "FALSE", "Нет", "ЛОЖЬ" };

    *out = one_of(value, yes, KOP_COUNT(yes));
    return *out || one_of(value, no, KOP_COUNT(no));
}

/* "31.12.1990" as "1990-12-31"; anything else as it is, for the reader of the request to judge. */
static struct text
civil_date(struct text value, struct arena *arena)
{
    char *out;

    if (value.len != 10 || value.ptr[2] != '.' || value.ptr[5] != '.')
        return value;
    out = arena_alloc(arena, 10);
    if (!out)
        return value;
    memcpy(out, value.ptr + 6, 4);
    out[4] = out[7] = '-';
    memcpy(out + 5, value.ptr + 3, 2);
    memcpy(out + 8, value.ptr, 2);
    return (struct text){ out, 10 };
}

static struct text
sex(struct text value)
{
    static const char *const female[] = { "f", "F", "ж", "Ж" };
    static const char *const male[] = { "m", "M", "м", "М" };

    if (one_of(value, female, KOP_COUNT(female)))
        return TEXT("female");
    return one_of(value, male, KOP_COUNT(male)) ? TEXT("male") : value;
}

/* "2026-02-28 14:05" becomes "2026-02-28T14:05:00+03:00" where the option gave the offset. */
static struct text
instant(struct text value, struct text offset, struct arena *arena)
{
    enum { minutes = 16, seconds = 19 };
    struct buf out;

    if (!offset.len || value.len < minutes || (value.ptr[10] != ' ' && value.ptr[10] != 'T'))
        return value;
    for (uint32_t i = minutes; i < value.len; i++)
        if (value.ptr[i] == 'Z' || value.ptr[i] == '+' || value.ptr[i] == '-')
            return value;
    buf_init(&out, arena, 40);
    buf_add(&out, value.ptr, 10);
    buf_add_char(&out, 'T');
    buf_add(&out, value.ptr + 11, value.len - 11);
    if (value.len < seconds)
        buf_add_text(&out, TEXT(":00"));
    buf_add_text(&out, offset);
    return buf_text(&out);
}

static void
put_field(struct json_writer *writer, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_key(writer, name);
    json_text(writer, value);
}

/* A list of texts from "a|b". */
static void
put_list(struct json_writer *writer, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_key(writer, name);
    json_begin_array(writer);
    for (uint32_t from = 0, at = 0; at <= value.len; at++) {
        if (at < value.len && value.ptr[at] != '|')
            continue;
        json_text(writer, (struct text){ value.ptr + from, at - from });
        from = at + 1;
    }
    json_end_array(writer);
}

static void
begin_body(struct json_writer *writer, struct buf *body, size_t size,
           const struct import_table *table, struct arena *arena)
{
    buf_init(body, arena, size);
    json_write_init(writer, body);
    json_begin_object(writer);
    put_field(writer, "programme", table->programme);
}

/* ---- members ---- */

/*
 * What stays the same when a file is made again: the other system's id, else the card, the
 * telephone, the e-mail; of a row with none of them its whole content.
 */
static struct text
identity_of(const struct import_table *table, struct text body, struct arena *arena)
{
    static const struct {
        int field;
        char mark;
    } by[] = { { MEMBER_EXTERNAL_ID, 'x' },
               { MEMBER_CARD, 'c' },
               { MEMBER_PHONE, 'p' },
               { MEMBER_EMAIL, 'e' } };
    enum { plain_bytes_max = 96 };
    unsigned char hash[sha256_bytes];
    char hex[2 * sha256_bytes], mark = 'r';
    struct text value = body;
    struct buf out;

    for (size_t i = 0; i < KOP_COUNT(by); i++) {
        if (!cell(table, by[i].field).len)
            continue;
        mark = by[i].mark;
        value = cell(table, by[i].field);
        break;
    }
    if (mark == 'r' || value.len > plain_bytes_max) {
        sha256(value.ptr, value.len, hash);
        hex_encode(hash, sizeof(hash), hex);
        value = (struct text){ hex, sizeof(hex) };
    }
    buf_init(&out, arena, value.len + 2);
    buf_add_char(&out, mark);
    buf_add_char(&out, ':');
    buf_add_text(&out, value);
    return buf_text(&out);
}

static struct text
operation_key(const char *what, struct text programme, struct text about, struct text identity,
              struct arena *arena)
{
    struct buf key;

    buf_init(&key, arena, 160);
    buf_addf(&key, "import-%s/", what);
    buf_add_text(&key, programme);
    if (about.len) {
        buf_add_char(&key, '/');
        buf_add_text(&key, about);
    }
    buf_add_char(&key, '/');
    buf_add_text(&key, identity);
    return buf_text(&key);
}

/* A time of the past, or none; `pointer` is a literal. */
static bool
read_past(const struct import_table *table, int field, const char *pointer, struct arena *arena,
          struct text *text, unix_ms *at, struct refusal *refusal)
{
    *at = 0;
    *text = text_copy(arena, instant(cell(table, field), table->offset, arena));
    if (!text->len)
        return true;
    if (!instant_parse(*text, at))
        *refusal = (struct refusal){ OUTCOME_FIELD_FORMAT, text_of(pointer),
                                     TEXT("no time like 2026-02-28T12:00:00+03:00") };
    else if (*at > table->now)
        *refusal = (struct refusal){ .outcome = OUTCOME_IN_FUTURE, .pointer = text_of(pointer) };
    else
        return true;
    return false;
}

static void
read_balances(const struct import_table *table, struct arena *arena, struct import_member *out)
{
    out->balance_count = 0;
    for (uint32_t i = 0; i < table->points_count; i++) {
        struct text points = csv_field(table->csv, table->points[i].column);
        bool nothing = true; /* "", "0", "0.00": there is no balance to bring in */
        for (uint32_t k = 0; k < points.len; k++)
            nothing &= points.ptr[k] == '0' || points.ptr[k] == '.';
        if (!nothing)
            out->balance[out->balance_count++] = (struct import_balance){
                .currency = table->points[i].currency,
                .points = text_copy(arena, points),
            };
    }
}

bool
import_member_read(const struct import_table *table, struct arena *arena, struct import_member *out,
                   struct refusal *refusal)
{
    struct text birthday = civil_date(cell(table, MEMBER_BIRTHDAY), arena);
    struct text card = cell(table, MEMBER_CARD), consent = cell(table, MEMBER_CONSENT);
    struct text enrolled_at;
    struct json_writer writer;
    struct buf body;
    bool agrees = false;

    begin_body(&writer, &body, 448, table, arena);
    put_field(&writer, "surname", cell(table, MEMBER_SURNAME));
    put_field(&writer, "name", cell(table, MEMBER_NAME));
    put_field(&writer, "patronymic", cell(table, MEMBER_PATRONYMIC));
    put_field(&writer, "birthday", birthday);
    put_field(&writer, "sex", sex(cell(table, MEMBER_SEX)));
    put_field(&writer, "town", cell(table, MEMBER_TOWN));
    put_field(&writer, "phone", cell(table, MEMBER_PHONE));
    put_field(&writer, "email", cell(table, MEMBER_EMAIL));
    put_list(&writer, "cards", card);
    if (consent.len) {
        if (!read_flag(consent, &agrees)) {
            *refusal = (struct refusal){ OUTCOME_FIELD_FORMAT, TEXT("/consent"),
                                         TEXT("yes or no is wanted") };
            return false;
        }
        json_key(&writer, "consent");
        json_bool(&writer, agrees);
    }
    json_end_object(&writer);
    out->body = buf_text(&body);
    if (!read_past(table, MEMBER_ENROLLED_AT, "/enrolled_at", arena, &enrolled_at,
                   &out->enrolled_at, refusal) ||
        !read_past(table, MEMBER_BALANCE_AT, "/balance_at", arena, &out->balance_at,
                   &out->opened_at, refusal))
        return false;
    if (!out->opened_at)
        out->opened_at = out->enrolled_at;
    out->identity = identity_of(table, out->body, arena);
    out->key = operation_key("member", table->programme, (struct text){ 0 }, out->identity, arena);
    read_balances(table, arena, out);
    if (!arena->failed)
        return true;
    *refusal = (struct refusal){ .outcome = OUTCOME_TOO_MANY };
    return false;
}

void
import_balance_body(const struct import_table *table, const struct import_member *member,
                    uint32_t which, struct text member_id, struct arena *arena, struct text *body,
                    struct text *key)
{
    const struct import_balance *balance = &member->balance[which];
    struct json_writer writer;
    struct buf out;

    assert(which < member->balance_count);
    begin_body(&writer, &out, 192, table, arena);
    put_field(&writer, "member", member_id);
    put_field(&writer, "currency", balance->currency);
    put_field(&writer, "points", balance->points);
    put_field(&writer, "at", member->balance_at);
    json_end_object(&writer);
    *body = buf_text(&out);
    *key = operation_key("balance", table->programme, balance->currency, member->identity, arena);
}

/* ---- cards ---- */

void
import_card_read(const struct import_table *table, struct arena *arena, struct import_card *out)
{
    *out = (struct import_card){
        .number = text_copy(arena, cell(table, CARD_NUMBER)),
        .member = text_copy(arena, cell(table, CARD_MEMBER)),
        .phone = text_copy(arena, cell(table, CARD_PHONE)),
        .state = text_copy(arena, cell(table, CARD_STATE)),
    };
}

struct text
import_find_body(const struct import_table *table, struct text phone, struct arena *arena)
{
    struct json_writer writer;
    struct buf body;

    begin_body(&writer, &body, 96, table, arena);
    put_field(&writer, "phone", phone);
    json_end_object(&writer);
    return buf_text(&body);
}

struct text
import_card_body(const struct import_table *table, const struct import_card *card,
                 struct arena *arena)
{
    struct json_writer writer;
    struct buf body;

    begin_body(&writer, &body, 128, table, arena);
    put_field(&writer, "number", card->number);
    put_field(&writer, "member", card->member);
    put_field(&writer, "state", card->state);
    json_end_object(&writer);
    return buf_text(&body);
}

/* ---- receipts ---- */

static void
mistake(struct import_receipt *receipt, enum outcome outcome, struct text pointer,
        const char *detail)
{
    if (receipt->refusal.outcome == OUTCOME_DONE)
        receipt->refusal = (struct refusal){ outcome, pointer, text_of(detail) };
}

static const char flag_wanted[] = "yes or no is wanted";
static const int head_flags[] = { RECEIPT_FOR_BUSINESS, RECEIPT_CONFIRMED };

/* "/confirmed" */
static struct text
head_pointer(const struct import_receipt *receipt, int field)
{
    struct buf out;

    buf_init(&out, receipt->arena, 16);
    buf_addf(&out, "/%s", receipt_columns[field]);
    return buf_text(&out);
}

/* "/lines/3/discounted" */
static struct text
line_pointer(const struct import_receipt *receipt, const char *field)
{
    struct buf out;

    buf_init(&out, receipt->arena, 32);
    buf_addf(&out, "/lines/%u/%s", receipt->line_count, field);
    return buf_text(&out);
}

bool
import_receipt_goes_on(const struct import_table *table, const struct import_receipt *receipt)
{
    if (!receipt->arena)
        return false;
    for (int i = 0; i < receipt_key_count; i++)
        if (!text_equal(receipt->head[i], cell(table, i)))
            return false;
    return true;
}

void
import_receipt_begin(const struct import_table *table, struct import_receipt *receipt,
                     struct arena *arena)
{
    bool flag;

    arena_reset(arena);
    *receipt = (struct import_receipt){ .arena = arena };
    for (int i = 0; i < receipt_head_count; i++)
        receipt->head[i] = text_copy(arena, cell(table, i));
    buf_init(&receipt->lines, arena, 1024);
    for (size_t i = 0; i < KOP_COUNT(head_flags); i++)
        if (receipt->head[head_flags[i]].len && !read_flag(receipt->head[head_flags[i]], &flag))
            mistake(receipt, OUTCOME_FIELD_FORMAT, head_pointer(receipt, head_flags[i]),
                    flag_wanted);
}

/* What a later row says of the whole receipt must be what the first one said, or nothing. */
static void
check_head(const struct import_table *table, struct import_receipt *receipt)
{
    for (int i = receipt_key_count; i < receipt_head_count; i++) {
        struct text value = cell(table, i);
        if (value.len && !text_equal(value, receipt->head[i]))
            mistake(receipt, OUTCOME_FIELD_TWICE, head_pointer(receipt, i),
                    "the rows of one receipt say different things");
    }
}

static void
take_redeem(const struct import_table *table, struct import_receipt *receipt)
{
    for (uint32_t i = 0; i < table->points_count; i++) {
        struct text value = csv_field(table->csv, table->points[i].column);
        if (!value.len)
            continue;
        if (!receipt->redeem[i].len)
            receipt->redeem[i] = text_copy(receipt->arena, value);
        else if (!text_equal(receipt->redeem[i], value))
            mistake(receipt, OUTCOME_FIELD_TWICE, TEXT("/redeem"),
                    "the rows of one receipt say different things");
    }
}

static void
put_flag(struct json_writer *writer, int field, struct text value)
{
    bool flag;

    if (!value.len || !read_flag(value, &flag))
        return;
    json_key(writer, receipt_columns[field]);
    json_bool(writer, flag);
}

/* A line's own flag: a mistake is told with the line's place. */
static void
put_line_flag(struct json_writer *writer, const struct import_table *table,
              struct import_receipt *receipt, int field)
{
    struct text value = cell(table, field);
    bool flag;

    if (value.len && !read_flag(value, &flag))
        mistake(receipt, OUTCOME_FIELD_FORMAT, line_pointer(receipt, receipt_columns[field]),
                flag_wanted);
    put_flag(writer, field, value);
}

void
import_receipt_add(const struct import_table *table, struct import_receipt *receipt)
{
    static const int texts[] = { RECEIPT_ARTICLE, RECEIPT_QUANTITY, RECEIPT_PRICE,
                                 RECEIPT_AMOUNT,  RECEIPT_CATEGORY, RECEIPT_BRAND };
    struct json_writer writer;

    check_head(table, receipt);
    take_redeem(table, receipt);
    json_write_init(&writer, &receipt->lines);
    writer.comma = receipt->line_count > 0;
    json_begin_object(&writer);
    for (size_t i = 0; i < KOP_COUNT(texts); i++)
        put_field(&writer, receipt_columns[texts[i]], cell(table, texts[i]));
    put_list(&writer, "tags", cell(table, RECEIPT_TAGS));
    put_line_flag(&writer, table, receipt, RECEIPT_DISCOUNTED);
    put_line_flag(&writer, table, receipt, RECEIPT_SERVICE);
    json_end_object(&writer);
    if (receipt->lines.failed)
        mistake(receipt, OUTCOME_TOO_MANY, TEXT("/lines"), NULL);
    receipt->line_count++;
}

static void
put_redeem(const struct import_table *table, const struct import_receipt *receipt,
           struct json_writer *writer)
{
    bool any = false;

    for (uint32_t i = 0; i < table->points_count; i++) {
        if (!receipt->redeem[i].len)
            continue;
        if (!any) {
            json_key(writer, "redeem");
            json_begin_array(writer);
        }
        any = true;
        json_begin_object(writer);
        put_field(writer, "currency", table->points[i].currency);
        put_field(writer, "amount", receipt->redeem[i]);
        json_end_object(writer);
    }
    if (any)
        json_end_array(writer);
}

struct text
import_receipt_body(const struct import_table *table, const struct import_receipt *receipt,
                    struct arena *arena, unix_ms *at)
{
    struct text when = instant(receipt->head[RECEIPT_OCCURRED_AT], table->offset, arena);
    struct json_writer writer;
    struct buf body;

    if (!instant_parse(when, at))
        *at = 0;
    begin_body(&writer, &body, receipt->lines.len + 512, table, arena);
    for (int i = 0; i < receipt_head_count; i++) {
        if (i == RECEIPT_FOR_BUSINESS || i == RECEIPT_CONFIRMED)
            put_flag(&writer, i, receipt->head[i]);
        else if (i == RECEIPT_CODES)
            put_list(&writer, "codes", receipt->head[i]);
        else
            put_field(&writer, receipt_columns[i],
                      i == RECEIPT_OCCURRED_AT ? when : receipt->head[i]);
    }
    json_key(&writer, "lines");
    json_begin_array(&writer);
    json_raw(&writer, (struct text){ receipt->lines.ptr, (uint32_t)receipt->lines.len });
    json_end_array(&writer);
    put_redeem(table, receipt, &writer);
    json_end_object(&writer);
    return buf_text(&body);
}
