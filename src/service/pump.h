/*
 * pump.h - many calls in flight, in order: for imports, replays and load.
 *
 * Owns:      a window of calls with their arenas; answers come back on the caller's thread.
 * Must not:  know what is called.
 * Invariant: calls are submitted in the order given and, on one store, run in that order; every
 *            call
 *            given is answered once, at the latest by pump_drain().
 */
#ifndef KOP_SERVICE_PUMP_H
#define KOP_SERVICE_PUMP_H

#include "service/service.h"

struct pump;

/* A slot: fill `call` (its arena is ready), then pump_send(). `tag` is the caller's. */
struct pump_call {
    struct call call;
    uint64_t tag;
    /* The pump's own. */
    struct arena arena;
    struct pump *pump;
    struct pump_call *next;
};

/* Called on the thread that pumps, for each call when it has been answered and rendered. */
typedef void (*pump_answer)(void *context, struct pump_call *slot);

/* At most `window` calls at once. Calls are trusted, of `tenant`. */
KOP_MUST_CHECK enum code pump_open(struct service *service, uint32_t tenant, uint32_t window,
                                   pump_answer answer, void *context, struct pump **pump,
                                   struct err *err);
/* A free slot; waits for an answer when the window is full. */
struct pump_call *pump_slot(struct pump *pump);
void pump_send(struct pump *pump, struct pump_call *slot);
/* Give a slot back unsent. */
void pump_release(struct pump *pump, struct pump_call *slot);
/* Wait for everything. */
void pump_drain(struct pump *pump);
void pump_close(struct pump *pump); /* drains */

#endif
