#include "compiler/pass/watch.h"

#include <math.h>

/* ---- flags ---- */

static const Aff *row_major(Graph *g, const Node *n) {
    const Aff *flat = aff_const(g->affs, 0);
    for (int i = 0; i < n->rank; i++)
        flat = aff_add(g->affs, aff_scale(g->affs, flat, n->dims[i]), aff_var(g->affs, i));
    return flat;
}

/* The least row-major number of an element for which the test holds: is it a NaN, or an infinity. */
static Ref first_of(Graph *g, Ref r, bool nan) {
    const Node n = *ir_node(g, r);
    DType t = n.dtype == DT_F64 ? DT_F64 : DT_F32;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, n.rank + 1);
    for (int i = 0; i < n.rank; i++) at[i].aff = aff_var(g->affs, i);
    Ex x = ex_cast(g, t, ex_load(g, r, at));
    Ex test = nan ? ex_op(g, EX_NE, x, x, 0) : ex_op(g, EX_EQ, ex_op(g, EX_ABS, x, 0, 0), ex_float(g, t, INFINITY), 0);
    Ex body = ex_op(g, EX_SELECT, test, ex_index(g, DT_I64, row_major(g, &n)), ex_int(g, DT_I64, WATCH_NONE));
    return ir_comp(g, n.rank ? RED_MIN : RED_NONE, 0, n.rank, n.dims, body, n.at);
}

/* ---- the graph ---- */

typedef struct {
    const Graph *from;
    Graph *to;
    Ref *refs, *nan, *inf; /* by node of `from`: its copy, its flags */
    Ref *home;             /* the innermost scan that the flags are still inside of */
    Watched *nodes;
} Watcher;

static bool is_watched(const Node *n) {
    bool value = n->kind == N_COMP || n->kind == N_SCATTER || n->kind == N_RESULT ||
                 (n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY);
    return value && dtype_is_float(n->dtype) && ir_elements(n) > 0;
}

/* The flags of a scan's body leave it as yields; a while has none. */
static void leave_scan(Watcher *w, Ref scan) {
    const Node *s = ir_node(w->from, scan);
    for (Ref r = 1; r < scan; r++) {
        if (w->home[r] != scan || !w->nan[r]) continue;
        w->home[r] = w->home[scan];
        if (s->scan.cond) {
            w->nan[r] = w->inf[r] = 0;
            continue;
        }
        w->nan[r] = ir_stacked(w->to, w->refs[scan], w->nan[r]);
        w->inf[r] = ir_stacked(w->to, w->refs[scan], w->inf[r]);
        w->nodes[r].iterations *= s->scan.extent;
        w->nodes[r].reverse |= s->scan.reverse;
    }
}

Watch watch_graph(Nnc *nnc, const Graph *g) {
    size_t n = g->nodes.len;
    const Ref *homes = ir_homes(g);
    Watcher w = {.from = g,
                 .to = ir_graph_new(nnc),
                 .refs = ARENA_ARRAY(nnc->arena, Ref, n),
                 .nan = ARENA_ARRAY(nnc->arena, Ref, n),
                 .inf = ARENA_ARRAY(nnc->arena, Ref, n),
                 .home = arena_copy(nnc->arena, homes, n * sizeof *homes),
                 .nodes = ARENA_ARRAY(nnc->arena, Watched, n)};
    Watch watch = {.graph = w.to, .nodes = w.nodes};
    w.to->nscans = g->nscans;
    for (Ref r = 1; r < n; r++) {
        w.refs[r] = ir_copy(w.to, g, r, w.refs);
        w.nodes[r].iterations = 1;
        if (is_watched(ir_node(g, r))) {
            w.nan[r] = first_of(w.to, w.refs[r], true);
            w.inf[r] = first_of(w.to, w.refs[r], false);
        }
        if (ir_node(g, r)->kind == N_SCAN) leave_scan(&w, r);
    }
    for (Ref r = 1; r < n; r++) {
        w.nodes[r].result = w.nan[r] ? watch.nresults : -1;
        if (!w.nan[r]) continue;
        ir_output(w.to, OUT_RESULT, watch.nresults++, w.nan[r], NULL);
        ir_output(w.to, OUT_RESULT, watch.nresults++, w.inf[r], NULL);
    }
    return watch;
}

/* ---- values ---- */

Graph *watch_values(Nnc *nnc, const Graph *g, const Ex *body, int n, const int64_t *at, int nvars) {
    Graph *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, g->nodes.len);
    const Aff **map = ARENA_ARRAY(nnc->arena, const Aff *, nvars + 1);
    to->nscans = g->nscans;
    for (int i = 0; i < nvars; i++) map[i] = aff_const(to->affs, at[i]);
    for (Ref r = 1; r < g->nodes.len; r++) refs[r] = ir_copy(to, g, r, refs);
    for (int i = 0; i < n; i++) {
        Ex e = ex_cast(to, DT_F64, ex_copy(to, g, body[i], map, nvars, refs));
        ir_output(to, OUT_RESULT, i, ir_comp(to, RED_NONE, 0, 0, NULL, e, (Span){0}), NULL);
    }
    return ir_compact(to, NULL);
}
