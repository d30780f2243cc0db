/* Sizes: numbers and polynomials in named sizes, each made once, so that equal sizes are the same pointer. */
#ifndef LANG_DIM_H
#define LANG_DIM_H

#include "lang/typed.h"

/* The table of all sizes of one program. */
typedef struct Dims Dims;

Dims *dims_new(Arena *arena);

Dim dim_number(Dims *ds, int64_t value);

/** A size of its own, different from every other one of that name. */
Dim dim_fresh(Dims *ds, Name name);

/** The unknown that `text` describes ("max(H, 3)"): one for each text. */
Dim dim_opaque(Dims *ds, Name text);

/* Arithmetic. Results beyond 64 bits stay at the largest number. Divisors are not zero; quotients round down, and a
 * size that divides exactly leaves a polynomial: N*28*28 / (N*28) is 28. */
Dim dim_add(Dims *ds, Dim a, Dim b);
Dim dim_sub(Dims *ds, Dim a, Dim b);
Dim dim_mul(Dims *ds, Dim a, Dim b);
Dim dim_div(Dims *ds, Dim a, Dim b);

/** Whether a - b is known to be one number whatever the names stand for, and that number. */
bool dim_difference(Dims *ds, Dim a, Dim b, int64_t *difference);

/** Whether two sizes are known to differ. */
bool dim_differs(Dims *ds, Dim a, Dim b);

static inline bool dim_is(Dim d, int64_t value) {
    int64_t v;
    return dim_is_const(d, &v) && v == value;
}

#endif
