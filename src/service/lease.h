/*
 * lease.h - the node that this process makes ids with, leased in the book.
 *
 * Owns:      rows `node:<n>` of the table meta: taking one, renewing, giving back.
 * Must not:  trust a clock for what must not happen: clocks decide only when a node is free again.
 * Invariant: two ids of one book are never the same. A row says up to which time its holder may
 *            make ids; that is written before such an id is made, and who has the node next begins
 *            there, whatever either clock says.
 *
 * A row's value is "TERM UNTIL IDS_UPTO". TERM rises by one each time that the node changes hands:
 * who finds another one there has lost it. UNTIL (ms): from then on others may take the node; 0: it
 * was given back. IDS_UPTO (ms): no id with this time or a later one was made yet.
 */
#ifndef KOP_SERVICE_LEASE_H
#define KOP_SERVICE_LEASE_H

#include "base/err.h"
#include "core/amount.h"

#include <stdatomic.h>

struct service;

struct lease {
    atomic_flag busy; /* somebody is taking or renewing it */
    _Atomic bool driven; /* service_beat() is called by a thread of its own */
    /* Whoever is busy has these alone: */
    bool held;
    uint32_t node;
    uint64_t term;
};

void lease_init(struct lease *lease);

/*
 * See to it that ids of the next `length` ms can be made: takes a node if there is none, renews it
 * when less than half is left, takes another if this one was lost. BUSY: none is free. While
 * somebody else is at it: OK, nothing done. Waits for the store: not on its threads.
 */
KOP_MUST_CHECK enum code lease_keep(struct service *service, int64_t length, struct err *err);
/* The same with the usual length, by a caller without a heartbeat thread; a failure shows in the
 * id that is not made. */
void lease_keep_by_hand(struct service *service);
/* Give it back. Nobody makes an id any more. */
void lease_give_back(struct service *service);

#endif
