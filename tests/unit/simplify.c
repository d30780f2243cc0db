/* links: nnc_pass nnc_ir nnc_reference */
/* pass_simplify: what becomes of a graph, and that its values stay. */
#include "tests/unit/gradients.h"

/* The simplified graph of these results, after a comparison of all values with the original. */
static Graph *simplified(Fix *f, int n, const Ref *results) {
    Graph *before = with_results(f, n, results), *after = passed(f, pass_simplify, before, "simplify");
    for (int i = 0; i < n; i++) {
        double *want = run_output(f, before, i), *got = run_output(f, after, i);
        int64_t count = ir_elements(ir_node(before, before->outputs.at[i].node));
        for (int64_t k = 0; k < count; k++)
            cr_expect(fabs(got[k] - want[k]) <= 1e-12 * fmax(1, fabs(want[k])), "result %d[%ld]: %.17g, not %.17g", i,
                      (long)k, got[k], want[k]);
    }
    return after;
}

static int count_kind(const Graph *g, NodeKind k) {
    int n = 0;
    for (Ref r = 1; r < g->nodes.len; r++) n += ir_node(g, r)->kind == k;
    return n;
}

/* Of a graph with one result: how many comprehensions it takes. */
static int comps(Fix *f, Ref result) { return count_kind(simplified(f, 1, &result), N_COMP); }

static double reduced_points(const Graph *g) {
    double n = 0;
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *x = ir_node(g, r);
        double points = 1;
        if (x->kind != N_COMP || !x->comp.nred) continue;
        for (int k = 0; k < x->comp.nred; k++) points *= (double)x->comp.extents[x->rank + k];
        n += points;
    }
    return n;
}

/* ---- copies ---- */

Test(simplify, transposes_slices_and_pads_vanish) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 5));
    Ref t = COMP(&f, RED_NONE, 2, LOAD(&f, x, var(&f, 1), var(&f, 0)), 5, 4);
    Ref slice = COMP(&f, RED_NONE, 2, LOAD(&f, t, shift(&f, times(&f, 2, var(&f, 0)), 1), var(&f, 1)), 2, 4);
    const Aff *at = shift(&f, var(&f, 1), -1);
    Ref pad = COMP(&f, RED_NONE, 2, guarded(&f, at, 0, 4, LOAD(&f, slice, var(&f, 0), at), num(&f, 7)), 2, 6);
    Ref wide = COMP(&f, RED_NONE, 3, LOAD(&f, pad, var(&f, 0), var(&f, 2)), 2, 3, 6);
    cr_expect_eq(comps(&f, map(&f, wide, mul(&f, here(&f, wide), num(&f, 2)))), 1);
    fix_free(&f);
}

Test(simplify, reshapes_vanish_where_indices_stay_simple) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(2, 3, 4)), w = input(&f, -1, 1, DIMS(24));
    const Aff *k = var(&f, 0);
    Ref flat =
        COMP(&f, RED_NONE, 1, LOAD(&f, x, divide(&f, k, 12), modulo(&f, divide(&f, k, 4), 3), modulo(&f, k, 4)), 24);
    cr_expect_eq(comps(&f, COMP(&f, RED_SUM, 0, mul(&f, LOAD(&f, flat, k), LOAD(&f, w, k)), 24)), 1);
    Ref reversed = COMP(&f, RED_NONE, 1, LOAD(&f, flat, shift(&f, times(&f, -1, k), 23)), 24);
    cr_expect_eq(comps(&f, map(&f, reversed, op1(&f, EX_EXP, here(&f, reversed)))), 2,
                 "quotients of 23 - k stay apart");
    fix_free(&f);
}

Test(simplify, a_reshape_stays_while_gradients_are_asked_for) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 6));
    Ref flat = COMP(&f, RED_NONE, 1, LOAD(&f, x, divide(&f, var(&f, 0), 6), modulo(&f, var(&f, 0), 6)), 24);
    Ref loss = weigh(&f, map(&f, flat, mul(&f, here(&f, flat), here(&f, flat)))), g = grad(&f, loss, x);
    Graph *out = pass_simplify(f.nnc, with_results(&f, 1, &g));
    cr_expect_eq(count_kind(out, N_COMP), 3);
    fix_free(&f);
}

Test(simplify, a_gradient_is_never_looked_through) { /* d loss / d t for a transposed t that only the loss loads */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(2, 3));
    Ref t = COMP(&f, RED_NONE, 2, LOAD(&f, x, var(&f, 1), var(&f, 0)), 3, 2);
    Ref g = grad(&f, COMP(&f, RED_SUM, 0, mul(&f, here(&f, t), here(&f, t)), 3, 2), t);
    double *d = run_output(&f, pipeline(&f, with_results(&f, 1, &g), true), 0);
    for (int i = 0; i < 6; i++) cr_expect_float_eq(d[i], 2 * f.data[0][(i % 2) * 3 + i / 2], 1e-12);
    fix_free(&f);
}

Test(simplify, a_sum_that_keeps_its_dims_is_the_one_that_does_not) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 5));
    Ref sum = COMP(&f, RED_SUM, 1, LOAD(&f, x, var(&f, 1), var(&f, 0)), 5, 4);
    Ref kept = COMP(&f, RED_SUM, 2, LOAD(&f, x, var(&f, 2), var(&f, 1)), 1, 5, 4);
    Ex both = mul(&f, LOAD(&f, sum, var(&f, 0)), LOAD(&f, kept, times(&f, 0, var(&f, 0)), var(&f, 0)));
    cr_expect_eq(comps(&f, COMP(&f, RED_NONE, 1, both, 5)), 2);
    fix_free(&f);
}
Test(simplify, gathers_go_through_transposes) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3, 5)), id = ints(&f, DIMS(4), (int32_t[]){4, 0, 4, 2});
    Ref t = COMP(&f, RED_NONE, 2, LOAD(&f, x, var(&f, 1), var(&f, 0)), 5, 3);
    Place at[] = {{aff_const(f.g->affs, 0), LOAD(&f, id, var(&f, 0))}, {var(&f, 1), 0}};
    cr_expect_eq(comps(&f, COMP(&f, RED_NONE, 2, mul(&f, ex_load(f.g, t, at), num(&f, 3)), 4, 3)), 1);
    Ref odd = COMP(&f, RED_NONE, 2, LOAD(&f, x, var(&f, 1), times(&f, 2, var(&f, 0))), 3, 3);
    Ref small = ints(&f, DIMS(2), (int32_t[]){2, 1});
    Place twice[] = {{aff_const(f.g->affs, 0), LOAD(&f, small, var(&f, 0))}, {var(&f, 1), 0}};
    cr_expect_eq(comps(&f, COMP(&f, RED_NONE, 2, mul(&f, ex_load(f.g, odd, twice), num(&f, 3)), 2, 3)), 2);
    fix_free(&f);
}

Test(simplify, constants_and_counters_are_computed_in_place) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(6)), two = COMP(&f, RED_NONE, 1, num(&f, 2), 6);
    Ref count = COMP(&f, RED_NONE, 1, ex_cast(f.g, DT_F64, ex_index(f.g, DT_I32, var(&f, 0))), 6);
    cr_expect_eq(comps(&f, map(&f, x, mul(&f, here(&f, x), add(&f, here(&f, two), here(&f, count))))), 1);
    fix_free(&f);
}

/* ---- sums ---- */

Test(simplify, factors_leave_sums) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3, 4)), c = input(&f, 1, 2, DIMS(3));
    Ex ci = LOAD(&f, c, var(&f, 0)), body = op2(&f, EX_DIV, mul(&f, mul(&f, here(&f, x), num(&f, 3)), ci), ci);
    Ref sum = COMP(&f, RED_SUM, 1, op1(&f, EX_NEG, body), 3, 4);
    Graph *g = simplified(&f, 1, &sum);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_COMP && n->comp.combine == RED_SUM)
            cr_expect_eq(ir_expr(g, n->comp.body)->kind, EX_LOAD, "only x is left in the sum");
    }
    cr_expect_eq(count_kind(g, N_COMP), 2);
    fix_free(&f);
}

Test(simplify, factors_leave_sums_through_nodes_that_they_alone_go_over) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3, 4)), c = input(&f, 1, 2, DIMS(3));
    Ex ci = LOAD(&f, c, var(&f, 0));
    Ref scaled = map(&f, x, mul(&f, here(&f, x), ci)), over = map(&f, x, op2(&f, EX_DIV, here(&f, scaled), ci));
    Ref twice = map(&f, x, add(&f, here(&f, over), here(&f, over)));
    Ref sums[] = {COMP(&f, RED_SUM, 1, here(&f, twice), 3, 4), COMP(&f, RED_SUM, 1, here(&f, x), 3, 4)};
    Graph *g = simplified(&f, 2, sums);
    cr_expect_eq(reduced_points(g), 4, "one sum, of x");
    cr_expect_eq(count_kind(g, N_COMP), 2);
    Ref w = input(&f, -1, 1, DIMS(4, 5)), v = input(&f, 1, 2, DIMS(3, 4));
    Ref often = map(&f, v, mul(&f, here(&f, v), ci)); /* each element goes into five sums: it is scaled before */
    Ex product = mul(&f, LOAD(&f, often, var(&f, 0), var(&f, 2)), LOAD(&f, w, var(&f, 2), var(&f, 1)));
    cr_expect_eq(comps(&f, COMP(&f, RED_SUM, 2, product, 3, 5, 4)), 2);
    fix_free(&f);
}

static Ref mean_of_rows(Fix *f, Ref x, double by) {
    Ref sum = COMP(f, RED_SUM, 1, here(f, x), 3, 4);
    return map(f, sum, mul(f, here(f, sum), num(f, by)));
}

Test(simplify, deviations_from_the_mean_add_up_to_nothing) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3, 4)), c = input(&f, 1, 2, DIMS(3));
    Ref d = map(&f, x, op2(&f, EX_SUB, here(&f, x), LOAD(&f, mean_of_rows(&f, x, 0.25), var(&f, 0))));
    Ref scaled = map(&f, x, mul(&f, here(&f, d), LOAD(&f, c, var(&f, 0))));
    Ref sum = COMP(&f, RED_SUM, 1, here(&f, scaled), 3, 4);
    cr_expect_eq(reduced_points(simplified(&f, 1, &sum)), 4, "the sum of the mean, which is not finite where x is not");
    Ref e = map(&f, x, op2(&f, EX_SUB, here(&f, x), LOAD(&f, mean_of_rows(&f, x, 0.5), var(&f, 0))));
    Ref other = COMP(&f, RED_SUM, 1, here(&f, e), 3, 4);
    cr_expect_eq(reduced_points(simplified(&f, 1, &other)), 8, "that is not the mean");
    fix_free(&f);
}

Test(simplify, a_map_with_dims_of_1_is_the_one_without) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(5));
    Ref flat = map(&f, x, mul(&f, here(&f, x), num(&f, 3)));
    Ref kept = COMP(&f, RED_NONE, 2, mul(&f, LOAD(&f, x, var(&f, 1)), num(&f, 3)), 1, 5);
    Ex both = mul(&f, here(&f, flat), LOAD(&f, kept, times(&f, 0, var(&f, 0)), var(&f, 0)));
    cr_expect_eq(comps(&f, map(&f, x, both)), 2);
    fix_free(&f);
}

Test(simplify, equalities_fix_the_index_of_a_sum) { /* sum over k of x[k] where 2*k = i + 1 */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(5));
    const Aff *at = plus(&f, times(&f, 2, var(&f, 1)), times(&f, -1, var(&f, 0)));
    Ref y = COMP(&f, RED_SUM, 1, guarded(&f, at, 1, 2, LOAD(&f, x, var(&f, 1)), num(&f, 0)), 12, 5);
    cr_expect_eq(reduced_points(simplified(&f, 1, &y)), 0);
    fix_free(&f);
}

Test(simplify, windows_narrow_sums) { /* sum over 0 <= k - i < 3 of x[k] * x[i] */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(9));
    const Aff *at = plus(&f, var(&f, 1), times(&f, -1, var(&f, 0)));
    Ex inside = guarded(&f, at, 0, 3, LOAD(&f, x, var(&f, 1)), num(&f, 0));
    Ref y = COMP(&f, RED_SUM, 1, mul(&f, inside, here(&f, x)), 9, 9);
    cr_expect_eq(reduced_points(simplified(&f, 1, &y)), 3);
    fix_free(&f);
}

/* sum over k of x[k div 5, i, k mod 5] * w[k], with x in memory as [4, rows, 5] */
static int sums_of_joined(int rows) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, rows, 5)), w = input(&f, -1, 1, DIMS(20));
    const Aff *k = var(&f, 1);
    Ex body = mul(&f, LOAD(&f, x, divide(&f, k, 5), var(&f, 0), modulo(&f, k, 5)), LOAD(&f, w, k));
    Ref y = COMP(&f, RED_SUM, 1, body, rows, 20);
    Graph *g = simplified(&f, 1, &y);
    int nred = 0;
    for (Ref r = 1; r < g->nodes.len; r++) nred += ir_node(g, r)->kind == N_COMP ? ir_node(g, r)->comp.nred : 0;
    fix_free(&f);
    return nred;
}

Test(simplify, sums_over_quotients_and_remainders_are_two) {
    cr_expect_eq(sums_of_joined(3), 2);
    cr_expect_eq(sums_of_joined(1), 1, "in the order of memory: one index will do");
}

Test(simplify, a_guarded_factor_stays_inside) { /* x[i - 1] is out of range at i = 0, which the guard leaves out */
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(6)), w = input(&f, -1, 1, DIMS(4));
    Ex pair = mul(&f, LOAD(&f, x, shift(&f, var(&f, 0), -1)), LOAD(&f, w, var(&f, 1)));
    Ref y = COMP(&f, RED_SUM, 1, guarded(&f, var(&f, 0), 1, 6, pair, num(&f, 0)), 6, 4);
    simplified(&f, 1, &y);
    fix_free(&f);
}

Test(simplify, nan_is_kept) { /* 0 * x is not 0 */
    Fix f = fix_new();
    Ref x = input(&f, 1, 2, DIMS(3));
    f.data[0][1] = INFINITY;
    Ref y = map(&f, x, mul(&f, here(&f, x), num(&f, 0)));
    double *got = run_output(&f, pass_simplify(f.nnc, with_results(&f, 1, &y)), 0);
    cr_expect(isnan(got[1]) && got[0] == 0);
    fix_free(&f);
}

/* ---- the rest ---- */

Test(simplify, dead_nodes_and_stops_go) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(3));
    COMP(&f, RED_SUM, 0, LOAD(&f, x, var(&f, 0)), 3);
    Ref y = map(&f, x, op1(&f, EX_STOP, op1(&f, EX_EXP, here(&f, x))));
    Graph *g = simplified(&f, 1, &y);
    cr_expect_eq(count_kind(g, N_COMP), 1);
    cr_expect_eq(ir_expr(g, ir_node(g, g->outputs.at[0].node)->comp.body)->kind, EX_EXP);
    fix_free(&f);
}

Test(simplify, a_second_run_changes_nothing) {
    Fix f = fix_new();
    Ref x = input(&f, -1, 1, DIMS(4, 3)), w = input(&f, -1, 1, DIMS(3, 2));
    Ex body = mul(&f, LOAD(&f, x, var(&f, 0), var(&f, 2)), LOAD(&f, w, var(&f, 2), var(&f, 1)));
    Ref y = COMP(&f, RED_SUM, 2, mul(&f, body, num(&f, 0.5)), 4, 2, 3);
    Ref loss = weigh(&f, map(&f, y, op1(&f, EX_TANH, here(&f, y)))), g[] = {grad(&f, loss, x), grad(&f, loss, w)};
    Graph *once = pipeline(&f, with_results(&f, 2, g), true), *twice = pass_simplify(f.nnc, once);
    cr_expect_eq(once->nodes.len, twice->nodes.len);
    cr_expect_eq(once->exprs.len, twice->exprs.len);
    fix_free(&f);
}
