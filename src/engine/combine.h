/*
 * combine.h - the combination tree: which of the rules that could fire do, and how much each gives.
 *
 * Owns:      candidates of a tree, and walking it.
 * Must not:  know what a discount or an earning is: the rules' own functions push their shares.
 * Meaning:   docs/semantics.md, "The combination tree".
 */
#ifndef KOP_ENGINE_COMBINE_H
#define KOP_ENGINE_COMBINE_H

#include "engine/evaluation.h"

/* Rules of a tree whose dates and `when` hold: positions of their leaves, ascending. */
struct candidates {
    uint32_t count;
    uint32_t *node;
    bool *met; /* by candidate: a run found a line that its `lines` match */
};

/* Test dates and `when` of the tree's rules, once on the receipt. false: no_memory. */
KOP_MUST_CHECK bool combine_candidates(struct evaluation *e, const struct tree *tree,
                                       struct candidates *out);

/*
 * Walk the tree over the candidates with e->price as the base of its root. What stands is left in
 * e->firings and e->shares, which it empties first; what was displaced is in the trace. `line` is
 * the line of scope line, else -1.
 */
void combine_run(struct evaluation *e, const struct tree *tree, const struct candidates *candidates,
                 int32_t line);

#endif
