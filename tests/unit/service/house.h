/*
 * house.h - a service on a book in memory, with a clock and chance of the test's own.
 *
 * Owns:      struct house; asking for a route and waiting for its answer.
 * Must not:  know what is asked.
 */
#ifndef KOP_TESTS_UNIT_SERVICE_HOUSE_H
#define KOP_TESTS_UNIT_SERVICE_HOUSE_H

#include "service/internal.h"

struct house {
    struct store *store;
    struct service *service;
    _Atomic int64_t now;
    uint64_t chance;
    struct arena arena; /* of answers */
};

/* A new book with tenant 1 ("shop"). With `threads` the store has its own, else it runs inline. */
void house_open(struct house *house, bool threads);
void house_close(struct house *house);
/* Another service object on the same book. */
void house_restart(struct house *house);

/* What is asked. Without `authorization` the call is trusted, of tenant 1. */
struct question {
    enum route_name route;
    const char *body;          /* ' stands for " */
    const char *authorization; /* the header; NULL: trusted */
    const char *key;           /* Idempotency-Key */
    const char *param[2];
    const char *query;
    bool without_key; /* not trusted, and no header either */
};
struct answer {
    int status;
    enum outcome outcome;
    struct text text; /* in the house's arena */
};
/* From any thread when the house has threads; `arena` NULL: the house's. */
struct answer house_ask(struct house *house, const struct question *question, struct arena *arena);
/* Trusted, with a body alone. */
struct answer house_say(struct house *house, enum route_name route, const char *body);

/* Publish `document` (' for ") as programme `id`, in force from `from`. Fails if it is refused. */
void house_publish(struct house *house, const char *id, const char *document, unix_ms from);
/* Enrol with card `card`; the member's id. */
uint64_t house_enrol(struct house *house, const char *programme, const char *card);
/* The text after `"name":` up to the next comma or brace, quotes taken off; empty: not there. */
struct text answer_member(struct text json, const char *name);
bool answer_has(const struct answer *answer, const char *piece);

#endif
