/*
 * record.c - the canonical record of an operation, and what has been returned of a purchase.
 *
 * Owns:      their forms; the body of a `receipt` row and of a `returned` row.
 * Must not:  keep the trace, or what can be computed again exactly (decision_codec.c); or refusals,
 *            which are never recorded: a record's decision is DONE.
 * Invariant: decode(encode(x)) == x and encode(decode(b)) == b, under the terms of its version.
 * Cost:      a purchase of three lines takes about 400 bytes and two microseconds.
 * Tests:     tests/unit/core/test_record.c, tests/fuzz/fuzz_record.c
 *
 * Record: version byte, kind, programme's version, 32 bytes of request hash, place (sequence,
 * previous, last movement), flags, op_id, owner_id, [member_id], [origin], event, [occurred_at,
 * where it is not the event's], recorded_at less occurred_at, [uncovered], [view], decision,
 * [takes], [earned lots], [balances after], [valid_until], [counted], [keys], [claim]; of a RETURN
 * lines, result and the row of its purchase; of an OPENING currency and points; of an ENROL the
 * person. Kinds and flags are written as numbers: their lists only grow at the end. Levels,
 * counters and balances of the view go by the order of the terms.
 */
#include "core/record.h"

#include "base/mem.h"
#include "core/codec.h"
#include "core/decision_codec.h"
#include "core/lot_codec.h"

enum {
    has_member = 1 << 0,
    has_origin = 1 << 1,
    is_fact = 1 << 2,
    has_uncovered = 1 << 3,
    has_occurred_at = 1 << 4, /* other than the event's */
    view_known = 1 << 5,
    has_takes = 1 << 6,
    has_earned = 1 << 7,
    has_after = 1 << 8,
    has_valid_until = 1 << 9,
    has_counted = 1 << 10,
    has_keys = 1 << 11,
    has_claim = 1 << 12,
    has_all = (1 << 13) - 1,

    hash_bytes = 32,
    segments_max = 1 << 16,
    earned_max = 1 << 24,
    counted_max = 1 << 16,
    keys_max = 1 << 16,

    active_otherwise = 0, /* when a lot became active, in the code of an earned lot */
    active_as_occurred = 1,
    active_as_recorded = 2,
};

const char *record_kind_name(enum record_kind kind)
{
    static const char *const name[] = {
#define X(name) #name,
        RECORDS(X)
#undef X
    };

    _Static_assert(KOP_COUNT(name) == record_kind_count, "a name for each kind");
    assert((unsigned)kind < record_kind_count);
    return name[kind];
}

/* ----------------------------------------------------------------------------------- writing */

static void put_view(struct buf *buf, const struct member_view *view, const struct terms *terms)
{
    assert(view->segment_count <= segments_max);

    for (uint32_t i = 0; i < terms->ladder_count; i++)
        bytes_put_u64(buf, view->level[i]);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        bytes_put_i64(buf, view->counter[i]);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        bytes_put_i64(buf, view->available[i]);
    codec_put_instant(buf, view->enrolled_at);
    bytes_put_u64(buf, view->segment_count);
    for (uint32_t i = 0; i < view->segment_count; i++)
        bytes_put_text(buf, view->segment[i]);
}

static void put_earned(struct buf *buf, const struct record *record)
{
    assert(record->earned_count <= earned_max);

    bytes_put_u64(buf, record->earned_count);
    for (uint32_t i = 0; i < record->earned_count; i++) {
        const struct earned_lot *earned = &record->earned[i];
        uint64_t when = earned->active_from == record->occurred_at   ? active_as_occurred
                        : earned->active_from == record->recorded_at ? active_as_recorded
                                                                     : active_otherwise;
        bytes_put_u64(buf, (uint64_t)earned->earning << 2 | when);
        bytes_put_u64(buf, earned->lot_no);
        if (when == active_otherwise)
            codec_put_instant(buf, earned->active_from);
        codec_put_instant(buf, earned->expires_at);
    }
}

static void put_after(struct buf *buf, const struct record *record)
{
    assert(record->after_count <= currencies_per_programme_max);

    bytes_put_u64(buf, record->after_count);
    for (uint32_t i = 0; i < record->after_count; i++) {
        const struct balance_after *after = &record->after[i];
        bytes_put_u64(buf, after->currency);
        codec_put_amount(buf, after->active);
        codec_put_amount(buf, after->pending);
        codec_put_amount(buf, after->held);
        codec_put_amount(buf, after->debt);
    }
}

static void put_return(struct buf *buf, const struct record *record)
{
    const struct return_result *result = &record->result;

    assert(record->returned_count <= lines_per_receipt_max);
    assert(result->revoked_count <= earned_max);
    bytes_put_u64(buf, record->returned_count);
    for (uint32_t i = 0; i < record->returned_count; i++) {
        bytes_put_u64(buf, record->returned[i].line);
        codec_put_amount(buf, record->returned[i].quantity);
    }
    bytes_put_i64(buf, result->refund);
    bytes_put_i64(buf, result->certificate);
    bytes_put_i64(buf, result->purse);
    bytes_put_i64(buf, result->shortfall);
    redemptions_put(buf, result->restored, result->restored_count);
    bytes_put_u64(buf, result->revoked_count);
    for (uint32_t i = 0; i < result->revoked_count; i++) {
        bytes_put_u64(buf, result->revoked[i].currency);
        bytes_put_i64(buf, result->revoked[i].points);
        codec_put_amount(buf, result->debt[i]);
    }
    bytes_put_text(buf, record->returned_after);
}

static void put_counted(struct buf *buf, const struct record *record)
{
    assert(record->counted_count <= counted_max);

    bytes_put_u64(buf, record->counted_count);
    for (uint32_t i = 0; i < record->counted_count; i++) {
        const struct counted *counted = &record->counted[i];
        assert(counted->add != 0);
        bytes_put_u64(buf, (uint64_t)counted->counter_no << 1 | counted->rolling);
        bytes_put_i64(buf, counted->bucket);
        bytes_put_i64(buf, counted->add);
    }
}

static void put_keys(struct buf *buf, const struct record *record)
{
    assert(record->key_count <= keys_max);

    bytes_put_u64(buf, record->key_count);
    for (uint32_t i = 0; i < record->key_count; i++) {
        const struct directory_row *key = &record->key[i];
        assert(key->owner_id == record->owner_id);
        assert(key->member_id == record->member_id);
        buf_add(buf, key->key, sizeof(key->key));
        bytes_put_u64(buf, key->kind);
        bytes_put_u64(buf, key->state);
    }
}

static uint32_t record_flags(const struct record *record)
{
    return (record->member_id ? has_member : 0u) | (record->origin ? has_origin : 0u) |
           (record->is_fact ? is_fact : 0u) | (record->uncovered ? has_uncovered : 0u) |
           (record->occurred_at != record->event.occurred_at ? has_occurred_at : 0u) |
           (record->view.known ? view_known : 0u) | (record->take_count ? has_takes : 0u) |
           (record->earned_count ? has_earned : 0u) | (record->after_count ? has_after : 0u) |
           (record->valid_until ? has_valid_until : 0u) |
           (record->counted_count ? has_counted : 0u) | (record->key_count ? has_keys : 0u) |
           (record->claim.len ? has_claim : 0u);
}

static void put_times(struct buf *buf, const struct record *record, uint32_t flags)
{
    int64_t delay;
    bool fits = i64_sub(record->recorded_at, record->occurred_at, &delay);

    assert(fits);
    if (flags & has_occurred_at)
        codec_put_instant(buf, record->occurred_at);
    bytes_put_i64(buf, delay);
}

void record_encode(const struct record *record, const struct terms *terms, struct buf *buf)
{
    uint32_t flags = record_flags(record);

    assert((unsigned)record->kind < record_kind_count);
    assert(record->version == terms->version);
    codec_put_version(buf);
    bytes_put_u64(buf, record->kind);
    bytes_put_u64(buf, record->version);
    buf_add(buf, record->request_hash, hash_bytes);
    bytes_put_u64(buf, record->place.sequence);
    bytes_put_u64(buf, record->place.previous);
    bytes_put_u64(buf, record->place.last_movement);
    bytes_put_u64(buf, flags);
    bytes_put_u64(buf, record->op_id);
    bytes_put_u64(buf, record->owner_id);
    if (flags & has_member)
        bytes_put_u64(buf, record->member_id);
    if (flags & has_origin)
        bytes_put_u64(buf, record->origin);
    event_encode(&record->event, buf);
    put_times(buf, record, flags);
    if (flags & has_uncovered)
        bytes_put_i64(buf, record->uncovered);
    if (flags & view_known)
        put_view(buf, &record->view, terms);
    decision_put(buf, &record->decision, &record->event, terms);
    if (flags & has_takes)
        takes_put(buf, record->take, record->take_count);
    if (flags & has_earned)
        put_earned(buf, record);
    if (flags & has_after)
        put_after(buf, record);
    if (flags & has_valid_until)
        codec_put_instant(buf, record->valid_until);
    if (flags & has_counted)
        put_counted(buf, record);
    if (flags & has_keys)
        put_keys(buf, record);
    if (flags & has_claim)
        bytes_put_text(buf, record->claim);
    if (record->kind == RECORD_RETURN)
        put_return(buf, record);
    if (record->kind == RECORD_ENROL)
        bytes_put_u64(buf, record->person_id);
    if (record->kind == RECORD_OPENING) {
        bytes_put_u64(buf, record->opening_currency);
        bytes_put_i64(buf, record->opening_points);
    }
}

/* ----------------------------------------------------------------------------------- reading */

static void get_view(struct bytes_reader *reader, struct arena *arena, const struct terms *terms,
                     struct member_view *view)
{
    for (uint32_t i = 0; i < terms->ladder_count; i++)
        view->level[i] = (uint8_t)codec_get_u32(reader, 0, UINT8_MAX);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        view->counter[i] = bytes_get_i64(reader);
    for (uint32_t i = 0; i < terms->currency_count; i++)
        view->available[i] = bytes_get_i64(reader);
    view->enrolled_at = codec_get_instant(reader);
    view->segment =
        codec_array(reader, arena, struct text, segments_max, 1, &view->segment_count);
    for (uint32_t i = 0; i < view->segment_count && !reader->failed; i++)
        view->segment[i] = bytes_get_text(reader);
}

static void get_earned(struct bytes_reader *reader, struct arena *arena, struct record *record)
{
    record->earned =
        codec_array(reader, arena, struct earned_lot, earned_max, 3, &record->earned_count);
    codec_require(reader, record->earned_count > 0);
    for (uint32_t i = 0; i < record->earned_count && !reader->failed; i++) {
        struct earned_lot *earned = &record->earned[i];
        uint64_t code = bytes_get_u64(reader);
        uint64_t when = code & 3;
        codec_require(reader, code >> 2 <= UINT32_MAX && when <= active_as_recorded);
        earned->earning = (uint32_t)(code >> 2);
        earned->lot_no = codec_get_u32(reader, 0, UINT32_MAX);
        earned->active_from = when == active_as_occurred   ? record->occurred_at
                              : when == active_as_recorded ? record->recorded_at
                                                           : codec_get_instant(reader);
        codec_require(reader, when == active_as_occurred ||
                                  earned->active_from != record->occurred_at);
        codec_require(reader, when != active_otherwise ||
                                  earned->active_from != record->recorded_at);
        earned->expires_at = codec_get_instant(reader);
    }
}

static void get_after(struct bytes_reader *reader, struct arena *arena, struct record *record)
{
    record->after = codec_array(reader, arena, struct balance_after, currencies_per_programme_max,
                                5, &record->after_count);
    codec_require(reader, record->after_count > 0);
    for (uint32_t i = 0; i < record->after_count && !reader->failed; i++) {
        struct balance_after *after = &record->after[i];
        after->currency = (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        after->active = codec_get_amount(reader);
        after->pending = codec_get_amount(reader);
        after->held = codec_get_amount(reader);
        after->debt = codec_get_amount(reader);
    }
}

static void get_return(struct bytes_reader *reader, struct arena *arena, struct record *record)
{
    struct return_result *result = &record->result;

    record->returned = codec_array(reader, arena, struct returned_line, lines_per_receipt_max, 2,
                                   &record->returned_count);
    for (uint32_t i = 0; i < record->returned_count && !reader->failed; i++) {
        record->returned[i].line = codec_get_u32(reader, 0, UINT32_MAX);
        record->returned[i].quantity = codec_get_amount(reader);
    }
    result->refund = bytes_get_i64(reader);
    result->certificate = bytes_get_i64(reader);
    result->purse = bytes_get_i64(reader);
    result->shortfall = bytes_get_i64(reader);
    result->restored = redemptions_get(reader, arena, &result->restored_count);
    result->revoked =
        codec_array(reader, arena, struct redemption, earned_max, 3, &result->revoked_count);
    if (result->revoked_count > 0 && !reader->failed) {
        result->debt = arena_array(arena, amount, result->revoked_count);
        codec_require(reader, result->debt != NULL);
    }
    for (uint32_t i = 0; i < result->revoked_count && !reader->failed; i++) {
        result->revoked[i].currency =
            (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        result->revoked[i].points = bytes_get_i64(reader);
        result->debt[i] = codec_get_amount(reader);
    }
    record->returned_after = bytes_get_text(reader);
}

static void get_times(struct bytes_reader *reader, struct record *record, uint32_t flags)
{
    record->occurred_at = record->event.occurred_at;
    if (flags & has_occurred_at) {
        record->occurred_at = codec_get_instant(reader);
        codec_require(reader, record->occurred_at != record->event.occurred_at);
    }
    int64_t delay = bytes_get_i64(reader);
    if (!i64_add(record->occurred_at, delay, &record->recorded_at))
        reader->failed = true;
}

static void get_counted(struct bytes_reader *reader, struct arena *arena, struct record *record)
{
    record->counted =
        codec_array(reader, arena, struct counted, counted_max, 3, &record->counted_count);
    codec_require(reader, record->counted_count > 0);
    for (uint32_t i = 0; i < record->counted_count && !reader->failed; i++) {
        struct counted *counted = &record->counted[i];
        uint32_t code = codec_get_u32(reader, 2, 2 * counters_per_programme_max + 1);
        counted->counter_no = (uint8_t)(code >> 1);
        counted->rolling = code & 1;
        counted->bucket = bytes_get_i64(reader);
        counted->add = codec_get_i64_not_0(reader);
    }
}

static void get_keys(struct bytes_reader *reader, struct arena *arena, struct record *record)
{
    record->key = codec_array(reader, arena, struct directory_row, keys_max,
                              directory_key_bytes + 2, &record->key_count);
    codec_require(reader, record->key_count > 0);
    for (uint32_t i = 0; i < record->key_count && !reader->failed; i++) {
        struct directory_row *key = &record->key[i];
        codec_require(reader, reader->end - reader->at >= directory_key_bytes);
        if (reader->failed)
            return;
        memcpy(key->key, reader->at, directory_key_bytes);
        reader->at += directory_key_bytes;
        key->kind = (enum key_kind)codec_get_u32(reader, KEY_CARD, KEY_COUPON);
        key->state = (enum key_state)codec_get_u32(reader, KEY_FREE, KEY_BLOCKED);
        key->owner_id = record->owner_id;
        key->member_id = record->member_id;
    }
}

static void get_head(struct bytes_reader *reader, struct record_head *head)
{
    *head = (struct record_head){ 0 };
    codec_get_version(reader);
    head->kind = (enum record_kind)codec_get_u32(reader, 0, record_kind_count - 1);
    head->version = codec_get_u32(reader, 0, UINT32_MAX);
    codec_require(reader, reader->end - reader->at >= hash_bytes);
    if (reader->failed)
        return;
    head->request_hash = (struct text){ (const char *)reader->at, hash_bytes };
    reader->at += hash_bytes;
    head->place.sequence = bytes_get_u64(reader);
    head->place.previous = bytes_get_u64(reader);
    head->place.last_movement = codec_get_u32(reader, 0, UINT32_MAX);
}

enum code record_peek(struct text body, struct record_head *head, struct err *err)
{
    struct bytes_reader reader;
    struct record_head found;

    bytes_open(&reader, body);
    get_head(&reader, &found);
    if (reader.failed)
        return codec_part(&reader, NULL, "record", err);
    *head = found;
    return OK;
}

/* From the view on. */
static void get_results(struct bytes_reader *reader, struct arena *arena,
                        const struct terms *terms, uint32_t flags, struct record *record)
{
    record->view.known = (flags & view_known) != 0;
    if (flags & view_known)
        get_view(reader, arena, terms, &record->view);
    decision_get(reader, arena, &record->event, terms, &record->decision);
    if (flags & has_takes) {
        record->take = takes_get(reader, arena, &record->take_count);
        codec_require(reader, record->take_count > 0);
    }
    if (flags & has_earned)
        get_earned(reader, arena, record);
    if (flags & has_after)
        get_after(reader, arena, record);
    if (flags & has_valid_until) {
        record->valid_until = codec_get_instant(reader);
        codec_require(reader, record->valid_until != 0);
    }
    if (flags & has_counted)
        get_counted(reader, arena, record);
    if (flags & has_keys)
        get_keys(reader, arena, record);
    if (flags & has_claim) {
        record->claim = bytes_get_text(reader);
        codec_require(reader, record->claim.len > 0);
    }
    if (record->kind == RECORD_RETURN)
        get_return(reader, arena, record);
    if (record->kind == RECORD_OPENING) {
        record->opening_currency = (uint8_t)codec_get_u32(reader, 1, currencies_per_programme_max);
        record->opening_points = bytes_get_i64(reader);
    }
    if (record->kind == RECORD_ENROL)
        record->person_id = bytes_get_u64(reader);
}

enum code record_decode(struct text body, const struct terms *terms, struct arena *arena,
                        struct record *record, struct err *err)
{
    struct bytes_reader reader;
    struct record_head head;

    *record = (struct record){ 0 };
    bytes_open(&reader, body);
    get_head(&reader, &head);
    if (reader.failed)
        return codec_part(&reader, arena, "record", err);
    if (head.version != terms->version)
        return err_set(err, CODE_CORRUPT, "the stored record is of version %u, not %u",
                       head.version, terms->version);
    record->kind = head.kind;
    record->version = head.version;
    record->place = head.place;
    memcpy(record->request_hash, head.request_hash.ptr, hash_bytes);
    uint32_t flags = codec_get_flags(&reader, has_all);
    record->is_fact = (flags & is_fact) != 0;
    record->op_id = bytes_get_u64(&reader);
    record->owner_id = bytes_get_u64(&reader);
    record->member_id = flags & has_member ? codec_get_u64_not_0(&reader) : 0;
    record->origin = flags & has_origin ? codec_get_u64_not_0(&reader) : 0;
    enum code rc = event_decode(&reader, arena, &record->event, err);
    if (rc)
        return rc;
    get_times(&reader, record, flags);
    record->uncovered = flags & has_uncovered ? codec_get_i64_not_0(&reader) : 0;
    get_results(&reader, arena, terms, flags, record);
    return codec_end(&reader, arena, "record", err);
}

/* ---------------------------------------------------------------------------------- returned */

static void put_amounts(struct buf *buf, const amount *item, uint32_t count)
{
    bytes_put_u64(buf, count);
    for (uint32_t i = 0; i < count; i++)
        codec_put_amount(buf, item[i]);
}

static amount *get_amounts(struct bytes_reader *reader, struct arena *arena, uint32_t max,
                           uint32_t *count)
{
    amount *item = codec_array(reader, arena, amount, max, 1, count);

    for (uint32_t i = 0; i < *count && !reader->failed; i++)
        item[i] = codec_get_amount(reader);
    return item;
}

void returned_state_encode(const struct returned_state *state, const struct terms *terms,
                           struct buf *buf)
{
    assert(state->line_count <= lines_per_receipt_max);
    assert(state->take_count <= lots_per_owner_max);
    assert(state->earning_count <= earned_max);

    codec_put_version(buf);
    put_amounts(buf, state->quantity, state->line_count);
    bytes_put_i64(buf, state->refunded);
    bytes_put_i64(buf, state->certificate);
    bytes_put_i64(buf, state->purse);
    bytes_put_i64(buf, state->shortfall);
    put_amounts(buf, state->restored, state->take_count);
    put_amounts(buf, state->revoked, state->earning_count);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        bytes_put_i64(buf, state->counter_sub[i]);
}

enum code returned_state_decode(struct text body, const struct terms *terms, struct arena *arena,
                                struct returned_state *state, struct err *err)
{
    struct bytes_reader reader;

    *state = (struct returned_state){ 0 };
    bytes_open(&reader, body);
    codec_get_version(&reader);
    state->quantity = get_amounts(&reader, arena, lines_per_receipt_max, &state->line_count);
    state->refunded = bytes_get_i64(&reader);
    state->certificate = bytes_get_i64(&reader);
    state->purse = bytes_get_i64(&reader);
    state->shortfall = bytes_get_i64(&reader);
    state->restored = get_amounts(&reader, arena, lots_per_owner_max, &state->take_count);
    state->revoked = get_amounts(&reader, arena, earned_max, &state->earning_count);
    for (uint32_t i = 0; i < terms->counter_count; i++)
        state->counter_sub[i] = bytes_get_i64(&reader);
    return codec_end(&reader, arena, "returned state", err);
}
