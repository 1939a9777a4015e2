/*
 * control.h - how a command asks the server of a file for a copy.
 *
 * Owns:      the socket FILE.control beside the book, and what is said over it.
 * Must not:  listen to anybody but the server's own user and root.
 */
#ifndef KOP_CLI_CONTROL_H
#define KOP_CLI_CONTROL_H

#include "cli/cli.h"

struct control {
    int listener; /* -1: none */
    char path[1024];
};

/* Listen beside the book `db` (NULL: nowhere). What goes wrong is a warning: serving goes on. */
void control_open(const char *db, struct control *control);
/* Somebody connects: do what is asked; a signal to stop gives a copy up. */
void control_serve(struct control *control, struct store *store);
void control_close(struct control *control);

/*
 * Ask the server of the book `db` to copy it to `path` (absolute). NOT_FOUND: no server serves it.
 * OK: the copy is there, with every operation that was answered before `*until`.
 */
KOP_MUST_CHECK enum code control_ask_copy(const char *db, const char *path,
                                          struct progress *progress, unix_ms *until,
                                          struct err *err);

#endif
