/* log, log1p. */
#include "compiler/llvm/vecmath.h"

#include <math.h>

/* (2 atanh(s)/s - 2) / s^2 in s^2, |s| <= (sqrt 2 - 1) / (sqrt 2 + 1), to 1e-11 and 3e-18 */
static Poly log_poly(DType t) {
    static const double f32[] = {0x1.555554p-1, 0x1.999a7ap-2, 0x1.2438f4p-2, 0x1.e2f556p-3};
    static const double f64[] = {0x1.555555555558fp-1, 0x1.9999999980874p-2, 0x1.24924941831d8p-2, 0x1.c71c524b3d697p-3,
                                 0x1.7466350849c32p-3, 0x1.39a26e823a336p-3, 0x1.2f00c5038155ep-3};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

Split s_split(const L *l, DType t, V x) {
    const FloatType *f = float_type(t);
    V scale = s_real(x, t == DT_F64 ? 0x1p54 : 0x1p25), subnormal = s_lt(l, x, s_real(x, f->smallest));
    x = s_select(l, subnormal, s_mul(l, x, scale), x);
    V bits = s_bits(l, x), root = s_bits(l, s_real(x, 0x1.6a09e667f3bcdp-1)); /* sqrt(1/2) */
    V moved = s_sub(l, bits, root), k = s_sar(l, moved, f->mantissa);
    V m = s_float(l, s_sub(l, bits, s_shl(l, k, f->mantissa)));
    k = s_sub(l, k, s_select(l, subnormal, s_int(k, t == DT_F64 ? 54 : 25), s_int(k, 0)));
    V shift = s_real(x, f->shift); /* whose last bits count in ones */
    return (Split){s_sub(l, s_float(l, s_add(l, k, s_bits(l, shift))), shift), m};
}

/* log(x) + more, more small: with f = m - 1 and s = f / (2 + f), log m = f - f^2/2 + s (f^2/2 + s^2 P(s^2)) */
V s_log(const L *l, DType t, V x, V more) {
    const FloatType *type = float_type(t);
    Split d = s_split(l, t, x);
    V f = s_sub(l, d.m, s_real(x, 1)), s = s_div(l, f, s_add(l, f, s_real(x, 2))), z = s_mul(l, s, s);
    V half = s_mul(l, s_mul(l, f, f), s_real(x, 0.5)), r = s_mul(l, z, s_apply(l, log_poly(t), z));
    V low = s_mul(l, d.k, s_real(x, type->ln2_lo));
    if (more) low = s_add(l, low, more);
    V tail = s_sub(l, s_sub(l, half, s_fma(l, s, s_add(l, half, r), low)), f);
    V v = s_fma(l, d.k, s_real(x, type->ln2_hi), s_neg(l, tail));
    V zero = s_real(x, 0), infinity = s_real(x, (double)INFINITY);
    v = s_select(l, s_lt(l, x, infinity), v, x); /* infinity and NaN */
    v = s_select(l, s_lt(l, x, zero), s_real(x, (double)NAN), v);
    return s_select(l, s_eq(l, x, zero), s_neg(l, infinity), v);
}

EMITTER(log) { return UNUSED, s_log(l, t, a[0], NULL); }

/* log(u) with u = 1 + x rounded, and what was lost: (x - (u - 1)) / u */
EMITTER(log1p) {
    UNUSED;
    V x = a[0], one = s_real(x, 1), u = s_add(l, one, x);
    V small = s_lt(l, s_abs(l, x), one);
    V lost = s_select(l, small, s_sub(l, x, s_sub(l, u, one)), s_sub(l, one, s_sub(l, u, x)));
    V v = s_log(l, t, u, s_div(l, lost, u));
    V tiny = s_lt(l, s_abs(l, x), s_real(x, t == DT_F64 ? 0x1p-54 : 0x1p-25));
    return s_select(l, tiny, x, v);
}
