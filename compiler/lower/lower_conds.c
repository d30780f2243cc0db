/* Conditions on indices: what comparisons mean as intervals of index expressions, and what they prove about accesses.
 */
#include "compiler/lower/lower_scope.h"

#include <string.h>

int lower_scope_find(const Scope *s, const TermIndex *i) {
    for (int v = 0; v < s->n; v++)
        if (s->indices[v] == i) return v;
    return -1;
}

static const Conds *one_cond(Lower *l, const Aff *a, int64_t lo, int64_t hi) {
    Conds *c = ARENA_NEW(l->nnc->arena, Conds);
    *c = (Conds){arena_copy(l->nnc->arena, &(Cond){a, lo, hi}, sizeof(Cond)), 1};
    return c;
}

Conds lower_conds_join(Lower *l, Conds a, Conds b) {
    Cond *at = ARENA_ARRAY(l->nnc->arena, Cond, MAX(a.n + b.n, 1));
    if (a.n) memcpy(at, a.at, (size_t)a.n * sizeof *at);
    if (b.n) memcpy(at + a.n, b.at, (size_t)b.n * sizeof *at);
    return (Conds){at, a.n + b.n};
}

static const Conds *both(Lower *l, const Conds *a, const Conds *b) {
    if (!a || !b) return NULL;
    Conds joined = lower_conds_join(l, *a, *b);
    return arena_copy(l->nnc->arena, &joined, sizeof joined);
}

void lower_conds_of(Lower *l, ExKind op, const Value *a, const Value *b, Value *v) {
    if (op == EX_NOT) v->yes = a->no, v->no = a->yes;
    if (op == EX_AND) v->yes = both(l, a->yes, b->yes);
    if (op == EX_OR) v->no = both(l, a->no, b->no);
    if ((op != EX_LT && op != EX_LE && op != EX_EQ && op != EX_NE) || !a->aff || !b->aff) return;
    const Aff *d = aff_sub(l->g->affs, b->aff, a->aff);
    if (op == EX_EQ) v->yes = one_cond(l, d, 0, 1);
    if (op == EX_NE) v->no = one_cond(l, d, 0, 1);
    if (op == EX_LT) v->yes = one_cond(l, d, 1, INT64_MAX), v->no = one_cond(l, d, INT64_MIN, 1);
    if (op == EX_LE) v->yes = one_cond(l, d, 0, INT64_MAX), v->no = one_cond(l, d, INT64_MIN, 0);
}

static bool mapped(const Aff *a, const Aff *const *map, int n) {
    for (int v = 0; v < n; v++)
        if (!map[v] && aff_uses(a, v)) return false;
    return true;
}

Conds lower_conds_map(Lower *l, Conds c, const Aff *const *map, int n) {
    Cond *at = ARENA_ARRAY(l->nnc->arena, Cond, MAX(c.n, 1));
    int kept = 0;
    for (int i = 0; i < c.n; i++)
        if (mapped(c.at[i].aff, map, n))
            at[kept++] = (Cond){aff_subst(l->g->affs, c.at[i].aff, map, n), c.at[i].lo, c.at[i].hi};
    return (Conds){at, kept};
}

/* Narrows lo <= a <= hi by condition k: with a = sign * k->aff + rest, by its bounds (the ends of int64 are none) and
 * the range of `rest`, which is often a constant. */
static void narrow(Lower *l, const Scope *s, const Cond *k, int sign, const Aff *a, int64_t *lo, int64_t *hi) {
    const Aff *rest = aff_sub(l->g->affs, a, aff_scale(l->g->affs, k->aff, sign));
    int64_t rlo, rhi, bound;
    if (!aff_range(rest, s->extents, s->n, &rlo, &rhi)) return;
    bool below = k->lo != INT64_MIN, above = k->hi != INT64_MAX;
    if (sign > 0 ? below : above)
        if (!__builtin_add_overflow(sign > 0 ? k->lo : 1 - k->hi, rlo, &bound)) *lo = MAX(*lo, bound);
    if (sign > 0 ? above : below)
        if (!__builtin_add_overflow(sign > 0 ? k->hi - 1 : -k->lo, rhi, &bound)) *hi = MIN(*hi, bound);
}

/* Is 0 <= a < size, given conditions first .. end-1? */
static bool proved(Lower *l, const Context *c, int first, int end, const Aff *a, int64_t size) {
    const Scope *s = c->scope;
    int64_t lo, hi;
    if (!aff_range(a, s->extents, s->n, &lo, &hi)) return true; /* an empty domain */
    for (int i = first; i < end; i++) {
        narrow(l, s, &c->conds.at[i], 1, a, &lo, &hi);
        narrow(l, s, &c->conds.at[i], -1, a, &lo, &hi);
    }
    return lo >= 0 && hi < size;
}

bool lower_proves(Lower *l, const Context *c, const Aff *a, int64_t size) {
    if (proved(l, c, 0, 0, a, size) || proved(l, c, c->outer, c->conds.n, a, size)) return true;
    if (!proved(l, c, 0, c->conds.n, a, size)) return false;
    c->scope->leans = true;
    return true;
}
