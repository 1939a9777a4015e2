/*
 * heartbeat.h - the thread that keeps a server in touch with its book.
 *
 * Owns:      when service_beat() is called: about once a second.
 * Must not:  know what that does.
 */
#ifndef KOP_JOBS_HEARTBEAT_H
#define KOP_JOBS_HEARTBEAT_H

#include "service/service.h"

struct heartbeat;

/* Beats once before it comes back, and fails when that fails. */
KOP_MUST_CHECK enum code heartbeat_start(struct service *service, struct heartbeat **heartbeat,
                                         struct err *err);
/* Waits for the beat at work. NULL is allowed. */
void heartbeat_stop(struct heartbeat *heartbeat);

#endif
