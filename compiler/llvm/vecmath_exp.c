/* exp, expm1 and what follows from them: sigmoid, tanh, erf, erfc. */
#include "compiler/llvm/vecmath.h"

const FloatType *float_type(DType t) {
    static const FloatType f32 = {23, 127, 0x1.8p23, 0x1.62e4p-1, 0x1.7f7d1cp-20, 0x1p-126};
    static const FloatType f64 = {52, 1023, 0x1.8p52, 0x1.62e42feep-1, 0x1.a39ef35793c76p-33, 0x1p-1022};
    return t == DT_F64 ? &f64 : &f32;
}

/* (exp(r) - 1 - r) / r^2 on |r| <= ln 2 / 2, such that exp is right to 3e-9 and 4e-18 */
static Poly exp_poly(DType t) {
    static const double f32[] = {0x1p-1, 0x1.55548ep-3, 0x1.55545ep-5, 0x1.123be8p-7, 0x1.6db4aep-10};
    static const double f64[] = {0x1.000000000000bp-1,  0x1.5555555555561p-3,  0x1.555555555028dp-5,
                                 0x1.111111110d6cdp-7,  0x1.6c16c1854e919p-10, 0x1.a01a01bac568ap-13,
                                 0x1.a01997378e16ap-16, 0x1.71dddfea594f1p-19, 0x1.28afe48e1e6eep-22,
                                 0x1.af8580679f088p-26};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* the same, such that exp(r) - 1 is right to 3e-10 and 3e-19 of itself */
static Poly expm1_poly(DType t) {
    static const double f32[] = {0x1p-1, 0x1.555556p-3, 0x1.5554acp-5, 0x1.11108ep-7, 0x1.6d7598p-10, 0x1.a1a2bap-13};
    static const double f64[] = {0x1p-1,
                                 0x1.5555555555559p-3,
                                 0x1.555555555555ap-5,
                                 0x1.111111110f65ap-7,
                                 0x1.6c16c16c143e7p-10,
                                 0x1.a01a01b00cf62p-13,
                                 0x1.a01a01b0da968p-16,
                                 0x1.71ddf7e1c29cfp-19,
                                 0x1.27e4c550b6ad7p-22,
                                 0x1.af5f9ad734886p-26,
                                 0x1.1f95e3daf9324p-29};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* (tanh(x)/x - 1) / x^2 in x^2, |x| <= 0.64, such that tanh is right to 5e-9 and 2e-17 of itself */
static Poly tanh_poly(DType t) {
    static const double f32[] = {-0x1.55552ep-2, 0x1.1105c6p-3, -0x1.b80a5ep-5, 0x1.50cc2p-6, -0x1.6f8d7ep-8};
    static const double f64[] = {-0x1.55555555554ep-2,   0x1.1111111108774p-3,  -0x1.ba1ba1b33ecc9p-5,
                                 0x1.664f4727a9ea8p-6,   -0x1.226e0d9a741a2p-7, 0x1.d6ce140542eb1p-9,
                                 -0x1.7d5da22bea334p-10, 0x1.331ea33a6d284p-11, -0x1.dd19d0b4864e5p-13,
                                 0x1.3e8c1a45e3f67p-14,  -0x1.03f44bb649a3ep-16};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* erf(x)/x - 1 in x^2, |x| <= 1, to 1e-9 and 1e-19 */
static Poly erf_poly(DType t) {
    static const double f32[] = {0x1.06eba8p-3, -0x1.81273ep-2,  0x1.ce2d2p-4,  -0x1.b7fbb4p-6,
                                 0x1.5419f4p-8, -0x1.a485ecp-11, 0x1.4ae4cep-14};
    static const double f64[] = {0x1.06eba8214db69p-3,   -0x1.812746b0379e6p-2,  0x1.ce2f21a042b34p-4,
                                 -0x1.b82ce31284f37p-6,  0x1.565bcd0dbd8fcp-8,   -0x1.c02db3db49229p-11,
                                 0x1.f9a321e4b11dap-14,  -0x1.f4d1e434598edp-17, 0x1.b9df305983abbp-20,
                                 -0x1.5f1f40ed7a0acp-23, 0x1.f7b99d6b9a9eep-27,  -0x1.38ac23bc03208p-30,
                                 0x1.0627603d92bb0p-34};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* log(erfc(x)), 0.9 <= x <= 4 (f64: 5.95), such that erf is right to 6e-11 and 3e-19 */
static Poly log_erfc_poly(DType t) {
    static const double f32[] = {0x1.65abe8p-13, -0x1.212698p+0, -0x1.444b42p-1, -0x1.bb565p-4,
                                 0x1.9b1956p-6,  -0x1.10aa02p-8, 0x1.c54d48p-12, -0x1.5ecd9ep-16};
    static const double f64[] = {
        -0x1.31f2368b34ad4p-27, -0x1.20dd740d27073p+0,  -0x1.45f307eec5285p-1,  -0x1.a4f5ead17f6a3p-4,
        0x1.397cf8ac86185p-6,   0x1.95b919e2db607p-13,  -0x1.b459a669ecddcp-10, 0x1.1c8a2628e0b78p-11,
        0x1.e8866e7d467b9p-16,  -0x1.e253f6f15f70bp-14, 0x1.18127d6c6ac96p-14,  -0x1.a4612065857e0p-16,
        0x1.d76a486acdb2dp-18,  -0x1.9a72611e42cf6p-20, 0x1.16c5394999c94p-22,  -0x1.2333305533a82p-25,
        0x1.c4ec3745cebfap-29,  -0x1.ee6dc2b7a647dp-33, 0x1.520ede044f388p-37,  -0x1.b39d8ab2dd691p-43};
    return t == DT_F64 ? POLY(f64) : POLY(f32);
}

/* (1 + 2x) exp(x^2) erfc(x) in (x - 3) / (x + 3), 0.5 <= x <= 27.3, to 5e-17 */
static const double scaled_erfc[] = {
    0x1.40c522d7e4987p+0,  -0x1.15c084bb9e8f8p-3,  -0x1.85a15c58aa5acp-5,  0x1.098366a5b4983p-3,
    -0x1.e88b803a498fcp-4, 0x1.17ca2877e2fa9p-4,   -0x1.8574c40b9a5fcp-6,  0x1.4b884e6511e4ep-9,
    0x1.ef1bdd0bad21fp-10, -0x1.98db56640e17bp-11, -0x1.b9124caa07f04p-14, 0x1.065abb35f5fbep-13,
    0x1.4c148f371d109p-18, -0x1.514b5d0025f5ep-16, -0x1.863bb5b22951bp-21, 0x1.d341f58c1e3c1p-19,
    0x1.71e921fcf1e3dp-22, -0x1.51e72d9ce88b1p-21, -0x1.04b5ad5934720p-23, 0x1.de2edd171a46ep-24,
    0x1.87e87b6c8f7c8p-26, -0x1.05fe5973539a0p-26};

/* ---- parts ---- */

V s_power2(const L *l, DType t, V n) {
    return s_float(l, s_shl(l, s_add(l, n, s_int(n, float_type(t)->bias)), float_type(t)->mantissa));
}

Reduced s_reduce_ln2(const L *l, DType t, V x) {
    const FloatType *f = float_type(t);
    V shift = s_real(x, f->shift), shifted = s_fma(l, x, s_real(x, 0x1.71547652b82fep+0), shift);
    V n = s_sub(l, shifted, shift), integer = s_sub(l, s_bits(l, shifted), s_bits(l, shift));
    V r = s_fma(l, n, s_real(x, -f->ln2_hi), x);
    return (Reduced){n, integer, s_fma(l, n, s_real(x, -f->ln2_lo), r)};
}

/* NaN stays */
static V clamp(const L *l, V x, double lo, double hi) {
    x = s_select(l, s_lt(l, x, s_real(x, lo)), s_real(x, lo), x);
    return s_select(l, s_lt(l, s_real(x, hi), x), s_real(x, hi), x);
}

/* ---- exp ---- */

/* e^x = (p + low) 2^half 2^rest: in two steps, since 2^n may be out of range where the result is not. low is what p was
 * rounded by. */
typedef struct {
    V p, low, half, rest;
} Exponential;

static Exponential exponential(const L *l, DType t, V x, V more) {
    x = t == DT_F64 ? clamp(l, x, -746, 710) : clamp(l, x, -104, 89);
    Reduced d = s_reduce_ln2(l, t, x);
    if (more) d.r = s_add(l, d.r, more);
    V q = s_mul(l, s_mul(l, d.r, d.r), s_apply(l, exp_poly(t), d.r));
    V tail = s_add(l, q, d.r), one = s_real(x, 1), p = s_add(l, tail, one), half = s_sar(l, d.integer, 1);
    return (Exponential){p, s_sub(l, tail, s_sub(l, p, one)), s_power2(l, t, half),
                         s_power2(l, t, s_sub(l, d.integer, half))};
}

static V scaled(const L *l, Exponential e, V v) { return s_mul(l, s_mul(l, v, e.half), e.rest); }

V s_exp(const L *l, DType t, V x, V low) {
    Exponential e = exponential(l, t, x, low);
    return scaled(l, e, e.p);
}

/* The same where e^x and 2^n are known to be normal numbers: in one step. */
static V exp_near(const L *l, DType t, V x) {
    Reduced d = s_reduce_ln2(l, t, x);
    V p = s_add(l, s_fma(l, s_mul(l, d.r, d.r), s_apply(l, exp_poly(t), d.r), d.r), s_real(x, 1));
    return s_mul(l, p, s_power2(l, t, d.integer));
}

EMITTER(exp) { return UNUSED, s_exp(l, t, a[0], NULL); }

/* 2^n (e^r - 1) + (2^n - 1), in halves since 2^n may be out of range */
EMITTER(expm1) {
    UNUSED;
    V x = t == DT_F64 ? clamp(l, a[0], -40, 710) : clamp(l, a[0], -20, 89);
    Reduced d = s_reduce_ln2(l, t, x);
    V p = s_fma(l, s_mul(l, d.r, d.r), s_apply(l, expm1_poly(t), d.r), d.r);
    V half = s_power2(l, t, s_sub(l, d.integer, s_int(d.integer, 1)));
    V v = s_fma(l, half, p, s_sub(l, half, s_real(x, 0.5)));
    V tiny = s_lt(l, s_abs(l, a[0]), s_real(x, t == DT_F64 ? 0x1p-54 : 0x1p-25));
    return s_select(l, tiny, a[0], s_add(l, v, v));
}

/* From the negative side, where exp cannot overflow: e / (1 + e) for x < 0, 1 / (1 + e) else, e = exp(-|x|). Rounding e
 * and 1 + e would cost a unit each; what they were rounded by is put back: (a + a') / (b + b') = q + (a' - q b') / b.
 */
EMITTER(sigmoid) {
    UNUSED;
    Exponential parts = exponential(l, t, s_neg(l, s_abs(l, a[0])), NULL);
    V e = scaled(l, parts, parts.p), e_low = scaled(l, parts, parts.low), one = s_real(e, 1), zero = s_real(e, 0);
    V below = s_add(l, one, e), below_low = s_add(l, s_sub(l, e, s_sub(l, below, one)), e_low);
    V negative = s_lt(l, a[0], zero), q = s_div(l, s_select(l, negative, e, one), below);
    V lost = s_sub(l, s_select(l, negative, e_low, zero), s_mul(l, q, below_low));
    V reciprocal = s_select(l, negative, s_sub(l, one, q), q); /* 1 / (1 + e) = 1 - e / (1 + e) */
    return s_fma(l, lost, reciprocal, q);
}

EMITTER(tanh) {
    UNUSED;
    V x = s_abs(l, a[0]), z = s_mul(l, x, x);
    V small = s_fma(l, s_mul(l, x, z), s_apply(l, tanh_poly(t), z), x);
    V end = s_real(x, t == DT_F64 ? 22 : 11), y = s_select(l, s_lt(l, end, x), end, x), one = s_real(x, 1);
    V e = exp_near(l, t, s_add(l, y, y));
    V large = s_sub(l, one, s_div(l, s_real(x, 2), s_add(l, e, one)));
    return s_copysign(l, s_select(l, s_lt(l, x, s_real(x, 0.625)), small, large), a[0]);
}

EMITTER(erf) {
    UNUSED;
    V x = s_abs(l, a[0]), z = s_mul(l, x, x);
    V small = s_fma(l, x, s_apply(l, erf_poly(t), z), x);
    double end = t == DT_F64 ? 5.95 : 4;
    V y = s_select(l, s_lt(l, s_real(x, end), x), s_real(x, end), x);
    V large = s_sub(l, s_real(x, 1), exp_near(l, t, s_apply(l, log_erfc_poly(t), y)));
    return s_copysign(l, s_select(l, s_lt(l, x, s_real(x, t == DT_F64 ? 0.96875 : 0.921875)), small, large), a[0]);
}

/* exp(-x^2) for x in f64; what x^2 was rounded by would cost as many units as x^2 is large. */
static V gaussian(const L *l, V x) {
    V bits = s_bits(l, x), square = s_mul(l, x, x);
    V high = s_float(l, s_and(l, bits, s_int(bits, -((int64_t)1 << 27)))), low = s_sub(l, x, high);
    V lost = s_sub(l, s_mul(l, high, high), square), both = s_mul(l, high, low);
    lost = s_add(l, s_add(l, lost, s_add(l, both, both)), s_mul(l, low, low));
    return s_exp(l, DT_F64, s_neg(l, square), s_neg(l, lost));
}

/* f32 is computed in f64, too: the tail is a product of three rounded numbers. */
EMITTER(erfc) {
    UNUSED;
    V v = t == DT_F64 ? a[0] : LLVMBuildFPExt(l->b, a[0], l_like(a[0], l->f64), "");
    V x = s_abs(l, v), one = s_real(v, 1), z = s_mul(l, v, v);
    V small = s_sub(l, one, s_fma(l, v, s_apply(l, erf_poly(DT_F64), z), v));
    x = s_select(l, s_lt(l, s_real(x, 27.5), x), s_real(x, 27.5), x); /* where the result is 0 */
    V place = s_div(l, s_sub(l, x, s_real(x, 3)), s_add(l, x, s_real(x, 3)));
    V scale = s_div(l, s_apply(l, POLY(scaled_erfc), place), s_add(l, one, s_add(l, x, x)));
    V tail = s_mul(l, gaussian(l, x), scale);
    V large = s_select(l, s_lt(l, v, s_real(v, 0)), s_sub(l, s_real(v, 2), tail), tail);
    V y = s_select(l, s_lt(l, x, s_real(x, 0.5)), small, large);
    return t == DT_F64 ? y : LLVMBuildFPTrunc(l->b, y, LLVMTypeOf(a[0]), "");
}
