/*
 * mem.h - the four functions of <string.h> that the pure core may call.
 *
 * Owns:      their declarations, so that the core compiles without a libc's headers.
 * Must not:  grow. Anything else on text is base/text.h.
 */
#ifndef KOP_BASE_MEM_H
#define KOP_BASE_MEM_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
