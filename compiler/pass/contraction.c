#include "compiler/pass/contraction.h"

enum {
    FACTORS = 8,
    SMALLEST = 2048, /* multiplications; below this a row kernel does as well */
    SHORTEST = 4,    /* of rows, lanes and sums */
    FEW = 8,         /* rows up to which reading a large b is most of the time */
    LARGE = 1 << 17, /* elements of such a b: it comes from the second cache or from farther away */
    WIDE = 64        /* its fewest lanes */
};

typedef struct {
    Ex e;
    bool *uses; /* per variable */
} Factor;

const Aff *place_offset(Graph *g, Ref r, const Place *at) {
    const Node *n = ir_node(g, r);
    const Aff *sum = aff_const(g->affs, 0);
    int64_t step = 1;
    for (int d = n->rank - 1; d >= 0; d--) {
        sum = aff_add(g->affs, sum, aff_scale(g->affs, at[d].aff, step));
        step *= n->dims[d];
    }
    return sum;
}

const Aff *load_offset(Graph *g, const Expr *x, const int64_t *extents, int nvars) {
    return aff_simplify(g->affs, place_offset(g, x->load.node, x->load.at), extents, nvars);
}

static const Aff *offset_in(Graph *g, const Node *n, const Expr *x) {
    return load_offset(g, x, n->comp.extents, n->rank + n->comp.nred);
}

bool is_plain_load(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return false;
    for (int d = 0; d < x->load.rank; d++)
        if (x->load.at[d].gather) return false;
    return true;
}

typedef struct {
    Graph *g;
    const Node *n;
    int var;
    int64_t most;
} Stride;

static void find_stride(const Graph *g, Ex e, void *self) {
    Stride *s = self;
    const Expr *x = ir_expr(g, e);
    int64_t coef;
    const Aff *rest;
    if (x->kind != EX_LOAD) return;
    for (int d = 0; d < x->load.rank; d++)
        if (x->load.at[d].gather && load_stride(s->g, s->n, x->load.at[d].gather, s->var)) s->most = INT64_MAX;
    if (!aff_split(s->g->affs, offset_in(s->g, s->n, x), s->var, &coef, &rest))
        s->most = INT64_MAX;
    else
        s->most = MAX(s->most, coef < 0 ? -coef : coef);
}

int64_t load_stride(Graph *g, const Node *n, Ex e, int var) {
    Stride s = {g, n, var, 0};
    ex_walk(g, e, find_stride, &s);
    return s.most;
}

/* ---- factors ---- */

/* The factors of `e` from number n on, fewer than `most` in all; what is after the last one. */
static int split_factors(Graph *g, Ex e, Factor *to, int n, int most) {
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_MUL || n + 1 >= most) {
        to[n] = (Factor){.e = e};
        return n + 1;
    }
    Ex right = x->arg[1];
    n = split_factors(g, x->arg[0], to, n, most - 1);
    return split_factors(g, right, to, n, most);
}

/* ---- guards ---- */

typedef struct {
    Graph *g;
    const Expr *guard;
    const int64_t *extents;
    int nvars;
    bool inside; /* no load of the factor can leave its tensor */
    bool known;  /* which conditions keep it inside: they are on the places themselves */
    bool *keep;  /* per condition: it is one of those */
} Range;

/* Whether the condition keeps a place, or its negative, within 0 .. dim-1. */
static bool keeps(const Range *r, const Cond *c, const Aff *at, int64_t dim) {
    AffTable *t = r->g->affs;
    int64_t k;
    if (aff_is_const(aff_sub(t, c->aff, at), &k)) return c->lo - k >= 0 && c->hi - k <= dim;
    if (aff_is_const(aff_add(t, c->aff, at), &k)) return k - c->hi + 1 >= 0 && k - c->lo < dim;
    return false;
}

static void check_range(const Graph *g, Ex e, void *self) {
    Range *r = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    for (int d = 0; d < x->load.rank; d++) {
        int64_t lo, hi, dim = ir_node(g, x->load.node)->dims[d];
        bool known = aff_range(x->load.at[d].aff, r->extents, r->nvars, &lo, &hi), kept = false;
        if (x->load.at[d].gather || (known && lo >= 0 && hi < dim)) continue;
        r->inside = false;
        for (int i = 0; i < r->guard->guard.n; i++)
            if (keeps(r, &r->guard->guard.at[i], x->load.at[d].aff, dim)) kept = r->keep[i] = true;
        r->known &= kept;
    }
}

static bool uses_all(const Factor *f, const Aff *a, int nvars) {
    for (int v = 0; v < nvars; v++)
        if (aff_uses(a, v) && !f->uses[v]) return false;
    return true;
}

/* The conditions that no factor has the indices of: on the result alone, where no factor may need them. */
static bool keep_where(Graph *g, const Node *n, const Expr *guard, const bool *placed, bool inside, Contraction *c) {
    c->where = ARENA_ARRAY(g->nnc->arena, Cond, guard->guard.n);
    for (int i = 0; i < guard->guard.n; i++) {
        if (placed[i]) continue;
        for (int v = n->rank; v < n->rank + n->comp.nred; v++)
            if (aff_uses(guard->guard.at[i].aff, v)) return false;
        c->where[c->nwhere++] = guard->guard.at[i];
    }
    return inside || !c->nwhere;
}

/* Moves the conditions around a product, guard(c ? a * b : 0), to the factors: to those that need them to stay inside
 * their tensors, or else to the first that has their indices. */
static bool move_conditions(Graph *g, const Node *n, const Expr *guard, Factor *f, int nf, Contraction *to) {
    int nvars = n->rank + n->comp.nred;
    Cond *kept = ARENA_ARRAY(g->nnc->arena, Cond, guard->guard.n);
    bool *placed = ARENA_ARRAY(g->nnc->arena, bool, guard->guard.n), inside = true;
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < nf; i++) {
            Range r = {g, guard, n->comp.extents, nvars, true, true, ARENA_ARRAY(g->nnc->arena, bool, guard->guard.n)};
            int count = 0;
            ex_walk(g, f[i].e, check_range, &r);
            if (!turn) inside = inside && r.inside;
            for (int c = 0; c < guard->guard.n; c++) {
                bool wanted = turn ? !placed[c] : !r.inside && (!r.known || r.keep[c]);
                if (!wanted || !uses_all(&f[i], guard->guard.at[c].aff, nvars)) continue;
                kept[count++] = guard->guard.at[c];
                placed[c] = true;
            }
            if (count) f[i].e = ex_guard(g, count, kept, f[i].e, ex_zero(g, n->dtype));
        }
    return keep_where(g, n, guard, placed, inside, to);
}

static int count(const bool *uses, int n) {
    int c = 0;
    for (int v = 0; v < n; v++) c += uses[v];
    return c;
}

static bool within(const bool *a, const bool *b, int n) {
    for (int v = 0; v < n; v++)
        if (a[v] && !b[v]) return false;
    return true;
}

/* The factor with the most indices, of those that have some that `but` has not, unless `all` are looked at; -1. */
static int most_uses(const Factor *f, int n, int nvars, int but, bool all) {
    int most = -1;
    for (int i = 0; i < n; i++) {
        if (i == but || (!all && within(f[i].uses, f[but].uses, nvars))) continue;
        if (most < 0 || count(f[i].uses, nvars) > count(f[most].uses, nvars)) most = i;
    }
    return most;
}

/* Gathers the factors into two: each joins a side that already uses its indices. Where one factor has all indices, as
 * the matrix has in its product with a vector, the other side is what has the most of the rest. */
static bool two_sides(Graph *g, Factor *f, int n, int nvars, Factor *a, Factor *b) {
    int first = most_uses(f, n, nvars, -1, true), second = most_uses(f, n, nvars, first, false);
    bool matrix = second < 0;
    if (matrix) second = most_uses(f, n, nvars, first, true);
    *a = f[first];
    *b = f[second];
    for (int i = 0; i < n; i++) {
        if (i == first || i == second) continue;
        bool fits_a = within(f[i].uses, a->uses, nvars), fits_b = within(f[i].uses, b->uses, nvars);
        Factor *side = fits_a && !(matrix && fits_b) ? a : fits_b ? b : NULL;
        if (!side) return false;
        side->e = ex_op(g, EX_MUL, side->e, f[i].e, 0);
    }
    return true;
}

/* ---- indices ---- */

static bool unit_along(Graph *g, const Node *n, Ex e, int var) {
    const Aff *rest;
    int64_t coef;
    if (!is_plain_load(g, e)) return false;
    return aff_split(g->affs, offset_in(g, n, ir_expr(g, e)), var, &coef, &rest) && coef == 1;
}

typedef struct {
    const Ref *home;
    Ref scan;
    bool fixed;
} Fixed;

static void check_fixed(const Graph *g, Ex e, void *self) {
    Fixed *f = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_LOAD) f->fixed &= f->home[x->load.node] != f->scan;
}

/* Whether node r is part of the body of a scan, whose iterations do not change `e`: it is packed once for all. */
static bool is_fixed(Graph *g, Ref r, const Ref *home, Ex e) {
    Fixed f = {home, home[r], true};
    ex_walk(g, e, check_fixed, &f);
    return f.scan && f.fixed;
}

/* How well output index `var`, which only operand `e` uses, would do as lanes for `m` rows and `k` sums. What isn't
 * consecutive along it is packed number by number, which takes about as long as some rows of products; results that are
 * not are stored one by one, as long as some sums. */
static double lane_score(Graph *g, const Node *n, Ex e, bool fixed, int var, double m, double k) {
    const double packing = 32, scattering = 64;
    int64_t extent = n->comp.extents[var];
    double used = (double)extent / (double)((extent + 7) / 8 * 8);
    if (extent < SHORTEST) return 0;
    if (!fixed && !unit_along(g, n, e, var)) used *= m / (m + packing);
    return var == n->rank - 1 ? used : used * MIN(0.8, k / (k + scattering));
}

/* The output indices that `a` uses and `b` doesn't, as one number. */
static double rows_of(const Node *n, const Factor *a, const Factor *b) {
    double m = 1;
    for (int v = 0; v < n->rank; v++)
        if (a->uses[v] && !b->uses[v]) m *= (double)n->comp.extents[v];
    return m;
}

static bool choose_lane(Graph *g, Ref r, const Ref *home, Contraction *c, const Factor *a, const Factor *b) {
    const Node *n = ir_node(g, r);
    double best = 0, k = 1;
    for (int v = n->rank; v < n->rank + n->comp.nred; v++) k *= (double)n->comp.extents[v];
    c->lane = -1;
    for (int side = 0; side < 2; side++) {
        const Factor *own = side ? b : a, *other = side ? a : b;
        bool fixed = is_fixed(g, r, home, own->e);
        for (int v = 0; v < n->rank; v++) {
            if (!own->uses[v] || other->uses[v]) continue;
            double score = lane_score(g, n, own->e, fixed, v, rows_of(n, other, own), k);
            if (score <= best) continue;
            best = score;
            c->lane = v;
            c->a = other->e;
            c->b = own->e;
        }
    }
    return c->lane >= 0;
}

/* The reduction indices, those along which a's neighbours are nearest last. */
static const int *sort_sums(Graph *g, const Node *n, Ex a) {
    int *ks = ARENA_ARRAY(g->nnc->arena, int, n->comp.nred);
    int64_t *strides = ARENA_ARRAY(g->nnc->arena, int64_t, n->comp.nred);
    for (int i = 0; i < n->comp.nred; i++) {
        int64_t stride = load_stride(g, n, a, n->rank + i);
        int k = i;
        for (; k > 0 && strides[k - 1] < stride; k--) {
            strides[k] = strides[k - 1];
            ks[k] = ks[k - 1];
        }
        strides[k] = stride;
        ks[k] = n->rank + i;
    }
    return ks;
}

static void sort_indices(Graph *g, const Node *n, Contraction *c, const Factor *a, const Factor *b) {
    int *rows = ARENA_ARRAY(g->nnc->arena, int, n->rank + 1), *outer = ARENA_ARRAY(g->nnc->arena, int, n->rank + 1);
    const bool *row_side = c->a == a->e ? a->uses : b->uses, *lane_side = c->a == a->e ? b->uses : a->uses;
    c->m = c->k = 1;
    for (int v = 0; v < n->rank; v++) {
        if (v == c->lane) continue;
        if (row_side[v] && !lane_side[v])
            c->m *= n->comp.extents[rows[c->nrows++] = v];
        else
            outer[c->nouter++] = v;
    }
    for (int v = n->rank; v < n->rank + n->comp.nred; v++) c->k *= n->comp.extents[v];
    c->nks = n->comp.nred;
    c->ks = sort_sums(g, n, c->a);
    c->a_uses = row_side;
    c->b_uses = lane_side;
    c->n = n->comp.extents[c->lane];
    c->rows = rows;
    c->outer = outer;
}

/* Whether the time goes into reading b once, which lies in memory row by row of lanes. */
static bool streams(const Graph *g, const Contraction *c) {
    if (!c->unit || c->m > FEW || c->n < WIDE) return false;
    return ir_elements(ir_node(g, ir_expr(g, c->b)->load.node)) >= LARGE;
}

bool contraction_of(Graph *g, Ref r, const Ref *home, Contraction *c) {
    const Node *n = ir_node(g, r);
    Factor f[FACTORS], a, b;
    *c = (Contraction){0};
    if (n->kind != N_COMP || n->comp.combine != RED_SUM || (n->dtype != DT_F32 && n->dtype != DT_F64)) return false;
    const Expr body = *ir_expr(g, n->comp.body);
    bool guarded = body.kind == EX_GUARD && ex_is_zero(g, body.arg[1]);
    int nvars = n->rank + n->comp.nred, nf = split_factors(g, guarded ? body.arg[0] : n->comp.body, f, 0, FACTORS);
    if (nf < 2) return false;
    for (int i = 0; i < nf; i++) {
        f[i].uses = ARENA_ARRAY(g->nnc->arena, bool, nvars + 1);
        ex_used(g, f[i].e, f[i].uses, nvars);
    }
    if (guarded && !move_conditions(g, n, &body, f, nf, c)) return false;
    if (!two_sides(g, f, nf, nvars, &a, &b)) return false;
    for (int v = n->rank; v < nvars; v++)
        if (!a.uses[v] || !b.uses[v]) return false;
    if (!choose_lane(g, r, home, c, &a, &b)) return false;
    sort_indices(g, n, c, &a, &b);
    c->unit = unit_along(g, n, c->b, c->lane);
    c->streams = streams(g, c);
    return (c->m >= SHORTEST || c->streams) && c->k >= SHORTEST && c->m * c->n * c->k >= SMALLEST;
}
