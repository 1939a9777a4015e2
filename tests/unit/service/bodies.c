/*
 * bodies.c - all readers of request bodies under one name each, for tests.
 *
 * Owns:      the list of bodies.
 */
#include "bodies.h"

/* A reader that needs no plan. */
#define PLAIN(body)                                                                                \
    static bool read_##body(struct text text, struct fixture *fixture, struct refusal *refusal)    \
    {                                                                                              \
        struct body##_body out;                                                                    \
        return body##_body_read(text, &fixture->request, &out, refusal);                           \
    }
PLAIN(return)
PLAIN(cancel)
PLAIN(enrol)
PLAIN(find)
PLAIN(card)
PLAIN(opening)
PLAIN(version)
PLAIN(evaluate)

static bool
read_purchase(struct text text, struct fixture *fixture, struct refusal *refusal)
{
    struct purchase_body out;

    return purchase_body_read(text, fixture->plan, &fixture->request, &out, refusal);
}

static bool
read_event(struct text text, struct fixture *fixture, struct refusal *refusal)
{
    struct event_body out;

    return event_body_read(text, fixture->plan, &fixture->request, &out, refusal);
}

static bool
read_evaluate_event(struct text text, struct fixture *fixture, struct refusal *refusal)
{
    struct event out;

    return evaluate_event_read(text, fixture->plan, &fixture->request, &out, refusal);
}

static bool
read_evaluate_member(struct text text, struct fixture *fixture, struct refusal *refusal)
{
    struct member_view out;

    return evaluate_member_read(text, fixture->plan, &fixture->request, &out, refusal);
}

const struct body_kind body_kinds[] = {
    { "purchase", "", read_purchase },
    { "return", "", read_return },
    { "cancel", "", read_cancel },
    { "enrol", "", read_enrol },
    { "find", "", read_find },
    { "card", "", read_card },
    { "opening", "", read_opening },
    { "event", "", read_event },
    { "version", "", read_version },
    { "evaluate", "", read_evaluate },
    { "evaluate_event", "/event", read_evaluate_event },
    { "evaluate_member", "/member", read_evaluate_member },
};
const size_t body_kind_count = KOP_COUNT(body_kinds);

const struct body_kind *
find_body(const char *name)
{
    for (size_t i = 0; i < body_kind_count; i++)
        if (strcmp(body_kinds[i].name, name) == 0)
            return &body_kinds[i];
    fail_msg("no body '%s'", name);
    return NULL;
}
