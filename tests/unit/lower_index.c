/* links: nnc_lower nnc_lang nnc_ir nnc_reference */
/* Lowering of index notation: bodies, reducers inside of bodies, and accesses that conditions keep inside of a tensor.
 * ir_verify, which run() calls, is what proves that no load is outside. */
#include "tests/unit/terms.h"

static Term *access1(Fix *f, Term *x, Term *i) { return access_at(f, ARGS(x, i)); }
static Term *access2(Fix *f, Term *x, Term *i, Term *j) { return access_at(f, ARGS(x, i, j)); }
static Term *integer(Fix *f, int64_t v) { return number(f, DT_I32, (double)v); }

static int count_nodes(const Graph *g, NodeKind kind) {
    int n = 0;
    for (size_t i = 0; i < g->nodes.len; i++) n += g->nodes.at[i].kind == kind;
    return n;
}

static const Node *result(const Fix *f) { return ir_node(f->g, f->g->outputs.at[f->g->outputs.len - 1].node); }

/* ---- definitions and reducers ---- */

Test(lower_index, matrix_product_is_one_comprehension) {
    Fix f = fix_new();
    double a[6], b[12], want[8] = {0};
    scramble(a, 6, 1);
    scramble(b, 12, 2);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 3; k++) want[i * 4 + j] += a[i * 3 + k] * b[k * 4 + j];
    Term *x = input(&f, DT_F64, SHAPE(2, 3), a), *y = input(&f, DT_F64, SHAPE(3, 4), b);
    TermIndex *i = index_new(&f, "i", 2), *j = index_new(&f, "j", 4), *k = index_new(&f, "k", 3);
    Term *product = calc(&f, "mul", DT_F64, access2(&f, x, at_index(&f, i), at_index(&f, k)),
                         access2(&f, y, at_index(&f, k), at_index(&f, j)));
    Term *t = define(&f, fold(&f, "sum", DT_F64, product, INDICES(k)), INDICES(i, j));
    EXPECT_NEAR(run(&f, t), want, 8, 1e-12);
    cr_expect_eq(count_nodes(f.g, N_COMP), 1);
    fix_free(&f);
}

Test(lower_index, softmax_makes_nodes_of_its_reducers) {
    Fix f = fix_new();
    double a[15], want[15];
    scramble(a, 15, 4);
    for (int i = 0; i < 3; i++) {
        double top = -INFINITY, sum = 0;
        for (int j = 0; j < 5; j++) top = fmax(top, a[i * 5 + j]);
        for (int j = 0; j < 5; j++) sum += exp(a[i * 5 + j] - top);
        for (int j = 0; j < 5; j++) want[i * 5 + j] = exp(a[i * 5 + j] - top) / sum;
    }
    Term *x = input(&f, DT_F64, SHAPE(3, 5), a);
    TermIndex *i = index_new(&f, "i", 3), *j = index_new(&f, "j", 5), *k = index_new(&f, "k", 5);
    TermIndex *m = index_new(&f, "m", 5);
    Term *top = fold(&f, "max", DT_F64, access2(&f, x, at_index(&f, i), at_index(&f, k)), INDICES(k));
    Term *ej =
        calc(&f, "exp", DT_F64, calc(&f, "sub", DT_F64, access2(&f, x, at_index(&f, i), at_index(&f, j)), top), NULL);
    Term *em =
        calc(&f, "exp", DT_F64, calc(&f, "sub", DT_F64, access2(&f, x, at_index(&f, i), at_index(&f, m)), top), NULL);
    Term *t = define(&f, calc(&f, "div", DT_F64, ej, fold(&f, "sum", DT_F64, em, INDICES(m))), INDICES(i, j));
    EXPECT_NEAR(run(&f, t), want, 15, 1e-12);
    cr_expect_eq(count_nodes(f.g, N_COMP), 3, "the largest of each row is made once");
    fix_free(&f);
}

Test(lower_index, means_and_reducers_over_several_indices) {
    Fix f = fix_new();
    double a[30], mean[2] = {0}, arg[2];
    scramble(a, 30, 5);
    for (int i = 0; i < 2; i++) {
        int best = 0;
        for (int e = 0; e < 15; e++) {
            mean[i] += a[i * 15 + e] / 15;
            if (a[i * 15 + e] < a[i * 15 + best]) best = e;
        }
        arg[i] = best;
    }
    Term *x = input(&f, DT_F64, SHAPE(2, 3, 5), a);
    TermIndex *i = index_new(&f, "i", 2), *j = index_new(&f, "j", 3), *k = index_new(&f, "k", 5);
    Term *element = access_at(&f, ARGS(x, at_index(&f, i), at_index(&f, j), at_index(&f, k)));
    EXPECT_NEAR(run(&f, define(&f, fold(&f, "mean", DT_F64, element, INDICES(j, k)), INDICES(i))), mean, 2, 1e-12);
    EXPECT(run(&f, define(&f, fold(&f, "argmin", DT_I32, element, INDICES(j, k)), INDICES(i))), arg, 2);
    fix_free(&f);
}

Test(lower_index, a_reducer_alone_is_a_scalar) {
    Fix f = fix_new();
    double a[4] = {1, 2, 3, 4}, want[1] = {20};
    Term *x = input(&f, DT_F32, SHAPE(4), a);
    TermIndex *k = index_new(&f, "k", 4);
    Term *weighted = calc(&f, "mul", DT_F32, access1(&f, x, at_index(&f, k)),
                          term(&f, T_CAST, type_of(&f, DT_F32, SCALAR), ARGS(at_index(&f, k))));
    EXPECT(run(&f, fold(&f, "sum", DT_F32, weighted, INDICES(k))), want, 1);
    fix_free(&f);
}

Test(lower_index, a_definition_need_not_use_its_indices) {
    Fix f = fix_new();
    double s[1] = {7}, want[3] = {7, 7, 7};
    Term *x = input(&f, DT_F32, SCALAR, s);
    TermIndex *i = index_new(&f, "i", 3);
    EXPECT(run(&f, define(&f, x, INDICES(i))), want, 3);
    fix_free(&f);
}

Test(lower_index, indices_are_integers_too) {
    Fix f = fix_new();
    double want[6];
    TermIndex *i = index_new(&f, "i", 2), *j = index_new(&f, "j", 3);
    for (int e = 0; e < 6; e++) want[e] = (e / 3) * (e % 3) + (e % 3) % 2;
    Term *product = calc(&f, "mul", DT_I32, at_index(&f, i), at_index(&f, j));
    Term *odd = calc(&f, "imod", DT_I32, at_index(&f, j), integer(&f, 2));
    EXPECT(run(&f, define(&f, calc(&f, "add", DT_I32, product, odd), INDICES(i, j))), want, 6);
    fix_free(&f);
}

Test(lower_index, sizes_of_nothing) {
    Fix f = fix_new();
    double none[1] = {0}, want[2] = {0, 0};
    Term *x = input(&f, DT_F32, SHAPE(2, 0), none);
    TermIndex *i = index_new(&f, "i", 2), *k = index_new(&f, "k", 0);
    Term *element = access2(&f, x, at_index(&f, i), at_index(&f, k));
    EXPECT(run(&f, define(&f, fold(&f, "sum", DT_F32, element, INDICES(k)), INDICES(i))), want, 2);
    fix_free(&f);
}

/* ---- conditions ---- */

/* out[y] = sum[k in 0..3](if y*2 + k - 1 >= 0 and y*2 + k - 1 < 7 then x[y*2 + k - 1] * w[k] else 0) */
Test(lower_index, padded_convolution_has_one_guard) {
    Fix f = fix_new();
    double a[7], w[3] = {1, 10, 100}, want[4] = {0};
    ramp(a, 7);
    for (int y = 0; y < 4; y++)
        for (int k = 0; k < 3; k++)
            if (2 * y + k - 1 >= 0 && 2 * y + k - 1 < 7) want[y] += a[2 * y + k - 1] * w[k];
    Term *x = input(&f, DT_F32, SHAPE(7), a), *v = input(&f, DT_F32, SHAPE(3), w);
    TermIndex *y = index_new(&f, "y", 4), *k = index_new(&f, "k", 3);
    Term *row = plus(&f, calc(&f, "add", DT_I32, times(&f, at_index(&f, y), 2), at_index(&f, k)), -1);
    Term *inside = compare(&f, "and", compare(&f, "le", integer(&f, 0), row), compare(&f, "lt", row, integer(&f, 7)));
    Term *product = calc(&f, "mul", DT_F32, access1(&f, x, row), access1(&f, v, at_index(&f, k)));
    Term *tap = choose(&f, inside, product, number(&f, DT_F32, 0));
    EXPECT(run(&f, define(&f, fold(&f, "sum", DT_F32, tap, INDICES(k)), INDICES(y))), want, 4);
    const Expr *body = ir_expr(f.g, result(&f)->comp.body);
    cr_assert_eq(body->kind, EX_GUARD);
    cr_expect_eq(ir_expr(f.g, body->arg[0])->kind, EX_MUL, "no guard inside of the guard");
    fix_free(&f);
}

Test(lower_index, the_other_branch_may_be_the_one_with_accesses) {
    Fix f = fix_new();
    double a[5], want[5];
    ramp(a, 5);
    for (int i = 0; i < 5; i++) want[i] = i < 2 ? -1 : a[i - 2];
    Term *x = input(&f, DT_F32, SHAPE(5), a);
    TermIndex *i = index_new(&f, "i", 5);
    Term *early = compare(&f, "lt", at_index(&f, i), integer(&f, 2));
    Term *t = choose(&f, early, number(&f, DT_F32, -1), access1(&f, x, plus(&f, at_index(&f, i), -2)));
    EXPECT(run(&f, define(&f, t, INDICES(i))), want, 5);
    const Expr *body = ir_expr(f.g, result(&f)->comp.body);
    cr_assert_eq(body->kind, EX_GUARD);
    cr_expect_eq(ir_expr(f.g, body->arg[0])->kind, EX_LOAD);
    fix_free(&f);
}

Test(lower_index, both_branches_have_accesses) {
    Fix f = fix_new();
    double a[3] = {1, 2, 3}, b[4] = {10, 20, 30, 40}, want[7] = {1, 2, 3, 10, 20, 30, 40};
    Term *x = input(&f, DT_F32, SHAPE(3), a), *y = input(&f, DT_F32, SHAPE(4), b);
    TermIndex *i = index_new(&f, "i", 7);
    Term *first = compare(&f, "lt", at_index(&f, i), integer(&f, 3));
    Term *t = choose(&f, first, access1(&f, x, at_index(&f, i)), access1(&f, y, plus(&f, at_index(&f, i), -3)));
    EXPECT(run(&f, define(&f, t, INDICES(i))), want, 7);
    fix_free(&f);
}

Test(lower_index, conditions_beyond_conjunctions) {
    double a[4] = {1, 2, 3, 4};
    for (int which = 0; which < 4; which++) {
        Fix f = fix_new();
        Term *x = input(&f, DT_F32, SHAPE(4), a);
        TermIndex *i = index_new(&f, "i", 6);
        Term *at = plus(&f, at_index(&f, i), -1), *zero = number(&f, DT_F32, 0);
        Term *low = compare(&f, "lt", at, integer(&f, 0)), *high = compare(&f, "lt", integer(&f, 3), at);
        Term *outside = compare(&f, "or", low, high), *c, *x_at = access1(&f, x, at);
        double want[6] = {0, 1, 2, 3, 4, 0};
        if (which == 0)
            c = choose(&f, outside, zero, x_at); /* low or high */
        else if (which == 1)
            c = choose(&f, calc(&f, "not", DT_BOOL, outside, NULL), x_at, zero); /* not (low or high) */
        else if (which == 2) { /* i != 0, where only i <= 4 holds of itself */
            c = choose(&f, compare(&f, "ne", at_index(&f, i), integer(&f, 0)), x_at, zero);
            want[5] = NAN;
        } else { /* a condition on values too */
            Term *large = compare(&f, "lt", number(&f, DT_F32, 2), x_at);
            c = choose(&f, compare(&f, "and", calc(&f, "not", DT_BOOL, low, NULL), large), x_at, zero);
            want[1] = want[2] = 0;
        }
        EXPECT(run(&f, define(&f, c, INDICES(i))), want, 6);
        fix_free(&f);
    }
}

Test(lower_index, equality_and_nested_conditions) {
    Fix f = fix_new();
    double a[3] = {5, 6, 7}, want[9] = {0};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) want[i * 3 + j] = i == j ? a[i] : j > i ? a[j - i - 1] : 0;
    Term *x = input(&f, DT_F32, SHAPE(3), a);
    TermIndex *i = index_new(&f, "i", 3), *j = index_new(&f, "j", 3);
    Term *above = calc(&f, "sub", DT_I32, plus(&f, at_index(&f, j), -1), at_index(&f, i));
    Term *upper =
        choose(&f, compare(&f, "lt", at_index(&f, i), at_index(&f, j)), access1(&f, x, above), number(&f, DT_F32, 0));
    Term *t = choose(&f, compare(&f, "eq", at_index(&f, i), at_index(&f, j)), access1(&f, x, at_index(&f, i)), upper);
    EXPECT(run(&f, define(&f, t, INDICES(i, j))), want, 9);
    fix_free(&f);
}

/* out[i] = if i >= 2 then sum[k in 0..3](x[i - 2 + k]) else -1 */
Test(lower_index, a_reducer_keeps_the_condition_that_its_accesses_need) {
    Fix f = fix_new();
    double a[6], want[6];
    ramp(a, 6);
    for (int i = 0; i < 6; i++) want[i] = i < 2 ? -1 : a[i - 2] + a[i - 1] + a[i];
    Term *x = input(&f, DT_F32, SHAPE(6), a);
    TermIndex *i = index_new(&f, "i", 6), *k = index_new(&f, "k", 3);
    Term *at = calc(&f, "add", DT_I32, plus(&f, at_index(&f, i), -2), at_index(&f, k));
    Term *sum = fold(&f, "sum", DT_F32, access1(&f, x, at), INDICES(k));
    Term *late = compare(&f, "le", integer(&f, 2), at_index(&f, i));
    EXPECT(run(&f, define(&f, choose(&f, late, sum, number(&f, DT_F32, -1)), INDICES(i))), want, 6);
    fix_free(&f);
}

/* out[i, j] = if j <= i then sum[k](q[i, k] * q[j, k]) else -inf */
Test(lower_index, a_reducer_without_need_is_not_guarded) {
    Fix f = fix_new();
    double q[6], want[9];
    scramble(q, 6, 9);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            want[i * 3 + j] = j <= i ? q[i * 2] * q[j * 2] + q[i * 2 + 1] * q[j * 2 + 1] : -INFINITY;
    Term *x = input(&f, DT_F64, SHAPE(3, 2), q);
    TermIndex *i = index_new(&f, "i", 3), *j = index_new(&f, "j", 3), *k = index_new(&f, "k", 2);
    Term *product = calc(&f, "mul", DT_F64, access2(&f, x, at_index(&f, i), at_index(&f, k)),
                         access2(&f, x, at_index(&f, j), at_index(&f, k)));
    Term *sum = fold(&f, "sum", DT_F64, product, INDICES(k));
    Term *causal = compare(&f, "le", at_index(&f, j), at_index(&f, i));
    Term *t = define(&f, choose(&f, causal, sum, number(&f, DT_F64, -INFINITY)), INDICES(i, j));
    EXPECT_NEAR(run(&f, t), want, 9, 1e-12);
    for (size_t r = 0; r < f.g->nodes.len; r++) {
        const Node *n = ir_node(f.g, (Ref)r);
        if (n->kind == N_COMP && n->comp.nred) cr_expect_eq(ir_expr(f.g, n->comp.body)->kind, EX_MUL);
    }
    fix_free(&f);
}

/* ---- accesses at values ---- */

Test(lower_index, picking_by_a_tensor) {
    Fix f = fix_new();
    double a[12], ids[4] = {2, -1, 3, 0}, want[4] = {3, 6, NAN, 10};
    ramp(a, 12);
    Term *x = input(&f, DT_F32, SHAPE(4, 3), a), *y = input(&f, DT_I32, SHAPE(4), ids);
    TermIndex *n = index_new(&f, "n", 4);
    Term *t = access2(&f, x, at_index(&f, n), access1(&f, y, at_index(&f, n)));
    EXPECT(run(&f, define(&f, t, INDICES(n))), want, 4);
    fix_free(&f);
}

Test(lower_index, products_and_quotients_of_indices_as_indices) {
    Fix f = fix_new();
    double a[7], want[12];
    ramp(a, 7);
    for (int e = 0; e < 12; e++) want[e] = a[(e / 4) * (e % 4)] + a[e % 4 / 2];
    Term *x = input(&f, DT_F32, SHAPE(7), a);
    TermIndex *i = index_new(&f, "i", 3), *j = index_new(&f, "j", 4);
    Term *product = access1(&f, x, calc(&f, "mul", DT_I32, at_index(&f, i), at_index(&f, j)));
    Term *half = access1(&f, x, calc(&f, "idiv", DT_I32, at_index(&f, j), integer(&f, 2)));
    EXPECT(run(&f, define(&f, calc(&f, "add", DT_F32, product, half), INDICES(i, j))), want, 12);
    fix_free(&f);
}

Test(lower_index, halves_are_rounded_at_the_end) {
    Fix f = fix_new();
    double a[3] = {2048, 1, 1}, want[1] = {2050};
    Term *x = input(&f, DT_F16, SHAPE(3), a);
    TermIndex *i = index_new(&f, "i", 1), *k = index_new(&f, "k", 3);
    Term *sum = fold(&f, "sum", DT_F16, access1(&f, x, at_index(&f, k)), INDICES(k));
    EXPECT(run(&f, define(&f, sum, INDICES(i))), want, 1);
    cr_expect_eq(result(&f)->dtype, DT_F16);
    fix_free(&f);
}

Test(lower_index, long_bodies_need_no_deep_stack) {
    Fix f = fix_new();
    double a[2] = {0, 1}, want[2] = {20000, 20001};
    Term *x = input(&f, DT_F64, SHAPE(2), a);
    TermIndex *i = index_new(&f, "i", 2);
    Term *t = access1(&f, x, at_index(&f, i)), *one = number(&f, DT_F64, 1);
    for (int k = 0; k < 20000; k++) t = calc(&f, "add", DT_F64, t, one);
    EXPECT(run(&f, define(&f, t, INDICES(i))), want, 2);
    fix_free(&f);
}
