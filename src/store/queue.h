/*
 * queue.h - how operations change hands: a stack that anybody may push on, and lists in order.
 *
 * Owns:      struct op_stack (lock-free, many pushers, one taker), struct op_list.
 * Must not:  wait or wake: the runner does.
 * Invariant: what is taken comes in the order in which it was pushed.
 */
#ifndef KOP_STORE_QUEUE_H
#define KOP_STORE_QUEUE_H

#include "store/store.h"

#include <stdatomic.h>

/* Operations linked by op->next, oldest first. One thread's. */
struct op_list {
    struct op *first, *last;
    uint32_t count;
};

static inline void
op_list_add(struct op_list *list, struct op *op)
{
    op->next = NULL;
    if (list->last != NULL)
        list->last->next = op;
    else
        list->first = op;
    list->last = op;
    list->count++;
}

/* The oldest, or NULL. */
static inline struct op *
op_list_take(struct op_list *list)
{
    struct op *op = list->first;
    if (op == NULL)
        return NULL;
    list->first = op->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    op->next = NULL;
    return op;
}

/* Newest first. Only whole stacks are taken, so no pusher can meet a reused address. */
struct op_stack {
    _Atomic(struct op *) newest;
};

/* true: the stack was empty, so its taker may be asleep. */
static inline bool
op_stack_push(struct op_stack *stack, struct op *op)
{
    struct op *newest = atomic_load_explicit(&stack->newest, memory_order_relaxed);
    do
        op->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&stack->newest, &newest, op, memory_order_release,
                                                  memory_order_relaxed));
    return newest == NULL;
}

/* Everything, oldest first, to the end of `list`. */
static inline void
op_stack_take(struct op_stack *stack, struct op_list *list)
{
    struct op *newest = atomic_exchange_explicit(&stack->newest, NULL, memory_order_acquire);
    struct op *oldest = NULL;

    while (newest != NULL) {
        struct op *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct op *next = oldest->next;
        op_list_add(list, oldest);
        oldest = next;
    }
}

#endif
