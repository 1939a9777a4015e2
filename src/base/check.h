/*
 * check.h - assertions of the pure core, and attributes that headers use.
 *
 * Owns:      assert(), KOP_MUST_CHECK, KOP_FORMAT.
 * Must not:  include anything hosted. The host links kop_check_failed().
 * Invariant: assertions stay on in release builds; one condition per assert.
 */
#ifndef KOP_BASE_CHECK_H
#define KOP_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KOP_MUST_CHECK __attribute__((warn_unused_result))
#define KOP_FORMAT(f, a) __attribute__((format(printf, f, a)))

/*
 * Called when an assertion fails: a bug of ours, never bad input. The host supplies it; it must not
 * return (print, quarantine the operation, abort).
 */
_Noreturn void kop_check_failed(const char *file, int line, const char *condition);

#undef assert
#define assert(condition)                                                                          \
    ((condition) ? (void)0 : kop_check_failed(__FILE__, __LINE__, #condition))

#define KOP_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
