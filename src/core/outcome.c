/*
 * outcome.c - names, statuses and sentences of refusals, from the one list.
 *
 * Owns:      three tables, each expanded from OUTCOMES.
 * Must not:  hold a word or a status that is not in the list.
 * Cost:      a look into an array.
 * Tests:     tests/unit/core/test_outcome.c
 */
#include "core/outcome.h"

struct outcome_words {
    const char *name, *english, *russian;
    int http_status;
};

static const struct outcome_words words[] = {
#define X(name, http, en, ru) { #name, en, ru, http },
    OUTCOMES(X)
#undef X
};

_Static_assert(KOP_COUNT(words) == outcome_count, "one row for each outcome");

const char *outcome_name(enum outcome outcome)
{
    assert((unsigned)outcome < outcome_count);
    return words[outcome].name;
}

int outcome_http_status(enum outcome outcome)
{
    assert((unsigned)outcome < outcome_count);
    return words[outcome].http_status;
}

const char *outcome_sentence(enum outcome outcome, bool russian)
{
    assert((unsigned)outcome < outcome_count);
    return russian ? words[outcome].russian : words[outcome].english;
}
