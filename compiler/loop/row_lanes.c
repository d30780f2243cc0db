/* Where the lanes of a row kernel come from: along the rows (an element-wise map, a column reduction), or along the
 * inside of each row (a softmax, a row sum). */
#include "compiler/loop/row.h"
#include "compiler/pass/contraction.h"

#include <math.h>

/* ---- the cost of a vector along one variable ---- */

typedef struct {
    Builder *b;
    const Node *n;
    int var;
    int width;
    double cost;
} Along;

static bool gathers_along(const Graph *g, Ex e, int var) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_INDEX) return aff_uses(x->index, var);
    if (x->kind == EX_LOAD) {
        for (int d = 0; d < x->load.rank; d++)
            if (aff_uses(x->load.at[d].aff, var) ||
                (x->load.at[d].gather && gathers_along(g, x->load.at[d].gather, var)))
                return true;
        return false;
    }
    for (int i = 0; i < 4; i++)
        if (x->arg[i] && gathers_along(g, x->arg[i], var)) return true;
    return false;
}

/* What reading or writing a vector whose elements are at `at` costs, beside one at consecutive places: 1. */
static double access_cost(const Along *a, Ref r, const Place *at) {
    AffTable *t = a->b->affs;
    double apart = 1 + a->width * 0.75;
    for (int d = 0; d < ir_node(a->b->g, r)->rank; d++)
        if (at[d].gather && gathers_along(a->b->g, at[d].gather, a->var)) return apart;
    const Aff *offset = place_offset(a->b->g, r, at), *rest;
    int64_t coef;
    offset = aff_simplify(t, offset, a->n->comp.extents, a->n->rank + a->n->comp.nred);
    if (!aff_split(t, offset, a->var, &coef, &rest)) return apart;
    return coef == 0 ? 0.25 : coef == 1 ? 1 : apart;
}

static void along_load(const Graph *g, Ex e, void *self) {
    Along *a = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_LOAD) a->cost += access_cost(a, x->load.node, x->load.at);
}

/* Vector instructions an element of node r where lanes run along variable `var` of `extent`; -1: no lanes. */
static double cost_along(Rows *r, Ref m, int var, int64_t extent, int width) {
    Builder *b = r->b;
    const Node *n = ir_node(b->g, m);
    double work = loop_cost(b->g, n->comp.body) + 1;
    if (var < 0 || extent < 2) return work;
    Along a = {b, n, var, width, 0};
    ex_walk(b->g, n->comp.body, along_load, &a);
    if (var < n->rank) { /* the store, once for each output point */
        double stores = 1;
        for (int i = n->rank; i < n->rank + n->comp.nred; i++) stores *= (double)n->comp.extents[i];
        Place *own = ARENA_ARRAY(b->arena, Place, n->rank);
        for (int d = 0; d < n->rank; d++) own[d].aff = aff_var(b->affs, d);
        a.cost += access_cost(&a, m, own) / stores;
    } else {
        a.cost += 2 * log2(width) / (double)extent; /* folding the lanes */
    }
    double vectors = (double)((extent + width - 1) / width);
    return (work + a.cost) * vectors / (double)extent;
}

static double points(const Node *n) {
    double p = 1;
    for (int i = 0; i < n->rank + n->comp.nred; i++) p *= (double)n->comp.extents[i];
    return p;
}

/* ---- inside the row ---- */

static double stage_cost(Rows *r, const Stage *s, int var) {
    double cost = 0;
    for (int i = 0; i < s->nmembers; i++) {
        const Node *n = ir_node(r->b->g, s->members[i]);
        cost += points(n) * cost_along(r, s->members[i], var < 0 ? -1 : r->group->nrow + var,
                                       var < 0 ? 1 : s->space[var], r->width);
    }
    return cost;
}

int rows_inner(Rows *r, const Stage *s) {
    int best = -1;
    double least = stage_cost(r, s, -1);
    for (int v = s->nspace - 1; v >= 0; v--) {
        double cost = s->space[v] > 1 ? stage_cost(r, s, v) : least;
        if (cost < least) least = cost, best = v;
    }
    return best;
}

static double inside_cost(Rows *r) {
    double cost = 0;
    for (int i = 0; i < r->nstages; i++) cost += stage_cost(r, &r->stages[i], rows_inner(r, &r->stages[i]));
    return cost;
}

/* ---- along the rows ---- */

static double across_cost(Rows *r, int dim) {
    double cost = 0;
    for (int i = 0; i < r->group->nmembers; i++) {
        const Node *n = ir_node(r->b->g, r->group->members[i]);
        cost += points(n) * cost_along(r, r->group->members[i], dim, n->dims[dim], r->width);
    }
    return cost;
}

typedef struct {
    Builder *b;
    const Aff *const *map;
    const int64_t *extents;
    int nvars;
    bool plain;
} Merge;

static int broken(const Aff *a) {
    int n = 0;
    for (int i = 0; i < a->nterms; i++) n += a->terms[i].kind != ATOM_VAR;
    return n;
}

static bool stays_plain(const Merge *m, const Aff *a) {
    const Aff *to = aff_simplify(m->b->affs, aff_subst(m->b->affs, a, m->map, m->nvars - 1), m->extents, m->nvars);
    return broken(to) <= broken(a);
}

static void merge_expr(const Graph *g, Ex e, void *self) {
    Merge *m = self;
    const Expr *x = ir_expr(g, e);
    if (!m->plain) return;
    if (x->kind == EX_INDEX) m->plain = stays_plain(m, x->index);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++)
        m->plain = m->plain && stays_plain(m, x->guard.at[i].aff);
    if (x->kind == EX_LOAD) m->plain = m->plain && stays_plain(m, place_offset(m->b->g, x->load.node, x->load.at));
}

/* Whether the row dims from `first` on act as one: nothing that node r reads needs their quotients. */
static bool merges(Rows *r, Ref ref, int first) {
    Builder *b = r->b;
    const Node *n = ir_node(b->g, ref);
    int nvars = n->rank + n->comp.nred + 1, last = r->group->nrow;
    const Aff **map = ARENA_ARRAY(b->arena, const Aff *, nvars);
    int64_t *extents = ARENA_ARRAY(b->arena, int64_t, nvars), flat = 1;
    for (int v = 0; v < nvars - 1; v++) {
        extents[v] = n->comp.extents[v];
        map[v] = aff_var(b->affs, v);
    }
    for (int d = last - 1; d >= first; d--) {
        const Aff *q = aff_div(b->affs, aff_var(b->affs, nvars - 1), flat);
        map[d] = d > first ? aff_mod(b->affs, q, n->dims[d]) : q;
        flat *= n->dims[d];
    }
    extents[nvars - 1] = flat;
    Merge m = {b, map, extents, nvars, true};
    ex_walk(b->g, n->comp.body, merge_expr, &m);
    return m.plain;
}

static void merge_rows(Rows *r) {
    for (int first = r->end_lane - 2; first >= 0; first--) {
        for (int i = 0; i < r->group->nmembers; i++)
            if (!merges(r, r->group->members[i], first)) return;
        r->first_lane = first;
    }
}

static void take_rows(Rows *r, int dim) {
    const int64_t *dims = ir_node(r->b->g, r->group->members[0])->dims;
    r->across = true;
    r->first_lane = dim;
    r->end_lane = dim + 1;
    if (r->end_lane == r->group->nrow) merge_rows(r);
    r->lanes = 1;
    for (int d = r->first_lane; d < r->end_lane; d++) r->lanes *= dims[d];
}

/* Whether a member has several results in a row, or is a reduction with loops of its own. */
static bool has_extras(const Rows *r) {
    for (int i = 0; i < r->nstages; i++)
        if (r->stages[i].alone) return true;
    for (int i = 0; i < r->group->nmembers; i++) {
        const Node *n = ir_node(r->b->g, r->group->members[i]);
        for (int d = r->group->nrow; d < n->rank; d++)
            if (n->dims[d] > 1) return true;
    }
    return false;
}

void rows_lanes(Rows *r) {
    r->width = loop_lanes(r->b, r->widest);
    if (r->group->nrow == 0 || has_extras(r)) return;
    double least = inside_cost(r);
    int best = -1;
    for (int d = r->group->nrow - 1; d >= 0; d--) {
        double cost = across_cost(r, d);
        if (cost < least) least = cost, best = d;
    }
    if (best >= 0) take_rows(r, best);
}
