/*
 * render.h - answers as JSON bytes, from records; problem+json; statements with reasons.
 *
 * Owns:      the frozen form of every answer (docs/openapi.yaml has the schemas).
 * Must not:  compute: what is told was decided. Read a clock.
 * Invariant: the same record gives the same bytes for ever (renderer version 1). What was booked
 *            is told without a word of any language; a quote, an evaluation, a statement and a
 *            problem have words, in Russian or English.
 * Failure:   a buf that ran out of memory says so in `failed`; nothing else can go wrong.
 */
#ifndef KOP_SERVICE_RENDER_H
#define KOP_SERVICE_RENDER_H

#include "engine/engine.h"
#include "service/request.h"

/*
 * The answer to quote, reserve, commit, cancel, return, opening, event, enrol by record kind.
 * `quote_hash` (32 bytes): the record is a quote, not booked: it gets "decision", names of rules
 * and the trace; NULL otherwise. `plan` is of the record's version. `out` must have an arena.
 */
void render_record(const struct record *record, const struct plan *plan,
                   const unsigned char *quote_hash, bool russian, struct buf *out);

/* The decision alone, as one object (evaluate): outcome, lines, totals, discounts, earned,
 * redeemed, counters, trace; or, refused: outcome, title, pointer, limit, trace. */
void render_decision(const struct decision *decision, const struct event *event,
                     const struct plan *plan, bool russian, struct json_writer *writer);

/*
 * RFC 9457: {"type": "https://kopilka.dev/problems/NAME", "outcome": NAME, "title", "status",
 * "detail", "pointer", "limit"}. `limit` with its scale when has_limit.
 */
struct problem_view {
    enum outcome outcome;
    struct text pointer, detail;
    bool has_limit;
    amount limit;
    uint8_t limit_scale;
    const struct problems *mistakes; /* PROGRAMME_INVALID: all of them, or NULL */
    /* DECISION_CHANGED: the quote as it is now, its plan and hash: "quote"; or NULL. */
    const struct record *quote;
    const struct plan *plan;
    const unsigned char *quote_hash;
};
void render_problem(const struct problem_view *problem, bool russian, struct buf *out);

/*
 * One movement of a statement as one object, with its reason: kind, amounts, lot's life, rule's
 * code and name, operation. `plan`: of movement->version, or (for movements without a rule) any
 * version that has the movement's currency; with another version's plan the rule is left out.
 */
void render_movement(const struct movement *movement, const struct plan *plan, bool russian,
                     struct json_writer *writer);

/* Balances, levels and open lots of an owner (already settled to now), as one object. */
void render_balance(const struct owner *owner, const struct terms *terms,
                    struct json_writer *writer);

#endif
