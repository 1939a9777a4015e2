/*
 * test_return_property.c - what is promised of returns, on random programmes and receipts.
 *
 * Owns:      the promises of DESIGN "Returns": a full return is never having bought; a path of
 *            returns ends where one return ends; nothing is gained; never more than was sold;
 *            under requote the member keeps of a currency what the goods kept earn in it, by
 *            whatever rule; nothing is created when lots die and live on meanwhile.
 * Must not:  depend on anything but its seed: a failure prints the case and the programme, and
 *            `test_return_property CASE` runs that case alone.
 */
#include "random.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../host.h"

enum {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    programmes = 200, /* slow, and the rest was seen at full speed */
#else
    programmes = 2000,
#endif
    receipts_each = 50,
    takes_max = 16,
    only_none = -1
};

static long only_case = only_none;

/* What was met, so that a generator that went astray is seen. */
static struct {
    long bought, facts, with_points, with_coarse, with_certificate, earned, steps, calm, shortfalls,
        stood_in, expired, graced;
} met;

/* One case: a member, a purchase, and the books of its possible futures. */
struct scene {
    long number;
    struct random random;
    char document[random_document_max];
    const struct plan *plan;
    struct arena arena;
    struct book never, bought, path, once;
    unix_ms now;
    uint64_t op;
    struct record purchase; /* in the arena */
    char *body;
};

static struct scene scene;

/* ---- failing ---- */

static _Noreturn void
broken(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fprintf(stderr, "case %ld: ", scene.number);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n%s\n", scene.document);
    va_end(list);
    if (scene.purchase.event.line_count > 0)
        for (uint32_t i = 0; i < scene.purchase.decision.line_count; i++) {
            const struct line_result *line = &scene.purchase.decision.line[i];
            fprintf(stderr,
                    "line %u: quantity %lld gross %lld discount %lld rounding %lld certificate "
                    "%lld points %lld purse %lld money %lld\n",
                    i, (long long)scene.purchase.event.line[i].quantity, (long long)line->gross,
                    (long long)line->discount, (long long)line->rounding,
                    (long long)line->certificate, (long long)line->points, (long long)line->purse,
                    (long long)line->money);
        }
    abort();
}

/* ---- comparing ---- */

static struct text
lots_of(struct book *book, const struct owner *owner)
{
    struct buf buf;

    buf_init(&buf, &book->arena, 256);
    for (uint32_t i = 0; i < owner->lot_count; i++)
        lot_encode(&owner->lot[i], &buf);
    return buf_text(&buf);
}

/* Never having bought, to the last lot. */
static void
same_as_never(struct book *book)
{
    struct owner was, is;

    book_load(&scene.never, &scene.never.arena, &was);
    book_load(book, &book->arena, &is);
    for (uint8_t currency = 1; currency <= 2; currency++)
        for (enum account account = ACCOUNT_PENDING; account <= ACCOUNT_DEBT; account++) {
            if (account == ACCOUNT_ISSUED || account == ACCOUNT_REVOKED)
                continue; /* what was earned was given and taken back */
            if (owner_balance(&was, currency, account) != owner_balance(&is, currency, account))
                broken("a full return leaves %s of currency %u at %lld, it was %lld",
                       account_name(account), currency,
                       (long long)owner_balance(&is, currency, account),
                       (long long)owner_balance(&was, currency, account));
        }
    if (!text_equal(lots_of(&scene.never, &was), lots_of(book, &is)))
        broken("a full return leaves other lots");
    for (uint8_t no = 1; no <= 4; no++)
        if (book_counter(&scene.never, no, scene.now) != book_counter(book, no, scene.now))
            broken("a full return leaves counter %u at %lld, it was %lld", no,
                   (long long)book_counter(book, no, scene.now),
                   (long long)book_counter(&scene.never, no, scene.now));
}

static bool
same_states(const struct returned_state *a, const struct returned_state *b)
{
    bool same = a->refunded == b->refunded && a->certificate == b->certificate &&
                a->purse == b->purse && a->shortfall == b->shortfall;

    for (uint32_t i = 0; i < a->take_count; i++)
        same &= a->restored[i] == b->restored[i];
    for (uint32_t i = 0; i < a->earning_count; i++)
        same &= a->revoked[i] == b->revoked[i];
    for (uint32_t i = 0; i < counters_per_programme_max; i++)
        same &= a->counter_sub[i] == b->counter_sub[i];
    return same;
}

/* ---- buying ---- */

static struct err ignored;

static void
take_record(struct book *book)
{
    struct record record;

    book_record(book, book->last_op, &record);
    struct buf buf;
    buf_init(&buf, &scene.arena, 512);
    record_encode(&record, plan_terms(scene.plan), &buf);
    scene.op = book->last_op;
    if (record_decode(buf_text(&buf), plan_terms(scene.plan), &scene.arena, &scene.purchase,
                      &ignored))
        book_die("a record does not decode");
}

/* A receipt that is refused is tried with fewer wishes. */
static bool
buy(struct book *book, struct random_receipt *receipt)
{
    if (random_one_in(&scene.random, 10)) {
        receipt->input.mode = PURCHASE_FACT;
        for (uint32_t i = 0; i < receipt->input.event.redeem_count; i++) {
            receipt->redeem[i].max = false;
            receipt->redeem[i].points = 1 + random_below(&scene.random, 5000);
        }
    }
    if (book_buy(book, &receipt->input, scene.now) == OUTCOME_DONE)
        return true;
    receipt->input.event.payment_count = 0;
    if (book_buy(book, &receipt->input, scene.now) == OUTCOME_DONE)
        return true;
    receipt->input.event.redeem_count = 0;
    return book_buy(book, &receipt->input, scene.now) == OUTCOME_DONE;
}

static void
note_purchase(void)
{
    const struct record *purchase = &scene.purchase;

    met.bought++;
    met.facts += purchase->is_fact;
    met.with_points += purchase->take_count > 0;
    met.with_certificate += purchase->decision.total.certificate > 0;
    met.earned += purchase->decision.earning_count > 0;
    for (uint32_t i = 0; i < purchase->decision.redemption_count; i++)
        met.with_coarse += terms_currency(plan_terms(scene.plan),
                                          purchase->decision.redemption[i].currency)
                               ->worth.num > 1;
}

/* ---- returning ---- */

static enum outcome
give(struct book *book, const int64_t *part, unix_ms now)
{
    struct returned_line line[random_lines_max];
    uint32_t count = 0;

    for (uint32_t i = 0; i < scene.purchase.event.line_count; i++)
        if (part[i] > 0)
            line[count++] = (struct returned_line){ i, part[i] };
    return book_return(book, scene.op, line, count, now);
}

static void
must_give(struct book *book, const int64_t *part, unix_ms now)
{
    enum outcome outcome = give(book, part, now);

    if (outcome != OUTCOME_DONE)
        broken("a return is refused: %s", outcome_name(outcome));
    book_audit(book);
}

/* One thousandth more than is left of any line is refused. */
static void
too_much(struct book *book, const int64_t *back)
{
    uint32_t pick = (uint32_t)random_below(&scene.random, scene.purchase.event.line_count);
    struct returned_line line = { pick,
                                  scene.purchase.event.line[pick].quantity - back[pick] + 1 };

    if (book_return(book, scene.op, &line, 1, scene.now) != OUTCOME_RETURN_TOO_MUCH)
        broken("more comes back of line %u than was sold", pick);
}

struct along {
    int64_t back[random_lines_max];
    value least;      /* of all goods that were kept on the way, the lowest price */
    bool calm;        /* no return on the way had to hold anything back */
    amount given[3 + takes_max]; /* by one return, of each kind, at the step before */
};

/* Does one return of more goods give no less of anything? Else a path cannot end there as well. */
static bool
still_rises(struct along *along, const struct returned_state *once)
{
    amount given[3 + takes_max] = { once->refunded, once->certificate, once->purse };
    bool rises = true;

    if (once->take_count > takes_max)
        broken("a random member has too many lots");
    for (uint32_t i = 0; i < once->take_count; i++)
        given[3 + i] = once->restored[i];
    for (uint32_t i = 0; i < 3 + once->take_count; i++) {
        rises &= given[i] >= along->given[i];
        along->given[i] = given[i];
    }
    return rises;
}

/* What one return of the same goods would have done. */
static void
compare_with_once(struct along *along)
{
    struct returned_state parts, once;
    struct returned_state *state[] = { &parts, &once };

    book_copy(&scene.once, &scene.bought);
    if (give(&scene.once, along->back, scene.now) != OUTCOME_DONE)
        broken("one return is refused");
    book_returned(&scene.path, scene.op, state[0]);
    book_returned(&scene.once, scene.op, state[1]);
    value paths = value_given_back(scene.plan, &scene.purchase, &parts) - parts.shortfall * 1000;
    value ones = value_given_back(scene.plan, &scene.purchase, &once) - once.shortfall * 1000;
    along->calm &= parts.shortfall == 0 && once.shortfall == 0 && still_rises(along, &once);
    met.shortfalls += parts.shortfall > 0;
    met.calm += along->calm;
    met.steps++;
    if (along->calm && !same_states(&parts, &once))
        broken("parts end elsewhere than one return: refund %lld and %lld, value %lld and %lld",
               (long long)parts.refunded, (long long)once.refunded, (long long)paths,
               (long long)ones);
    /* A point that is worth many steps of money may wait for its last step. */
    value coarse = 0;
    for (uint8_t currency = 1; currency <= 2; currency++) {
        value one = value_of_points(plan_terms(scene.plan), currency, 10) / 10;
        coarse += one > 1000 ? one : 1000;
    }
    if (paths - ones > coarse || ones - paths > coarse)
        broken("parts end at another value than one return: %lld and %lld", (long long)paths,
               (long long)ones);
}

static void
nothing_gained(struct along *along)
{
    struct returned_state state;

    book_returned(&scene.path, scene.op, &state);
    value kept = value_of_kept(scene.plan, &scene.purchase, along->back, &scene.arena);
    value paid = value_paid(scene.plan, &scene.purchase, &state);
    if (kept < along->least)
        along->least = kept;
    if (paid < along->least)
        broken("goods worth %lld are kept for %lld (the cheapest on the way: %lld)",
               (long long)kept, (long long)paid, (long long)along->least);
}

/* What was earned and not taken back is what the goods kept earn, currency by currency. */
static void
kept_points(const struct along *along)
{
    const struct decision *decision = &scene.purchase.decision;
    struct returned_state state;
    bool any_kept = false;

    book_returned(&scene.path, scene.op, &state);
    for (uint32_t i = 0; i < scene.purchase.event.line_count; i++)
        any_kept |= along->back[i] < scene.purchase.event.line[i].quantity;
    if (plan_terms(scene.plan)->returns != RETURN_REQUOTE || !any_kept)
        return;
    for (uint8_t currency = 1; currency <= 2; currency++) {
        amount same_rules, stay = value_points_of_kept(scene.plan, &scene.purchase, along->back,
                                                       currency,
                                                       &scene.arena, &same_rules);
        amount kept = 0;
        for (uint32_t i = 0; i < decision->earning_count; i++)
            if (decision->earning[i].currency == currency)
                kept += decision->earning[i].points - state.revoked[i];
        /* While something is owed nothing is given again. */
        if (kept > stay || (kept < stay && state.shortfall == 0))
            broken("%lld points of currency %u are kept, and the goods kept earn %lld",
                   (long long)kept, currency, (long long)stay);
        met.stood_in += kept > same_rules;
    }
}

static void
finish_path(struct along *along)
{
    int64_t rest[random_lines_max];
    bool any = false;

    for (uint32_t i = 0; i < scene.purchase.event.line_count; i++) {
        rest[i] = scene.purchase.event.line[i].quantity - along->back[i];
        any |= rest[i] > 0;
    }
    if (any)
        must_give(&scene.path, rest, scene.now);
    same_as_never(&scene.path);
    struct returned_state state;
    book_returned(&scene.path, scene.op, &state);
    if (value_paid(scene.plan, &scene.purchase, &state) < 0 || state.shortfall != 0 ||
        state.refunded != scene.purchase.decision.total.money)
        broken("everything is back, and not everything came back");
    if (book_return(&scene.path, scene.op, NULL, 0, scene.now) != OUTCOME_RETURN_TOO_MUCH)
        broken("nothing is left, and something comes back");
}

static void
return_at_once(void)
{
    book_copy(&scene.path, &scene.bought);
    if (book_return(&scene.path, scene.op, NULL, 0, scene.now) != OUTCOME_DONE)
        broken("a full return is refused");
    book_audit(&scene.path);
    same_as_never(&scene.path);
}

static void
walk(void)
{
    int64_t nothing[random_lines_max] = { 0 }, part[random_lines_max];
    struct along along = { .calm = true };

    along.least = value_of_kept(scene.plan, &scene.purchase, nothing, &scene.arena);
    book_copy(&scene.path, &scene.bought);
    for (int64_t steps = 1 + random_below(&scene.random, 4); steps > 0; steps--) {
        if (!random_part(&scene.random, &scene.purchase.event, along.back, part))
            break;
        must_give(&scene.path, part, scene.now);
        for (uint32_t i = 0; i < scene.purchase.event.line_count; i++)
            along.back[i] += part[i];
        compare_with_once(&along);
        nothing_gained(&along);
        kept_points(&along);
        if (random_one_in(&scene.random, 4))
            too_much(&scene.path, along.back);
    }
    finish_path(&along);
}

/* ---- time passes ---- */

static amount
points_alive(struct book *book, uint8_t currency, bool without_graced)
{
    struct owner owner;

    book_load(book, &book->arena, &owner);
    amount points = owner_balance(&owner, currency, ACCOUNT_ACTIVE) +
                    owner_balance(&owner, currency, ACCOUNT_PENDING) +
                    owner_balance(&owner, currency, ACCOUNT_DEBT);
    for (uint32_t i = 0; i < owner.lot_count && without_graced; i++)
        if (owner.lot[i].currency == currency && owner.lot[i].graced) {
            points -= owner.lot[i].left;
            met.graced++;
        }
    return points;
}

static void
settle_both(unix_ms now)
{
    if (book_settle(&scene.path, now) != OUTCOME_DONE ||
        book_settle(&scene.never, now) != OUTCOME_DONE)
        broken("time cannot pass");
}

/* Lots die and live on between the returns: at the end there is no more than without them. */
static void
wait_and_return(void)
{
    int64_t back[random_lines_max] = { 0 }, part[random_lines_max];
    unix_ms now = scene.now;

    book_copy(&scene.path, &scene.bought);
    for (int64_t steps = random_below(&scene.random, 3); steps > 0; steps--) {
        now += random_below(&scene.random, 45) * DAY_MS;
        if (!random_part(&scene.random, &scene.purchase.event, back, part))
            break;
        enum outcome outcome = give(&scene.path, part, now);
        if (outcome == OUTCOME_RETURN_POINTS_SPENT)
            continue; /* what was earned has died, and debt is refused */
        if (outcome != OUTCOME_DONE)
            broken("a return is refused: %s", outcome_name(outcome));
        book_audit(&scene.path);
        for (uint32_t i = 0; i < scene.purchase.event.line_count; i++)
            back[i] += part[i];
    }
    now += random_below(&scene.random, 45) * DAY_MS;
    if (book_return(&scene.path, scene.op, NULL, 0, now) == OUTCOME_RETURN_POINTS_SPENT)
        return;
    settle_both(now);
    book_audit(&scene.path);
    for (uint8_t currency = 1; currency <= 2; currency++)
        if (points_alive(&scene.path, currency, true) >
            points_alive(&scene.never, currency, false))
            broken("waiting made points of currency %u", currency);
    now += 400 * DAY_MS;
    settle_both(now);
    book_audit(&scene.path);
    for (uint8_t currency = 1; currency <= 2; currency++) {
        amount left = points_alive(&scene.path, currency, false);
        amount never = points_alive(&scene.never, currency, false);
        met.expired += left < never;
        if (left > never)
            broken("%lld points of currency %u outlive their time", (long long)(left - never),
                   currency);
    }
}

/* ---- cases ---- */

static void
play(void)
{
    struct random_receipt receipt;

    scene.purchase = (struct record){ 0 };
    scene.now = day_of(2026, 3, 10) + 11 * HOUR_MS + random_below(&scene.random, 40) * DAY_MS;
    book_clear(&scene.never, scene.plan);
    random_member(&scene.random, &scene.never, scene.now);
    book_settle(&scene.never, scene.now);
    book_copy(&scene.bought, &scene.never);
    random_receipt(&scene.random, scene.now, &receipt);
    if (!buy(&scene.bought, &receipt))
        broken("a plain receipt is refused");
    take_record(&scene.bought);
    note_purchase();
    walk();
    if (scene.number % 2 == 0)
        return_at_once();
    else
        wait_and_return();
}

static void
begin_programme(long programme)
{
    scene.random.state = (uint64_t)(programme + 1) * UINT64_C(0x9e3779b97f4a7c15);
    random_document(&scene.random, random_one_in(&scene.random, 3) ? RETURN_TRACE : RETURN_REQUOTE,
                    scene.document);
    arena_reset(&scene.arena);
    scene.plan = book_compile(&scene.arena, scene.document, 1);
}

static void
returns_keep_their_promises(void **state)
{
    (void)state;
    for (long programme = 0; programme < programmes; programme++) {
        begin_programme(programme);
        struct arena_mark mark = arena_mark(&scene.arena);
        for (long i = 0; i < receipts_each; i++) {
            scene.number = programme * receipts_each + i;
            scene.random.state = (uint64_t)(scene.number + 1) * UINT64_C(0xd1342543de82ef95);
            if (only_case != only_none && only_case != scene.number)
                continue;
            play();
            arena_rewind(&scene.arena, mark);
        }
    }
    if (only_case != only_none)
        return;
    printf("bought %ld, facts %ld, with points %ld (coarse %ld), certificates %ld, earning %ld; "
           "steps %ld, calm %ld, shortfalls %ld, another rule stood in %ld, expired %ld, "
           "graced %ld\n",
           met.bought, met.facts, met.with_points, met.with_coarse, met.with_certificate,
           met.earned, met.steps, met.calm, met.shortfalls, met.stood_in, met.expired,
           met.graced);
    assert_true(met.with_points > met.bought / 5);
    assert_true(met.with_coarse > met.bought / 20);
    assert_true(met.with_certificate > met.bought / 20);
    assert_true(met.earned > met.bought / 3);
    assert_true(met.shortfalls > met.steps / 200);
    assert_true(met.calm > met.steps / 2);
    assert_true(met.stood_in > met.steps / 1000);
    assert_true(met.graced > 0);
    assert_true(met.expired > 0);
}

static int
begin(void **state)
{
    (void)state;
    scene.random.state = 1;
    arena_init(&scene.arena, host_source(), 1 << 16, 256 << 20);
    begin_programme(0);
    book_init(&scene.never, scene.plan);
    book_init(&scene.bought, scene.plan);
    book_init(&scene.path, scene.plan);
    book_init(&scene.once, scene.plan);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    book_free(&scene.never);
    book_free(&scene.bought);
    book_free(&scene.path);
    book_free(&scene.once);
    arena_release(&scene.arena);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(returns_keep_their_promises),
    };

    if (argc > 1)
        only_case = strtol(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, begin, end);
}
