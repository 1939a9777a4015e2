/*
 * level.c - the level that an owner has on each ladder.
 *
 * Owns:      rising and falling by the ladder's counter, and its movements of amount 0.
 * Must not:  change a counter.
 * Invariant: a level falls only where the ladder says so; one LEVEL movement for each change.
 * Cost:      O(ladders x levels).
 * Tests:     tests/unit/ledger/test_counter.c, tests/unit/ledger/test_property.c
 */
#include "ledger/movement.h"

#include "base/mem.h"

static struct level_state *
find(const struct owner *owner, uint8_t ladder_no)
{
    assert(owner->level_count <= ladders_per_programme_max);
    for (uint32_t i = 0; i < owner->level_count; i++)
        if (owner->level[i].ladder_no == ladder_no)
            return &owner->level[i];
    return NULL;
}

uint8_t
ledger_level_of(const struct owner *owner, uint8_t ladder_no)
{
    const struct level_state *state = find(owner, ladder_no);

    assert(ladder_no >= 1);
    return state ? state->level : 0;
}

/* A place for a ladder on which the owner had no level; NULL: the booking has failed. */
static struct level_state *
insert(struct ledger *ledger, uint8_t ladder_no)
{
    struct owner *owner = ledger->owner;
    struct level_state *more = arena_array(ledger->arena, struct level_state,
                                           owner->level_count + 1);
    uint32_t at = 0;

    assert(owner->level_count < ladders_per_programme_max);
    if (!more) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return NULL;
    }
    while (at < owner->level_count && owner->level[at].ladder_no < ladder_no)
        at++;
    if (owner->level_count > 0) {
        memcpy(more, owner->level, at * sizeof(*more));
        memcpy(more + at + 1, owner->level + at, (owner->level_count - at) * sizeof(*more));
    }
    more[at] = (struct level_state){ .ladder_no = ladder_no };
    owner->level = more;
    owner->level_count++;
    return &more[at];
}

/* The highest level whose `from` is met; 0: none. */
static uint8_t
level_at(const struct ladder_terms *ladder, int64_t value)
{
    uint8_t level = 0;

    assert(ladder->level_count <= levels_per_ladder_max);
    for (uint8_t i = 0; i < ladder->level_count; i++)
        if (ladder->level[i].from <= value)
            level = (uint8_t)(i + 1);
    return level;
}

static uint32_t
counter_position(const struct terms *terms, uint8_t counter_no)
{
    uint32_t i = 0;

    while (i < terms->counter_count && terms->counter[i].no != counter_no)
        i++;
    assert(i < terms->counter_count); /* compiling checked it */
    return i;
}

static void
change_level(struct ledger *ledger, uint8_t ladder_no, uint8_t level, unix_ms at)
{
    struct level_state *state = find(ledger->owner, ladder_no);

    assert(level <= levels_per_ladder_max);
    if (!state)
        state = insert(ledger, ladder_no);
    if (!state)
        return;
    if (!ledger_book(ledger, &(struct movement){
                                 .kind = MOVEMENT_LEVEL,
                                 .account = ACCOUNT_ISSUED,
                                 .contra = ACCOUNT_ISSUED,
                                 .lot_no = ladder_no,
                                 .version = ledger->terms->version,
                                 .rule = level,
                                 .at = at,
                             }))
        return;
    state->level = level;
    state->since = at;
}

void
ledger_level(struct ledger *ledger, unix_ms at)
{
    const struct terms *terms = ledger->terms;

    assert(at != TIME_NONE);
    for (uint32_t i = 0; i < terms->ladder_count && !ledger->failed; i++) {
        const struct ladder_terms *ladder = &terms->ladder[i];
        uint32_t position = counter_position(terms, ladder->counter_no);
        int64_t value = ledger_counter(ledger->owner, terms, position, ledger->now);
        uint8_t was = ledger_level_of(ledger->owner, ladder->no);
        uint8_t level = level_at(ladder, value);
        if (level > was || (level < was && ladder->downgrade == DOWNGRADE_AT_ONCE))
            change_level(ledger, ladder->no, level, at);
    }
}
