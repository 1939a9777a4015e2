/*
 * serve.h - serving an open book until the process is told to stop; `serve` and `demo` both do.
 *
 * Owns:      what serving needs to know.
 */
#ifndef KOP_CLI_SERVE_H
#define KOP_CLI_SERVE_H

#include "cli/cli.h"
#include "http/api.h"

struct serve_wish {
    const char *address;
    uint16_t port;
    bool behind_proxy;
    uint32_t threads;
    bool daily;
    const char *db; /* where `kopilka backup` finds this server: beside this file; NULL: nowhere */
    int log;                                         /* descriptor; -1: none */
    void (*listening)(void *context, uint16_t port); /* called once it answers */
    void *context;
};

/* Keep SIGTERM and SIGINT for serve_until_stopped(): before the book is opened, for every thread
 * inherits it. */
void serve_block_signals(void);

/* Serves, stops on SIGTERM or SIGINT, closes the book. The program's exit status. */
int serve_until_stopped(struct book *book, const struct serve_wish *wish);

#endif
