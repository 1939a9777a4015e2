/*
 * value.c - what a purchase has cost so far, and what the goods kept are worth at their price.
 *
 * Owns:      see value.h.
 */
#include "value.h"

enum { per_step = 1000 };

value
value_of_points(const struct terms *terms, uint8_t currency, amount points)
{
    const struct currency_terms *of = terms_currency(terms, currency);

    if ((points * of->worth.num * per_step) % of->worth.den != 0)
        book_die("a worth of the random programmes is too fine to be counted");
    return points * of->worth.num * per_step / of->worth.den;
}

/* A part of `whole`, for what is back or kept. */
static amount
floor_share(amount whole, int64_t part, int64_t of)
{
    return (amount)((__int128)whole * part / of);
}

value
value_given_back(const struct plan *plan, const struct record *purchase,
                 const struct returned_state *state)
{
    value given = (state->refunded + state->certificate + state->purse) * per_step;

    for (uint32_t i = 0; i < state->take_count; i++)
        given += value_of_points(plan_terms(plan), purchase->take[i].currency, state->restored[i]);
    return given;
}

value
value_paid(const struct plan *plan, const struct record *purchase,
           const struct returned_state *state)
{
    const struct terms *terms = plan_terms(plan);
    const struct decision *decision = &purchase->decision;
    value paid = (decision->total.money + decision->total.certificate + decision->total.purse) *
                 per_step;

    for (uint32_t i = 0; i < decision->redemption_count; i++)
        paid += value_of_points(terms, decision->redemption[i].currency,
                                decision->redemption[i].points);
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        const struct earning *earning = &decision->earning[i];
        amount back = state->earning_count ? state->revoked[i] : 0;
        paid -= value_of_points(terms, earning->currency, earning->points - back);
    }
    return paid - value_given_back(plan, purchase, state);
}

static value
kept_by_trace(const struct plan *plan, const struct record *purchase, const int64_t *back)
{
    const struct decision *decision = &purchase->decision;
    const struct line *sold = purchase->event.line;
    value kept = 0;

    for (uint32_t i = 0; i < decision->line_count; i++) {
        const struct line_result *line = &decision->line[i];
        amount net = line->gross - line->discount - line->rounding;
        kept += (net - floor_share(net, back[i], sold[i].quantity)) * per_step;
    }
    for (uint32_t i = 0; i < decision->effect_count; i++) {
        const struct effect *effect = &decision->effect[i];
        int64_t quantity = sold[effect->line].quantity;
        if (effect->kind == EFFECT_EARN)
            kept -= value_of_points(plan_terms(plan), effect->currency,
                                    floor_share(effect->points, quantity - back[effect->line],
                                                quantity));
    }
    return kept;
}

/* The goods kept, decided alone with the view of then. */
static void
decide_kept(const struct plan *plan, const struct record *purchase, const int64_t *back,
            struct arena *arena, struct decision *again)
{
    struct event event = purchase->event;
    struct kept_payment paid[value_lines_max] = { { 0 } };
    struct line line[value_lines_max];
    struct err err = { 0 };

    if (purchase->event.line_count > value_lines_max)
        book_die("too many lines");
    event.line = line;
    for (uint32_t i = 0; i < event.line_count; i++) {
        const struct line_result *then = &purchase->decision.line[i];
        int64_t sold = purchase->event.line[i].quantity;
        line[i] = purchase->event.line[i];
        line[i].quantity -= back[i];
        line[i].gross -= floor_share(line[i].gross, back[i], sold);
        line[i].floor -= floor_share(line[i].floor, back[i], sold);
        paid[i].points = then->points - floor_share(then->points, back[i], sold);
        paid[i].certificate = then->certificate - floor_share(then->certificate, back[i], sold);
        paid[i].purse = then->purse - floor_share(then->purse, back[i], sold);
    }
    if (engine_requote(plan, &event, &purchase->view, paid, arena, again, &err))
        book_die("the goods kept cannot be decided: %s", err.text);
}

static amount
points_of(const struct decision *decision, uint8_t currency)
{
    amount points = 0;

    for (uint32_t i = 0; i < decision->earning_count; i++)
        points += decision->earning[i].currency == currency ? decision->earning[i].points : 0;
    return points;
}

amount
value_points_of_kept(const struct plan *plan, const struct record *purchase, const int64_t *back,
                     uint8_t currency, struct arena *arena, amount *same_rules)
{
    struct decision again;

    decide_kept(plan, purchase, back, arena, &again);
    *same_rules = 0;
    for (uint32_t i = 0; i < purchase->decision.earning_count; i++)
        for (uint32_t k = 0; k < again.earning_count; k++) {
            const struct earning *was = &purchase->decision.earning[i], *is = &again.earning[k];
            if (was->rule == is->rule && was->currency == currency && is->currency == currency)
                *same_rules += was->points < is->points ? was->points : is->points;
        }
    amount gave = points_of(&purchase->decision, currency), gives = points_of(&again, currency);
    return gave < gives ? gave : gives;
}

static value
kept_by_requote(const struct plan *plan, const struct record *purchase, const int64_t *back,
                struct arena *arena)
{
    struct decision again;
    value kept;

    decide_kept(plan, purchase, back, arena, &again);
    kept = (again.total.gross - again.total.discount - again.total.rounding) * per_step;
    for (uint32_t i = 0; i < again.earning_count; i++)
        kept -= value_of_points(plan_terms(plan), again.earning[i].currency,
                                again.earning[i].points);
    return kept;
}

value
value_of_kept(const struct plan *plan, const struct record *purchase, const int64_t *back,
              struct arena *arena)
{
    return plan_terms(plan)->returns == RETURN_TRACE
               ? kept_by_trace(plan, purchase, back)
               : kept_by_requote(plan, purchase, back, arena);
}
