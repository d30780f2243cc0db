/* links: nnc_pass nnc_ir nnc_reference */
/* pass_autodiff: every operation, reduction and kind of index, against finite differences in f64. */
#include "tests/unit/gradients.h"

/* ---- scalar operations ---- */

static bool tested_elsewhere(ExKind k) { return k == EX_STOP || k == EX_CAST; }
static bool positive_only(ExKind k) { return k == EX_SQRT || k == EX_RSQRT || k == EX_LOG || k == EX_POW; }

/* y[i] = op(a[i], b[i]) with a in [lo, lo + 0.45] and b on both sides of a. */
static void check_row(ExKind k, double lo) {
    Fix f = fix_new();
    int arity = op_info(k)->arity;
    Ref a = input(&f, lo, lo + 0.45, DIMS(6)), b = input(&f, lo + 0.1, lo + 0.3, DIMS(6));
    Ex x = here(&f, a), y = add(&f, here(&f, b), num(&f, 0.051)), value;
    if (k == EX_SELECT)
        value = ex_op(f.g, k, op2(&f, EX_LT, x, y), mul(&f, x, y), op2(&f, EX_DIV, x, y));
    else
        value = ex_op(f.g, k, x, arity > 1 ? y : 0, 0);
    Ref loss = weigh(&f, map(&f, a, mul(&f, value, add(&f, value, x))));
    CHECK2(&f, loss);
    fix_free(&f);
}

Test(autodiff, every_row_of_the_table) {
    for (int k = EX_ADD; k < EX_KINDS; k++) {
        const OpInfo *info = op_info((ExKind)k);
        if (!info->deriv[0] || tested_elsewhere((ExKind)k)) continue;
        check_row((ExKind)k, 0.523);
        if (!positive_only((ExKind)k)) check_row((ExKind)k, -0.977);
    }
}

Test(autodiff, stop_passes_nothing) {
    Fix f = fix_new();
    Ref x = input(&f, 1, 2, DIMS(3));
    Ref y = map(&f, x, mul(&f, here(&f, x), op1(&f, EX_STOP, here(&f, x))));
    Ref loss = COMP(&f, RED_SUM, 0, LOAD(&f, y, var(&f, 0)), 3), g = grad(&f, loss, x);
    double *d = run_output(&f, pipeline(&f, with_results(&f, 1, &g), true), 0);
    for (int i = 0; i < 3; i++) cr_expect_float_eq(d[i], f.data[0][i], 1e-12);
    fix_free(&f);
}

Test(autodiff, a_gradient_has_the_type_of_its_tensor) {
    Fix f = fix_new();
    Ref x = ir_leaf(f.g, LEAF_INPUT, 0, DT_F32, DIMS(3), NULL, nowhere);
    double data[] = {1, 2, 3};
    f.data[0] = data, f.ninputs = 1;
    Ex wide = ex_cast(f.g, DT_F64, here(&f, x));
    Ref loss = COMP(&f, RED_SUM, 0, mul(&f, wide, wide), 3), g = grad(&f, loss, x);
    Graph *out = pipeline(&f, with_results(&f, 1, &g), true);
    cr_expect_eq(ir_node(out, out->outputs.at[0].node)->dtype, DT_F32);
    double *d = run_output(&f, out, 0);
    for (int i = 0; i < 3; i++) cr_expect_eq(d[i], 2 * data[i]);
    fix_free(&f);
}

Test(autodiff, what_is_not_reached_gets_zeros) { /* through an integer, or not at all */
    Fix f = fix_new();
    Ref x = input(&f, 0.1, 0.9, DIMS(2)), y = input(&f, 0.1, 0.9, DIMS(4)), z = input(&f, 0, 1, DIMS(3));
    Ref count = map(&f, y, ex_cast(f.g, DT_F64, ex_cast(f.g, DT_I32, here(&f, y))));
    Ex sum = add(&f, LOAD(&f, x, var(&f, 0)), LOAD(&f, count, var(&f, 0)));
    CHECK(&f, weigh(&f, map(&f, x, sum)));
    (void)z;
    fix_free(&f);
}

/* ---- reductions ---- */

static Ref reduced(Fix *f, Combine c, Ref x) { /* over the last two of three dims, of a square */
    const Node n = *ir_node(f->g, x);
    Ex e = here(f, x);
    return comp(f, c, 1, 2, n.dims, mul(f, e, e));
}

static void check_reduction(Combine c) {
    Fix f = fix_new();
    CHECK2(&f, weigh(&f, reduced(&f, c, input(&f, 0.4, 1.6, DIMS(2, 3, 2)))));
    fix_free(&f);
}

Test(autodiff, sum) { check_reduction(RED_SUM); }
Test(autodiff, prod) { check_reduction(RED_PROD); }
Test(autodiff, max) { check_reduction(RED_MAX); }
Test(autodiff, min) { check_reduction(RED_MIN); }

static void check_product(int64_t n, int zeros, bool second) {
    Fix f = fix_new();
    Ref x = input(&f, 0.9, 1.1, DIMS(2, n));
    for (int z = 0; z < zeros; z++) f.data[0][n + 1 + 2 * z] = 0;
    Ref loss = weigh(&f, COMP(&f, RED_PROD, 1, here(&f, x), 2, n));
    if (second)
        CHECK2(&f, loss);
    else
        CHECK(&f, loss);
    fix_free(&f);
}

Test(autodiff, products_with_zeros) {
    for (int zeros = 0; zeros < 3; zeros++) {
        check_product(6, zeros, true);
        check_product(70, zeros, zeros == 0);
    }
}

Test(autodiff, the_first_of_equals_wins) {
    Fix f = fix_new();
    Ref x = input(&f, 0, 1, DIMS(4));
    memcpy(f.data[0], (double[]){1, 3, 3, 2}, 4 * sizeof(double));
    Ref loss = COMP(&f, RED_MAX, 0, here(&f, x), 4), g = grad(&f, loss, x);
    double *d = run_output(&f, pipeline(&f, with_results(&f, 1, &g), true), 0), want[] = {0, 1, 0, 0};
    cr_expect_arr_eq(d, want, sizeof want);
    fix_free(&f);
}

Test(autodiff, argmax_passes_nothing) {
    Fix f = fix_new();
    Ref x = input(&f, 0, 1, DIMS(3, 4)), at = COMP(&f, RED_ARGMAX, 1, here(&f, x), 3, 4);
    Ref y = map(&f, at, mul(&f, ex_cast(f.g, DT_F64, here(&f, at)), LOAD(&f, x, var(&f, 0), aff_const(f.g->affs, 1))));
    CHECK(&f, weigh(&f, y));
    fix_free(&f);
}

/* ---- tensors ---- */

Test(autodiff, matrix_product) {
    Fix f = fix_new();
    Ref a = input(&f, -1, 1, DIMS(3, 4)), b = input(&f, -1, 1, DIMS(4, 2));
    Ex body = mul(&f, LOAD(&f, a, var(&f, 0), var(&f, 2)), LOAD(&f, b, var(&f, 2), var(&f, 1)));
    Ref y = COMP(&f, RED_SUM, 2, body, 3, 2, 4);
    CHECK2(&f, weigh(&f, map(&f, y, op1(&f, EX_TANH, here(&f, y)))));
    fix_free(&f);
}

/* 1-dim convolutions over [N, X, C] with weights [K, C, F]; padding by a guard. */
static void check_convolution(int64_t x, int64_t k, int64_t stride, int64_t dilation, int64_t pad) {
    Fix f = fix_new();
    int64_t out = (x + 2 * pad - dilation * (k - 1) - 1) / stride + 1;
    Ref image = input(&f, -1, 1, DIMS(2, x, 2)), w = input(&f, -1, 1, DIMS(k, 2, 3));
    const Aff *at = plus(&f, times(&f, stride, var(&f, 1)), times(&f, dilation, var(&f, 3)));
    at = shift(&f, at, -pad); /* variables: n, x, f; k, c */
    Ex pixel = guarded(&f, at, 0, x, LOAD(&f, image, var(&f, 0), at, var(&f, 4)), num(&f, 0));
    Ref y = COMP(&f, RED_SUM, 3, mul(&f, pixel, LOAD(&f, w, var(&f, 3), var(&f, 4), var(&f, 2))), 2, out, 3, k, 2);
    CHECK2(&f, weigh(&f, map(&f, y, op1(&f, EX_TANH, here(&f, y)))));
    fix_free(&f);
}

Test(autodiff, convolution) { check_convolution(5, 3, 1, 1, 0); }
Test(autodiff, convolution_padded) { check_convolution(5, 3, 1, 1, 1); }
Test(autodiff, convolution_strided) { check_convolution(7, 3, 2, 1, 1); }
Test(autodiff, convolution_dilated) { check_convolution(8, 2, 1, 3, 2); }
Test(autodiff, convolution_strided_and_dilated) { check_convolution(9, 3, 3, 2, 2); }

Test(autodiff, the_input_gradient_of_a_strided_convolution_keeps_2x2_taps) {
    Fix f = fix_new();
    Ref image = input(&f, -1, 1, DIMS(9, 9)), w = input(&f, -1, 1, DIMS(3, 3));
    const Aff *at[2];
    for (int d = 0; d < 2; d++) at[d] = plus(&f, times(&f, 2, var(&f, d)), var(&f, 2 + d));
    Ref y = COMP(&f, RED_SUM, 2, mul(&f, load_at(&f, image, 2, at), LOAD(&f, w, var(&f, 2), var(&f, 3))), 4, 4, 3, 3);
    Ref loss = weigh(&f, y), g = grad(&f, loss, image);
    CHECK(&f, loss);
    Graph *out = pipeline(&f, with_results(&f, 1, &g), true);
    const Node *n = ir_node(out, out->outputs.at[0].node);
    cr_assert_eq(n->kind, N_COMP);
    cr_expect_eq(n->comp.nred, 2);
    for (int k = 0; k < n->comp.nred; k++) cr_expect_eq(n->comp.extents[n->rank + k], 2);
    fix_free(&f);
}

static void check_pooling(int64_t window, int64_t stride) {
    Fix f = fix_new();
    int64_t out = (8 - window) / stride + 1;
    Ref x = input(&f, -1, 1, DIMS(8, 8));
    const Aff *at[2];
    for (int d = 0; d < 2; d++) at[d] = plus(&f, times(&f, stride, var(&f, d)), var(&f, 2 + d));
    Ref y = COMP(&f, RED_MAX, 2, load_at(&f, x, 2, at), out, out, window, window);
    CHECK2(&f, weigh(&f, map(&f, y, mul(&f, here(&f, y), here(&f, y)))));
    fix_free(&f);
}

Test(autodiff, max_pooling) { check_pooling(2, 2); }
Test(autodiff, max_pooling_overlapping) { check_pooling(3, 2); }

Test(autodiff, softmax_cross_entropy) {
    Fix f = fix_new();
    Ref x = input(&f, -2, 2, DIMS(3, 4)), label = ints(&f, DIMS(3), (int32_t[]){2, 0, 3});
    Ref most = COMP(&f, RED_MAX, 1, here(&f, x), 3, 4);
    Ex centred = op2(&f, EX_SUB, here(&f, x), LOAD(&f, most, var(&f, 0)));
    Ref sum = COMP(&f, RED_SUM, 1, op1(&f, EX_EXP, centred), 3, 4);
    Ex lse = add(&f, op1(&f, EX_LOG, here(&f, sum)), here(&f, most));
    Place at[] = {{var(&f, 0), 0}, {aff_const(f.g->affs, 0), here(&f, label)}};
    Ref loss = COMP(&f, RED_SUM, 0, op2(&f, EX_SUB, lse, ex_load(f.g, x, at)), 3);
    CHECK2(&f, loss);
    fix_free(&f);
}

Test(autodiff, broadcast_and_diagonal) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3)), a = input(&f, -1, 1, DIMS(3, 3));
    Ref wide = COMP(&f, RED_NONE, 2, mul(&f, LOAD(&f, x, var(&f, 1)), here(&f, a)), 3, 3);
    Ref diagonal = COMP(&f, RED_NONE, 1, mul(&f, LOAD(&f, a, var(&f, 0), var(&f, 0)), here(&f, x)), 3);
    Ex both = add(&f, here(&f, wide), LOAD(&f, diagonal, var(&f, 0)));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 2, mul(&f, both, both), 3, 3)));
    fix_free(&f);
}

Test(autodiff, concatenation) { /* one tensor where j < 3, another from there on */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(2, 3)), y = input(&f, -1, 1, DIMS(2, 2));
    Ex left = here(&f, x), right = LOAD(&f, y, var(&f, 0), shift(&f, var(&f, 1), -3));
    right = guarded(&f, var(&f, 1), 3, 5, right, num(&f, 0));
    Ref both = COMP(&f, RED_NONE, 2, guarded(&f, var(&f, 1), 0, 3, left, right), 2, 5);
    CHECK2(&f, weigh(&f, map(&f, both, mul(&f, here(&f, both), here(&f, both)))));
    fix_free(&f);
}

Test(autodiff, a_factor_in_range_only_inside_the_guard) { /* x[i] * x[i-1] where i >= 1 */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(5));
    Ex pair = mul(&f, here(&f, x), LOAD(&f, x, shift(&f, var(&f, 0), -1)));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 1, guarded(&f, var(&f, 0), 1, 5, pair, here(&f, x)), 5)));
    fix_free(&f);
}

Test(autodiff, both_sides_of_a_guard) { /* x[i-1] * table[id[i-1]], but x[0]^2 at i = 0 */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(5)), table = input(&f, -1, 1, DIMS(3)),
        id = ints(&f, DIMS(4), (int32_t[]){2, 0, 2, 1});
    Ex first = LOAD(&f, x, aff_const(f.g->affs, 0)), before = LOAD(&f, x, shift(&f, var(&f, 0), -1));
    Place at[] = {{aff_const(f.g->affs, 0), LOAD(&f, id, shift(&f, var(&f, 0), -1))}};
    Ex inside = mul(&f, before, ex_load(f.g, table, at));
    Ex e = guarded(&f, var(&f, 0), 1, 5, inside, mul(&f, first, first));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 1, mul(&f, e, e), 5)));
    fix_free(&f);
}

/* ---- reshapes ---- */

/* [4, 6] -> [8, 3] -> transposed [3, 8] -> [24] -> every third, reversed; a product with the original */
Test(autodiff, chain_of_reshapes) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 6));
    const Aff *flat = plus(&f, times(&f, 3, var(&f, 0)), var(&f, 1));
    Ref y = COMP(&f, RED_NONE, 2, LOAD(&f, x, divide(&f, flat, 6), modulo(&f, flat, 6)), 8, 3);
    Ref t = COMP(&f, RED_NONE, 2, LOAD(&f, y, var(&f, 1), var(&f, 0)), 3, 8);
    Ref v = COMP(&f, RED_NONE, 1, LOAD(&f, t, divide(&f, var(&f, 0), 8), modulo(&f, var(&f, 0), 8)), 24);
    Ref s = COMP(&f, RED_NONE, 1, LOAD(&f, v, shift(&f, times(&f, -3, var(&f, 0)), 21)), 8);
    Ex e = mul(&f, here(&f, s), LOAD(&f, v, var(&f, 0)));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 1, mul(&f, e, e), 8)));
    fix_free(&f);
}

Test(autodiff, upsampling) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(2, 3)), w = input(&f, -1, 1, DIMS(4, 6));
    Ex e = mul(&f, LOAD(&f, x, divide(&f, var(&f, 0), 2), divide(&f, var(&f, 1), 2)), here(&f, w));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 2, mul(&f, e, e), 4, 6)));
    fix_free(&f);
}

/* ---- places in data ---- */

Test(autodiff, embedding_repeats_rows) { /* table[id[n], c]: a scatter, and its own adjoint */
    Fix f = fix_new();
    Ref table = input(&f, -1, 1, DIMS(5, 2)), id = ints(&f, DIMS(4), (int32_t[]){3, 1, 3, 0});
    Place at[] = {{aff_const(f.g->affs, 0), LOAD(&f, id, var(&f, 0))}, {var(&f, 1), 0}};
    Ex e = ex_load(f.g, table, at);
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 2, mul(&f, e, op1(&f, EX_SIN, e)), 4, 2)));
    fix_free(&f);
}

Test(autodiff, a_guarded_gather) { /* table[id[n - 1], c] where n >= 1 */
    Fix f = fix_new();
    Ref table = input(&f, -1, 1, DIMS(5, 2)), id = ints(&f, DIMS(4), (int32_t[]){3, 1, 3, 0});
    Place at[] = {{aff_const(f.g->affs, 0), LOAD(&f, id, shift(&f, var(&f, 0), -1))}, {var(&f, 1), 0}};
    Ex e = guarded(&f, var(&f, 0), 1, 5, ex_load(f.g, table, at), num(&f, 2));
    CHECK2(&f, weigh(&f, COMP(&f, RED_NONE, 2, mul(&f, e, e), 5, 2)));
    fix_free(&f);
}

Test(autodiff, scatter) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 2)), id = ints(&f, DIMS(4), (int32_t[]){2, 0, 2, 1});
    Place at[] = {{aff_const(f.g->affs, 0), LOAD(&f, id, var(&f, 0))}, {var(&f, 1), 0}};
    Ex body = mul(&f, here(&f, x), here(&f, x));
    Ref y = ir_scatter(f.g, DIMS(3, 2), at, DIMS(4, 2), body, nowhere);
    CHECK2(&f, weigh(&f, map(&f, y, mul(&f, here(&f, y), here(&f, y)))));
    fix_free(&f);
}

/* ---- gradients of gradients, marks ---- */

Test(autodiff, third_derivative) {
    Fix f = fix_new();
    Ref x = input(&f, 0.5, 1.5, DIMS(3));
    Ref y = map(&f, x, mul(&f, op1(&f, EX_SIN, here(&f, x)), op1(&f, EX_EXP, here(&f, x))));
    Ref first = grad(&f, weigh(&f, y), x), second = grad(&f, weigh(&f, first), x);
    CHECK(&f, weigh(&f, map(&f, x, mul(&f, here(&f, second), here(&f, x)))));
    fix_free(&f);
}

Test(autodiff, a_mark_separates_equal_nodes) { /* x * x with respect to one of the two */
    Fix f = fix_new();
    Ref x = input(&f, 1, 2, DIMS(3)), m = ir_mark(f.g, x, nowhere);
    Ref loss = COMP(&f, RED_SUM, 0, mul(&f, here(&f, x), here(&f, m)), 3);
    Ref g[] = {grad(&f, loss, m), grad(&f, loss, x)};
    Graph *out = pipeline(&f, with_results(&f, 2, g), true);
    double *one = run_output(&f, out, 0), *both = run_output(&f, out, 1);
    for (int i = 0; i < 3; i++) {
        cr_expect_float_eq(one[i], f.data[0][i], 1e-12);
        cr_expect_float_eq(both[i], 2 * f.data[0][i], 1e-12);
    }
    fix_free(&f);
}

Test(autodiff, gradients_that_nobody_asks_for_are_not_built) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(5, 4)), w = input(&f, -1, 1, DIMS(4, 3));
    Ex body = mul(&f, LOAD(&f, x, var(&f, 0), var(&f, 2)), LOAD(&f, w, var(&f, 2), var(&f, 1)));
    Ref loss = weigh(&f, COMP(&f, RED_SUM, 2, body, 5, 3, 4)), g = grad(&f, loss, w);
    Graph *out = pass_autodiff(f.nnc, with_results(&f, 1, &g));
    for (Ref r = 1; r < out->nodes.len; r++) {
        const Node *n = ir_node(out, r);
        cr_expect(n->kind != N_COMP || n->rank != 2 || n->dims[0] != 5 || n->dims[1] != 4,
                  "the gradient of x is there");
    }
    fix_free(&f);
}
