#include "compiler/pass/contraction.h"
#include "compiler/pass/simplify.h"
#include "compiler/pass/solve.h"

#include <math.h>

/* sum over the reduction indices, where the conditions hold, of value */
typedef struct {
    int rank, nred;
    const int64_t *extents;
    VEC(Cond) conds;
    Ex value;
    bool through; /* nodes may be looked into: no gradient is asked for any */
} Sum;

/* lo <= i - j + c < hi, or with a plus: the triangles and bands of matrices. */
static bool is_band(const Aff *a) {
    if (a->nterms != 2) return false;
    for (int i = 0; i < 2; i++)
        if (a->terms[i].kind != ATOM_VAR || (a->terms[i].coef != 1 && a->terms[i].coef != -1)) return false;
    return true;
}

/* What is loaded is zero outside of a band: that is a guard of the load. */
static void add_bands(Graph *g, const Expr *load, Sum *s) {
    const Node *n = ir_node(g, load->load.node);
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, n->rank + 1);
    if (n->kind != N_COMP || n->comp.combine != RED_NONE) return;
    const Expr *x = ir_expr(g, n->comp.body);
    if (x->kind != EX_GUARD || !ex_is_zero(g, x->arg[1])) return;
    for (int d = 0; d < n->rank; d++) {
        int var;
        if (load->load.at[d].gather || !aff_is_var(load->load.at[d].aff, &var)) return;
        map[d] = load->load.at[d].aff;
    }
    for (int i = 0; i < x->guard.n; i++) {
        const Cond *c = &x->guard.at[i];
        if (is_band(c->aff)) vec_push(&s->conds, ((Cond){aff_subst(g->affs, c->aff, map, n->rank), c->lo, c->hi}));
    }
}

/* Moves the guards of factors to the front: guard(c, a, 0) * b => guard(c, a * b, 0). What a guard leaves out is a zero
 * of the structure, not of the data: it stays zero beside an infinity or a NaN. */
static Ex strip(Graph *g, Ex e, Sum *s) {
    const Expr x = *ir_expr(g, e);
    switch (x.kind) {
    case EX_GUARD:
        if (!ex_is_zero(g, x.arg[1])) return e;
        for (int i = 0; i < x.guard.n; i++) vec_push(&s->conds, x.guard.at[i]);
        return strip(g, x.arg[0], s);
    case EX_LOAD: add_bands(g, &x, s); return e;
    case EX_MUL: {
        Ex a = strip(g, x.arg[0], s);
        return ex_op(g, EX_MUL, a, strip(g, x.arg[1], s), 0);
    }
    case EX_DIV: return ex_op(g, EX_DIV, strip(g, x.arg[0], s), x.arg[1], 0);
    case EX_NEG: return ex_op(g, EX_NEG, strip(g, x.arg[0], s), 0, 0);
    case EX_SELECT: /* select(p, guard(c, a, 0), 0) => guard(c, select(p, a, 0), 0) */
        return ex_is_zero(g, x.arg[2]) ? ex_op(g, EX_SELECT, x.arg[0], strip(g, x.arg[1], s), x.arg[2]) : e;
    default: return e;
    }
}

/* ---- narrowing ---- */

static double points(int first, int n, const int64_t *extents) {
    double p = 1;
    for (int v = first; v < n; v++) p *= (double)extents[v];
    return p;
}

static bool uses_from(const Aff *a, int first) {
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind == ATOM_VAR ? a->terms[i].var >= first : uses_from(a->terms[i].of, first)) return true;
    return false;
}

/* lo <= f(i, k) < hi with fewer values than k has: k is solved from f(i, k) = lo + t, 0 <= t < hi - lo. */
static bool narrow_by(Graph *g, Sum *s, size_t which) {
    Cond c = s->conds.at[which];
    int n = s->rank + s->nred;
    double now = points(s->rank, n, s->extents);
    if (c.hi <= c.lo || (double)(c.hi - c.lo) >= now || !uses_from(c.aff, s->rank)) return false;
    int64_t *extents = ARENA_ARRAY(g->nnc->arena, int64_t, n + 1);
    for (int v = 0; v < n; v++) extents[v] = s->extents[v];
    extents[n] = c.hi - c.lo;
    const Aff *at = aff_add(g->affs, aff_var(g->affs, n), aff_const(g->affs, c.lo)), *row = aff_sub(g->affs, c.aff, at);
    Solution sol = solve_rows(g->affs, g->nnc->arena, s->rank, s->nred + 1, extents, 1, &row);
    if (!sol.never && points(s->rank, sol.nvars, sol.extents) >= now) return false;
    if (sol.never) {
        s->value = ex_zero(g, ir_expr(g, s->value)->dtype);
        s->conds.len = 0;
        return false;
    }
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, n);
    for (int k = 0; k < s->nred; k++) map[s->rank + k] = sol.unknown[k];
    s->value = ex_subst(g, s->value, map, n);
    s->conds.at[which] = s->conds.at[--s->conds.len];
    for (size_t i = 0; i < s->conds.len; i++) s->conds.at[i].aff = aff_subst(g->affs, s->conds.at[i].aff, map, n);
    for (int i = 0; i < sol.nconds; i++) vec_push(&s->conds, sol.conds[i]);
    s->nred = sol.nvars - s->rank;
    s->extents = sol.extents;
    return true;
}

static void narrow(Graph *g, Sum *s) {
    for (size_t i = 0; i < s->conds.len;) i = narrow_by(g, s, i) ? 0 : i + 1;
}

/* ---- digits ---- */

typedef struct {
    Graph *g;
    const Sum *s;
    int var;    /* -1: none found */
    int64_t by; /* its divisor */
} Digits;

static void find_digits(const Graph *g, Ex e, void *self) {
    Digits *f = self;
    const Expr *x = ir_expr(g, e);
    int var;
    if (x->kind != EX_LOAD || f->var >= 0) return;
    const Aff *at = load_offset(f->g, x, f->s->extents, f->s->rank + f->s->nred);
    for (int i = 0; i < at->nterms; i++) {
        const AffTerm *t = &at->terms[i];
        if (t->kind == ATOM_VAR || !aff_is_var(t->of, &var) || var < f->s->rank) continue;
        if (t->by < f->s->extents[var] && f->s->extents[var] % t->by == 0) {
            f->var = var;
            f->by = t->by;
        }
    }
}

/* sum over k of x[k div c, k mod c], where the places of x are not in k's order => sum over q, r of x[q, r], k = c*q +
 * r: the heads of an attention side by side. */
static void separate(Graph *g, Sum *s) {
    for (;;) {
        Digits f = {g, s, -1, 0};
        ex_walk(g, s->value, find_digits, &f);
        if (f.var < 0) return;
        int n = s->rank + s->nred;
        int64_t *extents = ARENA_ARRAY(g->nnc->arena, int64_t, n + 1);
        const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, n);
        for (int v = 0; v < n; v++) extents[v] = s->extents[v];
        extents[f.var] /= f.by;
        extents[n] = f.by;
        map[f.var] = aff_add(g->affs, aff_scale(g->affs, aff_var(g->affs, f.var), f.by), aff_var(g->affs, n));
        s->value = ex_subst(g, s->value, map, n);
        for (size_t i = 0; i < s->conds.len; i++) s->conds.at[i].aff = aff_subst(g->affs, s->conds.at[i].aff, map, n);
        s->extents = extents;
        s->nred++;
    }
}

/* ---- factors ---- */

/* Whether the conditions hold for the first points of all sums, or for the last ones: none is empty. */
static bool has_points(const Graph *g, const Sum *s, bool last) {
    int n = s->rank + s->nred;
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, n + 1);
    for (int v = s->rank; v < n; v++) map[v] = aff_const(g->affs, last ? s->extents[v] - 1 : 0);
    for (size_t i = 0; i < s->conds.len; i++) {
        const Cond *c = &s->conds.at[i];
        int64_t lo, hi;
        if (!aff_range(aff_subst(g->affs, c->aff, map, n), s->extents, n, &lo, &hi)) return false;
        if (lo < c->lo || hi >= c->hi) return false;
    }
    return true;
}

typedef struct {
    const Sum *s;
    bool inside; /* no load can leave its tensor */
} Loads;

static void visit_load(const Graph *g, Ex e, void *self) {
    Loads *l = self;
    const Expr *x = ir_expr(g, e);
    for (int d = 0; x->kind == EX_LOAD && d < x->load.rank && l->inside; d++) {
        int64_t lo, hi;
        l->inside = !x->load.at[d].gather && aff_range(x->load.at[d].aff, l->s->extents, l->s->rank, &lo, &hi) &&
                    lo >= 0 && hi < ir_node(g, x->load.node)->dims[d];
    }
}

/* Whether the value of `e`, which doesn't vary, may leave the conditions: it might load out of range there, or bring a
 * NaN where a sum is empty. */
static bool may_leave(const Graph *g, const Sum *s, Ex e) {
    Loads l = {s, true};
    if (!s->conds.len) return true;
    ex_walk(g, e, visit_load, &l);
    return l.inside && (has_points(g, s, false) || has_points(g, s, true));
}

static bool invariant(const Graph *g, const Sum *s, Ex e) {
    if (ir_expr(g, e)->kind == EX_CONST) return true;
    bool *used = ARENA_ARRAY(g->nnc->arena, bool, s->rank + s->nred);
    ex_used(g, e, used, s->rank + s->nred);
    for (int v = s->rank; v < s->rank + s->nred; v++)
        if (used[v]) return false;
    return may_leave(g, s, e);
}

/* The value of the element that `e` loads, where its node is computed element by element; else 0. */
static Ex computed(Graph *g, Ex e) {
    const Expr x = *ir_expr(g, e);
    if (x.kind != EX_LOAD) return 0;
    const Node n = *ir_node(g, x.load.node);
    if (n.kind != N_COMP || n.comp.combine != RED_NONE) return 0;
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, n.rank + 1);
    for (int d = 0; d < n.rank; d++) {
        if (x.load.at[d].gather) return 0;
        map[d] = x.load.at[d].aff;
    }
    return ex_subst(g, n.comp.body, map, n.rank);
}

/* The same where the sum reads no element of the node twice: it may look into that without any work done again. */
static Ex behind(Graph *g, const Sum *s, Ex e) {
    const Expr *x = ir_expr(g, e);
    if (!s->through || x->kind != EX_LOAD) return 0;
    bool once = (double)ir_elements(ir_node(g, x->load.node)) >= points(0, s->rank + s->nred, s->extents);
    return once ? computed(g, e) : 0;
}

/* e = varying * times / over; 0 stands for 1 */
typedef struct {
    Ex varying, times, over;
} Factors;

static Ex product(Graph *g, Ex a, Ex b) { return a && b ? ex_op(g, EX_MUL, a, b, 0) : a ? a : b; }

static Ex number(Graph *g, DType t, int n) { return dtype_is_float(t) ? ex_float(g, t, n) : ex_int(g, t, n); }

static Factors factors(Graph *g, const Sum *s, Ex e) {
    const Expr x = *ir_expr(g, e);
    if (invariant(g, s, e)) return (Factors){.times = e};
    if (x.kind == EX_MUL) {
        Factors a = factors(g, s, x.arg[0]), b = factors(g, s, x.arg[1]);
        return (Factors){product(g, a.varying, b.varying), product(g, a.times, b.times), product(g, a.over, b.over)};
    }
    if (x.kind == EX_NEG) {
        Factors a = factors(g, s, x.arg[0]);
        a.times = ex_op(g, EX_NEG, a.times ? a.times : number(g, x.dtype, 1), 0, 0);
        return a;
    }
    if (x.kind == EX_ADD && x.arg[0] == x.arg[1]) {
        Factors a = factors(g, s, x.arg[0]);
        a.times = product(g, a.times, number(g, x.dtype, 2));
        return a;
    }
    if (x.kind == EX_DIV && invariant(g, s, x.arg[1])) {
        Factors a = factors(g, s, x.arg[0]);
        a.over = product(g, a.over, x.arg[1]);
        return a;
    }
    Ex inside = behind(g, s, e);
    if (inside) {
        Factors a = factors(g, s, inside);
        if ((a.times || a.over) && a.varying && ir_expr(g, a.varying)->kind == EX_LOAD) return a;
    }
    return (Factors){.varying = e};
}

/* Whether `e` is the mean of x over all sums. */
static bool is_mean(Graph *g, const Sum *s, Ex e, Ex x) {
    for (Ex of = e; of; of = computed(g, e)) e = of;
    const Expr m = *ir_expr(g, e);
    if (m.kind != EX_MUL || ir_expr(g, m.arg[1])->kind != EX_CONST) return false;
    if (fabs(ir_expr(g, m.arg[1])->f * points(s->rank, s->rank + s->nred, s->extents) - 1) > 1e-6) return false;
    Place *here = ARENA_ARRAY(g->nnc->arena, Place, s->rank + 1);
    for (int i = 0; i < s->rank; i++) here[i].aff = aff_var(g->affs, i);
    return m.arg[0] == ex_load(g, ir_comp(g, RED_SUM, s->rank, s->nred, s->extents, x, (Span){0}), here);
}

/* sum over k of x[i,k] - mean over k of x[i,k] => 0 * that mean, which is no number where the sum is none; else 0 */
static Ex deviation(Graph *g, const Sum *s, Ex e) {
    Ex inside = behind(g, s, e);
    const Expr x = *ir_expr(g, inside ? inside : e);
    bool deviates = s->through && x.kind == EX_SUB && dtype_is_float(x.dtype) && !s->conds.len &&
                    invariant(g, s, x.arg[1]) && is_mean(g, s, x.arg[1], x.arg[0]);
    return deviates ? ex_op(g, EX_MUL, x.arg[1], ex_zero(g, x.dtype), 0) : 0;
}

/* sum over k of c[i] * x[i,k] / d[i] => c[i] * (sum over k of x[i,k]) / d[i]. Rounds differently, and is left alone in
 * the 16-bit types, where the sum could overflow before a small c brings it back. */
static Ref take_out_factors(Graph *g, const Sum *s, Ex guarded, Span at) {
    DType t = ir_expr(g, s->value)->dtype;
    bool narrow_type = t == DT_F16 || t == DT_BF16;
    Factors f = narrow_type ? (Factors){.varying = s->value} : factors(g, s, s->value);
    Ex value = f.varying ? deviation(g, s, f.varying) : 0;
    if (!value && (!f.varying || (!f.times && !f.over)))
        return ir_comp(g, RED_SUM, s->rank, s->nred, s->extents, guarded, at);
    if (!value) {
        Ex inner = ex_guard(g, (int)s->conds.len, s->conds.at, f.varying, ex_zero(g, t));
        Ref sum = ir_comp(g, RED_SUM, s->rank, s->nred, s->extents, inner, at);
        Place *here = ARENA_ARRAY(g->nnc->arena, Place, s->rank);
        for (int i = 0; i < s->rank; i++) here[i].aff = aff_var(g->affs, i);
        value = ex_load(g, sum, here);
    }
    value = product(g, value, f.times);
    if (f.over) value = ex_op(g, EX_DIV, value, f.over, 0);
    return ir_comp(g, RED_NONE, s->rank, 0, s->extents, value, at);
}

Ref simplify_sum(Graph *g, int rank, int nred, const int64_t *extents, Ex body, bool through, Span at) {
    Sum s = {.rank = rank, .nred = nred, .extents = extents, .through = through};
    s.value = strip(g, body, &s);
    narrow(g, &s);
    separate(g, &s);
    Ex guarded = ex_guard(g, (int)s.conds.len, s.conds.at, s.value, ex_zero(g, ir_expr(g, s.value)->dtype));
    Ref r = s.nred ? take_out_factors(g, &s, guarded, at) : ir_comp(g, RED_NONE, rank, 0, s.extents, guarded, at);
    vec_free(&s.conds);
    return r;
}
