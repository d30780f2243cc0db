/* links: nnc_lower nnc_lang nnc_pass nnc_reference nnc_stdlib */
/* Programs from their text to values: parser, checker, lowering, gradients, reference interpreter. */
#include "compiler/pass/passes.h"
#include "tests/reference/interp.h"
#include "tests/unit/nn.h"

#include <math.h>

/* The first result of exported function `f` of a program in f64, for f64 and i32 inputs. */
static double *result_of(Nnc *nnc, const char *text, const void *const *inputs) {
    nnc->float_type = DT_F64;
    Graph *g = pass_autodiff(nnc, nn_export(nn_load(nnc, text, (DataOpener){0}), "f"));
    InterpEnv env = {.inputs = inputs};
    interp_run(g, &env);
    const Node *y = ir_node(g, g->outputs.at[0].node);
    double *copy = ARENA_ARRAY(nnc->arena, double, ir_elements(y));
    for (int64_t i = 0; i < ir_elements(y); i++)
        copy[i] = y->dtype == DT_F64   ? ((double *)env.outputs[0])[i]
                  : y->dtype == DT_I32 ? (double)((int32_t *)env.outputs[0])[i]
                                       : (double)((uint8_t *)env.outputs[0])[i];
    interp_free(g, &env);
    return copy;
}

static void expect(const char *text, const void *const *inputs, int n, const double *want) {
    Nnc *nnc = nnc_new();
    const double *got = result_of(nnc, text, inputs);
    for (int i = 0; i < n; i++) {
        bool same =
            isnan(want[i]) ? isnan(got[i]) : fabs(got[i] - want[i]) <= 1e-12 * (1 + fabs(want[i])) || got[i] == want[i];
        cr_expect(same, "element %d is %.15g, not %.15g, in\n%s", i, got[i], want[i], text);
    }
    nnc_free(nnc);
}

Test(lower_nn, arithmetic_and_broadcasts) {
    expect("export fn f(a: [2, 1], b: [3]) = a * b + 1", INPUTS(D(2, 3), D(1, 10, 100)), WANT(3, 21, 201, 4, 31, 301));
    expect("export fn f(a: [4]) = if a > 0 then a else -a / 2", INPUTS(D(1, -1, 4, -4)), WANT(1, 0.5, 4, 2));
    expect("export fn f(i: int[3]) = i / 2", INPUTS(I(1, 2, 3)), WANT(0.5, 1, 1.5));
    expect("export fn f(a: [3]) = a ^ 2 - 2 ^ a", INPUTS(D(1, 2, 3)), WANT(-1, 0, 1));
}

Test(lower_nn, reductions) {
    double a[] = {1, 2, 3, 4, 5, 6};
    expect("export fn f(a: [2, 3]) = sum(a, axis = 0)", INPUTS(a), WANT(5, 7, 9));
    expect("export fn f(a: [2, 3]) = mean(a)", INPUTS(a), WANT(3.5));
    expect("export fn f(a: [2, 3]) = a - max(a, axis = -1, keep = true)", INPUTS(a), WANT(-2, -1, 0, -2, -1, 0));
    expect("export fn f(a: [2, 3]) = argmax(-a, axis = 1)", INPUTS(a), WANT(0, 0));
    expect("export fn f(a: [2, 3]) = variance(a, axis = 0, correction = 1)", INPUTS(a), WANT(4.5, 4.5, 4.5));
}

Test(lower_nn, shapes) {
    double a[] = {1, 2, 3, 4, 5, 6};
    expect("export fn f(a: [2, 3]) = transpose(a, [1, 0])", INPUTS(a), WANT(1, 4, 2, 5, 3, 6));
    expect("export fn f(a: [2, 3]) = flatten(reshape(a, [3, 2, 1]))[1]", INPUTS(a), WANT(3, 4));
    expect("export fn f(a: [2, 3]) = a[0, flatten(int(a[:, 0..2]) - 1)[0]]", INPUTS(a), WANT(1, 2)); /* integers stay */
    expect("export fn f(a: [2, 3]) = concat([a, a[:, 0..1]], axis = 1)", INPUTS(a), WANT(1, 2, 3, 1, 4, 5, 6, 4));
    expect("export fn f(a: [2, 3]) = stack([a[0], a[1]], axis = 1)", INPUTS(a), WANT(1, 4, 2, 5, 3, 6));
    expect("export fn f(a: [6]) = a[-1] + a[1..6 by 2]", INPUTS(a), WANT(8, 10, 12));
    expect("export fn f(a: [2, 3]) = pad(a, [[0, 1], [1, 0]], value = 9)", INPUTS(a),
           WANT(9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9));
    expect("export fn f(a: [2, 3]) = flip(a, 1)", INPUTS(a), WANT(3, 2, 1, 6, 5, 4));
}

Test(lower_nn, gathers) {
    double a[] = {1, 2, 3, 4, 5, 6};
    expect("export fn f(a: [3, 2], i: int[4]) = a[i]", INPUTS(a, I(2, -3, 0, 3)), WANT(5, 6, 1, 2, 1, 2, NAN, NAN));
    expect("export fn f(a: [3, 2], i: int[3]) = pick(a, i)", INPUTS(a, I(1, 0, -1)), WANT(2, 3, 6));
    expect("export fn f(i: int[2]) = one_hot(i, 3)", INPUTS(I(2, 0)), WANT(0, 0, 1, 1, 0, 0));
}

Test(lower_nn, orders) {
    double a[] = {3, 1, 2, 1, 3, 2}, b[] = {2, NAN, 1, 2};
    expect("export fn f(a: [2, 3]) = sort(a)", INPUTS(a), WANT(1, 2, 3, 1, 2, 3));
    expect("export fn f(a: [2, 3]) = sort(a, axis = 0, descending = true)", INPUTS(a), WANT(3, 3, 2, 1, 1, 2));
    expect("export fn f(a: [2, 3]) = argsort(a, axis = 1)", INPUTS(a), WANT(1, 2, 0, 0, 2, 1));
    expect("export fn f(b: [4]) = argsort(b)", INPUTS(b), WANT(2, 0, 3, 1));
    expect("export fn f(b: [4]) = argsort(b, descending = true)", INPUTS(b), WANT(1, 0, 3, 2));
    expect("export fn f(a: [2, 3]) {\n let (y, i) = topk(a, shape(a)[1] / 3, largest = false)\n return y + 10 * i\n}",
           INPUTS(a), WANT(11, 1));
    expect("export fn f(a: [2, 3]) = median(a, axis = 1)", INPUTS(a), WANT(2, 2));
    expect("export fn f(b: [4]) = median(b)", INPUTS(b), WANT(NAN));
    expect("export fn f(a: [2, 3]) = percentile(a, 25, axis = 1)", INPUTS(a), WANT(1.5, 1.5));
}

Test(lower_nn, running) {
    double a[] = {1, 2, 3, 4, 5, 6};
    expect("export fn f(a: [2, 3]) = cumsum(a)", INPUTS(a), WANT(1, 3, 6, 4, 9, 15));
    expect("export fn f(a: [2, 3]) = cumprod(a, axis = 0)", INPUTS(a), WANT(1, 2, 3, 4, 10, 18));
    expect("export fn f(i: int[3]) = cumsum(i) / 2", INPUTS(I(1, 2, 3)), WANT(0.5, 1.5, 3));
    expect("export fn f(a: [2, 0]) = sum(cumsum(a))", INPUTS(a), WANT(0));
}

Test(lower_nn, products) {
    double a[] = {1, 2, 3, 4};
    expect("export fn f(a: [2, 2], b: [2, 2]) = a @ b", INPUTS(a, D(0, 1, 1, 0)), WANT(2, 1, 4, 3));
    expect("export fn f(a: [2, 2], v: [2]) = a @ v", INPUTS(a, D(1, 10)), WANT(21, 43));
    expect("export fn f(a: [4], b: [4]) = dot(a, b)", INPUTS(a, a), WANT(30));
}

Test(lower_nn, index_notation) {
    double a[] = {1, 2, 3, 4, 5, 6};
    expect("export fn f(x: [6], w: [3]) {\n let y[i] = sum[k](x[2*i + k] * w[k])\n return y\n}",
           INPUTS(a, D(1, 10, 100)), WANT(321, 543));
    expect(
        "export fn f(x: [6], w: [3]) {\n"
        " let y[i in 0..6] = sum[k in 0..3](if i + k >= 1 and i + k < 7 then x[i + k - 1] * w[k] else 0)\n return y\n}",
        INPUTS(a, D(1, 10, 100)), WANT(210, 321, 432, 543, 654, 65));
    expect("export fn f(x: [2, 3]) {\n let y[i] = argmax[k](x[i, k])\n return y\n}", INPUTS(a), WANT(2, 2));
    expect("export fn f(x: [2, 3]) = tril(x)", INPUTS(a), WANT(1, 0, 0, 4, 5, 0));
    expect("export fn f(x: [2, 3]) {\n let y[j, i] = x[i, j] + 10 * i\n return y\n}", INPUTS(a),
           WANT(1, 14, 2, 15, 3, 16));
    expect("export fn f(x: [2, 3]) = softmax(x)[0]", INPUTS(a),
           WANT(0.09003057317038046, 0.24472847105479764, 0.6652409557748218));
}

Test(lower_nn, losses) {
    expect("export fn f(z: [2, 3], t: int[2]) = cross_entropy(z, t)", INPUTS(D(1, 2, 3, 1000, 0, 0), I(2, 0)),
           WANT(0.20380298222219));
    expect("export fn f(z: [2, 3], t: int[2]) = accuracy(z, t)", INPUTS(D(1, 2, 3, 0, 5, 4), I(2, 0)), WANT(0.5));
}

Test(lower_nn, gradients_are_expressions) {
    double x[] = {1, 2, 3}, v[] = {1, 0, -1};
    expect("export fn f(x: [3]) = grad(sum(x^3), x)", INPUTS(x), WANT(3, 12, 27));
    expect("export fn f(x: [3]) {\n let h = 2 * x\n return grad(sum(h^2), h)\n}", INPUTS(x), WANT(4, 8, 12));
    expect("export fn f(x: [3], v: [3]) = grad(dot(grad(sum(x^3), x), v), x)", INPUTS(x, v), WANT(6, 0, -18));
    expect("export fn f(x: [3]) = grad(sum(x * stop(x)), x)", INPUTS(x), WANT(1, 2, 3));
    expect("export fn f(x: [3], i: int[4]) = grad(sum(x[i]^2), x)", INPUTS(x, I(2, 0, 2, -1)), WANT(2, 0, 18));
}

/* ---- parameters and steps ---- */

Test(lower_nn, a_model_reads_its_parameters) {
    Nnc *nnc = nnc_new();
    nnc->float_type = DT_F64;
    Program *p = nn_load(nnc,
                         "model net(x: [N, 2]) = Dense(1, bias = false)(x)\n"
                         "export fn f(x: [3, 2]) = net(x)\n",
                         (DataOpener){0});
    Graph *g = nn_export(p, "f");
    cr_assert_eq(p->params.len, 1);
    double w[] = {2, 3}, x[] = {1, 0, 0, 1, 1, 1}, want[] = {2, 3, 5};
    InterpEnv env = {.inputs = INPUTS(x), .params = INPUTS(w)};
    interp_run(g, &env);
    for (int i = 0; i < 3; i++) cr_expect_eq(((double *)env.outputs[0])[i], want[i]);
    interp_free(g, &env);
    nnc_free(nnc);
}

/* Five samples of x: f64[2] and y: f64[]. */
static const DataInfo *open_pairs(void *self, Nnc *nnc, const DataExpr *e) {
    (void)self;
    static const int64_t two[] = {2};
    const DataField fields[] = {{.name = intern(nnc->names, "x"), .dtype = DT_F64, .rank = 1, .dims = two},
                                {.name = intern(nnc->names, "y"), .dtype = DT_F64}};
    DataInfo info = {.count = 5, .nfields = 2, .classes = -1, .expr = e};
    info.fields = arena_copy(nnc->arena, fields, sizeof fields);
    return arena_copy(nnc->arena, &info, sizeof info);
}

static const char regression[] = "model net(x: [N, 2]) = Dense(1)(x)\n"
                                 "data d = npy(\"pairs\")\n"
                                 "train {\n"
                                 "    for (x, y) in d {\n"
                                 "        minimize mse(squeeze(net(x), 1), y) using SGD(0.1)\n"
                                 "    }\n"
                                 "}\n";

/* The output of a kind and slot. */
static const double *output(const Graph *g, const InterpEnv *env, OutKind kind, int slot) {
    for (size_t i = 0; i < g->outputs.len; i++)
        if (g->outputs.at[i].kind == kind && g->outputs.at[i].slot == slot) return env->outputs[i];
    cr_assert_fail("output %d of kind %d", slot, (int)kind);
    return NULL;
}

Test(lower_nn, a_step_updates_parameters_by_the_rows_of_its_batch) {
    Nnc *nnc = nnc_new();
    nnc->float_type = DT_F64;
    Program *p = nn_load(nnc, regression, (DataOpener){open_pairs, NULL});
    Graph *g = pass_autodiff(nnc, nn_step(p, 2));
    ir_verify(g, "autodiff");
    cr_assert_eq(p->params.len, 2);
    int w = strcmp(p->params.at[0]->path, "net.dense1.w") == 0 ? 0 : 1;
    double x[] = {9, 9, 1, 2, 9, 9, 9, 9, 3, -1}, y[] = {9, 1, 9, 9, 2}, weight[] = {0.5, 0.25}, bias[] = {0.125};
    double zeros[2] = {0};
    int32_t rows[] = {4, 1}, zero[] = {0};
    const void *params[2];
    params[w] = weight, params[1 - w] = bias;
    const void *states[8]; /* of the optimizer; all start with zeros */
    cr_assert(p->states.len <= COUNT(states));
    for (size_t i = 0; i < COUNT(states); i++) states[i] = zeros;
    InterpEnv env = {.inputs = INPUTS(x, y, rows, zero, zero, zero), .params = params, .states = states};
    interp_run(g, &env);
    double e0 = 3 * 0.5 - 0.25 + 0.125 - 2, e1 = 0.5 + 2 * 0.25 + 0.125 - 1;
    cr_expect_float_eq(output(g, &env, OUT_RESULT, 0)[0], (e0 * e0 + e1 * e1) / 2, 1e-14);
    cr_expect_float_eq(output(g, &env, OUT_PARAM, w)[0], 0.5 - 0.1 * (3 * e0 + e1), 1e-14);
    cr_expect_float_eq(output(g, &env, OUT_PARAM, w)[1], 0.25 - 0.1 * (-e0 + 2 * e1), 1e-14);
    cr_expect_float_eq(output(g, &env, OUT_PARAM, 1 - w)[0], 0.125 - 0.1 * (e0 + e1), 1e-14);
    interp_free(g, &env);
    nnc_free(nnc);
}

Test(lower_nn, first_values_are_drawn_from_the_seed) {
    Nnc *nnc = nnc_new();
    nnc->float_type = DT_F64;
    Program *p = nn_load(nnc, regression, (DataOpener){open_pairs, NULL});
    nn_step(p, 2);
    Graph *g = lower_unit(nnc, p, program_init_unit(p));
    ir_verify(g, "lowering");
    double first[2], limit = sqrt(6.0 / (2 + 1));
    for (int32_t seed = 0; seed < 3; seed++) {
        InterpEnv env = {.inputs = INPUTS(&seed, I(0), I(0))};
        interp_run(g, &env);
        int w = strcmp(p->params.at[0]->path, "net.dense1.w") == 0 ? 0 : 1;
        const double *weight = output(g, &env, OUT_PARAM, w);
        for (int i = 0; i < 2; i++) cr_expect(fabs(weight[i]) < limit && (!seed || weight[i] != first[i]));
        cr_expect_neq(weight[0], weight[1]);
        cr_expect_eq(output(g, &env, OUT_PARAM, 1 - w)[0], 0);
        memcpy(first, weight, sizeof first);
        interp_free(g, &env);
    }
    nnc_free(nnc);
}
