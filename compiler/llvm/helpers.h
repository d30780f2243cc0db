/* Helpers that give LLVM's C API a voice: short names for the instructions that the emitters use. Values may be scalars
 * or vectors alike; the type says which, and constants take the shape of the type that they are asked for. */
#ifndef LLVM_HELPERS_H
#define LLVM_HELPERS_H

#include "compiler/base/dtype.h"
#include "compiler/llvm/llvm.h"

#include <llvm-c/Core.h>

typedef LLVMValueRef V;

/* Where code is being made. */
typedef struct {
    const Target *target;
    LLVMContextRef ctx;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, ptr, none;
} L;

/** Fills `l` with a new module in `ctx` for `target`; l_end gives the builder back, the module is the caller's. */
void l_begin(L *l, LLVMContextRef ctx, const Target *target, const char *module_name);
void l_end(L *l);

/* ---- types ---- */

LLVMTypeRef l_type(const L *l, DType t);              /* of a value: bool is i1, f16 and bf16 are their bits */
LLVMTypeRef l_memory_type(const L *l, DType t);       /* of an element in memory: bool is i8 */
LLVMTypeRef l_vector(LLVMTypeRef element, int lanes); /* the element itself for one lane */
int l_lanes(LLVMTypeRef t);                           /* 1 for scalars */
LLVMTypeRef l_element(LLVMTypeRef t);                 /* itself for scalars */
LLVMTypeRef l_like(V v, LLVMTypeRef element);         /* as many lanes as v has */
bool l_is_float(V v);
int l_bits(LLVMTypeRef t); /* of one element */

/* ---- constants ---- */

V l_i32(const L *l, int64_t v);
V l_i64(const L *l, int64_t v);
V l_int(LLVMTypeRef t, int64_t v);        /* in every lane */
V l_real(LLVMTypeRef t, double v);        /* in every lane */
V l_iota(LLVMTypeRef element, int lanes); /* 0, 1, 2, ... */
bool l_constant(V v, int64_t *value);     /* whether v is a constant integer scalar */

/* ---- instructions ---- */

V l_splat(const L *l, V scalar, int lanes);
V l_lane(const L *l, V vector, int lane);
V l_set_lane(const L *l, V vector, V scalar, int lane);
V l_shuffle(const L *l, V a, V b, const int *from, int lanes); /* from[i] < 0: any value */
V l_gep(const L *l, LLVMTypeRef element, V base, V index);
V l_step(const L *l, LLVMTypeRef element, V base, V index);  /* the same, perhaps outside of what base points into */
V l_without_constant(V v, int64_t *constant);                /* v, or x where v is x + c: then adds c to `constant` */
V l_load(const L *l, LLVMTypeRef t, V from, unsigned align); /* 0: the type's own */
V l_store(const L *l, V value, V to, unsigned align);        /* likewise */

/** The intrinsic `name` overloaded on `types` (may be fewer than the arguments' types; those that its name carries). */
V l_call(const L *l, const char *name, const LLVMTypeRef *types, int ntypes, const V *args, int nargs);
V l_call1(const L *l, const char *name, V a); /* overloaded on a's type */
V l_call2(const L *l, const char *name, V a, V b);
V l_call3(const L *l, const char *name, V a, V b, V c);

LLVMBasicBlockRef l_block(const L *l, const char *name); /* a new one at the end of the current function */
LLVMBasicBlockRef l_here(const L *l);
void l_at(const L *l, LLVMBasicBlockRef block);
V l_function(const L *l); /* the current one */
V l_phi2(const L *l, V a, LLVMBasicBlockRef from_a, V b, LLVMBasicBlockRef from_b);

/** A local array in the entry block of the current function. */
V l_alloca(const L *l, LLVMTypeRef element, int64_t count, unsigned align, const char *name);

/** An internal, read-only array of `n` elements of type `element`. */
V l_table(const L *l, LLVMTypeRef element, const V *values, int n, const char *name);

void l_attribute(const L *l, V function, const char *name); /* an enumerated one: "nounwind" */
void l_string_attribute(const L *l, V function, const char *key, const char *value);

/** A function of this module with the target's CPU, features and vector width as attributes. */
V l_new_function(const L *l, const char *name, LLVMTypeRef type, bool internal);

/** The module's function "stem.lanes", which is called where it would be long in line; `body` writes it the first time.
 * Its result depends on its arguments alone, and calling it does nothing else. */
V l_pure_function(const L *l, const char *stem, int lanes, LLVMTypeRef type, void (*body)(const L *l, V function));

#endif
