/*
 * selftest.h - the model alone against cases computed by hand.
 *
 * Owns:      selftest().
 */
#ifndef KOP_TESTS_SIM_SELFTEST_H
#define KOP_TESTS_SIM_SELFTEST_H

#include <stdbool.h>

/* Prints "N passed, N failed"; true when none failed. */
bool selftest(void);

#endif
