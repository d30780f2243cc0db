/* links: nnc_ir nnc_reference */
/* Index expressions: canonical forms, simplification of reshapes, and exactness against evaluation. */
#include "compiler/base/arena.h"
#include "compiler/ir/affine.h"

#include <criterion/criterion.h>

typedef struct {
    Arena *arena;
    AffTable *t;
    uint64_t seed;
} Fix;

static Fix fix_new(void) {
    Arena *a = arena_new();
    return (Fix){a, aff_table_new(a), 88172645463325252u};
}

static int64_t pick(Fix *f, int64_t lo, int64_t hi) {
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return lo + (int64_t)((f->seed >> 11) % (uint64_t)(hi - lo + 1));
}

static void expect(const Aff *a, const char *text) {
    Str s = {0};
    aff_print(&s, a, NULL, NULL);
    cr_expect_str_eq(s.at, text);
    vec_free(&s);
}

/* k0*v0 + k1*v1 + k2*v2 + c */
static const Aff *sum(AffTable *t, int64_t k0, int64_t k1, int64_t k2, int64_t c) {
    const Aff *r = aff_const(t, c);
    r = aff_add(t, r, aff_scale(t, aff_var(t, 0), k0));
    r = aff_add(t, r, aff_scale(t, aff_var(t, 1), k1));
    return aff_add(t, r, aff_scale(t, aff_var(t, 2), k2));
}

Test(affine, equal_expressions_are_one_pointer) {
    Fix f = fix_new();
    const Aff *a = sum(f.t, 3, 1, 0, -1);
    const Aff *b = aff_sub(f.t, aff_add(f.t, aff_var(f.t, 1), aff_scale(f.t, aff_var(f.t, 0), 3)), aff_const(f.t, 1));
    cr_expect_eq(a, b);
    expect(a, "3*v0 + v1 - 1");
    cr_expect_eq(aff_sub(f.t, a, b), aff_const(f.t, 0));
    arena_free(f.arena);
}

Test(affine, exact_forms_without_ranges) {
    Fix f = fix_new();
    expect(aff_div(f.t, sum(f.t, 6, 1, 0, 7), 3), "2*v0 + (v1 + 1) div 3 + 2");
    expect(aff_mod(f.t, sum(f.t, 6, 1, 0, 7), 3), "(v1 + 1) mod 3");
    expect(aff_div(f.t, sum(f.t, 2, 0, 0, 1), 4), "v0 div 2");
    expect(aff_mod(f.t, sum(f.t, 2, 0, 0, 1), 4), "2*(v0 mod 2) + 1");
    expect(aff_div(f.t, aff_div(f.t, aff_var(f.t, 0), 3), 5), "v0 div 15");
    expect(aff_mod(f.t, aff_mod(f.t, aff_var(f.t, 0), 12), 4), "v0 mod 4");
    expect(aff_div(f.t, aff_mod(f.t, aff_var(f.t, 0), 12), 4), "(v0 div 4) mod 3");
    expect(aff_div(f.t, sum(f.t, -1, 0, 0, 0), 2), "(-v0) div 2");
    arena_free(f.arena);
}

Test(affine, flatten_then_reshape_is_plain) {
    Fix f = fix_new();
    const int64_t ext[3] = {4, 5, 6};
    const Aff *flat = sum(f.t, 30, 6, 1, 0);
    const Aff *i2 = aff_mod(f.t, flat, 6), *i1 = aff_mod(f.t, aff_div(f.t, flat, 6), 5), *i0 = aff_div(f.t, flat, 30);
    expect(aff_simplify(f.t, i0, ext, 3), "v0");
    expect(aff_simplify(f.t, i1, ext, 3), "v1");
    expect(aff_simplify(f.t, i2, ext, 3), "v2");
    expect(aff_simplify(f.t, aff_mod(f.t, flat, 30), ext, 3), "6*v1 + v2");
    arena_free(f.arena);
}

Test(affine, reshape_then_flatten_is_plain) {
    Fix f = fix_new();
    const int64_t ext[1] = {120};
    const Aff *v = aff_var(f.t, 0), *i2 = aff_mod(f.t, v, 6), *i1 = aff_mod(f.t, aff_div(f.t, v, 6), 5),
              *i0 = aff_div(f.t, v, 30);
    const Aff *flat = aff_add(f.t, aff_add(f.t, aff_scale(f.t, i0, 30), aff_scale(f.t, i1, 6)), i2);
    expect(aff_simplify(f.t, flat, ext, 1), "v0");
    expect(aff_simplify(f.t, aff_scale(f.t, flat, 7), ext, 1), "7*v0");
    expect(aff_simplify(f.t, aff_sub(f.t, v, aff_scale(f.t, aff_div(f.t, v, 7), 7)), ext, 1), "v0 mod 7");
    arena_free(f.arena);
}

static const Aff *random_aff(Fix *f, int depth) {
    const Aff *r = aff_const(f->t, pick(f, -9, 9));
    for (int64_t i = pick(f, 1, 3); i > 0; i--) {
        const Aff *x = aff_var(f->t, (int)pick(f, 0, 2));
        if (depth && pick(f, 0, 1)) {
            x = random_aff(f, depth - 1);
            x = pick(f, 0, 1) ? aff_div(f->t, x, pick(f, 1, 12)) : aff_mod(f->t, x, pick(f, 1, 12));
        }
        r = aff_add(f->t, r, aff_scale(f->t, x, pick(f, -6, 6)));
    }
    return r;
}

/* Flatten and reshape twice over a random row-major space: always plain again. */
Test(affine, random_reshape_chains_are_plain) {
    Fix f = fix_new();
    for (int trial = 0; trial < 300; trial++) {
        int64_t d[3] = {pick(&f, 1, 6), pick(&f, 1, 6), pick(&f, 1, 6)};
        const Aff *flat = sum(f.t, d[1] * d[2], d[2], 1, 0);
        int64_t n = d[0] * d[1] * d[2], a = pick(&f, 1, n), b;
        while (n % a) a--;
        b = n / a;
        const Aff *q = aff_div(f.t, flat, b), *r = aff_mod(f.t, flat, b);
        q = aff_simplify(f.t, q, d, 3);
        r = aff_simplify(f.t, r, d, 3);
        const Aff *back = aff_simplify(f.t, aff_add(f.t, aff_scale(f.t, q, b), r), d, 3);
        cr_assert_eq(back, aff_simplify(f.t, flat, d, 3));
    }
    arena_free(f.arena);
}

/* Every operation agrees with arithmetic on values; simplification keeps values and ranges hold them. */
Test(affine, random_expressions_are_exact) {
    Fix f = fix_new();
    for (int trial = 0; trial < 4000; trial++) {
        int64_t ext[3] = {pick(&f, 1, 7), pick(&f, 1, 7), pick(&f, 1, 7)}, at[3], lo, hi, by = pick(&f, 1, 20);
        const Aff *a = random_aff(&f, 3), *b = random_aff(&f, 2), *map[2] = {random_aff(&f, 1), NULL};
        const Aff *s = aff_simplify(f.t, a, ext, 3), *moved = aff_subst(f.t, a, map, 2);
        const Aff *quot = aff_div(f.t, a, by), *rem = aff_mod(f.t, a, by), *total = aff_add(f.t, a, b), *rest;
        cr_assert(aff_range(s, ext, 3, &lo, &hi));
        int64_t k;
        bool split = aff_split(f.t, a, 1, &k, &rest);
        cr_assert_eq(aff_simplify(f.t, s, ext, 3), s);
        for (at[0] = 0; at[0] < ext[0]; at[0]++)
            for (at[1] = 0; at[1] < ext[1]; at[1]++)
                for (at[2] = 0; at[2] < ext[2]; at[2]++) {
                    int64_t v = aff_eval(a, at), q = v >= 0 ? v / by : -((-v + by - 1) / by);
                    cr_assert_eq(aff_eval(s, at), v);
                    cr_assert(lo <= v && v <= hi);
                    cr_assert_eq(aff_eval(quot, at), q);
                    cr_assert_eq(aff_eval(rem, at), v - q * by);
                    cr_assert_eq(aff_eval(total, at), v + aff_eval(b, at));
                    cr_assert_eq(aff_eval(moved, at), aff_eval(a, (int64_t[]){aff_eval(map[0], at), at[1], at[2]}));
                    if (split) cr_assert_eq(k * at[1] + aff_eval(rest, at), v);
                }
    }
    arena_free(f.arena);
}

Test(affine, ranges) {
    Fix f = fix_new();
    int64_t lo, hi;
    const int64_t ext[3] = {4, 5, 0};
    cr_expect(aff_range(sum(f.t, 3, -2, 0, 1), ext, 3, &lo, &hi));
    cr_expect_eq(lo, -7);
    cr_expect_eq(hi, 10);
    cr_expect_not(aff_range(sum(f.t, 3, -2, 1, 1), ext, 3, &lo, &hi));
    cr_expect_not(aff_range(sum(f.t, 3, -2, 0, 1), ext, 1, &lo, &hi));
    cr_expect(aff_range(aff_mod(f.t, aff_var(f.t, 2), 9), ext, 3, &lo, &hi));
    cr_expect_eq(hi, 8);
    arena_free(f.arena);
}
