/*
 * err.c - codes' names, and the text of a failure.
 *
 * Owns:      cutting the text at its limit, between characters.
 * Must not:  allocate: the text of "no memory" must always fit.
 * Invariant: arguments may point into the text that is being replaced.
 * Tests:     tests/unit/base/test_err.c
 */
#include "base/err.h"

#include "base/mem.h"
#include "base/text.h"

const char *code_name(enum code code)
{
    switch (code) {
    case OK:             return "OK";
    case CODE_NO_MEMORY: return "CODE_NO_MEMORY";
    case CODE_SYNTAX:    return "CODE_SYNTAX";
    case CODE_LIMIT:     return "CODE_LIMIT";
    case CODE_RANGE:     return "CODE_RANGE";
    case CODE_NOT_FOUND: return "CODE_NOT_FOUND";
    case CODE_CONFLICT:  return "CODE_CONFLICT";
    case CODE_BUSY:      return "CODE_BUSY";
    case CODE_IO:        return "CODE_IO";
    case CODE_CORRUPT:   return "CODE_CORRUPT";
    case CODE_UNKNOWN:   return "CODE_UNKNOWN";
    case CODE_AGAIN:     return "CODE_AGAIN";
    case CODE_PLAN:      return "CODE_PLAN";
    case CODE_USAGE:     return "CODE_USAGE";
    }
    return "CODE_?";
}

/* Copy the built text into `err`; a cut never leaves half a character. */
static void err_take(struct err *err, const struct buf *buf)
{
    size_t len = buf->len;

    assert(len < err_text_bytes_max);
    if (buf->failed) {
        while (len > 0 && ((unsigned char)buf->ptr[len - 1] & 0xc0) == 0x80)
            len--;
        if (len > 0 && (unsigned char)buf->ptr[len - 1] >= 0xc0) {
            uint32_t step = text_utf8_step(buf->ptr + len - 1, buf->ptr + buf->len);
            len = step > 0 ? len - 1 + step : len - 1;
        }
    }
    memcpy(err->text, buf->ptr, len);
    err->text[len] = '\0';
}

enum code err_set(struct err *err, enum code code, const char *format, ...)
{
    char memory[err_text_bytes_max - 1];
    struct buf buf;
    va_list args;

    assert(code != OK);
    if (err == NULL)
        return code;
    buf_init_fixed(&buf, memory, sizeof memory);
    va_start(args, format);
    buf_addv(&buf, format, args);
    va_end(args);
    err_take(err, &buf);
    err->code = code;
    return code;
}

enum code err_wrap(struct err *err, const char *format, ...)
{
    char memory[err_text_bytes_max - 1];
    struct buf buf;
    va_list args;

    if (err == NULL)
        return CODE_UNKNOWN;
    assert(err->code != OK);
    buf_init_fixed(&buf, memory, sizeof memory);
    va_start(args, format);
    buf_addv(&buf, format, args);
    va_end(args);
    if (err->text[0] != '\0')
        buf_addf(&buf, ": %s", err->text);
    err_take(err, &buf);
    return err->code;
}
