/*
 * failed.c - what happens when an assertion of the core fails.
 *
 * Owns:      kop_check_failed() of the program: say where, and abort. Nothing was acknowledged.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
kop_check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "kopilka: a bug: %s:%d: %s\n", file, line, condition);
    abort();
}
