/*
 * replay.h - real receipts through the whole path: engine, ledger, store.
 *
 * Owns:      one function per data set; `replay` and `demo` call them.
 */
#ifndef KOP_CLI_REPLAY_H
#define KOP_CLI_REPLAY_H

#include "cli/cli.h"
#include "service/pump.h"

/* Publish a programme file, in force from `from`. Prints the answer; 0 when published or there
 * already. */
int publish_programme(struct book *book, const char *path, const char *from, struct arena *arena);

struct replay_options {
    const char *data;        /* folder with the CSV files */
    const char *differences; /* file for what differs or was refused; NULL: none */
};

/* Both print their closing line and return 0 when everything was booked. */
int replay_x5(struct book *book, const struct replay_options *options);
int replay_uci(struct book *book, const struct replay_options *options);

/* Members without personal data, one per name, with a card of that name (idempotent). */
struct enrolling {
    const char *programme;
    unix_ms at;
    uint64_t failed;
};
void enrol_card(struct pump *pump, const struct enrolling *enrolling, struct text card);

/* A field of a JSON answer at the top level or nested by name: "totals/earned"; empty text when
 * absent. */
struct text answer_field(struct text json, const char *name, struct arena *arena);

#endif
