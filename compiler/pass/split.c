/* Long reductions with few results: a loss over a batch, a norm over millions, the weight gradient of a convolution.
 *
 * before    a fused graph
 * after     such a reduction is two: out[i] = sum over s of part[s, i], part[s, i] = sum over k of body(i, C*s + k)
 * requires  no argmax, no argmin
 * keeps     outputs up to the order of additions
 * breaks    nothing */
#include "compiler/pass/split.h"

enum {
    LONG_WORK = 1 << 18, /* points from which a reduction is worth cutting */
    PART_WORK = 1 << 15, /* points that a part should have at least */
    ENOUGH = 32,         /* parts, or independent groups of results, that keep the threads busy */
    GROUP = 96           /* results that one register tile computes */
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

static Cut find_cut(const Node *n) {
    Cut cut = {-1, 1};
    if (n->kind != N_COMP || n->comp.combine == RED_NONE || n->dtype == DT_F16 || n->dtype == DT_BF16) return cut;
    double results = (double)ir_elements(n), points = results;
    for (int v = n->rank; v < n->rank + n->comp.nred; v++) {
        points *= (double)n->comp.extents[v];
        if (cut.var < 0 || n->comp.extents[v] > n->comp.extents[cut.var]) cut.var = v;
    }
    double groups = results / (double)GROUP;
    if (points < (double)LONG_WORK || groups >= (double)ENOUGH) return (Cut){-1, 1};
    double want = MIN((double)ENOUGH / MAX(groups, 1.0), points / (double)PART_WORK);
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

Graph *pass_split(Nnc *nnc, const Graph *from) {
    Graph *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, from->nodes.len);
    for (Ref r = 1; r < from->nodes.len; r++) {
        const Node *n = ir_node(from, r);
        Cut cut = find_cut(n);
        refs[r] = cut.parts > 1 ? split_node(to, from, n, cut, refs) : ir_copy(to, from, r, refs);
    }
    ir_copy_outputs(to, from, refs);
    return to;
}
