/*
 * programme.h - what the tests of request and render share: an arena, files, the test's programme.
 *
 * Owns:      reading tests/tables/, struct fixture.
 * Must not:  know bodies or answers.
 */
#ifndef KOP_TESTS_UNIT_SERVICE_PROGRAMME_H
#define KOP_TESTS_UNIT_SERVICE_PROGRAMME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "host.h"

/* The whole file, NUL-terminated; the caller frees it. Fails the test when it is not there. */
char *read_file(const char *path);

/* tests/tables/requests/programme.json, compiled; `arena` keeps it. */
struct fixture {
    struct arena arena;   /* of the plan */
    const struct plan *plan;
    struct arena request; /* reset for each request */
};
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

#endif
