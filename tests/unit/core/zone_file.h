/*
 * zone_file.h - the system's zone data, for tests.
 *
 * Owns:      where they lie: $TZDIR, else /usr/share/zoneinfo.
 */
#ifndef KOP_TESTS_UNIT_CORE_ZONE_FILE_H
#define KOP_TESTS_UNIT_CORE_ZONE_FILE_H

#include "base/text.h"

/* The bytes of zone `name`; the test fails when there are none. */
struct text zone_file(struct arena *arena, const char *name);

#endif
