/*
 * compile_read.c - reads typed values from the document's tree and reports what is wrong.
 *
 * Owns:      the sentences of the mistakes that any field can have; JSON pointers.
 * Must not:  know which fields a programme has.
 * Invariant: every false return has reported a mistake, or the arena has failed.
 * Tests:     tests/unit/engine/test_compile.c, tests/tables/programme/
 */
#include "engine/compile.h"

#include "base/decimal.h"
#include "base/mem.h"

enum { problem_bytes_first = 96, label_bytes_max = 64, months_max = 1200, days_max = 36525 };

void
problem_add(struct problems *problems, struct arena *arena, struct text pointer,
            struct text sentence)
{
    if (problems->count >= problems_per_document_max) {
        problems->lost++;
        return;
    }
    if (problems->count == problems->cap) {
        uint32_t cap = problems->cap > 0 ? problems->cap * 2 : 16;
        struct problem *item = arena_array(arena, struct problem, cap);
        if (!item) {
            problems->lost++;
            return;
        }
        if (problems->count > 0)
            memcpy(item, problems->item, problems->count * sizeof *item);
        problems->item = item;
        problems->cap = cap;
    }
    assert(problems->count < problems->cap);
    problems->item[problems->count++] = (struct problem){ pointer, sentence };
}

/* As much of a key as a sentence quotes, whole characters only. */
static uint32_t
label_length(struct text key)
{
    uint32_t length = key.len;

    if (length <= label_bytes_max)
        return length;
    length = label_bytes_max;
    while (length > 0 && ((unsigned char)key.ptr[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* What the sentence calls the node: its key, or its place in a list. */
static void
add_label(struct buf *buf, const struct json_node *node)
{
    if (!node->parent)
        buf_add_text(buf, TEXT("the document"));
    else if (node->parent->type == JSON_ARRAY)
        buf_addf(buf, "item %u of the list", node->index + 1);
    else
        buf_addf(buf, "'%.*s'", (int)label_length(node->key), node->key.ptr);
    buf_add_char(buf, ' ');
}

void
compile_problem(struct compiler *compiler, const struct json_node *node, const char *format, ...)
{
    struct buf pointer, sentence;
    va_list args;

    assert(node);
    if (compiler->problems->count >= problems_per_document_max) {
        compiler->problems->lost++;
        return;
    }
    buf_init(&pointer, compiler->arena, problem_bytes_first);
    json_node_pointer(node, &pointer);
    buf_init(&sentence, compiler->arena, problem_bytes_first);
    add_label(&sentence, node);
    va_start(args, format);
    buf_addv(&sentence, format, args);
    va_end(args);
    problem_add(compiler->problems, compiler->arena, buf_text(&pointer), buf_text(&sentence));
}

void
compile_missing(struct compiler *compiler, const struct json_node *object, const char *member)
{
    struct buf pointer, sentence;

    assert(object);
    buf_init(&pointer, compiler->arena, problem_bytes_first);
    json_node_pointer(object, &pointer);
    buf_addf(&pointer, "/%s", member);
    buf_init(&sentence, compiler->arena, problem_bytes_first);
    buf_addf(&sentence, "'%s' is missing", member);
    problem_add(compiler->problems, compiler->arena, buf_text(&pointer), buf_text(&sentence));
}

static const char *
type_words(enum json_token type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_NUMBER:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

static bool
has_type(struct compiler *compiler, const struct json_node *node, enum json_token type)
{
    if (!node)
        return false;
    if (node->type == type)
        return true;
    compile_problem(compiler, node, "must be %s, not %s", type_words(type), type_words(node->type));
    return false;
}

bool
compile_object(struct compiler *compiler, const struct json_node *node, const char *const *names,
               uint32_t count)
{
    if (!has_type(compiler, node, JSON_OBJECT))
        return false;
    for (const struct json_node *child = node->first; child; child = child->next) {
        uint32_t i = 0;
        while (i < count && !text_equal(child->key, text_of(names[i])))
            i++;
        if (i == count)
            compile_problem(compiler, child, "is not a known field here");
    }
    return true;
}

bool
compile_array(struct compiler *compiler, const struct json_node *node)
{
    return has_type(compiler, node, JSON_ARRAY);
}

const struct json_node *
compile_member(const struct json_node *object, const char *member)
{
    return json_member(object, text_of(member));
}

const struct json_node *
compile_needed(struct compiler *compiler, const struct json_node *object, const char *member)
{
    const struct json_node *node = compile_member(object, member);
    if (!node)
        compile_missing(compiler, object, member);
    return node;
}

static bool
in_bounds(struct compiler *compiler, const struct json_node *node, int scale, struct bounds bounds,
          int64_t value)
{
    struct buf words;

    if (value >= bounds.min && value <= bounds.max)
        return true;
    buf_init(&words, compiler->scratch, 48);
    decimal_format(&words, bounds.min, scale);
    buf_add_text(&words, TEXT(" to "));
    decimal_format(&words, bounds.max, scale);
    compile_problem(compiler, node, "must be in the range %.*s", (int)words.len, words.ptr);
    return false;
}

bool
compile_whole(struct compiler *compiler, const struct json_node *node, struct bounds bounds,
              int64_t *value)
{
    int64_t number;

    if (!has_type(compiler, node, JSON_NUMBER))
        return false;
    switch (decimal_parse(node->value, 0, &number)) {
    case DECIMAL_OK:
        break;
    case DECIMAL_RANGE:
        number = node->value.ptr[0] == '-' ? INT64_MIN : INT64_MAX;
        break;
    default:
        compile_problem(compiler, node, "must be a whole number without exponent");
        return false;
    }
    if (!in_bounds(compiler, node, 0, bounds, number))
        return false;
    *value = number;
    return true;
}

bool
compile_decimal(struct compiler *compiler, const struct json_node *node, int scale,
                struct bounds bounds, int64_t *value)
{
    int64_t number = 0;

    if (!node)
        return false;
    if (node->type != JSON_STRING && node->type != JSON_NUMBER) {
        compile_problem(compiler, node, "must be a decimal, not %s", type_words(node->type));
        return false;
    }
    switch (decimal_parse(node->value, scale, &number)) {
    case DECIMAL_OK:
        break;
    case DECIMAL_SYNTAX:
        compile_problem(compiler, node, "is no decimal: digits, and a point if need be");
        return false;
    case DECIMAL_FINE:
        compile_problem(compiler, node, "may have at most %d digits after the point", scale);
        return false;
    case DECIMAL_RANGE:
        number = node->value.ptr[0] == '-' ? INT64_MIN : INT64_MAX;
        break;
    }
    if (!in_bounds(compiler, node, scale, bounds, number))
        return false;
    *value = number;
    return true;
}

bool
compile_bool(struct compiler *compiler, const struct json_node *node, bool *value)
{
    if (!node)
        return false;
    if (node->type != JSON_TRUE && node->type != JSON_FALSE) {
        compile_problem(compiler, node, "must be true or false, not %s", type_words(node->type));
        return false;
    }
    *value = node->type == JSON_TRUE;
    return true;
}

bool
compile_choice(struct compiler *compiler, const struct json_node *node, const char *const *names,
               uint32_t count, int *index)
{
    struct buf words;

    if (!has_type(compiler, node, JSON_STRING))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (text_equal(node->value, text_of(names[i]))) {
            *index = (int)i;
            return true;
        }
    }
    buf_init(&words, compiler->scratch, 96);
    for (uint32_t i = 0; i < count; i++)
        buf_addf(&words, i > 0 ? ", '%s'" : "'%s'", names[i]);
    compile_problem(compiler, node, "must be one of %.*s", (int)words.len, words.ptr);
    return false;
}

bool
compile_string(struct compiler *compiler, const struct json_node *node, uint32_t bytes_max,
               struct text *text)
{
    if (!has_type(compiler, node, JSON_STRING))
        return false;
    if (node->value.len == 0) {
        compile_problem(compiler, node, "must not be empty");
        return false;
    }
    if (node->value.len > bytes_max) {
        compile_problem(compiler, node, "must have at most %u bytes", bytes_max);
        return false;
    }
    for (uint32_t i = 0; i < node->value.len; i++) {
        if ((unsigned char)node->value.ptr[i] < ' ' || node->value.ptr[i] == 127) {
            compile_problem(compiler, node, "must not have control characters");
            return false;
        }
    }
    *text = node->value;
    return true;
}

bool
compile_text(struct compiler *compiler, const struct json_node *node, uint32_t bytes_max,
             struct text *text)
{
    struct text borrowed;

    if (!compile_string(compiler, node, bytes_max, &borrowed))
        return false;
    *text = text_copy(compiler->arena, borrowed);
    return text->len > 0;
}

bool
compile_key_code(struct compiler *compiler, const struct json_node *node, struct text *code)
{
    bool good = node->key.len >= 1 && node->key.len <= code_bytes_max;

    for (uint32_t i = 0; good && i < node->key.len; i++) {
        char c = node->key.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    }
    if (!good) {
        compile_problem(compiler, node,
                        "must be a code of 1 to %d letters a-z, A-Z, digits, '-' and '_'",
                        (int)code_bytes_max);
        return false;
    }
    *code = text_copy(compiler->arena, node->key);
    return code->len > 0;
}

bool
compile_name(struct compiler *compiler, const struct json_node *node, struct text fallback,
             struct text *en, struct text *ru)
{
    static const char *const names[] = { "en", "ru" };
    struct text english = { 0 }, russian = { 0 };
    const struct json_node *node_en, *node_ru;

    *en = *ru = fallback;
    if (!node)
        return true;
    if (!compile_object(compiler, node, names, KOP_COUNT(names)))
        return false;
    node_en = compile_member(node, "en");
    node_ru = compile_member(node, "ru");
    if (!node_en && !node_ru) {
        compile_problem(compiler, node, "needs 'en' or 'ru'");
        return false;
    }
    if (node_en && !compile_text(compiler, node_en, name_bytes_max, &english))
        return false;
    if (node_ru && !compile_text(compiler, node_ru, name_bytes_max, &russian))
        return false;
    *en = english.len > 0 ? english : russian;
    *ru = russian.len > 0 ? russian : english;
    return true;
}

bool
compile_period(struct compiler *compiler, const struct json_node *node, bool zero_allowed,
               struct period *period)
{
    struct period read;

    if (!has_type(compiler, node, JSON_STRING))
        return false;
    if (!period_parse(node->value, &read)) {
        compile_problem(compiler, node,
                        "must be an ISO 8601 period like 'P14D' or 'PT12H', not both");
        return false;
    }
    assert(read.ms == 0 || (read.months == 0 && read.days == 0));
    if (read.months == 0 && read.days == 0 && read.ms == 0 && !zero_allowed) {
        compile_problem(compiler, node, "must not be a period of nothing");
        return false;
    }
    if (read.months < 0 || read.days < 0 || read.ms < 0 || read.months > months_max ||
        read.days > days_max || read.ms > (int64_t)days_max * 86400000) {
        compile_problem(compiler, node, "must be at most a hundred years");
        return false;
    }
    *period = read;
    return true;
}

bool
compile_instant(struct compiler *compiler, const struct json_node *node, unix_ms *instant)
{
    if (!has_type(compiler, node, JSON_STRING))
        return false;
    if (instant_parse(node->value, instant))
        return true;
    compile_problem(compiler, node, "must be an RFC 3339 time like '2026-01-31T00:00:00+03:00'");
    return false;
}

bool
compile_rounding(struct compiler *compiler, const struct json_node *node, enum rounding *rounding)
{
    static const char *const names[] = { "half-up", "half-even", "half-down", "down", "up" };
    static const enum rounding modes[] = { ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN,
                                           ROUND_DOWN, ROUND_UP };
    int index;

    if (!compile_choice(compiler, node, names, KOP_COUNT(names), &index))
        return false;
    assert(index >= 0);
    *rounding = modes[index];
    return true;
}

struct rate
rate_reduced(struct rate rate)
{
    int64_t a = rate.num, b = rate.den;

    assert(rate.num >= 0);
    assert(rate.den > 0);
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    if (a > 1) {
        rate.num /= a;
        rate.den /= a;
    }
    return rate;
}

int
currency_position(const struct terms *terms, struct text code)
{
    for (int i = 0; i < terms->currency_count; i++)
        if (text_equal(terms->currency[i].code, code))
            return i;
    return -1;
}

int
counter_position(const struct terms *terms, struct text code)
{
    for (int i = 0; i < terms->counter_count; i++)
        if (text_equal(terms->counter[i].code, code))
            return i;
    return -1;
}

int
ladder_position(const struct terms *terms, struct text code)
{
    for (int i = 0; i < terms->ladder_count; i++)
        if (text_equal(terms->ladder[i].code, code))
            return i;
    return -1;
}

bool
compile_declared(const struct compiler *compiler, const char *section, struct text code)
{
    return json_member(compile_member(compiler->root, section), code) != NULL;
}
