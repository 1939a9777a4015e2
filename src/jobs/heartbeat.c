/*
 * heartbeat.c - keeps a server in touch with its book.
 *
 * Owns:      when service_beat() is called, and telling the operator when it begins to fail.
 * Invariant: a failure is no end: the next beat tries again, and ids are refused meanwhile once
 *            the lease is over.
 * Tests:     tests/stories/servers
 */
#include "jobs/heartbeat.h"

#include "jobs/ticker.h"

#include <stdio.h>
#include <stdlib.h>

enum { beat_every_s = 1 };

struct heartbeat {
    struct service *service;
    struct ticker *ticker;
    bool is_out_of_touch;
};

static void
beat(void *context)
{
    struct heartbeat *heartbeat = context;
    struct err err;
    bool good = service_beat(heartbeat->service, &err) == OK;

    if (!good && !heartbeat->is_out_of_touch)
        fprintf(stderr, "kopilka: out of touch with the book: %s\n", err.text);
    if (good && heartbeat->is_out_of_touch)
        fprintf(stderr, "kopilka: in touch with the book again\n");
    heartbeat->is_out_of_touch = !good;
}

enum code
heartbeat_start(struct service *service, struct heartbeat **heartbeat, struct err *err)
{
    struct heartbeat *made = calloc(1, sizeof(*made));

    if (!made)
        return err_set(err, CODE_NO_MEMORY, "no memory for the heartbeat");
    made->service = service;
    enum code rc = service_beat(service, err);
    service_driven(service, true);
    if (!rc)
        rc = ticker_start(beat_every_s, beat, made, &made->ticker, err);
    if (rc) {
        heartbeat_stop(made);
        return rc;
    }
    *heartbeat = made;
    return OK;
}

void
heartbeat_stop(struct heartbeat *heartbeat)
{
    if (!heartbeat)
        return;
    ticker_stop(heartbeat->ticker);
    service_driven(heartbeat->service, false);
    free(heartbeat);
}
