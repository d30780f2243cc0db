/* The rows of ops.def that are a few instructions each. The table below is made from ops.def; longer ones stand in
 * scalar_cast.c and vecmath_*.c. */
#include "compiler/llvm/scalar.h"

#include <math.h>

typedef V Emitter(const L *l, DType t, DType to, const V *a);

static Emitter *emitter(ExKind op) {
    static Emitter *const rows[EX_KINDS] = {
#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis) [EX_##id] = emit_##emit,
#include "compiler/ir/ops.def"
#undef OP
    };
    if (op >= EX_KINDS || !rows[op]) bug("expression kind %d is no scalar operation", (int)op);
    return rows[op];
}

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }

V emit_op(const L *l, ExKind op, DType t, DType to, const V *operands) {
    bool moves = op == EX_SELECT || op == EX_STOP || op == EX_CAST; /* needs no arithmetic on the operands' type */
    if (!is_half(t) || moves) return emitter(op)(l, t, to, operands);
    V wide[4];
    for (int i = 0; i < op_info(op)->arity; i++) wide[i] = scalar_widen(l, t, operands[i]);
    V v = emitter(op)(l, DT_F32, is_half(to) ? DT_F32 : to, wide);
    return is_half(to) ? scalar_narrow(l, to, v) : v;
}

/* ---- reductions ---- */

V emit_combine(const L *l, Combine c, DType t, V a, V b) {
    static const ExKind op[] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX, [RED_MIN] = EX_MIN};
    if (c < RED_SUM || c > RED_MIN) bug("accumulation with combine %d", (int)c);
    return emit_op(l, op[c], t, t, (V[]){a, b});
}

V emit_identity(const L *l, Combine c, DType t) {
    bool top = c == RED_MIN;
    double f = c == RED_SUM ? -0.0 : c == RED_PROD ? 1 : top ? (double)INFINITY : -(double)INFINITY;
    if (c == RED_SUM || c == RED_PROD) return emit_constant(l, t, f, c == RED_PROD);
    switch (t) {
    case DT_BOOL: return emit_constant(l, t, f, top);
    case DT_U8: return emit_constant(l, t, f, top ? UINT8_MAX : 0);
    case DT_I8: return emit_constant(l, t, f, top ? INT8_MAX : INT8_MIN);
    case DT_I32: return emit_constant(l, t, f, top ? INT32_MAX : INT32_MIN);
    default: return emit_constant(l, t, f, top ? INT64_MAX : INT64_MIN);
    }
}

/* ---- words ---- */

V s_poly(const L *l, V x, const double *c, int n) {
    V v = s_real(x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) v = s_fma(l, v, x, s_real(x, c[i]));
    return v;
}

V s_bits(const L *l, V a) {
    return LLVMBuildBitCast(l->b, a, l_like(a, l_bits(LLVMTypeOf(a)) == 64 ? l->i64 : l->i32), "");
}

V s_float(const L *l, V bits) {
    return LLVMBuildBitCast(l->b, bits, l_like(bits, l_bits(LLVMTypeOf(bits)) == 64 ? l->f64 : l->f32), "");
}

/* ---- arithmetic ---- */

#define EMITTER(name) V emit_##name(const L *l, DType t, DType to, const V *a)
#define UNUSED (void)t, (void)to

static bool is_unsigned(DType t) { return t == DT_U8 || t == DT_BOOL; }

EMITTER(add) { return UNUSED, s_add(l, a[0], a[1]); }
EMITTER(sub) { return UNUSED, s_sub(l, a[0], a[1]); }
EMITTER(mul) { return UNUSED, s_mul(l, a[0], a[1]); }
EMITTER(div) { return UNUSED, s_div(l, a[0], a[1]); }
EMITTER(neg) { return UNUSED, s_neg(l, a[0]); }
EMITTER(stop) { return UNUSED, (void)l, a[0]; }

/* a < b */
static V below(const L *l, DType t, V a, V b) {
    if (dtype_is_float(t)) return s_lt(l, a, b);
    return LLVMBuildICmp(l->b, is_unsigned(t) ? LLVMIntULT : LLVMIntSLT, a, b, "");
}

EMITTER(abs) {
    UNUSED;
    if (l_is_float(a[0])) return s_abs(l, a[0]);
    return is_unsigned(t) ? a[0] : s_select(l, below(l, t, a[0], s_int(a[0], 0)), s_neg(l, a[0]), a[0]);
}

EMITTER(sign) {
    (void)to;
    LLVMTypeRef type = LLVMTypeOf(a[0]);
    bool f = dtype_is_float(t);
    V zero = LLVMConstNull(type), one = f ? l_real(type, 1) : l_int(type, 1),
      minus = f ? l_real(type, -1) : l_int(type, -1);
    return s_select(l, below(l, t, zero, a[0]), one, s_select(l, below(l, t, a[0], zero), minus, zero));
}

/* the first of equals, as in NaN where either is one */
static V extreme(const L *l, DType t, V a, V b, bool largest) {
    V m = s_select(l, largest ? below(l, t, a, b) : below(l, t, b, a), b, a);
    return dtype_is_float(t) ? s_select(l, s_is_nan(l, b), b, m) : m;
}

EMITTER(min) { return (void)to, extreme(l, t, a[0], a[1], false); }
EMITTER(max) { return (void)to, extreme(l, t, a[0], a[1], true); }

EMITTER(sqrt) { return UNUSED, l_call1(l, "llvm.sqrt", a[0]); }
EMITTER(rsqrt) { return UNUSED, s_div(l, s_real(a[0], 1), l_call1(l, "llvm.sqrt", a[0])); }

/* ---- rounding ---- */

/* To nearest, halves to even: beyond `big` every float is an integer, and adding it rounds the others. */
static V nearest(const L *l, DType t, V x) {
    V big = s_real(x, t == DT_F32 ? 0x1p23 : 0x1p52), shift = s_copysign(l, big, x);
    V r = s_copysign(l, s_sub(l, s_add(l, x, shift), shift), x);
    return s_select(l, s_lt(l, s_abs(l, x), big), r, x);
}

EMITTER(round) { return (void)to, l->target->rounding ? l_call1(l, "llvm.nearbyint", a[0]) : nearest(l, t, a[0]); }

EMITTER(floor) {
    (void)to;
    if (l->target->rounding) return l_call1(l, "llvm.floor", a[0]);
    V r = nearest(l, t, a[0]);
    return s_copysign(l, s_select(l, s_lt(l, a[0], r), s_sub(l, r, s_real(r, 1)), r), a[0]);
}

EMITTER(ceil) {
    (void)to;
    if (l->target->rounding) return l_call1(l, "llvm.ceil", a[0]);
    V r = nearest(l, t, a[0]);
    return s_copysign(l, s_select(l, s_lt(l, r, a[0]), s_add(l, r, s_real(r, 1)), r), a[0]);
}

EMITTER(trunc) {
    (void)to;
    if (l->target->rounding) return l_call1(l, "llvm.trunc", a[0]);
    V x = s_abs(l, a[0]), r = nearest(l, t, x);
    return s_copysign(l, s_select(l, s_lt(l, x, r), s_sub(l, r, s_real(r, 1)), r), a[0]);
}

/* ---- integer division ---- */

/* Divisors 0 and -1, which trap or overflow, are replaced by 1 and handled apart. */
static V safe_divisor(const L *l, V b) {
    V bad = s_or(l, s_ieq(l, b, s_int(b, 0)), s_ieq(l, b, s_int(b, -1)));
    return s_select(l, bad, s_int(b, 1), b);
}

/* r has another sign than b */
static V off(const L *l, V r, V b) {
    V differ = LLVMBuildICmp(l->b, LLVMIntSLT, s_xor(l, r, b), s_int(b, 0), "");
    return s_and(l, differ, s_not(l, s_ieq(l, r, s_int(r, 0))));
}

EMITTER(idiv) {
    (void)to;
    V x = a[0], b = a[1], zero = s_int(b, 0);
    if (is_unsigned(t)) {
        V safe = s_select(l, s_ieq(l, b, zero), s_int(b, 1), b);
        return s_select(l, s_ieq(l, b, zero), zero, LLVMBuildUDiv(l->b, x, safe, ""));
    }
    V safe = safe_divisor(l, b), q = LLVMBuildSDiv(l->b, x, safe, ""), r = s_sub(l, x, s_mul(l, q, safe));
    q = s_add(l, q, LLVMBuildSExt(l->b, off(l, r, safe), LLVMTypeOf(q), ""));
    q = s_select(l, s_ieq(l, b, s_int(b, -1)), s_neg(l, x), q);
    return s_select(l, s_ieq(l, b, zero), zero, q);
}

EMITTER(imod) {
    (void)to;
    V x = a[0], b = a[1], zero = s_int(b, 0);
    if (is_unsigned(t)) {
        V safe = s_select(l, s_ieq(l, b, zero), s_int(b, 1), b);
        return LLVMBuildURem(l->b, s_select(l, s_ieq(l, b, zero), zero, x), safe, "");
    }
    V safe = safe_divisor(l, b), r = LLVMBuildSRem(l->b, x, safe, ""); /* 0 for the replaced ones */
    return s_select(l, off(l, r, safe), s_add(l, r, safe), r);
}

/* ---- comparisons, logic ---- */

EMITTER(eq) {
    (void)to;
    return dtype_is_float(t) ? s_eq(l, a[0], a[1]) : s_ieq(l, a[0], a[1]);
}
EMITTER(ne) {
    (void)to;
    return LLVMBuildNot(l->b, emit_eq(l, t, DT_BOOL, a), "");
}
EMITTER(lt) { return (void)to, below(l, t, a[0], a[1]); }
EMITTER(le) {
    (void)to;
    if (dtype_is_float(t)) return s_le(l, a[0], a[1]);
    return s_not(l, below(l, t, a[1], a[0]));
}
EMITTER(and) { return UNUSED, s_and(l, a[0], a[1]); }
EMITTER(or) { return UNUSED, s_or(l, a[0], a[1]); }
EMITTER(not) { return UNUSED, s_not(l, a[0]); }
EMITTER(select) { return UNUSED, s_select(l, a[0], a[1], a[2]); }
