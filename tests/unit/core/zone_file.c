/*
 * zone_file.c - the system's zone data, for tests.
 *
 * Owns:      reading them.
 */
#include "zone_file.h"

#include "unit/base/unit.h"

struct text zone_file(struct arena *arena, const char *name)
{
    enum { bytes_max = 1 << 16 };
    const char *folder = getenv("TZDIR");
    char path[300];

    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "/usr/share/zoneinfo", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("no zone data in '%s': the package tzdata is needed", path);
    char *bytes = arena_alloc(arena, bytes_max);
    assert_non_null(bytes);
    size_t size = fread(bytes, 1, bytes_max, file);
    assert_true(size > 0 && size < bytes_max);
    fclose(file);
    return (struct text){ bytes, (uint32_t)size };
}
