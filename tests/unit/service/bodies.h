/*
 * bodies.h - all readers of request bodies under one name each, for tests.
 *
 * Owns:      the list of bodies.
 * Must not:  look into what was read.
 */
#ifndef KOP_TESTS_UNIT_SERVICE_BODIES_H
#define KOP_TESTS_UNIT_SERVICE_BODIES_H

#include "programme.h"
#include "service/request.h"

struct body_kind {
    const char *name;   /* as in tests/tables/requests/ */
    const char *prefix; /* of every pointer */
    bool (*read)(struct text body, struct fixture *fixture, struct refusal *refusal);
};
extern const struct body_kind body_kinds[];
extern const size_t body_kind_count;

const struct body_kind *find_body(const char *name);

#endif
