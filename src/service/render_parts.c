/*
 * render_parts.c - pieces that answers share, written straight into the buffer.
 *
 * Owns:      the form of lines, totals, discounts, earnings, redemptions, levels, balances.
 * Must not:  decide; it sorts effects by line and sums discounts by rule, for the till to print.
 * Invariant: fixed keys are literals with their commas; only texts of others are escaped.
 * Cost:      linear in effects; two small arrays from the buffer's arena.
 * Tests:     tests/unit/service/test_render.c
 */
#include "service/render_parts.h"

#include "core/civil.h"

/* ---- values ---- */

/* Most texts are codes: short, and nothing in them needs an escape. */
static bool
put_plain(struct buf *buf, struct text value)
{
    char *at = buf->ptr + buf->len;

    if ((size_t)value.len + 2 > buf->cap - buf->len)
        return false;
    *at++ = '"';
    for (uint32_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            return false; /* what was written lies behind the end */
        *at++ = (char)c;
    }
    *at++ = '"';
    buf->len += (size_t)value.len + 2;
    return true;
}

void
put_text(struct rendering *r, struct text value)
{
    struct json_writer writer;

    if (put_plain(r->buf, value))
        return;
    json_write_init(&writer, r->buf);
    json_text(&writer, value);
}

void
put_id(struct rendering *r, uint64_t id)
{
    PUT(r, "\"");
    buf_add_u64(r->buf, id);
    PUT(r, "\"");
}

void
put_whole(struct rendering *r, int64_t value)
{
    buf_add_i64(r->buf, value);
}

/*
 * decimal_format() in quotes, written backwards in one piece: an answer is mostly amounts. Where
 * there is little room, or the amount is negative, the ordinary way.
 */
void
put_amount(struct rendering *r, amount value, int scale)
{
    enum { amount_bytes_max = 24 }; /* 19 digits, a point, a zero before it, two quotes */
    struct buf *buf = r->buf;
    char piece[amount_bytes_max];
    uint32_t at = amount_bytes_max;

    assert(scale >= 0);
    assert(scale <= 9);
    if (value == 0) { /* most are */
        put_bytes(buf, "\"0", 2);
        if (scale > 0)
            put_bytes(buf, ".000000000", (size_t)scale + 1);
        put_bytes(buf, "\"", 1);
        return;
    }
    if (value < 0 || buf->cap - buf->len < amount_bytes_max) {
        put_bytes(buf, "\"", 1);
        decimal_format(buf, value, scale);
        put_bytes(buf, "\"", 1);
        return;
    }
    uint64_t rest = (uint64_t)value;
    piece[--at] = '"';
    for (int i = 0; i < scale; i++) {
        piece[--at] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (scale > 0)
        piece[--at] = '.';
    do {
        piece[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    piece[--at] = '"';
    assert(at <= amount_bytes_max);
    memcpy(buf->ptr + buf->len, piece + at, amount_bytes_max - at);
    buf->len += amount_bytes_max - at;
}

void
put_money(struct rendering *r, amount value)
{
    put_amount(r, value, r->terms->money_scale);
}

void
put_quantity(struct rendering *r, int64_t thousandths)
{
    int scale = quantity_scale;

    while (scale > 0 && thousandths % 10 == 0) {
        thousandths /= 10;
        scale--;
    }
    put_amount(r, thousandths, scale);
}

void
put_instant(struct rendering *r, unix_ms instant)
{
    if (instant == TIME_NONE) {
        PUT(r, "null");
        return;
    }
    PUT(r, "\"");
    instant_format(r->buf, instant);
    PUT(r, "\"");
}

void
put_lower(struct rendering *r, const char *name)
{
    PUT(r, "\"");
    for (; *name != '\0'; name++)
        buf_add_char(r->buf, *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name);
    PUT(r, "\"");
}

void
put_rule_member(struct rendering *r, int32_t rule)
{
    PUT(r, "\"rule\":");
    if (rule == rule_none) {
        PUT(r, "null");
        return;
    }
    put_text(r, plan_rule_code(r->plan, rule));
    if (r->names) {
        struct json_writer writer;
        PUT(r, ",\"name\":");
        json_write_init(&writer, r->buf);
        json_words(&writer, plan_rule_name(r->plan, rule, r->russian));
    }
}

void
put_points_member(struct rendering *r, uint8_t currency, struct text key, amount points)
{
    const struct currency_terms *terms = terms_currency(r->terms, currency);

    assert(terms != NULL);
    PUT(r, "\"currency\":");
    put_text(r, terms->code);
    buf_add_text(r->buf, key);
    put_amount(r, points, terms->scale);
}

/* ---- lines ---- */

/* Effects of each line, in their own order: those of line i are item[first[i]] on, until
 * item[first[i + 1]]. */
struct by_line {
    uint32_t *first;
    uint32_t *item;
};

static bool
is_told_by_line(const struct effect *effect)
{
    return effect->kind == EFFECT_DISCOUNT || effect->kind == EFFECT_EARN;
}

static bool
sort_by_line(struct rendering *r, const struct decision *decision, struct by_line *out)
{
    assert(r->buf->arena != NULL);
    out->first = arena_array(r->buf->arena, uint32_t, (size_t)decision->line_count + 2);
    out->item = arena_array(r->buf->arena, uint32_t, decision->effect_count);
    if (out->first == NULL || out->item == NULL) {
        r->buf->failed = true;
        return false;
    }
    /* Counted two places further, so that filling leaves first[] where it belongs. */
    for (uint32_t i = 0; i < decision->effect_count; i++)
        if (is_told_by_line(&decision->effect[i]))
            out->first[decision->effect[i].line + 2]++;
    for (uint32_t i = 0; i < decision->line_count; i++)
        out->first[i + 2] += out->first[i + 1];
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        assert(effect->line < decision->line_count);
        if (is_told_by_line(effect))
            out->item[out->first[effect->line + 1]++] = i;
    }
    return true;
}

/* The seven parts of a line's or the receipt's gross; the object's brace is the caller's. */
static void
put_parts(struct rendering *r, const struct line_result *line)
{
    PUT(r, "\"gross\":");
    put_money(r, line->gross);
    PUT(r, ",\"discount\":");
    put_money(r, line->discount);
    PUT(r, ",\"rounding\":");
    put_money(r, line->rounding);
    PUT(r, ",\"points\":");
    put_money(r, line->points);
    PUT(r, ",\"certificate\":");
    put_money(r, line->certificate);
    PUT(r, ",\"purse\":");
    put_money(r, line->purse);
    PUT(r, ",\"money\":");
    put_money(r, line->money);
}

static void
put_line_discounts(struct rendering *r, const struct decision *decision, const uint32_t *item,
                   uint32_t count)
{
    bool comma = false;

    PUT(r, ",\"discounts\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct effect *effect = &decision->effect[item[i]];
        if (effect->kind != EFFECT_DISCOUNT)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        PUT(r, "{");
        put_rule_member(r, effect->rule);
        PUT(r, ",\"amount\":");
        put_money(r, effect->money);
        PUT(r, "}");
    }
    PUT(r, "]");
}

static void
put_line_earned(struct rendering *r, const struct decision *decision, const uint32_t *item,
                uint32_t count)
{
    bool comma = false;

    PUT(r, ",\"earned\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct effect *effect = &decision->effect[item[i]];
        if (effect->kind != EFFECT_EARN)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        PUT(r, "{");
        put_rule_member(r, effect->rule);
        PUT(r, ",");
        put_points_member(r, effect->currency, TEXT(",\"points\":"), effect->points);
        PUT(r, "}");
    }
    PUT(r, "]");
}

static void
put_lines_member(struct rendering *r, const struct decision *decision, const struct event *event)
{
    struct by_line by_line;

    assert(event->line_count >= decision->line_count);
    if (!sort_by_line(r, decision, &by_line))
        return;
    PUT(r, ",\"lines\":[");
    for (uint32_t i = 0; i < decision->line_count; i++) {
        const struct line *line = &event->line[i];
        const uint32_t *item = by_line.item + by_line.first[i];
        uint32_t count = by_line.first[i + 1] - by_line.first[i];
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{\"line\":");
        put_whole(r, (int64_t)i + 1);
        PUT(r, ",\"article\":");
        put_text(r, line->article);
        PUT(r, ",\"quantity\":");
        put_quantity(r, line->quantity);
        PUT(r, ",");
        put_parts(r, &decision->line[i]);
        put_line_discounts(r, decision, item, count);
        put_line_earned(r, decision, item, count);
        PUT(r, "}");
    }
    PUT(r, "]");
}

/* ---- the receipt's discounts by rule ---- */

struct rule_sum {
    int32_t rule;
    amount money;
};

/* In the order in which rules first took something; a rule's effects mostly stand together. */
static uint32_t
sum_discounts(const struct decision *decision, struct rule_sum *sum)
{
    uint32_t count = 0, at = 0;

    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        if (effect->kind != EFFECT_DISCOUNT)
            continue;
        if (at >= count || sum[at].rule != effect->rule)
            for (at = 0; at < count && sum[at].rule != effect->rule; at++)
                ;
        if (at == count)
            sum[count++] = (struct rule_sum){ .rule = effect->rule };
        if (!i64_add(sum[at].money, effect->money, &sum[at].money))
            kop_check_failed(__FILE__, __LINE__, "parts of a total fit");
    }
    return count;
}

static void
put_discounts_member(struct rendering *r, const struct decision *decision)
{
    struct rule_sum *sum =
        arena_array(r->buf->arena, struct rule_sum, decision->effect_count);
    uint32_t count;

    if (sum == NULL) {
        r->buf->failed = true;
        return;
    }
    count = sum_discounts(decision, sum);
    PUT(r, ",\"discounts\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{");
        put_rule_member(r, sum[i].rule);
        PUT(r, ",\"amount\":");
        put_money(r, sum[i].money);
        PUT(r, "}");
    }
    PUT(r, "]");
}

void
put_decided_members(struct rendering *r, const struct decision *decision,
                    const struct event *event)
{
    put_lines_member(r, decision, event);
    PUT(r, ",\"totals\":{");
    put_parts(r, &decision->total);
    PUT(r, "}");
    put_discounts_member(r, decision);
}

/* ---- points ---- */

void
put_earned_member(struct rendering *r, const struct decision *decision,
                  const struct earned_lot *lot, uint32_t lot_count)
{
    uint32_t at = 0; /* lots are in order of their earnings */

    PUT(r, ",\"earned\":[");
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        const struct earning *earning = &decision->earning[i];
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{");
        put_rule_member(r, earning->rule);
        PUT(r, ",");
        put_points_member(r, earning->currency, TEXT(",\"points\":"), earning->points);
        while (at < lot_count && lot[at].earning < i)
            at++;
        if (at < lot_count && lot[at].earning == i) {
            PUT(r, ",\"lot\":");
            put_whole(r, lot[at].lot_no);
            PUT(r, ",\"active_from\":");
            put_instant(r, lot[at].active_from);
            PUT(r, ",\"expires_at\":");
            put_instant(r, lot[at].expires_at);
        }
        PUT(r, "}");
    }
    PUT(r, "]");
}

void
put_redeemed_member(struct rendering *r, const struct decision *decision)
{
    PUT(r, ",\"redeemed\":[");
    for (uint32_t i = 0; i < decision->redemption_count; i++) {
        const struct redemption *redemption = &decision->redemption[i];
        if (i > 0)
            PUT(r, ",");
        PUT(r, "{");
        put_points_member(r, redemption->currency, TEXT(",\"points\":"), redemption->points);
        PUT(r, ",\"money\":");
        put_money(r, redemption->money);
        PUT(r, "}");
    }
    PUT(r, "]");
}

void
put_levels_member(struct rendering *r, const struct member_view *view)
{
    PUT(r, ",\"levels\":{");
    for (uint32_t i = 0; view->known && i < r->terms->ladder_count; i++) {
        const struct ladder_terms *ladder = &r->terms->ladder[i];
        if (i > 0)
            PUT(r, ",");
        put_text(r, ladder->code);
        PUT(r, ":");
        assert(view->level[i] <= ladder->level_count);
        if (view->level[i] == 0)
            PUT(r, "null");
        else
            put_text(r, ladder->level[view->level[i] - 1].code);
    }
    PUT(r, "}");
}

/*
 * A currency that the record's version does not know yet is left out: it came with a later version,
 * and the operation did not touch it.
 */
void
put_balances_member(struct rendering *r, const struct balance_after *after, uint32_t count)
{
    bool comma = false;

    PUT(r, ",\"balances\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct currency_terms *currency = terms_currency(r->terms, after[i].currency);
        if (currency == NULL)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        PUT(r, "{\"currency\":");
        put_text(r, currency->code);
        PUT(r, ",\"active\":");
        put_amount(r, after[i].active, currency->scale);
        PUT(r, ",\"pending\":");
        put_amount(r, after[i].pending, currency->scale);
        PUT(r, ",\"held\":");
        put_amount(r, after[i].held, currency->scale);
        PUT(r, ",\"debt\":");
        put_amount(r, after[i].debt, currency->scale);
        PUT(r, "}");
    }
    PUT(r, "]");
}

void
put_trace_member(struct rendering *r, const struct decision *decision)
{
    struct json_writer writer;

    PUT(r, ",\"trace\":");
    json_write_init(&writer, r->buf);
    explain_json(r->plan, decision, r->russian, &writer);
    if (decision->trace_lost > 0) {
        PUT(r, ",\"trace_lost\":");
        put_whole(r, decision->trace_lost);
    }
}
