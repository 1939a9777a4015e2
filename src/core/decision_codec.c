/*
 * decision_codec.c - canonical bytes of a decision.
 *
 * Owns:      its form inside a record.
 * Must not:  keep what can be computed again exactly: results of lines, totals; nor the trace.
 * Invariant: a decision that does not add up is neither written (assert) nor read (failure).
 * Cost:      an effect takes 3 to 8 bytes.
 * Tests:     tests/unit/core/test_record.c, tests/fuzz/fuzz_record.c
 *
 * Decision: flags, [gross by line], [effects], [earnings], [redemptions], [counters].
 * Effect:   head, [line], then the fields of its kind: [rule], [currency], points, money. The head
 * is kind + 8 * same rule + 16 * same currency + 32 * step, "same" as in the last effect that had
 * one; step 0: the line of the effect before, 1: the line after it, 2: another, which follows.
 */
#include "core/decision_codec.h"

#include "core/codec.h"

enum {
    lines_of_event = 1, /* lines have the gross of the event's */
    lines_of_own = 2,
    has_effects = 4,
    has_earnings = 8,
    has_redemptions = 16,
    has_counters = 32,
    has_all = 63,

    head_kind = 7,
    head_same_rule = 8,
    head_same_currency = 16,
    head_step = 32,
    step_same = 0,
    step_next = 1,
    step_other = 2,

    things_max = 1 << 24, /* effects or earnings; the input's length bounds them first */
};

/* ------------------------------------------------------------------------------------ adding up */

static bool has_rule(enum effect_kind kind)
{
    return kind == EFFECT_DISCOUNT || kind == EFFECT_EARN;
}

static bool has_currency(enum effect_kind kind)
{
    return kind == EFFECT_POINTS || kind == EFFECT_EARN;
}

static bool has_points(enum effect_kind kind)
{
    return has_currency(kind);
}

static bool has_money(enum effect_kind kind)
{
    return kind != EFFECT_EARN;
}

/* The part of a line's result that an effect of this kind adds to; NULL for EARN. */
static amount *part_of(struct line_result *line, enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_DISCOUNT:
        return &line->discount;
    case EFFECT_ROUNDING:
        return &line->rounding;
    case EFFECT_CERTIFICATE:
        return &line->certificate;
    case EFFECT_POINTS:
        return &line->points;
    case EFFECT_PURSE:
        return &line->purse;
    case EFFECT_EARN:
        break;
    }
    return NULL;
}

/* Of every kind: what effects of the line say. false on overflow. */
static bool add_effect(struct line_result *line, const struct effect *effect)
{
    amount *part = part_of(line, effect->kind);

    return part == NULL || i64_add(*part, effect->money, part);
}

/* money = gross - the rest; false on overflow. */
static bool close_line(struct line_result *line)
{
    const amount part[5] = { line->discount, line->rounding, line->points, line->certificate,
                             line->purse };
    amount money = line->gross;

    for (int i = 0; i < 5; i++)
        if (!i64_sub(money, part[i], &money))
            return false;
    line->money = money;
    return true;
}

static bool add_line(struct line_result *total, const struct line_result *line)
{
    return i64_add(total->gross, line->gross, &total->gross) &&
           i64_add(total->discount, line->discount, &total->discount) &&
           i64_add(total->rounding, line->rounding, &total->rounding) &&
           i64_add(total->points, line->points, &total->points) &&
           i64_add(total->certificate, line->certificate, &total->certificate) &&
           i64_add(total->purse, line->purse, &total->purse) &&
           i64_add(total->money, line->money, &total->money);
}

static bool same_result(const struct line_result *a, const struct line_result *b)
{
    return a->gross == b->gross && a->discount == b->discount && a->rounding == b->rounding &&
           a->points == b->points && a->certificate == b->certificate && a->purse == b->purse &&
           a->money == b->money;
}

/*
 * Do lines, totals and effects agree: each line closes, lines sum to the total, and so do effects,
 * kind by kind? Both sides of the encoding ask this.
 */
static bool adds_up(const struct decision *decision)
{
    struct line_result by_line = { 0 }, by_effect = { 0 };

    for (uint32_t i = 0; i < decision->line_count; i++) {
        struct line_result line = decision->line[i];
        if (!close_line(&line) || line.money != decision->line[i].money)
            return false;
        if (!add_line(&by_line, &decision->line[i]))
            return false;
    }
    for (uint32_t i = 0; i < decision->effect_count; i++)
        if (!add_effect(&by_effect, &decision->effect[i]))
            return false;
    by_effect.gross = by_line.gross;
    return close_line(&by_effect) && same_result(&by_line, &decision->total) &&
           same_result(&by_effect, &decision->total);
}

/* ------------------------------------------------------------------------------------ writing */

/* What an effect is written relative to. */
struct before {
    uint32_t line;
    int32_t rule;
    uint8_t currency;
};

static const struct before before_first = { UINT32_MAX, rule_none, 0 };

static void put_effect(struct buf *buf, const struct effect *effect, struct before *before)
{
    bool rule = has_rule(effect->kind), currency = has_currency(effect->kind);
    uint32_t step = effect->line == before->line          ? step_same
                    : effect->line == before->line + 1u ? step_next
                                                          : step_other;
    uint32_t head = (uint32_t)effect->kind | step * head_step;

    assert(effect->points == 0 || has_points(effect->kind));
    assert(effect->money == 0 || has_money(effect->kind));
    assert(effect->currency > 0 || !currency);
    if (rule && effect->rule == before->rule)
        head |= head_same_rule;
    if (currency && effect->currency == before->currency)
        head |= head_same_currency;
    bytes_put_u64(buf, head);
    if (step == step_other)
        bytes_put_u64(buf, effect->line);
    if (rule && !(head & head_same_rule))
        codec_put_rule(buf, effect->rule);
    if (currency && !(head & head_same_currency))
        bytes_put_u64(buf, effect->currency);
    if (has_points(effect->kind))
        bytes_put_i64(buf, effect->points);
    if (has_money(effect->kind))
        bytes_put_i64(buf, effect->money);
    before->line = effect->line;
    if (rule)
        before->rule = effect->rule;
    if (currency)
        before->currency = effect->currency;
}

static void put_effects(struct buf *buf, const struct decision *decision)
{
    struct before before = before_first;

    assert(decision->effect_count <= things_max);
    bytes_put_u64(buf, decision->effect_count);
    for (uint32_t i = 0; i < decision->effect_count; i++)
        put_effect(buf, &decision->effect[i], &before);
}

static void put_earnings(struct buf *buf, const struct decision *decision)
{
    assert(decision->earning_count <= things_max);
    bytes_put_u64(buf, decision->earning_count);
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        codec_put_rule(buf, decision->earning[i].rule);
        bytes_put_u64(buf, decision->earning[i].currency);
        bytes_put_i64(buf, decision->earning[i].points);
    }
}

void redemptions_put(struct buf *buf, const struct redemption *redemption, uint32_t count)
{
    assert(count <= things_max);
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++) {
        assert(redemption[i].currency >= 1);
        bytes_put_u64(buf, redemption[i].currency);
        bytes_put_i64(buf, redemption[i].points);
        bytes_put_i64(buf, redemption[i].money);
    }
}

static bool gross_of_event(const struct decision *decision, const struct event *event)
{
    if (decision->line_count != event->line_count)
        return false;
    for (uint32_t i = 0; i < decision->line_count; i++)
        if (decision->line[i].gross != event->line[i].gross)
            return false;
    return true;
}

static bool counts_something(const struct decision *decision, const struct terms *terms)
{
    for (uint32_t i = 0; i < terms->counter_count; i++)
        if (decision->counter_add[i] != 0)
            return true;
    return false;
}

void decision_put(struct buf *buf, const struct decision *decision, const struct event *event,
                  const struct terms *terms)
{
    uint32_t flags = (decision->effect_count ? has_effects : 0u) |
                     (decision->earning_count ? has_earnings : 0u) |
                     (decision->redemption_count ? has_redemptions : 0u) |
                     (counts_something(decision, terms) ? has_counters : 0u);

    assert(decision->outcome == OUTCOME_DONE);
    assert(decision->line_count <= lines_per_receipt_max);
    assert(adds_up(decision));
    if (decision->line_count > 0)
        flags |= gross_of_event(decision, event) ? lines_of_event : lines_of_own;
    bytes_put_u64(buf, flags);
    if (flags & lines_of_own) {
        bytes_put_u64(buf, decision->line_count);
        for (uint32_t i = 0; i < decision->line_count; i++)
            codec_put_amount(buf, decision->line[i].gross);
    }
    if (flags & has_effects)
        put_effects(buf, decision);
    if (flags & has_earnings)
        put_earnings(buf, decision);
    if (flags & has_redemptions)
        redemptions_put(buf, decision->redemption, decision->redemption_count);
    if (flags & has_counters)
        for (uint32_t i = 0; i < terms->counter_count; i++)
            bytes_put_i64(buf, decision->counter_add[i]);
}

/* ------------------------------------------------------------------------------------ reading */

static void get_effect(struct bytes_reader *reader, uint32_t line_end, struct before *before,
                       struct effect *effect)
{
    uint32_t head = codec_get_flags(reader, 127);
    uint32_t kind = head & head_kind, step = head / head_step;
    bool same_rule = head & head_same_rule, same_currency = head & head_same_currency;

    codec_require(reader, kind <= EFFECT_EARN && step <= step_other);
    if (reader->failed)
        return;
    effect->kind = (enum effect_kind)kind;
    effect->rule = rule_none;
    codec_require(reader, !same_rule || has_rule(effect->kind));
    codec_require(reader, !same_currency || has_currency(effect->kind));
    effect->line = before->line + step;
    if (step == step_other) {
        effect->line = codec_get_u32(reader, 0, UINT32_MAX);
        codec_require(reader, effect->line != before->line && effect->line != before->line + 1u);
    }
    codec_require(reader, effect->line < line_end);
    if (has_rule(effect->kind)) {
        effect->rule = same_rule ? before->rule : codec_get_rule(reader);
        codec_require(reader, same_rule || effect->rule != before->rule);
        before->rule = effect->rule;
    }
    if (has_currency(effect->kind)) {
        effect->currency = same_currency
                               ? before->currency
                               : (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        codec_require(reader, effect->currency > 0);
        codec_require(reader, same_currency || effect->currency != before->currency);
        before->currency = effect->currency;
    }
    if (has_points(effect->kind))
        effect->points = bytes_get_i64(reader);
    if (has_money(effect->kind))
        effect->money = bytes_get_i64(reader);
    before->line = effect->line;
}

static void get_effects(struct bytes_reader *reader, struct arena *arena,
                        struct decision *decision)
{
    struct before before = before_first;
    uint32_t line_end = decision->line_count > 0 ? decision->line_count : 1;

    decision->effect =
        codec_array(reader, arena, struct effect, things_max, 2, &decision->effect_count);
    decision->effect_cap = decision->effect_count;
    codec_require(reader, decision->effect_count > 0);
    for (uint32_t i = 0; i < decision->effect_count && !reader->failed; i++)
        get_effect(reader, line_end, &before, &decision->effect[i]);
}

static void get_earnings(struct bytes_reader *reader, struct arena *arena,
                         struct decision *decision)
{
    decision->earning =
        codec_array(reader, arena, struct earning, things_max, 3, &decision->earning_count);
    codec_require(reader, decision->earning_count > 0);
    for (uint32_t i = 0; i < decision->earning_count && !reader->failed; i++) {
        decision->earning[i].rule = codec_get_rule(reader);
        decision->earning[i].currency =
            (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        decision->earning[i].points = bytes_get_i64(reader);
    }
}

struct redemption *redemptions_get(struct bytes_reader *reader, struct arena *arena,
                                   uint32_t *count)
{
    struct redemption *redemption =
        codec_array(reader, arena, struct redemption, things_max, 3, count);

    for (uint32_t i = 0; i < *count && !reader->failed; i++) {
        redemption[i].currency = (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        redemption[i].points = bytes_get_i64(reader);
        redemption[i].money = bytes_get_i64(reader);
    }
    return redemption;
}

static void get_counters(struct bytes_reader *reader, const struct terms *terms,
                         struct decision *decision)
{
    for (uint32_t i = 0; i < terms->counter_count; i++)
        decision->counter_add[i] = bytes_get_i64(reader);
    codec_require(reader, counts_something(decision, terms));
}

/* Count and gross of the lines. */
static void get_lines(struct bytes_reader *reader, struct arena *arena, uint32_t flags,
                      const struct event *event, struct decision *decision)
{
    if (flags & lines_of_own) {
        decision->line = codec_array(reader, arena, struct line_result, lines_per_receipt_max, 1,
                                     &decision->line_count);
        for (uint32_t i = 0; i < decision->line_count && !reader->failed; i++)
            decision->line[i].gross = codec_get_amount(reader);
        codec_require(reader, decision->line_count > 0 && !(flags & lines_of_event));
        codec_require(reader, !gross_of_event(decision, event));
    } else if (flags & lines_of_event) {
        codec_require(reader, event->line_count > 0);
        decision->line = arena_array(arena, struct line_result, event->line_count);
        codec_require(reader, decision->line != NULL);
        if (reader->failed)
            return;
        decision->line_count = event->line_count;
        for (uint32_t i = 0; i < decision->line_count; i++)
            decision->line[i].gross = event->line[i].gross;
    }
}

/* Results of lines and totals, from gross and effects. false: an overflow. */
static bool derive(struct decision *decision)
{
    for (uint32_t i = 0; i < decision->effect_count && decision->line_count > 0; i++) {
        const struct effect *effect = &decision->effect[i];
        if (!add_effect(&decision->line[effect->line], effect))
            return false;
    }
    for (uint32_t i = 0; i < decision->line_count; i++)
        if (!close_line(&decision->line[i]) || !add_line(&decision->total, &decision->line[i]))
            return false;
    return true;
}

void decision_get(struct bytes_reader *reader, struct arena *arena, const struct event *event,
                  const struct terms *terms, struct decision *decision)
{
    uint32_t flags = codec_get_flags(reader, has_all);

    decision->outcome = OUTCOME_DONE;
    if (reader->failed)
        return;
    get_lines(reader, arena, flags, event, decision);
    if (flags & has_effects)
        get_effects(reader, arena, decision);
    if (flags & has_earnings)
        get_earnings(reader, arena, decision);
    if (flags & has_redemptions) {
        decision->redemption = redemptions_get(reader, arena, &decision->redemption_count);
        codec_require(reader, decision->redemption_count > 0);
    }
    if (flags & has_counters)
        get_counters(reader, terms, decision);
    if (!reader->failed && !(derive(decision) && adds_up(decision)))
        reader->failed = true;
}
