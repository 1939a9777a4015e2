/*
 * pump.c - many calls in flight, in order: for imports, replays and load.
 *
 * Owns:      see pump.h. Answered calls come through a lock-free stack and an eventfd.
 * Tests:     tests/stories/
 */
#include "service/pump.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "service/internal.h"

enum { slot_block_bytes = 16 * 1024, slot_bytes_max = 64 << 20 };

struct pump {
    struct service *service;
    uint32_t tenant, window, in_flight;
    pump_answer answer;
    void *context;
    int event;
    struct pump_call *slots, *free;
    _Atomic(struct pump_call *) answered;
    _Atomic uint32_t inside; /* threads in pump_done(): the pump must outlive them */
};

static void
pump_done(struct call *call)
{
    struct pump_call *slot = call->context;
    struct pump *pump = slot->pump;
    struct pump_call *head = atomic_load(&pump->answered);
    uint64_t one = 1;

    atomic_fetch_add(&pump->inside, 1);
    do {
        slot->next = head;
    } while (!atomic_compare_exchange_weak(&pump->answered, &head, slot));
    if (!head && write(pump->event, &one, sizeof(one)) != sizeof(one))
        abort(); /* an eventfd takes one more unless 2^64 are waiting */
    atomic_fetch_sub(&pump->inside, 1);
}

/* Take what has been answered, oldest first; waits for at least one. */
static void
pump_collect(struct pump *pump)
{
    struct pump_call *stack, *list = NULL;
    uint64_t count;

    assert(pump->in_flight > 0);
    while (!(stack = atomic_exchange(&pump->answered, NULL)))
        while (read(pump->event, &count, sizeof(count)) < 0 && errno == EINTR)
            ;
    while (stack) { /* newest first: turn it round */
        struct pump_call *next = stack->next;
        stack->next = list;
        list = stack;
        stack = next;
    }
    while (list) {
        struct pump_call *slot = list;
        list = list->next;
        pump->in_flight--;
        call_finish(&slot->call);
        pump->answer(pump->context, slot);
        arena_reset(&slot->arena);
        slot->next = pump->free;
        pump->free = slot;
    }
}

enum code
pump_open(struct service *service, uint32_t tenant, uint32_t window, pump_answer answer,
          void *context, struct pump **pump, struct err *err)
{
    struct pump *made = calloc(1, sizeof(*made));

    assert(window > 0);
    if (!made || !(made->slots = calloc(window, sizeof(*made->slots)))) {
        free(made);
        return err_set(err, CODE_NO_MEMORY, "no memory for %u calls", window);
    }
    made->event = eventfd(0, EFD_CLOEXEC);
    if (made->event < 0) {
        free(made->slots);
        free(made);
        return err_set(err, CODE_IO, "cannot make an eventfd");
    }
    made->service = service;
    made->tenant = tenant;
    made->window = window;
    made->answer = answer;
    made->context = context;
    for (uint32_t i = 0; i < window; i++) {
        struct pump_call *slot = &made->slots[i];
        arena_init(&slot->arena, heap_source(), slot_block_bytes, slot_bytes_max);
        slot->pump = made;
        slot->next = made->free;
        made->free = slot;
    }
    *pump = made;
    return OK;
}

struct pump_call *
pump_slot(struct pump *pump)
{
    while (!pump->free)
        pump_collect(pump);
    struct pump_call *slot = pump->free;
    pump->free = slot->next;
    slot->tag = 0;
    slot->call = (struct call){
        .trusted = true,
        .tenant = pump->tenant,
        .arena = &slot->arena,
        .done = pump_done,
        .context = slot,
    };
    return slot;
}

void
pump_send(struct pump *pump, struct pump_call *slot)
{
    pump->in_flight++;
    service_call(pump->service, &slot->call);
}

void
pump_release(struct pump *pump, struct pump_call *slot)
{
    arena_reset(&slot->arena);
    slot->next = pump->free;
    pump->free = slot;
}

void
pump_drain(struct pump *pump)
{
    while (pump->in_flight > 0)
        pump_collect(pump);
}

void
pump_close(struct pump *pump)
{
    if (!pump)
        return;
    pump_drain(pump);
    while (atomic_load(&pump->inside) > 0) /* answered, but still about to wake us */
        sched_yield();
    for (uint32_t i = 0; i < pump->window; i++)
        arena_release(&pump->slots[i].arena);
    close(pump->event);
    free(pump->slots);
    free(pump);
}
