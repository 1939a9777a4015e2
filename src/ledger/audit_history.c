/*
 * audit_history.c - replays an owner's records and says which one cannot be true.
 *
 * Owns:      history_begin(), history_record(), history_end().
 * Must not:  call anything of the files that book: a mistake of theirs must not hide here as well.
 * Invariant: a calendar counter is the sum of what was added in its newest period, a day of a
 *            rolling one the sum of all that was added to it; a day that comes to 0 has no row.
 * Cost:      O(counters) for each that a record adds to.
 * Tests:     tests/unit/ledger/test_history.c, tests/stories/tampering
 */
#include "ledger/audit_history.h"

#include "base/mem.h"

static enum code
wrong(const struct history *history, struct err *err, const char *what, uint64_t number)
{
    return err_set(err, CODE_CORRUPT, "owner '%llu': %s '%llu'",
                   (unsigned long long)history->owner_id, what, (unsigned long long)number);
}

void
history_begin(struct history *history, struct arena *arena, uint64_t owner_id)
{
    assert(owner_id != 0);
    *history = (struct history){ .arena = arena, .owner_id = owner_id };
}

/* The counter, or the day of it; a new one when there is none yet. NULL: no memory. */
static struct history_counter *
counter_of(struct history *history, const struct counted *counted)
{
    for (uint32_t i = 0; i < history->counter_count; i++) {
        struct history_counter *counter = &history->counter[i];
        if (counter->no == counted->counter_no && counter->rolling == counted->rolling &&
            (!counter->rolling || counter->bucket == counted->bucket))
            return counter;
    }
    if (history->counter_count == history->counter_cap) {
        uint32_t cap = history->counter_cap ? 2 * history->counter_cap : 8;
        struct history_counter *more = arena_array(history->arena, struct history_counter, cap);
        if (!more)
            return NULL;
        if (history->counter_count > 0)
            memcpy(more, history->counter, history->counter_count * sizeof(*more));
        history->counter = more;
        history->counter_cap = cap;
    }
    struct history_counter *made = &history->counter[history->counter_count++];
    *made = (struct history_counter){
        .no = counted->counter_no,
        .rolling = counted->rolling,
        .bucket = counted->bucket,
    };
    return made;
}

static enum code
count(struct history *history, const struct counted *counted, struct err *err)
{
    struct history_counter *counter = counter_of(history, counted);

    if (!counter)
        return err_set(err, CODE_NO_MEMORY, "no memory for the counters of a history");
    if (counted->bucket < counter->bucket)
        return wrong(history, err, "a period that is over was added to, counter", counter->no);
    if (counted->bucket > counter->bucket) {
        assert(!counter->rolling);
        counter->bucket = counted->bucket;
        counter->value = 0;
    }
    if (!i64_add(counter->value, counted->add, &counter->value))
        return wrong(history, err, "a sum that does not fit, counter", counter->no);
    if (counter->rolling && counter->value == 0)
        *counter = history->counter[--history->counter_count];
    return OK;
}

/* Who the owner is, by its first record. */
static void
note_first(struct history *history, const struct record *record)
{
    history->anonymous = record->member_id == 0;
    history->enrolled_at = record->recorded_at;
}

static enum code
note_enrolment(struct history *history, const struct record *record, struct err *err)
{
    if (history->sequence != 1 || record->member_id == 0)
        return wrong(history, err, "an enrolment that is not the first operation, but",
                     history->sequence);
    history->enrolled = true;
    history->enrolled_at = record->occurred_at;
    history->member_id = record->member_id;
    history->person_id = record->person_id;
    return OK;
}

enum code
history_record(struct history *history, const struct record *record, uint32_t last_movement,
               struct err *err)
{
    enum code rc = OK;

    if (record->owner_id != history->owner_id)
        return wrong(history, err, "it has a record of owner", record->owner_id);
    if (record->place.sequence != history->sequence + 1)
        return wrong(history, err, "its records do not follow each other after number",
                     history->sequence);
    if (record->place.previous != history->last_op)
        return wrong(history, err, "another record comes before that of operation",
                     record->op_id);
    if (record->place.last_movement != last_movement)
        return wrong(history, err, "other movements come before operation", record->op_id);
    if (record->recorded_at < history->recorded_at)
        return wrong(history, err, "its time runs backwards at operation", record->op_id);
    history->sequence++;
    history->last_op = record->op_id;
    history->recorded_at = record->recorded_at;
    if (history->sequence == 1)
        note_first(history, record);
    if (record->kind == RECORD_ENROL)
        rc = note_enrolment(history, record, err);
    for (uint32_t i = 0; !rc && i < record->counted_count; i++)
        rc = count(history, &record->counted[i], err);
    return rc;
}

static bool
has_counter(const struct history *history, const struct counter_state *stored)
{
    for (uint32_t i = 0; i < history->counter_count; i++) {
        const struct history_counter *counter = &history->counter[i];
        if (counter->no == stored->counter_no && counter->rolling == stored->rolling &&
            counter->bucket == stored->bucket)
            return counter->value == stored->value;
    }
    return false;
}

enum code
history_end(const struct history *history, const struct owner *stored, struct err *err)
{
    uint32_t flags = history->anonymous ? owner_flag_anonymous : 0;

    assert(stored->owner_id == history->owner_id);
    if (stored->version != history->sequence)
        return wrong(history, err, "its version is not the number of its records,",
                     history->sequence);
    if (stored->last_op != history->last_op)
        return wrong(history, err, "its newest operation is not", history->last_op);
    if (stored->settled_to != history->recorded_at)
        return wrong(history, err, "it is not settled to the time of operation", history->last_op);
    if ((stored->flags & ~(uint32_t)owner_flag_pool) != flags)
        return wrong(history, err, "other flags than its records tell:", stored->flags);
    if (stored->enrolled_at != history->enrolled_at)
        return wrong(history, err, "it began at another time than", (uint64_t)history->enrolled_at);
    for (uint32_t i = 0; i < stored->counter_count; i++)
        if (!has_counter(history, &stored->counter[i]))
            return wrong(history, err, "another value of counter", stored->counter[i].counter_no);
    if (stored->counter_count != history->counter_count)
        return wrong(history, err, "counters are missing; there are", stored->counter_count);
    return OK;
}
