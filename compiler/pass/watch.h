/* Where a step's first NaN or infinity came from: a graph that tells of every tensor where it holds one. */
#ifndef PASS_WATCH_H
#define PASS_WATCH_H

#include "compiler/ir/graph.h"

/* What is told of one node. In a scan, of each of its iterations, in the order of their numbers. */
typedef struct {
    int result;         /* result `result` of the watched graph has the row-major numbers of the first NaNs, the next
                           one those of the first infinities; WATCH_NONE where there is none; -1: not watched */
    int64_t iterations; /* of the scans around it; 1 outside of all */
    bool reverse;       /* they run from the last number down */
} Watched;

static const int64_t WATCH_NONE = INT64_MAX;

typedef struct {
    Graph *graph;   /* only results, the ones above, as I64 */
    Watched *nodes; /* by node of the graph that is watched */
    int nresults;
} Watch;

/** Watches every tensor of `g` (after autodiff, before anything is simplified) that holds floats, but for what an
 * iteration of a while computes. */
Watch watch_graph(Nnc *nnc, const Graph *g);

/** A graph of one result for each expression: the value of body[i], an expression of `g` over the variables of one of
 * its nodes outside of all scans, at the point `at` of these; f64. */
Graph *watch_values(Nnc *nnc, const Graph *g, const Ex *body, int n, const int64_t *at, int nvars);

#endif
