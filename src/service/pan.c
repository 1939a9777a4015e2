/*
 * pan.c - what looks like a bank card's number, so that no untyped field takes one.
 *
 * Owns:      the table of ranges, folding of digits, and where a number begins and ends.
 * Must not:  keep, copy or print what it looked at.
 * Invariant: only the last pan_digits_max digits are ever held, on the stack, and they are wiped.
 * Cost:      one pass over the bytes; nothing more when fewer than 13 of them can be digits.
 * Tests:     tests/unit/service/test_pan.c, tests/tables/cards/
 *
 * A run is digits with nothing between them but spaces, dashes and characters without width. Inside
 * a run the separators make groups, and a number may begin where a group begins and end where a
 * group ends: so "4000 0000 0000 0002" is found, "paid 2 4000000000000002 12/28" too, and a number
 * of 16 digits inside a fiscal sign of 20 is not one.
 *
 * Ranges: the main ranges of the schemes, by the first six digits, as publicly known; lengths under
 * 13 are left out.
 */
#include "service/pan.h"

#define LENGTH(n)       (UINT32_C(1) << (n))
#define LENGTHS(from, to) ((LENGTH((to) + 1) - 1) & ~(LENGTH(from) - 1))

struct card_range {
    uint32_t from, to; /* the first six digits, inclusive */
    uint32_t lengths;  /* bit n: n digits */
};

static const struct card_range card_range[] = {
    { 400000, 499999, LENGTH(16) | LENGTH(18) | LENGTH(19) }, /* Visa */
    { 510000, 559999, LENGTH(16) },                           /* Mastercard */
    { 222100, 271999, LENGTH(16) },                           /* Mastercard */
    { 272000, 272099, LENGTH(16) },                           /* Mastercard */
    { 220000, 220499, LENGTHS(16, 19) },                      /* Mir */
    { 620000, 620999, LENGTHS(14, 19) },                      /* UnionPay */
    { 622010, 626999, LENGTHS(14, 19) },                      /* UnionPay */
    { 810000, 810999, LENGTHS(14, 19) },                      /* UnionPay */
    { 500000, 504174, LENGTHS(13, 19) },                      /* Maestro */
    { 560000, 599999, LENGTHS(13, 19) },                      /* Maestro */
    { 630000, 639999, LENGTHS(13, 19) },                      /* Maestro */
    { 670000, 679999, LENGTHS(13, 19) },                      /* Maestro */
    { 352800, 358999, LENGTHS(16, 19) },                      /* JCB */
    { 340000, 349999, LENGTH(15) },                           /* American Express */
    { 370000, 379999, LENGTH(15) },                           /* American Express */
    { 300000, 305999, LENGTH(14) | LENGTH(16) | LENGTH(19) }, /* Diners Club */
    { 360000, 369999, LENGTH(14) | LENGTH(16) | LENGTH(19) }, /* Diners Club */
    { 601100, 601199, LENGTH(16) | LENGTH(19) },              /* Discover */
};

/* Characters beyond ASCII that stand for digits (Unicode 14: Numeric_Type Decimal and Digit). */
struct digit_run {
    uint32_t from;
    uint8_t count, value; /* how many, and the value of the first */
};

static const struct digit_run digit_run[] = {
    { 0x00b2, 2, 2 }, { 0x00b9, 1, 1 }, { 0x0660, 10, 0 }, { 0x06f0, 10, 0 }, { 0x07c0, 10, 0 },
    { 0x0966, 10, 0 }, { 0x09e6, 10, 0 }, { 0x0a66, 10, 0 }, { 0x0ae6, 10, 0 }, { 0x0b66, 10, 0 },
    { 0x0be6, 10, 0 }, { 0x0c66, 10, 0 }, { 0x0ce6, 10, 0 }, { 0x0d66, 10, 0 }, { 0x0de6, 10, 0 },
    { 0x0e50, 10, 0 }, { 0x0ed0, 10, 0 }, { 0x0f20, 10, 0 }, { 0x1040, 10, 0 }, { 0x1090, 10, 0 },
    { 0x1369, 9, 1 }, { 0x17e0, 10, 0 }, { 0x1810, 10, 0 }, { 0x1946, 10, 0 }, { 0x19d0, 10, 0 },
    { 0x19da, 1, 1 }, { 0x1a80, 10, 0 }, { 0x1a90, 10, 0 }, { 0x1b50, 10, 0 }, { 0x1bb0, 10, 0 },
    { 0x1c40, 10, 0 }, { 0x1c50, 10, 0 }, { 0x2070, 1, 0 }, { 0x2074, 6, 4 }, { 0x2080, 10, 0 },
    { 0x2460, 9, 1 }, { 0x2474, 9, 1 }, { 0x2488, 9, 1 }, { 0x24ea, 1, 0 }, { 0x24f5, 9, 1 },
    { 0x24ff, 1, 0 }, { 0x2776, 9, 1 }, { 0x2780, 9, 1 }, { 0x278a, 9, 1 }, { 0xa620, 10, 0 },
    { 0xa8d0, 10, 0 }, { 0xa900, 10, 0 }, { 0xa9d0, 10, 0 }, { 0xa9f0, 10, 0 }, { 0xaa50, 10, 0 },
    { 0xabf0, 10, 0 }, { 0xff10, 10, 0 }, { 0x104a0, 10, 0 }, { 0x10a40, 4, 1 },
    { 0x10d30, 10, 0 }, { 0x10e60, 9, 1 }, { 0x11052, 9, 1 }, { 0x11066, 10, 0 },
    { 0x110f0, 10, 0 }, { 0x11136, 10, 0 }, { 0x111d0, 10, 0 }, { 0x112f0, 10, 0 },
    { 0x11450, 10, 0 }, { 0x114d0, 10, 0 }, { 0x11650, 10, 0 }, { 0x116c0, 10, 0 },
    { 0x11730, 10, 0 }, { 0x118e0, 10, 0 }, { 0x11950, 10, 0 }, { 0x11c50, 10, 0 },
    { 0x11d50, 10, 0 }, { 0x11da0, 10, 0 }, { 0x16a60, 10, 0 }, { 0x16ac0, 10, 0 },
    { 0x16b50, 10, 0 }, { 0x1d7ce, 10, 0 }, { 0x1d7d8, 10, 0 }, { 0x1d7e2, 10, 0 },
    { 0x1d7ec, 10, 0 }, { 0x1d7f6, 10, 0 }, { 0x1e140, 10, 0 }, { 0x1e2f0, 10, 0 },
    { 0x1e950, 10, 0 }, { 0x1f100, 1, 0 }, { 0x1f101, 10, 0 }, { 0x1fbf0, 10, 0 },
};

/* Spaces, dashes and characters without width, from and to. */
static const uint32_t separator_run[][2] = {
    { 0x0009, 0x000d }, { 0x0020, 0x0020 }, { 0x002d, 0x002d }, { 0x00a0, 0x00a0 },
    { 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x058a, 0x058a }, { 0x05be, 0x05be },
    { 0x061c, 0x061c }, { 0x1400, 0x1400 }, { 0x1680, 0x1680 }, { 0x1806, 0x1806 },
    { 0x180b, 0x180e }, { 0x2000, 0x2015 }, { 0x2028, 0x202f }, { 0x205f, 0x2064 },
    { 0x2066, 0x206f }, { 0x2212, 0x2212 }, { 0x2e17, 0x2e17 }, { 0x2e1a, 0x2e1a },
    { 0x2e3a, 0x2e3b }, { 0x2e40, 0x2e40 }, { 0x2e5d, 0x2e5d }, { 0x3000, 0x3000 },
    { 0x301c, 0x301c }, { 0x3030, 0x3030 }, { 0x30a0, 0x30a0 }, { 0xfe00, 0xfe0f },
    { 0xfe31, 0xfe32 }, { 0xfe58, 0xfe58 }, { 0xfe63, 0xfe63 }, { 0xfeff, 0xfeff },
    { 0xff0d, 0xff0d }, { 0x10ead, 0x10ead }, { 0xe0001, 0xe007f }, { 0xe0100, 0xe01ef },
};

enum { CHARACTER_OTHER = -1, CHARACTER_SEPARATOR = -2 }; /* 0..9: a digit */

/* A digit's value, or what else the character is. */
static int
classify(uint32_t point)
{
    if (point < 0x80) {
        if (point >= '0' && point <= '9')
            return (int)(point - '0');
        return point == ' ' || point == '-' || (point >= '\t' && point <= '\r')
                   ? CHARACTER_SEPARATOR
                   : CHARACTER_OTHER;
    }
    for (uint32_t i = 0; i < KOP_COUNT(digit_run) && digit_run[i].from <= point; i++)
        if (point < digit_run[i].from + digit_run[i].count)
            return (int)(digit_run[i].value + (point - digit_run[i].from));
    for (uint32_t i = 0; i < KOP_COUNT(separator_run) && separator_run[i][0] <= point; i++)
        if (point <= separator_run[i][1])
            return CHARACTER_SEPARATOR;
    return CHARACTER_OTHER;
}

/* The character at `at`, and moves past it; a byte that is no UTF-8 is U+FFFD. */
static uint32_t
next_character(const char **at, const char *end)
{
    static const unsigned char lead_bits[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    const unsigned char *byte = (const unsigned char *)*at;

    if (*byte < 0x80) {
        (*at)++;
        return *byte;
    }
    uint32_t step = text_utf8_step(*at, end);

    if (step == 0) {
        (*at)++;
        return 0xfffd;
    }
    uint32_t point = byte[0] & lead_bits[step];
    for (uint32_t i = 1; i < step; i++)
        point = point << 6 | (byte[i] & 0x3f);
    *at += step;
    return point;
}

/* The last digits of a run, newest at `count - 1`. */
struct run {
    uint32_t count; /* of the whole run, may exceed the ring */
    uint8_t digit[32];
    bool begins[32]; /* a group begins with this digit */
};

enum { ring = 31 }; /* index & ring */

static bool
passes_luhn(const struct run *run, uint32_t first, uint32_t length)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        uint32_t digit = run->digit[(first + length - 1 - i) & ring];
        if (i & 1)
            digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

static bool
is_in_range(const struct run *run, uint32_t first, uint32_t length)
{
    uint32_t prefix = 0;

    for (uint32_t i = 0; i < 6; i++)
        prefix = prefix * 10 + run->digit[(first + i) & ring];
    for (uint32_t i = 0; i < KOP_COUNT(card_range); i++)
        if (prefix >= card_range[i].from && prefix <= card_range[i].to &&
            (card_range[i].lengths & LENGTH(length)))
            return true;
    return false;
}

/* Does a card's number end with the newest digit? */
static bool
ends_a_number(const struct run *run)
{
    for (uint32_t length = pan_digits_min; length <= pan_digits_max; length++) {
        if (run->count < length)
            return false;
        uint32_t first = run->count - length;
        if (run->begins[first & ring] && is_in_range(run, first, length) &&
            passes_luhn(run, first, length))
            return true;
    }
    return false;
}

/* The store that the compiler may not leave out: digits of a card do not stay on the stack. */
static void
wipe(struct run *run)
{
    volatile uint8_t *at = run->digit;

    for (uint32_t i = 0; i < sizeof(run->digit); i++)
        at[i] = 0;
}

static bool
search(struct text text)
{
    struct run run = { 0 };
    bool in_group = false, found = false;
    const char *at = text.ptr, *end = text.ptr + text.len;

    while (at < end && !found) {
        int kind = classify(next_character(&at, end));
        if (kind >= 0) {
            run.digit[run.count & ring] = (uint8_t)kind;
            run.begins[run.count & ring] = !in_group;
            run.count++;
            in_group = true;
            continue;
        }
        found = in_group && ends_a_number(&run);
        in_group = false;
        if (kind == CHARACTER_OTHER)
            run.count = 0;
    }
    found = found || (in_group && ends_a_number(&run));
    wipe(&run);
    return found;
}

bool
pan_is_in(struct text text)
{
    uint32_t possible = 0; /* bytes that may be (part of) a digit */

    if (text.len < pan_digits_min)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        possible += (c >= '0' && c <= '9') || c >= 0x80;
    }
    return possible >= pan_digits_min && search(text);
}

bool
pan_is_gtin(struct text text)
{
    uint32_t sum = 0;

    if (text.len != 8 && text.len != 12 && text.len != 13 && text.len != 14)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        char c = text.ptr[text.len - 1 - i];
        if (c < '0' || c > '9')
            return false;
        sum += (uint32_t)(c - '0') * (i & 1 ? 3 : 1);
    }
    return sum % 10 == 0;
}
