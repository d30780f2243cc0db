/* The parts of pass_simplify. */
#ifndef PASS_SIMPLIFY_H
#define PASS_SIMPLIFY_H

#include "compiler/ir/graph.h"

/** What a load of node `n` of `g` at `at` is the same as: an element of another tensor or a value without any load,
 * where n only copies, permutes, slices, pads, repeats or counts; with `reshapes` also where n reshapes and the indices
 * stay simple. 0 where n computes something. */
Ex simplify_load(Graph *g, Ref n, const Place *at, bool reshapes);

/** The comprehension, its sum narrowed and its invariant factors taken out; with `through` also those of nodes of which
 * it reads no element twice. */
Ref simplify_sum(Graph *g, int rank, int nred, const int64_t *extents, Ex body, bool through, Span at);

/* ---- loops: simplify_loop.c ---- */

typedef struct Loops Loops;

/** The loops of a graph; `barrier` nodes stay what they are. */
Loops *loops_find(const Graph *g, const bool *barrier);

/** Marks what live node r needs, of a loop only the carries that something reads. Nodes are gone through from the last
 * to the first; the number returned is r, or the one to go back to. */
Ref loops_mark(Loops *l, Ref r, bool *live);

/** ir_copy, but carries that nothing reads or that never change are left out. */
Ref loops_copy(const Loops *l, Graph *to, Ref r, const Ref *refs);

#endif
