/* Index expressions. Over the lanes of a vector most are base + coef * lane, which needs no vector at all; quotients
 * and remainders are too where all lanes fall into one multiple of the divisor. */
#include "compiler/llvm/emit.h"

static bool range(const Emit *e, const Aff *a, int64_t *lo, int64_t *hi) {
    return aff_range(a, e->kernel->extents, e->kernel->nvars, lo, hi);
}

static bool never_negative(const Emit *e, const Aff *a) {
    int64_t lo, hi;
    return range(e, a, &lo, &hi) && lo >= 0;
}

/* ---- in scalars ---- */

/* round down; by > 0 */
static V divide(const L *l, V of, int64_t by, bool positive) {
    V d = l_int(LLVMTypeOf(of), by);
    if (positive) return LLVMBuildUDiv(l->b, of, d, "");
    V r = LLVMBuildSRem(l->b, of, d, ""), q = LLVMBuildSDiv(l->b, of, d, "");
    V below = LLVMBuildICmp(l->b, LLVMIntSLT, r, LLVMConstNull(LLVMTypeOf(r)), "");
    return LLVMBuildAdd(l->b, q, LLVMBuildSExt(l->b, below, LLVMTypeOf(q), ""), "");
}

static V modulo(const L *l, V of, int64_t by, bool positive) {
    V d = l_int(LLVMTypeOf(of), by);
    if (positive) return LLVMBuildURem(l->b, of, d, "");
    V r = LLVMBuildSRem(l->b, of, d, "");
    V below = LLVMBuildICmp(l->b, LLVMIntSLT, r, LLVMConstNull(LLVMTypeOf(r)), "");
    return LLVMBuildSelect(l->b, below, LLVMBuildAdd(l->b, r, d, ""), r, "");
}

static V sum(const L *l, V total, V term, int64_t coef) {
    if (coef != 1) term = LLVMBuildNSWMul(l->b, term, l_int(LLVMTypeOf(term), coef), "");
    return total ? LLVMBuildNSWAdd(l->b, total, term, "") : term;
}

/* A term without its coefficient. */
static V emit_atom(Emit *e, const AffTerm *t) {
    const L *l = &e->l;
    if (t->kind == ATOM_VAR) {
        if (!e->vars[t->var]) bug("kernel %s: v%d is used outside of its loop", e->kernel->name, t->var);
        return e->vars[t->var];
    }
    bool positive = never_negative(e, t->of);
    V v = emit_aff(e, t->of);
    return t->kind == ATOM_DIV ? divide(l, v, t->by, positive) : modulo(l, v, t->by, positive);
}

V emit_aff(Emit *e, const Aff *a) {
    const L *l = &e->l;
    V total = NULL;
    for (int i = 0; i < a->nterms; i++) total = sum(l, total, emit_atom(e, &a->terms[i]), a->terms[i].coef);
    if (!total) return l_i64(l, a->constant);
    return a->constant ? LLVMBuildNSWAdd(l->b, total, l_i64(l, a->constant), "") : total;
}

/* ---- addresses ---- */

/* When the innermost of its variables was bound; 0 where all are constant. */
static uint64_t bound_at(const Emit *e, const Aff *a);

static uint64_t term_bound_at(const Emit *e, const AffTerm *t) {
    if (t->kind != ATOM_VAR) return bound_at(e, t->of);
    return e->vars[t->var] && LLVMIsConstant(e->vars[t->var]) ? 0 : e->bound[t->var];
}

static uint64_t bound_at(const Emit *e, const Aff *a) {
    uint64_t last = 0;
    for (int i = 0; i < a->nterms; i++) last = MAX(last, term_bound_at(e, &a->terms[i]));
    return last;
}

/* The terms whose variables were bound first after `after`, which becomes when. Their constants go to `constant`. */
static V next_level(Emit *e, const Aff *a, uint64_t *after, int64_t bytes, int64_t *constant) {
    const L *l = &e->l;
    uint64_t next = UINT64_MAX;
    V total = NULL;
    for (int i = 0; i < a->nterms; i++) {
        uint64_t bound = term_bound_at(e, &a->terms[i]);
        if (bound > *after) next = MIN(next, bound);
    }
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        if (term_bound_at(e, t) != next) continue;
        int64_t more = 0;
        V v = l_without_constant(emit_atom(e, t), &more);
        *constant += t->coef * more;
        v = emit_times(e, v, t->coef * bytes);
        total = total ? LLVMBuildNSWAdd(l->b, total, v, "") : v;
    }
    *after = next;
    return total;
}

/* The terms whose variables are all constant. */
static int64_t constant_terms(Emit *e, const Aff *a) {
    int64_t total = 0, known;
    for (int i = 0; i < a->nterms; i++) {
        if (term_bound_at(e, &a->terms[i])) continue;
        if (!l_constant(emit_atom(e, &a->terms[i]), &known)) bug("an index of constants is not constant");
        total += a->terms[i].coef * known;
    }
    return total;
}

V emit_pointer(Emit *e, V base, LLVMTypeRef element, const Aff *a, V gathered, int64_t more) {
    const L *l = &e->l;
    int64_t bytes = l_bits(element) / 8, constant = a->constant + constant_terms(e, a) + more;
    uint64_t done = 0, last = bound_at(e, a);
    while (done < last) {
        V level = next_level(e, a, &done, bytes, &constant);
        if (gathered && done == last) base = l_step(l, element, base, gathered);
        base = l_step(l, l->i8, base, level);
    }
    if (gathered && !last) base = l_step(l, element, base, gathered);
    return constant ? l_step(l, element, base, l_i64(l, constant)) : base;
}

/* ---- over the lanes ---- */

/* A number that divides emit_aff(a) whenever this code runs; 0 where the value is 0. */
static int64_t multiple(const Emit *e, const Aff *a) {
    int64_t m = a->constant < 0 ? -a->constant : a->constant;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        int64_t of = 1, known;
        if (t->kind == ATOM_MOD)
            of = gcd64(multiple(e, t->of), t->by);
        else if (t->kind == ATOM_VAR && e->vars[t->var] && l_constant(e->vars[t->var], &known))
            of = known;
        else if (t->kind == ATOM_VAR && t->var == e->lane_var)
            of = e->lane_step;
        m = gcd64(m, t->coef * of);
    }
    return m;
}

/* The lanes of `of` are s + c*lane with s a multiple of g. No lane carries into the next multiple of `by` where g
 * divides `by` and the lanes stay below g: then (s + c*lane) div by is that of lane 0, and the remainder grows by c a
 * lane. */
static bool without_carry(const Emit *e, const AffTerm *t, int64_t *coef) {
    if (!aff_in_lanes(e, t->of, coef)) return false;
    if (*coef == 0) return true;
    return *coef > 0 && *coef * (e->lanes - 1) < gcd64(multiple(e, t->of), t->by);
}

bool aff_in_lanes(const Emit *e, const Aff *a, int64_t *coef) {
    *coef = 0;
    if (e->lane_var < 0) return true;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        if (t->kind == ATOM_VAR) {
            if (t->var == e->lane_var) *coef += t->coef;
            continue;
        }
        int64_t inside;
        if (!without_carry(e, t, &inside)) return false;
        if (t->kind == ATOM_MOD) *coef += t->coef * inside;
    }
    return true;
}

/* Small enough that lanes beyond the loop's end do not overflow either. */
static bool fits_i32(const Emit *e, const Aff *a) {
    int64_t lo, hi, limit = (int64_t)1 << 30;
    if (!range(e, a, &lo, &hi) || lo < -limit || hi > limit) return false;
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind != ATOM_VAR && !fits_i32(e, a->terms[i].of)) return false;
    for (int i = 0; i < a->nterms; i++) /* partial sums wrap around in the same way as the whole */
        if (a->terms[i].coef > limit || a->terms[i].coef < -limit) return false;
    return true;
}

static V wide_aff(Emit *e, const Aff *a, LLVMTypeRef type) {
    const L *l = &e->l;
    int64_t coef;
    if (aff_in_lanes(e, a, &coef)) {
        V first = LLVMBuildTrunc(l->b, emit_aff(e, a), l_element(type), "");
        V v = l_splat(l, first, e->lanes);
        if (!coef) return v;
        V steps = LLVMBuildMul(l->b, l_iota(l_element(type), e->lanes), l_int(type, coef), "");
        return LLVMBuildAdd(l->b, v, steps, "");
    }
    V total = l_int(type, a->constant);
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        V v;
        if (t->kind == ATOM_VAR) {
            v = l_splat(l, LLVMBuildTrunc(l->b, e->vars[t->var], l_element(type), ""), e->lanes);
            if (t->var == e->lane_var) v = LLVMBuildAdd(l->b, v, l_iota(l_element(type), e->lanes), "");
        } else {
            bool positive = never_negative(e, t->of);
            v = wide_aff(e, t->of, type);
            v = t->kind == ATOM_DIV ? divide(l, v, t->by, positive) : modulo(l, v, t->by, positive);
        }
        V scaled = t->coef == 1 ? v : LLVMBuildMul(l->b, v, l_int(type, t->coef), "");
        total = LLVMBuildAdd(l->b, total, scaled, "");
    }
    return total;
}

V emit_aff_lanes(Emit *e, const Aff *a) {
    return wide_aff(e, a, l_vector(fits_i32(e, a) ? e->l.i32 : e->l.i64, e->lanes));
}

/* ---- conditions ---- */

static V both(const L *l, V a, V b) { return a ? LLVMBuildAnd(l->b, a, b, "") : b; }

/* lo <= v < hi, without the sides that hold anyway */
static V within(Emit *e, const Cond *c, V v) {
    const L *l = &e->l;
    int64_t lo, hi;
    bool known = range(e, c->aff, &lo, &hi);
    V holds = NULL;
    if (!known || lo < c->lo) holds = LLVMBuildICmp(l->b, LLVMIntSGE, v, l_int(LLVMTypeOf(v), c->lo), "");
    if (!known || hi >= c->hi)
        holds = both(l, holds, LLVMBuildICmp(l->b, LLVMIntSLT, v, l_int(LLVMTypeOf(v), c->hi), ""));
    return holds ? holds : l_int(l_like(v, l->i1), 1);
}

/* A bound as wide as what it is compared with says the same as the bound itself. */
static Cond clamp(const Cond *c) {
    int64_t limit = (int64_t)1 << 31;
    return (Cond){c->aff, MAX(-limit, MIN(c->lo, limit - 1)), MAX(-limit, MIN(c->hi, limit - 1))};
}

Val emit_conds(Emit *e, int n, const Cond *conds) {
    const L *l = &e->l;
    V same = NULL, wide = NULL; /* of all lanes alike, and of each */
    for (int i = 0; i < n; i++) {
        int64_t coef;
        if (aff_in_lanes(e, conds[i].aff, &coef) && coef == 0) {
            same = both(l, same, within(e, &conds[i], emit_aff(e, conds[i].aff)));
            continue;
        }
        V v = emit_aff_lanes(e, conds[i].aff);
        Cond small = clamp(&conds[i]);
        wide = both(l, wide, within(e, l_bits(LLVMTypeOf(v)) == 32 ? &small : &conds[i], v));
    }
    if (!wide) return (Val){same ? same : l_int(l->i1, 1), false};
    if (same) wide = both(l, wide, l_splat(l, same, e->lanes));
    return (Val){wide, true};
}
