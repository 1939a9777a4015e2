/*
 * service.h - the use cases on a store: everything that the HTTP API and the command line can ask
 * for.
 *
 * Owns:      struct service (store, keys, catalogue of programmes), struct call (one request).
 * Must not:  know sockets, or which database it is.
 * Threads:   service_call() may be called on any thread; call->done comes once, on the caller's
 *            or the
 *            store's thread; call_finish() renders, on the thread that wants the bytes.
 */
#ifndef KOP_SERVICE_SERVICE_H
#define KOP_SERVICE_SERVICE_H

#include "core/outcome.h"
#include "store/store.h"

struct service;

/* The world: injected, so that a simulation owns time and chance. */
struct host {
    unix_ms (*now)(void *context);
    void (*random)(void *context, void *bytes, size_t size);
    void *context;
};
/* The system's clock and random source. */
struct host host_system(void);

enum { master_key_bytes = 32 };

struct service_options {
    struct store *store;
    struct host host;
    unsigned char master_key[master_key_bytes];
    const char *zone_dir; /* TZif files; NULL: /usr/share/zoneinfo */
};

/* Reads the catalogue. The store stays the caller's. */
KOP_MUST_CHECK enum code service_open(const struct service_options *options,
                                      struct service **service, struct err *err);
/* The store may be closed before: operations that it still holds are answered by then. */
void service_close(struct service *service);

/*
 * The heartbeat, about once a second: renews the lease of the numbers that ids are made with, and
 * takes note of programmes and keys that others wrote into the book. After service_driven() ids
 * hang on it; before that (commands, tests) service_call() renews on its caller's thread, and
 * nothing is noticed but what a request names. Waits for the store: not on its threads, and one
 * thread alone.
 */
KOP_MUST_CHECK enum code service_beat(struct service *service, struct err *err);
void service_driven(struct service *service, bool driven);
/* Give the lease back, while the store is open and when no call is made any more. */
void service_leave(struct service *service);

enum scope { SCOPE_NONE = 0, SCOPE_TILL = 1, SCOPE_READ = 2, SCOPE_MEMBERS = 4, SCOPE_ADMIN = 8 };
enum operation_key { NAMED_NONE, NAMED_RECEIPT, NAMED_HEADER, NAMED_NATURAL };

enum route_name {
#define ROUTE(name, method, path, scope, key) CALL_##name,
#include "service/routes.def"
#undef ROUTE
    call_count
};
struct route_info {
    const char *name, *method, *path;
    enum scope scope;
    enum operation_key key;
};
const struct route_info *route_info(enum route_name name);

/* One request and its answer. The caller owns it and its arena until call_finish() and keeps it
 * still. */
struct call {
    enum route_name route;
    struct text param[2]; /* of the path, in order, decoded */
    struct text query;    /* raw, after '?' */
    struct text body;
    struct text authorization; /* the header's value; ignored when `trusted` */
    struct text idempotency_key;
    bool russian;
    bool trusted; /* the command line: no key, all scopes, `tenant` as given */
    uint32_t tenant;
    unix_ms now; /* 0: the host's clock; imports of history and simulations set it */
    enum priority priority;
    struct arena *arena;
    void (*done)(struct call *call);
    void *context; /* the caller's */
    /* The answer, after call_finish(). */
    int status;
    struct text answer, content_type;
    enum outcome outcome;
    struct text failure; /* of INTERNAL: what happened, for the log and never for the answer */
    /* The service's own. */
    struct work *work;
};

void service_call(struct service *service, struct call *call);
/* Render the answer: status, answer, content_type, outcome. Once, after done(). */
void call_finish(struct call *call);

/* problem+json of a request that reached no route. */
void service_render_refusal(enum outcome outcome, bool russian, struct buf *out);

/* Ready to serve? */
bool service_is_ready(struct service *service);

/* ---- for the command line and jobs ---- */

/* Number of the tenant with this code, made if `create`. */
KOP_MUST_CHECK enum code service_tenant(struct service *service, struct text code, bool create,
                                        uint32_t *tenant, struct err *err);
/*
 * Is `master_key` the one that this book began with? CODE_CORRUPT: no, and it must not be used with
 * it. A book that does not know yet remembers it. Whoever opens a book asks this.
 */
KOP_MUST_CHECK enum code service_check_master(struct service *service,
                                              const unsigned char master_key[master_key_bytes],
                                              struct err *err);
/* What a master key is called in front of people: 16 hexadecimal digits that tell nothing of it. */
enum { fingerprint_chars = 16 };
void master_fingerprint(const unsigned char master_key[master_key_bytes],
                        char out[fingerprint_chars + 1]);
/* A new API key; `token` (key_token_bytes) is shown once and not stored. scopes: "till,read";
 * another word is CODE_USAGE. */
enum { key_token_bytes = 96 };
KOP_MUST_CHECK enum code service_new_key(struct service *service, uint32_t tenant,
                                         const char *scopes, const char *outlet, const char *till,
                                         char *token, struct err *err);
/* End the key whose token is "kop_<key_id>_…"; NOT_FOUND: the tenant has none. Twice is once. */
KOP_MUST_CHECK enum code service_revoke_key(struct service *service, uint32_t tenant,
                                            struct text key_id, struct err *err);

/*
 * The daily run: touch every owner with something due by `now`, in slices at low priority; delete
 * the persons that no member names and that were written person_unnamed_ms_max before `now`.
 */
struct daily_result {
    uint64_t looked_at, settled, swept; /* owners, owners, persons */
};
KOP_MUST_CHECK enum code service_daily(struct service *service, unix_ms now,
                                       struct daily_result *result, struct err *err);

/* All invariants of every owner: movements from both sides, chains, lots, rows. */
struct verify_result {
    uint64_t owners, movements, faults;
    uint64_t owner_id;    /* of the first fault */
    uint32_t movement_no; /* 0: the row itself */
    char what[512];
    unsigned char state_hash[32]; /* over all owners in id order: row and overflow */
};
typedef void (*progress_fn)(void *context, uint64_t done);
KOP_MUST_CHECK enum code service_verify(struct service *service, progress_fn progress,
                                        void *context, struct verify_result *result,
                                        struct err *err);

/* Metrics in the Prometheus text form. */
void service_metrics(struct service *service, struct buf *out);

#endif
