/*
 * event.h - what happened: a purchase with its receipt, or another event, as the till told it.
 *
 * Owns:      struct event, struct line and their canonical bytes (hash of a request, record).
 * Must not:  know programmes: codes stay text; nothing is decided here.
 * Invariant: after event_normalise() every line has gross; lines keep the till's order.
 */
#ifndef KOP_CORE_EVENT_H
#define KOP_CORE_EVENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "core/amount.h"
#include "core/limits.h"
#include "core/outcome.h"

/* An operator's own attribute, typed by the programme that declares it. */
enum attribute_type { ATTRIBUTE_TEXT, ATTRIBUTE_NUMBER, ATTRIBUTE_BOOL };
struct attribute {
    struct text name;
    enum attribute_type type;
    struct text value; /* TEXT */
    int64_t number;    /* NUMBER: at scale 6; BOOL: 0 or 1 */
};

struct line {
    struct text article, category, brand;
    struct text *tag;
    uint32_t tag_count;
    bool is_service;   /* delivery, packing …: no goods */
    bool is_discounted; /* the till says: already at a reduced price */
    int64_t quantity;  /* thousandths, > 0 */
    int64_t price;     /* millionths of the main unit, >= 0; 0 with `gross` given is derived */
    amount gross;      /* price * quantity rounded half up, or as given */
    bool has_gross;    /* given by the till */
    amount floor;      /* the least that the line may cost (minimum price * quantity); 0: none */
    struct attribute *attribute;
    uint32_t attribute_count;
};

/* Points that the buyer wishes to spend. */
struct redeem {
    struct text currency;
    amount points;     /* when !max */
    bool max;          /* as many as allowed */
};

enum payment_kind { PAYMENT_CERTIFICATE, PAYMENT_PURSE };
struct payment {
    enum payment_kind kind;
    amount money;
    struct text reference;
};

/* A line of a return: how much of which line of the receipt comes back. */
struct returned_line {
    uint32_t line;    /* index from 0 */
    int64_t quantity; /* thousandths */
};

struct event {
    struct text kind;      /* "purchase", or another kind that the programme knows */
    struct text outlet, till, channel, region;
    int64_t period;        /* of the receipt key: shift, business day or fiscal drive */
    struct text number;    /* of the receipt */
    unix_ms occurred_at;
    bool for_business;     /* bought for an organisation */
    bool confirmed;        /* the till states that the member confirmed spending by a code */
    struct text tender;    /* "cash", "card", … how the money part is paid; may be empty */
    struct text bin;       /* of the bank card */
    struct line *line;
    uint32_t line_count;
    struct redeem *redeem;
    uint32_t redeem_count;
    struct payment *payment;
    uint32_t payment_count;
    struct text *code;     /* promo codes used */
    uint32_t code_count;
    struct attribute *attribute;
    uint32_t attribute_count;
};

/*
 * Fill gross of lines that have a price only, price of lines that have gross only, and sort
 * attributes by name. OUTCOME_DONE, or FIELD_RANGE / AMOUNT_OVERFLOW with `*bad_line`.
 * `money_scale` is the programme's.
 */
enum outcome event_normalise(struct event *event, uint8_t money_scale, uint32_t *bad_line);

/* Canonical bytes: every field, in a fixed order, with a version byte. */
void event_encode(const struct event *event, struct buf *buf);
/* The inverse; text points into `reader`'s input. CODE_CORRUPT, CODE_NO_MEMORY. */
KOP_MUST_CHECK enum code event_decode(struct bytes_reader *reader, struct arena *arena,
                                      struct event *event, struct err *err);

#endif
