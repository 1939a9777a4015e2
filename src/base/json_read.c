/*
 * json_read.c - a strict one-pass JSON pull parser (RFC 8259).
 *
 * Owns:      the grammar, and the place where reading stands.
 * Must not:  look at a byte twice on the common way: a string without escapes is scanned once and
 *            handed out where it lies.
 * Invariant: STATE_VALUE is left only by reading a value, so it means "after a key" or "at the
 *            start"; the two FIRST states mean "just after an opening bracket". json_skip() and
 *            json_pointer() rest on that.
 * Cost:      linear. Plain ASCII in strings goes eight bytes at a time.
 * Tests:     tests/unit/base/test_json_read.c, tests/fuzz/fuzz_json.c
 */
#include "base/json_read.h"

#include "base/mem.h"

enum {
    STATE_VALUE,        /* a value must come */
    STATE_OBJECT_FIRST, /* a key or '}' must come */
    STATE_ARRAY_FIRST,  /* a value or ']' must come */
    STATE_AFTER,        /* a comma, the closing bracket, or the end must come */
    STATE_ERROR,
};

static enum json_token fail(struct json_reader *reader, const char *at, const char *problem)
{
    assert(reader->state != STATE_ERROR);

    reader->state = STATE_ERROR;
    reader->at = at;
    reader->value = (struct text){ NULL, 0 };
    reader->problem = at == reader->end ? "unexpected end of the text" : problem;
    return JSON_ERROR;
}

void json_open(struct json_reader *reader, struct arena *arena, struct text input)
{
    assert(arena != NULL);
    assert(input.ptr != NULL || input.len == 0);

    reader->begin = input.ptr;
    reader->at = input.ptr;
    reader->end = input.len == 0 ? input.ptr : input.ptr + input.len;
    reader->arena = arena;
    reader->value = (struct text){ NULL, 0 };
    reader->problem = NULL;
    reader->depth = 0;
    reader->state = STATE_VALUE;
}

static inline const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/*
 * The first byte from `at` on that ends a run of plain ASCII in a string: a quote, a backslash, a
 * control character or a byte over 0x7f; `end` when there is none. A word's special bytes get their
 * top bit set; a borrow can only mark bytes after one that is special itself, so the lowest mark is
 * always true.
 */
static inline const char *plain_run(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u;

    while (end - at >= (ptrdiff_t)sizeof ones) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t special = ((word - ones * 0x20) | ((word ^ ones * '"') - ones) |
                            ((word ^ ones * '\\') - ones) | word) &
                           ones * 0x80;
        if (special != 0) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return at + __builtin_ctzll(special) / 8;
#else
            break;
#endif
        }
        at += sizeof word;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\')
        at++;
    return at;
}

/* Four hexadecimal digits at `at`, or -1. */
static int32_t read_hex4(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return -1;
        value = value * 16 + digit;
    }
    assert(value <= 0xffff);
    return value;
}

static char *put_utf8(char *out, uint32_t point)
{
    assert(point <= 0x10ffff);

    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xc0 | (point >> 6));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (char)(0xe0 | (point >> 12));
        *out++ = (char)(0x80 | ((point >> 6) & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    } else {
        *out++ = (char)(0xf0 | (point >> 18));
        *out++ = (char)(0x80 | ((point >> 12) & 0x3f));
        *out++ = (char)(0x80 | ((point >> 6) & 0x3f));
        *out++ = (char)(0x80 | (point & 0x3f));
    }
    return out;
}

/* The character that "\u...." at `*at` (the u) names; moves `*at` past it. -1: see `*problem`. */
static int32_t read_unicode(const char **at, const char *end, const char **problem)
{
    int32_t high = read_hex4(*at + 1, end);

    *problem = "'\\u' without four hexadecimal digits";
    if (high < 0)
        return -1;
    *at += 5;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    *problem = "half of a surrogate pair";
    if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    int32_t low = read_hex4(*at + 2, end);
    if (low < 0xdc00 || low > 0xdfff)
        return -1;
    *at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static char simple_escape(char c)
{
    switch (c) {
    case '"':  return '"';
    case '\\': return '\\';
    case '/':  return '/';
    case 'b':  return '\b';
    case 'f':  return '\f';
    case 'n':  return '\n';
    case 'r':  return '\r';
    case 't':  return '\t';
    default:   return 0;
    }
}

/* The string between `at` and `end`, its bytes checked but not its escapes, into the arena. */
static bool unescape(struct json_reader *reader, const char *at, const char *end)
{
    assert(at < end);

    char *out = arena_alloc(reader->arena, (size_t)(end - at)); /* no escape is shorter than its
                                                                   character */
    char *begin = out;
    if (out == NULL)
        return fail(reader, at, "no memory for a string");
    while (at < end) {
        if (*at != '\\') {
            *out++ = *at++;
            continue;
        }
        const char *escape = at++;
        char plain = simple_escape(*at);
        if (plain != 0) {
            *out++ = plain;
            at++;
        } else if (*at == 'u') {
            const char *problem;
            int32_t point = read_unicode(&at, end, &problem);
            if (point < 0)
                return fail(reader, escape, problem);
            out = put_utf8(out, (uint32_t)point);
        } else {
            return fail(reader, escape, "unknown escape in a string");
        }
    }
    reader->value = (struct text){ begin, (uint32_t)(out - begin) };
    return true;
}

/* The string whose opening quote stands before `at`; leaves reader->at after the closing one. */
static inline bool read_string(struct json_reader *reader, const char *at)
{
    const char *begin = at, *end = reader->end;
    bool escaped = false;

    for (;;) {
        at = plain_run(at, end);
        if (at == end)
            return fail(reader, at, NULL);
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            break;
        if (c == '\\') {
            escaped = true;
            at += 2; /* unescape() judges the second byte */
            if (at > end)
                return fail(reader, end, NULL);
        } else if (c < 0x20) {
            return fail(reader, at, "control character in a string");
        } else {
            do {
                uint32_t step = text_utf8_step(at, end);
                if (step == 0)
                    return fail(reader, at, "broken UTF-8");
                at += step;
            } while (at < end && (unsigned char)*at >= 0x80);
        }
    }
    reader->at = at + 1;
    if (escaped)
        return unescape(reader, begin, at);
    reader->value = (struct text){ begin, (uint32_t)(at - begin) };
    return true;
}

static inline bool is_digit_at(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static enum json_token read_number(struct json_reader *reader, const char *at)
{
    const char *begin = at, *end = reader->end;

    if (*at == '-')
        at++;
    if (!is_digit_at(at, end))
        return fail(reader, at, "a minus without a number");
    if (*at == '0' && is_digit_at(at + 1, end))
        return fail(reader, at, "a number with a leading zero");
    while (is_digit_at(at, end))
        at++;
    if (at < end && *at == '.') {
        at++;
        if (!is_digit_at(at, end))
            return fail(reader, at, "a point without digits after it");
        while (is_digit_at(at, end))
            at++;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!is_digit_at(at, end))
            return fail(reader, at, "an exponent without digits");
        while (is_digit_at(at, end))
            at++;
    }
    assert(at > begin);
    reader->value = (struct text){ begin, (uint32_t)(at - begin) };
    reader->at = at;
    reader->state = STATE_AFTER;
    return JSON_NUMBER;
}

static enum json_token read_word(struct json_reader *reader, const char *at, struct text word,
                                 enum json_token token)
{
    assert(at < reader->end);

    if ((size_t)(reader->end - at) < word.len || memcmp(at, word.ptr, word.len) != 0)
        return fail(reader, at, "not a value");
    reader->value = (struct text){ at, word.len };
    reader->at = at + word.len;
    reader->state = STATE_AFTER;
    return token;
}

static enum json_token open_level(struct json_reader *reader, const char *at, bool is_object)
{
    if (reader->depth == json_depth_max)
        return fail(reader, at, "nested too deep");
    reader->level[reader->depth++] = (struct json_level){
        .is_object = is_object,
        .index = UINT32_MAX,
    };
    assert(reader->depth <= json_depth_max);
    reader->at = at + 1;
    reader->state = is_object ? STATE_OBJECT_FIRST : STATE_ARRAY_FIRST;
    return is_object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_token close_level(struct json_reader *reader, const char *at)
{
    assert(reader->depth > 0);

    bool is_object = reader->level[--reader->depth].is_object;
    reader->at = at + 1;
    reader->state = STATE_AFTER;
    return is_object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

/* A key and its colon; `at` is where the key must begin. */
static inline enum json_token read_key(struct json_reader *reader, const char *at)
{
    if (at == reader->end || *at != '"')
        return fail(reader, at, "expected a key in quotes");
    if (!read_string(reader, at + 1))
        return JSON_ERROR;
    reader->level[reader->depth - 1].key = reader->value;
    at = skip_space(reader->at, reader->end);
    if (at == reader->end || *at != ':')
        return fail(reader, at, "expected ':' after a key");
    reader->at = at + 1;
    reader->state = STATE_VALUE;
    return JSON_KEY;
}

static inline enum json_token read_value(struct json_reader *reader, const char *at)
{
    if (at == reader->end)
        return fail(reader, at, NULL);
    switch (*at) {
    case '"':
        if (!read_string(reader, at + 1))
            return JSON_ERROR;
        reader->state = STATE_AFTER;
        return JSON_STRING;
    case '{':
        return open_level(reader, at, true);
    case '[':
        return open_level(reader, at, false);
    case 't':
        return read_word(reader, at, TEXT("true"), JSON_TRUE);
    case 'f':
        return read_word(reader, at, TEXT("false"), JSON_FALSE);
    case 'n':
        return read_word(reader, at, TEXT("null"), JSON_NULL);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        return read_number(reader, at);
    default:
        return fail(reader, at, "not a value");
    }
}

/* What follows a complete value. */
static inline enum json_token read_after(struct json_reader *reader, const char *at)
{
    if (reader->depth == 0) {
        if (at != reader->end)
            return fail(reader, at, "text after the value");
        reader->at = at;
        return JSON_END;
    }
    struct json_level *level = &reader->level[reader->depth - 1];
    if (at < reader->end && *at == ',') {
        at = skip_space(at + 1, reader->end);
        if (level->is_object)
            return read_key(reader, at);
        level->index++;
        return read_value(reader, at);
    }
    if (at < reader->end && *at == (level->is_object ? '}' : ']'))
        return close_level(reader, at);
    return fail(reader, at, level->is_object ? "expected ',' or '}'" : "expected ',' or ']'");
}

enum json_token json_next(struct json_reader *reader)
{
    const char *at = skip_space(reader->at, reader->end);

    switch (reader->state) {
    case STATE_VALUE:
        return read_value(reader, at);
    case STATE_AFTER:
        return read_after(reader, at);
    case STATE_OBJECT_FIRST:
        if (at < reader->end && *at == '}')
            return close_level(reader, at);
        return read_key(reader, at);
    case STATE_ARRAY_FIRST:
        if (at < reader->end && *at == ']')
            return close_level(reader, at);
        reader->level[reader->depth - 1].index = 0;
        return read_value(reader, at);
    default:
        assert(reader->state == STATE_ERROR);
        return JSON_ERROR;
    }
}

bool json_skip(struct json_reader *reader)
{
    assert(reader->depth <= json_depth_max);

    int depth = reader->depth; /* of what surrounds the value that is skipped */
    if (reader->state == STATE_OBJECT_FIRST || reader->state == STATE_ARRAY_FIRST)
        depth--;
    else if (reader->state == STATE_VALUE)
        (void)json_next(reader);
    while (reader->depth > depth && reader->state != STATE_ERROR)
        (void)json_next(reader);
    return reader->state != STATE_ERROR;
}

void json_pointer(const struct json_reader *reader, struct buf *buf)
{
    assert(reader->depth <= json_depth_max);

    for (int i = 0; i < reader->depth; i++) {
        const struct json_level *level = &reader->level[i];
        if (level->is_object ? level->key.ptr == NULL : level->index == UINT32_MAX)
            return; /* just opened: the reader stands at the whole */
        buf_add_char(buf, '/');
        if (!level->is_object) {
            buf_add_u64(buf, level->index);
            continue;
        }
        for (uint32_t k = 0; k < level->key.len; k++) {
            char c = level->key.ptr[k];
            if (c == '~')
                buf_add(buf, "~0", 2);
            else if (c == '/')
                buf_add(buf, "~1", 2);
            else
                buf_add_char(buf, c);
        }
    }
}

/* Most names differ from a key in their length or first letter: those need no call. */
static inline bool is_name(struct text name, struct text key)
{
    if (name.len != key.len)
        return false;
    return key.len == 0 || (*name.ptr == *key.ptr && memcmp(name.ptr, key.ptr, key.len) == 0);
}

int json_field(const struct json_reader *reader, const struct text *names, int count,
               uint64_t *seen)
{
    struct text key = reader->value;

    assert(count <= 64);
    assert(key.ptr != NULL);
    /* Members mostly come in the order of the table, so look first after the latest one. */
    int found = *seen == 0 ? 0 : 64 - __builtin_clzll(*seen);
    if (found >= count || !is_name(names[found], key)) {
        found = 0;
        while (found < count && !is_name(names[found], key))
            found++;
        if (found == count)
            return json_field_unknown;
    }
    uint64_t bit = (uint64_t)1 << found;
    if (*seen & bit)
        return json_field_twice;
    *seen |= bit;
    return found;
}
