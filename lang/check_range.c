/* The ranges of indices: the largest for which every access is inside of its tensor.
 *
 * An access with the affine index  base + sum of coef * i  of a dim of `size` elements asks for 0 <= it < size. Where
 * all of its indices but one have a range, that bounds the one. So ranges are found one after the other: first indices
 * all of whose accesses are decided, then those with any such access. Accesses under a condition bound what nothing
 * else does. */
#include "lang/check.h"

/* The one index of an access without a range; NULL where there is none or another one. */
static TermIndex *open_index(const struct Access *a, bool *several) {
    TermIndex *open = NULL;
    *several = false;
    for (int i = 0; i < a->affine->len; i++) {
        if (a->affine->terms[i].index->extent) continue;
        *several = *several || open != NULL;
        open = a->affine->terms[i].index;
    }
    return *several ? NULL : open;
}

static bool mentions(const struct Access *a, const TermIndex *index) {
    for (int i = 0; i < a->affine->len; i++)
        if (a->affine->terms[i].index == index) return true;
    return false;
}

static bool is_negative(Dim d) {
    int64_t n;
    return dim_is_const(d, &n) && n < 0;
}

/* The least and the largest value of an access's index over the ranges of all indices but `without`. */
static void extremes(Checker *c, const struct Access *a, const TermIndex *without, Dim *least, Dim *most) {
    *least = *most = a->affine->base;
    for (int i = 0; i < a->affine->len; i++) {
        const struct AffineTerm *t = &a->affine->terms[i];
        if (t->index == without) continue;
        Dim last = dim_mul(c->dims, t->coef, dim_sub(c->dims, t->index->extent, dim_number(c->dims, 1)));
        Dim *side = is_negative(t->coef) ? least : most;
        *side = dim_add(c->dims, *side, last);
    }
}

/* The last value that the index itself, before a division, may have. */
static Dim last_inside(Checker *c, const struct Access *a) {
    Dim size = a->affine->den ? dim_mul(c->dims, a->size, a->affine->den) : a->size;
    return dim_sub(c->dims, size, dim_number(c->dims, 1));
}

static Dim extent_from(Checker *c, const struct Access *a, const TermIndex *index) {
    Dim least, most, coef = NULL;
    extremes(c, a, index, &least, &most);
    for (int i = 0; i < a->affine->len; i++)
        if (a->affine->terms[i].index == index) coef = a->affine->terms[i].coef;
    Dim room = is_negative(coef) ? least : dim_sub(c->dims, last_inside(c, a), most);
    if (is_negative(coef)) coef = dim_sub(c->dims, dim_number(c->dims, 0), coef);
    return dim_add(c->dims, dim_div(c->dims, room, coef), dim_number(c->dims, 1));
}

static Dim smaller(Checker *c, Dim a, Dim b) {
    int64_t d;
    return a && dim_difference(c->dims, a, b, &d) && d > 0 ? b : a ? a : b;
}

/* Finds the range of an index from its accesses, `guarded` ones or not, of which `all` or any must be decided. */
static bool bound_index(Checker *c, const IndexContext *ctx, TermIndex *index, bool guarded, bool all) {
    Dim extent = NULL;
    const struct Access *by = NULL;
    for (size_t i = 0; i < ctx->accesses.len; i++) {
        const struct Access *a = &ctx->accesses.at[i];
        bool several;
        if (a->guarded != guarded || !mentions(a, index)) continue;
        if (open_index(a, &several) != index) {
            if (all) return false;
            continue;
        }
        Dim e = extent_from(c, a, index);
        if (smaller(c, extent, e) != extent) by = a;
        extent = smaller(c, extent, e);
    }
    if (!extent) return false;
    int64_t n;
    if (dim_is_const(extent, &n) && n <= 0 && !dim_is(by->size, 0)) {
        Diag *d = err(c, by->at, index_empty, index->name, source_text(c, by->at), dim_text(c, by->size));
        label_origin(c, d, by->of);
    }
    index->extent = dim_is_const(extent, &n) && n < 0 ? dim_number(c->dims, 0) : extent;
    return true;
}

static bool one_round(Checker *c, const IndexContext *ctx, bool guarded, bool all) {
    for (size_t i = 0; i < ctx->indices.len; i++) {
        TermIndex *index = ctx->indices.at[i].index;
        if (!index->extent && bound_index(c, ctx, index, guarded, all)) return true;
    }
    return false;
}

static bool check_access(Checker *c, const struct Access *a) {
    for (int i = 0; i < a->affine->len; i++) {
        Dim extent = a->affine->terms[i].index->extent;
        if (!extent || dim_is(extent, 0)) return true;
    }
    Dim least, most, last = last_inside(c, a);
    extremes(c, a, NULL, &least, &most);
    if (!is_negative(least) && !is_negative(dim_sub(c->dims, last, most))) return true;
    Diag *d = err(c, a->at, access_range, source_text(c, a->at), dim_text(c, least), dim_text(c, most),
                  type_text(c, a->of->type), dim_text(c, a->size));
    label_origin(c, d, a->of);
    diag_help(c->nnc, d, "pad(x, ...) makes room, a condition around the access leaves elements out");
    return false;
}

/* How often a definition's body is evaluated must be a number that a machine can count to. */
static void check_total(Checker *c, const IndexContext *ctx) {
    const int64_t most = INT64_C(1) << 56;
    int64_t total = 1, n;
    for (size_t i = 0; i < ctx->indices.len; i++) {
        if (!dim_is_const(ctx->indices.at[i].index->extent, &n)) continue;
        if (!__builtin_mul_overflow(total, MAX(n, 1), &total) && total <= most) continue;
        err(c, ctx->indices.at[i].at, index_total);
        return;
    }
}

bool ranges_solve(Checker *c, IndexContext *ctx) {
    int errors = c->nnc->diags.errors;
    while (one_round(c, ctx, false, true) || one_round(c, ctx, false, false) || one_round(c, ctx, true, true) ||
           one_round(c, ctx, true, false)) {
    }
    for (size_t i = 0; i < ctx->indices.len; i++) {
        const struct IndexState *state = &ctx->indices.at[i];
        if (state->index->extent) continue;
        diag_help(c->nnc, err(c, state->at, index_unbounded, state->index->name), "give its range: %s in 0..n",
                  state->index->name);
        return false;
    }
    for (size_t i = 0; i < ctx->accesses.len; i++)
        if (!ctx->accesses.at[i].guarded) check_access(c, &ctx->accesses.at[i]);
    check_total(c, ctx);
    return c->nnc->diags.errors == errors;
}
