/*
 * event.c - an event made regular, and its canonical bytes.
 *
 * Owns:      gross of lines, the order of attributes, the form of an event.
 * Must not:  know programmes beyond the scale of money.
 * Invariant: event_normalise() twice is once. decode(encode(x)) == x for a normalised event; events
 *            that mean the same have the same bytes, so their hash tells a repeated request.
 * Cost:      linear; attributes are sorted by insertion, there are few.
 * Tests:     tests/unit/core/test_event.c, tests/fuzz/fuzz_record.c
 *
 * Event: version, flags, [kind], outlet, [till], [channel], [region], period, number, occurred_at,
 * [tender], [bin], lines, [redeems], [payments], [codes], [attributes]. A part in [] is there when
 * its flag is set, and then it is not empty. "purchase" is the kind that needs no words.
 * Line:  flags, article, category, brand, [quantity], price, gross, [floor], [tags], [attributes].
 */
#include "core/event.h"

#include "core/codec.h"

enum {
    event_has_kind = 1 << 0,
    event_for_business = 1 << 1,
    event_confirmed = 1 << 2,
    event_has_till = 1 << 3,
    event_has_channel = 1 << 4,
    event_has_region = 1 << 5,
    event_has_tender = 1 << 6,
    event_has_bin = 1 << 7,
    event_has_redeems = 1 << 8,
    event_has_payments = 1 << 9,
    event_has_codes = 1 << 10,
    event_has_attributes = 1 << 11,
    event_has_all = (1 << 12) - 1,

    line_is_service = 1 << 0,
    line_is_discounted = 1 << 1,
    line_has_gross = 1 << 2,
    line_has_quantity = 1 << 3, /* other than one piece */
    line_has_floor = 1 << 4,
    line_has_tags = 1 << 5,
    line_has_attributes = 1 << 6,
    line_has_all = (1 << 7) - 1,

    one_piece = 1000,
    attribute_false = 2, /* of ATTRIBUTE_BOOL the value is part of the type's code */
    attribute_true = 3,
};

/* ------------------------------------------------------------------------------- normalising */

static void sort_attributes(struct attribute *attribute, uint32_t count)
{
    assert(count <= attributes_per_thing_max);
    for (uint32_t i = 1; i < count; i++) {
        struct attribute moving = attribute[i];
        uint32_t place = i;
        while (place > 0 && text_compare(attribute[place - 1].name, moving.name) > 0) {
            attribute[place] = attribute[place - 1];
            place--;
        }
        attribute[place] = moving;
    }
}

/* gross = price * quantity / per_step; `per_step` is 10^(price's + quantity's - money's scale). */
static enum outcome normalise_line(struct line *line, int64_t per_step)
{
    if (line->quantity <= 0 || line->quantity > QUANTITY_MAX)
        return OUTCOME_FIELD_RANGE;
    if (line->price < 0 || line->price > PRICE_MAX)
        return OUTCOME_FIELD_RANGE;
    if (line->floor < 0 || line->floor > AMOUNT_MAX)
        return OUTCOME_FIELD_RANGE;
    sort_attributes(line->attribute, line->attribute_count);
    if (!line->has_gross) {
        if (!i64_mul_div(line->price, line->quantity, per_step, ROUND_HALF_UP, &line->gross) ||
            line->gross > AMOUNT_MAX)
            return OUTCOME_AMOUNT_OVERFLOW;
        return OUTCOME_DONE;
    }
    if (line->gross < 0 || line->gross > AMOUNT_MAX)
        return OUTCOME_FIELD_RANGE;
    if (line->price == 0 && line->gross > 0) {
        if (!i64_mul_div(line->gross, per_step, line->quantity, ROUND_HALF_UP, &line->price) ||
            line->price > PRICE_MAX)
            return OUTCOME_AMOUNT_OVERFLOW;
    }
    return OUTCOME_DONE;
}

enum outcome event_normalise(struct event *event, uint8_t money_scale, uint32_t *bad_line)
{
    assert(money_scale <= price_scale);
    assert(event->line_count <= lines_per_receipt_max);

    int64_t per_step = i64_pow10(price_scale + quantity_scale - money_scale);
    sort_attributes(event->attribute, event->attribute_count);
    for (uint32_t i = 0; i < event->line_count; i++) {
        enum outcome outcome = normalise_line(&event->line[i], per_step);
        if (outcome != OUTCOME_DONE) {
            *bad_line = i;
            return outcome;
        }
    }
    return OUTCOME_DONE;
}

/* ---------------------------------------------------------------------------------- encoding */

static void put_attributes(struct buf *buf, const struct attribute *attribute, uint32_t count)
{
    assert(count > 0);
    assert(count <= attributes_per_thing_max);
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++) {
        bytes_put_text(buf, attribute[i].name);
        switch (attribute[i].type) {
        case ATTRIBUTE_TEXT:
            bytes_put_u64(buf, ATTRIBUTE_TEXT);
            bytes_put_text(buf, attribute[i].value);
            break;
        case ATTRIBUTE_NUMBER:
            bytes_put_u64(buf, ATTRIBUTE_NUMBER);
            bytes_put_i64(buf, attribute[i].number);
            break;
        case ATTRIBUTE_BOOL:
            assert(attribute[i].number == 0 || attribute[i].number == 1);
            bytes_put_u64(buf, attribute[i].number ? attribute_true : attribute_false);
            break;
        }
    }
}

static void put_texts(struct buf *buf, const struct text *text, uint32_t count)
{
    assert(count > 0);
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++)
        bytes_put_text(buf, text[i]);
}

static void put_line(struct buf *buf, const struct line *line)
{
    assert(line->quantity >= 0); /* a kept line of a return may have nothing left */
    assert(line->tag_count <= tags_per_line_max);

    uint32_t flags = (line->is_service ? line_is_service : 0u) |
                     (line->is_discounted ? line_is_discounted : 0u) |
                     (line->has_gross ? line_has_gross : 0u) |
                     (line->quantity != one_piece ? line_has_quantity : 0u) |
                     (line->floor != 0 ? line_has_floor : 0u) |
                     (line->tag_count > 0 ? line_has_tags : 0u) |
                     (line->attribute_count > 0 ? line_has_attributes : 0u);
    bytes_put_u64(buf, flags);
    bytes_put_text(buf, line->article);
    bytes_put_text(buf, line->category);
    bytes_put_text(buf, line->brand);
    if (flags & line_has_quantity)
        codec_put_amount(buf, line->quantity);
    codec_put_round(buf, line->price);
    codec_put_round(buf, line->gross);
    if (flags & line_has_floor)
        codec_put_round(buf, line->floor);
    if (flags & line_has_tags)
        put_texts(buf, line->tag, line->tag_count);
    if (flags & line_has_attributes)
        put_attributes(buf, line->attribute, line->attribute_count);
}

static void put_redeems(struct buf *buf, const struct event *event)
{
    assert(event->redeem_count <= redeems_per_receipt_max);
    bytes_put_u64(buf, event->redeem_count);
    for (uint32_t i = 0; i < event->redeem_count; i++) {
        const struct redeem *redeem = &event->redeem[i];
        assert(redeem->points >= 0);
        bytes_put_text(buf, redeem->currency);
        bytes_put_u64(buf, redeem->max ? 0 : (uint64_t)redeem->points + 1);
    }
}

static void put_payments(struct buf *buf, const struct event *event)
{
    assert(event->payment_count <= payments_per_receipt_max);
    bytes_put_u64(buf, event->payment_count);
    for (uint32_t i = 0; i < event->payment_count; i++) {
        const struct payment *payment = &event->payment[i];
        bytes_put_u64(buf, payment->kind);
        codec_put_amount(buf, payment->money);
        bytes_put_text(buf, payment->reference);
    }
}

static uint32_t event_flags(const struct event *event)
{
    return (!text_equal(event->kind, TEXT("purchase")) ? event_has_kind : 0u) |
           (event->for_business ? event_for_business : 0u) |
           (event->confirmed ? event_confirmed : 0u) | (event->till.len ? event_has_till : 0u) |
           (event->channel.len ? event_has_channel : 0u) |
           (event->region.len ? event_has_region : 0u) |
           (event->tender.len ? event_has_tender : 0u) | (event->bin.len ? event_has_bin : 0u) |
           (event->redeem_count ? event_has_redeems : 0u) |
           (event->payment_count ? event_has_payments : 0u) |
           (event->code_count ? event_has_codes : 0u) |
           (event->attribute_count ? event_has_attributes : 0u);
}

static void put_text_if(struct buf *buf, uint32_t flag, struct text text)
{
    if (flag)
        bytes_put_text(buf, text);
}

void event_encode(const struct event *event, struct buf *buf)
{
    uint32_t flags = event_flags(event);

    assert(event->line_count <= lines_per_receipt_max);
    assert(event->code_count <= codes_per_receipt_max);
    codec_put_version(buf);
    bytes_put_u64(buf, flags);
    put_text_if(buf, flags & event_has_kind, event->kind);
    bytes_put_text(buf, event->outlet);
    put_text_if(buf, flags & event_has_till, event->till);
    put_text_if(buf, flags & event_has_channel, event->channel);
    put_text_if(buf, flags & event_has_region, event->region);
    bytes_put_i64(buf, event->period);
    bytes_put_text(buf, event->number);
    codec_put_instant(buf, event->occurred_at);
    put_text_if(buf, flags & event_has_tender, event->tender);
    put_text_if(buf, flags & event_has_bin, event->bin);
    bytes_put_u64(buf, event->line_count);
    for (uint32_t i = 0; i < event->line_count; i++)
        put_line(buf, &event->line[i]);
    if (flags & event_has_redeems)
        put_redeems(buf, event);
    if (flags & event_has_payments)
        put_payments(buf, event);
    if (flags & event_has_codes)
        put_texts(buf, event->code, event->code_count);
    if (flags & event_has_attributes)
        put_attributes(buf, event->attribute, event->attribute_count);
}

/* ---------------------------------------------------------------------------------- decoding */

static struct attribute *get_attributes(struct bytes_reader *reader, struct arena *arena,
                                        uint32_t *count)
{
    struct attribute *attribute =
        codec_array(reader, arena, struct attribute, attributes_per_thing_max, 2, count);

    codec_require(reader, *count > 0);
    for (uint32_t i = 0; i < *count && !reader->failed; i++) {
        attribute[i].name = bytes_get_text(reader);
        uint32_t code = codec_get_u32(reader, 0, attribute_true);
        if (code == ATTRIBUTE_TEXT) {
            attribute[i].value = bytes_get_text(reader);
        } else if (code == ATTRIBUTE_NUMBER) {
            attribute[i].type = ATTRIBUTE_NUMBER;
            attribute[i].number = bytes_get_i64(reader);
        } else {
            attribute[i].type = ATTRIBUTE_BOOL;
            attribute[i].number = code == attribute_true;
        }
    }
    return attribute;
}

static struct text *get_texts(struct bytes_reader *reader, struct arena *arena, uint32_t max,
                              uint32_t *count)
{
    struct text *text = codec_array(reader, arena, struct text, max, 1, count);

    codec_require(reader, *count > 0);
    for (uint32_t i = 0; i < *count && !reader->failed; i++)
        text[i] = bytes_get_text(reader);
    return text;
}

static void get_line(struct bytes_reader *reader, struct arena *arena, struct line *line)
{
    uint32_t flags = codec_get_flags(reader, line_has_all);

    line->is_service = (flags & line_is_service) != 0;
    line->is_discounted = (flags & line_is_discounted) != 0;
    line->has_gross = (flags & line_has_gross) != 0;
    line->article = bytes_get_text(reader);
    line->category = bytes_get_text(reader);
    line->brand = bytes_get_text(reader);
    line->quantity = one_piece;
    if (flags & line_has_quantity) {
        line->quantity = codec_get_amount(reader);
        codec_require(reader, line->quantity != one_piece);
    }
    line->price = codec_get_round(reader);
    line->gross = codec_get_round(reader);
    if (flags & line_has_floor) {
        line->floor = codec_get_round(reader);
        codec_require(reader, line->floor != 0);
    }
    if (flags & line_has_tags)
        line->tag = get_texts(reader, arena, tags_per_line_max, &line->tag_count);
    if (flags & line_has_attributes)
        line->attribute = get_attributes(reader, arena, &line->attribute_count);
}

static void get_redeems(struct bytes_reader *reader, struct arena *arena, struct event *event)
{
    event->redeem = codec_array(reader, arena, struct redeem, redeems_per_receipt_max, 2,
                                &event->redeem_count);
    codec_require(reader, event->redeem_count > 0);
    for (uint32_t i = 0; i < event->redeem_count && !reader->failed; i++) {
        struct redeem *redeem = &event->redeem[i];
        redeem->currency = bytes_get_text(reader);
        uint64_t code = bytes_get_u64(reader);
        codec_require(reader, code <= (uint64_t)INT64_MAX + 1);
        redeem->max = code == 0;
        if (code > 0 && !reader->failed)
            redeem->points = (amount)(code - 1);
    }
}

static void get_payments(struct bytes_reader *reader, struct arena *arena, struct event *event)
{
    event->payment = codec_array(reader, arena, struct payment, payments_per_receipt_max, 3,
                                 &event->payment_count);
    codec_require(reader, event->payment_count > 0);
    for (uint32_t i = 0; i < event->payment_count && !reader->failed; i++) {
        struct payment *payment = &event->payment[i];
        payment->kind = (enum payment_kind)codec_get_u32(reader, 0, PAYMENT_PURSE);
        payment->money = codec_get_amount(reader);
        payment->reference = bytes_get_text(reader);
    }
}

static struct text get_text_if(struct bytes_reader *reader, uint32_t flag)
{
    return flag ? codec_get_text_not_empty(reader) : (struct text){ NULL, 0 };
}

static void get_head(struct bytes_reader *reader, uint32_t flags, struct event *event)
{
    event->kind = TEXT("purchase");
    if (flags & event_has_kind) {
        event->kind = bytes_get_text(reader);
        codec_require(reader, !text_equal(event->kind, TEXT("purchase")));
    }
    event->for_business = (flags & event_for_business) != 0;
    event->confirmed = (flags & event_confirmed) != 0;
    event->outlet = bytes_get_text(reader);
    event->till = get_text_if(reader, flags & event_has_till);
    event->channel = get_text_if(reader, flags & event_has_channel);
    event->region = get_text_if(reader, flags & event_has_region);
    event->period = bytes_get_i64(reader);
    event->number = bytes_get_text(reader);
    event->occurred_at = codec_get_instant(reader);
    event->tender = get_text_if(reader, flags & event_has_tender);
    event->bin = get_text_if(reader, flags & event_has_bin);
}

enum code event_decode(struct bytes_reader *reader, struct arena *arena, struct event *event,
                       struct err *err)
{
    *event = (struct event){ 0 };
    codec_get_version(reader);
    uint32_t flags = codec_get_flags(reader, event_has_all);
    get_head(reader, flags, event);
    event->line =
        codec_array(reader, arena, struct line, lines_per_receipt_max, 6, &event->line_count);
    for (uint32_t i = 0; i < event->line_count && !reader->failed; i++)
        get_line(reader, arena, &event->line[i]);
    if (flags & event_has_redeems)
        get_redeems(reader, arena, event);
    if (flags & event_has_payments)
        get_payments(reader, arena, event);
    if (flags & event_has_codes)
        event->code = get_texts(reader, arena, codes_per_receipt_max, &event->code_count);
    if (flags & event_has_attributes)
        event->attribute = get_attributes(reader, arena, &event->attribute_count);
    return codec_part(reader, arena, "event", err);
}
