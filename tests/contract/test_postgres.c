/*
 * test_postgres.c - what every store promises, run over a PostgreSQL server of the test's own.
 *
 * Owns:      the server, the variants with threads and without. What only several servers on one
 *            database can break is tested in test_servers.c.
 */
#include "contract/postgres.h"
#include "contract/suite.h"

static struct server server;
static char conninfo[conninfo_bytes];

static void
empty(void)
{
    assert_true(server_do(&server, "postgres",
                          "SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; "
                          "CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC",
                          NULL));
}

int
main(void)
{
    static const struct variant variants[] = {
        { "postgresql inline", false, true, conninfo, empty },
        { "postgresql threads", false, false, conninfo, empty },
    };
    static struct program program;

    server_start(&server);
    server_conninfo(&server, "postgres", 0, conninfo);
    for (size_t i = 0; i < KOP_COUNT(variants); i++)
        program_add(&program, &variants[i]);
    return program_run(&program);
}
