/* What the files of this folder share. A term becomes a node unless it uses indices of an enclosing T_DEFINE or T_FOLD
 * ("free" indices): such terms are parts of the body of one (lower_index.c). */
#ifndef LOWER_STATE_H
#define LOWER_STATE_H

#include "compiler/lower/lower.h"

/* A set of indices of index notation. */
typedef struct {
    TermIndex *const *at;
    int n;
} IndexSet;

typedef struct {
    Nnc *nnc;
    Graph *g;
    const Program *program;
    const Unit *unit;
    Ref *refs;          /* by Term.id: its node; 0 where there is none (yet) */
    const Term **loops; /* by their number in the graph */
    int nloops;
    int64_t *extents; /* of scans, by that number */
    IndexSet *free;   /* by Term.id: the indices that it uses without ranging over them */
} Lower;

/* ---- lower.c: what everything is made with ---- */

int64_t lower_dim(Dim d);
const int64_t *lower_dims(Lower *l, Type t);

/** What values of `t` are computed in: F32 for F16 and BF16, otherwise `t`. */
DType lower_wide(DType t);

/** The node of a term that uses no free indices and was reached before, or is a number. */
Ref lower_ref(Lower *l, const Term *t);

/** The element of a term at `rows` (as many as its rank), in lower_wide of its type. Numbers need no load. */
Ex lower_element(Lower *l, const Term *t, const Place *rows);

/** As above, at the index variables of a result of `rank` dims, as broadcasting asks for. */
Ex lower_broadcast(Lower *l, const Term *t, int rank);

/** ir_comp, where an argmax over nothing is 0. */
Ref lower_reduction(Lower *l, Combine c, int rank, int nred, const int64_t *extents, Ex body, Span at);

/** The node of `t`: a comprehension over its dims and `nred` further extents. The result is converted to its type. */
Ref lower_comp(Lower *l, const Term *t, Combine c, int nred, const int64_t *reds, Ex body);

/** An array of `n` places in the arena; the place at an index expression, at variable `var`, at a constant. */
Place *lower_places(Lower *l, int n);
Place lower_at(const Aff *a);
Place lower_at_var(Lower *l, int var);
Place lower_at_const(Lower *l, int64_t c);

/** What stands for an element that does not exist: NaN, or 0 of integers. */
Ex lower_missing(Lower *l, DType t);

/** The reduction that a term's `op` names; RED_SUM also for "mean", which divides afterwards. */
Combine lower_combine(Name op);

/* ---- lower_tensor.c ---- */

/** The node of a term of the kinds that are operations on whole tensors. */
Ref lower_tensor(Lower *l, const Term *t);

/** One dim of a gathered load: the row that integer `index` names in a dim of `size`, clamped into it. `*valid` is
 * narrowed to where the index was in range (0 stands for "always"). */
Place lower_gathered(Lower *l, Ex index, int64_t size, Ex *valid);

/* ---- lower_index.c ---- */

/** The indices that `t` uses freely, from those of its operands. */
IndexSet lower_free(Lower *l, const Term *t);

/** The node of a T_DEFINE, or of a T_FOLD or T_ACCESS that uses no free indices. */
Ref lower_define(Lower *l, const Term *t);

/* ---- lower_random.c ---- */

Ref lower_random(Lower *l, const Term *t);

#endif
