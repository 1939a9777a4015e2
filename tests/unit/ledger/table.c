/*
 * table.c - runs table tests of the ledger: files that read like the domain.
 *
 * Owns:      parsing of rows, names of lots and redemptions, comparing movements with what is
 *            written.
 * Must not:  know what is right: the files do.
 *
 * A row is an operation, or a setting; the indented rows under it say what must be then. When an
 * operation has movement rows, its movements must be exactly those, in that order. After each
 * operation the movements are audited against the row.
 */
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { words_max = 24, names_max = 40, takes_max = 40 };

struct paid {
    char name[16];
    uint32_t count;
    struct take take[takes_max];
};

struct table {
    struct world world;
    const char *path;
    int line;
    bool failed;
    struct table_result result;
    char name[names_max][16];   /* of lots */
    struct take lot[names_max]; /* as they were made */
    uint32_t name_count;
    struct paid paid[names_max];
    uint32_t paid_count;
    char hold[names_max][16]; /* names of holds: operation = 1 + position + 500 */
    uint32_t hold_count;
    uint32_t next_movement; /* of this operation's, the next one to be named by a row */
    bool movements_named;
    bool has_operation;
};

static void
fail_row(struct table *table, const char *format, ...)
{
    va_list args;

    if (table->failed)
        return;
    table->failed = true;
    int used = snprintf(table->result.failure, sizeof(table->result.failure),
                        "%s:%d: ", table->path, table->line);
    va_start(args, format);
    vsnprintf(table->result.failure + used, sizeof(table->result.failure) - (size_t)used, format,
              args);
    va_end(args);
}

static int64_t
number(struct table *table, const char *word)
{
    char *end;
    long long value = strtoll(word ? word : "", &end, 10);

    if (!word || *end != '\0' || end == word)
        fail_row(table, "'%s' is not a number", word ? word : "");
    return value;
}

/* A date (its first instant in UTC), a date and time, or never. */
static unix_ms
instant(struct table *table, const char *word)
{
    struct date date;
    unix_ms at = 0;
    char whole[40];

    if (word && strcmp(word, "never") == 0)
        return TIME_NONE;
    if (word && date_parse(text_of(word), &date))
        return date_to_day(date) * DAY_MS;
    snprintf(whole, sizeof(whole), "%s%s", word ? word : "",
             word && strchr(word, 'Z') ? "" : ":00Z");
    if (!instant_parse(text_of(whole), &at))
        fail_row(table, "'%s' is not an instant", word ? word : "");
    return at;
}

/* The word after `key`, or NULL. */
static const char *
after(char **words, int count, const char *key)
{
    for (int i = 0; i + 1 < count; i++)
        if (strcmp(words[i], key) == 0)
            return words[i + 1];
    return NULL;
}

static int
lot_named(struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->name_count; i++)
        if (strcmp(table->name[i], name) == 0)
            return (int)i;
    fail_row(table, "there is no lot '%s'", name);
    return 0;
}

static uint64_t
hold_named(struct table *table, const char *name, bool make)
{
    uint32_t i = 0;

    while (i < table->hold_count && strcmp(table->hold[i], name) != 0)
        i++;
    if (i == table->hold_count && !make)
        fail_row(table, "there is no hold '%s'", name);
    else if (i == table->hold_count && i < names_max)
        snprintf(table->hold[table->hold_count++], sizeof(table->hold[0]), "%s", name);
    return 501 + i;
}

static struct paid *
paid_named(struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->paid_count; i++)
        if (strcmp(table->paid[i].name, name) == 0)
            return &table->paid[i];
    fail_row(table, "there is no redemption '%s'", name);
    return NULL;
}

static void
keep_paid(struct table *table, const char *name, const struct take *take, uint32_t count)
{
    if (!name || count > takes_max || table->paid_count == names_max)
        return;
    struct paid *paid = &table->paid[table->paid_count++];
    snprintf(paid->name, sizeof(paid->name), "%s", name);
    memcpy(paid->take, take, count * sizeof(*take));
    paid->count = count;
}

/* currency 1 [pending P] [expiry P] [grace N] [debt refuse]; the terms from here on. */
static void
set_terms(struct table *table, char **words, int count)
{
    struct currency_terms *terms = &table->world.currency[0];
    const char *pending = after(words, count, "pending");
    const char *expiry = after(words, count, "expiry");
    const char *grace = after(words, count, "grace");
    const char *debt = after(words, count, "debt");

    *terms = (struct currency_terms){ .no = 1, .code = TEXT("bonus") };
    if (pending) {
        terms->pending = PENDING_PERIOD;
        if (!period_parse(text_of(pending), &terms->pending_period))
            fail_row(table, "'%s' is not a period", pending);
    }
    if (expiry) {
        terms->expiry = EXPIRY_PERIOD;
        if (!period_parse(text_of(expiry), &terms->expiry_period))
            fail_row(table, "'%s' is not a period", expiry);
    }
    terms->grace_days = grace ? (uint16_t)number(table, grace) : 0;
    terms->debt = debt && strcmp(debt, "refuse") == 0 ? DEBT_REFUSE : DEBT_ALLOW;
    table->world.terms.currency_count = 1;
}

static void
make_lot(struct table *table, struct ledger *ledger, char **words, int count)
{
    amount points = number(table, words[2]);
    const char *active = after(words, count, "active");
    const char *expires = after(words, count, "expires");
    const char *earned = after(words, count, "earned");
    unix_ms at = earned ? instant(table, earned) : ledger->now;
    bool opened = strcmp(words[0], "lot") == 0;
    struct take lot = { .currency = 1,
                        .points = points,
                        .size = points,
                        .cause = ledger->op_id,
                        .rule = 5,
                        .version = 7 };

    if (table->failed || table->name_count == names_max)
        return;
    if (opened) { /* with the life that is written */
        lot.active_from = active ? instant(table, active) : ledger->now;
        lot.expires_at = expires ? instant(table, expires) : TIME_NONE;
        lot.lot_no = ledger_earn_life(ledger, MOVEMENT_OPEN, 1, points, at, 7, 5, lot.active_from,
                                      lot.expires_at);
    } else { /* by the terms */
        lot.lot_no = ledger_earn(ledger, MOVEMENT_EARN, 1, points, at, 7, 5, &lot.active_from,
                                 &lot.expires_at);
    }
    snprintf(table->name[table->name_count], sizeof(table->name[0]), "%s", words[1]);
    table->lot[table->name_count++] = lot;
}

/* redeem 75 on D [as P] [from H], hold H 75 until D on D */
static enum outcome
take_points(struct table *table, struct ledger *ledger, char **words, int count)
{
    bool hold = strcmp(words[0], "hold") == 0;
    amount points = number(table, words[hold ? 2 : 1]);
    struct take *take = NULL;
    uint32_t takes = 0;

    if (table->failed)
        return OUTCOME_DONE;
    if (points > 0) {
        enum outcome outcome = ledger_plan_take(ledger->owner, 1, points, ledger->arena, &take,
                                                &takes);
        if (outcome != OUTCOME_DONE)
            return outcome;
    }
    if (hold)
        return ledger_hold(ledger, hold_named(table, words[1], true),
                           instant(table, after(words, count, "until")), take, takes);
    ledger_spend(ledger, take, takes, 0);
    keep_paid(table, after(words, count, "as"), take, takes);
    return OUTCOME_DONE;
}

/* capture H [25 of A] [as P]; void H */
static enum outcome
resolve_hold(struct table *table, struct ledger *ledger, char **words, int count)
{
    uint64_t id = hold_named(table, words[1], false);
    const struct hold *hold = ledger_find_hold(ledger->owner, id);
    const char *of = after(words, count, "of");

    if (table->failed)
        return OUTCOME_DONE;
    if (!hold)
        return OUTCOME_RESERVE_ENDED;
    if (strcmp(words[0], "void") == 0) {
        ledger_void(ledger, id);
        return OUTCOME_DONE;
    }
    if (!of) {
        keep_paid(table, after(words, count, "as"), hold->take, hold->take_count);
        ledger_capture(ledger, id);
        return OUTCOME_DONE;
    }
    uint32_t lot_no = table->lot[lot_named(table, of)].lot_no;
    for (uint32_t i = 0; i < hold->take_count; i++)
        if (hold->take[i].lot_no == lot_no) {
            struct take part = hold->take[i];
            part.points = number(table, words[2]);
            ledger_spend(ledger, &part, 1, id);
            keep_paid(table, after(words, count, "as"), &part, 1);
            return OUTCOME_DONE;
        }
    fail_row(table, "the hold holds nothing of '%s'", of);
    return OUTCOME_DONE;
}

/* restore P 50 [of A]: the last taken first */
static void
restore(struct table *table, struct ledger *ledger, char **words, int count)
{
    struct paid *paid = paid_named(table, words[1]);
    amount left = number(table, words[2]);
    const char *of = after(words, count, "of");
    uint32_t only = of ? table->lot[lot_named(table, of)].lot_no : 0;

    if (table->failed)
        return;
    for (uint32_t i = paid->count; i-- > 0 && left > 0;) {
        struct take *take = &paid->take[i];
        amount part = take->points < left ? take->points : left;
        if (part == 0 || (only && take->lot_no != only))
            continue;
        ledger_restore(ledger, take, part, 99);
        take->points -= part; /* the rest can come back later */
        left -= part;
    }
    if (left != 0)
        fail_row(table, "'%s' did not take that much", words[1]);
}

static enum outcome
operate(struct table *table, struct ledger *ledger, char **words, int count)
{
    amount debt;

    if (strcmp(words[0], "lot") == 0 || strcmp(words[0], "earn") == 0)
        make_lot(table, ledger, words, count);
    else if (strcmp(words[0], "redeem") == 0 || strcmp(words[0], "hold") == 0)
        return take_points(table, ledger, words, count);
    else if (strcmp(words[0], "capture") == 0 || strcmp(words[0], "void") == 0)
        return resolve_hold(table, ledger, words, count);
    else if (strcmp(words[0], "restore") == 0)
        restore(table, ledger, words, count);
    else if (strcmp(words[0], "revoke") == 0)
        return ledger_revoke(ledger, table->lot[lot_named(table, words[1])].lot_no, 1,
                             number(table, words[2]), 98, &debt);
    else if (strcmp(words[0], "regive") == 0)
        ledger_regive(ledger, &table->lot[lot_named(table, words[1])], number(table, words[2]), 98);
    else if (strcmp(words[0], "settle") != 0)
        fail_row(table, "'%s' is no operation", words[0]);
    return OUTCOME_DONE;
}

static void
end_operation(struct table *table)
{
    const struct changes *changes = &table->world.changes;

    if (table->has_operation && table->movements_named &&
        table->next_movement < changes->movement_count && !table->failed) {
        const struct movement *movement = &changes->movement[table->next_movement];
        fail_row(table, "the operation before this row also made %s %lld of lot %u",
                 movement_kind_name(movement->kind), (long long)movement->amount, movement->lot_no);
    }
    table->has_operation = false;
}

static void
run_operation(struct table *table, char **words, int count)
{
    const char *on = after(words, count, "on");
    const char *wanted = after(words, count, "=>");
    uint32_t wrong_no;

    if (!on || count < 2) {
        fail_row(table, "an operation needs its day: on DATE");
        return;
    }
    unix_ms now = instant(table, on);
    if (table->failed)
        return;
    struct ledger *ledger = world_begin(&table->world, now);
    uint32_t settled = table->world.changes.movement_count;
    enum outcome outcome = operate(table, ledger, words, count);
    if (table->failed)
        return;
    if (strcmp(outcome_name(outcome), wanted ? wanted : "DONE") != 0)
        fail_row(table, "the outcome is %s", outcome_name(outcome));
    if (outcome != OUTCOME_DONE && table->world.changes.movement_count != settled)
        fail_row(table, "a refusal made movements");
    world_end(&table->world);
    const char *wrong = world_audit(&table->world, &wrong_no);
    if (wrong)
        fail_row(table, "audit: %s", wrong);
    table->next_movement = 0;
    table->movements_named = false;
    table->has_operation = true;
    table->result.cases++;
}

/* spend A 25 [at D], revoke debt 20: the operation's next movement. `take` is another word for
 * spend. */
static bool
expect_movement(struct table *table, char **words, int count)
{
    const struct changes *changes = &table->world.changes;
    char kind_name[16];
    uint32_t kind = 0;

    snprintf(kind_name, sizeof(kind_name), "%s", strcmp(words[0], "take") ? words[0] : "spend");
    for (char *c = kind_name; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    while (kind < movement_kind_count &&
           strcmp(kind_name, movement_kind_name((enum movement_kind)kind)) != 0)
        kind++;
    if (kind == movement_kind_count || count < 3)
        return false;
    table->movements_named = true;
    bool debt = strcmp(words[1], "debt") == 0;
    uint32_t lot_no = debt ? 0 : table->lot[lot_named(table, words[1])].lot_no;
    if (table->failed)
        return true;
    if (table->next_movement >= changes->movement_count) {
        fail_row(table, "there are only %u movements", changes->movement_count);
        return true;
    }
    const struct movement *movement = &changes->movement[table->next_movement++];
    const char *at = after(words, count, "at");
    if (movement->kind != kind || movement->lot_no != lot_no ||
        movement->amount != number(table, words[2]))
        fail_row(table, "the movement is %s %lld of lot %u", movement_kind_name(movement->kind),
                 (long long)movement->amount, movement->lot_no);
    if (at && movement->at != instant(table, at))
        fail_row(table, "the movement is at %lld", (long long)movement->at);
    return true;
}

/* balance active 25 pending 0 held 0 debt 0 available 25; those named are compared. */
static void
expect_balance(struct table *table, char **words, int count)
{
    const struct owner *owner = table->world.changes.owner;

    for (int i = 1; i + 1 < count; i += 2) {
        amount is = 0, wanted = number(table, words[i + 1]);
        if (strcmp(words[i], "active") == 0)
            is = owner_balance(owner, 1, ACCOUNT_ACTIVE);
        else if (strcmp(words[i], "pending") == 0)
            is = owner_balance(owner, 1, ACCOUNT_PENDING);
        else if (strcmp(words[i], "held") == 0)
            is = owner_balance(owner, 1, ACCOUNT_HELD);
        else if (strcmp(words[i], "debt") == 0)
            is = -owner_balance(owner, 1, ACCOUNT_DEBT);
        else if (strcmp(words[i], "expired") == 0)
            is = owner_balance(owner, 1, ACCOUNT_EXPIRED);
        else if (strcmp(words[i], "available") == 0)
            is = ledger_available(owner, 1);
        else
            fail_row(table, "'%s' is no balance", words[i]);
        if (is != wanted)
            fail_row(table, "%s is %lld", words[i], (long long)is);
    }
}

/* left A 25 [held 5] [size 50] [expires D]; gone A; due D */
static void
expect_lot(struct table *table, char **words, int count)
{
    const struct owner *owner = table->world.changes.owner;
    uint32_t lot_no = table->lot[lot_named(table, words[1])].lot_no;
    const struct lot *lot = NULL;
    const char *held = after(words, count, "held");
    const char *size = after(words, count, "size");
    const char *expires = after(words, count, "expires");

    for (uint32_t i = 0; i < owner->lot_count; i++)
        if (owner->lot[i].lot_no == lot_no)
            lot = &owner->lot[i];
    if (strcmp(words[0], "gone") == 0) {
        if (lot)
            fail_row(table, "of the lot %lld are left", (long long)lot->left);
        return;
    }
    if (!lot) {
        fail_row(table, "the lot is gone");
        return;
    }
    if (lot->left != number(table, words[2]))
        fail_row(table, "of the lot %lld are left", (long long)lot->left);
    if (held && lot->held != number(table, held))
        fail_row(table, "of the lot %lld are held", (long long)lot->held);
    if (size && lot->size != number(table, size))
        fail_row(table, "the size is %lld", (long long)lot->size);
    if (expires && lot->expires_at != instant(table, expires))
        fail_row(table, "the lot expires at %lld", (long long)lot->expires_at);
}

static void
run_expectation(struct table *table, char **words, int count)
{
    const struct owner *owner = table->world.changes.owner;

    if (!table->has_operation) {
        fail_row(table, "an expectation without an operation");
        return;
    }
    table->result.rows++;
    if (strcmp(words[0], "balance") == 0 && count >= 3)
        expect_balance(table, words, count);
    else if ((strcmp(words[0], "left") == 0 && count >= 3) ||
             (strcmp(words[0], "gone") == 0 && count == 2))
        expect_lot(table, words, count);
    else if (strcmp(words[0], "nothing") == 0)
        table->movements_named = true;
    else if (strcmp(words[0], "due") == 0 && count == 2) {
        if (owner->next_due != instant(table, words[1]))
            fail_row(table, "the next is due at %lld", (long long)owner->next_due);
    } else if (!expect_movement(table, words, count))
        fail_row(table, "'%s' is no expectation", words[0]);
}

static void
run_row(struct table *table, char *row)
{
    bool indented = row[0] == ' ';
    char *words[words_max], *place = NULL;
    int count = 0;

    row[strcspn(row, "#\r\n")] = '\0';
    for (char *word = strtok_r(row, " ", &place); word && count < words_max;
         word = strtok_r(NULL, " ", &place))
        words[count++] = word;
    if (count == 0)
        return;
    if (indented) {
        run_expectation(table, words, count);
        return;
    }
    end_operation(table);
    if (table->failed)
        return;
    if (strcmp(words[0], "terms") == 0)
        set_terms(table, words, count);
    else if (strcmp(words[0], "zone") == 0 && count == 2)
        table->world.terms.zone = world_zone(&table->world, (int)number(table, words[1]));
    else
        run_operation(table, words, count);
}

struct table_result
table_run(const char *path)
{
    struct table *table = calloc(1, sizeof(*table));
    FILE *file = fopen(path, "r");
    char row[512];

    if (!table)
        abort();
    table->path = path;
    world_init(&table->world);
    if (!file)
        fail_row(table, "cannot be opened");
    else
        set_terms(table, NULL, 0);
    while (!table->failed && fgets(row, sizeof(row), file)) {
        table->line++;
        if (strncmp(row, "----", 4) == 0) { /* a new owner */
            end_operation(table);
            world_free(&table->world);
            world_init(&table->world);
            set_terms(table, NULL, 0);
            table->name_count = table->paid_count = table->hold_count = 0;
            continue;
        }
        run_row(table, row);
    }
    end_operation(table);
    if (file)
        fclose(file);
    struct table_result result = table->result;
    world_free(&table->world);
    free(table);
    return result;
}
