/* Vector loops: whole vectors first, then the rest as one narrower vector, masked where it is no power of two. Short
 * ones are expanded, so that the elements of register tiles have constant indices. Sums over the lanes are kept as a
 * vector of partial results each, interleaved in long loops so that one addition need not wait for the last, and folded
 * in a fixed order behind the loop. */
#include "compiler/llvm/emit.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXPANDED = 4,            /* loops of at most so many vectors are expanded */
    EXPANDED_REGISTERS = 64, /* the same where registers are indexed in the body */
    SHORT_WORK = 16,         /* cost of a body that may be written twice rather than masked */
    INTERLEAVED = 4          /* bodies side by side in loops that sum */
};

/* ---- sums over the lanes ---- */

static V partial_load(const L *l, const Accum *a, DType t, int lanes) {
    V v = l_load(l, l_vector(l_memory_type(l, t), lanes), a->partial, 64);
    return emit_from_memory(l, t, v);
}

static void partial_store(const L *l, const Accum *a, DType t, V v) {
    l_store(l, emit_to_memory(l, t, v), a->partial, 64);
}

static bool same_vars(const Aff *aff, V *const a, V *const b, int nvars) {
    for (int i = 0; i < nvars; i++)
        if (a[i] != b[i] && aff_uses(aff, i)) return false;
    return true;
}

static Accum *find_accum(Emit *e, const LoopStmt *s) {
    VectorLoop *v = e->vector;
    for (size_t i = 0; i < v->accums.len; i++) {
        Accum *a = &v->accums.at[i];
        if (a->stmt == s && a->copy == v->copy && same_vars(s->store.at.aff, a->vars, e->vars, e->kernel->nvars))
            return a;
    }
    const L *l = &e->l;
    DType t = e->unit->buffers.at[s->store.buffer].dtype;
    Accum a = {.stmt = s, .copy = v->copy};
    a.vars = arena_copy(e->unit->nnc->arena, e->vars, (size_t)e->kernel->nvars * sizeof(V));
    a.partial = l_alloca(l, l_vector(l_memory_type(l, t), v->width), 1, 64, "partial");
    LLVMBasicBlockRef here = l_here(l);
    LLVMPositionBuilderBefore(l->b, v->entry);
    partial_store(l, &a, t, l_splat(l, emit_identity(l, s->store.combine, t), v->width));
    a.place = emit_address(e, s->store.buffer, s->store.at.aff);
    l_at(l, here);
    vec_push(&v->accums, a);
    return &v->accums.at[v->accums.len - 1];
}

/* The lower half combined with the upper half, until one lane is left. */
static V fold_lanes(const L *l, Combine c, DType t, V v) {
    for (int half = l_lanes(LLVMTypeOf(v)) / 2; half >= 1; half /= 2) {
        int low[MAX_LANES], high[MAX_LANES];
        for (int i = 0; i < half; i++) low[i] = i, high[i] = half + i;
        V a = half == 1 ? l_lane(l, v, 0) : l_shuffle(l, v, v, low, half);
        V b = half == 1 ? l_lane(l, v, 1) : l_shuffle(l, v, v, high, half);
        v = emit_combine(l, c, t, a, b);
    }
    return v;
}

/* Adds the partial results of all copies of one statement to its place. */
static void finish_accum(Emit *e, size_t first) {
    const L *l = &e->l;
    VectorLoop *v = e->vector;
    const Accum *a = &v->accums.at[first];
    const LoopStmt *s = a->stmt;
    Combine c = s->store.combine;
    DType t = e->unit->buffers.at[s->store.buffer].dtype;
    V parts[INTERLEAVED];
    int n = 0;
    for (size_t i = first; i < v->accums.len; i++) {
        const Accum *other = &v->accums.at[i];
        if (other->stmt == s && same_vars(s->store.at.aff, a->vars, other->vars, e->kernel->nvars))
            parts[n++] = partial_load(l, other, t, v->width);
    }
    for (; n > 1; n = (n + 1) / 2)
        for (int i = 0; i < n / 2; i++) parts[i] = emit_combine(l, c, t, parts[i], parts[(n + 1) / 2 + i]);
    V total = fold_lanes(l, c, t, parts[0]);
    V old = emit_from_memory(l, t, emit_plain_load(e, s->store.buffer, l_memory_type(l, t), a->place));
    emit_plain_store(e, s->store.buffer, emit_to_memory(l, t, emit_combine(l, c, t, old, total)), a->place);
    emit_stored(e, s->store.buffer);
}

static void finish_accums(Emit *e) {
    VectorLoop *v = e->vector;
    for (size_t i = 0; i < v->accums.len; i++)
        if (v->accums.at[i].copy == 0) finish_accum(e, i);
    vec_free(&v->accums);
}

/* ---- LS_ACCUM ---- */

/* combine(old, value), as one fused multiply-add where that is asked for and the target has it */
static Val updated(Emit *e, const LoopStmt *s, Val old) {
    const L *l = &e->l;
    const Expr *n = ir_expr(e->graph, s->store.value);
    DType t = e->unit->buffers.at[s->store.buffer].dtype;
    bool floats = t == DT_F32 || t == DT_F64;
    if (s->store.fused && s->store.combine == RED_SUM && n->kind == EX_MUL && floats && l->target->machine.fma) {
        Val a = emit_ex(e, n->arg[0]), b = emit_ex(e, n->arg[1]);
        bool wide = a.wide || b.wide || old.wide;
        if (!wide) return (Val){l_call3(l, "llvm.fma", a.v, b.v, old.v), false};
        return (Val){l_call3(l, "llvm.fma", emit_wide(e, a), emit_wide(e, b), emit_wide(e, old)), true};
    }
    Val v = emit_ex(e, s->store.value);
    bool wide = v.wide || old.wide;
    if (!wide) return (Val){emit_combine(l, s->store.combine, t, old.v, v.v), false};
    return (Val){emit_combine(l, s->store.combine, t, emit_wide(e, old), emit_wide(e, v)), true};
}

static void accum_in_place(Emit *e, const LoopStmt *s) {
    Offset at = emit_offset(e, &s->store.at);
    emit_store(e, s->store.buffer, &at, updated(e, s, emit_load(e, s->store.buffer, &at)));
}

/* into the partial results of the vector loop */
static void accum_partial(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    DType t = e->unit->buffers.at[s->store.buffer].dtype;
    Accum a = *find_accum(e, s);
    V old = partial_load(l, &a, t, e->lanes);
    V v = emit_wide(e, updated(e, s, (Val){old, true}));
    if (e->mask) v = LLVMBuildSelect(l->b, e->mask, v, old, "");
    partial_store(l, &a, t, v);
}

/* this vector's lanes now: where the place changes from vector to vector */
static void accum_folded(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    DType t = e->unit->buffers.at[s->store.buffer].dtype;
    Combine c = s->store.combine;
    V v = emit_wide(e, emit_ex(e, s->store.value));
    if (e->mask) v = LLVMBuildSelect(l->b, e->mask, v, l_splat(l, emit_identity(l, c, t), e->lanes), "");
    Offset at = emit_offset(e, &s->store.at);
    V old = emit_load(e, s->store.buffer, &at).v;
    emit_store(e, s->store.buffer, &at, (Val){emit_combine(l, c, t, old, fold_lanes(l, c, t, v)), false});
}

/* Whether all iterations of the vector loop add to one place, known to exist in front of the loop. */
static bool one_place(const Emit *e, const LoopStmt *s) {
    const Aff *aff = s->store.at.aff;
    if (s->store.at.gather || aff_uses(aff, e->vector->stmt->loop.var)) return false;
    for (int v = 0; v < e->kernel->nvars; v++)
        if (e->var_inside[v] && aff_uses(aff, v) && !LLVMIsConstant(e->vars[v])) return false;
    int64_t lo, hi;
    return aff_range(aff, e->kernel->extents, e->kernel->nvars, &lo, &hi) && lo >= 0 &&
           hi < e->unit->buffers.at[s->store.buffer].elems;
}

void emit_accum(Emit *e, const LoopStmt *s) {
    int64_t step;
    bool same = e->lanes > 1 && !e->slots[s->store.buffer].in_vector && aff_in_lanes(e, s->store.at.aff, &step) &&
                step == 0 && !s->store.at.gather;
    if (!same)
        accum_in_place(e, s);
    else if (one_place(e, s))
        accum_partial(e, s);
    else
        accum_folded(e, s);
}

/* ---- the loop ---- */

/* The body for `lanes` iterations from `base`. */
static void vector_body(Emit *e, const LoopStmt *s, V base, int lanes, V mask) {
    int var = s->loop.var;
    e->vars[var] = base;
    e->var_inside[var] = true;
    e->bound[var] = e->scopes_made + 1;
    e->lanes = lanes;
    e->lane_var = lanes > 1 ? var : -1;
    e->mask = mask;
    e->mask_empty = false;
    scope_open(e, false);
    emit_body(e, &s->loop.body);
    scope_close(e);
    e->vars[var] = NULL;
    e->mask = NULL;
    e->lanes = 1;
    e->lane_var = -1;
}

static V first_lanes(const L *l, V n, int lanes) {
    V count = LLVMBuildTrunc(l->b, n, l->i32, "");
    return LLVMBuildICmp(l->b, LLVMIntSLT, l_iota(l->i32, lanes), l_splat(l, count, lanes), "");
}

static void add_cost(const Graph *g, Ex e, void *self) {
    const Expr *x = ir_expr(g, e);
    bool leaf = x->kind == EX_CONST || x->kind == EX_INDEX || x->kind == EX_FETCH;
    if (!leaf) *(int *)self += x->kind == EX_GUARD ? x->guard.n : op_info(x->kind)->cost;
}

/* Whether some narrow vectors are better than one with a mask: short work, which masks would be most of. */
static bool narrow_pays(const Emit *e, const LoopStmt *s) {
    int cost = 0;
    if (e->l.target->machine.vector_bytes >= 64) return false; /* there masks are part of every instruction */
    for (size_t i = 0; i < s->loop.body.len; i++) {
        const LoopStmt *in = s->loop.body.at[i];
        if (in->kind == LS_DECL || emit_interleaves(e, in)) continue;
        if (in->kind != LS_STORE && in->kind != LS_ACCUM) return false;
        if (in->kind == LS_ACCUM && in->store.fused) return false; /* the inside of a product: bound by what it adds */
        ex_walk(e->graph, in->store.value, add_cost, &cost);
    }
    return cost <= SHORT_WORK;
}

/* the `rest` iterations from `base`, fewer than a vector has lanes */
static void constant_tail(Emit *e, const LoopStmt *s, int64_t base, int64_t rest) {
    bool narrow = narrow_pays(e, s);
    e->vector->copy = 0;
    while (rest) {
        int lanes = 1;
        while (lanes < rest) lanes *= 2;
        if (lanes > rest && narrow) lanes /= 2;
        V mask = lanes > rest ? first_lanes(&e->l, l_i64(&e->l, rest), lanes) : NULL;
        vector_body(e, s, l_i64(&e->l, base), lanes, mask);
        base += lanes;
        rest -= MIN(rest, lanes);
    }
}

/* Vectors `from` to `to` with constant indices. */
static void expanded(Emit *e, const LoopStmt *s, int64_t from, int64_t to, int copies) {
    for (int64_t i = from; i < to; i++) {
        e->vector->copy = (int)((i - from) % copies);
        vector_body(e, s, l_i64(&e->l, i * e->vector->width), e->vector->width, NULL);
    }
}

static void whole_vector(Emit *e, const LoopStmt *s, V base) { vector_body(e, s, base, e->vector->width, NULL); }

static void interleaved_vectors(Emit *e, const LoopStmt *s, V base) {
    for (int i = 0; i < INTERLEAVED; i++) {
        e->vector->copy = i;
        whole_vector(e, s, LLVMBuildNSWAdd(e->l.b, base, l_i64(&e->l, (int64_t)i * e->vector->width), ""));
    }
}

static bool uses_registers(const Emit *e, const LoopBody *body, int var) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        if (s->kind == LS_FOR && uses_registers(e, &s->loop.body, var)) return true;
        if (s->kind == LS_IF && uses_registers(e, &s->when.then, var)) return true;
        if (s->kind != LS_STORE && s->kind != LS_ACCUM) continue;
        if (e->unit->buffers.at[s->store.buffer].kind == BUF_REG && aff_uses(s->store.at.aff, var)) return true;
    }
    return false;
}

/* Whether the body is short and sums over the lanes. */
static bool sums(const LoopStmt *loop) {
    bool any = false;
    for (size_t i = 0; i < loop->loop.body.len; i++) {
        const LoopStmt *s = loop->loop.body.at[i];
        if (s->kind == LS_FOR || s->kind == LS_IF) return false;
        any |= s->kind == LS_ACCUM && !s->store.at.gather && !aff_uses(s->store.at.aff, loop->loop.var);
    }
    return any;
}

static bool is_short(const Emit *e, const LoopStmt *s, int64_t count) {
    int64_t vectors = (count + s->loop.width - 1) / s->loop.width;
    return vectors <= EXPANDED || (vectors <= EXPANDED_REGISTERS && uses_registers(e, &s->loop.body, s->loop.var));
}

static void constant_count(Emit *e, const LoopStmt *s, int64_t count) {
    const L *l = &e->l;
    int64_t width = s->loop.width, whole = count / width, done = 0;
    int copies = sums(s) ? INTERLEAVED : 1;
    if (!is_short(e, s, count)) {
        done = whole - whole % copies;
        emit_counted(e, s, l_i64(l, 0), l_i64(l, done * width), copies * width,
                     copies > 1 ? interleaved_vectors : whole_vector);
    }
    expanded(e, s, done, whole, copies);
    constant_tail(e, s, whole * width, count % width);
}

/* iterations up to `end`, which is below the loop's count: expanded, each vector masked */
static void short_limited(Emit *e, const LoopStmt *s, V end) {
    const L *l = &e->l;
    int width = e->vector->width;
    LLVMBasicBlockRef after = l_block(l, "short.end");
    e->vector->copy = 0;
    for (int64_t base = 0; base < s->loop.count; base += width) {
        LLVMBasicBlockRef then = l_block(l, "short");
        V left = LLVMBuildNSWSub(l->b, end, l_i64(l, base), "");
        LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSGT, left, l_i64(l, 0), ""), then, after);
        l_at(l, then);
        left = l_call2(l, "llvm.smin", left, l_i64(l, width));
        vector_body(e, s, l_i64(l, base), width, first_lanes(l, left, width));
    }
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

/* Whether limit and count are multiples of a vector. */
static bool in_whole_vectors(const LoopStmt *s) {
    int64_t rest = s->loop.count % s->loop.width | s->loop.limit->constant % s->loop.width;
    for (int i = 0; i < s->loop.limit->nterms; i++) rest |= s->loop.limit->terms[i].coef % s->loop.width;
    return rest == 0;
}

/* Whether a limit below the count can be but one number above 0: what a whole has over, cut into shares of the count.
 */
static bool one_rest(const LoopStmt *s, int64_t *rest) {
    const Aff *limit = s->loop.limit;
    for (int i = 0; i < limit->nterms; i++)
        if (limit->terms[i].coef % s->loop.count) return false;
    *rest = (limit->constant % s->loop.count + s->loop.count) % s->loop.count;
    return true;
}

/* iterations up to `end`, which is below the loop's count; known ones need masks for the last vector at most */
static void short_part(Emit *e, const LoopStmt *s, V end) {
    const L *l = &e->l;
    int64_t rest;
    if (!one_rest(s, &rest)) {
        short_limited(e, s, end);
        return;
    }
    LLVMBasicBlockRef some = l_block(l, "rest"), after = l_block(l, "rest.end");
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSGT, end, l_i64(l, 0), ""), some, after);
    l_at(l, some);
    constant_count(e, s, rest);
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

static bool interleaves(const Emit *e, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++)
        if (emit_interleaves(e, body->at[i])) return true;
    return false;
}

static void limited_count(Emit *e, const LoopStmt *s, V end) {
    const L *l = &e->l;
    if (in_whole_vectors(s) && !uses_registers(e, &s->loop.body, s->loop.var)) {
        emit_counted(e, s, l_i64(l, 0), end, e->vector->width, whole_vector);
        return;
    }
    int64_t rest;
    bool shuffles = interleaves(e, &s->loop.body) && one_rest(s, &rest); /* with a mask each element is stored alone */
    if (shuffles || is_short(e, s, s->loop.count)) { /* the whole loop where the limit does not matter, or a part */
        LLVMBasicBlockRef all = l_block(l, "all"), part = l_block(l, "part"), after = l_block(l, "vector.end");
        LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, end, l_i64(l, s->loop.count), ""), part, all);
        l_at(l, all);
        constant_count(e, s, s->loop.count);
        LLVMBuildBr(l->b, after);
        l_at(l, part);
        short_part(e, s, end);
        LLVMBuildBr(l->b, after);
        l_at(l, after);
        return;
    }
    int width = e->vector->width;
    V positive = l_call2(l, "llvm.smax", end, l_i64(l, 0));
    V whole = LLVMBuildAnd(l->b, positive, l_i64(l, -(int64_t)width), "");
    emit_counted(e, s, l_i64(l, 0), whole, width, whole_vector);
    LLVMBasicBlockRef tail = l_block(l, "tail"), after = l_block(l, "vector.end");
    LLVMBuildCondBr(l->b, LLVMBuildICmp(l->b, LLVMIntSLT, whole, end, ""), tail, after);
    l_at(l, tail);
    vector_body(e, s, whole, width, first_lanes(l, LLVMBuildNSWSub(l->b, end, whole, ""), width));
    LLVMBuildBr(l->b, after);
    l_at(l, after);
}

void emit_vector_loop(Emit *e, const LoopStmt *s) {
    const L *l = &e->l;
    int width = s->loop.width;
    if (width > MAX_LANES || (width & (width - 1))) bug("kernel %s: vectors of %d lanes", e->kernel->name, width);
    VectorLoop v = {.stmt = s, .width = width};
    LLVMBasicBlockRef start = l_block(l, "vector");
    v.entry = LLVMBuildBr(l->b, start);
    l_at(l, start);
    e->vector = &v;
    e->lane_step = width;
    V end = emit_trip_count(e, s);
    int64_t count;
    if (l_constant(end, &count))
        constant_count(e, s, count);
    else
        limited_count(e, s, end);
    finish_accums(e);
    e->vector = NULL;
}
