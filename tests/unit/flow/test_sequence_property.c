/*
 * test_sequence_property.c - random sequences of buying, spending, holding and returning by one
 *                            member: nothing is gained on any receipt, the accounts are what the
 *                            records say, and nobody has available points and a debt.
 *
 * Owns:      sequences over months, with several receipts at once, lots that die and live on.
 * Must not:  depend on anything but its seed: a failure prints the sequence and the programme, and
 *            `test_sequence_property SEQUENCE` runs that one alone.
 */
#include "random.h"
#include "value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../host.h"

enum { programmes = 1000, sequences_each = 5, deeds_each = 24, only_none = -1 };

static long only_sequence = only_none;

static struct {
    long bought, reserved, committed, cancelled, returned, refused_debt, ended, graced, debts,
        repaid_by[movement_kind_count];
} met;

/* A receipt of the sequence. */
struct sold {
    uint64_t op;
    int64_t back[random_lines_max];
    value least; /* of all goods that were kept on the way, the lowest price */
};

struct reserve {
    uint64_t op;
    bool is_open;
};

static struct {
    long number;
    struct random random;
    char document[random_document_max];
    const struct plan *plan;
    struct arena arena;
    struct book book;
    unix_ms now;
    struct sold sold[deeds_each];
    uint32_t sold_count;
    struct reserve reserve[deeds_each];
    uint32_t reserve_count;
} scene;

static _Noreturn void
broken(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fprintf(stderr, "sequence %ld: ", scene.number);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n%s\n", scene.document);
    va_end(list);
    abort();
}

/* ---- deeds ---- */

static void
remember_sold(void)
{
    struct sold *sold = &scene.sold[scene.sold_count++];
    struct record record;

    *sold = (struct sold){ .op = scene.book.last_op };
    book_record(&scene.book, sold->op, &record);
    sold->least = value_of_kept(scene.plan, &record, sold->back, &scene.arena);
}

static void
act_buy(void)
{
    struct random_receipt receipt;

    random_receipt(&scene.random, scene.now, &receipt);
    receipt.input.event.payment_count = 0;
    if (random_one_in(&scene.random, 10)) {
        receipt.input.mode = PURCHASE_FACT;
        for (uint32_t i = 0; i < receipt.input.event.redeem_count; i++) {
            receipt.redeem[i].max = false;
            receipt.redeem[i].points = 1 + random_below(&scene.random, 3000);
        }
    }
    if (book_buy(&scene.book, &receipt.input, scene.now) != OUTCOME_DONE)
        return;
    met.bought++;
    remember_sold();
}

static void
act_reserve(void)
{
    struct random_receipt receipt;

    random_receipt(&scene.random, scene.now, &receipt);
    receipt.input.mode = PURCHASE_RESERVE;
    receipt.input.event.payment_count = 0;
    if (book_buy(&scene.book, &receipt.input, scene.now) != OUTCOME_DONE)
        return;
    met.reserved++;
    scene.reserve[scene.reserve_count++] = (struct reserve){ scene.book.last_op, true };
}

static struct reserve *
some_reserve(void)
{
    if (scene.reserve_count == 0)
        return NULL;
    return &scene.reserve[random_below(&scene.random, scene.reserve_count)];
}

static void
act_commit(void)
{
    struct reserve *reserve = some_reserve();
    struct purchase_input input = {
        .event = { .kind = TEXT("purchase"), .outlet = TEXT("1"), .occurred_at = scene.now },
    };

    if (!reserve)
        return;
    input.reserve = reserve->op;
    enum outcome outcome = book_buy(&scene.book, &input, scene.now);
    if (outcome == OUTCOME_DONE && !reserve->is_open)
        broken("a reserve is used twice");
    if (outcome != OUTCOME_DONE && outcome != OUTCOME_RESERVE_ENDED)
        broken("a commit of a reserve is refused: %s", outcome_name(outcome));
    met.ended += outcome != OUTCOME_DONE && reserve->is_open;
    reserve->is_open = false;
    if (outcome == OUTCOME_DONE) {
        met.committed++;
        remember_sold();
    }
}

static void
act_cancel(void)
{
    struct reserve *reserve = some_reserve();

    if (!reserve)
        return;
    enum outcome outcome = book_cancel(&scene.book, reserve->op, scene.now);
    if (outcome == OUTCOME_DONE && !reserve->is_open)
        broken("a reserve is given up that was used");
    if (outcome != OUTCOME_DONE && outcome != OUTCOME_RESERVE_ENDED)
        broken("a cancellation is refused: %s", outcome_name(outcome));
    met.cancelled += outcome == OUTCOME_DONE;
    reserve->is_open = false;
}

static void
check_sold(struct sold *sold)
{
    struct record record;
    struct returned_state state;

    book_record(&scene.book, sold->op, &record);
    book_returned(&scene.book, sold->op, &state);
    value kept = value_of_kept(scene.plan, &record, sold->back, &scene.arena);
    if (kept < sold->least)
        sold->least = kept;
    value paid = value_paid(scene.plan, &record, &state);
    if (paid < sold->least)
        broken("goods worth %lld are kept for %lld", (long long)kept, (long long)paid);
}

static void
act_return(void)
{
    struct returned_line line[random_lines_max];
    int64_t part[random_lines_max];
    uint32_t count = 0;
    struct record record;

    if (scene.sold_count == 0)
        return;
    struct sold *sold = &scene.sold[random_below(&scene.random, scene.sold_count)];
    book_record(&scene.book, sold->op, &record);
    if (!random_part(&scene.random, &record.event, sold->back, part))
        return;
    uint32_t lines = record.event.line_count;
    for (uint32_t i = 0; i < lines; i++)
        if (part[i] > 0)
            line[count++] = (struct returned_line){ i, part[i] };
    enum outcome outcome = book_return(&scene.book, sold->op, line, count, scene.now);
    met.refused_debt += outcome == OUTCOME_RETURN_POINTS_SPENT;
    if (outcome == OUTCOME_RETURN_POINTS_SPENT)
        return;
    if (outcome != OUTCOME_DONE)
        broken("a return is refused: %s", outcome_name(outcome));
    met.returned++;
    for (uint32_t i = 0; i < lines; i++)
        sold->back[i] += part[i];
    check_sold(sold);
}

static void
pass_time(void)
{
    if (random_one_in(&scene.random, 3))
        return;
    if (random_one_in(&scene.random, 4))
        scene.now += random_below(&scene.random, 40) * DAY_MS;
    else
        scene.now += random_below(&scene.random, 60) * 60000;
    if (random_one_in(&scene.random, 5) &&
        book_settle(&scene.book, scene.now) != OUTCOME_DONE)
        broken("time cannot pass");
}

/* ---- what the records say ---- */

struct sums {
    amount earned, revoked, spent, restored;
};

static void
add_record(const struct book_row *row, struct sums sums[3])
{
    struct returned_state state;
    struct record record;

    if (row->is_returned || row->kind != RECORD_PURCHASE)
        return;
    book_record(&scene.book, row->op_id, &record);
    book_returned(&scene.book, row->op_id, &state);
    for (uint32_t i = 0; i < record.decision.earning_count; i++) {
        struct sums *of = &sums[record.decision.earning[i].currency];
        of->earned += record.decision.earning[i].points;
        of->revoked += state.earning_count ? state.revoked[i] : 0;
    }
    for (uint32_t i = 0; i < record.take_count; i++) {
        struct sums *of = &sums[record.take[i].currency];
        of->spent += record.take[i].points;
        of->restored += state.take_count ? state.restored[i] : 0;
    }
}

/* After each operation: available points, or a debt, counted from the lots. */
static void
never_both(void)
{
    struct owner owner;

    book_load(&scene.book, &scene.book.arena, &owner);
    for (uint8_t c = 1; c <= 2; c++) {
        amount available = 0, debt = -owner_balance(&owner, c, ACCOUNT_DEBT);
        for (uint32_t i = 0; i < owner.lot_count; i++)
            if (owner.lot[i].currency == c && !owner.lot[i].pending)
                available += owner.lot[i].left - owner.lot[i].held;
        if (available != ledger_available(&owner, c))
            broken("%lld points of currency %u are available, and lots have %lld free",
                   (long long)ledger_available(&owner, c), c, (long long)available);
        if (available > 0 && debt > 0)
            broken("%lld points of currency %u are available, with a debt of %lld",
                   (long long)available, c, (long long)debt);
    }
}

static void
count_repaid(void)
{
    const struct book *book = &scene.book;

    for (uint32_t i = 1; i < book->movement_count; i++)
        met.repaid_by[book->movement[i - 1].kind] += book->movement[i].kind == MOVEMENT_REPAY;
}

static void
accounts_agree(void)
{
    struct sums sums[3] = { { 0 } };

    for (uint32_t i = 0; i < scene.book.row_count; i++)
        add_record(&scene.book.rows[i], sums);
    for (uint8_t c = 1; c <= 2; c++) {
        if (-book_balance(&scene.book, c, ACCOUNT_ISSUED) != sums[c].earned)
            broken("currency %u: other points were issued than earned", c);
        if (book_balance(&scene.book, c, ACCOUNT_REVOKED) != sums[c].revoked)
            broken("currency %u: other points were revoked than records say", c);
        if (book_balance(&scene.book, c, ACCOUNT_REDEEMED) != sums[c].spent - sums[c].restored)
            broken("currency %u: other points were redeemed than records say", c);
        met.debts += book_balance(&scene.book, c, ACCOUNT_DEBT) < 0;
    }
    struct owner owner;
    book_load(&scene.book, &scene.book.arena, &owner);
    for (uint32_t i = 0; i < owner.lot_count; i++)
        met.graced += owner.lot[i].graced;
}

static void
play(void)
{
    static void (*const acts[])(void) = { act_buy,    act_buy,    act_buy,    act_reserve,
                                          act_commit, act_cancel, act_return, act_return,
                                          act_return };

    book_clear(&scene.book, scene.plan);
    scene.now = day_of(2026, 2, 1) + 9 * HOUR_MS;
    scene.sold_count = scene.reserve_count = 0;
    random_member(&scene.random, &scene.book, scene.now);
    for (int i = 0; i < deeds_each; i++) {
        pass_time();
        acts[random_below(&scene.random, (int64_t)KOP_COUNT(acts))]();
        never_both();
        if (random_one_in(&scene.random, 4))
            book_audit(&scene.book);
    }
    book_audit(&scene.book);
    accounts_agree();
    count_repaid();
}

static void
sequences_gain_nothing(void **state)
{
    (void)state;
    for (long programme = 0; programme < programmes; programme++) {
        scene.random.state = (uint64_t)(programme + 7) * UINT64_C(0x9e3779b97f4a7c15);
        random_document(&scene.random,
                        random_one_in(&scene.random, 3) ? RETURN_TRACE : RETURN_REQUOTE,
                        scene.document);
        arena_reset(&scene.arena);
        scene.plan = book_compile(&scene.arena, scene.document, 1);
        struct arena_mark mark = arena_mark(&scene.arena);
        for (long i = 0; i < sequences_each; i++) {
            scene.number = programme * sequences_each + i;
            scene.random.state = (uint64_t)(scene.number + 1) * UINT64_C(0xd1342543de82ef95);
            if (only_sequence != only_none && only_sequence != scene.number)
                continue;
            play();
            arena_rewind(&scene.arena, mark);
        }
    }
    if (only_sequence != only_none)
        return;
    printf("bought %ld, reserved %ld, committed %ld, cancelled %ld, ended %ld, returned %ld, "
           "refused for debt %ld, in debt %ld, graced %ld\n",
           met.bought, met.reserved, met.committed, met.cancelled, met.ended, met.returned,
           met.refused_debt, met.debts, met.graced);
    printf("debt repaid by earning %ld, activation %ld, points given back %ld, release %ld\n",
           met.repaid_by[MOVEMENT_EARN], met.repaid_by[MOVEMENT_ACTIVATE],
           met.repaid_by[MOVEMENT_RESTORE], met.repaid_by[MOVEMENT_RELEASE]);
    assert_true(met.repaid_by[MOVEMENT_RESTORE] > 0 && met.repaid_by[MOVEMENT_RELEASE] > 0);
    assert_true(met.committed > 500 && met.cancelled > 500 && met.ended > 100);
    assert_true(met.returned > met.bought / 3);
    assert_true(met.refused_debt > 0 && met.debts > 0 && met.graced > 0);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_gain_nothing),
    };

    if (argc > 1)
        only_sequence = strtol(argv[1], NULL, 10);
    arena_init(&scene.arena, host_source(), 1 << 16, 256 << 20);
    book_init(&scene.book, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    book_free(&scene.book);
    arena_release(&scene.arena);
    return failed;
}
