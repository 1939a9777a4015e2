/*
 * inbox.c - the way back to a loop: exchanges that other threads are done with.
 *
 * Owns:      the stack and the eventfd.
 * Must not:  know what an exchange is brought for.
 * Invariant: an exchange is not touched after it was pushed: it is the loop's from then on. A stack
 *            that is only ever taken as a whole cannot confuse an old head with a new one.
 * Cost:      see inbox.h.
 * Tests:     tests/unit/http/test_loop.c
 */
#include "http/inbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* In the place of the stack once the loop has left. */
static struct exchange *const shut = (struct exchange *)-1;

bool
inbox_open(struct inbox *inbox)
{
    atomic_init(&inbox->stack, NULL);
    atomic_init(&inbox->sleeping, false);
    atomic_init(&inbox->wake_ups, 0);
    inbox->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return inbox->wake >= 0;
}

void
inbox_close(struct inbox *inbox)
{
    if (inbox->wake >= 0)
        close(inbox->wake);
    inbox->wake = -1;
}

void
inbox_wake(struct inbox *inbox)
{
    const uint64_t one = 1;
    ssize_t written;

    atomic_fetch_add_explicit(&inbox->wake_ups, 1, memory_order_relaxed);
    do {
        written = write(inbox->wake, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
    assert(written == sizeof one);
}

bool
inbox_put(struct inbox *inbox, struct exchange *exchange)
{
    struct exchange *head = atomic_load(&inbox->stack);

    do {
        if (head == shut)
            return false;
        exchange->next = head;
    } while (!atomic_compare_exchange_weak(&inbox->stack, &head, exchange));
    if (atomic_exchange(&inbox->sleeping, false))
        inbox_wake(inbox);
    return true;
}

bool
inbox_sleep(struct inbox *inbox)
{
    atomic_store(&inbox->sleeping, true);
    return atomic_load(&inbox->stack) == NULL;
}

void
inbox_rise(struct inbox *inbox)
{
    atomic_store(&inbox->sleeping, false);
}

static struct exchange *
take(struct inbox *inbox, struct exchange *replacement)
{
    struct exchange *stack = atomic_exchange(&inbox->stack, replacement), *first = NULL;

    assert(stack != shut);
    while (stack) {
        struct exchange *next = stack->next;
        stack->next = first;
        first = stack;
        stack = next;
    }
    return first;
}

struct exchange *
inbox_take(struct inbox *inbox)
{
    return take(inbox, NULL);
}

struct exchange *
inbox_shut(struct inbox *inbox)
{
    return take(inbox, shut);
}
