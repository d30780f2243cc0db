/* What holds after every pass. A load is out of its tensor only if some point of the domain proves it, so there is no
 * false alarm: ranges first, then the conditions of the guards around it, then the points themselves. */
#include "compiler/ir/private.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 4096 }; /* domains up to this size are tried point by point, larger ones by as many samples */

typedef struct {
    const Graph *g;
    Ref node;
    Str *why;
    int nvars;
    const int64_t *extents;
    ExList list;
} Check;

#define FAULT(c, ...) (str_add((c)->why, __VA_ARGS__), true)

/* ---- guards ---- */

/* The guards that hold wherever an expression is evaluated: a chain towards the root. */
typedef struct Scope {
    const struct Scope *up;
    int depth;
    const Expr *guard;
} Scope;

static const Scope *meet(const Scope *a, const Scope *b) {
    while (a != b) {
        if (!a || !b) return NULL;
        if (a->depth >= b->depth)
            a = a->up;
        else
            b = b->up;
    }
    return a;
}

/* The range of `a` over the domain where the guards hold; bounds that are safe, never too narrow. */
static bool range_within(const Check *c, const Aff *a, const Scope *s, int64_t *lo, int64_t *hi) {
    if (!aff_range(a, c->extents, c->nvars, lo, hi)) return false;
    AffTable *t = c->g->affs;
    if (a->nterms == 1 && a->terms[0].kind == ATOM_DIV && a->terms[0].coef == 1) {
        int64_t l, h;
        if (range_within(c, a->terms[0].of, s, &l, &h)) {
            *lo = MAX(*lo, floor_div(l, a->terms[0].by) + a->constant);
            *hi = MIN(*hi, floor_div(h, a->terms[0].by) + a->constant);
        }
    }
    for (; s; s = s->up)
        for (int i = 0; i < s->guard->guard.n; i++) {
            const Cond *k = &s->guard->guard.at[i];
            int64_t bias;
            if (aff_same_linear(a, k->aff)) { /* a = aff + bias */
                bias = a->constant - k->aff->constant;
                if (k->lo != INT64_MIN) *lo = MAX(*lo, k->lo + bias);
                if (k->hi != INT64_MAX) *hi = MIN(*hi, k->hi - 1 + bias);
            } else if (aff_is_const(aff_add(t, a, k->aff), &bias)) { /* a = bias - aff */
                if (k->hi != INT64_MAX) *lo = MAX(*lo, bias - k->hi + 1);
                if (k->lo != INT64_MIN) *hi = MIN(*hi, bias - k->lo);
            }
        }
    return true;
}

/* Whether every load's affine indices are in range by ranges and guards alone. */
static bool loads_proved(const Check *c) {
    size_t n = c->list.len;
    Scope *scopes = xcalloc(n, sizeof *scopes);
    const Scope **at = xcalloc(n, sizeof *at);
    bool *met = xcalloc(n, sizeof *met), proved = true;
    for (size_t k = n; k-- > 0 && proved;) { /* users before operands */
        const Expr *x = ir_expr(c->g, c->list.at[k]);
        for (int i = 0; i < ex_nchildren(x); i++) {
            Ex child = ex_child(x, i);
            const Scope *s = at[k];
            if (!child) continue;
            if (x->kind == EX_GUARD && i == 0) {
                scopes[k] = (Scope){s, s ? s->depth + 1 : 1, x};
                s = &scopes[k];
            }
            size_t j = ex_position(&c->list, child);
            at[j] = met[j] ? meet(at[j], s) : s;
            met[j] = true;
        }
        for (int i = 0; x->kind == EX_LOAD && i < x->load.rank && proved; i++) {
            int64_t lo, hi;
            if (x->load.at[i].gather) continue;
            proved = range_within(c, x->load.at[i].aff, at[k], &lo, &hi) &&
                     (lo > hi || (lo >= 0 && hi < ir_node(c->g, x->load.node)->dims[i]));
        }
    }
    free(scopes);
    free(at);
    free(met);
    return proved;
}

/* ---- points ---- */

static bool holds(const Expr *guard, const int64_t *at) {
    for (int i = 0; i < guard->guard.n; i++) {
        int64_t v = aff_eval(guard->guard.at[i].aff, at);
        if (v < guard->guard.at[i].lo || v >= guard->guard.at[i].hi) return false;
    }
    return true;
}

/* The load that is outside its tensor at this point, or 0. What is inside of a guard counts only where it holds. */
static Ex bad_load(const Check *c, const int64_t *at, bool *needed) {
    size_t n = c->list.len;
    for (size_t k = n; k-- > 0;) {
        const Expr *x = ir_expr(c->g, c->list.at[k]);
        if (!needed[k]) continue;
        int skip = x->kind == EX_GUARD && !holds(x, at) ? 0 : -1;
        for (int i = 0; i < ex_nchildren(x); i++)
            if (i != skip && ex_child(x, i)) needed[ex_position(&c->list, ex_child(x, i))] = true;
        for (int i = 0; x->kind == EX_LOAD && i < x->load.rank; i++) {
            int64_t v = aff_eval(x->load.at[i].aff, at);
            if (!x->load.at[i].gather && (v < 0 || v >= ir_node(c->g, x->load.node)->dims[i])) return c->list.at[k];
        }
    }
    return 0;
}

static bool name_point(const Check *c, Ex e, const int64_t *at) {
    const Expr *x = ir_expr(c->g, e);
    str_add(c->why, "the load of %%%u leaves its tensor at [", x->load.node);
    for (int i = 0; i < x->load.rank; i++)
        str_add(c->why, "%s%lld", i ? ", " : "", (long long)aff_eval(x->load.at[i].aff, at));
    str_add(c->why, "], where the indices are (");
    for (int v = 0; v < c->nvars; v++) str_add(c->why, "%s%lld", v ? ", " : "", (long long)at[v]);
    str_add(c->why, ")");
    return true;
}

/* Tries points: all of a small domain in order, else corners and an even spread of others. */
static bool loads_fault(const Check *c, const bool *root) {
    uint64_t size = 1, seed = 1;
    for (int v = 0; v < c->nvars; v++) size = size > MOST_POINTS ? size : size * (uint64_t)c->extents[v];
    bool all = size <= MOST_POINTS, *needed = xcalloc(c->list.len, sizeof *needed);
    int64_t *at = xcalloc((size_t)c->nvars, sizeof *at);
    Ex bad = 0;
    for (uint64_t point = 0; !bad && point < MIN(size, MOST_POINTS); point++) {
        uint64_t rest = point;
        for (int v = c->nvars; v-- > 0;) {
            uint64_t extent = (uint64_t)c->extents[v];
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (!all)
                rest = point % 2 ? seed >> 33 : (seed >> 40) % 2 * (extent - 1); /* half of the samples: corners */
            at[v] = (int64_t)(rest % extent);
            rest /= extent;
        }
        memcpy(needed, root, c->list.len * sizeof *needed);
        bad = bad_load(c, at, needed);
    }
    if (bad) name_point(c, bad, at);
    free(needed);
    free(at);
    return bad != 0;
}

/* ---- expressions ---- */

static bool aff_within(const Aff *a, int nvars) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind == ATOM_VAR ? x->var < 0 || x->var >= nvars : !aff_within(x->of, nvars)) return false;
    }
    return true;
}

static bool load_fault(const Check *c, const Expr *x) {
    if (!x->load.node || x->load.node >= c->node)
        return FAULT(c, "it loads %%%u, which is not made before it", x->load.node);
    const Node *n = ir_node(c->g, x->load.node);
    if (n->rank != x->load.rank)
        return FAULT(c, "it loads %%%u of rank %d with %d indices", x->load.node, n->rank, x->load.rank);
    if (n->dtype != x->dtype) return FAULT(c, "it loads %%%u as %s", x->load.node, dtype_name(x->dtype));
    for (int i = 0; i < x->load.rank; i++) {
        const Place *p = &x->load.at[i];
        DType t = p->gather ? ir_expr(c->g, p->gather)->dtype : DT_I32;
        if (!aff_within(p->aff, c->nvars))
            return FAULT(c, "a load of %%%u uses an index that it doesn't have", x->load.node);
        if (dtype_is_float(t) || t == DT_BOOL) return FAULT(c, "it gathers by numbers of type %s", dtype_name(t));
    }
    return false;
}

static bool op_fault(const Check *c, const Expr *x) {
    const OpInfo *info = op_info(x->kind);
    DType types[4] = {0}, result;
    for (int i = 0; i < 4; i++) {
        if (!x->arg[i] != (i >= info->arity)) return FAULT(c, "'%s' has the wrong number of operands", info->name);
        if (x->arg[i]) types[i] = ir_expr(c->g, x->arg[i])->dtype;
    }
    if (x->kind == EX_CAST) return false;
    if (!op_result(x->kind, types, &result) || result != x->dtype)
        return FAULT(c, "'%s' of %s gives %s", info->name, dtype_name(types[0]), dtype_name(x->dtype));
    return false;
}

static bool expr_fault(const Check *c, Ex e) {
    const Expr *x = ir_expr(c->g, e);
    for (int i = 0; i < ex_nchildren(x); i++)
        if (ex_child(x, i) >= e)
            return FAULT(c, "expression %u uses %u, which is not made before it", e, ex_child(x, i));
    switch (x->kind) {
    case EX_NONE: return FAULT(c, "it uses the expression that is none");
    case EX_CONST: return false;
    case EX_INDEX: return aff_within(x->index, c->nvars) ? false : FAULT(c, "it uses an index that it doesn't have");
    case EX_LOAD: return load_fault(c, x);
    case EX_FETCH: return FAULT(c, "it fetches from a buffer");
    case EX_GUARD:
        for (int i = 0; i < x->guard.n; i++)
            if (!aff_within(x->guard.at[i].aff, c->nvars))
                return FAULT(c, "a guard uses an index that it doesn't have");
        if (ir_expr(c->g, x->arg[0])->dtype != x->dtype || ir_expr(c->g, x->arg[1])->dtype != x->dtype)
            return FAULT(c, "a guard between different types");
        return false;
    default: return op_fault(c, x);
    }
}

/* Everything below some roots, over a domain. */
static bool body_fault(Check *c, const Ex *roots, int n, const int64_t *extents, int nvars) {
    c->extents = extents;
    c->nvars = nvars;
    c->list = ex_below(c->g, roots, n);
    bool fault = false, empty = false;
    for (int v = 0; v < nvars; v++) empty |= extents[v] == 0;
    for (size_t k = 0; !fault && k < c->list.len; k++) fault = expr_fault(c, c->list.at[k]);
    if (!fault && !empty && !loads_proved(c)) {
        bool *root = xcalloc(c->list.len, sizeof *root);
        for (int i = 0; i < n; i++)
            if (roots[i]) root[ex_position(&c->list, roots[i])] = true;
        fault = loads_fault(c, root);
        free(root);
    }
    vec_free(&c->list);
    return fault;
}

/* ---- nodes ---- */

static bool comp_fault(Check *c, const Node *n) {
    bool arg = n->comp.combine == RED_ARGMAX || n->comp.combine == RED_ARGMIN;
    DType t = ir_expr(c->g, n->comp.body)->dtype;
    for (int i = 0; i < n->rank; i++)
        if (n->dims[i] != n->comp.extents[i]) return FAULT(c, "extent %d is not its dim", i);
    if ((n->comp.combine == RED_NONE) != (n->comp.nred == 0))
        return FAULT(c, "reduction indices and combination disagree");
    if (n->dtype != (arg ? DT_I32 : t))
        return FAULT(c, "its type %s is not its body's, %s", dtype_name(n->dtype), dtype_name(t));
    return body_fault(c, &n->comp.body, 1, n->comp.extents, n->rank + n->comp.nred);
}

/* Whether a place along a dim is surely outside for some point: sums over a box take both ends of their range. */
static bool place_outside(const Node *n, int dim) {
    const Aff *a = n->scatter.place[dim].aff;
    int64_t lo, hi;
    bool plain = true;
    for (int i = 0; i < a->nterms; i++) plain &= a->terms[i].kind == ATOM_VAR;
    if (n->scatter.place[dim].gather || !aff_range(a, n->scatter.extents, n->scatter.ndomain, &lo, &hi)) return false;
    return plain ? lo < 0 || hi >= n->dims[dim] : hi < 0 || lo >= n->dims[dim];
}

static bool scatter_fault(Check *c, const Node *n) {
    Ex *roots = xcalloc((size_t)n->rank + 1, sizeof *roots);
    bool fault = false;
    for (int i = 0; i < n->rank && !fault; i++) {
        roots[i] = n->scatter.place[i].gather;
        if (!aff_within(n->scatter.place[i].aff, n->scatter.ndomain))
            fault = FAULT(c, "its place uses an index that it doesn't have");
        else if (place_outside(n, i))
            fault = FAULT(c, "its place along dim %d is outside", i);
    }
    roots[n->rank] = n->scatter.body;
    if (!fault && ir_expr(c->g, n->scatter.body)->dtype != n->dtype) fault = FAULT(c, "its type is not its body's");
    fault = fault || body_fault(c, roots, n->rank + 1, n->scatter.extents, n->scatter.ndomain);
    free(roots);
    return fault;
}

static bool sort_fault(Check *c, const Node *n) {
    if (!n->sort.of || n->sort.of >= c->node) return FAULT(c, "it sorts a node that is not made before it");
    const Node *of = ir_node(c->g, n->sort.of);
    bool same = n->dtype == DT_I32 && n->rank == of->rank && n->rank;
    for (int d = 0; same && d < n->rank; d++)
        same = d < n->rank - 1 ? n->dims[d] == of->dims[d] : n->dims[d] <= of->dims[d];
    return same ? false : FAULT(c, "its type is not that of an order of %%%u", n->sort.of);
}

static bool same_type(const Node *a, const Node *b) {
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int d = 0; same && d < a->rank; d++) same = a->dims[d] == b->dims[d];
    return same;
}

static bool scan_fault(Check *c, const Node *n) {
    const Graph *g = c->g;
    for (int k = 0; k < n->scan.ncarry; k++) {
        Ref init = n->scan.init[k], next = n->scan.next[k];
        if (!init || !next || init >= c->node || next >= c->node) return FAULT(c, "carry %d is not made before it", k);
        if (!same_type(ir_node(g, init), ir_node(g, next))) return FAULT(c, "carry %d changes its type", k);
    }
    if (n->scan.cond) {
        const Node *cond = ir_node(g, n->scan.cond < c->node ? n->scan.cond : 0);
        if (cond->kind == N_NONE || cond->dtype != DT_BOOL || cond->rank)
            return FAULT(c, "its condition is no bool before it");
        if (n->scan.nyield || n->scan.reverse) return FAULT(c, "a while that yields or runs down");
    }
    for (int k = 0; k < n->scan.nyield; k++)
        if (n->scan.yield[k] >= c->node) return FAULT(c, "yield %d is not made before it", k);
    for (Ref r = 1; r < c->node; r++) {
        const Node *leaf = ir_node(g, r);
        if (leaf->kind != N_LEAF || leaf->leaf.kind != LEAF_CARRY || leaf->leaf.slot != n->scan.id) continue;
        if (leaf->leaf.index >= n->scan.ncarry) return FAULT(c, "its body uses carry %d", leaf->leaf.index);
        if (!same_type(leaf, ir_node(g, n->scan.init[leaf->leaf.index])))
            return FAULT(c, "%%%u is a carry of another type", r);
    }
    return false;
}

static bool node_fault(Check *c, const Node *n) {
    for (int i = 0; i < n->rank; i++)
        if (n->dims[i] < 0) return FAULT(c, "dim %d is negative", i);
    switch (n->kind) {
    case N_LEAF: return false;
    case N_COMP: return comp_fault(c, n);
    case N_SCATTER: return scatter_fault(c, n);
    case N_SORT: return sort_fault(c, n);
    case N_GRAD:
        if (n->grad.of >= c->node || n->grad.wrt >= c->node)
            return FAULT(c, "it uses a node that is not made before it");
        return ir_node(c->g, n->grad.of)->rank ? FAULT(c, "a gradient of what is not a scalar") : false;
    case N_MARK: return n->grad.of >= c->node ? FAULT(c, "it uses a node that is not made before it") : false;
    case N_SCAN: return scan_fault(c, n);
    case N_RESULT:
        if (n->result.of >= c->node || ir_node(c->g, n->result.of)->kind != N_SCAN)
            return FAULT(c, "it is the result of no scan before it");
        return false;
    default: return FAULT(c, "it is of kind %d", (int)n->kind);
    }
}

static bool output_fault(const Graph *g, const Output *o, Str *why) {
    if (!o->node || o->node >= g->nodes.len) {
        str_add(why, "output %d is a node that does not exist", o->slot);
        return true;
    }
    if (o->kind == OUT_RESULT) return false;
    const Node *to = ir_node(g, o->node);
    for (size_t i = 1; i < g->nodes.len; i++) {
        const Node *n = &g->nodes.at[i];
        if (n->kind != N_LEAF || n->leaf.slot != o->slot) continue;
        if (n->leaf.kind != (o->kind == OUT_PARAM ? LEAF_PARAM : LEAF_STATE)) continue;
        bool same = n->dtype == to->dtype && n->rank == to->rank;
        for (int d = 0; same && d < n->rank; d++) same = n->dims[d] == to->dims[d];
        if (!same) str_add(why, "the new value of %%%zu has another type", i);
        return !same;
    }
    return false;
}

bool ir_faulty(const Graph *g, Str *why, Ref *where) {
    for (size_t i = 1; i < g->nodes.len; i++) {
        Check c = {.g = g, .node = (Ref)i, .why = why};
        *where = (Ref)i;
        if (node_fault(&c, ir_node(g, (Ref)i))) return true;
    }
    for (size_t i = 0; i < g->outputs.len; i++) {
        *where = g->outputs.at[i].node;
        if (output_fault(g, &g->outputs.at[i], why)) return true;
    }
    return false;
}

void ir_verify(const Graph *g, const char *after) {
    Str why = {0};
    Ref where = 0;
    if (ir_faulty(g, &why, &where)) bug("after %s, node %%%u: %s", after, where, why.at);
    vec_free(&why);
}
