/*
 * deed.h - one thing that an actor of the simulation asks for, and what should come of it.
 *
 * Owns:      struct deed, struct sim: the state of one seed; how a deed becomes a request.
 * Must not:  decide what the answer should be (the model does) or compare it (compare.c).
 */
#ifndef KOP_TESTS_SIM_DEED_H
#define KOP_TESTS_SIM_DEED_H

#include "answer.h"
#include "model.h"
#include "server.h"

#include <stdio.h>

enum deed_kind {
    DEED_QUOTE,
    DEED_RESERVE,
    DEED_COMMIT,
    DEED_FACT,
    DEED_COMMIT_RESERVE,
    DEED_CANCEL,
    DEED_RETURN,
    DEED_EVENT,
    DEED_OPENING,
    DEED_ENROL,
    DEED_BALANCE,
    deed_kind_count
};

enum naming { BY_CARD, BY_PHONE, BY_MEMBER, BY_UNKNOWN_CARD, naming_count };

struct deed {
    enum deed_kind kind;
    int member; /* -1: nobody */
    enum naming naming;
    struct m_event event; /* with the receipt key, also of returns and cancellations */
    int reserve, receipt;
    bool whole; /* return: everything that is left */
    int64_t quantity[m_lines_max];
    bool has_quote;
    char quote[65];             /* the hash that the commit names */
    struct m_decision promised; /* what was decided then */
    int currency;
    int64_t points, at; /* opening; at 0: not given */
    char key[40];       /* Idempotency-Key */
    int attempt;           /* > 0: sent before */
};

/* What the simulation keeps beside a member of the model. */
struct person {
    char id[24], card[24], phone[24];
    bool twin; /* belongs to a pair that lives apart */
};
/* A committed receipt: how a return names it, and what came back by the server's own answers. */
struct sold {
    const char *outlet, *till;
    int64_t period;
    char number[24];
    int64_t refunded, certificate, purse, shortfall;
    int64_t restored[m_currencies_max], revoked[m_currencies_max];
};
/* A reserve: its own key and id. */
struct reserved {
    const char *outlet, *till;
    int64_t period;
    char number[24], id[24];
};
/* A key that an operation claimed: what was asked and answered. */
struct claim {
    char *key, *body, *answer;
    size_t answer_len;
};

enum { recent_max = 512, queue_max = 64, claim_slots = 1 << 15 };

struct sim {
    uint64_t seed, random;
    long op, ops;
    bool verbose, failed;
    struct server server;
    struct model model;
    const struct m_programme *programme; /* its first version: names and scales never change */
    struct m_programme second;
    const char *documents;
    int64_t now;
    int serial; /* of receipt numbers and keys */
    int person_cap, sold_cap, reserved_cap;
    struct person *person; /* by the model's number */
    struct sold *sold;
    struct reserved *reserved;
    struct deed *recent; /* a ring */
    long recent_count;
    struct deed *queue; /* told to no server yet: the till is offline */
    int queued;
    struct deed *quoted; /* a ring of quotes that a commit may name */
    long quoted_count;
    struct claim *claim; /* open addressing */
    struct answers tree;
    char *body;
    size_t body_len, body_cap;
    long count[deed_kind_count], refused, repeats, mixed_up, returns_parts;
    long outcome_count[outcome_count];
    char trouble[4000]; /* what differed */
    size_t trouble_len;
};

enum { quoted_max = 64 };

/* ---- chance ---- */

uint64_t chance_next(struct sim *sim);
/* 0 .. below - 1 */
int64_t chance(struct sim *sim, int64_t below);
bool chance_percent(struct sim *sim, int percent);

/* ---- requests (deed.c) ---- */

/* The body that goes out, into sim->body. canonical: without `attempt`. */
void deed_body(struct sim *sim, const struct deed *deed, bool canonical);
/* The same key with another body: one detail changes. false: nothing of it may. */
bool deed_change(struct deed *deed);
enum route_name deed_route(const struct deed *deed);
/* What the operation is named by; "" for what claims nothing. */
void deed_claim_key(const struct sim *sim, const struct deed *deed, char *out, size_t size);
void print_amount(char *out, size_t size, int64_t value, int scale);
void print_instant(char *out, size_t size, int64_t at);

/* ---- comparing (compare.c) ---- */

/* Something differs: remembered, and printed with the failure. */
void trouble(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The answer in server.answer against what the model says. */
void compare_purchase(struct sim *sim, const struct deed *deed, const struct m_decision *decision,
                      const struct m_view *view, int receipt);
void compare_return(struct sim *sim, const struct deed *deed, const struct m_returned *returned);
void compare_balances(struct sim *sim, const struct answer *balances, int member);
void compare_event(struct sim *sim, const struct deed *deed, const struct m_decision *decision);
/* The whole of GET .../balance: balances, levels, lots. */
void compare_balance(struct sim *sim, int member);
const struct answer *answer_root(struct sim *sim);

/* ---- doing (act.c) ---- */

/* Send it, run the model, compare. */
void deliver(struct sim *sim, const struct deed *deed);
void deliver_balance(struct sim *sim, int member);
int enrol(struct sim *sim, bool twin);

/* ---- inventing (workload.c) ---- */

void invent_purchase(struct sim *sim, enum deed_kind kind, struct deed *deed);
bool invent_return(struct sim *sim, struct deed *deed);
void invent_opening(struct sim *sim, struct deed *deed);
bool invent_event(struct sim *sim, struct deed *deed);
/* A fresh receipt key. */
void new_key(struct sim *sim, struct m_event *event);
int some_member(struct sim *sim);

/* ---- acting (sim.c, returner.c) ---- */

/* Deliver, and keep it: it may be told again. */
void tell(struct sim *sim, const struct deed *deed);
/* A reserve of late, somebody's, is committed or given up. */
void act_capture(struct sim *sim);
void act_cancel(struct sim *sim);
void act_spree(struct sim *sim);
void act_tangle(struct sim *sim);

/* ---- promises about returns (promises.c) ---- */

/* A return of a random part of what is left of a receipt. */
void return_part(struct sim *sim, int receipt, struct deed *deed);
void promise_full_return(struct sim *sim);
void promise_twins(struct sim *sim);
/* After a return under requote: nothing gained against the goods kept. */
void promise_no_gain(struct sim *sim, int receipt);

#endif
