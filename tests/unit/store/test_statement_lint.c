/*
 * test_statement_lint.c - every statement keeps the rules that make the book distributable.
 *
 * Owns:      rules 13, 16 and 17 of the rules of distribution: over the text of all statements in
 *            both dialects, and over what operations really run; each rule is tried on a text that
 *            breaks it.
 */
#include "contract/kit.h"
#include "store/schema.h"
#include "wrap.h"

#include <ctype.h>

/* Scans of one shard for jobs, in pages: the only statements that go over owners. */
static bool
is_scan(enum table table, enum verb verb)
{
    return (table == TABLE_owner && (verb == VERB_RANGE || verb == VERB_DUE)) ||
           verb == VERB_LIST || verb == VERB_COUNT;
}

static uint32_t
count_of(const char *text, const char *word)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

/* NULL, or what is wrong. `mark` opens a parameter. */
static const char *
lint(const char *sql, const struct shape *shape, bool scan, char mark)
{
    static const char *const words[] = { "now(",  "NOW(",  " IN ",   " OR ",  "JOIN", ";",
                                         "LOCK ", "WITH ", "random", "UNION", "*",    "--" };
    char owner[32], op[32];

    for (size_t i = 0; i < KOP_COUNT(words); i++) {
        if (strstr(sql, words[i]) != NULL)
            return words[i];
    }
    if (count_of(sql, "SELECT") + count_of(sql, "INSERT") + count_of(sql, "DELETE") +
            count_of(sql, "UPDATE") - count_of(sql, "DO UPDATE") - count_of(sql, "FOR UPDATE") !=
        1)
        return "more than one statement in one";
    if (shape->class != CLASS_OWNER)
        return NULL;
    if (strstr(sql, "SET owner_id") != NULL || strstr(sql, ", owner_id = ") != NULL)
        return "owner_id is updated";
    if (strncmp(sql, "INSERT", 6) == 0) {
        snprintf(owner, sizeof owner, "VALUES (%c1, ", mark);
        snprintf(op, sizeof op, "%s (owner_id, ", shape->name);
        return strstr(sql, owner) != NULL && strstr(sql, op) != NULL ? NULL : "owner_id is not $1";
    }
    snprintf(owner, sizeof owner, "WHERE owner_id = %c1", mark);
    snprintf(op, sizeof op, " AND op_id = %c2", mark);
    if (!scan && strstr(sql, owner) == NULL)
        return "owner_id = $1 is missing";
    if (!scan && shape->layout == LAYOUT_APPENDED && strstr(sql, op) == NULL)
        return "op_id = $2 is missing";
    return NULL;
}

/* The highest parameter in the text. */
static uint32_t
highest(const char *sql, char mark)
{
    uint32_t most = 0;
    for (const char *at = sql; (at = strchr(at, mark)) != NULL; at++) {
        uint32_t number = (uint32_t)strtoul(at + 1, NULL, 10);
        most = number > most ? number : most;
    }
    return most;
}

static void
test_every_statement(void **state)
{
    uint32_t seen = 0;
    (void)state;
    for (unsigned dialect = 0; dialect < 2; dialect++) {
        char mark = dialect == DIALECT_SQLITE ? '?' : '$';
        struct ground *ground;
        assert_int_equal(ground_new((enum dialect)dialect, &ground, NULL), OK);
        for (unsigned i = 0; i < table_count * verb_count; i++) {
            enum table table = (enum table)(i / verb_count);
            enum verb verb = (enum verb)(i % verb_count);
            const struct statement *statement = &ground->schema.statement[table][verb];
            if (statement->sql == NULL)
                continue;
            seen++;
            const char *wrong = lint(statement->sql, shape_of(table), is_scan(table, verb), mark);
            if (wrong != NULL)
                fail_msg("'%s': %s", statement->sql, wrong);
            assert_int_equal(highest(statement->sql, mark), statement->param_count);
            assert_int_equal(strncmp(statement->sql, "SELECT", 6) == 0,
                             statement->column_count > 0);
        }
        ground_free(ground);
    }
    assert_true(seen > 80);
}

static void
test_lint_finds(void **state)
{
    static const struct {
        const char *sql;
        enum table table;
    } bad[] = {
        { "SELECT body FROM owner WHERE version = $1", TABLE_owner },
        { "SELECT body FROM owner WHERE owner_id IN ($1, $2) FOR UPDATE", TABLE_owner },
        { "UPDATE owner SET owner_id = $2 WHERE owner_id = $1", TABLE_owner },
        { "UPDATE owner SET body = $2, owner_id = $3 WHERE owner_id = $1", TABLE_owner },
        { "UPDATE owner SET body = $2 WHERE owner_id = $1 OR owner_id = $3", TABLE_owner },
        { "SELECT body FROM receipt WHERE op_id = $1", TABLE_receipt },
        { "SELECT body FROM receipt WHERE owner_id = $1", TABLE_receipt },
        { "INSERT INTO movement (movement_no, owner_id) VALUES ($1, $2)", TABLE_movement },
        { "INSERT INTO lot (owner_id, lot_no) SELECT owner_id, 1 FROM owner", TABLE_lot },
        { "SELECT value FROM meta WHERE name < now()", TABLE_meta },
        { "DELETE FROM meta; DELETE FROM meta", TABLE_meta },
    };
    (void)state;
    for (size_t i = 0; i < KOP_COUNT(bad); i++) {
        if (lint(bad[i].sql, shape_of(bad[i].table), false, '$') == NULL)
            fail_msg("nothing wrong with '%s'", bad[i].sql);
    }
}

static void
more_rows(struct job *job, struct changes *changes)
{
    static const char *const names[] = { "phone", "card", "e-mail", "card", "a" };
    static struct lot lot = { .lot_no = 9, .currency = 1, .size = 1, .left = 1, .rule = -1 };
    static struct counter_state counter = { 2, true, 5, 5 };
    static struct member_row member = { .owner_id = 7, .member_id = 8 };
    struct directory_row *row = arena_array(job->op.arena, struct directory_row, 5);

    for (size_t i = 0; i < KOP_COUNT(names); i++) {
        snprintf((char *)row[i].key, sizeof row[i].key, "%s", names[i]);
        row[i].owner_id = 7;
    }
    changes->directory_put = row;
    changes->directory_put_count = KOP_COUNT(names);
    changes->lot_put = &lot;
    changes->lot_put_count = 1;
    changes->counter_put = &counter;
    changes->counter_put_count = 1;
    changes->member_put = &member;
    changes->member_put_count = 1;
}

static bool
writes(const struct note *note)
{
    return note->verb == VERB_INSERT || note->verb == VERB_PUT || note->verb == VERB_ADVANCE ||
           note->verb == VERB_DELETE || note->verb == VERB_COPY;
}

/* Rows that several owners may touch come last: the directory in key order, then the claim. */
static void
test_shared_rows_come_last(void **state)
{
    static const char *const wanted[] = { "a", "card", "e-mail", "phone", "receipt" };
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    (void)state;

    struct job *job = earn_new(7, 1, 1);
    job->more = more_rows;
    job_claim(job, "receipt");
    assert_int_equal(job_do(store, job), OK);
    job_free(job);

    uint32_t written = 0;
    for (uint32_t i = 0; i < wrap.note_count; i++)
        written += writes(&wrap.note[i]);
    assert_int_equal(written, 6 + 5);
    for (uint32_t i = 0; i < 5; i++) {
        const struct note *note = &wrap.note[wrap.note_count - 5 + i];
        assert_int_equal(note->table, i < 4 ? TABLE_directory : TABLE_claim);
        assert_string_equal(note->key, wanted[i]);
    }
    store_close(store);
}

/* An ordinary member's purchase: three point reads, four rows written. */
static void
test_cost_of_a_purchase(void **state)
{
    static const struct note wanted[] = {
        { TABLE_directory, VERB_GET, "" },   { TABLE_claim, VERB_GET, "" },
        { TABLE_owner, VERB_LOCK, "" },      { TABLE_owner, VERB_ADVANCE, "" },
        { TABLE_movement, VERB_INSERT, "" }, { TABLE_receipt, VERB_INSERT, "" },
        { TABLE_claim, VERB_INSERT, "" },
    };
    struct wrap wrap;
    struct store *store = wrap_open(&wrap, NULL);
    (void)state;

    assert_int_equal(earn(store, 7, 1, 1), OK);
    wrap.note_count = 0;
    struct job *job = earn_new(7, 2, 1);
    job_claim(job, "receipt");
    job->op.route_count = 1;
    job->op.route[0] = (struct route){ .kind = ROUTE_DIRECTORY, .key = TEXT("0123456789abcdef") };
    assert_int_equal(job_do(store, job), OK);
    job_free(job);
    assert_int_equal(wrap.note_count, KOP_COUNT(wanted));
    for (size_t i = 0; i < KOP_COUNT(wanted); i++) {
        assert_int_equal(wrap.note[i].table, wanted[i].table);
        assert_int_equal(wrap.note[i].verb, wanted[i].verb);
    }
    store_close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_statement),
        cmocka_unit_test(test_lint_finds),
        cmocka_unit_test(test_shared_rows_come_last),
        cmocka_unit_test(test_cost_of_a_purchase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
