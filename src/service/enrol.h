/*
 * enrol.h - an enrolment and an opening balance up to the moment when the store is asked.
 *
 * Owns:      reading, checking and keys of both: one way for single calls and for whole books.
 * Must not:  submit anything, or be included outside service/.
 */
#ifndef KOP_SERVICE_ENROL_H
#define KOP_SERVICE_ENROL_H

#include "service/person.h"

struct enrol_work {
    struct enrol_body body;
    struct text phone;                  /* normal form */
    struct directory_row key[routes_per_op_max];
    struct enrol_input input;           /* names `key` */
    uint64_t id;                        /* of member, owner and person */
    struct row person;                  /* sealed by the caller */
    struct op person_op;
};

/*
 * Everything of work->call before the store: body, programme, claim, what the programme asks for,
 * keys (each a route of work->op as well), ids, the request's hash. false: refused.
 */
bool enrol_prepare(struct work *work, struct enrol_work *enrol);
/* Where in the body the key of this kind stands. */
struct text enrol_pointer(enum key_kind kind);

/* The same of an opening balance; adds the member's route. */
bool opening_prepare(struct work *work, struct whom *whom, struct opening_input *opening);

#endif
