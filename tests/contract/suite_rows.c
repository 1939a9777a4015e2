/*
 * suite_rows.c - rows as rows: listed, copied and counted, whatever table they belong to.
 *
 * Owns:      what a job that moves a book may rely on in every store.
 */
#include "contract/suite.h"

enum { many_rows = 150 }; /* more than any store puts into one statement */

/* Every column of a row is told by a number, so that another number gives another row. */
static struct row
made_row(const struct table_facts *facts, uint64_t key, uint64_t rest, char text[][24])
{
    struct row row = { 0 };

    for (uint32_t i = 0; i < facts->column_count; i++) {
        bool is_key = false;
        for (uint32_t k = 0; k < facts->key_count; k++)
            is_key = is_key || facts->key[k] == i;
        uint64_t number = is_key ? key : rest;
        row.cell[i].number = (int64_t)number;
        snprintf(text[i], 24, "%010llu-%u", (unsigned long long)number, (unsigned)i);
        if (!facts->is_number[i])
            row.cell[i].text = text_of(text[i]);
    }
    return row;
}

/* Of the table by_arrival one column alone is the key, and the rest of the row has to agree. */
static struct row
row_of(const struct table_facts *facts, uint64_t key, uint64_t rest, char text[][24])
{
    struct row row = made_row(facts, key, rest, text);

    if (facts->of_owner)
        row.cell[0].number = (int64_t)key;
    return row;
}

struct copied {
    struct job *job;
    struct table_facts facts;
    enum table table;
    uint64_t rest;
};

static struct copied now; /* of the test that runs: jobs have no room for more */

static enum code
copy_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row[many_rows];
    char(*text)[columns_per_table_max][24] = calloc(many_rows, sizeof *text);

    (void)job;
    assert_non_null(text);
    for (uint32_t i = 0; i < many_rows; i++)
        row[i] = row_of(&now.facts, i + 1, now.rest, text[i]);
    enum code rc = store_copy(tx, now.table, row, many_rows, err);
    free(text);
    return rc;
}

/* All rows, page by page, and in order: what does the column after the key's say? */
static enum code
read_body(struct tx *tx, struct job *job, struct err *err)
{
    char text[columns_per_table_max][24];
    struct row last, *row, *after = NULL;
    uint64_t seen = 0, counted = 0;
    uint32_t count;
    enum code rc;

    do {
        rc = store_list(tx, now.table, after, 40, job->op.arena, &row, &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            struct row wanted = row_of(&now.facts, ++seen, now.rest, text);
            assert_true(store_is_same(&now.facts, &row[i], &wanted));
            assert_int_equal(store_compare(&now.facts, &row[i], &wanted), 0);
            assert_true(seen == 1 || store_compare(&now.facts, &last, &row[i]) < 0);
            last = row[i];
        }
        after = &last;
    } while (count == 40);
    assert_int_equal(seen, many_rows);
    rc = store_count(tx, now.table, &counted, err);
    assert_int_equal(counted, many_rows);
    return rc;
}

static void
do_now(void **state, enum access access, enum code (*body)(struct tx *, struct job *, struct err *),
       enum code wanted)
{
    struct job *job = job_new(access, body);

    assert_int_equal(job_do(store_in(state), job), wanted);
    job_free(job);
}

/* Written, written again with other contents, read back: a journal keeps the first. */
static void
test_copies_of_every_table(void **state)
{
    uint32_t tables = 0, journals = 0;

    for (unsigned table = 0; table < table_count; table++) {
        now = (struct copied){ .table = (enum table)table, .rest = 7 };
        store_table(store_in(state), now.table, &now.facts);
        if (now.facts.is_local)
            continue;
        tables++;
        do_now(state, ACCESS_WRITE, copy_body, OK);
        do_now(state, ACCESS_READ, read_body, OK);
        now.rest = 8;
        do_now(state, ACCESS_WRITE, copy_body, OK);
        if (now.facts.only_grows)
            now.rest = 7;
        do_now(state, ACCESS_READ, read_body, OK);
        journals += now.facts.only_grows;
    }
    assert_true(tables > 10);
    assert_int_equal(journals, 3);
}

static enum code
local_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { 0 };
    uint64_t count;

    (void)job;
    assert_int_equal(store_copy(tx, TABLE_meta, &row, 1, err), CODE_USAGE);
    assert_int_equal(store_count(tx, TABLE_meta, &count, err), CODE_USAGE);
    return OK;
}

static enum code
read_only_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { 0 };

    (void)job;
    assert_int_equal(store_freeze(tx, err), CODE_USAGE);
    return store_copy(tx, TABLE_tenant, &row, 1, err);
}

static void
test_copies_refused(void **state)
{
    do_now(state, ACCESS_WRITE, local_body, OK);
    do_now(state, ACCESS_READ, read_only_body, CODE_USAGE);
}

static enum code
two_classes_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { 0 };

    (void)job;
    enum code rc = store_copy(tx, TABLE_person, &row, 1, err);
    assert_int_equal(rc, OK);
    return store_copy(tx, TABLE_lot, &row, 1, err);
}

/* Never an owner and a person in one transaction; and what was written before is taken back. */
static void
test_copies_keep_classes_apart(void **state)
{
    do_now(state, ACCESS_WRITE, two_classes_body, CODE_USAGE);
    now = (struct copied){ .table = TABLE_person };
    store_table(store_in(state), TABLE_person, &now.facts);
    assert_true(now.facts.of_person);
    do_now(state, ACCESS_WRITE, copy_body, OK);
    do_now(state, ACCESS_READ, read_body, OK); /* 150, not 151 */
}

static enum code
frozen_body(struct tx *tx, struct job *job, struct err *err)
{
    struct owner *owner;
    uint32_t count;

    enum code rc = store_freeze(tx, err);
    if (rc == OK)
        rc = store_list_owners(tx, 0, 10, job->op.arena, &owner, &count, err);
    assert_int_equal(count, 1);
    return rc;
}

/* A frozen book can be read under the lock, and is as it was afterwards. */
static void
test_freeze_ends(void **state)
{
    assert_int_equal(earn(store_in(state), 7, 1, 5), OK);
    do_now(state, ACCESS_WRITE, frozen_body, OK);
    assert_int_equal(earn(store_in(state), 7, 2, 5), OK);
    assert_int_equal(points_of(store_in(state), 7), 10);
}

static enum code
mark_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { .cell = { { .text = TEXT(MOVE_MARK) }, { .text = TEXT("elsewhere") } } };

    (void)job;
    return store_put(tx, TABLE_meta, &row, err);
}

/* The mark of an unfinished move keeps everybody out but a move. */
static void
test_half_moved_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store_options options = { .path = fixture->place.path,
                                     .conninfo = fixture->variant->conninfo,
                                     .inline_runner = fixture->variant->is_inline };
    struct err err = { .code = OK };
    struct store *store;

    if (!fixture->variant->sqlite && options.conninfo == NULL)
        return; /* a book in memory is opened once */
    enum code (*const open)(const struct store_options *, struct store **, struct err *) =
        fixture->variant->sqlite ? store_open_sqlite : store_open_postgres;
    do_now(state, ACCESS_WRITE, mark_body, OK);
    assert_int_equal(open(&options, &store, &err), CODE_CONFLICT);
    assert_non_null(strstr(err.text, "half moved"));
    options.moving = true;
    assert_int_equal(open(&options, &store, &err), OK);
    assert_true(strlen(store_identity(store)) > 8);
    store_close(store);
}

const struct contract contracts_of_rows[] = {
    { "test_copies_of_every_table", test_copies_of_every_table },
    { "test_copies_refused", test_copies_refused },
    { "test_copies_keep_classes_apart", test_copies_keep_classes_apart },
    { "test_freeze_ends", test_freeze_ends },
    { "test_half_moved_is_refused", test_half_moved_is_refused },
    { NULL, NULL },
};
