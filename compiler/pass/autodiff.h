/* The parts of pass_autodiff: the partial derivatives of a body, and the adjoint of one load. */
#ifndef PASS_AUTODIFF_H
#define PASS_AUTODIFF_H

#include "compiler/ir/graph.h"
#include "compiler/pass/rules.h"

/* The gradient `value` that a load gets, at the points where all conditions hold (what both load may be out of range
 * elsewhere). One load has several where it stands under several guards. */
typedef struct {
    Ex load, value;
    int nconds;
    const Cond *conds;
} Partial;

typedef VEC(Partial) Partials;

enum { AUTODIFF_DEEPEST = 5000 };

/* The reverse mode over scalar expressions. */
typedef struct {
    Graph *g;
    Arena *arena;
    Rules *rules;
    const bool *need;   /* whether a node's gradient leads to anything that was asked for */
    size_t nneed;       /* nodes from here on do not */
    VEC(uint8_t) live;  /* per expression: whether any needed load is below; 0 not known yet */
    VEC(uint32_t) slot; /* per expression: its place in the sweep under way, from 1 */
    VEC(int) depth;     /* per expression: how deep the longest nest below it is */
} BodyGrad;

/** Begins with another `need`; what was known about expressions is forgotten. */
void autodiff_body_start(BodyGrad *b, const bool *need, size_t nneed);
void autodiff_body_free(BodyGrad *b);

/** Whether any needed load stands below `body` where a gradient passes. */
bool autodiff_body_live(BodyGrad *b, Ex body);

/** Whether `body` is nested too deep to be walked, as gradients of gradients of many orders are. */
bool autodiff_body_deep(BodyGrad *b, Ex body);

/** Appends what the needed loads below `body` get, where dy is its gradient and y has its value. */
void autodiff_body(BodyGrad *b, Ex body, Ex y, Ex dy, Partials *out);

/* A summand of a node's gradient; a list. */
typedef struct {
    Ref node;
    uint32_t next; /* 0: the last */
} Summand;

/* The sweep for all gradients of one scalar. */
typedef struct {
    const Graph *from;
    Graph *g; /* under construction */
    Ref *refs;
    Ref *same_of; /* per node of `from`: the next N_GRAD of the same scalar */
    VEC(Summand) summands;
    VEC(uint32_t) first, last; /* per node of g: its summands */
    VEC(bool) need;            /* per node of g: a gradient must reach it */
    BodyGrad body;
    Partials partials;
    struct Level *level; /* the body of a backward scan that is being made; NULL: outside of all */
} Autodiff;

/** The gradient of node `r`, its summands added up in one comprehension; 0 where it has none. */
Ref autodiff_gradient(Autodiff *ad, Ref r);
void autodiff_add(Autodiff *ad, Ref to, Ref summand);
void autodiff_need(Autodiff *ad, Ref r, bool need);

/** Hands the gradient of node `r` (0 for a scan, whose results have them) on to what it is computed from. */
void autodiff_propagate(Autodiff *ad, Ref r, Ref grad);

/** Node `r` at variables 0 .. rank-1; zeros like node `r`. */
Ex autodiff_load(Graph *g, Ref r);
Ref autodiff_zeros(Graph *g, Ref r);

/** Gives what a partial in a body over variables 0 .. n-1 adds to the tensor that it loads, in `p.load`'s level. */
void autodiff_hand(Autodiff *ad, const Partial *p, int n, const int64_t *extents, Span at);

/** The backward scan of scan `r`: autodiff_scan.c. */
void autodiff_scan(Autodiff *ad, Ref r);

/** Keeps a partial whose tensor is outside of the level's body until that is complete; false where it is inside. */
bool autodiff_leaves(Autodiff *ad, const Partial *p, int n, const int64_t *extents, Span at);

/** What partial `p` adds to the gradient of the tensor that it loads, in a body over variables 0 .. n-1 of these
 * extents: a comprehension or a scatter of the tensor's shape. */
Ref autodiff_adjoint(Graph *g, const Partial *p, int n, const int64_t *extents, Span at);

#endif
