/* From expressions over a node's indices and other nodes to expressions over a kernel's loops and buffers. */
#include "compiler/loop/common.h"

#include <string.h>

typedef struct {
    Nest *n;
    const Aff *const *map;
    int nmap;
} Lower;

/* Indices are simplified twice: by the exact ranges of the variables that stand for others, then as what those stand
 * for. */
const Aff *loop_index(Nest *n, const Aff *a, const Aff *const *map, int nmap) {
    AffTable *t = n->b->affs;
    int nvars = (int)n->extents.len;
    if (nmap) a = aff_subst(t, a, map, nmap);
    a = aff_simplify(t, a, n->extents.at, nvars);
    bool stands = false;
    for (int v = 0; v < nvars && !stands; v++) stands = n->stands.at[v] && aff_uses(a, v);
    if (!stands) return a;
    return aff_simplify(t, aff_subst(t, a, n->stands.at, nvars), n->extents.at, nvars);
}

static Ex lower(const Lower *l, Ex e);

/* Adds stride * gather to the gathers so far; 64 bits wide where the tensor has more elements than 32 bits count. */
static Ex add_gather(Builder *b, Ex sum, Ex gather, int64_t stride, DType t) {
    gather = loop_convert(b, t, gather);
    if (stride != 1) gather = ex_op(b->g, EX_MUL, gather, ex_int(b->g, t, stride), 0);
    return sum ? ex_op(b->g, EX_ADD, sum, gather, 0) : gather;
}

/* Index `at` of the last dim, or of another one, in elements. */
static const Aff *along(AffTable *t, const View *v, bool last, int64_t stride, const Aff *at) {
    if (!v->panel || !last) return aff_scale(t, at, stride);
    return aff_add(t, aff_scale(t, aff_div(t, at, v->panel), stride), aff_mod(t, at, v->panel));
}

static Place lower_place(const Lower *l, Ref r, const Place *at) {
    Nest *n = l->n;
    Builder *b = n->b;
    const View v = loop_view(b, r);
    const Node *node = ir_node(b->g, r);
    DType wide = ir_elements(node) > INT32_MAX ? DT_I64 : DT_I32;
    Place p = {.aff = aff_const(b->affs, 0)};
    int rank = node->rank;
    for (int d = 0; d < rank; d++) {
        if (!v.strides[d]) continue;
        p.aff = aff_add(b->affs, p.aff, along(b->affs, &v, d == rank - 1, v.strides[d], at[d].aff));
        if (at[d].gather) p.gather = add_gather(b, p.gather, lower(l, at[d].gather), v.strides[d], wide);
    }
    if (l->nmap) p.aff = aff_subst(b->affs, p.aff, l->map, l->nmap);
    if (p.gather && ir_expr(b->g, p.gather)->kind == EX_INDEX) { /* by the number of an iteration */
        p.aff = aff_add(b->affs, p.aff, ir_expr(b->g, p.gather)->index);
        p.gather = 0;
    }
    if (v.base) p.aff = aff_add(b->affs, p.aff, v.base);
    p.aff = loop_index(n, p.aff, NULL, 0);
    return p;
}

const Aff *loop_offset(Nest *n, View v, const Aff *const *at, int rank) {
    AffTable *t = n->b->affs;
    const Aff *a = v.base ? v.base : aff_const(t, 0);
    for (int d = 0; d < rank; d++)
        if (v.strides[d]) a = aff_add(t, a, along(t, &v, d == rank - 1, v.strides[d], at[d]));
    return loop_index(n, a, NULL, 0);
}

static Ex lower_load(const Lower *l, const Expr *x) {
    Builder *b = l->n->b;
    const Node *from = ir_node(b->g, x->load.node);
    if (from->kind == N_LEAF && from->leaf.kind == LEAF_ITER) return loop_iteration(b, from);
    Place p = lower_place(l, x->load.node, x->load.at);
    int buffer = loop_view(b, x->load.node).buffer;
    return loop_convert(b, x->dtype, ex_fetch(b->g, b->u->buffers.at[buffer].dtype, buffer, p));
}

typedef struct {
    const Lower *l;
    bool inside;
} Inside;

static void check_inside(const Graph *g, Ex e, void *self) {
    Inside *in = self;
    const Nest *n = in->l->n;
    const Expr *x = ir_expr(g, e);
    for (int d = 0; x->kind == EX_LOAD && d < x->load.rank && in->inside; d++) {
        int64_t lo, hi;
        const Aff *at = aff_subst(n->b->affs, x->load.at[d].aff, in->l->map, in->l->nmap);
        in->inside = !x->load.at[d].gather && aff_range(at, n->extents.at, (int)n->extents.len, &lo, &hi) && lo >= 0 &&
                     hi < ir_node(g, x->load.node)->dims[d];
    }
}

static bool by_lanes(const Nest *n, const Cond *conds, int nconds) {
    for (size_t h = 0; h < n->heads.len; h++) {
        const LoopStmt *s = n->heads.at[h];
        if (s->kind != LS_FOR || s->loop.mode != FOR_VECTOR) continue;
        for (int i = 0; i < nconds; i++)
            if (aff_uses(conds[i].aff, s->loop.var)) return true;
    }
    return false;
}

/* A guard between values that may be computed anyway, by lanes: plain loads and a choice are less than masked loads. */
static Ex lower_choice(const Lower *l, const Expr *x, const Cond *conds, int n) {
    Graph *g = l->n->b->g;
    Inside in = {l, true};
    Ex all = 0;
    if (!by_lanes(l->n, conds, n)) return 0;
    for (int i = 0; i < 2; i++) ex_walk(g, x->arg[i], check_inside, &in);
    for (int i = 0; i < n; i++) {
        int64_t lo, hi;
        in.inside = in.inside && aff_range(conds[i].aff, l->n->extents.at, (int)l->n->extents.len, &lo, &hi) &&
                    lo > INT32_MIN && hi < INT32_MAX;
        if (!in.inside) return 0;
        Ex index = ex_index(g, DT_I32, conds[i].aff), holds[2] = {0};
        if (lo < conds[i].lo) holds[0] = ex_op(g, EX_LE, ex_int(g, DT_I32, conds[i].lo), index, 0);
        if (hi >= conds[i].hi) holds[1] = ex_op(g, EX_LT, index, ex_int(g, DT_I32, conds[i].hi), 0);
        for (int k = 0; k < 2; k++)
            if (holds[k]) all = all ? ex_op(g, EX_AND, all, holds[k], 0) : holds[k];
    }
    Ex inside = lower(l, x->arg[0]);
    return all ? ex_op(g, EX_SELECT, all, inside, lower(l, x->arg[1])) : inside;
}

/* Conditions that hold for every iteration go; one that never holds leaves the other value alone. */
static Ex lower_guard(const Lower *l, const Expr *x) {
    Nest *n = l->n;
    Cond *conds = ARENA_ARRAY(n->b->arena, Cond, x->guard.n);
    int kept = 0;
    for (int i = 0; i < x->guard.n; i++) {
        Cond c = x->guard.at[i];
        int64_t lo, hi;
        if (n->b->fails && conds_equal(&c, n->b->fails, 1)) return lower(l, x->arg[1]);
        c.aff = loop_index(n, c.aff, l->map, l->nmap);
        if (aff_range(c.aff, n->extents.at, (int)n->extents.len, &lo, &hi)) {
            if (lo >= c.lo && hi < c.hi) continue;
            if (hi < c.lo || lo >= c.hi) return lower(l, x->arg[1]);
            if (lo >= c.lo) c.lo = INT64_MIN;
            if (hi < c.hi) c.hi = INT64_MAX;
        }
        conds[kept++] = c;
    }
    Ex choice = kept ? lower_choice(l, x, conds, kept) : 0;
    if (choice) return choice;
    Ex inside = lower(l, x->arg[0]);
    return kept ? ex_guard(n->b->g, kept, conds, inside, lower(l, x->arg[1])) : inside;
}

static Ex lower_new(const Lower *l, Ex e) {
    Graph *g = l->n->b->g;
    const Expr x = *ir_expr(g, e); /* a copy: the array grows below */
    Ex a[4];
    switch (x.kind) {
    case EX_CONST: return e;
    case EX_INDEX: return ex_index(g, x.dtype, loop_index(l->n, x.index, l->map, l->nmap));
    case EX_LOAD: return lower_load(l, &x);
    case EX_GUARD: return lower_guard(l, &x);
    case EX_FETCH: bug("a fetch inside the body of a node");
    default: break;
    }
    int arity = op_info(x.kind)->arity;
    for (int i = 0; i < 4; i++) a[i] = i < arity ? lower(l, x.arg[i]) : 0;
    if (x.kind == EX_CAST) return ex_cast(g, x.dtype, a[0]);
    if (x.kind == EX_RANDOM) return ex_random(g, a[0], a[1], a[2], a[3]);
    return ex_op(g, x.kind, a[0], a[1], a[2]);
}

static Ex lower(const Lower *l, Ex e) {
    Builder *b = l->n->b;
    if (e < b->nmemo && b->stamp[e] == b->lowering) return b->memo[e];
    Ex to = lower_new(l, e);
    if (e >= b->nmemo) {
        size_t n = b->g->exprs.len * 2;
        b->stamp = xrealloc(b->stamp, n * sizeof *b->stamp);
        b->memo = xrealloc(b->memo, n * sizeof *b->memo);
        memset(b->stamp + b->nmemo, 0, (n - b->nmemo) * sizeof *b->stamp);
        b->nmemo = n;
    }
    b->stamp[e] = b->lowering;
    b->memo[e] = to;
    return to;
}

Ex loop_lower(Nest *n, Ex e, const Aff *const *map, int nmap) {
    n->b->lowering++;
    return lower(&(Lower){n, map, nmap}, e);
}

Place loop_place(Nest *n, Ref r, const Place *at, const Aff *const *map, int nmap) {
    n->b->lowering++;
    return lower_place(&(Lower){n, map, nmap}, r, at);
}
