/*
 * person.h - personal data: one sealed body per person, under a key of its own.
 *
 * Owns:      wrapping the person's key, sealing and opening the body.
 * Must not:  let a plain value reach a log, a URL or a row.
 * Invariant: deleting the wrapped key erases the person: nothing else opens the body.
 */
#ifndef KOP_SERVICE_PERSON_H
#define KOP_SERVICE_PERSON_H

#include "service/internal.h"

/* Seal `plain` for a new person into a row of table person; bytes live in the arena. */
KOP_MUST_CHECK enum code person_seal(struct service *service, uint64_t person_id, uint32_t tenant,
                                     struct text plain, struct arena *arena, struct row *row,
                                     struct err *err);
/* The same many times over, by one thread: contexts are kept, random bytes drawn many at once. */
struct person_sealer;
KOP_MUST_CHECK enum code person_sealer_new(struct service *service, struct person_sealer **sealer,
                                           struct err *err);
void person_sealer_free(struct person_sealer *sealer);
KOP_MUST_CHECK enum code person_sealer_seal(struct person_sealer *sealer, uint64_t person_id,
                                            uint32_t tenant, struct text plain, struct arena *arena,
                                            struct row *row, struct err *err);
/* Open a row of table person. */
KOP_MUST_CHECK enum code person_open(struct service *service, const struct row *row,
                                     struct arena *arena, struct text *plain, struct err *err);
/* The JSON that is sealed: what enrolment gave. */
void person_json(const struct enrol_body *body, struct text phone, struct buf *out);

#endif
