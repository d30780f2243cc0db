/* Index notation on its way into a body: the indices in scope, what holds where an expression is evaluated, and what a
 * scalar term came to. */
#ifndef LOWER_SCOPE_H
#define LOWER_SCOPE_H

#include "compiler/lower/lower_state.h"

/* Conditions that all hold. */
typedef struct {
    const Cond *at;
    int n;
} Conds;

/* The indices of one comprehension: index v is variable v. */
typedef struct {
    int n;
    TermIndex *const *indices;
    const int64_t *extents;
    bool leans; /* some load is inside its tensor only because of conditions from outside of the comprehension */
} Scope;

/* A place where expressions are evaluated: the branch of a "select" adds what decides for it. The first `outer`
 * conditions come from around the comprehension. */
typedef struct {
    Scope *scope;
    Conds conds;
    int outer;
    int id;
} Context;

/* What a scalar term came to. */
typedef struct {
    Ex ex;                 /* in lower_wide of its type; 0: make it of `aff` */
    const Aff *aff;        /* of integers that are index expressions, else NULL */
    const Conds *yes, *no; /* of bools: what its being true, its being false amounts to; NULL where that is not a
                              conjunction of conditions on index expressions */
} Value;

/* ---- lower_conds.c ---- */

int lower_scope_find(const Scope *s, const TermIndex *i); /* its variable, or -1 */

/** Sets `yes` and `no` of `v`, the result of `op` over `a` (and `b`), where it compares index expressions or joins such
 * comparisons; leaves them otherwise. */
void lower_conds_of(Lower *l, ExKind op, const Value *a, const Value *b, Value *v);

/** All of `a` and all of `b`. */
Conds lower_conds_join(Lower *l, Conds a, Conds b);

/** The conditions of `c` that only speak of the `n` indices in `map`: variable v becomes map[v], NULL: not among them.
 */
Conds lower_conds_map(Lower *l, Conds c, const Aff *const *map, int n);

/** Whether 0 <= a < size wherever `c` says that we are. May mark the scope as leaning on outer conditions. */
bool lower_proves(Lower *l, const Context *c, const Aff *a, int64_t size);

#endif
