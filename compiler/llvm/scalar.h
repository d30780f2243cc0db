/* The emitters of ops.def's rows: emit_<emit>(), and the words that they are written in. Values are scalars or vectors;
 * `t` is the operands' element type. */
#ifndef LLVM_SCALAR_H
#define LLVM_SCALAR_H

#include "compiler/llvm/emit.h"

#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis)                                            \
    V emit_##emit(const L *l, DType t, DType to, const V *a);
#include "compiler/ir/ops.def"
#undef OP

/* ---- floats and integers alike ---- */

static inline V s_add(const L *l, V a, V b) {
    return l_is_float(a) ? LLVMBuildFAdd(l->b, a, b, "") : LLVMBuildAdd(l->b, a, b, "");
}
static inline V s_sub(const L *l, V a, V b) {
    return l_is_float(a) ? LLVMBuildFSub(l->b, a, b, "") : LLVMBuildSub(l->b, a, b, "");
}
static inline V s_mul(const L *l, V a, V b) {
    return l_is_float(a) ? LLVMBuildFMul(l->b, a, b, "") : LLVMBuildMul(l->b, a, b, "");
}
static inline V s_div(const L *l, V a, V b) { return LLVMBuildFDiv(l->b, a, b, ""); }
static inline V s_neg(const L *l, V a) {
    return l_is_float(a) ? LLVMBuildFNeg(l->b, a, "") : LLVMBuildNeg(l->b, a, "");
}
static inline V s_select(const L *l, V c, V a, V b) { return LLVMBuildSelect(l->b, c, a, b, ""); }

/* ---- floats ---- */

static inline V s_real(V like, double v) { return l_real(LLVMTypeOf(like), v); }
static inline V s_abs(const L *l, V a) { return l_call1(l, "llvm.fabs", a); }
static inline V s_copysign(const L *l, V a, V sign) { return l_call2(l, "llvm.copysign", a, sign); }
static inline V s_lt(const L *l, V a, V b) { return LLVMBuildFCmp(l->b, LLVMRealOLT, a, b, ""); }
static inline V s_le(const L *l, V a, V b) { return LLVMBuildFCmp(l->b, LLVMRealOLE, a, b, ""); }
static inline V s_eq(const L *l, V a, V b) { return LLVMBuildFCmp(l->b, LLVMRealOEQ, a, b, ""); }
static inline V s_is_nan(const L *l, V a) { return LLVMBuildFCmp(l->b, LLVMRealUNO, a, a, ""); }

/** a * b + c, rounded once where the target can. */
static inline V s_fma(const L *l, V a, V b, V c) {
    return l->target->machine.fma ? l_call3(l, "llvm.fma", a, b, c) : s_add(l, s_mul(l, a, b), c);
}

/** c[0] + x * (c[1] + x * (... c[n-1])). */
V s_poly(const L *l, V x, const double *c, int n);

/* ---- bits ---- */

static inline V s_and(const L *l, V a, V b) { return LLVMBuildAnd(l->b, a, b, ""); }
static inline V s_or(const L *l, V a, V b) { return LLVMBuildOr(l->b, a, b, ""); }
static inline V s_xor(const L *l, V a, V b) { return LLVMBuildXor(l->b, a, b, ""); }
static inline V s_not(const L *l, V a) { return LLVMBuildNot(l->b, a, ""); }
static inline V s_int(V like, int64_t v) { return l_int(LLVMTypeOf(like), v); }
static inline V s_shl(const L *l, V a, int by) { return LLVMBuildShl(l->b, a, s_int(a, by), ""); }
static inline V s_shr(const L *l, V a, int by) { return LLVMBuildLShr(l->b, a, s_int(a, by), ""); }
static inline V s_sar(const L *l, V a, int by) { return LLVMBuildAShr(l->b, a, s_int(a, by), ""); }
static inline V s_ieq(const L *l, V a, V b) { return LLVMBuildICmp(l->b, LLVMIntEQ, a, b, ""); }

/** The bits of a float as an integer of its size, and back. */
V s_bits(const L *l, V a);
V s_float(const L *l, V bits);

/* ---- conversions: scalar_cast.c ---- */

V scalar_widen(const L *l, DType from, V bits); /* f16 or bf16 to f32 */
V scalar_narrow(const L *l, DType to, V v);     /* f32 to f16 or bf16 */

#endif
