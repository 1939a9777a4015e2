/*
 * request.h - JSON bodies of requests become plain structs, refused exactly.
 *
 * Owns:      which fields each body has, their types, ranges and lengths; the pointer of the
 *            culprit.
 * Must not:  look anything up, or decide.
 * Invariant: an unknown or repeated field, a wrong type, a number outside its range, too many
 *            items, too long text is refused with outcome and JSON pointer; nothing is guessed. No
 *            untyped field takes what looks like a bank card's number, and no refusal repeats a
 *            value, so that none can reach a log.
 * Cost:      one pass, no tree, strings point into the body.
 *
 * Reading stops at the first mistake in the order of the text; a field that is missing, or two that
 * exclude one another, are told at the end of their object. `out` means nothing when refused.
 * Shapes: docs/openapi.yaml. Every body may carry "sent_at" (text) and "attempt" (a whole number):
 * they are checked and forgotten.
 */
#ifndef KOP_SERVICE_REQUEST_H
#define KOP_SERVICE_REQUEST_H

#include "engine/engine.h"
#include "flow/flow.h"

/* Why a body was refused. `pointer` and `detail` live in the arena. */
struct refusal {
    enum outcome outcome; /* DONE: not refused */
    struct text pointer;
    struct text detail;   /* English sentence part, may be empty */
};

/* Who or what a request names; at most one of card, phone, email, member. */
struct whom {
    struct text card, phone, email;
    uint64_t member_id;
};

/* Bodies of quote, reserve and commit (docs/openapi.yaml, schema Purchase). */
struct purchase_body {
    struct text programme;
    struct whom whom;        /* never an e-mail */
    struct event event;      /* not yet normalised; `kind` is "purchase" */
    bool is_fact;            /* "mode": "fact" */
    uint64_t reserve;        /* commit of a reserve: it may go without lines */
    bool has_quote;
    unsigned char quote[32]; /* decision hash that the commit names (hex in JSON: "quote") */
};

/*
 * Read a purchase. Amounts need the programme's scales, so it is read in two steps:
 * body_programme() finds the member "programme" of any body first; then the plan is known.
 */
KOP_MUST_CHECK bool body_programme(struct text body, struct arena *arena, struct text *programme,
                                   struct refusal *refusal);
/* The member "occurred_at" of any body, which tells the version to read it by. false: it is not
 * there or no time; the body's own reader says so. */
bool body_occurred_at(struct text body, struct arena *arena, unix_ms *at);
KOP_MUST_CHECK bool purchase_body_read(struct text body, const struct plan *plan,
                                       struct arena *arena, struct purchase_body *out,
                                       struct refusal *refusal);

struct return_body {
    struct text programme;
    /* The return's own key. */
    struct text outlet, till, number;
    int64_t period;
    /* The purchase: "receipt": {"outlet", "till", "period", "number"}. */
    struct text of_outlet, of_till, of_number;
    int64_t of_period;
    unix_ms occurred_at;
    uint32_t line_count;     /* "lines": absent or empty: everything left */
    struct returned_line *line;
};
KOP_MUST_CHECK bool return_body_read(struct text body, struct arena *arena,
                                     struct return_body *out, struct refusal *refusal);

struct cancel_body {
    struct text programme;
    struct text outlet, till, number; /* the reserve's own receipt key */
    int64_t period;
    uint64_t reserve;                 /* 0: not named beside its key */
};
KOP_MUST_CHECK bool cancel_body_read(struct text body, struct arena *arena,
                                     struct cancel_body *out, struct refusal *refusal);

/* Enrolment. Telephone as E.164 after normalisation by the service; dates as text. */
struct enrol_body {
    struct text programme;
    struct text surname, name, patronymic, birthday, sex, town, phone, email;
    uint32_t card_count;
    struct text *card;       /* "cards": to tie at once */
    bool consent;
};
KOP_MUST_CHECK bool enrol_body_read(struct text body, struct arena *arena, struct enrol_body *out,
                                    struct refusal *refusal);

/* Who is meant: exactly one of card, phone, email, member. A search goes by POST, so that no
 * address holds personal data. */
struct find_body {
    struct text programme;
    struct whom whom;
};
KOP_MUST_CHECK bool find_body_read(struct text body, struct arena *arena, struct find_body *out,
                                   struct refusal *refusal);

struct card_body {
    struct text programme;
    struct text number;
    uint64_t member_id;      /* "member": tie to; 0: a card without a member */
    struct text state;       /* "active", "blocked" for changes; may be empty */
};
KOP_MUST_CHECK bool card_body_read(struct text body, struct arena *arena, struct card_body *out,
                                   struct refusal *refusal);

struct opening_body {
    struct text programme;
    struct whom whom;        /* none: MEMBER_NEEDED is the service's to say */
    struct text currency;
    struct text points;      /* decimal text, not negative: its scale is the currency's */
    unix_ms at;
    bool has_at;
};
KOP_MUST_CHECK bool opening_body_read(struct text body, struct arena *arena,
                                      struct opening_body *out, struct refusal *refusal);

/* An event other than a purchase: {"programme", "kind", "card" | "phone" | "member", "outlet",
 * "till", "channel", "region", "occurred_at", "attributes"}. */
struct event_body {
    struct text programme;
    struct whom whom;        /* none: MEMBER_NEEDED is the service's to say */
    struct event event;
};
KOP_MUST_CHECK bool event_body_read(struct text body, const struct plan *plan, struct arena *arena,
                                    struct event_body *out, struct refusal *refusal);

/* Check or publish a programme: {"document": the programme, "in_force_from": instant}. */
struct version_body {
    struct text document;    /* raw JSON of an object; its mistakes are the engine's to find */
    unix_ms in_force_from;
    bool has_in_force_from;
};
KOP_MUST_CHECK bool version_body_read(struct text body, struct arena *arena,
                                      struct version_body *out, struct refusal *refusal);

/*
 * POST /v1/evaluate: {"programme": document, "event": fields of a purchase that are the event's
 * own, "member": view, "mode"}. `kopilka evaluate` is given the programme's document apart. The
 * parts are raw JSON of objects, to be read by the two functions below; pointers of their refusals
 * begin with "/event" and "/member".
 */
struct evaluate_body {
    struct text document;    /* of "programme"; empty when given apart */
    struct text event;
    struct text member;      /* empty: nobody is known */
    bool is_fact;
};
KOP_MUST_CHECK bool evaluate_body_read(struct text body, struct arena *arena,
                                       struct evaluate_body *out, struct refusal *refusal);
/* "kind" may name another kind of event; then lines are not needed. The receipt's key is optional.
 */
KOP_MUST_CHECK bool evaluate_event_read(struct text json, const struct plan *plan,
                                        struct arena *arena, struct event *event,
                                        struct refusal *refusal);
/* {"known" (default true), "levels": {ladder: level}, "counters": {code: n},
 * "available": {currency: n}, "segments": [], "enrolled_at"}; empty json: nobody is known. */
KOP_MUST_CHECK bool evaluate_member_read(struct text json, const struct plan *plan,
                                         struct arena *arena, struct member_view *view,
                                         struct refusal *refusal);

#endif
