/* Sizes as canonical polynomials: a sum of monomials, each a coefficient and a sorted list of atoms. */
#include "lang/dim.h"

#include <stdlib.h>
#include <string.h>

/* What is larger is a size of its own, which nothing is known of: no program can make the arithmetic slow. */
enum { MOST_MONOS = 256, MOST_ATOMS = 64 /* of a monomial */, MOST_REMEMBERED = 512 };

/* A named size, or the rounded-down quotient num / den where name is NULL. */
typedef struct Atom {
    Name name;
    Dim num, den;
    int id;
} Atom;

typedef struct {
    int64_t coef;
    int natoms;
    const Atom *const *atoms; /* ascending ids; a power repeats its atom */
} Mono;

/* Monomials in descending order (see mono_order); the constant, if not 0, is the last. */
struct DimData {
    uint64_t hash;
    int len;
    const Mono *monos;
};

struct Dims {
    Arena *arena;
    Dim *table; /* open addressing, a power of two */
    size_t cap, used;
    VEC(const Atom *) opaque, quotients;
    int atoms;
};

Dims *dims_new(Arena *arena) {
    Dims *ds = ARENA_NEW(arena, Dims);
    ds->arena = arena;
    ds->cap = 256;
    ds->table = ARENA_ARRAY(arena, Dim, ds->cap);
    return ds;
}

/* ---- interning ---- */

/* By degree, then by atoms: a monomial order, so that division by leading terms ends. */
static int mono_order(const Mono *a, const Mono *b) {
    if (a->natoms != b->natoms) return a->natoms > b->natoms ? -1 : 1;
    for (int i = 0; i < a->natoms; i++)
        if (a->atoms[i] != b->atoms[i]) return a->atoms[i]->id < b->atoms[i]->id ? -1 : 1;
    return 0;
}

static uint64_t mix(uint64_t h, uint64_t v) { return (h ^ v) * 0x9e3779b97f4a7c15u ^ (h >> 29); }

static bool same(Dim a, const Mono *monos, int len) {
    if (a->len != len) return false;
    for (int i = 0; i < len; i++)
        if (a->monos[i].coef != monos[i].coef || mono_order(&a->monos[i], &monos[i]) != 0) return false;
    return true;
}

static void grow_table(Dims *ds) {
    size_t cap = ds->cap * 2;
    Dim *table = ARENA_ARRAY(ds->arena, Dim, cap);
    for (size_t i = 0; i < ds->cap; i++) {
        if (!ds->table[i]) continue;
        size_t at = ds->table[i]->hash & (cap - 1);
        while (table[at]) at = (at + 1) & (cap - 1);
        table[at] = ds->table[i];
    }
    ds->table = table;
    ds->cap = cap;
}

/* The one size with these monomials, which are sorted, distinct and have coefficients other than 0. */
static Dim intern_dim(Dims *ds, const Mono *monos, int len) {
    uint64_t h = 17;
    for (int i = 0; i < len; i++) {
        h = mix(h, (uint64_t)monos[i].coef);
        for (int k = 0; k < monos[i].natoms; k++) h = mix(h, (uint64_t)monos[i].atoms[k]->id + 1);
        h = mix(h, 0x55);
    }
    size_t at = h & (ds->cap - 1);
    for (; ds->table[at]; at = (at + 1) & (ds->cap - 1))
        if (ds->table[at]->hash == h && same(ds->table[at], monos, len)) return ds->table[at];
    struct DimData *d = ARENA_NEW(ds->arena, struct DimData);
    d->hash = h;
    d->len = len;
    if (len) d->monos = arena_copy(ds->arena, monos, sizeof *monos * (size_t)len);
    ds->table[at] = d;
    if (++ds->used * 2 > ds->cap) grow_table(ds);
    return d;
}

Dim dim_number(Dims *ds, int64_t value) {
    Mono m = {.coef = value};
    return intern_dim(ds, &m, value != 0);
}

static Dim of_atom(Dims *ds, const Atom *a) {
    const Atom **atoms = ARENA_ARRAY(ds->arena, const Atom *, 1);
    atoms[0] = a;
    Mono m = {.coef = 1, .natoms = 1, .atoms = atoms};
    return intern_dim(ds, &m, 1);
}

static Atom *new_atom(Dims *ds) {
    Atom *a = ARENA_NEW(ds->arena, Atom);
    a->id = ds->atoms++;
    return a;
}

Dim dim_fresh(Dims *ds, Name name) {
    Atom *a = new_atom(ds);
    a->name = name;
    return of_atom(ds, a);
}

/* Adds to one of the two lists of atoms that are looked up again; they grow in the arena. */
static void remember(Dims *ds, const Atom ***at, size_t *len, size_t *cap, const Atom *a) {
    if (*len == MOST_REMEMBERED) return;
    if (*len == *cap) {
        *cap = *cap ? 2 * *cap : 16;
        const Atom **more = ARENA_ARRAY(ds->arena, const Atom *, *cap);
        if (*len) memcpy(more, *at, sizeof *more * *len);
        *at = more;
    }
    (*at)[(*len)++] = a;
}

Dim dim_opaque(Dims *ds, Name text) {
    for (size_t i = 0; i < ds->opaque.len; i++)
        if (ds->opaque.at[i]->name == text) return of_atom(ds, ds->opaque.at[i]);
    Atom *a = new_atom(ds);
    a->name = text;
    remember(ds, &ds->opaque.at, &ds->opaque.len, &ds->opaque.cap, a);
    return of_atom(ds, a);
}

static Dim quotient(Dims *ds, Dim num, Dim den) {
    for (size_t i = 0; i < ds->quotients.len; i++)
        if (ds->quotients.at[i]->num == num && ds->quotients.at[i]->den == den) return of_atom(ds, ds->quotients.at[i]);
    Atom *a = new_atom(ds);
    a->num = num;
    a->den = den;
    remember(ds, &ds->quotients.at, &ds->quotients.len, &ds->quotients.cap, a);
    return of_atom(ds, a);
}

/* ---- arithmetic ---- */

static int64_t saturated(bool negative) { return negative ? -INT64_MAX : INT64_MAX; }

static int64_t add_number(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? saturated(a < 0) : r;
}

static int64_t mul_number(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_mul_overflow(a, b, &r) ? saturated((a < 0) != (b < 0)) : r;
}

static int64_t floor_div(int64_t a, int64_t b) {
    if (b == -1) return mul_number(a, -1);
    int64_t q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

bool dim_is_const(Dim d, int64_t *value) {
    if (d->len == 0) return *value = 0, true;
    if (d->len > 1 || d->monos[0].natoms) return false;
    *value = d->monos[0].coef;
    return true;
}

/* a + scale * b */
static Dim add_scaled(Dims *ds, Dim a, Dim b, int64_t scale) {
    if (a->len + b->len > MOST_MONOS) return dim_fresh(ds, "?");
    Mono *m = xcalloc((size_t)(a->len + b->len) + 1, sizeof *m);
    int n = 0, i = 0, k = 0;
    while (i < a->len || k < b->len) {
        int order = i == a->len ? 1 : k == b->len ? -1 : mono_order(&a->monos[i], &b->monos[k]);
        m[n] = order <= 0 ? a->monos[i] : b->monos[k];
        if (order == 0)
            m[n].coef = add_number(a->monos[i].coef, mul_number(scale, b->monos[k].coef));
        else if (order > 0)
            m[n].coef = mul_number(scale, m[n].coef);
        i += order <= 0;
        k += order >= 0;
        n += m[n].coef != 0;
    }
    Dim d = intern_dim(ds, m, n);
    free(m);
    return d;
}

Dim dim_add(Dims *ds, Dim a, Dim b) { return add_scaled(ds, a, b, 1); }
Dim dim_sub(Dims *ds, Dim a, Dim b) { return add_scaled(ds, a, b, -1); }

/* scale * atoms of m * d */
static Dim mul_mono(Dims *ds, Dim d, const Mono *m) {
    Dim sum = dim_number(ds, 0);
    for (int i = 0; i < d->len; i++) {
        const Mono *o = &d->monos[i];
        int n = o->natoms + m->natoms, x = 0, y = 0;
        const Atom **atoms = ARENA_ARRAY(ds->arena, const Atom *, n + 1);
        for (int k = 0; k < n; k++) {
            bool first = y == m->natoms || (x < o->natoms && o->atoms[x]->id <= m->atoms[y]->id);
            atoms[k] = first ? o->atoms[x++] : m->atoms[y++];
        }
        Mono product = {.coef = mul_number(o->coef, m->coef), .natoms = n, .atoms = atoms};
        sum = dim_add(ds, sum, intern_dim(ds, &product, 1));
    }
    return sum;
}

static int degree(Dim d) { return d->len ? d->monos[0].natoms : 0; }

Dim dim_mul(Dims *ds, Dim a, Dim b) {
    int64_t x, y;
    if (dim_is_const(a, &x) && dim_is_const(b, &y)) return dim_number(ds, mul_number(x, y));
    if (a->len * b->len > MOST_MONOS || degree(a) + degree(b) > MOST_ATOMS) return dim_fresh(ds, "?");
    Dim sum = dim_number(ds, 0);
    for (int i = 0; i < b->len; i++) sum = dim_add(ds, sum, mul_mono(ds, a, &b->monos[i]));
    return sum;
}

/* Whether monomial `a` is `q` times `b` with a whole coefficient. */
static bool divide_mono(Dims *ds, const Mono *a, const Mono *b, Mono *q) {
    if (b->natoms > a->natoms || a->coef % b->coef != 0) return false;
    const Atom **atoms = ARENA_ARRAY(ds->arena, const Atom *, a->natoms + 1);
    int n = 0, k = 0;
    for (int i = 0; i < a->natoms; i++) {
        if (k < b->natoms && a->atoms[i] == b->atoms[k])
            k++;
        else
            atoms[n++] = a->atoms[i];
    }
    *q = (Mono){.coef = a->coef / b->coef, .natoms = n, .atoms = atoms};
    return k == b->natoms;
}

/* Polynomial division by the leading term: a = q * b + rest. */
static Dim divide(Dims *ds, Dim a, Dim b, Dim *rest) {
    Dim q = dim_number(ds, 0), left = a;
    *rest = dim_number(ds, 0);
    while (left->len) {
        Mono m;
        Dim lead = intern_dim(ds, &left->monos[0], 1);
        if (divide_mono(ds, &left->monos[0], &b->monos[0], &m)) {
            q = dim_add(ds, q, intern_dim(ds, &m, 1));
            left = dim_sub(ds, left, mul_mono(ds, b, &m));
        } else {
            *rest = dim_add(ds, *rest, lead);
            left = dim_sub(ds, left, lead);
        }
    }
    return q;
}

Dim dim_div(Dims *ds, Dim a, Dim b) {
    int64_t x, k;
    if (dim_is_const(b, &k)) {
        if (k == 0) bug("a size divided by 0");
        if (dim_is_const(a, &x)) return dim_number(ds, floor_div(x, k));
        if (k < 0) return dim_div(ds, dim_sub(ds, dim_number(ds, 0), a), dim_number(ds, -k));
    }
    Dim rest, q = divide(ds, a, b, &rest);
    if (rest->len == 0) return q;
    if (!dim_is_const(b, &k)) return quotient(ds, a, b);
    /* floor((k*q + rest) / k) = q + floor(rest / k), also for the constant of the rest */
    const Mono *last = &rest->monos[rest->len - 1];
    if (last->natoms == 0) {
        int64_t whole = floor_div(last->coef, k);
        q = dim_add(ds, q, dim_number(ds, whole));
        rest = dim_sub(ds, rest, dim_number(ds, whole * k));
        if (dim_is_const(rest, &x)) return q;
    }
    /* floor(floor(n / m) / k) = floor(n / (m*k)) */
    const Mono *only = &rest->monos[0];
    if (rest->len == 1 && only->coef == 1 && only->natoms == 1 && !only->atoms[0]->name)
        return dim_add(ds, q, dim_div(ds, only->atoms[0]->num, dim_mul(ds, only->atoms[0]->den, b)));
    return dim_add(ds, q, quotient(ds, rest, b));
}

bool dim_difference(Dims *ds, Dim a, Dim b, int64_t *difference) { return dim_is_const(dim_sub(ds, a, b), difference); }

bool dim_differs(Dims *ds, Dim a, Dim b) {
    int64_t d;
    return a != b && dim_difference(ds, a, b, &d) && d != 0;
}

/* ---- printing ---- */

static void print_operand(Str *out, Dim d) {
    bool plain = d->len == 0 ||
                 (d->len == 1 && (d->monos[0].natoms == 0 ||
                                  (d->monos[0].natoms == 1 && d->monos[0].coef == 1 && d->monos[0].atoms[0]->name)));
    str_add(out, plain ? "" : "(");
    dim_print(out, d);
    str_add(out, plain ? "" : ")");
}

static void print_atom(Str *out, const Atom *a, bool alone) {
    if (a->name) {
        str_add(out, "%s", a->name);
        return;
    }
    str_add(out, alone ? "" : "(");
    print_operand(out, a->num);
    str_add(out, " div ");
    print_operand(out, a->den);
    str_add(out, alone ? "" : ")");
}

void dim_print(Str *out, Dim d) {
    if (d->len == 0) str_add(out, "0");
    for (int i = 0; i < d->len; i++) {
        const Mono *m = &d->monos[i];
        bool negative = m->coef < 0;
        int64_t coef = negative ? -m->coef : m->coef;
        str_add(out, "%s", i == 0 ? (negative ? "-" : "") : negative ? " - " : " + ");
        if (coef != 1 || m->natoms == 0) str_add(out, "%lld%s", (long long)coef, m->natoms ? "*" : "");
        for (int k = 0; k < m->natoms; k++) {
            if (k) str_add(out, "*");
            print_atom(out, m->atoms[k], d->len == 1 && m->natoms == 1 && coef == 1);
        }
    }
}
