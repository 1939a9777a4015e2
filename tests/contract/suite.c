/*
 * suite.c - the store under test, and rows to write.
 *
 * Owns:      how a store of each variant is opened, the list of all tests.
 */
#include "contract/suite.h"

void
open_store(struct fixture *fixture)
{
    struct store_options options = {
        .path = fixture->place.path,
        .create = true,
        .readers = 2,
        .inline_runner = fixture->variant->is_inline,
    };
    struct err err = { .code = OK };
    const struct variant *variant = fixture->variant;
    options.conninfo = variant->conninfo;
    options.lanes = 4;
    enum code rc = variant->conninfo ? store_open_postgres(&options, &fixture->store, &err)
                   : variant->sqlite ? store_open_sqlite(&options, &fixture->store, &err)
                                     : store_open_memory(&options, &fixture->store, &err);
    if (rc)
        fail_msg("%s", err.text);
}

struct directory_row
key_row(const char *name, uint64_t owner_id, uint64_t member_id, enum key_state state)
{
    struct directory_row row = {
        .owner_id = owner_id, .member_id = member_id, .kind = KEY_CARD, .state = state
    };
    snprintf((char *)row.key, sizeof row.key, "%s", name);
    return row;
}

void
route_to(struct job *job, enum route_kind kind, struct text key)
{
    job->op.route[job->op.route_count++] = (struct route){ .kind = kind, .key = key };
}
void
more_lots(struct job *job, struct changes *changes)
{
    struct owner *owner = changes->owner;
    owner->lot = arena_array(job->op.arena, struct lot, many_lots);
    owner->lot_count = owner->lot_cap = many_lots;
    for (uint32_t i = 0; i < many_lots; i++)
        owner->lot[i] = (struct lot){ .lot_no = i + 1,
                                      .currency = 1,
                                      .size = 10,
                                      .left = 10,
                                      .expires_at = 5000 + i,
                                      .cause = 9,
                                      .rule = -1 };
    changes->lot_put = owner->lot + lots_in_owner_row_max;
    changes->lot_put_count = many_lots - lots_in_owner_row_max;
}

void
more_counters(struct job *job, struct changes *changes)
{
    static struct counter_state puts[] = {
        { .counter_no = 2, .rolling = true, .bucket = 100, .value = 5 },
        { .counter_no = 2, .rolling = true, .bucket = 101, .value = 6 },
        { .counter_no = 2, .rolling = true, .bucket = 102, .value = 7 },
        { .counter_no = 4, .rolling = true, .bucket = -3, .value = 8 },
    };
    struct counter_state *calendar = arena_array(job->op.arena, struct counter_state, 2);
    calendar[0] = (struct counter_state){ .counter_no = 1, .bucket = 24311, .value = 11 };
    calendar[1] = (struct counter_state){ .counter_no = 3, .bucket = 24311, .value = 33 };
    changes->owner->counter = calendar;
    changes->owner->counter_count = 2;
    changes->counter_put = puts;
    changes->counter_put_count = 4;
}

/* ---- the program ---- */

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->variant = *state;
    if (fixture->variant->empty != NULL)
        fixture->variant->empty();
    place_make(&fixture->place);
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    place_drop(&fixture->place);
    free(fixture);
    return 0;
}

static void
add(struct program *program, const struct variant *variant, const struct contract *contract)
{
    char *name = program->name[program->count];

    assert_true(program->count < tests_max);
    snprintf(name, sizeof program->name[0], "%s: %s", variant->name, contract->name);
    program->test[program->count++] =
        (struct CMUnitTest){ .name = name,
                             .test_func = contract->function,
                             .setup_func = set_up,
                             .teardown_func = tear_down,
                             .initial_state = (void *)(uintptr_t)variant };
}

void
program_add(struct program *program, const struct variant *variant)
{
    static const struct contract *const part[] = { contracts_of_book, contracts_of_batches,
                                                   contracts_of_lists, contracts_of_rows };

    for (size_t i = 0; i < KOP_COUNT(part); i++)
        for (const struct contract *contract = part[i]; contract->name != NULL; contract++)
            add(program, variant, contract);
}

int
program_run(const struct program *program)
{
    return _cmocka_run_group_tests("store", program->test, program->count, NULL, NULL);
}
