/*
 * tree_index.h - which rules of a tree can match at all, by what an event and its lines name.
 *
 * Owns:      struct tree_index: from a text that an event names to the rules that ask for it.
 * Must not:  decide whether a rule holds: what it leaves out cannot hold, what it leaves in may.
 * Invariant: a rule stands under one of its keys, or in `always`. Small trees have no index.
 */
#ifndef KOP_ENGINE_TREE_INDEX_H
#define KOP_ENGINE_TREE_INDEX_H

#include "engine/plan.h"

struct evaluation;

/* Trees of fewer rules are walked whole, so that the trace tells of every rule. */
enum { tree_index_rules_min = 32 };

/* Build the index of every tree of the plan that is large enough. false: no memory. */
KOP_MUST_CHECK bool tree_index_build(struct plan *plan, struct arena *arena);

/*
 * The leaves of `tree` (positions, ascending, without repetition) whose rules may match the event;
 * `*leaf` lies in the evaluation's arena or the plan. false: no memory.
 */
KOP_MUST_CHECK bool tree_index_leaves(const struct evaluation *e, const struct tree *tree,
                                      const uint32_t **leaf, uint32_t *count);

/* The child of `group` whose subtree holds `leaf`. The tree has an index. */
uint32_t tree_index_child(const struct tree *tree, uint32_t group, uint32_t leaf);

#endif
