/*
 * counters.c - what one loop has counted, and the sum over loops.
 *
 * Owns:      the sum.
 * Must not:  write what a loop counts.
 * Invariant: every counter of struct counters is in the sum.
 * Cost:      a few loads.
 * Tests:     tests/unit/http/test_loop.c
 */
#include "http/counters.h"

void
counters_add(const struct counters *counters, struct http_counters *sum)
{
    uint64_t answered = counted(&counters->answered);
    uint64_t requests = counted(&counters->requests);

    sum->connections += counted(&counters->connections);
    sum->connections_refused += counted(&counters->connections_refused);
    sum->connections_open += counted(&counters->connections_open);
    sum->requests += requests;
    /* Both move while they are read. */
    sum->requests_open += requests > answered ? requests - answered : 0;
    sum->refused += counted(&counters->refused);
    sum->timed_out += counted(&counters->timed_out);
    sum->vanished += counted(&counters->vanished);
    for (int digit = 0; digit < 6; digit++)
        sum->responses[digit] += counted(&counters->responses[digit]);
    sum->bytes_in += counted(&counters->bytes_in);
    sum->bytes_out += counted(&counters->bytes_out);
}
