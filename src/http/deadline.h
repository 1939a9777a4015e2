/*
 * deadline.h - who must be looked at when: lists of deadlines, one list for each duration.
 *
 * Owns:      struct deadline (a link inside the thing that waits) and its lists.
 * Must not:  read a clock: `now` is an argument.
 * Invariant: every deadline of a list has the list's duration and is appended at a `now` that never
 *            goes back, so a list is sorted and only its first is ever looked at.
 * Cost:      O(1) to set, move, clear and to ask for the next one; no heap, no wheel.
 * Tests:     tests/unit/http/test_deadline.c
 */
#ifndef KOP_HTTP_DEADLINE_H
#define KOP_HTTP_DEADLINE_H

#include "base/check.h"

struct deadline {
    struct deadline *next, *previous; /* NULL while in no list */
    int64_t due_ms;
};

struct deadline_list {
    struct deadline ring; /* ring.next is the first */
    int64_t duration_ms;
};

void deadline_list_init(struct deadline_list *list, int64_t duration_ms);

/* Put `deadline` (in any list or none) at the end of `list`: due at now_ms + the duration. */
void deadline_set(struct deadline_list *list, struct deadline *deadline, int64_t now_ms);

/* Take it out of its list, if it is in one. */
void deadline_clear(struct deadline *deadline);

/* The first one if it is due at `now_ms`, else NULL. It stays in the list. */
struct deadline *deadline_due(const struct deadline_list *list, int64_t now_ms);

/* Milliseconds from `now_ms` to the first deadline, 0 when it has passed, -1 when there is none. */
int64_t deadline_wait(const struct deadline_list *list, int64_t now_ms);

#endif
