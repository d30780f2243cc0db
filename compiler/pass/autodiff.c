/* pass_autodiff: gradients become ordinary nodes.
 *
 * before    N_GRAD and N_MARK nodes
 * after     none of them; a gradient has the type and shape of its tensor, zeros where nothing leads to it
 * requires  `of` of every N_GRAD is a scalar of a float type
 * keeps     the values of all other nodes, names, spans
 * breaks    nothing; leaves dead nodes and unsimplified sums (simplify follows)
 *
 * One reverse sweep for all gradients of the same scalar. Nodes only reach earlier ones, so by the time a gradient of a
 * gradient is reached, the inner one is made of plain nodes. */
#include "compiler/pass/autodiff.h"
#include "compiler/pass/passes.h"

#include <string.h>

/* A product over at most this many elements multiplies all others for each element, which is exact to every order. A
 * longer one divides its value by the element, which a second derivative at an exact zero does not see through. */
enum { PROD_PAIRWISE = 64 };

/* ---- loads at index variables ---- */

Ex autodiff_load(Graph *g, Ref r) {
    int rank = ir_node(g, r)->rank;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, rank);
    for (int i = 0; i < rank; i++) at[i].aff = aff_var(g->affs, i);
    return ex_load(g, r, at);
}

/* The row-major number of the point of variables first .. first+n-1. */
static const Aff *flat_index(Graph *g, int first, int n, const int64_t *extents) {
    const Aff *flat = aff_const(g->affs, 0);
    for (int i = 0; i < n; i++)
        flat = aff_add(g->affs, aff_scale(g->affs, flat, extents[i]), aff_var(g->affs, first + i));
    return flat;
}

Ref autodiff_zeros(Graph *g, Ref r) {
    const Node n = *ir_node(g, r);
    return ir_comp(g, RED_NONE, n.rank, 0, n.dims, ex_zero(g, n.dtype), n.at);
}

static Ref constant(Graph *g, const Node *like, double value, Span at) {
    Ex v = dtype_is_float(like->dtype) ? ex_float(g, like->dtype, value) : ex_int(g, like->dtype, (int64_t)value);
    return ir_comp(g, RED_NONE, like->rank, 0, like->dims, v, at);
}

/* ---- what the body of a reduction gets ---- */

/* max, min: all goes to the winner, the first of equals (to the first NaN where there is any, as the maximum is NaN).
 */
static Ex winner_grad(Graph *g, const Node *n, Ex dy) {
    Combine which = n->comp.combine == RED_MAX ? RED_ARGMAX : RED_ARGMIN;
    Ref winner = ir_comp(g, which, n->rank, n->comp.nred, n->comp.extents, n->comp.body, n->at);
    Ex here = ex_index(g, DT_I32, flat_index(g, n->rank, n->comp.nred, n->comp.extents + n->rank));
    return ex_op(g, EX_SELECT, ex_op(g, EX_EQ, here, autodiff_load(g, winner), 0), dy, ex_zero(g, n->dtype));
}

/* prod, few elements: dy * product of body(i, k') over k' other than k. */
static Ex others_product(Graph *g, const Node *n, Ex dy) {
    int rank = n->rank, nred = n->comp.nred, all = rank + nred;
    int64_t *extents = ARENA_ARRAY(g->nnc->arena, int64_t, all + nred);
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, all);
    memcpy(extents, n->comp.extents, sizeof *extents * (size_t)all);
    memcpy(extents + all, extents + rank, sizeof *extents * (size_t)nred);
    for (int k = 0; k < nred; k++) map[rank + k] = aff_var(g->affs, all + k);
    const Aff *here = flat_index(g, rank, nred, extents + rank), *there = flat_index(g, all, nred, extents + rank);
    Cond self = {aff_sub(g->affs, there, here), 0, 1};
    Ex other = ex_guard(g, 1, &self, ex_float(g, n->dtype, 1), ex_subst(g, n->comp.body, map, all));
    return ex_op(g, EX_MUL, dy, autodiff_load(g, ir_comp(g, RED_PROD, all, nred, extents, other, n->at)), 0);
}

/* prod, many elements: dy * y / body; where one element is 0, it alone gets dy * product of the others. */
static Ex quotient_product(Graph *g, const Node *n, Ref y, Ex dy) {
    Ex zero = ex_zero(g, n->dtype), one = ex_float(g, n->dtype, 1), body = n->comp.body;
    Ex is_zero = ex_op(g, EX_EQ, body, zero, 0);
    Ref count =
        ir_comp(g, RED_SUM, n->rank, n->comp.nred, n->comp.extents, ex_op(g, EX_SELECT, is_zero, one, zero), n->at);
    Ref rest =
        ir_comp(g, RED_PROD, n->rank, n->comp.nred, n->comp.extents, ex_op(g, EX_SELECT, is_zero, one, body), n->at);
    Ex alone = ex_op(g, EX_AND, is_zero, ex_op(g, EX_EQ, autodiff_load(g, count), one, 0), 0);
    Ex others = ex_op(g, EX_SELECT, is_zero, zero, ex_op(g, EX_DIV, autodiff_load(g, y), body, 0));
    others = ex_op(g, EX_SELECT, alone, autodiff_load(g, rest), others);
    return ex_op(g, EX_MUL, dy, others, 0);
}

/* The gradient of node n's body at (i, k), where dy is that of the node at i; 0 where none passes. */
static Ex combine_grad(Graph *g, const Node *n, Ref y, Ex dy) {
    int64_t points = 1;
    for (int k = 0; k < n->comp.nred; k++) points *= n->comp.extents[n->rank + k];
    switch (n->comp.combine) {
    case RED_NONE:
    case RED_SUM: return dy;
    case RED_MAX:
    case RED_MIN: return winner_grad(g, n, dy);
    case RED_PROD: return points <= PROD_PAIRWISE ? others_product(g, n, dy) : quotient_product(g, n, y, dy);
    case RED_ARGMAX:
    case RED_ARGMIN: break;
    }
    return 0;
}

/* ---- the sweep ---- */

static void reserve(Autodiff *ad, Ref r) {
    while (ad->first.len <= r) {
        vec_push(&ad->first, 0);
        vec_push(&ad->last, 0);
        vec_push(&ad->need, false);
    }
    ad->body.need = ad->need.at;
    ad->body.nneed = ad->need.len;
}

void autodiff_need(Autodiff *ad, Ref r, bool need) {
    reserve(ad, r);
    ad->need.at[r] = ad->need.at[r] || need;
}

void autodiff_add(Autodiff *ad, Ref to, Ref summand) {
    reserve(ad, to);
    vec_push(&ad->summands, (Summand){summand, 0});
    uint32_t i = (uint32_t)ad->summands.len - 1;
    if (ad->first.at[to])
        ad->summands.at[ad->last.at[to]].next = i;
    else
        ad->first.at[to] = i;
    ad->last.at[to] = i;
}

Ref autodiff_gradient(Autodiff *ad, Ref r) {
    Graph *g = ad->g;
    uint32_t i = r < ad->first.len ? ad->first.at[r] : 0;
    if (!i) return 0;
    Ref one = ad->summands.at[i].node;
    if (!ad->summands.at[i].next) return one;
    Node n = *ir_node(g, r);
    Ex sum = autodiff_load(g, one);
    while ((i = ad->summands.at[i].next)) sum = ex_op(g, EX_ADD, sum, autodiff_load(g, ad->summands.at[i].node), 0);
    Ref total = ir_comp(g, RED_NONE, n.rank, 0, n.dims, sum, n.at);
    ad->summands.at[ad->first.at[r]] = (Summand){total, 0};
    return total;
}

void autodiff_hand(Autodiff *ad, const Partial *p, int n, const int64_t *extents, Span at) {
    if (!autodiff_leaves(ad, p, n, extents, at))
        autodiff_add(ad, ir_expr(ad->g, p->load)->load.node, autodiff_adjoint(ad->g, p, n, extents, at));
}

void autodiff_propagate(Autodiff *ad, Ref r, Ref grad) {
    Graph *g = ad->g;
    Node n = *ir_node(g, r);
    int nvars = 0;
    const int64_t *extents = NULL;
    ad->partials.len = 0;
    if (n.kind == N_SCAN) {
        autodiff_scan(ad, r);
        return;
    }
    if (!grad) return;
    if (n.kind == N_MARK) {
        Partial p = {.load = autodiff_load(g, n.grad.of), .value = autodiff_load(g, grad)};
        if (ad->need.at[n.grad.of]) autodiff_hand(ad, &p, n.rank, n.dims, n.at);
    } else if (n.kind == N_COMP && autodiff_body_live(&ad->body, n.comp.body)) {
        nvars = n.rank + n.comp.nred, extents = n.comp.extents;
        Ex dy = combine_grad(g, &n, r, autodiff_load(g, grad));
        Ex y = n.comp.combine == RED_NONE ? autodiff_load(g, r) : n.comp.body;
        if (dy) autodiff_body(&ad->body, n.comp.body, y, dy, &ad->partials);
    } else if (n.kind == N_SCATTER) {
        nvars = n.scatter.ndomain, extents = n.scatter.extents;
        Ex dy = ex_load(g, grad, n.scatter.place); /* out[place(q)] += body(q): each point gets what its place gets */
        autodiff_body(&ad->body, n.scatter.body, n.scatter.body, dy, &ad->partials);
    }
    for (size_t i = 0; i < ad->partials.len; i++) autodiff_hand(ad, &ad->partials.at[i], nvars, extents, n.at);
}

static Ref carry_leaf(const Graph *g, const Node *scan, int k) {
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY && n->leaf.slot == scan->scan.id && n->leaf.index == k)
            return r;
    }
    return 0;
}

/* What a carry's first or next value needs, the carry does. The first node to look at again, or 0. */
static Ref need_carries(const Autodiff *ad, const Node *scan, bool *need) {
    Ref again = 0;
    for (int k = 0; k < scan->scan.ncarry; k++) {
        Ref leaf = carry_leaf(ad->g, scan, k);
        if (!leaf || need[leaf] || (!need[scan->scan.init[k]] && !need[scan->scan.next[k]])) continue;
        need[leaf] = true;
        if (!again || leaf < again) again = leaf;
    }
    return again;
}

static bool result_needed(const Graph *g, const Node *n, const bool *need) {
    const Node *s = ir_node(g, n->result.of);
    int k = n->result.index, y = k - s->scan.ncarry;
    return y < 0 ? need[s->scan.init[k]] || need[s->scan.next[k]] : need[s->scan.yield[y]];
}

/* Bodies are walked by recursion: false, after a diagnostic, where one up to `of` is too deep for it. */
static bool all_shallow(Autodiff *ad, Ref of) {
    for (Ref r = 1; r <= of; r++) {
        const Node *n = ir_node(ad->g, r);
        Ex body = n->kind == N_COMP ? n->comp.body : n->kind == N_SCATTER ? n->scatter.body : 0;
        if (!body || !autodiff_body_deep(&ad->body, body)) continue;
        Diag *d = diag(ad->g->nnc, n->at, DIAG_gradient_deep, AUTODIFF_DEEPEST);
        diag_help(ad->g->nnc, d, "each gradient of a gradient makes expressions some times as deep");
        return false;
    }
    return true;
}

/* Which nodes up to `of` a gradient must reach on its way to the wanted ones, which are already marked. */
static void find_needed(Autodiff *ad, Ref of, bool *need) {
    for (Ref r = 1; r <= of; r++) {
        const Node *n = ir_node(ad->g, r);
        Ref again = n->kind == N_SCAN ? need_carries(ad, n, need) : 0;
        if (again) {
            autodiff_body_start(&ad->body, need, of + 1);
            r = again - 1;
            continue;
        }
        if (need[r] || !dtype_is_float(n->dtype)) continue;
        if (n->kind == N_RESULT) need[r] = result_needed(ad->g, n, need);
        if (n->kind == N_MARK)
            need[r] = need[n->grad.of];
        else if (n->kind == N_COMP)
            need[r] = autodiff_body_live(&ad->body, n->comp.body);
        else if (n->kind == N_SCATTER)
            need[r] = autodiff_body_live(&ad->body, n->scatter.body);
    }
}

/* The new number of what gradient node `q` of the old graph asks for, or 0 where `of` cannot depend on it. */
static Ref asked_for(const Autodiff *ad, Ref q, Ref of) {
    Ref wrt = ad->refs[ir_node(ad->from, q)->grad.wrt];
    return wrt && wrt <= of && dtype_is_float(ir_node(ad->g, wrt)->dtype) ? wrt : 0;
}

/* All gradients of the scalar that N_GRAD node `first` of the old graph asks about. */
static void sweep(Autodiff *ad, Ref first) {
    Graph *g = ad->g;
    Ref of = ad->refs[ir_node(ad->from, first)->grad.of];
    Node scalar = *ir_node(g, of);
    size_t before = g->nodes.len;
    if (scalar.rank != 0 || !dtype_is_float(scalar.dtype))
        bug("a gradient of a node that is no scalar of a float type");
    ad->first.len = ad->last.len = ad->need.len = 0;
    reserve(ad, of);
    ad->summands.len = 1; /* 0 is none */
    autodiff_body_start(&ad->body, ad->need.at, ad->need.len);
    if (all_shallow(ad, of)) {
        for (Ref q = first; q; q = ad->same_of[q]) ad->need.at[asked_for(ad, q, of)] = true;
        ad->need.at[0] = false;
        find_needed(ad, of, ad->need.at);
    }
    if (ad->need.at[of]) autodiff_add(ad, of, constant(g, &scalar, 1, scalar.at));
    for (Ref r = of; r > 0; r--) autodiff_propagate(ad, r, autodiff_gradient(ad, r));
    for (Ref q = first; q; q = ad->same_of[q]) {
        const Node *asked = ir_node(ad->from, q);
        Ref wrt = asked_for(ad, q, of), grad = wrt ? autodiff_gradient(ad, wrt) : 0;
        ad->refs[q] = grad ? grad : constant(g, ir_node(ad->from, asked->grad.wrt), 0, asked->at);
        ir_name(g, ad->refs[q], asked->name);
    }
    for (size_t r = before; r < g->nodes.len; r++) ir_node(g, (Ref)r)->adjoint = true;
}

/* ---- the pass ---- */

static Graph *without_marks(Nnc *nnc, Graph *g) {
    bool any = false;
    for (Ref r = 1; r < g->nodes.len; r++) any = any || ir_node(g, r)->kind == N_MARK;
    if (!any) return g;
    Graph *out = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        refs[r] = n->kind == N_MARK ? refs[n->grad.of] : ir_copy(out, g, r, refs);
    }
    ir_copy_outputs(out, g, refs);
    return out;
}

/* Chains the N_GRAD nodes of the same scalar, in order. */
static Ref *chain_gradients(const Graph *g, Arena *a) {
    Ref *same_of = ARENA_ARRAY(a, Ref, g->nodes.len), *latest = ARENA_ARRAY(a, Ref, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_GRAD) continue;
        if (latest[n->grad.of]) same_of[latest[n->grad.of]] = r;
        latest[n->grad.of] = r;
    }
    return same_of;
}

Graph *pass_autodiff(Nnc *nnc, const Graph *g) {
    Autodiff ad = {.from = g, .g = ir_graph_new(nnc), .same_of = chain_gradients(g, nnc->arena)};
    ad.refs = ARENA_ARRAY(nnc->arena, Ref, g->nodes.len);
    ad.body = (BodyGrad){.g = ad.g, .arena = nnc->arena, .rules = rules_new(nnc->arena)};
    ad.g->nscans = g->nscans;
    vec_push(&ad.summands, (Summand){0, 0});
    for (Ref r = 1; r < g->nodes.len; r++) {
        if (ir_node(g, r)->kind != N_GRAD)
            ad.refs[r] = ir_copy(ad.g, g, r, ad.refs);
        else if (!ad.refs[r])
            sweep(&ad, r);
    }
    ir_copy_outputs(ad.g, g, ad.refs);
    autodiff_body_free(&ad.body);
    vec_free(&ad.partials);
    vec_free(&ad.summands);
    vec_free(&ad.first);
    vec_free(&ad.last);
    vec_free(&ad.need);
    return without_marks(nnc, ad.g);
}
