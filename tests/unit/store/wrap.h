/*
 * wrap.h - a book in memory that notes every statement and fails when it is told to.
 *
 * Owns:      struct wrap: what was run, and which call fails how.
 */
#ifndef KOP_TESTS_STORE_WRAP_H
#define KOP_TESTS_STORE_WRAP_H

#include "store/runner.h"

enum { notes_max = 4096, note_key_bytes = 32 };

struct note {
    enum table table;
    enum verb verb;
    char key[note_key_bytes]; /* first parameter, when it is text */
};

struct wrap {
    struct backend backend;
    struct backend *inner;
    struct note note[notes_max];
    uint32_t note_count;
    uint32_t statements; /* run so far */
    uint32_t fail_from;  /* the statement that fails, from 1; 0: none */
    uint32_t fail_count; /* how many fail from there on */
    enum code begin_code, commit_code;
    uint32_t commit_fails; /* so many times */
    uint32_t begins, commits, rollbacks;
};

/* A store over a wrapped book. `options` may be NULL: inline. */
struct store *wrap_open(struct wrap *wrap, const struct store_options *options);

#endif
