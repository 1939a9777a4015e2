/*
 * rows.h - what the rows of the book hold, decoded, and their canonical bytes.
 *
 * Owns:      struct owner, lot, hold, movement, and the keys that lead to an owner; their
 *            encodings (version byte first).
 * Must not:  know SQL, hashes or the programme.
 * Invariant: decode(encode(x)) == x, and encode(decode(b)) == b: one state has one form, so that
 *            the state hash can be compared byte for byte. Lots are in order of lot_cmp(), holds of
 *            id.
 */
#ifndef KOP_CORE_ROWS_H
#define KOP_CORE_ROWS_H

#include "base/bytes.h"
#include "base/err.h"
#include "core/amount.h"
#include "core/limits.h"

/*
 * Accounts of one owner and currency. A movement adds `amount` to `account` and takes it from
 * `contra`, both of the same owner: one row is a balanced double entry.
 */
#define ACCOUNTS(X)                                                                                \
    X(PENDING)  /* waits for its day */                                                            \
    X(ACTIVE)   /* can be spent, less what is held */                                              \
    X(HELD)     /* memorandum: the part of ACTIVE that is held */                                  \
    X(UNHELD)   /* contra of HELD */                                                               \
    X(ISSUED)   /* contra: given by the programme or a partner */                                  \
    X(REDEEMED) /* contra: paid with */                                                            \
    X(EXPIRED)  /* contra: died of age */                                                          \
    X(REVOKED)  /* contra: taken back by a return */                                               \
    X(DEBT)     /* minus what the member owes */                                                   \
    X(OPENING)  /* contra: brought in from another system */                                       \
    X(MOVED)    /* contra: to or from another owner (pools, merges) */
enum account {
#define X(name) ACCOUNT_##name,
    ACCOUNTS(X)
#undef X
        account_count
};
const char *account_name(enum account account);

#define MOVEMENTS(X)                                                                               \
    X(EARN)     /* PENDING or ACTIVE from ISSUED; makes lot_no = movement_no */                    \
    X(ACTIVATE) /* ACTIVE from PENDING */                                                          \
    X(SPEND)    /* REDEEMED from ACTIVE */                                                         \
    X(RESTORE)  /* ACTIVE from REDEEMED: a return gives a spent part back to its lot */            \
    X(EXPIRE)   /* EXPIRED from ACTIVE (or PENDING) */                                             \
    X(REVOKE)   /* REVOKED from PENDING, ACTIVE or DEBT (then no lot) */                           \
    X(REGIVE)   /* PENDING, ACTIVE or DEBT from REVOKED: a later return takes less back */         \
    X(REPAY)    /* DEBT from ACTIVE */                                                             \
    X(HOLD)     /* HELD from UNHELD */                                                             \
    X(RELEASE)  /* UNHELD from HELD: captured, voided or ended */                                  \
    X(OPEN)     /* ACTIVE (or PENDING) from OPENING; makes a lot */                                \
    X(MOVE_IN)  /* PENDING or ACTIVE from MOVED; makes a lot */                                    \
    X(MOVE_OUT) /* MOVED from PENDING or ACTIVE */                                                 \
    X(LEVEL)    /* amount 0: `lot_no` holds the ladder's no, `rule` the level from now on */
enum movement_kind {
#define X(name) MOVEMENT_##name,
    MOVEMENTS(X)
#undef X
        movement_kind_count
};
const char *movement_kind_name(enum movement_kind kind);

struct movement {
    uint64_t owner_id;
    uint32_t movement_no; /* dense per owner, from 1 */
    uint64_t op_id;       /* the operation that caused it; for SETTLE the operation that touched */
    enum movement_kind kind;
    enum account account, contra;
    uint8_t currency;     /* no; 0 for LEVEL */
    amount amount;        /* >= 0 */
    uint32_t lot_no;      /* 0: none */
    uint32_t version;     /* of the programme; with `rule` the cause; 0: none */
    int32_t rule;         /* index in that version; -1: none */
    uint32_t cost_owner;  /* who pays (partner); 0: the operator */
    uint64_t ref;         /* origin: receipt of a return, hold of a capture; 0: none */
    unix_ms at;           /* when it counts: occurred, or the instant that was due */
    /* Of the lot then; EARN, OPEN, MOVE_IN, RESTORE, and REGIVE to a lot; else 0. */
    unix_ms active_from, expires_at;
    unsigned char link[8]; /* first bytes of the chain after this row: localises a fault; by seal */
};

/* A batch of points with one life. */
struct lot {
    uint32_t lot_no;      /* the movement that made it */
    uint8_t currency;
    bool pending;
    bool graced;          /* its expiry was prolonged once after a restore */
    amount size;          /* what it was made with */
    amount left;          /* PENDING or ACTIVE part; sum over lots = the balance */
    amount held;          /* <= left */
    unix_ms active_from, expires_at;
    uint64_t cause;       /* op_id that made it */
    int32_t rule;
    uint32_t version;
};

/* Soonest expiry, then oldest: the order in which lots are spent and kept. */
int lot_cmp(const struct lot *a, const struct lot *b);

/* Part of a lot that something took: a hold, or a payment (so that a return finds its way back). */
struct take {
    uint32_t lot_no;
    uint8_t currency;
    amount points;
    /* The lot as it was, so that it can be made again when it is closed: */
    amount size;
    unix_ms active_from, expires_at;
    uint64_t cause;
    int32_t rule;
    uint32_t version;
    bool graced;
};

struct hold {
    uint64_t id;      /* op_id of the reserve */
    unix_ms ends_at;
    uint32_t take_count;
    struct take *take;
};

struct level_state {
    uint8_t ladder_no, level; /* level 0: none */
    unix_ms since;
};

/* A counter of one calendar period; value belongs to `bucket` and is 0 in any other. */
struct counter_state {
    uint8_t counter_no;
    bool rolling;   /* a day bucket: a row of its own, not in the owner's body */
    int64_t bucket; /* period_number(); for rolling counters the local day */
    int64_t value;
};

/* So much was added to one bucket of a counter. */
struct counted {
    uint8_t counter_no;
    bool rolling;
    int64_t bucket;
    int64_t add; /* not 0 */
};

struct balance {
    uint8_t currency;
    amount of[account_count]; /* each = sum gained - sum lost over all movements */
};

enum { owner_flag_closed = 1, owner_flag_anonymous = 2, owner_flag_pool = 4 };

struct owner {
    /* Columns of the row. */
    uint64_t owner_id;
    uint32_t tenant, programme;  /* numbers within the installation, within the tenant */
    uint64_t version;            /* counts operations */
    uint32_t last_movement;
    unix_ms next_due;            /* the first instant when settle has something to do */
    unsigned char head[32];      /* of the chain */
    /* Its canonical body. */
    uint32_t flags;
    unix_ms enrolled_at;
    unix_ms settled_to;          /* no settle before this instant has anything left to do */
    uint64_t last_op;            /* its newest operation, whose record names the one before */
    uint32_t balance_count;
    struct balance *balance;     /* by currency no, only those that had a movement */
    uint32_t level_count;
    struct level_state *level;   /* by ladder no */
    uint32_t counter_count;
    struct counter_state *counter; /* by counter no, bucket; rolling ones have a row a day */
    uint32_t hold_count;
    struct hold *hold;
    uint32_t lot_count;
    struct lot *lot;             /* every open lot (left > 0), sorted; overflow included */
    uint32_t lot_cap;            /* room in `lot` */
};

enum key_kind { KEY_CARD = 1, KEY_PHONE, KEY_EMAIL, KEY_MEMBER, KEY_COUPON };
enum key_state { KEY_FREE = 0 /* a card without a member */, KEY_ACTIVE, KEY_BLOCKED };

enum { directory_key_bytes = 16 };

struct directory_row {
    unsigned char key[directory_key_bytes];
    uint64_t owner_id, member_id;
    enum key_kind kind;
    enum key_state state;
};

struct member_row {
    uint64_t owner_id, member_id, person_id; /* person 0: none known */
    uint8_t state;       /* 0 active, 1 closed */
    unix_ms enrolled_at;
};

/*
 * The owner's body. Lots beyond lots_in_owner_row_max (the last in order) and rolling counters are
 * not in it: they are rows of their own, which owner_encode leaves out and the store adds on load.
 */
void owner_encode(const struct owner *owner, struct buf *buf);
KOP_MUST_CHECK enum code owner_decode(struct text body, struct arena *arena, struct owner *owner,
                                      struct err *err);

void lot_encode(const struct lot *lot, struct buf *buf);
KOP_MUST_CHECK enum code lot_decode(struct bytes_reader *reader, struct lot *lot, struct err *err);
void take_encode(const struct take *take, struct buf *buf);
KOP_MUST_CHECK enum code take_decode(struct bytes_reader *reader, struct take *take,
                                     struct err *err);

/* What of a movement has no column of its own (version, rule, cost_owner, ref, life of the lot). */
void movement_encode_body(const struct movement *movement, struct buf *buf);
KOP_MUST_CHECK enum code movement_decode_body(struct text body, struct movement *movement,
                                              struct err *err);
/* What the chain covers: every field but `link`. */
void movement_encode_chain(const struct movement *movement, struct buf *buf);

#endif
