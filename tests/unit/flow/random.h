/*
 * random.h - random programmes, receipts and returns for the properties of returns.
 *
 * Owns:      the generators: what they may produce is what the properties are tested on.
 * Must not:  compute anything that a property compares.
 */
#ifndef KOP_TESTS_UNIT_FLOW_RANDOM_H
#define KOP_TESTS_UNIT_FLOW_RANDOM_H

#include "book.h"

enum { random_lines_max = 5, random_document_max = 16384 };

/* A seeded generator (xorshift64*). */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *random);
int64_t random_below(struct random *random, int64_t below);
bool random_one_in(struct random *random, int n);

/* A document (with ' for ") of two currencies, four counters, a ladder and up to nine rules. */
void random_document(struct random *random, enum return_policy policy, char *document);

/* A receipt with its room. */
struct random_receipt {
    struct purchase_input input;
    struct line line[random_lines_max];
    struct redeem redeem[2];
    struct payment payment[2];
};
void random_receipt(struct random *random, unix_ms at, struct random_receipt *receipt);

/* An enrolled member with some lots of both currencies and some turnover. */
void random_member(struct random *random, struct book *book, unix_ms now);

/* Some of what is left: quantities by line, at least one of them not 0. false: nothing is left. */
bool random_part(struct random *random, const struct event *event, const int64_t *back,
                 int64_t *part);

#endif
