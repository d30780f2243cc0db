#include "compiler/llvm/helpers.h"

#include <string.h>

void l_begin(L *l, LLVMContextRef ctx, const Target *target, const char *module_name) {
    *l = (L){.target = target, .ctx = ctx};
    l->module = LLVMModuleCreateWithNameInContext(module_name, ctx);
    l->b = LLVMCreateBuilderInContext(ctx);
    l->i1 = LLVMInt1TypeInContext(ctx);
    l->i8 = LLVMInt8TypeInContext(ctx);
    l->i16 = LLVMInt16TypeInContext(ctx);
    l->i32 = LLVMInt32TypeInContext(ctx);
    l->i64 = LLVMInt64TypeInContext(ctx);
    l->f32 = LLVMFloatTypeInContext(ctx);
    l->f64 = LLVMDoubleTypeInContext(ctx);
    l->ptr = LLVMPointerTypeInContext(ctx, 0);
    l->none = LLVMVoidTypeInContext(ctx);
}

void l_end(L *l) { LLVMDisposeBuilder(l->b); }

/* ---- types ---- */

LLVMTypeRef l_type(const L *l, DType t) { return t == DT_BOOL ? l->i1 : l_memory_type(l, t); }

LLVMTypeRef l_memory_type(const L *l, DType t) {
    switch (t) {
    case DT_BOOL:
    case DT_U8:
    case DT_I8: return l->i8;
    case DT_I32: return l->i32;
    case DT_I64: return l->i64;
    case DT_F16:
    case DT_BF16: return l->i16;
    case DT_F32: return l->f32;
    case DT_F64: return l->f64;
    default: bug("element type %d", (int)t);
    }
}

LLVMTypeRef l_vector(LLVMTypeRef element, int lanes) {
    return lanes == 1 ? element : LLVMVectorType(element, (unsigned)lanes);
}

int l_lanes(LLVMTypeRef t) { return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? (int)LLVMGetVectorSize(t) : 1; }

LLVMTypeRef l_element(LLVMTypeRef t) { return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetElementType(t) : t; }

LLVMTypeRef l_like(V v, LLVMTypeRef element) { return l_vector(element, l_lanes(LLVMTypeOf(v))); }

bool l_is_float(V v) {
    LLVMTypeKind k = LLVMGetTypeKind(l_element(LLVMTypeOf(v)));
    return k == LLVMFloatTypeKind || k == LLVMDoubleTypeKind;
}

int l_bits(LLVMTypeRef t) {
    LLVMTypeRef e = l_element(t);
    switch (LLVMGetTypeKind(e)) {
    case LLVMFloatTypeKind: return 32;
    case LLVMDoubleTypeKind: return 64;
    case LLVMIntegerTypeKind: return (int)LLVMGetIntTypeWidth(e);
    default: bug("a type without a width");
    }
}

/* ---- constants ---- */

static V constant_splat(V scalar, int lanes) {
    if (lanes == 1) return scalar;
    V *all = xcalloc((size_t)lanes, sizeof *all);
    for (int i = 0; i < lanes; i++) all[i] = scalar;
    V v = LLVMConstVector(all, (unsigned)lanes);
    vec_drop(all);
    return v;
}

V l_i32(const L *l, int64_t v) { return LLVMConstInt(l->i32, (unsigned long long)v, true); }
V l_i64(const L *l, int64_t v) { return LLVMConstInt(l->i64, (unsigned long long)v, true); }

V l_int(LLVMTypeRef t, int64_t v) {
    return constant_splat(LLVMConstInt(l_element(t), (unsigned long long)v, true), l_lanes(t));
}

V l_real(LLVMTypeRef t, double v) { return constant_splat(LLVMConstReal(l_element(t), v), l_lanes(t)); }

V l_iota(LLVMTypeRef element, int lanes) {
    if (lanes == 1) return LLVMConstInt(element, 0, false);
    V *all = xcalloc((size_t)lanes, sizeof *all);
    for (int i = 0; i < lanes; i++) all[i] = LLVMConstInt(element, (unsigned long long)i, false);
    V v = LLVMConstVector(all, (unsigned)lanes);
    vec_drop(all);
    return v;
}

bool l_constant(V v, int64_t *value) {
    if (!LLVMIsAConstantInt(v)) return false;
    *value = LLVMConstIntGetSExtValue(v);
    return true;
}

/* ---- instructions ---- */

V l_splat(const L *l, V scalar, int lanes) {
    if (lanes == 1) return scalar;
    if (LLVMIsConstant(scalar)) return constant_splat(scalar, lanes);
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
    V first = LLVMBuildInsertElement(l->b, LLVMGetPoison(t), scalar, l_i32(l, 0), "");
    return LLVMBuildShuffleVector(l->b, first, LLVMGetPoison(t), LLVMConstNull(LLVMVectorType(l->i32, (unsigned)lanes)),
                                  "splat");
}

V l_lane(const L *l, V vector, int lane) {
    if (l_lanes(LLVMTypeOf(vector)) == 1) return vector;
    return LLVMBuildExtractElement(l->b, vector, l_i32(l, lane), "");
}

V l_set_lane(const L *l, V vector, V scalar, int lane) {
    return LLVMBuildInsertElement(l->b, vector, scalar, l_i32(l, lane), "");
}

V l_shuffle(const L *l, V a, V b, const int *from, int lanes) {
    V *index = xcalloc((size_t)lanes, sizeof *index);
    for (int i = 0; i < lanes; i++) index[i] = from[i] < 0 ? LLVMGetPoison(l->i32) : l_i32(l, from[i]);
    V v = LLVMBuildShuffleVector(l->b, a, b, LLVMConstVector(index, (unsigned)lanes), "");
    vec_drop(index);
    return v;
}

V l_gep(const L *l, LLVMTypeRef element, V base, V index) {
    return LLVMBuildInBoundsGEP2(l->b, element, base, &index, 1, "");
}

V l_step(const L *l, LLVMTypeRef element, V base, V index) { return LLVMBuildGEP2(l->b, element, base, &index, 1, ""); }

V l_without_constant(V v, int64_t *constant) {
    int64_t c;
    if (!LLVMIsAInstruction(v) || LLVMGetInstructionOpcode(v) != LLVMAdd || !l_constant(LLVMGetOperand(v, 1), &c))
        return v;
    *constant += c;
    return LLVMGetOperand(v, 0);
}

V l_load(const L *l, LLVMTypeRef t, V from, unsigned align) {
    V v = LLVMBuildLoad2(l->b, t, from, "");
    if (align) LLVMSetAlignment(v, align);
    return v;
}

V l_store(const L *l, V value, V to, unsigned align) {
    V v = LLVMBuildStore(l->b, value, to);
    if (align) LLVMSetAlignment(v, align);
    return v;
}

V l_call(const L *l, const char *name, const LLVMTypeRef *types, int ntypes, const V *args, int nargs) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) bug("LLVM has no intrinsic %s", name);
    LLVMTypeRef *t = (LLVMTypeRef *)types;
    V function = LLVMGetIntrinsicDeclaration(l->module, id, t, (size_t)ntypes);
    LLVMTypeRef type = LLVMIntrinsicGetType(l->ctx, id, t, (size_t)ntypes);
    return LLVMBuildCall2(l->b, type, function, (V *)args, (unsigned)nargs, "");
}

V l_call1(const L *l, const char *name, V a) {
    LLVMTypeRef t = LLVMTypeOf(a);
    return l_call(l, name, &t, 1, &a, 1);
}

V l_call2(const L *l, const char *name, V a, V b) {
    LLVMTypeRef t = LLVMTypeOf(a);
    return l_call(l, name, &t, 1, (V[]){a, b}, 2);
}

V l_call3(const L *l, const char *name, V a, V b, V c) {
    LLVMTypeRef t = LLVMTypeOf(a);
    return l_call(l, name, &t, 1, (V[]){a, b, c}, 3);
}

/* ---- blocks and functions ---- */

LLVMBasicBlockRef l_here(const L *l) { return LLVMGetInsertBlock(l->b); }
void l_at(const L *l, LLVMBasicBlockRef block) { LLVMPositionBuilderAtEnd(l->b, block); }
V l_function(const L *l) { return LLVMGetBasicBlockParent(l_here(l)); }

LLVMBasicBlockRef l_block(const L *l, const char *name) {
    return LLVMAppendBasicBlockInContext(l->ctx, l_function(l), name);
}

V l_phi2(const L *l, V a, LLVMBasicBlockRef from_a, V b, LLVMBasicBlockRef from_b) {
    V phi = LLVMBuildPhi(l->b, LLVMTypeOf(a), "");
    LLVMAddIncoming(phi, (V[]){a, b}, (LLVMBasicBlockRef[]){from_a, from_b}, 2);
    return phi;
}

V l_alloca(const L *l, LLVMTypeRef element, int64_t count, unsigned align, const char *name) {
    LLVMBasicBlockRef here = l_here(l), entry = LLVMGetEntryBasicBlock(l_function(l));
    V first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(l->b, first);
    else
        l_at(l, entry);
    V v = LLVMBuildAlloca(l->b, LLVMArrayType2(element, (uint64_t)count), name);
    LLVMSetAlignment(v, align);
    l_at(l, here);
    return v;
}

V l_table(const L *l, LLVMTypeRef element, const V *values, int n, const char *name) {
    V old = LLVMGetNamedGlobal(l->module, name);
    if (old) return old;
    V g = LLVMAddGlobal(l->module, LLVMArrayType2(element, (uint64_t)n), name);
    LLVMSetInitializer(g, LLVMConstArray2(element, (V *)values, (uint64_t)n));
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    LLVMSetGlobalConstant(g, true);
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(g, 64);
    return g;
}

void l_attribute(const L *l, V function, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(l->ctx, kind, 0));
}

void l_string_attribute(const L *l, V function, const char *key, const char *value) {
    LLVMAddAttributeAtIndex(
        function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
        LLVMCreateStringAttribute(l->ctx, key, (unsigned)strlen(key), value, (unsigned)strlen(value)));
}

V l_new_function(const L *l, const char *name, LLVMTypeRef type, bool internal) {
    V f = LLVMAddFunction(l->module, name, type);
    if (internal) LLVMSetLinkage(f, LLVMInternalLinkage);
    l_attribute(l, f, "nounwind");
    l_string_attribute(l, f, "target-cpu", l->target->cpu);
    if (*l->target->features) l_string_attribute(l, f, "target-features", l->target->features);
    if (l->target->machine.vector_bytes == 64) { /* else LLVM keeps to 32 bytes on some CPUs that have 64 */
        l_string_attribute(l, f, "prefer-vector-width", "512");
        l_string_attribute(l, f, "min-legal-vector-width", "512");
    }
    return f;
}

V l_pure_function(const L *l, const char *stem, int lanes, LLVMTypeRef type, void (*body)(const L *l, V function)) {
    char name[32];
    snprintf(name, sizeof name, "%s.%d", stem, lanes);
    V f = LLVMGetNamedFunction(l->module, name);
    if (f) return f;
    LLVMBasicBlockRef here = l_here(l);
    f = l_new_function(l, name, type, true);
    l_attribute(l, f, "memory"); /* none */
    l_attribute(l, f, "willreturn");
    l_attribute(l, f, "noinline");
    body(l, f);
    l_at(l, here);
    return f;
}
