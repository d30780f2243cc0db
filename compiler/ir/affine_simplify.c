/* Simplification of index expressions by the ranges of their variables: what makes a chain of reshapes of row-major
 * tensors plain again. Every rewrite is exact over the given ranges. */
#include "compiler/ir/affine_private.h"

/* ---- ranges ---- */

static bool range_term(const AffTerm *x, const int64_t *extent, int n, int64_t *lo, int64_t *hi) {
    if (x->kind == ATOM_VAR) {
        if (x->var >= n || extent[x->var] <= 0) return false;
        *lo = 0;
        *hi = extent[x->var] - 1;
        return true;
    }
    bool known = aff_range(x->of, extent, n, lo, hi);
    if (x->kind == ATOM_DIV) {
        *lo = floor_div(*lo, x->by);
        *hi = floor_div(*hi, x->by);
        return known;
    }
    if (known &&
        floor_div(*lo, x->by) == floor_div(*hi, x->by)) { /* one period: the remainder grows with the numerator */
        *lo = floor_mod(*lo, x->by);
        *hi = floor_mod(*hi, x->by);
    } else {
        *lo = 0;
        *hi = x->by - 1;
    }
    return true;
}

bool aff_range(const Aff *a, const int64_t *extent, int n, int64_t *lo, int64_t *hi) {
    *lo = *hi = a->constant;
    for (int i = 0; i < a->nterms; i++) {
        int64_t l = 0, h = 0, k = a->terms[i].coef;
        if (!range_term(&a->terms[i], extent, n, &l, &h)) return false;
        if (__builtin_mul_overflow(l, k, &l) || __builtin_mul_overflow(h, k, &h)) return false;
        if (__builtin_add_overflow(*lo, k > 0 ? l : h, lo)) return false;
        if (__builtin_add_overflow(*hi, k > 0 ? h : l, hi)) return false;
    }
    return true;
}

/* ---- numerators ---- */

/* Splits a = high + low, where g divides the coefficients of `high` and `low` stays within one multiple of g (and so
 * within 0 .. g-1 after that multiple has moved to `high`). False where it doesn't. */
static bool split_low(AffTable *t, const Aff *a, int64_t g, const int64_t *extent, int n, const Aff **high,
                      const Aff **low) {
    int64_t lo, hi;
    const Aff *h = aff_const(t, 0), *l = aff_const(t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const Aff *x = aff_atom(t, a->terms[i], a->terms[i].coef);
        if (a->terms[i].coef % g == 0)
            h = aff_add(t, h, x);
        else
            l = aff_add(t, l, x);
    }
    if (!aff_range(l, extent, n, &lo, &hi) || floor_div(lo, g) != floor_div(hi, g)) return false;
    const Aff *moved = aff_const(t, floor_div(lo, g) * g);
    *high = aff_add(t, h, moved);
    *low = aff_sub(t, l, moved);
    return true;
}

/* The split of numerator `of` for divisor `by` by the largest divisor g of `by` for which there is one. */
static bool split_best(AffTable *t, const Aff *of, int64_t by, const int64_t *extent, int n, const Aff **high,
                       const Aff **low) {
    int64_t limit = by + 1;
    for (;;) { /* candidates in falling order: `by`, then what each coefficient shares with it or the last candidate */
        int64_t g = limit > by ? by : 1;
        for (int i = 0; i < of->nterms && limit <= by; i++) {
            int64_t c = gcd64(of->terms[i].coef, by), shared = gcd64(c, limit);
            if (c < limit && c > g) g = c;
            if (shared < limit && shared > g) g = shared;
        }
        if (g == 1) return false;
        if (split_low(t, of, g, extent, n, high, low)) return true;
        limit = g;
    }
}

static const Aff *simplify_atom(AffTable *t, const AffTerm *x, const int64_t *extent, int n) {
    if (x->kind == ATOM_VAR) {
        bool one = x->var < n && extent[x->var] == 1; /* the only value is 0 */
        return one ? aff_const(t, 0) : aff_var(t, x->var);
    }
    const Aff *of = aff_simplify(t, x->of, extent, n), *high, *low;
    bool split = split_best(t, of, x->by, extent, n, &high, &low);
    /* (high + low) div s => high div s;  (high + low) mod s => high mod s + low;  g divides high and s, 0 <= low < g */
    if (x->kind == ATOM_DIV) return aff_div(t, split ? high : of, x->by);
    return split ? aff_add(t, aff_mod(t, high, x->by), low) : aff_mod(t, of, x->by);
}

/* ---- recombination ---- */

/* k*s*(e div d) + k*(m mod s) => k*(e div (d/s)), where s divides d and m is e div (d/s) as far as mod s can see.
 * With d = s: k*s*(e div s) + k*(e mod s) => k*e. */
static const Aff *join_pair(AffTable *t, const Aff *a, const AffTerm *d, const AffTerm *m) {
    int64_t s = m->by, product;
    if (d->by % s != 0 || __builtin_mul_overflow(m->coef, s, &product) || product != d->coef) return NULL;
    const Aff *quotient = aff_div(t, d->of, d->by / s);
    if (aff_mod(t, quotient, s) != aff_atom(t, *m, 1)) return NULL;
    const Aff *rest = aff_sub(t, aff_sub(t, a, aff_atom(t, *d, d->coef)), aff_atom(t, *m, m->coef));
    return aff_add(t, rest, aff_scale(t, quotient, m->coef));
}

/* k*e - k*s*(e div s) => k*(e mod s), where that removes every term of e */
static const Aff *join_difference(AffTable *t, const Aff *a, const AffTerm *d) {
    if (d->coef % d->by != 0) return NULL;
    int64_t k = -(d->coef / d->by);
    const Aff *rest = aff_sub(t, aff_sub(t, a, aff_atom(t, *d, d->coef)), aff_scale(t, d->of, k));
    if (rest->nterms != a->nterms - 1 - d->of->nterms) return NULL;
    return aff_add(t, rest, aff_scale(t, aff_mod(t, d->of, d->by), k));
}

static const Aff *recombine(AffTable *t, const Aff *a) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *d = &a->terms[i];
        if (d->kind != ATOM_DIV) continue;
        for (int j = 0; j < a->nterms; j++) {
            const Aff *r = a->terms[j].kind == ATOM_MOD ? join_pair(t, a, d, &a->terms[j]) : NULL;
            if (r) return r;
        }
        const Aff *r = join_difference(t, a, d);
        if (r) return r;
    }
    return a;
}

const Aff *aff_simplify(AffTable *t, const Aff *a, const int64_t *extent, int n) {
    enum { ROUNDS = 32 }; /* each round makes the expression smaller; the bound only guards against our own mistakes */
    for (int round = 0; round < ROUNDS; round++) {
        const Aff *r = aff_const(t, a->constant);
        for (int i = 0; i < a->nterms; i++)
            r = aff_add(t, r, aff_scale(t, simplify_atom(t, &a->terms[i], extent, n), a->terms[i].coef));
        r = recombine(t, r);
        if (r == a) return a;
        a = r;
    }
    return a;
}
