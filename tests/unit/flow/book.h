/*
 * book.h - one owner in memory, with what a store would keep of it: for tests of the flows.
 *
 * Owns:      struct book: rows as bytes, loading a view for `needs`, writing `changes`.
 * Must not:  keep anything of an operation but what its changes say.
 * Invariant: after each operation the owner is loaded again and is what the flow left in memory;
 *            a refusal changed nothing; with `twice` every flow is run a second time from the
 *            start and must say the same.
 */
#ifndef KOP_TESTS_UNIT_FLOW_BOOK_H
#define KOP_TESTS_UNIT_FLOW_BOOK_H

#include "flow/flow.h"

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

enum { book_plans_max = 4 };

/* Bytes that grow. */
struct pile {
    char *bytes;
    size_t size, cap;
};

/* A record, or what came back of one, in the book's pile. */
struct book_row {
    uint64_t op_id;
    enum record_kind kind;
    bool is_returned;
    size_t at, size;
};

struct book {
    const struct plan *plan[book_plans_max]; /* versions, oldest first; the last is in force */
    uint32_t plan_count;
    bool twice;
    uint64_t owner_id, member_id, last_op;
    /* What the store keeps: */
    bool is_there;    /* the owner has a row */
    struct owner row; /* columns only */
    struct pile body, heap;
    struct book_row *rows;
    uint32_t row_count, row_cap;
    struct lot *overflow; /* by number, as rows lie */
    uint32_t overflow_count, overflow_cap;
    struct counter_state *rolling;
    uint32_t rolling_count, rolling_cap;
    struct movement *movement;
    uint32_t movement_count, movement_cap;
    /* The operation that was run last: */
    struct arena arena;
    struct view view;
    struct step step;
};

/* Compile a document in which ' stands for "; stops the program with its mistakes. In the zone of
 * +03:00 where it names one. */
const struct plan *book_compile(struct arena *arena, const char *document, uint32_t version);

/* A book without an owner, whose member 4711 is its own owner. */
void book_init(struct book *book, const struct plan *plan);
void book_free(struct book *book);
/* Forget everything; `plan` is the only version. */
void book_clear(struct book *book, const struct plan *plan);
/* A version comes into force. */
void book_publish(struct book *book, const struct plan *plan);
const struct plan *book_plan(const struct book *book);
/* The same state; `to` has been made by book_init(). */
void book_copy(struct book *to, const struct book *from);

/* The operations. The answer is in book->step until the next one; its id is book->last_op. */
enum outcome book_enrol(struct book *book, unix_ms now);
enum outcome book_quote(struct book *book, const struct purchase_input *input, unix_ms now);
/* Commit, fact or reserve, as `input` says. */
enum outcome book_buy(struct book *book, const struct purchase_input *input, unix_ms now);
enum outcome book_cancel(struct book *book, uint64_t reserve, unix_ms now);
/* No lines: everything that is left. */
enum outcome book_return(struct book *book, uint64_t origin, const struct returned_line *line,
                         uint32_t line_count, unix_ms now);
enum outcome book_return_at(struct book *book, uint64_t origin, const struct returned_line *line,
                            uint32_t line_count, unix_ms occurred_at, unix_ms now);
enum outcome book_open_balance(struct book *book, uint8_t currency, amount points, unix_ms at,
                               unix_ms now);
enum outcome book_event(struct book *book, const struct event *event, unix_ms now);
enum outcome book_settle(struct book *book, unix_ms now);

/* The code of the flow that failed last (CODE_RANGE and the like are no outcome); OK else. */
enum code book_failure(const struct book *book);

/* The owner as stored, every rolling counter included. */
void book_load(const struct book *book, struct arena *arena, struct owner *owner);
amount book_balance(const struct book *book, uint8_t currency, enum account account);
/* A counter as it reads at `now`. */
int64_t book_counter(struct book *book, uint8_t no, unix_ms now);
/* A stored record; stops the program when there is none. Good until the next operation. */
void book_record(struct book *book, uint64_t op_id, struct record *record);
/* What came back of a purchase so far; all zero when nothing did. */
void book_returned(struct book *book, uint64_t op_id, struct returned_state *state);

/* Stops the program when the movements do not agree with the row. */
void book_audit(struct book *book);

/* 2025-01-31 at the first millisecond, in UTC. */
unix_ms day_of(int year, int month, int day);

/* Print what is wrong and abort. */
_Noreturn void book_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
