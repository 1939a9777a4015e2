/*
 * compare.c - field by field equality, and the trials that every encoding must pass.
 *
 * Owns:      see compare.h.
 * Must not:  compare through the encodings under test.
 */
#include "compare.h"

void same_text(struct text a, struct text b)
{
    assert_int_equal(a.len, b.len);
    if (a.len > 0)
        assert_memory_equal(a.ptr, b.ptr, a.len);
}

void same_bytes(const void *a, const void *b, uint32_t count_a, uint32_t count_b, size_t size)
{
    assert_int_equal(count_a, count_b);
    if (count_a > 0)
        assert_memory_equal(a, b, count_a * size);
}

static void same_attributes(const struct attribute *a, const struct attribute *b, uint32_t count_a,
                            uint32_t count_b)
{
    assert_int_equal(count_a, count_b);
    for (uint32_t i = 0; i < count_a; i++) {
        same_text(a[i].name, b[i].name);
        assert_int_equal(a[i].type, b[i].type);
        same_text(a[i].value, b[i].value);
        assert_true(a[i].number == b[i].number);
    }
}

static void same_texts(const struct text *a, const struct text *b, uint32_t count_a,
                       uint32_t count_b)
{
    assert_int_equal(count_a, count_b);
    for (uint32_t i = 0; i < count_a; i++)
        same_text(a[i], b[i]);
}

static void same_line(const struct line *a, const struct line *b)
{
    same_text(a->article, b->article);
    same_text(a->category, b->category);
    same_text(a->brand, b->brand);
    same_texts(a->tag, b->tag, a->tag_count, b->tag_count);
    assert_int_equal(a->is_service, b->is_service);
    assert_int_equal(a->is_discounted, b->is_discounted);
    assert_true(a->quantity == b->quantity);
    assert_true(a->price == b->price);
    assert_true(a->gross == b->gross);
    assert_int_equal(a->has_gross, b->has_gross);
    assert_true(a->floor == b->floor);
    same_attributes(a->attribute, b->attribute, a->attribute_count, b->attribute_count);
}

static void same_lists(const struct event *a, const struct event *b)
{
    assert_int_equal(a->line_count, b->line_count);
    for (uint32_t i = 0; i < a->line_count; i++)
        same_line(&a->line[i], &b->line[i]);
    assert_int_equal(a->redeem_count, b->redeem_count);
    for (uint32_t i = 0; i < a->redeem_count; i++) {
        same_text(a->redeem[i].currency, b->redeem[i].currency);
        assert_true(a->redeem[i].points == b->redeem[i].points);
        assert_int_equal(a->redeem[i].max, b->redeem[i].max);
    }
    assert_int_equal(a->payment_count, b->payment_count);
    for (uint32_t i = 0; i < a->payment_count; i++) {
        assert_int_equal(a->payment[i].kind, b->payment[i].kind);
        assert_true(a->payment[i].money == b->payment[i].money);
        same_text(a->payment[i].reference, b->payment[i].reference);
    }
    same_texts(a->code, b->code, a->code_count, b->code_count);
    same_attributes(a->attribute, b->attribute, a->attribute_count, b->attribute_count);
}

void same_event(const struct event *a, const struct event *b)
{
    same_text(a->kind, b->kind);
    same_text(a->outlet, b->outlet);
    same_text(a->till, b->till);
    same_text(a->channel, b->channel);
    same_text(a->region, b->region);
    assert_true(a->period == b->period);
    same_text(a->number, b->number);
    assert_true(a->occurred_at == b->occurred_at);
    assert_int_equal(a->for_business, b->for_business);
    assert_int_equal(a->confirmed, b->confirmed);
    same_text(a->tender, b->tender);
    same_text(a->bin, b->bin);
    same_lists(a, b);
}

/* ------------------------------------------------------------------------------- trials */

static void expect_corrupt(const char *bytes, uint32_t len, recode_function recode, void *context)
{
    struct arena arena = unit_arena();
    struct buf again;

    /* A copy of exact size, so that a sanitizer sees a read past its end. */
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    buf_init(&again, &arena, 0);
    assert_int_equal(recode(context, (struct text){ copy, len }, &arena, &again), CODE_CORRUPT);
    free(copy);
    arena_release(&arena);
}

static void expect_one_form(struct text body, recode_function recode, void *context, bool accepted)
{
    struct arena arena = unit_arena();
    struct buf again;

    buf_init(&again, &arena, 0);
    enum code rc = recode(context, body, &arena, &again);
    if (rc != CODE_CORRUPT || accepted) {
        assert_int_equal(rc, OK);
        assert_false(again.failed);
        same_text(buf_text(&again), body);
    }
    arena_release(&arena);
}

void try_body(struct text body, struct random64 *random, recode_function recode, void *context)
{
    char *copy = malloc((size_t)body.len + 1);

    assert_non_null(copy);
    expect_one_form(body, recode, context, true);
    memcpy(copy, body.ptr, body.len);
    copy[body.len] = 0;
    expect_corrupt(copy, body.len + 1, recode, context);
    uint32_t step = 1 + body.len / 40;
    for (uint32_t len = random_below(random, step); len < body.len; len += step)
        expect_corrupt(copy, len, recode, context);
    for (int i = 0; i < 40; i++) {
        memcpy(copy, body.ptr, body.len);
        for (uint32_t k = random_below(random, 3) + 1; k > 0; k--)
            copy[random_below(random, body.len)] ^= (char)(1 << random_below(random, 8));
        expect_one_form((struct text){ copy, body.len }, recode, context, false);
    }
    free(copy);
}
