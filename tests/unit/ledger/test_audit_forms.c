/*
 * test_audit_forms.c - what the audit says of one movement that cannot be true.
 *
 * Owns:      a table of movements, each after the same two honest ones, with the sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

/* One movement after two honest ones (lot 1: 100 active points, until day 9; lot 2: 50 that
 * wait for day 5), and what the audit says of it. NULL: nothing. */
static const struct {
    struct movement movement;
    const char *sentence;
} one_more[] = {
    { { .kind = MOVEMENT_SPEND,
        .account = ACCOUNT_REDEEMED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 100,
        .lot_no = 1,
        .at = 3 * DAY_MS },
      NULL },
    { { .kind = MOVEMENT_SPEND,
        .account = ACCOUNT_REDEEMED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 101,
        .lot_no = 1,
        .at = 3 * DAY_MS },
      "more is taken than there is" },
    { { .kind = MOVEMENT_SPEND,
        .account = ACCOUNT_REDEEMED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 100,
        .lot_no = 1,
        .at = 9 * DAY_MS },
      "it spends a dead lot" },
    { { .kind = MOVEMENT_SPEND,
        .account = ACCOUNT_REDEEMED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 10,
        .lot_no = 2,
        .at = 3 * DAY_MS },
      "the lot is pending where" },
    { { .kind = MOVEMENT_RESTORE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_REDEEMED,
        .amount = 10,
        .lot_no = 1,
        .active_from = DAY_MS,
        .expires_at = 9 * DAY_MS },
      "more is restored than was spent" },
    { { .kind = MOVEMENT_REGIVE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_REVOKED,
        .amount = 10,
        .lot_no = 1,
        .active_from = DAY_MS,
        .expires_at = 9 * DAY_MS },
      "more is given again than was revoked" },
    { { .kind = MOVEMENT_REGIVE, .account = ACCOUNT_DEBT, .contra = ACCOUNT_REVOKED, .amount = 10 },
      "more debt is repaid" },
    { { .kind = MOVEMENT_REPAY,
        .account = ACCOUNT_DEBT,
        .contra = ACCOUNT_ACTIVE,
        .amount = 10,
        .lot_no = 1 },
      "more debt is repaid" },
    { { .kind = MOVEMENT_EXPIRE,
        .account = ACCOUNT_EXPIRED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 100,
        .lot_no = 1,
        .at = 9 * DAY_MS - 1 },
      "expires before its time" },
    { { .kind = MOVEMENT_EXPIRE,
        .account = ACCOUNT_EXPIRED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 100,
        .lot_no = 1,
        .at = 9 * DAY_MS + 1 },
      "expires after its time" },
    { { .kind = MOVEMENT_EXPIRE,
        .account = ACCOUNT_EXPIRED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 99,
        .lot_no = 1,
        .at = 9 * DAY_MS },
      "it does not expire all" },
    { { .kind = MOVEMENT_EXPIRE,
        .account = ACCOUNT_EXPIRED,
        .contra = ACCOUNT_ACTIVE,
        .amount = 100,
        .lot_no = 1,
        .at = 9 * DAY_MS },
      NULL },
    { { .kind = MOVEMENT_ACTIVATE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_PENDING,
        .amount = 50,
        .lot_no = 2,
        .at = 5 * DAY_MS },
      NULL },
    { { .kind = MOVEMENT_ACTIVATE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_PENDING,
        .amount = 50,
        .lot_no = 2,
        .at = 6 * DAY_MS },
      "on another day" },
    { { .kind = MOVEMENT_ACTIVATE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_PENDING,
        .amount = 40,
        .lot_no = 2,
        .at = 5 * DAY_MS },
      "it does not activate all" },
    { { .kind = MOVEMENT_ACTIVATE,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_PENDING,
        .amount = 50,
        .lot_no = 1,
        .at = 5 * DAY_MS },
      "it does not activate all of a pending" },
    { { .kind = MOVEMENT_HOLD,
        .account = ACCOUNT_HELD,
        .contra = ACCOUNT_UNHELD,
        .amount = 100,
        .lot_no = 1,
        .ref = 5,
        .at = DAY_MS },
      NULL },
    { { .kind = MOVEMENT_HOLD,
        .account = ACCOUNT_HELD,
        .contra = ACCOUNT_UNHELD,
        .amount = 100,
        .lot_no = 1,
        .ref = 5,
        .at = 9 * DAY_MS },
      "it holds a dead lot" },
    { { .kind = MOVEMENT_HOLD,
        .account = ACCOUNT_HELD,
        .contra = ACCOUNT_UNHELD,
        .amount = 50,
        .lot_no = 2,
        .ref = 5,
        .at = DAY_MS },
      "it holds a pending lot" },
    { { .kind = MOVEMENT_HOLD,
        .account = ACCOUNT_HELD,
        .contra = ACCOUNT_UNHELD,
        .amount = 101,
        .lot_no = 1,
        .ref = 5,
        .at = DAY_MS },
      "what is held is below 0 or above" },
    { { .kind = MOVEMENT_HOLD,
        .account = ACCOUNT_HELD,
        .contra = ACCOUNT_UNHELD,
        .amount = 1,
        .lot_no = 1,
        .at = DAY_MS },
      "it names no hold" },
    { { .kind = MOVEMENT_RELEASE,
        .account = ACCOUNT_UNHELD,
        .contra = ACCOUNT_HELD,
        .amount = 1,
        .lot_no = 1,
        .ref = 5,
        .at = DAY_MS },
      "what is held is below 0" },
    { { .kind = MOVEMENT_REVOKE, .account = ACCOUNT_REVOKED, .contra = ACCOUNT_DEBT, .amount = 30 },
      NULL },
    { { .kind = MOVEMENT_REVOKE,
        .account = ACCOUNT_REVOKED,
        .contra = ACCOUNT_DEBT,
        .amount = 30,
        .lot_no = 1 },
      "it names a lot where" },
    { { .kind = MOVEMENT_MOVE_OUT,
        .account = ACCOUNT_MOVED,
        .contra = ACCOUNT_PENDING,
        .amount = 50,
        .lot_no = 2 },
      NULL },
    { { .kind = MOVEMENT_EARN,
        .account = ACCOUNT_ACTIVE,
        .contra = ACCOUNT_ISSUED,
        .amount = INT64_MAX - 99,
        .lot_no = 3,
        .expires_at = TIME_NONE },
      "leaves the range" },
};

static void
test_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < KOP_COUNT(one_more); i++) {
        struct movement stream[3] = {
            { .owner_id = 9,
              .movement_no = 1,
              .op_id = 1,
              .kind = MOVEMENT_EARN,
              .account = ACCOUNT_ACTIVE,
              .contra = ACCOUNT_ISSUED,
              .currency = 1,
              .amount = 100,
              .lot_no = 1,
              .at = DAY_MS,
              .active_from = DAY_MS,
              .expires_at = 9 * DAY_MS },
            { .owner_id = 9,
              .movement_no = 2,
              .op_id = 1,
              .kind = MOVEMENT_EARN,
              .account = ACCOUNT_PENDING,
              .contra = ACCOUNT_ISSUED,
              .currency = 1,
              .amount = 50,
              .lot_no = 2,
              .at = DAY_MS,
              .active_from = 5 * DAY_MS,
              .expires_at = TIME_NONE },
            one_more[i].movement,
        };
        struct owner empty;
        uint32_t no;
        stream[2].owner_id = 9;
        stream[2].movement_no = 3;
        stream[2].op_id = 2;
        stream[2].currency = 1;
        owner_init(&empty, 9, 1, 1, 0, 0);
        empty.last_movement = 3; /* an honest stream then differs from the row in its balance */
        const char *wrong = world_audit_of(NULL, stream, 3, &empty, &no);
        assert_non_null(wrong);
        assert_int_equal(no, one_more[i].sentence ? 3 : 0);
        if (!strstr(wrong, one_more[i].sentence ? one_more[i].sentence : "balances are missing"))
            fail_msg("case %zu: %s", i, wrong);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sentences) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
