/* Functions of floats as inlined polynomials, for scalars and vectors of f32 and f64. The coefficients are minimax fits
 * (Remez); each comment says what of. Errors in units of the last place are in README.md; the tests measure them. */
#ifndef LLVM_VECMATH_H
#define LLVM_VECMATH_H

#include "compiler/llvm/scalar.h"

#define EMITTER(name) V emit_##name(const L *l, DType t, DType to, const V *a)
#define UNUSED (void)t, (void)to

/* Facts of a float type. */
typedef struct {
    int mantissa;          /* bits after the point */
    int bias;              /* of the exponent */
    double shift;          /* 1.5 * 2^mantissa: added, it leaves an integer in the last bits */
    double ln2_hi, ln2_lo; /* hi has so few bits that a multiple of it is exact */
    double smallest;       /* normal number */
} FloatType;

const FloatType *float_type(DType t);

/* A polynomial's coefficients, from the constant one on. */
typedef struct {
    const double *c;
    int n;
} Poly;
#define POLY(table) ((Poly){table, (int)COUNT(table)})

static inline V s_apply(const L *l, Poly p, V x) { return s_poly(l, x, p.c, p.n); }

/** 2^n for integers n (as bits of the float's size) in the range of normal exponents. */
V s_power2(const L *l, DType t, V n);

/** x = n ln 2 + r with |r| <= ln 2 / 2; n as a float and as an integer. x is at most a few hundred (f64: thousand). */
typedef struct {
    V n, integer, r;
} Reduced;
Reduced s_reduce_ln2(const L *l, DType t, V x);

/** exp(x + low); low is small, NULL for none. */
V s_exp(const L *l, DType t, V x, V low);

/** log(x) + more; more is small, NULL for none. */
V s_log(const L *l, DType t, V x, V more);

/** x = 2^k m with sqrt(1/2) <= m < sqrt 2; k as a float. x is positive and finite. */
typedef struct {
    V k, m;
} Split;
Split s_split(const L *l, DType t, V x);

#endif
