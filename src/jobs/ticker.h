/*
 * ticker.h - a thread that does one thing again and again.
 *
 * Owns:      the thread, the waiting between two times, the stop.
 * Must not:  know what is done.
 */
#ifndef KOP_JOBS_TICKER_H
#define KOP_JOBS_TICKER_H

#include "base/err.h"

struct ticker;

/* From now on tick(context) every `seconds`, the first time after that long; never two at once. */
KOP_MUST_CHECK enum code ticker_start(uint32_t seconds, void (*tick)(void *context), void *context,
                                      struct ticker **ticker, struct err *err);
/* Waits for the tick at work. NULL is allowed. */
void ticker_stop(struct ticker *ticker);

#endif
