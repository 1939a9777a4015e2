/*
 * selftest.h - the model alone against cases computed by hand.
 *
 * Owns:      selftest().
 */
#ifndef KOP_TESTS_SIM_SELFTEST_H
#define KOP_TESTS_SIM_SELFTEST_H

/* What fails is printed. Returns how many failed; `*passed`: the others. */
long selftest(long *passed);

#endif
