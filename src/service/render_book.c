/*
 * render_book.c - movements of a statement with their reasons, and an owner's balance.
 *
 * Owns:      the words for each kind of movement, in both languages.
 * Must not:  settle, or know receipts.
 * Invariant: a movement says what it moved, since when, by which operation and by which rule.
 * Tests:     tests/unit/service/test_render.c
 */
#include "ledger/ledger.h"
#include "service/render_parts.h"

/* ---- movements ---- */

struct words {
    const char *english, *russian;
};

/* One for each of MOVEMENTS. */
static const struct words movement_words[] = {
    [MOVEMENT_EARN] = { "earned", "начислено" },
    [MOVEMENT_ACTIVATE] = { "became active", "стали активными" },
    [MOVEMENT_SPEND] = { "paid with", "списано в оплату" },
    [MOVEMENT_RESTORE] = { "given back by a return", "возвращено: товар сдан" },
    [MOVEMENT_EXPIRE] = { "expired", "сгорело" },
    [MOVEMENT_REVOKE] = { "taken back by a return", "отозвано: товар сдан" },
    [MOVEMENT_REGIVE] = { "given again after a return", "начислено снова после возврата" },
    [MOVEMENT_REPAY] = { "debt repaid", "погашен долг" },
    [MOVEMENT_HOLD] = { "held", "заблокировано" },
    [MOVEMENT_RELEASE] = { "released from a hold", "блокировка снята" },
    [MOVEMENT_OPEN] = { "opening balance", "начальный остаток" },
    [MOVEMENT_MOVE_IN] = { "moved in", "переведено сюда" },
    [MOVEMENT_MOVE_OUT] = { "moved out", "переведено отсюда" },
    [MOVEMENT_LEVEL] = { "level", "уровень" },
};
_Static_assert(KOP_COUNT(movement_words) == movement_kind_count, "words for each kind");

/* "earned: 3 % of a purchase" */
static void
put_reason_member(struct rendering *r, const struct movement *movement, struct text name)
{
    const struct words *words = &movement_words[movement->kind];
    struct text word = text_of(r->russian ? words->russian : words->english);
    struct buf reason;

    if (name.len == 0) {
        PUT(r, ",\"reason\":");
        put_text(r, word);
        return;
    }
    buf_init(&reason, r->buf->arena, (size_t)word.len + 2 + name.len);
    buf_add_text(&reason, word);
    buf_add_text(&reason, TEXT(": "));
    buf_add_text(&reason, name);
    r->buf->failed = r->buf->failed || reason.failed;
    PUT(r, ",\"reason\":");
    put_text(r, buf_text(&reason));
}

/* A change of level: `lot_no` is the ladder, `rule` the level from now on. */
static void
put_level_members(struct rendering *r, const struct movement *movement)
{
    const struct ladder_terms *ladder = terms_ladder(r->terms, (uint8_t)movement->lot_no);
    struct text code = { NULL, 0 };

    if (ladder == NULL)
        return;
    PUT(r, ",\"ladder\":");
    put_text(r, ladder->code);
    PUT(r, ",\"level\":");
    if (movement->rule > 0 && movement->rule <= ladder->level_count) {
        code = ladder->level[movement->rule - 1].code;
        put_text(r, code);
    } else {
        PUT(r, "null");
    }
    put_reason_member(r, movement, code);
}

static void
put_rule_and_reason_members(struct rendering *r, const struct movement *movement)
{
    struct text name = { NULL, 0 };

    if (movement->rule >= 0 && movement->version == r->terms->version &&
        (uint32_t)movement->rule < plan_rule_count(r->plan)) {
        name = plan_rule_name(r->plan, movement->rule, r->russian);
        PUT(r, ",");
        put_rule_member(r, movement->rule);
    }
    put_reason_member(r, movement, name);
}

static bool
makes_a_life(enum movement_kind kind)
{
    return kind == MOVEMENT_EARN || kind == MOVEMENT_OPEN || kind == MOVEMENT_MOVE_IN ||
           kind == MOVEMENT_RESTORE;
}

static void
put_points_moved_members(struct rendering *r, const struct movement *movement)
{
    const struct currency_terms *currency = terms_currency(r->terms, movement->currency);

    PUT(r, ",\"account\":");
    put_lower(r, account_name(movement->account));
    PUT(r, ",\"contra\":");
    put_lower(r, account_name(movement->contra));
    PUT(r, ",");
    assert(currency != NULL);
    put_points_member(r, movement->currency, TEXT(",\"amount\":"), movement->amount);
    if (movement->lot_no != 0) {
        PUT(r, ",\"lot\":");
        put_whole(r, movement->lot_no);
    }
    if (makes_a_life(movement->kind)) {
        PUT(r, ",\"active_from\":");
        put_instant(r, movement->active_from);
        PUT(r, ",\"expires_at\":");
        put_instant(r, movement->expires_at);
    }
    put_rule_and_reason_members(r, movement);
}

void
render_movement(const struct movement *movement, const struct plan *plan, bool russian,
                struct json_writer *writer)
{
    struct rendering r = {
        .buf = writer->buf,
        .plan = plan,
        .terms = plan_terms(plan),
        .names = true,
        .russian = russian,
    };

    json_begin_object(writer);
    json_key(writer, "no");
    json_i64(writer, movement->movement_no);
    PUT(&r, ",\"kind\":");
    put_lower(&r, movement_kind_name(movement->kind));
    PUT(&r, ",\"at\":");
    put_instant(&r, movement->at);
    PUT(&r, ",\"operation\":");
    put_id(&r, movement->op_id);
    if (movement->ref != 0) {
        PUT(&r, ",\"origin\":");
        put_id(&r, movement->ref);
    }
    if (movement->version != 0) {
        PUT(&r, ",\"version\":");
        put_whole(&r, movement->version);
    }
    if (movement->kind == MOVEMENT_LEVEL)
        put_level_members(&r, movement);
    else
        put_points_moved_members(&r, movement);
    json_end_object(writer);
}

/* ---- balance ---- */

static void
put_owner_balances_member(struct rendering *r, const struct owner *owner)
{
    bool comma = false;

    PUT(r, ",\"balances\":[");
    for (uint32_t i = 0; i < owner->balance_count; i++) {
        const struct balance *balance = &owner->balance[i];
        const struct currency_terms *currency = terms_currency(r->terms, balance->currency);
        if (currency == NULL)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        PUT(r, "{\"currency\":");
        put_text(r, currency->code);
        PUT(r, ",\"active\":");
        put_amount(r, balance->of[ACCOUNT_ACTIVE], currency->scale);
        PUT(r, ",\"pending\":");
        put_amount(r, balance->of[ACCOUNT_PENDING], currency->scale);
        PUT(r, ",\"held\":");
        put_amount(r, balance->of[ACCOUNT_HELD], currency->scale);
        PUT(r, ",\"debt\":");
        put_amount(r, -balance->of[ACCOUNT_DEBT], currency->scale);
        PUT(r, ",\"available\":");
        put_amount(r, ledger_available(owner, balance->currency), currency->scale);
        PUT(r, "}");
    }
    PUT(r, "]");
}

static void
put_owner_levels_member(struct rendering *r, const struct owner *owner)
{
    bool comma = false;

    PUT(r, ",\"levels\":{");
    for (uint32_t i = 0; i < owner->level_count; i++) {
        const struct level_state *state = &owner->level[i];
        const struct ladder_terms *ladder = terms_ladder(r->terms, state->ladder_no);
        if (ladder == NULL)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        put_text(r, ladder->code);
        PUT(r, ":{\"level\":");
        if (state->level > 0 && state->level <= ladder->level_count)
            put_text(r, ladder->level[state->level - 1].code);
        else
            PUT(r, "null");
        PUT(r, ",\"since\":");
        put_instant(r, state->since);
        PUT(r, "}");
    }
    PUT(r, "}");
}

static void
put_lots_member(struct rendering *r, const struct owner *owner)
{
    bool comma = false;

    PUT(r, ",\"lots\":[");
    for (uint32_t i = 0; i < owner->lot_count; i++) {
        const struct lot *lot = &owner->lot[i];
        const struct currency_terms *currency = terms_currency(r->terms, lot->currency);
        if (currency == NULL)
            continue;
        if (comma)
            PUT(r, ",");
        comma = true;
        PUT(r, "{\"lot\":");
        put_whole(r, lot->lot_no);
        PUT(r, ",\"state\":");
        if (lot->pending)
            PUT(r, "\"pending\"");
        else
            PUT(r, "\"active\"");
        PUT(r, ",");
        put_points_member(r, lot->currency, TEXT(",\"left\":"), lot->left);
        PUT(r, ",\"held\":");
        put_amount(r, lot->held, currency->scale);
        PUT(r, ",\"size\":");
        put_amount(r, lot->size, currency->scale);
        PUT(r, ",\"active_from\":");
        put_instant(r, lot->active_from);
        PUT(r, ",\"expires_at\":");
        put_instant(r, lot->expires_at);
        PUT(r, ",\"operation\":");
        put_id(r, lot->cause);
        PUT(r, "}");
    }
    PUT(r, "]");
}

void
render_balance(const struct owner *owner, const struct terms *terms, struct json_writer *writer)
{
    struct rendering r = { .buf = writer->buf, .terms = terms };

    json_begin_object(writer);
    json_key(writer, "owner");
    json_id(writer, owner->owner_id);
    PUT(&r, ",\"settled_to\":");
    put_instant(&r, owner->settled_to);
    put_owner_balances_member(&r, owner);
    put_owner_levels_member(&r, owner);
    put_lots_member(&r, owner);
    json_end_object(writer);
}
