/*
 * attribute.h - the attributes that conditions may test, as one table.
 *
 * Owns:      name, place, type and first known phase of every built-in attribute.
 * Must not:  read values: condition.c does.
 * Invariant: a document's name is resolved to the enum once, when it is compiled.
 * Tests:     tests/unit/engine/test_condition.c (every attribute, every operator)
 */
#ifndef KOP_ENGINE_ATTRIBUTE_H
#define KOP_ENGINE_ATTRIBUTE_H

/* Where an attribute stands: `when` holds PLACE_EVENT ones, `lines` PLACE_LINE ones. */
enum attribute_place { PLACE_EVENT, PLACE_LINE };

/* How a value is kept while it is tested. Every kind but TEXT and the sets is an int64_t. */
enum value_kind {
    VALUE_BOOL,     /* 0 or 1 */
    VALUE_WHOLE,    /* scale 0 */
    VALUE_MONEY,    /* scale of the programme's money */
    VALUE_PRICE,    /* price_scale */
    VALUE_QUANTITY, /* quantity_scale */
    VALUE_NUMBER,   /* an own number: own_number_scale */
    VALUE_COUNTER,  /* money or whole: as the counter */
    VALUE_LEVEL,    /* place in its ladder, from 1; 0: none */
    VALUE_INSTANT,  /* unix_ms */
    VALUE_TEXT,
    VALUE_TEXT_SET, /* holds when one of the values is in the test's */
};

enum { own_number_scale = 6 };

/*
 * When a value is first known. Line rules see START, receipt rules AFTER_LINES, `lines` of a
 * redemption NET, earn rules PAID (and all earlier ones).
 */
enum phase { PHASE_START, PHASE_AFTER_LINES, PHASE_NET, PHASE_PAID };

/* X(enum, name in documents, place, kind, phase) */
#define ATTRIBUTES(X)                                                                              \
    X(MEMBER_KNOWN, "member.known", EVENT, BOOL, START)                                            \
    X(MEMBER_LEVEL, "member.level.*", EVENT, LEVEL, START) /* index: ladder */                     \
    X(MEMBER_SEGMENT, "member.segment", EVENT, TEXT_SET, START)                                    \
    X(MEMBER_ENROLLED_DAYS, "member.enrolled_days", EVENT, WHOLE, START)                           \
    X(COUNTER, "counter.*", EVENT, COUNTER, START) /* index: counter */                            \
    X(RECEIPT_BASE, "receipt.base", EVENT, MONEY, START)                                           \
    X(RECEIPT_AFTER_LINES, "receipt.after_lines", EVENT, MONEY, AFTER_LINES)                       \
    X(RECEIPT_NET, "receipt.net", EVENT, MONEY, NET)                                               \
    X(RECEIPT_MONEY, "receipt.money", EVENT, MONEY, PAID)                                          \
    X(RECEIPT_LINES, "receipt.lines", EVENT, WHOLE, START)                                         \
    X(RECEIPT_OUTLET, "receipt.outlet", EVENT, TEXT, START)                                        \
    X(RECEIPT_TILL, "receipt.till", EVENT, TEXT, START)                                            \
    X(RECEIPT_CHANNEL, "receipt.channel", EVENT, TEXT, START)                                      \
    X(RECEIPT_REGION, "receipt.region", EVENT, TEXT, START)                                        \
    X(RECEIPT_TENDER, "receipt.tender", EVENT, TEXT, START)                                        \
    X(RECEIPT_BIN, "receipt.bin", EVENT, TEXT, START)                                              \
    X(RECEIPT_CODE, "receipt.code", EVENT, TEXT_SET, START)                                        \
    X(RECEIPT_HAS_CODE, "receipt.has_code", EVENT, BOOL, START)                                    \
    X(RECEIPT_FOR_BUSINESS, "receipt.for_business", EVENT, BOOL, START)                            \
    X(RECEIPT_CONFIRMED, "receipt.confirmed", EVENT, BOOL, START)                                  \
    X(RECEIPT_CERTIFICATE, "receipt.certificate", EVENT, MONEY, START)                             \
    X(TIME_OCCURRED, "time.occurred", EVENT, INSTANT, START)                                       \
    X(TIME_HOUR, "time.hour", EVENT, WHOLE, START)                                                 \
    X(TIME_WEEKDAY, "time.weekday", EVENT, WHOLE, START)                                           \
    X(TIME_DAY, "time.day", EVENT, WHOLE, START)                                                   \
    X(TIME_MONTH, "time.month", EVENT, WHOLE, START)                                               \
    X(LINE_ARTICLE, "line.article", LINE, TEXT, START)                                             \
    X(LINE_CATEGORY, "line.category", LINE, TEXT, START)                                           \
    X(LINE_BRAND, "line.brand", LINE, TEXT, START)                                                 \
    X(LINE_TAG, "line.tag", LINE, TEXT_SET, START)                                                 \
    X(LINE_SERVICE, "line.service", LINE, BOOL, START)                                             \
    X(LINE_DISCOUNTED, "line.discounted", LINE, BOOL, START)                                       \
    X(LINE_PRICE, "line.price", LINE, PRICE, START)                                                \
    X(LINE_QUANTITY, "line.quantity", LINE, QUANTITY, START)                                       \
    X(LINE_GROSS, "line.gross", LINE, MONEY, START)                                                \
    X(LINE_NET, "line.net", LINE, MONEY, START) /* after the steps before the one that asks */     \
    X(LINE_OWN, "line.*", LINE, TEXT, START)    /* index: own attribute, which gives the kind */   \
    X(EVENT_OWN, "event.*", EVENT, TEXT, START) /* likewise */

enum attribute_id {
#define X(id, name, place, kind, phase) ATTRIBUTE_##id,
    ATTRIBUTES(X)
#undef X
        attribute_id_count
};

#endif
