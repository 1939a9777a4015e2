/*
 * record.h - the canonical record of an operation: what answer, return and explanation need.
 *
 * Owns:      struct record and its bytes (the body of a `receipt` row).
 * Must not:  hold personal data; change: a new form gets a new version byte and the old one stays
 *            readable.
 * Invariant: rendering an answer needs the record and its programme version, nothing else, so the
 *            same key always gets the same bytes.
 */
#ifndef KOP_CORE_RECORD_H
#define KOP_CORE_RECORD_H

#include "core/decision.h"
#include "core/rows.h"

#define RECORDS(X)                                                                                 \
    X(PURCHASE) /* a committed receipt */                                                          \
    X(RESERVE)  /* a reserve: decision and hold */                                                 \
    X(CANCEL)   /* a reserve given up */                                                           \
    X(RETURN)   /* goods taken back; `origin` is the purchase */                                   \
    X(OPENING)  /* a balance brought in */                                                         \
    X(ENROL)    /* a member was enrolled */                                                        \
    X(EVENT)    /* an event other than a purchase */                                               \
    X(SETTLE)   /* what was due, by the daily run */                                               \
    X(CARD)     /* a card was tied, blocked or freed */
enum record_kind {
#define X(name) RECORD_##name,
    RECORDS(X)
#undef X
        record_kind_count
};
const char *record_kind_name(enum record_kind kind);

/* The lot that earning `earning` made. */
struct earned_lot {
    uint32_t earning;  /* index into decision.earning */
    uint32_t lot_no;
    unix_ms active_from, expires_at;
};

struct balance_after {
    uint8_t currency;
    amount active, pending, held, debt; /* debt >= 0 */
};

/* What a return gave and took, this step alone. */
struct return_result {
    amount refund;         /* money given back now */
    amount certificate;    /* to certificates now */
    amount purse;
    amount shortfall;      /* of the receipt, after this step */
    uint32_t restored_count, revoked_count;
    struct redemption *restored; /* points given back */
    struct redemption *revoked;  /* points taken back (negative: given again); money unused */
    amount *debt;          /* by index of revoked: how much of it became debt */
};

/* Where an operation stands among those of its owner. */
struct record_place {
    uint64_t sequence;      /* the owner's version after it: 1, 2, … */
    uint64_t previous;      /* op_id of the one before; 0: it is the first */
    uint32_t last_movement; /* the owner's before it: its own begin after that */
};

struct record {
    enum record_kind kind;
    uint64_t op_id, owner_id, member_id; /* member 0: none */
    struct record_place place;
    uint64_t origin;       /* RETURN: the purchase; PURCHASE: its reserve; CANCEL: the reserve */
    unsigned char request_hash[32];
    uint32_t version;      /* of the programme */
    unix_ms occurred_at, recorded_at;
    bool is_fact;          /* mode fact */
    amount uncovered;      /* fact: money worth of points that no balance covered */
    struct event event;
    struct member_view view; /* what was read: level, counters, available (segments too) */
    struct decision decision;
    uint32_t take_count;
    struct take *take;     /* lots that paid, in order */
    uint32_t earned_count;
    struct earned_lot *earned;
    uint32_t after_count;
    struct balance_after *after;
    unix_ms valid_until;   /* RESERVE */
    uint32_t returned_count;
    struct returned_line *returned; /* RETURN */
    struct return_result result;    /* RETURN */
    struct text returned_after;     /* RETURN: the row of the purchase's returns after it */
    uint8_t opening_currency;       /* OPENING */
    amount opening_points;
    uint64_t person_id;             /* ENROL; 0: nobody is known */
    /* What else was written with it, so that a replay can tell what must be there. */
    uint32_t counted_count;
    struct counted *counted;
    uint32_t key_count;
    struct directory_row *key;      /* owner and member are the record's */
    struct text claim;              /* empty: none */
};

/* `record->version` is that of `terms`; the decision is DONE and adds up (asserted). The trace is
 * not kept, nor effects' fields that their kind has no use for. */
void record_encode(const struct record *record, const struct terms *terms, struct buf *buf);
/* Text of the record points into `body`. `terms` are those of record_version(body). */
KOP_MUST_CHECK enum code record_decode(struct text body, const struct terms *terms,
                                       struct arena *arena, struct record *record,
                                       struct err *err);
/* What an encoded record begins with. */
struct record_head {
    enum record_kind kind;
    uint32_t version;         /* of the programme */
    struct text request_hash; /* points into the body */
    struct record_place place;
};
KOP_MUST_CHECK enum code record_peek(struct text body, struct record_head *head, struct err *err);

/*
 * What has been returned of one purchase so far: a row that exists once something was returned.
 * All amounts are totals over the returns so far, functions of the quantities: docs/semantics.md.
 */
struct returned_state {
    uint32_t line_count;
    int64_t *quantity;     /* by line: thousandths */
    amount refunded, certificate, purse, shortfall;
    uint32_t take_count;
    amount *restored;      /* by index of record.take: points given back to that lot */
    uint32_t earning_count;
    amount *revoked;       /* by index of earning */
    int64_t counter_sub[counters_per_programme_max]; /* off the counters, by position in terms */
};
void returned_state_encode(const struct returned_state *state, const struct terms *terms,
                           struct buf *buf);
KOP_MUST_CHECK enum code returned_state_decode(struct text body, const struct terms *terms,
                                               struct arena *arena, struct returned_state *state,
                                               struct err *err);

#endif
