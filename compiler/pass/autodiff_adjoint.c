#include "compiler/pass/autodiff.h"
#include "compiler/pass/solve.h"

#include <string.h>

/* The data of a row, in a type that an index expression may have. */
static Ex row_data(Graph *g, Ex gather) {
    DType t = ir_expr(g, gather)->dtype;
    return t == DT_I32 || t == DT_I64 ? gather : ex_cast(g, DT_I32, gather);
}

/* j_r = aff + gather for one row of the load's place, as a truth value */
static Ex row_matches(Graph *g, const Place *row, const Aff *const *map, int n, int r) {
    Ex data = row_data(g, ex_subst(g, row->gather, map, n));
    const Aff *want = aff_sub(g->affs, aff_var(g->affs, r), aff_subst(g->affs, row->aff, map, n));
    return ex_op(g, EX_EQ, data, ex_index(g, ir_expr(g, data)->dtype, want), 0);
}

/* The load's rows of known index solved for the body's variables: over the tensor's indices 0 .. rank-1 first. */
static Solution solve_place(Graph *g, const Node *tensor, const Place *at, int n, const int64_t *extents) {
    int rank = tensor->rank, nrows = 0;
    Arena *a = g->nnc->arena;
    int64_t *all = ARENA_ARRAY(a, int64_t, rank + n);
    memcpy(all, tensor->dims, sizeof *all * (size_t)rank);
    memcpy(all + rank, extents, sizeof *all * (size_t)n);
    const Aff **shift = ARENA_ARRAY(a, const Aff *, n), **rows = ARENA_ARRAY(a, const Aff *, rank);
    for (int v = 0; v < n; v++) shift[v] = aff_var(g->affs, rank + v);
    for (int r = 0; r < rank; r++)
        if (!at[r].gather)
            rows[nrows++] = aff_sub(g->affs, aff_subst(g->affs, at[r].aff, shift, n), aff_var(g->affs, r));
    return solve_rows(g->affs, a, rank, n, all, nrows, rows);
}

/* out[place(q)] += value(q). Where the conditions fail, nothing is added, at an index that is surely in range. */
static Ref scatter(Graph *g, const Node *tensor, const Partial *p, const Place *at, int n, const int64_t *extents,
                   Span span) {
    Ex value = ex_guard(g, p->nconds, p->conds, p->value, ex_zero(g, tensor->dtype));
    Place *place = arena_copy(g->nnc->arena, at, sizeof *at * (size_t)tensor->rank);
    for (int r = 0; r < tensor->rank && p->nconds; r++) {
        Ex data = place[r].gather ? row_data(g, place[r].gather) : ex_int(g, DT_I32, 0);
        DType t = ir_expr(g, data)->dtype;
        Ex index = ex_op(g, EX_ADD, data, ex_index(g, t, place[r].aff), 0);
        place[r] = (Place){aff_const(g->affs, 0), ex_guard(g, p->nconds, p->conds, index, ex_int(g, t, 0))};
    }
    return ir_scatter(g, tensor->rank, tensor->dims, place, n, extents, value, span);
}

/* dT[j] += sum over q with place(q) = j of value(q): solved for q it is a gather. Rows that data decides become an
 * equality of data where the others fix all of q (picking a class), and a scatter where they do not (looking up a
 * table). */
Ref autodiff_adjoint(Graph *g, const Partial *p, int n, const int64_t *extents, Span at) {
    const Expr load = *ir_expr(g, p->load);
    const Node tensor = *ir_node(g, load.load.node);
    bool by_data = false;
    for (int r = 0; r < tensor.rank; r++) by_data = by_data || load.load.at[r].gather;
    Solution s = solve_place(g, &tensor, load.load.at, n, extents);
    if (by_data && s.nvars > tensor.rank) return scatter(g, &tensor, p, load.load.at, n, extents, at);

    Ex zero = ex_zero(g, tensor.dtype);
    if (s.never) return ir_comp(g, RED_NONE, tensor.rank, 0, tensor.dims, zero, at);
    Ex value = ex_subst(g, p->value, s.unknown, n);
    for (int r = 0; r < tensor.rank; r++)
        if (load.load.at[r].gather)
            value = ex_op(g, EX_SELECT, row_matches(g, &load.load.at[r], s.unknown, n, r), value, zero);
    Cond *conds = ARENA_ARRAY(g->nnc->arena, Cond, s.nconds + p->nconds);
    if (s.nconds) memcpy(conds, s.conds, sizeof *conds * (size_t)s.nconds);
    for (int i = 0; i < p->nconds; i++) {
        conds[s.nconds + i] = p->conds[i];
        conds[s.nconds + i].aff = aff_subst(g->affs, p->conds[i].aff, s.unknown, n);
    }
    value = ex_guard(g, s.nconds + p->nconds, conds, value, zero);
    return ir_comp(g, s.nvars > tensor.rank ? RED_SUM : RED_NONE, tensor.rank, s.nvars - tensor.rank, s.extents, value,
                   at);
}
