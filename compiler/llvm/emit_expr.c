/* Scalar expressions: each once in a scope, however often it is used. */
#include "compiler/llvm/emit.h"

#include "runtime/runtime.h"

/* ---- what was emitted already ---- */

static const Memo *known(const Emit *e, Ex x) {
    const Memo *m = &e->memo[x];
    if (!m->val.v || m->depth >= e->scopes.len || e->scopes.at[m->depth].id != m->scope) return NULL;
    for (uint64_t reads = e->reads[x]; reads; reads &= reads - 1)
        if (e->stored[__builtin_ctzll(reads)] > m->time) return NULL;
    return m;
}

static Val remember(Emit *e, Ex x, Val v) {
    size_t depth = e->scopes.len - 1;
    if (!e->reads[x])
        while (e->scopes.at[depth].masked) depth--;
    e->memo[x] = (Memo){v, (uint32_t)depth, e->scopes.at[depth].id, e->clock};
    return v;
}

void emit_stored(Emit *e, int buffer) {
    e->clock++;
    for (uint64_t b = e->slots[buffer].overlaps | buffer_bit(buffer); b; b &= b - 1)
        e->stored[__builtin_ctzll(b)] = e->clock;
}

/* ---- values ---- */

V emit_wide(Emit *e, Val v) { return v.wide ? v.v : l_splat(&e->l, v.v, e->lanes); }

V emit_constant(const L *l, DType t, double f, int64_t i) {
    switch (t) {
    case DT_F16: return l_int(l->i16, rt_f32_to_f16((float)f));
    case DT_BF16: return l_int(l->i16, rt_f32_to_bf16((float)f));
    case DT_F32:
    case DT_F64: return l_real(l_type(l, t), f);
    default: return l_int(l_type(l, t), i);
    }
}

static Val emit_index(Emit *e, const Expr *n) {
    const L *l = &e->l;
    LLVMTypeRef t = l_type(l, n->dtype);
    int64_t coef;
    if (aff_in_lanes(e, n->index, &coef) && coef == 0)
        return (Val){LLVMBuildTrunc(l->b, emit_aff(e, n->index), t, ""), false};
    V v = emit_aff_lanes(e, n->index);
    t = l_like(v, t);
    return (Val){l_bits(t) < l_bits(LLVMTypeOf(v)) ? LLVMBuildTrunc(l->b, v, t, "") : LLVMBuildSExt(l->b, v, t, ""),
                 true};
}

/* ---- guards ---- */

/* One side is taken: loads in the other are not made. */
static Val guard_branch(Emit *e, V holds, Ex inside, Ex outside) {
    const L *l = &e->l;
    LLVMBasicBlockRef block[2] = {l_block(l, "inside"), l_block(l, "outside")}, after = l_block(l, "guard.end");
    LLVMBuildCondBr(l->b, holds, block[0], block[1]);
    Ex side[2] = {inside, outside};
    Val v[2];
    LLVMBasicBlockRef end[2];
    for (int i = 0; i < 2; i++) {
        l_at(l, block[i]);
        scope_open(e, false);
        v[i] = emit_ex(e, side[i]);
        scope_close(e);
        end[i] = l_here(l);
    }
    bool wide = v[0].wide || v[1].wide;
    for (int i = 0; i < 2; i++) {
        l_at(l, end[i]);
        if (wide) v[i] = (Val){emit_wide(e, v[i]), true};
        LLVMBuildBr(l->b, after);
    }
    l_at(l, after);
    return (Val){l_phi2(l, v[0].v, end[0], v[1].v, end[1]), wide};
}

/* One side of a guard by lanes: only the lanes in `holds` load. */
static Val guard_side(Emit *e, V holds, Ex x) {
    V mask = e->mask;
    bool mask_empty = e->mask_empty;
    if (!e->reads[x]) return emit_ex(e, x);
    e->mask = mask ? LLVMBuildAnd(e->l.b, mask, holds, "") : holds;
    e->mask_empty = true;
    scope_open(e, true);
    Val v = emit_ex(e, x);
    scope_close(e);
    e->mask = mask;
    e->mask_empty = mask_empty;
    return v;
}

/* Both sides are computed, each with fewer active lanes. */
static Val guard_mask(Emit *e, V holds, Ex inside, Ex outside) {
    const L *l = &e->l;
    Val a = guard_side(e, holds, inside);
    Val b = guard_side(e, e->reads[outside] ? LLVMBuildNot(l->b, holds, "") : holds, outside);
    return (Val){LLVMBuildSelect(l->b, holds, emit_wide(e, a), emit_wide(e, b), ""), true};
}

static Val emit_guard(Emit *e, const Expr *n) {
    Val holds = emit_conds(e, n->guard.n, n->guard.at);
    int64_t certain;
    if (holds.wide) return guard_mask(e, holds.v, n->arg[0], n->arg[1]);
    if (l_constant(holds.v, &certain)) return emit_ex(e, n->arg[certain ? 0 : 1]);
    if (e->reads[n->arg[0]] | e->reads[n->arg[1]]) return guard_branch(e, holds.v, n->arg[0], n->arg[1]);
    Val a = emit_ex(e, n->arg[0]), b = emit_ex(e, n->arg[1]);
    bool wide = a.wide || b.wide;
    if (wide) a.v = emit_wide(e, a), b.v = emit_wide(e, b);
    return (Val){LLVMBuildSelect(e->l.b, holds.v, a.v, b.v, ""), wide};
}

/* ---- all kinds ---- */

static Val emit_fetch(Emit *e, const Expr *n) {
    Offset at = emit_offset(e, &n->fetch.at);
    return emit_load(e, n->fetch.buffer, &at);
}

static Val emit_operation(Emit *e, const Expr *n) {
    Val a[4];
    V operands[4];
    int arity = op_info(n->kind)->arity;
    bool wide = false;
    for (int i = 0; i < arity; i++) {
        a[i] = emit_ex(e, n->arg[i]);
        wide |= a[i].wide;
    }
    for (int i = 0; i < arity; i++) operands[i] = wide ? emit_wide(e, a[i]) : a[i].v;
    DType t = ir_expr(e->graph, n->arg[n->kind == EX_SELECT ? 1 : 0])->dtype;
    return (Val){emit_op(&e->l, n->kind, t, n->dtype, operands), wide};
}

Val emit_ex(Emit *e, Ex x) {
    const Memo *m = known(e, x);
    if (m) return m->val;
    const Expr *n = ir_expr(e->graph, x);
    switch (n->kind) {
    case EX_CONST:
        return (Val){
            emit_constant(&e->l, n->dtype, dtype_is_float(n->dtype) ? n->f : 0, dtype_is_float(n->dtype) ? 0 : n->i),
            false};
    case EX_INDEX: return remember(e, x, emit_index(e, n));
    case EX_GUARD: return remember(e, x, emit_guard(e, n));
    case EX_FETCH: return remember(e, x, emit_fetch(e, n));
    case EX_NONE:
    case EX_LOAD: bug("kernel %s: expression kind %d does not belong into a loop nest", e->kernel->name, (int)n->kind);
    default: return remember(e, x, emit_operation(e, n));
    }
}
