/*
 * test_seal.c - the hash chain of an owner, computed a second time by hand.
 *
 * Owns:      heads and links of chains of records and movements; what a change anywhere does to
 *            them.
 * Must not:  use the code of a booking.
 */
#include "service/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "host.h"

enum { movements = 5 };

static struct arena arena;
static const struct text record = TEXT("what the operation was");

static void
make(struct owner *owner, struct movement *movement, struct changes *changes)
{
    *owner = (struct owner){ .owner_id = 7 };
    for (uint32_t i = 0; i < movements; i++)
        movement[i] = (struct movement){
            .owner_id = 7,
            .movement_no = i + 1,
            .op_id = 100 + i / 2,
            .kind = MOVEMENT_EARN,
            .account = ACCOUNT_ACTIVE,
            .contra = ACCOUNT_ISSUED,
            .currency = 1,
            .amount = 10 + i,
            .lot_no = i + 1,
            .version = 1,
            .rule = (int32_t)i,
            .at = 1000 + i,
            .active_from = 1000 + i,
            .expires_at = TIME_NONE,
        };
    *changes = (struct changes){
        .owner = owner, .record = record, .movement = movement, .movement_count = movements
    };
}

/* head = SHA-256(head | bytes) */
static void
link_by_hand(unsigned char head[32], const void *bytes, size_t size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestInit_ex(context, EVP_sha256(), NULL), 1);
    EVP_DigestUpdate(context, head, 32);
    EVP_DigestUpdate(context, bytes, size);
    EVP_DigestFinal_ex(context, head, NULL);
    EVP_MD_CTX_free(context);
}

static void
by_hand(const struct movement *movement, uint32_t count, unsigned char head[32])
{
    memset(head, 0, 32);
    link_by_hand(head, record.ptr, record.len);
    for (uint32_t i = 0; i < count; i++) {
        struct buf bytes;
        buf_init(&bytes, &arena, 256);
        movement_encode_chain(&movement[i], &bytes);
        assert_false(bytes.failed);
        link_by_hand(head, bytes.ptr, bytes.len);
    }
}

static void
head_and_links_are_the_chain(void **state)
{
    struct movement movement[movements];
    struct changes changes;
    struct owner owner;
    unsigned char head[32];
    struct err err;

    (void)state;
    make(&owner, movement, &changes);
    assert_int_equal(seal(&changes, &arena, &err), OK);
    by_hand(movement, movements, head);
    assert_memory_equal(owner.head, head, sizeof(head));
    for (uint32_t i = 0; i < movements; i++) {
        by_hand(movement, i + 1, head);
        assert_memory_equal(movement[i].link, head, sizeof(movement[i].link));
    }
}

static void
a_chain_goes_on_from_its_head(void **state)
{
    struct movement movement[movements];
    struct changes changes;
    struct owner owner;
    unsigned char head[32] = { 0 };
    struct err err;

    (void)state;
    make(&owner, movement, &changes);
    for (uint32_t i = 0; i < movements; i++) { /* an operation for each */
        struct buf bytes;
        buf_init(&bytes, &arena, 256);
        movement_encode_chain(&movement[i], &bytes);
        link_by_hand(head, record.ptr, record.len);
        link_by_hand(head, bytes.ptr, bytes.len);
        changes.movement = &movement[i];
        changes.movement_count = 1;
        assert_int_equal(seal(&changes, &arena, &err), OK);
    }
    assert_memory_equal(owner.head, head, sizeof(head));
}

static void
every_field_is_covered(void **state)
{
    struct movement movement[movements], changed;
    struct changes changes;
    struct owner owner;
    unsigned char whole[32], head[32];

    (void)state;
    make(&owner, movement, &changes);
    by_hand(movement, movements, whole);
#define CHANGE(field)                                                                              \
    changed = movement[2];                                                                         \
    movement[2].field += 1;                                                                        \
    by_hand(movement, movements, head);                                                            \
    assert_memory_not_equal(whole, head, sizeof(head));                                            \
    movement[2] = changed
    CHANGE(owner_id);
    CHANGE(movement_no);
    CHANGE(op_id);
    CHANGE(kind);
    CHANGE(account);
    CHANGE(contra);
    CHANGE(currency);
    CHANGE(amount);
    CHANGE(lot_no);
    CHANGE(version);
    CHANGE(rule);
    CHANGE(cost_owner);
    CHANGE(ref);
    CHANGE(at);
    CHANGE(active_from);
#undef CHANGE
    movement[2].expires_at = 5000;
    by_hand(movement, movements, head);
    assert_memory_not_equal(whole, head, sizeof(head));
    movement[2].expires_at = TIME_NONE;
    memset(movement[2].link, 0xff, sizeof(movement[2].link)); /* but not the link itself */
    by_hand(movement, movements, head);
    assert_memory_equal(whole, head, sizeof(head));
}

static void
nothing_to_seal(void **state)
{
    struct changes changes = { 0 };
    struct owner owner = { .owner_id = 7, .head = { 9, 9 } };
    unsigned char head[32] = { 9, 9 };
    struct err err;

    (void)state;
    assert_int_equal(seal(&changes, &arena, &err), OK);
    changes.owner = &owner; /* an operation without movements: its record alone */
    changes.record = record;
    link_by_hand(head, record.ptr, record.len);
    assert_int_equal(seal(&changes, &arena, &err), OK);
    assert_memory_equal(owner.head, head, sizeof(head));
}

static void
without_memory_it_fails(void **state)
{
    struct movement movement[movements];
    struct changes changes;
    struct owner owner;
    struct arena small;
    static _Alignas(16) char memory[64];
    struct err err;

    (void)state;
    make(&owner, movement, &changes);
    arena_init_fixed(&small, memory, sizeof(memory));
    assert_int_equal(seal(&changes, &small, &err), CODE_NO_MEMORY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_and_links_are_the_chain),
        cmocka_unit_test(a_chain_goes_on_from_its_head),
        cmocka_unit_test(every_field_is_covered),
        cmocka_unit_test(nothing_to_seal),
        cmocka_unit_test(without_memory_it_fails),
    };

    arena_init(&arena, host_source(), 1 << 14, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_release(&arena);
    return failed;
}
