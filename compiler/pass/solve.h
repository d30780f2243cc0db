/* Index equations solved over a box: the adjoint of a load, and sums whose index an equality fixes.
 *
 * Variables 0 .. nknown-1 are known, the nunknown after them are not; variable v runs over 0 .. extent[v]-1. Each row
 * is an index expression that must be 0. A solution gives every unknown as an expression over the known variables and
 * those that remain free, with the conditions under which it is one: for each point of the known variables, the points
 * of the free ones at which all conditions hold map one to one onto the unknowns that make every row 0. */
#ifndef PASS_SOLVE_H
#define PASS_SOLVE_H

#include "compiler/ir/affine.h"
#include "compiler/ir/graph.h"

typedef struct {
    int nvars;              /* variables now: the known, then the free ones */
    const int64_t *extents; /* `nvars` of them */
    const Aff **unknown;    /* each of the nunknown over the variables now */
    int nconds;
    const Cond *conds; /* without those that always hold */
    bool never;        /* no point solves it */
    bool entangled;    /* some row could not be solved and is one of the conditions instead */
} Solution;

/** Always right; as few free variables as it finds. The result lives in `a`. */
Solution solve_rows(AffTable *t, Arena *a, int nknown, int nunknown, const int64_t *extent, int nrows,
                    const Aff *const *rows);

#endif
