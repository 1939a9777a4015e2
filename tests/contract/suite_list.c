/*
 * suite_list.c - pages of owners, movements, records and plain rows.
 *
 * Owns:      lists, and the rows of back-office tables.
 */
#include "contract/suite.h"

/* ---- lists ---- */

static enum code
owners_body(struct tx *tx, struct job *job, struct err *err)
{
    struct owner *owner;
    uint32_t count, seen = 0;
    uint64_t after = 0;
    do {
        enum code rc = store_list_owners(tx, after, 3, job->op.arena, &owner, &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(owner[i].owner_id > after);
            after = owner[i].owner_id;
            assert_int_equal(after, 10 * ++seen);
            if (after == 50)
                assert_int_equal(owner[i].lot_count, many_lots);
            if (after == 60)
                assert_int_equal(owner[i].counter_count, 6);
        }
    } while (count == 3);
    assert_int_equal(seen, 8);
    return OK;
}

static void
test_list_owners(void **state)
{
    for (uint64_t i = 8; i > 0; i--) {
        struct job *job = earn_new(10 * i, 100 + i, 1);
        job->more = i == 5 ? more_lots : i == 6 ? more_counters : NULL;
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
    struct job *job = job_new(ACCESS_READ, owners_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

static void
more_due(struct job *job, struct changes *changes)
{
    changes->owner->next_due = job->op_id % 2 == 0 ? 500 : 5000;
}

static enum code
due_body(struct tx *tx, struct job *job, struct err *err)
{
    uint64_t ids[2], after = 0, wanted = 2;
    uint32_t count;
    (void)job;
    do {
        enum code rc = store_list_due(tx, after, 500, 3, ids, 2, &count, &after, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++, wanted += 2)
            assert_int_equal(ids[i], wanted);
    } while (after != 0);
    assert_int_equal(wanted, 12);
    return OK;
}

static void
test_list_due(void **state)
{
    for (uint64_t i = 1; i <= 11; i++) {
        struct job *job = earn_new(i, i, 1);
        job->more = more_due;
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
    struct job *job = job_new(ACCESS_READ, due_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

static enum code
history_body(struct tx *tx, struct job *job, struct err *err)
{
    struct movement *movement;
    uint32_t count, after = 0;
    do {
        enum code rc = store_list_movements(tx, 7, after, 4, job->op.arena, &movement, &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(movement[i].movement_no, ++after);
            assert_int_equal(movement[i].owner_id, 7);
        }
    } while (count == 4);
    assert_int_equal(after, 10);
    return OK;
}

static void
test_list_movements(void **state)
{
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(earn(store_in(state), 7, 2 * i, 1), OK);
        assert_int_equal(earn(store_in(state), 8, 2 * i + 1, 1), OK);
    }
    struct job *job = job_new(ACCESS_READ, history_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

enum { records_first = 2, records_count = 20 };

/* Each record once, whatever their order, also when they are read again from the middle. */
static enum code
records_body(struct tx *tx, struct job *job, struct err *err)
{
    bool seen[records_first + records_count] = { false };
    struct receipt_row last = { 0 }, *row;
    uint32_t count, total = 0;
    do {
        enum code rc = store_list_receipts(tx, last.owner_id, last.op_id, 3, job->op.arena, &row,
                                           &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++, total++) {
            assert_in_range(row[i].op_id, records_first, records_first + records_count - 1);
            assert_false(seen[row[i].op_id]);
            seen[row[i].op_id] = true;
            assert_int_equal(row[i].owner_id, 7 + row[i].op_id % 2);
            assert_int_equal(row[i].kind, RECORD_PURCHASE);
            assert_true(text_equal(row[i].body, TEXT("a record")));
            last = row[i];
        }
    } while (count == 3);
    assert_int_equal(total, records_count);
    return OK;
}

static void
test_list_records(void **state)
{
    for (uint64_t op = records_first; op < records_first + records_count; op++)
        assert_int_equal(earn(store_in(state), 7 + op % 2, op, 1), OK);
    struct job *job = job_new(ACCESS_READ, records_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* ---- plain rows ---- */

static struct row
version_row(int64_t tenant, int64_t programme, int64_t version)
{
    return (struct row){ .cell = { { .number = tenant },
                                   { .number = programme },
                                   { .number = version },
                                   { .number = 77 },
                                   { .number = 88 },
                                   { .text = TEXT("hash\0with zero") },
                                   { .text = TEXT("{\"rules\": []}") },
                                   { .text = { NULL, 0 } } } };
}

static enum code
put_rows_body(struct tx *tx, struct job *job, struct err *err)
{
    (void)job;
    for (int64_t programme = 2; programme > 0; programme--)
        for (int64_t version = 5; version > 0; version--) {
            struct row row = version_row(1, programme, version);
            enum code rc = store_put(tx, TABLE_programme_version, &row, err);
            if (rc)
                return rc;
        }
    struct row key = version_row(1, 2, 3);
    return store_delete(tx, TABLE_programme_version, &key, err);
}

static enum code
list_rows_body(struct tx *tx, struct job *job, struct err *err)
{
    static const int64_t wanted[][2] = { { 1, 1 }, { 1, 2 }, { 1, 3 }, { 1, 4 }, { 1, 5 },
                                         { 2, 1 }, { 2, 2 }, { 2, 4 }, { 2, 5 } };
    struct row *rows, *after = NULL;
    uint32_t count, seen = 0;
    do {
        enum code rc = store_list(tx, TABLE_programme_version, after, 2, job->op.arena, &rows,
                                  &count, err);
        if (rc)
            return rc;
        for (uint32_t i = 0; i < count; i++, seen++) {
            assert_int_equal(rows[i].cell[1].number, wanted[seen][0]);
            assert_int_equal(rows[i].cell[2].number, wanted[seen][1]);
        }
        after = rows + count - 1;
    } while (count == 2);
    assert_int_equal(seen, 9);
    return OK;
}

static enum code
get_row_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row key = version_row(1, 2, 4), row;
    bool found;
    enum code rc = store_get(tx, TABLE_programme_version, &key, job->op.arena, &row, &found, err);
    if (rc)
        return rc;
    assert_true(found);
    assert_int_equal(row.cell[3].number, 77);
    assert_true(text_equal(row.cell[5].text, TEXT("hash\0with zero")));
    assert_true(text_equal(row.cell[6].text, TEXT("{\"rules\": []}")));
    assert_int_equal(row.cell[7].text.len, 0);
    key = version_row(1, 2, 3);
    rc = store_get(tx, TABLE_programme_version, &key, job->op.arena, &row, &found, err);
    if (rc == OK)
        assert_false(found);
    return rc;
}

static void
test_config_rows(void **state)
{
    static enum code (*const bodies[])(
        struct tx *, struct job *, struct err *) = { put_rows_body, list_rows_body, get_row_body };
    for (size_t i = 0; i < KOP_COUNT(bodies); i++) {
        struct job *job = job_new(i == 0 ? ACCESS_WRITE : ACCESS_READ, bodies[i]);
        assert_int_equal(job_do(store_in(state), job), OK);
        job_free(job);
    }
}

static enum code
text_keys_body(struct tx *tx, struct job *job, struct err *err)
{
    static const char *const names[] = { "b", "a", "aa", "", "a\xd0\xb1" };
    static const char *const sorted[] = { "", "a", "aa", "a\xd0\xb1", "b", "schema_version" };
    struct row row = { 0 }, *rows;
    uint32_t count;
    for (size_t i = 0; i < KOP_COUNT(names); i++) {
        row.cell[0].text = text_of(names[i]);
        row.cell[1].text = TEXT("value");
        enum code rc = store_put(tx, TABLE_meta, &row, err);
        if (rc)
            return rc;
    }
    row.cell[1].text = TEXT("another"); /* replaces */
    enum code rc = store_put(tx, TABLE_meta, &row, err);
    if (rc == OK)
        rc = store_list(tx, TABLE_meta, NULL, 100, job->op.arena, &rows, &count, err);
    if (rc)
        return rc;
    assert_true(count >= 5);
    for (uint32_t i = 0; i < count; i++)
        assert_true(text_equal(rows[i].cell[0].text, text_of(sorted[i])));
    assert_true(text_equal(rows[3].cell[1].text, TEXT("another")));
    return OK;
}

static void
test_text_keys(void **state)
{
    struct job *job = job_new(ACCESS_WRITE, text_keys_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

/* Journals cannot be changed through the plain rows. */
static enum code
forbidden_body(struct tx *tx, struct job *job, struct err *err)
{
    struct row row = { 0 };
    (void)job;
    assert_int_equal(store_put(tx, TABLE_movement, &row, err), CODE_USAGE);
    assert_int_equal(store_delete(tx, TABLE_receipt, &row, err), CODE_USAGE);
    assert_int_equal(store_put(tx, TABLE_claim, &row, err), CODE_USAGE);
    assert_int_equal(store_delete(tx, TABLE_claim, &row, err), CODE_USAGE);
    assert_int_equal(store_put(tx, TABLE_owner, &row, err), CODE_USAGE);
    return OK;
}

static void
test_journals_only_grow(void **state)
{
    struct job *job = job_new(ACCESS_WRITE, forbidden_body);
    assert_int_equal(job_do(store_in(state), job), OK);
    job_free(job);
}

const struct contract contracts_of_lists[] = {
    { "test_list_owners", test_list_owners },
    { "test_list_due", test_list_due },
    { "test_list_movements", test_list_movements },
    { "test_list_records", test_list_records },
    { "test_config_rows", test_config_rows },
    { "test_text_keys", test_text_keys },
    { "test_journals_only_grow", test_journals_only_grow },
    { NULL, NULL },
};
