/* Strides undone. The gradient of a convolution with stride s at place y = s*t + p is a product of what was at t, and
 * of the weights of phase p: with t among the rows and p among the outer indices it is s plain convolutions. Where the
 * phase leaves fewer sums, those are all that is added. */
#include "compiler/pass/contraction.h"

typedef struct {
    Graph *g;
    const Node *node;
    const Contraction *c;
    const Aff **map;  /* per variable of the node: over t (in its place) and p */
    int64_t *extents; /* of those: t in the variable's place, the phase of v at nvars + v */
    int nvars;
} Phases;

static const Aff *in_phases(const Phases *p, const Aff *a) {
    AffTable *t = p->g->affs;
    return aff_simplify(t, aff_subst(t, a, p->map, p->nvars), p->extents, 2 * p->nvars);
}

/* Makes variable v s*t + p; with s = 1 it is itself. */
static void take_step(Phases *p, int v, int64_t s) {
    AffTable *t = p->g->affs;
    const Aff *own = aff_var(t, v);
    p->map[v] = s > 1 ? aff_add(t, aff_scale(t, own, s), aff_var(t, p->nvars + v)) : own;
    p->extents[v] = p->node->comp.extents[v] / s;
    p->extents[p->nvars + v] = s;
}

/* ---- which indices have phases ---- */

typedef struct {
    const Phases *p;
    int var;
    int64_t by; /* the divisor of a quotient or remainder of it */
    bool used;  /* once it is t in phases */
} Find;

static void look_at(Find *f, const Aff *a) {
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind != ATOM_VAR && aff_uses(a->terms[i].of, f->var)) f->by = a->terms[i].by;
    f->used |= aff_uses(in_phases(f->p, a), f->var);
}

static void find(const Graph *g, Ex e, void *self) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_INDEX) look_at(self, x->index);
    for (int d = 0; x->kind == EX_LOAD && d < x->load.rank; d++) look_at(self, x->load.at[d].aff);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++) look_at(self, x->guard.at[i].aff);
}

static Find find_in(const Phases *p, Ex e, int var) {
    Find f = {p, var, 1, false};
    ex_walk(p->g, e, find, &f);
    return f;
}

static bool is_zero_guard(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    return x->kind == EX_GUARD && ex_is_zero(g, x->arg[1]);
}

/* Whether a condition around `a` is on the phase of v alone. */
static bool has_own_condition(const Phases *p, int v) {
    const Expr *x = ir_expr(p->g, p->c->a);
    for (int i = 0; is_zero_guard(p->g, p->c->a) && i < x->guard.n; i++)
        if (aff_uses(x->guard.at[i].aff, v) && !aff_uses(in_phases(p, x->guard.at[i].aff), v)) return true;
    return false;
}

/* The stride of output index v: what is left of b, or of a condition, is a matter of its phase. */
static int64_t stride_of(Phases *p, int v) {
    Find a = find_in(p, p->c->a, v), b = find_in(p, p->c->b, v);
    int64_t s = MAX(a.by, b.by);
    if (v == p->c->lane || !a.used || s == 1 || p->extents[v] % s || p->extents[v] == s) return 1;
    take_step(p, v, s);
    if (p->c->b_uses[v] ? !find_in(p, p->c->b, v).used : has_own_condition(p, v)) return s;
    take_step(p, v, 1);
    return 1;
}

/* ---- the sums of a phase ---- */

typedef struct {
    const Phases *p;
    bool all; /* loads stay inside their tensors */
} Inside;

static bool is_outer(const Phases *p, int v) {
    for (int i = 0; i < p->c->nouter; i++)
        if (p->c->outer[i] == v) return true;
    return false;
}

/* Whether a condition, in phases, depends on outer indices alone, but for variable `var`. */
static bool on_outer(const Phases *p, const Aff *a, int var) {
    for (int v = 0; v < p->nvars; v++)
        if (v != var && aff_uses(a, v) && (p->c->step[v] > 1 || !is_outer(p, v))) return false;
    return true;
}

/* The number of the sum that a condition ends, for every choice of outer indices at or before its last; or -1. */
static int sum_that_ends(const Phases *p, const Cond *cond) {
    const Aff *a = in_phases(p, cond->aff), *rest;
    int64_t coef, lo, hi;
    for (int i = 0; i < p->c->nks; i++) {
        int k = p->c->ks[i];
        if (!aff_uses(a, k) || !on_outer(p, a, k) || !aff_split(p->g->affs, a, k, &coef, &rest) || coef < 1) continue;
        if (!aff_range(a, p->extents, 2 * p->nvars, &lo, &hi) || lo < cond->lo) continue;
        if (!aff_range(rest, p->extents, 2 * p->nvars, &lo, &hi)) continue;
        if ((cond->hi - lo + coef - 1) / coef <= p->extents[k]) return i;
    }
    return -1;
}

static bool is_when(const Phases *p, const Cond *cond) { return on_outer(p, in_phases(p, cond->aff), -1); }

static void check_inside(const Graph *g, Ex e, void *self) {
    Inside *in = self;
    const Expr *x = ir_expr(g, e);
    for (int d = 0; x->kind == EX_LOAD && d < x->load.rank; d++) {
        const Aff *at = in_phases(in->p, x->load.at[d].aff);
        int64_t lo, hi;
        in->all &= aff_range(at, in->p->extents, 2 * in->p->nvars, &lo, &hi) && lo >= 0 &&
                   hi < ir_node(g, x->load.node)->dims[d];
    }
}

/* For what part of its points a condition holds on sum k (-1: none) and on one outer index or phase, which is all that
 * such conditions have. */
static double share(const Phases *p, const Cond *cond, int k) {
    const Aff *a = in_phases(p, cond->aff);
    int64_t *at = ARENA_ARRAY(p->g->nnc->arena, int64_t, 2 * p->nvars), sums = k < 0 ? 1 : p->extents[k], held = 0;
    int var = 0;
    while (var < 2 * p->nvars && (var == k || !aff_uses(a, var))) var++;
    if (var == 2 * p->nvars) return 1;
    for (int64_t i = 0; i < p->extents[var] * sums; i++) {
        if (k >= 0) at[k] = i % sums;
        at[var] = i / sums;
        int64_t value = aff_eval(a, at);
        held += value >= cond->lo && value < cond->hi;
    }
    return (double)held / (double)(p->extents[var] * sums);
}

/* ---- bands ---- */

static void add_band(Phases *p, Contraction *c, bool upper, int sign, const Aff *rest, int64_t shift) {
    rest = aff_add(p->g->affs, aff_scale(p->g->affs, rest, sign), aff_const(p->g->affs, shift));
    c->bands[c->nbands++] = (Band){upper, sign, rest};
}

/* A condition lo <= x*row + y*k + rest < hi with x and y 1 or -1, as bounds of the sums of each row. */
static bool take_band(Phases *p, Contraction *c, const Cond *cond) {
    int64_t x, y, least, most;
    const Aff *rest;
    if (!aff_range(cond->aff, p->node->comp.extents, p->nvars, &least, &most)) return false;
    bool below = most >= cond->hi, above = least < cond->lo;
    int sides = below + above;
    if (c->nrows != 1 || c->nks != 1 || c->step[c->rows[0]] > 1 || c->nbands + sides > 2) return false;
    if (!aff_split(p->g->affs, cond->aff, c->rows[0], &x, &rest) || (x != 1 && x != -1)) return false;
    if (!aff_split(p->g->affs, rest, c->ks[0], &y, &rest) || (y != 1 && y != -1) || !on_outer(p, rest, -1))
        return false;
    int sign = y > 0 ? -1 : 1; /* of rest, and times x of row: y*k < hi - x*row - rest */
    int first = c->nbands;
    if (below) add_band(p, c, y > 0, sign, rest, y > 0 ? cond->hi : 1 - cond->hi);
    if (above) add_band(p, c, y < 0, sign, rest, y > 0 ? cond->lo : 1 - cond->lo);
    for (int i = first; i < c->nbands; i++) c->bands[i].sign = sign * (int)x;
    return true;
}

/* ---- conditions ---- */

enum { SAMPLES = 64 };

/* For what part of indices u and v a condition holds, other indices being 0. */
static double share_of_two(const Phases *p, const Cond *cond, int u, int v) {
    int64_t *at = ARENA_ARRAY(p->g->nnc->arena, int64_t, 2 * p->nvars), held = 0;
    for (int64_t i = 0; i < SAMPLES * SAMPLES; i++) {
        at[u] = (2 * (i / SAMPLES) + 1) * p->extents[u] / (2 * SAMPLES);
        at[v] = (2 * (i % SAMPLES) + 1) * p->extents[v] / (2 * SAMPLES);
        int64_t value = aff_eval(cond->aff, at);
        held += value >= cond->lo && value < cond->hi;
    }
    return (double)held / (SAMPLES * SAMPLES);
}

/* Finds the conditions on outer indices and on ends of sums around an operand; what is left of it without them, unless
 * they are what keeps it inside its tensors. */
static Ex take_conditions(Phases *p, Contraction *c, Ex e) {
    if (!is_zero_guard(p->g, e)) return e;
    const Expr x = *ir_expr(p->g, e);
    Cond *rest = ARENA_ARRAY(p->g->nnc->arena, Cond, x.guard.n);
    int n = 0;
    for (int i = 0; i < x.guard.n; i++) {
        int sum = sum_that_ends(p, &x.guard.at[i]);
        if (sum >= 0 && !c->ends[sum]) {
            c->ends[sum] = &x.guard.at[i];
            c->share *= share(p, &x.guard.at[i], c->ks[sum]);
        } else if (is_when(p, &x.guard.at[i])) {
            c->when[c->nwhen++] = x.guard.at[i];
            c->share *= share(p, &x.guard.at[i], -1);
        } else if (take_band(p, c, &x.guard.at[i])) {
            c->share *= share_of_two(p, &x.guard.at[i], c->rows[0], c->ks[0]);
        } else {
            rest[n++] = x.guard.at[i];
        }
    }
    Inside in = {p, true};
    ex_walk(p->g, x.arg[0], check_inside, &in);
    if (!in.all) return e;
    return n ? ex_guard(p->g, n, rest, x.arg[0], x.arg[1]) : x.arg[0];
}

/* ---- all together ---- */

static void sort_outputs(const Phases *p, Contraction *c, const int64_t *step) {
    Arena *a = p->g->nnc->arena;
    int *rows = ARENA_ARRAY(a, int, p->node->rank + 1), *outer = ARENA_ARRAY(a, int, p->node->rank + 1);
    int nrows = 0, nouter = 0;
    c->m = 1;
    for (int v = 0; v < p->node->rank; v++) {
        if (v == c->lane) continue;
        bool apart = is_outer(p, v);
        if (!apart || step[v] > 1) c->m *= p->extents[rows[nrows++] = v];
        if (apart || step[v] > 1) outer[nouter++] = v;
    }
    c->rows = rows;
    c->nrows = nrows;
    c->outer = outer;
    c->nouter = nouter;
    c->step = step;
}

static int conditions(const Graph *g, Ex e) { return ir_expr(g, e)->kind == EX_GUARD ? ir_expr(g, e)->guard.n : 0; }

void contraction_phases(Graph *g, Ref r, Contraction *c) {
    const Node *n = ir_node(g, r);
    Arena *a = g->nnc->arena;
    int nvars = n->rank + n->comp.nred;
    Phases p = {g, n, c, ARENA_ARRAY(a, const Aff *, nvars + 1), ARENA_ARRAY(a, int64_t, 2 * nvars + 1), nvars};
    int64_t *step = ARENA_ARRAY(a, int64_t, n->rank + 1);
    for (int v = 0; v < nvars; v++) take_step(&p, v, 1);
    for (int v = 0; v < n->rank; v++) step[v] = stride_of(&p, v);
    sort_outputs(&p, c, step);
    c->ends = ARENA_ARRAY(a, const Cond *, c->nks + 1);
    c->when = ARENA_ARRAY(a, Cond, conditions(g, c->a) + conditions(g, c->b) + 1);
    c->share = 1;
    c->a = take_conditions(&p, c, c->a);
    for (int i = 0; i < c->nwhere && c->nrows == 1; i++)
        c->share *= share_of_two(&p, &c->where[i], c->rows[0], c->lane);
    take_conditions(&p, c, c->b); /* b keeps them: all of it is packed at once */
}
