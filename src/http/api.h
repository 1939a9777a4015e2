/*
 * api.h - the HTTP edge of the service: routes, headers in, answers out.
 *
 * Owns:      matching a request to a route, the arenas of requests, problem+json of what matches
 *            nothing.
 * Must not:  know a use case, or block.
 * Threads:   a request is read and rendered on its loop thread; the store's threads only resume it.
 */
#ifndef KOP_HTTP_API_H
#define KOP_HTTP_API_H

#include "http/loop.h"
#include "service/service.h"

struct api;

struct api_options {
    struct service *service;
    const char *address; /* loopback unless behind_proxy */
    uint16_t port;       /* 0: the kernel chooses */
    bool behind_proxy;
    uint32_t threads; /* 0: 1 */
    int log;          /* file descriptor of the structured log; -1: none */
};

/* Listen and serve until api_stop(). CODE_IO, CODE_USAGE as http_server_open(). */
KOP_MUST_CHECK enum code api_start(const struct api_options *options, struct api **api,
                                   struct err *err);
uint16_t api_port(const struct api *api);
/* Stop listening, answer what is in flight, return; then api_free(). */
void api_stop(struct api *api, uint32_t deadline_ms);
void api_free(struct api *api);

#endif
