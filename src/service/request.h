/*
 * request.h - JSON bodies of requests become plain structs, refused exactly.
 *
 * Owns:      which fields each body has, their types, ranges and lengths; the pointer of the culprit.
 * Must not:  look anything up, or decide.
 * Invariant: an unknown or repeated field, a wrong type, a number outside its range, too many items, too
 *            long text is refused with outcome and JSON pointer; nothing is guessed. No untyped field takes
 *            what looks like a bank card's number (13-19 digits, Luhn, in a card scheme's range).
 * Cost:      one pass, no tree, strings point into the body.
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

/* Who or what a request names; at most one of card, phone, member. */
struct whom {
    struct text card, phone, email;
    uint64_t member_id;
};

/* Bodies of quote, reserve and commit (docs/openapi.yaml, schema Purchase). */
struct purchase_body {
    struct text programme;
    struct whom whom;
    struct event event;      /* not yet normalised; `kind` is "purchase" */
    bool is_fact;            /* "mode": "fact" */
    uint64_t reserve;        /* commit of a reserve */
    bool has_quote;
    unsigned char quote[32]; /* decision hash that the commit names (hex in JSON: "quote") */
};

/*
 * Read a purchase. Amounts need the programme's scales, so it is read in two steps: body_programme() finds
 * the member "programme" first; then the plan is known. `lines_required`: false when a reserve is committed.
 */
KOP_MUST_CHECK bool body_programme(struct text body, struct arena *arena, struct text *programme,
                                   struct refusal *refusal);
KOP_MUST_CHECK bool purchase_body_read(struct text body, const struct plan *plan, struct arena *arena,
                                       struct purchase_body *out, struct refusal *refusal);

struct return_body {
    struct text programme;
    /* The return's own key. */
    struct text outlet, till, number;
    int64_t period;
    /* The purchase: {"outlet", "till", "period", "number"}. */
    struct text of_outlet, of_till, of_number;
    int64_t of_period;
    unix_ms occurred_at;
    uint32_t line_count;     /* "lines": absent or empty: everything left */
    struct returned_line *line;
};
KOP_MUST_CHECK bool return_body_read(struct text body, struct arena *arena, struct return_body *out,
                                     struct refusal *refusal);

struct cancel_body {
    struct text programme;
    struct text outlet, till, number; /* key of the cancellation: the reserve's own receipt key */
    int64_t period;
    uint64_t reserve;
};
KOP_MUST_CHECK bool cancel_body_read(struct text body, struct arena *arena, struct cancel_body *out,
                                     struct refusal *refusal);

/* Enrolment. Telephone as E.164 after normalisation by the service; dates as text. */
struct enrol_body {
    struct text programme;
    struct text surname, name, patronymic, birthday, sex, town, phone, email;
    uint32_t card_count;
    struct text *card;       /* cards to tie at once */
    bool consent;
};
KOP_MUST_CHECK bool enrol_body_read(struct text body, struct arena *arena, struct enrol_body *out,
                                    struct refusal *refusal);

struct card_body {
    struct text programme;
    struct text number;
    uint64_t member_id;      /* tie to; 0: a card without a member */
    struct text state;       /* "active", "blocked" for changes; may be empty */
};
KOP_MUST_CHECK bool card_body_read(struct text body, struct arena *arena, struct card_body *out,
                                   struct refusal *refusal);

struct opening_body {
    struct text programme;
    struct whom whom;
    struct text currency;
    struct text points;      /* decimal text: its scale is the currency's */
    unix_ms at;
    bool has_at;
};
KOP_MUST_CHECK bool opening_body_read(struct text body, struct arena *arena, struct opening_body *out,
                                      struct refusal *refusal);

/* An event other than a purchase: {"programme", "kind", "card"|"phone"|"member", "occurred_at", "attributes"}. */
struct event_body {
    struct text programme;
    struct whom whom;
    struct event event;
};
KOP_MUST_CHECK bool event_body_read(struct text body, const struct plan *plan, struct arena *arena,
                                    struct event_body *out, struct refusal *refusal);

/* POST /v1/evaluate: {"programme": document, "event": purchase body's event fields, "member": view, "mode"}.
 * The programme's document is given apart by `kopilka evaluate`; here as raw JSON text. */
struct evaluate_body {
    struct text document;    /* raw JSON of "programme"; empty when given apart */
    struct text event, member;
    bool is_fact;
};
KOP_MUST_CHECK bool evaluate_body_read(struct text body, struct arena *arena, struct evaluate_body *out,
                                       struct refusal *refusal);
KOP_MUST_CHECK bool evaluate_event_read(struct text json, const struct plan *plan, struct arena *arena,
                                        struct event *event, struct refusal *refusal);
/* {"known", "levels": {ladder: level}, "counters": {code: n}, "available": {currency: n}, "segments": [], "enrolled_at"} */
KOP_MUST_CHECK bool evaluate_member_read(struct text json, const struct plan *plan, struct arena *arena,
                                         struct member_view *view, struct refusal *refusal);

#endif
