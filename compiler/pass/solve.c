/* Rows are kept as lhs = rhs, the unknowns on the left. First quotients and remainders are undone, so that the left
 * sides are linear; then each row eliminates one unknown, and residues replace those whose coefficients do not divide.
 * What resists stays as an equality among the conditions. Every step keeps the set of solutions, so any order is right.
 */
#include "compiler/pass/solve.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const Aff *lhs, *rhs; /* every term with an unknown; the others and the constant */
} Row;

typedef struct {
    AffTable *t;
    Arena *arena;
    int nknown, nunknown;
    VEC(int64_t) extent; /* of every variable made so far */
    VEC(bool) gone;      /* eliminated variables occur nowhere any more */
    const Aff **unknown; /* what was asked for, over the present variables */
    VEC(Row) rows;
    VEC(Cond) conds;
    bool never, entangled;
} Solver;

/* ---- terms ---- */

static const Aff *simpler(Solver *s, const Aff *a) { return aff_simplify(s->t, a, s->extent.at, (int)s->extent.len); }

static bool has_unknown(const Solver *s, const Aff *a) {
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind == ATOM_VAR ? a->terms[i].var >= s->nknown : has_unknown(s, a->terms[i].of)) return true;
    return false;
}

static bool term_has_unknown(const Solver *s, const AffTerm *m) {
    return m->kind == ATOM_VAR ? m->var >= s->nknown : has_unknown(s, m->of);
}

/* The term without its coefficient. */
static const Aff *atom(Solver *s, const AffTerm *m) {
    if (m->kind == ATOM_VAR) return aff_var(s->t, m->var);
    return m->kind == ATOM_DIV ? aff_div(s->t, m->of, m->by) : aff_mod(s->t, m->of, m->by);
}

/* a = unknown part + known part */
static void part(Solver *s, const Aff *a, const Aff **unknown, const Aff **known) {
    *unknown = aff_const(s->t, 0), *known = aff_const(s->t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const Aff *m = aff_scale(s->t, atom(s, &a->terms[i]), a->terms[i].coef);
        const Aff **side = term_has_unknown(s, &a->terms[i]) ? unknown : known;
        *side = aff_add(s->t, *side, m);
    }
}

static void add_row(Solver *s, const Aff *zero) {
    const Aff *lhs, *known;
    part(s, simpler(s, zero), &lhs, &known);
    vec_push(&s->rows, (Row){lhs, simpler(s, aff_scale(s->t, known, -1))});
}

static void drop_row(Solver *s, size_t i) {
    memmove(&s->rows.at[i], &s->rows.at[i + 1], (s->rows.len - i - 1) * sizeof *s->rows.at);
    s->rows.len--;
}

/* lo <= a < hi, unless that always holds */
static void require(Solver *s, const Aff *a, int64_t lo, int64_t hi) {
    int64_t least, most;
    a = simpler(s, a);
    if (aff_range(a, s->extent.at, (int)s->extent.len, &least, &most)) {
        if (least >= lo && most < hi) return;
        if (most < lo || least >= hi) s->never = true;
    }
    vec_push(&s->conds, (Cond){a, lo, hi});
}

static int new_unknown(Solver *s, int64_t extent) {
    vec_push(&s->extent, extent);
    vec_push(&s->gone, false);
    return (int)s->extent.len - 1;
}

/* Unknown `var` is `to` everywhere. */
static void substitute(Solver *s, int var, const Aff *to) {
    int n = (int)s->extent.len;
    const Aff **map = ARENA_ARRAY(s->arena, const Aff *, n);
    map[var] = to;
    s->gone.at[var] = true;
    for (int i = 0; i < s->nunknown; i++) s->unknown[i] = simpler(s, aff_subst(s->t, s->unknown[i], map, n));
    for (size_t i = 0; i < s->conds.len; i++)
        s->conds.at[i].aff = simpler(s, aff_subst(s->t, s->conds.at[i].aff, map, n));
    for (size_t i = 0; i < s->rows.len; i++) {
        const Aff *known;
        Row *r = &s->rows.at[i];
        part(s, simpler(s, aff_subst(s->t, r->lhs, map, n)), &r->lhs, &known);
        r->rhs = simpler(s, aff_sub(s->t, r->rhs, known));
    }
}

/* ---- quotients and remainders ---- */

/* Row i is one quotient or remainder m; its coefficient is divided out. */
static bool lone_atom(Solver *s, size_t i, AffTerm *m) {
    Row *r = &s->rows.at[i];
    if (r->lhs->nterms != 1 || r->lhs->terms[0].kind == ATOM_VAR) return false;
    *m = r->lhs->terms[0];
    int64_t by = llabs(m->coef);
    const Aff *rhs = aff_scale(s->t, r->rhs, m->coef < 0 ? -1 : 1);
    if (by > 1) require(s, aff_mod(s->t, rhs, by), 0, 1);
    m->coef = 1;
    s->rows.at[i] = (Row){atom(s, m), simpler(s, aff_div(s->t, rhs, by))};
    return true;
}

/* e div s = p and e mod s = q  =>  e = s*p + q, where 0 <= q < s */
static bool undo_pair(Solver *s) {
    for (size_t i = 0; i < s->rows.len; i++) {
        AffTerm m;
        if (!lone_atom(s, i, &m)) continue;
        bool is_div = m.kind == ATOM_DIV;
        const Aff *other, *known;
        part(s, simpler(s, is_div ? aff_mod(s->t, m.of, m.by) : aff_div(s->t, m.of, m.by)), &other, &known);
        for (size_t j = 0; j < s->rows.len; j++) {
            if (j == i || s->rows.at[j].lhs != other || other->nterms == 0) continue;
            const Aff *mine = s->rows.at[i].rhs, *its = aff_add(s->t, s->rows.at[j].rhs, known);
            const Aff *p = is_div ? mine : its, *q = is_div ? its : mine;
            drop_row(s, MAX(i, j));
            drop_row(s, MIN(i, j));
            require(s, q, 0, m.by);
            add_row(s, aff_sub(s->t, m.of, aff_add(s->t, aff_scale(s->t, p, m.by), q)));
            return true;
        }
    }
    return false;
}

/* The innermost quotient or remainder of a bare unknown below `a`. */
static bool bare_atom(const Solver *s, const Aff *a, int *var, int64_t *by) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *m = &a->terms[i];
        if (m->kind == ATOM_VAR) continue;
        if (aff_is_var(m->of, var) && *var >= s->nknown) return *by = m->by, true;
        if (bare_atom(s, m->of, var, by)) return true;
    }
    return false;
}

/* v = by*a + b makes v div by = a and v mod by = b */
static bool split_bare(Solver *s) {
    for (size_t i = 0; i < s->rows.len; i++) {
        int var;
        int64_t by;
        if (!bare_atom(s, s->rows.at[i].lhs, &var, &by)) continue;
        int64_t n = s->extent.at[var];
        int a = new_unknown(s, (n + by - 1) / by), b = new_unknown(s, by);
        const Aff *to = aff_add(s->t, aff_scale(s->t, aff_var(s->t, a), by), aff_var(s->t, b));
        substitute(s, var, to);
        require(s, to, 0, n);
        return true;
    }
    return false;
}

/* An innermost quotient or remainder with an unknown below `a`. */
static bool inner_atom(const Solver *s, const Aff *a, AffTerm *found) {
    for (int i = 0; i < a->nterms; i++) {
        if (a->terms[i].kind == ATOM_VAR || !term_has_unknown(s, &a->terms[i])) continue;
        if (!inner_atom(s, a->terms[i].of, found)) *found = a->terms[i];
        return true;
    }
    return false;
}

/* `a` with the quotient and remainder of m.of by m.by replaced, wherever they stand. */
static const Aff *replace(Solver *s, const Aff *a, const AffTerm *m, const Aff *quotient, const Aff *remainder) {
    const Aff *out = aff_const(s->t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        AffTerm x = a->terms[i];
        const Aff *value;
        if (x.kind != ATOM_VAR && x.of == m->of && x.by == m->by) {
            value = x.kind == ATOM_DIV ? quotient : remainder;
        } else {
            if (x.kind != ATOM_VAR) x.of = replace(s, x.of, m, quotient, remainder);
            value = atom(s, &x);
        }
        out = aff_add(s->t, out, aff_scale(s->t, value, x.coef));
    }
    return out;
}

/* New unknowns for e div s = a + first and e mod s = b, and a row that says e = s*(a + first) + b. */
static bool name_inner(Solver *s) {
    AffTerm m;
    int64_t lo, hi;
    size_t i = 0;
    while (i < s->rows.len && !inner_atom(s, s->rows.at[i].lhs, &m)) i++;
    if (i == s->rows.len || !aff_range(m.of, s->extent.at, (int)s->extent.len, &lo, &hi)) return false;
    int64_t first = lo >= 0 ? lo / m.by : -((-lo + m.by - 1) / m.by);
    int64_t last = hi >= 0 ? hi / m.by : -((-hi + m.by - 1) / m.by);
    const Aff *quotient = aff_var(s->t, new_unknown(s, last - first + 1));
    const Aff *remainder = aff_var(s->t, new_unknown(s, m.by));
    quotient = aff_add(s->t, quotient, aff_const(s->t, first));
    for (size_t r = 0; r < s->rows.len; r++) {
        const Aff *known;
        Row *row = &s->rows.at[r];
        part(s, simpler(s, replace(s, row->lhs, &m, quotient, remainder)), &row->lhs, &known);
        row->rhs = simpler(s, aff_sub(s->t, row->rhs, known));
    }
    add_row(s, aff_sub(s->t, m.of, aff_add(s->t, aff_scale(s->t, quotient, m.by), remainder)));
    return true;
}

/* ---- elimination ---- */

/* x with a*x = 1 modulo m, for coprime a and m */
static int64_t inverse(int64_t a, int64_t m) {
    int64_t r0 = m, r1 = ((a % m) + m) % m, x0 = 0, x1 = 1;
    while (r1) {
        int64_t q = r0 / r1, r = r0 - q * r1, x = x0 - q * x1;
        r0 = r1, r1 = r, x0 = x1, x1 = x;
    }
    return ((x0 % m) + m) % m;
}

/* a div by, where `by` divides the value of a: with e mod s written as e - s*(e div s) it often divides term by term.
 */
static const Aff *exact_div(Solver *s, const Aff *a, int64_t by) {
    if (by == 1) return a;
    const Aff *plain = aff_const(s->t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *m = &a->terms[i];
        const Aff *x = atom(s, m);
        if (m->kind == ATOM_MOD && m->coef % by != 0)
            x = aff_sub(s->t, m->of, aff_scale(s->t, aff_div(s->t, m->of, m->by), m->by));
        plain = aff_add(s->t, plain, aff_scale(s->t, x, m->coef));
    }
    bool divides = plain->constant % by == 0;
    for (int i = 0; i < plain->nterms; i++) divides = divides && plain->terms[i].coef % by == 0;
    return simpler(s, aff_div(s->t, divides ? plain : a, by));
}

/* How many points stay free when term p of the row is eliminated. */
static double points_left(const Solver *s, const AffTerm *m, int n, int p) {
    int64_t g = llabs(m[p].coef);
    double left = 1;
    for (int i = 0; i < n; i++) {
        if (i == p) continue;
        int64_t next = gcd64(g, m[i].coef), step = g / next, extent = s->extent.at[m[i].var];
        left *= (double)((extent + step - 1) / step);
        g = next;
    }
    return left;
}

/* Descending by the size of the coefficient, so that mixed radices (28*i + j) come apart digit by digit. */
static int by_coefficient(const void *a, const void *b) {
    const AffTerm *x = a, *y = b;
    int64_t p = llabs(x->coef), q = llabs(y->coef);
    if (p != q) return p < q ? 1 : -1;
    return x->var < y->var ? -1 : x->var > y->var;
}

/* Row: sum of coef*unknown = rhs. Divides by the common divisor, chooses the unknown p whose elimination leaves least,
 * and writes each other q as step*t + residue, so that what is left for p divides by its coefficient. */
static void eliminate(Solver *s, Row row) {
    int n = row.lhs->nterms, p = 0;
    int64_t common = 0;
    AffTerm *m = arena_copy(s->arena, row.lhs->terms, sizeof *m * (size_t)n);
    qsort(m, (size_t)n, sizeof *m, by_coefficient);
    for (int i = 0; i < n; i++) common = gcd64(common, m[i].coef);
    if (common > 1) {
        require(s, aff_mod(s->t, row.rhs, common), 0, 1);
        row.rhs = aff_div(s->t, row.rhs, common);
        for (int i = 0; i < n; i++) m[i].coef /= common;
    }
    for (int i = 1; i < n; i++)
        if (points_left(s, m, n, i) < points_left(s, m, n, p)) p = i;
    const AffTerm pivot = m[p];
    memmove(&m[p], &m[p + 1], (size_t)(n - p - 1) * sizeof *m);
    n--;
    int64_t sign = pivot.coef < 0 ? -1 : 1;
    int64_t *g = ARENA_ARRAY(s->arena, int64_t, n + 1); /* of the pivot's and the first i others' coefficients */
    g[0] = pivot.coef * sign;
    for (int i = 0; i < n; i++) m[i].coef *= sign, g[i + 1] = gcd64(g[i], m[i].coef);
    const Aff *rest = aff_scale(s->t, row.rhs, sign);
    for (int i = n - 1; i >= 0; i--) {
        int64_t step = g[i] / g[i + 1], extent = s->extent.at[m[i].var];
        const Aff *q = aff_var(s->t, m[i].var);
        if (step > 1) {
            int64_t inv = inverse(m[i].coef / g[i + 1], step), turns = (extent + step - 1) / step;
            q = aff_mod(s->t, aff_scale(s->t, exact_div(s, rest, g[i + 1]), inv), step);
            if (turns > 1) q = aff_add(s->t, q, aff_scale(s->t, aff_var(s->t, new_unknown(s, turns)), step));
            q = simpler(s, q);
            substitute(s, m[i].var, q);
            require(s, q, 0, extent);
        }
        rest = simpler(s, aff_sub(s->t, rest, aff_scale(s->t, q, m[i].coef)));
    }
    const Aff *value = exact_div(s, rest, g[0]);
    substitute(s, pivot.var, value);
    require(s, value, 0, s->extent.at[pivot.var]);
}

/* The row with the fewest unknowns, all outside quotients and remainders; rows.len if there is none. */
static size_t easiest(const Solver *s) {
    size_t best = s->rows.len;
    for (size_t i = 0; i < s->rows.len; i++) {
        const Aff *lhs = s->rows.at[i].lhs;
        bool linear = true;
        for (int k = 0; k < lhs->nterms; k++) linear = linear && lhs->terms[k].kind == ATOM_VAR;
        if (linear && (best == s->rows.len || lhs->nterms < s->rows.at[best].lhs->nterms)) best = i;
    }
    return best;
}

static void eliminate_all(Solver *s) {
    while (s->rows.len) {
        size_t i = easiest(s);
        bool linear = i < s->rows.len;
        Row row = s->rows.at[linear ? i : 0];
        drop_row(s, linear ? i : 0);
        if (linear && row.lhs->nterms) {
            eliminate(s, row);
        } else {
            require(s, aff_sub(s->t, row.lhs, row.rhs), 0, 1); /* nothing to solve for, or not solvable */
            if (!linear) s->entangled = true;
        }
    }
}

/* Renumbers the free unknowns nknown, nknown+1, ... */
static Solution finish(Solver *s) {
    int n = (int)s->extent.len, next = s->nknown;
    int64_t *extents = ARENA_ARRAY(s->arena, int64_t, n);
    const Aff **map = ARENA_ARRAY(s->arena, const Aff *, n);
    for (int v = 0; v < n; v++) {
        if (v >= s->nknown && s->gone.at[v]) continue;
        int to = v < s->nknown ? v : next++;
        extents[to] = s->extent.at[v];
        map[v] = aff_var(s->t, to);
    }
    for (int i = 0; i < s->nunknown; i++)
        s->unknown[i] = aff_simplify(s->t, aff_subst(s->t, s->unknown[i], map, n), extents, next);
    Cond *conds = ARENA_ARRAY(s->arena, Cond, s->conds.len + 1);
    int nconds = 0;
    for (size_t i = 0; i < s->conds.len; i++) {
        int64_t lo, hi;
        Cond c = s->conds.at[i];
        c.aff = aff_simplify(s->t, aff_subst(s->t, c.aff, map, n), extents, next);
        if (aff_range(c.aff, extents, next, &lo, &hi)) {
            if (lo >= c.lo && hi < c.hi) continue;
            if (hi < c.lo || lo >= c.hi) s->never = true;
        }
        conds[nconds++] = c;
    }
    return (Solution){next, extents, s->unknown, nconds, conds, s->never, s->entangled};
}

Solution solve_rows(AffTable *t, Arena *a, int nknown, int nunknown, const int64_t *extent, int nrows,
                    const Aff *const *rows) {
    Solver s = {.t = t, .arena = a, .nknown = nknown, .nunknown = nunknown};
    s.unknown = ARENA_ARRAY(a, const Aff *, nunknown);
    for (int v = 0; v < nknown + nunknown; v++) {
        vec_push(&s.extent, extent[v]);
        vec_push(&s.gone, false);
        if (v >= nknown) s.unknown[v - nknown] = aff_var(t, v);
    }
    for (int i = 0; i < nrows; i++) add_row(&s, rows[i]);
    for (int v = nknown; v < nknown + nunknown; v++)
        if (extent[v] == 1) substitute(&s, v, aff_const(t, 0));
    while (undo_pair(&s) || split_bare(&s) || name_inner(&s)) continue;
    eliminate_all(&s);
    Solution out = finish(&s);
    vec_free(&s.extent);
    vec_free(&s.gone);
    vec_free(&s.rows);
    vec_free(&s.conds);
    return out;
}
