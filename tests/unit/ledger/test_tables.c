/*
 * test_tables.c - the tables of lots, holds, expiry and revoke.
 *
 * Owns:      finding the files: every *.txt of the four folders of tests/tables/. The runner is
 *            tested too: a table that says something false must fail.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "table.h"

static void
run_folder(const char *folder, uint32_t files_min)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    uint32_t files = 0, cases = 0, rows = 0;
    char path[512];

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".txt") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        struct table_result result = table_run(path);
        if (result.failure[0])
            fail_msg("%s", result.failure);
        assert_true(result.cases > 0);
        assert_true(result.rows > 0);
        files++;
        cases += result.cases;
        rows += result.rows;
    }
    closedir(directory);
    assert_true(files >= files_min);
    print_message("%s: %u files, %u operations, %u expectations\n", folder, files, cases, rows);
}

static void
test_lots(void **state)
{
    (void)state;
    run_folder("tests/tables/lots", 2);
}

static void
test_holds(void **state)
{
    (void)state;
    run_folder("tests/tables/holds", 2);
}

static void
test_expiry(void **state)
{
    (void)state;
    run_folder("tests/tables/expiry", 3);
}

static void
test_revoke(void **state)
{
    (void)state;
    run_folder("tests/tables/revoke", 3);
}

/* Each of these tables is wrong in one place, and the runner must say the line. */
static void
test_false_tables_fail(void **state)
{
    static const struct {
        const char *text, *failure;
    } table[] = {
        { "lot A 50 on 2025-02-01\nredeem 60 on 2025-02-01 => DONE\n",
          ":2: the outcome is NOT_ENO" },
        { "lot A 50 on 2025-02-01\nredeem 20 on 2025-02-01\n  take A 21\n",
          ":3: the movement is SP" },
        { "lot A 50 on 2025-02-01\nredeem 20 on 2025-02-01\n  nothing\n",
          ":3: the operation befor" },
        { "lot A 50 on 2025-02-01\n  balance active 51\n", ":2: active is 50" },
        { "lot A 50 on 2025-02-01\n  left A 50 expires 2025-03-01\n", ":2: the lot expires at" },
        { "lot A 50 on 2025-02-01\n  gone A\n", ":2: of the lot 50 are left" },
        { "lot A 50 on 2025-02-01\n  open A 50 at 2025-02-02\n", ":2: the movement is at" },
        { "lot A 50 on 2025-02-01\n  due 2025-03-01\n", ":2: the next is due" },
        { "lot A 50 on 2025-02-01\n  lives A\n", ":2: 'lives' is no expectation" },
        { "give A 50 on 2025-02-01\n", ":1: 'give' is no operation" },
        { "lot A 50\n", ":1: an operation needs its day" },
    };
    const char *folder = getenv("TMPDIR");
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/kopilka-table-XXXXXX", folder ? folder : "/tmp");
    int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(table[i].text, file);
        fclose(file);
        struct table_result result = table_run(path);
        if (!strstr(result.failure, table[i].failure))
            fail_msg("wanted '%s', got '%s'", table[i].failure, result.failure);
    }
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lots),
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_false_tables_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
