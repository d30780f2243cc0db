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
    VEC(uint8_t) live;  /* per expression: whether any needed load is below; 0 not known yet */
    VEC(uint32_t) slot; /* per expression: its place in the sweep under way, from 1 */
    VEC(int) depth;     /* per expression: how deep the longest nest below it is */
} BodyGrad;

/** Begins with another `need`; what was known about expressions is forgotten. */
void autodiff_body_start(BodyGrad *b, const bool *need);
void autodiff_body_free(BodyGrad *b);

/** Whether any needed load stands below `body` where a gradient passes. */
bool autodiff_body_live(BodyGrad *b, Ex body);

/** Whether `body` is nested too deep to be walked, as gradients of gradients of many orders are. */
bool autodiff_body_deep(BodyGrad *b, Ex body);

/** Appends what the needed loads below `body` get, where dy is its gradient and y has its value. */
void autodiff_body(BodyGrad *b, Ex body, Ex y, Ex dy, Partials *out);

/** What partial `p` adds to the gradient of the tensor that it loads, in a body over variables 0 .. n-1 of these
 * extents: a comprehension or a scatter of the tensor's shape. */
Ref autodiff_adjoint(Graph *g, const Partial *p, int n, const int64_t *extents, Span at);

#endif
