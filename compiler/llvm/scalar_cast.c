/* Conversions between element types. */
#include "compiler/llvm/scalar.h"

/* ---- f16 and bf16, whose values are handed around as their bits ---- */

static V half_to_float(const L *l, V h) {
    if (l->target->halves) {
        V half = LLVMBuildBitCast(l->b, h, l_like(h, LLVMHalfTypeInContext(l->ctx)), "");
        return LLVMBuildFPExt(l->b, half, l_like(h, l->f32), "");
    }
    V bits = LLVMBuildZExt(l->b, h, l_like(h, l->i32), "");
    V sign = s_shl(l, s_and(l, bits, s_int(bits, 0x8000)), 16), rest = s_and(l, bits, s_int(bits, 0x7FFF));
    /* the exponent moved to its place is 112 too small; this holds for subnormals too */
    V moved = s_shl(l, rest, 13), v = s_mul(l, s_float(l, moved), s_real(s_float(l, moved), 0x1p112));
    V special = LLVMBuildICmp(l->b, LLVMIntUGE, rest, s_int(rest, 0x7C00), "");
    V magnitude = s_select(l, special, s_or(l, moved, s_int(moved, 0x7F800000)), s_bits(l, v));
    return s_float(l, s_or(l, sign, magnitude));
}

static V float_to_half(const L *l, V f) {
    if (l->target->halves) {
        V half = LLVMBuildFPTrunc(l->b, f, l_like(f, LLVMHalfTypeInContext(l->ctx)), "");
        return LLVMBuildBitCast(l->b, half, l_like(f, l->i16), "");
    }
    V bits = s_bits(l, f), a = s_and(l, bits, s_int(bits, 0x7FFFFFFF));
    V sign = s_shr(l, s_and(l, bits, s_int(bits, 0x80000000)), 16);
    V odd = s_and(l, s_shr(l, a, 13), s_int(a, 1));
    /* 112 off the exponent, and round to even */
    V normal = s_shr(l, s_add(l, s_add(l, a, odd), s_int(a, (int32_t)0xC8000FFF)), 13);
    /* one half has the units of f16's subnormals */
    V shifted = s_add(l, s_float(l, a), s_real(s_float(l, a), 0.5));
    V subnormal = s_sub(l, s_bits(l, shifted), s_int(a, 0x3F000000));
    V h = s_select(l, LLVMBuildICmp(l->b, LLVMIntULT, a, s_int(a, 0x38800000), ""), subnormal, normal);
    h = s_select(l, LLVMBuildICmp(l->b, LLVMIntUGE, a, s_int(a, 0x47800000), ""), s_int(a, 0x7C00), h);
    h = s_select(l, LLVMBuildICmp(l->b, LLVMIntUGT, a, s_int(a, 0x7F800000), ""), s_int(a, 0x7E00), h);
    return LLVMBuildTrunc(l->b, s_or(l, sign, h), l_like(f, l->i16), "");
}

static V float_to_bfloat(const L *l, V f) {
    V bits = s_bits(l, f), odd = s_and(l, s_shr(l, bits, 16), s_int(bits, 1));
    V rounded = s_add(l, bits, s_add(l, odd, s_int(bits, 0x7FFF)));
    V quiet = s_or(l, bits, s_int(bits, 0x400000));
    return LLVMBuildTrunc(l->b, s_shr(l, s_select(l, s_is_nan(l, f), quiet, rounded), 16), l_like(f, l->i16), "");
}

V scalar_widen(const L *l, DType from, V bits) {
    if (from == DT_F16) return half_to_float(l, bits);
    return s_float(l, s_shl(l, LLVMBuildZExt(l->b, bits, l_like(bits, l->i32), ""), 16));
}

V scalar_narrow(const L *l, DType to, V v) { return to == DT_F16 ? float_to_half(l, v) : float_to_bfloat(l, v); }

/* f64 to f32 such that rounding once more, to a narrower type, gives what rounding once would: where the result is not
 * exact, its last bit is made odd. */
static V to_odd(const L *l, V v) {
    V f = LLVMBuildFPTrunc(l->b, v, l_like(v, l->f32), ""), bits = s_bits(l, f);
    V back = LLVMBuildFPExt(l->b, f, LLVMTypeOf(v), "");
    V above = s_lt(l, s_abs(l, v), s_abs(l, back)); /* rounded away from zero: one back */
    V exact = s_eq(l, v, back), even = s_ieq(l, s_and(l, bits, s_int(bits, 1)), s_int(bits, 0));
    V down = s_sub(l, bits, s_int(bits, 1)), up = s_add(l, bits, s_int(bits, 1));
    V odd = s_select(l, even, s_select(l, above, down, up), bits);
    return s_float(l, s_select(l, s_or(l, exact, s_is_nan(l, v)), bits, odd));
}

/* ---- numbers ---- */

static int integer_bits(DType t) { return (int)dtype_size(t) * 8; }

/* Truncated; out of range saturates; NaN gives 0. */
static V float_to_int(const L *l, DType to, V x) {
    LLVMTypeRef t = l_like(x, l_type(l, to));
    int bits = integer_bits(to);
    bool is_signed = to != DT_U8;
    double end = (double)((uint64_t)1 << (bits - is_signed)), start = is_signed ? -end : 0;
    int64_t largest = (int64_t)(((uint64_t)1 << (bits - is_signed)) - 1), smallest = is_signed ? -largest - 1 : 0;
    V below = s_lt(l, x, s_real(x, start)), above = s_le(l, s_real(x, end), x);
    V inside = s_and(l, s_le(l, s_real(x, start), x), s_lt(l, x, s_real(x, end)));
    V safe = s_select(l, inside, x, s_real(x, 0));
    LLVMTypeRef wide = bits < 32 ? l_like(x, l->i32) : t; /* conversions to bytes are no instructions */
    V v = LLVMBuildFPToSI(l->b, safe, wide, "");
    if (bits < 32) v = LLVMBuildTrunc(l->b, v, t, "");
    return s_select(l, above, l_int(t, largest), s_select(l, below, l_int(t, smallest), v));
}

static V int_to_int(const L *l, DType from, DType to, V v) {
    LLVMTypeRef t = l_like(v, l_type(l, to));
    if (l_bits(t) == l_bits(LLVMTypeOf(v))) return v;
    if (l_bits(t) < l_bits(LLVMTypeOf(v))) return LLVMBuildTrunc(l->b, v, t, "");
    return from == DT_BOOL || from == DT_U8 ? LLVMBuildZExt(l->b, v, t, "") : LLVMBuildSExt(l->b, v, t, "");
}

static V int_to_float(const L *l, DType from, DType to, V v) {
    LLVMTypeRef t = l_like(v, l_type(l, to));
    if (from == DT_BOOL || from == DT_U8) {
        V wide = LLVMBuildZExt(l->b, v, l_like(v, l->i32), "");
        return LLVMBuildSIToFP(l->b, wide, t, "");
    }
    return LLVMBuildSIToFP(l->b, v, t, "");
}

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }

V emit_cast(const L *l, DType t, DType to, const V *a) {
    V v = a[0];
    if (t == to) return v;
    if (is_half(t)) {
        v = scalar_widen(l, t, v);
        t = DT_F32;
        if (t == to) return v;
    }
    if (is_half(to)) { /* through f64 where f32 does not hold every value, so that it is rounded once */
        bool wide = t == DT_F64 || t == DT_I32 || t == DT_I64;
        if (!dtype_is_float(t)) v = int_to_float(l, t, wide ? DT_F64 : DT_F32, v);
        return scalar_narrow(l, to, wide ? to_odd(l, v) : v);
    }
    bool from_float = dtype_is_float(t), to_float = dtype_is_float(to);
    if (to == DT_BOOL) {
        V zero = LLVMConstNull(LLVMTypeOf(v));
        return from_float ? LLVMBuildFCmp(l->b, LLVMRealUNE, v, zero, "") : s_not(l, s_ieq(l, v, zero));
    }
    LLVMTypeRef type = l_like(v, l_type(l, to));
    if (from_float && to_float)
        return to == DT_F64 ? LLVMBuildFPExt(l->b, v, type, "") : LLVMBuildFPTrunc(l->b, v, type, "");
    if (to_float) return int_to_float(l, t, to, v);
    return from_float ? float_to_int(l, to, v) : int_to_int(l, t, to, v);
}
