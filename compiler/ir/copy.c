/* Walks over expressions, and copies of them: with other variables, other nodes, in another graph, or simplified by the
 * ranges of the variables. No recursion: operands have smaller numbers than what uses them. */
#include "compiler/ir/private.h"

#include <stdlib.h>
#include <string.h>

int ex_nchildren(const Expr *x) { return 4 + (x->kind == EX_LOAD ? x->load.rank : x->kind == EX_FETCH); }

Ex ex_child(const Expr *x, int i) {
    if (i < 4) return x->arg[i];
    return x->kind == EX_LOAD ? x->load.at[i - 4].gather : x->fetch.at.gather;
}

/* ---- walks ---- */

static int cmp_number(const void *a, const void *b) {
    Ex x = *(const Ex *)a, y = *(const Ex *)b;
    return (x > y) - (x < y);
}

/* Adds `e` unless this walk has met it. */
static void meet(struct IrTables *t, ExList *list, Ex e) {
    if (!e || t->mark[e] == t->walk) return;
    t->mark[e] = t->walk;
    vec_push(list, e);
}

ExList ex_below(const Graph *g, const Ex *roots, int n) {
    struct IrTables *t = g->tables;
    if (t->nmark < g->exprs.cap) {
        t->nmark = g->exprs.cap;
        t->mark = ARENA_ARRAY(g->nnc->arena, uint32_t, t->nmark);
        t->walk = 0;
    }
    t->walk++;
    ExList list = {0};
    for (int i = 0; i < n; i++) meet(t, &list, roots[i]);
    for (size_t next = 0; next < list.len; next++) {
        const Expr *x = ir_expr(g, list.at[next]);
        for (int i = 0; i < ex_nchildren(x); i++) meet(t, &list, ex_child(x, i));
    }
    if (list.len) qsort(list.at, list.len, sizeof *list.at, cmp_number);
    return list;
}

size_t ex_position(const ExList *l, Ex e) {
    size_t lo = 0, hi = l->len;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (l->at[mid] <= e)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

void ex_walk(const Graph *g, Ex e, void (*visit)(const Graph *g, Ex e, void *self), void *self) {
    ExList list = ex_below(g, &e, 1);
    for (size_t i = 0; i < list.len; i++) visit(g, list.at[i], self);
    vec_free(&list);
}

void ex_used_by(const Graph *g, Ex e, bool *used, int n) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_INDEX) aff_mark_uses(x->index, used, n);
    if (x->kind == EX_FETCH) aff_mark_uses(x->fetch.at.aff, used, n);
    for (int i = 0; x->kind == EX_LOAD && i < x->load.rank; i++) aff_mark_uses(x->load.at[i].aff, used, n);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++) aff_mark_uses(x->guard.at[i].aff, used, n);
}

void ex_used(const Graph *g, Ex e, bool *used, int n) {
    ExList list = ex_below(g, &e, 1);
    for (size_t k = 0; k < list.len; k++) ex_used_by(g, list.at[k], used, n);
    vec_free(&list);
}

/* ---- copies ---- */

Cond *conds_copy(Graph *to, const Cond *conds, int n) {
    Cond *copy = arena_copy(to->nnc->arena, conds, sizeof *copy * (size_t)n);
    for (int i = 0; i < n; i++) copy[i].aff = aff_subst(to->affs, conds[i].aff, NULL, 0);
    return copy;
}

const Aff *aff_rebuild(const Rebuild *r, const Aff *a) {
    if (r->map || r->to->affs != r->from->affs) a = aff_subst(r->to->affs, a, r->map, r->map ? r->n : 0);
    return r->extents ? aff_simplify(r->to->affs, a, r->extents, r->nvars) : a;
}

static bool is_number(const Graph *g, Ex e, DType t, const Aff **a) {
    const Expr *x = ir_expr(g, e);
    if (x->dtype != t || (x->kind != EX_INDEX && x->kind != EX_CONST)) return false;
    *a = x->kind == EX_INDEX ? x->index : aff_const(g->affs, x->i);
    return true;
}

/* Comparisons, quotients and remainders of indices whose values are known to fit their type. */
static Ex by_ranges(const Rebuild *r, ExKind op, Ex e, Ex f) {
    Graph *g = r->to;
    bool compare = op == EX_LT || op == EX_LE || op == EX_EQ || op == EX_NE;
    if (!r->extents || (!compare && op != EX_IDIV && op != EX_IMOD)) return 0;
    DType t = ir_expr(g, e)->dtype;
    const Aff *a, *b;
    int64_t lo, hi, by;
    if ((t != DT_I32 && t != DT_I64) || !is_number(g, e, t, &a) || !is_number(g, f, t, &b)) return 0;
    if (!aff_range(a, r->extents, r->nvars, &lo, &hi) || scalar_wrap(t, lo) != lo || scalar_wrap(t, hi) != hi) return 0;
    if (!compare) {
        if (!aff_is_const(b, &by) || by < 1) return 0;
        a = op == EX_IDIV ? aff_div(g->affs, a, by) : aff_mod(g->affs, a, by);
        return ex_index(g, t, aff_simplify(g->affs, a, r->extents, r->nvars));
    }
    if (!aff_range(b, r->extents, r->nvars, &lo, &hi) || scalar_wrap(t, lo) != lo || scalar_wrap(t, hi) != hi) return 0;
    if (!aff_range(aff_sub(g->affs, a, b), r->extents, r->nvars, &lo, &hi)) return 0;
    if (op == EX_LT || op == EX_LE) {
        int64_t end = op == EX_LT ? 0 : 1; /* a < b: a - b < 0; a <= b: a - b < 1 */
        return hi < end ? ex_int(g, DT_BOOL, 1) : lo >= end ? ex_int(g, DT_BOOL, 0) : 0;
    }
    if (lo > 0 || hi < 0) return ex_int(g, DT_BOOL, op == EX_NE);
    return 0;
}

static Ex rebuild_load(const Rebuild *r, const Expr *x, const Ex *arg) {
    Place few[8], *at = x->load.rank > (int)COUNT(few) ? xcalloc((size_t)x->load.rank, sizeof *at) : few;
    for (int i = 0; i < x->load.rank; i++) at[i] = (Place){aff_rebuild(r, x->load.at[i].aff), arg[4 + i]};
    Ref node = r->refs ? r->refs[x->load.node] : x->load.node;
    if (ir_node(r->to, node)->rank != x->load.rank) bug("a copied load of rank %d meets another rank", x->load.rank);
    Ex e = ex_load(r->to, node, at);
    if (at != few) free(at);
    return e;
}

static Ex rebuild_guard(const Rebuild *r, const Expr *x, const Ex *arg) {
    Cond few[8], *c = x->guard.n > (int)COUNT(few) ? xcalloc((size_t)x->guard.n, sizeof *c) : few;
    int n = 0;
    bool never = false;
    for (int i = 0; i < x->guard.n; i++) {
        Cond k = x->guard.at[i];
        int64_t lo, hi;
        k.aff = aff_rebuild(r, k.aff);
        if (r->extents && aff_range(k.aff, r->extents, r->nvars, &lo, &hi)) {
            if (hi < k.lo || lo >= k.hi) never = true;
            if (lo >= k.lo && hi < k.hi) continue;
            k.lo = MAX(k.lo, lo); /* beyond the range of the values a bound says nothing */
            k.hi = MIN(k.hi, hi + 1);
        }
        c[n++] = k;
    }
    Ex e = never ? arg[1] : ex_guard(r->to, n, c, arg[0], arg[1]);
    if (c != few) free(c);
    return e;
}

/* Expression x of the old graph over new operands `arg` (gathers from arg[4] on). */
static Ex rebuild_one(const Rebuild *r, const Expr *x, const Ex *arg) {
    Ex e;
    switch (x->kind) {
    case EX_CONST:
        return ex_const(r->to, x->dtype, dtype_is_float(x->dtype) ? (Scalar){.f = x->f} : (Scalar){.i = x->i});
    case EX_INDEX: return ex_index(r->to, x->dtype, aff_rebuild(r, x->index));
    case EX_LOAD: return rebuild_load(r, x, arg);
    case EX_GUARD: return rebuild_guard(r, x, arg);
    case EX_FETCH: return ex_fetch(r->to, x->dtype, x->fetch.buffer, (Place){aff_rebuild(r, x->fetch.at.aff), arg[4]});
    case EX_CAST: return ex_cast(r->to, x->dtype, arg[0]);
    case EX_RANDOM: return ex_random(r->to, arg[0], arg[1], arg[2], arg[3]);
    default:
        e = arg[1] ? by_ranges(r, x->kind, arg[0], arg[1]) : 0;
        return e ? e : ex_op(r->to, x->kind, arg[0], arg[1], arg[2]);
    }
}

Ex ex_rebuild(const Rebuild *r, Ex root) {
    ExList list = ex_below(r->from, &root, 1);
    Ex *fresh = xcalloc(list.len, sizeof *fresh);
    VEC(Ex) arg = {0};
    for (size_t k = 0; k < list.len; k++) {
        const Expr x = *ir_expr(r->from, list.at[k]); /* a copy: the array may move when it is the same graph */
        arg.len = 0;
        for (int i = 0; i < ex_nchildren(&x); i++) {
            Ex child = ex_child(&x, i);
            vec_push(&arg, child ? fresh[ex_position(&list, child)] : 0);
        }
        fresh[k] = rebuild_one(r, &x, arg.at);
    }
    Ex e = list.len ? fresh[list.len - 1] : 0;
    vec_free(&arg);
    vec_free(&list);
    free(fresh);
    return e;
}

Ex ex_copy(Graph *to, const Graph *from, Ex e, const Aff *const *map, int n, const Ref *refs) {
    if (to == from && !map && !refs) return e;
    return ex_rebuild(&(Rebuild){.to = to, .from = from, .map = map, .n = n, .refs = refs}, e);
}

Ex ex_renamed(Graph *g, Ex e, const int *buffers) {
    ExList below = ex_below(g, &e, 1);
    Ex *made = xcalloc(below.len, sizeof *made);
    for (size_t i = 0; i < below.len; i++) {
        Expr x = *ir_expr(g, below.at[i]);
        for (int k = 0; k < 4; k++)
            if (x.arg[k]) x.arg[k] = made[ex_position(&below, x.arg[k])];
        if (x.kind == EX_FETCH) {
            x.fetch.buffer = buffers[x.fetch.buffer];
            if (x.fetch.at.gather) x.fetch.at.gather = made[ex_position(&below, x.fetch.at.gather)];
        }
        made[i] = ex_share(g, &x);
    }
    Ex result = made[ex_position(&below, e)];
    free(made);
    vec_free(&below);
    return result;
}

Ex ex_subst(Graph *g, Ex e, const Aff *const *map, int n) { return ex_copy(g, g, e, map, n, NULL); }

static Place *copy_places(const Rebuild *r, const Place *from, int n) {
    Place *at = ARENA_ARRAY(r->to->nnc->arena, Place, n);
    for (int i = 0; i < n; i++)
        at[i] = (Place){aff_rebuild(r, from[i].aff), from[i].gather ? ex_rebuild(r, from[i].gather) : 0};
    return at;
}

static const Ref *copy_refs(Graph *to, const Ref *from, int n, const Ref *refs) {
    Ref *r = ARENA_ARRAY(to->nnc->arena, Ref, n);
    for (int i = 0; i < n; i++) r[i] = refs ? refs[from[i]] : from[i];
    return r;
}

/* Yields that nothing takes are no nodes of the copy any more: their number 0 stands for that. */
static Ref copy_scan(Graph *to, const Node *n, const Ref *refs) {
    return ir_scan(to,
                   &(ScanDesc){.id = n->scan.id,
                               .cond = refs && n->scan.cond ? refs[n->scan.cond] : n->scan.cond,
                               .extent = n->scan.extent,
                               .reverse = n->scan.reverse,
                               .ncarry = n->scan.ncarry,
                               .nyield = n->scan.nyield,
                               .init = copy_refs(to, n->scan.init, n->scan.ncarry, refs),
                               .next = copy_refs(to, n->scan.next, n->scan.ncarry, refs),
                               .yield = copy_refs(to, n->scan.yield, n->scan.nyield, refs)},
                   n->at);
}

static Ref copy_node(Graph *to, const Graph *from, const Node *n, const Ref *refs) {
    const Rebuild r = {.to = to, .from = from, .refs = refs};
    switch (n->kind) {
    case N_LEAF:
        if (n->leaf.kind == LEAF_CONST) return ir_constant(to, n->dtype, n->rank, n->dims, n->leaf.data);
        if (n->leaf.kind == LEAF_ITER) return ir_iteration(to, n->leaf.slot, n->at);
        if (n->leaf.kind == LEAF_CARRY)
            return ir_carry(to, n->leaf.slot, n->leaf.index, n->dtype, n->rank, n->dims, n->name, n->at);
        return ir_leaf(to, n->leaf.kind, n->leaf.slot, n->dtype, n->rank, n->dims, n->name, n->at);
    case N_COMP:
        return ir_comp(to, n->comp.combine, n->rank, n->comp.nred, n->comp.extents, ex_rebuild(&r, n->comp.body),
                       n->at);
    case N_SCATTER: {
        const Place *at = copy_places(&r, n->scatter.place, n->rank);
        Ex body = ex_rebuild(&r, n->scatter.body);
        return ir_scatter(to, n->rank, n->dims, at, n->scatter.ndomain, n->scatter.extents, body, n->at);
    }
    case N_SORT:
        return ir_sort(to, refs ? refs[n->sort.of] : n->sort.of, n->dims[n->rank - 1], n->sort.descending, n->at);
    case N_GRAD:
        return ir_grad(to, refs ? refs[n->grad.of] : n->grad.of, refs ? refs[n->grad.wrt] : n->grad.wrt, n->at);
    case N_MARK: return ir_mark(to, refs ? refs[n->grad.of] : n->grad.of, n->at);
    case N_SCAN: return copy_scan(to, n, refs);
    case N_RESULT: return ir_result(to, refs ? refs[n->result.of] : n->result.of, n->result.index, n->at);
    default: bug("a copy of a node of kind %d", (int)n->kind);
    }
}

Ref ir_copy(Graph *to, const Graph *from, Ref r, const Ref *refs) {
    const Node n = *ir_node(from, r);
    Ref fresh = (Ref)to->nodes.len; /* unless it is shared with an equal one */
    Ref copy = copy_node(to, from, &n, refs);
    ir_name(to, copy, n.name);
    if (copy == fresh) ir_node(to, copy)->adjoint = n.adjoint;
    return copy;
}

void ir_copy_outputs(Graph *to, const Graph *from, const Ref *refs) {
    for (size_t i = 0; i < from->outputs.len; i++) {
        const Output *o = &from->outputs.at[i];
        ir_output(to, o->kind, o->slot, refs[o->node], o->name);
    }
}

Graph *ir_compact(const Graph *g, Ref *refs) {
    bool *needed = xcalloc(g->nodes.len, sizeof *needed);
    Ref *fresh = refs ? refs : xcalloc(g->nodes.len, sizeof *fresh);
    for (size_t i = 0; i < g->outputs.len; i++) needed[g->outputs.at[i].node] = true;
    for (size_t i = g->nodes.len; i-- > 1;)
        if (needed[i]) ir_mark_live(g, (Ref)i, needed);
    Graph *to = ir_graph_new(g->nnc);
    fresh[0] = 0;
    for (size_t i = 1; i < g->nodes.len; i++) fresh[i] = needed[i] ? ir_copy(to, g, (Ref)i, fresh) : 0;
    ir_copy_outputs(to, g, fresh);
    free(needed);
    if (!refs) free(fresh);
    return to;
}
