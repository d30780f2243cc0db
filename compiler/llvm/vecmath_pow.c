/* pow: exp(y log |x|), the logarithm with more digits than the type has, and the special cases of C's pow. For f32 f64
 * has enough digits; f64 carries pairs of numbers. */
#include "compiler/llvm/vecmath.h"

#include <math.h>

/* ---- pairs ---- */

/* The number high + low, low at most half a unit of high. */
typedef struct {
    V high, low;
} Pair;

/* |a| >= |b| */
static Pair sum(const L *l, V a, V b) {
    V s = s_add(l, a, b);
    return (Pair){s, s_sub(l, b, s_sub(l, s, a))};
}

/* the upper 26 bits */
static V upper(const L *l, V a) {
    V big = s_mul(l, a, s_real(a, 0x1.0000002p27));
    return s_sub(l, big, s_sub(l, big, a));
}

static Pair product(const L *l, V a, V b) {
    V p = s_mul(l, a, b);
    if (l->target->machine.fma) return (Pair){p, l_call3(l, "llvm.fma", a, b, s_neg(l, p))};
    V a1 = upper(l, a), a2 = s_sub(l, a, a1), b1 = upper(l, b), b2 = s_sub(l, b, b1);
    V e = s_sub(l, s_mul(l, a1, b1), p);
    e = s_add(l, s_add(l, e, s_mul(l, a1, b2)), s_mul(l, a2, b1));
    return (Pair){p, s_add(l, e, s_mul(l, a2, b2))};
}

/* ---- the logarithm of an f64 as a pair ---- */

/* ((2 atanh(s)/s - 2) / s^2 - 2/3) / s^2 in s^2, |s| <= (sqrt 2 - 1) / (sqrt 2 + 1), to 4e-20 of 2 atanh(s)/s */
static Poly log_tail_poly(void) {
    static const double c[] = {0x1.99999999999e1p-2, 0x1.249249247b399p-2, 0x1.c71c720047997p-3, 0x1.745cf81d74213p-3,
                               0x1.3b1c8b0cb0fecp-3, 0x1.0fb3b2687f14bp-3, 0x1.0c7f1bec3f4d5p-3};
    return POLY(c);
}

/* (m - 1) / (m + 1) */
static Pair quotient(const L *l, V m) {
    V one = s_real(m, 1), f = s_sub(l, m, one), d = s_add(l, m, one), d_low = s_sub(l, m, s_sub(l, d, one));
    V s = s_div(l, f, d);
    Pair back = product(l, s, d);
    V rest = s_sub(l, s_sub(l, s_sub(l, f, back.high), back.low), s_mul(l, s, d_low));
    return (Pair){s, s_div(l, rest, d)};
}

/* log(x) for finite x > 0: k ln 2 + 2s + s (2/3 z + z^2 P(z)), z = s^2 */
static Pair log_pair(const L *l, V x) {
    const FloatType *type = float_type(DT_F64);
    Split d = s_split(l, DT_F64, x);
    Pair s = quotient(l, d.m), z = product(l, s.high, s.high);
    z.low = s_fma(l, s_add(l, s.high, s.high), s.low, z.low);
    V third = s_real(x, 0x1.5555555555555p-1), third_low = s_real(x, 0x1.5555555555555p-55); /* 2/3 */
    Pair t = product(l, z.high, third);
    t.low = s_fma(l, z.low, third, s_fma(l, z.high, third_low, t.low));
    t.low = s_fma(l, s_mul(l, z.high, z.high), s_apply(l, log_tail_poly(), z.high), t.low);
    Pair q = product(l, s.high, t.high);
    V small = s_fma(l, s.high, t.low, s_fma(l, s.low, t.high, s_fma(l, s.low, s_real(x, 2), q.low)));
    Pair m = sum(l, s_add(l, s.high, s.high), q.high);
    Pair v = sum(l, s_mul(l, d.k, s_real(x, type->ln2_hi)), m.high);
    V low = s_add(l, v.low, s_add(l, s_add(l, m.low, small), s_mul(l, d.k, s_real(x, type->ln2_lo))));
    return sum(l, v.high, low);
}

/* ---- |x|^y ---- */

static V power_f64(const L *l, V x, V y) {
    V finite = s_and(l, s_lt(l, s_real(x, 0), x), s_lt(l, x, s_real(x, (double)INFINITY)));
    Pair log = log_pair(l, s_select(l, finite, x, s_real(x, 1)));
    log.high = s_select(l, finite, log.high, s_log(l, DT_F64, x, NULL));
    Pair p = product(l, log.high, y);
    V low = s_fma(l, log.low, y, p.low), bounded = s_lt(l, s_abs(l, p.high), s_real(x, 1000));
    return s_exp(l, DT_F64, p.high, s_select(l, bounded, low, s_real(x, 0)));
}

static V power_f32(const L *l, V x, V y) {
    LLVMTypeRef wide = l_like(x, l->f64);
    V log = s_log(l, DT_F64, LLVMBuildFPExt(l->b, x, wide, ""), NULL);
    V v = s_exp(l, DT_F64, s_mul(l, log, LLVMBuildFPExt(l->b, y, wide, "")), NULL);
    return LLVMBuildFPTrunc(l->b, v, LLVMTypeOf(x), "");
}

/* ---- signs and special cases ---- */

static V is_integer(const L *l, DType t, V y) {
    V big = s_le(l, s_real(y, t == DT_F64 ? 0x1p53 : 0x1p24), s_abs(l, y));
    return s_or(l, big, s_eq(l, emit_round(l, t, t, &y), y));
}

EMITTER(pow) {
    (void)to;
    V x = a[0], y = a[1], zero = s_real(x, 0), one = s_real(x, 1), size = s_abs(l, x);
    V v = t == DT_F64 ? power_f64(l, size, y) : power_f32(l, size, y);
    /* 1 to infinity is 1, not exp(infinity * 0) */
    v = s_select(l, s_and(l, s_eq(l, size, one), s_not(l, s_is_nan(l, y))), one, v);
    /* odd: an integer whose half is none; the sign bit counts, also that of -0 */
    V whole = is_integer(l, t, y), half = s_mul(l, y, s_real(y, 0.5));
    V odd = s_and(l, whole, s_not(l, is_integer(l, t, half)));
    V sign = s_and(l, s_bits(l, x), s_shl(l, s_int(s_bits(l, x), 1), l_bits(LLVMTypeOf(x)) - 1));
    V flipped = s_float(l, s_or(l, s_bits(l, v), sign));
    v = s_select(l, odd, flipped, v);
    V negative = s_and(l, s_lt(l, x, zero), s_lt(l, s_real(x, -(double)INFINITY), x));
    v = s_select(l, s_and(l, negative, s_not(l, whole)), s_real(x, (double)NAN), v);
    return s_select(l, s_or(l, s_eq(l, y, zero), s_eq(l, x, one)), one, v);
}
