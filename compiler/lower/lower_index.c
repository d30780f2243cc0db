/* Index notation: the scalar terms below a T_DEFINE or T_FOLD become the body of one comprehension.
 *
 * The terms form a DAG of any depth, so it is walked with a stack of its own. A term is evaluated in a context
 * (lower_scope.h): within a branch of a "select" that index conditions decide, these are known, and the branch is an
 * EX_GUARD. An access that is not inside its tensor by what is known gets a guard of its own, so no load is ever
 * outside. A T_FOLD becomes a node of its own over those indices around it that it uses. */
#include "compiler/lower/lower_scope.h"

#include <stdlib.h>
#include <string.h>

/* ---- free indices ---- */

static bool has_index(IndexSet s, const TermIndex *i) {
    for (int k = 0; k < s.n; k++)
        if (s.at[k] == i) return true;
    return false;
}

static IndexSet set_union(Lower *l, IndexSet a, IndexSet b) {
    int extra = 0;
    for (int k = 0; k < b.n; k++) extra += !has_index(a, b.at[k]);
    if (!extra) return a;
    TermIndex **at = ARENA_ARRAY(l->nnc->arena, TermIndex *, a.n + extra);
    if (a.n) memcpy(at, a.at, (size_t)a.n * sizeof *at);
    IndexSet u = {at, a.n};
    for (int k = 0; k < b.n; k++)
        if (!has_index(a, b.at[k])) at[u.n++] = b.at[k];
    return u;
}

static IndexSet set_minus(Lower *l, IndexSet a, IndexSet b) {
    TermIndex **at = ARENA_ARRAY(l->nnc->arena, TermIndex *, MAX(a.n, 1));
    IndexSet rest = {at, 0};
    for (int k = 0; k < a.n; k++)
        if (!has_index(b, a.at[k])) at[rest.n++] = a.at[k];
    return rest;
}

IndexSet lower_free(Lower *l, const Term *t) {
    IndexSet own = {t->indices, t->nindices}, used = {0};
    if (t->kind == T_INDEX) return own;
    for (int k = 0; k < t->nargs; k++) used = set_union(l, used, l->free[t->args[k]->id]);
    return t->kind == T_DEFINE || t->kind == T_FOLD ? set_minus(l, used, own) : used;
}

/* ---- the walk ---- */

typedef struct {
    const Term *t;
    const Context *in;
    const Context *inner; /* of the branch or fold that it opened; NULL before */
    enum { PLAN_NONE, PLAN_YES, PLAN_NO, PLAN_SELECT } plan;
} Frame;

typedef struct {
    uint64_t key; /* term and context; 0: empty */
    const Value *value;
} Memo;

typedef struct {
    Lower *l;
    VEC(Frame) stack;
    Memo *memo; /* open addressing */
    size_t used, cap;
    int ncontexts;
} Walk;

static uint64_t memo_key(const Term *t, const Context *c) { return ((uint64_t)t->id << 24 | (uint64_t)c->id) + 1; }

static Memo *memo_slot(const Walk *w, uint64_t key) {
    size_t i = (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (w->cap - 1);
    while (w->memo[i].key && w->memo[i].key != key) i = (i + 1) & (w->cap - 1);
    return &w->memo[i];
}

static void memo_put(Walk *w, uint64_t key, const Value *v) {
    if (w->used * 2 >= w->cap) {
        Walk old = *w;
        w->cap = MAX(old.cap * 2, (size_t)64);
        w->memo = xcalloc(w->cap, sizeof *w->memo);
        for (size_t i = 0; i < old.cap; i++)
            if (old.memo[i].key) *memo_slot(w, old.memo[i].key) = old.memo[i];
        free(old.memo);
    }
    *memo_slot(w, key) = (Memo){key, v};
    w->used++;
}

static const Context *context_new(Walk *w, Scope *s, Conds conds, int outer) {
    Context *c = ARENA_NEW(w->l->nnc->arena, Context);
    *c = (Context){s, conds, outer, w->ncontexts++};
    return c;
}

static const Context *context_with(Walk *w, const Context *c, const Conds *more) {
    return context_new(w, c->scope, lower_conds_join(w->l, c->conds, *more), c->outer);
}

static bool has_node(const Walk *w, const Term *t) { return t->kind == T_NUMBER || w->l->refs[t->id]; }

/* Whether get() can give the value of `t`; if not, it is what the walk does next. */
static bool ready(Walk *w, const Term *t, const Context *c) {
    if (has_node(w, t) || (w->cap && memo_slot(w, memo_key(t, c))->key)) return true;
    vec_push(&w->stack, (Frame){.t = t, .in = c});
    return false;
}

static bool is_index_type(DType t) { return t == DT_I32 || t == DT_I64; }

static Value get(Walk *w, const Term *t, const Context *c) {
    if (!has_node(w, t)) return *memo_slot(w, memo_key(t, c))->value;
    Value v = {0};
    if (t->kind == T_NUMBER && is_index_type(t->type.dtype))
        v.aff = aff_const(w->l->g->affs, (int64_t)t->number);
    else
        v.ex = lower_element(w->l, t, NULL);
    return v;
}

static Ex get_ex(Walk *w, const Term *t, const Context *c) {
    Value v = get(w, t, c);
    return v.ex ? v.ex : ex_index(w->l->g, t->type.dtype, v.aff);
}

/* ---- operations ---- */

/* The result as an index expression, or NULL. Division must be by a positive constant, as it is in index expressions.
 */
static const Aff *index_op(AffTable *t, ExKind op, const Aff *a, const Aff *b) {
    int64_t k = 0;
    if (!a || (op != EX_NEG && !b)) return NULL;
    switch (op) {
    case EX_NEG: return aff_scale(t, a, -1);
    case EX_ADD: return aff_add(t, a, b);
    case EX_SUB: return aff_sub(t, a, b);
    case EX_MUL:
        if (aff_is_const(b, &k)) return aff_scale(t, a, k);
        return aff_is_const(a, &k) ? aff_scale(t, b, k) : NULL;
    case EX_IDIV: return aff_is_const(b, &k) && k > 0 ? aff_div(t, a, k) : NULL;
    case EX_IMOD: return aff_is_const(b, &k) && k > 0 ? aff_mod(t, a, k) : NULL;
    default: return NULL;
    }
}

static bool plain_op(Walk *w, const Term *t, ExKind op, const Context *c, Value *v) {
    bool all = true;
    for (int k = 0; k < t->nargs; k++) all &= ready(w, t->args[k], c);
    if (!all) return false;
    Value a[3] = {0};
    for (int k = 0; k < t->nargs; k++) a[k] = get(w, t->args[k], c);
    const Aff *aff = is_index_type(t->type.dtype) ? index_op(w->l->g->affs, op, a[0].aff, a[1].aff) : NULL;
    if (aff) {
        v->aff = aff_simplify(w->l->g->affs, aff, c->scope->extents, c->scope->n);
        return true;
    }
    lower_conds_of(w->l, op, &a[0], &a[1], v);
    Ex e[3] = {0};
    for (int k = 0; k < t->nargs; k++) e[k] = get_ex(w, t->args[k], c);
    v->ex = ex_op(w->l->g, op, e[0], e[1], e[2]);
    return true;
}

/* select(c, x, y) as a guard with x inside where c is a conjunction of index conditions, with y inside where "not c" is
 * one; the one of x and y that needs no indices goes outside. */
static bool select_op(Walk *w, size_t frame, Value *v) {
    Frame f = w->stack.at[frame];
    const Term *x = f.t->args[1], *y = f.t->args[2];
    if (!ready(w, f.t->args[0], f.in)) return false;
    Value cond = get(w, f.t->args[0], f.in);
    if (f.plan == PLAN_NONE) {
        bool rather_no = cond.no && has_node(w, x) && !has_node(w, y);
        f.plan = cond.yes && !rather_no ? PLAN_YES : cond.no ? PLAN_NO : PLAN_SELECT;
        const Conds *more = f.plan == PLAN_YES ? cond.yes : cond.no;
        f.inner = f.plan == PLAN_SELECT ? f.in : context_with(w, f.in, more);
        w->stack.at[frame] = f;
    }
    const Context *cx = f.plan == PLAN_YES ? f.inner : f.in, *cy = f.plan == PLAN_NO ? f.inner : f.in;
    bool all = ready(w, x, cx);
    if (!ready(w, y, cy) || !all) return false;
    Ex ex = get_ex(w, x, cx), ey = get_ex(w, y, cy);
    Graph *g = w->l->g;
    if (f.plan == PLAN_YES)
        v->ex = ex_guard(g, cond.yes->n, cond.yes->at, ex, ey);
    else if (f.plan == PLAN_NO)
        v->ex = ex_guard(g, cond.no->n, cond.no->at, ey, ex);
    else
        v->ex = ex_op(g, EX_SELECT, get_ex(w, f.t->args[0], f.in), ex, ey);
    return true;
}

static bool scalar_op(Walk *w, size_t frame, Value *v) {
    Frame f = w->stack.at[frame];
    ExKind op;
    if (!op_from_name(f.t->op, &op)) bug("no operation is named '%s'", f.t->op);
    return op == EX_SELECT ? select_op(w, frame, v) : plain_op(w, f.t, op, f.in, v);
}

static bool cast(Walk *w, const Term *t, const Context *c, Value *v) {
    if (!ready(w, t->args[0], c)) return false;
    v->aff = is_index_type(t->type.dtype) ? get(w, t->args[0], c).aff : NULL;
    if (v->aff) return true;
    Ex narrow = ex_cast(w->l->g, t->type.dtype, get_ex(w, t->args[0], c)); /* rounds to half where that is asked for */
    v->ex = ex_cast(w->l->g, lower_wide(t->type.dtype), narrow);
    return true;
}

/* ---- accesses ---- */

static bool access(Walk *w, const Term *t, const Context *c, Value *v) {
    bool all = true;
    for (int k = 1; k < t->nargs; k++) all &= ready(w, t->args[k], c);
    if (!all) return false;
    Lower *l = w->l;
    const Term *x = t->args[0];
    int nconds = 0;
    Place *rows = lower_places(l, x->type.rank);
    Cond *conds = ARENA_ARRAY(l->nnc->arena, Cond, MAX(x->type.rank, 1));
    Ex valid = 0, missing = lower_missing(l, lower_wide(x->type.dtype));
    for (int d = 0; d < x->type.rank; d++) {
        Value i = get(w, t->args[d + 1], c);
        int64_t size = lower_dim(x->type.dims[d]);
        rows[d] = i.aff ? lower_at(i.aff) : lower_gathered(l, i.ex, size, &valid);
        if (!i.aff && size == 0) return v->ex = missing, true;
        if (i.aff && !lower_proves(l, c, i.aff, size)) conds[nconds++] = (Cond){i.aff, 0, size};
    }
    v->ex = lower_element(l, x, rows);
    if (valid) v->ex = ex_op(l->g, EX_SELECT, valid, v->ex, missing);
    if (nconds) v->ex = ex_guard(l->g, nconds, conds, v->ex, missing);
    return true;
}

/* ---- folds ---- */

/* The scope of a fold: those indices around it that it uses, then its own. Conditions around it stay known where they
 * speak of these. */
static const Context *fold_context(Walk *w, const Term *t, const Context *c) {
    Arena *a = w->l->nnc->arena;
    IndexSet free = w->l->free[t->id];
    int n = free.n + t->nindices, used = 0;
    TermIndex **indices = ARENA_ARRAY(a, TermIndex *, MAX(n, 1));
    int64_t *extents = ARENA_ARRAY(a, int64_t, MAX(n, 1));
    const Aff **map = ARENA_ARRAY(a, const Aff *, MAX(c->scope->n, 1));
    for (int v = 0; v < c->scope->n; v++) {
        if (!has_index(free, c->scope->indices[v])) continue;
        map[v] = aff_var(w->l->g->affs, used);
        indices[used] = c->scope->indices[v];
        extents[used++] = c->scope->extents[v];
    }
    for (int k = 0; k < t->nindices; k++) {
        indices[used] = t->indices[k];
        extents[used++] = lower_dim(t->indices[k]->extent);
    }
    if (used != n) bug("term %d uses an index that is not in scope", t->id);
    Scope *s = ARENA_NEW(a, Scope);
    *s = (Scope){n, indices, extents, false};
    Conds conds = lower_conds_map(w->l, c->conds, map, c->scope->n);
    return context_new(w, s, conds, conds.n);
}

static bool fold(Walk *w, size_t frame, Value *v) {
    if (!w->stack.at[frame].inner)
        w->stack.at[frame].inner = fold_context(w, w->stack.at[frame].t, w->stack.at[frame].in);
    Frame f = w->stack.at[frame];
    if (!ready(w, f.t->args[0], f.inner)) return false;
    Lower *l = w->l;
    Graph *g = l->g;
    const Scope *s = f.inner->scope;
    DType type = lower_wide(f.t->type.dtype);
    Combine c = lower_combine(f.t->op);
    Ex body = get_ex(w, f.t->args[0], f.inner);
    if (c != RED_ARGMAX && c != RED_ARGMIN) body = ex_cast(g, type, body);
    if (s->leans) /* where the conditions around it do not hold, nobody looks at the result */
        body = ex_guard(g, f.inner->outer, f.inner->conds.at, body, ex_zero(g, ir_expr(g, body)->dtype));
    int rank = s->n - f.t->nindices;
    Ref node = lower_reduction(l, c, rank, f.t->nindices, s->extents, body, f.t->at);
    if (f.t->name) ir_name(g, node, f.t->name);
    Place *rows = lower_places(l, rank);
    for (int d = 0; d < rank; d++) rows[d] = lower_at_var(l, lower_scope_find(f.in->scope, s->indices[d]));
    v->ex = ex_cast(g, type, ex_load(g, node, rows));
    if (strcmp(f.t->op, "mean") == 0) {
        double count = 1;
        for (int k = 0; k < f.t->nindices; k++) count *= (double)s->extents[rank + k];
        v->ex = ex_op(g, EX_DIV, v->ex, ex_float(g, type, count), 0);
    }
    return true;
}

static bool evaluate(Walk *w, size_t frame, Value *v) {
    Frame f = w->stack.at[frame];
    switch (f.t->kind) {
    case T_INDEX: {
        int var = lower_scope_find(f.in->scope, f.t->indices[0]);
        if (var < 0) bug("index '%s' is used outside of its scope", f.t->indices[0]->name);
        v->aff = aff_var(w->l->g->affs, var);
        return true;
    }
    case T_OP: return scalar_op(w, frame, v);
    case T_CAST: return cast(w, f.t, f.in, v);
    case T_ACCESS: return access(w, f.t, f.in, v);
    case T_FOLD: return fold(w, frame, v);
    default: bug("a term of kind %d in index notation", (int)f.t->kind);
    }
}

/* The value of scalar `t` over the indices of `s`. */
static Ex walk(Lower *l, const Term *t, Scope *s) {
    Walk w = {.l = l};
    const Context *top = context_new(&w, s, (Conds){0}, 0);
    ready(&w, t, top);
    while (w.stack.len) {
        size_t frame = w.stack.len - 1;
        Frame f = w.stack.at[frame];
        Value v = {0};
        bool known = w.cap && memo_slot(&w, memo_key(f.t, f.in))->key;
        if (!known && !evaluate(&w, frame, &v)) continue; /* its operands come first */
        if (!known) memo_put(&w, memo_key(f.t, f.in), arena_copy(l->nnc->arena, &v, sizeof v));
        w.stack.len--;
    }
    Ex e = get_ex(&w, t, top);
    vec_free(&w.stack);
    free(w.memo);
    return e;
}

Ref lower_define(Lower *l, const Term *t) {
    Scope s = {0};
    if (t->kind == T_DEFINE) {
        s.n = t->nindices;
        s.indices = t->indices;
        s.extents = lower_dims(l, t->type);
    }
    return lower_comp(l, t, RED_NONE, 0, NULL, walk(l, t->kind == T_DEFINE ? t->args[0] : t, &s));
}
