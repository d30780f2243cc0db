/* Nodes: leaves, comprehensions, scatters, sorts, gradients and marks. A comprehension is brought into its canonical
 * form first: its body simplified by the extents, no index of extent 1, no reduction over nothing or over what isn't
 * used.
 */
#include "compiler/ir/private.h"

#include <stdlib.h>
#include <string.h>

/* ---- sharing ---- */

static uint64_t hash_numbers(uint64_t h, const int64_t *x, int n) {
    for (int i = 0; i < n; i++) h = hash_mix(h, (uint64_t)x[i]);
    return hash_mix(h, (uint64_t)n);
}

static size_t bytes_of(const Node *n) { return (size_t)ir_elements(n) * dtype_size(n->dtype); }

static uint64_t hash_node(const Node *n) {
    uint64_t h = hash_numbers(hash_mix((uint64_t)n->kind, (uint64_t)n->dtype), n->dims, n->rank);
    switch (n->kind) {
    case N_LEAF:
        return n->leaf.kind == LEAF_CONST
                   ? hash_mix(h, hash_bytes(n->leaf.data, bytes_of(n)))
                   : hash_mix(hash_mix((uint64_t)n->leaf.index + 1, (uint64_t)n->leaf.kind), (uint64_t)n->leaf.slot);
    case N_COMP:
        h = hash_mix(hash_mix(h, (uint64_t)n->comp.combine), n->comp.body);
        return hash_numbers(h, n->comp.extents, n->rank + n->comp.nred);
    case N_SCATTER:
        h = hash_numbers(hash_mix(h, n->scatter.body), n->scatter.extents, n->scatter.ndomain);
        for (int i = 0; i < n->rank; i++)
            h = hash_mix(hash_mix(h, n->scatter.place[i].aff->id), n->scatter.place[i].gather);
        return h;
    case N_SORT: return hash_mix(hash_mix(h, n->sort.of), n->sort.descending);
    case N_RESULT: return hash_mix(hash_mix(h, n->result.of), (uint64_t)n->result.index);
    default: return hash_mix(hash_mix(h, n->grad.of), n->grad.wrt);
    }
}

static bool same_numbers(const int64_t *a, const int64_t *b, int n) {
    return !n || memcmp(a, b, sizeof *a * (size_t)n) == 0;
}

static bool same_shape(const Node *a, const Node *b) {
    return a->dtype == b->dtype && a->rank == b->rank && same_numbers(a->dims, b->dims, a->rank);
}

static bool equal_node(const Node *a, const Node *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == N_LEAF && a->leaf.kind != b->leaf.kind) return false;
    if (a->kind == N_LEAF && a->leaf.kind != LEAF_CONST)
        return a->leaf.slot == b->leaf.slot && a->leaf.index == b->leaf.index;
    if (!same_shape(a, b)) return false;
    if (a->kind == N_LEAF) return !bytes_of(a) || memcmp(a->leaf.data, b->leaf.data, bytes_of(a)) == 0;
    if (a->kind == N_COMP)
        return a->comp.combine == b->comp.combine && a->comp.nred == b->comp.nred && a->comp.body == b->comp.body &&
               same_numbers(a->comp.extents, b->comp.extents, a->rank + a->comp.nred);
    if (a->kind == N_SORT) return a->sort.of == b->sort.of && a->sort.descending == b->sort.descending;
    if (a->kind == N_GRAD) return a->grad.of == b->grad.of && a->grad.wrt == b->grad.wrt;
    if (a->kind == N_RESULT) return a->result.of == b->result.of && a->result.index == b->result.index;
    if (a->scatter.ndomain != b->scatter.ndomain || a->scatter.body != b->scatter.body ||
        !same_numbers(a->scatter.extents, b->scatter.extents, a->scatter.ndomain))
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->scatter.place[i].aff != b->scatter.place[i].aff ||
            a->scatter.place[i].gather != b->scatter.place[i].gather)
            return false;
    return true;
}

Ref ir_append(Graph *g, const Node *n) {
    Node copy = *n;
    copy.dims = arena_copy(g->nnc->arena, n->dims, sizeof *n->dims * (size_t)n->rank);
    if (n->kind == N_LEAF && n->leaf.kind == LEAF_CONST)
        copy.leaf.data = arena_copy(g->nnc->arena, n->leaf.data, bytes_of(n));
    if (n->kind == N_COMP)
        copy.comp.extents =
            arena_copy(g->nnc->arena, n->comp.extents, sizeof(int64_t) * (size_t)(n->rank + n->comp.nred));
    if (n->kind == N_SCATTER) {
        copy.scatter.extents =
            arena_copy(g->nnc->arena, n->scatter.extents, sizeof(int64_t) * (size_t)n->scatter.ndomain);
        copy.scatter.place = arena_copy(g->nnc->arena, n->scatter.place, sizeof(Place) * (size_t)n->rank);
    }
    ir_elements(&copy); /* complains of sizes beyond int64 */
    graph_push(g, &g->nodes, copy);
    return (Ref)(g->nodes.len - 1);
}

Ref ir_share(Graph *g, const Node *n) {
    uint64_t hash = hash_node(n);
    size_t slot = (size_t)hash;
    for (Ref r; (r = share_next(&g->tables->nodes, hash, &slot));)
        if (equal_node(ir_node(g, r), n)) return r;
    Ref r = ir_append(g, n);
    share_add(g, &g->tables->nodes, hash, r);
    return r;
}

/* ---- leaves, gradients, marks, outputs ---- */

Ref ir_leaf(Graph *g, LeafKind kind, int slot, DType dtype, int rank, const int64_t *dims, Name name, Span at) {
    const Node n = {.kind = N_LEAF,
                    .dtype = dtype,
                    .rank = rank,
                    .dims = dims,
                    .at = at,
                    .name = name,
                    .leaf = {kind, slot, NULL, 0}};
    Ref r = ir_share(g, &n);
    if (!same_shape(ir_node(g, r), &n)) bug("leaf %d of kind %d is made again with another type", slot, (int)kind);
    return r;
}

Ref ir_constant(Graph *g, DType dtype, int rank, const int64_t *dims, const void *data) {
    return ir_share(
        g, &(Node){.kind = N_LEAF, .dtype = dtype, .rank = rank, .dims = dims, .leaf = {LEAF_CONST, 0, data, 0}});
}

Ref ir_grad(Graph *g, Ref of, Ref wrt, Span at) {
    const Node y = *ir_node(g, of), x = *ir_node(g, wrt);
    if (y.rank || !dtype_is_float(y.dtype)) bug("a gradient of node %u, which is not a float scalar", of);
    if (!dtype_is_float(x.dtype)) bug("a gradient for node %u of type %s", wrt, dtype_name(x.dtype));
    return ir_share(
        g, &(Node){.kind = N_GRAD, .dtype = x.dtype, .rank = x.rank, .dims = x.dims, .at = at, .grad = {of, wrt}});
}

Ref ir_mark(Graph *g, Ref of, Span at) {
    const Node x = *ir_node(g, of);
    return ir_append(
        g, &(Node){.kind = N_MARK, .dtype = x.dtype, .rank = x.rank, .dims = x.dims, .at = at, .grad = {of, 0}});
}

void ir_output(Graph *g, OutKind kind, int slot, Ref node, Name name) {
    if (!node || node >= g->nodes.len) bug("output %d is node %u, which does not exist", slot, node);
    graph_push(g, &g->outputs, (Output){kind, slot, node, name});
}

void ir_name(Graph *g, Ref r, Name name) {
    if (!ir_node(g, r)->name) ir_node(g, r)->name = name;
}

/* ---- comprehensions ---- */

/* A comprehension on its way to the canonical form. */
typedef struct {
    Graph *g;
    Combine combine;
    int rank, nred;
    int64_t *extents; /* rank + nred */
    Ex body;
} Comp;

static bool is_arg(Combine c) { return c == RED_ARGMAX || c == RED_ARGMIN; }

static void check_extents(const int64_t *extents, int n) {
    for (int i = 0; i < n; i++)
        if (extents[i] < 0) bug("an extent of %lld", (long long)extents[i]);
}

/* The value of a reduction over nothing. */
static Ex neutral(Graph *g, Combine c, DType t) {
    Scalar lowest, highest;
    scalar_limits(t, &lowest, &highest);
    switch (c) {
    case RED_PROD: return ex_const(g, t, (Scalar){1, 1});
    case RED_MAX: return ex_const(g, t, lowest);
    case RED_MIN: return ex_const(g, t, highest);
    case RED_ARGMAX:
    case RED_ARGMIN: bug("argmax over nothing");
    default: return ex_zero(g, t);
    }
}

/* Drops the reduction indices that `drop` names (their value is 0) and simplifies the body by the extents that remain.
 */
static void drop_indices(Comp *c, const bool *drop) {
    int n = c->rank + c->nred, kept = 0;
    const Aff **map = xcalloc((size_t)n, sizeof *map);
    for (int v = 0; v < n; v++) {
        if (drop[v])
            map[v] = aff_const(c->g->affs, 0);
        else if (v >= c->rank)
            map[v] = aff_var(c->g->affs, c->rank + kept);
        if (v >= c->rank && !drop[v]) c->extents[c->rank + kept++] = c->extents[v];
    }
    c->nred = kept;
    c->body = ex_rebuild(
        &(Rebuild){.to = c->g, .from = c->g, .map = map, .n = n, .extents = c->extents, .nvars = c->rank + kept},
        c->body);
    free(map);
}

/* A reduction over an index that the body doesn't use: n equal terms are n times one, the largest of equals is any.
 * A float sum changes to one exact product, rounded once. */
static bool drops_unused(Comp *c, int64_t extent) {
    DType t = ir_expr(c->g, c->body)->dtype;
    if (c->combine == RED_MAX || c->combine == RED_MIN) return true;
    if (c->combine != RED_SUM || !(scalar_exact(t, extent) || !dtype_is_float(t))) return false;
    Ex times = dtype_is_float(t) ? ex_float(c->g, t, (double)extent) : ex_int(c->g, t, extent);
    c->body = ex_op(c->g, EX_MUL, c->body, times, 0);
    return true;
}

static void drop_unused(Comp *c) {
    int n = c->rank + c->nred;
    bool *used = xcalloc((size_t)n, sizeof *used), any = false;
    ex_used(c->g, c->body, used, n);
    for (int v = 0; v < n; v++) {
        used[v] = v >= c->rank && !used[v] && drops_unused(c, c->extents[v]); /* from here on: to be dropped */
        any |= used[v];
    }
    if (any) drop_indices(c, used);
    free(used);
}

static bool has_zero(const int64_t *extents, int n) {
    for (int i = 0; i < n; i++)
        if (!extents[i]) return true;
    return false;
}

static void canonicalize(Comp *c) {
    DType t = ir_expr(c->g, c->body)->dtype;
    if (c->combine == RED_NONE && c->nred) bug("%d reduction indices without a way to combine them", c->nred);
    if ((c->combine == RED_SUM || c->combine == RED_PROD) && t == DT_BOOL) bug("a sum of bools");
    bool empty = has_zero(c->extents, c->rank);
    if (empty || has_zero(c->extents + c->rank, c->nred)) {
        if (empty)
            c->body = ex_zero(c->g, is_arg(c->combine) ? DT_I32 : t);
        else
            c->body = neutral(c->g, c->combine, t);
        c->combine = RED_NONE;
        c->nred = 0;
        return;
    }
    int n = c->rank + c->nred;
    bool *ones = xcalloc((size_t)n, sizeof *ones);
    for (int v = 0; v < n; v++) ones[v] = c->extents[v] == 1;
    drop_indices(c, ones);
    free(ones);
    if (c->nred && !is_arg(c->combine)) drop_unused(c);
    if (c->nred) return;
    if (is_arg(c->combine)) c->body = ex_zero(c->g, DT_I32); /* the only element wins */
    c->combine = RED_NONE;
}

/* The node that a body merely copies, or 0. */
static Ref copied(const Comp *c) {
    const Expr *x = ir_expr(c->g, c->body);
    if (c->combine != RED_NONE || x->kind != EX_LOAD || x->load.rank != c->rank) return 0;
    const Node *n = ir_node(c->g, x->load.node);
    for (int i = 0; i < c->rank; i++) {
        int var;
        if (n->dims[i] != c->extents[i] || x->load.at[i].gather) return 0;
        if (n->dims[i] != 1 && (!aff_is_var(x->load.at[i].aff, &var) || var != i)) return 0;
    }
    return x->load.node;
}

Ref ir_comp(Graph *g, Combine combine, int rank, int nred, const int64_t *extents, Ex body, Span at) {
    int n = rank + nred;
    check_extents(extents, n);
    Comp c = {g, combine, rank, nred, xcalloc((size_t)n, sizeof(int64_t)), body};
    if (n) memcpy(c.extents, extents, sizeof *extents * (size_t)n);
    canonicalize(&c);
    Ref r = copied(&c);
    if (!r)
        r = ir_share(g, &(Node){.kind = N_COMP,
                                .dtype = is_arg(c.combine) ? DT_I32 : ir_expr(g, c.body)->dtype,
                                .rank = rank,
                                .dims = c.extents,
                                .at = at,
                                .comp = {c.combine, c.nred, c.extents, c.body}});
    free(c.extents);
    return r;
}

/* ---- scatters ---- */

Ref ir_scatter(Graph *g, int rank, const int64_t *dims, const Place *place, int ndomain, const int64_t *extents,
               Ex body, Span at) {
    check_extents(dims, rank);
    check_extents(extents, ndomain);
    DType t = ir_expr(g, body)->dtype;
    if (t == DT_BOOL) bug("a scatter of bools");
    if (has_zero(dims, rank) || has_zero(extents, ndomain)) /* nothing is added */
        return ir_comp(g, RED_NONE, rank, 0, dims, ex_zero(g, t), at);
    const Aff **map = xcalloc((size_t)ndomain, sizeof *map);
    int64_t *long_ones = xcalloc((size_t)ndomain, sizeof *long_ones); /* extents other than 1 */
    int kept = 0;
    for (int v = 0; v < ndomain; v++) {
        map[v] = extents[v] == 1 ? aff_const(g->affs, 0) : aff_var(g->affs, kept);
        if (extents[v] != 1) long_ones[kept++] = extents[v];
    }
    const Rebuild r = {.to = g, .from = g, .map = map, .n = ndomain, .extents = long_ones, .nvars = kept};
    Place *places = xcalloc((size_t)rank, sizeof *places);
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 1) {
            places[i] = (Place){aff_const(g->affs, 0), 0};
            continue;
        }
        places[i] = (Place){aff_rebuild(&r, place[i].aff), place[i].gather ? ex_rebuild(&r, place[i].gather) : 0};
        places[i] = place_plain(g, places[i]);
    }
    Ref node = ir_share(g, &(Node){.kind = N_SCATTER,
                                   .dtype = t,
                                   .rank = rank,
                                   .dims = dims,
                                   .at = at,
                                   .scatter = {kept, long_ones, places, ex_rebuild(&r, body)}});
    free(long_ones);
    free(map);
    free(places);
    return node;
}

/* ---- sorts ---- */

Ref ir_sort(Graph *g, Ref of, int64_t k, bool descending, Span at) {
    const Node x = *ir_node(g, of);
    if (!x.rank || k < 0 || k > x.dims[x.rank - 1]) bug("the first %lld of node %u in order", (long long)k, of);
    int64_t *dims = arena_copy(g->nnc->arena, x.dims, sizeof *dims * (size_t)x.rank);
    dims[x.rank - 1] = k;
    if (has_zero(dims, x.rank) || x.dims[x.rank - 1] == 1) /* nothing, or the only element, which is at place 0 */
        return ir_comp(g, RED_NONE, x.rank, 0, dims, ex_zero(g, DT_I32), at);
    return ir_share(
        g, &(Node){.kind = N_SORT, .dtype = DT_I32, .rank = x.rank, .dims = dims, .at = at, .sort = {of, descending}});
}
