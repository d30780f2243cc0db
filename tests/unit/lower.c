/* links: nnc_lower nnc_lang nnc_ir nnc_reference */
/* Lowering of whole-tensor operations: each kind against plain loops, with odd sizes, sizes of 1 and 0. */
#include "tests/unit/terms.h"

#include <stdlib.h>

/* ---- element by element ---- */

Test(lower, operands_broadcast_from_the_last_dim) {
    Fix f = fix_new();
    double a[15], b[4], want[60];
    scramble(a, 15, 1);
    scramble(b, 4, 2);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            for (int k = 0; k < 5; k++) want[(i * 4 + j) * 5 + k] = a[i * 5 + k] - b[j];
    Term *x = input(&f, DT_F64, SHAPE(3, 1, 5), a), *y = input(&f, DT_F64, SHAPE(4, 1), b);
    EXPECT(run(&f, op(&f, "sub", DT_F64, SHAPE(3, 4, 5), ARGS(x, y))), want, 60);
    fix_free(&f);
}

Test(lower, numbers_and_scalars_reach_every_element) {
    Fix f = fix_new();
    double a[3] = {-1, 2, -3}, s[1] = {10}, want[3] = {9, 24, 7};
    Term *x = input(&f, DT_F32, SHAPE(3), a), *y = input(&f, DT_F32, SCALAR, s), *zero = number(&f, DT_F32, 0);
    Term *positive = op(&f, "lt", DT_BOOL, SHAPE(3), ARGS(zero, x));
    Term *twice = op(&f, "mul", DT_F32, SHAPE(3), ARGS(x, number(&f, DT_F32, 2)));
    Term *t = op(&f, "select", DT_F32, SHAPE(3), ARGS(positive, twice, x));
    Term *shifted = op(&f, "add", DT_F32, SHAPE(3), ARGS(t, y));
    double *got = run(&f, shifted);
    want[1] = 14;
    EXPECT(got, want, 3);
    fix_free(&f);
}

Test(lower, halves_are_computed_in_f32_and_rounded_once) {
    Fix f = fix_new();
    double a[4] = {2048, 1, 1, 1}, ones[4] = {1, 1, 1, 1}, want[1] = {2052};
    Term *x = input(&f, DT_F16, SHAPE(4), a);
    Term *y = term(&f, T_ARRAY, type_of(&f, DT_F16, SHAPE(4)), 0, NULL);
    y->elements = ones; /* summed in f16, 2048 + 1 would stay 2048; in f32 it is 2051, which rounds to 2052 */
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_F16, SCALAR, ARGS(x, y), 0, NULL)), want, 1);
    EXPECT(run(&f, along(&f, T_REDUCE, "sum", DT_F16, SCALAR, ARGS(x), AXES(0))), want, 1);
    fix_free(&f);
}

Test(lower, half_results_are_rounded) {
    Fix f = fix_new();
    double a[1] = {2048}, want[1] = {2048};
    Term *x = input(&f, DT_F16, SHAPE(1), a), *one = number(&f, DT_F16, 1);
    Term *once = op(&f, "add", DT_F16, SHAPE(1), ARGS(x, one));
    EXPECT(run(&f, op(&f, "add", DT_F16, SHAPE(1), ARGS(once, one))), want, 1);
    fix_free(&f);
}

Test(lower, conversions) {
    Fix f = fix_new();
    double a[4] = {-1.7, 300.2, 2.5, 0}, want[4] = {-1, 300, 2, 0};
    Term *x = input(&f, DT_F32, SHAPE(4), a);
    EXPECT(run(&f, term(&f, T_CAST, type_of(&f, DT_I32, SHAPE(4)), ARGS(x))), want, 4);
    fix_free(&f);
}

Test(lower, broadcast_repeats) {
    Fix f = fix_new();
    double a[2] = {1, 2}, want[12] = {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2};
    Term *x = input(&f, DT_F32, SHAPE(2, 1), a);
    EXPECT(run(&f, term(&f, T_BROADCAST, type_of(&f, DT_F32, SHAPE(2, 2, 3)), ARGS(x))), want, 12);
    fix_free(&f);
}

/* ---- reductions ---- */

Test(lower, reductions_over_inner_and_outer_dims) {
    double a[30];
    scramble(a, 30, 3);
    for (int keep = 0; keep < 2; keep++) {
        Fix f = fix_new();
        double sum[3] = {0}, arg[10];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 5; k++) sum[j] += a[(i * 3 + j) * 5 + k];
        for (int i = 0; i < 2; i++)
            for (int k = 0; k < 5; k++) {
                int best = 0;
                for (int j = 1; j < 3; j++)
                    if (a[(i * 3 + j) * 5 + k] > a[(i * 3 + best) * 5 + k]) best = j;
                arg[i * 5 + k] = best;
            }
        Term *x = input(&f, DT_F64, SHAPE(2, 3, 5), a), *s, *m;
        if (keep) {
            s = along(&f, T_REDUCE, "sum", DT_F64, SHAPE(1, 3, 1), ARGS(x), AXES(0, 2));
            m = along(&f, T_REDUCE, "argmax", DT_I32, SHAPE(2, 1, 5), ARGS(x), AXES(1));
        } else {
            s = along(&f, T_REDUCE, "sum", DT_F64, SHAPE(3), ARGS(x), AXES(0, 2));
            m = along(&f, T_REDUCE, "argmax", DT_I32, SHAPE(2, 5), ARGS(x), AXES(1));
        }
        s->keep = m->keep = keep;
        EXPECT_NEAR(run(&f, s), sum, 3, 1e-12);
        EXPECT(run(&f, m), arg, 10);
        fix_free(&f);
    }
}

Test(lower, reductions_over_nothing_give_the_neutral_element) {
    Fix f = fix_new();
    double zero[2] = {0, 0}, low[2] = {-INFINITY, -INFINITY}, one[2] = {1, 1};
    Term *x = input(&f, DT_F32, SHAPE(2, 0), zero);
    EXPECT(run(&f, along(&f, T_REDUCE, "sum", DT_F32, SHAPE(2), ARGS(x), AXES(1))), zero, 2);
    EXPECT(run(&f, along(&f, T_REDUCE, "max", DT_F32, SHAPE(2), ARGS(x), AXES(1))), low, 2);
    EXPECT(run(&f, along(&f, T_REDUCE, "prod", DT_F32, SHAPE(2), ARGS(x), AXES(1))), one, 2);
    EXPECT(run(&f, along(&f, T_REDUCE, "argmin", DT_I32, SHAPE(2), ARGS(x), AXES(1))), zero, 2);
    fix_free(&f);
}

Test(lower, sums_are_in_the_type_of_the_result) {
    Fix f = fix_new();
    double a[4] = {200, 100, 255, 1}, want[1] = {556};
    Term *x = input(&f, DT_U8, SHAPE(4), a);
    EXPECT(run(&f, along(&f, T_REDUCE, "sum", DT_I32, SCALAR, ARGS(x), AXES(0))), want, 1);
    fix_free(&f);
}

/* ---- where elements come from ---- */

static void check_reshape(int rank, const int64_t *from, int new_rank, const int64_t *to) {
    Fix f = fix_new();
    int64_t n = 1;
    for (int d = 0; d < rank; d++) n *= from[d];
    double *a = calloc((size_t)n + 1, sizeof *a);
    ramp(a, n);
    Term *x = input(&f, DT_F32, rank, from, a);
    EXPECT(run(&f, term(&f, T_RESHAPE, type_of(&f, DT_F32, new_rank, to), 1, &x)), a, n);
    free(a);
    fix_free(&f);
}

Test(lower, reshape_keeps_the_row_major_order) {
    check_reshape(SHAPE(2, 3, 5), SHAPE(30));
    check_reshape(SHAPE(2, 3, 5), SHAPE(5, 6));
    check_reshape(SHAPE(4, 9), SHAPE(6, 6));
    check_reshape(SHAPE(1, 6, 1), SHAPE(3, 1, 2));
    check_reshape(SHAPE(7), SHAPE(7, 1));
    check_reshape(SHAPE(1, 1), SCALAR);
    check_reshape(SHAPE(0, 3), SHAPE(3, 0, 2));
}

Test(lower, reshape_of_whole_dims_needs_no_division) {
    Fix f = fix_new();
    double a[24];
    ramp(a, 24);
    Term *x = input(&f, DT_F32, SHAPE(2, 3, 4), a);
    run(&f, term(&f, T_RESHAPE, type_of(&f, DT_F32, SHAPE(6, 4)), ARGS(x)));
    const Node *n = ir_node(f.g, f.g->outputs.at[0].node);
    const Place *at = ir_expr(f.g, n->comp.body)->load.at;
    int var;
    cr_expect(aff_is_var(at[2].aff, &var) && var == 1);
    cr_expect(at[0].aff->nterms == 1 && at[0].aff->terms[0].kind == ATOM_DIV && at[0].aff->terms[0].by == 3);
    fix_free(&f);
}

Test(lower, transpose) {
    Fix f = fix_new();
    double a[30], want[30];
    ramp(a, 30);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 5; k++) want[(k * 2 + i) * 3 + j] = a[(i * 3 + j) * 5 + k];
    Term *x = input(&f, DT_F32, SHAPE(2, 3, 5), a);
    EXPECT(run(&f, along(&f, T_TRANSPOSE, NULL, DT_F32, SHAPE(5, 2, 3), ARGS(x), AXES(2, 0, 1))), want, 30);
    fix_free(&f);
}

static Term *slice(Fix *f, Term *x, int rank, const int64_t *dims, const int64_t *begin, const int64_t *step) {
    Term *t = term(f, T_SLICE, type_of(f, x->type.dtype, rank, dims), 1, &x);
    t->begin = type_of(f, DT_F32, rank, begin).dims;
    t->step = arena_copy(f->nnc->arena, step, sizeof *step * (size_t)rank);
    return t;
}

Test(lower, slices_step_forwards_and_backwards) {
    Fix f = fix_new();
    double a[21], want[6];
    ramp(a, 21);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) want[i * 3 + j] = a[(1 + i) * 7 + 6 - 2 * j];
    Term *x = input(&f, DT_F32, SHAPE(3, 7), a);
    EXPECT(run(&f, slice(&f, x, SHAPE(2, 3), (int64_t[]){1, 6}, (int64_t[]){1, -2})), want, 6);
    fix_free(&f);
}

Test(lower, padding_on_both_sides) {
    Fix f = fix_new();
    double a[6], want[20];
    ramp(a, 6);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 5; j++) want[i * 5 + j] = i >= 1 && i < 3 && j < 3 ? a[(i - 1) * 3 + j] : -9;
    Term *x = input(&f, DT_F32, SHAPE(2, 3), a), *value = number(&f, DT_F32, -9);
    Term *t = term(&f, T_PAD, type_of(&f, DT_F32, SHAPE(4, 5)), ARGS(x, value));
    t->begin = type_of(&f, DT_F32, SHAPE(1, 0)).dims;
    EXPECT(run(&f, t), want, 20);
    fix_free(&f);
}

Test(lower, concatenation_of_many) {
    Fix f = fix_new();
    double a[5][8], want[2 * 10];
    Term *parts[5];
    for (int p = 0, at = 0; p < 5; p++) { /* widths 0, 1, 2, 3, 4 */
        for (int e = 0; e < 2 * p; e++) a[p][e] = p * 10 + e;
        parts[p] = input(&f, DT_F32, SHAPE(2, p), a[p]);
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < p; j++) want[i * 10 + at + j] = a[p][i * p + j];
        at += p;
    }
    EXPECT(run(&f, along(&f, T_CONCAT, NULL, DT_F32, SHAPE(2, 10), 5, parts, AXES(1))), want, 20);
    fix_free(&f);
}

Test(lower, concatenation_of_nothing) {
    Fix f = fix_new();
    double none[1] = {0};
    Term *x = input(&f, DT_F32, SHAPE(0, 2), none);
    run(&f, along(&f, T_CONCAT, NULL, DT_F32, SHAPE(0, 2), ARGS(x, x), AXES(0)));
    cr_expect_eq(ir_elements(ir_node(f.g, f.g->outputs.at[0].node)), 0);
    fix_free(&f);
}

/* ---- gathers ---- */

Test(lower, gathered_indices_wrap_once_and_give_nan_beyond) {
    Fix f = fix_new();
    double a[12], ids[6] = {0, -1, 2, 3, -4, 1}, want[2 * 6 * 2];
    ramp(a, 12); /* [2, 3, 2], gathered along the middle */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 6; j++)
            for (int k = 0; k < 2; k++) {
                int row = (int)ids[j] < 0 ? (int)ids[j] + 3 : (int)ids[j];
                want[(i * 6 + j) * 2 + k] = row < 0 || row > 2 ? NAN : a[(i * 3 + row) * 2 + k];
            }
    Term *x = input(&f, DT_F32, SHAPE(2, 3, 2), a), *i = input(&f, DT_I32, SHAPE(2, 3), ids);
    EXPECT(run(&f, along(&f, T_GATHER, NULL, DT_F32, SHAPE(2, 2, 3, 2), ARGS(x, i), AXES(1))), want, 24);
    fix_free(&f);
}

Test(lower, gathered_integers_out_of_range_are_zero) {
    Fix f = fix_new();
    double a[3] = {7, 8, 9}, ids[2] = {250, 2}, want[2] = {0, 9};
    Term *x = input(&f, DT_I32, SHAPE(3), a), *i = input(&f, DT_U8, SHAPE(2), ids);
    EXPECT(run(&f, along(&f, T_GATHER, NULL, DT_I32, SHAPE(2), ARGS(x, i), AXES(0))), want, 2);
    fix_free(&f);
}

Test(lower, gathers_from_nothing) {
    Fix f = fix_new();
    double none[1] = {0}, ids[2] = {0, -1}, want[2] = {NAN, NAN};
    Term *x = input(&f, DT_F32, SHAPE(0), none), *i = input(&f, DT_I32, SHAPE(2), ids);
    EXPECT(run(&f, along(&f, T_GATHER, NULL, DT_F32, SHAPE(2), ARGS(x, i), AXES(0))), want, 2);
    fix_free(&f);
}

Test(lower, row_numbers_of_a_batch_are_trusted) {
    Fix f = fix_new();
    double field[6] = {1, 2, 3, 4, 5, 6}, rows[2] = {2, 0}, want[4] = {5, 6, 1, 2};
    Term *x = input(&f, DT_U8, SHAPE(3, 2), field), *r = input(&f, DT_I32, SHAPE(2), rows);
    f.unit.inputs.at[0].gathered = 1;
    EXPECT(run(&f, along(&f, T_GATHER, NULL, DT_U8, SHAPE(2, 2), ARGS(x, r), AXES(0))), want, 4);
    const Expr *body = ir_expr(f.g, ir_node(f.g, f.g->outputs.at[0].node)->comp.body);
    cr_assert_eq(body->kind, EX_LOAD, "a gathered load alone");
    cr_expect_eq(ir_expr(f.g, body->load.at[0].gather)->kind, EX_LOAD);
    fix_free(&f);
}

/* ---- products ---- */

Test(lower, matmul_broadcasts_batches) {
    Fix f = fix_new();
    double a[2 * 1 * 3 * 4], b[5 * 4 * 2], want[2 * 5 * 3 * 2] = {0};
    scramble(a, 24, 1);
    scramble(b, 40, 2);
    for (int p = 0; p < 2; p++)
        for (int q = 0; q < 5; q++)
            for (int m = 0; m < 3; m++)
                for (int n = 0; n < 2; n++)
                    for (int k = 0; k < 4; k++)
                        want[((p * 5 + q) * 3 + m) * 2 + n] += a[(p * 3 + m) * 4 + k] * b[(q * 4 + k) * 2 + n];
    Term *x = input(&f, DT_F64, SHAPE(2, 1, 3, 4), a), *y = input(&f, DT_F64, SHAPE(5, 4, 2), b);
    EXPECT_NEAR(run(&f, along(&f, T_MATMUL, NULL, DT_F64, SHAPE(2, 5, 3, 2), ARGS(x, y), 0, NULL)), want, 60, 1e-12);
    fix_free(&f);
}

Test(lower, matmul_of_vectors) {
    Fix f = fix_new();
    double m[6] = {1, 2, 3, 4, 5, 6}, v[2] = {10, 1}, w[3] = {1, 0, -1}, vm[3] = {14, 25, 36}, mw[2] = {-2, -2},
           vv[1] = {101}, stack[6] = {14, 25, 36};
    Term *a = input(&f, DT_I32, SHAPE(2, 3), m), *x = input(&f, DT_I32, SHAPE(2), v),
         *y = input(&f, DT_I32, SHAPE(3), w);
    Term *b = input(&f, DT_I32, SHAPE(1, 2, 3), m);
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_I32, SHAPE(3), ARGS(x, a), 0, NULL)), vm, 3);
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_I32, SHAPE(2), ARGS(a, y), 0, NULL)), mw, 2);
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_I32, SCALAR, ARGS(x, x), 0, NULL)), vv, 1);
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_I32, SHAPE(1, 3), ARGS(x, b), 0, NULL)), stack, 3);
    EXPECT(run(&f, along(&f, T_MATMUL, NULL, DT_I32, SHAPE(1, 2), ARGS(b, y), 0, NULL)), mw, 2);
    fix_free(&f);
}

/* ---- constants, leaves, gradients ---- */

Test(lower, constants_and_counting) {
    Fix f = fix_new();
    double want[3] = {5, 1, 11}, elements[3] = {5, 0, 9};
    Term *c = term(&f, T_ARRAY, type_of(&f, DT_I64, SHAPE(3)), 0, NULL);
    c->elements = elements;
    Term *i = term(&f, T_IOTA, type_of(&f, DT_I64, SHAPE(3)), 0, NULL);
    EXPECT(run(&f, op(&f, "add", DT_I64, SHAPE(3), ARGS(c, i))), want, 3);
    EXPECT(run(&f, term(&f, T_IOTA, type_of(&f, DT_F32, SHAPE(3)), 0, NULL)), ((double[]){0, 1, 2}), 3);
    fix_free(&f);
}

Test(lower, leaves_and_outputs_have_the_slots_of_the_unit) {
    Fix f = fix_new();
    Variable w = {.path = "net.w", .type = type_of(&f, DT_F32, SHAPE(2)), .is_param = true, .slot = 0};
    Variable m = {.path = "adam.m", .type = w.type, .slot = 0};
    vec_push(&f.program.params, &w);
    vec_push(&f.program.states, &m);
    Term *p = term(&f, T_PARAM, w.type, 0, NULL), *again = term(&f, T_PARAM, w.type, 0, NULL);
    Term *s = term(&f, T_STATE, m.type, 0, NULL);
    Term *sum = along(&f, T_REDUCE, "sum", DT_F32, SCALAR, ARGS(again), AXES(0));
    Term *g = term(&f, T_GRAD, w.type, ARGS(sum, p));
    Term *mark = term(&f, T_MARK, w.type, ARGS(s)), *other = term(&f, T_MARK, w.type, ARGS(s));
    vec_push(&f.unit.results, (UnitResult){.name = "sum", .value = sum});
    vec_push(&f.unit.results, (UnitResult){.name = "g", .value = g});
    vec_push(&f.unit.updates, (UnitUpdate){&w, mark});
    vec_push(&f.unit.updates, (UnitUpdate){&m, other});
    Graph *graph = lower_unit(f.nnc, &f.program, &f.unit);
    cr_assert_eq(graph->outputs.len, 4);
    const Output *o = graph->outputs.at + 1;
    cr_expect(o[-1].slot == 0 && o[0].slot == 1 && strcmp(o[0].name, "g") == 0);
    cr_expect(o[0].kind == OUT_RESULT && o[1].kind == OUT_PARAM && o[2].kind == OUT_STATE);
    const Node *grad = ir_node(graph, o[0].node);
    cr_assert_eq(grad->kind, N_GRAD);
    const Node *leaf = ir_node(graph, grad->grad.wrt);
    cr_expect(leaf->kind == N_LEAF && leaf->leaf.kind == LEAF_PARAM && strcmp(leaf->name, "net.w") == 0);
    cr_expect_eq(ir_node(graph, o[1].node)->kind, N_MARK);
    cr_expect_neq(o[1].node, o[2].node, "marks are never shared");
    fix_free(&f);
}

Test(lower, long_programs_need_no_deep_stack) {
    Fix f = fix_new();
    double a[1] = {0}, want[1] = {100000};
    Term *x = input(&f, DT_F64, SCALAR, a), *one = number(&f, DT_F64, 1);
    for (int i = 0; i < 100000; i++) x = op(&f, "add", DT_F64, SCALAR, ARGS(x, one));
    EXPECT(run(&f, x), want, 1);
    fix_free(&f);
}
