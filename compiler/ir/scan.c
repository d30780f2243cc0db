/* Scans and whiles. The body of a loop is no graph of its own: it is those nodes that reach the loop's iteration number
 * or one of its carries. What does not vary from iteration to iteration is so outside by itself, and whatever works on
 * nodes works on those of bodies too. */
#include "compiler/ir/private.h"

#include <stdlib.h>
#include <string.h>

static Ref inside(Graph *g, const Node *n) {
    g->nscans = MAX(g->nscans, n->leaf.slot + 1);
    return ir_share(g, n);
}

Ref ir_iteration(Graph *g, int id, Span at) {
    return inside(g, &(Node){.kind = N_LEAF, .dtype = DT_I32, .at = at, .leaf = {LEAF_ITER, id, NULL, 0}});
}

Ref ir_carry(Graph *g, int id, int index, DType dtype, int rank, const int64_t *dims, Name name, Span at) {
    return inside(g, &(Node){.kind = N_LEAF,
                             .dtype = dtype,
                             .rank = rank,
                             .dims = dims,
                             .at = at,
                             .name = name,
                             .leaf = {LEAF_CARRY, id, NULL, index}});
}

static const Ref *keep(Graph *g, const Ref *refs, int n) {
    return arena_copy(g->nnc->arena, n ? (const void *)refs : "", sizeof *refs * (size_t)n);
}

Ref ir_scan(Graph *g, const ScanDesc *d, Span at) {
    g->nscans = MAX(g->nscans, d->id + 1);
    return ir_append(g, &(Node){.kind = N_SCAN,
                                .dtype = DT_I32,
                                .at = at,
                                .scan = {.id = d->id,
                                         .cond = d->cond,
                                         .extent = d->cond ? WHILE_EXTENT : d->extent,
                                         .reverse = d->reverse,
                                         .ncarry = d->ncarry,
                                         .nyield = d->nyield,
                                         .init = keep(g, d->init, d->ncarry),
                                         .next = keep(g, d->next, d->ncarry),
                                         .yield = keep(g, d->yield, d->nyield)}});
}

Ref ir_result(Graph *g, Ref scan, int index, Span at) {
    const Node s = *ir_node(g, scan);
    int k = index - s.scan.ncarry;
    if (s.kind != N_SCAN || index < 0 || k >= s.scan.nyield || (k >= 0 && !s.scan.yield[k]))
        bug("node %u gives no result %d", scan, index);
    const Node of = *ir_node(g, k < 0 ? s.scan.init[index] : s.scan.yield[k]);
    int64_t *dims = ARENA_ARRAY(g->nnc->arena, int64_t, of.rank + 1);
    int stacked = k >= 0;
    dims[0] = s.scan.extent;
    for (int d = 0; d < of.rank; d++) dims[d + stacked] = of.dims[d];
    return ir_share(g, &(Node){.kind = N_RESULT,
                               .dtype = of.dtype,
                               .rank = of.rank + stacked,
                               .dims = dims,
                               .at = at,
                               .result = {scan, index}});
}

Ref ir_stacked(Graph *g, Ref scan, Ref node) {
    Node *s = ir_node(g, scan);
    Span at = s->at;
    if (s->scan.cond) bug("node %u keeps what each of its iterations computes, but their number is not known", scan);
    int k = 0;
    while (k < s->scan.nyield && s->scan.yield[k] != node) k++;
    if (k == s->scan.nyield) {
        Ref *more = ARENA_ARRAY(g->nnc->arena, Ref, k + 1);
        if (k) memcpy(more, s->scan.yield, sizeof *more * (size_t)k);
        more[k] = node;
        s->scan.yield = more;
        s->scan.nyield++;
    }
    return ir_result(g, scan, s->scan.ncarry + k, at);
}

/* ---- what uses what ---- */

static void use_loads(const Graph *g, const Node *n, void (*visit)(Ref used, void *self), void *self) {
    ExList list = {0};
    if (n->kind == N_COMP) {
        list = ex_below(g, &n->comp.body, 1);
    } else {
        Ex *roots = xcalloc((size_t)n->rank + 1, sizeof *roots);
        for (int i = 0; i < n->rank; i++) roots[i] = n->scatter.place[i].gather;
        roots[n->rank] = n->scatter.body;
        list = ex_below(g, roots, n->rank + 1);
        free(roots);
    }
    for (size_t i = 0; i < list.len; i++)
        if (ir_expr(g, list.at[i])->kind == EX_LOAD) visit(ir_expr(g, list.at[i])->load.node, self);
    vec_free(&list);
}

void ir_uses(const Graph *g, Ref r, void (*visit)(Ref used, void *self), void *self) {
    const Node *n = ir_node(g, r);
    switch (n->kind) {
    case N_COMP:
    case N_SCATTER: use_loads(g, n, visit, self); break;
    case N_SORT: visit(n->sort.of, self); break;
    case N_GRAD: visit(n->grad.of, self), visit(n->grad.wrt, self); break;
    case N_MARK: visit(n->grad.of, self); break;
    case N_RESULT: visit(n->result.of, self); break;
    case N_SCAN:
        for (int k = 0; k < n->scan.ncarry; k++) visit(n->scan.init[k], self), visit(n->scan.next[k], self);
        for (int k = 0; k < n->scan.nyield; k++)
            if (n->scan.yield[k]) visit(n->scan.yield[k], self);
        if (n->scan.cond) visit(n->scan.cond, self);
        break;
    default: break;
    }
}

static void mark(Ref r, void *used) { ((bool *)used)[r] = true; }

void ir_mark_uses(const Graph *g, Ref r, bool *used) { ir_uses(g, r, mark, used); }

void ir_mark_live(const Graph *g, Ref r, bool *live) {
    const Node *n = ir_node(g, r);
    if (n->kind != N_SCAN) {
        ir_mark_uses(g, r, live);
        return;
    }
    for (int k = 0; k < n->scan.ncarry; k++) live[n->scan.init[k]] = live[n->scan.next[k]] = true;
    ir_mark_loop(g, r, live);
}

void ir_mark_loop(const Graph *g, Ref r, bool *live) {
    const Node *n = ir_node(g, r);
    if (n->scan.cond) live[n->scan.cond] = true;
    for (Ref user = r + 1; user < g->nodes.len; user++) {
        const Node *u = ir_node(g, user);
        if (!live[user] || u->kind != N_RESULT || u->result.of != r || u->result.index < n->scan.ncarry) continue;
        live[n->scan.yield[u->result.index - n->scan.ncarry]] = true;
    }
}

/* ---- bodies ---- */

typedef struct {
    size_t words;
    const uint64_t *bits; /* per node: the scans, by id, whose bodies it is part of */
    uint64_t *own;
} Depends;

static void join(Ref used, void *self) {
    Depends *d = self;
    for (size_t w = 0; w < d->words; w++) d->own[w] |= d->bits[used * d->words + w];
}

const Ref *ir_homes(const Graph *g) {
    size_t n = g->nodes.len, words = (size_t)g->nscans / 64 + 1;
    Ref *home = ARENA_ARRAY(g->nnc->arena, Ref, n), *scan = xcalloc((size_t)g->nscans + 1, sizeof *scan);
    if (!g->nscans) {
        free(scan);
        return home;
    }
    uint64_t *bits = xcalloc(n * words, sizeof *bits);
    for (Ref r = 1; r < n; r++) {
        const Node *x = ir_node(g, r);
        Depends d = {words, bits, bits + r * words};
        ir_uses(g, r, join, &d);
        int id = x->kind == N_SCAN ? x->scan.id : x->kind == N_LEAF && x->leaf.kind >= LEAF_ITER ? x->leaf.slot : -1;
        if (id < 0) continue;
        uint64_t bit = (uint64_t)1 << (id % 64);
        if (x->kind == N_SCAN)
            d.own[id / 64] &= ~bit, scan[id] = r;
        else
            d.own[id / 64] |= bit;
    }
    for (Ref r = 1; r < n; r++) /* an inner scan is made before the one around it */
        for (int id = 0; id < g->nscans; id++)
            if (bits[r * words + (size_t)(id / 64)] >> (id % 64) & 1 && scan[id] && (!home[r] || scan[id] < home[r]))
                home[r] = scan[id];
    free(bits);
    free(scan);
    return home;
}

static bool runs_in(const Ref *home, Ref r, Ref loop) {
    while (r && r != loop) r = home[r];
    return r != 0;
}

const bool *ir_deciders(const Graph *g, const Ref *home) {
    size_t n = g->nodes.len;
    bool *decides = ARENA_ARRAY(g->nnc->arena, bool, n), *needed = xcalloc(n, sizeof *needed);
    for (Ref loop = 1; loop < n; loop++) {
        const Node *x = ir_node(g, loop);
        if (x->kind != N_SCAN || !x->scan.cond) continue;
        memset(needed, 0, n * sizeof *needed);
        needed[x->scan.cond] = true;
        for (Ref r = x->scan.cond; r > 0; r--) {
            if (!needed[r] || !runs_in(home, home[r], loop)) continue;
            decides[r] = decides[r] || home[r] == loop;
            ir_mark_uses(g, r, needed);
        }
    }
    free(needed);
    return decides;
}
