/*
 * render_parts.h - pieces that answers share, written straight into the buffer.
 *
 * Owns:      struct rendering, and the form of lines, totals, earnings, redemptions, balances.
 * Must not:  be included outside service/render*.c (and their test).
 * Invariant: each function writes exactly one JSON value, or one member with its key and the comma
 *            before it where its name ends with _member.
 */
#ifndef KOP_SERVICE_RENDER_PARTS_H
#define KOP_SERVICE_RENDER_PARTS_H

#include "base/mem.h"
#include "service/render.h"

struct rendering {
    struct buf *buf;
    const struct plan *plan;
    const struct terms *terms;
    bool names;   /* rules' names beside their codes */
    bool russian; /* in which language */
};

/* Bytes as they stand; of a constant size this is a few moves. */
static inline void
put_bytes(struct buf *buf, const char *bytes, size_t size)
{
    if (size > buf->cap - buf->len) {
        buf_add(buf, bytes, size);
        return;
    }
    memcpy(buf->ptr + buf->len, bytes, size);
    buf->len += size;
}

/* A literal, as it stands. */
#define PUT(r, literal) put_bytes((r)->buf, literal, sizeof(literal) - 1)

void put_text(struct rendering *r, struct text value);      /* a JSON string */
void put_id(struct rendering *r, uint64_t id);              /* a string of digits */
void put_whole(struct rendering *r, int64_t value);         /* a JSON number */
void put_amount(struct rendering *r, amount value, int scale);
void put_money(struct rendering *r, amount value);
void put_quantity(struct rendering *r, int64_t thousandths); /* "1", "0.5" */
void put_instant(struct rendering *r, unix_ms instant);     /* null for TIME_NONE */
/* A string in lower case, of a name like "MOVE_IN". */
void put_lower(struct rendering *r, const char *name);

/* "rule":"code", and ,"name":"…" when names are wanted. rule_none: null. */
void put_rule_member(struct rendering *r, int32_t rule);
/* "currency":"code","<key>":"points"; `key` is written as it stands: ",\"points\":" */
void put_points_member(struct rendering *r, uint8_t currency, struct text key, amount points);

/* ,"lines":[…],"totals":{…},"discounts":[…] */
void put_decided_members(struct rendering *r, const struct decision *decision,
                         const struct event *event);
/* ,"earned":[…]: each with the lot that it made, where `lot` (of `lot_count`) has one. */
void put_earned_member(struct rendering *r, const struct decision *decision,
                       const struct earned_lot *lot, uint32_t lot_count);
/* ,"redeemed":[…] */
void put_redeemed_member(struct rendering *r, const struct decision *decision);
/* ,"levels":{…} of a view */
void put_levels_member(struct rendering *r, const struct member_view *view);
/* ,"balances":[…] */
void put_balances_member(struct rendering *r, const struct balance_after *after, uint32_t count);
/* ,"trace":[…] and ,"trace_lost":n where some are lost */
void put_trace_member(struct rendering *r, const struct decision *decision);

#endif
