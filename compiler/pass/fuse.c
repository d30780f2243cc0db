#include "compiler/pass/fuse.h"

/* The winner of a search as two plain reductions: the largest value, then the smallest number of a point that has it. */
static Ref expand_search(Graph *to, const Node *n, Ex body) {
    bool largest = n->comp.combine == RED_ARGMAX;
    int total = n->rank + n->comp.nred;
    const int64_t *extents = n->comp.extents;
    if (ir_expr(to, body)->dtype == DT_BOOL) body = ex_cast(to, DT_I32, body);
    Ref best = ir_comp(to, largest ? RED_MAX : RED_MIN, n->rank, n->comp.nred, extents, body, n->at);
    Place *own = ARENA_ARRAY(to->nnc->arena, Place, n->rank + 1);
    for (int d = 0; d < n->rank; d++) own[d].aff = aff_var(to->affs, d);
    const Aff *number = aff_const(to->affs, 0);
    for (int v = n->rank; v < total; v++)
        number = aff_add(to->affs, aff_scale(to->affs, number, extents[v]), aff_var(to->affs, v));
    Ex wins = ex_op(to, EX_EQ, body, ex_load(to, best, own), 0);
    if (dtype_is_float(ir_expr(to, body)->dtype)) wins = ex_op(to, EX_OR, wins, ex_op(to, EX_NE, body, body, 0), 0);
    Ex place = ex_op(to, EX_SELECT, wins, ex_index(to, DT_I32, number), ex_int(to, DT_I32, INT32_MAX));
    return ir_comp(to, RED_MIN, n->rank, n->comp.nred, extents, place, n->at);
}

Graph *pass_fuse(Nnc *nnc, const Graph *g) {
    Graph *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_COMP && (n->comp.combine == RED_ARGMAX || n->comp.combine == RED_ARGMIN))
            refs[r] = expand_search(to, n, ex_copy(to, g, n->comp.body, NULL, 0, refs));
        else
            refs[r] = ir_copy(to, g, r, refs);
    }
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        ir_output(to, o->kind, o->slot, refs[o->node], o->name);
    }
    return ir_compact(to, NULL);
}
