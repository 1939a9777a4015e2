/*
 * explain.c - the trace of a decision as sentences and as JSON, in English and Russian.
 *
 * Owns:      the words of every kind of trace item.
 * Must not:  decide, or look at anything but the plan and the item.
 * Invariant: figures are the item's, at the scale of what they count.
 * Tests:     tests/unit/engine/test_explain.c
 *
 * A currency's name stands in brackets after the number, so that no language has to inflect it.
 */
#include "engine/explain.h"

#include "base/decimal.h"
#include "engine/trace.h"

/* Who is told, and about what. */
struct teller {
    const struct plan *plan;
    const struct trace_item *item;
    bool russian;
    struct buf *buf;
};

static const char *const rounding_names[] = {
    [ROUND_HALF_UP] = "half-up",
    [ROUND_HALF_EVEN] = "half-even",
    [ROUND_HALF_DOWN] = "half-down",
    [ROUND_DOWN] = "down",
    [ROUND_UP] = "up",
    [ROUND_FLOOR] = "floor",
    [ROUND_CEIL] = "ceil",
};

static const char *const spreading_names[] = {
    [SPREAD_LARGEST_REMAINDER] = "largest-remainder",
    [SPREAD_FLOOR_FIRST] = "floor-first",
    [SPREAD_LAST_REST] = "last-rest",
};

/* --------------------------------------------------------------------------------------- pieces */

static void
say(const struct teller *teller, const char *english, const char *russian)
{
    buf_add_text(teller->buf, text_of(teller->russian ? russian : english));
}

static void
add_money(const struct teller *teller, amount money)
{
    decimal_format(teller->buf, money, teller->plan->terms.money_scale);
    buf_add_char(teller->buf, ' ');
    buf_add_text(teller->buf, teller->plan->money_code);
}

/* The scale of what the item's currency counts; money for 0. */
static int
scale_of(const struct plan *plan, uint8_t currency)
{
    const struct currency_terms *terms = terms_currency(&plan->terms, currency);
    return terms ? terms->scale : plan->terms.money_scale;
}

/* Money or points, by the item's currency. */
static void
add_amount(const struct teller *teller, amount value)
{
    const struct plan *plan = teller->plan;
    const struct currency_terms *terms = terms_currency(&plan->terms, teller->item->currency);

    if (!terms) {
        add_money(teller, value);
        return;
    }
    const struct text *names = teller->russian ? plan->currency_name_ru : plan->currency_name_en;
    struct text name = names[terms - plan->terms.currency];
    decimal_format(teller->buf, value, terms->scale);
    buf_addf(teller->buf, " (%.*s)", (int)name.len, name.ptr);
}

/* num / den as a percentage, of money in the item's currency; false when it has no short form. */
static bool
percent_of(const struct plan *plan, const struct trace_item *item, int64_t *percent)
{
    int scale = item->currency ? scale_of(plan, item->currency) : plan->terms.money_scale;

    if (item->kind == TRACE_LIMIT) /* a part of money, whatever the currency */
        scale = plan->terms.money_scale;
    if (item->den <= 0)
        return false;
    return i64_mul_div2(item->num, i64_pow10(2 + rate_scale + plan->terms.money_scale), item->den,
                        i64_pow10(scale), ROUND_HALF_UP, percent);
}

/* "3", "0.5": without zeros behind the point. */
static void
add_percent_digits(struct buf *buf, int64_t percent)
{
    int scale = rate_scale;

    while (scale > 0 && percent % 10 == 0) {
        percent /= 10;
        scale--;
    }
    decimal_format(buf, percent, scale);
}

static void
add_rule(const struct teller *teller, int32_t rule)
{
    struct text name = plan_rule_name(teller->plan, rule, teller->russian);
    buf_addf(teller->buf, teller->russian ? "«%.*s»" : "'%.*s'", (int)name.len, name.ptr);
}

static void
begin_with_line(const struct teller *teller)
{
    if (teller->item->line >= 0)
        buf_addf(teller->buf,
                 teller->russian ? "строка %d: " : "line %d: ", (int)teller->item->line + 1);
}

/* Does the rule give points for each so much money? */
static bool
is_per_amount(const struct teller *teller)
{
    const struct rule *rule = &teller->plan->rule[teller->item->rule];
    return rule->scope == SCOPE_EARN && rule->earn.kind == EARN_PER_AMOUNT;
}

/* ": 3 % of 8000.00 RUB", where the rule has a rate. */
static void
add_reason(const struct teller *teller)
{
    const struct trace_item *item = teller->item;
    int64_t percent;

    if (item->rule == rule_none || item->den <= 0)
        return;
    say(teller, ": ", ": ");
    if (is_per_amount(teller)) {
        decimal_format(teller->buf, item->num, scale_of(teller->plan, item->currency));
        say(teller, " for each ", " за каждые ");
        add_money(teller, item->den);
        say(teller, " of ", " от ");
    } else if (percent_of(teller->plan, item, &percent)) {
        add_percent_digits(teller->buf, percent);
        say(teller, " % of ", " % от ");
    } else {
        say(teller, "of ", "от ");
    }
    add_money(teller, item->base);
}

/* ------------------------------------------------------------------------------------ sentences */

static void
tell_fired(const struct teller *teller)
{
    begin_with_line(teller);
    add_rule(teller, teller->item->rule);
    if (teller->item->currency)
        say(teller, " gives ", ": начислено ");
    else
        say(teller, " takes off ", ": скидка ");
    add_amount(teller, teller->item->result);
    add_reason(teller);
}

static void
tell_displaced(const struct teller *teller)
{
    begin_with_line(teller);
    add_rule(teller, teller->item->rule);
    if (teller->item->currency)
        say(teller, " would have given ", ": было бы начислено ");
    else
        say(teller, " would have taken off ", ": скидка была бы ");
    add_amount(teller, teller->item->result);
    if (teller->item->other < 0)
        return;
    say(teller, ", but ", ", но применено ");
    add_rule(teller, teller->item->other);
    say(teller, " was applied instead", "");
}

static void
tell_dates(const struct teller *teller)
{
    const struct rule *rule = &teller->plan->rule[teller->item->rule];

    say(teller, " did not apply: it is valid", " не применено: действует");
    if (rule->valid_from != INT64_MIN) {
        say(teller, " from ", " с ");
        instant_format(teller->buf, rule->valid_from);
    }
    if (rule->valid_until != TIME_NONE) {
        say(teller, " until ", " до ");
        instant_format(teller->buf, rule->valid_until);
    }
    say(teller, ", and this was ", ", а это было ");
    instant_format(teller->buf, teller->item->actual);
}

/* The leaf whose value was met: the condition itself, or the one inside its `not`. */
static const struct condition *
leaf_of(const struct plan *plan, int32_t index)
{
    const struct condition *node = &plan->condition[index];

    assert(index >= 0);
    while (node->op == CONDITION_NOT)
        node++;
    return node->op >= CONDITION_EQ ? node : NULL;
}

/* The value that was met, alone. */
static void
add_actual(const struct teller *teller)
{
    const struct trace_item *item = teller->item;
    const struct condition *leaf = leaf_of(teller->plan, item->condition);

    if (item->mode == ACTUAL_TEXT)
        buf_add_text(teller->buf, item->actual_text);
    else if (leaf)
        explain_number(teller->plan, leaf, item->actual, teller->russian, teller->buf);
}

static void
tell_failed(const struct teller *teller)
{
    const struct trace_item *item = teller->item;

    begin_with_line(teller);
    add_rule(teller, item->rule);
    if (item->condition == condition_none) {
        tell_dates(teller);
        return;
    }
    say(teller, " did not apply: needed ", " не применено: требуется ");
    explain_condition(teller->plan, item->condition, teller->russian, teller->buf);
    if (item->mode == ACTUAL_MISSING) {
        say(teller, ", but the value is not known", ", но значение неизвестно");
    } else if (item->mode != ACTUAL_NONE) {
        say(teller, ", found ", ", на деле ");
        add_actual(teller);
    }
}

static void
tell_rounded(const struct teller *teller)
{
    const struct trace_item *item = teller->item;

    begin_with_line(teller);
    if (item->rule == rule_none) {
        say(teller, "the receipt's ", "сумма чека ");
        add_money(teller, item->base);
    } else {
        add_rule(teller, item->rule);
        add_reason(teller);
    }
    say(teller, ", rounded to ", ", округлено до ");
    add_amount(teller, item->result);
    if (item->quantum > 0) {
        buf_addf(teller->buf, " (%s, ", rounding_names[item->mode]);
        decimal_format(teller->buf, item->quantum, scale_of(teller->plan, item->currency));
        buf_add_char(teller->buf, ')');
    }
}

static void
tell_spread(const struct teller *teller)
{
    begin_with_line(teller);
    if (teller->item->rule != rule_none) {
        add_rule(teller, teller->item->rule);
        say(teller, ": ", ": ");
    } else {
        say(teller, "paid with points: ", "оплата баллами: ");
    }
    add_amount(teller, teller->item->result);
    buf_addf(teller->buf,
             teller->russian            ? " распределено по строкам: %u (%s)"
             : teller->item->count == 1 ? " spread over %u line (%s)"
                                        : " spread over %u lines (%s)",
             teller->item->count, spreading_names[teller->item->mode]);
}

static void
tell_capped(const struct teller *teller)
{
    begin_with_line(teller);
    add_rule(teller, teller->item->rule);
    say(teller, " wanted ", ": вместо ");
    add_amount(teller, teller->item->base);
    say(teller, " and got ", " дано ");
    add_amount(teller, teller->item->result);
    say(teller, ": no more can be taken off", ": больше снять нельзя");
}

static void
tell_limit(const struct teller *teller)
{
    const struct trace_item *item = teller->item;
    const struct currency_terms *currency = terms_currency(&teller->plan->terms, item->currency);
    int64_t percent = 0;

    say(teller, "points may pay at most ", "баллами можно оплатить не больше ");
    add_amount(teller, item->result);
    switch ((enum trace_limit)item->mode) {
    case TRACE_LIMIT_PART:
        say(teller, ": ", ": ");
        if (percent_of(teller->plan, item, &percent))
            add_percent_digits(teller->buf, percent);
        say(teller, " % of ", " % от ");
        add_money(teller, item->base);
        break;
    case TRACE_LIMIT_DUE:
        say(teller, ": more is not due", ": столько осталось к оплате");
        break;
    case TRACE_LIMIT_MONEY_MIN:
        say(teller, ": ", ": ");
        if (currency)
            add_money(teller,
                      teller->plan->redemption[currency - teller->plan->terms.currency].money_min);
        say(teller, " must be paid in money", " нужно оплатить деньгами");
        break;
    case TRACE_LIMIT_AVAILABLE:
        say(teller, ": the member has no more", ": больше у участника нет");
        break;
    }
}

void
explain_item(const struct plan *plan, const struct trace_item *item, bool russian, struct buf *buf)
{
    const struct teller teller = { plan, item, russian, buf };

    assert(item->rule == rule_none || (uint32_t)item->rule < plan->rule_count);
    switch (item->kind) {
    case TRACE_FIRED:
        tell_fired(&teller);
        break;
    case TRACE_DISPLACED:
        tell_displaced(&teller);
        break;
    case TRACE_FAILED:
        tell_failed(&teller);
        break;
    case TRACE_ROUNDED:
        tell_rounded(&teller);
        break;
    case TRACE_SPREAD:
        tell_spread(&teller);
        break;
    case TRACE_CAPPED:
        tell_capped(&teller);
        break;
    case TRACE_LIMIT:
        tell_limit(&teller);
        break;
    }
}

/* ----------------------------------------------------------------------------------------- JSON */

static void
write_figures(const struct plan *plan, const struct trace_item *item, struct json_writer *writer)
{
    int scale = scale_of(plan, item->currency);
    int base_scale = item->kind == TRACE_CAPPED ? scale : plan->terms.money_scale;
    int64_t percent;

    if (item->kind != TRACE_SPREAD) {
        json_key(writer, "base");
        json_decimal(writer, item->base, base_scale);
    }
    json_key(writer, "result");
    json_decimal(writer, item->result, scale);
    bool per_amount = item->rule != rule_none && plan->rule[item->rule].scope == SCOPE_EARN &&
                      plan->rule[item->rule].earn.kind == EARN_PER_AMOUNT;
    if (!per_amount && percent_of(plan, item, &percent)) {
        json_key(writer, "percent");
        json_decimal(writer, percent, rate_scale);
    }
    if (item->quantum > 0) {
        json_key(writer, item->kind == TRACE_LIMIT ? "step" : "quantum");
        json_decimal(writer, item->quantum, scale);
    }
    if (item->kind == TRACE_ROUNDED && item->quantum > 0) {
        json_key(writer, "rounding");
        json_string(writer, rounding_names[item->mode]);
    }
    if (item->kind == TRACE_SPREAD) {
        json_key(writer, "spreading");
        json_string(writer, spreading_names[item->mode]);
    }
    if (item->count > 0) {
        json_key(writer, "lines");
        json_i64(writer, item->count);
    }
}

static void
write_failure(const struct teller *teller, struct json_writer *writer)
{
    const struct trace_item *item = teller->item;
    const struct teller english = { teller->plan, item, false, teller->buf };

    if (item->condition != condition_none) {
        teller->buf->len = 0;
        explain_condition(teller->plan, item->condition, false, teller->buf);
        json_key(writer, "needed");
        json_text(writer, buf_text(teller->buf));
    }
    if (item->mode == ACTUAL_MISSING || item->mode == ACTUAL_NONE)
        return;
    teller->buf->len = 0;
    if (item->condition == condition_none)
        instant_format(teller->buf, item->actual);
    else
        add_actual(&english);
    json_key(writer, "found");
    json_text(writer, buf_text(teller->buf));
}

static void
write_item(const struct teller *teller, struct json_writer *writer)
{
    static const char *const kinds[] = {
        [TRACE_FIRED] = "fired",     [TRACE_DISPLACED] = "displaced", [TRACE_FAILED] = "failed",
        [TRACE_ROUNDED] = "rounded", [TRACE_SPREAD] = "spread",       [TRACE_CAPPED] = "capped",
        [TRACE_LIMIT] = "limit",
    };
    const struct trace_item *item = teller->item;
    const struct currency_terms *currency = terms_currency(&teller->plan->terms, item->currency);

    json_begin_object(writer);
    json_key(writer, "kind");
    json_string(writer, kinds[item->kind]);
    if (item->rule != rule_none) {
        json_key(writer, "rule");
        json_text(writer, plan_rule_code(teller->plan, item->rule));
    }
    if (item->line >= 0) {
        json_key(writer, "line");
        json_i64(writer, item->line + 1); /* people count lines from 1 */
    }
    if (currency) {
        json_key(writer, "currency");
        json_text(writer, currency->code);
    }
    if (item->kind == TRACE_FAILED)
        write_failure(teller, writer);
    else
        write_figures(teller->plan, item, writer);
    if (item->kind == TRACE_DISPLACED && item->other >= 0) {
        json_key(writer, "by");
        json_text(writer, plan_rule_code(teller->plan, item->other));
    }
    teller->buf->len = 0;
    explain_item(teller->plan, item, teller->russian, teller->buf);
    json_key(writer, "text");
    json_words(writer, buf_text(teller->buf));
    json_end_object(writer);
}

void
explain_json(const struct plan *plan, const struct decision *decision, bool russian,
             struct json_writer *writer)
{
    struct buf words;

    assert(decision->trace_count <= decision->trace_cap);
    buf_init(&words, writer->buf->arena, 256);
    json_begin_array(writer);
    for (uint32_t i = 0; i < decision->trace_count; i++) {
        words.len = 0;
        const struct teller teller = { plan, &decision->trace[i], russian, &words };
        write_item(&teller, writer);
    }
    json_end_array(writer);
    writer->buf->failed |= words.failed;
}
