/*
 * answer.h - looking things up in a JSON answer.
 *
 * Owns:      a small tree of one document, and exact amounts out of its strings.
 * Must not:  use the parser under test: an answer that only our own parser understands is a fault.
 */
#ifndef KOP_TESTS_SIM_ANSWER_H
#define KOP_TESTS_SIM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_kind { ANSWER_OBJECT, ANSWER_ARRAY, ANSWER_STRING, ANSWER_NUMBER, ANSWER_WORD };

struct answer {
    enum answer_kind kind;
    const char *key, *text; /* into the document; not terminated */
    size_t key_len, text_len;
    int first, next, count; /* places in the tree; -1: none */
};

struct answers {
    struct answer *item;
    int count, cap;
};

/* The root, or NULL: not JSON. The tree is used again by the next call. */
const struct answer *answer_parse(struct answers *tree, const char *text, size_t len);
void answer_release(struct answers *tree);

/* NULL when it is not there (also when `value` is NULL). */
const struct answer *answer_get(const struct answers *tree, const struct answer *value,
                                const char *key);
const struct answer *answer_at(const struct answers *tree, const struct answer *value, int index);
int answer_count(const struct answer *value);
bool answer_is(const struct answer *value, const char *text);
/* A copy, cut to `size`; "" when it is not there. */
void answer_copy(const struct answer *value, char *out, size_t size);
/* A decimal with exactly `scale` digits after the point, or a whole number. */
bool answer_amount(const struct answer *value, int scale, int64_t *out);
/* RFC 3339 in UTC; null gives INT64_MAX. */
bool answer_instant(const struct answer *value, int64_t *out);

#endif
