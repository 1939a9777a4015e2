/*
 * sample.c - random events, owners and records.
 *
 * Owns:      their distributions: every list is empty at times, every optional field is absent at
 *            times, numbers are of every length.
 * Must not:  leave padding of structs other than zero: tests compare lists of them bytewise.
 */
#include "sample.h"

static bool chance(struct random64 *random, uint32_t one_in)
{
    return random_below(random, one_in) == 0;
}

static uint32_t count_up_to(struct random64 *random, uint32_t max)
{
    return chance(random, 3) ? 0 : random_below(random, max + 1);
}

struct text sample_text(struct random64 *random, struct arena *arena)
{
    uint32_t len = chance(random, 3) ? 0 : random_below(random, 21);

    if (len == 0)
        return (struct text){ NULL, 0 };
    char *bytes = arena_alloc(arena, len);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (char)random_next(random);
    return (struct text){ bytes, len };
}

amount sample_amount(struct random64 *random)
{
    uint64_t value = (random_next(random) >> 14) >> random_below(random, 50); /* below 2^50 */

    if (value > (uint64_t)AMOUNT_MAX)
        value = (uint64_t)AMOUNT_MAX;
    if (chance(random, 3))
        value -= value % 10000;
    return (amount)value;
}

static int64_t sample_signed(struct random64 *random)
{
    int64_t value = (int64_t)(random_next(random) >> random_below(random, 64));

    return chance(random, 5) ? 0 : value;
}

static uint64_t sample_id(struct random64 *random)
{
    return chance(random, 4) ? 0 : random_next(random) >> random_below(random, 64);
}

unix_ms sample_instant(struct random64 *random)
{
    int64_t ms = (int64_t)(random_next(random) % UINT64_C(4000000000000)) - 400000000000;

    switch (random_below(random, 6)) {
    case 0:
        return 0;
    case 1:
        return TIME_NONE;
    case 2:
    case 3:
        return ms - ms % 60000;
    default:
        return ms;
    }
}

/* ------------------------------------------------------------------------------- events */

static struct attribute *sample_attributes(struct random64 *random, struct arena *arena,
                                           uint32_t *count)
{
    *count = count_up_to(random, 4);
    struct attribute *attribute = arena_array(arena, struct attribute, *count);
    assert_non_null(attribute);
    for (uint32_t i = 0; i < *count; i++) {
        attribute[i].name = sample_text(random, arena);
        attribute[i].type = (enum attribute_type)random_below(random, 3);
        if (attribute[i].type == ATTRIBUTE_TEXT)
            attribute[i].value = sample_text(random, arena);
        else if (attribute[i].type == ATTRIBUTE_NUMBER)
            attribute[i].number = sample_signed(random);
        else
            attribute[i].number = random_below(random, 2);
    }
    return attribute;
}

static struct text *sample_texts(struct random64 *random, struct arena *arena, uint32_t max,
                                 uint32_t *count)
{
    *count = count_up_to(random, max);
    struct text *text = arena_array(arena, struct text, *count);
    assert_non_null(text);
    for (uint32_t i = 0; i < *count; i++)
        text[i] = sample_text(random, arena);
    return text;
}

static void sample_line(struct random64 *random, struct arena *arena, struct line *line)
{
    line->article = sample_text(random, arena);
    line->category = sample_text(random, arena);
    line->brand = sample_text(random, arena);
    line->tag = sample_texts(random, arena, 4, &line->tag_count);
    line->is_service = chance(random, 4);
    line->is_discounted = chance(random, 4);
    line->has_gross = chance(random, 2);
    line->quantity = chance(random, 2) ? 1000 : sample_amount(random);
    line->price = sample_amount(random);
    line->gross = sample_amount(random);
    line->floor = chance(random, 2) ? 0 : sample_amount(random);
    line->attribute = sample_attributes(random, arena, &line->attribute_count);
}

void sample_event(struct random64 *random, struct arena *arena, struct event *event)
{
    *event = (struct event){ 0 };
    event->kind = chance(random, 2) ? TEXT("purchase") : sample_text(random, arena);
    event->outlet = sample_text(random, arena);
    event->till = sample_text(random, arena);
    event->channel = sample_text(random, arena);
    event->region = sample_text(random, arena);
    event->period = sample_signed(random);
    event->number = sample_text(random, arena);
    event->occurred_at = sample_instant(random);
    event->for_business = chance(random, 2);
    event->confirmed = chance(random, 2);
    event->tender = sample_text(random, arena);
    event->bin = sample_text(random, arena);
    event->line_count = count_up_to(random, 5);
    event->line = arena_array(arena, struct line, event->line_count);
    for (uint32_t i = 0; i < event->line_count; i++)
        sample_line(random, arena, &event->line[i]);
    event->redeem_count = count_up_to(random, redeems_per_receipt_max);
    event->redeem = arena_array(arena, struct redeem, event->redeem_count);
    for (uint32_t i = 0; i < event->redeem_count; i++) {
        event->redeem[i].currency = sample_text(random, arena);
        event->redeem[i].max = chance(random, 2);
        event->redeem[i].points = event->redeem[i].max ? 0 : sample_amount(random);
    }
    event->payment_count = count_up_to(random, payments_per_receipt_max);
    event->payment = arena_array(arena, struct payment, event->payment_count);
    for (uint32_t i = 0; i < event->payment_count; i++) {
        event->payment[i].kind = (enum payment_kind)random_below(random, PAYMENT_PURSE + 1);
        event->payment[i].money = sample_amount(random);
        event->payment[i].reference = sample_text(random, arena);
    }
    event->code = sample_texts(random, arena, codes_per_receipt_max, &event->code_count);
    event->attribute = sample_attributes(random, arena, &event->attribute_count);
}

/* ------------------------------------------------------------------------------- rows */

static uint8_t sample_currency(struct random64 *random)
{
    return (uint8_t)(1 + random_below(random, currencies_per_programme_max));
}

static int32_t sample_rule(struct random64 *random)
{
    return chance(random, 3) ? -1 : (int32_t)random_below(random, rules_per_programme_max);
}

static uint32_t sample_version(struct random64 *random)
{
    return chance(random, 3) ? 0 : (uint32_t)random_next(random) >> random_below(random, 32);
}

void sample_lot(struct random64 *random, struct lot *lot)
{
    lot->lot_no = 1 + random_below(random, UINT32_MAX);
    lot->currency = sample_currency(random);
    lot->pending = chance(random, 3);
    lot->graced = chance(random, 3);
    lot->size = 1 + sample_amount(random);
    lot->left = chance(random, 2) ? lot->size : 1 + sample_amount(random) % lot->size;
    lot->held = chance(random, 2) ? 0 : sample_amount(random) % (lot->left + 1);
    lot->active_from = sample_instant(random);
    lot->expires_at = sample_instant(random);
    lot->cause = sample_id(random);
    lot->rule = sample_rule(random);
    lot->version = sample_version(random);
}

void sample_take(struct random64 *random, struct take *take)
{
    take->lot_no = 1 + random_below(random, UINT32_MAX);
    take->currency = sample_currency(random);
    take->points = 1 + sample_amount(random);
    take->size = take->points + (chance(random, 2) ? 0 : sample_amount(random));
    take->active_from = sample_instant(random);
    take->expires_at = sample_instant(random);
    take->cause = sample_id(random);
    take->rule = sample_rule(random);
    take->version = sample_version(random);
    take->graced = chance(random, 3);
}

static struct take *sample_takes(struct random64 *random, struct arena *arena, uint32_t *count)
{
    *count = count_up_to(random, 4);
    struct take *take = arena_array(arena, struct take, *count);
    assert_non_null(take);
    for (uint32_t i = 0; i < *count; i++)
        sample_take(random, &take[i]);
    return take;
}

void sample_movement(struct random64 *random, struct movement *movement)
{
    *movement = (struct movement){ 0 };
    movement->owner_id = sample_id(random);
    movement->movement_no = 1 + random_below(random, UINT32_MAX);
    movement->op_id = sample_id(random);
    movement->kind = (enum movement_kind)random_below(random, movement_kind_count);
    movement->account = (enum account)random_below(random, account_count);
    movement->contra = (enum account)random_below(random, account_count);
    movement->currency = sample_currency(random);
    movement->amount = sample_amount(random);
    movement->lot_no = sample_version(random);
    movement->version = sample_version(random);
    movement->rule = sample_rule(random);
    movement->cost_owner = sample_version(random);
    movement->ref = sample_id(random);
    movement->at = sample_instant(random);
    movement->active_from = sample_instant(random);
    movement->expires_at = sample_instant(random);
    movement->link[3] = (unsigned char)random_next(random);
}

static int compare_lots(const void *a, const void *b)
{
    return lot_cmp(a, b);
}

static void sample_states(struct random64 *random, struct arena *arena, struct owner *owner)
{
    owner->balance = arena_array(arena, struct balance, currencies_per_programme_max);
    owner->level = arena_array(arena, struct level_state, ladders_per_programme_max);
    owner->counter = arena_array(arena, struct counter_state, counters_per_programme_max);
    for (uint32_t no = 1; no <= currencies_per_programme_max; no++) {
        if (!chance(random, 8))
            continue;
        struct balance *balance = &owner->balance[owner->balance_count++];
        balance->currency = (uint8_t)no;
        for (uint32_t k = 0; k < account_count; k++)
            balance->of[k] = sample_signed(random);
    }
    for (uint32_t no = 1; no <= ladders_per_programme_max; no++) {
        if (!chance(random, 4))
            continue;
        struct level_state *level = &owner->level[owner->level_count++];
        level->ladder_no = (uint8_t)no;
        level->level = (uint8_t)random_below(random, levels_per_ladder_max + 1);
        level->since = sample_instant(random);
    }
    for (uint32_t no = 1; no <= counters_per_programme_max; no++) {
        if (!chance(random, 20))
            continue;
        struct counter_state *counter = &owner->counter[owner->counter_count++];
        counter->counter_no = (uint8_t)no;
        counter->bucket = sample_signed(random);
        counter->value = sample_signed(random);
    }
}

void sample_owner(struct random64 *random, struct arena *arena, struct owner *owner)
{
    *owner = (struct owner){ 0 };
    owner->flags = random_below(random, 8);
    owner->enrolled_at = sample_instant(random);
    owner->settled_to = sample_instant(random);
    sample_states(random, arena, owner);
    owner->hold_count = count_up_to(random, 3);
    owner->hold = arena_array(arena, struct hold, owner->hold_count);
    for (uint32_t i = 0; i < owner->hold_count; i++) {
        owner->hold[i].id = (i > 0 ? owner->hold[i - 1].id : 0) + 1 + random_below(random, 99999);
        owner->hold[i].ends_at = sample_instant(random);
        owner->hold[i].take = sample_takes(random, arena, &owner->hold[i].take_count);
    }
    owner->lot_count = count_up_to(random, lots_in_owner_row_max);
    owner->lot_cap = owner->lot_count;
    owner->lot = arena_array(arena, struct lot, owner->lot_count);
    for (uint32_t i = 0; i < owner->lot_count; i++)
        sample_lot(random, &owner->lot[i]);
    qsort(owner->lot, owner->lot_count, sizeof(struct lot), compare_lots);
}

/* ------------------------------------------------------------------------------- records */

void sample_terms(struct random64 *random, struct terms *terms)
{
    *terms = (struct terms){ 0 };
    terms->version = sample_version(random);
    terms->currency_count = (uint8_t)random_below(random, currencies_per_programme_max + 1);
    terms->counter_count = (uint8_t)random_below(random, 5);
    terms->ladder_count = (uint8_t)random_below(random, ladders_per_programme_max + 1);
}

static void add_effect(struct random64 *random, struct decision *decision, uint32_t line)
{
    struct effect *effect = &decision->effect[decision->effect_count++];
    struct line_result *result = &decision->line[line];
    amount money = sample_amount(random);

    effect->kind = (enum effect_kind)random_below(random, EFFECT_EARN + 1);
    effect->line = line;
    effect->rule = -1;
    effect->money = money;
    switch (effect->kind) {
    case EFFECT_DISCOUNT:
        effect->rule = sample_rule(random) % 3;
        result->discount += money;
        break;
    case EFFECT_ROUNDING:
        effect->money = chance(random, 2) ? -money : money;
        result->rounding += effect->money;
        break;
    case EFFECT_CERTIFICATE:
        result->certificate += money;
        break;
    case EFFECT_POINTS:
        effect->currency = (uint8_t)(1 + random_below(random, 2));
        effect->points = sample_amount(random);
        result->points += money;
        break;
    case EFFECT_PURSE:
        result->purse += money;
        break;
    case EFFECT_EARN:
        effect->rule = sample_rule(random) % 3;
        effect->currency = (uint8_t)(1 + random_below(random, 2));
        effect->points = sample_amount(random);
        effect->money = 0;
        break;
    }
}

static void add_up(struct decision *decision)
{
    for (uint32_t i = 0; i < decision->line_count; i++) {
        struct line_result *line = &decision->line[i], *total = &decision->total;
        line->money = line->gross - line->discount - line->rounding - line->points -
                      line->certificate - line->purse;
        total->gross += line->gross;
        total->discount += line->discount;
        total->rounding += line->rounding;
        total->points += line->points;
        total->certificate += line->certificate;
        total->purse += line->purse;
        total->money += line->money;
    }
}

static struct redemption *sample_redemptions(struct random64 *random, struct arena *arena,
                                             bool money, uint32_t *count)
{
    *count = count_up_to(random, 3);
    struct redemption *redemption = arena_array(arena, struct redemption, *count);
    assert_non_null(redemption);
    for (uint32_t i = 0; i < *count; i++) {
        redemption[i].currency = sample_currency(random);
        redemption[i].points = sample_signed(random);
        redemption[i].money = money ? sample_signed(random) : 0;
    }
    return redemption;
}

static void sample_decision(struct random64 *random, struct arena *arena,
                            const struct terms *terms, const struct event *event,
                            struct decision *decision)
{
    bool own = chance(random, 4);

    decision->line_count = chance(random, 5) ? 0 : own ? 1 + random_below(random, 3)
                                                       : event->line_count;
    decision->line = arena_array(arena, struct line_result, decision->line_count);
    for (uint32_t i = 0; i < decision->line_count; i++)
        decision->line[i].gross = own ? sample_amount(random) : event->line[i].gross;
    decision->effect_cap = 3 * decision->line_count;
    decision->effect = arena_array(arena, struct effect, decision->effect_cap);
    while (decision->effect_count < decision->effect_cap && !chance(random, 8))
        add_effect(random, decision, random_below(random, decision->line_count));
    decision->effect_cap = decision->effect_count;
    add_up(decision);
    decision->earning_count = count_up_to(random, 3);
    decision->earning = arena_array(arena, struct earning, decision->earning_count);
    for (uint32_t i = 0; i < decision->earning_count; i++) {
        decision->earning[i].rule = sample_rule(random);
        decision->earning[i].currency = sample_currency(random);
        decision->earning[i].points = sample_signed(random);
    }
    decision->redemption = sample_redemptions(random, arena, true, &decision->redemption_count);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        decision->counter_add[i] = chance(random, 2) ? 0 : sample_signed(random);
}

static void sample_view(struct random64 *random, struct arena *arena, const struct terms *terms,
                        struct member_view *view)
{
    view->known = chance(random, 2);
    if (!view->known)
        return;
    for (uint32_t i = 0; i < terms->ladder_count; i++)
        view->level[i] = (uint8_t)random_below(random, levels_per_ladder_max + 1);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        view->counter[i] = sample_signed(random);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        view->available[i] = sample_signed(random);
    view->enrolled_at = sample_instant(random);
    view->segment = sample_texts(random, arena, 3, &view->segment_count);
}

static void sample_outcome(struct random64 *random, struct arena *arena, struct record *record)
{
    record->take = sample_takes(random, arena, &record->take_count);
    record->earned_count = count_up_to(random, 3);
    record->earned = arena_array(arena, struct earned_lot, record->earned_count);
    for (uint32_t i = 0; i < record->earned_count; i++) {
        record->earned[i].earning = (uint32_t)random_next(random) >> random_below(random, 32);
        record->earned[i].lot_no = sample_version(random);
        record->earned[i].active_from = chance(random, 3)   ? record->occurred_at
                                        : chance(random, 3) ? record->recorded_at
                                                            : sample_instant(random);
        record->earned[i].expires_at = sample_instant(random);
    }
    record->after_count = count_up_to(random, 3);
    record->after = arena_array(arena, struct balance_after, record->after_count);
    for (uint32_t i = 0; i < record->after_count; i++) {
        record->after[i].currency = sample_currency(random);
        record->after[i].active = sample_amount(random);
        record->after[i].pending = sample_amount(random);
        record->after[i].held = sample_amount(random);
        record->after[i].debt = sample_amount(random);
    }
}

static void sample_return(struct random64 *random, struct arena *arena, struct record *record)
{
    struct return_result *result = &record->result;

    record->returned_count = count_up_to(random, 4);
    record->returned = arena_array(arena, struct returned_line, record->returned_count);
    for (uint32_t i = 0; i < record->returned_count; i++) {
        record->returned[i].line = random_below(random, 2000);
        record->returned[i].quantity = sample_amount(random);
    }
    result->refund = sample_signed(random);
    result->certificate = sample_signed(random);
    result->purse = sample_signed(random);
    result->shortfall = sample_signed(random);
    result->restored = sample_redemptions(random, arena, true, &result->restored_count);
    result->revoked = sample_redemptions(random, arena, false, &result->revoked_count);
    result->debt = arena_array(arena, amount, result->revoked_count);
    for (uint32_t i = 0; i < result->revoked_count; i++)
        result->debt[i] = sample_amount(random);
}

/* Where it stands, and what was written beside it. */
static void sample_beside(struct random64 *random, struct arena *arena, struct record *record)
{
    record->place.sequence = 1 + random_below(random, 1000);
    record->place.previous = sample_id(random);
    record->place.last_movement = random_below(random, 1000);
    record->counted_count = count_up_to(random, 3);
    record->counted = arena_array(arena, struct counted, record->counted_count);
    for (uint32_t i = 0; i < record->counted_count; i++)
        record->counted[i] = (struct counted){
            .counter_no = (uint8_t)(1 + random_below(random, counters_per_programme_max)),
            .rolling = chance(random, 2),
            .bucket = sample_signed(random),
            .add = 1 + sample_amount(random),
        };
    record->key_count = count_up_to(random, 3);
    record->key = arena_array(arena, struct directory_row, record->key_count);
    for (uint32_t i = 0; i < record->key_count; i++) {
        struct directory_row *key = &record->key[i];
        for (size_t k = 0; k < sizeof key->key; k++)
            key->key[k] = (unsigned char)random_next(random);
        key->owner_id = record->owner_id;
        key->member_id = record->member_id;
        key->kind = (enum key_kind)(KEY_CARD + random_below(random, KEY_COUPON));
        key->state = (enum key_state)random_below(random, KEY_BLOCKED + 1);
    }
    record->claim = chance(random, 2) ? TEXT("") : TEXT("r/1/7/2/1/55");
    if (record->kind == RECORD_RETURN)
        record->returned_after = TEXT("a row");
}

void sample_record(struct random64 *random, struct arena *arena, const struct terms *terms,
                   struct record *record)
{
    *record = (struct record){ 0 };
    record->kind = (enum record_kind)random_below(random, record_kind_count);
    record->op_id = sample_id(random);
    record->owner_id = sample_id(random);
    record->member_id = sample_id(random);
    record->origin = sample_id(random);
    for (size_t i = 0; i < sizeof record->request_hash; i++)
        record->request_hash[i] = (unsigned char)random_next(random);
    record->version = terms->version;
    sample_event(random, arena, &record->event);
    if (record->event.occurred_at == TIME_NONE)
        record->event.occurred_at = 0;
    record->occurred_at = chance(random, 3) ? 86400000 : record->event.occurred_at;
    record->recorded_at = record->occurred_at + (chance(random, 2) ? 0 : sample_amount(random));
    record->is_fact = chance(random, 2);
    record->uncovered = chance(random, 2) ? 0 : sample_amount(random);
    sample_view(random, arena, terms, &record->view);
    sample_decision(random, arena, terms, &record->event, &record->decision);
    sample_outcome(random, arena, record);
    record->valid_until = chance(random, 2) ? 0 : sample_instant(random);
    if (record->kind == RECORD_RETURN)
        sample_return(random, arena, record);
    if (record->kind == RECORD_OPENING) {
        record->opening_currency = sample_currency(random);
        record->opening_points = sample_amount(random);
    }
    if (record->kind == RECORD_ENROL)
        record->person_id = chance(random, 2) ? 0 : sample_id(random);
    sample_beside(random, arena, record);
}

static amount *sample_amounts(struct random64 *random, struct arena *arena, uint32_t *count)
{
    *count = count_up_to(random, 5);
    amount *item = arena_array(arena, amount, *count);
    assert_non_null(item);
    for (uint32_t i = 0; i < *count; i++)
        item[i] = sample_amount(random);
    return item;
}

void sample_returned(struct random64 *random, struct arena *arena, const struct terms *terms,
                     struct returned_state *state)
{
    *state = (struct returned_state){ 0 };
    state->quantity = sample_amounts(random, arena, &state->line_count);
    state->refunded = sample_signed(random);
    state->certificate = sample_signed(random);
    state->purse = sample_signed(random);
    state->shortfall = sample_signed(random);
    state->restored = sample_amounts(random, arena, &state->take_count);
    state->revoked = sample_amounts(random, arena, &state->earning_count);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        state->counter_sub[i] = sample_signed(random);
}
