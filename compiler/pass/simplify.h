/* The parts of pass_simplify. */
#ifndef PASS_SIMPLIFY_H
#define PASS_SIMPLIFY_H

#include "compiler/ir/graph.h"

/** What a load of node `n` of `g` at `at` is the same as: an element of another tensor or a value without any load,
 * where n only copies, permutes, slices, pads, repeats or counts; with `reshapes` also where n reshapes and the indices
 * stay simple. 0 where n computes something. */
Ex simplify_load(Graph *g, Ref n, const Place *at, bool reshapes);

/** The comprehension, its sum narrowed and its invariant factors taken out. */
Ref simplify_sum(Graph *g, int rank, int nred, const int64_t *extents, Ex body, Span at);

#endif
