/* Index expressions: a constant plus integer multiples of index variables, quotients and remainders.
 *
 *     3*i0 + k1 - 1        (5*i0 + i1) div 7        (5*i0 + i1) mod 7
 *
 * Quotients round down and remainders are never negative. Expressions are shared within a graph's arena and always
 * canonical, so equal ones are the same pointer. Variables are small integers: in a comprehension 0 .. rank-1 are its
 * output indices and rank .. rank+nred-1 its reduction indices; in a kernel they are its loops. */
#ifndef IR_AFFINE_H
#define IR_AFFINE_H

#include "compiler/base/arena.h"
#include "compiler/base/base.h"

typedef struct Aff Aff;
typedef struct AffTable AffTable; /* the sharing table; one a graph */

typedef enum { ATOM_VAR, ATOM_DIV, ATOM_MOD } AtomKind;

typedef struct {
    int64_t coef; /* never 0 */
    AtomKind kind;
    int var;       /* ATOM_VAR */
    const Aff *of; /* ATOM_DIV, ATOM_MOD */
    int64_t by;    /* its divisor, at least 2 */
} AffTerm;

struct Aff {
    int64_t constant;
    int nterms;
    uint32_t id;     /* number within the table, for ordering and hashing */
    AffTerm terms[]; /* sorted, distinct atoms */
};

AffTable *aff_table_new(Arena *a);

const Aff *aff_const(AffTable *t, int64_t c);
const Aff *aff_var(AffTable *t, int var);
const Aff *aff_add(AffTable *t, const Aff *a, const Aff *b);
const Aff *aff_sub(AffTable *t, const Aff *a, const Aff *b);
const Aff *aff_scale(AffTable *t, const Aff *a, int64_t k);
const Aff *aff_div(AffTable *t, const Aff *a, int64_t by); /* by >= 1; rounds down */
const Aff *aff_mod(AffTable *t, const Aff *a, int64_t by); /* by >= 1; 0 <= result < by */

/** `a` with each variable v < n replaced by map[v] (NULL: kept). */
const Aff *aff_subst(AffTable *t, const Aff *a, const Aff *const *map, int n);

/** The smallest and largest value while every variable v runs over 0 .. extent[v]-1 (exact for affine expressions, safe
 * bounds with quotients and remainders). A variable at or beyond `n`, or with extent <= 0, is unbounded: false. */
bool aff_range(const Aff *a, const int64_t *extent, int n, int64_t *lo, int64_t *hi);

/** The same value, simpler, knowing the ranges of the variables: e div s is 0 where 0 <= e < s; (s*q + r) div s is q +
 * r div s; s*(e div s) + e mod s is e; (e mod a*b) mod b is e mod b; (e div a) div b is e div a*b. */
const Aff *aff_simplify(AffTable *t, const Aff *a, const int64_t *extent, int n);

bool aff_is_const(const Aff *a, int64_t *value);
bool aff_is_var(const Aff *a, int *var);             /* exactly one variable, coefficient 1, no constant */
bool aff_uses(const Aff *a, int var);                /* inside quotients and remainders too */
void aff_mark_uses(const Aff *a, bool *used, int n); /* the variables below n, likewise */

/** If `a` is coef*var + rest, with `rest` free of `var`: true. (false where var is inside a quotient or remainder). */
bool aff_split(AffTable *t, const Aff *a, int var, int64_t *coef, const Aff **rest);

/** The value where variable v is at[v]. */
int64_t aff_eval(const Aff *a, const int64_t *at);

/** "3*i0 + k1 - 1"; `name` gives a variable's text (NULL: "v%d"). */
void aff_print(Str *out, const Aff *a, void (*name)(Str *out, int var, void *self), void *self);

#endif
