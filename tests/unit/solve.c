/* links: nnc_pass nnc_ir */
/* Index equations: random maps against brute force, and the shapes that matter. */
#include "compiler/nnc.h"
#include "compiler/pass/solve.h"

#include <criterion/criterion.h>

enum { MOST = 16 };

typedef struct {
    Nnc *nnc;
    AffTable *t;
    uint64_t seed;
    int rows, unknowns;
    int64_t extent[MOST]; /* the known variables, one a row, then the unknowns */
    const Aff *f[MOST];   /* of the unknowns; row r says f[r] = known variable r */
} Fix;

static int pick(Fix *f, int n) {
    f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((f->seed >> 33) % (uint64_t)n);
}

static const Aff *linear(Fix *f) {
    static const int coefs[] = {0, 0, 1, 1, 2, 3, -1, -2, 4};
    const Aff *a = aff_const(f->t, pick(f, 4));
    for (int q = 0; q < f->unknowns; q++) {
        const Aff *v = aff_var(f->t, f->rows + q);
        a = aff_add(f->t, a, aff_scale(f->t, v, coefs[pick(f, (int)COUNT(coefs))]));
    }
    return a;
}

static const Aff *quasi_affine(Fix *f) {
    const Aff *a = linear(f);
    switch (pick(f, 5)) {
    case 0: return aff_div(f->t, a, 1 + pick(f, 4));
    case 1: return aff_mod(f->t, a, 1 + pick(f, 4));
    case 2: return aff_add(f->t, aff_div(f->t, a, 2 + pick(f, 3)), aff_var(f->t, f->rows + pick(f, f->unknowns)));
    case 3: return aff_mod(f->t, aff_div(f->t, a, 2 + pick(f, 2)), 2 + pick(f, 3));
    default: return a;
    }
}

/* The digits of one expression, most significant first: what a reshape loads at. */
static void digits(Fix *f) {
    const Aff *a = linear(f);
    for (int r = f->rows - 1; r > 0; r--) {
        int base = 1 + pick(f, 3);
        f->f[r] = aff_mod(f->t, a, base);
        a = aff_div(f->t, a, base);
    }
    f->f[0] = a;
}

static void setup(Fix *f, int kind) {
    f->nnc = nnc_new();
    f->t = aff_table_new(f->nnc->arena);
    f->rows = 1 + pick(f, 3);
    f->unknowns = 1 + pick(f, 4);
    for (int r = 0; r < f->rows; r++) f->extent[r] = 8;
    for (int q = 0; q < f->unknowns; q++) f->extent[f->rows + q] = 1 + pick(f, 5);
    for (int r = 0; r < f->rows; r++) f->f[r] = kind ? quasi_affine(f) : linear(f);
    if (kind == 2) digits(f);
    for (int r = 0; r < f->rows; r++) f->f[r] = aff_simplify(f->t, f->f[r], f->extent, f->rows + f->unknowns);
}

static Solution solve(Fix *f) {
    const Aff *rows[MOST];
    for (int r = 0; r < f->rows; r++) rows[r] = aff_sub(f->t, f->f[r], aff_var(f->t, r));
    return solve_rows(f->t, f->nnc->arena, f->rows, f->unknowns, f->extent, f->rows, rows);
}

/* The next point of a box in row-major order; false after the last. */
static bool next(int64_t *at, const int64_t *extent, int n) {
    for (int i = n - 1; i >= 0; i--) {
        if (++at[i] < extent[i]) return true;
        at[i] = 0;
    }
    return false;
}

/* At the known point at[0 .. rows-1]: every solution found once, and nothing else. */
static bool agrees(Fix *f, const Solution *s, const int64_t *known) {
    int64_t q[2 * MOST] = {0}, p[2 * MOST] = {0};
    int left = 0, index = 0;
    char want[700];
    for (int r = 0; r < f->rows; r++) q[r] = p[r] = known[r];
    do {
        bool solves = true;
        for (int r = 0; r < f->rows; r++) solves = solves && aff_eval(f->f[r], q) == known[r];
        left += solves;
        want[index++] = solves;
    } while (next(q + f->rows, f->extent + f->rows, f->unknowns));
    do {
        bool holds = true;
        for (int c = 0; c < s->nconds; c++) {
            int64_t v = aff_eval(s->conds[c].aff, p);
            holds = holds && s->conds[c].lo <= v && v < s->conds[c].hi;
        }
        if (!holds) continue;
        int64_t number = 0;
        for (int i = 0; i < f->unknowns; i++) {
            int64_t v = aff_eval(s->unknown[i], p), n = f->extent[f->rows + i];
            if (v < 0 || v >= n) return false;
            number = number * n + v;
        }
        if (s->never || !want[number]) return false;
        want[number] = 0;
        left--;
    } while (next(p + f->rows, s->extents + f->rows, s->nvars - f->rows));
    return left == 0;
}

static void check_random(int kind, int trials) {
    Fix f = {.seed = 1};
    for (int trial = 0; trial < trials; trial++) {
        int64_t known[MOST] = {0};
        setup(&f, kind);
        Solution s = solve(&f);
        cr_assert(s.nvars < 2 * MOST);
        do cr_assert(agrees(&f, &s, known), "kind %d, trial %d", kind, trial);
        while (next(known, f.extent, f.rows));
        nnc_free(f.nnc);
    }
}

Test(solve, random_affine_maps) { check_random(0, 3000); }
Test(solve, random_quotients_and_remainders) { check_random(1, 600); }
Test(solve, random_reshapes) { check_random(2, 600); }

static Fix shape(int rows, int unknowns, const int64_t *extents) {
    Fix f = {.nnc = nnc_new(), .rows = rows, .unknowns = unknowns};
    f.t = aff_table_new(f.nnc->arena);
    for (int i = 0; i < rows + unknowns; i++) f.extent[i] = extents[i];
    return f;
}

static const Aff *term(Fix *f, int64_t k, int unknown) { return aff_scale(f->t, aff_var(f->t, f->rows + unknown), k); }

static double free_points(const Fix *f, const Solution *s) {
    double n = 1;
    for (int v = f->rows; v < s->nvars; v++) n *= (double)s->extents[v];
    return n;
}

Test(solve, stride_2_convolution_keeps_2x2_taps) {
    Fix f = shape(2, 4, (int64_t[]){33, 33, 16, 16, 3, 3});
    for (int d = 0; d < 2; d++) f.f[d] = aff_add(f.t, term(&f, 2, d), term(&f, 1, 2 + d));
    Solution s = solve(&f);
    cr_expect_eq(free_points(&f, &s), 4);
    cr_expect_not(s.entangled);
    nnc_free(f.nnc);
}

Test(solve, a_stride_of_the_window_leaves_nothing) { /* 2x2 pooling */
    Fix f = shape(1, 2, (int64_t[]){32, 16, 2});
    f.f[0] = aff_add(f.t, term(&f, 2, 0), term(&f, 1, 1));
    Solution s = solve(&f);
    cr_expect_eq(s.nvars, 1);
    cr_expect_eq(s.nconds, 0);
    nnc_free(f.nnc);
}

Test(solve, mixed_radices_come_apart) { /* a flattened [2, 28, 30] tensor, whichever index is the longest */
    Fix f = shape(1, 3, (int64_t[]){1680, 2, 28, 30});
    f.f[0] = aff_add(f.t, aff_add(f.t, term(&f, 840, 0), term(&f, 30, 1)), term(&f, 1, 2));
    Solution s = solve(&f);
    cr_expect_eq(s.nvars, 1);
    cr_expect_eq(s.nconds, 0);
    nnc_free(f.nnc);
}

Test(solve, reshapes_recombine) { /* k -> [k div 784, (k div 28) mod 28, k mod 28] */
    Fix f = shape(3, 1, (int64_t[]){2, 28, 28, 1568});
    f.f[0] = aff_div(f.t, term(&f, 1, 0), 784);
    f.f[1] = aff_mod(f.t, aff_div(f.t, term(&f, 1, 0), 28), 28);
    f.f[2] = aff_mod(f.t, term(&f, 1, 0), 28);
    Solution s = solve(&f);
    cr_expect_eq(s.nvars, 3);
    cr_expect_eq(s.nconds, 0);
    nnc_free(f.nnc);
}

Test(solve, a_row_solved_first_frees_another) { /* x[i + k, i]: i from the second row, then k from the first */
    Fix f = shape(2, 2, (int64_t[]){12, 8, 8, 5});
    f.f[0] = aff_add(f.t, term(&f, 1, 0), term(&f, 1, 1));
    f.f[1] = term(&f, 1, 0);
    Solution s = solve(&f);
    cr_expect_eq(s.nvars, 2);
    nnc_free(f.nnc);
}

Test(solve, reshapes_around_a_transpose) { /* [4, 6] as [8, 3], transposed, as [4, 6] again */
    Fix f = shape(2, 2, (int64_t[]){4, 6, 4, 6});
    const Aff *flat = aff_add(f.t, term(&f, 6, 0), term(&f, 1, 1));
    flat = aff_add(f.t, aff_scale(f.t, aff_mod(f.t, flat, 8), 3), aff_div(f.t, flat, 8));
    f.f[0] = aff_div(f.t, flat, 6);
    f.f[1] = aff_mod(f.t, flat, 6);
    Solution s = solve(&f);
    cr_expect_not(s.entangled);
    cr_expect_leq(free_points(&f, &s), 2);
    nnc_free(f.nnc);
}
