/*
 * request_evaluate.c - a programme to be checked, published or tried, and a made-up member.
 *
 * Owns:      the bodies that carry a document, and the member's view of an evaluation.
 * Must not:  look into a document: the engine does.
 * Invariant: what a view names (ladders, levels, counters, currencies) the programme has.
 * Tests:     tests/unit/service/test_request.c
 */
#include "service/request_read.h"

#include "base/mem.h"

/* ---- bodies that carry a document ---- */

bool
version_body_read(struct text body, struct arena *arena, struct version_body *out,
                  struct refusal *refusal)
{
    static const struct text names[] = {
        { "document", 8 }, { "in_force_from", 13 }, { "sent_at", 7 }, { "attempt", 7 }
    };
    enum { DOCUMENT, IN_FORCE_FROM, SENT_AT };
    struct reading r;
    uint64_t seen = 0;
    int field;

    *out = (struct version_body){ .has_in_force_from = false };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0) {
        bool good = field == DOCUMENT        ? read_raw_object(&r, &out->document)
                    : field == IN_FORCE_FROM ? read_instant(&r, &out->in_force_from)
                    : field == SENT_AT       ? read_sent_at(&r)
                                             : read_attempt(&r);
        if (!good)
            return false;
    }
    out->has_in_force_from = (seen & FIELD_BIT(IN_FORCE_FROM)) != 0;
    return field == field_end && reading_required(&r, names, seen, FIELD_BIT(DOCUMENT)) &&
           reading_end(&r);
}

bool
evaluate_body_read(struct text body, struct arena *arena, struct evaluate_body *out,
                   struct refusal *refusal)
{
    static const struct text names[] = {
        { "programme", 9 }, { "event", 5 }, { "member", 6 }, { "mode", 4 }
    };
    static const struct text modes[] = { { "ordinary", 8 }, { "fact", 4 } };
    enum { PROGRAMME, EVENT, MEMBER };
    struct reading r;
    uint64_t seen = 0;
    int field, mode = 0;

    *out = (struct evaluate_body){ .is_fact = false };
    if (!reading_begin(&r, body, NULL, arena, refusal))
        return false;
    while ((field = reading_field(&r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0) {
        bool good = field == PROGRAMME ? read_raw_object(&r, &out->document)
                    : field == EVENT   ? read_raw_object(&r, &out->event)
                    : field == MEMBER  ? read_raw_object(&r, &out->member)
                                       : read_choice(&r, modes, KOP_COUNT(modes), &mode);
        if (!good)
            return false;
    }
    out->is_fact = mode == 1;
    return field == field_end && reading_required(&r, names, seen, FIELD_BIT(EVENT)) &&
           reading_end(&r);
}

/* ---- the member of an evaluation ---- */

/* {ladder: level}; a level is named by its code. */
static bool
read_levels(struct reading *r, struct member_view *view)
{
    uint64_t seen = 0;
    struct text name;
    int more;

    if (!read_object(r))
        return false;
    while ((more = reading_name(r, &name)) == 1) {
        uint32_t i = 0, level = 0;
        struct text code;
        while (i < r->terms->ladder_count && !text_equal(r->terms->ladder[i].code, name))
            i++;
        if (i == r->terms->ladder_count)
            return refuse_name(r, name);
        if (seen & FIELD_BIT(i))
            return refuse(r, OUTCOME_FIELD_TWICE, NULL);
        seen |= FIELD_BIT(i);
        if (!read_text(r, &text_code, &code))
            return false;
        const struct ladder_terms *ladder = &r->terms->ladder[i];
        while (level < ladder->level_count && !text_equal(ladder->level[level].code, code))
            level++;
        if (level == ladder->level_count)
            return refuse(r, OUTCOME_FIELD_RANGE, "no level of this ladder");
        view->level[i] = (uint8_t)(level + 1);
    }
    return more == 0;
}

/* {counter: decimal}, in the scale of what it counts. */
static bool
read_counters(struct reading *r, struct member_view *view)
{
    uint64_t seen = 0;
    struct text name;
    int more;

    if (!read_object(r))
        return false;
    while ((more = reading_name(r, &name)) == 1) {
        uint32_t i = 0;
        while (i < r->terms->counter_count && !text_equal(r->terms->counter[i].code, name))
            i++;
        if (i == r->terms->counter_count)
            return refuse_name(r, name);
        if (seen & FIELD_BIT(i))
            return refuse(r, OUTCOME_FIELD_TWICE, NULL);
        seen |= FIELD_BIT(i);
        bool whole = r->terms->counter[i].source == COUNTER_COUNT;
        if (!read_amount(r, whole ? 0 : r->terms->money_scale, AMOUNT_MAX, &view->counter[i]))
            return false;
    }
    return more == 0;
}

/* {currency: decimal}. */
static bool
read_available(struct reading *r, struct member_view *view)
{
    uint64_t seen = 0;
    struct text name;
    int more;

    if (!read_object(r))
        return false;
    while ((more = reading_name(r, &name)) == 1) {
        uint32_t i = 0;
        while (i < r->terms->currency_count && !text_equal(r->terms->currency[i].code, name))
            i++;
        if (i == r->terms->currency_count)
            return refuse_name(r, name);
        if (seen & FIELD_BIT(i))
            return refuse(r, OUTCOME_FIELD_TWICE, NULL);
        seen |= FIELD_BIT(i);
        if (!read_amount(r, r->terms->currency[i].scale, AMOUNT_MAX, &view->available[i]))
            return false;
    }
    return more == 0;
}

enum { segments_of_a_view_max = 1000 };

static bool
read_segments(struct reading *r, struct member_view *view)
{
    struct things things = {
        .max = segments_of_a_view_max,
        .size = sizeof(struct text),
        .what = "segments",
    };
    enum json_token token;

    if (!read_array(r))
        return false;
    while ((token = reading_element(r, &things)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR)
            return false;
        if (token != JSON_STRING)
            return refuse(r, OUTCOME_FIELD_TYPE, "a string is wanted");
        if (!check_text(r, &text_code))
            return false;
        ((struct text *)things.item)[things.count - 1] = r->json.value;
    }
    view->segment = things.item;
    view->segment_count = things.count;
    return true;
}

bool
evaluate_member_read(struct text json, const struct plan *plan, struct arena *arena,
                     struct member_view *view, struct refusal *refusal)
{
    static const struct text names[] = {
        { "known", 5 },     { "levels", 6 },   { "counters", 8 },
        { "available", 9 }, { "segments", 8 }, { "enrolled_at", 11 },
    };
    enum { KNOWN, LEVELS, COUNTERS, AVAILABLE, SEGMENTS };
    struct reading r;
    uint64_t seen = 0;
    int field;

    assert(plan != NULL);
    memset(view, 0, sizeof(*view));
    *refusal = (struct refusal){ .outcome = OUTCOME_DONE };
    if (json.len == 0)
        return true;
    view->known = true;
    if (!reading_begin_part(&r, json, TEXT("/member"), plan, arena, refusal))
        return false;
    while ((field = reading_field(&r, names, KOP_COUNT(names), ~UINT64_C(0), &seen)) >= 0) {
        bool good = field == KNOWN       ? read_bool(&r, &view->known)
                    : field == LEVELS    ? read_levels(&r, view)
                    : field == COUNTERS  ? read_counters(&r, view)
                    : field == AVAILABLE ? read_available(&r, view)
                    : field == SEGMENTS  ? read_segments(&r, view)
                                         : read_instant(&r, &view->enrolled_at);
        if (!good)
            return false;
    }
    return field == field_end && reading_end(&r);
}
