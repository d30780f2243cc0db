/* Contractions: sums of products of two operands that depend on different indices, as matrix products and convolutions.
 */
#ifndef PASS_CONTRACTION_H
#define PASS_CONTRACTION_H

#include "compiler/ir/graph.h"

/* out[outer..., rows..., lane] = sum over ks of a(outer, rows, ks) * b(outer, lane, ks), the dims in any order. */
typedef struct {
    Ex a, b;
    int lane;         /* the output index that only b uses and that becomes vectors */
    const int *rows;  /* output indices that only a uses */
    const int *outer; /* all other output indices */
    const int *ks;    /* reduction indices, as variables; both operands use them */
    int nrows, nouter, nks;
    int64_t m, n, k; /* products of their extents; n of lane's */
    bool unit;       /* b is a plain load, consecutive along `lane` */
} Contraction;

/** Whether node r is a contraction large enough for register tiles. */
bool contraction_of(Graph *g, Ref r, Contraction *out);

/** The element number of a load's place in its row-major tensor, gathers aside. */
const Aff *load_offset(Graph *g, Ref node, const Place *at);

/** A load at affine places: no guard, gather, conversion or operation around it. */
bool is_plain_load(const Graph *g, Ex e);

#endif
