/*
 * counter.c - what an owner has turned over, by calendar period or over the last days.
 *
 * Owns:      the owner's counters, and the rows of rolling ones.
 * Must not:  decide what counts (the engine does), or know receipts.
 * Invariant: a counter of a calendar period keeps one bucket, the newest; it reads 0 in any other
 *            period. A rolling counter has a row for each day that is not 0; those before its
 *            window are deleted.
 * Cost:      O(counters of the owner).
 * Tests:     tests/unit/ledger/test_counter.c
 *
 * The rolling buckets of the window must have been loaded for every counter that is added to: a
 * bucket that is not there counts as 0 and would be written over. What happened before the window
 * is not counted.
 */
#include "ledger/movement.h"

#include "base/mem.h"

/* Position of the first entry at or after (no, bucket). */
static uint32_t
place_of(const struct owner *owner, uint8_t no, int64_t bucket)
{
    uint32_t at = 0;

    while (at < owner->counter_count &&
           (owner->counter[at].counter_no < no ||
            (owner->counter[at].counter_no == no && owner->counter[at].bucket < bucket)))
        at++;
    assert(at <= owner->counter_count);
    return at;
}

static void
remove_at(struct owner *owner, uint32_t at)
{
    assert(at < owner->counter_count);
    memmove(owner->counter + at, owner->counter + at + 1,
            (owner->counter_count - at - 1) * sizeof(*owner->counter));
    owner->counter_count--;
}

/* A new entry of value 0 at its place; NULL: the booking has failed. */
static struct counter_state *
insert(struct ledger *ledger, uint8_t no, bool rolling, int64_t bucket)
{
    struct owner *owner = ledger->owner;
    uint32_t at = place_of(owner, no, bucket);
    struct counter_state *more = arena_array(ledger->arena, struct counter_state,
                                             owner->counter_count + 1);

    assert(no >= 1);
    assert(no <= counters_per_programme_max);
    if (!more) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return NULL;
    }
    if (owner->counter_count > 0) {
        memcpy(more, owner->counter, at * sizeof(*more));
        memcpy(more + at + 1, owner->counter + at, (owner->counter_count - at) * sizeof(*more));
    }
    more[at] = (struct counter_state){ .counter_no = no, .rolling = rolling, .bucket = bucket };
    owner->counter = more;
    owner->counter_count++;
    return &more[at];
}

/* The one bucket of a calendar counter, or a day's of a rolling one; NULL: none. */
static struct counter_state *
find(const struct owner *owner, uint8_t no, bool rolling, int64_t day)
{
    assert(no >= 1);
    for (uint32_t i = 0; i < owner->counter_count; i++) {
        struct counter_state *state = &owner->counter[i];
        if (state->counter_no == no && state->rolling == rolling &&
            (!rolling || state->bucket == day))
            return state;
    }
    return NULL;
}

/* Every change of a bucket goes this way, so that `counted` tells them all. */
static void
add_to(struct ledger *ledger, struct counter_state *state, int64_t add)
{
    struct changes *changes = ledger->changes;

    assert(state->counter_no >= 1);
    assert(changes->counted_count < changes->counted_cap);
    if (!i64_add(state->value, add, &state->value)) {
        ledger_fail(ledger, CODE_RANGE);
        return;
    }
    changes->counted[changes->counted_count++] = (struct counted){
        .counter_no = state->counter_no,
        .rolling = state->rolling,
        .bucket = state->bucket,
        .add = add,
    };
}

static void
count_calendar(struct ledger *ledger, const struct counter_terms *terms, int64_t day, int64_t add)
{
    int64_t bucket = period_number(terms->period, day);
    struct counter_state *state = find(ledger->owner, terms->no, false, 0);

    assert(terms->rolling_days == 0);
    if (state && bucket < state->bucket)
        return; /* its period is over */
    if (!state)
        state = insert(ledger, terms->no, false, bucket);
    if (!state)
        return;
    if (bucket > state->bucket) {
        state->bucket = bucket;
        state->value = 0;
    }
    add_to(ledger, state, add);
}

/* A rolling bucket's row is to be written (value 0: deleted). There is room, see ledger_count(). */
static void
put(struct changes *changes, const struct counter_state *state)
{
    uint32_t i = 0;

    assert(state->rolling);
    while (i < changes->counter_put_count &&
           (changes->counter_put[i].counter_no != state->counter_no ||
            changes->counter_put[i].bucket != state->bucket))
        i++;
    changes->counter_put[i] = *state;
    if (i == changes->counter_put_count)
        changes->counter_put_count++;
}

static void
count_rolling(struct ledger *ledger, const struct counter_terms *terms, int64_t day, int64_t add)
{
    struct owner *owner = ledger->owner;
    int64_t first = zone_day(ledger->terms->zone, ledger->now) - terms->rolling_days + 1;

    assert(terms->rolling_days > 0);
    for (uint32_t i = place_of(owner, terms->no, INT64_MIN); i < owner->counter_count;) {
        struct counter_state *state = &owner->counter[i];
        if (state->counter_no != terms->no)
            break;
        if (!state->rolling || state->bucket >= first) {
            i++;
            continue;
        }
        add_to(ledger, state, -state->value);
        put(ledger->changes, state);
        remove_at(owner, i);
    }
    if (day < first)
        return; /* it would never be read */
    struct counter_state *state = find(owner, terms->no, true, day);
    if (!state)
        state = insert(ledger, terms->no, true, day);
    if (!state)
        return;
    add_to(ledger, state, add);
    put(ledger->changes, state);
    if (state->value == 0)
        remove_at(owner, (uint32_t)(state - owner->counter));
}

/* Room in `counter_put` and `counted` for all that one call may write. */
static bool
need_room(struct ledger *ledger)
{
    struct changes *changes = ledger->changes;
    uint32_t more = ledger->owner->counter_count + ledger->terms->counter_count;
    uint32_t puts = changes->counter_put_count + more, counted = changes->counted_count + more;
    struct counter_state *put = arena_array(ledger->arena, struct counter_state, puts);
    struct counted *count = arena_array(ledger->arena, struct counted, counted);

    assert(ledger->terms->counter_count <= counters_per_programme_max);
    if (!put || !count) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return false;
    }
    if (changes->counter_put_count > 0)
        memcpy(put, changes->counter_put, changes->counter_put_count * sizeof(*put));
    if (changes->counted_count > 0)
        memcpy(count, changes->counted, changes->counted_count * sizeof(*count));
    changes->counter_put = put;
    changes->counted = count;
    changes->counted_cap = counted;
    return true;
}

void
ledger_count(struct ledger *ledger, unix_ms at, const int64_t *add)
{
    const struct terms *terms = ledger->terms;
    int64_t day = zone_day(terms->zone, at);
    bool any = false;

    assert(at != TIME_NONE);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        any |= add[i] != 0;
    if (any && !need_room(ledger))
        return;
    for (uint32_t i = 0; i < terms->counter_count && !ledger->failed; i++) {
        if (add[i] == 0)
            continue;
        if (terms->counter[i].rolling_days > 0)
            count_rolling(ledger, &terms->counter[i], day, add[i]);
        else
            count_calendar(ledger, &terms->counter[i], day, add[i]);
    }
}

/* The sum of the window's days; a sum that does not fit stays at the border it would cross. */
static int64_t
sum_of_days(const struct owner *owner, uint8_t no, int64_t first, int64_t last)
{
    int64_t sum = 0;

    assert(first <= last);
    for (uint32_t i = 0; i < owner->counter_count; i++) {
        const struct counter_state *state = &owner->counter[i];
        if (state->counter_no != no || !state->rolling || state->bucket < first ||
            state->bucket > last)
            continue;
        if (!i64_add(sum, state->value, &sum))
            sum = state->value > 0 ? INT64_MAX : INT64_MIN;
    }
    return sum;
}

int64_t
ledger_counter(const struct owner *owner, const struct terms *terms, uint32_t position, unix_ms now)
{
    assert(position < terms->counter_count);
    const struct counter_terms *counter = &terms->counter[position];
    int64_t day = zone_day(terms->zone, now);

    if (counter->rolling_days > 0)
        return sum_of_days(owner, counter->no, day - counter->rolling_days + 1, day);

    const struct counter_state *state = find(owner, counter->no, false, 0);
    if (!state || state->bucket != period_number(counter->period, day))
        return 0;
    return state->value;
}
