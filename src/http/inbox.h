/*
 * inbox.h - the way back to a loop: exchanges that other threads are done with.
 *
 * Owns:      struct inbox: a stack without a lock, and the wake-up of its loop.
 * Must not:  know what an exchange is brought for.
 * Invariant: nothing that was put in is lost or taken twice; a sleeping loop is woken by one of
 *            those who put something in; after inbox_shut() everything is refused.
 * Cost:      one compare-and-swap to put in; one system call for many of them, none while the loop
 *            is awake.
 * Tests:     tests/unit/http/test_loop.c, with the thread sanitizer too
 *
 * Before the loop sleeps it says so in `sleeping` and looks at the stack once more; whoever puts
 * something in looks at `sleeping` afterwards. Both are sequentially consistent, so one of the two
 * sees the other. The eventfd is registered edge-triggered and never read: each write is an edge.
 */
#ifndef KOP_HTTP_INBOX_H
#define KOP_HTTP_INBOX_H

#include "http/exchange.h"

struct inbox {
    struct exchange *_Atomic stack;
    _Atomic bool sleeping;
    int wake; /* an eventfd */
    _Atomic uint64_t wake_ups;
};

/* false: the system gave no eventfd; errno tells why. */
KOP_MUST_CHECK bool inbox_open(struct inbox *inbox);

/* When nobody can put anything in any more. */
void inbox_close(struct inbox *inbox);

/*
 * From any thread. true: the exchange is the loop's, and the loop awake or woken; the inbox must
 * live until this returns. false: the inbox is shut and the exchange still the caller's.
 */
KOP_MUST_CHECK bool inbox_put(struct inbox *inbox, struct exchange *exchange);

/* Wake the loop for another reason. */
void inbox_wake(struct inbox *inbox);

/* The loop's: about to sleep. false: something is in, so do not. */
KOP_MUST_CHECK bool inbox_sleep(struct inbox *inbox);

/* The loop's: awake again. */
void inbox_rise(struct inbox *inbox);

/* The loop's: all that is in, oldest first, linked by `next`; NULL when nothing is. */
struct exchange *inbox_take(struct inbox *inbox);

/* The loop's last: as inbox_take(), and shut the inbox. */
struct exchange *inbox_shut(struct inbox *inbox);

#endif
