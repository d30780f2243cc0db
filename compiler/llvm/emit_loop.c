/* Statements: loops, stores, conditions. */
#include "compiler/llvm/emit.h"

void scope_open(Emit *e, bool masked) { vec_push(&e->scopes, (Scope){++e->scopes_made, masked}); }
void scope_close(Emit *e) { e->scopes.len--; }

/* What an iteration stores, the next one may read: nothing read before the loop is known inside it. */
static void forget_stores(Emit *e, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        if (s->kind == LS_FOR)
            forget_stores(e, &s->loop.body);
        else if (s->kind == LS_IF)
            forget_stores(e, &s->when.then);
        else if (s->kind == LS_SORT)
            emit_stored(e, s->sort.to);
        else if (s->kind == LS_STORE || s->kind == LS_ACCUM)
            emit_stored(e, s->store.buffer);
    }
}

/* The body for one value of the variable. */
static void iteration(Emit *e, const LoopStmt *s, V value) {
    e->vars[s->loop.var] = value;
    e->var_inside[s->loop.var] = e->vector != NULL;
    e->bound[s->loop.var] = e->scopes_made + 1;
    scope_open(e, false);
    emit_body(e, &s->loop.body);
    scope_close(e);
    e->vars[s->loop.var] = NULL;
}

V emit_trip_count(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    V count = l_i64(l, s->loop.count);
    if (!s->loop.limit) return count;
    V limit = emit_aff(e, s->loop.limit);
    int64_t known;
    if (l_constant(limit, &known)) return l_i64(l, MAX(0, MIN(known, s->loop.count)));
    return l_call2(l, "llvm.smin", limit, count);
}

/* ---- loops at run time ---- */

V emit_times(Emit *e, V var, int64_t by) {
    const L *l = &e->l;
    bool folded = by == 1 || by == 2 || by == 4 || by == 8; /* addresses multiply by these themselves */
    if (folded || var != e->loop) return by == 1 ? var : LLVMBuildNSWMul(l->b, var, l_i64(l, by), "");
    for (size_t i = 0; i < e->multiples.len; i++)
        if (e->multiples.at[i].by == by) return e->multiples.at[i].v;
    LLVMBasicBlockRef here = l_here(l);
    LLVMPositionBuilderBefore(l->b, var);
    V v = LLVMBuildPhi(l->b, l->i64, "times");
    l_at(l, here);
    vec_push(&e->multiples, (Multiple){by, v});
    return v;
}

/* At the end of the innermost loop. */
static void count_multiples(Emit *e, V from, int64_t step, LLVMBasicBlockRef before) {
    const L *l = &e->l;
    LLVMBasicBlockRef here = l_here(l);
    for (size_t i = 0; i < e->multiples.len; i++) {
        const Multiple *m = &e->multiples.at[i];
        LLVMPositionBuilderBefore(l->b, LLVMGetBasicBlockTerminator(before));
        V first = LLVMBuildNSWMul(l->b, from, l_i64(l, m->by), "");
        l_at(l, here);
        V next = LLVMBuildNSWAdd(l->b, m->v, l_i64(l, step * m->by), "");
        LLVMAddIncoming(m->v, (V[]){first, next}, (LLVMBasicBlockRef[]){before, here}, 2);
    }
    e->multiples.len = 0;
}

/* Where a loop turns out not to be the innermost one, its multiples are computed when they are needed. */
static void compute_multiples(Emit *e) {
    const L *l = &e->l;
    LLVMBasicBlockRef here = l_here(l);
    if (e->multiples.len) LLVMPositionBuilderBefore(l->b, LLVMGetNextInstruction(e->loop));
    for (size_t i = 0; i < e->multiples.len; i++) {
        const Multiple *m = &e->multiples.at[i];
        LLVMReplaceAllUsesWith(m->v, LLVMBuildNSWMul(l->b, e->loop, l_i64(l, m->by), ""));
        LLVMInstructionEraseFromParent(m->v);
    }
    l_at(l, here);
    e->multiples.len = 0;
}

void emit_counted(Emit *e, const LoopStmt *s, V from, V to, int64_t step, void (*body)(Emit *, const LoopStmt *, V)) {
    const L *l = &e->l;
    LLVMBasicBlockRef loop = l_block(l, "loop"), after = l_block(l, "loop.end");
    compute_multiples(e);
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, from, to, ""), loop, after);
    LLVMBasicBlockRef before = l_here(l);
    l_at(l, loop);
    V var = e->loop = LLVMBuildPhi(l->b, l->i64, "v");
    forget_stores(e, &s->loop.body);
    body(e, s, var);
    V next = LLVMBuildNSWAdd(l->b, var, l_i64(l, step), "");
    if (e->loop == var) count_multiples(e, from, step, before);
    e->loop = NULL;
    LLVMAddIncoming(var, (V[]){from, next}, (LLVMBasicBlockRef[]){before, l_here(l)}, 2);
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, next, to, ""), loop, after);
    l_at(l, after);
}

/* limit and count of an unrolled loop: iterations beyond a limit that is not constant are branched around */
static void emit_unrolled(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    if (emit_interleaved(e, s)) return;
    V end = emit_trip_count(e, s);
    LLVMBasicBlockRef after = NULL;
    for (int64_t i = 0; i < s->loop.count; i++) {
        V inside = LLVMBuildICmp(l->b, LLVMIntSLT, l_i64(l, i), end, "");
        int64_t certain;
        if (!l_constant(inside, &certain)) {
            LLVMBasicBlockRef then = l_block(l, "unroll");
            if (!after) after = l_block(l, "unroll.end");
            LLVMBuildCondBr(l->b, inside, then, after);
            l_at(l, then);
        } else if (!certain) {
            break;
        }
        iteration(e, s, l_i64(l, i));
    }
    if (!after) return;
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

/* max(0, from) */
static V first_iteration(Emit *e, const LoopStmt *s) {
    V zero = l_i64(&e->l, 0);
    return s->loop.from ? l_call2(&e->l, "llvm.smax", emit_aff(e, s->loop.from), zero) : zero;
}

static void emit_for(Emit *e, const LoopStmt *s) {
    if (s->loop.count <= 0) return;
    if (s->loop.mode == FOR_VECTOR && !e->vector && s->loop.width > 1)
        emit_vector_loop(e, s);
    else if (s->loop.mode == FOR_UNROLL || (s->loop.count == 1 && !s->loop.from))
        emit_unrolled(e, s);
    else
        emit_counted(e, s, first_iteration(e, s), emit_trip_count(e, s), 1, iteration);
}

/* ---- conditions ---- */

static void emit_if_lanes(Emit *e, const LoopStmt *s, V holds) {
    V mask = e->mask;
    bool mask_empty = e->mask_empty;
    e->mask = mask ? LLVMBuildAnd(e->l.b, mask, holds, "") : holds;
    e->mask_empty = true;
    scope_open(e, true);
    emit_body(e, &s->when.then);
    scope_close(e);
    e->mask = mask;
    e->mask_empty = mask_empty;
}

static void emit_if(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    Val holds = emit_conds(e, s->when.n, s->when.conds);
    int64_t certain;
    if (holds.wide) {
        emit_if_lanes(e, s, holds.v);
        return;
    }
    if (l_constant(holds.v, &certain)) {
        if (certain) emit_body(e, &s->when.then);
        return;
    }
    LLVMBasicBlockRef then = l_block(l, "then"), after = l_block(l, "endif");
    LLVMBuildCondBr(l->b, holds.v, then, after);
    l_at(l, then);
    scope_open(e, false);
    emit_body(e, &s->when.then);
    scope_close(e);
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

/* ---- all kinds ---- */

static void emit_store_statement(Emit *e, const LoopStmt *s) {
    Val v = emit_ex(e, s->store.value);
    Offset at = emit_offset(e, &s->store.at);
    emit_store(e, s->store.buffer, &at, v);
}

static void emit_ahead(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    int64_t bytes = s->ahead.by * (int64_t)dtype_size(e->unit->buffers.at[s->ahead.buffer].dtype);
    V by = l_i64(l, bytes), at = emit_address(e, s->ahead.buffer, s->ahead.at);
    LLVMTypeRef pointer = LLVMTypeOf(at), i32 = LLVMInt32TypeInContext(l->ctx);
    at = LLVMBuildGEP2(l->b, LLVMInt8TypeInContext(l->ctx), at, &by, 1, "");
    V args[] = {at, l_int(i32, 0), l_int(i32, 3), l_int(i32, 1)}; /* to be read, again and again, data */
    l_call(l, "llvm.prefetch", &pointer, 1, args, 4);
}

void emit_body(Emit *e, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        switch (s->kind) {
        case LS_FOR: emit_for(e, s); break;
        case LS_DECL: emit_decl(e, s->decl); break;
        case LS_STORE: emit_store_statement(e, s); break;
        case LS_ACCUM: emit_accum(e, s); break;
        case LS_IF: emit_if(e, s); break;
        case LS_SORT: emit_sort(e, s); break;
        case LS_AHEAD: emit_ahead(e, s); break;
        }
    }
}
