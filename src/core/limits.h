/*
 * limits.h - every limit of the platform, named, with its unit last.
 *
 * Owns:      the numbers. docs/operations.md lists them for people.
 * Invariant: over a limit is a clear refusal, never a slow answer.
 */
#ifndef KOP_CORE_LIMITS_H
#define KOP_CORE_LIMITS_H

enum {
    lines_per_receipt_max = 2000,
    tags_per_line_max = 32,
    attributes_per_thing_max = 32, /* own attributes of a line, a receipt, an event, a member */
    payments_per_receipt_max = 16,
    codes_per_receipt_max = 16,
    redeems_per_receipt_max = 8,
    rules_per_programme_max = 100000,
    currencies_per_programme_max = 16, /* numbers 1..16 */
    counters_per_programme_max = 64,   /* numbers 1..64 */
    ladders_per_programme_max = 8,     /* numbers 1..8 */
    levels_per_ladder_max = 32,
    groups_depth_max = 16,
    condition_depth_max = 16,
    conditions_per_programme_max = 400000,
    trace_items_max = 20000,      /* of one decision; what is beyond is counted only */
    trace_failures_max = 1000,    /* of them, candidates that did not fire */
    code_bytes_max = 64,      /* codes of rules, levels, currencies, articles, outlets, tills */
    name_bytes_max = 256,
    request_body_bytes_max = 1 << 20,
    programme_bytes_max = 64 << 20,
    problems_per_document_max = 1000,
    lots_in_owner_row_max = 16, /* more open lots are rows of their own */
    lots_per_owner_max = 100000,
    holds_per_owner_max = 64,
    cards_per_member_max = 32,
    ops_in_flight_max = 4096,
    request_arena_bytes_max = 16 << 20,
    page_rows_max = 1000,
    page_rows_default = 50,
    hold_default_ms = 15 * 60 * 1000,
    quote_valid_ms = 15 * 60 * 1000,
    person_unnamed_ms_max = 24 * 60 * 60 * 1000, /* then nobody's person is deleted */
    id_lease_ms = 60 * 1000, /* so long ids can be made without the book: service/lease.h */
    id_lease_of_bulk_ms = 7 * 24 * 60 * 60 * 1000, /* while a whole book is loaded */
    catalogue_looks_per_second_max = 32, /* for something that is not known here */
    late_receipt_days_max = 3650, /* unless the programme says less */
};

/* The largest amount that a request may carry: sums of lines_per_receipt_max of them fit int64. */
#define AMOUNT_MAX INT64_C(1000000000000000)  /* 10^15 smallest units */
#define QUANTITY_MAX INT64_C(1000000000000)   /* 10^9 pieces */
#define PRICE_MAX INT64_C(1000000000000000)   /* 10^9 main units */

#endif
