/*
 * later.c - the program of a release to come: two migrations more than it has today.
 *
 * Owns:      what migrations() gives a program that is linked with --wrap=migrations: the steps of
 *            today, a column and a table that are filled (2), and rows that are rewritten (3).
 * Must not:  take steps itself: opening, locking, committing and refusing are the program's own.
 * Use:       as kopilka, on copies: what it brought up the program of today refuses.
 * Tests:     tests/stories/schema
 */
#include "store/migrate.h"

#include <stdio.h>
#include <string.h>

const struct migration *__real_migrations(uint32_t *count);
const struct migration *__wrap_migrations(uint32_t *count);

enum { described_bytes_max = 4096, slices = 8, steps_max = 16 };

/* Is this piece in what the database says of the table? */
static enum code
has(struct backend *writer, enum table table, const char *piece, bool *found, struct err *err)
{
    char bytes[described_bytes_max];
    struct buf buf;

    buf_init_fixed(&buf, bytes, sizeof bytes);
    enum code rc = writer->type->describe(writer, table, &buf, err);
    if (rc)
        return rc;
    buf_add_char(&buf, '\0');
    *found = !buf.failed && strstr(bytes, piece) != NULL;
    return OK;
}

static enum code
execute_all(struct backend *writer, const char *const sql[], uint32_t count, struct err *err)
{
    enum code rc = OK;

    for (uint32_t i = 0; i < count && rc == OK; i++)
        rc = writer->type->execute(writer, sql[i], err);
    return rc;
}

/* ---- step 2 ---- */

static enum code
add_and_fill(struct backend *writer, struct err *err)
{
    static const char *const fill[] = {
        "DELETE FROM daybook",
        "INSERT INTO daybook SELECT owner_id, count(*) FROM movement GROUP BY owner_id",
        "UPDATE owner SET movements = coalesce((SELECT d.movements FROM daybook d "
        "WHERE d.owner_id = owner.owner_id), 0)",
    };
    const char *number = writer->type->dialect == DIALECT_SQLITE ? "INTEGER" : "BIGINT";
    bool there = false;
    char sql[256];

    enum code rc = has(writer, TABLE_owner, "movements ", &there, err);
    snprintf(sql, sizeof sql, "ALTER TABLE owner ADD COLUMN movements %s", number);
    if (rc == OK && !there)
        rc = writer->type->execute(writer, sql, err);
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS daybook (owner_id %s PRIMARY KEY, movements %s)", number,
             number);
    if (rc == OK)
        rc = writer->type->execute(writer, sql, err);
    return rc ? rc : execute_all(writer, fill, KOP_COUNT(fill), err);
}

static enum code
check_column(struct backend *writer, struct err *err)
{
    bool there = false;

    enum code rc = has(writer, TABLE_owner, "movements ", &there, err);
    if (rc == OK && !there)
        rc = err_set(err, CODE_CORRUPT, "the table 'owner' has no column 'movements'");
    return rc;
}

/* ---- step 3 ---- */

/* A table is made anew, its rows go over in slices, and the old one goes. */
static enum code
rewrite(struct backend *writer, enum table table, struct err *err)
{
    const char *name = shape_of(table)->name;
    char sql[described_bytes_max];
    struct buf buf;

    snprintf(sql, sizeof sql, "ALTER TABLE %s RENAME TO before_%s", name, name);
    enum code rc = writer->type->execute(writer, sql, err);
    if (rc)
        return rc;
    buf_init_fixed(&buf, sql, sizeof sql);
    schema_ddl(writer->type->dialect, table, &buf);
    buf_add_char(&buf, '\0');
    rc = writer->type->execute(writer, sql, err);
    for (int i = 0; i < slices && rc == OK; i++) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO %s SELECT * FROM before_%s WHERE owner_id %% %d = %d", name, name,
                 (int)slices, i);
        rc = writer->type->execute(writer, sql, err);
    }
    snprintf(sql, sizeof sql, "DROP TABLE before_%s", name);
    return rc ? rc : writer->type->execute(writer, sql, err);
}

static enum code
rewrite_all(struct backend *writer, struct err *err)
{
    static const enum table table[] = { TABLE_lot, TABLE_movement };
    enum code rc = OK;

    for (uint32_t i = 0; i < KOP_COUNT(table) && rc == OK; i++)
        rc = rewrite(writer, table[i], err);
    return rc;
}

const struct migration *
__wrap_migrations(uint32_t *count)
{
    static struct migration step[steps_max];
    const struct migration *today = __real_migrations(count);

    for (uint32_t i = 0; i < *count; i++)
        step[i] = today[i];
    step[*count] = (struct migration){ *count + 1, "a column and a table, filled", add_and_fill,
                                       check_column };
    step[*count + 1] =
        (struct migration){ *count + 2, "rows rewritten in slices", rewrite_all, check_column };
    *count += 2;
    return step;
}
