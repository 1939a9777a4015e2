/*
 * text.c - comparing, hashing and checking text; a buffer that grows in an arena; formatting.
 *
 * Owns:      the one formatter (buf_addv), which err.c uses as well.
 * Must not:  call printf or any libc function but those of base/mem.h.
 * Invariant: a buf's cap is what its arena handed out, so an arena's newest buf grows in place.
 * Cost:      linear; a growing buf doubles.
 * Tests:     tests/unit/base/test_text.c
 */
#include "base/text.h"

struct text text_measured(const char *c_string)
{
    uint32_t len = 0;

    if (c_string == NULL)
        return (struct text){ NULL, 0 };
    while (len < UINT32_MAX && c_string[len] != '\0')
        len++;
    assert(len < UINT32_MAX);
    return (struct text){ c_string, len };
}

bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int text_compare(struct text a, struct text b)
{
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool text_starts(struct text whole, struct text prefix)
{
    if (prefix.len > whole.len)
        return false;
    return prefix.len == 0 || memcmp(whole.ptr, prefix.ptr, prefix.len) == 0;
}

uint64_t text_hash(struct text text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    assert(text.ptr != NULL || text.len == 0);
    for (uint32_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    return hash;
}

struct text text_copy(struct arena *arena, struct text text)
{
    char *copy = arena_alloc_bytes(arena, text.len);

    if (copy == NULL)
        return (struct text){ NULL, 0 };
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return (struct text){ copy, text.len };
}

char *text_c_string(struct arena *arena, struct text text)
{
    char *copy = arena_alloc_bytes(arena, (size_t)text.len + 1);

    if (copy == NULL)
        return NULL;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/*
 * The table of well-formed sequences in the Unicode standard (chapter 3, "Well-Formed UTF-8 Byte
 * Sequences"): only the second byte's range depends on the first.
 */
uint32_t text_utf8_step(const char *at, const char *end)
{
    assert(at < end);

    const unsigned char *byte = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    unsigned char lead = byte[0];

    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4 || left < 2 || !is_tail(byte[1]))
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0) {
        if (left < 3 || !is_tail(byte[2]))
            return 0;
        if ((lead == 0xe0 && byte[1] < 0xa0) || (lead == 0xed && byte[1] > 0x9f))
            return 0;
        return 3;
    }
    if (left < 4 || !is_tail(byte[2]) || !is_tail(byte[3]))
        return 0;
    if ((lead == 0xf0 && byte[1] < 0x90) || (lead == 0xf4 && byte[1] > 0x8f))
        return 0;
    return 4;
}

bool text_is_utf8(struct text text)
{
    assert(text.ptr != NULL || text.len == 0);

    const char *at = text.ptr;
    const char *end = text.len == 0 ? at : at + text.len;
    while (at < end) {
        uint64_t word;
        if (end - at >= (ptrdiff_t)sizeof word) {
            memcpy(&word, at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof word;
                continue;
            }
        }
        uint32_t step = text_utf8_step(at, end);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

bool text_to_u64(struct text text, uint64_t *value)
{
    uint64_t sum = 0;

    assert(value != NULL);
    if (text.len < 1 || text.len > 19)
        return false; /* 19 digits fit uint64; what exceeds int64 is refused below */
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (sum > INT64_MAX)
        return false;
    *value = sum;
    return true;
}

void buf_init(struct buf *buf, struct arena *arena, size_t first_cap)
{
    assert(arena != NULL);

    *buf = (struct buf){ .arena = arena };
    if (first_cap == 0)
        return;
    first_cap = (first_cap + 15) & ~(size_t)15;
    buf->ptr = arena_alloc_bytes(arena, first_cap);
    buf->failed = buf->ptr == NULL;
    buf->cap = buf->failed ? 0 : first_cap;
}

void buf_init_fixed(struct buf *buf, char *memory, size_t size)
{
    assert(memory != NULL);
    assert(size > 0);

    *buf = (struct buf){ .ptr = memory, .cap = size };
}

/* No append fits any more, not even a shorter one: what is lost is always the end. */
static void fail(struct buf *buf)
{
    buf->failed = true;
    buf->cap = buf->len;
}

/* Room for `size` more bytes. */
static bool grow(struct buf *buf, size_t size)
{
    assert(size > buf->cap - buf->len);
    if (size > UINT32_MAX - buf->len)
        return false; /* struct text could not name it */

    size_t need = buf->len + size;
    size_t cap = buf->cap < 32 ? 64 : buf->cap * 2;
    if (cap < need)
        cap = (need + 15) & ~(size_t)15;

    if (buf->ptr != NULL) {
        struct arena_mark mark = arena_mark(buf->arena);
        char *more = arena_alloc_bytes(buf->arena, cap - buf->cap);
        if (more == NULL)
            return false;
        if (more == buf->ptr + buf->cap) {
            buf->cap = cap;
            return true;
        }
        arena_rewind(buf->arena, mark);
    }
    char *ptr = arena_alloc_bytes(buf->arena, cap);
    if (ptr == NULL)
        return false;
    if (buf->len > 0)
        memcpy(ptr, buf->ptr, buf->len);
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

void buf_add_slowly(struct buf *buf, const void *bytes, size_t size)
{
    if (buf->failed)
        return;
    if (buf->arena == NULL) {
        size = buf->cap - buf->len;
        if (size > 0)
            memcpy(buf->ptr + buf->len, bytes, size);
        buf->len += size;
        fail(buf);
        return;
    }
    if (!grow(buf, size)) {
        fail(buf);
        return;
    }
    assert(size <= buf->cap - buf->len);
    memcpy(buf->ptr + buf->len, bytes, size);
    buf->len += size;
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    assert(at < sizeof digits);
    buf_add(buf, digits + at, sizeof digits - at);
}

void buf_add_i64(struct buf *buf, int64_t value)
{
    if (value < 0)
        buf_add_char(buf, '-');
    buf_add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_addv(buf, format, args);
    va_end(args);
}

/* "%.*s" and "%lld": do the bytes after the percent sign read `name`? */
static bool is_conversion(const char *at, const char *name)
{
    while (*name != '\0' && *at == *name) {
        at++;
        name++;
    }
    return *name == '\0';
}

void buf_addv(struct buf *buf, const char *format, va_list args)
{
    assert(format != NULL);

    for (const char *at = format; *at != '\0'; at++) {
        const char *run = at;
        while (*at != '\0' && *at != '%')
            at++;
        buf_add(buf, run, (size_t)(at - run));
        if (*at == '\0')
            return;
        at++; /* now at the last character of a conversion of one */
        if (*at == 's') {
            buf_add_text(buf, text_of(va_arg(args, const char *)));
        } else if (*at == 'd') {
            buf_add_i64(buf, va_arg(args, int));
        } else if (*at == 'u') {
            buf_add_u64(buf, va_arg(args, unsigned));
        } else if (*at == 'c') {
            buf_add_char(buf, (char)va_arg(args, int));
        } else if (*at == '%') {
            buf_add_char(buf, '%');
        } else if (is_conversion(at, ".*s")) {
            int len = va_arg(args, int);
            const char *bytes = va_arg(args, const char *);
            assert(len >= 0);
            buf_add(buf, bytes, (size_t)len);
            at += 2;
        } else if (is_conversion(at, "lld")) {
            buf_add_i64(buf, va_arg(args, long long));
            at += 2;
        } else if (is_conversion(at, "llu")) {
            buf_add_u64(buf, va_arg(args, unsigned long long));
            at += 2;
        } else {
            kop_check_failed(__FILE__, __LINE__, "a conversion that buf_addv() knows");
        }
    }
}

struct text buf_text(const struct buf *buf)
{
    assert(buf->len <= UINT32_MAX);
    return (struct text){ buf->ptr, (uint32_t)buf->len };
}
