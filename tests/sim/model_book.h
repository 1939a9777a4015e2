/*
 * model_book.h - what the two halves of the naive book (model.c, model_return.c) share.
 *
 * Owns:      nothing that others may use.
 */
#ifndef KOP_TESTS_SIM_MODEL_BOOK_H
#define KOP_TESTS_SIM_MODEL_BOOK_H

#include "model.h"

void settle(struct m_member *member, int64_t now);
/* The active lot with points that is spent next after lot `after` (-1: the first); -1: none. */
int next_lot(const struct m_member *member, int currency, int after);
/* So many points of an active lot have become available: they repay the debt of its currency. */
void repay(struct m_member *member, struct m_lot *lot, int64_t points, enum m_repaid why);
void add_count(const struct model *model, struct m_member *member, int counter, int64_t at,
               int64_t value);
void update_levels(struct model *model, int member, int64_t now);
/* What may be spent. */
int64_t available(const struct model *model, int member, int currency);

#endif
