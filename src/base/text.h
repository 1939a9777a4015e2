/*
 * text.h - pieces of UTF-8 text, and a buffer to build them.
 *
 * Owns:      struct text (borrowed bytes), struct buf (growing bytes in an arena).
 * Must not:  fold case, normalise, or know locales (service does, with utf8proc).
 * Invariant: a buf that could not grow remembers it in `failed`; check it once at the end. What is
 *            lost is always the end: after one lost append the later ones are lost as well.
 */
#ifndef KOP_BASE_TEXT_H
#define KOP_BASE_TEXT_H

#include "base/arena.h"
#include "base/mem.h"

#include <stdarg.h>

/* Borrowed bytes; not NUL-terminated. {NULL, 0} is the empty text. */
struct text {
    const char *ptr;
    uint32_t len;
};

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

/* The same of a string whose length is to be found; NULL gives the empty text. */
struct text text_measured(const char *c_string);
/* A C string; NULL gives the empty text. What the compiler sees it measures itself. */
static inline struct text text_of(const char *c_string)
{
    if (__builtin_constant_p(c_string != NULL ? __builtin_strlen(c_string) : 0) && c_string != NULL)
        return (struct text){ c_string, (uint32_t)__builtin_strlen(c_string) };
    return text_measured(c_string);
}
bool text_equal(struct text a, struct text b);
int text_compare(struct text a, struct text b); /* bytewise, like memcmp; shorter first */
bool text_starts(struct text whole, struct text prefix);
uint64_t text_hash(struct text text); /* FNV-1a 64; for maps, not for security */
/* A copy in the arena (ptr NULL and len 0 when memory ran out; check arena->failed). */
struct text text_copy(struct arena *arena, struct text text);
/* A NUL-terminated copy in the arena, or NULL. */
char *text_c_string(struct arena *arena, struct text text);
/* Is it well-formed UTF-8 (no surrogates, no overlong forms)? */
bool text_is_utf8(struct text text);
/* Bytes of the well-formed UTF-8 sequence at `at` (before `end`): 1 to 4, or 0: broken. */
uint32_t text_utf8_step(const char *at, const char *end);
/* Decimal digits only, 1 to 19 of them, no sign, at most INT64_MAX; false otherwise and `value` is
 * untouched. */
bool text_to_u64(struct text text, uint64_t *value);

struct buf {
    char *ptr;
    size_t len, cap;
    struct arena *arena;
    bool failed; /* an append was lost; ptr and len hold what came before */
};

void buf_init(struct buf *buf, struct arena *arena, size_t first_cap);
/* A buf over `memory`, without an arena: it never grows, and cuts what does not fit. */
void buf_init_fixed(struct buf *buf, char *memory, size_t size);
/* An append that does not fit as things are: grow, or give up. */
void buf_add_slowly(struct buf *buf, const void *bytes, size_t size);
static inline void buf_add(struct buf *buf, const void *bytes, size_t size)
{
    assert(buf->len <= buf->cap);
    if (size > buf->cap - buf->len) {
        buf_add_slowly(buf, bytes, size);
    } else if (size > 0) {
        memcpy(buf->ptr + buf->len, bytes, size);
        buf->len += size;
    }
}
static inline void buf_add_text(struct buf *buf, struct text text)
{
    buf_add(buf, text.ptr, text.len);
}
static inline void buf_add_char(struct buf *buf, char c)
{
    if (buf->len < buf->cap)
        buf->ptr[buf->len++] = c;
    else
        buf_add_slowly(buf, &c, 1);
}
void buf_add_i64(struct buf *buf, int64_t value);
void buf_add_u64(struct buf *buf, uint64_t value);
/* The format of err_set(): %s %.*s %d %u %lld %llu %c %%. */
void buf_addf(struct buf *buf, const char *format, ...) KOP_FORMAT(2, 3);
void buf_addv(struct buf *buf, const char *format, va_list args);
struct text buf_text(const struct buf *buf);

#endif
