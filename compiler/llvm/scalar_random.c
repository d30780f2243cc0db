/* Random bits, as rt_threefry of runtime/random.c: a function of the module, since 20 rounds written out wherever
 * numbers are drawn take longer to compile than most kernels have to run. */
#include "compiler/llvm/scalar.h"

typedef struct {
    V x0, x1, key[3];
    V number; /* of keys added so far, in every lane */
} Threefry;

static V add(const L *l, V a, V b) { return LLVMBuildAdd(l->b, a, b, ""); }

/* Four rounds, then the two keys behind key[0] and their number. */
static void four_rounds(const L *l, Threefry *t, const int *rotations) {
    for (int i = 0; i < 4; i++) {
        t->x0 = add(l, t->x0, t->x1);
        V by = s_int(t->x1, rotations[i]);
        t->x1 = s_xor(l, l_call3(l, "llvm.fshl", t->x1, t->x1, by), t->x0);
    }
    V first = t->key[0];
    t->key[0] = t->key[1], t->key[1] = t->key[2], t->key[2] = first;
    t->x0 = add(l, t->x0, t->key[0]);
    t->number = add(l, t->number, s_int(t->number, 1));
    t->x1 = add(l, t->x1, add(l, t->key[1], t->number));
}

static void threefry_phis(const L *l, const Threefry *t, Threefry *phis) {
    V *const to[] = {&phis->x0, &phis->x1, &phis->key[0], &phis->key[1], &phis->key[2], &phis->number};
    for (size_t i = 0; i < COUNT(to); i++) *to[i] = LLVMBuildPhi(l->b, LLVMTypeOf(t->x0), "");
}

static void threefry_incoming(const Threefry *phis, const Threefry *t, LLVMBasicBlockRef from) {
    const V to[] = {phis->x0, phis->x1, phis->key[0], phis->key[1], phis->key[2], phis->number};
    V values[] = {t->x0, t->x1, t->key[0], t->key[1], t->key[2], t->number};
    for (size_t i = 0; i < COUNT(to); i++) LLVMAddIncoming(to[i], &values[i], &from, 1);
}

/* The rotations come back after eight rounds: the loop makes these, and is left in its middle after the twentieth. */
static void threefry_body(const L *l, V f) {
    static const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    V key0 = LLVMGetParam(f, 0), key1 = LLVMGetParam(f, 1);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(l->ctx, f, "entry");
    l_at(l, entry);
    LLVMBasicBlockRef loop = l_block(l, "rounds"), more = l_block(l, "more"), end = l_block(l, "end");
    V parity = s_xor(l, s_int(key0, 0x1BD11BDA), s_xor(l, key0, key1)), zero = s_int(key0, 0);
    V x0 = add(l, LLVMGetParam(f, 2), key0), x1 = add(l, LLVMGetParam(f, 3), key1);
    Threefry start = {x0, x1, {key0, key1, parity}, zero}, t;
    LLVMBuildBr(l->b, loop);
    l_at(l, loop);
    V turn = LLVMBuildPhi(l->b, l->i32, "turn");
    threefry_phis(l, &start, &t);
    Threefry phis = t;
    four_rounds(l, &t, rotations);
    V result = t.x0;
    LLVMBuildCondBr(l->b, s_ieq(l, turn, l_i32(l, 2)), end, more);
    l_at(l, more);
    four_rounds(l, &t, rotations + 4);
    LLVMAddIncoming(turn, (V[]){l_i32(l, 0), add(l, turn, l_i32(l, 1))}, (LLVMBasicBlockRef[]){entry, more}, 2);
    threefry_incoming(&phis, &start, entry);
    threefry_incoming(&phis, &t, more);
    LLVMBuildBr(l->b, loop);
    l_at(l, end);
    LLVMBuildRet(l->b, result);
}

V emit_random(const L *l, DType t, DType to, const V *a) {
    (void)t, (void)to;
    LLVMTypeRef word = LLVMTypeOf(a[0]);
    LLVMTypeRef type = LLVMFunctionType(word, (LLVMTypeRef[]){word, word, word, word}, 4, false);
    V f = l_pure_function(l, "random", l_lanes(word), type, threefry_body);
    return LLVMBuildCall2(l->b, type, f, (V *)a, 4, "");
}
