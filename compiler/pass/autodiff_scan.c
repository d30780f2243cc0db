/* The gradient of a scan is a scan that runs the other way. Each of its iterations computes the body again, from the
 * carries as they were before it (the forward scan stacks them), and hands the gradients of the next carries and of the
 * yields through it; what reaches the carries is carried on. What is dear to compute, such as a product or a tanh, is
 * stacked, too, where the gradient needs it. What reaches a tensor from outside is not summed inside: the load's
 * adjoint is taken in a body that has the iteration number as one more variable, over the stacked values of what it
 * reads. That is one large product for a weight, and a plain copy for what an iteration reads a slice of. */
#include "compiler/pass/autodiff.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEAR = 12,            /* vector instructions an element: writing and reading it takes no longer */
    MOST_KEPT = 128 << 20 /* bytes of one tensor over all iterations */
};

/* A partial of a tensor from outside. */
typedef struct {
    Partial p;
    int n;
    const int64_t *extents;
    Span at;
} Leaving;

typedef struct Level {
    struct Level *up;
    Node scan; /* the forward one */
    Ref fwd;
    int id;         /* of the backward scan */
    Ref iteration;  /* of the backward scan */
    Ref start, end; /* the nodes of the body computed again are among these */
    Ref *refs;      /* per node of the forward body: its copy; of others: themselves */
    bool *part;     /* per node from `start` on: a copy */
    Ref *carry;     /* per carry: its copy, the slice of the stacked values; 0: nothing uses it */
    Ref *kept;      /* per node of the forward body: the slice of its stacked values; 0: it is computed again */
    int *adjoint;   /* per carry: the number of its gradient among the backward carries; -1: none */
    Ref back;       /* the backward scan */
    bool *inside;   /* per node up to `back`: varies with its iterations */
    Ex *memo;       /* per expression: what it became for the partial that is handed out */
    size_t nmemo;
    VEC(Leaving) leaving;
} Level;

bool autodiff_leaves(Autodiff *ad, const Partial *p, int n, const int64_t *extents, Span at) {
    Level *l = ad->level;
    Ref to = ir_expr(ad->g, p->load)->load.node;
    if (!l || (to >= l->start && to < l->end && l->part[to - l->start])) return false;
    if (n) extents = arena_copy(ad->g->nnc->arena, extents, sizeof *extents * (size_t)n);
    vec_push(&l->leaving, (Leaving){*p, n, extents, at});
    return true;
}

/* All of node `to` gets `grad`. */
static void give(Autodiff *ad, Ref to, Ref grad) {
    const Node n = *ir_node(ad->g, to);
    if (to >= ad->need.len || !ad->need.at[to]) return;
    const Partial p = {.load = autodiff_load(ad->g, to), .value = autodiff_load(ad->g, grad)};
    autodiff_hand(ad, &p, n.rank, n.dims, n.at);
}

/* Stacked values at the backward scan's iteration. */
static Ref slice(const Level *l, Graph *g, Ref stacked) {
    const Node n = *ir_node(g, stacked);
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, n.rank);
    at[0] = (Place){aff_const(g->affs, 0), ex_load(g, l->iteration, NULL)};
    for (int d = 1; d < n.rank; d++) at[d].aff = aff_var(g->affs, d - 1);
    return ir_comp(g, RED_NONE, n.rank - 1, 0, n.dims + 1, ex_load(g, stacked, at), n.at);
}

/* ---- the body again ---- */

static bool in_body(const Ref *home, Ref r, Ref scan) {
    Ref h = home[r];
    while (h && h != scan) h = home[h];
    return h == scan;
}

static Ref copy_inner_scan(Graph *g, const Node *n, const Ref *refs, int id) {
    int ncarry = n->scan.ncarry, nyield = n->scan.nyield;
    Ref *to = ARENA_ARRAY(g->nnc->arena, Ref, 2 * ncarry + nyield), cond = n->scan.cond ? refs[n->scan.cond] : 0;
    for (int k = 0; k < ncarry; k++) to[k] = refs[n->scan.init[k]], to[ncarry + k] = refs[n->scan.next[k]];
    for (int k = 0; k < nyield; k++) to[2 * ncarry + k] = refs[n->scan.yield[k]];
    return ir_scan(
        g, &(ScanDesc){id, cond, n->scan.extent, n->scan.reverse, ncarry, nyield, to, to + ncarry, to + 2 * ncarry},
        n->at);
}

/* Node `r` of the forward body; inner scans get new numbers in ids[]. */
static Ref copy_part(Level *l, Graph *g, Ref r, int *ids) {
    const Node n = *ir_node(g, r);
    bool inside = n.kind == N_LEAF && n.leaf.kind >= LEAF_ITER;
    if (inside && n.leaf.slot == l->scan.scan.id)
        return n.leaf.kind == LEAF_ITER ? l->iteration
                                        : (l->carry[n.leaf.index] = slice(l, g, ir_stacked(g, l->fwd, r)));
    if (!inside && n.kind != N_SCAN) return ir_copy(g, g, r, l->refs);
    int *id = &ids[inside ? n.leaf.slot : n.scan.id];
    if (*id < 0) *id = g->nscans;
    if (n.kind == N_SCAN) return copy_inner_scan(g, &n, l->refs, *id);
    if (n.leaf.kind == LEAF_ITER) return ir_iteration(g, *id, n.at);
    return ir_carry(g, *id, n.leaf.index, n.dtype, n.rank, n.dims, n.name, n.at);
}

static void add_cost(const Graph *g, Ex e, void *cost) {
    const Expr *x = ir_expr(g, e);
    bool operation = x->kind != EX_CONST && x->kind != EX_INDEX && x->kind != EX_LOAD && x->kind != EX_GUARD;
    if (operation) *(double *)cost += op_info(x->kind)->cost;
}

/* Whether the forward scan keeps what node `n` of its body is in each iteration. */
static bool is_kept(const Level *l, const Graph *g, const Node *n) {
    if (n->kind != N_COMP) return false;
    double cost = n->comp.combine != RED_NONE;
    ex_walk(g, n->comp.body, add_cost, &cost);
    for (int i = n->rank; i < n->rank + n->comp.nred; i++) cost *= (double)n->comp.extents[i];
    double bytes = (double)l->scan.scan.extent * (double)ir_elements(n) * (double)dtype_size(n->dtype);
    return cost >= (double)DEAR && bytes <= (double)MOST_KEPT;
}

static void copy_body(Autodiff *ad, Level *l) {
    Graph *g = ad->g;
    Arena *a = g->nnc->arena;
    const Ref *home = ir_homes(g);
    int nids = g->nscans, *ids = ARENA_ARRAY(a, int, nids);
    for (int i = 0; i < nids; i++) ids[i] = -1;
    l->refs = ARENA_ARRAY(a, Ref, l->fwd);
    l->carry = ARENA_ARRAY(a, Ref, l->scan.scan.ncarry);
    l->kept = ARENA_ARRAY(a, Ref, l->fwd);
    l->start = (Ref)g->nodes.len;
    l->id = g->nscans;
    l->iteration = ir_iteration(g, l->id, l->scan.at);
    for (Ref r = 1; r < l->fwd; r++) {
        const Node n = *ir_node(g, r);
        if (home[r] == l->fwd && is_kept(l, g, &n)) l->kept[r] = slice(l, g, ir_stacked(g, l->fwd, r));
        l->refs[r] = in_body(home, r, l->fwd) ? copy_part(l, g, r, ids) : r;
    }
    l->end = (Ref)g->nodes.len;
    l->part = ARENA_ARRAY(a, bool, l->end - l->start);
    for (Ref r = 1; r < l->fwd; r++) {
        if (l->refs[r] < l->start) continue;
        l->part[l->refs[r] - l->start] = true;
        autodiff_need(ad, l->refs[r], r < ad->need.len && ad->need.at[r]);
    }
}

/* Once the copies of kept nodes have handed on their gradients, their values come from the forward scan. What was
 * stacked and is not read goes with the next simplification. */
static void use_kept(const Level *l, Graph *g) {
    for (Ref r = 1; r < l->fwd; r++)
        if (l->kept[r]) ir_node(g, l->refs[r])->comp = ir_node(g, l->kept[r])->comp;
}

/* ---- the backward scan ---- */

static Ref result_gradient(Autodiff *ad, Ref scan, int index) {
    for (Ref r = scan + 1; r < ad->first.len; r++) {
        const Node *n = ir_node(ad->g, r);
        if (n->kind == N_RESULT && n->result.of == scan && n->result.index == index) return autodiff_gradient(ad, r);
    }
    return 0;
}

/* The gradients of the next carries and of the yields, where the body's copy begins. */
static int seed(Autodiff *ad, Level *l, const Ref *dlast, const Ref *dyield, Ref *init) {
    Graph *g = ad->g;
    int n = 0;
    for (int k = 0; k < l->scan.scan.ncarry; k++) {
        Ref first = l->scan.scan.init[k], next = l->refs[l->scan.scan.next[k]];
        const Node like = *ir_node(g, first);
        l->adjoint[k] = -1;
        if (!ad->need.at[first] && !ad->need.at[l->scan.scan.next[k]]) continue;
        init[n] = dlast[k] ? dlast[k] : autodiff_zeros(g, first);
        Ref carried = ir_carry(g, l->id, n, like.dtype, like.rank, like.dims, NULL, like.at);
        l->adjoint[k] = n++;
        give(ad, next, carried);
    }
    for (int k = 0; k < l->scan.scan.nyield; k++)
        if (dyield[k]) give(ad, l->refs[l->scan.scan.yield[k]], slice(l, g, dyield[k]));
    return n;
}

static bool is_carry(const Level *l, Ref r) {
    for (int k = 0; k < l->scan.scan.ncarry; k++)
        if (l->carry[k] == r) return true;
    return false;
}

static void mark_inside(Ref used, void *self) {
    Level *l = self;
    l->inside[0] = l->inside[0] || l->inside[used];
}

/* What varies with the backward iterations; inside[0] serves as the answer for one node. */
static void find_inside(Level *l, const Graph *g) {
    l->inside = ARENA_ARRAY(g->nnc->arena, bool, l->back + 1);
    for (Ref r = l->start; r < l->back; r++) {
        const Node *n = ir_node(g, r);
        l->inside[0] = n->kind == N_LEAF && n->leaf.kind >= LEAF_ITER && n->leaf.slot == l->id;
        ir_uses(g, r, mark_inside, l);
        l->inside[r] = l->inside[0];
    }
}

/* ---- what leaves the body ---- */

static Ex stack(Level *l, Graph *g, Ex e, int t);

static Ex stack_load(Level *l, Graph *g, const Expr *x, int t) {
    Ref r = x->load.node;
    const Node n = *ir_node(g, r);
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, x->load.rank + 1);
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, x->load.rank);
    bool gathers = false;
    at[0] = (Place){aff_var(g->affs, t), 0};
    for (int d = 0; d < x->load.rank; d++) {
        Ex gather = x->load.at[d].gather;
        at[d + 1] = (Place){map[d] = x->load.at[d].aff, gather ? stack(l, g, gather, t) : 0};
        gathers = gathers || gather;
    }
    if (r == l->iteration) return ex_index(g, DT_I32, aff_var(g->affs, t));
    if (r < l->start || !l->inside[r]) return ex_load(g, r, at + 1);
    bool copies = n.kind == N_COMP && n.comp.combine == RED_NONE && ir_expr(g, n.comp.body)->kind == EX_LOAD;
    if (copies && !gathers) return stack(l, g, ex_subst(g, n.comp.body, map, n.rank), t);
    return ex_load(g, ir_stacked(g, l->back, r), at);
}

static Ex stack_new(Level *l, Graph *g, Ex e, int t) {
    const Expr x = *ir_expr(g, e);
    Ex arg[4] = {0};
    if (x.kind == EX_CONST || x.kind == EX_INDEX) return e;
    if (x.kind == EX_LOAD) return stack_load(l, g, &x, t);
    for (int i = 0; i < 4; i++) arg[i] = x.arg[i] ? stack(l, g, x.arg[i], t) : 0;
    if (x.kind == EX_GUARD) return ex_guard(g, x.guard.n, x.guard.at, arg[0], arg[1]);
    if (x.kind == EX_CAST) return ex_cast(g, x.dtype, arg[0]);
    if (x.kind == EX_RANDOM) return ex_random(g, arg[0], arg[1], arg[2], arg[3]);
    return ex_op(g, x.kind, arg[0], arg[1], arg[2]);
}

/* `e`, of the backward body, where variable `t` is the number of the iteration. */
static Ex stack(Level *l, Graph *g, Ex e, int t) {
    if (e >= l->nmemo) return stack_new(l, g, e, t);
    if (!l->memo[e]) l->memo[e] = stack_new(l, g, e, t);
    return l->memo[e];
}

static void hand_out(Autodiff *ad, Level *l, const Leaving *x) {
    Graph *g = ad->g;
    l->nmemo = g->exprs.len;
    l->memo = ARENA_ARRAY(g->nnc->arena, Ex, l->nmemo);
    const Expr load = *ir_expr(g, x->p.load);
    int64_t *extents = ARENA_ARRAY(g->nnc->arena, int64_t, x->n + 1);
    if (x->n) memcpy(extents, x->extents, sizeof *extents * (size_t)x->n);
    extents[x->n] = l->scan.scan.extent;
    Partial p = x->p;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, load.load.rank + 1);
    for (int d = 0; d < load.load.rank; d++) {
        Ex gather = load.load.at[d].gather;
        at[d] = (Place){load.load.at[d].aff, gather ? stack(l, g, gather, x->n) : 0};
    }
    p.load = ex_load(g, load.load.node, at);
    p.value = stack(l, g, p.value, x->n);
    autodiff_hand(ad, &p, x->n + 1, extents, x->at);
}

/* ---- the whole ---- */

static void run_level(Autodiff *ad, Level *l, const Ref *dlast, const Ref *dyield) {
    Graph *g = ad->g;
    int ncarry = l->scan.scan.ncarry;
    Ref *init = ARENA_ARRAY(g->nnc->arena, Ref, ncarry), *next = ARENA_ARRAY(g->nnc->arena, Ref, ncarry);
    l->adjoint = ARENA_ARRAY(g->nnc->arena, int, ncarry);
    copy_body(ad, l);
    ad->level = l;
    int n = seed(ad, l, dlast, dyield, init);
    for (Ref r = l->end; r-- > l->start;)
        if (l->part[r - l->start] && !is_carry(l, r)) autodiff_propagate(ad, r, autodiff_gradient(ad, r));
    for (int k = 0; k < ncarry; k++) {
        if (l->adjoint[k] < 0) continue;
        Ref grad = l->carry[k] ? autodiff_gradient(ad, l->carry[k]) : 0;
        next[l->adjoint[k]] = grad ? grad : autodiff_zeros(g, l->scan.scan.init[k]);
    }
    use_kept(l, g);
    ScanDesc d = {.id = l->id, .extent = l->scan.scan.extent, .reverse = !l->scan.scan.reverse, .ncarry = n};
    d.init = init, d.next = next;
    l->back = ir_scan(g, &d, l->scan.at);
    ad->level = l->up;
    find_inside(l, g);
    for (int k = 0; k < ncarry; k++)
        if (l->adjoint[k] >= 0) give(ad, l->scan.scan.init[k], ir_result(g, l->back, l->adjoint[k], l->scan.at));
    for (size_t i = 0; i < l->leaving.len; i++) hand_out(ad, l, &l->leaving.at[i]);
}

void autodiff_scan(Autodiff *ad, Ref r) {
    Level l = {.up = ad->level, .scan = *ir_node(ad->g, r), .fwd = r};
    int ncarry = l.scan.scan.ncarry, nyield = l.scan.scan.nyield;
    Ref *dlast = ARENA_ARRAY(ad->g->nnc->arena, Ref, ncarry), *dyield = ARENA_ARRAY(ad->g->nnc->arena, Ref, nyield);
    bool any = false;
    for (int k = 0; k < ncarry; k++) any |= (dlast[k] = result_gradient(ad, r, k)) != 0;
    for (int k = 0; k < nyield; k++) any |= (dyield[k] = result_gradient(ad, r, ncarry + k)) != 0;
    if (any && l.scan.scan.cond) bug("a gradient leads through while %%%u", r);
    if (any) run_level(ad, &l, dlast, dyield);
    vec_free(&l.leaving);
}
