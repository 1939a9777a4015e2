/*
 * target.h - what a path and a query say: segments, parameters, percent-decoding.
 *
 * Owns:      splitting what http_path() and http_query() return, and decoding its pieces.
 * Must not:  decode before splitting («%2F» is a byte of a segment, never a border).
 * Invariant: a decoded piece is well-formed UTF-8 without control characters.
 * Cost:      linear; copies only a piece that holds an escape.
 * Tests:     tests/unit/http/test_parse.c, tests/fuzz/fuzz_http.c
 */
#ifndef KOP_HTTP_TARGET_H
#define KOP_HTTP_TARGET_H

#include "base/text.h"

enum http_piece {
    HTTP_SEGMENT, /* of a path: a plus is a plus */
    HTTP_VALUE,   /* name or value in a query: a plus is a space */
};

/*
 * Decode `raw` into `*piece`, which points into `raw` or into the arena. false: a broken escape,
 * a control character or broken UTF-8 (answer 400), or no memory (arena->failed is set).
 */
KOP_MUST_CHECK bool http_decode(struct arena *arena, enum http_piece kind, struct text raw,
                                struct text *piece);

/*
 * Take the next raw segment off the front of `*path`: "/v1/cards/" gives "v1", "cards", "".
 * false at the end, and `*segment` is untouched.
 */
bool http_path_next(struct text *path, struct text *segment);

struct http_param {
    struct text name, value; /* raw; "a" and "a=" both have an empty value */
};

/* Take the next parameter off the front of `*query`; empty ones ("a&&b") are skipped. */
bool http_query_next(struct text *query, struct http_param *param);

#endif
