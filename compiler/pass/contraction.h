/* Contractions: sums of products of two operands that depend on different indices, as matrix products and convolutions.
 */
#ifndef PASS_CONTRACTION_H
#define PASS_CONTRACTION_H

#include "compiler/ir/graph.h"

/* A bound on the sums of each row, of a matrix with a triangle or a band of zeros: k < sign * row + rest, or k >= that
 * where not `upper`. */
typedef struct {
    bool upper;
    int sign;        /* 1 or -1 */
    const Aff *rest; /* over the outer indices */
} Band;

/* out[outer..., rows..., lane] = sum over ks of a(outer, rows, ks) * b(outer, lane, ks), the dims in any order. */
typedef struct {
    Ex a, b;
    int lane;         /* the output index that only b uses and that becomes vectors */
    const int *rows;  /* output indices that only a uses */
    const int *outer; /* all other output indices */
    const int *ks;    /* reduction indices, as variables; both operands use them; a's nearest neighbours last */
    int nrows, nouter, nks;
    int64_t m, n, k;             /* products of their extents; n of lane's */
    bool unit;                   /* b is a plain load, consecutive along `lane` */
    bool streams;                /* ... and large beside few rows: to read it is most of the time */
    const bool *a_uses, *b_uses; /* per variable: whether a, or b, depends on it */
    Cond *where;                 /* on output indices of both sides: the result is 0 where one doesn't hold */
    int nwhere;

    /* by contraction_phases: */
    const int64_t *step; /* per output index: 1, or s > 1 where it is s*t + p, t among the rows and p among the outer */
    const Cond **ends;   /* per sum: its index runs only while this holds, or NULL */
    Cond *when;          /* there are sums only where these hold of the outer indices */
    int nwhen;
    Band bands[2]; /* of one index of rows and one sum; all hold */
    int nbands;
    double share; /* of the products, that these leave */
} Contraction;

/** Whether node r is a contraction large enough for register tiles. home: ir_homes(g). */
bool contraction_of(Graph *g, Ref r, const Ref *home, Contraction *out);

/** Splits output indices into places and phases, and finds which sums there are in each phase. */
void contraction_phases(Graph *g, Ref r, Contraction *c);

/** The element number of place `at` in the row-major tensor of node r, gathers aside. */
const Aff *place_offset(Graph *g, Ref r, const Place *at);
/** That of load `x`, simplified, where variable v < nvars runs over 0 .. extents[v]-1. */
const Aff *load_offset(Graph *g, const Expr *x, const int64_t *extents, int nvars);

/** Elements between neighbours along variable `var` of node `n` in the loads of `e`, at most; 0 where none depends on
 * it. */
int64_t load_stride(Graph *g, const Node *n, Ex e, int var);

/** A load at affine places: no guard, gather, conversion or operation around it. */
bool is_plain_load(const Graph *g, Ex e);

#endif
