/*
 * deadline.c - who must be looked at when: lists of deadlines, one list for each duration.
 *
 * Owns:      the links.
 * Must not:  read a clock.
 * Invariant: a list is sorted by due_ms because `now` never goes back and the duration is one.
 * Cost:      O(1) each.
 * Tests:     tests/unit/http/test_deadline.c
 */
#include "http/deadline.h"

void
deadline_list_init(struct deadline_list *list, int64_t duration_ms)
{
    assert(duration_ms > 0);
    list->ring = (struct deadline){ &list->ring, &list->ring, 0 };
    list->duration_ms = duration_ms;
}

void
deadline_clear(struct deadline *deadline)
{
    if (!deadline->next)
        return;
    deadline->next->previous = deadline->previous;
    deadline->previous->next = deadline->next;
    deadline->next = NULL;
    deadline->previous = NULL;
}

void
deadline_set(struct deadline_list *list, struct deadline *deadline, int64_t now_ms)
{
    deadline_clear(deadline);
    deadline->due_ms = now_ms + list->duration_ms;
    deadline->next = &list->ring;
    deadline->previous = list->ring.previous;
    assert(deadline->previous == &list->ring || deadline->previous->due_ms <= deadline->due_ms);
    deadline->previous->next = deadline;
    list->ring.previous = deadline;
}

struct deadline *
deadline_due(const struct deadline_list *list, int64_t now_ms)
{
    struct deadline *first = list->ring.next;

    if (first == &list->ring || first->due_ms > now_ms)
        return NULL;
    return first;
}

int64_t
deadline_wait(const struct deadline_list *list, int64_t now_ms)
{
    const struct deadline *first = list->ring.next;

    if (first == &list->ring)
        return -1;
    return first->due_ms > now_ms ? first->due_ms - now_ms : 0;
}
