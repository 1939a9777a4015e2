/*
 * internal.h - what the files of service share.
 *
 * Owns:      struct service, struct work (one request on its way), and the steps that all use
 *            cases have.
 * Must not:  be included outside service/.
 */
#ifndef KOP_SERVICE_INTERNAL_H
#define KOP_SERVICE_INTERNAL_H

#include "flow/flow.h"
#include "service/catalogue.h"
#include "service/ids.h"
#include "service/lease.h"
#include "service/render.h"
#include "service/service.h"

struct service {
    struct store *store;
    struct host host;
    struct ids ids;
    struct lease lease;
    const char *zone_dir;
    unsigned char person_master[32]; /* wraps the persons' keys */
    struct hmac_key directory_key;   /* keyed hashes of cards, telephones … */
    _Atomic(const struct catalogue *) catalogue;
    _Atomic uint64_t looks; /* second and how many in it: see work_look() */
    _Atomic uint64_t calls[call_count], refusals, failures, swept;
};

/* One request on its way: lives in call->arena. */
struct work {
    struct service *service;
    struct call *call;
    const struct catalogue *catalogue; /* pinned */
    const struct key_entry *key;       /* NULL: trusted */
    bool missing; /* the catalogue lacks what was named: another server may have written it */
    bool looked;  /* it was looked for in the book already */
    uint32_t tenant;
    unix_ms now;
    const struct programme_entry *programme;
    const struct version_entry *version; /* in force at occurred_at */
    struct refusal refusal;              /* outcome DONE: not refused */
    bool has_limit;
    amount limit;
    uint8_t limit_scale;
    const struct problems *mistakes;
    struct op op;
    struct step step;
    struct view view;
    unsigned char request_hash[sha256_bytes];
    unsigned char quote_hash[sha256_bytes];
    void *input; /* the use case's own */
    enum code (*run)(struct tx *tx, struct op *op, struct err *err);
    /* Render the answer when not refused; writes into `out`, sets call->status (200 before). */
    enum code (*render)(struct work *work, struct buf *out, struct err *err);
};

/*
 * A new id, by the host's clock: `now` may lie in the past, ids never do. 0: there is none, and the
 * request is refused (BUSY); work_submit() then only says so.
 */
uint64_t work_next_id(struct work *work);

/* Refuse: sets the outcome; the first refusal stays. Returns false so that `return
 * work_refuse(…)` reads well. */
bool work_refuse(struct work *work, enum outcome outcome, struct text pointer);
/* A failure of the world: INTERNAL or BUSY, logged once at the edge. */
void work_fail(struct work *work, const struct err *err);
/* Nothing more to do: tell the caller. A refusal for something that is missing in the catalogue
 * looks into the book first, and begins anew if that knows more. */
void work_done(struct work *work);

/* The programme named in the body, and its version in force at `at`. */
bool work_programme(struct work *work, struct text code);
bool work_version(struct work *work, unix_ms at);
/* The plan by whose scales and attributes to read a body of the programme: of when it happened. */
const struct plan *work_reader(struct work *work);

/* "?explain=full": every rule is looked at and told of; without it those that a large programme's
 * index reaches. Anything else in the query is refused. */
bool work_trace_wish(struct work *work, enum trace_wish *wish);

/* The figure that belongs to a refusal; 0 is told where it says something: there are no points. */
void work_limit(struct work *work, enum outcome outcome, amount limit, uint8_t scale);

/* The key's tenant, outlet and till against what the request says. */
bool work_may(struct work *work, struct text outlet, struct text till);

/*
 * Keyed hash of an identifier within tenant and programme, in the arena. An e-mail address is taken
 * in any case of its letters, a telephone in its normal form alone.
 */
struct text directory_key_of(struct work *work, enum key_kind kind, struct text value);
/* Telephone as +digits, or empty text when it is none. */
struct text telephone_normal(struct text written, struct arena *arena);

/* Route the operation by whom the request names; adds a route to work->op. false: refused. */
bool work_route(struct work *work, const struct whom *whom);
/* In run(): the owner that route 0 found, or the anonymous one; sets step.owner_id/member_id. */
bool work_routed(struct work *work, const struct whom *whom, bool member_needed,
                 uint64_t anonymous);

/* Claims: a receipt's key (plain, clustered by till), an Idempotency-Key (hashed). */
struct receipt_key {
    struct text outlet, till, number;
    int64_t period;
    enum record_kind kind;
};
struct text receipt_claim(struct work *work, const struct receipt_key *key);
bool work_claim_header(struct work *work);

/* Submit work->op; work_done() follows. */
void work_submit(struct work *work, enum access access,
                 enum code (*run)(struct tx *tx, struct op *op, struct err *err));
/* op.run of every operation: forgets what an earlier try refused, then work->run. */
enum code work_run(struct tx *tx, struct op *op, struct err *err);
/* In done() of a claimed operation: a repeat is answered from its record, or refused as
 * KEY_REUSED. */
void work_take_repeat(struct work *work);

/* Set the step's common part, as found in work->view (work_load() does it). */
void work_begin_step(struct work *work);
/* In run(): load, and afterwards seal and write what the flow decided. */
enum code work_load(struct work *work, struct tx *tx, const struct needs *needs, struct err *err);
enum code work_write(struct work *work, struct tx *tx, struct err *err);

/* Hash the chain over the new movements (service/seal.c). */
KOP_MUST_CHECK enum code seal(struct changes *changes, struct arena *arena, struct err *err);

/* Delete the persons that nobody names, of before `before`; adds to `swept` (service/sweep.c). */
KOP_MUST_CHECK enum code sweep_persons(struct service *service, unix_ms before, uint64_t *swept,
                                       struct err *err);

/* Read the store, and replace the catalogue if that is older. Not on the store's threads. */
KOP_MUST_CHECK enum code catalogue_reload(struct service *service, struct err *err);
/* The same in two halves (service/catalogue.c): rows inside an operation, and the rest after it. */
struct rows {
    struct row *row;
    uint32_t count;
};
struct draft {
    struct service *service;
    struct catalogue *catalogue; /* to be; NULL: the one in force is as new */
    struct rows tenants, programmes, versions, keys;
};
KOP_MUST_CHECK enum code draft_read(struct draft *draft, struct tx *tx, struct op *op,
                                    struct err *err);
KOP_MUST_CHECK enum code draft_adopt(struct draft *draft, struct err *err);
void draft_release(struct draft *draft);
/* The catalogue lacks what `work` names: look into the book, once. false: that was done already. */
bool work_look(struct work *work);
/* Begin anew with the catalogue that is in force now: nothing was written (service/call.c). */
void work_begin(struct work *work);
/* The bytes of zone `name`, in the arena; empty for UTC. */
KOP_MUST_CHECK enum code zone_read(struct service *service, struct text name, struct arena *arena,
                                   struct text *tzif, struct err *err);

/* ---- the use cases: called by call.c; each ends in work_done() or work_submit() ---- */
void call_evaluate(struct work *work);
void call_purchase(struct work *work); /* quote, reserve, commit */
void call_cancel(struct work *work);
void call_return(struct work *work);
void call_receipt(struct work *work); /* and its explanation */
void call_enrol(struct work *work);
void call_find(struct work *work);
void call_member(struct work *work); /* member, balance, statement */
void call_card(struct work *work);
void call_opening(struct work *work);
void call_event(struct work *work);
void call_check(struct work *work);
void call_publish(struct work *work);
void call_programmes(struct work *work); /* list, one */
void call_plain(struct work *work);      /* healthz, readyz, metrics */

#endif
