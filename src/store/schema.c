/*
 * schema.c - schema.def and statements.def made into tables, DDL and the text of statements.
 *
 * Owns:      the one place where SQL of rows is spelled.
 * Must not:  name a table or a column itself, but for `owner_id`, `next_due` and `version`, which
 *            verbs mean.
 * Invariant: a statement on an owner table says `owner_id = $1` (RANGE and DUE over the table
 *            owner, LIST and COUNT over any are scans of one shard for jobs; the lint lists them).
 * Cost:      built once per open store.
 * Tests:     tests/unit/store/test_schema_lint.c, test_statement_lint.c
 */
#include "store/schema.h"

#include "base/mem.h"

#define TABLE(name, class, layout)  static const struct column name##_columns[] = {
#define COLUMN(name, type, privacy) { #name, COLUMN_##type, PRIVACY_##privacy },
#define KEY(columns)
#define END(name)                                                                                  \
    }                                                                                              \
    ;
#include "store/schema.def"
#undef TABLE
#undef COLUMN
#undef KEY
#undef END

static const struct shape shapes[] = {
#define TABLE(name, class, layout)                                                                 \
    {                                                                                              \
#name, CLASS_##class, LAYOUT_##layout, name##_columns, KOP_COUNT(name##_columns),
#define COLUMN(name, type, privacy)
#define KEY(columns) columns
#define END(name)                                                                                  \
    }                                                                                              \
    ,
#include "store/schema.def"
#undef TABLE
#undef COLUMN
#undef KEY
#undef END
};

enum verb_bit {
#define X(name) name = 1 << VERB_##name,
    VERBS(X)
#undef X
};

static const struct {
    enum table table;
    unsigned verbs;
} allowed[] = {
#define ALLOW(name, verbs) { TABLE_##name, verbs },
#include "store/statements.def"
#undef ALLOW
};

const char *
verb_name(enum verb verb)
{
    static const char *const names[] = {
#define X(name) #name,
        VERBS(X)
#undef X
    };
    assert(verb < verb_count);
    return names[verb];
}

const struct shape *
shape_of(enum table table)
{
    assert(table < table_count);
    return &shapes[table];
}

static struct text
next_word(struct text *rest)
{
    uint32_t start = 0;
    while (start < rest->len && (rest->ptr[start] == ' ' || rest->ptr[start] == ','))
        start++;
    uint32_t end = start;
    while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != ',')
        end++;
    struct text word = { rest->ptr + start, end - start };
    *rest = (struct text){ rest->ptr + end, rest->len - end };
    return word;
}

uint32_t
shape_key(const struct shape *shape, uint32_t key[keys_per_table_max])
{
    struct text rest = text_of(shape->key_text);
    uint32_t count = 0;

    for (struct text word = next_word(&rest); word.len > 0; word = next_word(&rest)) {
        uint32_t at = 0;
        while (at < shape->column_count && !text_equal(text_of(shape->column[at].name), word))
            at++;
        if (at == shape->column_count || count == keys_per_table_max)
            return 0;
        key[count++] = at;
    }
    return count;
}

/* ---- the text of statements ---- */

struct maker {
    enum dialect dialect;
    enum table table;
    const struct shape *shape;
    uint32_t key_count;
    const uint32_t *key;
    struct statement *statement;
    struct buf *buf;
};

static void
add_number(struct maker *maker, uint32_t number)
{
    buf_add_char(maker->buf, maker->dialect == DIALECT_SQLITE ? '?' : '$');
    buf_add_u64(maker->buf, number);
}

/* The next parameter, of the column's type. */
static void
add_param(struct maker *maker, enum column_type type)
{
    struct statement *statement = maker->statement;
    assert(statement->param_count < params_per_statement_max);
    statement->param[statement->param_count++] = type;
    add_number(maker, statement->param_count);
}

static void
add_columns(struct maker *maker)
{
    for (uint32_t i = 0; i < maker->shape->column_count; i++)
        buf_addf(maker->buf, "%s%s", i > 0 ? ", " : "", maker->shape->column[i].name);
}

static void
add_select(struct maker *maker)
{
    struct statement *statement = maker->statement;

    buf_addf(maker->buf, "SELECT ");
    add_columns(maker);
    buf_addf(maker->buf, " FROM %s", maker->shape->name);
    statement->column_count = maker->shape->column_count;
    for (uint32_t i = 0; i < maker->shape->column_count; i++)
        statement->column[i] = maker->shape->column[i].type;
}

static const struct column *
key_column(const struct maker *maker, uint32_t i)
{
    assert(i < maker->key_count);
    return &maker->shape->column[maker->key[i]];
}

/* " WHERE a = $1 AND b = $2", for the first `count` columns of the key. */
static void
add_where(struct maker *maker, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_addf(maker->buf, "%s%s = ", i == 0 ? " WHERE " : " AND ", key_column(maker, i)->name);
        add_param(maker, key_column(maker, i)->type);
    }
}

static void
add_order(struct maker *maker, uint32_t from)
{
    buf_addf(maker->buf, " ORDER BY ");
    for (uint32_t i = from; i < maker->key_count; i++)
        buf_addf(maker->buf, "%s%s", i > from ? ", " : "", key_column(maker, i)->name);
}

static void
add_limit(struct maker *maker)
{
    buf_addf(maker->buf, " LIMIT ");
    add_param(maker, COLUMN_I64);
}

static bool
is_key(const struct maker *maker, uint32_t column)
{
    for (uint32_t i = 0; i < maker->key_count; i++) {
        if (maker->key[i] == column)
            return true;
    }
    return false;
}

/* The columns of a row more than the statement has, in brackets. */
static void
add_row_of_params(struct maker *maker, uint32_t row)
{
    uint32_t columns = maker->shape->column_count;

    for (uint32_t i = 0; i < columns; i++) {
        buf_addf(maker->buf, "%s", i > 0 ? ", " : "(");
        if (row == 0)
            add_param(maker, maker->shape->column[i].type);
        else
            add_number(maker, row * columns + i + 1);
    }
    buf_addf(maker->buf, ")");
}

static void
make_insert(struct maker *maker, enum verb verb, uint32_t rows)
{
    buf_addf(maker->buf, "INSERT INTO %s (", maker->shape->name);
    add_columns(maker);
    buf_addf(maker->buf, ") VALUES ");
    for (uint32_t row = 0; row < rows; row++) {
        buf_addf(maker->buf, "%s", row > 0 ? ", " : "");
        add_row_of_params(maker, row);
    }
    if (verb == VERB_INSERT)
        return;
    if (verb == VERB_COPY && schema_only_grows(maker->table)) {
        buf_addf(maker->buf, " ON CONFLICT DO NOTHING");
        return;
    }
    buf_addf(maker->buf, " ON CONFLICT (%s) DO UPDATE SET ", maker->shape->key_text);
    const char *comma = "";
    for (uint32_t i = 0; i < maker->shape->column_count; i++) {
        if (is_key(maker, i))
            continue;
        const char *name = maker->shape->column[i].name;
        buf_addf(maker->buf, "%s%s = excluded.%s", comma, name, name);
        comma = ", ";
    }
}

/* A parameter's number is its column's position, from 1. */
static void
make_advance(struct maker *maker)
{
    const struct shape *shape = maker->shape;
    uint32_t version = 0;

    assert(maker->key_count == 1);
    assert(maker->key[0] == 0);
    buf_addf(maker->buf, "UPDATE %s SET ", shape->name);
    for (uint32_t i = 0; i < shape->column_count; i++) {
        maker->statement->param[maker->statement->param_count++] = shape->column[i].type;
        if (i == 0)
            continue;
        buf_addf(maker->buf, "%s%s = ", i > 1 ? ", " : "", shape->column[i].name);
        add_number(maker, i + 1);
        if (text_equal(text_of(shape->column[i].name), TEXT("version")))
            version = i + 1;
    }
    assert(version > 0);
    buf_addf(maker->buf, " WHERE %s = ", shape->column[0].name);
    add_number(maker, 1);
    buf_addf(maker->buf, " AND version = ");
    add_number(maker, version);
    buf_addf(maker->buf, " - 1");
}

static void
make_list(struct maker *maker)
{
    bool appended =
        maker->dialect == DIALECT_SQLITE && maker->shape->layout == LAYOUT_APPENDED;
    uint32_t first = appended ? maker->key_count - 1 : 0; /* what the rows lie in the order of */

    add_select(maker);
    for (uint32_t i = 0; i < first; i++) /* given, and not needed */
        maker->statement->param[maker->statement->param_count++] = key_column(maker, i)->type;
    for (uint32_t i = first; i < maker->key_count; i++)
        buf_addf(maker->buf, "%s%s", i > first ? ", " : " WHERE (", key_column(maker, i)->name);
    for (uint32_t i = first; i < maker->key_count; i++) {
        buf_addf(maker->buf, "%s", i > first ? ", " : ") > (");
        add_param(maker, key_column(maker, i)->type);
    }
    buf_addf(maker->buf, ")");
    add_order(maker, first);
    add_limit(maker);
}

static void
make_range(struct maker *maker)
{
    uint32_t last = maker->key_count - 1;

    add_where(maker, last);
    buf_addf(maker->buf, "%s%s > ", last > 0 ? " AND " : " WHERE ", key_column(maker, last)->name);
    add_param(maker, key_column(maker, last)->type);
    add_order(maker, last);
    add_limit(maker);
}

static void
make_due(struct maker *maker)
{
    buf_addf(maker->buf, "SELECT owner_id, next_due FROM %s", maker->shape->name);
    maker->statement->column_count = 2;
    maker->statement->column[0] = COLUMN_I64;
    maker->statement->column[1] = COLUMN_I64;
    make_range(maker);
}

static void
make(struct maker *maker, enum verb verb)
{
    switch (verb) {
    case VERB_GET:
    case VERB_LOCK:
        add_select(maker);
        add_where(maker, maker->key_count);
        if (verb == VERB_LOCK && maker->dialect == DIALECT_POSTGRESQL)
            buf_addf(maker->buf, " FOR UPDATE");
        break;
    case VERB_INSERT:
    case VERB_PUT:
    case VERB_COPY:
        make_insert(maker, verb, 1);
        break;
    case VERB_ADVANCE:
        make_advance(maker);
        break;
    case VERB_DELETE:
        buf_addf(maker->buf, "DELETE FROM %s", maker->shape->name);
        add_where(maker, maker->key_count);
        break;
    case VERB_OWNED:
        add_select(maker);
        add_where(maker, 1);
        add_order(maker, 1);
        break;
    case VERB_RANGE:
        add_select(maker);
        make_range(maker);
        break;
    case VERB_DUE:
        make_due(maker);
        break;
    case VERB_FIRST:
        add_select(maker);
        add_order(maker, 0);
        add_limit(maker);
        break;
    case VERB_LIST:
        make_list(maker);
        break;
    case VERB_COUNT:
        buf_addf(maker->buf, "SELECT count(%s) FROM %s", key_column(maker, 0)->name,
                 maker->shape->name);
        maker->statement->column_count = 1;
        maker->statement->column[0] = COLUMN_I64;
        break;
    case verb_count:
        break;
    }
}

enum code
schema_build(struct schema *schema, enum dialect dialect, struct arena *arena, struct err *err)
{
    *schema = (struct schema){ 0 };
    for (size_t i = 0; i < table_count; i++) {
        schema->key_count[i] = shape_key(&shapes[i], schema->key[i]);
        assert(schema->key_count[i] > 0);
    }
    for (size_t i = 0; i < KOP_COUNT(allowed); i++) {
        enum table table = allowed[i].table;
        for (unsigned verb = 0; verb < verb_count; verb++) {
            if ((allowed[i].verbs & (1u << verb)) == 0)
                continue;
            struct buf buf;
            struct maker maker = {
                .dialect = dialect,
                .table = table,
                .shape = &shapes[table],
                .key_count = schema->key_count[table],
                .key = schema->key[table],
                .statement = &schema->statement[table][verb],
                .buf = &buf,
            };
            buf_init(&buf, arena, 512);
            make(&maker, (enum verb)verb);
            buf_add_char(&buf, '\0');
            if (buf.failed)
                return err_set(err, CODE_NO_MEMORY, "no memory for the schema");
            maker.statement->sql = buf.ptr;
        }
    }
    return OK;
}

bool
schema_only_grows(enum table table)
{
    for (size_t i = 0; i < KOP_COUNT(allowed); i++) {
        if (allowed[i].table == table)
            return (allowed[i].verbs & (PUT | ADVANCE | DELETE)) == 0;
    }
    return false;
}

void
schema_copy(enum dialect dialect, enum table table, uint32_t rows, struct buf *buf)
{
    struct statement statement = { 0 };
    uint32_t key[keys_per_table_max];
    struct maker maker = {
        .dialect = dialect,
        .table = table,
        .shape = shape_of(table),
        .key_count = shape_key(shape_of(table), key),
        .key = key,
        .statement = &statement,
        .buf = buf,
    };

    make_insert(&maker, VERB_COPY, rows);
}

/* ---- DDL ---- */

static const char *
type_name(enum dialect dialect, enum column_type type)
{
    static const char *const names[2][3] = {
        { "INTEGER", "TEXT", "BLOB" },
        { "BIGINT", "TEXT", "BYTEA" },
    };
    return names[dialect][type];
}

void
schema_ddl(enum dialect dialect, enum table table, struct buf *buf)
{
    const struct shape *shape = shape_of(table);
    uint32_t key[keys_per_table_max];
    uint32_t key_count = shape_key(shape, key);
    bool appended = dialect == DIALECT_SQLITE && shape->layout == LAYOUT_APPENDED;
    /* A single integer key is SQLite's rowid: rows lie in key order as well, and cheaper. */
    bool rowid = dialect == DIALECT_SQLITE &&
                 (appended || (key_count == 1 && shape->column[key[0]].type == COLUMN_I64));

    buf_addf(buf, "CREATE TABLE IF NOT EXISTS %s (", shape->name);
    for (uint32_t i = 0; i < shape->column_count; i++) {
        bool is_rowid = rowid && i == key[key_count - 1];
        bool is_text = shape->column[i].type == COLUMN_TEXT;
        /* Keys are in the order of their bytes, whatever the database's language is. */
        const char *order = dialect == DIALECT_POSTGRESQL && is_text ? " COLLATE \"C\"" : "";
        buf_addf(buf, "%s%s %s%s%s", i > 0 ? ", " : "", shape->column[i].name,
                 type_name(dialect, shape->column[i].type), order,
                 is_rowid ? " PRIMARY KEY" : " NOT NULL");
    }
    if (!rowid)
        buf_addf(buf, ", PRIMARY KEY (%s)", shape->key_text);
    buf_addf(buf, ")");
    if (dialect == DIALECT_SQLITE)
        buf_addf(buf, rowid ? " STRICT" : " STRICT, WITHOUT ROWID");
}

void
schema_describe(enum dialect dialect, enum table table, struct buf *buf)
{
    const struct shape *shape = shape_of(table);
    uint32_t key[keys_per_table_max];
    uint32_t key_count = shape_key(shape, key);
    bool appended = dialect == DIALECT_SQLITE && shape->layout == LAYOUT_APPENDED;

    for (uint32_t i = 0; i < shape->column_count; i++)
        buf_addf(buf, "%s %s, ", shape->column[i].name, type_name(dialect, shape->column[i].type));
    buf_addf(buf, "key");
    for (uint32_t i = appended ? key_count - 1 : 0; i < key_count; i++)
        buf_addf(buf, " %s", shape->column[key[i]].name);
}

void
schema_grant(enum table table, struct text role, struct buf *buf)
{
    for (size_t i = 0; i < KOP_COUNT(allowed); i++) {
        unsigned verbs = allowed[i].verbs;
        if (allowed[i].table != table)
            continue;
        buf_addf(buf, "GRANT SELECT%s%s%s ON %s TO ", verbs & (INSERT | PUT) ? ", INSERT" : "",
                 verbs & (PUT | ADVANCE) ? ", UPDATE" : "", verbs & DELETE ? ", DELETE" : "",
                 shape_of(table)->name);
        buf_add_text(buf, role);
        return;
    }
}

int
cell_compare(const struct cell *a, const struct cell *b, enum column_type type)
{
    if (type != COLUMN_I64)
        return text_compare(a->text, b->text);
    return (a->number > b->number) - (a->number < b->number);
}
