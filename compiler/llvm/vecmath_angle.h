/* Angles reduced to a quarter turn. */
#ifndef LLVM_VECMATH_ANGLE_H
#define LLVM_VECMATH_ANGLE_H

#include "compiler/llvm/scalar.h"

/* x = n pi/2 + r + low, |r| <= pi/4 (a little more by rounding). r and low are f64; the last two bits of n (i64) count.
 */
typedef struct {
    V r, low, n;
} Angle;

/** x: f64. Exact enough for every finite x; infinities and NaN give anything. */
Angle angle_reduce(const L *l, V x);

#endif
