/* pass_simplify: the same values from fewer and smaller nodes.
 *
 * before    any graph
 * after     no dead node; no load of a node that only copies, permutes, slices, pads, repeats or counts, nor (but with
 *           N_GRAD: gradients of reshapes are best found one at a time) reshapes; sums without the points that their
 *           conditions leave out nor factors that don't vary, nor of deviations from their mean; no STOP unless there
 *           is an N_GRAD; then no dims of 1 but in what is moved or taken whole
 * requires  nothing
 * keeps     values but for the rounding of sums, and the zeros of guards (they beat NaN); nodes that gradients are for
 * breaks    the one-to-one map of nodes to the user's expressions (spans and names stay where nodes do) */
#include "compiler/pass/passes.h"
#include "compiler/pass/simplify.h"

#include <string.h>

typedef struct {
    const Graph *from;
    Graph *g; /* under construction */
    Ref *refs;
    Ex *memo;       /* per expression of `from`: the rewritten one */
    bool *barrier;  /* per node of `from`: a gradient is asked for it */
    bool *whole;    /* per node of `from`: an output, or what a loop or a sort takes */
    bool gradients; /* some are asked for */
    Loops *loops;
} Simplify;

static Ex rewrite(Simplify *s, Ex e);

static const Aff *copy_aff(const Simplify *s, const Aff *a) { return aff_subst(s->g->affs, a, NULL, 0); }

static Place *rewrite_place(Simplify *s, const Place *at, int rank) {
    Place *p = ARENA_ARRAY(s->g->nnc->arena, Place, rank);
    for (int r = 0; r < rank; r++) p[r] = (Place){copy_aff(s, at[r].aff), at[r].gather ? rewrite(s, at[r].gather) : 0};
    return p;
}

static Ex rewrite_load(Simplify *s, const Expr *x) {
    Ref to = s->refs[x->load.node];
    const Place *at = rewrite_place(s, x->load.at, x->load.rank);
    Ex through = s->barrier[x->load.node] ? 0 : simplify_load(s->g, to, at, !s->gradients);
    return through ? through : ex_load(s->g, to, at);
}

static Ex rewrite_guard(Simplify *s, const Expr *x) {
    const Cond *conds = conds_copy(s->g, x->guard.at, x->guard.n);
    Ex inside = rewrite(s, x->arg[0]);
    return ex_guard(s->g, x->guard.n, conds, inside, rewrite(s, x->arg[1]));
}

static Ex rewrite_new(Simplify *s, const Expr *x) {
    Graph *g = s->g;
    switch (x->kind) {
    case EX_CONST: return dtype_is_float(x->dtype) ? ex_float(g, x->dtype, x->f) : ex_int(g, x->dtype, x->i);
    case EX_INDEX: return ex_index(g, x->dtype, copy_aff(s, x->index));
    case EX_LOAD: return rewrite_load(s, x);
    case EX_GUARD: return rewrite_guard(s, x);
    case EX_CAST: return ex_cast(g, x->dtype, rewrite(s, x->arg[0]));
    default: break;
    }
    if (x->kind == EX_STOP && !s->gradients) return rewrite(s, x->arg[0]);
    Ex arg[4] = {0};
    for (int i = 0; i < op_info(x->kind)->arity; i++) arg[i] = rewrite(s, x->arg[i]);
    if (x->kind == EX_RANDOM) return ex_random(g, arg[0], arg[1], arg[2], arg[3]);
    return ex_op(g, x->kind, arg[0], arg[1], arg[2]);
}

static Ex rewrite(Simplify *s, Ex e) {
    if (!s->memo[e]) s->memo[e] = rewrite_new(s, ir_expr(s->from, e));
    return s->memo[e];
}

static Ref emit(Simplify *s, const Node *n, int rank, const int64_t *extents, Ex body) {
    if (n->comp.combine == RED_SUM) return simplify_sum(s->g, rank, n->comp.nred, extents, body, !s->gradients, n->at);
    return ir_comp(s->g, n->comp.combine, rank, n->comp.nred, extents, body, n->at);
}

/* What has dims of 1 is the same without them, in another shape: so both are computed once, and what goes on without
 * them has the same rows. */
static Ref emit_narrow(Simplify *s, const Node *n, Ex body) {
    Arena *a = s->g->nnc->arena;
    int rank = 0, nvars = n->rank + n->comp.nred;
    int64_t *extents = ARENA_ARRAY(a, int64_t, nvars + 1);
    const Aff **map = ARENA_ARRAY(a, const Aff *, nvars + 1);
    Place *at = ARENA_ARRAY(a, Place, n->rank + 1);
    for (int d = 0; d < n->rank; d++) {
        map[d] = aff_const(s->g->affs, 0);
        if (n->dims[d] == 1) continue;
        at[rank].aff = aff_var(s->g->affs, d);
        map[d] = aff_var(s->g->affs, rank);
        extents[rank++] = n->dims[d];
    }
    if (rank == n->rank) return emit(s, n, rank, n->comp.extents, body);
    for (int v = n->rank; v < nvars; v++) {
        map[v] = aff_var(s->g->affs, rank + v - n->rank);
        extents[rank + v - n->rank] = n->comp.extents[v];
    }
    Ref narrow = emit(s, n, rank, extents, ex_subst(s->g, body, map, nvars));
    ir_name(s->g, narrow, n->name);
    return ir_comp(s->g, RED_NONE, n->rank, 0, n->comp.extents, ex_load(s->g, narrow, at), n->at);
}

/* Whether nothing is computed: elements are copied, padded, counted. */
static bool moves(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_GUARD) return moves(g, x->arg[0]) && moves(g, x->arg[1]);
    return x->kind == EX_LOAD || x->kind == EX_CONST || x->kind == EX_INDEX;
}

static Ref rewrite_node(Simplify *s, Ref r) {
    const Node *n = ir_node(s->from, r);
    if (n->kind == N_COMP) {
        Ex body = rewrite(s, n->comp.body);
        bool stays = n->comp.combine == RED_NONE && (s->whole[r] || moves(s->g, body));
        return stays || s->gradients ? emit(s, n, n->rank, n->comp.extents, body) : emit_narrow(s, n, body);
    }
    if (n->kind == N_SCATTER) {
        Ex body = rewrite(s, n->scatter.body);
        const Place *place = rewrite_place(s, n->scatter.place, n->rank);
        return ir_scatter(s->g, n->rank, n->dims, place, n->scatter.ndomain, n->scatter.extents, body, n->at);
    }
    return loops_copy(s->loops, s->g, r, s->refs);
}

/* ---- what there is to do ---- */

/* The nodes that outputs reach, and what is known about their gradients. */
static bool *survey(Simplify *s) {
    const Graph *g = s->from;
    bool *live = ARENA_ARRAY(g->nnc->arena, bool, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++)
        if (ir_node(g, r)->kind == N_GRAD) s->barrier[ir_node(g, r)->grad.wrt] = true;
    s->loops = loops_find(g, s->barrier);
    for (size_t i = 0; i < g->outputs.len; i++) live[g->outputs.at[i].node] = s->whole[g->outputs.at[i].node] = true;
    for (Ref r = (Ref)g->nodes.len - 1; r > 0; r--) {
        if (!live[r]) continue;
        NodeKind kind = ir_node(g, r)->kind;
        if (kind != N_COMP && kind != N_SCATTER) ir_mark_uses(g, r, s->whole);
        s->gradients = s->gradients || ir_node(g, r)->kind == N_GRAD;
        Ref again = loops_mark(s->loops, r, live);
        if (again != r) r = again + 1;
    }
    return live;
}

Graph *pass_simplify(Nnc *nnc, const Graph *g) {
    size_t n = g->nodes.len;
    Simplify s = {.from = g, .g = ir_graph_new(nnc)};
    s.refs = ARENA_ARRAY(nnc->arena, Ref, n);
    s.memo = ARENA_ARRAY(nnc->arena, Ex, g->exprs.len);
    s.barrier = ARENA_ARRAY(nnc->arena, bool, n);
    s.whole = ARENA_ARRAY(nnc->arena, bool, n);
    const bool *live = survey(&s);
    for (Ref r = 1; r < n; r++) {
        if (!live[r]) continue;
        s.refs[r] = rewrite_node(&s, r);
        ir_name(s.g, s.refs[r], ir_node(g, r)->name);
    }
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        ir_output(s.g, o->kind, o->slot, s.refs[o->node], o->name);
    }
    return ir_compact(s.g, NULL);
}
