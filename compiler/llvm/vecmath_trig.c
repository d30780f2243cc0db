/* sin, cos, tan, atan. Angles are reduced in f64, also those of f32: x = n pi/2 + r + low, |r| <= pi/4. */
#include "compiler/llvm/vecmath.h"
#include "compiler/llvm/vecmath_angle.h"

#include <math.h>

/* (sin(r)/r - 1) / r^2 in r^2 on |r| <= pi/4, such that sin is right to 4e-9 and 4e-18 */
static Poly sin_poly(DType t) {
    static const double f32[] = {-0x1.555546p-3, 0x1.11075cp-7, -0x1.994cd4p-13};
    static const double f64[] = {-0x1.5555555555549p-3, 0x1.111111110f893p-7,   -0x1.a01a019c126d5p-13,
                                 0x1.71de3577174e5p-19, -0x1.ae5e64f4584e4p-26, 0x1.5d92740b79793p-33};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* (cos(r) - 1 + r^2/2) / r^4 in r^2 there, such that cos is right to 1e-10 and 6e-20 */
static Poly cos_poly(DType t) {
    static const double f32[] = {0x1.55554ap-5, -0x1.6c0c94p-10, 0x1.9a03acp-16};
    static const double f64[] = {0x1.555555555554ep-5,   -0x1.6c16c16c154dfp-10, 0x1.a01a019cfa1e2p-16,
                                 -0x1.27e4f837cefacp-22, 0x1.1eea07b88beedp-29,  -0x1.8fbb9d9d0a1efp-37};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* (atan(x)/x - 1) / x^2 in x^2, |x| <= tan(pi/8), such that atan is right to 7e-10 and 2e-18 */
static Poly atan_poly(DType t) {
    static const double f32[] = {-0x1.55554ap-2, 0x1.9991dcp-3, -0x1.23b952p-3, 0x1.b22036p-4, -0x1.f2cf4p-5};
    static const double f64[] = {-0x1.5555555555543p-2, 0x1.99999999962aap-3,  -0x1.24924922e2516p-3,
                                 0x1.c71c70f7a28fap-4,  -0x1.745cfa93ae6a5p-4, 0x1.3b11340e74661p-4,
                                 -0x1.10ecc9c440728p-4, 0x1.df1d4b376320ap-5,  -0x1.9d0bea5859a77p-5,
                                 0x1.3859fc862247bp-5,  -0x1.2673789df669ap-6};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* sin and cos of r + low, low small */
typedef struct {
    V sin, cos;
} SinCos;

static SinCos sin_cos(const L *l, DType t, V r, V low) {
    V z = s_mul(l, r, r), half = s_mul(l, z, s_real(z, 0.5)), one = s_real(z, 1);
    V w = s_sub(l, one, half), lost = s_sub(l, s_sub(l, one, w), half);
    V s = s_mul(l, s_mul(l, r, z), s_apply(l, sin_poly(t), z));
    V c = s_mul(l, s_mul(l, z, z), s_apply(l, cos_poly(t), z));
    if (low) {
        s = s_fma(l, low, w, s);
        c = s_sub(l, c, s_mul(l, r, low));
    }
    return (SinCos){s_add(l, r, s), s_add(l, w, s_add(l, lost, c))};
}

static Angle reduce(const L *l, DType t, V x) {
    return angle_reduce(l, t == DT_F64 ? x : LLVMBuildFPExt(l->b, x, l_like(x, l->f64), ""));
}

/* sin and cos of r where x = n pi/2 + r, and n's last bits, as large as x's */
static SinCos quadrant(const L *l, DType t, V x, V *n) {
    Angle a = reduce(l, t, x);
    *n = a.n;
    if (t == DT_F64) return sin_cos(l, t, a.r, a.low);
    *n = LLVMBuildTrunc(l->b, a.n, l_like(x, l->i32), "");
    return sin_cos(l, t, LLVMBuildFPTrunc(l->b, a.r, LLVMTypeOf(x), ""), NULL);
}

static V is_odd(const L *l, V n) { return LLVMBuildTrunc(l->b, n, l_like(n, l->i1), ""); }

/* v with its sign changed where bit 1 of n is set */
static V flip(const L *l, V v, V n) {
    V sign = s_shl(l, s_shr(l, n, 1), l_bits(LLVMTypeOf(n)) - 1);
    return s_float(l, s_xor(l, s_bits(l, v), sign));
}

/* infinities have no angle */
static V or_nan(const L *l, V x, V v) {
    return s_select(l, s_lt(l, s_abs(l, x), s_real(x, (double)INFINITY)), v, s_sub(l, x, x));
}

/* x itself where it is so small that sin and tan are; keeps the sign of zero */
static V or_tiny(const L *l, DType t, V x, V v) {
    V tiny = s_lt(l, s_abs(l, x), s_real(x, t == DT_F64 ? 0x1p-27 : 0x1p-13));
    return s_select(l, tiny, x, v);
}

EMITTER(sin) {
    UNUSED;
    V n;
    SinCos v = quadrant(l, t, a[0], &n);
    return or_nan(l, a[0], or_tiny(l, t, a[0], flip(l, s_select(l, is_odd(l, n), v.cos, v.sin), n)));
}

EMITTER(cos) {
    UNUSED;
    V n;
    SinCos v = quadrant(l, t, a[0], &n);
    n = s_add(l, n, s_int(n, 1)); /* a quarter turn ahead of sin */
    return or_nan(l, a[0], flip(l, s_select(l, is_odd(l, n), v.cos, v.sin), n));
}

/* the quotient of two rounded numbers: in f64 for f32 */
EMITTER(tan) {
    UNUSED;
    Angle angle = reduce(l, t, a[0]);
    SinCos v = sin_cos(l, DT_F64, angle.r, angle.low);
    V odd = is_odd(l, angle.n), above = s_select(l, odd, s_neg(l, v.cos), v.sin),
      below = s_select(l, odd, v.sin, v.cos);
    V q = s_div(l, above, below);
    if (t == DT_F32) q = LLVMBuildFPTrunc(l->b, q, LLVMTypeOf(a[0]), "");
    return or_nan(l, a[0], or_tiny(l, t, a[0], q));
}

/* atan(x) = pi/4 + atan((x - 1) / (x + 1)) = pi/2 + atan(-1 / x): whichever has an argument below tan(pi/8) */
EMITTER(atan) {
    UNUSED;
    bool d = t == DT_F64;
    V x = s_abs(l, a[0]), one = s_real(x, 1), zero = s_real(x, 0);
    V middle = s_lt(l, s_real(x, 0x1.a827999fcef32p-2), x), large = s_lt(l, s_real(x, 0x1.3504f333f9de6p+1), x);
    V above = s_select(l, large, s_real(x, -1), s_select(l, middle, s_sub(l, x, one), x));
    V below = s_select(l, large, x, s_select(l, middle, s_add(l, x, one), one));
    V base = s_select(l, large, s_real(x, d ? 0x1.921fb54442d18p+0 : 0x1.921fb6p+0),
                      s_select(l, middle, s_real(x, d ? 0x1.921fb54442d18p-1 : 0x1.921fb6p-1), zero));
    V low = s_select(l, large, s_real(x, d ? 0x1.1a62633145c07p-54 : -0x1.777a5cp-25),
                     s_select(l, middle, s_real(x, d ? 0x1.1a62633145c07p-55 : -0x1.777a5cp-26), zero));
    V q = s_div(l, above, below), z = s_mul(l, q, q);
    V tail = s_fma(l, s_mul(l, q, z), s_apply(l, atan_poly(t), z), low);
    return s_copysign(l, s_add(l, base, s_add(l, tail, q)), a[0]);
}
