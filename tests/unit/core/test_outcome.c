/*
 * test_outcome.c - the list of refusals is complete and speaks both languages.
 *
 * Owns:      the tests of core/outcome.h.
 */
#include "core/outcome.h"

#include "unit/base/unit.h"

static void known_rows(void **state)
{
    (void)state;
    assert_string_equal(outcome_name(OUTCOME_DONE), "DONE");
    assert_int_equal(outcome_http_status(OUTCOME_DONE), 200);
    assert_string_equal(outcome_name(OUTCOME_NOT_ENOUGH), "NOT_ENOUGH");
    assert_int_equal(outcome_http_status(OUTCOME_NOT_ENOUGH), 409);
    assert_string_equal(outcome_sentence(OUTCOME_NOT_ENOUGH, false), "fewer points than asked for");
    assert_string_equal(outcome_sentence(OUTCOME_NOT_ENOUGH, true),
                        "баллов меньше, чем запрошено");
    assert_string_equal(outcome_name(OUTCOME_INTERNAL), "INTERNAL");
    assert_int_equal(outcome_http_status(OUTCOME_INTERNAL), 500);
}

/* English is ASCII, Russian is not; no sentence ends with a full stop; names are told apart. */
static void every_row_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < outcome_count; i++) {
        struct text english = text_of(outcome_sentence((enum outcome)i, false));
        struct text russian = text_of(outcome_sentence((enum outcome)i, true));
        int status = outcome_http_status((enum outcome)i);
        bool cyrillic = false;

        assert_true(status == 200 ? i == OUTCOME_DONE : status >= 400 && status < 600);
        assert_true(english.len > 0);
        assert_true(text_is_utf8(russian));
        for (uint32_t k = 0; k < english.len; k++)
            assert_true((unsigned char)english.ptr[k] < 0x80);
        for (uint32_t k = 0; k < russian.len; k++)
            cyrillic = cyrillic || (unsigned char)russian.ptr[k] >= 0xd0;
        assert_true(cyrillic);
        assert_true(english.ptr[english.len - 1] != '.');
        assert_true(russian.ptr[russian.len - 1] != '.');
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(outcome_name((enum outcome)i), outcome_name((enum outcome)k));
            assert_string_not_equal(english.ptr, outcome_sentence((enum outcome)k, false));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_rows),
        cmocka_unit_test(every_row_is_whole),
    };
    return cmocka_run_group_tests_name("core/outcome", tests, NULL, NULL);
}
