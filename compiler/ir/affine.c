/* Construction of index expressions. Whatever is exact for all integers is done here, at once, so that equal forms
 * meet: common factors leave quotients and remainders, multiples of the divisor leave the numerator, nested quotients
 * join. What needs the ranges of the variables is in affine_simplify.c. */
#include "compiler/ir/affine_private.h"

#include <stdlib.h>
#include <string.h>

struct AffTable {
    Arena *arena;
    const Aff **slots; /* open addressing, a power of two; in the arena */
    uint32_t len, cap;
};

AffTable *aff_table_new(Arena *a) {
    AffTable *t = ARENA_NEW(a, AffTable);
    t->arena = a;
    t->cap = 64;
    t->slots = ARENA_ARRAY(a, const Aff *, t->cap);
    return t;
}

/* ---- sharing ---- */

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 32);
}

static uint64_t hash(int64_t constant, const AffTerm *terms, int n) {
    uint64_t h = mix(0, (uint64_t)constant);
    for (int i = 0; i < n; i++) {
        const AffTerm *x = &terms[i];
        h = mix(mix(h, (uint64_t)x->coef), (uint64_t)x->kind);
        h = x->kind == ATOM_VAR ? mix(h, (uint64_t)x->var) : mix(mix(h, x->of->id), (uint64_t)x->by);
    }
    return h;
}

static bool same_atom(const AffTerm *a, const AffTerm *b) {
    if (a->kind != b->kind) return false;
    return a->kind == ATOM_VAR ? a->var == b->var : a->of == b->of && a->by == b->by;
}

static bool same_terms(const AffTerm *a, const AffTerm *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i].coef != b[i].coef || !same_atom(&a[i], &b[i])) return false;
    return true;
}

bool aff_same_linear(const Aff *a, const Aff *b) {
    return a->nterms == b->nterms && same_terms(a->terms, b->terms, a->nterms);
}

static void grow(AffTable *t) {
    uint32_t cap = t->cap * 2;
    const Aff **slots = ARENA_ARRAY(t->arena, const Aff *, cap);
    for (uint32_t i = 0; i < t->cap; i++) {
        const Aff *a = t->slots[i];
        if (!a) continue;
        uint64_t h = hash(a->constant, a->terms, a->nterms) & (cap - 1);
        while (slots[h]) h = (h + 1) & (cap - 1);
        slots[h] = a;
    }
    t->slots = slots;
    t->cap = cap;
}

/* The shared expression of sorted, distinct terms. */
static const Aff *share(AffTable *t, int64_t constant, const AffTerm *terms, int n) {
    uint64_t h = hash(constant, terms, n) & (t->cap - 1);
    for (const Aff *a; (a = t->slots[h]); h = (h + 1) & (t->cap - 1))
        if (a->constant == constant && a->nterms == n && same_terms(a->terms, terms, n)) return a;
    Aff *a = arena_alloc(t->arena, sizeof(Aff) + sizeof(AffTerm) * (size_t)n);
    a->constant = constant;
    a->nterms = n;
    a->id = ++t->len;
    if (n) memcpy(a->terms, terms, sizeof(AffTerm) * (size_t)n);
    t->slots[h] = a;
    if (t->len * 2 > t->cap) grow(t);
    return a;
}

/* ---- order: by structure, so that text read back gives the same order ---- */

static int cmp64(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int cmp_atom(const AffTerm *a, const AffTerm *b) {
    if (a->kind != b->kind) return cmp64(a->kind, b->kind);
    if (a->kind == ATOM_VAR) return cmp64(a->var, b->var);
    if (a->by != b->by) return cmp64(a->by, b->by);
    return aff_cmp(a->of, b->of);
}

int aff_cmp(const Aff *a, const Aff *b) {
    if (a == b) return 0;
    for (int i = 0; i < a->nterms && i < b->nterms; i++) {
        int c = cmp_atom(&a->terms[i], &b->terms[i]);
        if (!c) c = cmp64(a->terms[i].coef, b->terms[i].coef);
        if (c) return c;
    }
    return a->nterms != b->nterms ? cmp64(a->nterms, b->nterms) : cmp64(a->constant, b->constant);
}

/* ---- arithmetic ---- */

static int64_t add64(int64_t a, int64_t b) {
    int64_t r;
    if (__builtin_add_overflow(a, b, &r)) bug("an index expression overflows");
    return r;
}

static int64_t mul64(int64_t a, int64_t b) {
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r)) bug("an index expression overflows");
    return r;
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); } /* b > 0 */
int64_t floor_mod(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

const Aff *aff_const(AffTable *t, int64_t c) { return share(t, c, NULL, 0); }

const Aff *aff_var(AffTable *t, int var) {
    AffTerm x = {.coef = 1, .kind = ATOM_VAR, .var = var};
    return share(t, 0, &x, 1);
}

/* a + k*b, by merging the sorted terms */
static const Aff *add_scaled(AffTable *t, const Aff *a, const Aff *b, int64_t k) {
    AffTerm few[16], *terms = few;
    int room = a->nterms + b->nterms, n = 0;
    if (room > (int)COUNT(few)) terms = xcalloc((size_t)room, sizeof *terms);
    for (int i = 0, j = 0; i < a->nterms || j < b->nterms;) {
        int c = i == a->nterms ? 1 : j == b->nterms ? -1 : cmp_atom(&a->terms[i], &b->terms[j]);
        AffTerm x = c <= 0 ? a->terms[i++] : b->terms[j];
        int64_t more = c >= 0 ? mul64(k, b->terms[j++].coef) : 0;
        x.coef = c > 0 ? more : add64(x.coef, more);
        if (x.coef) terms[n++] = x;
    }
    const Aff *r = share(t, add64(a->constant, mul64(k, b->constant)), terms, n);
    if (terms != few) free(terms);
    return r;
}

const Aff *aff_add(AffTable *t, const Aff *a, const Aff *b) { return add_scaled(t, a, b, 1); }
const Aff *aff_sub(AffTable *t, const Aff *a, const Aff *b) { return add_scaled(t, a, b, -1); }
const Aff *aff_scale(AffTable *t, const Aff *a, int64_t k) { return add_scaled(t, aff_const(t, 0), a, k); }

/* k times one atom */
const Aff *aff_atom(AffTable *t, AffTerm x, int64_t k) {
    x.coef = k;
    return share(t, 0, &x, k != 0);
}

static const Aff *atom_of(AffTable *t, AtomKind kind, const Aff *of, int64_t by) {
    AffTerm x = {.coef = 1, .kind = kind, .of = of, .by = by};
    return share(t, 0, &x, 1);
}

/* Each coefficient and the constant divided by g, which divides the coefficients; the constant rounds down. */
static const Aff *shrink(AffTable *t, const Aff *a, int64_t g) {
    const Aff *r = aff_const(t, floor_div(a->constant, g));
    for (int i = 0; i < a->nterms; i++) r = aff_add(t, r, aff_atom(t, a->terms[i], a->terms[i].coef / g));
    return r;
}

static int64_t common(const Aff *a, int64_t by) {
    for (int i = 0; i < a->nterms; i++) by = gcd64(by, a->terms[i].coef);
    return by;
}

/* The one quotient with coefficient 1 among the terms of `a`, or -1. */
static int lone_quotient(const Aff *a) {
    int found = -1;
    for (int i = 0; i < a->nterms; i++) {
        if (a->terms[i].kind != ATOM_DIV) continue;
        if (found >= 0 || a->terms[i].coef != 1) return -1;
        found = i;
    }
    return found;
}

const Aff *aff_div(AffTable *t, const Aff *a, int64_t by) {
    if (by < 1) bug("an index expression divided by %lld", (long long)by);
    if (by == 1) return a;
    /* (by*q + r) div by => q + r div by */
    const Aff *q = aff_const(t, floor_div(a->constant, by)), *r = aff_const(t, floor_mod(a->constant, by));
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->coef % by == 0)
            q = aff_add(t, q, aff_atom(t, *x, x->coef / by));
        else
            r = aff_add(t, r, aff_atom(t, *x, x->coef));
    }
    if (!r->nterms) return q;
    /* (g*e + c) div (g*s) => (e + c div g) div s */
    int64_t g = common(r, by);
    if (g > 1) return aff_add(t, q, aff_div(t, shrink(t, r, g), by / g));
    /* (x + e div m) div s => (m*x + e) div (m*s) */
    int i = lone_quotient(r);
    int64_t product;
    if (i >= 0 && !__builtin_mul_overflow(r->terms[i].by, by, &product)) {
        const AffTerm *d = &r->terms[i];
        const Aff *rest = aff_sub(t, r, aff_atom(t, *d, 1));
        return aff_add(t, q, aff_div(t, aff_add(t, aff_scale(t, rest, d->by), d->of), product));
    }
    /* (e mod (s*b)) div s => (e div s) mod b */
    if (r->nterms == 1 && !r->constant && r->terms[0].coef == 1 && r->terms[0].kind == ATOM_MOD &&
        r->terms[0].by % by == 0)
        return aff_add(t, q, aff_mod(t, aff_div(t, r->terms[0].of, by), r->terms[0].by / by));
    return aff_add(t, q, atom_of(t, ATOM_DIV, r, by));
}

const Aff *aff_mod(AffTable *t, const Aff *a, int64_t by) {
    if (by < 1) bug("an index expression modulo %lld", (long long)by);
    if (by == 1) return aff_const(t, 0);
    const Aff *r = aff_const(t, floor_mod(a->constant, by));
    bool again = false;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        int64_t c = x->coef % by; /* multiples of `by` drop out */
        int64_t product;
        if (c && x->kind == ATOM_MOD && !__builtin_mul_overflow(c, x->by, &product) && product % by == 0) {
            r = aff_add(t, r, aff_scale(t, x->of, c)); /* c*(e mod m) mod by => c*e mod by where by divides c*m */
            again = true;
        } else {
            r = aff_add(t, r, aff_atom(t, *x, c));
        }
    }
    if (again) return aff_mod(t, r, by);
    if (!r->nterms) return aff_const(t, floor_mod(r->constant, by));
    /* (g*e + c) mod (g*s) => g*((e + c div g) mod s) + c mod g */
    int64_t g = common(r, by);
    if (g > 1)
        return aff_add(t, aff_scale(t, aff_mod(t, shrink(t, r, g), by / g), g),
                       aff_const(t, floor_mod(r->constant, g)));
    return atom_of(t, ATOM_MOD, r, by);
}

const Aff *aff_subst(AffTable *t, const Aff *a, const Aff *const *map, int n) {
    const Aff *r = aff_const(t, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        const Aff *v;
        if (x->kind == ATOM_VAR) {
            v = x->var < n && map && map[x->var] ? map[x->var] : aff_var(t, x->var);
        } else {
            const Aff *of = aff_subst(t, x->of, map, n);
            v = x->kind == ATOM_DIV ? aff_div(t, of, x->by) : aff_mod(t, of, x->by);
        }
        r = add_scaled(t, r, v, x->coef);
    }
    return r;
}

/* ---- questions ---- */

bool aff_is_const(const Aff *a, int64_t *value) {
    if (a->nterms) return false;
    *value = a->constant;
    return true;
}

bool aff_is_var(const Aff *a, int *var) {
    if (a->nterms != 1 || a->constant || a->terms[0].kind != ATOM_VAR || a->terms[0].coef != 1) return false;
    *var = a->terms[0].var;
    return true;
}

bool aff_uses(const Aff *a, int var) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind == ATOM_VAR ? x->var == var : aff_uses(x->of, var)) return true;
    }
    return false;
}

void aff_mark_uses(const Aff *a, bool *used, int n) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind != ATOM_VAR)
            aff_mark_uses(x->of, used, n);
        else if (x->var < n)
            used[x->var] = true;
    }
}

bool aff_split(AffTable *t, const Aff *a, int var, int64_t *coef, const Aff **rest) {
    int found = -1;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind != ATOM_VAR) {
            if (aff_uses(x->of, var)) return false;
        } else if (x->var == var) {
            found = i;
        }
    }
    *coef = found < 0 ? 0 : a->terms[found].coef;
    *rest = found < 0 ? a : aff_sub(t, a, aff_atom(t, a->terms[found], *coef));
    return true;
}

int64_t aff_eval(const Aff *a, const int64_t *at) {
    int64_t r = a->constant;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        int64_t v = x->kind == ATOM_VAR ? at[x->var] : aff_eval(x->of, at);
        if (x->kind == ATOM_DIV) v = floor_div(v, x->by);
        if (x->kind == ATOM_MOD) v = floor_mod(v, x->by);
        r += x->coef * v;
    }
    return r;
}

/* ---- text ---- */

static void print_var(Str *out, int var, void (*name)(Str *, int, void *), void *self) {
    if (name)
        name(out, var, self);
    else
        str_add(out, "v%d", var);
}

static void print_atom(Str *out, const AffTerm *x, void (*name)(Str *, int, void *), void *self) {
    int var;
    if (x->kind == ATOM_VAR) {
        print_var(out, x->var, name, self);
        return;
    }
    bool bare = aff_is_var(x->of, &var);
    if (!bare) str_add(out, "(");
    aff_print(out, x->of, name, self);
    str_add(out, "%s %s %lld", bare ? "" : ")", x->kind == ATOM_DIV ? "div" : "mod", (long long)x->by);
}

void aff_print(Str *out, const Aff *a, void (*name)(Str *out, int var, void *self), void *self) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        bool minus = x->coef < 0, group = x->kind != ATOM_VAR && x->coef != 1;
        str_add(out, "%s", i ? (minus ? " - " : " + ") : (minus ? "-" : ""));
        if (x->coef != 1 && x->coef != -1) str_add(out, "%llu*", (unsigned long long)(minus ? -x->coef : x->coef));
        if (group) str_add(out, "(");
        print_atom(out, x, name, self);
        if (group) str_add(out, ")");
    }
    if (!a->nterms)
        str_add(out, "%lld", (long long)a->constant);
    else if (a->constant)
        str_add(out, " %c %lld", a->constant < 0 ? '-' : '+',
                (long long)(a->constant < 0 ? -a->constant : a->constant));
}
