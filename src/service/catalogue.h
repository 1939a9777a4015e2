/*
 * catalogue.h - tenants, programmes, their versions as compiled plans, and API keys, in memory.
 *
 * Owns:      what is small, read by every request and written rarely; loaded at the start,
 *            replaced whole.
 * Must not:  be changed in place: a change makes a new snapshot, and the old one stays until the
 *            service closes,
 *            so that an operation in flight keeps what it pinned.
 * Invariant: every published version of every programme is compiled; versions are in order.
 */
#ifndef KOP_SERVICE_CATALOGUE_H
#define KOP_SERVICE_CATALOGUE_H

#include "base/map.h"
#include "engine/engine.h"
#include "service/crypto.h"

struct version_entry {
    uint32_t version;
    unix_ms in_force_from;
    unsigned char hash[sha256_bytes]; /* of the document */
    struct text document, zone;
    const struct plan *plan;
};

struct programme_entry {
    uint32_t tenant, programme;
    struct text code;
    uint32_t version_count;
    const struct version_entry *version;
};

struct key_entry {
    struct text key_id;
    uint32_t tenant, scopes;
    unsigned char hash[sha256_bytes]; /* of the secret */
    struct text outlet, till;         /* empty: any */
};

struct tenant_entry {
    uint32_t tenant;
    struct text code;
};

struct catalogue {
    uint32_t tenant_count, programme_count, key_count;
    const struct tenant_entry *tenant;
    const struct programme_entry *programme;
    const struct key_entry *key;
    struct map key_by_id;          /* its place in `key`: a chain has thousands of tills */
    struct arena arena;            /* that all of it lies in */
    uint64_t config_version;       /* of the book when it was read: rises with each write */
    const struct catalogue *older; /* kept for operations in flight */
};

const struct programme_entry *catalogue_programme(const struct catalogue *catalogue,
                                                  uint32_t tenant, struct text code);
const struct programme_entry *catalogue_programme_no(const struct catalogue *catalogue,
                                                     uint32_t tenant, uint32_t programme);
/* The version in force at `at`: the latest published one with in_force_from <= at; NULL: none. */
const struct version_entry *programme_in_force(const struct programme_entry *programme, unix_ms at);
const struct version_entry *programme_version(const struct programme_entry *programme,
                                              uint32_t version);
const struct version_entry *programme_newest(const struct programme_entry *programme);
/* The version in force at `at`; before there is one, the newest: for what needs some version. */
const struct version_entry *programme_near(const struct programme_entry *programme, unix_ms at);
/* "till,read": their bits; false when a word is no scope (or none is there), which gives no bit. */
bool scopes_read(struct text written, uint32_t *scopes);
const struct key_entry *catalogue_key(const struct catalogue *catalogue, struct text key_id);

#endif
