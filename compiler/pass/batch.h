/* Samples in a graph: which tensors have a part for each sample of the batch, and whether these are apart from each
 * other all the way to sums over the batch. */
#ifndef PASS_BATCH_H
#define PASS_BATCH_H

#include "compiler/ir/graph.h"

typedef enum {
    BATCH_APART, /* along `axis` an equal stretch for each sample, computed from that sample alone */
    BATCH_SUM,   /* a sum (product, maximum, minimum) over the samples of what is computed from each alone */
    BATCH_ONE    /* one value for all: of no sample, or computed from such sums */
} BatchKind;

/* How often a step may go through the batch: sums over the first time are there the second time, as the new values of
 * the parameters are that a report is computed with. */
enum { BATCH_ROUNDS = 4 };

/* What a node is to the batch. */
typedef struct {
    BatchKind kind;
    int axis;    /* BATCH_APART: a dim */
    int var;     /* the variable of a comprehension or scatter that runs over the samples; -1: none */
    bool inside; /* depends on samples, or on loops over their values: is made for each part of the batch */
    bool output; /* BATCH_APART: an output of the graph */
    int after;   /* rounds through the batch that come before it; of a sum, before the one that it is of */
} BatchUse;

typedef struct {
    const Graph *g;
    int64_t size;  /* samples of the batch */
    int64_t part;  /* samples of a part ... */
    int64_t rest;  /* ... and of the last one, where that is smaller: 0 where it is not */
    BatchUse *use; /* per node */
    int rounds;    /* how often the step goes through the batch */
    Ref mixed;     /* the first node that works on the batch as a whole; 0: none */
} Batch;

/** Looks at how `g`, which has no gradients left to take, uses the batch of `size` samples whose row numbers are input
 * `rows`, if it is cut into parts of `part` samples. */
Batch batch_find(const Graph *g, int rows, int64_t size, int64_t part);

/** How much more index expression `a` is one part further, where variable `var` runs over the samples through `extent`
 * values. False where that is not one number. */
bool batch_step(const Batch *b, const Aff *a, int var, int64_t extent, int64_t *step);

/** How many places a part of `n` samples takes of an axis of `extent`. */
int64_t batch_places(const Batch *b, int64_t extent, int64_t n);

#endif
