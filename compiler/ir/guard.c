/* Guards: conditions in canonical form, and the values they choose between. */
#include "compiler/ir/private.h"

#include <stdlib.h>

/* a - b, where the ends of the range of int64 stand for no bound */
static int64_t shift(int64_t a, int64_t b) {
    int64_t r;
    if (a == INT64_MIN || a == INT64_MAX) return a;
    return __builtin_sub_overflow(a, b, &r) ? (b > 0 ? INT64_MIN : INT64_MAX) : r;
}

static int64_t times(int64_t a, int64_t k) { /* k > 0 */
    int64_t r;
    if (a == INT64_MIN || a == INT64_MAX) return a;
    return __builtin_mul_overflow(a, k, &r) ? (a < 0 ? INT64_MIN : INT64_MAX) : r;
}

static int64_t ceil_div(int64_t a, int64_t b) {
    return a == INT64_MIN || a == INT64_MAX ? a : floor_div(a, b) + (floor_mod(a, b) != 0);
}

/* 1 - a: the bound of the negated expression */
static int64_t opposite(int64_t a) { return a == INT64_MIN ? INT64_MAX : a == INT64_MAX ? INT64_MIN : 1 - a; }

static const Aff *divided(AffTable *t, const Aff *a, int64_t g) {
    const Aff *r = aff_const(t, 0);
    for (int i = 0; i < a->nterms; i++) r = aff_add(t, r, aff_atom(t, a->terms[i], a->terms[i].coef / g));
    return r;
}

CondFate cond_normalize(AffTable *t, Cond *c) {
    for (;;) {
        int64_t v = c->aff->constant, g = 0;
        if (c->lo >= c->hi) return COND_NEVER;
        if (!c->aff->nterms) return c->lo <= v && v < c->hi ? COND_ALWAYS : COND_NEVER;
        c->lo = shift(c->lo, v); /* lo <= e + v < hi => lo - v <= e < hi - v */
        c->hi = shift(c->hi, v);
        for (int i = 0; i < c->aff->nterms; i++) g = gcd64(g, c->aff->terms[i].coef);
        bool minus = c->aff->terms[0].coef < 0;
        c->aff = divided(t, c->aff, minus ? -g : g);
        c->lo = ceil_div(c->lo, g); /* lo <= g*e < hi => ceil(lo/g) <= e < ceil(hi/g) */
        c->hi = ceil_div(c->hi, g);
        if (minus) { /* lo <= -e < hi => 1 - hi <= e < 1 - lo */
            int64_t lo = opposite(c->hi);
            c->hi = opposite(c->lo);
            c->lo = lo;
        }
        const AffTerm *x = c->aff->terms;
        if (c->aff->nterms > 1 || x->kind == ATOM_VAR) return c->lo >= c->hi ? COND_NEVER : COND_DEPENDS;
        if (x->kind == ATOM_MOD) {
            if (c->lo <= 0 && c->hi >= x->by) return COND_ALWAYS;
            return c->lo >= c->hi || c->lo >= x->by || c->hi <= 0 ? COND_NEVER : COND_DEPENDS;
        }
        c->lo = times(c->lo, x->by); /* lo <= e div s < hi => lo*s <= e < hi*s */
        c->hi = times(c->hi, x->by);
        c->aff = x->of;
    }
}

typedef VEC(Cond) CondList;

/* Adds a condition, keeping the list sorted with one entry an expression; false where nothing can hold any more. */
static bool add_cond(Graph *g, CondList *list, Cond c) {
    switch (cond_normalize(g->affs, &c)) {
    case COND_NEVER: return false;
    case COND_ALWAYS: return true;
    default: break;
    }
    size_t i = 0;
    while (i < list->len && aff_cmp(list->at[i].aff, c.aff) < 0) i++;
    if (i < list->len && list->at[i].aff == c.aff) { /* both hold: the intersection */
        list->at[i].lo = MAX(list->at[i].lo, c.lo);
        list->at[i].hi = MIN(list->at[i].hi, c.hi);
        return list->at[i].lo < list->at[i].hi;
    }
    vec_push(list, c);
    for (size_t j = list->len - 1; j > i; j--) list->at[j] = list->at[j - 1];
    list->at[i] = c;
    return true;
}

/* The value of `e` where `known` holds: a guard at its top loses what that decides. */
static Ex given(Graph *g, Ex e, const Cond *known) {
    const Expr x = *ir_expr(g, e);
    if (x.kind != EX_GUARD) return e;
    CondList rest = {0};
    bool never = false;
    for (int i = 0; i < x.guard.n; i++) {
        const Cond *c = &x.guard.at[i];
        bool decided = c->aff == known->aff && c->lo <= known->lo && known->hi <= c->hi;
        if (c->aff == known->aff && (c->hi <= known->lo || known->hi <= c->lo)) never = true;
        if (!decided) vec_push(&rest, *c);
    }
    if (never)
        e = x.arg[1];
    else if (rest.len < (size_t)x.guard.n)
        e = ex_guard(g, (int)rest.len, rest.at, x.arg[0], x.arg[1]);
    vec_free(&rest);
    return e;
}

Ex ex_guard(Graph *g, int n, const Cond *conds, Ex inside, Ex outside) {
    DType t = ir_expr(g, inside)->dtype;
    if (t != ir_expr(g, outside)->dtype)
        bug("a guard between %s and %s", dtype_name(t), dtype_name(ir_expr(g, outside)->dtype));
    CondList list = {0};
    bool possible = true;
    for (int i = 0; i < n; i++) possible = possible && add_cond(g, &list, conds[i]);
    for (size_t i = 0; possible && i < list.len; i++) inside = given(g, inside, &list.at[i]);
    const Expr in = *ir_expr(g, inside);
    if (possible && in.kind == EX_GUARD && in.arg[1] == outside) { /* p ? (q ? a : b) : b => p and q ? a : b */
        for (int i = 0; i < in.guard.n; i++) possible = possible && add_cond(g, &list, in.guard.at[i]);
        inside = in.arg[0];
    }
    Ex e = !possible ? outside : inside;
    if (possible && list.len && inside != outside)
        e = ex_share(
            g, &(Expr){.kind = EX_GUARD, .dtype = t, .arg = {inside, outside}, .guard = {(int)list.len, list.at}});
    vec_free(&list);
    return e;
}
