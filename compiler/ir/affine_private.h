/* What the files of this folder share about index expressions, beyond affine.h. */
#ifndef IR_AFFINE_PRIVATE_H
#define IR_AFFINE_PRIVATE_H

#include "compiler/ir/affine.h"

int64_t floor_div(int64_t a, int64_t b); /* b > 0; rounds down */
int64_t floor_mod(int64_t a, int64_t b); /* b > 0; 0 <= result < b */

/** A total order by structure alone: the same in every table. */
int aff_cmp(const Aff *a, const Aff *b);

/** Whether `a` and `b` (of one table) differ by a constant alone. */
bool aff_same_linear(const Aff *a, const Aff *b);

/** k times the atom of term `x`. */
const Aff *aff_atom(AffTable *t, AffTerm x, int64_t k);

#endif
