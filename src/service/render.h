/*
 * render.h - answers as JSON bytes, from records; problem+json; statements with reasons.
 *
 * Owns:      the frozen form of every answer.
 * Must not:  compute: what is told was decided. Read a clock.
 * Invariant: the same record gives the same bytes for ever (renderer version 1).
 */
#ifndef KOP_SERVICE_RENDER_H
#define KOP_SERVICE_RENDER_H

#include "engine/engine.h"
#include "service/request.h"

/* The answer to quote, reserve, commit, cancel, return, opening, event, enrol by record kind. A quote
 * (record->op_id 0) has "decision" (hex hash), "valid_until" and the trace. */
void render_record(const struct record *record, const struct plan *plan, const unsigned char *quote_hash,
                   bool russian, struct buf *out);
/* The decision alone (evaluate): lines, totals, earnings, redemptions, trace. */
void render_decision(const struct decision *decision, const struct event *event, const struct plan *plan,
                     bool russian, struct json_writer *writer);
/* RFC 9457: {"type": "https://kopilka.dev/problems/NAME", "title", "status", "detail", "pointer", "limit"}.
 * `limit` with its scale when has_limit. */
struct problem_view {
    enum outcome outcome;
    struct text pointer, detail;
    bool has_limit;
    amount limit;
    uint8_t limit_scale;
    const struct problems *mistakes; /* PROGRAMME_INVALID: all of them, or NULL */
};
void render_problem(const struct problem_view *problem, bool russian, struct buf *out);

/* One movement of a statement, with its reason: kind, amounts, lot's life, rule's code and name, receipt. */
void render_movement(const struct movement *movement, const struct plan *plan, bool russian,
                     struct json_writer *writer);
/* Balances, levels and open lots of an owner (already settled to now). */
void render_balance(const struct owner *owner, const struct terms *terms, struct json_writer *writer);

#endif
