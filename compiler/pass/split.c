/* Long reductions with few results: a loss over a batch, a norm over millions, the weight gradient of a convolution.
 *
 * before    a fused graph
 * after     such a reduction is two: out[i] = sum over s of part[s, i], part[s, i] = sum over k of body(i, C*s + k)
 * requires  no argmax, no argmin
 * keeps     outputs up to the order of additions
 * breaks    nothing */
#include "compiler/pass/split.h"

#include "compiler/pass/contraction.h"

enum {
    LONG_WORK = 1 << 18, /* points from which a reduction is worth cutting */
    PART_WORK = 1 << 15, /* points that a part should have at least */
    ENOUGH = 32,         /* parts, or independent groups of results, that keep the threads busy */
    GROUP = 96,          /* results that one register tile computes */
    TILE = 1 << 15,      /* most results of a contraction that one unit can sum up: they stay in its second cache */
    STREAMED = 64        /* sums of a part, times rows, where reading an operand is most of the time: what the parts
                            leave to be summed up is little beside it */
};

typedef struct {
    int var;       /* the reduction index that is cut */
    int64_t parts; /* a divisor of its extent; 1: the node stays */
} Cut;

/* The divisor of n closest to `want` from below, but for 1 from above. */
static int64_t divisor(int64_t n, int64_t want) {
    for (int64_t d = want; d > 1; d--)
        if (n % d == 0) return d;
    for (int64_t d = want + 1; d <= 4 * want && d < n; d++)
        if (n % d == 0) return d;
    return 1;
}

/* The reduction index with the most points, which is the one to cut. */
static int longest(const Node *n) {
    int var = n->rank;
    for (int v = n->rank; v < n->rank + n->comp.nred; v++)
        if (n->comp.extents[v] > n->comp.extents[var]) var = v;
    return var;
}

static void count_elements(const Graph *g, Ex e, void *self) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_LOAD) *(double *)self += (double)ir_elements(ir_node(g, x->load.node));
}

/* Parts of a product's sums. Units that share the results would each read the operands, all of them again and again;
 * those that share the sums read each once, for partial results that are written and read: no more of those than of the
 * operands, and of sums that are long beside the rows and lanes. Units that share a large matrix for few rows read it
 * in order where each has some of the sums, for all lanes. */
static double product_parts(Graph *g, Ref r, const Ref *home) {
    Contraction c;
    double a = 0, b = 0, results = (double)ir_elements(ir_node(g, r));
    if (!contraction_of(g, r, home, &c) || c.m * c.n > TILE) return 0;
    ex_walk(g, c.a, count_elements, &a);
    ex_walk(g, c.b, count_elements, &b);
    double sums = results * (double)c.k, wanted = (double)ENOUGH * (double)(c.m * c.n) / results;
    if (c.streams) return MIN(wanted, (double)(c.k / (STREAMED * c.m)));
    double operands = MIN(a, sums / (double)c.n) + MIN(b, sums / (double)c.m);
    double want = MIN(wanted, MIN(operands / (2 * results), 2 * (double)c.k / (double)MAX(c.m, c.n)));
    return want >= wanted / 2 ? want : 0;
}

static Cut find_cut(Graph *g, Ref r, const Ref *home) {
    const Node *n = ir_node(g, r);
    Cut none = {-1, 1};
    if (n->kind != N_COMP || n->comp.combine == RED_NONE || n->dtype == DT_F16 || n->dtype == DT_BF16) return none;
    double results = (double)ir_elements(n), sums = 1, groups = results / (double)GROUP;
    for (int v = n->rank; v < n->rank + n->comp.nred; v++) sums *= (double)n->comp.extents[v];
    if (results * sums < (double)LONG_WORK) return none;
    double want = groups < (double)ENOUGH ? (double)ENOUGH / MAX(groups, 1.0) : 0;
    want = MIN(MAX(want, product_parts(g, r, home)), results * sums / (double)PART_WORK);
    Cut cut = {longest(n), 1};
    want = MIN(want, (double)n->comp.extents[cut.var] / 2);
    if (want >= 2) cut.parts = divisor(n->comp.extents[cut.var], (int64_t)want);
    return cut;
}

static Ref split_node(Graph *to, const Graph *from, const Node *n, Cut cut, const Ref *refs) {
    Arena *a = to->nnc->arena;
    int nvars = n->rank + n->comp.nred;
    int64_t *extents = ARENA_ARRAY(a, int64_t, nvars + 1), each = n->comp.extents[cut.var] / cut.parts;
    const Aff **map = ARENA_ARRAY(a, const Aff *, nvars);
    extents[0] = cut.parts;
    for (int v = 0; v < nvars; v++) {
        extents[v + 1] = v == cut.var ? each : n->comp.extents[v];
        map[v] = aff_var(to->affs, v + 1);
    }
    map[cut.var] = aff_add(to->affs, map[cut.var], aff_scale(to->affs, aff_var(to->affs, 0), each));
    Ex body = ex_copy(to, from, n->comp.body, map, nvars, refs);
    Ref parts = ir_comp(to, n->comp.combine, n->rank + 1, n->comp.nred, extents, body, n->at);
    Place *at = ARENA_ARRAY(a, Place, n->rank + 1);
    int64_t *sums = ARENA_ARRAY(a, int64_t, n->rank + 1);
    at[0].aff = aff_var(to->affs, n->rank);
    for (int d = 0; d < n->rank; d++) {
        at[d + 1].aff = aff_var(to->affs, d);
        sums[d] = n->dims[d];
    }
    sums[n->rank] = cut.parts;
    Ref r = ir_comp(to, n->comp.combine, n->rank, 1, sums, ex_load(to, parts, at), n->at);
    ir_name(to, r, n->name);
    return r;
}

Graph *pass_split(Nnc *nnc, Graph *from) {
    Graph *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, from->nodes.len);
    const Ref *home = ir_homes(from);
    for (Ref r = 1; r < from->nodes.len; r++) {
        Cut cut = find_cut(from, r, home);
        refs[r] = cut.parts > 1 ? split_node(to, from, ir_node(from, r), cut, refs) : ir_copy(to, from, r, refs);
    }
    ir_copy_outputs(to, from, refs);
    return to;
}
