/*
 * ledger.c - an owner without movements, a booking's beginning, and what the engine may know.
 *
 * Owns:      owner_init(), ledger_begin(), ledger_member_view().
 * Must not:  move points.
 * Invariant: an owner's time never runs back: a booking's `now` is at least settled_to, whatever
 *            the clock of this server says, so that nothing settled is undone and nothing due is
 *            forgotten.
 * Cost:      O(1), and O(overflow lots) for those who have them.
 * Tests:     tests/unit/ledger/test_finish.c, tests/unit/ledger/test_counter.c
 */
#include "ledger/ledger.h"

#include "base/mem.h"
#include "ledger/movement.h"

void
owner_init(struct owner *owner, uint64_t owner_id, uint32_t tenant, uint32_t programme,
           uint32_t flags, unix_ms enrolled_at)
{
    assert(enrolled_at != TIME_NONE);
    *owner = (struct owner){
        .owner_id = owner_id,
        .tenant = tenant,
        .programme = programme,
        .next_due = TIME_NONE,
        .flags = flags,
        .enrolled_at = enrolled_at,
        .settled_to = enrolled_at,
    };
}

/* The lots that are rows of their own, as they were loaded: ledger_finish() compares. */
static void
keep_overflow(struct ledger *ledger)
{
    const struct owner *owner = ledger->owner;

    assert(ledger->overflow_count == 0);
    if (owner->lot_count <= lots_in_owner_row_max)
        return;
    uint32_t count = owner->lot_count - lots_in_owner_row_max;
    ledger->overflow = arena_array(ledger->arena, struct lot, count);
    if (!ledger->overflow) {
        ledger_fail(ledger, CODE_NO_MEMORY);
        return;
    }
    memcpy(ledger->overflow, owner->lot + lots_in_owner_row_max, count * sizeof(struct lot));
    ledger->overflow_count = count;
}

void
ledger_begin(struct ledger *ledger, const struct terms *terms, struct arena *arena,
             struct owner *owner, struct changes *changes, uint64_t op_id, unix_ms now)
{
    assert(now != TIME_NONE);
    assert(owner->lot_count <= owner->lot_cap);
    *ledger = (struct ledger){
        .terms = terms,
        .arena = arena,
        .owner = owner,
        .changes = changes,
        .op_id = op_id,
        .now = now > owner->settled_to ? now : owner->settled_to,
    };
    *changes = (struct changes){ .owner = owner, .op_id = op_id };
    keep_overflow(ledger);
}

void
ledger_member_view(const struct owner *owner, const struct terms *terms, unix_ms now,
                   struct member_view *view)
{
    assert(terms->ladder_count <= ladders_per_programme_max);
    assert(terms->counter_count <= counters_per_programme_max);
    *view = (struct member_view){
        .known = (owner->flags & owner_flag_anonymous) == 0,
        .enrolled_at = owner->enrolled_at,
    };
    for (uint32_t i = 0; i < terms->ladder_count; i++) {
        const struct ladder_terms *ladder = &terms->ladder[i];
        uint8_t level = ledger_level_of(owner, ladder->no);
        /* A later version may have fewer levels than the owner once reached. */
        view->level[i] = level < ladder->level_count ? level : ladder->level_count;
    }
    for (uint32_t i = 0; i < terms->counter_count; i++)
        view->counter[i] = ledger_counter(owner, terms, i, now);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        view->available[i] = ledger_available(owner, terms->currency[i].no);
}
